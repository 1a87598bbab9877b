"""Record framing in both directions, under a current protection.

Source: RFC 5246 sections 6.1, 6.2 and appendix E.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.protection import NullProtection, Protection
from shakeproof.impl.tls.suites import TLS_1_2, ContentType

HEADER_LENGTH = 5
MAX_PLAINTEXT = 1 << 14
"""TLSPlaintext.length MUST NOT exceed it (section 6.2.1)."""
MAX_CIPHERTEXT = MAX_PLAINTEXT + 2048
"""TLSCiphertext.length MUST NOT exceed it (section 6.2.3)."""
MAX_SEQUENCE = (1 << 64) - 1
"""Sequence numbers do not wrap (section 6.1)."""
MAJOR_VERSION = 3
START_LENGTH = 3
"""Bytes from which an SSL 2.0 hello can be told from a record: two of length, one of message type (appendix E.2)."""
SSL_2_CLIENT_HELLO = 1
HTTP_STARTS = frozenset(
    {b"HTT", b"GET", b"HEA", b"POS", b"PUT", b"DEL", b"CON", b"OPT", b"TRA", b"PAT", b"PRI"}
    | {b"<!D", b"<!d", b"<HT", b"<ht"}
)
"""How HTTP without TLS begins: a status line, a method, or a page without either, which is what Python's http.server
answers to what it can't read. None of it is a content type."""

_CONTENT_TYPES = frozenset(ContentType)


class Record(NamedTuple):
    """One record, opened."""

    content_type: int
    version: int
    fragment: bytes


def encode_record(content_type: int, version: int, fragment: bytes) -> bytes:
    """Header and fragment, as given. Raises OverflowError where the length does not fit 16 bits."""
    return content_type.to_bytes(1, "big") + version.to_bytes(2, "big") + len(fragment).to_bytes(2, "big") + fragment


def split_records(data: bytes) -> tuple[list[Record], bytes]:
    """Whole records with their fragments still protected, and the bytes that are left over; checks nothing."""
    records = []
    start = 0
    while len(data) - start >= HEADER_LENGTH:
        stop = start + HEADER_LENGTH + int.from_bytes(data[start + 3 : start + 5], "big")
        if stop > len(data):
            break
        version = int.from_bytes(data[start + 1 : start + 3], "big")
        records.append(Record(data[start], version, data[start + HEADER_LENGTH : stop]))
        start = stop
    return records, data[start:]


RecordListener = Callable[[bytes, Record | RemoteProtocolError], None]
"""Takes the bytes of a record as they came, with the record once opened; where it is refused, all bytes that had come,
with the error. What OpenSSL calls a message callback.
"""


