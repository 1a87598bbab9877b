"""Programs that an audit starts: how long it waits for one, whose port it is, and that no cell of one is forgotten."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from shakeproof.impl.tls import Credential
from shakeproof.model.roles import ROLES
from shakeproof.properties import audit as audits
from shakeproof.properties import task_run
from shakeproof.properties.audit import Board, Plan
from shakeproof.properties.chain_audit import is_offered
from shakeproof.properties.conformance import Runner
from shakeproof.properties.findings import RoleRun, Run, ignore
from shakeproof.properties.probe import NO_TIME, Probed, probe, try_setup
from shakeproof.properties.targets import find_target, ours, process
from shakeproof.properties.targets.base import Endpoint, LateError, Setup, Target, TargetError
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.process import HOST, ProcessTarget, ServerApplication, TakenError
from shakeproof.properties.targets.program import Program
from shakeproof.properties.tasks import Partial, Task, cells_of

SERVER = "tls12.server"
RSA = Setup("rsa", "rsa", "cbc")
ECDHE = Setup("ecdhe", "rsa", "gcm")
ECDSA = Setup("ecdhe", "ecdsa", "gcm")
FAR_S = 1000.0
SLEEPER = "import time; time.sleep(1000)"
LISTENER = "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); s.accept()[0].recv(1)"


def program(text: str) -> Program:
    """A server that runs this Python, with its port as the argument."""
    return Program(
        "planted", "a planted server", (), "", (),
        server=lambda files, port, setup: [sys.executable, "-I", "-S", "-c", text, str(port)],
    )  # fmt: skip


@pytest.fixture
def made() -> Iterator[Callable[..., ProcessTarget]]:
    """Makes targets, and closes them."""
    targets: list[ProcessTarget] = []

    def make(text: str, *, port: int = 0, ready: str = "") -> ProcessTarget:
        targets.append(ProcessTarget(program(text), port=port, ready=ready))
        return targets[-1]

    yield make
    for target in targets:
        target.close()


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens: this one."""
    with socket.create_server((HOST, 0)) as listener:
        yield listener.getsockname()[1]


