"""A scripted TLS 1.2 peer: sends any symbol of the alphabet in any state, and reads back whatever comes.

`concretise` turns a symbol into records and remembers what an honest sender would remember of it: the transcript, its
hellos, its secret, its write protection. `classify` turns the target's bytes into symbols. On what an observer can tell
(see limits.py) they are inverse. Neither raises because something is missing: what stands in for it is said in
context.py.

    peer = Peer("client", key_exchange="ecdhe", seed=b"word 17")
    target.receive(peer.concretise(ClientHello.symbol()))
    for observation in peer.classify(target.bytes_to_send()):
        print(observation.symbol, observation.detail)

A target that silently swallowed what is forbidden goes on under other keys: `assume` names them, or with `retract` the
tester takes the last message for ignored.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.handshake import MAX_MESSAGE_LENGTH
from shakeproof.impl.tls.messages import HEADER_LENGTH as MESSAGE_HEADER_LENGTH
from shakeproof.impl.tls.messages import HandshakeType
from shakeproof.impl.tls.protection import GCM_TAG_LENGTH, CbcHmacProtection, NullProtection, Protection
from shakeproof.impl.tls.records import HEADER_LENGTH, MAJOR_VERSION, MAX_CIPHERTEXT, MAX_PLAINTEXT, encode_record
from shakeproof.impl.tls.signatures import VERIFYING_SCHEMES
from shakeproof.impl.tls.suites import TLS_1_0, TLS_1_2, CipherSuite, ContentType
from shakeproof.model import messages as alphabet
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import classify, limits
from shakeproof.properties.mapper.certificates import SERVER_NAME, anchors
from shakeproof.properties.mapper.classify import Reading
from shakeproof.properties.mapper.concretise import Draft, draft, grouped, says
from shakeproof.properties.mapper.context import AUDIT_TIME, Context, Direction, Options, Role
from shakeproof.properties.mapper.hypotheses import (
    AFTER_FINISHED,
    AFTER_KEY_EXCHANGE,
    AFTER_REPEATED_CHANGE,
    HONEST_KEYS,
    HYPOTHESES,
    KeyHypothesis,
    Keys,
)
from shakeproof.properties.mapper.limits import applicable, chosen_values

__all__ = [
    "HONEST_KEYS",
    "HYPOTHESES",
    "KeyHypothesis",
    "Keys",
    "Observation",
    "Peer",
    "Sent",
    "applicable",
    "chosen_values",
]

ALIEN_CONTENT_TYPE = 99
"""Not assigned by IANA."""
BROKEN_ALERT_LEVEL = 3
TOO_LONG = MAX_CIPHERTEXT + 1
REQUEST = "GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
EXTRA_PADDING = 16
"""Bytes of padding that a record with bad padding has more than it needs, so that some are there to be wrong."""


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


@dataclass(frozen=True, slots=True)
class Sent:
    """What `concretise` made: like an Observation, of the peer's own message."""

    symbol: Symbol
    raw: bytes
    detail: str
    protection: str
    keys: Keys


@dataclass(frozen=True, slots=True)
class _Undo:
    """What `retract` takes back."""

    messages: int
    write: Direction
    fields: dict[str, object]


_OWN_FIELDS: dict[Role, tuple[str, ...]] = {
    "client": (
        "client_hello",
        "client_random",
        "pre_master",
        "session_hash",
        "own_finished",
        "client_verify_data",
    ),
    "server": (
        "server_hello",
        "server_random",
        "suite",
        "extended",
        "certificate",
        "own_key",
        "server_key",
        "group",
        "temporary_rsa",
        "own_finished",
        "server_verify_data",
    ),
}
"""What each side sets by its own messages."""


