"""What is written to a terminal: two consoles, and text from peers made harmless."""

from __future__ import annotations

import sys
import unicodedata
from typing import TextIO

from rich.console import Console

WIDTH_ELSEWHERE = 120
"""Columns where the output is no terminal: rich would take 80, and break lines of a log."""


def visible(text: str) -> str:
    """`text` without characters that steer a terminal: control characters, and those that turn the direction.

    Line breaks become spaces; anything else that is taken out leaves its escape, so that it can be seen.
    """
    return "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    if char in "\n\r\t":
        return " "
    if unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
        return char.encode("unicode_escape", "replace").decode("ascii", "replace")
    return char


class _Console(Console):
    """A console that leaves it to the command how to end where its reader went away: rich would exit with 1."""

    def on_broken_pipe(self) -> None:
        """Called while the error is handled; raises it again."""
        raise


def console(file: TextIO | None = None, *, stderr: bool = False) -> Console:
    """A console that never reads markup in what it prints. NO_COLOR is heeded."""
    stream = file or (sys.stderr if stderr else sys.stdout)
    width = None if stream.isatty() else WIDTH_ELSEWHERE
    return _Console(file=stream, markup=False, highlight=False, emoji=False, soft_wrap=True, width=width)
