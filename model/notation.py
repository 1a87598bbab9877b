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

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from typing import TypeAlias

from shakeproof.model.clauses import Authority, Clause, Level
from shakeproof.model.facts import Assignment, Fact, Guard, ModelError, Value, all_of


class Kind(Enum):
    """What makes a row fire."""

    RECV = "recv"
    SEND = "send"
    CALL = "call"
    TICK = "tick"


# ------------------------------------------------------------------------------------------------------ messages


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
        raise ModelError(f"{self.text}: nothing is so")

    @property
    def text(self) -> str:
        """As a table spells it."""
        inner = ", ".join(guard.text() for guard in self.guards)
        return f"{self.message.name}[{inner}]" if inner else self.message.name

    def named_facts(self) -> tuple[Fact, ...]:
        """The facts that the pattern looks at."""
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

    @property
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


# -------------------------------------------------------------------------------------------------------- states


@dataclass(frozen=True)
class State:
    """A state: name as the RFC prints it or says what is awaited; sentence: what it means; phase: its band."""

    name: str
    sentence: str
    phase: str = ""

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


# ----------------------------------------------------------------------------------------------- outcomes and effects


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


# ---------------------------------------------------------------------------------------------------------- rows

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

    @property
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
        if self.pattern.message is not ANYTHING and not self.pattern.matches(symbol):
            return False  # asked first: a table may have a void for each of its messages
        return state in self.states.members and all(guard.holds(memory) for guard in self.guards)


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
