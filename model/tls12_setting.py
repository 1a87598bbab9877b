"""What is explored of TLS 1.2, and what is told of a run beside what the tables remember.

The facts here are a history: no row of a table reads them. They are what properties speak of, and from what it is
computed, when a message arrives, what it is to its receiver.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import reduce

from shakeproof.model.composition import KNOWN, Of
from shakeproof.model.facts import Fact, Guard, Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    ASKS,
    EXTENSIONS,
    GRANTS,
    KEY_EXCHANGE,
    OFFER,
    TICKET,
    Alert,
    ApplicationData,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ChangeCipherSpec,
    ClientHello,
    ClientKeyExchange,
    Finished,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    anew,
    by_id,
    ecdhe,
    extended,
    fatal,
    full,
    offers_ecdhe,
    offers_rsa,
    offers_several,
    resumed,
    rsa,
    unpromised,
)
from shakeproof.model.notation import Message, State, Symbol
from shakeproof.model.steps import Limits
from shakeproof.model.tls12 import (
    REQUESTED,
    ROUND,
    VERSION,
    anonymous,
    asked,
    current,
    doubtful,
    first,
    identified,
    older,
    unasked,
)

CLIENT, SERVER = "client", "server"
PEER = {CLIENT: SERVER, SERVER: CLIENT}

# fmt: off
OWNER = Fact("owner", {
    "nobody":   "no key of the peer has been accepted, or it has been used",
    "peer":     "the key that was accepted is the peer's own",
    "attacker": "the key that was accepted is the attacker's",
    "breakable": "the key that was accepted is the peer's, and so short that the attacker breaks it",
})
nobody, peer, attacker, breakable = OWNER.values

KEYS = Fact("keys", {
    "no_keys": "no secret has been agreed: keys would be made of an empty one",
    "common":  "the secret is the client's, encrypted to, or agreed with, the server",
    "exposed": "the attacker knows the secret",
    "lost":    "nobody else has the secret",
    "earlier": "the secret is that of the session that is resumed",
})
no_keys, common, exposed, lost, earlier = KEYS.values

SEALS = Fact("seals", {
    "clear":   "what it sends is not protected",
    "sealing": "what it sends is protected with keys of the secret that was agreed",
    "sealing_empty": "what it sends is protected with keys of an empty secret, which everybody can make",
})
clear, sealing, sealing_empty = SEALS.values

OPENS = Fact("opens", {
    "reading": "what it reads is not protected",
    "opening": "only what is protected with keys of the secret that was agreed is read",
    "opening_empty": "only what is protected with keys of an empty secret is read, which everybody can make",
})
reading, opening, opening_empty = OPENS.values

STREAM = Fact("stream", {"whole": "every protected record to it has arrived", "torn": "a protected record to it was lost"})
whole, torn = STREAM.values

WROTE = Fact("wrote", {"silent": "the application has sent nothing", "spoke": "the application has sent data"})
silent, spoke = WROTE.values

GOT = Fact("got", {
    "nothing": "no data has been accepted",
    "genuine": "data of the peer has been accepted",
    "forged":  "data of the attacker has been accepted",
})
nothing, genuine, forged = GOT.values

CAME = Fact("came", {
    "legal":   "no message has come that the side refuses",
    "illegal": "a message has come that the side refuses, with a fatal alert",
})
legal, illegal = CAME.values

AGREES = Fact("agrees", {
    "alike": "it has not finished; or when it did, its peer had the same keys and had sent and seen what it had",
    "apart": "it has finished, and the peer had other keys, or another handshake, or had sent no Finished",
})
alike, apart = AGREES.values

PARAMETERS = Fact("parameters", {
    "awaited": "no parameters of the peer's have been accepted, or they have been used",
    "taken":   "parameters of the peer's have been accepted",
})
awaited, taken = PARAMETERS.values

TRANSCRIPT = Fact("transcript", {
    "same":    "each side has read what the other has sent, in order, as far as it has come",
    "altered": "the two sides have seen different handshakes",
})
same, altered = TRANSCRIPT.values

READS = Fact("reads", {
    "blind": "the attacker has read nothing of what the client's application has sent",
    "reads": "the attacker has read what the client's application has sent",
})
blind, reads = READS.values
# fmt: on

ORDER: tuple[Message, ...] = (
    ClientHello, ServerHello, Certificate, ServerKeyExchange, CertificateRequest, ServerHelloDone, ClientKeyExchange,
    CertificateVerify, NewSessionTicket, ChangeCipherSpec, Finished, ApplicationData, Alert,
)  # fmt: skip
"""The order in which a side sends, in one handshake: what ranks lower was sent before."""

ALERT = Alert.symbol(fatal)
"""Any fatal alert."""

TO_ATTACKER, TO_SERVER, TO_BOTH = "for the attacker", "for the server", "for the server, and the attacker reads it"


@dataclass(frozen=True)
class Setting:
    """What is explored.

    key_exchange: "rsa" or "ecdhe"; client_auth: the server may ask for a certificate; resume: the client asks to resume
    a session; bound: packets in the network at once; attacked: there is an attacker, else the network is honest;
    removed: protections that are taken out; export: the server has suites of export beside the others; fallback: the
    client repeats a handshake that failed, with an older version.
    """

    key_exchange: str = "rsa"
    client_auth: bool = False
    resume: bool = False
    bound: int = 1
    attacked: bool = True
    removed: tuple[str, ...] = ()
    export: bool = False
    fallback: bool = False

    @property
    def name(self) -> str:
        """Short, for reports."""
        parts = ["tls12", self.key_exchange]
        parts += ["client-auth"] * self.client_auth + ["resumption"] * self.resume
        parts += ["export"] * self.export + ["fallback"] * self.fallback + ["honest"] * (not self.attacked)
        return " ".join(parts)

    def limits(self, side: str) -> Limits:
        """What each side may say, pick and remember."""
        kind, offer = (rsa, offers_rsa) if self.key_exchange == "rsa" else (ecdhe, offers_ecdhe)
        proofs = (identified, doubtful) if self.client_auth else ()
        asking = (asked, anonymous, *proofs) if self.client_auth else (anonymous,) if side == CLIENT else ()
        return {
            KEY_EXCHANGE: (kind,),
            OFFER: (offers_several, offer),
            EXTENSIONS: (extended,),
            ASKS: (anew, by_id) if self.resume else (anew,),
            GRANTS: (full, resumed) if self.resume else (full,),
            TICKET: (unpromised,),
            ROUND: (first,),
            VERSION: (current, older) if self.fallback else (current,),
            REQUESTED: (unasked, *asking),
        }


@dataclass(frozen=True)
class Parcel:
    """A symbol of a flight, with what else is known of it when it is sent."""

    symbol: Symbol
    sealed: bool = False
    about: str = ""


@dataclass
class Side:
    """One side while it is composed. flights: what it may owe, each with its number; nothing is one of them, number 0."""

    name: str
    role: Role
    limits: Limits
    state: Fact
    flights: dict[tuple[Parcel, ...], int] = field(default_factory=lambda: {(): 0})

    @classmethod
    def of(cls, name: str, role: Role, limits: Limits) -> Side:
        """The side that has the role, with its states as the values of a fact."""
        return cls(name, role, limits, Fact("state", {s.name.lower(): s.sentence for s in role.states}))

    def owes(self, flight: tuple[Parcel, ...]) -> int:
        """The bits of the flight in `owes`; its remainders are known too."""
        for begin in range(len(flight) - 1, -1, -1):
            self.flights.setdefault(flight[begin:], len(self.flights))
        return 1 << self.flights[flight]

    def owed(self, bits: int) -> tuple[Parcel, ...]:
        """The flight that has these bits in `owes`."""
        return next(flight for flight, number in self.flights.items() if 1 << number == bits)

    @property
    def owing(self) -> Fact:
        """The fact `owes`: its values are the flights that are known so far, by number."""
        return Fact("owes", {
            f"flight_{number}" if flight else "nothing": ", ".join(one.symbol.text for one in flight) or "nothing"
            for flight, number in self.flights.items()
        })  # fmt: skip

    def at(self, state: State) -> int:
        """The bits of the state."""
        return self.state[state.name].bit

    def column(self, name: str) -> str:
        """The column of that name."""
        return f"{self.name}.{name}"


Assign = dict[str, int]


def _any(*guards: Guard) -> Guard:
    return reduce(lambda one, other: one | other, guards)


def same_keys() -> Guard:
    """Both sides have the same keys."""
    return _any(*(Of(CLIENT, value) & Of(SERVER, value) for value in (common, earlier, no_keys)))


def shared_keys() -> Guard:
    """Both sides have the same keys, and nobody else has them."""
    return _any(*(Of(CLIENT, value) & Of(SERVER, value) for value in (common, earlier)))


def known_keys(side: str) -> Guard:
    """The attacker has the keys of that side."""
    return Of(side, no_keys) | Of(side, exposed)


def read_by_all(side: str) -> Guard:
    """The attacker reads what that side sends."""
    return Of(side, clear) | Of(side, sealing_empty) | known_keys(side)


def bits(values: Mapping[str, Value]) -> Assign:
    """Columns with the bits of a value each."""
    return {name: value.bit for name, value in values.items()}


NOTES: Mapping[Value, str] = {clear: "", sealing: "the sender's keys", sealing_empty: KNOWN}
"""What protects a message, by how its sender seals."""


def protected(name: str, parcel: Parcel) -> Iterator[tuple[Assign, Assign, str]]:
    """How that side sends a message: what must be so, what is so then, and what protects it.

    Keys are made once, for both directions: with those that open already ChangeCipherSpec makes it seal too.
    """
    if parcel.symbol.message is ChangeCipherSpec:
        for opens in OPENS.values:
            seals = sealing_empty if opens is opening_empty else sealing
            yield bits({f"{name}.opens": opens}), bits({f"{name}.seals": seals}), ""
    elif parcel.sealed:
        for seals in (sealing, sealing_empty):
            yield bits({f"{name}.seals": seals}), {}, NOTES[seals]
    else:
        yield {}, {}, ""
