"""Property tests of our own implementation: every Hypothesis machine, run under a profile, with what came of it.

`run_properties` runs the machines that check the named properties, in parts that can run in processes of their own; a
failure comes with the shortest run that was found, as code that can be pasted, and as a trace.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from shakeproof.model.roles import ROLES
from shakeproof.properties.adversary import VERBS
from shakeproof.properties.coverage import Coverage, coverage_of
from shakeproof.properties.endpoint_machine import ClientMachine, ServerMachine
from shakeproof.properties.failures import Failure, repeat, simplify
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.properties.machines import MACHINES, PROFILES, Machine
from shakeproof.properties.recorded import Tally
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.safety import PROPERTIES
from shakeproof.properties.shards import SHARDS, Said, Shard, ShardDone, ShardProgress, examples_of, run_shard
from shakeproof.properties.tcp_machine import TcpMachine
from shakeproof.properties.workers import run_in_processes

__all__ = [
    "MACHINES",
    "PROFILES",
    "PROPERTIES",
    "VERBS",
    "ClientMachine",
    "Failure",
    "InteractionMachine",
    "MachineDone",
    "MachineProgress",
    "MachineStarted",
    "PropertyResult",
    "ServerMachine",
    "TcpMachine",
    "TestRun",
    "repeat",
    "run_properties",
    "simplify",
]

CI_SEED = 0
"""The seed of a profile that always runs the same examples."""


@dataclass
class PropertyResult:
    """What is known of one property. tally: of all the machines that check it; machines: those that ran."""

    name: str
    sentence: str
    machines: tuple[str, ...]
    tally: Tally = field(default_factory=Tally)
    failures: list[Failure] = field(default_factory=list)

    @property
    def is_tested(self) -> bool:
        """Whether anything ran."""
        return self.tally.steps > 0

    @property
    def passed(self) -> bool:
        """Whether it held in everything that ran."""
        return self.is_tested and not self.failures


@dataclass
class TestRun:
    """A whole run. tallies, seconds_of: by machine; skipped: machines that were left out, with the reason."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    profile: str
    rogue: str
    seed: int
    results: list[PropertyResult] = field(default_factory=list)
    tallies: dict[str, Tally] = field(default_factory=dict)
    seconds_of: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def failures(self) -> list[Failure]:
        """All failures, one for each machine that found one."""
        return [failure for result in self.results for failure in result.failures]

    @property
    def passed(self) -> bool:
        """Whether every property that was asked for held."""
        return not self.failures and all(result.is_tested for result in self.results)

    @property
    def tally(self) -> Tally:
        """Of all machines together."""
        total = Tally()
        for tally in self.tallies.values():
            total.add(tally)
        return total

    def coverage(self) -> list[Coverage]:
        """What was exercised of the table of each role that machines tested."""
        rows = self.tally.rows
        roles = dict.fromkeys(role for name in self.tallies for role in MACHINES[name].roles)
        return [coverage_of(ROLES[role], rows) for role in roles]

    def idle_rules(self) -> dict[str, tuple[str, ...]]:
        """The rules that never ran, by machine."""
        idle = {
            name: tuple(rule for rule in MACHINES[name].kind.rule_names() if not tally.rules[rule])
            for name, tally in self.tallies.items()
        }
        return {name: rules for name, rules in idle.items() if rules}


@dataclass(frozen=True)
class MachineStarted:
    """A machine is about to run so many examples."""

    machine: str
    sentence: str
    examples: int


@dataclass(frozen=True)
class MachineProgress:
    """A machine has got so far. runs, steps: of all its parts; examples: how many runs were planned."""

    machine: str
    runs: int
    steps: int
    examples: int


@dataclass(frozen=True)
class MachineDone:
    """A machine is done. seconds: of all its parts; failure: what it found, None where every property held."""

    machine: str
    tally: Tally
    seconds: float
    failure: Failure | None


TestEvent: TypeAlias = MachineStarted | MachineProgress | MachineDone
Report: TypeAlias = Callable[[TestEvent], object]


def ignore(_: TestEvent) -> None:
    """A reporter that does nothing."""


