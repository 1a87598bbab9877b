"""Rounded orthogonal routes between states that stand on a grid, and free places for their labels.

A route may be given as text: the side where it leaves and the side where it enters (N, E, S or W), each with an offset
in points along that side (to the right, or down), and for routes with a leg in between its distance:

    "S N"            straight down, or with a step half way where the columns differ
    "E N+20"         to the right, then down into the target, 20 points right of its middle
    "W W 36"         out at the left, 36 points away, and back in at the left
    "S+34 N 0.3"     down, a step at three tenths of the way, and down again

What is not given is chosen: the shortest route with the fewest corners that meets no state, lies on no other line and
crosses few. Labels then take the free place nearest to the middle of the longest leg.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from shakeproof.diagrams.canvas import Point

BEND = 60.0  # a corner costs as much as this many points of way
CROSSING = 130.0
ALONG = 1500.0  # lying on another line
HIT = 6000.0  # running through a state
SAME_PORT = 900.0
CROWD = 26.0  # for each line that already ends at the same side of a state
CLEAR = 9.0  # points that a line keeps from states and from lines beside it
LABEL_CLEAR = 4.0
STEPS = (0.5, 0.3, 0.7)
AROUND = (30.0, 46.0, 62.0, 84.0)

_ROUTE = re.compile(r"^([NESW])([+-]\d+(?:\.\d+)?)?\s+([NESW])([+-]\d+(?:\.\d+)?)?(?:\s+(\d+(?:\.\d+)?))?$")


class RouteError(ValueError):
    """A route's text does not have the form that the module describes."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle around (x, y)."""

    x: float
    y: float
    width: float
    height: float

    @property
    def left(self) -> float:
        return self.x - self.width / 2

    @property
    def right(self) -> float:
        return self.x + self.width / 2

    @property
    def top(self) -> float:
        return self.y - self.height / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height / 2

    def meets(self, other: Box, clear: float = 0.0) -> bool:
        return (
            self.left < other.right + clear
            and other.left < self.right + clear
            and self.top < other.bottom + clear
            and other.top < self.bottom + clear
        )

    def side(self, side: str, offset: float) -> Point:
        """The point of a side, `offset` from its middle."""
        return {
            "N": (self.x + offset, self.top),
            "S": (self.x + offset, self.bottom),
            "W": (self.left, self.y + offset),
            "E": (self.right, self.y + offset),
        }[side]


Leg = tuple[Point, Point]


def legs(points: Sequence[Point]) -> list[Leg]:
    return list(itertools.pairwise(points))


def leg_box(leg: Leg) -> Box:
    (x0, y0), (x1, y1) = leg
    return Box((x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0), abs(y1 - y0))


def parse_route(text: str, source: Box, target: Box) -> list[Point]:
    """The points of a route given as text. Raises RouteError."""
    found = _ROUTE.match(text.strip())
    if not found:
        raise RouteError(f"{text!r} is no route: expected for example 'S N', 'E N+20' or 'W W 36'")
    out, out_at, into, into_at, extra = found.groups()
    return _points(source, target, out, float(out_at or 0), into, float(into_at or 0), float(extra) if extra else None)


def _points(
    source: Box, target: Box, out: str, out_at: float, into: str, into_at: float, extra: float | None
) -> list[Point]:
    start, end = source.side(out, out_at), target.side(into, into_at)
    vertical_out, vertical_in = out in "NS", into in "NS"
    if vertical_out != vertical_in:
        corner = (start[0], end[1]) if vertical_out else (end[0], start[1])
        return [start, corner, end]
    if out == into:
        away = AROUND[0] if extra is None else extra
        if vertical_out:
            y = min(start[1], end[1]) - away if out == "N" else max(start[1], end[1]) + away
            return [start, (start[0], y), (end[0], y), end]
        x = min(start[0], end[0]) - away if out == "W" else max(start[0], end[0]) + away
        return [start, (x, start[1]), (x, end[1]), end]
    share = 0.5 if extra is None else extra
    if vertical_out:
        if abs(start[0] - end[0]) < 0.1:
            return [start, end]
        y = start[1] + (end[1] - start[1]) * share
        return [start, (start[0], y), (end[0], y), end]
    if abs(start[1] - end[1]) < 0.1:
        return [start, end]
    x = start[0] + (end[0] - start[0]) * share
    return [start, (x, start[1]), (x, end[1]), end]


