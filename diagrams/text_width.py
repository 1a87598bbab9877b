"""How wide a text is, computed the same on every machine.

Layout must not depend on the fonts of the machine that draws: the widths are those of Helvetica, which Arial and
Liberation Sans share. Source: Adobe Font Metrics of Helvetica and Helvetica-Bold, characters 32 to 126.
"""

from __future__ import annotations

import unicodedata

# fmt: off
_REGULAR = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556,
    1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556,
    333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556,
    556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)
_BOLD = (
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278,
    556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611,
    975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778,
    667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556,
    333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611,
    611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584,
)
# fmt: on
_OTHER = 600  # thousandths of an em for a character outside the table; most of those met are narrower
_WIDE = 1000  # East Asian wide characters fill their em


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Width of `text` in points, set in Arial of `size` points."""
    table = _BOLD if bold else _REGULAR
    return sum(table[ord(c) - 32] if " " <= c <= "~" else _other(c) for c in text) * size / 1000


def _other(character: str) -> int:
    return _WIDE if character == "…" or unicodedata.east_asian_width(character) in "WF" else _OTHER


def elide(text: str, size: float, width: float, *, bold: bool = False) -> str:
    """`text`, or its beginning and an ellipsis where it is wider than `width` points."""
    most = int(width / size * 1000 / min(_REGULAR)) + 1  # characters that can fit; a peer may send megabytes
    kept = text[:most]
    if kept == text and text_width(text, size, bold=bold) <= width:
        return text
    while kept and text_width(kept + "…", size, bold=bold) > width:
        kept = kept[:-1]
    return kept.rstrip() + "…"


def wrap(text: str, size: float, width: float, *, bold: bool = False) -> list[str]:
    """`text` in lines of at most `width` points, broken between words; a single wider word is elided."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and text_width(longer, size, bold=bold) > width:
            lines.append(line)
            longer = word
        line = longer
    if line:
        lines.append(line)
    return [elide(each, size, width, bold=bold) for each in lines]


TITLE_SIZE, TITLE_SIZE_WRAPPED = 16.0, 13.0
TITLE_PITCH = 18.0  # points from one line of a long title to the next
TITLE_LINES_MOST = 5


def title_lines(text: str, width: float) -> tuple[list[str], float]:
    """The lines of a picture's title, and their size: one that needs several lines is set smaller."""
    if text_width(text, TITLE_SIZE, bold=True) <= width:
        return [text], TITLE_SIZE
    most = int(TITLE_LINES_MOST * width / TITLE_SIZE_WRAPPED * 1000 / min(_BOLD)) + 1  # a file may hold megabytes
    lines = wrap(text[:most], TITLE_SIZE_WRAPPED, width, bold=True)
    if len(lines) > TITLE_LINES_MOST:
        rest = " ".join(lines[TITLE_LINES_MOST - 1 :])
        lines[TITLE_LINES_MOST - 1 :] = [elide(rest, TITLE_SIZE_WRAPPED, width, bold=True)]
    return lines, TITLE_SIZE_WRAPPED


def clean(text: str) -> str:
    """`text` without characters that a peer could use to disturb a picture or a terminal.

    Line breaks, tabs and all kinds of space become spaces; other control, format and surrogate characters U+FFFD.
    """
    if text.isascii() and text.isprintable():
        return text
    out = []
    for character in text:
        kind = unicodedata.category(character)
        if character in "\t\n\r" or kind in ("Zs", "Zl", "Zp"):
            out.append(" ")
        elif kind in ("Cc", "Cf", "Cs", "Co", "Cn"):
            out.append("\ufffd")
        else:
            out.append(character)
    return "".join(out)
