"""SEGMENT ARRIVES: every check in the order of the RFC, each a method of its own.

Reading `rfc5961` (on by default): a reset must have the exact sequence number, others in the window and any SYN get a
challenge ACK, and acknowledgments are checked from both sides (RFC 5961 sections 3 to 5). Without it: what RFC 9293
section 3.10.7.4 states beside it.

Where the text leaves a choice: in SYN-RECEIVED an unacceptable ACK is answered with a reset, as section 3.5.2 asks,
under rfc5961 too. A SYN,ACK that repeats the peer's SYN, in a simultaneous open, is taken for the acknowledgment that
it carries, as in figure 7; by table 6 alone it would be too old. The check of timestamps comes before all others, as
RFC 7323 section 5.3 has it. Acknowledgments that answer what is unacceptable and has no sequence number to lose are
counted as challenges, so that two confused ends do not answer each other for ever.

Source: RFC 9293 section 3.10.7; RFC 7323 section 5 (PAWS). Data and FIN: the module `text`.
"""

from __future__ import annotations

from shakeproof.impl.tcp.events import Closed, Connected, Refused, ResetReceived
from shakeproof.impl.tcp.options import find_mss, find_timestamps, find_window_scale
from shakeproof.impl.tcp.segment import ACK, FIN, PSH, RST, SYN, Endpoint, Segment
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.impl.tcp.tcb import (
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    TIME_WAIT,
)
from shakeproof.impl.tcp.text import TextReceiver
from shakeproof.impl.tcp.timers import RTO_AFTER_LOST_SYN_S

PAWS_VALID_S = 24 * 24 * 3600.0
"""How long TS.Recent may be compared with, on an idle connection: 24 days (RFC 7323 section 5.5)."""


