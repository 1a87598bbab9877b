"""Segments of TCP, made so that they say what a symbol says to the end that they reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

from shakeproof.impl.tcp.options import NOP, Option, find_timestamps, maximum_segment_size, timestamps, window_scale
from shakeproof.impl.tcp.segment import ACK, FIN, PSH, RST, SYN, URG, Segment, to_flags
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.model import tcp_segments as t
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper.tcp import VALID
from shakeproof.properties.mapper.tcp_view import View

PATTERN = 65_521
"""Octets after which a script's text begins anew: a prime, and more than any receive window here."""

BITS = {t.bare: 0, t.rst: RST, t.syn: SYN, t.fin: FIN, t.data: PSH}
LARGEST_FIELD = 65_535
LONG = 4000
"""Octets up to which a segment is made longer than the window."""
FAR = 2**31 - 200_000
"""Nearly as far away as a sequence number can be, with room for a window."""


@cache
def _pattern() -> bytes:
    text = Random(9293).randbytes(PATTERN)  # noqa: S311  # no secret
    return text * 3


@dataclass
class Script:
    """What a scripted peer says. iss: its initial sequence number; window: what it advertises; mss: what it can take;
    stamp: the value of its timestamps, None where it has none; shift: of its window, None for none; end: the number of
    its FIN, None while it has not said that it ends.

    Its text follows from the sequence number alone, so that whatever overlaps agrees.
    """

    iss: int
    window: int = LARGEST_FIELD
    mss: int = 536
    stamp: int | None = None
    shift: int | None = None
    end: int | None = None

    def text(self, seq: int, size: int) -> bytes:
        """Its text from a number on."""
        start = seq % PATTERN
        return _pattern()[start : start + size]

    def options(self, control: Value, view: View, stamp: Value, acknowledges: bool) -> tuple[Option, ...]:
        """The options of a segment; of a SYN-ACK, those that the SYN had."""
        found: list[Option] = []
        own = view.own_syn if acknowledges else None
        if control is t.syn:
            found.append(maximum_segment_size(self.mss))
            if self.shift is not None and (own is None or any(option.kind == 3 for option in own.options)):
                found += [NOP, window_scale(self.shift)]
        if self.stamp is None or stamp is t.unstamped or control is t.rst:
            return tuple(found)
        if control is t.syn and own is not None and find_timestamps(own.options) is None:
            return tuple(found)
        if control is not t.syn and not view.stamped:
            return tuple(found)
        value = self.stamp
        if stamp is t.outdated:
            value = advance(view.ts_recent, -1 - (self.stamp % 3) * 1000)
        elif view.stamped and distance(view.ts_recent, value) < 0:
            value = view.ts_recent
        return (*found, NOP, NOP, timestamps(value, 0))

    def commit(self, segment: Segment, view: View) -> None:
        """It has said this: a FIN inside the window ends its text there."""
        end = advance(segment.seq, len(segment.data))
        inside = distance(view.rcv_nxt, end) >= 0 and distance(end, view.far_edge) > 0
        if int(segment.flags) & (FIN | SYN | RST) == FIN and inside and not view.peer_has_closed:
            self.end = end


def concretise(symbol: Symbol, view: View, script: Script, pick: int = 0) -> Segment | str:
    """A segment that says that; or why there is none. pick: which, where there are several."""
    control, sequence, acknowledgment, _, urgency, stamp = symbol.named
    picks = _Picks(pick)
    place = (
        _unsynchronized(control, sequence, script)
        if view.irs is None
        else _place(control, sequence, view, script, picks)
    )
    if isinstance(place, str):
        return place
    seq, size = place
    ack = _acknowledged(acknowledgment, view, picks)
    if isinstance(ack, str):
        return ack
    if view.irs is None and (urgency is not t.calm or stamp is not t.timely):
        return "nothing was agreed on yet"
    if stamp is not t.timely and not view.stamped:
        return "no timestamps were agreed on"
    if stamp is not t.timely and control is t.rst:
        return "the timestamp of a reset is not looked at"
    if stamp is t.timely and view.stamped and script.stamp is None:
        return "the peer has no timestamps"
    bits = BITS[control] | (0 if acknowledgment is t.no_ack else ACK)
    pointer = 0
    if urgency is t.urgent:
        pointer = max(distance(seq, view.rcv_up), 0) + 1
        if pointer > LARGEST_FIELD:
            return "the urgent data reaches farther than the field"
        bits |= URG
    options = script.options(control, view, stamp, acknowledgment is not t.no_ack)
    ports = view.remote.port, view.local.port
    data = script.text(seq, size)
    made = Segment(*ports, seq, ack, to_flags(bits), script.window, pointer, options, data)
    return _with_window(made, symbol, view, script)


