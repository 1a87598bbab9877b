"""Property tests of our own implementation: every Hypothesis machine, run under a profile, with what came of it.

Three machines: our client against a scripted server, our server against a scripted client, and both with an attacker
between them. `run_properties` runs those that check the named properties; a failure comes with the shortest run that
was found, as code that can be pasted, and as a trace.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from shakeproof.model.trace import Trace
from shakeproof.properties.adversary import VERBS
from shakeproof.properties.endpoint_base import MANNERS, SUITE_NAMES
from shakeproof.properties.endpoint_machine import ClientMachine, ServerMachine
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.properties.recorded import Arguments, RecordedMachine, Tally
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.safety import (
    AGREEMENT,
    CLEAN_FAILURE,
    CLIENT_FOLLOWS_TABLE,
    COMPLETION,
    DATA_INTACT,
    NOTHING_IN_THE_CLEAR,
    PROPERTIES,
    SERVER_AUTHENTICATED,
    SERVER_FOLLOWS_TABLE,
    PropertyViolation,
)

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
    "TestRun",
    "run_properties",
]

Calls: TypeAlias = Sequence[tuple[str, Arguments]]

CI_SEED = 0
"""The seed of a profile that always runs the same examples."""

PROGRESS_EVERY = 25
"""Examples between two reports of progress: about a second."""

SIMPLIFICATIONS_LIMIT = 400
"""Runs that may be spent on simplifying a failing run: each takes some milliseconds."""


PLAINER = {"fragment": ("reorder", ("after", "symbol"))}
"""Calls that do the same in a plainer way: name, and the arguments that are kept."""

SIZES = frozenset({"fragment", "piece"})
"""Arguments of which the smallest value is not the simplest."""


@dataclass(frozen=True)
class Machine:
    """A machine. properties: those that it checks; roles: the roles that it tests; weight: its share of examples."""

    name: str
    kind: type[RecordedMachine]
    properties: tuple[str, ...]
    roles: tuple[str, ...]
    weight: float


_LISTED = (
    Machine("client", ClientMachine, (CLIENT_FOLLOWS_TABLE, DATA_INTACT, CLEAN_FAILURE), ("tls12.client",), 1.0),
    Machine("server", ServerMachine, (SERVER_FOLLOWS_TABLE, DATA_INTACT, CLEAN_FAILURE), ("tls12.server",), 0.8),
    Machine(
        "interaction",
        InteractionMachine,
        (
            SERVER_AUTHENTICATED,
            DATA_INTACT,
            NOTHING_IN_THE_CLEAR,
            AGREEMENT,
            COMPLETION,
            CLEAN_FAILURE,
            CLIENT_FOLLOWS_TABLE,
            SERVER_FOLLOWS_TABLE,
        ),
        ("tls12.client", "tls12.server"),
        0.6,
    ),
)
MACHINES: dict[str, Machine] = {machine.name: machine for machine in _LISTED}
"""The machines by name."""


@dataclass(frozen=True)
class Profile:
    """How much is tried. examples: runs of a machine of weight 1; steps: rules of one run."""

    name: str
    sentence: str
    examples: int
    steps: int
    derandomized: bool = False


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("dev", "a few seconds, other runs each time", 60, 12),
        Profile("ci", "one to two minutes, the same runs each time", 500, 14, derandomized=True),
        Profile("deep", "as long as a coffee break, other runs each time", 12_000, 25),
    )
}
"""The profiles by name."""


@dataclass(frozen=True)
class Failure:
    """A property that does not hold.

    machine: which one found it; text: what happened, with the clause; code: the run, to be pasted; run: its calls, and
    calls their number; trace: the run, executed; kinds: how many messages of each kind it needed; found_as: the
    violation's class.
    """

    property: str
    machine: str
    text: str
    clause: str
    sentence: str
    code: str
    run: tuple[tuple[str, Arguments], ...]
    trace: Trace
    kinds: Counter[str]
    found_as: str
    calls: int


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


@dataclass(frozen=True)
class MachineStarted:
    """A machine is about to run so many examples."""

    machine: str
    sentence: str
    examples: int


@dataclass(frozen=True)
class MachineProgress:
    """A machine has got so far."""

    machine: str
    tally: Tally
    examples: int


@dataclass(frozen=True)
class MachineDone:
    """A machine is done; failure: what it found, None where every property held."""

    machine: str
    tally: Tally
    seconds: float
    failure: Failure | None


TestEvent: TypeAlias = MachineStarted | MachineProgress | MachineDone
Report: TypeAlias = Callable[[TestEvent], object]


def ignore(_: TestEvent) -> None:
    """A reporter that does nothing."""


def run_properties(
    names: Sequence[str] = (), *, profile: str, rogue: str = "", seed: int | None = None, report: Report = ignore
) -> TestRun:
    """Test properties of our implementation, all where none is named, under a profile.

    rogue: plant this fault; machines whose roles it does not concern are skipped. seed: of the random choices; None
    takes the profile's own, or one from the clock where it has none. Raises KeyError for a name that does not exist.
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
        PropertyResult(name, PROPERTIES[name], tuple(m.name for m in _LISTED if name in m.properties))
        for name in wanted
    ]
    began = time.monotonic()
    for machine in _LISTED:
        if not set(machine.properties) & set(wanted):
            continue
        if rogue and not set(machine.roles) & set(ROGUES[rogue].roles):
            run.skipped[machine.name] = f"the rogue {rogue} is a fault of another role"
            continue
        if rogue and run.failures:
            run.skipped[machine.name] = "the planted fault was found already"
            continue
        _run_machine(machine, chosen, run, frozenset(names), report)
    run.seconds = time.monotonic() - began
    return run


