"""Exhaustive exploration of a composed model, one level of a breadth-first search at a time, on numpy columns.

A state is packed into one int64. The columns of a machine are one number: which of the combinations that it can come to
by itself, whatever it is sent. Then come the other columns, and the places of the network. A level is a sorted array of
states. Each transition is tried on all states of a level at once that have its first column's value; what comes out is
sorted, rid of duplicates and of what is known. Levels are kept, so that a shortest counterexample is found by walking
back: nothing else has to be remembered of how a state was reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from shakeproof.model.composition import PLACES, Composition, Safety, Transition, slot
from shakeproof.model.facts import ModelError

States = NDArray[np.int64]

STATE_BITS = 63
"""An int64 without its sign, so that packed states sort as numbers."""

CHUNK = 1 << 18
"""States that are expanded at once: bounds what one step needs, at some hundred successors a state."""

DEFAULT_MEMORY = 4 << 30
"""Bytes that states may take, successors of a level included, unless the caller says otherwise."""


@dataclass(frozen=True)
class Field:
    """Columns that are packed as one index: the combinations that they can have, a line each."""

    names: tuple[str, ...]
    table: States
    shift: int

    @property
    def width(self) -> int:
        """Bits that it takes."""
        return (len(self.table) - 1).bit_length()

    def of(self, states: States) -> States:
        """The index in each state."""
        return (states >> self.shift) & ((1 << self.width) - 1)


class Packing:
    """How the states of a model are packed: a field for each machine, one for each other column, places of packets.

    together: for a machine, the combinations of its columns' bits; a machine without has a field for each column.
    """

    def __init__(self, model: Composition, together: Mapping[str, States] | None = None) -> None:
        self.model = model
        self.fields: list[Field] = []
        self.where: dict[str, tuple[Field, int]] = {}
        at = 0
        grouped = {
            machine: tuple(c.name for c in model.columns if c.name.startswith(f"{machine}."))
            for machine in together or ()
        }
        alone = [c for c in model.columns if not any(c.name in names for names in grouped.values())]
        tables = [(names, (together or {})[machine]) for machine, names in grouped.items()]
        tables += [((c.name,), np.array(c.masks, dtype=np.int64)[:, None]) for c in alone]
        for names, table in tables:
            made = Field(names, table, at)
            self.fields.append(made)
            self.where |= {name: (made, number) for number, name in enumerate(names)}
            at += made.width
        self.network = at
        self.packet_width = len(model.packets).bit_length()
        self.bits = at + model.bound * self.packet_width
        if self.bits > STATE_BITS:
            raise TooWideError(
                f"{model.name}: a state needs {self.bits} bits, and {STATE_BITS} are there; give a smaller bound"
            )
        self._index = [{tuple(line): number for number, line in enumerate(f.table.tolist())} for f in self.fields]

    def index_of(self, number: int, line: tuple[int, ...]) -> int:
        """The index of a combination in that field; -1 where it can't have it."""
        return self._index[number].get(line, -1)

    def pack(self, values: Mapping[str, int], network: tuple[int, ...] = ()) -> int:
        """One state. Raises ModelError where a column can't have its value."""
        state = 0
        for number, field_ in enumerate(self.fields):
            index = self.index_of(number, tuple(values[name] for name in field_.names))
            if index < 0:
                raise ModelError(f"{self.model.name}: {', '.join(field_.names)} can't have these values")
            state |= index << field_.shift
        for number, code in enumerate(sorted(network, reverse=True)):
            state |= code << (self.network + number * self.packet_width)
        return state

    def unpack(self, state: int) -> dict[str, int]:
        """The bits of each column, and the codes in the network."""
        view = View(self, np.array([state], dtype=np.int64))
        return {name: int(view[name][0]) for name in view}

    def places(self, states: States) -> list[States]:
        """The codes at each place of the network."""
        ones = (1 << self.packet_width) - 1
        return [(states >> (self.network + number * self.packet_width)) & ones for number in range(self.model.bound)]

    def with_places(self, states: States, places: list[States]) -> States:
        """The states with these codes in the network, put in order."""
        ordered = list(places)
        for _ in range(len(ordered) - 1):
            for number in range(len(ordered) - 1):
                one, other = ordered[number], ordered[number + 1]
                ordered[number], ordered[number + 1] = np.maximum(one, other), np.minimum(one, other)
        out = states & ((1 << self.network) - 1)
        for number, codes in enumerate(ordered):
            out = out | (codes << (self.network + number * self.packet_width))
        return out


class TooWideError(ModelError):
    """A state does not fit into an int64."""


