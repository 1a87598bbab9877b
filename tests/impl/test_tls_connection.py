"""Client and server with each other: handshakes, data, closure, negotiation."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    AlertLevel,
    AlertReceived,
    ApplicationDataReceived,
    CertificateValidated,
    ClientConnection,
    CloseNotifyReceived,
    HandshakeCompleted,
    HelloRequestIgnored,
    NamedGroup,
    RenegotiationRefused,
    ServerConnection,
    SignatureScheme,
    extensions,
    messages,
    records,
)
from shakeproof.impl.tls.extensions import ExtensionType
from shakeproof.impl.tls.protection import EncryptThenMacProtection
from shakeproof.impl.tls.suites import (
    DEFAULT_SUITES,
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    Cipher,
    CipherSuite,
    KeyExchange,
)
from tests.impl.tls_material import (
    NAME,
    NOW,
    Outcome,
    client_config,
    connected,
    ecdsa_credential,
    entropy,
    p384_credential,
    pair,
    pump,
    rsa_credential,
    server_config,
)

CURVES = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)
FIELDS = (NamedGroup.FFDHE2048, NamedGroup.FFDHE3072, NamedGroup.FFDHE4096)
GROUPS = {KeyExchange.RSA: (None,), KeyExchange.DHE: FIELDS[:1], KeyExchange.ECDHE: CURVES}
COMBINATIONS = [
    pytest.param(suite, group, etm, id=f"{suite}{f', {group.name}' if group else ''}{', EtM' if etm else ''}")
    for suite in DEFAULT_SUITES
    for group in GROUPS[suite.key_exchange]
    for etm in (
        (False, True) if suite.cipher is Cipher.AES_CBC and group is GROUPS[suite.key_exchange][0] else (False,)
    )
]
COMBINATIONS += [pytest.param(TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, group, False, id=group.name) for group in FIELDS[1:]]


def data_of(events: list[Any]) -> bytes:
    """All application data among the events."""
    return b"".join(event.data for event in events if isinstance(event, ApplicationDataReceived))


# --- complete handshakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("suite", "group", "etm"), COMBINATIONS)
def test_handshake_data_and_closure_in_every_suite_and_group(
    suite: CipherSuite, group: NamedGroup | None, etm: bool
) -> None:
    groups = (*((group,) if group else ()), NamedGroup.SECP256R1)  # the certificate's curve has to be offered too
    client, server = pair({"suites": (suite,), "groups": groups, "encrypt_then_mac": etm}, {"groups": groups})
    to_client, to_server = pump(client, server)
    assert [type(event) for event in to_client] == [CertificateValidated, HandshakeCompleted]
    assert [type(event) for event in to_server] == [HandshakeCompleted]
    for connection in (client, server):
        assert connection.is_connected
        negotiated = connection.negotiated
        assert negotiated.suite is suite
        assert negotiated.version == 0x0303
        assert negotiated.group == group
        assert negotiated.extended_master_secret
        assert negotiated.encrypt_then_mac is etm
        assert negotiated.secure_renegotiation
        assert negotiated.server_name == NAME
    assert client.negotiated.peer_certificates in (rsa_credential().chain, ecdsa_credential().chain)
    assert client.master_secret == server.master_secret
    assert isinstance(client.reader.protection, EncryptThenMacProtection) is etm
    long = bytes(range(256)) * 200
    client.send_application_data(long)
    server.send_application_data(b"hello")
    to_client, to_server = pump(client, server)
    assert data_of(to_server) == long
    assert data_of(to_client) == b"hello"
    client.close()
    assert client.state == "CLOSING"
    assert pump(client, server) == ([CloseNotifyReceived()], [CloseNotifyReceived()])
    assert client.state == server.state == "CLOSED"
    assert client.receive_eof() == server.receive_eof() == []


@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_one_byte_at_a_time_and_one_byte_fragments(suite: CipherSuite) -> None:
    client, server = pair({"suites": (suite,), "max_fragment": 1}, {"max_fragment": 1})
    while not (client.is_connected and server.is_connected):
        for sender, receiver in ((client, server), (server, client)):
            for value in sender.data_to_send():
                receiver.receive_data(bytes((value,)))
    server.send_application_data(b"abc")
    assert pump(client, server)[0] == [ApplicationDataReceived(bytes((value,))) for value in b"abc"]


@pytest.mark.parametrize("limit", [1, 2, 5, 47, 16384])
@pytest.mark.parametrize("coalesce", [False, True])
def test_fragments_of_any_size_and_coalesced_messages(limit: int, coalesce: bool) -> None:
    changes = {"max_fragment": limit, "coalesce": coalesce}
    client, server = connected(changes, changes)
    client.send_application_data(b"x" * 100)
    assert data_of(pump(client, server)[1]) == b"x" * 100


def test_coalesce_puts_a_flight_into_one_record() -> None:
    client, server = pair({}, {"coalesce": True})
    server.receive_data(client.data_to_send())
    found, rest = records.split_records(server.data_to_send())
    assert rest == b""
    [record] = found
    assert [t for t, _ in messages.split_messages(record.fragment)] == [2, 11, 12, 14]


def test_a_run_is_the_same_byte_for_byte_from_the_same_seed() -> None:
    for suite in DEFAULT_SUITES:
        runs = []
        for _ in range(2):
            client, server = pair({"suites": (suite,)})
            transcript = []
            while not client.is_connected:
                for sender, receiver in ((client, server), (server, client)):
                    transcript.append(sender.data_to_send())
                    receiver.receive_data(transcript[-1])
            server.send_application_data(b"data")
            transcript.append(server.data_to_send())
            runs.append(transcript)
        assert runs[0] == runs[1]


def test_different_seeds_give_different_randoms() -> None:
    one = ClientConnection(client_config(entropy=entropy(5)))
    two = ClientConnection(client_config(entropy=entropy(6)))
    one.start()
    two.start()
    assert one.client_random != two.client_random


def test_key_log_has_one_and_the_same_line_on_both_sides() -> None:
    client_lines: list[str] = []
    server_lines: list[str] = []
    client, _ = connected({"key_log": client_lines.append}, {"key_log": server_lines.append})
    assert client_lines == server_lines
    assert client_lines == [f"CLIENT_RANDOM {client.client_random.hex()} {client.master_secret.hex()}"]


def test_without_extended_master_secret_the_standard_derivation_is_used() -> None:
    without: dict[str, Any] = {"extended_master_secret": False}
    for client_changes, server_changes in ((without, {}), ({}, without)):
        client, server = connected(client_changes, server_changes)
        assert not client.negotiated.extended_master_secret
        assert not server.negotiated.extended_master_secret


def test_the_validator_gets_chain_name_and_time() -> None:
    seen: list[Any] = []

    def verify(*arguments: Any) -> Outcome:
        seen.append(arguments)
        return Outcome()

    connected({"verify": verify, "suites": (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,)})
    assert seen == [(rsa_credential().chain, NAME, NOW)]


# --- negotiation ------------------------------------------------------------------------------------------------------


def test_alpn_takes_the_servers_first_choice() -> None:
    client, server = connected({"alpn": ("h2", "http/1.1")}, {"alpn": ("http/1.1", "h2")})
    assert client.negotiated.alpn == server.negotiated.alpn == "http/1.1"


def test_alpn_of_one_side_only_is_no_alpn() -> None:
    with_alpn: dict[str, Any] = {"alpn": ("h2",)}
    for client_changes, server_changes in ((with_alpn, {}), ({}, with_alpn)):
        client, server = connected(client_changes, server_changes)
        assert client.negotiated.alpn is None
        assert server.negotiated.alpn is None


def test_the_servers_order_of_suites_decides() -> None:
    client, _ = connected({"suites": DEFAULT_SUITES[::-1]}, {"suites": DEFAULT_SUITES})
    assert client.negotiated.suite is DEFAULT_SUITES[0]
    client, _ = connected({"suites": DEFAULT_SUITES}, {"suites": DEFAULT_SUITES[::-1]})
    assert client.negotiated.suite is DEFAULT_SUITES[-1]


def test_the_suite_follows_from_the_credentials() -> None:
    client, _ = connected({}, {"credentials": (ecdsa_credential(),)})
    assert client.negotiated.suite is TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    client, _ = connected({}, {"credentials": (rsa_credential(),)})
    assert client.negotiated.suite is TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256


def test_without_a_common_group_rsa_key_exchange_is_taken() -> None:
    client, _ = connected({"groups": (NamedGroup.X25519,)}, {"groups": (NamedGroup.SECP256R1,)})
    assert client.negotiated.suite is not None
    assert client.negotiated.suite.key_exchange is KeyExchange.RSA


def test_an_ecdsa_certificate_on_a_curve_that_was_not_offered_is_not_chosen() -> None:
    client, _ = connected({"groups": (NamedGroup.X25519,)})
    assert client.negotiated.suite is TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256


def test_an_ecdsa_certificate_on_p384_signs_with_any_hash() -> None:
    for scheme in (SignatureScheme.ECDSA_SHA384, SignatureScheme.ECDSA_SHA256):
        client, _ = connected({"signature_algorithms": (scheme,)}, {"credentials": (p384_credential(),)})
        assert client.negotiated.suite is TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        assert client.negotiated.signature_algorithm == scheme


@pytest.mark.parametrize("scheme", SignatureScheme, ids=lambda s: s.name)
def test_every_signature_scheme_signs_and_verifies(scheme: SignatureScheme) -> None:
    client, _ = connected({"signature_algorithms": (scheme,)}, {"signature_algorithms": (scheme,)})
    assert client.negotiated.signature_algorithm == scheme


def test_sni_is_not_sent_for_ip_addresses_and_is_acknowledged_where_used() -> None:
    for name, sent in (("192.0.2.1", False), ("2001:db8::1", False), ("a.example", True)):
        client = ClientConnection(client_config(server_name=name))
        hello = client.make_client_hello()
        assert (hello.extension(ExtensionType.SERVER_NAME) is not None) is sent
    client, server = pair({}, {"server_names": frozenset({NAME.upper()})})
    server.receive_data(client.data_to_send())
    found = records.split_records(server.data_to_send())[0]
    answer = messages.ServerHello.parse(found[0].fragment[4:])
    assert answer.extension(ExtensionType.SERVER_NAME) == b""


def hello_flight(hello: messages.ClientHello, **changes: Any) -> tuple[ServerConnection, list[messages.Message]]:
    """The server's answer to a ClientHello, decoded."""
    server = ServerConnection(server_config(**changes))
    server.receive_data(records.encode_record(22, 0x0301, hello.encode()))
    found = b"".join(record.fragment for record in records.split_records(server.data_to_send())[0])
    return server, [messages.parse_message(t, b, server.key_exchange) for t, b in messages.split_messages(found)]


