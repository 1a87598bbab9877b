"""The table of TCP against RFC 9293 section 3.8: windows, timers, acknowledgments, urgent data; and timestamps."""

from __future__ import annotations

import pytest

from shakeproof.model import tcp_segments as t
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration
from shakeproof.model.notation import Signal, State, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_segments import Segment
from shakeproof.model.walk import Event, start, walk
from tests.model.tcp_steps import STAMPED, after, at, rows, runs, step

ZERO = Segment.symbol(t.bare, t.duplicate, t.zero)
USABLE = Segment.symbol(t.bare, t.duplicate)
ALL_ACKED = Segment.symbol(t.bare, t.current)
TEXT = Segment.symbol(t.data, t.current)

QUIET = at(t.ESTABLISHED, t.RETRANSMISSION.idle, t.PERSIST.idle, t.room)
BUSY = at(t.ESTABLISHED, t.RETRANSMISSION.running)
PROBING = at(t.ESTABLISHED, t.PERSIST.running)
NO_ROOM = at(t.ESTABLISHED, t.RETRANSMISSION.idle, t.PERSIST.idle, t.no_room)


def told(here: Configuration, symbol: Symbol) -> set[tuple[Signal, ...]]:
    """What the application may be told."""
    return {row.signals for row in rows(here, symbol)}


# -------------------------------------------------------------------------------------------- retransmission, 3.8.1


def test_retransmission_timer_runs_while_something_is_not_acknowledged() -> None:
    sent = after(QUIET, t.SEND)
    assert runs(sent) == {"retransmission", "user"}
    assert runs(after(sent, Segment.symbol(t.bare, t.partial))) == {"retransmission", "user"}
    assert runs(after(sent, USABLE)) == {"retransmission", "user"}
    assert runs(after(sent, ALL_ACKED)) == set()


def test_syn_and_fin_are_sent_again_until_acknowledged() -> None:
    assert step(at(t.SYN_SENT), t.RETRANSMISSION) == [("SYN-SENT", ["SYN"])]
    assert step(at(t.SYN_RECEIVED), t.RETRANSMISSION) == [("SYN-RECEIVED", ["SYN-ACK"])]
    assert step(BUSY, t.RETRANSMISSION) == [("ESTABLISHED", ["data"])]
    assert step(at(t.LAST_ACK), t.RETRANSMISSION) == [("LAST-ACK", ["data or FIN"])]
    assert runs(after(at(t.SYN_SENT), t.RETRANSMISSION)) == {"retransmission", "user"}


@pytest.mark.parametrize("state", [t.FIN_WAIT_1, t.CLOSING], ids=repr)
def test_after_a_close_in_syn_received_the_syn_is_still_the_front_of_the_retransmission_queue(state: State) -> None:
    assert step(at(state), t.RETRANSMISSION) == [(state.name, ["data or FIN"]), (state.name, ["SYN-ACK"])]


@pytest.mark.parametrize("control", [t.data, t.fin], ids=repr)
def test_the_answer_to_a_probe_that_opens_the_send_window_may_ride_on_text(control: Value) -> None:
    probe = Segment.symbol(control, t.shut, t.partial)
    assert ("ESTABLISHED", ["ACK"]) in step(BUSY, probe)
    oracle = Oracle(tcp, closed_calls=False)
    oracle._become([oracle.machine.take(BUSY, (), ())])
    oracle.receive(probe)
    assert oracle.send(Segment.symbol(t.data, t.current))
    assert oracle.quiet()


@pytest.mark.parametrize("state", [t.SYN_SENT, t.SYN_RECEIVED, *t.SENDING.members], ids=repr)
def test_user_timeout_closes_wherever_something_is_not_acknowledged(state: State) -> None:
    here = at(state, t.RETRANSMISSION.running)
    (row,) = rows(here, t.USER)
    assert row.next is t.CLOSED
    assert row.signals == (t.timed_out,)
    assert all(output.optional for output in row.outputs)


def test_a_connection_that_a_syn_opened_anew_may_return_to_time_wait_when_nobody_answers() -> None:
    here = at(t.SYN_RECEIVED, t.reopened)
    assert {row.next for row in rows(here, t.USER)} == {t.CLOSED, t.TIME_WAIT}
    assert runs(after(at(t.SYN_RECEIVED, t.passively), t.USER)) == set()


