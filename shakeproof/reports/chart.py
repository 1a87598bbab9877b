"""A finding's run in a few lines of text: one arrow for each flight."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from shakeproof.console import visible
from shakeproof.model.trace import Kind, Step, Trace

WIDTH_LEAST = 24
WIDTH_MOST = 72
LINES_MOST = 16
"""Arrows in a terminal; the picture has all of them."""


def chart_lines(trace: Trace) -> list[str]:
    """The messages of `trace`, flight by flight; `══` is encrypted, `✗` was not allowed."""
    lanes = [lane.name for lane in trace.lanes]
    if len(lanes) < 2:
        return []
    left = "target" if "target" in lanes else lanes[0]
    right = next(name for name in lanes if name != left)
    flights = list(_flights(trace.messages()))
    width = max([WIDTH_LEAST, *(len(_names(flight)) + 1 for flight in flights)])
    pad = max(len(left), len(right))
    lines = [_arrow(flight, left, right, width, pad) for flight in flights]
    if len(lines) > LINES_MOST:
        lines[LINES_MOST:] = [f"… and {len(lines) - LINES_MOST} more flights, in the picture"]
    return lines


def _flights(steps: Sequence[Step]) -> Iterator[list[Step]]:
    for _, group in groupby(steps, key=lambda step: (step.sender, bool(step.protection), bool(step.verdict))):
        flight: list[Step] = []
        for step in group:
            if flight and len(_names([*flight, step])) > WIDTH_MOST:
                yield flight
                flight = []
            flight.append(step)
        if flight:
            yield flight


def _names(flight: Sequence[Step]) -> str:
    return ", ".join(visible(_name(step)) for step in flight)


def _name(step: Step) -> str:
    """What is wrong with a message is worth its place in a terminal; alert and record are nothing without facts."""
    facts = step.defect or (step.facts if step.message in ("Alert", "Record") else ())
    return f"{step.label}[{', '.join(facts)}]" if facts else step.label


def _arrow(flight: Sequence[Step], left: str, right: str, width: int, pad: int) -> str:
    first = flight[0]
    stroke = "═" if first.protection else "─"
    names = f" {_names(flight)} "
    rest = stroke * max(0, width - len(names) + 2)
    if first.sender == left:
        middle = f"{stroke * 2}{names}{rest}▶"
    else:
        middle = f"◀{stroke}{names}{rest}{stroke}"
    verdict = next((step.verdict for step in flight if step.verdict), "")
    return f"{left:>{pad}} {middle} {right:<{pad}}{f'   ✗ {visible(verdict)}' if verdict else ''}".rstrip()


def has_messages(trace: Trace) -> bool:
    """Whether there is anything to chart."""
    return any(step.kind is Kind.MESSAGE for step in trace.steps)
