"""Each test of a requirement fails where the requirement is broken: a fault is planted in the classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from shakeproof.impl.tcp import Flags, Host, Segment, TcpConnection, icmp, isn, options, receive, segment, tcb, timers
from shakeproof.impl.tcp.congestion import Congestion
from shakeproof.impl.tcp.host import HostEvents
from shakeproof.impl.tcp.icmp import IcmpError, Severity
from shakeproof.impl.tcp.options import Option, encode_options
from shakeproof.impl.tcp.send import Sender
from shakeproof.impl.tcp.sequence import MASK, distance
from shakeproof.impl.tcp.tcb import Tcb
from shakeproof.impl.tcp.text import TextReceiver
from shakeproof.impl.tcp.timers import Timers
from tests.impl import test_tcp_requirements as wire
from tests.impl import test_tcp_requirements_flow as flow
from tests.impl import test_tcp_requirements_icmp as errors
from tests.impl.tcp_material import LOCAL, REMOTE

Patch = pytest.MonkeyPatch
Test = Callable[[], None]


def wrap(patch: Patch, owner: type, name: str, around: Callable[..., Any]) -> None:
    """Puts a function around a method: it is given the sound method, then what that is given."""
    sound = getattr(owner, name)
    patch.setattr(owner, name, lambda *given, **named: around(sound, *given, **named))


# --- checksum, options, sizes -----------------------------------------------------------------------------------------


def no_pseudo_header(patch: Patch) -> None:
    patch.setattr(segment, "_pseudo_header_sum", lambda *_: 0)


def odd_octet_forgotten(patch: Patch) -> None:
    sound = segment.checksum
    patch.setattr(segment, "checksum", lambda data, *ips: sound(data[: len(data) & ~1], *ips))


def checksum_unchecked(patch: Patch) -> None:
    patch.setattr(segment, "checksum", lambda *_: 0)


def options_only_in_syns(patch: Patch) -> None:
    def receive_segment(sound: Any, self: TcpConnection, given: Segment, *rest: Any) -> Any:
        return [] if given.options and not given.flags & Flags.SYN else sound(self, given, *rest)

    wrap(patch, TcpConnection, "receive_segment", receive_segment)


def timestamps_unread(patch: Patch) -> None:
    patch.setattr(receive, "find_timestamps", lambda _: None)


def options_only_at_words(patch: Patch) -> None:
    def decode_options(octets: bytes) -> tuple[Option, ...]:
        found, position = [], 0
        for option in sound(octets):
            if position % 4 == 0:
                found.append(option)
            position += 1 if option.kind == 1 else 2 + len(option.data)
        return tuple(found)

    sound = options.decode_options
    patch.setattr(segment, "decode_options", decode_options)


def wrong_length_of_timestamps(patch: Patch) -> None:
    patch.setattr(segment, "encode_options", lambda given: encode_options(given).replace(b"\x08\x0a", b"\x08\x0b"))


def padded_with_rubbish(patch: Patch) -> None:
    def encode(given: tuple[Option, ...]) -> bytes:
        used = sum(1 if option.kind < 2 else 2 + len(option.data) for option in given)
        return encode_options(given)[:used] + b"\0\xff\xff"[: -used % 4]

    patch.setattr(segment, "encode_options", encode)


def no_mss_option(patch: Patch) -> None:
    wrap(patch, Tcb, "syn_options", lambda sound, self: sound(self)[1:])


def mss_of_the_peer_ignored(patch: Patch) -> None:
    patch.setattr(Tcb, "effective_mss", property(lambda self: self.config.mss))


def default_mss_of_ethernet(patch: Patch) -> None:
    patch.setattr(tcb, "DEFAULT_MSS_IPV4", 1460)
    patch.setattr(tcb, "DEFAULT_MSS_IPV6", 1440)


def mss_of_ipv4_over_ipv6(patch: Patch) -> None:
    patch.setattr(tcb, "IPV6_EXTRA", 0)


# --- numbers, listening, addresses ------------------------------------------------------------------------------------


def isn_of_the_clock(patch: Patch) -> None:
    patch.setattr(Tcb, "select_iss", lambda self: int(self.now_s * 250_000) & MASK)


def hash_without_the_secret(patch: Patch) -> None:
    sound = isn.keyed_hash
    patch.setattr(isn, "keyed_hash", lambda _, *given: sound(b"no secret", *given))


def one_connection_a_port(patch: Patch) -> None:
    patch.setattr(Host, "check_room", lambda self, listener: all(key[0] != listener.port for key in self.connections))


def addresses_unchecked(patch: Patch) -> None:
    patch.setattr(Host, "check_addresses", lambda *_: True)


def errors_of_nobody(patch: Patch) -> None:
    patch.setattr(Host, "receive_icmp", lambda *_: [])


def errors_of_all(patch: Patch) -> None:
    def receive_icmp(_: Any, self: Host, error: IcmpError, now_s: float) -> HostEvents:
        return [(c, event) for c in self.connections.values() for event in c.receive_soft_error(str(error), now_s)]

    wrap(patch, Host, "receive_icmp", receive_icmp)


def severity(old: Severity, new: Severity) -> Callable[[Patch], None]:
    """ICMP errors of one severity are taken for those of another."""

    def change(patch: Patch) -> None:
        sound = IcmpError.severity.fget  # type: ignore[attr-defined]
        patch.setattr(icmp.IcmpError, "severity", property(lambda self: new if sound(self) is old else sound(self)))

    return change


# --- windows and timers -----------------------------------------------------------------------------------------------


def window_of_what_is_free_now(patch: Patch) -> None:
    def update(self: TcpConnection) -> None:
        self.rcv_wnd = max(0, self.receive_limit - len(self.receive_buffer) - self.reassembly.held)

    patch.setattr(Sender, "update_receive_window", update)


def answers_to_probes_ignored(patch: Patch) -> None:
    patch.setattr(Timers, "probe_answered", lambda _: None)


def no_backoff(patch: Patch) -> None:
    patch.setattr(Timers, "back_off", lambda _: None)


def variation_weighed_wrongly(patch: Patch) -> None:
    patch.setattr(timers, "BETA", 0.5)


def without_karn(patch: Patch) -> None:
    def timeout(sound: Any, self: TcpConnection) -> None:
        timed = self.timed_seq
        sound(self)
        self.timed_seq = timed

    wrap(patch, Timers, "retransmission_timeout", timeout)


def syn_given_up_by_the_clock(patch: Patch) -> None:
    """As it was: 183 s after the first SYN it was over, but the last SYN had been sent after 123 s."""
    patch.setattr(Timers, "check_r2", lambda self: self.now_s - self._in_flight_since_s >= self.config.syn_r2_s)


# --- congestion -------------------------------------------------------------------------------------------------------


def large_initial_window(patch: Patch) -> None:
    patch.setattr(Congestion, "initial_window", lambda _: 30_000)


def no_congestion_avoidance(patch: Patch) -> None:
    def grow(self: TcpConnection, acked: int) -> None:
        self.cwnd += acked

    patch.setattr(Congestion, "grow_window", grow)


def threshold_kept(patch: Patch) -> None:
    patch.setattr(Congestion, "halve_ssthresh", lambda _: None)


def window_kept_at_a_timeout(patch: Patch) -> None:
    def timeout(sound: Any, self: TcpConnection, *, first: bool) -> None:
        cwnd = self.cwnd
        sound(self, first=first)
        self.cwnd = cwnd

    wrap(patch, Congestion, "congestion_timeout", timeout)


# --- urgent data, push, large segments --------------------------------------------------------------------------------


def urgent_data_too_long_unannounced(patch: Patch) -> None:
    def make(sound: Any, self: TcpConnection, seq: int, *given: Any) -> Segment:
        made: Segment = sound(self, seq, *given)
        if distance(seq, self.snd_up) > 0xFFFF:
            return dataclasses.replace(made, flags=made.flags & ~Flags.URG, urgent=0)
        return made

    wrap(patch, Tcb, "make_segment", make)


def first_urgent_pointer_only(patch: Patch) -> None:
    def take(sound: Any, self: TcpConnection, given: Segment) -> None:
        if self.rcv_up == self.irs + 1:
            sound(self, given)

    wrap(patch, TextReceiver, "receive_urgent", take)


def pointer_to_the_last_urgent_octet(patch: Patch) -> None:
    def make(sound: Any, self: TcpConnection, *given: Any) -> Segment:
        made: Segment = sound(self, *given)
        return dataclasses.replace(made, urgent=max(made.urgent - 1, 0))

    wrap(patch, Tcb, "make_segment", make)


def pointer_read_as_of_the_last_octet(patch: Patch) -> None:
    def take(sound: Any, self: TcpConnection, given: Segment) -> None:
        sound(self, dataclasses.replace(given, urgent=given.urgent + 1))

    wrap(patch, TextReceiver, "receive_urgent", take)


def each_push_a_segment(patch: Patch) -> None:
    patch.setattr(Sender, "accept_sending", lambda _, unsent, usable: min(unsent, usable) > 0)


def small_pieces(patch: Patch) -> None:
    wrap(patch, Sender, "usable_window", lambda sound, self: min(sound(self), 700))


CASES: list[tuple[Callable[[Patch], None], Test]] = [
    (no_pseudo_header, partial(wire.test_checksum_of_every_sent_segment_is_right, 4)),
    (no_pseudo_header, partial(wire.test_checksum_of_every_sent_segment_is_right, 6)),
    (odd_octet_forgotten, partial(wire.test_checksum_of_every_sent_segment_is_right, 4)),
    (checksum_unchecked, partial(wire.test_segment_with_a_bad_checksum_is_dropped_in_silence, "ESTABLISHED")),
    (checksum_unchecked, partial(wire.test_segment_with_a_bad_checksum_is_dropped_in_silence, "LISTEN")),
    (checksum_unchecked, partial(wire.test_segment_with_a_bad_checksum_is_dropped_in_silence, "CLOSED")),
    (options_only_in_syns, partial(wire.test_options_are_read_in_any_segment, "ESTABLISHED", "PA")),
    (timestamps_unread, partial(wire.test_timestamps_are_read_and_echoed_whatever_segment_they_come_in, "FA")),
    (options_only_at_words, partial(wire.test_options_begin_on_any_octet, 1)),
    (wrong_length_of_timestamps, partial(wire.test_sent_options_have_lengths, 4)),
    (padded_with_rubbish, partial(wire.test_header_is_padded_with_zeros, 0)),
    (no_mss_option, partial(wire.test_mss_option_is_sent_and_obeyed, 4, 536)),
    (mss_of_the_peer_ignored, partial(wire.test_mss_option_is_sent_and_obeyed, 6, 536)),
    (default_mss_of_ethernet, partial(wire.test_send_mss_without_option, 4, 536)),
    (default_mss_of_ethernet, partial(wire.test_send_mss_without_option, 6, 1220)),
    (mss_of_ipv4_over_ipv6, partial(wire.test_sent_mss_fits_the_link, 6)),
    (isn_of_the_clock, wire.test_isn_of_other_tuples_is_unrelated),
    (hash_without_the_secret, wire.test_isn_of_other_tuples_is_unrelated),
    (one_connection_a_port, partial(wire.test_listener_and_its_connections, "SYN_SENT")),
    (one_connection_a_port, partial(wire.test_listener_and_its_connections, "SYN_RECEIVED")),
    (addresses_unchecked, partial(wire.test_syn_of_invalid_addresses_is_dropped, 4, REMOTE.ip, "224.0.0.1")),
    (addresses_unchecked, partial(wire.test_syn_of_invalid_addresses_is_dropped, 4, wire.BROADCAST, LOCAL.ip)),
    (addresses_unchecked, partial(wire.test_syn_of_invalid_addresses_is_dropped, 6, "ff02::1", wire.HERE[6])),
    (errors_of_nobody, partial(errors.test_icmp_error_reaches_its_connection_and_no_other, 4, 3, 3)),
    (errors_of_all, partial(errors.test_icmp_error_reaches_its_connection_and_no_other, 6, 1, 0)),
    (severity(Severity.IGNORED, Severity.SOFT), errors.test_source_quench_is_discarded),
    (severity(Severity.IGNORED, Severity.HARD), errors.test_source_quench_is_discarded),
    (severity(Severity.SOFT, Severity.HARD), partial(errors.test_soft_error_does_not_abort_the_connection, 4, 3, 0)),
    (severity(Severity.HARD, Severity.SOFT), partial(errors.test_hard_error_aborts_the_connection, 3, 3)),
    (window_of_what_is_free_now, partial(flow.test_right_edge_of_window_never_moves_left, 40_000, 0, 0)),
    (window_of_what_is_free_now, partial(flow.test_right_edge_of_window_never_moves_left, 100_001, 3, 0)),
    (answers_to_probes_ignored, flow.test_shrunk_window_does_not_time_out),
    (no_backoff, partial(flow.test_rto_follows_rfc_6298, (0.9,))),
    (variation_weighed_wrongly, partial(flow.test_rto_follows_rfc_6298, (0.9, 0.1))),
    (without_karn, partial(flow.test_rto_follows_rfc_6298, (0.9, 0.1))),
    (syn_given_up_by_the_clock, partial(flow.test_syn_is_given_up_after_three_minutes_at_least, False)),
    (syn_given_up_by_the_clock, partial(flow.test_syn_is_given_up_after_three_minutes_at_least, True)),
    (large_initial_window, flow.test_congestion_window_follows_rfc_5681),
    (no_congestion_avoidance, flow.test_congestion_window_follows_rfc_5681),
    (threshold_kept, flow.test_congestion_window_follows_rfc_5681),
    (window_kept_at_a_timeout, flow.test_congestion_window_follows_rfc_5681),
    (no_backoff, flow.test_congestion_window_follows_rfc_5681),
    (urgent_data_too_long_unannounced, flow.test_urgent_mode_of_more_than_65535_octets_ends_at_the_pointer),
    (first_urgent_pointer_only, flow.test_urgent_mode_of_more_than_65535_octets_ends_at_the_pointer),
    (pointer_to_the_last_urgent_octet, flow.test_urgent_pointer_points_after_the_data),
    (pointer_read_as_of_the_last_octet, flow.test_urgent_pointer_points_after_the_data),
    (each_push_a_segment, flow.test_psh_bits_are_collapsed),
    (small_pieces, partial(flow.test_bulk_text_leaves_in_full_segments, True)),
]


@pytest.mark.parametrize(
    ("plant", "run"), CASES, ids=[f"{plant.__name__}-{index}" for index, (plant, _) in enumerate(CASES)]
)
def test_broken_requirement_fails_its_test(
    plant: Callable[[Patch], None], run: Test, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire.wire_once.cache_clear()
    plant(monkeypatch)
    with pytest.raises(AssertionError):
        run()
    wire.wire_once.cache_clear()
