"""Another implementation's clients that do something unusual, and right: `shakeproof serve` serves them."""

from __future__ import annotations

import ssl

import pytest

from tests.interop import faults_keys
from tests.interop.foreign import (
    AlertDescription,
    ApplicationData,
    ClientKeyExchange,
    ContentType,
    ExtensionType,
    HandshakeType,
    SessionTicketExtension,
    TLSExtension,
)
from tests.interop.material import NAME, PRIVATE_NAME, Identity, Material
from tests.interop.scripted import (
    CHACHA20,
    CLOSE_NOTIFY,
    DHE_GCM,
    ECDHE_CBC,
    ECDHE_GCM,
    RSA_CBC,
    RSA_GCM,
    SCSV,
    VERSION,
    Kept,
    Script,
    extended_master_secret,
    renegotiation_info,
    server_name,
    signature_algorithms,
)
from tests.interop.serving import Served, get_page
from tests.interop.stacks import Session

FALLBACK_SCSV = 0x5600
GREASE = 0x3A3A
SUITES = [RSA_CBC, RSA_GCM, ECDHE_CBC, ECDHE_GCM, DHE_GCM, CHACHA20]
AT_ONCE = 50


def visit(script: Script) -> None:
    """The rest of an honest connection after the ClientHello."""
    script.receive_flight()
    script.send_second_flight()
    script.receive_finished()
    script.get_page()
    script.close()


@pytest.mark.parametrize("suite", SUITES)
def test_an_honest_client_is_served(suite: int, served: Served) -> None:
    with Script(served.port, suite) as script:
        script.send_hello()
        visit(script)


@pytest.mark.parametrize("extensions", [None, []], ids=["absent", "empty"])
@pytest.mark.parametrize("suite", SUITES)
def test_a_client_hello_without_extensions_is_served_without_extensions(
    suite: int, extensions: list[TLSExtension] | None, served: Served
) -> None:
    with Script(served.port, suite) as script:
        script.send_hello(extensions=extensions)
        visit(script)
        assert not script.server_hello.extensions


@pytest.mark.parametrize("size", [1, 5, 20, 64])
def test_a_client_hello_in_small_records_is_served(size: int, served: Served) -> None:
    with Script(served.port, ECDHE_GCM) as script:
        script.layer.recordSize = size
        script.send_hello()
        visit(script)


def test_a_client_hello_of_21_kilobytes_is_served(served: Served) -> None:
    padding = TLSExtension(extType=21).create(21, bytearray(21_000))
    with Script(served.port, ECDHE_GCM) as script:
        script.send_hello(extensions=[*script.hello().extensions, padding])
        visit(script)


@pytest.mark.parametrize("version", [(3, 0), (3, 1), (3, 4), (3, 99)], ids=str)
def test_the_first_record_may_have_any_version_3_x(version: tuple[int, int], served: Served) -> None:
    with Script(served.port) as script:
        script.layer.version = version
        script.send_hello()
        script.layer.version = VERSION
        visit(script)


@pytest.mark.parametrize("version", [(3, 4), (3, 99), (4, 0), (255, 255)], ids=str)
def test_a_higher_version_gets_tls_1_2(version: tuple[int, int], served: Served) -> None:
    with Script(served.port, ECDHE_GCM) as script:
        script.send_hello(client_version=version)
        visit(script)


def test_the_pre_master_secret_has_the_offered_version(served: Served) -> None:
    with Script(served.port) as script:
        script.send_hello(client_version=(3, 4))
        script.receive_flight()
        script.pre_master_secret = bytearray(faults_keys.secret(b"\x03\x04"))
        encrypted = script.public_key.encrypt(script.pre_master_secret)
        script.send(ClientKeyExchange(script.suite, VERSION).createRSA(encrypted))
        script.derive()
        script.send_finished()
        script.receive_finished()
        script.close()


def test_unknown_suites_extensions_and_compression_methods_are_ignored(served: Served) -> None:
    with Script(served.port) as script:
        grease = TLSExtension(extType=GREASE).create(GREASE, bytearray(b"\x00"))
        script.send_hello(
            cipher_suites=[GREASE, SCSV, FALLBACK_SCSV, RSA_CBC],
            compression_methods=[1, 64, 0],
            extensions=[grease, signature_algorithms(), extended_master_secret()],
        )
        visit(script)
        assert script.suite == RSA_CBC


def test_empty_application_data_is_no_end(served: Served) -> None:
    with Script(served.port) as script:
        script.connect()
        script.send_record(ContentType.application_data, b"")
        script.get_page()
        script.send_record(ContentType.application_data, b"")
        script.close()


def test_a_request_in_records_of_one_byte_is_served(served: Served) -> None:
    with Script(served.port, RSA_GCM) as script:
        script.connect()
        script.layer.recordSize = 1
        script.get_page()
        script.layer.recordSize = 1 << 14
        script.close()


def test_a_few_warnings_are_ignored(served: Served) -> None:
    with Script(served.port) as script:
        script.send_hello()
        script.receive_flight()
        script.send_alert(AlertDescription.unrecognized_name, 1)
        script.send_second_flight()
        script.receive_finished()
        script.send_alert(AlertDescription.no_renegotiation, 1)
        script.get_page()
        script.close()


