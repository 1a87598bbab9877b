"""Property tests on a terminal: progress, each failure as a run to paste, statistics, the verdict last."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.progress import TaskID, TextColumn
from rich.table import Column
from rich.text import Text

from shakeproof.console import visible
from shakeproof.properties.stateful import (
    MACHINES,
    Failure,
    MachineDone,
    MachineProgress,
    MachineStarted,
    TestEvent,
    TestRun,
)
from shakeproof.reports.chart import chart_lines
from shakeproof.reports.live import LiveReport

FIRST_KINDS = ("reordered", "replayed", "forged", "expired certificate")
"""Kinds of message that stand first in the statistics: without them a run proves little."""

NAMED = 8
"""Rows that are named of those never exercised: a run of a few seconds has dozens."""


class PropertiesReport(LiveReport):
    """Listens to a run of properties. Use as a context manager around it, then call `finish`."""

    def __init__(self, out: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        column = Column(no_wrap=True)
        super().__init__(out, TextColumn("{task.fields[tail]}", markup=False, table_column=column), clock)
        self.bars: dict[str, TaskID] = {}

    def __call__(self, event: TestEvent) -> None:
        if isinstance(event, MachineStarted):
            if self.live:
                self.bars[event.machine] = self.progress.add_task(
                    f"{event.machine:<12}", total=event.examples, tail=event.sentence
                )
        elif isinstance(event, MachineProgress):
            if self.live:
                # Runs that come to nothing are not among those that were planned.
                done = min(event.runs, event.examples)
                tail = f"{event.runs} runs, {event.steps} steps"
                self.progress.update(self.bars[event.machine], completed=done, tail=tail)
            elif self.says_now():
                self.out.print(f"  {event.machine}: {event.runs} of {event.examples} runs")
        elif isinstance(event, MachineDone):
            line = done_line(event)
            if self.live:
                bar = self.bars[event.machine]
                self.progress.update(bar, total=1, completed=1, tail=line)
            else:
                self.out.print(f"  {event.machine:<12} {line}")

    def finish(self, run: TestRun, written: Mapping[int, Path]) -> None:
        """Print failures, statistics and the verdict. written: where a failure's code was saved, by its place."""
        for index, failure in enumerate(run.failures):
            print_failure(self.out, failure, run, written.get(index))
        for name, reason in run.skipped.items():
            self.out.print(f"  {name:<12} left out: {reason}")
        for line in (*statistics(run), *exercised(run)):
            self.out.print(line)
        self.out.print(verdict_line(run))


def done_line(event: MachineDone) -> str:
    """What came of a machine."""
    tally = event.tally
    open_part = f"{tally.open_steps / tally.steps:.0%}" if tally.steps else "0%"
    verdict = f"FAILED {event.failure.property}" if event.failure else "held"
    return f"{tally.examples} runs, {tally.steps} steps, {open_part} of them open   {verdict}   {event.seconds:.1f} s"


def print_failure(out: Console, failure: Failure, run: TestRun, path: Path | None) -> None:
    """A property that does not hold: what happened, the run as a chart and as code."""
    head = Text(f"✗ {failure.property}", style="bold red")
    head.append(f"   found by the {failure.machine} machine, {failure.calls} steps, seed {run.seed}", style="dim")
    out.print(head)
    for line in failure.text.splitlines():
        out.print(f"   {visible(line)}")
    for line in chart_lines(failure.trace):
        out.print(f"   {line}")
    out.print(f"   to paste{f', also in {visible(str(path))}' if path is not None else ''}:")
    out.print()
    for line in failure.code.splitlines():
        out.print(visible(line))
    out.print()


def statistics(run: TestRun) -> Iterator[str]:
    """How often each kind of message reached an endpoint that was still open, by machine."""
    kinds: dict[str, None] = dict.fromkeys(FIRST_KINDS)
    rest = sorted({kind for tally in run.tallies.values() for kind in tally.reached} - set(kinds))
    kinds |= dict.fromkeys(rest)
    names = [name for name in MACHINES if name in run.tallies]
    if not names:
        return
    width = max(len(kind) for kind in kinds)
    yield "messages that reached an open endpoint"
    yield f"  {'':<{width}}" + "".join(f"{name:>13}" for name in names) + f"{'in all':>10}"
    for kind in kinds:
        counts = [run.tallies[name].reached[kind] for name in names]
        yield f"  {kind:<{width}}" + "".join(f"{count:>13}" for count in counts) + f"{sum(counts):>10}"


def exercised(run: TestRun) -> Iterator[str]:
    """The rows that were exercised, by role, and the rules that ran; those that were not by name. Nothing of a run that
    ended with what it found.
    """
    if run.failures or not run.tallies:
        return
    yield "rows exercised, of those that our implementation can come to"
    for coverage in run.coverage():
        choices = f"   {len(coverage.choices)} more are choices that it makes otherwise" if coverage.choices else ""
        yield f"  {coverage.role:<14}{len(coverage.exercised)} of {coverage.reachable}{choices}"
        for row in coverage.never[:NAMED]:
            yield f"    never: {visible(row.id)}"
        if len(coverage.never) > NAMED:
            yield f"    and {len(coverage.never) - NAMED} more"
    for name, rules in run.idle_rules().items():
        yield f"rules of the {name} machine that never ran: {', '.join(rules)}"


def verdict_line(run: TestRun) -> Text:
    """The last line."""
    held = sum(result.passed for result in run.results)
    untested = [result.name for result in run.results if not result.is_tested]
    if run.failures:
        verdict = Text("FAILED", style="bold red")
        names = list(dict.fromkeys(failure.property for failure in run.failures))
        verdict.append(f"   {', '.join(names)}", style="not bold")
    elif untested:
        verdict = Text("NOT TESTED", style="bold yellow")
    else:
        verdict = Text("HELD", style="bold green")
    verdict.append(f"   {held} of {len(run.results)} properties held", style="not bold")
    if untested:
        verdict.append(f" · not tested: {', '.join(untested)}", style="not bold")
    tally = run.tally
    verdict.append(
        f" · {tally.examples} runs, {tally.steps} steps, {tally.open_steps} of them open"
        f" · seed {run.seed} · {run.seconds:.1f} s",
        style="not bold",
    )
    return verdict
