"""What the transitions of a model make of packed states: all of a chunk of states in one go, as a join.

A transition is led by one field, that of its first column. What it wants of that field, and as much of its guards as
reads nothing else, is decided beforehand, for each index of the field. What is left is an *entry* of that index: a
condition on the rest of the state, and two masks that make the successor. Transitions that agree in all of this are one
entry, and each of them is counted: so many messages are refused alike that this leaves a quarter.

A chunk is joined with the entries by the index of each state: so come all pairs of a state and an entry, as arrays.
Each distinct condition is read once for a chunk, and each pair looks its own up. Entries that take a packet are joined
by the index and the packet, for each packet in the network: no pair looks for a packet that is not there.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from shakeproof.model.composition import Composition, Is, Transition, slot
from shakeproof.model.facts import And, Guard, ModelError, Value
from shakeproof.properties.packing import STATE_BYTES, Field, Packing, States, View

CHUNK_BYTES = 64 << 20
"""What the expansion of a chunk may take: so much that numpy is called seldom, and so little that caches help."""

PAIR_BYTES = 100
"""What a pair of a state and an entry takes while its successor is made, at most."""

ALWAYS = 0
"""The number of the condition that always holds."""


def key_of(guard: Guard) -> Hashable:
    """The same for guards that say the same: they compare by identity, and a model makes each of them many times."""
    if isinstance(guard, Value) or not is_dataclass(guard):
        return guard
    parts = (getattr(guard, part.name) for part in fields(guard))
    return (type(guard), *(key_of(part) if isinstance(part, Guard) else part for part in parts))


def conjuncts(guard: Guard | None) -> Iterator[Guard]:
    """The guards that must all hold."""
    if isinstance(guard, And):
        yield from conjuncts(guard.left)
        yield from conjuncts(guard.right)
    elif guard is not None:
        yield guard


class _Heard(Mapping[str, States]):
    """Columns that remember which of them were read."""

    def __init__(self, columns: Mapping[str, States]) -> None:
        self._columns = columns
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> States:
        self.names.add(name)
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)


class Pairs(NamedTuple):
    """Which of the states, what becomes of each, and by which entry."""

    whose: NDArray[np.int64]
    after: States
    entries: NDArray[np.int64]


class _Conditions:
    """Every distinct condition of a model's entries: a conjunction of guards, each read once for a chunk."""

    def __init__(self, packing: Packing) -> None:
        self._packing = packing
        self._keys: dict[int, tuple[Guard, Hashable]] = {}  # the guard too, so that its id stays its own
        self._fields: dict[Hashable, tuple[Field | None, ...]] = {}
        self._guards: dict[Hashable, Guard] = {}
        self._numbers: dict[frozenset[Hashable], int] = {frozenset(): ALWAYS}

    def key(self, guard: Guard) -> Hashable:
        """`key_of`, remembered."""
        if id(guard) not in self._keys:
            self._keys[id(guard)] = (guard, key_of(guard))
        return self._keys[id(guard)][1]

    def fields(self, guard: Guard) -> tuple[Field | None, ...]:
        """The fields that it reads, None for the network."""
        key = self.key(guard)
        if key not in self._fields:
            heard = _Heard(View(self._packing, np.zeros(1, dtype=np.int64)))
            guard.columns(heard)
            self._fields[key] = tuple(dict.fromkeys(self._packing.where.get(name) for name in sorted(heard.names)))
        return self._fields[key]

    def number(self, guards: list[Guard]) -> int:
        """The number of the condition that all of them hold."""
        self._guards |= {self.key(guard): guard for guard in guards}
        return self._numbers.setdefault(frozenset(map(self.key, guards)), len(self._numbers))

    @property
    def bytes(self) -> int:
        """What reading them takes for each state."""
        return len(self._guards) + len(self._numbers)

    def truth(self, states: States) -> NDArray[np.bool_]:
        """Whether each condition holds in each state: a line for each condition."""
        view = View(self._packing, states)
        read = {key: guard.columns(view) for key, guard in self._guards.items()}
        out = np.ones((len(self._numbers), len(states)), dtype=np.bool_)
        for condition, number in self._numbers.items():
            for key in condition:
                out[number] &= read[key]
        return out


class _Way(NamedTuple):
    """What an entry asks of a state, and makes of it, beside the field that leads it.

    condition: a number; mask, value: bits that must be there, and which; keep: what stays; put: what is added; puts: a
    packet, 0 for none.
    """

    condition: int
    mask: int
    value: int
    keep: int
    put: int
    puts: int


class _Line(NamedTuple):
    """A transition and one of its ways. places: what is joined by; after: the index of the leading field afterwards."""

    places: NDArray[np.int64]
    after: NDArray[np.int64]
    way: int
    number: int


@dataclass(frozen=True)
class _Table:
    """The entries that a field leads, without a packet taken or with, as columns.

    takes: whether a packet is taken; codes: then a place is index * codes + packet, else the index; starts: where the
    entries of each place begin, and end; first: the number of the first entry; the rest: as in `_Way`.
    """

    led: Field
    takes: bool
    codes: int
    starts: NDArray[np.int64]
    first: int
    condition: NDArray[np.int64]
    mask: States
    value: States
    keep: States
    put: States
    puts: States


