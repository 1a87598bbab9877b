"""What is sent and when: Nagle, silly windows, PSH, URG, windows that close and shrink, delayed acknowledgments."""

from __future__ import annotations

import pytest

from shakeproof.impl.tcp.config import TcpConfig
from shakeproof.impl.tcp.options import maximum_segment_size, window_scale
from shakeproof.impl.tcp.sequence import distance
from tests.impl.tcp_material import PEER_MSS, connected, lab_in, letters

MSS = PEER_MSS


# --- Nagle, PSH, URG --------------------------------------------------------------------------------------------------


def test_nagle_holds_short_segments_while_data_is_outstanding() -> None:
    lab = connected()
    (first,) = lab.send(b"a")
    assert first.data == b"a"
    assert lab.send(b"b") == lab.send(b"c") == []
    (rest,) = lab.give("A")
    assert rest.data == b"bc"


def test_nagle_lets_full_segments_go() -> None:
    lab = connected()
    lab.send(b"a")
    (full,) = lab.send(bytes(MSS + 5))
    assert len(full.data) == MSS


def test_nagle_can_be_disabled_for_one_connection() -> None:
    lab = connected()
    lab.connection.nagle = False
    assert [s.data for s in lab.send(b"a") + lab.send(b"b")] == [b"a", b"b"]
    assert connected(nagle=False).connection.nagle is False


def test_psh_is_on_the_last_segment_of_what_is_buffered() -> None:
    lab = connected()
    assert [letters(segment) for segment in lab.send(bytes(2 * MSS + 10), push=True)] == ["A", "A"]
    assert [letters(segment) for segment in lab.give("A")] == ["PA"]


def test_data_without_push_waits_for_more_but_not_for_ever() -> None:
    lab = connected()
    assert lab.send(b"one", push=False) == []
    assert lab.send(b"two", push=False) == []
    ((at_s, segment),) = lab.elapse(0.9)
    assert (at_s, segment.data) == (0.5, b"onetwo")
    lab.give("A")
    lab.send(b"three", push=False)
    (segment,) = lab.send(b"four")
    assert segment.data == b"threefour"


def test_urgent_data_longer_than_the_field_is_announced_again_and_again() -> None:
    lab = connected(send_buffer=200_000, window=65_535, options=(maximum_segment_size(MSS), window_scale(2)))
    end = lab.connection.snd_nxt + 100_000
    sent = lab.send(bytes(100_000), urgent=True)
    assert [segment.urgent for segment in sent] == [65_535] * 4
    while lab.connection.flight_size:
        sent = lab.give("A", window=65_535)
        assert all(segment.urgent == min(65_535, end - segment.seq) for segment in sent)


def test_send_takes_what_fits_into_the_buffer() -> None:
    lab = connected(send_buffer=10, window=1)
    assert lab.connection.send(b"0123456789abc", lab.now_s) == 10
    assert lab.connection.send(b"x", lab.now_s) == 0


# --- windows ----------------------------------------------------------------------------------------------------------


def test_window_is_unsigned_16_bits() -> None:
    lab = connected(window=65_535, options=(maximum_segment_size(13_107),), mss=13_107)
    lab.connection.cwnd = 100_000
    assert sum(len(segment.data) for segment in lab.send(bytes(70_000))) == 65_535


def test_sender_avoids_silly_windows() -> None:
    lab = connected(window=MSS)
    lab.send(bytes(3000))
    assert lab.give("A", window=10) == [], "10 octets are no segment, nor half of the largest window"
    (segment,) = lab.give("A", window=500)
    assert len(segment.data) == 500, "half of the largest window seen"


def test_silly_window_is_used_after_the_override_timeout() -> None:
    lab = connected(window=MSS)
    lab.send(bytes(3000))
    lab.give("A", window=10)
    ((at_s, segment),) = lab.elapse(0.9)
    assert (at_s, len(segment.data)) == (0.5, 10)


