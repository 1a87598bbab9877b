"""`shakeproof fetch`: our own stack as an HTTPS client."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from shakeproof.commands.running import running, say_error, visible_lines, warn
from shakeproof.config import seconds
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose

if TYPE_CHECKING:
    from shakeproof.fetching import Deadline, Exchange, Url
    from shakeproof.impl.http import Response
    from shakeproof.impl.tls import ClientConfig, ClientConnection, Session
    from shakeproof.impl.tls.config import Renegotiation as RenegotiationPolicy
    from shakeproof.recording import Recorder
    from shakeproof.sites import KeyLog

FRAGMENT = 16384
RESUME = "resume"
"""The second word of a line that asks for the session to be resumed."""


def _option(metavar: str, help: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help)


UrlText = Annotated[str, typer.Argument(metavar="URL", help="https://HOST[:PORT]/PATH")]
Ca = Annotated[list[Path] | None, _option("FILE", "Trust anchors in PEM, instead of the system's; repeatable.")]
Name = Annotated[str, _option("NAME", "Whose certificate to expect and to ask for, instead of the URL's host.")]
Resolve = Annotated[list[str] | None, _option("HOST:PORT:ADDRESS", "Connect there instead; repeatable.")]
Cert = Annotated[Path | None, _option("FILE", "Client certificate chain in PEM.")]
Key = Annotated[Path | None, _option("FILE", "Its private key in PEM, if not in the same file.")]
Suites = Annotated[str, _option("LIST", "Cipher suites, the preferred first.")]
Alpn = Annotated[str, _option("LIST", "Application protocols; '' for no ALPN.")]
Renegotiation = Annotated[str, _option("HOW", "refuse or allow, if the server asks.")]
Tickets = Annotated[bool, typer.Option(help="Ask for a session ticket.")]
Profile = Annotated[bool, typer.Option(help="Hold certificates to the rules that bind their CA, too.")]
SessionFile = Annotated[Path | None, _option("FILE", "Resume the session in it, if any; save the new one.")]
Rogue = Annotated[str, _option("NAME", "Plant this fault in our client.")]
TraceWanted = Annotated[bool, typer.Option("--trace", help="Print the connection step by step, on standard error.")]
Save = Annotated[Path | None, _option("FILE", "Save the steps; shakeproof draw trace FILE shows them.")]
KeyLogFile = Annotated[Path | None, _option("FILE", "Append the connection's secrets, for Wireshark.", "--key-log")]
Fragment = Annotated[int, _option("N", "Bytes in a record that is sent.", "--max-fragment")]
Out = Annotated[Path | None, _option("FILE", "Write the body here instead of standard output.", "-o", "--output")]
Include = Annotated[bool, typer.Option("-i", "--include", help="Status and headers before the body.")]
Time = Annotated[str, _option("TIME", "For the whole run: 20s, 2m; with --again, for each fetch.")]
Again = Annotated[
    bool, typer.Option("--again", help="Fetch again for each line of standard input; `go resume` resumes the session.")
]


def fetch(
    url: UrlText,
    ca: Ca = None,
    name: Name = "",
    resolve: Resolve = None,
    cert: Cert = None,
    key: Key = None,
    suites: Suites = "",
    alpn: Alpn = "http/1.1",
    renegotiation: Renegotiation = "refuse",
    tickets: Tickets = True,
    profile: Profile = False,
    session_file: SessionFile = None,
    rogue: Rogue = "",
    trace: TraceWanted = False,
    save: Save = None,
    key_log: KeyLogFile = None,
    max_fragment: Fragment = FRAGMENT,
    output: Out = None,
    include: Include = False,
    time: Time = "30s",
    again: Again = False,
) -> None:
    """Our own stack as an HTTPS client: the body to standard output."""
    running(_fetch)(
        Plan(
            url=url,
            ca=ca or [],
            name=name,
            resolve=resolve or [],
            cert=cert,
            key=key,
            suites=suites,
            alpn=alpn,
            renegotiation=renegotiation,
            tickets=tickets,
            profile=profile,
            session_file=session_file,
            rogue=rogue,
            trace=trace,
            save=save,
            key_log=key_log,
            max_fragment=max_fragment,
            output=output,
            include=include,
            time=time,
            again=again,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The options as they were given."""

    url: str
    ca: list[Path]
    name: str
    resolve: list[str]
    cert: Path | None
    key: Path | None
    suites: str
    alpn: str
    renegotiation: str
    tickets: bool
    profile: bool
    session_file: Path | None
    rogue: str
    trace: bool
    save: Path | None
    key_log: Path | None
    max_fragment: int
    output: Path | None
    include: bool
    time: str
    again: bool


def _fetch(plan: Plan) -> int:
    from shakeproof import fetching, sites
    from shakeproof.impl.tls import ClientConnection

    url = fetching.parse_url(plan.url)
    name = fetching.ascii_name(plan.name) if plan.name else url.host
    resolved = fetching.parse_resolve(plan.resolve)
    time_s = seconds(plan.time)
    rogue = sites.chosen_rogue(plan.rogue, "tls12.client")
    for path in (plan.output, plan.save):
        _check_writable(path)
    log = sites.KeyLog(plan.key_log) if plan.key_log is not None else None
    config = _config(plan, url, name, log)

    def once(config: ClientConfig) -> tuple[int, Session | None]:
        tls = ClientConnection(config)
        sites.plant(rogue, tls)
        return _fetch_once(plan, url, name, resolved, fetching.Deadline(time_s), tls)

    try:
        code, session = once(config)
        for line in sys.stdin if plan.again else ():
            sys.stdout.flush()
            resumed = session if line.split()[1:] == [RESUME] else None
            code, session = once(replace(config, session=resumed))
        return code
    finally:
        if log is not None:
            log.close()


