"""`shakeproof check`: the model explored, every reachable state of it, with an attacker on the network."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from shakeproof.commands.running import running
from shakeproof.console import console, visible
from shakeproof.exits import Exit, MissingExtraError, UsageError, choose

if TYPE_CHECKING:
    from rich.console import Console

    from shakeproof.model.composition import Composition
    from shakeproof.properties.explore import Broken, Exploration

DEFAULT_FOLDER = "shakeproof-report"
BOUND_MOST = 4
"""Packets in the network at once: each more multiplies the states by four to eight."""
PROGRESS_S = 5.0
SPIN = "spin"
ENGINES = ("numpy", SPIN)
ROWS_NAMED = 3
"""Rows that are named where some were not reached; more would hide the verdict."""
ROW_WIDTH = 80
"""Characters of a row's name: those of TCP, with all the checks that they pass, have hundreds."""


def _option(metavar: str, help: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help)


Bound = Annotated[int, _option("N", f"Messages in the network at once: 1 to {BOUND_MOST}.", "--bound")]
Without = Annotated[
    list[str] | None, _option("NAME", "Take a protection out; repeatable. `shakeproof list protections`.", "--without")
]
Engine = Annotated[
    str,
    _option(
        "NAME", "Who explores: numpy (ours) or spin (SPIN, where it is installed, as a check of ours).", "--engine"
    ),
]
Write = Annotated[
    Path | None, _option("DIR", "Write the models for SPIN into this folder, and explore nothing.", "--promela")
]
Rows = Annotated[bool, typer.Option("--rows", help="Name every row that was not reached, not only some.")]
Out = Annotated[Path, _option("DIR", "Folder for counterexamples.", "-o", "--out")]


def check(
    bound: Bound = 1, without: Without = None, engine: Engine = "numpy", promela: Write = None,
    rows: Rows = False, out: Out = Path(DEFAULT_FOLDER),
) -> None:  # fmt: skip
    """Explore the model with an attacker on the network: every reachable state, and which properties hold there."""
    running(_check)(bound, without or [], engine, promela, rows, out)


def _check(bound: int, names: Sequence[str], engine: str, written: Path | None, rows: bool, folder: Path) -> int:
    from shakeproof.model.protections import PROTECTIONS
    from shakeproof.properties.models import models

    if not 1 <= bound <= BOUND_MOST:
        raise UsageError(f"--bound came as {bound}; expected 1 to {BOUND_MOST} messages in the network at once")
    removed = [choose("protection", name, PROTECTIONS) for name in dict.fromkeys(names)]
    spin = choose("engine", engine, ENGINES) == SPIN
    out = console()
    if written is not None:
        if spin:
            raise UsageError("--promela only writes, and --engine spin explores; give one of the two")
        return _write(out, models(bound, removed), written)
    explore = _by_spin(out) if spin else _by_ours(out)
    if removed:
        _prepare(folder)
    without = f" · without {', '.join(removed)}" if removed else ""
    out.print(
        f"shakeproof check · client, server, network and attacker · bound {bound}{without}{' · SPIN' if spin else ''}"
    )
    found: list[Exploration] = []
    for model in models(bound, removed):
        found.append(explore(model))
        _print(out, found[-1], spin=spin, every=rows)
    broken = _shortest(found)
    for each, one in broken:
        _tell(out, each, one, each.model.removed, folder)
    presumed = dict.fromkeys(sentence for each in found for sentence in each.model.assumptions)
    for assumption in (*presumed, f"at most {bound} message{'s' * (bound > 1)} in the network at once"):
        out.print(f"  presumed: {assumption}")
    if spin:
        out.print(
            "  not asked of SPIN: which rows are taken, and whether completion stays reachable; `--engine numpy` tells"
        )
    return _verdict(out, found, broken)


