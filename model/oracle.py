"""The model, run beside an implementation: after each event, what was allowed.

Each role becomes one `transitions.Machine`; a possibility (state, memory and the flight that is still owed) is a model
object on it. The oracle reads the guards for every possibility, fires each enabled row by its id, and keeps the set of
all possibilities: MAY rows and picks of the implementation stay open until its output decides them.

Calls of a foreign application can't be seen, so they are closed over: an output that only a call explains is allowed,
and the call is taken to have happened.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from transitions import EventData, Machine, Transition

from shakeproof.model.facts import ModelError
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Kind, Message, Output, Row, State, Stay, Symbol

POSSIBILITIES_LIMIT = 64
"""More than this many possibilities at once is a fault of a table, not of a peer: the largest table has 20."""

CELLS_LIMIT = 20_000
"""Cells of which the enabled rows are remembered, for each role: more than any table has, odd symbols included."""

OWED_LIMIT = 256
"""Messages owed at once: bounds what a peer that never lets the implementation answer can pile up."""


class RowTransition(Transition):
    """A transition that carries the row it was made from."""

    def __init__(self, *args: Any, row: Row, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row = row


class RoleMachine(Machine):
    """A role on `transitions`: one transition per row and source state, triggered by the row's id."""

    transition_cls = RowTransition

    def __init__(self, role: Role) -> None:
        super().__init__(
            model=None,
            states=[state.name for state in role.states],
            initial=role.initial.name,
            auto_transitions=False,
            send_event=True,
        )
        self.role = role
        self.state_named = {state.name: state for state in role.states}
        self._idle: list[Possibility] = []
        self._known: set[int] = set()
        """Which rows have their transitions; the role keeps them, so that no other object comes to have such an id."""
        self._enabled: dict[tuple[Configuration, Symbol], tuple[Row, ...]] = {}
        self._has: set[tuple[str, str]] = set()
        ordered = [row for row in role.rows if not row.is_rest] + [row for row in role.rows if row.is_rest]
        for row in ordered:
            self.know(row)

    def know(self, row: Row) -> None:
        """Have the row's transitions. One of several checks is made when a symbol outside the alphabet takes it, for
        each state by itself.
        """
        if id(row) in self._known:
            return
        self._known.add(id(row))
        for state in row.states.members:
            if (row.id, state.name) not in self._has:
                self._has.add((row.id, state.name))
                self.add_transition(row.id, state.name, self._target(row, state), conditions=[self.fits], row=row)

    def enabled(self, here: Configuration, symbol: Symbol) -> tuple[Row, ...]:
        """The rows that the symbol enables, looked up once for each cell."""
        key = (here, symbol)
        rows = self._enabled.get(key)
        if rows is None:
            rows = () if self.role.is_final(here.state) else tuple(self.role.enabled(here, symbol))
            if len(self._enabled) < CELLS_LIMIT:
                self._enabled[key] = rows
        return rows

    def _target(self, row: Row, source: State) -> str:
        if isinstance(row.next, Stay):
            return source.name
        if isinstance(row.next, State):
            return row.next.name
        if self.role.aborted is None:
            raise ModelError(f"{row.id}: aborts, but the role declares no aborted state")
        return self.role.aborted.name

    @staticmethod
    def fits(event: EventData) -> bool:
        """The one condition of every transition: the row's own guard."""
        model, transition = event.model, event.transition
        if not isinstance(model, Possibility) or not isinstance(transition, RowTransition):
            raise ModelError("a role's machine is stepped with its own model objects and transitions")
        return transition.row.fits(model.role.remembered(model.configuration), event.kwargs["symbol"])

    def take(self, configuration: Configuration, owed: tuple[Output, ...], fired: tuple[str, ...]) -> Possibility:
        """A model object in this configuration, a used one where there is one: adding one costs 0.5 ms."""
        if self._idle:
            model = self._idle.pop()
        else:
            model = Possibility(self.role, self.state_named)
            self.add_model(model, initial=self.role.initial.name)
        model.state, model.memory, model.owed, model.fired = configuration.state.name, configuration.memory, owed, fired
        return model

    def give_back(self, models: Iterable[Possibility]) -> None:
        """Model objects that are no longer needed."""
        self._idle.extend(models)


