"""The Hypothesis machine of our certificate validation: chains of the factory, whose defects are known.

Each step is a chain of its own, whatever came before. What is expected comes from the faults that were put in
(properties/chains), never from a validator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shakeproof.impl.x509 import Outcome, Result, Usage, Validator, Verifier
from shakeproof.impl.x509.names import Reference
from shakeproof.impl.x509.verifier import SignatureBudget
from shakeproof.model.trace import Check, Kind, Lane, Line, Phase, Trace, number_steps
from shakeproof.model.trace import Step as TraceStep
from shakeproof.properties.chains import opinion
from shakeproof.properties.chains.draft import BEGAN_DAYS, ENDS_DAYS
from shakeproof.properties.chains.extras import BOMBS, PLAIN, TWINS, besides, bomb, in_order, twin
from shakeproof.properties.chains.faults import FAULTS
from shakeproof.properties.chains.plans import (
    MAX_DEPTH,
    Built,
    NoSuchPlanError,
    Plan,
    build,
    clash,
    cured,
    expected,
    placed,
    texts,
)
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.recorded import Arguments, RecordedMachine, Step, Tally, beginning, recorded, step
from shakeproof.properties.safety import (
    CHAIN_AGREED,
    CHAIN_BUDGET,
    CHAIN_CLOCK,
    CHAIN_DAMAGE,
    CHAIN_JUDGED,
    CHAIN_UNMOVED,
    CLEAN_FAILURE,
    Crashed,
    Deviated,
    Disagreed,
    PropertyViolation,
    RefusedValid,
    Unadvised,
    WentOn,
)
from shakeproof.properties.targets.ours import NOW

BUDGET = 100
"""Signatures that one chain may cost, whatever is sent: what Go allows, too."""

MOST_FAULTS = 3
MOST_EXTRAS = 4
BOMB_SIZES = (2, 15, 120)
PICKS = st.integers(0, 9_999)
"""Which of what finds a place in the chain, so that every number means something whatever the depth."""

UNREADABLE_NAMES = ("", "*", "a b.test", "-.test", "www..test")
"""Reference identities that no certificate can match."""

SECONDS = (-1, 0, 1)


class Counting(Validator):
    """A validator that shows what it spent."""

    budget: SignatureBudget | None = None

    def verifier(self, time: datetime, reference: Reference | None, budget: SignatureBudget) -> Verifier:
        """Keeps the budget."""
        self.budget = budget
        return super().verifier(time, reference, budget)


class ChainMachine(RecordedMachine):
    """Our validator, and chains whose defects are known."""

    restarts_from = 1
    summary = "our certificate validation before chains whose defects are known"

    def __init__(self, rogue: str = "", **options: Any) -> None:
        super().__init__(rogue, **options)
        self.depth, self.client = 1, False
        self.kind: KeyKind = "ecdsa"
        self.judged: tuple[Plan, Built, Result] | None = None

    @property
    def is_open(self) -> bool:
        """A validator always is."""
        return True

    def take(self, method: Step, arguments: Arguments) -> None:
        """One step; a call that stands for another one counts once."""
        super().take(method, arguments)
        self.met_open = False

    def restarts(self) -> Iterator[list[tuple[str, Arguments]]]:
        """The last chain with fewer intermediate CAs, and of the plainest kind: places go down with the depth."""
        name, arguments = self.calls[-1]
        plain = {"kind": "ecdsa", "client": False}, {"kind": self.kind, "client": False}, dict(self.calls[0][1])
        for depth in range(self.depth + 1):
            for kept in plain:
                configured = {**kept, "depth": depth}
                for down in range(self.depth - depth, -1, -1):
                    moved = {key: lowered(value, depth, down) for key, value in arguments.items()}
                    yield [("configure", configured), (name, moved)]

    @beginning(depth=st.integers(0, MAX_DEPTH), kind=st.sampled_from(("ecdsa", "ecdsa", "ecdsa", "rsa")),
               client=st.sampled_from((False, False, False, True)))  # fmt: skip
    def configure(self, *, depth: int, kind: KeyKind = "ecdsa", client: bool = False) -> None:
        """The chains to come. depth: intermediate CAs; kind: of all keys; client: chains of clients."""
        self.depth, self.kind, self.client = depth, kind, client

    @classmethod
    def graver(cls, calls: Sequence[tuple[str, Arguments]]) -> Iterator[list[tuple[str, Arguments]]]:
        """Each fault alone: beside another one, to overlook it is only to miss a defect of several."""
        name, arguments = calls[-1]
        for fault in arguments.get("faults", ()):
            yield [calls[0], ("judge", {"faults": (fault,)})]
        yield [calls[0], (name, {**arguments, "faults": ()} if "faults" in arguments else arguments)]

    # --------------------------------------------------------------------------------------------------------- rules

    @step(picks=st.lists(PICKS, max_size=MOST_FAULTS).map(tuple))
    def chain(self, *, picks: tuple[int, ...]) -> None:
        """A chain with whichever faults the numbers mean, as a call that names them."""
        self.instead()
        self.judge(faults=self.picked(picks))

    @recorded
    def judge(self, *, faults: tuple[str, ...]) -> None:
        """A chain with these faults: refused for exactly those defects, accepted where there are none."""
        plan = self.plan(faults)
        self.tally.tried.add(plan)
        self.check_alone(plan)

    @classmethod
    def rest(cls, tally: Tally) -> Iterator[list[tuple[str, Arguments]]]:
        """Every fault alone at every place, as far as no run has come to it."""
        index, parts = tally.share
        plans = [Plan(depth, (text,)) for depth in range(MAX_DEPTH + 1) for text in texts(depth)]
        for plan in plans[index::parts]:
            if plan not in tally.tried:
                yield [("configure", {"depth": plan.depth}), ("judge", {"faults": plan.faults})]

    def check_alone(self, plan: Plan) -> None:
        """What is said of the chain by itself. Rules look at that first, so that what they add is what they show."""
        built = build(plan, NOW)
        wanted = expected(plan)
        result = self.validate(plan, built, built.chain)
        got = names_of(result)
        clause = clause_of(plan)
        if result.accepted and wanted:
            text = f"accepted a chain with {listed(wanted)}; expected it to be refused"
            raise_for(self, WentOn(text, property=CHAIN_JUDGED, clause=clause))
        elif not result.accepted and not wanted:
            text = f"refused a chain without a defect for {listed(got)}; expected it to be accepted"
            raise_for(self, RefusedValid(text, property=CHAIN_JUDGED, clause=clause))
        elif got != wanted:
            text = f"found {listed(got)} in a chain; expected {listed(wanted)}"
            raise_for(self, Deviated(text, property=CHAIN_JUDGED, clause=clause))
        theirs = opinion.accepts(built, NOW)
        if theirs != result.accepted and not opinion.difference(plan, result.accepted, theirs):
            verdicts = {True: "accepts", False: "refuses"}
            text = (
                f"{verdicts[result.accepted]} a chain that cryptography {verdicts[theirs]}; expected the same verdict, "
                f"or a reason among the differences in properties/chains/opinion.py"
            )
            raise_for(self, Disagreed(text, property=CHAIN_AGREED, clause=clause))

    @step(picks=st.lists(PICKS, max_size=MOST_FAULTS).map(tuple),
          more=st.lists(PICKS, min_size=1, max_size=MOST_EXTRAS).map(tuple), order=st.integers(0, 99))  # fmt: skip
    def crowd(self, *, picks: tuple[int, ...], more: tuple[int, ...], order: int) -> None:
        """A chain among other certificates, whichever the numbers mean, as a call that names them."""
        self.instead()
        faults = self.picked(picks)
        known = [*PLAIN, *(f"{name}@{place}" for name in TWINS for place in range(1, self.depth + 1))]
        extras = tuple(dict.fromkeys(known[number % len(known)] for number in more))
        self.search(faults=faults, extras=extras, order=order)

    @recorded
    def search(self, *, faults: tuple[str, ...], extras: tuple[str, ...], order: int = 0) -> None:
        """A chain with these faults among other certificates, in that order: the verdict is the same."""
        plan = self.plan(faults)
        self.check_alone(plan)
        built = build(plan, NOW)
        wanted = expected(plan)
        more: list[bytes] = []
        for extra in extras:
            try:
                more.append(besides(plan, built, extra, NOW))
            except NoSuchPlanError:
                if extra not in PLAIN:
                    raise
        result = self.validate(plan, built, in_order((*built.chain, *more), order))
        clause = "RFC 5280 section 6.1"
        if result.accepted and wanted:
            text = f"accepted a chain with {listed(wanted)}, since {listed(extras)} came with it"
            raise_for(self, WentOn(text, property=CHAIN_UNMOVED, clause=clause_of(plan)))
        elif not result.accepted and not wanted:
            text = f"refused a sound chain for {listed(names_of(result))}, since {listed(extras)} came with it"
            raise_for(self, RefusedValid(text, property=CHAIN_UNMOVED, clause=clause))
        elif set(extras) <= set(PLAIN):
            got = names_of(result) - ({"MALFORMED"} if "garbage" in extras else frozenset())
            if got != wanted - ({"MALFORMED"} if "garbage" in extras else frozenset()):
                text = f"found {listed(got)}, since {listed(extras)} came with it; expected {listed(wanted)}"
                raise_for(self, Deviated(text, property=CHAIN_UNMOVED, clause=clause))

    @step(picks=st.lists(PICKS, max_size=2).map(tuple), place=st.integers(1, MAX_DEPTH))
    def twinned(self, *, picks: tuple[int, ...], place: int) -> None:
        """A chain and a sound twin of one of its CAs, whichever the numbers mean, as a call that names them."""
        self.instead()
        if self.depth:
            self.cure(faults=self.picked(picks, near=1 + place % self.depth), place=1 + place % self.depth)

    @recorded
    def cure(self, *, faults: tuple[str, ...], place: int) -> None:
        """A chain with these faults, and a sound twin of the issuer at that place: one sound path is enough."""
        plan = self.plan(faults)
        self.check_alone(plan)
        wanted = cured(plan, place)
        built = build(plan, NOW)
        result = self.validate(plan, built, (*built.chain, twin(plan, place, "sound-twin", NOW)))
        if result.accepted and not wanted:
            text = f"accepted a chain with {listed(expected(plan))} on every path"
            raise_for(self, WentOn(text, property=CHAIN_JUDGED, clause=clause_of(plan)))
        elif not result.accepted and wanted:
            text = f"refused for {listed(names_of(result))} a chain of which one path is sound"
            raise_for(self, RefusedValid(text, property=CHAIN_JUDGED, clause="RFC 5280 section 6.1"))

    @step(pick=PICKS, place=st.integers(0, MAX_DEPTH + 1), end=st.booleans(), seconds=st.sampled_from(SECONDS))
    def moment(self, *, pick: int, place: int, end: bool, seconds: int) -> None:
        """A chain at an end of one of its periods, as a call that names its fault."""
        self.instead()
        known = ["", *(text for text in texts(self.depth, self.kind) if is_timeless(text))]
        fault = known[pick % len(known)]
        self.clock(faults=(fault,) if fault else (), place=place % (self.depth + 2), end=end, seconds=seconds)

    @recorded
    def clock(self, *, faults: tuple[str, ...], place: int, end: bool, seconds: int) -> None:
        """A chain so many seconds after the beginning or the end of the period of the certificate at that place."""
        plan = self.plan(faults)
        self.check_alone(plan)
        built = build(plan, NOW)
        # Each certificate lasts a day longer than the one below it, on both sides.
        days = ENDS_DAYS + place if end else -BEGAN_DAYS - place
        at = NOW + timedelta(days=days, seconds=seconds)
        wanted = set(expected(plan))
        for number in range(plan.depth + 2):
            of = "ISSUER_" if number else ""
            if at > NOW + timedelta(days=ENDS_DAYS + number):
                wanted.add(of + "EXPIRED")
            if at < NOW - timedelta(days=BEGAN_DAYS + number):
                wanted.add(of + "NOT_YET_VALID")
        result = self.validate(plan, built, built.chain, at=at)
        if names_of(result) != wanted:
            which = f"{seconds:+} s from the {'end' if end else 'beginning'} of the period of certificate {place}"
            text = f"found {listed(names_of(result))} {which}; expected {listed(wanted)}"
            kind = WentOn if result.accepted else RefusedValid if not wanted else Deviated
            raise_for(self, kind(text, property=CHAIN_CLOCK, clause="RFC 5280 section 4.1.2.5"))

    @step(place=st.integers(0, MAX_DEPTH), at=st.integers(0, 2047), mask=st.integers(1, 255))
    def damage(self, *, place: int, at: int, mask: int) -> None:
        """A sound chain with the bits of the mask flipped in one octet of the certificate at that place."""
        if not 0 < mask < 256:
            raise NoSuchPlanError(f"expected a mask of 1 to 255, got {mask}")
        plan = self.plan(())
        built = build(plan, NOW)
        place %= len(built.chain)
        whole = bytearray(built.chain[place])
        whole[at % len(whole)] ^= mask
        chain = (*built.chain[:place], bytes(whole), *built.chain[place + 1 :])
        if self.validate(plan, built, chain, kind="damaged").accepted:
            text = f"accepted a chain of which octet {at % len(whole)} of certificate {place} was changed"
            raise_for(self, WentOn(text, property=CHAIN_DAMAGE, clause="RFC 5280 section 6.1.3 (a)(1)"))

    @step(name=st.sampled_from(tuple(BOMBS)), size=st.sampled_from(BOMB_SIZES))
    def arm(self, *, name: str, size: int) -> None:
        """A path bomb, once in all runs: nothing about it changes, and it costs more than a chain does."""
        self.instead()
        if (name, size) not in self.tally.tried:
            self.tally.tried.add((name, size))
            self.explode(name=name, size=size)

    @recorded
    def explode(self, *, name: str, size: int) -> None:
        """A path bomb: whatever the verdict, it comes within the budget."""
        built = bomb(name, size, NOW)
        validator = self.validator(built)
        self.validate(built.plan, built, built.chain, validator=validator, kind="explosive")
        spent = validator.budget.spent if validator.budget else 0
        if spent > BUDGET:
            text = f"verified {spent} signatures before it gave up the search; expected at most {BUDGET}"
            raise_for(self, Unadvised(text, property=CHAIN_BUDGET, clause="RFC 5280 section 6.1"))

    @step(reference=st.sampled_from(UNREADABLE_NAMES))
    def unnamed(self, *, reference: str) -> None:
        """A sound chain of a server, where the name that is meant is none."""
        plan = Plan(self.depth, (), self.kind)
        built = build(plan, NOW)
        if self.validate(plan, built, built.chain, reference=reference).accepted:
            text = (
                f"accepted a chain for the name {reference!r}, which no certificate can have; expected it to be refused"
            )
            raise_for(self, WentOn(text, property=CHAIN_JUDGED, clause="RFC 9525 section 6.1"))

    # ----------------------------------------------------------------------------------------------------- validating

    def plan(self, faults: tuple[str, ...]) -> Plan:
        """The chain with these faults. Raises NoSuchPlanError where they find no place."""
        plan = Plan(self.depth, tuple(faults), self.kind, self.client)
        assert plan.placed is not None
        return plan

    def picked(self, picks: tuple[int, ...], near: int | None = None) -> tuple[str, ...]:
        """The faults that numbers mean, without those that cannot stand beside one before. near: only those there."""
        known = texts(self.depth, self.kind)
        if near is not None:
            known = [text for text in known if text.endswith(f"@{near}")]
        chosen: list[str] = []
        for number in picks:
            text = known[number % len(known)]
            one = placed(text, self.depth)
            if not any(clash(one, placed(other, self.depth), self.depth) for other in chosen):
                chosen.append(text)
        return tuple(chosen)

    def validator(self, built: Built) -> Counting:
        """Ours, with the planted fault."""
        usage = Usage.CLIENT_AUTH if built.plan.client else Usage.SERVER_AUTH
        validator = Counting(built.anchors, usage=usage, crls=built.crls)
        if self.rogue is not None and self.rogue.validator is not None:
            self.rogue.validator(validator)
        return validator

    def validate(
        self,
        plan: Plan,
        built: Built,
        chain: tuple[bytes, ...],
        *,
        at: datetime = NOW,
        reference: str | None = None,
        validator: Counting | None = None,
        kind: str = "",
    ) -> Result:
        """What ours says of a chain. Raises Crashed for an exception."""
        self.meet()
        self.reach(f"{kind or ('defective' if expected(plan) else 'sound')} chains")
        validator = validator or self.validator(built)
        name = reference if reference is not None else None if plan.client else built.host
        try:
            result = validator.validate(chain, at, name)
        except Exception as error:  # whatever it is: a peer must not be able to cause it
            text = f"validating a chain raised {type(error).__name__}: {error}; expected a verdict"
            raise_for(self, Crashed(text, property=CLEAN_FAILURE, clause="RFC 5280 section 6"))
            raise
        self.judged = plan, built, result
        return result

    def trace(self, title: str) -> Trace:
        """The last chain, and every check of it."""
        if self.judged is None:
            raise ValueError("no chain was validated")
        plan, _, result = self.judged
        verdict = "accepted" if result.accepted else "refused"
        lanes = Lane("tester", "tester", "the certificate factory", "tester"), Lane("validator", "validator", "ours")
        steps = (
            TraceStep(
                1, Kind.MESSAGE, "tester", "validator", "tls", "Certificate", phase="cert", facts=plan.faults,
                defect=plan.faults, detail=f"{plan.depth} intermediate CAs, {plan.kind}",
            ),
            *(
                TraceStep(
                    number, Kind.ACTION, "validator", title=f"checks {title}", phase="cert",
                    lines=failed or (Line("every check", Check.PASSED),),
                )
                for number, (title, failed) in enumerate(failed_checks(result), start=2)
            ),
            TraceStep(99, Kind.ACTION, "validator", title=f"the chain is {verdict}", phase="cert"),
        )  # fmt: skip
        return Trace(title, lanes, number_steps(steps), (Phase("cert", "Certificate", "cert", "RFC 5280, RFC 9525"),))


def failed_checks(result: Result) -> list[tuple[str, tuple[Line, ...]]]:
    """The certificates of the path, its top first, each with the checks that failed; the search last."""
    found: dict[tuple[int | None, str], list[Line]] = {}
    for one in result.trace:
        lines = found.setdefault((one.certificate_index, one.subject or "the search"), [])
        if one.outcome is Outcome.FAILED:
            lines.append(Line(f"{one.name}: {one.text}", Check.FAILED))
    return [(title, tuple(lines)) for (_, title), lines in found.items()]


def raise_for(machine: ChainMachine, violation: PropertyViolation) -> None:
    """Object; where such a violation is passed over, go on."""
    machine.object_to(violation, apart=True)


def names_of(result: Result) -> frozenset[str]:
    """The defects by name."""
    return frozenset(defect.name for defect in result.kinds)


def listed(names: Iterable[str]) -> str:
    """Names in a sentence."""
    return ", ".join(sorted(names)) or "no defect"


def clause_of(plan: Plan) -> str:
    """The clause of the first fault."""
    clauses = (fault.clause for fault, _ in plan.placed if fault.gives or fault.ends)
    return next(clauses, "RFC 5280 section 6")


def lowered(value: object, depth: int, down: int) -> object:
    """Names with their places so much lower, though no lower than the first issuer's."""
    if not isinstance(value, tuple):
        return value
    texts_ = []
    for text in value:
        name, at, place = text.partition("@")
        texts_.append(f"{name}@{min(depth, max(1, int(place) - down))}" if at and place != "0" else text)
    return tuple(dict.fromkeys(texts_))


def is_timeless(text: str) -> bool:
    """Whether the fault is there whatever the time, on a path that is whole."""
    fault = FAULTS[text.partition("@")[0]]
    return fault.number not in (5, 24) and not fault.ends
