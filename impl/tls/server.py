"""The server of a TLS 1.2 handshake.

Source: RFC 5246 sections 7.3 and 7.4; RFC 8422 sections 4 and 5; RFC 7627 section 5.2; RFC 5746 section 3.6;
RFC 6066 section 3; RFC 7301 section 3.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import extensions as ext
from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.certificates import CURVES
from shakeproof.impl.tls.config import Credential, ServerConfig
from shakeproof.impl.tls.connection import (
    CONNECTED,
    MAX_REFUSED_RENEGOTIATIONS,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_FINISHED,
    Connection,
)
from shakeproof.impl.tls.events import RenegotiationRefused
from shakeproof.impl.tls.extensions import Extension, ExtensionType
from shakeproof.impl.tls.key_exchange import EphemeralKey, decrypt_pre_master_secret, ephemeral_key, signed_params
from shakeproof.impl.tls.messages import (
    NULL_COMPRESSION,
    RANDOM_LENGTH,
    Certificate,
    ClientHello,
    EcdheClientKeyExchange,
    EcdheServerKeyExchange,
    HandshakeType,
    RsaClientKeyExchange,
    ServerHello,
    ServerHelloDone,
    ecdh_params,
)
from shakeproof.impl.tls.signatures import SignatureScheme, authentication_of, authentication_of_key, sign
from shakeproof.impl.tls.suites import (
    TLS_1_2,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
    CipherSuite,
    KeyExchange,
    NamedGroup,
)

WAIT_CLIENT_HELLO = "WAIT_CLIENT_HELLO"
WAIT_CLIENT_KEY_EXCHANGE = "WAIT_CLIENT_KEY_EXCHANGE"

DEFAULT_ALGORITHMS: tuple[int, ...] = (SignatureScheme.RSA_PKCS1_SHA1, SignatureScheme.ECDSA_SHA1)
"""What a ClientHello without signature_algorithms stands for (RFC 5246 section 7.4.1.4.1)."""


class Choice(NamedTuple):
    """Everything that the server chose; group and algorithm are None without ECDHE."""

    suite: CipherSuite
    credential: Credential
    group: NamedGroup | None
    algorithm: int | None


class Offer(NamedTuple):
    """What a ClientHello offers, with defaults where it has no extension."""

    server_name: str | None
    groups: tuple[int, ...] | None
    uncompressed_points: bool
    ec_point_formats: bool
    algorithms: tuple[int, ...] | None
    alpn: tuple[bytes, ...] | None
    extended_master_secret: bool
    secure_renegotiation: bool


class ServerConnection(Connection):
    """A server. It waits for a ClientHello from the beginning."""

    is_client = False
    admitted: ClassVar[Mapping[str, frozenset[int]]] = {
        WAIT_CLIENT_HELLO: frozenset({HandshakeType.CLIENT_HELLO}),
        WAIT_CLIENT_KEY_EXCHANGE: frozenset({HandshakeType.CLIENT_KEY_EXCHANGE}),
        WAIT_FINISHED: frozenset({HandshakeType.FINISHED}),
        CONNECTED: frozenset({HandshakeType.CLIENT_HELLO}),
    }
    handlers: ClassVar[Mapping[int, str]] = {
        HandshakeType.CLIENT_HELLO: "receive_client_hello",
        HandshakeType.CLIENT_KEY_EXCHANGE: "receive_client_key_exchange",
        HandshakeType.FINISHED: "receive_finished",
    }

    config: ServerConfig

    def __init__(self, config: ServerConfig) -> None:
        super().__init__(config, WAIT_CLIENT_HELLO)
        self.client_version = 0
        self.credential: Credential | None = None
        self.ephemeral: EphemeralKey | None = None

    # --- ClientHello --------------------------------------------------------------------------------------------------

    def receive_client_hello(self, message: ClientHello) -> None:
        """The client's offer; answered with our whole flight. Renegotiation is refused."""
        if self.state == CONNECTED:
            self.refuse_renegotiation()
            return
        self.check_client_version(message)
        self.check_compression_methods(message)
        offer = self.read_offer(message)
        self.check_server_name(offer.server_name)
        self.client_version = message.client_version
        self.client_random = message.random
        self.reader.version = TLS_1_2
        choice = self.choose(message, offer)
        alpn = self.choose_application_protocol(offer.alpn)
        self.suite = choice.suite
        self.credential = choice.credential
        self.transcript.select_hash(choice.suite.prf_hash)
        negotiated = self.negotiated
        negotiated.version = TLS_1_2
        negotiated.suite = choice.suite
        negotiated.group = choice.group
        negotiated.signature_algorithm = choice.algorithm
        negotiated.alpn = alpn
        negotiated.server_name = offer.server_name
        negotiated.extended_master_secret = offer.extended_master_secret
        negotiated.secure_renegotiation = offer.secure_renegotiation
        self.send_server_flight(choice, offer)
        self.state = WAIT_CLIENT_KEY_EXCHANGE

    def refuse_renegotiation(self) -> None:
        """Answers a ClientHello on an established connection (RFC 5246 section 7.2.2, no_renegotiation)."""
        self.check_bound("refused renegotiations", MAX_REFUSED_RENEGOTIATIONS, "RFC 5246 section 7.2.2")
        self.send_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
        self._events.append(RenegotiationRefused())

    def check_client_version(self, message: ClientHello) -> None:
        """TLS 1.2 or later, which then means TLS 1.2 (RFC 5246 appendix E.1)."""
        if message.client_version < TLS_1_2:
            raise RemoteProtocolError(
                AlertDescription.PROTOCOL_VERSION,
                expected="client_version 0x0303 or higher",
                got=f"0x{message.client_version:04x}",
                clause="RFC 5246 appendix E.1",
            )

    def check_compression_methods(self, message: ClientHello) -> None:
        """Null is always among them."""
        if NULL_COMPRESSION not in message.compression_methods:
            raise self.illegal(
                "null among the compression methods", f"{message.compression_methods}", "RFC 5246 section 7.4.1.2"
            )

    def read_offer(self, message: ClientHello) -> Offer:
        """Decodes the extensions that we know; all others are ignored (RFC 5246 section 7.4.1.4)."""
        known = {extension.extension_type: extension.data for extension in message.extensions or ()}
        server_name = groups = algorithms = alpn = None
        if (data := known.get(ExtensionType.SERVER_NAME)) is not None:
            server_name = ext.parse_server_name(data)
        if (data := known.get(ExtensionType.SUPPORTED_GROUPS)) is not None:
            groups = ext.parse_supported_groups(data)
        if (data := known.get(ExtensionType.SIGNATURE_ALGORITHMS)) is not None:
            algorithms = ext.parse_signature_algorithms(data)
        if (data := known.get(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)) is not None:
            alpn = ext.parse_application_layer_protocol_negotiation(data)
        uncompressed = True
        if (data := known.get(ExtensionType.EC_POINT_FORMATS)) is not None:
            uncompressed = ext.UNCOMPRESSED in ext.parse_ec_point_formats(data)
            self.check_ec_point_formats(uncompressed, groups)
        return Offer(
            server_name=server_name,
            groups=groups,
            uncompressed_points=uncompressed,
            ec_point_formats=ExtensionType.EC_POINT_FORMATS in known,
            algorithms=algorithms,
            alpn=alpn,
            extended_master_secret=self.check_extended_master_secret(known.get(ExtensionType.EXTENDED_MASTER_SECRET)),
            secure_renegotiation=self.check_renegotiation_info(message, known.get(ExtensionType.RENEGOTIATION_INFO)),
        )

    def check_ec_point_formats(self, uncompressed: bool, groups: tuple[int, ...] | None) -> None:
        """With any of RFC 8422's curves, uncompressed has to be among the formats (RFC 8422 section 5.1.2)."""
        if not uncompressed and groups is not None and any(group in RFC_8422_CURVES for group in groups):
            raise self.illegal("uncompressed among the point formats", "a list without it", "RFC 8422 section 5.1.2")

    def check_extended_master_secret(self, data: bytes | None) -> bool:
        """Whether the client offers it, empty as it has to be (RFC 7627 sections 5.1 and 5.2)."""
        if data is None:
            if self.config.require_extended_master_secret:
                raise self.handshake_failure(
                    "extended_master_secret", "a ClientHello without it", "RFC 7627 section 5.2"
                )
            return False
        ext.parse_empty(data, "extended_master_secret", "RFC 7627 section 5.1")
        return self.config.extended_master_secret

    def check_renegotiation_info(self, message: ClientHello, data: bytes | None) -> bool:
        """Whether the client signals it, by extension or SCSV; the extension is empty now (RFC 5746 section 3.6)."""
        if data is not None:
            if ext.parse_renegotiation_info(data):
                raise self.handshake_failure(
                    "an empty renegotiated_connection", "one with contents", "RFC 5746 section 3.6"
                )
            return True
        if TLS_EMPTY_RENEGOTIATION_INFO_SCSV in message.cipher_suites:
            return True
        if self.config.require_secure_renegotiation:
            raise self.handshake_failure("renegotiation_info or its SCSV", "neither", "RFC 5746 section 4.3")
        return False

    def check_server_name(self, server_name: str | None) -> None:
        """A name that is served, compared without regard to case (RFC 6066 section 3)."""
        served = self.config.server_names
        if served is None or server_name is None or server_name.lower() in {name.lower() for name in served}:
            return
        raise RemoteProtocolError(
            AlertDescription.UNRECOGNIZED_NAME,
            expected="a server name that is served here",
            got=repr(server_name),
            clause="RFC 6066 section 3",
        )

    # --- what we choose -----------------------------------------------------------------------------------------------

    def choose(self, message: ClientHello, offer: Offer) -> Choice:
        """The first of our suites that can be completed with this client.

        "the server MUST check any candidate cipher suites against the signature_algorithms extension before selecting
        them" (RFC 5246 section 7.4.3), and likewise against groups and point formats (RFC 8422 section 5.1).
        """
        for suite in self.config.suites:
            if suite.code in message.cipher_suites:
                choice = self.try_suite(suite, offer)
                if choice is not None:
                    return choice
        raise self.handshake_failure(
            "a cipher suite, group and signature algorithm that both sides support",
            f"suites {' '.join([f'{code:04x}' for code in message.cipher_suites[:16]])}, groups {offer.groups}",
            "RFC 5246 section 7.4.1.3",
        )

    def try_suite(self, suite: CipherSuite, offer: Offer) -> Choice | None:
        """What goes with that suite, None where it cannot be completed."""
        group = algorithm = None
        if suite.key_exchange is KeyExchange.ECDHE:
            group = self.choose_group(offer)
            if group is None:
                return None
        for credential in self.config.credentials:
            key = credential.private_key
            if authentication_of_key(key) is not suite.authentication:
                continue
            if isinstance(key, ec.EllipticCurvePrivateKey) and not _offers_curve(offer, key):
                continue
            if suite.key_exchange is KeyExchange.ECDHE:
                algorithm = self.choose_algorithm(suite, offer)
                if algorithm is None:
                    continue
            return Choice(suite, credential, group, algorithm)
        return None

    def choose_group(self, offer: Offer) -> NamedGroup | None:
        """Our first group that the client has. One that names none has at least secp256r1, if it has any."""
        if not offer.uncompressed_points:
            return None
        if offer.groups is None:
            return NamedGroup.SECP256R1 if NamedGroup.SECP256R1 in self.config.groups else None
        for group in self.config.groups:
            if group in offer.groups:
                return group
        return None

    def choose_algorithm(self, suite: CipherSuite, offer: Offer) -> int | None:
        """Our first signature algorithm for that kind of key that the client has."""
        if offer.algorithms is None:
            ours: tuple[int, ...] = self.config.signature_algorithms
            if self.config.sign_sha1_by_default:
                ours = DEFAULT_ALGORITHMS
            theirs = DEFAULT_ALGORITHMS
        else:
            ours, theirs = self.config.signature_algorithms, offer.algorithms
        for algorithm in ours:
            if algorithm in theirs and authentication_of(algorithm) is suite.authentication:
                return algorithm
        return None

    def choose_application_protocol(self, offered: tuple[bytes, ...] | None) -> str | None:
        """Our first protocol that the client has; None where one side has no list (RFC 7301 section 3.2)."""
        if offered is None or not self.config.alpn:
            return None
        for protocol in self.config.alpn:
            if protocol.encode("ascii") in offered:
                return protocol
        raise RemoteProtocolError(
            AlertDescription.NO_APPLICATION_PROTOCOL,
            expected=f"one of {', '.join(self.config.alpn)}",
            got=repr(offered[:8]),
            clause="RFC 7301 section 3.2",
        )

    # --- our flight ---------------------------------------------------------------------------------------------------

    def send_server_flight(self, choice: Choice, offer: Offer) -> None:
        """ServerHello, Certificate, ServerKeyExchange where the suite has one, ServerHelloDone."""
        hello = self.make_server_hello(choice, offer)
        self.server_random = hello.random
        self.send_handshake(hello)
        self.send_handshake(Certificate(tuple(choice.credential.chain)))
        if choice.group is not None and choice.algorithm is not None:
            self.send_handshake(self.make_server_key_exchange(choice.group, choice.algorithm))
        self.send_handshake(ServerHelloDone())
        self.flush_flight()

    def make_server_hello(self, choice: Choice, offer: Offer) -> ServerHello:
        """The ServerHello. An empty session_id: the session cannot be resumed."""
        extensions = self.make_extensions(choice, offer)
        return ServerHello(
            server_version=TLS_1_2,
            random=self.config.entropy(RANDOM_LENGTH),
            session_id=b"",
            cipher_suite=choice.suite.code,
            extensions=tuple(extensions) if extensions else None,
        )

    def make_extensions(self, choice: Choice, offer: Offer) -> list[Extension]:
        """Only what the client offered."""
        extensions = []
        if offer.server_name is not None and self.config.server_names is not None:
            extensions.append(Extension(ExtensionType.SERVER_NAME, b""))
        if offer.extended_master_secret:
            extensions.append(ext.extended_master_secret())
        if offer.secure_renegotiation:
            extensions.append(ext.renegotiation_info())
        if choice.group is not None and offer.ec_point_formats:
            extensions.append(ext.ec_point_formats())
        if self.negotiated.alpn is not None:
            extensions.append(ext.application_layer_protocol_negotiation([self.negotiated.alpn]))
        return extensions

    def make_server_key_exchange(self, group: int, algorithm: int) -> EcdheServerKeyExchange:
        """Our ephemeral key, signed for this handshake."""
        self.ephemeral = ephemeral_key(group, self.config.entropy)
        params = ecdh_params(group, self.ephemeral.public)
        signed = signed_params(self.client_random, self.server_random, params)
        signature = sign(self.chosen_credential.private_key, algorithm, signed)
        return EcdheServerKeyExchange(group, self.ephemeral.public, algorithm, signature)

    @property
    def chosen_credential(self) -> Credential:
        """The chosen credential. Raises LocalProtocolError before there is one."""
        if self.credential is None:
            raise LocalProtocolError("no credential is chosen yet")
        return self.credential

    # --- ClientKeyExchange, Finished ----------------------------------------------------------------------------------

    def receive_client_key_exchange(self, message: RsaClientKeyExchange | EcdheClientKeyExchange) -> None:
        """The client's part of the pre-master secret."""
        if isinstance(message, EcdheClientKeyExchange):
            pre_master_secret = self.agree(message.public)
        else:
            pre_master_secret = self.decrypt_pre_master_secret(message.encrypted_pre_master_secret)
        self.set_master_secret(pre_master_secret)
        self.ephemeral = None
        self.state = WAIT_CHANGE_CIPHER_SPEC

    def agree(self, public: bytes) -> bytes:
        """Diffie-Hellman with the client's key."""
        if self.ephemeral is None:
            raise LocalProtocolError("there is no ephemeral key to agree with")
        return self.ephemeral.exchange(public)

    def decrypt_pre_master_secret(self, encrypted: bytes) -> bytes:
        """The secret that the client sent, or a random one: never an alert (RFC 5246 section 7.4.7.1)."""
        private_key = self.chosen_credential.private_key
        if not isinstance(private_key, rsa.RSAPrivateKey):
            raise LocalProtocolError("RSA key exchange needs an RSA key")
        return decrypt_pre_master_secret(private_key, encrypted, self.client_version, self.config.entropy)

    def finished_received(self) -> None:
        """The client's Finished is answered with ours, which ends the handshake."""
        self.send_change_cipher_spec()
        self.send_finished()
        self.complete()


RFC_8422_CURVES = frozenset({23, 24, 25, 29, 30})
"""secp256r1, secp384r1, secp521r1, x25519, x448 (RFC 8422 section 5.1.1)."""


def _offers_curve(offer: Offer, key: ec.EllipticCurvePrivateKey) -> bool:
    """Whether the certificate's curve is the client's too (RFC 8422 section 5.3)."""
    return offer.groups is None or CURVES.get(key.curve.name) in offer.groups
