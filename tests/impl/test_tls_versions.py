"""Older versions and what else is refused at the door: the alert, and a record version that the client can read."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shakeproof.impl.tls import AlertDescription, ClientConnection, ServerConnection, messages, records
from shakeproof.impl.tls.extensions import Extension
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH
from shakeproof.impl.tls.suites import DEFAULT_SUITES, TLS_FALLBACK_SCSV, TLS_RSA_WITH_AES_128_CBC_SHA
from tests.impl.tls_material import (
    assert_refused,
    client_config,
    connected,
    pair,
    record,
    refuse,
    waiting_client,
    waiting_server,
)

A = AlertDescription
HANDSHAKE, HEARTBEAT = 22, 24
PLAIN: Any = {"extensions": None, "cipher_suites": (TLS_RSA_WITH_AES_128_CBC_SHA.code,)}


def hello(**changes: Any) -> bytes:
    """A ClientHello, changed."""
    made = ClientConnection(client_config()).make_client_hello()
    return replace(made, **changes).encode()


def answer(server: ServerConnection, data: bytes) -> records.Record:
    """The one record that answers data which is refused."""
    with pytest.raises(Exception, match="fatal"):
        server.receive_data(data)
    found, rest = records.split_records(server.data_to_send())
    assert rest == b""
    assert len(found) == 1
    return found[0]


@pytest.mark.parametrize("record_version", [0x0300, 0x0301])
@pytest.mark.parametrize(
    ("version", "readable"), [(0x0302, 0x0302), (0x0301, 0x0301), (0x0300, 0x0300), (0x0002, 0x0300), (0x0000, 0x0300)]
)
def test_older_clients_are_refused_in_their_own_version(version: int, readable: int, record_version: int) -> None:
    data = record(HANDSHAKE, hello(client_version=version, **PLAIN), record_version)
    assert answer(waiting_server(), data) == (21, readable, bytes((2, A.PROTOCOL_VERSION)))
    fallen = hello(client_version=version, extensions=None, cipher_suites=(0x002F, TLS_FALLBACK_SCSV))
    refusal = answer(waiting_server(), record(HANDSHAKE, fallen, record_version))
    assert refusal == (21, readable, bytes((2, A.INAPPROPRIATE_FALLBACK)))


@pytest.mark.parametrize(
    ("version", "readable"), [(0x0002, 0x0300), (0x0300, 0x0300), (0x0301, 0x0301), (0x0303, 0x0303), (0x0304, 0x0303)]
)
def test_ssl_2_hellos_are_refused(version: int, readable: int) -> None:
    body = b"\x01" + version.to_bytes(2, "big") + b"\x00\x03\x00\x00\x00\x10" + b"\x00\x00\x2f" + bytes(16)
    data = (0x8000 | len(body)).to_bytes(2, "big") + body
    assert answer(waiting_server(), data) == (21, readable, bytes((2, A.PROTOCOL_VERSION)))
    assert answer(waiting_server(), data[:3]) == (21, 0x0300, bytes((2, A.PROTOCOL_VERSION)))


@pytest.mark.parametrize("version", [0x0303, 0x0304, 0x03FF, 0x0400, 0xFEFD])
def test_newer_clients_get_tls_1_2_with_or_without_the_fallback_scsv(version: int) -> None:
    for suites in ((0x002F,), (TLS_FALLBACK_SCSV, 0x002F)):
        server = waiting_server()
        server.receive_data(record(HANDSHAKE, hello(client_version=version, cipher_suites=suites), 0x0301))
        assert server.negotiated.suite is TLS_RSA_WITH_AES_128_CBC_SHA
        assert records.split_records(server.data_to_send())[0][0].version == 0x0303


def test_a_client_that_falls_back_says_so() -> None:
    made = ClientConnection(client_config(fallback=True)).make_client_hello()
    assert made.cipher_suites == (*[suite.code for suite in DEFAULT_SUITES], TLS_FALLBACK_SCSV)
    client, _ = connected({"fallback": True})
    assert client.is_connected


def test_a_client_hello_without_extensions_is_answered_without() -> None:
    server = waiting_server()
    server.receive_data(record(HANDSHAKE, hello(**PLAIN)))
    found = records.split_records(server.data_to_send())[0]
    answered = messages.ServerHello.parse(found[0].fragment[4:])
    assert answered.extensions is None
    assert answered.session_id == b""
    assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"


def test_a_client_hello_with_an_empty_block_of_extensions_is_answered() -> None:
    server = waiting_server()
    server.receive_data(record(HANDSHAKE, hello(**(PLAIN | {"extensions": ()}))))
    assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"


def test_the_longest_client_hello_that_can_be_written_is_read() -> None:
    suites, methods = (*[0x0A0A] * 32766, 0x002F), (*[1] * 254, 0)
    block = (Extension(9, bytes(65531)),)
    longest = messages.ClientHello(0x0303, bytes(32), bytes(32), suites, methods, block).encode()
    assert len(longest) - 4 <= MAX_MESSAGE_LENGTH
    server = waiting_server()
    for start in range(0, len(longest), 16384):
        server.receive_data(record(HANDSHAKE, longest[start : start + 16384]))
    assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"


@pytest.mark.parametrize("fragment", [b"", b"\x01\x40\x00x", b"\x02\x00\x00"])
def test_heartbeats_are_refused_at_every_point(fragment: bytes) -> None:
    assert_refused(waiting_client(), record(HEARTBEAT, fragment), A.UNEXPECTED_MESSAGE)
    assert_refused(waiting_server(), record(HEARTBEAT, fragment), A.UNEXPECTED_MESSAGE)
    client, server = pair()
    server.receive_data(client.data_to_send())
    server.data_to_send()
    assert_refused(server, record(HEARTBEAT, fragment), A.UNEXPECTED_MESSAGE)
    client, server = connected()
    assert refuse(server, client.writer.write_record(HEARTBEAT, fragment)).alert is A.UNEXPECTED_MESSAGE


def test_heartbeat_and_other_extensions_are_ignored() -> None:
    offered = ClientConnection(client_config()).make_client_hello()
    with_heartbeat = replace(offered, extensions=(*(offered.extensions or ()), Extension(15, b"\x01")))
    server = waiting_server()
    server.receive_data(record(HANDSHAKE, with_heartbeat.encode()))
    assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"
