"""The transmission control block: a connection's variables, by the RFC's names, and what follows from them alone.

Source: RFC 9293 section 3.3.1; RFC 7323 for windows that are scaled and timestamps.
"""

from __future__ import annotations

from shakeproof.impl.tcp.config import (
    DEFAULT_MSS_IPV4,
    DEFAULT_MSS_IPV6,
    IPV6_EXTRA,
    MAX_WINDOW,
    MAX_WINDOW_SHIFT,
    MIN_SEND_MSS,
    TcpConfig,
)
from shakeproof.impl.tcp.events import Event
from shakeproof.impl.tcp.isn import initial_sequence_number, timestamp_offset
from shakeproof.impl.tcp.options import NOP, Option, maximum_segment_size, timestamps, window_scale
from shakeproof.impl.tcp.reassembly import Reassembly
from shakeproof.impl.tcp.segment import MAX_URGENT, Endpoint, Flags, Segment, reset_for, to_flags
from shakeproof.impl.tcp.sequence import MASK, advance, distance

CLOSED = "CLOSED"
LISTEN = "LISTEN"
SYN_SENT = "SYN_SENT"
SYN_RECEIVED = "SYN_RECEIVED"
ESTABLISHED = "ESTABLISHED"
FIN_WAIT_1 = "FIN_WAIT_1"
FIN_WAIT_2 = "FIN_WAIT_2"
CLOSE_WAIT = "CLOSE_WAIT"
CLOSING = "CLOSING"
LAST_ACK = "LAST_ACK"
TIME_WAIT = "TIME_WAIT"

RECEIVING = frozenset({ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2})
"""States in which the peer's data is taken."""
SENDING = frozenset({ESTABLISHED, CLOSE_WAIT})
"""States in which the user may send."""

MAX_REPLIES = 8
"""Resets that wait to be sent. A caller that gives segments without ever taking any must not fill the memory."""

TIMESTAMP_TICKS_PER_S = 1000
"""RFC 7323 section 5.4 asks for 1 tick in 1 ms to 1 s."""
TIMESTAMPS_LENGTH = 12
"""Bytes of the Timestamps option, with two NOPs that align it (RFC 7323 appendix A)."""

_ACK = int(Flags.ACK)
_SYN_OR_RST = int(Flags.SYN | Flags.RST)
_URG = int(Flags.URG)


