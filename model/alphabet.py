"""What the rows of a table speak of: messages and what they say, timers, states.

`Message[a, b & ~c]` is a pattern; a message with one value for each of its facts is a symbol.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

from shakeproof.model.facts import Fact, Guard, ModelError, Value


class Kind(Enum):
    """What makes a row fire."""

    RECV = "recv"
    SEND = "send"
    CALL = "call"
    TICK = "tick"


class Message:
    """An abstract message, call or timer.

    name: as the RFC prints it; sentence: what it is; facts: what it says; source: where it is defined, in the short
    form "5246 §7.4.9"; never: combinations of its facts that contradict themselves, each with the reason: no symbol of
    an alphabet has them. `Message[a, b & ~c]` is a pattern.
    """

    def __init__(
        self,
        name: str,
        sentence: str,
        *facts: Fact,
        kind: Kind = Kind.RECV,
        source: str = "",
        never: Sequence[tuple[Guard, str]] = (),
    ) -> None:
        self.never = tuple(never)
        self.name = name
        self.sentence = sentence
        self.facts = facts
        self.kind = kind
        self.source = source

    def __getitem__(self, guards: Guard | tuple[Guard, ...]) -> Pattern:
        parts = guards if isinstance(guards, tuple) else (guards,)
        for fact in itertools.chain.from_iterable(part.facts() for part in parts):
            if fact not in self.facts:
                raise ModelError(f"{self.name}[...]: {fact.name} is not a fact of {self.name}")
        return Pattern(self, parts)

    def when(self, guard: Guard) -> Output:
        """The message as part of a flight, where what the role remembers is so."""
        return Pattern(self, ()).when(guard)

    def symbol(self, *values: Value) -> Symbol:
        """The concrete symbol with these values, and the first sound one of every other fact."""
        given: dict[str, int] = {}
        for value in values:
            if value.fact not in self.facts:
                raise ModelError(f"{self.name} has no fact {value.fact.name}")
            if value.fact.many and not value.is_sound:
                given[value.fact.name] = (given.get(value.fact.name, 0) & ~value.fact.sound_mask) | value.bit
            else:
                given[value.fact.name] = value.bit
        return Symbol(self, tuple((fact.name, given.get(fact.name, fact.default.bit)) for fact in self.facts))

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Pattern:
    """A message with guards over its facts."""

    message: Message
    guards: tuple[Guard, ...] = ()

    def matches(self, symbol: Symbol) -> bool:
        """Whether the symbol is such a message."""
        return symbol.message is self.message and all(guard.holds(symbol.assignment) for guard in self.guards)

    def when(self, guard: Guard) -> Output:
        """The pattern as part of a flight, where what the role remembers is so."""
        return Output(self, guard)

    def admits(self, symbol: Symbol) -> bool:
        """Whether the symbol is such a message, and does not contradict itself."""
        return self.matches(symbol) and not any(guard.holds(symbol.assignment) for guard, _ in self.message.never)

    def symbol(self) -> Symbol:
        """The first symbol, in the order of the facts' values, that is so. Raises ModelError where there is none."""
        facts = self.named_facts()
        for values in itertools.product(*(fact.values for fact in facts)):
            symbol = self.message.symbol(*values)
            if self.admits(symbol):
                return symbol
        several = self.message.symbol(*(value for guard in self.guards for value in guard.values()))
        if self.admits(several):  # several defects of one fact at once
            return several
        raise ModelError(f"{self.text}: nothing is so")

    @property
    def text(self) -> str:
        """As a table spells it."""
        inner = ", ".join(guard.text() for guard in self.guards)
        return f"{self.message.name}[{inner}]" if inner else self.message.name

    def named_facts(self) -> tuple[Fact, ...]:
        """The facts that the pattern looks at."""
        return self._named_facts

    @cached_property
    def _named_facts(self) -> tuple[Fact, ...]:
        return tuple(dict.fromkeys(fact for guard in self.guards for fact in guard.facts()))

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Symbol:
    """One concrete abstract message: a message and the values of all its facts.

    values: pairs of fact name and bit mask, in the order of the message's facts. More than one bit: several defects at
    once, or, for a fact that is not `many`, what an observer can't tell apart.
    """

    message: Message
    values: tuple[tuple[str, int], ...] = ()

    def __hash__(self) -> int:
        return self._hash

    def __reduce__(self) -> tuple[type[Symbol], tuple[Message, tuple[tuple[str, int], ...]]]:
        return Symbol, (self.message, self.values)  # without the hash, which is another in another process

    @cached_property
    def _hash(self) -> int:
        """Computed once: symbols are looked up far more often than they are made."""
        return hash((self.message, self.values))

    @cached_property
    def assignment(self) -> dict[str, int]:
        """Fact name -> bit mask."""
        return dict(self.values)

    @cached_property
    def named(self) -> tuple[Value, ...]:
        """All values, in the order of the facts."""
        given = self.assignment
        return tuple(value for fact in self.message.facts for value in fact.named(given[fact.name]))

    @cached_property
    def defects(self) -> tuple[Value, ...]:
        """The values that are faults."""
        return tuple(value for value in self.named if not value.is_sound)

    @property
    def is_sound(self) -> bool:
        """Whether an honest peer could send it (in some state)."""
        return not self.defects

    def has(self, value: Value) -> bool:
        """Whether the symbol has the value."""
        return value.fact in self.message.facts and value.holds(self.assignment)

    def with_values(self, *values: Value) -> Symbol:
        """The symbol with some values replaced."""
        given = dict(self.values)
        given.update((value.fact.name, value.bit) for value in values)
        return Symbol(self.message, tuple((fact.name, given[fact.name]) for fact in self.message.facts))

    @property
    def shown(self) -> tuple[str, ...]:
        """The values to print, upper case: all but details that have their usual value."""
        out: list[str] = []
        for fact in self.message.facts:
            bits = self.assignment[fact.name]
            if fact.detail and bits & fact.default.bit:
                continue
            if not fact.many and bits == fact.mask and len(fact.values) > 1:
                continue
            out.extend(value.name.upper() for value in fact.named(bits))
        return tuple(out)

    @cached_property
    def text(self) -> str:
        """As output spells it: upper case, in square brackets."""
        return f"{self.message.name}[{', '.join(self.shown)}]" if self.shown else self.message.name

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Output:
    """One message of a flight: `when` over what the role remembers; `optional`: it may be left out."""

    pattern: Pattern
    guard: Guard | None = None
    optional: bool = False

    def when(self, guard: Guard) -> Output:
        """The same, where what the role remembers is so too."""
        return replace(self, guard=guard if self.guard is None else self.guard & guard)

    @property
    def text(self) -> str:
        """As the table spells it."""
        text = f"maybe({self.pattern.text})" if self.optional else self.pattern.text
        return f"{text}.when({self.guard.text()})" if self.guard else text


