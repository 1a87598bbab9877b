"""A network in memory: hosts, links, a virtual clock, impairment from a seed, and applications on top.

Nothing here waits: the clock jumps to whatever happens next, so that 2 MSL cost nothing, and a run is the same each
time for the same seed. Packets from one host to another have the link's delay. Some are lost; some come late, so that
others overtake them; some come twice.

An adversary may be set between the hosts: it sees each packet when it is sent, and says what goes on in its stead.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tcp.connection import TcpConnection
from shakeproof.impl.tcp.events import Event, HardError, PeerClosed, Refused, ResetReceived, TimedOut
from shakeproof.impl.tcp.host import Host, HostEvents, Listener, Packet
from shakeproof.impl.tcp.tcb import CLOSE_WAIT, ESTABLISHED, SYN_RECEIVED, SYN_SENT

LATE_BY = (1.5, 4.0)
"""By how many delays of the link a packet comes late that is reordered: enough for others to overtake it, and less than
any timeout."""

SEND_SIZE = 65_536
"""Bytes that an application is asked for, and TCP is given, at once."""

DELIVERED = "delivered"
LOST = "lost"
LATE = "late"
AGAIN = "again"
UNROUTABLE = "unroutable"


@dataclass
class VirtualClock:
    """Seconds since the beginning of the run."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@dataclass(frozen=True, kw_only=True)
