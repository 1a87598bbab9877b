"""One connection of an endpoint under test that is driven move by move, and can be played again.

A `Conversation` sends one honest or defective symbol at a time. A play also sends several in one go, cuts their bytes
anywhere, sends bytes that went by before, and makes the application's calls; each of these is a move, and a list of
moves is all that it takes to repeat the connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import Alert, ApplicationData, HelloRequest, Record
from shakeproof.model.notation import Kind, Message, Row, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.trace import Fate, Step
from shakeproof.properties.conformance import Runner
from shakeproof.properties.conversation import TARGET, TESTER, Conversation, Exchange
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.suites import Word, agrees
from shakeproof.properties.targets.base import Reaction
from shakeproof.properties.verdicts import Problem, by_level, judge


@dataclass(frozen=True)
class Say:
    """Send these symbols in one go. fragment: bytes of plaintext a record, piece: bytes handed over at once; 0: all."""

    symbols: tuple[Symbol, ...]
    fragment: int = 0
    piece: int = 0


@dataclass(frozen=True)
class Repeat:
    """Send bytes that were sent before, or tampered ones; symbol: what they are to the receiver now."""

    symbol: Symbol
    data: bytes
    fate: Fate = Fate.REPLAYED


@dataclass(frozen=True)
class Call:
    """The application's call."""

    message: Message


Move: TypeAlias = Say | Repeat | Call


class Play(Conversation):
    """A conversation that takes moves. before: the oracle as it was before the last symbol; moves: all so far."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.before: Oracle | None = None
        self.moves: list[Move] = []
        self.bytes_sent: list[tuple[Symbol, bytes]] = []
        self.is_open = True

    def start(self) -> Problem | None:
        """Open the connection; what is wrong with how the endpoint begins."""
        self._remember()
        return self._judged(self.begin())

    def make(self, move: Move) -> Problem | None:
        """Make a move; what is wrong with the answer, None where nothing is."""
        if isinstance(move, Call):
            self._remember()
            exchange = self.call(move.message)
        elif isinstance(move, Repeat):
            exchange = self._repeat(move)
        else:
            exchange = self._say(move)
        self.moves.append(move)
        return self._judged(exchange) if exchange is not None else None

    def _judged(self, exchange: Exchange) -> Problem | None:
        self.is_open = not exchange.reaction.closed and not self.oracle.is_over
        assert self.before is not None
        return judge(exchange, self.before)

    def _say(self, move: Say) -> Exchange:
        data = b""
        rows: tuple[Row, ...] = ()
        state = self.oracle.state_text
        for symbol in move.symbols:
            self._remember()
            state, phase = self.oracle.state_text, self._phase()
            made = self.peer.concretise(symbol, fragment=move.fragment or None)
            self.bytes_sent.append((symbol, made))
            rows = self.oracle.receive(symbol)
            if self.record:
                self._note_input(symbol, made, rows, state, phase)
            data += made
        return self._react(move.symbols[-1], state, rows, self._feed(data, move.piece))

    def _repeat(self, move: Repeat) -> Exchange:
        self._remember()
        state, phase = self.oracle.state_text, self._phase()
        rows = self.oracle.receive(move.symbol)
        if self.record:
            self._note_input(move.symbol, move.data, rows, state, phase)
            self.steps[-1] = replace(self.steps[-1], fate=move.fate, detail=f"{len(move.data)} bytes")
        return self._react(move.symbol, state, rows, self.endpoint.feed(move.data))

    def feed_unjudged(
        self, data: bytes, name: str, fate: Fate = Fate.DELIVERED
    ) -> tuple[Reaction, tuple[Observation, ...]]:
        """Feed bytes of which the table can't say what they are; what came of it."""
        state = self.oracle.state_text
        if self.record:
            step = Step(len(self.steps) + 1, sender=TESTER, receiver=TARGET, message=name, fate=fate, data=data)
            self.steps.append(replace(step, layer=self.role.name.split(".")[0], phase=self._phase()))
        reaction = self.endpoint.feed(data)
        seen = tuple(self.peer.classify(reaction.data)) if reaction.data else ()
        if self.record:
            for item in seen:
                self._note_output(item, state, (), True)
        return reaction, seen

    def _feed(self, data: bytes, piece: int) -> Reaction:
        if not piece:
            return self.endpoint.feed(data)
        parts = [self.endpoint.feed(data[at : at + piece]) for at in range(0, len(data), piece)]
        return Reaction(
            b"".join(part.data for part in parts),
            parts[-1].closed,
            b"".join(part.delivered for part in parts),
            crashed=next((part.crashed for part in parts if part.crashed), ""),
            note=parts[-1].note,
            end=parts[-1].end,
        )

    def _remember(self) -> None:
        if self.before is not None:
            self.before.release()
        self.before = self.oracle.fork()

    def dispose(self) -> None:
        super().dispose()
        if self.before is not None:
            self.before.release()
            self.before = None


