"""Facts, their values, and guards over them.

A fact is something that a message says or that a role remembers, with a small set of values. Each value has a sentence,
which `explain`, prose and hover texts use. Values are *sound* or *defects*: honest peers use sound ones only, and a
defect is what an attacker or a tester may plant.

A guard is an expression over values, never a lambda: the same object evaluates on one assignment (`holds`), on numpy
columns of many assignments (`columns`), and prints (`text`). An assignment gives each fact a bit mask. A fact has one
bit set, except where several defects occur at once (`many=True`) or where an observer can't tell (several bits: any).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Assignment: TypeAlias = Mapping[str, int]
Columns: TypeAlias = Mapping[str, NDArray[np.int64]]


class ModelError(Exception):
    """A table is ill-formed: raised at import, with the row at fault named."""


class Guard(ABC):
    """A condition over facts. Combine with `&`, `|` and `~`."""

    def __and__(self, other: Guard) -> Guard:
        return And(self, other)

    def __or__(self, other: Guard) -> Guard:
        return Or(self, other)

    def __invert__(self) -> Guard:
        return Not(self)

    @abstractmethod
    def holds(self, values: Assignment) -> bool:
        """Whether the guard holds for one assignment."""

    @abstractmethod
    def columns(self, values: Columns) -> NDArray[np.bool_]:
        """Whether the guard holds, for each row of the columns."""

    @abstractmethod
    def text(self) -> str:
        """The guard as a table spells it."""

    @abstractmethod
    def values(self) -> tuple[Value, ...]:
        """Every value that the guard names, in order."""

    def facts(self) -> tuple[Fact, ...]:
        """Every fact that the guard looks at, in order, each once."""
        return tuple(dict.fromkeys(value.fact for value in self.values()))

    def __str__(self) -> str:
        return self.text()


class Fact:
    """A fact with its values.

    name: lower case; sound, defects: value name -> the sentence that says what it means; many: several defects may
    occur at once (then the sound value means that none does); detail: a value that only some rows distinguish, left
    out of printed symbols where it is the first one; narrow: a detail that is tried only together with what a row that
    names it names too.
    """

    def __init__(
        self,
        name: str,
        sound: Mapping[str, str],
        defects: Mapping[str, str] | None = None,
        *,
        many: bool = False,
        detail: bool = False,
        narrow: bool = False,
    ) -> None:
        defects = defects or {}
        if not sound:
            raise ModelError(f"fact {name}: needs at least one sound value")
        if set(sound) & set(defects):
            raise ModelError(f"fact {name}: {sorted(set(sound) & set(defects))} are both sound and defects")
        if many and len(sound) != 1:
            raise ModelError(f"fact {name}: a fact of many defects has exactly one sound value, which means none")
        self.name = name
        self.many = many
        self.detail = detail or narrow
        self.narrow = narrow
        spelled = [(key, text, True) for key, text in sound.items()] + [(k, t, False) for k, t in defects.items()]
        for key, text, _ in spelled:
            if not key.isidentifier() or key != key.lower() or not text.strip():
                raise ModelError(f"fact {name}: value {key!r} must be a lower-case name with a sentence")
        self.values = tuple(Value(self, key, text, ok, 1 << i) for i, (key, text, ok) in enumerate(spelled))
        self._by_name = {value.name: value for value in self.values}

    @cached_property
    def sound(self) -> tuple[Value, ...]:
        """The values that an honest peer may use."""
        return tuple(value for value in self.values if value.is_sound)

    @property
    def defects(self) -> tuple[Value, ...]:
        """The values that are faults."""
        return tuple(value for value in self.values if not value.is_sound)

    @cached_property
    def mask(self) -> int:
        """All bits of the fact."""
        return (1 << len(self.values)) - 1

    @cached_property
    def sound_mask(self) -> int:
        """The bits of the sound values."""
        return sum(value.bit for value in self.sound)

    @property
    def default(self) -> Value:
        """The first sound value."""
        return self.values[0]

    def __getitem__(self, name: str) -> Value:
        try:
            return self._by_name[name.lower()]
        except KeyError:
            known = ", ".join(self._by_name)
            raise ModelError(f"fact {self.name} has no value {name!r}; it has {known}") from None

    def named(self, bits: int) -> tuple[Value, ...]:
        """The values whose bits are set."""
        return tuple(value for value in self.values if value.bit & bits)

    def __repr__(self) -> str:
        return f"Fact({self.name}: {', '.join(self._by_name)})"


@dataclass(frozen=True, eq=False)
class Value(Guard):
    """One value of a fact, and the guard that says the fact has it."""

    fact: Fact
    name: str
    sentence: str
    is_sound: bool
    bit: int

    def holds(self, values: Assignment) -> bool:
        return bool(values[self.fact.name] & self.bit)

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        return np.asarray(values[self.fact.name] & self.bit, dtype=np.bool_)

    def text(self) -> str:
        return self.name

    def values(self) -> tuple[Value, ...]:
        return (self,)

    def __repr__(self) -> str:
        return f"{self.fact.name}.{self.name}"


@dataclass(frozen=True, eq=False)
class And(Guard):
    """Both hold."""

    left: Guard
    right: Guard

    def holds(self, values: Assignment) -> bool:
        return self.left.holds(values) and self.right.holds(values)

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        return np.logical_and(self.left.columns(values), self.right.columns(values))

    def text(self) -> str:
        return " & ".join(
            f"({part.text()})" if isinstance(part, Or) else part.text() for part in (self.left, self.right)
        )

    def values(self) -> tuple[Value, ...]:
        return self.left.values() + self.right.values()


@dataclass(frozen=True, eq=False)
class Or(Guard):
    """At least one holds."""

    left: Guard
    right: Guard

    def holds(self, values: Assignment) -> bool:
        return self.left.holds(values) or self.right.holds(values)

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        return np.logical_or(self.left.columns(values), self.right.columns(values))

    def text(self) -> str:
        return f"{self.left.text()} | {self.right.text()}"

    def values(self) -> tuple[Value, ...]:
        return self.left.values() + self.right.values()


@dataclass(frozen=True, eq=False)
class Not(Guard):
    """It does not hold."""

    inner: Guard

    def holds(self, values: Assignment) -> bool:
        return not self.inner.holds(values)

    def columns(self, values: Columns) -> NDArray[np.bool_]:
        return np.logical_not(self.inner.columns(values))

    def text(self) -> str:
        return f"~{self.inner.text()}" if isinstance(self.inner, Value) else f"~({self.inner.text()})"

    def values(self) -> tuple[Value, ...]:
        return self.inner.values()


def all_of(guards: tuple[Guard, ...]) -> Guard | None:
    """The conjunction of the guards; None, which always holds, for none."""
    joined: Guard | None = None
    for guard in guards:
        joined = guard if joined is None else joined & guard
    return joined