def planned(target: Target, probed: Probed, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The plan of a target of which the probe found this."""
    monkeypatch.setattr(audits, "open_target", lambda name, rogue: target)
    monkeypatch.setattr(audits, "probe", lambda *_: probed)
    plan = Plan(Run("", 0, FAR_S), 0, "", "quick", 0, time.monotonic() + FAR_S, lambda _: None)
    plan.add("planted", (), time.monotonic() + FAR_S)
    return plan


# ---------------------------------------------------------------------------------------------------------------- ports


@pytest.mark.parametrize(("port", "alone"), [(0, 0), (1, 2)])
def test_tasks_of_a_target_with_a_fixed_port_come_one_after_the_other(
    port: int, alone: int, made: Callable[..., ProcessTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = planned(made(SLEEPER, port=port), Probed((RSA, ECDHE), takes_many=True), monkeypatch)
    assert (len(plan.tasks), len(plan.alone)) == (2, alone)


@pytest.mark.parametrize("port", [0, 1])
def test_program_with_a_fixed_port_is_ended_before_another_one_gets_the_port(
    port: int, made: Callable[..., ProcessTarget]
) -> None:
    target = made(SLEEPER, port=port)
    first = target.application(SERVER, RSA)
    target.application(SERVER, ECDSA)
    assert first.folder.exists() is not bool(port)


@pytest.mark.parametrize("hidden", [False, True])
def test_fixed_port_that_another_program_has_is_told(
    hidden: bool, taken: int, made: Callable[..., ProcessTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "FREE_S", 0.0)
    if hidden:  # it is another user's
        monkeypatch.setattr(process, "listeners_at", lambda *_: ())
    with pytest.raises(TakenError, match=f"^port {taken} is taken by another program"):
        made(LISTENER, port=taken).connect(SERVER, RSA)


def test_listener_of_another_program_is_not_taken_for_the_one_that_was_started(
    taken: int, made: Callable[..., ProcessTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "free_port", lambda: taken)
    with pytest.raises(TakenError, match=f"^port {taken} is taken by another program"):
        made(SLEEPER).connect(SERVER, RSA)


def test_port_that_turns_out_to_be_taken_is_another_one_the_next_time(
    taken: int, made: Callable[..., ProcessTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    free = process.free_port()
    ports = iter((taken, free))
    monkeypatch.setattr(process, "free_port", lambda: next(ports))
    target = made(LISTENER)
    target.connect(SERVER, RSA).dispose()
    application = target.application(SERVER, RSA)
    assert isinstance(application, ServerApplication)
    assert application.port == free
    assert target.slowest_start_s > 0


def test_program_that_listens_but_does_not_say_that_it_is_ready_is_told_so(
    made: Callable[..., ProcessTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ServerApplication, "_is_listened", lambda _: True)
    monkeypatch.setattr(process, "listeners_at", lambda *_: ())
    target = made(SLEEPER, ready="never said")
    target.start_by = time.monotonic() + 0.2
    with pytest.raises(LateError, match=r"listens on .*, but has not said 'never said' after 0\.2 s"):
        target.connect(SERVER, RSA)


# ------------------------------------------------------------------------------------------------------------- patience


class Slow(OurTarget):
    """Has no time to start in one setup."""

    is_probed = True
    late = ECDHE
    error: type[TargetError] = LateError

    def setups(self, role: str) -> tuple[Setup, ...]:
        return (RSA, ECDHE)

    def connect(self, role: str, setup: Setup) -> Endpoint:
        if setup == self.late:
            raise self.error("it does not listen")
        return super().connect(role, setup)


class Lost(Slow):
    """Starts no more in one setup, once it was tried out."""

    error = TargetError


class Asked(Slow):
    """Says how long it was waited for."""

    def connect(self, role: str, setup: Setup) -> Endpoint:
        self.ends = (self.start_by, self.until)
        raise LateError("it does not listen")


def test_start_is_waited_for_as_long_as_the_audit_has_time(monkeypatch: pytest.MonkeyPatch) -> None:
    target = Asked()
    monkeypatch.setattr(task_run, "open_target", lambda name, rogue: target)
    now = time.monotonic()
    task = Task("slow", "", SERVER, RSA, 0, (), start_s=10.0)
    task_run.run_task(task, now, lambda _: None, until=now + FAR_S)
    start_by, until = target.ends
    assert start_by == now + FAR_S
    assert until >= now + task_run.STARTS * 10.0


def test_slowest_start_that_the_probe_saw_is_known_to_the_tasks(
    made: Callable[..., ProcessTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ProcessTarget, "slowest_start_s", 7.0)
    plan = planned(made(SLEEPER), Probed((RSA, ECDHE)), monkeypatch)
    assert [task.start_s for task in plan.tasks] == [7.0, 7.0]
    assert plan.tasks[0] == Task("planted", "", SERVER, RSA, 0, (), extra=0)


def test_setup_for_which_the_probe_has_no_time_is_no_reason_to_test_nothing() -> None:
    probed = probe(Slow(), ROLES[SERVER], 0, time.monotonic() + FAR_S)
    assert probed.setups == (RSA,)
    assert probed.declined == ((ECDHE, NO_TIME),)


def test_cells_of_a_setup_that_the_probe_had_no_time_for_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = planned(Slow(), Probed((RSA,), ((ECDHE, NO_TIME), (ECDSA, "declined"))), monkeypatch)
    result = next(result for result in plan.run.roles if result.role == SERVER)
    assert result.left_out == result.cells == len(cells_of(Task("planted", "", SERVER, ECDHE, 0, (RSA,)))) > 0


@pytest.mark.parametrize("works", [True, False])
def test_cells_of_a_setup_that_does_not_start_any_more_are_counted(
    works: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task_run, "open_target", lambda name, rogue: Lost())
    well, lost = (Task("planted", "", SERVER, setup, 0, ()) for setup in (RSA, ECDHE))
    run = Run("", 0, FAR_S, [RoleRun("planted", "", SERVER)])
    board = Board(run, {("planted", SERVER): 1000}, ignore, [well, lost], time.monotonic())
    board.hear(Partial(well, cells=10, cells_run=10) if works else Partial(well, error="it does not listen"))
    board.hear(task_run.run_task(lost, time.monotonic() + FAR_S, lambda _: None))
    (result,) = run.roles
    forgotten = sum(item.cells for item in result.not_tested if item.reason == "it does not listen")
    assert forgotten == (len(cells_of(lost)) if works else 0)
    assert (result.cells, result.cells_run) == ((10 + forgotten, 10) if works else (0, 0))
    assert result.error == ("" if works else "it does not listen")
    assert run.exit_code() == 3


# --------------------------------------------------------------------------------------------------------- certificates


@pytest.mark.parametrize(
    ("words", "own", "hint"),
    [
        ("{port}", False, True),
        ("{port} {cert} {key}", True, True),
        ("{port} {cert} {chain} {key}", True, False),
        ("{port} {ca}", False, True),
    ],
)
def test_certificate_of_a_command_is_judged_where_it_got_ours(words: str, own: bool, hint: bool) -> None:
    target = find_target(f"exec:{sys.executable} {words}")
    assert target.has_factory_certificate is own
    assert ("{chain}" in target.lone_leaf) is hint


def test_client_that_has_no_certificate_of_ours_is_offered_chains_all_the_same() -> None:
    target = find_target(f"exec:{sys.executable} {{port}} {{ca}}")
    assert is_offered(target, "tls12.client", RSA, ())


class Bare(OurTarget):
    """Sends its certificate alone."""

    is_probed = True
    lone_leaf = "give it {chain} too"


@pytest.mark.parametrize("hint", ["give it {chain} too", ""])
def test_server_that_sends_its_certificate_alone_is_told_of_the_chain(
    hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = tuple(Credential(one.chain[:1], one.private_key) for one in ours.SERVER_CREDENTIALS)
    monkeypatch.setattr(ours, "SERVER_CREDENTIALS", alone)
    monkeypatch.setattr(Bare, "lone_leaf", hint)
    if hint:
        with pytest.raises(TargetError, match=r"\{chain\}"):
            probe(Bare(), ROLES[SERVER], 0, time.monotonic() + FAR_S)
    else:
        trial = try_setup(Runner(Bare(), ROLES[SERVER], RSA, 0))
        assert (trial.outcome, "MISSING_INTERMEDIATE" in trial.why) == ("broken", True)
