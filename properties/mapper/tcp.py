"""The mapper of TCP: a segment to what it says to its receiver, and back.

`classify` reads a segment by what an observer knows of the end that it reaches; `said` reads one that the end sends, as
its receiver sees it: a receiver to which everything that the end has acknowledged, and everything that it was sent, is
known. `tcp_concretise` makes segments.

A FIN that contradicts what is held is not believed: the segment says what is left of it. What no row looks at has its
usual value: the window field and the urgent pointer of what is not acceptable, the urgent pointer where there is no
text, the timestamp of a reset.
"""

from __future__ import annotations

from functools import lru_cache

from shakeproof.impl.tcp.options import find_timestamps
from shakeproof.impl.tcp.segment import ACK, FIN, RST, SYN, URG, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.model import tcp_segments as t
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper.tcp_view import View

TAKEN = (t.expected, t.straddling, t.filling, t.ahead, t.shut)
"""Where a segment lies that is acceptable; with `shut` its acknowledgment is."""

VALID = (t.current, t.partial, t.duplicate)
"""Acknowledgments that are acceptable."""


@lru_cache(maxsize=4096)
def symbol_of(*values: Value) -> Symbol:
    """The segment with these values, made once."""
    return t.Segment.symbol(*values)


def classify(segment: Segment, view: View, edge: int | None = None) -> Symbol:
    """What a segment says to the end, before it takes it. edge: of the receive window, None for the one advertised."""
    control = control_of(segment)
    if view.irs is None:
        return _unsynchronized(segment, view, control)
    edge = view.edge if edge is None else edge
    sequence = _sequence(segment, view, control, edge)
    if control is t.fin and sequence in (t.expected, t.straddling, t.ahead):
        if segment.data and not (_reaches(segment, edge) and view.believes_fin(segment)):
            control = t.data  # the FIN lies beyond the window, or is not believed
            sequence = _sequence(segment, view, control, edge)
        elif sequence is t.expected and not view.believes_fin(segment):
            sequence = t.ahead  # no more than early, though nothing is missing before it
    acknowledgment = acknowledgment_of(segment, view)
    window, urgency = t.usable, t.calm
    if control in (t.bare, t.data, t.fin):
        if sequence in TAKEN and acknowledgment in VALID:
            window = _window(segment, view)
        if control is t.data and sequence in (t.expected, t.straddling, t.filling, t.shut):
            urgency = _urgency(segment, view)
    stamp = t.timely if control is t.rst else _stamp(segment, view)
    return symbol_of(control, sequence, acknowledgment, window, urgency, stamp)


def readings(segment: Segment, view: View) -> tuple[Symbol, ...]:
    """What a segment may say to the end: more than one where it can't be told how far the receive window has opened."""
    one = classify(segment, view)
    if view.far_edge == view.edge:
        return (one,)
    other = classify(segment, view, view.far_edge)
    return (one,) if other == one else (one, other)


def control_of(segment: Segment) -> Value:
    """Which control bit decides."""
    bits = int(segment.flags)
    if bits & RST:
        return t.rst
    if bits & SYN:
        return t.syn
    if bits & FIN:
        return t.fin
    return t.data if segment.data else t.bare


def _unsynchronized(segment: Segment, view: View, control: Value) -> Symbol:
    """In CLOSED, LISTEN and SYN-SENT no sequence number is expected yet."""
    acknowledgment = acknowledgment_of(segment, view)
    sequence = t.expected
    if control is t.rst and segment.seq:
        sequence = t.ahead
    window = t.usable
    if control is t.syn and acknowledgment is t.current and view.iss is not None and not segment.window:
        window = t.zero
    return symbol_of(control, sequence, acknowledgment, window)


def acknowledgment_of(segment: Segment, view: View) -> Value:
    """What it acknowledges."""
    if not int(segment.flags) & ACK:
        return t.no_ack
    if view.iss is None:
        return t.current
    if distance(view.snd_nxt, segment.ack) > 0:
        return t.beyond
    if segment.ack == view.snd_nxt and not (view.syn_is_acknowledged and view.waits):
        return t.current
    if distance(view.snd_una, segment.ack) > 0:
        return t.partial
    if distance(advance(view.snd_una, -view.max_snd_wnd), segment.ack) < 0:
        return t.ancient
    return t.duplicate


