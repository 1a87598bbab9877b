"""What audits of real stacks came to reach late: renegotiations of clients that ask for tickets, tickets in the only
connection, setups in which nothing is resumed after all, and servers that speak older versions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shakeproof.model import messages as m
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.properties.confirmation import confirm
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.courses import is_reached
from shakeproof.properties.findings import Grade
from shakeproof.properties.probe import Trial, probe, try_setup
from shakeproof.properties.reasons import TRIED
from shakeproof.properties.suites import Word, quick
from shakeproof.properties.targets.base import PROMISING, SETUPS, Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.openssl import OpenSslTarget
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.scripted import ScriptedTarget
from shakeproof.properties.tasks import OLDER, Partial, Task, role_of, words_of
from shakeproof.replaying import ERROR, FAILED, FIXED, replay
from shakeproof.store import SavedFinding, finding_from_json, finding_to_json
from tests.properties.planted import with_broken_ticket_taken, with_renewed_tickets

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
PLAIN = Setup("rsa", "rsa", "cbc")
AGAIN = replace(PLAIN, renegotiation=True)
BY_ID, BY_TICKET = replace(PLAIN, session="id"), replace(PLAIN, session="ticket")
PROMISED = replace(PLAIN, promises=True)
READ_LATE = (m.ChangeCipherSpec, m.Finished, m.ApplicationData)
OFFERS_OLDER = m.ClientHello.symbol(m.old_version, m.offers_several, m.extended, m.anew)


class Instead(Target):
    """A target that is set up as another setup says. forgets: what it knew of a session, it does not know any more."""

    roles = ("tls12.client", "tls12.server")

    def __init__(self, inner: Target, changed: Callable[[Setup], Setup], forgets: bool = False) -> None:
        self.inner, self.changed, self.forgets = inner, changed, forgets

    @property
    def description(self) -> str:
        return f"{self.inner.description}, set up otherwise"

    @property
    def is_probed(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        return (PLAIN, BY_TICKET, PROMISED)

    def connect(self, role: str, setup: Setup) -> Endpoint:
        endpoint = self.inner.connect(role, self.changed(setup))
        return Forgetful(self, endpoint, role, setup) if self.forgets else endpoint


class Forgetful(Endpoint):
    """An endpoint whose application begins anew with each connection."""

    def __init__(self, target: Instead, inner: Endpoint, role: str, setup: Setup) -> None:
        self.target, self.inner, self.role, self.setup = target, inner, role, setup

    def start(self) -> Reaction:
        return self.inner.start()

    def feed(self, data: bytes) -> Reaction:
        return self.inner.feed(data)

    def again(self) -> Endpoint:
        return self.target.connect(self.role, self.setup)


def outcomes(target: Target, role: Role, setup: Setup, wanted: Callable[[Word], bool]) -> list[tuple[Word, Outcome]]:
    runner = Runner(target, role, setup, 0)
    words = [word for word in quick(role, setup, (PLAIN,)) if wanted(word)]
    assert words
    return [(word, runner.run(word)) for word in words]


def is_awaiting_hello(word: Word) -> bool:
    return word.configuration.state.name == "WAIT_SERVER_HELLO"


def left_out(found: list[tuple[Word, Outcome]]) -> list[str]:
    return [f"{word.cell}: {outcome.unreached}" for word, outcome in found if outcome.unreached]


# ----------------------------------------------------------------------------- what a client asks for is its own choice


@pytest.mark.parametrize("target", [OurTarget(), OpenSslTarget()], ids=lambda target: target.name)
def test_a_client_that_asks_for_a_ticket_is_reached_in_a_second_handshake(target: Target) -> None:
    asking = Instead(target, lambda setup: replace(setup, session="ticket"))
    read = (m.ServerHello, m.HelloRequest, m.ApplicationData)
    found = outcomes(asking, CLIENT, AGAIN, lambda word: is_awaiting_hello(word) and word.symbol.message in read)
    assert {CLIENT.remembered(word.configuration)["asks"] for word, _ in found} == {m.anew.bit}
    assert left_out(found) == []
    assert [outcome.problem for _, outcome in found if outcome.problem and outcome.problem.grade.is_failure] == []


def test_a_fault_in_the_second_handshake_of_a_client_that_asks_for_a_ticket_is_found() -> None:
    asking = Instead(OurTarget("unbound-renegotiation"), lambda setup: replace(setup, session="ticket"))
    found = outcomes(asking, CLIENT, AGAIN, lambda word: word.symbol.has(m.renegotiation_forged) and bool(word.prefix))
    assert Grade.WENT_ON in {outcome.problem.grade for _, outcome in found if outcome.problem}


def test_what_a_session_is_resumed_by_is_not_the_clients_choice() -> None:
    (start,) = {word.configuration for word in quick(CLIENT, BY_TICKET) if not word.prefix}
    (other,) = {word.configuration for word in quick(CLIENT, PLAIN) if not word.prefix}
    assert is_reached(CLIENT, start, (start,), BY_TICKET)
    assert not is_reached(CLIENT, start, (other,), BY_TICKET)
    assert is_reached(CLIENT, other, (start,), PLAIN)
    (promised,) = {word.configuration for word in quick(CLIENT, PROMISED) if not word.prefix}
    assert not is_reached(CLIENT, promised, (other,), PROMISED)  # who asks for no ticket can be promised none


# ------------------------------------------------------------------------------------- tickets in the only connection


def test_a_ticket_is_promised_in_setups_that_are_tried_plainly_too() -> None:
    assert {replace(setup, promises=False) for setup in PROMISING} <= set(SETUPS)
    assert all(setup.tickets and not setup.session for setup in PROMISING)


@pytest.mark.parametrize("target", [OurTarget(), OpenSslTarget()], ids=lambda target: target.name)
def test_a_client_that_is_promised_a_ticket_is_reached_wherever_it_waits_for_it(target: Target) -> None:
    found = outcomes(target, CLIENT, PROMISED, lambda word: word.symbol.message is m.NewSessionTicket)
    places = {CLIENT.remembered_text(word.configuration) for word, _ in found}
    assert any("promised" in place for place in places)
    assert left_out(found) == []
    assert [outcome.problem for _, outcome in found if outcome.problem and outcome.problem.grade.is_failure] == []


def test_a_client_that_takes_any_ticket_in_its_only_connection_is_found() -> None:
    target = ScriptedTarget(table=with_broken_ticket_taken())
    found = outcomes(target, CLIENT, PROMISED, lambda word: word.symbol.has(m.broken_ticket) and "promised" in at(word))
    problems = {at(word): outcome.problem.grade for word, outcome in found if outcome.problem}
    assert problems["WAIT_CHANGE_CIPHER_SPEC promised"] is Grade.WENT_ON


def at(word: Word) -> str:
    return f"{word.configuration.state.name} {CLIENT.remembered_text(word.configuration)}"


def test_promising_repeats_no_cell_of_a_client_that_asks_for_something_else() -> None:
    words = quick(CLIENT, PROMISED, (PLAIN,))
    first = [word for word in words if is_awaiting_hello(word)]
    assert first
    assert all(word.symbol.has(m.promised) for word in first)


def test_a_client_that_asks_for_no_ticket_takes_no_part_in_promising() -> None:
    trial = try_setup(Runner(Instead(OurTarget(), lambda _: PLAIN), CLIENT, PROMISED, 0))
    assert trial == Trial(
        "declined",
        f"{TRIED} the target began with ClientHello, as it may; "
        "this is tested only where it then is in WAIT_SERVER_HELLO (asks for a new session, and would take a ticket)",
    )


# --------------------------------------------------------------------------------------- what resumes nothing after all


@pytest.mark.parametrize("target", [OurTarget(), OpenSslTarget()], ids=lambda target: target.name)
def test_a_server_that_gives_sessions_by_id_alone_takes_no_part_in_tickets(target: Target) -> None:
    trial = try_setup(Runner(Instead(target, lambda _: BY_ID), SERVER, BY_TICKET, 0))
    assert trial.outcome == "declined"
    assert "an honest first connection gave no session by ticket" in trial.why


@pytest.mark.parametrize(
    ("setup", "why"),
    [
        (
            AGAIN,
            "the target answered the ClientHello with Alert[WARNING, NO_RENEGOTIATION], as it may; this is tested only "
            "where it then is in WAIT_CLIENT_KEY_EXCHANGE (a handshake has been completed before this one)",
        ),
        (
            replace(PLAIN, client_auth=True),
            "the target answered the ClientHello with ServerHello, Certificate and ServerHelloDone, as it may; this is "
            "tested only where it then is in WAIT_CERTIFICATE (the server has asked for a certificate, "
            "and does not know yet whether the client has one)",
        ),
    ],
    ids=lambda value: value.text if isinstance(value, Setup) else "",
)
def test_a_server_that_takes_no_part_is_said_to_have_chosen_otherwise(setup: Setup, why: str) -> None:
    trial = try_setup(Runner(Instead(OurTarget(), lambda _: PLAIN), SERVER, setup, 0))
    assert trial == Trial("declined", f"{TRIED} {why}")


def test_a_client_that_forgets_its_ticket_takes_part_in_promising_alone() -> None:
    forgetful = Instead(OurTarget(), lambda setup: replace(setup, session="ticket"), forgets=True)
    probed = probe(forgetful, CLIENT, 0, float("inf"))
    assert probed.setups == (PLAIN, PROMISED)
    (declined,) = probed.declined
    assert declined == (
        BY_TICKET,
        f"{TRIED} the target began with ClientHello, as it may; "
        "this is tested only where it then is in WAIT_SERVER_HELLO (carries a ticket that the server gave out)",
    )  # fmt: skip


def test_a_server_that_gives_a_new_ticket_when_it_resumes_is_reached_as_one_that_gives_none() -> None:
    def is_resumed(word: Word) -> bool:
        return SERVER.remembered(word.configuration)["grants"] == m.resumed.bit

    target = ScriptedTarget(table=with_renewed_tickets())
    talk = Runner(target, SERVER, BY_TICKET, 0).open()
    talk.begin()
    said = talk.send(m.ClientHello.symbol(m.offers_rsa, m.extended, m.by_ticket)).seen
    talk.dispose()
    assert m.NewSessionTicket in {item.symbol.message for item in said}
    found = outcomes(target, SERVER, BY_TICKET, lambda word: is_resumed(word) and word.symbol.message in READ_LATE)
    assert {word.configuration.state.name for word, _ in found} == {"WAIT_CHANGE_CIPHER_SPEC", "WAIT_FINISHED"}
    assert left_out(found) == []
    assert [outcome.problem for _, outcome in found if outcome.problem] == []


# ------------------------------------------------------------------------------------------------------ older versions


class Upgrading(Endpoint):
    """A server that reads TLS 1.2 where an older version is offered: its ServerHello is above what the client has."""

    def __init__(self) -> None:
        self.inner = OurTarget().connect("tls12.server", PLAIN)

    def start(self) -> Reaction:
        return self.inner.start()

    def feed(self, data: bytes) -> Reaction:
        return self.inner.feed(data[:9] + data[9:11].replace(b"\3\2", b"\3\3") + data[11:])


class UpgradingTarget(OurTarget):
    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Upgrading()


def older(setup: Setup) -> tuple[Task, list[Word]]:
    task = Task("openssl", "", "tls12.server", setup, 0, (), speaks_older=True)
    return task, [word for word in words_of(task) if m.ClientHello is word.symbol.message and is_older(word)]


def is_older(word: Word) -> bool:
    return word.symbol.has(m.old_version) or word.symbol.has(m.fallback)


@pytest.mark.parametrize("setup", [*SETUPS[:2], SETUPS[3]], ids=lambda setup: setup.text)
def test_a_server_that_speaks_an_older_version_is_held_to_what_the_table_says_of_it(setup: Setup) -> None:
    task, words = older(setup)
    runner, partial = Runner(OpenSslTarget(older=True), role_of(task), setup, 0), Partial(task)
    assert Trial("works", answers=True) == try_setup(runner)
    found = {word.cell: (word, runner.run(word)) for word in words if not partial.known_of(word)}
    assert {cell for cell, (_, outcome) in found.items() if outcome.problem or outcome.unreached} == set()
    first = {word.symbol: outcome for word, outcome in found.values() if not word.prefix}
    assert first[OFFERS_OLDER].observed[0].endswith("ServerKeyExchange[SIGNED], ServerHelloDone[EMPTY]")
    left = {word.configuration.state.name: partial.known_of(word) for word in words if partial.known_of(word)}
    assert left == {"CONNECTED": OLDER}


def test_a_server_that_speaks_an_older_version_has_as_many_cells() -> None:
    for setup in SETUPS[:2]:
        task, _ = older(setup)
        assert len(words_of(task)) == len(words_of(replace(task, speaks_older=False)))


def test_a_version_above_the_offered_one_is_no_answer_to_an_older_client() -> None:
    task, words = older(PLAIN)
    (word,) = [word for word in words if word.symbol == OFFERS_OLDER and not word.prefix]
    outcome = Runner(UpgradingTarget(), role_of(task), PLAIN, 0).run(word)
    assert outcome.problem is not None
    assert outcome.problem.grade is Grade.WRONG_OUTPUT
    assert "ServerHello[ALIEN_VERSION" in outcome.problem.why


def test_a_fallback_is_inappropriate_to_a_server_that_speaks_the_older_version_too() -> None:
    task, words = older(PLAIN)
    (word,) = [word for word in words if word.symbol.has(m.fallback) and not word.prefix]
    problems = [Runner(OpenSslTarget(older=True), role, PLAIN, 0).run(word).problem for role in (role_of(task), SERVER)]
    assert problems == [None, None]
    outcome = Runner(UpgradingTarget(), role_of(task), PLAIN, 0).run(word)
    assert outcome.problem is not None
    assert outcome.problem.grade.is_failure


def test_a_finding_of_a_server_that_speaks_an_older_version_is_replayed_under_that_reading(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    task, words = older(PLAIN)
    (word,) = [word for word in words if word.symbol == OFFERS_OLDER and not word.prefix]
    runner = Runner(UpgradingTarget(), role_of(task), PLAIN, 0)
    problem = runner.run(word).problem
    assert problem is not None
    saved = finding_from_json(finding_to_json(SavedFinding(confirm(runner, word, problem))))
    assert saved.finding.readings == ("legacy",)
    monkeypatch.setattr(OurTarget, "setups", lambda *_: (PLAIN,))
    monkeypatch.setattr(OpenSslTarget, "setups", lambda *_: (PLAIN,))

    def replayed(target: Target, *readings: str) -> str:
        monkeypatch.setattr("shakeproof.replaying.find_target", lambda *_, **__: target)
        return replay(replace(saved, finding=replace(saved.finding, readings=readings))).status

    assert replayed(UpgradingTarget(), "legacy") == FAILED
    assert replayed(OpenSslTarget(older=True), "legacy") == FIXED
    assert replayed(OpenSslTarget(older=True)) == FAILED, "by the usual reading it may not choose that version"
    assert replayed(OpenSslTarget(older=True), "no-such-reading") == ERROR
