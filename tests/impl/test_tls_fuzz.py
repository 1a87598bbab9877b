"""Whatever bytes come, at whatever point: RemoteProtocolError with an alert, or nothing; never another exception."""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertReceived,
    ClientConnection,
    Connection,
    ServerConnection,
    Session,
    SessionCache,
    TicketKeys,
    records,
)
from shakeproof.impl.tls.suites import DEFAULT_SUITES, CipherSuite
from tests.impl.tls_material import client_rsa_credential, connected, entropy, pair, verify_client

FLIGHTS = 4
"""ClientHello; ServerHello to ServerHelloDone; ClientKeyExchange to Finished; ChangeCipherSpec and Finished."""

suites = st.sampled_from(DEFAULT_SUITES)
setups = st.sampled_from(("plain", "authenticated", "by id", "by ticket", "again"))
opened: Counter[tuple[bool, str]] = Counter()


@cache
def earlier(suite: CipherSuite, by: str) -> tuple[Session, Session | None, TicketKeys]:
    """Of an honest connection: the client's session, the server's, and the server's ticket keys."""
    keys = TicketKeys(entropy(7))
    changes: dict[str, Any] = {"sessions": SessionCache()} if by == "by id" else {"ticket_keys": keys}
    client, server = connected({"suites": (suite,)}, changes)
    assert client.session is not None
    return client.session, server.session, keys


def begun(suite: CipherSuite, setup: str) -> tuple[ClientConnection, ServerConnection]:
    """A client whose ClientHello waits to be sent, and its server."""
    changes: dict[str, Any] = {"suites": (suite,)}
    if setup == "authenticated":
        policy = {"client_authentication": "require", "verify_client": verify_client}
        return pair(changes | {"credentials": [client_rsa_credential()]}, policy | {"ticket_keys": TicketKeys()})
    if setup == "again":
        client, server = connected(changes | {"renegotiation": "allow"}, {"renegotiation": "allow"})
        client.renegotiate()
        return client, server
    if setup.startswith("by"):
        session, known, keys = earlier(suite, setup)
        cache = SessionCache()
        if known is not None:
            cache.put(known)
        return pair(changes | {"session": session}, {"sessions": cache, "ticket_keys": keys, "entropy": entropy(8)})
    return pair(changes)


def after(flights: int, suite: CipherSuite, setup: str = "plain") -> tuple[Connection, Connection, bytes]:
    """Receiver, sender and the bytes that come next, after that many honest flights; data after the last.

    The first flight of an abbreviated handshake is as in a full one; it has one flight less.
    """
    client, server = begun(suite, setup)
    sender: Connection = client
    receiver: Connection = server
    for _ in range(flights):
        receiver.receive_data(sender.data_to_send())
        sender, receiver = receiver, sender
    if sender.is_connected:
        sender.send_application_data(b"some data")
    flight = sender.data_to_send()
    if not flight:  # the last flight of an abbreviated handshake was the other's
        receiver.send_application_data(b"some data")
        return sender, receiver, receiver.data_to_send()
    return receiver, sender, flight


def feed(target: Connection, data: bytes, peer: Connection | None = None) -> None:
    """Feeds hostile bytes and checks how they were taken."""
    state = target.state
    before = target.data_to_send()
    try:
        events = target.receive_data(data)
    except RemoteProtocolError as error:
        refusal = error
    else:
        if target.is_open:
            opened[target.is_client, state] += 1
        else:
            assert any(type(event).__name__ in ("AlertReceived", "CloseNotifyReceived") for event in events)
        return
    assert refusal.alert is not None
    assert refusal.state
    assert refusal.expected
    assert refusal.got
    assert str(refusal)
    assert target.state == "CLOSED"
    assert target.data_to_send(), "an alert is queued"
    assert target.receive_data(data) == []
    assert isinstance(before, bytes)


common = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@common
@given(st.integers(0, FLIGHTS + 1), suites, setups, st.lists(st.binary(max_size=60), min_size=1, max_size=4))
def test_random_bytes_at_any_point(flights: int, suite: CipherSuite, setup: str, chunks: list[bytes]) -> None:
    receiver, _, _ = after(flights, suite, setup)
    for chunk in chunks:
        if receiver.is_open:
            feed(receiver, chunk)


