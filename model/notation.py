"""The notation of the tables: messages, states, rows.

A role is an input-output transition system. One row is one sentence of a standard:

    recv(WAIT_FINISHED, Finished[match],    full, CONNECTED,            MUST("7.4.9")),
    recv(WAIT_FINISHED, Finished[mismatch],       abort(decrypt_error), MUST("7.2.2", "7.4.9")),
    rest(OPEN,                                    abort(unexpected_message), MUST("7.2.2")),

Cells of a row come in this order: states, message with its facts in square brackets, guards over what the role
remembers, next state (a state, STAY or `abort(...)`), effects (`keep`, `now`, `pick`, `forget`, `start`, `stop`), the
reply (`sends(...)`), what the application is told (`tells(...)`), the authority. `recv` rows are inputs; `send` rows
are outputs of one's own accord; `call` rows are the application's calls; `tick` rows are timers. A reply is the flight
that follows, in order. Where a standard examines one input step by step, `shakeproof.model.checks` has the form.

What a table means: after every event, what the role may send is what some still possible configuration (state, memory
and flight that it owes) sends next. Two MAY rows for one input are the role's own choice, and so is `pick`. `void` says
that a combination can't occur; `rest` says what every combination does that neither a row nor a void names: precedence
is row, void, rest. States in `final` read nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from shakeproof.model.alphabet import (
    ANYTHING,
    STAY,
    Kind,
    Message,
    Output,
    Pattern,
    State,
    States,
    Stay,
    Symbol,
    Timer,
    call_message,
)
from shakeproof.model.clauses import Authority, Clause, Level
from shakeproof.model.effects import (
    CONTINUE,
    Abort,
    Agreement,
    Continue,
    Effect,
    EffectKind,
    Effects,
    OutputLike,
    Sends,
    Signal,
    Tells,
    abort,
    agrees,
    differs,
    forget,
    keep,
    maybe,
    now,
    pick,
    pick_of,
    sends,
    start,
    stop,
    tells,
)
from shakeproof.model.facts import Assignment, Guard, ModelError, all_of

__all__ = [
    "ANYTHING",
    "CONTINUE",
    "STAY",
    "Abort",
    "Agreement",
    "Alike",
    "Cell",
    "Continue",
    "Effect",
    "EffectKind",
    "Effects",
    "Kind",
    "Message",
    "Next",
    "OneCell",
    "Output",
    "OutputLike",
    "Pattern",
    "Place",
    "Row",
    "Sends",
    "Signal",
    "State",
    "States",
    "Stay",
    "Symbol",
    "TableLine",
    "Tells",
    "Timer",
    "Void",
    "abort",
    "agrees",
    "call",
    "call_message",
    "differs",
    "forget",
    "keep",
    "maybe",
    "now",
    "pick",
    "pick_of",
    "recv",
    "rest",
    "send",
    "sends",
    "start",
    "stop",
    "tells",
    "tick",
    "void",
]

Next: TypeAlias = State | Stay | Abort
OneCell: TypeAlias = (
    State | Stay | Abort | Message | Pattern | Guard | Agreement | Effects | Sends | Tells | Continue | Authority
)
Cell: TypeAlias = "OneCell | tuple[Cell, ...]"
"""Several cells that always come together may have one name: a tuple."""


@dataclass(frozen=True)
class Place:
    """Where a row stands in an order of checks: the order's name, the number of the check and its title."""

    order: str
    stage: int
    title: str


