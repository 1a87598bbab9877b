"""The hellos as a client has them: what it offers, and what it makes of the answer.

Source: RFC 5246 sections 7.4.1.2 to 7.4.1.4; RFC 8422 section 5.1 and 5.2; RFC 7627 section 5; RFC 5746 sections 3.4
and 3.5; RFC 7366 sections 2 and 3; RFC 5077 section 3; RFC 6066 section 3; RFC 7301 section 3.
"""

from __future__ import annotations

import ipaddress
from hmac import compare_digest

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import extensions as ext
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.config import ClientConfig
from shakeproof.impl.tls.connection import Connection
from shakeproof.impl.tls.extensions import Extension, ExtensionType, extension_name
from shakeproof.impl.tls.messages import NULL_COMPRESSION, RANDOM_LENGTH, ClientHello, ServerHello
from shakeproof.impl.tls.sessions import SESSION_ID_LENGTH, Session
from shakeproof.impl.tls.states import START
from shakeproof.impl.tls.suites import FFDHE_CODES, SUITES, TLS_1_2, TLS_FALLBACK_SCSV, KeyExchange
from shakeproof.impl.tls.wire import decode_error


class ClientNegotiation(Connection):
    """What a client does with ClientHello and ServerHello; see `client.ClientConnection`."""

    is_client = True
    config: ClientConfig

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config, START)
        self.offered_extensions: frozenset[int] = frozenset()
        self.offered_session: Session | None = None
        self.offered_session_id = b""
        self.resumed_session: Session | None = None
        self.session_id = b""
        """The server's, under which it may keep the session."""

    # --- ClientHello --------------------------------------------------------------------------------------------------

    def send_client_hello(self) -> None:
        """Queues a ClientHello and begins the handshake."""
        self.begin_handshake()
        hello = self.make_client_hello()
        self.client_random = hello.random
        self.offered_extensions = frozenset([e.extension_type for e in hello.extensions or ()])
        self.negotiated.server_name = self.config.server_name
        self.send_handshake(hello)
        self.flush_flight()

    def make_client_hello(self) -> ClientHello:
        """The ClientHello that the config asks for.

        All 32 bytes of random are random: nothing needs the time in it, which would only tell our clock.
        """
        config = self.config
        suites = [suite.code for suite in config.suites]
        if config.fallback:
            suites.append(TLS_FALLBACK_SCSV)
        random = config.entropy(RANDOM_LENGTH)
        self.offered_session = self.choose_session()
        self.offered_session_id = self.make_session_id(self.offered_session)
        return ClientHello(
            client_version=TLS_1_2,
            random=random,
            session_id=self.offered_session_id,
            cipher_suites=tuple(suites),
            extensions=tuple(self.make_extensions()),
        )

    def make_session_id(self, session: Session | None) -> bytes:
        """The session's id; with a ticket one of our own, whose echo tells that the ticket is accepted.

        Source: RFC 5077 section 3.4.
        """
        if session is None:
            return b""
        return self.config.entropy(SESSION_ID_LENGTH) if session.ticket else session.session_id

    def make_extensions(self) -> list[Extension]:
        """The extensions of our ClientHello."""
        config = self.config
        extensions = []
        if config.send_server_name and not _is_ip_address(config.server_name):
            extensions.append(ext.server_name(config.server_name))
        if config.extended_master_secret:
            extensions.append(ext.extended_master_secret())
        extensions.append(ext.renegotiation_info(self.client_verify_data))
        if groups := self.offered_groups():
            extensions.append(ext.supported_groups(groups))
        if any(suite.key_exchange is KeyExchange.ECDHE for suite in config.suites):
            extensions.append(ext.ec_point_formats())
        extensions.append(ext.signature_algorithms(config.signature_algorithms))
        if config.encrypt_then_mac and any(suite.mac_hash is not None for suite in config.suites):
            extensions.append(ext.encrypt_then_mac())
        if config.tickets:
            ticket = self.offered_session.ticket if self.offered_session is not None else b""
            extensions.append(ext.session_ticket(ticket))
        if config.alpn:
            extensions.append(ext.application_layer_protocol_negotiation(config.alpn))
        return extensions

    def offered_groups(self) -> list[int]:
        """Our groups of the kinds that our suites can use, in one list (RFC 7919 section 3)."""
        kinds = {suite.key_exchange for suite in self.config.suites}
        return [
            group
            for group in self.config.groups
            if (KeyExchange.DHE if group in FFDHE_CODES else KeyExchange.ECDHE) in kinds
        ]

    # --- ServerHello --------------------------------------------------------------------------------------------------

    def read_server_hello(self, message: ServerHello) -> bool:
        """What the server chose; whether it promises a ticket."""
        self.check_server_version(message)
        self.check_cipher_suite(message)
        self.check_compression_method(message)
        self.check_extensions_were_offered(message)
        self.server_random = message.random
        self.session_id = message.session_id
        self.reader.version = TLS_1_2
        session = self.offered_session if self.accepts_session(message) else None
        self.resumed_session = session
        if session is not None:
            self.check_session_is_the_same(message, session)
        suite = SUITES[message.cipher_suite]
        self.suite = suite
        self.transcript.select_hash(suite.prf_hash)
        negotiated = self.negotiated
        negotiated.version = message.server_version
        negotiated.suite = suite
        negotiated.resumed = session is not None
        negotiated.extended_master_secret = self.check_extended_master_secret(message)
        negotiated.secure_renegotiation = self.check_renegotiation_info(message)
        negotiated.encrypt_then_mac = self.check_encrypt_then_mac(message)
        self.check_ec_point_formats(message)
        self.check_server_name_is_empty(message)
        negotiated.alpn = self.check_application_protocol(message)
        if session is not None:
            self.check_session_extended_master_secret(session)
            negotiated.peer_certificates = session.peer_certificates
            self.master_secret = session.master_secret
            self.log_secret()
        return self.check_session_ticket(message)

    def check_server_version(self, message: ServerHello) -> None:
        """TLS 1.2, the only version that we speak (RFC 5246 appendix E.1)."""
        if message.server_version != TLS_1_2:
            raise RemoteProtocolError(
                AlertDescription.PROTOCOL_VERSION,
                expected="server_version 0x0303",
                got=f"0x{message.server_version:04x}",
                clause="RFC 5246 appendix E.1",
            )

    def check_cipher_suite(self, message: ServerHello) -> None:
        """One of those that we offered."""
        if not any(suite.code == message.cipher_suite for suite in self.config.suites):
            raise self.illegal(
                "a cipher suite that was offered", f"0x{message.cipher_suite:04x}", "RFC 5246 section 7.4.1.3"
            )

    def check_compression_method(self, message: ServerHello) -> None:
        """Null, the only one that we offered."""
        if message.compression_method != NULL_COMPRESSION:
            raise self.illegal("compression method 0", f"{message.compression_method}", "RFC 5246 section 7.4.1.3")

    def check_extensions_were_offered(self, message: ServerHello) -> None:
        """No extension without its like in the ClientHello, and never signature_algorithms."""
        for extension in message.extensions or ():
            if extension.extension_type not in self.offered_extensions:
                raise RemoteProtocolError(
                    AlertDescription.UNSUPPORTED_EXTENSION,
                    expected="only extensions that were offered",
                    got=extension_name(extension.extension_type),
                    clause="RFC 5246 section 7.4.1.4",
                )
            if extension.extension_type == ExtensionType.SIGNATURE_ALGORITHMS:
                raise self.illegal(
                    "no signature_algorithms from a server", "signature_algorithms", "RFC 5246 section 7.4.1.4.1"
                )

    def check_extended_master_secret(self, message: ServerHello) -> bool:
        """Whether extended_master_secret is agreed upon (RFC 7627 section 5.2)."""
        data = message.extension(ExtensionType.EXTENDED_MASTER_SECRET)
        if data is None:
            self.check_extended_master_secret_is_kept()
            if self.config.require_extended_master_secret:
                raise self.handshake_failure(
                    "extended_master_secret", "a ServerHello without it", "RFC 7627 section 5.2"
                )
            return False
        ext.parse_empty(data, "extended_master_secret", "RFC 7627 section 5.1")
        return True

    def check_extended_master_secret_is_kept(self) -> None:
        """A server that has it answers with it (RFC 7627 section 5.2): also in a renegotiation."""
        offered = ExtensionType.EXTENDED_MASTER_SECRET in self.offered_extensions
        if self.established and self._earlier.extended_master_secret and offered:
            raise self.handshake_failure(
                "extended_master_secret again", "a ServerHello without it", "RFC 7627 section 5.2"
            )

    def check_renegotiation_info(self, message: ServerHello) -> bool:
        """Whether renegotiation is secure; in an initial handshake the field is empty (RFC 5746 section 3.4)."""
        data = message.extension(ExtensionType.RENEGOTIATION_INFO)
        if self.established:
            self.check_renegotiated_connection(data)
            return True
        if data is None:
            if self.config.require_secure_renegotiation:
                raise self.handshake_failure("renegotiation_info", "a ServerHello without it", "RFC 5746 section 4.1")
            return False
        if ext.parse_renegotiation_info(data):
            raise self.handshake_failure(
                "an empty renegotiated_connection", "one with contents", "RFC 5746 section 3.4"
            )
        return True

    def check_renegotiated_connection(self, data: bytes | None) -> None:
        """In a renegotiation it holds both verify_data of the handshake before (RFC 5746 section 3.5)."""
        if data is None:
            raise self.handshake_failure("renegotiation_info", "a ServerHello without it", "RFC 5746 section 3.5")
        expected = self.client_verify_data + self.server_verify_data
        if not compare_digest(ext.parse_renegotiation_info(data), expected):
            raise self.handshake_failure(
                "the verify_data of the handshake before", "another renegotiated_connection", "RFC 5746 section 3.5"
            )

    def check_encrypt_then_mac(self, message: ServerHello) -> bool:
        """Whether encrypt_then_mac is agreed upon: only with CBC (RFC 7366 section 3), and never back from it (3.1)."""
        data = message.extension(ExtensionType.ENCRYPT_THEN_MAC)
        has_mac = self.chosen_suite.mac_hash is not None
        if data is None:
            self.check_encrypt_then_mac_is_kept(has_mac=has_mac)
            return False
        ext.parse_empty(data, "encrypt_then_mac", "RFC 7366 section 2")
        if not has_mac:
            raise self.illegal("encrypt_then_mac with a CBC suite only", f"it with {self.suite}", "RFC 7366 section 3")
        return True

    def check_encrypt_then_mac_is_kept(self, *, has_mac: bool) -> None:
        """No downgrade to MAC-then-encrypt, neither in a renegotiation nor of a session (RFC 7366 section 3.1)."""
        session = self.resumed_session
        if has_mac and (self.encrypt_then_mac_is_kept or (session is not None and session.encrypt_then_mac)):
            raise self.handshake_failure("encrypt_then_mac again", "a ServerHello without it", "RFC 7366 section 3.1")

    def check_ec_point_formats(self, message: ServerHello) -> None:
        """If listed, uncompressed is among them (RFC 8422 section 5.2)."""
        data = message.extension(ExtensionType.EC_POINT_FORMATS)
        if data is not None and ext.UNCOMPRESSED not in ext.parse_ec_point_formats(data):
            raise self.illegal("uncompressed among the point formats", "a list without it", "RFC 8422 section 5.2")

    def check_server_name_is_empty(self, message: ServerHello) -> None:
        """A server only acknowledges server_name (RFC 6066 section 3)."""
        data = message.extension(ExtensionType.SERVER_NAME)
        if data is not None:
            ext.parse_empty(data, "server_name", "RFC 6066 section 3")

    def check_application_protocol(self, message: ServerHello) -> str | None:
        """The one protocol that the server chose from our list (RFC 7301 sections 3.1 and 3.2)."""
        data = message.extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
        if data is None:
            return None
        protocols = ext.parse_application_layer_protocol_negotiation(data)
        if len(protocols) != 1:
            raise decode_error(
                "application_layer_protocol_negotiation",
                "exactly one protocol from a server",
                f"{len(protocols)}",
                "RFC 7301 section 3.1",
            )
        for protocol in self.config.alpn:
            if protocol.encode("ascii") == protocols[0]:
                return protocol
        raise self.illegal("a protocol that was offered", repr(protocols[0]), "RFC 7301 section 3.2")

    def check_session_ticket(self, message: ServerHello) -> bool:
        """Whether the server promises a NewSessionTicket; it only says so (RFC 5077 section 3.2)."""
        data = message.extension(ExtensionType.SESSION_TICKET)
        if data is None:
            return False
        ext.parse_empty(data, "SessionTicket", "RFC 5077 section 3.2")
        return True

    # --- resumption ---------------------------------------------------------------------------------------------------

    def choose_session(self) -> Session | None:
        """The session that we offer to resume: the config's, if it is still good for this server and these settings.

        In a renegotiation none: its purpose is another full handshake.
        """
        session = self.config.session
        if session is None or self.established or not (session.ticket or session.session_id):
            return None
        return session if self.admit_session(session) else None

    def admit_session(self, session: Session) -> bool:
        """Whether the session may be offered now.

        One without extended master secret is not, unless we do without altogether (RFC 7627 section 5.3); the
        server's certificate is judged again, since sessions outlive it.
        """
        config = self.config
        now = config.clock()
        return (
            session.is_fresh(now)
            and session.server_name == self.session_name
            and session.extended_master_secret == config.extended_master_secret
            and session.suite in config.suites
            and bool(session.peer_certificates)
            and config.verify(session.peer_certificates, config.server_name, now).accepted
        )

    @property
    def session_name(self) -> str:
        """The name that sessions of this connection are for."""
        return self.config.server_name.lower()

    def accepts_session(self, message: ServerHello) -> bool:
        """Whether the server resumes: it then echoes the session id, also the one that came with a ticket.

        Source: RFC 5246 section 7.4.1.3; RFC 5077 section 3.4.
        """
        return self.offered_session is not None and message.session_id == self.offered_session_id

    def check_session_is_the_same(self, message: ServerHello, session: Session) -> None:
        """The suite is the session's (RFC 5246 section 7.4.1.3)."""
        if message.cipher_suite != session.suite.code:
            raise self.illegal(
                f"{session.suite}, the suite of the session that is resumed",
                f"0x{message.cipher_suite:04x}",
                "RFC 5246 section 7.4.1.3",
            )

    def check_session_extended_master_secret(self, session: Session) -> None:
        """As in the session (RFC 7627 section 5.3)."""
        agreed = self.negotiated.extended_master_secret
        if agreed != session.extended_master_secret:
            raise self.handshake_failure(
                f"extended_master_secret {'with' if session.extended_master_secret else 'without'}, as in the session",
                f"a ServerHello {'with' if agreed else 'without'} it",
                "RFC 7627 section 5.3",
            )


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
