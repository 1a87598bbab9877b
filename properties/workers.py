"""Tasks in processes of their own, within a budget of time that is shared by the weight of what is left to do."""

from __future__ import annotations

import atexit
import math
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.pool import AsyncResult
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from shakeproof.properties.signals import ToldToEnd
from shakeproof.properties.targets.running import death_of
from shakeproof.properties.targets.scratch import adopt_folder, make_folder, remove_folder

POLL_S = 0.05
"""How often the parent looks for what its workers say."""
SHARE_LEAST_S = 0.5
"""For a task among many: enough for some words."""
LATE_S = 1.0
"""How long after the deadline a task may end by itself."""
KILL_S = 0.5
"""For a worker to end when it is asked to; then it is killed."""
TOLD_TO_END = 128 + signal.SIGTERM
"""The exit code of a worker that SIGTERM ended."""

Task = TypeVar("Task")
Result = TypeVar("Result")
Run = Callable[[Task, float, Callable[[Any], None]], Result]

_reports: Any = None
_places: Any = ()
"""By place, for as many tasks as run at once: the process that is at the task there, 0 for none."""


def share_of(
    task: Task, weights: Mapping[Task, int], left: Sequence[Task], deadline: float, workers: int, claimed: float = 0.0
) -> float:
    """Seconds for a task: its part, by weight, of what the workers still have.

    left: tasks not begun, with this; claimed: seconds that those that run may still take. The last has it all.
    """
    whole = sum(weights[other] for other in left) or 1
    remaining = max(0.0, deadline - time.monotonic())
    if len(left) == 1 or math.isinf(remaining):
        return remaining
    free = max(0.0, remaining * workers - claimed)
    return min(remaining, max(SHARE_LEAST_S, free * weights[task] / whole))


