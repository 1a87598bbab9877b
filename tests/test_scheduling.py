"""Which slow tests CI runs in one process."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import TOGETHER, scope_of


def test_modules_that_go_together_exist_and_the_others_go_test_by_test() -> None:
    root = Path(__file__).parents[1]
    assert [module for module in TOGETHER if not (root / module).is_file()] == []
    one = min(TOGETHER)
    assert scope_of(f"{one}::test_a[x::y]") == scope_of(f"{one}::test_b") == one
    assert scope_of("tests/test_scheduling.py::test_a") != scope_of("tests/test_scheduling.py::test_b")
