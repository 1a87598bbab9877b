"""The builder: searches for the paths that lead from the leaf to a trust anchor, the most promising first.

Best-first search with backtracking over what the peer sent, in any order, with duplicates, strangers and cycles. It
judges nothing: each path goes to the verifier, and only if that finds a defect the search goes on. What the builder
looks at decides the order alone, so that a wrong guess costs time and never a verdict.

Source: RFC 5280 section 6.1 (a path is a sequence of certificates ...); RFC 4158 for how to search.
"""

from __future__ import annotations

import heapq
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shakeproof.impl.x509.certificate import Certificate, NameKey, key_ids_agree
from shakeproof.impl.x509.verifier import SignatureBudget

# Longest path with leaf and trust anchor. Chains of the web hold 3 to 5; cryptography allows 9, OpenSSL 101.
MAX_PATH_CERTIFICATES = 16
# Partial paths looked at in one validation: bounds the search where the signatures on all edges are good already.
MAX_PARTIAL_PATHS = 2_000

# Ranks: each visible flaw makes a path less promising; a signature that fails comes after everything else.
FLAW = 1
BROKEN = 1_000


@dataclass(frozen=True, slots=True)
class Path:
    """Certificates from the leaf on. anchored: the last is a trust anchor; else the path is a dead end."""

    certificates: tuple[Certificate, ...]
    anchored: bool


@dataclass(order=True, slots=True)
class _Partial:
    rank: int
    order: int  # first come, first served among equals; also spares the comparison of certificates
    certificates: tuple[Certificate, ...] = field(compare=False)
    anchored: bool = field(compare=False)


class AnchorStore:
    """Trust anchors by their subject. Anchors that cannot be parsed are left out and counted by the caller."""

    def __init__(self, anchors: Iterable[Certificate]) -> None:
        self.by_subject: dict[NameKey, list[Certificate]] = defaultdict(list)
        self.ders: set[bytes] = set()
        for anchor in anchors:
            if anchor.der not in self.ders:
                self.ders.add(anchor.der)
                self.by_subject[anchor.subject].append(anchor)


class Builder:
    """One search. exhausted says afterwards that a budget ended it; cycle that a circle of certificates was cut."""

    def __init__(
        self,
        leaf: Certificate,
        intermediates: Sequence[Certificate],
        anchors: AnchorStore,
        time: datetime,
        budget: SignatureBudget,
    ) -> None:
        self.leaf = leaf
        self.anchors = anchors
        self.time = time
        self.budget = budget
        self.by_subject: dict[NameKey, list[Certificate]] = defaultdict(list)
        seen = {leaf.der}
        for item in intermediates:
            if item.der not in seen:
                seen.add(item.der)
                self.by_subject[item.subject].append(item)
        presented = [leaf, *intermediates, *(item for group in anchors.by_subject.values() for item in group)]
        self._places = {der: place for place, der in enumerate(dict.fromkeys(item.der for item in presented))}
        self.exhausted = False
        self.cycle = False

    def paths(self) -> Iterator[Path]:
        """Paths in the order of promise: complete ones, and dead ends as they are met."""
        trusted = self.leaf.der in self.anchors.ders
        queue = [_Partial(0, 0, (self.leaf,), trusted)]
        taken = 0
        while queue:
            partial = heapq.heappop(queue)
            taken += 1
            if taken > MAX_PARTIAL_PATHS:
                self.exhausted = True
                return
            if partial.anchored:
                yield Path(partial.certificates, True)
                continue
            extended = False
            for following in self._extensions(partial, taken * _SPREAD):
                heapq.heappush(queue, following)
                extended = True
            if not extended:
                yield Path(partial.certificates, False)

    def positions(self, path: Path) -> tuple[int, ...]:
        """Where the certificates of a path were presented, the anchors behind what was sent: the order among equals."""
        return tuple(self._places.get(item.der, len(self._places)) for item in path.certificates)

    def _extensions(self, partial: _Partial, order: int) -> Iterator[_Partial]:
        """The partial path with each possible issuer of its last certificate on top."""
        last = partial.certificates[-1]
        if len(partial.certificates) >= MAX_PATH_CERTIFICATES:
            self.exhausted = True
            return
        for issuer, anchored in self._candidates(last):
            if any(_same_authority(issuer, item) for item in partial.certificates):
                self.cycle = self.cycle or issuer.der != last.der
                continue
            rank = partial.rank + self._flaws(issuer, last)
            if not self.budget.affords(issuer, last):
                self.exhausted = True
                return
            named = issuer.subject == last.issuer
            if not self.budget.verifies(issuer, last):
                if not named or not key_ids_agree(issuer, last):
                    continue  # another CA of the same name, or the same with another key
                rank += BROKEN
            elif not named:
                rank += BROKEN
            order += 1
            yield _Partial(rank, order, (*partial.certificates, issuer), anchored)

    def _candidates(self, certificate: Certificate) -> Iterator[tuple[Certificate, bool]]:
        wanted = certificate.issuer
        found = [(item, True) for item in self.anchors.by_subject.get(wanted, ())]
        sent = self.by_subject.get(wanted, ())
        found += [(item, False) for item in sent if item.der not in self.anchors.ders]
        if not found and not certificate.self_issued:
            return self._holders_of_the_key(certificate)
        # By key identifier first: it costs nothing, a signature costs much, and hostile chains offer many candidates.
        found.sort(key=lambda item: not key_ids_agree(item[0], certificate))
        return iter(found)

    def _holders_of_the_key(self, certificate: Certificate) -> Iterator[tuple[Certificate, bool]]:
        """Whoever has the key that the certificate names, under another name than it names: no such path is sound, and
        that the names do not chain says more than that there is no issuer.
        """
        wanted = certificate.authority.key_identifier if certificate.authority else None
        if wanted is None:
            return
        for groups, anchored in ((self.anchors.by_subject, True), (self.by_subject, False)):
            for item in itertools.chain.from_iterable(groups.values()):
                if item.subject_key_id == wanted and (anchored or item.der not in self.anchors.ders):
                    yield item, anchored

    def _flaws(self, issuer: Certificate, certificate: Certificate) -> int:
        return FLAW * (
            (not issuer.not_before <= self.time <= issuer.not_after)
            + (not issuer.ca)
            + (issuer.key_usage is not None and not issuer.key_usage.key_cert_sign)
            + bool(certificate.broken_hash)
            + bool(issuer.flaws)
            + (not key_ids_agree(issuer, certificate))
        )


_SPREAD = 1 << 20  # keeps the order numbers of two expansions apart


def _same_authority(one: Certificate, other: Certificate) -> bool:
    """The same name with the same key: a path that meets it twice goes in a circle (CVE-2024-0567)."""
    return one.subject == other.subject and one.raw.key_info == other.raw.key_info
