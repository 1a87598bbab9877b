"""`shakeproof verify`: a certificate chain, all its defects, and every check of every certificate."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from shakeproof.commands.running import running, say_error, visible_lines
from shakeproof.config import seconds
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose

if TYPE_CHECKING:
    from rich.console import Console

    from shakeproof.impl.x509 import Result, Step


def _option(metavar: str, help: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help)


Chain = Annotated[Path | None, typer.Argument(metavar="CHAIN.pem", help="The chain in PEM, the leaf first.")]
Name = Annotated[str, _option("HOST", "Whom the leaf has to speak for: a host name or an IP address.")]
AnchorFiles = Annotated[list[Path] | None, _option("FILE", "Trust anchors in PEM, not the system's; repeatable.")]
Connect = Annotated[str, _option("HOST:PORT", "Take the chain that this server shows, instead of a file.")]
At = Annotated[str, _option("TIME", "Judge at this time, as 2026-01-31 or 2026-01-31T12:00:00Z, not now.")]
ReadingName = Annotated[str, _option("NAME", "rfc5280 or webpki, where the two disagree.")]
UsageName = Annotated[str, _option("NAME", "What the leaf is for: server or client.")]
KeyExchange = Annotated[str, _option("NAME", "rsa or ecdhe: the leaf's key usage has to fit it.")]
CrlFiles = Annotated[list[Path] | None, _option("FILE", "CRLs in PEM; repeatable.", "--crl")]
RequireStatus = Annotated[bool, typer.Option("--require-status", help="A revocation status has to be known.")]
PolicyNames = Annotated[list[str] | None, _option("OID", "One of these policies has to hold; repeatable.", "--policy")]
Profile = Annotated[bool, typer.Option(help="Hold certificates to the rules that bind their CA, too.")]
Time = Annotated[str, _option("TIME", "For --connect: 20s, 2m.")]
Json = Annotated[str, typer.Option("--json", metavar="FILE", help="The verdict as JSON; -: standard output, alone.")]
FigureFile = Annotated[
    str,
    _option(
        "FILE", "The picture of the validation, as far as it came: .svg, .png, .pdf, .gv, .mmd or .txt.", "--figure"
    ),
]

READINGS = {"rfc5280": "RFC5280", "webpki": "WEBPKI"}
USAGES = {"server": "SERVER_AUTH", "client": "CLIENT_AUTH"}
KEY_EXCHANGES = {"rsa": frozenset({"key_encipherment"}), "ecdhe": frozenset({"digital_signature"})}

IDENTIFIER = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")

MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "not run": ("·", "dim")}


def verify(
    chain: Chain = None,
    name: Name = "",
    anchors: AnchorFiles = None,
    connect: Connect = "",
    at: At = "",
    reading: ReadingName = "rfc5280",
    usage: UsageName = "server",
    key_exchange: KeyExchange = "",
    crls: CrlFiles = None,
    require_status: RequireStatus = False,
    policies: PolicyNames = None,
    profile: Profile = True,
    time: Time = "30s",
    json: Json = "",
    figure: FigureFile = "",
) -> None:
    """A certificate chain: all defects, which certificate, which clause, and every check."""
    running(_verify)(
        Plan(
            chain=chain,
            name=name,
            anchors=anchors or [],
            connect=connect,
            at=at,
            reading=reading,
            usage=usage,
            key_exchange=key_exchange,
            crls=crls or [],
            require_status=require_status,
            policies=policies or [],
            profile=profile,
            time=time,
            json=json,
            figure=figure,
        )
    )


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The options as they were given."""

    chain: Path | None
    name: str
    anchors: list[Path]
    connect: str
    at: str
    reading: str
    usage: str
    key_exchange: str
    crls: list[Path]
    require_status: bool
    policies: list[str]
    profile: bool
    time: str
    json: str
    figure: str


