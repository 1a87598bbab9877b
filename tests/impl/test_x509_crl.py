"""CRLs: whom they revoke, which of them say nothing, and when a status is asked for at all."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from shakeproof.impl.x509 import Defect, Result, validate
from shakeproof.properties.mapper.certificates import flip_signature, key_usage
from shakeproof.properties.mapper.keys import Owner
from tests.impl.x509_cases import HOST, TIME, Extension, Party, ca, crl, entry, judge, key_of, leaf, name, places, root

UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55738.666.1"), b"\x05\x00")
LEAF, CA = 77, 55


def verdict(*crls: bytes, middle: Party | None = None, end: Party | None = None, **options: object) -> Result:
    """The verdict on root, intermediate (serial CA) and leaf (serial LEAF) with these CRLs."""
    parties = (root(), middle or ca(serial=CA), end or leaf(serial=LEAF))
    return judge(*parties, crls=crls, **options)  # type: ignore[arg-type]


def scope(**fields: object) -> Extension:
    empty: dict[str, object] = {
        "full_name": None,
        "relative_name": None,
        "only_contains_user_certs": False,
        "only_contains_ca_certs": False,
        "only_some_reasons": None,
        "indirect_crl": False,
        "only_contains_attribute_certs": False,
    }
    return x509.IssuingDistributionPoint(**{**empty, **fields}), True  # type: ignore[arg-type]


def reason(flag: x509.ReasonFlags) -> Extension:
    return x509.CRLReason(flag), False


def point(**fields: object) -> Extension:
    empty: dict[str, object] = {"full_name": None, "relative_name": None, "reasons": None, "crl_issuer": None}
    return x509.CRLDistributionPoints([x509.DistributionPoint(**{**empty, **fields})]), False  # type: ignore[arg-type]


def test_a_certificate_on_the_list_of_its_issuer_is_revoked() -> None:
    result = verdict(crl(ca(), entry(LEAF, reason(x509.ReasonFlags.key_compromise))))
    assert places(result) == {(Defect.REVOKED, 0)}
    assert result.alert == "certificate_revoked"
    assert "keyCompromise" in result.explanation
    assert places(verdict(crl(root(), entry(CA)))) == {(Defect.REVOKED, 1)}


def test_a_certificate_that_no_list_names_is_accepted() -> None:
    assert verdict(crl(ca(), entry(1)), crl(root(), entry(2)), require_status=True).accepted


def test_the_same_serial_number_of_another_issuer_means_nothing() -> None:
    assert verdict(crl(root(), entry(LEAF)), crl(ca(), entry(CA))).accepted


def test_a_status_is_unknown_only_where_it_is_asked_for_or_a_list_was_given() -> None:
    assert verdict().accepted
    assert places(verdict(require_status=True)) == {(Defect.STATUS_UNKNOWN, 0), (Defect.STATUS_UNKNOWN, 1)}
    assert places(verdict(crl(ca()), require_status=True)) == {(Defect.STATUS_UNKNOWN, 1)}
    assert places(verdict(crl(ca()), b"no list")) == {(Defect.STATUS_UNKNOWN, 1)}


@pytest.mark.parametrize(
    "spoiled",
    [
        crl(ca(), next_update=TIME - timedelta(days=1)),
        crl(ca(), this_update=TIME + timedelta(days=1)),
        crl(ca(), number=None),
        crl(ca(), extensions=[(UNKNOWN, True)]),
        crl(ca(), entry(1, (UNKNOWN, True))),
        flip_signature(crl(ca())),
        crl(ca(), key_of_issuer=key_of(Owner.NOBODY)),
    ],
    ids=["past", "future", "no number", "critical", "critical entry", "signature", "foreign key"],
)
def test_a_list_that_says_nothing_leaves_the_status_unknown(spoiled: bytes) -> None:
    result = verdict(spoiled)
    assert places(result) == {(Defect.STATUS_UNKNOWN, 0)}
    assert verdict(spoiled, crl(ca())).accepted, "another list tells"


def test_an_unknown_extension_that_is_not_critical_does_no_harm() -> None:
    assert verdict(crl(ca(), entry(1, (UNKNOWN, False)), extensions=[(UNKNOWN, False)])).accepted


def test_the_last_second_of_a_list_is_still_its_own() -> None:
    assert verdict(crl(ca(), next_update=TIME)).accepted
    assert not verdict(crl(ca(), next_update=TIME - timedelta(seconds=1))).accepted


def test_the_issuer_of_a_list_needs_crl_sign() -> None:
    middle = ca(serial=CA, extensions=[(key_usage("key_cert_sign"), True)])
    assert places(verdict(crl(ca()), middle=middle)) == {(Defect.STATUS_UNKNOWN, 0)}


def test_a_list_covers_what_its_scope_says() -> None:
    for_users = crl(root(), entry(CA), extensions=[scope(only_contains_user_certs=True)])
    for_cas = crl(ca(), entry(LEAF), extensions=[scope(only_contains_ca_certs=True)])
    attributes = crl(ca(), entry(LEAF), extensions=[scope(only_contains_attribute_certs=True)])
    assert verdict(for_users, for_cas, attributes).accepted
    assert places(verdict(crl(root(), entry(CA), extensions=[scope(only_contains_ca_certs=True)]))) == {
        (Defect.REVOKED, 1)
    }


def test_a_list_for_some_reasons_tells_only_of_those() -> None:
    compromise = frozenset({x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise})
    others = frozenset(x509.ReasonFlags) - compromise - {x509.ReasonFlags.unspecified, x509.ReasonFlags.remove_from_crl}
    one, other = (crl(ca(), extensions=[scope(only_some_reasons=some)]) for some in (compromise, others))
    assert places(verdict(one)) == {(Defect.STATUS_UNKNOWN, 0)}
    assert verdict(one, other).accepted
    assert Defect.REVOKED in verdict(crl(ca(), entry(LEAF), extensions=[scope(only_some_reasons=compromise)])).kinds


def test_a_distribution_point_and_a_list_must_share_a_name() -> None:
    here, there = (x509.UniformResourceIdentifier(f"http://crl.example.test/{item}") for item in ("a", "b"))
    end = leaf(serial=LEAF, extensions=[point(full_name=[here])])
    assert Defect.REVOKED in verdict(crl(ca(), entry(LEAF), extensions=[scope(full_name=[here])]), end=end).kinds
    assert verdict(crl(ca(), entry(LEAF), extensions=[scope(full_name=[there])]), end=end).accepted


def test_an_indirect_list_needs_a_distribution_point_and_a_path_of_its_issuer() -> None:
    agent = Party("Agent", Owner.ATTACKER_ROOT, serial=9)
    issuer_name = x509.DirectoryName(name("Agent"))
    end = leaf(serial=LEAF, extensions=[point(crl_issuer=[issuer_name], full_name=[issuer_name])])
    theirs = (x509.CertificateIssuer([x509.DirectoryName(name("Intermediate"))]), True)
    indirect = crl(agent, entry(LEAF, theirs), extensions=[scope(indirect_crl=True)])
    top, middle = root(), ca(serial=CA)
    chain = [end.certificate(middle, ca=False), middle.certificate(top)]

    def kinds(*more: bytes) -> frozenset[Defect]:
        return validate([*chain, *more], [top.certificate()], TIME, HOST, crls=[indirect]).kinds

    assert kinds() == {Defect.STATUS_UNKNOWN}
    assert kinds(agent.certificate(top)) == {Defect.REVOKED}
    assert kinds(agent.certificate()) == {Defect.STATUS_UNKNOWN}, "nobody stands behind it"
    assert verdict(indirect, end=leaf(serial=LEAF)).accepted, "the certificate names no other issuer of CRLs"


def test_a_delta_list_continues_a_complete_one() -> None:
    delta = (x509.DeltaCRLIndicator(3), True)
    complete = crl(ca(), entry(LEAF, reason(x509.ReasonFlags.certificate_hold)), number=3)
    freed = crl(ca(), entry(LEAF, reason(x509.ReasonFlags.remove_from_crl)), number=4, extensions=[delta])
    revoked = crl(ca(), entry(LEAF), number=4, extensions=[delta])
    assert verdict(complete, freed).accepted
    assert places(verdict(crl(ca(), number=3), revoked)) == {(Defect.REVOKED, 0)}
    assert verdict(crl(ca(), number=2), revoked).accepted, "the list is older than what the delta continues"
    assert verdict(crl(ca(), number=4), revoked).accepted, "the delta is not newer than the list"
    assert verdict(crl(ca(), number=3), flip_signature(revoked)).accepted


def test_a_critical_distribution_point_is_understood_only_where_lists_are_looked_at() -> None:
    here = x509.UniformResourceIdentifier("http://crl.example.test/a")
    end = leaf(serial=LEAF, extensions=[(point(full_name=[here])[0], True)])
    assert places(judge(root(), ca(), end)) == {(Defect.UNKNOWN_CRITICAL, 0)}
    assert verdict(crl(ca()), end=end).accepted
