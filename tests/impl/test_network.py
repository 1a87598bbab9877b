"""The network in memory: time, impairment, the adversary's place, and HTTPS over all of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.http import HttpsClient, HttpsServer, Request, Response
from shakeproof.impl.network import AGAIN, DELIVERED, LATE, LOST, UNROUTABLE, Delivery, Link, Network, Stream
from shakeproof.impl.tcp import (
    Closed,
    Connected,
    DataReceived,
    Endpoint,
    Flags,
    Host,
    Packet,
    Refused,
    ResetReceived,
    Segment,
    TcpConfig,
    TimedOut,
)
from shakeproof.impl.tls import ClientConnection, ServerConnection
from tests.impl.tcp_transfer import CLIENT, PORT, SERVER, Bulk, Transfer
from tests.impl.tls_material import NAME, client_config, entropy, server_config

IMPAIRED = Link(loss=0.05, reordering=0.05, duplication=0.03)
BODY = bytes(range(256)) * 400


def handler(request: Request) -> Response:
    return Response(200, (("X-Target", request.target),), BODY + request.body)


def https(seed: int, link: Link) -> tuple[Network, Stream, HttpsClient]:
    """A client that makes a request to a server, each on a host of its own."""
    network = Network(seed, link=link)
    client_host = network.add_host(Host(CLIENT, TcpConfig(secret=b"client")))
    server_host = network.add_host(Host(SERVER, TcpConfig(secret=b"server")))
    network.serve(
        server_host.listen(PORT),
        lambda: HttpsServer(ServerConnection(server_config(entropy=entropy(seed))), handler),
    )
    client = HttpsClient(ClientConnection(client_config(entropy=entropy(seed + 1))), NAME)
    client.start()
    client.request("POST", "/over/tcp", body=b"question")
    stream = network.join(client_host.connect(Endpoint(SERVER, PORT), 0.0), client)
    return network, stream, client


def response_of(stream: Stream) -> Response | None:
    return next((event for event in stream.events if isinstance(event, Response)), None)


def fingerprint(network: Network) -> str:
    """Of every packet that was sent, with its time and fate."""
    return hashlib.sha256(repr(network.records).encode()).hexdigest()


# --- HTTPS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("link", [Link(), IMPAIRED], ids=["sound", "impaired"])
def test_https_request_and_response_over_tcp(link: Link, seed: int) -> None:
    network, stream, client = https(seed, link)
    assert network.run_until(lambda: response_of(stream) is not None, 120)
    response = response_of(stream)
    assert response is not None
    assert response.status == 200
    assert response.body == BODY + b"question"
    client.close()
    assert network.run_until(lambda: not any(host.connections for host in network.hosts.values()), 1000)
    assert all(joined.fault is None for joined in network.streams.values())
    assert stream.tcp_events[0] == Connected()
    assert stream.tcp_events[-1] == Closed()


def test_run_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def run(seed: int) -> str:
        transfer = Transfer.begin(seed, 20_000, IMPAIRED)
        assert transfer.run()
        return fingerprint(transfer.network)

    assert run(1) == run(1)
    assert run(1) != run(2)


def test_reset_from_within_truncates_https_visibly() -> None:
    network, stream, _ = https(1, Link())
    assert network.run_until(lambda: DataReceived in map(type, stream.tcp_events), 10)
    server = next(joined for joined in network.streams.values() if joined is not stream)
    server.connection.abort(network.clock.now_s)
    network.run(1)
    assert ResetReceived() in stream.tcp_events
    assert stream.fault is not None
    assert "truncation" in str(stream.fault) or "close_notify" in str(stream.fault)
    assert response_of(stream) is None


# --- links ------------------------------------------------------------------------------------------------------------


def test_impairment_has_the_rates_that_were_asked_for() -> None:
    network = Network(1, link=Link(loss=0.2, reordering=0.1, duplication=0.3))
    network.add_host(Host(SERVER, TcpConfig(secret=b"x")))
    for _ in range(5000):
        network.send(Packet(CLIENT, SERVER, b""))
    counts = {fate: sum(record.fate == fate for record in network.records) for fate in (LOST, LATE, AGAIN, DELIVERED)}
    assert counts[LOST] == pytest.approx(1000, rel=0.15)
    assert counts[LATE] == pytest.approx(400, rel=0.25)
    assert counts[AGAIN] == pytest.approx(1200, rel=0.15)
    assert counts[DELIVERED] + counts[LATE] + counts[LOST] == 5000


@pytest.mark.parametrize(
    ("name", "value"), [("loss", 1.0), ("reordering", -0.1), ("duplication", 2.0), ("delay_s", 0.0)]
)
def test_link_that_cannot_be_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Link(**{name: value})


def test_direction_may_have_a_link_of_its_own() -> None:
    transfer = Transfer.begin(1, 1000, Link(delay_s=0.01))
    transfer.network.links[(SERVER, CLIENT)] = Link(delay_s=0.5)
    assert transfer.run()
    delays = {(r.packet.source_ip, round((r.arrives_s or 0) - r.time_s, 6)) for r in transfer.network.records}
    assert delays == {(CLIENT, 0.01), (SERVER, 0.5)}


def test_packet_for_no_host_goes_nowhere() -> None:
    network = Network(1)
    network.send(Packet(CLIENT, "192.0.2.99", b"x"))
    assert [record.fate for record in network.records] == [UNROUTABLE]
    assert network.next_event() is None


def test_address_is_given_once() -> None:
    network = Network(1)
    network.add_host(Host(CLIENT, TcpConfig(secret=b"x")))
    with pytest.raises(LocalProtocolError, match="already"):
        network.add_host(Host(CLIENT, TcpConfig(secret=b"x")))


# --- time -------------------------------------------------------------------------------------------------------------


def test_time_jumps_and_ends_at_the_limit() -> None:
    network = Network(1)
    network.run(1e6)
    assert network.clock.now_s == 1e6
    assert not network.run_until(lambda: False, 5)


def test_nobody_at_home_times_out_in_virtual_time() -> None:
    network = Network(1)
    host = network.add_host(Host(CLIENT, TcpConfig(secret=b"x")))
    stream = network.join(host.connect(Endpoint("192.0.2.99", PORT), 0.0), Bulk(10, 1))
    assert network.run_until(lambda: not host.connections, 1000)
    assert stream.tcp_events[-1] == TimedOut("R2")
    assert 180 <= network.clock.now_s < 250


def test_port_without_listener_refuses() -> None:
    network = Network(1)
    host = network.add_host(Host(CLIENT, TcpConfig(secret=b"x")))
    network.add_host(Host(SERVER, TcpConfig(secret=b"y")))
    application = Bulk(10, 1)
    stream = network.join(host.connect(Endpoint(SERVER, PORT), 0.0), application)
    network.run(1)
    assert stream.tcp_events == [Refused()]
    assert application.ended


# --- the adversary ----------------------------------------------------------------------------------------------------


def between(decide: Callable[[Packet, Segment], list[Delivery] | None]) -> Transfer:
    """A transfer with someone in the middle who reads every segment."""
    transfer = Transfer.begin(1, 20_000, Link())

    def adversary(packet: Packet, now_s: float) -> list[Delivery] | None:
        return decide(packet, Segment.decode(packet.data, packet.source_ip, packet.destination_ip))

    transfer.network.adversary = adversary
    return transfer


def test_adversary_that_changes_bits_is_met_by_the_checksum() -> None:
    seen = 0

    def tamper(packet: Packet, segment: Segment) -> list[Delivery] | None:
        nonlocal seen
        seen += 1
        if seen % 7 or not segment.data:
            return None
        return [(packet._replace(data=packet.data[:-1] + bytes((packet.data[-1] ^ 1,))), 0.01, "tampered")]

    transfer = between(tamper)
    assert transfer.run()
    transfer.check()
    assert "tampered" in {record.fate for record in transfer.network.records}


def test_adversary_that_repeats_everything_changes_nothing() -> None:
    transfer = between(lambda packet, segment: [(packet, 0.01, DELIVERED), (packet, 0.3, "replayed")])
    assert transfer.run()
    transfer.check()


def test_adversary_who_knows_the_numbers_resets() -> None:
    def forge(packet: Packet, segment: Segment) -> list[Delivery] | None:
        if packet.source_ip != SERVER or not segment.data:
            return None
        reset = Segment(segment.source_port, segment.destination_port, segment.seq, flags=Flags.RST)
        data = reset.encode(packet.source_ip, packet.destination_ip)
        return [(packet._replace(data=data), 0.001, "forged")]

    transfer = between(forge)
    transfer.network.run(5)
    assert transfer.connection.state == "CLOSED"
    assert transfer.client.received == 0


def test_adversary_may_hold_back_and_inject_at_will() -> None:
    transfer = between(lambda packet, segment: [] if segment.flags & Flags.SYN else None)
    assert not transfer.run(30)
    assert transfer.connection.state == "SYN_SENT"
    transfer.network.inject(Packet(SERVER, CLIENT, b"no segment"), 0.1, "forged")
    transfer.network.run(1)
    assert transfer.connection.state == "SYN_SENT"
