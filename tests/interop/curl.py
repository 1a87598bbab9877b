"""curl: a client alone, with OpenSSL below. It posts the data; our server's answer has the same body."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from tests.interop.peers import Process
from tests.interop.stacks import ALL_SUITES, Abilities, Report, Role, Stack, Visit, Visited, openssl_name, rfc_name

END_OF_HEAD = b"\r\n\r\n"


class PostEcho:
    """The server's side of HTTP, for one connection: answers each POST with its body."""

    def __init__(self) -> None:
        self.buffer = bytearray()

    def __call__(self, data: bytes) -> bytes:
        """What to send back for data that has come."""
        self.buffer += data
        head, end, body = bytes(self.buffer).partition(END_OF_HEAD)
        if not end:
            return b""
        found = re.search(rb"(?i)^content-length: *(\d+)\r?$", head + b"\r\n", re.MULTILINE)
        assert found is not None, head
        if len(body) < int(found[1]):
            return b""
        self.buffer.clear()
        return b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


class Curl(Stack):
    """curl, which resumes by id alone."""

    name = "curl"
    tools = ("curl",)
    abilities: ClassVar[dict[Role, Abilities]] = {"client": Abilities(ALL_SUITES, ("id",))}

    def visit(self, port: int, visit: Visit) -> Visited:
        command: list[str | Path] = ["curl", "--disable", "--silent", "--show-error", "--verbose", "--max-time", "30"]
        command += ["--cacert", self.material.ca_file, "--resolve", f"{visit.name}:{port}:127.0.0.1", "--noproxy", "*"]
        command += ["--tls-max", "1.2", "--http1.1"]
        if visit.get:
            command += ["--include", "--header", "Connection: close"]
        else:
            command += ["--data-binary", "@-", "--header", "Expect:"]
        if visit.suite:
            command += ["--ciphers", openssl_name(visit.suite)]
        if visit.certificate:
            identity = self.certificate(visit.certificate)
            command += ["--cert", identity.chain, "--key", identity.key]
        with Process(
            [*command, *[f"https://{visit.name}:{port}{visit.get or '/'}"] * visit.times], self.folder
        ) as process:
            process.send(visit.data, end=True)
            assert process.wait() == 0, process.describe()
            text = bytes(process.stderr.data).decode(errors="replace")
            suites = re.findall(r"^\* SSL connection using TLSv1.2 / (\S+)", text, re.MULTILINE)
            return Visited(bytes(process.stdout.data), [Report(suite=rfc_name(suite)) for suite in suites], text)
