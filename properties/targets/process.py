"""A stack's program, as a server that we connect to or as a client that connects to us.

A program runs as long as its command stays the same: one process serves, or loops over, many connections, and is
started again where it has died. What it finds on disk comes from the tester's own certificate factory.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.targets.base import Endpoint, LateError, Setup, Target, TargetError
from shakeproof.properties.targets.field import field_pem
from shakeproof.properties.targets.kernel import LISTEN, Processes
from shakeproof.properties.targets.program import Files, Program, version_of
from shakeproof.properties.targets.running import Running
from shakeproof.properties.targets.scratch import make_folder, remove_folder
from shakeproof.properties.targets.wire import SocketEndpoint, Watch, open_diagnosis

HOST = "127.0.0.1"
START_S = 15.0
"""For a program to listen, or to connect: a virtual machine takes two seconds on a busy machine."""
CONNECT_S = 3.0
AGAIN_S = 0.5
"""For a client that loops to connect once more, or to show that it does not."""
LOOK_S = 0.001
END_S = 2.0
"""For a client that sleeps to end with its connection: some wait for a second for the other side's end."""
END_MOST_S = 10.0
"""The same for one that does something: a virtual machine takes a while on a busy machine."""
GO = "go"
GO_RESUME = "go resume"
"""For a client that reads more than the line: now it is to resume the session of the connection before."""
SESSION = "session.pem"
"""The file in `Files.folder` in which a client that ends with each connection may keep a session for the next."""
CHAIN = "chain.pem"
"""The file with the certificates of `Files.cert` but the leaf: some programs take them apart."""
BACKLOG = 16
CLIENT_ISSUER = "clients' intermediate"
RUNNING_MOST = 2
"""Processes of one target at once: one for each kind of certificate."""
HARMLESS = ("signal SIGPIPE", "signal SIGTERM", "signal SIGHUP")
"""How a client may end that writes to a connection which we closed."""


def make_files(folder: Path, role: str, key: KeyKind) -> Files:
    """Write what a program of the role needs into the folder."""
    server = role.endswith(".server")
    name = certificates.SERVER_NAME if server else certificates.CLIENT_NAME
    # A client that has the issuer of a server's certificate at hand may do without it, or do better than what came.
    chain = certificates.chain(
        key, frozenset(), name, "server" if server else "client", issued_by="" if server else CLIENT_ISSUER
    )
    private = chain.private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files = Files(
        cert=folder / "cert.pem",
        key=folder / "key.pem",
        ca=folder / "ca.pem",
        dh=folder / "dh.pem",
        folder=folder,
        name=certificates.SERVER_NAME,
    )
    files.cert.write_text(chain.pem, encoding="ascii")
    (folder / CHAIN).write_text("".join(map(ssl.DER_cert_to_PEM_cert, chain.der[1:])), encoding="ascii")
    files.key.write_bytes(private)
    files.key.chmod(0o600)
    files.ca.write_text(certificates.anchors_pem(), encoding="ascii")
    files.dh.write_text(field_pem(), encoding="ascii")
    return files


class Application:
    """One command of a program, running. Its connections are made one after the other."""

    def __init__(self, program: Program, role: str, setup: Setup, ready: str = "") -> None:
        self.program, self.role, self.setup, self.ready = program, role, setup, ready
        self.folder = make_folder()
        self.files = make_files(self.folder, role, setup.certificate_key)
        self.running: Running | None = None
        self.place: Path | None = None
        """The folder that it runs in, where that is not the one with its files."""
        self.start_s = START_S
        self.watch = Watch(open_diagnosis(), crash=self.death)
        self.survives = False
        """Whether a process of it has lived on after a connection, as one that ends with each does not."""
        if program.prepare is not None:
            program.prepare(self.files, setup)

    def start(self, command: list[str]) -> Running:
        """Start the command, in place of what ran."""
        self.stop()
        self.running = Running(command, self.place or self.folder, dict(self.program.environment))
        processes = Processes((self.running.pid,))
        self.watch.processes = processes if processes.can_be_seen else None
        return self.running

    def death(self) -> str:
        """How the process died, where that is a crash; else ""."""
        running = self.running
        if running is None or not (how := running.death):
            return ""
        if running.process.returncode == 0 and not self.survives:
            return ""  # one that serves a single connection
        return f"{how}, and its last words were: {running.last_words or 'none'}"

    def connect(self) -> Endpoint:
        """A fresh connection. Raises TargetError."""
        raise NotImplementedError

    def over(self) -> None:
        """A connection is over."""

    def too_slow(self, what: str) -> TargetError:
        """What to raise where it has not started by now: with all the time that a start may take, it does not start."""
        return TargetError(what) if self.start_s >= START_S else LateError(what)

    def stop(self) -> None:
        """End the process, if there is one."""
        if self.running is not None:
            self.running.stop(kindly=True)
            self.running = None

    def close(self) -> None:
        """End the process, and remove what it found on disk."""
        self.stop()
        if self.watch.diagnosis is not None:
            self.watch.diagnosis.close()
        remove_folder(self.folder)


