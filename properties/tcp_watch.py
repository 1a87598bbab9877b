"""One end of a TCP connection, watched from beside it: the table `tcp` run beside the end, and a mapper.

The watch is shown each thing that happens to the end, with all that the end then sends and tells its user: `receive` a
segment, `call` by its user, `tick` when time has passed. What the table does not allow comes back as a violation. It
never looks into the end's variables.

Beyond the table it holds numbers against each other: acknowledgments against what was accepted, octets of text against
what the user wrote, the number of octets delivered against what was due, new text against the send window.

Not in the table, and therefore let pass: that a connection is given up because nobody answers probes of a window or
keep-alives; that text waits since the window is too small to be worth a segment (MUST-38); urgent pointers on segments
without text. A SYN that carries text or FIN is not followed: after one that opens a connection nothing is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from shakeproof.impl.tcp.events import (
    Closed,
    Connected,
    DataReceived,
    Event,
    HardError,
    PeerClosed,
    Refused,
    ResetReceived,
    TimedOut,
    UrgentReceived,
)
from shakeproof.impl.tcp.segment import ACK, FIN, RST, SYN, URG, BadSegment, Endpoint, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.model import tcp_segments as t
from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.notation import Message, Output, Row, Signal, Symbol
from shakeproof.model.oracle import Oracle, Possibility
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_names import segment_name, symbol_name
from shakeproof.properties.mapper.tcp import TAKEN, VALID, readings, said
from shakeproof.properties.mapper.tcp_view import View
from shakeproof.properties.safety import (
    TCP_FOLLOWS_TABLE,
    Deviated,
    Hung,
    PropertyViolation,
    RefusedValid,
    Unadvised,
    WentOn,
    WrongOutput,
)

SIGNALS: dict[type[Event], Signal] = {
    Connected: t.opened,
    DataReceived: t.delivered,
    UrgentReceived: t.pressing,
    PeerClosed: t.closing,
    Refused: t.refused,
    ResetReceived: t.reset,
    TimedOut: t.timed_out,
}
"""What the events of our TCP are in the table."""

ENDS = (Closed, Refused, ResetReceived, TimedOut, HardError)
"""Events after which there is no connection any more."""

CALLS: dict[str, Message] = {
    message.name: message for message in (t.active_open, t.passive_open, t.SEND, t.RECEIVE, t.CLOSE, t.ABORT)
}
KEEP_ALIVES = {"KEEP-ALIVES on": t.KEEP_ALIVES.symbol(t.on), "KEEP-ALIVES off": t.KEEP_ALIVES.symbol(t.off)}

CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, TIME_WAIT = (
    state.name for state in (t.CLOSED, t.LISTEN, t.SYN_SENT, t.SYN_RECEIVED, t.TIME_WAIT)
)
Flight: TypeAlias = tuple[Output, ...]
"""What is owed, in its order."""
HOLDING = frozenset(state.name for state in (t.SYN_RECEIVED, *t.RECEIVING.members))


@lru_cache(maxsize=8)
def role_under(readings: frozenset[str]) -> Role:
    """The table under these readings, made once."""
    return tcp if readings == tcp.default_readings else tcp.under(readings)


class TcpWatch:
    """One end of a TCP connection as seen from the wire beside it: the table `tcp` run beside it, and a mapper that
    reads segments. It never looks into the endpoint's variables: what it knows comes from the segments that went in and
    out, the calls, and the clock.

    name: of the end, for texts; local, remote: its sockets; readings: those of the table that are in force, to which
    "rfc7323" belongs where both ends offer timestamps; listening: a listener stays at the port, so that what ends is in
    LISTEN again, and begins there. view: what an observer knows of the end; symbol, rows: the last segment that came,
    and the rows that read the last event.
    """

    def __init__(
        self,
        name: str,
        local: Endpoint,
        remote: Endpoint,
        *,
        readings: frozenset[str] = frozenset({"rfc5961"}),
        listening: bool = False,
    ) -> None:
        self.name = name
        self.role = role_under(readings)
        self.oracle = Oracle(self.role, closed_calls=False)
        self.view = View(local, remote)
        self.listening = listening
        self.symbol: Symbol | None = None
        self.rows: tuple[Row, ...] = ()
        self.is_blind = False
        self._known: dict[str, Row] = dict(self.role.by_id)
        self._before = CLOSED
        self._states = frozenset({CLOSED})
        self._aside: View | None = None
        """What was known of the connection in TIME-WAIT that a new SYN has put aside."""
        self._listen_again()

    @property
    def state(self) -> str:
        """The states still possible, for people."""
        return self.oracle.state_text

    def dispose(self) -> None:
        """Give the oracle back; the watch is not used afterwards."""
        self.oracle.release()

    # -------------------------------------------------------------------------------------------------------- events

    def receive(
        self, segment: Segment | bytes, sent: Sequence[Segment], told: Sequence[Event], *, throttled: bool = False
    ) -> PropertyViolation | None:
        """A segment came, and then all this was sent and told. throttled: so much was answered of late that a challenge
        ACK may be left out (RFC 5961 section 7); then it is as if the segment had not come.
        """
        if self.is_blind:
            return None
        if isinstance(segment, bytes):
            try:
                segment = Segment.decode(segment, self.view.remote.ip, self.view.local.ip)
            except BadSegment as error:
                return self._dropped(str(error), sent, told)
        if self._is_not_followed(segment):
            self.is_blind = True
            return None
        ways = readings(segment, self.view)
        self.symbol = ways[0]
        self._before = self.state
        self._states = frozenset(state.name for state in self.oracle.states)
        silent = throttled and not sent and not told and _is_challenged(segment, ways)
        kept = (self.oracle.fork(), self.view.copy()) if silent else None
        self.rows = self._know(self.oracle.receive_one_of(ways))
        self._presume(segment, ways)
        came = f"{self.name} in {self._before} got {symbol_name(self.symbol)} ({self.symbol.text})"
        violation = self._judge(came, sent, told, segment, kept)
        if kept is not None and self.oracle is not kept[0]:
            kept[0].release()
        return violation

    def call(
        self, name: str, sent: Sequence[Segment], told: Sequence[Event], *, data: bytes = b"", count: int | None = None
    ) -> PropertyViolation | None:
        """The user made a call, by its name in the table. data: what SEND handed over and was taken; count: octets that
        RECEIVE gave, None for all that there were.
        """
        if self.is_blind:
            return None
        view = self.view
        self.symbol = None
        self._before = self.state
        if name == "RECEIVE" and view.irs is not None:
            view.read(view.unread if count is None else count)
        if name in KEEP_ALIVES:
            symbol = KEEP_ALIVES[name]
        elif name == "CLOSE":
            symbol = t.CLOSE.symbol(t.unread if view.unread else t.all_read)
        else:
            symbol = CALLS[name].symbol()
        self.rows = self._know(self.oracle.call(symbol))
        if self._before not in (CLOSED, LISTEN) or name == "SEND":
            if name == "SEND" and not view.is_closing:
                view.written += data
            view.is_closing = view.is_closing or name == "CLOSE"
        if name == "SEND" and self._is_too_small():
            self._excuse()
        return self._judge(f"{self.name} in {self._before} was called: {symbol.text}", sent, told, None)

    def tick(self, sent: Sequence[Segment], told: Sequence[Event]) -> PropertyViolation | None:
        """Time passed, and then all this was sent and told."""
        if self.is_blind or not (sent or told):
            return None
        self.symbol = None
        self._before = self.state
        if any(isinstance(event, TimedOut) for event in told) and self._gave_up():
            return None
        rows: list[Row] = []
        if any(self._is_again(segment) for segment in sent):
            rows += self._know(self.oracle.tick(t.RETRANSMISSION))
        else:
            for timer in _timers(sent, told):
                rows += self._know(self.oracle.may_tick(timer))
        self.rows = tuple(rows)
        return self._judge(f"{self.name} in {self._before} had a timeout", sent, told, None)

    # ------------------------------------------------------------------------------------------------------- judging

    def _judge(
        self,
        came: str,
        sent: Sequence[Segment],
        told: Sequence[Event],
        segment: Segment | None,
        kept: tuple[Oracle, View] | None = None,
    ) -> PropertyViolation | None:
        """kept: how things stood before, where it may be silent about what is owed now."""
        violation = self._check_told(came, sent, told, segment) or self._check_sent(came, sent, segment)
        if violation is None:
            owed = [one.owed for one in self.oracle.possible]
            if not self.oracle.quiet():
                if kept is None:
                    return self._owes(came, sent, owed)
                kept[0].exercised.update(self.oracle.exercised)
                self.oracle.release()
                (self.oracle, self.view), self.rows = kept, ()
                return None
            self._settle()
        return violation

    def _presume(self, segment: Segment, ways: Sequence[Symbol]) -> None:
        """Where the table leaves open whether the acknowledgment of an early segment counts: as the view has it."""
        early = all(symbol.has(t.ahead) or symbol.has(t.shut) for symbol in ways)
        if early and not (ways[0].has(t.rst) or ways[0].has(t.syn)) and self._is_taken(ways[0]):
            whole = ways[0].has(t.ahead) or segment.seq == self.view.rcv_nxt
            self.oracle.keep(lambda one: (len(self._known[one.fired[-1]].parts) > 1) is whole if one.fired else False)

    @staticmethod
    def _is_taken(symbol: Symbol) -> bool:
        """Whether the acknowledgment of what is not dropped before counts."""
        return symbol.has(t.timely) and any(symbol.has(value) for value in VALID)

    def _check_told(
        self, came: str, sent: Sequence[Segment], told: Sequence[Event], segment: Segment | None
    ) -> PropertyViolation | None:
        signals = frozenset(SIGNALS[type(event)] for event in told if type(event) in SIGNALS)
        ends = any(isinstance(event, ENDS) for event in told)
        calls = segment is None and not ends  # the user need not be told what it did
        loose = self._may_tell(segment) if segment is not None else frozenset()
        was_closed = self._before == CLOSED

        def fits(one: Possibility) -> bool:
            demanded = self._signals(one)
            over = one.state == CLOSED or (t.timed_out in demanded and one.state == TIME_WAIT)
            if not was_closed and over is not ends and not (calls and over):
                return False
            extra = signals - demanded
            if ends:
                extra -= {t.reset}  # who is told of a reset while closing is told more than need be
            return not extra - loose and demanded <= signals

        if not self.oracle.keep(fits):
            return self._wrongly_told(came, told, signals, ends)
        if segment is not None and self.symbol is not None:
            return self._take(came, segment, self.symbol, sent, told)
        return None

    def _may_tell(self, segment: Segment) -> frozenset[Signal]:
        """What the user may be told of a segment beside what its row says: urgent data, and the text before a FIN."""
        found = {t.pressing} if int(segment.flags) & URG else set()
        if int(segment.flags) & FIN and self.view.trimmed(segment, self.view.far_edge)[1]:
            found.add(t.delivered)
        return frozenset(found)

    def _signals(self, one: Possibility) -> frozenset[Signal]:
        """What the user is told on the way to a possibility."""
        return frozenset(signal for row in one.fired for signal in self._known[row].signals)

    def _wrongly_told(
        self, came: str, told: Sequence[Event], signals: frozenset[Signal], ends: bool
    ) -> PropertyViolation:
        ways = [self._signals(one) for one in self.oracle.possible]
        names = ", ".join(type(event).__name__ for event in told) or "nothing"
        text = f"{came}; it told its user {names}, expected that it {self._allowed()}"
        new = signals - frozenset().union(*ways)
        if new or (ends and all(one.state != CLOSED for one in self.oracle.possible)):
            refuses = self.symbol is not None and self.symbol.is_sound and t.reset in new and self._is_due()
            return self._violation(RefusedValid if refuses else WentOn, text)
        return self._violation(RefusedValid if self.symbol is None or self.symbol.is_sound else Deviated, text)

    def _allowed(self) -> str:
        """What the table lets the end do now, in words, every way of it."""
        ways: dict[str, dict[str, None]] = {}
        for one in self.oracle.possible:
            stays = f"stays in {one.state}" if one.state == self._before else f"goes to {one.state}"
            tells = " and ".join(sorted(signal.name for signal in self._signals(one))) or "nothing"
            sent = (segment_name(output.pattern) if output else "nothing" for output in _next_of(one.owed))
            ways.setdefault(f"{stays} and tells its user {tells}", {}).update(dict.fromkeys(sent))
        return ", or ".join(f"sends {' or '.join(sends)}, {rest}" for rest, sends in ways.items())

    def _is_due(self) -> bool:
        return any(signal in row.signals for row in self.rows for signal in (t.delivered, t.closing, t.opened))

    def _check_sent(self, came: str, sent: Sequence[Segment], segment: Segment | None) -> PropertyViolation | None:
        for one in sent:
            symbol = said(one, self.view, segment)
            text = f"{came}; it sent {symbol_name(symbol)} ({symbol.text})"
            owed = [one.owed for one in self.oracle.possible]
            violation = self._check_numbers(text, one, symbol)
            if violation is not None:
                return violation
            if not self.oracle.send(symbol):
                kind = RefusedValid if symbol.has(t.rst) and self.symbol is not None and self._is_due() else WrongOutput
                return self._violation(kind, f"{text}, expected {_named(owed)}")
            self.view.sent(one)
        return None

    def _check_numbers(self, text: str, one: Segment, symbol: Symbol) -> PropertyViolation | None:
        view = self.view
        if symbol.has(t.rst) or view.iss is None:
            return None
        if symbol.has(t.beyond) and view.irs is not None:
            more = distance(view.rcv_nxt, one.ack)
            return self._violation(WentOn, f"{text}, which acknowledges {more} octets more than it may have accepted")
        if symbol.has(t.ancient) and view.irs is not None:
            less = distance(one.ack, view.rcv_nxt)
            return self._violation(RefusedValid, f"{text}, which acknowledges {less} octets less than it has accepted")
        if not one.data:
            return None
        wrote = view.text(one.seq, len(one.data))
        if wrote != one.data:
            return self._violation(WrongOutput, f"{text} with other octets than the user wrote there", "3.10.2")
        end = advance(one.seq, one.length)
        right = advance(view.snd_una, max(view.snd_wnd, 1))
        if distance(view.snd_nxt, end) > 0 and distance(right, end) > 0:
            more = distance(right, end)
            return self._violation(WrongOutput, f"{text}, whose end lies {more} octets beyond the send window", "3.8.6")
        return None

    def _owes(self, came: str, sent: Sequence[Segment], owed: Sequence[Flight]) -> PropertyViolation:
        answer = f"sent {len(sent)} segments, none of them that" if sent else "was silent"
        text = f"{came}; expected {_named(owed)}, but it {answer}"
        must = any(row.level is Level.MUST for row in self.rows)
        progress = any(not (row.next is row.states.members[0] or repr(row.next) == "STAY") for row in self.rows)
        answers_fault = self.symbol is not None and not (self.symbol.is_sound and (progress or self._is_due()))
        if not must and not self.rows:
            return self._violation(Hung, text)
        if not must and all(row.level is Level.SHOULD for row in self.rows):
            return self._violation(Unadvised, text)
        return self._violation(Deviated if answers_fault else Hung, text)

    def _dropped(self, why: str, sent: Sequence[Segment], told: Sequence[Event]) -> PropertyViolation | None:
        if not sent and not told:
            return None
        self.rows = ()
        text = f"{self.name} in {self.state} got bytes that are to be dropped silently ({why}), and acted on them"
        return self._violation(WentOn, text, "3.1")

    def _violation(self, kind: type[PropertyViolation], text: str, section: str = "") -> PropertyViolation:
        clause = next((clause for row in self.rows for clause in row.clauses), None)
        if section or clause is None:
            return kind(text, property=TCP_FOLLOWS_TABLE, clause=f"RFC 9293 section {section or '3.10.7'}")
        return kind(text, property=TCP_FOLLOWS_TABLE, clause=clause.reference, sentence=clause.sentence)

    # ----------------------------------------------------------------------------------------- what is known afterwards

    def _take(
        self, came: str, segment: Segment, symbol: Symbol, sent: Sequence[Segment], told: Sequence[Event]
    ) -> PropertyViolation | None:
        """The end has taken a segment, or not: what an observer knows of it then."""
        view = self.view
        if symbol.has(t.syn) and self._took_syn(segment, sent):
            return None
        if view.irs is None or symbol.has(t.rst):
            return None
        delivers = next((event for event in reversed(told) if isinstance(event, DataReceived)), None)
        closes = any(isinstance(event, PeerClosed) for event in told)
        due = view.reach(segment, view.far_edge)[0] if delivers is not None or closes else 0
        least = view.reach(segment)[0] if delivers is not None or closes else 0
        if not symbol.has(t.syn) or any(isinstance(event, Connected) for event in told):
            self._took_acceptable(segment, symbol, delivers is not None)
        if delivers is not None or closes:
            count = delivers.ready - view.unread if delivers is not None else 0
            if not least <= count <= due:
                text = f"{came}; it delivered {count} octets, expected {due}"
                return self._violation(WentOn if count > due else RefusedValid, text)
            view.deliver(count)
        if closes:
            view.take_fin()
        return None

    def _took_acceptable(self, segment: Segment, symbol: Symbol, delivers: bool) -> None:
        view = self.view
        if not (symbol.has(t.syn) or any(symbol.has(value) for value in TAKEN)):
            return
        if not symbol.has(t.timely) and not delivers:
            return
        if symbol.has(t.shut) and segment.seq != view.rcv_nxt:
            return
        if not any(symbol.has(value) for value in VALID):
            return
        if self._before == SYN_RECEIVED and not symbol.has(t.current):
            return
        view.take_stamp(segment)
        holds = symbol.has(t.ahead) and self._states <= HOLDING and not view.peer_has_closed
        if holds:
            view.hold(segment)
        if not view.peer_has_closed:
            view.take_urgent(segment)
        view.take_ack(segment)

    def _took_syn(self, segment: Segment, sent: Sequence[Segment]) -> bool:
        """Whether it has taken a SYN as the beginning of a connection, as far as can be told."""
        states = [one.state for one in self.oracle.possible]
        if self._before == TIME_WAIT and any(_accepts(one, segment) for one in sent):
            self._aside = self.view.copy()
            self.view.reset()
        elif self._before == SYN_SENT:
            if SYN_SENT in states or CLOSED in states:
                return False
        elif self._before != LISTEN or LISTEN in states:
            return False
        self.view.take_syn(segment)
        return True

    def _settle(self) -> None:
        """After a step: what follows from the states that are left."""
        states = set(self.oracle.states)
        if states == {t.CLOSED}:
            self.view.reset()
            self._listen_again()
        elif states == {t.LISTEN}:
            self.view.reset()
        elif states == {t.TIME_WAIT} and self._aside is not None and self._before == SYN_RECEIVED:
            self.view, self._aside = self._aside, None

    def _listen_again(self) -> None:
        if self.listening:
            self.oracle.call(t.passive_open)
            self.oracle.quiet()

    def _know(self, rows: Iterable[Row]) -> tuple[Row, ...]:
        found = tuple(rows)
        self._known.update((row.id, row) for row in found)
        return found

    # ------------------------------------------------------------------------------------------------ beside the table

    def _is_not_followed(self, segment: Segment) -> bool:
        bits = int(segment.flags)
        opens = bits & SYN and not bits & RST and (bits & FIN or segment.data)
        return bool(opens) and any(name in self.state for name in (LISTEN, SYN_SENT, TIME_WAIT))

    def _is_again(self, segment: Segment) -> bool:
        """Whether it is the front of the retransmission queue, so that there is no doubt which timer it was."""
        view = self.view
        return bool(segment.length and view.flight_size and view.snd_wnd) and segment.seq == view.snd_una

    def _is_too_small(self) -> bool:
        """Whether the window is too small to be worth a segment: then text may wait (section 3.8.6.2.1)."""
        view = self.view
        usable = distance(view.snd_nxt, advance(view.snd_una, view.snd_wnd))
        unsent = distance(view.snd_nxt, view.text_end)
        return view.irs is not None and usable < min(unsent, view.mss) and 2 * usable < view.max_snd_wnd

    def _excuse(self) -> None:
        """What is owed may wait."""
        for one in self.oracle.possible:
            one.owed = ()

    def _gave_up(self) -> bool:
        """A connection on which no retransmission waits was given up: probes of a window, or keep-alives, went without
        an answer, which the table leaves to the implementation.
        """
        here = self.oracle.configurations
        if any(t.USER.running.holds(self.role.remembered(one)) for one in here) or self.state == CLOSED:
            return False
        exercised = self.oracle.exercised
        self.oracle.release()
        self.oracle = Oracle(self.role, closed_calls=False)
        self.oracle.exercised.update(exercised)
        self.view.reset()
        self._listen_again()
        return True


def _next_of(owed: Flight) -> Iterator[Output | None]:
    """What may come next of these; None where it may be nothing."""
    for output in owed:
        yield output
        if not output.optional:
            return
    yield None


def _named(flights: Iterable[Flight]) -> str:
    """What may come next, in words: each segment by its name, and as the table has it."""
    found = dict.fromkeys(output for owed in flights for output in _next_of(owed))
    return " or ".join(
        f"{segment_name(output.pattern)} ({output.pattern.text})" if output else "nothing" for output in found
    )


def _timers(sent: Sequence[Segment], told: Sequence[Event]) -> list[Message]:
    """The timers that may have fired, by what came of it."""
    found: dict[Message, None] = {}
    for event in told:
        if isinstance(event, Closed):
            found[t.TIME_WAIT_TIMER] = None
        elif isinstance(event, TimedOut):
            found[t.USER] = None
    for segment in sent:
        if int(segment.flags) & (SYN | FIN) or segment.data:
            found[t.RETRANSMISSION] = found[t.PERSIST] = None
        elif int(segment.flags) & ACK:
            found[t.DELAYED_ACK] = found[t.KEEP_ALIVE] = found[t.PERSIST] = None
    return list(found)


def _is_challenged(segment: Segment, ways: Sequence[Symbol]) -> bool:
    """Whether it is of those that may be answered with a challenge ACK: what has text is acknowledged."""
    odd = int(segment.flags) & (SYN | RST) or not any(symbol.has(value) for symbol in ways for value in VALID)
    return bool(odd) or not segment.length


def _accepts(answer: Segment, syn: Segment) -> bool:
    """Whether a segment is the SYN-ACK to that SYN."""
    bits = int(answer.flags)
    return bool(bits & SYN and bits & ACK) and answer.ack == advance(syn.seq, 1)
