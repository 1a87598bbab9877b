"""What the machine of our TCP can do: connections, the honest peer, segments of any kind, cells of the table.

The rules that use it are in `tcp_machine`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from random import Random

from shakeproof.impl.tcp.segment import Segment
from shakeproof.impl.tcp.sequence import advance
from shakeproof.model import tcp_segments as t
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration
from shakeproof.model.notation import Kind, Symbol
from shakeproof.model.tcp import tcp
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.mapper.tcp import VALID
from shakeproof.properties.mapper.tcp_concretise import Script
from shakeproof.properties.recorded import Arguments, RecordedMachine, Step, Tally, recorded
from shakeproof.properties.safety import PropertyViolation
from shakeproof.properties.tcp_bench import Bench, TcpSetup
from shakeproof.properties.tcp_play import TIME_WAIT_S, TcpPlay
from shakeproof.properties.tcp_watch import role_under
from shakeproof.properties.tcp_words import TcpWord, by_turns, in_vain, is_synchronized, kind_of, names, untried, words

SETUPS: dict[str, TcpSetup] = {
    "active": TcpSetup(),
    "passive": TcpSetup("passive"),
    "listener": TcpSetup("listener"),
    "simultaneous": TcpSetup("simultaneous"),
    "timestamps": TcpSetup(stamps=True),
    "listener, timestamps": TcpSetup("listener", stamps=True),
    "large windows": TcpSetup(buffer=65_535, scale=True, nagle=False),
    "unprotected": TcpSetup(protected=False),
}
"""How our end can be set up, plainest first."""

WORDS_AT_ONCE = 24
"""Cells in one step: some hundredths of a second."""

TIMEOUTS_AT_ONCE = 12
"""Timeouts of a word: as many as it takes until a connection is given up, of which nobody hears."""

LED_OTHERWISE = (t.shut, t.filling, t.shrunk)
"""Before a segment that says this there is more to be done than its route says."""

FIRST_ISS = 7_000_000
ISS_STEP = 1_000_003
"""From one connection of the script to the next."""


class WordEnds(Exception):  # noqa: N818  # nothing failed
    """A violation in a word is passed over."""


class TcpBase(RecordedMachine):
    """One end of our TCP, a scripted peer, and what both do between the rules' own events."""

    def __init__(
        self,
        rogue: str = "",
        *,
        tally: Tally | None = None,
        watched: frozenset[str] = frozenset(),
        record: bool = False,
    ) -> None:
        super().__init__(rogue, tally=tally, watched=watched, record=record)
        self.name = "active"
        self.setup = SETUPS[self.name]
        self.role = role_under(self.setup.readings)
        self.bench = Bench(self.setup, self.rogue)
        self.play: TcpPlay | None = None
        self.witness: TcpPlay | None = None
        self.past: list[Segment] = []
        self.connections = 0
        self.turn = 0
        self.last_cell = ""

    # ------------------------------------------------------------------------------------------------- the connection

    @property
    def is_open(self) -> bool:
        return self.play is not None and self.play.state not in (t.CLOSED.name, t.LISTEN.name)

    def ready(self) -> TcpPlay:
        """What is played, from the beginning where the last connection is over."""
        if self.play is None:
            self.play = self.begin(self.bench)
        return self.play

    def begin(self, bench: Bench) -> TcpPlay:
        """A play on a bench."""
        if bench.setup.opening == "listener" and not bench.is_listening:
            bench.listen()
        return TcpPlay(bench, self._script(bench.setup), self.record)

    def _script(self, setup: TcpSetup, connection: int = 0) -> Script:
        iss = advance(FIRST_ISS, connection * ISS_STEP)
        return Script(iss, stamp=0 if setup.stamps else None, shift=0 if setup.scale else None)

    def judge(self, play: TcpPlay, violation: PropertyViolation | None) -> None:
        """Object to what is wrong; where a connection is over, the next one has a script of its own."""
        self.witness = play
        self.object_to(violation, apart=play is not self.play)
        if violation is not None:
            raise WordEnds  # it is passed over; what follows it says nothing
        if play is self.play and play.view.iss is None and play.view.irs is None and play.given:
            self.past += play.given
            play.given.clear()
            self.connections += 1
            play.script = self._script(play.bench.setup, self.connections)

    def say(self, play: TcpPlay, symbol: Symbol, pick: int = 0, kind: str = "") -> bool:
        """The peer says this, where it can be said now."""
        made = play.make(symbol, pick)
        if isinstance(made, str):
            return False
        self.give(play, made, kind or kind_of(symbol))
        return True

    def give(self, play: TcpPlay, segment: Segment, kind: str, fate: Fate = Fate.DELIVERED) -> None:
        """A segment reaches our end."""
        self.meet()
        self.reach(kind)
        self.judge(play, play.give(segment, fate))

    def call_on(self, play: TcpPlay, name: str, size: int = 0, count: int | None = None) -> bool:
        """The user calls, where the table reads it."""
        play = play
        state = play.state
        if name == "CLOSE" and play.view.unread and state.startswith("FIN-WAIT"):
            name = "SHUTDOWN"
        symbol = self._call_symbol(name)
        if not all(self.role.enabled(one, symbol) for one in play.watch.oracle.configurations):
            return False
        if play.bench.is_listening and state in (t.LISTEN.name, t.CLOSED.name):
            return False
        self.reach("call")
        view = play.view
        data = play.script.text(view.snd_nxt, size) if name == "SEND" else b""
        self.judge(play, play.call(name, data, count))
        return True

    def _call_symbol(self, name: str) -> Symbol:
        if name.startswith("KEEP"):
            return t.KEEP_ALIVES.symbol(t.on if name.endswith("on") else t.off)
        known = {"SHUTDOWN": t.CLOSE, "CLOSE": t.CLOSE, "SEND": t.SEND, "RECEIVE": t.RECEIVE, "ABORT": t.ABORT}
        known |= {"active OPEN": t.active_open, "passive OPEN": t.passive_open}
        return known[name].symbol()

    # ------------------------------------------------------------------------------------------------------- going on

    def go_on(self, play: TcpPlay, count: int) -> None:
        """The next honest events, one by one."""
        for _ in range(count):
            self._honest(play)

    def _honest(self, play: TcpPlay) -> None:
        state = play.watch.oracle.states[0]
        opening = play.bench.setup.opening
        if state is t.CLOSED:
            self.call_on(play, "passive OPEN" if opening == "passive" else "active OPEN")
        elif state is t.LISTEN:
            self.say(play, t.Segment.symbol(t.syn, t.no_ack), kind="handshake")
        elif state is t.SYN_SENT:
            both = t.no_ack if opening == "simultaneous" else t.current
            self.say(play, t.Segment.symbol(t.syn, both), kind="handshake")
        elif state is t.SYN_RECEIVED:
            self._confirm(play)
        elif state is t.TIME_WAIT:
            self.elapse_on(play, TIME_WAIT_S)
        elif state is t.FIN_WAIT_2 and self.acknowledged(play, t.fin):
            pass
        elif state is t.CLOSE_WAIT and not play.view.flight_size:
            self.call_on(play, "RECEIVE")
            self.call_on(play, "CLOSE")
        elif state is t.ESTABLISHED and not play.view.flight_size:
            self.turn += 1
            if self.turn % 3 == 0 and play.view.rcv_wnd:
                self.acknowledged(play, t.data)
            else:
                self.call_on(play, ("RECEIVE", "SEND")[self.turn % 2], size=100)
        elif not self.acknowledged(play, t.bare):
            self.elapse_on(play, 1.1)

    def _confirm(self, play: TcpPlay) -> None:
        """The end of the handshake; of a simultaneous one, in the way of figure 7."""
        again = t.Segment.symbol(t.syn, t.repeated, t.current)
        if play.bench.setup.opening == "simultaneous" and self.say(play, again, kind="handshake"):
            return
        self.say(play, t.Segment.symbol(t.bare, t.current), kind="handshake")

    def acknowledged(self, play: TcpPlay, control: Value, kind: str = "honest") -> bool:
        """A segment that acknowledges as much as it can, and leaves the send window open, or closed, as it is."""
        window = t.usable if play.view.snd_wnd or not play.view.syn_is_acknowledged else t.zero
        return any(self.say(play, t.Segment.symbol(control, ack, window), kind=kind) for ack in VALID)

    def elapse_on(self, play: TcpPlay, seconds: float) -> None:
        """Time passes."""
        self.reach("time")
        self.judge(play, play.pass_time(seconds))

    # ---------------------------------------------------------------------------------------------------------- words

    def pick_words(self, number: int) -> None:
        """Cells that no run has tried yet, as many as fit into a step."""
        left = untried(self.role, self.is_listening, self.tally.tried, self.tally.share)
        Random(number).shuffle(left)  # noqa: S311  # no secret
        chosen = tuple(islice(by_turns(left, self.known_words()), WORDS_AT_ONCE))
        if chosen:
            self.words(words=chosen)

    @classmethod
    def rest(cls, tally: Tally) -> Iterator[list[tuple[str, Arguments]]]:
        for name, setup in SETUPS.items():
            role, listening = role_under(setup.readings), setup.opening == "listener"
            while left := untried(role, listening, tally.tried, tally.share)[:WORDS_AT_ONCE]:
                tally.tried.update(in_vain(role, listening, one) for one in left)
                yield [("configure", {"setup": name}), ("words", {"words": tuple(left)})]

    @property
    def is_listening(self) -> bool:
        """Whether a listener opens the connections."""
        return self.setup.opening == "listener"

    @recorded
    def words(self, *, words: tuple[str, ...]) -> None:
        """Segments where they may be due or not, each on a connection of its own that was led there."""
        known = self.known_words()
        for name in words:
            self.tally.tried.add(in_vain(self.role, self.is_listening, name))
            self.tally.words += 1
            play = self.begin(Bench(self.setup, self.rogue))
            with suppress(WordEnds):
                self._word(play, known[name], name)
            self.leave(play)

    def known_words(self) -> dict[str, TcpWord]:
        """The cells to which a way leads in the setup."""
        return words(self.role, self.is_listening)

    def _word(self, play: TcpPlay, word: TcpWord, name: str) -> None:
        if not self._lead(play, word) or word.configuration not in play.watch.oracle.configurations:
            return
        if not self._happens(play, word.symbol):
            self._leave_out(play, word.configuration)
            return
        self.tally.tried.add((self.setup.readings, name))
        self.remark(name)
        # What was taken, or not, shows in the numbers of the answer to an old segment, and in what can be read.
        if all(is_synchronized(state) for state in play.watch.oracle.states):
            self.say(play, t.Segment.symbol(t.bare, t.old, t.duplicate), kind="probe") or self.say(
                play, t.Segment.symbol(t.bare, t.old, t.current), kind="probe"
            )
        if play.view.unread:
            self.call_on(play, "RECEIVE")

    def _happens(self, play: TcpPlay, symbol: Symbol) -> bool:
        """What the word is about; whether it can be there."""
        if symbol.message.kind is Kind.RECV:
            return self.say(play, symbol)
        if symbol.message.kind is Kind.CALL:
            if symbol.has(t.unread) and not play.view.unread:
                return False
            return self._follow(play, symbol)
        for _ in range(TIMEOUTS_AT_ONCE):
            seconds = play.bench.next_timeout()
            if seconds is None:
                break
            self.elapse_on(play, seconds)
        return True

    def _leave_out(self, play: TcpPlay, here: Configuration) -> None:
        """Of all that can't be said there, nothing need be tried, unless a word of its own is led otherwise."""
        if in_vain(self.role, self.is_listening, here) in self.tally.tried:
            return
        self.tally.tried.add(in_vain(self.role, self.is_listening, here))
        for symbol, name in names(self.role, here).items():
            special = any(symbol.has(value) for value in LED_OTHERWISE) or symbol.message is not t.Segment
            if not special and isinstance(play.make(symbol), str):
                self.tally.tried.add(in_vain(self.role, self.is_listening, name))

    def _lead(self, play: TcpPlay, word: TcpWord) -> bool:
        """Along the route, and into what the table does not remember: a receive window that is full, or a FIN that has
        arrived ahead. Whether it could be gone.
        """
        route = word.route
        fills, waits = word.symbol.has(t.shut), word.symbol.has(t.filling)
        last_text = max((index for index, event in enumerate(route) if event.has(t.data)), default=len(route))
        for index, event in enumerate(route):
            if fills and play.state == t.ESTABLISHED.name:
                fills = False
                self._fill(play, sum(later.has(t.data) or later.has(t.fin) for later in route[index:]))
            if waits and index == last_text:
                waits = not self._alike(play, t.Segment.symbol(t.fin, t.ahead))
            if word.symbol.has(t.shrunk) and event.message is t.CLOSE and play.view.syn_is_acknowledged:
                self.call_on(play, "SEND", size=100)  # of a FIN alone no window can be too small
            if not self._follow(play, event):
                return False
        if fills and play.state == t.ESTABLISHED.name:
            self._fill(play, 0)
        if waits and play.state != t.SYN_RECEIVED.name:
            self._alike(play, t.Segment.symbol(t.fin, t.ahead))
        return True

    def _follow(self, play: TcpPlay, event: Symbol) -> bool:
        if event.message.kind is not Kind.CALL:
            return self.say(play, event, kind="honest")
        name = event.message.name
        if event.message is t.KEEP_ALIVES:
            name += " on" if event.has(t.on) else " off"
        if event.has(t.all_read) and play.view.unread:
            name = "SHUTDOWN"
        return self.call_on(play, name, size=100)

    def _fill(self, play: TcpPlay, leave: int) -> None:
        """The peer sends text until its window has room for so many octets."""
        while (left := play.view.rcv_wnd - leave) > 0:
            if not self._alike(play, t.Segment.symbol(t.data), min(left, 1000)):
                return
        self.elapse_on(play, 0.25)

    def _alike(self, play: TcpPlay, symbol: Symbol, size: int = 0) -> bool:
        """A segment that leaves what our end has to send as it is: it acknowledges nothing new, nor opens the window.
        size: of its text.
        """
        left = play.view.flight_size or play.view.waits
        window = t.usable if play.view.snd_wnd else t.zero
        made = play.make(symbol.with_values(t.duplicate if left else t.current, window))
        if isinstance(made, str):
            return False
        if size:
            made = moved(made, made.seq, play.script.text(made.seq, size))
        self.give(play, made, kind_of(symbol))
        return True

    # ------------------------------------------------------------------------------------------------------ afterwards

    def symbol(self, text: str) -> Symbol:
        return next(symbol for symbol in self.role.symbols if symbol.text == text)

    def restarts(self) -> Iterator[list[tuple[str, Arguments]]]:
        """The last odd segment, on a connection of its own."""
        if self.last_cell and self.last_cell in self.known_words():
            yield [self.calls[0], ("words", {"words": (self.last_cell,)})]

    def trace(self, title: str) -> Trace:
        play = self.witness or self.play
        if play is None:
            raise ValueError("nothing was played")
        return play.trace(title, self.name)

    def take(self, method: Step, arguments: Arguments) -> None:
        super().take(method, arguments)
        self.ready()

    def leave(self, play: TcpPlay) -> None:
        """Nothing more is played there: count the rows that were taken, of the table that everyone knows."""
        if play.watch.role is tcp:
            self.exercise(play.watch.oracle.exercised.elements())
        play.watch.dispose()

    def teardown(self) -> None:
        if self.play is not None:
            self.leave(self.play)


def moved(segment: Segment, seq: int, data: bytes | None = None) -> Segment:
    """The segment with another number, and other text."""
    s = segment
    text = s.data if data is None else data
    return Segment(s.source_port, s.destination_port, seq, s.ack, s.flags, s.window, s.urgent, s.options, text)
