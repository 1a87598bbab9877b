"""Handshake messages: one frozen dataclass each, with `parse` of a body and `encode` to the whole message.

The codec checks syntax only; what a value means in a connection is checked there. `encode` writes what it is given,
also what no honest peer would send, as long as it fits its field (else OverflowError). `parse` raises
RemoteProtocolError with decode_error.

Source: RFC 5246 section 7.4; RFC 8422 section 5; RFC 5077 section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

from shakeproof.impl.tls.extensions import Extension, encode_extensions, parse_extensions
from shakeproof.impl.tls.message_types import HEADER_LENGTH as HEADER_LENGTH
from shakeproof.impl.tls.message_types import HandshakeType as HandshakeType
from shakeproof.impl.tls.message_types import Message as Message
from shakeproof.impl.tls.message_types import Raw as Raw
from shakeproof.impl.tls.message_types import message_name as message_name
from shakeproof.impl.tls.suites import Authentication, KeyExchange
from shakeproof.impl.tls.wire import Reader, decode_error, uints, vector

RANDOM_LENGTH = 32
MAX_SESSION_ID_LENGTH = 32
NAMED_CURVE = 3
NULL_COMPRESSION = 0
CERTIFICATE_TYPES: dict[Authentication, int] = {Authentication.RSA: 1, Authentication.ECDSA: 64}
"""ClientCertificateType of each kind of key: rsa_sign (RFC 5246 section 7.4.4), ecdsa_sign (RFC 8422 section 5.5)."""


@dataclass(frozen=True)
class HelloRequest(Message):
    """Please negotiate anew. Never part of the transcript. Source: RFC 5246 section 7.4.1.1."""

    handshake_type: ClassVar[int] = HandshakeType.HELLO_REQUEST

    def encode_body(self) -> bytes:
        """Empty."""
        return b""

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From an empty body."""
        Reader(body, "HelloRequest", "RFC 5246 section 7.4.1.1").finish()
        return cls()


