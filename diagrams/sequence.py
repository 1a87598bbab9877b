"""A trace as a sequence chart.

Lanes, bands of phases, tunnels of protected messages, cards of what one party does by itself, state pills, and one
arrow for each message that shows what became of it. Meaning is never carried by colour alone: a tag and a line style
say the same.
"""

from __future__ import annotations

from shakeproof.diagrams.arrows import draw_arrow
from shakeproof.diagrams.canvas import Canvas, Drawing
from shakeproof.diagrams.citations import citation
from shakeproof.diagrams.figure import Figure
from shakeproof.diagrams.folding import fold
from shakeproof.diagrams.ladder import ladder
from shakeproof.diagrams.lanes import (
    ASIDE_SIZE,
    CARD_AWAY,
    CLAUSES,
    GUTTER_TIMED,
    MARGIN,
    OUTSIDE_MOST,
    TITLE_SIZE,
    Lanes,
    card_width,
    head_width,
    pill_width,
    place_lanes,
    weak_label,
)
from shakeproof.diagrams.mermaid import trace_mermaid
from shakeproof.diagrams.palette import (
    BAD,
    BROKEN,
    BROKEN_EDGE,
    CARD,
    INK,
    LINE,
    MUTED,
    NOTE,
    NOTE_EDGE,
    OK,
    ON_FILL,
    RED,
    TUNNEL,
    TUNNEL_EDGE,
    Colour,
    side,
    tint,
)
from shakeproof.diagrams.rows import (
    CARD_TOP,
    COMPACT_FROM,
    GAP_LENGTH,
    GAP_TOP,
    NOTE_TOP,
    PILL_AT,
    Band,
    Plan,
    Row,
    RowKind,
    Tunnel,
    card_check,
    card_height,
    card_lines,
    counted,
    hover,
    plan_rows,
    step_class,
)
from shakeproof.diagrams.text_width import TITLE_PITCH, clean, elide, text_width, title_lines, wrap
from shakeproof.model.trace import Check, Lane, Step, Trace

HEAD = 34.0
FOOT = 24.0
_CHECKED: dict[Check, Colour] = {Check.NONE: INK, Check.PASSED: OK, Check.FAILED: BAD}


def draw_trace(
    trace: Trace,
    *,
    theme: str | None = None,
    states: bool = True,
    compact: bool | None = None,
    folded: bool | None = None,
) -> Figure:
    """The sequence chart of `trace`.

    theme: None (one SVG for both), "light" or "dark"; states: show where a party changes its state; compact: one line
    for each message; folded: repeats are told once; None for long traces only.
    """
    small = len(trace.steps) > COMPACT_FROM if compact is None else compact
    drawn = fold(trace) if (len(trace.steps) > COMPACT_FROM if folded is None else folded) else trace
    if compact is None and len(drawn.steps) <= COMPACT_FROM:
        small = False
    plan = plan_rows(drawn, states=states, compact=small)
    lanes = place_lanes(drawn, plan)
    chart = _Chart(trace, plan, lanes, Canvas(theme))
    drawing = chart.draw()
    return Figure(
        title=clean(trace.title),
        dot_source=drawing.source,
        plain=ladder(trace),
        sentences=tuple(clean(sentence) for sentence in trace.sentences()),
        theme=theme,
        places=drawing.texts,
        mermaid=trace_mermaid(trace),
    )


