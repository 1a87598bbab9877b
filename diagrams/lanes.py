"""Where the lanes of a sequence chart stand: as close as the labels between them allow."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from shakeproof.diagrams.rows import (
    DETAIL,
    LABEL_ROOM,
    NAME,
    WIDEST,
    Plan,
    Row,
    RowKind,
    card_check,
    card_lines,
    detail_of,
)
from shakeproof.diagrams.text_width import clean, text_width
from shakeproof.model.trace import Check, Fate, Lane, Step, Trace

MARGIN = 20.0
NEAREST = 250.0  # points between two lanes
GUTTER, GUTTER_TIMED = 28.0, 62.0
CLAUSES = 84.0
NO_CLAUSES = 8.0
OUTSIDE, OUTSIDE_PILLS = 66.0, 104.0
OUTSIDE_MOST = 190.0
TITLE_SIZE = 9.5
ASIDE_SIZE = 8.5
NAME_COMPACT, DETAIL_COMPACT = 10.5, 8.5
TAG_SIZE, TAG_PAD, TAG_GAP = 7.0, 10.0, 6.0
LOCK = 15.0  # padlock and the gap to its text
INLINE = 6.0  # between name and detail on one line
LABEL_CLEAR = 8.0  # between a label and a lifeline beside it
CARD_AWAY = 26.0  # from the lifeline
STRETCH = {Fate.LOST: 1.35, Fate.LATE: 1.5}
STRETCH_OVERTAKEN = 1.9

TAGS = {
    Fate.LOST: "LOST",
    Fate.LATE: "LATE",
    Fate.REPLAYED: "REPLAY",
    Fate.FORGED: "FORGED",
    Fate.TAMPERED: "MODIFIED",
    Fate.REJECTED: "REJECTED",
}


@dataclass(frozen=True, slots=True)
class Lanes:
    """The lanes from left to right, their x, and the widths around them."""

    order: tuple[Lane, ...]
    x: Mapping[str, float]
    width: float
    timed: bool
    clauses: bool

    @property
    def right(self) -> float:
        return self.width - MARGIN

    def lane(self, name: str) -> Lane:
        return next(lane for lane in self.order if lane.name == name)

    def index(self, name: str) -> int:
        return next(index for index, lane in enumerate(self.order) if lane.name == name)

    def node(self, name: str) -> str:
        """Name of the lane's head in the DOT text."""
        return f"lane_{self.index(name)}_" + re.sub(r"\W", "_", name, flags=re.ASCII)

    @property
    def attackers(self) -> list[Lane]:
        return [lane for lane in self.order if lane.side in ("attacker", "tester")]


def lanes_of(trace: Trace) -> tuple[Lane, ...]:
    """The lanes of `trace`, and one more for each party that only a step names."""
    known = {lane.name: lane for lane in trace.lanes}
    for step in trace.steps:
        for name in (step.sender, step.receiver):
            if name and name not in known:
                known[name] = Lane(name, name)
    return tuple(known.values())


def name_width(step: Step, size: float) -> float:
    """Width of padlock, name and tag of a message."""
    width = text_width(clean(step.label), size, bold=True)
    if step.protection:
        width += LOCK
    if step.fate in TAGS:
        width += TAG_GAP + tag_width(TAGS[step.fate])
    return width


def tag_width(tag: str) -> float:
    return text_width(tag, TAG_SIZE, bold=True) + TAG_PAD


def pill_width(state: str) -> float:
    return text_width(clean(state), 8, bold=True) + 14.0


def head_width(lane: Lane) -> float:
    title = text_width(clean(lane.title), 11.5, bold=True)
    return max(title, text_width(clean(lane.subtitle), 8.5)) + 26.0


def weak_label(protection: str) -> str:
    """What stands at records under keys that protect nothing."""
    return f"{clean(protection)}, known to all"


def card_width(step: Step) -> float:
    ticked = 13.0 if card_check(step) is not Check.NONE else 0.0
    widths = [text_width(clean(step.label), 10, bold=True)]
    widths += [text_width(clean(line.text), 9) + 2.0 for line in card_lines(step)]
    return min(max(widths) + 28.0 + ticked, WIDEST - 70.0)


