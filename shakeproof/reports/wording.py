"""A finding in plain sentences: what had to come, what came, which case that is, what it rests on. For every report."""

from __future__ import annotations

import re

from shakeproof.model.clauses import KEYWORDS, Clause
from shakeproof.model.roles import ROLES
from shakeproof.properties.demands import joined, required_text, row_of, rows_of
from shakeproof.properties.findings import Finding, Grade

__all__ = [
    "binds", "came_sentence", "case_of", "clause_of", "counted", "percent", "required_sentence", "required_text",
    "role_title", "row_of", "rows_of", "why_words",
]  # fmt: skip

_ALERT = re.compile(r"Alert\[(FATAL|CLOSURE|WARNING)[^\]]*\]")
_OUTSIDE = re.compile(r",\s*(?![^\[\](){}]*[\])}])")
"""A comma that is in no brackets."""


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
    sent = joined(parts[:-1] if closed else parts)
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


def percent(part: int, whole: int) -> int:
    """Per cent, rounded, but 100 only where nothing is left, and 0 only where there is nothing."""
    if not whole or not part:
        return 0
    return 100 if part >= whole else min(99, max(1, round(100 * part / whole)))


def counted(count: int, word: str, plural: str = "s") -> str:
    """A count with its noun."""
    return f"{count} {word}{'' if count == 1 else plural}"


def role_title(role: str) -> str:
    """What a role is called; of one that we do not know, its name."""
    return ROLES[role].title if role in ROLES else role
