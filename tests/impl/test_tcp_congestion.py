"""Congestion control: RFC 5681 and NewReno."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.tcp import Segment
from shakeproof.impl.tcp.options import maximum_segment_size, window_scale
from tests.impl.tcp_material import PEER_MSS, Lab, connected

MSS = PEER_MSS
MUCH = 400_000


def sender(**changes: Any) -> Lab:
    """A connection whose peer's window is no limit."""
    options = (maximum_segment_size(MSS), window_scale(7))
    lab = connected(options=options, window=65_535, send_buffer=MUCH, **changes)
    lab.give("A")
    return lab


def offsets(lab: Lab, segments: list[Segment]) -> list[int]:
    """Where segments begin, in segments from the first byte on."""
    return [(segment.seq - lab.connection.iss - 1) // MSS for segment in segments]


def lose_the_first_of_ten(lab: Lab) -> list[Segment]:
    """Ten segments in flight, of which the first is lost: what the third duplicate acknowledgment brings."""
    lab.connection.cwnd = 10 * MSS
    assert len(lab.send(bytes(MUCH))) == 10
    una = lab.connection.snd_una
    for _ in range(2):
        lab.give("A", ack=una)
    return lab.give("A", ack=una)


@pytest.mark.parametrize(("mss", "segments"), [(536, 4), (1095, 4), (1096, 3), (2190, 3), (2191, 2), (9000, 2)])
def test_initial_window(mss: int, segments: int) -> None:
    lab = connected(options=(maximum_segment_size(mss),), mss=9000)
    assert len(lab.send(bytes(60_000))) == segments


def test_slow_start_adds_a_segment_for_each_acknowledgment() -> None:
    lab = sender()
    sent = lab.send(bytes(MUCH))
    assert len(sent) == 4
    for segment in sent:
        sent = lab.give("A", ack=segment.seq + MSS)
        assert len(sent) == 2
    assert lab.connection.cwnd == 8 * MSS


def test_slow_start_does_not_reward_many_acknowledgments_of_little() -> None:
    lab = sender()
    lab.send(bytes(MUCH))
    una = lab.connection.snd_una
    for octets in range(1, 101):
        lab.give("A", ack=una + octets)
    assert lab.connection.cwnd == 4 * MSS + 100


def test_congestion_avoidance_adds_a_segment_for_each_window() -> None:
    lab = sender()
    lab.connection.cwnd = lab.connection.ssthresh = 8 * MSS
    lab.send(bytes(MUCH))
    for _ in range(8):
        lab.give("A", ack=lab.connection.snd_una + MSS)
    assert lab.connection.cwnd == 9 * MSS


def test_two_duplicates_let_new_data_go_and_the_third_sends_the_lost_segment() -> None:
    lab = sender()
    lab.connection.cwnd = 10 * MSS
    lab.send(bytes(MUCH))
    una = lab.connection.snd_una
    assert offsets(lab, lab.give("A", ack=una)) == [10]
    assert offsets(lab, lab.give("A", ack=una)) == [11]
    assert offsets(lab, lab.give("A", ack=una)) == [0]
    assert lab.connection.in_recovery
    assert lab.connection.ssthresh == 6 * MSS
    assert lab.connection.cwnd == 9 * MSS


def test_fast_recovery_inflates_and_ends_with_the_full_acknowledgment() -> None:
    lab = sender()
    lose_the_first_of_ten(lab)
    una = lab.connection.snd_una
    sent = [segment for _ in range(7) for segment in lab.give("A", ack=una)]
    assert offsets(lab, sent) == [12, 13, 14, 15]
    lab.give("A", ack=lab.connection.recover)
    assert not lab.connection.in_recovery
    assert lab.connection.cwnd <= lab.connection.ssthresh


def test_partial_acknowledgment_sends_the_next_hole() -> None:
    lab = sender()
    lose_the_first_of_ten(lab)
    sent = lab.give("A", ack=lab.connection.iss + 1 + 4 * MSS)
    assert offsets(lab, sent)[0] == 4
    assert lab.connection.in_recovery


def test_hostile_duplicates_do_not_open_the_window_for_ever() -> None:
    lab = sender()
    lose_the_first_of_ten(lab)
    una = lab.connection.snd_una
    for _ in range(1000):
        lab.give("A", ack=una)
    assert lab.connection.cwnd <= lab.connection.ssthresh + lab.connection.flight_size


def test_what_is_no_duplicate_acknowledgment() -> None:
    lab = sender()
    lab.send(bytes(MUCH))
    una = lab.connection.snd_una
    for count in range(5):
        lab.give("A", ack=una, data=b"x")
        lab.give("A", ack=una, window=60_000 + count)
    lab.give("FA", ack=una)
    assert lab.connection.duplicate_acks == 0
    assert connected().give("A") == []


def test_timeout_starts_over_from_one_segment() -> None:
    lab = sender()
    lab.connection.cwnd = 10 * MSS
    lab.send(bytes(MUCH))
    sent = lab.elapse(1)
    assert offsets(lab, [segment for _, segment in sent]) == [0]
    assert lab.connection.cwnd == MSS
    assert lab.connection.ssthresh == 5 * MSS
    assert offsets(lab, lab.give("A", ack=lab.connection.snd_una + MSS)) == [1, 2]


def test_second_timeout_of_the_same_segment_leaves_ssthresh() -> None:
    lab = sender()
    lab.connection.cwnd = 10 * MSS
    lab.send(bytes(MUCH))
    lab.elapse(3)
    assert lab.connection.retransmissions == 2
    assert lab.connection.ssthresh == 5 * MSS


def test_acknowledgment_after_a_timeout_jumps_over_what_had_arrived() -> None:
    lab = sender()
    lab.connection.cwnd = 10 * MSS
    lab.send(bytes(MUCH))
    lab.elapse(1)
    assert offsets(lab, lab.give("A", ack=lab.connection.snd_una + 10 * MSS)) == [10, 11]


def test_duplicates_of_what_was_sent_again_after_a_timeout_are_no_loss() -> None:
    lab = sender()
    lab.connection.cwnd = 10 * MSS
    lab.send(bytes(MUCH))
    lab.elapse(1)
    lab.give("A", ack=lab.connection.snd_una + 10 * MSS)
    una = lab.connection.snd_una
    for _ in range(4):
        lab.give("A", ack=una)
    assert not lab.connection.in_recovery


def test_silence_brings_the_initial_window_back() -> None:
    lab = sender()
    lab.connection.cwnd = 50 * MSS
    lab.elapse(10)
    assert len(lab.send(bytes(MUCH))) == 4
