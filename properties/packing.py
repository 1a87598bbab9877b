"""How the states of a composed model are packed into one int64 each, and read again as columns.

The columns of a machine are one number: which of the combinations that it can come to by itself, whatever it is sent.
Then come the other columns, a number each, and on top the places of the network: codes of packets, the largest first,
so that a multiset has one spelling, and what is empty is 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shakeproof.model.composition import PLACES, Composition, slot
from shakeproof.model.facts import ModelError

States = NDArray[np.int64]

STATE_BITS = 63
"""An int64 without its sign, so that packed states sort as numbers."""

STATE_BYTES = 8
"""What a packed state takes, and a column of one."""


class TooWideError(ModelError):
    """A state does not fit into an int64."""


@dataclass(frozen=True, eq=False)
class Field:
    """Columns that are packed as one index: the combinations that they can have, a line each."""

    names: tuple[str, ...]
    table: States
    shift: int

    @property
    def width(self) -> int:
        """Bits that it takes."""
        return (len(self.table) - 1).bit_length()

    @property
    def mask(self) -> int:
        """Its bits in a state."""
        return ((1 << self.width) - 1) << self.shift

    def of(self, states: States) -> States:
        """The index in each state."""
        return (states >> self.shift) & ((1 << self.width) - 1)

    @property
    def columns(self) -> dict[str, States]:
        """The bits of each column, a line for each combination."""
        return {name: np.ascontiguousarray(self.table[:, at]) for at, name in enumerate(self.names)}


class Packing:
    """How the states of a model are packed: a field for each machine, one for each other column, places of packets.

    together: for a machine, the combinations of its columns' bits; a machine without has a field for each column.
    """

    def __init__(self, model: Composition, together: Mapping[str, States] | None = None) -> None:
        self.model = model
        self.fields: list[Field] = []
        self.where: dict[str, Field] = {}
        self.columns: dict[str, States] = {}
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
            self.where |= dict.fromkeys(names, made)
            self.columns |= made.columns
            at += made.width
        self.network = at
        self.packet_width = len(model.packets).bit_length()
        self.bits = at + model.bound * self.packet_width
        if self.bits > STATE_BITS:
            raise TooWideError(
                f"{model.name}: a state needs {self.bits} bits, and {STATE_BITS} are there; give a smaller bound"
            )
        self._index = {f: {tuple(line): at for at, line in enumerate(f.table.tolist())} for f in self.fields}

    def index_of(self, field_: Field, line: tuple[int, ...]) -> int:
        """The index of a combination in that field; -1 where it can't have it."""
        return self._index[field_].get(line, -1)

    def pack(self, values: Mapping[str, int], network: tuple[int, ...] = ()) -> int:
        """One state. Raises ModelError where a column can't have its value."""
        state = 0
        for field_ in self.fields:
            index = self.index_of(field_, tuple(values[name] for name in field_.names))
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

    def codes(self, states: States, place: int) -> States:
        """The code at that place of the network."""
        return (states >> (self.network + place * self.packet_width)) & ((1 << self.packet_width) - 1)

    def without_packet(self, states: States, place: int) -> States:
        """The states with nothing at that place: what lies above moves down."""
        at = self.network + place * self.packet_width
        return (states & ((1 << at) - 1)) | ((states >> (at + self.packet_width)) << at)

    def with_packet(self, states: States, codes: States) -> States:
        """The states with a packet more each, where it belongs; their last place is empty."""
        at = np.full(len(states), self.network, dtype=np.int64)
        for place in range(self.model.bound - 1):
            at += self.packet_width * (self.codes(states, place) >= codes)
        above = states >> at
        return (states ^ (above << at)) | (codes << at) | (above << (at + self.packet_width))


class View(Mapping[str, States]):
    """Packed states as columns of bits, each unpacked when it is first looked at."""

    def __init__(self, packing: Packing, states: States) -> None:
        self.packing, self.states = packing, states
        self._seen: dict[str, States] = {}
        self._indices: dict[Field, States] = {}

    def index(self, field_: Field) -> States:
        """The index of the field in each state."""
        if field_ not in self._indices:
            self._indices[field_] = field_.of(self.states)
        return self._indices[field_]

    def __getitem__(self, name: str) -> States:
        if name not in self._seen:
            if name.startswith(f"{PLACES}."):
                self._seen[name] = self.packing.codes(self.states, int(name.rpartition(".")[2]))
            else:
                self._seen[name] = self.packing.columns[name][self.index(self.packing.where[name])]
        return self._seen[name]

    def __iter__(self) -> Iterator[str]:
        yield from self.packing.where
        yield from (slot(number) for number in range(self.packing.model.bound))

    def __len__(self) -> int:
        return len(self.packing.where) + self.packing.model.bound
