"""Keys, secrets and signatures that all connections of scripted peers share.

A tester has nothing to hide, so that its ephemeral keys and its part of a pre-master secret are the same in every
connection, and what depends on nothing else is computed once a process. It also holds what no honest stack would:
unusual curves, outdated signature hashes, RSA without padding checks.
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import key_exchange, signatures
from shakeproof.impl.tls.suites import Authentication
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key

X25519 = 29
SECP256R1 = 23

PRE_MASTER_RANDOM = bytes(range(1, 47))
"""The 46 bytes that follow the version in the tester's pre-master secret."""
BLOCK_PADDING = b"\xa5"
"""The byte that fills the tester's PKCS #1 blocks: not zero."""


class EphemeralKey(Protocol):
    """A key pair in one group."""

    public: bytes

    def exchange(self, peer: bytes) -> bytes:
        """The pre-master secret. Raises RemoteProtocolError where the peer's point is none."""
        ...


_CURVES: dict[int, ec.EllipticCurve] = {
    22: ec.SECP256K1(),
    23: ec.SECP256R1(),
    24: ec.SECP384R1(),
    25: ec.SECP521R1(),
    26: ec.BrainpoolP256R1(),
}
GROUPS = (29, 23, 24, 25, 26, 22)
"""Every group that the tester can compute in."""


class CurveKey:
    """A key on one of the curves that our implementation does not offer."""

    def __init__(self, curve: ec.EllipticCurve, scalar: int) -> None:
        self._private = ec.derive_private_key(scalar, curve)
        self._curve = curve
        self.public = self._private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def exchange(self, peer: bytes) -> bytes:
        """The x coordinate of the shared point."""
        try:
            point = ec.EllipticCurvePublicKey.from_encoded_point(self._curve, peer)
        except ValueError:
            raise RemoteProtocolError(
                None, expected=f"a point on {self._curve.name}", got="none", clause="RFC 8422 section 5.11"
            ) from None
        return self._private.exchange(ec.ECDH(), point)


@cache
def ephemeral(group: int, is_client: bool) -> EphemeralKey:
    """The tester's key in that group, another one for each side. Raises KeyError for a group not in GROUPS."""
    seed = hashlib.sha512(b"client" if is_client else b"server").digest()
    if group in (X25519, SECP256R1):
        return key_exchange.ephemeral_key(group, lambda length: seed[:length])
    return CurveKey(_CURVES[group], 1 + int.from_bytes(seed[:28], "big"))


@cache
def off_curve(group: int, is_client: bool) -> bytes:
    """A public value that is no point of the group; x25519 has none, and gets the point of order one.

    Source: RFC 8422 section 5.11, RFC 7748 section 6.1.
    """
    if group == X25519:
        return bytes(32)
    public = ephemeral(group, is_client).public
    return public[:-1] + bytes((public[-1] ^ 1,))


@lru_cache(maxsize=256)
def is_on_curve(group: int, public: bytes) -> bool | None:
    """Whether it is a point that may be used; None in a group that we can't compute in."""
    if group == X25519:
        if len(public) != 32:
            return False
        try:
            ephemeral(group, True).exchange(public)
        except RemoteProtocolError:
            return False
        return True
    curve = _CURVES.get(group)
    if curve is None:
        return None
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curve, public)
    except ValueError:
        return False
    return True


# ---------------------------------------------------------------------------------------------------------- signatures

_OLD_HASHES: dict[int, hashes.HashAlgorithm] = {1: hashes.MD5(), 3: hashes.SHA224()}  # noqa: S303  what nobody offers
_RSA, _ECDSA = 1, 3  # low bytes of RFC 5246's pairs of hash and signature

ALIEN_SCHEMES: dict[KeyKind, tuple[int, ...]] = {
    "rsa": (0x0201, 0x0601, 0x0501, 0x0301, 0x0101),
    "ecdsa": (0x0203, 0x0603, 0x0503, 0x0303, 0x0103),
}
"""Schemes to sign with where one is wanted that was not offered."""


@lru_cache(maxsize=512)
def sign(key: PrivateKey, scheme: int, data: bytes) -> bytes:
    """The signature, by whatever scheme fits the key's kind."""
    old = _OLD_HASHES.get(scheme >> 8)
    if old is None:
        return signatures.sign(key, scheme, data)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(data, padding.PKCS1v15(), old)
    return key.sign(data, ec.ECDSA(old, deterministic_signing=True))


