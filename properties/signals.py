"""How a process of ours is told to end: never to be taken for what a stack under audit raises itself."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
"""Signals that ask a process to end."""


class Interrupted(KeyboardInterrupt):
    """The user ends the run, by Ctrl-C or another signal: a stack that raises KeyboardInterrupt does not."""


class ToldToEnd(SystemExit):
    """A worker is to end: a stack that calls sys.exit() does not say so."""


@contextlib.contextmanager
def _handled(handler_of: Callable[[int, Any], Any]) -> Iterator[None]:
    """For each of the signals the handler that `handler_of(number, before)` gives, and then the one before."""
    if threading.current_thread() is not threading.main_thread():  # which alone hears of signals
        yield
        return
    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    changed = {number: handler for number, handler in before.items() if handler is not None}  # None: not Python's
    for number, handler in changed.items():
        signal.signal(number, handler_of(number, handler))
    try:
        yield
    finally:
        for number, handler in changed.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Signals that would raise an error wait until the end: between a start and its being known nothing may come."""
    arrived: list[int] = []

    def wait(number: int, _: FrameType | None) -> None:
        arrived.append(number)

    try:
        with _handled(lambda _, before: wait if callable(before) else before):
            yield
    finally:
        if arrived:
            signal.raise_signal(arrived[0])


def ignored() -> contextlib.AbstractContextManager[None]:
    """Signals that ask this process to end are ignored: it does."""
    return _handled(lambda _, __: signal.SIG_IGN)


@contextlib.contextmanager
def told_apart() -> Iterator[None]:
    """Code of others runs: Ctrl-C, where Python answers it, raises what that code does not."""
    alone = threading.current_thread() is threading.main_thread()
    if not alone or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def end(_: int, __: FrameType | None) -> None:
        raise Interrupted

    signal.signal(signal.SIGINT, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