def bare_hello(*suites: int, **changes: Any) -> messages.ClientHello:
    """A ClientHello without extensions."""
    return replace(messages.ClientHello(0x0303, bytes(32), b"", suites), **changes)


def test_a_client_hello_without_extensions_gets_a_server_hello_without() -> None:
    _, flight = hello_flight(bare_hello(0x002F))
    assert isinstance(flight[0], messages.ServerHello)
    assert flight[0].extensions is None
    assert flight[0].cipher_suite == 0x002F


def test_a_client_hello_without_extensions_stands_for_sha1_and_any_group() -> None:
    for suite, scheme in (
        (0xC02F, SignatureScheme.RSA_PKCS1_SHA1),
        (0xC02B, SignatureScheme.ECDSA_SHA1),
    ):
        server, flight = hello_flight(bare_hello(suite))
        [exchange] = [message for message in flight if isinstance(message, messages.EcdheServerKeyExchange)]
        assert exchange.algorithm == scheme
        assert exchange.group == NamedGroup.SECP256R1
        assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"


def test_the_scsv_alone_is_answered_with_renegotiation_info() -> None:
    _, flight = hello_flight(bare_hello(0x00FF, 0x002F))
    assert isinstance(flight[0], messages.ServerHello)
    assert flight[0].extensions == (extensions.renegotiation_info(),)


