"""What all foreign stacks have in common: what they are asked to do, what they tell, and what each can do at all."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Literal

from tests.interop.material import NAME, Identity, Material
from tests.interop.peers import Process

Session = Literal["", "id", "ticket"]
"""What a server gives its clients to come back with."""
Request = Literal["none", "request", "require"]
"""Whether a server asks its clients for a certificate."""
Role = Literal["client", "server"]

PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Serve:
    """How a foreign server is started. record: bytes of plaintext a record that it sends, 0 for its own choice."""

    session: Session = ""
    client_auth: Request = "none"
    renegotiation: Literal["refuse", "allow"] = "refuse"
    record: int = 0


@dataclass(frozen=True)
class Visit:
    """What a foreign client does: connects, sends all data, reads as much back, closes. And all again, `times` in all.

    get: instead of that a path of a web server; the client reads until the server closes. name: the server's.
    suite: the RFC's name of the only one it offers, "" for its own choice. certificate: which it has, "" for none.
    resume: later connections offer the session of the first. renegotiate: after the first handshake.
    """

    data: bytes = b""
    suite: str = ""
    certificate: str = ""
    session: Session = ""
    times: int = 1
    renegotiate: bool = False
    record: int = 0
    get: str = ""
    name: str = NAME

    @property
    def request(self) -> bytes:
        """What the client sends."""
        if not self.get:
            return self.data
        return f"GET {self.get} HTTP/1.1\r\nHost: {self.name}\r\nConnection: close\r\n\r\n".encode("ascii")


@dataclass(frozen=True)
class Report:
    """What a foreign program said about one connection; None where it says nothing.

    suite: the RFC's name. client: the common name of the client's certificate, "" for none. clean: it has got our
    close_notify.
    """

    suite: str | None = None
    resumed: bool | None = None
    client: str | None = None
    clean: bool | None = None


@dataclass(frozen=True)
class Visited:
    """What came of a visit: the bytes that the client got, and a report for each connection."""

    received: bytes
    reports: list[Report]
    output: str = field(repr=False, default="")


@dataclass(frozen=True)
class Abilities:
    """What a role of a stack can do. suites: the RFC's names. records: sizes of records that it can be told to send.

    requires: a server can insist on a client's certificate. largest: bytes in one transfer. tells_end: its reports say
    whether it has got our close_notify; what others got can't be seen from here, only what they sent.
    """

    suites: tuple[str, ...]
    sessions: tuple[Session, ...] = ()
    records: tuple[int, ...] = ()
    renegotiates: bool = False
    requires: bool = True
    largest: int = 1 << 20
    tells_end: bool = False

    @property
    def clean(self) -> bool | None:
        """What its report says of a connection that both sides have closed."""
        return True if self.tells_end else None


class Server(ABC):
    """A foreign server that runs. A context manager: at its end the program is gone.

    is_owing: it has been visited, and its report is not fetched; a next visitor would take that one for its own.
    """

    def __init__(self, process: Process, port: int) -> None:
        self.process = process
        self.port = port
        self.is_owing = False

    def __enter__(self) -> Server:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.process.stop()

    def answer(self, data: bytes) -> bytes:
        """What it sends back for that."""
        return data

    def report(self) -> Report:
        """What it says about the connection that has just ended; once for each, in order."""
        report = self.read_report()
        self.is_owing = False
        return report

    @abstractmethod
    def read_report(self) -> Report:
        """The next one."""


class Stack(ABC):
    """A foreign stack. tools: the programs and modules it needs. abilities: of each role it has."""

    extended_master_secret: ClassVar[bool] = True
    """Whether it knows of it."""

    name: ClassVar[str]
    tools: ClassVar[tuple[str, ...]]
    abilities: ClassVar[dict[Role, Abilities]]

    def __init__(self, material: Material, folder: Path) -> None:
        self.material = material
        self.folder = folder

    def serve(self, how: Serve) -> Server:
        """Starts a server with both certificates, which answers what it gets."""
        raise NotImplementedError(f"{self.name} has no server")

    def serve_page(self) -> Server:
        """Starts a server that answers a GET with a page."""
        raise NotImplementedError(f"{self.name} has no server of pages")

    @abstractmethod
    def visit(self, port: int, visit: Visit) -> Visited:
        """Runs a client."""

    def certificate(self, kind: str) -> Identity:
        """The client certificate of that kind."""
        return self.material.client[kind]


# --- programs of our own for libraries that come without any ----------------------------------------------------------
# They take one JSON object. As a server they print "LISTENING port", then a line of JSON for each connection; as a
# client they read everything from standard input, write what they get to standard output, and a line of JSON for
# each connection to standard error.


class ProgramServer(Server):
    """One of our programs over a foreign library."""

    def __init__(self, process: Process) -> None:
        self.seen = process.line(r"^LISTENING (\d+)$", process.stdout)
        super().__init__(process, int(self.seen[1]))

    def read_report(self) -> Report:
        self.seen = self.process.line(r"^\{.*\}$", self.process.stdout, self.seen.end())
        return report_of(json.loads(self.seen[0]))


class ProgramStack(Stack):
    """A library that is driven by one of our programs."""

    @abstractmethod
    def command(self) -> list[str | Path]:
        """The program."""

    @abstractmethod
    def suite_name(self, suite: str) -> str:
        """The library's own name for a suite."""

    def start(self, role: Role, **options: Any) -> Process:
        """Runs the program."""
        values = {"role": role, "name": NAME, "ca": str(self.material.ca_file)} | options
        return Process([*self.command(), json.dumps(values)], self.folder)

    def serve(self, how: Serve) -> Server:
        identities = self.material.server.values()
        return ProgramServer(
            self.start(
                "server",
                certificates=[{"chain": str(i.chain), "key": str(i.key)} for i in identities],
                suites=[self.suite_name(suite) for suite in self.abilities["server"].suites],
                session=how.session,
                client_auth=how.client_auth,
                renegotiate=how.renegotiation == "allow",
                record=how.record,
            )
        )

    def visit(self, port: int, visit: Visit) -> Visited:
        identities = [self.certificate(visit.certificate)] if visit.certificate else []
        suites = [visit.suite] if visit.suite else self.abilities["client"].suites
        with self.start(
            "client",
            port=port,
            certificates=[{"chain": str(i.chain), "key": str(i.key)} for i in identities],
            suites=[self.suite_name(suite) for suite in suites],
            session=visit.session,
            times=visit.times,
            renegotiate=visit.renegotiate,
            record=visit.record,
            name=visit.name,
            expect=-1 if visit.get else len(visit.data),
        ) as process:
            process.send(visit.request, end=True)
            code = process.wait()
            assert code == 0, process.describe()
            lines = [line for line in process.stderr.data.splitlines() if line.startswith(b"{")]
            return Visited(
                bytes(process.stdout.data), [report_of(json.loads(line)) for line in lines], process.describe()
            )


