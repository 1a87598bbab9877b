"""OpenSSL in process, through Python's ssl module and two MemoryBIOs: no socket, and quiet is known exactly."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from shakeproof.properties.mapper import certificates
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target

READ_BYTES = 16384
ROUNDS_LIMIT = 64
"""Reads for one step: each gives at least a byte of what the step brought, so a step of one record needs two."""

REQUEST = b"GET / HTTP/1.1\r\nHost: server.shakeproof.test\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
CIPHERS = "ALL:@SECLEVEL=0"
"""Every suite, so that TLS_RSA is among them, and no minimal strength, so that bare ClientHellos are answered."""


@lru_cache(maxsize=8)
def _server_context(key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    chain = certificates.chain("ecdsa" if key == "ecdsa" else "rsa")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "server.pem"
        private = chain.private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in chain.der)
        path.write_text(private.decode() + pem, encoding="ascii")
        context.load_cert_chain(path)
    return context


@lru_cache(maxsize=1)
def _client_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    context.load_verify_locations(cadata=certificates.anchors_pem())
    return context


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # Tickets are a mechanism of their own; the tables do not have them yet.
    context.options |= ssl.OP_NO_TICKET


class OpenSslEndpoint(Endpoint):
    """One SSLObject over memory."""

    def __init__(self, context: ssl.SSLContext, *, server: bool) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._server = server
        self._connected = False
        self._closed = False
        name = None if server else certificates.SERVER_NAME
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_side=server, server_hostname=name)

    def start(self) -> Reaction:
        return self._run()

    def feed(self, data: bytes) -> Reaction:
        if self._closed:
            return Reaction(closed=True)
        self._incoming.write(data)
        return self._run()

    def end(self) -> Reaction:
        self._incoming.write_eof()
        return self._run()

    def call(self, name: str) -> Reaction | None:
        if name != "close" or not self._connected:
            return None
        try:
            self._ssl.unwrap()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            return Reaction(self._outgoing.read(), closed=True, note=_reason(error))
        return Reaction(self._outgoing.read())

    def _run(self) -> Reaction:
        delivered = bytearray()
        note = ""
        try:
            self._advance(delivered)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            note = "close_notify received"
            self._closed = True
            self._answer_closure()
        except ssl.SSLEOFError as error:
            note, self._closed = _reason(error), True
        except ssl.SSLError as error:
            note, self._closed = _reason(error), True
        return Reaction(self._outgoing.read(), self._closed, bytes(delivered), note=note)

    def _advance(self, delivered: bytearray) -> None:
        if not self._connected:
            self._ssl.do_handshake()
            self._connected = True
            if not self._server:
                self._ssl.write(REQUEST)
        for _ in range(ROUNDS_LIMIT):
            data = self._ssl.read(READ_BYTES)
            if not data:  # how Python says that close_notify came
                self._closed = True
                self._answer_closure()
                return
            delivered += data
            if self._server:
                self._ssl.write(RESPONSE)

    def _answer_closure(self) -> None:
        # unwrap() sends our close_notify; having had the peer's, it wants nothing more.
        try:
            self._ssl.unwrap()
        except ssl.SSLError:
            return


def _reason(error: ssl.SSLError) -> str:
    return str(getattr(error, "verify_message", "") or error.reason or error)


class OpenSslTarget(Target):
    """The OpenSSL that this Python is linked with, both roles."""

    name = "openssl"
    roles = ("tls12.client", "tls12.server")

    @property
    def description(self) -> str:
        return f"{ssl.OPENSSL_VERSION}, in process"

    def setups(self, role: str) -> tuple[Setup, ...]:
        return (
            Setup("rsa", "rsa", "cbc"),
            Setup("ecdhe", "rsa", "gcm"),
            Setup("ecdhe", "ecdsa", "gcm"),
        )

    def connect(self, role: str, setup: Setup) -> Endpoint:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context = _server_context(setup.certificate_key) if role == "tls12.server" else _client_context()
        return OpenSslEndpoint(context, server=role == "tls12.server")
