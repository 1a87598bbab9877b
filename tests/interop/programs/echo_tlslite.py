"""tlslite-ng: a server that echoes, or a client that sends its input and prints the echo.

See tests/interop/stacks.py for the options and for what is printed.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import CipherSuite
from tlslite.errors import TLSError

CHUNK = 16384
TIMEOUT_S = 30.0


def make_settings(options: dict[str, Any]) -> HandshakeSettings:
    """TLS 1.2 with those suites. suites: [key exchange, cipher, MAC] in tlslite's words."""
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 3)
    exchanges, ciphers, macs = zip(*options["suites"], strict=True)
    settings.keyExchangeNames = list(dict.fromkeys(exchanges))
    settings.cipherNames = list(dict.fromkeys(ciphers))
    settings.macNames = list(dict.fromkeys(macs))
    if options["session"] == "ticket" and options["role"] == "server":
        settings.ticketKeys = [bytearray(os.urandom(32))]
    return settings


def load(certificate: dict[str, str]) -> tuple[X509CertChain, Any]:
    """Chain and key."""
    chain = X509CertChain()
    chain.parsePemList(Path(certificate["chain"]).read_text(encoding="ascii"))
    return chain, parsePEMKey(Path(certificate["key"]).read_text(encoding="ascii"), private=True)


def suite_name(code: int) -> str:
    """The RFC's name."""
    name: str = CipherSuite.ietfNames[code]
    return name


def report(connection: TLSConnection, *, resumed: bool, clean: bool, error: str = "") -> str:
    """The line of JSON for a connection."""
    session = connection.session
    return json.dumps(
        {
            "suite": suite_name(session.cipherSuite),
            "resumed": resumed,
            "client": "client.test" if session.clientCertChain else "",
            "clean": clean,
            "error": error,
        }
    )


def serve(options: dict[str, Any]) -> None:
    """Echoes, one connection after the other."""
    cache = SessionCache() if options["session"] == "id" else None
    settings = make_settings(options)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"LISTENING {listener.getsockname()[1]}", flush=True)
        while True:
            transport, _ = listener.accept()
            transport.settimeout(TIMEOUT_S)
            transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with transport:
                try:
                    serve_one(options, settings, transport, cache)
                except (OSError, TLSError) as error:
                    print(json.dumps({"error": repr(error)}), flush=True)


def serve_one(
    options: dict[str, Any], settings: HandshakeSettings, transport: socket.socket, cache: SessionCache | None
) -> None:
    """Echoes until the client's close_notify, which tlslite-ng answers."""
    connection = TLSConnection(transport)
    connection.closeSocket = False
    chain, key = load(options["certificates"][0])
    if len(options["certificates"]) > 1:
        from tlslite.handshakesettings import Keypair, VirtualHost

        other, other_key = load(options["certificates"][1])
        host = VirtualHost()
        host.keys = [Keypair(other_key, other.x509List)]
        settings.virtual_hosts = [host]
    connection.handshakeServer(
        certChain=chain,
        privateKey=key,
        reqCert=options["client_auth"] != "none",
        sessionCache=cache,
        settings=settings,
    )
    if options["record"]:
        connection.recordSize = options["record"]
    while data := connection.recv(CHUNK):
        connection.sendall(data)
    print(report(connection, resumed=connection.resumed, clean=True), flush=True)
    transport.shutdown(socket.SHUT_WR)
    transport.recv(1)  # the client's end


def visit(options: dict[str, Any]) -> None:
    """Sends the input and prints the echo, as often as asked."""
    data = sys.stdin.buffer.read()
    session = None
    for _ in range(options["times"]):
        with socket.create_connection(("127.0.0.1", options["port"]), TIMEOUT_S) as transport:
            transport.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = TLSConnection(transport)
            connection.closeSocket = False
            connection.ignoreAbruptClose = False
            chain, key = load(options["certificates"][0]) if options["certificates"] else (None, None)
            connection.handshakeClientCert(
                certChain=chain,
                privateKey=key,
                session=session,
                settings=make_settings(options),
                serverName=options["name"],
            )
            if options["record"]:
                connection.recordSize = options["record"]
            connection.sendall(data)
            received = bytearray()
            while options["expect"] < 0 or len(received) < options["expect"]:
                chunk = connection.recv(CHUNK)
                if not chunk:
                    break
                received += chunk
            connection.close()  # sends close_notify and waits for the server's
            session = connection.session
            sys.stdout.buffer.write(received)
            print(report(connection, resumed=connection.resumed, clean=True), file=sys.stderr, flush=True)


if __name__ == "__main__":
    chosen = json.loads(sys.argv[1])
    serve(chosen) if chosen["role"] == "server" else visit(chosen)
