"""Ctrl-C in a run that writes reports: the first ends the run and has them written, the third ends at once."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType

from rich.console import Console

from shakeproof.commands.running import close_stdout
from shakeproof.properties.signals import ENDING, Interrupted

FIRST = "interrupted: writing the reports"
SECOND = "the reports are being written; Ctrl-C once more ends at once"
STDERR = 2


class Interruption:
    """What signals that ask us to end do to a run. live: where it shows its progress, which would overwrite a line."""

    def __init__(self) -> None:
        self.live: Console | None = None
        self._runs = False
        self._writes = False
        self._warned = False

    def run(self) -> None:
        """The run begins: there will be reports, however it ends."""
        self._runs = True

    def write(self) -> None:
        """The run is over, its reports are being written: what ends us now would only destroy them."""
        self._writes = True

    def come(self, number: int, _: FrameType | None = None) -> None:
        """A signal comes. Raises Interrupted where that ends what is under way."""
        if number != signal.SIGINT and sys.stdout.isatty():
            close_stdout()  # the terminal has gone
        if not self._writes:
            self._writes = True
            if self._runs:
                self._say(FIRST)
            raise Interrupted
        if number != signal.SIGINT:
            return  # once is enough: nobody sits there who waits
        if self._warned:
            raise Interrupted
        self._warned = True
        self._say(SECOND)

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError, RuntimeError):  # it may have come while something was being written
            if self.live is not None:
                self.live.print(f"shakeproof: {text}", style="red")
            else:
                os.write(STDERR, f"shakeproof: {text}\n".encode())


@contextlib.contextmanager
def interruptible() -> Iterator[Interruption]:
    """SIGINT, SIGTERM and SIGHUP end what runs inside, with its reports; whoever started us may have them ignored."""
    interruption = Interruption()
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    taken = {n: handler for n, handler in before.items() if handler in (signal.SIG_DFL, signal.default_int_handler)}
    try:
        for number in taken:
            signal.signal(number, interruption.come)
    except ValueError:  # not in the main thread, which alone hears of signals
        taken = {}
    try:
        yield interruption
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
