"""Certificate chains with any combination of defects, and the combination read back from any chain.

`chain` turns a set of defects into bytes, `classify` in read_certificates.py turns bytes into a set of defects, and on
what `observable` leaves they are inverse. Every byte is fixed: keys (see keys.py: PUBLIC test keys), serial numbers,
validity and signatures (PKCS#1 v1.5, and ECDSA with deterministic nonces). Real stacks check against the real clock, so
the validity is wide and constant instead of relative to today.

    trust anchor (not sent)  ->  intermediate CA  ->  server certificate

Where a defect is one of an issuer above the intermediate CA, an upper intermediate CA stands between it and the anchor.
These are the chains that go into handshakes; all other defects, and all that stand together, are made in
properties/chains.

Source: RFC 5280 sections 4 and 6, RFC 9525 section 6.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shakeproof.properties.chains import der as der_writer
from shakeproof.properties.chains import draft as chain_draft
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key, private_key_pem

SERVER_NAME = "server.shakeproof.test"
CLIENT_NAME = "client.shakeproof.test"
Purpose = Literal["server", "client"]
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(2049, 12, 31, tzinfo=UTC)  # the last year that UTCTime can carry (RFC 5280 section 4.1.2.5)
LONG_EXPIRED = datetime(2021, 1, 1, tzinfo=UTC)
FAR_OFF = datetime(2048, 1, 1, tzinfo=UTC)


class CertificateDefect(enum.Enum):
    """What is wrong with a chain; the value is the sentence that reports print."""

    EMPTY = "the Certificate message carries no certificate"
    MALFORMED = "the server's certificate cannot be parsed"
    EXPIRED = "the server's certificate has expired"
    NOT_YET_VALID = "the server's certificate is not valid yet"
    WRONG_NAME = "the server's certificate is for another name"
    UNTRUSTED = "the chain leads to no trust anchor"
    BAD_SIGNATURE = "a signature in the chain does not verify with the issuer's key"
    ISSUER_NOT_CA = "an issuer in the chain is not a CA"
    ISSUER_EXPIRED = "an issuer's certificate has expired"
    WRONG_KEY_USAGE = "the server's key usage allows neither signing nor encrypting a key exchange"
    SELF_SIGNED_LEAF = "the server's certificate is signed with its own key"
    MISSING_INTERMEDIATE = "the certificate of the server's issuer is missing"
    PATHLEN_EXCEEDED = "there is one intermediate CA more than an issuer permits"
    WRONG_PURPOSE = "the server's certificate is meant for something else"
    NAME_EXCLUDED = "the server's name lies where an issuer may not certify"
    UNKNOWN_CRITICAL = "the server's certificate has a critical extension that nobody knows"
    NO_SAN = "the server's name stands in the common name alone"
    WEAK_HASH = "the server's certificate is signed with SHA-1"


_OF_ISSUERS = frozenset({
    CertificateDefect.UNTRUSTED, CertificateDefect.MISSING_INTERMEDIATE, CertificateDefect.BAD_SIGNATURE,
    CertificateDefect.ISSUER_NOT_CA, CertificateDefect.ISSUER_EXPIRED, CertificateDefect.PATHLEN_EXCEEDED,
    CertificateDefect.NAME_EXCLUDED, CertificateDefect.WEAK_HASH,
})  # fmt: skip
_EVERY = frozenset(CertificateDefect)
_HIDING: dict[CertificateDefect, frozenset[CertificateDefect]] = {
    CertificateDefect.EMPTY: _EVERY,
    CertificateDefect.MALFORMED: _EVERY,
    CertificateDefect.SELF_SIGNED_LEAF: _OF_ISSUERS,
    CertificateDefect.MISSING_INTERMEDIATE: _OF_ISSUERS,
    CertificateDefect.NO_SAN: frozenset({CertificateDefect.WRONG_NAME, CertificateDefect.NAME_EXCLUDED}),
}
"""What nobody can tell where the certificates or the names that it is about are not there; the first hides most."""


def observable(defects: Iterable[CertificateDefect]) -> frozenset[CertificateDefect]:
    """What an observer can tell of these defects: what is absent or cannot be read hides what would be seen there."""
    wanted = frozenset(defects)
    for hiding, hidden in _HIDING.items():
        if hiding in wanted:
            wanted = wanted - hidden | {hiding}
    return wanted


@dataclass(frozen=True)
class Chain:
    """A chain as a server sends it, with the key that belongs to it.

    der: leaf first, without the trust anchor; private_key: of the leaf certificate; anchors: DER of the trust anchors
    that the validating side is meant to hold, also where this chain does not lead to them.
    """

    der: tuple[bytes, ...]
    private_key: PrivateKey
    private_key_pem: str
    key: KeyKind
    defects: frozenset[CertificateDefect]
    name: str
    anchors: tuple[bytes, ...]

    @property
    def pem(self) -> str:
        """The chain as PEM, leaf first; fails on a chain whose DER cannot be parsed."""
        return "".join(_pem(der) for der in self.der)


@lru_cache(maxsize=1024)
def chain(
    key: KeyKind = "rsa",
    defects: frozenset[CertificateDefect] = frozenset(),
    name: str = SERVER_NAME,
    purpose: Purpose = "server",
    issued_by: str = "",
    holder: Owner | None = None,
) -> Chain:
    """A chain for `name` that has exactly these defects, as far as they are `observable` together.

    name: the reference identity of the client, a DNS name or an IP address as text; purpose: what the leaf is certified
    for, a client having a key of its own; issued_by: the intermediate CA's name, where it is to be another; holder:
    whose key the leaf has, where it is somebody else's. UNTRUSTED
    means a CA with names and keys of its own. WRONG_KEY_USAGE is contentCommitment alone, WRONG_PURPOSE code signing.
    BAD_SIGNATURE flips a bit of the leaf's signature.
    """
    defects_shown = observable(defects)
    untrusted = CertificateDefect.UNTRUSTED in defects
    root, intermediate, leaf = (
        (Owner.ATTACKER_ROOT, Owner.ATTACKER_INTERMEDIATE, Owner.ATTACKER_LEAF)
        if untrusted
        else (Owner.ROOT, Owner.INTERMEDIATE, Owner.LEAF if purpose == "server" else Owner.CLIENT)
    )
    leaf = holder or leaf
    certified = other_name(name) if CertificateDefect.WRONG_NAME in defects else name
    excludes = certified if CertificateDefect.NAME_EXCLUDED in defects else ""
    too_many = CertificateDefect.PATHLEN_EXCEEDED in defects
    issuers: tuple[bytes, ...] = (_upper(key, root, excludes, too_many=too_many),) if excludes or too_many else ()
    issuer = _intermediate(
        key,
        root,
        intermediate,
        under=UPPER if issuers else None,
        is_ca=CertificateDefect.ISSUER_NOT_CA not in defects,
        expired=CertificateDefect.ISSUER_EXPIRED in defects,
        name=issued_by,
    )
    usage = (
        key_usage("content_commitment")
        if CertificateDefect.WRONG_KEY_USAGE in defects
        else key_usage("digital_signature", "key_encipherment")
        if key == "rsa"
        else key_usage("digital_signature")
    )
    purpose_id = ExtendedKeyUsageOID.CODE_SIGNING if CertificateDefect.WRONG_PURPOSE in defects else PURPOSES[purpose]
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([purpose_id]), False),
    ]
    if CertificateDefect.NO_SAN not in defects:
        extensions.append((x509.SubjectAlternativeName([_general_name(certified)]), False))
    if CertificateDefect.UNKNOWN_CRITICAL in defects:
        extensions.append((x509.UnrecognizedExtension(UNKNOWN_EXTENSION, b"\x05\x00"), True))
    itself = CertificateDefect.SELF_SIGNED_LEAF in defects
    leaf_der = issue(
        subject=_distinguished_name(certified),
        issuer=_distinguished_name(certified) if itself else _subject(key, intermediate, issued_by),
        key=private_key(key, leaf),
        issuer_key=private_key(key, leaf if itself else intermediate),
        serial=3 if purpose == "server" else 4,
        not_before=FAR_OFF if CertificateDefect.NOT_YET_VALID in defects else NOT_BEFORE,
        not_after=LONG_EXPIRED if CertificateDefect.EXPIRED in defects else NOT_AFTER,
        extensions=extensions,
    )
    if CertificateDefect.WEAK_HASH in defects_shown:
        leaf_der = sign_with_sha1(leaf_der, private_key(key, intermediate))
    if CertificateDefect.BAD_SIGNATURE in defects_shown:
        leaf_der = flip_signature(leaf_der)
    der: tuple[bytes, ...] = (leaf_der, issuer, *issuers)
    if itself or CertificateDefect.MISSING_INTERMEDIATE in defects:
        der = (leaf_der,)
    if CertificateDefect.MALFORMED in defects:
        der = (leaf_der[: len(leaf_der) // 2], *der[1:])
    if CertificateDefect.EMPTY in defects:
        der = ()
    return Chain(
        der=der,
        private_key=private_key(key, leaf),
        private_key_pem=private_key_pem(key, leaf),
        key=key,
        defects=defects,
        name=name,
        anchors=anchors(),
    )


UNKNOWN_EXTENSION = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")
"""A private extension: nobody gave it a meaning."""
UPPER = "upper intermediate"

PURPOSES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}


@cache
def anchors() -> tuple[bytes, ...]:
    """DER of the trust anchors under which `chain` is sound: an RSA and an ECDSA root."""
    return tuple(_root(kind, Owner.ROOT) for kind in _KINDS)


@cache
def anchors_pem() -> str:
    """The trust anchors as PEM, for stacks that read a file."""
    return "".join(_pem(der) for der in anchors())


def other_name(name: str) -> str:
    """A name that no reading of RFC 9525 section 6 matches with `name`."""
    if is_ip_address(name):
        return "192.0.2.66" if name != "192.0.2.66" else "192.0.2.67"  # TEST-NET-1 of RFC 5737
    return f"not-{name}"


# --------------------------------------------------------------------------------------------------------------- making


def issue(
    *,
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    issuer_key: PrivateKey,
    serial: int,
    not_before: datetime = NOT_BEFORE,
    not_after: datetime = NOT_AFTER,
    extensions: Sequence[tuple[x509.ExtensionType, bool]] = (),
    identifiers: bool = True,
) -> bytes:
    """DER of a certificate for `key`, signed with `issuer_key`, with these (extension, critical) pairs.

    identifiers: add the subject's and the issuer's key identifier, which OpenSSL's strict mode demands. not_after may
    lie before not_before.
    """
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(not_before)
        .not_valid_after(max(not_before, not_after))
    )
    if identifiers:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    deterministic = True if isinstance(issuer_key, ec.EllipticCurvePrivateKey) else None
    der = builder.sign(issuer_key, hashes.SHA256(), ecdsa_deterministic=deterministic).public_bytes(
        serialization.Encoding.DER
    )
    if not_after < not_before:  # `cryptography` refuses to build this: put the date in afterwards
        start = der_writer.utc_time(not_before)
        der = resign(der, issuer_key, replace=(start + start, start + der_writer.utc_time(not_after)))
    return der


def key_usage(*bits: str) -> x509.KeyUsage:
    """A keyUsage extension with these bits, by their names in `cryptography`."""
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    unknown = set(bits) - set(names)
    if unknown:
        raise ValueError(f"no such key usage: {', '.join(sorted(unknown))}; expected among {', '.join(names)}")
    return x509.KeyUsage(**{name: name in bits for name in names})


def resign(der: bytes, issuer_key: PrivateKey, replace: tuple[bytes, bytes]) -> bytes:
    """The certificate with one byte string of its signed part exchanged, signed anew.

    The new one may be longer or shorter only where the old one is a whole field of tbsCertificate: inner lengths stay.
    Raises ValueError unless the old one occurs exactly once.
    """
    old, new = replace
    tbs, algorithm, _ = _parts(der)
    if tbs.count(old) != 1:
        raise ValueError(f"expected {old.hex()} once in the signed part, got it {tbs.count(old)} times")
    start = 2 if tbs[1] < 0x80 else 2 + (tbs[1] & 0x7F)
    tbs = der_writer.sequence(tbs[start:].replace(old, new))
    return der_writer.sequence(
        tbs + algorithm + der_writer.bit_string(chain_draft.signature_of(issuer_key, tbs, "sha256"))
    )


def flip_signature(der: bytes) -> bytes:
    """The certificate with the last bit of its signature flipped; it still parses."""
    return der[:-1] + bytes([der[-1] ^ 1])


def sign_with_sha1(der: bytes, issuer_key: PrivateKey) -> bytes:
    """The certificate signed anew with SHA-1, which `cryptography` will not do."""
    tbs, algorithm, _ = _parts(der)
    weak = chain_draft.algorithm(issuer_key.public_key(), "sha1")
    start = 2 if tbs[1] < 0x80 else 2 + (tbs[1] & 0x7F)
    tbs = der_writer.sequence(tbs[start:].replace(algorithm, weak, 1))
    return der_writer.sequence(tbs + weak + der_writer.bit_string(chain_draft.signature_of(issuer_key, tbs, "sha1")))


_KINDS: tuple[KeyKind, ...] = ("rsa", "ecdsa")
_COMMON_NAMES = {
    Owner.ROOT: "root",
    Owner.INTERMEDIATE: "intermediate",
    Owner.ATTACKER_ROOT: "attacker root",
    Owner.ATTACKER_INTERMEDIATE: "attacker intermediate",
}


def _distinguished_name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "shakeproof test, do not trust"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),  # ub-common-name, RFC 5280 appendix A.1
        ]
    )


def _subject(kind: KeyKind, owner: Owner, name: str = "") -> x509.Name:
    return _distinguished_name(f"{name or _COMMON_NAMES[owner]} {kind.upper()}")


def _root(kind: KeyKind, owner: Owner) -> bytes:
    key = private_key(kind, owner)
    return issue(
        subject=_subject(kind, owner),
        issuer=_subject(kind, owner),
        key=key,
        issuer_key=key,
        serial=1,
        extensions=(
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (key_usage("key_cert_sign", "crl_sign"), True),
        ),
    )


@cache
def _upper(kind: KeyKind, root: Owner, excludes: str, *, too_many: bool) -> bytes:
    """A CA between the root and the intermediate CA, with the root's key: it needs no other."""
    constraints = x509.NameConstraints(None, [_subtree(excludes)]) if excludes else None
    return issue(
        subject=_distinguished_name(f"{UPPER} {kind.upper()}"),
        issuer=_subject(kind, root),
        key=private_key(kind, root),
        issuer_key=private_key(kind, root),
        serial=5,
        extensions=(
            (x509.BasicConstraints(ca=True, path_length=0 if too_many else None), True),
            (key_usage("key_cert_sign", "crl_sign"), True),
            *(((constraints, True),) if constraints is not None else ()),
        ),
    )