def _begin(reports: Any, folder: Path, places: Any = ()) -> None:
    """A worker starts: the parent alone answers Ctrl-C, ends its workers, and removes what they leave."""
    global _reports, _places
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not at once, as is usual: whoever is ended while it holds the lock of a queue stops all others.
    signal.signal(signal.SIGTERM, _end)
    sys.unraisablehook = _say_unraised
    atexit.register(signal.signal, signal.SIGTERM, signal.SIG_IGN)  # the last that is registered comes first
    reports.cancel_join_thread()  # at the end nobody may read any more
    _reports, _places = reports, places
    adopt_folder(folder)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _end(_: int, __: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever ends all of us, and then the parent: once is enough
    raise ToldToEnd(TOLD_TO_END)


def _say_unraised(what: Any) -> None:
    """As usual, but for our own end where it could not be raised, as in what Python calls when it collects garbage:
    then whoever asked for it kills us.
    """
    if not isinstance(what.exc_value, ToldToEnd):
        sys.__unraisablehook__(what)


def _outlive_nobody() -> None:
    """End this process with its parent, which may be killed while a task takes long."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _deaf() -> Iterator[None]:
    """Children inherit what is ignored while they start; the parent's own handlers come back right after."""
    names = [name for name in ("SIGINT", "SIGHUP") if hasattr(signal, name)]
    before = {getattr(signal, name): signal.signal(getattr(signal, name), signal.SIG_IGN) for name in names}
    try:
        yield
    finally:
        for which, handler in before.items():
            signal.signal(which, handler)


def _terminate(pool: Any) -> None:
    """End the workers; those that do not end when they are asked to are killed."""

    def kill() -> None:
        for process in list(getattr(pool, "_pool")):  # noqa: B009  # as below
            if process.exitcode is None:
                process.kill()

    timer = threading.Timer(KILL_S, kill)
    timer.daemon = True
    timer.start()
    try:
        pool.terminate()
    finally:
        timer.cancel()


def _work(run: Run[Task, Result], task: Task, end: float, place: int) -> Result:
    _places[place] = os.getpid()
    try:
        # The clock is one for all processes of a machine: how long a worker took to start is no time that it has.
        return run(task, end, _reports.put)
    finally:
        _places[place] = 0


def run_in_processes(
    run: Run[Task, Result],
    tasks: Sequence[Task],
    weights: Mapping[Task, int],
    deadline: float,
    workers: int,
    hear: Callable[[Any], None],
    needs: Callable[[Task], bool] = lambda _: True,
    again: Callable[[Any], Task | None] = lambda _: None,
    lose: Callable[[Task], None] = lambda _: None,
    broken: Callable[[Task, str], None] | None = None,
) -> None:
    """Run each task by `run(task, deadline, say)` in a worker; what it says and returns goes to `hear`, in the parent.

    deadline: of time.monotonic; needs: whether a task is wanted, after all that was heard; one that is not does not
    start, and is ended where nothing else is left to wait for; again: the task that goes on from a result, while there
    is time; lose: is told of tasks that did not begin, or not end, in time; broken: of one that ended its process, and
    how that ended: the others go on. Without it that is a RuntimeError. Raises whatever a task raises, and
    KeyboardInterrupt, after ending the workers.
    """
    context = multiprocessing.get_context("spawn")
    folder = make_folder()
    with _deaf():
        reports = context.Queue()
        places = context.RawArray("q", workers)
        pool = context.Pool(workers, _begin, (reports, folder, places))
    started: dict[int, Any] = {}
    ended: set[int] = set()
    waiting = list(tasks)
    running: dict[Task, AsyncResult[Result]] = {}
    ends: dict[Task, float] = {}
    place_of: dict[Task, int] = {}
    try:
        while True:
            # Of no public name; a pool replaces workers without a word.
            started |= {process.pid: process for process in list(getattr(pool, "_pool"))}  # noqa: B009
            waiting = [task for task in waiting if needs(task)]
            if not waiting and not any(needs(task) for task in running):
                break
            while waiting and len(running) < workers:
                now = time.monotonic()
                claimed = sum(max(0.0, ends[other] - now) for other in running)
                seconds = share_of(waiting[0], weights, waiting, deadline, workers, claimed)
                task = waiting.pop(0)
                ends[task] = now + seconds
                place_of[task] = next(n for n in range(workers) if n not in {place_of[other] for other in running})
                running[task] = pool.apply_async(_work, (run, task, ends[task], place_of[task]))
            _drain(reports, hear)
            for task in [task for task, result in running.items() if result.ready()]:
                result = running.pop(task)
                _drain(reports, hear)
                got = result.get()
                more = again(got)
                if more is None:
                    hear(got)
                else:
                    waiting.append(more)
            now = time.monotonic()
            if (waiting and now > deadline) or now > deadline + LATE_S:
                for task in waiting:
                    lose(task)
                waiting.clear()
            if now > deadline + LATE_S:
                for task in running:
                    lose(task)
                break
            codes = {pid: process.exitcode for pid, process in started.items() if pid not in ended}
            codes = {pid: code for pid, code in codes.items() if code is not None}
            if running and TOLD_TO_END in codes.values():
                raise KeyboardInterrupt  # somebody ends us all, and our own signal is on its way
            for pid, code in codes.items() if running else ():
                how = death_of(code)
                at = next((at for at in running if places[place_of[at]] == pid), None)
                if at is None or broken is None:
                    raise RuntimeError(f"a worker ended before its task did ({how}): what it had to do is lost")
                ended.add(pid)
                places[place_of[at]] = 0
                del running[at]
                broken(at, how)
        if running or ended:  # a pool waits for what will never end
            _terminate(pool)
    except BaseException:
        _terminate(pool)
        raise
    finally:
        pool.close()
        pool.join()
        reports.close()
        remove_folder(folder)


def _drain(reports: Any, hear: Callable[[Any], None]) -> None:
    try:
        hear(reports.get(timeout=POLL_S))
        while True:
            hear(reports.get_nowait())
    except queue.Empty:
        return
