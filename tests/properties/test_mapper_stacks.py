"""The scripted peer against stacks that share no line with it: OpenSSL through `ssl`, and tlslite-ng, in process."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from shakeproof.model import messages as m
from shakeproof.model.facts import Value
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper.certificates import SERVER_NAME, anchors_pem, chain
from shakeproof.properties.mapper.tls12 import Keys, Observation, Peer
from tests.properties.mapper_pairs import SETUPS, Setup, handshake_of

CIPHERS = "ALL:@SECLEVEL=0"
HELLO = b"hello"
AFTERWARDS = 4
"""Steps of `handshake_of` after the server's Finished."""


class Stack(Protocol):
    """A stack in process: bytes in, bytes out, and what its application was given."""

    received: bytes

    def step(self, data: bytes) -> bytes: ...

    def write(self, data: bytes) -> None: ...


class OpenSsl:
    def __init__(self, side: str, setup: Setup, folder: Path) -> None:
        if side == "server":
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            made = chain(setup.certificate_key)
            file = folder / "server.pem"
            file.write_text(made.pem + made.private_key_pem)
            context.load_cert_chain(file)
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(cadata=anchors_pem())
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        self.inside, self.outside = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.inside,
            self.outside,
            server_side=side == "server",
            server_hostname=None if side == "server" else SERVER_NAME,
        )
        self.connected = False
        self.received = b""

    def step(self, data: bytes) -> bytes:
        self.inside.write(data)
        try:
            if not self.connected:
                self.tls.do_handshake()
                self.connected = True
            self.received += self.tls.read(1 << 14)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.connected = False
        return self.outside.read()

    def write(self, data: bytes) -> None:
        self.tls.write(data)


class MemorySocket:
    def __init__(self) -> None:
        self.inside, self.outside = bytearray(), bytearray()

    def send(self, data: bytes) -> int:
        self.outside += data
        return len(data)

    sendall = send

    def recv(self, length: int) -> bytes:
        if not self.inside:
            raise OSError(errno.EWOULDBLOCK, "nothing yet")
        data = bytes(self.inside[:length])
        del self.inside[:length]
        return data

    def close(self) -> None: ...

    def flush(self) -> None: ...


class Tlslite:
    def __init__(self, side: str, setup: Setup, folder: Path) -> None:
        api = pytest.importorskip("tlslite.api")
        self.socket = MemorySocket()
        self.tls = api.TLSConnection(self.socket)
        settings = api.HandshakeSettings()
        settings.minVersion = settings.maxVersion = (3, 3)
        settings.cipherNames = ["aes128gcm" if setup.bulk == "gcm" else "aes128"]
        settings.macNames = ["sha", "aead"]
        settings.keyExchangeNames = ["rsa" if setup.key_exchange == "rsa" else f"ecdhe_{setup.certificate_key}"]
        if side == "server":
            made = chain(setup.certificate_key)
            certificates = api.X509CertChain()
            certificates.parsePemList(made.pem)
            key = api.parsePEMKey(made.private_key_pem, private=True)
            self.work: Iterator[Any] = self.tls.handshakeServerAsync(
                certChain=certificates, privateKey=key, settings=settings
            )
        else:
            self.work = self.tls.handshakeClientCert(settings=settings, serverName=SERVER_NAME, async_=True)
        self.connected = False
        self.received = b""

    def step(self, data: bytes) -> bytes:
        self.socket.inside += data
        while not self.connected:
            try:
                if next(self.work) == 0 and not self.socket.inside:  # it wants to read, and there is nothing
                    break
            except StopIteration:
                self.connected = True
        if self.connected and self.socket.inside:
            self.received += bytes(next(self.tls.readAsync(max=1 << 14, min=1)))
        out = bytes(self.socket.outside)
        self.socket.outside.clear()
        return out

    def write(self, data: bytes) -> None:
        self.tls.write(data)


STACKS = {"openssl": OpenSsl, "tlslite": Tlslite}


def peer_of(side: str, setup: Setup) -> Peer:
    return Peer(
        "client" if side == "server" else "server",
        key_exchange=setup.key_exchange,
        certificate_key=setup.certificate_key,
        bulk=setup.bulk,
    )