@dataclass(frozen=True)
class Row:
    """One transition. `role` fills in id, role_name and clauses; cells are as the table gives them.

    goes_on: the handling continues with the next check; place: where the row stands in an order of checks
    (`shakeproof.model.checks`). A row that a role composed of the rows of several checks has
    their ids in `parts`, and in `unless` the rows of the checks that let pass what it is about.
    """

    kind: Kind
    states: States
    pattern: Pattern
    guards: tuple[Guard, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    next: Next = STAY
    effects: tuple[Effect, ...] = ()
    outputs: tuple[Output, ...] = ()
    signals: tuple[Signal, ...] = ()
    goes_on: bool = False
    authority: Authority | None = None
    is_rest: bool = False
    id: str = ""
    role_name: str = ""
    clauses: tuple[Clause, ...] = ()
    place: Place | None = None
    parts: tuple[str, ...] = field(default=(), compare=False)
    unless: tuple[Row, ...] = field(default=(), compare=False, repr=False)

    @property
    def level(self) -> Level:
        """MUST, SHOULD or MAY."""
        if self.authority is None:
            raise ModelError(f"{self.id}: has no authority")
        return self.authority.level

    @property
    def is_violation(self) -> bool:
        """Whether the row says how the peer's fault is answered."""
        return isinstance(self.next, Abort)

    @cached_property
    def guard(self) -> Guard | None:
        """All guards over what the role remembers, as one."""
        return all_of(self.guards)

    def fits(self, memory: Assignment, symbol: Symbol) -> bool:
        """Whether the row is enabled by the symbol, given what is remembered (the state is not looked at)."""
        if not (self.is_rest or self.pattern.matches(symbol)) or not self.agrees_with(memory, symbol):
            return False
        return not any(row.fits(memory, symbol) for row in self.unless)

    def agrees_with(self, memory: Assignment, symbol: Symbol) -> bool:
        """Whether what is remembered enables the row, given that its pattern is what the symbol says."""
        return all(guard.holds(memory) for guard in self.guards) and all(
            agreement.holds(symbol.assignment, memory) for agreement in self.agreements
        )

    @cached_property
    def code(self) -> str:
        """The stable id of the check that this row is, for reports: upper case, hyphens."""
        return (
            "".join(c if c.isalnum() else "-" for c in self.id.upper())
            .replace("---", "-")
            .replace("--", "-")
            .strip("-")
        )

    @property
    def condition(self) -> str:
        """The guards as text."""
        return ", ".join([guard.text() for guard in self.guards] + [item.text for item in self.agreements])

    @property
    def destination(self) -> str:
        """Next state as text."""
        return self.next.text if isinstance(self.next, Abort) else repr(self.next)

    @property
    def outcome(self) -> str:
        """Next state, effects and reply as text."""
        parts = [self.destination]
        parts += [effect.text for effect in self.effects]
        if self.outputs:
            parts.append(f"sends({', '.join(output.text for output in self.outputs)})")
        if self.signals:
            parts.append(f"tells({', '.join(signal.name for signal in self.signals)})")
        if self.goes_on:
            parts.append("CONTINUE")
        return ", ".join(parts)

    @property
    def title(self) -> str:
        """One line for people."""
        condition = f" when {self.condition}" if self.condition else ""
        return f"{self.kind.value} {self.pattern.text} in {self.states.text}{condition}: {self.outcome}"

    @property
    def citation(self) -> str:
        """The clauses, for people."""
        return ", ".join(clause.reference for clause in self.clauses)

    def __str__(self) -> str:
        return self.id or self.title


@dataclass(frozen=True)
class Void:
    """A combination that can't occur, and why."""

    states: States
    pattern: Pattern
    guards: tuple[Guard, ...]
    why: str

    def covers(self, state: State, memory: Assignment, symbol: Symbol) -> bool:
        """Whether the combination is declared impossible."""
        return self.is_about(state, symbol) and all(guard.holds(memory) for guard in self.guards)

    def is_about(self, state: State, symbol: Symbol) -> bool:
        """Whether the state and the symbol are meant, whatever is remembered."""
        if self.pattern.message is not ANYTHING and not self.pattern.matches(symbol):
            return False  # asked first: a table may have a void for each of its messages
        return state in self.states.members


TableLine: TypeAlias = Row | Void


def _states(states: State | States) -> States:
    return states if isinstance(states, States) else States((states,))


def _flat(cells: Iterable[Cell]) -> Iterator[OneCell]:
    for cell in cells:
        if isinstance(cell, tuple):
            yield from _flat(cell)
        else:
            yield cell


def _row(kind: Kind, states: State | States, message: Message | Pattern, cells: Sequence[Cell]) -> Row:
    pattern = message if isinstance(message, Pattern) else Pattern(message)
    where = f"{kind.value}({_states(states).text}, {pattern.text}, ...)"
    guards: list[Guard] = []
    agreements: list[Agreement] = []
    nexts: list[Next] = []
    effects: list[Effect] = []
    outputs: list[Output] = []
    signals: list[Signal] = []
    authorities: list[Authority] = []
    goes_on = False
    for cell in _flat(cells):
        if isinstance(cell, Guard):
            guards.append(cell)
        elif isinstance(cell, Agreement):
            agreements.append(cell)
        elif isinstance(cell, State | Stay | Abort):
            nexts.append(cell)
        elif isinstance(cell, Effects):
            effects.extend(cell.items)
        elif isinstance(cell, Sends):
            outputs.extend(cell.outputs)
        elif isinstance(cell, Tells):
            signals.extend(cell.signals)
        elif isinstance(cell, Continue):
            goes_on = True
        elif isinstance(cell, Authority):
            authorities.append(cell)
        else:
            raise ModelError(f"{where}: {cell!r} is no cell of a row")
    if len(nexts) != 1 or len(authorities) != 1:
        raise ModelError(f"{where}: needs exactly one next state (or STAY, or abort) and one authority")
    if isinstance(nexts[0], Abort) and (outputs or effects):
        raise ModelError(f"{where}: an abort has no other effect or reply")
    if len({effect.fact for effect in effects}) != len(effects):
        raise ModelError(f"{where}: two effects on one fact")
    return Row(
        kind,
        _states(states),
        pattern,
        tuple(guards),
        tuple(agreements),
        nexts[0],
        tuple(effects),
        tuple(outputs),
        tuple(signals),
        goes_on,
        authorities[0],
    )


def recv(states: State | States, message: Message | Pattern, *cells: Cell) -> Row:
    """What the role does when the peer's message arrives."""
    return _row(Kind.RECV, states, message, cells)


def send(states: State | States, message: Message | Pattern, *cells: Cell) -> Row:
    """What the role sends of its own accord: MUST obliges, MAY permits."""
    row = _row(Kind.SEND, states, message, cells)
    if row.outputs:
        raise ModelError(f"{row.title}: a send row sends its own message only")
    return row


def call(states: State | States, message: Message | Pattern, *cells: Cell) -> Row:
    """What a call of the application does."""
    return _row(Kind.CALL, states, message, cells)


def tick(states: State | States, timer: Timer, *cells: Cell) -> Row:
    """What happens when a running timer fires; it stops, unless the row starts it anew."""
    row = _row(Kind.TICK, states, timer, (timer.running, *cells))
    if all(effect.fact is not timer.fact for effect in row.effects):
        row = replace(row, effects=(*row.effects, *stop(timer).items))
    return row


def rest(states: State | States, outcome: Stay | Abort | State, *cells: Cell) -> Row:
    """What every message does that no row names in these states."""
    return replace(_row(Kind.RECV, states, ANYTHING, (outcome, *cells)), is_rest=True)


def void(states: State | States, message: Message | Pattern, *guards: Guard, why: str) -> Void:
    """A combination that can't occur, with the reason."""
    if not why:
        raise ModelError(f"void({_states(states).text}, ...): say why")
    return Void(_states(states), message if isinstance(message, Pattern) else Pattern(message), guards, why)


@dataclass(frozen=True)
class Alike:
    """Inputs that differ only in a secret, so that nobody may be able to tell them apart by the answers.

    symbols: the inputs; follow: what a peer sends after each of them; authority: what demands it.
    """

    symbols: tuple[Symbol, ...]
    follow: tuple[Symbol, ...]
    authority: Authority