class Link:
    """How packets fare from one host to another. loss, reordering, duplication: probabilities, of each packet."""

    delay_s: float = 0.01
    loss: float = 0.0
    reordering: float = 0.0
    duplication: float = 0.0

    def __post_init__(self) -> None:
        for name in ("loss", "reordering", "duplication"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be a probability, and below 1")
        if self.delay_s <= 0:
            raise ValueError(f"delay_s is {self.delay_s}; without delay the clock would not move")


@dataclass(frozen=True, slots=True)
class Record:
    """What became of a packet. time_s: when it was sent; arrives_s: None where it does not."""

    time_s: float
    packet: Packet
    fate: str
    arrives_s: float | None


Delivery = tuple[Packet, float, str]
"""A packet, in how many seconds it arrives, and what to call that."""
Adversary = Callable[[Packet, float], Iterable[Delivery] | None]
"""(packet, time) -> what arrives in its stead; None to leave the packet to the link."""


class Application(Protocol):
    """What can be joined to a connection: anything that takes and gives bytes, such as HttpsClient and HttpsServer."""

    @property
    def is_open(self) -> bool:
        """Whether bytes from the peer still matter."""
        ...

    def receive_data(self, data: bytes) -> Sequence[object]:
        """Takes bytes from the transport."""
        ...

    def receive_eof(self) -> Sequence[object]:
        """The transport ended."""
        ...

    def data_to_send(self) -> bytes:
        """Everything that is queued for the transport."""
        ...


class Stream:
    """A connection and the application on it.

    events: of the application; tcp_events: of the connection; fault: what the application could not accept.
    """

    def __init__(self, connection: TcpConnection, application: Application) -> None:
        self.connection = connection
        self.application = application
        self.events: list[object] = []
        self.tcp_events: list[Event] = []
        self.fault: RemoteProtocolError | None = None
        self._outgoing = bytearray()
        self._ended = connection.state not in (SYN_SENT, SYN_RECEIVED, ESTABLISHED)  # it was, before we were told
        self._end_is_told = False
        self._is_shut = False

    def receive_event(self, event: Event) -> None:
        """Takes an event of the connection."""
        self.tcp_events.append(event)
        if isinstance(event, PeerClosed | ResetReceived | Refused | TimedOut | HardError):
            self._ended = True

    def step(self, now_s: float) -> None:
        """Carries bytes both ways; ends the connection when the application is done."""
        data = self.connection.receive()
        if data:
            self._tell(lambda: self.application.receive_data(data))
        if self._ended and not self._end_is_told:
            self._end_is_told = True
            self._tell(self.application.receive_eof)
        if len(self._outgoing) < SEND_SIZE:
            self._outgoing += self.application.data_to_send()
        if self.connection.state not in (ESTABLISHED, CLOSE_WAIT) or self._is_shut:
            return
        while self._outgoing:
            sent = self.connection.send(bytes(self._outgoing[:SEND_SIZE]), now_s)
            del self._outgoing[:sent]
            if sent < SEND_SIZE:
                break
        if not self._outgoing and not self.application.is_open:
            self._is_shut = True
            self.connection.shutdown(now_s)

    def _tell(self, call: Callable[[], Sequence[object]]) -> None:
        try:
            self.events += call()
        except RemoteProtocolError as error:
            self.events += error.events
            self.fault = self.fault or error


class Network:
    """Hosts, the links between them, and time."""

    def __init__(self, seed: int, clock: VirtualClock | None = None, link: Link | None = None) -> None:
        self.random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self.clock = clock or VirtualClock()
        self.link = link or Link()
        """Of all hosts that `links` says nothing about."""
        self.links: dict[tuple[str, str], Link] = {}
        """By source and destination address."""
        self.hosts: dict[str, Host] = {}
        self.adversary: Adversary | None = None
        self.recording = True
        self.records: list[Record] = []
        self.streams: dict[int, Stream] = {}
        """By the id of the connection, which the stream keeps alive."""
        self._servers: list[tuple[Listener, Callable[[], Application]]] = []
        self._in_transit: list[tuple[float, int, Packet]] = []
        self._sent = 0

    # --- building -----------------------------------------------------------------------------------------------------

    def add_host(self, host: Host) -> Host:
        """Attaches a host. Raises LocalProtocolError where its address is taken."""
        if host.ip in self.hosts:
            raise LocalProtocolError(f"there is a host {host.ip} already")
        self.hosts[host.ip] = host
        return host

    def join(self, connection: TcpConnection, application: Application) -> Stream:
        """Puts an application on a connection of one of the hosts."""
        stream = self.streams[id(connection)] = Stream(connection, application)
        return stream

    def serve(self, listener: Listener, make_application: Callable[[], Application]) -> None:
        """Puts a new application on each connection that the listener accepts."""
        self._servers.append((listener, make_application))

    # --- packets ------------------------------------------------------------------------------------------------------

    def send(self, packet: Packet) -> None:
        """Gives a packet to the adversary, or to the link."""
        if self.adversary is not None:
            deliveries = self.adversary(packet, self.clock.now_s)
            if deliveries is not None:
                for delivery in deliveries:
                    self.inject(*delivery)
                return
        link = self.links.get((packet.source_ip, packet.destination_ip), self.link)
        if self.random.random() < link.loss:
            self._record(packet, LOST, None)
            return
        late = self.random.random() < link.reordering
        delay_s = link.delay_s * (1 + self.random.uniform(*LATE_BY)) if late else link.delay_s
        self.inject(packet, delay_s, LATE if late else DELIVERED)
        if self.random.random() < link.duplication:
            self.inject(packet, link.delay_s * (1 + self.random.uniform(*LATE_BY)), AGAIN)

    def inject(self, packet: Packet, delay_s: float, fate: str = DELIVERED) -> None:
        """Lets a packet arrive, whoever made it; one for no host here is recorded, and goes nowhere."""
        if packet.destination_ip not in self.hosts:
            self._record(packet, UNROUTABLE, None)
            return
        arrives_s = self.clock.now_s + max(delay_s, 0.0)
        self._sent += 1  # packets that arrive at the same time arrive in the order in which they were sent
        heapq.heappush(self._in_transit, (arrives_s, self._sent, packet))
        self._record(packet, fate, arrives_s)

    def _record(self, packet: Packet, fate: str, arrives_s: float | None) -> None:
        if self.recording:
            self.records.append(Record(self.clock.now_s, packet, fate, arrives_s))

    # --- running ------------------------------------------------------------------------------------------------------

    def run_until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        """Lets things happen until the condition holds; gives up, with False, after limit_s or when nothing is left.

        limit_s: seconds of the virtual clock from now on.
        """
        end_s = self.clock.now_s + limit_s
        while True:
            self.settle()
            if condition():
                return True
            next_s = self.next_event()
            if next_s is None or next_s > end_s:
                self.clock.now_s = end_s if next_s is not None else self.clock.now_s
                return False
            self.step(next_s)

    def run(self, duration_s: float) -> None:
        """Lets things happen for a time."""
        end_s = self.clock.now_s + duration_s
        self.run_until(lambda: False, duration_s)
        self.clock.now_s = end_s

    def next_event(self) -> float | None:
        """When something happens next; None for never."""
        times = [host.next_timeout() for host in self.hosts.values()]
        times.append(self._in_transit[0][0] if self._in_transit else None)
        return min([time for time in times if time is not None], default=None)

    def step(self, now_s: float) -> None:
        """One packet arrives, or else what is due at that time is done."""
        self.clock.now_s = max(self.clock.now_s, now_s)
        if self._in_transit and self._in_transit[0][0] <= now_s:
            packet = heapq.heappop(self._in_transit)[2]
            self._dispatch(self.hosts[packet.destination_ip].receive_packet(packet, self.clock.now_s))
            return
        for host in self.hosts.values():
            self._dispatch(host.tick(self.clock.now_s))

    def settle(self) -> None:
        """Lets applications react, and sends what there is to send."""
        now_s = self.clock.now_s
        for listener, make_application in self._servers:
            while (connection := listener.accept()) is not None:
                self.join(connection, make_application())
        for stream in list(self.streams.values()):
            stream.step(now_s)
        for host in self.hosts.values():
            for packet in host.packets_to_send(now_s):
                self.send(packet)

    def _dispatch(self, events: HostEvents) -> None:
        for connection, event in events:
            stream = self.streams.get(id(connection))
            if stream is not None:
                stream.receive_event(event)
