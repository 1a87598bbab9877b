"""The last lines of an audit: what was left out and what was not reached, and the seconds of a clock on the wall."""

from __future__ import annotations

import datetime as dt
import io
import time
from dataclasses import replace

import pytest

from shakeproof.cli import main
from shakeproof.console import console
from shakeproof.properties.audit import Board, audit
from shakeproof.properties.findings import BESIDE, NotTested, RoleRun, Run
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.tasks import Partial, Task
from shakeproof.reports.summary import Judgement, judge_run
from shakeproof.reports.terminal import TerminalReport, role_line, verdict_lines
from tests.shakeproof.made_findings import made_run

TODAY = dt.date(2026, 6, 1)
SETUPS = (Setup("rsa", "rsa", "cbc"), Setup("rsa", "rsa", "gcm"))


def judged(run: Run) -> Judgement:
    return judge_run(run, (), "must", today=TODAY)


def last_line(run: Run, whole_s: float = 0.0) -> str:
    return verdict_lines(judged(run), whole_s)[-1].plain


def test_nothing_left_out_is_for_lack_of_time_and_what_was_not_reached_is_named() -> None:
    run = made_run(cells=2657, cells_run=393)
    run.roles[0].not_tested.append(NotTested("an honest handshake was tried, and failed", 2264))
    assert "left out: nothing for lack of time · not reached: 2264 cells, see the reasons" in last_line(run)


def test_cells_left_out_for_lack_of_time_are_not_counted_as_not_reached() -> None:
    line = last_line(made_run(cells=10, cells_run=7, left=3))
    assert "left out: 3 cells for lack of time" in line
    assert "not reached" not in line


def test_whole_run_says_that_nothing_was_left_out_or_not_reached() -> None:
    line = last_line(made_run())
    assert "left out: nothing for lack of time" in line
    assert "not reached" not in line


def test_role_without_an_honest_handshake_is_not_reached_as_a_whole() -> None:
    line = last_line(made_run(cells=0, cells_run=0, error="no honest handshake completed: it says nothing"))
    assert "not reached: all of openssl tls12.client, see the reasons" in line


def test_what_comes_beside_the_cells_and_had_no_time_is_not_nothing() -> None:
    run = made_run()
    run.roles[0].not_tested.append(NotTested(BESIDE, 0))
    assert "left out: no cell for lack of time" in last_line(run)


@pytest.mark.parametrize("reason", ["it has no client certificate", "refused: no such suite"])
def test_reason_of_one_role_says_of_which_and_one_of_all_roles_does_not(reason: str) -> None:
    run = made_run()
    run.roles.append(replace(run.roles[0], role="tls12.server", not_tested=[]))
    run.roles[0].not_tested.append(NotTested(reason, 0))
    assert judged(run).not_tested == [(f"openssl tls12.client: {reason}", 0)]
    run.roles[1].not_tested.append(NotTested(reason, 0))
    assert judged(run).not_tested == [(reason, 0)]


def test_seconds_of_a_role_are_those_on_the_wall() -> None:
    role = RoleRun("openssl", "OpenSSL", "tls12.client", words=1900, seconds=85.8, wall_s=60.3)
    line = role_line(role)
    assert line.endswith("60.3 s")
    assert "85.8" not in line


def test_rate_is_of_the_whole_run_by_the_wall() -> None:
    run = made_run()
    run.roles[0].words, run.roles[0].seconds, run.seconds = 1200, 120.0, 60.0
    assert " · 20 words/s · 60.0 s" in last_line(run)
    run.words_before = 600  # a run that was interrupted had these
    assert " · 10 words/s · " in last_line(run)


def test_tasks_that_ran_at_once_do_not_add_up_to_the_roles_seconds() -> None:
    tasks = [Task("shakeproof", "", "tls12.server", setup, 0) for setup in SETUPS]
    run = Run("shakeproof audit", 0, 60.0, [RoleRun("shakeproof", "ours", "tls12.server")])
    began = time.monotonic() - 40.0
    board = Board(run, {("shakeproof", "tls12.server"): 0}, lambda _: None, tasks, began)
    for task in tasks:
        board.hear(Partial(task, words=10, seconds=39.0, ended=True))
    assert run.roles[0].seconds == 78.0
    assert 40.0 <= run.roles[0].wall_s < 78.0


def test_audit_that_goes_on_counts_the_words_of_before_apart() -> None:
    def begun(task: Task) -> Partial:
        return Partial(task, words=7, ended=True)

    run = audit(["shakeproof"], roles=["tls12.server"], jobs=1, time_s=600.0, begun=begun)
    assert run.words_before == sum(role.words for role in run.roles) > 0
    assert run.words_per_s == 0.0


def test_figure_is_that_of_the_whole_command_with_the_audits_own_beside_it() -> None:
    now = [100.0]
    out = io.StringIO()
    report = TerminalReport(console(out), clock=lambda: now[0], began=97.0)
    run = made_run()
    run.seconds = 60.5
    now[0] = 97.0 + 68.2
    report.finish(judged(run))
    assert out.getvalue().splitlines()[-1].endswith(" · 68.2 s, of which 60.5 s the audit itself")


def test_help_says_what_the_time_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Budget for the audit itself: 20s, 2m. Starting and writing reports come on top." in said


def test_command_prints_the_seconds_of_all_that_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "shakeproof", "--role", "client", "--time", "1ms", "-j", "1"]) == 3
    assert " the audit itself" in capsys.readouterr().out
