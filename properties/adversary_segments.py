"""The verbs on TCP segments: what any network may do to a packet, and what an attacker does on the path or off it.

The unit is a packet under way. Nothing moves by itself: a verb says what arrives now. What a network may do by itself
(lose, delay, duplicate, reorder, split, garble so that the checksum shows it) TCP must repair; an old duplicate, too,
also one of an earlier connection between the same sockets. What needs the sequence numbers is an attack: of somebody on
the path, who sees them, or of somebody off it, who guesses.

A verb is a function that takes the flight. To add one, write it here.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from shakeproof.impl.tcp import BadSegment, Flags, Packet, Segment, TcpConnection
from shakeproof.impl.tcp.options import NOP, Option, timestamps
from shakeproof.impl.tcp.segment import checksum
from shakeproof.impl.tcp.sequence import MASK, advance, distance
from shakeproof.model.trace import Fate
from shakeproof.properties.adversary import ATTACKER, PIECES_LIMIT, SEGMENT, SEQUENCE_BITS, verb

SEQUENCE_SPACE = 1 << SEQUENCE_BITS
FILLING = b"forged! "
"""Data of forged segments."""

CHECKSUM_AT = 16
"""Where the checksum lies in the header."""


@dataclass(slots=True)
class Transit:
    """A packet under way.

    number: counted over all; to, sender: names of sockets; verb, fate, note: what was done with it; step: where a
    recorded run has it.
    """

    number: int
    to: str
    packet: Packet
    sent_s: float
    arrives_s: float
    sender: str = ""
    verb: str = "deliver"
    fate: Fate = Fate.DELIVERED
    note: str = ""
    step: int = -1

    @property
    def segment(self) -> Segment | None:
        """The segment; None for bytes that are none."""
        return decoded(self.packet)

    @property
    def name(self) -> str:
        """What it is, for people."""
        segment = self.segment
        return title_of(segment) if segment is not None else "garbled segment"


def decoded(packet: Packet) -> Segment | None:
    """The segment of a packet; None where its receiver drops it unseen."""
    try:
        return Segment.decode(packet.data, packet.source_ip, packet.destination_ip)
    except BadSegment:
        return None


def title_of(segment: Segment) -> str:
    """A segment by its control bits, and by how much it carries."""
    bits = [flag.name or "" for flag in (Flags.SYN, Flags.FIN, Flags.RST, Flags.PSH, Flags.URG) if segment.flags & flag]
    if segment.flags & Flags.ACK:
        bits.append("ACK")
    size = f" ({len(segment.data)} bytes)" if segment.data else ""
    return ("-".join(bits) or "segment") + size


@dataclass
class Flight:
    """What is under way, and what ever was. latency_s: of a packet that nobody delays."""

    latency_s: float
    now_s: float = 0.0
    under_way: list[Transit] = field(default_factory=list)
    history: list[Transit] = field(default_factory=list)
    count: int = 0

    def put(
        self, sender: str, to: str, packet: Packet, *, verb: str = "deliver", fate: Fate = Fate.DELIVERED
    ) -> Transit:
        """A packet sets out."""
        self.count += 1
        transit = Transit(self.count, to, packet, self.now_s, self.now_s + self.latency_s, sender, verb, fate)
        self.under_way.append(transit)
        if sender != ATTACKER:
            self.history.append(transit)
        return transit

    def first(self) -> Transit | None:
        """The one that arrives next."""
        return min(self.under_way, key=lambda one: (one.arrives_s, one.number), default=None)

    def rank(self, number: int) -> Transit:
        """The one that arrives as number `number`, counted from 0, modulo how many there are to the same receiver."""
        ordered = sorted(self.under_way, key=lambda one: (one.arrives_s, one.number))
        ordered = [one for one in ordered if one.to == ordered[0].to]
        return ordered[number % len(ordered)]

    def copy(self, transit: Transit, verb: str, fate: Fate, packet: Packet | None = None) -> Transit:
        """The same once more, which arrives now; packet: or another in its place."""
        self.count += 1
        return replace(
            transit, number=self.count, packet=packet or transit.packet, sent_s=self.now_s, arrives_s=self.now_s,
            verb=verb, fate=fate, note=transit.name, step=-1,
        )  # fmt: skip

    def clear(self) -> None:
        """Nothing is under way any more; the history is kept."""
        self.under_way.clear()


def with_checksum(packet: Packet, data: bytes) -> Packet:
    """A packet with these bytes, and the checksum that fits them."""
    bare = data[:CHECKSUM_AT] + b"\0\0" + data[CHECKSUM_AT + 2 :]
    total = checksum(bare, packet.source_ip, packet.destination_ip).to_bytes(2, "big")
    return packet._replace(data=bare[:CHECKSUM_AT] + total + bare[CHECKSUM_AT + 2 :])


def made(packet: Packet, segment: Segment) -> Packet:
    """A packet with the addresses of another, and that segment."""
    return packet._replace(data=segment.encode(packet.source_ip, packet.destination_ip))


# --------------------------------------------------------------------------------------------------------------- verbs


@verb(SEGMENT, "let the next segment through", "delivered segment", attacks=False)
def deliver(flight: Flight) -> list[Transit]:
    """The packet that is due."""
    transit = flight.first()
    if transit is None:
        return []
    flight.under_way.remove(transit)
    return [transit]


@verb(SEGMENT, "lose a segment", "lost segment", attacks=False)
def drop(flight: Flight, transit: Transit) -> list[Transit]:
    """It never arrives."""
    flight.under_way.remove(transit)
    transit.verb, transit.fate = "drop", Fate.LOST
    return []


@verb(SEGMENT, "let a segment arrive late by some seconds of the virtual clock", "delayed segment", attacks=False)
def delay(flight: Flight, transit: Transit, by_s: float) -> list[Transit]:
    """It arrives later than it would."""
    transit.arrives_s += by_s
    transit.verb, transit.fate = "delay", Fate.LATE
    return []


@verb(SEGMENT, "deliver a segment twice", "duplicated segment", attacks=False)
def duplicate(flight: Flight, transit: Transit) -> list[Transit]:
    """It arrives now, and again."""
    flight.under_way.remove(transit)
    return [transit, flight.copy(transit, "duplicate", Fate.REPLAYED)]


@verb(SEGMENT, "let a segment overtake others", "reordered segment", attacks=False)
def reorder(flight: Flight, transit: Transit) -> list[Transit]:
    """It arrives before all others to the same receiver, which are late for it."""
    flight.under_way.remove(transit)
    transit.verb = "reorder"
    return [transit]


@verb(SEGMENT, "split a segment into several with the same octets", "split segment", attacks=False)
def fragment(flight: Flight, transit: Transit, piece: int) -> list[Transit]:
    """Its data in pieces of that size: a network must not, but what arrives is as good."""
    flight.under_way.remove(transit)
    segment = transit.segment
    if segment is None or len(segment.data) <= piece or segment.flags & Flags.SYN:
        return [transit]
    cuts = [*range(0, min(len(segment.data), piece * PIECES_LIMIT), piece)]
    parts = []
    for at, end in zip(cuts, [*cuts[1:], len(segment.data)], strict=True):
        is_last = end == len(segment.data)
        flags = segment.flags if is_last else segment.flags & ~(Flags.FIN | Flags.PSH)
        part = replace(segment, seq=advance(segment.seq, at), data=segment.data[at:end], flags=flags)
        parts.append(flight.copy(transit, "fragment", Fate.DELIVERED, made(transit.packet, part)))
    return parts


@verb(SEGMENT, "send a segment of this or an earlier connection again", "replayed segment", attacks=False)
def replay(flight: Flight, number: int) -> list[Transit]:
    """The packet number `number` of all that ever went by, to its receiver: as an old duplicate would arrive."""
    return [flight.copy(flight.history[number], "replay", Fate.REPLAYED)]


@verb(SEGMENT, "flip a bit of a segment, so that its checksum does not fit", "garbled segment", attacks=False)
def garble(flight: Flight, transit: Transit, place: int, bit: int) -> list[Transit]:
    """The packet that is due with one bit flipped, anywhere. place: modulo its length."""
    flight.under_way.remove(transit)
    return [_flipped(flight, transit, place % len(transit.packet.data), bit, "garble", mend=False)]


@verb(SEGMENT, "flip a bit of a segment, and make the checksum fit", "tampered segment")
def tamper(flight: Flight, transit: Transit, place: int, bit: int) -> list[Transit]:
    """The packet that is due with one bit of a field or of its data flipped. place: modulo its length."""
    flight.under_way.remove(transit)
    return [_flipped(flight, transit, place % len(transit.packet.data), bit, "tamper", mend=True)]


def _flipped(flight: Flight, transit: Transit, at: int, bit: int, name: str, *, mend: bool) -> Transit:
    data = bytearray(transit.packet.data)
    data[at] ^= 1 << bit
    packet = transit.packet._replace(data=bytes(data))
    changed = flight.copy(transit, name, Fate.TAMPERED, with_checksum(packet, packet.data) if mend else packet)
    changed.note = f"bit {bit} of byte {at} of {transit.name}"
    return changed


@verb(SEGMENT, "cut a segment's data short, and end the stream there with a FIN", "truncated segment")
def truncate(flight: Flight, transit: Transit, keep: int) -> list[Transit]:
    """The first octets of the packet that is due, and FIN. keep: modulo their number."""
    flight.under_way.remove(transit)
    segment = transit.segment
    if segment is None or not segment.data:
        return [transit]
    data = segment.data[: keep % len(segment.data)]
    cut = made(transit.packet, replace(segment, data=data, flags=segment.flags | Flags.FIN))
    changed = flight.copy(transit, "truncate", Fate.TAMPERED, cut)
    changed.note = f"{len(data)} of {len(segment.data)} bytes, and FIN"
    return [changed]


@verb(SEGMENT, "make a segment, with numbers that are known or guessed", "forged segment")
def forge(flight: Flight, to: str, segment: Segment, addresses: tuple[str, str]) -> list[Transit]:
    """A segment of the attacker's own. addresses: of the socket that it claims to come from, and of its receiver."""
    flight.count += 1
    packet = Packet(*addresses, segment.encode(*addresses))
    return [
        Transit(flight.count, to, packet, flight.now_s, flight.now_s, ATTACKER, "forge", Fate.FORGED, title_of(segment))
    ]


