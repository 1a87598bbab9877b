"""A stack's program, as a server that we connect to or as a client that connects to us.

A program runs as long as its command stays the same: one process serves, or loops over, many connections, and is
started again where it has died. What it finds on disk comes from the tester's own certificate factory.
"""

from __future__ import annotations

import contextlib
import math
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
from shakeproof.properties.targets.kernel import LISTEN, Processes, listeners_at
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
PORTS_TRIED = 3
"""A port on which nobody listens may be another's by the time that a program is there."""
FREE_S = 1.0
"""For a port to be free again, once the program that had it was ended."""
CLIENT_ISSUER = "clients' intermediate"
RUNNING_MOST = 2
"""Processes of one target at once: one for each kind of certificate."""
HARMLESS = ("signal SIGPIPE", "signal SIGTERM", "signal SIGHUP")
"""How a client may end that writes to a connection which we closed."""


class TakenError(TargetError):
    """Another program listens on the port that a server is to have."""


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
        self.start_by = math.inf
        """When nobody waits any more for it to start (of time.monotonic)."""
        self.slowest_start_s = 0.0
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

    def longest_start(self) -> float:
        """Seconds for a start that begins now. Raises LateError where there are none."""
        longest = min(START_S, self.start_by - time.monotonic())
        if longest <= 0:
            raise LateError(f"there is no time left to start {self.program.title}")
        return longest

    def too_slow(self, what: str, longest: float) -> TargetError:
        """What to raise where it has not started by now: with all the time that a start may take, it does not start."""
        text = f"{self.program.title} {what} after {round(longest, 1):g} s"
        last = f"its last words were: {(self.running and self.running.last_words) or 'none'}"
        self.stop()
        return TargetError(f"{text}; {last}") if longest >= START_S else LateError(f"{text}; {last}")

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
        """Start it. Of ports that we choose ourselves another is tried where one turns out to be taken."""
        for left in reversed(range(1 if self._fixed else PORTS_TRIED)):
            self.port, self._connections = self._fixed or free_port(), 0
            try:
                self._begin_there()
            except TakenError:
                if not left:
                    raise
            else:
                return

    def _begin_there(self) -> None:
        assert self.program.server is not None
        longest = self.longest_start()
        self.stop()
        if self._fixed:
            self._find_free()
        began = time.monotonic()
        running = self.start(self.program.server(self.files, self.port, self.setup))
        while not self._is_ready(running):
            if not running.is_alive:
                raise TargetError(
                    f"{self.program.title} ended before it listened, with {running.death}; "
                    f"its last words were: {running.last_words or 'none'}"
                )
            if time.monotonic() > began + longest:
                place = f"{HOST}:{self.port}"
                what = f"does not listen on {place}"
                if not self._is_said(running) and self._is_listened():
                    what = f"listens on {place}, but has not said {self.ready!r}"
                raise self.too_slow(what, longest)
            time.sleep(LOOK_S)
        self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began)

    def _is_ready(self, running: Running) -> bool:
        """Whether it listens, and has said what it says then. Raises TakenError where another program does."""
        if not self._is_said(running) or not self._is_listened():
            return False
        if listeners_at(self.port, (running.pid,)):
            return True  # nearly always, and found at once
        owners = listeners_at(self.port)
        if owners and not any(map(running.owns, owners)):
            self.stop()
            raise self._taken(owners)
        # Whose socket it is may be hidden from us; then it has to do that ours lives.
        return bool(owners) or running.is_alive

    def _is_said(self, running: Running) -> bool:
        """Whether it said what it says when it is ready; where it says nothing, it need not."""
        return not self.ready or self.ready in running.said

    def _is_listened(self) -> bool:
        """Whether anybody listens on the port."""
        diagnosis = self.watch.diagnosis
        if diagnosis is None:
            with contextlib.suppress(OSError):
                socket.create_connection((HOST, self.port), CONNECT_S).close()
                return True
            return False
        found = diagnosis.queues((HOST, self.port))
        return found is not None and found.state == LISTEN

    def _find_free(self) -> None:
        """Wait until nobody listens on the port, as a process does that was just ended. Raises TakenError."""
        until = time.monotonic() + FREE_S
        while self._is_listened():
            if time.monotonic() > until:
                raise self._taken(listeners_at(self.port))
            time.sleep(LOOK_S)

    def _taken(self, owners: tuple[int, ...]) -> TakenError:
        who = f" (process {', '.join(map(str, owners))})" if owners else ""
        return TakenError(
            f"port {self.port} is taken by another program{who}: end it, or let {self.program.title} listen elsewhere"
        )


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
        wait_s = AGAIN_S if self.loops is None else max(0.0, min(CONNECT_S, self.start_by - time.monotonic()))
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
        longest = self.longest_start()
        while (stale := self._accept(0.0, None)) is not None:
            stale.close()
        port = self._listener.getsockname()[1]
        began = time.monotonic()
        running = self.start(self.program.client(self.files, port, self.setup))
        if self.program.typed is not None:
            # In time: it has nobody to shake hands with as long as its connection is not taken.
            running.type(self.program.typed(self.files))
        elif not self.loops:
            running.tell(GO)
            self._told = 1
        connection = self._accept(longest, running)
        if connection is not None:
            self.slowest_start_s = max(self.slowest_start_s, time.monotonic() - began)
            return connection
        how = running.death
        if not how:
            raise self.too_slow("does not connect", longest)
        words = running.last_words or "none"
        self.stop()
        raise TargetError(f"{self.program.title} ended with {how} before it connected; its last words were: {words}")

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
        self._slowest_s = 0.0
        """The longest that a program took to start which does not run any more."""

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
    def is_single(self) -> bool:
        return bool(self.port)

    @property
    def slowest_start_s(self) -> float:
        return max([self._slowest_s, *(application.slowest_start_s for application in self._running.values())])

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
            while len(self._running) >= (1 if self.is_single else RUNNING_MOST):
                self._end(next(iter(self._running)))
            application: Application
            if role.endswith(".client"):
                application = client = ClientApplication(self.program, role, setup, self.ready, self.loops)
                client.resumes = True
            else:
                application = ServerApplication(self.program, role, setup, self.ready, self.port)
            application.place = self.place
            self._running[key] = application
        self._running[key].start_by = self.start_by
        return self._running[key]

    def _end(self, key: tuple[object, ...]) -> None:
        application = self._running.pop(key)
        self._slowest_s = max(self._slowest_s, application.slowest_start_s)
        application.close()

    def _stop(self) -> None:
        for key in list(self._running):
            self._end(key)

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