def applicable(symbol: Symbol, view: View, script: Script) -> str:
    """Why there is no segment that says that to the end now; "" where there is one."""
    made = concretise(symbol, view, script)
    return made if isinstance(made, str) else ""


class _Picks:
    """One number as many choices; 0 is the first of each."""

    def __init__(self, number: int) -> None:
        self.number = number

    def of(self, choices: Sequence[int]) -> int:
        """One of these, each of which may stand there twice."""
        found = list(dict.fromkeys(choices))
        self.number, index = divmod(self.number, len(found))
        return found[index]


def _unsynchronized(control: Value, sequence: Value, script: Script) -> tuple[int, int] | str:
    if control is t.rst and sequence is t.ahead:
        return script.iss or 1, 0
    if sequence is not t.expected:
        return "no sequence number is expected yet"
    return (0 if control is t.rst else script.iss), (1 if control is t.data else 0)


def _place(control: Value, sequence: Value, view: View, script: Script, picks: _Picks) -> tuple[int, int] | str:
    """Where the segment begins, and octets of text."""
    if control in (t.data, t.fin):
        return _place_of_text(control is t.fin, sequence, view, script, picks)
    window = view.rcv_wnd
    if sequence is t.expected:
        return "a SYN does not fit into a window of zero" if control is t.syn and not window else (view.rcv_nxt, 0)
    offset = _offset(control, sequence, view, picks)
    return offset if isinstance(offset, str) else (advance(view.rcv_nxt, offset), 0)


