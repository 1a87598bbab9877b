"""Keys, certificates and pairs of connections for the tests of TLS; made once, everything else from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import (
    AlertDescription,
    AlertLevel,
    AlertReceived,
    ClientConfig,
    ClientConnection,
    Connection,
    Credential,
    Event,
    ServerConfig,
    ServerConnection,
    ValidationOutcome,
    records,
)
from shakeproof.impl.x509 import Usage, Validator, verifier_for_tls

NAME = "example.test"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
ALERT_RECORD = 21
MAX_ROUNDS = 40
"""Exchanges after which two connections that still talk are taken to be in a loop."""

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Outcome:
    """A validator's answer that is fixed beforehand."""

    accepted: bool = True
    alert: str | None = None


def accept(chain: Sequence[bytes], name: str, time: datetime) -> Outcome:
    """A validator that trusts everyone."""
    assert chain
    assert name
    assert time.tzinfo is not None
    return Outcome()


@cache
def rsa_key(which: int = 0) -> rsa.RSAPrivateKey:
    """An RSA-2048 key; another one for each number."""
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(which: int = 0) -> ec.EllipticCurvePrivateKey:
    """A P-256 key; another one for each number."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def p384_key() -> ec.EllipticCurvePrivateKey:
    """A P-384 key."""
    return ec.generate_private_key(ec.SECP384R1())


@cache
def ca() -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """A self-signed RSA-2048 CA with its key."""
    key = rsa_key(100)
    return certificate(key.public_key(), key, issuer=None, is_ca=True), key


def certificate(
    public_key: Any,
    issuer_key: PrivateKey,
    *,
    issuer: x509.Certificate | None,
    is_ca: bool = False,
    name: str = NAME,
    digital_signature: bool = True,
    key_encipherment: bool = True,
    purpose: x509.ObjectIdentifier = ExtendedKeyUsageOID.SERVER_AUTH,
    not_before: datetime = NOW - timedelta(days=30),
    not_after: datetime = NOW + timedelta(days=60),
) -> x509.Certificate:
    """A certificate; self-signed for issuer None."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "shakeproof test CA" if is_ca else name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=digital_signature,
                key_encipherment=key_encipherment,
                key_cert_sign=is_ca,
                crl_sign=is_ca,
                content_commitment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()),
            critical=False,
        )
    )
    if not is_ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def make_credential(key: PrivateKey, **changes: Any) -> Credential:
    """A leaf of our CA for that key."""
    issuer, issuer_key = ca()
    leaf = certificate(key.public_key(), issuer_key, issuer=issuer, **changes)
    return Credential((leaf.public_bytes(Encoding.DER),), key)


@cache
def rsa_credential() -> Credential:
    """RSA, for everything."""
    return make_credential(rsa_key())


@cache
def ecdsa_credential() -> Credential:
    """ECDSA on P-256."""
    return make_credential(ec_key(), key_encipherment=False)


@cache
def p384_credential() -> Credential:
    """ECDSA on P-384."""
    return make_credential(p384_key(), key_encipherment=False)


@cache
def client_rsa_credential() -> Credential:
    """RSA, of a client."""
    return make_credential(rsa_key(1), name="alice", purpose=ExtendedKeyUsageOID.CLIENT_AUTH)


@cache
def client_ecdsa_credential() -> Credential:
    """ECDSA on P-256, of a client."""
    return make_credential(ec_key(1), name="alice", purpose=ExtendedKeyUsageOID.CLIENT_AUTH, key_encipherment=False)


def verify_client(chain: Sequence[bytes], name: str, time: datetime) -> ValidationOutcome:
    """The real validator, for clients of our CA."""
    authority, _ = ca()
    validator = Validator([authority.public_bytes(Encoding.DER)], usage=Usage.CLIENT_AUTH)
    return verifier_for_tls(validator)(chain, name, time)


def entropy(seed: int) -> Callable[[int], bytes]:
    """Random bytes from a seed."""
    return random.Random(seed).randbytes


def client_config(**changes: Any) -> ClientConfig:
    """A client that trusts everyone, seeded."""
    values: dict[str, Any] = {"server_name": NAME, "verify": accept, "entropy": entropy(1), "clock": lambda: NOW}
    return ClientConfig(**(values | changes))


