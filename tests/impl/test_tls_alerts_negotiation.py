"""Faults in the messages that negotiate, from ClientHello to ClientKeyExchange: one test for each alert."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    CertificateValidated,
    ClientConnection,
    NamedGroup,
    ServerConnection,
    SignatureScheme,
    extensions,
    messages,
    records,
)
from shakeproof.impl.tls import server as tls_server
from shakeproof.impl.tls import server_hello as tls_server_hello
from shakeproof.impl.tls.extensions import Extension
from shakeproof.impl.tls.suites import (
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
)
from tests.impl.tls_material import (
    Outcome,
    assert_refused,
    ca,
    certificate,
    client_config,
    connected,
    ecdsa_credential,
    make_credential,
    pair,
    pump,
    record,
    refuse,
    refused,
    rsa_credential,
    rsa_key,
    server_config,
    waiting_server,
)

A = AlertDescription
ECDHE = (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,)
RSA = (TLS_RSA_WITH_AES_128_GCM_SHA256,)
HANDSHAKE, CCS, ALERT, DATA = 22, 20, 21, 23


# --- ClientHello ------------------------------------------------------------------------------------------------------


def hello(**changes: Any) -> messages.ClientHello:
    """Our own ClientHello, changed."""
    return replace(ClientConnection(client_config()).make_client_hello(), **changes)


def with_extension(*added: Extension) -> messages.ClientHello:
    """Our own ClientHello with extensions put in the place of those of the same type."""
    original = hello()
    merged = {extension.extension_type: extension for extension in (*(original.extensions or ()), *added)}
    return replace(original, extensions=tuple(merged.values()))


def refuse_hello(message: messages.ClientHello, alert: AlertDescription, **changes: Any) -> RemoteProtocolError:
    """A server that has to refuse that ClientHello."""
    return assert_refused(ServerConnection(server_config(**changes)), record(HANDSHAKE, message.encode()), alert)


@pytest.mark.parametrize("version", [0x0000, 0x0002, 0x0200, 0x0300, 0x0301, 0x0302])
def test_an_older_client_version_is_protocol_version(version: int) -> None:
    error = refuse_hello(hello(client_version=version), A.PROTOCOL_VERSION)
    assert error.clause == "RFC 5246 appendix E.1"


def test_a_client_hello_without_null_compression_is_illegal_parameter() -> None:
    refuse_hello(hello(compression_methods=(1,)), A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize(
    "changes",
    [{"compression_methods": ()}, {"cipher_suites": ()}, {"session_id": bytes(33)}, {"random": bytes(5)}],
    ids=str,
)
def test_a_client_hello_with_a_field_out_of_its_range_is_decode_error(changes: dict[str, Any]) -> None:
    refuse_hello(hello(**changes), A.DECODE_ERROR)


def test_trailing_bytes_and_truncation_of_a_client_hello_are_decode_error() -> None:
    body = hello().encode_body()
    for broken in (body + b"\0", body[:-1], body[:40], b""):
        assert_refused(waiting_server(), record(HANDSHAKE, messages.Raw(1, broken).encode()), A.DECODE_ERROR)


def test_no_common_suite_is_handshake_failure() -> None:
    refuse_hello(hello(cipher_suites=(0x1301, 0xC0AC)), A.HANDSHAKE_FAILURE)


def test_the_scsv_alone_cannot_be_chosen() -> None:
    refuse_hello(hello(cipher_suites=(0x00FF,)), A.HANDSHAKE_FAILURE)


def test_no_common_group_is_handshake_failure_where_only_ecdhe_is_left() -> None:
    message = replace(with_extension(extensions.supported_groups([25, 256])), cipher_suites=(0xC02F,))
    refuse_hello(message, A.HANDSHAKE_FAILURE)


def test_no_common_signature_algorithm_is_handshake_failure_where_only_ecdhe_is_left() -> None:
    message = replace(with_extension(extensions.signature_algorithms([0x0804])), cipher_suites=(0xC02F,))
    refuse_hello(message, A.HANDSHAKE_FAILURE)


def test_a_client_that_stands_for_sha1_is_refused_ecdhe_where_sha1_is_off() -> None:
    refuse_hello(
        messages.ClientHello(0x0303, bytes(32), b"", (0xC02F,)), A.HANDSHAKE_FAILURE, sign_sha1_by_default=False
    )


def test_point_formats_without_uncompressed_are_illegal_parameter() -> None:
    refuse_hello(with_extension(extensions.ec_point_formats([1, 2])), A.ILLEGAL_PARAMETER)


def test_point_formats_without_uncompressed_and_without_groups_rule_out_ecdhe() -> None:
    message = messages.ClientHello(
        0x0303, bytes(32), b"", (0xC02F, 0x009C), extensions=(extensions.ec_point_formats([1]),)
    )
    other = waiting_server()
    other.receive_data(record(HANDSHAKE, message.encode()))
    assert other.suite is TLS_RSA_WITH_AES_128_GCM_SHA256
    refuse_hello(replace(message, cipher_suites=(0xC02F,)), A.HANDSHAKE_FAILURE)


def test_a_filled_renegotiation_info_in_an_initial_handshake_is_handshake_failure() -> None:
    refuse_hello(with_extension(extensions.renegotiation_info(bytes(12))), A.HANDSHAKE_FAILURE)


def test_an_extended_master_secret_with_contents_is_decode_error() -> None:
    refuse_hello(with_extension(Extension(23, b"x")), A.DECODE_ERROR)


def test_an_extension_twice_is_illegal_parameter() -> None:
    message = hello()
    doubled = replace(message, extensions=(*(message.extensions or ()), extensions.extended_master_secret()))
    refuse_hello(doubled, A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize("extension_type", [0, 10, 11, 13, 16, 0xFF01])
def test_an_extension_that_cannot_be_decoded_is_decode_error(extension_type: int) -> None:
    refuse_hello(with_extension(Extension(extension_type, b"\x09")), A.DECODE_ERROR)


def test_an_unknown_server_name_is_unrecognized_name() -> None:
    refuse_hello(hello(), A.UNRECOGNIZED_NAME, server_names=frozenset({"other.test"}))


def test_no_common_protocol_is_no_application_protocol() -> None:
    message = with_extension(extensions.application_layer_protocol_negotiation(["h2"]))
    refuse_hello(message, A.NO_APPLICATION_PROTOCOL, alpn=("http/1.1",))


def test_requirements_that_a_client_hello_does_not_meet_are_handshake_failure() -> None:
    bare = messages.ClientHello(0x0303, bytes(32), b"", (0x002F,))
    refuse_hello(bare, A.HANDSHAKE_FAILURE, require_extended_master_secret=True)
    refuse_hello(bare, A.HANDSHAKE_FAILURE, require_secure_renegotiation=True)


# --- ServerHello ------------------------------------------------------------------------------------------------------


def refuse_server_hello(
    change: Callable[[messages.ServerHello], messages.ServerHello],
    alert: AlertDescription,
    **changes: Any,
) -> RemoteProtocolError:
    """A client that has to refuse a changed ServerHello."""
    one, other = pair(changes)
    original = other.make_server_hello
    other.make_server_hello = lambda *a: change(original(*a))  # type: ignore[method-assign]
    return refused(other, one, alert)


def server_extensions(*added: Extension) -> Callable[[messages.ServerHello], messages.ServerHello]:
    """Puts extensions into a ServerHello in the place of those of the same type."""

    def change(message: messages.ServerHello) -> messages.ServerHello:
        merged = {extension.extension_type: extension for extension in (*(message.extensions or ()), *added)}
        return replace(message, extensions=tuple(merged.values()))

    return change


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0302, 0x0304])
def test_another_server_version_is_protocol_version(version: int) -> None:
    refuse_server_hello(lambda m: replace(m, server_version=version), A.PROTOCOL_VERSION)


@pytest.mark.parametrize("suite", [0x009D, 0x00FF, 0x0000, 0x002F])
def test_a_suite_that_was_not_offered_is_illegal_parameter(suite: int) -> None:
    refuse_server_hello(lambda m: replace(m, cipher_suite=suite), A.ILLEGAL_PARAMETER, suites=ECDHE)


def test_another_compression_method_is_illegal_parameter() -> None:
    refuse_server_hello(lambda m: replace(m, compression_method=1), A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize("extension_type", [5, 16, 43, 0x1234])
def test_an_extension_that_was_not_offered_is_unsupported_extension(extension_type: int) -> None:
    refuse_server_hello(server_extensions(Extension(extension_type, b"")), A.UNSUPPORTED_EXTENSION)


def test_signature_algorithms_from_a_server_are_illegal_parameter() -> None:
    refuse_server_hello(server_extensions(extensions.signature_algorithms([0x0401])), A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize(
    ("extension", "alert"),
    [
        (extensions.renegotiation_info(bytes(24)), A.HANDSHAKE_FAILURE),
        (Extension(0xFF01, b""), A.DECODE_ERROR),
        (Extension(23, b"x"), A.DECODE_ERROR),
        (Extension(0, b"x"), A.DECODE_ERROR),
        (extensions.ec_point_formats([1]), A.ILLEGAL_PARAMETER),
        (Extension(11, b""), A.DECODE_ERROR),
        (extensions.application_layer_protocol_negotiation(["h2", "http/1.1"]), A.DECODE_ERROR),
        (extensions.application_layer_protocol_negotiation(["spdy/1"]), A.ILLEGAL_PARAMETER),
        (Extension(16, b"\0"), A.DECODE_ERROR),
    ],
    ids=repr,
)
def test_faults_of_a_servers_extension(extension: Extension, alert: AlertDescription) -> None:
    refuse_server_hello(server_extensions(extension), alert, alpn=("http/1.1", "h2"))


def test_requirements_that_a_server_hello_does_not_meet_are_handshake_failure() -> None:
    for requirement in ("require_extended_master_secret", "require_secure_renegotiation"):
        refuse_server_hello(lambda m: replace(m, extensions=()), A.HANDSHAKE_FAILURE, **{requirement: True})


# --- Certificate ------------------------------------------------------------------------------------------------------


def refuse_certificate(credential: Any, alert: AlertDescription, **changes: Any) -> RemoteProtocolError:
    """A client that has to refuse a server with that chain."""
    one, other = pair(changes, {"credentials": (credential,)})
    return refused(other, one, alert)


@pytest.mark.parametrize(
    "label",
    ["certificate_expired", "unknown_ca", "bad_certificate", "certificate_unknown", "certificate_revoked"],
)
def test_the_validators_alert_is_sent(label: str) -> None:
    outcome = Outcome(False, label)
    error = refuse_certificate(rsa_credential(), A.from_label(label), verify=lambda *_: outcome)
    assert error.details is outcome
    assert error.events == (CertificateValidated(outcome),)


@pytest.mark.parametrize("label", ["", None, "no_such_alert"])
def test_a_validator_without_a_known_alert_gives_certificate_unknown(label: str | None) -> None:
    refuse_certificate(rsa_credential(), A.CERTIFICATE_UNKNOWN, verify=lambda *_: Outcome(False, label))


def test_an_empty_certificate_list_from_a_server_is_decode_error() -> None:
    refuse_certificate(replace(rsa_credential(), chain=()), A.DECODE_ERROR)


def test_an_empty_certificate_is_decode_error() -> None:
    refuse_certificate(replace(rsa_credential(), chain=(b"",)), A.DECODE_ERROR)


@pytest.mark.parametrize("der", [b"\x30", b"garbage", rsa_credential().chain[0][:-1]], ids=["short", "text", "cut"])
def test_a_leaf_that_cannot_be_decoded_is_bad_certificate(der: bytes) -> None:
    refuse_certificate(replace(rsa_credential(), chain=(der,)), A.BAD_CERTIFICATE)


def test_a_key_of_another_type_than_the_suite_is_unsupported_certificate() -> None:
    swapped = replace(rsa_credential(), chain=ecdsa_credential().chain)
    refuse_certificate(swapped, A.UNSUPPORTED_CERTIFICATE)
    swapped = replace(ecdsa_credential(), chain=rsa_credential().chain)
    refuse_certificate(swapped, A.UNSUPPORTED_CERTIFICATE, suites=(TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,))


def test_a_key_that_is_neither_rsa_nor_ecdsa_is_unsupported_certificate() -> None:
    issuer, issuer_key = ca()
    leaf = certificate(ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key(), issuer_key, issuer=issuer)
    refuse_certificate(replace(rsa_credential(), chain=(leaf.public_bytes(Encoding.DER),)), A.UNSUPPORTED_CERTIFICATE)


def test_an_ecdsa_key_on_a_curve_that_was_not_offered_is_unsupported_certificate() -> None:
    one, other = pair({"groups": (NamedGroup.X25519,)})
    other.choose = lambda message, offer: tls_server_hello.Choice(  # type: ignore[method-assign]
        TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, ecdsa_credential(), NamedGroup.X25519, SignatureScheme.ECDSA_SHA256
    )
    refused(other, one, A.UNSUPPORTED_CERTIFICATE)


def test_key_usage_that_forbids_the_key_exchange_is_unsupported_certificate() -> None:
    cannot_sign = make_credential(rsa_key(), digital_signature=False)
    cannot_encipher = make_credential(rsa_key(), key_encipherment=False)
    refuse_certificate(cannot_sign, A.UNSUPPORTED_CERTIFICATE, suites=ECDHE)
    refuse_certificate(cannot_encipher, A.UNSUPPORTED_CERTIFICATE, suites=RSA)
    connected({"suites": RSA}, {"credentials": (cannot_sign,)})
    connected({"suites": ECDHE}, {"credentials": (cannot_encipher,)})


# --- ServerKeyExchange ------------------------------------------------------------------------------------------------


def refuse_exchange(
    change: Callable[[messages.EcdheServerKeyExchange], messages.Message], alert: AlertDescription, **changes: Any
) -> RemoteProtocolError:
    """A client that has to refuse a changed ServerKeyExchange."""
    one, other = pair({"suites": ECDHE} | changes)
    original = other.make_server_key_exchange
    other.make_server_key_exchange = lambda *a: change(original(*a))  # type: ignore[method-assign,assignment,arg-type]
    return refused(other, one, alert)


def test_a_signature_that_does_not_verify_is_decrypt_error() -> None:
    for suites in (ECDHE, (TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,)):
        refuse_exchange(lambda m: replace(m, signature=bytes(256)), A.DECRYPT_ERROR, suites=suites)
        refuse_exchange(lambda m: replace(m, signature=b""), A.DECRYPT_ERROR, suites=suites)
        refuse_exchange(lambda m: replace(m, public=bytes(31) + b"\x09"), A.DECRYPT_ERROR, suites=suites)


def test_a_signature_over_other_randoms_is_decrypt_error() -> None:
    one, other = pair({"suites": ECDHE})
    original = other.make_server_key_exchange

    def replayed(*arguments: Any) -> messages.ServerKeyExchange:
        honest, other.client_random = other.client_random, bytes(32)
        message = original(*arguments)
        other.client_random = honest
        return message

    other.make_server_key_exchange = replayed  # type: ignore[method-assign,assignment]
    refused(other, one, A.DECRYPT_ERROR)


def test_a_group_that_was_not_offered_is_illegal_parameter() -> None:
    refuse_exchange(lambda m: replace(m, group=25), A.ILLEGAL_PARAMETER)
    refuse_exchange(lambda m: replace(m, group=256), A.ILLEGAL_PARAMETER)  # offered, but no curve
    refuse_exchange(lambda m: replace(m, group=29), A.ILLEGAL_PARAMETER, groups=(NamedGroup.SECP256R1,))


def test_another_curve_type_is_decode_error() -> None:
    refuse_exchange(lambda m: replace(m, curve_type=1), A.DECODE_ERROR)


def test_a_signature_algorithm_that_was_not_offered_or_does_not_fit_is_illegal_parameter() -> None:
    refuse_exchange(lambda m: replace(m, algorithm=0x0201), A.ILLEGAL_PARAMETER)
    refuse_exchange(lambda m: replace(m, algorithm=SignatureScheme.ECDSA_SHA256), A.ILLEGAL_PARAMETER)


def test_a_well_signed_public_key_of_small_order_is_illegal_parameter() -> None:
    one, other = pair({"suites": ECDHE})

    class SmallOrder:
        public = bytes(32)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tls_server, "ephemeral_key", lambda *_: SmallOrder())
        refused(other, one, A.ILLEGAL_PARAMETER)


def test_trailing_bytes_in_a_server_key_exchange_are_decode_error() -> None:
    refuse_exchange(lambda m: messages.Raw(12, m.encode_body() + b"\0"), A.DECODE_ERROR)


def test_a_server_key_exchange_under_rsa_is_unexpected() -> None:
    one, other = pair({"suites": RSA})
    other.receive_data(one.data_to_send())
    flight = records.split_records(other.data_to_send())[0]
    for item in flight[:2]:
        one.receive_data(records.encode_record(*item))
    assert_refused(one, record(HANDSHAKE, messages.Raw(12, bytes(8)).encode()), A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("left_out", range(4))
def test_a_message_left_out_of_the_servers_flight_is_unexpected(left_out: int) -> None:
    one, other = pair({"suites": ECDHE})
    other.receive_data(one.data_to_send())
    flight = records.split_records(other.data_to_send())[0]
    assert len(flight) == 4
    del flight[left_out]
    data = b"".join(records.encode_record(*item) for item in flight)
    if left_out == 3:
        one.receive_data(data)
        data = record(CCS, b"\x01")
    assert_refused(one, data, A.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("repeated", range(4))
def test_a_message_repeated_in_the_servers_flight_is_unexpected(repeated: int) -> None:
    one, other = pair({"suites": ECDHE})
    other.receive_data(one.data_to_send())
    flight = records.split_records(other.data_to_send())[0]
    for item in flight[: repeated + 1]:
        one.receive_data(records.encode_record(*item))
    one.data_to_send()
    state = one.state
    error = refuse(one, records.encode_record(*flight[repeated]))
    assert error.alert is A.UNEXPECTED_MESSAGE
    assert error.state == state


# --- ClientKeyExchange ------------------------------------------------------------------------------------------------


def waiting_for_key_exchange(suites: Any) -> ServerConnection:
    """A server that waits for ClientKeyExchange."""
    one, other = pair({"suites": suites})
    other.receive_data(one.data_to_send())
    other.data_to_send()
    return other


@pytest.mark.parametrize(
    ("body", "alert"),
    [
        (b"", A.DECODE_ERROR),
        (b"\x00", A.DECODE_ERROR),
        (b"\x21" + bytes(32), A.DECODE_ERROR),
        (b"\x20" + bytes(33), A.DECODE_ERROR),
        (b"\x20" + bytes(32), A.ILLEGAL_PARAMETER),
        (b"\x01\x01", A.ILLEGAL_PARAMETER),
    ],
)
def test_faults_of_an_ecdhe_client_key_exchange(body: bytes, alert: AlertDescription) -> None:
    target = waiting_for_key_exchange(ECDHE)
    assert_refused(target, record(HANDSHAKE, messages.Raw(16, body).encode()), alert)


@pytest.mark.parametrize("body", [b"", b"\x01", b"\x00\x05abcd", b"\x00\x03abcd"])
def test_an_rsa_client_key_exchange_of_wrong_length_is_decode_error(body: bytes) -> None:
    target = waiting_for_key_exchange(RSA)
    assert_refused(target, record(HANDSHAKE, messages.Raw(16, body).encode()), A.DECODE_ERROR)


def rsa_block(block: bytes) -> bytes:
    """A block, raised to the server's public exponent, unpadded."""
    numbers = rsa_key().public_key().public_numbers()
    return pow(int.from_bytes(block, "big"), numbers.e, numbers.n).to_bytes(256, "big")


