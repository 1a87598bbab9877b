"""A certificate, parsed once: every fact that path validation asks for.

Parsing is remembered for a bounded number of certificates, by their octets. Verdicts are never remembered.
Source: RFC 5280 section 4.
"""

from __future__ import annotations

import unicodedata
import warnings
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property, lru_cache

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from shakeproof.impl.x509.der import (
    OBJECT_IDENTIFIER,
    SEQUENCE,
    DERError,
    RawCertificate,
    children,
    raw_certificate,
    read,
)
from shakeproof.impl.x509.reduced import reduced
from shakeproof.impl.x509.result import Defect

# A peer chooses how large its certificates are. 16 KiB covers every certificate of the public web many times over;
# larger ones are still validated, they are only parsed anew each time, so that 512 entries stay below 8 MiB of DER.
PARSE_CACHE_ENTRIES = 512
PARSE_CACHE_OCTETS = 16_384
# Characters of one name that are told: a host name has 253 at most, and what names a peer sends in a megabyte each, of
# which there may be many, nobody reads.
SHOWN_CHARACTERS = 512

# Octets of an identifier: cryptography reads no longer one, and the work of converting it is quadratic.
IDENTIFIER_OCTETS = 63

NameKey = tuple[frozenset[tuple[str, str | bytes]], ...]

# What cryptography raises on octets that are no certificate, on keys and on extensions that it cannot read.
PARSE_ERRORS = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)

AUTHORITY_KEY_IDENTIFIER = "2.5.29.35"
SUBJECT_KEY_IDENTIFIER = "2.5.29.14"
KEY_USAGE = "2.5.29.15"
SUBJECT_ALTERNATIVE_NAME = "2.5.29.17"
BASIC_CONSTRAINTS = "2.5.29.19"
NAME_CONSTRAINTS = "2.5.29.30"
CERTIFICATE_POLICIES = "2.5.29.32"
CRL_DISTRIBUTION_POINTS = "2.5.29.31"
POLICY_MAPPINGS = "2.5.29.33"
POLICY_CONSTRAINTS = "2.5.29.36"
EXTENDED_KEY_USAGE = "2.5.29.37"
INHIBIT_ANY_POLICY = "2.5.29.54"
AUTHORITY_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.1"
SUBJECT_INFORMATION_ACCESS = "1.3.6.1.5.5.7.1.11"
ANY_PURPOSE = "2.5.29.37.0"

EC_PUBLIC_KEY = "1.2.840.10045.2.1"

# Signature algorithms whose hash function is broken; not all of them are known to cryptography, which then names none.
BROKEN_HASHES = {
    "1.2.840.113549.1.1.2": "MD2",
    "1.2.840.113549.1.1.3": "MD4",
    "1.2.840.113549.1.1.4": "MD5",
    "1.2.840.113549.1.1.5": "SHA-1",
    "1.3.14.3.2.27": "SHA-1",
    "1.3.14.3.2.29": "SHA-1",
    "1.2.840.10040.4.3": "SHA-1",
    "1.2.840.10045.4.1": "SHA-1",
}


class Malformed(ValueError):  # noqa: N818 - the name of the defect that it becomes
    """The octets are not a certificate; defect says of which kind."""

    def __init__(self, text: str, defect: Defect = Defect.MALFORMED) -> None:
        super().__init__(text)
        self.defect = defect


