"""Every figure can be read: no text over another, none outside, and each in enough contrast to what it stands on."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from shakeproof.diagrams.canvas import Canvas
from shakeproof.diagrams.figure import Figure
from shakeproof.diagrams.palette import BG, COLOURS, INK, LINE, SIDES, TINTS, Colour, contrast
from shakeproof.diagrams.sequence import draw_trace
from shakeproof.diagrams.text_width import text_width
from shakeproof.figures import draw, everything
from shakeproof.model.trace import Trace
from tests.diagrams.executed_traces import attacked_run, requests_run

TEXT = 4.5  # WCAG 2.2, 1.4.3
GRAPHIC = 3.0  # WCAG 2.2, 1.4.11
TOUCH = 1.5  # points; letters rarely fill their line
DARK = {colour.light: colour.dark for colour in COLOURS}
BOX = re.compile(r'bb="([\d.,-]+)"')
CAP = 0.36  # of the font size above and below the middle: what capital letters take


@dataclass(frozen=True)
class Area:
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: Area) -> bool:
        across = min(self.right, other.right) - max(self.left, other.left)
        down = min(self.bottom, other.bottom) - max(self.top, other.top)
        return across > TOUCH and down > TOUCH

    @property
    def edge(self) -> tuple[tuple[float, float], ...]:
        """The middle of each side, where what it lies on can be seen."""
        x, y = (self.left + self.right) / 2, (self.top + self.bottom) / 2
        return (x, self.top - 1), (x, self.bottom + 1), (self.left - 1, y), (self.right + 1, y)

    def holds(self, x: float, y: float) -> bool:
        return self.left <= x <= self.right and self.top <= y <= self.bottom


@dataclass(frozen=True)
class Line:
    """A line, or the edge of a shape. points: on it; number: of the grounds that lie below it."""

    colour: str
    points: tuple[tuple[float, float], ...]
    number: int


@dataclass(frozen=True)
class Text:
    words: str
    area: Area
    colour: str


def value(line: str, name: str) -> str:
    found = re.search(rf'\b{name}=("(?:[^"\\]|\\.)*"|<.*?>(?=[ \]])|[^ \]]+)', line)
    return found.group(1).strip('"') if found else ""


class Read:
    """The areas and the texts of a figure's DOT text."""

    def __init__(self, figure: Figure) -> None:
        source = figure.dot_source
        boxes = [[float(part) for part in found.split(",")] for found in BOX.findall(source)]
        self.height, self.width = boxes[0][3], boxes[0][2]
        fills = re.findall(r'fillcolor="(#[0-9a-f]{6})"', source.split("n0 ", 1)[0])
        self.grounds = [
            (Area(x0, self.height - y1, x1, self.height - y0), fill)
            for (x0, y0, x1, y1), fill in zip(boxes, fills, strict=False)
        ]
        clusters = len(self.grounds)
        self.lines = [
            Line(edge, area.edge, number)
            for number, (area, edge) in enumerate(
                zip((area for area, _ in self.grounds), self._edges(source), strict=True)
            )
            if edge
        ]
        self.texts: list[Text] = []
        for line in source.splitlines():
            name = line.strip().split(" ", 1)[0]
            if "->" in line:
                self._line(line, clusters)
            if "->" in line or "pos=" not in line or "style=invis" in line:
                continue
            x, y = (float(part) for part in value(line, "pos").rstrip("!").split(","))
            if name in figure.places:
                self._text(line, figure, name)
            elif "filled" in value(line, "style"):
                wide, high = 36 * float(value(line, "width")), 36 * float(value(line, "height"))
                y = self.height - y
                area = Area(x - wide, y - high, x + wide, y + high)
                if float(value(line, "penwidth") or 1) > 0:
                    self.lines.append(Line(value(line, "color"), area.edge, len(self.grounds)))
                self.grounds.append((area, value(line, "fillcolor")))

    @staticmethod
    def _edges(source: str) -> list[str]:
        """Of each cluster, the colour of its edge; "" where it has none."""
        lines = [line for line in source.splitlines() if line.strip().startswith("bb=")]
        return ["" if value(line, "penwidth") == "0" else value(line, "color") for line in lines]

    def _line(self, line: str, below: int) -> None:
        points = [part.split(",") for part in value(line, "pos").split() if part[0] not in "es"]
        places = tuple((float(x), self.height - float(y)) for x, y in points)
        # Its ends touch what it joins.
        between = tuple(
            (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share)
            for (x0, y0), (x1, y1) in pairwise(places)
            for share in (0.2, 0.5, 0.8)
        )
        self.lines.append(Line(value(line, "color"), between, below))

    def _text(self, line: str, figure: Figure, name: str) -> None:
        place = figure.places[name]
        start = line.index("label=") + len("label=")
        raw = line[start : re.search(r" (?:URL|class|font\w+)=", line[start:]).start() + start]  # type: ignore[union-attr]
        plain = re.sub(r"<[^<>]+>", "", raw[1:-1]) if raw.startswith("<") else raw.strip('"')
        words = html.unescape(plain.removesuffix("\\l").removesuffix("\\r").replace("\\\\", "\\"))
        assert words, line
        wide = text_width(words, place.size, bold="<B>" in raw)
        if "Courier" in line:
            wide = 0.6 * place.size * len(words)
        left = {"start": place.x, "middle": place.x - wide / 2, "end": place.x - wide}[place.anchor]
        half = CAP * place.size
        area = Area(left, place.y - half, left + wide, place.y + half)
        self.texts.append(Text(words, area, value(line, "fontcolor")))

    def under(self, line: Line) -> set[str]:
        """What a line stands on."""
        below = self.grounds[: line.number]
        return {next(fill for area, fill in reversed(below) if area.holds(x, y)) for x, y in line.points}

    def ground(self, text: Text) -> str:
        x, y = (text.area.left + text.area.right) / 2, (text.area.top + text.area.bottom) / 2
        found: list[str] = [fill for area, fill in self.grounds if area.holds(x, y)]
        return found[-1]


