"""Answers that depend on a secret."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.alerts import AlertDescription

Connection = ClientConnection | ServerConnection


def robot(connection: Connection) -> None:
    """Whether an RSA block was padded rightly shows in the alert at the end of the handshake."""
    if not isinstance(connection, ServerConnection):
        return
    sound_decrypt, sound_fail = connection.decrypt_pre_master_secret, connection.fail
    misshapen = False

    def decrypt_pre_master_secret(encrypted: bytes) -> bytes:
        nonlocal misshapen
        key = connection.chosen_credential.private_key
        assert isinstance(key, rsa.RSAPrivateKey)
        try:
            misshapen = len(key.decrypt(encrypted, padding.PKCS1v15())) != 48
        except ValueError:
            misshapen = True
        return sound_decrypt(encrypted)

    def fail(error: RemoteProtocolError) -> None:
        if misshapen and error.alert is AlertDescription.BAD_RECORD_MAC:
            error.alert = AlertDescription.HANDSHAKE_FAILURE
        sound_fail(error)

    for name, method in (("decrypt_pre_master_secret", decrypt_pre_master_secret), ("fail", fail)):
        setattr(connection, name, method)