def _reaches(segment: Segment, edge: int) -> bool:
    """Whether the whole segment lies before the edge of the window."""
    return distance(advance(segment.seq, segment.length), edge) >= 0


def _sequence(segment: Segment, view: View, control: Value, edge: int) -> Value:
    offset = distance(view.rcv_nxt, segment.seq)
    window = max(0, distance(view.rcv_nxt, edge))
    if control in (t.rst, t.bare, t.syn):
        if offset == 0:
            return t.expected if window or control is not t.syn else t.outside
        if offset < 0:
            return t.repeated if control is t.syn and segment.seq == view.irs else t.old
        return t.ahead if offset < window else t.outside
    if offset + segment.length <= 0:
        return t.old
    if not window:
        return t.shut if offset <= 0 else t.outside
    if offset >= window or (offset < 0 and offset + segment.length > window):
        return t.outside  # table 6 asks for the first or the last octet in the window
    if offset > 0:
        return t.ahead
    if control is t.data and segment.data and view.held_fin is not None and view.reach(segment, edge)[1]:
        return t.filling
    return t.straddling if offset < 0 else t.expected


def _window(segment: Segment, view: View) -> Value:
    una, window = view.window_after(segment)
    if not window:
        return t.zero
    return t.shrunk if distance(advance(una, window), view.snd_nxt) > 0 else t.usable


def _urgency(segment: Segment, view: View) -> Value:
    """What the user already knows is calm: "do not signal the user again" (section 3.10.7.4)."""
    if not int(segment.flags) & URG:
        return t.calm
    return t.urgent if distance(view.rcv_up, advance(segment.seq, segment.urgent)) > 0 else t.calm


def _stamp(segment: Segment, view: View) -> Value:
    if not view.stamped:
        return t.timely
    stamps = find_timestamps(segment.options)
    if stamps is None:
        return t.unstamped
    return t.outdated if distance(view.ts_recent, stamps[0]) < 0 else t.timely


# ------------------------------------------------------------------------------------------------------ what it sends


def said(segment: Segment, view: View, answered: Segment | None = None) -> Symbol:
    """What a segment that the end sends says to its receiver. answered: the segment that it answers, if it does."""
    control = control_of(segment)
    stamp = t.timely
    if view.stamped and control is not t.rst and find_timestamps(segment.options) is None:
        stamp = t.unstamped
    sequence = _sequence_said(segment, view, control, answered)
    return symbol_of(control, sequence, _said_ack(segment, view, answered), stamp)


def _sequence_said(segment: Segment, view: View, control: Value, answered: Segment | None) -> Value:
    if control is t.rst:
        return t.expected if segment.seq in _reset_numbers(view, answered) else t.outside
    if control is t.syn:
        again = segment.seq == view.iss and not view.syn_is_acknowledged
        return t.expected if view.iss is None or again else t.outside
    if view.iss is None or distance(view.snd_nxt, segment.seq) > 0 or distance(view.snd_una, segment.seq) < -1:
        return t.outside
    if control is t.bare and segment.seq != view.snd_nxt and not (segment.seq == view.snd_una and not view.snd_wnd):
        return t.old
    return t.expected


def _reset_numbers(view: View, answered: Segment | None) -> tuple[int, ...]:
    """What a reset may begin with: the number that was acknowledged, or zero; or what is next to be sent."""
    own = () if view.iss is None else (view.snd_nxt, view.snd_una)
    if answered is None:
        return own
    return (answered.ack if int(answered.flags) & ACK else 0, *own)


def _said_ack(segment: Segment, view: View, answered: Segment | None) -> Value:
    bits = int(segment.flags)
    if not bits & ACK:
        return t.no_ack
    if bits & RST and answered is not None and segment.ack == advance(answered.seq, answered.length):
        return t.current
    ahead = distance(view.rcv_nxt, segment.ack)
    if ahead:
        return t.beyond if ahead > 0 else t.ancient
    return t.current