def verifies(public_key: object, scheme: int | None, signature: bytes, data: bytes) -> bool:
    """Whether it is that key's signature; False also where scheme and key do not fit. scheme: None before TLS 1.2."""
    if scheme is None:
        return _verified_before(public_key, signature, data)
    old = _OLD_HASHES.get(scheme >> 8)
    if old is None:
        return signatures.verify(public_key, scheme, signature, data)
    try:
        if isinstance(public_key, rsa.RSAPublicKey) and scheme & 0xFF == _RSA:
            public_key.verify(signature, data, padding.PKCS1v15(), old)
            return True
        if isinstance(public_key, ec.EllipticCurvePublicKey) and scheme & 0xFF == _ECDSA:
            public_key.verify(signature, data, ec.ECDSA(old))
            return True
    except (InvalidSignature, ValueError, UnsupportedAlgorithm):
        return False
    return False


def _verified_before(public_key: object, signature: bytes, data: bytes) -> bool:
    """As before TLS 1.2 (RFC 5246 section 1.2): an RSA key signs an MD5 and a SHA-1 hash in a row, others SHA-1's."""
    if not isinstance(public_key, rsa.RSAPublicKey):
        return verifies(public_key, signatures.SignatureScheme.ECDSA_SHA1, signature, data)
    hashed = hashlib.md5(data, usedforsecurity=False).digest() + hashlib.sha1(data, usedforsecurity=False).digest()
    try:
        return public_key.recover_data_from_signature(signature, padding.PKCS1v15(), None) == hashed
    except InvalidSignature:
        return False


def kind_of(authentication: Authentication | None) -> KeyKind:
    """The kind of certificate key that a suite needs."""
    return "ecdsa" if authentication is Authentication.ECDSA else "rsa"


# ------------------------------------------------------------------------------------------------------ RSA by hand


def temporary_rsa_key() -> rsa.RSAPrivateKey:
    """The key of an RSA ServerKeyExchange, as export suites once had: no certificate names it."""
    key = private_key("rsa", Owner.NOBODY)
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def encrypt_block(public_key: rsa.RSAPublicKey, secret: bytes, block_type: int) -> bytes:
    """A PKCS #1 block of any type around the secret, under the key; the secret is cut where the key is too short."""
    numbers = public_key.public_numbers()
    return _encrypt_block(numbers.n, numbers.e, secret, block_type)


@lru_cache(maxsize=64)
def _encrypt_block(modulus: int, exponent: int, secret: bytes, block_type: int) -> bytes:
    size = (modulus.bit_length() + 7) // 8
    secret = secret[: max(size - 11, 0)]
    block = bytes((0, block_type)) + BLOCK_PADDING * (size - 3 - len(secret)) + b"\0" + secret
    return pow(int.from_bytes(block, "big"), exponent, modulus).to_bytes(size, "big")


@lru_cache(maxsize=256)
def decrypt_block(key: rsa.RSAPrivateKey, encrypted: bytes, version: int) -> tuple[bool, bytes]:
    """Whether the block is padded as PKCS #1 demands around 48 bytes, and the 48 bytes that stand at its end.

    version: what the secret should begin with, which settles it without looking at the raw block.
    """
    try:
        secret = key.decrypt(encrypted, padding.PKCS1v15())
    except ValueError:
        secret = b""
    # OpenSSL since 3.2 answers a bad block with bytes that depend on nothing visible: only a secret that begins as
    # it should is surely no such answer.
    if len(secret) == key_exchange.PRE_MASTER_SECRET_LENGTH and secret[:2] == version.to_bytes(2, "big"):
        return True, secret
    block = _raw_decrypt(key, encrypted)
    end = len(block) - key_exchange.PRE_MASTER_SECRET_LENGTH
    padded = block[:2] == b"\0\2" and b"\0" not in block[2 : end - 1] and block[end - 1] == 0
    return padded, block[end:]


def _raw_decrypt(key: rsa.RSAPrivateKey, encrypted: bytes) -> bytes:
    numbers = key.private_numbers()
    size = (numbers.public_numbers.n.bit_length() + 7) // 8
    value = int.from_bytes(encrypted, "big")
    first = pow(value % numbers.p, numbers.dmp1, numbers.p)
    second = pow(value % numbers.q, numbers.dmq1, numbers.q)
    block = second + numbers.q * ((first - second) * numbers.iqmp % numbers.p)
    return block.to_bytes(size, "big")
