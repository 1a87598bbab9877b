"""What a picture of a state machine shows: states, transitions, and where they go. Plain data, no table and no drawing.

Three layouts draw it: where states have a place, they stand there (`grid`); where `path` is given, its states stand on
one vertical line (`spine`); else Graphviz chooses (`fallback`).
"""

from __future__ import annotations

import enum
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from shakeproof.diagrams.canvas import Point
from shakeproof.diagrams.labels import Usual, joined, parse, usual_of
from shakeproof.diagrams.palette import BAD, CLIENT, LATE, LINE, MUTED, OK, REPLAY, SERVER, Colour
from shakeproof.diagrams.text_width import clean, elide, text_width, wrap

TRIGGER, ACTION = 9.5, 8.5
TRIGGER_LINE, ACTION_LINE = 11.5, 10.0  # heights
SHOWN = 3  # transitions named at one arrow; the others are counted, and stand in its tooltip and the text form
LINES_MOST = 4  # of one text; a longer one is cut short
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
    action of the other machine, struck out; unrun: the run that shows the other machine never came to it; sentence: on
    hovering; route: see `routes`; points: its corners, instead;
    label_at: x and y of the middle of its label, and which side of the label x is: "left", "right" or "middle".
    broken: whether a finding of the run that was measured is about it.
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
    unrun: bool = False
    broken: bool = False


