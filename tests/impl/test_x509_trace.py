"""The trace: which check passed, failed or did not run on which certificate; and which path is told of several."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from shakeproof.impl.x509 import Defect, Outcome, Result, Step, validate
from shakeproof.impl.x509.checks import KINDS, SEARCH_COMPLETE
from shakeproof.properties.mapper.keys import Owner
from tests.impl.x509_cases import HOST, TIME, Party, ca, crl, entry, judge, leaf, root

LONG_AGO = TIME - timedelta(days=30)


def steps(result: Result, name: str) -> list[tuple[int | None, Outcome]]:
    return [(step.certificate_index, step.outcome) for step in result.trace if step.name == name]


def test_every_defect_belongs_to_exactly_one_check_and_every_check_has_its_number() -> None:
    owners = [defect for kind in KINDS for defect in kind.defects]
    assert sorted(defect.name for defect in owners) == sorted(defect.name for defect in Defect)
    assert {kind.number for kind in KINDS} | {SEARCH_COMPLETE} == set(range(25))


def test_an_accepted_chain_has_no_failed_step_and_goes_from_the_anchor_down() -> None:
    result = judge(root(), ca(), leaf())
    assert {step.outcome for step in result.trace} == {Outcome.PASSED, Outcome.NOT_RUN}
    places = [step.certificate_index for step in result.trace]
    assert places == [*sorted((place for place in places if place is not None), reverse=True), None, None]
    assert steps(result, "signature") == [(1, Outcome.PASSED), (0, Outcome.PASSED)]
    assert steps(result, "path length") == [(2, Outcome.PASSED), (1, Outcome.PASSED)]
    assert steps(result, "name") == [(0, Outcome.PASSED)]


@pytest.mark.parametrize("index", [0, 1])
def test_a_defect_is_the_failed_step_of_its_certificate_and_of_no_other(index: int) -> None:
    parties = [leaf(), ca(), root()]
    parties[index].not_after = LONG_AGO
    result = judge(*reversed(parties))
    (failed,) = (step for step in result.trace if step.outcome is Outcome.FAILED)
    assert (failed.name, failed.number, failed.certificate_index) == ("validity", 5, index)
    (found,) = result.defects
    assert (failed.text, failed.clause) == (found.explanation, found.clause)


def test_what_is_not_asked_does_not_run_and_says_why() -> None:
    def why(result: Result, name: str) -> list[str]:
        return [step.text for step in result.trace if step.name == name and step.outcome is Outcome.NOT_RUN]

    plain = judge(root(), ca(), leaf(), with_profile=False, usage=None)
    assert why(plain, "revocation") == ["no CRL of its issuer was given and no status is asked for"] * 2
    assert why(plain, "profile") == ["the profile's rules are left out"] * 3
    assert why(plain, "purpose") == ["no purpose is asked for"]
    assert why(plain, "name constraints") == ["no issuer constrains its names"] * 2
    asked = judge(root(), ca(serial=5), leaf(), crls=[crl(root(), entry(5))])
    assert steps(asked, "revocation") == [(1, Outcome.FAILED), (0, Outcome.NOT_RUN)]


def test_garbage_has_a_trace_of_one_failed_step() -> None:
    result = validate([b"no certificate"], [root().certificate()], TIME, HOST)
    assert [step.name for step in result.trace if step.outcome is Outcome.FAILED] == ["form"]


def test_certificates_that_do_not_matter_are_counted() -> None:
    """EXTRA_BAD_INTERMEDIATE: what else was sent, expired or not even a certificate, does no harm."""
    top, end = root(), leaf()
    expired = Party("Stranger", Owner.NOBODY, not_after=LONG_AGO)
    sent = [end.certificate(top, ca=False), expired.certificate(), b"no certificate"]
    result = validate(sent, [top.certificate()], TIME, HOST)
    assert result.accepted
    last: Step = result.trace[-1]
    assert (last.name, last.text) == ("extra certificates", "2 other certificates do no harm")


def test_of_equally_bad_paths_the_one_that_was_sent_first_is_told() -> None:
    top, end = root(), leaf()
    expired = ca(not_after=LONG_AGO, serial=41)
    late = ca(extensions=[(x509.NameConstraints(None, [x509.DNSName("example.test")]), True)], serial=42)
    chains = {
        Defect.ISSUER_EXPIRED: [end.certificate(expired, ca=False), expired.certificate(top), late.certificate(top)],
        Defect.NAME_EXCLUDED: [end.certificate(expired, ca=False), late.certificate(top), expired.certificate(top)],
    }
    for defect, sent in chains.items():
        assert validate(sent, [top.certificate()], TIME, HOST).kinds == {defect}
