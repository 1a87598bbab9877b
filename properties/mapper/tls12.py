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

from shakeproof.impl.tls.messages import HandshakeType
from shakeproof.impl.tls.protection import CbcHmacProtection, NullProtection, Protection
from shakeproof.impl.tls.records import HEADER_LENGTH, MAX_CIPHERTEXT, MAX_PLAINTEXT, encode_record
from shakeproof.impl.tls.signatures import VERIFYING_SCHEMES
from shakeproof.impl.tls.suites import TLS_1_0, TLS_1_2, CipherSuite, ContentType
from shakeproof.model import messages as alphabet
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import limits, readings
from shakeproof.properties.mapper.certificates import SERVER_NAME, anchors
from shakeproof.properties.mapper.choices import says
from shakeproof.properties.mapper.concretise import draft
from shakeproof.properties.mapper.context import (
    AUDIT_TIME,
    BulkName,
    Context,
    Direction,
    KeyExchangeName,
    Options,
    Role,
    SessionName,
)
from shakeproof.properties.mapper.drafts import Draft
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.mapper.hypotheses import (
    AFTER_FINISHED,
    AFTER_KEY_EXCHANGE,
    AFTER_REPEATED_CHANGE,
    HONEST_KEYS,
    HYPOTHESES,
    KeyHypothesis,
    Keys,
)
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.mapper.readings import HEARTBEAT, HEARTBEAT_REQUEST, bytes_text
from shakeproof.properties.mapper.receive import Observation, Receiver
from shakeproof.properties.mapper.sessions import Session

__all__ = [
    "HONEST_KEYS",
    "HYPOTHESES",
    "KeyHypothesis",
    "Keys",
    "Observation",
    "Peer",
    "Sent",
]

ALIEN_CONTENT_TYPE = 99
"""Not assigned by IANA."""
BROKEN_ALERT_LEVEL = 3
TOO_LONG = MAX_CIPHERTEXT + 1
REQUEST = "GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
KEPT_REQUEST = "GET / HTTP/1.1\r\nHost: {name}\r\n\r\n"
UNFINISHED_RESPONSE = b"HTTP/1.1 200 OK\r\nUnfinished: "
"""What any other response may follow, it itself too, in the same header line."""
EXTRA_PADDING = 16
"""Bytes of padding that a record with bad padding has more than it needs, so that some are there to be wrong."""


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
    """What `retract` takes back. earlier: the transcript of the handshake before, where the message began another."""

    messages: int
    earlier: list[bytes] | None
    write: Direction
    fields: dict[str, object]


_OWN_FIELDS: dict[Role, tuple[str, ...]] = {
    "client": (
        "client_hello",
        "client_random",
        "pre_master",
        "session_hash",
        "resumption",
        "client_key",
        "client_private",
        "own_finished",
        "client_verify_data",
    ),
    "server": (
        "server_hello",
        "server_random",
        "suite",
        "extended",
        "encrypt_then_mac",
        "secure",
        "resumption",
        "ticket",
        "request",
        "certificate",
        "own_key",
        "server_key",
        "group",
        "params",
        "temporary_rsa",
        "own_finished",
        "server_verify_data",
    ),
}
"""What each side sets by its own messages."""
_OF_HANDSHAKE = (
    "server_hello",
    "peer_finished",
    "pre_master",
    "session_hash",
    "temporary_rsa",
    "resumption",
    "ticket",
    "request",
    "client_key",
    "client_private",
)
"""What is of one handshake, and forgotten when another begins."""


