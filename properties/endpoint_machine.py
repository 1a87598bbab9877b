"""One endpoint against a scripted peer, under Hypothesis: a machine per role, generated from its table.

What can be said is read from the table: in the configurations still possible, a symbol is legal, disputed (some rows
take it, some refuse it) or forbidden. One rule per kind of event samples among what the state offers, and the oracle
judges every answer. After silence on something forbidden the run goes on under the shadow hypotheses of `conformance`.

A connection that is over is followed by a fresh one at the next step, so that no step is wasted on a closed endpoint;
what went by on earlier connections can be replayed on later ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.impl.tls.suites import SUITES_BY_NAME, TLS_1_2, Authentication, Cipher, CipherSuite
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    CHAIN,
    Alert,
    ApplicationData,
    Certificate,
    ChangeCipherSpec,
    Finished,
    HelloRequest,
    Record,
    ServerKeyExchange,
    bad_mac,
    bad_padding,
    broken_chain,
    close,
    closure,
    empty_chain,
    forged_signature,
    mismatch,
    not_one,
    write,
    wrong_key_type,
)
from shakeproof.model.notation import Message, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.conformance import Problem
from shakeproof.properties.conversation import Conversation, chosen_values
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
    reads,
)
from shakeproof.properties.recorded import RecordedMachine, Tally, beginning, offered, step
from shakeproof.properties.safety import (
    CLEAN_FAILURE,
    DATA_INTACT,
    Crashed,
    NotIntact,
    WentOn,
    follows_table,
    violation_of,
)
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import OurTarget

LONGEST_HANDSHAKE = 8
"""Honest messages of one side from the beginning to application data, and one more: TLS 1.2 has at most seven."""

AFTER = st.integers(0, LONGEST_HANDSHAKE - 1)
"""Honest messages that go before: so each kind of event by itself reaches every place of the handshake."""

SMALLEST = st.integers(1, 64)
"""Bytes of a record or of a piece: small enough to cut headers, and every message is longer."""

FORGERIES = (Finished.symbol(mismatch), ServerKeyExchange.symbol(forged_signature), Record.symbol(bad_mac),
             Record.symbol(bad_padding))  # fmt: skip
"""What can be made without the keys."""

CHAIN_DEFECTS = tuple(value.name for value in CHAIN.defects if value not in (empty_chain, broken_chain, wrong_key_type))
"""Defects that a well-formed chain can have in any combination."""

HARMLESS = (HelloRequest, Alert, Record)
"""Messages that leave nothing to remember, so that a replayed one that is legal can be followed."""


def setup_of(suite: CipherSuite) -> Setup:
    """The setup that leads to that suite."""
    return Setup(
        suite.key_exchange.value.lower(),  # type: ignore[arg-type]  # the names are the same
        "ecdsa" if suite.authentication is Authentication.ECDSA else "rsa",
        "cbc" if suite.cipher is Cipher.AES_CBC else "gcm",
    )


@dataclass(frozen=True)
class Past:
    """Bytes that went to an endpoint. connection: which one, counted from 1; protected: under the session keys."""

    symbol: Symbol
    data: bytes
    connection: int
    protected: bool
    suite: CipherSuite


class EndpointMachine(RecordedMachine):
    """One endpoint of ours, and a scripted peer."""

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
        self.past: list[Past] = []
        self.witness: Conversation | None = None

    # ------------------------------------------------------------------------------------------------ the connection

    @property
    def is_open(self) -> bool:
        return self.play is not None and self.play.is_open

    def ready(self) -> Play:
        """The open connection, a fresh one where the last is over."""
        if self.play is None or not self.play.is_open:
            self._connect()
        assert self.play is not None
        return self.play

    def _connect(self) -> None:
        if self.play is not None:
            self.play.dispose()
        self.connections += 1
        seed = b"connection %d" % self.connections
        self.play = Play(self.target, self.role, self.setup, seed, self.record)
        if self.connections > 1:
            self.remark("on a new connection")
        self._judge(self.play.start())

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
        self._judge(problem)

    def _judge(self, problem: Problem | None) -> None:
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
        here = self._here()
        return next_honest(self.role, here, self.chosen) if here is not None else None

    def _here(self) -> Configuration | None:
        """The first configuration still possible that reads on."""
        possible = self.ready().oracle.configurations
        return next((one for one in possible if not self.role.is_final(one.state)), None)

    def symbol(self, text: str) -> Symbol:
        """The symbol of the alphabet that prints so."""
        return next(symbol for symbol in self.role.symbols if symbol.text == text)

    def teardown(self) -> None:
        if self.play is not None:
            self.play.dispose()

    def trace(self, title: str) -> Trace:
        talk = self.witness or self.play
        if talk is None:
            raise ValueError("no connection was opened")
        return talk.trace(title)

    # --------------------------------------------------------------------------------------------------------- rules

    @beginning(suite=st.sampled_from(sorted(SUITES_BY_NAME, key=lambda name: SUITES_BY_NAME[name].code)))
    def configure(self, *, suite: str) -> None:
        """The cipher suite that the peer is out for; it settles key exchange and certificate."""
        self.setup = setup_of(SUITES_BY_NAME[suite])
        self.chosen = chosen_values(self.setup)

    @step(count=st.integers(1, LONGEST_HANDSHAKE))
    def deliver(self, *, count: int) -> None:
        """The next honest messages, one by one."""
        self.ready()
        self.go_on(count)

    @step(count=st.integers(2, LONGEST_HANDSHAKE), piece=SMALLEST)
    def coalesce(self, *, count: int, piece: int) -> None:
        """Honest messages in one go, as many as need no answer in between, handed over in pieces."""
        here = self._here()
        symbols: list[Symbol] = []
        while here is not None and len(symbols) < count:
            symbol = next_honest(self.role, here, self.chosen)
            rows = self.role.enabled(here, symbol) if symbol is not None else []
            if symbol is None or len(rows) != 1:
                break
            symbols.append(symbol)
            after = self.role.apply(rows[0], here, symbol)
            here = after[0] if len(after) == 1 and not rows[0].outputs else None
        if symbols:
            self.remark(", ".join(symbol.text for symbol in symbols))
            self.make(Say(tuple(symbols), piece=piece), "coalesced")

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

    @step(after=AFTER, symbol=offered("everything"), fragment=SMALLEST, piece=SMALLEST)
    def fragment(self, *, after: int, symbol: str, fragment: int, piece: int) -> None:
        """Any message, cut into small records, handed over in pieces: the verdict must not depend on it."""
        self.go_on(after)
        self._send(symbol, "fragmented", fragment, piece)

    def everything(self) -> list[str]:
        """Every symbol but odd records."""
        return self.symbols_of(sound=False)

    def _send(self, text: str, kind: str, fragment: int = 0, piece: int = 0) -> None:
        """Send the symbol, where it means something now."""
        symbol = self.symbol(text)
        now = self.choices()
        if symbol in (*now.legal, *now.disputed, *now.forbidden) and not self.ready().peer.applicable(symbol):
            self.make(Say((symbol,), fragment, piece), kind)

    def unusual_ones(self) -> list[str]:
        """What is legal and not what comes next."""
        now, awaited, peer = self.choices(), self.honest(), self.ready().peer
        known = [symbol for symbol in (*now.legal, *now.disputed) if symbol is not awaited]
        return [symbol.text for symbol in known if not peer.applicable(symbol)]

    @precondition(lambda self: self.unusual_ones())
    @step(symbol=offered("unusual_ones"))
    def unusual(self, *, symbol: str) -> None:
        """Something that may come, or of which it is open what it leads to: HelloRequest, a warning, an odd hello."""
        self._send(symbol, "unusual")

    def defective(self) -> list[str]:
        """Everything that is wrong in itself and needs no forging, and every message of the wrong side."""
        awaited = belonging(self.role)
        return [
            symbol.text
            for symbol in self.role.symbols
            if symbol.message is not Alert
            and symbol not in FORGERIES
            and (symbol.defects or symbol.message not in awaited)
        ]

    @step(symbol=offered("defective"), after=AFTER)
    def defect(self, *, symbol: str, after: int) -> None:
        """On to where the message is due, and a version of it that is wrong in itself; after some honest messages where
        it is never due.
        """
        wanted = self.symbol(symbol)
        due = wanted.message in belonging(self.role)
        if self.go_on_until(wanted.message) if due else self.go_on(after):
            self._send(symbol, "defective")

    def displaced(self) -> list[str]:
        """Every sound message that belongs somewhere."""
        awaited = belonging(self.role)
        return [symbol.text for symbol in self.role.symbols if symbol.is_sound and symbol.message in awaited]

    @step(after=AFTER, symbol=offered("displaced"))
    def reorder(self, *, after: int, symbol: str) -> None:
        """A sound message from another place of the handshake, after some honest ones."""
        self.go_on(after)
        if self.symbol(symbol) in self.choices().forbidden:
            self._send(symbol, "reordered")

    @step(after=AFTER, count=st.integers(1, 3))
    def drop(self, *, after: int, count: int) -> None:
        """Some honest messages, then some that get lost, then the one that follows them."""
        self.go_on(after)
        here = self._here()
        following = self.honest()
        for _ in range(count):
            if here is None or following is None:
                return
            rows = self.role.enabled(here, following)
            if len(rows) != 1 or rows[0].outputs:
                return  # nothing follows until this one is answered
            here = self.role.apply(rows[0], here, following)[0]
            following = next_honest(self.role, here, self.chosen)
        if following is not None and following in self.choices().forbidden:
            self.remark(following.text)
            self._send(following.text, "reordered")

    @precondition(lambda self: self.past)
    @step(after=AFTER, message=st.runner().flatmap(lambda machine: st.integers(0, len(machine.past) - 1)))
    def replay(self, *, after: int, message: int) -> None:
        """The very bytes of a message of this or an earlier connection, once more. message: which, from the first."""
        past = self.past[message]
        self.go_on(after)
        symbol = self._again(past)
        if symbol is not None:
            where = "this connection" if past.connection == self.connections else "an earlier connection"
            self.remark(f"the {past.symbol.text} of {where}, which is now {symbol.text}")
            self.make(Repeat(symbol, past.data), "replayed")

    def _again(self, past: Past) -> Symbol | None:
        """What bytes that went by are to the endpoint now; None where that can't be told."""
        play = self.ready()
        if past.symbol.message is Record and not past.symbol.has(bad_mac):
            return None
        if past.data[1:3] != TLS_1_2.to_bytes(2, "big"):
            return None  # a first ClientHello may say an older version; later the record alone would be refused for it
        if play.peer.context.write.switched:
            return Record.symbol(bad_mac)
        symbol = past.symbol
        if past.protected:
            return symbol if symbol.message is ApplicationData else None
        if symbol.message is ServerKeyExchange:
            if past.suite is not play.peer.context.suite:
                return None
            if past.connection != self.connections and symbol.is_sound:
                symbol = ServerKeyExchange.symbol(forged_signature)
        now = self.choices()
        if symbol in now.forbidden:
            return symbol
        # One that is legal would be taken into the transcript, where the peer does not have it.
        return symbol if symbol in (*now.legal, *now.disputed) and symbol.message in HARMLESS else None

    def forgeries(self) -> list[str]:
        """What can be made without the keys."""
        return [symbol.text for symbol in FORGERIES if symbol in self.role.symbols and reads(self.role, symbol.message)]

    @step(symbol=offered("forgeries"), after=st.integers(0, 2))
    def forge(self, *, symbol: str, after: int) -> None:
        """On to where a message under the keys is due, or some messages further, and one that was made without them."""
        wanted = self.symbol(symbol)
        if not self.go_on_until(Finished if wanted.message is Record else wanted.message):
            return
        if wanted.message is Record:
            self.go_on(after)
        if wanted in self.choices().forbidden:
            self._send(symbol, "forged")

    @step(after=AFTER, place=st.integers(0, 511), bit=st.integers(0, 7))
    def tamper(self, *, after: int, place: int, bit: int) -> None:
        """One bit of an honest message flipped, anywhere in its contents (place: modulo their length)."""
        self.go_on(after)
        symbol = self.honest()
        if symbol is None:
            return
        play = self.ready()
        protected = play.peer.context.write.switched
        data = bytearray(play.peer.concretise(symbol))
        at = HEADER_LENGTH + place % (len(data) - HEADER_LENGTH)
        data[at] ^= 1 << bit
        self.remark(f"bit {bit} of byte {at} of {symbol.text}")
        if protected:
            self.make(Repeat(Record.symbol(bad_mac), bytes(data), Fate.TAMPERED), "tampered")
        elif symbol.message is ChangeCipherSpec:
            self.make(Repeat(ChangeCipherSpec.symbol(not_one), bytes(data), Fate.TAMPERED), "tampered")
        else:
            self.meet()
            self.reach("tampered")
            self._never_completes(play, symbol, bytes(data))

    def _never_completes(self, play: Play, symbol: Symbol, data: bytes) -> None:
        """The rest of the handshake after a tampered message: some message must be refused before data flows."""
        self.witness = play
        play.is_open = False
        reaction = play.endpoint.feed(data)
        play.oracle.receive(symbol)
        for _ in range(LONGEST_HANDSHAKE):
            seen = play.peer.classify(reaction.data) if reaction.data else []
            if reaction.crashed:
                self.object_to(
                    Crashed(
                        f"{self.role.name} got {symbol.text} with one bit flipped and raised {reaction.crashed}; "
                        "expected nothing but RemoteProtocolError",
                        property=CLEAN_FAILURE,
                        clause="RFC 5246 section 7.2.2",
                    )
                )
            if reaction.delivered or any(item.symbol.message is ApplicationData for item in seen):
                self.object_to(
                    WentOn(
                        f"{self.role.name} got {symbol.text} with one bit flipped, completed the handshake and went on "
                        "to application data; expected a fatal alert at Finished at the latest",
                        property=follows_table(self.role.name),
                        clause="RFC 5246 section 7.4.9",
                    )
                )
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
            reaction = play.endpoint.feed(made)

    @precondition(lambda self: reads(self.role, Certificate))
    @step(defects=st.lists(st.sampled_from(CHAIN_DEFECTS), min_size=1, max_size=3, unique=True).map(tuple))
    def certificate_defect(self, *, defects: tuple[str, ...]) -> None:
        """On to where the Certificate is due, and one with these defects."""
        if self.go_on_until(Certificate):
            for kind in ["defective certificate", *(["expired certificate"] if "expired" in defects else [])]:
                self.reach(kind)
            self.make(Say((Certificate.symbol(*(CHAIN[name] for name in defects)),)))

    def alerts(self) -> list[str]:
        """Every alert that the table tells apart."""
        return self.symbols_of(Alert, sound=False)

    @step(after=AFTER, symbol=offered("alerts"))
    def alert(self, *, after: int, symbol: str) -> None:
        """An alert."""
        self.go_on(after)
        self._send(symbol, "alert")

    @step(after=AFTER, by_peer=st.booleans())
    def application_data(self, *, after: int, by_peer: bool) -> None:
        """Application data of the peer, whether it may come or not, or of the endpoint's own application."""
        self.go_on(after)
        if by_peer:
            self.make(Say((ApplicationData.symbol(),)), "application data")
        else:
            self._call(write)

    def _call(self, message: Message) -> None:
        if all(self.role.enabled(one, message.symbol()) for one in self.ready().oracle.configurations):
            self.make(Call(message))

    @step(after=AFTER, how=st.sampled_from(("close_notify", "application", "transport")))
    def close(self, *, after: int, how: str) -> None:
        """The peer closes, the application does, or the transport just ends."""
        self.go_on(after)
        if how == "close_notify":
            self._send(Alert.symbol(closure).text, "close")
        elif how == "application":
            self._call(close)
        else:
            self._transport_ends()

    def _transport_ends(self) -> None:
        play = self.ready()
        self.witness = play
        reaction = play.endpoint.end()
        play.is_open = False
        if not reaction.note:
            self.object_to(
                NotIntact(
                    f"{self.role.name}: the transport ended without close_notify, and that was taken for an orderly "
                    "end; expected an error, since data may have been cut off",
                    property=DATA_INTACT,
                    clause="RFC 5246 section 7.2.1",
                )
            )


class ClientMachine(EndpointMachine):
    """Our client, and a scripted server."""

    role = ROLES["tls12.client"]
    summary = "our client against a scripted server"


class ServerMachine(EndpointMachine):
    """Our server, and a scripted client."""

    role = ROLES["tls12.server"]
    summary = "our server against a scripted client"
