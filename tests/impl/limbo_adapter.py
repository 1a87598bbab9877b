"""Runs our validator on a case of x509-limbo, for the harness of that corpus.

    limbo_harness.py CORPUS tests.impl.limbo_adapter:judge

This is the only place that looks at the id of a case: the CA/Browser Forum's and BetterTLS' cases mean the web's
reading.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from shakeproof.impl.x509 import Reading, Usage, Validator, Verifier
from shakeproof.impl.x509.names import Reference
from shakeproof.impl.x509.verifier import SignatureBudget

# What the validator does not claim to do: such a case is skipped and never counted as agreement.
UNCLAIMED = frozenset({"has-crl", "has-ocsp"})
WEB_NAMESPACES = ("webpki", "bettertls")


class AnyKeyUsage(Validator):
    """Where a case names no key usage, any will do; a server's key would have to serve a key exchange."""

    def verifier(self, time: datetime, reference: Reference, budget: SignatureBudget) -> Verifier:
        """A verifier without the check of the leaf's key usage."""
        verifier = super().verifier(time, reference, budget)
        verifier.check_leaf_key_usage = lambda leaf: None  # type: ignore[method-assign]
        return verifier


def der(pem: str) -> bytes:
    """The octets of one PEM certificate, parsed or not."""
    return base64.b64decode("".join(line for line in pem.splitlines() if line and not line.startswith("-----")))


def judge(case: Any) -> tuple[bool, str] | None:
    """Accepted or not, with the reason; None where the case needs what is not claimed."""
    if case.features & UNCLAIMED or not case.server or case.peer is None or case.peer[0] not in ("DNS", "IP"):
        return None
    web = case.id.partition("::")[0] in WEB_NAMESPACES
    validator = (Validator if case.key_usage else AnyKeyUsage)(
        [der(pem) for pem in case.roots],
        Reading.WEBPKI if web else Reading.RFC5280,
        usage=Usage.SERVER_AUTH,
        max_intermediates=case.max_depth,
    )
    chain = [der(pem) for pem in (case.leaf, *case.intermediates)]
    result = validator.validate(chain, case.time, case.peer[1])
    return result.accepted, result.explanation
