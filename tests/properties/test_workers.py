"""Tasks in processes: what is no longer needed does not start, and does not hold up the end."""

from __future__ import annotations

import math
import multiprocessing
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shakeproof.properties.workers import run_in_processes

ENDLESS = 1


def work(task: int, _deadline: float, say: Callable[[Any], None]) -> str:
    """Say that it has begun; give the task's name, but for one that never ends."""
    say(task)
    if task == ENDLESS:
        threading.Event().wait()
    return f"done {task}"


@pytest.fixture(autouse=True)
def this_module_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the workers, which look where their parent does."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])


def vanish(_task: int, _deadline: float, _say: Callable[[Any], None]) -> str:
    """End the whole process."""
    os._exit(1)


def test_worker_that_vanishes_is_an_error_and_no_hang() -> None:
    with pytest.raises(RuntimeError, match="a worker ended before its task did"):
        run_in_processes(vanish, (0, 1), {0: 1, 1: 1}, math.inf, 2, lambda _: None)
    assert multiprocessing.active_children() == []


def test_what_is_not_needed_does_not_start_and_is_not_waited_for() -> None:
    tasks = (0, ENDLESS, 2)
    heard: list[Any] = []
    run_in_processes(
        work,
        tasks,
        dict.fromkeys(tasks, 1),
        math.inf,
        2,
        heard.append,
        # Once the endless one has begun and the first is done, nothing else is needed.
        lambda task: task == 0 or (task == ENDLESS and not {ENDLESS, "done 0"} <= set(heard)),
    )
    assert set(heard) == {0, ENDLESS, "done 0"}
    assert multiprocessing.active_children() == []
