"""A protocol stack: the layers of two ends side by side, and how the data of one message is nested in them.

Plain data and its drawing. What the layers are called, what they add and how long it is comes from whoever knows the
protocols and has a run.
"""

from __future__ import annotations

from dataclasses import dataclass

from shakeproof.diagrams.canvas import Canvas
from shakeproof.diagrams.figure import Figure
from shakeproof.diagrams.machine_parts import HEAD_SIZE, MARGIN
from shakeproof.diagrams.palette import INK, LINE, MUTED, OK, ON_FILL, TUNNEL, TUNNEL_EDGE, side, tint
from shakeproof.diagrams.text_width import clean, text_width, wrap
from shakeproof.model.trace import Lane

BOX, HEIGHT, PITCH = 170.0, 46.0, 66.0
BETWEEN = 100.0  # between the columns of the two ends
BAR = 30.0
HEADER_LEAST = 58.0
PAYLOAD_LEAST = 162.0


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer, from the top.

    name, duty: as shown; unit: what it exchanges with its peer; tint: of its phase; header: what it puts before the
    data of the layer above, with header_length bytes; header_length, trailer_length: bytes that it adds; seals: the
    data below is not readable on the way.
    """

    name: str
    duty: str
    unit: str
    tint: str
    header: str = ""
    header_length: int = 0
    seals: bool = False


@dataclass(frozen=True, slots=True)
class Stack:
    """A stack of two ends. payload: the message at the top; lengths: bytes of what each layer hands to the one below,
    in the order of `layers`; note: one sentence below.
    """

    title: str
    ends: tuple[Lane, Lane]
    layers: tuple[Layer, ...]
    payload: str
    lengths: tuple[int, ...]
    sealed: str = ""
    subtitle: tuple[str, ...] = ()
    note: str = ""

    def sentences(self) -> list[str]:
        """The stack in words."""
        lines = list(self.subtitle)
        for number, layer in enumerate(self.layers):
            below = self.layers[number + 1].name if number + 1 < len(self.layers) else "the network"
            lines.append(
                f"{layer.name} ({layer.duty}) exchanges {layer.unit} with its peer and hands "
                f"{self.lengths[number]} bytes to {below}{', sealed' if layer.seals else ''}."
            )
        return [clean(line) for line in [*lines, self.note] if line]


def draw_stack(stack: Stack, *, theme: str | None = None) -> Figure:
    """The picture of `stack`. theme: None (one SVG for both), "light" or "dark"."""
    canvas = Canvas(theme)
    left, right = MARGIN, MARGIN + BOX + BETWEEN
    bars = right + BOX + 50.0
    headers = [_header_width(layer) for layer in stack.layers]
    payload = max(PAYLOAD_LEAST, text_width(clean(stack.payload), 9, bold=True) + 30,
                  text_width(clean(stack.sealed), 9, bold=True) + 56)  # fmt: skip
    edge = bars + sum(headers) + payload
    width = edge + MARGIN
    lines = [line for sentence in stack.subtitle for line in wrap(clean(sentence), 10, width - 2 * MARGIN)]
    canvas.text(MARGIN, 24, stack.title, 16, INK, bold=True, anchor="start")
    for index, line in enumerate(lines):
        canvas.text(MARGIN, 46 + 14 * index, line, 10, MUTED, anchor="start")
    heads = 56.0 + 14.0 * max(len(lines) - 1, 0) + 16.0
    top = heads + 42.0
    for x, lane in ((left, stack.ends[0]), (right, stack.ends[1])):
        wide = max(90.0, text_width(clean(lane.title), 11.5, bold=True) + 36)
        canvas.box(x + (BOX - wide) / 2, heads, wide, 29, side(lane.side), rounded=True, css="lane")
        canvas.text(x + BOX / 2, heads + 14.5, lane.title, 11.5, ON_FILL, bold=True, css="lane")
    canvas.text(bars, heads + 14.5, "ENCAPSULATION", 8.5, MUTED, bold=True, anchor="start", css="head")
    sealed = False
    for number, layer in enumerate(stack.layers):
        y, css = top + PITCH * number, f"layer step_{number + 1}"
        fill, strong = tint(layer.tint)
        last = number + 1 == len(stack.layers)
        for x in (left, right):
            canvas.panel(x, y, BOX, HEIGHT, fill, strong, pen=2.0 if layer.seals else 1.4, css=css)
            canvas.text(x + BOX / 2, y + 17, layer.name, 13, strong, bold=True, css=css)
            canvas.text(x + BOX / 2, y + 32, layer.duty, 8.5, MUTED, css=css)
            if layer.seals:
                canvas.padlock(x + BOX - 18, y + 12, strong, css=css)
        middle = y + HEIGHT / 2
        canvas.line([(left + BOX, middle), (right, middle)], strong, 2.2 if last else 1.3,
                    style="solid" if last else "dashed", head="normal", tail="" if last else "normal", size=HEAD_SIZE,
                    css=css)  # fmt: skip
        canvas.text((left + BOX + right) / 2, middle - 10, layer.unit, 8.5, strong, bold=True, css=css)
        if not last:
            for x, down in ((left + BOX / 2, True), (right + BOX / 2, False)):
                ends = [(x, y + HEIGHT), (x, y + PITCH)]
                canvas.line(ends if down else ends[::-1], LINE, 1.6, head="normal", size=HEAD_SIZE, css=css)
        sealed = sealed or layer.seals
        _bars(canvas, stack, number, edge, payload, headers, middle - BAR / 2, sealed, css)
    bottom = top + PITCH * len(stack.layers) - (PITCH - HEIGHT)
    for index, line in enumerate(wrap(clean(stack.note), 9.5, width - 2 * MARGIN)):
        canvas.text(MARGIN, bottom + 30 + 14 * index, line, 9.5, MUTED, anchor="start", css="note")
    notes = len(wrap(clean(stack.note), 9.5, width - 2 * MARGIN))
    drawing = canvas.finish(width, bottom + (24.0 + 14.0 * notes if notes else 0.0) + MARGIN, "stack")
    return Figure(
        title=clean(stack.title),
        dot_source=drawing.source,
        plain=stack_text(stack),
        sentences=tuple(stack.sentences()),
        theme=theme,
        places=drawing.texts,
    )


def _header_width(layer: Layer) -> float:
    if not layer.header_length:
        return 0.0
    named = max(text_width(clean(layer.name), 9, bold=True), text_width(_length(layer), 7.5)) + 14
    return max(HEADER_LEAST, named)


def _length(layer: Layer) -> str:
    return clean(f"{layer.header}, {layer.header_length} bytes")


def _bars(
    canvas: Canvas, stack: Stack, number: int, edge: float, payload: float, headers: list[float], y: float,
    sealed: bool, css: str,
) -> None:  # fmt: skip
    """What the layer hands down: its own header, those of the layers above, and the payload, which ends at `edge`."""
    x = edge - payload
    total = f"{stack.lengths[number]:,} bytes".replace(",", " ")
    if sealed:
        canvas.panel(x, y, payload, BAR, TUNNEL, TUNNEL_EDGE, pen=1.1, rounded=False, css=css)
        canvas.padlock(x + 16, y + BAR / 2 + 1, OK, css=css)
        canvas.text(x + payload / 2 + 10, y + BAR / 2, stack.sealed, 9, OK, bold=True, css=css)
    else:
        fill, strong = tint(stack.layers[number].tint)
        canvas.panel(x, y, payload, BAR, fill, strong, pen=1.1, rounded=False, css=css)
        canvas.text(x + payload / 2, y + BAR / 2, stack.payload, 9, strong, bold=True, css=css)
    for index in range(number + 1):
        layer = stack.layers[index]
        if not layer.header_length:
            continue
        x -= headers[index]
        fill, strong = tint(layer.tint)
        canvas.panel(x, y, headers[index], BAR, fill, strong, pen=1.1, rounded=False, css=css)
        canvas.text(x + headers[index] / 2, y + 11, layer.name, 9, strong, bold=True, css=css)
        canvas.text(x + headers[index] / 2, y + 21.5, _length(layer), 7.5, MUTED, css=css)
    canvas.text(edge, y - 7, total, 8, MUTED, anchor="end", css=css)


def stack_text(stack: Stack) -> str:
    """The stack as plain text, for terminals."""
    lines = [clean(stack.title), *(clean(line) for line in stack.subtitle), ""]
    wide = max(len(clean(f"{layer.name}: {layer.duty}")) for layer in stack.layers)
    units = max(len(clean(layer.unit)) for layer in stack.layers)
    one, other = (clean(lane.title) for lane in stack.ends)
    lines.append(f"{one:^{wide + 4}}{'':{units + 6}}{other:^{wide + 4}}")
    above: list[str] = []
    sealed = False
    for number, layer in enumerate(stack.layers):
        if layer.header_length:
            above.insert(0, f"{clean(layer.name)} {layer.header_length}")
        sealed = sealed or layer.seals
        box = f"│ {clean(f'{layer.name}: {layer.duty}'):<{wide}} │"
        last = number + 1 == len(stack.layers)
        arrow = f"━ {clean(layer.unit):^{units}} ━▶" if last else f"◀╌{clean(layer.unit):^{units}}╌▶ "
        payload = clean(stack.sealed if sealed else stack.payload)
        lines.append(f"{box} {arrow} {box}  {' | '.join([*above, payload])}  ({stack.lengths[number]} bytes)")
    return "\n".join([*lines, "", clean(stack.note)]) + "\n"
