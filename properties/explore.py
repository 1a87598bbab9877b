"""Exhaustive exploration of a composed model, one level of a breadth-first search at a time, on numpy columns.

A level is a sorted array of packed states (`packing`). A chunk of it is expanded at once (`expansion`); what comes out
is sorted, rid of duplicates and of what is known. Levels are kept, so that a shortest counterexample is found by
walking back: nothing else has to be remembered of how a state was reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from shakeproof.model.composition import Composition, Safety, Transition
from shakeproof.model.facts import ModelError
from shakeproof.properties.expansion import CHUNK_BYTES, Expander
from shakeproof.properties.packing import STATE_BYTES, Packing, States, TooWideError, View

__all__ = [
    "DEFAULT_MEMORY",
    "Broken",
    "Expander",
    "Exploration",
    "Packing",
    "States",
    "TooWideError",
    "View",
    "alone",
    "check_completion",
    "expander_of",
    "explore",
    "way_to",
]

DEFAULT_MEMORY = 4 << 30
"""Bytes that an exploration may take unless the caller says otherwise."""

GATHERED = 1 << 20
"""Successors that are gathered, as they come, before they are sorted in among the others of their level."""


def alone(model: Composition, machine: str) -> Composition:
    """One machine of the model: what it can come to if the network may bring it anything at any time."""
    prefix = f"{machine}."

    def own(pairs: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
        return tuple(pair for pair in pairs if pair[0].startswith(prefix))

    steps: dict[object, Transition] = {}
    for one in model.transitions:
        where, assign = own(one.where), own(one.assign)
        if where and assign:
            key = (frozenset(where), one.own.text() if one.own is not None else "", frozenset(assign))
            remembered = one.own if one.machine == machine else None
            steps.setdefault(key, replace(one, where=where, assign=assign, own=remembered, guard=None, takes=0, puts=0))
    columns = tuple(column for column in model.columns if column.name.startswith(prefix))
    begins = tuple({c.name: values[c.name] for c in columns} for values in model.initial)
    return Composition(f"{model.name} {machine}", model.title, columns, begins, tuple(steps.values()))


def expander_of(model: Composition) -> Expander:
    """The model made ready: each machine is explored by itself first, for the combinations that it can come to."""
    together: dict[str, States] = {}
    for machine in model.machines:
        found = _levels(Exploration(single := alone(model, machine), Expander(single)), DEFAULT_MEMORY)
        view = View(found.expander.packing, np.sort(np.concatenate(found.levels)))
        together[machine] = np.stack([view[column.name] for column in single.columns], axis=1)
    return Expander(model, together)


@dataclass(frozen=True)
class Broken:
    """A property that does not hold: the shortest way there, as transitions with the states after each."""

    safety: Safety
    depth: int
    path: tuple[tuple[Transition, int], ...]
    start: int


@dataclass
class Exploration:
    """What is found.

    states, transitions: how many were visited; depth: of the last level; fired: how often each transition was, by its
    number; broken: the properties that do not hold, each with its counterexample; untested: those with a premise that
    no visited state fulfils, None where that was not asked; stuck: states in which nothing can happen although
    something should; unfinishable: states from which completion can't be reached; stopped: why the exploration did not
    come to its end, "" where it did.
    """

    model: Composition
    expander: Expander
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    fired: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    broken: list[Broken] = field(default_factory=list)
    untested: list[str] | None = None
    stuck: int = 0
    unfinishable: int = 0
    stopped: str = ""
    levels: list[States] = field(default_factory=list)

    @property
    def rows_reached(self) -> tuple[str, ...]:
        """The ids of the rows that some reachable state takes."""
        hit = np.flatnonzero(self.fired)
        return tuple(dict.fromkeys(row for n in hit if (row := self.model.transitions[n].row)))

    @property
    def rows_missed(self) -> tuple[str, ...]:
        """The ids of the rows of the model that no reachable state takes."""
        reached = set(self.rows_reached)
        return tuple(row for row in self.model.rows if row not in reached)

    @property
    def attacked(self) -> bool:
        """Whether the model has an attacker."""
        return any(one.kind == "forges" for one in self.model.transitions)

    @property
    def holds(self) -> bool:
        """Whether everything was visited, and every property holds."""
        return not (self.broken or self.stuck or self.unfinishable or self.stopped)


def explore(
    model: Composition,
    *,
    memory: int = DEFAULT_MEMORY,
    levels_most: int | None = None,
    stop_at_first: bool = False,
    progress: Callable[[Exploration, int], None] | None = None,
) -> Exploration:
    """Visit every reachable state. memory: bytes; stop_at_first: end with the level of the first broken property."""
    return _levels(Exploration(model, expander_of(model)), memory, levels_most, stop_at_first, progress)


def _levels(
    found: Exploration,
    memory: int,
    levels_most: int | None = None,
    stop_at_first: bool = False,
    progress: Callable[[Exploration, int], None] | None = None,
) -> Exploration:
    """Visit level by level."""
    began = monotonic()
    found.untested = [safety.name for safety in found.model.safety if safety.premise is not None]
    counts = np.zeros_like(found.expander.multiplicity)
    level = found.expander.initial
    known = level
    while len(level):
        found.levels.append(level)
        found.states += len(level)
        found.depth = len(found.levels) - 1
        _check(found, level)
        if progress is not None:
            progress(found, len(level))
        if found.broken and stop_at_first:
            found.stopped = "a property does not hold"
            break
        if levels_most is not None and found.depth >= levels_most:
            found.stopped = f"{levels_most} levels were asked for"
            break
        level = _next(found, level, known, counts, memory)
        if found.stopped:
            break
        known = merged(known, level)
    found.fired = found.expander.fired(counts)
    found.transitions = int(found.fired.sum())
    found.seconds = monotonic() - began
    return found


def _next(found: Exploration, level: States, known: States, counts: NDArray[np.int64], memory: int) -> States:
    """The states one step further that are not known yet, sorted; counts how often each entry is taken on the way."""
    expander, model = found.expander, found.model
    fresh, gathered = level[:0], [level[:0]]
    for chunk in expander.chunks(level):
        alive = np.zeros(len(chunk), dtype=np.bool_)
        parts = [level[:0]]
        for pairs in expander.expand(chunk):
            if len(pairs.entries):
                first = int(pairs.entries.min())  # those of a part are few, and beside each other
                taken = np.bincount(pairs.entries - first)
                counts[first : first + len(taken)] += taken
            alive[pairs.whose] = True
            parts.append(pairs.after)
        if model.over is not None and not alive.all():
            quiet = chunk[~alive]
            found.stuck += int(np.count_nonzero(~model.over.columns(View(expander.packing, quiet))))
        gathered.append(without(distinct(parts), known))
        waiting = sum(map(len, gathered))
        needs = STATE_BYTES * (found.states + 2 * len(known) + 3 * (len(fresh) + waiting)) + CHUNK_BYTES
        if needs > memory:
            found.stopped = (
                f"out of memory: level {found.depth + 1} needs {needs >> 20} MiB, {memory >> 20} MiB are allowed; "
                f"every state up to level {found.depth} was visited"
            )
            return level[:0]
        if waiting > max(GATHERED, len(fresh)):
            fresh, gathered = distinct([fresh, *gathered]), [level[:0]]
    return distinct([fresh, *gathered])


def distinct(parts: list[States]) -> States:
    """The states of all parts, sorted, each once. (np.unique takes ten times as long, for it hashes.)"""
    states = np.concatenate(parts)
    states.sort()
    new = np.ones(len(states), dtype=np.bool_)
    np.not_equal(states[1:], states[:-1], out=new[1:])
    return states[new]


def merged(known: States, fresh: States) -> States:
    """Both, sorted; each is, and they have nothing in common."""
    out = np.empty(len(known) + len(fresh), dtype=np.int64)
    new = np.zeros(len(out), dtype=np.bool_)
    new[np.searchsorted(known, fresh) + np.arange(len(fresh))] = True
    out[new] = fresh
    out[~new] = known
    return out


def without(states: States, known: States) -> States:
    """The sorted states that are not among the sorted known ones, of which there is at least one."""
    at = np.searchsorted(known, states)
    at[at == len(known)] = 0
    fresh: States = states[known[at] != states]
    return fresh


def _check(found: Exploration, level: States) -> None:
    """See which properties the level breaks, or puts to the test, that no level before it did."""
    untested = found.untested or []
    waiting = {safety.name: safety for safety in found.model.safety}
    for broken in found.broken:
        del waiting[broken.safety.name]
    bad: dict[str, int] = {}
    for chunk in found.expander.chunks(level):
        view = View(found.expander.packing, chunk)
        for name, safety in waiting.items():
            if name not in bad and not (holds := safety.holds.columns(view)).all():
                bad[name] = int(chunk[np.argmin(holds)])
            if name in untested and (name in bad or (safety.premise and safety.premise.columns(view).any())):
                untested.remove(name)
    for name, safety in waiting.items():
        if name in bad:
            start, path = way_to(found, bad[name], found.depth)
            found.broken.append(Broken(safety, found.depth, path, start))


def way_to(found: Exploration, state: int, depth: int) -> tuple[int, tuple[tuple[Transition, int], ...]]:
    """A shortest way to a state of that level: where it starts, and each transition with the state after it."""
    path: list[tuple[Transition, int]] = []
    for number in range(depth - 1, -1, -1):
        transition, before = _step_to(found, state, found.levels[number])
        path.append((transition, state))
        state = before
    return state, tuple(reversed(path))


def _step_to(found: Exploration, state: int, level: States) -> tuple[Transition, int]:
    """A transition to the state from one of the level: the first in the order of the model, from the least state."""
    ways: list[tuple[int, int]] = []
    for chunk in found.expander.chunks(level):
        for pairs in found.expander.expand(chunk):
            for hit in np.flatnonzero(pairs.after == state):
                ways.append((int(found.expander.numbers(pairs.entries[hit])[0]), int(chunk[pairs.whose[hit]])))
    if not ways:
        raise ModelError(f"{found.model.name}: a state has no predecessor in the level before it")
    number, before = min(ways)
    return found.model.transitions[number], before


def check_completion(found: Exploration) -> int:
    """How many reachable states there are from which no `done` state can be reached: AG EF done, backwards.

    No edges are kept: the states that are left are expanded again, the last level first, until nothing changes. Most
    edges lead to the next level, so that the first sweep settles almost all of them.
    """
    if found.model.done is None:
        raise ModelError(f"{found.model.name}: says no state that a run should come to")
    if found.stopped:
        raise ModelError(f"{found.model.name}: not every state was visited: {found.stopped}")
    expander = found.expander
    finishing = [
        chunk[found.model.done.columns(View(expander.packing, chunk))]
        for level in found.levels
        for chunk in expander.chunks(level)
    ]
    known = distinct(found.levels)
    reaches = np.zeros(len(known), dtype=np.bool_)
    reaches[np.searchsorted(known, np.concatenate(finishing))] = True
    count = -1
    while count != (count := int(np.count_nonzero(reaches))):
        for level in reversed(found.levels):
            for chunk in expander.chunks(level[~reaches[np.searchsorted(known, level)]]):
                for pairs in expander.expand(chunk):
                    leads = pairs.whose[reaches[np.searchsorted(known, pairs.after)]]
                    reaches[np.searchsorted(known, chunk[leads])] = True
    found.unfinishable = len(known) - count
    return found.unfinishable
