"""What audits of real stacks taught the verdicts: each of these was a false failure once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import Runner
from shakeproof.properties.findings import Grade
from shakeproof.properties.mapper.context import SessionName
from shakeproof.properties.suites import Word, quick
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.scripted import ScriptedEndpoint, ScriptedTarget

SETUP = Setup("rsa", "rsa", "cbc")
SERVER = "tls12.server"
FATAL = bytes.fromhex("1503030002 02")
CLOSE_NOTIFY = bytes.fromhex("1503030002 0100")
ACCESS_DENIED = 49


def word(start: str) -> Word:
    return next(each for each in quick(ROLES[SERVER], SETUP) if each.cell.startswith(start))


class Wrapped(Endpoint):
    """An endpoint of ours, with its first bytes changed on the way out."""

    def __init__(self, target: Changed, inner: Endpoint) -> None:
        self.target, self.inner = target, inner

    def start(self) -> Reaction:
        return self.target.changed(self.inner.start())

    def feed(self, data: bytes) -> Reaction:
        return self.target.changed(self.inner.feed(data))

    def dispose(self) -> None:
        self.target.open.discard(self)
        self.inner.dispose()


class Changed(Target):
    """Our server, one connection at a time. says: what stands for a fatal alert in the clear; None for that alert."""

    name = "changed"
    roles = (SERVER,)

    def __init__(self, rogue: str = "", *, alert: int | None = None, more: bytes = b"") -> None:
        self.ours = OurTarget(rogue)
        self.alert, self.more = alert, more
        self.open: set[Wrapped] = set()
        self.connections = 0

    @property
    def description(self) -> str:
        return "our server, changed"

    def connect(self, role: str, setup: Setup) -> Endpoint:
        assert not self.open, "another connection is still open"
        endpoint = Wrapped(self, self.ours.connect(role, setup))
        self.open.add(endpoint)
        self.connections += 1
        return endpoint

    def changed(self, reaction: Reaction) -> Reaction:
        if not reaction.data.startswith(FATAL):
            return reaction
        said = reaction.data if self.alert is None else FATAL + bytes([self.alert])
        return replace(reaction, data=said + self.more)


def test_a_close_notify_after_a_fatal_alert_is_no_fault() -> None:
    refused = word("WAIT_CLIENT_HELLO x ClientHello[NO_COMMON_SUITE")
    outcome = Runner(Changed(more=CLOSE_NOTIFY), ROLES[SERVER], SETUP, 0).run(refused)
    assert outcome.problem is None
    assert outcome.exchange is not None
    assert "CLOSE_NOTIFY" in outcome.exchange.got


def test_another_alert_than_may_refuse_is_a_deviation_and_no_refusal_of_something_legal() -> None:
    refused = word("WAIT_CLIENT_HELLO x ClientHello[NO_COMMON_SUITE")
    outcome = Runner(Changed(alert=ACCESS_DENIED), ROLES[SERVER], SETUP, 0).run(refused)
    assert outcome.problem is not None
    assert outcome.problem.grade is Grade.DEVIATION


def test_a_message_after_a_fatal_alert_is_still_a_fault() -> None:
    refused = word("WAIT_CLIENT_HELLO x ClientHello[NO_COMMON_SUITE")
    more = bytes.fromhex("160303000400000000")  # a HelloRequest
    outcome = Runner(Changed(more=more), ROLES[SERVER], SETUP, 0).run(refused)
    assert outcome.problem is not None
    assert outcome.problem.why == "ignored it"


def test_a_server_that_takes_one_connection_at_a_time_is_asked_for_one_at_a_time() -> None:
    target = Changed("early-ccs")
    runner = Runner(target, ROLES[SERVER], SETUP, 0)
    words = [each for each in quick(ROLES[SERVER], SETUP) if "x ChangeCipherSpec" in each.cell]
    for each in words:
        runner.run(each)
        assert not target.open
    # Silence is graded by what follows, on connections of its own.
    assert target.connections > len(words)


class Choosy(ScriptedEndpoint):
    """A client that resumes only what has brought it something."""

    served = False

    def feed(self, data: bytes) -> Reaction:
        reaction = super().feed(data)
        self.served = self.served or bool(reaction.delivered)
        return reaction

    def again(self) -> Endpoint | None:
        return super().again() if self.served else None


class ChoosyTarget(ScriptedTarget):
    """Such a client."""

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Choosy(ROLES[role], setup)


@pytest.mark.parametrize("session", ["id", "ticket"])
def test_a_client_that_got_no_response_has_no_session_so_that_the_first_connection_gives_one(
    session: SessionName,
) -> None:
    role, setup = ROLES["tls12.client"], replace(SETUP, session=session)
    changed = next(each for each in quick(role, setup) if "x ServerHello[BOND_CHANGED, RSA, RESUMED" in each.cell)
    outcome = Runner(ChoosyTarget(), role, setup, 0).run(changed)
    assert (outcome.unreached, outcome.problem) == ("", None)
    assert outcome.observed == ("Alert[FATAL, HANDSHAKE_FAILURE], closed",)
