"""The detection table: jobs, what counts as found, and the lines that come of them."""

from __future__ import annotations

import pytest

from shakeproof.properties.detection import (
    CLEAN,
    ENGINES,
    HYPOTHESIS,
    SUITE,
    Detection,
    Job,
    detect,
    detect_all,
    jobs_for,
    rows_of,
)
from shakeproof.properties.findings import Grade
from shakeproof.properties.rogues import ROGUES


def test_jobs_are_every_rogue_before_every_engine_with_every_seed() -> None:
    jobs = list(jobs_for((CLEAN, "early-ccs"), ENGINES, range(2)))
    assert len(jobs) == len(set(jobs)) == 8
    assert {job.rogue for job in jobs} == {CLEAN, "early-ccs"}


def test_suite_finds_a_rogue_with_its_shortest_word() -> None:
    found = detect(Job("expired-certificate", SUITE, 0))
    assert found.found
    assert found.verdict == Grade.WENT_ON.value
    assert found.clause == "RFC 5280 section 6.1.3"
    assert found.shrunk == 2
    assert found.steps > found.shrunk


def test_hypothesis_finds_a_rogue_and_says_which_property() -> None:
    found = detect(Job("expired-certificate", HYPOTHESIS, 0))
    assert found.found
    assert found.what == "chain-clock"
    assert found.verdict == Grade.WENT_ON.value


def test_unknown_rogue_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        detect(Job("nobody", SUITE, 0))


def test_rows_take_medians_of_what_was_found_and_know_what_is_right() -> None:
    job = Job("early-ccs", SUITE, 0)
    rows = rows_of(
        [
            Detection(job, True, "FAIL went-on", "check", "clause", steps=10, shrunk=2, seconds=1.0),
            Detection(Job("early-ccs", SUITE, 1), True, steps=30, shrunk=4, seconds=3.0),
            Detection(Job("early-ccs", SUITE, 2), False, steps=900, seconds=9.0),
            Detection(Job(CLEAN, SUITE, 0), False, steps=900, seconds=9.0),
        ]
    )
    assert [(row.rogue, row.found, row.seeds, row.is_right) for row in rows] == [
        ("early-ccs", 2, 3, False),
        (CLEAN, 0, 1, True),
    ]
    assert (rows[0].steps, rows[0].shrunk, rows[0].seconds, rows[0].slowest_s) == (20, 3, 2.0, 3.0)


@pytest.mark.slow
def test_processes_give_the_same_as_one_after_the_other() -> None:
    jobs = list(jobs_for(("early-ccs", "wrong-name"), (SUITE,), (0,)))
    told: list[Detection] = []
    here, there = detect_all(jobs, 1, told.append), detect_all(jobs, 2, told.append)
    assert [(d.job, d.verdict, d.what, d.steps, d.shrunk) for d in here] == [
        (d.job, d.verdict, d.what, d.steps, d.shrunk) for d in there
    ]
    assert len(told) == 2 * len(jobs)


