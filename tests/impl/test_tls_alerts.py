"""Faults of records, order, keys and Finished: the alert, that it is fatal, that it arrives, that all is closed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    ApplicationDataReceived,
    ClientConnection,
    Connection,
    RenegotiationRefused,
    ServerConnection,
    connection,
    messages,
    records,
)
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH
from shakeproof.impl.tls.protection import CbcHmacProtection
from shakeproof.impl.tls.suites import (
    TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
)
from tests.impl.tls_material import (
    assert_refused,
    connected,
    last_alert,
    pair,
    record,
    refuse,
    refused,
    waiting_client,
    waiting_server,
)

A = AlertDescription
ECDHE = (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,)
RSA = (TLS_RSA_WITH_AES_128_GCM_SHA256,)
HANDSHAKE, CCS, ALERT, DATA = 22, 20, 21, 23


# --- the record layer -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [waiting_client, waiting_server])
@pytest.mark.parametrize(
    ("data", "alert"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", A.UNEXPECTED_MESSAGE),
        (b"SSH-2.0-OpenSSH_9.9\r\n", A.UNEXPECTED_MESSAGE),
        (b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10", A.PROTOCOL_VERSION),
        (b"\x80\x2e\x04\x00\x02", A.UNEXPECTED_MESSAGE),
        (b"\xff\xff\xff\xff\xff", A.UNEXPECTED_MESSAGE),
        (record(24, b"x"), A.UNEXPECTED_MESSAGE),
        (record(22, b"x", 0x0203), A.PROTOCOL_VERSION),
        (record(22, b"x", 0xFEFD), A.PROTOCOL_VERSION),
        (b"\x16\x03\x03\x40\x01", A.RECORD_OVERFLOW),
        (b"\x16\x03\x03\xff\xff", A.RECORD_OVERFLOW),
        (record(DATA, b"early"), A.UNEXPECTED_MESSAGE),
        (record(DATA, b""), A.UNEXPECTED_MESSAGE),
        (record(CCS, b"\x01"), A.UNEXPECTED_MESSAGE),
        (record(HANDSHAKE, b""), A.DECODE_ERROR),
        (record(ALERT, b""), A.DECODE_ERROR),
        (record(ALERT, b"\x03\x00"), A.DECODE_ERROR),
        (record(HANDSHAKE, b"\x63\x00\x00\x00"), A.UNEXPECTED_MESSAGE),
        (record(HANDSHAKE, messages.Finished(bytes(12)).encode()), A.UNEXPECTED_MESSAGE),
        (record(HANDSHAKE, messages.ServerHelloDone().encode()), A.UNEXPECTED_MESSAGE),
    ],
)
def test_what_may_not_come_first(make: Callable[[], Connection], data: bytes, alert: AlertDescription) -> None:
    assert_refused(make(), data, alert)


def test_a_hello_request_to_a_server_is_unexpected() -> None:
    assert_refused(waiting_server(), record(HANDSHAKE, messages.HelloRequest().encode()), A.UNEXPECTED_MESSAGE)


def test_a_hello_request_with_contents_is_decode_error() -> None:
    assert_refused(waiting_client(), record(HANDSHAKE, b"\x00\x00\x00\x01x"), A.DECODE_ERROR)


def test_too_long_a_handshake_message_is_refused_at_its_header() -> None:
    length = (MAX_MESSAGE_LENGTH + 1).to_bytes(3, "big")
    assert_refused(waiting_server(), record(HANDSHAKE, b"\x01" + length), A.DECODE_ERROR)
    almost = waiting_server()
    almost.receive_data(record(HANDSHAKE, b"\x01" + MAX_MESSAGE_LENGTH.to_bytes(3, "big")))
    assert almost.is_open


def test_an_unexpected_message_is_refused_at_its_header() -> None:
    assert_refused(waiting_server(), record(HANDSHAKE, b"\x10\x00\x10\x00"), A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("version", [0x0301, 0x0302, 0x0304])
def test_another_record_version_after_the_hellos_is_protocol_version(version: int) -> None:
    one, other = pair()
    other.receive_data(one.data_to_send())
    flight = records.split_records(other.data_to_send())[0]
    one.receive_data(record(HANDSHAKE, flight[0].fragment))
    assert_refused(one, record(HANDSHAKE, flight[1].fragment, version), A.PROTOCOL_VERSION)
    assert_refused(other, record(HANDSHAKE, b"\x10", version), A.PROTOCOL_VERSION)


@pytest.mark.parametrize("suite", [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_GCM_SHA256], ids=str)
@pytest.mark.parametrize("position", [5, 20, -1])
def test_a_tampered_record_is_bad_record_mac(suite: Any, position: int) -> None:
    one, other = connected({"suites": (suite,)})
    one.send_application_data(b"pay 10")
    data = bytearray(one.data_to_send())
    data[position] ^= 1
    error = refuse(other, bytes(data))
    assert error.alert is A.BAD_RECORD_MAC
    assert error.events == ()
    assert refused_reaches(other, one) == (2, A.BAD_RECORD_MAC)


def refused_reaches(sender: Connection, receiver: Connection) -> tuple[int, int]:
    """The level and description of the alert that the other side sees."""
    [event] = receiver.receive_data(sender.data_to_send())
    assert receiver.state == "CLOSED"
    return event.level, event.description  # type: ignore[attr-defined]


@pytest.mark.parametrize("suite", [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_GCM_SHA256], ids=str)
def test_replayed_swapped_and_dropped_records_are_bad_record_mac(suite: Any) -> None:
    for order in ((0, 0), (1,), (1, 0), (0, 2)):
        one, other = connected({"suites": (suite,)})
        sent = []
        for text in (b"a", b"b", b"c"):
            one.send_application_data(text)
            sent.append(one.data_to_send())
        error = refuse(other, b"".join(sent[i] for i in order))
        assert error.alert is A.BAD_RECORD_MAC


def test_events_before_the_fault_are_in_the_error() -> None:
    one, other = connected()
    one.send_application_data(b"good")
    good = one.data_to_send()
    error = refuse(other, good + good)
    assert error.events == (ApplicationDataReceived(b"good"),)
    assert error.state == "CONNECTED"


def test_a_plaintext_record_after_the_key_change_is_bad_record_mac() -> None:
    one, other = connected()
    error = refuse(other, record(DATA, b"x" * 30))
    assert error.alert is A.BAD_RECORD_MAC
    assert refused_reaches(other, one) == (2, A.BAD_RECORD_MAC)


@pytest.mark.parametrize("length", [2**14 + 1, 2**14 + 1024])
@pytest.mark.parametrize("suite", [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_GCM_SHA256], ids=str)
def test_a_fragment_over_2_14_bytes_is_record_overflow(suite: Any, length: int) -> None:
    one, other = connected({"suites": (suite,)})
    one.writer.max_fragment = 2**15
    one.send_application_data(bytes(length))
    refused(one, other, A.RECORD_OVERFLOW)


def test_a_ciphertext_over_2_14_plus_2048_bytes_is_record_overflow_before_it_is_whole() -> None:
    one, other = connected()
    error = refuse(other, b"\x17\x03\x03" + (2**14 + 2049).to_bytes(2, "big"))
    assert error.alert is A.RECORD_OVERFLOW
    assert refused_reaches(other, one) == (2, A.RECORD_OVERFLOW)


@pytest.mark.parametrize("suite", [TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA], ids=str)
def test_wrong_padding_and_wrong_mac_are_answered_alike(suite: Any) -> None:
    answers = set()
    for fault in ("padding", "mac"):
        one, other = connected({"suites": (suite,), "encrypt_then_mac": False})
        protection = one.writer.protection
        assert isinstance(protection, CbcHmacProtection)
        block = b"data" + protection.mac(DATA, 0x0303, one.writer.sequence, b"data")
        padding = protection.pad(len(block))
        if fault == "padding":
            padding = b"\x00" + padding[1:]
        else:
            block = block[:-1] + bytes((block[-1] ^ 1,))
        error = refuse(other, record(DATA, protection.encrypt(block + padding)))
        answers.add((str(error), refused_reaches(other, one)))
    [(_, answer)] = answers
    assert answer == (2, A.BAD_RECORD_MAC)


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_warning_alerts_are_bounded() -> None:
    one = waiting_client()
    for _ in range(connection.MAX_WARNING_ALERTS):
        one.receive_data(record(ALERT, b"\x01\x5a"))
    error = assert_refused(one, record(ALERT, b"\x01\x5a"), A.UNEXPECTED_MESSAGE)
    assert len(error.events) == 1


def test_empty_records_are_bounded_and_counted_anew_after_data() -> None:
    one, other = connected()
    for _ in range(2):
        for _ in range(connection.MAX_EMPTY_RECORDS):
            one.send_application_data(b"")
        assert other.receive_data(one.data_to_send()) == []
        one.send_application_data(b"x")
        assert other.receive_data(one.data_to_send()) == [ApplicationDataReceived(b"x")]
    for _ in range(connection.MAX_EMPTY_RECORDS + 1):
        one.send_application_data(b"")
    refused(one, other, A.UNEXPECTED_MESSAGE)


def test_hello_requests_are_bounded_while_negotiating() -> None:
    one = waiting_client()
    request = record(HANDSHAKE, messages.HelloRequest().encode())
    one.receive_data(request * connection.MAX_HELLO_REQUESTS)
    assert_refused(one, request, A.UNEXPECTED_MESSAGE)


def test_hello_requests_are_bounded_once_connected() -> None:
    one, other = connected()
    for _ in range(connection.MAX_HELLO_REQUESTS + 1):
        other.send_handshake(messages.HelloRequest())
    error = refuse(one, other.data_to_send())
    assert error.alert is A.UNEXPECTED_MESSAGE
    assert len(error.events) == connection.MAX_HELLO_REQUESTS


def test_refused_renegotiations_are_bounded() -> None:
    one, other = connected()
    for _ in range(connection.MAX_REFUSED_RENEGOTIATIONS + 1):
        one.send_handshake(one.make_client_hello())
    assert refuse(other, one.data_to_send()).alert is A.UNEXPECTED_MESSAGE


# --- interleaving -----------------------------------------------------------------------------------------------------


def test_change_cipher_spec_within_a_handshake_message_is_unexpected() -> None:
    one, other = pair({"suites": RSA})
    other.receive_data(one.data_to_send())
    one.receive_data(other.data_to_send())
    exchange, *_ = records.split_records(one.data_to_send())[0]
    other.receive_data(record(HANDSHAKE, exchange.fragment[:10]))
    assert_refused(other, record(CCS, b"\x01"), A.UNEXPECTED_MESSAGE)


def test_change_cipher_spec_with_a_message_begun_before_the_keys_change_is_unexpected() -> None:
    one, other = pair({"suites": RSA})
    other.receive_data(one.data_to_send())
    one.receive_data(other.data_to_send())
    exchange, change, _ = records.split_records(one.data_to_send())[0]
    # the first bytes of Finished come in the clear, coalesced with ClientKeyExchange
    other.receive_data(record(HANDSHAKE, exchange.fragment + b"\x14\x00\x00"))
    assert_refused(other, records.encode_record(*change), A.UNEXPECTED_MESSAGE)


def test_application_data_within_a_handshake_message_is_taken_once_connected() -> None:
    one, other = connected()
    for part in (b"\x00\x00", b"\x00\x00"):
        other._output.append(other.writer.write(HANDSHAKE, part))
        other.send_application_data(b"x")
    events = one.receive_data(other.data_to_send())
    assert events == [ApplicationDataReceived(b"x"), RenegotiationRefused(), ApplicationDataReceived(b"x")]


def test_an_alert_within_a_handshake_message_is_taken() -> None:
    one = waiting_server()
    one.receive_data(record(HANDSHAKE, b"\x01\x00"))
    one.receive_data(record(ALERT, b"\x02\x50"))
    assert one.state == "CLOSED"


# --- ChangeCipherSpec, Finished ---------------------------------------------------------------------------------------


def clients_last_flight(suites: Any = ECDHE) -> tuple[ClientConnection, ServerConnection, list[records.Record]]:
    """Both connections, and ClientKeyExchange, ChangeCipherSpec, Finished, not yet delivered."""
    one, other = pair({"suites": suites})
    other.receive_data(one.data_to_send())
    one.receive_data(other.data_to_send())
    return one, other, records.split_records(one.data_to_send())[0]


@pytest.mark.parametrize("order", [(1,), (2,), (0, 2), (0, 0), (0, 1, 1), (1, 0)])
def test_an_order_other_than_the_rfcs_is_refused_by_the_server(order: tuple[int, ...]) -> None:
    _, other, flight = clients_last_flight()
    for index in order[:-1]:
        try:
            other.receive_data(records.encode_record(*flight[index]))
        except RemoteProtocolError:
            break
    if other.is_open:
        refuse(other, records.encode_record(*flight[order[-1]]))
    expected = A.BAD_RECORD_MAC if order == (0, 1, 1) else A.UNEXPECTED_MESSAGE
    assert last_alert(other) == (2, expected)


@pytest.mark.parametrize("fragment", [b"", b"\x00", b"\x02", b"\x01\x01", b"\x01\x00"])
def test_a_malformed_change_cipher_spec_is_decode_error(fragment: bytes) -> None:
    _, other, flight = clients_last_flight()
    other.receive_data(records.encode_record(*flight[0]))
    assert_refused(other, record(CCS, fragment), A.DECODE_ERROR)


@pytest.mark.parametrize("change", [lambda d: bytes((d[0] ^ 1,)) + d[1:], lambda d: d[:-1] + bytes((d[-1] ^ 1,))])
def test_wrong_verify_data_is_decrypt_error_on_both_sides(change: Callable[[bytes], bytes]) -> None:
    for liar_is_client in (True, False):
        one, other = pair()
        liar, victim = (one, other) if liar_is_client else (other, one)
        original = liar.verify_data

        def lie(*, by_client: bool, _original: Any = original, _own: bool = liar_is_client) -> bytes:
            honest = _original(by_client=by_client)
            return change(honest) if by_client is _own else honest

        liar.verify_data = lie  # type: ignore[method-assign]
        if not liar_is_client:
            other.receive_data(one.data_to_send())
            one.receive_data(other.data_to_send())
        refused(liar, victim, A.DECRYPT_ERROR)


@pytest.mark.parametrize("length", [0, 1, 11, 13, 36])
def test_verify_data_of_another_length_is_decode_error(length: int) -> None:
    one, other = pair()
    original = one.verify_data
    one.verify_data = lambda *, by_client: original(by_client=by_client).ljust(36, b"\0")[:length]  # type: ignore[method-assign]
    refused(one, other, A.DECODE_ERROR)


def test_a_reflected_finished_is_decrypt_error() -> None:
    one, other = pair()
    original = other.verify_data
    other.verify_data = lambda *, by_client: original(by_client=True)  # type: ignore[method-assign]
    other.receive_data(one.data_to_send())
    one.receive_data(other.data_to_send())
    refused(other, one, A.DECRYPT_ERROR)


def test_application_data_between_change_cipher_spec_and_finished_is_unexpected() -> None:
    one, other, flight = clients_last_flight()
    for item in flight[:2]:
        other.receive_data(records.encode_record(*item))
    one.writer.sequence = 0
    error = refuse(other, one.writer.write(DATA, b"early"))
    assert error.alert is A.UNEXPECTED_MESSAGE
    assert error.state == "WAIT_FINISHED"


def test_change_cipher_spec_when_connected_is_unexpected() -> None:
    for swap in (False, True):
        one, other = connected()
        if swap:
            one._output.append(one.writer.write(CCS, b"\x01"))
            refused(one, other, A.UNEXPECTED_MESSAGE)
        else:
            other._output.append(other.writer.write(CCS, b"\x01"))
            refused(other, one, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("handshake_type", [1, 2, 4, 11, 12, 13, 14, 15, 16, 20, 22, 99])
def test_handshake_messages_to_a_connected_client_are_unexpected(handshake_type: int) -> None:
    one, other = connected()
    other.send_handshake(messages.Raw(handshake_type, b""))
    refused(other, one, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("handshake_type", [0, 2, 4, 11, 12, 13, 14, 15, 16, 20, 22, 99])
def test_handshake_messages_to_a_connected_server_are_unexpected(handshake_type: int) -> None:
    one, other = connected()
    one.send_handshake(messages.Raw(handshake_type, b""))
    refused(one, other, A.UNEXPECTED_MESSAGE)


def test_a_malformed_client_hello_to_a_connected_server_is_decode_error() -> None:
    one, other = connected()
    one.send_handshake(messages.Raw(1, b"x"))
    refused(one, other, A.DECODE_ERROR)
