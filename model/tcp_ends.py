"""One end of a TCP connection, stepped: what a segment is to it when it arrives, and what it makes of its numbers.

The rows of `tcp` decide; the numbers follow. An end accepts what its row tells the user of, "delivered" or "connection
closing"; whether that was right is seen from what the peer sent. It notes what a segment acknowledges where the row has
passed the check of the acknowledgment.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from shakeproof.model.effects import EffectKind
from shakeproof.model.facts import ModelError, Value
from shakeproof.model.machine import Role
from shakeproof.model.notation import Kind, Pattern, Symbol
from shakeproof.model.steps import LocalStep, beginning, steps_of
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_segments import (
    ACK,
    ANSWER,
    ANY_RST,
    CLOSE,
    CLOSED,
    DATA,
    FIN,
    FIN_WAIT_2,
    FINISHING,
    LISTEN,
    MORE,
    RETRANSMISSION,
    RST,
    RST_ACK,
    SEND,
    SYN,
    SYN_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TALKING,
    TIME_WAIT,
    TIME_WAIT_TIMER,
    Segment,
    active_open,
    ahead,
    ancient,
    bare,
    beyond,
    closing,
    current,
    data,
    delivered,
    duplicate,
    expected,
    filling,
    fin,
    no_ack,
    old,
    outside,
    partial,
    passive_open,
    repeated,
    rst,
    syn,
)
from shakeproof.model.tcp_setting import (
    CLIENT,
    NOBODYS_NUMBER,
    ZERO_NUMBER,
    End,
    Setting,
    Wire,
    accepted,
    anew,
    cut_off,
    elsewhere,
    elsewhere_later,
    fin_held,
    first,
    forgery_held,
    given_up,
    going,
    in_order,
    is_old,
    nothing_held,
    of_old,
    peers,
    peers_anew,
    pretended,
    refused,
    reset_by_peer,
    unchosen,
    unknown,
)

HALF_OPEN = (SYN_SENT, SYN_RECEIVED)

FRONT: dict[Pattern, tuple[Value, ...]] = {
    SYN: (syn,), SYN_ACK: (syn,), DATA: (data,), FIN: (fin,), MORE: (data, fin),
}  # fmt: skip
"""What a row that sends of its own accord, or again, may send: the segment whose turn it is must be one of these."""


class Did(NamedTuple):
    """What an end may do: the row, what it read or was called, what it is then, and what it sends."""

    row: str
    symbol: Symbol
    after: End
    sent: Wire | None = None


@lru_cache(maxsize=2)
def role_of(challenges: bool) -> Role:
    """The table, with RFC 5961's protections or without."""
    return tcp if challenges else tcp.under(tcp.default_readings - {"rfc5961"})


