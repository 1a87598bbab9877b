"""Lint of a table: what makes it complete, unambiguous and honest. Each error names the row.

`lint(role)` gives the problems; `check(role)` raises ModelError with all of them, and every table calls it at import.
It works on reachable configurations (state and memory), not on states alone. A role that is declared partial keeps its
uncovered cells: `uncovered` lists them, audits refuse such a role and its picture says so.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from shakeproof.model.clauses import Level
from shakeproof.model.facts import Fact, ModelError
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import ANYTHING, Kind, Message, Symbol


@dataclass(frozen=True)
class Cell:
    """A configuration with a symbol."""

    configuration: Configuration
    symbol: Symbol

    def text(self, role: Role) -> str:
        """For people."""
        memory = role.remembered_text(self.configuration)
        return f"{self.configuration.state.name}{f' ({memory})' if memory else ''} x {self.symbol.text}"


def check(role: Role) -> Role:
    """The role, if nothing is wrong with its table. Raises ModelError that lists every problem."""
    problems = lint(role)
    if problems:
        listed = "\n  ".join(problems)
        raise ModelError(f"{role.name}: {len(problems)} problem(s) in the table:\n  {listed}")
    return role


def lint(role: Role) -> list[str]:
    """Everything that is wrong with the table, each naming the row at fault."""
    return list(
        dict.fromkeys(
            itertools.chain(
                _names(role),
                _quotes(role),
                _unreachable(role),
                _forgotten(role),
                _unused(role),
                _overlaps(role),
                [] if role.partial else (f"no row covers {cell.text(role)}" for cell in uncovered(role)),
                _swallowed_defects(role),
                _voids(role),
                _abort(role),
            )
        )
    )


def uncovered(role: Role) -> Iterator[Cell]:
    """The cells that neither a row nor a void nor a rest covers."""
    for (configuration, symbol), rows in role.cells.items():
        if not rows and not role.is_void(configuration, symbol):
            yield Cell(configuration, symbol)


def _names(role: Role) -> Iterator[str]:
    facts: dict[str, Fact] = {}
    messages = {*role.alphabet, *(line.pattern.message for line in role.in_force)}
    for fact in itertools.chain(role.memory_facts, *(message.facts for message in messages)):
        if facts.setdefault(fact.name, fact) is not fact:
            yield f"two different facts are called {fact.name}: name what a message says and what is remembered apart"
    for row in role.table:
        for guard in row.guards:
            for fact in guard.facts():
                if fact not in role.memory:
                    yield f"{row.id}: looks at {fact.name}, which the role does not remember; did it belong in [...]?"
        for agreement in row.agreements:
            if agreement.fact not in role.memory or agreement.fact not in row.pattern.message.facts:
                yield f"{row.id}: {agreement.text} needs a fact that is both said and remembered"
        for effect in row.effects:
            if effect.fact not in role.memory:
                yield f"{row.id}: {effect.text} changes {effect.fact.name}, which the role does not remember"
            if effect.kind.value == "keep" and effect.fact not in row.pattern.message.facts:
                yield f"{row.id}: keeps {effect.fact.name}, which {row.pattern.message.name} does not say"
        for output in row.outputs:
            for fact in output.guard.facts() if output.guard else ():
                if fact not in role.memory:
                    yield f"{row.id}: sends {output.text}, but the role does not remember {fact.name}"
    seen: set[str] = set()
    for row in role.table:
        if row.id in seen:
            yield f"{row.id}: two rows have the same cells"
        seen.add(row.id)


def _quotes(role: Role) -> Iterator[str]:
    used = {key for row in role.table if row.authority for key in row.authority.keys}
    used |= {key for row in role.sources if row.authority for key in row.authority.keys}
    for key in role.quotes.clauses:
        if key not in used:
            yield f"the quote of {key} is cited by no row"
    for row in role.table:
        if row.level is Level.MUST and row.clauses and not any(c.sentence or c.implied for c in row.clauses):
            yield f"{row.id}: a MUST row needs a quoted sentence, or implied= with the reason"


def _unreachable(role: Role) -> Iterator[str]:
    reached = {configuration.state for configuration in role.reachable}
    for state in role.states:
        if state not in reached:
            yield f"state {state.name} is never reached"
    fired = {name for steps in role.reachable.values() for row, _, _ in steps for name in (row.id, *row.parts)}
    for row in role.table:
        if row.id not in fired:
            yield f"{row.id}: is never enabled in a reachable configuration"


def _forgotten(role: Role) -> Iterator[str]:
    """No row looks at what was forgotten: it would hold whatever the value was."""
    for configuration, steps in role.reachable.items():
        memory = role.remembered(configuration)
        for row in dict.fromkeys(row for row, _, _ in steps):
            looked_at = [*(guard.facts() for guard in row.guards), *((item.fact,) for item in row.agreements)]
            for fact in dict.fromkeys(itertools.chain.from_iterable(looked_at)):
                if len(fact.values) > 1 and memory[fact.name] == fact.mask:
                    yield f"{row.id}: looks at {fact.name}, which is forgotten in {configuration.state.name}"


def _unused(role: Role) -> Iterator[str]:
    named = {line.pattern.message for line in role.in_force}
    has_rest = any(row.is_rest for row in role.table)
    for message in role.alphabet:
        if message not in named and not has_rest:
            yield f"message {message.name} is in the alphabet, but no row reads it"
    for row in role.table:
        if row.kind is Kind.RECV and not row.is_rest and row.pattern.message not in role.alphabet:
            yield f"{row.id}: reads {row.pattern.message.name}, which is not in the role's alphabet"


def _overlaps(role: Role) -> Iterator[str]:
    for (configuration, symbol), rows in role.cells.items():
        if len(rows) > 1 and any(row.level is Level.MUST for row in rows) and len(symbol.defects) <= 1:
            names = " and ".join(row.id for row in rows)
            yield f"{names}: both read {Cell(configuration, symbol).text(role)}, and they are not both MAY"


def _swallowed_defects(role: Role) -> Iterator[str]:
    """`rest` never swallows a defect of a message that is expected."""
    expected: set[tuple[Configuration, Message]] = set()
    for (configuration, symbol), rows in role.cells.items():
        if symbol.is_sound and any(not row.is_rest and not row.is_violation for row in rows):
            expected.add((configuration, symbol.message))
    for (configuration, symbol), rows in role.cells.items():
        if symbol.is_sound or (configuration, symbol.message) not in expected:
            continue
        if rows and all(row.is_rest for row in rows):
            cell = Cell(configuration, symbol).text(role)
            yield f"{rows[0].id}: swallows a defect of a message that is expected: {cell}"


def _voids(role: Role) -> Iterator[str]:
    for item in role.voids:
        if item.pattern.message is not ANYTHING and item.pattern.message not in role.alphabet:
            yield f"void({item.states.text}, {item.pattern.text}): is not in the role's alphabet"
        used = any(
            item.covers(configuration.state, role.remembered(configuration), symbol)
            and role.is_void(configuration, symbol)
            for configuration in role.reachable
            for symbol in role.symbols
        )
        if not used:
            yield f"void({item.states.text}, {item.pattern.text}): voids nothing that is reachable"


def _abort(role: Role) -> Iterator[str]:
    if role.alert is None or role.fatal is None or role.aborted is None:
        for row in role.table:
            if row.is_violation:
                yield f"{row.id}: aborts, but the role declares no alert, fatal or aborted"
