"""A chain of checks: one question after the other, an alert where the answer is no, and the authority of each.

Plain data, read from a table by `flow_groups`; what an executed validation did is told of the same questions: passed,
failed, not run. `flow_chart` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from shakeproof.diagrams.citations import citation
from shakeproof.diagrams.text_width import clean
from shakeproof.model.trace import Check

CHECKS_MOST = 9
"""Boxes of one flow: more than a reader follows, and checks share a box where a table has more."""


@dataclass(frozen=True, slots=True)
class FlowCheck:
    """One question. key: of its state; alert, code: where the answer is no; others: how many other alerts would do.

    clause: the authority; outcome, remark: of an executed validation; yes: what stands at the way on; went: that way
    was taken.
    """

    key: str
    question: str
    alert: str
    others: int = 0
    clause: str = ""
    outcome: Check | None = None
    remark: str = ""
    yes: str = "yes"
    went: bool | None = None
    sentence: str = ""
    code: str = ""

    @property
    def refusal(self) -> str:
        """The alert with its code."""
        return f"{self.alert} ({self.code})" if self.code else self.alert


@dataclass(frozen=True, slots=True)
class Jump:
    """A way on that is not to the next question. source, target: keys, "" as target for the end."""

    source: str
    target: str
    label: str
    taken: bool | None = None


@dataclass(frozen=True, slots=True)
class Flow:
    """A chain of checks. start, end: what it begins with, and what follows where all hold; executed: it was run."""

    title: str
    checks: tuple[FlowCheck, ...]
    jumps: tuple[Jump, ...] = ()
    subtitle: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    band: str = ""
    aside: str = ""
    tint: str = "cert"
    executed: bool = False
    ended: bool = True

    def sentences(self) -> list[str]:
        """The flow in words."""
        said = {Check.PASSED: " Passed.", Check.FAILED: " Failed.", Check.NONE: " Not run."}
        lines = [*self.subtitle, f"{self.start}." if self.start else ""]
        for number, check in enumerate(self.checks, 1):
            outcome = said[check.outcome] if check.outcome is not None else ""
            remark = f" {check.remark}." if check.remark else ""
            lines.append(f"Check {number}: {check.question} If not: {check.refusal} ({check.clause}).{outcome}{remark}")
        titles = {check.key: str(number) for number, check in enumerate(self.checks, 1)}
        for jump in self.jumps:
            onward = f"check {titles[jump.target]}" if jump.target else self.end
            lines.append(f"From check {titles[jump.source]}, {jump.label}: on to {onward}.")
        lines.append(f"If all hold: {self.end}.")
        return [clean(line) for line in lines if line]


def with_outcomes(
    flow: Flow, outcomes: Mapping[str, Check], remarks: Mapping[str, str], taken: Mapping[tuple[str, str], bool]
) -> Flow:
    """`flow` as it was executed. outcomes, remarks: by key; taken: (source, target) of the ways on, "" for the end."""
    onward = [check.key for check in flow.checks[1:]] + [""]
    checks = tuple(
        replace(check, outcome=outcomes.get(check.key, Check.NONE), remark=remarks.get(check.key, ""),
                went=taken.get((check.key, following), False))
        for check, following in zip(flow.checks, onward, strict=True)
    )  # fmt: skip
    jumps = tuple(replace(jump, taken=taken.get((jump.source, jump.target), False)) for jump in flow.jumps)
    ended = all(check.outcome is not Check.FAILED for check in checks)
    return replace(flow, checks=checks, jumps=jumps, executed=True, ended=ended)


def flow_text(flow: Flow) -> str:
    """The flow as plain text, for terminals."""
    marks = {None: " ", Check.PASSED: "✓", Check.FAILED: "✗", Check.NONE: "·"}
    width = max((len(clean(check.question)) for check in flow.checks), default=0)
    alerts = max((len(clean(check.refusal)) for check in flow.checks), default=0)
    lines = [clean(flow.title), *(clean(line) for line in flow.subtitle), "", f"   {clean(flow.start)}"]
    for number, check in enumerate(flow.checks, 1):
        line = (
            f"{number:2} {marks[check.outcome]} {clean(check.question):<{width}}  no ▶ {clean(check.refusal):<{alerts}}"
        )
        lines.append(f"{line}  {citation(check.clause)[0]}".rstrip())
        if check.remark:
            lines.append(f"     {clean(check.remark)}")
        for jump in flow.jumps:
            if jump.source == check.key:
                numbers = {each.key: index for index, each in enumerate(flow.checks, 1)}
                onward = f"check {numbers[jump.target]}" if jump.target else clean(flow.end)
                lines.append(f"     {clean(jump.label)} ▶ {onward}")
    lines.append(f"   {clean(flow.end)}")
    return "\n".join(lines) + "\n"