def test_handshake_messages_may_share_records_and_be_split(served: Served) -> None:
    with Script(served.port) as script:
        script.send_hello()
        script.receive_flight()
        message = script.key_exchange()
        data = bytes(message.write())
        script.hashes.update(bytearray(data))
        script.derive()
        for start in range(0, len(data), 100):
            script.send_record(ContentType.handshake, data[start : start + 100])
        script.send_finished()
        script.receive_finished()
        script.get_page()
        script.close()


def test_close_notify_is_answered_in_the_handshake(served: Served) -> None:
    with Script(served.port) as script:
        script.send_hello()
        script.receive_flight()
        script.send_alert(AlertDescription.close_notify, 1)
        assert script.receive_alert() == (1, CLOSE_NOTIFY)
        script.receive_end()


def test_close_notify_before_anything_is_answered(served: Served) -> None:
    with Script(served.port) as script:
        script.close()


@pytest.mark.parametrize("connected", [False, True], ids=["in the handshake", "connected"])
def test_a_fatal_alert_is_not_answered(connected: bool, served: Served) -> None:
    with Script(served.port) as script:
        if connected:
            script.connect()
        else:
            script.send_hello()
            script.receive_flight()
        script.send_alert(AlertDescription.internal_error, 2)
        script.receive_end()


def test_renegotiation_is_refused_with_a_warning_and_the_connection_goes_on(served: Served) -> None:
    with Script(served.port) as script:
        script.connect()
        script.send_hello()
        assert script.receive_alert() == (1, "no_renegotiation")
        script.get_page()
        script.close()


def test_a_client_that_goes_away_does_no_harm(served: Served, honest: ssl.SSLContext) -> None:
    for data in (b"", b"\x16", b"\x16\x03\x01\x00\x40\x01"):
        with Script(served.port) as script:
            script.send_bytes(data)
    with Script(served.port) as script:
        script.send_hello()
        script.receive_flight()
    with Script(served.port) as script:
        script.connect()
        script.send(ApplicationData().create(bytearray(b"GET / HT")))
    get_page(served.port, honest)


def test_fifty_clients_at_once(served: Served, honest: ssl.SSLContext) -> None:
    """All say hello before any goes on; every second one then fails."""
    scripts = [Script(served.port, SUITES[number % len(SUITES)]) for number in range(AT_ONCE)]
    try:
        for script in scripts:
            script.send_hello()
        for script in scripts:
            script.receive_flight()
        get_page(served.port, honest)
        for number, script in enumerate(reversed(scripts)):
            if number % 2:
                script.send_handshake(HandshakeType.hello_request, b"")
                assert script.receive_alert() == (2, "unexpected_message")
                script.receive_end()
            else:
                script.send_second_flight()
                script.receive_finished()
        for script in list(reversed(scripts))[::2]:
            script.get_page()
            script.close()
    finally:
        for script in scripts:
            script.transport.close()


# --- client authentication --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@pytest.mark.parametrize("suite", [RSA_CBC, ECDHE_GCM])
def test_a_client_with_a_certificate_is_served(suite: int, kind: str, served: Served, material: Material) -> None:
    with Script(served.port, suite, name=PRIVATE_NAME) as script:
        script.connect(material.client[kind])
        assert script.request is not None
        script.get_page()
        script.close()


@pytest.mark.parametrize("size", [1, 20, 60])
def test_a_client_hello_whose_name_comes_in_a_later_record_gets_the_site_of_that_name(
    size: int, served: Served
) -> None:
    with Script(served.port, name=PRIVATE_NAME) as script:
        script.layer.recordSize = size
        script.send_hello()
        script.receive_flight()
        assert script.request is not None


# --- resumption -------------------------------------------------------------------------------------------------------


def kept_session(
    port: int, suite: int, session: Session, *, name: str = NAME, identity: Identity | None = None
) -> Kept:
    """The session of a whole connection."""
    with Script(port, suite, name=name) as script:
        if session == "ticket":
            script.extensions = [SessionTicketExtension().create(bytearray())]
        script.connect(identity)
        script.get_page()
        script.close()
        kept = script.kept
    assert bool(kept.ticket) == (session == "ticket")
    assert bool(kept.session_id) == (session == "id")
    return kept


@pytest.mark.parametrize("session", ["id", "ticket"])
@pytest.mark.parametrize("suite", SUITES)
def test_a_session_is_resumed(suite: int, session: Session, served: Served) -> None:
    kept = kept_session(served.port, suite, session)
    for _ in range(2):
        with Script(served.port, *SUITES) as script:
            script.ask_to_resume(kept)
            script.receive_resumption(kept)
            script.send_finished()
            script.get_page()
            script.close()


def connect_in_full(script: Script, identity: Identity | None = None) -> None:
    """The rest of a connection whose session was not resumed."""
    script.receive_full_flight_instead()
    script.send_second_flight(identity)
    script.receive_finished()
    script.get_page()
    script.close()


