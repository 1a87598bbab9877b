"""The client of a TLS 1.2 handshake.

Source: RFC 5246 sections 7.3 and 7.4; RFC 8422 section 5; RFC 7919 section 3; RFC 5077 section 3; RFC 5746 section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import rsa

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import finite_field
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.certificates import Leaf, issuers, load_leaf, refusal
from shakeproof.impl.tls.client_hello import ClientNegotiation
from shakeproof.impl.tls.config import ClientConfig, Credential
from shakeproof.impl.tls.events import CertificateValidated, HelloRequestIgnored
from shakeproof.impl.tls.finite_field import FiniteFieldKey
from shakeproof.impl.tls.key_exchange import (
    EphemeralKey,
    encrypt_pre_master_secret,
    ephemeral_key,
    new_pre_master_secret,
    signed_params,
)
from shakeproof.impl.tls.messages import (
    CERTIFICATE_TYPES,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    DheClientKeyExchange,
    DheServerKeyExchange,
    EcdheClientKeyExchange,
    EcdheServerKeyExchange,
    HandshakeType,
    HelloRequest,
    NewSessionTicket,
    RsaClientKeyExchange,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from shakeproof.impl.tls.sessions import MAX_LIFETIME_S, SESSION_LIFETIME_S, Session
from shakeproof.impl.tls.signatures import authentication_of, authentication_of_key, sign, verify
from shakeproof.impl.tls.states import CONNECTED, MAX_HELLO_REQUESTS, START, WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED
from shakeproof.impl.tls.suites import FFDHE_CODES, TLS_1_2, Authentication, KeyExchange
from shakeproof.impl.tls.wire import decode_error

WAIT_SERVER_HELLO = "WAIT_SERVER_HELLO"
WAIT_CERTIFICATE = "WAIT_CERTIFICATE"
WAIT_SERVER_KEY_EXCHANGE = "WAIT_SERVER_KEY_EXCHANGE"
WAIT_SERVER_HELLO_DONE = "WAIT_SERVER_HELLO_DONE"
WAIT_NEW_SESSION_TICKET = "WAIT_NEW_SESSION_TICKET"

_HELLO_REQUEST = HandshakeType.HELLO_REQUEST


class ClientConnection(ClientNegotiation):
    """A client. Call `start`, then carry bytes between it and the server."""

    # HelloRequest "can be sent at any time" (RFC 5246 section 7.4)
    admitted: ClassVar[Mapping[str, frozenset[int]]] = {
        WAIT_SERVER_HELLO: frozenset({_HELLO_REQUEST, HandshakeType.SERVER_HELLO}),
        WAIT_CERTIFICATE: frozenset({_HELLO_REQUEST, HandshakeType.CERTIFICATE}),
        WAIT_SERVER_KEY_EXCHANGE: frozenset({_HELLO_REQUEST, HandshakeType.SERVER_KEY_EXCHANGE}),
        WAIT_SERVER_HELLO_DONE: frozenset(
            {_HELLO_REQUEST, HandshakeType.CERTIFICATE_REQUEST, HandshakeType.SERVER_HELLO_DONE}
        ),
        WAIT_NEW_SESSION_TICKET: frozenset({_HELLO_REQUEST, HandshakeType.NEW_SESSION_TICKET}),
        WAIT_CHANGE_CIPHER_SPEC: frozenset({_HELLO_REQUEST}),
        WAIT_FINISHED: frozenset({_HELLO_REQUEST, HandshakeType.FINISHED}),
        CONNECTED: frozenset({_HELLO_REQUEST}),
    }
    handlers: ClassVar[Mapping[int, str]] = {
        HandshakeType.HELLO_REQUEST: "receive_hello_request",
        HandshakeType.SERVER_HELLO: "receive_server_hello",
        HandshakeType.NEW_SESSION_TICKET: "receive_new_session_ticket",
        HandshakeType.CERTIFICATE: "receive_certificate",
        HandshakeType.SERVER_KEY_EXCHANGE: "receive_server_key_exchange",
        HandshakeType.CERTIFICATE_REQUEST: "receive_certificate_request",
        HandshakeType.SERVER_HELLO_DONE: "receive_server_hello_done",
        HandshakeType.FINISHED: "receive_finished",
    }

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config)
        self.leaf: Leaf | None = None
        self.ephemeral: EphemeralKey | None = None
        self.pre_master_secret = b""
        self.certificate_request: CertificateRequest | None = None
        self.ticket_promised = False
        self.ticket: NewSessionTicket | None = None

    # --- hellos -------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Queues the ClientHello. Raises LocalProtocolError the second time."""
        if self.state != START:
            raise LocalProtocolError(f"start() in {self.state}: a connection starts once")
        self.send_client_hello()
        self.state = WAIT_SERVER_HELLO

    def begin_handshake(self) -> None:
        """A handshake begins: nothing is known of the server in it yet."""
        super().begin_handshake()
        self.leaf = None
        self.ephemeral = None
        self.certificate_request = None
        self.ticket_promised = False
        self.ticket = None

    def receive_hello_request(self, _: HelloRequest) -> None:
        """Ignored while negotiating; else answered with a ClientHello, or refused with no_renegotiation.

        Source: RFC 5246 section 7.4.1.1.
        """
        self.check_bound("HelloRequests", MAX_HELLO_REQUESTS, "RFC 5246 section 7.4.1.1")
        if self.state != CONNECTED:
            self._events.append(HelloRequestIgnored())
        elif self.accept_renegotiation():
            self.ask_for_renegotiation()

    def ask_for_renegotiation(self) -> None:
        """A client asks with its ClientHello."""
        self.send_client_hello()
        self.state = WAIT_SERVER_HELLO

    def receive_no_renegotiation(self) -> None:
        """The server does not want to negotiate anew: all stays as it is (RFC 5246 section 7.2.2)."""
        if self.is_renegotiating and self.state == WAIT_SERVER_HELLO:
            self.abandon_handshake()

    def receive_server_hello(self, message: ServerHello) -> None:
        """What the server chose: a full handshake, or an abbreviated one."""
        self.ticket_promised = self.read_server_hello(message)
        self.state = self.state_before_finished if self.negotiated.resumed else WAIT_CERTIFICATE

    @property
    def state_before_finished(self) -> str:
        """What comes before the server's Finished: NewSessionTicket if it was promised, then ChangeCipherSpec."""
        return WAIT_NEW_SESSION_TICKET if self.ticket_promised else WAIT_CHANGE_CIPHER_SPEC

    # --- Certificate, ServerKeyExchange -------------------------------------------------------------------------------

    def receive_certificate(self, message: Certificate) -> None:
        """The server's chain. It is validated here, before anything is done with its key."""
        self.check_certificate_list(message)
        self.negotiated.peer_certificates = message.certificate_list
        leaf = load_leaf(message.certificate_list[0])
        self.leaf = leaf
        self.check_certificate_chain(message.certificate_list)
        self.check_certificate_is_kept(message.certificate_list)
        self.check_certificate_fits(leaf)
        by_rsa = self.chosen_suite.key_exchange is KeyExchange.RSA
        self.state = WAIT_SERVER_HELLO_DONE if by_rsa else WAIT_SERVER_KEY_EXCHANGE

    def check_certificate_list(self, message: Certificate) -> None:
        """A server always has a certificate; only a client may send none (RFC 5246 section 7.4.2)."""
        if not message.certificate_list:
            raise decode_error("Certificate", "a server's certificate", "an empty list", "RFC 5246 section 7.4.2")

    def check_certificate_chain(self, chain: tuple[bytes, ...]) -> None:
        """Asks the validator whether the chain is trusted for that name now."""
        outcome = self.config.verify(chain, self.config.server_name, self.config.clock())
        self._events.append(CertificateValidated(outcome))
        if not outcome.accepted:
            raise refusal(outcome, f"a certificate that is trusted for {self.config.server_name!r}")

    def check_certificate_is_kept(self, chain: tuple[bytes, ...]) -> None:
        """In a renegotiation without extended master secret, the server is who it was before.

        With it "it is safe ... to allow for certificate changes across renegotiation" (RFC 7627 section 6.1): without,
        another certificate is the mark of the triple handshake.
        """
        before = self._earlier
        if not self.established or before.extended_master_secret:
            return
        if chain[:1] != before.peer_certificates[:1]:
            raise self.handshake_failure(
                "the certificate of the handshake before", "another certificate", "RFC 7627 section 6.1"
            )

    def check_certificate_fits(self, leaf: Leaf) -> None:
        """Key type, curve and keyUsage fit the key exchange (RFC 5246 section 7.4.2, RFC 8422 section 5.3)."""
        suite = self.chosen_suite
        if leaf.authentication is not suite.authentication:
            raise self.unsupported_certificate(f"a key of type {suite.authentication}", f"{leaf.authentication}")
        if leaf.authentication is Authentication.ECDSA and leaf.group not in self.config.groups:
            raise self.unsupported_certificate("a key on a curve that was offered", f"curve {leaf.group}")
        if suite.key_exchange is KeyExchange.RSA:
            if leaf.key_encipherment is False:
                raise self.unsupported_certificate("keyEncipherment in keyUsage", "a keyUsage without it")
        elif leaf.digital_signature is False:
            raise self.unsupported_certificate("digitalSignature in keyUsage", "a keyUsage without it")

    def receive_server_key_exchange(self, message: ServerKeyExchange) -> None:
        """The server's ephemeral key, signed. Never under RSA key exchange: there `admit` refuses it."""
        if isinstance(message, EcdheServerKeyExchange):
            self.check_server_key_exchange_group(message)
        self.check_server_key_exchange_algorithm(message)
        self.check_server_key_exchange_signature(message)
        self.negotiated.signature_algorithm = message.algorithm
        if isinstance(message, DheServerKeyExchange):
            self.ephemeral = self.accept_dh_group(message)
        else:
            self.negotiated.group = message.group
            self.ephemeral = ephemeral_key(message.group, self.config.entropy)
        self.pre_master_secret = self.ephemeral.exchange(message.public)
        self.state = WAIT_SERVER_HELLO_DONE

    def accept_dh_group(self, message: DheServerKeyExchange) -> FiniteFieldKey:
        """Our key in the server's group, which need not be one that we named (RFC 7919 section 3)."""
        p, g = int.from_bytes(message.p, "big"), int.from_bytes(message.g, "big")
        self.check_dh_size(p)
        self.check_dh_group(p, g)
        self.check_dh_public(message.public, p)
        self.negotiated.group = finite_field.named_group(p, g)
        return FiniteFieldKey(finite_field.field_of(p, g), self.config.entropy)

    def check_dh_size(self, p: int) -> None:
        """Not weak, not huge (RFC 5246 section F.1.1.3)."""
        finite_field.check_size(p)

    def check_dh_group(self, p: int, g: int) -> None:
        """Numbers that can be a group."""
        finite_field.check_group(p, g)

    def check_dh_public(self, public: bytes, p: int) -> None:
        """The server's value is in range (RFC 7919 section 3)."""
        finite_field.check_public(public, p)

    def check_server_key_exchange_group(self, message: EcdheServerKeyExchange) -> None:
        """A curve that we offered (RFC 8422 section 5.1); finite fields have a form of their own."""
        if message.group not in self.config.groups or message.group in FFDHE_CODES:
            raise self.illegal("a group that was offered", f"group {message.group}", "RFC 8422 section 5.4")

    def check_server_key_exchange_algorithm(self, message: ServerKeyExchange) -> None:
        """An algorithm that we offered, and of the kind that the suite says (RFC 5246 section 7.4.3)."""
        if message.algorithm not in self.config.signature_algorithms:
            raise self.illegal(
                "a signature algorithm that was offered", f"0x{message.algorithm:04x}", "RFC 5246 section 7.4.3"
            )
        if authentication_of(message.algorithm) is not self.chosen_suite.authentication:
            raise self.illegal(
                f"a signature algorithm for a key of type {self.chosen_suite.authentication}",
                f"0x{message.algorithm:04x}",
                "RFC 5246 section 7.4.3",
            )

    def check_server_key_exchange_signature(self, message: ServerKeyExchange) -> None:
        """The certificate's key signed the parameters for this handshake (RFC 5246 section 7.4.3)."""
        signed = signed_params(self.client_random, self.server_random, message.params)
        public_key = self.leaf.public_key if self.leaf is not None else None
        if not verify(public_key, message.algorithm, message.signature, signed):
            raise RemoteProtocolError(
                AlertDescription.DECRYPT_ERROR,
                expected="a signature of the certificate's key over both randoms and the parameters",
                got="a signature that does not verify",
                clause="RFC 5246 section 7.4.3",
            )

    # --- client authentication ----------------------------------------------------------------------------------------

    def receive_certificate_request(self, message: CertificateRequest) -> None:
        """The server asks who we are (RFC 5246 section 7.4.4): once, since it is one message of its flight."""
        if self.certificate_request is not None:
            raise self.unexpected("a second CertificateRequest", "RFC 5246 section 7.3")
        self.certificate_request = message

    def choose_credential(self, request: CertificateRequest) -> tuple[Credential, int] | None:
        """Our first credential that fits the request, with the algorithm to sign with; None where none does."""
        for credential in self.config.credentials:
            algorithm = self.choose_signing_algorithm(credential, request)
            if algorithm is not None and self.admits_authority(credential, request):
                return credential, algorithm
        return None

    def choose_signing_algorithm(self, credential: Credential, request: CertificateRequest) -> int | None:
        """Our first algorithm for that key among the server's, if it takes such keys (RFC 5246 section 7.4.4)."""
        kind = authentication_of_key(credential.private_key)
        if kind is None or CERTIFICATE_TYPES[kind] not in request.certificate_types:
            return None
        for algorithm in self.config.signing_algorithms:
            if algorithm in request.signature_algorithms and authentication_of(algorithm) is kind:
                return algorithm
        return None

    def admits_authority(self, credential: Credential, request: CertificateRequest) -> bool:
        """Whether one of the chain is issued by an authority that the server names, if it names any (section 7.4.6)."""
        return not request.authorities or any(issuer in request.authorities for issuer in issuers(credential.chain))

    # --- our flight ---------------------------------------------------------------------------------------------------

    def receive_server_hello_done(self, _: ServerHelloDone) -> None:
        """The server waits: Certificate if it asked, ClientKeyExchange, CertificateVerify, ChangeCipherSpec, Finished.

        Where no credential fits, that is said with an empty list (RFC 5246 section 7.4.6).
        """
        shown: tuple[Credential, int] | None = None
        if self.certificate_request is not None:
            shown = self.choose_credential(self.certificate_request)
            chain = tuple(shown[0].chain) if shown is not None else ()
            self.send_handshake(Certificate(chain))
            self.negotiated.client_certificates = chain
        self.send_client_key_exchange()
        self.set_master_secret(self.pre_master_secret)
        self.pre_master_secret = b""
        self.ephemeral = None
        if shown is not None:
            self.send_certificate_verify(*shown)
        self.send_change_cipher_spec()
        self.send_finished()
        self.state = self.state_before_finished

    def send_client_key_exchange(self) -> None:
        """Our part of the pre-master secret."""
        if self.ephemeral is not None:
            by_dhe = isinstance(self.ephemeral, FiniteFieldKey)
            form = DheClientKeyExchange if by_dhe else EcdheClientKeyExchange
            self.send_handshake(form(self.ephemeral.public))
            return
        public_key = self.leaf.public_key if self.leaf is not None else None
        if not isinstance(public_key, rsa.RSAPublicKey):
            raise self.unsupported_certificate("an RSA key", type(public_key).__name__)
        entropy = self.config.entropy
        self.pre_master_secret = new_pre_master_secret(TLS_1_2, entropy)
        encrypted = encrypt_pre_master_secret(public_key, self.pre_master_secret, entropy)
        self.send_handshake(RsaClientKeyExchange(encrypted))

    def send_certificate_verify(self, credential: Credential, algorithm: int) -> None:
        """Our signature over all messages so far (RFC 5246 section 7.4.8)."""
        signature = sign(credential.private_key, algorithm, self.transcript.everything())
        self.send_handshake(CertificateVerify(algorithm, signature))

    # --- the end ------------------------------------------------------------------------------------------------------

    def receive_new_session_ticket(self, message: NewSessionTicket) -> None:
        """A ticket for the next connection, good once Finished is verified (RFC 5077 section 3.3)."""
        self.ticket = message
        self.state = WAIT_CHANGE_CIPHER_SPEC

    def finished_received(self) -> None:
        """The server's Finished ends a full handshake; in an abbreviated one ours follows."""
        if self.negotiated.resumed:
            self.send_change_cipher_spec()
            self.send_finished()
        self.complete()

    def make_session(self) -> Session | None:
        """By the ticket, if we got one; else by the server's session id, if it gave one; else the one that was resumed.

        "If the client receives a session ticket from the server, then it discards any Session ID" (RFC 5077 section
        3.4). The lifetime is the server's hint, up to our limit.
        """
        if self.ticket is not None and self.ticket.ticket:
            return self.new_session(self.ticket.lifetime_s or SESSION_LIFETIME_S, ticket=self.ticket.ticket)
        if self.resumed_session is not None:
            return self.resumed_session
        return self.new_session(SESSION_LIFETIME_S, session_id=self.session_id) if self.session_id else None

    def new_session(self, lifetime_s: int, *, session_id: bytes = b"", ticket: bytes = b"") -> Session:
        """The session of this handshake."""
        negotiated = self.negotiated
        return Session(
            suite=self.chosen_suite,
            master_secret=self.master_secret,
            extended_master_secret=negotiated.extended_master_secret,
            encrypt_then_mac=negotiated.encrypt_then_mac,
            server_name=self.session_name,
            alpn=negotiated.alpn,
            peer_certificates=negotiated.peer_certificates,
            session_id=session_id,
            ticket=ticket,
            lifetime_s=min(lifetime_s, MAX_LIFETIME_S),
            created=self.config.clock(),
        )

    def unsupported_certificate(self, expected: str, got: str) -> RemoteProtocolError:
        """unsupported_certificate."""
        return RemoteProtocolError(
            AlertDescription.UNSUPPORTED_CERTIFICATE, expected=expected, got=got, clause="RFC 5246 section 7.4.2"
        )
