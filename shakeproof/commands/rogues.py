"""`shakeproof rogues`: the detection table, every planted fault before every engine."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from shakeproof import __version__
from shakeproof.commands.running import running
from shakeproof.console import console
from shakeproof.exits import Exit, UsageError, choose

if TYPE_CHECKING:
    from shakeproof.properties.detection import Detection

SEEDS_LIMIT = 1000
FORMATS = ("text", "markdown")

EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="suite, hypothesis, or all.")]
Seeds = Annotated[int, typer.Option(metavar="N", help="How many seeds each engine runs with: 0, 1, ... N-1.")]
RogueName = Annotated[str, typer.Option("--rogue", metavar="NAME", help="This one only, and the clean implementation.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", metavar="N", help="Processes; 0: one per core.")]

Format = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="NAME",
        help="text, or markdown: the table for a page, alone on standard output, as README has it.",
    ),
]


def rogues(
    engine: EngineName = "all", seeds: Seeds = 1, rogue: RogueName = "", jobs: Jobs = 0, format: Format = "text"
) -> None:
    """The detection table: each planted fault, what finds it, how fast, how short; the clean implementation first.

    Faults of TCP are for Hypothesis; those of TLS and certificates for both engines.
    """
    running(_rogues)(engine, seeds, rogue, jobs, format)


def _rogues(engine: str, seeds: int, rogue: str, jobs: int, format: str) -> int:
    from shakeproof.properties.detection import CLEAN, ENGINES, SUITE, detect_all, jobs_for, rows_of
    from shakeproof.properties.rogues import ROGUES, UNSEEN
    from shakeproof.reports.detection import Detections

    choose("format", format, FORMATS)
    engines = tuple(ENGINES) if engine == "all" else (choose("engine", engine, (*ENGINES, "all")),)
    if rogue:
        choose("rogue", rogue, ROGUES, hint="`shakeproof list rogues` says what each does.")
        if engines == (SUITE,) and not ROGUES[rogue].is_of_tls:
            raise UsageError(f"{rogue} is a fault of TCP, which only hypothesis looks for: leave --engine out")
    if not 1 <= seeds <= SEEDS_LIMIT:
        raise UsageError(f"--seeds {seeds} is out of range; it must be from 1 to {SEEDS_LIMIT}")
    wanted = (rogue,) if rogue else tuple(ROGUES)
    todo = list(jobs_for((CLEAN, *wanted), engines, range(seeds)))
    out = console(stderr=format == "markdown")
    out.print(f"shakeproof {__version__} · rogues · {len(wanted)} planted · {' and '.join(engines)} · seeds {seeds}")
    found = Detections(rows_of(detect_all(todo, jobs or os.cpu_count() or 1, _teller(out, len(todo)))))
    if format == "markdown":
        console().print(found.as_markdown())
    else:
        out.print(found.as_table())
        for name, said in found.differences():
            out.print(f"the engines differ on {name}: {said}")
    if not rogue:
        out.print("not in the table, because no sequence of messages shows them:")
        for name, why in UNSEEN.items():
            out.print(f"  {name}: {why}")
    if format == "text":
        for line in found.summary():
            out.print(line, style="red" if line.startswith(("MISSED", "ALARM")) else None)
    return Exit.FINDINGS if found.missed or found.alarms else Exit.OK


def _teller(out: Console, total: int) -> Callable[[Detection], None]:
    from shakeproof.reports.detection import CLEAN_TITLE

    done = 0

    def tell(detection: Detection) -> None:
        nonlocal done
        done += 1
        name = detection.job.rogue or CLEAN_TITLE
        what = detection.verdict if detection.found else "nothing found"
        out.print(f"  {done}/{total} {name} by {detection.job.engine}: {what} in {detection.seconds:.1f} s")

    return tell
