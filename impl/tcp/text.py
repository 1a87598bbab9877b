"""The peer's stream: data, urgent data, FIN.

Source: RFC 9293 sections 3.8.5, 3.8.6.3 and 3.10.7.4, sixth to eighth; RFC 5681 section 4.2.
"""

from __future__ import annotations

from abc import abstractmethod

from shakeproof.impl.tcp.events import DataReceived, PeerClosed, UrgentReceived
from shakeproof.impl.tcp.segment import URG, Segment
from shakeproof.impl.tcp.send import Sender
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.impl.tcp.tcb import CLOSE_WAIT, CLOSING, ESTABLISHED, FIN_WAIT_1, LAST_ACK, RECEIVING, TIME_WAIT


class TextReceiver(Sender):
    """What is done with a segment whose sequence and acknowledgment numbers are in order."""

    def reset_variables(self) -> None:
        super().reset_variables()
        self.user_is_gone = False
        """Whether the user has closed in the half-duplex way: data that comes now is lost (MAY-1)."""

    # --- sixth: URG ---------------------------------------------------------------------------------------------------

    def receive_urgent(self, segment: Segment) -> None:
        """RCV.UP <- max(RCV.UP, SEG.UP); the user is told when it moves on (MUST-32)."""
        if not int(segment.flags) & URG or self.state not in RECEIVING:
            return
        pointer = advance(segment.seq, segment.urgent)
        if distance(self.rcv_up, pointer) > 0:
            self.rcv_up = pointer
            if self.urgent_remaining:
                self.report(UrgentReceived(self.urgent_remaining))

    # --- seventh: the text --------------------------------------------------------------------------------------------

    def receive_text(self, seq: int, data: bytes, *, fin: bool, pushed: bool) -> None:
        """Takes data and FIN, within the window and not older than RCV.NXT; seq: of the first byte."""
        if self.state == TIME_WAIT and fin:
            self.ack_now = True
            self.start_time_wait()
        if self.state in (CLOSE_WAIT, LAST_ACK) and fin:
            self.ack_now = True  # of a second end of the stream the peer learns that the first one counts
        if self.state not in RECEIVING:
            return
        if data and self.user_is_gone:
            self.refuse_lost_data()
            return
        before = len(self.receive_buffer)
        if data and seq == self.rcv_nxt and not self.reassembly:
            self.deliver(data)
            self.delay_ack()
            if fin:
                self.reassembly.fin_seq = self.rcv_nxt
        elif data or fin:
            self.hold_text(seq, data, fin=fin)
            self.ack_now = True  # a hole is new, or smaller, or filled: the peer is told at once
        if self.reassembly and (filled := self.reassembly.take(self.rcv_nxt)):
            self.deliver(filled)
        if len(self.receive_buffer) > before:
            self.report(DataReceived(len(self.receive_buffer), pushed))
        if self.reassembly.fin_seq is not None and self.check_fin_is_next(self.reassembly.fin_seq):
            self.accept_fin()

    def hold_text(self, seq: int, data: bytes, *, fin: bool) -> None:
        """Holds what cannot be delivered yet (SHLD-31)."""
        if data:
            self.reassembly.add(seq, data)
        if fin:
            self.reassembly.add_fin(advance(seq, len(data)))

    def deliver(self, data: bytes) -> None:
        """Takes responsibility for data that continues the stream. RCV.NXT+RCV.WND stays (SHLD-14)."""
        self.receive_buffer += data
        self.rcv_nxt = advance(self.rcv_nxt, len(data))
        self.rcv_wnd = max(0, self.rcv_wnd - len(data))

    @abstractmethod
    def refuse_lost_data(self) -> None:
        """Data after a half-duplex close gets a reset, so that the peer knows that it is lost (SHLD-3)."""

    # --- eighth: FIN --------------------------------------------------------------------------------------------------

    def check_fin_is_next(self, seq: int) -> bool:
        """Whether all before the FIN was received."""
        return seq == self.rcv_nxt

    def accept_fin(self) -> None:
        """The peer's stream ends here: all before it was received."""
        self.rcv_nxt = advance(self.rcv_nxt, 1)
        self.rcv_wnd = max(0, self.rcv_wnd - 1)
        self.reassembly.clear()
        self.ack_now = True
        self.report(PeerClosed())
        if self.state == ESTABLISHED:
            self.state = CLOSE_WAIT
        elif self.state == FIN_WAIT_1:
            self.state = CLOSING  # with our FIN acknowledged it would be FIN-WAIT-2
        else:
            self.start_time_wait()
