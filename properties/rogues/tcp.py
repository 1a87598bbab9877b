"""Faults of TCP: each is planted on one connection, or on one host, which gives it to every connection that it makes.

Those that the protection of RFC 5961 concerns (`in_window_reset`, `syn_resets`) are faults under the reading `rfc5961`
only: RFC 9293 describes the same behaviour for stacks without it.
"""

from __future__ import annotations

from collections.abc import Callable

from shakeproof.impl.tcp import Endpoint, Host, Segment, TcpConfig, TcpConnection
from shakeproof.impl.tcp.congestion import INITIAL_SSTHRESH
from shakeproof.impl.tcp.events import Closed, ResetReceived
from shakeproof.impl.tcp.isn import TICKS_PER_S
from shakeproof.impl.tcp.segment import ACK, RST, SYN, Flags
from shakeproof.impl.tcp.sequence import MASK, advance, distance
from shakeproof.impl.tcp.tcb import SYN_RECEIVED, SYN_SENT

Plant = Callable[[TcpConnection], None]


def on_every_connection(plant: Plant) -> Callable[[Host], None]:
    """The same fault of a host: every connection that it makes from now on has it."""

    def plant_on(host: Host) -> None:
        sound = host.make_connection

        def make_connection(config: TcpConfig, local: Endpoint, remote: Endpoint | None, now_s: float) -> TcpConnection:
            connection = sound(config, local, remote, now_s)
            plant(connection)
            return connection

        setattr(host, "make_connection", make_connection)  # noqa: B010  # on this object alone

    return plant_on


# --- resets and SYNs ------------------------------------------------------------------------------------------------


def in_window_reset(connection: TcpConnection) -> None:
    """Any sequence number in the window makes a reset good, so that one guess in a window's worth ends a connection."""
    setattr(connection, "check_reset_is_exact", lambda _: True)  # noqa: B010  # on this object alone


def syn_resets(connection: TcpConnection) -> None:
    """A SYN in the window ends a synchronized connection with a reset, as RFC 793 had it."""
    sound = connection.accept_syn_again

    def accept_syn_again(segment: Segment) -> bool:
        if connection.state == SYN_RECEIVED or not connection.check_sequence_number(segment):
            return sound(segment)
        connection.reply_reset(segment)
        connection.delete_tcb()
        connection.report(ResetReceived())
        return False

    setattr(connection, "accept_syn_again", accept_syn_again)  # noqa: B010  # on this object alone


def reset_for_reset(connection: TcpConnection) -> None:
    """What a connection answers with a reset, it answers so when it is a reset itself."""
    sound = connection.reply_reset

    def reply_reset(segment: Segment) -> None:
        if int(segment.flags) & RST:
            connection.reply(_reset_of_reset(segment))
        else:
            sound(segment)

    setattr(connection, "reply_reset", reply_reset)  # noqa: B010  # on this object alone


def reset_for_reset_of_nobody(host: Host) -> None:
    """The same of a host, for resets that belong to no connection as well: two of them never stop."""
    sound = host.make_reset
    on_every_connection(reset_for_reset)(host)

    def make_reset(segment: Segment) -> Segment | None:
        return _reset_of_reset(segment) if int(segment.flags) & RST else sound(segment)

    setattr(host, "make_reset", make_reset)  # noqa: B010  # on this object alone


def _reset_of_reset(segment: Segment) -> Segment:
    """As section 3.5.2 has it for any other segment."""
    ports = (segment.destination_port, segment.source_port)
    if int(segment.flags) & ACK:
        return Segment(*ports, seq=segment.ack, flags=Flags.RST)
    return Segment(*ports, seq=0, ack=advance(segment.seq, segment.length), flags=Flags.RST | Flags.ACK)


# --- opening --------------------------------------------------------------------------------------------------------


def old_syn_opens(connection: TcpConnection) -> None:
    """In SYN-SENT a SYN,ACK opens the connection whatever it acknowledges: line 4 of figure 8, without line 5.

    So a SYN of an earlier incarnation, which the peer cannot know to be old, opens a connection: its answer is taken
    for the answer to the SYN that was really sent, and confirmed.
    """
    sound_check, sound_acknowledge = connection.check_acknowledges_syn, connection.acknowledge

    def check_acknowledges_syn(segment: Segment) -> bool:
        answers = int(segment.flags) & (SYN | ACK | RST) == SYN | ACK
        return (connection.state == SYN_SENT and answers) or sound_check(segment)

    def acknowledge(ack: int, echo_reply: int | None) -> None:
        in_order = distance(connection.snd_una, ack) > 0 and distance(ack, connection.snd_nxt) >= 0
        sound_acknowledge(ack if in_order else connection.snd_nxt, echo_reply)

    setattr(connection, "check_acknowledges_syn", check_acknowledges_syn)  # noqa: B010  # on this object alone
    setattr(connection, "acknowledge", acknowledge)  # noqa: B010  # on this object alone


