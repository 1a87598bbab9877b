"""The client of a TLS 1.2 handshake.

Source: RFC 5246 sections 7.3 and 7.4; RFC 8422 section 5; RFC 7627 section 5.2; RFC 5746 section 3.4.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric import rsa

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import extensions as ext
from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.certificates import Leaf, load_leaf
from shakeproof.impl.tls.config import ClientConfig
from shakeproof.impl.tls.connection import (
    CONNECTED,
    MAX_HELLO_REQUESTS,
    START,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_FINISHED,
    Connection,
)
from shakeproof.impl.tls.events import CertificateValidated, HelloRequestIgnored, RenegotiationRefused
from shakeproof.impl.tls.extensions import Extension, ExtensionType, extension_name
from shakeproof.impl.tls.key_exchange import (
    EphemeralKey,
    encrypt_pre_master_secret,
    ephemeral_key,
    new_pre_master_secret,
    signed_params,
)
from shakeproof.impl.tls.messages import (
    NULL_COMPRESSION,
    RANDOM_LENGTH,
    Certificate,
    CertificateRequest,
    ClientHello,
    EcdheClientKeyExchange,
    EcdheServerKeyExchange,
    HandshakeType,
    HelloRequest,
    RsaClientKeyExchange,
    ServerHello,
    ServerHelloDone,
)
from shakeproof.impl.tls.signatures import authentication_of, verify
from shakeproof.impl.tls.suites import SUITES, TLS_1_2, Authentication, KeyExchange
from shakeproof.impl.tls.wire import decode_error

WAIT_SERVER_HELLO = "WAIT_SERVER_HELLO"
WAIT_CERTIFICATE = "WAIT_CERTIFICATE"
WAIT_SERVER_KEY_EXCHANGE = "WAIT_SERVER_KEY_EXCHANGE"
WAIT_SERVER_HELLO_DONE = "WAIT_SERVER_HELLO_DONE"

_HELLO_REQUEST = HandshakeType.HELLO_REQUEST


class ClientConnection(Connection):
    """A client. Call `start`, then carry bytes between it and the server."""

    is_client = True
    # HelloRequest "can be sent at any time" (RFC 5246 section 7.4)
    admitted: ClassVar[Mapping[str, frozenset[int]]] = {
        WAIT_SERVER_HELLO: frozenset({_HELLO_REQUEST, HandshakeType.SERVER_HELLO}),
        WAIT_CERTIFICATE: frozenset({_HELLO_REQUEST, HandshakeType.CERTIFICATE}),
        WAIT_SERVER_KEY_EXCHANGE: frozenset({_HELLO_REQUEST, HandshakeType.SERVER_KEY_EXCHANGE}),
        WAIT_SERVER_HELLO_DONE: frozenset(
            {_HELLO_REQUEST, HandshakeType.CERTIFICATE_REQUEST, HandshakeType.SERVER_HELLO_DONE}
        ),
        WAIT_CHANGE_CIPHER_SPEC: frozenset({_HELLO_REQUEST}),
        WAIT_FINISHED: frozenset({_HELLO_REQUEST, HandshakeType.FINISHED}),
        CONNECTED: frozenset({_HELLO_REQUEST}),
    }
    handlers: ClassVar[Mapping[int, str]] = {
        HandshakeType.HELLO_REQUEST: "receive_hello_request",
        HandshakeType.SERVER_HELLO: "receive_server_hello",
        HandshakeType.CERTIFICATE: "receive_certificate",
        HandshakeType.SERVER_KEY_EXCHANGE: "receive_server_key_exchange",
        HandshakeType.CERTIFICATE_REQUEST: "receive_certificate_request",
        HandshakeType.SERVER_HELLO_DONE: "receive_server_hello_done",
        HandshakeType.FINISHED: "receive_finished",
    }

    config: ClientConfig

    def __init__(self, config: ClientConfig) -> None:
        super().__init__(config, START)
        self.offered_extensions: frozenset[int] = frozenset()
        self.leaf: Leaf | None = None
        self.ephemeral: EphemeralKey | None = None
        self.pre_master_secret = b""
        self.certificate_requested = False

    # --- ClientHello --------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Queues the ClientHello. Raises LocalProtocolError the second time."""
        if self.state != START:
            raise LocalProtocolError(f"start() in {self.state}: a connection starts once")
        hello = self.make_client_hello()
        self.client_random = hello.random
        self.offered_extensions = frozenset([e.extension_type for e in hello.extensions or ()])
        self.negotiated.server_name = self.config.server_name
        self.send_handshake(hello)
        self.flush_flight()
        self.state = WAIT_SERVER_HELLO

    def make_client_hello(self) -> ClientHello:
        """The ClientHello that the config asks for.

        All 32 bytes of random are random: nothing needs the time in it, which would only tell our clock.
        """
        config = self.config
        return ClientHello(
            client_version=TLS_1_2,
            random=config.entropy(RANDOM_LENGTH),
            session_id=b"",
            cipher_suites=tuple([suite.code for suite in config.suites]),
            extensions=tuple(self.make_extensions()),
        )

    def make_extensions(self) -> list[Extension]:
        """The extensions of our ClientHello."""
        config = self.config
        extensions = []
        if config.send_server_name and not _is_ip_address(config.server_name):
            extensions.append(ext.server_name(config.server_name))
        if config.extended_master_secret:
            extensions.append(ext.extended_master_secret())
        extensions.append(ext.renegotiation_info())
        if any(suite.key_exchange is KeyExchange.ECDHE for suite in config.suites):
            extensions.append(ext.supported_groups(config.groups))
            extensions.append(ext.ec_point_formats())
        extensions.append(ext.signature_algorithms(config.signature_algorithms))
        if config.alpn:
            extensions.append(ext.application_layer_protocol_negotiation(config.alpn))
        return extensions

    # --- HelloRequest -------------------------------------------------------------------------------------------------

    def receive_hello_request(self, _: HelloRequest) -> None:
        """Ignored while negotiating, else refused with no_renegotiation (RFC 5246 section 7.4.1.1)."""
        self.check_bound("HelloRequests", MAX_HELLO_REQUESTS, "RFC 5246 section 7.4.1.1")
        if self.state == CONNECTED:
            self.send_alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)
            self._events.append(RenegotiationRefused())
        else:
            self._events.append(HelloRequestIgnored())

    # --- ServerHello --------------------------------------------------------------------------------------------------

    def receive_server_hello(self, message: ServerHello) -> None:
        """What the server chose."""
        self.check_server_version(message)
        self.check_cipher_suite(message)
        self.check_compression_method(message)
        self.check_extensions_were_offered(message)
        self.server_random = message.random
        self.reader.version = TLS_1_2
        suite = SUITES[message.cipher_suite]
        self.suite = suite
        self.transcript.select_hash(suite.prf_hash)
        negotiated = self.negotiated
        negotiated.version = message.server_version
        negotiated.suite = suite
        negotiated.extended_master_secret = self.check_extended_master_secret(message)
        negotiated.secure_renegotiation = self.check_renegotiation_info(message)
        self.check_ec_point_formats(message)
        self.check_server_name_is_empty(message)
        negotiated.alpn = self.check_application_protocol(message)
        self.state = WAIT_CERTIFICATE

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
            if self.config.require_extended_master_secret:
                raise self.handshake_failure(
                    "extended_master_secret", "a ServerHello without it", "RFC 7627 section 5.2"
                )
            return False
        ext.parse_empty(data, "extended_master_secret", "RFC 7627 section 5.1")
        return True

    def check_renegotiation_info(self, message: ServerHello) -> bool:
        """Whether renegotiation is secure; in an initial handshake the field is empty (RFC 5746 section 3.4)."""
        data = message.extension(ExtensionType.RENEGOTIATION_INFO)
        if data is None:
            if self.config.require_secure_renegotiation:
                raise self.handshake_failure("renegotiation_info", "a ServerHello without it", "RFC 5746 section 4.1")
            return False
        if ext.parse_renegotiation_info(data):
            raise self.handshake_failure(
                "an empty renegotiated_connection", "one with contents", "RFC 5746 section 3.4"
            )
        return True

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

    # --- Certificate, ServerKeyExchange -------------------------------------------------------------------------------

    def receive_certificate(self, message: Certificate) -> None:
        """The server's chain. It is validated here, before anything is done with its key."""
        self.check_certificate_list(message)
        self.negotiated.peer_certificates = message.certificate_list
        leaf = load_leaf(message.certificate_list[0])
        self.leaf = leaf
        self.check_certificate_chain(message.certificate_list)
        self.check_certificate_fits(leaf)
        by_ecdhe = self.chosen_suite.key_exchange is KeyExchange.ECDHE
        self.state = WAIT_SERVER_KEY_EXCHANGE if by_ecdhe else WAIT_SERVER_HELLO_DONE

    def check_certificate_list(self, message: Certificate) -> None:
        """A server always has a certificate; only a client may send none (RFC 5246 section 7.4.2)."""
        if not message.certificate_list:
            raise decode_error("Certificate", "a server's certificate", "an empty list", "RFC 5246 section 7.4.2")

    def check_certificate_chain(self, chain: tuple[bytes, ...]) -> None:
        """Asks the validator whether the chain is trusted for that name now."""
        outcome = self.config.verify(chain, self.config.server_name, self.config.clock())
        self._events.append(CertificateValidated(outcome))
        if outcome.accepted:
            return
        try:
            alert = AlertDescription.from_label(outcome.alert or "")
        except KeyError:
            alert = AlertDescription.CERTIFICATE_UNKNOWN
        raise RemoteProtocolError(
            alert,
            expected=f"a certificate that is trusted for {self.config.server_name!r}",
            got=f"one that is refused with {alert.label}",
            clause="RFC 5246 section 7.4.2",
            details=outcome,
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

    def receive_server_key_exchange(self, message: EcdheServerKeyExchange) -> None:
        """The server's ephemeral key, signed. Never under RSA key exchange: there `admit` refuses it."""
        self.check_server_key_exchange_group(message)
        self.check_server_key_exchange_algorithm(message)
        self.check_server_key_exchange_signature(message)
        self.negotiated.group = message.group
        self.negotiated.signature_algorithm = message.algorithm
        self.ephemeral = ephemeral_key(message.group, self.config.entropy)
        self.pre_master_secret = self.ephemeral.exchange(message.public)
        self.state = WAIT_SERVER_HELLO_DONE

    def check_server_key_exchange_group(self, message: EcdheServerKeyExchange) -> None:
        """A group that we offered (RFC 8422 section 5.1)."""
        if message.group not in self.config.groups:
            raise self.illegal("a group that was offered", f"group {message.group}", "RFC 8422 section 5.4")

    def check_server_key_exchange_algorithm(self, message: EcdheServerKeyExchange) -> None:
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

    def check_server_key_exchange_signature(self, message: EcdheServerKeyExchange) -> None:
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

    def receive_certificate_request(self, _: CertificateRequest) -> None:
        """The server asks who we are (RFC 5246 section 7.4.4): once, since it is one message of its flight."""
        if self.certificate_requested:
            raise self.unexpected("a second CertificateRequest", "RFC 5246 section 7.3")
        self.certificate_requested = True

    # --- our flight ---------------------------------------------------------------------------------------------------

    def receive_server_hello_done(self, _: ServerHelloDone) -> None:
        """The server waits: Certificate if it asked, ClientKeyExchange, ChangeCipherSpec, Finished.

        We have no certificate to show, which is said with an empty list (RFC 5246 section 7.4.6).
        """
        if self.certificate_requested:
            self.send_handshake(Certificate(()))
        self.send_client_key_exchange()
        self.set_master_secret(self.pre_master_secret)
        self.pre_master_secret = b""
        self.ephemeral = None
        self.send_change_cipher_spec()
        self.send_finished()
        self.state = WAIT_CHANGE_CIPHER_SPEC

    def send_client_key_exchange(self) -> None:
        """Our part of the pre-master secret."""
        if self.ephemeral is not None:
            self.send_handshake(EcdheClientKeyExchange(self.ephemeral.public))
            return
        public_key = self.leaf.public_key if self.leaf is not None else None
        if not isinstance(public_key, rsa.RSAPublicKey):
            raise self.unsupported_certificate("an RSA key", type(public_key).__name__)
        entropy = self.config.entropy
        self.pre_master_secret = new_pre_master_secret(TLS_1_2, entropy)
        encrypted = encrypt_pre_master_secret(public_key, self.pre_master_secret, entropy)
        self.send_handshake(RsaClientKeyExchange(encrypted))

    def finished_received(self) -> None:
        """The server's Finished ends the handshake."""
        self.complete()

    def unsupported_certificate(self, expected: str, got: str) -> RemoteProtocolError:
        """unsupported_certificate."""
        return RemoteProtocolError(
            AlertDescription.UNSUPPORTED_CERTIFICATE, expected=expected, got=got, clause="RFC 5246 section 7.4.2"
        )


def _is_ip_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