def run_properties(
    names: Sequence[str] = (),
    *,
    profile: str,
    rogue: str = "",
    seed: int | None = None,
    jobs: int = 1,
    report: Report = ignore,
) -> TestRun:
    """Test properties of our implementation, all where none is named, under a profile.

    rogue: plant this fault; machines whose roles it does not concern are skipped, and those after the one that found
    it. seed: of the random choices; None takes the profile's own, or one from the clock where it has none. jobs:
    processes, on which nothing depends but the time; a rogue is looked for in this one. Raises KeyError for a name that
    does not exist.
    """
    chosen = PROFILES[profile]
    wanted = tuple(names) or tuple(PROPERTIES)
    unknown = [name for name in wanted if name not in PROPERTIES] + [rogue] * (bool(rogue) and rogue not in ROGUES)
    if unknown:
        raise KeyError(unknown[0])
    if seed is None:
        seed = CI_SEED if chosen.derandomized else time.time_ns() % 100_000
    run = TestRun(profile, rogue, seed)
    run.results = [
        PropertyResult(name, PROPERTIES[name], tuple(m.name for m in MACHINES.values() if name in m.properties))
        for name in wanted
    ]
    began = time.monotonic()
    machines: list[Machine] = []
    for machine in MACHINES.values():
        if not set(machine.properties) & set(wanted):
            continue
        if rogue and not machine.concerns(ROGUES[rogue]):
            where = f"not planted in a {machine.plants}" if machine.plants else "a fault of another role"
            run.skipped[machine.name] = f"the rogue {rogue} is {where}"
            continue
        machines.append(machine)
    board = Board(run, machines, report)
    watched = frozenset(names)
    shards = [
        Shard(m.name, index, board.parts, profile, rogue, seed, watched)
        for m in machines
        for index in range(board.parts)
    ]
    if jobs > 1 and len(shards) > 1 and not rogue:  # most faults show before another process has begun
        weights = dict.fromkeys(shards, 1)
        run_in_processes(run_shard, shards, weights, math.inf, min(jobs, len(shards)), board.hear, board.needs)
    else:
        for shard in shards:
            if board.needs(shard):
                board.hear(run_shard(shard, math.inf, board.hear))
    run.seconds = time.monotonic() - began
    return run


class Board:
    """Where everything that the parts say comes together, in the order of machines and parts whoever is done first."""

    def __init__(self, run: TestRun, machines: Sequence[Machine], report: Report) -> None:
        self.run, self.machines, self.report = run, list(machines), report
        self.parts = 1 if run.rogue else SHARDS
        self._order = {machine.name: place for place, machine in enumerate(machines)}
        self._started: set[str] = set()
        self._so_far: dict[str, dict[int, tuple[int, int]]] = {machine.name: {} for machine in machines}
        self._done: dict[str, dict[int, ShardDone]] = {machine.name: {} for machine in machines}

    def needs(self, shard: Shard) -> bool:
        """Whether the shard's result counts: nothing before it failed, in its machine, or anywhere if a rogue is
        looked for.
        """
        return not any(
            done.failure is not None
            and (
                (done.shard.machine == shard.machine and done.shard.index < shard.index)
                or (bool(self.run.rogue) and self._order[done.shard.machine] < self._order[shard.machine])
            )
            for parts in self._done.values()
            for done in parts.values()
        )

    def hear(self, said: Said) -> None:
        """One thing that a part says."""
        if isinstance(said, ShardProgress):
            self._so_far[said.shard.machine][said.shard.index] = (said.examples, said.steps)
            if self.needs(said.shard):
                self._tell_progress(said.shard.machine)
        else:
            self._done[said.shard.machine][said.shard.index] = said
            self._so_far[said.shard.machine][said.shard.index] = (said.tally.examples, said.tally.steps)
            self._conclude()

    def _tell_progress(self, name: str) -> None:
        examples = examples_of(MACHINES[name], PROFILES[self.run.profile])
        if self.run.rogue and any(other.name not in self.run.tallies for other in self.machines[: self._order[name]]):
            return  # whether it runs at all is not settled
        if name not in self._started:
            self._started.add(name)
            self.report(MachineStarted(name, MACHINES[name].kind.summary, examples))
        runs, steps = (sum(numbers) for numbers in zip(*self._so_far[name].values(), strict=True))
        self.report(MachineProgress(name, runs, steps, examples))

    def _conclude(self) -> None:
        """Conclude every machine of which all that counts is known; in their order."""
        for machine in self.machines:
            name = machine.name
            if name in self.run.tallies or name in self.run.skipped:
                continue
            if self.run.rogue and self.run.failures:
                self.run.skipped[name] = "the planted fault was found already"
                continue
            counted: list[ShardDone] = []
            for index in range(self.parts):
                done = self._done[name].get(index)
                if done is None:
                    return
                counted.append(done)
                if done.failure is not None:
                    break
            self._finish(machine, counted)

    def _finish(self, machine: Machine, counted: Sequence[ShardDone]) -> None:
        tally = self.run.tallies[machine.name] = Tally()
        for done in counted:
            tally.add(done.tally)
        failure = counted[-1].failure
        for result in self.run.results:
            if result.name in machine.properties:
                result.tally.add(tally)
            if failure is not None and result.name == failure.property:
                result.failures.append(failure)
        seconds = self.run.seconds_of[machine.name] = sum(done.seconds for done in counted)
        self._tell_progress(machine.name)
        self.report(MachineDone(machine.name, tally, seconds, failure))
