"""`shakeproof explain`: what a rule means, offline, with the RFC's sentence."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from shakeproof.commands.running import running
from shakeproof.console import console
from shakeproof.exits import Exit

Words = Annotated[
    list[str],
    typer.Argument(metavar="CODE|CLAUSE", help="A check's id, a clause (RFC 5246 7.4.9, or 7.4.9), or a verdict."),
]


def explain(words: Words) -> None:
    """What a check, a clause or a verdict means."""
    running(_explain)(" ".join(words))


def _explain(text: str) -> int:
    from shakeproof.explain import explain as look_up

    out = console()
    for index, item in enumerate(look_up(text)):
        if index:
            out.print()
        out.print(Text(item.heading, style="bold"))
        for line in item.lines:
            out.print(f"  {line}")
    return Exit.OK