ANYTHING = Message("ANYTHING", "any message")


def call_message(name: str, sentence: str, *facts: Fact) -> Message:
    """A call of the application."""
    return Message(name, sentence, *facts, kind=Kind.CALL)


class Timer(Message):
    """A timer: it can fire while it runs; `start` and `stop` are effects."""

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(name, sentence, kind=Kind.TICK)
        key = name.lower().replace("-", "_").replace(" ", "_")
        self.fact = Fact(
            f"timer_{key}",
            {f"{key}_idle": f"the {name} timer is not running", f"{key}_running": f"the {name} timer runs"},
        )
        self.idle, self.running = self.fact.values


@dataclass(frozen=True)
class State:
    """A state: name as the RFC prints it or says what is awaited; sentence: what it means; phase: its band."""

    name: str
    sentence: str
    phase: str = ""

    def __hash__(self) -> int:
        return hash(self.name)  # that of a string is computed once; states are looked up a million times

    def __or__(self, other: State | States) -> States:
        return States((self,)) | other

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class States:
    """Several states, with the spelling that the table used."""

    members: tuple[State, ...]
    name: str = ""

    def __or__(self, other: State | States) -> States:
        right = other if isinstance(other, States) else States((other,))
        joined = tuple(dict.fromkeys(self.members + right.members))
        return States(joined, f"{self.text} | {right.text}")

    def __sub__(self, other: State | States) -> States:
        right = other if isinstance(other, States) else States((other,))
        return States(tuple(s for s in self.members if s not in right.members), f"{self.text} - {right.text}")

    @property
    def text(self) -> str:
        """As the table spells it."""
        return self.name or " | ".join(state.name for state in self.members)


class Stay:
    """The next state is the same one."""

    def __repr__(self) -> str:
        return "STAY"


STAY = Stay()
