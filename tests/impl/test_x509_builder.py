"""The search for a path: in any order, past expired and foreign issuers, out of circles, and never for long."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from cryptography import x509

from shakeproof.impl.x509 import Defect, Validator, validate
from shakeproof.impl.x509.builder import MAX_PATH_CERTIFICATES
from shakeproof.impl.x509.certificate import Certificate
from shakeproof.impl.x509.validator import MAX_CERTIFICATES, MAX_SIGNATURES
from shakeproof.properties.mapper.keys import Owner
from tests.impl.x509_cases import HOST, TIME, Party, ca, leaf, root

LONG_AGO = TIME - timedelta(days=30)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One entry for each signature that is verified."""
    done: list[str] = []
    verifies = Certificate.verifies

    def counting(issuer: Certificate, certificate: Certificate) -> bool:
        done.append(f"{issuer.title} -> {certificate.title}")
        return verifies(issuer, certificate)

    monkeypatch.setattr(Certificate, "verifies", counting)
    return done


def test_the_straight_path_costs_one_signature_a_certificate(counted: list[str]) -> None:
    top, middle, end = root(), ca(), leaf()
    sent = [end.certificate(middle, ca=False), middle.certificate(top)]
    assert validate(sent, [top.certificate()], TIME, HOST).accepted
    assert counted == [f"Intermediate -> {HOST}", "Root -> Intermediate"]


def test_an_expired_cross_certificate_beside_a_good_one_does_no_harm() -> None:
    """The AddTrust expiry of 2020."""
    old, top, middle, end = Party("Old Root", Owner.NOBODY, not_after=LONG_AGO), root(), ca(), leaf()
    crossed = top.certificate(old)
    sent = [end.certificate(middle, ca=False), middle.certificate(top), crossed, old.certificate()]
    for anchors in ([top.certificate()], [old.certificate(), top.certificate()]):
        result = validate(sent, anchors, TIME, HOST)
        assert result.accepted
        assert len(result.path) == 3
    assert validate(sent, [old.certificate()], TIME, HOST).kinds == {Defect.ISSUER_EXPIRED}


def test_backtracks_from_a_certificate_that_a_flaw_spoils() -> None:
    top, good, end = root(), ca(), leaf()
    spoiled = [
        ca(not_after=LONG_AGO, serial=21),
        ca(drop=[x509.BasicConstraints, x509.KeyUsage], serial=22),
        ca(extensions=[(x509.NameConstraints(None, [x509.DNSName("test")]), True)], serial=23),
        ca(extensions=[(x509.ExtendedKeyUsage([x509.ObjectIdentifier("1.2.3")]), False)], serial=24),
    ]
    sent = [end.certificate(good, ca=False), *(item.certificate(top) for item in spoiled), good.certificate(top)]
    assert validate(sent, [top.certificate()], TIME, HOST).accepted
    assert not validate(sent[:-1], [top.certificate()], TIME, HOST).accepted


def test_of_several_bad_paths_the_one_with_fewest_defects_is_told() -> None:
    top, end = root(), leaf()
    worse = ca(not_after=LONG_AGO, drop=[x509.BasicConstraints, x509.KeyUsage], serial=31)
    bad = ca(not_after=LONG_AGO, serial=32)
    sent = [end.certificate(bad, ca=False), worse.certificate(top), bad.certificate(top)]
    assert validate(sent, [top.certificate()], TIME, HOST).kinds == {Defect.ISSUER_EXPIRED}


def test_a_foreign_ca_of_the_same_name_is_passed_over() -> None:
    top, middle, end = root(), ca(), leaf()
    fakes = [ca(owner=owner, serial=40) for owner in (Owner.ATTACKER_INTERMEDIATE, Owner.ATTACKER_ROOT, Owner.NOBODY)]
    for identifiers in (True, False):
        for fake in fakes:
            fake.identifiers = identifiers
        sent = [end.certificate(middle, ca=False), *(fake.certificate(top) for fake in fakes), middle.certificate(top)]
        assert validate(sent, [top.certificate()], TIME, HOST).accepted