class ServerApplication(Application):
    """A server: it listens on a port that we chose."""

    def __init__(self, program: Program, role: str, setup: Setup, ready: str = "", port: int = 0) -> None:
        super().__init__(program, role, setup, ready)
        self._fixed = port
        self.port = port
        self._connections = 0
        """Of the process that runs."""

    def connect(self) -> Endpoint:
        if self.running is None or not self.running.is_alive:
            self._begin()
        elif self._connections:
            self.survives = True
        self._connections += 1
        try:
            connection = socket.create_connection((HOST, self.port), CONNECT_S)
        except OSError:
            self._begin()  # it listens no more, or died just now
            try:
                connection = socket.create_connection((HOST, self.port), CONNECT_S)
            except OSError as error:
                raise TargetError(f"{self.program.title} takes no connection: {error.strerror or error}") from error
        return SocketEndpoint(connection, self.watch, (HOST, self.port), follow=self.connect, done=self.over)

    def _begin(self) -> None:
        assert self.program.server is not None
        self.port, self._connections = self._fixed or free_port(), 0
        running = self.start(self.program.server(self.files, self.port, self.setup))
        until = time.monotonic() + self.start_s
        while not self._is_ready(running):
            if not running.is_alive:
                raise TargetError(
                    f"{self.program.title} ended before it listened, with {running.death}; "
                    f"its last words were: {running.last_words or 'none'}"
                )
            if time.monotonic() > until:
                words = running.last_words
                self.stop()
                raise self.too_slow(
                    f"{self.program.title} does not listen on {HOST}:{self.port} after {round(self.start_s, 1):g} s; "
                    f"its last words were: {words or 'none'}"
                )
            time.sleep(LOOK_S)

    def _is_ready(self, running: Running) -> bool:
        if self.ready and self.ready not in running.said:
            return False
        diagnosis = self.watch.diagnosis
        if diagnosis is None:
            with contextlib.suppress(OSError):
                socket.create_connection((HOST, self.port), CONNECT_S).close()
                return True
            return False
        found = diagnosis.queues((HOST, self.port))
        return found is not None and found.state == LISTEN


class ClientApplication(Application):
    """A client: it connects to a port on which we listen, once a process or once a line "go"."""

    def __init__(self, program: Program, role: str, setup: Setup, ready: str = "", loops: bool | None = None) -> None:
        super().__init__(program, role, setup, ready)
        self.loops = loops
        """Whether it connects once more when it is told to; None as long as nobody knows."""
        self.resumes = False
        """Whether it may be told so in its line."""
        self._told = 0
        self._last: Endpoint | None = None
        self._listener = socket.create_server((HOST, 0), backlog=BACKLOG)

    def connect(self) -> Endpoint:
        (self.files.folder / SESSION).unlink(missing_ok=True)
        connection = self._once_more() if self.loops is not False else None
        if connection is None:
            connection = self._anew()
        return self._endpoint(connection)

    def over(self) -> None:
        if self.loops is False and self.running is not None:
            self.running.stop(kindly=False)

    def _later(self) -> Endpoint:
        """A further connection of the same application, once it is wanted."""
        connection = self._once_more(GO_RESUME if self.resumes else GO) if self.loops is not False else None
        if connection is None:
            connection = self._anew()
        return self._endpoint(connection)

    def _endpoint(self, connection: socket.socket) -> Endpoint:
        self._last = SocketEndpoint(
            connection, self.watch, connection.getpeername()[:2], speaks_first=True, follow=self._later,
            done=self.over, status=self._status,
        )  # fmt: skip
        return self._last

    def _status(self) -> int | None:
        """The exit status of the process, once it has ended with its connection; None where it does not."""
        if self.running is None or self.loops:
            return None
        began = awake = time.monotonic()
        while self.running.is_alive:
            now = time.monotonic()
            processes = self.watch.processes
            if processes is not None and not processes.are_asleep():
                awake = now
            if now - awake > END_S or now - began > END_MOST_S:
                return None
            time.sleep(LOOK_S)
        return self.running.process.returncode

    def _once_more(self, line: str = GO) -> socket.socket | None:
        running = self.running
        if self._last is not None:
            self._last.dispose()  # a client takes one connection after the other, as long as the first one lasts
        if running is None or not self._is_waiting(running):
            if running is not None and self.loops is None:
                self.loops = False
            return None
        # An unknown client had its first line with its start: a request for one, the next connection for another.
        if (self.loops or self._told == 0) and not running.tell(line):
            return None
        self._told = 0
        wait_s = AGAIN_S if self.loops is None else min(CONNECT_S, self.start_s)
        connection = self._accept(wait_s, running)
        if self.loops is None:
            self.loops = connection is not None
        return connection

    def _is_waiting(self, running: Running) -> bool:
        """Whether it lives on when it has had the time to end."""
        until = time.monotonic() + AGAIN_S
        while running.is_alive and time.monotonic() < until:
            if self.watch.processes is None or self.watch.processes.are_asleep():
                break
            time.sleep(LOOK_S / 10)
        return running.is_alive

    def _anew(self) -> socket.socket:
        assert self.program.client is not None
        while (stale := self._accept(0.0, None)) is not None:
            stale.close()
        port = self._listener.getsockname()[1]
        running = self.start(self.program.client(self.files, port, self.setup))
        if self.program.typed is not None:
            # In time: it has nobody to shake hands with as long as its connection is not taken.
            running.type(self.program.typed(self.files))
        elif not self.loops:
            running.tell(GO)
            self._told = 1
        connection = self._accept(self.start_s, running)
        if connection is not None:
            return connection
        words, how = running.last_words, running.death
        self.stop()
        last = f"its last words were: {words or 'none'}"
        if how:
            raise TargetError(f"{self.program.title} ended with {how} before it connected; {last}")
        raise self.too_slow(f"{self.program.title} does not connect within {round(self.start_s, 1):g} s; {last}")

    def _accept(self, seconds: float, running: Running | None) -> socket.socket | None:
        """The connection that comes within the time, unless the process ends before."""
        until = time.monotonic() + seconds
        while True:
            left = max(0.0, min(0.05, until - time.monotonic()))
            if select.select([self._listener], [], [], left)[0]:
                return self._listener.accept()[0]
            if time.monotonic() >= until or (running is not None and not running.is_alive):
                return self._listener.accept()[0] if select.select([self._listener], [], [], 0)[0] else None

    def death(self) -> str:
        running = self.running
        if running is None or running.death in HARMLESS:
            return ""
        if self.loops is not True and not running.death.startswith("signal"):
            return ""
        return super().death()

    def close(self) -> None:
        super().close()
        self._listener.close()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.create_server((HOST, 0)) as found:
        return int(found.getsockname()[1])


