"""Resumption, client authentication and renegotiation with OpenSSL, in process, each in both directions."""

from __future__ import annotations

import ssl
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    AlertLevel,
    AlertReceived,
    ApplicationDataReceived,
    ClientConfig,
    ClientConnection,
    Credential,
    HandshakeCompleted,
    RenegotiationStarted,
    ServerConfig,
    ServerConnection,
    Session,
    SessionCache,
    TicketKeys,
)
from shakeproof.impl.tls.suites import Authentication
from shakeproof.impl.x509 import Usage, Validator, verifier_for_tls
from tests.impl.test_tls_openssl import (
    OpenSsl,
    client_context,
    close_from_ours,
    credential_for,
    exchange_data,
    pem,
    pump,
    server_context,
    verifier,
)
from tests.impl.test_tls_openssl import authority as made_authority
from tests.impl.tls_material import NAME, entropy

SUITES = ["ECDHE+AESGCM", "AES128-SHA", "AES256-GCM-SHA384", "ECDHE-RSA-AES256-SHA384"]
OP_ALLOW_CLIENT_RENEGOTIATION = 1 << 8
"""SSL_OP_ALLOW_CLIENT_RENEGOTIATION, which Python has no name for; without it OpenSSL 3 refuses."""
A = AlertDescription


@pytest.fixture(scope="module", name="ca")
def authority_of_this_module() -> x509.Certificate:
    """A CA that is valid now."""
    return authority_now()


@cache
def authority_now() -> x509.Certificate:
    """As the fixture of the other module makes it."""
    return made_authority.__wrapped__()  # type: ignore[attr-defined, no-any-return]


def client_credential(ca: x509.Certificate, kind: Authentication = Authentication.RSA) -> Credential:
    """Of a client, valid now."""
    return credential_for(ca, kind, name="alice", purpose=ExtendedKeyUsageOID.CLIENT_AUTH)


def our_client(ca: x509.Certificate, **changes: Any) -> ClientConnection:
    """A started client that trusts the CA."""
    client = ClientConnection(ClientConfig(server_name=NAME, verify=verifier(ca), **changes))
    client.start()
    return client


def our_server(ca: x509.Certificate, **changes: Any) -> ServerConnection:
    """A server with both kinds of certificate."""
    credentials = [credential_for(ca, kind) for kind in Authentication]
    return ServerConnection(ServerConfig(credentials=credentials, **changes))


def verify_clients(ca: x509.Certificate) -> Any:
    """The real validator, for clients."""
    return verifier_for_tls(Validator([ca.public_bytes(Encoding.DER)], usage=Usage.CLIENT_AUTH))


class OpenSslClient(OpenSsl):
    """A client in OpenSSL that may offer a session."""

    def __init__(self, context: ssl.SSLContext, session: ssl.SSLSession | None = None) -> None:
        super().__init__(context, server=False)
        self.object = context.wrap_bio(self.incoming, self.outgoing, server_hostname=NAME, session=session)


# --- resumption -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ticket", [False, True])
@pytest.mark.parametrize("ciphers", SUITES)
def test_our_client_resumes_with_openssls_server(
    ciphers: str, ticket: bool, ca: x509.Certificate, tmp_path: Path
) -> None:
    context = server_context(credential_for(ca, Authentication.RSA), tmp_path, ciphers)
    if not ticket:
        context.options |= ssl.OP_NO_TICKET
    session: Session | None = None
    for number in range(3):
        ours, theirs = our_client(ca, session=session), OpenSsl(context, server=True)
        pump(ours, theirs)
        assert ours.is_connected
        assert ours.negotiated.resumed is theirs.object.session_reused is (number > 0)
        exchange_data(ours, theirs)
        close_from_ours(ours, theirs)  # OpenSSL forgets the session of a connection that is merely dropped
        session = ours.session
        assert session is not None
        assert bool(session.ticket) is ticket
        assert bool(session.session_id) is not ticket


