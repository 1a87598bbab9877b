"""The literate page of a role: phases as headings, quotes, the table, the state x symbol matrix.

Generated from the table, checked to be up to date, and what a reviewer holds against the RFC. The matrix is also a
golden file of its own: each cell says what the table demands there, `rest` cells as a dot, voids as "void".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from shakeproof.model.checks import Ways
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Abort, Row, State, Stay, Symbol
from shakeproof.model.roles import ROLES


def outcome(role: Role, configuration: Configuration, symbol: Symbol) -> str:
    """One cell: what may happen, alternatives joined by "or"."""
    why = role.is_void(configuration, symbol)
    if why:
        return "void"
    rows = role.enabled(configuration, symbol)
    if not rows:
        return "uncovered"
    if all(row.is_rest for row in rows):
        return "."
    return " or ".join(dict.fromkeys(_brief(role, row, configuration, symbol) for row in rows))


def _brief(role: Role, row: Row, configuration: Configuration, symbol: Symbol) -> str:
    if isinstance(row.next, Abort):
        return "abort " + "/".join(alert.name for alert in row.next.alerts)
    parts: list[str] = []
    for there in role.apply(row, configuration, symbol):
        where = "stay" if isinstance(row.next, Stay) else there.state.name
        sent = ", ".join(o.pattern.text + ("?" if o.optional else "") for o in role.flight(row, there))
        parts.append(f"{where}{f' ! {sent}' if sent else ''}")
    return " or ".join(dict.fromkeys(parts))


def matrix(role: Role) -> str:
    """The state x symbol matrix as text: one block for each state, one line for each symbol.

    Configurations of one state in which every cell is the same share a block, which names what they remember.
    """
    lines = [f"# {role.name}: state x symbol, generated from the table. A dot is `rest`: {rest_text(role)}"]
    blocks: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for configuration in role.reachable:
        if role.is_final(configuration.state):
            continue
        column = tuple(outcome(role, configuration, symbol) for symbol in role.symbols)
        memory = role.remembered_text(configuration) or "as at first"
        blocks.setdefault((configuration.state.name, column), []).append(memory)
    states = [state.name for state in role.states]
    for (name, column), memories in sorted(blocks.items(), key=lambda item: states.index(item[0][0])):
        lines += ["", f"{name} ({'; '.join(memories)})"]
        lines += [f"  {symbol.text:58} {cell}" for symbol, cell in zip(role.symbols, column, strict=True)]
    return "\n".join(lines) + "\n"


def rest_text(role: Role) -> str:
    """What `rest` demands, in words, with the number of cells that it covers."""
    rests = [row for row in role.rows if row.is_rest]
    cells = sum(
        1
        for configuration in role.reachable
        if not role.is_final(configuration.state)
        for symbol in role.symbols
        if outcome(role, configuration, symbol) == "."
    )
    said = "; ".join(dict.fromkeys(f"in {row.states.text}: {row.outcome}" for row in rests))
    return f"{said} ({cells} cells)" if rests else "there is none"


def page(role: Role) -> str:
    """The literate page as Markdown."""
    return "\n".join(_page(role)) + "\n"


def _page(role: Role) -> Iterator[str]:
    yield f"# {role.title} (`{role.name}`)"
    yield ""
    yield "Generated from the table by `python -m shakeproof.model.literate`; edit the table, not this page."
    if role.partial:
        yield f"\n**Partial:** {role.partial}"
    if role.theory:
        yield "\n" + role.theory.strip()
    if role.readings:
        yield "\n## Readings\n"
        for name, sentence in role.readings.items():
            state = "in force" if name in role.default_readings else "not in force"
            yield f"- `{name}` ({state}): {sentence}"
    if role.memory:
        yield "\n## What the role remembers\n"
        for fact, initial in role.memory.items():
            values = "; ".join(f"`{value.name}`: {value.sentence}" for value in fact.values)
            yield f"- **{fact.name}** (at first `{initial.name}`): {values}"
    yield "\n## States\n"
    for place in role.states:
        yield f"- `{place.name}`: {place.sentence}"
    yield "\n## Rows"
    yield from _rows(role)
    yield f"\nEvery other message: {rest_text(role)}."
    if role.voids:
        yield "\n## What can't occur\n"
        for item in role.voids:
            condition = f" when {', '.join(guard.text() for guard in item.guards)}" if item.guards else ""
            yield f"- `{item.pattern.text}` in `{item.states.text}`{condition}: {item.why}"
    yield "\n## Quotes\n"
    for key, clause in role.quotes.clauses.items():
        if any(clause in row.clauses for row in role.rows):
            said = f"\u201c{clause.sentence}\u201d" if clause.sentence else "(no text here)"
            implied = f" *Implied:* {clause.implied}." if clause.implied else ""
            yield f"- **{key}** ([{clause.reference}]({clause.url}), binds the {clause.binds}): {said}{implied}"
    golden = f"{role.name}.matrix.txt"
    yield f"\n## State x symbol\n\nSee [{golden}]({golden}), the golden file that is reviewed cell by cell."


def _rows(role: Role) -> Iterator[str]:
    phases = [(phase.key, phase.title) for phase in role.phases] or [("", "All states")]
    for key, title in phases:
        rows = [row for row in role.table if not row.is_rest and row.place is None and _phase(role, row) == key]
        if rows:
            yield f"\n### {title}\n"
            yield from _lines(rows)
    for ways in role.orders:
        yield from _stages(ways)
    others = [row for row in role.sources if not role.is_in_force(row)]
    if others:
        yield "\n### Rows under other readings\n"
        yield from _lines(others, with_reading=True)


def _stages(ways: Ways) -> Iterator[str]:
    """Checks in order, each as a table of its own."""
    yield f"\n### Checks in order: {ways.name}\n"
    yield "Each check sees what the checks before it let pass; CONTINUE goes on with the next one."
    for rows in ways.stages:
        yield f"\n#### {rows[0].place.title if rows[0].place else ''}\n"
        yield from _lines(rows)


def _lines(rows: Iterable[Row], *, with_reading: bool = False) -> Iterator[str]:
    first = "| reading, check " if with_reading else ""
    yield f"{first}| states | input | remembered | next state, reply | level | clauses |"
    yield f"{'|---' if with_reading else ''}|---|---|---|---|---|---|"
    for row in rows:
        what = f"{row.kind.value} {row.pattern.text}" if row.kind.value != "recv" else row.pattern.text
        cells = [row.states.text, what, row.condition, row.outcome, row.level.value, _keys(row)]
        if with_reading and row.authority:
            cells.insert(0, f"`{row.authority.reading}`{f', {row.place.title}' if row.place else ''}")
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _keys(row: Row) -> str:
    return ", ".join(row.authority.keys) if row.authority else ""


def _phase(role: Role, row: Row) -> str:
    keys = [phase.key for phase in role.phases]
    first: State = row.states.members[0]
    return first.phase if first.phase in keys else (keys[0] if keys else "")


def write(folder: Path) -> list[Path]:
    """Write the page and the matrix of every role below the folder; the files written."""
    written: list[Path] = []
    for name, role in ROLES.items():
        for path, text in ((folder / f"{name}.md", page(role)), (folder / f"{name}.matrix.txt", matrix(role))):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written


if __name__ == "__main__":
    for one in write(Path("docs/tables")):
        print(one)
