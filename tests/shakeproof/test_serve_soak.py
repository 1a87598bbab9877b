"""Two thousand connections, good, bad and cut off anywhere, leave nothing behind in the process that served them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.shakeproof.soak import CONNECTIONS, KINDS

ROOT = Path(__file__).parents[2]
LONGEST_S = 300
GROWTH_MOST = 5 << 20
"""Bytes. A connection holds some 100 KiB: one leaked in forty would show."""


@pytest.mark.slow
def test_soak_of_two_thousand_connections_leaves_nothing_behind() -> None:
    # With one arena: how many threads happen to allocate at once would show as memory.
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-m", "tests.shakeproof.soak"]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=LONGEST_S)
    assert (run.returncode, run.stderr) == (0, "")
    soaked = json.loads(run.stdout)
    before, after = soaked["before"], soaked["after"]
    assert soaked["still open"] == 0
    assert soaked["errors"] == []
    assert after["connections"] == before["connections"] == 0
    assert after["tasks"] == before["tasks"]
    assert after["descriptors"] == before["descriptors"]
    assert after["memory"] - before["memory"] < GROWTH_MOST
    assert min(soaked["ends"][kind] for kind in KINDS) > CONNECTIONS // 10
