"""A run on a terminal: progress, each finding as soon as it is confirmed, the verdict last on one screen."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import ProgressColumn, Task, TaskID
from rich.table import Column
from rich.text import Text

from shakeproof.console import visible
from shakeproof.properties.findings import (
    CellDone,
    Event,
    Finding,
    FindingConfirmed,
    Grade,
    RoleDone,
    RoleRun,
    RoleStarted,
)
from shakeproof.reports.again import again
from shakeproof.reports.chart import chart_lines
from shakeproof.reports.live import LiveReport
from shakeproof.reports.names import named, short_names, shortened
from shakeproof.reports.summary import Judgement, cells_text, rows_text
from shakeproof.reports.wording import required_text

REASONS_MOST = 4
"""Reasons for not testing in the last lines; the JSON report has all of them."""

REASON_LENGTH = 300
"""Characters of one: what a stack said may be long, and the JSON report has it whole."""

ALIKE_MOST = 12
"""Inputs of one entry of deviations that are named; the report has all of them."""

STYLES = {Grade.DEVIATION: "yellow", Grade.WARNING: "yellow", Grade.NOTE: "dim", Grade.INCONCLUSIVE: "dim"}
MARKS = {Grade.DEVIATION: "~", Grade.WARNING: "!", Grade.NOTE: "·", Grade.INCONCLUSIVE: "?"}

Key = tuple[str, str]


class _Tail(ProgressColumn):
    """What stands behind a bar; cut, not wrapped, where the terminal is narrow."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("tail", "")), no_wrap=True, overflow="ellipsis")


class TerminalReport(LiveReport):
    """Listens to a run. Use as a context manager around it, then call `finish`.

    report: the folder that the pictures go to; clock: seconds, monotonic; names: the targets' short names; is_known:
    whether a baseline has a finding; began: when the command did, by that clock.

    Deviations are kept until `finish`, where those that are answered alike stand together.
    """

    def __init__(
        self,
        out: Console,
        *,
        report: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        names: Mapping[str, str] | None = None,
        is_known: Callable[[Finding], bool] = lambda _: False,
        began: float | None = None,
    ) -> None:
        super().__init__(out, _Tail(), clock)
        self.began = began
        self.report, self.names, self.is_known = report, names or {}, is_known
        self.known: dict[Key, int] = {}
        self.deviations: list[Finding] = []
        self.told: set[Key] = set()
        self.started: dict[Key, float] = {}
        self.cells: dict[Key, tuple[int, int]] = {}
        self.failures: dict[Key, int] = {}
        self.bars: dict[Key, TaskID] = {}

    def __call__(self, event: Event) -> None:
        if isinstance(event, RoleStarted):
            self._start(event)
        elif isinstance(event, CellDone):
            self._cell(event)
        elif isinstance(event, FindingConfirmed):
            self._finding(event.finding)
        elif isinstance(event, RoleDone):
            self._done(event.result)

    # ------------------------------------------------------------------------------------------------------- progress

    def _start(self, event: RoleStarted) -> None:
        key = (event.target, event.role)
        self.started[key] = self.clock()
        self.cells[key] = (0, event.cells)
        if self.live:
            name = f"{named(self.names, event.target)} {event.role}"
            self.bars[key] = self.progress.add_task(name, total=max(1, event.cells), tail=f"0/{event.cells} cells")

    def _cell(self, event: CellDone) -> None:
        key = (event.target, event.role)
        self.cells[key] = (event.done, event.cells)
        if self.live:
            tail = (
                f"{event.done}/{event.cells} cells   {self.failures.get(key, 0)} FAIL{_of_these(self.known.get(key))}"
            )
            self.progress.update(self.bars[key], completed=event.done, tail=tail)
        elif self.says_now():
            done = ", ".join(
                f"{named(self.names, t)} {role} {n}/{total}" for (t, role), (n, total) in self.cells.items()
            )
            self.out.print(f"  cells: {done}")

    def _done(self, result: RoleRun) -> None:
        key = (result.target, result.role)
        self.told.add(key)
        line = role_line(result, self.names, known=self.known.get(key, 0))
        if self.live and key in self.bars:
            total = max(1, result.cells)
            self.progress.update(self.bars[key], total=total, completed=total, tail=line)
        else:
            self._line(result, line)

    def _line(self, result: RoleRun, line: str) -> None:
        self.out.print(f"  {named(self.names, result.target)} {result.role}  {line}")

    # ------------------------------------------------------------------------------------------------------- findings

    def _finding(self, finding: Finding) -> None:
        key = (finding.target, finding.role)
        if finding.grade is Grade.DEVIATION:
            self.deviations.append(finding)
            return
        known = self.is_known(finding)
        if finding.grade.is_failure:
            self.failures[key] = self.failures.get(key, 0) + 1
            self.known[key] = self.known.get(key, 0) + known
        out = self.progress.console if self.live else self.out
        print_finding(out, finding, self.report, self.names, known=known)

    # -------------------------------------------------------------------------------------------------------- verdict

    def finish(self, judgement: Judgement, written: Iterable[str] = (), notes: Iterable[str] = ()) -> None:
        """Print the deviations, the verdict, what was left out, and what was written."""
        print_deviations(self.out, self.deviations, self.report, self.names, self.is_known)
        for role in judgement.run.roles if judgement.run.interrupted else ():
            if (role.target, role.role) not in self.told:
                self._line(role, role_line(role, self.names))
        whole_s = self.clock() - self.began if self.began is not None else 0.0
        for line in verdict_lines(judgement, whole_s):
            self.out.print(line)
        names = list(written)
        if names and self.report is not None:
            self.out.print(f"written to {visible(str(self.report))}: {visible(listing(names))}")
        for note in dict.fromkeys(notes):
            self.out.print(f"note: {visible(note)}")


