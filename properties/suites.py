"""Suites generated from the tables: which words to run, shortest first.

A cell is a reachable configuration with a symbol; `quick` covers each cell once in each setup, by its shortest honest
prefix. Honest means rows that are no violations, and sound symbols wherever they lead to the same place; a prefix never
relies on a choice that the target makes, so that one word always leads to one configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache

from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Kind, Symbol


@dataclass(frozen=True)
class Word:
    """One input sequence on a fresh connection: an honest prefix, then the cell's symbol."""

    prefix: tuple[Symbol, ...]
    configuration: Configuration
    symbol: Symbol

    @property
    def text(self) -> tuple[str, ...]:
        """The inputs, for people and files."""
        return (*(symbol.text for symbol in self.prefix), self.symbol.text)

    @property
    def cell(self) -> str:
        """The cell, for people."""
        return f"{self.configuration.state.name} x {self.symbol.text}"


@lru_cache(maxsize=64)
def honest_prefixes(role: Role, chosen: tuple[Value, ...]) -> dict[Configuration, tuple[Symbol, ...]]:
    """Every configuration that honest inputs reach for certain, with the shortest such inputs.

    chosen: values that the tester's honest messages have where they say anything about that fact.
    """
    start = _opened(role)
    found: dict[Configuration, tuple[Symbol, ...]] = {start: ()}
    queue = [start]
    while queue:
        here = queue.pop(0)
        for symbol, there in tolerated_steps(role, here, chosen):
            if there not in found and not role.is_final(there.state):
                found[there] = (*found[here], symbol)
                queue.append(there)
    return found


def _opened(role: Role) -> Configuration:
    """The configuration in which the role first reads: past the application's call that opens the connection."""
    here = role.start
    seen = {here}
    while not any(row.kind is Kind.RECV and here.state in row.states.members for row in role.rows):
        openings = [row for row in role.rows if row.kind is Kind.CALL and here.state in row.states.members]
        if not openings:
            break
        here = role.apply(openings[0], here, openings[0].pattern.message.symbol())[0]
        if here in seen:
            break
        seen.add(here)
    return here


def honest_steps(role: Role, here: Configuration, chosen: Iterable[Value]) -> list[tuple[Symbol, Configuration]]:
    """The sound inputs that lead from here to one certain configuration without a violation."""
    return [(symbol, there) for symbol, there in tolerated_steps(role, here, chosen) if symbol.is_sound]


def tolerated_steps(role: Role, here: Configuration, chosen: Iterable[Value]) -> list[tuple[Symbol, Configuration]]:
    """The inputs, sound ones first, that lead from here to one certain state without a violation.

    A defect is among them where the standard forbids to show that it was noticed. Where the role picks what it
    remembers, its first choice stands for all: which it was shows later.
    """
    wanted = tuple(chosen)
    out: list[tuple[Symbol, Configuration]] = []
    for symbol in sorted(role.symbols, key=lambda one: not one.is_sound):
        if not agrees(symbol, wanted):
            continue
        rows = role.enabled(here, symbol)
        if not rows or any(row.is_violation for row in rows):
            continue
        there = list(dict.fromkeys(after for row in rows for after in role.apply(row, here, symbol)))
        if len({after.state for after in there}) == 1:
            out.append((symbol, there[0]))
    return out


def agrees(symbol: Symbol, chosen: Iterable[Value]) -> bool:
    """Whether the symbol says nothing else about a fact than what was chosen."""
    return all(value.fact not in symbol.message.facts or symbol.has(value) for value in chosen)


@lru_cache(maxsize=1024)
def honest_path(role: Role, here: Configuration, chosen: tuple[Value, ...]) -> tuple[Symbol, ...] | None:
    """The shortest sound inputs from here to the accepting state; None where there are none."""
    found: dict[Configuration, tuple[Symbol, ...]] = {here: ()}
    queue = [here]
    while queue:
        place = queue.pop(0)
        if place.state is role.accepting:
            return found[place]
        for symbol, there in honest_steps(role, place, chosen):
            if there not in found:
                found[there] = (*found[place], symbol)
                queue.append(there)
    return None


def quick(role: Role, chosen: tuple[Value, ...], may_say: Callable[[Symbol], bool] = lambda _: True) -> list[Word]:
    """The words of one setup, shortest first. may_say: whether a symbol belongs to the setup."""
    words = [
        Word(prefix, configuration, symbol)
        for configuration, prefix in honest_prefixes(role, chosen).items()
        for symbol in role.symbols
        if may_say(symbol) and not role.is_void(configuration, symbol)
    ]
    return sorted(words, key=lambda word: len(word.prefix))
