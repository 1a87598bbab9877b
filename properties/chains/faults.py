"""Every defect as data: the number of its check, its clause, where it may stand, what it makes of a chain, and what a
validator that misses nothing has to call it.

The numbers are those of the project's list of checks; names of defects are the words that validators here agree on. A
fault that gives nothing is a quirk: unusual, and to be accepted. How each is made stands in spoiling.py.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass

from shakeproof.properties.chains import spoiling as make
from shakeproof.properties.chains.draft import Draft


class Where(enum.Enum):
    """Which certificates of a chain a fault may be put on."""

    LEAF = "the leaf"
    ISSUER = "an intermediate CA"
    ANY = "any certificate but the root"
    ROOT = "the root"


class Reads(enum.Enum):
    """Whose extensions must be readable for the fault to show."""

    OWN = "its certificate's own"
    ISSUER = "the issuer's, above it"
    LEAF = "the leaf's"
    NAMES = "the leaf's, with a dNSName among them"


OWN, OF_ISSUER, OF_LEAF, NAMES = Reads.OWN, Reads.ISSUER, Reads.LEAF, Reads.NAMES


@dataclass(frozen=True)
class Fault:
    """One way to spoil a chain.

    gives, on_issuer: the defects, of a leaf and of an issuer that has it; writes: fields of the certificate (and with
    "issuer:" of the one above) that it sets, so that two which set the same cannot stand together; reads: what has to
    be readable; below: it shows only under an issuer that was found; ends: the path ends there: BELOW the certificate,
    which is not to be had, or AT it, which leads no further; unreadable: extensions cannot be read; bare: there are none; least: the lowest
    place; rsa: whether a chain of RSA keys can have it; rekeys: the certificate has another key or name, so that no
    sound twin can stand in for it.
    """

    name: str
    number: int
    clause: str
    where: Where
    make: Callable[[Draft, int], None]
    gives: tuple[str, ...] = ()
    on_issuer: tuple[str, ...] = ()
    writes: frozenset[str] = frozenset()
    reads: tuple[Reads, ...] = ()
    below: bool = False
    ends: str = ""
    unreadable: bool = False
    bare: bool = False
    least: int = 0
    rsa: bool = True
    rekeys: bool = False
    lasting: bool = False

    def defects(self, place: int) -> tuple[str, ...]:
        """What it gives there."""
        return self.on_issuer if place and self.on_issuer else self.gives

    def places(self, depth: int) -> range:
        """Where it may stand in a chain with so many intermediate CAs."""
        match self.where:
            case Where.LEAF:
                return range(1)
            case Where.ISSUER:
                return range(max(1, self.least), depth + 1)
            case Where.ANY:
                return range(depth + 1)
        return range(depth + 1, depth + 2) if depth >= self.least else range(0)


BELOW, AT = "below", "at"
EVERYTHING = frozenset({
    "version", "not_before", "not_after", "serial", "basic", "usage", "purpose", "constraints", "policies", "policy",
    "unknown", "repeated", "authority", "authority-critical", "names", "names+",
})  # fmt: skip
"""The fields that a certificate without extensions, or none at all, does not have."""


def _fault(name: str, number: int, clause: str, where: Where, make: Callable[[Draft, int], None],
           gives: str = "", writes: str = "", on_issuer: str = "", reads: tuple[Reads, ...] = (), **more: object) -> Fault:  # fmt: skip
    fields = frozenset(writes.split()) | (EVERYTHING if "*" in writes else frozenset())
    return Fault(name, number, clause, where, make, tuple(gives.split()), tuple(on_issuer.split()), fields, reads, **more)  # type: ignore[arg-type]  # fmt: skip


LEAF, ISSUER, ANY, ROOT = Where.LEAF, Where.ISSUER, Where.ANY, Where.ROOT

# fmt: off
_FAULTS = (
    # 1: well-formed, and version 3 where there are extensions
    _fault("cut", 1, "RFC 5280 section 4.1", ANY, make.cut, "MALFORMED", "* subject key signature", ends=BELOW),
    _fault("bad-extension", 1, "RFC 5280 section 4.1", ANY, make.bad_extension, "MALFORMED", "policies", unreadable=True),
    _fault("old-version", 1, "RFC 5280 section 4.1.2.1", ANY, make.old_version, "BAD_VERSION", "version"),
    _fault("alien-version", 1, "RFC 5280 section 4.1.2.1", ANY, make.alien_version, "BAD_VERSION", "* subject key signature", ends=BELOW),
    # 2: signatures
    _fault("bad-signature", 2, "RFC 5280 section 6.1.3 (a)(1)", ANY, make.bad_signature, "BAD_SIGNATURE", "signature", below=True),
    _fault("unknown-algorithm", 2, "RFC 5280 section 6.1.3 (a)(1)", ANY, make.unknown_algorithm, "BAD_SIGNATURE", "signature algorithm", below=True),
    _fault("cube-root", 2, "RFC 5280 section 6.1.3 (a)(1)", ANY, make.cube_root, "BAD_SIGNATURE", "signature algorithm issuer:key issuer:signature", below=True, rekeys=True),
    _fault("no-digest", 2, "RFC 5280 section 6.1.3 (a)(1)", ANY, make.no_digest, "BAD_SIGNATURE", "signature algorithm", below=True, rsa=False),
    # 3, 4: algorithms and keys
    _fault("two-algorithms", 3, "RFC 5280 section 4.1.1.2", ANY, make.two_algorithms, "SIGNATURE_ALGORITHM_MISMATCH", "signature algorithm"),
    _fault("sha1", 4, "RFC 8446 section 4.4.2.4", ANY, make.sha1, "WEAK_HASH", "signature algorithm", below=True),
    _fault("short-key", 4, "CA/Browser Forum BR 6.1.5", LEAF, make.short_key, "WEAK_KEY", "key", rekeys=True),
    _fault("odd-curve", 4, "CA/Browser Forum BR 6.1.5", ANY, make.odd_curve, "WEAK_KEY", "key", rekeys=True),
    _fault("explicit-curve", 4, "RFC 5480 section 2.1.1", LEAF, make.explicit_curve, "EXPLICIT_CURVE", "key", rekeys=True),
    # 5: validity
    _fault("expired", 5, "RFC 5280 section 6.1.3 (a)(2)", ANY, make.expired, "EXPIRED", "not_after", "ISSUER_EXPIRED"),
    _fault("not-yet-valid", 5, "RFC 5280 section 6.1.3 (a)(2)", ANY, make.not_yet_valid, "NOT_YET_VALID", "not_before", "ISSUER_NOT_YET_VALID"),
    # 6, 7: names chain, up to a trust anchor
    _fault("other-issuer-name", 6, "RFC 5280 section 6.1.3 (a)(4)", ANY, make.other_issuer_name, "NAME_CHAIN_BROKEN", "issuer", below=True),
    _fault("untrusted-root", 7, "RFC 5280 section 6.1.1 (d)", ROOT, make.untrusted_root, "UNTRUSTED_ROOT", "root", ends=AT),
    _fault("unknown-root", 7, "RFC 5280 section 6.1.1 (d)", ROOT, make.unknown_root, "", "root", ends=BELOW),
    _fault("impostor-root", 7, "RFC 5280 section 6.1.1 (d)", ROOT, make.impostor_root, "", "root", ends=BELOW),
    _fault("self-signed", 7, "RFC 5280 section 6.1.1 (d)", LEAF, make.self_signed, "SELF_SIGNED_LEAF", "issuer signature algorithm", ends=AT),
    _fault("missing", 7, "RFC 5280 section 6.1.1 (d)", ISSUER, make.missing, "", "* subject key signature", ends=BELOW),
    # 8 to 12: what issuers and leaves may do
    _fault("not-a-ca", 8, "RFC 5280 section 6.1.4 (k)", ISSUER, make.not_a_ca, "ISSUER_NOT_CA", "basic usage constraints", reads=(OWN,)),
    _fault("version-1-ca", 8, "RFC 5280 section 6.1.4 (k)", ISSUER, make.version_1_ca, "ISSUER_NOT_CA PROFILE", "*", bare=True),
    _fault("path-length", 9, "RFC 5280 section 6.1.4 (l)", ISSUER, make.path_length, "PATHLEN_EXCEEDED", "basic", reads=(OWN,), least=2),
    _fault("no-cert-sign", 10, "RFC 5280 section 6.1.4 (n)", ISSUER, make.no_cert_sign, "ISSUER_KEY_USAGE", "usage", reads=(OWN,)),
    _fault("wrong-usage", 11, "RFC 5280 section 4.2.1.3", LEAF, make.wrong_usage, "LEAF_KEY_USAGE", "usage", reads=(OWN,)),
    _fault("wrong-purpose", 12, "RFC 5280 section 4.2.1.12", ANY, make.wrong_purpose, "WRONG_EKU", "purpose", "ISSUER_EKU", reads=(OWN,)),
    # 13: name constraints
    _fault("excluded-host", 13, "RFC 5280 section 6.1.3 (c)", ISSUER, make.excluded_host, "NAME_EXCLUDED", "constraints", reads=(OWN, NAMES)),
    _fault("excluded-in-capitals", 13, "RFC 5280 section 6.1.3 (c)", ISSUER, make.excluded_in_capitals, "NAME_EXCLUDED", "constraints", reads=(OWN, NAMES)),
    _fault("excluded-subject", 13, "RFC 5280 section 6.1.3 (c)", ISSUER, make.excluded_subject, "NAME_EXCLUDED", "constraints", reads=(OWN,)),
    _fault("other-host-permitted", 13, "RFC 5280 section 6.1.3 (b)", ISSUER, make.other_host_permitted, "NAME_NOT_PERMITTED", "constraints", reads=(OWN, NAMES)),
    # 14, 15: extensions
    _fault("unknown-critical", 14, "RFC 5280 section 6.1.5 (f)", ANY, make.unknown_critical, "UNKNOWN_CRITICAL", "unknown"),
    _fault("duplicate-extension", 15, "RFC 5280 section 4.2", ANY, make.duplicate_extension, "DUPLICATE_EXTENSION", "repeated", unreadable=True),
    # 16 to 19: the name
    _fault("other-name", 16, "RFC 9525 section 6.3", LEAF, make.other_name, "WRONG_NAME", "names", reads=(OWN,)),
    _fault("name-in-subject", 16, "RFC 9525 section 6.2", LEAF, make.name_in_subject, "NO_SAN", "names names+", reads=(OWN,)),
    _fault("name-in-uri", 16, "RFC 9525 section 6.2", LEAF, make.name_in_uri, "NO_SAN", "names names+", reads=(OWN,)),
    _fault("part-wildcard", 17, "RFC 9525 section 6.3", LEAF, make.part_wildcard, "WRONG_NAME BAD_WILDCARD", "names", reads=(OWN,)),
    _fault("name-before-nul", 18, "RFC 5280 section 7.2", LEAF, make.name_before_nul, "WRONG_NAME NUL_IN_NAME", "names", reads=(OWN,)),
    _fault("nul", 18, "RFC 5280 section 7.2", LEAF, make.nul, "NUL_IN_NAME", "names+", reads=(OWN,)),
    _fault("space-in-name", 18, "RFC 5280 section 7.2", LEAF, make.space_in_name, "BAD_NAME_ENCODING", "names+", reads=(OWN,)),
    _fault("punycode", 19, "RFC 5280 section 7.2", LEAF, make.punycode, "HOSTILE_PUNYCODE", "names+", reads=(OWN,)),
    # 20: the search; its bombs have no place in a chain, and stand in bombs.py
    _fault("cycle", 20, "RFC 5280 section 6.1", ROOT, make.cycle, "UNTRUSTED_ROOT PATH_CYCLE", "root", ends=AT, least=1),
    # 22: serial numbers and key identifiers; the profile
    _fault("serial-zero", 22, "RFC 5280 section 4.1.2.2", ANY, make.serial_zero, "BAD_SERIAL", "serial"),
    _fault("serial-negative", 22, "RFC 5280 section 4.1.2.2", ANY, make.serial_negative, "BAD_SERIAL", "serial"),
    _fault("serial-long", 22, "RFC 5280 section 4.1.2.2", ANY, make.serial_long, "BAD_SERIAL", "serial"),
    _fault("other-key-id", 22, "RFC 5280 section 4.2.1.1", ANY, make.other_key_id, "AKI_MISMATCH", "authority", reads=(OWN, OF_ISSUER), below=True),
    _fault("critical-key-id", 0, "RFC 5280 section 4.2.1.1", ANY, make.critical_key_id, "PROFILE", "authority-critical", reads=(OWN,)),
    # 23, 24: policies and revocation
    _fault("policy-demanded", 23, "RFC 5280 section 6.1.3 (f)", ISSUER, make.policy_demanded, "POLICY_VIOLATION", "policy", reads=(OWN,), below=True),
    _fault("revoked", 24, "RFC 5280 section 6.1.3 (a)(3)", ANY, make.revoked, "REVOKED", "crl", below=True),
    _fault("stale-crl", 24, "RFC 5280 section 6.3.3", ANY, make.stale_crl, "STATUS_UNKNOWN", "crl", below=True, lasting=True),
    # quirks
    _fault("wildcard", 17, "RFC 9525 section 6.3", LEAF, make.wildcard, "", "names"),
    _fault("capitals", 16, "RFC 9525 section 6.3", LEAF, make.capitals, "", "names"),
    _fault("several-names", 16, "RFC 9525 section 6.3", LEAF, make.several_names, "", "names+"),
    _fault("unknown-extension", 14, "RFC 5280 section 4.2", ANY, make.unknown_extension, "", "unknown"),
    _fault("path-length-kept", 9, "RFC 5280 section 6.1.4 (l)", ISSUER, make.path_length_kept, "", "basic"),
    _fault("host-permitted", 13, "RFC 5280 section 6.1.3 (b)", ISSUER, make.host_permitted, "", "constraints"),
    _fault("no-usage", 11, "RFC 5280 section 4.2.1.3", LEAF, make.no_usage, "", "usage"),
    _fault("no-purpose", 12, "RFC 5280 section 4.2.1.12", LEAF, make.no_purpose, "", "purpose"),
    _fault("current-crl", 24, "RFC 5280 section 6.3.3", ANY, make.current_crl, "", "crl"),
)
# fmt: on

FAULTS: dict[str, Fault] = {fault.name: fault for fault in _FAULTS}
"""Every fault by name."""

FORGED = ("bad-signature", "unknown-algorithm", "cube-root", "no-digest")
UNREADABLE = tuple(fault.name for fault in _FAULTS if fault.unreadable)
BARE = (*UNREADABLE, "version-1-ca")


def _apart(*groups: tuple[str, tuple[str, ...], tuple[str, ...]]) -> dict[tuple[str, str], str]:
    return {(one, other): why for why, some, others in groups for one in some for other in others}


APART = _apart(
    (
        "a certificate that names another key, and that the issuer's key does not verify, is another CA's by all that "
        "can be told: no issuer is found",
        FORGED,
        ("other-key-id",),
    ),
    (
        "where no issuer is found by name, one is found by key, if its key verifies",
        ("other-issuer-name",),
        (*FORGED, "other-key-id"),
    ),
    ("where no issuer is found by name, one is found by key identifier", ("other-issuer-name",), BARE),
    ("a list covers the certificates of the issuer that they name", ("other-issuer-name",), ("revoked", "stale-crl")),
    ("nobody holds the key that would sign the list", ("cube-root",), ("revoked", "current-crl")),
    ("extensions of which one occurs twice are not read", ("bad-extension",), ("duplicate-extension",)),
)
"""Two faults that do not both show on one certificate, and why."""

ONE_ABOVE = _apart(
    ("where no issuer is found by name, one is found by key identifier", ("other-issuer-name",), BARE),
    ("without a key identifier, an impostor is an issuer whose key does not verify", BARE, ("impostor-root",)),
)
"""Two faults of which the second does not show, or not as itself, right above the first, and why."""
