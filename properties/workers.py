"""Tasks in processes of their own, within a budget of time that is shared by the weight of what is left to do."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.pool import AsyncResult
from typing import Any, TypeVar

POLL_S = 0.05
"""How often the parent looks for what its workers say."""

Task = TypeVar("Task")
Result = TypeVar("Result")
Run = Callable[[Task, float, Callable[[Any], None]], Result]

_reports: Any = None


def share_of(task: Task, weights: Mapping[Task, int], left: Sequence[Task], deadline: float, workers: int) -> float:
    """Seconds for a task: its part, by weight, of what the workers still have. left: tasks not finished, with this."""
    whole = sum(weights[other] for other in left) or 1
    remaining = max(0.0, deadline - time.monotonic())
    return min(remaining, remaining * workers * weights[task] / whole)


def _begin(reports: Any) -> None:
    """A worker starts: the parent alone answers Ctrl-C, and ends its workers."""
    global _reports
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reports = reports


def _work(run: Run[Task, Result], task: Task, seconds: float) -> Result:
    return run(task, time.monotonic() + seconds, _reports.put)


def run_in_processes(
    run: Run[Task, Result],
    tasks: Sequence[Task],
    weights: Mapping[Task, int],
    deadline: float,
    workers: int,
    hear: Callable[[Any], None],
    needs: Callable[[Task], bool] = lambda _: True,
) -> None:
    """Run each task by `run(task, deadline, say)` in a worker; what it says and returns goes to `hear`, in the parent.

    deadline: of time.monotonic; needs: whether a task is wanted, after all that was heard; one that is not does not
    start, and is ended where nothing else is left to wait for. Raises whatever a task raises, and KeyboardInterrupt,
    after ending the workers.
    """
    context = multiprocessing.get_context("spawn")
    reports = context.Queue()
    # Children inherit what is ignored while they start; the parent's own handler comes back right after.
    sound = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pool = context.Pool(workers, _begin, (reports,))
    finally:
        signal.signal(signal.SIGINT, sound)
    started = list(getattr(pool, "_pool"))  # noqa: B009  # of no public name; a pool replaces workers without a word
    waiting = list(tasks)
    running: dict[Task, AsyncResult[Result]] = {}
    try:
        while True:
            waiting = [task for task in waiting if needs(task)]
            if not waiting and not any(needs(task) for task in running):
                break
            while waiting and len(running) < workers:
                task = waiting.pop(0)
                seconds = share_of(task, weights, [task, *waiting, *running], deadline, workers)
                running[task] = pool.apply_async(_work, (run, task, seconds))
            _drain(reports, hear)
            for task in [task for task, result in running.items() if result.ready()]:
                result = running.pop(task)
                _drain(reports, hear)
                hear(result.get())
            if running and any(process.exitcode is not None for process in started):
                raise RuntimeError("a worker ended before its task did: what it had to do is lost")
        if running:
            pool.terminate()
    except BaseException:
        pool.terminate()
        raise
    finally:
        pool.close()
        pool.join()
        reports.close()


def _drain(reports: Any, hear: Callable[[Any], None]) -> None:
    try:
        hear(reports.get(timeout=POLL_S))
        while True:
            hear(reports.get_nowait())
    except queue.Empty:
        return
