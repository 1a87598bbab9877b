"""Why something was not tested: each reason says what was tried, what came, and what follows."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from shakeproof.model.messages import ServerHello
from shakeproof.model.roles import ROLES
from shakeproof.properties.chain_audit import offer_chains
from shakeproof.properties.conformance import Runner
from shakeproof.properties.probe import Trial, probe, try_setup
from shakeproof.properties.reasons import SILENT, TRIED
from shakeproof.properties.suites import quick
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup
from shakeproof.properties.targets.ours import OurEndpoint, OurTarget, make_client, make_server
from shakeproof.properties.tasks import Partial, Task

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
PLAIN = Setup("rsa", "rsa", "cbc")
FOREVER_S = 600.0
HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")
PROTOCOL_VERSION = bytes.fromhex("15030300020246")


class Answering(OurEndpoint):
    """Answers from the message of that number on as it is told, and before as ours."""

    answer = Reaction()
    at = 1

    def feed(self, data: bytes) -> Reaction:
        self.at -= 1
        return self.answer if self.at <= 0 else super().feed(data)


class Refusing(OurTarget):
    def __init__(self, answer: Reaction, at: int = 1) -> None:
        super().__init__()
        self.answer, self.at = answer, at

    @property
    def is_probed(self) -> bool:
        return True

    def connect(self, role: str, setup: Setup) -> Endpoint:
        make: Callable[..., object] = make_client if role == "tls12.client" else make_server
        endpoint = Answering(make(setup=setup))  # type: ignore[arg-type]  # either kind of connection
        endpoint.answer, endpoint.at = self.answer, self.at
        return endpoint


@pytest.mark.parametrize(
    ("answer", "outcome", "why"),
    [
        (
            Reaction(HANDSHAKE_FAILURE, closed=True),
            "declined",
            "answered the ClientHello with Alert[FATAL, HANDSHAKE_FAILURE] and closed the connection, so this setup is "
            "not tested",
        ),
        (
            Reaction(PROTOCOL_VERSION, closed=True, note="no such version"),
            "declined",
            "answered the ClientHello with Alert[FATAL, PROTOCOL_VERSION] and closed the connection (no such version): "
            "it does not speak TLS 1.2, so this setup is not tested",
        ),
        (
            Reaction(closed=True),
            "broken",
            "closed the connection without an alert at the ClientHello (refused a legal input)",
        ),
        (Reaction(), "silent", "gave no answer to the ClientHello (owes an answer and gives none)"),
        (Reaction(closed=True, crashed="SIGSEGV"), "broken", "died at the ClientHello (SIGSEGV)"),
    ],
    ids=["alert", "version", "close", "silence", "crash"],
)
def test_a_setup_that_is_refused_says_what_was_tried_what_came_and_what_follows(
    answer: Reaction, outcome: str, why: str
) -> None:
    trial = try_setup(Runner(Refusing(answer), SERVER, PLAIN, 0))
    assert (trial.outcome, trial.why) == (outcome, f"{TRIED} the target {why}")


def test_a_setup_that_was_not_tried_because_of_silence_says_so() -> None:
    probed = probe(Refusing(Reaction()), SERVER, 0, time.monotonic() + FOREVER_S)
    assert probed.hopeless.endswith("the target gave no answer to the ClientHello (owes an answer and gives none)")
    assert probed.declined[-1][1] == SILENT


def test_a_place_that_is_not_reached_says_what_went_wrong_on_the_way() -> None:
    runner = Runner(Refusing(Reaction(closed=True)), CLIENT, PLAIN, 0)
    word = next(word for word in quick(CLIENT, PLAIN) if [one.message for one in word.prefix] == [ServerHello])
    why = "on the honest way there the target closed the connection without an alert at the ServerHello"
    assert runner.run(word).unreached == f"{why} (refused a legal input)"


def test_chains_that_would_show_nothing_say_that_a_sound_one_was_tried_first() -> None:
    task = Task("shakeproof", "", CLIENT.name, PLAIN, 0)
    partial = Partial(task)
    runner = Runner(Refusing(Reaction(HANDSHAKE_FAILURE, closed=True), 2), CLIENT, PLAIN, 0)
    offer_chains(runner, time.monotonic() + FOREVER_S, partial, lambda _: None)
    assert list(partial.beside) == [
        "a sound chain of our own was tried first, and was not taken: the target answered the Certificate with "
        "Alert[FATAL, HANDSHAKE_FAILURE] and closed the connection; faulty ones would show nothing"
    ]


def test_an_honest_connection_that_works_has_no_reason() -> None:
    assert try_setup(Runner(OurTarget(), SERVER, PLAIN, 0)) == Trial("works", answers=True)
