"""`shakeproof serve` as a program of its own."""

from __future__ import annotations

import socket
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.material import NAME, Material
from tests.interop.peers import CHUNK, DEADLINE_S, Process


class Served(Process):
    """The running program. port: where it listens."""

    def __init__(self, material: Material, folder: Path, *options: str | Path) -> None:
        command: list[str | Path] = [sys.executable, "-W", "error", "-m", "shakeproof", "serve"]
        command += ["--listen", "127.0.0.1:0", "--verbose", *certificates(material), *options]
        super().__init__(command, folder)
        self.port = int(self.line(r"^listening on https://.*:(\d+)", self.stdout)[1])

    @contextmanager
    def saying(self, pattern: str) -> Iterator[None]:
        """What happens inside makes it report a connection like that."""
        start = len(self.stdout.data)
        yield
        self.line(pattern, self.stdout, start)


def certificates(material: Material) -> list[str | Path]:
    """Options for both certificates."""
    options: list[str | Path] = []
    for identity in material.server.values():
        options += ["--cert", identity.chain, "--key", identity.key]
    return options


@contextmanager
def serving(material: Material, folder: Path, *options: str | Path) -> Iterator[Served]:
    """The program; at the end it is asked to stop, ends well, and has complained of nothing."""
    with Served(material, folder, *options) as served:
        yield served
        assert served.is_running, served.describe()
        served.process.terminate()
        assert served.wait() == 0, served.describe()
        assert not served.stderr.data, served.describe()


def honest_context(material: Material) -> ssl.SSLContext:
    """Of a client that does nothing wrong."""
    context = ssl.create_default_context(cafile=material.ca_file)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def get_page(port: int, context: ssl.SSLContext) -> bytes:
    """What an honest client gets, until the server closes."""
    with (
        socket.create_connection(("127.0.0.1", port), DEADLINE_S) as transport,
        context.wrap_socket(transport, server_hostname=NAME, suppress_ragged_eofs=False) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n")
        page = b""
        while data := connection.recv(CHUNK):
            page += data
        assert page.startswith(b"HTTP/1.1 200 "), page
        return page