# ------------------------------------------------------------------------------------------- what a forger has to know


def guessed(connection: TcpConnection, names: str, offset: int, ack: int, stamp: int, size: int) -> Segment:
    """A segment for that end, by the names of its control bits. offset, ack, stamp: how far its numbers lie from those
    that the end's peer would use; size: bytes of data.
    """
    flags = Flags(0)
    for name in names.split("-"):
        flags |= Flags[name]
    options: tuple[Option, ...] = ()
    if connection.timestamps_agreed and not flags & Flags.RST:
        options = (NOP, NOP, timestamps((connection.ts_recent + stamp) & MASK, connection.timestamp()))
    return Segment(
        connection.peer.port,
        connection.local.port,
        advance(connection.rcv_nxt, offset),
        advance(connection.snd_nxt, ack) if flags & Flags.ACK else 0,
        flags,
        connection.snd_wnd & 0xFFFF,
        1 if flags & Flags.URG else 0,
        options,
        FILLING * (size // len(FILLING)) + FILLING[: size % len(FILLING)],
    )


def fitting(connection: TcpConnection, data: bytes) -> Segment:
    """The segment that the end's peer would send next, with that data."""
    return replace(guessed(connection, "PSH-ACK", 0, 0, 0, 0), data=data)


def ranges_of(connection: TcpConnection, segment: Segment) -> list[int]:
    """For each number in a segment, how many would have done to the same effect: what it costs to guess it."""
    window, length = connection.rcv_wnd, segment.length
    offset = distance(connection.rcv_nxt, segment.seq)
    if offset == 0:
        ranges = [1]
    elif -length < offset < window:
        ranges = [window + length]
    else:
        ranges = [SEQUENCE_SPACE - window]
    if segment.flags & Flags.ACK and not segment.flags & Flags.RST:
        behind = distance(segment.ack, connection.snd_nxt)
        acceptable = connection.flight_size + connection.max_snd_wnd
        ranges.append(acceptable if 0 <= behind <= acceptable else SEQUENCE_SPACE // 2)
    if segment.options:
        ranges.append(SEQUENCE_SPACE // 2)
    return ranges
