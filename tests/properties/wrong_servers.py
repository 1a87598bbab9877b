"""Servers that do what no server should. Each is a program of its own: python wrong_servers.py KIND PORT."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import sys
import time
from collections.abc import Callable

LENGTH = 1 << 16


def hang(connection: socket.socket) -> None:
    """Read, and say nothing."""
    while connection.recv(LENGTH):
        pass


def spin(connection: socket.socket) -> None:
    """Read, and think for ever."""
    connection.recv(LENGTH)
    connection.setblocking(False)
    while True:
        try:
            if not connection.recv(LENGTH):
                return
        except BlockingIOError:
            pass


def crash(connection: socket.socket) -> None:
    """Die of a signal."""
    connection.recv(LENGTH)
    print("about to fail: an assertion", flush=True)
    os.kill(os.getpid(), signal.SIGABRT)


def leave(connection: socket.socket) -> None:
    """Die with a status."""
    connection.recv(LENGTH)
    print("nothing is well", file=sys.stderr, flush=True)
    os._exit(3)


def flood(connection: socket.socket) -> None:
    """Never stop talking."""
    connection.recv(LENGTH)
    while True:
        connection.sendall(b"\x17\x03\x03\x40\x00" + bytes(0x4000))


def hundred_megabytes(connection: socket.socket) -> None:
    """Say far too much, and stop."""
    connection.recv(LENGTH)
    for _ in range(100):
        connection.sendall(bytes(1 << 20))
    hang(connection)


def close(connection: socket.socket) -> None:
    """Close at once."""
    connection.close()


def garbage(connection: socket.socket) -> None:
    """Answer with what is no TLS."""
    while connection.recv(LENGTH):
        connection.sendall(b"220 ready when you are\r\n" * 5)


def chatter(connection: socket.socket) -> None:
    """Print without end; whoever does not read that blocks it."""
    for _ in range(1000):
        print("x" * 1000, flush=True)
    close(connection)


KINDS: dict[str, Callable[[socket.socket], None]] = {
    "hang": hang,
    "spin": spin,
    "crash": crash,
    "leave": leave,
    "flood": flood,
    "hundred-megabytes": hundred_megabytes,
    "close": close,
    "garbage": garbage,
    "chatter": chatter,
}


def pieces(listener: socket.socket, cert: str, key: str) -> None:
    """A sound server that writes a few bytes at a time, with a pause between."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.load_cert_chain(cert, key)
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        try:
            while data := connection.recv(LENGTH):
                incoming.write(data)
                step(tls)
                told = outgoing.read()
                size = max(1, len(told) // 4)
                for at in range(0, len(told), size):
                    connection.sendall(told[at : at + size])
                    time.sleep(0.01)
        except (ssl.SSLError, OSError):
            with connection:
                connection.sendall(outgoing.read())


def step(tls: ssl.SSLObject) -> None:
    """As far as what has come allows."""
    try:
        tls.do_handshake()
        while tls.read(LENGTH):
            tls.write(b"answer")
    except ssl.SSLWantReadError:
        return


def main(kind: str, port: str, *files: str) -> None:
    """Serve, if it is a kind that does."""
    if kind == "never":
        print("no licence found", flush=True)
        time.sleep(600)
    if kind == "ends":
        print("no licence found", flush=True)
        raise SystemExit(7)
    with socket.create_server(("127.0.0.1", int(port))) as listener:
        if kind == "pieces":
            pieces(listener, *files)
        while True:
            connection, _ = listener.accept()
            try:
                KINDS[kind](connection)
            except OSError:
                pass
            finally:
                connection.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
