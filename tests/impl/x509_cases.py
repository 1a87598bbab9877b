"""Chains of a few lines for the tests of the validator: a root, CAs below it and a leaf, each with one change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shakeproof.impl.x509 import Defect, Reading, Result, validate
from shakeproof.properties.mapper.certificates import NOT_AFTER, NOT_BEFORE, issue, key_usage
from shakeproof.properties.mapper.keys import Owner, PrivateKey, private_key

TIME = datetime(2026, 6, 1, tzinfo=UTC)
HOST = "www.example.test"

Extension = tuple[x509.ExtensionType, bool]


def name(common: str) -> x509.Name:
    """A distinguished name of one common name; empty for ""."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)] if common else [])


def key_of(owner: Owner) -> PrivateKey:
    """P-256 throughout: it signs fast."""
    return private_key("ecdsa", owner)


def sans(*names: str | x509.GeneralName) -> x509.SubjectAlternativeName:
    """A subjectAltName; strings are dNSNames."""
    return x509.SubjectAlternativeName([x509.DNSName(item) if isinstance(item, str) else item for item in names])


@dataclass
class Party:
    """A certificate to be: who, under which name, with which key, and how it differs from an ordinary one.

    drop: extensions that it does not have; extensions: replace or extend those that it would have.
    """

    common: str
    owner: Owner
    path_length: int | None = None
    serial: int = 7
    not_before: datetime = NOT_BEFORE
    not_after: datetime = NOT_AFTER
    drop: Sequence[type[x509.ExtensionType]] = ()
    extensions: Sequence[Extension] = ()
    identifiers: bool = True
    names: Sequence[str | x509.GeneralName] = field(default_factory=lambda: [HOST])

    @property
    def key(self) -> PrivateKey:
        """The key that the certificate is for."""
        return key_of(self.owner)

    def certificate(self, issuer: Party | None = None, *, ca: bool = True) -> bytes:
        """DER, signed by the issuer, or by itself."""
        by = issuer or self
        ordinary: list[Extension] = (
            [
                (x509.BasicConstraints(ca=True, path_length=self.path_length), True),
                (key_usage("key_cert_sign", "crl_sign"), True),
            ]
            if ca
            else [
                (key_usage("digital_signature"), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
                (sans(*self.names), not self.common),
            ]
        )
        replaced = {type(extension) for extension, _ in self.extensions} | set(self.drop)
        kept = [item for item in ordinary if type(item[0]) not in replaced]
        return issue(
            subject=name(self.common),
            issuer=name(by.common),
            key=self.key,
            issuer_key=by.key,
            serial=self.serial,
            not_before=self.not_before,
            not_after=self.not_after,
            extensions=[*kept, *self.extensions],
            identifiers=self.identifiers,
        )


def root(**changes: Any) -> Party:
    """A trust anchor to be."""
    return Party("Root", Owner.ROOT, **changes)


def ca(common: str = "Intermediate", owner: Owner = Owner.INTERMEDIATE, **changes: Any) -> Party:
    """An intermediate CA to be."""
    return Party(common, owner, **changes)


def leaf(common: str = HOST, **changes: Any) -> Party:
    """A server to be."""
    return Party(common, Owner.LEAF, **changes)


def judge(
    *parties: Party, host: str = HOST, time: datetime = TIME, reading: Reading = Reading.RFC5280, **options: Any
) -> Result:
    """The verdict on a chain of parties from the trust anchor down to the leaf."""
    certificates = [parties[0].certificate()]
    for issuer, party in pairwise(parties):
        certificates.append(party.certificate(issuer, ca=party is not parties[-1]))
    anchor, *rest = certificates
    return validate(rest[::-1], [anchor], time, host, reading=reading, **options)


def crl(
    issuer: Party,
    *revoked: x509.RevokedCertificate,
    number: int | None = 1,
    extensions: Sequence[Extension] = (),
    this_update: datetime = NOT_BEFORE,
    next_update: datetime = NOT_AFTER,
    key_of_issuer: PrivateKey | None = None,
) -> bytes:
    """DER of a CRL, signed by the issuer, that lists these entries. number: None for a list without one."""
    builder = x509.CertificateRevocationListBuilder(revoked_certificates=list(revoked))
    builder = builder.issuer_name(name(issuer.common)).last_update(this_update).next_update(next_update)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if number is not None:
        builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    signed = builder.sign(key_of_issuer or issuer.key, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(serialization.Encoding.DER)


def entry(serial: int, *extensions: Extension) -> x509.RevokedCertificate:
    """An entry of a CRL."""
    builder = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=NOT_BEFORE)
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.build()


def places(result: Result) -> set[tuple[Defect, int | None]]:
    """The defects with the index of their certificate in the path."""
    return {(found.defect, found.certificate_index) for found in result.defects}
