"""What is sent, and when: SYN, data, FIN, probes, acknowledgments, window updates.

Segments are made when `segments_to_send` asks for them, so that acknowledgments of all that arrived before are one
(MUST-58, MUST-59) and ride on data where there is any. `snd_next` is where the next segment begins. It is SND.NXT, but
for retransmission after a timeout, which goes through what was sent once more, as congestion control allows.

Source: RFC 9293 sections 3.7.4, 3.8.4, 3.8.6 and 3.10.2.
"""

from __future__ import annotations

from shakeproof.impl.tcp.config import MAX_WINDOW
from shakeproof.impl.tcp.segment import ACK, FIN, PSH, SYN, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.impl.tcp.tcb import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_1,
    LAST_ACK,
    LISTEN,
    RECEIVING,
    SYN_SENT,
    TIME_WAIT,
)
from shakeproof.impl.tcp.timers import Timers


class Sender(Timers):
    """The sending half."""

    def segments_to_send(self, now_s: float) -> list[Segment]:
        """Everything that is to be sent now; to be asked for after each call of anything else."""
        self.advance_clock(now_s)
        found, self._replies = self._replies, []
        if self.state in (CLOSED, LISTEN):
            return found
        if self.state != TIME_WAIT:
            self.send_syn(found)
            if self.syn_is_acknowledged or self.state == FIN_WAIT_1:
                self.send_probes(found)
                self.send_stream(found)
            self.set_timers()
        if self.state in RECEIVING:
            self.update_receive_window()
        if self.ack_now and self.state != SYN_SENT:
            found.append(self.make_segment(self.seq_of_empty_segments, ACK))
        return found

    @property
    def seq_of_empty_segments(self) -> int:
        """SND.NXT; but SND.UNA while the peer's window is closed. What lies beyond it was a probe, and two sides that
        probe each other would take each other's acknowledgments for unacceptable (RFC 9293 appendix A.2)."""
        return self.snd_una if self.is_persisting else self.snd_nxt

    # --- SYN ----------------------------------------------------------------------------------------------------------

    def send_syn(self, found: list[Segment]) -> None:
        """SYN or SYN,ACK, where it is what comes next."""
        if self.syn_is_acknowledged or self.snd_next != self.iss:
            return
        bits = SYN if self.state == SYN_SENT else SYN | ACK
        # The window of a segment with SYN is never scaled (RFC 7323 section 2.2).
        found.append(self.make_segment(self.iss, bits, b"", self.syn_options(), min(self.rcv_wnd, MAX_WINDOW)))
        if bits & ACK:
            self.advertised_edge = advance(self.rcv_nxt, min(self.rcv_wnd, MAX_WINDOW))
        if not self.retransmissions:
            self.time_segment(self.iss)
        self.snd_next = advance(self.iss, 1)
        self.last_sent_s = self.now_s

    # --- data and FIN -------------------------------------------------------------------------------------------------

    def send_stream(self, found: list[Segment]) -> None:
        """As much of the buffer, and the FIN behind it, as the windows and the sender's algorithms allow."""
        if self.retransmit_first:
            self.retransmit_first = False
            if self.flight_size and not self.is_persisting:
                self.timed_seq = None  # Karn
                size = min(self.effective_mss, self.snd_wnd)
                found.append(self.make_stream_segment(self.snd_una, size, fin=self.closing))
        if self.is_persisting:
            return
        if not self.flight_size and self.now_s - self.last_sent_s > self.rto_s:
            self.congestion_after_idle()
        while True:
            usable = self.usable_window()
            unsent = self.unsent
            if unsent:
                if not self.accept_sending(unsent, usable):
                    return
                size = min(unsent, usable, self.effective_mss)
                found.append(self.make_stream_segment(self.snd_next, size, fin=self.closing and size < usable))
            elif self.fin_is_due and usable > 0:
                found.append(self.make_stream_segment(self.snd_next, 0, fin=True))
            else:
                return

    def usable_window(self) -> int:
        """U, with the congestion window: octets from `snd_next` on. Negative where the peer shrank its window."""
        window = min(self.snd_wnd, self.congestion_window())
        return window - distance(self.snd_una, self.snd_next)

    def accept_sending(self, unsent: int, usable: int) -> bool:
        """Nagle, and the sender's avoidance of silly windows: whether a segment is worth sending now (MUST-38).

        Source: RFC 9293 sections 3.7.4 and 3.8.6.2.1, rules (1) to (3).
        """
        size = min(unsent, usable)
        if size <= 0:
            return False
        if size >= self.effective_mss or self.snd_next != self.snd_nxt:
            return True  # full, or sent before
        if self.nagle and self.flight_size:
            return False
        end = advance(self.snd_next, unsent)
        pushed = self.closing or distance(end, self.push_seq) >= 0
        return (pushed and unsent <= usable) or 2 * size >= self.max_snd_wnd

    @property
    def fin_is_due(self) -> bool:
        """Whether a FIN comes next: the buffer is sent, and the user has closed."""
        return self.closing and self.snd_next == self.fin_seq and not self.fin_is_acknowledged

    def make_stream_segment(self, seq: int, size: int, *, fin: bool = False) -> Segment:
        """A segment of at most `size` bytes from seq on. fin: with our FIN, if the data reaches up to it.

        PSH where it takes the last byte of the buffer (MUST-61) or the last one that was pushed.
        """
        start = distance(self.buffer_seq, seq)
        data = bytes(self.send_buffer[start : start + size])
        end = advance(seq, len(data))
        bits = ACK
        is_last = start + len(data) == len(self.send_buffer)
        if data and (is_last or distance(seq, self.push_seq) > 0 >= distance(end, self.push_seq)):
            bits |= PSH
        if is_last and fin:
            bits |= FIN
            self.fin_at = end
            end = advance(end, 1)
        segment = self.make_segment(seq, bits, data)
        if distance(self.snd_nxt, end) > 0:
            if seq == self.snd_nxt:
                self.time_segment(advance(end, -1))
            self.snd_nxt = end
        if distance(self.snd_next, end) > 0 and distance(seq, self.snd_next) >= 0:
            self.snd_next = end
        self.last_sent_s = self.now_s
        if bits & FIN:
            self.fin_sent()
        return segment

    def fin_sent(self) -> None:
        """Our FIN is on its way: CLOSE-WAIT becomes LAST-ACK (RFC 9293 section 3.10.4)."""
        if self.state == CLOSE_WAIT:
            self.state = LAST_ACK

    # --- probes -------------------------------------------------------------------------------------------------------

    def send_probes(self, found: list[Segment]) -> None:
        """A zero-window probe, what a small window allows, a keep-alive."""
        if self.probe_now:
            self.probe_now = False
            if self.is_persisting:
                self.timed_seq = None
                if self.send_buffer or self.closing:
                    following = self.snd_next
                    found.append(self.make_stream_segment(self.snd_una, 1, fin=not self.send_buffer))
                    self.snd_next = following  # it is sent again when the window opens
            elif self.unsent and self.usable_window() > 0:
                size = min(self.unsent, self.usable_window(), self.effective_mss)
                found.append(self.make_stream_segment(self.snd_next, size))
        if self.keepalive_now:
            self.keepalive_now = False
            found.append(self.make_segment(self.keepalive_seq, ACK))

    def set_timers(self) -> None:
        """Starts what must run after this."""
        if not self.syn_is_acknowledged:
            self.start_retransmission_timer()
            return
        waits = bool(self.unsent) or (self.closing and not self.fin_is_acknowledged)
        if self.is_persisting and (waits or self.flight_size):
            self.retransmit_at_s = None
            self.retransmissions = 0
            self.snd_next = self.snd_una
            self.start_persist_timer()
        elif self.flight_size:
            self.persist_at_s = None
            self.start_retransmission_timer()
        elif waits:
            self.start_persist_timer()
        else:
            self.persist_at_s = None

    # --- the receive window -------------------------------------------------------------------------------------------

    def update_receive_window(self) -> None:
        """Opens the window by what was read, but not in small steps, and decides whether the peer is told at once.

        Source: RFC 9293 section 3.8.6.2.2 (MUST-39).
        """
        room = self.receive_limit - len(self.receive_buffer)
        if room - self.rcv_wnd >= self.window_step:
            self.rcv_wnd = room
            # 2 segments, as for acknowledgments; 1 where the peer may be waiting with less.
            gained = distance(self.advertised_edge, advance(self.rcv_nxt, room))
            offered = distance(self.rcv_nxt, self.advertised_edge)
            if gained >= 2 * self.receive_mss or 2 * gained >= self.receive_limit or offered < self.receive_mss:
                self.ack_now = True
        unit = 1 << self.rcv_wind_shift
        rounded = -(-self.rcv_wnd // unit) * unit
        if rounded <= room:  # else the peer sees up to a unit less (RFC 7323 section 2.4)
            self.rcv_wnd = rounded

    @property
    def window_step(self) -> int:
        """By how much the window opens at least: min(Fr * RCV.BUFF, Eff.snd.MSS), with Fr = 1/2."""
        return max(1, min(self.receive_limit // 2, self.effective_mss))

    # --- the user's side ----------------------------------------------------------------------------------------------

    def queue_data(self, data: bytes, *, push: bool, urgent: bool) -> int:
        """Takes what fits into the buffer: how many bytes."""
        accepted = data[: max(0, self.config.send_buffer - len(self.send_buffer))]
        if not accepted:
            return 0
        self.send_buffer += accepted
        end = advance(self.buffer_seq, len(self.send_buffer))
        if push:
            self.push_seq = end
        if urgent:
            self.snd_up = end
        if self.state in (ESTABLISHED, CLOSE_WAIT):
            self.note_undelivered()
        return len(accepted)
