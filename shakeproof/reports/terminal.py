"""A run on a terminal: progress, each finding as soon as it is confirmed, the verdict last on one screen."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn
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
from shakeproof.reports.chart import chart_lines
from shakeproof.reports.summary import Judgement, rows_text

SAY_EVERY_S = 5.0
"""Where the output is no terminal, a line this often: enough for a log, and a CI sees that it lives."""

BAR_WIDTH = 24
"""Columns: leaves room for the counts on a terminal of 100."""

REASONS_MOST = 4
"""Reasons for not testing in the last lines; the JSON report has all of them."""

STYLES = {Grade.DEVIATION: "yellow", Grade.WARNING: "yellow", Grade.NOTE: "dim", Grade.INCONCLUSIVE: "dim"}
MARKS = {Grade.DEVIATION: "~", Grade.WARNING: "!", Grade.NOTE: "·", Grade.INCONCLUSIVE: "?"}

Key = tuple[str, str]


class _Tail(ProgressColumn):
    """What stands behind a bar; cut, not wrapped, where the terminal is narrow."""

    def __init__(self) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))

    def render(self, task: Task) -> Text:
        return Text(str(task.fields.get("tail", "")), no_wrap=True, overflow="ellipsis")


class TerminalReport:
    """Listens to a run. Use as a context manager around it, then call `finish`.

    report: the folder that the pictures go to; clock: seconds, monotonic.
    """

    def __init__(
        self, out: Console, *, report: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.out, self.report, self.clock = out, report, clock
        self.started: dict[Key, float] = {}
        self.cells: dict[Key, tuple[int, int]] = {}
        self.failures: dict[Key, int] = {}
        self.bars: dict[Key, TaskID] = {}
        self.said = clock()
        self.live = out.is_terminal
        self.progress = Progress(
            TextColumn("  {task.description}", markup=False, table_column=Column(no_wrap=True)),
            BarColumn(bar_width=BAR_WIDTH),
            _Tail(),
            console=out,
            auto_refresh=True,
            disable=not self.live,
        )

    def __enter__(self) -> TerminalReport:
        if self.live:
            self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self.progress.stop()

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
            name = f"{visible(event.target)} {event.role}"
            self.bars[key] = self.progress.add_task(name, total=max(1, event.cells), tail=f"0/{event.cells} cells")

    def _cell(self, event: CellDone) -> None:
        key = (event.target, event.role)
        self.cells[key] = (event.done, event.cells)
        if self.live:
            tail = f"{event.done}/{event.cells} cells   {self.failures.get(key, 0)} FAIL"
            self.progress.update(self.bars[key], completed=event.done, tail=tail)
        elif self.clock() - self.said >= SAY_EVERY_S:
            self.said = self.clock()
            done = ", ".join(f"{visible(t)} {role} {n}/{total}" for (t, role), (n, total) in self.cells.items())
            self.out.print(f"  cells: {done}")

    def _done(self, result: RoleRun) -> None:
        key = (result.target, result.role)
        line = role_line(result)
        if self.live and key in self.bars:
            total = max(1, result.cells)
            self.progress.update(self.bars[key], total=total, completed=total, tail=line)
        else:
            self.out.print(f"  {visible(result.target)} {result.role}  {line}")

    # ------------------------------------------------------------------------------------------------------- findings

    def _finding(self, finding: Finding) -> None:
        key = (finding.target, finding.role)
        if finding.grade.is_failure:
            self.failures[key] = self.failures.get(key, 0) + 1
        out = self.progress.console if self.live else self.out
        print_finding(out, finding, self.report)

    # -------------------------------------------------------------------------------------------------------- verdict

    def finish(self, judgement: Judgement, written: Iterable[str] = (), notes: Iterable[str] = ()) -> None:
        """Print the verdict, what was left out, and what was written."""
        for line in verdict_lines(judgement):
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
        parts.append(f"{{{','.join(findings)}}}.{{{','.join(kinds)}}}")
    return ", ".join(parts)


def role_line(result: RoleRun) -> str:
    """What came of a role, in one line."""
    if result.error:
        return f"NOT TESTED: {visible(result.error)}"
    failures = sum(finding.grade.is_failure for finding in result.findings)
    rate = f", {result.words / result.seconds:.0f} words/s" if result.seconds else ""
    cells = f"{result.cells_run}/{result.cells} cells"
    return f"{cells}   {rows_text(result)}   {failures} FAIL   {result.seconds:.1f} s{rate}"


def print_finding(out: Console, finding: Finding, report: Path | None) -> None:
    """A finding: what, where, how it went, what the standard says, how to see it again."""
    style = STYLES.get(finding.grade, "bold red")
    confirmed, tried = finding.seen
    steps = f"{len(finding.word)} step{'' if len(finding.word) == 1 else 's'}"
    head = Text(f"{MARKS.get(finding.grade, '✗')} {finding.grade.value}", style=style)
    head.append(f"   {visible(finding.title)}", style="bold")
    head.append(f"   id {finding.id}   ({steps}, seen {confirmed}/{tried})", style="dim")
    out.print(head)
    indent = "   "
    out.print(
        f"{indent}check {finding.check} · {finding.role} of {visible(finding.target)} · {finding.setup}", style="dim"
    )
    for line in chart_lines(finding.trace):
        out.print(indent + line)
    out.print(f"{indent}required: {visible(finding.expected)}; came: {visible(finding.got)}")
    if finding.sentence:
        said = f'{finding.clause}: "{visible(finding.sentence)}"'
        for line in textwrap.wrap(said, max(40, min(out.width, 120) - len(indent))):
            out.print(indent + line)
    elif finding.clause:
        out.print(indent + finding.clause)
    again = f"again: shakeproof replay {finding.id}"
    out.print(f"{indent}{again}{_files_of(finding, report)}")


def _files_of(finding: Finding, report: Path | None) -> str:
    """Which files show the finding; "" where none were written."""
    if report is None:
        return ""
    kinds = [kind for kind in ("svg", "gv", "pcapng", "py") if (report / f"{finding.id}.{kind}").exists()]
    what = "picture, Wireshark file, test" if "pcapng" in kinds else "picture, test"
    return f"    {what}: {visible(str(report / finding.id))}.{{{','.join(kinds)}}}" if kinds else ""


def verdict_lines(judgement: Judgement) -> list[Text]:
    """The last lines: verdict, counts, what was left out, what was not tested and why."""
    run = judgement.run
    style = {"CONFORMING": "bold green", "NOT CONFORMING": "bold red"}.get(judgement.verdict, "bold yellow")
    reasons = judgement.not_tested
    shown = [
        f"{visible(reason)} ({cells} cells)" if cells else visible(reason) for reason, cells in reasons[:REASONS_MOST]
    ]
    if len(reasons) > REASONS_MOST:
        rest = sum(cells for _, cells in reasons[REASONS_MOST:])
        shown.append(f"{len(reasons) - REASONS_MOST} more reasons ({rest} cells)")
    lines: list[Text] = []
    for finding, entry in judgement.accepted:
        lines.append(
            Text(f"accepted until {entry.until}: {finding.check} of {visible(finding.target)}: {entry.reason}")
        )
    for finding, entry in judgement.expired:
        text = f"no longer accepted, since {entry.until}: {finding.check} of {visible(finding.target)}: {entry.reason}"
        lines.append(Text(text, style="yellow"))
    untested = [role for role in run.roles if not role.is_tested and not role.error]
    for role in untested:
        text = f"not tested: {visible(role.target)} {role.role}: {role.cells_run} of {role.cells} cells ran, under half"
        lines.append(Text(text, style="yellow"))
    last = Text(judgement.verdict, style=style)
    last.append(f"   {judgement.counts} · left out: {judgement.left_out}", style="not bold")
    last.append(f" · not tested: {', '.join(shown) or 'nothing'}", style="not bold")
    last.append(f" · {run.seconds:.1f} s", style="not bold")
    lines.append(last)
    return lines
