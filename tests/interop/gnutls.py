"""GnuTLS's programs: gnutls-serv --echo and gnutls-cli.

Both work line by line; stdbuf makes the server say at once what it has to say.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from tests.interop.peers import Process, free_port
from tests.interop.stacks import (
    DHE_SUITES,
    ECDHE_SUITES,
    RSA_SUITES,
    Abilities,
    Report,
    Role,
    Serve,
    Server,
    Stack,
    Visit,
    Visited,
    split_name,
)

BASE = "NONE:+VERS-TLS1.2:+COMP-NULL:+SIGN-ALL:+GROUP-ALL"
SUITES = RSA_SUITES + ECDHE_SUITES + DHE_SUITES
HASHES = {"AES-128-GCM": "SHA256", "AES-256-GCM": "SHA384", "CHACHA20-POLY1305": "SHA256"}


def priority(suites: tuple[str, ...]) -> str:
    """The priority string for exactly those suites, or all that their parts make up."""
    words = []
    for suite in suites:
        exchange, cipher, mac = split_name(suite)
        cipher = cipher.replace("_", "-")
        words += ["+" + exchange.replace("_", "-"), "+" + cipher]
        words.append("+AEAD" if cipher in HASHES else "+" + {"SHA": "SHA1"}.get(mac, mac))
    return ":".join([BASE, *dict.fromkeys(words)])


def read_description(text: str) -> Report:
    """What GnuTLS says of a connection."""
    suite = None
    if found := re.search(
        r"^- Key Exchange: (\S+)$.*^- Cipher: (\S+)$\s^- MAC: (\S+)$", text, re.MULTILINE | re.DOTALL
    ):
        exchange, cipher, mac = found.groups()
        mac = HASHES.get(cipher, mac.replace("SHA1", "SHA"))
        suite = f"TLS_{exchange}_WITH_{cipher}_{mac}".replace("-", "_")
    client = re.search(r"[Ss]ubject:? `?CN=(client\.[a-z]+)", text)
    return Report(suite, "This is a resumed session" in text, client[1] if client else "")


class GnutlsServer(Server):
    """gnutls-serv --echo."""

    def __init__(self, process: Process, port: int) -> None:
        process.line(r"^(Echo|HTTP) Server listening on IPv4 .*done$", process.stderr)
        super().__init__(process, port)
        self.seen = 0

    def read_report(self) -> Report:
        end = self.process.line(r"^- Options: .*$", self.process.stdout, self.seen)
        text = bytes(self.process.stdout.data[self.seen : end.end()]).decode()
        self.seen = end.end()
        return read_description(text)


class Gnutls(Stack):
    """GnuTLS's own programs.

    Records of another size cannot be asked for: the server cuts only for clients that negotiate it, and the client
    loses what it does not send at once.
    """

    name = "gnutls"
    tools = ("gnutls-serv", "gnutls-cli", "stdbuf")
    abilities: ClassVar[dict[Role, Abilities]] = {
        "server": Abilities(SUITES, ("id", "ticket"), renegotiates=True),
        "client": Abilities(SUITES, ("id", "ticket"), renegotiates=True),
    }

    def server_command(self, port: int, mode: str) -> list[str | Path]:
        """gnutls-serv with both certificates."""
        command: list[str | Path] = ["stdbuf", "-oL", "gnutls-serv", "-p", str(port), mode]
        for identity in self.material.server.values():
            command += ["--x509certfile", identity.chain, "--x509keyfile", identity.key]
        return [*command, "--x509cafile", self.material.ca_file, "--priority", priority(SUITES)]

    def serve_page(self) -> Server:
        port = free_port()
        return GnutlsServer(Process(self.server_command(port, "--http"), self.folder), port)

    def serve(self, how: Serve) -> Server:
        port = free_port()
        command = self.server_command(port, "--echo")
        if how.client_auth == "none":
            command.append("--disable-client-cert")
        elif how.client_auth == "require":
            command += ["--require-client-cert", "--verify-client-cert"]
        if how.session != "ticket":
            command.append("--noticket")
        if not how.session:
            command.append("--nodb")
        if how.record:
            command += ["--recordsize", str(how.record)]
        return GnutlsServer(Process(command, self.folder), port)

    def visit(self, port: int, visit: Visit) -> Visited:
        log = self.folder / f"gnutls-cli-{port}.log"
        command: list[str | Path] = ["gnutls-cli", "-p", str(port), "--x509cafile", self.material.ca_file]
        command += ["--verify-hostname", visit.name, "--sni-hostname", visit.name, "--logfile", log, "--verbose"]
        command += ["--priority", priority((visit.suite,) if visit.suite else SUITES)]
        if visit.session != "ticket":
            command.append("--noticket")
        if visit.times > 1:
            command.append("--resume")
        if visit.renegotiate:
            command.append("--rehandshake")
        if visit.certificate:
            identity = self.certificate(visit.certificate)
            command += ["--x509certfile", identity.chain, "--x509keyfile", identity.key]
        if visit.record:
            command += ["--recordsize", str(visit.record)]
        with Process([*command, "127.0.0.1"], self.folder) as process:
            process.send(visit.request)
            if not visit.get:
                process.length(process.stdout, len(visit.data))
                process.send(b"", end=True)
            code = process.wait()
            text = log.read_text(encoding="utf-8", errors="replace")
            assert code == 0, process.describe() + text
            received = bytes(process.stdout.data)
        connections = text.split("Connecting to '")[1:]
        return Visited(received, [read_description(each) for each in connections], text)
