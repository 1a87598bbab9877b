"""Runs our validator on a case of x509-limbo, for the harness of that corpus.

    python limbo_harness.py CORPUS tests.limbo_adapter:validate

This is the only place that looks at the id of a case: the CA/Browser Forum's and BetterTLS' cases mean the web's
reading.
"""

from __future__ import annotations

import base64
from typing import Any

from shakeproof.impl.x509 import Reading, Result, Usage, Validator

# What the validator does not claim to do: such a case is skipped and never counted as agreement.
UNCLAIMED = frozenset({"has-ocsp"})
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


# The corpus' names of purposes and of key usage bits, and ours.
PURPOSES = {"serverAuth": Usage.SERVER_AUTH, "clientAuth": Usage.CLIENT_AUTH}
KEY_USAGES = {
    "digitalSignature": "digital_signature",
    "contentCommitment": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
}


def der(pem: str) -> bytes:
    """The octets of one PEM block, parsed or not."""
    return base64.b64decode("".join(line for line in pem.splitlines() if line and not line.startswith("-----")))


def usage(case: Any) -> Usage | None:
    """What the leaf is to be used for: what the case asks for, else what its kind of peer is. Raises KeyError."""
    asked = {PURPOSES[name] for name in case.eku} or {Usage.SERVER_AUTH if case.server else Usage.CLIENT_AUTH}
    return asked.pop() if len(asked) == 1 else None


def judge(case: Any) -> Result | None:
    """Our verdict on a case; None where it needs what is not claimed."""
    if case.features & UNCLAIMED or not set(case.eku) <= set(PURPOSES) or not set(case.key_usage) <= set(KEY_USAGES):
        return None
    web = case.id.partition("::")[0] in WEB_NAMESPACES
    validator = Validator(
        [der(pem) for pem in case.roots],
        Reading.WEBPKI if web else Reading.RFC5280,
        usage=usage(case),
        max_intermediates=case.max_depth,
        crls=[der(pem) for pem in case.crls],
        key_usage=frozenset(KEY_USAGES[name] for name in case.key_usage),
    )
    chain = [der(pem) for pem in (case.leaf, *case.intermediates)]
    names = [name for _, name in ([case.peer] if case.peer else case.peer_names)]
    results = [validator.validate(chain, case.time, name) for name in names or [None]]
    # A client may have to carry several names: then each of them has to be there.
    return next((result for result in results if not result.accepted), results[0])


def validate(case: Any) -> tuple[bool, str] | None:
    """Accepted or not, with the reason, in the form that the harness wants."""
    result = judge(case)
    return None if result is None else (result.accepted, result.explanation)