def test_abort_in_last_ack_may_send_a_reset_since_a_close_in_close_wait_waits_for_text() -> None:
    (row,) = rows(at(t.LAST_ACK), t.ABORT)
    assert [output.optional for output in row.outputs] == [True]
    for state in (t.CLOSING, t.TIME_WAIT):
        assert step(at(state), t.ABORT) == [("CLOSED", [])]


def test_no_user_timeout_while_a_zero_window_is_probed() -> None:
    assert runs(PROBING) == {"persist"}
    assert rows(PROBING, t.USER) == []


def test_text_may_go_out_at_any_time_while_something_is_outstanding_and_not_otherwise() -> None:
    for here, allowed in ((BUSY, True), (QUIET, False)):
        oracle = Oracle(tcp, closed_calls=False)
        oracle._become([oracle.machine.take(here, (), ())])
        assert oracle.send(Segment.symbol(t.data, t.old, t.current)) is allowed
        assert oracle.send(Segment.symbol(t.data, t.expected, t.current)) is allowed


def test_text_beyond_the_window_is_never_allowed() -> None:
    oracle = Oracle(tcp, closed_calls=False)
    oracle._become([oracle.machine.take(BUSY, (), ())])
    assert not oracle.send(Segment.symbol(t.data, t.outside, t.current))


def test_time_that_may_have_been_long_enough_leaves_both_ways_open() -> None:
    oracle = Oracle(tcp, closed_calls=False)
    oracle.call(t.active_open)
    assert oracle.send(Segment.symbol(t.syn, t.no_ack))
    assert not oracle.fork().send(Segment.symbol(t.syn, t.no_ack))
    oracle.may_tick(t.RETRANSMISSION)
    assert oracle.quiet()
    oracle.may_tick(t.RETRANSMISSION)
    assert oracle.send(Segment.symbol(t.syn, t.no_ack))
    oracle.may_tick(t.USER)
    assert {state.name for state in oracle.states} == {"SYN-SENT", "CLOSED"}


# -------------------------------------------------------------------------------------------------- windows, 3.8.6


def test_a_window_that_shrinks_to_zero_is_probed_until_it_opens() -> None:
    shut = after(BUSY, ZERO)
    assert runs(shut) == {"persist"}
    assert step(shut, t.PERSIST) == [("ESTABLISHED", ["window probe"])]
    assert runs(after(shut, t.PERSIST)) == {"persist"}
    assert runs(after(shut, ZERO)) == {"persist"}
    assert runs(after(shut, USABLE)) == {"retransmission", "user"}
    assert runs(after(shut, ALL_ACKED)) == set()


def test_text_handed_over_in_a_zero_window_is_not_sent_but_probed_for() -> None:
    assert step(NO_ROOM, t.SEND) == [("ESTABLISHED", [])]
    assert runs(after(NO_ROOM, t.SEND)) == {"persist"}


def test_a_window_without_anything_to_send_is_remembered() -> None:
    assert after(QUIET, Segment.symbol(t.bare, t.current, t.zero)) == NO_ROOM
    assert after(NO_ROOM, ALL_ACKED) == QUIET


def test_a_window_that_shrinks_leaves_everything_as_it_was() -> None:
    shrunk = Segment.symbol(t.bare, t.duplicate, t.shrunk)
    assert after(BUSY, shrunk) == BUSY
    (row,) = rows(BUSY, shrunk)
    assert "MUST-34" in row.clauses[0].sentence


def test_text_that_carries_a_zero_window_is_outside_the_alphabet_and_read_all_the_same() -> None:
    symbol = Segment.symbol(t.data, t.straddling, t.partial, t.zero)
    assert symbol not in tcp.symbols
    assert runs(after(BUSY, symbol)) == {"persist"}
    oracle = Oracle(tcp)
    oracle._become([oracle.machine.take(BUSY, (), ())])
    assert oracle.receive(symbol)


def test_in_a_zero_window_of_ours_text_is_answered_and_its_acknowledgment_counts() -> None:
    probe = Segment.symbol(t.data, t.shut, t.current)
    assert step(BUSY, probe) == [("ESTABLISHED", ["ACK"])]
    (counted,) = [row for row in rows(BUSY, probe) if row.level is Level.SHOULD]
    assert runs(tcp.apply(counted, BUSY, probe)[0]) == set()
    assert told(BUSY, probe) == {()}


# -------------------------------------------------------------------------------------------- acknowledgments, 3.8.6.3