def server_config(**changes: Any) -> ServerConfig:
    """A server with both kinds of certificate, seeded."""
    values: dict[str, Any] = {
        "credentials": (rsa_credential(), ecdsa_credential()),
        "entropy": entropy(2),
        "clock": lambda: NOW,
    }
    return ServerConfig(**(values | changes))


def pair(
    client_changes: dict[str, Any] | None = None, server_changes: dict[str, Any] | None = None
) -> tuple[ClientConnection, ServerConnection]:
    """A started client and a server."""
    client = ClientConnection(client_config(**(client_changes or {})))
    server = ServerConnection(server_config(**(server_changes or {})))
    client.start()
    return client, server


def pump(client: Connection, server: Connection) -> tuple[list[Event], list[Event]]:
    """Carries bytes until both are quiet: the client's events and the server's."""
    to_client: list[Event] = []
    to_server: list[Event] = []
    for _ in range(MAX_ROUNDS):
        up = client.data_to_send()
        down = server.data_to_send()
        if not up and not down:
            return to_client, to_server
        to_server += server.receive_data(up) if up else []
        to_client += client.receive_data(down) if down else []
    raise AssertionError("the connections do not come to rest")


def connected(
    client_changes: dict[str, Any] | None = None, server_changes: dict[str, Any] | None = None
) -> tuple[ClientConnection, ServerConnection]:
    """A pair after its handshake."""
    client, server = pair(client_changes, server_changes)
    pump(client, server)
    assert client.is_connected
    assert server.is_connected
    return client, server


def refuse(connection: Connection, data: bytes) -> RemoteProtocolError:
    """Feeds data that has to be refused: the error. The connection is closed for good, with its alert queued."""
    connection.data_to_send()
    with pytest.raises(RemoteProtocolError) as caught:
        connection.receive_data(data)
    error = caught.value
    assert connection.state == "CLOSED"
    assert error.state
    assert error.expected
    assert error.got
    assert error.clause.startswith("RFC ")
    assert connection.receive_data(b"\x16\x03\x03\x00\x04\x00\x00\x00\x00") == []
    return error


def refused(sender: Connection, receiver: Connection, alert: AlertDescription) -> RemoteProtocolError:
    """Lets both talk until `receiver` refuses with that alert, which then reaches the sender as fatal."""
    error = None
    for _ in range(MAX_ROUNDS):
        data = sender.data_to_send()
        if data:
            try:
                receiver.receive_data(data)
            except RemoteProtocolError as caught:
                error = caught
                break
        back = receiver.data_to_send()
        if back:
            sender.receive_data(back)
        if not data and not back:
            raise AssertionError(f"nothing was refused; receiver in {receiver.state}")
    assert error is not None
    assert error.alert is alert, str(error)
    assert receiver.state == "CLOSED"
    assert sender.is_open
    events = sender.receive_data(receiver.data_to_send())
    assert events[-1] == AlertReceived(AlertLevel.FATAL, alert)
    assert sender.state == "CLOSED"
    return error


def record(content_type: int, fragment: bytes, version: int = 0x0303) -> bytes:
    """A plaintext record."""
    return records.encode_record(content_type, version, fragment)


def waiting_client() -> ClientConnection:
    """A client that waits for ServerHello."""
    started = ClientConnection(client_config())
    started.start()
    started.data_to_send()
    return started


def waiting_server() -> ServerConnection:
    """A server that waits for ClientHello."""
    return ServerConnection(server_config())


def last_alert(target: Connection) -> tuple[int, int]:
    """The alert in the last record that was sent in the clear."""
    found, rest = records.split_records(target.data_to_send())
    assert rest == b""
    assert found[-1].content_type == ALERT_RECORD
    level, description = found[-1].fragment
    return level, description


def assert_refused(target: Connection, data: bytes, alert: AlertDescription) -> RemoteProtocolError:
    """Feeds plaintext data that has to be answered with that alert."""
    error = refuse(target, data)
    assert error.alert is alert, str(error)
    assert last_alert(target) == (2, alert)
    assert alert.label in str(error)
    return error
