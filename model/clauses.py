"""Citations: document, section, quoted sentence; and the check of them against the RFC texts.

Quotes stand once, above a table, keyed by section (and a short word where a section has several). Rows cite the key.
The texts are not part of the repository: `texts(folder)` reads them where they are, and a test resolves every quote.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from pathlib import Path

from shakeproof.model.facts import ModelError

WITHOUT_TEXT: dict[int, str] = {
    5289: "GCM suites with ECDHE: only names suites; its text is not among the texts that the tests read",
    5480: "elliptic curve keys in certificates: its text is not among the texts that the tests read",
    5681: "TCP congestion control: its text is not among the texts that the tests read",
    5961: "blind in-window attacks on TCP: its text is not among the texts that the tests read",
    6191: "reducing TIME-WAIT by timestamps: its text is not among the texts that the tests read",
    6298: "TCP retransmission timer: its text is not among the texts that the tests read",
    7323: "TCP timestamps and window scale: its text is not among the texts that the tests read",
    7507: "fallback signalling: its text is not among the texts that the tests read",
    7919: "finite-field groups: its text is not among the texts that the tests read",
    9110: "HTTP semantics: its text is not among the texts that the tests read",
    9112: "HTTP/1.1: its text is not among the texts that the tests read",
    9525: "service identity: its text is not among the texts that the tests read (6125, which it replaced, is)",
}
"""Documents that are cited by section without a quote, with the reason."""

KEYWORDS = ("MUST", "SHALL", "REQUIRED", "SHOULD", "RECOMMENDED", "MAY", "OPTIONAL")


class Level(Enum):
    """How strongly a clause binds."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@dataclass(frozen=True)
class Clause:
    """One sentence of a standard.

    rfc: number; section: "7.4.9"; word: tells several quotes of one section apart; sentence: verbatim, "" for a
    document in WITHOUT_TEXT; binds: "receiver", "sender" or "both"; implied: why it obliges although the
    sentence has no keyword of RFC 2119.
    """

    rfc: int
    section: str
    word: str = ""
    sentence: str = ""
    binds: str = "receiver"
    implied: str = ""

    @property
    def key(self) -> str:
        """What a row of another RFC's table cites."""
        return f"RFC {self.rfc} {self.section}{' ' + self.word if self.word else ''}"

    @property
    def reference(self) -> str:
        """For people: "RFC 5246 section 7.4.9"."""
        return f"RFC {self.rfc} section {self.section}"

    @property
    def short(self) -> str:
        """For the right margin of a chart: "5246 §7.4.9"."""
        return f"{self.rfc} §{self.section}"

    @property
    def url(self) -> str:
        """Where the section can be read."""
        place = f"#appendix-{self.section}" if self.section[0].isalpha() else f"#section-{self.section}"
        return f"https://www.rfc-editor.org/rfc/rfc{self.rfc}.html{place}"

    def has_keyword(self) -> bool:
        """Whether the sentence has a keyword of RFC 2119."""
        return any(re.search(rf"\b{word}\b", self.sentence) for word in KEYWORDS)


@dataclass(frozen=True)
class Authority:
    """Level and citations of a row, as the row spells them; a bare section is of the role's own RFC.

    reading: the row holds under this reading only ("~x": only without x).
    """

    level: Level
    keys: tuple[str, ...]
    reading: str = ""


def must(*keys: str, reading: str = "") -> Authority:
    """The clauses oblige."""
    return Authority(Level.MUST, keys, reading)


def should(*keys: str, reading: str = "") -> Authority:
    """The clauses recommend."""
    return Authority(Level.SHOULD, keys, reading)


def may(*keys: str, reading: str = "") -> Authority:
    """The clauses permit."""
    return Authority(Level.MAY, keys, reading)


MUST, SHOULD, MAY = must, should, may


