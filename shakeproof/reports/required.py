"""What had to come, as a sentence: a row says it in the table's notation, which is for those who read tables."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Output, Row, State
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding

ABORT = re.compile(r"abort\(([a-z_, ]+)\)")


def row_of(role: Role, check: str) -> Row | None:
    """The row that a check is about."""
    return next(iter(rows_of(role, check)), None)


def rows_of(role: Role, check: str) -> list[Row]:
    """The rows that a check may be about, the likeliest first."""
    fitting = [row for row in role.rows if check == row.code or check.startswith(f"{row.code}-")]
    return sorted(fitting, key=lambda row: -len(row.code))


def required_text(finding: Finding) -> str:
    """What had to come, in words; what is no notation stays as it is."""
    alerts = ABORT.fullmatch(finding.expected)
    if alerts:
        return f"end the connection with the fatal alert {_list(alerts[1].split(', '), 'or')}"
    role = ROLES.get(finding.role)
    rows = rows_of(role, finding.check) if role else []
    row = next((row for row in rows if row.outcome == finding.expected), None)
    if row is None:
        return finding.expected
    if isinstance(row.next, Abort):
        return "end the connection with a fatal alert" + (f", one of {row.next.name}" if row.next.name else "")
    parts = [_answer(row.outputs)] if row.outputs else []
    parts += [f"tell the application {_list([signal.name for signal in row.signals])}"] if row.signals else []
    if isinstance(row.next, State) and role is not None and role.is_final(row.next):
        parts.append("end the connection")
    elif isinstance(row.next, State):
        parts.append(f"go on to {row.next.name}" if parts else f"take it, and go on to {row.next.name}")
    elif not parts:
        parts.append("take it, and stay in the same state" if not row.goes_on else "take it, and go on")
    return ", then ".join(parts)


def _answer(outputs: Sequence[Output]) -> str:
    return f"answer with {_list([_one(output) for output in outputs])}"


def _one(output: Output) -> str:
    message = output.pattern.message
    where = " where agreed" if output.guard else ""
    return f"{message.name}{where}{' (optional)' if output.optional else ''}"


def _list(names: Sequence[str], last: str = "and") -> str:
    return f"{', '.join(names[:-1])} {last} {names[-1]}" if len(names) > 1 else "".join(names)
