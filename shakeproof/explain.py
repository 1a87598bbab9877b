"""What a check or a clause means, offline: the row, the sentence of the RFC, and what the verdicts are."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shakeproof.exits import unknown
from shakeproof.model.clauses import WITHOUT_TEXT, Clause
from shakeproof.model.machine import Role
from shakeproof.model.notation import Alike, Row
from shakeproof.model.roles import ROLES

VERDICTS = {
    "FAIL went-on": "after an event that forbids it: progress, or application data sent or accepted",
    "FAIL refused-valid": "a legal input of the negotiated configuration was refused",
    "FAIL wrong-output": "a message, no alert, that no possible state allows, or that contradicts what was agreed",
    "FAIL distinguishes": "two inputs that differ only in a secret were answered differently",
    "CRASH": "the process died",
    "HANG": "it neither answered nor closed where it must",
    "DEVIATION": "it stopped, with another alert than required or with none; or it ignored a forbidden input",
    "WARNING": "a SHOULD is not followed",
    "NOTE": "which MAY branch the target takes",
    "INCONCLUSIVE": "silence that only a timer tells from slowness, or a finding that did not repeat",
    "NOT TESTED": "it was not tried, and the reason is given; never a success",
}

READINGS = {
    "TRUNCATED": "the transport ended right behind it: only after a close_notify may the application be told that all "
    "data has come",
    "EXITED": "the transport ended behind data that nothing else ends, and the program's exit status was 0, as after a "
    "close_notify; otherwise it says what went wrong",
    "BOUNDED": "very many of them in a row met no limit; no RFC gives one, it is our reading that there is one",
    "FRAGMENTED": "cut up into several records, it was answered otherwise than in one (RFC 5246 section 6.2.1)",
    "AFTERWARDS": "the connection was over, and still something came of what was sent: closed is closed",
    "DELIVERED": "sent in other records, or other writes of the transport, it was not refused as it is when it comes "
    "as usual: a stream has no borders (RFC 5246 section 6.2.1)",
}
"""How the id of a check goes on behind the row's, where the check is about more than the row, and what it is about."""

HONEST_HANDSHAKE = "HONEST-HANDSHAKE"
"""The check that has no row: before anything else is tested, an honest connection has to open."""

CLAUSE = re.compile(
    r"(?:RFC\s*)?(\d{3,5})?[\s:,]*(?:section|sec\.?|§)?\s*([0-9A-Z](?:\d*)(?:\.\d+)*)(?:\s+([\w-]+))?", re.I
)


@dataclass(frozen=True)
class Explanation:
    """A heading and its lines."""

    heading: str
    lines: tuple[str, ...]


def explain(text: str) -> list[Explanation]:
    """What `text` means: a check's or row's id, a clause ("RFC 5246 7.4.9", "5246 7.4.9", "7.4.9") or a verdict.

    Raises UsageError with what looks like it.
    """
    wanted = " ".join(text.split())
    found = list(_verdicts(wanted)) or list(_checks(wanted)) or list(_rows(wanted)) or list(_clauses(wanted))
    if not found:
        raise unknown(
            "check or clause",
            wanted,
            _near(wanted),
            hint="`shakeproof list clauses` has the clauses; a finding prints the id of its check.",
        )
    return found


def _near(wanted: str) -> list[str]:
    """Names that are worth suggesting: all are too many to print."""
    names = [row.code for role in ROLES.values() for row in role.rows]
    names += [clause.key for clause in clauses()]
    names += list(VERDICTS)
    folded = {name.upper(): name for name in names}
    return [folded[name] for name in difflib.get_close_matches(wanted.upper(), list(folded), n=5, cutoff=0.5)]


def _verdicts(wanted: str) -> Iterator[Explanation]:
    for name, meaning in VERDICTS.items():
        if wanted.upper() in (name.upper(), name.upper().removeprefix("FAIL ")) or (
            wanted.upper() == "FAIL" and name.startswith("FAIL")
        ):
            yield Explanation(name, (meaning,))


def _checks(wanted: str) -> Iterator[Explanation]:
    """Checks that are about something else than one row."""
    from shakeproof.properties.confirmation import alike_check  # an engine is much to load for the other questions

    if wanted.upper() == HONEST_HANDSHAKE:
        yield Explanation(HONEST_HANDSHAKE, ("an honest peer's connection must open; without that nothing is tested",))
    for role in ROLES.values():
        for alike in role.alike:
            if wanted.upper() == alike_check(role, alike):
                yield Explanation(wanted.upper(), tuple(_alike_lines(role, alike)))
    base, _, reading = wanted.upper().rpartition("-")
    if reading in READINGS and not list(_rows(wanted, exactly=True)):
        yield from (_about(each, reading) for each in _rows(base))


