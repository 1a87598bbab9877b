"""One message of a sequence chart: its arrow, its label, and the sign of what became of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shakeproof.diagrams.canvas import Canvas
from shakeproof.diagrams.lanes import (
    DETAIL,
    DETAIL_COMPACT,
    INLINE,
    LABEL_ROOM,
    LOCK,
    NAME,
    NAME_COMPACT,
    TAG_GAP,
    TAG_SIZE,
    TAGS,
    Lanes,
    name_width,
    tag_width,
)
from shakeproof.diagrams.palette import BAD, INK, LATE, MUTED, OK, ON_FILL, REPLAY, Colour
from shakeproof.diagrams.rows import Plan, Row, RowKind, detail_of, step_class
from shakeproof.diagrams.text_width import clean, elide, text_width
from shakeproof.model.trace import Fate, Step, Trace

SHORT = 1.5  # points between the end of a line and the lifeline
LOST_AT = 0.62  # share of the way at which a lost message ends
FOUND_AT = 0.2  # share of the way at which a message without a true sender begins
LATE_LABEL = 0.34  # share of the way at which the label of a late message stands
CROSSING_LEFT = 0.55  # a crossing nearer to the late message's start leaves the corner beyond it free
REJECTED_GAP = 14.0
ABOVE, BELOW, ABOVE_COMPACT = 9.5, 9.5, 8.5

_LOOKS: dict[Fate, tuple[Colour, float, str]] = {
    Fate.LOST: (MUTED, 1.4, "dashed"),
    Fate.LATE: (LATE, 1.9, "solid"),
    Fate.REPLAYED: (REPLAY, 1.9, "dashed"),
    Fate.FORGED: (BAD, 1.9, "solid"),
    Fate.TAMPERED: (BAD, 1.9, "solid"),
    Fate.REJECTED: (BAD, 1.4, "solid"),
}


@dataclass(frozen=True, slots=True)
class _Look:
    colour: Colour
    pen: float
    style: str


def draw_arrow(canvas: Canvas, trace: Trace, plan: Plan, lanes: Lanes, row: Row, top: float) -> None:
    """Draw the message of `row`; `top` is where the first band begins."""
    step = row.step
    look = _look(step, lanes)
    start, end = lanes.x.get(step.sender), lanes.x.get(step.receiver)
    if end is None:
        return  # a message to nobody has no place; its sentence still tells of it
    attackers = [lane.name for lane in lanes.attackers if lane.name != step.receiver]
    found = start is None
    if start is None or (step.fate is Fate.FORGED and step.sender not in attackers):
        honest = (
            start if start is not None else min((x for x in lanes.x.values() if x != end), default=end - LABEL_ROOM)
        )
        found = not attackers
        start = lanes.x[attackers[0]] if attackers else honest
    way = 1.0 if end > start else -1.0
    y = top + row.line_y
    arrives = plan.received.get(step.number)
    end_y = top + arrives.line_y if arrives is not None and row.kind is RowKind.LATE else y
    _line(canvas, lanes, step, look, (start, y), (end, end_y), way, found, trace)
    _label(canvas, plan, lanes, row, look, (start, y), (end, end_y), top)


def _look(step: Step, lanes: Lanes) -> _Look:
    if step.fate in _LOOKS:
        return _Look(*_LOOKS[step.fate])
    if step.protection:
        ends = {lanes.lane(name).side for name in (step.sender, step.receiver) if name in lanes.x}
        return _Look(BAD if "attacker" in ends else OK, 1.4, "solid")
    return _Look(INK, 1.4, "solid")


def _line(
    canvas: Canvas, lanes: Lanes, step: Step, look: _Look,
    start: tuple[float, float], end: tuple[float, float], way: float, found: bool, trace: Trace,
) -> None:  # fmt: skip
    css = step_class(step, "msg", step.fate.value)
    x0, x1 = start[0] + SHORT * way, end[0] - SHORT * way
    tip, tail = "normal", ""
    sender = step.sender if step.sender in lanes.x else step.receiver
    ends = (lanes.node(sender), lanes.node(step.receiver))
    if step.fate is Fate.LOST:
        x1, tip = start[0] + (end[0] - start[0]) * LOST_AT, ""
        canvas.cross(x1 + 6 * way, end[1], BAD, css=css, reach=4.2, pen=2.2)
    elif step.fate is Fate.REJECTED:
        x1 = end[0] - REJECTED_GAP * way
        canvas.cross(end[0] - REJECTED_GAP * way / 2, end[1], BAD, css=css, reach=3.6, pen=2.0)
    elif step.fate is Fate.REPLAYED:
        tail = "odot"
    elif step.fate is Fate.FORGED:
        tail = "dot" if found else "diamond"
        if found:
            x0 = start[0] + (end[0] - start[0]) * FOUND_AT
    elif step.fate is Fate.TAMPERED:
        between = [lane for lane in lanes.attackers if min(x0, x1) < lanes.x[lane.name] < max(x0, x1)]
        if between:
            # The message left its sender as it should; only what the attacker sends on is drawn as modified.
            x = lanes.x[between[0].name]
            canvas.line([(x0, start[1]), (x, start[1])], INK, 1.4, css=css, ends=(ends[0], lanes.node(between[0].name)))
            x0, tail, ends = x, "diamond", (lanes.node(between[0].name), ends[1])
    lanes_by_name = {lane.name: lane for lane in lanes.order}
    canvas.line(
        [(x0, start[1]), (x1, end[1])], look.colour, look.pen, style=look.style, head=tip, tail=tail, css=css,
        name=f"m{step.number}", tooltip=step.sentence(lanes_by_name), ends=ends,
    )  # fmt: skip


def _label(
    canvas: Canvas, plan: Plan, lanes: Lanes, row: Row, look: _Look,
    start: tuple[float, float], end: tuple[float, float], top: float,
) -> None:  # fmt: skip
    step, y = row.step, start[1]
    name_size, detail_size = (NAME_COMPACT, DETAIL_COMPACT) if plan.compact else (NAME, DETAIL)
    room = abs(end[0] - start[0]) - LABEL_ROOM / 2
    detail = detail_of(step)
    colour = BAD if step.defect else MUTED
    if row.kind is RowKind.OVERTAKEN or plan.compact:
        head = name_width(step, name_size)
        detail = elide(detail, detail_size, max(room - head - INLINE, 40.0)) if detail else ""
        width = head + (INLINE + text_width(detail, detail_size) if detail else 0.0)
        centre, above = (start[0] + end[0]) / 2, True
        if row.kind is RowKind.LATE:
            centre = start[0] + (end[0] - start[0]) * LATE_LABEL
        elif step.fate is Fate.LOST:
            centre = start[0] + (end[0] - start[0]) * LOST_AT / 2
        elif row.kind is RowKind.OVERTAKEN:
            centre, above = _free_corner(start[0], end[0], _crossings(plan, lanes, row, top), width)
        at = y - (ABOVE_COMPACT if plan.compact else ABOVE) if above else y + BELOW
        left = centre - width / 2
        _name(canvas, step, look, left, at, name_size, room)
        if detail:
            x = left + head + INLINE
            canvas.text(x, at + 0.3, detail, detail_size, colour, anchor="start", css=step_class(step, "detail"))
        return
    centre = (start[0] + end[0]) / 2
    if step.fate is Fate.LOST:
        centre = start[0] + (end[0] - start[0]) * LOST_AT / 2
    name_y, detail_y = y - ABOVE, y + BELOW
    if row.kind is RowKind.LATE:
        centre = start[0] + (end[0] - start[0]) * LATE_LABEL
        if detail:
            name_y, detail_y = y - 21.5, y - 9.0
    width = name_width(step, name_size)
    _name(canvas, step, look, centre - width / 2, name_y, name_size, room)
    if detail:
        text = elide(detail, detail_size, room)
        canvas.text(
            centre, detail_y, text, detail_size, colour, css=step_class(step, "detail"),
            tooltip=detail if text != detail else "",
        )  # fmt: skip


def _name(canvas: Canvas, step: Step, look: _Look, left: float, y: float, size: float, room: float) -> None:
    """Padlock, name and tag, from `left`."""
    css = step_class(step, "name")
    x = left
    if step.protection:
        canvas.padlock(x + 4, y + 0.8, look.colour, css=css)
        x += LOCK
    tag = TAGS.get(step.fate, "")
    whole = clean(step.label)
    tagged = TAG_GAP + tag_width(tag) if tag else 0.0
    name = elide(whole, size, room - (x - left) - tagged, bold=True)
    width = text_width(name, size, bold=True)
    canvas.text(x + width / 2, y, name, size, look.colour, bold=True, css=css, tooltip=whole if name != whole else "")
    if tag:
        fill = BAD if step.fate is Fate.LOST else look.colour
        x += width + TAG_GAP
        canvas.box(x, y - 5.5, tag_width(tag), 11, fill, rounded=True, css=css)
        canvas.text(x + tag_width(tag) / 2, y + 0.5, tag, TAG_SIZE, ON_FILL, bold=True, css=css)


def _crossings(plan: Plan, lanes: Lanes, row: Row, top: float) -> Iterable[tuple[float, float]]:
    """Where late messages cross the line of `row`: x, and the direction in which they go."""
    y = row.line_y
    for number, arrives in plan.received.items():
        sent = plan.sent.get(number)
        if sent is None or not sent.line_y < y < arrives.line_y:
            continue
        x0, x1 = lanes.x.get(sent.step.sender), lanes.x.get(sent.step.receiver)
        if x0 is None or x1 is None:
            continue
        share = (y - sent.line_y) / (arrives.line_y - sent.line_y)
        yield x0 + (x1 - x0) * share, 1.0 if x1 > x0 else -1.0


def _free_corner(x0: float, x1: float, crossings: Iterable[tuple[float, float]], width: float) -> tuple[float, bool]:
    """Centre of a label that no late message strikes through, and whether it stands above its line.

    A late message only descends: above the line, what lies beyond its crossing is free; below, what lies before it.
    """
    left, right = min(x0, x1), max(x0, x1)
    inside = [(x, way) for x, way in crossings if left < x < right]
    if not inside:
        return (left + right) / 2, True
    spaces: list[tuple[float, float, float, bool]] = []  # room, from, to, above
    for above in (True, False):
        low, high = left, right
        for x, way in inside:
            if (way > 0) == above:
                low = max(low, x)
            else:
                high = min(high, x)
        spaces.append((high - low, low, high, above))
    if len({way for _, way in inside}) == 1:
        way = inside[0][1]
        shares = [((x - left) if way > 0 else (right - x)) / (right - left) for x, _ in inside]
        above = max(shares) < CROSSING_LEFT
        _, low, high, _ = spaces[0 if above else 1]
    else:
        _, low, high, above = max(spaces)
    centre = (low + high) / 2
    # Beside the crossing, not far away at the other lifeline.
    edge = width / 2 + 18.0
    if low > left and high == right:
        centre = min(centre, low + edge) if low + edge + width / 2 < high else centre
    elif high < right and low == left:
        centre = max(centre, high - edge) if high - edge - width / 2 > low else centre
    return centre, above
