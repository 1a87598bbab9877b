"""What holds of every table: lint, agreement of the three readings, golden matrix, literate page."""

from __future__ import annotations

import pytest

from shakeproof.model.lint import lint
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from tests.model.test_machine import agree_everywhere

roles = pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))


@roles
def test_lint_of_every_table_is_silent(role: Role) -> None:
    assert lint(role) == []


@roles
def test_table_transitions_and_columns_agree_in_every_cell(role: Role) -> None:
    agree_everywhere(role)
