"""Requirements of RFC 9293, section 3.9.2.2: what ICMP errors do to a connection, seen on the wire afterwards.

The names are those of the checklist. That each of these tests can fail is shown in test_tcp_requirements_faults.
"""

from __future__ import annotations

import pytest

from shakeproof.impl.tcp import Endpoint, Event, HardError, Host, IcmpError, Packet, Segment, SoftError, TcpConnection
from tests.impl.tcp_material import LOCAL, LOCAL_IPV6, PEER_ISS, REMOTE, REMOTE_IPV6, START_S, config, flags, letters

SOFT = {
    4: [(3, 0), (3, 1), (3, 5), (11, 0), (11, 1), (12, 0), (12, 1), (12, 2)],
    6: [(1, 0), (1, 3), (3, 0), (3, 1), (4, 0), (4, 1), (4, 2)],
}
HARD = [(3, 2), (3, 3), (3, 4)]
"""Kind and code, as the section names them; it names no hard errors of ICMPv6."""
EACH_SOFT = [(version, *error) for version, errors in SOFT.items() for error in errors]


class IcmpLab:
    """A host with two connections to one peer, each in ESTABLISHED with an octet on its way."""

    def __init__(self, version: int = 4) -> None:
        self.here, self.there = (LOCAL.ip, REMOTE.ip) if version == 4 else (LOCAL_IPV6.ip, REMOTE_IPV6.ip)
        self.host = Host(self.here, config())
        self.one, self.other = (self.connect(port) for port in (443, 444))

    def connect(self, port: int) -> TcpConnection:
        connection = self.host.connect(Endpoint(self.there, port), START_S)
        self.host.packets_to_send(START_S)
        self.give(connection, "SA", PEER_ISS)
        connection.send(b"x", START_S)
        self.sent(START_S)
        return connection

    def give(self, connection: TcpConnection, kind: str, seq: int) -> list[tuple[int, str]]:
        """A segment of the peer, and what is answered."""
        ports = connection.peer.port, connection.local.port
        segment = Segment(*ports, seq, connection.snd_nxt, flags(kind), 1000)
        self.host.receive_packet(Packet(self.there, self.here, segment.encode(self.there, self.here)), START_S)
        return self.sent(START_S)

    def sent(self, now_s: float) -> list[tuple[int, str]]:
        """The peer's port and the flags of each segment that is sent now."""
        self.host.tick(now_s)
        packets = self.host.packets_to_send(now_s)
        segments = [Segment.decode(p.data, p.source_ip, p.destination_ip) for p in packets]
        return sorted((segment.destination_port, letters(segment)) for segment in segments)

    def error(self, kind: int, code: int) -> list[tuple[bool, type[Event]]]:
        """An ICMP error about the octet of the first connection: what is reported, and to whom."""
        c = self.one
        quoted = Segment(c.local.port, c.peer.port, c.snd_una).encode(self.here, self.there)[:8]
        reported = self.host.receive_icmp(IcmpError(kind, code, self.here, self.there, quoted), START_S)
        return [(connection is c, type(event)) for connection, event in reported]


BOTH_AGAIN = [(443, "PA"), (444, "PA")]
"""Both octets are sent once more, when the retransmission timer has run out."""


@pytest.mark.parametrize(("version", "kind", "code"), [(4, 3, 1), (4, 3, 3), (6, 1, 0), (6, 1, 4)])
def test_icmp_error_reaches_its_connection_and_no_other(version: int, kind: int, code: int) -> None:
    lab = IcmpLab(version)
    assert [is_its_own for is_its_own, _ in lab.error(kind, code)] == [True]
    assert (444, "PA") in lab.sent(START_S + 1), "the other goes on"


def test_source_quench_is_discarded() -> None:
    lab = IcmpLab()
    before = [{**vars(connection)} for connection in (lab.one, lab.other)]
    assert lab.error(4, 0) == []
    assert [{**vars(connection)} for connection in (lab.one, lab.other)] == before
    assert lab.sent(START_S) == []
    assert lab.sent(START_S + 1) == BOTH_AGAIN


@pytest.mark.parametrize(("version", "kind", "code"), EACH_SOFT)
def test_soft_error_does_not_abort_the_connection(version: int, kind: int, code: int) -> None:
    lab = IcmpLab(version)
    assert lab.error(kind, code) == [(True, SoftError)]
    assert lab.sent(START_S) == []
    assert lab.sent(START_S + 1) == BOTH_AGAIN


@pytest.mark.parametrize(("version", "kind", "code"), EACH_SOFT)
def test_soft_error_does_not_abort_an_open_either(version: int, kind: int, code: int) -> None:
    lab = IcmpLab(version)
    lab.one = lab.host.connect(Endpoint(lab.there, 445), START_S)
    assert lab.sent(START_S) == [(445, "S")]
    assert lab.error(kind, code) == [(True, SoftError)]
    assert lab.sent(START_S + 1) == [*BOTH_AGAIN, (445, "S")]


@pytest.mark.parametrize(("kind", "code"), HARD)
def test_hard_error_aborts_the_connection(kind: int, code: int) -> None:
    """It is gone: its octet is not sent again, and what the peer still sends belongs to nobody."""
    lab = IcmpLab()
    seq = lab.one.rcv_nxt
    assert lab.error(kind, code) == [(True, HardError)]
    assert lab.sent(START_S + 1) == [(444, "PA")]
    assert lab.give(lab.one, "A", seq) == [(443, "R")]
