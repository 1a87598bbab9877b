"""A learned machine as files: what was learned, the table's machine in the same terms, and the difference, drawn."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from shakeproof import __version__
from shakeproof.diagrams.compare import compare, from_json
from shakeproof.diagrams.figure import Figure
from shakeproof.model.roles import ROLES
from shakeproof.properties.learning import Learned, Machine, as_file
from shakeproof.reports.names import short_name, target_stem
from shakeproof.store import FOLDER

MACHINES = Path(FOLDER) / "machines"
"""Where learned machines are kept between runs."""


def stem(learned: Learned) -> str:
    """The name of its files, without suffix."""
    return f"learned-{learned.role}-{target_stem(learned.target)}"


def machine_text(learned: Learned, machine: Machine) -> str:
    """A machine as a file that `draw machine FILE` and `draw diff A B` read."""
    about = {
        "role": learned.role, "target": learned.target, "setup": learned.setup, "words": learned.words,
        "hypotheses": learned.rounds, "cut": learned.cut, "timed": learned.timed, "shakeproof": __version__,
    }  # fmt: skip
    data = as_file(machine, role=ROLES[learned.role], about=about)
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def difference(learned: Learned, *, theme: str | None = None) -> Figure:
    """What the learned machine does that the table's does not, and the other way round."""
    from shakeproof.diagrams import draw_machine

    one, other = (from_json(machine_text(learned, each)) for each in (learned.reference, learned.machine))
    return draw_machine(compare(one, other), theme=theme)


def summary_of(learned: Learned) -> list[str]:
    """What was learned, in lines: the size first, then each difference."""
    machine = learned.machine
    how = f"cut short: {learned.cut}" if learned.cut else "a complete suite made of it finds nothing more"
    how += f"; only a timer tells that {learned.timed} answers are whole" if learned.timed else ""
    whose = f"{short_name(learned.target)} {learned.role}"
    lines = [
        f"{whose}, {learned.setup}: learned {len(machine.states)} states (the end is one; the "
        f"table's machine has {len(learned.reference.states)}) over {len(machine.alphabet)} inputs, {learned.words} "
        f"words in {learned.seconds:.1f} s; {how}"
    ]
    for tag, edges in (("EXTRA", learned.extra), ("MISSING", learned.missing)):
        lines += [f"{tag}    {edge.source} -- {edge.letter} / {edge.output} --> {edge.target}" for edge in edges]
    return lines if len(lines) > 1 else [*lines, "no transition differs from the table's"]


def write(learned: Learned, folder: Path, *, picture: bool = True) -> list[str]:
    """Write the files into the folder; their names. Raises OSError where it can't be written to."""
    folder.mkdir(parents=True, exist_ok=True)
    name = stem(learned)
    texts = {
        f"{name}.json": machine_text(learned, learned.machine),
        f"{name}-by-the-table.json": machine_text(learned, learned.reference),
    }
    for file, text in texts.items():
        (folder / file).write_text(text, encoding="utf-8")
    saved = [difference(learned).save(folder / f"{name}.svg").path.name] if picture else []
    return [*texts, *saved]


def write_all(machines: Iterable[Learned], folder: Path) -> list[str]:
    """What a run learned, into its report folder and into what is kept between runs; the names in the former."""
    names: list[str] = []
    for learned in machines:
        names += write(learned, folder)
        write(learned, MACHINES, picture=False)
    return names
