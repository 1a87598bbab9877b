"""Pre-master secrets: RSA key transport and ephemeral Diffie-Hellman, on curves and (see finite_field) without.

Every random byte comes from the `entropy` that is passed in.

Source: RFC 5246 sections 7.4.7.1, 8.1.1 and 8.1.2; RFC 8422 sections 5.4, 5.7, 5.10 and 5.11.
"""

from __future__ import annotations

from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.finite_field import FFDHE, FiniteFieldKey
from shakeproof.impl.tls.suites import NamedGroup

Entropy = Callable[[int], bytes]

PRE_MASTER_SECRET_LENGTH = 48
PKCS1_OVERHEAD = 11
"""Two leading bytes, at least eight of padding, one zero (PKCS #1 v1.5, block type 2)."""
MAX_RSA_BITS = 16384
MAX_EXPONENT_BITS = 64
"""What we are willing to compute with for a peer; OpenSSL has the same limits."""
X25519_LENGTH = 32
UNCOMPRESSED_POINT = 4
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P384_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973
EXTRA_SEED_LENGTH = 8
"""Bytes more than the order has, so that the remainder is as good as uniform."""

_PKCS1 = padding.PKCS1v15()


class X25519Key:
    """An ephemeral x25519 key."""

    group = NamedGroup.X25519

    def __init__(self, entropy: Entropy) -> None:
        self._private = X25519PrivateKey.from_private_bytes(entropy(X25519_LENGTH))
        self.public = self._private.public_key().public_bytes_raw()

    def exchange(self, peer: bytes) -> bytes:
        """The pre-master secret. Raises RemoteProtocolError where it would be all zero or the length is wrong."""
        if len(peer) != X25519_LENGTH:
            raise _bad_public_key("a 32-byte x25519 public key", f"{len(peer)} bytes", "RFC 8422 section 5.4")
        try:
            return self._private.exchange(X25519PublicKey.from_public_bytes(peer))
        except ValueError:
            raise _bad_public_key(
                "an x25519 public key that gives a non-zero secret", "one of small order", "RFC 8422 section 5.11"
            ) from None


class CurveKey:
    """An ephemeral key on one of NIST's curves."""

    group: NamedGroup
    curve: ec.EllipticCurve
    order: int
    coordinate_length: int

    def __init__(self, entropy: Entropy) -> None:
        seed = int.from_bytes(entropy(self.coordinate_length + EXTRA_SEED_LENGTH), "big")
        self._private = ec.derive_private_key(1 + seed % (self.order - 1), self.curve)
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, peer: bytes) -> bytes:
        """The x coordinate, leading zeros kept. Raises RemoteProtocolError unless peer is an uncompressed point."""
        length = 1 + 2 * self.coordinate_length
        if len(peer) != length or peer[0] != UNCOMPRESSED_POINT:
            raise _bad_public_key(
                f"an uncompressed point of {length} bytes",
                f"{len(peer)} bytes, {peer[:1].hex()}...",
                "RFC 8422 section 5.4.1",
            )
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self.curve, peer)
            return self._private.exchange(ec.ECDH(), point)
        except ValueError:
            raise _bad_public_key(
                f"a point on {self.curve.name}", "one that is not on the curve", "RFC 8422 section 5.11"
            ) from None


class P256Key(CurveKey):
    """An ephemeral secp256r1 key."""

    group = NamedGroup.SECP256R1
    curve = ec.SECP256R1()
    order = P256_ORDER
    coordinate_length = 32


class P384Key(CurveKey):
    """An ephemeral secp384r1 key."""

    group = NamedGroup.SECP384R1
    curve = ec.SECP384R1()
    order = P384_ORDER
    coordinate_length = 48


EphemeralKey = X25519Key | P256Key | P384Key | FiniteFieldKey


def ephemeral_key(group: int, entropy: Entropy) -> EphemeralKey:
    """A new key in that group. Raises KeyError for a group that we cannot compute in."""
    if group == NamedGroup.X25519:
        return X25519Key(entropy)
    if group == NamedGroup.SECP256R1:
        return P256Key(entropy)
    if group == NamedGroup.SECP384R1:
        return P384Key(entropy)
    return FiniteFieldKey(FFDHE[group], entropy)


def signed_params(client_random: bytes, server_random: bytes, params: bytes) -> bytes:
    """What the signature in ServerKeyExchange covers (RFC 5246 section 7.4.3, RFC 8422 section 5.4)."""
    return client_random + server_random + params


def new_pre_master_secret(client_version: int, entropy: Entropy) -> bytes:
    """48 bytes that begin with the version that ClientHello offered (RFC 5246 section 7.4.7.1)."""
    return client_version.to_bytes(2, "big") + entropy(PRE_MASTER_SECRET_LENGTH - 2)


def pkcs1_padding(length: int, entropy: Entropy) -> bytes:
    """Non-zero padding bytes. Two random bytes give one, so that the loop is bounded and the bias below 2^-8."""
    seed = entropy(2 * length)
    return bytes([1 + (seed[i] << 8 | seed[i + 1]) % 255 for i in range(0, 2 * length, 2)])


def encrypt_pre_master_secret(public_key: rsa.RSAPublicKey, pre_master_secret: bytes, entropy: Entropy) -> bytes:
    """RSAES-PKCS1-v1_5, with padding from `entropy`.

    Raises RemoteProtocolError (unsupported_certificate) where the peer's key is too short, or absurdly long.
    """
    numbers = public_key.public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    minimum = len(pre_master_secret) + PKCS1_OVERHEAD
    if size < minimum or 8 * size > MAX_RSA_BITS or numbers.e.bit_length() > MAX_EXPONENT_BITS:
        raise RemoteProtocolError(
            AlertDescription.UNSUPPORTED_CERTIFICATE,
            expected=f"an RSA key of {8 * minimum} to {MAX_RSA_BITS} bits, exponent of at most {MAX_EXPONENT_BITS}",
            got=f"{numbers.n.bit_length()} bits, exponent of {numbers.e.bit_length()}",
            clause="RFC 5246 section 7.4.2",
        )
    pad = pkcs1_padding(size - 3 - len(pre_master_secret), entropy)
    block = b"\x00\x02" + pad + b"\x00" + pre_master_secret
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(size, "big")


def decrypt_pre_master_secret(
    private_key: rsa.RSAPrivateKey, encrypted: bytes, client_version: int, entropy: Entropy
) -> bytes:
    """The pre-master secret, or a random one in its place: a fault shows only at Finished.

    The first construction of the note in RFC 5246 section 7.4.7.1: R is drawn before anything is looked at, and the
    result always begins with ClientHello.client_version, so that a wrong version makes a wrong secret.
    """
    random = entropy(PRE_MASTER_SECRET_LENGTH - 2)
    try:
        message = private_key.decrypt(encrypted, _PKCS1)
    except ValueError:
        message = b""
    secret = message[2:] if len(message) == PRE_MASTER_SECRET_LENGTH else random
    return client_version.to_bytes(2, "big") + secret


def _bad_public_key(expected: str, got: str, clause: str) -> RemoteProtocolError:
    return RemoteProtocolError(AlertDescription.ILLEGAL_PARAMETER, expected=expected, got=got, clause=clause)
