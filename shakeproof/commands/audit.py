"""`shakeproof audit`: conformance of a stack."""

from __future__ import annotations

import secrets
import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from shakeproof import __version__
from shakeproof.commands.running import report_bug, running
from shakeproof.config import ENVIRONMENT, Settings, seconds
from shakeproof.console import console, visible
from shakeproof.exits import UsageError, choose, unknown, worst
from shakeproof.properties.findings import Event, Listener, RoleRun, Run

DEFAULT_TARGETS = ("shakeproof", "openssl")
DEFAULT_REPORT = "shakeproof-report"
DEFAULT_TIME = "60s"
SIDES = ("client", "server", "both")
SUITES = ("quick",)
FAIL_ON = ("must", "deviation", "never")
SEED_DIGITS = 100_000
"""A random seed has at most five digits: it is read aloud and typed again."""

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="shakeproof (our own implementation), openssl (in process), HOST:PORT (a server), or a name of "
        "[tool.shakeproof.targets]. None: shakeproof and openssl.",
    ),
]


def _option(env: str, metavar: str, help: str, *names: str, least: int | None = None) -> Any:
    """An option that the environment variable SHAKEPROOF_`env` may give too."""
    return typer.Option(*names, metavar=metavar, help=help, envvar=f"{ENVIRONMENT}{env}", min=least)


Role = Annotated[str, _option("ROLE", "SIDE", "client, server or both.")]
Time = Annotated[str, _option("TIME", "TIME", "Budget for the whole run: 20s, 2m.")]
Seed = Annotated[int | None, _option("SEED", "N", "Repeat a run; random and printed if not given.")]
Suite = Annotated[str, _option("SUITE", "NAME", "quick: every cell of every table.")]
Report = Annotated[str, _option("REPORT", "DIR", "Folder for the report.")]
Formats = Annotated[str, _option("FORMAT", "LIST", "html, json, text, or several with commas.", "--format")]
FailOn = Annotated[str, _option("FAIL_ON", "LEVEL", "must: FAIL, CRASH, HANG; deviation: those too; never.")]
Jobs = Annotated[int, _option("JOBS", "N", "Processes; 0: one per core.", "-j", "--jobs", least=0)]
Rogue = Annotated[str, typer.Option(metavar="NAME", help="Plant this fault in our own implementation.")]
Json = Annotated[str, typer.Option("--json", metavar="FILE", help="The run as JSON; -: standard output, alone.")]
Authorized = Annotated[bool, typer.Option("--i-am-authorized", help="Allow targets that are not on this machine.")]


def audit(
    context: typer.Context,
    targets: Targets = None,
    role: Role = "both",
    time: Time = DEFAULT_TIME,
    seed: Seed = None,
    suite: Suite = "quick",
    report: Report = DEFAULT_REPORT,
    formats: Formats = "html,json,text",
    fail_on: FailOn = "must",
    jobs: Jobs = 0,
    rogue: Rogue = "",
    json: Json = "",
    i_am_authorized: Authorized = False,
) -> None:
    """Conformance of a stack: verdicts with their clauses."""
    settings = context.obj if isinstance(context.obj, Settings) else Settings()
    running(_audit)(
        settings, targets or [], role, time, seed, suite, report, formats, fail_on, jobs, rogue, json, i_am_authorized
    )


def _audit(
    settings: Settings,
    targets: list[str],
    role: str,
    time: str,
    seed: int | None,
    suite: str,
    report: str,
    formats: str,
    fail_on: str,
    jobs: int,
    rogue: str,
    json: str,
    authorized: bool,
) -> int:
    from shakeproof.reports.folder import FORMATS

    budget_s = seconds(time)
    choose("suite", suite, SUITES)
    choose("value of --fail-on", fail_on, FAIL_ON)
    wanted_formats = [choose("format", name.strip(), FORMATS) for name in formats.split(",") if name.strip()]
    roles = roles_of(role)
    if rogue:
        _check_rogue(rogue)
    names = chosen_targets(settings, targets, rogue)
    for name in names:
        check_target(settings, name, authorized=authorized)
    if seed is None:
        seed = secrets.randbelow(SEED_DIGITS)
    elif not 0 <= seed < 2**63:
        raise UsageError(f"--seed {seed} is out of range; it must be from 0 to 2**63 - 1")
    asked = {"--role": role if role != "both" else "", "--rogue": rogue, "--time": time if time != DEFAULT_TIME else ""}
    options = [word for name, value in asked.items() if value for word in (name, value)]
    command = shlex.join(["audit", *targets, *options])
    return run_audit(
        settings,
        names,
        roles=roles,
        suite=suite,
        budget_s=budget_s,
        seed=seed,
        folder=Path(report),
        formats=wanted_formats,
        fail_on=fail_on,
        jobs=jobs,
        rogue=rogue,
        json=json,
        command=command,
    )


