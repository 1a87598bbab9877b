"""The receiving half of a scripted peer: from the target's stream of bytes to observations.

Records are opened under whatever keys the target might use: those that are assumed first, then the others. Each
observation says which keys opened it.

Source: RFC 5246 sections 6.2 and 7.4.
"""

from __future__ import annotations

from dataclasses import dataclass

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH
from shakeproof.impl.tls.messages import HEADER_LENGTH as MESSAGE_HEADER_LENGTH
from shakeproof.impl.tls.protection import GCM_TAG_LENGTH, CbcHmacProtection, NullProtection
from shakeproof.impl.tls.records import HEADER_LENGTH, MAJOR_VERSION, MAX_CIPHERTEXT, MAX_PLAINTEXT
from shakeproof.impl.tls.suites import ContentType
from shakeproof.model import messages as alphabet
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import classify, readings
from shakeproof.properties.mapper.context import Context
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.readings import HEARTBEAT, HEARTBEAT_REQUEST, Reading, bytes_text, grouped

_TEXT = frozenset(range(32, 127)) | {9, 10, 13}

OLDEST = 1024
"""Records back that one which does not open is looked for: more than a test sends, and some milliseconds of work."""


@dataclass(frozen=True, slots=True)
class Observation:
    """Something that the target sent.

    raw: the message in plaintext, with its header where it is a handshake message; data: the records that completed
    it, none where an earlier message of the same record has them; detail: one line for people; protection: which keys
    protected it, "" for plaintext; keys: the same, to be assumed; finished: whose secret a Finished was computed from,
    None where that could not be told.
    """

    symbol: Symbol
    raw: bytes
    data: bytes
    detail: str = ""
    protection: str = ""
    keys: Keys = Keys.NONE
    finished: Keys | None = None