class Certificate:
    """The facts of one certificate.

    issuer, subject: comparable names (RFC 5280 section 7.1); flaws: what is wrong with it wherever it stands in a path;
    readable: its extensions could be read, so that the facts below say something; critical: dotted identifiers.
    """

    def __init__(self, der: bytes) -> None:
        """Raises Malformed."""
        try:
            self.raw: RawCertificate = raw_certificate(der)
            self.x509 = x509.load_der_x509_certificate(der)
            self.not_before: datetime = self.x509.not_valid_before_utc
            self.not_after: datetime = self.x509.not_valid_after_utc
            self.issuer: NameKey = name_key(self.x509.issuer)
            self.subject: NameKey = name_key(self.x509.subject)
            self.hash: hashes.HashAlgorithm | None = self._hash()
        except (*PARSE_ERRORS, DERError) as error:
            defect = Defect.BAD_VERSION if isinstance(error, x509.InvalidVersion) else Defect.MALFORMED
            raise Malformed(str(error), defect) from error
        self.der = der
        self.self_issued: bool = self.issuer == self.subject
        self.extensions: dict[str, bool] = {}
        flaws: list[tuple[Defect, str]] = []
        self._read_extensions(der, flaws)
        self._read_shape(flaws)
        self.flaws: tuple[tuple[Defect, str], ...] = tuple(flaws)

    def __repr__(self) -> str:
        return f"Certificate({self.title!r})"

    @cached_property
    def title(self) -> str:
        """What people call the subject: its common name, else the whole name; printable whatever the peer put in."""
        return title_of(self.x509.subject) or "a certificate without a subject"

    @cached_property
    def key(self) -> CertificatePublicKeyTypes | None:
        """The subject's key; None where its kind or its encoding is not supported."""
        try:
            return self.x509.public_key()
        except PARSE_ERRORS:
            return None

    @cached_property
    def serial(self) -> int:
        """The serial number, which ought to be positive and need not be."""
        return int.from_bytes(self.raw.serial, "big", signed=True)

    @cached_property
    def explicit_curve(self) -> bool:
        """Whether the key brings the parameters of a curve of its own (CVE-2020-0601). RFC 5480 section 2.1.1."""
        try:
            algorithm = children(children(read(self.raw.key_info)[0].value)[0].value)
        except (DERError, IndexError):
            return False
        return len(algorithm) == 2 and dotted(algorithm[0].value) == EC_PUBLIC_KEY and algorithm[1].tag == SEQUENCE

    @cached_property
    def broken_hash(self) -> str:
        """The name of the broken hash function that it is signed with, "" if it is a sound one."""
        if isinstance(self.hash, hashes.SHA1 | hashes.MD5):  # RSASSA-PSS names it in its parameters
            return self.hash.name.upper()
        return BROKEN_HASHES.get(self.x509.signature_algorithm_oid.dotted_string, "")

    def verifies(self, certificate: Certificate) -> bool:
        """Whether this certificate's key verifies the signature on that one. RFC 5280 section 6.1.3 (a)(1)."""
        parsed = certificate.x509
        return verifies(self.key, parsed, parsed.tbs_certificate_bytes, certificate.hash)

    def _hash(self) -> hashes.HashAlgorithm | None:
        try:
            return self.x509.signature_hash_algorithm
        except UnsupportedAlgorithm:
            return None

    def _read_extensions(self, der: bytes, flaws: list[tuple[Defect, str]]) -> None:
        self.readable = True
        self.ca: bool = False
        self.path_length: int | None = None
        self.key_usage: x509.KeyUsage | None = None
        self.purposes: frozenset[str] | None = None
        self.names: x509.SubjectAlternativeName | None = None
        self.constraints: x509.NameConstraints | None = None
        self.subject_key_id: bytes | None = None
        self.authority: x509.AuthorityKeyIdentifier | None = None
        self.policies: tuple[str, ...] | None = None
        self.policy_mappings: tuple[tuple[str, str], ...] = ()
        self.require_explicit_policy: int | None = None
        self.inhibit_policy_mapping: int | None = None
        self.inhibit_any_policy: int | None = None
        self.distribution_points: tuple[x509.DistributionPoint, ...] = ()
        seen: set[bytes] = set()
        for item in self.raw.extensions:
            if item.oid in seen:
                flaws.append((Defect.DUPLICATE_EXTENSION, f"the extension {dotted(item.oid)} occurs twice"))
                self.readable = False
            seen.add(item.oid)
            self.extensions[dotted(item.oid)] = item.critical
            if dotted(item.oid) == NAME_CONSTRAINTS and _with_distances(item.value):
                text = "a subtree of its name constraints has a minimum or a maximum, which the profile does not use"
                flaws.append((Defect.MALFORMED, text))
        if not self.readable:
            return
        try:
            for extension in self._extensions(der):
                self._read_extension(extension.value)
        except (*PARSE_ERRORS, DERError, x509.DuplicateExtension) as error:
            flaws.append((Defect.MALFORMED, f"an extension cannot be parsed: {printable(str(error))}"))
            self.readable = False

    def _extensions(self, der: bytes) -> x509.Extensions:
        """What stands in the extensions. Raises one of PARSE_ERRORS, of the certificate as it is."""
        try:
            return self.x509.extensions
        except PARSE_ERRORS:
            try:
                return x509.load_der_x509_certificate(reduced(der)).extensions
            except (*PARSE_ERRORS, DERError, x509.DuplicateExtension):
                pass
            raise

    def _read_extension(self, value: x509.ExtensionType) -> None:
        match value:
            case x509.BasicConstraints():
                self.ca, self.path_length = value.ca, value.path_length
            case x509.KeyUsage():
                self.key_usage = value
            case x509.ExtendedKeyUsage():
                self.purposes = frozenset(item.dotted_string for item in value)
            case x509.SubjectAlternativeName():
                self.names = value
            case x509.NameConstraints():
                self.constraints = value
            case x509.SubjectKeyIdentifier():
                self.subject_key_id = value.digest
            case x509.AuthorityKeyIdentifier():
                self.authority = value
            case x509.CRLDistributionPoints():
                self.distribution_points = tuple(value)
            case _:
                self._read_policy_extension(value)

    def _read_policy_extension(self, value: x509.ExtensionType) -> None:
        match value:
            case x509.CertificatePolicies():
                self.policies = tuple(item.policy_identifier.dotted_string for item in value)
            case x509.PolicyConstraints():
                self.require_explicit_policy = value.require_explicit_policy
                self.inhibit_policy_mapping = value.inhibit_policy_mapping
            case x509.InhibitAnyPolicy():
                self.inhibit_any_policy = value.skip_certs
            case x509.UnrecognizedExtension() if value.oid.dotted_string == POLICY_MAPPINGS:
                self.policy_mappings = _policy_mappings(value.value)

    def _read_shape(self, flaws: list[tuple[Defect, str]]) -> None:
        if self.raw.version != 3 and self.raw.extensions:
            flaws.append((Defect.BAD_VERSION, f"extensions need version 3, got version {self.raw.version}"))
        if self.raw.version == 1 and self.raw.unique_identifiers:
            flaws.append((Defect.BAD_VERSION, "unique identifiers need version 2 or 3, got version 1"))
        if self.raw.inner != self.raw.outer:
            text = "the signature algorithm inside the signed part differs from the one beside it"
            flaws.append((Defect.SIGNATURE_ALGORITHM_MISMATCH, text))


