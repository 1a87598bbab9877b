"""Signature algorithms: their numbers, signing and verifying.

Source: RFC 5246 sections 4.7 and 7.4.1.4.1; RFC 8422 section 5.10; the rsa_pss_rsae numbers from RFC 8446
section 4.2.3, which lets TLS 1.2 servers use them too.
"""

from __future__ import annotations

from enum import IntEnum

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from shakeproof.impl.tls.suites import Authentication

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class SignatureScheme(IntEnum):
    """SignatureAndHashAlgorithm as one number: hash in the high byte, signature in the low byte."""

    RSA_PKCS1_SHA1 = 0x0201
    ECDSA_SHA1 = 0x0203
    RSA_PKCS1_SHA256 = 0x0401
    ECDSA_SHA256 = 0x0403
    RSA_PKCS1_SHA384 = 0x0501
    ECDSA_SHA384 = 0x0503
    RSA_PKCS1_SHA512 = 0x0601
    ECDSA_SHA512 = 0x0603
    RSA_PSS_RSAE_SHA256 = 0x0804
    RSA_PSS_RSAE_SHA384 = 0x0805
    RSA_PSS_RSAE_SHA512 = 0x0806


_S = SignatureScheme
_SHA1, _SHA256, _SHA384, _SHA512 = hashes.SHA1(), hashes.SHA256(), hashes.SHA384(), hashes.SHA512()  # noqa: S303
# SHA-1 only for clients without signature_algorithms, to which RFC 5246 section 7.4.1.4.1 binds the server.

_RSA: dict[int, tuple[hashes.HashAlgorithm, padding.AsymmetricPadding]] = {
    _S.RSA_PKCS1_SHA1: (_SHA1, padding.PKCS1v15()),
    _S.RSA_PKCS1_SHA256: (_SHA256, padding.PKCS1v15()),
    _S.RSA_PKCS1_SHA384: (_SHA384, padding.PKCS1v15()),
    _S.RSA_PKCS1_SHA512: (_SHA512, padding.PKCS1v15()),
    _S.RSA_PSS_RSAE_SHA256: (_SHA256, padding.PSS(padding.MGF1(_SHA256), padding.PSS.DIGEST_LENGTH)),
    _S.RSA_PSS_RSAE_SHA384: (_SHA384, padding.PSS(padding.MGF1(_SHA384), padding.PSS.DIGEST_LENGTH)),
    _S.RSA_PSS_RSAE_SHA512: (_SHA512, padding.PSS(padding.MGF1(_SHA512), padding.PSS.DIGEST_LENGTH)),
}
_ECDSA: dict[int, hashes.HashAlgorithm] = {
    _S.ECDSA_SHA1: _SHA1,
    _S.ECDSA_SHA256: _SHA256,
    _S.ECDSA_SHA384: _SHA384,
    _S.ECDSA_SHA512: _SHA512,
}

SIGNING_SCHEMES: tuple[SignatureScheme, ...] = (
    _S.RSA_PKCS1_SHA256,
    _S.ECDSA_SHA256,
    _S.RSA_PKCS1_SHA384,
    _S.ECDSA_SHA384,
    _S.RSA_PKCS1_SHA512,
    _S.ECDSA_SHA512,
)
"""What a server signs with by default: all deterministic, so that a run can be repeated from its seed."""

VERIFYING_SCHEMES: tuple[SignatureScheme, ...] = (
    *SIGNING_SCHEMES,
    _S.RSA_PSS_RSAE_SHA256,
    _S.RSA_PSS_RSAE_SHA384,
    _S.RSA_PSS_RSAE_SHA512,
)
"""What a client offers by default."""


def authentication_of(scheme: int) -> Authentication | None:
    """The kind of key that a scheme needs, None for one that we do not know."""
    if scheme in _RSA:
        return Authentication.RSA
    if scheme in _ECDSA:
        return Authentication.ECDSA
    return None


def authentication_of_key(key: object) -> Authentication | None:
    """The kind of a public or private key, None where it is neither RSA nor ECDSA."""
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return Authentication.RSA
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        return Authentication.ECDSA
    return None


def sign(private_key: PrivateKey, scheme: int, data: bytes) -> bytes:
    """The signature over `data`. PSS has a random salt, everything else is deterministic.

    Raises ValueError where the scheme does not fit the key.
    """
    if isinstance(private_key, rsa.RSAPrivateKey) and scheme in _RSA:
        algorithm, pad = _RSA[scheme]
        return private_key.sign(data, pad, algorithm)
    if isinstance(private_key, ec.EllipticCurvePrivateKey) and scheme in _ECDSA:
        return private_key.sign(data, ec.ECDSA(_ECDSA[scheme], deterministic_signing=True))
    raise ValueError(f"signature scheme 0x{scheme:04x} does not fit a key of type {type(private_key).__name__}")


def verify(public_key: object, scheme: int, signature: bytes, data: bytes) -> bool:
    """Whether it is that key's signature over `data`; False also where the scheme does not fit the key."""
    try:
        if isinstance(public_key, rsa.RSAPublicKey) and scheme in _RSA:
            algorithm, pad = _RSA[scheme]
            public_key.verify(signature, data, pad, algorithm)
            return True
        if isinstance(public_key, ec.EllipticCurvePublicKey) and scheme in _ECDSA:
            public_key.verify(signature, data, ec.ECDSA(_ECDSA[scheme]))
            return True
    except (InvalidSignature, ValueError):
        return False
    return False