class Aftermath(Runner):
    """Grades silence after something forbidden by what follows, with the moves of a play as the prefix."""

    def __init__(self, play: Play) -> None:
        super().__init__(play.target, play.role, play.setup, 0)
        self.play = play
        self.last = play.moves[-1]

    def open(self, record: bool = False) -> Play:
        return Play(self.target, self.role, self.setup, self.play.seed, record)

    def prefix_fails(self, word: Word, talk: Conversation) -> Problem | None:
        assert isinstance(talk, Play)
        talk.start()
        for move in self.play.moves[:-1]:
            talk.make(move)
        if isinstance(self.last, Say) and len(self.last.symbols) > 1:
            talk.make(replace(self.last, symbols=self.last.symbols[:-1]))
        return None

    def grade(self, problem: Problem) -> tuple[Problem | None, Conversation]:
        """The problem as what follows grades it, None where it was answered late and rightly; and the run that did."""
        symbol = problem.exchange.symbol
        assert symbol is not None
        word = Word((), self.play.oracle.configurations[0], symbol)
        graded, talk = self._probe(word, problem, self.play.record)
        return by_level(graded) if graded is not None else None, talk


# ----------------------------------------------------------------------------------------------------- what can be said


@lru_cache(maxsize=8192)
def next_honest(role: Role, here: Configuration, chosen: tuple[Value, ...]) -> Symbol | None:
    """The next symbol on the shortest honest way to the accepting state; application data there; None where there is no
    way. Choices of the role itself are taken to fall in favour of it.
    """
    if here.state is role.accepting:
        return ApplicationData.symbol()
    queue: list[tuple[Configuration, Symbol | None]] = [(here, None)]
    seen = {here}
    while queue:
        place, first = queue.pop(0)
        if place.state is role.accepting:
            return first
        for symbol, there in _legal_steps(role, place, chosen):
            if there not in seen:
                seen.add(there)
                queue.append((there, first or symbol))
    return None


def _legal_steps(role: Role, here: Configuration, chosen: tuple[Value, ...]) -> Iterator[tuple[Symbol, Configuration]]:
    for symbol in role.symbols:
        if symbol.is_sound and symbol.message is not Alert and agrees(symbol, chosen):
            for row in role.enabled(here, symbol):
                if not row.is_violation:
                    for there in role.apply(row, here, symbol):
                        yield symbol, there


@dataclass(frozen=True)
class Choices:
    """What can be said in some configurations: what every row that reads it takes as legal, what some do, what none."""

    legal: tuple[Symbol, ...]
    disputed: tuple[Symbol, ...]
    forbidden: tuple[Symbol, ...]

    @property
    def awaited(self) -> frozenset[Message]:
        """The messages of which some version is legal."""
        return frozenset(symbol.message for symbol in (*self.legal, *self.disputed))


@lru_cache(maxsize=4096)
def choices(role: Role, configurations: Sequence[Configuration]) -> Choices:
    """What the symbols of the role's alphabet are in these configurations, those apart that mean nothing in one."""
    legal: list[Symbol] = []
    disputed: list[Symbol] = []
    forbidden: list[Symbol] = []
    here = [c for c in configurations if not role.is_final(c.state)]
    for symbol in role.symbols:
        rows = [role.enabled(configuration, symbol) for configuration in here]
        if not rows or not all(rows):
            continue
        violations = [row.is_violation for enabled in rows for row in enabled]
        (forbidden if all(violations) else disputed if any(violations) else legal).append(symbol)
    return Choices(tuple(legal), tuple(disputed), tuple(forbidden))


@lru_cache(maxsize=16)
def belonging(role: Role) -> frozenset[Message]:
    """The messages of a handshake that are legal in some place, and not in every one."""
    found = {
        row.pattern.message for row in role.rows if row.kind is Kind.RECV and not row.is_violation and not row.is_rest
    }
    return frozenset(found - {Alert, ApplicationData, HelloRequest, Record})


def reads(role: Role, message: Message) -> bool:
    """Whether the role's table has rows that read the message."""
    return any(row.kind is Kind.RECV and row.pattern.message is message for row in role.rows)
