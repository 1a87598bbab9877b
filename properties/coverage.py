"""Which rows of a table a run exercised, and which it could have.

A row that was never taken is another choice where, in every place that the choices made lead to, a row that was taken
reads the same, or where the role sends it of its own accord and need not; and where only such rows lead to it. Any
other row should have been exercised.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from shakeproof.model.clauses import Level
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Kind, Row, Symbol


@dataclass(frozen=True)
class Coverage:
    """The rows of a role. exercised: those certainly taken; choices: those that take another choice of the role; never:
    those that could have been taken, and were not.
    """

    role: str
    exercised: tuple[Row, ...]
    choices: tuple[Row, ...]
    never: tuple[Row, ...]

    @property
    def reachable(self) -> int:
        """How many rows there are for an implementation that chooses as this one does."""
        return len(self.exercised) + len(self.never)


def coverage_of(role: Role, taken: Container[str]) -> Coverage:
    """What is known of the role's rows. taken: the ids of those that were exercised."""
    places = reached(role, taken)
    never: list[Row] = []
    choices: list[Row] = []
    for row in role.rows:
        if row.id not in taken:
            own_accord = row.kind is Kind.SEND and row.level is Level.MAY
            open_places = [] if own_accord else places.get(row.id, [])
            (choices if all(is_read(role, taken, *place) for place in open_places) else never).append(row)
    exercised = tuple(row for row in role.rows if row.id in taken)
    return Coverage(role.name, exercised, tuple(choices), tuple(never))


def reached(role: Role, taken: Container[str]) -> dict[str, list[tuple[Configuration, Symbol]]]:
    """By the row's id, the places where each row is enabled that the rows taken lead to."""
    found: dict[str, list[tuple[Configuration, Symbol]]] = {}
    queue = [role.start]
    known = set(queue)
    while queue:
        here = queue.pop()
        for row, symbol, there in role.reachable[here]:
            found.setdefault(row.id, []).append((here, symbol))
            if row.id in taken and there not in known:
                known.add(there)
                queue.append(there)
    return found


def is_read(role: Role, taken: Container[str], here: Configuration, symbol: Symbol) -> bool:
    """Whether a row that was taken reads the symbol there."""
    return any(row.id in taken for row, other, _ in role.reachable[here] if other is symbol)
