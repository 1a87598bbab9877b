"""The attacker's verbs on records: it ends TCP on both sides, and what it holds in its hands are TLS records.

The unit of the wire is a record, as its sender wrote it. Nothing moves by itself: a verb says what reaches the receiver
now. The attacker sees and can change everything, and knows none of the honest keys. It has a certificate and keys of
its own, and may hold the key of a certificate that is expired or names another server: then it can complete a handshake
with it, as the man in the middle.

A verb is a function that takes the wire. To add one, write it here.
"""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field, replace

from shakeproof.impl.tls.records import HEADER_LENGTH, encode_record
from shakeproof.impl.tls.suites import TLS_1_2, Authentication, ContentType
from shakeproof.model import messages as alphabet
from shakeproof.model.messages import CHAIN
from shakeproof.model.notation import Message, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate
from shakeproof.properties.adversary import ATTACKER, PIECES_LIMIT, RECORD, SIDES, Side, other, verb
from shakeproof.properties.mapper.context import Direction
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.mapper.tls12 import Peer
from shakeproof.properties.observer import HANDSHAKE, remember

FORGED_RECORD_LENGTH = 64
"""Bytes of a forged record under keys that nobody has: whole AES blocks, with room for an IV and a MAC."""


@dataclass(frozen=True)
class Unit:
    """A record on the wire, or what an attacker makes of it.

    seen: what its sender said with it, empty for a part of a message and for what the attacker made; verb: what was
    done with it; fate: how a picture shows it; ends: the transport ends behind it.
    """

    connection: int
    to: Side
    data: bytes
    seen: tuple[Observation, ...] = ()
    sender: str = ""
    verb: str = "deliver"
    fate: Fate = Fate.DELIVERED
    note: str = ""
    ends: bool = False

    @property
    def name(self) -> str:
        """What it is, for people."""
        return ", ".join(item.symbol.text for item in self.seen) or self.note or f"{len(self.data)} bytes"