@dataclass(frozen=True, slots=True)
class MachinePicture:
    """A state machine to draw.

    subtitle: sentences; path: keys of the usual path, from the top; sink: the state of failures; elsewhere: moves that
    hold in many states, listed below the drawing, with words as their source; unseen: moves that the subtitle speaks of
    and only the text form lists;
    partial: it is a table as far as a run contradicted it; size: width and height of a state, None where the layout
    chooses.
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
    groups: tuple[tuple[str, str], ...] = ()
    partial: bool = False

    @property
    def all_moves(self) -> tuple[Move, ...]:
        return (*self.moves, *self.elsewhere, *self.unseen)

    @property
    def usual(self) -> Usual:
        """What labels leave unsaid, since most transitions of a message say it."""
        return usual_of(move.trigger for move in self.moves if move.way is not Way.FAILURE)

    def spot(self, key: str) -> Spot:
        return next(spot for spot in self.spots if spot.key == key)


@dataclass(frozen=True, slots=True)
class Words:
    """One line of a label. struck: text before it that is struck out; tag: a tag behind it; counts: whether it counts
    transitions instead of telling each.
    """

    text: str
    bold: bool
    colour: Colour
    struck: str = ""
    tag: str = ""
    counts: bool = False

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
    def counts(self) -> bool:
        """Whether it counts transitions instead of telling each."""
        return any(line.counts for line in self.lines)

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
    usual: Usual = field(default_factory=Usual)

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
            if any(move.broken for move in self.moves):
                return Look(BAD, BAD, 3.0)
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
            return Look(LINE, MUTED, 1.2, "dashed" if all(move.unrun for move in self.moves) else "solid")
        return {
            Way.HAPPY: Look(CLIENT, CLIENT, 2.4),
            Way.SECOND: Look(SERVER, SERVER, 2.3, "dashed"),
            Way.OTHER: Look(LINE, MUTED, 1.3),
            Way.FAILURE: Look(BAD, BAD, 1.3, "dashed"),
        }[self.way]

    def label(self, most: float = LABEL_MOST) -> Label:
        """What stands beside the arrow, at most `most` points wide: alternatives with the same action share a text."""
        groups = self._groups()
        shown = groups if len(groups) <= SHOWN else groups[: SHOWN - 1]
        lines: list[Words] = []
        for group in shown:
            lines += self._lines(group, most)
        rest = [move for group in groups[len(shown) :] for move in group]
        if rest:
            text = f"and {len(rest)} more"
            if self.measured:
                text += f": {executed(rest)}"
            lines.append(Words(text, False, MUTED, counts=True))
        return Label(tuple(lines))

    def _groups(self) -> list[list[Move]]:
        """Moves that one text can tell of; those that differ from another machine's stand alone."""
        groups: dict[tuple[object, ...], list[Move]] = {}
        for number, move in enumerate(self.moves):
            alone = number if move.difference not in (None, Difference.SAME) else -1
            head = parse(move.trigger).head
            groups.setdefault((alone, head if self.measured else "", move.action), []).append(move)
        return list(groups.values())

    def _lines(self, group: Sequence[Move], most: float) -> list[Words]:
        move = group[0]
        differs = move.difference not in (None, Difference.SAME)
        tag = str(move.difference.value).upper() if differs and move.difference else ""
        colour = replace(self, moves=(move,)).look.text if move.difference is not None else self.look.text
        words = Words("", True, colour, tag=tag)
        lines: list[Words] = []
        for text in joined([each.trigger for each in group], self.usual):
            room = most - words.tag_width
            if differs:  # what differs is why there is the picture: no word of it is cut
                room = max([room, *(text_width(word, TRIGGER, bold=True) for word in text.split())])
            broken = wrap(text, TRIGGER, room, bold=True)
            if len(broken) > LINES_MOST:
                broken = fewer(text, room) or broken
            if len(broken) > LINES_MOST:
                broken = [
                    *broken[: LINES_MOST - 1],
                    elide(" ".join(broken[LINES_MOST - 1 :]), TRIGGER, most, bold=True),
                ]
            lines += [replace(words, text=line, tag=tag if number + 1 == len(broken) else "")
                      for number, line in enumerate(broken)]  # fmt: skip
        action = executed(group) if self.measured else clean(move.action)
        if move.replaced:
            lines += [Words("", False, MUTED, struck=line) for line in wrap(clean(move.replaced), ACTION, most)]
            lines += [Words(line, False, MUTED) for line in wrap(action, ACTION, most)]
        elif action:
            broken = wrap(action, ACTION, most)
            if len(broken) > LINES_MOST - 1:
                broken = [*broken[: LINES_MOST - 2], elide(" ".join(broken[LINES_MOST - 2 :]), ACTION, most)]
            lines += [Words(line, False, MUTED) for line in broken]
        return lines

    def summary(self, most: float) -> tuple[Words, Words]:
        """One line above and one below: for failures, of which a state may have many."""
        look = self.look
        differing = [move for move in self.moves if move.difference not in (None, Difference.SAME)]
        told = differing or list(self.moves)
        tags = {str(move.difference.value).upper() for move in differing if move.difference}
        words = Words("", True, look.text, tag=", ".join(sorted(tags)))
        room = most - words.tag_width
        text = ", ".join(joined([move.trigger for move in told], Usual()))
        if text_width(text, TRIGGER, bold=True) > room:
            text = _fitting(_counted(told), room)
        above = replace(words, text=text)
        actions = [clean(move.action) for move in told if move.action]
        below = "; ".join(dict.fromkeys(actions)) if differing else actions_in(actions, most)
        if self.measured:
            below = executed(self.moves)
        if differing and len(differing) < len(self.moves):
            below += f"; {len(self.moves) - len(differing)} others: no difference seen"
        # What differs is why there is the picture: it is never cut, and the line makes room for it.
        replaced = "; ".join(dict.fromkeys(clean(move.replaced) for move in told if move.replaced))
        line = Words("", False, MUTED, struck=replaced)
        return above, replace(line, text=below if differing else elide(below, ACTION, most))


def times(count: int) -> str:
    """How often something was executed, in words."""
    if not count:
        return "never executed"
    return f"{count:,}".replace(",", " ") + (" time" if count == 1 else " times")