def run_audit(
    settings: Settings,
    names: list[str],
    *,
    roles: tuple[str, ...],
    suite: str,
    budget_s: float,
    seed: int,
    folder: Path,
    formats: list[str],
    fail_on: str,
    jobs: int,
    rogue: str,
    json: str,
    command: str,
) -> int:
    """Run the audit with its reporters; the exit code."""
    from shakeproof.doctor import facts
    from shakeproof.properties.audit import audit as engine
    from shakeproof.properties.findings import CellDone, FindingConfirmed, RoleDone, RoleStarted
    from shakeproof.properties.targets.base import TargetError
    from shakeproof.reports.folder import FolderReport
    from shakeproof.reports.json import run_to_json
    from shakeproof.reports.summary import break_off, judge_run
    from shakeproof.reports.terminal import TerminalReport
    from shakeproof.store import SavedFinding, Store

    out = console(stderr=json == "-")
    if json and json != "-":
        _check_writable(Path(json))
    written = FolderReport(folder, formats=formats, seed=seed, rogue=rogue)
    store = Store()
    notes: list[str] = []
    roles_seen: dict[tuple[str, str], RoleRun] = {}
    sizes: dict[tuple[str, str], int] = {}
    done: dict[tuple[str, str], int] = {}

    def keep(event: Event) -> None:
        if isinstance(event, FindingConfirmed):
            try:
                store.save(SavedFinding(event.finding, seed, rogue))
            except OSError as error:
                # The report has the finding too: replay takes its file.
                notes.append(f"{store.folder} can't be written to ({error.strerror}): replay from the report instead")
        elif isinstance(event, RoleStarted):
            sizes[event.target, event.role] = event.cells
            roles_seen[event.target, event.role] = RoleRun(event.target, event.description, event.role)
        elif isinstance(event, CellDone):
            done[event.target, event.role] = event.done
        elif isinstance(event, RoleDone):
            roles_seen[event.result.target, event.result.role] = event.result

    out.print(f"shakeproof {__version__} · {command} · seed {seed} · budget {budget_s:g} s")
    with TerminalReport(out, report=folder) as terminal:
        listener = both(keep, written, terminal)
        try:
            run = engine(
                names,
                roles=roles,
                rogue=rogue,
                suite=suite,
                time_s=budget_s,
                seed=seed,
                jobs=jobs,
                listener=listener,
                command=f"shakeproof {command}",
            )
        except TargetError as error:
            raise UsageError(str(error)) from error
        except KeyboardInterrupt:
            run = Run(f"shakeproof {command}", seed, budget_s, list(roles_seen.values()), interrupted=True)
    if run.interrupted:
        break_off(run, sizes, done)
    run.facts = {**facts(), **run.facts}
    judgement = judge_run(run, settings.accept, fail_on)
    written.finish(judgement, version=__version__)
    terminal.finish(judgement, written.files, [*written.notes, *notes])
    if json:
        text = run_to_json(judgement, version=__version__, files=written.files)
        if json == "-":
            sys.stdout.write(text)
        else:
            Path(json).write_text(text, encoding="utf-8")
    return int(worst([judgement.exit_code, *map(report_bug, written.errors)]))


def both(*listeners: Listener) -> Listener:
    """One listener that tells all of these, in order."""

    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return tell


def _check_writable(path: Path) -> None:
    try:
        with path.open("a", encoding="utf-8"):
            return
    except OSError as error:
        raise UsageError(f"--json {path}: can't be written ({error.strerror}); name a file, or - for output") from error


# ------------------------------------------------------------------------------------------------------------- choices


def roles_of(role: str) -> tuple[str, ...]:
    """The roles that "client", "server", "both" or a role's own name stands for; empty for all."""
    from shakeproof.model.roles import ROLES

    known = [name for name in ROLES if name.startswith("tls")]
    if role == "both":
        return ()
    if role in ("client", "server"):
        return tuple(name for name in known if name.endswith(f".{role}"))
    return (choose("role", role, [*SIDES, *known]),)


def _check_rogue(rogue: str) -> None:
    from shakeproof.properties.rogues import ROGUES

    planted = ROGUES[choose("rogue", rogue, ROGUES, hint="`shakeproof list rogues` says what each does.")]
    if not planted.is_of_tls:
        raise UsageError(planted.elsewhere)


def chosen_targets(settings: Settings, targets: list[str], rogue: str) -> list[str]:
    """The targets of the command line, names of the file resolved; the defaults where there are none."""
    if rogue:
        foreign = [name for name in targets if name != "shakeproof"]
        if foreign:
            raise UsageError(
                f"--rogue plants a fault in our own implementation; {visible(foreign[0])!r} can't have one. "
                f"Leave the target out, or name shakeproof"
            )
        return ["shakeproof"]
    return list(dict.fromkeys(settings.connect(name) for name in targets)) or list(DEFAULT_TARGETS)


def check_target(settings: Settings, name: str, *, authorized: bool) -> None:
    """Raise UsageError where there is no such target, or it is elsewhere and nobody said that this is allowed."""
    from shakeproof.properties.targets import NAMES, find_target
    from shakeproof.properties.targets.base import TargetError

    try:
        target = find_target(name)
    except TargetError as error:
        if ":" in name:
            raise UsageError(f"{error}. An address is written HOST:PORT, with a port from 1 to 65535") from error
        raise unknown("target", name, [*NAMES, *settings.targets]) from error
    if not target.is_local and not authorized:
        raise UsageError(
            f"{name} is not on this machine. An audit sends it hundreds of malformed handshakes: do that only with its "
            f"owner's consent. Where you have it, add --i-am-authorized"
        )
