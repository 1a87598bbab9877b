"""What exit statuses tell of data that may be cut off: of programs that mind, that do not, and that say nothing."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from shakeproof import replaying
from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import Runner
from shakeproof.properties.findings import Grade
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.scripted import ScriptedEndpoint, ScriptedTarget
from shakeproof.properties.task_run import close_targets, open_target
from shakeproof.properties.tasks import Partial, Said, Task
from shakeproof.properties.truncation_audit import (
    EARLY,
    RESPONSE,
    UNENDED,
    hear_status,
    is_heard,
    is_of_status,
)
from shakeproof.replaying import ERROR, FAILED, FIXED
from shakeproof.store import SavedFinding
from tests.properties.socket_audits import CLIENT_ONCE, SHAKEPROOF

CLIENT = ROLES["tls12.client"]
SETUP = Setup("ecdhe", "rsa", "gcm")
CONNECTED, CLOSED = "CONNECTED", "CLOSED"
NOTHING = "the exit status of the target tells nothing"
Mind = Callable[[set[str], str], int | None]
"""The exit status of a program by the states that it was in, and the last of them."""


def minding(been: set[str], last: str) -> int | None:
    """0 for an orderly end alone."""
    return 0 if last == CLOSED else 1


def careless(been: set[str], last: str) -> int | None:
    """0 for any end of a connection that was no error by then."""
    return 0 if last in (CLOSED, CONNECTED) else 1


def cheerful(been: set[str], last: str) -> int | None:
    """0 in any case."""
    return 0


def gloomy(been: set[str], last: str) -> int | None:
    """Never 0."""
    return 3


def hasty(been: set[str], last: str) -> int | None:
    """0 for any handshake that completed."""
    return 0 if CONNECTED in been else 1


def wary(been: set[str], last: str) -> int | None:
    """0 but where a connection breaks that was there."""
    return 1 if CONNECTED in been and last not in (CLOSED, CONNECTED) else 0


def lasting(been: set[str], last: str) -> int | None:
    """It does not end."""
    return None


class Process(ScriptedEndpoint):
    """A scripted client that ends with its connection. leaves: it says goodbye when it has data."""

    def __init__(self, mind: Mind, leaves: bool) -> None:
        super().__init__(CLIENT, SETUP)
        self.mind, self.leaves = mind, leaves
        self.been: set[str] = set()
        self.received = b""

    def feed(self, data: bytes) -> Reaction:
        reaction = super().feed(data)
        self.been.add(self._here.state.name)
        self.received += reaction.delivered
        goodbye = self.call("close") if self.leaves and reaction.delivered else None
        return replace(reaction, data=reaction.data + goodbye.data, closed=True) if goodbye else reaction

    def end(self) -> Reaction:
        return Reaction(closed=True)

    def exit_status(self) -> int | None:
        return self.mind(self.been, self._here.state.name)


class Program(ScriptedTarget):
    """A scripted client as a program of somebody's."""

    def __init__(self, mind: Mind, *, leaves: bool = False) -> None:
        super().__init__()
        self.mind, self.leaves = mind, leaves
        self.processes: list[Process] = []

    @property
    def is_probed(self) -> bool:
        return True

    @property
    def tells_end(self) -> bool:
        return False

    @property
    def has_exit_status(self) -> bool:
        return True

    def connect(self, role: str, setup: Setup) -> Endpoint:
        self.processes.append(Process(self.mind, self.leaves))
        return self.processes[-1]


def heard(program: Program) -> Partial:
    """What came of listening to the program."""
    partial = Partial(Task(program.name, "", CLIENT.name, SETUP, 0))
    said: list[Said] = []
    hear_status(Runner(program, CLIENT, SETUP, 0), math.inf, partial, said.append)
    assert len(said) == len(partial.findings)
    return partial


def test_program_that_takes_any_end_for_the_end_of_the_data_is_warned_of() -> None:
    program = Program(careless)
    (finding,) = heard(program).findings
    assert (finding.grade, finding.level, finding.seen) == (Grade.WARNING, "SHOULD", (3, 3))
    assert finding.check == "TLS12-CLIENT-OPEN-ALERT-CLOSURE-EXITED"
    assert finding.title.startswith("no close_notify behind the data: ended with exit status 0")
    assert is_of_status(finding)
    assert finding.clause.startswith("RFC 5246 section 7.2.1")
    assert "in order to avoid a truncation attack" in finding.sentence
    assert finding.got == "the target ended with exit status 0"
    assert finding.word[-1] == "ApplicationData and the end of the transport"
    last = finding.trace.steps[-1]
    assert (last.message, last.verdict) == ("end of the transport", "WARNING")
    assert last.detail == "the target ended with exit status 0"
    assert program.processes[-1].received == RESPONSE