class Expander:
    """What a model's transitions make of packed states.

    multiplicity: how many transitions each entry is, `numbers` gives which; chunk: states to be expanded at once.
    """

    def __init__(self, model: Composition, together: Mapping[str, States] | None = None) -> None:
        self.model = model
        self.packing = Packing(model, together)
        self._conditions = _Conditions(self.packing)
        self._jumps: dict[Hashable, NDArray[np.int64]] = {}
        self._fits: dict[Hashable, NDArray[np.bool_]] = {}
        self._numbers: dict[_Way, int] = {}
        lines: dict[tuple[Field, bool], list[_Line]] = {}
        for number, transition in enumerate(model.transitions):
            led = self.packing.where[transition.where[0][0]]
            lines.setdefault((led, transition.takes > 0), []).extend(self._lines(led, number, transition))
        self.multiplicity = np.zeros(0, dtype=np.int64)
        self._transitions = np.zeros(0, dtype=np.int64)
        self._tables = [self._table(led, takes, made) for (led, takes), made in lines.items() if made]
        self._ends = np.cumsum(self.multiplicity)
        widest = sum(int(np.diff(table.starts).max()) * (model.bound if table.takes else 1) for table in self._tables)
        columns = STATE_BYTES * (len(model.columns) + model.bound)
        self.chunk = max(1, CHUNK_BYTES // (PAIR_BYTES * widest + columns + self._conditions.bytes))

    # ------------------------------------------------------------------------------------------------ making it ready

    def _lines(self, led: Field, number: int, transition: Transition) -> Iterator[_Line]:
        """The transition at each index that it can begin with."""
        if max(transition.takes, transition.puts) > len(self.model.packets):
            raise ModelError(f"{self.model.name}: {transition.title} takes or puts a packet that is not listed")
        if transition.puts and not self.model.bound:
            return
        fits = self._fitting(led, transition.where)
        later: list[Guard] = []
        for guard in (*conjuncts(transition.own), *conjuncts(transition.guard)):
            if self._conditions.fields(guard) in ((), (led,)):
                fits = fits & self._holding(led, guard)
            else:
                later.append(guard)
        indices = np.flatnonzero(fits)
        if not len(indices):
            return
        after = self._jump(led, transition.assign)[indices]
        if after.min() < 0:
            raise self._astray(transition, led)
        if transition.puts and not transition.takes:  # where one is taken, there is room
            later.append(Is(slot(self.model.bound - 1), 0))
        codes = self._codes(transition.takes > 0)
        for way in self._ways(transition, led, self._conditions.number(later)):
            known = self._numbers.setdefault(way, len(self._numbers))
            yield _Line(indices * codes + transition.takes, after, known, number)

    def _codes(self, takes: bool) -> int:
        return len(self.model.packets) + 1 if takes else 1

    def _fitting(self, field_: Field, where: tuple[tuple[str, int], ...]) -> NDArray[np.bool_]:
        """Which indices of the field have what is wanted of its columns."""
        own = tuple(pair for pair in where if pair[0] in field_.names)
        if (field_, own) not in self._fits:
            fits = np.ones(len(field_.table), dtype=np.bool_)
            for name, mask in own:
                fits &= self.packing.columns[name] == mask
            self._fits[field_, own] = fits
        return self._fits[field_, own]

    def _holding(self, field_: Field, guard: Guard) -> NDArray[np.bool_]:
        """For which indices of the field a guard holds that reads nothing else."""
        key = (field_, self._conditions.key(guard))
        if key not in self._fits:
            self._fits[key] = guard.columns({name: self.packing.columns[name] for name in field_.names})
        return self._fits[key]

    def _jump(self, field_: Field, assign: tuple[tuple[str, int], ...]) -> NDArray[np.int64]:
        """What each index of the field becomes where its columns get these bits; -1 where they can't have them."""
        own = tuple(pair for pair in assign if pair[0] in field_.names)
        if (field_, own) not in self._jumps:
            after = field_.table.copy()
            for name, mask in own:
                after[:, field_.names.index(name)] = mask
            indices = [self.packing.index_of(field_, tuple(line)) for line in after.tolist()]
            self._jumps[field_, own] = np.array(indices, dtype=np.int64)
        return self._jumps[field_, own]

    def _ways(self, transition: Transition, led: Field, condition: int) -> list[_Way]:
        """What it does to the other fields, one way where it assigns all columns of each, whatever they were.

        Else a field is spelled out, a way for each index that it can begin with: masks say nothing of half an index.
        """
        ways = [_Way(condition, 0, 0, ~led.mask, 0, transition.puts)]
        touched = [self.packing.where[name] for name, _ in (*transition.where, *transition.assign)]
        for field_ in dict.fromkeys(touched):
            if field_ is led:
                continue
            fits, jump = self._fitting(field_, transition.where), self._jump(field_, transition.assign)
            if (jump[fits] < 0).any():
                raise self._astray(transition, field_)
            begins = [(field_.mask, line << field_.shift, int(jump[line])) for line in np.flatnonzero(fits).tolist()]
            if fits.all() and (jump == jump[0]).all():
                begins = [(0, 0, int(jump[0]))]
            ways = [
                way._replace(
                    mask=way.mask | mask, value=way.value | value,
                    keep=way.keep & ~field_.mask, put=way.put | index << field_.shift,
                )
                for way in ways
                for mask, value, index in begins
            ]  # fmt: skip
        return ways

    def _astray(self, transition: Transition, field_: Field) -> ModelError:
        return ModelError(f"{self.model.name}: {transition.title} leads where {field_.names} can't be")

    def _table(self, led: Field, takes: bool, lines: list[_Line]) -> _Table:
        """The lines sorted by what is joined by; those that differ in nothing but the transition are one entry."""
        sizes = [len(line.places) for line in lines]
        places, after = (np.concatenate(part) for part in ([x.places for x in lines], [x.after for x in lines]))
        way, number = (np.repeat(part, sizes) for part in ([x.way for x in lines], [x.number for x in lines]))
        order = np.lexsort((number, way, after, places))
        places, after, way = places[order], after[order], way[order]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = (np.diff(places) != 0) | (np.diff(after) != 0) | (np.diff(way) != 0)
        begins, first = np.flatnonzero(new), len(self.multiplicity)
        self.multiplicity = np.append(self.multiplicity, np.diff(np.append(begins, len(order))))
        self._transitions = np.append(self._transitions, number[order])
        ways = np.array(list(self._numbers), dtype=np.int64)[way[begins]]
        condition, mask, value, keep, put, puts = ways.T.copy()
        put |= after[begins] << led.shift
        codes = self._codes(takes)
        starts = np.searchsorted(places[begins], np.arange(len(led.table) * codes + 1))
        return _Table(led, takes, codes, starts, first, condition, mask, value, keep, put, puts)

    # ------------------------------------------------------------------------------------------------ using it

    @property
    def initial(self) -> States:
        """The states that everything begins with, sorted."""
        return np.array(sorted({self.packing.pack(values) for values in self.model.initial}), dtype=np.int64)

    def numbers(self, entry: int) -> NDArray[np.int64]:
        """The transitions that an entry is, in the order of the model."""
        return self._transitions[self._ends[entry] - self.multiplicity[entry] : self._ends[entry]]

    def fired(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """How often each transition was, of how often each entry was."""
        out = np.zeros(len(self.model.transitions), dtype=np.int64)
        np.add.at(out, self._transitions, np.repeat(counts, self.multiplicity))
        return out

    def chunks(self, states: States) -> Iterator[States]:
        """The states in as many parts as they must be expanded in."""
        for begin in range(0, len(states), self.chunk):
            yield states[begin : begin + self.chunk]

    def expand(self, states: States) -> Iterator[Pairs]:
        """Every successor of a chunk of states, with the state and the entry that it is of."""
        truth = self._conditions.truth(states)
        everyone = np.arange(len(states))
        holders, packets, without = self._taken(states)
        for table in self._tables:
            index = table.led.of(states)
            if table.takes:
                yield self._join(table, index[holders] * table.codes + packets, holders, without, truth)
            else:
                yield self._join(table, index, everyone, states, truth)

    def _taken(self, states: States) -> tuple[NDArray[np.int64], States, States]:
        """For each packet that can be taken out of the network: which state has it, its code, and what is left.

        Of two that are alike one is taken: it does not matter which.
        """
        before = np.zeros_like(states)
        parts = [(np.zeros(0, dtype=np.int64), states[:0], states[:0])]
        for place in range(self.model.bound):
            codes = self.packing.codes(states, place)
            whose = np.flatnonzero((codes > 0) & (codes != before))
            parts.append((whose, codes[whose], self.packing.without_packet(states[whose], place)))
            before = codes
        holders, packets, without = map(np.concatenate, zip(*parts, strict=True))
        return holders, packets, without

    def _join(
        self, table: _Table, places: NDArray[np.int64], whose: NDArray[np.int64], bases: States,
        truth: NDArray[np.bool_],
    ) -> Pairs:  # fmt: skip
        """The pairs of a table. places: what is joined by; whose: the state that it is of; bases: what is changed."""
        begins = table.starts[places]
        counts = table.starts[places + 1] - begins
        which = np.repeat(np.arange(len(places)), counts)
        entries = np.arange(len(which)) + (begins + counts - np.cumsum(counts))[which]
        holds = truth.ravel()[table.condition[entries] * truth.shape[1] + whose[which]]
        which, entries = which[holds], entries[holds]
        base = bases[which]
        if table.mask.any():
            holds = (base & table.mask[entries]) == table.value[entries]
            which, entries, base = which[holds], entries[holds], base[holds]
        after = (base & table.keep[entries]) | table.put[entries]
        if table.puts.any():
            sends = np.flatnonzero(table.puts[entries])
            after[sends] = self.packing.with_packet(after[sends], table.puts[entries[sends]])
        return Pairs(whose[which], after, entries + table.first)
