"""Tasks given to a `concurrent.futures.Executor`: processes of this machine, or a cluster.

A piece of work is a pure function of a task and its seconds: (target, slice of the suite, seed, budget) -> what was
found. It is named, not made, by its arguments, so that any process with the same shakeproof can do it. Nothing is heard
of a task before it ends.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from typing import Any, TypeVar

from shakeproof.properties.workers import share_of

LATE_S = 30.0
"""How long after the deadline an answer is waited for: a word that has begun ends, and an answer has a way to go."""

Task = TypeVar("Task")
Result = TypeVar("Result")
Run = Callable[[Task, float, Callable[[Any], None]], Result]


class ExecutorError(Exception):
    """The executor did not do what it was given: says what is to be done."""


def work(run: Run[Task, Result], task: Task, seconds: float) -> Result:
    """One piece of work, wherever it is done. Nobody listens there."""
    return run(task, time.monotonic() + seconds, lambda _: None)


def run_in_executor(
    executor: Executor,
    run: Run[Task, Result],
    tasks: Sequence[Task],
    weights: Mapping[Task, int],
    deadline: float,
    workers: int,
    hear: Callable[[Any], None],
) -> None:
    """Run each task by `run(task, deadline, say)` in the executor; what it returns goes to `hear`, here.

    deadline: of time.monotonic; workers: how many pieces of work it does at a time. Raises what a task raises,
    ExecutorError where answers do not come, and KeyboardInterrupt, after dropping what has not begun.
    """
    waiting = list(tasks)
    running: dict[Future[Any], float] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                now = time.monotonic()
                claimed = sum(max(0.0, end - now) for end in running.values())
                seconds = share_of(waiting[0], weights, waiting, deadline, workers, claimed)
                running[executor.submit(work, run, waiting.pop(0), seconds)] = now + seconds
            left = max(0.0, deadline - time.monotonic()) + LATE_S
            done, _ = wait(running, timeout=None if math.isinf(left) else left, return_when=FIRST_COMPLETED)
            if not done:
                raise ExecutorError(
                    f"no answer {LATE_S:g} s after the end of the time: {len(running)} pieces of work are lost"
                )
            for future in done:
                del running[future]
                hear(future.result())
    finally:
        for future in running:
            future.cancel()
