"""The hellos as a server has them: what it reads in the offer, and what it chooses.

Source: RFC 5246 sections 7.4.1.2 to 7.4.1.4 and appendix E; RFC 8422 sections 4 and 5; RFC 7919 section 4; RFC 7627
section 5; RFC 5746 sections 3.6 and 3.7; RFC 7366 sections 2 and 3; RFC 6066 section 3; RFC 7301 section 3.2; RFC 7507
section 3.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import extensions as ext
from shakeproof.impl.tls import finite_field
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.certificates import CURVES
from shakeproof.impl.tls.config import Credential, ServerConfig, Site
from shakeproof.impl.tls.connection import Connection
from shakeproof.impl.tls.extensions import Extension, ExtensionType
from shakeproof.impl.tls.messages import NULL_COMPRESSION, ClientHello
from shakeproof.impl.tls.signatures import PrivateKey, SignatureScheme, authentication_of, authentication_of_key
from shakeproof.impl.tls.suites import (
    FFDHE_CODES,
    TLS_1_2,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
    TLS_FALLBACK_SCSV,
    CipherSuite,
    KeyExchange,
    NamedGroup,
)

DEFAULT_ALGORITHMS: tuple[int, ...] = (SignatureScheme.RSA_PKCS1_SHA1, SignatureScheme.ECDSA_SHA1)
"""What a ClientHello without signature_algorithms stands for (RFC 5246 section 7.4.1.4.1)."""


class Choice(NamedTuple):
    """Everything that the server chose; group and algorithm are None under RSA key exchange."""

    suite: CipherSuite
    credential: Credential
    group: NamedGroup | None
    algorithm: int | None


class Offer(NamedTuple):
    """What a ClientHello offers, with defaults where it has no extension. ticket: None without the extension."""

    server_name: str | None
    groups: tuple[int, ...] | None
    uncompressed_points: bool
    ec_point_formats: bool
    algorithms: tuple[int, ...] | None
    alpn: tuple[bytes, ...] | None
    extended_master_secret: bool
    encrypt_then_mac: bool
    secure_renegotiation: bool
    ticket: bytes | None


class ServerNegotiation(Connection):
    """What a server does with ClientHello; see `server.ServerConnection`."""

    is_client = False
    config: ServerConfig

    def __init__(self, config: ServerConfig, state: str) -> None:
        super().__init__(config, state)
        self.client_version = 0
        self.site = config.default_site

    # --- what the client says -----------------------------------------------------------------------------------------

    def check_client_version(self, message: ClientHello) -> None:
        """TLS 1.2 or later, which then means TLS 1.2 (RFC 5246 appendix E.1)."""
        if message.client_version >= TLS_1_2:
            return
        self.peer_version = message.client_version
        self.check_fallback(message)
        raise RemoteProtocolError(
            AlertDescription.PROTOCOL_VERSION,
            expected="client_version 0x0303 or higher",
            got=f"0x{message.client_version:04x}",
            clause="RFC 5246 appendix E.1",
        )

    def check_fallback(self, message: ClientHello) -> None:
        """A client that comes back with a lower version than ours need not have (RFC 7507 section 3)."""
        if TLS_FALLBACK_SCSV in message.cipher_suites:
            raise RemoteProtocolError(
                AlertDescription.INAPPROPRIATE_FALLBACK,
                expected="a fallback no lower than to TLS 1.2",
                got=f"TLS_FALLBACK_SCSV with client_version 0x{message.client_version:04x}",
                clause="RFC 7507 section 3",
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
            encrypt_then_mac=self.check_encrypt_then_mac(known.get(ExtensionType.ENCRYPT_THEN_MAC)),
            secure_renegotiation=self.check_renegotiation_info(message, known.get(ExtensionType.RENEGOTIATION_INFO)),
            ticket=known.get(ExtensionType.SESSION_TICKET),
        )

    def check_ec_point_formats(self, uncompressed: bool, groups: tuple[int, ...] | None) -> None:
        """With any of RFC 8422's curves, uncompressed has to be among the formats (RFC 8422 section 5.1.2)."""
        if not uncompressed and groups is not None and any(group in RFC_8422_CURVES for group in groups):
            raise self.illegal("uncompressed among the point formats", "a list without it", "RFC 8422 section 5.1.2")

    def check_extended_master_secret(self, data: bytes | None) -> bool:
        """Whether the client offers it, empty as it has to be (RFC 7627 sections 5.1 and 5.2)."""
        if data is None:
            self.check_extended_master_secret_is_kept()
            if self.config.require_extended_master_secret:
                raise self.handshake_failure(
                    "extended_master_secret", "a ClientHello without it", "RFC 7627 section 5.2"
                )
            return False
        ext.parse_empty(data, "extended_master_secret", "RFC 7627 section 5.1")
        return self.config.extended_master_secret

    def check_extended_master_secret_is_kept(self) -> None:
        """A client that has it sends it "in all handshakes" (RFC 7627 section 5.2): also in a renegotiation."""
        if self.established and self._earlier.extended_master_secret:
            raise self.handshake_failure(
                "extended_master_secret again", "a ClientHello without it", "RFC 7627 section 5.2"
            )

    def check_encrypt_then_mac(self, data: bytes | None) -> bool:
        """Whether the client offers it, empty as it has to be, and we want it (RFC 7366 section 2)."""
        if data is None:
            return False
        ext.parse_empty(data, "encrypt_then_mac", "RFC 7366 section 2")
        return self.config.encrypt_then_mac

    def check_renegotiation_info(self, message: ClientHello, data: bytes | None) -> bool:
        """Whether the client signals it, by extension or SCSV; the extension is empty at first (RFC 5746, 3.6)."""
        if self.established:
            self.check_no_scsv(message)
            self.check_renegotiated_connection(data)
            return True
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

    def check_no_scsv(self, message: ClientHello) -> None:
        """The SCSV says that this is a first handshake (RFC 5746 section 3.7)."""
        if TLS_EMPTY_RENEGOTIATION_INFO_SCSV in message.cipher_suites:
            raise self.handshake_failure(
                "a renegotiation without TLS_EMPTY_RENEGOTIATION_INFO_SCSV", "one with it", "RFC 5746 section 3.7"
            )

    def check_renegotiated_connection(self, data: bytes | None) -> None:
        """In a renegotiation it holds the client's verify_data of the handshake before (RFC 5746 section 3.7)."""
        if data is None:
            raise self.handshake_failure("renegotiation_info", "a ClientHello without it", "RFC 5746 section 3.7")
        if not compare_digest(ext.parse_renegotiation_info(data), self.client_verify_data):
            raise self.handshake_failure(
                "the client's verify_data of the handshake before",
                "another renegotiated_connection",
                "RFC 5746 section 3.7",
            )

    # --- the name -----------------------------------------------------------------------------------------------------

    def check_server_name(self, server_name: str | None) -> None:
        """A name that is served, compared without regard to case (RFC 6066 section 3)."""
        served = self.config.server_names
        if served is None or server_name is None:
            return
        name = server_name.lower()
        if name in self.config.sites or name in {other.lower() for other in served}:
            return
        raise RemoteProtocolError(
            AlertDescription.UNRECOGNIZED_NAME,
            expected="a server name that is served here",
            got=repr(server_name),
            clause="RFC 6066 section 3",
        )

    def check_server_name_is_kept(self, server_name: str | None) -> None:
        """A renegotiation is for the name of the first handshake: what is said over it was meant for that site.

        An option that RFC 5746 section 5 suggests; ours, since sites differ in whom they admit.
        """
        before = self._earlier.server_name
        if self.established and normal(server_name) != normal(before):
            raise self.handshake_failure(f"the server name {before!r} again", repr(server_name), "RFC 5746 section 5")

    def choose_site(self, server_name: str | None) -> Site:
        """The site of that name, else the default one. All of ClientHello is there, in however many records it came."""
        return self.config.sites.get(normal(server_name) or "", self.config.default_site)

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
        self.check_finite_fields(message, offer)
        raise self.handshake_failure(
            "a cipher suite, group and signature algorithm that both sides support",
            f"suites {' '.join([f'{code:04x}' for code in message.cipher_suites[:16]])}, groups {offer.groups}",
            "RFC 5246 section 7.4.1.3",
        )

    def check_finite_fields(self, message: ClientHello, offer: Offer) -> None:
        """Where no suite can be completed, and DHE fails for want of a group: that is told (RFC 7919 section 4)."""
        if not any(
            suite.key_exchange is KeyExchange.DHE and suite.code in message.cipher_suites
            for suite in self.config.suites
        ):
            return
        theirs = [group for group in offer.groups or () if group in FFDHE_CODES]
        if theirs and not any(group in self.config.groups for group in theirs):
            raise RemoteProtocolError(
                AlertDescription.INSUFFICIENT_SECURITY,
                expected="a finite field group that is known here",
                got=f"groups {theirs}",
                clause="RFC 7919 section 4",
            )

    def try_suite(self, suite: CipherSuite, offer: Offer) -> Choice | None:
        """What goes with that suite, None where it cannot be completed."""
        group = algorithm = None
        if suite.key_exchange is KeyExchange.ECDHE:
            group = self.choose_group(offer)
            if group is None:
                return None
        for credential in self.site.credentials:
            key = credential.private_key
            if authentication_of_key(key) is not suite.authentication:
                continue
            if isinstance(key, ec.EllipticCurvePrivateKey) and not _offers_curve(offer, key):
                continue
            if suite.key_exchange is KeyExchange.DHE:
                group = self.choose_finite_field(offer, key)
                if group is None:
                    continue
            if suite.key_exchange is not KeyExchange.RSA:
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
            if group in offer.groups and group not in FFDHE_CODES:
                return group
        return None

    def choose_finite_field(self, offer: Offer, key: PrivateKey) -> NamedGroup | None:
        """Our first group that the client has and that is as strong as the key, or else any that it has.

        A client that names none may not know of the names: it gets our first, if there is one (RFC 7919 section 4).
        """
        ours = [group for group in self.config.groups if group in FFDHE_CODES]
        if any(group in FFDHE_CODES for group in offer.groups or ()):
            common = [group for group in ours if group in (offer.groups or ())]
            strong = [group for group in common if finite_field.FFDHE[group].bits >= key.key_size]
            ours = strong or common
        return ours[0] if ours else None

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
        if offered is None or not self.site.alpn:
            return None
        for protocol in self.site.alpn:
            if protocol.encode("ascii") in offered:
                return protocol
        raise RemoteProtocolError(
            AlertDescription.NO_APPLICATION_PROTOCOL,
            expected=f"one of {', '.join(self.site.alpn)}",
            got=repr(offered[:8]),
            clause="RFC 7301 section 3.2",
        )

    def choose_encrypt_then_mac(self, suite: CipherSuite, offer: Offer) -> bool:
        """Only with CBC (RFC 7366 section 3), and never back from it (section 3.1)."""
        has_mac = suite.mac_hash is not None
        if has_mac and not offer.encrypt_then_mac:
            self.check_encrypt_then_mac_is_kept()
        return has_mac and offer.encrypt_then_mac

    def check_encrypt_then_mac_is_kept(self) -> None:
        """No renegotiation from encrypt-then-MAC to MAC-then-encrypt (RFC 7366 section 3.1)."""
        if self.encrypt_then_mac_is_kept:
            raise self.handshake_failure("encrypt_then_mac again", "a ClientHello without it", "RFC 7366 section 3.1")

    def make_extensions(self, offer: Offer) -> list[Extension]:
        """The extensions of our ServerHello: only what the client offered."""
        negotiated = self.negotiated
        extensions = []
        if self.acknowledges_name(offer):
            extensions.append(Extension(ExtensionType.SERVER_NAME, b""))
        if negotiated.extended_master_secret:
            extensions.append(ext.extended_master_secret())
        if negotiated.encrypt_then_mac:
            extensions.append(ext.encrypt_then_mac())
        if negotiated.secure_renegotiation:
            extensions.append(ext.renegotiation_info(self.client_verify_data + self.server_verify_data))
        if self.key_exchange is KeyExchange.ECDHE and offer.ec_point_formats:
            extensions.append(ext.ec_point_formats())
        if negotiated.alpn is not None:
            extensions.append(ext.application_layer_protocol_negotiation([negotiated.alpn]))
        return extensions

    def acknowledges_name(self, offer: Offer) -> bool:
        """Whether the name guided us; never in a resumption (RFC 6066 section 3)."""
        if offer.server_name is None or self.negotiated.resumed:
            return False
        return self.config.server_names is not None or normal(offer.server_name) in self.config.sites


RFC_8422_CURVES = frozenset({23, 24, 25, 29, 30})
"""secp256r1, secp384r1, secp521r1, x25519, x448 (RFC 8422 section 5.1.1)."""


def _offers_curve(offer: Offer, key: ec.EllipticCurvePrivateKey) -> bool:
    """Whether the certificate's curve is the client's too (RFC 8422 section 5.3)."""
    return offer.groups is None or CURVES.get(key.curve.name) in offer.groups


def normal(server_name: str | None) -> str | None:
    """The name as it is compared (RFC 6066 section 3: "DNS hostnames are case-insensitive")."""
    return server_name.lower() if server_name is not None else None
