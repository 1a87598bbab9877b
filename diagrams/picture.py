"""What a picture of a state machine shows: states, transitions, and where they go. Plain data, no table and no drawing.

Three layouts draw it: where states have a place, they stand there (`grid`); where `path` is given, its states stand on
one vertical line (`spine`); else Graphviz chooses (`fallback`).
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from shakeproof.diagrams.canvas import Point
from shakeproof.diagrams.palette import BAD, CLIENT, LATE, LINE, MUTED, OK, REPLAY, SERVER, Colour
from shakeproof.diagrams.text_width import clean, elide, text_width

TRIGGER, ACTION = 9.5, 8.5
TRIGGER_LINE, ACTION_LINE = 11.5, 10.0  # heights
SHOWN = 3  # transitions named at one arrow; the others are counted, and stand in its tooltip and the text form
LABEL_MOST = 300.0  # points


class Way(enum.Enum):
    """What a transition is to the reader: on the usual path, on the second usual path, any other, or a failure."""

    HAPPY = "happy"
    SECOND = "second"
    OTHER = "other"
    FAILURE = "failure"


class Difference(enum.Enum):
    """How a transition compares with the same one of another machine."""

    SAME = "same"
    MISSING = "missing"
    EXTRA = "extra"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Spot:
    """A state as drawn.

    key: unique; title: as shown; tint, region: of its phase; sentence: on hovering; second: a second line; column, row:
    place on a grid; place: x and y in points, instead; both None where the layout chooses; extra: a state that the
    other machine lacks.
    """

    key: str
    title: str
    region: str = ""
    tint: str = ""
    sentence: str = ""
    second: str = ""
    column: float | None = None
    row: float | None = None
    place: Point | None = None
    extra: bool = False


@dataclass(frozen=True, slots=True)
class Region:
    """States of one phase: key, title and tint of its band or tint; box: left, top, right, bottom where it is given."""

    key: str
    title: str
    tint: str
    box: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Move:
    """A transition: what triggers it, what the machine does, and what is known about it.

    source, target: keys of spots; count: how often it was executed, None where that was not measured; replaced: the
    action of the other machine, struck out; sentence: on hovering; route: see `routes`; points: its corners, instead;
    label_at: x and y of the middle of its label, and which side of the label x is: "left", "right" or "middle".
    """

    source: str
    target: str
    trigger: str
    action: str = ""
    way: Way = Way.OTHER
    count: int | None = None
    difference: Difference | None = None
    replaced: str = ""
    sentence: str = ""
    css: str = ""
    route: str = ""
    points: tuple[Point, ...] = ()
    label_at: tuple[float, float, str] | None = None


@dataclass(frozen=True, slots=True)
class MachinePicture:
    """A state machine to draw.

    subtitle: sentences; path: keys of the usual path, from the top; sink: the state of failures; elsewhere: moves that
    hold in many states, listed below the drawing, with words as their source; unseen: moves that the subtitle speaks of
    and only the text form lists; size: width and height of a state, None where the layout chooses.
    """

    title: str
    spots: tuple[Spot, ...]
    moves: tuple[Move, ...]
    regions: tuple[Region, ...] = ()
    subtitle: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    sink: str = ""
    elsewhere: tuple[Move, ...] = ()
    unseen: tuple[Move, ...] = ()
    size: tuple[float, float] | None = None

    @property
    def all_moves(self) -> tuple[Move, ...]:
        return (*self.moves, *self.elsewhere, *self.unseen)

    def spot(self, key: str) -> Spot:
        return next(spot for spot in self.spots if spot.key == key)


@dataclass(frozen=True, slots=True)
class Words:
    """One line of a label. struck: text before it that is struck out; tag: a tag behind it."""

    text: str
    bold: bool
    colour: Colour
    struck: str = ""
    tag: str = ""

    @property
    def size(self) -> float:
        return TRIGGER if self.bold else ACTION

    @property
    def height(self) -> float:
        return TRIGGER_LINE if self.bold else ACTION_LINE

    @property
    def struck_width(self) -> float:
        return text_width(self.struck, self.size) + 5.0 if self.struck else 0.0

    @property
    def tag_width(self) -> float:
        return text_width(self.tag, 7, bold=True) + 16.0 if self.tag else 0.0

    @property
    def width(self) -> float:
        return self.struck_width + text_width(self.text, self.size, bold=self.bold) + self.tag_width


@dataclass(frozen=True, slots=True)
class Label:
    """The lines beside an arrow."""

    lines: tuple[Words, ...]

    @property
    def width(self) -> float:
        return max((line.width for line in self.lines), default=0.0)

    @property
    def height(self) -> float:
        return sum(line.height for line in self.lines)


@dataclass(frozen=True, slots=True)
class Look:
    """How an arrow is drawn."""

    line: Colour
    text: Colour
    pen: float
    style: str = "solid"


@dataclass(frozen=True, slots=True)
class Arrow:
    """Moves between the same two states, drawn as one."""

    source: str
    target: str
    way: Way
    moves: tuple[Move, ...]

    @property
    def route(self) -> str:
        return next((move.route for move in self.moves if move.route), "")

    @property
    def measured(self) -> bool:
        return any(move.count is not None for move in self.moves)

    @property
    def count(self) -> int:
        return sum(move.count or 0 for move in self.moves)

    @property
    def css(self) -> str:
        names = dict.fromkeys(name for move in self.moves for name in move.css.split())
        return " ".join(["move", self.way.value, *names])

    @property
    def sentence(self) -> str:
        return "; ".join(describe(move) for move in self.moves)

    @property
    def look(self) -> Look:
        if self.measured:
            if not self.count:
                return Look(LATE, LATE, 1.6, "dashed")
            return Look(OK, OK, round(1.2 + 0.55 * math.log10(self.count), 2))
        differences = {move.difference for move in self.moves} - {None, Difference.SAME}
        if len(differences) == 1 or Difference.EXTRA in differences:
            found = Difference.EXTRA if Difference.EXTRA in differences else differences.pop()
            return {
                Difference.MISSING: Look(BAD, BAD, 2.0, "dashed"),
                Difference.EXTRA: Look(LATE, LATE, 2.6),
                Difference.CHANGED: Look(REPLAY, REPLAY, 2.0),
            }[found or Difference.EXTRA]
        if any(move.difference is not None for move in self.moves):
            return Look(LINE, MUTED, 1.2)
        return {
            Way.HAPPY: Look(CLIENT, CLIENT, 2.4),
            Way.SECOND: Look(SERVER, SERVER, 2.3, "dashed"),
            Way.OTHER: Look(LINE, MUTED, 1.3),
            Way.FAILURE: Look(BAD, BAD, 1.3, "dashed"),
        }[self.way]

    def label(self, most: float = LABEL_MOST) -> Label:
        """What stands beside the arrow, at most `most` points wide."""
        look = self.look
        shown = self.moves if len(self.moves) <= SHOWN else self.moves[: SHOWN - 1]
        lines: list[Words] = []
        for move in shown:
            tag = "" if move.difference in (None, Difference.SAME) else str(move.difference.value).upper()
            words = Words("", True, look.text, tag=tag)
            trigger = elide(clean(move.trigger), TRIGGER, most - words.tag_width, bold=True)
            if lines and self._times(move) == "" and any(line.text == trigger for line in lines):
                pass
            else:
                lines.append(replace(words, text=trigger))
            action = self._times(move) or clean(move.action)
            if action or move.replaced:
                struck = elide(clean(move.replaced), ACTION, most / 2)
                words = Words("", False, MUTED, struck=struck)
                lines.append(replace(words, text=elide(action, ACTION, max(most - words.struck_width, 40.0))))
        if len(shown) < len(self.moves):
            rest = self.moves[len(shown) :]
            text = f"and {len(rest)} more"
            never = sum(move.count == 0 for move in rest)
            if self.measured:
                text += f": {times(sum(move.count or 0 for move in rest))}"
                text += f", {never} never executed" if never and never < len(rest) else ""
            lines.append(Words(text, False, MUTED))
        return Label(tuple(lines))

    def summary(self, most: float) -> tuple[Words, Words]:
        """One line above and one below: for failures, of which a state may have many."""
        look = self.look
        triggers = list(dict.fromkeys(clean(move.trigger) for move in self.moves))
        actions = list(dict.fromkeys(clean(move.action) for move in self.moves if move.action))
        tags = {str(m.difference.value).upper() for m in self.moves if m.difference not in (None, Difference.SAME)}
        words = Words("", True, look.text, tag=", ".join(sorted(tags)))
        above = replace(words, text=elide(_joined(triggers), TRIGGER, most - words.tag_width, bold=True))
        below = _joined_actions(actions)
        if self.measured:
            never = sum(move.count == 0 for move in self.moves)
            below = times(self.count)
            if never and self.count:
                below += f", {never} of {len(self.moves)} never executed"
        replaced = next((clean(move.replaced) for move in self.moves if move.replaced), "")
        line = Words("", False, MUTED, struck=elide(replaced, ACTION, most / 2))
        return above, replace(line, text=elide(below, ACTION, max(most - line.struck_width, 40.0)))

    @staticmethod
    def _times(move: Move) -> str:
        return "" if move.count is None else times(move.count)


def times(count: int) -> str:
    """How often something was executed, in words."""
    if not count:
        return "never executed"
    return f"{count:,}".replace(",", " ") + (" time" if count == 1 else " times")


def _joined(triggers: Sequence[str]) -> str:
    if len(triggers) == 1:
        return triggers[0]
    heads = list(dict.fromkeys(trigger.split("[")[0].strip() for trigger in triggers))
    inner = [t[t.index("[") + 1 :].rstrip("]") for t in triggers if "[" in t]
    if len(heads) == 1 and len(inner) == len(triggers):
        return f"{heads[0]}[{' | '.join(inner)}]"
    return ", ".join(triggers)


def _joined_actions(actions: Sequence[str]) -> str:
    words = [action.split(" ", 1) for action in actions]
    if len(actions) > 1 and all(len(w) == 2 for w in words) and len({w[0] for w in words}) == 1:
        rest = dict.fromkeys(part.strip() for w in words for part in w[1].split(","))
        return f"{words[0][0]} {', '.join(rest)}"
    return "; ".join(actions)


def describe(move: Move) -> str:
    """The move in words, the same for hovering, screen readers and the terminal."""
    text = move.sentence or move.trigger + (f" / {move.action}" if move.action else "")
    if move.count is not None:
        text += f" ({times(move.count)})"
    if move.difference not in (None, Difference.SAME):
        text += f" ({move.difference.value})"
    return clean(text)


def arrows(moves: Iterable[Move]) -> list[Arrow]:
    """`moves`, those between the same two states in one arrow, failures apart; in the order of their first one."""
    found: dict[tuple[str, str, bool], list[Move]] = {}
    for move in moves:
        found.setdefault((move.source, move.target, move.way is Way.FAILURE), []).append(move)
    order = list(Way)
    return [
        Arrow(source, target, min((move.way for move in group), key=order.index), tuple(group))
        for (source, target, _), group in found.items()
    ]
