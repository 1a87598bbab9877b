"""The detection table: one line for each planted fault, what each engine needed for it side by side."""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.table import Table

from shakeproof.properties.detection import HYPOTHESIS, SUITE, Row

CLEAN_TITLE = "(none: clean)"
SILENT, MISSED, ALARM = "silent", "MISSED", "FALSE ALARM"
NOT_RUN = "-"
"""In place of the steps of an engine that does not look for such faults."""
NAMES = {SUITE: "suite", HYPOTHESIS: "Hypothesis"}


@dataclass(frozen=True)
class Column:
    """A column. is_number: set to the right."""

    title: str
    is_number: bool = False


@dataclass(frozen=True)
class Line:
    """A fault before every engine. is_right: each engine found it, or left the clean implementation in peace."""

    cells: tuple[str, ...]
    is_right: bool


class Detections:
    """The table of these rows, which are grouped by rogue; the clean implementation is one."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.by_rogue: dict[str, dict[str, Row]] = {}
        for row in rows:
            self.by_rogue.setdefault(row.rogue, {})[row.engine] = row
        self.engines = [name for name in NAMES if any(name in group for group in self.by_rogue.values())]
        self.is_repeated = any(row.seeds > 1 for row in rows)
        self.planted = [row for row in rows if row.rogue]
        self.missed = [row for row in self.planted if not row.is_right]
        self.alarms = [row for row in rows if not row.rogue and row.found]

    @property
    def columns(self) -> list[Column]:
        """The columns. found: with how many seeds, where there are several."""
        found = [Column("rogue")]
        for engine in self.engines:
            first, *others = [*(["found"] if self.is_repeated else []), "steps", "shrunk", "s"]
            found += [Column(f"{NAMES[engine]}: {first}", True), *(Column(title, True) for title in others)]
        return [*found, Column("verdict"), Column("clause")]

    def lines(self) -> Iterator[Line]:
        """The lines. Verdict and clause are the first engine's that looked."""
        for rogue, group in self.by_rogue.items():
            cells = [rogue or CLEAN_TITLE]
            for engine in self.engines:
                cells += self._numbers(group.get(engine))
            is_right = all(row.is_right for row in group.values())
            told = next(row for row in (*(row for row in group.values() if not row.is_right), *_ordered(group)))
            yield Line((*cells, _verdict(told), short_clause(told.first.clause)), is_right)

    def _numbers(self, row: Row | None) -> list[str]:
        if row is None:
            return [*[""] * self.is_repeated, NOT_RUN, "", ""]
        found = [f"{row.found}/{row.seeds}"] if self.is_repeated else []
        return [*found, str(row.steps), str(row.shrunk) if row.found else "", f"{row.seconds:.2f}"]

    def differences(self) -> list[tuple[str, str]]:
        """Where the engines say different things of a fault that all of them found: its name, and what each says."""
        found = []
        for rogue, group in self.by_rogue.items():
            said = {
                NAMES[row.engine]: f"{row.first.verdict} {short_clause(row.first.clause)}".strip()
                for row in _ordered(group)
                if row.rogue and row.is_right
            }
            if len(set(said.values())) > 1:
                found.append((rogue, ", ".join(f"{text} by {engine}" for engine, text in said.items())))
        return found

    def summary(self) -> list[str]:
        """The speed, where a fault was planted, and how it ended."""
        lines = []
        if self.planted:
            median = statistics.median(row.seconds for row in self.planted)
            slowest = max(self.planted, key=lambda row: row.slowest_s)
            lines.append(
                f"median {median:.2f} s · slowest {slowest.slowest_s:.1f} s ({slowest.rogue} by {slowest.engine}) · "
                f"clean implementation: {ALARM if self.alarms else SILENT}"
            )
        lines += [f"MISSED   {row.rogue} by {row.engine}: {row.found} of {row.seeds} seeds" for row in self.missed]
        lines += [f"ALARM    on the clean implementation by {row.engine}: {row.first.what}" for row in self.alarms]
        if not self.missed and not self.alarms:
            count = len({row.rogue for row in self.planted})
            lines.append(f"ALL FOUND   {count} of {count}")
        return lines

    # ------------------------------------------------------------------------------------------------------- as what

    def as_table(self) -> Table:
        """For the terminal."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in self.columns:
            table.add_column(column.title, justify="right" if column.is_number else "left", no_wrap=True)
        for line in self.lines():
            table.add_row(*line.cells, style="" if line.is_right else "red")
        return table

    def as_markdown(self) -> str:
        """For a page, its columns aligned in the source too; what ended it stands below."""
        columns, lines = self.columns, [line.cells for line in self.lines()]
        titles = tuple(column.title for column in columns)
        widths = [max(3, *map(len, cells)) for cells in zip(titles, *lines, strict=True)]
        rule = [
            "-" * (width - 1) + ":" if column.is_number else "-" * width
            for column, width in zip(columns, widths, strict=True)
        ]
        rows = [
            [
                cell.rjust(width) if column.is_number else cell.ljust(width)
                for cell, column, width in zip(cells, columns, widths, strict=True)
            ]
            for cells in (titles, *lines)
        ]
        table = [f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:])]
        others = "; ".join(f"{rogue}: {said}" for rogue, said in self.differences())
        below = [*self.summary(), *([f"Where the engines differ: {others}."] if others else [])]
        return "\n\n".join(["\n".join(table), *below])


def _ordered(group: dict[str, Row]) -> list[Row]:
    return [group[engine] for engine in NAMES if engine in group]


def _verdict(row: Row) -> str:
    if row.is_right:
        return row.first.verdict or SILENT
    return MISSED if row.rogue else ALARM


def short_clause(clause: str) -> str:
    """A clause as tables have it: "5246 §7.1"."""
    return re.sub(r"^(?:RFC )?(\d+) (?:section |§)", r"\1 §", clause)