def _run_machine(machine: Machine, profile: Profile, run: TestRun, watched: frozenset[str], report: Report) -> None:
    began = time.monotonic()
    examples = max(1, round(profile.examples * machine.weight))
    tally = run.tallies[machine.name] = Tally()
    report(MachineStarted(machine.name, machine.kind.summary, examples))
    last: list[RecordedMachine] = []

    def make() -> RecordedMachine:
        if tally.examples % PROGRESS_EVERY == 0:
            report(MachineProgress(machine.name, tally, examples))
        made = machine.kind(run.rogue, tally=tally, watched=watched)
        last[:] = [made]
        return made

    failure = None
    try:
        factory: Any = seed(run.seed)(make)  # anything that gives a machine will do, says Hypothesis
        run_state_machine_as_test(factory, settings=settings_of(profile, examples))
    except PropertyViolation as violation:
        failure = _failure(machine, run, watched, last[0].calls, violation)
    for result in run.results:
        if result.name in machine.properties:
            result.tally.add(tally)
        if failure is not None and result.name == failure.property:
            result.failures.append(failure)
    run.seconds_of[machine.name] = time.monotonic() - began
    report(MachineDone(machine.name, tally, run.seconds_of[machine.name], failure))


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


# ------------------------------------------------------------------------------------------------------------- failures


def _failure(
    machine: Machine, run: TestRun, watched: frozenset[str], calls: Calls, violation: PropertyViolation
) -> Failure:
    def attempt(tried: Calls, record: bool = False) -> RecordedMachine | None:
        again = repeat(machine.kind, run.rogue, tried, watched=watched, record=record)
        found = again.violation
        return again if type(found) is type(violation) and found.property == violation.property else None

    shortest = simplify(calls, lambda tried: attempt(tried) is not None)
    if len(shortest) > 2:
        again = attempt(shortest)
        restarts = again.restarts() if again is not None else ()
        plainest = next((tried for tried in restarts if attempt(tried) is not None), shortest)
        shortest = simplify(plainest, lambda tried: attempt(tried) is not None)
    final = attempt(shortest, record=True)
    if final is None or final.violation is None:
        raise RuntimeError(f"the run does not repeat itself; please report this: {calls}") from violation
    found = final.violation
    code = as_code(machine.kind, run.rogue, final, found)
    trace = final.trace(f"{found.property}: {found.text}")
    return Failure(
        property=found.property,
        machine=machine.name,
        text=str(found),
        clause=found.clause,
        sentence=found.sentence,
        code=code,
        run=tuple(final.calls),
        calls=len(final.calls),
        trace=replace(trace, meta={**trace.meta, "code": code, "seed": run.seed, "profile": run.profile}),
        kinds=final.tally.reached,
        found_as=type(found).__name__,
    )


