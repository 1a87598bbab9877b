"""A client out of tlslite-ng's messages and record layer, step by step; each can be left out, doubled or falsified.

Nothing of our own codec is in it: what our server understands and answers is what another implementation means.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NamedTuple

from tests.interop.foreign import (
    X509,
    Alert,
    AlertDescription,
    ApplicationData,
    Certificate,
    CertificateRequest,
    CertificateType,
    ChangeCipherSpec,
    CipherSuite,
    ClientHello,
    ClientKeyExchange,
    ContentType,
    Defragmenter,
    ECDHKeyExchange,
    ExtensionType,
    FFDHKeyExchange,
    Finished,
    GroupName,
    HandshakeHashes,
    HandshakeMsg,
    HandshakeType,
    HashAlgorithm,
    KeyExchange,
    Message,
    MessageSocket,
    Parser,
    RenegotiationInfoExtension,
    ServerHello,
    ServerKeyExchange,
    SessionTicketExtension,
    SignatureAlgorithm,
    SignatureAlgorithmsExtension,
    SNIExtension,
    SupportedGroupsExtension,
    TLSAbruptCloseError,
    TLSExtension,
    X509CertChain,
    calc_key,
    parsePEMKey,
)
from tests.interop.material import NAME, Identity
from tests.interop.peers import DEADLINE_S

VERSION = (3, 3)
SIGNATURES = [
    (hash_algorithm, signature)
    for hash_algorithm in (HashAlgorithm.sha256, HashAlgorithm.sha1)
    for signature in (SignatureAlgorithm.rsa, SignatureAlgorithm.ecdsa)
]
RSA_CBC: int = CipherSuite.TLS_RSA_WITH_AES_128_CBC_SHA
RSA_GCM: int = CipherSuite.TLS_RSA_WITH_AES_128_GCM_SHA256
ECDHE_GCM: int = CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256
DHE_GCM: int = CipherSuite.TLS_DHE_RSA_WITH_AES_128_GCM_SHA256
CHACHA20: int = CipherSuite.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256
ECDHE_CBC: int = CipherSuite.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA
SCSV: int = CipherSuite.TLS_EMPTY_RENEGOTIATION_INFO_SCSV
MASTER_SECRET_LENGTH = 48
VERIFY_DATA_LENGTH = 12
CLOSE_NOTIFY = "close_notify"


class Incoming(NamedTuple):
    """A message from the server. For handshakes, data has the header."""

    content_type: int
    data: bytes

    def is_handshake(self, handshake_type: int) -> bool:
        """Whether it is that handshake message."""
        return self.content_type == ContentType.handshake and self.data[0] == handshake_type

    @property
    def alert(self) -> tuple[int, str] | None:
        """Level and name, if it is an alert."""
        if self.content_type != ContentType.alert:
            return None
        return self.data[0], AlertDescription.toStr(self.data[1])

    def parsed(self, message: Any) -> Any:
        """A handshake message as tlslite-ng's object."""
        parser = Parser(bytearray(self.data))
        parser.get(1)
        return message.parse(parser)


def signature_algorithms() -> TLSExtension:
    """What any client of today offers."""
    return SignatureAlgorithmsExtension().create(SIGNATURES)


def extended_master_secret() -> TLSExtension:
    """Offers it."""
    return TLSExtension().create(ExtensionType.extended_master_secret, bytearray())


def encrypt_then_mac() -> TLSExtension:
    """Offers it."""
    return TLSExtension().create(ExtensionType.encrypt_then_mac, bytearray())


def groups(*names: int) -> TLSExtension:
    """Groups for ECDHE and DHE."""
    return SupportedGroupsExtension().create(list(names))


def server_name(name: str) -> TLSExtension:
    """The name that is asked for."""
    return SNIExtension().create(bytearray(name, "ascii"))


def renegotiation_info(data: bytes = b"") -> TLSExtension:
    """Empty in a first handshake."""
    return RenegotiationInfoExtension().create(bytearray(data))


@dataclass(frozen=True)
class Kept:
    """What a client keeps of a connection, to resume its session."""

    suite: int
    master_secret: bytearray
    session_id: bytearray
    ticket: bytearray


