"""What is explored of TCP, and what is told of a run beside what the table remembers.

Each side counts in a sequence space of its own: its SYN is number 0, its text are the numbers after that, its FIN comes
last. A number is the space and the place in it, so that the numbers of an earlier incarnation of the connection, or of
somebody who only pretends to be the peer, are never taken for others. No row reads these facts; what a segment is to
its receiver is computed from them when it arrives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import State, Symbol
from shakeproof.model.steps import Limits
from shakeproof.model.tcp_segments import (
    DELAYED_ACK,
    KEEP_ALIVE,
    OPENED,
    PERSIST,
    SEND_WINDOW,
    WAITING,
    Segment,
    actively,
    current,
    data,
    fin,
    no_ack,
    nothing_waits,
    passively,
    room,
    syn,
)

CLIENT, SERVER = "client", "server"
PEER = {CLIENT: SERVER, SERVER: CLIENT}

NETWORK = "network.kind"
"""A column with one value: transitions that are of neither side hang on it."""

KIND = Fact("kind", {"lossy": "the network loses, reorders and duplicates"})
(lossy,) = KIND.values

# ------------------------------------------------------------------------------------------------- sequence numbers

OLD, ATTACKERS, ZERO, NOBODYS = "old", "attackers", "zero", "nobodys"
"""Spaces beside those that the sides choose: an earlier incarnation's, the attacker's, that of resets without a number
to go by, and that of numbers that nobody expects.
"""


OTHER_STARTS = {"anew": "of a second start", "elsewhere": "of another start"}


class Number(NamedTuple):
    """A sequence number: whose space, and the place in it."""

    space: str
    at: int

    @property
    def text(self) -> str:
        """For people: a number counts from the SYN of its sender, unless another is named."""
        named = {f"{side} {what}": words for side in PEER for what, words in OTHER_STARTS.items()}
        whose = {**named, ATTACKERS: "of the attacker's", NOBODYS: "of nobody's"}.get(self.space, "")
        return f"{self.at} {whose}".strip()


ZERO_NUMBER = Number(ZERO, 0)
"""The number of a reset that answers a segment without ACK."""

NOBODYS_NUMBER = Number(NOBODYS, 0)
"""A number that nobody expects."""


@dataclass(frozen=True)
class Wire:
    """A segment as it crosses the network."""

    control: Value
    seq: Number
    ack: Number | None = None

    @property
    def after(self) -> Number:
        """The number that acknowledges all of it."""
        return Number(self.seq.space, self.seq.at + (self.control in (syn, data, fin)))

    @property
    def symbol(self) -> Symbol:
        """What it says where nobody has received it yet."""
        return Segment.symbol(self.control, no_ack if self.ack is None else current)

    @property
    def text(self) -> str:
        """For people."""
        return f"seq {self.seq.text}" + (f", ack {self.ack.text}" if self.ack is not None else "")


# ------------------------------------------------------------------------------------------------------ the history

# fmt: off
CHOSEN = Fact("iss", {
    "unchosen":        "no initial sequence number has been chosen",
    "first":           "the number that the peer is answered with, or was, before the half-open connection was given up",
    "anew":            "another number, for the same SYN, after a half-open connection was given up",
    "elsewhere":       "the number with which a SYN is answered that the peer did not send",
    "elsewhere_later": "that, after a half-open connection with the peer was given up",
})
unchosen, first, anew, elsewhere, elsewhere_later = CHOSEN.values

SPACE = Fact("irs", {
    "unknown":    "no SYN has been accepted",
    "peers":      "the SYN that was accepted is the peer's",
    "peers_anew": "the SYN that was accepted is the peer's, with the number that it chose anew",
    "of_old":     "the SYN that was accepted is the peer's of an earlier incarnation of the connection",
    "pretended":  "the SYN that was accepted is the attacker's",
})
unknown, peers, peers_anew, of_old, pretended = SPACE.values

ENDED = Fact("ended", {
    "going":    "the connection has not ended",
    "in_order": "both have closed, and what was sent is acknowledged",
    "refused":  "it was reset before it was open",
    "reset":    "it was reset by a segment of the peer's",
    "cut_off":  "it was reset by a segment that the peer did not send",
})
going, in_order, refused, reset_by_peer, cut_off = ENDED.values

HELD = Fact("held", {
    "nothing_held": "nothing has come ahead of its turn",
    "fin_held":     "the peer's FIN has come ahead of text, and is kept",
    "forgery_held": "text of the attacker's has come ahead of text, and is kept",
})
nothing_held, fin_held, forgery_held = HELD.values
# fmt: on


def _counted(name: str, most: int, sentence: str) -> Fact:
    return Fact(name, {f"{name}_{number}": f"{sentence} {number}" for number in range(most + 1)})


@dataclass(frozen=True)
class Setting:
    """What is explored.

    texts: segments of text that each side sends; bound: segments in the network at once; attacked: there is an attacker
    beside the path, else nobody forges; simultaneous: both open actively; old_syns: among the segments of an earlier
    incarnation that arrive are its SYNs; removed: protections that are taken out.
    """

    texts: int = 1
    bound: int = 1
    attacked: bool = True
    simultaneous: bool = False
    old_syns: bool = True
    removed: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Short, for reports."""
        parts = ["tcp"] + ["simultaneous"] * self.simultaneous + ["honest"] * (not self.attacked)
        return " ".join(parts)

    @property
    def challenges(self) -> bool:
        """Whether RFC 5961's protections are there."""
        return "challenge-ack" not in self.removed

    @property
    def known_numbers(self) -> bool:
        """Whether the attacker knows the initial sequence numbers, and so every other."""
        return "unpredictable-isn" in self.removed

    @cached_property
    def limits(self) -> Limits:
        """What each side may remember: no delayed acknowledgments, windows of zero, keep-alives, and no SYN that opens
        a connection anew out of TIME-WAIT.
        """
        return {
            OPENED: (actively, passively),
            WAITING: (nothing_waits,),
            SEND_WINDOW: (room,),
            PERSIST.fact: (PERSIST.idle,),
            DELAYED_ACK.fact: (DELAYED_ACK.idle,),
            KEEP_ALIVE.fact: (KEEP_ALIVE.idle,),
        }

    @cached_property
    def numbers(self) -> dict[str, Fact]:
        """The columns that count: numbers of the sequence space, and texts."""
        last = self.texts + 2
        return {
            "snd_una": _counted("snd_una", last, "the oldest number that is not acknowledged is"),
            "snd_nxt": _counted("snd_nxt", last, "the next number to be sent is"),
            "rcv_nxt": _counted("rcv_nxt", last, "the next number expected is"),
            "wrote": _counted("wrote", self.texts, "so many texts were handed over:"),
            "got": Fact("got", {
                **{f"got_{number}": f"so many of the peer's texts were accepted, in order: {number}"
                   for number in range(self.texts + 1)},
                "got_end": "all of the peer's texts were accepted, and its FIN",
                "got_wrong": "something was accepted that the peer did not send, or not there",
            }),
        }  # fmt: skip

    @property
    def end(self) -> int:
        """`got` where everything was accepted."""
        return self.texts + 1

    @property
    def wrong(self) -> int:
        """`got` where something was accepted that the peer did not send."""
        return self.texts + 2