class Ends:
    """Both ends of a setting. role: the table; by default that of the setting."""

    def __init__(self, setting: Setting, role: Role | None = None) -> None:
        self.setting = setting
        self.role = role or role_of(setting.challenges)
        self.memory = tuple(beginning(self.role, setting.limits).items())
        self._sending = [row for row in self.role.table if row.kind is Kind.SEND]
        self._titles = {row.id: row.place.title for row in self.role.table if row.place is not None}
        self._steps: dict[tuple[str, Symbol], list[LocalStep]] = {}
        self._fitting: dict[tuple[str, Symbol, tuple[tuple[str, int], ...]], list[LocalStep]] = {}

    def begin(self, side: str) -> End:
        """An end at first; where both open actively, they have called OPEN, so that neither refuses the other."""
        blank = End(CLOSED, self.memory)
        return next(self.own(side, blank)).after if self.setting.simultaneous else blank

    def steps(self, end: End, symbol: Symbol) -> list[LocalStep]:
        """The steps of the table. Nobody who has closed refuses to read on: a half-duplex CLOSE is left out."""
        key = (end.state.name, symbol)
        if key not in self._steps:
            made = steps_of(self.role, end.state, symbol, self.setting.limits)
            self._steps[key] = [one for one in made if not (one.next is CLOSED and symbol.has(data))]
        fitting = (*key, end.memory)
        if fitting not in self._fitting:
            memory = dict(end.memory)
            self._fitting[fitting] = [step for step in self._steps[key] if step.fits(memory)]
        return self._fitting[fitting]

    # ------------------------------------------------------------------------------------------------ of its own accord

    def own(self, side: str, end: End) -> Iterator[Did]:
        """Calls of the application, timeouts, and what is sent while something else is under way."""
        if end.got == self.setting.wrong:
            return  # what follows is of no interest
        events = [RETRANSMISSION.symbol(), TIME_WAIT_TIMER.symbol()]
        if end.state is CLOSED and end.ended is going:
            events.append((active_open if side == CLIENT or self.setting.simultaneous else passive_open).symbol())
        elif end.state in TALKING.members:
            events.append(SEND.symbol() if end.wrote < self.setting.texts else CLOSE.symbol())
        for symbol in events:
            for step in self.steps(end, symbol):
                yield from self._did(side, end, step)
        for row in self._sending:
            if end.state in row.states.members and row.fits(dict(end.memory), row.pattern.symbol()):
                made = {effect.fact.name: effect.mask for effect in row.effects if effect.kind is EffectKind.NOW}
                for wire in self._front(side, end, row.pattern, end.nxt):
                    yield Did(row.id, wire.symbol, end.remembering(made)._replace(nxt=end.nxt + 1), wire)

    def _did(self, side: str, end: End, step: LocalStep) -> Iterator[Did]:
        message = step.symbol.message
        then = end.remembering(dict(step.assign))._replace(state=step.next)
        if message is SEND:
            then = then._replace(wrote=end.wrote + 1)
        elif message is active_open:
            then = then._replace(iss=first)
        elif step.next is CLOSED:
            then = self._closed(then, in_order)
        if not step.flight:
            yield Did(step.row.id, step.symbol, then)
            return
        number = end.una if message is RETRANSMISSION else end.nxt
        for wire in self._front(side, then, self._pattern(step), number):
            yield Did(step.row.id, step.symbol, then._replace(nxt=max(end.nxt, number + 1)), wire)

    def _front(self, side: str, end: End, pattern: Pattern, number: int) -> Iterator[Wire]:
        """The segment with that number, if it is what the row sends, and there is one."""
        texts = self.setting.texts
        control = syn if number == 0 else data if number <= texts else fin
        if control in FRONT[pattern] and number < self._handed_over(end):
            ack = None if pattern is SYN else end.theirs(side, end.rcv)
            yield Wire(control, end.own(side, number), ack)

    @staticmethod
    def _handed_over(end: End) -> int:
        """The number after the SYN, all text that was handed over, and the FIN if there was a CLOSE."""
        return 1 + end.wrote + (end.state in (*FINISHING.members, FIN_WAIT_2, TIME_WAIT))

    # ------------------------------------------------------------------------------------------------ what arrives

    def receive(self, side: str, end: End, wire: Wire, *, genuine: bool) -> Iterator[Did]:
        """A segment arrives. genuine: the peer has sent it, and in this incarnation of the connection."""
        for symbol in self.said(side, end, wire):
            yield from self.read(side, end, symbol, wire, genuine=genuine)

    def read(self, side: str, end: End, symbol: Symbol, wire: Wire | None = None, *, genuine: bool) -> Iterator[Did]:
        """A symbol is read; wire: the segment, if its numbers are known."""
        if end.got == self.setting.wrong:
            return
        for step in self.steps(end, symbol):
            then = self._after(side, end, step, wire, genuine)
            yield Did(step.row.id, symbol, then, self._reply(side, end, then, step, wire))

    def said(self, side: str, end: End, wire: Wire) -> Iterator[Symbol]:
        """What a segment says to the end, as the mapper would classify it: more than one where chance decides."""
        acknowledgments = self._acknowledgments(side, end, wire)
        for sequence, acknowledgment in itertools.product(self._sequences(side, end, wire), acknowledgments):
            yield Segment.symbol(wire.control, sequence, acknowledgment)

    def _sequences(self, side: str, end: End, wire: Wire) -> tuple[Value, ...]:
        if end.irs is unknown:
            return (ahead if wire.control is rst and wire.seq != ZERO_NUMBER else expected,)
        if wire.seq.space != end.theirs(side, 0).space:
            if end.irs is of_old:
                return (outside,)  # initial numbers follow a clock: what is later is higher
            return (old,) if is_old(wire.seq) and end.irs is not pretended else (old, outside)
        if wire.control is syn:
            return (repeated,)  # in a space there is one SYN
        offset = wire.seq.at - end.rcv
        if offset:
            return (ahead if offset > 0 else old,)
        fills = wire.control is data and end.held is fin_held and end.rcv == self.setting.texts
        return (filling if fills else expected,)

    def _acknowledgments(self, side: str, end: End, wire: Wire) -> tuple[Value, ...]:
        if wire.ack is None:
            return (no_ack,)
        if end.iss is unchosen or end.state in (CLOSED, LISTEN):
            return (current,)
        if wire.ack.space != end.own(side, 0).space:
            return (ancient,) if is_old(wire.ack) else (beyond, ancient)
        waits = end.una > 0 and end.nxt < self._handed_over(end)
        if wire.ack.at > end.nxt:
            return (beyond,)
        if wire.ack.at == end.nxt and not waits:
            return (current,)
        return (partial,) if wire.ack.at > end.una else (duplicate,)

    # ------------------------------------------------------------------------------------------------ what comes after

    def _after(self, side: str, end: End, step: LocalStep, wire: Wire | None, genuine: bool) -> End:
        symbol, row = step.symbol, step.row
        then = end.remembering(dict(step.assign))._replace(state=step.next)
        if step.next is not end.state and step.next is LISTEN:
            return End(LISTEN, then.memory, iss=given_up(end.iss))
        if step.next is not end.state and step.next is CLOSED:
            return self._closed(then, self._reason(end, symbol, genuine))
        if end.irs is unknown and wire is not None and step.next is not end.state:
            then = self._synchronized(side, then, wire, end.state is LISTEN)
        titles = {self._titles[part] for part in (row.parts or (row.id,)) if part in self._titles}
        opens = end.state in HALF_OPEN and step.next not in HALF_OPEN
        checked = opens or ("ACK" in titles and end.irs is not unknown)
        if checked and wire is not None and wire.ack is not None and (symbol.has(current) or symbol.has(partial)):
            then = then._replace(una=wire.ack.at)
        if symbol.has(ahead) and "text" in titles and end.held is nothing_held:
            kept = {(True, True): fin_held, (False, False): forgery_held}.get((genuine, symbol.has(fin)), nothing_held)
            then = then._replace(held=kept)
        if delivered in row.signals:
            then = self._delivered(then, wire, genuine)
        if closing in row.signals:
            whole = genuine and wire is not None and (symbol.has(filling) or wire.seq.at == then.rcv)
            right = whole and then.got == self.setting.texts
            then = self._accepted(then, self.setting.end if right else self.setting.wrong)
        return then

    def _delivered(self, end: End, wire: Wire | None, genuine: bool) -> End:
        """The user got text: the peer's next one, or something else."""
        right = genuine and wire is not None and wire.seq.at == end.rcv == end.got + 1
        forgery = end.held is forgery_held  # it follows at once
        return self._accepted(end, end.got + 1 if right and not forgery else self.setting.wrong)

    def _accepted(self, end: End, got: int) -> End:
        held = end.held if end.held is fin_held and end.rcv < self.setting.texts else nothing_held
        return end._replace(got=got, rcv=min(end.rcv + 1, self.setting.texts + 2), held=held)

    @staticmethod
    def _synchronized(side: str, end: End, wire: Wire, listened: bool) -> End:
        """A SYN was accepted; who listened chooses its own initial number now."""
        irs = accepted(side, wire.seq)
        then = end._replace(irs=irs, rcv=1)
        if not listened:
            return then
        used = end.iss is first
        mine = irs in (peers, peers_anew)
        return then._replace(
            iss=(anew if used else first) if mine else (elsewhere_later if used else elsewhere), nxt=1
        )  # fmt: skip

    @staticmethod
    def _closed(end: End, ended: Value) -> End:
        """Nothing is remembered but what the application has seen of it."""
        return End(CLOSED, end.memory, wrote=end.wrote, got=end.got, ended=ended)

    @staticmethod
    def _reason(end: End, symbol: Symbol, genuine: bool) -> Value:
        if not (symbol.has(rst) or symbol.has(syn)) or end.state is TIME_WAIT:
            return in_order
        if end.state in HALF_OPEN:
            return refused
        return reset_by_peer if genuine else cut_off

    @staticmethod
    def _pattern(step: LocalStep) -> Pattern:
        if len(step.row.outputs) != 1:
            raise ModelError(f"{step.row.id}: sends several segments at once, which is not composed")
        return step.row.outputs[0].pattern

    def _reply(self, side: str, end: End, then: End, step: LocalStep, wire: Wire | None) -> Wire | None:
        """The segment that answers."""
        if not step.flight:
            return None
        pattern = self._pattern(step)
        if pattern is RST:
            return Wire(rst, wire.ack if wire is not None and wire.ack is not None else NOBODYS_NUMBER)
        if pattern is RST_ACK:
            return Wire(rst, ZERO_NUMBER, wire.after if wire is not None else NOBODYS_NUMBER)
        if pattern is ANY_RST:
            return Wire(rst, end.own(side, end.nxt))
        if pattern is SYN_ACK:
            return Wire(syn, then.own(side, 0), then.theirs(side, then.rcv))
        if pattern in (ACK, ANSWER):
            return Wire(bare, then.own(side, then.nxt), then.theirs(side, then.rcv))
        raise ModelError(f"{step.row.id}: answers with {pattern.text}, which is not composed")
