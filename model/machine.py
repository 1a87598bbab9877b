"""Roles: a table with everything needed to read it.

A role is an input-output transition system. What its rows mean, one event at a time, is decided here and nowhere else:
which rows an event enables, where they lead, what flight is owed. Oracle, explorer, suites, Hypothesis rules and
pictures read a role through these methods.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

from shakeproof.model.checks import Ways, joined
from shakeproof.model.clauses import Authority, Quotes
from shakeproof.model.facts import Fact, Guard, ModelError, Value
from shakeproof.model.notation import (
    Abort,
    Alike,
    EffectKind,
    Kind,
    Message,
    Output,
    Pattern,
    Row,
    State,
    Stay,
    Symbol,
    TableLine,
    Timer,
    Void,
)
from shakeproof.model.trace import Phase


class Configuration(NamedTuple):
    """A state and what is remembered: bit masks in the order of the role's memory."""

    state: State
    memory: tuple[int, ...]


Steps: TypeAlias = dict[Configuration, tuple[tuple[Row, Symbol, Configuration], ...]]
"""Configurations with the steps that lead out of them."""


@dataclass(frozen=True)
class Hint:
    """Where a picture puts a state: column and row of a grid."""

    column: int
    row: int


@dataclass(eq=False)
class Role:
    """A role: its table and everything needed to read it.

    name: "tls12.client"; title: for people; rfc: its own document; initial, accepting, final, aborted: states (aborted
    is entered by `abort`); alphabet: the messages that its peer can send, defective ones included; memory: fact -> the
    value it starts with; lines: rows and voids in the order of the table; quotes: the sentences that rows cite;
    blank: states in which nothing is remembered: entering one puts memory back to the beginning; alert, fatal: how
    `abort` speaks; peer: the role at the other end; readings: names of readings with a sentence each;
    default_readings: those in force; partial: why the table is not complete, "" when it is; hints: layout for pictures;
    theory: how the role works; alike: inputs that must be answered alike; truncation: what forbids to take the end of
    the transport for the end of the data; without: mechanisms of the standard that the table has no rows for yet, so
    that an audit can say what it did not test; order: states in the order in which they are listed and drawn, where
    that is not the order of the table.
    Raises ModelError, with the row named, where the table is ill-formed.
    """

    name: str
    title: str
    rfc: int
    initial: State
    accepting: State
    final: State
    alphabet: tuple[Message, ...]
    lines: Sequence[TableLine]
    quotes: Quotes
    phases: tuple[Phase, ...]
    memory: Mapping[Fact, Value] = field(default_factory=dict)
    aborted: State | None = None
    alert: Message | None = None
    fatal: Guard | None = None
    peer: str = ""
    readings: Mapping[str, str] = field(default_factory=dict)
    default_readings: frozenset[str] = frozenset()
    partial: str = ""
    hints: Mapping[str, object] = field(default_factory=dict)
    theory: str = ""
    alike: tuple[Alike, ...] = ()
    truncation: Authority | None = None
    without: tuple[str, ...] = ()
    order: tuple[State, ...] = ()
    blank: tuple[State, ...] = ()

    def __post_init__(self) -> None:
        self.voids: tuple[Void, ...] = tuple(line for line in self.lines if isinstance(line, Void))
        for message in dict.fromkeys(row.pattern.message for row in self.sources):
            if isinstance(message, Timer) and message.fact not in self.memory:
                self.memory = {**self.memory, message.fact: message.idle}
        self.memory_facts: tuple[Fact, ...] = tuple(self.memory)
        self.table: tuple[Row, ...] = tuple(self._identified([row for row in self.sources if self.is_in_force(row)]))
        checked: dict[str, list[Row]] = {}
        for row in self.table:
            if row.place is not None:
                checked.setdefault(row.place.order, []).append(row)
        self.orders = [Ways(name, rows, self.blank) for name, rows in checked.items()]
        plain = [row for row in self.table if row.place is None]
        self._index: dict[tuple[State, Message], list[Row]] = {}
        self._said: dict[tuple[State, Symbol], tuple[Row, ...]] = {}
        self._ruled_out: dict[tuple[State, Symbol], tuple[Void, ...]] = {}
        self._remembered: dict[tuple[int, ...], dict[str, int]] = {}
        self._rest: dict[State, list[Row]] = {}
        self._unasked: dict[State, tuple[Row, ...]] = {}
        self._flights: dict[tuple[int, tuple[int, ...]], tuple[Row, tuple[Output, ...]]] = {}
        for row in plain:
            for state in row.states.members:
                if row.is_rest:
                    self._rest.setdefault(state, []).append(row)
                elif row.kind is not Kind.SEND:
                    self._index.setdefault((state, row.pattern.message), []).append(row)
        self.rows: tuple[Row, ...] = self.table
        if checked:
            self.rows = tuple(self._whole(self._composed()))
        self.by_id: dict[str, Row] = {row.id: row for row in self.rows}

    @property
    def sources(self) -> tuple[Row, ...]:
        """The rows as the table gives them, under any reading."""
        return tuple(line for line in self.lines if isinstance(line, Row))

    def _whole(self, composed: Iterable[Row]) -> Iterator[Row]:
        """The rows in the order of the table, with the transitions that an order of checks makes where it stands."""
        order_of = {row.id: row.place.order for row in self.table if row.place is not None}
        left: dict[str, list[Row]] = {}
        for row in composed:
            left.setdefault(order_of[row.parts[0]], []).append(row)
        for row in self.table:
            if row.place is None:
                yield row
            else:
                yield from left.pop(row.place.order, ())

    def _composed(self) -> Iterator[Row]:
        """The transitions that the checks make of the alphabet, named: those of one state first."""
        found = dict.fromkeys(id(row) for steps in self.reachable.values() for row, _, _ in steps if row.parts)
        rows = {id(row): row for steps in self.reachable.values() for row, _, _ in steps}
        groups = sorted(joined([rows[key] for key in found]), key=lambda group: len(group[0].states.members))
        written = {row.id: row.states for row in self.table}
        wide = [
            replace(row, states=written[row.parts[0]])
            if set(row.states.members) == set(written[row.parts[0]].members) else row
            for row, _ in groups
        ]  # fmt: skip
        named = [
            replace(new, clauses=row.clauses, parts=row.parts, unless=row.unless)
            for row, new in zip(wide, self._identified(wide), strict=True)
        ]
        renamed = [(old, new) for new, (_, olds) in zip(named, groups, strict=True) for old in olds]
        for ways in self.orders:
            ways.rename(renamed)
        new_of = {id(old): new for old, new in renamed}
        self.__dict__["reachable"] = {  # found with the rows that had no names yet, and too costly to be found again
            here: tuple((new_of.get(id(row), row), symbol, there) for row, symbol, there in steps)
            for here, steps in self.reachable.items()
        }
        yield from named

    def _identified(self, rows: Sequence[Row]) -> Iterator[Row]:
        base = [self._base_id(row) for row in rows]
        for row, identity in zip(rows, base, strict=True):
            same = [other for other, name in zip(rows, base, strict=True) if name == identity]
            if len(same) > 1 and row.condition:
                identity += f":{row.condition}"
                same = [other for other in same if other.condition == row.condition]
            if len(same) > 1:
                alone = sum(other.destination == row.destination for other in same) == 1
                identity += f":{row.destination if alone else row.outcome}"
            row_id = " ".join(identity.split())
            clauses = self.quotes.resolve(row.authority, row_id) if row.authority else ()
            yield replace(row, id=row_id, role_name=self.name, clauses=clauses)

    def _base_id(self, row: Row) -> str:
        what = "rest" if row.is_rest else row.pattern.text
        prefix = "" if row.kind is Kind.RECV else f"{row.kind.value} "
        return f"{self.name}:{row.states.text}:{prefix}{what}"

    def is_in_force(self, row: Row) -> bool:
        """Whether the row holds under the readings in force. Raises ModelError for a reading that is not declared."""
        reading = row.authority.reading if row.authority else ""
        name = reading.removeprefix("~")
        if name and name not in self.readings:
            raise ModelError(
                f"{self.name}: {row.title}: unknown reading {name!r}; declared are {sorted(self.readings)}"
            )
        return not reading or ((name in self.default_readings) is not reading.startswith("~"))

    def under(self, readings: Iterable[str]) -> Role:
        """The role with these readings in force instead of the default ones."""
        chosen = frozenset(readings)
        unknown = chosen - set(self.readings)
        if unknown:
            raise ModelError(f"{self.name}: unknown readings {sorted(unknown)}; declared are {sorted(self.readings)}")
        return replace(self, default_readings=chosen)

    # -------------------------------------------------------------------------------------------- reading the table

    @cached_property
    def states(self) -> tuple[State, ...]:
        """All states: in the given order, else as the table first names them; where it ends comes last."""
        seen: dict[State, None] = dict.fromkeys((self.initial, *self.order))
        for row in self.table:
            if not row.is_rest and len(row.states.members) == 1:
                seen.setdefault(row.states.members[0])
            if isinstance(row.next, State) and row.next is not self.final:
                seen.setdefault(row.next)
        for line in self.in_force:
            for state in line.states.members:
                seen.setdefault(state)
        seen.pop(self.final, None)
        seen[self.final] = None
        if self.aborted is not None:
            seen.pop(self.aborted, None)
            seen[self.aborted] = None
        return tuple(seen)

    @property
    def in_force(self) -> tuple[TableLine, ...]:
        """Rows, as the table gives them, and voids in force."""
        return (*self.table, *self.voids)

    @property
    def start(self) -> Configuration:
        """The configuration before anything happened."""
        return Configuration(self.initial, tuple(self.memory[fact].bit for fact in self.memory_facts))

    def is_final(self, state: State) -> bool:
        """Whether nothing more is read in the state."""
        return state is self.aborted or (state is self.final and not self._final_reads)

    @cached_property
    def _final_reads(self) -> bool:
        return any(row.kind is not Kind.TICK and self.final in row.states.members for row in self.table)

    def remembered(self, configuration: Configuration) -> dict[str, int]:
        """Fact name -> bit mask of what is remembered; not to be changed by whoever asks."""
        memory = configuration.memory
        if memory not in self._remembered:
            self._remembered[memory] = {fact.name: bits for fact, bits in zip(self.memory_facts, memory, strict=True)}
        return self._remembered[memory]

    def remembered_text(self, configuration: Configuration) -> str:
        """What is remembered, where it differs from the beginning; what was forgotten is not mentioned."""
        first = self.start.memory
        words = [
            " | ".join(value.name for value in fact.named(bits))
            for fact, bits, initial in zip(self.memory_facts, configuration.memory, first, strict=True)
            if bits != initial and bits != fact.mask
        ]
        return ", ".join(words)

    def named(self, state: State, symbol: Symbol) -> Sequence[Row]:
        """The rows, other than rest and checks, of the state and the symbol's message (guards not looked at)."""
        return self._index.get((state, symbol.message), ())

    def of_its_own_accord(self, state: State) -> tuple[Row, ...]:
        """The rows by which the role may send in the state without being sent anything: its own, and its calls'."""
        if state not in self._unasked:
            kinds = (Kind.SEND, Kind.CALL)
            self._unasked[state] = tuple(r for r in self.rows if r.kind in kinds and state in r.states.members)
        return self._unasked[state]

    def _taking(self, configuration: Configuration, symbol: Symbol) -> list[Row]:
        """The rows that take the symbol, `rest` aside."""
        memory = self.remembered(configuration)
        key = (configuration.state, symbol)
        if key not in self._said:
            self._said[key] = tuple(row for row in self.named(*key) if row.pattern.matches(symbol))
        said = self._said[key]
        rows = [row for row in said if row.agrees_with(memory, symbol)] if said else []
        for ways in self.orders:
            rows += [ways.row(key[0], path) for path in ways.paths(key[0], memory, symbol)]
        return rows

    def enabled(self, configuration: Configuration, symbol: Symbol) -> list[Row]:
        """The rows that the symbol enables; precedence is row, void, rest."""
        rows = self._taking(configuration, symbol)
        if rows or symbol.message.kind is not Kind.RECV:
            return rows
        if self._void(configuration, symbol) is not None:
            return []
        memory = self.remembered(configuration)
        return [row for row in self._rest.get(configuration.state, ()) if row.fits(memory, symbol)]

    def is_void(self, configuration: Configuration, symbol: Symbol) -> str:
        """Why the combination can't occur; "" where it can."""
        if self._taking(configuration, symbol):
            return ""
        item = self._void(configuration, symbol)
        return item.why if item is not None else ""

    def _void(self, configuration: Configuration, symbol: Symbol) -> Void | None:
        """The first void that covers the combination."""
        key = (configuration.state, symbol)
        if key not in self._ruled_out:
            self._ruled_out[key] = tuple(item for item in self.voids if item.is_about(*key))
        memory = self.remembered(configuration)
        return next((item for item in self._ruled_out[key] if all(guard.holds(memory) for guard in item.guards)), None)

    def apply(self, row: Row, configuration: Configuration, symbol: Symbol) -> list[Configuration]:
        """The configurations after the row; several where the role picks."""
        if isinstance(row.next, Abort):
            if self.aborted is None:
                raise ModelError(f"{row.id}: aborts, but the role declares no aborted state")
            return [Configuration(self.aborted, configuration.memory)]
        state = configuration.state if isinstance(row.next, Stay) else row.next
        if state in self.blank and state is not configuration.state:
            return [Configuration(state, self.start.memory)]
        memories: list[dict[str, int]] = [self.remembered(configuration)]
        for effect in row.effects:
            name = effect.fact.name
            if effect.kind is EffectKind.KEEP:
                memories = [{**memory, name: symbol.assignment[name]} for memory in memories]
            elif effect.kind is EffectKind.NOW:
                memories = [{**memory, name: effect.mask} for memory in memories]
            else:
                values = effect.choices(symbol.assignment)
                memories = [{**memory, name: value.bit} for memory in memories for value in values]
        return [Configuration(state, tuple(memory[fact.name] for fact in self.memory_facts)) for memory in memories]

    def flight(self, row: Row, configuration: Configuration) -> tuple[Output, ...]:
        """What the role owes after the row, given the configuration that it led to."""
        key = (id(row), configuration.memory)
        if key not in self._flights:
            self._flights[key] = (row, self._flight(row, configuration))  # with the row, whose id is then no other's
        return self._flights[key][1]

    def _flight(self, row: Row, configuration: Configuration) -> tuple[Output, ...]:
        if isinstance(row.next, Abort):
            if self.alert is None or self.fatal is None:
                raise ModelError(f"{row.id}: aborts, but the role declares no alert")
            described: Guard = row.next.alerts[0]
            for alert in row.next.alerts[1:]:
                described = described | alert
            return (Output(Pattern(self.alert, (self.fatal, described))),)
        memory = self.remembered(configuration)
        return tuple(replace(o, guard=None) for o in row.outputs if o.guard is None or o.guard.holds(memory))

    def allows(self, output: Output, configuration: Configuration, symbol: Symbol) -> bool:
        """Whether the symbol is the output: as the pattern says, agreeing with what is remembered, and sound."""
        if not output.pattern.matches(symbol):
            return False
        memory = self.remembered(configuration)
        named = output.pattern.named_facts()
        for fact in symbol.message.facts:
            bits = symbol.assignment[fact.name]
            if fact in named:
                continue
            if fact.name in memory and fact in self.memory:
                if not bits & memory[fact.name]:
                    return False
            elif not bits & fact.sound_mask:
                return False
        return True

    # ------------------------------------------------------------------------------------------------- the alphabet

    @cached_property
    def looked_at(self) -> dict[Message, tuple[Fact, ...]]:
        """For each message of the alphabet, the facts that some row or void looks at."""
        out: dict[Message, dict[Fact, None]] = {message: {} for message in self.alphabet}
        for line in self.in_force:
            if line.pattern.message not in out or (isinstance(line, Row) and line.kind is not Kind.RECV):
                continue
            facts = out[line.pattern.message]
            facts.update(dict.fromkeys(line.pattern.named_facts()))
            if isinstance(line, Row):
                facts.update(dict.fromkeys(a.fact for a in line.agreements))
                facts.update(dict.fromkeys(e.fact for e in line.effects if e.kind is EffectKind.KEEP))
                facts.update(dict.fromkeys(value.fact for e in line.effects for value, _ in e.by))
        return {message: tuple(f for f in message.facts if f in facts) for message, facts in out.items()}

    @cached_property
    def symbols(self) -> tuple[Symbol, ...]:
        """The input alphabet: every message times the values of the facts that rows look at.

        A defect is tried with the first sound value of every fact that is not looked at together with it; of a detail
        fact, only the values that rows name and one other. What contradicts itself is left out.
        """
        out: dict[Symbol, None] = {}
        for message in self.alphabet:
            facts = self.looked_at[message]
            choices = [self._tried(message, fact) for fact in facts]
            for combination in itertools.product(*choices):
                defects = [value for value in combination if not value.is_sound]
                others = [v for v in combination if v.is_sound and v is not v.fact.default]
                narrow = [value for value in others if value.fact.narrow]
                if len(narrow) > 1 or (narrow and not self._narrowly(message, combination, narrow[0])):
                    continue
                if len(defects) > 1 or (defects and not self._together(message, defects[0], others)):
                    continue
                symbol = message.symbol(*combination)
                if not any(guard.holds(symbol.assignment) for guard, _ in message.never):
                    out.setdefault(symbol)
        return tuple(out)

    def _narrowly(self, message: Message, combination: Sequence[Value], narrow: Value) -> bool:
        """Whether some line names the value of a narrow fact together with whatever else the combination says."""
        said = {value.fact for value in combination if value is not narrow and value is not value.fact.default}
        symbol = message.symbol(*combination)
        for line in self.in_force:
            named = [value for guard in line.pattern.guards for value in guard.values()]
            if narrow in named and said <= {value.fact for value in named} and line.pattern.matches(symbol):
                return True
        return False

    def _together(self, message: Message, defect: Value, others: Sequence[Value]) -> bool:
        """Whether some row or void looks at the defect together with the facts of the other values."""
        asked = {value.fact for value in others}
        said = {defect.fact.name: defect.bit}
        for line in self.in_force:
            named = [value for guard in line.pattern.guards for value in guard.values()]
            if line.pattern.message is not message or defect not in named:
                continue
            meant = all(guard.holds(said) for guard in line.pattern.guards if guard.facts() == (defect.fact,))
            if meant and asked <= {value.fact for value in named}:
                return True
        return not others

    def _tried(self, message: Message, fact: Fact) -> tuple[Value, ...]:
        if not fact.detail:
            return fact.values
        named: dict[Value, None] = {}
        for line in self.in_force:
            if line.pattern.message is message and (not isinstance(line, Row) or line.kind is Kind.RECV):
                for guard in line.pattern.guards:
                    named.update(dict.fromkeys(v for v in guard.values() if v.fact is fact))
        other = next((value for value in fact.values if value.is_sound and value not in named), None)
        return tuple(value for value in fact.values if value in named or value is other)

    def sent(self, row: Row) -> tuple[Symbol, ...]:
        """What a send row sends, told apart only by what the row keeps of it."""
        message = row.pattern.message
        kept = [effect.fact for effect in row.effects if effect.kind is EffectKind.KEEP]
        symbols = [message.symbol(*values) for values in itertools.product(*(fact.sound for fact in kept))]
        return tuple(symbol for symbol in symbols if row.pattern.matches(symbol)) if kept else (row.pattern.symbol(),)

    @cached_property
    def cells(self) -> dict[tuple[Configuration, Symbol], list[Row]]:
        """Every reachable configuration that still reads, with every symbol -> the rows that it enables."""
        reachable, enabled = self._explored
        open_ = [configuration for configuration in reachable if not self.is_final(configuration.state)]
        return {(here, symbol): enabled[here, symbol] for here in open_ for symbol in self.symbols}

    @cached_property
    def reachable(self) -> Steps:
        """Every reachable configuration with its outgoing steps, violations included, in breadth-first order."""
        return self._explored[0]

    @cached_property
    def _explored(self) -> tuple[Steps, dict[tuple[Configuration, Symbol], list[Row]]]:
        """What can be reached, and the rows that were found enabled on the way: to find them costs most of the time."""
        enabled: dict[tuple[Configuration, Symbol], list[Row]] = {}
        calls = [row.pattern.symbol() for row in self.table if row.kind in (Kind.CALL, Kind.TICK)]
        events = (*dict.fromkeys(calls), *self.symbols)
        out: Steps = {}
        queue = [self.start]
        known = {self.start}
        while queue:
            here = queue.pop(0)
            steps: list[tuple[Row, Symbol, Configuration]] = []
            if not self.is_final(here.state):
                for symbol in events:
                    enabled[here, symbol] = self.enabled(here, symbol)
                    for row in enabled[here, symbol]:
                        steps += [(row, symbol, there) for there in self.apply(row, here, symbol)]
                for row in self.table:
                    if row.kind is Kind.SEND and here.state in row.states.members:
                        memory = self.remembered(here)
                        if all(guard.holds(memory) for guard in row.guards):
                            for symbol in self.sent(row):
                                steps += [(row, symbol, there) for there in self.apply(row, here, symbol)]
            out[here] = tuple(steps)
            for _, _, there in steps:
                if there not in known:
                    known.add(there)
                    queue.append(there)
        return out, enabled

    def phase_of(self, state: State) -> Phase | None:
        """The phase that the state belongs to."""
        return next((phase for phase in self.phases if phase.key == state.phase), None)

    def __repr__(self) -> str:
        return f"Role({self.name}: {len(self.states)} states, {len(self.rows)} rows, {len(self.symbols)} symbols)"
