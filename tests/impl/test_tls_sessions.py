"""Resumption: by session id and by ticket, what carries over, and what is not resumed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

import pytest

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    ApplicationDataReceived,
    CertificateValidated,
    ClientConnection,
    HandshakeCompleted,
    ServerConnection,
    Session,
    SessionCache,
    Site,
    TicketKeys,
    messages,
)
from shakeproof.impl.tls.extensions import Extension, ExtensionType
from shakeproof.impl.tls.messages import HandshakeType
from shakeproof.impl.tls.sessions import MAX_LIFETIME_S, SESSION_LIFETIME_S
from shakeproof.impl.tls.suites import (
    DEFAULT_SUITES,
    TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_256_CBC_SHA,
    CipherSuite,
)
from tests.impl.tls_material import (
    NAME,
    NOW,
    Outcome,
    client_config,
    client_rsa_credential,
    connected,
    entropy,
    pair,
    pump,
    record,
    refuse,
    refused,
    rsa_credential,
    server_config,
    verify_client,
)

A = AlertDescription
H = HandshakeType
HANDSHAKE, ALERT = 22, 21
Changes = dict[str, Any]
SEEDS = count(100)
"""Each server has another, or their session ids would be the same."""


def by_id() -> Changes:
    """A server with a cache."""
    return {"sessions": SessionCache()}


def by_ticket() -> Changes:
    """A server with ticket keys."""
    return {"ticket_keys": TicketKeys(entropy(9))}


KINDS = [by_id, by_ticket]
Kind = Callable[[], Changes]


def first(server_changes: Changes, client_changes: Changes | None = None) -> Session:
    """The session of an honest full connection that was closed in good order."""
    client, server = connected(client_changes, {"entropy": entropy(next(SEEDS))} | server_changes)
    assert not client.negotiated.resumed
    client.close()
    pump(client, server)
    assert client.session is not None
    return client.session


def second(session: Session, server_changes: Changes, client_changes: Changes | None = None) -> Any:
    """Client and server of a second connection that offers the session, before any byte is carried."""
    changes = {"session": session, "entropy": entropy(3)} | (client_changes or {})
    return pair(changes, {"entropy": entropy(4)} | server_changes)


def refuses(ends: Any, alert: AlertDescription) -> None:
    """The second of the two ends refuses the first with that alert."""
    sender, receiver = ends
    refused(sender, receiver, alert)


def resumes(session: Session, server_changes: Changes, client_changes: Changes | None = None) -> bool:
    """Whether the second connection resumes; it is complete in any case."""
    client, server = second(session, server_changes, client_changes)
    pump(client, server)
    assert client.is_connected
    assert server.is_connected
    assert client.negotiated.resumed is server.negotiated.resumed
    return server.negotiated.resumed  # type: ignore[no-any-return]


def offering(client: ClientConnection, session: Session) -> None:
    """Makes the client offer the session whatever speaks against it."""
    client.admit_session = lambda session: True  # type: ignore[method-assign]
    client.config = replace(client.config, session=session)


def hostile(session: Session, server_changes: Changes, client_changes: Changes | None = None) -> Any:
    """As `second`, with a client that offers the session without asking whether it may."""
    client = ClientConnection(client_config(**({"entropy": entropy(3)} | (client_changes or {}))))
    offering(client, session)
    client.start()
    return client, ServerConnection(server_config(**({"entropy": entropy(4)} | server_changes)))


# --- it works ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_every_suite_is_resumed(suite: CipherSuite, kind: Kind) -> None:
    changes = kind()
    session = first(changes, {"suites": (suite,)})
    assert bool(session.ticket) is (kind is by_ticket)
    assert bool(session.session_id) is (kind is by_id)
    lines: list[str] = []
    client, server = second(session, changes, {"key_log": lines.append})
    to_client, to_server = pump(client, server)
    assert [type(event) for event in to_client] == [type(event) for event in to_server] == [HandshakeCompleted]
    for negotiated in (client.negotiated, server.negotiated):
        assert negotiated.resumed
        assert negotiated.suite is suite
        assert negotiated.group is negotiated.signature_algorithm is None
        assert negotiated.extended_master_secret
        assert negotiated.encrypt_then_mac is (suite.mac_hash is not None)
    assert client.negotiated.peer_certificates == session.peer_certificates
    assert client.master_secret == server.master_secret == session.master_secret
    assert lines == [f"CLIENT_RANDOM {client.client_random.hex()} {session.master_secret.hex()}"]
    client.send_application_data(b"ping")
    assert pump(client, server)[1] == [ApplicationDataReceived(b"ping")]
    assert client.session is session
    assert resumes(client.session, changes)


@pytest.mark.parametrize("limit", [1, 5, 16384])
@pytest.mark.parametrize("coalesce", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_abbreviated_handshakes_in_fragments(kind: Kind, limit: int, coalesce: bool) -> None:
    changes: Changes = {"max_fragment": limit, "coalesce": coalesce}
    server_changes = kind() | changes
    session = first(server_changes, changes)
    assert resumes(session, server_changes, changes)


def test_a_server_without_cache_and_keys_gives_no_session() -> None:
    client, server = connected()
    assert client.session is server.session is None
    assert client.session_id == b""


def test_session_ids_are_32_random_bytes() -> None:
    changes = by_id()
    one, two = first(changes), first(changes | {"entropy": entropy(77)})
    assert len(one.session_id) == len(two.session_id) == 32
    assert one.session_id != two.session_id
    assert len(changes["sessions"]) == 2


def test_a_server_with_both_gives_a_ticket_to_those_who_ask() -> None:
    changes = by_id() | by_ticket()
    assert first(changes).ticket
    session = first(changes, {"tickets": False})
    assert session.session_id
    assert not session.ticket
    assert resumes(session, changes)


def test_a_client_that_asks_for_no_ticket_gets_none() -> None:
    client, _ = connected({"tickets": False}, by_ticket())
    assert client.session is None


def test_a_ticket_is_renewed_when_the_key_is_old() -> None:
    changes = by_ticket()
    session = first(changes)
    keys = changes["ticket_keys"]
    keys.keys.insert(0, keys.new_key(NOW))
    client, server = second(session, changes)
    pump(client, server)
    assert client.negotiated.resumed
    assert client.session.ticket not in ("", session.ticket)
    assert resumes(client.session, changes)


def test_an_empty_new_ticket_leaves_the_session_as_it_was() -> None:
    changes = by_ticket()
    session = first(changes)
    keys = changes["ticket_keys"]
    keys.keys.insert(0, keys.new_key(NOW))
    keys.seal = lambda session, now: b""
    client, server = second(session, changes)
    pump(client, server)
    assert client.negotiated.resumed
    assert client.session is session
    client, server = connected({}, changes)
    assert client.session is None


def test_a_session_with_a_chain_too_long_for_a_ticket_gets_an_empty_one() -> None:
    credential = client_rsa_credential()
    long = replace(credential, chain=(credential.chain[0], *[bytes(1000)] * 70))
    changes = by_ticket() | {"client_authentication": "require", "verify_client": lambda *_: Outcome()}
    client, server = connected({"credentials": [long]}, changes)
    assert server.negotiated.client_certificates == long.chain
    assert client.ticket == messages.NewSessionTicket(0, b"")
    assert client.session is None


def test_application_protocols_are_negotiated_anew() -> None:
    changes = by_id() | {"alpn": ("http/1.1", "h2")}
    session = first(changes, {"alpn": ("http/1.1",)})
    assert session.alpn == "http/1.1"
    client, server = second(session, changes, {"alpn": ("h2",)})
    pump(client, server)
    assert client.negotiated.resumed
    assert client.negotiated.alpn == server.negotiated.alpn == "h2"


def test_no_server_name_is_acknowledged_in_a_resumption() -> None:
    changes = by_id() | {"server_names": frozenset({NAME})}
    session = first(changes)
    client, server = second(session, changes)
    make = server.make_server_hello
    made: list[messages.ServerHello] = []

    def make_server_hello(suite: CipherSuite, offer: Any) -> messages.ServerHello:
        made.append(make(suite, offer))
        return made[-1]

    server.make_server_hello = make_server_hello
    pump(client, server)
    assert client.negotiated.resumed
    assert made[0].extension(ExtensionType.SERVER_NAME) is None


# --- what the client does not offer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"server_name": "other.test"},
        {"suites": (TLS_RSA_WITH_AES_128_CBC_SHA,)},
        {"extended_master_secret": False},
        {"clock": lambda: NOW + timedelta(seconds=SESSION_LIFETIME_S)},
        {"clock": lambda: NOW - timedelta(seconds=1)},
        {"verify": lambda *_: Outcome(accepted=False)},
    ],
    ids=["name", "suite", "extended master secret", "age", "future", "certificate"],
)
def test_a_session_that_does_not_fit_is_not_offered(changes: Changes) -> None:
    session = first(by_id())
    client = ClientConnection(client_config(session=session, **changes))
    hello = client.make_client_hello()
    assert hello.session_id == b""
    assert hello.extension(ExtensionType.SESSION_TICKET) == b""


def test_a_session_without_a_way_to_find_it_is_not_offered() -> None:
    session = replace(first(by_id()), session_id=b"")
    assert ClientConnection(client_config(session=session)).make_client_hello().session_id == b""


def test_a_ticket_comes_with_a_session_id_of_the_clients_own() -> None:
    session = first(by_ticket())
    one = ClientConnection(client_config(session=session, entropy=entropy(5))).make_client_hello()
    two = ClientConnection(client_config(session=session, entropy=entropy(6))).make_client_hello()
    assert one.extension(ExtensionType.SESSION_TICKET) == session.ticket
    assert len(one.session_id) == 32
    assert one.session_id != two.session_id


# --- what the server does not resume ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_session_is_a_full_handshake_and_a_new_session(kind: Kind) -> None:
    session = first(kind())
    client, server = second(session, kind())
    pump(client, server)
    assert not client.negotiated.resumed
    assert client.session is not None
    assert (client.session.session_id, client.session.ticket) != (session.session_id, session.ticket)


@pytest.mark.parametrize("place", [0, 15, 16, 33, 60, -1])
def test_a_tampered_ticket_is_a_full_handshake(place: int) -> None:
    changes = by_ticket()
    session = first(changes)
    ticket = bytearray(session.ticket)
    ticket[place] ^= 1
    assert not resumes(replace(session, ticket=bytes(ticket)), changes)


@pytest.mark.parametrize("ticket", [b"x", bytes(16), bytes(200)])
def test_a_ticket_of_another_form_is_a_full_handshake(ticket: bytes) -> None:
    changes = by_ticket()
    assert not resumes(replace(first(changes), ticket=ticket), changes)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_too_old_is_a_full_handshake(kind: Kind) -> None:
    changes = kind()
    session = replace(first(changes), lifetime_s=MAX_LIFETIME_S)
    in_time = changes | {"clock": lambda: NOW + timedelta(seconds=SESSION_LIFETIME_S - 1)}
    assert resumes(session, in_time)
    late = changes | {"clock": lambda: NOW + timedelta(seconds=SESSION_LIFETIME_S)}
    assert not resumes(session, late)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_is_not_resumed_under_another_name(kind: Kind) -> None:
    changes = kind()
    session = first(changes)
    for other in ({"server_name": "other.test"}, {"send_server_name": False}):
        client, server = hostile(session, changes, other)
        pump(client, server)
        assert not server.negotiated.resumed
    client, server = hostile(session, changes, {"server_name": NAME.upper()})
    pump(client, server)
    assert server.negotiated.resumed


def test_a_session_id_is_not_looked_up_where_a_ticket_is_presented() -> None:
    changes = by_id() | by_ticket()
    session = first(changes, {"tickets": False})
    client, server = hostile(replace(session, ticket=bytes(100)), changes)
    client.make_session_id = lambda _: session.session_id
    pump_started(client, server)
    assert not server.negotiated.resumed


def pump_started(client: ClientConnection, server: ServerConnection) -> None:
    """As `pump`, with a ClientHello made anew."""
    client.data_to_send()
    client.state = "START"
    client.transcript = type(client.transcript)()
    client.start()
    pump(client, server)


@pytest.mark.parametrize("kind", KINDS)
def test_a_suite_that_is_no_longer_configured_is_a_full_handshake(kind: Kind) -> None:
    changes = kind()
    session = first(changes, {"suites": (TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_256_CBC_SHA)})
    assert session.suite is TLS_RSA_WITH_AES_128_CBC_SHA
    assert not resumes(session, changes | {"suites": (TLS_RSA_WITH_AES_256_CBC_SHA,)})


@pytest.mark.parametrize("kind", KINDS)
def test_a_suite_of_the_session_that_is_not_offered_is_illegal_parameter(kind: Kind) -> None:
    changes = kind()
    session = first(changes, {"suites": (TLS_RSA_WITH_AES_128_CBC_SHA,)})
    client, server = hostile(session, changes, {"suites": (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,)})
    refused(client, server, A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize("kind", KINDS)
def test_the_four_cases_of_extended_master_secret(kind: Kind) -> None:
    changes = kind()
    without: Changes = {"extended_master_secret": False}
    with_it, not_with_it = first(changes), first(changes, without)
    assert with_it.extended_master_secret
    assert not not_with_it.extended_master_secret
    client, server = hostile(not_with_it, changes)
    pump(client, server)
    assert not server.negotiated.resumed
    assert server.negotiated.extended_master_secret
    client, server = hostile(with_it, changes, without)
    refused(client, server, A.HANDSHAKE_FAILURE)
    not_with_it = first(changes, without)
    assert resumes(not_with_it, changes, without)
    client, server = hostile(not_with_it, changes | {"require_extended_master_secret": True}, without)
    refused(client, server, A.HANDSHAKE_FAILURE)


@pytest.mark.parametrize("etm", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_order_of_encryption_and_mac_stays_as_in_the_session(kind: Kind, etm: bool) -> None:
    changes = kind()
    cbc: Changes = {"suites": (TLS_RSA_WITH_AES_128_CBC_SHA,)}
    session = first(changes, cbc | {"encrypt_then_mac": etm})
    assert session.encrypt_then_mac is etm
    assert resumes(session, changes, cbc | {"encrypt_then_mac": etm})
    assert not resumes(session, changes, cbc | {"encrypt_then_mac": not etm})


# --- client authentication --------------------------------------------------------------------------------------------

REQUIRE: Changes = {"client_authentication": "require", "verify_client": verify_client}
ALICE: Changes = {"credentials": [client_rsa_credential()]}


@pytest.mark.parametrize("kind", KINDS)
def test_a_clients_certificate_is_carried_in_the_session(kind: Kind) -> None:
    changes = kind() | REQUIRE
    session = first(changes, ALICE)
    client, server = second(session, changes)
    _, to_server = pump(client, server)
    assert server.negotiated.resumed
    assert server.negotiated.client_certificates == client_rsa_credential().chain
    assert not any(isinstance(event, CertificateValidated) for event in to_server)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_without_a_certificate_is_not_resumed_where_one_is_required(kind: Kind) -> None:
    changes = kind()
    session = first(changes)
    client, server = second(session, changes | REQUIRE, ALICE)
    pump(client, server)
    assert not server.negotiated.resumed
    assert server.negotiated.client_certificates
    anonymous = second(first(changes), changes | REQUIRE)
    refuses(anonymous, A.HANDSHAKE_FAILURE)
    assert resumes(first(changes), changes | REQUIRE | {"client_authentication": "request"})


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_with_a_certificate_is_not_resumed_where_none_is_asked_or_it_no_longer_holds(kind: Kind) -> None:
    changes = kind()
    session = first(changes | REQUIRE, ALICE)
    assert not resumes(session, changes, ALICE)
    stricter = changes | REQUIRE | {"verify_client": lambda *_: Outcome(accepted=False, alert="certificate_revoked")}
    refuses(second(session, stricter, ALICE), A.CERTIFICATE_REVOKED)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_of_an_open_site_does_not_open_a_closed_one(kind: Kind) -> None:
    closed = Site(credentials=[rsa_credential()], client_authentication="require", verify_client=verify_client)
    changes = kind() | {"sites": {"closed.test": closed}}
    session = first(changes)
    refuses(hostile(session, changes, {"server_name": "closed.test"}), A.HANDSHAKE_FAILURE)


# --- what the client refuses ------------------------------------------------------------------------------------------


def tampered(kind: Kind, change: Callable[[messages.ServerHello], messages.ServerHello], **changes: Any) -> Any:
    """Client and server of a resumption in which the ServerHello is changed."""
    server_changes = kind()
    client, server = second(first(server_changes, changes), server_changes, changes)
    original = server.make_server_hello
    server.make_server_hello = lambda suite, offer: change(original(suite, offer))
    return server, client


def without(message: messages.ServerHello, extension_type: int) -> messages.ServerHello:
    """Without that extension."""
    return replace(
        message, extensions=tuple([e for e in message.extensions or () if e.extension_type != extension_type])
    )


@pytest.mark.parametrize("kind", KINDS)
def test_another_suite_than_the_sessions_is_illegal_parameter(kind: Kind) -> None:
    other = TLS_RSA_WITH_AES_128_CBC_SHA.code
    refuses(tampered(kind, lambda m: replace(m, cipher_suite=other)), A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize("kind", KINDS)
def test_extended_master_secret_other_than_in_the_session_is_handshake_failure(kind: Kind) -> None:
    ems = ExtensionType.EXTENDED_MASTER_SECRET
    refuses(tampered(kind, lambda m: without(m, ems)), A.HANDSHAKE_FAILURE)
    server_changes = kind()
    session = first(server_changes, {"extended_master_secret": False})
    client, server = hostile(session, server_changes)
    server.admit_session_extended_master_secret = lambda *_: True
    refused(server, client, A.HANDSHAKE_FAILURE)


@pytest.mark.parametrize("kind", KINDS)
def test_a_session_with_encrypt_then_mac_resumed_without_is_handshake_failure(kind: Kind) -> None:
    etm = ExtensionType.ENCRYPT_THEN_MAC
    ends = tampered(kind, lambda m: without(m, etm), suites=(TLS_RSA_WITH_AES_128_CBC_SHA,))
    refuses(ends, A.HANDSHAKE_FAILURE)


def test_encrypt_then_mac_with_aead_is_illegal_parameter() -> None:
    client, server = pair()
    server.choose_encrypt_then_mac = lambda suite, offer: True  # type: ignore[method-assign]
    refused(server, client, A.ILLEGAL_PARAMETER)


def test_a_full_handshake_after_an_echoed_session_id_is_unexpected() -> None:
    changes = by_id()
    session = first(changes)
    client, server = second(session, by_id())
    server.choose_session_id = lambda message: message.session_id
    assert refused(server, client, A.UNEXPECTED_MESSAGE).got == "Certificate"


def test_a_ticket_that_was_promised_must_come_and_one_that_was_not_must_not() -> None:
    client, server = pair({}, by_ticket())
    server.send_end_of_handshake = lambda: (server.send_change_cipher_spec(), server.send_finished())  # type: ignore
    error = refused(server, client, A.UNEXPECTED_MESSAGE)
    assert (error.expected, error.got) == ("NewSessionTicket", "ChangeCipherSpec")
    client, server = pair()
    original = server.send_change_cipher_spec

    def send_change_cipher_spec() -> None:
        server.send_handshake(messages.NewSessionTicket(1, b"ticket"))
        original()

    server.send_change_cipher_spec = send_change_cipher_spec  # type: ignore[method-assign]
    assert refused(server, client, A.UNEXPECTED_MESSAGE).got == "NewSessionTicket"


@pytest.mark.parametrize("body", [b"", bytes(5), bytes(4) + b"\x00\x02x", bytes(4) + b"\x00\x01xy"])
def test_a_malformed_ticket_is_decode_error(body: bytes) -> None:
    client, server = pair({}, by_ticket())
    original = server.send_handshake

    def send_handshake(message: messages.Message) -> None:
        is_ticket = isinstance(message, messages.NewSessionTicket)
        original(messages.Raw(H.NEW_SESSION_TICKET, body) if is_ticket else message)

    server.send_handshake = send_handshake  # type: ignore[method-assign]
    refused(server, client, A.DECODE_ERROR)


def test_a_ticket_longer_than_its_field_is_refused_at_its_header() -> None:
    client, server = pair({}, by_ticket())
    server.receive_data(client.data_to_send())
    client.receive_data(server.data_to_send())
    client.data_to_send()
    assert client.state == "WAIT_NEW_SESSION_TICKET"
    assert refuse(client, record(HANDSHAKE, b"\x04" + (65542).to_bytes(3, "big"))).alert is A.DECODE_ERROR


def test_a_promise_with_contents_is_decode_error() -> None:
    client, server = pair({}, by_ticket())
    original = server.make_server_hello

    def make_server_hello(suite: CipherSuite, offer: Any) -> messages.ServerHello:
        message = without(original(suite, offer), ExtensionType.SESSION_TICKET)
        return replace(message, extensions=(*(message.extensions or ()), Extension(35, b"x")))

    server.make_server_hello = make_server_hello  # type: ignore[method-assign]
    refused(server, client, A.DECODE_ERROR)


def test_a_ticket_hint_is_cut_to_a_day_and_none_is_our_default() -> None:
    for hint, lifetime_s in ((1, 1), (0, SESSION_LIFETIME_S), (2**32 - 1, MAX_LIFETIME_S)):
        client, server = pair({}, by_ticket())
        server.make_ticket = lambda hint=hint: (hint, b"ticket")  # type: ignore[misc, method-assign]
        pump(client, server)
        assert client.session is not None
        assert client.session.lifetime_s == lifetime_s


# --- the end of a session ---------------------------------------------------------------------------------------------


def test_a_session_is_forgotten_when_its_connection_fails() -> None:
    changes = by_id()
    client, server = connected({}, changes)
    session = client.session
    assert session is not None
    assert len(changes["sessions"]) == 1
    refuse(server, b"\x17\x03\x03\x00\x20" + bytes(32))
    assert server.session is None
    assert len(changes["sessions"]) == 0
    client.receive_data(server.data_to_send())
    assert client.session is None
    assert not resumes(session, changes)


def test_a_session_is_forgotten_when_the_peer_sends_a_fatal_alert() -> None:
    changes = by_id()
    client, server = connected({}, changes)
    refuse(client, b"\x17\x03\x03\x00\x20" + bytes(32))
    server.receive_data(client.data_to_send())
    assert len(changes["sessions"]) == 0


def test_a_session_whose_resumption_fails_is_forgotten() -> None:
    changes = by_id()
    session = first(changes)
    client, server = second(session, changes)
    client.check_finished = lambda _: None
    client.verify_data = lambda **_: bytes(12)
    refused(client, server, A.DECRYPT_ERROR)
    assert len(changes["sessions"]) == 0


def test_a_session_outlives_an_orderly_end_and_a_cut_transport() -> None:
    changes = by_id()
    client, server = connected({}, changes)
    with pytest.raises(RemoteProtocolError):
        server.receive_eof()
    assert client.session is not None
    assert resumes(client.session, changes)


def test_a_session_is_kept_only_once_the_client_is_finished() -> None:
    changes = by_id()
    client, server = pair({}, changes)
    server.receive_data(client.data_to_send())
    assert server.session is None
    assert len(changes["sessions"]) == 0
