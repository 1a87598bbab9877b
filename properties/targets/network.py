"""A server that listens at HOST:PORT, over plain blocking sockets with timeouts.

Quiet is guessed: a server that says nothing for QUIET_S is taken to be quiet, so that such a step is never exact, and
silence where an answer is due is INCONCLUSIVE.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import time

from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target, TargetError

CONNECT_S = 3.0
"""A server on loopback accepts within milliseconds; three seconds allow for one that is far away or busy."""

QUIET_S = 0.05
"""Silence after this long counts as quiet; TCP's delayed ACK holds a small write back for 40 ms at most."""

STEP_S = 2.0
"""The longest that one step may last: bounds a server that never stops talking."""

READ_BYTES = 65536
STEP_BYTES = 1 << 20
"""The most that is read in one step."""


class SocketEndpoint(Endpoint):
    """One TCP connection."""

    def __init__(self, address: tuple[str, int]) -> None:
        try:
            self._socket = socket.create_connection(address, timeout=CONNECT_S)
        except OSError as error:
            raise TargetError(f"{address[0]}:{address[1]}: can't connect: {error.strerror or error}") from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._closed = False

    def start(self) -> Reaction:
        return Reaction(exact=False)

    def feed(self, data: bytes) -> Reaction:
        if self._closed:
            return Reaction(closed=True, exact=False)
        try:
            self._socket.sendall(data)
        except OSError as error:
            # What it said before it closed is still to be read.
            received = self._read()
            return Reaction(received.data, True, exact=False, note=str(error.strerror or error))
        return self._read()

    def _read(self) -> Reaction:
        received = bytearray()
        end = time.monotonic() + STEP_S
        note = ""
        while len(received) < STEP_BYTES and time.monotonic() < end:
            ready, _, _ = select.select([self._socket], [], [], QUIET_S)
            if not ready:
                break
            try:
                data = self._socket.recv(READ_BYTES)
            except OSError as error:
                note, self._closed = str(error.strerror or error), True
                break
            if not data:
                self._closed = True
                break
            received += data
        return Reaction(bytes(received), self._closed, exact=False, note=note)

    def dispose(self) -> None:
        self._socket.close()


class SocketTarget(Target):
    """A server at an address."""

    roles = ("tls12.server",)

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    @property
    def description(self) -> str:
        return f"the server at {self.name}"

    @property
    def is_local(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def takes_many(self) -> bool:
        return False

    @property
    def has_factory_certificate(self) -> bool:
        return False

    @property
    def secrets_seen(self) -> bool:
        return False

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return SocketEndpoint((self.host, self.port))