content = st.binary(max_size=80) | st.builds(
    lambda kind, body, length: bytes((kind,)) + (len(body) if length is None else length).to_bytes(3, "big") + body,
    st.sampled_from((0, 1, 2, 4, 11, 12, 13, 14, 15, 16, 20, 22, 99)),
    st.binary(max_size=120),
    st.none() | st.integers(0, 300),
)


@common
@given(
    st.integers(0, FLIGHTS + 1),
    suites,
    setups,
    st.lists(st.tuples(st.sampled_from((20, 21, 22, 23)), content), min_size=1, max_size=4),
    st.booleans(),
)
def test_random_messages_in_honest_records_at_any_point(
    flights: int, suite: CipherSuite, setup: str, parts: list[tuple[int, bytes]], protected: bool
) -> None:
    receiver, sender, _ = after(flights, suite, setup)
    for content_type, fragment in parts:
        if not receiver.is_open:
            break
        data = (
            sender.writer.write_record(content_type, fragment)
            if protected
            else records.encode_record(content_type, 0x0303, fragment)
        )
        feed(receiver, data)


@common
@given(st.integers(0, FLIGHTS + 1), suites, setups, st.data())
def test_a_flight_with_flipped_bits_at_any_point(
    flights: int, suite: CipherSuite, setup: str, data: st.DataObject
) -> None:
    receiver, _, flight = after(flights, suite, setup)
    changed = bytearray(flight)
    for _ in range(data.draw(st.integers(1, 3))):
        changed[data.draw(st.integers(0, len(flight) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    feed(receiver, bytes(changed))


@common
@given(st.integers(0, FLIGHTS + 1), suites, setups, st.data())
def test_a_flight_cut_short_and_continued_at_random(
    flights: int, suite: CipherSuite, setup: str, data: st.DataObject
) -> None:
    receiver, _, flight = after(flights, suite, setup)
    cut = data.draw(st.integers(0, len(flight) - 1))
    feed(receiver, flight[:cut])
    assert receiver.is_open
    feed(receiver, data.draw(st.binary(max_size=400)))
    if receiver.is_open:
        with pytest.raises(RemoteProtocolError) as caught:
            receiver.receive_eof()
        assert caught.value.alert is None


@common
@given(st.integers(0, FLIGHTS), suites, setups, st.data())
def test_records_reordered_duplicated_and_dropped(
    flights: int, suite: CipherSuite, setup: str, data: st.DataObject
) -> None:
    receiver, _, flight = after(flights, suite, setup)
    honest = records.split_records(flight)[0]
    order = data.draw(st.lists(st.integers(0, len(honest) - 1), max_size=6))
    for index in order:
        if receiver.is_open:
            feed(receiver, records.encode_record(*honest[index]))
    if order != list(range(len(order))):
        ended = isinstance(receiver, ClientConnection) and receiver.state == "CONNECTED"
        assert not (ended and setup == "plain" and flights < FLIGHTS)


@common
@given(suites, st.integers(1, 60), st.booleans())
def test_an_honest_run_survives_any_fragmentation(suite: CipherSuite, limit: int, coalesce: bool) -> None:
    changes: dict[str, Any] = {"max_fragment": limit, "coalesce": coalesce}
    client, server = pair({"suites": (suite,)} | changes, changes)
    for _ in range(2):
        for sender, receiver in ((client, server), (server, client)):
            data = sender.data_to_send()
            for start in range(0, len(data), limit):
                events = receiver.receive_data(data[start : start + limit])
                assert not any(isinstance(event, AlertReceived) for event in events)
    assert client.is_connected
    assert server.is_connected


def test_the_fuzzing_reached_open_connections() -> None:
    """A connection that closes early is cheap and proves little: most states were met open after hostile bytes."""
    opened.clear()
    test_random_bytes_at_any_point()
    test_a_flight_cut_short_and_continued_at_random()
    client = {state: count for (is_client, state), count in opened.items() if is_client}
    server = {state: count for (is_client, state), count in opened.items() if not is_client}
    assert min(server["WAIT_CLIENT_HELLO"], server["WAIT_CLIENT_KEY_EXCHANGE"], client["WAIT_SERVER_HELLO"]) > 10
    assert client["WAIT_CHANGE_CIPHER_SPEC"] + server["WAIT_CHANGE_CIPHER_SPEC"] > 10
    assert client["CONNECTED"] + server["CONNECTED"] > 10
    assert server["WAIT_CERTIFICATE"] > 2
    assert client["WAIT_NEW_SESSION_TICKET"] > 2
