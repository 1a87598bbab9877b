"""Renegotiation: both ways, bound to the handshake before, refused where it is not allowed; what may come between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    AlertLevel,
    AlertReceived,
    ApplicationDataReceived,
    CertificateValidated,
    ClientConnection,
    Connection,
    HandshakeCompleted,
    HelloRequestIgnored,
    RenegotiationRefused,
    RenegotiationStarted,
    ServerConnection,
    SessionCache,
    TicketKeys,
    connection,
    extensions,
    messages,
    records,
)
from shakeproof.impl.tls.extensions import Extension, ExtensionType
from shakeproof.impl.tls.suites import (
    DEFAULT_SUITES,
    TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    CipherSuite,
)
from tests.impl.tls_material import (
    client_config,
    client_rsa_credential,
    connected,
    ecdsa_credential,
    entropy,
    pump,
    refuse,
    refused,
    rsa_credential,
    verify_client,
)

A = AlertDescription
HANDSHAKE, CCS, ALERT, DATA = 22, 20, 21, 23
ALLOW: dict[str, Any] = {"renegotiation": "allow"}
REFUSED_ALERT = AlertReceived(AlertLevel.WARNING, A.NO_RENEGOTIATION)


def willing(
    client_changes: dict[str, Any] | None = None, server_changes: dict[str, Any] | None = None
) -> tuple[ClientConnection, ServerConnection]:
    """A connected pair that allows renegotiation."""
    return connected(ALLOW | (client_changes or {}), ALLOW | (server_changes or {}))


def asked(by: str, client: ClientConnection, server: ServerConnection) -> None:
    """That side asks for a renegotiation; the ClientHello waits to be sent."""
    if by == "server":
        server.renegotiate()
        client.receive_data(server.data_to_send())
    else:
        client.renegotiate()
    assert client.is_renegotiating
    assert client.is_connected


def kinds(events: list[Any]) -> list[type]:
    """The types of the events."""
    return [type(event) for event in events]


# --- it works ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["client", "server"])
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_renegotiation_under_every_suite(suite: CipherSuite, by: str) -> None:
    client, server = willing({"suites": (suite,)})
    before = client.master_secret
    for _ in range(2):
        (client if by == "client" else server).renegotiate()
        to_client, to_server = pump(client, server)
        start = [RenegotiationStarted]
        assert kinds(to_client) == (start if by == "server" else []) + [CertificateValidated, HandshakeCompleted]
        assert kinds(to_server) == [*start, HandshakeCompleted]
        for end in (client, server):
            assert end.is_connected
            assert not end.is_renegotiating
            assert end.negotiated.suite is suite
            assert end.negotiated.secure_renegotiation
        assert client.master_secret == server.master_secret != before
        client.send_application_data(b"new keys")
        assert pump(client, server)[1] == [ApplicationDataReceived(b"new keys")]
    assert client.renegotiations == server.renegotiations == 2
    client.close()
    pump(client, server)
    assert client.state == server.state == "CLOSED"


@pytest.mark.parametrize("coalesce", [False, True])
@pytest.mark.parametrize("limit", [1, 7, 16384])
def test_renegotiation_in_fragments(limit: int, coalesce: bool) -> None:
    changes = {"max_fragment": limit, "coalesce": coalesce}
    client, server = willing(changes, changes)
    server.renegotiate()
    pump(client, server)
    assert client.renegotiations == server.renegotiations == 1


def test_a_renegotiation_may_agree_on_something_else() -> None:
    client, server = willing()
    client.config = replace(client.config, suites=(TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,))
    client.renegotiate()
    pump(client, server)
    assert server.negotiated.suite is client.negotiated.suite is TLS_DHE_RSA_WITH_AES_128_GCM_SHA256


def test_a_renegotiation_may_authenticate_the_client() -> None:
    client, server = willing({"credentials": [client_rsa_credential()]})
    server.config = replace(server.config, client_authentication="require", verify_client=verify_client)
    server.renegotiate()
    _, to_server = pump(client, server)
    assert isinstance(to_server[-1], HandshakeCompleted)
    assert to_server[-1].negotiated.client_certificates == client_rsa_credential().chain


def test_a_renegotiation_makes_a_new_session_and_can_resume_none() -> None:
    for changes in ({"sessions": SessionCache()}, {"ticket_keys": TicketKeys(entropy(5))}):
        client, server = willing({}, changes)
        first = client.session
        client.config = replace(client.config, session=first)
        client.renegotiate()
        pump(client, server)
        assert not client.negotiated.resumed
        assert client.session is not None
        assert client.session != first


def test_a_resumed_connection_can_be_renegotiated() -> None:
    changes = {"sessions": SessionCache()} | ALLOW
    client, _ = connected(ALLOW, changes)
    client, server = connected(ALLOW | {"session": client.session}, changes)
    assert client.negotiated.resumed
    server.renegotiate()
    pump(client, server)
    assert client.renegotiations == 1


# --- application data between -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["client", "server"])
def test_application_data_comes_between_the_messages_until_change_cipher_spec(by: str) -> None:
    client, server = willing()
    asked(by, client, server)
    client.send_application_data(b"a")
    assert server.receive_data(client.data_to_send())[-1] == ApplicationDataReceived(b"a")
    assert server.is_renegotiating
    server.send_application_data(b"b")
    flight = server.data_to_send()
    assert ApplicationDataReceived(b"b") in client.receive_data(flight)
    client.send_application_data(b"waits")
    server.send_application_data(b"old keys")
    assert client.receive_data(server.data_to_send()) == [ApplicationDataReceived(b"old keys")]
    to_client, to_server = pump(client, server)
    assert to_server == [completed(server), ApplicationDataReceived(b"waits")]
    assert kinds(to_client) == [HandshakeCompleted]


def completed(end: Connection) -> HandshakeCompleted:
    """The event of its handshake."""
    return HandshakeCompleted(end.negotiated)


def test_application_data_between_change_cipher_spec_and_finished_is_unexpected() -> None:
    client, server = willing()
    client.renegotiate()
    server.receive_data(client.data_to_send())
    original = client.send_finished

    def send_finished() -> None:
        client._keys_changed = False
        client.send_application_data(b"too early")
        original()

    client.send_finished = send_finished  # type: ignore[method-assign]
    client.receive_data(server.data_to_send())
    assert refuse(server, client.data_to_send()).alert is A.UNEXPECTED_MESSAGE


def test_application_data_comes_within_a_fragmented_message() -> None:
    client, server = willing({"max_fragment": 20})
    client.renegotiate()
    hello = records.split_records(client.data_to_send())[0]
    assert len(hello) > 5
    for number, part in enumerate(hello):
        opened = server.receive_data(records.encode_record(*part))
        assert opened == ([RenegotiationStarted()] if number == len(hello) - 1 else [])
    client, server = willing({"max_fragment": 20})
    made = client.make_client_hello().encode()
    for start in range(0, len(made), 20):
        client._output.append(client.writer.write(HANDSHAKE, made[start : start + 20]))
        client.send_application_data(b"x")
    events = server.receive_data(client.data_to_send())
    assert events.count(ApplicationDataReceived(b"x")) == -(-len(made) // 20)
    assert server.is_renegotiating


def test_closing_while_renegotiating_cancels_it() -> None:
    client, server = willing()
    client.renegotiate()
    client.close()
    events = server.receive_data(client.data_to_send())
    assert AlertReceived(AlertLevel.WARNING, A.USER_CANCELED) in events
    assert server.state == client.state == "CLOSED"


# --- refused ----------------------------------------------------------------------------------------------------------


def test_a_server_that_refuses_keeps_the_connection_and_so_does_the_client() -> None:
    client, server = connected(ALLOW, {})
    before = client.negotiated
    for _ in range(3):
        client.renegotiate()
        client.send_application_data(b"meanwhile")
        to_client, to_server = pump(client, server)
        assert to_server == [RenegotiationRefused(), ApplicationDataReceived(b"meanwhile")]
        assert to_client == [REFUSED_ALERT]
        assert client.state == "CONNECTED"
        assert client.negotiated is before
    server.config = replace(server.config, renegotiation="allow")
    client.renegotiate()
    pump(client, server)
    assert client.renegotiations == server.renegotiations == 1


def test_a_client_that_refuses_keeps_the_connection() -> None:
    client, server = connected({}, ALLOW)
    server.renegotiate()
    to_client, to_server = pump(client, server)
    assert to_client == [RenegotiationRefused()]
    assert to_server == [REFUSED_ALERT]
    assert server.is_connected
    client.send_application_data(b"goes on")
    assert pump(client, server)[1] == [ApplicationDataReceived(b"goes on")]


def test_no_renegotiation_during_a_first_handshake_has_no_effect() -> None:
    client = ClientConnection(client_config())
    client.start()
    assert client.receive_data(b"\x15\x03\x03\x00\x02\x01\x64") == [REFUSED_ALERT]
    assert client.state == "WAIT_SERVER_HELLO"


def test_no_renegotiation_after_the_server_hello_has_no_effect() -> None:
    client, server = willing({"coalesce": True})
    client.renegotiate()
    server.receive_data(client.data_to_send())
    server.send_alert(AlertLevel.WARNING, A.NO_RENEGOTIATION)
    pump(client, server)
    assert client.renegotiations == 1


@pytest.mark.parametrize("changes", [{}, {"renegotiation": "refuse"}])
def test_renegotiate_needs_the_config(changes: dict[str, Any]) -> None:
    for end in connected(changes, changes):
        with pytest.raises(LocalProtocolError, match="allow"):
            end.renegotiate()
    with pytest.raises(ValueError, match="renegotiation"):
        client_config(renegotiation="perhaps")


def test_renegotiate_needs_a_connection_at_rest() -> None:
    client, server = willing()
    client.renegotiate()
    with pytest.raises(LocalProtocolError, match="WAIT_SERVER_HELLO"):
        client.renegotiate()
    with pytest.raises(LocalProtocolError, match="START"):
        ClientConnection(client_config(**ALLOW)).renegotiate()
    server.close()
    with pytest.raises(LocalProtocolError, match="CLOSING"):
        server.renegotiate()


def test_without_secure_renegotiation_there_is_none() -> None:
    client, server = willing()
    client.negotiated.secure_renegotiation = server.negotiated.secure_renegotiation = False
    for end in (client, server):
        with pytest.raises(LocalProtocolError, match="renegotiation_info"):
            end.renegotiate()
    client.send_client_hello()
    assert server.receive_data(client.data_to_send()) == [RenegotiationRefused()]
    client, server = willing()
    client.negotiated.secure_renegotiation = False
    server.renegotiate()
    assert client.receive_data(server.data_to_send()) == [RenegotiationRefused()]


def test_a_session_resumed_without_extended_master_secret_is_not_renegotiated() -> None:
    changes: dict[str, Any] = {"extended_master_secret": False} | ALLOW
    server_changes = {"sessions": SessionCache()} | ALLOW
    client, server = connected(changes, server_changes)
    client.renegotiate()
    pump(client, server)
    assert client.renegotiations == 1
    client, server = connected(changes | {"session": client.session}, server_changes)
    assert client.negotiated.resumed
    for end in (client, server):
        with pytest.raises(LocalProtocolError, match="7627"):
            end.renegotiate()


def test_the_number_of_renegotiations_is_bounded() -> None:
    client, server = willing()
    for _ in range(connection.MAX_RENEGOTIATIONS):
        server.renegotiate()
        pump(client, server)
    assert server.renegotiations == connection.MAX_RENEGOTIATIONS
    with pytest.raises(LocalProtocolError, match="at most"):
        server.renegotiate()
    client.admit_renegotiation = lambda: True  # type: ignore[method-assign]
    for _ in range(connection.MAX_REFUSED_RENEGOTIATIONS):
        client.renegotiate()
        assert pump(client, server)[1] == [RenegotiationRefused()]
    client.renegotiate()
    assert refuse(server, client.data_to_send()).alert is A.UNEXPECTED_MESSAGE


def test_hello_requests_while_renegotiating_are_ignored_and_bounded() -> None:
    client, server = willing()
    client.renegotiate()
    for _ in range(connection.MAX_HELLO_REQUESTS):
        server.renegotiate()
        assert client.receive_data(server.data_to_send()) == [HelloRequestIgnored()]
    server.renegotiate()
    assert refuse(client, server.data_to_send()).alert is A.UNEXPECTED_MESSAGE


# --- renegotiation_info -----------------------------------------------------------------------------------------------


def with_extension(extension: Extension | None) -> Callable[[Any], Any]:
    """Changes a hello: its renegotiation_info is that one, or none."""

    def change(message: Any) -> Any:
        kept = [e for e in message.extensions if e.extension_type != ExtensionType.RENEGOTIATION_INFO]
        return replace(message, extensions=(*kept, *([extension] if extension else [])))

    return change


def scsv(message: Any) -> Any:
    """Adds the SCSV."""
    return replace(message, cipher_suites=(*message.cipher_suites, TLS_EMPTY_RENEGOTIATION_INFO_SCSV))


@pytest.mark.parametrize(
    ("change", "alert"),
    [
        (with_extension(None), A.HANDSHAKE_FAILURE),
        (with_extension(extensions.renegotiation_info()), A.HANDSHAKE_FAILURE),
        (with_extension(extensions.renegotiation_info(bytes(12))), A.HANDSHAKE_FAILURE),
        (with_extension(Extension(ExtensionType.RENEGOTIATION_INFO, b"")), A.DECODE_ERROR),
        (scsv, A.HANDSHAKE_FAILURE),
        (lambda m: scsv(with_extension(None)(m)), A.HANDSHAKE_FAILURE),
    ],
    ids=["missing", "empty", "wrong", "malformed", "with SCSV", "SCSV alone"],
)
def test_a_client_hello_that_is_not_bound_to_the_handshake_before(
    change: Callable[[Any], Any], alert: AlertDescription
) -> None:
    client, server = willing()
    original = client.make_client_hello
    client.make_client_hello = lambda: change(original())  # type: ignore[method-assign]
    client.renegotiate()
    refused(client, server, alert)


@pytest.mark.parametrize(
    ("change", "alert"),
    [
        (with_extension(None), A.HANDSHAKE_FAILURE),
        (with_extension(extensions.renegotiation_info()), A.HANDSHAKE_FAILURE),
        (with_extension(extensions.renegotiation_info(bytes(24))), A.HANDSHAKE_FAILURE),
        (with_extension(Extension(ExtensionType.RENEGOTIATION_INFO, b"\x01")), A.DECODE_ERROR),
    ],
    ids=["missing", "empty", "wrong", "malformed"],
)
def test_a_server_hello_that_is_not_bound_to_the_handshake_before(
    change: Callable[[Any], Any], alert: AlertDescription
) -> None:
    client, server = willing()
    original = server.make_server_hello
    server.make_server_hello = lambda suite, offer: change(original(suite, offer))  # type: ignore[method-assign]
    client.renegotiate()
    refused(server, client, alert)


def test_a_first_handshake_spliced_into_a_renegotiation_is_refused() -> None:
    """The attack that RFC 5746 is about: a man in the middle's connection takes in the victim's first handshake."""
    attacker, server = willing()
    victim = ClientConnection(client_config(entropy=entropy(8)))
    victim.start()
    hello = victim.make_client_hello().encode()
    error = refuse(server, attacker.writer.write(HANDSHAKE, hello))
    assert error.alert is A.HANDSHAKE_FAILURE
    assert "5746" in error.clause


# --- what must not change ---------------------------------------------------------------------------------------------


def test_without_extended_master_secret_the_server_keeps_its_certificate() -> None:
    for ems, alert in ((True, None), (False, A.HANDSHAKE_FAILURE)):
        client, server = willing({"extended_master_secret": ems}, {"credentials": [rsa_credential()]})
        server.config = replace(server.config, credentials=[ecdsa_credential()])
        client.renegotiate()
        if alert is None:
            pump(client, server)
            assert client.negotiated.peer_certificates == ecdsa_credential().chain
        else:
            assert "7627" in refused(server, client, alert).clause


def test_a_renegotiation_does_not_go_back_from_extended_master_secret() -> None:
    client, server = willing()
    client.config = replace(client.config, extended_master_secret=False)
    client.renegotiate()
    assert "7627" in refused(client, server, A.HANDSHAKE_FAILURE).clause
    client, server = willing()
    server.config = replace(server.config, extended_master_secret=False)
    client.renegotiate()
    assert "7627" in refused(server, client, A.HANDSHAKE_FAILURE).clause
    client, server = willing({"extended_master_secret": False})
    client.config = replace(client.config, extended_master_secret=True)
    client.renegotiate()
    pump(client, server)
    assert client.negotiated.extended_master_secret


def test_a_renegotiation_does_not_go_back_from_encrypt_then_mac() -> None:
    cbc = {"suites": (TLS_RSA_WITH_AES_128_CBC_SHA,)}
    client, server = willing(cbc)
    assert client.negotiated.encrypt_then_mac
    client.config = replace(client.config, suites=(TLS_DHE_RSA_WITH_AES_128_GCM_SHA256,))
    client.renegotiate()
    pump(client, server)
    assert not client.negotiated.encrypt_then_mac
    client.config = replace(client.config, suites=cbc["suites"], encrypt_then_mac=False)
    client.renegotiate()
    refused(client, server, A.HANDSHAKE_FAILURE)
    client, server = willing(cbc)
    server.choose_encrypt_then_mac = lambda suite, offer: False
    client.renegotiate()
    refused(server, client, A.HANDSHAKE_FAILURE)


def test_a_renegotiation_may_go_on_to_encrypt_then_mac() -> None:
    client, server = willing({"suites": (TLS_RSA_WITH_AES_128_CBC_SHA,), "encrypt_then_mac": False})
    client.config = replace(client.config, encrypt_then_mac=True)
    client.renegotiate()
    pump(client, server)
    assert client.negotiated.encrypt_then_mac
    assert server.negotiated.encrypt_then_mac


def test_a_renegotiation_for_another_name_is_handshake_failure() -> None:
    client, server = willing()
    client.config = replace(client.config, server_name="other.test")
    client.renegotiate()
    refused(client, server, A.HANDSHAKE_FAILURE)


def test_a_failed_renegotiation_closes_the_connection() -> None:
    client, server = willing()
    client.renegotiate()
    original = client.send_handshake

    def send_handshake(message: messages.Message) -> None:
        original(messages.Finished(bytes(12)) if isinstance(message, messages.Finished) else message)

    client.send_handshake = send_handshake  # type: ignore[method-assign]
    refused(client, server, A.DECRYPT_ERROR)


def test_a_failed_renegotiation_forgets_the_sessions_of_both_handshakes() -> None:
    cache = SessionCache()
    client, server = willing({}, {"sessions": cache})
    client.renegotiate()
    pump(client, server)
    assert len(cache) == 2
    refuse(server, b"\x17\x03\x03\x00\x20" + bytes(32))
    assert len(cache) == 0


def test_an_order_of_messages_is_demanded_as_in_a_first_handshake() -> None:
    client, server = willing()
    client.renegotiate()
    server.receive_data(client.data_to_send())
    assert server.state == "WAIT_CLIENT_KEY_EXCHANGE"
    assert refuse(server, client.writer.write(CCS, b"\x01")).alert is A.UNEXPECTED_MESSAGE
    client, server = willing()
    client.renegotiate()
    assert refuse(client, server.writer.write(CCS, b"\x01")).alert is A.UNEXPECTED_MESSAGE
