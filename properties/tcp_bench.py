"""Our end of a TCP connection on a bench: a host of ours, a virtual clock, and whatever went on written down.

What can be done to it: bytes are given to it, its user calls, time passes. Each gives all that it then sends and tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp.config import TcpConfig
from shakeproof.impl.tcp.connection import TcpConnection
from shakeproof.impl.tcp.events import Event
from shakeproof.impl.tcp.host import Host, HostEvents, Listener, Packet
from shakeproof.impl.tcp.segment import Endpoint, Segment
from shakeproof.properties.rogues import Rogue

OURS = Endpoint("192.0.2.1", 40_000)
PEERS = Endpoint("192.0.2.2", 443)

TIMEOUTS_LIMIT = 400
"""Timeouts in one stretch of time: keep-alives of a day are fewer."""


@dataclass(frozen=True)
class TcpSetup:
    """How our end is set up, and who opens.

    opening: "active", "passive" (for the one peer), "listener" (for all), "simultaneous"; stamps, scale: what both
    offer; protected: the reading rfc5961; buffer: octets that it can receive; nagle, delayed: its algorithms.
    """

    opening: str = "active"
    stamps: bool = False
    scale: bool = False
    protected: bool = True
    buffer: int = 2000
    nagle: bool = True
    delayed: bool = True

    @property
    def readings(self) -> frozenset[str]:
        """The readings of the table that are in force."""
        chosen = {"rfc5961": self.protected, "rfc7323": self.stamps}
        return frozenset(name for name, holds in chosen.items() if holds)

    @property
    def config(self) -> TcpConfig:
        """Challenge ACKs are not limited: each is answered, so that each can be judged."""
        return TcpConfig(
            secret=b"of the bench",
            mss=536,
            receive_buffer=self.buffer,
            window_scale=0 if self.scale else None,
            timestamps=self.stamps,
            nagle=self.nagle,
            delayed_ack=self.delayed,
            rfc5961=self.protected,
            challenge_acks=2**62,
        )


@dataclass
class Outcome:
    """What came of something that was done: what was sent to the peer, and told to the user."""

    sent: list[Segment]
    told: list[Event]
    data: bytes = b""
    """What SEND took, or RECEIVE gave."""
    refused: str = ""
    """What the call was refused with."""


def plant(rogue: Rogue | None, host: Host) -> None:
    """Plant a fault: on the host, which gives it to its connections, or else on each connection that it makes."""
    on_host: Callable[[Host], None] | None = getattr(rogue, "host", None)
    on_connection: Callable[[TcpConnection], None] | None = getattr(rogue, "tcp", None)
    if on_host is not None:
        on_host(host)
    elif on_connection is not None:
        sound = host.make_connection

        def make_connection(*given: Any) -> TcpConnection:
            made = sound(*given)
            on_connection(made)
            return made

        setattr(host, "make_connection", make_connection)  # noqa: B010  # on this object alone


class Bench:
    """A host of ours with one connection at a time, from `OURS` to `PEERS`. now_s: the clock."""

    def __init__(self, setup: TcpSetup, rogue: Rogue | None = None) -> None:
        self.setup = setup
        self.config = setup.config
        self.now_s = 1000.0
        self.host = Host(OURS.ip, self.config)
        plant(rogue, self.host)
        self.key = (OURS.port, *PEERS)
        self.listener: Listener | None = None
        self.connection: TcpConnection | None = None

    @property
    def is_listening(self) -> bool:
        """Whether a listener stays at the port."""
        return self.listener is not None

    # ------------------------------------------------------------------------------------------------ what is done

    def give(self, data: bytes) -> Outcome:
        """Bytes come from the peer."""
        return self._outcome(self.host.receive_packet(Packet(PEERS.ip, OURS.ip, data), self.now_s))

    def call(self, name: str, data: bytes = b"", count: int | None = None) -> Outcome:
        """The user calls. data: for SEND; count: for RECEIVE, None for all. CLOSE gives up what was not read,
        SHUTDOWN does not.
        """
        connection = self._called(name)
        gave, refused = b"", ""
        try:
            if name == "active OPEN":
                connection.open_active(self.now_s)
            elif name == "passive OPEN":
                connection.open_passive()
            elif name == "SEND":
                gave = data[: connection.send(data, self.now_s)]
            elif name == "RECEIVE":
                gave = connection.receive(count)
            elif name == "CLOSE":
                connection.close(self.now_s)
            elif name == "SHUTDOWN":
                connection.shutdown(self.now_s)
            elif name == "ABORT":
                connection.abort(self.now_s)
            else:
                connection.keepalive = name.endswith("on")
        except LocalProtocolError as error:
            refused = str(error)
        outcome = self._outcome([(connection, event) for event in connection.take_events()])
        outcome.data, outcome.refused = gave, refused
        return outcome

    def pass_time(self, seconds: float) -> Iterator[Outcome]:
        """Time passes; what came of each timeout on the way."""
        end = self.now_s + seconds
        for _ in range(TIMEOUTS_LIMIT):
            timeout = self.host.next_timeout()
            if timeout is None or timeout > end:
                break
            self.now_s = max(self.now_s, timeout)
            yield self._outcome(self.host.tick(self.now_s))
        self.now_s = end

    def next_timeout(self) -> float | None:
        """In how many seconds it has something to do."""
        timeout = self.host.next_timeout()
        return None if timeout is None else max(0.0, timeout - self.now_s)

    def listen(self) -> None:
        """Have a listener at the port from now on."""
        self.listener = self.host.listen(OURS.port)

    def initial_number(self, port: int, remote: Endpoint) -> int | None:
        """The initial sequence number of a connection between other sockets, which is broken off at once."""
        connection = self.host.connect(remote, self.now_s, port)
        packets = self.host.packets_to_send(self.now_s)
        connection.abort(self.now_s)
        self.host.packets_to_send(self.now_s)
        found = [Segment.decode(one.data, one.source_ip, one.destination_ip) for one in packets]
        return next((one.seq for one in found if one.source_port == port), None)

    # -------------------------------------------------------------------------------------------------------- inside

    def _called(self, name: str) -> TcpConnection:
        """The connection that a call is about; a fresh one, in CLOSED, where there is none."""
        known = self.host.connections.get(self.key)
        if known is not None:
            self.connection = known
        elif self.connection is None or name.endswith("OPEN"):
            self.connection = self.host.make_connection(self.config, OURS, PEERS, self.now_s)
            if name.endswith("OPEN"):
                self.host.connections[self.key] = self.connection
        return self.connection

    def _outcome(self, events: HostEvents) -> Outcome:
        told = [event for _, event in events]
        sent = [Segment.decode(one.data, OURS.ip, PEERS.ip) for one in self.host.packets_to_send(self.now_s)]
        if self.listener is not None:
            while (accepted := self.listener.accept()) is not None:
                self.connection = accepted
        return Outcome(sent, told)
