"""Drives tlslite-ng as a server: ROLE PORT CERT KEY CA NAME [client-auth] [ticket] [id].

It answers whatever it reads, each connection in a thread of its own.
"""

from __future__ import annotations

import socket
import sys
import threading
from pathlib import Path

from tlslite.api import HandshakeSettings, SessionCache, TLSConnection, X509CertChain, parsePEMKey

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"
READ_BYTES = 1 << 14


def main(arguments: list[str]) -> None:
    _role, port, cert, key, _ca, _name, *words = arguments
    chain = X509CertChain()
    chain.parsePemList(Path(cert).read_text(encoding="ascii"))
    private = parsePEMKey(Path(key).read_text(encoding="ascii"), private=True)
    settings = HandshakeSettings()
    settings.minVersion = settings.maxVersion = (3, 3)
    settings.ticketKeys = [bytes(range(32))] if "ticket" in words else []
    sessions = SessionCache() if "id" in words else None
    listener = socket.create_server(("127.0.0.1", int(port)), backlog=512)
    while True:
        plain, _ = listener.accept()
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        arguments_of_handshake = {
            "certChain": chain,
            "privateKey": private,
            "settings": settings,
            "sessionCache": sessions,
            "reqCert": "client-auth" in words,
        }
        threading.Thread(target=answer, args=(plain, arguments_of_handshake), daemon=True).start()


def answer(plain: socket.socket, arguments: dict[str, object]) -> None:
    connection = TLSConnection(plain)
    try:
        connection.handshakeServer(**arguments)
        while connection.read(min=1, max=READ_BYTES):
            connection.write(ANSWER)
        connection.close()
    except Exception as error:  # noqa: BLE001 whatever the library raises ends this connection and no other
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        plain.close()


if __name__ == "__main__":
    main(sys.argv[1:])
