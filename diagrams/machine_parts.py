"""What all layouts of a state machine share: how a state, a label, the title and the list below look."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from shakeproof.diagrams.canvas import Canvas
from shakeproof.diagrams.palette import BAD, CARD, INK, LATE, LINE, MUTED, ON_FILL, RED, Colour, tint
from shakeproof.diagrams.picture import Arrow, Label, MachinePicture, Move, Spot, Way, Words, times
from shakeproof.diagrams.text_width import TITLE_PITCH, clean, elide, text_width, title_lines, wrap

MARGIN = 20.0
HEAD_SIZE = 0.75  # arrow heads
NODE_HEIGHT = 30.0
NAME = 10.0


def node_name(key: str) -> str:
    """Name of a state in the DOT text."""
    return "s_" + re.sub(r"\W", "_", key, flags=re.ASCII)


def spot_colour(spot: Spot, sink: str) -> Colour:
    """Colour of the border and the name of a state."""
    if spot.key == sink:
        return BAD
    if spot.extra:
        return LATE
    return tint(spot.tint)[1]


def spot_width(spot: Spot, least: float) -> float:
    return max(least, text_width(clean(spot.title), NAME, bold=True) + 22, text_width(clean(spot.second), 8.5) + 22)


def draw_spot(canvas: Canvas, spot: Spot, sink: str, x: float, y: float, width: float, height: float) -> None:
    """A state around (x, y)."""
    colour = spot_colour(spot, sink)
    fill = RED if spot.key == sink else CARD
    css = "state sink" if spot.key == sink else "state extra" if spot.extra else "state"
    canvas.box(
        x - width / 2, y - height / 2, width, height, fill, colour,
        pen=1.4, rounded=True, name=node_name(spot.key), css=css, tooltip=spot.sentence,
    )  # fmt: skip
    canvas.text(x, y - (6 if spot.second else 0), spot.title, NAME, colour, bold=True, css=css)
    if spot.second:
        canvas.text(x, y + 7, elide(clean(spot.second), 8.5, width - 10), 8.5, MUTED, css=css)


def draw_words(canvas: Canvas, words: Words, x: float, y: float, anchor: str, css: str) -> None:
    """One line of a label; x is where its `anchor` stands, y its middle."""
    left = x - (words.width if anchor == "end" else words.width / 2 if anchor == "middle" else 0.0)
    plain = not words.struck and not words.tag
    if plain:
        canvas.text(x, y, words.text, words.size, words.colour, bold=words.bold, anchor=anchor, css=css)
        return
    if words.struck:
        canvas.text(left, y, words.struck, words.size, MUTED, struck=True, anchor="start", css=css)
    left += words.struck_width
    canvas.text(left, y, words.text, words.size, words.colour, bold=words.bold, anchor="start", css=css)
    if words.tag:
        width = words.tag_width - 6.0
        left += text_width(words.text, words.size, bold=words.bold) + 6.0
        canvas.box(left, y - 5.5, width, 11, words.colour, rounded=True, css=css)
        canvas.text(left + width / 2, y + 0.5, words.tag, 7, ON_FILL, bold=True, css=css)


def draw_label(canvas: Canvas, label: Label, x: float, top: float, anchor: str, css: str) -> None:
    """The lines of a label from `top` downwards."""
    y = top
    for words in label.lines:
        draw_words(canvas, words, x, y + words.height / 2, anchor, css)
        y += words.height


class Head:
    """Title and subtitle of a machine's picture. `height` is where the drawing begins."""

    def __init__(self, picture: MachinePicture, width: float) -> None:
        self.title, self.title_size = title_lines(clean(picture.title), width - 2 * MARGIN)
        self.titled = TITLE_PITCH * (len(self.title) - 1)
        self.lines = [line for sentence in picture.subtitle for line in wrap(clean(sentence), 10, width - 2 * MARGIN)]
        self.height = 36.0 + self.titled + 14.0 * len(self.lines) + 14.0

    def draw(self, canvas: Canvas) -> None:
        for index, line in enumerate(self.title):
            canvas.text(MARGIN, 24 + TITLE_PITCH * index, line, self.title_size, INK, bold=True, anchor="start")
        for index, line in enumerate(self.lines):
            canvas.text(MARGIN, 45 + self.titled + 14 * index, line, 10, MUTED, anchor="start")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of the list: what holds in some states, or, without a move, which states those are.

    part: of the lines of one move, this one; ends: it is the last of them.
    """

    words: str
    move: Move | None = None
    muted: str = ""
    part: int = 0
    ends: bool = True


class Elsewhere:
    """Moves that are no arrows, most of them since they hold in many states, as lines below the drawing.

    Those of the same states stand below one heading, which says what the words for these states stand for.
    """

    LINE_HEIGHT = 14.0
    COLUMN_LEAST = 400.0  # points; where two fit side by side, they stand so
    COLUMNS_FROM = 8  # lines
    INDENT = 12.0

    def __init__(self, picture: MachinePicture, width: float) -> None:
        self.width = width
        self.items = picture.elsewhere
        wide = width - 2 * MARGIN >= 2 * self.COLUMN_LEAST and len(self.items) >= self.COLUMNS_FROM
        self.step = (width - 2 * MARGIN - 12) / (2 if wide else 1)
        groups: dict[str, list[Move]] = {}
        for move in picture.elsewhere:
            groups.setdefault(clean(move.source), []).append(move)
        stands_for = {clean(words): clean(meaning) for words, meaning in picture.groups}
        blocks = [self._block(words, moves, stands_for.get(words, "")) for words, moves in groups.items()]
        self.columns: list[list[_Entry]] = [[], []] if wide else [[]]
        half = -(-sum(map(len, blocks)) // 2)
        for block in blocks:
            # A heading stays with its lines; the first column may be the longer one.
            last = wide and len(self.columns[0]) + len(block) / 2 > half
            self.columns[-1 if last or self.columns[-1] else 0].extend(block)
        self.lines = max(map(len, self.columns))
        self.height = 34.0 + self.LINE_HEIGHT * self.lines if self.items else 0.0

    def _block(self, words: str, moves: Sequence[Move], meaning: str) -> list[_Entry]:
        room = self.step - 24
        block: list[_Entry] = []
        head = f"{words}: " if meaning else words
        beside = max(room - text_width(head, 9, bold=True), 120.0)
        if meaning and max(text_width(word, 8.5) for word in meaning.split()) > beside:
            lines = ["", meaning]  # no word is cut: they all stand below
        else:
            lines = wrap(meaning, 8.5, beside) if meaning else [""]
        block.append(_Entry(head, muted=lines[0]))
        if len(lines) > 1:
            block += [_Entry("", muted=line) for line in wrap(" ".join(lines[1:]), 8.5, room - self.INDENT)]
        for move in moves:
            executed = "" if move.count is None else f" ({times(move.count)})"
            most = self.step - 3 * self.INDENT - 28 - Words("", False, INK, tag=_tag(move)).tag_width
            broken = wrap(elsewhere_text(move) + executed, 9, most)
            block += [_Entry(line, move, part=part, ends=part + 1 == len(broken)) for part, line in enumerate(broken)]
        return block

    def draw(self, canvas: Canvas, top: float) -> None:
        if not self.items:
            return
        fill, strong = tint("close")
        canvas.panel(MARGIN, top, self.width - 2 * MARGIN, self.height - 4, fill, css="elsewhere")
        canvas.text(MARGIN + 12, top + 11, "LISTED, NOT DRAWN", 8.5, strong, bold=True, anchor="start")
        for number, column in enumerate(self.columns):
            x = MARGIN + 12 + self.step * number
            for line, entry in enumerate(column):
                self._entry(canvas, entry, x, top + 29 + self.LINE_HEIGHT * line)

    def _entry(self, canvas: Canvas, entry: _Entry, x: float, y: float) -> None:
        move = entry.move
        if move is None:
            canvas.text(x, y, entry.words, 9, INK, bold=True, anchor="start", css="group")
            at = x + (text_width(entry.words, 9, bold=True) + 2.0 if entry.words else self.INDENT)
            canvas.text(at, y, entry.muted, 8.5, MUTED, anchor="start", css="group")
            return
        arrow = Arrow(move.source, move.target, move.way, (move,))
        look = arrow.look
        colour = look.text if arrow.measured or look.line is not LINE else INK
        x += self.INDENT * (1 if entry.part == 0 else 2)
        words = Words("", False, colour, tag=_tag(move))
        canvas.text(x, y, entry.words, 9, colour, anchor="start", css=arrow.css, tooltip=arrow.sentence)
        if words.tag and entry.ends:
            draw_words(canvas, words, x + text_width(entry.words, 9) + 6.0, y, "start", arrow.css)


def _tag(move: Move) -> str:
    """How the move differs, where machines are compared."""
    return "" if move.difference is None else str(move.difference.value).upper()


def elsewhere_text(move: Move) -> str:
    """A move that is listed, without source and count. That a failure leads to the state of failures goes unsaid."""
    known = move.way is Way.FAILURE and move.action
    target = f" → {move.target}" if move.target and not known else ""
    instead = f" instead of {move.replaced}" if move.replaced else ""
    return clean(move.trigger + target + (f", {move.action}" if move.action else "") + instead)