class Peer:
    """One connection's scripted peer.

    role: the side that the PEER plays. key_exchange, certificate_key, bulk: what it prefers; suites: instead of
    those that follow from them. seed: of its randoms. server_name: what it asks for, or what its certificate names.
    time, anchors: how it judges certificates; without any anchor it says nothing of their trust. gives: by what it
    lets a client resume; session: one that both sides hold. application_data: what ApplicationData carries.
    """

    def __init__(
        self,
        role: Role,
        *,
        key_exchange: KeyExchangeName = "ecdhe",
        certificate_key: KeyKind = "rsa",
        bulk: BulkName = "gcm",
        seed: bytes = b"",
        server_name: str = SERVER_NAME,
        suites: tuple[CipherSuite, ...] = (),
        groups: tuple[int, ...] = (23, 29),
        schemes: tuple[int, ...] = VERIFYING_SCHEMES,
        extended_master_secret: bool = True,
        encrypt_then_mac: bool = False,
        gives: SessionName = "",
        session: Session | None = None,
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
            encrypt_then_mac=encrypt_then_mac,
            gives=gives,
            session=session,
            time=time,
            anchors=anchors if anchors is not None else _default_anchors(),
            application_data=application_data,
        )
        self.role: Role = role
        self.context = Context(role, options)
        self.sent: Sent | None = None
        self._receiver = Receiver(self.context)
        self._undo: _Undo | None = None

    @property
    def key_log(self) -> tuple[str, ...]:
        """Lines of an NSS key log."""
        return self.context.key_log()

    @property
    def transcript(self) -> tuple[bytes, ...]:
        """The handshake messages of both sides so far, as the peer sees them."""
        return tuple(self.context.transcript)

    @property
    def session(self) -> Session | None:
        """The session of the completed handshake, to be resumed; None where there is none that can be asked for."""
        return self.context.session()

    @property
    def pending(self) -> int:
        """Bytes of the target that are no whole record or message yet."""
        return self._receiver.pending

    def applicable(self, symbol: Symbol) -> str:
        """Why the symbol means nothing now; "" where it can be sent."""
        return limits.applicable(self.context, symbol)

    def assume(self, hypothesis: KeyHypothesis) -> None:
        """From now on the target is taken to hold these keys: for records of both directions and for Finished."""
        self.context.assume(hypothesis)

    def hypotheses(self, symbol: Symbol) -> tuple[KeyHypothesis, ...]:
        """What to assume in turn if the target swallows this symbol, to be asked before it is sent; honest first."""
        agreed = self.context.agreed
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
        self.context.write.unheeded = not counts and symbol.message is alphabet.ChangeCipherSpec
        return out

    def _concretise(
        self, symbol: Symbol, keys: KeyHypothesis | None, fragment: int | None, data: bytes | None
    ) -> bytes:
        context = self.context
        self._remember(symbol)
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
        if undo.earlier is not None:
            context.transcript = undo.earlier
        else:
            del context.transcript[undo.messages : undo.messages + 1]
        context.write = replace(undo.write, sequence=undo.write.sequence + max(used, 0))
        for name, value in undo.fields.items():
            setattr(context, name, value)

    def _remember(self, symbol: Symbol) -> None:
        context = self.context
        known = context.__dict__
        fields = {name: known[name] for name in _OWN_FIELDS[self.role]}
        earlier = None
        if self._begins(symbol):
            earlier = context.transcript
            fields |= {name: known[name] for name in _OF_HANDSHAKE}
        self._undo = _Undo(len(context.transcript), earlier, context.write.copy(), fields)

    def _begins(self, symbol: Symbol) -> bool:
        """Whether the message begins another handshake."""
        return symbol.message is alphabet.ClientHello and self.context.is_client and self.context.may_begin

    def _begin(self, symbol: Symbol, finished: Keys) -> Draft:
        context = self.context
        if self._begins(symbol):
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
        if not self.context.is_client:
            return UNFINISHED_RESPONSE if self.context.keeps_open else RESPONSE
        return (KEPT_REQUEST if self.context.keeps_open else REQUEST).format(name=options.server_name).encode()

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
            record = encode_record(content_type, version, sealed)
            write = self.context.write
            if protection is write.protection and not isinstance(protection, NullProtection):
                write.sealed[write.sequence] = record
            out += record
            sequence += 1
            write.sequence += 1
        self.sent = Sent(symbol, content, detail or f"{bytes_text(len(content))}", named.label, named)
        return out

    # ---------------------------------------------------------------------------------------------- remarkable records

    def _record(self, symbol: Symbol, keys: KeyHypothesis | None) -> bytes:
        if says(symbol, alphabet.zero_length):
            return self._seal(symbol, ContentType.APPLICATION_DATA, b"", keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.empty_message):
            return self._seal(symbol, ContentType.HANDSHAKE, b"", keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.heartbeat):
            return self._seal(symbol, HEARTBEAT, HEARTBEAT_REQUEST, keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.alien_type):
            return self._seal(symbol, ALIEN_CONTENT_TYPE, b"\0", keys, MAX_PLAINTEXT)
        if says(symbol, alphabet.too_long):
            # A protected record is long enough once sealed and no longer than needed: its header alone tells.
            kind = ContentType.APPLICATION_DATA if self.context.own_finished else ContentType.HANDSHAKE
            content = bytes((HandshakeType.FINISHED,)) + TOO_LONG.to_bytes(3, "big") + bytes(TOO_LONG - 4)
            return self._seal(symbol, kind, content, keys, TOO_LONG)
        if says(symbol, alphabet.replayed) or says(symbol, alphabet.stale):
            return self._again(symbol)
        return self._tampered(symbol, keys)

    def _again(self, symbol: Symbol) -> bytes:
        """The last record once more, or the newest of the older ones; what nobody took, where there is none.

        It takes no sequence number: who refuses it is gone, and who takes it goes on where it was.
        """
        write = self.context.write
        record = write.last if says(symbol, alphabet.replayed) else write.older
        if record is None:
            return self._tampered(symbol, None)
        detail = f"{bytes_text(len(record) - HEADER_LENGTH)} that went out before"
        self.sent = Sent(symbol, record, detail, write.keys.label, write.keys)
        return record

    def repeats(self, data: bytes) -> Symbol | None:
        """What bytes are whose first record went out before under the keys in force; None for others."""
        write = self.context.write
        record = data[: HEADER_LENGTH + int.from_bytes(data[3:HEADER_LENGTH], "big")]
        if record == write.last:
            return alphabet.Record.symbol(alphabet.replayed)
        return alphabet.Record.symbol(alphabet.stale) if record in write.sealed.values() else None

    def _tampered(self, symbol: Symbol, keys: KeyHypothesis | None) -> bytes:
        """What would come next, with wrong padding or a wrong MAC: the peer's Finished, then application data.

        Its content is right, so that a target that does not check goes on; what fills a long one up comes behind that.
        """
        context = self.context
        padding = says(symbol, alphabet.bad_padding)
        if context.own_finished:
            kind, content, made = ContentType.APPLICATION_DATA, self._application_data(), None
        else:
            made = draft(context, alphabet.Finished.symbol(), (keys or context.hypothesis).finished)
            kind, content = ContentType.HANDSHAKE, made.encode()
        if says(symbol, alphabet.long_bad_mac):
            content = content.ljust(MAX_PLAINTEXT, b" " if made is None else b"\0")
        named, protection, sequence = self._writing(keys)
        if isinstance(protection, NullProtection):  # before there are keys: a record under keys nobody has yet
            named, protection = Keys.HONEST, context.protection(Keys.HONEST, context.is_client)
        if isinstance(protection, CbcHmacProtection) and not isinstance(protection, EncryptThenMac):
            sealed = _tampered_cbc(protection, kind, sequence, content, padding)
        else:
            sealed = protection.seal(kind, TLS_1_2, sequence, content)
            sealed = sealed[:-1] + bytes((sealed[-1] ^ 1,))
        context.write.sequence += 1
        self.sent = Sent(symbol, content, f"{bytes_text(len(content))}", named.label, named)
        if made is not None:
            self._sent(made, made.encode())
        return encode_record(kind, TLS_1_2, sealed)

    # ------------------------------------------------------------------------------------------------------ receiving

    def classify(self, data: bytes) -> list[Observation]:
        """What the target said, as far as whole records and messages have come; any split of its bytes will do."""
        return self._receiver.classify(data)


def _default_anchors() -> tuple[bytes, ...]:
    return anchors()


def _alert(symbol: Symbol) -> bytes:
    named = alphabet.DESCRIPTION.named(symbol.assignment[alphabet.DESCRIPTION.name])
    description = named[0] if len(named) == 1 else alphabet.close_notify
    if says(symbol, alphabet.closure):
        return b"\1\0"
    if says(symbol, alphabet.broken_alert):
        level = BROKEN_ALERT_LEVEL
    else:
        level = 1 if says(symbol, alphabet.warning) else 2
    return bytes((level, readings.ALERT_CODES[description]))


def _tampered_cbc(protection: CbcHmacProtection, kind: int, sequence: int, content: bytes, padding: bool) -> bytes:
    mac = protection.mac(kind, TLS_1_2, sequence, content)
    if not padding:
        mac = mac[:-1] + bytes((mac[-1] ^ 1,))
        return protection.encrypt(content + mac + protection.pad(len(content) + len(mac)))
    count = len(protection.pad(len(content) + len(mac))) + EXTRA_PADDING
    pad = bytearray((count - 1,) * count)
    pad[0] ^= 0xFF
    return protection.encrypt(content + mac + bytes(pad))
