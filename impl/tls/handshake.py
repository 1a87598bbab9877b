"""Between records and messages: reassembly, and the transcript that Finished covers.

Source: RFC 5246 sections 6.2.1, 7.4 and 7.4.9.
"""

from __future__ import annotations

import hashlib

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tls.messages import HEADER_LENGTH

MAX_MESSAGE_LENGTH = (1 << 17) + (1 << 10)
"""Bytes of one handshake message that we are willing to buffer; the field could say 2^24. The longest ClientHello that
can be written has 131,396; chains of certificates could be longer, and OpenSSL's default for them is 100 KiB."""
MAX_TICKET_MESSAGE_LENGTH = 4 + 2 + (1 << 16) - 1
"""The longest NewSessionTicket that can be written: a lifetime, a length and the ticket (RFC 5077 section 3.3)."""


class HandshakeReader:
    """Puts handshake messages together from the fragments of records."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def feed(self, fragment: bytes) -> None:
        """Takes the content of one handshake record."""
        self.buffer += fragment

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self.buffer)

    def header(self) -> tuple[int, int] | None:
        """Type and length of the message that comes next, None where its header is not complete."""
        buffer = self.buffer
        if len(buffer) < HEADER_LENGTH:
            return None
        return buffer[0], buffer[1] << 16 | buffer[2] << 8 | buffer[3]

    def next_message(self) -> bytes | None:
        """The next whole message with its header; None where bytes are missing."""
        header = self.header()
        if header is None:
            return None
        stop = HEADER_LENGTH + header[1]
        if len(self.buffer) < stop:
            return None
        message = bytes(self.buffer[:stop])
        del self.buffer[:stop]
        return message

    def clear(self) -> None:
        """Forgets what is buffered."""
        self.buffer.clear()


class Transcript:
    """All handshake messages so far, hashed as they come once the hash is known.

    The messages themselves are kept too: a CertificateVerify may be signed with another hash (section 7.4.8).
    """

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self._hash: hashlib._Hash | None = None

    def update(self, message: bytes) -> None:
        """Appends one message with its header. Never a HelloRequest."""
        self.messages.append(message)
        if self._hash is not None:
            self._hash.update(message)

    def everything(self) -> bytes:
        """All messages so far, which CertificateVerify signs (section 7.4.8)."""
        return b"".join(self.messages)

    def select_hash(self, hash_name: str) -> None:
        """Fixes the hash, which the cipher suite says."""
        self._hash = hashlib.new(hash_name, b"".join(self.messages))

    def digest(self) -> bytes:
        """Hash of all messages so far. Raises LocalProtocolError before the hash is known."""
        if self._hash is None:
            raise LocalProtocolError("no cipher suite is chosen yet, so the transcript has no hash")
        return self._hash.copy().digest()