@pytest.mark.parametrize("session", ["id", "ticket"])
def test_a_session_of_another_name_is_not_resumed(session: Session, served: Served, material: Material) -> None:
    identity = material.client["rsa"]
    kept = kept_session(served.port, RSA_GCM, session, name=PRIVATE_NAME, identity=identity)
    with Script(served.port, RSA_GCM, name=NAME) as script:
        script.ask_to_resume(kept)
        connect_in_full(script)
    kept = kept_session(served.port, RSA_GCM, session, name=NAME)
    with Script(served.port, RSA_GCM, name=PRIVATE_NAME) as script:
        script.ask_to_resume(kept)
        script.receive_full_flight_instead()
        assert script.request is not None  # whoever was let in elsewhere shows a certificate here


@pytest.mark.parametrize("session", ["id", "ticket"])
def test_an_authenticated_session_is_resumed_without_the_certificate(
    session: Session, served: Served, material: Material
) -> None:
    kept = kept_session(served.port, ECDHE_GCM, session, name=PRIVATE_NAME, identity=material.client["ecdsa"])
    with Script(served.port, ECDHE_GCM, name=PRIVATE_NAME) as script:
        script.ask_to_resume(kept)
        script.receive_resumption(kept)
        script.send_finished()
        script.get_page()
        script.close()


@pytest.mark.parametrize("session", ["id", "ticket"])
def test_a_session_without_extended_master_secret_is_not_resumed_by_a_client_that_offers_it(
    session: Session, served: Served
) -> None:
    extensions = [server_name(NAME), renegotiation_info()]
    if session == "ticket":
        extensions.append(SessionTicketExtension().create(bytearray()))
    with Script(served.port) as script:
        script.connect(extensions=extensions)
        script.close()
        kept = script.kept
    with Script(served.port) as script:
        script.ask_to_resume(kept)
        connect_in_full(script)


def test_an_unknown_session_id_gets_a_full_handshake(served: Served) -> None:
    with Script(served.port) as script:
        script.ask_to_resume(Kept(RSA_CBC, bytearray(48), bytearray(range(32)), bytearray()))
        connect_in_full(script)


@pytest.mark.parametrize("where", [0, 16, 40, -1], ids=["key name", "IV", "state", "MAC"])
def test_a_changed_ticket_gets_a_full_handshake(where: int, served: Served) -> None:
    kept = kept_session(served.port, RSA_GCM, "ticket")
    kept.ticket[where] ^= 1
    with Script(served.port, RSA_GCM) as script:
        script.ask_to_resume(kept)
        connect_in_full(script)


@pytest.mark.parametrize("length", [1, 16, 100, 10_000])
def test_a_ticket_that_means_nothing_gets_a_full_handshake(length: int, served: Served) -> None:
    with Script(served.port) as script:
        script.ask_to_resume(Kept(RSA_CBC, bytearray(48), bytearray(), bytearray(length)))
        connect_in_full(script)


def test_a_session_whose_connection_failed_is_not_resumed(served: Served) -> None:
    with Script(served.port) as script:
        script.connect()
        kept = script.kept
        script.send_record(99, b"?")
        assert script.receive_alert() == (2, "unexpected_message")
        script.receive_end()
    with Script(served.port) as script:
        script.ask_to_resume(kept)
        connect_in_full(script)


def test_resumption_without_the_secret_is_refused(served: Served) -> None:
    with Script(served.port) as script:
        kept = kept_session(served.port, RSA_CBC, "id")
        script.ask_to_resume(kept)
        script.receive_resumption(kept)
        script.master_secret = bytearray(48)
        script.prepare_keys()
        script.send_finished()
        assert script.receive_alert() == (2, "bad_record_mac")
        script.receive_end()


# --- renegotiation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suite", SUITES)
def test_a_renegotiation_is_allowed_where_it_is(suite: int, renegotiating: Served) -> None:
    with Script(renegotiating.port, suite) as script:
        script.connect()
        script.get_page()
        before = bytes(script.client_verify_data + script.server_verify_data)
        script.connect()
        [told] = [e for e in script.server_hello.extensions if e.extType == ExtensionType.renegotiation_info]
        assert bytes(told.renegotiated_connection) == before
        script.get_page()
        script.close()


def test_a_renegotiation_with_signature_algorithms_cert_alone_is_served(renegotiating: Served) -> None:
    with Script(renegotiating.port) as script:
        script.connect()
        cert_algorithms = TLSExtension().create(ExtensionType.signature_algorithms_cert, bytearray(b"\x00\x02\x04\x01"))
        script.connect(
            extensions=[
                server_name(NAME),
                extended_master_secret(),
                cert_algorithms,
                renegotiation_info(bytes(script.client_verify_data)),
            ]
        )
        script.get_page()
        script.close()


def test_a_client_that_cannot_say_so_may_not_renegotiate(renegotiating: Served) -> None:
    """Without renegotiation_info in the first handshake there is no safe second one (RFC 5746 section 4.4)."""
    with Script(renegotiating.port) as script:
        extensions = [server_name(NAME), extended_master_secret()]
        script.connect(extensions=extensions)
        script.send_hello(extensions=extensions)
        assert script.receive_alert() == (1, "no_renegotiation")
        script.get_page()
        script.close()