@pytest.mark.parametrize("ticket", [False, True])
@pytest.mark.parametrize("ciphers", SUITES)
def test_openssls_client_resumes_with_our_server(ciphers: str, ticket: bool, ca: x509.Certificate) -> None:
    context = client_context(ca, ciphers)
    changes: dict[str, Any] = {"ticket_keys": TicketKeys()} if ticket else {"sessions": SessionCache()}
    session: ssl.SSLSession | None = None
    for number in range(3):
        ours, theirs = our_server(ca, **changes), OpenSslClient(context, session)
        pump(ours, theirs)
        assert ours.is_connected
        assert ours.negotiated.resumed is theirs.object.session_reused is (number > 0)
        exchange_data(ours, theirs)
        session = theirs.object.session
        assert session is not None
        assert session.has_ticket is ticket


def test_openssls_client_gets_a_new_ticket_for_an_old_one_and_a_full_handshake_for_a_lost_one(
    ca: x509.Certificate,
) -> None:
    context = client_context(ca, "ECDHE+AESGCM")
    keys = TicketKeys()
    first = OpenSslClient(context)
    pump(our_server(ca, ticket_keys=keys), first)
    keys.keys.insert(0, keys.new_key(keys.keys[0].made))
    second = OpenSslClient(context, first.object.session)
    pump(our_server(ca, ticket_keys=keys), second)
    assert second.object.session_reused
    del keys.keys[1:]
    third = OpenSslClient(context, second.object.session)
    pump(our_server(ca, ticket_keys=keys), third)
    assert third.object.session_reused
    fourth = OpenSslClient(context, third.object.session)
    ours = our_server(ca, ticket_keys=TicketKeys())
    pump(ours, fourth)
    assert ours.is_connected
    assert not fourth.object.session_reused


def test_openssls_server_that_lost_the_session_makes_a_full_handshake(ca: x509.Certificate, tmp_path: Path) -> None:
    session: Session | None = None
    for _ in range(2):
        context = server_context(credential_for(ca, Authentication.RSA), tmp_path, "ECDHE+AESGCM")
        ours = our_client(ca, session=session)
        pump(ours, OpenSsl(context, server=True))
        assert ours.is_connected
        assert not ours.negotiated.resumed
        session = ours.session


# --- client authentication --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(Authentication))
@pytest.mark.parametrize("ciphers", SUITES)
def test_our_client_is_authenticated_by_openssls_server(
    ciphers: str, kind: Authentication, ca: x509.Certificate, tmp_path: Path
) -> None:
    context = server_context(credential_for(ca, Authentication.RSA), tmp_path, ciphers)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca.public_bytes(Encoding.PEM).decode())
    ours, theirs = our_client(ca, credentials=[client_credential(ca, kind)]), OpenSsl(context, server=True)
    pump(ours, theirs)
    assert ours.is_connected
    assert ours.certificate_request is not None
    assert theirs.object.getpeercert(binary_form=True) == client_credential_der(ours)
    exchange_data(ours, theirs)
    again = our_client(ca, session=ours.session)
    theirs = OpenSsl(context, server=True)
    pump(again, theirs)
    assert again.negotiated.resumed
    assert theirs.object.getpeercert(binary_form=True) == client_credential_der(ours)


def client_credential_der(ours: ClientConnection) -> bytes:
    """The leaf that our client showed."""
    return ours.negotiated.client_certificates[0]


def test_our_client_without_a_credential_is_refused_by_openssls_server(ca: x509.Certificate, tmp_path: Path) -> None:
    context = server_context(credential_for(ca, Authentication.RSA), tmp_path, "ECDHE+AESGCM")
    context.verify_mode = ssl.CERT_REQUIRED
    ours, theirs = our_client(ca), OpenSsl(context, server=True)
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        pump(ours, theirs)
    assert ours.receive_data(theirs.outgoing.read()) == [AlertReceived(AlertLevel.FATAL, A.HANDSHAKE_FAILURE)]


