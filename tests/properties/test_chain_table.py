"""A validator's verdict held against the certificate table: two readings of the same texts."""

from __future__ import annotations

import base64
import json
import lzma
import os
from collections import Counter
from dataclasses import replace
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from shakeproof.impl.x509 import Reading, Result, Validator
from shakeproof.impl.x509.checks import Outcome
from shakeproof.model import certificate_checks as checks
from shakeproof.model.certificate import WEBPKI, certificate
from shakeproof.model.facts import ModelError
from shakeproof.properties.chain_table import BEYOND, OF_AN_ISSUER, beyond, told, value_of, verdict
from shakeproof.scenes import chain_defects, validated

WEB = certificate.under([WEBPKI])
PAIRS = [*combinations(chain_defects(), 2)]


@pytest.fixture(scope="module")
def sound() -> Result:
    return validated([])


def rejected(defect: str) -> Result:
    return validated([defect])


def test_every_defect_of_our_validator_is_the_table_s_or_said_to_be_beyond_it() -> None:
    defects = type(rejected("expired").defects[0].defect)
    values = {name: value_of(name) for name in defects.__members__}
    assert {name for name, value in values.items() if value is None} == set(BEYOND)
    assert set(checks.DEFECTS) - {value.name for value in values.values() if value} == set()
    assert set(OF_AN_ISSUER) <= set(values)


def test_unknown_defect_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelError, match="UNHEARD_OF is no defect of the certificate table"):
        value_of("UNHEARD_OF")


def test_numbers_of_our_validator_are_those_of_the_table(sound: Result) -> None:
    numbers = {step.number for step in sound.trace} - {0}
    assert numbers == {check.number for check in checks.CHECKS}


def test_sound_chain_answers_every_question_and_is_allowed(sound: Result) -> None:
    answers = list(told(sound))
    assert [answer.index for answer in answers if answer.state is checks.CHECK_ENCODING] == [1, 0]
    assert answers[-1].state is checks.CHECK_WILDCARD
    assert not any(answer.may_refuse for answer in answers)
    assert verdict(sound) == verdict(sound, WEB) == ""


@pytest.mark.parametrize("defects", [*((one,) for one in chain_defects()), *PAIRS], ids="+".join)
def test_verdict_of_our_validator_is_one_that_the_table_allows(defects: tuple[str, ...]) -> None:
    result = validated(defects)
    assert not result.accepted
    assert verdict(result) == verdict(result, WEB) == ""
    failed = [answer for answer in told(result) if answer.value is not None]
    assert failed or beyond(result)
    if len(defects) == 1 and failed:
        assert failed[0].alerts[0] == result.alert


def test_check_that_failed_has_the_number_of_the_table() -> None:
    for name in chain_defects():
        result = rejected(name)
        numbers = {step.number for step in result.trace if step.outcome is Outcome.FAILED}
        for answer in told(result):
            if answer.value is not None:
                assert checks.CHECK_OF[answer.state].number in numbers, name


def test_accepting_in_spite_of_a_defect_is_told(sound: Result) -> None:
    wrong = replace(sound, defects=rejected("expired").defects)
    assert verdict(wrong) == "accepted in spite of Validity[EXPIRED] in CHECK_VALIDITY"


def test_refusing_without_a_defect_is_told(sound: Result) -> None:
    assert verdict(replace(rejected("expired"), defects=())).endswith("and the table has nothing to refuse")


def test_defect_of_the_trust_anchor_itself_is_beyond_the_table() -> None:
    result = rejected("issuer-expired")
    (defect,) = result.defects
    above = replace(result, defects=(replace(defect, certificate_index=2),))
    assert not any(answer.value for answer in told(above))
    assert [which.phase for which, _ in beyond(above)] == ["path"]


def test_alert_that_the_table_does_not_allow_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    result = rejected("expired")
    monkeypatch.setattr(Result, "alert", "unknown_ca")
    assert verdict(result) == "refused with unknown_ca; the table allows certificate_expired"


# ------------------------------------------------------------------------------------------------------ the corpus


def corpus() -> list[dict[str, Any]]:
    """The cases for servers. Skips where there are none; under SHAKEPROOF_CI=1 that is a failure."""
    named = os.environ.get("SHAKEPROOF_LIMBO", "")
    if named and Path(named).is_file():
        cases: list[dict[str, Any]] = json.loads(lzma.decompress(Path(named).read_bytes()))["testcases"]
        return [case for case in cases if case["validation_kind"] == "SERVER"]
    missing = f"SHAKEPROOF_LIMBO is {named!r}: set it to a corpus of limbo cases, limbo.json.xz"
    if os.environ.get("SHAKEPROOF_CI") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


def der(pem: str) -> bytes:
    return base64.b64decode("".join(line for line in pem.splitlines() if line and not line.startswith("-")))


def disagreements(cases: list[dict[str, Any]]) -> tuple[list[str], Counter[str]]:
    """What the table does not allow of our validator's verdicts under both readings, and how often it decided what."""
    told_of: list[str] = []
    seen: Counter[str] = Counter()
    for case in cases:
        chain = [der(pem) for pem in (case["peer_certificate"], *case["untrusted_intermediates"])]
        anchors = [der(pem) for pem in case["trusted_certs"]]
        time = datetime.fromisoformat(case.get("validation_time") or "2024-11-01T00:00:00+00:00")
        name = (case.get("expected_peer_name") or {}).get("value")
        for reading, role in ((Reading.RFC5280, certificate), (Reading.WEBPKI, WEB)):
            validator = Validator(anchors, reading, crls=[der(pem) for pem in case.get("crls", ())])
            result = validator.validate(chain, time, name)
            seen["accepted" if result.accepted else "refused"] += 1
            seen.update(answer.value.name for answer in told(result, role) if answer.value)
            problem = verdict(result, role)
            if problem:
                told_of.append(f"{case['id']} ({reading.name}): {problem}")
    return told_of, seen


def test_verdicts_on_some_of_the_corpus_are_allowed() -> None:
    problems, seen = disagreements(corpus()[::12])
    assert problems == []
    assert seen["accepted"] > 10
    assert seen["refused"] > 10


@pytest.mark.slow
def test_verdicts_on_the_corpus_are_allowed() -> None:
    problems, seen = disagreements(corpus())
    assert problems == []
    assert len(set(seen) & set(checks.DEFECTS)) > 20
