"""A budget of time: the run ends with it, says what it left out, and its counts add up."""

from __future__ import annotations

import sys
import time

import pytest

from shakeproof.properties import task_run
from shakeproof.properties.audit import audit
from shakeproof.properties.complete import INCOMPLETE
from shakeproof.properties.findings import OUT_OF_TIME, CellDone, Event, RoleRun
from shakeproof.properties.targets import process
from shakeproof.properties.targets.base import Endpoint, LateError, Setup, TargetError
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.program import Program
from shakeproof.properties.tasks import Task, cells_of

OVERRUN_S = 4.0
"""2 s, and on a busy machine as much again."""


def audited(time_s: float, *, jobs: int, suite: str) -> tuple[RoleRun, list[CellDone]]:
    told: list[CellDone] = []

    def listen(event: Event) -> None:
        if isinstance(event, CellDone):
            told.append(event)

    began = time.monotonic()
    run = audit(["shakeproof"], roles=("tls12.server",), suite=suite, time_s=time_s, jobs=jobs, listener=listen)
    assert time.monotonic() - began < time_s + OVERRUN_S
    return run.roles[0], told


@pytest.mark.slow
@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_suite_that_is_cut_off_says_so_in_time_and_adds_up(jobs: int) -> None:
    role, told = audited(6.0, jobs=jobs, suite="full")
    assert role.left_out > 0
    assert role.cells_run + sum(item.cells for item in role.not_tested) == role.cells
    assert (told[-1].done, told[-1].cells) == (role.cells_run, role.cells)
    assert any(INCOMPLETE in said and "words of the complete suite were left out" in said for said in role.complete)


PLAIN = Setup("rsa", "rsa", "cbc")
SLEEPS_S = 60
STARTS_S = 0.2


class Slow(OurTarget):
    def connect(self, role: str, setup: Setup) -> Endpoint:
        raise LateError("it does not listen after 1 s")


def test_target_that_has_no_time_to_start_leaves_all_its_cells_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_run, "open_target", lambda name, rogue: Slow())
    task = Task("slow", "", "tls12.server", PLAIN, 0, ())
    partial = task_run.run_task(task, time.monotonic() + SLEEPS_S, lambda _: None)
    assert (partial.error, partial.ended, partial.cells_run) == ("", False, 0)
    assert len(partial.not_tested[OUT_OF_TIME]) == partial.cells == len(cells_of(task))


@pytest.mark.parametrize(("longest_s", "error"), [(2 * STARTS_S, LateError), (STARTS_S / 2, TargetError)])
def test_program_that_does_not_start_is_late_where_it_had_less_time_than_any(
    longest_s: float, error: type[TargetError], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "START_S", longest_s)
    sleeping = [sys.executable, "-c", f"import time; time.sleep({SLEEPS_S})"]
    start = Program("sleeper", "a sleeper", (), "", (), server=lambda files, port, setup: sleeping)
    target = process.ProcessTarget(start)
    target.start_by = time.monotonic() + STARTS_S
    try:
        with pytest.raises(TargetError, match="does not listen on") as raised:
            target.connect("tls12.server", PLAIN)
    finally:
        target.close()
    assert type(raised.value) is error
