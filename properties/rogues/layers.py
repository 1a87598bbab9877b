"""Faults across layers: what TLS makes of records that come again, and of the end of the transport below it."""

from __future__ import annotations

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.events import CloseNotifyReceived, Event
from shakeproof.impl.tls.protection import Protection

Connection = ClientConnection | ServerConnection


def truncation_unnoticed(connection: Connection) -> None:
    """The end of the transport is reported as close_notify is: the application takes what came for all there is."""
    sound = connection.receive_eof

    def receive_eof() -> list[Event]:
        if not connection.is_connected:
            return sound()
        connection.close_now()
        return [CloseNotifyReceived()]

    setattr(connection, "receive_eof", receive_eof)  # noqa: B010  # on this object alone


def replayed_record(connection: Connection) -> None:
    """A record that does not open under the next sequence number is tried under that of the last one."""
    _look_back(connection, 1)


def any_earlier_sequence(connection: Connection) -> None:
    """A record that does not open under the next sequence number is tried under every one before it."""
    _look_back(connection, None)


def _look_back(connection: Connection, furthest: int | None) -> None:
    """Take a record under one of so many earlier sequence numbers, all where None; it uses up no number then."""
    sound = connection.make_protection

    def make_protection(*, by_client: bool) -> Protection:
        protection = sound(by_client=by_client)
        if by_client is connection.is_client:
            return protection  # our own direction
        open_ = protection.open

        def open_again(content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
            try:
                return open_(content_type, version, sequence, fragment)
            except RemoteProtocolError:
                for age in range(1, 1 + (sequence if furthest is None else min(furthest, sequence))):
                    try:
                        plaintext = open_(content_type, version, sequence - age, fragment)
                    except RemoteProtocolError:
                        continue
                    connection.reader.sequence -= 1
                    return plaintext
                raise

        setattr(protection, "open", open_again)  # noqa: B010  # on this object alone
        return protection

    setattr(connection, "make_protection", make_protection)  # noqa: B010  # on this object alone
