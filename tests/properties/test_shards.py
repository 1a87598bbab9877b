"""Parts of a run: what each tries, which of their results count, and when Hypothesis is stopped."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis.internal.conjecture import providers

from shakeproof.impl.tls.suites import SUITES_BY_NAME
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties import shards
from shakeproof.properties.drawn_from import without_constants_of_modules
from shakeproof.properties.endpoint_words import SUITE_NAMES, setup_of, untried, words_by_name
from shakeproof.properties.failures import Failure, repeat
from shakeproof.properties.machines import MACHINES, PROFILES
from shakeproof.properties.recorded import LOWER, Finds, FoundError, RecordedMachine, Tally
from shakeproof.properties.safety import CLIENT_FOLLOWS_TABLE, Deviated, PropertyViolation, Unadvised, WentOn
from shakeproof.properties.shards import (
    SHARDS,
    Shard,
    ShardDone,
    ShardProgress,
    examples_of,
    run_shard,
)
from shakeproof.properties.stateful import Board, MachineDone, MachineStarted, PropertyResult, TestEvent, TestRun

CBC = "TLS_RSA_WITH_AES_128_CBC_SHA"


@pytest.mark.parametrize("name", ["tls12.client", "tls12.server"])
def test_every_word_belongs_to_one_part(name: str) -> None:
    role = ROLES[name]
    for suite in SUITE_NAMES[:3]:
        setup = setup_of(SUITES_BY_NAME[suite])
        parts = [untried(role, setup, set(), (part, SHARDS)) for part in range(SHARDS)]
        assert Counter(map(id, words_by_name(role, setup).values())) == Counter(id(w) for part in parts for w in part)
        assert min(map(len, parts)) > max(map(len, parts)) / 2


def test_examples_of_the_parts_are_those_of_the_machine() -> None:
    for machine in MACHINES.values():
        for name, profile in PROFILES.items():
            parts = [Shard(machine.name, index, SHARDS, name, "", 0) for index in range(SHARDS)]
            assert sum(shard.examples for shard in parts) == examples_of(machine, profile)
            assert all(shard.examples for shard in parts)


def test_what_no_example_came_to_is_left_to_the_rest() -> None:
    kind = MACHINES["client"].kind
    tally = Tally(share=(1, SHARDS))
    runs = list(kind.rest(tally))
    names = [name for _, (_, arguments) in runs for name in arguments["words"]]
    setup = setup_of(SUITES_BY_NAME[CBC])
    assert {word.text[-1] for word in untried(ROLES["tls12.client"], setup, set(), tally.share)} <= {
        name.split(" -> ")[-1] for name in names
    }
    assert list(kind.rest(tally)) == []
    assert repeat(kind, "", runs[0]).violation is None


# ------------------------------------------------------------------------------------------------- which results count


def failure(machine: str) -> Failure:
    return Failure(
        CLIENT_FOLLOWS_TABLE, machine, "text", "clause", "", "code", (), Trace("t", (), ()), Counter(), "WentOn", 2
    )


@dataclass
class Heard:
    """A board that was told results in some order."""

    run: TestRun
    board: Board
    events: list[TestEvent]

    def done(self, machine: str, index: int, *, fails: bool = False) -> None:
        shard = self.shard(machine, index)
        tally = Tally(examples=1, steps=10**index)
        self.board.hear(ShardProgress(shard, 1, 1))
        self.board.hear(ShardDone(shard, tally, 1.0, failure(f"{machine} {index}") if fails else None))

    def needs(self, machine: str, index: int) -> bool:
        return self.board.needs(self.shard(machine, index))

    def shard(self, machine: str, index: int) -> Shard:
        return Shard(machine, index, self.board.parts, "dev", self.run.rogue, 0)


def heard(rogue: str = "") -> Heard:
    run = TestRun("dev", rogue, 0, [PropertyResult(CLIENT_FOLLOWS_TABLE, "", ("client", "interaction"))])
    events: list[TestEvent] = []
    return Heard(run, Board(run, [MACHINES["client"], MACHINES["interaction"]], events.append), events)


def test_first_part_that_failed_counts_whoever_is_done_first() -> None:
    told = heard()
    told.done("client", 2, fails=True)
    assert told.needs("client", 0)
    assert not told.needs("client", 3)
    assert told.needs("interaction", 0)
    assert told.run.failures == []
    told.done("client", 1, fails=True)
    assert not told.needs("client", 2)
    told.done("client", 0)
    assert [one.machine for one in told.run.failures] == ["client 1"]
    assert told.run.tallies["client"].steps == 11


def test_machines_are_concluded_in_their_order() -> None:
    told = heard()
    for machine in ("interaction", "client"):
        for index in reversed(range(SHARDS)):
            told.done(machine, index)
    done = [(type(event), event.machine) for event in told.events if isinstance(event, MachineStarted | MachineDone)]
    assert done[-2:] == [(MachineDone, "client"), (MachineDone, "interaction")]
    assert {MachineStarted: 2, MachineDone: 2} == Counter(kind for kind, _ in done)


def test_found_rogue_makes_later_machines_needless() -> None:
    told = heard("early-ccs")
    told.done("interaction", 0, fails=True)
    assert told.needs("client", 0)
    told.done("client", 0, fails=True)
    assert not told.needs("interaction", 0)
    assert [one.machine for one in told.run.failures] == ["client 0"]
    assert set(told.run.skipped) == {"interaction"}
    assert all(event.machine == "client" for event in told.events)


# -------------------------------------------------------------------------------------------------- what is passed over


def violation(kind: type[PropertyViolation]) -> PropertyViolation:
    return kind("text", property=CLIENT_FOLLOWS_TABLE)


def finding() -> RecordedMachine:
    machine = MACHINES["client"].kind()
    machine.finds, machine.passes_over = Finds(), LOWER
    return machine


def test_lower_grade_is_passed_over_and_kept_until_something_graver_shows() -> None:
    machine = finding()
    assert machine.finds is not None
    for kind in (Unadvised, Deviated, Unadvised):
        machine.object_to(violation(kind), apart=True)
    assert isinstance(machine.finds.violation, Deviated)
    with pytest.raises(FoundError):
        machine.object_to(violation(WentOn), apart=True)
    assert isinstance(machine.finds.violation, WentOn)


@pytest.mark.slow
def test_fault_of_a_lower_grade_only_is_found_within_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "GRAVER_WITHIN", 2)
    done = run_shard(Shard("client", 0, 1, "ci", "endless-warnings", 0), math.inf, lambda _: None)
    assert done.failure is not None
    assert done.failure.found_as == "Unadvised"
    assert 2 < done.tally.examples < PROFILES["ci"].examples / 4


# ------------------------------------------------------------------------------------------------------ only its seed


def test_hypothesis_draws_no_constants_of_modules(tmp_path: Path) -> None:
    assert len(providers.HypothesisProvider(None)._local_constants) >= 0
    with without_constants_of_modules():
        assert len(providers.HypothesisProvider(None)._local_constants) == 0