def fewer(text: str, most: float) -> list[str]:
    """The lines of a label whose last alternatives are counted instead of named; empty where that does not help."""
    first, *others = text.split(" | ")
    end = next((at for at, word in enumerate(others) if not word.isidentifier()), len(others) - 1)
    last = re.fullmatch(r"\w+(.*)", " | ".join(others[end:]))
    tail = last[1] if last is not None else ""
    for kept in range(end - 1, -1, -1) if last is not None else ():
        lines = wrap(" | ".join([first, *others[:kept], f"{end + 1 - kept} more{tail}"]), TRIGGER, most, bold=True)
        if len(lines) <= LINES_MOST:
            return lines
    return []


def executed(moves: Sequence[Move]) -> str:
    """How often these were executed, all in all."""
    count, never = sum(move.count or 0 for move in moves), sum(move.count == 0 for move in moves)
    return times(count) + (f", {never} of {len(moves)} never executed" if never and count else "")


def _fitting(texts: Sequence[tuple[str, int]], room: float) -> str:
    """As many of the texts as fit on a line, and how many more transitions there are."""
    for shown in range(len(texts), 0, -1):
        rest = sum(count for _, count in texts[shown:])
        text = ", ".join(text for text, _ in texts[:shown]) + (f" and {rest} more" if rest else "")
        if text_width(text, TRIGGER, bold=True) <= room:
            return text
    return elide(texts[0][0], TRIGGER, room, bold=True)


def _counted(moves: Sequence[Move]) -> list[tuple[str, int]]:
    """Each head with how many transitions it has, where they do not fit; and that number."""
    heads: dict[str, int] = {}
    for move in moves:
        head = parse(move.trigger).head
        heads[head] = heads.get(head, 0) + 1
    texts, verb = [], ""
    for head, count in heads.items():
        first, _, rest = head.partition(" ")
        text = rest if rest and first == verb else head  # "recv" is said once
        verb = first
        texts.append((f"{text} in {count} ways" if count > 1 else text, count))
    return texts


def actions_in(actions: Sequence[str], most: float) -> str:
    """The actions, what they have in common once; where they do not fit, the first and how many more."""
    words = [action.split(" ", 1) for action in dict.fromkeys(actions)]
    if not words:
        return ""
    if len(words) == 1 or not all(len(w) == 2 for w in words) or len({w[0] for w in words}) > 1:
        parts, head, between = [" ".join(w) for w in words], "", "; "
        if len(parts) == 1 and ", " in parts[0] and words[0][1:]:
            head, between, parts = words[0][0] + " ", ", ", words[0][1].split(", ")
    else:
        parts = list(dict.fromkeys(part.strip() for w in words for part in w[1].split(",")))
        head, between = words[0][0] + " ", ", "
    for shown in range(len(parts), 0, -1):
        more = f" and {len(parts) - shown} more" if shown < len(parts) else ""
        text = head + between.join(parts[:shown]) + more
        if text_width(text, ACTION) <= most or shown == 1:
            return text
    return ""


def describe(move: Move) -> str:
    """The move in words, the same for hovering, screen readers and the terminal."""
    text = move.sentence or move.trigger + (f" / {move.action}" if move.action else "")
    if move.count is not None:
        text += f" ({times(move.count)}{', with a finding' if move.broken else ''})"
    if move.difference not in (None, Difference.SAME):
        text += f" ({move.difference.value})"
    return clean(text)


def arrows(moves: Iterable[Move], usual: Usual | None = None) -> list[Arrow]:
    """`moves`, those between the same two states in one arrow, failures apart; in the order of their first one.

    usual: what labels leave unsaid.
    """
    found: dict[tuple[str, str, bool], list[Move]] = {}
    for move in moves:
        found.setdefault((move.source, move.target, move.way is Way.FAILURE), []).append(move)
    order = list(Way)
    return [
        Arrow(source, target, min((move.way for move in group), key=order.index), tuple(group), usual or Usual())
        for (source, target, _), group in found.items()
    ]
