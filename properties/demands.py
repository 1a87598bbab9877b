"""What a row demands and what a message is, in words, and the clause that says so to whom it is demanded of."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from shakeproof.model.clauses import Clause
from shakeproof.model.machine import Role
from shakeproof.model.messages import Alert, Record
from shakeproof.model.notation import Abort, Output, Row, State, Symbol
from shakeproof.model.roles import ROLES

_ABORT = re.compile(r"abort\(([a-z_, ]+)\)")


def binding_first(clauses: Iterable[Clause]) -> list[Clause]:
    """The clauses of a row that reads a message: those that bind who receives it before those that bind its sender."""
    return sorted(clauses, key=lambda clause: clause.binds == "sender")


def row_of(role: Role, check: str) -> Row | None:
    """The row that a check is about."""
    return next(iter(rows_of(role, check)), None)


def rows_of(role: Role, check: str) -> list[Row]:
    """The rows that a check may be about, the likeliest first."""
    fitting = [row for row in role.rows if check == row.code or check.startswith(f"{row.code}-")]
    return sorted(fitting, key=lambda row: -len(row.code))


def required_text(expected: str, role: str = "", check: str = "") -> str:
    """What had to come, in words: a row says it in the table's notation. What is no notation stays as it is.

    role, check: whose row it is; without a check that a row has, any row of the role that demands this.
    """
    alerts = _ABORT.fullmatch(expected)
    if alerts:
        return f"end the connection with the fatal alert {joined(alerts[1].split(', '), 'or')}"
    table = ROLES.get(role)
    rows = rows_of(table, check) or table.rows if table is not None else ()
    row = next((row for row in rows if row.outcome == expected), None)
    if row is None or table is None:
        return expected
    if isinstance(row.next, Abort):
        return "end the connection with a fatal alert" + (f", one of {row.next.name}" if row.next.name else "")
    parts = [f"answer with {joined([_sent(output) for output in row.outputs])}"] if row.outputs else []
    parts += [f"tell the application {joined([signal.name for signal in row.signals])}"] if row.signals else []
    if isinstance(row.next, State) and table.is_final(row.next):
        parts.append("end the connection")
    elif isinstance(row.next, State):
        parts.append(f"go on to {row.next.name}" if parts else f"take it, and go on to {row.next.name}")
    elif not parts:
        parts.append("take it, and go on" if row.goes_on else "take it, and stay in the same state")
    return ", then ".join(parts)


def _sent(output: Output) -> str:
    # Of an alert the name alone says nothing; of any other message the facts are those that were agreed.
    message = output.pattern.message
    name = output.pattern.text if message is Alert else message.name
    return f"{name}{' where agreed' if output.guard else ''}{' (optional)' if output.optional else ''}"


def meaning_of(symbol: Symbol) -> str:
    """What is wrong with a message, or remarkable about a record, in words; "" where its name says all."""
    values = symbol.named if symbol.message is Record else symbol.defects
    return ", ".join(value.sentence for value in values)


def demanded(rows: Sequence[Row], role: str) -> str:
    """What any of the rows demands, in words."""
    return " or ".join(dict.fromkeys(required_text(row.outcome, role, row.code) for row in rows))


def joined(parts: Sequence[str], last: str = "and") -> str:
    """The parts as a list in a sentence."""
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}" if len(parts) > 1 else parts[0] if parts else "nothing"
