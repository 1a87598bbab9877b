"""A chain of checks in few boxes: states of one phase share a question, and the ways between the boxes are the rows'.

Which phase has which question is data beside the table; everything else is read from its rows: the alerts, the
authority, the numbers of the checks in a box, and where it goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from shakeproof.diagrams.flow import CHECKS_MOST, Flow, FlowCheck, Jump
from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Row, State


def grouped_flow(
    role: Role,
    questions: Mapping[str, str],
    numbers: Mapping[State, int],
    *,
    title: str,
    start: str,
    end: str,
    subtitle: str = "",
) -> Flow:
    """The flow of a role in one box for each phase. questions: by phase, in order; numbers: of the check of a state.

    Raises ValueError where there are more boxes than a picture holds, or a state that asks has no box.
    """
    if len(questions) > CHECKS_MOST:
        raise ValueError(f"{role.name}: {len(questions)} boxes, and a picture holds {CHECKS_MOST}")
    asking = [state for state in role.states if state in numbers]
    lost = [state.name for state in asking if state.phase not in questions]
    if lost:
        raise ValueError(f"{role.name}: {', '.join(lost)} belong to no box; boxes are {', '.join(questions)}")
    keys = [key for key in questions if any(state.phase == key for state in asking)]
    checks, jumps = [], []
    for place, key in enumerate(keys):
        states = [state for state in asking if state.phase == key]
        rows = [row for row in role.rows if row.states.members[0] in states]
        following = keys[place + 1] if place + 1 < len(keys) else ""
        said = ""
        for goal, leading in _onward(rows, key, numbers).items():
            conditions = {row.condition for row in leading}
            told = ", ".join(["yes", *(text for text in conditions if text and len(conditions) == 1)])
            if goal == following:
                said = told
            else:
                jumps.append(Jump(key, goal, told))
        checks.append(
            FlowCheck(
                key, questions[key], own_alert(rows, role.rows), max(len(_alerts(rows)) - 1, 0), _cited(rows), yes=said,
                remark=_counted({numbers[state] for state in states}),
                sentence=" ".join(f"{numbers[state]}: {state.sentence}" for state in states),
            )
        )  # fmt: skip
    named = dict.fromkeys(f"RFC {clause.rfc}" for row in role.rows for clause in row.clauses[:1] if not row.is_rest)
    return Flow(
        title, tuple(checks), tuple(jumps), start=start, end=end, band=role.title, aside=", ".join(named),
        tint=role.phases[0].tint, subtitle=(subtitle,) if subtitle else (),
    )  # fmt: skip


def _onward(rows: Iterable[Row], key: str, numbers: Mapping[State, int]) -> dict[str, list[Row]]:
    """Phase to which rows lead out of this one, "" for the end -> the rows."""
    out: dict[str, list[Row]] = {}
    for row in rows:
        if isinstance(row.next, State):
            goal = row.next.phase if row.next in numbers else ""
            if goal != key:
                out.setdefault(goal, []).append(row)
    return out


def _alerts(rows: Iterable[Row]) -> list[str]:
    alerts = (alert.name for row in rows if isinstance(row.next, Abort) for alert in row.next.alerts)
    return list(dict.fromkeys(alerts))


def own_alert(rows: Sequence[Row], table: Sequence[Row]) -> str:
    """The alert that most of the rows that oblige name first; of several, the one that the table names least."""
    obliging = [row for row in rows if row.is_violation and row.level is not Level.MAY]
    first = Counter(map(_first_alert, obliging or [row for row in rows if row.is_violation]))
    everywhere = Counter(_first_alert(row) for row in table if row.is_violation)
    return max(first, key=lambda alert: (first[alert], -everywhere[alert]), default="")


def _first_alert(row: Row) -> str:
    return row.next.alerts[0].name if isinstance(row.next, Abort) else ""


def _cited(rows: Sequence[Row]) -> str:
    return next((clause.short for row in rows for clause in row.clauses), "")


def _counted(numbers: Iterable[int]) -> str:
    found = [str(number) for number in sorted(numbers)]
    if len(found) == 1:
        return f"check {found[0]}"
    return f"checks {', '.join(found[:-1])} and {found[-1]}" if found else ""
