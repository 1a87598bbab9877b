"""The second engine: SPIN explores the model that `promela` writes, and its trails become counterexamples of ours.

SPIN writes a program in C for a model; that is compiled, run, and says how many states and transitions there were. It
searches breadth first, so that a counterexample is a shortest one. What it says of a counterexample is not believed:
its trail is followed on plain values, transition by transition, and must end where the property does not hold.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from shakeproof.model.composition import Composition, Transition, slot
from shakeproof.properties.explore import DEFAULT_MEMORY, Broken, Exploration, expander_of
from shakeproof.properties.explore_plainly import after
from shakeproof.properties.promela import STUCK, Promela, promela_of

PROGRAMS = ("spin", "gcc")
INSTALL = "apt install spin gcc"

MODEL = "model.pml"
PROGRAM = "pan"
MEBIBYTE = 1 << 20

OPTIMISED_FROM = 3
"""The bound from which a compiler that takes five seconds longer is repaid: below, nothing is explored for so long."""

QUICK = ("tcc", "-w")
"""Another compiler, used where it is installed and nothing is optimised: it takes a fiftieth of gcc's time, and what it
makes is half as slow again. The counts are SPIN's, whoever compiles it."""

DEPTH_MOST = 10_000_000
"""Steps that a search in depth may go: SPIN must know beforehand."""


class SpinError(Exception):
    """SPIN is missing, or does not do what was expected of it: one line."""


@dataclass(frozen=True)
class Run:
    """What SPIN found. broken: some property does not hold; stopped: why it did not come to its end, "" where it did.

    states, transitions: the model's, not SPIN's; depth: of the last level, in a search breadth first; build_s: what
    writing and compiling took; explore_s: what SPIN says that exploring took.
    """

    states: int
    transitions: int
    depth: int
    build_s: float
    explore_s: float
    broken: bool = False
    stopped: str = ""


def missing() -> str:
    """What is not installed, and how to get it: one line; "" where all is there."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    if not absent:
        return ""
    return f"SPIN is not installed ({' and '.join(absent)} missing). To have it: {INSTALL}"


def checked_by_spin(
    model: Composition, *, memory: int = DEFAULT_MEMORY, progress: Callable[[str], None] | None = None
) -> Exploration:
    """The model explored by SPIN, every property checked: for each that does not hold a shortest counterexample.

    SPIN ends with the first; so that the others are found too, it begins again without it. The counts are of the last
    run, in which nothing of what is still looked for is broken. It does not say which transitions were taken, and
    `stuck` is 1 where there is any such state. Raises SpinError.
    """
    began = monotonic()
    found = Exploration(model, expander_of(model))
    watched = [one.name for one in model.safety] + [STUCK] * (model.over is not None)
    while True:
        with built(promela_of(model, watched), optimised=model.bound >= OPTIMISED_FROM, memory=memory) as program:
            if progress is not None:
                progress(f"{model.name}: compiled in {program.build_s:.1f} s, and SPIN explores")
            run = program.explore()
            if not run.broken:
                break
            for name in _tell_broken(found, program, watched):
                watched.remove(name)
    found.states, found.transitions, found.depth, found.stopped = run.states, run.transitions, run.depth, run.stopped
    found.seconds = monotonic() - began
    return found


def _tell_broken(found: Exploration, program: Program, watched: Sequence[str]) -> list[str]:
    """Follow the trail; the names of what does not hold at its end."""
    model, packing = found.model, found.expander.packing

    def packed(values: Mapping[str, int]) -> int:
        return packing.pack(values, tuple(values[slot(number)] for number in range(model.bound)))

    start, path = followed(model, program.promela, program.trail())
    end = path[-1][1] if path else start
    broken = [one for one in model.safety if one.name in watched and not one.holds.holds(end)]
    steps = tuple((transition, packed(values)) for transition, values in path)
    found.broken += [Broken(one, len(path), steps, packed(start)) for one in broken]
    names = [one.name for one in broken]
    if not names and STUCK in watched and is_stuck(model, end):
        found.stuck = 1
        names = [STUCK]
    if not names:
        raise SpinError(f"{model.name}: SPIN's trail of {len(path)} steps ends where every property holds")
    return names


def is_stuck(model: Composition, values: Mapping[str, int]) -> bool:
    """Whether nothing can happen although something should."""
    if model.over is None or model.over.holds(values):
        return False
    return not any(list(after(model, one, values)) for one in model.transitions)


def followed(
    model: Composition, promela: Promela, lines: Sequence[int]
) -> tuple[dict[str, int], list[tuple[Transition, dict[str, int]]]]:
    """The trail on plain values: where it starts, and each transition with the values after it. Raises SpinError."""
    chosen = [promela.initial[line] for line in lines if line in promela.initial]
    values = {**model.initial[chosen[0] if chosen else 0], **{slot(number): 0 for number in range(model.bound)}}
    start, path = dict(values), []
    for line in lines:
        if line not in promela.options:
            continue
        able = [
            (one, became)
            for one in (model.transitions[number] for number in promela.options[line])
            for became in after(model, one, values)
        ]
        if len(able) != 1:
            raise SpinError(
                f"{model.name}: line {line} of SPIN's trail stands for {len(able)} transitions, not for one"
            )
        path += able
        values = able[0][1]
    return start, path


# ---------------------------------------------------------------------------------------------------- SPIN itself


@dataclass(frozen=True)
class Program:
    """SPIN's program for a model, compiled in a folder."""

    promela: Promela
    folder: Path
    build_s: float
    memory: int

    def explore(self) -> Run:
        """Run it. Raises SpinError where it says nothing that we understand."""
        said = _run([f"./{PROGRAM}", f"-m{DEPTH_MOST}"], self.folder)
        depth = _number(r"depth reached (\S+), errors", said)
        stored, taken = _number(r"(\S+) states, stored", said), _number(r"(\S+) transitions", said)
        errors = _number(r"errors: (\d+)", said)
        states, transitions = self.promela.counts_of(stored, taken)
        stopped = ""
        if "-DMEMLIM bound" in said or "out of memory" in said:
            stopped = f"out of memory: {self.memory // MEBIBYTE:,} MiB are allowed, and SPIN came to level {depth}"
        elif "max search depth too small" in said:
            stopped = f"out of depth: a way is longer than {DEPTH_MOST:,} steps"
        elif "Search not completed" in said and not errors:
            raise SpinError(f"SPIN did not complete its search: {_one_line(said)}")
        seconds = re.search(r"elapsed time (\S+) seconds", said)
        return Run(
            states, transitions, depth - bool(self.promela.initial), self.build_s,
            float(seconds[1]) if seconds else 0.0, bool(errors) and not stopped, stopped,
        )  # fmt: skip

    def trail(self) -> list[int]:
        """The lines of the model that the counterexample takes."""
        said = _run([f"./{PROGRAM}", "-r"], self.folder)
        return [int(line) for line in re.findall(r"^\s*\d+:\s+proc .*\[D_STEP(\d+)\]\s*$", said, re.MULTILINE)]


