"""Segments that arrive in synchronized states: acceptability, reassembly, resets, SYNs, acknowledgments, PAWS, URG."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.impl.tcp import Closed, DataReceived, PeerClosed, ResetReceived, Segment, UrgentReceived
from shakeproof.impl.tcp.options import Option, find_timestamps, timestamps
from shakeproof.impl.tcp.reassembly import MAX_PIECES, Reassembly
from shakeproof.impl.tcp.sequence import advance, distance
from tests.impl.tcp_material import (
    PEER_ISS,
    REMOTE,
    START_S,
    SYNCHRONIZED,
    Lab,
    connected,
    flags,
    lab_in,
    letters,
)

BUFFER = 10_000


def is_ack(lab: Lab, segments: list[Segment]) -> bool:
    """Whether it is one empty acknowledgment of where the connection is."""
    c = lab.connection
    expected = [("A", c.snd_nxt, c.rcv_nxt, b"")]
    return [(letters(s), s.seq, s.ack, s.data) for s in segments] == expected


# --- acceptability ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "data", "acceptable"),
    [
        (0, b"", True),
        (BUFFER - 1, b"", True),
        (BUFFER, b"", False),
        (-1, b"", False),
        (0, b"ab", True),
        (BUFFER - 1, b"ab", True),
        (BUFFER, b"ab", False),
        (-1, b"ab", True),
        (-2, b"ab", False),
        (-1, bytes(BUFFER + 2), False),
    ],
)
def test_acceptability_with_an_open_window(offset: int, data: bytes, acceptable: bool) -> None:
    lab = connected(receive_buffer=BUFFER)
    segment = Segment(REMOTE.port, 1, advance(lab.connection.rcv_nxt, offset), data=data)
    assert lab.connection.check_sequence_number(segment) is acceptable
    answer = lab.give("A", seq=segment.seq, data=data)
    assert is_ack(lab, answer) is (not acceptable or (offset > 0 and bool(data)))


@pytest.mark.parametrize(("offset", "data", "acceptable"), [(0, b"", True), (1, b"", False), (0, b"a", False)])
def test_acceptability_with_a_closed_window(offset: int, data: bytes, acceptable: bool) -> None:
    lab = connected(receive_buffer=BUFFER)
    lab.give("A", data=bytes(BUFFER))
    c = lab.connection
    assert c.rcv_wnd == 0
    assert c.check_sequence_number(Segment(REMOTE.port, 1, c.rcv_nxt + offset, data=data)) is acceptable
    lab.elapse(1)
    answer = lab.give("A", seq=c.rcv_nxt + offset, data=data)
    assert is_ack(lab, answer) is not acceptable
    assert len(c.receive_buffer) == BUFFER


def test_closed_window_still_takes_acknowledgments_urgent_pointers_and_resets() -> None:
    lab = connected(receive_buffer=BUFFER)
    lab.send(b"question")
    lab.give("A", ack=lab.connection.snd_una, data=bytes(BUFFER))
    lab.take_events()
    lab.give("UA", data=b"probe", urgent=9)
    assert lab.connection.snd_una == lab.connection.snd_nxt
    assert lab.take_events() == [UrgentReceived(BUFFER + 9)]
    assert lab.connection.rcv_wnd == 0
    lab.give("R")
    assert lab.events == [ResetReceived()]


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_unacceptable_segment_is_acknowledged_but_never_a_reset(state: str) -> None:
    lab = lab_in(state)
    far = lab.connection.rcv_nxt + 100_000
    assert is_ack(lab, lab.give("PA", seq=far, data=b"x"))
    assert lab.give("R", seq=far) == []
    assert lab.give("R", seq=lab.connection.rcv_nxt - 1) == []
    assert lab.connection.state == state


def test_segment_that_straddles_the_left_edge_is_trimmed() -> None:
    lab = connected()
    lab.give("PA", data=b"abc")
    lab.give("PA", seq=lab.connection.rcv_nxt - 2, data=b"XXdef")
    assert lab.connection.receive() == b"abcdef"


def test_segment_that_straddles_the_right_edge_loses_data_and_fin_beyond() -> None:
    lab = connected(receive_buffer=BUFFER)
    lab.give("FA", data=bytes(BUFFER) + b"beyond")
    c = lab.connection
    assert len(c.receive_buffer) == BUFFER
    assert c.state == "ESTABLISHED"
    lab = connected(receive_buffer=BUFFER)
    lab.give("FA", data=bytes(BUFFER))
    assert lab.connection.state == "ESTABLISHED", "there was no room for the FIN"


# --- reassembly -------------------------------------------------------------------------------------------------------


def test_early_data_is_held_with_a_duplicate_ack_and_a_filled_hole_is_acknowledged_at_once() -> None:
    lab = connected()
    start = lab.connection.rcv_nxt
    for offset in (3, 9, 6):
        assert is_ack(lab, lab.give("A", seq=start + offset, data=b"%d__" % offset))
        assert lab.connection.rcv_nxt == start
    (ack,) = lab.give("A", data=b"0__")
    assert ack.ack == start + 12
    assert lab.connection.receive() == b"0__3__6__9__"
    assert lab.events == [DataReceived(12)]


def test_several_segments_before_anything_is_sent_get_one_acknowledgment() -> None:
    lab = connected()
    c = lab.connection
    start = c.rcv_nxt
    for offset in (4, 2, 0):
        c.receive_segment(Segment(443, 40_000, start + offset, c.snd_nxt, flags("A"), 100, data=b"ab"), START_S)
    (ack,) = lab.out()
    assert ack.ack == start + 6


def test_early_fin_waits_for_the_data_before_it() -> None:
    lab = connected()
    start = lab.connection.rcv_nxt
    assert is_ack(lab, lab.give("FA", seq=start + 3))
    assert lab.connection.state == "ESTABLISHED"
    (ack,) = lab.give("A", data=b"abc")
    assert ack.ack == start + 4
    assert lab.events == [DataReceived(3), PeerClosed()]
    assert lab.connection.state == "CLOSE_WAIT"


def test_data_beyond_an_early_fin_is_not_believed() -> None:
    lab = connected()
    start = lab.connection.rcv_nxt
    lab.give("FA", seq=start + 3)
    lab.give("A", seq=start + 2, data=b"cdef")
    lab.give("A", data=b"ab")
    assert lab.connection.receive() == b"abc"
    assert lab.connection.state == "CLOSE_WAIT"


def test_fin_before_data_that_is_held_is_not_believed() -> None:
    lab = connected()
    start = lab.connection.rcv_nxt
    lab.give("A", seq=start + 5, data=b"fgh")
    lab.give("FA", seq=start + 2)
    lab.give("A", data=b"abcde")
    assert lab.connection.receive() == b"abcdefgh"
    assert lab.connection.state == "ESTABLISHED"


@settings(derandomize=True, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=30), st.integers(0, 2**32 - 1))
def test_pieces_in_any_order_give_the_stream(pieces: list[tuple[int, int]], base: int) -> None:
    stream = bytes(range(100))
    reassembly = Reassembly()
    for start, length in [*pieces, (0, 100)]:
        reassembly.add(advance(base, start), stream[start : start + length])
        ends = [(distance(base, seq), distance(base, seq) + len(data)) for seq, data in reassembly.pieces]
        assert all(one[1] < other[0] for one, other in itertools.pairwise(ends)), "apart and in order"
    assert reassembly.take(base) == stream
    assert not reassembly


def test_first_copy_of_overlapping_data_counts() -> None:
    reassembly = Reassembly()
    reassembly.add(2, b"23")
    reassembly.add(6, b"67")
    reassembly.add(0, b"xxxxxxxxxx")
    assert reassembly.take(0) == b"xx23xx67xx"


def test_number_of_pieces_is_bounded_and_the_latest_go_first() -> None:
    reassembly = Reassembly()
    for seq in range(2 * (MAX_PIECES + 50), 0, -2):
        reassembly.add(seq, b"x")
    assert len(reassembly.pieces) == MAX_PIECES
    assert reassembly.pieces[0][0] == 2
    assert reassembly.held == MAX_PIECES
    end = 2 * MAX_PIECES
    held = list(reassembly.pieces)
    reassembly.add(end + 2, b"x")
    assert reassembly.pieces == held, "with all places taken, a later one is not held"
    reassembly.add(end + 1, b"xx")
    assert reassembly.pieces[-1] == (end, bytearray(b"xxx")), "but what continues the last is"


# --- RST --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("rfc5961", [True, False])
def test_exact_reset_closes(state: str, rfc5961: bool) -> None:
    lab = lab_in(state, rfc5961=rfc5961)
    assert lab.give("R", data=b"why") == []
    assert lab.connection.state == "CLOSED"
    assert lab.events == [Closed() if state == "TIME_WAIT" else ResetReceived()]
    assert lab.connection.next_timeout() is None


@pytest.mark.parametrize("state", SYNCHRONIZED)
def test_reset_in_the_window_gets_a_challenge_ack(state: str) -> None:
    lab = lab_in(state)
    assert is_ack(lab, lab.give("R", seq=lab.connection.rcv_nxt + 1))
    assert lab.connection.state == state


def test_reset_in_the_window_closes_without_rfc_5961() -> None:
    lab = connected(rfc5961=False)
    lab.give("R", seq=lab.connection.rcv_nxt + 1)
    assert lab.events == [ResetReceived()]


def test_challenge_acks_are_bounded_in_time() -> None:
    lab = connected(challenge_acks=3, challenge_interval_s=5.0)
    answers = [len(lab.give("R", seq=lab.connection.rcv_nxt + 1)) for _ in range(6)]
    assert answers == [1, 1, 1, 0, 0, 0]
    lab.elapse(5)
    assert len(lab.give("S")) == 1


def test_two_ends_that_disagree_do_not_answer_each_other_for_ever() -> None:
    lab = connected()
    answers = [len(lab.give("A", seq=lab.connection.rcv_nxt - 5)) for _ in range(20)]
    assert sum(answers) == 10


# --- SYN --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", SYNCHRONIZED)
@pytest.mark.parametrize("offset", [0, 5, -100, 100_000])
@pytest.mark.parametrize("kind", ["S", "SA"])
def test_syn_in_synchronized_states_gets_a_challenge_ack(state: str, offset: int, kind: str) -> None:
    lab = lab_in(state)
    assert is_ack(lab, lab.give(kind, seq=lab.connection.rcv_nxt + offset))
    assert lab.connection.state == state
    assert lab.events == []


def test_syn_without_rfc_5961_resets_in_the_window_only() -> None:
    lab = connected(rfc5961=False)
    assert is_ack(lab, lab.give("S", seq=lab.connection.rcv_nxt - 10))
    seq = lab.connection.rcv_nxt
    (reset,) = lab.give("S")
    assert (letters(reset), reset.seq, reset.ack) == ("RA", 0, seq + 1)
    assert lab.events == [ResetReceived()]


# --- ACK --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "P", "F", "U"])
def test_segment_without_ack_is_dropped(kind: str) -> None:
    lab = connected()
    assert lab.give(kind, data=b"x") == []
    assert lab.connection.receive() == b""


@pytest.mark.parametrize("rfc5961", [True, False])
def test_ack_of_what_was_never_sent_is_answered_and_dropped(rfc5961: bool) -> None:
    lab = connected(rfc5961=rfc5961)
    assert is_ack(lab, lab.give("PA", ack=lab.connection.snd_nxt + 1, data=b"x"))
    assert lab.connection.receive() == b""


def test_ack_older_than_the_largest_window_is_refused_under_rfc_5961_only() -> None:
    for rfc5961, taken in ((True, b""), (False, b"x")):
        lab = connected(rfc5961=rfc5961, window=5000)
        lab.give("PA", ack=lab.connection.snd_una - 5001, data=b"x", window=5000)
        assert lab.connection.receive() == taken
        lab.give("PA", ack=lab.connection.snd_una - 5000, data=b"y", window=5000)
        assert lab.connection.receive() == b"y"


def test_old_segment_does_not_update_the_window() -> None:
    lab = connected(window=5000)
    lab.give("A", data=b"abc", window=6000)
    lab.give("A", seq=lab.connection.rcv_nxt, window=7000)
    assert lab.connection.snd_wnd == 7000
    assert lab.connection.snd_wl1 == lab.connection.rcv_nxt
    lab.send(b"data")
    lab.give("A", window=8000)
    lab.give("A", ack=lab.connection.snd_una - 1, window=9000)
    assert lab.connection.snd_wnd == 8000


# --- timestamps -------------------------------------------------------------------------------------------------------


def stamped(**changes: Any) -> tuple[Lab, int]:
    """A connection with timestamps, the peer's at 1000, and our own of the SYN."""
    lab = connected(options=(timestamps(1000, 0),), timestamps=True, **changes)
    return lab, lab.connection.timestamp()


