"""What somebody beside one end of a TCP connection knows of it, from segments, calls and answers.

Nothing here looks into the end itself, where a fault would hide. What an observer can't see is taken as our TCP has it,
which the RFC recommends: text that came early is held (SHLD-31), the right edge of the receive window is never taken
back (SHLD-14), and an acknowledgment that is acceptable counts also where it comes with such text.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from shakeproof.impl.tcp.options import find_mss, find_timestamps, find_window_scale
from shakeproof.impl.tcp.segment import ACK, FIN, RST, SYN, URG, Endpoint, Segment
from shakeproof.impl.tcp.sequence import advance, distance

DEFAULT_MSS = 536
MAX_SHIFT = 14


@dataclass
class View:
    """The variables of one end, by the RFC's names; None where a number is not known, since there was no SYN.

    written: what its user handed over; is_closing: its user has closed; fin_seq: the number of its FIN, once sent;
    edge, far_edge: RCV.NXT+RCV.WND as last advertised, and as it may be since the user has read; held, held_fin: ranges
    of text, and the FIN, that came early; unread: octets that its user may read; rcv_up: the end of the urgent data of
    which the user knows; stamped: timestamps are agreed on.
    """

    local: Endpoint
    remote: Endpoint
    iss: int | None = None
    irs: int | None = None
    snd_una: int = 0
    snd_nxt: int = 0
    snd_wnd: int = 0
    snd_wl1: int = 0
    snd_wl2: int = 0
    max_snd_wnd: int = 0
    mss: int = DEFAULT_MSS
    written: bytearray = field(default_factory=bytearray)
    is_closing: bool = False
    fin_seq: int | None = None
    rcv_nxt: int = 0
    edge: int = 0
    far_edge: int = 0
    largest_window: int = 0
    held: list[tuple[int, int]] = field(default_factory=list)
    held_fin: int | None = None
    peer_has_closed: bool = False
    unread: int = 0
    rcv_up: int = 0
    stamped: bool = False
    ts_recent: int = 0
    last_ack_sent: int = 0
    snd_shift: int = 0
    rcv_shift: int = 0
    own_syn: Segment | None = None
    peer_syn: Segment | None = None

    def reset(self) -> None:
        """The connection is gone."""
        self.__dict__.update(View(self.local, self.remote).__dict__)

    def copy(self) -> View:
        """What is known now, for later."""
        other = View(self.local, self.remote)
        other.__dict__.update(self.__dict__)
        other.written, other.held = bytearray(self.written), list(self.held)
        return other

    # ----------------------------------------------------------------------------------------- what follows from it

    @property
    def rcv_wnd(self) -> int:
        """RCV.WND, as advertised."""
        return max(0, distance(self.rcv_nxt, self.edge))

    @property
    def text_end(self) -> int:
        """The number behind the last octet that the user handed over."""
        return advance(self.iss or 0, 1 + len(self.written))

    @property
    def syn_is_acknowledged(self) -> bool:
        """Whether the peer has acknowledged the SYN."""
        return self.iss is not None and self.snd_una != self.iss

    @property
    def waits(self) -> bool:
        """Whether text or a FIN is still to be sent for the first time."""
        return distance(self.snd_nxt, self.text_end) > 0 or (self.is_closing and self.fin_seq is None)

    @property
    def flight_size(self) -> int:
        """What was sent and is not acknowledged."""
        return distance(self.snd_una, self.snd_nxt) if self.iss is not None else 0

    def text(self, seq: int, size: int) -> bytes:
        """What the user handed over, from a number on."""
        start = distance(advance(self.iss or 0, 1), seq)
        return bytes(self.written[max(start, 0) : max(start + size, 0)])

    def window_of(self, segment: Segment) -> int:
        """SEG.WND: scaled, but not with SYN."""
        return segment.window if int(segment.flags) & SYN else segment.window << self.snd_shift

    def window_after(self, segment: Segment) -> tuple[int, int]:
        """SND.UNA and SND.WND after an acknowledgment that is taken, as SND.WL1 and SND.WL2 have it."""
        una, window = self.snd_una, self.window_of(segment)
        if distance(una, segment.ack) > 0:
            una = segment.ack
        if not self.syn_is_acknowledged and una != self.iss:
            return una, window
        return una, window if self._is_newer(segment, una) else self.snd_wnd

    def _is_newer(self, segment: Segment, una: int) -> bool:
        if segment.ack != una:
            return False
        newer = distance(self.snd_wl1, self._begins(segment))
        return newer > 0 or (newer == 0 and distance(self.snd_wl2, segment.ack) >= 0)

    def _begins(self, segment: Segment) -> int:
        """Where what is new in a segment begins."""
        return self.rcv_nxt if distance(segment.seq, self.rcv_nxt) > 0 else segment.seq

    # -------------------------------------------------------------------------------------------- what the end sent

    def sent(self, segment: Segment) -> None:
        """It sent a segment."""
        bits = int(segment.flags)
        if bits & RST:
            return
        if bits & SYN:
            self._sent_syn(segment)
        end = advance(segment.seq, segment.length)
        if distance(self.snd_nxt, end) > 0:
            self.snd_nxt = end
        if bits & FIN:
            self.fin_seq = advance(end, -1)
        if bits & ACK:
            self.last_ack_sent = segment.ack
            window = segment.window << (0 if bits & SYN else self.rcv_shift)
            self.edge = self.far_edge = advance(segment.ack, window)
            self.largest_window = max(self.largest_window, window)

    def _sent_syn(self, segment: Segment) -> None:
        if self.iss != segment.seq:
            self.iss = self.snd_una = segment.seq
            self.snd_nxt = advance(segment.seq, 1)
        self.own_syn = segment
        self._agree()
        if not int(segment.flags) & ACK and self.irs is None:
            self.largest_window = segment.window

    def _agree(self) -> None:
        """What both SYNs say."""
        own, peer = self.own_syn, self.peer_syn
        if own is None or peer is None:
            return
        ours, theirs = find_window_scale(own.options), find_window_scale(peer.options)
        scaled = ours is not None and theirs is not None
        self.snd_shift = min(theirs or 0, MAX_SHIFT) if scaled else 0
        self.rcv_shift = min(ours or 0, MAX_SHIFT) if scaled else 0
        stamps = find_timestamps(peer.options)
        self.stamped = stamps is not None and find_timestamps(own.options) is not None

    # ------------------------------------------------------------------------------------------- what it took in

    def take_syn(self, segment: Segment) -> None:
        """It took the peer's SYN."""
        self.irs = segment.seq
        self.rcv_nxt = self.rcv_up = advance(segment.seq, 1)
        self.last_ack_sent = self.rcv_nxt
        self.peer_syn = segment
        mss = find_mss(segment.options)
        self.mss = DEFAULT_MSS if mss is None else mss
        self._agree()
        stamps = find_timestamps(segment.options)
        if stamps is not None:
            self.ts_recent = stamps[0]
        if self.own_syn is not None:
            self.edge = self.far_edge = advance(self.rcv_nxt, self.own_syn.window)
        if int(segment.flags) & ACK and self.iss is not None:
            self.snd_una = segment.ack
        self.set_window(segment, segment.window)

    def set_window(self, segment: Segment, window: int) -> None:
        """SND.WND <- SEG.WND, SND.WL1 <- SEG.SEQ, SND.WL2 <- SEG.ACK."""
        self.snd_wnd, self.snd_wl1, self.snd_wl2 = window, self._begins(segment), segment.ack
        self.max_snd_wnd = max(self.max_snd_wnd, window)

    def take_ack(self, segment: Segment) -> None:
        """It took an acknowledgment that is acceptable."""
        una, window = self.window_after(segment)
        opens = not self.syn_is_acknowledged and una != self.iss
        newer = opens or self._is_newer(segment, una)
        self.snd_una = una
        if newer:
            self.set_window(segment, window)

    def take_stamp(self, segment: Segment) -> None:
        """It took the timestamp of an acceptable segment (RFC 7323 section 4.3)."""
        stamps = find_timestamps(segment.options) if self.stamped else None
        if stamps is None or distance(self.ts_recent, stamps[0]) < 0:
            return
        if distance(self._begins(segment), self.last_ack_sent) >= 0:
            self.ts_recent = stamps[0]

    def take_urgent(self, segment: Segment) -> None:
        """It took an urgent pointer."""
        pointer = advance(segment.seq, segment.urgent)
        if int(segment.flags) & URG and distance(self.rcv_up, pointer) > 0:
            self.rcv_up = pointer

    def trimmed(self, segment: Segment, edge: int | None = None) -> tuple[int, int, bool]:
        """The part of a segment that is new and in the window: where it begins, octets of text, whether the FIN."""
        seq = self._begins(segment)
        size = max(0, len(segment.data) - distance(segment.seq, seq))
        room = max(0, distance(seq, self.edge if edge is None else edge))
        fin = bool(int(segment.flags) & FIN) and size < room and self.believes_fin(segment)
        if self.held_fin is not None:
            room = min(room, max(0, distance(seq, self.held_fin)))
        return seq, min(size, room), fin

    def believes_fin(self, segment: Segment) -> bool:
        """Whether the FIN of a segment contradicts nothing that is held: text behind it, or another FIN."""
        number = advance(segment.seq, len(segment.data))
        if self.held_fin is not None:
            return number == self.held_fin
        return all(distance(end, number) >= 0 for _, end in self.held)

    def hold(self, segment: Segment) -> None:
        """It holds what came early."""
        seq, size, fin = self.trimmed(segment)
        if size:
            self.held = _merged([*self.held, (seq, advance(seq, size))], self.rcv_nxt)
        if fin and self.held_fin is None:
            self.held_fin = advance(seq, size)

    def reach(self, segment: Segment, edge: int | None = None) -> tuple[int, bool]:
        """What follows from the text of a segment that is due: octets delivered, with what is held; whether a FIN that
        was held is reached.
        """
        seq, size, _ = self.trimmed(segment, edge)
        ranges = _merged([*self.held, (seq, advance(seq, size))], self.rcv_nxt)
        end = ranges[0][1] if ranges and ranges[0][0] == self.rcv_nxt else self.rcv_nxt
        return distance(self.rcv_nxt, end), self.held_fin is not None and self.held_fin == end

    def deliver(self, count: int) -> None:
        """It delivered so many octets."""
        self.rcv_nxt = advance(self.rcv_nxt, count)
        self.unread += count
        self.held = [item for item in self.held if distance(self.rcv_nxt, item[1]) > 0]

    def take_fin(self) -> None:
        """It took the FIN."""
        self.rcv_nxt = advance(self.rcv_nxt, 1)
        self.held, self.held_fin, self.peer_has_closed = [], None, True

    def read(self, count: int) -> None:
        """Its user read so many octets; the window may have opened, without anybody having been told."""
        self.unread -= count
        consumed = advance(self.rcv_nxt, -self.unread)
        if distance(self.rcv_up, consumed) > 0:
            self.rcv_up = consumed
        latent = advance(self.rcv_nxt, self.largest_window - self.unread)
        if distance(self.far_edge, latent) > 0:
            self.far_edge = latent


def _merged(ranges: Iterable[tuple[int, int]], origin: int) -> list[tuple[int, int]]:
    """Ranges of sequence numbers in order, none of which touches another. origin: lies before all of them."""
    out: list[tuple[int, int]] = []
    for start, end in sorted(ranges, key=lambda item: distance(origin, item[0])):
        if out and distance(start, out[-1][1]) >= 0:
            if distance(out[-1][1], end) > 0:
                out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out
