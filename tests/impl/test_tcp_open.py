"""How connections begin: SYN-SENT, LISTEN, SYN-RECEIVED, options, initial sequence numbers, resets."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp import (
    Connected,
    DataReceived,
    Flags,
    Option,
    PeerClosed,
    Refused,
    ResetReceived,
    Segment,
    TcpConnection,
)
from shakeproof.impl.tcp.isn import initial_sequence_number
from shakeproof.impl.tcp.options import (
    find_mss,
    find_timestamps,
    find_window_scale,
    maximum_segment_size,
    timestamps,
    window_scale,
)
from shakeproof.impl.tcp.tcb import Tcb
from tests.impl.tcp_material import (
    LOCAL,
    PEER_ISS,
    PEER_MSS,
    REMOTE,
    START_S,
    Lab,
    closed_lab,
    config,
    connected,
    lab_in,
    letters,
    listening_lab,
    opening_lab,
)


def summary(segment: Segment) -> tuple[str, int, int]:
    return letters(segment), segment.seq, segment.ack


# --- active -----------------------------------------------------------------------------------------------------------


def test_active_open_sends_syn_and_syn_ack_is_acknowledged() -> None:
    lab = closed_lab()
    lab.connection.open_active(START_S)
    (syn,) = lab.out()
    c = lab.connection
    assert c.state == "SYN_SENT"
    assert summary(syn) == ("S", c.iss, 0)
    assert (c.snd_una, c.snd_nxt) == (c.iss, c.iss + 1)
    assert lab.out() == []
    (ack,) = lab.give("SA", seq=PEER_ISS)
    assert c.state == "ESTABLISHED"
    assert summary(ack) == ("A", c.iss + 1, PEER_ISS + 1)
    assert lab.events == [Connected()]


def test_data_sent_while_opening_goes_out_with_the_acknowledgment() -> None:
    lab = opening_lab()
    assert lab.send(b"early") == []
    (first,) = lab.give("SA", seq=PEER_ISS)
    assert (letters(first), first.data) == ("PA", b"early")


def test_data_and_fin_with_syn_ack_are_taken() -> None:
    lab = opening_lab()
    (ack,) = lab.give("SFA", seq=PEER_ISS, data=b"hello")
    assert ack.ack == PEER_ISS + 7
    assert lab.events == [Connected(), DataReceived(5), PeerClosed()]
    assert lab.connection.state == "CLOSE_WAIT"


@pytest.mark.parametrize("off", [0, 2, -1, 2**31])
def test_syn_sent_ack_out_of_range_is_reset_unless_it_is_a_reset(off: int) -> None:
    lab = opening_lab()
    ack = (lab.connection.iss + off) % 2**32
    for letters_of_segment in ("A", "SA"):
        (reset,) = lab.give(letters_of_segment, seq=5, ack=ack)
        assert summary(reset) == ("R", ack, 0)
    assert lab.give("RA", seq=5, ack=ack) == []
    assert lab.connection.state == "SYN_SENT"


def test_syn_sent_reset_with_acceptable_ack_refuses() -> None:
    lab = opening_lab()
    assert lab.give("RA", seq=0) == []
    assert lab.events == [Refused()]
    assert lab.connection.state == "CLOSED"


@pytest.mark.parametrize("kind", ["R", "F", "P", "A", ""])
def test_syn_sent_drops_what_says_nothing(kind: str) -> None:
    lab = opening_lab()
    assert lab.give(kind, seq=77, data=b"x") == []
    assert lab.connection.state == "SYN_SENT"
    assert lab.events == []


def test_open_twice_and_without_peer_is_an_error_of_the_caller() -> None:
    lab = opening_lab()
    with pytest.raises(LocalProtocolError, match="already exists"):
        lab.connection.open_active(START_S)
    with pytest.raises(LocalProtocolError, match="already exists"):
        lab.connection.open_passive()
    with pytest.raises(LocalProtocolError, match="remote socket unspecified"):
        TcpConnection(config(), LOCAL, None, 0.0).open_active(0.0)


# --- passive ----------------------------------------------------------------------------------------------------------


def test_passive_open_answers_syn_and_is_established_by_ack() -> None:
    lab = listening_lab()
    c = lab.connection
    (answer,) = lab.give("S", seq=PEER_ISS)
    assert c.state == "SYN_RECEIVED"
    assert summary(answer) == ("SA", c.iss, PEER_ISS + 1)
    assert lab.events == []
    assert lab.give("A") == []
    assert c.state == "ESTABLISHED"
    assert lab.events == [Connected()]


def test_listener_to_anyone_takes_the_remote_socket_from_the_syn() -> None:
    connection = TcpConnection(config(), LOCAL, None, START_S)
    connection.open_passive()
    syn = Segment(REMOTE.port, LOCAL.port, PEER_ISS, flags=Flags.SYN)
    assert connection.receive_segment(syn, START_S) == []
    assert connection.state == "LISTEN"
    connection.receive_segment(syn, START_S, REMOTE.ip)
    assert connection.remote == REMOTE
    assert letters(connection.segments_to_send(START_S)[0]) == "SA"
    connection.receive_segment(Segment(443, 40_000, PEER_ISS + 1, flags=Flags.RST), START_S)
    assert connection.state == "LISTEN"
    assert connection.remote is None


@pytest.mark.parametrize("kind", ["R", "RA", "F", "P", "", "U"])
def test_listen_drops_resets_and_what_is_neither_syn_nor_ack(kind: str) -> None:
    lab = listening_lab()
    assert lab.give(kind, seq=5, ack=6) == []
    assert lab.connection.state == "LISTEN"


@pytest.mark.parametrize("kind", ["A", "SA", "FA", "PA"])
def test_listen_answers_any_ack_with_a_reset(kind: str) -> None:
    lab = listening_lab()
    (reset,) = lab.give(kind, seq=5, ack=600)
    assert summary(reset) == ("R", 600, 0)
    assert lab.connection.state == "LISTEN"


def test_data_with_syn_is_held_until_the_connection_is_established() -> None:
    lab = listening_lab()
    (answer,) = lab.give("S", seq=PEER_ISS, data=b"early")
    assert answer.ack == PEER_ISS + 1
    assert lab.events == []
    lab.give("A")
    assert lab.events == [Connected(), DataReceived(5)]
    assert lab.connection.receive() == b"early"


def test_fin_with_syn_is_held_too() -> None:
    lab = listening_lab()
    lab.give("SF", seq=PEER_ISS)
    lab.give("A")
    assert lab.events == [Connected(), PeerClosed()]
    assert lab.connection.state == "CLOSE_WAIT"


@pytest.mark.parametrize("off", [0, 2, -5])
def test_syn_received_unacceptable_ack_is_reset(off: int) -> None:
    lab = lab_in("SYN_RECEIVED")
    ack = lab.connection.iss + off
    (reset,) = lab.give("A", ack=ack)
    assert summary(reset) == ("R", ack, 0)
    assert lab.connection.state == "SYN_RECEIVED"


def test_syn_received_from_listen_goes_back_to_listen_on_reset_and_on_syn() -> None:
    for kind in ("R", "S"):
        lab = lab_in("SYN_RECEIVED")
        lab.give(kind)
        assert lab.connection.state == "LISTEN"
        assert lab.events == []
        (answer,) = lab.give("S", seq=PEER_ISS + 50)
        assert summary(answer) == ("SA", lab.connection.iss, PEER_ISS + 51)


def test_syn_received_repeated_syn_is_acknowledged() -> None:
    lab = lab_in("SYN_RECEIVED")
    (ack,) = lab.give("S", seq=PEER_ISS)
    assert summary(ack) == ("A", lab.connection.snd_nxt, PEER_ISS + 1)
    assert lab.connection.state == "SYN_RECEIVED"


def test_send_in_listen_opens_actively() -> None:
    lab = listening_lab()
    (syn,) = lab.send(b"now")
    assert letters(syn) == "S"
    assert lab.connection.state == "SYN_SENT"


# --- simultaneous -----------------------------------------------------------------------------------------------------


def test_simultaneous_open_as_in_figure_7() -> None:
    lab = opening_lab()
    c = lab.connection
    (answer,) = lab.give("S", seq=300)
    assert c.state == "SYN_RECEIVED"
    assert summary(answer) == ("SA", c.iss, 301)
    assert lab.give("SA", seq=300, ack=c.iss + 1) == []
    assert c.state == "ESTABLISHED"
    assert lab.events == [Connected()]


@pytest.mark.parametrize("off", [0, 2, -5])
def test_syn_ack_that_repeats_the_syn_but_acknowledges_nothing_of_ours_is_challenged(off: int) -> None:
    """In a simultaneous open it is no answer of figure 7, but a SYN once more; a reset would end the peer's open."""
    lab = opening_lab()
    lab.give("S", seq=300)
    (ack,) = lab.give("SA", seq=300, ack=lab.connection.iss + off)
    assert summary(ack) == ("A", lab.connection.snd_nxt, 301)
    assert lab.connection.state == "SYN_RECEIVED"


