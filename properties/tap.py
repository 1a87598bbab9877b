"""A tap on the network in memory: every segment, what became of it, and the states of both ends, as steps of a trace.

The network and the hosts are those of `impl`; what is added only looks. A step of the layer `tcp` is one packet: its
data is the segment as it was on the wire, its time is when it was sent. Beside each end runs the table `tcp`, told of
each event with all that came of it; so a connection is asked for its segments after each event, as in a kernel.

What the ends do above in answer to a packet (records that are opened, keys that are made) goes beside it: `Tap.note`
places a step where the packet stands that caused it. Sequence numbers are shown relative to the initial ones, as
Wireshark shows them; the data has the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from shakeproof.impl.network import AGAIN, DELIVERED, LATE, LOST, Link, Network
from shakeproof.impl.tcp import (
    BadChecksum,
    BadSegment,
    Endpoint,
    Event,
    Flags,
    Host,
    Packet,
    Segment,
    TcpConfig,
    TcpConnection,
)
from shakeproof.impl.tcp.host import HostEvents
from shakeproof.impl.tcp.segment import checksum
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.impl.tcp.tcb import CLOSED, LISTEN, TIME_WAIT
from shakeproof.model.notation import Row
from shakeproof.model.tcp_segments import SEQUENCE, expected
from shakeproof.model.trace import Fate, Kind, Step
from shakeproof.properties.safety import PropertyViolation
from shakeproof.properties.tcp_watch import TcpWatch

TCP = "tcp"
"""The layer of the steps that are segments."""

CHECKSUM = 16
"""Where it stands in a segment (RFC 9293 section 3.1)."""

REPLAYED, FORGED, TAMPERED = "replayed", "forged", "tampered"
"""What an adversary calls what it lets arrive."""

FATES = {
    DELIVERED: Fate.DELIVERED,
    LOST: Fate.LOST,
    LATE: Fate.LATE,
    AGAIN: Fate.REPLAYED,
    REPLAYED: Fate.REPLAYED,
    FORGED: Fate.FORGED,
    TAMPERED: Fate.TAMPERED,
}
"""What the network or an adversary says became of a packet -> its fate in a trace."""


@dataclass(eq=False)
class Entry:
    """A step that has its place but may not be complete. place: packet, part and serial number, to sort by; is_honest:
    an end sent it.
    """

    step: Step
    place: tuple[int, int, int]
    segment: Segment | None = None
    is_honest: bool = False


class NotAllowedError(AssertionError):
    """An end did what its table does not allow: the run is no example of the model."""


class TappedConnection:
    """What the tap hangs on one connection object: the table beside it is told of each event, with all that came of it.

    outbox: what the connection sent and the host has not taken yet, with the state in which it was sent; states: those
    of what it took last; rows: those that read the last segment.
    """

    def __init__(self, name: str, connection: TcpConnection, *, listening: bool) -> None:
        self.connection = connection
        self.watch = TcpWatch(name, connection.local, connection.peer, listening=listening)
        self.outbox: list[tuple[Segment, str]] = []
        self.states: list[str] = []
        self.rows: tuple[Row, ...] = ()
        self._handed_over = b""
        """By SEND, and not judged yet: a CLOSE that follows at once may go into the same segment."""
        self._take = connection.segments_to_send
        receive_segment, tick, receive = connection.receive_segment, connection.tick, connection.receive

        def watched_receive_segment(segment: Segment, now_s: float, source_ip: str | None = None) -> list[Event]:
            self._judge_send(now_s)
            told = receive_segment(segment, now_s, source_ip)
            self._check(self.watch.receive(segment, self._sent(now_s), told))
            self._compare()
            self.rows = self.watch.rows
            return told

        def watched_tick(now_s: float) -> list[Event]:
            self._judge_send(now_s)
            told = tick(now_s)
            self._check(self.watch.tick(self._sent(now_s), told))
            self._compare()
            return told

        def watched_receive(limit: int | None = None) -> bytes:
            self._judge_send(connection.now_s)
            data = receive(limit)
            if data:
                self._check(self.watch.call("RECEIVE", self._sent(connection.now_s), (), count=len(data)))
            return data

        replaced = {
            "receive_segment": watched_receive_segment,
            "tick": watched_tick,
            "receive": watched_receive,
            "open_active": self._called("active OPEN", connection.open_active),
            "shutdown": self._watched_close(connection.shutdown),
            "abort": self._called("ABORT", connection.abort),
            "send": self._watched_send(connection.send),
            "segments_to_send": self._emptied,
        }
        for method, watched in replaced.items():
            setattr(connection, method, watched)

    def _called(self, name: str, call: Callable[[float], None]) -> Callable[[float], None]:
        def watched(now_s: float) -> None:
            self._judge_send(now_s)
            call(now_s)
            self._check(self.watch.call(name, self._sent(now_s), ()))

        return watched

    def _watched_send(self, send: Callable[..., int]) -> Callable[..., int]:
        def watched(data: bytes, now_s: float, push: bool = True, urgent: bool = False) -> int:
            self._judge_send(now_s)
            count = send(data, now_s, push, urgent)
            self._handed_over = data[:count]
            return count

        return watched

    def _judge_send(self, now_s: float) -> None:
        data, self._handed_over = self._handed_over, b""
        if data:
            self._check(self.watch.call("SEND", self._sent(now_s), (), data=data))

    def _watched_close(self, close: Callable[[float], None]) -> Callable[[float], None]:
        def watched(now_s: float) -> None:
            data, self._handed_over = self._handed_over, b""
            close(now_s)
            sent = self._sent(now_s)
            if data:
                text, sent = _apart(sent)
                self._check(self.watch.call("SEND", text, (), data=data))
            self._check(self.watch.call("CLOSE", sent, ()))
            self._compare()

        return watched

    def _sent(self, now_s: float) -> list[Segment]:
        segments = list(self._take(now_s))
        self.outbox += [(segment, shown(self.connection.state)) for segment in segments]
        return segments

    @property
    def where(self) -> str:
        """Where the last segment lies, as the table sees it, where that is not where it is expected."""
        symbol = self.watch.symbol
        if symbol is None or symbol.has(expected):
            return ""
        return " or ".join(value.name for value in SEQUENCE.named(symbol.assignment[SEQUENCE.name]))

    def _emptied(self, now_s: float) -> list[Segment]:
        self._judge_send(now_s)
        if late := self._sent(now_s):
            raise NotAllowedError(f"{self.watch.name} sent {len(late)} segments for no reason that was seen")
        segments, self.states = [segment for segment, _ in self.outbox], [state for _, state in self.outbox]
        self.outbox = []
        return segments

    def _check(self, violation: PropertyViolation | None) -> None:
        if violation is not None:
            raise NotAllowedError(str(violation))

    def _compare(self) -> None:
        """The state that the connection says it is in, which pictures show, is one that the table leaves possible."""
        connection, state = self.connection, shown(self.connection.state)
        if connection.closing and connection.fin_at is None:
            return  # the table has the FIN sent by CLOSE; text may have to go first
        over = state == CLOSED and self.watch.listening
        if (LISTEN if over else state) not in {
            one.name for one in self.watch.oracle.states
        } and not self.watch.is_blind:
            raise NotAllowedError(f"{self.watch.name} says that it is in {state}; its table has {self.watch.state}")


def _apart(segments: list[Segment]) -> tuple[list[Segment], list[Segment]]:
    """Text, and what ends it, where one segment has both: each as the segment that it would be by itself."""
    text, ends = [], []
    for one in segments:
        if one.data:
            text.append(replace(one, flags=one.flags & ~Flags.FIN))
        if one.flags & Flags.FIN:
            ends.append(replace(one, seq=advance(one.seq, len(one.data)), data=b""))
        elif not one.data:
            text.append(one)
    return text, ends


def shown(state: str) -> str:
    """A state of our TCP, as the RFC writes it."""
    return state.replace("_", "-")


class TappedHost(Host):
    """A host that shows its packets and the state of its one connection to the tap."""

    def __init__(self, lane: str, ip: str, config: TcpConfig, tap: Tap) -> None:
        super().__init__(ip, config)
        self.lane, self.tap = lane, tap
        self.tapped: TappedConnection | None = None
        self.last = ""
        """The state that the trace has said last."""
        self._states: dict[int, str] = {}

    @property
    def state(self) -> str:
        """The state of its connection."""
        if self.tapped is None:
            return LISTEN if self.listeners else CLOSED
        return shown(self.tapped.connection.state)

    def make_connection(
        self, config: TcpConfig, local: Endpoint, remote: Endpoint | None, now_s: float
    ) -> TcpConnection:
        connection = super().make_connection(config, local, remote, now_s)
        self.tapped = TappedConnection(self.lane, connection, listening=bool(self.listeners))
        return connection

    def receive_packet(self, packet: Packet, now_s: float) -> HostEvents:
        before = self.state
        if self.tapped is not None:
            self.tapped.rows = ()
        events = super().receive_packet(packet, now_s)
        self.tap.arrived(self, packet, before, now_s)
        return events

    def tick(self, now_s: float) -> HostEvents:
        before, connection = self.state, self.tapped.connection if self.tapped else None
        retransmissions, rto_s = (connection.retransmissions, connection.rto_s) if connection else (0, 0.0)
        events = super().tick(now_s)
        if connection is not None:
            if before == shown(TIME_WAIT) != self.state:
                self.tap.passed(self, f"2 MSL, {2 * self.config.msl_s:g} s, pass", before, now_s)
            elif connection.retransmissions > retransmissions:
                self.tap.passed(self, f"retransmission timeout, {rto_s:g} s", before, now_s)
        return events

    def flush(self, connection: TcpConnection, now_s: float, found: list[Packet]) -> None:
        known = len(found)
        super().flush(connection, now_s, found)
        states = self.tapped.states if self.tapped is not None else []
        self._states.update((id(packet), state) for packet, state in zip(found[known:], states, strict=True))

    def state_when_sent(self, packet: Packet) -> str:
        """The state in which the connection sent a packet that the host gives to the network."""
        return self._states.pop(id(packet), self.state)


class Tap(Network):
    """The network with the tap on it. `steps` are what went by, in order; numbers only tell them apart."""

    def __init__(self, seed: int, link: Link) -> None:
        super().__init__(seed, link=link)
        self.recording = False  # the entries are the records
        self.entries: list[Entry] = []
        self.packets: list[Entry] = []
        self._flying: dict[int, tuple[Packet, Entry]] = {}
        self._at: dict[str, Entry] = {}
        self._initial: dict[str, int] = {}
        self._sending: Packet | None = None
        """What a host has just sent; the first that the network makes of it shows that the host sent it."""

    def make_host(self, lane: str, ip: str, config: TcpConfig) -> TappedHost:
        """A host of that lane."""
        host = TappedHost(lane, ip, config, self)
        self.add_host(host)
        return host

    @property
    def addresses(self) -> dict[str, str]:
        """The IP address of each lane."""
        return {host.lane: host.ip for host in self._tapped()}

    def _tapped(self) -> list[TappedHost]:
        return [host for host in self.hosts.values() if isinstance(host, TappedHost)]

    def lane(self, ip: str) -> str:
        """The lane of an address."""
        return next((host.lane for host in self._tapped() if host.ip == ip), "")

    @property
    def steps(self) -> list[Step]:
        """All steps, in their order."""
        return [entry.step for entry in sorted(self.entries, key=lambda entry: entry.place)]

    # ------------------------------------------------------------------------------------------------------ packets

    def send(self, packet: Packet) -> None:
        known = len(self.packets)
        self._sending = packet
        super().send(packet)
        if len(self.packets) == known:
            self._left(packet, LOST)
        self._sending = None

    def inject(self, packet: Packet, delay_s: float, fate: str = DELIVERED) -> None:
        own = Packet(*packet)  # the same packet twice is two packets
        self._flying[id(own)] = own, self._left(own, fate)
        super().inject(own, delay_s, fate)

    def _left(self, packet: Packet, fate: str) -> Entry:
        sender, receiver = self.lane(packet.source_ip), self.lane(packet.destination_ip)
        host = next((host for host in self._tapped() if host.lane == sender), None)
        segment, sound = _read(packet)
        states: tuple[dict[str, str], dict[str, str]] = ({}, {})
        is_honest = host is not None and self._sending is not None
        if host is not None and self._sending is not None:
            state = host.state_when_sent(self._sending)
            states = {sender: host.last or CLOSED}, {sender: state}
            host.last = state
            if segment is not None and segment.flags & Flags.SYN:
                self._initial[sender] = segment.seq
        step = Step(
            0,
            sender=sender,
            receiver=receiver,
            layer=TCP,
            message="Segment",
            title=title_of(segment) if segment else "Segment",
            fate=FATES[fate] if sound else Fate.REJECTED,
            detail=", ".join(self._details(segment, sender, receiver)) if segment else "",
            data=packet.data,
            time_s=self.clock.now_s,
            before=states[0],
            after=states[1],
        )
        if not sound:
            step = replace(step, detail=f"{step.detail}, the checksum does not fit".removeprefix(", "))
        entry = self._enter(step, len(self.packets) + 1, 0)
        entry.segment, entry.is_honest = segment, is_honest
        self._sending = None
        if segment is not None and segment.data and segment.flags & Flags.FIN:
            entry.place = (entry.place[0], 2, entry.place[2])  # the octets come before the FIN
        self.packets.append(entry)
        return entry

    def _enter(self, step: Step, packet: int, part: int) -> Entry:
        number = len(self.entries) + 1
        entry = Entry(replace(step, number=number), (packet, part, number))
        self.entries.append(entry)
        return entry

    def _details(self, segment: Segment, sender: str, receiver: str) -> list[str]:
        """The numbers, and what can be told from them and from what was sent before."""
        numbers = []
        if segment.data or segment.flags & (Flags.SYN | Flags.FIN | Flags.RST):
            numbers.append(f"seq={distance(self._initial.get(sender, 0), segment.seq)}")
        if segment.flags & Flags.ACK:
            numbers.append(f"ack={distance(self._initial.get(receiver, 0), segment.ack)}")
        if segment.data:
            numbers.append(f"len={len(segment.data)}")
        before = [
            entry.segment
            for entry in self.packets
            if entry.segment is not None and entry.step.sender == sender and entry.is_honest
        ]
        said = [" ".join(numbers)]
        if self._sending is None:
            return said
        if segment.length and any(one.length and distance(segment.seq, one.seq) >= 0 for one in before):
            said.append("retransmission")
        elif is_bare(segment) and before and before[-1].ack == segment.ack:
            said.append("duplicate" if before[-1].window == segment.window else f"window {segment.window}")
        return said

    def arrived(self, host: TappedHost, packet: Packet, before: str, now_s: float) -> None:
        """A packet was taken by a host, whose state was `before`."""
        _, entry = self._flying.pop(id(packet))
        rows = host.tapped.rows if host.tapped is not None else ()
        where = host.tapped.where if host.tapped is not None and rows else ""
        step = replace(
            entry.step,
            detail=", ".join(part for part in (entry.step.detail, where) if part),
            before={**entry.step.before, host.lane: before},
            after={**entry.step.after, host.lane: host.state},
            received_s=now_s,
            row=rows[0].id if rows else "",
            clause=rows[0].clauses[0].short if rows else "",
        )
        last = self.packets[-1]
        if step.fate is Fate.LATE and last is not entry:
            step = replace(step, received_after=last.step.number)
        elif step.fate is Fate.LATE:
            step = replace(step, fate=Fate.DELIVERED)  # it was late, and nobody noticed
        entry.step = step
        host.last = host.state
        self._at[host.lane] = entry

    # ------------------------------------------------------------------------------------- what happens beside packets

    def passed(self, host: TappedHost, title: str, before: str, now_s: float) -> None:
        """Time passed until a timer of the host did something."""
        after = {host.lane: host.state} if host.state != before else {}
        step = Step(0, Kind.TIME, host.lane, layer=TCP, title=title, time_s=now_s, after=after)
        self._enter(step, len(self.packets), 3)
        host.last = host.state

    def note(self, lane: str, step: Step) -> Entry:
        """Place a step that the last packet of a lane caused: it is carried by that packet, and gets its time.

        What a late packet brings stands where it came, below what was sent meanwhile, and so has the time of that.
        """
        cause = self._at.get(lane)
        if cause is None:
            return self._enter(replace(step, time_s=self.clock.now_s), len(self.packets), 1)
        late = cause.step.received_after is not None
        time_s = cause.step.received_s if late else cause.step.time_s
        step = replace(step, time_s=time_s, received_s=cause.step.received_s, carrier=cause.step.number)
        return self._enter(step, len(self.packets) if late else cause.place[0], 3 if late else 1)


def _read(packet: Packet) -> tuple[Segment | None, bool]:
    """The segment of a packet, also where its checksum does not fit; whether it does. None for what is no segment."""
    ends = (packet.source_ip, packet.destination_ip)
    try:
        return Segment.decode(packet.data, *ends), True
    except BadChecksum:
        return Segment.decode(with_checksum(packet).data, *ends), False
    except BadSegment:
        return None, False


def with_checksum(packet: Packet) -> Packet:
    """The packet with the checksum that fits what its segment says now."""
    bare = packet.data[:CHECKSUM] + bytes(2) + packet.data[CHECKSUM + 2 :]
    total = checksum(bare, packet.source_ip, packet.destination_ip)
    return packet._replace(data=bare[:CHECKSUM] + total.to_bytes(2, "big") + bare[CHECKSUM + 2 :])


def title_of(segment: Segment) -> str:
    """What a segment is called in pictures."""
    names = [flag.name or "" for flag in (Flags.SYN, Flags.FIN, Flags.RST) if segment.flags & flag]
    if segment.data and not names:
        return "Data"
    return "-".join([*names, *(["ACK"] if segment.flags & Flags.ACK else [])]) or "Segment"


def is_bare(segment: Segment) -> bool:
    """Whether a segment only acknowledges."""
    return not segment.data and segment.flags & ~Flags.PSH == Flags.ACK