def report_of(values: dict[str, Any]) -> Report:
    """A report from a program's JSON. suite may be OpenSSL's name of it."""
    assert not values.get("error"), values
    suite = values.get("suite")
    return Report(rfc_name(suite) if suite else None, values.get("resumed"), values.get("client"), values.get("clean"))


# --- names of cipher suites -------------------------------------------------------------------------------------------

RSA_SUITES = tuple(
    f"TLS_RSA_WITH_{cipher}"
    for cipher in (
        "AES_128_CBC_SHA",
        "AES_256_CBC_SHA",
        "AES_128_CBC_SHA256",
        "AES_256_CBC_SHA256",
        "AES_128_GCM_SHA256",
        "AES_256_GCM_SHA384",
    )
)
ECDHE_SUITES = tuple(
    f"TLS_ECDHE_{authentication}_WITH_{cipher}"
    for authentication in ("RSA", "ECDSA")
    for cipher in (
        "AES_128_CBC_SHA",
        "AES_256_CBC_SHA",
        "AES_128_CBC_SHA256",
        "AES_256_CBC_SHA384",
        "AES_128_GCM_SHA256",
        "AES_256_GCM_SHA384",
        "CHACHA20_POLY1305_SHA256",
    )
)
DHE_SUITES = tuple(
    f"TLS_DHE_RSA_WITH_{cipher}"
    for cipher in (
        "AES_128_CBC_SHA",
        "AES_256_CBC_SHA",
        "AES_128_CBC_SHA256",
        "AES_256_CBC_SHA256",
        "AES_128_GCM_SHA256",
        "AES_256_GCM_SHA384",
        "CHACHA20_POLY1305_SHA256",
    )
)
ALL_SUITES = RSA_SUITES + ECDHE_SUITES + DHE_SUITES


def split_name(suite: str) -> tuple[str, str, str]:
    """Key exchange, cipher and hash of a suite, by its RFC's name."""
    exchange, protection = suite.removeprefix("TLS_").split("_WITH_")
    cipher, _, mac = protection.rpartition("_")
    return exchange, cipher, mac


def openssl_name(suite: str) -> str:
    """OpenSSL's name of a suite, by its RFC's."""
    exchange, cipher, mac = split_name(suite)
    words = [] if exchange == "RSA" else [exchange.replace("_", "-")]
    if cipher == "CHACHA20_POLY1305":
        return "-".join([*words, "CHACHA20-POLY1305"])
    return "-".join([*words, cipher.replace("AES_", "AES").removesuffix("_CBC").replace("_", "-"), mac])


RFC_NAMES = {openssl_name(suite): suite for suite in ALL_SUITES}


def rfc_name(suite: str) -> str:
    """The RFC's name of a suite, by OpenSSL's or its own."""
    return RFC_NAMES.get(suite, suite)