@dataclass
class Wire:
    """What is under way, what went by, and what the attacker learnt from it.

    connection: counted from 1; queues: what is under way to each side, first in first; history: every record that an
    honest end ever sent, of all connections; impersonator: plays the server towards the client, once the attacker has
    put itself between.
    """

    connection: int = 0
    queues: dict[Side, list[Unit]] = field(default_factory=lambda: {"client": [], "server": []})
    history: list[Unit] = field(default_factory=list)
    impersonator: Peer | None = None
    forged: int = 0

    def __post_init__(self) -> None:
        self.connect()

    def connect(self) -> None:
        """A new connection: nothing is under way; what was learnt of earlier ones is kept in the history."""
        self.connection += 1
        self.queues = {"client": [], "server": []}
        self.impersonator = None
        seed = b"attacker %d" % self.connection
        self._forgers: dict[Side, Peer] = {
            "client": Peer("server", seed=seed),
            "server": Peer("client", seed=seed),
        }
        self._hellos: list[bytes] = []

    def put(self, sender: Side, data: bytes, seen: tuple[Observation, ...]) -> None:
        """A record that an honest end sent reaches the attacker, who hands it on or, impersonating, answers it."""
        unit = self.see(sender, data, seen)
        if self.impersonator is None:
            self.queues[unit.to].append(unit)
        elif sender == "client":
            self._impersonate(self.impersonator, data)

    def see(self, sender: Side, data: bytes, seen: tuple[Observation, ...], *, learns: bool = True) -> Unit:
        """A record that an honest end sent goes by. learns: the attacker reads what is in the clear."""
        unit = Unit(self.connection, other(sender), data, seen, sender)
        if learns:
            self.history.append(unit)
            for item in seen:
                if item.keys is Keys.NONE and item.symbol.message in HANDSHAKE:
                    self._learn(item)
        return unit

    def _learn(self, item: Observation) -> None:
        if item.symbol.message in (alphabet.ClientHello, alphabet.ServerHello):
            self._hellos.append(item.raw)
        for forger in self._forgers.values():
            remember(forger.context, item.raw)

    def _impersonate(self, peer: Peer, data: bytes) -> None:
        """Answer the client as the server that the attacker claims to be."""
        for item in peer.classify(data):
            if item.symbol.message is alphabet.Finished:
                self.inject("client", peer.concretise(alphabet.ChangeCipherSpec.symbol()), "ChangeCipherSpec")
                self.inject("client", peer.concretise(alphabet.Finished.symbol()), "Finished")
            elif item.symbol.message is alphabet.ApplicationData:
                self.inject("client", peer.concretise(alphabet.ApplicationData.symbol()), "ApplicationData")

    def inject(self, to: Side, data: bytes, note: str) -> None:
        """Something of the attacker's own, behind what is under way."""
        self.queues[to].append(self.own(to, data, note, "certificate_defect"))

    def own(self, to: Side, data: bytes, note: str, verb: str) -> Unit:
        """Something that the attacker made."""
        return Unit(self.connection, to, data, (), ATTACKER, verb, Fate.FORGED, note)

    def forger(self, to: Side) -> Peer:
        """Plays the other end towards that side, with what can be known and without a key that is not its own."""
        peer = self._forgers[to]
        context = peer.context
        kind = "ecdsa" if context.suite.authentication is Authentication.ECDSA else "rsa"
        context.own_key = private_key(kind, Owner.ATTACKER_LEAF)
        context.write = Direction()
        return peer

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is under way."""
        return not any(self.queues.values())

    @property
    def waiting(self) -> list[Side]:
        """The sides to which something is under way."""
        return [side for side in SIDES if self.queues[side]]


def _touched(unit: Unit, name: str, fate: Fate, **changes: object) -> Unit:
    return replace(unit, verb=name, fate=fate, **changes)  # type: ignore[arg-type]  # fields of Unit by name


# --------------------------------------------------------------------------------------------------------------- verbs


@verb(RECORD, "let the next record through", "delivered", attacks=False)
def deliver(wire: Wire, to: Side) -> list[Unit]:
    """The record that is due."""
    return [wire.queues[to].pop(0)]


@verb(RECORD, "hand a record over in pieces", "fragmented", attacks=False)
def fragment(wire: Wire, to: Side, piece: int) -> list[Unit]:
    """The record that is due, `piece` bytes at a time; the last piece may be longer."""
    unit = wire.queues[to].pop(0)
    cuts = [*range(0, min(len(unit.data), piece * PIECES_LIMIT), piece), len(unit.data)]
    parts = [unit.data[at:end] for at, end in itertools.pairwise(cuts)]
    cut = [replace(unit, data=part, seen=(), verb="fragment", note=f"{len(part)} bytes") for part in parts[:-1]]
    return [*cut, replace(unit, data=parts[-1], verb="fragment")]


@verb(RECORD, "lose a record", "lost")
def drop(wire: Wire, to: Side, unit: int) -> list[Unit]:
    """The record number `unit` of those under way never arrives."""
    wire.queues[to].pop(unit)
    return []


@verb(RECORD, "deliver a record twice", "duplicated")
def duplicate(wire: Wire, to: Side) -> list[Unit]:
    """The record that is due, and again."""
    unit = wire.queues[to].pop(0)
    return [unit, _touched(unit, "duplicate", Fate.REPLAYED)]


@verb(RECORD, "let a record overtake others", "reordered")
def reorder(wire: Wire, to: Side, unit: int) -> list[Unit]:
    """The record number `unit` of those under way, before the others."""
    return [_touched(wire.queues[to].pop(unit), "reorder", Fate.LATE)]


@verb(RECORD, "send a record of this or an earlier connection again, also back to its sender", "replayed")
def replay(wire: Wire, to: Side, record: int) -> list[Unit]:
    """The record number `record` of all that ever went by."""
    unit = wire.history[record]
    return [_touched(unit, "replay", Fate.REPLAYED, to=to, connection=wire.connection, note=unit.name)]


FORGERIES: dict[Side, tuple[Message, ...]] = {
    side: tuple(dict.fromkeys(symbol.message for symbol in ROLES[f"tls12.{side}"].symbols)) for side in SIDES
}
"""What the attacker can try to make towards each side: every message that there is. What becomes of it follows from the
keys: the attacker has no honest one, so that what it makes is under no keys at all, or signed with its own.
"""


@verb(RECORD, "make a message without the key it needs: a Finished, a ServerKeyExchange, a record", "forged")
def forge(wire: Wire, to: Side, message: str) -> list[Unit]:
    """A message of the attacker's own making: under no keys, or signed with its own."""
    kind = next(one for one in FORGERIES[to] if one.name == message)
    wire.forged += 1
    if kind is alphabet.Record:
        noise = hashlib.sha512(b"forged record %d" % wire.forged).digest()[:FORGED_RECORD_LENGTH]
        data = encode_record(ContentType.APPLICATION_DATA, TLS_1_2, noise)
    else:
        peer = wire.forger(to)
        symbol = _forged_symbol(peer, kind)
        if peer.applicable(symbol):
            return []  # it means nothing in this connection
        data = peer.concretise(symbol)
    return [wire.own(to, data, message, "forge")]


