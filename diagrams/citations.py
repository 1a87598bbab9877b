"""Citations as pictures show them: short, with a link to the text."""

from __future__ import annotations

import re

from shakeproof.diagrams.text_width import clean

_CITED = re.compile(r"(?:RFC\s*)?(\d{3,5})\b[\s,]*(?:§|section|sec\.)?\s*([0-9A-Z]+(?:\.[0-9]+)*)?", re.IGNORECASE)


def citation(clause: str) -> tuple[str, str]:
    """`clause` in short form, and the address of its text ("" where it does not name an RFC).

    "RFC 5246 section 7.4.9" gives ("5246 §7.4.9", "https://www.rfc-editor.org/rfc/rfc5246#section-7.4.9").
    """
    found = _CITED.match(clause.strip())
    if not found:
        return clean(clause), ""
    document, section = found.group(1), found.group(2) or ""
    address = f"https://www.rfc-editor.org/rfc/rfc{document}"
    if not section:
        return f"RFC {document}", address
    kind = "appendix" if section[0].isalpha() else "section"
    return f"{document} §{section}", f"{address}#{kind}-{section}"