def place_lanes(trace: Trace, plan: Plan) -> Lanes:
    """Choose the x of every lane of `trace`."""
    order = lanes_of(trace)
    names = [lane.name for lane in order]
    executed = trace.origin != "table"
    timed = executed and any(step.time_s is not None for step in trace.steps)
    clauses = any(step.clause for step in trace.steps)
    gaps = _gaps(plan, names, order, trace.weak)

    gutter = GUTTER_TIMED if timed else GUTTER
    pills: dict[str, float] = {}
    for row in plan.rows:
        for lane, state in row.states.items():
            pills[lane] = max(pills.get(lane, 0.0), pill_width(state))

    def outside(name: str) -> float:
        wanted = max(OUTSIDE_PILLS, pills[name] + 24.0) if name in pills else OUTSIDE
        return min(wanted, OUTSIDE_MOST)

    left = MARGIN + gutter + (outside(names[0]) if names else OUTSIDE)
    # A band's title that reached the first lifeline would cut it; a little more room keeps both whole.
    most = MARGIN + GUTTER_TIMED + OUTSIDE_MOST
    titles = [MARGIN + 22.0 + text_width(clean(p.title).upper(), TITLE_SIZE, bold=True) for p in trace.phases]
    left = min(max([left, *(width for width in titles if width <= most)]), most)
    if order:
        left = max(left, MARGIN + head_width(order[0]) / 2)
    x = {}
    at = left
    for index, name in enumerate(names):
        x[name] = round(at, 1)
        if index < len(gaps):
            at += gaps[index]
    beyond = outside(names[-1]) if names else OUTSIDE
    if order:
        beyond = max(beyond, head_width(order[-1]) / 2)
    column = CLAUSES if clauses else NO_CLAUSES
    asides = [text_width(clean(phase.aside), ASIDE_SIZE) for phase in trace.phases]
    beyond = max(beyond, min(max(asides, default=0.0) + 20.0 - column, OUTSIDE_MOST))
    width = at + beyond + column + MARGIN
    return Lanes(order, x, round(width, 1), timed, clauses)


def _gaps(plan: Plan, names: list[str], order: tuple[Lane, ...], weak: Collection[str]) -> list[float]:
    gaps = [NEAREST] * max(len(names) - 1, 0)
    for index in range(len(gaps)):
        gaps[index] = max(gaps[index], (head_width(order[index]) + head_width(order[index + 1])) / 2 + 20)
    far: list[tuple[int, int, float]] = []
    for row in plan.rows:
        for first, last, need in _needs(row, names, plan.compact):
            if row.step.protection in weak and row.kind is RowKind.MESSAGE:
                need = max(need, text_width(weak_label(row.step.protection), 8.5, bold=True) + 60.0)
            far.append((first, last, min(need, WIDEST * max(last - first, 1))))
    for first, last, need in sorted(far, key=lambda item: item[1] - item[0]):
        missing = need - sum(gaps[first:last])
        if missing > 0:
            gaps[last - 1] += missing
        # The label of a message that passes a lifeline stands beside that, so between two lanes.
        widest = max(range(first, last), key=lambda index: gaps[index])
        gaps[widest] = max(gaps[widest], min(need - LABEL_ROOM + 2 * LABEL_CLEAR, WIDEST))
    return [round(gap, 1) for gap in gaps]


def _needs(row: Row, names: list[str], compact: bool) -> Iterable[tuple[int, int, float]]:
    step = row.step
    if row.kind in (RowKind.MESSAGE, RowKind.LATE, RowKind.OVERTAKEN):
        if step.sender not in names or step.receiver not in names:
            return
        first, last = sorted((names.index(step.sender), names.index(step.receiver)))
        if first == last:
            return
        name = name_width(step, NAME_COMPACT if compact else NAME)
        detail = text_width(detail_of(step), DETAIL_COMPACT if compact else DETAIL)
        inline = compact or row.kind is RowKind.OVERTAKEN
        label = name + INLINE + detail if inline and detail else max(name, detail)
        stretch = STRETCH_OVERTAKEN if row.kind is RowKind.OVERTAKEN else STRETCH.get(step.fate, 1.0)
        yield first, last, (label + LABEL_ROOM) * stretch
    elif row.kind is RowKind.ACTION and step.sender in names and len(names) > 1:
        index = names.index(step.sender)
        need = card_width(step) + CARD_AWAY + 22.0
        yield (index - 1, index, need) if index == len(names) - 1 else (index, index + 1, need)
    elif row.kind is RowKind.PILLS:
        for lane, state in row.states.items():
            if lane in names and 0 < names.index(lane) < len(names) - 1:
                index = names.index(lane)
                yield index, index + 1, pill_width(state) + 40.0