def listing(names: list[str]) -> str:
    """The files of a report in few words: what stands for a finding is counted, not listed."""
    of_findings = {name for name in names if name.split(".")[0] + ".json" in names and not name.startswith("run.")}
    findings = sorted({name.split(".")[0] for name in of_findings})
    kinds = sorted({name.split(".", 1)[1] for name in of_findings})
    parts = [name for name in names if name not in of_findings]
    if findings:
        parts.append(f"{_in_braces(findings)}.{_in_braces(kinds)}")
    return ", ".join(parts)


def _in_braces(names: Sequence[str]) -> str:
    """Names as a shell takes them together: one alone, several in braces."""
    return names[0] if len(names) == 1 else f"{{{','.join(names)}}}"


def role_line(result: RoleRun, names: Mapping[str, str] | None = None, *, known: int = 0) -> str:
    """What came of a role, in one line. known: how many of its failures a baseline has."""
    if result.error:
        return f"NOT TESTED: {shortened(result.error, names or short_names([result.target]))}"
    failures = sum(finding.grade.is_failure for finding in result.findings)
    cells = f"{result.cells_run}/{result.cells} cells"
    return f"{cells}   {rows_text(result)}   {failures} FAIL{_of_these(known)}   {result.wall_s:.1f} s"


def _of_these(known: int | None) -> str:
    return f" ({known} known)" if known else ""


def print_findings(
    out: Console,
    findings: Iterable[Finding],
    report: Path | None,
    names: Mapping[str, str],
    is_known: Callable[[Finding], bool] = lambda _: False,
) -> None:
    """Findings in their order, then the deviations: those that are answered alike as one."""
    listed = list(findings)
    for finding in listed:
        if finding.grade is not Grade.DEVIATION:
            print_finding(out, finding, report, names, known=is_known(finding))
    deviations = [finding for finding in listed if finding.grade is Grade.DEVIATION]
    print_deviations(out, deviations, report, names, is_known)


def print_deviations(
    out: Console,
    findings: Sequence[Finding],
    report: Path | None,
    names: Mapping[str, str],
    is_known: Callable[[Finding], bool] = lambda _: False,
) -> None:
    """Deviations: those of one role in one state that got the same answer have one cause, and are one entry."""
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        key = (finding.target, finding.role, finding.state, finding.got, str(is_known(finding)))
        groups.setdefault(key, []).append(finding)
    for first, *others in groups.values():
        print_finding(out, first, report, names, known=is_known(first), others=others)


def print_finding(
    out: Console,
    finding: Finding,
    report: Path | None,
    names: Mapping[str, str] | None = None,
    *,
    known: bool = False,
    others: Sequence[Finding] = (),
) -> None:
    """A finding: what, where, how it went, what the standard says, how to see it again. others: that are like it."""
    style = STYLES.get(finding.grade, "bold red")
    confirmed, tried = finding.seen
    steps = f"{len(finding.word)} step{'' if len(finding.word) == 1 else 's'}"
    head = Text(f"{MARKS.get(finding.grade, '✗')} {finding.grade.value}", style=style)
    head.append(f"   {visible(finding.title)}", style="bold")
    head.append(f"   id {finding.id}   ({steps}, seen {confirmed}/{tried})", style="dim")
    if known:
        head.append("   known from the baseline", style="dim")
    out.print(head)
    indent = "   "
    out.print(
        f"{indent}check {finding.check} · {finding.role} of {named(names or {}, finding.target)} · {finding.setup}",
        style="dim",
    )
    for line in chart_lines(finding.trace):
        out.print(indent + line)
    required = required_text(finding.expected, finding.role, finding.check)
    out.print(f"{indent}required: {visible(required)}; came: {visible(finding.got)}")
    if finding.sentence:
        said = f'{finding.clause}: "{visible(finding.sentence)}"'
        for line in textwrap.wrap(said, max(40, min(out.width, 120) - len(indent))):
            out.print(indent + line)
    elif finding.clause:
        out.print(indent + finding.clause)
    command, files = visible(again(finding)), _files_of(finding, report)
    if "--on" in command and files:  # a whole command stands in its line alone, where it can be taken from
        out.print(f"{indent}again: {command}")
        out.print(f"{indent}{files}")
    else:
        out.print(f"{indent}again: {command}{'    ' if files else ''}{files}")
    if others:
        inputs = [f"{visible(other.input or other.check)} (id {other.id})" for other in others[:ALIKE_MOST]]
        more = f" and {len(others) - ALIKE_MOST} more" if len(others) > ALIKE_MOST else ""
        said = f"answered alike, {len(others)} more DEVIATION: {', '.join(inputs)}{more}"
        for line in textwrap.wrap(said, max(40, min(out.width, 120) - len(indent))):
            out.print(indent + line)


