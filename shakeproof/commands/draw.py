"""`shakeproof draw`: one picture, or all."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from shakeproof.commands.running import running
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose

Name = Annotated[str, typer.Argument(metavar="NAME", help="`shakeproof list figures` has them; or all.")]
Arguments = Annotated[list[str] | None, typer.Argument(metavar="ARG", help="machine ROLE, trace FILE.")]
Format = Annotated[
    str, typer.Option("-f", "--format", metavar="FORMAT", help="svg, png, pdf, dot, or txt (on the terminal).")
]
Out = Annotated[str, typer.Option("-o", "--out", metavar="DIR", help="Folder; - writes to standard output.")]
KeyExchange = Annotated[str, typer.Option(metavar="NAME", help="rsa or ecdhe, for figures with a handshake.")]
Theme = Annotated[str, typer.Option(metavar="NAME", help="auto (an SVG that follows the reader's), light or dark.")]


def draw(
    name: Name,
    arguments: Arguments = None,
    format: Format = "svg",
    out: Out = "",
    key_exchange: KeyExchange = "rsa",
    theme: Theme = "auto",
) -> None:
    """A picture, of an executed run or of a table."""
    running(_draw)(name, arguments or [], format, out, key_exchange, theme)


def _draw(name: str, arguments: list[str], format: str, out: str, key_exchange: str, theme: str) -> int:
    from shakeproof import figures
    from shakeproof.diagrams.figure import FORMATS

    choose("format", format, FORMATS)
    choose("theme", theme, ("auto", "light", "dark"))
    wanted = choose("key exchange", key_exchange, figures.KEY_EXCHANGES)
    options = figures.Options("ecdhe" if wanted == "ecdhe" else "rsa", None if theme == "auto" else theme)
    if name == "all":
        if out == "-":
            raise UsageError("draw all writes several files; name a folder with -o")
        todo = figures.everything()
    else:
        choose("figure", name, [*figures.FIGURES, "all"])
        todo = [(name, tuple(arguments))]
    notes = [_one(which, given, options, format, out) for which, given in todo]
    for note in dict.fromkeys(note for note in notes if note):
        console(stderr=True).print(f"note: {note}")
    return Exit.OK


def _one(name: str, arguments: tuple[str, ...], options: object, format: str, out: str) -> str:
    from shakeproof import figures
    from shakeproof.diagrams.render import RendererMissingError

    assert isinstance(options, figures.Options)
    figure = figures.draw(name, arguments, options)
    if out == "-" or (format == "txt" and not out):
        try:
            data = figure.render(format)
        except RendererMissingError as missing:
            raise UsageError(f"{missing}. Or draw with -f dot or -f txt, which need none") from missing
        sys.stdout.flush()
        sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
        return ""
    stem = "-".join([name, *(Path(argument).stem if name == "trace" else argument for argument in arguments)])
    if options.key_exchange != "rsa" and name not in ("machine", "trace", "tcp-handshake"):
        stem += f"-{options.key_exchange}"
    try:
        saved = figure.save(Path(out or ".") / f"{stem}.{'gv' if format == 'dot' else format}")
    except OSError as error:
        raise UsageError(f"{out or '.'}: can't be written to ({error.strerror}); name another with -o") from error
    console().print(f"{visible(str(saved.path))}{f'  ({saved.renderer})' if saved.renderer else ''}")
    return saved.note
