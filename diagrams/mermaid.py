"""Traces, machines and flows as Mermaid text, which GitHub and others draw in place.

Mermaid places everything by itself and knows no fates, bands or clauses: what it can't show stands in the message's
text. Its grammar reads some characters as its own, so texts are written with `#` codes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from shakeproof.diagrams.flow import Flow
from shakeproof.diagrams.labels import joined
from shakeproof.diagrams.lanes import TAGS, lanes_of
from shakeproof.diagrams.picture import MachinePicture, arrows
from shakeproof.diagrams.rows import card_lines, counted, detail_of
from shakeproof.diagrams.text_width import clean
from shakeproof.model.trace import Check, Fate, Kind, Step, Trace

_SPECIAL = re.compile(r"[^A-Za-z0-9 .,()/_+=\u00a0-\uffff-]")
_LABEL_MOST = 120  # characters; a browser wraps nothing in a diagram
_MARKS = {Check.NONE: "", Check.PASSED: "✓ ", Check.FAILED: "✗ "}
_SHAPES = {Fate.LOST: "--x", Fate.REJECTED: "-x", Fate.REPLAYED: "-->>"}


def text(words: str) -> str:
    """`words` so that Mermaid shows them as they are."""
    words = clean(words)
    if len(words) > _LABEL_MOST:
        words = words[: _LABEL_MOST - 1].rstrip() + "…"
    words = _SPECIAL.sub(lambda found: f"#{ord(found.group())};", words)
    # A lone `end` closes a block, wherever it stands.
    return re.sub(r"\bend\b", "e#110;d", words, flags=re.IGNORECASE) or " "


def _name(prefix: str, key: str) -> str:
    return f"{prefix}_" + re.sub(r"\W", "_", key, flags=re.ASCII)


def trace_mermaid(trace: Trace) -> str:
    """A sequence chart."""
    lanes = {lane.name: lane for lane in lanes_of(trace)}
    names = {name: f"L{number}" for number, name in enumerate(lanes)}
    phases = {phase.key: phase for phase in trace.phases}
    lines = ["sequenceDiagram", f"    accTitle: {text(trace.title)}", f"    accDescr: {text(counted(trace))}"]
    lines += [f"    participant {names[name]} as {text(lane.title)}" for name, lane in lanes.items()]
    shown = ""
    for step in trace.steps:
        phase = phases.get(step.phase)
        if phase is not None and phase.key != shown and names:
            lines.append(f"    Note over {_over(names.values())}: {text(phase.title)}")
            shown = phase.key
        lines += [f"    {line}" for line in _step(step, names)]
    return "\n".join(lines) + "\n"


def _over(names: Iterable[str]) -> str:
    listed = list(names)
    return listed[0] if len(listed) == 1 else f"{listed[0]},{listed[-1]}"


def _step(step: Step, names: dict[str, str]) -> list[str]:
    if step.kind is Kind.TIME:
        return [f"Note over {_over(names.values())}: {text(step.label)}"] if names else []
    if step.kind is Kind.ACTION or step.sender == step.receiver:
        if step.sender not in names:
            return []
        said = [f"{text(step.label)}", *(_MARKS[line.check] + text(line.text) for line in card_lines(step))]
        return [f"Note over {names[step.sender]}: {'<br/>'.join(said)}"]
    if step.receiver not in names:
        return []
    sender = names.get(step.sender) or next(iter(names.values()))
    tag = f" [{TAGS[step.fate]}]" if step.fate in TAGS else ""
    locked = "🔒 " if step.protection else ""
    detail = detail_of(step)
    words = f"{step.number}. {step.label}{tag}" + (f": {detail}" if detail else "")
    lines = [f"{sender}{_SHAPES.get(step.fate, '->>')}{names[step.receiver]}: {locked}{text(words)}"]
    if step.verdict or step.note:
        note = " - ".join(part for part in (step.verdict, step.note) if part)
        lines.append(f"Note over {_over(dict.fromkeys((sender, names[step.receiver])))}: {text(note)}")
    return lines


def machine_mermaid(picture: MachinePicture) -> str:
    """A state diagram. Moves that the picture only lists stand in a note."""
    names = {spot.key: _name("s", spot.key) for spot in picture.spots}
    lines = ["stateDiagram-v2", f"    accTitle: {text(picture.title)}"]
    lines += [f'    state "{text(spot.title)}" as {names[spot.key]}' for spot in picture.spots]
    if picture.path:
        lines.append(f"    [*] --> {names[picture.path[0]]}")
    for arrow in arrows(picture.moves):
        triggers = joined([move.trigger for move in arrow.moves], picture.usual)
        more = f" and {len(triggers) - 2} more" if len(triggers) > 2 else ""
        lines.append(f"    {names[arrow.source]} --> {names[arrow.target]}: {text(', '.join(triggers[:2]) + more)}")
    return "\n".join(lines) + "\n"


def flow_mermaid(flow: Flow) -> str:
    """A flow chart."""
    names = {check.key: _name("c", check.key) for check in flow.checks}
    lines = ["flowchart TD", f'    begin(["{text(flow.start)}"])', f'    done(["{text(flow.end)}"])']
    keys = list(names)
    for number, check in enumerate(flow.checks, 1):
        mark = _MARKS[check.outcome] if check.outcome is not None else ""
        lines.append(f'    {names[check.key]}["{number}. {mark}{text(check.question)}"]')
    if keys:
        lines.append(f"    begin --> {names[keys[0]]}")
    for number, check in enumerate(flow.checks):
        onward = names[keys[number + 1]] if number + 1 < len(keys) else "done"
        if check.yes or onward == "done":
            lines.append(f'    {names[check.key]} -->|"{text(check.yes or "yes")}"| {onward}')
        if check.alert:
            lines.append(f'    {names[check.key]} -->|no| {names[check.key]}_no["{text(check.refusal)}"]')
    for jump in flow.jumps:
        lines.append(f'    {names[jump.source]} -->|"{text(jump.label)}"| {names.get(jump.target, "done")}')
    return "\n".join(lines) + "\n"
