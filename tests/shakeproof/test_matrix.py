"""Rules by stacks: what of a run stands in which cell."""

from __future__ import annotations

import datetime as dt
import io
from collections import Counter
from dataclasses import replace

import pytest
from rich.console import Console

from shakeproof.config import Accepted
from shakeproof.console import console
from shakeproof.diagrams.matrix import Cell, Mark
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding, Grade, RoleRun
from shakeproof.reports.matrix import matrix_of, print_matrix
from shakeproof.reports.summary import Judgement, judge_run
from tests.shakeproof.made_findings import made_finding, made_run

TODAY = dt.date(2026, 6, 1)
ROW = ROLES["tls12.client"].rows[3]


def role(target: str, *findings: Finding, error: str = "", exercised: str = "") -> RoleRun:
    (made,) = made_run(error=error).roles
    own = [replace(finding, target=target) for finding in findings]
    return replace(made, target=target, findings=own, exercised=Counter({exercised: 1} if exercised else {}))


def judged(*roles: RoleRun, accept: tuple[Accepted, ...] = ()) -> Judgement:
    return judge_run(replace(made_run(), roles=list(roles)), accept, "must", TODAY)


def test_matrix_has_a_column_for_each_target_and_a_row_for_each_rule_that_one_breaks() -> None:
    broken = made_finding(check=ROW.code)
    judgement = judged(
        role("a", broken), role("b", exercised=ROW.id), role("c"), role("d", error="refused"),
        role("e", replace(broken, grade=Grade.CRASH), broken),
    )  # fmt: skip
    matrix = matrix_of(judgement)
    assert matrix.stacks == ("a", "b", "c", "d", "e")
    ((rule,),) = [group.rules for group in matrix.groups]
    assert [cell.mark for cell in rule.cells] == [Mark.FAIL, Mark.GOOD, Mark.UNREACHED, Mark.NOT_TESTED, Mark.CRASH]
    assert (rule.text, rule.clause) == ("Finished[MISMATCH] in WAIT_FINISHED", "RFC 5246 §7.4.9")


def test_matrix_rule_of_rest_is_gone_through_with_its_row() -> None:
    broken = made_finding(check=f"{ROW.code}-FINISHED")
    ((rule,),) = [group.rules for group in matrix_of(judged(role("a", broken), role("b", exercised=ROW.id))).groups]
    assert [cell.mark for cell in rule.cells] == [Mark.FAIL, Mark.GOOD]


def test_matrix_puts_the_worst_first_and_keeps_rules_apart() -> None:
    found = (made_finding(Grade.WARNING, check="C"), made_finding(Grade.DEVIATION, check="B"), made_finding(check="A"))
    ((*rules,),) = [group.rules for group in matrix_of(judged(role("a", *found))).groups]
    assert [rule.cells[0].mark for rule in rules] == [Mark.FAIL, Mark.DEVIATION, Mark.WARNING]
    assert len({rule.text for rule in rules}) == 3


def test_matrix_shows_what_is_accepted_in_brackets() -> None:
    accept = (Accepted("CHECK-ONE", "ticket 7", TODAY, "a"),)
    ((rule,),) = [
        group.rules
        for group in matrix_of(judged(role("a", made_finding()), role("b", made_finding()), accept=accept)).groups
    ]
    assert rule.cells == (Cell(Mark.FAIL, excused=True), Cell(Mark.FAIL))
    assert rule.cells[0].text == "(✗ FAIL)"


def test_matrix_heads_say_how_much_ran() -> None:
    half = replace(role("b", made_finding()), cells_run=3)
    (group,) = matrix_of(judged(role("a"), half, role("c", error="refused"))).groups
    assert group.tested == ("10/10 cells", "3/10 cells, under half", "can't be tested")


@pytest.mark.parametrize("terminal", [True, False])
def test_matrix_is_printed_on_a_terminal_and_elsewhere(terminal: bool) -> None:
    file = io.StringIO()
    out = Console(file=file, force_terminal=True, width=100, markup=False) if terminal else console(file)
    print_matrix(out, judged(role("alpha", made_finding()), role("beta[x]", exercised="x")))
    text = file.getvalue()
    for part in ("alpha", "beta[x]", "✗ FAIL", "Finished[MISMATCH]", "breaks a MUST"):
        assert part in text
    assert ("\x1b[" in text) is terminal
