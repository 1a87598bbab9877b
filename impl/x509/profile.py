"""What the certificate profile asks of those who issue certificates.

RFC 5280's path validation does not look at these rules: they bind the CA. A certificate that breaks one was made by
something that does not follow the profile, and the strict readings refuse it. `Validator(with_profile=False)` does not.

Source: RFC 5280 sections 4.1 and 4.2; the CA/Browser Forum's baseline requirements (BR), section 7.1.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.oid import NameOID

from shakeproof.impl.x509 import certificate as ext
from shakeproof.impl.x509 import constraints
from shakeproof.impl.x509.certificate import Certificate, printable
from shakeproof.impl.x509.der import UTC_TIME
from shakeproof.impl.x509.names import is_absolute_uri, is_host_name, is_mailbox, odd_names
from shakeproof.impl.x509.result import Defect, Reading, Usage

MAX_SERIAL_OCTETS = 20
LAST_YEAR_OF_UTC_TIME = 2049
EMPTY_SEQUENCE = b"\x30\x00"

Violation = tuple[Defect, str, str]  # the defect, its clause, and the sentence


@dataclass(frozen=True, slots=True)
class Place:
    """Where the certificate stands: is_top says that it is the trust anchor, or another root at the path's end."""

    is_leaf: bool
    is_top: bool
    reading: Reading
    usage: Usage | None


def violations(
    certificate: Certificate, *, is_leaf: bool, is_top: bool, reading: Reading, usage: Usage | None
) -> list[Violation]:
    """Every rule of the profile that the certificate breaks at this place in a path."""
    place = Place(is_leaf, is_top, reading, usage)
    rules = _RULES if certificate.readable else _RULES_WITHOUT_EXTENSIONS
    if reading is Reading.WEBPKI and certificate.readable:
        rules = (*rules, *_WEB_RULES)
    return [violation for rule in rules for violation in rule(certificate, place)]


def _rule(section: str, text: str) -> Violation:
    return Defect.PROFILE, f"RFC 5280 section {section}", text


def _web_rule(section: str, text: str) -> Violation:
    return Defect.PROFILE, f"CA/Browser Forum BR {section}", text