def parse(der: bytes) -> Certificate:
    """The certificate in these octets, from the cache where it is small. Raises Malformed."""
    certificate = _parse_cached(der) if len(der) <= PARSE_CACHE_OCTETS else _parse(der)
    if isinstance(certificate, Malformed):
        # Raised anew: the one in the cache would gather the frames, and with them the connections, of all who meet it.
        raise Malformed(str(certificate), certificate.defect)
    return certificate


def _parse(der: bytes) -> Certificate | Malformed:
    with warnings.catch_warnings():
        # cryptography warns of what it will refuse one day; here each of those is a defect with a clause of its own.
        warnings.simplefilter("ignore")
        try:
            return Certificate(der)
        except Malformed as error:
            return Malformed(str(error), error.defect)


_parse_cached = lru_cache(maxsize=PARSE_CACHE_ENTRIES)(_parse)


def name_key(name: x509.Name) -> NameKey:
    """A distinguished name in the form in which two are compared: case and runs of spaces do not count.

    Source: RFC 5280 section 7.1 (the preparation of RFC 4518 in so far as casefold and NFKC give it).
    """
    return tuple(frozenset((item.oid.dotted_string, _fold(item.value)) for item in rdn) for rdn in name.rdns)


def _fold(value: str | bytes) -> str | bytes:
    if not isinstance(value, str):
        return value
    folded = value.casefold()
    return " ".join((folded if folded.isascii() else unicodedata.normalize("NFKC", folded)).split())