EXPECTED = {
    "early-ccs": ("FAIL went-on", "RFC 5246 section 7.1"),
    "unguarded-ccs": ("FAIL went-on", "RFC 5246 section 7.1"),
    "skip-to-finished": ("FAIL went-on", "RFC 5246 section 7.4.9"),
    "missing-ske": ("FAIL went-on", "RFC 8422 section 5.4"),
    "ske-under-rsa": ("FAIL went-on", "RFC 5246 section 7.4.3"),
    "goto-fail": ("FAIL went-on", "RFC 8422 section 5.4"),
    "finished-unchecked": ("FAIL went-on", "RFC 5246 section 7.4.9"),
    "mac-unchecked": ("FAIL went-on", "RFC 5246 section 6.2.3.3"),
    "padding-unchecked": ("FAIL went-on", "RFC 5246 section 6.2.3.2"),
    "unprepared-ccs-crash": ("CRASH", "RFC 5246 section 7.1"),
    "client-certificate-skipped": ("FAIL went-on", "RFC 5246 section 7.4.6"),
    "certificate-verify-skipped": ("FAIL went-on", "RFC 5246 section 7.3"),
    "certificate-verify-unchecked": ("FAIL went-on", "RFC 5246 section 7.4.8"),
    "bare-renegotiation-crash": ("CRASH", "RFC 5746 section 3.7"),
    "default-site-for-fragments": ("FAIL distinguishes", "RFC 5246 section 7.4.1.3"),
    "unoffered-suite": ("CRASH", "RFC 5246 section 7.4.1.3"),
    "weak-group": ("WARNING", "RFC 5246 section F.1.1.3"),
    "compression-unchecked": ("FAIL went-on", "RFC 5246 section 7.4.1.3"),
    "finished-prefix": ("FAIL went-on", "RFC 5246 section 7.4.1.2"),
    "padding-alert": ("FAIL distinguishes", "RFC 5246 section 6.2.3.2"),
    "robot": ("FAIL distinguishes", "RFC 5246 section 7.4.7.1"),
    "large-record-crash": ("CRASH", "RFC 5246 section 6.2.3.3"),
    "heartbleed": ("FAIL went-on", "RFC 5246 section 6"),
    "unbound-renegotiation": ("FAIL went-on", "RFC 5746 section 3.5"),
    "bond-forgotten": ("FAIL went-on", "RFC 7627 section 5.3"),
    "resumed-under-other-name": ("FAIL wrong-output", "RFC 6066 section 3"),
    "renegotiation-info-unread": ("FAIL went-on", "RFC 5746 section 3.4"),
    "endless-warnings": ("WARNING", "RFC 5246 section 7.2.2"),
    "endless-empty-records": ("WARNING", "RFC 5246 section 6.2.1"),
    "expired-certificate": ("FAIL went-on", "RFC 5280 section 6.1.3"),
    "wrong-name": ("FAIL went-on", "RFC 6125 section 6.6.4"),
    "not-yet-valid-certificate": ("FAIL went-on", "RFC 5280 section 6.1.3"),
    "certificate-signature-unchecked": ("FAIL went-on", "RFC 5280 section 6.1.3"),
    "basic-constraints-ignored": ("FAIL went-on", "RFC 5280 section 6.1.4"),
    "strictness-forgets-ca": ("FAIL went-on", "RFC 5280 section 6.1.4"),
    "path-length-ignored": ("FAIL went-on", "RFC 5280 section 6.1.4"),
    "purpose-ignored": ("FAIL went-on", "RFC 5280 section 4.2.1.12"),
    "critical-ignored": ("FAIL went-on", "RFC 5280 section 4.2"),
    "constraints-ignored": ("FAIL went-on", "RFC 5280 section 6.1.3"),
    "certificate-unchecked": ("FAIL went-on", "RFC 5280 section 6.1.3"),
    "truncation-unnoticed": ("FAIL went-on", "RFC 5246 section 7.2.1"),
    "replayed-record": ("FAIL went-on", "RFC 5246 section F.2"),
    "any-earlier-sequence": ("FAIL went-on", "RFC 5246 section F.2"),
}


def test_every_rogue_has_its_grade_and_clause() -> None:
    assert set(EXPECTED) == {name for name, rogue in ROGUES.items() if rogue.is_in_suites}
    assert len(ROGUES) >= 38


def test_rogues_of_tcp_and_of_rare_chains_are_for_hypothesis_alone() -> None:
    jobs = list(jobs_for((CLEAN, "wrong-name", "syn-resets", "lenient-padding"), (SUITE, HYPOTHESIS), (0,)))
    assert [(job.rogue, job.engine) for job in jobs] == [
        (CLEAN, SUITE),
        (CLEAN, HYPOTHESIS),
        ("wrong-name", SUITE),
        ("wrong-name", HYPOTHESIS),
        ("syn-resets", HYPOTHESIS),
        ("lenient-padding", HYPOTHESIS),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("rogue", EXPECTED)
def test_suite_finds_every_rogue_with_its_grade_and_clause(rogue: str) -> None:
    found = detect(Job(rogue, SUITE, 0))
    assert (found.verdict, found.clause) == EXPECTED[rogue]
    assert found.shrunk <= 8


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_suite_does_not_accuse_the_clean_implementation(seed: int) -> None:
    assert not detect(Job(CLEAN, SUITE, seed)).found
