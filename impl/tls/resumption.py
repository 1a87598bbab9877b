"""Resumption as a server has it: which session it finds for a ClientHello, and whether it takes it.

A session that is not admitted is no fault: the handshake is then a full one. What a client may not do is refused.

Source: RFC 5246 sections 7.3, 7.4.1.2 and 7.2.2; RFC 5077 section 3; RFC 7627 section 5.3; RFC 6066 section 3; RFC 7366
section 3.1.
"""

from __future__ import annotations

from shakeproof.impl.tls.config import ServerConfig
from shakeproof.impl.tls.messages import ClientHello
from shakeproof.impl.tls.server_hello import Offer, ServerNegotiation, normal
from shakeproof.impl.tls.sessions import SESSION_ID_LENGTH, SESSION_LIFETIME_S, Session


class ServerResumption(ServerNegotiation):
    """What a server does about sessions; see `server.ServerConnection`."""

    def __init__(self, config: ServerConfig, state: str) -> None:
        super().__init__(config, state)
        self.session_id = b""
        """What ServerHello says."""
        self.session_ids: set[bytes] = set()
        """Of all handshakes of this connection."""
        self.resumed_session: Session | None = None
        self.grants_ticket = False

    # --- which session ------------------------------------------------------------------------------------------------

    def choose_session(self, message: ClientHello, offer: Offer) -> Session | None:
        """The session that the client asks for, if we have it and take it; None for a full handshake."""
        session = self.find_session(message, offer)
        if session is None or not (self.admit_session_name(session, offer) and self.admit_session_client(session)):
            return None
        self.check_session_suite(session, message)
        if not self.admit_session_extended_master_secret(session, offer):
            return None
        self.check_session_extended_master_secret(session, offer)
        if session.suite not in self.config.suites or not self.admit_session_encrypt_then_mac(session, offer):
            return None
        return session

    def find_session(self, message: ClientHello, offer: Offer) -> Session | None:
        """By ticket; by session id only where no ticket is presented (RFC 5077 section 3.4)."""
        now = self.config.clock()
        if offer.ticket:
            return self.config.ticket_keys.open(offer.ticket, now) if self.config.ticket_keys is not None else None
        if message.session_id and self.config.sessions is not None:
            return self.config.sessions.get(message.session_id, now)
        return None

    def admit_session_name(self, session: Session, offer: Offer) -> bool:
        """Never under another name than it was made for (RFC 6066 section 3): its site may ask less of clients."""
        return session.server_name == normal(offer.server_name)

    def admit_session_client(self, session: Session) -> bool:
        """Whether the client that the session knows is one whom the site would still admit.

        Where the site requires a certificate, a session without one is not resumed; one with a certificate is,
        as long as the certificate still holds.
        """
        chain, site = session.peer_certificates, self.site
        if not chain:
            return site.client_authentication != "require"
        if site.client_authentication == "none" or site.verify_client is None:
            return False
        return site.verify_client(chain, "", self.config.clock()).accepted

    def admit_session_extended_master_secret(self, session: Session, offer: Offer) -> bool:
        """A session without it is not resumed by a client that offers it (RFC 7627 section 5.3, first case)."""
        return session.extended_master_secret or not offer.extended_master_secret

    def admit_session_encrypt_then_mac(self, session: Session, offer: Offer) -> bool:
        """The mechanism of a session stays what it was (RFC 7366 section 3.1), if it has a MAC of its own."""
        return session.suite.mac_hash is None or session.encrypt_then_mac == offer.encrypt_then_mac

    def check_session_extended_master_secret(self, session: Session, offer: Offer) -> None:
        """A session with it is not resumed without (RFC 7627 section 5.3, second case).

        Where neither has it, the text recommends to abort; we resume, as every stack does, unless the config
        requires extended master secret, and never renegotiate such a connection (section 5.4).
        """
        if session.extended_master_secret and not offer.extended_master_secret:
            raise self.handshake_failure(
                "extended_master_secret, as in the session", "a ClientHello without it", "RFC 7627 section 5.3"
            )

    def check_session_suite(self, session: Session, message: ClientHello) -> None:
        """The client offers the session's suite, as it must (RFC 5246 section 7.4.1.2)."""
        if session.suite.code not in message.cipher_suites:
            raise self.illegal(
                f"{session.suite}, the suite of the session, among those offered",
                f"suites {' '.join([f'{code:04x}' for code in message.cipher_suites[:16]])}",
                "RFC 5246 section 7.4.1.2",
            )

    # --- what we give -------------------------------------------------------------------------------------------------

    def choose_ticket(self, offer: Offer) -> bool:
        """Whether we promise a ticket: to a client that asks in a full handshake, or one whose ticket's key is old."""
        keys = self.config.ticket_keys
        if keys is None or offer.ticket is None:
            return False
        if self.resumed_session is None:
            return True
        return offer.ticket != b"" and not keys.is_current(offer.ticket, self.config.clock())

    def choose_session_id(self, message: ClientHello) -> bytes:
        """The client's own where we resume; a new one where we keep the session; else empty: it cannot be resumed.

        Empty also where we promise a ticket (RFC 5077 section 3.4).
        """
        if self.resumed_session is not None:
            return message.session_id
        if self.grants_ticket or self.config.sessions is None:
            return b""
        return self.config.entropy(SESSION_ID_LENGTH)

    def make_ticket(self) -> tuple[int, bytes]:
        """Lifetime in seconds, and ticket; it is empty where the session does not fit into one."""
        keys = self.config.ticket_keys
        session = self.new_session()
        ticket = keys.seal(session, self.config.clock()) if keys is not None else b""
        remaining = session.lifetime_s - int((self.config.clock() - session.created).total_seconds())
        return max(remaining, 1) if ticket else 0, ticket

    def new_session(self, *, session_id: bytes = b"") -> Session:
        """The session of this handshake; one that is resumed keeps the time when it began."""
        negotiated = self.negotiated
        if self.resumed_session is not None:
            return self.resumed_session
        return Session(
            suite=self.chosen_suite,
            master_secret=self.master_secret,
            extended_master_secret=negotiated.extended_master_secret,
            encrypt_then_mac=negotiated.encrypt_then_mac,
            server_name=normal(negotiated.server_name),
            alpn=negotiated.alpn,
            peer_certificates=negotiated.peer_certificates,
            session_id=session_id,
            lifetime_s=SESSION_LIFETIME_S,
            created=self.config.clock(),
        )

    def make_session(self) -> Session | None:
        """Keeps a new session under its id."""
        if self.resumed_session is not None:
            return self.resumed_session
        if self.session_id and self.config.sessions is not None:
            session = self.new_session(session_id=self.session_id)
            self.config.sessions.put(session)
            return session
        return None

    def forget_session(self) -> None:
        """The connection failed: its session is not resumed again (RFC 5246, 7.2.2). Tickets cannot be called back."""
        super().forget_session()
        if self.config.sessions is not None:
            for session_id in self.session_ids:
                self.config.sessions.forget(session_id)
