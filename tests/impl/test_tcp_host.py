"""A host: who gets a packet, listeners and their backlog, reopening from TIME-WAIT, ICMP."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp import (
    Connected,
    Endpoint,
    Flags,
    HardError,
    Host,
    IcmpError,
    Listener,
    Packet,
    Segment,
    SoftError,
    TcpConnection,
)
from shakeproof.impl.tcp.host import MAX_CONNECTIONS, MAX_RESETS
from shakeproof.impl.tcp.options import Option, timestamps
from shakeproof.impl.tcp.sequence import distance
from tests.impl.tcp_material import config, flags, letters

US, PEER = "192.0.2.1", "192.0.2.2"
PORT = 443


class HostLab:
    """A host whose peers are written by hand."""

    def __init__(self, **changes: Any) -> None:
        self.host = Host(US, config(**changes), broadcast=frozenset({"192.0.2.255"}))
        self.now_s = 10.0
        self.events: list[object] = []

    def give(
        self, kind: str, seq: int, ack: int = 0, *, port: int = 5000, ip: str = PEER, to: str = US, **fields: Any
    ) -> list[Segment]:
        segment = Segment(port, fields.pop("at", PORT), seq, ack, flags(kind), 65_535, **fields)
        found = self.host.receive_packet(Packet(ip, to, segment.encode(ip, to)), self.now_s)
        self.events += [event for _, event in found]
        return self.out()

    def out(self) -> list[Segment]:
        packets = self.host.packets_to_send(self.now_s)
        return [Segment.decode(packet.data, packet.source_ip, packet.destination_ip) for packet in packets]

    def establish(self, listener: Listener, **fields: Any) -> TcpConnection:
        (answer,) = self.give("S", 100, **fields)
        self.give("A", 101, answer.seq + 1, **fields)
        connection = listener.accept()
        assert connection is not None
        return connection


def test_packet_for_nobody_gets_a_reset_but_never_a_reset_one() -> None:
    lab = HostLab()
    (reset,) = lab.give("S", 100)
    assert (letters(reset), reset.seq, reset.ack) == ("RA", 0, 101)
    (reset,) = lab.give("A", 100, 77)
    assert (letters(reset), reset.seq) == ("R", 77)
    assert lab.give("R", 100) == []


def test_resets_that_wait_are_bounded() -> None:
    lab = HostLab()
    data = Segment(1, 2, 3, flags=Flags.SYN).encode(PEER, US)
    for _ in range(MAX_RESETS + 10):
        lab.host.receive_packet(Packet(PEER, US, data), 0.0)
    assert len(lab.out()) == MAX_RESETS


def test_bad_checksum_and_no_segment_are_dropped_silently() -> None:
    lab = HostLab()
    data = bytearray(Segment(1, 2, 3, flags=Flags.SYN).encode(PEER, US))
    data[4] ^= 1
    for bad in (bytes(data), b"", b"short"):
        assert lab.host.receive_packet(Packet(PEER, US, bad), 0.0) == []
    assert lab.out() == []


def test_ipv6_multicast_is_no_peer() -> None:
    host = Host("2001:db8::1", config())
    assert host.check_unicast("2001:db8::2")
    assert not host.check_unicast("ff02::1")
    assert not host.check_unicast("::")


def test_connect_and_listen_make_a_connection_of_two_hosts() -> None:
    one, two = Host(US, config()), Host(PEER, config())
    listener = two.listen(PORT)
    connection = one.connect(Endpoint(PEER, PORT), 0.0)
    for _ in range(3):
        for packet in one.packets_to_send(0.0):
            two.receive_packet(packet, 0.0)
        for packet in two.packets_to_send(0.0):
            one.receive_packet(packet, 0.0)
    other = listener.accept()
    assert other is not None
    assert connection.state == other.state == "ESTABLISHED"
    assert other.remote == connection.local
    assert listener.accept() is None


def test_listener_and_its_connections_live_beside_each_other() -> None:
    lab = HostLab()
    listener = lab.host.listen(PORT)
    connections = [lab.establish(listener, port=port) for port in (1, 2, 3)]
    assert len({connection.remote for connection in connections}) == 3
    assert len(lab.host.connections) == 3
    with pytest.raises(LocalProtocolError, match="has a listener"):
        lab.host.listen(PORT)


def test_syns_beyond_the_backlog_are_dropped_until_there_is_room() -> None:
    lab = HostLab()
    listener = lab.host.listen(PORT, backlog=3)
    answers = [len(lab.give("S", 100, port=port)) for port in range(10)]
    assert answers == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
    (answer,) = lab.give("S", 100, port=0)[:1]
    lab.give("A", 101, answer.seq, port=0)
    assert listener.accept() is not None
    assert len(lab.give("S", 100, port=50)) == 1


def test_reset_frees_a_place_in_the_backlog() -> None:
    lab = HostLab()
    lab.host.listen(PORT, backlog=1)
    lab.give("S", 100)
    assert lab.give("R", 101) == []
    assert not lab.host.connections
    assert len(lab.give("S", 100, port=6000)) == 1


@pytest.mark.parametrize("ending", ["abort", "close", "ICMP error"])
def test_half_open_connection_that_is_ended_frees_its_place_in_the_backlog(ending: str) -> None:
    lab = HostLab()
    listener = lab.host.listen(PORT, backlog=2)
    for port in range(3000, 3020):
        (answer,) = lab.give("S", 100, port=port)
        assert letters(answer) == "SA"
        assert len(listener.half_open) == 1
        (connection,) = lab.host.connections.values()
        if ending == "ICMP error":
            lab.host.receive_icmp(icmp(connection, 3, 3), lab.now_s)
        else:
            getattr(connection, ending)(lab.now_s)
        lab.out()
        if ending == "close":  # the FIN waits for the ACK of our SYN; a reset ends both
            lab.give("R", 101, port=port)
        assert not listener.half_open
        assert not lab.host.connections
        assert listener.accept() is None


def test_half_open_connection_that_is_aborted_leaves_the_one_in_time_wait_that_it_put_aside() -> None:
    lab = HostLab()
    old = in_time_wait(lab)
    lab.give("S", 90_000)
    (connection,) = lab.host.connections.values()
    assert connection is not old
    connection.abort(lab.now_s)
    lab.out()
    assert list(lab.host.connections.values()) == [old]
    assert not lab.host.listeners[PORT].half_open


def test_half_open_connections_time_out() -> None:
    lab = HostLab()
    lab.host.listen(PORT, backlog=1)
    lab.give("S", 100)
    while (timeout_s := lab.host.next_timeout()) is not None:
        lab.now_s = timeout_s
        lab.host.tick(timeout_s)
        lab.out()
    assert lab.now_s >= 190
    assert len(lab.give("S", 100, port=6000)) == 1


def test_ack_and_reset_to_a_listener() -> None:
    lab = HostLab()
    lab.host.listen(PORT)
    (reset,) = lab.give("A", 5, 600)
    assert (letters(reset), reset.seq) == ("R", 600)
    assert lab.give("R", 5) == lab.give("F", 5) == []
    assert not lab.host.connections


def test_connections_of_a_host_are_bounded() -> None:
    lab = HostLab()
    lab.host.listen(PORT, backlog=2 * MAX_CONNECTIONS)
    for port in range(MAX_CONNECTIONS + 5):
        lab.give("S", 100, port=port) if port % 256 == 0 else lab.host.receive_packet(
            Packet(PEER, US, Segment(port, PORT, 100, flags=Flags.SYN).encode(PEER, US)), lab.now_s
        )
    assert len(lab.host.connections) == MAX_CONNECTIONS
    with pytest.raises(LocalProtocolError, match="close one first"):
        lab.host.connect(Endpoint(PEER, 1), 0.0)


def test_ephemeral_ports_differ_and_a_pair_of_sockets_is_used_once() -> None:
    lab = HostLab()
    ports = {lab.host.connect(Endpoint(PEER, PORT), 0.0).local.port for _ in range(50)}
    assert len(ports) == 50
    assert min(ports) >= 49_152
    lab.host.connect(Endpoint(PEER, 1), 0.0, port=7)
    with pytest.raises(LocalProtocolError, match="port 7"):
        lab.host.connect(Endpoint(PEER, 1), 0.0, port=7)


def test_closed_connection_is_forgotten_and_answered_with_a_reset() -> None:
    lab = HostLab()
    connection = lab.establish(lab.host.listen(PORT))
    nxt = connection.snd_nxt
    connection.abort(lab.now_s)
    assert [letters(segment) for segment in lab.out()] == ["R"]
    assert not lab.host.connections
    (reset,) = lab.give("PA", 101, nxt, data=b"late")
    assert (letters(reset), reset.seq) == ("R", nxt)


# --- TIME-WAIT --------------------------------------------------------------------------------------------------------


def in_time_wait(lab: HostLab, **fields: Any) -> TcpConnection:
    """A connection of a listener that closed first."""
    connection = lab.establish(lab.host.listeners.get(PORT) or lab.host.listen(PORT), **fields)
    connection.close(lab.now_s)
    lab.out()
    lab.give("FA", 101, connection.snd_nxt, **fields)
    assert connection.state == "TIME_WAIT"
    lab.events.clear()
    return connection


def test_new_syn_reopens_from_time_wait_with_a_higher_iss() -> None:
    lab = HostLab()
    old = in_time_wait(lab)
    (answer,) = lab.give("S", 5000)
    assert letters(answer) == "SA"
    assert distance(old.snd_nxt, answer.seq) > 0
    lab.give("A", 5001, answer.seq + 1)
    assert lab.events == [Connected()]
    new = lab.host.listeners[PORT].accept()
    assert new is not None
    assert new is not old


def test_new_iss_is_higher_even_if_the_clock_was_slower_than_the_data() -> None:
    lab = HostLab()
    old = in_time_wait(lab)
    old.snd_nxt = old.snd_una = (old.snd_nxt + 10_000_000) % 2**32
    (answer,) = lab.give("S", 5000)
    assert answer.seq == old.snd_nxt + 1


def test_old_syn_in_time_wait_gets_a_challenge_ack() -> None:
    lab = HostLab()
    old = in_time_wait(lab)
    (ack,) = lab.give("S", 50)
    assert (letters(ack), ack.ack) == ("A", old.rcv_nxt)
    assert old.state == "TIME_WAIT"


def test_timestamps_decide_about_a_syn_in_time_wait() -> None:
    def stamp(value: int) -> tuple[Option, ...]:
        return (timestamps(value, 0),)

    lab = HostLab(timestamps=True)
    old = in_time_wait(lab, options=stamp(1000))
    assert not old.accept_reopening(Segment(5000, PORT, 9000, flags=Flags.SYN, options=stamp(999)))
    assert old.accept_reopening(Segment(5000, PORT, 9000, flags=Flags.SYN, options=stamp(1000)))
    assert not old.accept_reopening(Segment(5000, PORT, 50, flags=Flags.SYN, options=stamp(1000)))
    assert old.accept_reopening(Segment(5000, PORT, 50, flags=Flags.SYN, options=stamp(1001)))
    assert old.accept_reopening(Segment(5000, PORT, 9000, flags=Flags.SYN))


def test_time_wait_comes_back_if_the_syn_was_an_old_duplicate() -> None:
    lab = HostLab()
    old = in_time_wait(lab)
    lab.give("S", 5000)
    lab.give("R", 5001)
    assert list(lab.host.connections.values()) == [old]
    assert old.state == "TIME_WAIT"


def test_without_a_listener_nothing_reopens() -> None:
    lab = HostLab()
    old = in_time_wait(lab)
    lab.host.stop_listening(lab.host.listeners[PORT])
    (ack,) = lab.give("S", 5000)
    assert letters(ack) == "A"
    assert old.state == "TIME_WAIT"


# --- ICMP -------------------------------------------------------------------------------------------------------------


def icmp(connection: TcpConnection, kind: int, code: int, off: int = 0) -> IcmpError:
    """An error about the segment at SND.UNA + off."""
    seq = (connection.snd_una + off) % 2**32
    quoted = Segment(connection.local.port, connection.peer.port, seq).encode(US, PEER)[:8]
    return IcmpError(kind, code, US, PEER, quoted)


def outstanding(lab: HostLab) -> TcpConnection:
    connection = lab.establish(lab.host.listen(PORT))
    connection.send(b"x", lab.now_s)
    lab.out()
    return connection


@pytest.mark.parametrize(("kind", "code"), [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0)])
def test_soft_error_is_told_and_never_aborts(kind: int, code: int) -> None:
    lab = HostLab()
    connection = outstanding(lab)
    ((_, event),) = lab.host.receive_icmp(icmp(connection, kind, code), lab.now_s)
    assert event == SoftError(f"ICMP type {kind} code {code}")
    assert connection.state == "ESTABLISHED"


@pytest.mark.parametrize("code", [2, 3, 4])
def test_hard_error_aborts(code: int) -> None:
    lab = HostLab()
    connection = outstanding(lab)
    ((_, event),) = lab.host.receive_icmp(icmp(connection, 3, code), lab.now_s)
    assert isinstance(event, HardError)
    assert connection.state == "CLOSED"


def test_hard_error_about_nothing_that_is_on_its_way_is_ignored() -> None:
    for off in (-1, 1, 2**31):
        lab = HostLab()
        connection = outstanding(lab)
        assert lab.host.receive_icmp(icmp(connection, 3, 3, off), lab.now_s) == []
        assert connection.state == "ESTABLISHED"


def test_source_quench_and_errors_about_others_are_ignored() -> None:
    lab = HostLab()
    connection = outstanding(lab)
    good = icmp(connection, 3, 3)
    for error in (
        icmp(connection, 4, 0),
        icmp(connection, 8, 0),
        IcmpError(3, 3, "192.0.2.9", PEER, good.quoted),
        IcmpError(3, 3, US, "192.0.2.9", good.quoted),
        IcmpError(3, 3, US, PEER, good.quoted[:7]),
    ):
        assert lab.host.receive_icmp(error, lab.now_s) == []
    assert connection.state == "ESTABLISHED"


def test_icmpv6_has_numbers_of_its_own() -> None:
    def severity(kind: int, code: int) -> str:
        return IcmpError(kind, code, "2001:db8::1", "2001:db8::2", b"").severity.value

    assert (severity(1, 0), severity(1, 4), severity(3, 0), severity(2, 0)) == ("soft", "hard", "soft", "ignored")


def test_hard_error_before_the_connection_exists_is_ignored() -> None:
    connection = TcpConnection(config(), Endpoint(US, 1), Endpoint(PEER, 2), 0.0)
    assert connection.receive_hard_error("x", 0, 0.0) == connection.receive_soft_error("x", 0.0) == []


def test_stale_listener_stops_nothing() -> None:
    host = Host(US, config())
    first = host.listen(PORT)
    host.stop_listening(first)
    second = host.listen(PORT)
    host.stop_listening(first)
    assert host.listeners == {PORT: second}


def test_reopening_waits_for_room_in_the_backlog() -> None:
    lab = HostLab()
    lab.host.listen(PORT, backlog=1)
    old = in_time_wait(lab)
    lab.give("S", 100, port=6000)
    assert lab.give("S", 5000) == []
    assert old.state == "TIME_WAIT"
