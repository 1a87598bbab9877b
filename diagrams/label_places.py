"""Where the label of a message stands among the lines of late ones, and the lifelines that it passes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from shakeproof.diagrams.lanes import LABEL_CLEAR, Lanes
from shakeproof.diagrams.rows import Plan, Row

CROSSING_LEFT = 0.55  # a crossing nearer to the late message's start leaves the corner beyond it free
HALF_TEXT = 6.0  # half the height of a line of text
CLEAR = 5.0  # points between a label and a line beside it

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a label stands: its centre, and whether above its line."""

    centre: float
    above: bool


def struck(
    plan: Plan, lanes: Lanes, row: Row, above: Span, below: Span, *, passing: Span | None = None
) -> dict[bool, list[Span]]:
    """What is not free above the line of `row`, and below it: stretches of x.

    above, below: from where to where a label there reaches, as y relative to the line. passing: the ends of the
    message, where the lifelines between them are to be kept clear too.
    """
    found: dict[bool, list[Span]] = {True: [], False: []}
    for side, (top, bottom) in ((True, above), (False, below)):
        for number, arrives in plan.received.items():
            sent = plan.sent.get(number)
            if sent is None or sent is row:
                continue
            x0, x1 = lanes.x.get(sent.step.sender), lanes.x.get(sent.step.receiver)
            high, low = max(row.line_y + top, sent.line_y), min(row.line_y + bottom, arrives.line_y)
            if x0 is None or x1 is None or high >= low:
                continue
            slope = (x1 - x0) / (arrives.line_y - sent.line_y)
            ends = sorted((x0 + slope * (high - sent.line_y), x0 + slope * (low - sent.line_y)))
            found[side].append((ends[0] - CLEAR, ends[1] + CLEAR))
        if passing is not None:
            left, right = min(passing), max(passing)
            found[side] += [(x - LABEL_CLEAR, x + LABEL_CLEAR) for x in lanes.x.values() if left < x < right]
    return found


def free_place(preferred: Place, width: float, extent: Span, taken: dict[bool, list[Span]]) -> Place | None:
    """The free place for a label that is nearest to the preferred one; None where there is none.

    extent: from where to where the label may reach.
    """
    low, high = min(extent) + CLEAR, max(extent) - CLEAR
    places = []
    for above in (preferred.above, not preferred.above):
        for left, right in _gaps(low, high, sorted(taken[above])):
            if right - left >= width:
                centre = min(max(preferred.centre, left + width / 2), right - width / 2)
                places.append(Place(centre, above))
    # The other side of the line costs as much as half a label's width.
    return min(
        places,
        key=lambda place: abs(place.centre - preferred.centre) + (place.above is not preferred.above) * width / 2,
        default=None,
    )


def _gaps(low: float, high: float, taken: Sequence[Span]) -> Iterator[Span]:
    for left, right in taken:
        if left > low:
            yield low, min(left, high)
        low = max(low, right)
    if low < high:
        yield low, high


def crossings(plan: Plan, lanes: Lanes, row: Row) -> Iterable[tuple[float, float]]:
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


def free_corner(x0: float, x1: float, crossings: Iterable[tuple[float, float]], width: float) -> tuple[float, bool]:
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