def test_program_that_minds_how_its_data_ends_is_left_in_peace() -> None:
    partial = heard(Program(minding))
    assert (partial.words, partial.findings, partial.beside) == (1, [], {})


@pytest.mark.parametrize(
    ("mind", "why"),
    [
        (cheerful, f"{NOTHING}: it is 0 after a response with a forged record behind it"),
        (hasty, f"{NOTHING}: it is 0 after a response with a forged record behind it"),
        (wary, f"{NOTHING}: it is 0 after a chain that leads to no trust anchor"),
        (gloomy, f"{NOTHING}: it is 3 after a response that close_notify ends"),
        (lasting, UNENDED),
    ],
)  # fmt: skip
def test_program_whose_exit_status_tells_nothing_is_not_tested(mind: Mind, why: str) -> None:
    partial = heard(Program(mind))
    assert partial.findings == []
    assert partial.beside == {why: ["CONNECTED x ApplicationData and the end of the transport"]}


def test_program_that_waits_for_no_end_is_not_tested() -> None:
    partial = heard(Program(careless, leaves=True))
    assert partial.findings == []
    assert list(partial.beside) == [EARLY]


def test_task_that_goes_on_listens_no_second_time() -> None:
    program = Program(gloomy)
    partial = heard(program)
    tried = len(program.processes)
    partial.go_on()
    hear_status(Runner(program, CLIENT, SETUP, 0), math.inf, partial, lambda _: None)
    assert len(program.processes) == tried
    assert list(partial.beside) == [partial.unheard]


def test_statuses_are_read_of_clients_that_are_programs_once() -> None:
    program = Program(minding)
    assert is_heard(program, "tls12.client", ())
    assert not is_heard(program, "tls12.client", (SETUP,))
    assert not is_heard(program, "tls12.server", ())
    assert not is_heard(OurTarget(""), "tls12.client", ())


def test_finding_is_gone_when_the_program_minds(monkeypatch: pytest.MonkeyPatch) -> None:
    (finding,) = heard(Program(careless)).findings
    for mind, status in ((careless, FAILED), (minding, FIXED), (lasting, ERROR)):
        monkeypatch.setattr(replaying, "find_target", lambda name, rogue="", mind=mind: Program(mind))
        assert replaying.replay(SavedFinding(finding, 0, "")).status == status


# -------------------------------------------------------------------------------------------------------- real programs

PYTHON_CLIENT = """
import socket, ssl, sys
port, name, ca, how = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
context.maximum_version = ssl.TLSVersion.TLSv1_2
with socket.create_connection(("127.0.0.1", int(port))) as sock:
    with context.wrap_socket(sock, server_hostname=name, suppress_ragged_eofs=how == "careless") as tls:
        tls.sendall(b"GET / HTTP/1.1\\r\\nHost: any\\r\\nConnection: close\\r\\n\\r\\n")
        while tls.recv(65536):
            pass
    how == "lasting" and sys.stdin.read()
"""
"""A client of Python's own `ssl`, which takes any end of the transport for the data's unless it is told not to."""


def heard_of(words: tuple[str, ...]) -> Partial:
    """What comes of listening to the program that is started with these words."""
    target = open_target(f"exec:{shlex.join(words)}")
    partial = Partial(Task(target.name, "", CLIENT.name, SETUP, 0))
    try:
        hear_status(Runner(target, CLIENT, SETUP, 0), math.inf, partial, lambda _: None)
    finally:
        close_targets()
    return partial


@pytest.mark.parametrize(
    ("how", "grades", "why"),
    [
        ("minding", [], ""),
        pytest.param("careless", [Grade.WARNING], "", marks=pytest.mark.slow),
        pytest.param("lasting", [], UNENDED, marks=pytest.mark.slow),
    ],
)
def test_exit_status_of_a_program_with_a_stack_of_its_own(how: str, grades: list[Grade], why: str) -> None:
    partial = heard_of((sys.executable, "-c", PYTHON_CLIENT, "{port}", "{name}", "{ca}", how))
    assert [finding.grade for finding in partial.findings] == grades
    assert partial.unheard == why


@pytest.mark.slow
@pytest.mark.parametrize(("rogue", "grades"), [((), []), (("--rogue", "truncation-unnoticed"), [Grade.WARNING])])
def test_exit_status_of_our_own_program(rogue: tuple[str, ...], grades: list[Grade]) -> None:
    partial = heard_of((*SHAKEPROOF, *CLIENT_ONCE, *rogue))
    assert [finding.grade for finding in partial.findings] == grades
    assert not partial.unheard
