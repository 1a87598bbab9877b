"""Timers: retransmission and its timeout, probes of a closed window, delayed acknowledgments, keep-alive, TIME-WAIT.

No timer runs by itself: each is a time, or None while it is off; `tick` does what is due, `next_timeout` says when.

Source: RFC 6298; RFC 9293 sections 3.8.1, 3.8.3, 3.8.4, 3.8.6.1, 3.8.6.3, 3.10.8; RFC 7323 section 4.
"""

from __future__ import annotations

from shakeproof.impl.tcp.congestion import Congestion
from shakeproof.impl.tcp.events import Closed, DeliveryProblem, Event, TimedOut
from shakeproof.impl.tcp.sequence import MASK, advance, distance
from shakeproof.impl.tcp.tcb import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_2,
    LISTEN,
    TIME_WAIT,
    TIMESTAMP_TICKS_PER_S,
)

INITIAL_RTO_S = 1.0
"""RFC 6298 (2.1)."""
RTO_AFTER_LOST_SYN_S = 3.0
"""RFC 6298 (5.7)."""
GRANULARITY_S = 1 / TIMESTAMP_TICKS_PER_S
"""G: of the clock that timestamps are read from."""
ALPHA = 1 / 8
BETA = 1 / 4
OVERRIDE_S = 0.5
"""When the sender's avoidance of silly windows is overridden: 0.1 to 1.0 seconds (RFC 9293 section 3.8.6.2.1)."""