@contextmanager
def built(
    promela: Promela, *, optimised: bool = False, in_depth: bool = False, memory: int = DEFAULT_MEMORY
) -> Iterator[Program]:
    """SPIN's program for the model, in a folder that is gone afterwards. Raises SpinError.

    in_depth: search in depth, as SPIN does unless told otherwise: faster, but a counterexample is not a shortest one.
    """
    if missing():
        raise SpinError(missing())
    with tempfile.TemporaryDirectory(prefix="shakeproof-spin-") as name:
        folder = Path(name)
        (folder / MODEL).write_text(promela.text, encoding="utf-8")
        began = monotonic()
        _run(["spin", *PLAIN, "-a", MODEL], folder, makes="pan.c")
        options = [*DEFINES, *([] if in_depth else ["-DBFS"]), f"-DMEMLIM={max(1, memory // MEBIBYTE)}"]
        made = [*options, "-o", PROGRAM, "pan.c"]
        if not optimised and shutil.which(QUICK[0]) is not None:
            _run([*QUICK, *made], folder)
        if not (folder / PROGRAM).exists():
            _run(["gcc", "-O2" if optimised else "-O0", DIALECT, "-w", *made], folder, makes=PROGRAM)
        yield Program(promela, folder, monotonic() - began, memory)


DIALECT = "-std=gnu89"
"""In later C each `if` opens a scope, and a model of thousands of options takes gcc three times as long."""

PLAIN = ("-o1", "-o2", "-o3")
"""What SPIN does to have fewer states is left off: dead values reset, variables that nothing reads left out of the
state, statements merged. The second would take apart from the model what a property that is not checked speaks of.
"""

DEFINES = ("-DSAFETY", "-DNOREDUCE")
"""No cycles are looked for, and every state is visited: a reduction by partial order would leave states out."""


def _run(command: Sequence[str], folder: Path, makes: str = "") -> str:
    """What the program says. makes: the file that must be there afterwards."""
    try:
        done = subprocess.run(  # noqa: S603  SPIN, the compiler, and what they made
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            check=False, encoding="utf-8", errors="replace",
        )  # fmt: skip
    except OSError as error:
        raise SpinError(f"{command[0]} can't be run: {error.strerror}") from error
    if makes and not (folder / makes).exists():
        raise SpinError(f"{command[0]} made no {makes}: {_one_line(done.stdout)}")
    if done.returncode < 0:
        raise SpinError(f"{command[0]} was ended by signal {-done.returncode}")
    return done.stdout


def _number(pattern: str, said: str) -> int:
    """A number that SPIN says; from 100 million on it rounds to eight digits."""
    found = re.search(pattern, said)
    if found is None:
        raise SpinError(f"SPIN says nothing of {pattern!r}: {_one_line(said)}")
    return round(float(found[1]))


def _one_line(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return " ".join(lines[:3]) or "it says nothing"