GOOD_PADDING = b"\x00\x02" + b"\x11" * 205 + b"\x00"


@pytest.mark.parametrize(
    "encrypted",
    [
        b"",
        b"\x01",
        bytes(256),
        b"\xff" * 256,
        bytes(300),
        rsa_block(b"\x00\x01" + GOOD_PADDING[2:] + b"\x03\x03" + bytes(46)),
        rsa_block(b"\x01\x02" + GOOD_PADDING[2:] + b"\x03\x03" + bytes(46)),
        rsa_block(b"\x00\x02" + b"\x11" * 254),
        rsa_block(GOOD_PADDING + b"\x11\x03\x03" + bytes(45)),
        rsa_block(b"\x00\x02" + b"\x11" * 206 + b"\x00" + b"\x03\x03" + bytes(45)),
        rsa_block(GOOD_PADDING + b"\x03\x02" + bytes(46)),
        rsa_block(GOOD_PADDING + b"\x03\x04" + bytes(46)),
    ],
    ids=[
        "empty",
        "one byte",
        "zero",
        "above the modulus",
        "too long",
        "block type 1",
        "first byte",
        "no zero",
        "zero too early",
        "47 bytes",
        "older version",
        "newer version",
    ],
)
def test_a_bad_rsa_block_shows_only_at_finished_like_a_wrong_secret(encrypted: bytes) -> None:
    """RFC 5246 section 7.4.7.1: no alert for the block itself; the same bad_record_mac for all."""
    one, other = pair({"suites": RSA})
    other.receive_data(one.data_to_send())
    original = one.send_handshake

    def send(message: messages.Message) -> None:
        if isinstance(message, messages.RsaClientKeyExchange):
            message = messages.RsaClientKeyExchange(encrypted)
        original(message)

    one.send_handshake = send  # type: ignore[method-assign]
    one.receive_data(other.data_to_send())
    exchange, change, finished = records.split_records(one.data_to_send())[0]
    assert other.receive_data(records.encode_record(*exchange)) == []
    assert other.receive_data(records.encode_record(*change)) == []
    assert other.data_to_send() == b""
    assert_refused(other, records.encode_record(*finished), A.BAD_RECORD_MAC)


def test_a_good_rsa_block_made_by_hand_is_accepted() -> None:
    """Shows that the blocks above differ from a good one in their fault alone."""
    one, other = pair({"suites": RSA})
    secret = b"\x03\x03" + bytes(46)

    def send() -> None:
        one.send_handshake(messages.RsaClientKeyExchange(rsa_block(GOOD_PADDING + secret)))
        one.pre_master_secret = secret

    one.send_client_key_exchange = send  # type: ignore[method-assign]
    pump(one, other)
    assert one.is_connected
    assert other.is_connected
