"""The rows of a role as steps with constant effects, for whoever composes machines.

A row that keeps, picks or answers by what is remembered is spread over several steps, so that each step's effects and
flight are known before it happens. `limits` restricts a role to a configuration: for a fact, the sound values that may
be said, picked or remembered. Nothing else decides what a step is: precedence is row, void, rest, as everywhere.

Rows in an order of checks are steps once the whole way through the checks is: what must be remembered for it is what
its rows ask for, and that no row of a check that it passes by is enabled.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from shakeproof.model.checks import Path, Ways, after
from shakeproof.model.effects import EffectKind
from shakeproof.model.facts import Assignment, Fact, Guard, ModelError, Value, all_of
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Agreement, Kind, Output, Row, State, Stay, Symbol

Limits = Mapping[Fact, Sequence[Value]]


@dataclass(frozen=True)
class LocalStep:
    """A step of one role.

    where: facts that it remembers, by name, with exactly these bits; guard: what else it must remember; assign: what it
    remembers then; flight: what it owes then, in order.
    """

    row: Row
    state: State
    symbol: Symbol
    next: State
    where: tuple[tuple[str, int], ...] = ()
    guard: Guard | None = None
    assign: tuple[tuple[str, int], ...] = ()
    flight: tuple[Symbol, ...] = ()

    @property
    def aborts(self) -> bool:
        """Whether it ends with a fatal alert."""
        return isinstance(self.row.next, Abort)

    def fits(self, memory: Assignment) -> bool:
        """Whether it is enabled."""
        return all(memory[name] == mask for name, mask in self.where) and (
            self.guard is None or self.guard.holds(memory)
        )


def said_within(symbol: Symbol, limits: Limits) -> bool:
    """Whether the symbol says nothing sound that the limits leave out."""
    return all(value in limits[value.fact] for value in symbol.named if value.is_sound and value.fact in limits)


def agreement_guard(agreement: Agreement, symbol: Symbol) -> Guard:
    """An agreement with what the symbol says, as a guard over what is remembered."""
    said: list[Guard] = list(agreement.fact.named(symbol.assignment[agreement.fact.name]))
    if not said:
        raise ModelError(f"{symbol.text}: says nothing of {agreement.fact.name}")
    same = reduce(lambda one, other: one | other, said)
    return same if agreement.same else ~same


def _asked(row: Row, symbol: Symbol) -> Guard | None:
    """What must be remembered so that the row takes a symbol that its pattern is."""
    return all_of((*row.guards, *(agreement_guard(one, symbol) for one in row.agreements)))


def satisfiable(guard: Guard) -> bool:
    """Whether anything that can be remembered fulfils it: each fact has one value, or none since it was forgotten."""
    facts = guard.facts()
    masks = [dict.fromkeys((*(value.bit for value in fact.values), fact.mask)) for fact in facts]
    names = [fact.name for fact in facts]
    return any(guard.holds(dict(zip(names, way, strict=True))) for way in itertools.product(*masks))


def guarded_paths(ways: Ways, state: State, symbol: Symbol) -> Iterator[tuple[Path, Guard | None]]:
    """The ways of the symbol through checks in order, each with what must be remembered for it: `Ways.paths`, for all
    that may be remembered at once.
    """
    if (state, symbol.message) not in ways.reads:
        return
    open_: list[tuple[State, Path, tuple[Guard, ...]]] = [(state, (), ())]
    for number, rows in ways.matching(symbol):
        going: list[tuple[State, Path, tuple[Guard, ...]]] = []
        for here, path, asked in open_:
            own = [(row, _asked(row, symbol)) for row in rows if here in row.states.members]
            for row, guard in own:
                longer = (*path, (number, row))
                both = asked if guard is None else (*asked, guard)
                if row.goes_on:
                    going.append((after(row, here), longer, both))
                else:
                    yield longer, all_of(both)
            if all(guard is not None for _, guard in own):
                going.append((here, path, (*asked, *(~guard for _, guard in own if guard is not None))))
        open_ = going
    yield from ((path, all_of(asked)) for _, path, asked in open_ if path)


def enabled_rows(role: Role, state: State, symbol: Symbol) -> list[tuple[Row, Guard | None]]:
    """The rows that take the symbol in the state, each with what must be remembered; precedence is row, void, rest."""
    out: list[tuple[Row, Guard | None]] = []
    taken: list[Guard | None] = []
    for row in role.named(state, symbol):
        if row.pattern.matches(symbol):
            guard = _asked(row, symbol)
            out.append((row, guard))
            taken.append(guard)
    for ways in role.orders:
        for path, guard in guarded_paths(ways, state, symbol):
            if guard is None or satisfiable(guard):
                out.append((ways.row(state, path), guard))
                taken.append(guard)
    if symbol.message.kind is not Kind.RECV:
        return out
    for void in role.voids:
        said = void.pattern.message.name == "ANYTHING" or void.pattern.matches(symbol)
        if said and state in void.states.members:
            taken.append(all_of(void.guards))
    if any(guard is None for guard in taken):
        return out
    free = all_of(tuple(~guard for guard in taken if guard is not None))
    for row in role.table:
        if row.is_rest and state in row.states.members:
            own = all_of(row.guards)
            out.append((row, free if own is None else own if free is None else free & own))
    return out


def steps_of(role: Role, state: State, symbol: Symbol, limits: Limits) -> Iterator[LocalStep]:
    """Every step of the role that the symbol, or call, makes in the state."""
    for row, guard in enabled_rows(role, state, symbol):
        if isinstance(row.next, Abort):
            if role.aborted is None or role.alert is None or not isinstance(role.fatal, Value):
                raise ModelError(f"{row.id}: aborts, but the role declares no aborted state or alert")
            alert = role.alert.symbol(role.fatal, row.next.alerts[0])
            yield LocalStep(row, state, symbol, role.aborted, guard=guard, flight=(alert,))
            continue
        following = state if isinstance(row.next, Stay) else row.next
        if following in role.blank and following is not state:
            forgotten = tuple(beginning(role, limits).items())
            yield from _answered(role, LocalStep(row, state, symbol, following, (), guard, forgotten), limits)
            continue
        for assign in _assigned(role, row, symbol, limits):
            yield from _answered(role, LocalStep(row, state, symbol, following, (), guard, assign), limits)


def _assigned(role: Role, row: Row, symbol: Symbol, limits: Limits) -> Iterator[tuple[tuple[str, int], ...]]:
    """What the row's effects make remembered: one for each choice that the limits leave."""
    choices: list[list[tuple[str, int]]] = []
    for effect in row.effects:
        name = effect.fact.name
        if effect.kind is EffectKind.KEEP:
            masks = [symbol.assignment[name]]
        elif effect.kind is EffectKind.NOW:
            masks = [effect.mask]
        else:
            masks = [value.bit for value in effect.choices(symbol.assignment)]
        allowed = {value.bit for value in limits.get(effect.fact, effect.fact.values)} | {effect.fact.mask}
        choices.append([(name, mask) for mask in masks if mask in allowed])
    yield from itertools.product(*choices)