class Tcb:
    """The variables of a connection, its buffers, and how a segment is made from them."""

    def __init__(self, config: TcpConfig, local: Endpoint, remote: Endpoint | None, now_s: float) -> None:
        self.config = config
        self.local = local
        self.remote = remote
        self.listens_to_any = remote is None
        self.state = CLOSED
        self.now_s = now_s
        self.nagle = config.nagle
        """Whether short segments wait (MUST-17: a connection's own setting)."""
        self.keepalive = config.keepalive
        """MUST-24."""
        self.r2_s = config.r2_s
        """MUST-21."""
        self.user_timeout_s = config.user_timeout_s
        self.iss_floor: int | None = None
        """The last sequence number of an earlier incarnation, where this one follows directly (MAY-2)."""
        self._events: list[Event] = []
        self._replies: list[Segment] = []
        self.reset_variables()

    def reset_variables(self) -> None:
        """Everything that belongs to one incarnation of the connection, as it is before there is one."""
        mss = DEFAULT_MSS_IPV6 if ":" in self.local.ip else DEFAULT_MSS_IPV4
        # the send sequence
        self.iss = self.snd_una = self.snd_nxt = self.snd_up = 0
        self.snd_wnd = self.snd_wl1 = self.snd_wl2 = 0
        self.max_snd_wnd = 0
        self.send_mss = mss
        """What the peer said that it can receive, or the default (MUST-15)."""
        self.snd_next = 0
        """What is sent next: SND.NXT, or less while what may be lost is sent again."""
        self.send_buffer = bytearray()
        """From SND.UNA on, without SYN and FIN: what is not acknowledged."""
        self.push_seq = 0
        """The end of what the user last pushed."""
        self.closing = False
        """Whether the stream that we send ends with what is in the buffer."""
        self.fin_at: int | None = None
        """The sequence number of our FIN, once it was sent."""
        # the receive sequence
        self.irs = self.rcv_nxt = self.rcv_up = 0
        self.receive_buffer = bytearray()
        """What the user can read."""
        self.reassembly = Reassembly()
        self.receive_limit = min(self.config.receive_buffer, MAX_WINDOW << (self.config.window_scale or 0))
        """RCV.BUFF, as far as a window can tell of it."""
        self.rcv_wnd = self.receive_limit
        self.last_ack_sent = 0
        self.advertised_edge = 0
        """RCV.NXT + RCV.WND as the peer last heard of it."""
        self.ack_now = False
        self.opened_passively = False
        """Whether SYN-RECEIVED was reached from LISTEN (MUST-11)."""
        # RFC 7323
        self.snd_wind_shift = self.rcv_wind_shift = 0
        self.window_scaling = False
        self.timestamps_agreed = False
        self.ts_recent = 0
        self.ts_recent_at_s = 0.0
        self.ts_offset = 0

    # --- what follows from the variables ------------------------------------------------------------------------------

    @property
    def fin_seq(self) -> int:
        """The sequence number of our FIN, once `closing`."""
        return advance(self.buffer_seq, len(self.send_buffer))

    @property
    def buffer_seq(self) -> int:
        """The sequence number of the first octet of the send buffer: SND.UNA, but behind a SYN that is still out."""
        return advance(self.iss, 1) if self.snd_una == self.iss else self.snd_una

    @property
    def syn_is_acknowledged(self) -> bool:
        """Whether the peer knows our initial sequence number."""
        return self.snd_una != self.iss

    @property
    def fin_is_acknowledged(self) -> bool:
        """Whether the peer has all that we ever send."""
        return self.fin_at is not None and self.snd_una == advance(self.fin_at, 1)

    @property
    def flight_size(self) -> int:
        """Octets that were sent and are not acknowledged."""
        return distance(self.snd_una, self.snd_nxt)

    @property
    def unsent(self) -> int:
        """Octets of the buffer from `snd_next` on; what is sent again counts."""
        return max(0, distance(self.snd_next, advance(self.buffer_seq, len(self.send_buffer))))

    @property
    def receive_mss(self) -> int:
        """MMS_R - 20: data of a segment without options that one packet carries to us, and from us (MUST-67)."""
        return self.config.mss - IPV6_EXTRA if ":" in self.local.ip else self.config.mss

    @property
    def effective_mss(self) -> int:
        """Eff.snd.MSS: data in a full segment, what the options take subtracted (MUST-16; RFC 6691)."""
        mss = min(self.send_mss, self.receive_mss)
        return mss - TIMESTAMPS_LENGTH if self.timestamps_agreed else mss

    @property
    def urgent_remaining(self) -> int:
        """Bytes that are still to be read up to the end of the peer's urgent data (MUST-33)."""
        return max(0, distance(advance(self.rcv_nxt, -len(self.receive_buffer)), self.rcv_up))

    @property
    def is_persisting(self) -> bool:
        """Whether the peer's window is closed, so that it is probed instead of anything being sent."""
        return self.snd_wnd == 0 and self.syn_is_acknowledged

    # --- opening ------------------------------------------------------------------------------------------------------

    @property
    def peer(self) -> Endpoint:
        """The remote socket, where it must be known."""
        assert self.remote is not None, "the remote socket is unspecified"
        return self.remote

    def select_iss(self) -> int:
        """An initial sequence number for these sockets, now (MUST-8, SHLD-1)."""
        return initial_sequence_number(self.config.secret, self.local, self.peer, self.now_s)

    def set_iss(self) -> None:
        """Begins the send sequence; the SYN is what is sent next."""
        self.iss = self.select_iss()
        if self.iss_floor is not None and distance(self.iss_floor, self.iss) <= 0:
            self.iss = advance(self.iss_floor, 1)
        self.snd_una = self.snd_next = self.snd_up = self.iss
        self.snd_nxt = advance(self.iss, 1)
        self.push_seq = self.iss
        self.ts_offset = timestamp_offset(self.config.secret, self.local, self.peer)

    def set_irs(self, segment: Segment) -> None:
        """Begins the receive sequence, from the peer's SYN."""
        self.irs = segment.seq
        self.rcv_nxt = advance(segment.seq, 1)
        self.rcv_up = self.rcv_nxt
        self.last_ack_sent = self.rcv_nxt
        self.advertised_edge = advance(self.rcv_nxt, min(self.rcv_wnd, MAX_WINDOW))

    def agree_on_options(
        self, mss: int | None, window_shift: int | None, timestamps_of_syn: tuple[int, int] | None
    ) -> None:
        """Takes the options of the peer's SYN; what one side leaves out is not used."""
        if mss is not None:
            self.send_mss = max(mss, MIN_SEND_MSS)
        self.window_scaling = window_shift is not None and self.config.window_scale is not None
        if self.window_scaling:
            self.snd_wind_shift = min(window_shift or 0, MAX_WINDOW_SHIFT)
            self.rcv_wind_shift = self.config.window_scale or 0
        else:
            self.receive_limit = min(self.receive_limit, MAX_WINDOW)
            self.rcv_wnd = min(self.rcv_wnd, self.receive_limit)
        self.timestamps_agreed = timestamps_of_syn is not None and self.config.timestamps
        if self.timestamps_agreed and timestamps_of_syn is not None:
            self.ts_recent = timestamps_of_syn[0]
            self.ts_recent_at_s = self.now_s

    # --- making segments ----------------------------------------------------------------------------------------------

    def timestamp(self) -> int:
        """TSval, now."""
        return (int(self.now_s * TIMESTAMP_TICKS_PER_S) + self.ts_offset) & MASK

    def syn_options(self) -> tuple[Option, ...]:
        """The options of our SYN: all that we know; of our SYN,ACK: of these, what the peer's SYN had."""
        answers = self.state != SYN_SENT
        options = [maximum_segment_size(self.receive_mss)]
        if self.config.window_scale is not None and (self.window_scaling or not answers):
            options += [NOP, window_scale(self.config.window_scale)]
        if self.config.timestamps and (self.timestamps_agreed or not answers):
            options += [NOP, NOP, timestamps(self.timestamp(), self.ts_recent if answers else 0)]
        return tuple(options)

    def make_segment(
        self,
        seq: int,
        bits: int,
        data: bytes = b"",
        options: tuple[Option, ...] | None = None,
        window: int | None = None,
    ) -> Segment:
        """A segment of this connection, with what every segment carries: the window, ACK, urgent pointer, timestamps.

        options: None for those of a segment without SYN. window: None for ours, as scaled. Whatever acknowledges
        clears the acknowledgment that was due.
        """
        if options is None:
            options = (NOP, NOP, timestamps(self.timestamp(), self.ts_recent)) if self.timestamps_agreed else ()
        if window is None:
            window = self.rcv_wnd >> self.rcv_wind_shift
        urgent = 0
        ahead = distance(seq, self.snd_up)
        if ahead > 0 and distance(self.snd_una, self.snd_up) > 0 and not bits & _SYN_OR_RST:
            bits |= _URG
            urgent = min(ahead, MAX_URGENT)
        ack = 0
        if bits & _ACK:
            ack = self.last_ack_sent = self.rcv_nxt
            self.advertised_edge = advance(ack, window << self.rcv_wind_shift)
            self.acknowledgment_sent()
        return Segment(self.local.port, self.peer.port, seq, ack, to_flags(bits), window, urgent, options, data)

    def acknowledgment_sent(self) -> None:
        """No acknowledgment is due any more."""
        self.ack_now = False

    def reply(self, segment: Segment | None) -> None:
        """Queues a reset, within bounds."""
        if segment is not None and len(self._replies) < MAX_REPLIES:
            self._replies.append(segment)

    def reply_reset(self, segment: Segment) -> None:
        """Answers a segment that belongs to no connection."""
        self.reply(reset_for(segment))

    def report(self, event: Event) -> None:
        """Tells the user."""
        self._events.append(event)

    def take_events(self) -> list[Event]:
        """What there is to tell."""
        events, self._events = self._events, []
        return events
