"""Tasks in processes of their own, within a budget of time that is shared by the weight of what is left to do."""

from __future__ import annotations

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


def _begin(reports: Any, folder: Path) -> None:
    """A worker starts: the parent alone answers Ctrl-C, ends its workers, and removes what they leave."""
    global _reports
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Not at once, as is usual: whoever is ended while it holds the lock of a queue stops all others.
    signal.signal(signal.SIGTERM, _end)
    reports.cancel_join_thread()  # at the end nobody may read any more
    _reports = reports
    adopt_folder(folder)
    threading.Thread(target=_outlive_nobody, daemon=True).start()


def _end(_: int, __: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # whoever ends all of us, and then the parent: once is enough
    sys.exit(TOLD_TO_END)


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


def _work(run: Run[Task, Result], task: Task, end: float) -> Result:
    # The clock is one for all processes of a machine: how long a worker took to start is no time that it has.
    return run(task, end, _reports.put)


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
) -> None:
    """Run each task by `run(task, deadline, say)` in a worker; what it says and returns goes to `hear`, in the parent.

    deadline: of time.monotonic; needs: whether a task is wanted, after all that was heard; one that is not does not
    start, and is ended where nothing else is left to wait for; again: the task that goes on from a result, while there
    is time; lose: is told of tasks that did not begin, or not end, in time. Raises whatever a task raises, and
    KeyboardInterrupt, after ending the workers.
    """
    context = multiprocessing.get_context("spawn")
    folder = make_folder()
    with _deaf():
        reports = context.Queue()
        pool = context.Pool(workers, _begin, (reports, folder))
    started = list(getattr(pool, "_pool"))  # noqa: B009  # of no public name; a pool replaces workers without a word
    waiting = list(tasks)
    running: dict[Task, AsyncResult[Result]] = {}
    ends: dict[Task, float] = {}
    try:
        while True:
            waiting = [task for task in waiting if needs(task)]
            if not waiting and not any(needs(task) for task in running):
                break
            while waiting and len(running) < workers:
                now = time.monotonic()
                claimed = sum(max(0.0, ends[other] - now) for other in running)
                seconds = share_of(waiting[0], weights, waiting, deadline, workers, claimed)
                task = waiting.pop(0)
                ends[task] = now + seconds
                running[task] = pool.apply_async(_work, (run, task, ends[task]))
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
            if running and any(process.exitcode == TOLD_TO_END for process in started):
                raise KeyboardInterrupt  # somebody ends us all, and our own signal is on its way
            if running and any(process.exitcode is not None for process in started):
                raise RuntimeError("a worker ended before its task did: what it had to do is lost")
        if running:
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
