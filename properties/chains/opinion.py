"""A second opinion on chains: what `cryptography.x509.verification` makes of them, and where we differ, and why."""

from __future__ import annotations

import warnings
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import verification

from shakeproof.properties.chains.plans import OF_A_HOST, Built, Plan

ERRORS = (ValueError, TypeError, OverflowError, UnsupportedAlgorithm, verification.VerificationError,
          x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)  # fmt: skip

_OF_LEAF = "it looks at the algorithm of an issuer's key, and at no key of a leaf"
_NAMES = "it looks at the one name that matches, and a name that no host can have is none of the CA's to certify"
_REVOCATION = "it knows no revocation lists"
TOLERATED: dict[str, str] = {
    "bad-extension": "it parses the extensions that it has a use for, and leaves certificatePolicies alone",
    "short-key": _OF_LEAF,
    "odd-curve": _OF_LEAF,
    "explicit-curve": _OF_LEAF,
    "wrong-usage": "it leaves the key usage of a leaf to whoever knows the key exchange (RFC 5280 section 4.2.1.3)",
    "nul": _NAMES,
    "name-before-nul": _NAMES,
    "space-in-name": _NAMES,
    "punycode": _NAMES,
    "serial-zero": "RFC 5280 section 4.1.2.2 wants these handled gracefully; that they are refused here is the profile",
    "serial-long": "it counts up to 21 octets, of which the first may be there for the sign",
    "other-key-id": "key identifiers are a help in finding paths; reading rfc5280 holds the CA to them",
    "revoked": _REVOCATION,
    "stale-crl": _REVOCATION,
}
"""Faults that it accepts a chain with, and why that is no mistake of ours."""

REFUSED: dict[str, str] = {
    "name-in-subject": "it wants a subjectAltName in a client's certificate too, from which nobody reads a name here",
}
"""Quirks that it refuses a chain for, and why that is no mistake of ours."""


def accepts(built: Built, now: datetime) -> bool:
    """Whether it accepts the chain."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            store = verification.Store([x509.load_der_x509_certificate(item) for item in built.anchors])
            leaf, *rest = [x509.load_der_x509_certificate(item) for item in built.chain]
            builder = verification.PolicyBuilder().store(store).time(now)
            if built.plan.client:
                builder.build_client_verifier().verify(leaf, rest)
            else:
                builder.build_server_verifier(x509.DNSName(built.host)).verify(leaf, rest)
        except ERRORS:
            return False
    return True


def difference(plan: Plan, ours: bool, theirs: bool) -> str:
    """Why the two verdicts on the chain differ; "" where no reason is known."""
    names = [fault.name for fault, _ in plan.placed]
    if theirs and not ours:
        harmless = OF_A_HOST if plan.client else frozenset[str]()
        spoilt = [fault.name for fault, _ in plan.placed if set(fault.gives) - harmless or fault.ends]
        return "; ".join(TOLERATED[name] for name in spoilt) if spoilt and set(spoilt) <= set(TOLERATED) else ""
    return "; ".join(REFUSED[name] for name in names if name in REFUSED)