def predictable_isn(connection: TcpConnection) -> None:
    """The initial sequence number is the clock alone: whoever opens one connection knows that of all others."""
    setattr(connection, "select_iss", lambda: int(connection.now_s * TICKS_PER_S) & MASK)  # noqa: B010  # likewise


# --- sequence and acknowledgment numbers ------------------------------------------------------------------------------


def unsent_acknowledged(connection: TcpConnection) -> None:
    """An acknowledgment of octets that were never sent is taken, and what it covers of the buffer thrown away."""
    sound_check, sound_acknowledge = connection.check_acknowledgment_number, connection.acknowledge

    def check_acknowledgment_number(segment: Segment) -> bool:
        return distance(connection.snd_nxt, segment.ack) > 0 or sound_check(segment)

    def acknowledge(ack: int, echo_reply: int | None) -> None:
        if distance(connection.snd_nxt, ack) > 0:
            connection.snd_nxt = ack
        sound_acknowledge(ack, echo_reply)

    setattr(connection, "check_acknowledgment_number", check_acknowledgment_number)  # noqa: B010  # on this object alone
    setattr(connection, "acknowledge", acknowledge)  # noqa: B010  # on this object alone


def beyond_window_accepted(connection: TcpConnection) -> None:
    """Data is taken however far beyond the window it lies, in a segment of its own or in one that begins in it."""
    sound = connection.check_sequence_number

    def check_sequence_number(segment: Segment) -> bool:
        beyond = distance(connection.rcv_nxt, segment.seq) >= connection.rcv_wnd
        return (beyond and bool(segment.data)) or sound(segment)

    def trim_to_window(seq: int, data: bytes, *, fin: bool) -> tuple[bytes, bool]:
        return data, fin

    setattr(connection, "check_sequence_number", check_sequence_number)  # noqa: B010  # on this object alone
    setattr(connection, "trim_to_window", trim_to_window)  # noqa: B010  # on this object alone


def overlap_taken_twice(connection: TcpConnection) -> None:
    """Of a segment that straddles RCV.NXT all data is taken for new, what was received before with it."""

    def trim_to_new(seq: int, data: bytes) -> tuple[int, bytes]:
        return (connection.rcv_nxt, data) if distance(seq, connection.rcv_nxt) > 0 else (seq, data)

    setattr(connection, "trim_to_new", trim_to_new)  # noqa: B010  # on this object alone


def early_fin_closes(connection: TcpConnection) -> None:
    """A FIN that comes before the data in front of it ends the stream: the data is given up, and acknowledged."""

    def check_fin_is_next(seq: int) -> bool:
        connection.rcv_nxt = seq
        return True

    setattr(connection, "check_fin_is_next", check_fin_is_next)  # noqa: B010  # on this object alone


def paws_ignored(connection: TcpConnection) -> None:
    """Timestamps are sent and echoed, but one from the past is no reason to drop a segment."""
    setattr(connection, "check_paws", lambda _: True)  # noqa: B010  # on this object alone


# --- time -----------------------------------------------------------------------------------------------------------


def time_wait_skipped(connection: TcpConnection) -> None:
    """The connection is gone as soon as both FINs are acknowledged, so that nobody answers the peer's FIN once more."""

    def start_time_wait() -> None:
        if connection.ack_now:
            connection.reply(connection.make_segment(connection.seq_of_empty_segments, ACK))
        connection.delete_tcb()
        connection.report(Closed())

    setattr(connection, "start_time_wait", start_time_wait)  # noqa: B010  # on this object alone


def no_retransmission(connection: TcpConnection) -> None:
    """What was sent is never sent again: the timer runs out, and duplicate acknowledgments come, for nothing."""
    setattr(connection, "retransmit", lambda: None)  # noqa: B010  # on this object alone
    setattr(connection, "fast_retransmit", lambda: None)  # noqa: B010  # on this object alone


def no_slow_start(connection: TcpConnection) -> None:
    """The congestion window is open from the first segment on: all that the peer's window takes is sent at once."""

    def grow_window(_: int) -> None:
        connection.cwnd = max(connection.cwnd, connection.ssthresh)

    setattr(connection, "initial_window", lambda: INITIAL_SSTHRESH)  # noqa: B010  # on this object alone
    setattr(connection, "grow_window", grow_window)  # noqa: B010  # on this object alone
