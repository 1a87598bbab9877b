"""Every id that a finding's check can have is explained."""

from __future__ import annotations

import inspect
import re

import pytest

from shakeproof.exits import UsageError
from shakeproof.explain import READINGS, explain
from shakeproof.model.roles import ROLES
from shakeproof.properties import conformance, truncation_audit, verdicts
from shakeproof.properties.conversation import Exchange
from shakeproof.properties.findings import Grade
from shakeproof.properties.targets.base import Reaction
from shakeproof.properties.verdicts import Problem

TLS = [role for role in ROLES.values() if role.name.startswith("tls")]
EVERY = 9
"""Which rows are asked about: all take too long."""


def checks(reading: str) -> list[str]:
    """The ids of what can be found about each row with that reading; of a row for the rest, about one message."""
    found = []
    for role in TLS:
        for row in (*role.rows[::EVERY], *(row for row in role.rows if row.is_rest)):
            symbol = role.symbols[0]
            exchange = Exchange(symbol, "", (row,), (), Reaction(), (), (), True, True)
            found.append(Problem(Grade.WARNING, exchange, "", reading=reading).check)
    return found


@pytest.mark.parametrize("reading", ["", *sorted(READINGS)])
def test_check_of_any_row_is_explained_with_what_it_is_about(reading: str) -> None:
    for check in checks(reading):
        found = explain(check)
        said = "\n".join(line for each in found for line in each.lines)
        assert (f"here      {READINGS[reading]}" in said) if reading else "here      the transport" not in said
        assert "in state" in said


def test_every_reading_that_checks_are_named_by_is_known() -> None:
    source = "".join(map(inspect.getsource, (conformance, truncation_audit, verdicts)))
    given = {*re.findall(r'reading="(\w+)"', source), *re.findall(r"reading=([A-Z]+)", source)}
    assert {word.upper() for word in given} == set(READINGS)


def test_clause_that_the_row_cites_too_is_said_once() -> None:
    (found,) = explain("TLS12-CLIENT-OPEN-ALERT-CLOSURE-TRUNCATED")
    assert sum("truncation attack" in line for line in found.lines) == 1


@pytest.mark.parametrize("text", ["TRUNCATED", "-TRUNCATED", "TLS12-CLIENT-NOWHERE-TRUNCATED", "5246-BOUNDED"])
def test_reading_of_no_row_is_unknown(text: str) -> None:
    with pytest.raises(UsageError, match="no check or clause"):
        explain(text)
