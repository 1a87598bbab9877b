"""Rules by stacks: one row for each rule that some stack breaks, one column for each stack.

Plain data and its drawing. A cell has a symbol and a word beside its colour, so that it reads in grey too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from math import ceil

from shakeproof.diagrams.canvas import Canvas
from shakeproof.diagrams.figure import Figure
from shakeproof.diagrams.machine_parts import MARGIN
from shakeproof.diagrams.palette import (
    BAD,
    CARD,
    GREEN,
    GREY,
    INK,
    LATE,
    LINE,
    MUTED,
    NOTE,
    NOTE_EDGE,
    OK,
    ON_FILL,
    Colour,
    tint,
)
from shakeproof.diagrams.text_width import clean, elide, text_width, wrap

ROW, CELL_LEAST, GAP = 21.0, 62.0, 4.0
MANY = 6
"""Stacks from which on columns are narrow: the names stand on several lines above them, each with its line down."""
CELL_NARROW, LABEL_NARROW = 47.0, 372.0
HEAD = 14.0
"""Points from one line of names to the next."""
LABEL_MOST = 430.0
"""Points for the rule and its clause: the longest are cut, the table in the terminal has them whole."""
NAME_MOST = 120.0
"""Points for a stack's name: commands are longer, and cut."""
ROWS_MOST = 80
"""Rules of one role in a picture: what is beyond is counted, and stands in the printed table."""


class Mark(Enum):
    """What is to say of a rule and a stack: symbol and word."""

    CRASH = "✗ CRASH"
    HANG = "✗ HANG"
    FAIL = "✗ FAIL"
    DEVIATION = "~ dev"
    WARNING = "! warn"
    UNSURE = "? unsure"
    GOOD = "✓"
    UNREACHED = "·"
    NOT_TESTED = "–"

    @property
    def fill(self) -> Colour | None:
        """Of its cell."""
        return _LOOK[self][0]

    @property
    def edge(self) -> Colour | None:
        """Of its cell."""
        return _LOOK[self][1]

    @property
    def ink(self) -> Colour:
        """Of its symbol and word."""
        return _LOOK[self][2]


_LOOK: dict[Mark, tuple[Colour | None, Colour | None, Colour]] = {
    Mark.CRASH: (BAD, BAD, ON_FILL),
    Mark.HANG: (BAD, BAD, ON_FILL),
    Mark.FAIL: (BAD, BAD, ON_FILL),
    Mark.DEVIATION: (NOTE, NOTE_EDGE, INK),
    Mark.WARNING: (CARD, LATE, LATE),
    Mark.UNSURE: (CARD, LINE, MUTED),
    Mark.GOOD: (GREEN, None, OK),
    Mark.UNREACHED: (None, None, MUTED),
    Mark.NOT_TESTED: (GREY, None, MUTED),
}

HALF = 50
"""Per cent of the cells: where fewer ran, a role counts as not tested."""
UNDER_HALF = "per cent, or n/m cells: how much of the role ran; under half (<½): the role counts as not tested"

LEGEND = (
    (Mark.FAIL, "breaks a MUST"),
    (Mark.DEVIATION, "stops, but otherwise than required"),
    (Mark.WARNING, "a SHOULD is not followed"),
    (Mark.UNSURE, "did not repeat, or a timer alone tells"),
    (Mark.GOOD, "gone through, nothing found"),
    (Mark.UNREACHED, "not reached"),
    (Mark.NOT_TESTED, "role not there, or can't be tested"),
)


FAILING = (Mark.CRASH, Mark.HANG, Mark.FAIL)


@dataclass(frozen=True, slots=True)
class Cell:
    """One rule of one stack. excused: accepted by the user."""

    mark: Mark
    excused: bool = False

    @property
    def text(self) -> str:
        """For people."""
        return f"({self.mark.value})" if self.excused else self.mark.value