def test_simultaneous_open_of_two_of_us() -> None:
    one, two = opening_lab(), Lab(TcpConnection(config(), REMOTE, LOCAL, START_S))
    two.connection.open_active(START_S)
    to_two, to_one = [one.connection.make_segment(one.connection.iss, int(Flags.SYN))], two.out()
    for _ in range(4):
        for segment in to_one:
            one.connection.receive_segment(segment, START_S)
        for segment in to_two:
            two.connection.receive_segment(segment, START_S)
        to_two, to_one = one.out(), two.out()
    assert one.connection.state == two.connection.state == "ESTABLISHED"
    assert to_one == to_two == []


def test_reset_in_syn_received_after_active_open_refuses() -> None:
    lab = opening_lab()
    lab.give("S", seq=300)
    lab.give("R")
    assert lab.events == [Refused()]
    assert lab.connection.state == "CLOSED"


# --- half-open connections --------------------------------------------------------------------------------------------


def test_half_open_connection_is_discovered_as_in_figure_9() -> None:
    """A has crashed and opens anew; B is still ESTABLISHED."""
    b = connected(passive=True)
    a = Lab(TcpConnection(config(secret=b"after the crash"), REMOTE, LOCAL, START_S))
    a.connection.open_active(START_S)
    (syn,) = a.out()
    b.connection.receive_segment(syn, START_S)
    (ack,) = b.out()
    assert summary(ack) == ("A", b.connection.snd_nxt, b.connection.rcv_nxt)
    a.connection.receive_segment(ack, START_S)
    (reset,) = a.out()
    assert summary(reset) == ("R", ack.ack, 0)
    assert b.connection.receive_segment(reset, START_S) == [ResetReceived()]
    assert b.connection.state == "CLOSED"
    assert a.connection.state == "SYN_SENT"


