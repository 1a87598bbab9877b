"""A composed model: several machines and what is between them, as columns and transitions.

A state is one value for each column. A column is a fact under a name of its own, so that two machines can remember the
same fact: `client.key_exchange` and `server.key_exchange`. `Of("client", guard)` reads a guard of a role's table in the
columns of that machine: the table's own guard objects are what is evaluated, on plain values or on numpy columns.

A transition belongs to a row of a table (or is one of the network's own), is enabled where its columns have the given
values and its guard holds, and then assigns constants. What varies is spread over several transitions when they are
made, never computed when they fire. The network is a multiset of at most `bound` packets; a transition may take one out
and put one in, and where there is no room it is not enabled: the sender waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from shakeproof.model.alphabet import Symbol
from shakeproof.model.facts import Assignment, Columns, Fact, Guard, ModelError, Value

ATTACKER = "attacker"
"""The attacker's columns are `attacker.` and what it knows or has done."""

PRIVATE = "keys of the client and the server"
"""What protects a message, as a trace says it, where the attacker has not the keys."""

KNOWN = "compromised keys"
"""What protects it where the attacker has them, or anybody."""

PLACES = "packet"
"""The columns of the network are `packet.0`, `packet.1` ...: codes of packets, the largest first, 0 for none."""


def slot(number: int) -> str:
    """The column of that place in the network."""
    return f"{PLACES}.{number}"


class _Renamed(Mapping[str, NDArray[np.int64]]):
    """The columns of one machine, under the names of its facts."""

    def __init__(self, machine: str, values: Columns) -> None:
        self._machine, self._values = machine, values

    def __getitem__(self, name: str) -> NDArray[np.int64]:
        return self._values[f"{self._machine}.{name}"]

    def __iter__(self) -> Iterator[str]:
        prefix = f"{self._machine}."
        return (name.removeprefix(prefix) for name in self._values if name.startswith(prefix))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, eq=False)
class Of(Guard):
    """A guard over the facts of one machine."""

    machine: str
    inner: Guard

    def holds(self, values: Assignment) -> bool:
        return self.inner.holds(
            {fact.name: values[f"{self.machine}.{fact.name}"] for fact in self.inner.facts()},
        )

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        return self.inner.columns(_Renamed(self.machine, values))

    def text(self) -> str:
        return f"{self.machine}[{self.inner.text()}]"

    def values(self) -> tuple[Value, ...]:
        return self.inner.values()


@dataclass(frozen=True, eq=False)
class Is(Guard):
    """A column has exactly these bits: unlike a value's own guard, it does not hold for what is forgotten."""

    column: str
    mask: int

    def holds(self, values: Assignment) -> bool:
        return values[self.column] == self.mask

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        return np.asarray(values[self.column] == self.mask, dtype=np.bool_)

    def text(self) -> str:
        return f"{self.column} = {self.mask:#x}"

    def values(self) -> tuple[Value, ...]:
        return ()


@dataclass(frozen=True, eq=False)
class OnTheWay(Guard):
    """One of these packets is in the network."""

    codes: tuple[int, ...]
    bound: int

    def holds(self, values: Assignment) -> bool:
        return any(values[slot(number)] in self.codes for number in range(self.bound))

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        listed = np.zeros(max(self.codes) + 2, dtype=np.bool_)
        listed[list(self.codes)] = True
        found = np.zeros(len(values[slot(0)]), dtype=np.bool_)
        for number in range(self.bound):
            found |= listed[np.minimum(values[slot(number)], len(listed) - 1)]
        return found

    def text(self) -> str:
        return f"on the way({', '.join(map(str, self.codes))})"

    def values(self) -> tuple[Value, ...]:
        return ()


@dataclass(frozen=True)
class Column:
    """A column. masks: the bits it can have, each with its index; a column with one mask takes no room in a state."""

    name: str
    fact: Fact
    masks: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.masks or len(set(self.masks)) != len(self.masks):
            raise ModelError(f"column {self.name}: needs at least one value, each once")

    @property
    def width(self) -> int:
        """Bits that it takes in a packed state."""
        return (len(self.masks) - 1).bit_length()

    def text(self, mask: int) -> str:
        """The value in words of the table."""
        return "-" if mask == self.fact.mask and len(self.fact.values) > 1 else " | ".join(
            value.name for value in self.fact.named(mask)
        )  # fmt: skip


@dataclass(frozen=True)
class Packet:
    """A message that an honest role has sent, as the network can hold it.

    sender, receiver: machines; rank: its place in what the sender sends in one handshake, by which the network knows
    what comes first; sealed: protected with the sender's keys; about: what else an attacker or a receiver can tell.
    """

    sender: str
    receiver: str
    symbol: Symbol
    rank: int
    sealed: bool = False
    about: str = ""

    @property
    def text(self) -> str:
        """For people."""
        about = f" ({self.about})" if self.about else ""
        return f"{self.sender} to {self.receiver}: {self.symbol.text}{' sealed' if self.sealed else ''}{about}"