def _verify(plan: Plan) -> int:
    from shakeproof import chains, fetching, material
    from shakeproof.commands import draw
    from shakeproof.impl.x509 import PolicyInputs, Reading, Usage, Validator

    if (plan.chain is None) == (not plan.connect):
        raise UsageError("name a file with a chain, or a server with --connect HOST:PORT; one of the two")
    reading = Reading[READINGS[choose("value of --reading", plan.reading, READINGS)]]
    usage = Usage[USAGES[choose("value of --usage", plan.usage, USAGES)]]
    if plan.key_exchange:
        choose("value of --key-exchange", plan.key_exchange, KEY_EXCHANGES)
    for policy in plan.policies:
        _check_identifier(policy)
    picture = draw.picture_file("--figure", plan.figure) if plan.figure else None
    when = _time(plan.at)
    server = chains.parse_server(plan.connect) if plan.connect else None
    expected = plan.name or (server.host if server is not None else "")
    name = fetching.ascii_name(expected) if expected else None
    if plan.anchors:
        anchors = [der for path in plan.anchors for der in chains.read_anchors(path)]
    else:
        found = material.system_anchors()
        anchors = list(found.der)
        console(stderr=True).print(f"shakeproof: {len(anchors)} trust anchors of {visible(found.path)}")
    validator = Validator(
        anchors,
        reading,
        usage=usage,
        with_profile=plan.profile,
        policies=PolicyInputs(frozenset(plan.policies), initial_explicit_policy=True)
        if plan.policies
        else PolicyInputs(),
        crls=[der for path in plan.crls for der in chains.read_blocks(path, chains.CRL)],
        require_status=plan.require_status,
        key_usage=KEY_EXCHANGES.get(plan.key_exchange),
    )
    try:
        chain = _chain(plan, server, name)
    except fetching.FetchError as error:
        say_error(visible_lines(str(error)))
        return error.code
    result = validator.validate(chain, when, name)
    _report(plan, result, name, when, chain)
    if picture is not None:
        _draw(picture, result)
    return Exit.OK if result.accepted else Exit.FINDINGS


def _chain(plan: Plan, server: Any, name: str | None) -> tuple[bytes, ...]:
    from shakeproof import chains, fetching

    if plan.chain is not None:
        return chains.read_blocks(plan.chain, chains.CERTIFICATE)
    return chains.shown_chain(server, name or server.host, fetching.Deadline(seconds(plan.time)))


def _check_identifier(text: str) -> None:
    if not IDENTIFIER.fullmatch(text):
        raise UsageError(f"--policy {text!r}: expected a dotted identifier such as 2.23.140.1.2.1")


def _draw(path: Path, result: Result) -> None:
    from shakeproof.commands.draw import save_picture
    from shakeproof.diagrams.flow_chart import draw_flow
    from shakeproof.scenes import executed_flow

    save_picture(draw_flow(executed_flow(result)), path)


def _time(text: str) -> datetime:
    if not text:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--at {text!r}: expected a time such as 2026-01-31 or 2026-01-31T12:00:00Z") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


# --------------------------------------------------------------------------------------------------------- what is told


def _report(plan: Plan, result: Result, name: str | None, when: datetime, chain: tuple[bytes, ...]) -> None:
    from shakeproof.reports.chain import chain_to_json

    out = console(stderr=plan.json == "-")
    what = str(plan.chain) if plan.chain is not None else plan.connect
    whom = f"for {name}" if name is not None else "for no particular name"
    out.print(
        f"shakeproof verify {visible(what)} · {visible(whom)} · {when:%Y-%m-%d %H:%M:%S %Z} · reading {plan.reading}"
    )
    _print_trace(out, result.trace)
    for found in result.defects:
        where = "" if found.certificate_index is None else f"certificate {found.certificate_index}: "
        out.print(Text(f"✗ {found.defect.name}  ", style="bold red").append(where + visible(found.explanation)))
        out.print(f"   {found.clause}")
    if plan.json:
        text = chain_to_json(result, name=name, time=when, reading=plan.reading, sent=chain)
        if plan.json == "-":
            console().print(text)
        else:
            _save(Path(plan.json), text)
    if result.accepted:
        out.print(Text("VALID", style="bold green").append(f"   {len(result.path)} certificates, no defect"))
    else:
        count = len(result.defects)
        told = f"   {count} defect{'s' if count > 1 else ''} · a TLS client would send {result.alert}"
        out.print(Text("NOT VALID", style="bold red").append(told))


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path}: can't be written ({error.strerror}); name another file") from error


def _print_trace(out: Console, trace: Iterable[Step]) -> None:
    """Each certificate with its checks: the failed ones a line each, the others together."""
    groups: dict[int | None, list[Step]] = {}
    for step in trace:
        groups.setdefault(step.certificate_index, []).append(step)
    for index, steps in groups.items():
        head = "   search" if index is None else f"{index:>3}  {visible(steps[0].subject)}"
        out.print(Text(head, style="bold"))
        for outcome, (mark, style) in MARKS.items():
            chosen = [step for step in steps if step.outcome.value == outcome]
            if outcome == "failed":
                for step in chosen:
                    text = f"     {mark} {step.name}: {visible(step.text)}   [{step.clause}]"
                    out.print(Text(text, style=style))
            elif chosen:
                note = " not run:" if outcome == "not run" else ""
                out.print(Text(f"     {mark}{note} {', '.join(step.name for step in chosen)}", style=style))