def _fetch_once(
    plan: Plan,
    url: Url,
    name: str,
    resolved: Mapping[tuple[str, int], str],
    deadline: Deadline,
    tls: ClientConnection,
) -> tuple[int, Session | None]:
    """One connection: the exit code, and the session that it made."""
    from shakeproof import fetching

    recorder = _recorder(tls, name) if plan.trace or plan.save is not None else None
    try:
        sock = fetching.connect(url, resolved, deadline)
        exchange = fetching.Exchange(sock, tls, url, deadline, recorder)
        try:
            response = exchange.run()
        except fetching.FetchError:
            raise
        except Exception as error:
            if not plan.rogue:
                raise
            said = f"{type(error).__name__}: {error}"
            raise fetching.FetchError(
                f"the planted fault {plan.rogue} ended our client: {said}", Exit.FINDINGS
            ) from error
        finally:
            if recorder is not None:
                _show(plan, url, recorder)
    except fetching.FetchError as error:
        say_error(visible_lines(str(error)))
        return error.code, None
    if plan.session_file is not None:
        _save_session(plan.session_file, exchange, name)
    _write(plan, response)
    return Exit.OK, exchange.session


def _recorder(tls: ClientConnection, name: str) -> Recorder:
    from shakeproof.recording import Recorder  # much to load, where most runs want no steps

    return Recorder(tls, name)


def _config(plan: Plan, url: Url, name: str, log: KeyLog | None) -> ClientConfig:
    from shakeproof import material, session_file, sites
    from shakeproof.cautions import weaknesses
    from shakeproof.impl.tls import ClientConfig
    from shakeproof.impl.x509 import verifier_for_tls

    sites.check_fragment(plan.max_fragment)
    if plan.key is not None and plan.cert is None:
        raise UsageError("--key without --cert: name the certificate that the key belongs to")
    if plan.ca:
        anchors = [der for path in plan.ca for der in material.load_anchors(path).der]
    else:
        found = material.system_anchors()
        anchors = list(found.der)
        console(stderr=True).print(f"shakeproof: {len(anchors)} trust anchors of {visible(found.path)}")
    credentials = (material.load_credential(plan.cert, plan.key),) if plan.cert is not None else ()
    for text in weaknesses(credentials, (plan.cert,) if plan.cert is not None else ()):
        warn(text)
    rogue = sites.chosen_rogue(plan.rogue, "tls12.client")
    verify = verifier_for_tls(sites.planted(rogue, material.server_validator(anchors, with_profile=plan.profile)))
    renegotiation = choose("value of --renegotiation", plan.renegotiation, sites.RENEGOTIATION)
    session = None
    if plan.session_file is not None:
        saved = session_file.load(plan.session_file)
        if saved is not None and saved.fits(url.authority, name, verify, datetime.now(UTC)):
            session = saved.session
    return ClientConfig(
        server_name=name,
        verify=verify,
        credentials=credentials,
        suites=sites.chosen_suites(plan.suites),
        alpn=sites.chosen_protocols(plan.alpn),
        renegotiation=cast("RenegotiationPolicy", renegotiation),
        tickets=plan.tickets,
        session=session,
        key_log=log,
        max_fragment=plan.max_fragment,
    )


def _check_writable(path: Path | None) -> None:
    """Before anything is sent: what can't be written is no reason to ask a server for it."""
    if path is not None:
        folder = path.parent
        if path.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
            raise UsageError(f"{path}: can't be written to; name another file")


def _show(plan: Plan, url: Url, recorder: Recorder) -> None:
    """The steps on standard error, or in the file that was named."""
    from shakeproof.diagrams.ladder import ladder

    suite = recorder.tls.suite
    subtitle = f"TLS 1.2{f', {suite.name}' if suite is not None else ''}."
    trace = recorder.trace(f"https://{url.authority}{url.target}", subtitle)
    if plan.trace:
        sys.stderr.write(ladder(trace))
        sys.stderr.flush()
    if plan.save is not None:
        _saving(plan.save, trace.to_json().encode("utf-8"))


def _saving(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as error:
        raise UsageError(f"{path}: can't be written ({error.strerror}); name another file") from error


def _save_session(path: Path, exchange: Exchange, name: str) -> None:
    from shakeproof import session_file

    session = exchange.session
    if session is None:
        console(stderr=True).print("shakeproof: the server gave no session that can be resumed")
        return
    session_file.save(path, session_file.SavedSession(exchange.url.authority, name, session))


def _write(plan: Plan, response: Response) -> None:
    """The response where it is wanted; on a terminal without what would steer it."""
    from shakeproof.fetching import for_terminal

    head = b""
    if plan.include:
        lines = [f"HTTP/1.1 {response.status}", *(f"{name}: {value}" for name, value in response.headers), ""]
        head = "".join(f"{line}\r\n" for line in lines).encode("latin-1")
    data = head + response.body
    if plan.output is not None:
        _saving(plan.output, data)
    elif sys.stdout.isatty():
        sys.stdout.write(for_terminal(data))
    else:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
