"""One endpoint against a scripted peer, under Hypothesis: a machine per role, generated from its table.

What can be said is read from the table: in the configurations still possible, a symbol is legal, disputed (some rows
take it, some refuse it) or forbidden. One rule per kind of event samples among what the state offers, and the oracle
judges every answer. After silence on something forbidden the run goes on under the shadow hypotheses of `conformance`.

A connection that is over is followed by a fresh one at the next step, so that no step is wasted on a closed endpoint;
what went by on earlier connections can be replayed on later ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.impl.tls.suites import SUITES_BY_NAME
from shakeproof.model.messages import (
    CHAIN,
    Alert,
    ApplicationData,
    Certificate,
    ChangeCipherSpec,
    ClientHello,
    Finished,
    HelloRequest,
    Record,
    broken_chain,
    close,
    closure,
    empty_chain,
    not_one,
    write,
    wrong_key_type,
)
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate
from shakeproof.properties.courses import chosen_values
from shakeproof.properties.endpoint_base import EndpointBase
from shakeproof.properties.endpoint_words import (
    FORGERIES,
    LONGEST_HANDSHAKE,
    MANNERS,
    SUITE_NAMES,
    fruitless_messages,
    honest_messages,
    identity,
    kind_of,
    manners,
    name_of,
    places_of,
    setup_of,
    unreadable,
    untried,
    words_by_name,
)
from shakeproof.properties.play import (
    Repeat,
    Say,
    belonging,
    next_honest,
    reads,
)
from shakeproof.properties.recorded import Arguments, Tally, beginning, offered, recorded, step
from shakeproof.properties.suites import agrees

AFTER = st.integers(0, LONGEST_HANDSHAKE - 2)
"""Honest messages that go before: so each kind of event by itself reaches every place of the handshake."""

NUMBERS = st.integers(0, 2**16 - 1)
"""By which words are picked among those that are left."""

SMALLEST = st.integers(1, 64)
"""Bytes of a record or of a piece: small enough to cut headers, and every message is longer."""

WORDS_AT_ONCE = 256
"""Words of the suite in one step: about a second, and most of what a setup has."""

FLOOD = 150
"""How often something that leads nowhere is said: twice what our endpoints allow, and less than suites spend on it."""

CHAIN_DEFECTS = tuple(value.name for value in CHAIN.defects if value not in (empty_chain, broken_chain, wrong_key_type))
"""Defects that a well-formed chain can have in any combination."""


class EndpointMachine(EndpointBase):
    """One endpoint of ours, and a scripted peer: the rules."""

    @beginning(suite=st.sampled_from(SUITE_NAMES), manner=manners, number=NUMBERS)
    def configure(self, *, suite: str, manner: str = "plain", number: int | None = None) -> None:
        """The cipher suite that the peer is out for, which settles key exchange and certificate; and what else.

        number: which words of the suite are tried before all else; they are written down as a call of their own.
        """
        self.calls[-1] = ("configure", {"suite": suite, "manner": manner})
        self.setup = setup_of(SUITES_BY_NAME[suite], manner)
        self.chosen = chosen_values(self.setup, self.role.name)
        if number is not None:
            self.pick_words(number)

    @step(count=st.integers(1, LONGEST_HANDSHAKE))
    def deliver(self, *, count: int) -> None:
        """The next honest messages, one by one."""
        self.ready()
        self.go_on(count)

    @step(count=st.integers(2, LONGEST_HANDSHAKE), piece=SMALLEST)
    def coalesce(self, *, count: int, piece: int) -> None:
        """Honest messages in one go, as many as need no answer in between, handed over in pieces."""
        here = self.here()
        symbols: list[Symbol] = []
        while here is not None and len(symbols) < count:
            symbol = next_honest(self.role, here, self.chosen)
            if symbol is None:
                break
            symbols.append(symbol)
            here = self.unanswered(here, symbol)
        if symbols:
            self.remark(", ".join(symbol.text for symbol in symbols))
            self.make(Say(tuple(symbols), piece=piece), "coalesced")

    @step(after=AFTER, symbol=offered("everything"), fragment=SMALLEST, piece=SMALLEST)
    def fragment(self, *, after: int, symbol: str, fragment: int, piece: int) -> None:
        """Any message, cut into small records, handed over in pieces: the verdict must not depend on it."""
        self.go_on(after)
        self.send(symbol, "fragmented", fragment, piece)

    @step(which=st.integers(0, LONGEST_HANDSHAKE - 1), size=SMALLEST)
    def cut(self, *, which: int, size: int) -> None:
        """An honest message in records of that size, on a connection of its own: answered as the whole one is."""
        words = honest_messages(self.role, self.setup)
        self.run_word(replace(words[which % len(words)], fragment=size), "cut up")

    @step(which=st.integers(0, 63))
    def flood(self, *, which: int) -> None:
        """Something that leads nowhere, very often, on a connection of its own: there must be a limit."""
        words = fruitless_messages(self.role, self.setup)
        self.run_word(replace(words[which % len(words)], times=FLOOD), "flooded")

    @step(which=st.integers(0, 1), place=st.integers(0, 63))
    def tell_apart(self, *, which: int, place: int) -> None:
        """Inputs that differ in a secret only, each on a connection of its own: the answers must be the same."""
        self.compare(self.role.alike[which % len(self.role.alike)], place)

    @classmethod
    def graver(cls, calls: Sequence[tuple[str, Arguments]]) -> Iterator[list[tuple[str, Arguments]]]:
        setup = setup_of(SUITES_BY_NAME[calls[0][1]["suite"]], calls[0][1].get("manner", "plain"))
        for which, alike in enumerate(cls.role.alike):
            for place in range(len(places_of(cls.role, chosen_values(setup, cls.role.name), alike))):
                yield [calls[0], ("tell_apart", {"which": which, "place": place})]

    @step(number=NUMBERS)
    def explore(self, *, number: int) -> None:
        """Some words of the suite that no run has tried yet; number: which."""
        self.instead()
        self.pick_words(number)

    def pick_words(self, number: int) -> None:
        """Run words that no run has tried yet, as many as fit into a step."""
        left = untried(self.role, self.setup, self.tally.tried, self.tally.share)
        chosen = Random(number).sample(left, min(len(left), WORDS_AT_ONCE))  # noqa: S311  # no secret
        if chosen:
            self.words(words=tuple(name_of(word) for word in chosen))

    @classmethod
    def rest(cls, tally: Tally) -> Iterator[list[tuple[str, Arguments]]]:
        for suite, manner in itertools.product(SUITE_NAMES, MANNERS):
            setup = setup_of(SUITES_BY_NAME[suite], manner)
            while left := untried(cls.role, setup, tally.tried, tally.share)[:WORDS_AT_ONCE]:
                tally.tried.update(identity(word, setup) for word in left)
                names = tuple(name_of(word) for word in left)
                yield [("configure", {"suite": suite, "manner": manner}), ("words", {"words": names})]

    @recorded
    def words(self, *, words: tuple[str, ...]) -> None:
        """Honest messages and one more, due or not, each time on a connection of its own."""
        known = words_by_name(self.role, self.setup)
        for name in words:
            self.trying = name
            word = known[name]
            self.tally.tried.add(identity(word, self.setup))
            self.tally.words += 1
            self.run_word(word, kind_of(self.role, word))

    def alone(self) -> list[tuple[str, Arguments]]:
        calls = super().alone()
        return [("words", {"words": (self.trying,)}) if name == "words" else (name, given) for name, given in calls]

    @precondition(lambda self: self.setup.renegotiation)
    @step(count=st.integers(0, LONGEST_HANDSHAKE - 2), writes=st.booleans())
    def renegotiate(self, *, count: int, writes: bool = False) -> None:
        """On until it is connected, the message that begins another handshake, and some that follow; then, if it
        writes, the application wants to send data in the midst of it.
        """
        self.go_on_until(ApplicationData)
        here = self.here()
        if here is None or here.state is not self.role.accepting:
            return
        begins = HelloRequest if self.role.peer.endswith("server") else ClientHello
        symbols = [symbol for symbol in self.choices().legal if symbol.message is begins]
        symbols += [symbol for symbol in self.choices().disputed if symbol.message is begins and symbol.is_sound]
        wanted = next((symbol for symbol in symbols if agrees(symbol, self.chosen)), None)
        if wanted is not None:
            self.make(Say((wanted,)), "renegotiation")
            if self.go_on(count) and writes:
                self.make_call(write)

    def everything(self) -> list[str]:
        """Every symbol but odd records."""
        return self.symbols_of(sound=False)

    def unusual_ones(self) -> list[str]:
        """What is legal and not what comes next."""
        now, awaited, peer = self.choices(), self.honest(), self.ready().peer
        known = [symbol for symbol in (*now.legal, *now.disputed) if symbol is not awaited]
        return [symbol.text for symbol in known if not peer.applicable(symbol)]

    @precondition(lambda self: self.unusual_ones())
    @step(symbol=offered("unusual_ones"))
    def unusual(self, *, symbol: str) -> None:
        """Something that may come, or of which it is open what it leads to: HelloRequest, a warning, an odd hello."""
        self.send(symbol, "unusual")

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
            self.send(symbol, "defective")

    def displaced(self) -> list[str]:
        """Every sound message that belongs somewhere."""
        awaited = belonging(self.role)
        return [symbol.text for symbol in self.role.symbols if symbol.is_sound and symbol.message in awaited]

    @step(after=AFTER, symbol=offered("displaced"))
    def reorder(self, *, after: int, symbol: str) -> None:
        """A sound message from another place of the handshake, after some honest ones."""
        self.go_on(after)
        if self.symbol(symbol) in self.choices().forbidden:
            self.send(symbol, "reordered")

    @step(after=AFTER, count=st.integers(1, 3))
    def drop(self, *, after: int, count: int) -> None:
        """Some honest messages, then some that get lost, then the one that follows them."""
        self.go_on(after)
        here = self.here()
        following = self.honest()
        for _ in range(count):
            here = self.unanswered(here, following) if here is not None and following is not None else None
            if here is None:
                return
            following = next_honest(self.role, here, self.chosen)
        if following is not None and following in self.choices().forbidden:
            self.remark(following.text)
            self.send(following.text, "reordered")

    @precondition(lambda self: self.past)
    @step(after=AFTER, message=st.runner().flatmap(lambda machine: st.integers(0, len(machine.past) - 1)))
    def replay(self, *, after: int, message: int) -> None:
        """The very bytes of a message of this or an earlier connection, once more. message: which, from the first."""
        past = self.past[message]
        self.go_on(after)
        symbol = self.again(past)
        if symbol is not None:
            where = "this connection" if past.connection == self.connections else "an earlier connection"
            self.remark(f"the {past.symbol.text} of {where}, which is now {symbol.text}")
            self.make(Repeat(symbol, past.data), "replayed")

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
            self.send(symbol, "forged")

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
            self.make(Repeat(unreadable(bytes(data)), bytes(data), Fate.TAMPERED), "tampered")
        elif symbol.message is ChangeCipherSpec:
            self.make(Repeat(ChangeCipherSpec.symbol(not_one), bytes(data), Fate.TAMPERED), "tampered")
        else:
            self.meet()
            self.reach("tampered")
            self.never_completes(play, symbol, bytes(data))

    @step(after=AFTER, keep=st.integers(0, 64), garbage=st.binary(max_size=24))
    def garble(self, *, after: int, keep: int, garbage: bytes) -> None:
        """The beginning of an honest message, any bytes behind it, and then the end of the transport."""
        self.go_on(after)
        symbol = self.honest()
        play = self.ready()
        if symbol is None:
            return
        whole = play.peer.concretise(symbol)
        data = whole[: min(keep, len(whole) - 1)] + garbage
        if not data or data.startswith(whole):
            play.is_open = False  # nothing to send, and the peer's own state has moved on
            return
        self.remark(f"instead of {symbol.text}")
        self.meet()
        self.reach("garbled")
        if not self.refuses(play, data, f"{len(data)} bytes that are no message"):
            self.transport_ends(play)

    @precondition(lambda self: reads(self.role, Certificate))
    @step(defects=st.lists(st.sampled_from(CHAIN_DEFECTS), min_size=1, max_size=3, unique=True).map(tuple))
    def certificate_defect(self, *, defects: tuple[str, ...]) -> None:
        """On to where the Certificate is due, and one with these defects."""
        symbol = Certificate.symbol(*(CHAIN[name] for name in defects))
        if self.go_on_until(Certificate) and not self.ready().peer.applicable(symbol):
            for kind in ["defective certificate", *(["expired certificate"] if "expired" in defects else [])]:
                self.reach(kind)
            self.make(Say((symbol,)))

    def alerts(self) -> list[str]:
        """Every alert that the table tells apart."""
        return self.symbols_of(Alert, sound=False)

    @step(after=AFTER, symbol=offered("alerts"))
    def alert(self, *, after: int, symbol: str) -> None:
        """An alert."""
        self.go_on(after)
        self.send(symbol, "alert")

    @step(after=AFTER, by_peer=st.booleans())
    def application_data(self, *, after: int, by_peer: bool) -> None:
        """Application data of the peer, whether it may come or not, or of the endpoint's own application."""
        self.go_on(after)
        if by_peer:
            self.make(Say((ApplicationData.symbol(),)), "application data")
        else:
            self.make_call(write)

    @step(after=AFTER, how=st.sampled_from(("close_notify", "application", "transport")))
    def close(self, *, after: int, how: str) -> None:
        """The peer closes, the application does, or the transport just ends."""
        self.go_on(after)
        if how == "close_notify":
            self.send(Alert.symbol(closure).text, "close")
        elif how == "application":
            self.make_call(close)
        else:
            self.transport_ends(self.ready())


class ClientMachine(EndpointMachine):
    """Our client, and a scripted server."""

    role = ROLES["tls12.client"]
    summary = "our client against a scripted server"


class ServerMachine(EndpointMachine):
    """Our server, and a scripted client."""

    role = ROLES["tls12.server"]
    summary = "our server against a scripted client"