def _serial(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if place.is_top and not place.is_leaf:
        return  # a trust anchor is a name and a key; roots of the web have serial number 0
    octets = certificate.raw.serial
    if len(octets.removeprefix(b"\0")) > MAX_SERIAL_OCTETS:
        text = f"expected a serial number of at most {MAX_SERIAL_OCTETS} octets, got {len(octets)}"
        yield Defect.BAD_SERIAL, Defect.BAD_SERIAL.clause, text
    elif not octets or octets[0] & 0x80 or not any(octets):
        yield Defect.BAD_SERIAL, Defect.BAD_SERIAL.clause, "expected a serial number above zero"


def _names(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if not certificate.issuer:
        yield _rule("4.1.2.4", "the issuer's name is empty")
    if not certificate.subject:
        if certificate.ca or not place.is_leaf:
            yield _rule("4.1.2.6", "the subject of a CA is empty")
        elif certificate.readable and not certificate.extensions.get(ext.SUBJECT_ALTERNATIVE_NAME, False):
            yield _rule("4.2.1.6", "the subject is empty, and no critical subjectAltName stands in for it")


def _validity(certificate: Certificate, place: Place) -> Iterator[Violation]:
    for time, tag in zip((certificate.not_before, certificate.not_after), certificate.raw.validity_tags, strict=False):
        if time.year <= LAST_YEAR_OF_UTC_TIME and tag != UTC_TIME:
            yield _rule("4.1.2.5", f"a date of the year {time.year} is not encoded as UTCTime")


def _alternative_names(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if certificate.names is None:
        return
    if not list(certificate.names):
        yield _rule("4.2.1.6", "the subjectAltName is empty")
    for item in certificate.names:
        text = ""
        if isinstance(item, x509.DNSName) and not is_host_name(item.value.lower().replace("*", "a")):
            text = f"the dNSName {printable(item.value)!r} is no host name"
        elif isinstance(item, x509.RFC822Name) and not is_mailbox(item.value):
            text = f"the rfc822Name {printable(item.value)!r} is no mail address"
        elif isinstance(item, x509.UniformResourceIdentifier) and not is_absolute_uri(item.value):
            text = f"the uniformResourceIdentifier {printable(item.value)!r} is no absolute URI with a host"
        elif isinstance(item, x509.IPAddress) and isinstance(item.value, constraints.Network):
            text = f"the iPAddress {item.value} is a range, not an address"
        if text and not odd_names([item]):  # else it has been said
            yield _bad_name(text)


def _bad_name(text: str) -> Violation:
    return Defect.BAD_NAME_ENCODING, "RFC 5280 section 4.2.1.6", text


def _authority_key_identifier(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if certificate.extensions.get(ext.AUTHORITY_KEY_IDENTIFIER, False):
        yield _rule("4.2.1.1", "the authorityKeyIdentifier is critical")
    # A trust anchor is a name and a key (section 6.1.1 (d)): by which key it was signed itself plays no part.
    if certificate.self_issued or (place.is_top and not place.is_leaf):
        return
    if certificate.authority is None or certificate.authority.key_identifier is None:
        yield _rule("4.2.1.1", "the authorityKeyIdentifier has no keyIdentifier")


def _subject_key_identifier(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if certificate.extensions.get(ext.SUBJECT_KEY_IDENTIFIER, False):
        yield _rule("4.2.1.2", "the subjectKeyIdentifier is critical")
    if certificate.ca and certificate.subject_key_id is None:
        yield _rule("4.2.1.2", "a CA has no subjectKeyIdentifier")


def _key_usage(certificate: Certificate, place: Place) -> Iterator[Violation]:
    usage = certificate.key_usage
    if usage is None:
        if certificate.ca and not place.is_leaf:
            yield _rule("4.2.1.3", "a CA has no keyUsage")
        return
    if usage.key_cert_sign and not certificate.ca:
        yield _rule("4.2.1.9", "keyCertSign is set and cA is not")
    agreement = usage.key_agreement and (usage.encipher_only or usage.decipher_only)
    if not agreement and not any(getattr(usage, bit) for bit in _KEY_USAGE_BITS):
        yield _rule("4.2.1.3", "the keyUsage has no bit set")


_KEY_USAGE_BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


def _basic_constraints(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if certificate.ca and not place.is_leaf and not certificate.extensions.get(ext.BASIC_CONSTRAINTS, False):
        yield _rule("4.2.1.9", "the basicConstraints of a CA are not critical")
    if certificate.path_length is not None and not certificate.ca:
        yield _rule("4.2.1.9", "a pathLenConstraint stands in a certificate that is no CA's")
    usage = certificate.key_usage
    if certificate.path_length is not None and place.is_leaf and usage is not None and not usage.key_cert_sign:
        yield _rule("4.2.1.9", "a pathLenConstraint stands in a certificate whose keyUsage lacks keyCertSign")


def _name_constraints(certificate: Certificate, place: Place) -> Iterator[Violation]:
    stated = certificate.constraints
    if stated is None:
        return
    if not certificate.ca:
        yield _rule("4.2.1.10", "name constraints stand in a certificate that is no CA's")
    if place.reading is Reading.RFC5280 and not certificate.extensions[ext.NAME_CONSTRAINTS]:
        yield _rule("4.2.1.10", "the name constraints are not critical")
    if constraints.is_empty(stated):
        yield _rule("4.2.1.10", "the name constraints are empty")
    for text in constraints.malformed(stated):
        yield _rule("4.2.1.10", text)


def _criticality(certificate: Certificate, place: Place) -> Iterator[Violation]:
    extensions = certificate.extensions
    if not extensions.get(ext.POLICY_CONSTRAINTS, True):
        yield _rule("4.2.1.11", "the policyConstraints are not critical")
    if not extensions.get(ext.INHIBIT_ANY_POLICY, True):
        yield _rule("4.2.1.14", "the inhibitAnyPolicy is not critical")
    if extensions.get(ext.AUTHORITY_INFORMATION_ACCESS, False):
        yield _rule("4.2.2.1", "the authorityInfoAccess is critical")


def _policies(certificate: Certificate, place: Place) -> Iterator[Violation]:
    stated = certificate.policies
    if stated is not None and len(set(stated)) < len(stated):
        yield _rule("4.2.1.4", "a certificate policy occurs twice")


def _lists(certificate: Certificate, place: Place) -> Iterator[Violation]:
    """What the profile defines as a SEQUENCE SIZE (1..MAX)."""
    for item in certificate.raw.extensions:
        found = _LISTS.get(ext.dotted(item.oid))
        if found is not None and item.value == EMPTY_SEQUENCE:
            section, name = found
            yield _rule(section, f"the {name} is empty")


_LISTS = {
    ext.CERTIFICATE_POLICIES: ("4.2.1.4", "certificatePolicies"),
    ext.EXTENDED_KEY_USAGE: ("4.2.1.12", "extendedKeyUsage"),
    ext.CRL_DISTRIBUTION_POINTS: ("4.2.1.13", "cRLDistributionPoints"),
    ext.AUTHORITY_INFORMATION_ACCESS: ("4.2.2.1", "authorityInfoAccess"),
    ext.SUBJECT_INFORMATION_ACCESS: ("4.2.2.2", "subjectInfoAccess"),
}


def _unique_identifiers(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if certificate.raw.unique_identifiers:
        yield _rule("4.1.2.8", "it has an issuerUniqueID or a subjectUniqueID")


def _web_version(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if certificate.raw.version != 3:
        clause = "CA/Browser Forum BR 7.1.1"
        yield Defect.BAD_VERSION, clause, f"expected version 3, got version {certificate.raw.version}"


def _web_leaf(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if not place.is_leaf:
        return
    if certificate.ca:
        yield Defect.LEAF_IS_CA, Defect.LEAF_IS_CA.clause, "it is a CA certificate"
    if place.usage is not None and certificate.purposes is None:
        yield _web_rule("7.1.2.7.6", "it has no extendedKeyUsage")
    if certificate.extensions.get(ext.EXTENDED_KEY_USAGE, False):
        yield _web_rule("7.1.2.7.6", "its extendedKeyUsage is critical")
    if certificate.purposes is not None and ext.ANY_PURPOSE in certificate.purposes:
        yield _web_rule("7.1.2.7.10", "its extendedKeyUsage holds anyExtendedKeyUsage")
    if certificate.subject and certificate.extensions.get(ext.SUBJECT_ALTERNATIVE_NAME, False):
        yield _web_rule("7.1.2.7.12", "its subjectAltName is critical although the subject is not empty")
    yield from _common_names(certificate)


def _common_names(certificate: Certificate) -> Iterator[Violation]:
    """Common names that mean one of the subjectAltNames without being a copy of it.

    That each must be a copy of one of them binds the CA alone: by RFC 9525 a client ignores it in any case.
    """
    hosts = {item.value for item in certificate.names or () if isinstance(item, x509.DNSName)}
    addresses = {str(item.value) for item in certificate.names or () if isinstance(item, x509.IPAddress)}
    encoded = any("xn--" in host.lower() for host in hosts)
    for item in certificate.x509.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        common = str(item.value)
        if common in hosts or common in addresses:
            continue
        if (encoded and not common.isascii()) or common.lower() in hosts or _address_meant(common) in addresses:
            text = f"its common name {printable(common)!r} spells one of its subjectAltNames in another way"
            yield _web_rule("7.1.4.3", text)


def _address_meant(text: str) -> str:
    """The canonical form of an address in the lax spellings of inet_aton and of RFC 4291; "" if it is none."""
    try:
        return str(ipaddress.IPv6Address(text))
    except ValueError:
        pass
    parts = text.lower().split(".")
    try:
        numbers = [int(part, 16 if part.startswith("0x") else 10) for part in parts[:4]]
        last = numbers.pop()
        value = sum(number << 8 * (3 - place) for place, number in enumerate(numbers)) + last
        return str(ipaddress.IPv4Address(value)) if len(parts) <= 4 else ""
    except ValueError:
        return ""


def _web_root(certificate: Certificate, place: Place) -> Iterator[Violation]:
    if not place.is_top or place.is_leaf:
        return
    if certificate.purposes is not None:
        yield _web_rule("7.1.2.1.2", "a root has an extendedKeyUsage")
    authority = certificate.authority
    if authority is None or not certificate.self_issued:
        return
    if authority.authority_cert_issuer is not None or authority.authority_cert_serial_number is not None:
        yield _web_rule("7.1.2.1.3", "the authorityKeyIdentifier of a root names an issuer or a serial number")
    if authority.key_identifier is None:
        yield _web_rule("7.1.2.1.3", "the authorityKeyIdentifier of a root has no keyIdentifier")
    elif authority.key_identifier != certificate.subject_key_id:
        text = "the authority and the subject key identifier of a root differ"
        yield Defect.AKI_MISMATCH, "CA/Browser Forum BR 7.1.2.1.3", text


Rule = Callable[[Certificate, Place], Iterator[Violation]]

_RULES_WITHOUT_EXTENSIONS: tuple[Rule, ...] = (_serial, _names, _validity, _unique_identifiers)
_RULES: tuple[Rule, ...] = (
    *_RULES_WITHOUT_EXTENSIONS,
    _alternative_names,
    _authority_key_identifier,
    _subject_key_identifier,
    _key_usage,
    _basic_constraints,
    _name_constraints,
    _criticality,
    _policies,
    _lists,
)
_WEB_RULES: tuple[Rule, ...] = (_web_version, _web_leaf, _web_root)
