"""Our own implementation in process, clean or with a planted fault. Deterministic: entropy comes from a counter."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import ClientConfig, ClientConnection, Credential, ServerConfig, ServerConnection
from shakeproof.impl.tls.events import ApplicationDataReceived, Event, HandshakeCompleted
from shakeproof.impl.tls.suites import DEFAULT_SUITES, CipherSuite
from shakeproof.impl.x509 import Validator, verifier_for_tls
from shakeproof.properties.mapper import certificates
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target, TargetError

REQUEST = b"GET / HTTP/1.1\r\nHost: server.shakeproof.test\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The time that our endpoints are told: inside the validity of the factory's sound certificates."""


def seeded(seed: bytes) -> Callable[[int], bytes]:
    """Entropy that repeats itself: SHA-256 of the seed and a counter."""
    counter = 0

    def entropy(length: int) -> bytes:
        nonlocal counter
        out = b""
        while len(out) < length:
            out += hashlib.sha256(seed + counter.to_bytes(8, "big")).digest()
            counter += 1
        return out[:length]

    return entropy


def make_client(
    rogue: Rogue | None = None, *, seed: bytes = b"client", suites: tuple[CipherSuite, ...] = DEFAULT_SUITES
) -> ClientConnection:
    """A client that trusts the certificate factory, with the rogue's fault planted in it."""
    validator = Validator(certificates.anchors())
    if rogue is not None and rogue.validator is not None:
        rogue.validator(validator)
    config = ClientConfig(
        server_name=certificates.SERVER_NAME,
        verify=verifier_for_tls(validator),
        entropy=seeded(seed),
        clock=lambda: NOW,
        suites=suites,
    )
    client = ClientConnection(config)
    if rogue is not None and rogue.connection is not None:
        rogue.connection(client)
    return client


def make_server(rogue: Rogue | None = None, *, seed: bytes = b"server") -> ServerConnection:
    """A server with the certificate factory's RSA and ECDSA certificates, with the rogue's fault planted in it."""
    chains = (certificates.chain("rsa"), certificates.chain("ecdsa"))
    config = ServerConfig(
        credentials=[Credential(chain.der, chain.private_key) for chain in chains],
        entropy=seeded(seed),
        clock=lambda: NOW,
    )
    server = ServerConnection(config)
    if rogue is not None and rogue.connection is not None:
        rogue.connection(server)
    return server


class OurEndpoint(Endpoint):
    """One connection of ours."""

    def __init__(self, connection: ClientConnection | ServerConnection) -> None:
        self._connection = connection
        self._note = ""

    def start(self) -> Reaction:
        if isinstance(self._connection, ClientConnection):
            self._connection.start()
        return self._reaction([])

    def feed(self, data: bytes) -> Reaction:
        try:
            return self._reaction(self._connection.receive_data(data))
        except RemoteProtocolError as error:
            self._note = str(error)
            return self._reaction(cast("tuple[Event, ...]", error.events), answer=False)
        except Exception as error:  # noqa: BLE001  # whatever else it raises is the crash that an audit looks for
            return Reaction(closed=True, crashed=f"{type(error).__name__}: {error}")

    def end(self) -> Reaction:
        try:
            self._connection.receive_eof()
        except RemoteProtocolError as error:
            self._note = str(error)
        return self._reaction([])

    def call(self, name: str) -> Reaction | None:
        try:
            if name == "close":
                self._connection.close()
            elif name == "write":
                self._connection.send_application_data(RESPONSE)
            else:
                return None
        except LocalProtocolError:
            return None
        return self._reaction([])

    def _reaction(self, events: list[Event] | tuple[Event, ...], *, answer: bool = True) -> Reaction:
        delivered = b"".join(event.data for event in events if isinstance(event, ApplicationDataReceived))
        connection = self._connection
        if answer and connection.is_connected:
            if isinstance(connection, ServerConnection):
                if delivered:
                    connection.send_application_data(RESPONSE)
            elif any(isinstance(event, HandshakeCompleted) for event in events):
                connection.send_application_data(REQUEST)
        return Reaction(connection.data_to_send(), not connection.is_open, delivered, note=self._note)


class OurTarget(Target):
    """Our own implementation, both roles."""

    name = "shakeproof"
    roles = ("tls12.client", "tls12.server")

    def __init__(self, rogue: str = "") -> None:
        if rogue and rogue not in ROGUES:
            raise TargetError(f"there is no rogue {rogue!r}; there are {', '.join(ROGUES)}")
        self.rogue = ROGUES.get(rogue)

    @property
    def description(self) -> str:
        return f"our own implementation{f' with the rogue {self.rogue.name}' if self.rogue else ''}, in process"

    def setups(self, role: str) -> tuple[Setup, ...]:
        return (
            Setup("rsa", "rsa", "cbc"),
            Setup("ecdhe", "rsa", "gcm"),
            Setup("ecdhe", "ecdsa", "gcm"),
        )

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return OurEndpoint(make_client(self.rogue) if role == "tls12.client" else make_server(self.rogue))
