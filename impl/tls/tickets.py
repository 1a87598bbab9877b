"""Tickets: a server's sessions, sealed, in the hands of the clients.

The construction that RFC 5077 section 4 recommends: key_name, IV, AES-128-CBC under one key, HMAC-SHA-256 over all
under another. The keys are drawn when first needed and replaced after a while; the ones before still open tickets, so
that a rotation costs nobody a session. A ticket that does not open is no error: the handshake is then a full one.

Source: RFC 5077 sections 3.3, 4 and 5.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from hmac import compare_digest
from hmac import digest as hmac_digest

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.keys import MASTER_SECRET_LENGTH
from shakeproof.impl.tls.sessions import MAX_LIFETIME_S, Session
from shakeproof.impl.tls.suites import SUITES, TLS_1_2
from shakeproof.impl.tls.wire import Reader, vector

KEY_NAME_LENGTH = 16
IV_LENGTH = 16
AES_KEY_LENGTH = 16
MAC_KEY_LENGTH = 32
MAC_LENGTH = 32
BLOCK_LENGTH = 16
MAX_TICKET_LENGTH = (1 << 16) - 1
"""NewSessionTicket has 16 bits for it, and so has the extension."""
KEY_LIFETIME_S = 43_200
"""After half a day new tickets get a new key: whoever steals a key reads half a day of resumed connections."""
MAX_KEYS = 1 + -(-MAX_LIFETIME_S // KEY_LIFETIME_S)
"""The current key, and those before it as long as a ticket of theirs can be fresh."""

_CLAUSE = "RFC 5077 section 4"
_EXTENDED_MASTER_SECRET, _ENCRYPT_THEN_MAC, _HAS_NAME, _HAS_ALPN = 1, 2, 4, 8


@dataclass(frozen=True)
class TicketKey:
    """One generation of keys."""

    name: bytes
    aes_key: bytes
    mac_key: bytes
    made: datetime


class TicketKeys:
    """Seals sessions into tickets and opens them again. One object may serve many connections of one thread."""

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom, lifetime_s: int = KEY_LIFETIME_S) -> None:
        self.entropy = entropy
        self.lifetime_s = lifetime_s
        self.keys: list[TicketKey] = []
        """Newest first."""

    def new_key(self, now: datetime) -> TicketKey:
        """A fresh generation."""
        entropy = self.entropy
        return TicketKey(entropy(KEY_NAME_LENGTH), entropy(AES_KEY_LENGTH), entropy(MAC_KEY_LENGTH), now)

    def current_key(self, now: datetime) -> TicketKey:
        """The key that seals now; a new one where the last is too old."""
        if not self.keys or (now - self.keys[0].made).total_seconds() >= self.lifetime_s:
            self.keys.insert(0, self.new_key(now))
            del self.keys[MAX_KEYS:]
        return self.keys[0]

    def seal(self, session: Session, now: datetime) -> bytes:
        """The ticket; empty where the session is too long for one, which the caller may send like any other."""
        key = self.current_key(now)
        state = encode_state(session)
        padding = BLOCK_LENGTH - len(state) % BLOCK_LENGTH
        iv = self.entropy(IV_LENGTH)
        encryptor = Cipher(algorithms.AES(key.aes_key), modes.CBC(iv)).encryptor()
        encrypted = encryptor.update(state + bytes((padding,)) * padding) + encryptor.finalize()
        if KEY_NAME_LENGTH + IV_LENGTH + 2 + len(encrypted) + MAC_LENGTH > MAX_TICKET_LENGTH:
            return b""
        covered = key.name + iv + vector(encrypted, 2)
        return covered + hmac_digest(key.mac_key, covered, "sha256")

    def open(self, ticket: bytes, now: datetime) -> Session | None:
        """The session in the ticket; None where it is none of ours, was changed, or is too old."""
        key = self.key_of(ticket)
        if key is None or not self.check_mac(key, ticket):
            return None
        try:
            reader = Reader(ticket[:-MAC_LENGTH], "ticket", _CLAUSE)
            reader.take(KEY_NAME_LENGTH)
            iv = reader.take(IV_LENGTH)
            encrypted = reader.vector(2, BLOCK_LENGTH)
            reader.finish()
            decryptor = Cipher(algorithms.AES(key.aes_key), modes.CBC(iv)).decryptor()
            state = decryptor.update(encrypted) + decryptor.finalize()
            session = decode_state(state[: -state[-1]])
        except (RemoteProtocolError, ValueError):
            return None  # ours by its MAC, and of a form that we no longer read
        return session if session is not None and session.is_fresh(now) else None

    def key_of(self, ticket: bytes) -> TicketKey | None:
        """The key that the ticket names."""
        for key in self.keys:
            if key.name == ticket[:KEY_NAME_LENGTH]:
                return key
        return None

    def is_current(self, ticket: bytes, now: datetime) -> bool:
        """Whether the ticket was sealed with the key that seals now; else it is worth a new one."""
        return self.current_key(now).name == ticket[:KEY_NAME_LENGTH]

    def check_mac(self, key: TicketKey, ticket: bytes) -> bool:
        """Whether the ticket's MAC is right, in constant time."""
        covered, mac = ticket[:-MAC_LENGTH], ticket[-MAC_LENGTH:]
        return compare_digest(hmac_digest(key.mac_key, covered, "sha256"), mac)


def encode_state(session: Session) -> bytes:
    """StatePlaintext, with what the extensions add to it (RFC 5077 section 4)."""
    name, alpn = session.server_name, session.alpn
    flags = (
        _EXTENDED_MASTER_SECRET * session.extended_master_secret
        | _ENCRYPT_THEN_MAC * session.encrypt_then_mac
        | _HAS_NAME * (name is not None)
        | _HAS_ALPN * (alpn is not None)
    )
    return b"".join(
        (
            TLS_1_2.to_bytes(2, "big"),
            session.suite.code.to_bytes(2, "big"),
            session.master_secret,
            bytes((flags,)),
            vector((name or "").encode("ascii"), 2),
            vector((alpn or "").encode("ascii"), 1),
            vector(b"".join([vector(certificate, 3) for certificate in session.peer_certificates]), 3),
            int(session.created.timestamp()).to_bytes(8, "big"),
            session.lifetime_s.to_bytes(4, "big"),
        )
    )


def decode_state(state: bytes) -> Session | None:
    """The session; None for a suite or version that we no longer speak. Raises RemoteProtocolError for another form."""
    reader = Reader(state, "ticket state", _CLAUSE)
    version, code = reader.uint(2), reader.uint(2)
    suite = SUITES.get(code)
    if version != TLS_1_2 or suite is None:
        return None
    master_secret = reader.take(MASTER_SECRET_LENGTH)
    flags = reader.uint(1)
    name, alpn = reader.vector(2).decode("ascii"), reader.vector(1).decode("ascii")
    chain = Reader(reader.vector(3), "ticket certificates", _CLAUSE)
    certificates = []
    while chain.remaining:
        certificates.append(chain.vector(3, 1))
    created, lifetime_s = reader.uint(8), reader.uint(4)
    reader.finish()
    return Session(
        suite=suite,
        master_secret=master_secret,
        extended_master_secret=bool(flags & _EXTENDED_MASTER_SECRET),
        encrypt_then_mac=bool(flags & _ENCRYPT_THEN_MAC),
        server_name=name if flags & _HAS_NAME else None,
        alpn=alpn if flags & _HAS_ALPN else None,
        peer_certificates=tuple(certificates),
        lifetime_s=lifetime_s,
        created=datetime.fromtimestamp(created, UTC),
    )