def _offset(control: Value, sequence: Value, view: View, picks: _Picks) -> int | str:
    window = view.rcv_wnd
    if sequence is t.ahead:
        return picks.of((1, min(7, window - 1), window // 2, window - 1)) if window > 1 else "the window has no room"
    first = distance(view.rcv_nxt, view.irs or 0)
    if sequence is t.repeated:
        return first if first < 0 else "so much text has come that the SYN's number is no more before what is expected"
    if sequence is t.old:
        return picks.of([offset for offset in (-1, -2, -700, -FAR) if control is not t.syn or offset != first])
    beyond = max(window, distance(view.rcv_nxt, view.far_edge), 1)
    return picks.of((beyond, beyond + 1, beyond + 5000, FAR))


def _place_of_text(fin: bool, sequence: Value, view: View, script: Script, picks: _Picks) -> tuple[int, int] | str:
    nxt, window = view.rcv_nxt, view.rcv_wnd
    if sequence is t.outside:
        beyond = max(window, distance(nxt, view.far_edge)) + (0 if window else 1)
        return advance(nxt, picks.of((beyond, beyond + 1, beyond + 5000, FAR))), picks.of(
            (0, 9) if fin else (1, 9, 536)
        )
    if sequence is t.old:
        size = picks.of((0, 9) if fin else (1, 9, 536))
        return advance(nxt, -size - fin - picks.of((0, 1, 700, FAR))), size
    end = script.end if not view.peer_has_closed else None
    left = LARGEST_FIELD if end is None else distance(nxt, end)  # text before the FIN
    if sequence is t.shut:
        if window:
            return "the receive window is open"
        return (nxt, left if end is not None else 0) if fin else ((nxt, 1) if left else "only the FIN is left")
    if not window:
        return "the receive window is zero"
    if sequence is t.ahead:
        return _ahead(fin, left, end is not None, view, picks)
    before = picks.of((1, 9, 300)) if sequence is t.straddling else 0
    if sequence is t.filling:
        return _filling(left, view)
    if fin:
        if end is not None:
            return (advance(nxt, -before), before + left) if left < window else "the FIN lies beyond the window"
        least = max((distance(nxt, one) for _, one in view.held), default=0)
        if least >= window:
            return "the FIN lies beyond the window"
        size = picks.of((least, max(least, min(9, window - 1)), max(least, min(script.mss, window - 1))))
        return advance(nxt, -before), before + size
    most = min(window, left)
    if view.held_fin is not None:
        most = min(most, _gap(view))
    if most < 1:
        return "no text is left before the FIN"
    sizes = [1, min(9, most), min(script.mss, most)]
    if sequence is t.expected and end is None and view.held_fin is None and window < LONG:
        sizes.append(window + 9)  # what lies beyond the window is cut off
    return advance(nxt, -before), before + picks.of(sizes)


def _ahead(fin: bool, left: int, ends: bool, view: View, picks: _Picks) -> tuple[int, int] | str:
    nxt, window = view.rcv_nxt, view.rcv_wnd
    last = min(window - 1, left - (0 if fin else 1))
    if last < 1:
        return "the window, or what is left before the FIN, has no room"
    offset = picks.of((min(last, 9), 1, last))
    if not fin:
        sizes = [1, min(9, last - offset + 1), last - offset + 1]
        if not ends and window < LONG:
            sizes.append(window + 9)
        return advance(nxt, offset), picks.of(sizes)
    if ends:
        return (advance(nxt, offset), left - offset) if left < window else "the FIN lies beyond the window"
    least = max([0, *(distance(nxt, one) - offset for _, one in view.held)])
    if offset + least >= window:
        return "the FIN lies beyond the window"
    return advance(nxt, offset), picks.of((least, max(least, min(9, last - offset))))


def _gap(view: View) -> int:
    """Octets that may come without filling the gap before a FIN."""
    held = view.held_fin or 0
    tail = next((start for start, end in view.held if end == held), held)
    return distance(view.rcv_nxt, tail) - 1


def _filling(left: int, view: View) -> tuple[int, int] | str:
    if view.held_fin is None:
        return "no FIN has arrived ahead"
    return (view.rcv_nxt, left) if left else "nothing is missing"


def _acknowledged(acknowledgment: Value, view: View, picks: _Picks) -> int | str:
    """SEG.ACK."""
    if acknowledgment is t.no_ack:
        return 0
    if view.iss is None:
        return 12_345 if acknowledgment is t.current else "nothing was sent that could be acknowledged"
    una, nxt = view.snd_una, view.snd_nxt
    waits = view.syn_is_acknowledged and view.waits
    if acknowledgment is t.current:
        return "something waits to be sent" if waits else nxt
    if acknowledgment is t.beyond:
        return advance(nxt, picks.of((1, 2, 1000, FAR)))
    oldest = view.max_snd_wnd
    if acknowledgment is t.ancient:
        return advance(una, -oldest - picks.of((1, 2, 1000, FAR)))
    if acknowledgment is t.duplicate:
        counts = [count for count in (0, 1, oldest) if count <= oldest]
        return _one([advance(una, -count) for count in counts if advance(una, -count) != nxt or waits], picks)
    flight = distance(una, nxt) - (0 if waits else 1)
    if not view.syn_is_acknowledged and view.fin_seq is None:
        return "only a SYN was sent"
    return advance(una, picks.of((1, flight, flight // 2 or 1))) if flight > 0 else "there is no part of it"


def _one(choices: list[int], picks: _Picks) -> int | str:
    return picks.of(choices) if choices else "all that was sent is acknowledged, and the window was never open"


def _with_window(made: Segment, symbol: Symbol, view: View, script: Script) -> Segment | str:
    """The segment with a window field after which the send window is what the symbol says."""
    window = symbol.named[3]
    ack = symbol.named[2]
    if symbol.has(t.syn) or view.irs is None:
        if window is t.zero and symbol.has(t.syn) and ack is t.current and view.irs is None and view.iss is not None:
            return _replaced(made, 0)
        return made if window is t.usable else "its window says nothing yet"
    if symbol.has(t.rst) or ack not in VALID or symbol.has(t.old) or symbol.has(t.outside):
        return made if window is t.usable else "its window is not taken"
    unit = 1 << view.snd_shift
    wanted = {t.usable: -(-max(script.window, view.flight_size, 1) // unit), t.zero: 0, t.shrunk: 1}[window]
    tried = _replaced(made, min(wanted, LARGEST_FIELD))
    una, after = view.window_after(tried)
    short = distance(advance(una, after), view.snd_nxt) > 0
    found = t.zero if not after else (t.shrunk if short else t.usable)
    return tried if found is window else "the send window can't become so by it"


def _replaced(segment: Segment, window: int) -> Segment:
    s = segment
    return Segment(s.source_port, s.destination_port, s.seq, s.ack, s.flags, window, s.urgent, s.options, s.data)