@dataclass(frozen=True, slots=True)
class Rule:
    """One row. text: the rule in words; clause: its authority; cells: in the order of the stacks."""

    text: str
    clause: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """The rules of one role. tested: what was tested of each stack, "" where it does not take the role; shares: per
    cent of its cells that ran, None where it can't be said.
    """

    title: str
    tested: tuple[str, ...]
    rules: tuple[Rule, ...]
    shares: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rules by stacks. stacks: names; notes: lines below."""

    title: str
    stacks: tuple[str, ...]
    groups: tuple[Group, ...]
    subtitle: str = ""
    notes: tuple[str, ...] = ()

    def sentences(self) -> list[str]:
        """The matrix in words."""
        said = []
        for group in self.groups:
            for rule in group.rules:
                bad = [
                    f"{name} {cell.text}"
                    for name, cell in zip(self.stacks, rule.cells, strict=True)
                    if cell.mark not in (Mark.GOOD, Mark.UNREACHED, Mark.NOT_TESTED)
                ]
                said.append(f"{group.title}, {rule.text} ({rule.clause}): {', '.join(bad)}.")
            if not group.rules:
                said.append(f"{group.title}: nothing was found.")
        return [clean(line) for line in (self.subtitle, *said, *self.notes) if line]


def draw_matrix(matrix: Matrix, *, theme: str | None = None) -> Figure:
    """The picture of `matrix`. theme: None (one SVG for both), "light" or "dark"."""
    canvas = Canvas(theme)
    names = [elide(clean(name), 9.5, NAME_MOST, bold=True) for name in matrix.stacks]
    widest = max([0.0, *(text_width(name, 9.5, bold=True) + 12 for name in names)])
    many = len(names) > MANY
    cells = CELL_NARROW if many else max(CELL_LEAST, widest)
    levels = max(1, ceil(widest / (cells + GAP))) if many else 1
    label = min(_label_width(matrix), LABEL_NARROW) if many else _label_width(matrix)
    left = MARGIN + label + 14.0
    width = max(left + (cells + GAP) * len(names) + MARGIN, 520.0)
    canvas.text(MARGIN, 24, matrix.title, 16, INK, bold=True, anchor="start")
    y = 46.0
    for line in wrap(clean(matrix.subtitle), 10, width - 2 * MARGIN):
        canvas.text(MARGIN, y, line, 10, MUTED, anchor="start")
        y += 14.0
    y += 12.0
    for index, name in enumerate(names):
        middle = left + (cells + GAP) * index + cells / 2
        above = y + HEAD * (index % levels)
        if index % levels < levels - 1:
            canvas.line([(middle, above + 7.0), (middle, y + HEAD * (levels - 1) + 7.0)], LINE, 0.8)
        canvas.text(middle, above, name, 9.5, INK, bold=True, tooltip=matrix.stacks[index])
    y += 16.0 + HEAD * (levels - 1)
    for group in matrix.groups:
        y = _draw_group(canvas, group, y, left, cells, width, label) + 12.0
    y = _draw_legend(canvas, y, width)
    for note in (UNDER_HALF, *matrix.notes):
        for line in wrap(clean(note), 9, width - 2 * MARGIN):
            canvas.text(MARGIN, y, line, 9, MUTED, anchor="start", css="note")
            y += 13.0
    drawing = canvas.finish(width, y + MARGIN - 10.0, "matrix")
    return Figure(
        title=clean(matrix.title),
        dot_source=drawing.source,
        plain=matrix_text(matrix),
        sentences=tuple(matrix.sentences()),
        theme=theme,
        places=drawing.texts,
    )


def _label_width(matrix: Matrix) -> float:
    rules = [rule for group in matrix.groups for rule in group.rules[:ROWS_MOST]]
    wide = [text_width(clean(rule.text), 9) + text_width(clean(rule.clause), 8) + 18 for rule in rules]
    return min(LABEL_MOST, max([180.0, *wide]))


def together(rules: Sequence[Rule]) -> list[Rule]:
    """The rules as they are drawn: failures each for itself; of others, those in which no stack differs as one row."""
    drawn: list[Rule] = []
    alike: dict[tuple[Cell, ...], list[Rule]] = {}
    for rule in rules:
        if any(cell.mark in FAILING for cell in rule.cells):
            drawn.append(rule)
        else:
            alike.setdefault(rule.cells, []).append(rule)
    for cells, same in alike.items():
        if len(same) == 1:
            drawn += same
            continue
        clauses = {rule.clause for rule in same}
        text = f"{len(same)} rules alike: {', '.join(rule.text for rule in same)}"
        drawn.append(Rule(text, clauses.pop() if len(clauses) == 1 else "", cells))
    return drawn


def _draw_group(canvas: Canvas, group: Group, y: float, left: float, cells: float, width: float, label: float) -> float:
    fill, strong = tint("tls")
    rules = together(group.rules)
    shown = rules[:ROWS_MOST]
    canvas.panel(MARGIN - 8, y, width - 2 * MARGIN + 16, 24.0, fill, fill, css="head")
    canvas.text(MARGIN, y + 12, group.title, 10.5, strong, bold=True, anchor="start", css="head")
    for index, told in enumerate(group.tested):
        share = group.shares[index] if group.shares else None
        text, colour = (told or "–", MUTED) if share is None else (f"{share} %", MUTED)
        if share is not None and share < HALF:
            text, colour = f"{share} % <½", LATE
        head = elide(text, 8, cells + GAP)
        canvas.text(left + (cells + GAP) * index + cells / 2, y + 12, head, 8, colour, css="head", tooltip=told)
    y += 28.0
    for number, rule in enumerate(shown):
        css = f"rule step_{number + 1}"
        middle = y + ROW / 2
        clause = clean(rule.clause)
        room = label - text_width(clause, 8) - 12
        canvas.text(
            MARGIN, middle, elide(clean(rule.text), 9, room), 9, INK, anchor="start", css=css, tooltip=rule.text
        )
        canvas.text(MARGIN + label, middle, clause, 8, MUTED, anchor="end", css=css)
        for index, cell in enumerate(rule.cells):
            _draw_cell(canvas, cell, left + (cells + GAP) * index, y + 1.5, cells, css)
        y += ROW
    if len(rules) > len(shown):
        told = f"… and {len(rules) - len(shown)} more rules, in the printed table"
        canvas.text(MARGIN, y + ROW / 2, told, 9, MUTED, anchor="start", css="note")
        y += ROW
    return y


def _draw_cell(canvas: Canvas, cell: Cell, x: float, y: float, wide: float, css: str) -> None:
    mark, height = cell.mark, ROW - 3.0
    fill, edge, ink = mark.fill, mark.edge, mark.ink
    if cell.excused:
        fill, ink = CARD, MUTED
    if fill is not None:
        canvas.panel(x, y, wide, height, fill, edge or fill, pen=1.2 if edge else 0.0, css=css)
    middle, symbol = y + height / 2, mark.value[:1]
    word = f"({mark.value[2:]})" if cell.excused and len(mark.value) > 2 else mark.value[2:]
    centre = x + wide / 2
    start = centre - (text_width(word, 8, bold=True) + 11) / 2 if word else centre
    if symbol == "✓":
        canvas.tick(centre, middle, ink, css=css)
    elif symbol == "✗":
        canvas.cross(start + 3, middle, ink, css=css, reach=2.8)
    elif symbol:
        canvas.text(start + (3 if word else 0), middle, symbol, 10, ink, bold=True, css=css)
    if word:
        canvas.text(start + 11, middle, word, 8, ink, bold=True, anchor="start", css=css)


def _draw_legend(canvas: Canvas, y: float, width: float) -> float:
    x = MARGIN
    for mark, told in LEGEND:
        wide = 56.0 + text_width(told, 8.5) + 20
        if x + wide > width - MARGIN and x > MARGIN:
            x, y = MARGIN, y + ROW + 2
        _draw_cell(canvas, Cell(mark), x, y, 50.0, "legend")
        canvas.text(x + 56, y + ROW / 2 - 1.5, told, 8.5, MUTED, anchor="start", css="legend")
        x += wide
    return y + ROW + 14.0


def matrix_text(matrix: Matrix) -> str:
    """The matrix as plain text, for terminals and logs."""
    lines = [clean(matrix.title), *([clean(matrix.subtitle)] if matrix.subtitle else []), ""]
    heads = [clean(name) for name in matrix.stacks]
    told = [text for group in matrix.groups for text in group.tested]
    wide = [
        max(8, len(head), *(len(text) for text in told[index :: len(heads)] or [""]))
        for index, head in enumerate(heads)
    ]
    labels = [_line(rule) for group in matrix.groups for rule in group.rules]
    label = max([24, *(len(line) for line in labels), *(len(group.title) for group in matrix.groups)])

    def row(first: str, cells: Sequence[str]) -> str:
        return "  ".join([f"{first:<{label}}", *(f"{c:<{w}}" for c, w in zip(cells, wide, strict=True))]).rstrip()

    lines.append(row("", heads))
    for group in matrix.groups:
        lines.append(row(clean(group.title), [clean(text) or "-" for text in group.tested]))
        lines += [row(_line(rule), [cell.text for cell in rule.cells]) for rule in group.rules]
    lines += ["", "  ".join(f"{mark.value}: {text}" for mark, text in LEGEND), UNDER_HALF]
    return "\n".join([*lines, *(clean(note) for note in matrix.notes)]) + "\n"


def _line(rule: Rule) -> str:
    return clean(f"  {rule.text}   {rule.clause}".rstrip())