def repeat(
    kind: type[RecordedMachine],
    rogue: str,
    calls: Calls,
    *,
    watched: frozenset[str] = frozenset(),
    record: bool = False,
) -> RecordedMachine:
    """A fresh machine on which these calls were made, up to the first violation, which is in its `violation`."""
    machine = kind(rogue, tally=Tally(), watched=watched, record=record)
    try:
        for name, arguments in calls:
            getattr(machine, name)(**arguments)
    except (
        PropertyViolation,
        LookupError,
    ):  # LookupError: a call refers to what another one, left out, would have made
        pass
    finally:
        machine.teardown()
    return machine


def simplify(calls: Calls, fails: Callable[[Calls], bool]) -> list[tuple[str, Arguments]]:
    """The calls with whatever can be left out left out, and the rest made smaller, as long as it still fails.

    It works on calls, which is what is printed, and takes tens of runs where Hypothesis' own shrinking of the choices
    behind them took hundreds and left calls in that only switched rules on or off. The first call is kept: it
    configures the machine.
    """
    left = itertools.count(SIMPLIFICATIONS_LIMIT, -1)

    def still(tried: Calls) -> bool:
        return next(left) > 0 and fails(tried)

    best = list(calls)
    for kept in (1, 2, 4):
        if kept < len(best) - 1 and still([best[0], *best[-kept:]]):
            best = [best[0], *best[-kept:]]
    progress = True
    while progress:
        progress = False
        for index in range(len(best) - 1, 0, -1):
            if still(best[:index] + best[index + 1 :]):
                best, progress = best[:index] + best[index + 1 :], True
        for index in range(len(best)):
            for plainer in _plainer(*best[index]):
                if still([*best[:index], plainer, *best[index + 1 :]]):
                    best, progress = [*best[:index], plainer, *best[index + 1 :]], True
                    break
    return best


def _plainer(name: str, arguments: Arguments) -> Iterator[tuple[str, Arguments]]:
    """Plainer calls, the plainest first."""
    if name in PLAINER:
        other, kept = PLAINER[name]
        if set(kept) <= set(arguments):
            yield other, {key: arguments[key] for key in kept}
    for key, value in arguments.items():
        order = next((names for names in (SUITE_NAMES, list(MANNERS)) if value in names), [])
        candidates = order[: order.index(value)] if order else _smaller(value)
        if key not in SIZES:
            yield from ((name, {**arguments, key: smaller}) for smaller in candidates)


def _smaller(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        return
    if isinstance(value, int) and value > 0:
        yield from dict.fromkeys((0, value // 2, value - 1))
    elif isinstance(value, tuple) and len(value) > 1 and all(isinstance(item, str) for item in value):
        yield from ((*value[:index], *value[index + 1 :]) for index in range(len(value)))


def as_code(kind: type[RecordedMachine], rogue: str, machine: RecordedMachine, violation: PropertyViolation) -> str:
    """The run as a Python file: run it, or collect it with pytest, and it fails in the same way."""
    name = "test_" + violation.property.replace("-", "_")
    head = "\n".join(f"# {line}" for line in str(violation).splitlines())
    body = "\n".join("    " + line for line in machine.code().splitlines())
    return (
        f"{head}\n"
        f"from shakeproof.properties.stateful import {kind.__name__}\n\n\n"
        f"def {name}() -> None:\n"
        f"    state = {kind.__name__}({rogue!r})\n"
        f"{body}\n"
        f"    state.teardown()\n\n\n"
        f'if __name__ == "__main__":\n'
        f"    {name}()\n"
    )
