"""Programs that an audit starts: in a session of their own, drained, and stopped whatever happens to us.

A process that starts programs has one warden: a tiny process that knows the groups of those that run, and ends them
when its standard input ends; the folder that they used goes with them. That happens also where we are killed, and
nobody can write a `finally` for that.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from shakeproof.properties.signals import ignored, undisturbed
from shakeproof.properties.targets.base import TargetError

KEPT_BYTES = 8192
"""How much of what a program says is kept: its last words."""
LAST_LINES = 4
"""How many lines of them are told."""
LINE_LENGTH = 200
TERM_S = 1.0
"""For a program to end when it is asked to; then it is killed."""
POLL_S = 0.002
DRAIN_S = 0.5
"""For what it said last, once it has ended."""
READ_BYTES = 65536

MARK = "SHAKEPROOF_WARDEN"
"""The variable in a program's environment that names the warden who ends it."""

_WARDEN = """
import os, shutil, signal, sys, time
groups, folders, mark, orderly = set(), set(), os.fsencode(sys.argv[1]), False
for line in sys.stdin:
    sign, what = line[0], line[1:-1]
    if sign == ".":
        orderly = True
    elif sign == "/":
        folders.add(bytes.fromhex(what))
    else:
        (groups.add if sign == "+" else groups.discard)(int(what))

def marked():
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else ()):
        try:
            with open(f"/proc/{name}/environ", "rb") as environment:
                if mark in environment.read().split(bytes(1)):
                    found.add(int(name))
        except OSError:
            pass
    return found

def end(which):
    found = marked()
    for kill, number in [(os.killpg, group) for group in groups] + [(os.kill, pid) for pid in found]:
        try:
            kill(number, which)
        except OSError:
            pass
    return bool(groups or found)

if end(signal.SIGTERM):
    time.sleep(0.3)
end(signal.SIGKILL)
groups.clear()
for turn in range(50):
    for folder in list(folders):
        shutil.rmtree(folder, ignore_errors=True)
    if not end(signal.SIGKILL) and not any(map(os.path.exists, folders)) and (orderly or turn >= 10):
        break
    time.sleep(0.1)
"""
"""What it does. A folder is removed again as long as processes that end write into it. Whoever starts a program may be
killed before anybody is told of it: where there is a /proc, the program is known by its mark, for a while after. So is
what a program started outside of its group, at any end.
"""


class _Warden:
    """Ends the groups, and removes the folders, that it has been told of, once this process is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0
        self._mark = ""
        self._process: subprocess.Popen[str] | None = None

    def tell(self, sign: str, what: int | str) -> None:
        """ "+": this group runs; "-": it does not any more; "/": this folder, its name in hexadecimal, is ours."""
        with self._lock:
            self._write(self._at_work(), f"{sign}{what}")

    def mark(self) -> dict[str, str]:
        """What a program that is to be started has in its environment, for the warden to know it by."""
        with self._lock:
            self._at_work()
            return {MARK: self._mark}

    def _at_work(self) -> subprocess.Popen[str]:
        if self._process is None or self._owner != os.getpid():
            self._owner, self._mark = os.getpid(), secrets.token_hex(8)
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-I", "-S", "-c", _WARDEN, f"{MARK}={self._mark}"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                text=True,
            )
        return self._process

    @staticmethod
    def _write(process: subprocess.Popen[str], line: str) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):
            process.stdin.write(f"{line}\n")
            process.stdin.flush()

    def dismiss(self) -> None:
        """Nobody is left to watch for: it ends."""
        with ignored():  # whoever ends us now need not: we are about to, and an error here would only be shown
            with self._lock:
                process, self._process = self._process, None
            if process is not None and self._owner == os.getpid() and process.stdin is not None:
                self._write(process, ".")
                process.stdin.close()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(TERM_S)


_warden = _Warden()
atexit.register(_warden.dismiss)


def watch_folder(folder: Path) -> None:
    """The folder is removed when this process is gone, whatever becomes of it."""
    _warden.tell("/", os.fsencode(folder.absolute()).hex())


def death_of(code: int) -> str:
    """How a process ended, in words, by the code that waiting for it gives."""
    if code >= 0:
        return f"exit status {code}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"signal {-code}"


class Running:
    """A program that was started. Raises TargetError where it can't be."""

    def __init__(self, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.command = tuple(command)
        self._mark = os.fsencode("=".join(*_warden.mark().items()))
        with undisturbed():
            self.process = self._started(folder, environment)
            _warden.tell("+", self.process.pid)
        self._last = b""
        self._stopped = False
        assert self.process.stdout is not None
        self._reader = threading.Thread(target=self._drain, args=(self.process.stdout,), daemon=True)
        self._reader.start()

    def _started(self, folder: Path, environment: Mapping[str, str] | None) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603  # what the user wants audited
                self.command,
                cwd=folder,
                env={**os.environ, **(environment or {}), **_warden.mark()},
                stdin=subprocess.PIPE,  # open, for lines that tell it something: some programs end where it ends
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            what = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
            raise TargetError(f"{self.command[0]} can't be started: {what}") from error

    @property
    def pid(self) -> int:
        """Its process id, which is that of its group too."""
        return self.process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def owns(self, pid: int) -> bool:
        """Whether a process belongs to it: it is of its session, or has its mark where it left that."""
        try:
            if os.getsid(pid) == self.pid:
                return True
            return self._mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        except OSError:
            return False

    def tell(self, line: str) -> bool:
        """One line to its standard input; whether it could be told."""
        return self.type(f"{line}\n".encode())

    def type(self, data: bytes) -> bool:
        """These bytes to its standard input; whether it could be told."""
        if self.process.stdin is None:
            return False
        try:
            self.process.stdin.write(data)
            self.process.stdin.flush()
        except (OSError, ValueError):
            return False
        return True

    @property
    def said(self) -> str:
        """All that is kept of what it said."""
        return self._last.decode("utf-8", "replace")

    @property
    def last_words(self) -> str:
        """Its last lines, in one."""
        if not self.is_alive:
            self._reader.join(TERM_S)
        lines = [line.strip() for line in self.said.splitlines() if line.strip()]
        return " / ".join(line[:LINE_LENGTH] for line in lines[-LAST_LINES:])

    @property
    def death(self) -> str:
        """How it ended, in words; "" where it has not."""
        code = self.process.poll()
        return "" if code is None else death_of(code)

    def stop(self, *, kindly: bool = True) -> None:
        """End it and all of its group; kindly: ask first. Once: a number that was waited for may be another's."""
        if self._stopped:
            return
        self._stopped = True
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        if kindly and self.is_alive:
            self._signal(signal.SIGTERM)
            until = time.monotonic() + TERM_S
            while self.is_alive and time.monotonic() < until:
                time.sleep(POLL_S)
        self._signal(signal.SIGKILL)
        self.process.wait()
        _warden.tell("-", self.pid)
        # Whoever left the group may still hold the pipe: nobody waits long for that.
        self._reader.join(DRAIN_S)

    def _signal(self, which: signal.Signals) -> None:
        # Its pid is ours until it is waited for; a group outlives its first process as long as it has another.
        with contextlib.suppress(OSError):
            os.killpg(self.pid, which)

    def _drain(self, stream: IO[bytes]) -> None:
        with stream:
            while data := os.read(stream.fileno(), READ_BYTES):
                self._last = (self._last + data)[-KEPT_BYTES:]