@pytest.mark.parametrize("version", [0x0304, 0x0399, 0x0400, 0xFFFF])
def test_a_higher_client_version_is_answered_with_tls_1_2(version: int) -> None:
    _, flight = hello_flight(bare_hello(0x002F, client_version=version))
    assert isinstance(flight[0], messages.ServerHello)
    assert flight[0].server_version == 0x0303


def test_unknown_suites_extensions_groups_and_algorithms_are_ignored() -> None:
    client, server = pair()
    hello = client.make_client_hello()
    known = {extension.extension_type: extension for extension in hello.extensions or ()}
    known[10] = extensions.supported_groups([0x0A0A, 0x6399, 29, 23])
    known[13] = extensions.signature_algorithms([0x0807, 0x0402, 0x0401, 0x0403])
    strange = (extensions.Extension(0x1A1A, b"\0"), *known.values(), extensions.Extension(43, b"\x02\x03\x04"))
    hello = replace(hello, cipher_suites=(0x1A1A, 0x1301, *hello.cipher_suites), extensions=strange)
    client = ClientConnection(client_config())
    client.make_client_hello = lambda: hello  # type: ignore[method-assign]
    client.start()
    pump(client, server)
    assert client.is_connected


def test_any_record_version_is_accepted_before_the_hello() -> None:
    for version in (0x0300, 0x0301, 0x0304, 0x03FF):
        server = ServerConnection(server_config())
        server.receive_data(records.encode_record(22, version, bare_hello(0x002F).encode()))
        assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"


