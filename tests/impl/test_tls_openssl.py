"""Our client with OpenSSL's server and our server with OpenSSL's client, in process."""

from __future__ import annotations

import base64
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
    SignatureScheme,
    messages,
    suites,
)
from shakeproof.impl.tls.finite_field import FFDHE
from shakeproof.impl.tls.suites import DEFAULT_SUITES, Authentication, Cipher, CipherSuite, KeyExchange
from shakeproof.impl.x509 import Validator, verifier_for_tls
from tests.impl.tls_material import (
    NAME,
    PrivateKey,
    accept,
    certificate,
    ec_key,
    entropy,
    p384_key,
    rsa_key,
)

TODAY = datetime.now(UTC)
"""OpenSSL looks at the real clock."""

EVERYTHING = "ALL:@SECLEVEL=0"


def openssl_names() -> dict[int, str]:
    """OpenSSL's name of each of its suites."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers(EVERYTHING)
    return {int(cipher["id"]) & 0xFFFF: str(cipher["name"]) for cipher in context.get_ciphers()}


OPENSSL_NAMES = openssl_names()
CURVES = (NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1)
OPENSSL_CURVES = {
    NamedGroup.X25519: "X25519",
    NamedGroup.SECP256R1: "prime256v1",
    NamedGroup.SECP384R1: "secp384r1",
}
GROUPS = {KeyExchange.RSA: (None,), KeyExchange.DHE: (NamedGroup.FFDHE2048,), KeyExchange.ECDHE: CURVES[:2]}
COMBINATIONS = [
    pytest.param(suite, group, etm, id=f"{suite}{f', {group.name}' if group else ''}{', EtM' if etm else ''}")
    for suite in DEFAULT_SUITES
    for group in GROUPS[suite.key_exchange]
    for etm in (
        (False, True) if suite.cipher is Cipher.AES_CBC and group is GROUPS[suite.key_exchange][0] else (False,)
    )
]
COMBINATIONS += [
    pytest.param(suites.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, NamedGroup.SECP384R1, False, id="SECP384R1"),
    pytest.param(suites.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, NamedGroup.FFDHE3072, False, id="FFDHE3072"),
    pytest.param(suites.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256, NamedGroup.FFDHE4096, False, id="FFDHE4096"),
]
"""RFC 7366 section 2."""
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


def credential_for(
    authority: x509.Certificate, authentication: Authentication, key: PrivateKey | None = None, **changes: Any
) -> Credential:
    """A leaf that is valid now."""
    if key is None:
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


def dh_parameters(group: NamedGroup, folder: Path) -> str:
    """A file with the parameters of a finite field, which an OpenSSL server cannot choose by name through Python."""

    def der(tag: int, content: bytes) -> bytes:
        return bytes((tag, 0x82)) + len(content).to_bytes(2, "big") + content

    field = FFDHE[group]
    numbers = [der(2, b"\0" + field.p.to_bytes(field.length, "big")), der(2, bytes((field.g,)))]
    path = folder / f"{group.name}.pem"
    lines = base64.encodebytes(der(0x30, b"".join(numbers))).decode()
    path.write_text(f"-----BEGIN DH PARAMETERS-----\n{lines}-----END DH PARAMETERS-----\n")
    return str(path)


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


@pytest.mark.parametrize(("suite", "group", "etm"), COMBINATIONS)
def test_our_client_with_openssls_server(
    suite: CipherSuite, group: NamedGroup | None, etm: bool, authority: x509.Certificate, tmp_path: Path
) -> None:
    credential = credential_for(authority, suite.authentication)
    context = server_context(credential, tmp_path, f"{OPENSSL_NAMES[suite.code]}:@SECLEVEL=0")
    if suite.key_exchange is KeyExchange.DHE:
        assert group is not None
        context.load_dh_params(dh_parameters(group, tmp_path))
    theirs = OpenSsl(context, server=True)
    certificate_curve = NamedGroup.SECP256R1 if suite.authentication is Authentication.ECDSA else None
    config = ClientConfig(
        server_name=NAME,
        verify=verifier(authority),
        groups=tuple(g for g in (group, certificate_curve) if g is not None),
        alpn=("http/1.1",),
        entropy=entropy(3),
        encrypt_then_mac=etm,
    )
    ours = ClientConnection(config)
    ours.start()
    events = pump(ours, theirs)
    assert isinstance(events[-1], HandshakeCompleted)
    assert ours.is_connected
    check_connected(ours, theirs, suite)
    assert ours.negotiated.group == group
    exchange_data(ours, theirs)
    if group is NamedGroup.X25519:
        close_from_theirs(ours, theirs)
    else:
        close_from_ours(ours, theirs)


@pytest.mark.parametrize(("suite", "group", "etm"), COMBINATIONS)
def test_our_server_with_openssls_client(
    suite: CipherSuite, group: NamedGroup | None, etm: bool, authority: x509.Certificate
) -> None:
    credentials = [credential_for(authority, kind) for kind in (Authentication.RSA, Authentication.ECDSA)]
    theirs = OpenSsl(client_context(authority, f"{OPENSSL_NAMES[suite.code]}:@SECLEVEL=0"), server=False)
    groups = (group,) if group is not None else ()
    ours = ServerConnection(
        ServerConfig(
            credentials=credentials, groups=groups, alpn=("http/1.1",), entropy=entropy(4), encrypt_then_mac=etm
        )
    )
    events = pump(ours, theirs)
    assert [type(event) for event in events] == [HandshakeCompleted]
    check_connected(ours, theirs, suite)
    assert ours.negotiated.server_name == NAME
    assert ours.negotiated.group == group
    exchange_data(ours, theirs)
    if group is NamedGroup.X25519:
        close_from_theirs(ours, theirs)
    else:
        close_from_ours(ours, theirs)


def check_connected(ours: Connection, theirs: OpenSsl, suite: CipherSuite) -> None:
    """Both see the same negotiated."""
    assert theirs.done
    assert theirs.object.version() == "TLSv1.2"
    assert cipher_name(theirs) == OPENSSL_NAMES[suite.code]
    assert ours.negotiated.suite is suite
    assert ours.negotiated.alpn == theirs.object.selected_alpn_protocol() == "http/1.1"
    assert ours.negotiated.extended_master_secret
    assert ours.negotiated.secure_renegotiation


@pytest.mark.parametrize("group", OPENSSL_CURVES, ids=lambda g: g.name)
@pytest.mark.parametrize("scheme", [SignatureScheme.ECDSA_SHA256, SignatureScheme.ECDSA_SHA384], ids=lambda s: s.name)
def test_p384_certificates_with_openssl(
    scheme: SignatureScheme, group: NamedGroup, authority: x509.Certificate, tmp_path: Path
) -> None:
    credential = credential_for(authority, Authentication.ECDSA, p384_key())
    context = server_context(credential, tmp_path, "ECDHE-ECDSA-AES256-GCM-SHA384")
    context.set_ecdh_curve(OPENSSL_CURVES[group])
    theirs = OpenSsl(context, server=True)
    client = ClientConnection(
        ClientConfig(server_name=NAME, verify=verifier(authority), signature_algorithms=(scheme,))
    )
    client.start()
    pump(client, theirs)
    assert client.is_connected
    assert client.negotiated.group == group
    theirs = OpenSsl(client_context(authority, "ECDHE-ECDSA-AES256-GCM-SHA384"), server=False)
    server = ServerConnection(ServerConfig(credentials=[credential], signature_algorithms=(scheme,), groups=(group,)))
    pump(server, theirs)
    assert server.is_connected
    assert server.negotiated.signature_algorithm == scheme


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
