"""What the handshake itself needs to know of a certificate: its key, and what the key may be used for.

Whether the certificate is to be trusted is asked elsewhere (`ClientConfig.verify`).
Source: RFC 5246 section 7.4.2; RFC 5280 section 4.2.1.3.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.config import ValidationOutcome
from shakeproof.impl.tls.signatures import authentication_of_key
from shakeproof.impl.tls.suites import Authentication, NamedGroup

CACHED_LEAVES = 256
"""Decoded certificates that are kept. A client meets few different ones; a hostile server cannot grow the cache."""

CURVES: dict[str, int] = {"secp256r1": NamedGroup.SECP256R1, "secp384r1": NamedGroup.SECP384R1, "secp521r1": 25}
"""Numbers of the curves that a certificate's key may lie on (RFC 8422 section 5.1.1)."""


@dataclass(frozen=True)
class Leaf:
    """An end-entity certificate as the handshake sees it.

    authentication: None where the key is neither RSA nor ECDSA; group: the number of an ECDSA key's curve, else None.
    The two usages are None where there is no keyUsage extension.
    """

    public_key: object
    authentication: Authentication | None
    group: int | None
    digital_signature: bool | None
    key_encipherment: bool | None


@lru_cache(maxsize=CACHED_LEAVES)
def load_leaf(der: bytes) -> Leaf:
    """Decodes a certificate. Raises RemoteProtocolError: bad_certificate, or unsupported_certificate for its key."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is odd about a peer's certificate is not our user's concern
        try:
            certificate = x509.load_der_x509_certificate(der)
            usage = _key_usage(certificate)
        except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm) as error:
            raise RemoteProtocolError(
                AlertDescription.BAD_CERTIFICATE,
                expected="a certificate in DER",
                got=f"one that cannot be decoded ({type(error).__name__})",
                clause="RFC 5246 section 7.2.2",
            ) from error
        try:
            public_key = certificate.public_key()
        except (ValueError, UnsupportedAlgorithm) as error:
            raise RemoteProtocolError(
                AlertDescription.UNSUPPORTED_CERTIFICATE,
                expected="a public key of a kind that we know",
                got=f"one that cannot be loaded ({type(error).__name__})",
                clause="RFC 5246 section 7.4.2",
            ) from error
    group = CURVES.get(public_key.curve.name) if isinstance(public_key, ec.EllipticCurvePublicKey) else None
    return Leaf(
        public_key=public_key,
        authentication=authentication_of_key(public_key),
        group=group,
        digital_signature=usage.digital_signature if usage is not None else None,
        key_encipherment=usage.key_encipherment if usage is not None else None,
    )


def refusal(outcome: ValidationOutcome, expected: str) -> RemoteProtocolError:
    """The error of a chain that the validator refuses, with the validator's alert."""
    try:
        alert = AlertDescription.from_label(outcome.alert or "")
    except KeyError:
        alert = AlertDescription.CERTIFICATE_UNKNOWN
    return RemoteProtocolError(
        alert,
        expected=expected,
        got=f"one that is refused with {alert.label}",
        clause="RFC 5246 section 7.4.2",
        details=outcome,
    )


def issuers(chain: Sequence[bytes]) -> list[bytes]:
    """Who issued the certificates of a chain, as names in DER; what cannot be read is left out."""
    names = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for der in chain:
            try:
                names.append(x509.load_der_x509_certificate(der).issuer.public_bytes())
            except (ValueError, TypeError, x509.InvalidVersion):
                continue
    return names


def _key_usage(certificate: x509.Certificate) -> x509.KeyUsage | None:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return None
