"""Property tests of our implementation, as `shakeproof test` runs them; what they find, and how they say it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shakeproof.model.trace import Trace
from shakeproof.properties.safety import CLIENT_FOLLOWS_TABLE, DATA_INTACT, PROPERTIES, SERVER_AUTHENTICATED
from shakeproof.properties.stateful import (
    MACHINES,
    PROFILES,
    MachineDone,
    MachineProgress,
    MachineStarted,
    TestEvent,
    repeat,
    run_properties,
    simplify,
)

SEED = 1
ASKED_FOR = ("reordered", "replayed", "forged", "expired certificate")
AT_LEAST = 200
QUICKLY_FOUND = ("expired-certificate", "certificate-unchecked", "finished-unchecked")


def test_clean_implementation_keeps_every_property() -> None:
    events: list[TestEvent] = []
    run = run_properties(profile="dev", seed=SEED, report=events.append)
    assert run.passed, run.failures[0].text
    assert {result.name for result in run.results} == set(PROPERTIES)
    assert all(result.is_tested for result in run.results)
    assert set(run.tallies) == set(MACHINES)
    assert run.tally.examples >= sum(round(PROFILES["dev"].examples * m.weight) for m in MACHINES.values())
    assert run.tally.open_steps > run.tally.steps / 2
    assert [type(event) for event in events if not isinstance(event, MachineProgress)] == [
        MachineStarted,
        MachineDone,
    ] * len(MACHINES)


def test_same_seed_makes_the_same_run() -> None:
    first, second = (run_properties([SERVER_AUTHENTICATED], profile="dev", seed=3) for _ in range(2))
    other = run_properties([SERVER_AUTHENTICATED], profile="dev", seed=4)
    assert first.tallies == second.tallies != other.tallies


@pytest.mark.parametrize("rogue", QUICKLY_FOUND)
def test_rogue_is_found_with_a_run_that_can_be_pasted(rogue: str, tmp_path: Path) -> None:
    run = run_properties(profile="ci", rogue=rogue)
    assert not run.passed
    (failure,) = run.failures
    assert failure.calls == 2
    assert failure.clause.startswith("RFC ")
    assert failure.text.startswith(failure.property)

    file = tmp_path / "test_pasted.py"
    file.write_text(failure.code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 1
    assert f"{failure.found_as}: {failure.text.splitlines()[0]}" in done.stderr

    assert failure.trace.messages()
    assert failure.trace.meta["code"] == failure.code
    assert Trace.from_json(failure.trace.to_json()) == failure.trace


def test_properties_can_be_chosen() -> None:
    run = run_properties([DATA_INTACT], profile="dev", rogue="expired-certificate", seed=SEED)
    assert [result.name for result in run.results] == [DATA_INTACT]
    assert run.passed
    assert "server" in run.skipped
    with pytest.raises(KeyError, match="data-intakt"):
        run_properties(["data-intakt"], profile="dev")
    with pytest.raises(KeyError, match="early-csc"):
        run_properties(profile="dev", rogue="early-csc")


def test_found_rogue_leaves_later_machines_out_and_says_so() -> None:
    run = run_properties(profile="dev", rogue="certificate-unchecked", seed=SEED)
    assert [failure.machine for failure in run.failures] == ["client"]
    assert run.failures[0].property == CLIENT_FOLLOWS_TABLE
    assert set(run.skipped) == {"server", "interaction"}
    assert not run.passed


def test_simplify_leaves_out_and_makes_smaller() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configure", {"suite": "x"}),
        ("deliver", {"count": 5}),
        ("fragment", {"after": 6, "symbol": "s", "fragment": 3, "piece": 9}),
        ("certificate_defect", {"defects": ("a", "b", "c")}),
    ]

    def fails(tried: object) -> bool:
        text = str(tried)
        return "'s'" in text and "'b'" in text

    assert simplify(calls, fails) == [
        ("configure", {"suite": "x"}),
        ("reorder", {"after": 0, "symbol": "s"}),
        ("certificate_defect", {"defects": ("b",)}),
    ]


def test_repeat_stops_at_the_first_violation() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configure", {"suite": "TLS_RSA_WITH_AES_128_CBC_SHA"}),
        ("certificate_defect", {"defects": ("expired",)}),
        ("deliver", {"count": 1}),
    ]
    kind = MACHINES["client"].kind
    assert repeat(kind, "", calls).violation is None
    found = repeat(kind, "expired-certificate", calls)
    assert found.violation is not None
    assert len(found.calls) == 2


def test_a_run_that_ends_in_a_replay_is_shown_from_a_first_connection() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configure", {"suite": "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"}),
        ("deliver", {"count": 5}),
        ("close", {"after": 0, "how": "close_notify"}),
        ("replay", {"after": 2, "message": 3}),
    ]
    machine = repeat(MACHINES["client"].kind, "missing-ske", calls)
    assert machine.violation is not None
    assert any(repeat(type(machine), "missing-ske", tried).violation for tried in machine.restarts())


@pytest.mark.slow
def test_ci_profile_reaches_open_endpoints_often_enough() -> None:
    run = run_properties(profile="ci")
    assert run.passed, run.failures[0].text
    assert PROFILES["ci"].derandomized
    for kind in ASKED_FOR:
        assert run.tally.reached[kind] >= AT_LEAST, kind


FOUND_IN_CI = (
    "early-ccs",
    "skip-to-finished",
    "missing-ske",
    "ske-under-rsa",
    "goto-fail",
    "finished-unchecked",
    "mac-unchecked",
    "padding-unchecked",
    "expired-certificate",
    "wrong-name",
    "certificate-unchecked",
    "robot",
    "heartbleed",
    "endless-warnings",
    "resumed-under-other-name",
)
"""One of each kind; `shakeproof rogues` looks for all of them, which takes some minutes."""


@pytest.mark.slow
@pytest.mark.parametrize("rogue", FOUND_IN_CI)
def test_ci_profile_finds_a_rogue_of_each_kind(rogue: str) -> None:
    run = run_properties(profile="ci", rogue=rogue)
    assert run.failures, "not found"
    (failure,) = run.failures
    assert failure.calls <= 3
    needed = {
        "early-ccs": "reordered",
        "missing-ske": "reordered",
        "goto-fail": "forged",
        "finished-unchecked": "forged",
        "expired-certificate": "expired certificate",
    }
    if rogue in needed:
        assert failure.kinds[needed[rogue]]
    machine = MACHINES[failure.machine]
    assert repeat(machine.kind, "", failure.run).violation is None, "the clean implementation fails too"