def _answered(role: Role, step: LocalStep, limits: Limits) -> Iterator[LocalStep]:
    """The step for each flight that may follow, by what is remembered then, and by what is left out of it."""
    known = dict(step.assign)
    open_: dict[Fact, None] = {}
    for output in step.row.outputs:
        facts = (*(output.guard.facts() if output.guard else ()), *output.pattern.message.facts)
        open_.update((fact, None) for fact in facts if fact in role.memory and fact.name not in known)
    ways = [[value.bit for value in limits.get(f, f.values)] for f in open_]
    for way, fact in zip(ways, open_, strict=True):
        if len(fact.values) > 1:
            way.append(fact.mask)
    for masks in itertools.product(*ways):
        where = tuple((fact.name, mask) for fact, mask in zip(open_, masks, strict=True))
        memory = {**{fact.name: fact.mask for fact in role.memory}, **known, **dict(where)}
        owed = [output for output in step.row.outputs if output.guard is None or output.guard.holds(memory)]
        for sent in itertools.product(*((True, False) if output.optional else (True,) for output in owed)):
            flight = tuple(_said(role, o, memory, limits) for o, said in zip(owed, sent, strict=True) if said)
            yield LocalStep(step.row, step.state, step.symbol, step.next, where, step.guard, step.assign, flight)


def _said(role: Role, output: Output, memory: Assignment, limits: Limits) -> Symbol:
    """The symbol that is sent: as the pattern says, else what is remembered, else the first sound value."""
    named = output.pattern.named_facts()
    first = output.pattern.symbol()
    values: list[Value] = []
    for fact in output.pattern.message.facts:
        bits = first.assignment[fact.name]
        remembered = fact.named(memory[fact.name]) if fact in role.memory else ()
        if fact not in named:
            allowed = limits.get(fact, fact.sound)
            chosen = [value for value in (remembered or fact.sound) if value in allowed]
            bits = (chosen or [fact.default])[0].bit
        values.extend(fact.named(bits))
    return output.pattern.message.symbol(*values)


def beginning(role: Role, limits: Limits) -> dict[str, int]:
    """What is remembered at first; where the limits leave that out, the first value that they allow."""
    return {
        fact.name: (value if value in limits.get(fact, fact.values) else limits[fact][0]).bit
        for fact, value in role.memory.items()
    }


def own_steps(role: Role, state: State, symbol: Symbol, limits: Limits) -> Iterator[LocalStep]:
    """Every step by which the role sends the symbol of its own accord in the state."""
    for row in role.of_its_own_accord(state):
        if row.kind is Kind.SEND and row.pattern.matches(symbol) and not isinstance(row.next, Abort):
            following = state if isinstance(row.next, Stay) else row.next
            for assign in _assigned(role, row, symbol, limits):
                yield LocalStep(row, state, symbol, following, (), all_of(row.guards), assign, (symbol,))


def live_steps(
    role: Role, limits: Limits, calls: Sequence[Symbol] = (), sends: Sequence[Symbol] = ()
) -> list[LocalStep]:
    """Every step that some configuration takes which the role can come to, whatever is sent to it under the limits.

    calls: what the application may call; sends: what the role may send of its own accord.
    """
    symbols = [*calls, *(symbol for symbol in role.symbols if said_within(symbol, limits))]
    steps = {
        state: [] if role.is_final(state) else [s for symbol in symbols for s in steps_of(role, state, symbol, limits)]
        for state in role.states
    }
    for state, some in steps.items():
        some += [step for symbol in sends for step in own_steps(role, state, symbol, limits)]
    queue: list[tuple[State, dict[str, int]]] = [(role.initial, beginning(role, limits))]
    seen = {(role.initial, tuple(queue[0][1].values()))}
    taken: set[int] = set()
    for state, memory in queue:
        for step in steps[state]:
            if step.fits(memory):
                taken.add(id(step))
                there = memory | dict(step.assign)
                key = (step.next, tuple(there.values()))
                if key not in seen:
                    seen.add(key)
                    queue.append((step.next, there))
    return [step for some in steps.values() for step in some if id(step) in taken]
