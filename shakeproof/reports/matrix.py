"""Rules by stacks: what a run over several targets comes to, as a table for a terminal and as data for a picture."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shakeproof.console import visible
from shakeproof.diagrams.matrix import LEGEND, UNDER_HALF, Cell, Group, Mark, Matrix, Rule, matrix_text
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding, Grade, RoleRun
from shakeproof.reports.names import shortened
from shakeproof.reports.summary import Judgement

NAME = "matrix"

MARKS = {
    Grade.CRASH: Mark.CRASH, Grade.HANG: Mark.HANG, Grade.DEVIATION: Mark.DEVIATION, Grade.WARNING: Mark.WARNING,
    Grade.INCONCLUSIVE: Mark.UNSURE,
}  # fmt: skip
"""Any other grade is a FAIL."""

STYLES = {
    Mark.CRASH: "bold white on red", Mark.HANG: "bold white on red", Mark.FAIL: "bold white on red",
    Mark.DEVIATION: "yellow", Mark.WARNING: "yellow", Mark.UNSURE: "dim", Mark.GOOD: "green", Mark.UNREACHED: "dim",
}  # fmt: skip


def matrix_of(judgement: Judgement) -> Matrix:
    """The run as a matrix: a row for each rule that some target breaks."""
    run = judgement.run
    stacks = tuple(dict.fromkeys(role.target for role in run.roles))
    groups: list[Group] = []
    for name in dict.fromkeys(role.role for role in run.roles):
        of = {role.target: role for role in run.roles if role.role == name}
        groups.append(_group(judgement, name, stacks, of))
    described = {role.target: role.description for role in run.roles}
    return Matrix(
        title="Rules and stacks",
        stacks=tuple(judgement.names[stack] for stack in stacks),
        groups=tuple(groups),
        subtitle=f"{shortened(judgement.command, judgement.names)}. A row is a rule that at least one stack breaks.",
        notes=tuple(visible(f"{stack}: {described[stack]}") for stack in stacks if described[stack] != stack),
    )


def _group(judgement: Judgement, name: str, stacks: tuple[str, ...], of: dict[str, RoleRun]) -> Group:
    findings = [finding for role in of.values() for finding in role.findings if finding.grade is not Grade.NOTE]
    checks = dict.fromkeys(finding.check for finding in sorted(findings, key=lambda one: one.grade.weight))
    rules: list[Rule] = []
    for check in checks:
        found = [finding for finding in findings if finding.check == check]
        first = min(found, key=lambda one: one.grade.weight)
        where = f"{first.input} in {first.state}" if first.input else first.state
        cells = tuple(_cell(judgement, check, of.get(stack)) for stack in stacks)
        text = visible(where or check)
        if any(rule.text == text for rule in rules):
            text += f" ({check})"  # the same input, of another row
        rules.append(Rule(text, _short(first.clause), cells))
    order = list(Mark)
    rules.sort(key=lambda rule: min(order.index(cell.mark) for cell in rule.cells))
    tested = tuple(_tested(of.get(stack)) for stack in stacks)
    return Group(name, tested, tuple(rules), tuple(_share(of.get(stack)) for stack in stacks))


def _short(clause: str) -> str:
    """A clause in few characters, such as "RFC 5246 §7.4.9"."""
    return visible(clause.replace(" section ", " §"))


def _share(role: RoleRun | None) -> int | None:
    return None if role is None or role.error or not role.cells else 100 * role.cells_run // role.cells


def _tested(role: RoleRun | None) -> str:
    if role is None:
        return ""
    if role.error or not role.cells:
        return "can't be tested"
    return f"{role.cells_run}/{role.cells} cells{'' if role.is_tested else ', under half'}"


def _cell(judgement: Judgement, check: str, role: RoleRun | None) -> Cell:
    if role is None or role.error:
        return Cell(Mark.NOT_TESTED)
    found = [finding for finding in role.findings if finding.check == check]
    if found:
        worst = min(found, key=lambda finding: finding.grade.weight)
        excused = all(any(one is finding for one, _ in judgement.accepted) for finding in found)
        return Cell(_mark(worst), excused)
    table = ROLES.get(role.role)
    # A rule of `rest` is named by its row and the message that it was about.
    rows = [row for row in table.rows if check == row.code or check.startswith(f"{row.code}-")] if table else []
    longest = max((len(row.code) for row in rows), default=0)
    gone = any(role.exercised.get(row.id) for row in rows if len(row.code) == longest)
    compared = "-ALIKE-" in check and role.is_tested
    return Cell(Mark.GOOD if gone or compared else Mark.UNREACHED)


def _mark(finding: Finding) -> Mark:
    return MARKS.get(finding.grade, Mark.FAIL)


def print_matrix(out: Console, judgement: Judgement) -> None:
    """The matrix as a table on a terminal, as plain text elsewhere."""
    matrix = matrix_of(judgement)
    if not out.is_terminal:
        out.print(Text(matrix_text(matrix)), end="")
        return
    table = Table(title=matrix.title, show_lines=False, header_style="bold", title_justify="left")
    table.add_column("rule", overflow="fold")
    table.add_column("clause", style="dim", overflow="fold")
    for stack in matrix.stacks:
        table.add_column(stack, no_wrap=True, justify="center")
    for group in matrix.groups:
        table.add_section()
        table.add_row(Text(group.title, style="bold"), "", *(Text(told or "–", style="dim") for told in group.tested))
        for rule in group.rules:
            marks = (Text(cell.text, style="dim" if cell.excused else STYLES.get(cell.mark, "")) for cell in rule.cells)
            table.add_row(Text(rule.text), Text(rule.clause), *marks)
    out.print(table, soft_wrap=False)
    out.print(Text("  ".join(f"{mark.value}: {told}" for mark, told in LEGEND), style="dim"))
    out.print(Text(UNDER_HALF, style="dim"))
