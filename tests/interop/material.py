"""One CA with a server's and a client's certificates, as files for foreign programs and as objects for ours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shakeproof.impl.tls import ClientConfig, Credential, ServerConfig
from shakeproof.impl.x509 import Usage, Validator, verifier_for_tls
from tests.impl.tls_material import ec_key, rsa_key

NAME = "example.test"
PRIVATE_NAME = "private.test"
"""Where client certificates are required, while NAME needs none."""
CLIENT_NAME = "client.test"
DAY = timedelta(days=1)
CA_KEY, OTHER_CA_KEY, SERVER_KEY, CLIENT_KEY, PRIVATE_KEY = 100, 101, 0, 1, 2
"""Numbers of tests.impl.tls_material's keys, which are made once a session."""


@dataclass(frozen=True)
class Identity:
    """A certificate with its key: for us, and in the files chain.pem and key.pem of a folder."""

    credential: Credential
    chain: Path
    key: Path


@dataclass(frozen=True)
class Material:
    """All certificates of a session. server and client: by kind of key, "rsa" and "ecdsa". private: of another name.

    stranger: a client's, of another CA.
    """

    folder: Path
    ca: x509.Certificate
    ca_file: Path
    server: dict[str, Identity]
    private: Identity
    stranger: Identity
    client: dict[str, Identity]

    def client_config(self, **changes: Any) -> ClientConfig:
        """A client of ours that trusts the CA."""
        verify = verifier_for_tls(Validator([self.ca.public_bytes(Encoding.DER)]))
        return ClientConfig(server_name=NAME, verify=verify, **changes)

    def server_config(self, **changes: Any) -> ServerConfig:
        """A server of ours with both certificates, which knows how to judge clients."""
        judge = verifier_for_tls(Validator([self.ca.public_bytes(Encoding.DER)], usage=Usage.CLIENT_AUTH))
        credentials = [identity.credential for identity in self.server.values()]
        return ServerConfig(credentials=credentials, verify_client=judge, **changes)


def make_material(folder: Path) -> Material:
    """Writes all files into the folder."""
    ca = certificate("shakeproof interoperation CA", rsa_key(CA_KEY).public_key(), issuer=None, usage=None)
    ca_file = folder / "ca.pem"
    ca_file.write_bytes(ca.public_bytes(Encoding.PEM))
    keys: dict[str, Any] = {"rsa": rsa_key, "ecdsa": ec_key}
    server, client = (
        {kind: identity(folder, ca, name, kind, key(number), usage) for kind, key in keys.items()}
        for name, number, usage in (
            (NAME, SERVER_KEY, ExtendedKeyUsageOID.SERVER_AUTH),
            (CLIENT_NAME, CLIENT_KEY, ExtendedKeyUsageOID.CLIENT_AUTH),
        )
    )
    private = identity(folder, ca, PRIVATE_NAME, "rsa", rsa_key(PRIVATE_KEY), ExtendedKeyUsageOID.SERVER_AUTH)
    key = rsa_key(CLIENT_KEY)
    other = certificate("another CA", rsa_key(OTHER_CA_KEY).public_key(), issuer=None, usage=None, ca_key=OTHER_CA_KEY)
    stranger = certificate(
        CLIENT_NAME, key.public_key(), issuer=other, usage=ExtendedKeyUsageOID.CLIENT_AUTH, ca_key=OTHER_CA_KEY
    )
    return Material(folder, ca, ca_file, server, private, write(folder, "stranger", "rsa", stranger, key), client)


def identity(
    folder: Path, ca: x509.Certificate, name: str, kind: str, key: Any, usage: x509.ObjectIdentifier
) -> Identity:
    """A leaf of the CA, in files too."""
    return write(folder, name, kind, certificate(name, key.public_key(), issuer=ca, usage=usage), key)


def write(folder: Path, name: str, kind: str, leaf: x509.Certificate, key: Any) -> Identity:
    """Writes the files."""
    chain_file, key_file = folder / f"{name}-{kind}.pem", folder / f"{name}-{kind}.key"
    chain_file.write_bytes(leaf.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return Identity(Credential((leaf.public_bytes(Encoding.DER),), key), chain_file, key_file)


def certificate(
    name: str,
    public_key: Any,
    *,
    issuer: x509.Certificate | None,
    usage: x509.ObjectIdentifier | None,
    ca_key: int = CA_KEY,
) -> x509.Certificate:
    """A certificate that is valid today, signed by the CA's key; issuer None: the CA's own."""
    issuer_key = rsa_key(ca_key)
    is_ca = issuer is None
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + 30 * DAY)
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_ca,
                key_encipherment=not is_ca,
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
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
    )
    if usage is not None:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())
