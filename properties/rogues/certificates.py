"""Checks of a certificate that are left out, planted on one validator."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from shakeproof.impl.x509 import Check, Defect, Found, Usage, Validator, Verifier
from shakeproof.impl.x509.certificate import Certificate
from shakeproof.impl.x509.constraints import Subtrees
from shakeproof.impl.x509.names import Match, Reference, match
from shakeproof.impl.x509.verifier import SignatureBudget


class _IgnoresExpiry(Verifier):
    def check_validity(self, certificate: Certificate, index: int) -> None:
        if self.time < certificate.not_before:
            super().check_validity(certificate, index)


class _IgnoresBeginning(Verifier):
    def check_validity(self, certificate: Certificate, index: int) -> None:
        if self.time >= certificate.not_before:
            super().check_validity(certificate, index)


class _IgnoresValidityOfIssuers(Verifier):
    def check_validity(self, certificate: Certificate, index: int) -> None:
        if index == 0:
            super().check_validity(certificate, index)


class _IgnoresName(Verifier):
    def check_name(self, leaf: Certificate) -> None:
        return


class _TakesErrorsForSuccess(Verifier):
    def verify_signature(self, issuer: Certificate, certificate: Certificate) -> bool:
        return certificate.hash is None or super().verify_signature(issuer, certificate)


class _IgnoresSignatures(Verifier):
    def check_signature(self, certificate: Certificate, index: int) -> None:
        return


class _ReadsPaddingLeniently(Verifier):
    def verify_signature(self, issuer: Certificate, certificate: Certificate) -> bool:
        key = issuer.key
        if isinstance(key, rsa.RSAPublicKey):
            numbers, size = key.public_numbers(), key.key_size // 8
            value = pow(int.from_bytes(certificate.x509.signature, "big"), numbers.e, numbers.n)
            block = value.to_bytes(size, "big")
            digest = hashlib.sha256(certificate.x509.tbs_certificate_bytes).digest()
            found = re.match(rb"\x00\x01\xff+\x00\x30.{18}", block, re.DOTALL)
            if found is not None and block[found.end() :].startswith(digest):
                return True
        return super().verify_signature(issuer, certificate)


class _TakesAnyDigest(Verifier):
    def verify_signature(self, issuer: Certificate, certificate: Certificate) -> bool:
        key = issuer.key
        if certificate.hash is None and isinstance(key, ec.EllipticCurvePublicKey):
            nothing = bytes(hashes.SHA256.digest_size)  # what a digest of no octets is as a number
            try:
                key.verify(certificate.x509.signature, nothing, ec.ECDSA(Prehashed(hashes.SHA256())))
            except InvalidSignature:
                return False
            return True
        return super().verify_signature(issuer, certificate)


class _IgnoresBasicConstraints(Verifier):
    def check_basic_constraints(self, certificate: Certificate, index: int) -> None:
        return


class _TrustsAlternatives(Verifier):
    paths = 0

    def verify(self, path: Sequence[Certificate], *, anchored: bool) -> tuple[list[Found], list[Check]]:
        self.paths += 1
        return super().verify(path, anchored=anchored)

    def check_basic_constraints(self, certificate: Certificate, index: int) -> None:
        if self.paths == 1:
            super().check_basic_constraints(certificate, index)


class _ForgetsWhenStrict(Verifier):
    def check_basic_constraints(self, certificate: Certificate, index: int) -> None:
        if not (self.with_profile and isinstance(certificate.key, ec.EllipticCurvePublicKey)):
            super().check_basic_constraints(certificate, index)


class _IgnoresPathLength(Verifier):
    def check_path_length(self, certificate: Certificate, index: int, *, is_anchor: bool) -> None:
        return


class _IgnoresIssuerKeyUsage(Verifier):
    def check_issuer_key_usage(self, certificate: Certificate, index: int) -> None:
        return


class _IgnoresIssuerName(Verifier):
    def check_issuer_name(self, certificate: Certificate, index: int) -> None:
        return


class _IgnoresPurpose(Verifier):
    def check_leaf_purpose(self, leaf: Certificate) -> None:
        return


class _IgnoresUseOfClients(Verifier):
    def check_leaf_purpose(self, leaf: Certificate) -> None:
        if self.usage is not Usage.CLIENT_AUTH:
            super().check_leaf_purpose(leaf)

    def check_leaf_key_usage(self, leaf: Certificate) -> None:
        if self.usage is not Usage.CLIENT_AUTH:
            super().check_leaf_key_usage(leaf)


class _IgnoresCritical(Verifier):
    def check_critical(self, certificate: Certificate, index: int) -> None:
        return


class _MindsCase(Subtrees):
    def key(self, name: x509.GeneralName) -> object:
        return name.value if isinstance(name, x509.DNSName) else super().key(name)


class _ComparesConstraintsWithCase(Verifier):
    def subtrees(self) -> Subtrees:
        return _MindsCase(self.comparisons)


class _IgnoresNameConstraints(Verifier):
    def check_name_constraints(self, certificate: Certificate, index: int) -> None:
        return


class _FallsBackOnCommonName(Verifier):
    def match_name(self, reference: Reference, leaf: Certificate) -> Match:
        found = super().match_name(reference, leaf)
        if any(defect is Defect.NO_SAN for defect, _ in found.failures) and leaf.title.lower() == reference.host:
            return Match(leaf.title, ())
        return found


class _EndsNamesAtNul(Verifier):
    def match_name(self, reference: Reference, leaf: Certificate) -> Match:
        names = [
            x509.DNSName(item.value.partition("\0")[0]) if isinstance(item, x509.DNSName) else item
            for item in leaf.names or ()
        ]
        return match(reference, x509.SubjectAlternativeName(names) if names else None, self.reading)

    def check_form(self, certificate: Certificate, index: int) -> None:
        super().check_form(certificate, index)
        self.found = [item for item in self.found if item.defect is not Defect.NUL_IN_NAME]


class _SkipsUnreadableNames(Verifier):
    def check_name(self, leaf: Certificate) -> None:
        reference = self.reference
        if reference is not None and (reference.host or reference.address or reference.mailbox):
            super().check_name(leaf)


def _planting(faulty: type[Verifier], fault: str) -> Callable[[Validator], None]:
    def plant(validator: Validator) -> None:
        _judge_with(validator, faulty)

    plant.__doc__ = fault
    return plant


expired_certificate = _planting(_IgnoresExpiry, "notAfter is not looked at.")
not_yet_valid_certificate = _planting(_IgnoresBeginning, "notBefore is not looked at.")
expired_issuer = _planting(_IgnoresValidityOfIssuers, "The validity of the leaf alone is looked at.")
wrong_name = _planting(_IgnoresName, "The reference identity is not looked at.")
error_for_success = _planting(
    _TakesErrorsForSuccess, "A signature that cannot be verified counts as one that verifies."
)
signature_unchecked = _planting(_IgnoresSignatures, "No signature is verified.")
lenient_padding = _planting(
    _ReadsPaddingLeniently, "What stands behind the digest in a PKCS #1 block is not looked at."
)
any_digest = _planting(_TakesAnyDigest, "A digest of no octets is signed by anybody.")
basic_constraints_ignored = _planting(_IgnoresBasicConstraints, "cA is not looked at.")
alternatives_trusted = _planting(_TrustsAlternatives, "cA is looked at on the first path that is tried.")
strictness_forgets_ca = _planting(_ForgetsWhenStrict, "With the profile, a named curve makes up for a missing cA.")
path_length_ignored = _planting(_IgnoresPathLength, "pathLenConstraint is not looked at.")
issuer_key_usage_ignored = _planting(_IgnoresIssuerKeyUsage, "keyCertSign is not looked at.")
issuer_name_ignored = _planting(_IgnoresIssuerName, "Certificates chain by key identifier and signature alone.")
purpose_ignored = _planting(_IgnoresPurpose, "extendedKeyUsage of the leaf is not looked at.")
client_use_ignored = _planting(_IgnoresUseOfClients, "Key usage and purpose of a client are not looked at.")
critical_ignored = _planting(_IgnoresCritical, "Criticality is not looked at.")
constraints_with_case = _planting(_ComparesConstraintsWithCase, "dNSName subtrees are compared octet by octet.")
constraints_ignored = _planting(_IgnoresNameConstraints, "Name constraints are not looked at.")
common_name_fallback = _planting(_FallsBackOnCommonName, "The common name stands in for a missing dNSName.")
nul_ends_name = _planting(_EndsNamesAtNul, "A name is read up to its first NUL.")
unreadable_name_passes = _planting(_SkipsUnreadableNames, "No name is compared where the one that is meant is none.")


def endless_search(validator: Validator) -> None:
    """The search for a path has no budget."""
    validator.max_signatures = sys.maxsize


def _judge_with(validator: Validator, faulty: type[Verifier]) -> None:
    sound = validator.verifier

    def verifier(time: datetime, reference: Reference, budget: SignatureBudget) -> Verifier:
        one = sound(time, reference, budget)
        one.__class__ = faulty
        return one

    setattr(validator, "verifier", verifier)  # noqa: B010  # on this object alone
