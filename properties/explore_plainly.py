"""The same exploration with a dictionary and one state at a time: slow, and so plain that one can see that it is right.

Guards are read on plain values here, and on columns in `explore`. That both find the same states, transitions and
levels is what tests hold against each other, and how much faster the other one is `benchmarks/explore.py` says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from shakeproof.model.composition import Composition, Transition, slot

State = tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """How many states and transitions there are, and the depth of the last level."""

    states: int
    transitions: int
    depth: int


def explore_plainly(model: Composition, *, states_most: int | None = None) -> Counts:
    """Visit every reachable state; with `states_most`, stop once that many are known."""
    names = [*(column.name for column in model.columns), *(slot(number) for number in range(model.bound))]
    by_place: dict[tuple[str, int], list[Transition]] = {}
    for one in model.transitions:
        by_place.setdefault(one.where[0], []).append(one)
    watched = list(dict.fromkeys(name for name, _ in by_place))
    level = [
        tuple({**values, **{slot(n): 0 for n in range(model.bound)}}[name] for name in names)
        for values in model.initial
    ]
    known: dict[State, int] = dict.fromkeys(level, 0)
    transitions = depth = 0
    while level:
        fresh: list[State] = []
        for state in level:
            values = dict(zip(names, state, strict=True))
            for name in watched:
                for one in by_place.get((name, values[name]), ()):
                    for found in after(model, one, values):
                        transitions += 1
                        there = tuple(found[name] for name in names)
                        if there not in known:
                            known[there] = depth + 1
                            fresh.append(there)
            if states_most is not None and len(known) >= states_most:
                return Counts(len(known), transitions, depth)
        level = fresh
        depth += bool(fresh)
    return Counts(len(known), transitions, depth)


def after(model: Composition, one: Transition, values: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """The state after the transition, where it is enabled."""
    if any(values[name] != mask for name, mask in one.where):
        return
    if one.own is not None and not one.own.holds(values):
        return
    if one.guard is not None and not one.guard.holds(values):
        return
    packets = [values[slot(number)] for number in range(model.bound)]
    for out, into in ((one.takes, 0), (0, one.puts)):
        if out != into:
            if out not in packets:
                return
            packets[packets.index(out)] = into
    packets.sort(reverse=True)
    yield {**values, **dict(one.assign), **{slot(number): code for number, code in enumerate(packets)}}
