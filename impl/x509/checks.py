"""The checks of a validation as a list, and the trace: what passed, failed or did not run on which certificate.

The verifier says which groups of checks it ran where and what it found; nothing is judged here.
Source: RFC 5280 sections 4 and 6; RFC 9525 section 6.
"""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from shakeproof.impl.x509.result import Defect, Found


class Outcome(enum.Enum):
    """What became of one check of one certificate."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


class Place(enum.Enum):
    """On which certificates of a path a check runs."""

    TOP = "the last one"
    EVERY = "each one"
    BELOW = "each one that has an issuer in the path"
    ISSUER = "each one that issued another"
    LEAF = "the first one"
    SEARCH = "none: the search as a whole"


@dataclass(frozen=True, slots=True)
class Kind:
    """One check.

    number: its line in the list of checks, 0 for what is asked beyond that list; group: what the verifier runs as one
    step; sentence: what holds where it passed; idle: why it did not run, where it did not.
    """

    number: int
    name: str
    group: str
    place: Place
    clause: str
    sentence: str
    idle: str
    defects: frozenset[Defect]


def _kind(
    number: int, name: str, group: str, place: Place, sentence: str, *defects: Defect, idle: str = "left out"
) -> Kind:
    return Kind(number, name, group, place, defects[0].clause, sentence, idle, frozenset(defects))


_UNASKED = "no purpose is asked for"

KINDS: tuple[Kind, ...] = (
    _kind(7, "trust anchor", "anchor", Place.TOP, "is a trust anchor",
          Defect.UNTRUSTED_ROOT, Defect.SELF_SIGNED_LEAF, Defect.MISSING_INTERMEDIATE),
    _kind(2, "signature", "signature", Place.BELOW, "the issuer's key verifies the signature", Defect.BAD_SIGNATURE),
    _kind(5, "validity", "validity", Place.EVERY, "the time lies in the validity period",
          Defect.EXPIRED, Defect.NOT_YET_VALID, Defect.ISSUER_EXPIRED, Defect.ISSUER_NOT_YET_VALID),
    _kind(24, "revocation", "revocation", Place.BELOW, "not revoked",
          Defect.REVOKED, Defect.STATUS_UNKNOWN, idle="no CRL of its issuer was given and no status is asked for"),
    _kind(6, "issuer name", "issuer name", Place.BELOW, "the issuer's name is the subject above",
          Defect.NAME_CHAIN_BROKEN),
    _kind(13, "name constraints", "name constraints", Place.BELOW, "every name lies where the issuers may certify",
          Defect.NAME_NOT_PERMITTED, Defect.NAME_EXCLUDED, idle="no issuer constrains its names"),
    _kind(23, "policies", "policies", Place.BELOW, "the policies hold, or none is demanded", Defect.POLICY_VIOLATION),
    _kind(4, "strength", "strength", Place.EVERY, "key, curve and hash are strong enough",
          Defect.WEAK_KEY, Defect.WEAK_HASH, Defect.EXPLICIT_CURVE),
    _kind(1, "form", "form", Place.EVERY, "well formed", Defect.MALFORMED, Defect.BAD_VERSION, Defect.EMPTY),
    _kind(3, "algorithms", "form", Place.EVERY, "both signature algorithms agree",
          Defect.SIGNATURE_ALGORITHM_MISMATCH),
    _kind(15, "duplicates", "form", Place.EVERY, "no extension occurs twice", Defect.DUPLICATE_EXTENSION),
    _kind(18, "encoding of names", "form", Place.EVERY, "its names are plain text",
          Defect.NUL_IN_NAME, Defect.BAD_NAME_ENCODING),
    _kind(19, "punycode", "form", Place.EVERY, "its A-labels can be decoded", Defect.HOSTILE_PUNYCODE),
    _kind(14, "critical extensions", "critical extensions", Place.EVERY, "every critical extension is understood",
          Defect.UNKNOWN_CRITICAL),
    _kind(22, "serial and key identifiers", "profile", Place.EVERY, "serial number and key identifiers are sound",
          Defect.BAD_SERIAL, Defect.AKI_MISMATCH, idle="the profile's rules are left out"),
    _kind(0, "profile", "profile", Place.EVERY, "keeps the profile's other rules",
          Defect.PROFILE, Defect.LEAF_IS_CA, idle="the profile's rules are left out"),
    _kind(8, "basic constraints", "basic constraints", Place.ISSUER, "is a CA", Defect.ISSUER_NOT_CA),
    _kind(9, "path length", "path length", Place.ISSUER, "no more intermediate CAs than permitted",
          Defect.PATHLEN_EXCEEDED),
    _kind(10, "issuer key usage", "issuer key usage", Place.ISSUER, "its key may sign certificates",
          Defect.ISSUER_KEY_USAGE),
    _kind(12, "issuer purpose", "issuer purpose", Place.ISSUER, "may issue for this purpose", Defect.ISSUER_EKU,
          idle="no purpose is asked for, or its extendedKeyUsage names none"),
    _kind(11, "key usage", "key usage", Place.LEAF, "its key may take part in the key exchange",
          Defect.LEAF_KEY_USAGE),
    _kind(12, "purpose", "purpose", Place.LEAF, "meant for this purpose", Defect.WRONG_EKU, idle=_UNASKED),
    _kind(16, "name", "name", Place.LEAF, "speaks for the name that is meant", Defect.WRONG_NAME, Defect.NO_SAN,
          idle="no name is expected"),
    _kind(17, "wildcards", "name", Place.LEAF, "no wildcard but a whole leftmost label", Defect.BAD_WILDCARD,
          idle="no name is expected"),
    _kind(20, "end of the search", "search", Place.SEARCH, "the search ended within its budgets",
          Defect.PATH_CYCLE, Defect.PATH_BOMB),
)  # fmt: skip

SEARCH_COMPLETE = 21
"""The number of the check that the search is complete: what else was sent, sound or not, did no harm."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check of one certificate. certificate_index: 0 is the leaf; None where the step is no certificate's."""

    number: int
    name: str
    certificate_index: int | None
    subject: str
    outcome: Outcome
    text: str
    clause: str


