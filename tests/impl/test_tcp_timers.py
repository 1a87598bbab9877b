"""Timers: the retransmission timeout, R1 and R2, the user's timeout, keep-alive."""

from __future__ import annotations

import pytest

from shakeproof.impl.tcp import DeliveryProblem, TimedOut
from shakeproof.impl.tcp.options import timestamps
from tests.impl.tcp_material import Lab, config, connected, lab_in, letters, opening_lab

HOURS_2 = 7200.0


def times(lab: Lab, seconds: float) -> list[float]:
    return [at_s for at_s, _ in lab.elapse(seconds)]


# --- the timeout ------------------------------------------------------------------------------------------------------


def test_syn_is_sent_again_after_1_second_and_doubling() -> None:
    lab = opening_lab()
    sent = lab.elapse(70)
    assert [at_s for at_s, _ in sent] == [1, 3, 7, 15, 31, 63]
    assert {(letters(segment), segment.seq) for _, segment in sent} == {("S", lab.connection.iss)}


def test_syn_ack_is_sent_again() -> None:
    lab = lab_in("SYN_RECEIVED")
    sent = lab.elapse(4)
    assert [(at_s, letters(segment)) for at_s, segment in sent] == [(1, "SA"), (3, "SA")]


def test_timeout_after_a_lost_syn_is_3_seconds() -> None:
    lab = opening_lab()
    lab.elapse(1)
    lab.give("SA", seq=5)
    assert lab.connection.rto_s == 3
    assert lab.connection.cwnd == lab.connection.effective_mss
    lab.send(b"x")
    assert times(lab, 4) == [3]