def test_text_is_acknowledged_at_once_or_a_little_later() -> None:
    assert step(QUIET, TEXT) == [("ESTABLISHED", ["ACK"]), ("ESTABLISHED", [])]
    waiting = at(t.ESTABLISHED, t.DELAYED_ACK.running)
    assert step(waiting, t.DELAYED_ACK) == [("ESTABLISHED", ["ACK"])]
    assert runs(after(waiting, t.DELAYED_ACK)) == set()
    at_once, later = rows(waiting, TEXT)
    assert (at_once.level, later.level) == (Level.SHOULD, Level.MAY)
    assert told(QUIET, TEXT) == {(t.delivered,)}


def test_whatever_is_sent_carries_the_acknowledgment_that_waited() -> None:
    waiting = at(t.ESTABLISHED, t.DELAYED_ACK.running, t.RETRANSMISSION.idle, t.PERSIST.idle, t.room)
    for event in (t.SEND, t.CLOSE, Segment.symbol(t.bare, t.outside)):
        assert "delayed_ack" not in runs(after(waiting, event)), event


def test_an_acknowledgment_may_ride_on_text() -> None:
    oracle = Oracle(tcp, closed_calls=False)
    oracle._become([oracle.machine.take(BUSY, (), ())])
    oracle.receive(Segment.symbol(t.data, t.partial))
    assert oracle.send(Segment.symbol(t.data, t.current))
    assert oracle.quiet()


@pytest.mark.parametrize("control", [t.data, t.fin], ids=repr)
@pytest.mark.parametrize("state", t.RECEIVING.members, ids=repr)
def test_what_lies_ahead_is_held_and_changes_nothing_of_what_is_received(state: State, control: Value) -> None:
    ahead = Segment.symbol(control, t.ahead, t.duplicate)
    assert step(at(state), ahead) == [(state.name, []), (state.name, ["ACK"])]
    assert told(at(state), ahead) == {()}


def test_text_that_fills_the_gap_before_a_fin_that_was_held_closes() -> None:
    fills = Segment.symbol(t.data, t.filling, t.current)
    assert step(at(t.ESTABLISHED), fills) == [("ESTABLISHED", ["ACK"]), ("CLOSE-WAIT", ["ACK"])]
    assert told(at(t.ESTABLISHED), fills) == {(t.delivered,), (t.delivered, t.closing)}
    assert ("TIME-WAIT", ["ACK"]) in step(at(t.FIN_WAIT_2), fills)


def test_text_across_the_left_edge_is_text() -> None:
    for control in (t.data, t.fin):
        straddling, expected = (Segment.symbol(control, where, t.current) for where in (t.straddling, t.expected))
        for state in t.RECEIVING.members:
            assert step(at(state), straddling) == step(at(state), expected)


def test_the_acknowledgment_of_what_lies_ahead_may_count_at_once() -> None:
    assert ("FIN-WAIT-2", []) in step(at(t.FIN_WAIT_1), Segment.symbol(t.data, t.ahead, t.current))
    assert ("FIN-WAIT-1", []) in step(at(t.FIN_WAIT_1), Segment.symbol(t.data, t.ahead, t.current))


# ------------------------------------------------------------------------------------------------ urgent data, 3.8.5


@pytest.mark.parametrize("sequence", [t.expected, t.straddling, t.shut], ids=repr)
def test_urgent_data_is_told_even_in_a_zero_window(sequence: Value) -> None:
    for signals in told(QUIET, Segment.symbol(t.data, sequence, t.current, t.urgent)):
        # In a zero window text may also be dropped before URG is looked at: the RFC's special allowance is a "should".
        assert t.pressing in signals or sequence is t.shut
    assert any(t.pressing in found for found in told(QUIET, Segment.symbol(t.data, sequence, t.current, t.urgent)))


def test_urgent_data_after_a_fin_is_ignored() -> None:
    assert told(at(t.CLOSE_WAIT), Segment.symbol(t.data, t.current, t.urgent)) == {()}


# -------------------------------------------------------------------------------------------------- keep-alives, 3.8.4


def test_keep_alives_are_off_until_they_are_turned_on() -> None:
    assert "keep_alive" not in runs(QUIET)
    on = after(QUIET, t.KEEP_ALIVES.symbol(t.on))
    assert runs(on) == {"keep_alive"}
    assert step(on, t.KEEP_ALIVE) == [("ESTABLISHED", ["keep-alive"])]
    assert runs(after(on, t.KEEP_ALIVE)) == {"keep_alive"}
    assert after(on, t.KEEP_ALIVES.symbol(t.off)) == QUIET


