"""Signatures that nobody made with the key they are said to be made with, and that lenient verifiers take.

Each needs the issuer's public key only. Source: RFC 8017 section 8.2.2 and FIPS 186-5 section 6.4.2, by what they
forbid.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from shakeproof.properties.chains import der
from shakeproof.properties.mapper.keys import PrivateKey

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SHA256_INFO = der.sequence(der.oid("2.16.840.1.101.3.4.2.1"), der.element(0x05))
SHORT_PADDING = b"\x00\x01" + b"\xff" * 8 + b"\x00"
"""What goes before a digest where nobody counts the octets of 0xFF; a sound block fills the modulus with them."""


def cubic(modulus: rsa.RSAPublicKey) -> rsa.RSAPublicKey:
    """A public key of exponent 3, of which nobody knows the private one."""
    return rsa.RSAPublicNumbers(3, modulus.public_numbers().n).public_key()


def cube_root(_: PrivateKey, signed: bytes) -> bytes:
    """For a key of 2048 bits and exponent 3: a number whose cube begins as a signed digest does, with garbage behind it
    (CVE-2006-4339, and CVE-2014-1568 in another place).
    """
    wanted = SHORT_PADDING + der.sequence(SHA256_INFO, der.octet_string(hashlib.sha256(signed).digest()))
    target = int.from_bytes(wanted.ljust(256, b"\xff"), "big")
    low, high = 0, 1 << 683
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if middle**3 <= target else (low, middle - 1)
    return low.to_bytes(256, "big")


def of_no_digest(key: PrivateKey, _: bytes) -> bytes:
    """For a key on P-256: a signature of the digest zero, which is what is left of a digest of no octets: with
    r = s = x(Q), u1 is 0 and u2 is 1, so that the point is Q itself.
    """
    public = key.public_key()
    if not isinstance(public, ec.EllipticCurvePublicKey):
        return b"\0" * 256
    x = public.public_numbers().x % P256_ORDER
    return encode_dss_signature(x, x)
