"""Checks of a certificate that are left out, planted on one validator."""

from __future__ import annotations

from datetime import datetime

from shakeproof.impl.x509 import Validator, Verifier
from shakeproof.impl.x509.certificate import Certificate
from shakeproof.impl.x509.names import Reference
from shakeproof.impl.x509.verifier import SignatureBudget


class _IgnoresExpiry(Verifier):
    def check_validity(self, certificate: Certificate, index: int) -> None:
        if self.time < certificate.not_before:
            super().check_validity(certificate, index)


class _IgnoresName(Verifier):
    def check_name(self, leaf: Certificate) -> None:
        return


def expired_certificate(validator: Validator) -> None:
    """notAfter is not looked at."""
    _judge_with(validator, _IgnoresExpiry)


def wrong_name(validator: Validator) -> None:
    """The reference identity is not looked at."""
    _judge_with(validator, _IgnoresName)


def _judge_with(validator: Validator, faulty: type[Verifier]) -> None:
    sound = validator.verifier

    def verifier(time: datetime, reference: Reference, budget: SignatureBudget) -> Verifier:
        one = sound(time, reference, budget)
        one.__class__ = faulty
        return one

    setattr(validator, "verifier", verifier)  # noqa: B010  # on this object alone
