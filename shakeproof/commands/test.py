"""`shakeproof test`: Hypothesis drives our implementation, the model judges every step."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from shakeproof import __version__
from shakeproof.commands.running import running
from shakeproof.config import ENVIRONMENT
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose

if TYPE_CHECKING:
    from shakeproof.properties.stateful import Failure, TestRun

DEFAULT_REPORT = "shakeproof-report"

Properties = Annotated[
    list[str] | None, typer.Argument(metavar="PROPERTY", help="`shakeproof list properties` has them. None: all.")
]
Profile = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        envvar=f"{ENVIRONMENT}PROFILE",
        help="dev: a few seconds; ci: one to two minutes, the same runs each time; deep: as long as a coffee "
        "break. Default: dev, and ci for a rogue.",
    ),
]
Rogue = Annotated[str, typer.Option(metavar="NAME", help="Plant this fault in our implementation: it must be found.")]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", envvar=f"{ENVIRONMENT}SEED", help="Of the random choices; printed if not given."),
]
Jobs = Annotated[
    int,
    typer.Option(
        "-j",
        "--jobs",
        metavar="N",
        envvar=f"{ENVIRONMENT}JOBS",
        min=0,
        help="Processes; 0: one per core. The same runs in any.",
    ),
]
Report = Annotated[
    str, typer.Option(metavar="DIR", envvar=f"{ENVIRONMENT}REPORT", help="Folder for the runs of failures.")
]


def run_tests(
    properties: Properties = None,
    profile: Profile = "",
    rogue: Rogue = "",
    seed: Seed = None,
    jobs: Jobs = 0,
    report: Report = DEFAULT_REPORT,
) -> None:
    """Hypothesis tests of our implementation, judged by the model."""
    running(_test)(properties or [], profile, rogue, seed, jobs, Path(report))


def _test(names: list[str], profile: str, rogue: str, seed: int | None, jobs: int, folder: Path) -> int:
    from shakeproof.properties.rogues import ROGUES
    from shakeproof.properties.safety import PROPERTIES
    from shakeproof.properties.stateful import PROFILES, run_properties
    from shakeproof.reports.properties import PropertiesReport

    wanted = [choose("property", name, PROPERTIES) for name in names]
    profile = choose("profile", profile or ("ci" if rogue else "dev"), PROFILES)
    if rogue:
        choose("rogue", rogue, ROGUES, hint="`shakeproof list rogues` says what each does.")
    if seed is not None and not 0 <= seed < 2**63:
        raise UsageError(f"--seed {seed} is out of range; it must be from 0 to 2**63 - 1")
    out = console()
    command = " ".join(["test", *wanted, *(["--rogue", rogue] if rogue else [])])
    out.print(f"shakeproof {__version__} · {command} · profile {profile}: {PROFILES[profile].sentence}")
    with PropertiesReport(out) as reporter:
        run = run_properties(
            wanted, profile=profile, rogue=rogue, seed=seed, jobs=jobs or os.cpu_count() or 1, report=reporter
        )
    written = save(run, folder)
    if run.failures:
        page = save_page(run, folder, f"shakeproof {command} --profile {profile} --seed {run.seed}")
        out.print(f"  report: {visible(str(page))}")
    reporter.finish(run, written)
    if not run.failures and not run.passed:
        return Exit.NOT_TESTED
    return Exit.OK if run.passed else Exit.FINDINGS


def save(run: TestRun, folder: Path) -> dict[int, Path]:
    """Write each failure's code, trace, chart and capture; by the failure's place in the run, the code's file.

    Raises UsageError where the folder can't be written to.
    """
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.reports.pcapng import save_capture

    written: dict[int, Path] = {}
    for index, failure in enumerate(run.failures):
        stem = stem_of(run, failure)
        path = folder / f"{stem}.py"
        try:
            failure.trace.save(folder / f"{stem}.json")
            path.write_text(failure.code, encoding="utf-8")
            draw_trace(failure.trace).save(folder / f"{stem}.svg")
            save_capture(failure.trace, folder / f"{stem}.pcapng")
        except OSError as error:
            raise UsageError(f"{folder}: can't be written to ({error.strerror}); name another with --report") from error
        written[index] = path
    return written


def save_page(run: TestRun, folder: Path, command: str) -> Path:
    """Write the failures as one page, with the charts that `save` drew; its path."""
    from shakeproof.doctor import facts
    from shakeproof.machines import COVERAGE
    from shakeproof.reports.html import render
    from shakeproof.reports.html_tests import NAME, coverage_json, properties_page

    charts = {index: folder / f"{stem_of(run, failure)}.svg" for index, failure in enumerate(run.failures)}
    pictures = {index: path.read_text(encoding="utf-8") for index, path in charts.items() if path.exists()}
    (folder / COVERAGE).write_text(coverage_json(run), encoding="utf-8")
    path = folder / NAME
    path.write_text(render(properties_page(run, pictures, command=command, facts=facts())), encoding="utf-8")
    return path


def stem_of(run: TestRun, failure: Failure) -> str:
    """The name of a failure's files, without their suffixes."""
    return f"{failure.property}-{failure.machine}{f'-{run.rogue}' if run.rogue else ''}"