@dataclass(frozen=True, slots=True)
class Record:
    """What the verifier did on one path, and the search around it: enough for the trace, which few ask for.

    titles: of the certificates, leaf first; ran: groups of checks with the index of the certificate they ran on; found:
    the defects of the path; notes: of the search; others: certificates that were sent and are not in the path.
    """

    titles: tuple[str, ...]
    ran: frozenset[tuple[str, int]]
    found: tuple[Found, ...]
    notes: tuple[Found, ...] = ()
    others: int = 0

    def steps(self) -> tuple[Step, ...]:
        """The checks of the path from its top down to the leaf in the order of execution, then those of the search."""
        faults: dict[int | None, list[Found]] = defaultdict(list)
        for fault in self.found:
            faults[fault.certificate_index].append(fault)
        steps = []
        for index in range(len(self.titles) - 1, -1, -1):
            for kind in KINDS:
                failed = [fault for fault in faults[index] if fault.defect in kind.defects]
                if failed or _applies(kind.place, index, len(self.titles) - 1):
                    steps.append(_step(kind, index, self.titles[index], (kind.group, index) in self.ran, failed))
        return (*steps, *self._search())

    def _search(self) -> tuple[Step, Step]:
        """That the search ended, and that it was complete."""
        (kind,) = (kind for kind in KINDS if kind.place is Place.SEARCH)
        ended = _step(kind, None, "", True, [note for note in self.notes if note.defect in kind.defects])
        if self.found:
            outcome, text = Outcome.NOT_RUN, "no path is sound"
        else:
            outcome = Outcome.PASSED
            text = f"{self.others} other certificates do no harm" if self.others else "all that was sent is used"
        clause = Defect.UNTRUSTED_ROOT.clause
        return ended, Step(SEARCH_COMPLETE, "extra certificates", None, "", outcome, text, clause)


def _applies(place: Place, index: int, top: int) -> bool:
    match place:
        case Place.TOP:
            return index == top
        case Place.BELOW:
            return index < top
        case Place.ISSUER:
            return index > 0
        case Place.LEAF:
            return index == 0
        case Place.SEARCH:
            return False
    return True


def _step(kind: Kind, index: int | None, title: str, ran: bool, failed: Sequence[Found]) -> Step:
    if failed:
        clause = failed[0].clause
        text = "; ".join(fault.explanation for fault in failed)
        return Step(kind.number, kind.name, index, title, Outcome.FAILED, text, clause)
    outcome, text = (Outcome.PASSED, kind.sentence) if ran else (Outcome.NOT_RUN, kind.idle)
    return Step(kind.number, kind.name, index, title, outcome, text, kind.clause)
