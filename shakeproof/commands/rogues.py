"""`shakeproof rogues`: the detection table, every planted fault before every engine."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from shakeproof import __version__
from shakeproof.commands.running import running
from shakeproof.console import console
from shakeproof.exits import Exit, UsageError, choose

if TYPE_CHECKING:
    from shakeproof.properties.detection import Detection, Row

SEEDS_LIMIT = 1000
CLEAN_TITLE = "(none: clean)"

EngineName = Annotated[str, typer.Option("--engine", metavar="NAME", help="suite, hypothesis, or all.")]
Seeds = Annotated[int, typer.Option(metavar="N", help="How many seeds each engine runs with: 0, 1, ... N-1.")]
RogueName = Annotated[str, typer.Option("--rogue", metavar="NAME", help="This one only, and the clean implementation.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", metavar="N", help="Processes; 0: one per core.")]


def rogues(engine: EngineName = "all", seeds: Seeds = 1, rogue: RogueName = "", jobs: Jobs = 0) -> None:
    """The detection table: each planted fault, what finds it, how fast, how short; the clean implementation first.

    Faults of TCP are for Hypothesis; those of TLS and certificates for both engines.
    """
    running(_rogues)(engine, seeds, rogue, jobs)


def _rogues(engine: str, seeds: int, rogue: str, jobs: int) -> int:
    from shakeproof.properties.detection import CLEAN, ENGINES, SUITE, detect_all, jobs_for, rows_of
    from shakeproof.properties.rogues import ROGUES, UNSEEN

    engines = tuple(ENGINES) if engine == "all" else (choose("engine", engine, (*ENGINES, "all")),)
    if rogue:
        choose("rogue", rogue, ROGUES, hint="`shakeproof list rogues` says what each does.")
        if engines == (SUITE,) and not ROGUES[rogue].is_of_tls:
            raise UsageError(f"{rogue} is a fault of TCP, which only hypothesis looks for: leave --engine out")
    if not 1 <= seeds <= SEEDS_LIMIT:
        raise UsageError(f"--seeds {seeds} is out of range; it must be from 1 to {SEEDS_LIMIT}")
    wanted = (rogue,) if rogue else tuple(ROGUES)
    todo = list(jobs_for((CLEAN, *wanted), engines, range(seeds)))
    out = console()
    out.print(f"shakeproof {__version__} · rogues · {len(wanted)} planted · {' and '.join(engines)} · seeds {seeds}")
    detections = detect_all(todo, jobs or os.cpu_count() or 1, _teller(out, len(todo)))
    rows = rows_of(detections)
    out.print(_table(rows))
    if not rogue:
        out.print("not in the table, because no sequence of messages shows them:")
        for name, why in UNSEEN.items():
            out.print(f"  {name}: {why}")
    return _conclude(out, rows)


def _teller(out: Console, total: int) -> Callable[[Detection], None]:
    done = 0

    def tell(detection: Detection) -> None:
        nonlocal done
        done += 1
        name = detection.job.rogue or CLEAN_TITLE
        what = detection.verdict if detection.found else "nothing found"
        out.print(f"  {done}/{total} {name} by {detection.job.engine}: {what} in {detection.seconds:.1f} s")

    return tell


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("rogue", "engine", "found", "steps", "shrunk", "seconds", "verdict", "clause"):
        table.add_column(title, justify="right" if title in ("steps", "shrunk", "seconds") else "left", no_wrap=True)
    previous = None
    for row in rows:
        name = (row.rogue or CLEAN_TITLE) if row.rogue != previous else ""
        previous = row.rogue
        first = row.first
        table.add_row(
            name,
            row.engine,
            f"{row.found}/{row.seeds}",
            str(row.steps),
            str(row.shrunk) if row.found else "",
            f"{row.seconds:.2f}",
            first.verdict or "silent",
            first.clause,
            style="" if row.is_right else "red",
        )
    return table


def _conclude(out: Console, rows: Sequence[Row]) -> int:
    planted = [row for row in rows if row.rogue]
    missed = [row for row in planted if not row.is_right]
    alarms = [row for row in rows if not row.rogue and row.found]
    if planted:
        median = statistics.median(row.seconds for row in planted)
        slowest = max(planted, key=lambda row: row.slowest_s)
        out.print(
            f"median {median:.2f} s · slowest {slowest.slowest_s:.1f} s ({slowest.rogue} by {slowest.engine}) · "
            f"clean implementation: {'FALSE ALARM' if alarms else 'silent'}"
        )
    for row in missed:
        out.print(f"MISSED   {row.rogue} by {row.engine}: {row.found} of {row.seeds} seeds", style="red")
    for row in alarms:
        out.print(f"ALARM    on the clean implementation by {row.engine}: {row.first.what}", style="red")
    if missed or alarms:
        return Exit.FINDINGS
    out.print(f"ALL FOUND   {len({row.rogue for row in planted})} of {len({row.rogue for row in planted})}")
    return Exit.OK