@dataclass
class Quotes:
    """The quotes of a table: those of its own RFC under a bare section, those of others under "RFC nnnn section".

    Add with `quote`; a section that stands in a document without text is added with `cite`.
    """

    rfc: int
    clauses: dict[str, Clause] = field(default_factory=dict)

    def quote(self, key: str, sentence: str, *, binds: str = "receiver", implied: str = "") -> None:
        """Add a sentence under "7.4.9", "7.4.9 verify" or "RFC 5077 3.3"."""
        clause = self._parse(key, " ".join(sentence.split()), binds, implied)
        if clause.rfc in WITHOUT_TEXT:
            raise ModelError(f"{key}: RFC {clause.rfc} is in WITHOUT_TEXT, so its quotes can't be checked: use cite()")
        if not clause.sentence:
            raise ModelError(f"{key}: an empty quote")
        if not clause.has_keyword() and not implied:
            raise ModelError(f"{key}: the sentence has no keyword of RFC 2119; say implied= and why it obliges")
        self._add(key, clause)

    def cite(self, key: str, *, why: str, binds: str = "receiver") -> None:
        """Add a section of a document whose text is not there."""
        clause = self._parse(key, "", binds, why)
        if clause.rfc not in WITHOUT_TEXT:
            raise ModelError(f"{key}: RFC {clause.rfc} has a text; quote its sentence")
        self._add(key, clause)

    def _parse(self, key: str, sentence: str, binds: str, implied: str) -> Clause:
        match = re.fullmatch(r"(?:RFC (\d+) )?([0-9A-Z][0-9.A-Za-z]*)(?: ([\w-]+))?", key)
        if not match:
            raise ModelError(f"{key!r} is not a citation; expected '7.4.9', '7.4.9 word' or 'RFC 5077 3.3'")
        if binds not in ("receiver", "sender", "both"):
            raise ModelError(f"{key}: binds must be receiver, sender or both, not {binds!r}")
        return Clause(int(match[1] or self.rfc), match[2], match[3] or "", sentence, binds, implied)

    def _add(self, key: str, clause: Clause) -> None:
        if key in self.clauses:
            raise ModelError(f"{key} is quoted twice; give one of them a word: '{key} word'")
        self.clauses[key] = clause

    def resolve(self, authority: Authority, row: str) -> tuple[Clause, ...]:
        """The clauses that a row cites. Raises ModelError that names the row."""
        if not authority.keys:
            raise ModelError(f"{row}: cites no clause")
        missing = [key for key in authority.keys if key not in self.clauses]
        if missing:
            near = ", ".join(sorted(self.clauses))
            raise ModelError(f"{row}: cites {missing}, which is not quoted above the table; quoted are {near}")
        return tuple(self.clauses[key] for key in authority.keys)


# ---------------------------------------------------------------------------------------------------- the RFC texts


def plain_text(raw: str) -> str:
    """An RFC's text with page breaks (footer, form feed, header) removed."""
    lines = raw.replace("\r", "").split("\n")
    kept: list[str] = []
    for index, line in enumerate(lines):
        if "\f" in line or re.search(r"\[Page \d+\]\s*$", line):
            while kept and not kept[-1].strip():
                kept.pop()
            kept.append("")
            continue
        if re.match(r"RFC \d+\s{3,}.*\b(19|20)\d\d$", line) and any(
            "\f" in before for before in lines[max(0, index - 2) : index]
        ):
            continue
        kept.append(line)
    return "\n".join(kept)


def sections(text: str) -> dict[str, str]:
    """Section number -> its own text, up to the next heading, white space folded."""
    heading = re.compile(r"^(?:Appendix )?((?:\d+|[A-Z])(?:\.\d+)*)\.?  ?\S.*$")
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    in_contents = False
    for line in text.split("\n"):
        if re.match(r"^(Table of Contents)", line):
            in_contents = True
        match = heading.match(line)
        is_contents_line = bool(re.search(r"(\. ?){3,}\s*\d+$|\.{3,}", line))
        if match and not is_contents_line and not (in_contents and line.startswith(" ")):
            in_contents = False
            current = found.setdefault(match[1], [])
        if current is not None:
            current.append(line)
    return {number: fold(" ".join(lines)) for number, lines in found.items()}


def fold(text: str) -> str:
    """White space folded, and words that a line break split at a hyphen joined, so that quotes compare."""
    return re.sub(r"(?<=\w)- (?=\w)", "-", " ".join(text.split()))


@cache
def texts(folder: Path) -> Mapping[int, Mapping[str, str]]:
    """RFC number -> section -> text, for each rfcNNNN.txt in the folder."""
    out: dict[int, Mapping[str, str]] = {}
    for path in sorted(folder.glob("rfc*.txt")):
        out[int(path.stem[3:])] = sections(plain_text(path.read_text(encoding="utf-8", errors="replace")))
    return out


def problem(clause: Clause, rfc_texts: Mapping[int, Mapping[str, str]]) -> str:
    """Why the clause does not resolve; "" when section and sentence are found word for word."""
    if clause.rfc in WITHOUT_TEXT:
        return ""
    if clause.rfc not in rfc_texts:
        return f"{clause.reference}: there is no text of RFC {clause.rfc}; add it to WITHOUT_TEXT with the reason"
    own = rfc_texts[clause.rfc]
    if clause.section not in own:
        return f"{clause.reference}: there is no such section"
    sentence = fold(clause.sentence)
    if sentence in own[clause.section]:
        return ""
    where = [number for number, text in own.items() if sentence in text]
    hint = f"; it stands in {', '.join(where)}" if where else ""
    return f"{clause.reference}: the section does not say {clause.sentence!r}{hint}"
