"""Which sections of the standards a run exercised: a heat map, one cell a section."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shakeproof.model.clauses import Clause
from shakeproof.model.notation import Row

SHADES = 4
"""Shades between nothing and everything; the numbers stand in each cell, so that colour is not needed."""


@dataclass(frozen=True)
class SectionCell:
    """A section. done, rows: how many of the rows that rest on it ran; shade: 0 none to SHADES all; broken: ids of
    findings; is_failure: whether one of them is.
    """

    section: str
    url: str
    rows: int
    done: int
    shade: int
    broken: tuple[str, ...]
    is_failure: bool
    sentence: str

    @property
    def said(self) -> str:
        """The cell in words."""
        text = f"section {self.section}: {self.done} of {self.rows} rows ran"
        return f"{text}; findings: {', '.join(self.broken)}" if self.broken else text


@dataclass(frozen=True)
class Document:
    """An RFC with the sections that a table cites."""

    rfc: int
    cells: tuple[SectionCell, ...]


@dataclass(frozen=True)
class Broken:
    """A clause that was broken, such as "RFC 5246 section 7.4.9". key: the id of what shows it."""

    clause: str
    key: str
    is_failure: bool


def heat(rows: Iterable[Row], exercised: Mapping[str, int], found: Iterable[Broken]) -> tuple[Document, ...]:
    """The map of a role's table. The document with most sections comes first."""
    cited: dict[int, dict[str, list[tuple[Row, Clause]]]] = {}
    for row in rows:
        for clause in {clause.section + str(clause.rfc): clause for clause in row.clauses}.values():
            cited.setdefault(clause.rfc, {}).setdefault(clause.section, []).append((row, clause))
    broken: dict[str, list[Broken]] = {}
    for one in found:
        broken.setdefault(one.clause, []).append(one)
    documents = []
    for rfc, sections in cited.items():
        cells = []
        for section, pairs in sorted(sections.items(), key=lambda item: _order(item[0])):
            done = sum(bool(exercised.get(row.id)) for row, _ in pairs)
            clause = pairs[0][1]
            own = broken.get(clause.reference, [])
            ids = tuple(dict.fromkeys(one.key for one in own))
            failed = any(one.is_failure for one in own)
            shade = 0 if not done else SHADES if done == len(pairs) else 1 + (SHADES - 1) * done // len(pairs)
            cells.append(
                SectionCell(section, clause.url, len(pairs), done, min(shade, SHADES), ids, failed, clause.sentence)
            )
        documents.append(Document(rfc, tuple(cells)))
    return tuple(sorted(documents, key=lambda document: (-len(document.cells), document.rfc)))


def _order(section: str) -> list[tuple[bool, int, str]]:
    """7.4.10 comes after 7.4.9, appendices after all sections."""
    return [(not part.isdigit(), int(part) if part.isdigit() else 0, part) for part in section.split(".")]