# --- HelloRequest and renegotiation -----------------------------------------------------------------------------------


def test_hello_request_is_ignored_in_every_state_of_the_handshake_and_left_out_of_the_hash() -> None:
    client, server = pair()
    request = records.encode_record(22, 0x0303, messages.HelloRequest().encode())
    assert client.receive_data(request) == [HelloRequestIgnored()]
    server.receive_data(client.data_to_send())
    ignored = 0
    for record in records.split_records(server.data_to_send())[0]:
        client.receive_data(records.encode_record(*record))
        ignored += client.receive_data(request) == [HelloRequestIgnored()]
    assert ignored == 4
    pump(client, server)
    assert client.is_connected
    assert server.is_connected


def test_hello_request_after_the_handshake_is_answered_with_no_renegotiation() -> None:
    client, server = connected()
    server.send_handshake(messages.HelloRequest())
    to_client, to_server = pump(client, server)
    assert to_client == [RenegotiationRefused()]
    assert to_server == [AlertReceived(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)]
    client.send_application_data(b"still here")
    assert data_of(pump(client, server)[1]) == b"still here"


def test_a_client_hello_after_the_handshake_is_answered_with_no_renegotiation() -> None:
    client, server = connected()
    client.send_handshake(client.make_client_hello())
    to_client, to_server = pump(client, server)
    assert to_server == [RenegotiationRefused()]
    assert to_client == [AlertReceived(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)]
    server.send_application_data(b"still here")
    assert data_of(pump(client, server)[0]) == b"still here"


# --- alerts and closure -----------------------------------------------------------------------------------------------


def test_a_fatal_alert_closes_without_an_answer() -> None:
    client, server = connected()
    server.send_alert(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR)
    server.close_now()
    assert pump(client, server)[0] == [AlertReceived(AlertLevel.FATAL, AlertDescription.INTERNAL_ERROR)]
    assert client.state == "CLOSED"
    assert client.data_to_send() == b""
    assert client.master_secret == b""
    with pytest.raises(LocalProtocolError, match="CLOSED"):
        client.send_application_data(b"x")


def test_warning_alerts_are_reported_and_change_nothing() -> None:
    client, server = pair()
    client.receive_data(records.encode_record(21, 0x0303, bytes((1, 90))))
    assert client.receive_data(records.encode_record(21, 0x0303, bytes((1, 112, 1, 200)))) == [
        AlertReceived(AlertLevel.WARNING, AlertDescription.UNRECOGNIZED_NAME),
        AlertReceived(AlertLevel.WARNING, 200),
    ]
    pump(client, server)
    assert client.is_connected


def test_an_alert_may_be_fragmented() -> None:
    client, server = connected({}, {"max_fragment": 1})
    server.close()
    assert pump(client, server)[0] == [CloseNotifyReceived()]


