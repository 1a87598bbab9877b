"""Reads along at one endpoint that is not ours to script: what reaches it, as it can tell, and what it sends.

The mapper's peer classifies what a target sends, knowing what it sent itself. Here both sides are real, so two of its
receivers share the work: one stands where the endpoint stands and classifies what reaches it, the other stands where
its peer stands. Each is told what the other saw, and both get the master secret from the endpoint's key log, so that an
observation never rests on what an attacker says of a message, only on what the endpoint could have made of it.
"""

from __future__ import annotations

import warnings
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.wire import Reader
from shakeproof.model import messages as alphabet
from shakeproof.properties.mapper import finite_field
from shakeproof.properties.mapper.context import Context, Options, Role
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.mapper.hellos import accept_server_hello
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.keys import KeyKind, Owner, PrivateKey, private_key
from shakeproof.properties.mapper.receive import Observation, Receiver
from shakeproof.properties.mapper.sessions import Session

OWNERS = (Owner.LEAF, Owner.CLIENT, Owner.ATTACKER_LEAF)
KINDS: tuple[KeyKind, ...] = ("rsa", "ecdsa")
HANDSHAKE = frozenset(
    {
        alphabet.HelloRequest,
        alphabet.ClientHello,
        alphabet.ServerHello,
        alphabet.NewSessionTicket,
        alphabet.Certificate,
        alphabet.ServerKeyExchange,
        alphabet.CertificateRequest,
        alphabet.ServerHelloDone,
        alphabet.CertificateVerify,
        alphabet.ClientKeyExchange,
        alphabet.Finished,
        alphabet.UnknownHandshake,
    }
)
"""The messages that are handshake messages."""


class Informed(Context):
    """A context that is told the master secret instead of deriving it.

    strict: records after ChangeCipherSpec open under the session keys or not at all, as for the endpoint itself;
    faulty: under which others they may, since it may have a fault.
    """

    def __init__(self, role: Role, options: Options, *, strict: bool) -> None:
        super().__init__(role, options)
        self.strict = strict
        self.faulty: tuple[Keys, ...] = ()
        self.told = b""

    def resolve(self, keys: Keys) -> Keys:
        return keys if self.told else super().resolve(keys)

    def master(self, keys: Keys) -> bytes:
        return self.told if self.told and keys in (Keys.HONEST, Keys.UNCHANGED) else super().master(keys)

    def reading(self) -> list[Keys]:
        return [Keys.HONEST, *self.faulty] if self.strict else super().reading()


class Observer:
    """Reads along at the endpoint that plays `role`. session: the one that the endpoint can resume."""

    def __init__(self, role: Role, session: Session | None = None) -> None:
        other: Role = "server" if role == "client" else "client"
        options = Options(session=session)
        self._inside = Receiver(Informed(role, options, strict=True))
        self._outside = Receiver(Informed(other, options, strict=False))

    @property
    def transcript(self) -> tuple[bytes, ...]:
        """The handshake messages that the endpoint heard and said, in order."""
        return tuple(self._inside.context.transcript)

    @property
    def pending(self) -> int:
        """Bytes that reached the endpoint and are no whole message yet."""
        return self._inside.pending

    @property
    def is_protected(self) -> bool:
        """Whether the endpoint reads protected records."""
        return self._inside.context.read.switched

    @property
    def encrypts_then_macs(self) -> bool:
        """Whether records in force have the MAC around the ciphertext."""
        return isinstance(self._inside.context.read.protection, EncryptThenMac)

    def tell(self, line: str) -> None:
        """A line of the endpoint's NSS key log."""
        master = bytes.fromhex(line.split()[2])
        for receiver in (self._inside, self._outside):
            context = receiver.context
            assert isinstance(context, Informed)
            context.told = master

    def may_open(self, *keys: Keys) -> None:
        """The endpoint may read records under these keys too: a fault is planted in it. Whether it does, it shows."""
        context = self._inside.context
        assert isinstance(context, Informed)
        context.faulty = keys

    def heard(self, data: bytes) -> list[Observation]:
        """What these bytes say to the endpoint that they reach."""
        return self._read(self._inside, self._outside, data)

    def said(self, data: bytes) -> list[Observation]:
        """What the endpoint says with these bytes."""
        return self._read(self._outside, self._inside, data)

    @staticmethod
    def _read(reader: Receiver, other: Receiver, data: bytes) -> list[Observation]:
        found = reader.classify(data)
        for item in found:
            if item.symbol.message in HANDSHAKE:
                remember(other.context, item.raw)
        return found


def remember(context: Context, message: bytes) -> None:
    """Let the context remember a whole handshake message as if its own side had sent it."""
    handshake_type, body = message[0], message[codec.HEADER_LENGTH :]
    if handshake_type == codec.HandshakeType.HELLO_REQUEST:  # never in the transcript (RFC 5246 section 7.4.1.1)
        return
    if handshake_type == codec.HandshakeType.CLIENT_HELLO and context.may_begin:
        context.begin_handshake()
    context.transcript.append(message)
    try:
        _learn(context, handshake_type, body)
    except RemoteProtocolError:
        return  # not decodable: whoever receives it learns nothing from it either


def _learn(context: Context, handshake_type: int, body: bytes) -> None:
    if handshake_type == codec.HandshakeType.CLIENT_HELLO:
        context.client_hello = codec.ClientHello.parse(body)
        context.client_random = context.client_hello.random
        context.hellos += 1
    elif handshake_type == codec.HandshakeType.SERVER_HELLO:
        hello = codec.ServerHello.parse(body)
        accept_server_hello(context, hello)
    elif handshake_type == codec.HandshakeType.CERTIFICATE:
        _learn_certificate(context, codec.Certificate.parse(body))
    elif handshake_type == codec.HandshakeType.SERVER_KEY_EXCHANGE:
        context.group = context.params = None
        if context.uses_dhe:
            context.params = finite_field.parse(Reader(body, "ServerKeyExchange", "RFC 5246 section 7.4.3"))
        elif not context.uses_rsa:
            context.group = codec.EcdheServerKeyExchange.parse(body).group
    elif handshake_type == codec.HandshakeType.CERTIFICATE_REQUEST:
        context.request = codec.CertificateRequest.parse(body)
    elif handshake_type == codec.HandshakeType.FINISHED:
        context.own_finished = True
        if context.is_client:
            context.client_verify_data = body
        else:
            context.server_verify_data = body


def _learn_certificate(context: Context, message: codec.Certificate) -> None:
    owned = key_of(message.certificate_list[0]) if message.certificate_list else None
    public = owned.public_key() if owned is not None else None
    if context.is_client:
        context.client_private, context.client_key = owned, public
    else:
        context.certificate, context.own_key, context.server_key = message, owned, public


@lru_cache(maxsize=256)
def key_of(certificate: bytes) -> PrivateKey | None:
    """The private key of a certificate of the factory; None for any other."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a certificate on the wire is no concern of ours
            public = _bytes_of(x509.load_der_x509_certificate(certificate).public_key())
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        return None
    known = [private_key(kind, owner) for kind in KINDS for owner in OWNERS]
    return next((key for key in known if _bytes_of(key.public_key()) == public), None)


def _bytes_of(key: object) -> bytes:
    spell = getattr(key, "public_bytes", None)
    return spell(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if callable(spell) else b""
