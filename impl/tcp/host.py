"""A host: many connections under one address, listeners, and resets for what belongs to nobody.

Source: RFC 9293 sections 3.5.2, 3.6.1, 3.9.2.2, 3.9.2.3 and 3.10.7.1.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from ipaddress import IPv4Address, ip_address
from typing import NamedTuple

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp.config import TcpConfig
from shakeproof.impl.tcp.connection import TcpConnection
from shakeproof.impl.tcp.events import Event
from shakeproof.impl.tcp.icmp import IcmpError, Severity
from shakeproof.impl.tcp.isn import keyed_hash
from shakeproof.impl.tcp.segment import RST, BadSegment, Endpoint, Segment, reset_for
from shakeproof.impl.tcp.tcb import CLOSED, LISTEN, SYN_RECEIVED, TIME_WAIT

MAX_CONNECTIONS = 1024
"""Connections of a host; with more a SYN gets no answer."""
MAX_RESETS = 64
"""Resets that wait to be sent: a flood of what belongs to nobody is answered in part."""
DEFAULT_BACKLOG = 16
FIRST_EPHEMERAL_PORT = 49_152
EPHEMERAL_PORTS = 65_536 - FIRST_EPHEMERAL_PORT

Key = tuple[int, str, int]
"""Local port, remote address, remote port."""
HostEvents = list[tuple[TcpConnection, Event]]


class Packet(NamedTuple):
    """An IP packet, as far as TCP sees it. data: the segment."""

    source_ip: str
    destination_ip: str
    data: bytes


class Listener:
    """A passive OPEN that many connections come from (MUST-42: beside each other, and beside the listener).

    backlog: connections that are not accepted yet, complete or not; a SYN beyond them is dropped.
    """

    def __init__(self, port: int, backlog: int, config: TcpConfig) -> None:
        self.port = port
        self.backlog = backlog
        self.config = config
        self.half_open: set[Key] = set()
        self.pending: deque[TcpConnection] = deque()

    def accept(self) -> TcpConnection | None:
        """The next complete connection, None while there is none."""
        return self.pending.popleft() if self.pending else None

    def check_backlog(self) -> bool:
        """Whether another one fits."""
        return len(self.half_open) + len(self.pending) < self.backlog


class Host:
    """All of TCP at one address. broadcast: the addresses of its networks' broadcasts."""

    def __init__(self, ip: str, config: TcpConfig, broadcast: frozenset[str] = frozenset()) -> None:
        self.ip = ip
        self.config = config
        self.broadcast = broadcast
        self.connections: dict[Key, TcpConnection] = {}
        self.listeners: dict[int, Listener] = {}
        self._reopened: dict[Key, TcpConnection] = {}
        """Connections in TIME-WAIT that a new SYN has put aside, until it turns out to be no old duplicate (MAY-2)."""
        self._resets: list[Packet] = []
        self._ports = 0

    # --- for the user -------------------------------------------------------------------------------------------------

    def listen(self, port: int, backlog: int = DEFAULT_BACKLOG, config: TcpConfig | None = None) -> Listener:
        """Waits for connections. Raises LocalProtocolError where the port has a listener."""
        if port in self.listeners:
            raise LocalProtocolError(f"port {port} has a listener already")
        listener = self.listeners[port] = Listener(port, backlog, config or self.config)
        return listener

    def stop_listening(self, listener: Listener) -> None:
        """Takes no more connections; those that there are go on."""
        if self.listeners.get(listener.port) is listener:
            del self.listeners[listener.port]

    def connect(
        self, remote: Endpoint, now_s: float, port: int | None = None, config: TcpConfig | None = None
    ) -> TcpConnection:
        """Begins a connection. port: ours, None for any. Raises LocalProtocolError where the pair of sockets is in use,
        or there are too many connections."""
        if len(self.connections) >= MAX_CONNECTIONS:
            raise LocalProtocolError(f"{MAX_CONNECTIONS} connections are open; close one first")
        key = (self.ephemeral_port(remote) if port is None else port, *remote)
        if key in self.connections:
            raise LocalProtocolError(f"there is a connection from port {port} to {remote.ip} port {remote.port}")
        connection = self.make_connection(config or self.config, Endpoint(self.ip, key[0]), remote, now_s)
        connection.open_active(now_s)
        self.connections[key] = connection
        return connection

    def ephemeral_port(self, remote: Endpoint) -> int:
        """A free port, from where a keyed hash says on: hard to guess, and late to come again (RFC 6056 section 3.3.3).

        There are more ports than connections, so that the search ends.
        """
        offset = keyed_hash(self.config.secret, "port", Endpoint(self.ip, 0), remote)
        while True:
            self._ports += 1
            port = FIRST_EPHEMERAL_PORT + (offset + self._ports) % EPHEMERAL_PORTS
            if (port, *remote) not in self.connections:
                return port

    def make_connection(
        self, config: TcpConfig, local: Endpoint, remote: Endpoint | None, now_s: float
    ) -> TcpConnection:
        """Every connection of this host is made here."""
        return TcpConnection(config, local, remote, now_s)

    # --- for the network ----------------------------------------------------------------------------------------------

    def receive_packet(self, packet: Packet, now_s: float) -> HostEvents:
        """Takes a packet: what the connection that it belongs to reports."""
        if not self.check_addresses(packet):
            return []
        try:
            segment = Segment.decode(packet.data, packet.source_ip, packet.destination_ip)
        except BadSegment:
            return []
        key = (segment.destination_port, packet.source_ip, segment.source_port)
        connection = self.connections.get(key)
        listener = self.listeners.get(segment.destination_port)
        if connection is not None and listener is not None and connection.accept_reopening(segment):
            if not listener.check_backlog():
                return []
            self._reopened[key] = connection
            connection = self.open_from_listener(key, listener, now_s)
            connection.iss_floor = self._reopened[key].snd_nxt
        if connection is None and listener is not None:
            if int(segment.flags) & RST or not self.check_room(listener):
                return []
            connection = self.open_from_listener(key, listener, now_s)
        if connection is None:
            self.reply(packet, self.make_reset(segment))
            return []
        events = connection.receive_segment(segment, now_s)
        self.settle(key, connection, now_s)
        return [(connection, event) for event in events]

    def check_addresses(self, packet: Packet) -> bool:
        """Nothing from or to a broadcast or multicast address is answered (MUST-57, MUST-63), or meant for others."""
        return packet.destination_ip == self.ip and self.check_unicast(packet.source_ip)

    def check_unicast(self, ip: str) -> bool:
        """Whether a single host has that address."""
        return ip not in self.broadcast and _is_unicast(ip)

    def check_room(self, listener: Listener) -> bool:
        """Whether there may be another connection."""
        return len(self.connections) < MAX_CONNECTIONS and listener.check_backlog()

    def open_from_listener(self, key: Key, listener: Listener, now_s: float) -> TcpConnection:
        """A connection in LISTEN for one peer, which its SYN takes on."""
        local, remote = Endpoint(self.ip, key[0]), Endpoint(key[1], key[2])
        connection = self.make_connection(listener.config, local, remote, now_s)
        connection.open_passive()
        self.connections[key] = connection
        listener.half_open.add(key)
        return connection

    def settle(self, key: Key, connection: TcpConnection, now_s: float) -> None:
        """Accounts for what became of a connection that a listener made."""
        listener = self.listeners.get(key[0])
        if listener is None or key not in listener.half_open or connection.state == SYN_RECEIVED:
            return
        listener.half_open.discard(key)
        before = self._reopened.pop(key, None)
        if connection.state not in (LISTEN, CLOSED):
            listener.pending.append(connection)
            return
        # The listener itself goes on listening; what the connection had to answer is taken along.
        self.flush(connection, now_s, self._resets)
        del self._resets[MAX_RESETS:]
        del self.connections[key]
        if before is not None and before.state == TIME_WAIT:
            self.connections[key] = before

    def make_reset(self, segment: Segment) -> Segment | None:
        """The answer to what belongs to nobody; none to a reset (section 3.10.7.1)."""
        return reset_for(segment)

    def reply(self, packet: Packet, segment: Segment | None) -> None:
        """Queues a reset for what belongs to nobody, within bounds."""
        if segment is not None and len(self._resets) < MAX_RESETS:
            data = segment.encode(packet.destination_ip, packet.source_ip)
            self._resets.append(Packet(packet.destination_ip, packet.source_ip, data))

    def receive_icmp(self, error: IcmpError, now_s: float) -> HostEvents:
        """Takes an ICMP error to the connection that it is about (MUST-54)."""
        if error.source_ip != self.ip or len(error.quoted) < 8:
            return []
        ports = int.from_bytes(error.quoted[:2], "big"), int.from_bytes(error.quoted[2:4], "big")
        connection = self.connections.get((ports[0], error.destination_ip, ports[1]))
        if connection is None or error.severity is Severity.IGNORED:
            return []
        if error.severity is Severity.SOFT:
            events = connection.receive_soft_error(str(error), now_s)
        else:
            seq = int.from_bytes(error.quoted[4:8], "big")
            events = connection.receive_hard_error(str(error), seq, now_s)
        return [(connection, event) for event in events]

    # --- time, and what is sent ---------------------------------------------------------------------------------------

    def next_timeout(self) -> float | None:
        """The time at which `tick` has something to do; None for never."""
        times = [connection.next_timeout() for connection in self.connections.values()]
        return min([time for time in times if time is not None], default=None)

    def tick(self, now_s: float) -> HostEvents:
        """Does what is due."""
        events: HostEvents = []
        for key, connection in list(self.connections.items()):
            timeout_s = connection.next_timeout()
            if timeout_s is not None and timeout_s <= now_s:
                events += [(connection, event) for event in connection.tick(now_s)]
                self.settle(key, connection, now_s)
        return events

    def packets_to_send(self, now_s: float) -> list[Packet]:
        """Everything that is to be sent now. Connections that are closed are forgotten."""
        found, self._resets = self._resets, []
        closed = []
        for key, connection in self.connections.items():
            self.flush(connection, now_s, found)
            if connection.state == CLOSED:
                closed.append((key, connection))
        for key, connection in closed:
            # Its user, or an ICMP error, may have ended it half open: no segment came that its listener heard of.
            self.settle(key, connection, now_s)
            if self.connections.get(key) is connection:
                del self.connections[key]
        return found

    def flush(self, connection: TcpConnection, now_s: float, found: list[Packet]) -> None:
        """Takes the segments of one connection."""
        for segment in connection.segments_to_send(now_s):
            remote_ip = connection.peer.ip
            found.append(Packet(self.ip, remote_ip, segment.encode(self.ip, remote_ip)))


@lru_cache(1024)
def _is_unicast(ip: str) -> bool:
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if address.is_multicast or address.is_unspecified:
        return False
    return not (isinstance(address, IPv4Address) and int(address) == 0xFFFF_FFFF)
