"""A trace as plain text, for terminals: lanes as columns, arrows between them, states and details at the sides.

══ is an encrypted message, ╌╌ one that was lost or replayed; what became of a message stands at the right.
"""

from __future__ import annotations

from shakeproof.diagrams.citations import citation
from shakeproof.diagrams.lanes import TAGS, lanes_of
from shakeproof.diagrams.rows import Plan, Row, RowKind, card_check, card_lines, counted, detail_of, plan_rows
from shakeproof.diagrams.text_width import clean
from shakeproof.model.trace import Check, Fate, Step, Trace

NUMBER, TIME = 5, 9  # characters of the two columns at the left
GAP_LEAST, GAP_MOST = 26, 52  # characters between two lanes
_MARKS = {Check.NONE: "  ", Check.PASSED: "✓ ", Check.FAILED: "✗ "}
_ASCII = str.maketrans("│─═╌━▶◀✓✗●◆○╲╱┄├┤…•", "|-=.#><vx***\\/:++~*")
_STROKES = {Fate.LOST: "╌", Fate.REPLAYED: "╌", Fate.FORGED: "━", Fate.TAMPERED: "━"}


def ladder(trace: Trace, *, ascii_only: bool = False, states: bool = True) -> str:
    """`trace` as lines of text, ending in a line break. ascii_only: for terminals without other characters."""
    plan = plan_rows(trace, states=states, compact=False)
    text = _Ladder(trace, plan).text()
    if not ascii_only:
        return text
    return text.translate(_ASCII).encode("ascii", "replace").decode()


