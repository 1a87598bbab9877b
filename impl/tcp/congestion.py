"""Congestion control: slow start, congestion avoidance, fast retransmit, fast recovery in the form of NewReno.

Source: RFC 9293 section 3.8.2 (MUST-19); RFC 5681 sections 3 and 4.1; RFC 6582 section 3.2; RFC 3042 (limited
transmit).
"""

from __future__ import annotations

from shakeproof.impl.tcp.sequence import distance
from shakeproof.impl.tcp.tcb import Tcb

INITIAL_SSTHRESH = 1 << 30
"""Arbitrarily high (RFC 5681 section 3.1): as large as the largest window that can be scaled."""
DUPLICATES_OF_LOSS = 3
"""Duplicate acknowledgments that tell of a loss."""


class Congestion(Tcb):
    """How much may be in the network."""

    def reset_variables(self) -> None:
        super().reset_variables()
        self.cwnd = 0
        self.ssthresh = INITIAL_SSTHRESH
        self.duplicate_acks = 0
        self.in_recovery = False
        self.recover = 0
        """What was SND.NXT at the last sign of loss: duplicates of what lies before tell nothing new."""
        self.retransmit_first = False
        """Whether the segment at SND.UNA is sent again at once, whatever the windows allow."""
        self._acked_in_avoidance = 0

    def initial_window(self) -> int:
        """IW. Source: RFC 5681 section 3.1."""
        mss = self.effective_mss
        if mss > 2190:
            return 2 * mss
        return 3 * mss if mss > 1095 else 4 * mss

    def begin_congestion_control(self, *, syn_was_lost: bool) -> None:
        """At the end of the handshake; a lost SYN leaves a window of one segment."""
        self.cwnd = self.effective_mss if syn_was_lost else self.initial_window()
        self.recover = self.iss

    def congestion_window(self) -> int:
        """cwnd, and what limited transmit adds for the first two duplicates, so that a third can come."""
        if not self.in_recovery and 0 < self.duplicate_acks < DUPLICATES_OF_LOSS:
            return self.cwnd + self.duplicate_acks * self.effective_mss
        return self.cwnd

    def congestion_after_idle(self) -> None:
        """After silence the window is no more than the initial one. Source: RFC 5681 section 4.1."""
        self.cwnd = min(self.cwnd, self.initial_window())

    def congestion_new_ack(self, acked: int) -> None:
        """An acknowledgment of new data; SND.UNA is already moved. acked: octets."""
        self.duplicate_acks = 0
        if not self.in_recovery:
            self.grow_window(acked)
        elif distance(self.recover, self.snd_una) >= 0:
            self.in_recovery = False
            self.cwnd = min(self.ssthresh, max(self.flight_size, self.effective_mss) + self.effective_mss)
        else:  # a partial acknowledgment: the next hole begins here
            mss = self.effective_mss
            self.cwnd = max(self.cwnd - acked + (mss if acked >= mss else 0), mss)
            self.retransmit_first = True

    def grow_window(self, acked: int) -> None:
        """Slow start below ssthresh, one segment a round trip above it. Source: RFC 5681 section 3.1."""
        mss = self.effective_mss
        if self.cwnd < self.ssthresh:
            self.cwnd += min(acked, mss)
            return
        self._acked_in_avoidance += acked
        if self._acked_in_avoidance >= self.cwnd:
            self._acked_in_avoidance -= self.cwnd
            self.cwnd += mss

    def congestion_duplicate_ack(self) -> None:
        """A duplicate acknowledgment: a segment left the network, and one before it may be lost."""
        self.duplicate_acks += 1
        if self.in_recovery:
            # Bounded by what can be in flight: hostile duplicates must not open the window for ever.
            self.cwnd = min(self.cwnd + self.effective_mss, self.ssthresh + self.flight_size)
        elif self.duplicate_acks == DUPLICATES_OF_LOSS and distance(self.recover, self.snd_una) > 0:
            self.fast_retransmit()

    def fast_retransmit(self) -> None:
        """Sends what seems lost, and goes into fast recovery. Source: RFC 5681 section 3.2; RFC 6582 section 3.2."""
        self.halve_ssthresh()
        self.cwnd = self.ssthresh + DUPLICATES_OF_LOSS * self.effective_mss
        self.recover = self.snd_nxt
        self.in_recovery = True
        self.retransmit_first = True

    def congestion_timeout(self, *, first: bool) -> None:
        """The retransmission timer expired. first: for this segment; ssthresh stays what it is for the others."""
        if first:
            self.halve_ssthresh()
        self.cwnd = self.effective_mss
        self.recover = self.snd_nxt
        self.in_recovery = False
        self.duplicate_acks = 0
        self._acked_in_avoidance = 0

    def halve_ssthresh(self) -> None:
        """ssthresh = max(FlightSize / 2, 2 * SMSS). Source: RFC 5681 section 3.1, equation 4."""
        self.ssthresh = max(self.flight_size // 2, 2 * self.effective_mss)