class Peer:
    """One connection's scripted peer.

    role: the side that the PEER plays. key_exchange, certificate_key, bulk: what it prefers; suites: instead of
    those that follow from them. seed: of its randoms. server_name: what it asks for, or what its certificate names.
    time, anchors: how it judges certificates. application_data: what ApplicationData carries.
    """

    def __init__(
        self,
        role: str,
        *,
        key_exchange: str = "ecdhe",
        certificate_key: str = "rsa",
        bulk: str = "gcm",
        seed: bytes = b"",
        server_name: str = SERVER_NAME,
        suites: tuple[CipherSuite, ...] = (),
        groups: tuple[int, ...] = (23, 29),
        schemes: tuple[int, ...] = VERIFYING_SCHEMES,
        extended_master_secret: bool = True,
        time: datetime = AUDIT_TIME,
        anchors: tuple[bytes, ...] | None = None,
        application_data: bytes | None = None,
    ) -> None:
        if role not in ("client", "server"):
            raise ValueError(f"role is {role!r}; expected 'client' or 'server'")
        options = Options(
            key_exchange=key_exchange,
            certificate_key=certificate_key,
            bulk=bulk,
            seed=seed,
            server_name=server_name,
            suites=suites,
            groups=groups,
            schemes=schemes,
            extended_master_secret=extended_master_secret,
            time=time,
            anchors=anchors if anchors is not None else _default_anchors(),
            application_data=application_data,
        )
        self.role: Role = "client" if role == "client" else "server"
        self.context = Context(self.role, options)
        self.sent: Sent | None = None
        self._records = bytearray()
        self._handshake = bytearray()
        self._undo: _Undo | None = None
        self._garbled = False
        self._unclaimed = b""

    @property
    def write_protected(self) -> bool:
        """Whether what was concretised last went out under keys."""
        return self.sent is not None and self.sent.keys is not Keys.NONE

    @property
    def key_log(self) -> tuple[str, ...]:
        """Lines of an NSS key log."""
        return self.context.key_log()

    @property
    def transcript(self) -> tuple[bytes, ...]:
        """The handshake messages of both sides so far, as the peer sees them."""
        return tuple(self.context.transcript)

    @property
    def pending(self) -> int:
        """Bytes of the target that are no whole record or message yet."""
        return len(self._records) + len(self._handshake)

    def applicable(self, symbol: Symbol) -> str:
        """Why the symbol means nothing now; "" where it can be sent."""
        return limits.applicable_now(self.context, symbol)

    def assume(self, hypothesis: KeyHypothesis) -> None:
        """From now on the target is taken to hold these keys: for records of both directions and for Finished."""
        self.context.assume(hypothesis)

    def hypotheses(self, symbol: Symbol) -> tuple[KeyHypothesis, ...]:
        """What to assume in turn if the target swallows this symbol, to be asked before it is sent; honest first."""
        agreed = self.context.pre_master is not None
        if symbol.message is alphabet.ChangeCipherSpec:
            return AFTER_REPEATED_CHANGE if agreed else HYPOTHESES
        if symbol.message is alphabet.Finished and not agreed:
            return AFTER_FINISHED
        if symbol.message is alphabet.ClientKeyExchange and symbol.defects:
            return AFTER_KEY_EXCHANGE
        return (HONEST_KEYS,)

    # -------------------------------------------------------------------------------------------------------- sending

    def concretise(
        self,
        symbol: Symbol,
        *,
        keys: KeyHypothesis | None = None,
        fragment: int | None = None,
        data: bytes | None = None,
        counts: bool = True,
    ) -> bytes:
        """The records for a symbol.

        keys: for this message alone, whatever is in force, or for a ChangeCipherSpec what it switches to; None: what
        is in force, under the assumed hypothesis. fragment: bytes of plaintext a record. data: of ApplicationData.
        counts False: the target is taken to ignore it, so that nothing but the sequence number remembers it.
        """
        out = self._concretise(symbol, keys, fragment, data)
        if not counts:
            self.retract()
            self.context.write.unheeded = symbol.message is alphabet.ChangeCipherSpec
        return out

    def _concretise(
        self, symbol: Symbol, keys: KeyHypothesis | None, fragment: int | None, data: bytes | None
    ) -> bytes:
        context = self.context
        self._remember()
        if fragment is not None and not 1 <= fragment <= MAX_PLAINTEXT:
            raise ValueError(f"fragment is {fragment}; it must be 1 to {MAX_PLAINTEXT}")
        limit = fragment or MAX_PLAINTEXT
        message = symbol.message
        if message is alphabet.ChangeCipherSpec:
            content = b"\1" if says(symbol, alphabet.one) else b"\2"
            out = self._seal(symbol, ContentType.CHANGE_CIPHER_SPEC, content, None, limit)
            context.switch_write((keys or context.hypothesis).record)
            return out
        if message is alphabet.Alert:
            return self._seal(symbol, ContentType.ALERT, _alert(symbol), keys, limit)
        if message is alphabet.ApplicationData:
            content = data if data is not None else self._application_data()
            return self._seal(symbol, ContentType.APPLICATION_DATA, content, keys, limit)
        if message is alphabet.Record:
            return self._record(symbol, keys)
        finished = (keys or context.hypothesis).finished
        return self._send(symbol, self._begin(symbol, finished), keys, limit)

    def retract(self) -> None:
        """The target ignored what was concretised last: it is not in its transcript and switched no keys.

        What was learnt from the target since is kept. A second call without a message in between does nothing.
        """
        undo, self._undo = self._undo, None
        if undo is None:
            return
        context = self.context
        used = context.write.sequence - undo.write.sequence if context.write.protection is undo.write.protection else 1
        del context.transcript[undo.messages : undo.messages + 1]
        context.write = replace(undo.write, sequence=undo.write.sequence + max(used, 0))
        for name, value in undo.fields.items():
            setattr(context, name, value)

    def _remember(self) -> None:
        context = self.context
        known = context.__dict__
        self._undo = _Undo(
            len(context.transcript), replace(context.write), {name: known[name] for name in _OWN_FIELDS[self.role]}
        )

    def _begin(self, symbol: Symbol, finished: Keys) -> Draft:
        context = self.context
        if symbol.message is alphabet.ClientHello and context.is_client and context.is_connected:
            context.begin_handshake()
        return draft(context, symbol, finished)

    def _send(self, symbol: Symbol, made: Draft, keys: KeyHypothesis | None, limit: int) -> bytes:
        context = self.context
        message = made.encode()
        version = TLS_1_0 if symbol.message is alphabet.ClientHello and not context.hellos else TLS_1_2
        out = self._seal(symbol, ContentType.HANDSHAKE, message, keys, limit, version, made.detail)
        self._sent(made, message)
        return out

    def _sent(self, made: Draft, message: bytes) -> None:
        if made.handshake_type != HandshakeType.HELLO_REQUEST:  # never in the transcript (RFC 5246 section 7.4.1.1)
            self.context.transcript.append(message)
        made.sent(self.context)

    def _application_data(self) -> bytes:
        options = self.context.options
        if options.application_data is not None:
            return options.application_data
        return REQUEST.format(name=options.server_name).encode() if self.context.is_client else RESPONSE

    def _writing(self, keys: KeyHypothesis | None) -> tuple[Keys, Protection, int]:
        """Keys, protection and sequence number of the next record."""
        write = self.context.write
        if keys is None:
            return write.keys, write.protection, write.sequence
        named, protection, start = self.context.writing(keys.record)
        return named, protection, start + write.sequence

    def _seal(
        self,
        symbol: Symbol,
        content_type: int,
        content: bytes,
        keys: KeyHypothesis | None,
        limit: int,
        version: int = TLS_1_2,
        detail: str = "",
    ) -> bytes:
        named, protection, sequence = self._writing(keys)
        out = b""
        for start in range(0, len(content) or 1, limit):
            sealed = protection.seal(content_type, version, sequence, content[start : start + limit])
            out += encode_record(content_type, version, sealed)
            sequence += 1
            self.context.write.sequence += 1
        self.sent = Sent(symbol, content, detail or f"{grouped(len(content))} bytes", named.label, named)
        return out

    # ---------------------------------------------------------------------------------------------- remarkable records

    def _record(self, symbol: Symbol, keys: KeyHypothesis | None) -> bytes:
        if says(symbol, alphabet.zero_length):
            return self._seal(symbol, ContentType.APPLICATION_DATA, b"", keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.empty_message):
            return self._seal(symbol, ContentType.HANDSHAKE, b"", keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.alien_type):
            return self._seal(symbol, ALIEN_CONTENT_TYPE, b"\0", keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.too_long):
            # A protected record is long enough once sealed and no longer than needed: its header alone tells.
            kind = ContentType.APPLICATION_DATA if self.context.own_finished else ContentType.HANDSHAKE
            content = bytes((HandshakeType.FINISHED,)) + TOO_LONG.to_bytes(3, "big") + bytes(TOO_LONG - 4)
            return self._seal(symbol, kind, content, keys, TOO_LONG)
        return self._tampered(symbol, keys, padding=says(symbol, alphabet.bad_padding))

    def _tampered(self, symbol: Symbol, keys: KeyHypothesis | None, *, padding: bool) -> bytes:
        """What would come next, with wrong padding or a wrong MAC: the peer's Finished, then application data.

        Its content is right, so that a target that does not check goes on.
        """
        context = self.context
        if context.own_finished:
            kind, content, made = ContentType.APPLICATION_DATA, self._application_data(), None
        else:
            made = draft(context, alphabet.Finished.symbol(), (keys or context.hypothesis).finished)
            kind, content = ContentType.HANDSHAKE, made.encode()
        named, protection, sequence = self._writing(keys)
        if isinstance(protection, NullProtection):  # before there are keys: a record under keys nobody has yet
            named, protection = Keys.HONEST, context.protection(Keys.HONEST, context.is_client)
        if isinstance(protection, CbcHmacProtection):
            sealed = _tampered_cbc(protection, kind, sequence, content, padding)
        else:
            sealed = protection.seal(kind, TLS_1_2, sequence, content)
            sealed = sealed[:-1] + bytes((sealed[-1] ^ 1,))
        context.write.sequence += 1
        self.sent = Sent(symbol, content, f"{grouped(len(content))} bytes", named.label, named)
        if made is not None:
            self._sent(made, content)
        return encode_record(kind, TLS_1_2, sealed)

    # ------------------------------------------------------------------------------------------------------ receiving

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
        shown = classify.visible(raw.decode("latin-1"))
        return [Observation(classify.record(alphabet.alien_type).symbol, raw, f"not TLS: {shown}")]

    def _open(self, content_type: int, version: int, fragment: bytes, found: list[Observation]) -> None:
        context = self.context
        read = context.read
        limit = MAX_CIPHERTEXT if read.switched else MAX_PLAINTEXT
        length = f"{grouped(len(fragment))} bytes"
        if len(fragment) > limit:
            read.sequence += 1
            found.append(_observed(classify.record(alphabet.too_long, length), fragment, Keys.NONE))
            return
        keys = Keys.NONE
        plaintext: bytes | None = fragment
        if read.switched:
            keys, plaintext = self._decrypt(content_type, version, fragment)
            read.sequence += 1
        if plaintext is None:
            value = alphabet.bad_padding if self._is_badly_padded(content_type, version, fragment) else alphabet.bad_mac
            found.append(_observed(classify.record(value, length), fragment, Keys.NONE))
        elif len(plaintext) > MAX_PLAINTEXT:
            found.append(_observed(classify.record(alphabet.too_long, length), plaintext, keys))
        elif content_type == ContentType.HANDSHAKE:
            self._messages(plaintext, keys, found)
        elif content_type == ContentType.ALERT:
            found.append(_observed(classify.alert(plaintext), plaintext, keys))
        elif content_type == ContentType.APPLICATION_DATA:
            found.append(_observed(classify.application_data(plaintext), plaintext, keys))
        elif content_type == ContentType.CHANGE_CIPHER_SPEC:
            found.append(_observed(classify.change_cipher_spec(plaintext), plaintext, keys))
            read.switch(Keys.NONE, NullProtection())
        else:
            detail = f"content type {content_type}, {length}"
            found.append(_observed(classify.record(alphabet.alien_type, detail), plaintext, keys))

    def _messages(self, plaintext: bytes, keys: Keys, found: list[Observation]) -> None:
        """Handshake messages, out of the fragments of one or more records."""
        if not plaintext:
            found.append(_observed(classify.record(alphabet.empty_message), b"", keys))
        buffer = self._handshake
        buffer += plaintext
        while len(buffer) >= MESSAGE_HEADER_LENGTH:
            length = buffer[1] << 16 | buffer[2] << 8 | buffer[3]
            if length > MAX_MESSAGE_LENGTH:
                symbol = classify.symbol_of(alphabet.UnknownHandshake)
                detail = f"announces {grouped(length)} bytes, more than {grouped(MAX_MESSAGE_LENGTH)}"
                found.append(_observed(Reading(symbol, detail), bytes(buffer), keys))
                buffer.clear()
                return
            stop = MESSAGE_HEADER_LENGTH + length
            if len(buffer) < stop:
                return
            message = bytes(buffer[:stop])
            del buffer[:stop]
            found.append(_observed(classify.handshake(self.context, message), message, keys))

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

    def _is_badly_padded(self, content_type: int, version: int, fragment: bytes) -> bool:
        """Whether only the CBC padding is wrong: the MAC is right where the last byte says that it stands."""
        context = self.context
        if not context.is_cbc:
            return False
        for keys in context.reading():
            if keys in (Keys.NONE, Keys.UNCHANGED):
                continue
            protection = context.protection(keys, not context.is_client)
            if not isinstance(protection, CbcHmacProtection) or not protection.check_length(fragment):
                return False
            block = protection.decrypt(fragment)
            end = len(block) - block[-1] - 1 - protection.mac_length
            if end < 0:
                continue
            mac = protection.mac(content_type, version, context.read.sequence, block[:end])
            if mac == block[end : end + protection.mac_length]:
                return True
        return False


