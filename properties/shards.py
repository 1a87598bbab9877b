"""A part of a machine's examples, run by Hypothesis: what a process of its own can do.

A run is divided into the same parts on any machine, each with a seed of its own, so that its seed says what it is,
whatever the number of processes. Hypothesis only generates: `failures` makes a failing run short.

Where a violation of a lower grade shows first, some more examples are run with such violations passed over, so that a
graver one of the same fault can show.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.errors import Flaky, Unsatisfiable
from hypothesis.stateful import run_state_machine_as_test

from shakeproof.properties.drawn_from import without_constants_of_modules
from shakeproof.properties.failures import Failure, failure_of, make_calls
from shakeproof.properties.machines import MACHINES, PROFILES, Machine, Profile
from shakeproof.properties.recorded import LOWER, Finds, FoundError, RecordedMachine, Tally

SHARDS = 4
"""Parts of a machine's examples. More are shared out better, but each has to come to the rare setups by itself.

A run with a planted fault has one part: a fault that one cell alone shows would else wait for the part that has it.
"""

PROGRESS_EVERY = 10
"""Examples between two reports of progress: about a second."""

GRAVER_WITHIN = 25
"""Examples that may follow a violation of a lower grade: some seconds, in which the words of a setup are tried."""


@dataclass(frozen=True)
class Shard:
    """A part of a machine's examples. index: which of how many; watched: the properties to look at, all if empty."""

    machine: str
    index: int
    parts: int
    profile: str
    rogue: str
    seed: int
    watched: frozenset[str] = frozenset()

    @property
    def examples(self) -> int:
        """How many examples it has."""
        total = examples_of(MACHINES[self.machine], PROFILES[self.profile])
        return total // self.parts + (self.index < total % self.parts)


def examples_of(machine: Machine, profile: Profile) -> int:
    """How many examples a machine has under a profile: at least one in each part."""
    return max(SHARDS, round(profile.examples * machine.weight))


@dataclass(frozen=True)
class ShardProgress:
    """A part has got so far."""

    shard: Shard
    examples: int
    steps: int


@dataclass(frozen=True)
class ShardDone:
    """A part is done. failure: what it found, None where every property held."""

    shard: Shard
    tally: Tally
    seconds: float
    failure: Failure | None


Said: TypeAlias = ShardProgress | ShardDone


def run_shard(shard: Shard, _deadline: float, say: Callable[[ShardProgress], object]) -> ShardDone:
    """Run a part of a machine's examples until it has found something."""
    began = time.monotonic()
    kind = MACHINES[shard.machine].kind
    tally = Tally(share=(shard.index, shard.parts))
    finds = Finds()

    looked = False

    def fresh() -> RecordedMachine:
        made = kind(shard.rogue, tally=tally, watched=shard.watched)
        made.finds, made.passes_over = finds, LOWER
        return made

    def make() -> RecordedMachine:
        nonlocal looked
        if finds.violation is not None and not looked:
            looked = True
            for calls in kind.graver(finds.calls):
                make_calls(fresh(), calls)
        if finds.violation is not None and tally.examples >= finds.example + GRAVER_WITHIN:
            raise FoundError
        if tally.examples % PROGRESS_EVERY == 0:
            say(ShardProgress(shard, tally.examples, tally.steps))
        return fresh()

    try:
        with without_constants_of_modules():
            # Anything that gives a machine will do, says Hypothesis.
            factory: Any = seed(f"{shard.seed} {shard.machine} {shard.index}")(make)
            run_state_machine_as_test(factory, settings=settings_of(PROFILES[shard.profile], shard.examples))
        if PROFILES[shard.profile].whole:
            for calls in kind.rest(tally):
                make_calls(make(), calls)
    except FoundError:
        pass
    except (Flaky, Unsatisfiable):  # a run that was ended looks like both
        if finds.violation is None:
            raise
    failure = None
    if finds.violation is not None:
        found = failure_of(shard.machine, kind, shard.rogue, finds, shard.watched)
        meta = {**found.trace.meta, "seed": shard.seed, "profile": shard.profile}
        failure = replace(found, trace=replace(found.trace, meta=meta))
    return ShardDone(shard, tally.counts(), time.monotonic() - began, failure)


def settings_of(profile: Profile, examples: int) -> settings:
    """Hypothesis' settings for a profile. Nothing is remembered from run to run: a run is its seed."""
    return settings(
        max_examples=examples,
        stateful_step_count=profile.steps,
        deadline=None,
        database=None,
        derandomize=profile.derandomized,
        report_multiple_bugs=False,
        print_blob=False,
        phases=(Phase.generate,),  # `simplify` does the shrinking
        # Steps are bounded by their own loops, and a machine that is slow to choose is still worth its time.
        suppress_health_check=list(HealthCheck),
    )
