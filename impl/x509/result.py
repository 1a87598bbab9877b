"""What a validation gives: the verdict, every defect with its certificate and clause, and the checks that were run.

Source: RFC 5280 sections 4 and 6, RFC 9525 section 6; alerts by RFC 5246 section 7.2.2.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shakeproof.impl.x509.checks import Record, Step


class Reading(enum.Enum):
    """Which text decides where two disagree about the same certificate."""

    RFC5280 = "RFC 5280, with its certificate profile"
    WEBPKI = "the CA/Browser Forum's baseline requirements, as the web's clients read them"


class Usage(enum.Enum):
    """What the leaf's key is to be used for; the value is the dotted key purpose of RFC 5280 section 4.2.1.12."""

    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


class Defect(enum.Enum):
    """What can be wrong with a chain: a sentence, the clause that is broken, and the alert that reports it."""

    def __init__(self, sentence: str, clause: str, alert: str) -> None:
        self.sentence = sentence
        self.clause = clause
        self.alert = alert

    EMPTY = ("no certificate was sent", "RFC 5246 section 7.4.2", "bad_certificate")
    MALFORMED = ("the certificate cannot be parsed", "RFC 5280 section 4.1", "bad_certificate")
    BAD_VERSION = ("the version does not fit the fields", "RFC 5280 section 4.1.2.1", "bad_certificate")
    BAD_SIGNATURE = (
        "the signature does not verify with the issuer's key",
        "RFC 5280 section 6.1.3 (a)(1)",
        "bad_certificate",
    )
    SIGNATURE_ALGORITHM_MISMATCH = (
        "the signed part names another signature algorithm",
        "RFC 5280 section 4.1.1.2",
        "bad_certificate",
    )
    NAME_CHAIN_BROKEN = (
        "the issuer's name is not the subject of the certificate above",
        "RFC 5280 section 6.1.3 (a)(4)",
        "unknown_ca",
    )
    UNTRUSTED_ROOT = ("the chain leads to no trust anchor", "RFC 5280 section 6.1.1 (d)", "unknown_ca")
    SELF_SIGNED_LEAF = (
        "the certificate is signed with its own key and is no trust anchor",
        "RFC 5280 section 6.1.1 (d)",
        "unknown_ca",
    )
    MISSING_INTERMEDIATE = (
        "neither the trust anchors nor the certificates sent hold the issuer",
        "RFC 5280 section 6.1.1 (d)",
        "unknown_ca",
    )
    EXPIRED = ("the certificate has expired", "RFC 5280 section 6.1.3 (a)(2)", "certificate_expired")
    NOT_YET_VALID = ("the certificate is not valid yet", "RFC 5280 section 6.1.3 (a)(2)", "certificate_expired")
    ISSUER_EXPIRED = ("an issuer's certificate has expired", "RFC 5280 section 6.1.3 (a)(2)", "certificate_expired")
    ISSUER_NOT_YET_VALID = (
        "an issuer's certificate is not valid yet",
        "RFC 5280 section 6.1.3 (a)(2)",
        "certificate_expired",
    )
    WRONG_EKU = (
        "the certificate is not meant for this purpose",
        "RFC 5280 section 4.2.1.12",
        "unsupported_certificate",
    )
    ISSUER_EKU = ("an issuer may not issue for this purpose", "RFC 5280 section 4.2.1.12", "unsupported_certificate")
    LEAF_KEY_USAGE = (
        "the key may take part in no key exchange",
        "RFC 5280 section 4.2.1.3",
        "unsupported_certificate",
    )
    ISSUER_KEY_USAGE = (
        "an issuer's key may not sign certificates",
        "RFC 5280 section 6.1.4 (n)",
        "unsupported_certificate",
    )
    ISSUER_NOT_CA = ("an issuer is not a CA", "RFC 5280 section 6.1.4 (k)", "certificate_unknown")
    LEAF_IS_CA = (
        "the server's certificate is a CA certificate",
        "CA/Browser Forum BR 7.1.2.7.6",
        "certificate_unknown",
    )
    PATHLEN_EXCEEDED = (
        "more intermediate CAs than an issuer permits",
        "RFC 5280 section 6.1.4 (l)",
        "certificate_unknown",
    )
    NAME_NOT_PERMITTED = (
        "a name lies outside the subtrees that an issuer may certify",
        "RFC 5280 section 6.1.3 (b)",
        "certificate_unknown",
    )
    NAME_EXCLUDED = (
        "a name lies in a subtree that an issuer may not certify",
        "RFC 5280 section 6.1.3 (c)",
        "certificate_unknown",
    )
    UNKNOWN_CRITICAL = (
        "a critical extension is not understood",
        "RFC 5280 section 6.1.5 (f)",
        "certificate_unknown",
    )
    DUPLICATE_EXTENSION = ("an extension occurs twice", "RFC 5280 section 4.2", "bad_certificate")
    NO_SAN = ("the certificate names no server", "RFC 9525 section 6.2", "certificate_unknown")
    WRONG_NAME = ("the certificate is for another name", "RFC 9525 section 6.3", "certificate_unknown")
    BAD_WILDCARD = (
        "a wildcard is not the whole leftmost label of a name with two more labels",
        "RFC 9525 section 6.3",
        "certificate_unknown",
    )
    NUL_IN_NAME = ("a name holds a NUL", "RFC 5280 section 7.2", "bad_certificate")
    BAD_NAME_ENCODING = ("a name is not a host name in ASCII", "RFC 5280 section 7.2", "certificate_unknown")
    HOSTILE_PUNYCODE = (
        "a label that claims to be an A-label encodes no name",
        "RFC 5280 section 7.2",
        "certificate_unknown",
    )
    WEAK_KEY = (
        "a key is too weak or of a kind that is not accepted",
        "CA/Browser Forum BR 6.1.5",
        "certificate_unknown",
    )
    EXPLICIT_CURVE = (
        "a key brings a curve of its own instead of naming one",
        "RFC 5480 section 2.1.1",
        "certificate_unknown",
    )
    WEAK_HASH = ("a signature uses a broken hash function", "RFC 8446 section 4.4.2.4", "certificate_unknown")
    BAD_SERIAL = (
        "the serial number is not a positive integer of at most 20 octets",
        "RFC 5280 section 4.1.2.2",
        "certificate_unknown",
    )
    AKI_MISMATCH = (
        "the key identifiers of a certificate and its issuer disagree",
        "RFC 5280 section 4.2.1.2",
        "certificate_unknown",
    )
    PROFILE = (
        "the certificate breaks a rule of the profile that binds its CA",
        "RFC 5280 section 4.2",
        "certificate_unknown",
    )
    POLICY_VIOLATION = (
        "no certificate policy that is demanded holds along the path",
        "RFC 5280 section 6.1.5 (g)",
        "certificate_unknown",
    )
    REVOKED = ("a certificate has been revoked", "RFC 5280 section 6.1.3 (a)(3)", "certificate_revoked")
    STATUS_UNKNOWN = (
        "whether a certificate has been revoked cannot be told",
        "RFC 5280 section 6.3.3",
        "certificate_unknown",
    )
    PATH_CYCLE = (
        "the issuers certify one another in a circle",
        "RFC 5280 section 6.1",
        "unknown_ca",
    )
    PATH_BOMB = (
        "the chain costs more work than a chain may cost",
        "RFC 5280 section 6.1",  # "an application MAY augment this algorithm to further limit the set of valid paths"
        "certificate_unknown",
    )


