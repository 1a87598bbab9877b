"""`shakeproof serve`: our own stack as an HTTPS server."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shakeproof.commands.running import close_stdout, report_bug, running, say_error, warn
from shakeproof.config import seconds
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose, worst

if TYPE_CHECKING:
    from shakeproof.impl.tls import Credential, ServerConnection
    from shakeproof.impl.tls.config import Renegotiation as RenegotiationPolicy
    from shakeproof.serving import Account, Server

LISTEN = "127.0.0.1:8443"
NAMES = ("server.shakeproof.test", "localhost", "127.0.0.1", "::1")
"""What the certificate is for that a server without one gets."""
CONNECTIONS = 256
FRAGMENT = 16384


def _option(metavar: str, help: str, *names: str, least: int | None = None) -> Any:
    return typer.Option(*names, metavar=metavar, help=help, min=least)


Listen = Annotated[str, _option("HOST:PORT", "Where to listen; port 0: any that is free.")]
Cert = Annotated[list[Path] | None, _option("FILE", "Certificate chain in PEM, the server's own first; repeatable.")]
Key = Annotated[list[Path] | None, _option("FILE", "Its private key in PEM, if not in the same file; repeatable.")]
WriteCa = Annotated[Path | None, _option("FILE", "Write the CA of the test certificate (no --cert) to this file.")]
ClientCa = Annotated[Path | None, _option("FILE", "CAs of client certificates, in PEM.")]
ClientAuth = Annotated[str, _option("HOW", "none, request or require; require where there is a --client-ca.")]
Suites = Annotated[str, _option("LIST", "Cipher suites, the preferred first.")]
Versions = Annotated[str, _option("LIST", "Protocol versions: 1.2 is the only one.")]
Alpn = Annotated[str, _option("LIST", "Application protocols; '' for no ALPN.")]
Renegotiation = Annotated[str, _option("HOW", "refuse or allow.")]
Tickets = Annotated[bool, typer.Option(help="Resume sessions by ticket.")]
SessionIds = Annotated[bool, typer.Option(help="Resume sessions by session id.")]
Sites = Annotated[
    list[str] | None,
    _option("SITE", "NAME,cert=FILE,key=FILE,alpn=NAME,client-ca=FILE,client-auth=HOW; repeatable.", "--site"),
]
Rogue = Annotated[str, _option("NAME", "Plant this fault in every connection.")]
KeyLogFile = Annotated[Path | None, _option("FILE", "Append the secrets of connections, for Wireshark.", "--key-log")]
Fragment = Annotated[int, _option("N", "Bytes in a record that is sent.", "--max-fragment")]
MaxConnections = Annotated[int, _option("N", "Open at once; more of them wait.", "--max-connections", least=1)]
Connections = Annotated[int | None, _option("N", "Stop after N connections.", "--connections", least=1)]
Time = Annotated[str, _option("TIME", "Stop after this time: 20s, 2m.")]
Handshake = Annotated[str, _option("TIME", "For the handshake of a connection.", "--handshake-timeout")]
Idle = Annotated[str, _option("TIME", "For the next whole request on a connection.", "--idle-timeout")]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="One line for each connection.")]


def serve(
    listen: Listen = LISTEN,
    cert: Cert = None,
    key: Key = None,
    write_ca: WriteCa = None,
    client_ca: ClientCa = None,
    client_auth: ClientAuth = "",
    suites: Suites = "",
    versions: Versions = "1.2",
    alpn: Alpn = "http/1.1",
    renegotiation: Renegotiation = "refuse",
    tickets: Tickets = True,
    session_ids: SessionIds = True,
    site: Sites = None,
    rogue: Rogue = "",
    key_log: KeyLogFile = None,
    max_fragment: Fragment = FRAGMENT,
    max_connections: MaxConnections = CONNECTIONS,
    connections: Connections = None,
    time: Time = "",
    handshake_timeout: Handshake = "10s",
    idle_timeout: Idle = "30s",
    verbose: Verbose = False,
) -> None:
    """Our own stack as an HTTPS server: every GET gets a page that says what was negotiated."""
    running(_serve)(
        Plan(
            listen=listen,
            cert=cert or [],
            key=key or [],
            write_ca=write_ca,
            client_ca=client_ca,
            client_auth=client_auth,
            suites=suites,
            versions=versions,
            alpn=alpn,
            renegotiation=renegotiation,
            tickets=tickets,
            session_ids=session_ids,
            sites=site or [],
            rogue=rogue,
            key_log=key_log,
            max_fragment=max_fragment,
            max_connections=max_connections,
            connections=connections,
            time=time,
            handshake=handshake_timeout,
            idle=idle_timeout,
            verbose=verbose,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The options as they were given."""

    listen: str
    cert: list[Path]
    key: list[Path]
    write_ca: Path | None
    client_ca: Path | None
    client_auth: str
    suites: str
    versions: str
    alpn: str
    renegotiation: str
    tickets: bool
    session_ids: bool
    sites: list[str]
    rogue: str
    key_log: Path | None
    max_fragment: int
    max_connections: int
    connections: int | None
    time: str
    handshake: str
    idle: str
    verbose: bool


def _serve(plan: Plan) -> int:
    from shakeproof import serving

    host, port = address(plan.listen)
    stop_after_s = seconds(plan.time) if plan.time else None
    limits = serving.Limits(
        connections=plan.max_connections, handshake_s=seconds(plan.handshake), idle_s=seconds(plan.idle)
    )
    connect = connector(plan)
    try:
        listener = serving.listen(host, port)
    except OSError as error:
        raise UsageError(f"--listen {plan.listen}: {error.strerror}; name another address, or port 0") from error
    log = Log(verbose=plan.verbose, planted=bool(plan.rogue))
    server = serving.Server(connect, limits=limits, report=log.report)
    log.say(f"listening on {serving.url_of(listener)}")
    interrupted = asyncio.run(_run(server, listener, plan.connections, stop_after_s, log))
    return worst([log.code, Exit.INTERRUPTED if interrupted else Exit.OK])


