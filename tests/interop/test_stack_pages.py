"""`docs/stacks/tables`: the deviations of a page follow an audit, and a failure without a section is named."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "stacks" / "tables"
PAGE = """# Ours

1 checks fail, argued below from the clause. 2 end as a DEVIATION or a WARNING.

## Failures

### `TLS12-CLIENT-ARGUED`
It does.

## Deviations and warnings

As seen.

| check | state | required | came |
|---|---|---|---|
| `TLS12-CLIENT-GONE` | OPEN | STAY | closed |
| `TLS12-SERVER-KEPT` | OPEN | STAY | closed |
"""


def found(check: str, verdict: str) -> dict[str, Any]:
    return {
        "check": check,
        "verdict": verdict,
        "state": "OPEN",
        "expected": "STAY",
        "got": "a | b",
        "target": "ours",
        "word": [],
    }


def audited(role: str, cells_run: int) -> dict[str, Any]:
    return {"target": "ours", "role": role, "tested": True, "cells": 2, "cells_run": cells_run}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = shutil.copy(SCRIPT, folder)
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False, timeout=60)


def test_tables_what_was_seen_is_new_and_what_a_whole_audit_did_not_see_is_gone(tmp_path: Path) -> None:
    (tmp_path / "ours.md").write_text(PAGE, encoding="utf-8")
    findings = [
        found("TLS12-CLIENT-ARGUED", "FAIL went-on"),
        found("TLS12-CLIENT-NEW", "WARNING"),
        found("TLS12-SERVER-UNARGUED", "HANG"),
    ]
    roles = [audited("tls12.client", 2), audited("tls12.server", 1)]
    (tmp_path / "run.json").write_text(json.dumps({"roles": roles, "findings": findings}), encoding="utf-8")
    done = run(tmp_path, str(tmp_path / "run.json"))
    assert (done.returncode, done.stdout) == (1, "ours.md: TLS12-SERVER-UNARGUED fails and has no section\n")
    page = (tmp_path / "ours.md").read_text(encoding="utf-8")
    assert page.splitlines()[-2:] == [
        r"| `TLS12-CLIENT-NEW` (WARNING) | OPEN | STAY | a \| b |",
        "| `TLS12-SERVER-KEPT` | OPEN | STAY | closed |",
    ]
    assert "1 check fails, argued below from the clause. 2 end as a DEVIATION" in page
    assert "GONE" not in page


@pytest.mark.parametrize("text", ["", "[]", "{}"])
def test_tables_file_that_is_no_run_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, encoding="utf-8")
    done = run(tmp_path, str(tmp_path / "run.json"))
    assert done.returncode == 2
    assert "expected the run.json of an audit" in done.stderr
    assert len(done.stderr.splitlines()) == 1