def test_close_discards_nothing_that_was_queued_and_ignores_what_comes_after_close_notify() -> None:
    client, server = connected()
    client.send_application_data(b"last words")
    client.close()
    late = client.writer.write(23, b"too late")
    events = server.receive_data(client.data_to_send() + late)
    assert events == [ApplicationDataReceived(b"last words"), CloseNotifyReceived()]
    assert server.state == "CLOSED"
    assert server.receive_data(late) == []


def test_data_in_flight_is_still_delivered_after_our_close() -> None:
    client, server = connected()
    server.send_application_data(b"on its way")
    client.close()
    assert client.receive_data(server.data_to_send()) == [ApplicationDataReceived(b"on its way")]
    assert pump(client, server)[0] == [CloseNotifyReceived()]


def test_both_sides_may_close_at_once() -> None:
    client, server = connected()
    client.close()
    server.close()
    assert pump(client, server) == ([CloseNotifyReceived()], [CloseNotifyReceived()])
    assert client.state == server.state == "CLOSED"


def test_close_during_the_handshake_cancels_it() -> None:
    client, server = pair()
    server.receive_data(client.data_to_send())
    client.close()
    assert client.state == "CLOSED"
    assert server.receive_data(client.data_to_send()) == [
        AlertReceived(AlertLevel.WARNING, AlertDescription.USER_CANCELED),
        CloseNotifyReceived(),
    ]
    assert server.state == "CLOSED"


def test_nothing_is_answered_after_our_close_notify() -> None:
    client, server = connected()
    client.close()
    client.data_to_send()
    server.send_handshake(messages.HelloRequest())
    assert client.receive_data(server.data_to_send()) == []
    assert client.data_to_send() == b""
    with pytest.raises(RemoteProtocolError):
        client.receive_data(records.encode_record(23, 0x0303, bytes(40)))
    assert client.data_to_send() == b""
    assert client.state == "CLOSED"


def test_the_end_of_the_transport_without_close_notify_is_an_error_without_an_alert() -> None:
    for make in (pair, connected):
        for connection in make():
            connection.data_to_send()
            with pytest.raises(RemoteProtocolError) as caught:
                connection.receive_eof()
            assert caught.value.alert is None
            assert caught.value.clause == "RFC 5246 section 7.2.1"
            assert connection.state == "CLOSED"
            assert connection.data_to_send() == b""
            assert connection.receive_eof() == []


def test_the_end_of_the_transport_after_our_close_is_no_error() -> None:
    client, _ = connected()
    client.close()
    assert client.receive_eof() == []
    assert client.state == "CLOSED"


def test_local_errors_say_what_to_do() -> None:
    client = ClientConnection(client_config())
    with pytest.raises(LocalProtocolError, match=r"start\(\)"):
        client.receive_data(b"x")
    with pytest.raises(LocalProtocolError, match="START"):
        client.close()
    with pytest.raises(LocalProtocolError, match="HandshakeCompleted"):
        client.send_application_data(b"x")
    client.start()
    with pytest.raises(LocalProtocolError, match="once"):
        client.start()
    with pytest.raises(LocalProtocolError, match="connected"):
        ServerConnection(server_config()).send_application_data(b"")
    with pytest.raises(ValueError, match="suites"):
        client_config(suites=())
    with pytest.raises(ValueError, match="max_fragment"):
        server_config(max_fragment=0)


def test_the_default_clock_is_aware_and_in_utc() -> None:
    config = client_config()
    default = type(config)(server_name=NAME, verify=config.verify)
    assert default.clock().utcoffset() == datetime.now(UTC).utcoffset()
    assert len(default.entropy(7)) == 7


def test_the_server_shares_nothing_between_connections() -> None:
    config = server_config()
    one, two = ServerConnection(config), ServerConnection(config)
    one.negotiated.alpn = "changed"
    one.check_finished = lambda message: None  # type: ignore[method-assign]
    assert two.negotiated.alpn is None
    assert two.check_finished.__func__ is ServerConnection.check_finished  # type: ignore[attr-defined]