# Where several defects meet, the first of these: what cannot be read or trusted says nothing reliable about itself.
ALERT_PRIORITY = (
    "bad_certificate",
    "unknown_ca",
    "certificate_revoked",
    "certificate_expired",
    "unsupported_certificate",
    "certificate_unknown",
)


@dataclass(frozen=True, slots=True)
class Found:
    """One defect.

    certificate_index: 0 is the leaf, counted along the path; None where no certificate is at fault. subject: printable.
    """

    defect: Defect
    certificate_index: int | None
    subject: str
    clause: str
    explanation: str

    def __str__(self) -> str:
        return f"{self.explanation} [{self.clause}]"


@dataclass(frozen=True, slots=True)
class Check:
    """One check that was executed over the path, with its outcome as a sentence for people."""

    name: str
    passed: bool
    text: str
    clause: str


@dataclass(frozen=True, slots=True)
class Result:
    """The verdict on a chain.

    path: DER from the leaf to the trust anchor, or as far as it led; checks: in the order of execution, each over the
    whole path; record: what trace is made of.
    """

    accepted: bool
    defects: tuple[Found, ...]
    path: tuple[bytes, ...]
    checks: tuple[Check, ...]
    record: Record | None = None

    @property
    def trace(self) -> tuple[Step, ...]:
        """The checks certificate by certificate, from the trust anchor down to the leaf, then those of the search."""
        return self.record.steps() if self.record is not None else ()

    @property
    def alert(self) -> str:
        """The name of the alert that reports these defects; "" for an accepted chain."""
        alerts = {found.defect.alert for found in self.defects}
        return next((alert for alert in ALERT_PRIORITY if alert in alerts), "")

    @property
    def kinds(self) -> frozenset[Defect]:
        """The defects without their places."""
        return frozenset(found.defect for found in self.defects)

    @property
    def explanation(self) -> str:
        """All defects as one line; for an accepted chain what it was accepted for."""
        if self.accepted:
            return "; ".join(check.text for check in self.checks)
        return "; ".join(str(found) for found in self.defects)
