"""Runs our validator on a case of x509-limbo, for the harness of that corpus.

    limbo_harness.py CORPUS tests.impl.limbo_adapter:judge

This is the only place that looks at the id of a case: the CA/Browser Forum's and BetterTLS' cases mean the web's
reading.
"""

from __future__ import annotations

import base64
from typing import Any

from shakeproof.impl.x509 import Reading, Result, Usage, Validator, Verifier
from shakeproof.impl.x509.certificate import Certificate

# What the validator does not claim to do: such a case is skipped and never counted as agreement.
UNCLAIMED = frozenset({"has-crl", "has-ocsp"})
WEB_NAMESPACES = ("webpki", "bettertls")

# Where we answer otherwise than the corpus, and why.
ALLOWED = {
    "rfc5280::aki::cross-signed-root-missing-aki": (
        "the corpus calls it ambiguous and pedantic. cve::cve-2024-0567 has the same anchor, cross-signed and without "
        "keyIdentifier, and expects acceptance: a trust anchor is a name and a key (RFC 5280 section 6.1.1 (d)), and "
        "by whom its certificate was signed plays no part"
    ),
    "webpki::cn::not-in-san": (
        "that the common name repeats a subjectAltName binds the CA. A client ignores the common name (RFC 9525), and "
        "webpki::san::leftmost-wildcard-san and many of BetterTLS' cases expect acceptance of one that does not"
    ),
    "webpki::san::public-suffix-multi-label-wildcard-san": (
        "that co.uk is a public suffix stands in no certificate and in no RFC; the list of them changes weekly, and a "
        "validator that carries an old one gives wrong verdicts"
    ),
}


class AnyKeyUsage(Verifier):
    """For cases that ask for no key usage; ours asks that a server's key can serve a key exchange."""

    def check_leaf_key_usage(self, leaf: Certificate) -> None:
        """Nothing is asked."""


class AnyKeyUsageAnyName(AnyKeyUsage):
    """For cases that name no peer."""

    def check_name(self, leaf: Certificate) -> None:
        """Nobody is asked for."""


def der(pem: str) -> bytes:
    """The octets of one PEM certificate, parsed or not."""
    return base64.b64decode("".join(line for line in pem.splitlines() if line and not line.startswith("-----")))


def validate_case(case: Any) -> Result | None:
    """Our verdict on a case; None where it needs what is not claimed."""
    if case.features & UNCLAIMED or not case.server or (case.peer is not None and case.peer[0] not in ("DNS", "IP")):
        return None
    web = case.id.partition("::")[0] in WEB_NAMESPACES
    validator = Validator(
        [der(pem) for pem in case.roots],
        Reading.WEBPKI if web else Reading.RFC5280,
        usage=Usage.SERVER_AUTH,
        max_intermediates=case.max_depth,
    )
    if case.peer is None:
        validator.verifier_class = AnyKeyUsageAnyName
    elif not case.key_usage:
        validator.verifier_class = AnyKeyUsage
    chain = [der(pem) for pem in (case.leaf, *case.intermediates)]
    return validator.validate(chain, case.time, case.peer[1] if case.peer else "")


def judge(case: Any) -> tuple[bool, str] | None:
    """Accepted or not, with the reason, in the form that the harness wants."""
    result = validate_case(case)
    return None if result is None else (result.accepted, result.explanation)
