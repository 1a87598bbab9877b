"""Transfers of bytes over the network in memory, for tests of TCP and of the network."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from typing import Any

from shakeproof.impl.network import Link, Network
from shakeproof.impl.tcp import Endpoint, Host, TcpConfig, TcpConnection

CLIENT, SERVER, PORT = "192.0.2.1", "192.0.2.2", 443
IPV6 = "2001:db8::1", "2001:db8::2"
CHUNK = 32_768


@dataclass
class Bulk:
    """An application that sends so many bytes from a seed, and hashes what it receives."""

    size: int
    seed: int
    received: int = 0
    ended: bool = False
    sent_hash: Any = field(default_factory=hashlib.sha256)
    received_hash: Any = field(default_factory=hashlib.sha256)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._left = self.size

    @property
    def is_open(self) -> bool:
        return self._left > 0

    def receive_data(self, data: bytes) -> list[object]:
        self.received += len(data)
        self.received_hash.update(data)
        return []

    def receive_eof(self) -> list[object]:
        self.ended = True
        return []

    def data_to_send(self) -> bytes:
        data = self._random.randbytes(min(CHUNK, self._left))
        self._left -= len(data)
        self.sent_hash.update(data)
        return data


@dataclass
class Transfer:
    """A client and a server that send to each other at once, then close."""

    network: Network
    client: Bulk
    server: Bulk
    connection: TcpConnection

    @classmethod
    def begin(
        cls, seed: int, size: int, link: Link, *, addresses: tuple[str, str] = (CLIENT, SERVER), **changes: Any
    ) -> Transfer:
        """addresses: of client and server; changes: of both configurations."""
        network = Network(seed, link=link)
        client_host = network.add_host(Host(addresses[0], TcpConfig(secret=b"client", **changes)))
        server_host = network.add_host(Host(addresses[1], TcpConfig(secret=b"server", **changes)))
        client, server = Bulk(size, 2 * seed), Bulk(size, 2 * seed + 1)
        network.serve(server_host.listen(PORT), lambda: server)
        connection = client_host.connect(Endpoint(addresses[1], PORT), network.clock.now_s)
        network.join(connection, client)
        return cls(network, client, server, connection)

    def run(self, limit_s: float = 3600.0) -> bool:
        """Whether both ends have seen the end of the other's stream."""
        return self.network.run_until(lambda: self.client.ended and self.server.ended, limit_s)

    def check(self) -> None:
        """Each received exactly what the other sent."""
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            assert receiver.received == sender.size
            assert receiver.received_hash.digest() == sender.sent_hash.digest()