async def _run(server: Server, listener: socket.socket, most: int | None, stop_after_s: float | None, log: Log) -> bool:
    """Serve until a signal, the time or the number of connections says stop; whether it was SIGINT."""
    loop = asyncio.get_running_loop()
    interrupted = False

    def interrupt() -> None:
        nonlocal interrupted
        interrupted = True
        server.stop()

    loop.set_exception_handler(log.report_stray)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    loop.add_signal_handler(signal.SIGTERM, server.stop)
    if stop_after_s is not None:
        loop.call_later(stop_after_s, server.stop)
    await server.run(listener, most=most)
    return interrupted


class Log:
    """What is said while serving. code: the exit code that it comes to. planted: an error may be that of a rogue."""

    def __init__(self, *, verbose: bool, planted: bool) -> None:
        self.verbose = verbose
        self.planted = planted
        self.code = Exit.OK
        self._silent = False

    def say(self, line: str) -> None:
        """One line on standard output, at once. That nobody reads it any more is no reason to stop."""
        if self._silent:
            return
        try:
            print(line, flush=True)  # not with rich, which ends the program where the reader went away
        except OSError:
            self._silent = True
            close_stdout()

    def report(self, account: Account) -> None:
        """A connection ended."""
        if account.crash is not None:
            self._complain(account.crash, account.line)
        if self.verbose:
            self.say(account.line)

    def report_stray(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Something failed outside of any connection."""
        error = context.get("exception")
        text = str(context.get("message", ""))
        self._complain(error if isinstance(error, Exception) else RuntimeError(text), text)

    def _complain(self, error: Exception, line: str) -> None:
        """An error of ours: the first one with its traceback in a file. A planted fault may be behind it."""
        if self.planted or self.code is Exit.OURS:
            if not self.verbose:
                say_error(visible(line))
            return
        self.code = Exit(report_bug(error))


def address(text: str) -> tuple[str, int]:
    """Host and port of HOST:PORT, [IPV6]:PORT or :PORT. Raises UsageError."""
    host, colon, port = text.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port[:6]) > 65535 or (":" in host and bare == host):
        raise UsageError(f"--listen {text!r}: expected HOST:PORT, with a port from 0 to 65535; an IPv6 address in []")
    return bare, int(port)


def connector(plan: Plan) -> Callable[[], ServerConnection]:
    """What makes each connection, as the options say. Raises UsageError."""
    from shakeproof import sites
    from shakeproof.cautions import cautions
    from shakeproof.impl.tls import ServerConnection

    sites.check_versions(plan.versions)
    sites.check_fragment(plan.max_fragment)
    rogue = sites.chosen_rogue(plan.rogue, "tls12.server")
    renegotiation = choose("value of --renegotiation", plan.renegotiation, sites.RENEGOTIATION)
    suites = sites.chosen_suites(plan.suites)
    protocols = sites.chosen_protocols(plan.alpn)
    named = dict(map(sites.parse_site, plan.sites))
    if len(named) != len(plan.sites):
        raise UsageError("--site: a name comes twice; one site has one certificate, or several in one --site")
    given = sites.SiteOptions(plan.cert, plan.key, None, plan.client_ca, plan.client_auth)
    default = sites.make_site(given, fallback=_test_credentials, protocols=protocols, rogue=rogue)
    made = {
        name: sites.make_site(
            options, fallback=lambda: default.credentials, protocols=protocols, rogue=rogue, where=f"--site {name}: "
        )
        for name, options in named.items()
    }
    for text in cautions((given, default), {name: (named[name], site) for name, site in made.items()}):
        warn(text)
    if not plan.cert or plan.write_ca is not None:
        _tell_test_certificate(plan)
    log = sites.KeyLog(plan.key_log) if plan.key_log is not None else None
    options = sites.ServerOptions(
        suites=suites,
        renegotiation=cast("RenegotiationPolicy", renegotiation),
        session_ids=plan.session_ids,
        tickets=plan.tickets,
        max_fragment=plan.max_fragment,
        key_log=log,
    )
    config = sites.server_config(default, made, options)

    def connect() -> ServerConnection:
        connection = ServerConnection(config)
        sites.plant(rogue, connection)
        return connection

    return connect


def _test_credentials() -> tuple[Credential, ...]:
    from shakeproof.material import factory_credentials

    return factory_credentials(NAMES)


def _tell_test_certificate(plan: Plan) -> None:
    """Say that the certificate is one for tests, and write its CA where that is wanted."""
    from shakeproof.material import factory_anchors_pem

    if plan.cert:
        raise UsageError("--write-ca writes the CA of the test certificate, which --cert takes the place of")
    note = f"a test certificate for {', '.join(NAMES)}; its key is PUBLIC and protects nothing"
    if plan.write_ca is None:
        note += " (--write-ca FILE writes its CA)"
    else:
        try:
            plan.write_ca.write_text(factory_anchors_pem(), encoding="ascii")
        except OSError as error:
            raise UsageError(f"--write-ca {plan.write_ca}: can't be written ({error.strerror})") from error
        note += f"; its CA is in {visible(str(plan.write_ca))}"
    console(stderr=True).print(f"shakeproof: {note}")
