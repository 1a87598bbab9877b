"""The drawing of a chain of checks: one column of questions, the alerts of those that fail, and the references.

An executed one is coloured: what passed, what failed and ended it, and what was not run; each has a sign as well.
"""

from __future__ import annotations

from shakeproof.diagrams.canvas import Canvas, Drawing
from shakeproof.diagrams.citations import citation
from shakeproof.diagrams.figure import Figure
from shakeproof.diagrams.flow import Flow, FlowCheck, Jump, flow_text
from shakeproof.diagrams.machine_parts import HEAD_SIZE, MARGIN
from shakeproof.diagrams.mermaid import flow_mermaid
from shakeproof.diagrams.palette import BAD, CARD, GREEN, GREY, INK, LINE, MUTED, OK, ON_FILL, RED, Colour, tint
from shakeproof.diagrams.text_width import TITLE_PITCH, clean, elide, text_width, title_lines, wrap
from shakeproof.model.trace import Check

BOX, PITCH = 36.0, 60.0
WIDTH_LEAST, WIDTH_MOST = 330.0, 460.0
ALERT_LEAST = 150.0
QUESTION, ALERT = 10.0, 10.0
TRACK = 18.0  # from the boxes to a line at the left, and from a label to the next line


def draw_flow(flow: Flow, *, theme: str | None = None) -> Figure:
    """The picture of `flow`. theme: None (one SVG for both), "light" or "dark"."""
    drawing = _Drawn(flow, Canvas(theme))
    finished = drawing.draw()
    return Figure(
        title=clean(flow.title),
        dot_source=finished.source,
        plain=flow_text(flow),
        sentences=tuple(flow.sentences()),
        theme=theme,
        places=finished.texts,
        mermaid=flow_mermaid(flow),
    )


