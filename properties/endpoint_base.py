"""What a machine with one endpoint and a scripted peer can do: open connections, go on honestly, send, replay, judge.

The rules that use it are in `endpoint_machine`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

from shakeproof.impl.tls.suites import TLS_1_2
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    Alert,
    ApplicationData,
    CertificateRequest,
    ClientHello,
    Record,
    ServerHello,
    ServerKeyExchange,
    bad_mac,
    forged_signature,
    long_bad_mac,
)
from shakeproof.model.notation import Alike, Message, Symbol
from shakeproof.model.tls12 import REQUESTED, unasked
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.conformance import Runner
from shakeproof.properties.conversation import Conversation
from shakeproof.properties.endpoint_words import HARMLESS, LONGEST_HANDSHAKE, Past, places_of, unreadable
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.play import (
    Aftermath,
    Call,
    Choices,
    Move,
    Play,
    Repeat,
    Say,
    belonging,
    choices,
    next_honest,
)
from shakeproof.properties.recorded import Arguments, RecordedMachine, Step, Tally
from shakeproof.properties.safety import (
    CLEAN_FAILURE,
    DATA_INTACT,
    Crashed,
    Deviated,
    Distinguished,
    NotIntact,
    RefusedValid,
    WentOn,
    follows_table,
    violation_of,
)
from shakeproof.properties.suites import Word
from shakeproof.properties.targets.base import Reaction, Setup
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.verdicts import Problem


class EndpointBase(RecordedMachine):
    """One endpoint of ours, a scripted peer, and what both do between the rules' own events."""

    role: ClassVar[Role]

    def __init__(
        self,
        rogue: str = "",
        *,
        tally: Tally | None = None,
        watched: frozenset[str] = frozenset(),
        record: bool = False,
    ) -> None:
        super().__init__(rogue, tally=tally, watched=watched, record=record)
        self.target = OurTarget(rogue)
        self.setup = Setup()
        self.chosen: tuple[Value, ...] = ()
        self.play: Play | None = None
        self.connections = 0
        self.trying = ""
        self.past: list[Past] = []
        self.witness: Conversation | None = None

    # ------------------------------------------------------------------------------------------------ the connection

    @property
    def is_open(self) -> bool:
        return self.play is not None and self.play.is_open

    def take(self, method: Step, arguments: Arguments) -> None:
        super().take(method, arguments)
        self.ready()  # so that what the rules offer is read from an open connection

    def ready(self) -> Play:
        """The open connection, a fresh one where the last is over."""
        if self.play is None or not self.play.is_open:
            self._connect()
        assert self.play is not None
        return self.play

    def _connect(self) -> None:
        self._leave()
        self.connections += 1
        seed = b"connection %d" % self.connections
        self.play = Play(self.target, self.role, self.setup, seed, self.record)
        if self.play.unprepared:
            text = f"{self.role.name}: {self.play.unprepared}"
            self.object_to(RefusedValid(text, property=follows_table(self.role.name), clause="RFC 5246 section 7.3"))
        if self.connections > 1:
            self.remark("a new connection follows")
        self.judge(self.play.start())

    def make(self, move: Move, kind: str = "") -> None:
        """Make a move and judge what comes of it."""
        play = self.ready()
        self.meet()
        if kind:
            self.reach(kind)
        problem = play.make(move)
        if isinstance(move, Say):
            protected = play.peer.context.write.switched
            for symbol, data in play.bytes_sent[-len(move.symbols) :]:
                self.past.append(Past(symbol, data, self.connections, protected, play.peer.context.suite))
        self.judge(problem)

    def judge(self, problem: Problem | None) -> None:
        play = self.play
        if problem is None or play is None:
            return
        self.witness = play
        if problem.pending:
            # Nothing answered yet: the verdict depends on what follows, and the connection is spent on finding out.
            play.is_open = False
            graded, self.witness = Aftermath(play).grade(problem)
            if graded is None:
                return
            problem = graded
        self.object_to(violation_of(problem, self.role.name))

    def choices(self) -> Choices:
        """What can be said now."""
        return choices(self.role, self.ready().oracle.configurations)

    def honest(self) -> Symbol | None:
        """What an honest peer says next, None where nothing is left to say."""
        here = self.here()
        if here is None:
            return None
        asks = here.state.name == "WAIT_SERVER_HELLO_DONE" and self.setup.client_auth
        if asks and self.role.remembered(here)[REQUESTED.name] == unasked.bit:
            return CertificateRequest.symbol()  # which is on no shortest way
        return next_honest(self.role, here, self.chosen)

    def here(self) -> Configuration | None:
        """The first configuration still possible that reads on."""
        possible = self.ready().oracle.configurations
        return next((one for one in possible if not self.role.is_final(one.state)), None)

    def unanswered(self, here: Configuration, symbol: Symbol) -> Configuration | None:
        """Where a message leads that is not answered; None where it may be, or where it may lead to several places."""
        ways = [(row, there) for row in self.role.enabled(here, symbol) for there in self.role.apply(row, here, symbol)]
        return ways[0][1] if len(ways) == 1 and not ways[0][0].outputs else None

    def symbol(self, text: str) -> Symbol:
        """The symbol of the alphabet that prints so."""
        return next(symbol for symbol in self.role.symbols if symbol.text == text)

    def _leave(self) -> None:
        if self.play is not None:
            self.exercise(self.play.oracle.exercised.elements())
            self.play.dispose()

    def teardown(self) -> None:
        self._leave()

    def trace(self, title: str) -> Trace:
        talk = self.witness or self.play
        if talk is None:
            raise ValueError("no connection was opened")
        return talk.trace(title)

    def restarts(self) -> Iterator[list[tuple[str, Arguments]]]:
        """What was said last, on a first connection, after some honest messages: leaving calls out one by one does not
        get there where the last one repeats what an earlier one said.
        """
        moves = self.play.moves if self.play is not None else []
        if not moves or isinstance(moves[-1], Call):
            return
        symbol = moves[-1].symbol if isinstance(moves[-1], Repeat) else moves[-1].symbols[-1]
        if symbol.is_sound and symbol.message in belonging(self.role):
            for after in range(LONGEST_HANDSHAKE):
                yield [self.calls[0], ("reorder", {"after": after, "symbol": symbol.text})]

    # ------------------------------------------------------------------------------------------------------- going on

    def symbols_of(self, *messages: Message, sound: bool = True) -> list[str]:
        """The role's symbols of these messages (of all but alerts and records, where none is named)."""
        return [
            symbol.text
            for symbol in self.role.symbols
            if (symbol.message in messages or not (messages or symbol.message in (Alert, Record)))
            and (symbol.is_sound or not sound)
        ]

    def go_on(self, count: int) -> bool:
        """Deliver some honest messages; whether the connection is still open."""
        for _ in range(count):
            symbol = self.honest()
            if symbol is None:
                break
            self.make(Say((symbol,)))
            if not self.is_open:
                return False
        self.ready()
        return True

    def go_on_until(self, message: Message) -> bool:
        """Deliver honest messages until this one is due, on a new connection if it went by; whether it is due."""
        return self._until(message) or (self._renew() and self._until(message))

    def _until(self, message: Message) -> bool:
        for _ in range(LONGEST_HANDSHAKE):
            symbol = self.honest()
            if symbol is None or not self.is_open:
                return False
            if symbol.message is message:
                return True
            self.make(Say((symbol,)))
        return False

    def _renew(self) -> bool:
        if self.play is not None:
            self.play.is_open = False
        self.ready()
        return True

    def send(self, text: str, kind: str, fragment: int = 0, piece: int = 0) -> None:
        """Send the symbol, where it means something now."""
        symbol = self.symbol(text)
        now = self.choices()
        if symbol in (*now.legal, *now.disputed, *now.forbidden) and not self.ready().peer.applicable(symbol):
            self.make(Say((symbol,), fragment, piece), kind)

    def make_call(self, message: Message) -> None:
        if all(self.role.enabled(one, message.symbol()) for one in self.ready().oracle.configurations):
            self.make(Call(message))

    def again(self, past: Past) -> Symbol | None:
        """What bytes that went by are to the endpoint now; None where that can't be told."""
        play = self.ready()
        if past.symbol.message is Record and not (past.symbol.has(bad_mac) or past.symbol.has(long_bad_mac)):
            return None
        if past.data[1:3] != TLS_1_2.to_bytes(2, "big"):
            return None  # a first ClientHello may say an older version; later the record alone would be refused for it
        if play.peer.context.write.switched:
            return play.peer.repeats(past.data) or unreadable(past.data)
        symbol = past.symbol
        if past.protected:
            return symbol if symbol.message is ApplicationData else None
        if symbol.message is ServerKeyExchange:
            if past.suite is not play.peer.context.suite:
                return None
            if past.connection != self.connections and symbol.is_sound:
                symbol = ServerKeyExchange.symbol(forged_signature)
        now = self.choices()
        if symbol.message in (ClientHello, ServerHello) and symbol.message in now.awaited and past.about_session:
            return None  # which session it is about depends on the connection
        if symbol in now.forbidden:
            return symbol
        # One that is legal would be taken into the transcript, where the peer does not have it.
        return symbol if symbol in (*now.legal, *now.disputed) and symbol.message in HARMLESS else None

    def run_word(self, word: Word, kind: str) -> None:
        """Run a word on a connection of its own and object to what is wrong."""
        self.meet()
        outcome = self.runner.run(word, record=self.record)
        self.exercise(outcome.exercised)
        if outcome.unreached or outcome.meaningless:
            return
        self.reach(kind)
        self.remark(word.cell)
        if outcome.problem is not None:
            self.witness = outcome.conversation
            self.object_to(violation_of(outcome.problem, self.role.name), apart=True)

    def compare(self, alike: Alike, place: int) -> None:
        """Send inputs that must be answered alike, each after the same honest messages; place: which, modulo their
        number.
        """
        prefixes = places_of(self.role, self.chosen, alike)
        if not prefixes:
            return
        prefix = prefixes[place % len(prefixes)]
        self.meet()
        self.reach("compared")
        difference = self.runner.compare(prefix, alike)
        if difference is None:
            return
        self.remark(f"{difference.one.text} and {difference.other.text}")
        self.witness = self.runner.shown(prefix, (difference.other, *alike.follow))
        clause = self.role.quotes.resolve(alike.authority, self.role.name)[0]
        self.object_to(
            Distinguished(
                f"{self.role.name} answered {difference.one.text} with {'; '.join(difference.to_one)}, and "
                f"{difference.other.text} with {'; '.join(difference.to_other)}; expected the same answers",
                property=follows_table(self.role.name),
                clause=clause.reference,
                sentence=clause.sentence,
            ),
            apart=True,
        )

    @property
    def runner(self) -> Runner:
        """Runs words in the machine's setup."""
        return Runner(self.target, self.role, self.setup, self.connections)

    def never_completes(self, play: Play, symbol: Symbol, data: bytes) -> None:
        """The rest of the handshake after a tampered message: some message must be refused before data flows."""
        self.witness = play
        play.is_open = False
        reaction, seen = play.feed_unjudged(data, symbol.message.name, Fate.TAMPERED)
        play.oracle.receive(symbol)
        for _ in range(LONGEST_HANDSHAKE):
            self.check_unjudged(reaction, seen, f"{symbol.text} with one bit flipped")
            if reaction.closed:
                return
            for item in seen:
                play.oracle.send(item.symbol)
            play.oracle.quiet()
            here = next((c for c in play.oracle.configurations if not self.role.is_final(c.state)), None)
            following = next_honest(self.role, here, self.chosen) if here is not None else None
            if following is None:
                return
            made = play.peer.concretise(following)
            play.oracle.receive(following)
            reaction, seen = play.feed_unjudged(made, following.message.name)

    def refuses(self, play: Play, data: bytes, what: str) -> bool:
        """Bytes that are no message: refused with an alert, or waited on for more; whether the endpoint closed."""
        self.witness = play
        play.is_open = False
        reaction, seen = play.feed_unjudged(data, what, Fate.TAMPERED)
        self.check_unjudged(reaction, seen, what)
        if reaction.note and not any(item.symbol.message is Alert for item in seen):
            self.object_to(
                Deviated(
                    f"{self.role.name} got {what} and closed without an alert; expected a fatal alert first",
                    property=follows_table(self.role.name),
                    clause="RFC 5246 section 7.2.2",
                )
            )
        return reaction.closed

    def check_unjudged(self, reaction: Reaction, seen: Sequence[Observation], what: str) -> None:
        """No crash, and no application data either way, after something that no honest peer sends."""
        if reaction.crashed:
            self.object_to(
                Crashed(
                    f"{self.role.name} got {what} and raised {reaction.crashed}; expected nothing but "
                    "RemoteProtocolError",
                    property=CLEAN_FAILURE,
                    clause="RFC 5246 section 7.2.2",
                )
            )
        if reaction.delivered or any(item.symbol.message is ApplicationData for item in seen):
            self.object_to(
                WentOn(
                    f"{self.role.name} got {what} and went on to application data; expected a fatal alert, at Finished "
                    "at the latest",
                    property=follows_table(self.role.name),
                    clause="RFC 5246 section 7.4.9",
                )
            )

    def transport_ends(self, play: Play) -> None:
        """The transport ends without close_notify, and that must not pass for an orderly end."""
        self.witness = play
        reaction = play.end().reaction
        play.is_open = False
        if reaction.crashed:
            self.check_unjudged(reaction, (), "the end of the transport")
        if reaction.end == "orderly":
            self.object_to(
                NotIntact(
                    f"{self.role.name}: the transport ended without close_notify, and that was taken for an orderly "
                    "end; expected an error, since data may have been cut off",
                    property=DATA_INTACT,
                    clause="RFC 5246 section 7.2.1",
                )
            )
