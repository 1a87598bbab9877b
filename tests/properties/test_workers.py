"""Tasks in processes: what is no longer needed does not start, and does not hold up the end."""

from __future__ import annotations

import math
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shakeproof.properties.workers import run_in_processes, share_of

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


def vanish_first(task: int, _deadline: float, _say: Callable[[Any], None]) -> str:
    """End the whole process in the first task."""
    if task == 0:
        os._exit(7)
    return f"done {task}"


def test_task_that_ends_its_process_is_told_of_and_the_others_go_on() -> None:
    heard: list[Any] = []
    broken: list[tuple[int, str]] = []
    run_in_processes(
        vanish_first,
        (0, 1, 2),
        dict.fromkeys((0, 1, 2), 1),
        math.inf,
        1,
        heard.append,
        broken=lambda task, how: broken.append((task, how)),
    )
    assert broken == [(0, "exit status 7")]
    assert heard == ["done 1", "done 2"]
    assert multiprocessing.active_children() == []


ENDED_IN_GARBAGE = """
import gc, pathlib, signal, sys
from shakeproof.properties import workers

class Reports:
    def cancel_join_thread(self): pass

workers._begin(Reports(), pathlib.Path(sys.argv[1]))
gc.callbacks.append(lambda *_: signal.raise_signal(signal.SIGTERM))
gc.collect()
gc.callbacks.clear()
"""
"""A worker that is told to end where nothing can be raised."""

ENDED_AT_THE_END = """
import pathlib, signal, sys
from shakeproof.properties.targets import running

def end(*_): sys.exit(143)
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, end)
running.watch_folder(pathlib.Path(sys.argv[1]) / "none")
wait = running._warden._process.wait
def wait_and_be_told(timeout):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.raise_signal(number)
    return wait(timeout)
running._warden._process.wait = wait_and_be_told
"""
"""A process that is told to end while it dismisses its warden."""

ENDED_ONCE_MORE = """
import atexit, pathlib, signal, sys
from shakeproof.properties import workers

class Reports:
    def cancel_join_thread(self): pass

atexit.register(signal.raise_signal, signal.SIGTERM)
workers._begin(Reports(), pathlib.Path(sys.argv[1]))
"""
"""A worker that is told to end when it does."""


@pytest.mark.parametrize("script", [ENDED_IN_GARBAGE, ENDED_AT_THE_END, ENDED_ONCE_MORE])
def test_process_that_is_told_to_end_where_it_ends_says_nothing(script: str, tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0


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


def cut(task: int, deadline: float, say: Callable[[Any], None]) -> int:
    """Say the task; one that never ends takes no notice of its deadline."""
    say(("begun", task))
    if task == ENDLESS:
        threading.Event().wait()
    return task


@pytest.mark.slow
def test_task_that_does_not_end_in_time_is_ended_and_told_of() -> None:
    heard: list[Any] = []
    lost: list[int] = []
    deadline = time.monotonic() + 3
    run_in_processes(cut, (ENDLESS, 0, 2), {0: 1, 1: 1, 2: 1}, deadline, 2, heard.append, lose=lost.append)
    assert time.monotonic() < deadline + 3
    assert lost == [ENDLESS]
    assert {0, 2} <= set(heard)


def test_task_that_was_cut_short_goes_on_while_there_is_time() -> None:
    results: list[int] = []

    def again(result: int) -> int | None:
        results.append(result)
        return result if results.count(result) < 3 else None

    heard: list[Any] = []
    run_in_processes(cut, (0, 2), {0: 1, 2: 1}, time.monotonic() + 60, 2, heard.append, again=again)
    assert sorted(results) == [0, 0, 0, 2, 2, 2]
    assert [one for one in heard if isinstance(one, int)].count(0) == 1


def test_share_leaves_to_the_others_what_those_that_run_do_not_claim() -> None:
    deadline = time.monotonic() + 60
    weights = {0: 5000, **dict.fromkeys(range(1, 11), 300)}
    assert share_of(0, weights, list(range(11)), deadline, 2) == pytest.approx(60, abs=1)
    # The other worker is free for all of the time: each of the ten has a tenth, whatever the first weighs.
    assert share_of(1, weights, list(range(1, 11)), deadline, 2, claimed=60) == pytest.approx(6, abs=1)
    assert share_of(10, weights, [10], deadline, 2, claimed=60) == pytest.approx(60, abs=1)
    assert share_of(1, weights, list(range(1, 11)), deadline, 2, claimed=120) > 0
