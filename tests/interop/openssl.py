"""The openssl program: s_server answers each line reversed, s_client carries lines.

Lines start with neither Q nor R, which s_client takes as commands.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from tests.interop.peers import Process
from tests.interop.stacks import (
    ALL_SUITES,
    Abilities,
    Report,
    Role,
    Serve,
    Server,
    Stack,
    Visit,
    Visited,
    openssl_name,
    rfc_name,
)

ALL_CIPHERS = ":".join(openssl_name(suite) for suite in ALL_SUITES)
SMALLEST_RECORD = 512
"""-max_send_frag takes no less."""


class OpensslServer(Server):
    """s_server -rev."""

    def __init__(self, process: Process) -> None:
        super().__init__(process, int(process.line(r"^ACCEPT .*:(\d+)$", process.stdout)[1]))
        self.seen = 0

    def answer(self, data: bytes) -> bytes:
        return b"".join(line[::-1] + b"\n" for line in data.splitlines())

    def read_report(self) -> Report:
        end = self.process.line(r"^CONNECTION CLOSED$", self.process.stderr, self.seen)
        text = bytes(self.process.stderr.data[self.seen : end.end()]).decode()
        self.seen = end.end()
        subject = re.search(r"^Peer certificate: .*CN = (.*)$", text, re.MULTILINE)
        suite = re.search(r"^Ciphersuite: (.*)$", text, re.MULTILINE)
        return Report(
            suite=rfc_name(suite[1]) if suite else None,
            client=subject[1] if subject else "",
            clean="unexpected eof" not in text,
        )


class Openssl(Stack):
    """OpenSSL's own program."""

    name = "openssl"
    tools = ("openssl",)
    abilities: ClassVar[dict[Role, Abilities]] = {
        "server": Abilities(
            ALL_SUITES, ("id", "ticket"), records=(512, 1000, 16384), renegotiates=True, tells_end=True
        ),
        "client": Abilities(ALL_SUITES, ("id", "ticket"), records=(512, 1000, 16384), renegotiates=True),
    }

    def server_command(self) -> list[str | Path]:
        """s_server with both certificates."""
        rsa, ecdsa = self.material.server["rsa"], self.material.server["ecdsa"]
        command: list[str | Path] = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-tls1_2"]
        command += ["-cert", rsa.chain, "-key", rsa.key, "-dcert", ecdsa.chain, "-dkey", ecdsa.key]
        return [*command, "-cipher", ALL_CIPHERS, "-CAfile", self.material.ca_file, "-verify_return_error"]

    def terminal(self) -> Server:
        """s_server that sends its input, prints what it gets, and takes commands."""
        return OpensslServer(Process(self.server_command(), self.folder))

    def serve_page(self) -> Server:
        return OpensslServer(Process([*self.server_command(), "-www"], self.folder))

    def serve(self, how: Serve) -> Server:
        command = [*self.server_command(), "-rev"]
        if how.session != "ticket":
            command.append("-no_ticket")
        if not how.session:
            command.append("-no_cache")
        if how.client_auth != "none":
            command += ["-verify" if how.client_auth == "request" else "-Verify", "1"]
        if how.renegotiation == "allow":
            command.append("-client_renegotiation")
        if how.record:
            command += ["-max_send_frag", str(how.record)]
        return OpensslServer(Process(command, self.folder))

    def visit(self, port: int, visit: Visit) -> Visited:
        received, reports, output = b"", [], ""
        for number in range(visit.times):
            with Process(self.client_command(port, visit, number), self.folder) as process:
                if visit.renegotiate:
                    process.line("^New, ", process.stdout)
                    process.send(b"R\n")
                    process.line("^RENEGOTIATING$", process.stderr)
                start = self.start_of_data(process)
                process.send(visit.request)
                if not visit.get:
                    process.length(process.stdout, start + len(visit.data))
                    process.send(b"", end=True)
                assert process.wait() == 0, process.describe()
                received += process.stdout.data[start : None if visit.get else start + len(visit.data)]
                reports.append(self.client_report(process))
                output += process.describe()
        return Visited(received, reports, output)

    def client_command(self, port: int, visit: Visit, number: int) -> list[str | Path]:
        """s_client for the connection of that number of a visit."""
        command: list[str | Path] = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", visit.name]
        command += ["-verify_hostname", visit.name, "-CAfile", self.material.ca_file, "-verify_return_error", "-tls1_2"]
        command += ["-cipher", openssl_name(visit.suite) if visit.suite else ALL_CIPHERS]
        if not visit.renegotiate:
            command.append("-brief")
        if visit.session != "ticket":
            command.append("-no_ticket")
        if visit.times > 1:
            session = self.folder / f"openssl-session-{port}.pem"
            command += ["-sess_in" if number else "-sess_out", session]
        if visit.certificate:
            identity = self.certificate(visit.certificate)
            command += ["-cert", identity.chain, "-key", identity.key]
        if visit.record:
            command += ["-max_send_frag", str(visit.record)]
        return command

    def start_of_data(self, process: Process) -> int:
        """Where the data begins in what s_client writes: with -brief there is nothing else."""
        return 0 if "-brief" in process.command else len(process.stdout.data)

    def client_report(self, process: Process) -> Report:
        """What s_client said."""
        text = bytes(process.stderr.data + process.stdout.data).decode(errors="replace")
        suite = re.search(r"^Ciphersuite: (.*)$|Cipher is (\S+)$", text, re.MULTILINE)
        return Report(suite=rfc_name(suite[1] or suite[2]) if suite else None)
