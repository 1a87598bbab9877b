"""Tasks in an executor: threads, processes, a cluster."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from shakeproof.cli import main
from shakeproof.cluster import opened
from shakeproof.exits import UsageError
from shakeproof.properties import executors
from shakeproof.properties.audit import audit
from shakeproof.properties.executors import ExecutorError, run_in_executor
from shakeproof.properties.suites import quick
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import OurTarget

SETUPS = (Setup("rsa", "rsa", "cbc"), Setup("ecdhe", "rsa", "gcm"))


def double(task: int, _deadline: float, say: Callable[[Any], None]) -> int:
    """Twice the task, unless it is 13."""
    say("nobody hears it")
    if task == 13:
        raise ValueError("unlucky")
    return 2 * task


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as made:
        yield made


def run(pool: ThreadPoolExecutor, *tasks: int, deadline: float = math.inf) -> list[Any]:
    heard: list[Any] = []
    run_in_executor(pool, double, tasks, dict.fromkeys(tasks, 1), deadline, 2, heard.append)
    return heard


def test_executor_does_every_task_and_only_results_are_heard(pool: ThreadPoolExecutor) -> None:
    assert sorted(run(pool, 1, 2, 3, 4, 5)) == [2, 4, 6, 8, 10]


def test_executor_raises_what_a_task_raises_and_drops_the_rest(pool: ThreadPoolExecutor) -> None:
    with pytest.raises(ValueError, match="unlucky"):
        run(pool, 13, 2, 3)


def test_executor_that_does_not_answer_is_an_error_and_no_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "LATE_S", 0.01)
    dropped: list[Future[Any]] = []

    class Silent(ThreadPoolExecutor):
        def submit(self, *_: Any, **__: Any) -> Future[Any]:
            dropped.append(Future())
            return dropped[-1]

    with pytest.raises(ExecutorError, match="no answer"):
        run(Silent(1), 1, deadline=time.monotonic())
    assert all(future.cancelled() for future in dropped)


def test_executor_has_as_many_tasks_at_a_time_as_it_has_workers() -> None:
    busy, most, lock = 0, 0, threading.Lock()

    class Counting(ThreadPoolExecutor):
        def submit(self, *arguments: Any, **more: Any) -> Future[Any]:
            nonlocal busy, most
            with lock:
                busy += 1
                most = max(most, busy)
            future: Future[Any] = super().submit(*arguments, **more)

            def less(_: Future[Any]) -> None:
                nonlocal busy
                with lock:
                    busy -= 1

            future.add_done_callback(less)
            return future

    with Counting(4) as counting:
        run(counting, *range(9))
    assert most <= 2


def essence(**more: Any) -> Any:
    (role,) = audit(
        ["shakeproof"], roles=["tls12.client"], rogue="expired-certificate", seed=3, time_s=300.0, **more
    ).roles
    return role.cells_run, role.words, role.exercised, sorted(f.id for f in role.findings), set(role.setups)


@pytest.mark.slow
def test_audit_in_an_executor_comes_to_the_same(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(OurTarget, "setups", lambda target, role: SETUPS[:1])
    # Enough for the finding.
    monkeypatch.setattr("shakeproof.properties.tasks.quick", lambda role, setup, before: quick(role, setup)[:120])
    assert essence(executor=pool, jobs=2) == essence(jobs=1)


@pytest.mark.parametrize(
    "where", ["dask", "dask://", "dask://host", "dask://host:0", "dask://host:99999", "threads", ""]
)
def test_executor_that_is_none_is_one_clear_line(where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="dask://HOST:PORT"), opened(where):
        pass


def test_executor_without_dask_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(UsageError, match=r"shakeproof\[cluster\]"), opened("dask://127.0.0.1:9"):
        pass


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_audit_on_a_local_cluster_finds_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from distributed import LocalCluster

    monkeypatch.chdir(tmp_path)
    asked = ["audit", "--rogue", "expired-certificate", "--role", "client", "--seed", "3", "--time", "2m"]
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, scheduler_port=0, host="127.0.0.1"
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        code = main([*asked, "--executor", f"dask://{address}", "--format", "json,text"])
        with opened(f"dask://{address}") as here:
            assert here is not None
            assert here.workers == 2
    out = capsys.readouterr().out
    assert code == 1, out
    assert "✗ FAIL went-on   Certificate[EXPIRED]" in out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_cluster_without_workers_or_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=0, processes=True, dashboard_address=None, scheduler_port=0, host="127.0.0.1"
    ) as cluster:
        address = cluster.scheduler_address.removeprefix("tcp://")
        with pytest.raises(UsageError, match="no workers"), opened(f"dask://{address}"):
            pass
    monkeypatch.setattr("shakeproof.cluster.CONNECT_S", 0.5)
    with pytest.raises(UsageError, match="no dask scheduler answers"), opened(f"dask://{address}"):
        pass
