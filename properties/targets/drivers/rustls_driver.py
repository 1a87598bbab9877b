"""Drives rustls, through rtls, as a server or a client: ROLE PORT CERT KEY CA NAME [client-auth] [ticket].

A server answers whatever it reads, each connection in a thread of its own. A client connects at once, and once more for
each further line on standard input. The socket is ours, and rtls works in memory: what rustls has to say is sent also
where it fails, and in one piece.
"""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import rtls as ssl

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
READ_BYTES = 1 << 14
T = TypeVar("T")


class EndedError(Exception):
    """The peer has closed the transport."""


class ClosedError(Exception):
    """The peer has sent close_notify."""


class Connection:
    """One TLS connection over a socket."""

    def __init__(self, context: ssl.SSLContext, plain: socket.socket, name: str | None) -> None:
        self._plain = plain
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=name is None, server_hostname=name)

    def handshake(self) -> None:
        """The whole of it."""
        self._run(self._tls.do_handshake)

    def read(self) -> bytes:
        """What the peer sent."""
        return bytes(self._run(lambda: self._tls.read(READ_BYTES)))

    def write(self, data: bytes) -> None:
        """Encrypt and send."""
        self._run(lambda: self._tls.write(data))

    def close(self) -> None:
        """Send close_notify."""
        try:
            self._tls.unwrap()
        except OSError:
            pass
        finally:
            self._send()

    def _run(self, call: Callable[[], T]) -> T:
        while True:
            try:
                return call()
            except ssl.SSLWantReadError:
                self._send()
                if self._is_over():
                    raise ClosedError from None
                data = self._plain.recv(READ_BYTES)
                if not data:
                    raise EndedError from None
                self._incoming.write(data)
            finally:
                self._send()

    def _is_over(self) -> bool:
        """Whether close_notify came: rustls then wants nothing more, and rtls says nothing of it."""
        return not self._tls._conn.wants_read()

    def _send(self) -> None:
        self._tls._flush_outgoing()  # an alert, where a call failed
        data = self._outgoing.read()
        if data:
            self._plain.sendall(data)


def main(arguments: list[str]) -> None:
    role, port, cert, key, ca, name, *words = arguments
    server = role == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    if server or "client-auth" in words:
        context.load_cert_chain(cert, key)
    if not server or "client-auth" in words:
        context.load_verify_locations(ca)
    if server and "client-auth" in words:
        context.verify_mode = ssl.CERT_OPTIONAL
    if server:
        serve(context, int(port))
        return
    talk(context, socket.create_connection(("127.0.0.1", int(port))), name)
    for _ in sys.stdin:
        talk(context, socket.create_connection(("127.0.0.1", int(port))), name)


def serve(context: ssl.SSLContext, port: int) -> None:
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    while True:
        plain, _ = listener.accept()
        threading.Thread(target=talk, args=(context, plain), daemon=True).start()


def talk(context: ssl.SSLContext, plain: socket.socket, name: str | None = None) -> None:
    """One connection to its end. name: of the server, for a client, which asks first; a server answers."""
    with plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(context, plain, name)
        try:
            connection.handshake()
            if name is not None:
                connection.write(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
            while connection.read():  # data, or an exception
                if name is None:
                    connection.write(ANSWER)
        except ClosedError:
            connection.close()
        except EndedError:
            print("the peer has closed the transport", file=sys.stderr)
        except OSError as error:  # the errors of TLS are among them
            print(error, file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