def circle() -> list[bytes]:
    """A leaf below two CAs that certify each other."""
    one, two, end = ca("One", Owner.INTERMEDIATE), ca("Two", Owner.ATTACKER_INTERMEDIATE), leaf()
    return [end.certificate(one, ca=False), one.certificate(two), two.certificate(one)]


def test_a_circle_of_cas_ends_and_leads_nowhere() -> None:
    result = validate(circle(), [root().certificate()], TIME, HOST)
    assert result.kinds == {Defect.UNTRUSTED_ROOT, Defect.PATH_CYCLE}
    assert result.alert == "unknown_ca"


def test_a_circle_with_a_way_out_is_accepted() -> None:
    """CVE-2024-0567: a cross-signed circle made GnuTLS abort."""
    one, top = ca("One", Owner.INTERMEDIATE), root()
    sent = [*circle(), one.certificate(top)]
    for chain in (sent, [sent[0], *reversed(sent[1:])]):
        assert validate(chain, [top.certificate()], TIME, HOST).accepted


def forest(depth: int, per_level: int) -> list[bytes]:
    """A leaf below levels of CAs, of which each level's are alike in name and key and certify the whole level below."""
    owners = list(Owner)
    levels = [Party(f"Level {number}", owners[number % len(owners)]) for number in range(depth)]
    sent = [leaf().certificate(levels[0], ca=False)]
    for number, level in enumerate(levels):
        above = levels[number + 1] if number + 1 < depth else Party("Nowhere", Owner.NOBODY)
        for serial in range(per_level):
            level.serial = 100 + serial
            sent.append(level.certificate(above))
    return sent


def test_a_forest_without_a_root_ends_within_its_budgets(counted: list[str]) -> None:
    result = validate(forest(6, 12), [root().certificate()], TIME, HOST)
    assert Defect.PATH_BOMB in result.kinds
    assert len(counted) <= MAX_SIGNATURES


def test_the_signature_budget_holds_against_many_cas_of_one_name(counted: list[str]) -> None:
    end, top = leaf(identifiers=False), root(identifiers=False)
    middles = [ca(owner=owner, serial=serial, identifiers=False) for serial in range(1, 60) for owner in Owner]
    sent = [
        end.certificate(Party("Intermediate", Owner.NOBODY), ca=False),
        *(item.certificate(top) for item in middles),
    ]
    validator = Validator([top.certificate()], max_signatures=20)
    assert not validator.validate(sent[:MAX_CERTIFICATES], TIME, HOST).accepted
    assert len(counted) <= 20


def test_more_certificates_than_a_chain_may_hold_are_not_even_parsed() -> None:
    result = validate([b""] * (MAX_CERTIFICATES + 1), [root().certificate()], TIME, HOST)
    assert result.kinds == {Defect.PATH_BOMB}


def line(intermediates: int) -> tuple[list[bytes], bytes]:
    """A straight chain of this many intermediates and its trust anchor."""
    owners = list(Owner)
    parties = [
        root(),
        *(Party(f"CA {number}", owners[number % len(owners)]) for number in range(intermediates)),
        leaf(),
    ]
    certificates = [party.certificate(issuer, ca=party is not parties[-1]) for issuer, party in pairwise(parties)]
    return certificates[::-1], parties[0].certificate()


def test_the_longest_path_that_is_searched() -> None:
    sent, anchor = line(MAX_PATH_CERTIFICATES - 2)
    assert validate(sent, [anchor], TIME, HOST).accepted
    sent, anchor = line(MAX_PATH_CERTIFICATES - 1)
    assert Defect.PATH_BOMB in validate(sent, [anchor], TIME, HOST).kinds


def test_two_anchors_for_one_name_are_both_tried() -> None:
    top, other, end = root(), root(), leaf()
    other.owner = Owner.NOBODY
    sent = [end.certificate(top, ca=False)]
    assert validate(sent, [other.certificate(), top.certificate()], TIME, HOST).accepted
