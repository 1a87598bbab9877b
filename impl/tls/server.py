"""The server of a TLS 1.2 handshake.

Source: RFC 5246 sections 7.3 and 7.4; RFC 8422 section 5; RFC 5077 section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import rsa

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import finite_field
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.certificates import CURVES, Leaf, load_leaf, refusal
from shakeproof.impl.tls.config import Credential, ServerConfig
from shakeproof.impl.tls.events import CertificateValidated
from shakeproof.impl.tls.extensions import session_ticket
from shakeproof.impl.tls.finite_field import FiniteFieldKey
from shakeproof.impl.tls.key_exchange import EphemeralKey, decrypt_pre_master_secret, ephemeral_key, signed_params
from shakeproof.impl.tls.messages import (
    CERTIFICATE_TYPES,
    RANDOM_LENGTH,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    DheServerKeyExchange,
    EcdheServerKeyExchange,
    HandshakeType,
    HelloRequest,
    NewSessionTicket,
    RsaClientKeyExchange,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    dh_params,
    ecdh_params,
)
from shakeproof.impl.tls.resumption import ServerResumption
from shakeproof.impl.tls.server_hello import Choice, Offer
from shakeproof.impl.tls.sessions import Session
from shakeproof.impl.tls.signatures import authentication_of, sign, verify
from shakeproof.impl.tls.states import CONNECTED, WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED
from shakeproof.impl.tls.suites import TLS_1_2, Authentication, CipherSuite

WAIT_CLIENT_HELLO = "WAIT_CLIENT_HELLO"
WAIT_CERTIFICATE = "WAIT_CERTIFICATE"
WAIT_CLIENT_KEY_EXCHANGE = "WAIT_CLIENT_KEY_EXCHANGE"
WAIT_CERTIFICATE_VERIFY = "WAIT_CERTIFICATE_VERIFY"


class ServerConnection(ServerResumption):
    """A server. It waits for a ClientHello from the beginning."""

    admitted: ClassVar[Mapping[str, frozenset[int]]] = {
        WAIT_CLIENT_HELLO: frozenset({HandshakeType.CLIENT_HELLO}),
        WAIT_CERTIFICATE: frozenset({HandshakeType.CERTIFICATE}),
        WAIT_CLIENT_KEY_EXCHANGE: frozenset({HandshakeType.CLIENT_KEY_EXCHANGE}),
        WAIT_CERTIFICATE_VERIFY: frozenset({HandshakeType.CERTIFICATE_VERIFY}),
        WAIT_FINISHED: frozenset({HandshakeType.FINISHED}),
        CONNECTED: frozenset({HandshakeType.CLIENT_HELLO}),
    }
    handlers: ClassVar[Mapping[int, str]] = {
        HandshakeType.CLIENT_HELLO: "receive_client_hello",
        HandshakeType.CERTIFICATE: "receive_certificate",
        HandshakeType.CLIENT_KEY_EXCHANGE: "receive_client_key_exchange",
        HandshakeType.CERTIFICATE_VERIFY: "receive_certificate_verify",
        HandshakeType.FINISHED: "receive_finished",
    }

    def __init__(self, config: ServerConfig) -> None:
        super().__init__(config, WAIT_CLIENT_HELLO)
        self.credential: Credential | None = None
        self.ephemeral: EphemeralKey | None = None
        self.certificate_request: CertificateRequest | None = None
        self.client_leaf: Leaf | None = None

    # --- ClientHello --------------------------------------------------------------------------------------------------

    def receive_client_hello(self, message: ClientHello) -> None:
        """The client's offer, answered with our whole flight; on an established connection, if we negotiate anew."""
        if self.state == CONNECTED and not self.accept_renegotiation():
            return
        self.begin_handshake()
        self.check_client_version(message)
        self.check_compression_methods(message)
        offer = self.read_offer(message)
        self.check_server_name(offer.server_name)
        self.check_server_name_is_kept(offer.server_name)
        self.site = self.choose_site(offer.server_name)
        self.client_version = message.client_version
        self.client_random = message.random
        self.reader.version = TLS_1_2
        negotiated = self.negotiated
        negotiated.version = TLS_1_2
        negotiated.server_name = offer.server_name
        negotiated.extended_master_secret = offer.extended_master_secret
        negotiated.secure_renegotiation = offer.secure_renegotiation
        session = self.choose_session(message, offer)
        if session is not None:
            self.resume(session, message, offer)
        else:
            self.answer(message, offer)

    def begin_handshake(self) -> None:
        """A handshake begins: nothing is known of the client in it yet."""
        super().begin_handshake()
        self.credential = None
        self.ephemeral = None
        self.certificate_request = None
        self.client_leaf = None
        self.resumed_session = None
        self.grants_ticket = False

    def ask_for_renegotiation(self) -> None:
        """A server asks with HelloRequest; all goes on until the client answers (RFC 5246 section 7.4.1.1)."""
        self.send_handshake(HelloRequest())
        self.flush_flight()

    def settle(self, suite: CipherSuite, message: ClientHello, offer: Offer) -> None:
        """What is chosen alike in a full and in an abbreviated handshake."""
        self.suite = suite
        self.transcript.select_hash(suite.prf_hash)
        negotiated = self.negotiated
        negotiated.suite = suite
        negotiated.alpn = self.choose_application_protocol(offer.alpn)
        negotiated.encrypt_then_mac = self.choose_encrypt_then_mac(suite, offer)
        self.grants_ticket = self.choose_ticket(offer)
        self.session_id = self.choose_session_id(message)
        self.session_ids.add(self.session_id)

    # --- a full handshake ---------------------------------------------------------------------------------------------

    def answer(self, message: ClientHello, offer: Offer) -> None:
        """Chooses, and sends the flight of a full handshake."""
        choice = self.choose(message, offer)
        self.credential = choice.credential
        self.negotiated.group = choice.group
        self.negotiated.signature_algorithm = choice.algorithm
        self.settle(choice.suite, message, offer)
        self.send_server_flight(choice, offer)
        asked = self.certificate_request is not None
        self.state = WAIT_CERTIFICATE if asked else WAIT_CLIENT_KEY_EXCHANGE

    def send_server_flight(self, choice: Choice, offer: Offer) -> None:
        """ServerHello, Certificate, ServerKeyExchange and CertificateRequest where there are any, ServerHelloDone."""
        self.send_server_hello(choice.suite, offer)
        self.send_handshake(Certificate(tuple(choice.credential.chain)))
        if choice.group is not None and choice.algorithm is not None:
            self.send_handshake(self.make_server_key_exchange(choice.group, choice.algorithm))
        if self.site.client_authentication != "none":
            self.certificate_request = self.make_certificate_request()
            self.send_handshake(self.certificate_request)
        self.send_handshake(ServerHelloDone())
        self.flush_flight()

    def send_server_hello(self, suite: CipherSuite, offer: Offer) -> None:
        """Queues the ServerHello."""
        hello = self.make_server_hello(suite, offer)
        self.server_random = hello.random
        self.send_handshake(hello)

    def make_server_hello(self, suite: CipherSuite, offer: Offer) -> ServerHello:
        """The ServerHello. No block of extensions at all where there is none to send."""
        extensions = self.make_extensions(offer)
        if self.grants_ticket:
            extensions.append(session_ticket())
        return ServerHello(
            server_version=TLS_1_2,
            random=self.config.entropy(RANDOM_LENGTH),
            session_id=self.session_id,
            cipher_suite=suite.code,
            extensions=tuple(extensions) if extensions else None,
        )

    def make_certificate_request(self) -> CertificateRequest:
        """Keys of the kinds whose signatures we verify; the site's authorities (RFC 5246 section 7.4.4)."""
        algorithms = self.config.client_signature_algorithms
        kinds = {authentication_of(algorithm) for algorithm in algorithms}
        types = bytes([number for kind, number in CERTIFICATE_TYPES.items() if kind in kinds])
        return CertificateRequest(types, algorithms, self.site.client_authorities)

    def make_server_key_exchange(self, group: int, algorithm: int) -> ServerKeyExchange:
        """Our ephemeral key, signed for this handshake."""
        key = self.ephemeral = ephemeral_key(group, self.config.entropy)
        if isinstance(key, FiniteFieldKey):
            p, g = key.field.encode(key.field.p), key.field.g.to_bytes(1, "big")
            params = dh_params(p, g, key.public)
            return DheServerKeyExchange(p, g, key.public, algorithm, self.sign_params(params, algorithm))
        params = ecdh_params(group, key.public)
        return EcdheServerKeyExchange(group, key.public, algorithm, self.sign_params(params, algorithm))

    def sign_params(self, params: bytes, algorithm: int) -> bytes:
        """The signature over both randoms and our parameters (RFC 5246 section 7.4.3)."""
        signed = signed_params(self.client_random, self.server_random, params)
        return sign(self.chosen_credential.private_key, algorithm, signed)

    @property
    def chosen_credential(self) -> Credential:
        """The chosen credential. Raises LocalProtocolError before there is one."""
        if self.credential is None:
            raise LocalProtocolError("no credential is chosen yet")
        return self.credential

    # --- an abbreviated handshake -------------------------------------------------------------------------------------

    def resume(self, session: Session, message: ClientHello, offer: Offer) -> None:
        """ServerHello, NewSessionTicket where there is one, ChangeCipherSpec, Finished; then the client's."""
        self.resumed_session = session
        negotiated = self.negotiated
        negotiated.resumed = True
        negotiated.peer_certificates = negotiated.client_certificates = session.peer_certificates
        self.settle(session.suite, message, offer)
        self.master_secret = session.master_secret
        self.send_server_hello(session.suite, offer)
        self.log_secret()
        self.send_end_of_handshake()
        self.state = WAIT_CHANGE_CIPHER_SPEC

    # --- the client's certificate -------------------------------------------------------------------------------------

    def receive_certificate(self, message: Certificate) -> None:
        """The client's chain, validated at once; or an empty one, where we can do without."""
        chain = message.certificate_list
        if chain:
            leaf = load_leaf(chain[0])
            self.check_client_certificate_chain(chain)
            self.check_client_certificate_fits(leaf)
            self.client_leaf = leaf
            self.negotiated.peer_certificates = self.negotiated.client_certificates = chain
        else:
            self.check_client_certificate_given()
        self.state = WAIT_CLIENT_KEY_EXCHANGE

    def check_client_certificate_given(self) -> None:
        """A site that requires a certificate does not go on without (RFC 5246 section 7.4.6)."""
        if self.site.client_authentication == "require":
            raise self.handshake_failure("a client's certificate", "an empty list", "RFC 5246 section 7.4.6")

    def check_client_certificate_chain(self, chain: tuple[bytes, ...]) -> None:
        """Asks the site's validator whether the chain is trusted now."""
        if self.site.verify_client is None:
            raise LocalProtocolError("a certificate was asked for without verify_client to judge it")
        outcome = self.site.verify_client(chain, "", self.config.clock())
        self._events.append(CertificateValidated(outcome))
        if not outcome.accepted:
            raise refusal(outcome, "a client's certificate that is trusted")

    def check_client_certificate_fits(self, leaf: Leaf) -> None:
        """A key of a kind that was asked for, that may sign (RFC 5246 section 7.4.6)."""
        types = self.certificate_request.certificate_types if self.certificate_request is not None else b""
        kind = leaf.authentication
        if kind is None or CERTIFICATE_TYPES[kind] not in types:
            raise self.unsupported_certificate("a key of a type that was asked for", f"{kind}")
        if kind is Authentication.ECDSA and leaf.group not in CURVES.values():
            raise self.unsupported_certificate("a key on a curve that we know", f"curve {leaf.group}")
        if leaf.digital_signature is False:
            raise self.unsupported_certificate("digitalSignature in keyUsage", "a keyUsage without it")

    def receive_certificate_verify(self, message: CertificateVerify) -> None:
        """The client's proof that the key is its own, right after ClientKeyExchange (RFC 5246 section 7.4.8)."""
        self.check_certificate_verify_algorithm(message)
        self.check_certificate_verify_signature(message)
        self.state = WAIT_CHANGE_CIPHER_SPEC

    def check_certificate_verify_algorithm(self, message: CertificateVerify) -> None:
        """One that we asked for, and of the kind of the client's key (RFC 5246 section 7.4.8)."""
        request, leaf = self.certificate_request, self.client_leaf
        if request is None or message.algorithm not in request.signature_algorithms:
            raise self.illegal(
                "a signature algorithm of CertificateRequest", f"0x{message.algorithm:04x}", "RFC 5246 section 7.4.8"
            )
        if leaf is None or authentication_of(message.algorithm) is not leaf.authentication:
            kind = leaf.authentication if leaf is not None else None
            raise self.illegal(
                f"a signature algorithm for a key of type {kind}",
                f"0x{message.algorithm:04x}",
                "RFC 5246 section 7.4.8",
            )

    def check_certificate_verify_signature(self, message: CertificateVerify) -> None:
        """The certificate's key signed all messages so far (RFC 5246 section 7.4.8)."""
        public_key = self.client_leaf.public_key if self.client_leaf is not None else None
        if not verify(public_key, message.algorithm, message.signature, self.transcript.everything()):
            raise RemoteProtocolError(
                AlertDescription.DECRYPT_ERROR,
                expected="a signature of the client certificate's key over the handshake so far",
                got="a signature that does not verify",
                clause="RFC 5246 section 7.4.8",
            )

    # --- ClientKeyExchange, Finished ----------------------------------------------------------------------------------

    def receive_client_key_exchange(self, message: ClientKeyExchange) -> None:
        """The client's part of the pre-master secret."""
        if isinstance(message, RsaClientKeyExchange):
            pre_master_secret = self.decrypt_pre_master_secret(message.encrypted_pre_master_secret)
        else:
            pre_master_secret = self.agree(message.public)
        self.set_master_secret(pre_master_secret)
        self.ephemeral = None
        self.state = WAIT_CERTIFICATE_VERIFY if self.client_leaf is not None else WAIT_CHANGE_CIPHER_SPEC

    def agree(self, public: bytes) -> bytes:
        """Diffie-Hellman with the client's key."""
        if self.ephemeral is None:
            raise LocalProtocolError("there is no ephemeral key to agree with")
        if isinstance(self.ephemeral, FiniteFieldKey):
            self.check_dh_public(public, self.ephemeral.field.p)
        return self.ephemeral.exchange(public)

    def check_dh_public(self, public: bytes, p: int) -> None:
        """The client's value is in range (RFC 7919 section 4)."""
        finite_field.check_public(public, p)

    def decrypt_pre_master_secret(self, encrypted: bytes) -> bytes:
        """The secret that the client sent, or a random one: never an alert (RFC 5246 section 7.4.7.1)."""
        private_key = self.chosen_credential.private_key
        if not isinstance(private_key, rsa.RSAPrivateKey):
            raise LocalProtocolError("RSA key exchange needs an RSA key")
        return decrypt_pre_master_secret(private_key, encrypted, self.client_version, self.config.entropy)

    def finished_received(self) -> None:
        """The client's Finished is answered with ours, unless the handshake is abbreviated: then ours came first."""
        if not self.negotiated.resumed:
            self.send_end_of_handshake()
        self.complete()

    def send_end_of_handshake(self) -> None:
        """NewSessionTicket if it was promised (RFC 5077 section 3.3), ChangeCipherSpec, Finished."""
        if self.grants_ticket:
            self.send_handshake(NewSessionTicket(*self.make_ticket()))
        self.send_change_cipher_spec()
        self.send_finished()

    def unsupported_certificate(self, expected: str, got: str) -> RemoteProtocolError:
        """unsupported_certificate."""
        return RemoteProtocolError(
            AlertDescription.UNSUPPORTED_CERTIFICATE, expected=expected, got=got, clause="RFC 5246 section 7.4.6"
        )