def test_every_segment_has_timestamps_and_echoes_the_peers() -> None:
    lab, ours = stamped()
    (segment,) = lab.send(b"x")
    assert find_timestamps(segment.options) == (ours, 1000)
    lab.give("A", options=(timestamps(1005, ours),))
    lab.now_s += 0.5
    (segment,) = lab.send(b"y")
    assert find_timestamps(segment.options) == (ours + 500, 1005)


def test_segment_without_the_agreed_timestamps_is_dropped_but_not_a_reset() -> None:
    lab, _ = stamped()
    assert lab.give("PA", data=b"x") == []
    assert lab.connection.receive() == b""
    lab.give("R")
    assert lab.events == [ResetReceived()]


def test_syn_without_timestamps_is_challenged_all_the_same() -> None:
    lab, _ = stamped()
    assert [letters(segment) for segment in lab.give("S")] == ["A"]


def test_paws_drops_what_is_from_the_past_with_an_ack() -> None:
    lab, ours = stamped()
    (ack,) = lab.give("PA", data=b"old", options=(timestamps(999, ours),))
    assert ack.ack == lab.connection.rcv_nxt == PEER_ISS + 1
    assert lab.connection.receive() == b""
    lab.give("PA", data=b"new", options=(timestamps(1000, ours),))
    assert lab.connection.receive() == b"new"


