"""Requirements of RFC 9293, appendix B, each seen on the wire: checksum, options, segment sizes, numbers, addresses.

The names are those of the checklist, `shakeproof list clauses --role tcp`. That each of these tests can fail is shown
in test_tcp_requirements_faults.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address

import pytest

from shakeproof.impl.network import Link
from shakeproof.impl.tcp import Connected, Endpoint, Flags, Host, Option, Packet, Segment, TcpConnection
from shakeproof.impl.tcp.options import NOP, find_mss, find_timestamps, maximum_segment_size, timestamps
from tests.impl.tcp_material import (
    LOCAL,
    LOCAL_IPV6,
    PEER_ISS,
    REMOTE,
    REMOTE_IPV6,
    START_S,
    STATES,
    Lab,
    config,
    connected,
    flags,
    lab_in,
    letters,
    listening_lab,
    opening_lab,
)
from tests.impl.tcp_transfer import CLIENT, IPV6, PORT, SERVER, Transfer
from tests.impl.test_tcp_segment import naive_checksum

HEADER_LENGTH = 20
MTU = 1500
IP_HEADER = {4: 20, 6: 40}
VERSIONS = pytest.mark.parametrize("version", [4, 6])
SYNS = flags("S"), flags("SA")


def wire(version: int) -> list[Packet]:
    """Every packet of a run: both ways at once, with loss, segments of odd length, and a reset for nobody."""
    addresses = IPV6 if version == 6 else (CLIENT, SERVER)
    transfer = Transfer.begin(3, 20_001, Link(loss=0.1, reordering=0.05), addresses=addresses, nagle=False)
    assert transfer.run()
    transfer.check()
    here, there = addresses
    host = transfer.network.hosts[here]
    host.receive_packet(Packet(there, here, Segment(9, 9, 9).encode(there, here)), 0.0)
    return [record.packet for record in transfer.network.records] + host.packets_to_send(0.0)


@lru_cache(2)
def wire_once(version: int) -> tuple[Packet, ...]:
    """The same, for tests that only look at it."""
    return tuple(wire(version))


def options_of(data: bytes) -> bytes:
    """The octets between the fixed header and the data."""
    return data[HEADER_LENGTH : (data[12] >> 4) * 4]


# --- checksum ---------------------------------------------------------------------------------------------------------


@VERSIONS
def test_checksum_of_every_sent_segment_is_right(version: int) -> None:
    packets = wire(version)
    lengths = {len(packet.data) % 2 for packet in packets}
    for packet in packets:
        source, destination = ip_address(packet.source_ip).packed, ip_address(packet.destination_ip).packed
        assert naive_checksum(packet.data, source, destination) == 0
    assert lengths == {0, 1}
    assert len({packet.data[16:18] for packet in packets}) > len(packets) // 2


def host_with(connection: TcpConnection) -> Host:
    """A host of which this is a connection; one in LISTEN is a listener, one in CLOSED none."""
    host = Host(LOCAL.ip, connection.config)
    if connection.state == "LISTEN":
        host.listen(LOCAL.port)
    elif connection.state != "CLOSED":
        host.connections[(LOCAL.port, REMOTE.ip, REMOTE.port)] = connection
    return host


def everything_of(host: Host) -> list[object]:
    """All that a host and its connections remember."""
    found: list[object] = [
        sorted(host.connections),
        {port: len(each.half_open) for port, each in host.listeners.items()},
    ]
    for connection in host.connections.values():
        variables = {name: bytes(v) if isinstance(v, bytearray) else v for name, v in vars(connection).items()}
        found.append(variables | {"reassembly": list(connection.reassembly.pieces)})
    return found


@pytest.mark.parametrize("state", STATES)
def test_segment_with_a_bad_checksum_is_dropped_in_silence(state: str) -> None:
    kind = {"LISTEN": "S", "SYN_SENT": "SA", "CLOSED": "A"}.get(state, "R")
    for letters_of_segment, text in ((kind, b""), (kind, b"text")):
        lab = lab_in(state)
        c, host = lab.connection, host_with(lab.connection)
        segment = Segment(REMOTE.port, LOCAL.port, c.rcv_nxt, c.snd_nxt, flags(letters_of_segment), 1000, data=text)
        sound = segment.encode(REMOTE.ip, LOCAL.ip)
        before = everything_of(host)
        for bit in range(8 * len(sound)):
            broken = bytearray(sound)
            broken[bit // 8] ^= 1 << bit % 8
            assert host.receive_packet(Packet(REMOTE.ip, LOCAL.ip, bytes(broken)), lab.now_s) == []
            assert host.packets_to_send(lab.now_s) == []
        assert everything_of(host) == before
        host.receive_packet(Packet(REMOTE.ip, LOCAL.ip, sound), lab.now_s)
        assert host.packets_to_send(lab.now_s) or everything_of(host) != before, "unbroken it has an effect"


# --- options ----------------------------------------------------------------------------------------------------------

UNKNOWN = (Option(200, b"abc"), NOP, Option(254, b""))


def outcome(lab: Lab, kind: str, options: tuple[Option, ...]) -> list[object]:
    """All that comes of a segment with these options."""
    c = lab.connection
    syn = "S" in kind
    answer = lab.give(kind, seq=c.rcv_nxt or PEER_ISS, data=b"" if syn or "R" in kind else b"text", options=options)
    return [
        [(letters(s), s.seq, s.ack, s.window, s.options, s.data) for s in answer],
        lab.events,
        (c.state, c.rcv_nxt, c.snd_una, c.snd_wnd, c.effective_mss, bytes(c.receive_buffer)),
    ]


@pytest.mark.parametrize("kind", ["S", "SA", "A", "PA", "FA", "R", "RA", "UA", ""])
@pytest.mark.parametrize("state", STATES)
def test_options_are_read_in_any_segment(state: str, kind: str) -> None:
    assert outcome(lab_in(state), kind, UNKNOWN) == outcome(lab_in(state), kind, ())


@pytest.mark.parametrize("kind", ["S", "SA", "A", "PA", "FA"])
def test_timestamps_are_read_and_echoed_whatever_segment_they_come_in(kind: str) -> None:
    stamp = (*UNKNOWN, timestamps(7007, 0))
    if kind == "S":
        (answer,) = listening_lab(timestamps=True).give("S", seq=PEER_ISS, options=stamp)
    elif kind == "SA":
        (answer,) = opening_lab(timestamps=True).give("SA", seq=PEER_ISS, options=stamp)
    else:
        lab = connected(timestamps=True, options=(timestamps(7000, 0),))
        lab.give(kind, data=b"x" if kind == "PA" else b"", options=stamp)
        lab.connection.send(b"y", lab.now_s)
        (answer,) = lab.out() or [segment for _, segment in lab.elapse(1)][:1]
    stamps = find_timestamps(answer.options)
    assert stamps is not None
    assert stamps[1] == 7007


@pytest.mark.parametrize("nops", range(37))
def test_options_begin_on_any_octet(nops: int) -> None:
    """As many NOPs before the option as fit; the Timestamps option is longer, and fits behind 30."""
    lab = listening_lab(nagle=False)
    lab.give("S", seq=PEER_ISS, options=(*(NOP,) * nops, maximum_segment_size(700)))
    lab.give("A")
    assert {len(segment.data) for segment in lab.send(bytes(1400))} == {700}
    if nops <= 30:
        (answer,) = listening_lab(timestamps=True).give(
            "S", seq=PEER_ISS, options=(*(NOP,) * nops, timestamps(7007, 0))
        )
        assert (find_timestamps(answer.options) or (0, 0))[1] == 7007


def option_lengths(octets: bytes) -> Iterator[tuple[int, int]]:
    """Kind and length of each option up to the End of Option List, read by their lengths alone."""
    position = 0
    while position < len(octets) and octets[position] != 0:
        kind = octets[position]
        length = 1 if kind == 1 else octets[position + 1]
        assert length >= 1 if kind == 1 else length >= 2
        position += length
        assert position <= len(octets)
        yield kind, length


@VERSIONS
def test_sent_options_have_lengths(version: int) -> None:
    """The options of every segment of a run parse by their lengths alone, and are as long as their kind must be."""
    seen = set()
    for packet in wire(version):
        seen |= set(option_lengths(options_of(packet.data)))
    assert seen == {(1, 1), (2, 4), (3, 3), (8, 10)}


@pytest.mark.parametrize("length", range(11))
def test_header_is_padded_with_zeros(length: int) -> None:
    """Options of any length, and those that a connection sends: whole words, and zeros behind the last option."""
    option = Option(200, b"\xff" * length)
    for data in (
        Segment(1, 2, 3, options=(option,), data=b"\xff").encode(CLIENT, SERVER),
        *(p.data for p in wire_once(4)),
    ):
        octets = options_of(data)
        end = sum(length for _, length in option_lengths(octets))
        assert set(octets[end:]) <= {0}
        assert len(octets) - end < 4


# --- segment sizes ----------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("mss", [100, 536, 1220, 1400, 1460, 65_535])
def test_mss_option_is_sent_and_obeyed(version: int, mss: int) -> None:
    theirs = (maximum_segment_size(mss),)
    active, passive = opening_lab(version=version), listening_lab(version=version)
    (syn,) = active.elapse(1)[0][1:]
    active.give("SA", seq=PEER_ISS, options=theirs)
    (syn_ack,) = passive.give("S", seq=PEER_ISS, options=theirs)
    passive.give("A")
    assert (letters(syn), letters(syn_ack)) == ("S", "SA")
    for lab, own in ((active, syn), (passive, syn_ack)):
        ours = find_mss(own.options)
        assert ours is not None
        lab.connection.cwnd = 10_000
        sizes = [len(segment.data) for segment in lab.send(bytes(5000))]
        assert max(sizes) == min(mss, ours)


@pytest.mark.parametrize(("version", "default"), [(4, 536), (6, 1220)])
def test_send_mss_without_option(version: int, default: int) -> None:
    for lab in (connected(version=version, options=()), connected(version=version, options=(), passive=True)):
        sent = lab.send(bytes(3 * default))
        while lab.connection.flight_size:
            sent += lab.give("A")
        assert [len(segment.data) for segment in sent] == [default] * 3


@VERSIONS
def test_sent_mss_fits_the_link(version: int) -> None:
    """MMS_R - 20, with MMS_R what the MTU leaves of the IP header: and no packet of a run is longer than the MTU."""
    packets = wire(version)
    syns = [Segment.decode(p.data, p.source_ip, p.destination_ip) for p in packets if p.data[13] & Flags.SYN]
    assert {letters(syn) for syn in syns} == {"S", "SA"}
    assert {find_mss(syn.options) for syn in syns} == {MTU - IP_HEADER[version] - HEADER_LENGTH}
    assert max(IP_HEADER[version] + len(packet.data) for packet in packets) == MTU


# --- initial sequence numbers -----------------------------------------------------------------------------------------


def iss_on_the_wire(host: Host, remote: Endpoint, port: int) -> int:
    """SEG.SEQ of the SYN that opens a connection at START_S."""
    host.connect(remote, START_S, port=port)
    (packet,) = host.packets_to_send(START_S)
    return Segment.decode(packet.data, packet.source_ip, packet.destination_ip).seq


def test_isn_of_other_tuples_is_unrelated() -> None:
    """At one time, with one port, address or secret after the other: no number tells the next, nor how far it is."""
    host = Host(LOCAL.ip, config())
    series = [
        [iss_on_the_wire(host, Endpoint(REMOTE.ip, port), 7) for port in range(1, 201)],
        [iss_on_the_wire(host, REMOTE, port) for port in range(1, 201)],
        [iss_on_the_wire(host, Endpoint(f"192.0.2.{number}", 443), 9) for number in range(3, 203)],
        [
            iss_on_the_wire(Host(f"192.0.2.{number}", config()), Endpoint("198.51.100.1", 443), 8)
            for number in range(200)
        ],
        [iss_on_the_wire(Host(LOCAL.ip, config(secret=b"%d" % number)), REMOTE, 8) for number in range(200)],
    ]
    for numbers in series:
        steps = [(b - a) % 2**32 for a, b in itertools.pairwise(numbers)]
        assert len(set(numbers)) == len(numbers)
        assert len(set(steps)) == len(steps)
        for values in (numbers, steps):
            assert {value >> 29 for value in values} == set(range(8)), "all over the space"


# --- listening --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [state for state in STATES if state not in ("CLOSED", "LISTEN")])
def test_listener_and_its_connections(state: str) -> None:
    """LISTEN is called, and accepts, while a connection of the same port is in SYN-SENT, SYN-RECEIVED or any other."""
    lab = lab_in(state)
    before = lab.connection.state
    host = host_with(lab.connection)
    listener = host.listen(LOCAL.port)

    def give(kind: str, seq: int, ack: int) -> list[Segment]:
        segment = Segment(5000, LOCAL.port, seq, ack, flags(kind), 1000)
        host.receive_packet(Packet("192.0.2.9", LOCAL.ip, segment.encode("192.0.2.9", LOCAL.ip)), START_S)
        packets = [p for p in host.packets_to_send(START_S) if p.destination_ip == "192.0.2.9"]
        return [Segment.decode(p.data, p.source_ip, p.destination_ip) for p in packets]

    answers = give("S", 100, 0)
    assert [letters(answer) for answer in answers] == ["SA"]
    assert give("A", 101, answers[0].seq + 1) == []
    other = listener.accept()
    assert other is not None
    assert other.state == "ESTABLISHED"
    assert lab.connection.state == before
    assert len(host.connections) == 2


# --- addresses --------------------------------------------------------------------------------------------------------

HERE = {4: LOCAL.ip, 6: LOCAL_IPV6.ip}
THERE = {4: REMOTE.ip, 6: REMOTE_IPV6.ip}
BROADCAST = "192.0.2.255"


def answers_to_syn(host: Host, source: str, destination: str) -> int:
    """How many packets answer a SYN that is right but for its addresses, and how many connections there are then."""
    data = Segment(5000, PORT, 3, flags=Flags.SYN, window=1000).encode(source, destination)
    assert host.receive_packet(Packet(source, destination, data), START_S) == []
    return len(host.packets_to_send(START_S)) + len(host.connections)


@pytest.mark.parametrize(
    ("version", "source", "destination"),
    [
        (4, REMOTE.ip, BROADCAST),
        (4, REMOTE.ip, "255.255.255.255"),
        (4, REMOTE.ip, "224.0.0.1"),
        (4, REMOTE.ip, "239.255.255.250"),
        (4, BROADCAST, LOCAL.ip),
        (4, "255.255.255.255", LOCAL.ip),
        (4, "224.0.0.1", LOCAL.ip),
        (4, "0.0.0.0", LOCAL.ip),
        (6, REMOTE_IPV6.ip, "ff02::1"),
        (6, REMOTE_IPV6.ip, "ff0e::1"),
        (6, "ff02::1", LOCAL_IPV6.ip),
        (6, "::", LOCAL_IPV6.ip),
    ],
)
def test_syn_of_invalid_addresses_is_dropped(version: int, source: str, destination: str) -> None:
    """With a checksum that is right for these addresses, so that nothing but they can be why; and with sound ones it
    is answered."""
    for listening in (True, False):
        host = Host(HERE[version], config(), broadcast=frozenset({BROADCAST}))
        if listening:
            host.listen(PORT)
        assert answers_to_syn(host, source, destination) == 0
        assert answers_to_syn(host, THERE[version], HERE[version]) == 1 + listening


def test_syn_to_another_host_is_dropped() -> None:
    host = Host(LOCAL.ip, config())
    host.listen(PORT)
    assert answers_to_syn(host, REMOTE.ip, "192.0.2.77") == 0


# --- IPv6 -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_64_kib_both_ways_over_ipv6(seed: int) -> None:
    """A whole connection, from SYN to FIN, over a network that loses, reorders and duplicates."""
    impaired = Link(loss=0.05, reordering=0.05, duplication=0.03)
    transfer = Transfer.begin(seed, 65_536, impaired, addresses=IPV6)
    assert transfer.run()
    transfer.check()
    assert {record.packet.source_ip for record in transfer.network.records} == set(IPV6)
    assert Connected() in transfer.network.streams[id(transfer.connection)].tcp_events