def test_no_keep_alive_while_something_is_outstanding() -> None:
    here = at(t.ESTABLISHED, t.KEEP_ALIVE.running, t.RETRANSMISSION.running)
    assert step(here, t.KEEP_ALIVE) == [("ESTABLISHED", [])]


def test_a_keep_alive_of_the_peer_is_answered() -> None:
    for control in (t.bare, t.data):
        assert step(QUIET, Segment.symbol(control, t.old, t.current)) == [("ESTABLISHED", ["ACK"])]


# ---------------------------------------------------------------------------------------- what waits, 3.10.2 and 3.10.4


def test_text_and_close_before_the_connection_is_open_wait_for_it() -> None:
    acked = Segment.symbol(t.bare, t.current)
    half = at(t.SYN_RECEIVED, t.nothing_waits)
    assert runs(after(half, acked)) == set()
    with_text = after(half, t.SEND)
    assert runs(after(with_text, acked)) == {"retransmission", "user"}
    assert step(with_text, t.CLOSE) == [("SYN-RECEIVED", [])]
    assert step(after(with_text, t.CLOSE), acked) == [("FIN-WAIT-1", [])]
    assert step(half, t.CLOSE) == [("FIN-WAIT-1", ["FIN"])]
    assert runs(after(with_text, Segment.symbol(t.bare, t.current, t.zero))) == {"persist"}


@pytest.mark.parametrize("state", t.TALKING.members, ids=repr)
def test_close_with_unread_text_resets_or_closes_in_simplex_fashion(state: State) -> None:
    here = at(state, t.RETRANSMISSION.idle, t.PERSIST.idle, t.room)
    closing = "FIN-WAIT-1" if state is t.ESTABLISHED else "LAST-ACK"
    assert step(here, t.CLOSE.symbol(t.unread)) == [("CLOSED", ["RST"]), (closing, ["FIN"])]
    assert step(here, t.CLOSE) == [(closing, ["FIN"])]


@pytest.mark.parametrize("state", [t.FIN_WAIT_1, t.FIN_WAIT_2], ids=repr)
def test_text_after_close_is_taken_or_reset(state: State) -> None:
    outcomes = step(at(state), Segment.symbol(t.data, t.duplicate))
    assert outcomes == [(state.name, ["ACK"]), (state.name, []), ("CLOSED", ["RST"])]


def test_fin_follows_what_is_outstanding_or_waits() -> None:
    for here in (BUSY, PROBING, NO_ROOM):
        assert step(here, t.CLOSE) == [("FIN-WAIT-1", [])]
    assert runs(after(NO_ROOM, t.CLOSE)) == {"persist"}


# ----------------------------------------------------------------------------------------------------- TIME-WAIT, 3.6.1


def test_a_new_syn_may_open_a_connection_in_time_wait_anew() -> None:
    syn = Segment.symbol(t.syn, t.outside, t.no_ack)
    assert step(at(t.TIME_WAIT), syn) == [("TIME-WAIT", ["ACK"]), ("SYN-RECEIVED", ["SYN-ACK"])]
    (row,) = [row for row in rows(at(t.TIME_WAIT), syn) if row.next is t.SYN_RECEIVED]
    again = tcp.apply(row, at(t.TIME_WAIT), syn)[0]
    assert step(again, Segment.symbol(t.rst, t.expected)) == [("TIME-WAIT", [])]
    assert after(again, Segment.symbol(t.rst, t.expected)) == at(t.TIME_WAIT)
    assert step(again, Segment.symbol(t.bare, t.current)) == [("ESTABLISHED", [])]


@pytest.mark.parametrize("sequence", [t.old, t.repeated], ids=repr)
def test_an_old_syn_opens_it_only_where_timestamps_say_that_it_is_new(sequence: Value) -> None:
    syn = Segment.symbol(t.syn, sequence, t.no_ack)
    assert step(at(t.TIME_WAIT), syn) == [("TIME-WAIT", ["ACK"])]
    assert ("SYN-RECEIVED", ["SYN-ACK"]) in step(at(t.TIME_WAIT, role=STAMPED), syn, STAMPED)


# ---------------------------------------------------------------------------------------------- what the user is told


