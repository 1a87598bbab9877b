"""Property tests of our implementation, as `shakeproof test` runs them; what they find, and how they say it."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from shakeproof.impl.tls.suites import SUITES_BY_NAME
from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.endpoint_words import MANNERS, SUITE_NAMES, identity, setup_of, words_by_name
from shakeproof.properties.failures import failure_of
from shakeproof.properties.machines import Profile
from shakeproof.properties.recorded import LOWER, Finds
from shakeproof.properties.safety import CLIENT_FOLLOWS_TABLE, DATA_INTACT, PROPERTIES, SERVER_AUTHENTICATED
from shakeproof.properties.shards import SHARDS
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
OPEN_STEPS = 20_000
CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
QUICKLY_FOUND = ("expired-certificate", "certificate-unchecked", "finished-unchecked")


def all_words(role: Role) -> set[object]:
    """What there is to try of a role in all setups, whatever is the same in two of them once."""
    setups = [setup_of(SUITES_BY_NAME[suite], manner) for suite in SUITE_NAMES for manner in MANNERS]
    return {identity(word, setup) for setup in setups for word in words_by_name(role, setup).values()}


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile with two runs in each part."""
    monkeypatch.setitem(PROFILES, "tiny", Profile("tiny", "next to nothing", 2 * SHARDS, 6, whole=False))
    return "tiny"


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """A profile with a third of what `dev` has."""
    monkeypatch.setitem(PROFILES, "small", Profile("small", "a second or two", 20, 12, whole=False))
    return "small"


@pytest.mark.slow
def test_clean_implementation_keeps_every_property(small: str) -> None:
    events: list[TestEvent] = []
    run = run_properties(profile=small, seed=SEED, report=events.append)
    assert run.passed, run.failures[0].text
    assert {result.name for result in run.results} == set(PROPERTIES)
    assert all(result.is_tested for result in run.results)
    assert set(run.tallies) == set(MACHINES)
    assert run.tally.examples >= sum(round(PROFILES[small].examples * m.weight) for m in MACHINES.values())
    assert run.tally.open_steps > run.tally.steps / 2
    assert [type(event) for event in events if not isinstance(event, MachineProgress)] == [
        MachineStarted,
        MachineDone,
    ] * len(MACHINES)


@pytest.mark.slow
def test_same_seed_makes_the_same_run_in_any_number_of_processes() -> None:
    here = run_properties([SERVER_AUTHENTICATED], profile="dev", seed=3)
    there = run_properties([SERVER_AUTHENTICATED], profile="dev", seed=3, jobs=2)
    assert here.tallies == there.tallies
    assert here.passed
    assert there.passed


def test_another_seed_makes_another_run(tiny: str) -> None:
    first, other = (run_properties([SERVER_AUTHENTICATED], profile=tiny, seed=seed) for seed in (3, 4))
    assert first.tallies != other.tallies


@pytest.mark.slow
def test_interrupted_run_leaves_no_process_behind() -> None:
    def interrupt(event: TestEvent) -> None:
        if isinstance(event, MachineProgress):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_properties([SERVER_AUTHENTICATED], profile="deep", seed=SEED, jobs=2, report=interrupt)
    assert multiprocessing.active_children() == []


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


@pytest.mark.slow
def test_properties_can_be_chosen(tiny: str) -> None:
    run = run_properties([DATA_INTACT], profile=tiny, rogue="expired-certificate", seed=SEED)
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
    assert set(run.skipped) >= {"server", "interaction"}
    assert not run.passed


@pytest.mark.parametrize(("rogue", "found_as"), [("early-ccs", "WentOn"), ("padding-alert", "Distinguished")])
def test_what_a_fault_does_worst_is_reported_and_not_what_it_does_first(rogue: str, found_as: str) -> None:
    # What shows first is a second ChangeCipherSpec that is only ignored, and another alert than is required.
    (failure,) = run_properties(profile="ci", rogue=rogue).failures
    assert failure.found_as == found_as
    assert failure.calls == 2
    assert not any(kind.__name__ == failure.found_as for kind in LOWER)


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


