"""Where a picture of a state machine puts things, as plain data: for machines whose standard has a picture of its own.

A role gives one as `hints["layout"]`. Units: points; x to the right, y downwards from the middle of the first row of
states. An engine scales nothing: it draws a node at each place, a rounded orthogonal line along each route, and the
texts that `hints["label"]` (a function: row -> event, action) gives for the first row, in the order of the table, that
leads from the route's source to its target. Every change of state that the table knows has a route or is excused in
`undrawn`, and the other way round; a test holds layout and table together with `changes`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shakeproof.model.machine import Role
from shakeproof.model.notation import Row, State


@dataclass(frozen=True)
class Place:
    """A node: `key` names it in routes, `state` is the state's name; x, y: its middle."""

    key: str
    state: str
    x: float
    y: float


@dataclass(frozen=True)
class Route:
    """A line from one place to another.

    points: corners, from the border of the source to the border of the target; label: where its text is anchored (x,
    and the middle of its two lines as y); align: which side of the text the anchor is, "left", "right" or "middle";
    path: "client" or "server" for the usual way of that side, else "".
    """

    source: str
    target: str
    points: tuple[tuple[float, float], ...]
    label: tuple[float, float]
    align: str = "left"
    path: str = ""


@dataclass(frozen=True)
class Region:
    """A tinted rectangle behind the states of a phase; its title stands inside, at the upper left."""

    phase: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True)
class Layout:
    """A whole picture. undrawn: (source state, target state) -> why the change has no line; remark: what to tell."""

    node_width: float
    node_height: float
    places: tuple[Place, ...]
    routes: tuple[Route, ...]
    regions: tuple[Region, ...] = ()
    undrawn: Mapping[tuple[str, str], str] = field(default_factory=dict)
    remark: str = ""

    def place(self, key: str) -> Place:
        """The place of that key."""
        return next(place for place in self.places if place.key == key)

    def ends(self, route: Route) -> tuple[str, str]:
        """The names of the states that the route joins."""
        return self.place(route.source).state, self.place(route.target).state


def changes(role: Role) -> dict[tuple[str, str], list[Row]]:
    """(source state, target state) -> the rows in force that lead there, in the order of the table."""
    out: dict[tuple[str, str], list[Row]] = {}
    for row in role.rows:
        for source in row.states.members:
            if isinstance(row.next, State) and row.next is not source:
                out.setdefault((source.name, row.next.name), []).append(row)
    return out