def length(points: Sequence[Point]) -> float:
    return sum(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in legs(points))


@dataclass(slots=True)
class Router:
    """States as obstacles, and the routes laid so far."""

    boxes: dict[str, Box]
    laid: list[tuple[str, str, list[Point]]] = field(default_factory=list)

    def lay(self, source: str, target: str, given: str = "", label: tuple[float, float] = (0.0, 0.0)) -> list[Point]:
        """The route from one state to another, kept as an obstacle for later ones.

        label: width and height of what will stand beside a loop, which needs the room.
        """
        if given:
            points = parse_route(given, self.boxes[source], self.boxes[target])
        elif source == target:
            points = self._loop(source, *label)
        else:
            points = self._best(source, target)
        self.laid.append((source, target, points))
        return points

    def _loop(self, key: str, width: float, height: float) -> list[Point]:
        box = self.boxes[key]
        choices: list[tuple[float, int, list[Point]]] = []
        for side, away in (("E", 1.0), ("W", -1.0)):
            for middle in (0.0, -6.0, 6.0):
                x = box.side(side, 0)[0]
                points = [(x, box.y + middle - 7), (x + 26 * away, box.y + middle - 7),
                          (x + 26 * away, box.y + middle + 7), (x, box.y + middle + 7)]  # fmt: skip
                beside = Box(x + (34 + width / 2) * away, box.y + middle, width, height)
                cost = self._cost(points, key, key) + abs(middle)
                cost += 300.0 * sum(beside.meets(other, 2.0) for other in self.boxes.values())
                cost += 300.0 * sum(beside.meets(leg_box(leg), 2.0) for _, _, route in self.laid for leg in legs(route))
                choices.append((cost, len(choices), points))
        return min(choices)[2]

    def _best(self, source: str, target: str) -> list[Point]:
        one, other = self.boxes[source], self.boxes[target]
        ranked = []
        for number, points in enumerate(self._candidates(one, other)):
            base = length(points) + BEND * (len(points) - 2)
            ranked.append((base, number, points))
        ranked.sort()
        best: tuple[float, list[Point]] | None = None
        for base, _, points in ranked:
            if best is not None and base >= best[0]:
                break
            cost = base + self._cost(points, source, target)
            if best is None or cost < best[0]:
                best = cost, points
        assert best is not None, "there are always candidates"
        return best[1]

    @staticmethod
    def _candidates(one: Box, other: Box) -> Iterable[list[Point]]:
        """Routes between two boxes; offsets away from the middle of a side come later."""
        wide = round(min(one.width, other.width) / 4)
        offsets = {"N": (0, -wide, wide), "S": (0, -wide, wide), "E": (0, -8, 8), "W": (0, -8, 8)}
        for out, into in itertools.product("NESW", repeat=2):
            if not _turns_away(one, other, out, into):
                continue
            for a, b in itertools.product(offsets[out], offsets[into]):
                extras: Sequence[float | None]
                if out == into:
                    extras = AROUND
                elif (out in "NS") == (into in "NS"):
                    extras = STEPS
                else:
                    extras = (None,)
                for extra in extras:
                    yield _points(one, other, out, float(a), into, float(b), extra)

    def _cost(self, points: list[Point], source: str, target: str) -> float:
        cost = 0.0
        own = legs(points)
        boxes = [leg_box(leg) for leg in own]
        for key, box in self.boxes.items():
            # A line touches its own states only where it leaves and enters.
            clear = -1.0 if key in (source, target) else CLEAR
            cost += HIT * sum(leg.meets(box, clear) for leg in boxes)
        for other_source, other_target, other in self.laid:
            if other_source != other_target:
                shared = {(other_source, other[0]), (other_target, other[-1])}
                cost += CROWD * len(
                    self._sides(other_source, other_target, other) & self._sides(source, target, points)
                )
                cost += SAME_PORT * len(shared & {(source, points[0]), (target, points[-1])})
            for leg in legs(other):
                box = leg_box(leg)
                for mine, mine_box in zip(own, boxes, strict=True):
                    if not mine_box.meets(box, CLEAR - 2):
                        continue
                    if _vertical(mine) == _vertical(leg):
                        shared_way = _shared(mine_box, box, vertical=_vertical(mine))
                        if shared_way > 3.0:
                            cost += ALONG + 20 * shared_way
                    elif mine_box.meets(box, 0.1):
                        cost += CROSSING
        return cost

    def _sides(self, source: str, target: str, points: Sequence[Point]) -> set[tuple[str, str]]:
        return {(source, self._side(source, points[0])), (target, self._side(target, points[-1]))}

    def _side(self, key: str, point: Point) -> str:
        box = self.boxes[key]
        if abs(point[1] - box.top) < 0.1:
            return "N"
        if abs(point[1] - box.bottom) < 0.1:
            return "S"
        return "W" if point[0] < box.x else "E"


