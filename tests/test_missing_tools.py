"""A tool that is missing skips a test, and fails it in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_tool(require_tool):
    require_tool("no-such-program-anywhere")

def test_module(require_tool):
    assert require_tool("json") == "json"

def test_other_reason():
    pytest.skip("not for this system")
"""
MODULE = "import pytest\npytest.skip('missing tool: x', allow_module_level=True)\n"


def run(folder: Path, *, ci: bool) -> dict[str, int]:
    """How many tests of the folder passed, failed, were skipped."""
    shutil.copy(Path(__file__).parent / "conftest.py", folder)
    (folder / "test_tools.py").write_text(TESTS, encoding="utf-8")
    (folder / "test_module.py").write_text(MODULE, encoding="utf-8")
    environment = {**os.environ, "SHAKEPROOF_CI": "1" if ci else "0"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", "."]
    done = subprocess.run(
        [*command, "--continue-on-collection-errors"], cwd=folder, env=environment, capture_output=True, text=True
    )
    words = done.stdout.strip().splitlines()[-1].replace(",", "").split()
    return {word: int(words[index - 1]) for index, word in enumerate(words) if words[index - 1].isdigit()}


@pytest.mark.parametrize(
    ("ci", "counts"),
    [
        (False, {"passed": 1, "skipped": 3}),
        (True, {"passed": 1, "failed": 1, "skipped": 1, "error": 1}),
    ],
)
def test_missing_tool_skips_outside_ci_and_fails_inside(tmp_path: Path, ci: bool, counts: dict[str, int]) -> None:
    assert run(tmp_path, ci=ci) == counts