class View(Mapping[str, States]):
    """Packed states as columns of bits, each unpacked when it is first looked at."""

    def __init__(self, packing: Packing, states: States) -> None:
        self._packing, self._states = packing, states
        self._seen: dict[str, States] = {}

    def __getitem__(self, name: str) -> States:
        if name not in self._seen:
            packing = self._packing
            if name.startswith(f"{PLACES}."):
                self._seen[name] = packing.places(self._states)[int(name.rpartition(".")[2])]
            else:
                found, number = packing.where[name]
                self._seen[name] = found.table[:, number][found.of(self._states)]
        return self._seen[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._packing.where
        yield from (slot(number) for number in range(self._packing.model.bound))

    def __len__(self) -> int:
        return len(self._packing.where) + self._packing.model.bound


@dataclass
class _Ready:
    """A transition, made ready for packed states: for each field that it looks at or changes, index -> index, or -1."""

    number: int
    transition: Transition
    jumps: list[tuple[Field, States]]


class Expander:
    """What a model's transitions make of packed states."""

    def __init__(self, model: Composition, together: Mapping[str, States] | None = None) -> None:
        self.model = model
        self.packing = Packing(model, together)
        self._groups: dict[str, dict[int, list[_Ready]]] = {}
        for number, transition in enumerate(model.transitions):
            name, mask = transition.where[0]
            group = self._groups.setdefault(name, {})
            group.setdefault(mask, []).append(_Ready(number, transition, self._jumps(transition)))

    def _jumps(self, transition: Transition) -> list[tuple[Field, States]]:
        jumps: list[tuple[Field, States]] = []
        wanted, given = dict(transition.where), dict(transition.assign)
        first = self.packing.where[transition.where[0][0]][0]
        for number, field_ in enumerate(self.packing.fields):
            columns = {name: field_.table[:, at] for at, name in enumerate(field_.names)}
            if field_ is not first and not any(name in wanted or name in given for name in columns):
                continue
            fits = np.ones(len(field_.table), dtype=np.bool_)
            for name, mask in wanted.items():
                if name in columns:
                    fits &= columns[name] == mask
            if transition.own is not None and len(field_.names) > 1 and field_ is first:
                fits &= transition.own.columns(columns)
            after = field_.table.copy()
            for at, name in enumerate(field_.names):
                if name in given:
                    after[:, at] = given[name]
            jump = np.full(len(field_.table), -1, dtype=np.int64)
            for line in np.flatnonzero(fits):
                jump[line] = self.packing.index_of(number, tuple(after[line].tolist()))
                if jump[line] < 0:
                    raise ModelError(f"{self.model.name}: {transition.title} leads where {field_.names} can't be")
            jumps.append((field_, jump))
        jumps.sort(key=lambda pair: pair[0] is not first)
        return jumps

    def fire(self, states: States) -> Iterator[tuple[int, NDArray[np.intp], States]]:
        """For each transition that some state enables: its number, which states, and what becomes of them."""
        for name, group in self._groups.items():
            values = View(self.packing, states)[name]
            order = np.argsort(values, kind="stable")
            ordered = values[order]
            for mask, readies in group.items():
                begin, end = np.searchsorted(ordered, [mask, mask + 1])
                if begin < end:
                    which = order[begin:end]
                    yield from self._fire(readies, which, states[which])

    def _fire(
        self, readies: list[_Ready], which: NDArray[np.intp], states: States
    ) -> Iterator[tuple[int, NDArray[np.intp], States]]:
        index = readies[0].jumps[0][0].of(states)
        for ready in readies:
            transition = ready.transition
            chosen = np.flatnonzero(ready.jumps[0][1][index] >= 0)
            if not len(chosen):
                continue
            if transition.own is not None and len(ready.jumps[0][0].names) == 1:
                chosen = chosen[transition.own.columns(View(self.packing, states[chosen]))]
            if transition.guard is not None:
                chosen = chosen[transition.guard.columns(View(self.packing, states[chosen]))]
            whose, after = which[chosen], states[chosen]
            for field_, jump in ready.jumps:
                there = jump[field_.of(after)]
                if there.size and there.min() < 0:
                    kept = np.flatnonzero(there >= 0)
                    whose, after, there = whose[kept], after[kept], there[kept]
                after = (after & ~(((1 << field_.width) - 1) << field_.shift)) | (there << field_.shift)
            if transition.takes or transition.puts:
                whose, after = self._move(transition, whose, after)
            if len(whose):
                yield ready.number, whose, after

    def _move(self, transition: Transition, whose: NDArray[np.intp], states: States) -> tuple[NDArray[np.intp], States]:
        """Take a packet out of the network and put one in, where it is there and there is room."""
        places = self.packing.places(states)
        for out, into in ((transition.takes, 0), (0, transition.puts)):
            if out == into:
                continue
            waiting = np.ones(len(states), dtype=np.bool_)
            for number, codes in enumerate(places):
                hit = waiting & (codes == out)
                places[number] = np.where(hit, into, codes)
                waiting &= ~hit
            moved = np.flatnonzero(~waiting)
            if len(moved) < len(states):
                whose, states = whose[moved], states[moved]
                places = [codes[moved] for codes in places]
        return whose, self.packing.with_places(states, places)

    @property
    def initial(self) -> States:
        """The states that everything begins with, sorted."""
        return np.unique(np.array([self.packing.pack(values) for values in self.model.initial], dtype=np.int64))


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
            steps.setdefault(key, replace(one, where=where, assign=assign, guard=None, takes=0, puts=0))
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
    number; broken: the properties that do not hold, each with its counterexample; stuck: states in which nothing can
    happen although something should; unfinishable: states from which completion can't be reached; stopped: why the
    exploration did not come to its end, "" where it did.
    """

    model: Composition
    expander: Expander
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    fired: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    broken: list[Broken] = field(default_factory=list)
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
    found.fired = np.zeros(len(found.model.transitions), dtype=np.int64)
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
        level = _next(found, level, known, memory)
        if found.stopped:
            break
        known = np.union1d(known, level) if len(level) else known
    found.seconds = monotonic() - began
    return found


def _next(found: Exploration, level: States, known: States, memory: int) -> States:
    """The states one step further that are not known yet, sorted; counts what fires on the way."""
    fresh: list[States] = []
    expander = found.expander
    for begin in range(0, len(level), CHUNK):
        chunk = level[begin : begin + CHUNK]
        alive = np.zeros(len(chunk), dtype=np.bool_)
        parts: list[States] = []
        for number, whose, after in expander.fire(chunk):
            found.fired[number] += len(whose)
            found.transitions += len(whose)
            alive[whose] = True
            parts.append(after)
        if found.model.over is not None and not alive.all():
            quiet = chunk[~alive]
            found.stuck += int(np.count_nonzero(~found.model.over.columns(View(expander.packing, quiet))))
        if parts:
            after = np.unique(np.concatenate(parts))
            fresh.append(without(after, known))
        needs = 8 * (2 * len(known) + found.states + 2 * sum(map(len, fresh)) + sum(map(len, parts)))
        if needs > memory:
            found.stopped = (
                f"out of memory: level {found.depth + 1} needs {needs >> 20} MiB, {memory >> 20} MiB are allowed; "
                f"every state up to level {found.depth} was visited"
            )
            return level[:0]
    return np.unique(np.concatenate(fresh)) if fresh else level[:0]


def without(states: States, known: States) -> States:
    """The sorted states that are not among the sorted known ones."""
    at = np.searchsorted(known, states)
    at[at == len(known)] = 0
    fresh: States = states[known[at] != states]
    return fresh


def _check(found: Exploration, level: States) -> None:
    """See which properties the level breaks that no level before it broke."""
    seen = {broken.safety.name for broken in found.broken}
    view = View(found.expander.packing, level)
    for safety in found.model.safety:
        if safety.name in seen:
            continue
        bad = np.flatnonzero(~safety.holds.columns(view))
        if len(bad):
            start, path = way_to(found, int(level[bad[0]]), found.depth)
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
    best: tuple[int, int] | None = None
    for begin in range(0, len(level), CHUNK):
        chunk = level[begin : begin + CHUNK]
        for number, whose, after in found.expander.fire(chunk):
            hit = np.flatnonzero(after == state)
            if len(hit):
                this = (number, int(chunk[whose[hit]].min()))
                best = this if best is None else min(best, this)
    if best is None:
        raise ModelError(f"{found.model.name}: a state has no predecessor in the level before it")
    return found.model.transitions[best[0]], best[1]


def check_completion(found: Exploration) -> int:
    """How many reachable states there are from which no `done` state can be reached: AG EF done, backwards."""
    if found.model.done is None:
        raise ModelError(f"{found.model.name}: says no state that a run should come to")
    if found.stopped:
        raise ModelError(f"{found.model.name}: not every state was visited: {found.stopped}")
    states = np.sort(np.concatenate(found.levels))
    sources: list[NDArray[np.intp]] = []
    targets: list[NDArray[np.intp]] = []
    reaches = np.zeros(len(states), dtype=np.bool_)
    for begin in range(0, len(states), CHUNK):
        chunk = states[begin : begin + CHUNK]
        reaches[begin : begin + CHUNK] = found.model.done.columns(View(found.expander.packing, chunk))
        for _, whose, after in found.expander.fire(chunk):
            sources.append(whose + begin)
            targets.append(np.searchsorted(states, after))
    source, target = np.concatenate(sources), np.concatenate(targets)
    count = -1
    while count != (count := int(np.count_nonzero(reaches))):
        reaches[source[reaches[target]]] = True
    found.unfinishable = len(states) - count
    return found.unfinishable