@dataclass(frozen=True)
class ClientHello(Message):
    """extensions None: no block at all, which is not the same as an empty block. Source: RFC 5246 section 7.4.1.2."""

    handshake_type: ClassVar[int] = HandshakeType.CLIENT_HELLO
    client_version: int
    random: bytes
    session_id: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: tuple[int, ...] = (NULL_COMPRESSION,)
    extensions: tuple[Extension, ...] | None = None

    def encode_body(self) -> bytes:
        """The body."""
        return b"".join(
            (
                self.client_version.to_bytes(2, "big"),
                self.random,
                vector(self.session_id, 1),
                uints(self.cipher_suites, 2, 2),
                uints(self.compression_methods, 1, 1),
                encode_extensions(self.extensions),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body. Two extensions of one type are an illegal_parameter."""
        reader = Reader(body, "ClientHello", "RFC 5246 section 7.4.1.2")
        hello = cls(
            client_version=reader.uint(2),
            random=reader.take(RANDOM_LENGTH),
            session_id=reader.vector(1, 0, MAX_SESSION_ID_LENGTH),
            cipher_suites=reader.uints(2, 2, 2),
            compression_methods=reader.uints(1, 1, 1),
            extensions=parse_extensions(reader),
        )
        reader.finish()
        return hello

    def extension(self, extension_type: int) -> bytes | None:
        """The data of that extension, or None."""
        return _extension(self.extensions, extension_type)


@dataclass(frozen=True)
class ServerHello(Message):
    """extensions None: no block at all. Source: RFC 5246 section 7.4.1.3."""

    handshake_type: ClassVar[int] = HandshakeType.SERVER_HELLO
    server_version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    compression_method: int = NULL_COMPRESSION
    extensions: tuple[Extension, ...] | None = None

    def encode_body(self) -> bytes:
        """The body."""
        return b"".join(
            (
                self.server_version.to_bytes(2, "big"),
                self.random,
                vector(self.session_id, 1),
                self.cipher_suite.to_bytes(2, "big"),
                self.compression_method.to_bytes(1, "big"),
                encode_extensions(self.extensions),
            )
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body. Two extensions of one type are an illegal_parameter."""
        reader = Reader(body, "ServerHello", "RFC 5246 section 7.4.1.3")
        hello = cls(
            server_version=reader.uint(2),
            random=reader.take(RANDOM_LENGTH),
            session_id=reader.vector(1, 0, MAX_SESSION_ID_LENGTH),
            cipher_suite=reader.uint(2),
            compression_method=reader.uint(1),
            extensions=parse_extensions(reader),
        )
        reader.finish()
        return hello

    def extension(self, extension_type: int) -> bytes | None:
        """The data of that extension, or None."""
        return _extension(self.extensions, extension_type)


@dataclass(frozen=True)
class Certificate(Message):
    """A chain in DER, leaf first. Source: RFC 5246 section 7.4.2."""

    handshake_type: ClassVar[int] = HandshakeType.CERTIFICATE
    certificate_list: tuple[bytes, ...]

    def encode_body(self) -> bytes:
        """The body."""
        return vector(b"".join([vector(certificate, 3) for certificate in self.certificate_list]), 3)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body. The list may be empty, a certificate may not."""
        reader = Reader(body, "Certificate", "RFC 5246 section 7.4.2")
        chain = Reader(reader.vector(3), "certificate_list", "RFC 5246 section 7.4.2")
        reader.finish()
        certificates = []
        while chain.remaining:
            certificates.append(chain.vector(3, 1))
        return cls(tuple(certificates))


@dataclass(frozen=True)
class CertificateRequest(Message):
    """What a server accepts of a client.

    signature_algorithms: hash and signature as 16-bit numbers; authorities: distinguished names in DER, empty for any.
    Source: RFC 5246 section 7.4.4.
    """

    handshake_type: ClassVar[int] = HandshakeType.CERTIFICATE_REQUEST
    certificate_types: bytes
    signature_algorithms: tuple[int, ...]
    authorities: tuple[bytes, ...] = ()

    def encode_body(self) -> bytes:
        """The body."""
        names = b"".join([vector(name, 2) for name in self.authorities])
        return vector(self.certificate_types, 1) + uints(self.signature_algorithms, 2, 2) + vector(names, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "CertificateRequest", "RFC 5246 section 7.4.4")
        types = reader.vector(1, 1)
        algorithms = reader.uints(2, 2, 2)
        names = Reader(reader.vector(2), "certificate_authorities", "RFC 5246 section 7.4.4")
        reader.finish()
        authorities = []
        while names.remaining:
            authorities.append(names.vector(2, 1))
        return cls(types, algorithms, tuple(authorities))


@dataclass(frozen=True)
class EcdheServerKeyExchange(Message):
    """ServerECDHParams and their signature.

    curve_type: 3 is named_curve, the only one that is left; algorithm: hash and signature as one 16-bit number.
    Source: RFC 8422 section 5.4; RFC 5246 section 4.7.
    """

    handshake_type: ClassVar[int] = HandshakeType.SERVER_KEY_EXCHANGE
    group: int
    public: bytes
    algorithm: int
    signature: bytes
    curve_type: int = NAMED_CURVE

    @property
    def params(self) -> bytes:
        """ServerECDHParams, which the signature covers after the two randoms."""
        return ecdh_params(self.group, self.public, self.curve_type)

    def encode_body(self) -> bytes:
        """The body."""
        return self.params + self.algorithm.to_bytes(2, "big") + vector(self.signature, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body. Another curve type than named_curve cannot be decoded: its form is no longer defined."""
        reader = Reader(body, "ServerKeyExchange", "RFC 8422 section 5.4")
        curve_type = reader.uint(1)
        if curve_type != NAMED_CURVE:
            raise reader.fault("curve_type named_curve (3)", f"curve_type {curve_type}")
        message = cls(
            curve_type=curve_type,
            group=reader.uint(2),
            public=reader.vector(1, 1),
            algorithm=reader.uint(2),
            signature=reader.vector(2),
        )
        reader.finish()
        return message


def ecdh_params(group: int, public: bytes, curve_type: int = NAMED_CURVE) -> bytes:
    """ServerECDHParams (RFC 8422 section 5.4)."""
    return curve_type.to_bytes(1, "big") + group.to_bytes(2, "big") + vector(public, 1)


@dataclass(frozen=True)
class DheServerKeyExchange(Message):
    """ServerDHParams and their signature; the three numbers are unsigned, in network byte order.

    algorithm: hash and signature as one 16-bit number. Source: RFC 5246 section 7.4.3.
    """

    handshake_type: ClassVar[int] = HandshakeType.SERVER_KEY_EXCHANGE
    p: bytes
    g: bytes
    public: bytes
    algorithm: int
    signature: bytes

    @property
    def params(self) -> bytes:
        """ServerDHParams, which the signature covers after the two randoms."""
        return dh_params(self.p, self.g, self.public)

    def encode_body(self) -> bytes:
        """The body."""
        return self.params + self.algorithm.to_bytes(2, "big") + vector(self.signature, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "ServerKeyExchange", "RFC 5246 section 7.4.3")
        message = cls(
            p=reader.vector(2, 1),
            g=reader.vector(2, 1),
            public=reader.vector(2, 1),
            algorithm=reader.uint(2),
            signature=reader.vector(2),
        )
        reader.finish()
        return message


def dh_params(p: bytes, g: bytes, public: bytes) -> bytes:
    """ServerDHParams (RFC 5246 section 7.4.3)."""
    return vector(p, 2) + vector(g, 2) + vector(public, 2)


ServerKeyExchange = EcdheServerKeyExchange | DheServerKeyExchange


@dataclass(frozen=True)
class ServerHelloDone(Message):
    """The end of the server's flight. Source: RFC 5246 section 7.4.5."""

    handshake_type: ClassVar[int] = HandshakeType.SERVER_HELLO_DONE

    def encode_body(self) -> bytes:
        """Empty."""
        return b""

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From an empty body."""
        Reader(body, "ServerHelloDone", "RFC 5246 section 7.4.5").finish()
        return cls()


@dataclass(frozen=True)
class RsaClientKeyExchange(Message):
    """The pre-master secret under the server's RSA key. Source: RFC 5246 section 7.4.7.1."""

    handshake_type: ClassVar[int] = HandshakeType.CLIENT_KEY_EXCHANGE
    encrypted_pre_master_secret: bytes

    def encode_body(self) -> bytes:
        """The body."""
        return vector(self.encrypted_pre_master_secret, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "ClientKeyExchange", "RFC 5246 section 7.4.7.1")
        message = cls(reader.vector(2))
        reader.finish()
        return message


@dataclass(frozen=True)
class EcdheClientKeyExchange(Message):
    """The client's public key. Source: RFC 8422 section 5.7."""

    handshake_type: ClassVar[int] = HandshakeType.CLIENT_KEY_EXCHANGE
    public: bytes

    def encode_body(self) -> bytes:
        """The body."""
        return vector(self.public, 1)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "ClientKeyExchange", "RFC 8422 section 5.7")
        message = cls(reader.vector(1, 1))
        reader.finish()
        return message


@dataclass(frozen=True)
class DheClientKeyExchange(Message):
    """ClientDiffieHellmanPublic, explicit: implicit is for certificates that hold a Diffie-Hellman key, of which we
    know none. Source: RFC 5246 section 7.4.7.2.
    """

    handshake_type: ClassVar[int] = HandshakeType.CLIENT_KEY_EXCHANGE
    public: bytes

    def encode_body(self) -> bytes:
        """The body."""
        return vector(self.public, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "ClientKeyExchange", "RFC 5246 section 7.4.7.2")
        message = cls(reader.vector(2, 1))
        reader.finish()
        return message


ClientKeyExchange = RsaClientKeyExchange | EcdheClientKeyExchange | DheClientKeyExchange


@dataclass(frozen=True)
class CertificateVerify(Message):
    """The client's signature over the handshake so far.

    algorithm: hash and signature as one 16-bit number. Source: RFC 5246 sections 7.4.8 and 4.7.
    """

    handshake_type: ClassVar[int] = HandshakeType.CERTIFICATE_VERIFY
    algorithm: int
    signature: bytes

    def encode_body(self) -> bytes:
        """The body."""
        return self.algorithm.to_bytes(2, "big") + vector(self.signature, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "CertificateVerify", "RFC 5246 section 7.4.8")
        message = cls(reader.uint(2), reader.vector(2))
        reader.finish()
        return message


@dataclass(frozen=True)
class NewSessionTicket(Message):
    """A ticket for the next connection; empty where the server has changed its mind.

    lifetime_s: a hint, 0 for none. Source: RFC 5077 section 3.3.
    """

    handshake_type: ClassVar[int] = HandshakeType.NEW_SESSION_TICKET
    lifetime_s: int
    ticket: bytes

    def encode_body(self) -> bytes:
        """The body."""
        return self.lifetime_s.to_bytes(4, "big") + vector(self.ticket, 2)

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        reader = Reader(body, "NewSessionTicket", "RFC 5077 section 3.3")
        message = cls(reader.uint(4), reader.vector(2))
        reader.finish()
        return message


@dataclass(frozen=True)
class Finished(Message):
    """verify_data, of whatever length: the suite says which. Source: RFC 5246 section 7.4.9."""

    handshake_type: ClassVar[int] = HandshakeType.FINISHED
    verify_data: bytes

    def encode_body(self) -> bytes:
        """The body."""
        return self.verify_data

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """From a body."""
        return cls(body)


def parse_message(handshake_type: int, body: bytes, key_exchange: KeyExchange | None = None) -> Message:
    """The message of that type; Raw where we know no form of it.

    key_exchange: what the suite says, which gives ServerKeyExchange and ClientKeyExchange their form.
    """
    match handshake_type:
        case HandshakeType.HELLO_REQUEST:
            return HelloRequest.parse(body)
        case HandshakeType.CLIENT_HELLO:
            return ClientHello.parse(body)
        case HandshakeType.SERVER_HELLO:
            return ServerHello.parse(body)
        case HandshakeType.CERTIFICATE:
            return Certificate.parse(body)
        case HandshakeType.SERVER_KEY_EXCHANGE if key_exchange is KeyExchange.ECDHE:
            return EcdheServerKeyExchange.parse(body)
        case HandshakeType.SERVER_KEY_EXCHANGE if key_exchange is KeyExchange.DHE:
            return DheServerKeyExchange.parse(body)
        case HandshakeType.CERTIFICATE_REQUEST:
            return CertificateRequest.parse(body)
        case HandshakeType.SERVER_HELLO_DONE:
            return ServerHelloDone.parse(body)
        case HandshakeType.CLIENT_KEY_EXCHANGE if key_exchange is KeyExchange.RSA:
            return RsaClientKeyExchange.parse(body)
        case HandshakeType.CLIENT_KEY_EXCHANGE if key_exchange is KeyExchange.ECDHE:
            return EcdheClientKeyExchange.parse(body)
        case HandshakeType.CLIENT_KEY_EXCHANGE if key_exchange is KeyExchange.DHE:
            return DheClientKeyExchange.parse(body)
        case HandshakeType.CERTIFICATE_VERIFY:
            return CertificateVerify.parse(body)
        case HandshakeType.NEW_SESSION_TICKET:
            return NewSessionTicket.parse(body)
        case HandshakeType.FINISHED:
            return Finished.parse(body)
    return Raw(handshake_type, body)


def encode(message: Message) -> bytes:
    """Type, length, body."""
    return message.encode()


def split_messages(data: bytes) -> list[tuple[int, bytes]]:
    """Whole handshake messages in a row as (type, body). Raises RemoteProtocolError where the last one is cut off."""
    messages = []
    start = 0
    while start < len(data):
        length = int.from_bytes(data[start + 1 : start + HEADER_LENGTH], "big")
        stop = start + HEADER_LENGTH + length
        if stop > len(data) or start + HEADER_LENGTH > len(data):
            raise decode_error("handshake data", "whole messages", "a last one cut off", "RFC 5246 section 7.4")
        messages.append((data[start], data[start + HEADER_LENGTH : stop]))
        start = stop
    return messages


def _extension(extensions: Sequence[Extension] | None, extension_type: int) -> bytes | None:
    for extension in extensions or ():
        if extension.extension_type == extension_type:
            return extension.data
    return None
