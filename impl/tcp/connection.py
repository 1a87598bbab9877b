"""A TCP connection without I/O: segments and the time go in, events and segments come out.

Theory of operation. The user calls (`open_active`, `send`, `close`, ...), `receive_segment` and `tick` change the
transmission control block and give events; `segments_to_send`, to be asked for after each of them, makes the segments
that follow. `next_timeout` says when to call `tick`. No call but the user's own raises anything: whatever the peer
sends is taken, answered or dropped. The class is built in layers, one a file: variables (`tcb`), `congestion`,
`timers`, `send`, `text`, `receive`, and the user calls here. Each check is a method of its own and is called through
`self`, so that one connection object can be given a fault without touching any other.

Memory. A connection keeps at most: send_buffer bytes that the peer has not acknowledged; receive_buffer bytes that the
user has not read or that wait for a hole to be filled, together, because what is accepted lies in the window, and the
window is what is left of the buffer; MAX_PIECES objects that hold the latter; MAX_REPLIES resets. Nothing else grows
with what the peer sends. `memory_bound` says it in bytes.

Not built: ECN (SHLD-8), path MTU discovery, selective acknowledgments, security compartments.

Source: RFC 9293 section 3.10.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp.config import TcpConfig
from shakeproof.impl.tcp.events import Event, HardError, SoftError
from shakeproof.impl.tcp.options import find_timestamps
from shakeproof.impl.tcp.reassembly import MAX_PIECES
from shakeproof.impl.tcp.receive import Receiver
from shakeproof.impl.tcp.segment import ACK, RST, SYN, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.impl.tcp.tcb import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    MAX_REPLIES,
    SENDING,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)

PIECE_OVERHEAD = 256
"""Bytes of the objects of a held piece or reply, beside its data, rounded up from what CPython 3.11 takes."""
FIXED_MEMORY = 16_384
"""Bytes of a connection that holds nothing, rounded up likewise."""


def memory_bound(config: TcpConfig) -> int:
    """Bytes that a connection takes at most, whatever the peer sends.

    Each buffer is counted twice: a bytearray that grows is copied, and takes an eighth more than it holds.
    """
    overhead = (MAX_PIECES + MAX_REPLIES) * PIECE_OVERHEAD + FIXED_MEMORY
    return 2 * (config.receive_buffer + config.send_buffer) + overhead


class TcpConnection(Receiver):
    """One end of a connection. remote: None for a listener to any peer."""

    handlers: ClassVar[Mapping[str, str]] = {
        CLOSED: "receive_in_closed",
        SYN_SENT: "receive_in_syn_sent",
    }
    """The method that takes a segment, by state; by name, so that an object's own method is found."""

    # --- OPEN ---------------------------------------------------------------------------------------------------------

    def open_active(self, now_s: float) -> None:
        """Begins a handshake. Raises LocalProtocolError where there is a connection, or nobody to connect to."""
        if self.state not in (CLOSED, LISTEN):
            raise LocalProtocolError(f"open_active() in {self.state}: connection already exists")
        if self.remote is None:
            raise LocalProtocolError("open_active(): remote socket unspecified; name it when making the connection")
        self.advance_clock(now_s)
        self.reset_variables()
        self.set_iss()
        self.state = SYN_SENT
        self.note_undelivered()

    def open_passive(self) -> None:
        """Waits for a SYN. Raises LocalProtocolError where there is a connection."""
        if self.state != CLOSED:
            raise LocalProtocolError(f"open_passive() in {self.state}: connection already exists")
        self.reset_variables()
        self.state = LISTEN

    # --- SEND, RECEIVE ------------------------------------------------------------------------------------------------

    def send(self, data: bytes, now_s: float, push: bool = True, urgent: bool = False) -> int:
        """Queues data: how many bytes were taken, fewer where the buffer is full.

        urgent: the data ends with the last urgent octet. Raises LocalProtocolError where nothing can be sent any more.
        """
        self.advance_clock(now_s)
        if self.state == LISTEN and self.remote is not None:
            self.open_active(now_s)  # "change the connection from passive to active" (section 3.10.2)
        if self.state in (SYN_SENT, SYN_RECEIVED, *SENDING) and not self.closing:
            return self.queue_data(data, push=push, urgent=urgent)
        if self.state in (CLOSED, LISTEN):
            raise LocalProtocolError(f"send() in {self.state}: connection does not exist")
        raise LocalProtocolError(f"send() in {self.state}: connection closing")

    def receive(self, limit: int | None = None) -> bytes:
        """Takes received data, at most `limit` bytes; empty where there is none. Ask segments_to_send afterwards:
        the window may open."""
        count = len(self.receive_buffer) if limit is None else min(max(limit, 0), len(self.receive_buffer))
        data = bytes(self.receive_buffer[:count])
        del self.receive_buffer[:count]
        if not self.urgent_remaining:
            self.rcv_up = advance(self.rcv_nxt, -len(self.receive_buffer))
        return data

    # --- CLOSE, ABORT -------------------------------------------------------------------------------------------------

    def close(self, now_s: float) -> None:
        """The user has no more to send, and is done: a reset where received data was not read (SHLD-3), else a FIN.

        With half_duplex_close in the config data that still comes gets a reset, too. Raises LocalProtocolError where
        there is no connection, or both sides are closing.
        """
        if self.receive_buffer and self.state in (SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT):
            self.abort(now_s)
            return
        self.shutdown(now_s)
        self.user_is_gone = self.config.half_duplex_close and self.state != CLOSED

    def shutdown(self, now_s: float) -> None:
        """CLOSE of the RFC: "I have no more data to send". Data can still be received. Once more is no error.

        Raises LocalProtocolError where there is no connection, or both sides are closing.
        """
        self.advance_clock(now_s)
        if self.state == CLOSED:
            raise LocalProtocolError("close() in CLOSED: connection does not exist")
        if self.state in (CLOSING, LAST_ACK, TIME_WAIT):
            raise LocalProtocolError(f"close() in {self.state}: connection closing")
        if self.state in (LISTEN, SYN_SENT):
            self.delete_tcb()
            return
        self.closing = True
        if self.state == ESTABLISHED or (self.state == SYN_RECEIVED and not self.send_buffer):
            self.state = FIN_WAIT_1
        if self.state != FIN_WAIT_2:
            self.note_undelivered()

    def abort(self, now_s: float) -> None:
        """Deletes the connection; the peer gets a reset, unless it has closed too.

        Raises LocalProtocolError where there is no connection.
        """
        self.advance_clock(now_s)
        if self.state == CLOSED:
            raise LocalProtocolError("abort() in CLOSED: connection does not exist")
        if self.state in (SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT):
            self.reply(self.make_segment(self.seq_of_empty_segments, RST, window=0))
        self.delete_tcb()
        self.receive_buffer.clear()

    def refuse_lost_data(self) -> None:
        """See `close`."""
        self.abort(self.now_s)

    # --- SEGMENT ARRIVES ----------------------------------------------------------------------------------------------

    def receive_segment(self, segment: Segment, now_s: float, source_ip: str | None = None) -> list[Event]:
        """Takes a segment. source_ip: where it came from, for a listener to any peer, which ignores it without."""
        self.advance_clock(now_s)
        state = self.state
        if state == LISTEN:
            self.receive_in_listen(segment, source_ip)
        else:
            getattr(self, self.handlers.get(state, "receive_in_other_states"))(segment)
        return self.take_events()

    def receive_in_closed(self, segment: Segment) -> None:
        """Section 3.10.7.1."""
        self.reply_reset(segment)

    def accept_reopening(self, segment: Segment) -> bool:
        """In TIME-WAIT: whether a SYN is from a new incarnation, and no old duplicate (MAY-2, SHLD-4).

        Source: RFC 9293 section 3.6.1; RFC 6191 section 2.
        """
        if self.state != TIME_WAIT or int(segment.flags) & (SYN | ACK | RST) != SYN:
            return False
        stamps = find_timestamps(segment.options)
        if self.timestamps_agreed and stamps is not None:
            newer = distance(self.ts_recent, stamps[0])
            if newer:
                return newer > 0
        return distance(self.rcv_nxt, segment.seq) > 0

    # --- ICMP ---------------------------------------------------------------------------------------------------------

    def receive_soft_error(self, what: str, now_s: float) -> list[Event]:
        """An ICMP error that may pass: the user is told, nothing else (MUST-56, SHLD-25)."""
        self.advance_clock(now_s)
        if self.state not in (CLOSED, LISTEN):
            self.report(SoftError(what))
        return self.take_events()

    def receive_hard_error(self, what: str, seq: int, now_s: float) -> list[Event]:
        """An ICMP error that aborts the connection (SHLD-26). seq: of our segment that it quotes."""
        self.advance_clock(now_s)
        if self.state not in (CLOSED, LISTEN) and self.check_quoted_segment(seq):
            self.delete_tcb()
            self.report(HardError(what))
        return self.take_events()

    def check_quoted_segment(self, seq: int) -> bool:
        """Whether such a segment may be on its way: else the error is old, or forged (RFC 5927 section 4.1)."""
        return 0 <= distance(self.snd_una, seq) < self.flight_size