@lru_cache(maxsize=32)
def machine_of(role: Role) -> RoleMachine:
    """The role's machine on `transitions`: one per role, shared by all its oracles."""
    return RoleMachine(role)


class Possibility:
    """A model object: one way in which things may stand. `state` belongs to `transitions`."""

    def __init__(self, role: Role, state_named: Mapping[str, State]) -> None:
        self.role = role
        self.state_named = state_named
        self.state = role.initial.name
        self.memory = role.start.memory
        self.owed: tuple[Output, ...] = ()
        self.fired: tuple[str, ...] = ()

    @property
    def configuration(self) -> Configuration:
        """State and memory."""
        return Configuration(self.state_named[self.state], self.memory)

    @property
    def key(self) -> tuple[str, tuple[int, ...], tuple[Output, ...]]:
        """What makes two possibilities the same."""
        return (self.state, self.memory, self.owed)

    @property
    def must_send(self) -> bool:
        """Whether an output is obligatory now."""
        return any(not output.optional for output in self.owed)


class Oracle:
    """What the role may do, step by step.

    closed_calls: calls of the application are not announced with `call`, and explain outputs by themselves. exercised
    counts, by row id, the rows that were certainly taken.
    """

    def __init__(self, role: Role, *, closed_calls: bool = True) -> None:
        self.role = role
        self.closed_calls = closed_calls
        self.machine = machine_of(role)
        self.exercised: Counter[str] = Counter()
        self.possible: list[Possibility] = [self.machine.take(role.start, (), ())]

    def fork(self) -> Oracle:
        """An independent copy that stands where this one stands; its counts begin anew."""
        other = Oracle.__new__(Oracle)
        other.role, other.closed_calls, other.machine = self.role, self.closed_calls, self.machine
        other.exercised = Counter()
        other.possible = [self.machine.take(p.configuration, p.owed, p.fired) for p in self.possible]
        return other

    def release(self) -> None:
        """Give the model objects back; the oracle is not used afterwards."""
        self.machine.give_back(self.possible)
        self.possible = []

    # -------------------------------------------------------------------------------------------------------- inputs

    def receive(self, symbol: Symbol) -> tuple[Row, ...]:
        """The peer's message arrives. Gives the rows that it enabled, in any possibility; () where none reads it."""
        return self._input(symbol)

    def call(self, message: Message | Symbol) -> tuple[Row, ...]:
        """The application's call, where it is known."""
        return self._input(message if isinstance(message, Symbol) else message.symbol())

    def tick(self, timer: Message) -> tuple[Row, ...]:
        """A timer fires."""
        return self._input(timer.symbol())

    def may_tick(self, timer: Message) -> tuple[Row, ...]:
        """Time passes in which the timer may have fired or not: both ways stay possible."""
        before = [(one.configuration, one.owed, one.fired) for one in self.possible]
        rows = self._input(timer.symbol())
        after = [(one.configuration, one.owed, one.fired) for one in self.possible]
        self._become([self.machine.take(*each) for each in (*before, *after)])
        return rows

    def receive_one_of(self, symbols: Sequence[Symbol]) -> tuple[Row, ...]:
        """A message arrives of which an observer can't tell what it says: each of these stays possible."""
        if len(symbols) == 1:
            return self._input(symbols[0])
        before = [(one.configuration, one.owed, one.fired) for one in self.possible]
        after: list[tuple[Configuration, tuple[Output, ...], tuple[str, ...]]] = []
        rows: dict[str, Row] = {}
        for symbol in symbols:
            self._become([self.machine.take(*each) for each in before])
            rows |= {row.id: row for row in self._input(symbol)}
            after += [(one.configuration, one.owed, one.fired) for one in self.possible]
        self._become([self.machine.take(*each) for each in after])
        return tuple(rows.values())

    def keep(self, fits: Callable[[Possibility], bool]) -> bool:
        """Something else was seen than an output. False where no possibility fits it; then nothing changes."""
        kept = [one for one in self.possible if fits(one)]
        if not kept:
            return False
        if len(kept) < len(self.possible):
            self._become([self.machine.take(one.configuration, one.owed, one.fired) for one in kept])
        return True

    def _input(self, symbol: Symbol) -> tuple[Row, ...]:
        after: list[Possibility] = []
        rows: dict[str, Row] = {}
        for possibility in self.possible:
            here = possibility.configuration
            enabled = self.machine.enabled(here, symbol)
            if not enabled:
                after.append(self.machine.take(here, possibility.owed, possibility.fired))
                continue
            for row in enabled:
                rows[row.id] = row
                after.extend(self._fire(row, possibility, symbol))
        self._become(after)
        return tuple(rows.values())

    def _fire(
        self, row: Row, possibility: Possibility, symbol: Symbol, sent: Symbol | None = None
    ) -> list[Possibility]:
        """Fire one row, on one new model object for each configuration that it may lead to.

        sent: only where the row then owes this, among others.
        """
        here = possibility.configuration
        out: list[Possibility] = []
        for there in self.role.apply(row, here, symbol):
            if sent is not None and not any(self.role.allows(o, there, sent) for o in self.role.flight(row, there)):
                continue
            model = self.machine.take(here, possibility.owed, (*possibility.fired, row.id))
            self.machine.know(row)
            if not self.machine.events[row.id].trigger(model, symbol=symbol):
                raise ModelError(f"{row.id}: the oracle's machine refuses a row that the table enables")
            if model.state != there.state.name:
                raise ModelError(f"{row.id}: the oracle's machine went to {model.state}, the table to {there.state}")
            model.memory = there.memory
            model.owed = (*model.owed, *self.role.flight(row, there))[:OWED_LIMIT]
            out.append(model)
        return out

    def _become(self, possibilities: Sequence[Possibility]) -> None:
        if len(possibilities) == 1:  # most often, and nothing to compare
            self.machine.give_back(self.possible)
            self.possible = list(possibilities)
            return
        distinct: dict[object, Possibility] = {}
        spare: list[Possibility] = []
        for possibility in possibilities:
            if possibility.key in distinct:
                spare.append(possibility)
            else:
                distinct[possibility.key] = possibility
        if len(distinct) > POSSIBILITIES_LIMIT:
            raise ModelError(
                f"{self.role.name}: {len(distinct)} possibilities at once, more than {POSSIBILITIES_LIMIT}"
            )
        self.machine.give_back([*self.possible, *spare])
        self.possible = list(distinct.values())

    # ------------------------------------------------------------------------------------------------------- outputs

    def send(self, symbol: Symbol) -> bool:
        """The implementation sent the symbol. False where no possibility allows it; then nothing changes."""
        after: list[Possibility] = []
        for possibility in self.possible:
            after.extend(self._sent(possibility, symbol))
        if not after:
            return False
        self._become(after)
        return True

    def _sent(self, possibility: Possibility, symbol: Symbol) -> list[Possibility]:
        here = possibility.configuration
        for index, output in enumerate(possibility.owed):
            if self.role.allows(output, here, symbol):
                return [self.machine.take(here, possibility.owed[index + 1 :], possibility.fired)]
            if not output.optional:
                return []
        memory = self.role.remembered(here)
        out: list[Possibility] = []
        for row in self.role.of_its_own_accord(here.state):
            if not all(guard.holds(memory) for guard in row.guards):
                continue
            if row.kind is Kind.SEND and self.role.allows(Output(row.pattern), here, symbol):
                out += self._fire(row, possibility, symbol)
            elif row.kind is Kind.CALL and self.closed_calls and row.outputs:
                said = row.pattern.symbol()
                if any(other.fits(memory, said) for other in row.unless):
                    continue
                for called in self._fire(row, possibility, said, symbol):
                    out += self._sent(called, symbol)
                    self.machine.give_back([called])
        return out

    def quiet(self) -> bool:
        """The implementation sends nothing more until it reads. False where every possibility owes an output.

        Ends a step: possibilities that still owe are dropped, and rows that every remaining one took are counted.
        """
        done = [p for p in self.possible if not p.must_send]
        if not done:
            return False
        certain = set(done[0].fired).intersection(*(p.fired for p in done[1:]))
        self.exercised.update(row for row in done[0].fired if row in certain)
        self._become([self.machine.take(p.configuration, (), ()) for p in done])
        return True

    def may_close(self) -> bool:
        """Whether the implementation may close the connection now."""
        return any(self.role.is_final(p.configuration.state) and not p.must_send for p in self.possible)

    # ------------------------------------------------------------------------------------------------------ questions

    @property
    def states(self) -> tuple[State, ...]:
        """The states still possible."""
        return tuple(dict.fromkeys(p.state_named[p.state] for p in self.possible))

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The configurations still possible."""
        return tuple(dict.fromkeys(p.configuration for p in self.possible))

    @property
    def state_text(self) -> str:
        """The states still possible, for people."""
        return " or ".join(dict.fromkeys(p.state for p in self.possible))

    @property
    def is_over(self) -> bool:
        """Whether every possibility has ended."""
        return all(self.role.is_final(p.configuration.state) for p in self.possible)

    @property
    def is_accepting(self) -> bool:
        """Whether every possibility is in the accepting state."""
        return all(p.configuration.state is self.role.accepting for p in self.possible)

    def expected(self) -> tuple[str, ...]:
        """What may come from the implementation next, as the table spells it; "nothing" where it may be quiet."""
        out: dict[str, None] = {}
        for possibility in self.possible:
            for output in possibility.owed:
                out[output.pattern.text] = None
                if not output.optional:
                    break
            if not possibility.must_send:
                out["nothing"] = None
        return tuple(out)

    # ------------------------------------------------------------------------------------------------------- shadows

    def as_valid(self, symbol: Symbol) -> list[Oracle]:
        """How things would stand had a forbidden symbol been taken as valid, one oracle for each way.

        A defective symbol counts as its sound version in the same state. One that is out of order leads where any row
        of the table leads that reads it elsewhere. Taken before the symbol is received, and without what it remembers
        unless the row says so.
        """
        ways: dict[tuple[Configuration, tuple[Output, ...]], None] = {}
        for possibility in self.possible:
            here = possibility.configuration
            if self.role.is_final(here.state):
                continue
            for row, there in self._valid_ways(here, symbol):
                ways[(there, self.role.flight(row, there))] = None
        out: list[Oracle] = []
        for there, owed in ways:
            other = self.fork()
            other._become([other.machine.take(there, owed, ())])
            out.append(other)
        return out

    def _valid_ways(self, here: Configuration, symbol: Symbol) -> Iterable[tuple[Row, Configuration]]:
        sound = [other for other in self.role.symbols if other.message is symbol.message and other.is_sound]
        rows = [row for row in self.role.rows if row.kind is Kind.RECV and not row.is_rest and not row.is_violation]
        memory = self.role.remembered(here)
        own = [
            (row, one) for one in sound for row in rows if here.state in row.states.members and row.fits(memory, one)
        ]
        elsewhere = [(row, one) for one in sound for row in rows if row.pattern.matches(one)]
        for row, one in own or elsewhere:
            source = here.state if here.state in row.states.members else row.states.members[0]
            for there in self.role.apply(row, Configuration(source, here.memory), one):
                yield row, there
