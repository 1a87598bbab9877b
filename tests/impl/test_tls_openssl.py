"""Our client with OpenSSL's server and our server with OpenSSL's client, in process."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertLevel,
    AlertReceived,
    ApplicationDataReceived,
    ClientConfig,
    ClientConnection,
    CloseNotifyReceived,
    Connection,
    Credential,
    Event,
    HandshakeCompleted,
    NamedGroup,
    RenegotiationRefused,
    ServerConfig,
    ServerConnection,
    messages,
)
from shakeproof.impl.tls.suites import DEFAULT_SUITES, Authentication, CipherSuite, KeyExchange
from shakeproof.impl.x509 import Validator, verifier_for_tls
from tests.impl.tls_material import NAME, accept, certificate, ec_key, entropy, rsa_key

TODAY = datetime.now(UTC)
"""OpenSSL looks at the real clock."""

OPENSSL_NAMES = {
    0x002F: "AES128-SHA",
    0x009C: "AES128-GCM-SHA256",
    0xC013: "ECDHE-RSA-AES128-SHA",
    0xC02B: "ECDHE-ECDSA-AES128-GCM-SHA256",
    0xC02F: "ECDHE-RSA-AES128-GCM-SHA256",
}
MAX_ROUNDS = 40


class OpenSsl:
    """One end in OpenSSL, over memory."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.object = context.wrap_bio(
            self.incoming, self.outgoing, server_side=server, server_hostname=None if server else NAME
        )
        self.received = b""
        self.done = False
        self.ended = False

    def attempt(self, call: Callable[[], Any]) -> Any:
        """The call's result, None where it waits for bytes."""
        try:
            return call()
        except ssl.SSLWantReadError:
            return None

    def step(self) -> None:
        """Shakes hands, then reads."""
        if not self.done:
            self.attempt(self.object.do_handshake)
            self.done = self.object.version() is not None and self.object.cipher() is not None and self.is_finished()
        if self.done:
            while not self.ended:
                data = self.attempt(lambda: self.object.read(65536))
                if data is None:
                    return
                self.received += data
                self.ended = data == b""

    def is_finished(self) -> bool:
        """Whether a second do_handshake has nothing left to do."""
        try:
            self.object.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True


def cipher_name(theirs: OpenSsl) -> str:
    """OpenSSL's name of the suite in use."""
    cipher = theirs.object.cipher()
    assert cipher is not None
    return cipher[0]


def pem(credential: Credential, folder: Path) -> str:
    """A file with chain and key, as OpenSSL reads it."""
    key = credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in credential.chain)
    path = folder / f"{type(credential.private_key).__name__}.pem"
    path.write_bytes(key + chain)
    return str(path)


@pytest.fixture(scope="module")
def authority() -> x509.Certificate:
    """A CA that is valid now."""
    key = rsa_key(100)
    return certificate(
        key.public_key(), key, issuer=None, is_ca=True, not_before=TODAY - timedelta(2), not_after=TODAY + timedelta(30)
    )


def credential_for(authority: x509.Certificate, authentication: Authentication, **changes: Any) -> Credential:
    """A leaf that is valid now."""
    key = rsa_key() if authentication is Authentication.RSA else ec_key()
    values = {"not_before": TODAY - timedelta(1), "not_after": TODAY + timedelta(10)} | changes
    leaf = certificate(key.public_key(), rsa_key(100), issuer=authority, **values)
    return Credential((leaf.public_bytes(Encoding.DER),), key)


def verifier(authority: x509.Certificate) -> Any:
    """The real validator, which trusts that CA."""
    return verifier_for_tls(Validator([authority.public_bytes(Encoding.DER)]))


def server_context(credential: Credential, folder: Path, ciphers: str) -> ssl.SSLContext:
    """OpenSSL as a TLS 1.2 server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.load_cert_chain(pem(credential, folder))
    context.set_alpn_protocols(["http/1.1"])
    return context


def client_context(authority: x509.Certificate, ciphers: str) -> ssl.SSLContext:
    """OpenSSL as a client that verifies."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(ciphers)
    context.load_verify_locations(cadata=authority.public_bytes(Encoding.PEM).decode())
    context.set_alpn_protocols(["http/1.1"])
    return context


def pump(ours: Connection, theirs: OpenSsl, chunk: int | None = None) -> list[Event]:
    """Carries bytes until both are quiet: our events. chunk: bytes delivered to us at a time."""
    events: list[Event] = []
    for _ in range(MAX_ROUNDS):
        up = ours.data_to_send()
        theirs.incoming.write(up)
        theirs.step()
        down = theirs.outgoing.read()
        if not up and not down:
            return events
        step = chunk or max(len(down), 1)
        for start in range(0, len(down), step):
            events += ours.receive_data(down[start : start + step])
    raise AssertionError("the connections do not come to rest")


