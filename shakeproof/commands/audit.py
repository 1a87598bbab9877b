"""`shakeproof audit`: conformance of a stack."""

from __future__ import annotations

import secrets
import shlex
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shakeproof import __version__
from shakeproof.commands.interruption import Interruption, interruptible
from shakeproof.commands.running import report_bug, running
from shakeproof.config import ENVIRONMENT, Settings, seconds
from shakeproof.console import console, visible
from shakeproof.exits import UsageError, choose, unknown, worst
from shakeproof.properties.findings import Event, Listener, RoleRun, Run
from shakeproof.reports.formats import DEFAULT_FORMATS, FORMATS

if TYPE_CHECKING:
    from shakeproof.cluster import Cluster
    from shakeproof.reports.baseline import Baseline

DEFAULT_TARGETS = ("shakeproof", "openssl")
DEFAULT_REPORT = "shakeproof-report"
DEFAULT_TIME = "60s"
SIDES = ("client", "server", "both")
FAIL_ON = ("must", "deviation", "never")
FORMAT_LIST = ",".join(DEFAULT_FORMATS)
SEED_DIGITS = 100_000
"""A random seed has at most five digits: it is read aloud and typed again."""

Targets = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TARGET",
        help="shakeproof (our own implementation), openssl (in process), HOST:PORT (a server), exec:COMMAND (a server "
        "or a client that is started, with {port} {cert} {key} or {port} {ca} {name} in it), python:MODULE:FACTORY (in "
        "process), or a name: of `shakeproof list targets`, or of [tool.shakeproof.targets]. None: the first two.",
    ),
]


def _option(env: str, metavar: str, help: str, *names: str, least: int | None = None, most: int | None = None) -> Any:
    """An option that the environment variable SHAKEPROOF_`env` may give too."""
    return typer.Option(*names, metavar=metavar, help=help, envvar=f"{ENVIRONMENT}{env}", min=least, max=most)