_TEXT = frozenset(range(32, 127)) | {9, 10, 13}


def _default_anchors() -> tuple[bytes, ...]:
    return anchors()


def _observed(reading: Reading, raw: bytes, keys: Keys) -> Observation:
    return Observation(reading.symbol, raw, reading.detail, keys.label, keys, reading.finished)


def _alert(symbol: Symbol) -> bytes:
    named = alphabet.DESCRIPTION.named(symbol.assignment[alphabet.DESCRIPTION.name])
    description = named[0] if len(named) == 1 else alphabet.close_notify
    if says(symbol, alphabet.closure):
        return b"\1\0"
    if says(symbol, alphabet.broken_alert):
        level = BROKEN_ALERT_LEVEL
    else:
        level = 1 if says(symbol, alphabet.warning) else 2
    return bytes((level, classify.ALERT_CODES[description]))


def _tampered_cbc(protection: CbcHmacProtection, kind: int, sequence: int, content: bytes, padding: bool) -> bytes:
    mac = protection.mac(kind, TLS_1_2, sequence, content)
    if not padding:
        mac = mac[:-1] + bytes((mac[-1] ^ 1,))
        return protection.encrypt(content + mac + protection.pad(len(content) + len(mac)))
    count = len(protection.pad(len(content) + len(mac))) + EXTRA_PADDING
    pad = bytearray((count - 1,) * count)
    pad[0] ^= 0xFF
    return protection.encrypt(content + mac + bytes(pad))
