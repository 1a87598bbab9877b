"""The audit of OpenSSL: no false FAIL, and every deviation argued in docs/stacks/openssl.md."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Event, FindingConfirmed, Grade, RoleDone, RoleStarted, Run

PAGE = Path(__file__).parents[2] / "docs" / "stacks" / "openssl.md"
CELLS_AT_LEAST = {"tls12.client": 800, "tls12.server": 350}
"""Less than what both setups have today (975 and 430), so that a row more or less is no failure."""
TIME_S = 300.0
"""Some seventy times what it takes."""


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def run(heard: list[Event]) -> Run:
    return audit(["openssl"], jobs=1, time_s=TIME_S, listener=heard.append)


@pytest.fixture(scope="module")
def argued() -> frozenset[str]:
    headings = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("### ")]
    return frozenset(check for line in headings for check in re.findall(r"`([A-Z0-9-]+)`", line))


def test_openssl_gives_no_failure(run: Run) -> None:
    assert [
        f"{finding.grade.value} {finding.check}: {finding.title}" for finding in run.findings if _fails(finding.grade)
    ] == []
    assert run.exit_code() == 0


def _fails(grade: Grade) -> bool:
    return grade.is_failure or grade is Grade.INCONCLUSIVE


def test_every_deviation_of_openssl_is_argued_from_its_clause(run: Run, argued: frozenset[str]) -> None:
    found = {finding.check for finding in run.findings if finding.grade is Grade.DEVIATION}
    assert found - argued == set(), f"argue these in {PAGE.name}, or correct the table"
    for finding in run.findings:
        assert finding.clause.startswith("RFC ")
        assert finding.sentence
        assert finding.seen == (3, 3)


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO[:2] != (3, 0), reason="the page is about OpenSSL 3.0")
def test_every_deviation_that_is_argued_is_still_found(run: Run, argued: frozenset[str]) -> None:
    found = {finding.check for finding in run.findings}
    assert argued - found == set(), f"these have a section in {PAGE.name}, and are no deviation any more"


def test_both_roles_of_openssl_are_tested_wholly(run: Run) -> None:
    assert {result.role for result in run.roles} == set(CELLS_AT_LEAST)
    for result in run.roles:
        assert not result.error
        assert result.is_tested
        assert result.cells_run == result.cells >= CELLS_AT_LEAST[result.role]
        assert result.left_out == 0
        assert [item for item in result.not_tested if item.cells] == []
        assert any("rsa," in setup for setup in result.setups)
        assert any("ecdhe," in setup for setup in result.setups)


def test_a_listener_hears_each_role_and_each_finding_once(run: Run, heard: list[Event]) -> None:
    assert [event.role for event in heard if isinstance(event, RoleStarted)] == [result.role for result in run.roles]
    assert [event.result.role for event in heard if isinstance(event, RoleDone)] == [
        result.role for result in run.roles
    ]
    confirmed = [event.finding.id for event in heard if isinstance(event, FindingConfirmed)]
    assert sorted(confirmed) == sorted(finding.id for finding in run.findings)
    assert len(set(confirmed)) == len(confirmed)