@dataclass(frozen=True)
class Transition:
    """A transition.

    row: the id of the row of a table that it comes from, "" for the network's own; kind: "sends", "receives", "calls",
    "forges" (the attacker made what is received) or "loses"; machine: whose row it is; symbol: what is sent, received
    or called; where: columns with the bits that they must have; own: what the machine must remember besides, the row's
    guard; guard: what must hold of keys, of the network and of the other machine; assign: columns with the bits that
    they then get; takes, puts: codes of packets, 0 for none; note: for people.
    """

    row: str
    kind: str
    machine: str
    symbol: Symbol
    where: tuple[tuple[str, int], ...]
    own: Guard | None = None
    guard: Guard | None = None
    assign: tuple[tuple[str, int], ...] = ()
    takes: int = 0
    puts: int = 0
    note: str = ""

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.machine} {self.kind} {self.symbol.text}{f' ({self.row})' if self.row else ''}"


@dataclass(frozen=True)
class Safety:
    """A property of every reachable state.

    name, sentence: for users; clause: where it is demanded; holds: the guard; premise: what it speaks of, so that where
    no state fulfils it the property is not put to the test.
    """

    name: str
    sentence: str
    clause: str
    holds: Guard
    premise: Guard | None = None


@dataclass(frozen=True)
class Composition:
    """A model to explore.

    packets: what the network can hold, the code of each is its number from 1; bound: how many at once; initial: states,
    as column -> bits; machines: the prefix of each machine's columns, and its role; done: the states that a run should
    come to; over: states in which nothing more need happen; assumptions: what is presumed, a sentence each; layer: what
    its messages are drawn as; removed: the protections that were taken out; titles: what a machine is called in a
    picture, where that is not its name.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    initial: tuple[Mapping[str, int], ...]
    transitions: tuple[Transition, ...]
    packets: tuple[Packet, ...] = ()
    bound: int = 0
    safety: tuple[Safety, ...] = ()
    done: Guard | None = None
    over: Guard | None = None
    assumptions: tuple[str, ...] = ()
    machines: Mapping[str, str] = field(default_factory=dict)
    layer: str = "tls"
    removed: tuple[str, ...] = ()
    titles: Mapping[str, str] = field(default_factory=dict)

    @property
    def rows(self) -> tuple[str, ...]:
        """The ids of the rows that some transition comes from."""
        return tuple(dict.fromkeys(one.row for one in self.transitions if one.row))

    def column(self, name: str) -> Column:
        """The column of that name."""
        found = next((one for one in self.columns if one.name == name), None)
        if found is None:
            raise ModelError(f"{self.name}: there is no column {name!r}")
        return found


def columns_of(facts: Mapping[str, tuple[Fact, int]], transitions: Sequence[Transition]) -> tuple[Column, ...]:
    """The columns, each with the values that some transition gives it; facts: by column, with the bits at first."""
    masks = {name: {mask: None} for name, (_, mask) in facts.items()}
    for one in transitions:
        for name, mask in one.assign:
            masks[name].setdefault(mask)
    return tuple(Column(name, fact, tuple(masks[name])) for name, (fact, _) in facts.items())


def codes_of(packets: Sequence[Packet]) -> dict[Packet, int]:
    """The code of each packet."""
    return {packet: number for number, packet in enumerate(packets, 1)}


def merged(transitions: Sequence[Transition]) -> list[Transition]:
    """One of all transitions of a row that do the same under the same conditions: the symbols that a row does not tell
    apart are one.
    """
    out: dict[object, Transition] = {}
    for one in transitions:
        guard = tuple(part.text() if part is not None else "" for part in (one.own, one.guard))
        key = (one.row, one.kind, one.machine, one.symbol.message, frozenset(one.where), guard,
               frozenset(one.assign), one.takes, one.puts)  # fmt: skip
        out.setdefault(key, one)
    return list(out.values())


def possible(transitions: Sequence[Transition], begins: Mapping[str, int]) -> list[Transition]:
    """The transitions that may ever be enabled, as far as each column and each packet taken by itself can tell."""
    masks = {name: {mask} for name, mask in begins.items()}
    there = {0}
    out: list[Transition] = []
    waiting, before = list(transitions), -1
    while len(waiting) != before:
        before, still = len(waiting), []
        for one in waiting:
            if one.takes in there and all(mask in masks[name] for name, mask in one.where):
                there.add(one.puts)
                for name, mask in one.assign:
                    masks[name].add(mask)
                out.append(one)
            else:
                still.append(one)
        waiting = still
    found = set(map(id, out))
    return [one for one in transitions if id(one) in found]


class Composing(Protocol):
    """What makes the transitions of a model. only: the packets that they may speak of, None for all."""

    only: frozenset[Packet] | None

    def compose(self) -> tuple[list[Transition], tuple[Packet, ...]]:
        """The transitions, and the packets that they speak of."""

    def begins(self) -> dict[str, int]:
        """The bits that each column begins with."""


def compose_possible(composer: Composing) -> tuple[tuple[Transition, ...], tuple[Packet, ...]]:
    """The transitions that may ever be enabled, and the packets that are ever sent.

    It is composed twice: which packets are sent shows once there are transitions for all that a side may owe.
    """
    transitions, packets = composer.compose()
    sent = {one.puts for one in possible(transitions, composer.begins())} - {0}
    composer.only = frozenset(packets[code - 1] for code in sent)
    transitions, packets = composer.compose()
    return tuple(possible(transitions, composer.begins())), packets