class Receiver(TextReceiver):
    """What each state makes of a segment."""

    def reset_variables(self) -> None:
        super().reset_variables()
        self._challenges = 0
        self._challenges_since_s = self.now_s

    # --- LISTEN, SYN-SENT ---------------------------------------------------------------------------------------------

    def receive_in_listen(self, segment: Segment, source_ip: str | None) -> None:
        """Section 3.10.7.2. source_ip: of the peer, where the remote socket is not specified."""
        bits = int(segment.flags)
        if bits & RST or not bits & (ACK | SYN):
            return
        if not self.check_no_ack_in_listen(segment):
            self.reply_reset(segment)
            return
        if self.remote is None:
            if source_ip is None:
                return
            self.remote = Endpoint(source_ip, segment.source_port)
        self.opened_passively = True
        self.receive_syn(segment)
        self.set_iss()
        self.enter_syn_received(segment)

    def check_no_ack_in_listen(self, segment: Segment) -> bool:
        """Nothing was sent that could be acknowledged."""
        return not int(segment.flags) & ACK

    def receive_in_syn_sent(self, segment: Segment) -> None:
        """Section 3.10.7.3."""
        bits = int(segment.flags)
        if bits & ACK and not self.check_acknowledges_syn(segment):
            self.reply_reset(segment)
            return
        if bits & RST:
            if self.check_reset_in_syn_sent(segment):
                self.delete_tcb()
                self.report(Refused())
            return
        if not bits & SYN:
            return
        self.receive_syn(segment)
        if not bits & ACK:
            self.enter_syn_received(segment)
            return
        self.heard()
        self.state = SYN_RECEIVED  # for a moment: a handshake ends in one way only
        self.acknowledge(segment.ack, self.echo_reply(find_timestamps(segment.options)))
        self.set_send_window(segment, self.window_of(segment))
        self.establish()
        self.ack_now = True
        self.receive_urgent(segment)
        data, fin = self.trim_to_window(self.rcv_nxt, segment.data, fin=bool(bits & FIN))
        self.receive_text(self.rcv_nxt, data, fin=fin, pushed=bool(bits & PSH))

    def check_acknowledges_syn(self, segment: Segment) -> bool:
        """SND.UNA < SEG.ACK =< SND.NXT: what we sent, and our SYN was not acknowledged before."""
        return distance(self.snd_una, segment.ack) > 0 and distance(segment.ack, self.snd_nxt) >= 0

    def check_reset_in_syn_sent(self, segment: Segment) -> bool:
        """A reset answers our SYN if it acknowledges it (section 3.5.3)."""
        return bool(int(segment.flags) & ACK)

    def receive_syn(self, segment: Segment) -> None:
        """The peer's initial sequence number and its options."""
        self.set_irs(segment)
        self.agree_on_options(
            find_mss(segment.options), find_window_scale(segment.options), find_timestamps(segment.options)
        )

    def enter_syn_received(self, segment: Segment) -> None:
        """SYN,ACK is what is sent next. What else the SYN carries is held until the connection is established."""
        self.heard()
        self.state = SYN_RECEIVED
        self.retransmit_at_s = None
        self.snd_next = self.iss
        self.set_send_window(segment, self.window_of(segment))
        self.begin_congestion_control(syn_was_lost=self.syn_was_lost)
        data, fin = self.trim_to_window(self.rcv_nxt, segment.data, fin=bool(int(segment.flags) & FIN))
        self.hold_text(self.rcv_nxt, data, fin=fin)

    def establish(self) -> None:
        """The handshake is complete. A close that waited for it goes on."""
        self.begin_congestion_control(syn_was_lost=self.syn_was_lost)
        if self.syn_was_lost:
            self.rto_s = max(self.rto_s, RTO_AFTER_LOST_SYN_S)
        if self.state == SYN_RECEIVED:
            self.state = FIN_WAIT_1 if self.closing else ESTABLISHED
            self.report(Connected())
        if self.send_buffer or self.closing:
            self.note_undelivered()

    # --- all other states ---------------------------------------------------------------------------------------------

    def receive_in_other_states(self, segment: Segment) -> None:
        """Section 3.10.7.4, step by step."""
        bits = int(segment.flags)
        stamps = find_timestamps(segment.options) if self.timestamps_agreed else None
        if self.timestamps_agreed and not bits & RST and not self.accept_timestamps(segment, stamps):
            return
        if bits & RST:
            self.receive_reset(segment)
            return
        seq = segment.seq
        if bits & SYN:
            if not self.accept_syn_again(segment):
                return
            seq = self.rcv_nxt  # a simultaneous open: behind the SYN
        elif not self.check_sequence_number(segment):
            self.acknowledge_unacceptable(segment)
            if self.state == TIME_WAIT and self.is_last_fin(segment):
                self.start_time_wait()
            if self.rcv_wnd or seq != self.rcv_nxt:
                return
        begins = seq
        seq, data = self.trim_to_new(seq, segment.data)
        data, fin = self.trim_to_window(seq, data, fin=bool(bits & FIN))
        if not self.accept_acknowledgment(segment):
            return
        if stamps is not None:
            self.update_ts_recent(begins, stamps[0])
        if not self.receive_acknowledgment(segment, seq, stamps):
            return
        self.receive_urgent(segment)
        self.receive_text(seq, data, fin=fin, pushed=bool(bits & PSH))

    def check_sequence_number(self, segment: Segment) -> bool:
        """Whether any of the segment lies in the receive window: the four cases of table 6."""
        length = segment.length
        offset = distance(self.rcv_nxt, segment.seq)
        if self.rcv_wnd == 0:
            return length == 0 and offset == 0
        if 0 <= offset < self.rcv_wnd:
            return True
        return length > 0 and 0 <= offset + length - 1 < self.rcv_wnd

    def trim_to_new(self, seq: int, data: bytes) -> tuple[int, bytes]:
        """Data from RCV.NXT on, and where it begins: what came before is not taken twice."""
        skip = distance(seq, self.rcv_nxt)
        return (self.rcv_nxt, data[skip:]) if skip > 0 else (seq, data)

    def trim_to_window(self, seq: int, data: bytes, *, fin: bool) -> tuple[bytes, bool]:
        """Data and FIN without what lies beyond the window; they begin in it, at seq, or at its edge."""
        room = self.rcv_wnd - distance(self.rcv_nxt, seq)
        if len(data) + fin <= room:
            return data, fin
        return data[: max(room, 0)], False

    def acknowledge_unacceptable(self, segment: Segment) -> None:
        """<SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, so that the peer learns where we are."""
        if segment.length:
            self.ack_now = True
        else:
            self.challenge()

    def challenge(self) -> None:
        """A challenge ACK, as long as there were not too many (RFC 5961 section 7)."""
        if self.now_s - self._challenges_since_s >= self.config.challenge_interval_s:
            self._challenges_since_s = self.now_s
            self._challenges = 0
        if self._challenges < self.config.challenge_acks:
            self._challenges += 1
            self.ack_now = True

    def is_last_fin(self, segment: Segment) -> bool:
        """Whether it is the peer's FIN once more, in TIME-WAIT."""
        return bool(int(segment.flags) & FIN) and advance(segment.seq, segment.length) == self.rcv_nxt

    # --- timestamps ---------------------------------------------------------------------------------------------------

    def accept_timestamps(self, segment: Segment, stamps: tuple[int, int] | None) -> bool:
        """RFC 7323 sections 3.2 and 5.3: whether the segment has what was agreed on, and is not from the past.

        A SYN without timestamps goes on to its own check: a peer that was restarted must be answered.
        """
        if stamps is None:
            return self.check_timestamps_present(segment)
        if not self.check_paws(stamps[0]):
            self.acknowledge_unacceptable(segment)
            return False
        return True

    def check_timestamps_present(self, segment: Segment) -> bool:
        """RFC 7323 section 3.2: else it is dropped silently."""
        return bool(int(segment.flags) & SYN)

    def check_paws(self, value: int) -> bool:
        """Protection against wrapped sequence numbers: TSval does not go back. Source: RFC 7323 section 5.3, R1."""
        return distance(self.ts_recent, value) >= 0 or self.ts_recent_is_outdated

    @property
    def ts_recent_is_outdated(self) -> bool:
        """After 24 days of silence the peer's clock may have wrapped."""
        return self.now_s - self.ts_recent_at_s > PAWS_VALID_S

    def update_ts_recent(self, seq: int, value: int) -> None:
        """RFC 7323 section 4.3: from the segment that covers the last acknowledgment that was sent."""
        if distance(seq, self.last_ack_sent) >= 0 and (
            distance(self.ts_recent, value) >= 0 or self.ts_recent_is_outdated
        ):
            self.ts_recent = value
            self.ts_recent_at_s = self.now_s

    def echo_reply(self, stamps: tuple[int, int] | None) -> int | None:
        """TSecr, where timestamps are agreed on."""
        return stamps[1] if stamps is not None and self.timestamps_agreed else None

    # --- second: RST --------------------------------------------------------------------------------------------------

    def receive_reset(self, segment: Segment) -> None:
        """Its sequence number alone counts: data in a reset means nothing (SHLD-2)."""
        if not self.check_reset_in_window(segment):
            return
        if self.config.rfc5961 and not self.check_reset_is_exact(segment):
            self.challenge()
            return
        self.accept_reset()

    def check_reset_in_window(self, segment: Segment) -> bool:
        """RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND; at RCV.NXT also with a window of 0 (MUST-66)."""
        return 0 <= distance(self.rcv_nxt, segment.seq) < max(self.rcv_wnd, 1)

    def check_reset_is_exact(self, segment: Segment) -> bool:
        """SEG.SEQ = RCV.NXT (RFC 5961 section 3.2)."""
        return segment.seq == self.rcv_nxt

    def accept_reset(self) -> None:
        """The connection is over, or, in SYN-RECEIVED from a passive OPEN, back in LISTEN (MUST-11)."""
        state = self.state
        if state == SYN_RECEIVED and self.opened_passively:
            self.return_to_listen()
            return
        self.delete_tcb()
        if state == SYN_RECEIVED:
            self.report(Refused())
        elif state == TIME_WAIT:
            self.report(Closed())
        else:
            self.report(ResetReceived())

    def return_to_listen(self) -> None:
        """Waits for another SYN; the user need not be told."""
        self.delete_tcb()
        self.state = LISTEN
        if self.listens_to_any:
            self.remote = None

    # --- fourth: SYN --------------------------------------------------------------------------------------------------

    def accept_syn_again(self, segment: Segment) -> bool:
        """A SYN where one came before: whether to go on with the rest of the segment."""
        if self.state == SYN_RECEIVED:
            if self.opened_passively:
                if self.check_sequence_number(segment):
                    self.return_to_listen()
                else:
                    self.acknowledge_unacceptable(segment)
                return False
            if int(segment.flags) & ACK and segment.seq == self.irs and self.check_acknowledges_syn(segment):
                return True
        if self.config.rfc5961:
            self.challenge()
        elif self.check_sequence_number(segment):
            self.reply_reset(segment)
            self.delete_tcb()
            self.report(ResetReceived())
        else:
            self.acknowledge_unacceptable(segment)
        return False

    # --- fifth: ACK ---------------------------------------------------------------------------------------------------

    def accept_acknowledgment(self, segment: Segment) -> bool:
        """Whether the acknowledgment number is one that the peer can send; what is dropped for it leaves no trace.

        Not even its timestamp: else a single segment of somebody who guessed the window, and no more, would make all
        that the peer sends afterwards too old (RFC 7323 section 5.3, R1).
        """
        if not self.check_ack_bit(segment):
            return False
        if self.state == SYN_RECEIVED:
            if not self.check_acknowledges_syn(segment):
                self.reply_reset(segment)
                return False
        elif not self.check_acknowledgment_number(segment):
            self.challenge()
            return False
        return True

    def receive_acknowledgment(self, segment: Segment, seq: int, stamps: tuple[int, int] | None) -> bool:
        """Takes the acknowledgment and the window: whether to go on. seq: where the segment begins after trimming."""
        self.heard()
        self.probe_answered()
        window = self.window_of(segment)
        had_syn = self.syn_is_acknowledged
        if distance(self.snd_una, segment.ack) > 0:
            self.acknowledge(segment.ack, self.echo_reply(stamps))
        elif self.check_duplicate_acknowledgment(segment, window):
            self.congestion_duplicate_ack()
        if not had_syn and self.syn_is_acknowledged:
            self.set_send_window(segment, window)
            self.establish()
        elif self.check_window_is_newer(segment, seq):
            self.set_send_window(segment, window, seq)
        return self.state_after_acknowledgment()

    def window_of(self, segment: Segment) -> int:
        """SEG.WND: scaled, but not with SYN (RFC 7323 section 2.2)."""
        return segment.window if int(segment.flags) & SYN else segment.window << self.snd_wind_shift

    def check_ack_bit(self, segment: Segment) -> bool:
        """Once there is a connection every segment acknowledges."""
        return bool(int(segment.flags) & ACK)

    def check_acknowledgment_number(self, segment: Segment) -> bool:
        """Nothing that was never sent; under rfc5961 nothing either that is older than any window could explain."""
        if distance(segment.ack, self.snd_nxt) < 0:
            return False
        return not self.config.rfc5961 or distance(advance(self.snd_una, -self.max_snd_wnd), segment.ack) >= 0

    def check_duplicate_acknowledgment(self, segment: Segment, window: int) -> bool:
        """RFC 5681 section 2: it says nothing new while data is outstanding. Answers to probes of a window are none."""
        return (
            segment.ack == self.snd_una
            and self.flight_size > 0
            and not segment.length
            and window == self.snd_wnd > 0
            and self.syn_is_acknowledged
        )

    def check_window_is_newer(self, segment: Segment, seq: int) -> bool:
        """SND.WL1 and SND.WL2: old segments must not update the window."""
        if segment.ack != self.snd_una:
            return False  # SND.UNA =< SEG.ACK, and SND.UNA is already advanced
        newer = distance(self.snd_wl1, seq)
        return newer > 0 or (newer == 0 and distance(self.snd_wl2, segment.ack) >= 0)

    def set_send_window(self, segment: Segment, window: int, seq: int | None = None) -> None:
        """SND.WND <- SEG.WND, SND.WL1 <- SEG.SEQ, SND.WL2 <- SEG.ACK."""
        if (window == 0) != (self.snd_wnd == 0):
            self.persist_at_s = None
            self.probes = 0
        self.snd_wnd = window
        self.snd_wl1 = segment.seq if seq is None else seq
        self.snd_wl2 = segment.ack
        self.max_snd_wnd = max(self.max_snd_wnd, window)

    def acknowledge(self, ack: int, echo_reply: int | None) -> None:
        """SND.UNA <- SEG.ACK: what that covers need not be kept."""
        self.take_rtt_of(ack, echo_reply)
        syn = 0 if self.syn_is_acknowledged else 1
        count = min(distance(self.snd_una, ack) - syn, len(self.send_buffer))
        del self.send_buffer[:count]
        self.snd_una = ack
        if distance(self.snd_next, ack) > 0:
            self.snd_next = ack
        if distance(self.push_seq, ack) > 0:
            self.push_seq = ack
        if distance(self.snd_up, ack) > 0:
            self.snd_up = ack
        if not syn:
            self.congestion_new_ack(count)
        self.progress()

    def state_after_acknowledgment(self) -> bool:
        """What an acknowledgment of our FIN leads to: whether there is more to do with the segment."""
        if self.fin_is_acknowledged:
            if self.state == FIN_WAIT_1:
                self.state = FIN_WAIT_2
            elif self.state == CLOSING:
                self.start_time_wait()
            elif self.state == LAST_ACK:
                self.delete_tcb()
                self.report(Closed())
        return self.state not in (CLOSED, CLOSING)