class ProcessTarget(Target):
    """A program that we start and stop. loops: of a client, whether it does; None for finding out."""

    def __init__(
        self,
        program: Program,
        *,
        name: str = "",
        roles: tuple[str, ...] = (),
        ready: str = "",
        loops: bool | None = None,
        port: int = 0,
    ) -> None:
        self.program = program
        self.name = name or program.name
        self.roles = tuple(role for role in program.roles if not roles or role in roles)
        self.ready, self.loops, self.port = ready, loops, port
        self.place: Path | None = None
        """The folder that it runs in; None for one of its own."""
        self._running: dict[tuple[object, ...], Application] = {}
        self._samples: dict[tuple[str, KeyKind], Files] = {}

    @property
    def description(self) -> str:
        version = version_of(self.program)
        return f"{self.program.title} ({version})" if version else self.program.title

    @property
    def secrets_seen(self) -> bool:
        return False

    @property
    def is_probed(self) -> bool:
        return True

    @property
    def has_exit_status(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        return self.program.client_setups if role.endswith(".client") else self.program.server_setups

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return self.application(role, setup).connect()

    def application(self, role: str, setup: Setup) -> Application:
        """The program as this setup starts it; whatever ran for another command is stopped."""
        start = self.program.client if role.endswith(".client") else self.program.server
        if start is None:
            raise TargetError(f"{self.program.title} is no {role.partition('.')[2]}")
        key = (role, setup.certificate_key, tuple(start(self._sample(role, setup.certificate_key), 0, setup)))
        if key not in self._running:
            if self.program.missing:
                missing = ", ".join(self.program.missing)
                raise TargetError(
                    f"{self.program.title} is not installed ({missing} is missing): {self.program.install}"
                )
            while len(self._running) >= RUNNING_MOST:
                self._running.pop(next(iter(self._running))).close()
            application: Application
            if role.endswith(".client"):
                application = client = ClientApplication(self.program, role, setup, self.ready, self.loops)
                client.resumes = True
            else:
                application = ServerApplication(self.program, role, setup, self.ready, self.port)
            application.place = self.place
            application.start_s = min(START_S, self.start_s)
            self._running[key] = application
        return self._running[key]

    def _stop(self) -> None:
        for application in self._running.values():
            application.close()
        self._running.clear()

    def close(self) -> None:
        self._stop()
        for files in self._samples.values():
            remove_folder(files.folder)
        self._samples.clear()

    def _sample(self, role: str, key: KeyKind) -> Files:
        """Files of no process, to see which command a setup gives."""
        if (role, key) not in self._samples:
            self._samples[role, key] = make_files(make_folder(), role, key)
        return self._samples[role, key]