def _subtree(name: str) -> x509.GeneralName:
    if is_ip_address(name):
        return x509.IPAddress(ipaddress.ip_network(name))
    return x509.DNSName(name)


@cache
def _intermediate(
    kind: KeyKind, root: Owner, owner: Owner, *, under: str | None = None, is_ca: bool, expired: bool, name: str = ""
) -> bytes:
    # A non-CA carries no keyUsage, so that the missing cA bit is all that is wrong with it.
    extensions: tuple[tuple[x509.ExtensionType, bool], ...] = (
        (
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (key_usage("key_cert_sign", "crl_sign"), True),
        )
        if is_ca
        else ((x509.BasicConstraints(ca=False, path_length=None), True),)
    )
    return issue(
        subject=_subject(kind, owner, name),
        issuer=_subject(kind, root) if under is None else _distinguished_name(f"{under} {kind.upper()}"),
        key=private_key(kind, owner),
        issuer_key=private_key(kind, root),
        serial=5 if name else 2,  # one issuer gives no number twice
        not_after=LONG_EXPIRED if expired else NOT_AFTER,
        extensions=extensions,
    )


def _general_name(name: str) -> x509.GeneralName:
    if is_ip_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    return x509.DNSName(name)


def is_ip_address(name: str) -> bool:
    """Whether the reference identity is an IP address as text."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _pem(der: bytes) -> str:
    certificate = x509.load_der_x509_certificate(der)
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


# ------------------------------------------------------------------------------------------------ DER, as far as needed


def _element(der: bytes, start: int) -> int:
    """The end of the DER element that starts at `start`."""
    first = der[start + 1]
    if first < 0x80:
        return start + 2 + first
    size = first & 0x7F
    return start + 2 + size + int.from_bytes(der[start + 2 : start + 2 + size], "big")


def _parts(der: bytes) -> tuple[bytes, bytes, bytes]:
    """tbsCertificate, signatureAlgorithm and signatureValue, each with its tag and length."""
    start = 2 if der[1] < 0x80 else 2 + (der[1] & 0x7F)
    first = _element(der, start)
    second = _element(der, first)
    return der[start:first], der[first:second], der[second:]
