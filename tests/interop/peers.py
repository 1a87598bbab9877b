"""Foreign programs: started, watched, stopped. Only processes that were started here are ever signalled."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Self, TypeVar

T = TypeVar("T")

DEADLINE_S = 30.0
"""For anything that a foreign program has to do: far more than it needs, as a busy machine may stop it for seconds."""
STOP_S = 5.0
"""What a program gets between being asked to end and being killed."""
CHUNK = 65536


def free_port() -> int:
    """A port that was free a moment ago, for programs that can neither choose one nor say which they chose."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Output:
    """What a program has written to one of its two outputs, as it grows."""

    def __init__(self, stream: IO[bytes], changed: threading.Condition) -> None:
        self.data = bytearray()
        self.ended = False
        self.changed = changed
        self.stream = stream
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        """Reads to the end, in a thread of its own."""
        with self.stream:
            descriptor = self.stream.fileno()
            while chunk := os.read(descriptor, CHUNK):
                with self.changed:
                    self.data += chunk
                    self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()


class Process:
    """A foreign program. A context manager: at its end the program is gone, its pipes are closed."""

    def __init__(self, command: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None) -> None:
        self.command = [str(word) for word in command]
        self.process = subprocess.Popen(
            self.command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C", **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.changed = threading.Condition()
        self.stdin = self.process.stdin
        self.stdout = Output(self.process.stdout, self.changed)
        self.stderr = Output(self.process.stderr, self.changed)
        self.writer: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def is_running(self) -> bool:
        """Whether the program has not ended."""
        return self.process.poll() is None

    def until(self, what: str, look: Callable[[], T | None]) -> T:
        """What `look` finds in the outputs. Fails, with all that the program wrote, at its end or the deadline."""

        found: list[T] = []

        def found_or_ended() -> bool:
            ended = self.stdout.ended and self.stderr.ended
            seen = look()
            if seen is not None:
                found.append(seen)
            return bool(found) or ended

        with self.changed:
            self.changed.wait_for(found_or_ended, DEADLINE_S)
        if not found:
            raise AssertionError(f"waited for {what}; {self.describe()}")
        return found[0]

    def line(self, pattern: str, output: Output, start: int = 0) -> re.Match[bytes]:
        """The first match of a pattern in the whole lines from byte `start` on."""
        compiled = re.compile(pattern.encode(), re.MULTILINE)
        return self.until(
            f"a line like {pattern}", lambda: compiled.search(output.data[: output.data.rfind(b"\n") + 1], start)
        )

    def length(self, output: Output, length: int) -> None:
        """Waits for that many bytes of output."""
        self.until(f"{length} bytes", lambda: len(output.data) >= length or None)

    def send(self, data: bytes, *, end: bool = False) -> None:
        """Gives the program input; end: and nothing after it. In a thread: the program may write before it reads."""

        def write() -> None:
            try:
                view = memoryview(data)
                while view:
                    view = view[self.stdin.write(view) :]
                if end:
                    self.stdin.close()
            except BrokenPipeError:
                pass  # the program has ended; what it wrote tells why

        if self.writer is not None:
            self.writer.join(DEADLINE_S)
        self.writer = threading.Thread(target=write, daemon=True)
        self.writer.start()

    def wait(self) -> int:
        """Its exit code, once it has ended by itself and all it wrote is here."""
        try:
            code = self.process.wait(DEADLINE_S)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"waited for the end of the program; {self.describe()}") from None
        self.stdout.thread.join(DEADLINE_S)
        self.stderr.thread.join(DEADLINE_S)
        return code

    def stop(self) -> None:
        """Ends the program if it has not ended."""
        if self.is_running:
            self.process.terminate()
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.stdout.thread.join(DEADLINE_S)
        self.stderr.thread.join(DEADLINE_S)
        if self.writer is not None:
            self.writer.join(DEADLINE_S)
        with contextlib.suppress(BrokenPipeError):
            self.stdin.close()

    def describe(self) -> str:
        """The command, whether it runs, and the end of its outputs, for a failure's message."""
        state = "it runs" if self.is_running else f"it ended with {self.process.returncode}"
        out, err = (bytes(output.data[-2000:]).decode(errors="replace") for output in (self.stdout, self.stderr))
        return f"{' '.join(self.command)}: {state}\n--- stdout\n{out}\n--- stderr\n{err}"
