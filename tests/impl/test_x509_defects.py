"""What the validator got wrong before the factory of chains was held against it, each as a test of its own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shakeproof.impl.x509 import Defect, Result, Validator
from shakeproof.properties.chains.plans import Built, Plan, build

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def judge(built: Built) -> Result:
    return Validator(built.anchors, crls=built.crls).validate(built.chain, NOW, built.host)


@pytest.mark.parametrize(("depth", "place"), [(0, 0), (1, 0), (1, 1), (2, 1)])
def test_an_issuer_of_another_name_that_holds_the_key_breaks_the_chain_of_names(depth: int, place: int) -> None:
    """It was called a missing issuer: they were looked for by name alone, so that section 6.1.3 (a)(4) never failed."""
    result = judge(build(Plan(depth, (f"other-issuer-name@{place}",)), NOW))
    assert [(found.defect, found.certificate_index) for found in result.defects] == [(Defect.NAME_CHAIN_BROKEN, place)]
    assert result.alert == "unknown_ca"
    assert len(result.path) == depth + 2


@pytest.mark.parametrize("place", [0, 1])
def test_ecdsa_with_sha1_is_weak_and_not_forged(place: int) -> None:
    """cryptography gives no parameters for it, which was taken for a signature that does not verify."""
    assert judge(build(Plan(1, (f"sha1@{place}",)), NOW)).kinds == {Defect.WEAK_HASH}


def test_an_issuer_of_a_version_that_does_not_exist_is_of_a_bad_version() -> None:
    """It was called malformed, as a leaf of that version was not."""
    assert judge(build(Plan(1, ("alien-version@0",)), NOW)).kinds == {Defect.BAD_VERSION}
    result = judge(build(Plan(1, ("alien-version@1",)), NOW))
    assert result.kinds == {Defect.BAD_VERSION, Defect.MISSING_INTERMEDIATE}


@pytest.mark.parametrize("fault", ["serial-zero@2", "critical-key-id@2"])
def test_an_intermediate_at_which_the_path_ends_is_held_to_the_profile(fault: str) -> None:
    """It was taken for a root, of whose serial number and key identifier nothing is asked."""
    ends = judge(build(Plan(2, ("unknown-root",)), NOW)).kinds
    assert ends == {Defect.UNTRUSTED_ROOT}
    spoilt = judge(build(Plan(2, ("unknown-root", fault)), NOW)).kinds
    assert spoilt == ends | {Defect.BAD_SERIAL if fault.startswith("serial") else Defect.PROFILE}


def test_a_self_signed_leaf_has_no_issuer_of_another_name() -> None:
    """A stranger's certificate for the same key was taken for its issuer."""
    built = build(Plan(0, ("self-signed",)), NOW)
    stranger = build(Plan(0), NOW, "stranger.example.test").chain[0]
    result = Validator(built.anchors).validate([*built.chain, stranger], NOW, built.host)
    assert result.kinds == {Defect.SELF_SIGNED_LEAF}
