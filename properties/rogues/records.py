"""Faults of the record layer: what it answers, and what it has no limit for."""

from __future__ import annotations

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.protection import CbcHmacProtection, Protection
from shakeproof.impl.tls.records import Record

Connection = ClientConnection | ServerConnection

HEARTBEAT = 24
HEARTBEAT_REQUEST, HEARTBEAT_RESPONSE = 1, 2
HEARTBEAT_HEADER_LENGTH = 3
LARGE_RECORD = 16000
"""Bytes from which the rogue's buffer is too small."""


def padding_alert(connection: Connection) -> None:
    """Wrong CBC padding is answered with decryption_failed, a wrong MAC with bad_record_mac."""
    sound = connection.make_protection

    def make_protection(*, by_client: bool) -> Protection:
        protection = sound(by_client=by_client)
        if isinstance(protection, CbcHmacProtection):
            _tell_padding(protection)
        return protection

    setattr(connection, "make_protection", make_protection)  # noqa: B010  # on this object alone


def _tell_padding(protection: CbcHmacProtection) -> None:
    sound = protection.check_padding

    def check_padding(block: bytes) -> bool:
        if not sound(block):
            raise RemoteProtocolError(
                AlertDescription.DECRYPTION_FAILED_RESERVED,
                expected="padding bytes that all say the length of the padding",
                got="others",
                clause="RFC 5246 section 6.2.3.2",
            )
        return True

    setattr(protection, "check_padding", check_padding)  # noqa: B010  # on this object alone


def large_record_crash(connection: Connection) -> None:
    """A large record whose MAC or tag is wrong is written to a buffer that is too small for it."""
    sound = connection.make_protection

    def make_protection(*, by_client: bool) -> Protection:
        protection = sound(by_client=by_client)
        open_ = protection.open

        def open_large(content_type: int, version: int, sequence: int, fragment: bytes) -> bytes:
            try:
                return open_(content_type, version, sequence, fragment)
            except RemoteProtocolError:
                if len(fragment) >= LARGE_RECORD:
                    raise IndexError(f"{len(fragment)} bytes do not fit into {LARGE_RECORD}") from None
                raise

        setattr(protection, "open", open_large)  # noqa: B010  # on this object alone
        return protection

    setattr(connection, "make_protection", make_protection)  # noqa: B010  # on this object alone


def heartbleed(connection: Connection) -> None:
    """A heartbeat request is answered with as many bytes as it claims to have, negotiated or not."""
    reader = connection.reader
    sound_check, sound_receive = reader.check_content_type, connection.receive_record

    def check_content_type(content_type: int) -> None:
        if content_type != HEARTBEAT:
            sound_check(content_type)

    def receive_record(record: Record) -> None:
        if record.content_type != HEARTBEAT:
            sound_receive(record)
            return
        request = record.fragment
        if len(request) >= HEARTBEAT_HEADER_LENGTH and request[0] == HEARTBEAT_REQUEST:
            claimed = int.from_bytes(request[1:HEARTBEAT_HEADER_LENGTH], "big")
            memory = request[HEARTBEAT_HEADER_LENGTH:].ljust(claimed, b"\xfe")[:claimed]
            answer = bytes((HEARTBEAT_RESPONSE,)) + request[1:HEARTBEAT_HEADER_LENGTH] + memory
            connection._output.append(connection.writer.write(HEARTBEAT, answer))  # as the fault would

    setattr(reader, "check_content_type", check_content_type)  # noqa: B010  # on this object alone
    setattr(connection, "receive_record", receive_record)  # noqa: B010  # on this object alone


def endless_warnings(connection: Connection) -> None:
    """Warning alerts are never too many."""
    _without_bound(connection, "warning alerts")


def endless_empty_records(connection: Connection) -> None:
    """Empty records are never too many."""
    _without_bound(connection, "empty records")


def _without_bound(connection: Connection, what: str) -> None:
    sound = connection.check_bound

    def check_bound(counted: str, limit: int, clause: str) -> None:
        if counted != what:
            sound(counted, limit, clause)

    setattr(connection, "check_bound", check_bound)  # noqa: B010  # on this object alone
