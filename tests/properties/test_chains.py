"""The factory of chains: what was put in is what a validator finds, singly and in pairs, and what others make of it."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.impl.x509 import Defect, Result, Usage, Validator
from shakeproof.properties.chains import opinion
from shakeproof.properties.chains.draft import Draft, sound
from shakeproof.properties.chains.extras import BOMBS, PLAIN, TWINS, besides, bomb, twin
from shakeproof.properties.chains.faults import APART, FAULTS, ONE_ABOVE, Fault
from shakeproof.properties.chains.plans import (
    HOST,
    MAX_DEPTH,
    Built,
    NoSuchPlanError,
    Plan,
    build,
    clash,
    cured,
    expected,
    pairs,
    placed,
    texts,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
DEPTHS = range(MAX_DEPTH + 1)
EVERY_PAIR = [(depth, pair) for depth in range(3) for pair in pairs(depth)]
CHECKS_ELSEWHERE = {21: "extras.py: other certificates do no harm"}
DEFECTS_ELSEWHERE = {
    "EMPTY": "no chain at all",
    "LEAF_IS_CA": "of the web's reading alone",
    "PATH_BOMB": "bombs, in extras.py",
    "MISSING_INTERMEDIATE": "what a path that ends at the leaf is called, whatever ended it",
}


def judge(built: Built, at: datetime = NOW) -> Result:
    usage = Usage.CLIENT_AUTH if built.plan.client else Usage.SERVER_AUTH
    name = None if built.plan.client else built.host
    return Validator(built.anchors, usage=usage, crls=built.crls).validate(built.chain, at, name)


def found(plan: Plan) -> set[str]:
    return {defect.name for defect in judge(build(plan, NOW)).kinds}


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
@pytest.mark.parametrize("client", [False, True])
def test_every_single_fault_is_recovered_at_every_place(kind: str, client: bool) -> None:
    wrong = []
    for depth in DEPTHS if kind == "ecdsa" and not client else (0, 2):
        for one in ("", *texts(depth, kind)):  # type: ignore[arg-type]
            plan = Plan(depth, (one,) if one else (), kind, client)  # type: ignore[arg-type]
            if found(plan) != expected(plan):
                wrong.append((plan, found(plan), expected(plan)))
    assert wrong == []


@settings(max_examples=300)
@given(st.sampled_from(EVERY_PAIR))
def test_every_two_faults_that_can_stand_together_are_recovered(one: tuple[int, tuple[str, str]]) -> None:
    plan = Plan(one[0], one[1])
    assert found(plan) == expected(plan)


@pytest.mark.slow
def test_all_pairs_of_faults_are_recovered() -> None:
    wrong = [one for one in EVERY_PAIR if found(Plan(*one)) != expected(Plan(*one))]
    assert wrong == []


def test_every_check_and_every_defect_has_a_fault() -> None:
    numbers = {fault.number for fault in FAULTS.values()} | set(CHECKS_ELSEWHERE)
    assert numbers - {0} == set(range(1, 25))
    given_ = {name for fault in FAULTS.values() for name in (*fault.gives, *fault.on_issuer)}
    assert given_ | set(DEFECTS_ELSEWHERE) == {defect.name for defect in Defect}
    assert not given_ & set(DEFECTS_ELSEWHERE)


def test_every_fault_finds_a_place_and_gives_something_or_is_a_quirk() -> None:
    quirks = {fault.name for fault in FAULTS.values() if not (fault.gives or fault.ends)}
    assert len(quirks) >= 8
    for fault in FAULTS.values():
        place = next(place for depth in DEPTHS for place in fault.places(depth))
        depth = max(place - (fault.where.name == "ROOT"), 1)
        plan = Plan(depth, (text(fault, place),))
        assert bool(expected(plan)) == (fault.name not in quirks)


@pytest.mark.parametrize(("table", "up"), [(APART, 0), (ONE_ABOVE, 1)])
def test_faults_that_stand_apart_really_hide_one_another(table: dict[tuple[str, str], str], up: int) -> None:
    """Each exclusion is needed: without it, the two together would not give what they give one by one."""
    depth = 2
    for one, other in table:
        upper = placed(other if FAULTS[other].where.name == "ROOT" else f"{other}@{1 + up}", depth)
        lower = placed(f"{one}@{upper[1] - up}", depth)
        assert clash(lower, upper, depth) == clash(upper, lower, depth) == table[one, other]
        draft = sound(NOW, HOST, depth)
        for fault, place in (lower, upper):
            fault.make(draft, place)
        alone = {name for fault, place in (lower, upper) for name in expected(Plan(depth, (text(fault, place),)))}
        assert seen(draft) != alone, (one, other)


def text(fault: Fault, place: int) -> str:
    return fault.name if fault.where.name in ("ROOT", "LEAF") else f"{fault.name}@{place}"


def seen(draft: Draft) -> set[str]:
    *chain, root = [draft.write(place) for place in range(draft.top + 1)]
    anchors = draft.anchors or [root]
    crls = [crl.write(draft) for crl in draft.crls]
    return {defect.name for defect in Validator(anchors, crls=crls).validate(chain, NOW, HOST).kinds}


def test_a_plan_that_cannot_be_says_why() -> None:
    for plan, why in (
        (Plan(1, ("flat-tyre",)), "no such fault"),
        (Plan(1, ("expired@7",)), "finds no place"),
        (Plan(0, ("missing",)), "finds no place"),
        (Plan(9), "expected 0 to 3 intermediate CAs"),
        (Plan(1, ("expired@0", "expired@0")), "one is enough"),
        (Plan(1, ("nul", "punycode")), "both set names"),
        (Plan(1, ("bad-signature@0", "other-key-id@0")), "another CA's"),
        (Plan(1, ("no-digest@0",), "rsa"), "no RSA key"),
    ):
        with pytest.raises(NoSuchPlanError, match=why):
            assert plan.placed


def test_times_are_relative_to_the_moment_that_is_given() -> None:
    then = datetime(2051, 1, 1, tzinfo=UTC)
    plan = Plan(2, ("expired@1",))
    assert {defect.name for defect in judge(build(plan, then), then).kinds} == {"ISSUER_EXPIRED"}
    assert judge(build(Plan(2), then), then).accepted, "GeneralizedTime from 2050 on"


@pytest.mark.parametrize("name", ["expired", "not-yet-valid"])
def test_chain_out_of_its_validity_is_so_by_more_than_a_clock_is_off(name: str) -> None:
    """NSS allows for a day, and was accused of taking a chain that began a day later."""
    built = build(Plan(2, (f"{name}@1",)), NOW)
    assert not any(judge(built, NOW + timedelta(days=days)).accepted for days in (-2, 0, 2))


def test_the_octets_of_a_chain_are_fixed() -> None:
    octets = b"".join(build(Plan(2, ("sha1@1", "nul")), NOW).chain)
    assert hashlib.sha256(octets).hexdigest() == "a5511544b2530d65a34325b488c2507fec9046af17130466943fe7ae6df11bad"


def test_a_sound_chain_is_one_that_cryptography_reads_and_builds_alike() -> None:
    leaf, issuer = map(x509.load_der_x509_certificate, build(Plan(1), NOW).chain)
    leaf.verify_directly_issued_by(issuer)
    assert isinstance(leaf.public_key(), ec.EllipticCurvePublicKey)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=90)


# --------------------------------------------------------------------------------------------------------- forgeries


def test_forged_signatures_are_what_lenient_verifiers_would_take() -> None:
    """The cube is the digest with garbage behind it; the signature of no digest verifies for zero."""
    chain = build(Plan(1, ("cube-root@0",)), NOW).chain
    leaf, issuer = map(x509.load_der_x509_certificate, chain)
    public = issuer.public_key()
    numbers = public.public_numbers()  # type: ignore[union-attr]
    block = pow(int.from_bytes(leaf.signature, "big"), 3, numbers.n).to_bytes(256, "big")  # type: ignore[union-attr]
    assert block.startswith(b"\x00\x01" + b"\xff" * 8 + b"\x00")
    assert hashlib.sha256(leaf.tbs_certificate_bytes).digest() in block


# ------------------------------------------------------------------------------------------------- what comes besides


@pytest.mark.parametrize("depth", [1, 3])
def test_nothing_that_is_sent_besides_spoils_a_sound_chain(depth: int) -> None:
    plan = Plan(depth)
    built = build(plan, NOW)
    extras = [*PLAIN, *(f"{name}@{place}" for name in TWINS for place in range(1, depth + 1))]
    for extra in extras:
        if extra.startswith("copy-") and int(extra[-1]) > depth:
            continue
        more = besides(plan, built, extra, NOW)
        validator = Validator(built.anchors)
        assert validator.validate([built.chain[0], more, *built.chain[1:]], NOW, built.host).accepted, extra


@pytest.mark.parametrize("name", [name for name in TWINS if name not in ("untrusted-twin", "circle", "namesake")])
def test_a_flawed_twin_alone_is_refused(name: str) -> None:
    built = build(Plan(1), NOW)
    result = Validator(built.anchors).validate([built.chain[0], twin(Plan(1), 1, name, NOW)], NOW, built.host)
    assert len(result.kinds) == 1


def test_a_sound_twin_cures_what_is_wrong_with_an_issuer_and_nothing_else() -> None:
    for depth in (1, 2):
        for one in texts(depth):
            plan = Plan(depth, (one,))
            built = build(plan, NOW)
            for place in range(1, depth + 1):
                chain = [*built.chain, twin(plan, place, "sound-twin", NOW)]
                result = Validator(built.anchors, crls=built.crls).validate(chain, NOW, built.host)
                assert result.accepted == cured(plan, place), (plan, place, result.explanation)


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_bomb_is_an_honest_chain_and_a_large_one_is_not_forgiven(name: str) -> None:
    small = judge(bomb(name, 1, NOW))
    assert small.accepted or name == "mesh"
    large = judge(bomb(name, 120, NOW))
    assert "PATH_BOMB" in {defect.name for defect in large.kinds} or large.accepted


# ------------------------------------------------------------------------------------------------- a second opinion


def test_every_difference_with_cryptography_that_is_listed_exists() -> None:
    """A reason that no chain needs would hide a mistake one day."""
    for table, theirs, clients in ((opinion.TOLERATED, True, False), (opinion.REFUSED, False, True)):
        for name in table:
            differs = {
                opinion.accepts(build(plan, NOW), NOW) is theirs and judge(build(plan, NOW)).accepted is not theirs
                for client in ({clients, True})
                for plan in [Plan(1, (text(FAULTS[name], 0),), client=client)]
            }
            assert True in differs, name


def test_verdicts_are_those_of_cryptography_but_for_the_listed_differences() -> None:
    for depth in (0, 2):
        for client in (False, True):
            for one in texts(depth):
                plan = Plan(depth, (one,), client=client)
                built = build(plan, NOW)
                ours, theirs = judge(built).accepted, opinion.accepts(built, NOW)
                assert ours == theirs or opinion.difference(plan, ours, theirs), plan
