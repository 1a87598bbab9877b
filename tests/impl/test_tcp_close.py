"""How connections end: FIN in all orders, TIME-WAIT, resets, unread data."""

from __future__ import annotations

import pytest

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp import Closed, DataReceived, PeerClosed
from tests.impl.tcp_material import SYNCHRONIZED, closed_lab, connected, lab_in, letters, listening_lab, opening_lab

MSL_S = 120.0


def test_active_close_as_in_figure_12() -> None:
    lab = connected()
    c = lab.connection
    (fin,) = lab.close()
    assert (letters(fin), fin.seq, fin.ack) == ("FA", c.snd_nxt - 1, c.rcv_nxt)
    assert c.state == "FIN_WAIT_1"
    assert lab.give("A") == []
    assert c.state == "FIN_WAIT_2"
    (ack,) = lab.give("FA")
    assert (letters(ack), ack.ack) == ("A", c.rcv_nxt)
    assert c.state == "TIME_WAIT"
    assert lab.events == [PeerClosed()]
    lab.elapse(2 * MSL_S - 0.01)
    assert c.state == "TIME_WAIT"
    lab.elapse(0.01)
    assert c.state == "CLOSED"
    assert lab.events == [PeerClosed(), Closed()]


def test_passive_close_as_in_figure_12() -> None:
    lab = connected()
    c = lab.connection
    (ack,) = lab.give("FA")
    assert ack.ack == c.rcv_nxt
    assert c.state == "CLOSE_WAIT"
    (data,) = lab.send(b"still")
    assert data.data == b"still"
    lab.give("A")
    (fin,) = lab.close()
    assert letters(fin) == "FA"
    assert c.state == "LAST_ACK"
    assert lab.give("A") == []
    assert c.state == "CLOSED"
    assert lab.events == [PeerClosed(), Closed()]
    assert c.next_timeout() is None


def test_simultaneous_close_as_in_figure_13() -> None:
    lab = connected()
    lab.close()
    (ack,) = lab.give("FA", ack=lab.connection.snd_una)
    assert letters(ack) == "A"
    assert lab.connection.state == "CLOSING"
    lab.give("A")
    assert lab.connection.state == "TIME_WAIT"


def test_fin_with_the_acknowledgment_of_ours_goes_to_time_wait() -> None:
    lab = connected()
    lab.close()
    lab.give("FA")
    assert lab.connection.state == "TIME_WAIT"


def test_closing_ignores_acknowledgments_of_less_than_the_fin() -> None:
    lab = lab_in("CLOSING")
    lab.give("A", ack=lab.connection.snd_una)
    assert lab.connection.state == "CLOSING"


def test_close_sends_what_is_queued_first_and_the_fin_with_the_last_of_it() -> None:
    lab = connected(window=2500)
    sent = lab.send(bytes(3500))
    assert sum(len(segment.data) for segment in sent) == 2000
    assert lab.close() == []
    assert lab.connection.state == "FIN_WAIT_1"
    sent = lab.give("A", window=10_000)
    assert [(letters(segment), len(segment.data)) for segment in sent] == [("A", 1000)]
    (last,) = lab.give("A", window=10_000)
    assert (letters(last), len(last.data)) == ("FPA", 500)


def test_close_wait_becomes_last_ack_when_the_fin_is_sent() -> None:
    lab = connected(window=1000)
    lab.send(bytes(1500))
    lab.give("FA", ack=lab.connection.snd_una, window=1000)
    lab.close()
    assert lab.connection.state == "CLOSE_WAIT"
    (last,) = lab.give("A", window=1000)
    assert letters(last) == "FPA"
    assert lab.connection.state == "LAST_ACK"


def test_data_and_fin_in_fin_wait_states_are_taken() -> None:
    for state in ("FIN_WAIT_1", "FIN_WAIT_2"):
        lab = lab_in(state)
        lab.give("A", ack=lab.connection.snd_una, data=b"late")
        assert lab.connection.receive() == b"late"
        assert lab.events == [DataReceived(4)]


def test_lost_fin_is_sent_again() -> None:
    for state in ("FIN_WAIT_1", "CLOSING", "LAST_ACK"):
        lab = lab_in(state)
        ((at_s, fin),) = lab.elapse(1.5)
        assert (at_s, letters(fin), fin.seq) == (1.0, "FA", lab.connection.snd_una)


def test_fin_is_acknowledged_once_and_never_sent_again() -> None:
    lab = lab_in("FIN_WAIT_2")
    assert lab.elapse(1000) == []
    assert lab.connection.state == "FIN_WAIT_2"


# --- TIME-WAIT --------------------------------------------------------------------------------------------------------


def test_repeated_fin_in_time_wait_is_acknowledged_and_restarts_2_msl() -> None:
    lab = lab_in("TIME_WAIT")
    lab.elapse(MSL_S)
    (ack,) = lab.give("FA", seq=lab.connection.rcv_nxt - 1)
    assert ack.ack == lab.connection.rcv_nxt
    lab.elapse(2 * MSL_S - 1)
    assert lab.connection.state == "TIME_WAIT"
    lab.elapse(1)
    assert lab.connection.state == "CLOSED"