class Receiver:
    """Cuts the stream into records and messages and classifies them; the context learns from each."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self._records = bytearray()
        self._handshake = bytearray()
        self._unclaimed = b""
        self._garbled = False

    @property
    def pending(self) -> int:
        """Bytes that are no whole record or message yet."""
        return len(self._records) + len(self._handshake)

    def _note(self, found: list[Observation], reading: Reading, raw: bytes, keys: Keys) -> None:
        data, self._unclaimed = self._unclaimed, b""
        found.append(Observation(reading.symbol, raw, data, reading.detail, keys.label, keys, reading.finished))

    def classify(self, data: bytes) -> list[Observation]:
        """What the target said, as far as whole records and messages have come; any split of its bytes will do."""
        buffer = self._records
        buffer += data
        found: list[Observation] = []
        while len(buffer) >= HEADER_LENGTH:
            if buffer[1] != MAJOR_VERSION:
                return found + self._not_tls()
            stop = HEADER_LENGTH + (buffer[3] << 8 | buffer[4])
            if len(buffer) < stop:
                break
            content_type, version = buffer[0], buffer[1] << 8 | buffer[2]
            fragment = bytes(buffer[HEADER_LENGTH:stop])
            self._unclaimed += buffer[:stop]
            del buffer[:stop]
            self._open(content_type, version, fragment, found)
        return found

    def _not_tls(self) -> list[Observation]:
        """Bytes that are no records: one observation, and the rest of the stream is dropped."""
        raw = bytes(self._records)
        self._records.clear()
        if self._garbled:
            return []
        self._garbled = True
        shown = readings.visible(raw.decode("latin-1"))
        return [Observation(readings.record(alphabet.alien_type).symbol, raw, raw, f"not TLS: {shown}")]

    def _open(self, content_type: int, version: int, fragment: bytes, found: list[Observation]) -> None:
        context = self.context
        read = context.read
        limit = MAX_CIPHERTEXT if read.switched else MAX_PLAINTEXT
        length = f"{bytes_text(len(fragment))}"
        if len(fragment) > limit:
            read.sequence += 1
            self._note(found, readings.record(alphabet.too_long, length), fragment, Keys.NONE)
            return
        keys = Keys.NONE
        plaintext: bytes | None = fragment
        if read.switched:
            keys, plaintext = self._decrypt(content_type, version, fragment)
        sequence = read.sequence
        age = self._age(content_type, version, fragment) if plaintext is None else 0
        read.sequence += not age  # one that comes again has its number already
        if age:
            self._note(
                found, readings.record(alphabet.replayed if age == 1 else alphabet.stale, length), fragment, read.keys
            )
        elif plaintext is None:
            value = alphabet.long_bad_mac if len(fragment) >= MAX_PLAINTEXT else alphabet.bad_mac
            if self._is_badly_padded(content_type, version, sequence, fragment):
                value = alphabet.bad_padding
            self._note(found, readings.record(value, length), fragment, Keys.NONE)
        elif len(plaintext) > MAX_PLAINTEXT:
            self._note(found, readings.record(alphabet.too_long, length), plaintext, keys)
        elif content_type == ContentType.HANDSHAKE:
            self._messages(plaintext, keys, found)
        elif content_type == ContentType.ALERT:
            self._note(found, readings.alert(plaintext), plaintext, keys)
        elif content_type == ContentType.APPLICATION_DATA:
            self._note(found, readings.application_data(plaintext), plaintext, keys)
        elif content_type == ContentType.CHANGE_CIPHER_SPEC:
            self._note(found, readings.change_cipher_spec(plaintext), plaintext, keys)
            read.switch(Keys.NONE, NullProtection())
        elif content_type == HEARTBEAT and plaintext[:1] == HEARTBEAT_REQUEST[:1]:
            self._note(found, readings.record(alphabet.heartbeat, length), plaintext, keys)
        else:
            detail = f"content type {content_type}, {length}"
            self._note(found, readings.record(alphabet.alien_type, detail), plaintext, keys)

    def _messages(self, plaintext: bytes, keys: Keys, found: list[Observation]) -> None:
        """Handshake messages, out of the fragments of one or more records."""
        if not plaintext:
            self._note(found, readings.record(alphabet.empty_message), b"", keys)
        buffer = self._handshake
        buffer += plaintext
        while len(buffer) >= MESSAGE_HEADER_LENGTH:
            length = buffer[1] << 16 | buffer[2] << 8 | buffer[3]
            if length > MAX_MESSAGE_LENGTH:
                symbol = readings.symbol_of(alphabet.UnknownHandshake)
                detail = f"announces {grouped(length)} bytes, more than {grouped(MAX_MESSAGE_LENGTH)}"
                self._note(found, Reading(symbol, detail), bytes(buffer), keys)
                buffer.clear()
                return
            stop = MESSAGE_HEADER_LENGTH + length
            if len(buffer) < stop:
                return
            message = bytes(buffer[:stop])
            del buffer[:stop]
            self._note(found, classify.handshake(self.context, message), message, keys)

    def _decrypt(self, content_type: int, version: int, fragment: bytes) -> tuple[Keys, bytes | None]:
        """The keys that opened the record, and its plaintext; None where none did."""
        read = self.context.read
        for keys in self.context.reading():
            if keys is Keys.NONE:
                if self._is_plain(content_type, fragment):
                    return keys, fragment
                continue
            if keys is Keys.UNCHANGED:
                named, protection, start = read.before
                if isinstance(protection, NullProtection):
                    continue
                sequence = start + read.sequence
            else:
                named, sequence = keys, read.sequence
                fresh = keys is not read.keys
                protection = self.context.protection(keys, not self.context.is_client) if fresh else read.protection
            try:
                plaintext = protection.open(content_type, version, sequence, fragment)
            except RemoteProtocolError:
                continue
            if keys is not Keys.UNCHANGED:
                read.keys, read.protection = keys, protection
            return named, plaintext
        return Keys.NONE, None

    def _age(self, content_type: int, version: int, fragment: bytes) -> int:
        """How many records ago one came that opens under the keys in force and an earlier number; 0 where none did."""
        read = self.context.read
        if isinstance(read.protection, NullProtection):
            return 0
        for age in range(1, min(read.sequence, OLDEST) + 1):
            try:
                read.protection.open(content_type, version, read.sequence - age, fragment)
            except RemoteProtocolError:
                continue
            return age
        return 0

    def _is_plain(self, content_type: int, fragment: bytes) -> bool:
        """Whether a record after ChangeCipherSpec is plaintext. Nothing authenticates it: only its form tells."""
        if content_type == ContentType.ALERT:
            return len(fragment) == 2 and fragment[0] in (1, 2)
        if content_type == ContentType.HANDSHAKE:
            return len(fragment) >= MESSAGE_HEADER_LENGTH and int.from_bytes(fragment[1:4], "big") == len(fragment) - 4
        if content_type == ContentType.CHANGE_CIPHER_SPEC:
            return len(fragment) == 1
        if content_type == ContentType.APPLICATION_DATA:
            return bool(fragment) and all(byte in _TEXT for byte in fragment)
        return len(fragment) < GCM_TAG_LENGTH

    def _is_badly_padded(self, content_type: int, version: int, sequence: int, fragment: bytes) -> bool:
        """Whether only the CBC padding is wrong: the MAC is right where the last byte says that it stands."""
        context = self.context
        if not context.is_cbc:
            return False
        for keys in context.reading():
            if keys in (Keys.NONE, Keys.UNCHANGED):
                continue
            protection = context.protection(keys, not context.is_client)
            if isinstance(protection, EncryptThenMac) or not isinstance(protection, CbcHmacProtection):
                return False
            if not protection.check_length(fragment):
                return False
            block = protection.decrypt(fragment)
            end = len(block) - block[-1] - 1 - protection.mac_length
            if end < 0:
                continue
            mac = protection.mac(content_type, version, sequence, block[:end])
            if mac == block[end : end + protection.mac_length]:
                return True
        return False