class _Ladder:
    def __init__(self, trace: Trace, plan: Plan) -> None:
        self.trace, self.plan = trace, plan
        self.lanes = lanes_of(trace)
        self.names = [lane.name for lane in self.lanes]
        self.timed = trace.origin != "table" and any(step.time_s is not None for step in trace.steps)
        side = max(
            [len(clean(state)) + 3 for row in plan.rows for lane, state in row.states.items() if lane in self.names[:1]]
            + [len(clean(self.lanes[0].title)) // 2 + 1 if self.lanes else 0]
        )
        start = NUMBER + (TIME if self.timed else 0) + side
        gap = max(
            GAP_LEAST,
            max((len(self._label(step)) + 10 for step in trace.messages()), default=0),
            max((len(clean(lane.title)) + 4 for lane in self.lanes), default=0),
        )
        gap = min(gap, GAP_MOST)
        self.at = {name: start + index * (gap + 1) for index, name in enumerate(self.names)}
        self.end = max(self.at.values(), default=start)
        self.lines: list[str] = []

    def text(self) -> str:
        self.lines.append(clean(self.trace.title))
        self.lines.append(f"{clean(self.trace.subtitle)} {counted(self.trace)}".strip())
        self.lines.append("")
        for field in ("title", "subtitle"):
            heads = [" "] * (self.end + 1)
            for lane in self.lanes:
                word = clean(getattr(lane, field))
                _put(heads, self.at[lane.name] - len(word) // 2, word)
            if "".join(heads).strip():
                self.lines.append("".join(heads).rstrip())
        for band in self.plan.bands:
            if band.phase is not None:
                title, aside = clean(band.phase.title), clean(band.phase.aside)
                rule = f"── {title} "
                rule += "─" * max(self.end + 24 - len(rule) - len(aside) - 1, 3)
                self.lines.append(f"{rule} {aside}".rstrip())
            for row in band.rows:
                self._row(row)
        return "\n".join(self.lines) + "\n"

    def _empty(self, lifeline: str = "│") -> list[str]:
        cells = [" "] * (self.end + 1)
        for column in self.at.values():
            cells[column] = lifeline
        return cells

    def _say(self, cells: list[str], right: str = "") -> None:
        line = "".join(cells).rstrip()
        if right:
            line = line.ljust(self.end + 1) + "  " + right
        self.lines.append(line.rstrip())

    @staticmethod
    def _label(step: Step) -> str:
        return clean(step.label)

    def _columns(self, cells: list[str], step: Step) -> None:
        if step.number > 0:
            _put(cells, 0, str(step.number).rjust(NUMBER - 1))
        if self.timed and step.time_s is not None:
            _put(cells, NUMBER, f"{step.time_s:.3f}".rjust(TIME - 2))

    def _row(self, row: Row) -> None:
        step = row.step
        if row.kind in (RowKind.MESSAGE, RowKind.LATE, RowKind.OVERTAKEN):
            self._message(row)
        elif row.kind is RowKind.RECEIVE:
            cells = self._empty()
            x0, x1 = self.at.get(step.sender), self.at.get(step.receiver)
            if x0 is not None and x1 is not None:
                middle = (x0 + x1) // 2
                if x1 > x0:
                    _put(cells, middle, "╲" + "─" * (x1 - middle - 2) + "▶")
                else:
                    _put(cells, x1 + 1, "◀" + "─" * (middle - x1 - 2) + "╱")
            self._say(cells, f"{self._label(step)} (step {step.number}) arrives")
        elif row.kind is RowKind.ACTION:
            cells = self._empty()
            self._columns(cells, step)
            column = self.at.get(step.sender, self.end)
            cells[column] = "●"
            check = _MARKS[card_check(step)].rstrip()
            _put(cells, column + 2, f"{self._label(step)} {check}".rstrip())
            self._say(cells, _cited(step))
            for item in card_lines(step):
                cells = self._empty()
                _put(cells, column + 2, _MARKS[item.check] + clean(item.text))
                self._say(cells)
        elif row.kind is RowKind.TIME:
            cells = self._empty("┄")
            self._columns(cells, step)
            word = f" {clean(step.label or step.detail)} "
            _put(cells, (min(self.at.values(), default=0) + self.end - len(word)) // 2 + 1, word)
            self._say(cells)
        elif row.kind is RowKind.PILLS:
            cells, right = self._empty(), ""
            for lane, state in row.states.items():
                if lane not in self.at:
                    continue
                word = f"[{clean(state)}]"
                if self.names.index(lane) == 0:
                    _put(cells, self.at[lane] - len(word), word)
                elif self.names.index(lane) == len(self.names) - 1:
                    right = word
                else:
                    _put(cells, self.at[lane] + 1, word)
            self._say(cells, right)
        elif row.kind is RowKind.NOTE:
            for line in [*row.bold, *row.plain]:
                self.lines.append(" " * NUMBER + "!! " + line)

    def _message(self, row: Row) -> None:
        step = row.step
        cells = self._empty()
        self._columns(cells, step)
        x0, x1 = self.at.get(step.sender), self.at.get(step.receiver)
        if x1 is not None:
            if x0 is None:
                x0 = next((x for x in self.at.values() if x != x1), x1 - GAP_LEAST)
            self._arrow(cells, step, max(x0, 0), x1, late=row.kind is RowKind.LATE)
        tag = TAGS.get(step.fate, "")
        parts = [f"[{tag}]" if tag else "", detail_of(step), _cited(step)]
        self._say(cells, "  ".join(part for part in parts if part))

    def _arrow(self, cells: list[str], step: Step, x0: int, x1: int, *, late: bool) -> None:
        low, high = min(x0, x1) + 1, max(x0, x1) - 1
        rightward = x1 > x0
        stroke = _STROKES.get(step.fate, "═" if step.protection else "─")
        length = high - low + 1
        shaft = [stroke] * length
        # Written as it flies to the right, and turned round at the end.
        head = "▶" if rightward else "◀"
        stop = length
        if step.fate is Fate.LOST or late:
            stop = length * 3 // 5
            shaft[stop:] = [" "] * (length - stop)
            shaft[stop - 1] = "✗" if step.fate is Fate.LOST else ("╲" if rightward else "╱")
        elif step.fate is Fate.REJECTED:
            shaft[-2:] = [head, "✗"]
        else:
            shaft[-1] = head
        if step.fate is Fate.REPLAYED:
            shaft[0] = "○"
        elif step.fate is Fate.FORGED:
            shaft[0] = "◆"
        label = f" {self._label(step)} "
        room = stop - 4
        if len(label) > room:
            label = label[: max(room - 2, 1)] + "… "
        at = max((stop - len(label)) // 2, 2)
        if not rightward:
            label = label[::-1]
        shaft[at : at + len(label)] = list(label)
        cells[low : high + 1] = shaft if rightward else shaft[::-1]


def _put(cells: list[str], at: int, word: str) -> None:
    at = max(at, 0)
    if at + len(word) > len(cells):
        cells.extend(" " * (at + len(word) - len(cells)))
    cells[at : at + len(word)] = list(word)


def _cited(step: Step) -> str:
    return citation(step.clause)[0] if step.clause else ""
