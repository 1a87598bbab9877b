"""TCP beneath the interaction: hosts of ours, what is under way between them, and a virtual clock.

A socket here is one TCP end with its user above it. What it sends is under way until somebody lets it arrive. Time is
that of the next thing that happens: a packet arrives after the latency of the path, a timer fires when it is due.
Each honest end has a watch beside it, which judges every segment, call and tick by the table `tcp`, and the
stream that comes out must be the one that went in, as long as nobody on the path has altered it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from shakeproof.impl.tcp import (
    Connected,
    Endpoint,
    Event,
    HardError,
    Host,
    Packet,
    PeerClosed,
    Refused,
    ResetReceived,
    Segment,
    TcpConfig,
    TcpConnection,
    TimedOut,
)
from shakeproof.impl.tcp.host import HostEvents
from shakeproof.impl.tcp.tcb import CLOSE_WAIT, CLOSED, ESTABLISHED, TIME_WAIT
from shakeproof.properties.adversary_segments import Flight, Transit, decoded
from shakeproof.properties.rogues import Rogue
from shakeproof.properties.safety import DATA_INTACT, NotIntact, PropertyViolation
from shakeproof.properties.tcp_watch import TcpWatch

LATENCY_S = 0.02
"""One crossing of the path, in virtual seconds."""

SEND_SIZE = 65_536
"""Bytes that TCP is given at once."""

QUIET_TIME_S = 240.0
"""Between two connections: 2 MSL, so that whatever is still under way of the first is an old duplicate."""

TIMERS_LIMIT = 64
"""Timers that fire before anything is sent: with nothing to send they are off."""

STEPS_LIMIT = 4_000
"""Packets until nothing moves: a page of 20,000 bytes needs about sixty."""

SYNCHRONIZED = frozenset({"ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"})
ENDS = (PeerClosed, ResetReceived, Refused, TimedOut, HardError)
PREMATURE = (ResetReceived, Refused, TimedOut, HardError)


class User(Protocol):
    """Who uses a socket."""

    def connected(self) -> None:
        """The handshake of TCP is complete."""
        ...

    def received(self, data: bytes) -> None:
        """Bytes came."""
        ...

    def ended(self, event: Event) -> None:
        """No more will come; event: why."""
        ...


class Socket:
    """One TCP end. peer: the name of the socket that it talks to; written, read: the two streams, as its user knows
    them; spoilt: somebody on the path altered what it reads.
    """

    def __init__(self, network: Network, name: str, peer: str, local: Endpoint, remote: Endpoint, host: Host) -> None:
        self.network, self.name, self.peer = network, name, peer
        self.local, self.remote, self.host = local, remote, host
        self.user: User | None = None
        self.watch: TcpWatch | None = None
        self.connection: TcpConnection | None = None
        self.written, self.read = bytearray(), bytearray()
        self.given = 0
        self.answers_s: deque[float] = deque(maxlen=64)
        """When it answered a segment with nothing but acknowledgments."""
        self.spoilt = False
        self.was_open = False
        self.wants_to_close = self.is_shut = self.has_ended = False

    @property
    def state(self) -> str:
        """Of the connection; LISTEN where it waits for one."""
        if self.connection is not None:
            return self.connection.state
        return "LISTEN" if self.host.listeners else CLOSED

    @property
    def is_synchronized(self) -> bool:
        """Whether both ends know each other's numbers."""
        return self.state in SYNCHRONIZED

    # ------------------------------------------------------------------------------------------------------ the calls

    def open(self) -> None:
        """Active OPEN."""
        self.connection = self.host.connect(self.remote, self.network.now_s, port=self.local.port)
        self._called("active OPEN")

    def listen(self) -> None:
        """Passive OPEN."""
        self.host.listen(self.local.port)

    def write(self, data: bytes) -> None:
        """SEND, as soon as TCP takes it."""
        self.written += data
        self._push()

    def close(self) -> None:
        """CLOSE, when everything was taken."""
        self.wants_to_close = True
        self._push()

    def _push(self) -> None:
        connection = self.connection
        if connection is None or connection.state not in (ESTABLISHED, CLOSE_WAIT) or self.is_shut:
            return
        while self.given < len(self.written):
            taken = connection.send(bytes(self.written[self.given : self.given + SEND_SIZE]), self.network.now_s)
            self._called("SEND", data=bytes(self.written[self.given : self.given + taken]))
            self.given += taken
            if not taken:
                return
        if self.wants_to_close:
            self.is_shut = True
            connection.shutdown(self.network.now_s)
            self._called("CLOSE")

    def _called(self, name: str, data: bytes = b"") -> None:
        sent = self._flush()
        if self.watch is not None:
            self._object_to(self.watch.call(name, sent, (), data=data))

    def _object_to(self, violation: PropertyViolation | None) -> None:
        """Say it. Where only other properties are watched, the run goes on, and the end is not judged any more."""
        if violation is not None and self.watch is not None:
            self.watch.is_blind = True
        self.network.object_to(violation)

    # ----------------------------------------------------------------------------------------------- what happens to it

    def arrive(self, packet: Packet) -> None:
        """A packet reaches its host."""
        events = self.host.receive_packet(packet, self.network.now_s)
        self._find()
        sent, told = self._flush(), self._of_these_sockets(events)
        segment = decoded(packet)
        if self.watch is not None and (segment is None or self._is_from_peer(segment)):
            throttled = not sent and self._is_throttled()
            self._object_to(self.watch.receive(segment or packet.data, sent, told, throttled=throttled))
        if sent and not told and not any(one.length for one in sent):
            self.answers_s.append(self.network.now_s)
        self._serve([event for connection, event in events if connection is self.connection])

    def tick(self) -> None:
        """Timers are due."""
        events = self.host.tick(self.network.now_s)
        sent, told = self._flush(), self._of_these_sockets(events)
        if self.watch is not None:
            self._object_to(self.watch.tick(sent, told))
        self._serve([event for connection, event in events if connection is self.connection])

    def next_timeout(self) -> float | None:
        """When a timer is due; the end of TIME-WAIT is nothing to wait for."""
        times = [c.next_timeout() for c in self.host.connections.values() if c.state != TIME_WAIT]
        return min([time for time in times if time is not None], default=None)

    def _find(self) -> None:
        """The connection that a SYN made; a later one between the same sockets, which nobody asked for, is not ours."""
        if self.connection is not None and (self.was_open or self.connection.state not in ("LISTEN", CLOSED)):
            return
        found = self.host.connections.get((self.local.port, *self.remote))
        self.connection = found or self.connection

    def _flush(self) -> list[Segment]:
        sent = []
        for packet in self.host.packets_to_send(self.network.now_s):
            self.network.send(self, packet)
            segment = decoded(packet)
            assert segment is not None, "our host sends what it would not take itself"
            if (segment.source_port, segment.destination_port) == (self.local.port, self.remote.port):
                sent.append(segment)
        return sent

    def _is_throttled(self) -> bool:
        """Whether so much was answered of late that it may stay silent (RFC 5961 section 7)."""
        config = self.host.config
        recent = [time for time in self.answers_s if time >= self.network.now_s - 2 * config.challenge_interval_s]
        return len(recent) >= config.challenge_acks

    def _is_from_peer(self, segment: Segment) -> bool:
        """Whether it is about this pair of sockets: one whose ports were altered is about another."""
        return (segment.destination_port, segment.source_port) == (self.local.port, self.remote.port)

    def _of_these_sockets(self, events: HostEvents) -> list[Event]:
        """What the connections between these sockets report, earlier and later ones too."""
        return [event for connection, event in events if connection.remote == self.remote]

    def _serve(self, told: Sequence[Event]) -> None:
        """Tell the user what happened."""
        user, connection = self.user, self.connection
        if connection is None or user is None:
            return
        if any(isinstance(event, Connected) for event in told):
            self.was_open = True
            for listener in self.host.listeners.values():
                listener.accept()
            user.connected()
        data = connection.receive()
        if data:
            self._called("RECEIVE")
            self._check(data)
            self.read += data
            user.received(data)
        for event in told:
            if isinstance(event, ENDS) and not self.has_ended:
                self.has_ended = True
                if isinstance(event, PeerClosed):
                    self._check_end()
                user.ended(event)
        self._push()

    # -------------------------------------------------------------------------------------------------- the byte stream

    def _check(self, data: bytes) -> None:
        """What comes out is what went in."""
        source = self.network.sockets[self.peer].written
        at = len(self.read)
        if self.spoilt or source[at : at + len(data)] == data:
            return
        self.network.object_to(
            NotIntact(
                f"TCP gave the {self.name} {len(data)} bytes after the first {at}, which are not those that the "
                f"{self.peer} wrote there; expected each byte once, in order and unaltered",
                property=DATA_INTACT,
                clause="RFC 9293 section 2.2",
            )
        )

    def _check_end(self) -> None:
        """The end of the stream comes after all of it."""
        source = self.network.sockets[self.peer]
        if self.spoilt or (source.is_shut and len(self.read) == len(source.written)):
            return
        self.network.object_to(
            NotIntact(
                f"TCP told the {self.name} that the stream ends after {len(self.read)} bytes; the {self.peer} "
                f"wrote {len(source.written)}" + ("" if source.is_shut else ", and has not closed"),
                property=DATA_INTACT,
                clause="RFC 9293 section 3.10.7.4",
            )
        )


