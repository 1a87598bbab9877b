"""What a row does: the next state, the flight that it sends, what it tells the application, what it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import TypeAlias

from shakeproof.model.alphabet import Message, Output, Pattern, Timer
from shakeproof.model.facts import Assignment, Fact, Guard, ModelError, Value


@dataclass(frozen=True)
class Abort:
    """A fatal alert, one of these, and close. name: what many of them are called together."""

    alerts: tuple[Value, ...]
    name: str = ""

    @property
    def text(self) -> str:
        """As the table spells it."""
        return f"abort({self.name or ', '.join(alert.name for alert in self.alerts)})"


def abort(*alerts: Value, name: str = "") -> Abort:
    """Next state: send a fatal alert, one of these, and close."""
    if not alerts:
        raise ModelError("abort() needs at least one alert")
    return Abort(alerts, name)


OutputLike: TypeAlias = Message | Pattern | Output


def _output(item: OutputLike) -> Output:
    if isinstance(item, Message):
        return Output(Pattern(item))
    return Output(item) if isinstance(item, Pattern) else item


@dataclass(frozen=True)
class Sends:
    """The flight that follows, in order."""

    outputs: tuple[Output, ...]


def sends(*items: OutputLike) -> Sends:
    """The flight that follows, in order; it may be split or coalesced into records as the sender likes."""
    return Sends(tuple(_output(item) for item in items))


def maybe(item: OutputLike) -> Output:
    """A message of a flight that may be left out."""
    return replace(_output(item), optional=True)


@dataclass(frozen=True)
class Signal:
    """What the application is told: name, as the RFC words it; sentence: what it means."""

    name: str
    sentence: str

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Tells:
    """What the application is told."""

    signals: tuple[Signal, ...]


def tells(*signals: Signal) -> Tells:
    """What the application is told."""
    return Tells(signals)


class Continue:
    """The handling goes on with the next check of the order in which the row stands."""

    def __repr__(self) -> str:
        return "CONTINUE"


CONTINUE = Continue()


class EffectKind(Enum):
    """What an effect does to a fact that the role remembers."""

    KEEP = "keep"
    NOW = "now"
    PICK = "pick"


@dataclass(frozen=True)
class Effect:
    """An effect on one fact: mask holds the value (now), the choices (pick), or every value (forget).

    by: the choices that each value of a fact of the message leaves, where they depend on what it says.
    """

    kind: EffectKind
    fact: Fact
    mask: int = 0
    by: tuple[tuple[Value, int], ...] = ()

    @property
    def forgets(self) -> bool:
        """Whether nothing is remembered of the fact any more."""
        return self.kind is EffectKind.NOW and self.mask == self.fact.mask and len(self.fact.values) > 1

    def choices(self, said: Assignment) -> tuple[Value, ...]:
        """The values among which the role picks, given what the message says."""
        if not self.by:
            return self.fact.named(self.mask)
        left = 0
        for value, mask in self.by:
            left |= mask if value.holds(said) else 0
        return self.fact.named(self.mask & left)

    @property
    def text(self) -> str:
        """As the table spells it."""
        if self.kind is EffectKind.KEEP:
            return f"keep({self.fact.name})"
        if self.forgets:
            return f"forget({self.fact.name})"
        if self.by:
            return f"pick({self.fact.name} of {self.by[0][0].fact.name})"
        values = " | ".join(value.name for value in self.fact.named(self.mask))
        if self.fact.name.startswith("timer_"):
            name, _, what = values.rpartition("_")
            return f"{'start' if what == 'running' else 'stop'}({name.replace('_', '-')})"
        return f"{self.kind.value}({values})"


@dataclass(frozen=True)
class Effects:
    """Several effects."""

    items: tuple[Effect, ...]


def keep(*facts: Fact) -> Effects:
    """Remember what the message says."""
    return Effects(tuple(Effect(EffectKind.KEEP, fact) for fact in facts))


def now(*values: Value) -> Effects:
    """Remember this."""
    return Effects(tuple(Effect(EffectKind.NOW, value.fact, value.bit) for value in values))


def pick(*choices: Fact | Guard) -> Effects:
    """The role's own choice: any value of a fact, or one of `a | b`."""
    effects: list[Effect] = []
    for choice in choices:
        if isinstance(choice, Fact):
            effects.append(Effect(EffectKind.PICK, choice, choice.sound_mask))
            continue
        facts = choice.facts()
        if len(facts) != 1:
            raise ModelError(f"pick({choice.text()}): choose among values of one fact")
        mask = sum(value.bit for value in facts[0].values if choice.holds({facts[0].name: value.bit}))
        effects.append(Effect(EffectKind.PICK, facts[0], mask))
    return Effects(tuple(effects))


def pick_of(fact: Fact, left: Mapping[Value, Guard]) -> Effects:
    """The role's own choice among the values of a fact that what the message says leaves."""
    said = {value.fact for value in left}
    if len(said) != 1 or any(guard.facts() != (fact,) for guard in left.values()):
        raise ModelError(f"pick_of({fact.name}, ...): say for values of one fact which values of {fact.name} are left")
    by = tuple(
        (value, sum(one.bit for one in fact.values if guard.holds({fact.name: one.bit})))
        for value, guard in left.items()
    )
    return Effects((Effect(EffectKind.PICK, fact, fact.sound_mask, by),))


def forget(*facts: Fact) -> Effects:
    """Remember nothing of these facts any more: no row looks at them until they are set anew."""
    return Effects(tuple(Effect(EffectKind.NOW, fact, fact.mask) for fact in facts))


def start(*timers: Timer) -> Effects:
    """Start timers; one that runs starts anew."""
    return now(*(timer.running for timer in timers))


def stop(*timers: Timer) -> Effects:
    """Stop timers."""
    return now(*(timer.idle for timer in timers))


@dataclass(frozen=True)
class Agreement:
    """What the message says about a fact and what the role remembers of it are the same (or not)."""

    fact: Fact
    same: bool

    def holds(self, said: Assignment, remembered: Assignment) -> bool:
        """Whether it is so."""
        return bool(said[self.fact.name] & remembered[self.fact.name]) is self.same

    @property
    def text(self) -> str:
        """As the table spells it."""
        return f"{'agrees' if self.same else 'differs'}({self.fact.name})"


def agrees(fact: Fact) -> Agreement:
    """The message says what the role remembers."""
    return Agreement(fact, True)


def differs(fact: Fact) -> Agreement:
    """The message says something else than the role remembers."""
    return Agreement(fact, False)