class RecordReader:
    """Cuts a stream of bytes into records and opens them.

    version: what the header must say, None while none is negotiated and any {3, x} is accepted (appendix E.1);
    listener: told of each record before anything else is made of it.
    """

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.protection: Protection = NullProtection()
        self.sequence = 0
        self.version: int | None = None
        self.first = True
        self.ssl_2_version: int | None = None
        """The version in an SSL 2.0 hello, once one was met."""
        self.listener: RecordListener | None = None

    @property
    def is_protected(self) -> bool:
        """Whether records are opened with keys."""
        return not isinstance(self.protection, NullProtection)

    def feed(self, data: bytes) -> None:
        """Takes bytes of any number."""
        self.buffer += data

    def clear(self) -> None:
        """Forgets what is buffered: the connection is closed."""
        self.buffer.clear()

    def change_protection(self, protection: Protection) -> None:
        """Makes the pending read state the current one; sequence numbers start at zero again (section 6.1)."""
        self.protection = protection
        self.sequence = 0

    def next_record(self) -> Record | None:
        """The next record, opened; None where more bytes are needed. Raises RemoteProtocolError."""
        if self.listener is None:
            return self.open_next()
        came = bytes(self.buffer)
        try:
            record = self.open_next()
        except RemoteProtocolError as error:
            self.listener(came, error)
            raise
        if record is not None:
            self.listener(came[: len(came) - len(self.buffer)], record)
        return record

    def open_next(self) -> Record | None:
        """The same, and nobody is told."""
        buffer = self.buffer
        if self.first and len(buffer) >= START_LENGTH:
            self.check_start(buffer)
        if len(buffer) < HEADER_LENGTH:
            return None
        content_type = buffer[0]
        version = buffer[1] << 8 | buffer[2]
        length = buffer[3] << 8 | buffer[4]
        self.check_content_type(content_type)
        self.check_version(version)
        self.check_length(length)
        stop = HEADER_LENGTH + length
        if len(buffer) < stop:
            return None
        fragment = bytes(buffer[HEADER_LENGTH:stop])
        del buffer[:stop]
        self.first = False
        self.check_sequence()
        plaintext = self.protection.open(content_type, version, self.sequence, fragment)
        self.sequence += 1
        self.check_plaintext_length(len(plaintext))
        return Record(content_type, version, plaintext)

    def check_start(self, buffer: bytearray) -> None:
        """The very first bytes may be another protocol's: SSL 2.0's hello (appendix E.2), or HTTP without TLS."""
        if buffer[0] & 0x80 and buffer[2] == SSL_2_CLIENT_HELLO:
            self.ssl_2_version = int.from_bytes(buffer[3:HEADER_LENGTH], "big")
            raise RemoteProtocolError(
                AlertDescription.PROTOCOL_VERSION,
                expected="a TLS record",
                got="what looks like an SSL 2.0 CLIENT-HELLO",
                clause="RFC 5246 appendix E.2",
            )
        if bytes(buffer[:START_LENGTH]) in HTTP_STARTS:
            raise RemoteProtocolError(
                AlertDescription.UNEXPECTED_MESSAGE,
                expected="a TLS record",
                got="what looks like HTTP, not TLS",
                clause="RFC 5246 section 6",
            )
        self.check_content_type(buffer[0])

    def check_content_type(self, content_type: int) -> None:
        """Only the four content types that are defined and that we use."""
        if content_type not in _CONTENT_TYPES:
            raise RemoteProtocolError(
                AlertDescription.UNEXPECTED_MESSAGE,
                expected="a record of content type 20, 21, 22 or 23",
                got=f"content type {content_type}",
                clause="RFC 5246 section 6",
            )

    def check_version(self, version: int) -> None:
        """The negotiated version; before there is one, any {3, x}."""
        if version == self.version or (self.version is None and version >> 8 == MAJOR_VERSION):
            return
        expected = "record version {3, x}" if self.version is None else f"record version 0x{self.version:04x}"
        raise RemoteProtocolError(
            AlertDescription.PROTOCOL_VERSION,
            expected=expected,
            got=f"record version 0x{version:04x}",
            clause="RFC 5246 section 6.2.1 and appendix E.1",
        )

    def check_length(self, length: int) -> None:
        """At most 2^14 + 2048 bytes, and 2^14 where nothing is encrypted."""
        limit = MAX_CIPHERTEXT if self.protection.expansion else MAX_PLAINTEXT
        if length > limit:
            raise RemoteProtocolError(
                AlertDescription.RECORD_OVERFLOW,
                expected=f"a record of at most {limit} bytes",
                got=f"{length} bytes",
                clause="RFC 5246 section 6.2.1" if limit == MAX_PLAINTEXT else "RFC 5246 section 6.2.3",
            )

    def check_plaintext_length(self, length: int) -> None:
        """At most 2^14 bytes once opened: with null compression TLSCompressed is TLSPlaintext."""
        if length > MAX_PLAINTEXT:
            raise RemoteProtocolError(
                AlertDescription.RECORD_OVERFLOW,
                expected=f"a plaintext of at most {MAX_PLAINTEXT} bytes",
                got=f"{length} bytes",
                clause="RFC 5246 sections 6.2.1 and 7.2.2",
            )

    def check_sequence(self) -> None:
        """A sequence number never wraps."""
        if self.sequence > MAX_SEQUENCE:
            raise RemoteProtocolError(
                AlertDescription.UNEXPECTED_MESSAGE,
                expected="no record after sequence number 2^64 - 1",
                got="one more record",
                clause="RFC 5246 section 6.1",
            )


class RecordWriter:
    """Cuts what is sent into fragments, protects them and frames them.

    max_fragment: bytes of plaintext a record, 1 to 2^14.
    """

    def __init__(self, max_fragment: int = MAX_PLAINTEXT) -> None:
        if not 1 <= max_fragment <= MAX_PLAINTEXT:
            raise ValueError(f"max_fragment is {max_fragment}; it must be 1 to {MAX_PLAINTEXT}")
        self.max_fragment = max_fragment
        self.protection: Protection = NullProtection()
        self.sequence = 0
        self.version = TLS_1_2

    def change_protection(self, protection: Protection) -> None:
        """Makes the pending write state the current one; sequence numbers start at zero again (section 6.1)."""
        self.protection = protection
        self.sequence = 0

    def write(self, content_type: int, data: bytes) -> bytes:
        """The records that carry `data`; none for empty data."""
        limit = self.max_fragment
        if len(data) <= limit:
            return self.write_record(content_type, data) if data else b""
        return b"".join(
            [self.write_record(content_type, data[start : start + limit]) for start in range(0, len(data), limit)]
        )

    def write_record(self, content_type: int, fragment: bytes) -> bytes:
        """One record, also an empty one."""
        if self.sequence > MAX_SEQUENCE:
            raise LocalProtocolError(
                "sequence number 2^64 - 1 is used up; open a new connection (RFC 5246 section 6.1)"
            )
        sealed = self.protection.seal(content_type, self.version, self.sequence, fragment)
        self.sequence += 1
        return encode_record(content_type, self.version, sealed)
