"""The Hypothesis machine of our TCP: one end of ours, a scripted peer, and a network that may do anything."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from random import Random

from hypothesis import strategies as st

from shakeproof.impl.tcp.segment import Endpoint, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.model import tcp_segments as t
from shakeproof.model.trace import Fate
from shakeproof.properties.mapper.tcp import VALID
from shakeproof.properties.recorded import beginning, offered, recorded, step
from shakeproof.properties.safety import TCP_FOLLOWS_TABLE, PropertyViolation, WrongOutput
from shakeproof.properties.tcp_base import SETUPS, TcpBase, moved
from shakeproof.properties.tcp_bench import Bench
from shakeproof.properties.tcp_play import TcpPlay
from shakeproof.properties.tcp_watch import role_under
from shakeproof.properties.tcp_words import names

NUMBERS = st.integers(0, 2**16 - 1)
PICKS = st.integers(0, 59)
"""Which of several segments that say the same."""

AFTER = st.integers(0, 5)
"""Honest events that go before."""

LONGEST = 8
"""Honest events in one step: from the beginning to text both ways."""

SPANS_S = (0.1, 0.25, 0.6, 1.1, 3.0, 65.0, 130.0, 250.0, 7300.0)
"""Stretches of time: a delayed ACK, a retransmission, a long silence, 2 MSL, the interval of keep-alives."""

SIZES = (1, 9, 100, 536, 1500)
WINDOWS = (65_535, 1072, 536, 0)
BULK = 24
"""Segments that the user sends at once: several initial windows."""

CALLS = (
    "SEND", "RECEIVE", "CLOSE", "SHUTDOWN", "ABORT", "active OPEN", "passive OPEN", "KEEP-ALIVES on", "KEEP-ALIVES off",
)  # fmt: skip


class TcpMachine(TcpBase):
    """One end of our TCP, and a scripted peer: the rules."""

    summary = "our TCP against a scripted peer and a hostile network"

    @beginning(setup=st.sampled_from(list(SETUPS)), number=NUMBERS)
    def configure(self, *, setup: str, number: int | None = None) -> None:
        """How our end is set up. number: which cells are tried before all else, as a call of their own."""
        self.calls[-1] = ("configure", {"setup": setup})
        self.name, self.setup = setup, SETUPS[setup]
        self.role = role_under(self.setup.readings)
        self.bench = Bench(self.setup, self.rogue)
        if number is not None:
            self.pick_words(number)

    @step(count=st.integers(1, LONGEST))
    def deliver(self, *, count: int) -> None:
        """The next honest events, one by one."""
        self.go_on(self.ready(), count)

    @step(after=AFTER, number=NUMBERS, pick=PICKS)
    def segment(self, *, after: int, number: int, pick: int) -> None:
        """After some honest events, a segment that has not been tried there, or any; number: which."""
        self.instead()
        if after:
            self.deliver(count=after)
        play = self.ready()
        here = play.watch.oracle.configurations[0]
        symbols, name = list(self.role.symbols), names(self.role, here)
        Random(number).shuffle(symbols)  # noqa: S311  # no secret
        symbols.sort(key=lambda symbol: (self.setup.readings, name[symbol]) in self.tally.tried)
        can = (symbol.text for symbol in symbols if not isinstance(play.make(symbol, pick), str))
        for text in islice(can, 1):
            self.odd(symbol=text, pick=pick)

    @recorded
    def odd(self, *, symbol: str, pick: int) -> None:
        """A segment that says this, wherever our end stands; pick: which of those that do."""
        play = self.ready()
        said = self.symbol(symbol)
        here = play.watch.oracle.configurations[0]
        name = names(self.role, here)[said]
        self.last_cell = name
        if self.say(play, said, pick):
            self.tally.tried.add((self.setup.readings, name))

    @step(sizes=st.lists(st.sampled_from(SIZES), min_size=2, max_size=5).map(tuple), order=NUMBERS,
          lost=st.integers(0, 5))  # fmt: skip
    def transfer(self, *, sizes: tuple[int, ...], order: int, lost: int) -> None:
        """Text of the peer in pieces that come out of order and twice, while some get lost and come at last.

        order: in which order, and which twice; lost: every so manieth is lost first, 0 none.
        """
        play = self.ready()
        self.go_on(play, 0 if play.view.syn_is_acknowledged else 3)
        view = play.view
        if view.irs is None or view.peer_has_closed or play.script.end is not None or view.held:
            return
        pieces: list[Segment] = []
        at = view.rcv_nxt
        for size in sizes:
            room = distance(at, view.edge)
            made = play.make(t.Segment.symbol(t.data, VALID[0])) if room > 0 else "no room"
            if isinstance(made, str):
                made = play.make(t.Segment.symbol(t.data, t.duplicate)) if room > 0 else "no room"
            if isinstance(made, str):
                break
            pieces.append(moved(made, at, play.script.text(at, min(size, room))))
            at = advance(at, min(size, room))
        mixed = [*pieces, *pieces[: order % 3]]
        Random(order).shuffle(mixed)  # noqa: S311  # no secret
        for index, piece in enumerate(mixed):
            if lost and index % lost == lost - 1:
                self.reach("lost")
                play.note_lost(piece)
            else:
                self.give(
                    play,
                    _acknowledging(piece, play),
                    "reordered",
                    Fate.LATE if piece is not pieces[0] else Fate.DELIVERED,
                )
        for piece in pieces if lost else ():
            if play.view.irs is not None and distance(play.view.rcv_nxt, advance(piece.seq, len(piece.data))) > 0:
                self.give(play, _acknowledging(piece, play), "retransmitted")
        self.call_on(play, "RECEIVE")

    @step(segments=st.integers(1, BULK), every=st.integers(1, 3), lost=st.integers(0, 7))
    def bulk(self, *, segments: int, every: int, lost: int) -> None:
        """Much text of our user at once, which the peer acknowledges, every so many segments.

        lost: every so manieth segment is lost, and is missed by the peer until it comes again; 0: none.
        """
        play = self.ready()
        self.go_on(play, 3 if play.view.irs is None else 0)
        if play.state not in (t.ESTABLISHED.name, t.CLOSE_WAIT.name):
            return
        self.call_on(play, "SEND", size=segments * 536)
        for round_ in range(4 * segments):
            if not play.view.flight_size:
                break
            if lost and round_ % lost == lost - 1:
                self.elapse_on(play, 1.1)
            size = max(1, every) * play.segment_size
            ack = play.view.snd_nxt
            if play.view.flight_size > size:
                ack = advance(play.view.snd_una, size)
            made = play.make(t.Segment.symbol(t.bare, t.duplicate))
            if isinstance(made, str):
                made = play.make(t.Segment.symbol(t.bare, t.current))
            if isinstance(made, str):
                break
            self.give(play, _with_ack(made, ack), "bulk")

    @step(window=st.sampled_from(WINDOWS), control=st.sampled_from(("bare", "data")))
    def advertise(self, *, window: int, control: str) -> None:
        """The peer's window becomes another one, and it says so."""
        play = self.ready()
        if play.view.irs is None:
            return
        if window == 0:
            for ack in VALID:
                if self.say(play, t.Segment.symbol(t.CONTROL[control], ack, t.zero)):
                    return
        play.script.window = window or WINDOWS[0]
        self.acknowledged(play, t.CONTROL[control], "window")

    @step(name=st.sampled_from(CALLS), size=st.sampled_from(SIZES))
    def call(self, *, name: str, size: int) -> None:
        """The user calls; size: of what it sends, or reads."""
        play = self.ready()
        if name == "passive OPEN" and self.setup.opening == "simultaneous":
            return
        self.call_on(play, name, size, size if size > 1 else None)

    @step(seconds=st.sampled_from(SPANS_S))
    def elapse(self, *, seconds: float) -> None:
        """Nothing comes for so long."""
        self.elapse_on(self.ready(), seconds)

    @step(steps=st.integers(1, 5))
    def timeouts(self, *, steps: int) -> None:
        """Nothing comes until our end has had so many timeouts."""
        play = self.ready()
        for _ in range(steps):
            seconds = play.bench.next_timeout()
            if seconds is None:
                return
            self.elapse_on(play, seconds)

    @step(after=AFTER, which=st.integers(0, 63), again=st.integers(0, 1))
    def replay(self, *, after: int, which: int, again: int) -> None:
        """A segment of this connection, or of an earlier one, once more; which: from the last one back."""
        play = self.ready()
        self.go_on(play, after)
        known = [*self.past, *play.given]
        if known:
            segment = known[-1 - which % len(known)]
            for _ in range(again + 1):
                self.give(play, segment, "replayed", Fate.REPLAYED)

    @step(after=AFTER, place=st.integers(0, 511), bit=st.integers(0, 7), symbol=offered("sound_ones"))
    def tamper(self, *, after: int, place: int, bit: int, symbol: str) -> None:
        """One bit of a segment flipped, so that its checksum does not fit: it is dropped silently."""
        play = self.ready()
        self.go_on(play, after)
        made = play.make(self.symbol(symbol))
        if isinstance(made, str):
            return
        self.meet()
        self.reach("tampered")
        self.judge(play, play.give_tampered(made, place, bit))

    def sound_ones(self) -> list[str]:
        """What could be taken."""
        return [symbol.text for symbol in self.role.symbols if symbol.is_sound]

    @step(by_peer=st.booleans())
    def close(self, *, by_peer: bool) -> None:
        """The connection closes in good order, from either side."""
        play = self.ready()
        if play.view.irs is None:
            self.go_on(play, 3)
        if by_peer:
            self.acknowledged(play, t.fin)
        else:
            self.call_on(play, "RECEIVE")
            self.call_on(play, "CLOSE")
        self.go_on(play, 3)

    @step(seconds=st.sampled_from(SPANS_S[:5]))
    def compare_numbers(self, *, seconds: float) -> None:
        """The initial sequence numbers of connections to several peers: none tells another.

        What the clock adds is taken off; then they must differ, and not by the same from one to the next.
        """
        play = self.ready()
        self.meet()
        self.reach("numbers compared")
        found: list[int] = []
        raw: list[int] = []
        for index in range(4):
            iss = play.bench.initial_number(50_000 + index, Endpoint(f"198.51.100.{index + 1}", 443))
            if iss is None:
                return
            raw.append(iss)
            found.append(advance(iss, -int(play.bench.now_s * 250_000)))
            self.elapse_on(play, seconds)
        for numbers in (found, raw):
            steps = {distance(one, other) for one, other in pairwise(numbers)}
            if len(steps) == 1:
                self.judge(play, _predictable(raw, steps.pop()))

    @step(number=NUMBERS)
    def explore(self, *, number: int) -> None:
        """Some cells that no run has tried yet; number: which."""
        self.instead()
        self.pick_words(number)


def _with_ack(segment: Segment, ack: int) -> Segment:
    s = segment
    return Segment(s.source_port, s.destination_port, s.seq, ack, s.flags, s.window, s.urgent, s.options, s.data)


def _acknowledging(segment: Segment, play: TcpPlay) -> Segment:
    """The segment as it is when it is sent now: with the acknowledgment and the timestamp of now."""
    made = play.make(t.Segment.symbol(t.bare, t.current))
    if isinstance(made, str):
        made = play.make(t.Segment.symbol(t.bare, t.duplicate))
    if isinstance(made, str):
        return segment
    s = segment
    return Segment(s.source_port, s.destination_port, s.seq, made.ack, s.flags, made.window, 0, made.options, s.data)


def _predictable(numbers: Sequence[int], step: int) -> PropertyViolation:
    text = (
        f"connections to four peers began with {', '.join(map(str, numbers))}: each tells the next, {step} on, but for "
        "the time; expected numbers that can't be computed without the secret"
    )
    return WrongOutput(text, property=TCP_FOLLOWS_TABLE, clause="RFC 9293 section 3.4.1")
