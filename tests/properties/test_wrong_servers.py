"""Servers that do what no server should: each gets a clear verdict in time, and nothing of it is left behind."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Grade, Run
from shakeproof.properties.targets.running import Running
from tests.properties import wrong_servers

PROGRAM = Path(wrong_servers.__file__)
TIME_S = 8.0
OVERRUN_S = 6.0
"""Beyond the budget, on a machine that does other things too: the last word with its confirmations."""


def run(kind: str, time_s: float = TIME_S) -> tuple[Run, str]:
    command = shlex.join([sys.executable, str(PROGRAM), kind, "{port}", "{cert}", "{key}"])
    began = time.monotonic()
    done = audit([f"exec:{command}"], time_s=time_s, jobs=1)
    assert time.monotonic() - began < time_s + OVERRUN_S
    assert left_of(kind) == []
    return done, done.roles[0].error


def left_of(kind: str) -> list[str]:
    """The processes of such a server that run."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if str(PROGRAM).encode() in words and kind.encode() in words:
                found.append(process.name)
    return found


@pytest.mark.parametrize(
    ("kind", "grade", "says"),
    [
        ("hang", Grade.HANG, "owes an answer and gives none"),
        ("crash", Grade.CRASH, "SIGABRT, and its last words were: about to fail: an assertion"),
        pytest.param("leave", Grade.CRASH, "exit status 3, and its last words were: nothing is well", marks=[]),
        pytest.param("close", Grade.REFUSED_VALID, "closed", marks=pytest.mark.slow),
        pytest.param("garbage", Grade.WRONG_OUTPUT, "sent Record[ALIEN_TYPE]", marks=pytest.mark.slow),
        pytest.param("flood", Grade.WRONG_OUTPUT, "sent ApplicationData", marks=pytest.mark.slow),
        pytest.param("hundred-megabytes", Grade.WRONG_OUTPUT, "it does not stop", marks=pytest.mark.slow),
        pytest.param("chatter", Grade.REFUSED_VALID, "closed", marks=pytest.mark.slow),
    ],
)
def test_server_that_does_wrong_gets_its_verdict(kind: str, grade: Grade, says: str) -> None:
    done, error = run(kind)
    assert {finding.grade for finding in done.findings if finding.grade.is_failure} == {grade}
    assert "no honest handshake completed" in error
    assert says in error
    assert done.exit_code() == 1


@pytest.mark.slow
def test_server_that_spins_is_no_failure_since_only_a_timer_tells() -> None:
    done, error = run("spin")
    assert {finding.grade for finding in done.findings} <= {Grade.INCONCLUSIVE}
    assert "silence that only a timer tells from slowness" in error
    assert done.exit_code() == 3


@pytest.mark.parametrize(
    ("kind", "says"),
    [("ends", "ended before it listened, with exit status 7"), ("never", "does not listen on 127.0.0.1:")],
)
def test_server_that_never_listens_is_not_tested_and_its_last_words_are_told(kind: str, says: str) -> None:
    done, error = run(kind, time_s=3.0)  # all of it is waited for
    assert says in error
    assert "its last words were: no licence found" in error
    assert done.exit_code() == 3


@pytest.mark.slow
def test_server_that_writes_in_delayed_pieces_is_no_failure() -> None:
    done, _ = run("pieces")
    assert [finding.title for finding in done.findings if finding.grade.is_failure] == []
    assert done.roles[0].cells_run > 0


KILLED = """
import sys, time
from pathlib import Path
from shakeproof.properties.targets.running import Running
program = Running([sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"], Path.cwd())
while "here" not in program.said:
    time.sleep(0.005)
print(program.pid, flush=True)
time.sleep(600)
"""


def test_program_ends_when_whoever_started_it_is_killed(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", KILLED], cwd=tmp_path, stdout=subprocess.PIPE) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        os.kill(starter.pid, signal.SIGKILL)
    until = time.monotonic() + 10
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.01)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    try:
        return ") Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False


def test_program_that_ignores_being_asked_is_killed(tmp_path: Path) -> None:
    text = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
    )
    program = Running([sys.executable, "-c", text], tmp_path)
    while "here" not in program.said:
        time.sleep(0.005)
    program.stop()
    assert program.death == "signal SIGKILL"