def _files_of(finding: Finding, report: Path | None) -> str:
    """Which files show the finding; "" where none were written."""
    if report is None:
        return ""
    kinds = [kind for kind in ("svg", "gv", "pcapng", "py") if (report / f"{finding.id}.{kind}").exists()]
    names = {"svg": "picture", "gv": "picture", "pcapng": "Wireshark file", "py": "test"}
    what = ", ".join(dict.fromkeys(names[kind] for kind in kinds))
    return f"{what}: {visible(str(report / finding.id))}.{_in_braces(kinds)}" if kinds else ""


def _seconds_text(audit_s: float, whole_s: float) -> str:
    """How long it took, with what lies around the audit itself where that is known."""
    if whole_s <= audit_s:
        return f"{audit_s:.1f} s"
    return f"{whole_s:.1f} s, of which {audit_s:.1f} s the audit itself"


def verdict_lines(judgement: Judgement, whole_s: float = 0.0) -> list[Text]:
    """The last lines: verdict, counts, what was left out, what was not tested and why.

    whole_s: how long it took with its start and the writing of reports; 0 where that is not known.
    """
    run = judgement.run
    styles = {"CONFORMING": "bold yellow" if judgement.lapsed else "bold green", "NOT CONFORMING": "bold red"}
    style = styles.get(judgement.verdict, "bold yellow")
    names = judgement.names
    lines: list[Text] = []
    for finding, entry in judgement.accepted:
        lines.append(
            Text(f"accepted until {entry.until}: {finding.check} of {named(names, finding.target)}: {entry.reason}")
        )
    for finding, entry in judgement.expired:
        whose = named(names, finding.target)
        text = f"no longer accepted, since {entry.until}: {finding.check} of {whose}: {entry.reason}"
        lines.append(Text(text, style="yellow"))
    for entry in judgement.idle:
        whose = f" of {visible(entry.target)}" if entry.target else ""
        text = f"accepts nothing, take it out of the configuration: {visible(entry.rule)}{whose}: {entry.reason}"
        lines.append(Text(text, style="yellow"))
    for finding in judgement.known:
        lines.append(Text(f"known: {finding.grade.value} {finding.check} of {named(names, finding.target)}"))
    for known in judgement.fixed:
        whose = f"{named(names, known.target)} {visible(known.role)}"
        text = f"fixed: {visible(known.grade)} {visible(known.check)} of {whose}"
        lines.append(Text(text, style="green"))
    untested = [role for role in run.roles if not role.is_tested and not role.error]
    for role in untested:
        ran = f"{role.cells_run} of {cells_text(role.cells)} ran, under half"
        text = f"not tested: {named(names, role.target)} {role.role}: {ran}"
        lines.append(Text(text, style="yellow"))
    lines += [Text(line) for line in _reasons(judgement, names)]
    lines += [Text(f"{named(names, role.target)} {role.role}: {said}") for role in run.roles for said in role.complete]
    last = Text(judgement.verdict, style=style)
    last.append(f"   {judgement.counts} · left out: {judgement.left_out}", style="not bold")
    if judgement.not_reached:
        last.append(f" · not reached: {judgement.not_reached}, see the reasons", style="not bold")
    rate = f" · {run.words_per_s:.0f} words/s" if run.words_per_s else ""
    last.append(f"{rate} · {_seconds_text(run.seconds, whole_s)}", style="not bold")
    lines.append(last)
    return lines


def _reasons(judgement: Judgement, names: Mapping[str, str]) -> list[str]:
    """Why something was not tested, a line for each reason: those of most cells, and how many more there are."""
    reasons = judgement.not_tested
    lines = []
    for reason, cells in reasons[:REASONS_MOST]:
        text = shortened(reason, names)
        text = text if len(text) <= REASON_LENGTH else f"{text[: REASON_LENGTH - 1]}…"
        lines.append(f"not tested: {f'{cells_text(cells)}: ' if cells else ''}{text}")
    rest = [cells for _, cells in reasons[REASONS_MOST:]]
    if rest:
        more = f"{len(rest)} more reason{'' if len(rest) == 1 else 's'}"
        lines.append(f"not tested: and {more}{f', {cells_text(sum(rest))}' if sum(rest) else ''}")
    return lines
