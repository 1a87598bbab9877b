"""OpenSSL in process, through Python's ssl module and two MemoryBIOs: no socket, and quiet is known exactly."""

from __future__ import annotations

import ssl
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import CLIENT_NAME, Chain
from shakeproof.properties.targets.base import SETUPS, End, Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.field import field_pem

READ_BYTES = 16384
ROUNDS_LIMIT = 64
"""Reads for one step: each gives at least a byte of what the step brought, so a step of one record needs two."""

REQUEST = b"GET / HTTP/1.1\r\nHost: server.shakeproof.test\r\n\r\n"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
CIPHERS = "ALL:@SECLEVEL=0"
"""Every suite, so that TLS_RSA is among them, and no minimal strength, so that bare ClientHellos are answered."""
ALLOW_CLIENT_RENEGOTIATION = 1 << 8
"""SSL_OP_ALLOW_CLIENT_RENEGOTIATION, which Python has no name for; OpenSSL 3 refuses without."""
IGNORE_UNEXPECTED_EOF = 1 << 7
"""SSL_OP_IGNORE_UNEXPECTED_EOF: the end of the transport is taken for a close_notify."""


@lru_cache(maxsize=64)
def _server_context(setup: Setup, by_name: bool, trusts_end: bool, older: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context, setup, trusts_end)
    if older:
        context.minimum_version = ssl.TLSVersion.TLSv1
    with tempfile.TemporaryDirectory() as folder:
        _load(context, certificates.chain(setup.certificate_key), Path(folder))
        if setup.key_exchange == "dhe":
            path = Path(folder) / "dh.pem"
            path.write_text(field_pem(), encoding="ascii")
            context.load_dh_params(str(path))
    if by_name:
        context.sni_callback = _serve_any_name
    if setup.client_auth:
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=certificates.anchors_pem())
    return context


def _serve_any_name(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
    """An application that has such a function goes by names: OpenSSL confirms them, and keeps them with sessions."""


@lru_cache(maxsize=64)
def _client_context(setup: Setup, trusts_end: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context, setup, trusts_end)
    context.load_verify_locations(cadata=certificates.anchors_pem())
    if setup.client_auth:
        with tempfile.TemporaryDirectory() as folder:
            _load(context, certificates.chain(setup.certificate_key, frozenset(), CLIENT_NAME, "client"), Path(folder))
    return context


def _load(context: ssl.SSLContext, chain: Chain, folder: Path) -> None:
    path = folder / "chain.pem"
    private = chain.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = "".join(ssl.DER_cert_to_PEM_cert(der) for der in chain.der)
    path.write_text(private.decode() + pem, encoding="ascii")
    context.load_cert_chain(path)


def _restrict(context: ssl.SSLContext, setup: Setup, trusts_end: bool) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    if not setup.tickets:
        context.options |= ssl.OP_NO_TICKET
    if setup.renegotiation:
        context.options |= ALLOW_CLIENT_RENEGOTIATION
    if trusts_end:
        context.options |= IGNORE_UNEXPECTED_EOF


class OpenSslEndpoint(Endpoint):
    """One SSLObject over memory. session: to resume."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, session: ssl.SSLSession | None = None) -> None:
        self._context = context
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._server = server
        self._connected = False
        self._closed = False
        self._end: End = ""
        name = None if server else certificates.SERVER_NAME
        self._ssl = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server, server_hostname=name, session=session
        )

    def start(self) -> Reaction:
        return self._run()

    def feed(self, data: bytes) -> Reaction:
        if self._closed:
            return Reaction(closed=True)
        self._incoming.write(data)
        return self._run()

    def end(self) -> Reaction:
        if self._closed:
            return Reaction(closed=True, end=self._end)
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
            if error.reason == "SHUTDOWN_WHILE_IN_INIT":
                return None  # as in the first handshake: the library has no way to close in the middle of one
            return Reaction(self._outgoing.read(), closed=True, note=_reason(error))
        return Reaction(self._outgoing.read())

    def again(self) -> Endpoint | None:
        session = None if self._server else self._ssl.session
        return OpenSslEndpoint(self._context, server=self._server, session=session)

    def _run(self) -> Reaction:
        delivered = bytearray()
        note = ""
        try:
            self._advance(delivered)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            note = "close_notify received"
            self._close_in_order()
        except ssl.SSLEOFError as error:
            note, self._closed, self._end = _reason(error), True, "truncated"
        except ssl.SSLError as error:
            note, self._closed = _reason(error), True
        return Reaction(self._outgoing.read(), self._closed, bytes(delivered), note=note, end=self._end)

    def _advance(self, delivered: bytearray) -> None:
        if not self._connected:
            self._ssl.do_handshake()
            self._connected = True
            if not self._server:
                self._ssl.write(REQUEST)
        for _ in range(ROUNDS_LIMIT):
            data = self._ssl.read(READ_BYTES)
            if not data:  # how Python says that close_notify came
                self._close_in_order()
                return
            delivered += data
            if self._server:
                self._ssl.write(RESPONSE)

    def _close_in_order(self) -> None:
        self._closed, self._end = True, "orderly"
        # unwrap() sends our close_notify; having had the peer's, it wants nothing more.
        try:
            self._ssl.unwrap()
        except ssl.SSLError:
            return


def _reason(error: ssl.SSLError) -> str:
    return str(getattr(error, "verify_message", "") or error.reason or error)


class OpenSslTarget(Target):
    """The OpenSSL that this Python is linked with, both roles.

    by_name: the server's application goes by names; trusts_end: the application takes the end of the transport for the
    end of the data; older: the server's has versions before TLS 1.2 enabled.
    """

    name = "openssl"
    roles = ("tls12.client", "tls12.server")

    def __init__(self, *, by_name: bool = False, trusts_end: bool = False, older: bool = False) -> None:
        self.by_name, self.trusts_end, self.older = by_name, trusts_end, older

    @property
    def description(self) -> str:
        return f"{ssl.OPENSSL_VERSION}, in process"

    @property
    def tells_end(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        return SETUPS

    def connect(self, role: str, setup: Setup) -> Endpoint:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            server = role == "tls12.server"
            if server:
                context = _server_context(setup, self.by_name, self.trusts_end, self.older)
            else:
                context = _client_context(setup, self.trusts_end)
        return OpenSslEndpoint(context, server=server)