PAIRS = [("diff", ("tls12.client", "tls12.server")), ("diff", ("http.client", "http.server"))]


RUNS: dict[str, Callable[[], Trace]] = {
    "some 40 messages": lambda: requests_run(4),
    "some 200 messages": lambda: requests_run(44),
    "attacked": attacked_run,
}


@pytest.fixture(
    scope="module",
    params=[*everything(), *PAIRS, *((name, ()) for name in RUNS)],
    ids=lambda v: "-".join([v[0], *v[1]]),
)
def read(request: pytest.FixtureRequest) -> Read:
    name, arguments = request.param
    return Read(draw_trace(RUNS[name]()) if name in RUNS else draw(name, arguments))


@pytest.mark.parametrize(("requests", "messages"), [(4, 42), (44, 202)])
def test_runs_are_as_long_as_they_say(requests: int, messages: int) -> None:
    assert len(requests_run(requests).messages()) == messages


def test_texts_do_not_meet(read: Read) -> None:
    assert read.texts
    texts = sorted(read.texts, key=lambda text: text.area.top)
    for index, one in enumerate(texts):
        for other in texts[index + 1 :]:
            if other.area.top > one.area.bottom:
                break
            assert not one.area.meets(other.area), (one.words, other.words)


def test_texts_are_inside(read: Read) -> None:
    for text in read.texts:
        assert text.area.left >= 0, text.words
        assert text.area.right <= read.width, text.words
        assert 0 <= text.area.top < text.area.bottom <= read.height, text.words


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_have_contrast_to_their_ground(read: Read, theme: str) -> None:
    for text in read.texts:
        colour, ground = text.colour, read.ground(text)
        if theme == "dark":
            colour, ground = DARK[colour], DARK[ground]
        assert contrast(colour, ground) >= TEXT, (text.words, colour, ground)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_lines_have_contrast_to_their_ground(read: Read, theme: str) -> None:
    assert read.lines
    for line in read.lines:
        for ground in read.under(line):
            colours = (line.colour, ground) if theme == "light" else (DARK[line.colour], DARK[ground])
            assert contrast(*colours) >= GRAPHIC, (line, ground)


def test_line_on_a_ground_too_like_it_is_found() -> None:
    canvas = Canvas()
    canvas.panel(10, 10, 80, 30, TINTS["tls"][0])
    canvas.line([(20, 25), (80, 25)], TINTS["tcp"][0], 1.4)
    canvas.box(20, 15, 20, 5, BG, LINE, pen=1.1)
    drawing = canvas.finish(200, 60, "sample")
    read = Read(Figure("sample", drawing.source, ""))
    edge, faint = sorted(read.lines, key=lambda line: -line.number)
    assert read.under(faint) == read.under(edge) == {TINTS["tls"][0].light}
    assert contrast(faint.colour, TINTS["tls"][0].light) < GRAPHIC <= contrast(edge.colour, TINTS["tls"][0].light)


def drawn(*texts: tuple[float, float, str], colour: Colour = INK) -> Read:
    canvas = Canvas()
    canvas.panel(10, 10, 80, 30, TINTS["tls"][0])
    canvas.box(100, 10, 60, 30, SIDES["client"])
    for x, y, words in texts:
        canvas.text(x, y, words, 9, colour)
    drawing = canvas.finish(200, 60, "sample")
    return Read(Figure("sample", drawing.source, "", places=drawing.texts))


def test_texts_that_meet_are_found() -> None:
    one, other = drawn((40, 25, "one text"), (60, 26, "another")).texts
    assert one.area.meets(other.area)


def test_ground_is_what_lies_on_top() -> None:
    read = drawn((50, 25, "on a panel"), (130, 25, "on a box"), (185, 50, "bare"))
    grounds = [read.ground(text) for text in read.texts]
    assert grounds == [TINTS["tls"][0].light, SIDES["client"].light, BG.light]
    assert contrast(read.texts[1].colour, grounds[1]) < TEXT