def _prepare(folder: Path) -> None:
    """See that counterexamples can be written, before they are looked for. Raises UsageError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{folder}: can't be written to ({error.strerror}); name another with -o") from error


def _write(out: Console, models: Iterable[Composition], folder: Path) -> int:
    """Each model as a file for SPIN."""
    from shakeproof.properties.promela import promela_of
    from shakeproof.properties.spin import DEFINES, DEPTH_MOST, PLAIN

    for model in models:
        path = folder / f"{re.sub('[^a-z0-9]+', '-', model.name.lower())}-bound-{model.bound}.pml"
        text = promela_of(model).text
        try:
            folder.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{folder}: can't be written to ({error.strerror}); name another folder") from error
        out.print(f"{visible(str(path))}  {len(model.transitions):,} transitions, {len(model.safety)} properties")
    out.print("to explore one (docs/exploring.md):")
    out.print(f"  spin {' '.join(PLAIN)} -a FILE && gcc -O2 {' '.join(DEFINES)} -o pan pan.c && ./pan -m{DEPTH_MOST}")
    return Exit.OK


def _by_ours(out: Console) -> Callable[[Composition], Exploration]:
    from shakeproof.properties.explored import checked

    return lambda model: checked(model, progress=_progress(out))


def _by_spin(out: Console) -> Callable[[Composition], Exploration]:
    from shakeproof.properties.spin import SpinError, checked_by_spin, missing

    if missing():
        raise MissingExtraError(missing())

    def explore(model: Composition) -> Exploration:
        began = monotonic()

        def tell(text: str) -> None:
            if monotonic() - began > PROGRESS_S:
                out.print(f"  ... {text}")

        try:
            return checked_by_spin(model, progress=tell)
        except SpinError as error:
            raise UsageError(str(error)) from error

    return explore


def _progress(out: Console) -> Any:
    """One line each five seconds."""
    last = monotonic()

    def tell(found: Exploration, width: int) -> None:
        nonlocal last
        if monotonic() - last > PROGRESS_S:
            last = monotonic()
            out.print(
                f"  ... {found.model.name}: level {found.depth}, {found.states:,} states, {width:,} in this level"
            )

    return tell


def _print(out: Console, found: Exploration, *, spin: bool, every: bool) -> None:
    held = len(found.model.safety) - len(found.broken)
    idle = [] if found.stopped else found.untested or []
    untested = f", {len(idle)} never put to the test: {', '.join(idle)}" if idle else ""
    rows = "" if spin else f"{len(found.rows_reached)}/{len(found.model.rows)} rows  "
    text = (
        f"  {found.model.name:<38}{found.states:>10,} states {found.transitions:>12,} transitions  "
        f"depth {found.depth:>2}  {held}/{len(found.model.safety)} properties{untested}  {rows}{found.seconds:.1f} s"
    )
    out.print(text)
    if every and not spin:
        for row in found.rows_missed:
            out.print(f"    not reached: {row}")
    elif found.attacked and found.rows_missed and not spin:
        more = len(found.rows_missed) - ROWS_NAMED
        some = found.rows_missed[:ROWS_NAMED]
        named = "; ".join(row if len(row) <= ROW_WIDTH else f"{row[:ROW_WIDTH]}..." for row in some)
        out.print(f"    not reached: {named}{f' and {more} more' if more > 0 else ''}")
    for count, what in (
        (found.stuck, "states in which nothing can happen, and the connection is not over"),
        (found.unfinishable, "states from which the connection can't be completed although nobody attacks"),
    ):
        if count:
            out.print(f"    ✗ {'at least ' if spin else ''}{count:,} {what}", style="red")
    if found.stopped:
        out.print(f"    stopped: {found.stopped}", style="yellow")


def _shortest(found: Sequence[Exploration]) -> list[tuple[Exploration, Broken]]:
    """For each property that does not hold without these protections, its shortest counterexample."""
    best: dict[tuple[tuple[str, ...], str], tuple[Exploration, Broken]] = {}
    for each in found:
        for one in each.broken:
            key = each.model.removed, one.safety.name
            if key not in best or one.depth < best[key][1].depth:
                best[key] = (each, one)
    return sorted(best.values(), key=lambda pair: pair[1].depth)


def _tell(out: Console, found: Exploration, broken: Broken, removed: Sequence[str], folder: Path) -> None:
    """A property that does not hold: what it says, how it is broken, and where the picture is."""
    from shakeproof.properties.explored import trace_of
    from shakeproof.properties.realised import replayed

    trace = trace_of(found, broken)
    text, executed = replayed(found, broken, removed)
    path = folder / f"{'-'.join([*removed, broken.safety.name])}.json"
    run = path.with_name(f"{path.stem}-executed.json")
    try:
        trace.save(path)
        if executed is not None:
            executed.trace.save(run)
    except OSError as error:
        raise UsageError(f"{folder}: can't be written to ({error.strerror}); name another with -o") from error
    out.print(Text(f"✗ {broken.safety.name}: {broken.safety.sentence}", style="red"))
    held = sum(transition.kind == "loses" for transition, _ in broken.path)
    back = f", and what is held back {held} time{'s' * (held > 1)}" if held else ""
    out.print(
        f"  {broken.safety.clause} · {found.model.name} · shortest counterexample, {len(trace.steps)} steps{back}:"
    )
    for sentence in trace.sentences():
        out.print(f"    {visible(sentence)}")
    out.print(f"  {visible(text)}")
    pictures = [path, run] if executed is not None else [path]
    out.print(f"  picture: {' · '.join(f'shakeproof draw trace {visible(str(each))}' for each in pictures)}")


def _verdict(out: Console, found: Sequence[Exploration], broken: Sequence[tuple[Exploration, Broken]]) -> int:
    states = sum(each.states for each in found)
    if broken or any(each.stuck or each.unfinishable for each in found):
        names = ", ".join(one.safety.name for _, one in broken) or "completion"
        out.print(Text(f"DOES NOT HOLD   {names} · {states:,} states", style="bold red"))
        return Exit.FINDINGS
    stopped = [each for each in found if each.stopped]
    if stopped:
        out.print(
            Text(f"NOT DECIDED   {len(stopped)} of {len(found)} models were not explored to their end", style="bold")
        )
        return Exit.NOT_TESTED
    out.print(
        Text(f"HOLDS   every property in every one of {states:,} states of {len(found)} models", style="bold green")
    )
    return Exit.OK
