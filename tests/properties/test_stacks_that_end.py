"""A stack in Python that exits, hangs or ends its process: that is a verdict, and never the end of the audit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shakeproof.model.messages import Alert
from shakeproof.model.roles import ROLES
from shakeproof.properties.audit import audit
from shakeproof.properties.confirmation import finding_of
from shakeproof.properties.conformance import Runner
from shakeproof.properties.findings import Grade
from shakeproof.properties.forked import EndedError, run_forked
from shakeproof.properties.signals import Interrupted, ToldToEnd
from shakeproof.properties.suites import Word, quick
from shakeproof.properties.targets.base import SETUPS, Setup, TargetError
from shakeproof.properties.targets.inprocess import PythonTarget, StackEndpoint, _Late
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.program import Files

SERVER, CBC = "tls12.server", SETUPS[0]


class Silent:
    """A stack that says nothing, but for what `act` does when bytes arrive."""

    def __init__(self, act: Callable[[bytes], Any]) -> None:
        self.act = act

    def start(self) -> bytes:
        return b""

    def receive(self, data: bytes) -> bytes:
        self.act(data)
        return b""

    def end(self) -> bytes:
        return b""

    def is_closed(self) -> bool:
        return False


def raising(error: BaseException) -> Silent:
    def act(_: bytes) -> None:
        raise error

    return Silent(act)


def endpoint_of(stack: Silent) -> StackEndpoint:
    return StackEndpoint(stack, lambda: endpoint_of(stack))


@pytest.fixture
def python_hears_ctrl_c() -> Iterator[None]:
    """As in a shell's foreground: what runs the tests may ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (SystemExit(0), "SystemExit: 0"),
        (SystemExit(3), "SystemExit: 3"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (ValueError("no such record"), "ValueError: no such record"),
    ],
)
def test_stack_that_raises_anything_has_crashed(error: BaseException, text: str) -> None:
    endpoint = endpoint_of(raising(error))
    assert endpoint.feed(b"x").crashed == text
    assert endpoint.feed(b"y").crashed == text


def test_stack_that_exits_is_a_crash_of_an_audit() -> None:
    target = PythonTarget("python:made:exits", lambda _side, _files: raising(SystemExit(0)))
    outcome = Runner(target, ROLES[SERVER], CBC, 0).run(opening_word())
    target.close()
    assert outcome.problem is not None
    assert outcome.problem.grade is Grade.CRASH
    assert "SystemExit: 0" in outcome.problem.exchange.got


def test_ctrl_c_and_the_end_of_a_worker_are_not_the_stack_s(python_hears_ctrl_c: None) -> None:
    with pytest.raises(Interrupted):
        endpoint_of(Silent(lambda _: signal.raise_signal(signal.SIGINT))).feed(b"x")
    with pytest.raises(ToldToEnd):
        endpoint_of(raising(ToldToEnd(143))).feed(b"x")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("error", [SystemExit(0), KeyboardInterrupt()])
def test_factory_that_exits_is_not_tested_with_the_reason(error: BaseException) -> None:
    def exits(_side: str, _files: Files) -> Silent:
        raise error

    target = PythonTarget("python:made:exits", exits)
    with pytest.raises(TargetError, match=f"makes no server: {type(error).__name__}"):
        target.connect(SERVER, CBC)
    target.close()


# -------------------------------------------------------------------------------------------------------------- a hang


def opening_word(setup: Setup = CBC) -> Word:
    """The first word of a server's whose first input is a message of the handshake."""
    return next(word for word in quick(ROLES[SERVER], setup) if not word.prefix and word.symbol.message is not Alert)


def test_hang_is_charged_to_the_input_that_hung_with_the_reason() -> None:
    def hang_on_alerts(data: bytes) -> None:
        if data[:1] == b"\x15":
            raise _Late  # as the timer does when the call takes too long

    target = PythonTarget("python:made:hangs", lambda _side, _files: Silent(hang_on_alerts))
    runner = Runner(target, ROLES[SERVER], CBC, 0)
    words = [word for word in quick(ROLES[SERVER], CBC) if not word.prefix and word.symbol.message is Alert]
    assert any(not row.is_violation for word in words for row in ROLES[SERVER].enabled(word.configuration, word.symbol))
    for word in words:
        outcome = runner.run(word, record=True)
        problem = outcome.problem
        assert problem is not None, word.text
        finding = finding_of(runner, word, problem, (1, 1), outcome)
        assert finding.grade is Grade.HANG
        assert finding.input == word.symbol.text
        assert "a call did not return within 2 s" in finding.title
        assert "a call did not return within 2 s" in finding.got
        (marked,) = [step for step in finding.trace.steps if step.verdict]
        assert marked.message == "Alert"
        assert "a call did not return within 2 s" in marked.note
    target.close()


# --------------------------------------------------------------------------------------------- the end of the process


def test_work_in_a_copy_says_gives_and_raises_here() -> None:
    heard: list[int] = []

    def work(say: Callable[[Any], None]) -> int:
        for number in range(3):
            say(number)
        return os.getpid()

    assert run_forked(work, heard.append) != os.getpid()
    assert heard == [0, 1, 2]

    def fail(_: Callable[[Any], None]) -> None:
        raise TargetError("no licence")

    with pytest.raises(TargetError, match="no licence"):
        run_forked(fail)


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda: os._exit(7), "exit status 7"),
        (lambda: os._exit(0), "exit status 0"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), "signal SIGKILL"),
    ],
)
def test_copy_that_ends_is_told_with_its_end(end: Callable[[], None], how: str) -> None:
    with pytest.raises(EndedError, match=how):
        run_forked(lambda _: end())


STACKS = """
import multiprocessing, os
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.base import Setup

class Ours:
    def __init__(self, side, files):
        self.made = OurTarget().connect(f"tls12.{side}", Setup("rsa", "rsa", "cbc"))
        self.closed = False

    def start(self):
        return self.made.start().data

    def receive(self, data):
        reaction = self.made.feed(data)
        self.closed = reaction.closed
        return reaction.data

    def end(self):
        return self.made.end().data

    def is_closed(self):
        return self.closed

class AtOnce(Ours):
    def receive(self, data):
        os._exit(7)

class InWorkers(Ours):
    def receive(self, data):
        if multiprocessing.current_process().name.startswith("SpawnPoolWorker"):
            os._exit(7)
        return super().receive(data)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"ends_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(STACKS, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"python:{name}"


def test_stack_that_ends_its_process_in_the_probe_is_not_tested(module: str) -> None:
    run = audit([f"{module}:AtOnce"], roles=[SERVER], time_s=10.0)
    assert "the process that tested it has ended (exit status 7)" in run.roles[0].error
    assert run.exit_code() == 3


@pytest.mark.slow
def test_stack_that_ends_the_workers_is_not_tested(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PythonTarget, "setups", lambda *_: SETUPS[:2])  # each costs a worker
    run = audit([f"{module}:InWorkers"], roles=[SERVER], time_s=30.0, jobs=2)
    assert "the process that tested it has ended (exit status 7)" in run.roles[0].error
    assert run.exit_code() == 3
    assert run.seconds < 25, "nobody waits for a task that will never end"


def test_other_targets_are_audited_in_this_process() -> None:
    assert not OurTarget().may_end_us
    assert PythonTarget("python:made:silent", lambda _side, _files: raising(SystemExit(0))).may_end_us