def _alike_lines(role: Role, alike: Alike) -> Iterator[str]:
    yield f"role      {role.title} ({role.name})"
    yield f"alike     {' and '.join(symbol.text for symbol in alike.symbols)}: answered in the same way, whichever came"
    for clause in role.quotes.resolve(alike.authority, role.name):
        yield from _clause_lines(clause)


def _about(found: Explanation, reading: str) -> Explanation:
    """The row's explanation, with what the check is about beyond the row."""
    lines = [f"here      {READINGS[reading]}", *found.lines]
    role = next(role for role in ROLES.values() if any(row.code == found.heading for row in role.rows))
    if reading in ("TRUNCATED", "EXITED") and role.truncation is not None:
        clauses = role.quotes.resolve(role.truncation, role.name)
        lines += [line for clause in clauses for line in _clause_lines(clause) if line not in lines]
    return Explanation(f"{found.heading}-{reading}", tuple(lines))


def _rows(wanted: str, *, exactly: bool = False) -> Iterator[Explanation]:
    """exactly: not those for any other message, whose checks are named by the message."""
    for role in ROLES.values():
        for row in role.rows:
            code = row.code
            of_rest = row.is_rest and not exactly and wanted.upper().startswith(f"{code}-")
            if wanted.upper() == code or wanted == row.id or of_rest:
                yield explain_row(role, row, about=wanted[len(code) + 1 :] if of_rest else "")


def explain_row(role: Role, row: Row, about: str = "") -> Explanation:
    """The row in words. about: the message that a check of `rest` was about."""
    event = {"recv": "when this arrives", "send": "sends of its own accord", "call": "when the application calls"}
    what = "any message that no row names" if row.is_rest else row.pattern.text
    lines = [
        f"role      {role.title} ({role.name})",
        f"in state  {row.states.text}",
        f"{event.get(row.kind.value, 'when this timer fires')}: {what}",
    ]
    if about:
        lines.append(f"here      {about}")
    if row.condition:
        lines.append(f"while     {row.condition}")
    lines.append(f"it does   {row.outcome}")
    for state in row.states.members if len(row.states.members) <= 3 else ():
        lines.append(f"state     {state.name}: {state.sentence}")
    for value in dict.fromkeys(v for guard in row.pattern.guards for v in guard.values()):
        lines.append(f"fact      {value.name}: {value.sentence}")
    lines.append(f"level     {row.level.value}")
    for clause in row.clauses:
        lines += _clause_lines(clause)
    return Explanation(row.code, tuple(lines))


def _clause_lines(clause: Clause) -> list[str]:
    said = f'"{clause.sentence}"' if clause.sentence else f"(not quoted: {WITHOUT_TEXT.get(clause.rfc, 'no text')})"
    whom = "both sides" if clause.binds == "both" else f"the {clause.binds}"
    lines = [f"{clause.reference}, binds {whom}: {said}"]
    if clause.implied:
        lines.append(f"          implied: {clause.implied}")
    lines.append(f"          {clause.url}")
    return lines


def clauses() -> dict[Clause, list[Row]]:
    """Every clause that a table quotes, with the rows that cite it."""
    out: dict[Clause, list[Row]] = {}
    for role in ROLES.values():
        for clause in role.quotes.clauses.values():
            out.setdefault(clause, [])
        for row in role.rows:
            for clause in row.clauses:
                out.setdefault(clause, []).append(row)
    return out


def _clauses(wanted: str) -> Iterator[Explanation]:
    match = CLAUSE.fullmatch(wanted)
    if not match:
        return
    rfc = int(match[1]) if match[1] else None
    section, word = match[2].upper(), match[3] or ""
    for clause, rows in clauses().items():
        if (rfc is not None and clause.rfc != rfc) or clause.section.upper() != section:
            continue
        if word and clause.word != word:
            continue
        lines = _clause_lines(clause)
        lines += [f"row       {row.level.value:6} {row.code}" for row in rows] or ["row       no row cites it"]
        yield Explanation(clause.key, tuple(lines))
