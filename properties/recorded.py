"""What the Hypothesis machines share: every step is written down as a call, counted, and can be made again.

A run is a list of calls with plain arguments. It prints as code that can be pasted, and making the calls on a fresh
machine repeats the run, with the trace switched on this time.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from shakeproof.model.trace import Trace
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.safety import Deviated, PropertyViolation, Unadvised

Arguments = Mapping[str, Any]
Step = Callable[..., None]

LOWER: tuple[type[PropertyViolation], ...] = (Deviated, Unadvised)
"""Violations of a lower grade, the graver first: where one shows, the same fault may do worse elsewhere."""


@dataclass
class Tally:
    """What was tried. examples, steps: in all; open_steps: steps in which something reached an endpoint while every one
    was open; reached: how many messages of each kind reached an endpoint that was still open; rules: how often each
    rule ran; rows: how often each row of a table was certainly taken, by its id; words: words of the suite.
    """

    examples: int = 0
    steps: int = 0
    open_steps: int = 0
    words: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)
    share: tuple[int, int] = field(default=(0, 1), compare=False)
    """Which part this is of how many, where what is tried once is shared out."""
    tried: set[object] = field(default_factory=set, compare=False)
    """What need not be tried again: shared by all runs of a machine."""
    picked: dict[object, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """What was picked where, so that a run that begins in the same way goes on in the same way."""

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.examples += other.examples
        self.steps += other.steps
        self.open_steps += other.open_steps
        self.words += other.words
        self.reached.update(other.reached)
        self.rules.update(other.rules)
        self.rows.update(other.rows)

    def counts(self) -> Tally:
        """The numbers alone, which can go to another process."""
        return replace(self, tried=set(), picked={})


class FoundError(BaseException):
    """What was found needs no further run. No Exception: Hypothesis would take that for a failure, and repeat it."""


@dataclass
class Finds:
    """What the runs of a machine found. violation: the gravest, the first of its grade; calls: the run until then;
    alone: what of it should be enough, empty if that is not known; example: which run it was.
    """

    violation: PropertyViolation | None = None
    calls: list[tuple[str, Arguments]] = field(default_factory=list)
    alone: list[tuple[str, Arguments]] = field(default_factory=list)
    example: int = 0

    def take(self, violation: PropertyViolation, machine: RecordedMachine, *, apart: bool = False) -> None:
        """Keep it, where it is graver than what is known."""
        if self.violation is None or gravity(violation) > gravity(self.violation):
            self.violation, self.calls, self.example = violation, list(machine.calls), machine.tally.examples
            self.alone = machine.alone() if apart else []


def gravity(violation: PropertyViolation) -> int:
    """Larger is graver; all that are of no lower grade are equal."""
    return -next((1 + place for place, kind in enumerate(LOWER) if isinstance(violation, kind)), 0)


class RecordedMachine(RuleBasedStateMachine):
    """A machine whose steps are recorded. tally: shared by all runs; watched: the properties to raise, all if empty."""

    summary: ClassVar[str] = ""
    restarts_from: ClassVar[int] = 2
    """Runs of more calls than these, once they are short, are tried anew as `restarts` says."""

    def __init__(
        self,
        rogue: str = "",
        *,
        tally: Tally | None = None,
        watched: frozenset[str] = frozenset(),
        record: bool = False,
    ) -> None:
        super().__init__()
        self.rogue: Rogue | None = ROGUES[rogue] if rogue else None
        self.tally = tally if tally is not None else Tally()
        self.watched = watched
        self.record = record
        self.calls: list[tuple[str, Arguments]] = []
        self.remarks: list[str] = []
        self.violation: PropertyViolation | None = None
        self.met_open = False
        self.tally.examples += 1
        self.finds: Finds | None = None
        self.passes_over: tuple[type[PropertyViolation], ...] = ()

    @classmethod
    def rule_names(cls) -> tuple[str, ...]:
        """The names of its rules."""
        return tuple(name for name in dir(cls) if getattr(getattr(cls, name), STEP, False))

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether every endpoint is open."""

    @abstractmethod
    def trace(self, title: str) -> Trace:
        """What happened since the last connection was opened; only where it was recorded."""

    @classmethod
    def rest(cls, tally: Tally) -> Iterator[list[tuple[str, Arguments]]]:
        """Runs of whatever no run has tried yet, where the machine has something of which all is to be tried."""
        yield from ()

    @classmethod
    def graver(cls, calls: Sequence[tuple[str, Arguments]]) -> Iterator[list[tuple[str, Arguments]]]:
        """Runs in which a fault may do worse that these calls showed as something of a lower grade."""
        yield from ()

    def restarts(self) -> Iterator[list[tuple[str, Arguments]]]:
        """Runs of two calls, the first included, that may show the same as this one did; the plainest first."""
        yield from ()

    def alone(self) -> list[tuple[str, Arguments]]:
        """The calls that are enough for what the last step does on a connection of its own."""
        return [*self.calls[:1], *self.calls[1:][-1:]]

    def remark(self, text: str) -> None:
        """Add to the comment on the current step."""
        if self.remarks:
            self.remarks[-1] += f"; {text}" if self.remarks[-1] else text

    def reach(self, kind: str) -> None:
        """Count a message of that kind that reaches an open endpoint."""
        self.tally.reached[kind] += 1

    def exercise(self, rows: Iterable[str]) -> None:
        """Count rows that were certainly taken, by their ids."""
        self.tally.rows.update(rows)

    def object_to(self, violation: PropertyViolation | None, *, apart: bool = False) -> None:
        """Raise it, unless only other properties are watched. apart: it came of a connection of its own, so that the
        run can go on where such a violation is passed over; else the run ends.

        Raises FoundError instead where finds are kept.
        """
        if violation is None or (self.watched and violation.property not in self.watched):
            return
        if self.finds is not None:
            self.finds.take(violation, self, apart=apart)
        if isinstance(violation, self.passes_over):
            if apart:
                return
            reject()
        self.violation = violation
        raise FoundError if self.finds is not None else violation

    def take(self, method: Step, arguments: Arguments) -> None:
        """One step: write it down, count it, do it."""
        self.calls.append((method.__name__, arguments))
        self.remarks.append("")
        self.tally.steps += 1
        self.tally.rules[method.__name__] += 1
        self.met_open = False
        try:
            method(self, **arguments)
        finally:
            self.tally.open_steps += self.met_open

    def instead(self) -> None:
        """Forget the current step: the calls that it makes stand for it."""
        self.calls.pop()
        self.remarks.pop()
        self.tally.steps -= 1

    def meet(self) -> None:
        """Something is about to reach an endpoint."""
        self.met_open = self.met_open or self.is_open

    def code(self) -> str:
        """The calls so far, as code on `state`."""
        lines = []
        for (name, arguments), remark in zip(self.calls, self.remarks, strict=True):
            given = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
            lines.append(f"state.{name}({given})" + (f"  # {remark}" if remark else ""))
        return "\n".join(lines)


STEP = "_is_step"
"""Marks what is a rule among the methods of a machine."""


def step(**strategies: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """A rule whose calls are recorded."""

    def decorate(method: Step) -> Step:
        decorated: Step = rule(**strategies)(_recorded(method))  # type: ignore[call-overload]  # never a target
        setattr(decorated, STEP, True)
        return decorated

    return decorate


def beginning(**strategies: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """An initializer whose call is recorded."""

    def decorate(method: Step) -> Step:
        decorated: Step = initialize(**strategies)(_recorded(method))  # type: ignore[call-overload]  # never a target
        setattr(decorated, STEP, True)
        return decorated

    return decorate


def recorded(method: Step) -> Step:
    """A method that is recorded as a rule is, for calls that no rule makes as they are."""
    return _recorded(method)


def _recorded(method: Step) -> Step:
    @functools.wraps(method)
    def recorded(self: RecordedMachine, **arguments: Any) -> None:
        self.take(method, arguments)

    return recorded


def offered(options: str) -> st.SearchStrategy[Any]:
    """One of what the machine's method of that name offers now."""
    return st.runner().flatmap(lambda machine: st.sampled_from(getattr(machine, options)()))
