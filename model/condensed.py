"""The state x symbol matrix with like cells joined, so that a person can hold it against the RFC.

Nothing is left out: symbols of one message that differ in one fact and have the same outcome are joined into one line,
fact after fact; a fact of which every tried value is joined is not printed at all, nor is the usual value of a narrow
fact. Configurations of one state whose
cells are all the same share a block.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shakeproof.model.literate import outcome, rest_text
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Message, Symbol


@dataclass(frozen=True)
class Line:
    """Symbols with one outcome. values: for each fact of the message, the names of the values joined."""

    message: Message
    values: tuple[frozenset[str], ...]
    outcome: str


def lines_of(role: Role, configuration: Configuration, symbols: Iterable[Symbol] | None = None) -> list[Line]:
    """The joined cells of one configuration, in the order of the symbols. symbols: of these, instead of all."""
    lines = [
        Line(
            symbol.message,
            tuple(frozenset(v.name for v in fact.named(symbol.assignment[fact.name])) for fact in symbol.message.facts),
            outcome(role, configuration, symbol),
        )
        for symbol in (role.symbols if symbols is None else symbols)
    ]
    # The last fact first: it tends to be the finest, and joining it leaves the message's kind at the front of the line.
    for index in reversed(range(max((len(line.values) for line in lines), default=0))):
        lines = _joined(lines, index)
    return lines


def _joined(lines: Iterable[Line], index: int) -> list[Line]:
    """Lines that differ in the values at `index` only, as one."""
    groups: dict[object, Line] = {}
    for line in lines:
        if index >= len(line.values):
            groups[line] = line
            continue
        key = (line.message, line.values[:index], line.values[index + 1 :], line.outcome)
        known = groups.get(key)
        if known is None:
            groups[key] = line
        else:
            both = known.values[index] | line.values[index]
            groups[key] = Line(line.message, (*line.values[:index], both, *line.values[index + 1 :]), line.outcome)
    return list(groups.values())


def _text(role: Role, line: Line) -> str:
    tried: list[set[str]] = [set() for _ in line.message.facts]
    for symbol in role.symbols:
        if symbol.message is line.message:
            for values, fact in zip(tried, line.message.facts, strict=True):
                values.update(value.name for value in fact.named(symbol.assignment[fact.name]))
    said = [
        " | ".join(value.name.upper() for value in fact.values if value.name in names)
        for fact, names, every in zip(line.message.facts, line.values, tried, strict=True)
        if names != (every if not fact.narrow else {fact.default.name})
    ]
    return f"{line.message.name}[{', '.join(said)}]" if said else line.message.name


def condensed(role: Role) -> str:
    """The matrix as text: one block for each state with what it remembers, one line for each outcome of a message."""
    lines = [f"# {role.name}: state x symbol, like cells joined. A dot is `rest`: {rest_text(role)}"]
    return _page(lines, role, {here: lines_of(role, here) for here in role.reachable if not role.is_final(here.state)})


def differences(role: Role, other: Role) -> str:
    """Those cells of the other role's matrix, joined likewise, that the role does not have or has otherwise.

    The roles remember the same facts: they are one role under two sets of readings.
    """
    known = set(role.symbols)
    cells: dict[Configuration, list[Line]] = {}
    for here in other.reachable:
        new = [
            symbol
            for symbol in other.symbols
            if here not in role.reachable
            or symbol not in known
            or outcome(role, here, symbol) != outcome(other, here, symbol)
        ]
        if new and not other.is_final(here.state):
            cells[here] = lines_of(other, here, new)
    return _page([f"# {other.name}: cells that differ, like ones joined."], other, cells)


def _page(lines: list[str], role: Role, cells: Mapping[Configuration, list[Line]]) -> str:
    blocks: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for configuration, joined in cells.items():
        body = tuple(f"  {_text(role, line):58} {line.outcome}" for line in joined)
        memory = role.remembered_text(configuration)
        blocks.setdefault((configuration.state.name, body), []).append(memory)
    for (state, body), memories in blocks.items():
        known = [memory for memory in memories if memory]
        everywhere = len(known) < len(memories)
        said = f" (also: {'; '.join(known)})" if known and everywhere else f" ({'; '.join(known)})" if known else ""
        lines += ["", f"{state}{said}", *body]
    return "\n".join(lines) + "\n"