def _forged_symbol(peer: Peer, message: Message) -> Symbol:
    exchange = alphabet.KEY_EXCHANGE[peer.context.suite.key_exchange.value.lower()]
    if message is alphabet.ServerHello:
        return message.symbol(exchange)
    if message is alphabet.Alert:
        return message.symbol(alphabet.fatal, alphabet.handshake_failure)
    return message.symbol()


@verb(RECORD, "flip a bit of a record", "tampered")
def tamper(wire: Wire, to: Side, place: int, bit: int) -> list[Unit]:
    """The record that is due, with one bit of its contents flipped. place: modulo the length of the contents."""
    unit = wire.queues[to].pop(0)
    data = bytearray(unit.data)
    at = HEADER_LENGTH + place % max(len(data) - HEADER_LENGTH, 1)
    data[at] ^= 1 << bit
    return [_touched(unit, "tamper", Fate.TAMPERED, data=bytes(data), note=f"bit {bit} of byte {at} of {unit.name}")]


@verb(RECORD, "cut the transport in the middle of a record, or between two", "truncated")
def truncate(wire: Wire, to: Side, keep: int) -> list[Unit]:
    """The first bytes of the record that is due, and then the end of the transport."""
    unit = wire.queues[to][0] if wire.queues[to] else Unit(wire.connection, to, b"")
    wire.queues[to].clear()
    part = unit.data[: keep % (len(unit.data) or 1)]
    return [
        _touched(unit, "truncate", Fate.LOST, data=part, seen=(), ends=True, note=f"{len(part)} bytes, and the end")
    ]


@verb(
    RECORD, "put another certificate in place of the server's, and play the server from there", "defective certificate"
)
def certificate_defect(wire: Wire, defects: tuple[str, ...]) -> list[Unit]:
    """The server's flight with a chain that has these defects instead; the attacker holds the key of that chain.

    Whatever the honest server sends from now on is swallowed, and the client is answered under the attacker's keys.
    """
    units = list(wire.queues["client"])
    wire.queues["client"].clear()
    peer = Peer("server", seed=b"impersonator %d" % wire.connection)
    for hello in wire._hellos:
        remember(peer.context, hello)
    wire.impersonator = peer
    out = [item for unit in units for item in unit.seen if item.symbol.message is alphabet.ServerHello]
    passed = [
        Unit(wire.connection, "client", encode_record(ContentType.HANDSHAKE, TLS_1_2, item.raw), (item,), "server")
        for item in out
    ]
    chain = alphabet.Certificate.symbol(*(CHAIN[name] for name in defects))
    own = [wire.own("client", peer.concretise(chain), chain.text, "certificate_defect")]
    if not peer.context.uses_rsa:
        made = peer.concretise(alphabet.ServerKeyExchange.symbol())
        own.append(wire.own("client", made, "ServerKeyExchange", "certificate_defect"))
    own.append(
        wire.own("client", peer.concretise(alphabet.ServerHelloDone.symbol()), "ServerHelloDone", "certificate_defect")
    )
    return [*passed, *own]


def certificate_is_due(wire: Wire) -> bool:
    """Whether the server's Certificate is under way to the client as a whole, behind nothing but the ServerHello."""
    seen = [item.symbol.message for unit in wire.queues["client"] for item in unit.seen]
    before = seen[: seen.index(alphabet.Certificate)] if alphabet.Certificate in seen else None
    return wire.impersonator is None and before is not None and all(m is alphabet.ServerHello for m in before)
