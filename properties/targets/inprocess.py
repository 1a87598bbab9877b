"""`python:MODULE:FACTORY`: a stack of the user's own that does no I/O, stepped in process, so that quiet is exact.

FACTORY(side, files) is called once for each connection. side: "client" or "server"; files: a `Files`, with paths of
certificates of the tester's factory. What it returns has the four methods of `Stack`.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.signals import Interrupted, ToldToEnd, told_apart
from shakeproof.properties.targets.base import SETUPS, Endpoint, Reaction, Setup, Target, TargetError
from shakeproof.properties.targets.process import make_files
from shakeproof.properties.targets.program import Files
from shakeproof.properties.targets.scratch import make_folder, remove_folder

PREFIX = "python:"
METHODS = ("start", "receive", "end", "is_closed")
OURS = (Interrupted, ToldToEnd)
"""What may come up in the midst of a stack's code and is not the stack's; whatever else does, is."""
CALL_S = 2.0
"""The longest that one call may take: what does no I/O needs milliseconds."""


class Stack(Protocol):
    """One connection of a stack under audit. What a method raises is a crash: a stack answers what a peer sends.

    A server answers application data, with anything; a client sends a request as soon as it is connected. That is how
    it is seen what was accepted.
    """

    def start(self) -> bytes:
        """Begin: a client's first flight, of a server nothing."""
        ...

    def receive(self, data: bytes) -> bytes:
        """Bytes of the peer arrive; what is sent in answer."""
        ...

    def end(self) -> bytes:
        """The peer's bytes are over (the transport ended); what is sent in answer."""
        ...

    def is_closed(self) -> bool:
        """Whether the stack has closed the connection, or reads no more."""
        ...


class _Late(BaseException):
    """A call does not return. No Exception, so that nothing in between takes it for an error of its own."""


@contextmanager
def _limited() -> Iterator[None]:
    """What happens inside ends in time: where that can be, which is in a process's main thread. Ctrl-C is told apart
    from what is raised inside.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(signal, "setitimer"):
        with told_apart():
            yield
        return

    def late(_: int, __: FrameType | None) -> None:
        raise _Late

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, CALL_S)
    try:
        with told_apart():
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class StackEndpoint(Endpoint):
    """One connection of a user's stack. follow: makes the next one."""

    def __init__(self, stack: Stack, follow: Callable[[], Endpoint]) -> None:
        self._stack = stack
        self._follow = follow
        self._over: Reaction | None = None
        """What every step gives, once the stack has crashed or hangs."""

    def start(self) -> Reaction:
        return self._step(self._stack.start)

    def feed(self, data: bytes) -> Reaction:
        return self._step(lambda: self._stack.receive(data))

    def end(self) -> Reaction:
        return self._step(self._stack.end)

    def again(self) -> Endpoint | None:
        return self._follow()

    def _step(self, call: Callable[[], bytes]) -> Reaction:
        if self._over is not None:
            return self._over
        try:
            with _limited():
                data = call()
                closed = bool(self._stack.is_closed())
        except _Late:
            return self._end_with(Reaction(hung=f"a call did not return within {CALL_S:g} s"))
        except OURS:
            raise
        except BaseException as error:  # noqa: BLE001  # whatever it raises is the crash that an audit looks for
            return self._end_with(Reaction(closed=True, crashed=f"{type(error).__name__}: {error}".rstrip(": ")))
        if not isinstance(data, bytes | bytearray):
            return self._end_with(Reaction(closed=True, crashed=f"returned {type(data).__name__}, where bytes are due"))
        return Reaction(bytes(data), closed)

    def _end_with(self, reaction: Reaction) -> Reaction:
        self._over = reaction
        return reaction


class PythonTarget(Target):
    """A user's stack, made by a function."""

    roles = ("tls12.client", "tls12.server")

    def __init__(self, name: str, factory: Callable[[str, Files], Any]) -> None:
        self.name = self._made_by = name
        self._factory = factory
        self._files: dict[tuple[str, KeyKind], Files] = {}

    @property
    def description(self) -> str:
        return f"{self._made_by.removeprefix(PREFIX)}, in process"

    @property
    def secrets_seen(self) -> bool:
        return False

    @property
    def is_probed(self) -> bool:
        return True

    @property
    def may_end_us(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        return SETUPS

    def connect(self, role: str, setup: Setup) -> Endpoint:
        key = (role, setup.certificate_key)
        if key not in self._files:
            self._files[key] = make_files(make_folder(), role, setup.certificate_key)
        side = role.rpartition(".")[2]

        def follow() -> Endpoint:
            return StackEndpoint(self._make(side, self._files[key]), follow)

        return follow()

    def _make(self, side: str, files: Files) -> Stack:
        try:
            with _limited():
                stack = self._factory(side, files)
        except _Late:
            raise TargetError(f"{self.name} does not return within {CALL_S:g} s when it is to be a {side}") from None
        except OURS:
            raise
        except BaseException as error:
            raise TargetError(f"{self.name} makes no {side}: {type(error).__name__}: {error}") from error
        missing = [method for method in METHODS if not callable(getattr(stack, method, None))]
        if missing:
            raise TargetError(
                f"{self.name} gives a {type(stack).__name__}, which has no method {missing[0]}(); it needs "
                f"{', '.join(f'{method}()' for method in METHODS)}"
            )
        made: Stack = stack
        return made

    def close(self) -> None:
        for files in self._files.values():
            remove_folder(files.folder)
        self._files.clear()


def python_target(name: str) -> PythonTarget:
    """The target of "python:MODULE:FACTORY". Raises TargetError for what is not there."""
    module_name, colon, factory_name = name.removeprefix(PREFIX).partition(":")
    if not colon or not module_name or not factory_name:
        raise TargetError(f"{name!r}: write python:MODULE:FACTORY, such as python:my_stack.testing:make")
    if os.getcwd() not in sys.path:  # as text, which sys.path holds
        sys.path.insert(0, os.getcwd())
    try:
        with told_apart():
            module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is not None and (module_name == error.name or module_name.startswith(f"{error.name}.")):
            raise TargetError(
                f"{name!r}: there is no module {error.name!r}, neither installed nor in this folder"
            ) from error
        raise TargetError(f"{name!r}: {module_name} can't be imported: {error}") from error
    except OURS:
        raise
    except BaseException as error:
        raise TargetError(f"{name!r}: {module_name} can't be imported: {type(error).__name__}: {error}") from error
    factory: Any = module
    for part in factory_name.split("."):
        factory = getattr(factory, part, None)
    if not callable(factory):
        what = "there is no such function" if factory is None else "that can't be called"
        raise TargetError(f"{name!r}: {factory_name} of {module_name}: {what}")
    return PythonTarget(name, factory)
