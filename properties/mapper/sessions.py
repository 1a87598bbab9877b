"""Sessions that both sides can resume: what is kept of one, how a hello asks for it, and the ticket that carries it.

Source: RFC 5246 section 7.3 and 7.4.1.2; RFC 5077 sections 3.2 to 3.4; RFC 7627 section 5.3.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.extensions import Extension, parse_server_name
from shakeproof.impl.tls.messages import ClientHello
from shakeproof.impl.tls.sessions import Session as OurSession
from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.impl.tls.wire import Reader, vector
from shakeproof.model import messages as alphabet
from shakeproof.model.facts import Value

SERVER_NAME = 0
SESSION_TICKET = 35
"""Extension type (RFC 5077 section 3.2)."""
TICKET_LIFETIME_S = 7200
SESSION_ID_LENGTH = 32


@dataclass(frozen=True)
class Session:
    """What it takes to resume.

    server_name: of the handshake that made it; named: the server confirmed that it goes by that name; session_id,
    ticket: how the session is asked for.
    """

    suite: CipherSuite
    master_secret: bytes
    extended: bool
    encrypt_then_mac: bool
    server_name: str
    named: bool = False
    session_id: bytes = b""
    ticket: bytes = b""

    @classmethod
    def of(cls, session: OurSession) -> Session:
        """A session that our implementation has kept."""
        return cls(
            session.suite, session.master_secret, session.extended_master_secret, session.encrypt_then_mac,
            session.server_name or "", True, session.session_id, session.ticket,
        )  # fmt: skip


def derived(label: bytes, seed: bytes) -> bytes:
    """32 bytes that stand for an id or a ticket: other ones for each label and seed."""
    return hashlib.sha256(label + b" of " + seed).digest()


def session_ticket(ticket: bytes = b"") -> Extension:
    """The extension: empty to ask for a ticket or to promise one, else the ticket itself."""
    return Extension(SESSION_TICKET, ticket)


def ticket_body(ticket: bytes, lifetime_s: int = TICKET_LIFETIME_S) -> bytes:
    """The body of NewSessionTicket (RFC 5077 section 3.3)."""
    return lifetime_s.to_bytes(4, "big") + vector(ticket, 2)


def parse_ticket_body(body: bytes) -> tuple[int, bytes]:
    """Lifetime hint in seconds and ticket. Raises RemoteProtocolError."""
    reader = Reader(body, "NewSessionTicket", "RFC 5077 section 3.3")
    lifetime_s, ticket = reader.uint(4), reader.vector(2)
    reader.finish()
    return lifetime_s, ticket


def names(hello: ClientHello, session: Session | None) -> bool:
    """Whether the hello asks for this session. A ticket goes before an id (RFC 5077 section 3.4)."""
    if session is None:
        return False
    ticket = hello.extension(SESSION_TICKET)
    if ticket:
        return ticket == session.ticket
    return bool(hello.session_id) and hello.session_id == session.session_id


def asked(hello: ClientHello, session: Session | None) -> Value:
    """What the hello asks for, to a receiver that holds this session and no other."""
    ticket = hello.extension(SESSION_TICKET)
    if session is not None and names(hello, session):
        wanted = name_of(hello)
        if wanted and wanted.lower() != session.server_name.lower():
            return alphabet.by_other_name
        return alphabet.by_ticket if ticket else alphabet.by_id
    if ticket or hello.session_id:
        return alphabet.by_unknown
    return alphabet.anew if ticket is None else alphabet.ticketed


def name_of(hello: ClientHello) -> str:
    """The server name that a hello asks for; "" where there is none that can be read."""
    data = hello.extension(SERVER_NAME)
    try:
        return parse_server_name(data) or "" if data is not None else ""
    except RemoteProtocolError:
        return ""
