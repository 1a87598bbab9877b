"""One message of a sequence chart: its arrow, its label, and the sign of what became of it."""

from __future__ import annotations

from dataclasses import dataclass

from shakeproof.diagrams.canvas import Canvas
from shakeproof.diagrams.label_places import HALF_TEXT, Place, crossings, free_corner, free_place, struck
from shakeproof.diagrams.lanes import (
    DETAIL_COMPACT,
    INLINE,
    LOCK,
    NAME_COMPACT,
    TAG_GAP,
    TAG_SIZE,
    TAGS,
    Lanes,
    name_width,
    tag_width,
)
from shakeproof.diagrams.palette import BAD, INK, LATE, MUTED, OK, ON_FILL, REPLAY, Colour
from shakeproof.diagrams.rows import (
    DETAIL,
    DETAIL_PITCH,
    LABEL_ROOM,
    NAME,
    Plan,
    Row,
    RowKind,
    detail_of,
    hover,
    shortened,
    step_class,
)
from shakeproof.diagrams.text_width import clean, elide, text_width
from shakeproof.model.trace import Fate, Step, Trace

SHORT = 1.5  # points between the end of a line and the lifeline
LOST_AT = 0.62  # share of the way at which a lost message ends
FOUND_AT = 0.2  # share of the way at which a message without a true sender begins
LATE_LABEL = 0.34  # share of the way at which the label of a late message stands
REJECTED_GAP = 14.0
CROSS_ROOM = 14.0  # points to each side of the end of a lost message, where its cross is
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
    look = _look(step, lanes, trace)
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


def _look(step: Step, lanes: Lanes, trace: Trace) -> _Look:
    if step.fate in _LOOKS:
        return _Look(*_LOOKS[step.fate])
    if step.verdict:
        return _Look(BAD, 1.9, "solid")  # what is judged is never green
    if step.protection in trace.weak:
        return _Look(BAD, 1.4, "solid")
    if step.protection:
        ends = {lanes.lane(name).side for name in (step.sender, step.receiver) if name in lanes.x}
        known = "attacker" in ends and step.protection not in trace.kept
        return _Look(BAD if known else OK, 1.4, "solid")
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
        name=f"m{step.number}", tooltip=hover(step, lanes_by_name), ends=ends,
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
        detail = shortened(step, detail_size, max(room - head - INLINE, 40.0)) if detail else ""
        width = head + (INLINE + text_width(detail, detail_size) if detail else 0.0)
        centre, above = (start[0] + end[0]) / 2, True
        if row.kind is RowKind.LATE:
            centre = start[0] + (end[0] - start[0]) * LATE_LABEL
        elif step.fate is Fate.LOST:
            centre = start[0] + (end[0] - start[0]) * LOST_AT / 2
        elif row.kind is RowKind.OVERTAKEN:
            centre, above = free_corner(start[0], end[0], crossings(plan, lanes, row), width)
        up = ABOVE_COMPACT if plan.compact else ABOVE
        bands = ((-up - HALF_TEXT, -up + HALF_TEXT), (BELOW - HALF_TEXT, BELOW + HALF_TEXT))
        place = _placed(plan, lanes, row, Place(centre, above), width, (start[0], end[0]), bands)
        at = y - up if place.above else y + BELOW
        centre = place.centre
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
    lines = row.details or ([shortened(step, detail_size, room)] if detail else [])
    last_y = detail_y + DETAIL_PITCH * (len(lines) - 1)
    reach = (name_y - y - HALF_TEXT, (last_y if lines else name_y) - y + HALF_TEXT)
    wide = max([width, *(min(text_width(line, detail_size), room) for line in lines)])
    centre = _placed(plan, lanes, row, Place(centre, True), wide, (start[0], end[0]), (reach, None)).centre
    _name(canvas, step, look, centre - width / 2, name_y, name_size, room)
    told = detail if " ".join(lines).split() != detail.split() else ""
    for number, line in enumerate(lines):
        at = detail_y + DETAIL_PITCH * number
        canvas.text(centre, at, line, detail_size, colour, css=step_class(step, "detail"), tooltip=told)


def _placed(
    plan: Plan, lanes: Lanes, row: Row, preferred: Place, width: float, ends: tuple[float, float],
    bands: tuple[tuple[float, float], tuple[float, float] | None],
) -> Place:  # fmt: skip
    """A place for a label on one side of its line where nothing strikes it through, near the preferred one.

    bands: how far it reaches up and down where it stands above, and below (None: it can't).
    """
    extent = ends
    if row.step.fate is Fate.LOST:
        extent = (ends[0], ends[0] + (ends[1] - ends[0]) * LOST_AT)
    above, below = bands
    for passing in (ends, None):  # a lifeline through a label is bad, a message through it is worse
        taken = struck(plan, lanes, row, above, below or above, passing=passing)
        if row.step.fate is Fate.LOST:
            for spans in taken.values():
                spans.append((extent[1] - CROSS_ROOM, extent[1] + CROSS_ROOM))
        if below is None:
            taken[False] = [(min(ends), max(ends))]
        for reach in (extent, ends):
            place = free_place(preferred, width, reach, taken)
            if place is not None:
                return place
    return preferred


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