def test_data_is_sent_again_after_the_timeout_and_doubling_up_to_the_maximum() -> None:
    lab = connected(r2_s=1e9)
    lab.send(b"x")
    assert times(lab, 300) == [1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_first_and_later_samples_as_in_rfc_6298() -> None:
    lab = opening_lab()
    lab.now_s += 2.0 - 1.5
    lab.give("SA", seq=5)
    c = lab.connection
    assert (c.srtt_s, c.rttvar_s, c.rto_s) == (0.5, 0.25, 1.5)
    lab.send(b"x")
    lab.now_s += 0.9
    lab.give("A")
    assert c.srtt_s == pytest.approx(0.55)
    assert c.rttvar_s == pytest.approx(0.2875)
    assert c.rto_s == pytest.approx(0.55 + 4 * 0.2875)


def test_timeout_is_at_least_1_second() -> None:
    lab = connected()
    for _ in range(20):
        lab.send(b"x")
        lab.now_s += 0.001
        lab.give("A")
    assert lab.connection.rto_s == 1


def test_karn_no_sample_from_what_was_sent_twice_and_the_backoff_stays() -> None:
    lab = connected()
    before = lab.connection.srtt_s
    lab.send(b"x")
    lab.elapse(1)
    lab.now_s += 0.5
    lab.give("A")
    assert lab.connection.srtt_s == before
    assert lab.connection.rto_s == 2
    lab.send(b"y")
    lab.now_s += 0.1
    lab.give("A")
    assert lab.connection.srtt_s != before
    assert lab.connection.rto_s == 1


def test_timestamps_give_samples_even_of_what_was_sent_twice() -> None:
    lab = connected(options=(timestamps(7, 0),), timestamps=True)
    lab.send(b"x")
    lab.elapse(1)
    sent = lab.connection.timestamp()
    lab.now_s += 0.5
    lab.give("A", options=(timestamps(8, sent),))
    assert lab.connection.srtt_s is not None
    assert lab.connection.srtt_s > 0


def test_timestamps_echoed_that_cannot_be_are_no_sample() -> None:
    lab = connected(options=(timestamps(7, 0),), timestamps=True)
    before = lab.connection.srtt_s
    for echo in (0, 12345, 2**32 - 1):
        lab.send(b"x")
        lab.give("A", options=(timestamps(8, echo),))
    assert lab.connection.srtt_s == before


def test_acknowledgment_of_new_data_restarts_the_timer_and_of_all_stops_it() -> None:
    lab = connected()
    lab.send(bytes(2000))
    lab.elapse(0.9)
    lab.give("A", ack=lab.connection.snd_una + 1000)
    assert lab.elapse(0.9) == []
    lab.give("A")
    assert lab.elapse(100) == []


# --- R1, R2, the user's timeout ---------------------------------------------------------------------------------------


def test_r1_tells_the_user_and_r2_gives_up_after_100_seconds() -> None:
    lab = connected()
    lab.send(b"x")
    lab.elapse(7)
    assert lab.take_events() == [DeliveryProblem(3)]
    lab.elapse(93)
    assert lab.connection.state == "ESTABLISHED"
    lab.elapse(60)
    assert lab.events == [TimedOut("R2")]
    assert lab.connection.state == "CLOSED"
    assert lab.out() == []


def test_r2_can_be_set_for_one_connection() -> None:
    lab = connected()
    lab.connection.r2_s = float("inf")
    lab.send(b"x")
    lab.elapse(100_000)
    assert lab.connection.state == "ESTABLISHED"


def test_r2_counts_from_the_last_progress() -> None:
    lab = connected()
    for _ in range(10):
        lab.send(b"x")
        lab.elapse(62)
        lab.give("A")
    assert lab.connection.state == "ESTABLISHED"


def test_probes_that_nobody_answers_end_the_connection() -> None:
    lab = connected(window=0)
    lab.send(b"x")
    lab.elapse(400)
    assert lab.events == [TimedOut("R2")]


def test_user_timeout_ends_the_connection_whatever_the_window() -> None:
    for window in (0, 1000):
        lab = connected(window=window, user_timeout_s=10.0)
        lab.elapse(50)
        lab.send(b"x")
        lab.elapse(9.9)
        assert lab.connection.state == "ESTABLISHED"
        lab.elapse(0.1)
        assert lab.events[-1] == TimedOut("user timeout")


def test_user_timeout_counts_from_the_last_progress() -> None:
    lab = connected(user_timeout_s=10.0)
    for _ in range(5):
        lab.send(b"x")
        lab.elapse(9)
        lab.give("A")
    lab.elapse(100)
    assert lab.connection.state == "ESTABLISHED"


def test_clock_that_goes_back_is_not_followed() -> None:
    lab = connected()
    lab.now_s -= 50
    lab.send(b"x")
    assert lab.connection.next_timeout() == 101.0


# --- keep-alive -------------------------------------------------------------------------------------------------------


def test_keepalive_is_off_by_default() -> None:
    lab = connected()
    assert lab.elapse(10 * HOURS_2) == []
    assert lab.connection.next_timeout() is None


def test_keepalive_probes_an_idle_connection_after_2_hours_without_data() -> None:
    lab = connected(keepalive=True)
    assert lab.elapse(HOURS_2 - 1) == []
    ((_, probe),) = lab.elapse(1)
    assert (letters(probe), probe.seq, probe.data) == ("A", lab.connection.snd_nxt - 1, b"")
    lab.give("A")
    assert lab.elapse(HOURS_2 - 1) == []


def test_keepalive_waits_for_what_is_outstanding() -> None:
    lab = connected(keepalive=True, keepalive_idle_s=10.0, r2_s=1e9)
    lab.send(b"x")
    assert all(segment.data == b"x" for _, segment in lab.elapse(50))


def test_keepalive_gives_up_after_several_probes_only() -> None:
    lab = connected(keepalive=True, keepalive_idle_s=10.0, keepalive_interval_s=5.0, keepalive_probes=3)
    assert times(lab, 22) == [10, 15, 20]
    lab.give("A")
    assert times(lab, 20) == [10, 15, 20]
    assert lab.connection.state == "ESTABLISHED"
    lab.elapse(5)
    assert lab.events == [TimedOut("keep-alive")]
    with pytest.raises(ValueError, match="MUST-29"):
        config(keepalive_probes=1)


def test_keepalive_is_a_connections_own_setting() -> None:
    lab = connected()
    lab.connection.keepalive = True
    assert lab.connection.next_timeout() == 100 + HOURS_2


def test_keepalive_of_the_peer_is_answered() -> None:
    lab = connected()
    (ack,) = lab.give("A", seq=lab.connection.rcv_nxt - 1)
    assert ack.ack == lab.connection.rcv_nxt