def close_from_theirs(ours: Connection, theirs: OpenSsl) -> None:
    """OpenSSL closes first, and gets our close_notify."""
    theirs.attempt(theirs.object.unwrap)
    assert ours.receive_data(theirs.outgoing.read()) == [CloseNotifyReceived()]
    theirs.incoming.write(ours.data_to_send())
    theirs.object.unwrap()
    assert ours.state == "CLOSED"


def close_from_ours(ours: Connection, theirs: OpenSsl) -> None:
    """We close first, and get OpenSSL's close_notify."""
    ours.close()
    theirs.incoming.write(ours.data_to_send())
    theirs.step()
    assert theirs.ended
    theirs.object.unwrap()
    assert ours.receive_data(theirs.outgoing.read()) == [CloseNotifyReceived()]
    assert ours.state == "CLOSED"


def exchange_data(ours: Connection, theirs: OpenSsl) -> None:
    """Data both ways, more than a record holds."""
    data = bytes(range(256)) * 150
    ours.send_application_data(data)
    theirs.object.write(b"reply " + data[:30000])
    events = pump(ours, theirs)
    assert theirs.received == data
    assert b"".join(e.data for e in events if isinstance(e, ApplicationDataReceived)) == b"reply " + data[:30000]


@pytest.mark.parametrize("group", [NamedGroup.X25519, NamedGroup.SECP256R1], ids=lambda g: g.name)
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_our_client_with_openssls_server(
    suite: CipherSuite, group: NamedGroup, authority: x509.Certificate, tmp_path: Path
) -> None:
    credential = credential_for(authority, suite.authentication)
    theirs = OpenSsl(server_context(credential, tmp_path, OPENSSL_NAMES[suite.code]), server=True)
    config = ClientConfig(
        server_name=NAME,
        verify=verifier(authority),
        groups=(group,) if suite.authentication is Authentication.RSA else (group, NamedGroup.SECP256R1),
        alpn=("http/1.1",),
        entropy=entropy(3),
    )
    ours = ClientConnection(config)
    ours.start()
    events = pump(ours, theirs)
    assert isinstance(events[-1], HandshakeCompleted)
    assert ours.is_connected
    assert theirs.done
    assert theirs.object.version() == "TLSv1.2"
    assert cipher_name(theirs) == OPENSSL_NAMES[suite.code]
    assert ours.negotiated.suite is suite
    assert ours.negotiated.alpn == theirs.object.selected_alpn_protocol() == "http/1.1"
    assert ours.negotiated.extended_master_secret
    assert ours.negotiated.secure_renegotiation
    if suite.key_exchange is KeyExchange.ECDHE:
        assert ours.negotiated.group == group
    exchange_data(ours, theirs)
    if group is NamedGroup.X25519:
        close_from_theirs(ours, theirs)
    else:
        close_from_ours(ours, theirs)


@pytest.mark.parametrize("group", [NamedGroup.X25519, NamedGroup.SECP256R1], ids=lambda g: g.name)
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=str)
def test_our_server_with_openssls_client(suite: CipherSuite, group: NamedGroup, authority: x509.Certificate) -> None:
    credentials = [credential_for(authority, kind) for kind in (Authentication.RSA, Authentication.ECDSA)]
    theirs = OpenSsl(client_context(authority, OPENSSL_NAMES[suite.code]), server=False)
    ours = ServerConnection(
        ServerConfig(credentials=credentials, groups=(group,), alpn=("http/1.1",), entropy=entropy(4))
    )
    events = pump(ours, theirs)
    assert [type(event) for event in events] == [HandshakeCompleted]
    assert theirs.done
    assert theirs.object.version() == "TLSv1.2"
    assert cipher_name(theirs) == OPENSSL_NAMES[suite.code]
    assert ours.negotiated.suite is suite
    assert ours.negotiated.server_name == NAME
    assert ours.negotiated.alpn == theirs.object.selected_alpn_protocol() == "http/1.1"
    assert ours.negotiated.extended_master_secret
    assert ours.negotiated.secure_renegotiation
    exchange_data(ours, theirs)
    if group is NamedGroup.X25519:
        close_from_theirs(ours, theirs)
    else:
        close_from_ours(ours, theirs)