def key_ids_agree(issuer: Certificate, certificate: Certificate) -> bool:
    """No contradiction between the issuer's key identifier and the one that the certificate names for its issuer."""
    wanted = certificate.authority.key_identifier if certificate.authority else None
    return wanted is None or issuer.subject_key_id is None or wanted == issuer.subject_key_id


def title_of(name: x509.Name) -> str:
    """The common name, else the whole name; printable whatever the peer put in, "" for an empty name."""
    common = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return printable(str(common[0].value) if common else name.rfc4514_string())


def printable(text: str) -> str:
    """The text with everything escaped that a terminal or a picture could take for an instruction, and abridged."""
    if len(text) > SHOWN_CHARACTERS:
        return f"{printable(text[:SHOWN_CHARACTERS])}... ({len(text)} characters)"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _policy_mappings(der: bytes) -> tuple[tuple[str, str], ...]:
    """The pairs of issuerDomainPolicy and subjectDomainPolicy. Raises DERError. Source: RFC 5280 section 4.2.1.5."""
    outermost, end = read(der)
    pairs = [children(item.value) for item in children(outermost.value)]
    sound = all(len(pair) == 2 and all(part.tag == OBJECT_IDENTIFIER and part.value for part in pair) for pair in pairs)
    if outermost.tag != SEQUENCE or end != len(der) or not pairs or not sound:
        raise DERError("expected policyMappings of at least one pair of policies")
    return tuple((dotted(one.value), dotted(other.value)) for one, other in pairs)


def _with_distances(der: bytes) -> bool:
    """Whether a subtree has more than its base: who cannot process that MUST reject. RFC 5280 section 4.2.1.10."""
    try:
        lists = children(read(der)[0].value)
        return any(len(children(tree.value)) > 1 for item in lists for tree in children(item.value))
    except DERError:
        return False  # cryptography will say what is wrong with it


def dotted(oid: bytes) -> str:
    """The dotted form of an encoded OBJECT IDENTIFIER. Raises DERError for a longer one than is read anywhere.

    Source: X.690 section 8.19.
    """
    if len(oid) > IDENTIFIER_OCTETS:
        raise DERError(f"expected an identifier of at most {IDENTIFIER_OCTETS} octets, got {len(oid)}")
    arcs: list[int] = []
    value = 0
    for octet in oid:
        value = value << 7 | octet & 0x7F
        if not octet & 0x80:
            arcs.append(value)
            value = 0
    first = min(arcs[0] // 40, 2) if arcs else 0
    return ".".join(str(arc) for arc in _first_arcs(first, arcs))


def _first_arcs(first: int, arcs: list[int]) -> Iterable[int]:
    if arcs:
        yield first
        yield arcs[0] - 40 * first
        yield from arcs[1:]


def verifies(
    key: CertificatePublicKeyTypes | None,
    parsed: x509.Certificate | x509.CertificateRevocationList,
    signed: bytes,
    digest: hashes.HashAlgorithm | None,
) -> bool:
    """Whether the key verifies a signature. Every error counts as a failure: CVE-2014-0092 took one for success."""
    signature = parsed.signature
    try:
        if isinstance(key, rsa.RSAPublicKey):
            scheme = parsed.signature_algorithm_parameters
            if digest is None or not isinstance(scheme, padding.PKCS1v15 | padding.PSS):
                return False
            key.verify(signature, signed, scheme, digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            scheme = parsed.signature_algorithm_parameters
            if scheme is None and parsed.signature_algorithm_oid == SignatureAlgorithmOID.ECDSA_WITH_SHA1:
                scheme = ec.ECDSA(hashes.SHA1())  # noqa: S303 - weak, which is a defect of its own, and not forged
            if not isinstance(scheme, ec.ECDSA):
                return False
            key.verify(signature, signed, scheme)
        elif isinstance(key, ed25519.Ed25519PublicKey):
            if parsed.signature_algorithm_oid != SignatureAlgorithmOID.ED25519:
                return False
            key.verify(signature, signed)
        elif isinstance(key, ed448.Ed448PublicKey):
            if parsed.signature_algorithm_oid != SignatureAlgorithmOID.ED448:
                return False
            key.verify(signature, signed)
        else:
            return False
    except (InvalidSignature, *PARSE_ERRORS):
        return False
    return True