def test_zero_window_is_probed_after_the_rto_and_ever_more_seldom() -> None:
    lab = connected(window=MSS)
    lab.send(bytes(3000))
    lab.give("A", window=0)
    probes = []
    for _ in range(10):
        timeout_s = lab.connection.next_timeout()
        assert timeout_s is not None
        ((_, probe),) = lab.elapse(timeout_s - lab.now_s)
        probes.append(lab.now_s)
        assert (len(probe.data), probe.seq) == (1, lab.connection.snd_una)
        lab.give("A", ack=lab.connection.snd_una, window=0)
    gaps = [round(b - a, 3) for a, b in zip([100.0, *probes], probes, strict=False)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_zero_window_never_ends_the_connection_while_probes_are_answered() -> None:
    lab = connected(window=MSS)
    lab.send(bytes(3000))
    lab.give("A", window=0)
    for _ in range(200):
        lab.elapse(60)
        lab.give("A", ack=lab.connection.snd_una, window=0)
    assert lab.connection.state == "ESTABLISHED"
    assert lab.events == []
    (segment,) = lab.give("A", ack=lab.connection.snd_una, window=MSS)
    assert (len(segment.data), segment.seq) == (MSS, lab.connection.snd_una)


def test_probe_that_is_accepted_is_not_sent_again() -> None:
    lab = connected(window=MSS)
    lab.send(bytes(range(250)) * 8)
    lab.give("A", window=0)
    ((_, probe),) = lab.elapse(1)
    (segment, *_) = lab.give("A", window=MSS)
    assert segment.seq == probe.seq + 1
    assert probe.data + segment.data == (bytes(range(250)) * 8)[1000 : 1001 + len(segment.data)]


def test_zero_window_in_the_handshake_is_probed_too() -> None:
    lab = connected(window=0)
    assert lab.send(b"hello") == []
    ((at_s, probe),) = lab.elapse(1.5)
    assert (at_s, probe.data) == (1.0, b"h")


def test_fin_in_a_zero_window_is_the_probe() -> None:
    lab = connected(window=0)
    assert lab.close() == []
    ((at_s, probe),) = lab.elapse(1.5)
    assert (at_s, letters(probe)) == (1.0, "FA")


def test_acknowledgments_of_two_sides_that_probe_are_acceptable_to_each_other() -> None:
    """RFC 9293 appendix A.2: an empty segment behind a probe that was not accepted would lie outside the window."""
    lab = connected(window=0)
    lab.send(b"hello")
    lab.elapse(1)
    assert lab.connection.snd_nxt == lab.connection.snd_una + 1
    (ack,) = lab.give("FA", ack=lab.connection.snd_una, window=0)
    assert ack.seq == lab.connection.snd_una


def test_shrunken_window_stops_new_data_and_old_data_is_sent_again_inside_it() -> None:
    lab = connected(window=4000)
    assert len(lab.send(bytes(6000))) == 4
    una = lab.connection.snd_una
    assert lab.give("A", ack=una, window=500) == []
    sent = lab.elapse(40)
    assert sent
    assert all(segment.seq == una and len(segment.data) == 500 for _, segment in sent)
    assert lab.connection.state == "ESTABLISHED"


def test_window_shrunk_to_zero_is_probed() -> None:
    lab = connected(window=4000)
    lab.send(bytes(6000))
    lab.give("A", ack=lab.connection.snd_una, window=0)
    ((at_s, probe),) = lab.elapse(1.5)
    assert (at_s, len(probe.data), probe.seq) == (1.0, 1, lab.connection.snd_una)
    lab.give("A", ack=lab.connection.snd_una, window=0)
    (first, *_) = lab.give("A", ack=lab.connection.snd_una, window=4000)
    assert (first.seq, len(first.data)) == (lab.connection.snd_una, MSS)


# --- the receive window -----------------------------------------------------------------------------------------------


def test_right_window_edge_never_moves_left_and_moves_in_large_steps() -> None:
    lab = connected(receive_buffer=4000, window=65_535)
    edge = lab.connection.advertised_edge
    for _ in range(40):
        lab.give("PA", data=bytes(100))
        lab.connection.receive(90)
        lab.out()
        step = distance(edge, lab.connection.advertised_edge)
        assert step == 0 or step >= MSS
        edge = lab.connection.advertised_edge


def test_reading_from_a_full_buffer_updates_the_window() -> None:
    lab = connected(receive_buffer=4000)
    (ack,) = lab.give("PA", data=bytes(4000)) or lab.elapse(0.3)[0][1:]
    assert ack.window == 0
    lab.connection.receive(500)
    assert lab.out() == []
    lab.connection.receive(500)
    (update,) = lab.out()
    assert (letters(update), update.window) == ("A", 1000)


def test_window_that_is_scaled_is_rounded_up_only_into_free_space() -> None:
    lab = connected(receive_buffer=300_000, window_scale=3, options=(window_scale(0),))
    edge = None
    for size in (3, 1001, 77, 8000, 13):
        lab.give("PA", data=bytes(size))
        lab.connection.receive()
        lab.elapse(0.3)
        assert edge is None or distance(edge, lab.connection.advertised_edge) >= 0
        edge = lab.connection.advertised_edge
        assert distance(lab.connection.rcv_nxt, edge) <= 300_000


# --- acknowledgments --------------------------------------------------------------------------------------------------


def test_acknowledgment_is_delayed_for_less_than_half_a_second() -> None:
    lab = connected()
    assert lab.give("A", data=bytes(MSS)) == []
    ((at_s, ack),) = lab.elapse(0.5)
    assert at_s < 0.5
    assert ack.ack == lab.connection.rcv_nxt
    with pytest.raises(ValueError, match="MUST-40"):
        TcpConfig(secret=b"x", delayed_ack_s=0.5)


def test_second_segment_is_acknowledged_at_once() -> None:
    lab = connected()
    counts = [len(lab.give("A", data=bytes(MSS))) for _ in range(6)]
    assert counts == [0, 1, 0, 1, 0, 1]


def test_acknowledgment_rides_on_data() -> None:
    lab = connected()
    lab.give("PA", data=b"question")
    (answer,) = lab.send(b"answer")
    assert answer.ack == lab.connection.rcv_nxt
    assert lab.elapse(0.5) == []


def test_acknowledgments_are_not_delayed_if_so_configured() -> None:
    lab = connected(delayed_ack=False)
    assert len(lab.give("A", data=b"x")) == 1


def test_fin_is_acknowledged_at_once() -> None:
    assert len(connected().give("FA")) == 1


def test_empty_acknowledgment_is_never_acknowledged() -> None:
    lab = lab_in("ESTABLISHED")
    assert lab.give("A") == []
    assert lab.elapse(10) == []
