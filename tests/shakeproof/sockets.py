"""Servers and clients on loopback for the tests of serve and fetch: ours in a thread, Python's `ssl` as stranger."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from shakeproof.impl.tls import Credential, ServerConfig, ServerConnection
from shakeproof.impl.tls.signatures import PrivateKey
from shakeproof.material import factory_anchors_pem, factory_credentials
from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.serving import Account, Limits, Server, listen

PATIENCE_S = 20.0
"""After this a test hangs; nothing that works takes a tenth of it."""
NAMES = ("server.shakeproof.test", "localhost", "127.0.0.1")
CLOSE_NOTIFY = bytes((1, 0))


def server_config(**changes: Any) -> ServerConfig:
    """A server's with the test certificates."""
    return ServerConfig(**({"credentials": factory_credentials(NAMES), "alpn": ("http/1.1",)} | changes))


class Serving:
    """Our server in a thread, for as long as the context lasts. errors: what asyncio would have complained about."""

    def __init__(
        self,
        config: ServerConfig | None = None,
        *,
        limits: Limits | None = None,
        connect: Callable[[], ServerConnection] | None = None,
    ) -> None:
        made = config if config is not None else server_config()
        self.accounts: queue.Queue[Account] = queue.Queue()
        self.errors: list[dict[str, Any]] = []
        self.server = Server(
            connect or (lambda: ServerConnection(made)), limits=limits or Limits(), report=self.accounts.put
        )
        self.listener = listen("127.0.0.1", 0)
        self.port: int = self.listener.getsockname()[1]
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.loop.run_until_complete(self.server.run(self.listener))
        self.loop.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert not self.errors

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        if self._thread.is_alive():
            with contextlib.suppress(RuntimeError):  # it ended by itself meanwhile
                self.loop.call_soon_threadsafe(self.server.stop)
            self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the server does not stop"

    def account(self) -> Account:
        """The next connection that ended."""
        return self.accounts.get(timeout=PATIENCE_S)

    def ask(self, question: Callable[[], Any]) -> Any:
        """The answer to a question, asked in the server's thread."""

        async def asked() -> Any:
            return question()

        return asyncio.run_coroutine_threadsafe(asked(), self.loop).result(PATIENCE_S)

    def connect(self) -> socket.socket:
        """A TCP connection to it."""
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)

    def tls(self, name: str = "localhost", context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A TLS connection to it."""
        sock = self.connect()
        try:
            return (context or client_context()).wrap_socket(sock, server_hostname=name)
        except BaseException:
            sock.close()
            raise


def client_context(**options: Any) -> ssl.SSLContext:
    """A client of Python's that trusts the test CAs and says so when it is cut off."""
    context = ssl.create_default_context(cadata=factory_anchors_pem())
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    for name, value in options.items():
        setattr(context, name, value)
    return context


def read_all(sock: socket.socket) -> bytes:
    """Everything until the peer ends. A reset raises."""
    parts = []
    while part := sock.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def pem_file(folder: Path, credential: Credential, name: str = "server.pem") -> Path:
    """A file with key and chain."""
    key = credential.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in credential.chain)
    path = folder / name
    path.write_bytes(key + chain)
    return path


def anchors_file(folder: Path) -> Path:
    """A file with the test CAs."""
    path = folder / "ca.pem"
    path.write_text(factory_anchors_pem(), encoding="ascii")
    return path


def defective(*defects: certificates.CertificateDefect) -> Credential:
    """A certificate for the factory's server name with these defects."""
    made = certificates.chain("rsa", frozenset(defects))
    return Credential(made.der, made.private_key)


def credential_for(
    common_name: str, *, names: Sequence[str] = (), client: bool = False, of: Owner = Owner.LEAF
) -> Credential:
    """A certificate of the test CA with that subject: a server's for these names, or a client's."""
    issuer = certificates.chain("rsa").der[1]
    purpose = ExtendedKeyUsageOID.CLIENT_AUTH if client else ExtendedKeyUsageOID.SERVER_AUTH
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (certificates.key_usage("digital_signature", "key_encipherment"), True),
        (x509.ExtendedKeyUsage([purpose]), False),
    ]
    if names:
        extensions.append((x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False))
    leaf = certificates.issue(
        subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]),
        issuer=x509.load_der_x509_certificate(issuer).subject,
        key=private_key("rsa", of),
        issuer_key=private_key("rsa", Owner.INTERMEDIATE),
        serial=5,
        extensions=extensions,
    )
    return Credential((leaf, issuer), private_key("rsa", of))


def made_by_itself(path: Path, key: PrivateKey, *names: str) -> Path:
    """A file with that key and a certificate for these names that it signed itself."""
    leaf = certificates.issue(
        subject=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self")]),
        issuer=x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "self")]),
        key=key,
        issuer_key=key,
        serial=6,
        extensions=[(x509.SubjectAlternativeName([x509.DNSName(name) for name in names or ("self",)]), False)],
    )
    return pem_file(path.parent, Credential((leaf,), key), path.name)


@contextlib.contextmanager
def foreign_server(
    folder: Path,
    answer: Callable[[ssl.SSLSocket], object],
    *,
    configure: Callable[[ssl.SSLContext], None] | None = None,
) -> Iterator[int]:
    """Python's ssl as a server for one connection, in a thread; its port. answer: called with the connection.

    The socket is closed as TCP alone: who wants close_notify calls unwrap.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem_file(folder, factory_credentials(NAMES)[0]))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    if configure is not None:
        configure(context)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(PATIENCE_S)

    def run() -> None:
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE_S)
        # What goes wrong here is what the test provokes; the client's end is what it looks at.
        with sock, contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as tls:
            answer(tls)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(PATIENCE_S)
        listener.close()
        assert not thread.is_alive()


def read_head(tls: ssl.SSLSocket) -> bytes:
    """A request's head."""
    head = b""
    while b"\r\n\r\n" not in head:
        part = tls.recv(1 << 14)
        if not part:
            break
        head += part
    return head