@pytest.mark.parametrize("kind", ["S", "A", "F", "SA", "P", ""])
def test_closed_answers_with_a_reset(kind: str) -> None:
    lab = closed_lab()
    (reset,) = lab.give(kind, seq=1000, ack=77, data=b"xy")
    if "A" in kind:
        assert summary(reset) == ("R", 77, 0)
    else:
        assert summary(reset) == ("RA", 0, 1002 + len(kind.replace("P", "")))


def test_closed_never_answers_a_reset() -> None:
    lab = closed_lab()
    assert lab.give("R", seq=1) == lab.give("RA", seq=1) == []


# --- options ----------------------------------------------------------------------------------------------------------


def test_syn_carries_mss_window_scale_and_timestamps() -> None:
    lab = closed_lab(timestamps=True, mss=1400, window_scale=3, receive_buffer=300_000)
    lab.connection.open_active(START_S)
    (syn,) = lab.out()
    assert find_mss(syn.options) == 1400
    assert find_window_scale(syn.options) == 3
    stamps = find_timestamps(syn.options)
    assert stamps is not None
    assert stamps[1] == 0
    assert syn.window == 65_535, "never scaled in a SYN"
    assert len(syn.encode(LOCAL.ip, REMOTE.ip)) == 20 + 4 + 4 + 12


