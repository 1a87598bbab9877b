"""The defects of a chain, read from its octets: small direct checks, for messages, and no validator.

Nothing is shared with shakeproof.impl.x509: a fault there must not cancel out here.
Source: RFC 5280 sections 4 and 6, RFC 9525 section 6.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, SignatureAlgorithmOID

from shakeproof.properties.chains import draft as chain_draft
from shakeproof.properties.mapper.certificates import PURPOSES, CertificateDefect, is_ip_address


def classify(
    der: Sequence[bytes],
    time: datetime,
    name: str,
    anchors: Sequence[bytes],
) -> frozenset[CertificateDefect]:
    """The defects of a chain, read in the order of RFC 5246 section 7.4.2: each certificate certifies the one before.

    der: leaf first, with or without the trust anchor; time: aware; name: reference identity. Small direct checks of
    what `CertificateDefect` names and nothing more; it searches no path, so it reads messages and is no validator.
    """
    if not der:
        return frozenset({CertificateDefect.EMPTY})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what `cryptography` tolerates today, a negative serial number for one
        try:
            certificates = [x509.load_der_x509_certificate(item) for item in der]
            roots = [x509.load_der_x509_certificate(item) for item in anchors]
            return frozenset(
                _defects_of_certificates(certificates, time, name) | _defects_of_links(certificates, roots)
            )
        except _UNPARSABLE:
            return frozenset({CertificateDefect.MALFORMED})


_UNPARSABLE = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


def _defects_of_certificates(
    certificates: Sequence[x509.Certificate], time: datetime, name: str
) -> set[CertificateDefect]:
    leaf, issuers = certificates[0], certificates[1:]
    names = _extension(leaf, x509.SubjectAlternativeName)
    observed = {
        CertificateDefect.EXPIRED: leaf.not_valid_after_utc < time,
        CertificateDefect.NOT_YET_VALID: time < leaf.not_valid_before_utc,
        CertificateDefect.WRONG_NAME: names is not None and not _certifies(names, name),
        CertificateDefect.NO_SAN: names is None,
        CertificateDefect.NAME_EXCLUDED: names is not None and any(_excludes(item, names) for item in issuers),
        CertificateDefect.PATHLEN_EXCEEDED: any(_is_exceeded(item, place) for place, item in enumerate(issuers)),
        CertificateDefect.UNKNOWN_CRITICAL: any(item.critical and _is_unknown(item) for item in leaf.extensions),
        CertificateDefect.WRONG_PURPOSE: _is_for_neither_side(leaf),
        CertificateDefect.WRONG_KEY_USAGE: _fits_no_key_exchange(leaf),
        CertificateDefect.ISSUER_NOT_CA: not all(_is_ca(item) for item in issuers),
        CertificateDefect.ISSUER_EXPIRED: any(item.not_valid_after_utc < time for item in issuers),
    }
    return {defect for defect, present in observed.items() if present}


Extension = TypeVar("Extension", bound=x509.ExtensionType)


def _extension(certificate: x509.Certificate, kind: type[Extension]) -> Extension | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _is_unknown(extension: x509.Extension[x509.ExtensionType]) -> bool:
    return isinstance(extension.value, x509.UnrecognizedExtension)


def _is_for_neither_side(leaf: x509.Certificate) -> bool:
    """For which of the two it has to be is for whoever knows the sides of the connection."""
    purposes = _extension(leaf, x509.ExtendedKeyUsage)
    fitting = {*PURPOSES.values(), ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    return purposes is not None and not fitting & set(purposes)


def _is_exceeded(issuer: x509.Certificate, below: int) -> bool:
    """RFC 5280 section 4.2.1.9: so many intermediate CAs follow."""
    basic = _extension(issuer, x509.BasicConstraints)
    return basic is not None and basic.path_length is not None and below > basic.path_length


def _excludes(issuer: x509.Certificate, names: x509.SubjectAlternativeName) -> bool:
    constraints = _extension(issuer, x509.NameConstraints)
    trees = constraints.excluded_subtrees if constraints is not None else None
    return any(_lies_in(name, tree) for tree in trees or () for name in names)


def _lies_in(name: x509.GeneralName, tree: x509.GeneralName) -> bool:
    if isinstance(name, x509.IPAddress) and isinstance(tree, x509.IPAddress):
        return name.value in tree.value  # type: ignore[operator]  # of a subtree it is a network
    if isinstance(name, x509.DNSName) and isinstance(tree, x509.DNSName):
        return f".{name.value}".lower().endswith(f".{tree.value}".lower())
    return False


def _certifies(names: x509.SubjectAlternativeName, name: str) -> bool:
    """RFC 9525 section 6: equal, matched by a wildcard that is the whole leftmost label, or the same IP address."""
    if is_ip_address(name):
        return ipaddress.ip_address(name) in names.get_values_for_type(x509.IPAddress)
    wanted = name.rstrip(".").lower()
    parent = wanted.partition(".")[2]
    presented = {item.lower() for item in names.get_values_for_type(x509.DNSName)}
    return wanted in presented or (bool(parent) and f"*.{parent}" in presented)


def _fits_no_key_exchange(leaf: x509.Certificate) -> bool:
    try:
        usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return False
    return not (usage.digital_signature or usage.key_encipherment)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _defects_of_links(
    certificates: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]
) -> set[CertificateDefect]:
    found: set[CertificateDefect] = set()
    leaf, last = certificates[0], certificates[-1]
    alone = len(certificates) == 1 and last not in roots and not any(root.subject == leaf.issuer for root in roots)
    if alone:
        own = leaf.issuer == leaf.subject and _signed_by(leaf, leaf)
        return {CertificateDefect.SELF_SIGNED_LEAF if own else CertificateDefect.MISSING_INTERMEDIATE}
    if leaf.signature_algorithm_oid in _SHA1:
        found.add(CertificateDefect.WEAK_HASH)
    for certificate, issuer in pairwise(certificates):
        if certificate.issuer != issuer.subject:
            found.add(CertificateDefect.UNTRUSTED)
        elif not _signed_by(certificate, issuer):
            found.add(CertificateDefect.BAD_SIGNATURE)
    if last not in roots:
        named = [root for root in roots if root.subject == last.issuer]
        if not named:
            found.add(CertificateDefect.UNTRUSTED)
        elif not any(_signed_by(last, root) for root in named):
            found.add(CertificateDefect.BAD_SIGNATURE)
    return found


_SHA1 = (SignatureAlgorithmOID.RSA_WITH_SHA1, SignatureAlgorithmOID.ECDSA_WITH_SHA1)


def _signed_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    key, weak = issuer.public_key(), certificate.signature_algorithm_oid in _SHA1
    try:
        if weak and isinstance(key, rsa.RSAPublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), SHA1)
        elif weak and isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(SHA1))
        else:
            certificate.verify_directly_issued_by(issuer)
    except InvalidSignature:
        return False
    return True


SHA1 = chain_draft.DIGESTS["sha1"]
