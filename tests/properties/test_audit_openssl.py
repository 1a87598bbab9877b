"""The audit of OpenSSL: no false FAIL, and every deviation argued in docs/stacks/openssl.md."""

from __future__ import annotations

import re
import ssl
from pathlib import Path

import pytest

from shakeproof.model.messages import by_other_name
from shakeproof.model.roles import ROLES
from shakeproof.properties.audit import audit
from shakeproof.properties.conformance import Runner
from shakeproof.properties.courses import chosen_values
from shakeproof.properties.findings import Event, FindingConfirmed, Grade, RoleDone, RoleStarted, Run
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.suites import CLOSE_NOTIFY, honest_prefixes, quick, truncations
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.openssl import OpenSslTarget

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "stacks" / "openssl.md"
CELLS_AT_LEAST = {"tls12.client": 2200, "tls12.server": 1700}
"""Less than what all setups have today (2,456 and 2,003), so that a row more or less is no failure."""
OF_SERVERS_BY_NAME = frozenset(
    {"TLS12-SERVER-WAIT-CLIENT-HELLO-CLIENTHELLO-ACCEPTABLE-EXTENDED-BY-OTHER-NAME-WAIT-CLIENT-KEY-EXCHANGE"}
)
"""What only an application shows that looks at server_name."""
OF_TRUSTED_ENDS = frozenset(f"TLS12-{side}-OPEN-ALERT-CLOSURE-TRUNCATED" for side in ("CLIENT", "SERVER"))
"""What only an application shows that takes the end of the transport for the end of the data."""
TIME_S = 300.0
"""Some ten times what it takes."""


@pytest.fixture(scope="module")
def heard() -> list[Event]:
    return []


@pytest.fixture(scope="module")
def run(heard: list[Event]) -> Run:
    return audit(["openssl"], jobs=2, time_s=TIME_S, listener=heard.append)


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
    found = {finding.check for finding in run.findings}
    assert found - argued == set(), f"argue these in {PAGE.name}, or correct the table"
    for finding in run.findings:
        assert finding.clause.startswith("RFC ")
        assert finding.sentence
        assert finding.seen == (3, 3)


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO[:2] != (3, 0), reason="the page is about OpenSSL 3.0")
def test_every_deviation_that_is_argued_is_still_found(run: Run, argued: frozenset[str]) -> None:
    found = {finding.check for finding in run.findings}
    assert argued - found - OF_SERVERS_BY_NAME - OF_TRUSTED_ENDS == set(), (
        f"these have a section in {PAGE.name}, and are no deviation any more"
    )


def test_a_server_that_goes_by_names_resumes_under_another_name_all_the_same(argued: frozenset[str]) -> None:
    setup = Setup("rsa", "rsa", "cbc", session="id")
    runner = Runner(OpenSslTarget(by_name=True), ROLES["tls12.server"], setup, 0)
    words = [word for word in quick(runner.role, setup) if word.symbol.has(by_other_name) and not word.prefix]
    problems = [runner.run(word).problem for word in words]
    assert {problem.check for problem in problems if problem is not None} == OF_SERVERS_BY_NAME
    assert argued >= OF_SERVERS_BY_NAME
    usual = Runner(OpenSslTarget(), runner.role, setup, 0)
    assert {usual.run(word).meaningless for word in words} == {"the server goes by no names"}


@pytest.mark.skipif(ssl.OPENSSL_VERSION_INFO < (3,), reason="OpenSSL 1.1.1 has no SSL_OP_IGNORE_UNEXPECTED_EOF")
def test_an_application_that_trusts_the_end_of_the_transport_notices_no_truncation(argued: frozenset[str]) -> None:
    found = set()
    for name in OpenSslTarget.roles:
        runner = Runner(OpenSslTarget(trusts_end=True), ROLES[name], Setup("rsa", "rsa", "cbc"), 0)
        for word in truncations(runner.role, quick(runner.role, runner.setup)):
            problem = runner.run(word).problem
            assert (problem is None) is (word.symbol == CLOSE_NOTIFY)
            found |= {(problem.check, problem.grade)} if problem is not None else set()
    assert found == {(check, Grade.WENT_ON) for check in OF_TRUSTED_ENDS}
    assert argued >= OF_TRUSTED_ENDS


def test_every_mechanism_is_negotiated_with_openssl(run: Run) -> None:
    for role in run.roles:
        tried = " ".join(role.setups)
        for mechanism in ("by id", "by ticket", "client certificate", "renegotiation", "encrypt-then-MAC", "dhe"):
            assert mechanism in tried
    for name in OpenSslTarget.roles:
        talk = Runner(OpenSslTarget(), ROLES[name], Setup("rsa", "rsa", "cbc", encrypt_then_mac=True), 0).open()
        talk.begin()
        prefixes = honest_prefixes(talk.role, chosen_values(talk.setup, name))
        for symbol in next(way for place, way in prefixes.items() if place.state is talk.role.accepting):
            talk.send(symbol)
        assert isinstance(talk.peer.context.write.protection, EncryptThenMac)
        assert talk.oracle.is_accepting


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