@pytest.mark.parametrize(
    ("given", "needs", "left"),
    [
        (b"~\xc1O5\xa2\xe2(", lambda octets: True, b""),
        (b"~\xc1O5\xa2\xe2(", lambda octets: len(octets) >= 3, b"\0\0\0"),
        (b"~\xc1O5\xa2\xe2(", lambda octets: b"5" in octets, b"5"),
        (b"~\xc1O5\xa2\xe2(", lambda octets: octets[2:4] == b"O5", b"\0\0O5"),
    ],
)
def test_simplify_makes_octets_fewer_and_zeros(given: bytes, needs: Callable[[bytes], bool], left: bytes) -> None:
    runs = 0

    def fails(tried: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
        nonlocal runs
        runs += 1
        return len(tried) == 2 and needs(tried[1][1]["garbage"])

    assert simplify([("configure", {}), ("garble", {"garbage": given})], fails)[1:] == [("garble", {"garbage": left})]
    assert runs < 60, "each is a run of the machine"


def test_failure_of_a_truncation_needs_one_octet_of_a_message() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configure", {"suite": "TLS_RSA_WITH_AES_128_CBC_SHA", "manner": "plain"}),
        ("garble", {"after": 5, "garbage": b"~\xc1O5\xa2\xe2(", "keep": 4}),
    ]
    kind = MACHINES["client"].kind
    finds = Finds(repeat(kind, "truncation-unnoticed", calls).violation, [*calls])
    failure = failure_of("client", kind, "truncation-unnoticed", finds, frozenset())
    name, arguments = failure.run[-1]
    assert (name, arguments["garbage"], arguments["keep"]) == ("garble", b"", 1)


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


ARRIVED = "Segment[bare | data | fin, partial | duplicate"
OUT_OF_REACH = {
    "which of the two it was can't be told from outside": (
        "tcp:SYN-RECEIVED:tick user:user_running, reopened:CLOSED",
        "tcp:SYN-RECEIVED:tick user:user_running, reopened:TIME-WAIT",
    ),
    "nothing is sent": ("tcp:TALKING:tick keep-alive:keep_alive_running, retransmission_running | persist_running",),
    "no word sets up both: a gap before a FIN, and something of ours in flight": (
        f"tcp:ESTABLISHED:{ARRIVED}, ~zero, data, filling, fin | filling]:persist_running",
        f"tcp:FIN-WAIT-1:{ARRIVED}, ~zero, data, filling, fin | filling]",
        f"tcp:ESTABLISHED | FIN-WAIT-1:{ARRIVED}, ~zero, data, filling]",
    ),
}
"""Rows that no run is certain to have taken, by the reason."""


def is_out_of_reach(row: str) -> bool:
    """Whether a row is one of these, or fills a gap in SYN-RECEIVED: our TCP holds nothing there."""
    fills = row.startswith("tcp:SYN-RECEIVED:") and "filling" in row
    return fills or any(row in rows for rows in OUT_OF_REACH.values())


@pytest.mark.slow
def test_ci_profile_exercises_every_row_every_rule_and_every_word() -> None:
    run = run_properties(profile="ci", jobs=2)
    assert run.passed, run.failures[0].text
    assert PROFILES["ci"].derandomized
    for kind in ASKED_FOR:
        assert run.tally.reached[kind] >= AT_LEAST, kind
    assert run.idle_rules() == {}
    assert run.tally.open_steps >= OPEN_STEPS
    for coverage in run.coverage():
        assert [row.id for row in coverage.never if not is_out_of_reach(row.id)] == []
        # Rows that another implementation takes where ours takes another: test_conformance has an endpoint take each.
        assert [row.id for row in coverage.choices if row.level is Level.MUST] == []
    for machine, tested in (("client", CLIENT), ("server", SERVER)):
        assert run.tallies[machine].words == len(all_words(tested))


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
    }
    if rogue in needed:
        assert failure.kinds[needed[rogue]]
    machine = MACHINES[failure.machine]
    assert repeat(machine.kind, "", failure.run).violation is None, "the clean implementation fails too"
