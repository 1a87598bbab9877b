"""Work in a copy of this process: a stack under audit may end the process that it runs in."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar, cast

from shakeproof.properties.signals import ENDING
from shakeproof.properties.targets.base import TargetError
from shakeproof.properties.targets.running import death_of

Result = TypeVar("Result")
Work = Callable[[Callable[[Any], None]], Result]

SAID, GAVE, RAISED = "said", "gave", "raised"


class EndedError(TargetError):
    """The copy has ended without a result: says how."""


def can_fork() -> bool:
    """Whether this process can be copied: macOS has libraries that do not survive it, and daemons have no children."""
    here = multiprocessing.current_process()
    return "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin" and not here.daemon


def run_forked(work: Work[Result], hear: Callable[[Any], None] = lambda _: None) -> Result:
    """`work(say)`, in a copy of this process; what it says goes to `hear`, here. In this one where it can't be copied.

    Raises what the work raises, and EndedError where the copy ends before the work does.
    """
    if not can_fork():
        return work(hear)
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    copy = context.Process(target=_work, args=(work, theirs, os.getpid()), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: none of ours holds what the copy needs
        copy.start()
    theirs.close()
    try:
        while True:
            wait([ours, copy.sentinel])  # the pipe may stay open in what the stack has started
            try:
                kind, what = ours.recv() if ours.poll() else (RAISED, None)
            except EOFError:
                kind, what = RAISED, None
            if kind == SAID:
                hear(what)
            elif kind == GAVE:
                return cast("Result", what)
            elif what is not None:
                raise what
            else:
                copy.join()
                raise EndedError(death_of(copy.exitcode or 0))
    finally:
        copy.kill()
        copy.join()
        copy.close()
        ours.close()


def _work(work: Work[Any], pipe: Connection, parent: int) -> None:
    for name in ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent alone answers Ctrl-C, and ends this process

    def say(what: Any) -> None:
        if os.getppid() != parent:
            os._exit(1)  # nobody hears it any more
        pipe.send((SAID, what))

    try:
        answer = (GAVE, work(say))
    except Exception as error:  # noqa: BLE001  # it is raised in the parent
        answer = (RAISED, error)
    pipe.send(answer)
