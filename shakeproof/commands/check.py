"""`shakeproof check`: the model explored, every reachable state of it, with an attacker on the network."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
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
    from shakeproof.reports.check import Checked, Counterexample

DEFAULT_FOLDER = "shakeproof-report"
DEFAULT_MEMORY_GIB = 4.0
BOUND_MOST = 4
"""Packets in the network at once: each more multiplies the states by four to eight."""
PROGRESS_S = 5.0
NUMPY, SPIN = "numpy", "spin"
ENGINES = (NUMPY, SPIN)
ROWS_NAMED = 3
"""Rows that are named where some were not reached; more would hide the verdict."""
ROW_WIDTH = 80
"""Characters of a row's name: those of TCP, with all the checks that they pass, have hundreds."""


def _option(metavar: str, help: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help)


Bound = Annotated[int, _option("N", f"Messages in the network at once: 1 to {BOUND_MOST}.", "--bound")]
Without = Annotated[
    list[str] | None,
    _option(
        "NAME",
        "Take a protection out, and explore the models that it is for; `shakeproof list protections`. Repeatable: a "
        "model is then without all of them that concern it, and what does not concern it is said.",
        "--without",
    ),
]
Only = Annotated[
    list[str] | None, _option("NAME", "Explore this model alone, named as it is printed; repeatable.", "--model")
]
Memory = Annotated[
    float, _option("GIB", "What the states of a model may take; one that needs more is not decided.", "--memory")
]
Json = Annotated[str, _option("FILE", "The result as JSON; -: standard output, alone.", "--json")]
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
    bound: Bound = 1, without: Without = None, model: Only = None, engine: Engine = NUMPY, promela: Write = None,
    memory: Memory = DEFAULT_MEMORY_GIB, rows: Rows = False, json: Json = "", out: Out = Path(DEFAULT_FOLDER),
) -> None:  # fmt: skip
    """Explore the model with an attacker on the network: every reachable state, and which properties hold there."""
    asked = Asked(bound, tuple(dict.fromkeys(without or [])), tuple(dict.fromkeys(model or [])), engine, memory)
    running(_check)(asked, promela, rows, json, out)


@dataclass(frozen=True)
class Asked:
    """What is to be explored. removed: protections; only: names of models, () for all; memory_gib: for a model."""

    bound: int
    removed: tuple[str, ...]
    only: tuple[str, ...]
    engine: str
    memory_gib: float

    @property
    def by_spin(self) -> bool:
        """Whether SPIN explores."""
        return self.engine == SPIN

    @property
    def memory(self) -> int:
        """Bytes that a model may take."""
        return int(self.memory_gib * 2**30)

    def check(self) -> None:
        """Raises UsageError where that can't be."""
        from shakeproof.model.protections import PROTECTIONS
        from shakeproof.properties.models import names

        if not 1 <= self.bound <= BOUND_MOST:
            raise UsageError(
                f"--bound came as {self.bound}; expected 1 to {BOUND_MOST} messages in the network at once"
            )
        if not (math.isfinite(self.memory_gib) and self.memory_gib > 0):
            raise UsageError(f"--memory came as {self.memory_gib:g}; expected GiB, more than 0, such as 4 or 0.5")
        for name in self.removed:
            choose("protection", name, PROTECTIONS)
        choose("engine", self.engine, ENGINES)
        those = names(self.removed)
        lacking = (
            f"Only those that an attacker is in and that have {' or '.join(self.removed)} are explored without it."
        )
        for name in self.only:
            choose("model", name, those, hint=lacking if self.removed else "")


def _check(asked: Asked, written: Path | None, rows: bool, json: str, folder: Path) -> int:
    from shakeproof.properties.models import models

    asked.check()
    out = console(stderr=json == "-")
    if written is not None:
        if asked.by_spin or json:
            other = "--engine spin explores" if asked.by_spin else "--json tells what was explored"
            raise UsageError(f"--promela only writes, and {other}; give one of the two")
        return _write(out, models(asked.bound, asked.removed, asked.only), written)
    explore = _by_spin(out, asked.memory) if asked.by_spin else _by_ours(out, asked.memory)
    if json and json != "-":
        _see_writable(Path(json))
    if asked.removed:
        _prepare(folder)
    _announce(out, asked)
    result = _explored(out, asked, explore, rows=rows)
    for each, one in _shortest(result.models):
        result.counterexamples.append(_tell(out, each, one, each.model.removed, folder))
    for assumption in result.assumptions:
        out.print(f"  presumed: {assumption}")
    if asked.by_spin:
        out.print(
            "  not asked of SPIN: which rows are taken, which properties are put to the test, and whether completion "
            "stays reachable; `--engine numpy` tells"
        )
    if json:
        _save(result, json)
    return _verdict(out, result)


