"""What the Hypothesis machines share: every step is written down as a call, counted, and can be made again.

A run is a list of calls with plain arguments. It prints as code that can be pasted, and making the calls on a fresh
machine repeats the run, with the trace switched on this time.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from shakeproof.model.trace import Trace
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.safety import PropertyViolation

Arguments = Mapping[str, Any]
Step = Callable[..., None]


@dataclass
class Tally:
    """What was tried. examples, steps: in all; open_steps: steps in which something reached an endpoint while every one
    was open; reached: how many messages of each kind reached an endpoint that was still open.
    """

    examples: int = 0
    steps: int = 0
    open_steps: int = 0
    reached: Counter[str] = field(default_factory=Counter)
    tried: set[object] = field(default_factory=set, compare=False)
    """What need not be tried again: shared by all runs of a machine."""
    picked: dict[object, tuple[str, ...]] = field(default_factory=dict, compare=False)
    """What was picked by which number, so that a run that is repeated picks the same."""

    def add(self, other: Tally) -> None:
        """Take another tally in."""
        self.examples += other.examples
        self.steps += other.steps
        self.open_steps += other.open_steps
        self.reached.update(other.reached)


class RecordedMachine(RuleBasedStateMachine):
    """A machine whose steps are recorded. tally: shared by all runs; watched: the properties to raise, all if empty."""

    summary: ClassVar[str] = ""

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

    @property
    @abstractmethod
    def is_open(self) -> bool:
        """Whether every endpoint is open."""

    @abstractmethod
    def trace(self, title: str) -> Trace:
        """What happened since the last connection was opened; only where it was recorded."""

    def restarts(self) -> Iterator[list[tuple[str, Arguments]]]:
        """Runs of two calls, the first included, that may show the same as this one did; the plainest first."""
        yield from ()

    def remark(self, text: str) -> None:
        """Add to the comment on the current step."""
        if self.remarks:
            self.remarks[-1] += f"; {text}" if self.remarks[-1] else text

    def reach(self, kind: str) -> None:
        """Count a message of that kind that reaches an open endpoint."""
        self.tally.reached[kind] += 1

    def object_to(self, violation: PropertyViolation | None) -> None:
        """Raise it, unless only other properties are watched."""
        if violation is not None and (not self.watched or violation.property in self.watched):
            self.violation = violation
            raise violation

    def take(self, method: Step, arguments: Arguments) -> None:
        """One step: write it down, count it, do it."""
        self.calls.append((method.__name__, arguments))
        self.remarks.append("")
        self.tally.steps += 1
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


def step(**strategies: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """A rule whose calls are recorded."""

    def decorate(method: Step) -> Step:
        decorated: Step = rule(**strategies)(_recorded(method))  # type: ignore[call-overload]  # never a target
        return decorated

    return decorate


def beginning(**strategies: st.SearchStrategy[Any]) -> Callable[[Step], Step]:
    """An initializer whose call is recorded."""

    def decorate(method: Step) -> Step:
        decorated: Step = initialize(**strategies)(_recorded(method))  # type: ignore[call-overload]  # never a target
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