class End(NamedTuple):
    """One end: the state and the memory of the table, and the history."""

    state: State
    memory: tuple[tuple[str, int], ...]
    una: int = 0
    nxt: int = 0
    rcv: int = 0
    wrote: int = 0
    got: int = 0
    iss: Value = unchosen
    irs: Value = unknown
    held: Value = nothing_held
    ended: Value = going

    def remembering(self, more: Mapping[str, int]) -> End:
        """With this remembered."""
        return self._replace(memory=tuple({**dict(self.memory), **more}.items()))

    def own(self, side: str, at: int) -> Number:
        """A number of what the side sends."""
        return Number({first: side, anew: f"{side} anew"}.get(self.iss, f"{side} elsewhere"), at)

    def theirs(self, side: str, at: int) -> Number:
        """A number of what the side receives, of whoever's SYN it accepted."""
        return Number(next((space for space, irs in _spaces(side).items() if irs is self.irs), NOBODYS), at)


def _spaces(side: str) -> dict[str, Value]:
    peer = PEER[side]
    return {peer: peers, f"{peer} anew": peers_anew, f"{OLD} {peer}": of_old, ATTACKERS: pretended}


def accepted(side: str, number: Number) -> Value:
    """Whose SYN the side accepts with that number."""
    return _spaces(side)[number.space]


def given_up(iss: Value) -> Value:
    """What a side that listens again knows of the numbers that it chose."""
    return unchosen if iss in (unchosen, elsewhere) else first


def is_old(number: Number) -> bool:
    """Whether it is of an earlier incarnation of the connection."""
    return number.space.startswith(OLD)
