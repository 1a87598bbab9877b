"""What holds of every table: lint, agreement of the three readings, golden matrix, literate page."""

from __future__ import annotations

from pathlib import Path

import pytest

from shakeproof.model.lint import lint
from shakeproof.model.literate import matrix, page
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from tests.model.test_machine import agree_everywhere

SLOW = pytest.mark.slow
roles = pytest.mark.parametrize("role", ROLES.values(), ids=list(ROLES))


@roles
def test_lint_of_every_table_is_silent(role: Role) -> None:
    assert lint(role) == []


@pytest.mark.parametrize(
    "role", [pytest.param(role, id=name, marks=SLOW if name == "tcp" else ()) for name, role in ROLES.items()]
)
def test_table_transitions_and_columns_agree_in_every_cell(role: Role) -> None:
    agree_everywhere(role)


TABLES = Path(__file__).parents[2] / "docs" / "tables"
AGAIN = "run `python -m shakeproof.model.literate`, and review what changed against the RFC"


@roles
def test_the_golden_matrix_and_the_literate_page_are_up_to_date(role: Role) -> None:
    assert (TABLES / f"{role.name}.matrix.txt").read_text(encoding="utf-8") == matrix(role), AGAIN
    assert (TABLES / f"{role.name}.md").read_text(encoding="utf-8") == page(role), AGAIN