@pytest.mark.parametrize(
    ("here", "symbol", "signal"),
    [
        (at(t.SYN_SENT), Segment.symbol(t.syn, t.current), t.opened),
        (at(t.SYN_RECEIVED), Segment.symbol(t.bare, t.current), t.opened),
        (at(t.SYN_SENT), Segment.symbol(t.rst, t.current), t.refused),
        (at(t.SYN_RECEIVED, t.actively), Segment.symbol(t.rst), t.refused),
        (at(t.ESTABLISHED), Segment.symbol(t.rst), t.reset),
        (at(t.CLOSE_WAIT), Segment.symbol(t.rst), t.reset),
        (at(t.ESTABLISHED), Segment.symbol(t.fin, t.current), t.closing),
        (at(t.FIN_WAIT_2), Segment.symbol(t.fin, t.current), t.closing),
    ],
)
def test_the_user_is_told(here: Configuration, symbol: Symbol, signal: Signal) -> None:
    assert told(here, symbol) == {(signal,)}


@pytest.mark.parametrize("state", t.DOWN.members, ids=repr)
def test_a_reset_after_both_closed_is_not_told(state: State) -> None:
    assert told(at(state), Segment.symbol(t.rst)) == {()}


# --------------------------------------------------------------------------------------------------- timestamps, 7323


def test_an_outdated_segment_is_answered_and_dropped_wherever_it_lies_unless_it_is_a_reset() -> None:
    for state in t.ANY.members:
        for control in (t.bare, t.data, t.syn, t.fin):
            outdated = Segment.symbol(control, t.current, t.outdated)
            assert step(at(state, role=STAMPED), outdated, STAMPED) == [(state.name, ["ACK"])]
    reset = Segment.symbol(t.rst, t.outdated)
    assert step(at(t.ESTABLISHED, role=STAMPED), reset, STAMPED) == [("CLOSED", [])]


def test_a_segment_without_the_agreed_timestamp_is_dropped_or_read() -> None:
    bare = Segment.symbol(t.data, t.current, t.unstamped)
    outcomes = step(at(t.ESTABLISHED, role=STAMPED), bare, STAMPED)
    assert outcomes == [("ESTABLISHED", []), ("ESTABLISHED", ["ACK"])]


def test_a_timely_segment_is_read_as_it_is_without_timestamps() -> None:
    known = set(tcp.symbols)
    for here in tcp.reachable:
        for symbol in STAMPED.symbols:
            if symbol in known and not (here.state is t.TIME_WAIT and symbol.has(t.syn)):
                assert step(here, symbol, STAMPED) == step(here, symbol), (here, symbol)


# ------------------------------------------------------------------------------- both ends, figures 7, 9 and 10 of 3.5


def test_simultaneous_open_is_figure_7() -> None:
    parties = (start("a", tcp), start("b", tcp))
    for party in parties:
        party.take(t.active_open.symbol())
    a, b = parties
    for receiver, sender in ((a, b), (b, a)):
        receiver.take(Segment.symbol(t.syn, t.no_ack))
        sender.owed.clear()
    assert [party.state for party in parties] == ["SYN-RECEIVED", "SYN-RECEIVED"]
    # What completes it is the SYN-ACK of the other, whose SYN is a duplicate by now.
    completed = [("SYN-RECEIVED", ["ACK"]), ("ESTABLISHED", ["ACK"])]
    again = Segment.symbol(t.syn, t.repeated, t.current)
    assert [step(party.configuration, again) for party in parties] == [completed] * 2


def test_half_open_connection_is_discovered_as_in_figure_9() -> None:
    # Peer A has rebooted and opens anew, peer B thinks the connection open.
    syn = Segment.symbol(t.syn, t.outside, t.no_ack)
    assert step(at(t.ESTABLISHED), syn) == [("ESTABLISHED", ["ACK"])]
    assert step(at(t.SYN_SENT), Segment.symbol(t.bare, t.beyond)) == [("SYN-SENT", ["RST"])]
    assert step(at(t.ESTABLISHED), Segment.symbol(t.rst, t.expected, t.no_ack)) == [("CLOSED", [])]


def test_half_open_connection_is_discovered_as_in_figure_10() -> None:
    assert step(at(t.CLOSED), Segment.symbol(t.data, t.current)) == [("CLOSED", ["RST"])]
    assert step(at(t.ESTABLISHED), Segment.symbol(t.rst, t.expected, t.no_ack)) == [("CLOSED", [])]


def test_text_of_two_tables_stepped_against_each_other_is_acknowledged() -> None:
    parties = (start("client", tcp), start("server", tcp, t.passive_open))
    walk(parties, (Event("client", t.active_open), Event("client", t.SEND), Event("server", t.SEND)))
    assert [party.state for party in parties] == ["ESTABLISHED", "ESTABLISHED"]
    assert [runs(party.configuration) for party in parties] == [set(), set()]