Role = Annotated[str, _option("ROLE", "SIDE", "client, server or both.")]
Time = Annotated[
    str, _option("TIME", "TIME", "Budget for the audit itself: 20s, 2m. Starting and writing reports come on top.")
]
Seed = Annotated[int | None, _option("SEED", "N", "Repeat a run; random and printed if not given.")]
Suite = Annotated[str, _option("SUITE", "NAME", "quick: every cell of every table; full: a complete suite as well.")]
Extra = Annotated[int, _option("EXTRA_STATES", "K", "Of full: states beyond the table's, 0 to 2.", least=0, most=2)]
Report = Annotated[str, _option("REPORT", "DIR", "Folder for the report.")]
Formats = Annotated[str, _option("FORMAT", "LIST", f"{', '.join(FORMATS)}; several with commas.", "--format")]
FailOn = Annotated[str, _option("FAIL_ON", "LEVEL", "must: FAIL, CRASH, HANG; deviation: those too; never.")]
BaselineFile = Annotated[
    str, _option("BASELINE", "FILE", "A former run.json: only what is not in it counts; what is fixed is said.")
]
WantsMatrix = Annotated[bool, typer.Option("--matrix", help="Rules x targets, as a table and as matrix.svg and .png.")]
Where = Annotated[
    str,
    _option(
        "EXECUTOR", "WHERE", "processes (of this machine), or dask://HOST:PORT: a cluster that you trust; it runs code."
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over where an interrupted run of the same could go on.")]
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
    extra_states: Extra = 1,
    report: Report = DEFAULT_REPORT,
    formats: Formats = FORMAT_LIST,
    fail_on: FailOn = "must",
    jobs: Jobs = 0,
    rogue: Rogue = "",
    json: Json = "",
    baseline: BaselineFile = "",
    matrix: WantsMatrix = False,
    fresh: Fresh = False,
    executor: Where = "processes",
    i_am_authorized: Authorized = False,
) -> None:
    """Conformance of a stack: verdicts with their clauses.

    Ctrl-C ends the run, and its reports are written; pressed twice more, it ends at once.
    """
    began = monotonic()
    settings = context.obj if isinstance(context.obj, Settings) else Settings()
    running(_audit)(
        settings,
        targets or [],
        role=role,
        time=time,
        seed=seed,
        suite=suite,
        report=report,
        formats=formats,
        fail_on=fail_on,
        jobs=jobs,
        rogue=rogue,
        json=json,
        baseline=baseline,
        matrix=matrix,
        fresh=fresh,
        executor=executor,
        authorized=i_am_authorized,
        extra_states=extra_states,
        began=began,
    )


def _audit(
    settings: Settings,
    targets: list[str],
    *,
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
    baseline: str,
    matrix: bool,
    fresh: bool,
    executor: str,
    authorized: bool,
    extra_states: int,
    began: float,
) -> int:
    from shakeproof.cluster import opened
    from shakeproof.properties.audit import SUITES
    from shakeproof.reports.baseline import load_baseline

    budget_s = seconds(time)
    choose("suite", suite, SUITES)
    choose("value of --fail-on", fail_on, FAIL_ON)
    wanted_formats = [choose("format", name.strip(), FORMATS) for name in formats.split(",") if name.strip()]
    roles = roles_of(role)
    if rogue:
        check_rogue(rogue)
    names = chosen_targets(settings, targets, rogue)
    for name in names:
        check_target(settings, name, authorized=authorized, roles=roles)
    # Before the report's folder is cleared: the baseline may lie in it.
    former = load_baseline(Path(baseline)) if baseline else None
    if seed is not None and not 0 <= seed < 2**63:
        raise UsageError(f"--seed {seed} is out of range; it must be from 0 to 2**63 - 1")
    asked = {"--role": role if role != "both" else "", "--rogue": rogue, "--time": time if time != DEFAULT_TIME else ""}
    asked |= {"--suite": suite, "--extra-states": str(extra_states)} if suite != "quick" else {}
    options = [word for name, value in asked.items() if value for word in (name, value)]
    command = shlex.join(["audit", *targets, *options])
    with interruptible() as interruption, opened(executor) as cluster:
        return run_audit(
            settings,
            names,
            roles=roles,
            suite=suite,
            extra_states=extra_states,
            budget_s=budget_s,
            seed=seed,
            folder=Path(report),
            formats=wanted_formats,
            fail_on=fail_on,
            jobs=jobs,
            rogue=rogue,
            json=json,
            command=command,
            baseline=former,
            matrix=matrix,
            fresh=fresh,
            cluster=cluster,
            interruption=interruption,
            began=began,
        )


def run_audit(
    settings: Settings,
    names: list[str],
    *,
    roles: tuple[str, ...],
    suite: str,
    budget_s: float,
    seed: int | None,
    folder: Path,
    formats: list[str],
    fail_on: str,
    jobs: int,
    rogue: str,
    json: str,
    command: str,
    extra_states: int = 1,
    baseline: Baseline | None = None,
    matrix: bool = False,
    fresh: bool = False,
    cluster: Cluster | None = None,
    interruption: Interruption,
    began: float | None = None,
) -> int:
    """Run the audit with its reporters; the exit code.

    seed: None for that of a run that can go on, or any; began: when the command did, of time.monotonic.
    """
    from shakeproof.doctor import facts
    from shakeproof.properties.audit import audit as engine
    from shakeproof.properties.executors import ExecutorError
    from shakeproof.properties.findings import CellDone, FindingConfirmed, RoleDone, RoleStarted
    from shakeproof.properties.targets import find_target
    from shakeproof.properties.targets.base import TargetError
    from shakeproof.reports.defects import has_table, print_defects
    from shakeproof.reports.folder import FolderReport
    from shakeproof.reports.json import run_to_json
    from shakeproof.reports.matrix import print_matrix
    from shakeproof.reports.names import short_names
    from shakeproof.reports.summary import break_off, judge_run
    from shakeproof.reports.terminal import TerminalReport
    from shakeproof.store import SavedFinding, Store
    from shakeproof.unfinished import Asked, seed_of, take_up

    out = console(stderr=json == "-")
    if json and json != "-":
        _check_writable(Path(json))
    store = Store()
    question = {"targets": names, "roles": list(roles), "suite": suite, "extra_states": extra_states, "rogue": rogue}
    if seed is None and not fresh:
        seed = seed_of(store, question)
    if seed is None:
        seed = secrets.randbelow(SEED_DIGITS)
    try:
        identities = {name: find_target(name, rogue=rogue).description for name in names}
    except TargetError as error:
        raise UsageError(str(error)) from error
    written = FolderReport(folder, formats=formats, seed=seed, rogue=rogue, settings=settings.path)
    unfinished = take_up(store, Asked(question, __version__, seed, identities), fresh=fresh)
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
            sizes[event.target, event.role] = event.cells
        elif isinstance(event, RoleDone):
            roles_seen[event.result.target, event.result.role] = event.result

    out.print(f"shakeproof {__version__} · {command} · seed {seed} · budget {budget_s:g} s")
    for note in unfinished.notes:
        out.print(note)
    told = len(unfinished.notes)
    is_known = baseline.has if baseline is not None else (lambda _: False)
    with TerminalReport(out, report=folder, names=short_names(names), is_known=is_known, began=began) as terminal:
        listener = both(keep, written, terminal)
        interruption.live = out if terminal.live else None
        interruption.run()
        try:
            run = engine(
                names,
                roles=roles,
                rogue=rogue,
                suite=suite,
                extra_states=extra_states,
                time_s=budget_s,
                seed=seed,
                jobs=jobs or (cluster.workers if cluster else 0),
                listener=listener,
                command=f"shakeproof {command}",
                begun=unfinished.begun,
                overhear=unfinished.overhear,
                executor=cluster.executor if cluster else None,
            )
        except (TargetError, ExecutorError) as error:
            raise UsageError(str(error)) from error
        except KeyboardInterrupt:
            run = Run(f"shakeproof {command}", seed, budget_s, list(roles_seen.values()), interrupted=True)
        interruption.write()
    interruption.live = None
    if run.interrupted:
        break_off(run, sizes, done)
        unfinished.flush()
    else:
        unfinished.remove()
    run.facts = {**facts(), **run.facts}
    judgement = judge_run(run, settings.accepting(names), fail_on, baseline=baseline)
    if matrix:
        written.matrix(judgement)
        print_matrix(out, judgement)
    if not run.interrupted and not rogue and has_table(names, tuple(dict.fromkeys(one.role for one in run.roles))):
        print_defects(out, names[0], run.roles[0].role, seed)
    written.finish(judgement, version=__version__)
    machines = [one for role in run.roles for one in role.learned]
    if machines:
        from shakeproof.learned import summary_of, write_all

        written.files += write_all(machines, folder)
        for line in (line for one in machines for line in summary_of(one)):
            out.print(visible(line))
    if run.interrupted:
        notes.append("the same command goes on from here")
    terminal.finish(judgement, written.files, [*written.notes, *notes, *unfinished.notes[told:]])
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


def check_rogue(rogue: str) -> None:
    """Raise UsageError where there is no such fault, or an audit can't meet it."""
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


def check_target(settings: Settings, name: str, *, authorized: bool, roles: tuple[str, ...] | None = None) -> None:
    """Raise UsageError where there is no such target, or it is elsewhere and nobody said that this is allowed.

    roles: those that are asked for, empty for all, so that a command which does not show its role needs one; None where
    something else tells the role.
    """
    from shakeproof.properties.targets import ADDRESS_HINT, UnknownTargetError, find_target, names_known
    from shakeproof.properties.targets.base import TargetError

    try:
        target = find_target(name)
    except UnknownTargetError as error:
        if ADDRESS_HINT in str(error):
            raise UsageError(str(error)) from error
        raise unknown("target", name, [*names_known(), *settings.targets]) from error
    except TargetError as error:
        raise UsageError(str(error)) from error
    sides = [one for one in target.roles if not roles or one in roles]
    if roles is not None and target.takes_one_role and len(sides) > 1:
        which = " or ".join(f"--role {one.rpartition('.')[2]}" for one in sides)
        raise UsageError(f"{name!r} may be a server or a client; say which with {which}")
    if not target.is_local and not authorized:
        raise UsageError(
            f"{name} is not on this machine. An audit sends it hundreds of malformed handshakes: do that only with its "
            f"owner's consent. Where you have it, add --i-am-authorized"
        )