class Timers(Congestion):
    """What happens when nothing arrives."""

    def reset_variables(self) -> None:
        super().reset_variables()
        self.srtt_s: float | None = None
        self.rttvar_s = 0.0
        self.rto_s = INITIAL_RTO_S
        self.retransmissions = 0
        """Timeouts since there was progress."""
        self.syn_was_lost = False
        self.timed_seq: int | None = None
        """Without timestamps one segment is timed at once: its last sequence number, None while there is none."""
        self._timed_at_s = 0.0
        self.retransmit_at_s: float | None = None
        self._in_flight_since_s = 0.0
        """Since when what is at SND.UNA waits to be acknowledged: R2 counts from there."""
        self.persist_at_s: float | None = None
        self.probes = 0
        self.probe_now = False
        self._unanswered_since_s: float | None = None
        """The first of the probes that nothing answered."""
        self.ack_at_s: float | None = None
        self.time_wait_at_s: float | None = None
        self.undelivered_since_s: float | None = None
        self.last_heard_s = self.now_s
        self.last_sent_s = self.now_s
        self.keepalives = 0
        """Probes since something was heard."""
        self.keepalive_now = False

    # --- driven from outside ------------------------------------------------------------------------------------------

    def advance_clock(self, now_s: float) -> None:
        """Takes the time; a clock that goes back is not followed."""
        self.now_s = max(self.now_s, now_s)

    def next_timeout(self) -> float | None:
        """The time of the clock at which `tick` has something to do; None for never."""
        times = [self.retransmit_at_s, self.persist_at_s, self.ack_at_s, self.time_wait_at_s]
        times += [self.user_timeout_at_s, self.keepalive_at_s]
        return min([time for time in times if time is not None], default=None)

    def tick(self, now_s: float) -> list[Event]:
        """Does what is due."""
        self.advance_clock(now_s)
        if self.is_due(self.time_wait_at_s):
            self.delete_tcb()
            self.report(Closed())
        elif self.is_due(self.user_timeout_at_s):
            self.give_up("user timeout")
        if self.is_due(self.retransmit_at_s):
            self.retransmission_timeout()
        if self.is_due(self.persist_at_s):
            self.persist_timeout()
        if self.is_due(self.ack_at_s):
            self.ack_at_s = None
            self.ack_now = True
        if self.is_due(self.keepalive_at_s):
            self.keepalive_timeout()
        return self.take_events()

    def is_due(self, time_s: float | None) -> bool:
        """Whether that time has come."""
        return time_s is not None and time_s <= self.now_s

    def give_up(self, reason: str) -> None:
        """Nobody answers."""
        self.delete_tcb()
        self.report(TimedOut(reason))

    def delete_tcb(self) -> None:
        """Enters CLOSED: queues and timers are gone. What was received in order can still be read."""
        readable = self.receive_buffer
        addresses = (self.iss, self.irs)
        self.reset_variables()
        self.iss, self.irs = addresses
        self.receive_buffer = readable
        self.state = CLOSED

    # --- the timeout --------------------------------------------------------------------------------------------------

    def take_rtt_sample(self, rtt_s: float, samples_per_rtt: int = 1) -> None:
        """A round-trip time, from a segment that was sent once (Karn), or from timestamps.

        samples_per_rtt: where many come in a round trip each counts less (RFC 7323 section 4.2 and appendix G).
        Source: RFC 6298 (2.2), (2.3).
        """
        if self.srtt_s is None:
            self.srtt_s = rtt_s
            self.rttvar_s = rtt_s / 2
        else:
            beta = BETA / samples_per_rtt
            alpha = ALPHA / samples_per_rtt
            self.rttvar_s = (1 - beta) * self.rttvar_s + beta * abs(self.srtt_s - rtt_s)
            self.srtt_s = (1 - alpha) * self.srtt_s + alpha * rtt_s
        self.rto_s = self.bound_rto(self.srtt_s + max(GRANULARITY_S, 4 * self.rttvar_s))

    def bound_rto(self, rto_s: float) -> float:
        """RFC 6298 (2.4) and (2.5)."""
        return min(max(rto_s, self.config.min_rto_s), self.config.max_rto_s)

    def take_rtt_of(self, ack: int, echo_reply: int | None) -> None:
        """The sample that an acknowledgment of new data gives, if it gives one (MUST-18)."""
        if echo_reply is not None:
            if echo_reply:
                rtt_s = ((self.timestamp() - echo_reply) & MASK) / TIMESTAMP_TICKS_PER_S
                if rtt_s <= self.config.max_rto_s:  # a lie, or older than what we would wait for
                    self.take_rtt_sample(rtt_s, max(1, self.flight_size // (2 * self.effective_mss)))
        elif self.timed_seq is not None and distance(self.timed_seq, ack) > 0:
            self.take_rtt_sample(self.now_s - self._timed_at_s)
        if self.timed_seq is not None and distance(self.timed_seq, ack) > 0:
            self.timed_seq = None

    def time_segment(self, seq: int) -> None:
        """Begins to time a segment of new data, unless one is timed already."""
        if self.timed_seq is None:
            self.timed_seq = seq
            self._timed_at_s = self.now_s

    # --- retransmission -----------------------------------------------------------------------------------------------

    def start_retransmission_timer(self) -> None:
        """RFC 6298 (5.1): unless it runs."""
        if self.retransmit_at_s is None:
            self.retransmit_at_s = self.now_s + self.rto_s
            if not self.retransmissions:
                self._in_flight_since_s = self.now_s

    def progress(self) -> None:
        """New data was acknowledged. RFC 6298 (5.2), (5.3)."""
        self.retransmissions = 0
        self.probes = 0
        self.persist_at_s = None
        self.retransmit_at_s = None
        if self.flight_size:
            self.start_retransmission_timer()
        self.undelivered_since_s = self.now_s if self.flight_size or self.send_buffer else None

    def retransmission_timeout(self) -> None:
        """RFC 6298 (5.4) to (5.7); R1 and R2 of RFC 9293 section 3.8.3."""
        self.retransmit_at_s = None
        if self.check_r2():
            self.give_up("R2")
            return
        self.retransmissions += 1
        if self.retransmissions == self.config.r1:
            self.report(DeliveryProblem(self.retransmissions))
        self.timed_seq = None  # Karn
        self.back_off()
        if self.syn_is_acknowledged:
            self.congestion_timeout(first=self.retransmissions == 1)
        else:
            self.syn_was_lost = True
        self.retransmit()

    def retransmit(self) -> None:
        """Begins again at what is not acknowledged; congestion control says how much of it at once."""
        self.snd_next = self.snd_una

    def back_off(self) -> None:
        """RFC 6298 (5.5)."""
        self.rto_s = min(2 * self.rto_s, self.config.max_rto_s)

    def check_r2(self) -> bool:
        """Whether the same segment was sent for long enough: data for R2 (MUST-20); of a SYN the last one so long after
        the first, so that it is really sent again for 3 minutes (MUST-23)."""
        if self.syn_is_acknowledged:
            return self.now_s - self._in_flight_since_s >= self.r2_s
        return self.last_sent_s - self._in_flight_since_s >= self.config.syn_r2_s

    # --- a closed window ----------------------------------------------------------------------------------------------

    def start_persist_timer(self) -> None:
        """A window of 0 is probed after the RTO, then ever more seldom (SHLD-29, SHLD-30). One that is merely too small
        to be worth a segment is used after a fixed time."""
        if self.persist_at_s is None:
            delay_s = OVERRIDE_S
            if self.is_persisting:
                delay_s = min(self.bound_rto(self.rto_s) * 2**self.probes, self.config.max_rto_s)
            self.persist_at_s = self.now_s + delay_s

    def persist_timeout(self) -> None:
        """Sends a probe, or what the window allows. Never gives up while something answers (MUST-37)."""
        self.persist_at_s = None
        self.probe_now = True
        if not self.is_persisting:
            return
        if self._unanswered_since_s is None:
            self._unanswered_since_s = self.now_s
        elif self.now_s - self._unanswered_since_s >= self.r2_s:
            self.give_up("R2")
            return
        # Beyond 2**16 the interval has long been at its upper bound.
        self.probes = min(self.probes + 1, 16)

    def probe_answered(self) -> None:
        """An acceptable acknowledgment came."""
        self._unanswered_since_s = None

    # --- the others ---------------------------------------------------------------------------------------------------

    def delay_ack(self) -> None:
        """An acknowledgment is due: for the second segment at once, for one alone a little later (SHLD-18, SHLD-19)."""
        if self.ack_at_s is not None or not self.config.delayed_ack:
            self.ack_now = True
        else:
            self.ack_at_s = self.now_s + self.config.delayed_ack_s

    def acknowledgment_sent(self) -> None:
        super().acknowledgment_sent()
        self.ack_at_s = None

    def start_time_wait(self) -> None:
        """Enters TIME-WAIT, or begins it anew: 2 MSL (MUST-13), the other timers off."""
        self.state = TIME_WAIT
        self.retransmit_at_s = self.persist_at_s = self.undelivered_since_s = None
        self.time_wait_at_s = self.now_s + 2 * self.config.msl_s

    @property
    def user_timeout_at_s(self) -> float | None:
        """When the user's patience ends: counted from the last progress while there is something undelivered."""
        if self.user_timeout_s is None or self.undelivered_since_s is None:
            return None
        return self.undelivered_since_s + self.user_timeout_s

    @property
    def keepalive_at_s(self) -> float | None:
        """When an idle connection is probed (MUST-26); off by default (MUST-25)."""
        if not self.keepalive or self.state not in (ESTABLISHED, CLOSE_WAIT, FIN_WAIT_2):
            return None
        if self.flight_size or self.send_buffer:
            return None
        return self.last_heard_s + self.config.keepalive_idle_s + self.keepalives * self.config.keepalive_interval_s

    def keepalive_timeout(self) -> None:
        """Probes; a connection is dead only after several probes in a row (MUST-29)."""
        if self.keepalives >= self.config.keepalive_probes:
            self.give_up("keep-alive")
            return
        self.keepalives += 1
        self.keepalive_now = True

    def heard(self) -> None:
        """Something arrived."""
        self.last_heard_s = self.now_s
        self.keepalives = 0

    def note_undelivered(self) -> None:
        """The user, or a handshake, has something to deliver from now on."""
        if self.undelivered_since_s is None and self.state not in (CLOSED, LISTEN):
            self.undelivered_since_s = self.now_s

    @property
    def keepalive_seq(self) -> int:
        """The sequence number of a keep-alive: one that was acknowledged, so that it must be answered."""
        return advance(self.snd_nxt, -1)