class _Drawn:
    """One flow being drawn."""

    def __init__(self, flow: Flow, canvas: Canvas) -> None:
        self.flow, self.canvas = flow, canvas
        self.fill, self.strong = tint(flow.tint)
        widest = max((text_width(clean(check.question), QUESTION, bold=True) for check in flow.checks), default=0.0)
        remarks = max((text_width(clean(check.remark), 8.5) for check in flow.checks), default=0.0)
        self.width = min(max(WIDTH_LEAST, widest + 40, remarks + 30), WIDTH_MOST)
        self.jumps = sorted(flow.jumps, key=lambda jump: abs(self._row(jump.source) - self._row(jump.target)))
        # Each label stands left of its own line and right of the next.
        labels = [text_width(clean(jump.label), 8.5, bold=True) for jump in self.jumps]
        self.away = [TRACK * (n + 1) + sum(wide + 8.0 for wide in labels[:n]) for n in range(len(labels))]
        tracks = self.away[-1] + labels[-1] + 14.0 if self.jumps else 0.0
        self.left = MARGIN + 26 + (14.0 if flow.executed else 0.0) + tracks + 26
        self.right = self.left + self.width
        self.middle = (self.left + self.right) / 2
        self.alert_left = self.right + 104
        alerts = [text_width(clean(check.refusal), ALERT, bold=True) + text_width(_others(check), 8.5) + 40
                  for check in flow.checks]  # fmt: skip
        self.alert_width = max([ALERT_LEAST, *alerts])
        self.reference = self.alert_left + self.alert_width + 24
        cited = [text_width(citation(check.clause)[0], 9) for check in flow.checks]
        self.total = self.reference + max([text_width("REFERENCE", 7.5, bold=True), *cited]) + MARGIN + 24
        self.lines = [line for sentence in flow.subtitle for line in wrap(clean(sentence), 10, self.total - 2 * MARGIN)]
        self.title, self.title_size = title_lines(clean(flow.title), self.total - 2 * MARGIN)
        self.titled = TITLE_PITCH * (len(self.title) - 1)
        self.top = 36.0 + self.titled + 14.0 * len(self.lines) + 10.0
        self.first = self.top + 72.0
        self.pitch = PITCH
        self.end_y = self.first + self.pitch * len(flow.checks) + 2.0
        self.height = self.end_y + 32 + 14 + MARGIN

    def _row(self, key: str) -> int:
        return next((n for n, check in enumerate(self.flow.checks) if check.key == key), len(self.flow.checks))

    def _y(self, row: int) -> float:
        """The middle of a box; past the last one, that of the end."""
        return self.first + BOX / 2 + self.pitch * row if row < len(self.flow.checks) else self.end_y + 14.0

    def draw(self) -> Drawing:
        canvas, flow = self.canvas, self.flow
        for index, line in enumerate(self.title):
            canvas.text(MARGIN, 24 + TITLE_PITCH * index, line, self.title_size, INK, bold=True, anchor="start")
        for index, line in enumerate(self.lines):
            canvas.text(MARGIN, 45 + self.titled + 14 * index, line, 10, MUTED, anchor="start")
        bottom = self.height - MARGIN
        canvas.panel(MARGIN, self.top, self.total - 2 * MARGIN, bottom - self.top, self.fill, css="band")
        canvas.box(MARGIN, self.top, 4, bottom - self.top, self.strong, css="band")
        self._head()
        for row, check in enumerate(flow.checks):
            self._check(row, check)
        for rank, jump in enumerate(self.jumps):
            self._jump(rank, jump)
        self._end()
        return canvas.finish(self.total, self.height, "flow")

    def _head(self) -> None:
        canvas, flow = self.canvas, self.flow
        y = self.top + 12
        self._pill(flow.start, y, 32, self.strong, "start")
        columns = ((self.left, "CHECK"), (self.alert_left, "IF NOT: FATAL ALERT"), (self.reference, "REFERENCE"))
        for x, text in columns:
            canvas.text(x, self.first - 12, text, 7.5, self.strong, bold=True, anchor="start", css="head")
        # What leads to the first check was done, where anything was.
        colour, pen = (OK, 2.4) if flow.executed else (INK, 1.4)
        canvas.line([(self.middle, y + 32), (self.middle, self.first)], colour, pen, head="normal", size=HEAD_SIZE)

    def _pill(self, text: str, y: float, height: float, colour: Colour | None, css: str) -> None:
        width = max(160.0, text_width(clean(text), 10, bold=True) + 40)
        left = self.middle - width / 2
        if colour is None:
            self.canvas.panel(left, y, width, height, GREY, LINE, pen=1.2, dashed=True, css=css)
        else:
            self.canvas.box(left, y, width, height, colour, rounded=True, css=css)
        self.canvas.text(self.middle, y + height / 2, text, 10, ON_FILL if colour else MUTED, bold=True, css=css)

    def _check(self, row: int, check: FlowCheck) -> None:
        canvas, y = self.canvas, self._y(row)
        css = f"check step_{row + 1}"
        passed, failed = check.outcome is Check.PASSED, check.outcome is Check.FAILED
        idle = check.outcome is Check.NONE
        top = y - BOX / 2
        fill, edge, text = CARD, self.strong, INK
        if passed:
            fill, edge = GREEN, OK
        elif failed:
            fill, edge = RED, BAD
        elif idle:
            fill, edge, text = GREY, LINE, MUTED
        canvas.panel(self.left, top, self.width, BOX, fill, edge, pen=1.4, dashed=idle, css=css)
        number = edge if not idle else MUTED
        canvas.text(MARGIN + 26, y, str(row + 1), 12, number, bold=True, css=css)
        if passed:
            canvas.tick(MARGIN + 44, y, OK, css=css)
        elif failed:
            canvas.cross(MARGIN + 44, y, BAD, css=css, reach=3.6)
        lines = wrap(clean(check.question), QUESTION, self.width - 24, bold=failed)[:2]
        remark = elide(clean(check.remark), 8.5, self.width - 20)
        texts = [*((line, QUESTION, text, failed) for line in lines), *([(remark, 8.5, BAD if failed else MUTED, False)]
                 if remark and len(lines) == 1 else [])]  # fmt: skip
        at = y - 6.5 * (len(texts) - 1)
        for line, size, colour, bold in texts:
            canvas.text(self.middle, at, line, size, colour, bold=bold, css=css, tooltip=check.sentence)
            at += 13.0
        self._no(row, check, y, css)
        self._on(row, check, css)
        if check.clause:
            shown, url = citation(check.clause)
            canvas.text(self.reference, y, shown, 9, MUTED, anchor="start", css=css, url=url, tooltip=check.clause)

    def _no(self, row: int, check: FlowCheck, y: float, css: str) -> None:
        canvas, failed, shown = self.canvas, check.outcome is Check.FAILED, check.outcome is None
        if not check.alert:
            return
        colour = BAD if failed or shown else LINE
        canvas.line([(self.right, y), (self.alert_left, y)], colour, 2.4 if failed else 1.3,
                    style="solid" if failed or shown else "dashed", head="normal", size=HEAD_SIZE, css=css,
                    tooltip=check.sentence)  # fmt: skip
        if failed or shown:
            canvas.text(self.right + 16, y - 8, "no", 8.5, BAD, bold=True, css=css)
        canvas.panel(self.alert_left, y - 13, self.alert_width, 26, RED if failed or shown else GREY,
                     BAD if failed or shown else LINE, pen=2.2 if failed else 1.1, css=css)  # fmt: skip
        others = _others(check)
        name = clean(check.refusal)
        wide = text_width(name, ALERT, bold=failed) + (5.0 + text_width(others, 8.5) if others else 0.0)
        x = self.alert_left + (self.alert_width - wide) / 2
        canvas.text(x, y, name, ALERT, BAD if failed or shown else MUTED, bold=failed, anchor="start", css=css)
        if others:
            canvas.text(x + wide, y + 0.5, others, 8.5, MUTED, anchor="end", css=css)

    def _on(self, row: int, check: FlowCheck, css: str) -> None:
        """The way down, where there is one."""
        last = row + 1 == len(self.flow.checks)
        if not check.yes and not last:
            return
        canvas, y0 = self.canvas, self._y(row) + BOX / 2
        y1 = self.end_y if last else self._y(row + 1) - BOX / 2
        goes = bool(check.went)
        colour, pen, style = (INK, 1.4, "solid") if check.outcome is None else (LINE, 1.3, "dashed")
        if goes:
            colour, pen, style = OK, 2.4, "solid"
        canvas.line([(self.middle, y0), (self.middle, y1)], colour, pen, style=style, head="normal", size=HEAD_SIZE,
                    css=css)  # fmt: skip
        if goes or check.outcome is None:
            canvas.text(self.middle + 8, (y0 + y1) / 2, check.yes or "yes", 8.5, OK, bold=True, anchor="start", css=css)

    def _jump(self, rank: int, jump: Jump) -> None:
        canvas = self.canvas
        start, end = self._row(jump.source), self._row(jump.target)
        x = self.left - self.away[rank]
        y0, y1 = self._y(start) + self._port(jump, leaves=True), self._y(end) + self._port(jump, leaves=False)
        colour, pen, style = (INK, 1.4, "solid") if jump.taken is None else (LINE, 1.3, "dashed")
        if jump.taken:
            colour, pen, style = OK, 2.4, "solid"
        css = f"jump step_{start + 1}"
        canvas.line([(self.left, y0), (x, y0), (x, y1), (self.left, y1)], colour, pen, style=style, head="normal",
                    size=HEAD_SIZE, css=css, radius=10.0)  # fmt: skip
        at = y0 + (15.0 if end > start else -15.0)
        shade = OK if jump.taken is not False else MUTED
        canvas.text(x - 6, at, jump.label, 8.5, shade, bold=True, anchor="end", css=css)

    def _port(self, jump: Jump, *, leaves: bool) -> float:
        """Two lines at the left of one box leave and enter apart."""
        here = jump.source if leaves else jump.target
        count = sum(here in (each.source, each.target) for each in self.jumps)
        return (5.0 if leaves else -5.0) if count > 1 else 0.0

    def _end(self) -> None:
        done = not self.flow.executed or self.flow.ended
        self._pill(self.flow.end, self.end_y, 32, OK if done else None, "end")


def _others(check: FlowCheck) -> str:
    """That other alerts would do as well."""
    return f"or {check.others} more" if check.others else ""