def run(peer: Peer, stack: Stack, steps: list[tuple[str, Symbol]]) -> list[Observation]:
    """What the stack says while the peer says its own steps."""
    seen = peer.classify(stack.step(b""))
    for side, symbol in steps:
        if side == peer.role:
            seen += peer.classify(stack.step(peer.concretise(symbol)))
    return seen


def expected_of(side: str, setup: Setup, name: str) -> list[Symbol]:
    """What an honest stack says in the honest connection."""
    said = [symbol for who, symbol in handshake_of(setup)[:-AFTERWARDS] if who == side]
    if side == "client":  # both stacks take tickets, and OpenSSL offers all its suites
        said[0] = said[0].with_values(m.ticketed, *([m.offers_several] if name == "openssl" else []))
    return said


@pytest.mark.parametrize("name", STACKS)
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_peer_completes_with_a_real_stack_and_reads_each_of_its_messages(
    name: str, side: str, setup: Setup, tmp_path: Path
) -> None:
    stack: Any = STACKS[name](side, setup, tmp_path)
    peer = peer_of(side, setup)
    seen = run(peer, stack, handshake_of(setup)[:-AFTERWARDS])
    assert [item.symbol for item in seen] == expected_of(side, setup, name)
    assert seen[-1].keys is seen[-1].finished is Keys.HONEST
    assert stack.connected
    assert peer.key_log[0].startswith("CLIENT_RANDOM ")
    stack.write(HELLO)
    data = peer.classify(stack.step(peer.concretise(m.ApplicationData.symbol(), data=HELLO)))
    assert [(item.symbol, item.raw) for item in data] == [(m.ApplicationData.symbol(), HELLO)]
    assert stack.received == HELLO


@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("fragment", [1, 20, 100])
def test_peer_completes_in_fragments(side: str, fragment: int, tmp_path: Path) -> None:
    setup = SETUPS[0]
    stack = OpenSsl(side, setup, tmp_path)
    peer = peer_of(side, setup)
    seen = peer.classify(stack.step(b""))
    for who, symbol in handshake_of(setup)[:-AFTERWARDS]:
        if who == peer.role:
            data = stack.step(peer.concretise(symbol, fragment=fragment))
            for position in range(len(data)):
                seen += peer.classify(data[position : position + 1])
    assert [item.symbol for item in seen] == expected_of(side, setup, "openssl")
    assert stack.connected


# What OpenSSL 3 answers to each defect where it is due: the alert that the defect deserves shows that the bytes have
# this defect and no other. Several alerts: versions of OpenSSL differ.
ANSWERS: list[tuple[Symbol, set[Value]]] = [
    (m.ClientHello.symbol(m.old_version), {m.protocol_version}),
    (m.ClientHello.symbol(m.no_common_suite), {m.handshake_failure}),
    (m.ClientHello.symbol(m.no_null_compression), {m.decode_error, m.illegal_parameter}),
    (m.ClientHello.symbol(m.renegotiation_claimed), {m.handshake_failure}),
    (m.ClientHello.symbol(m.broken_hello), {m.decode_error}),
    (m.ClientHello.symbol(m.broken_hello, m.bare), {m.decode_error}),
    (m.ServerHello.symbol(m.alien_suite, m.ecdhe), {m.illegal_parameter}),
    (m.ServerHello.symbol(m.alien_version, m.ecdhe), {m.protocol_version}),
    (m.ServerHello.symbol(m.alien_compression, m.ecdhe), {m.illegal_parameter}),
    (m.ServerHello.symbol(m.alien_extension, m.ecdhe), {m.unsupported_extension}),
    (m.ServerHello.symbol(m.renegotiation_forged, m.ecdhe), {m.illegal_parameter}),
    (m.ServerHello.symbol(m.broken_answer, m.ecdhe), {m.decode_error}),
    (m.Certificate.symbol(m.empty_chain), {m.decode_error, m.bad_certificate}),
    (m.Certificate.symbol(m.expired), {m.certificate_expired}),
    (m.Certificate.symbol(m.not_yet_valid), {m.bad_certificate}),
    (m.Certificate.symbol(m.wrong_name), {m.bad_certificate}),
    (m.Certificate.symbol(m.untrusted), {m.unknown_ca}),
    (m.Certificate.symbol(m.bad_signature), {m.decrypt_error, m.bad_certificate}),
    (m.Certificate.symbol(m.issuer_not_ca), {m.unknown_ca}),
    (m.Certificate.symbol(m.wrong_usage), {m.unsupported_certificate}),
    (m.Certificate.symbol(m.wrong_key_type), {m.illegal_parameter}),
    (m.Certificate.symbol(m.broken_chain), {m.bad_certificate, m.decode_error}),
    (m.ServerKeyExchange.symbol(m.forged_signature), {m.decrypt_error}),
    (m.ServerKeyExchange.symbol(m.alien_group), {m.illegal_parameter}),
    (m.ServerKeyExchange.symbol(m.alien_scheme), {m.illegal_parameter}),
    (m.ServerKeyExchange.symbol(m.bad_point), {m.illegal_parameter}),
    (m.ServerKeyExchange.symbol(m.broken_params), {m.decode_error}),
    (m.ServerHelloDone.symbol(m.overfull), {m.illegal_parameter, m.decode_error}),
    (m.ClientKeyExchange.symbol(m.off_curve), {m.illegal_parameter}),
    (m.ClientKeyExchange.symbol(m.broken_secret), {m.decode_error}),
    (m.ChangeCipherSpec.symbol(m.not_one), {m.unexpected_message}),
    (m.Finished.symbol(m.mismatch), {m.decrypt_error}),
    (m.Finished.symbol(m.broken_finished), {m.decode_error}),
]


