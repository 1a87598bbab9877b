"""Faults of the negotiation: what was offered is not compared with what came."""

from __future__ import annotations

from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.messages import Finished
from shakeproof.impl.tls.states import WAIT_CHANGE_CIPHER_SPEC

Connection = ClientConnection | ServerConnection


def unoffered_suite(connection: Connection) -> None:
    """The client takes any cipher suite that it knows, whether it offered it or not."""
    if isinstance(connection, ClientConnection):
        _leave_out(connection, "check_cipher_suite")


def compression_unchecked(connection: Connection) -> None:
    """The compression method is not looked at: a client takes another one, a server does without null."""
    client = isinstance(connection, ClientConnection)
    _leave_out(connection, "check_compression_method" if client else "check_compression_methods")


def weak_group(connection: Connection) -> None:
    """The client takes a Diffie-Hellman group of any size."""
    if isinstance(connection, ClientConnection):
        _leave_out(connection, "check_dh_size")


def finished_prefix(connection: Connection) -> None:
    """verify_data is compared over as many bytes as came."""

    def check_finished(message: Finished) -> None:
        expected = connection.verify_data(by_client=not connection.is_client)
        if not expected.startswith(message.verify_data):
            sound(message)

    sound = connection.check_finished
    setattr(connection, "check_finished", check_finished)  # noqa: B010  # on this object alone


def unprepared_ccs_crash(connection: Connection) -> None:
    """ChangeCipherSpec without a pending cipher: what is not there is used all the same."""
    sound = connection.admit_change_cipher_spec

    def admit() -> None:
        if connection.state != WAIT_CHANGE_CIPHER_SPEC:
            raise AttributeError("'NoneType' object has no attribute 'key_block'")
        sound()

    setattr(connection, "admit_change_cipher_spec", admit)  # noqa: B010  # on this object alone


def _leave_out(connection: Connection, check: str) -> None:
    if not callable(getattr(connection, check)):
        raise TypeError(f"{check} is no method of {type(connection).__name__}")
    setattr(connection, check, lambda *_: None)