@pytest.mark.parametrize("kind", list(Authentication))
@pytest.mark.parametrize("ciphers", SUITES)
def test_openssls_client_is_authenticated_by_our_server(
    ciphers: str, kind: Authentication, ca: x509.Certificate, tmp_path: Path
) -> None:
    credential = client_credential(ca, kind)
    context = client_context(ca, ciphers)
    context.load_cert_chain(pem(credential, tmp_path))
    changes: dict[str, Any] = {"client_authentication": "require", "verify_client": verify_clients(ca)}
    changes |= {"ticket_keys": TicketKeys(), "client_authorities": (ca.subject.public_bytes(),)}
    session: ssl.SSLSession | None = None
    for number in range(2):
        ours, theirs = our_server(ca, **changes), OpenSslClient(context, session)
        pump(ours, theirs)
        assert ours.negotiated.resumed is (number > 0)
        assert ours.negotiated.client_certificates[0] == credential.chain[0]
        exchange_data(ours, theirs)
        session = theirs.object.session


def test_openssls_client_without_a_certificate_gets_handshake_failure(ca: x509.Certificate) -> None:
    theirs = OpenSslClient(client_context(ca, "ECDHE+AESGCM"))
    ours = our_server(ca, client_authentication="require", verify_client=verify_clients(ca))
    with pytest.raises(RemoteProtocolError, match="handshake_failure"):
        pump(ours, theirs)
    theirs.incoming.write(ours.data_to_send())
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        theirs.step()


# --- renegotiation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ciphers", SUITES)
def test_our_server_renegotiates_with_openssls_client(ciphers: str, ca: x509.Certificate, tmp_path: Path) -> None:
    context = client_context(ca, ciphers)
    context.load_cert_chain(pem(client_credential(ca), tmp_path))
    theirs = OpenSslClient(context)
    policy: dict[str, Any] = {"client_authentication": "request", "verify_client": verify_clients(ca)}
    ours = our_server(ca, renegotiation="allow", entropy=entropy(6), ticket_keys=TicketKeys(), **policy)
    pump(ours, theirs)
    for number in range(1, 4):
        ours.renegotiate()
        events = pump(ours, theirs)
        assert isinstance(events[0], RenegotiationStarted)
        assert isinstance(events[-1], HandshakeCompleted)
        assert ours.renegotiations == number
        assert ours.negotiated.client_certificates
        theirs.object.write(b"under the new keys")
        assert pump(ours, theirs) == [ApplicationDataReceived(b"under the new keys")]


@pytest.mark.parametrize("ciphers", SUITES)
def test_our_client_renegotiates_with_openssls_server(ciphers: str, ca: x509.Certificate, tmp_path: Path) -> None:
    context = server_context(credential_for(ca, Authentication.RSA), tmp_path, ciphers)
    context.options |= OP_ALLOW_CLIENT_RENEGOTIATION
    ours, theirs = our_client(ca, renegotiation="allow"), OpenSsl(context, server=True)
    pump(ours, theirs)
    for number in range(1, 4):
        ours.renegotiate()
        events = pump(ours, theirs)
        assert isinstance(events[-1], HandshakeCompleted)
        assert ours.renegotiations == number
        ours.send_application_data(b"under the new keys")
        pump(ours, theirs)
        assert theirs.received == b"under the new keys" * number


def test_openssls_server_refuses_and_the_connection_goes_on(ca: x509.Certificate, tmp_path: Path) -> None:
    context = server_context(credential_for(ca, Authentication.RSA), tmp_path, "ECDHE+AESGCM")
    ours, theirs = our_client(ca, renegotiation="allow"), OpenSsl(context, server=True)
    pump(ours, theirs)
    ours.renegotiate()
    assert pump(ours, theirs) == [AlertReceived(AlertLevel.WARNING, A.NO_RENEGOTIATION)]
    assert ours.state == "CONNECTED"
    exchange_data(ours, theirs)
