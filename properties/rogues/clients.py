"""Faults of client authentication, planted on a server."""

from __future__ import annotations

from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.messages import HandshakeType
from shakeproof.impl.tls.server import WAIT_CERTIFICATE, WAIT_CERTIFICATE_VERIFY, WAIT_CLIENT_KEY_EXCHANGE
from shakeproof.impl.tls.states import WAIT_CHANGE_CIPHER_SPEC

Connection = ClientConnection | ServerConnection


def client_certificate_skipped(connection: Connection) -> None:
    """A client that leaves out Certificate and CertificateVerify passes, whatever the site requires."""
    if not isinstance(connection, ServerConnection):
        return
    sound = connection.admit

    def admit(handshake_type: int) -> None:
        skips = handshake_type == HandshakeType.CLIENT_KEY_EXCHANGE and connection.state == WAIT_CERTIFICATE
        if skips:
            connection.state = WAIT_CLIENT_KEY_EXCHANGE
        sound(handshake_type)

    setattr(connection, "admit", admit)  # noqa: B010  # on this object alone


def certificate_verify_skipped(connection: Connection) -> None:
    """A client that shows a certificate need not prove that it holds the key: CertificateVerify may be missing."""
    if not isinstance(connection, ServerConnection):
        return
    sound = connection.admit_change_cipher_spec

    def admit() -> None:
        if connection.state == WAIT_CERTIFICATE_VERIFY:
            connection.state = WAIT_CHANGE_CIPHER_SPEC
        sound()

    setattr(connection, "admit_change_cipher_spec", admit)  # noqa: B010  # on this object alone


def certificate_verify_unchecked(connection: Connection) -> None:
    """The signature of CertificateVerify is not verified."""
    if isinstance(connection, ServerConnection):
        setattr(connection, "check_certificate_verify_signature", lambda _: None)  # noqa: B010  # on this object alone
