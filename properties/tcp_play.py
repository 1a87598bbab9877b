"""A connection of our TCP played against a scripted peer: everything that happens is judged, and written down.

What the table does not say is judged here: the octets that the user gets, how much is in flight (RFC 5681), that what
is lost is sent again, that a delayed acknowledgment comes in time, that TIME-WAIT lasts as long as it must.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from shakeproof.impl.tcp.events import Closed
from shakeproof.impl.tcp.segment import ACK, FIN, BadSegment, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.model import tcp_segments as t
from shakeproof.model.notation import Row, Symbol
from shakeproof.model.tcp_names import symbol_name
from shakeproof.model.trace import Fate, Kind, Lane, Line, Step, Trace, number_steps
from shakeproof.properties.mapper.tcp import classify, said
from shakeproof.properties.mapper.tcp_concretise import Script, concretise
from shakeproof.properties.mapper.tcp_view import View
from shakeproof.properties.safety import (
    CLEAN_FAILURE,
    DATA_INTACT,
    TCP_FOLLOWS_TABLE,
    Crashed,
    Hung,
    NotIntact,
    PropertyViolation,
    WentOn,
    WrongOutput,
)
from shakeproof.properties.tcp_bench import OURS, PEERS, Bench, Outcome
from shakeproof.properties.tcp_watch import TcpWatch

END, PEER = "end", "peer"
Did = TypeVar("Did", Outcome, Outcome | None)

CHECKSUM = "9293 \u00a73.1"
"""Why a segment that was changed on its way is dropped."""
RTO_LIMIT_S = 60.0
"""The longest retransmission timeout that our TCP is configured with; at least that is what RFC 6298 (2.5) asks for."""
DELAYED_ACK_LIMIT_S = 0.5
TIME_WAIT_S = 240.0
"""Twice the maximum segment lifetime, which RFC 9293 takes to be 2 minutes."""
SLACK_S = 1e-6
STAMP_TICKS_PER_S = 1000


class TcpPlay:
    """One connection after another between our end and the peer of the script.

    given: what reached our end, in order; limit: octets that may be in flight, None before the connection is open.
    """

    def __init__(self, bench: Bench, script: Script, record: bool = False) -> None:
        self.bench, self.script, self.record = bench, script, record
        setup = bench.setup
        self.watch = TcpWatch("tcp", OURS, PEERS, readings=setup.readings, listening=bench.is_listening)
        self.steps: list[Step] = []
        self._phase = t.LISTEN.phase
        self.given: list[Segment] = []
        self.limit: int | None = None
        self._standing: tuple[str, int, bool, bool] | None = None
        self._progress_s = bench.now_s
        """When something was last sent or acknowledged, or the window opened or closed."""
        self._heard_s = bench.now_s
        """When text last arrived that was not acknowledged at once."""
        self._lingers_s: float | None = None
        self._last_fin_s = 0.0

    @property
    def view(self) -> View:
        """What is known of our end."""
        return self.watch.view

    @property
    def state(self) -> str:
        """Where our end stands."""
        return self.watch.state

    def make(self, symbol: Symbol, pick: int = 0) -> Segment | str:
        """A segment that says this now, or why there is none."""
        if self.script.stamp is not None:
            self.script.stamp = int(self.bench.now_s * STAMP_TICKS_PER_S)
        return concretise(symbol, self.view, self.script, pick)

    # ---------------------------------------------------------------------------------------------------------- events

    def give(self, segment: Segment, fate: Fate = Fate.DELIVERED) -> PropertyViolation | None:
        """The segment reaches our end."""
        self.script.commit(segment, self.view)
        self.given.append(segment)
        before, una, irs = self.state, self.view.snd_una, self.view.irs
        unacknowledged = self.view.last_ack_sent != self.view.rcv_nxt
        symbol = classify(segment, self.view)
        data = segment.encode(PEERS.ip, OURS.ip)
        outcome = self._do(lambda: self.bench.give(data), f"{symbol.text} in {before}")
        if isinstance(outcome, PropertyViolation):
            self._note_input(segment, symbol, fate, before, data, None)
            return outcome
        violation = self.watch.receive(segment, outcome.sent, outcome.told)
        if self.record:
            self._note_input(segment, symbol, fate, before, data, violation)
            self._note_outputs(outcome.sent, segment)
        if self.view.irs != irs:
            self.script.end = None
        if not unacknowledged:
            self._heard_s = self.bench.now_s
        if int(segment.flags) & FIN:
            self._last_fin_s = self.bench.now_s
        self._grow(segment, before, una)
        return violation or self._check(outcome, before)

    def give_tampered(self, segment: Segment, place: int, bit: int) -> PropertyViolation | None:
        """A segment with one bit flipped reaches our end, which must drop it silently. place: of the byte."""
        before = self.state
        data = bytearray(segment.encode(PEERS.ip, OURS.ip))
        at = place % len(data)
        data[at] ^= 1 << bit
        name, detail = symbol_name(classify(segment, self.view)), f"bit {bit} of byte {at} flipped"
        outcome = self._do(lambda: self.bench.give(bytes(data)), f"{name} with {detail}")
        step = Step(0, sender=PEER, receiver=END, message="Segment", title=name, fate=Fate.TAMPERED)
        step = replace(step, detail=detail, data=bytes(data), clause=CHECKSUM)  # no row reads it
        if isinstance(outcome, PropertyViolation):
            self._note(step, before, self._phase, ())
            return outcome
        violation = self.watch.receive(bytes(data), outcome.sent, outcome.told)
        self._note(step, before, self._phase, ())
        return violation or self._check(outcome, before)

    def call(self, name: str, data: bytes = b"", count: int | None = None) -> PropertyViolation | None:
        """The user calls."""
        before, view = self.state, self.view
        where, unread = advance(view.rcv_nxt, -view.unread), view.unread
        if view.peer_has_closed:
            where = advance(where, -1)
        synchronized = view.irs is not None
        outcome = self._do(lambda: self.bench.call(name, data, count), f"{name} in {before}")
        if isinstance(outcome, PropertyViolation):
            self._note(Step(0, Kind.ACTION, sender=END, message=name), before, self._phase, ())
            return outcome
        if name == "RECEIVE":
            violation = self.watch.call(name, outcome.sent, outcome.told, count=len(outcome.data))
        else:
            known = "CLOSE" if name == "SHUTDOWN" else name
            violation = self.watch.call(known, outcome.sent, outcome.told, data=outcome.data)
        if self.record:
            notes = [f"{len(outcome.data)} octets"] * bool(outcome.data) + [outcome.refused] * bool(outcome.refused)
            lines = tuple(Line(note) for note in notes)
            self._note(Step(0, Kind.ACTION, sender=END, message=name, lines=lines), before, self._leads_to)
            self._note_outputs(outcome.sent)
        if violation is None and name == "RECEIVE" and synchronized:
            violation = self._check_text(outcome.data, where, unread, count)
        return violation or self._check(outcome, before)

    def pass_time(self, seconds: float) -> PropertyViolation | None:
        """Time passes."""
        began = self.bench.now_s
        steps = self.bench.pass_time(seconds)
        while True:
            before = self.state
            outcome = self._do(lambda: next(steps, None), f"time in {before}")
            if outcome is None:
                break
            title = f"{self.bench.now_s - began:g} s later"
            timeout = Step(0, Kind.TIME, sender=END, message="timeout", title=title)
            if isinstance(outcome, PropertyViolation):
                self._note(timeout, before, self._phase, ())
                return outcome
            ends = any(isinstance(event, Closed) for event in outcome.told)
            violation = self._check_linger() if ends and before == t.TIME_WAIT.name else None
            violation = violation or self.watch.tick(outcome.sent, outcome.told)
            if self.record and (outcome.sent or outcome.told):
                self._note(timeout, before, self._phase)
                self._note_outputs(outcome.sent)
            violation = violation or self._check(outcome, before)
            if violation is not None:
                return violation
        return self._check_overdue()

    # ------------------------------------------------------------------------------------------------ beside the table

    def _do(self, action: Callable[[], Did], what: str) -> Did | PropertyViolation:
        try:
            return action()
        except BadSegment as error:
            text = f"tcp got {what} and sent what is no segment ({error}); expected a checksum that fits"
            return WrongOutput(text, property=TCP_FOLLOWS_TABLE, clause="RFC 9293 section 3.1")
        except Exception as error:  # noqa: BLE001  # whatever it raises is what is looked for
            text = f"tcp got {what} and raised {type(error).__name__}: {error}; expected an answer, or silence"
            return Crashed(text, property=CLEAN_FAILURE, clause="RFC 9293 section 3.10.7")

    def _check(self, outcome: Outcome, before: str) -> PropertyViolation | None:
        """After each event."""
        now = self.bench.now_s
        state = self.state
        view = self.view
        owing = view.iss is not None and bool(view.flight_size or (view.syn_is_acknowledged and view.waits))
        standing = (state, view.snd_una, owing, view.snd_wnd > 0)
        if any(one.length for one in outcome.sent) or standing != self._standing:
            self._progress_s = now
        self._standing = standing
        if state == t.TIME_WAIT.name:
            if self._lingers_s is None:
                self._lingers_s = self._last_fin_s = now
        elif state != t.SYN_RECEIVED.name:
            self._lingers_s = None
        return self._check_flight(outcome.sent)

    def _check_text(self, data: bytes, where: int, unread: int, count: int | None) -> PropertyViolation | None:
        """The user got what the peer said, all of it or as much as it asked for."""
        wanted = unread if count is None else min(count, unread)
        said = self.script.text(where, wanted)
        if data == said:
            return None
        at = next((i for i, (one, other) in enumerate(zip(data, said, strict=False)) if one != other), len(data))
        text = f"the user received {len(data)} octets, expected {wanted}; from octet {at} on they are not what was sent"
        return NotIntact(text, property=DATA_INTACT, clause="RFC 9293 section 3.10.7.4")

    def _grow(self, segment: Segment, before: str, una: int) -> None:
        """How much more may be in flight after a segment. Source: RFC 5681 sections 3.1 and 3.2, RFC 3042."""
        view = self.view
        if view.iss is None or not view.syn_is_acknowledged:
            self.limit = None
            return
        size = self.segment_size
        if self.limit is None:
            self.limit = 4 * size if size <= 1095 else (3 * size if size <= 2190 else 2 * size)
            return
        acked = distance(una, view.snd_una)
        if acked > 0:
            self.limit += min(acked, size)
        elif int(segment.flags) & ACK and segment.ack == una and not segment.length:
            self.limit += size

    @property
    def segment_size(self) -> int:
        """SMSS: what the peer can take and our network carries, without options."""
        size = min(max(self.view.mss, 48), self.bench.config.mss)
        return size - 12 if self.view.stamped else size

    def _check_flight(self, sent: Sequence[Segment]) -> PropertyViolation | None:
        if self.limit is None or self.view.flight_size <= self.limit + 1 or not any(one.data for one in sent):
            return None
        text = (
            f"{self.view.flight_size} octets are in flight, expected at most {self.limit}: the initial window, and for "
            "each acknowledgment since then one segment"
        )
        return WrongOutput(text, property=TCP_FOLLOWS_TABLE, clause="RFC 5681 section 3.1")

    def _check_linger(self) -> PropertyViolation | None:
        """TIME-WAIT is over: was it long enough?"""
        lasted = self.bench.now_s - (self._lingers_s if self._lingers_s is not None else self.bench.now_s)
        if lasted >= TIME_WAIT_S - SLACK_S:
            return None
        return WentOn(
            f"TIME-WAIT ended after {lasted:g} s, expected {TIME_WAIT_S:g} s, twice the maximum segment lifetime",
            property=TCP_FOLLOWS_TABLE,
            clause="RFC 9293 section 3.6.1",
        )

    def _check_overdue(self) -> PropertyViolation | None:
        """After time has passed: nothing is later than it may be."""
        view, now = self.view, self.bench.now_s
        quiet_s = now - self._progress_s
        if view.iss is not None and quiet_s > RTO_LIMIT_S + SLACK_S:
            if view.flight_size and (view.snd_wnd or not view.syn_is_acknowledged):
                text = f"{view.flight_size} octets of sequence space were sent {quiet_s:g} s ago, and not again"
                return self._overdue(text, "RFC 6298 section 5", "a retransmission after each timeout")
            if view.syn_is_acknowledged and not view.snd_wnd and (view.flight_size or view.waits):
                text = f"the window was zero for {quiet_s:g} s, and was not probed"
                return self._overdue(text, "RFC 9293 section 3.8.6.1", "a probe after each timeout")
        late_s = now - self._heard_s
        if view.irs is not None and view.last_ack_sent != view.rcv_nxt and late_s > DELAYED_ACK_LIMIT_S + SLACK_S:
            text = f"text that came {late_s:g} s ago is not acknowledged"
            return self._overdue(text, "RFC 9293 section 3.8.6.3", "an acknowledgment within 0.5 s")
        if self.state == t.TIME_WAIT.name and now - self._last_fin_s > TIME_WAIT_S + SLACK_S:
            text = f"TIME-WAIT lasts for {now - self._last_fin_s:g} s"
            return self._overdue(text, "RFC 9293 section 3.6.1", f"{TIME_WAIT_S:g} s")
        return None

    def _overdue(self, text: str, clause: str, expected: str) -> PropertyViolation:
        return Hung(f"tcp in {self.state}: {text}; expected {expected}", property=TCP_FOLLOWS_TABLE, clause=clause)

    # ---------------------------------------------------------------------------------------------------------- trace

    @property
    def _leads_to(self) -> str:
        """The phase of the state in which our end is now."""
        return self.watch.oracle.states[0].phase or self._phase

    def _note(self, step: Step, before: str, phase: str, rows: tuple[Row, ...] | None = None) -> None:
        """Write a step down. rows: what judged it, where that is not what the watch said last."""
        if not self.record:
            return
        rows = self.watch.rows if rows is None else rows
        self.steps.append(
            replace(
                step,
                layer="tcp",
                time_s=self.bench.now_s,
                phase=phase,
                before={END: before},
                after={END: self.state},
                row=rows[0].id if rows else "",
                clause=rows[0].clauses[0].short if rows and rows[0].clauses else step.clause,
            )
        )
        self._phase = self._leads_to

    def _note_input(
        self,
        segment: Segment,
        symbol: Symbol,
        fate: Fate,
        before: str,
        data: bytes,
        violation: PropertyViolation | None,
    ) -> None:
        step = Step(
            0,
            sender=PEER,
            receiver=END,
            message="Segment",
            title=symbol_name(symbol),
            facts=symbol.shown,
            defect=tuple(value.name.upper() for value in symbol.defects),
            fate=fate,
            detail=numbers_of(segment),
            data=data,
            verdict="" if violation is None else violation.property,
        )
        # A FIN begins the phase that it leads to; whatever else arrives belongs to the one in which it arrives.
        self._note(step, before, self._leads_to if int(segment.flags) & FIN else self._phase)

    def note_lost(self, segment: Segment) -> None:
        """A segment of the peer got lost."""
        if self.record:
            symbol = classify(segment, self.view)
            step = Step(
                0,
                sender=PEER,
                receiver=END,
                message="Segment",
                title=symbol_name(symbol),
                fate=Fate.LOST,
                detail=numbers_of(segment),
            )
            self._note(step, self.state, self._phase)

    def _note_outputs(self, sent: Sequence[Segment], answered: Segment | None = None) -> None:
        for one in sent:
            symbol = said(one, self.view, answered)
            step = Step(
                0,
                sender=END,
                receiver=PEER,
                message="Segment",
                title=symbol_name(symbol),
                detail=numbers_of(one),
                data=one.encode(OURS.ip, PEERS.ip),
            )
            self._note(step, self.state, self.steps[-1].phase)  # an answer stands with what it answers

    def trace(self, title: str, subtitle: str = "") -> Trace:
        """What happened."""
        role = self.watch.role
        is_client = self.bench.setup.opening in ("active", "simultaneous")
        lanes = (
            Lane(END, "shakeproof", role.title, "client" if is_client else "server"),
            Lane(PEER, "tester", "plays the peer", "tester"),
        )
        return Trace(
            title,
            lanes if is_client else lanes[::-1],
            number_steps(self.steps),
            role.phases,
            subtitle,
            meta={"role": role.name, "target": "shakeproof", "setup": repr(self.bench.setup)},
        )


def numbers_of(segment: Segment) -> str:
    """SEQ, ACK, length and window, for people."""
    bits = int(segment.flags)
    ack = f" ack={segment.ack}" if bits & ACK else ""
    size = f" {len(segment.data)} octets" if segment.data else ""
    return f"seq={segment.seq}{ack} win={segment.window}{size}"
