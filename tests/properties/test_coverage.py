"""Which rows a run could have exercised: other choices apart from rows that were missed."""

from __future__ import annotations

import pytest

from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.notation import Kind
from shakeproof.model.roles import ROLES
from shakeproof.properties.coverage import coverage_of

CLIENT = ROLES["tls12.client"]
HELLO_REQUESTS = [
    row.id for row in CLIENT.rows if row.kind is Kind.RECV and row.pattern.text == "HelloRequest" and not row.is_rest
]


def test_row_that_was_not_taken_is_missed() -> None:
    missed = next(row for row in CLIENT.rows if row.level is Level.MUST and "Certificate[expired" in row.id)
    coverage = coverage_of(CLIENT, {row.id for row in CLIENT.rows} - {missed.id})
    assert coverage.never == (missed,)
    assert coverage.choices == ()
    assert coverage.reachable == len(CLIENT.rows)
    assert len(coverage.exercised) == len(CLIENT.rows) - 1


def test_one_of_two_that_may_be_taken_is_another_choice_and_both_are_missed() -> None:
    pair = [row for row in CLIENT.rows if row.id.startswith("tls12.client:CONNECTED:HelloRequest")]
    assert len(pair) > 1
    assert all(row.level is Level.MAY for row in pair)
    everything = {row.id for row in CLIENT.rows}
    one = coverage_of(CLIENT, everything - {pair[0].id})
    assert (one.choices, one.never) == ((pair[0],), ())
    none = coverage_of(CLIENT, everything - {row.id for row in pair})
    assert (none.choices, none.never) == ((), tuple(pair))


@pytest.mark.parametrize("role", [ROLES["tls12.client"], ROLES["tls12.server"]], ids=lambda role: str(role.name))
def test_nothing_taken_leaves_what_the_beginning_leads_to(role: Role) -> None:
    coverage = coverage_of(role, ())
    assert coverage.exercised == ()
    assert {row.kind for row in coverage.never} <= {Kind.CALL, Kind.RECV}
    assert all(role.start.state in row.states.members for row in coverage.never)
