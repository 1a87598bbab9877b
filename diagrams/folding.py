"""Repeats in a long trace, told once: the first time is drawn, and then how often the same came again.

The same means: the same messages between the same parties, of one to a few in a row, with nothing special about any of
them. Numbers of steps stay those of the trace, and the whole trace stays in the words of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shakeproof.model.trace import Fate, Kind, Step, Trace

PERIOD_MOST = 4  # messages that repeat together, such as data and its acknowledgment
TIMES_LEAST = 3  # a repeat that comes twice is no pattern yet


def fold(trace: Trace) -> Trace:
    """`trace` with its repeats told once, for drawing only."""
    steps = list(trace.steps)
    pinned = {step.received_after for step in steps} - {None}
    keys = [None if step.number in pinned else _key(step) for step in steps]
    out: list[Step] = []
    at = 0
    while at < len(steps):
        period, times = _repeat(keys, at)
        if not times:
            out.append(steps[at])
            at += 1
            continue
        out += steps[at : at + period]
        first, last = steps[at + period], steps[at + period * times - 1]
        what = "the same message" if period == 1 else f"the same {period} messages"
        words = f"{what} {times - 1} times more, steps {first.number} to {last.number}"
        out.append(Step(first.number, Kind.TIME, layer=first.layer, title=words, phase=first.phase))
        at += period * times
    return replace(trace, steps=tuple(out))


def _key(step: Step) -> tuple[object, ...] | None:
    """What makes two messages the same to a reader; None for one with something of its own to tell."""
    plain = step.kind is Kind.MESSAGE and step.fate is Fate.DELIVERED and step.received_after is None
    if not plain or step.defect or step.verdict or step.note:
        return None
    if any(step.before.get(lane) != state for lane, state in step.after.items()):
        return None
    return (step.sender, step.receiver, step.layer, step.label, step.protection, step.phase, step.clause)


def _repeat(keys: Sequence[tuple[object, ...] | None], at: int) -> tuple[int, int]:
    """How many messages from `at` on repeat together, and how often in all; 0, 0 where none do."""
    for period in range(1, PERIOD_MOST + 1):
        pattern = keys[at : at + period]
        if len(pattern) < period or None in pattern:
            return 0, 0
        times = 1
        while list(keys[at + period * times : at + period * (times + 1)]) == list(pattern):
            times += 1
        if times >= TIMES_LEAST:
            return period, times
    return 0, 0
