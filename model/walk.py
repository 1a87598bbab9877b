"""Two roles stepped against each other over a network that loses nothing: honest runs, computed from the tables.

`walk` starts each role where it stands, lets the application call and timers fire as a script says, and after each of
these events delivers what is sent, in order, until nobody owes anything. Every step is taken from rows: the row that
reads a message names its clause, and state before and after come from both ends. Nothing is timed and no number is
known, so a picture of it says "from the table". What arrives where nothing more is read is a step without a row.

Where a row leaves a choice (two MAY rows, a pick, a message that may be left out), the first row, the first value, and
leaving out are taken.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from shakeproof.model.facts import ModelError, Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Kind, Message, Output, Row, Symbol
from shakeproof.model.trace import Kind as StepKind
from shakeproof.model.trace import Step, number_steps

DELIVERIES_LIMIT = 100
"""More messages than this after one event mean that two tables answer each other for ever; no handshake has 20."""


@dataclass(frozen=True)
class Event:
    """What starts a stretch of a walk: a call of the application at one lane, or a timer that fires there.

    phase: key of the phase that the steps belong to; title: what a step of time is called.
    """

    lane: str
    message: Message
    phase: str = ""
    title: str = ""


@dataclass
class Party:
    """A role at one lane, and where it stands."""

    lane: str
    role: Role
    configuration: Configuration
    owed: deque[Output] = field(default_factory=deque)

    @property
    def state(self) -> str:
        """The name of its state."""
        return self.configuration.state.name

    def take(self, symbol: Symbol) -> Row:
        """Fire the first row that the symbol enables. Raises ModelError where none reads it."""
        rows = self.role.enabled(self.configuration, symbol)
        if not rows:
            raise ModelError(f"{self.role.name}: no row reads {symbol.text} in {self.state}: the walk cannot go on")
        self.configuration = self.role.apply(rows[0], self.configuration, symbol)[0]
        self.owed.extend(output for output in self.role.flight(rows[0], self.configuration) if not output.optional)
        return rows[0]


def start(lane: str, role: Role, *calls: Message) -> Party:
    """A party at the beginning, after calls that send nothing yet, such as passive OPEN."""
    party = Party(lane, role, role.start)
    for message in calls:
        party.take(message.symbol())
    if party.owed:
        raise ModelError(f"{role.name}: {calls[-1].name} sends {party.owed[0].text}; make it an event of the walk")
    return party


def symbol_of(role: Role, output: Output, configuration: Configuration) -> Symbol:
    """The first symbol, in the order of the facts' values, that is the output. Raises ModelError if there is none."""
    message = output.pattern.message
    choices: list[tuple[Value, ...]] = [fact.values for fact in message.facts]
    for values in itertools.product(*choices):
        symbol = message.symbol(*values)
        if role.allows(output, configuration, symbol):
            return symbol
    raise ModelError(f"{role.name}: no {message.name} is {output.text}")


def walk(parties: Sequence[Party], events: Iterable[Event], *, layer: str = "") -> tuple[Step, ...]:
    """The steps of two parties, numbered from 1; the parties stand at the end afterwards.

    Raises ModelError where a table does not read what the other sends, or where the two never fall silent.
    """
    if len(parties) != 2:
        raise ModelError(f"a walk is between two parties, not {len(parties)}")
    steps: list[Step] = []
    for event in events:
        caller = next((party for party in parties if party.lane == event.lane), None)
        if caller is None:
            raise ModelError(f"the walk has no lane {event.lane!r}; it has {', '.join(p.lane for p in parties)}")
        before = {caller.lane: caller.state}
        row = caller.take(event.message.symbol())
        if row.kind is Kind.TICK:
            steps.append(_passing(event, caller, row, before, layer))
        steps += _delivered(parties, event, before, layer)
    return number_steps(steps)


def _passing(event: Event, party: Party, row: Row, before: Mapping[str, str], layer: str) -> Step:
    return Step(
        number=0,
        kind=StepKind.TIME,
        sender=party.lane,
        layer=layer,
        message=event.message.name,
        title=event.title,
        phase=event.phase,
        before=before,
        after={party.lane: party.state},
        row=row.id,
        clause=row.clauses[0].reference,
    )


def _delivered(parties: Sequence[Party], event: Event, before: Mapping[str, str], layer: str) -> list[Step]:
    """Deliver what is owed until nobody owes anything. before: the caller's state before its call."""
    steps: list[Step] = []
    earlier = dict(before)
    while any(party.owed for party in parties):
        if len(steps) >= DELIVERIES_LIMIT:
            raise ModelError(f"{DELIVERIES_LIMIT} messages after {event.message.name}, and still no silence")
        sender = next(party for party in parties if party.owed)
        receiver = next(party for party in parties if party is not sender)
        symbol = symbol_of(sender.role, sender.owed.popleft(), sender.configuration)
        states = {sender.lane: earlier.pop(sender.lane, sender.state), receiver.lane: receiver.state}
        row = None if receiver.role.is_final(receiver.configuration.state) else receiver.take(symbol)
        name = sender.role.hints.get("name")
        steps.append(
            Step(
                number=0,
                sender=sender.lane,
                receiver=receiver.lane,
                layer=layer,
                message=symbol.message.name,
                title=str(name(symbol)) if callable(name) else "",
                facts=symbol.shown,
                phase=event.phase,
                before=states,
                after={sender.lane: sender.state, receiver.lane: receiver.state},
                row=row.id if row else "",
                clause=row.clauses[0].reference if row else "",
            )
        )
    return steps
