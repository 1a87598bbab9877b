"""Moves of one machine that do the same, gathered: as few conditions as say when each of them happens.

Where a machine is explored configuration by configuration, each move comes with all that the machine has in its columns
then. Most of it does not matter. What is gathered holds for exactly the same of the known configurations, and looks at
few columns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

Line = tuple[int, ...]
"""A configuration: a value for each column."""


class Gatherer:
    """Gathers moves between known configurations. known: every one that the machine can come to; columns: their names.

    A set of configurations is a number here, with a bit for each of them.
    """

    def __init__(self, known: Sequence[Line], columns: Sequence[str]) -> None:
        self.columns = columns
        self._known = known
        self._bit = {line: 1 << number for number, line in enumerate(known)}
        self._having: list[dict[int, int]] = [{} for _ in columns]
        for line, bit in self._bit.items():
            for having, value in zip(self._having, line, strict=True):
                having[value] = having.get(value, 0) | bit
        self._varies = [at for at, having in enumerate(self._having) if at == 0 or len(having) > 1]

    def gather(self, moves: Mapping[Line, Line]) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
        """What must be in which column, and what is in which column then, for all moves: before -> after. The first
        column is always looked at.
        """
        left = dict(moves)
        while left:
            change = max((_change(*move) for move in left.items()), key=lambda made: (len(made), made))
            alike = [before for before, after in left.items() if _with(before, change) == after]
            assign = {self.columns[at]: value for at, value in change}
            for cube in self._cubes(alike):
                yield {self.columns[at]: value for at, value in cube.items()}, assign
            for before in alike:
                del left[before]

    def _cubes(self, lines: Sequence[Line]) -> Iterator[dict[int, int]]:
        """Columns with a value each, so that together they describe exactly these configurations, each once."""
        open_ = sum(self._bit[line] for line in lines)
        for line in lines:
            if not open_ & self._bit[line]:
                continue
            same = [self._having[at][line[at]] for at in self._varies]
            before = [-1]
            for having in same:
                before.append(before[-1] & having)
            looked, inside = [], -1
            for number in range(len(same) - 1, 0, -1):  # a column is looked at where those left of it don't suffice
                if before[number] & inside & ~open_:
                    inside &= same[number]
                    looked.append(self._varies[number])
            yield {at: line[at] for at in (0, *reversed(looked))}
            open_ &= ~(inside & same[0])


def _change(before: Line, after: Line) -> tuple[tuple[int, int], ...]:
    return tuple((at, new) for at, (old, new) in enumerate(zip(before, after, strict=True)) if old != new)


def _with(line: Line, change: tuple[tuple[int, int], ...]) -> Line:
    out = list(line)
    for at, value in change:
        out[at] = value
    return tuple(out)