def _announce(out: Console, asked: Asked) -> None:
    """What is explored, and of which models which protections are taken out."""
    from shakeproof.properties.models import FAMILIES, concerns, taken_out

    without = f" · without {', '.join(asked.removed)}" if asked.removed else ""
    by = " · SPIN" if asked.by_spin else ""
    out.print(f"shakeproof check · client, server, network and attacker · bound {asked.bound}{without}{by}")
    explored = taken_out(asked.removed, asked.only)
    for family, own in explored.items() if len(asked.removed) > 1 else ():
        others = [name for name in asked.removed if name not in own]
        idle = f"; {' and '.join(others)} do{'es' * (len(others) == 1)} not concern them" if others else ""
        out.print(f"  models of {family}: without {' and '.join(own)}{idle}")
    if asked.only:
        return
    for name in asked.removed:
        left = [family for family in FAMILIES if family not in explored and concerns(name, family)]
        if left:
            out.print(f"  not explored without {name}: the models of {', '.join(left)}; `--model` names one")


def _explored(out: Console, asked: Asked, explore: Callable[[Composition], Exploration], *, rows: bool) -> Checked:
    """The models, each told when it is done."""
    from shakeproof.properties.models import models
    from shakeproof.reports.check import Checked

    result = Checked(asked.bound, asked.engine, asked.removed)
    for model in models(asked.bound, asked.removed, asked.only):
        result.models.append(explore(model))
        _print(out, result.models[-1], spin=asked.by_spin, every=rows)
    return result


def _see_writable(path: Path) -> None:
    """See that the result can be written, before it is worked for. Raises UsageError."""
    try:
        with path.open("a", encoding="utf-8"):
            return
    except OSError as error:
        raise UsageError(f"--json {path}: can't be written ({error.strerror}); name a file, or - for output") from error


def _save(result: Checked, json: str) -> None:
    from shakeproof import __version__
    from shakeproof.reports.check import check_to_json

    text = check_to_json(result, version=__version__)
    if json == "-":
        sys.stdout.write(text)
        return
    try:
        Path(json).write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--json {json}: can't be written ({error.strerror}); name a file, or - for output") from error


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


def _by_ours(out: Console, memory: int) -> Callable[[Composition], Exploration]:
    from shakeproof.properties.explored import checked

    return lambda model: checked(model, memory=memory, progress=_progress(out))


def _by_spin(out: Console, memory: int) -> Callable[[Composition], Exploration]:
    from shakeproof.properties.spin import SpinError, checked_by_spin, missing

    if missing():
        raise MissingExtraError(missing())

    def explore(model: Composition) -> Exploration:
        began = monotonic()

        def tell(text: str) -> None:
            if monotonic() - began > PROGRESS_S:
                out.print(f"  ... {text}")

        try:
            return checked_by_spin(model, memory=memory, progress=tell)
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


def _tell(
    out: Console, found: Exploration, broken: Broken, removed: Sequence[str], folder: Path
) -> Counterexample:  # fmt: skip
    """A property that does not hold: what it says, how it is broken, and where the picture is."""
    from shakeproof.properties.explored import trace_of
    from shakeproof.properties.realised import replayed
    from shakeproof.reports.check import Counterexample

    trace = trace_of(found, broken)
    replay = replayed(found, broken, removed)
    path = folder / f"{'-'.join([*removed, broken.safety.name])}.json"
    run = path.with_name(f"{path.stem}-executed.json")
    try:
        trace.save(path)
        if replay.with_fault is not None:
            replay.with_fault.trace.save(run)
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
    out.print(f"  {visible(replay.text)}")
    files = tuple(map(str, [path, run] if replay.with_fault is not None else [path]))
    out.print(f"  picture: {' · '.join(f'shakeproof draw trace {visible(each)}' for each in files)}")
    return Counterexample(found, broken, replay, files)


STYLES = {Exit.OK: "bold green", Exit.NOT_TESTED: "bold", Exit.FINDINGS: "bold red", Exit.OURS: "bold red"}


def _verdict(out: Console, result: Checked) -> int:
    for one in result.conclusions:
        out.print(Text(f"{one.title}   {one.text}", style=STYLES[one.code]))
    return result.exit_code