def test_paws_does_not_look_at_resets() -> None:
    lab, ours = stamped()
    lab.give("R", options=(timestamps(5, ours),))
    assert lab.events == [ResetReceived()]


def test_paws_gives_up_ts_recent_after_24_days() -> None:
    lab, ours = stamped()
    lab.now_s += 24 * 24 * 3600 + 1
    lab.give("PA", data=b"x", options=(timestamps(500, ours),))
    assert lab.connection.receive() == b"x"
    assert lab.connection.ts_recent == 500


def test_ts_recent_is_not_taken_from_early_segments() -> None:
    lab, ours = stamped()
    lab.give("A", seq=lab.connection.rcv_nxt + 5, data=b"x", options=(timestamps(2000, ours),))
    assert lab.connection.ts_recent == 1000


def test_malformed_timestamps_are_no_timestamps() -> None:
    lab, _ = stamped()
    assert lab.give("PA", data=b"x", options=(Option(8, b"short"),)) == []
    assert lab.connection.receive() == b""


# --- URG --------------------------------------------------------------------------------------------------------------


def test_urgent_pointer_is_reported_when_it_moves_on_and_counts_down() -> None:
    lab = connected()
    lab.give("UA", data=b"abc", urgent=5)
    assert lab.events == [UrgentReceived(5), DataReceived(3)]
    lab.give("UA", data=b"de", urgent=2)
    assert lab.events == [UrgentReceived(5), DataReceived(3), DataReceived(5)], "the same pointer again"
    assert lab.connection.receive(4) == b"abcd"
    assert lab.connection.urgent_remaining == 1
    lab.connection.receive()
    assert lab.connection.urgent_remaining == 0
    lab.take_events()
    lab.give("UA", urgent=70)
    assert lab.events == [UrgentReceived(70)]


def test_urgent_pointer_to_the_past_and_after_the_fin_is_ignored() -> None:
    lab = connected()
    lab.give("UA", urgent=0)
    assert lab.events == []
    lab = lab_in("CLOSE_WAIT")
    lab.give("UA", urgent=5)
    assert lab.events == []


# --- after the peer's FIN ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT"])
def test_data_after_the_fin_is_ignored(state: str) -> None:
    lab = lab_in(state)
    lab.give("A", ack=lab.connection.snd_una, data=b"more")
    assert lab.connection.receive() == b""
    assert lab.connection.state == state


@pytest.mark.parametrize("state", ["CLOSE_WAIT", "LAST_ACK"])
@pytest.mark.parametrize("offset", [0, 5])
def test_second_fin_is_acknowledged_and_changes_nothing(state: str, offset: int) -> None:
    """Section 3.10.7.4, eighth: the state remains, and there is "an acknowledgment for the FIN"."""
    lab = lab_in(state)
    nxt = lab.connection.rcv_nxt
    (ack,) = lab.give("FA", seq=nxt + offset, ack=lab.connection.snd_una)
    assert (letters(ack), ack.ack) == ("A", nxt)
    assert (lab.connection.state, lab.events) == (state, [])