@pytest.mark.parametrize("limit", [1, 33, 1000])
def test_fragments_with_openssl(limit: int, authority: x509.Certificate, tmp_path: Path) -> None:
    credential = credential_for(authority, Authentication.RSA)
    theirs = OpenSsl(server_context(credential, tmp_path, "AES128-SHA"), server=True)
    ours = ClientConnection(ClientConfig(server_name=NAME, verify=accept, max_fragment=limit))
    ours.start()
    pump(ours, theirs, chunk=limit)
    assert ours.is_connected
    ours.send_application_data(b"in pieces")
    pump(ours, theirs)
    assert theirs.received == b"in pieces"
    theirs = OpenSsl(client_context(authority, "ECDHE+AESGCM"), server=False)
    server = ServerConnection(ServerConfig(credentials=[credential], max_fragment=limit, coalesce=True))
    pump(server, theirs, chunk=limit)
    assert server.is_connected


@pytest.mark.parametrize(
    ("changes", "alert"),
    [
        ({"not_before": TODAY - timedelta(9), "not_after": TODAY - timedelta(1)}, "certificate_expired"),
        ({"not_before": TODAY + timedelta(1)}, "certificate_expired"),
        ({"name": "other.test"}, None),
        ({"issuer_untrusted": True}, "unknown_ca"),
    ],
    ids=["expired", "not yet valid", "wrong name", "untrusted"],
)
def test_our_client_refuses_openssls_defective_certificate_and_openssl_sees_the_alert(
    changes: dict[str, Any], alert: str | None, authority: x509.Certificate, tmp_path: Path
) -> None:
    trusted = authority
    if changes.pop("issuer_untrusted", False):
        other = rsa_key(101)
        trusted = certificate(other.public_key(), other, issuer=None, is_ca=True, not_after=TODAY + timedelta(9))
    credential = credential_for(authority, Authentication.RSA, **changes)
    theirs = OpenSsl(server_context(credential, tmp_path, "ECDHE+AESGCM"), server=True)
    ours = ClientConnection(ClientConfig(server_name=NAME, verify=verifier(trusted)))
    ours.start()
    with pytest.raises(RemoteProtocolError) as caught:
        pump(ours, theirs)
    assert caught.value.alert is not None
    assert alert is None or caught.value.alert.label == alert
    theirs.incoming.write(ours.data_to_send())
    name = caught.value.alert.name if alert != "unknown_ca" else "UNKNOWN_CA"
    with pytest.raises(ssl.SSLError, match=f"ALERT_{name}"):
        theirs.object.do_handshake()


def test_openssl_refuses_an_unknown_ca_and_we_see_its_alert(authority: x509.Certificate) -> None:
    theirs = OpenSsl(client_context(authority, "ECDHE+AESGCM"), server=False)
    other = rsa_key(101)
    stranger = certificate(other.public_key(), other, issuer=None, is_ca=True, not_after=TODAY + timedelta(9))
    leaf = certificate(rsa_key().public_key(), other, issuer=stranger, not_after=TODAY + timedelta(9))
    ours = ServerConnection(ServerConfig(credentials=[Credential((leaf.public_bytes(Encoding.DER),), rsa_key())]))
    with pytest.raises(ssl.SSLCertVerificationError):
        pump(ours, theirs)
    events = ours.receive_data(theirs.outgoing.read())
    assert isinstance(events[-1], AlertReceived)
    assert events[-1].level is AlertLevel.FATAL
    assert ours.state == "CLOSED"


def test_an_openssl_client_that_also_offers_tls_1_3_gets_tls_1_2(authority: x509.Certificate) -> None:
    context = client_context(authority, "ECDHE+AESGCM")
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    theirs = OpenSsl(context, server=False)
    ours = ServerConnection(ServerConfig(credentials=[credential_for(authority, Authentication.RSA)]))
    pump(ours, theirs)
    assert ours.is_connected
    assert theirs.object.version() == "TLSv1.2"


def test_renegotiation_with_openssl_is_refused(authority: x509.Certificate) -> None:
    theirs = OpenSsl(client_context(authority, "ECDHE+AESGCM"), server=False)
    ours = ServerConnection(ServerConfig(credentials=[credential_for(authority, Authentication.RSA)]))
    pump(ours, theirs)
    ours.send_handshake(messages.HelloRequest())
    theirs.incoming.write(ours.data_to_send())
    theirs.step()  # answers with a ClientHello
    assert ours.receive_data(theirs.outgoing.read()) == [RenegotiationRefused()]
    theirs.incoming.write(ours.data_to_send())
    with pytest.raises(ssl.SSLError, match="NO_RENEGOTIATION"):
        theirs.step()
