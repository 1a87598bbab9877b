"""Python's ssl: a server that echoes, or a client that sends its input and prints the echo.

See tests/interop/stacks.py for the options and for what is printed.
"""

from __future__ import annotations

import contextlib
import json
import selectors
import socket
import ssl
import sys
from typing import Any

CHUNK = 65536
TIMEOUT_S = 30.0


def make_context(options: dict[str, Any]) -> ssl.SSLContext:
    """A TLS 1.2 context for the role."""
    server = options["role"] == "server"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(options["suites"]))
    for certificate in options["certificates"]:
        context.load_cert_chain(certificate["chain"], certificate["key"])
    context.load_verify_locations(options["ca"])
    if server:
        modes = {"none": ssl.CERT_NONE, "request": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}
        context.verify_mode = modes[options["client_auth"]]
    if options["session"] != "ticket":
        context.options |= ssl.OP_NO_TICKET
    return context


def common_name(connection: ssl.SSLSocket) -> str:
    """The peer's, "" without certificate."""
    certificate = connection.getpeercert() or {}
    subject: Any = certificate.get("subject", ())
    return next((value for rdn in subject for key, value in rdn if key == "commonName"), "")


def report(connection: ssl.SSLSocket, *, clean: bool, error: str = "") -> str:
    """The line of JSON for a connection."""
    cipher = connection.cipher()
    return json.dumps(
        {
            "suite": cipher[0] if cipher else None,
            "resumed": connection.session_reused,
            "client": common_name(connection) if connection.server_side else None,
            "clean": clean,
            "error": error,
        }
    )


def say(line: str) -> None:
    """A line on standard output, at once."""
    print(line, flush=True)


def serve(options: dict[str, Any]) -> None:
    """Echoes, one connection after the other."""
    context = make_context(options)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        say(f"LISTENING {listener.getsockname()[1]}")
        while True:
            transport, _ = listener.accept()
            transport.settimeout(TIMEOUT_S)
            try:
                serve_one(context, transport)
            except OSError as error:
                say(json.dumps({"error": str(error)}))


def serve_one(context: ssl.SSLContext, transport: socket.socket) -> None:
    """Echoes until the client's close_notify, and answers it."""
    wrapped = context.wrap_socket(transport, server_side=True, suppress_ragged_eofs=False)
    with wrapped as connection:
        while data := connection.recv(CHUNK):
            connection.sendall(data)
        line = report(connection, clean=True)
        connection.unwrap().close()
        say(line)


def visit(options: dict[str, Any]) -> None:
    """Sends the input and prints the echo, as often as asked."""
    context = make_context(options)
    data = sys.stdin.buffer.read()
    session = None
    for _ in range(options["times"]):
        transport = socket.create_connection(("127.0.0.1", options["port"]), TIMEOUT_S)
        transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(
            transport, server_hostname=options["name"], session=session, suppress_ragged_eofs=False
        ) as connection:
            sys.stdout.buffer.write(exchange(connection, data, options["expect"]))
            session = connection.session
            line = report(connection, clean=True)
            connection.unwrap().close()  # sends close_notify and waits for the server's
            print(line, file=sys.stderr, flush=True)


def exchange(connection: ssl.SSLSocket, data: bytes, expect: int) -> bytes:
    """Sends data while the answer comes."""
    connection.setblocking(False)
    received = bytearray()
    view = memoryview(data)
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while view or expect < 0 or len(received) < expect:
            if view:
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    view = view[connection.send(view[:CHUNK]) :]
            try:
                chunk = connection.recv(CHUNK)
                if not chunk:
                    break
                received += chunk
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                selector.modify(connection, selectors.EVENT_READ | (selectors.EVENT_WRITE if view else 0))
                selector.select(TIMEOUT_S)
    connection.settimeout(TIMEOUT_S)
    return bytes(received)


if __name__ == "__main__":
    chosen = json.loads(sys.argv[1])
    serve(chosen) if chosen["role"] == "server" else visit(chosen)
