"""Our own implementation in process, clean or with a planted fault. Deterministic: entropy comes from a counter."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from typing import cast

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import (
    ClientConfig,
    ClientConnection,
    Credential,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    Site,
    TicketKeys,
)
from shakeproof.impl.tls.events import ApplicationDataReceived, CloseNotifyReceived, Event, HandshakeCompleted
from shakeproof.impl.tls.suites import DEFAULT_SUITES, CipherSuite
from shakeproof.impl.x509 import Usage, Validator, verifier_for_tls
from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import Purpose
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.targets.base import SETUPS, End, Endpoint, Reaction, Setup, Target, TargetError

REQUEST = b"GET / HTTP/1.1\r\nHost: server.shakeproof.test\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
"""The time that our endpoints are told: inside the validity of the factory's sound certificates."""
PLAIN = Setup()
KINDS: tuple[KeyKind, ...] = ("rsa", "ecdsa")


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
    rogue: Rogue | None = None,
    *,
    seed: bytes = b"client",
    suites: tuple[CipherSuite, ...] = DEFAULT_SUITES,
    setup: Setup = PLAIN,
    session: Session | None = None,
) -> ClientConnection:
    """A client that trusts the certificate factory, with the rogue's fault planted in it. session: to resume."""
    validator = Validator(certificates.anchors())
    if rogue is not None and rogue.validator is not None:
        rogue.validator(validator)
    config = ClientConfig(
        server_name=certificates.SERVER_NAME,
        verify=verifier_for_tls(validator),
        entropy=seeded(seed),
        clock=lambda: NOW,
        suites=suites,
        credentials=CLIENT_CREDENTIALS if setup.client_auth else (),
        tickets=setup.tickets,
        session=session,
        renegotiation="allow" if setup.renegotiation else "refuse",
    )
    client = ClientConnection(config)
    if rogue is not None and rogue.connection is not None:
        rogue.connection(client)
    return client


class Shared:
    """What the connections of one server have in common: sessions by id, or keys of tickets, as the setup says."""

    def __init__(self, setup: Setup = PLAIN) -> None:
        self.sessions = SessionCache() if setup.session == "id" else None
        self.ticket_keys = TicketKeys(seeded(b"ticket keys")) if setup.session == "ticket" else None


def make_server(
    rogue: Rogue | None = None,
    *,
    seed: bytes = b"server",
    setup: Setup = PLAIN,
    shared: Shared | None = None,
) -> ServerConnection:
    """A server with the certificate factory's RSA and ECDSA certificates, with the rogue's fault planted in it.

    It goes by the name that its certificates have. Under another name, or none, it asks no client for a certificate.
    """
    validator = Validator(certificates.anchors(), usage=Usage.CLIENT_AUTH)
    if rogue is not None and rogue.validator is not None:
        rogue.validator(validator)
    shared = shared or Shared(setup)
    config = ServerConfig(
        credentials=SERVER_CREDENTIALS,
        entropy=seeded(seed),
        clock=lambda: NOW,
        sites={
            certificates.SERVER_NAME: Site(
                credentials=SERVER_CREDENTIALS,
                client_authentication="request" if setup.client_auth else "none",
                verify_client=verifier_for_tls(validator) if setup.client_auth else None,
            )
        },
        sessions=shared.sessions,
        ticket_keys=shared.ticket_keys,
        renegotiation="allow" if setup.renegotiation else "refuse",
    )
    server = ServerConnection(config)
    if rogue is not None and rogue.connection is not None:
        rogue.connection(server)
    return server


def _credential(key: KeyKind, name: str, purpose: Purpose) -> Credential:
    chain = certificates.chain(key, frozenset(), name, purpose)
    return Credential(chain.der, chain.private_key)


SERVER_CREDENTIALS = tuple(_credential(key, certificates.SERVER_NAME, "server") for key in KINDS)
CLIENT_CREDENTIALS = tuple(_credential(key, certificates.CLIENT_NAME, "client") for key in KINDS)


class OurEndpoint(Endpoint):
    """One connection of ours. follow: makes the next one, from this one's session."""

    def __init__(
        self,
        connection: ClientConnection | ServerConnection,
        follow: Callable[[Session | None], ClientConnection | ServerConnection] | None = None,
    ) -> None:
        self._connection = connection
        self._follow = follow
        self._session: Session | None = None
        self._note = ""
        self._asked = False
        self._end: End = ""

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
        was_open = self._connection.is_open
        try:
            events = self._connection.receive_eof()
        except RemoteProtocolError as error:
            self._note, self._end = str(error), "truncated"
            return self._reaction([])
        except Exception as error:  # noqa: BLE001  # as in `feed`
            return Reaction(closed=True, crashed=f"{type(error).__name__}: {error}")
        if was_open:
            self._end = "orderly"
        return self._reaction(events)

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

    def again(self) -> Endpoint | None:
        return OurEndpoint(self._follow(self._session), self._follow) if self._follow is not None else None

    def _reaction(self, events: list[Event] | tuple[Event, ...], *, answer: bool = True) -> Reaction:
        delivered = b"".join(event.data for event in events if isinstance(event, ApplicationDataReceived))
        if any(isinstance(event, CloseNotifyReceived) for event in events):
            self._end = "orderly"
        connection = self._connection
        self._session = connection.session or self._session
        if answer and connection.is_connected:
            if isinstance(connection, ServerConnection):
                if delivered:
                    connection.send_application_data(RESPONSE)
            elif not self._asked and any(isinstance(event, HandshakeCompleted) for event in events):
                self._asked = True
                connection.send_application_data(REQUEST)
        return Reaction(connection.data_to_send(), not connection.is_open, delivered, note=self._note, end=self._end)


class OurTarget(Target):
    """Our own implementation, both roles."""

    name = "shakeproof"
    roles = ("tls12.client", "tls12.server")

    def __init__(self, rogue: str = "") -> None:
        if rogue and rogue not in ROGUES:
            raise TargetError(f"there is no rogue {rogue!r}; there are {', '.join(ROGUES)}")
        self.rogue = ROGUES.get(rogue)
        if self.rogue is not None and not self.rogue.is_of_tls:
            raise TargetError(self.rogue.elsewhere)

    @property
    def description(self) -> str:
        return f"our own implementation{f' with the rogue {self.rogue.name}' if self.rogue else ''}, in process"

    @property
    def tells_end(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        if role == "tls12.client":  # it offers no session that is not bound (a SHOULD NOT of RFC 7627 section 5.3)
            return tuple(setup for setup in SETUPS if setup.extended_master_secret or not setup.session)
        return SETUPS

    def connect(self, role: str, setup: Setup) -> Endpoint:
        numbers = itertools.count(1)
        shared = Shared(setup)

        def follow(session: Session | None) -> ClientConnection | ServerConnection:
            seed = f"{role} {next(numbers)}".encode()
            if role == "tls12.client":
                return make_client(self.rogue, seed=seed, setup=setup, session=session)
            return make_server(self.rogue, seed=seed, setup=setup, shared=shared)

        return OurEndpoint(follow(None), follow)