def test_old_data_in_time_wait_is_acknowledged_and_restarts_nothing() -> None:
    lab = lab_in("TIME_WAIT")
    lab.elapse(MSL_S)
    assert len(lab.give("A", seq=lab.connection.rcv_nxt - 5, data=b"old")) == 1
    lab.elapse(MSL_S)
    assert lab.connection.state == "CLOSED"


# --- close, abort: what the user may do -------------------------------------------------------------------------------


def test_close_with_unread_data_sends_a_reset() -> None:
    for state in ("ESTABLISHED", "CLOSE_WAIT"):
        lab = connected()
        lab.give("FPA" if state == "CLOSE_WAIT" else "PA", data=b"unread")
        c = lab.connection
        assert c.state == state
        seq = c.snd_nxt
        (reset,) = lab.close()
        assert (letters(reset), reset.seq) == ("R", seq)
        assert c.state == "CLOSED"


def test_shutdown_with_unread_data_sends_a_fin_and_reading_goes_on() -> None:
    lab = connected()
    lab.give("PA", data=b"unread")
    lab.connection.shutdown(lab.now_s)
    (fin,) = lab.out()
    assert letters(fin) == "FA"
    assert lab.connection.receive() == b"unread"


def test_data_after_a_half_duplex_close_gets_a_reset() -> None:
    lab = connected(half_duplex_close=True)
    lab.close()
    lab.give("A")
    assert lab.connection.state == "FIN_WAIT_2"
    (reset,) = lab.give("PA", data=b"lost")
    assert letters(reset) == "R"
    assert lab.connection.state == "CLOSED"


def test_close_in_listen_and_syn_sent_deletes() -> None:
    for lab in (listening_lab(), opening_lab()):
        assert lab.close() == []
        assert lab.connection.state == "CLOSED"
        assert lab.connection.next_timeout() is None


def test_close_in_syn_received_without_data_sends_the_fin_at_once() -> None:
    lab = lab_in("SYN_RECEIVED")
    (fin,) = lab.close()
    assert letters(fin) == "FA"
    assert lab.connection.state == "FIN_WAIT_1"
    lab.give("A")
    assert lab.connection.state == "FIN_WAIT_2"


def test_close_in_syn_received_without_data_survives_the_loss_of_everything() -> None:
    lab = lab_in("SYN_RECEIVED")
    lab.close()
    sent = lab.elapse(1.5)
    assert [letters(segment) for _, segment in sent] == ["SA", "FA"]
    lab.give("A")
    assert lab.connection.state == "FIN_WAIT_2"


def test_close_in_syn_received_with_data_waits_for_the_handshake() -> None:
    lab = lab_in("SYN_RECEIVED")
    lab.send(b"data")
    assert lab.close() == []
    assert lab.connection.state == "SYN_RECEIVED"
    (last,) = lab.give("A")
    assert (letters(last), last.data) == ("FPA", b"data")
    assert lab.connection.state == "FIN_WAIT_1"


@pytest.mark.parametrize("state", ["CLOSED", "CLOSING", "LAST_ACK", "TIME_WAIT"])
def test_close_where_nothing_is_left_to_close_is_an_error_of_the_caller(state: str) -> None:
    lab = lab_in(state)
    with pytest.raises(LocalProtocolError, match="close"):
        lab.close()
    assert lab.connection.state == state


def test_close_twice_sends_one_fin() -> None:
    lab = connected()
    assert len(lab.close()) == 1
    assert lab.close() == []


@pytest.mark.parametrize("state", ["CLOSED", "LISTEN", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSING", "LAST_ACK", "TIME_WAIT"])
def test_send_where_nothing_can_be_sent_is_an_error_of_the_caller(state: str) -> None:
    lab = lab_in(state)
    if state == "LISTEN":
        lab.connection.remote = None
    with pytest.raises(LocalProtocolError, match="send"):
        lab.send(b"x")


@pytest.mark.parametrize("state", ["SYN_RECEIVED", *SYNCHRONIZED])
def test_abort_resets_unless_the_peer_has_closed_too(state: str) -> None:
    lab = lab_in(state)
    seq = lab.connection.snd_nxt
    lab.connection.abort(lab.now_s)
    sent = [(letters(segment), segment.seq) for segment in lab.out()]
    assert sent == ([] if state in ("CLOSING", "LAST_ACK", "TIME_WAIT") else [("R", seq)])
    assert lab.connection.state == "CLOSED"
    assert lab.connection.next_timeout() is None


def test_abort_without_connection_is_an_error_of_the_caller() -> None:
    with pytest.raises(LocalProtocolError, match="does not exist"):
        closed_lab().connection.abort(0.0)


def test_connection_can_be_opened_again() -> None:
    lab = connected()
    lab.connection.abort(lab.now_s)
    lab.out()
    lab.connection.open_active(lab.now_s + 1)
    assert lab.connection.state == "SYN_SENT"


def test_fin_beyond_the_end_in_time_wait_is_acknowledged_and_restarts_2_msl() -> None:
    lab = lab_in("TIME_WAIT")
    lab.elapse(MSL_S)
    assert len(lab.give("FA")) == 1
    lab.elapse(2 * MSL_S - 1)
    assert lab.connection.state == "TIME_WAIT"
