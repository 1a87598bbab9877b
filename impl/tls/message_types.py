"""What all handshake messages have in common: their types and names, and how one is encoded.

Source: RFC 5246 section 7.4; RFC 5077 section 3.3 (NewSessionTicket).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

HEADER_LENGTH = 4


class HandshakeType(IntEnum):
    """Handshake message types (RFC 5246 section 7.4)."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    NEW_SESSION_TICKET = 4
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20
    CERTIFICATE_URL = 21
    CERTIFICATE_STATUS = 22


_NAMES = {member.value: member.name.title().replace("_", "") for member in HandshakeType}


def message_name(handshake_type: int) -> str:
    """The standard's name of a handshake type (`ServerHello`), or its number."""
    return _NAMES.get(handshake_type, f"handshake type {handshake_type}")


class Message:
    """What every handshake message can do."""

    handshake_type: ClassVar[int]

    def encode_body(self) -> bytes:
        """The body, without type and length."""
        raise NotImplementedError

    def encode(self) -> bytes:
        """Type, length, body: as it goes into records and into the transcript."""
        body = self.encode_body()
        return bytes((self.handshake_type,)) + len(body).to_bytes(3, "big") + body


@dataclass(frozen=True)
class Raw(Message):
    """Any type with any body, for testers."""

    handshake_type: int  # type: ignore[misc]  # of the instance here, of the class everywhere else
    body: bytes

    def encode_body(self) -> bytes:
        """The body as given."""
        return self.body