class _Chart:
    """One chart being drawn. `top` is the y of the first band."""

    def __init__(self, trace: Trace, plan: Plan, lanes: Lanes, canvas: Canvas) -> None:
        self.trace, self.plan, self.lanes, self.canvas = trace, plan, lanes, canvas
        stated = clean(trace.subtitle).strip()
        if stated and stated[-1] not in ".!?":
            stated += "."
        subtitle = f"{stated} {counted(trace)}".strip()
        self.subtitle = wrap(subtitle, 10, lanes.width - 2 * MARGIN)
        self.title, self.title_size = title_lines(clean(trace.title), lanes.width - 2 * MARGIN)
        self.titled = TITLE_PITCH * (len(self.title) - 1)
        self.heads_top = 65.0 + self.titled + 14.0 * (len(self.subtitle) - 1)
        self.top = self.heads_top + HEAD + 8.0
        self.bottom = self.top + plan.height
        self.height = self.bottom + (6.0 + FOOT if plan.foot else 12.0) + MARGIN

    def draw(self) -> Drawing:
        canvas, lanes = self.canvas, self.lanes
        for index, line in enumerate(self.title):
            canvas.text(MARGIN, 27 + TITLE_PITCH * index, line, self.title_size, INK, bold=True, anchor="start")
        for index, line in enumerate(self.subtitle):
            canvas.text(MARGIN, 47.5 + self.titled + 14 * index, line, 10, MUTED, anchor="start")
        for lane in lanes.order:
            self._head(lane, self.heads_top, HEAD, whole=True)
            self._lifeline(lane)
        for band in self.plan.bands:
            self._band(band)
        for band in self.plan.bands:
            for row in band.rows:
                self._row(row)
        if self.plan.foot:
            for lane in lanes.order:
                self._head(lane, self.bottom + 6.0, FOOT, whole=False)
        return canvas.finish(lanes.width, self.height, "chart")

    # -- lanes ---------------------------------------------------------------------------------------------------------

    def _head(self, lane: Lane, y: float, height: float, *, whole: bool) -> None:
        x, width = self.lanes.x[lane.name], head_width(lane)
        name = self.lanes.node(lane.name) if whole else ""
        self.canvas.box(x - width / 2, y, width, height, side(lane.side), rounded=True, name=name, css="lane")
        middle = y + height / 2
        subtitle = whole and bool(lane.subtitle)
        self.canvas.text(x, middle - (5.0 if subtitle else 0.0), lane.title, 11.5, ON_FILL, bold=True, css="lane")
        if subtitle:
            self.canvas.text(x, middle + 6.0, lane.subtitle, 8.5, ON_FILL, css="lane")

    def _lifeline(self, lane: Lane) -> None:
        x = self.lanes.x[lane.name]
        y = self.heads_top + HEAD
        for row in self.plan.rows:
            if row.kind is RowKind.TIME:
                start = self.top + row.top + GAP_TOP
                self.canvas.line([(x, y), (x, start)], LINE, 1.1, css="lifeline")
                y = start + GAP_LENGTH
                self.canvas.line([(x, start), (x, y)], LINE, 1.3, style="dotted", css="lifeline gap")
        end = self.bottom + (6.0 if self.plan.foot else 12.0)
        self.canvas.line([(x, y), (x, end)], LINE, 1.1, css="lifeline")

    # -- bands and tunnels ---------------------------------------------------------------------------------------------

    def _band(self, band: Band) -> None:
        y = self.top + band.top
        if band.phase is not None:
            fill, strong = tint(band.phase.tint)
            width = self.lanes.width - 2 * MARGIN
            self.canvas.panel(MARGIN, y, width, band.height, fill, css="band")
            self.canvas.box(MARGIN, y, 4, band.height, strong, css="band")
            title = clean(band.phase.title).upper()
            reach = text_width(title, TITLE_SIZE, bold=True)
            if self.lanes.order and MARGIN + 12 + reach > self.lanes.x[self.lanes.order[0].name] - 4:
                self.canvas.box(MARGIN + 9, y + 3, reach + 8, 14, fill, css="band")
            self.canvas.text(MARGIN + 12, y + 10.5, title, TITLE_SIZE, strong, bold=True, anchor="start", css="band")
            if band.phase.aside:
                wide = text_width(clean(band.phase.aside), ASIDE_SIZE)
                if self.lanes.right - 8 - wide < max(self.lanes.x.values(), default=0.0) + 4:
                    self.canvas.box(self.lanes.right - 12 - wide, y + 5, wide + 8, 13, fill, css="band")
                self.canvas.text(
                    self.lanes.right - 8, y + 11, band.phase.aside, ASIDE_SIZE, MUTED, anchor="end", css="band"
                )
        for tunnel in band.tunnels:
            self._tunnel(tunnel)

    def _tunnel(self, tunnel: Tunnel) -> None:
        left, right = sorted(self.lanes.x[name] for name in tunnel.lanes)
        y = self.top + tunnel.top
        names = [self.lanes.lane(name) for name in tunnel.lanes]
        kept = tunnel.protection in self.trace.kept
        attackers = [lane.title for lane in names if lane.side == "attacker" and not kept]
        open_to_all = tunnel.protection in self.trace.weak
        broken = bool(attackers) or open_to_all
        fill, edge, strong = (BROKEN, BROKEN_EDGE, BAD) if broken else (TUNNEL, TUNNEL_EDGE, OK)
        label = f"encrypted with {clean(tunnel.protection)}"
        if open_to_all:
            label = weak_label(tunnel.protection)
        if attackers:
            label = f"{clean(tunnel.protection)}, known to {', '.join(clean(name) for name in attackers)}"
        self.canvas.panel(left + 9, y, right - left - 18, tunnel.height, fill, edge, pen=0.9, dashed=True, css="tunnel")
        if tunnel.told:
            return
        self.canvas.padlock(left + 22, y + 10.5, strong, css="tunnel")
        label = elide(label, 8.5, right - left - 50, bold=True)
        self.canvas.text(left + 30, y + 10, label, 8.5, strong, bold=True, anchor="start", css="tunnel")

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _row(self, row: Row) -> None:
        step, y = row.step, self.top + row.top
        middle = (min(self.lanes.x.values(), default=0.0) + max(self.lanes.x.values(), default=0.0)) / 2
        if row.kind in (RowKind.MESSAGE, RowKind.LATE, RowKind.OVERTAKEN):
            self._columns(step, y + row.line_at)
            draw_arrow(self.canvas, self.trace, self.plan, self.lanes, row, self.top)
        elif row.kind is RowKind.ACTION:
            self._columns(step, y + CARD_TOP + 11)
            self._card(step, y + CARD_TOP)
        elif row.kind is RowKind.PILLS:
            for lane, state in row.states.items():
                if lane in self.lanes.x:
                    self._pill(lane, state, y + PILL_AT, step_class(step, "state"))
        elif row.kind is RowKind.TIME:
            self._columns(step, y + 13)
            text = elide(clean(step.label or step.detail), 9, self.lanes.width - 2 * MARGIN)
            self.canvas.text(middle, y + 13, text, 9, MUTED, italic=True, css=step_class(step, "time"))
        elif row.kind is RowKind.NOTE:
            self._note(row, y + NOTE_TOP, middle)
        elif row.kind is RowKind.HEADS:
            for each in self.lanes.order:
                self._head(each, y + 4, FOOT, whole=False)

    def _columns(self, step: Step, y: float) -> None:
        """The number, the time and the clause of a step."""
        css = step_class(step, "column")
        if step.number > 0:
            self.canvas.text(MARGIN + 10, y, str(step.number), 8.5, MUTED, anchor="start", css=css)
        if self.lanes.timed and step.time_s is not None:
            time = f"{step.time_s:.3f}"
            self.canvas.text(MARGIN + GUTTER_TIMED, y, time, 8, MUTED, mono=True, anchor="end", css=css)
        if step.clause:
            shown, url = citation(step.clause)
            shown = elide(shown, 8, CLAUSES - 6)
            self.canvas.text(
                self.lanes.right - 8, y, shown, 8, MUTED, anchor="end", css=css, url=url, tooltip=step.clause
            )

    def _pill(self, lane: str, state: str, y: float, css: str) -> None:
        x, colour = self.lanes.x[lane], side(self.lanes.lane(lane).side)
        whole = clean(state)
        state = elide(whole, 8, OUTSIDE_MOST - 38, bold=True)
        width = pill_width(state)
        left = x - 8 - width if self.lanes.index(lane) == 0 and len(self.lanes.order) > 1 else x + 8
        self.canvas.box(x - 3, y - 3, 6, 6, colour, shape="circle", css=css)
        self.canvas.box(left, y - 7.5, width, 15, CARD, colour, pen=1.1, rounded=True, css=css)
        told = whole if state != whole else ""
        self.canvas.text(left + width / 2, y + 0.5, state, 8, colour, bold=True, css=css, tooltip=told)

    def _card(self, step: Step, y: float) -> None:
        if step.sender not in self.lanes.x:
            return  # an action of nobody has no place; its sentence still tells of it
        css, canvas = step_class(step, "action"), self.canvas
        x, index = self.lanes.x[step.sender], self.lanes.index(step.sender)
        inward = -1 if index and index == len(self.lanes.order) - 1 else 1
        width, height, check = card_width(step), card_height(step), card_check(step)
        colour = _CHECKED[check]
        left = x + CARD_AWAY if inward > 0 else x - CARD_AWAY - width
        near = left if inward > 0 else left + width
        canvas.panel(left, y, width, height, CARD, colour, pen=1.1, css=css)
        canvas.line([(x + 4 * inward, y + 8), (near, y + 8)], colour, 1.3, css=css)
        canvas.line([(near, y + height - 8), (x + 4 * inward, y + height - 8)], colour, 1.3, head="normal", size=0.7,
                    css=css, tooltip=self._sentence(step))  # fmt: skip
        canvas.box(x - 4, y, 8, height, CARD, LINE, pen=1.0, css=css)
        ticked = check is not Check.NONE
        at = left + (21 if ticked else 8)
        room = left + width - 8 - at
        if ticked:
            self._mark(left + 12.5, y + 11.5, check, css)
        canvas.text(at, y + 11, elide(clean(step.label), 10, room, bold=True), 10,
                    colour, bold=True, anchor="start", css=css)  # fmt: skip
        shade = MUTED
        for number, line in enumerate(card_lines(step)):
            middle = y + 26.5 + 14 * number
            if line.check is not Check.NONE or not ticked:  # else it goes on with the line above
                shade = {Check.NONE: MUTED, Check.PASSED: INK, Check.FAILED: BAD}[line.check]
            self._mark(left + 12.5, middle + 0.5, line.check, css)
            text = elide(clean(line.text), 9, room)
            canvas.text(at + (0 if ticked else 2), middle, text, 9, shade, anchor="start", css=css)

    def _mark(self, x: float, y: float, check: Check, css: str) -> None:
        if check is Check.PASSED:
            self.canvas.tick(x, y, OK, css=css)
        elif check is Check.FAILED:
            self.canvas.cross(x, y, BAD, css=css)

    def _note(self, row: Row, y: float, middle: float) -> None:
        step, css = row.step, step_class(row.step, "note")
        ends = [self.lanes.x[name] for name in (step.sender, step.receiver) if name in self.lanes.x]
        width = (
            max([text_width(line, 10, bold=True) for line in row.bold] + [text_width(line, 9.5) for line in row.plain])
            + 24.0
        )
        centre = sum(ends) / len(ends) if ends else middle
        # Between its lanes, and clear of the column of clauses where there is room.
        clauses = CLAUSES if any(each.clause for each in self.trace.steps) else 0.0
        centre = min(centre, self.lanes.right - clauses - width / 2)
        centre = max(MARGIN + 8 + width / 2, min(centre, self.lanes.right - 8 - width / 2))
        fill, edge = (RED, BAD) if row.bold else (NOTE, NOTE_EDGE)
        height = 10.0 + 14.0 * (len(row.bold) + len(row.plain))
        self.canvas.box(centre - width / 2, y, width, height, fill, edge, pen=1.1, shape="note", css=css,
                        tooltip=self._sentence(step))  # fmt: skip
        at = y + 12.0
        for line in row.bold:
            self.canvas.text(centre, at, line, 10, BAD, bold=True, css=css)
            at += 14.0
        for line in row.plain:
            self.canvas.text(centre, at, line, 9.5, INK, css=css)
            at += 14.0

    def _sentence(self, step: Step) -> str:
        return hover(step, {lane.name: lane for lane in self.lanes.order})
