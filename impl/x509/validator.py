"""Validation of a chain: the builder proposes paths, the verifier judges them, the best one is the result.

A chain is accepted if at least one path from the leaf to a trust anchor has no defect; else the defects are those of
the path that is most nearly sound. Source: RFC 5280 section 6, RFC 9525 section 6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal

from shakeproof.impl.x509.builder import AnchorStore, Builder, Path
from shakeproof.impl.x509.certificate import Certificate, Malformed, NameKey, parse, printable
from shakeproof.impl.x509.checks import Record
from shakeproof.impl.x509.crl import Revocation, RevocationList
from shakeproof.impl.x509.names import Reference, read_reference
from shakeproof.impl.x509.policies import PolicyInputs
from shakeproof.impl.x509.result import Check, Defect, Found, Reading, Result, Usage
from shakeproof.impl.x509.verifier import SignatureBudget, Verifier

# Signatures verified in one validation. Go stops at 100 and so do we: honest chains need two to five, the hardest of
# BetterTLS' path building cases stay below it, and an RSA verification costs some 30 microseconds.
MAX_SIGNATURES = 100
# Certificates of one chain that are parsed: TLS itself allows 2**24 octets of them.
MAX_CERTIFICATES = 256
# Complete paths that are judged before the best of them stands.
MAX_VERIFIED_PATHS = 64

# Defects of the leaf alone: no other path could cure them, so that the search may end.
_OF_THE_LEAF = frozenset(
    {
        Defect.MALFORMED,
        Defect.BAD_VERSION,
        Defect.EXPIRED,
        Defect.NOT_YET_VALID,
        Defect.WRONG_EKU,
        Defect.LEAF_KEY_USAGE,
        Defect.LEAF_IS_CA,
        Defect.NO_SAN,
        Defect.WRONG_NAME,
        Defect.BAD_WILDCARD,
        Defect.NUL_IN_NAME,
        Defect.BAD_NAME_ENCODING,
        Defect.HOSTILE_PUNYCODE,
        Defect.UNKNOWN_CRITICAL,
        Defect.DUPLICATE_EXTENSION,
        Defect.SIGNATURE_ALGORITHM_MISMATCH,
        Defect.WEAK_KEY,
        Defect.EXPLICIT_CURVE,
        Defect.WEAK_HASH,
        Defect.BAD_SERIAL,
        Defect.PROFILE,
    }
)

_LEADS_NOWHERE = frozenset({Defect.UNTRUSTED_ROOT, Defect.SELF_SIGNED_LEAF, Defect.MISSING_INTERMEDIATE})


class Validator:
    """Validates chains against fixed trust anchors.

    anchors: DER certificates, of which unreadable ones are ignored; max_signatures: budget of one validation;
    max_intermediates: the initial max_path_length of RFC 5280 section 6.1.2 (k), None for the length of the path;
    with_profile: also refuse certificates that break the rules which bind their CA (profile.py);
    policies: what is demanded of certificate policies; crls: DER, asked about every certificate that they cover;
    require_status: a certificate that none of them covers is a defect too; key_usage: bits that the leaf's key needs,
    by their names in `cryptography`, None for any that fits some key exchange.
    """

    def __init__(
        self,
        anchors: Sequence[bytes],
        reading: Reading = Reading.RFC5280,
        *,
        usage: Usage | None = Usage.SERVER_AUTH,
        max_signatures: int = MAX_SIGNATURES,
        max_intermediates: int | None = None,
        with_profile: bool = True,
        policies: PolicyInputs = PolicyInputs(),  # noqa: B008 - frozen
        crls: Sequence[bytes] = (),
        require_status: bool = False,
        key_usage: frozenset[str] | None = None,
    ) -> None:
        self.reading = reading
        self.usage = usage
        self.max_signatures = max_signatures
        self.max_intermediates = max_intermediates
        self.with_profile = with_profile
        self.policies = policies
        self.require_status = require_status
        self.key_usage = key_usage
        self.crls, self.unreadable_crls = _readable_lists(crls, with_profile=with_profile)
        self.verifier_class: type[Verifier] = Verifier
        self.anchors = AnchorStore(item for item in map(_readable, anchors) if item is not None)

    def verifier(self, time: datetime, reference: Reference | None, budget: SignatureBudget) -> Verifier:
        """The verifier of one validation; override it, or verifier_class, to judge otherwise on this instance alone."""
        return self.verifier_class(
            time=time,
            reference=reference,
            reading=self.reading,
            usage=self.usage,
            budget=budget,
            max_intermediates=self.max_intermediates,
            with_profile=self.with_profile,
            policies=self.policies,
            key_usage=self.key_usage,
            require_status=self.require_status or bool(self.unreadable_crls),
        )

    def validate(self, chain: Sequence[bytes], time: datetime, reference_identity: str | None) -> Result:
        """The verdict on a chain.

        chain: DER, leaf first, the rest in any order; time: aware; reference_identity: host name or IP address, None
        where no name is expected, as of a client. Raises ValueError on a naive time; whatever the peer sent becomes
        a defect and never an exception.
        """
        if time.tzinfo is None:
            raise ValueError("expected an aware time, got one without a time zone: pass datetime.now(UTC) or similar")
        if not chain:
            return _unread(Defect.EMPTY, None, Defect.EMPTY.sentence)
        if len(chain) > MAX_CERTIFICATES:
            return _unread(
                Defect.PATH_BOMB, None, f"expected at most {MAX_CERTIFICATES} certificates, got {len(chain)}"
            )
        try:
            leaf = parse(chain[0])
        except Malformed as error:
            return _unread(error.defect, 0, f"{error.defect.sentence}: {printable(str(error))}")
        others = [_read(item) for item in chain[1:]]
        sent = [item for item in others if isinstance(item, Certificate)]
        budget = SignatureBudget(self.max_signatures)
        builder = Builder(leaf, sent, self.anchors, time, budget)
        reference = read_reference(reference_identity) if reference_identity is not None else None
        verifier = self.verifier(time, reference, budget)
        if self.crls or verifier.require_status:
            verifier.revocation = self._revocation(verifier, sent)
        result = self._best(builder, verifier)
        notes = [] if result.accepted else self._notes(builder, result, others)
        used = set(result.path)
        unused = sum(item not in used for item in set(chain))
        record = result.record and replace(result.record, notes=tuple(notes), others=unused)
        return replace(result, defects=(*result.defects, *notes), record=record)

    def _notes(self, builder: Builder, result: Result, others: Sequence[Certificate | Malformed]) -> list[Found]:
        """Strangers, garbage and circles do not matter to a chain that holds; for another they may be the reason."""
        notes = []
        unread: dict[Defect, int] = {}
        for place, item in enumerate(others, start=1):
            if isinstance(item, Malformed):
                unread.setdefault(item.defect, place)
        for defect, place in unread.items():
            text = f"certificate {place} of the chain cannot be parsed: {defect.sentence}"
            notes.append(Found(defect, None, "", defect.clause, text))
        if builder.cycle and result.kinds & _LEADS_NOWHERE:
            text = "the issuers that were sent certify one another in a circle, and none is certified by a trust anchor"
            notes.append(Found(Defect.PATH_CYCLE, None, "", Defect.PATH_CYCLE.clause, text))
        if builder.exhausted:
            budget = builder.budget
            text = f"the search for a path ended after {budget.spent} of at most {budget.limit} signatures"
            notes.append(Found(Defect.PATH_BOMB, None, "", Defect.PATH_BOMB.clause, text))
        return notes

    def _revocation(self, verifier: Verifier, sent: Sequence[Certificate]) -> Revocation:
        """The CRLs as one validation asks them: with what was sent and the anchors as their possible issuers."""

        def authorities(name: NameKey) -> Iterable[Certificate]:
            yield from (item for item in verifier.path if item.subject == name)
            yield from self.anchors.by_subject.get(name, ())
            yield from (item for item in sent if item.subject == name)

        def trusted(certificate: Certificate, anchor: Certificate) -> bool:
            """RFC 5280 section 6.3.3 (f): a path from the same trust anchor, which no CRL is asked about again."""
            if certificate.der == anchor.der:
                return True
            inner = Verifier(
                time=verifier.time,
                reference=None,
                reading=self.reading,
                usage=None,
                budget=verifier.budget,
                with_profile=False,
            )
            builder = Builder(certificate, sent, AnchorStore([anchor]), verifier.time, verifier.budget)
            result = self._best(builder, inner)
            return result.accepted

        return Revocation(self.crls, verifier.time, authorities, trusted)

    def _best(self, builder: Builder, verifier: Verifier) -> Result:
        """The result of the first path without a defect, else of the one with the fewest, of equals the first sent."""
        best: tuple[tuple[bool, int, tuple[int, ...]], Result] | None = None
        for count, path in enumerate(builder.paths(), start=1):
            result = _judge(path, verifier)
            if result.accepted:
                return result
            grade = (not path.anchored, len(result.defects), builder.positions(path))
            if best is None or grade < best[0]:
                best = grade, result
            if count >= MAX_VERIFIED_PATHS:
                builder.exhausted = True
                break
            if path.anchored and all(
                item.certificate_index == 0 and item.defect in _OF_THE_LEAF for item in result.defects
            ):
                break
        if best is not None:
            return best[1]
        return _judge(Path((builder.leaf,), False), verifier)


def validate(
    chain: Sequence[bytes],
    anchors: Sequence[bytes],
    time: datetime,
    reference_identity: str | None,
    *,
    reading: Reading = Reading.RFC5280,
    usage: Usage | None = Usage.SERVER_AUTH,
    max_signatures: int = MAX_SIGNATURES,
    max_intermediates: int | None = None,
    with_profile: bool = True,
    policies: PolicyInputs = PolicyInputs(),  # noqa: B008 - frozen
    crls: Sequence[bytes] = (),
    require_status: bool = False,
    key_usage: frozenset[str] | None = None,
) -> Result:
    """The verdict on one chain; the parameters are those of Validator and of its validate."""
    return Validator(
        anchors,
        reading,
        usage=usage,
        max_signatures=max_signatures,
        max_intermediates=max_intermediates,
        with_profile=with_profile,
        policies=policies,
        crls=crls,
        require_status=require_status,
        key_usage=key_usage,
    ).validate(chain, time, reference_identity)


def verifier_for_tls(validator: Validator) -> Callable[[Sequence[bytes], str, datetime], Result]:
    """What a TLS connection calls with (chain, reference name, time), leaf first.

    For servers' chains the usual Validator; for clients' chains one with Usage.CLIENT_AUTH, which holds the leaf to the
    key purpose clientAuth and, since a server expects nobody in particular, to no name.
    """

    def verify(chain: Sequence[bytes], reference_identity: str, time: datetime) -> Result:
        of_a_client = validator.usage is Usage.CLIENT_AUTH
        return validator.validate(chain, time, None if of_a_client else reference_identity)

    return verify


def leaf_usage_fits(leaf: bytes, key_exchange: Literal["rsa", "ecdhe"]) -> bool:
    """Whether the keyUsage of the leaf allows this key exchange; without the extension it allows both.

    Key transport needs keyEncipherment, a signed key exchange digitalSignature. An unreadable leaf fits nothing.
    Source: RFC 5246 section 7.4.2, RFC 5280 section 4.2.1.3.
    """
    try:
        certificate = parse(leaf)
    except Malformed:
        return False
    usage = certificate.key_usage
    if usage is None:
        return certificate.readable
    return usage.key_encipherment if key_exchange == "rsa" else usage.digital_signature


def _read(der: bytes) -> Certificate | Malformed:
    try:
        return parse(der)
    except Malformed as error:
        return error


def _readable(der: bytes) -> Certificate | None:
    item = _read(der)
    return item if isinstance(item, Certificate) else None


def _readable_lists(crls: Sequence[bytes], *, with_profile: bool) -> tuple[list[RevocationList], int]:
    """The lists that can be read, and how many cannot: nobody knows whom those revoke."""
    lists = []
    for der in crls:
        try:
            lists.append(RevocationList(der, with_profile=with_profile))
        except Malformed:
            continue
    return lists, len(crls) - len(lists)


def _judge(path: Path, verifier: Verifier) -> Result:
    found, checks = verifier.verify(path.certificates, anchored=path.anchored)
    ders = tuple(item.der for item in path.certificates)
    return Result(not found, tuple(found), ders, tuple(checks), verifier.record())


def _unread(defect: Defect, index: int | None, text: str) -> Result:
    check = Check("form", False, text, defect.clause)
    found = (Found(defect, index, "", defect.clause, text),)
    record = Record(("a certificate that cannot be read",), frozenset(), found) if index is not None else None
    return Result(False, found, (), (check,), record)
