"""Sessions that can be resumed, and the server's cache of them.

A session is what both sides remember of a full handshake. The server finds it again by its session id, in a cache, or
in a ticket that the client keeps for it (`tickets`).

Source: RFC 5246 sections 7.3, 7.4.1.2 and F.1.4; RFC 5077 section 3; RFC 7627 section 5.4 (the flag); RFC 6066
section 3 (the name).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime

from shakeproof.impl.tls.suites import CipherSuite

SESSION_ID_LENGTH = 32
"""Bytes of the session ids that we make: the most that the field takes, too many to guess."""
MAX_SESSIONS = 1024
"""Sessions that a cache keeps. Without client certificates one is below 1 KiB, so that a full cache is small; a client
that opens connections for ever pushes out others' sessions at worst, which costs them a full handshake."""
SESSION_LIFETIME_S = 7200
"""How long a session may be resumed. "An upper limit of 24 hours is suggested" (RFC 5246 section F.1.4); OpenSSL's
default for tickets is the same as ours."""
MAX_LIFETIME_S = 86_400
"""That upper limit: also a server's longer hint for its ticket is cut down to it."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """What one side needs to resume.

    server_name: what the client asked for, in lower case; alpn: what was agreed on then, for information, since it is
    negotiated anew (RFC 7301 section 3.1). peer_certificates: the server's chain on the client; on the server the
    client's, empty where it was not authenticated. session_id or ticket: how the server finds the session again.
    """

    suite: CipherSuite
    master_secret: bytes = field(repr=False)
    extended_master_secret: bool
    encrypt_then_mac: bool
    server_name: str | None
    alpn: str | None
    peer_certificates: tuple[bytes, ...] = field(default=(), repr=False)
    session_id: bytes = b""
    ticket: bytes = field(default=b"", repr=False)
    lifetime_s: int = SESSION_LIFETIME_S
    created: datetime

    def is_fresh(self, now: datetime) -> bool:
        """Whether it may still be resumed. One from the future is as stale as one from long ago."""
        return 0 <= (now - self.created).total_seconds() < self.lifetime_s


class SessionCache:
    """A server's sessions by session id; the oldest go when it is full.

    One cache may serve many connections of one thread.
    """

    def __init__(self, capacity: int = MAX_SESSIONS) -> None:
        if capacity < 1:
            raise ValueError(f"capacity is {capacity}; it must be at least 1")
        self.capacity = capacity
        self._sessions: OrderedDict[bytes, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def put(self, session: Session) -> None:
        """Keeps a session under its session id. Raises ValueError where it has none."""
        if not session.session_id:
            raise ValueError("the session has no session_id; only its ticket can find it")
        self._sessions[session.session_id] = session
        self._sessions.move_to_end(session.session_id)
        while len(self._sessions) > self.capacity:
            self._sessions.popitem(last=False)

    def get(self, session_id: bytes, now: datetime) -> Session | None:
        """The session of that id, None where there is none or its time is over."""
        session = self._sessions.get(session_id)
        if session is not None and not session.is_fresh(now):
            del self._sessions[session_id]
            return None
        return session

    def forget(self, session_id: bytes) -> None:
        """Its connection failed: it "MUST NOT be resumed" (RFC 5246 section 7.2.2)."""
        self._sessions.pop(session_id, None)