def test_options_that_the_syn_lacks_are_not_in_the_answer_and_not_used() -> None:
    lab = listening_lab(timestamps=True, receive_buffer=300_000, window_scale=3)
    (answer,) = lab.give("S", seq=PEER_ISS)
    assert [option.kind for option in answer.options] == [2]
    lab.give("A")
    (ack,) = lab.give("FA")
    assert ack.options == ()
    assert ack.window == 65_534


def test_window_scale_applies_after_the_handshake_only() -> None:
    lab = connected(window=100, options=(window_scale(4),), receive_buffer=300_000, window_scale=3)
    assert lab.connection.snd_wnd == 100
    lab.give("A", window=100)
    assert lab.connection.snd_wnd == 1600
    (ack,) = lab.give("FA", window=100)
    assert ack.window == 299_999 // 8, "the FIN took one octet"


def test_window_scale_above_14_is_14() -> None:
    lab = connected(options=(window_scale(255),))
    assert lab.connection.snd_wind_shift == 14


def test_without_window_scale_in_the_config_it_is_not_asked_for() -> None:
    lab = closed_lab(window_scale=None)
    lab.connection.open_active(START_S)
    (syn,) = lab.out()
    assert find_window_scale(syn.options) is None


def test_effective_mss_is_the_smaller_one_less_the_options() -> None:
    assert connected().connection.effective_mss == PEER_MSS
    assert connected(mss=800).connection.effective_mss == 800
    both = connected(options=(maximum_segment_size(PEER_MSS), timestamps(1, 0)), timestamps=True)
    assert both.connection.effective_mss == PEER_MSS - 12
    (segment, *_) = both.send(bytes(5000))
    assert len(segment.data) == PEER_MSS - 12


@pytest.mark.parametrize("mss", [0, 1, 47])
def test_tiny_mss_is_bounded(mss: int) -> None:
    assert connected(options=(maximum_segment_size(mss),)).connection.effective_mss == 48


def test_mss_option_is_in_no_segment_without_syn() -> None:
    lab = connected()
    sent = lab.send(bytes(3000)) + lab.give("A") + lab.close()
    assert all(find_mss(segment.options) is None for segment in sent)


def test_mss_option_in_another_segment_is_ignored() -> None:
    lab = connected()
    lab.give("A", options=(maximum_segment_size(500),))
    assert lab.connection.effective_mss == PEER_MSS


def test_unknown_option_in_any_segment_is_ignored() -> None:
    unknown = (Option(200, b"abc"), Option(254, b""))
    lab = connected(options=(*unknown, maximum_segment_size(700)))
    assert lab.connection.effective_mss == 700
    lab.give("PA", data=b"x", options=unknown)
    assert lab.connection.receive() == b"x"


# --- initial sequence numbers -----------------------------------------------------------------------------------------


def test_isn_of_one_pair_of_sockets_follows_the_clock() -> None:
    first = initial_sequence_number(b"key", LOCAL, REMOTE, 10.0)
    assert (initial_sequence_number(b"key", LOCAL, REMOTE, 10.5) - first) % 2**32 == 125_000


def test_config_without_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        config(secret=b"")


def test_iss_of_the_connection_is_that_number() -> None:
    lab = opening_lab()
    assert lab.connection.iss == initial_sequence_number(b"a secret of the tests", LOCAL, REMOTE, START_S)
    assert isinstance(lab.connection, Tcb)


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"mss": 47},
        {"mss": 65_536},
        {"window_scale": 15},
        {"window_scale": -1},
        {"receive_buffer": 0},
        {"send_buffer": 0},
        {"min_rto_s": 0.0},
        {"max_rto_s": 0.5},
        {"r1": 0},
    ],
    ids=str,
)
def test_config_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|order"):
        config(**changes)


def test_window_in_a_syn_ack_of_a_simultaneous_open_is_not_scaled() -> None:
    lab = opening_lab()
    lab.give("S", seq=300, window=100, options=(window_scale(4),))
    lab.give("SA", seq=300, window=100)
    assert lab.connection.snd_wnd == 100
    lab.give("A", window=100)
    assert lab.connection.snd_wnd == 1600
