"""A budget of time: the run ends with it, says what it left out, and its counts add up."""

from __future__ import annotations

import time

import pytest

from shakeproof.properties.audit import audit
from shakeproof.properties.complete import INCOMPLETE
from shakeproof.properties.findings import CellDone, Event, RoleRun

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
