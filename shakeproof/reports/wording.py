"""A finding in plain sentences: what had to come, what came, which case that is, what it rests on. For every report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shakeproof.model.clauses import KEYWORDS, Clause
from shakeproof.model.machine import Role
from shakeproof.model.messages import Alert
from shakeproof.model.notation import Abort, Output, Row, State
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding, Grade

_ABORT = re.compile(r"abort\(([a-z_, ]+)\)")
_ALERT = re.compile(r"Alert\[(FATAL|CLOSURE|WARNING)[^\]]*\]")
_OUTSIDE = re.compile(r",\s*(?![^\[\](){}]*[\])}])")
"""A comma that is in no brackets."""


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
        return f"end the connection with the fatal alert {_joined(alerts[1].split(', '), 'or')}"
    table = ROLES.get(role)
    rows = rows_of(table, check) or table.rows if table is not None else ()
    row = next((row for row in rows if row.outcome == expected), None)
    if row is None or table is None:
        return expected
    if isinstance(row.next, Abort):
        return "end the connection with a fatal alert" + (f", one of {row.next.name}" if row.next.name else "")
    parts = [f"answer with {_joined([_sent(output) for output in row.outputs])}"] if row.outputs else []
    parts += [f"tell the application {_joined([signal.name for signal in row.signals])}"] if row.signals else []
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


def required_sentence(expected: str, role: str = "", check: str = "") -> str:
    """The same as a sentence; "" where nothing is known to have been required."""
    text = required_text(expected, role, check)
    return f"It had to {text}." if text != expected else f"Required: {text}." if text else ""


def came_sentence(got: str) -> str:
    """What came instead, as a sentence."""
    if not got:
        return ""
    if got in ("nothing", "closed"):
        return {"nothing": "It sent nothing.", "closed": "It closed the connection without an alert."}[got]
    now, _, later = got.partition("; afterwards: ")
    parts = _OUTSIDE.split(now)
    closed = parts[-1:] == ["closed"]
    sent = _joined(parts[:-1] if closed else parts)
    out = "It sent nothing" if sent == "nothing" else f"It sent {sent}"
    out += " and closed the connection" if closed else ""
    return f"{out}. Afterwards: {later}." if later else f"{out}."


def case_of(finding: Finding) -> str:
    """Which case of its grade a finding is: of the several that are a DEVIATION, the one that applied; else ""."""
    if finding.grade is not Grade.DEVIATION:
        return ""
    why = finding.title.partition(": ")[2]
    alert = _ALERT.search(finding.got)
    if "refused it, as it may" in why:
        return "it refused this, as it may, but in another way than the standard says"
    if "ignored it" in why:
        return "it ignored what it had to refuse"
    if "stayed silent, then stopped" in why:
        return "it refused this late: only when more had come"
    if "stayed silent" in why:
        return "it neither refused this nor went on"
    if finding.expected.startswith("abort("):
        if alert and alert[1] == "FATAL":
            return "it refused this, as it had to, but with another alert"
        if alert or "closed" in finding.got:
            return "it refused this, as it had to, but without the fatal alert"
    if alert and "closed" in finding.got:
        return "it ended the connection, as it had to, but with an alert that does not belong there"
    if finding.got == "closed":
        return "it ended the connection, as it had to, but without the answer that is due"
    return ""


def clause_of(role: str, check: str, reference: str, sentence: str) -> Clause | None:
    """The clause with that sentence: of the row that the check is about, else of any row of the role."""
    if role not in ROLES:
        return None
    row = row_of(ROLES[role], check)
    rows = [*([row] if row else []), *ROLES[role].rows]
    same = (clause for row in rows for clause in row.clauses if clause.reference == reference)
    return next((clause for clause in same if clause.sentence == sentence), None)


def binds(sentence: str) -> bool:
    """Whether the sentence has a keyword of RFC 2119."""
    return any(re.search(rf"\b{word}\b", sentence) for word in KEYWORDS)


def why_words(level: str, role: str, check: str, reference: str, sentence: str) -> tuple[str, str]:
    """How a finding follows from its clause: the words before the citation, and our reading behind it."""
    if binds(sentence):
        return f"{level} by", ""
    clause = clause_of(role, check, reference, sentence)
    return "rests on", clause.implied if clause is not None else ""


def _joined(parts: Sequence[str], last: str = "and") -> str:
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}" if len(parts) > 1 else parts[0] if parts else "nothing"


def percent(part: int, whole: int) -> int:
    """Per cent, rounded, but 100 only where nothing is left, and 0 only where there is nothing."""
    if not whole or not part:
        return 0
    return 100 if part >= whole else min(99, max(1, round(100 * part / whole)))
