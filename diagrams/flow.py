"""A chain of checks: one question after the other, an alert where the answer is no, and the authority of each.

Plain data, read from a table by `flow_of`; what an executed validation did is told of the same questions: passed,
failed, not run. `flow_chart` draws it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shakeproof.diagrams.citations import citation
from shakeproof.diagrams.text_width import clean
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Row, State
from shakeproof.model.trace import Check

CHECKS_MOST = 9
"""Boxes of one flow; neighbours that end in the same alert share one where a table has more."""


@dataclass(frozen=True, slots=True)
class FlowCheck:
    """One question. key: of its state; alert: where the answer is no; others: how many other alerts would do.

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
            lines.append(f"Check {number}: {check.question} If not: {check.alert} ({check.clause}).{outcome}{remark}")
        titles = {check.key: str(number) for number, check in enumerate(self.checks, 1)}
        for jump in self.jumps:
            onward = f"check {titles[jump.target]}" if jump.target else self.end
            lines.append(f"From check {titles[jump.source]}, {jump.label}: on to {onward}.")
        lines.append(f"If all hold: {self.end}.")
        return [clean(line) for line in lines if line]


def flow_of(role: Role, *, title: str, start: str, end: str) -> Flow:
    """The flow of a role whose states ask one question each: its sentence; a row that aborts is the answer no."""
    ends = (role.initial, role.accepting, role.final, role.aborted)
    asking = (row.states.members[0] for row in role.rows if not row.is_rest and len(row.states.members) == 1)
    states = [state for state in dict.fromkeys(asking) if state not in ends]
    keys = [state.name for state in states]
    checks, jumps = [], []
    for number, state in enumerate(states):
        rows = [row for row in role.rows if not row.is_rest and state in row.states.members]
        no = [row for row in rows if isinstance(row.next, Abort)]
        yes = [row for row in rows if isinstance(row.next, State)]
        alerts = list(
            dict.fromkeys(alert.name for row in no if isinstance(row.next, Abort) for alert in row.next.alerts)
        )
        following = keys[number + 1] if number + 1 < len(keys) else ""
        said = ""
        for row in yes:
            target = row.next.name if isinstance(row.next, State) else ""
            goal = target if target in keys else ""
            condition = row.condition
            if goal == following:
                said = ", ".join(part for part in ("yes", condition) if part)
            else:
                label = ", ".join(part for part in ("yes", condition) if part)
                jumps.append(Jump(state.name, goal, label))
        checks.append(
            FlowCheck(
                state.name, state.sentence, alerts[0] if alerts else "", max(len(alerts) - 1, 0), _cited(yes or no),
                yes=said, sentence="; ".join(f"{row.title} ({row.level.value} {row.citation})" for row in rows),
            )
        )  # fmt: skip
    kept, moved = _merged(checks, jumps)
    phase = role.phases[0]
    return Flow(
        title, tuple(kept), tuple(moved), start=start, end=end, band=phase.title, aside=phase.aside, tint=phase.tint,
        subtitle=tuple(line for line in (
            f"From the table: {len(states)} checks in the order of RFC {role.rfc}; the first that fails ends it.",
            f"Partial: {role.partial}." if role.partial else "",
        ) if line),
    )  # fmt: skip


def _cited(rows: Sequence[Row]) -> str:
    return next((clause.short for row in rows for clause in row.clauses), "")


def _merged(checks: list[FlowCheck], jumps: list[Jump]) -> tuple[list[FlowCheck], list[Jump]]:
    """At most `CHECKS_MOST` checks: neighbours with the same alert, from the end, share a box."""
    checks, jumps = list(checks), list(jumps)
    goals = {jump.target for jump in jumps}
    sources = {jump.source for jump in jumps}
    while len(checks) > CHECKS_MOST:
        at = next(
            (
                index
                for index in range(len(checks) - 1, 0, -1)
                if checks[index].alert == checks[index - 1].alert
                and checks[index].key not in goals
                and checks[index - 1].key not in sources
            ),
            None,
        )
        if at is None:
            break
        one, other = checks[at - 1], checks[at]
        joined = replace(one, question=f"{one.question} {other.question}", yes=other.yes,
                         sentence=f"{one.sentence}; {other.sentence}")  # fmt: skip
        checks[at - 1 : at + 1] = [joined]
        jumps = [replace(jump, source=one.key) if jump.source == other.key else jump for jump in jumps]
    return checks, jumps


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
    alerts = max((len(clean(check.alert)) for check in flow.checks), default=0)
    lines = [clean(flow.title), *(clean(line) for line in flow.subtitle), "", f"   {clean(flow.start)}"]
    for number, check in enumerate(flow.checks, 1):
        line = (
            f"{number:2} {marks[check.outcome]} {clean(check.question):<{width}}  no ▶ {clean(check.alert):<{alerts}}"
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
