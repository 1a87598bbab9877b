"""A property that does not hold: the run that showed it made as short as can be, as code that can be pasted, and as a
trace.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from hypothesis.errors import UnsatisfiedAssumption

from shakeproof.model.trace import Trace
from shakeproof.properties.endpoint_words import MANNERS, SUITE_NAMES
from shakeproof.properties.marking import marked
from shakeproof.properties.recorded import LOWER, Arguments, Finds, RecordedMachine, Tally
from shakeproof.properties.safety import PropertyViolation

Calls: TypeAlias = Sequence[tuple[str, Arguments]]
Watched: TypeAlias = frozenset[str]
Passed: TypeAlias = tuple[type[PropertyViolation], ...]

SIMPLIFICATIONS_LIMIT = 400
"""Runs that may be spent on simplifying a failing run: each takes some milliseconds."""


PLAINER = {
    "fragment": ("reorder", ("after", "symbol")),
    "search": ("judge", ("faults",)),
    "cure": ("judge", ("faults",)),
    "clock": ("judge", ("faults",)),
}
"""Calls that do the same in a plainer way: name, and the arguments that are kept."""

EMPTIABLE = frozenset({"faults", "extras"})
"""Arguments that mean something when nothing is left in them."""

SIZES = frozenset({"fragment", "piece"})
"""Arguments of which the smallest value is not the simplest."""


@dataclass(frozen=True)
class Failure:
    """A property that does not hold.

    machine: which one found it; text: what happened, with the clause; code: the run, to be pasted; run: its calls, and
    calls their number; trace: the run, executed; kinds: how many messages of each kind it needed; found_as: the
    violation's class; title, state, input, expected, got: of one that is about one input, as a finding has them.
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
    title: str = ""
    state: str = ""
    input: str = ""
    expected: str = ""
    got: str = ""


def failure_of(machine: str, kind: type[RecordedMachine], rogue: str, finds: Finds, watched: Watched) -> Failure:
    """The failure that a machine found, its run simplified. Raises RuntimeError where the run does not repeat."""
    violation, calls = finds.violation, finds.calls
    assert violation is not None
    passed = () if isinstance(violation, LOWER) else LOWER

    def attempt(tried: Calls, record: bool = False, passes: Passed = passed) -> RecordedMachine | None:
        again = repeat(kind, rogue, tried, watched=watched, record=record, passes=passes)
        found = again.violation
        return again if type(found) is type(violation) and found.property == violation.property else None

    if finds.alone and attempt(finds.alone) is not None:
        calls = finds.alone
    shortest = simplify(calls, lambda tried: attempt(tried) is not None)
    if len(shortest) > kind.restarts_from:
        again = attempt(shortest)
        restarts = again.restarts() if again is not None else ()
        plainest = next((tried for tried in restarts if attempt(tried) is not None), shortest)
        shortest = simplify(plainest, lambda tried: attempt(tried) is not None)
    final = attempt(shortest, record=True, passes=())
    if final is None or final.violation is None:
        raise RuntimeError(f"the run does not repeat itself; please report this: {calls}") from violation
    found = final.violation
    code = as_code(kind, rogue, final, found)
    trace = marked(final.trace(f"{found.property} does not hold"), found)
    return Failure(
        property=found.property,
        machine=machine,
        text=str(found),
        clause=found.clause,
        sentence=found.sentence,
        code=code,
        run=tuple(final.calls),
        calls=len(final.calls),
        trace=replace(trace, meta={**trace.meta, "code": code}),
        kinds=final.tally.reached,
        found_as=type(found).__name__,
        title=found.title,
        state=found.judged[0] if found.judged else "",
        input=found.input,
        expected=found.expected,
        got=found.got,
    )


def repeat(
    kind: type[RecordedMachine],
    rogue: str,
    calls: Calls,
    *,
    watched: Watched = frozenset(),
    record: bool = False,
    passes: Passed = (),
) -> RecordedMachine:
    """A fresh machine on which these calls were made, up to the first violation, which is in its `violation`.

    passes: violations of these classes are passed over.
    """
    machine = kind(rogue, tally=Tally(), watched=watched, record=record)
    machine.passes_over = passes
    with suppress(PropertyViolation):
        make_calls(machine, calls)
    return machine


def make_calls(machine: RecordedMachine, calls: Calls) -> None:
    """Make the calls, as far as they mean something, and tear the machine down. Raises what the calls raise."""
    try:
        for name, arguments in calls:
            getattr(machine, name)(**arguments)
    except UnsatisfiedAssumption:  # nothing can follow a violation that is passed over
        pass
    except LookupError:  # a call refers to what another one, left out, would have made
        pass
    finally:
        machine.teardown()


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
        if key in EMPTIABLE and value:
            yield name, {**arguments, key: ()}


def _smaller(value: Any) -> Iterator[Any]:
    if isinstance(value, bool):
        return
    if isinstance(value, int) and value > 0:
        yield from dict.fromkeys((0, value // 2, value - 1))
    elif isinstance(value, bytes) and value:
        yield from _smaller_bytes(value)
    elif isinstance(value, tuple) and len(value) > 1 and all(isinstance(item, str) for item in value):
        yield from ((*value[:index], *value[index + 1 :]) for index in range(len(value)))


def _smaller_bytes(value: bytes) -> Iterator[bytes]:
    """Fewer octets, then as many with more zeros among them. Large steps come first: each is a run."""
    length = len(value)
    shorter = (b"", value[: length // 2], value[length // 2 :], value[1:], value[:-1])
    yield from dict.fromkeys(each for each in shorter if len(each) < length)
    if any(value):
        yield bytes(length)
    if sum(map(bool, value)) > 1:
        yield from (value[:at] + b"\0" + value[at + 1 :] for at, octet in enumerate(value) if octet)


def as_code(kind: type[RecordedMachine], rogue: str, machine: RecordedMachine, violation: PropertyViolation) -> str:
    """The run as a Python file: run it, or collect it with pytest, and it fails in the same way."""
    name = "test_" + violation.property.replace("-", "_")
    head = "\n".join(f"# {line}" for line in str(violation).splitlines())
    body = "\n".join("    " + line for line in machine.code().splitlines())
    return (
        f"{head}\n"
        f"from {kind.__module__} import {kind.__name__}\n\n\n"
        f"def {name}() -> None:\n"
        f"    state = {kind.__name__}({rogue!r})\n"
        f"{body}\n"
        f"    state.teardown()\n\n\n"
        f'if __name__ == "__main__":\n'
        f"    {name}()\n"
    )
