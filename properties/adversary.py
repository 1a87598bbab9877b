"""The attacker on the network: what it knows, and its verbs. One set of verbs for every engine.

A verb acts at one or more levels. `drop`, say, loses a TCP segment or a TLS record: where the layer above must repair
what it does, as TCP must repair a lost segment, it is a mishap that any network may have; else it is an attack. The
verbs of each level are functions: those of segments in `adversary_segments`, those of records, handshake messages and
certificates in `adversary_records`. `VERBS` lists them by name, with what each does at each of its levels.

What the attacker may forge follows from what it knows. Nothing of what it has seen is forgotten: knowledge only grows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, TypeVar

Side: TypeAlias = Literal["client", "server"]
SIDES: tuple[Side, Side] = ("client", "server")
ATTACKER = "attacker"

Level: TypeAlias = Literal["segment", "record"]
SEGMENT: Level = "segment"
RECORD: Level = "record"
LEVELS: dict[Level, str] = {
    SEGMENT: "TCP segments, and what may happen to any packet",
    RECORD: "TLS records, and the handshake messages and certificates in them",
}
"""Every level that a verb can act at, with what it is about."""

PIECES_LIMIT = 24
"""Pieces that something is cut into at most; the last one has the rest. The cuts that matter are at the beginning."""


def other(side: Side) -> Side:
    """The other end."""
    return "server" if side == "client" else "client"


# --------------------------------------------------------------------------------------------------------------- verbs


@dataclass(frozen=True)
class Deed:
    """What a verb does at one level.

    sentence: for lists; kind: what statistics call something that it touched; attacks: whether it is more than the
    layer above must repair, so that no completion can be demanded afterwards.
    """

    level: Level
    sentence: str
    kind: str
    attacks: bool


@dataclass
class Verb:
    """One thing that the network or the attacker can do, at one or more levels."""

    name: str
    deeds: dict[Level, Deed] = field(default_factory=dict)

    @property
    def levels(self) -> tuple[Level, ...]:
        """Where it can be done."""
        return tuple(self.deeds)


VERBS: dict[str, Verb] = {}
"""Every verb by name."""

Act = TypeVar("Act", bound=Callable[..., Any])


def verb(level: Level, sentence: str, kind: str, *, attacks: bool = True) -> Callable[[Act], Act]:
    """Register a verb at a level: a function that does it, and gives what reaches a receiver now, in order."""

    def register(act: Act) -> Act:
        known = VERBS.setdefault(act.__name__, Verb(act.__name__))
        known.deeds[level] = Deed(level, sentence, kind, attacks)
        return act

    return register


# ----------------------------------------------------------------------------------------------------------- knowledge

SEQUENCE_BITS = 32
"""Bits of a sequence number."""

BLIND_BITS = 20
"""How much a blind attacker guesses: a million segments, some seconds of a fast link. To guess one number to within a
window of 65,535 costs 16 bits, to guess two so costs 32: hours, and connections are over by then."""


@dataclass
class Knowledge:
    """What the attacker knows of the connections that it attacks. It knows which sockets they are between, always.

    numbers: it sees the packets, and so knows what is expected next; place: it stands between the two, so that
    packets go through its hands; keys: what it can sign with, beside keys that it makes up.
    """

    numbers: bool = False
    place: bool = False
    keys: frozenset[str] = frozenset({"a certificate of its own"})

    def learn(self, *, numbers: bool = False, place: bool = False, keys: frozenset[str] = frozenset()) -> None:
        """Know more."""
        self.numbers, self.place, self.keys = self.numbers or numbers, self.place or place, self.keys | keys

    def affords(self, *ranges: int) -> bool:
        """Whether it can hit ranges of that many numbers out of 2**32 each, all in one segment."""
        if self.numbers:
            return True
        return sum(SEQUENCE_BITS - math.log2(max(size, 1)) for size in ranges) <= BLIND_BITS
