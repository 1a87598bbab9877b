"""A composed model in Promela, the language of SPIN: the same states and the same transitions, one to one.

Each column is a variable that holds the index of its value, each place of the network holds a code and the places are
kept sorted, so that a state of SPIN is a state of ours. A transition is one option of a loop, a `d_step`: enabled where
its first statement holds, and then one step. No process is ever anywhere but at the head of a loop: whatever else SPIN
would count, a process that begins or ends, a step between two states, is not there.

Transitions that differ only in the value that they ask of one column are one option, which asks for either: a state has
one value and takes one of them, as before. That makes the file, and what SPIN must compile, four times smaller.

A property is an option that is enabled where it does not hold, and then fails. Where it holds everywhere, no option of
it is ever taken: the counts are those of the model alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

from shakeproof.model.composition import PLACES, Composition, Is, Of, OnTheWay, Transition, slot
from shakeproof.model.facts import And, Guard, ModelError, Not, Or, Value

Condition = bool | str
"""An expression of Promela, or what it comes to whatever the state is."""

STUCK = "stuck"
"""The name under which it is checked that something can happen wherever the connection is not over."""

WORDS = frozenset((
    "active", "assert", "atomic", "bit", "bool", "break", "byte", "chan", "do", "else", "empty", "enabled", "end",
    "eval", "false", "fi", "for", "full", "goto", "hidden", "if", "in", "init", "inline", "int", "len", "local",
    "ltl", "mtype", "nempty", "never", "nfull", "notrace", "od", "of", "pid", "printf", "priority", "proctype",
    "provided", "return", "run", "select", "short", "show", "skip", "timeout", "trace", "true", "typedef", "unless",
    "unsigned", "xr", "xs", "code", "put", "take", "begun", "begin", "properties",
))  # fmt: skip
"""What Promela keeps for itself, and what is used here."""

OPTIONS_MOST = 800
"""Options in one process: SPIN 6.5 refuses a process of somewhat more than a thousand `d_step`s."""


@dataclass(frozen=True)
class Promela:
    """A model as SPIN reads it.

    text: the file; options: line -> numbers of its transitions, one of which a state may enable; initial: line ->
    number of the initial state that is chosen there, nothing where there is only one.
    """

    text: str
    options: dict[int, tuple[int, ...]]
    initial: dict[int, int]

    def counts_of(self, stored: int, transitions: int) -> tuple[int, int]:
        """The model's states and transitions, of SPIN's "states, stored" and "transitions (= stored+matched)".

        SPIN takes the state that it begins in for one more transition, though none leads there. Several initial states
        are chosen from in a state before them, which is not the model's, by a step for each.
        """
        return stored - bool(self.initial), transitions - 1 - len(self.initial)


def promela_of(model: Composition, properties: Iterable[str] | None = None) -> Promela:
    """The model in Promela. properties: names of those that are checked, and STUCK; None: all."""
    names = [one.name for one in model.safety] + ([STUCK] if model.over is not None else [])
    watched = names if properties is None else [name for name in names if name in set(properties)]
    return _Writer(model).write(watched)


# ---------------------------------------------------------------------------------------------------- conditions


def every(parts: Iterable[Condition]) -> Condition:
    """All of them hold."""
    return _joined(parts, " && ", unit=True)


def some(parts: Iterable[Condition]) -> Condition:
    """One of them holds."""
    return _joined(parts, " || ", unit=False)


def _joined(parts: Iterable[Condition], sign: str, *, unit: bool) -> Condition:
    kept: dict[str, None] = {}
    for part in parts:
        if isinstance(part, str):
            kept[part] = None
        elif part is not unit:
            return part
    if len(kept) > 1:
        return f"({sign.join(kept)})"
    return next(iter(kept), unit)


def opposite(part: Condition) -> Condition:
    """It does not hold."""
    if isinstance(part, bool):
        return not part
    return part[1:] if part.startswith("!") else f"!{part}"


def _spelled(part: Condition) -> str:
    return part if isinstance(part, str) else str(part).lower()


# ---------------------------------------------------------------------------------------------------- the file


def _identifiers(names: Iterable[str]) -> dict[str, str]:
    """A name of Promela for each of the names, no two the same."""
    made: dict[str, str] = {}
    for name in names:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", name)
        plain = f"the_{plain}" if plain in WORDS or not plain[:1].isalpha() else plain
        while plain in made.values():
            plain += "_"
        made[name] = plain
    return made


def _comment(text: str) -> str:
    """Text that neither ends a comment nor begins a line of its own."""
    return " ".join(text.replace("*/", "* /").split())


@dataclass
class _Option:
    """An option of the loop: where columns have one of these indices each, and what it needs besides, what it does."""

    where: dict[str, frozenset[int]]
    needs: str
    effect: str
    numbers: list[int]


def _fewer(options: list[_Option], names: Sequence[str]) -> list[_Option]:
    """Options that differ only in the value of one column, as one: a state enables one of them at most, as it did."""
    count = -1
    while count != (count := len(options)):
        for name in names:
            alike: dict[object, list[_Option]] = {}
            for one in options:
                if name not in one.where:
                    alike[id(one)] = [one]
                    continue
                others = frozenset((key, value) for key, value in one.where.items() if key != name)
                kept = alike.setdefault((others, one.needs, one.effect), [])
                fits = [into for into in kept if not into.where[name] & one.where[name]]
                if fits:
                    fits[0].where = {**fits[0].where, name: fits[0].where[name] | one.where[name]}
                    fits[0].numbers += one.numbers
                else:
                    kept.append(one)
            options = [one for kept in alike.values() for one in kept]
    return options


_Asked: TypeAlias = dict[str, frozenset[int]]
"""Columns, and the indices one of which each has."""


def _parted(options: list[_Option], most: int, asked: _Asked | None = None) -> Iterator[tuple[_Asked, list[_Option]]]:
    """The options in parts of at most so many, each with what all of a part ask for: by the column that leaves the
    fewest together, and again by another where a part is still too large.
    """
    asked = asked or {}
    if len(options) <= most:
        yield asked, options
        return
    parts: dict[str, dict[frozenset[int] | None, list[_Option]]] = {}
    for name in {name: None for one in options for name in one.where if name not in asked}:
        parts[name] = {}
        for one in options:
            parts[name].setdefault(one.where.get(name), []).append(one)
    best = min(parts, key=lambda name: sum(len(part) ** 2 for part in parts[name].values()), default="")
    if not best or len(parts[best]) == 1 or len(parts[best].get(None, ())) > len(options) // 2:
        for begin in range(0, len(options), most):
            yield asked, options[begin : begin + most]
        return
    for numbers, part in parts[best].items():
        yield from _parted(part, most, asked if numbers is None else {**asked, best: numbers})


class _Writer:
    """Writes one model."""

    def __init__(self, model: Composition) -> None:
        self.model = model
        self.by_name = {column.name: column for column in model.columns}
        self.index = {
            (column.name, mask): number for column in model.columns for number, mask in enumerate(column.masks)
        }
        places = [slot(number) for number in range(model.bound)]
        self.identifiers = _identifiers([*self.by_name, *places])
        self.lines: list[str] = []
        self.options: dict[int, tuple[int, ...]] = {}
        self.initial: dict[int, int] = {}

    def write(self, watched: Sequence[str]) -> Promela:
        """The whole file."""
        several = len(self.model.initial) > 1
        self._say(f"/* {_comment(self.model.title)}, at most {self.model.bound} packets in the network. */", "")
        self._columns()
        if several:
            self._say("bool begun = false; /* an initial state is chosen */")
        self._network()
        self._loop(several=several)
        if watched:
            self._watch(watched, several=several)
        if several:
            self._choose()
        return Promela("\n".join(self.lines) + "\n", self.options, self.initial)

    def _say(self, *lines: str) -> None:
        self.lines += lines

    # ------------------------------------------------------------------------------------------------ variables

    def _columns(self) -> None:
        begins = self.model.initial[0]
        for column in self.model.columns:
            if len(column.masks) == 1:
                continue  # it is the same in every state
            kind = "bit" if column.width == 1 else "byte" if column.width <= 8 else "int"
            values = ", ".join(f"{number} {column.text(mask)}" for number, mask in enumerate(column.masks))
            begin = self._at(column.name, begins[column.name])
            self._say(f"{kind} {self.identifiers[column.name]} = {begin}; /* {_comment(values)} */")

    def _at(self, name: str, mask: int) -> int:
        """The index of the value. Raises ModelError where the column can't have it."""
        if (name, mask) not in self.index:
            raise ModelError(f"{self.model.name}: {name} can't have the bits {mask:#x}")
        return self.index[name, mask]

    def _network(self) -> None:
        """The places, the largest code first, and how a packet is taken out and put in so that they stay so."""
        if not self.model.bound:
            return
        self._say("")
        for number, packet in enumerate(self.model.packets, 1):
            self._say(f"/* packet {number}: {_comment(packet.text)} */")
        names = [self.identifiers[slot(number)] for number in range(self.model.bound)]
        kind = "byte" if len(self.model.packets) < 1 << 8 else "int"
        self._say(*(f"{kind} {name} = 0;" for name in names))
        taking = [
            f"{one} = ({one} > code -> {one} : {after});" for one, after in zip(names, [*names[1:], "0"], strict=True)
        ]
        putting = [
            f"{one} = ({one} >= code -> {one} : ({before} >= code -> code : {before}));"
            for before, one in pairwise(names)
        ]
        first = f"{names[0]} = ({names[0]} >= code -> {names[0]} : code);"
        self._say("", f"inline take(code) {{ {' '.join(taking)} }}")
        self._say(f"inline put(code) {{ {' '.join([*reversed(putting), first])} }}")

    # ------------------------------------------------------------------------------------------------ conditions

    def condition(self, guard: Guard | None, machine: str = "") -> Condition:
        """The guard in Promela, over the columns of that machine."""
        match guard:
            case None:
                return True
            case And():
                return every(self.condition(part, machine) for part in (guard.left, guard.right))
            case Or():
                return some(self.condition(part, machine) for part in (guard.left, guard.right))
            case Not():
                return opposite(self.condition(guard.inner, machine))
            case Of():
                return self.condition(guard.inner, f"{guard.machine}.")
            case Value():
                name = f"{machine}{guard.fact.name}"
                masks = self.by_name[name].masks
                return self._among(name, [number for number, mask in enumerate(masks) if mask & guard.bit], len(masks))
            case Is() if guard.column.startswith(f"{PLACES}."):
                return f"({self.identifiers[guard.column]} == {guard.mask})"
            case Is():
                return self._is(guard.column, guard.mask)
            case OnTheWay():
                return self._on_the_way(guard.codes, guard.bound)
        raise ModelError(f"{self.model.name}: a guard {type(guard).__name__} can't be written in Promela")

    def _is(self, name: str, mask: int) -> Condition:
        """The column has exactly these bits."""
        number = self.index.get((name, mask))
        return False if number is None else self._among(name, [number], len(self.by_name[name].masks))

    def _among(self, name: str, numbers: Sequence[int], count: int) -> Condition:
        """The column's index is one of these, of so many that there are."""
        if len(numbers) in (0, count):
            return bool(numbers)
        identifier = self.identifiers[name]
        if len(numbers) == count - 1 and count > 2:
            (missing,) = set(range(count)) - set(numbers)
            return f"({identifier} != {missing})"
        return some(f"({identifier} == {number})" for number in numbers)

    def _on_the_way(self, codes: Sequence[int], bound: int) -> Condition:
        """One of the packets is at one of the places."""
        names = [self.identifiers[slot(number)] for number in range(bound)]
        return some(f"({name} == {code})" for name in names for code in codes)

    # ------------------------------------------------------------------------------------------------ transitions

    def _options(self) -> list[_Option]:
        """What the transitions come to, with as few options as may be."""
        made: list[_Option] = []
        for number, one in enumerate(self.model.transitions):
            needs = self._needs(one)
            if needs is False:
                continue
            where = {name: frozenset({self.index[name, mask]}) for name, mask in one.where}
            made.append(_Option(where, _spelled(needs), self._effect(one), [number]))
        return _fewer(made, [column.name for column in self.model.columns])

    def _needs(self, one: Transition) -> Condition:
        """What must hold besides what its columns must be; False where it can never be enabled."""
        if any((name, mask) not in self.index for name, mask in one.where):
            return False
        parts: list[Condition] = []
        bound = self.model.bound
        if one.takes:
            parts.append(self._on_the_way((one.takes,), bound))
        elif one.puts:
            parts.append(f"({self.identifiers[slot(bound - 1)]} == 0)" if bound else False)
        return every([*parts, self.condition(one.own), self.condition(one.guard)])

    def _effect(self, one: Transition) -> str:
        """What the transition changes."""
        where = dict(one.where)
        parts = []
        for name, mask in sorted(one.assign):
            number = self._at(name, mask)
            if len(self.by_name[name].masks) > 1 and where.get(name) != mask:
                parts.append(f"{self.identifiers[name]} = {number};")
        parts += [f"take({one.takes});"] * bool(one.takes) + [f"put({one.puts});"] * bool(one.puts)
        return " ".join(parts) or "skip"

    def _loop(self, *, several: bool) -> None:
        """The processes that take the transitions: more than one only where SPIN's bound on one asks for it.

        Then each has what asks for the same of some column, and SPIN looks into it only where the column is so.
        """
        for number, (asked, options) in enumerate(_parted(self._options(), OPTIONS_MOST), 1):
            where = every(
                self._among(name, sorted(numbers), len(self.by_name[name].masks)) for name, numbers in asked.items()
            )
            self._head(f"model_{number}", provided=every([not several or "begun", where]))
            self._say("end:", "    do")
            self._say_options(options)
            self._say("    od", "}")

    def _say_options(self, options: Iterable[_Option]) -> None:
        for option in options:
            where = [
                self._among(name, sorted(numbers), len(self.by_name[name].masks))
                for name, numbers in option.where.items()
            ]
            condition = every([*where, True if option.needs == "true" else option.needs])
            one = self.model.transitions[option.numbers[0]]
            more = f", and {len(option.numbers) - 1} more" if len(option.numbers) > 1 else ""
            comment = f"{_comment(one.title)}{more}"
            self._say(f"    :: d_step {{ {_spelled(condition)} -> {option.effect} }} /* {comment} */")
            self.options[len(self.lines)] = tuple(option.numbers)

    def _head(self, name: str, *, provided: Condition = True) -> None:
        condition = "" if provided is True else f" provided ({_spelled(provided)})"
        self._say("", f"active proctype {name}(){condition}", "{")

    def _watch(self, watched: Sequence[str], *, several: bool) -> None:
        """A process whose every option is a property that does not hold."""
        self._head("properties", provided=not several or "begun")
        self._say("end:", "    do")
        for one in self.model.safety:
            if one.name in watched:
                self._fails(opposite(self.condition(one.holds)), one.name)
        if STUCK in watched:
            stuck = every(["timeout", opposite(self.condition(self.model.over))])
            self._say(f"    :: {_spelled(stuck)} -> assert(false) /* {STUCK} */")  # `timeout` is not read in a d_step
        self._say("    :: false", "    od;", "}")

    def _fails(self, condition: Condition, name: str) -> None:
        self._say(f"    :: d_step {{ {_spelled(condition)} -> assert(false) }} /* {_comment(name)} */")

    def _choose(self) -> None:
        """Several initial states: the first step chooses one, and nothing else can happen before."""
        self._head("begin")
        self._say("    if")
        for number, begins in enumerate(self.model.initial):
            assign = [
                f"{self.identifiers[c.name]} = {self._at(c.name, begins[c.name])};"
                for c in self.model.columns
                if len(c.masks) > 1
            ]
            self._say(f"    :: d_step {{ {' '.join(assign)} begun = true }}")
            self.initial[len(self.lines)] = number
        self._say("    fi;", "end:", "    false", "}")
