"""Table, `transitions` oracle and explorer give the same successors, for every configuration and symbol of a role."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import pytest

from shakeproof.model.composition import Column, Composition, Of, Transition
from shakeproof.model.facts import Fact
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    ASKS,
    EXTENSIONS,
    GRANTS,
    KEY_EXCHANGE,
    OFFER,
    TICKET,
    ClientHello,
    connect,
    write,
)
from shakeproof.model.notation import Kind, Output, Row, State, Symbol
from shakeproof.model.oracle import machine_of
from shakeproof.model.roles import ROLES
from shakeproof.model.steps import live_steps, steps_of
from shakeproof.model.tls12 import CONNECTED, WAIT_SERVER_HELLO
from shakeproof.properties.explore import Expander, States

COMPOSED = ["tls12.client", "tls12.server", "certificate", "http.client", "http.server", "tcp"]
"""Roles whose rows can be composed."""

DEFAULT = "tls12.server"

Successor = tuple[str, str, tuple[int, ...], int]
"""Row, state, memory, and how many messages are owed."""


def how_many(flight: Sequence[Output]) -> range:
    """How many messages a flight may have: some may be left out of it."""
    return range(sum(not output.optional for output in flight), len(flight) + 1)


def cells_of(role: Role) -> Iterator[tuple[Configuration, Symbol]]:
    """Every configuration that still reads, with everything that may be sent to it, called, or time out."""
    yield from role.cells
    open_ = [here for here in role.reachable if not role.is_final(here.state)]
    yield from ((here, symbol) for here in open_ for symbol in own_events(role))


def own_events(role: Role) -> tuple[Symbol, ...]:
    """The calls and the timers of a role, with what they say."""
    rows = [row for row in role.table if row.kind in (Kind.CALL, Kind.TICK)]
    return tuple(dict.fromkeys(row.pattern.symbol() for row in rows))


def by_the_table(role: Role, here: Configuration, symbol: Symbol) -> set[Successor]:
    return {
        (row.id, there.state.name, there.memory, owed)
        for row in role.enabled(here, symbol)
        for there in role.apply(row, here, symbol)
        for owed in how_many(role.flight(row, there))
    }


def by_the_oracle(role: Role, here: Configuration, symbol: Symbol) -> set[Successor]:
    """Every transition of `transitions` that its own condition lets fire; `rest` where no other does."""
    machine = machine_of(role)
    out: set[Successor] = set()
    for row in role.rows:
        if here.state not in row.states.members or not _asked(role, row, here, symbol):
            continue
        model = machine.take(here, (), ())
        if machine.events[row.id].trigger(model, symbol=symbol):
            out |= {
                (row.id, model.state, there.memory, owed)
                for there in role.apply(row, here, symbol)
                for owed in how_many(role.flight(row, there))
            }
        machine.give_back([model])
    return out


def _asked(role: Role, row: Row, here: Configuration, symbol: Symbol) -> bool:
    """Whether the machine is asked for the row: its kind, and for `rest` that nothing else is there."""
    if row.kind is not symbol.message.kind:
        return False
    return not row.is_rest or row in role.enabled(here, symbol)


def on_columns(role: Role, guards: bool) -> tuple[Expander, dict[int, tuple[Symbol, str, int]]]:
    """The role alone as a model, with nothing packed together: the guards of its rows are read on columns."""
    states = Fact("state", {state.name.lower().replace("-", "_"): state.sentence for state in role.states})
    bit = {state: states.values[number].bit for number, state in enumerate(role.states)}
    transitions: list[Transition] = []
    told: dict[int, tuple[Symbol, str, int]] = {}
    for state, symbol in _events(role):
        for step in steps_of(role, state, symbol, {}):
            where = (("role.state", bit[state]), *((f"role.{name}", mask) for name, mask in step.where))
            assign = (("role.state", bit[step.next]), *((f"role.{name}", mask) for name, mask in step.assign))
            told[len(transitions)] = (symbol, step.row.id, len(step.flight))
            own = Of("role", step.guard) if guards and step.guard is not None else None
            transitions.append(Transition(step.row.id, "receives", "role", symbol, where, own, None, assign))
    begin = {"role.state": bit[role.initial]} | {f"role.{f.name}": value.bit for f, value in role.memory.items()}
    columns = [Column("role.state", states, tuple(bit.values()))]
    for fact in role.memory:
        masks = dict.fromkeys((*(value.bit for value in fact.values), fact.mask))
        columns.append(Column(f"role.{fact.name}", fact, tuple(masks)))
    return Expander(Composition(role.name, "", tuple(columns), (begin,), tuple(transitions))), told


def _events(role: Role) -> Iterator[tuple[State, Symbol]]:
    for state in role.states:
        if not role.is_final(state):
            yield from ((state, symbol) for symbol in (*role.symbols, *own_events(role)))


def by_the_explorer(role: Role, *, guards: bool = True) -> dict[tuple[Configuration, Symbol], set[Successor]]:
    expander, told = on_columns(role, guards)
    packing = expander.packing
    state_fact = packing.model.columns[0].fact
    named = {state.name.lower().replace("-", "_"): state for state in role.states}
    open_ = [here for here in role.reachable if not role.is_final(here.state)]
    of: dict[int, Configuration] = {}
    for here in open_:
        bits = state_fact[here.state.name.lower().replace("-", "_")].bit
        memory = {f"role.{name}": mask for name, mask in role.remembered(here).items()}
        of[packing.pack({"role.state": bits, **memory})] = here
    states: States = expander.initial.__class__((len(of),), dtype=expander.initial.dtype)
    states[:] = sorted(of)
    out: dict[tuple[Configuration, Symbol], set[Successor]] = defaultdict(set)
    for before, after, number in fired(expander, states):
        symbol, row, owed = told[number]
        values = packing.unpack(after)
        there = named[state_fact.named(values["role.state"])[0].name]
        memory_after = tuple(values[f"role.{fact.name}"] for fact in role.memory_facts)
        out[of[before], symbol].add((row, there.name, memory_after, owed))
    return out


def fired(expander: Expander, states: States) -> Iterator[tuple[int, int, int]]:
    """Each state, what a transition makes of it, and the number of the transition."""
    for chunk in expander.chunks(states):
        for pairs in expander.expand(chunk):
            for whose, after, entry in zip(*pairs, strict=True):
                yield from ((int(chunk[whose]), int(after), int(number)) for number in expander.numbers(entry))


@pytest.mark.parametrize(
    "name", [name if name == DEFAULT else pytest.param(name, marks=pytest.mark.slow) for name in COMPOSED]
)
def test_role_explorer_gives_the_successors_of_the_table(name: str) -> None:
    role = ROLES[name]
    found = by_the_explorer(role)
    for here, symbol in cells_of(role):
        assert found.get((here, symbol), set()) == by_the_table(role, here, symbol), f"{here} {symbol}"


@pytest.mark.slow
@pytest.mark.parametrize("readings", [(), ("rfc5961", "rfc7323")])
def test_role_explorer_gives_the_successors_of_the_table_under_other_readings(readings: tuple[str, ...]) -> None:
    role = ROLES["tcp"].under(readings)
    found = by_the_explorer(role)
    for here, symbol in cells_of(role):
        assert found.get((here, symbol), set()) == by_the_table(role, here, symbol), f"{here} {symbol}"


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPOSED)
def test_role_oracle_gives_the_successors_of_the_table(name: str) -> None:
    role = ROLES[name]
    for here, symbol in cells_of(role):
        assert by_the_oracle(role, here, symbol) == by_the_table(role, here, symbol), f"{here} {symbol}"


def test_live_steps_what_a_role_sends_of_its_own_accord_leads_to_states_that_are_live_too() -> None:
    role, hello = ROLES["tls12.client"], ClientHello.symbol()
    limits = {fact: (fact.default,) for fact in (KEY_EXCHANGE, OFFER, GRANTS, TICKET, ASKS, EXTENSIONS)}
    calls = (connect.symbol(), write.symbol())
    waiting, renegotiating = (live_steps(role, limits, calls, sends) for sends in ((), (hello,)))
    own = [step for step in renegotiating if step.row.kind is Kind.SEND]
    assert [(step.state, step.next, step.flight) for step in own] == [(CONNECTED, WAIT_SERVER_HELLO, (hello,))]
    before, after = ({(step.row.id, step.state, step.symbol) for step in some} for some in (waiting, renegotiating))
    assert before < after


def test_roles_every_one_can_be_composed() -> None:
    assert set(COMPOSED) == set(ROLES)


def test_explorer_that_does_not_read_guards_is_told_from_the_table() -> None:
    role = ROLES[DEFAULT]
    found = by_the_explorer(role, guards=False)
    assert any(found.get(cell, set()) != by_the_table(role, *cell) for cell in cells_of(role))
