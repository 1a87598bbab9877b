"""A chain before it is signed: every field of every certificate, free to be spoilt, and the octets that come of it.

Keys are derived from numbers or are the public test keys of mapper/keys.py, so that every octet is fixed by what was
asked for. Signing is remembered, by what is signed: most certificates of a run are the same.
Source: RFC 5280 sections 4 and 5.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.properties.chains import der
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key

PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey
ORGANIZATION = "shakeproof test, do not trust"

# Days between now and the ends of an ordinary certificate; every one further up lasts one day longer on both sides.
BEGAN_DAYS, ENDS_DAYS = 30, 60

BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE = "2.5.29.19", "2.5.29.15", "2.5.29.37"
SUBJECT_ALTERNATIVE_NAME, NAME_CONSTRAINTS = "2.5.29.17", "2.5.29.30"
SUBJECT_KEY_IDENTIFIER, AUTHORITY_KEY_IDENTIFIER = "2.5.29.14", "2.5.29.35"
SERVER_AUTH, CLIENT_AUTH, CODE_SIGNING = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.3"

DIGITAL_SIGNATURE, CONTENT_COMMITMENT, KEY_ENCIPHERMENT, KEY_CERT_SIGN, CRL_SIGN = 0, 1, 2, 5, 6

_ALGORITHMS: dict[tuple[KeyKind, str], bytes] = {
    ("ecdsa", "sha1"): der.sequence(der.oid("1.2.840.10045.4.1")),
    ("ecdsa", "sha256"): der.sequence(der.oid("1.2.840.10045.4.3.2")),
    ("ecdsa", "sha384"): der.sequence(der.oid("1.2.840.10045.4.3.3")),
    ("rsa", "sha1"): der.sequence(der.oid("1.2.840.113549.1.1.5"), der.element(0x05)),
    ("rsa", "sha256"): der.sequence(der.oid("1.2.840.113549.1.1.11"), der.element(0x05)),
    ("rsa", "sha384"): der.sequence(der.oid("1.2.840.113549.1.1.12"), der.element(0x05)),
}
UNKNOWN_ALGORITHM = der.sequence(der.oid("1.3.6.1.4.1.99999.2"))
DIGESTS: dict[str, hashes.HashAlgorithm] = {
    "sha1": hashes.SHA1(),  # noqa: S303 - that it is broken is the point
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
}


def kind_of(key: PublicKey) -> KeyKind:
    """Which of the two kinds of keys it is."""
    return "rsa" if isinstance(key, rsa.RSAPublicKey) else "ecdsa"


def algorithm(key: PublicKey, digest: str) -> bytes:
    """The AlgorithmIdentifier of a signature."""
    return _ALGORITHMS[kind_of(key), digest]


@lru_cache(maxsize=256)
def derived_key(number: int, curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """A key that its number determines, which makes it as public as the test keys are."""
    scalar = int.from_bytes(hashlib.sha256(f"shakeproof {number}".encode()).digest(), "big") >> 1
    return ec.derive_private_key(scalar, curve())


_RSA_OWNERS = (Owner.LEAF, Owner.INTERMEDIATE, Owner.ATTACKER_INTERMEDIATE, Owner.CLIENT, Owner.ROOT)
STRANGER = 100
"""Number of the first key that belongs to nobody in the chain."""


def key_of(kind: KeyKind, number: int) -> PrivateKey:
    """The key of the certificate with that number; RSA keys are few, since they have to be written down."""
    if kind == "rsa":
        return private_key("rsa", _RSA_OWNERS[number] if number < len(_RSA_OWNERS) else Owner.ATTACKER_LEAF)
    return derived_key(number)


def key_info(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@dataclass
class Template:
    """A certificate to be.

    key: of the subject, None where nobody holds it; info: how the public key is written, key_id: its identifier;
    serial: contents of the INTEGER; version: 0 leaves the field out; extensions: value and criticality by identifier;
    repeated: extensions that come once more; digest: of the signature; outer: the algorithm beside the signed part,
    where it is not the one inside; sign: how it is signed instead; spoil: what is done to the octets in the end.
    """

    subject: bytes
    issuer: bytes
    key: PrivateKey
    info: bytes
    not_before: datetime
    not_after: datetime
    serial: bytes
    version: int = 3
    names: list[bytes] = field(default_factory=list)
    extensions: dict[str, tuple[bytes, bool]] = field(default_factory=dict)
    repeated: list[str] = field(default_factory=list)
    identifies: bool = True
    issuer_key_id: bytes = b""
    claimed_key_id: bytes = b""
    critical_authority: bool = False
    digest: str = "sha256"
    inner: bytes = b""
    outer: bytes = b""
    sign: Callable[[PrivateKey, bytes], bytes] | None = None
    spoil: Callable[[bytes], bytes] | None = None

    @property
    def key_id(self) -> bytes:
        """What it claims, else a digest of the key, nearly as RFC 5280 section 4.2.1.2 has it."""
        return self.claimed_key_id or hashlib.sha256(self.info).digest()[:20]

    def write(self, issuer: Template) -> bytes:
        """DER, signed by the issuer."""
        signer = issuer.key
        named = algorithm(signer.public_key(), self.digest)
        inner = self.inner or named
        extensions = dict(self.extensions)
        if self.names:
            extensions[SUBJECT_ALTERNATIVE_NAME] = der.sequence(*self.names), False
        if self.identifies:
            authority = der.sequence(der.element(0x80, self.issuer_key_id or issuer.key_id))
            extensions[SUBJECT_KEY_IDENTIFIER] = der.octet_string(self.key_id), False
            extensions[AUTHORITY_KEY_IDENTIFIER] = authority, self.critical_authority
        listed = [*extensions.items(), *((which, extensions[which]) for which in self.repeated)]
        written = [
            der.sequence(der.oid(which), der.boolean(True) if critical else b"", der.octet_string(value))
            for which, (value, critical) in listed
        ]
        signed = der.sequence(
            der.element(0xA0, der.integer(self.version - 1)) if self.version > 1 else b"",
            der.element(0x02, self.serial),
            inner,
            self.issuer,
            der.sequence(der.time(self.not_before), der.time(self.not_after)),
            self.subject,
            self.info,
            der.element(0xA3, der.sequence(*written)) if written else b"",
        )
        signature = self.sign(signer, signed) if self.sign else signature_of(signer, signed, self.digest)
        octets = der.sequence(signed, self.outer or inner, der.bit_string(signature))
        return self.spoil(octets) if self.spoil else octets


def signature_of(key: PrivateKey, signed: bytes, digest: str) -> bytes:
    """The signature, deterministic and remembered."""
    return _signed(key.public_key(), signed, digest, lambda: key)


_KNOWN: dict[tuple[bytes, str], bytes] = {}
KNOWN_SIGNATURES = 4_096


def _signed(public: PublicKey, signed: bytes, digest: str, holder: Callable[[], PrivateKey]) -> bytes:
    place = hashlib.sha256(key_info(public) + signed).digest(), digest
    if place not in _KNOWN:
        key, algorithm_ = holder(), DIGESTS[digest]
        if len(_KNOWN) >= KNOWN_SIGNATURES:
            _KNOWN.clear()
        _KNOWN[place] = (
            key.sign(signed, padding.PKCS1v15(), algorithm_)
            if isinstance(key, rsa.RSAPrivateKey)
            else key.sign(signed, ec.ECDSA(algorithm_, deterministic_signing=True))
        )
    return _KNOWN[place]


@dataclass
class Crl:
    """A revocation list to be: of the issuer of certificate `place`, which it lists if revoked."""

    place: int
    revoked: bool
    this_update: datetime
    next_update: datetime

    def write(self, draft: Draft) -> bytes:
        """DER, signed by the issuer."""
        issuer, about = draft.certificates[self.place + 1], draft.certificates[self.place]
        named = algorithm(issuer.key.public_key(), "sha256")
        entry = der.sequence(der.element(0x02, about.serial), der.time(self.this_update))
        extensions = der.sequence(
            der.sequence(
                der.oid(AUTHORITY_KEY_IDENTIFIER),
                der.octet_string(der.sequence(der.element(0x80, issuer.key_id))),
            ),
            der.sequence(der.oid("2.5.29.20"), der.octet_string(der.integer(1))),
        )
        signed = der.sequence(
            der.integer(1),
            named,
            issuer.subject,
            der.time(self.this_update),
            der.time(self.next_update),
            der.sequence(entry) if self.revoked else b"",
            der.element(0xA0, extensions),
        )
        return der.sequence(signed, named, der.bit_string(signature_of(issuer.key, signed, "sha256")))


@dataclass
class Draft:
    """A chain to be, the leaf first and its root last.

    trusted: the root is an anchor; anchors: others that are; root_sent: the root is sent; self_signed: the leaf signs
    itself; circular: the root was certified by the CA below it; missing: certificates that are not sent; host: the
    reference identity.
    """

    now: datetime
    host: str
    kind: KeyKind
    certificates: list[Template]
    trusted: bool = True
    root_sent: bool = False
    missing: set[int] = field(default_factory=set)
    crls: list[Crl] = field(default_factory=list)
    anchors: list[bytes] = field(default_factory=list)
    self_signed: bool = False
    circular: bool = False

    @property
    def top(self) -> int:
        """The place of the root."""
        return len(self.certificates) - 1

    def write(self, place: int) -> bytes:
        """DER of one certificate of the chain."""
        issuer = place if self.self_signed and place == 0 else min(place + 1, self.top)
        if self.circular and place == self.top:
            issuer = place - 1
        return self.certificates[place].write(self.certificates[issuer])


def serial_of(number: int) -> bytes:
    """Contents of a sound serial number."""
    return b"\x10" + number.to_bytes(2, "big")


def authority(now: datetime, kind: KeyKind, number: int, common: str, issuer: bytes = b"") -> Template:
    """A sound CA to be, of that name and with that key. issuer: its own name if empty."""
    key = key_of(kind, number)
    subject = der.name(ORGANIZATION, common)
    return Template(
        subject=subject,
        issuer=issuer or subject,
        key=key,
        info=key_info(key.public_key()),
        not_before=now - timedelta(days=BEGAN_DAYS + number % STRANGER),
        not_after=now + timedelta(days=ENDS_DAYS + number % STRANGER),
        serial=serial_of(number),
        extensions={
            BASIC_CONSTRAINTS: (der.sequence(der.boolean(True)), True),
            KEY_USAGE: (der.key_usage(KEY_CERT_SIGN, CRL_SIGN), True),
        },
    )


def sound(now: datetime, host: str, depth: int, kind: KeyKind = "ecdsa", purpose: str = SERVER_AUTH) -> Draft:
    """A sound chain: a leaf for the host, `depth` intermediate CAs, and a trust anchor."""
    chain = [authority(now, kind, depth + 1, "root")]
    for number in range(depth, 0, -1):
        chain.insert(0, authority(now, kind, number, f"intermediate {number}", chain[0].subject))
    leaf = authority(now, kind, 0, host, chain[0].subject)
    usages = (DIGITAL_SIGNATURE, KEY_ENCIPHERMENT) if kind == "rsa" else (DIGITAL_SIGNATURE,)
    leaf.names = [der.host(host)]
    leaf.extensions = {
        BASIC_CONSTRAINTS: (der.sequence(), True),
        KEY_USAGE: (der.key_usage(*usages), True),
        EXTENDED_KEY_USAGE: (der.sequence(der.oid(purpose)), False),
    }
    return Draft(now, host, kind, [leaf, *chain])