class Network:
    """The sockets, what is under way between them, and the time. object_to: raises what is wrong."""

    def __init__(self, object_to: Callable[[PropertyViolation | None], None]) -> None:
        self.flight = Flight(LATENCY_S)
        self.sockets: dict[str, Socket] = {}
        self.object_to = object_to
        self.noted: Callable[[Transit], None] | None = None
        """Told of each packet that sets out."""
        self.arriving: Callable[[Transit], None] | None = None
        """Told of each packet before it arrives."""
        self.arrived: Callable[[Transit], None] | None = None
        """Told of each packet when all that follows at once is done."""

    @property
    def now_s(self) -> float:
        """The virtual clock."""
        return self.flight.now_s

    def begin(self) -> None:
        """Another connection, after a while: nothing is left of the last but what somebody kept."""
        self.flight.clear()
        if self.sockets:
            self.flight.now_s += QUIET_TIME_S
        self.sockets = {}

    def add(
        self, name: str, peer: str, local: Endpoint, remote: Endpoint, config: TcpConfig, rogue: Rogue | None = None
    ) -> Socket:
        """A socket on a host of its own. rogue: with this fault planted."""
        host = Host(local.ip, config)
        if rogue is not None and rogue.host is not None:
            rogue.host(host)
        socket = self.sockets[name] = Socket(self, name, peer, local, remote, host)
        return socket

    def send(self, socket: Socket, packet: Packet) -> None:
        """A packet sets out."""
        transit = self.flight.put(socket.name, socket.peer, packet)
        if self.noted is not None:
            self.noted(transit)

    def arrive(self, transit: Transit) -> None:
        """A packet arrives, whatever is due before it."""
        self.flight.now_s = max(self.flight.now_s, transit.arrives_s)
        if self.arriving is not None:
            self.arriving(transit)
        self.sockets[transit.to].arrive(transit.packet)
        if self.arrived is not None:
            self.arrived(transit)

    def _timer(self) -> tuple[float, Socket] | None:
        timers = [(time, one) for one in self.sockets.values() if (time := one.next_timeout()) is not None]
        return min(timers, key=lambda timer: timer[0], default=None)

    def await_packet(self, *, patiently: bool) -> Transit | None:
        """The next packet, after the timers that are due before; patiently: of nothing under way, what timers send."""
        for _ in range(TIMERS_LIMIT):
            transit, timer = self.flight.first(), self._timer()
            if transit is None and not patiently:
                return None
            if timer is None or (transit is not None and transit.arrives_s <= timer[0]):
                return transit
            self.flight.now_s = max(self.flight.now_s, timer[0])
            timer[1].tick()
        return self.flight.first()

    def wait(self, seconds: float) -> None:
        """Time passes and timers fire; nothing arrives."""
        end_s = self.flight.now_s + seconds
        for _ in range(TIMERS_LIMIT):
            timer = self._timer()
            if timer is None or timer[0] > end_s:
                break
            self.flight.now_s = max(self.flight.now_s, timer[0])
            timer[1].tick()
        self.flight.now_s = end_s
        for transit in self.flight.under_way:
            transit.arrives_s = max(transit.arrives_s, end_s)