class Script:
    """A connection to our server and what a client knows of it. A context manager: closes the socket at its end.

    extensions: more of them for the ClientHello. merges: all that is sent until something is received goes out at once,
    in one segment where it fits, and the server's Finished is received only when what comes after it is wanted; so what
    follows on our Finished reaches the server in the same read.
    """

    def __init__(self, port: int, *suites: int, name: str = NAME, merges: bool = False) -> None:
        self.port = port
        self.transport = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self.transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        defragmenter = Defragmenter()
        defragmenter.add_static_size(ContentType.change_cipher_spec, 1)
        defragmenter.add_static_size(ContentType.alert, 2)
        defragmenter.add_dynamic_size(ContentType.handshake, 1, 3)
        self.layer = MessageSocket(self.transport, defragmenter)
        self.merges = merges
        self.outgoing = bytearray()
        self.owed_finished: HandshakeHashes | None = None
        """The transcript before a server's Finished that is yet to be received."""
        if merges:
            self.layer._recordSocket.sock = Merging(self)
        self.layer.client = True
        self.layer.version = VERSION
        self.hashes = HandshakeHashes()
        self.suites: Sequence[int] = suites or (RSA_CBC,)
        self.name = name
        self.extensions: list[TLSExtension] = []
        self.client_random = bytearray(os.urandom(32))
        self.server_hello: Any = None
        self.certificate: Any = None
        self.server_key_exchange: Any = None
        self.request: Any = None
        self.pre_master_secret = bytearray()
        self.master_secret = bytearray()
        self.client_verify_data = bytearray()
        self.server_verify_data = bytearray()
        self.ticket = bytearray()
        self.asked_id = bytearray()

    def __enter__(self) -> Script:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.transport.close()

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, message: Any) -> None:
        """A message under the current protection; a handshake message goes into the transcript."""
        if isinstance(message, HandshakeMsg):
            self.hashes.update(message.write())
        self.layer.sendMessageBlocking(message)

    def send_record(self, content_type: int, data: bytes) -> None:
        """One record, whatever is in it, under the current protection."""
        for _ in self.layer.sendRecord(Message(content_type, bytearray(data))):
            pass

    def send_handshake(self, handshake_type: int, body: bytes) -> None:
        """A handshake message with that body, into the transcript too."""
        data = bytes([handshake_type]) + len(body).to_bytes(3, "big") + body
        self.hashes.update(bytearray(data))
        self.send_record(ContentType.handshake, data)

    def send_bytes(self, data: bytes) -> None:
        """Bytes of the stream."""
        if self.merges:
            self.outgoing += data
        else:
            self.transport.sendall(data)

    def flush(self) -> None:
        """Sends what has been held back."""
        self.transport.sendall(self.outgoing)
        self.outgoing.clear()

    def send_bytes_of(self, message: Any, change: Callable[[bytearray], bytes | bytearray]) -> None:
        """The records of a message as they would go out, changed on their way."""
        sent = bytearray()
        original = self.layer._recordSocket.sock
        self.layer._recordSocket.sock = Recorder(sent)
        try:
            self.send(message)
        finally:
            self.layer._recordSocket.sock = original
        self.send_bytes(bytes(change(sent)))

    # --- receiving ----------------------------------------------------------------------------------------------------

    def receive(self) -> Incoming:
        """The next message; into the transcript, if it is a handshake message of the kind that belongs there."""
        if self.owed_finished is not None:
            before, self.owed_finished = self.owed_finished, None
            now, self.hashes = self.hashes, before
            self.take_finished()
            self.hashes = now
        header, parser = self.layer.recvMessageBlocking()
        message = Incoming(header.type, bytes(parser.bytes))
        if header.type == ContentType.handshake and message.data[0] != HandshakeType.hello_request:
            self.hashes.update(bytearray(message.data))
        return message

    def receive_handshake(self, handshake_type: int, message: Any) -> Any:
        """The next message, which has to be that one."""
        incoming = self.receive()
        assert incoming.is_handshake(handshake_type), incoming.alert or incoming
        return incoming.parsed(message)

    def receive_alert(self) -> tuple[int, str]:
        """The next message, which has to be an alert: level and name."""
        incoming = self.receive()
        assert incoming.alert is not None, incoming
        return incoming.alert

    def receive_end(self) -> None:
        """The server closes the transport, without reset and without another word."""
        try:
            incoming = self.receive()
        except TLSAbruptCloseError:
            return
        raise AssertionError(f"expected the end of the transport, got {incoming.alert or incoming}")

    # --- a client's steps ---------------------------------------------------------------------------------------------

    def hello(self) -> Any:
        """A ClientHello for the suites, with all usual extensions."""
        extensions = [
            server_name(self.name),
            extended_master_secret(),
            groups(GroupName.x25519, GroupName.secp256r1),
            signature_algorithms(),
            renegotiation_info(bytes(self.client_verify_data)),
            *self.extensions,
        ]
        return ClientHello().create(VERSION, self.client_random, bytearray(), list(self.suites), extensions=extensions)

    def send_hello(self, **changes: Any) -> None:
        """The ClientHello, with attributes changed."""
        hello = self.hello()
        for name, value in changes.items():
            setattr(hello, name, value)
        self.send(hello)

    def receive_server_hello(self) -> None:
        """ServerHello, from which all keys follow."""
        self.server_hello = self.receive_handshake(HandshakeType.server_hello, ServerHello())
        assert self.server_hello.server_version == VERSION
        if self.server_hello.getExtension(ExtensionType.encrypt_then_mac) is not None:
            self.layer.encryptThenMAC = True

    def receive_flight(self) -> None:
        """Everything up to ServerHelloDone."""
        self.receive_server_hello()
        self.receive_rest_of_flight()

    def receive_rest_of_flight(self) -> None:
        """Everything after ServerHello, up to ServerHelloDone."""
        self.certificate = self.receive_handshake(HandshakeType.certificate, Certificate(CertificateType.x509, VERSION))
        self.server_key_exchange = self.request = None
        while True:
            incoming = self.receive()
            if incoming.is_handshake(HandshakeType.server_key_exchange):
                self.server_key_exchange = incoming.parsed(ServerKeyExchange(self.suite, VERSION))
            elif incoming.is_handshake(HandshakeType.certificate_request):
                self.request = incoming.parsed(CertificateRequest(VERSION))
            else:
                assert incoming.is_handshake(HandshakeType.server_hello_done), incoming.alert or incoming
                return

    @property
    def suite(self) -> int:
        """The chosen suite."""
        code: int = self.server_hello.cipher_suite
        return code

    @property
    def public_key(self) -> Any:
        """The server's."""
        return self.certificate.cert_chain.getEndEntityPublicKey()

    def key_exchange(self) -> Any:
        """An honest ClientKeyExchange, whose pre-master secret is kept."""
        message = ClientKeyExchange(self.suite, VERSION)
        if self.server_key_exchange is None:
            self.pre_master_secret = bytearray(VERSION) + bytearray(os.urandom(46))
            return message.createRSA(self.public_key.encrypt(self.pre_master_secret))
        if self.server_key_exchange.dh_p:
            field = FFDHKeyExchange(None, VERSION, self.server_key_exchange.dh_g, self.server_key_exchange.dh_p)
            exponent = field.get_random_private_key()
            self.pre_master_secret = field.calc_shared_key(exponent, self.server_key_exchange.dh_Ys)
            return message.createDH(field.calc_public_value(exponent))
        exchange = ECDHKeyExchange(self.server_key_exchange.named_curve, VERSION)
        private = exchange.get_random_private_key()
        self.pre_master_secret = exchange.calc_shared_key(private, self.server_key_exchange.ecdh_Ys)
        return message.createECDH(exchange.calc_public_value(private))

    def send_key_exchange(self) -> None:
        """ClientKeyExchange, and the keys that follow from it."""
        self.send(self.key_exchange())
        self.derive()

    def derive(self) -> None:
        """The keys, from the pre-master secret and the transcript as it is now."""
        extended = self.server_hello.getExtension(ExtensionType.extended_master_secret) is not None
        self.master_secret = calc_key(
            VERSION,
            self.pre_master_secret,
            self.suite,
            b"extended master secret" if extended else b"master secret",
            handshake_hashes=self.hashes,
            client_random=self.client_random,
            server_random=self.server_hello.random,
            output_length=MASTER_SECRET_LENGTH,
        )
        self.prepare_keys()

    def prepare_keys(self) -> None:
        """The pending states of both directions, from the master secret."""
        self.layer.calcPendingStates(
            self.suite, self.master_secret, self.client_random, self.server_hello.random, ["python"]
        )

    def send_change_cipher_spec(self) -> None:
        """ChangeCipherSpec; from here on all is protected."""
        self.send(ChangeCipherSpec().create())
        self.layer.changeWriteState()

    def verify_data(self, label: bytes = b"client finished") -> bytearray:
        """The content of a Finished as the transcript is now."""
        data: bytearray = calc_key(
            VERSION,
            self.master_secret,
            self.suite,
            label,
            handshake_hashes=self.hashes,
            output_length=VERIFY_DATA_LENGTH,
        )
        return data

    def finished(self) -> Any:
        """Our Finished."""
        self.client_verify_data = self.verify_data()
        return Finished(VERSION).create(self.client_verify_data)

    def send_finished(self) -> None:
        """ChangeCipherSpec and Finished."""
        self.send_change_cipher_spec()
        self.send(self.finished())

    def receive_finished(self) -> None:
        """The server's ticket, if it gives one, its ChangeCipherSpec and Finished, which has to be right."""
        if self.merges:
            self.owed_finished = self.hashes.copy()
        else:
            self.take_finished()

    def take_finished(self) -> None:
        """The same, now."""
        incoming = self.receive()
        if incoming.is_handshake(HandshakeType.new_session_ticket):
            self.ticket = bytearray(incoming.data[10:])
            incoming = self.receive()
        assert incoming.content_type == ContentType.change_cipher_spec, incoming.alert or incoming
        self.layer.changeReadState()
        self.server_verify_data = self.verify_data(b"server finished")
        message = self.receive_handshake(HandshakeType.finished, Finished(VERSION))
        assert message.verify_data == self.server_verify_data

    def certificate_verify(self, identity: Identity, **changes: Any) -> Any:
        """Our CertificateVerify over the transcript as it is now; changes: for what makes it."""
        values: dict[str, Any] = {
            "version": VERSION,
            "handshakeHashes": self.hashes,
            "validSigAlgs": [pair for pair in SIGNATURES if (pair[1] == SignatureAlgorithm.rsa) == is_rsa(identity)],
            "privateKey": private_key(identity),
            "certificateRequest": self.request,
            "premasterSecret": self.pre_master_secret,
            "clientRandom": self.client_random,
            "serverRandom": self.server_hello.random,
        }
        return KeyExchange.makeCertificateVerify(**(values | changes))

    def send_second_flight(self, identity: Identity | None = None) -> None:
        """All that an honest client sends after ServerHelloDone; identity: what it shows if it is asked."""
        if self.request is not None:
            self.send(certificate_of(identity))
        self.send_key_exchange()
        if self.request is not None and identity is not None:
            self.send(self.certificate_verify(identity))
        self.send_finished()

    def connect(self, identity: Identity | None = None, **changes: Any) -> None:
        """A whole honest handshake, also a second one; identity: what it shows if it is asked."""
        self.hashes = HandshakeHashes()
        self.send_hello(**changes)
        self.receive_flight()
        self.send_second_flight(identity)
        self.receive_finished()

    @property
    def kept(self) -> Kept:
        """The session of this connection."""
        return Kept(self.suite, self.master_secret, self.server_hello.session_id, self.ticket)

    def ask_to_resume(self, kept: Kept, **changes: Any) -> None:
        """A ClientHello that offers that session, by its ticket if it has one."""
        if kept.ticket:
            self.extensions = [SessionTicketExtension().create(kept.ticket)]
        values = {"session_id": bytearray(os.urandom(32)) if kept.ticket else kept.session_id}
        self.send_hello(**(values | changes))
        self.asked_id = (values | changes)["session_id"]

    def receive_resumption(self, kept: Kept) -> None:
        """The server takes the session: its whole part of the abbreviated handshake."""
        self.receive_server_hello()
        assert self.server_hello.session_id == self.asked_id
        assert self.suite == kept.suite
        self.master_secret = kept.master_secret
        self.prepare_keys()
        self.receive_finished()

    def receive_full_flight_instead(self) -> None:
        """The server does not take the session: the flight of a full handshake."""
        self.receive_server_hello()
        assert self.server_hello.session_id != self.asked_id
        self.receive_rest_of_flight()

    def get_page(self) -> None:
        """A request, and its answer."""
        self.send(ApplicationData().create(bytearray(b"GET / HTTP/1.1\r\nHost: " + self.name.encode() + b"\r\n\r\n")))
        page = b""
        while b"\r\n\r\n" not in page:
            incoming = self.receive()
            assert incoming.content_type == ContentType.application_data, incoming.alert or incoming
            page += incoming.data
        assert page.startswith(b"HTTP/1.1 200 ")
        head, _, body = page.partition(b"\r\n\r\n")
        [length] = [int(line[15:]) for line in head.splitlines() if line.lower().startswith(b"content-length:")]
        while len(body) < length:
            body += self.receive().data

    def send_alert(self, description: int, level: int) -> None:
        """One alert."""
        self.send(Alert().create(description, level))

    def close(self) -> None:
        """close_notify both ways, then the end."""
        self.send_alert(AlertDescription.close_notify, 1)
        assert self.receive_alert() == (1, CLOSE_NOTIFY)
        self.receive_end()


def is_rsa(identity: Identity) -> bool:
    """Whether its key is RSA."""
    return "RSA" in type(identity.credential.private_key).__name__


def private_key(identity: Identity) -> Any:
    """tlslite-ng's object for the key."""
    return parsePEMKey(identity.key.read_text(encoding="ascii"), private=True)


def certificate_of(identity: Identity | None) -> Any:
    """The Certificate message that shows it, an empty one for None."""
    message = Certificate(CertificateType.x509, VERSION)
    if identity is None:
        return message.create([])
    return message.create(X509CertChain([X509().parse(identity.chain.read_text(encoding="ascii"))]))


class Merging:
    """Stands for a script's socket: what is written waits until something is read."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def send(self, data: bytes) -> int:
        """Takes everything."""
        self.script.outgoing += data
        return len(data)

    def recv(self, length: int) -> bytes:
        """Reads, once all is written."""
        self.script.flush()
        return self.script.transport.recv(length)


class Recorder:
    """Stands for a socket, and keeps what is written."""

    def __init__(self, sent: bytearray) -> None:
        self.sent = sent

    def send(self, data: bytes) -> int:
        """Takes everything."""
        self.sent += data
        return len(data)