@pytest.mark.parametrize(("symbol", "alerts"), ANSWERS, ids=lambda value: value.text if hasattr(value, "text") else "")
@pytest.mark.parametrize("setup", [SETUPS[0], SETUPS[2]], ids=str)
def test_openssl_gives_each_defect_the_alert_that_it_deserves(
    setup: Setup, symbol: Symbol, alerts: set[Value], tmp_path: Path
) -> None:
    steps = handshake_of(setup)
    stage, side = next((i, who) for i, (who, said) in enumerate(steps) if said.message is symbol.message)
    stack = OpenSsl("client" if side == "server" else "server", setup, tmp_path)
    peer = peer_of("client" if side == "server" else "server", setup)
    run(peer, stack, steps[:stage])
    assert peer.applicable(symbol) == ""
    seen = peer.classify(stack.step(peer.concretise(symbol)))
    answer = seen[-1].symbol
    assert answer.message is m.Alert
    assert answer.has(m.fatal)
    assert [alert for alert in alerts if answer.has(alert)]


@pytest.mark.parametrize(
    ("value", "alert"),
    [
        (m.bad_mac, m.bad_record_mac),
        (m.bad_padding, m.bad_record_mac),
        (m.too_long, m.record_overflow),
        (m.alien_type, m.unexpected_message),
    ],
)
@pytest.mark.parametrize("side", ["client", "server"])
def test_openssl_gives_each_broken_record_the_alert_that_it_deserves(
    side: str, value: Value, alert: Value, tmp_path: Path
) -> None:
    setup = SETUPS[1]
    stack = OpenSsl(side, setup, tmp_path)
    peer = peer_of(side, setup)
    run(peer, stack, handshake_of(setup)[:-AFTERWARDS])
    seen = peer.classify(stack.step(peer.concretise(m.Record.symbol(value))))
    assert [item.symbol for item in seen] == [m.Alert.symbol(m.fatal, alert)]


@pytest.mark.parametrize("value", [m.bad_block, m.bad_version])
@pytest.mark.parametrize("setup", SETUPS[3:], ids=str)
def test_openssl_shows_a_bad_rsa_block_only_at_finished(setup: Setup, value: Value, tmp_path: Path) -> None:
    stack = OpenSsl("server", setup, tmp_path)
    peer = peer_of("server", setup)
    steps = handshake_of(setup)
    run(peer, stack, steps[:4])
    assert stack.step(peer.concretise(m.ClientKeyExchange.symbol(value))) == b""
    seen = run(peer, stack, steps[5:7])
    assert [item.symbol for item in seen] == [m.Alert.symbol(m.fatal, m.bad_record_mac)]


def test_bytes_that_are_no_tls_are_said_to_be_none() -> None:
    peer = Peer("client")
    seen = peer.classify(b"HTTP/1.0 400 Bad Request\r\n") + peer.classify(b"\x1b[2J more")
    assert [item.symbol for item in seen] == [m.Record.symbol(m.alien_type)]
    assert "HTTP/1.0 400" in seen[0].detail
    assert seen[0].detail.isprintable()