def _turns_away(one: Box, other: Box, out: str, into: str) -> bool:
    """Whether the sides make sense: a route does not enter through the state that it left."""
    if out == into:
        return True
    opposite = {"N": "S", "S": "N", "E": "W", "W": "E"}
    if opposite[out] == into:
        return {
            "N": other.bottom < one.top,
            "S": other.top > one.bottom,
            "E": other.left > one.right,
            "W": other.right < one.left,
        }[out]
    x0, y0 = one.side(out, 0)
    x1, y1 = other.side(into, 0)
    leaves = {"N": y1 < y0, "S": y1 > y0, "E": x1 > x0, "W": x1 < x0}[out]
    enters = {"N": y0 < y1, "S": y0 > y1, "E": x0 > x1, "W": x0 < x1}[into]
    return leaves and enters


def _vertical(leg: Leg) -> bool:
    return abs(leg[0][0] - leg[1][0]) < 0.1


def _shared(one: Box, other: Box, *, vertical: bool) -> float:
    if vertical:
        return min(one.bottom, other.bottom) - max(one.top, other.top)
    return min(one.right, other.right) - max(one.left, other.left)


@dataclass(slots=True)
class Labeller:
    """Finds free places for labels beside routes."""

    states: Sequence[Box]
    lines: Sequence[Leg]
    taken: list[Box] = field(default_factory=list)

    def place(self, points: Sequence[Point], width: float, height: float) -> tuple[float, float, str]:
        """x, top and anchor of a label for the route, at the best place that is left."""
        best: tuple[float, float, float, str, Box] | None = None
        own = legs(points)
        longest = max(abs(a[0] - b[0]) + abs(a[1] - b[1]) for a, b in own)
        for leg in own:
            (x0, y0), (x1, y1) = leg
            reach = abs(x0 - x1) + abs(y0 - y1)
            if reach < 8:
                continue
            for share in (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9):
                x, y = x0 + (x1 - x0) * share, y0 + (y1 - y0) * share
                places = (
                    ((x + 8, y - height / 2, "start"), (x - 8, y - height / 2, "end"))
                    if _vertical(leg)
                    else ((x, y - height - 3.5, "middle"), (x, y + 4, "middle"))
                )
                for second, (at, top, anchor) in enumerate(places):
                    left = at if anchor == "start" else at - width if anchor == "end" else at - width / 2
                    box = Box(left + width / 2, top + height / 2, width, height)
                    cost = self._cost(box, leg) + abs(share - 0.5) * 40 + second * 6 + (longest - reach) * 0.2
                    if not _vertical(leg):
                        cost += max(width - reach + 20, 0) * 0.5
                    if best is None or cost < best[0]:
                        best = cost, at, top, anchor, box
        assert best is not None, "a route is longer than a few points"
        self.taken.append(best[4])
        return best[1], best[2], best[3]

    def _cost(self, box: Box, own: Leg) -> float:
        cost = 900.0 * sum(box.meets(state, LABEL_CLEAR) for state in self.states)
        cost += 800.0 * sum(box.meets(other, LABEL_CLEAR) for other in self.taken)
        cost += 300.0 * sum(box.meets(leg_box(line), 2.0) for line in self.lines if line != own)
        return cost
