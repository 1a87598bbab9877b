"""Nothing of an audit stays behind, however it ends: no folder, no process; and reports are there, if not killed."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

SERVER = """
import socket, ssl, sys
port, cert, key = sys.argv[1:]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.maximum_version = ssl.TLSVersion.TLSv1_2
context.set_ciphers("ALL:@SECLEVEL=0")
context.load_cert_chain(cert, key)
with socket.create_server(("127.0.0.1", int(port))) as listener:
    while True:
        plain, _ = listener.accept()
        try:
            with context.wrap_socket(plain, server_side=True) as tls:
                while data := tls.recv(100):
                    tls.sendall(b"answer")
        except OSError:
            pass
"""
WAIT_S = 30.0


def heed_signals() -> None:
    """In the child: what started the tests may ignore signals, as a shell does for what it runs in the background."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def wait_for(is_so: Callable[[], bool]) -> bool:
    until = time.monotonic() + WAIT_S
    while not is_so() and time.monotonic() < until:
        time.sleep(0.02)
    return is_so()


def keys_in(scratch: Path) -> int:
    """How many programs of workers have files: in the folder of the process tree is the workers', and in it theirs."""
    try:
        return len(list(scratch.glob("*/*/*/key.pem")))
    except FileNotFoundError:  # gone while it was looked at
        return 0


def started_with(folder: Path) -> list[str]:
    """Processes that run, of those that were started with this folder for what is temporary."""
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdecimal():
            try:
                environment, state = (process / "environ").read_bytes(), (process / "stat").read_text("utf-8")
            except OSError:
                continue
            if f"TMPDIR={folder}".encode() in environment.split(b"\0") and ") Z" not in state:
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def audited(tmp_path: Path, number: int | None, *, whole_group: bool = False) -> tuple[int, str]:
    """Audit with two workers until both run a program, then send the signal; exit code and what was printed."""
    scratch, place = tmp_path / "tmp", tmp_path / "place"
    scratch.mkdir()
    place.mkdir()
    (place / "server.py").write_text(SERVER, encoding="utf-8")
    target = f"exec:{shlex.join([sys.executable, str(place / 'server.py'), '{port}', '{cert}', '{key}'])}"
    command = [sys.executable, "-m", "shakeproof", "audit", target, "--role", "server", "-j", "2", "--format", "json"]
    command += ["--time", "20s" if number is None else "60s"]
    with subprocess.Popen(
        command,
        cwd=place,
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=heed_signals,
    ) as process:
        assert wait_for(lambda: keys_in(scratch) >= (1 if number is None else 2))
        if number is not None:
            (os.killpg if whole_group else os.kill)(process.pid, number)
        said, _ = process.communicate(timeout=WAIT_S)
    assert wait_for(lambda: not list(scratch.iterdir())), list(scratch.rglob("*"))
    assert wait_for(lambda: not started_with(scratch)), started_with(scratch)
    assert (place / "shakeproof-report" / "run.json").exists() == (number != signal.SIGKILL)
    return process.returncode, said


@pytest.mark.slow
def test_audit_that_ends_by_itself_leaves_nothing(tmp_path: Path) -> None:
    code, said = audited(tmp_path, None)
    assert code in (0, 1, 3), said
    assert "Traceback" not in said, said
    assert "leaked" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "whole_group"),
    [
        (signal.SIGTERM, False),
        pytest.param(signal.SIGTERM, True, marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, True, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, False, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, True, marks=pytest.mark.slow),
    ],
)
def test_audit_that_is_told_to_end_writes_its_reports_and_leaves_nothing(
    tmp_path: Path, number: int, whole_group: bool
) -> None:
    code, said = audited(tmp_path, number, whole_group=whole_group)
    assert code == 130, said
    assert "INTERRUPTED" in said
    assert not any(word in said for word in ("Traceback", "leaked", "an error of ours")), said


@pytest.mark.slow
def test_audit_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    code, _ = audited(tmp_path, signal.SIGKILL)
    assert code == -signal.SIGKILL


KILLED_AT_THE_START = """
import os, pathlib, signal, sys
from shakeproof.properties.targets import running
tell = running._warden.tell
running._warden.tell = lambda sign, what: os.kill(os.getpid(), signal.SIGKILL) if sign == "+" else tell(sign, what)
running.watch_folder(pathlib.Path(sys.argv[1]))
running.Running([sys.executable, "-c", "import time; time.sleep(600)"], pathlib.Path(sys.argv[1]))
"""
"""A process that is killed when its program runs, and before its warden is told so."""


LEAVES_A_PROCESS = """
import pathlib, sys, time
from shakeproof.properties.targets import running

leave = "import subprocess, sys; subprocess.Popen(['sleep', '600'], start_new_session=True); print('left', flush=True)"
program = running.Running([sys.executable, "-c", leave], pathlib.Path(sys.argv[1]))
program.process.wait()
program.stop()
assert "left" in program.said, program.said
"""
"""A process that starts a program which starts another one outside of its group."""


def test_what_a_program_started_outside_of_its_group_is_ended_in_an_orderly_end(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LEAVES_A_PROCESS, str(tmp_path)]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(tmp_path)}, check=False)
    assert done.returncode == 0
    assert wait_for(lambda: not started_with(tmp_path)), started_with(tmp_path)


def test_program_whose_starter_is_killed_before_the_warden_is_told_is_ended(tmp_path: Path) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    command = [sys.executable, "-c", KILLED_AT_THE_START, str(scratch)]
    done = subprocess.run(command, env={**os.environ, "TMPDIR": str(scratch)}, check=False)
    assert done.returncode == -signal.SIGKILL
    assert wait_for(lambda: not started_with(scratch)), started_with(scratch)
    assert wait_for(lambda: not scratch.exists())
