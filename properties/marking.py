"""Where in a run a property stopped holding: the step at which it went wrong, marked for pictures and reports."""

from __future__ import annotations

from dataclasses import replace

from shakeproof.model.clauses import Clause
from shakeproof.model.notation import Symbol
from shakeproof.model.trace import Step, Trace
from shakeproof.properties.safety import PropertyViolation, WentOn


def marked(trace: Trace, violation: PropertyViolation) -> Trace:
    """The trace of a run that ended in the violation: the step where it went wrong says so, with its clause.

    That is the last step that its machine has marked itself; without one it is the input that was judged, and what
    showed only later that it was taken refers to it. Of a violation that is about no input it is the last step, for a
    machine stops at what it objects to.
    """
    steps = list(trace.steps)
    if not steps:
        return trace
    last = len(steps) - 1
    at = max((index for index, step in enumerate(steps) if step.verdict), default=-1)
    if at < 0:
        at = max((index for index, step in enumerate(steps) if _is_judged(step, violation)), default=last)
        if at < last and isinstance(violation, WentOn) and not steps[last].note:
            steps[last] = replace(steps[last], note=f"this shows that step {steps[at].number} was not refused")
    said = f"{violation.text.rstrip('.')}."
    if violation.clause:
        said += f" {violation.clause}{f': {violation.sentence}' if violation.sentence else '.'}"
    said = f"Step {steps[at].number}{f', {steps[at].label}' if steps[at].label else ''}: {said}"
    steps[at] = replace(steps[at], verdict=violation.property, note=said, clause=steps[at].clause or violation.clause)
    return replace(trace, steps=tuple(steps))


def _is_judged(step: Step, violation: PropertyViolation) -> bool:
    """Whether the step is the input that the violation is about."""
    if violation.judged is None:
        return False
    state, message = violation.judged
    return step.message == message and state in step.before.values() and step.receiver in step.before


def cited(trace: Trace, clause: Clause | None, state: str, symbol: Symbol | None) -> Trace:
    """The trace of a finding: the input that was judged cites the clause that the finding rests on."""
    steps = list(trace.steps)
    fitting = [
        index
        for index, step in enumerate(steps)
        if symbol is not None and step.message == symbol.message.name and state in step.before.values() and step.row
        and step.receiver in step.before
    ]  # fmt: skip
    if clause is None or not fitting:
        return trace
    steps[fitting[-1]] = replace(steps[fitting[-1]], clause=clause.short)
    return replace(trace, steps=tuple(steps))
