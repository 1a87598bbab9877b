"""`shakeproof draw`: one picture, or all."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from shakeproof.commands.running import running
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose

if TYPE_CHECKING:
    from shakeproof.diagrams.figure import Figure
    from shakeproof.figures import Options

PCAPNG = "pcapng"
"""The one format that is no picture."""
SUFFIXES = "that ends in .svg, .png, .pdf, .gv, .dot, .mmd, .txt or .pcapng"
PICTURES = SUFFIXES.replace(", .txt or .pcapng", " or .txt")
FOREIGN = frozenset({"bmp", "eps", "gif", "jpeg", "jpg", "pcap", "ps", "tif", "tiff", "webp"})
"""Suffixes of files that we don't write: what ends in one is hardly meant to be a folder."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="`shakeproof list figures` has them; or all.")]
Arguments = Annotated[
    list[str] | None,
    typer.Argument(metavar="ARG", help="machine ROLE, diff A B, trace FILE, certificate-validation DEFECT."),
]
Format = Annotated[
    str,
    typer.Option(
        "-f",
        "--format",
        metavar="FORMAT",
        help="svg (the default), png, pdf, dot, mermaid, or txt (on the terminal); several with commas. pcapng: the "
        "run itself, for Wireshark, with its keys and a comment on each packet.",
    ),
]
Out = Annotated[
    str,
    typer.Option(
        "-o",
        "--out",
        metavar="WHERE",
        help=f"A folder, which is made; or a file, where it is one {SUFFIXES}, in a folder that there is; - writes to "
        "standard output.",
    ),
]
KeyExchange = Annotated[str, typer.Option(metavar="NAME", help="rsa, dhe or ecdhe, for figures with a handshake.")]
ClientAuth = Annotated[bool, typer.Option("--client-auth", help="The server asks the client for a certificate.")]
Resume = Annotated[bool, typer.Option("--resume", help="A second connection, which resumes the session of a first.")]
Coverage = Annotated[
    str,
    typer.Option(metavar="RUN", help="machine: colour what a run executed; its report folder, or the run.json in it."),
]
Theme = Annotated[str, typer.Option(metavar="NAME", help="auto (an SVG that follows the reader's), light or dark.")]


def draw(
    name: Name,
    arguments: Arguments = None,
    format: Format = "",
    out: Out = "",
    key_exchange: KeyExchange = "rsa",
    client_auth: ClientAuth = False,
    resume: Resume = False,
    coverage: Coverage = "",
    theme: Theme = "auto",
) -> None:
    """A picture, of an executed run or of a table."""
    running(_draw)(name, arguments or [], format, out, key_exchange, client_auth, resume, coverage, theme)


def _draw(
    name: str, arguments: list[str], format: str, out: str, key_exchange: str, client_auth: bool, resume: bool,
    coverage: str, theme: str,
) -> int:  # fmt: skip
    from shakeproof import figures
    from shakeproof.diagrams.figure import FORMATS

    _check_place(out)
    file = _file(out)
    formats = [choose("format", one.strip(), (*FORMATS, PCAPNG)) for one in format.split(",")] if format else []
    if len(formats) > 1 and (file or out == "-"):
        raise UsageError(f"{format}: several formats are several files; name a folder with -o")
    if file and formats and formats != [format_of(file)]:
        raise UsageError(f"-o {out} is a file of another format than -f {format}; leave one of them out")
    formats = formats or [format_of(file) if file else "svg"]
    choose("theme", theme, ("auto", "light", "dark"))
    wanted = choose("key exchange", key_exchange, figures.KEY_EXCHANGES)
    options = figures.Options(
        next(one for one in figures.KEY_EXCHANGES if one == wanted), None if theme == "auto" else theme,
        client_auth, resume, coverage,
    )  # fmt: skip
    if name == "all":
        if out == "-" or file:
            raise UsageError("draw all writes several files; name a folder with -o")
        _all(options, formats, out)
        return Exit.OK
    figures.chosen(name, [*figures.FIGURES, "all"])
    _check_options(name, options)
    files, notes = _write(figures, name, tuple(arguments), options, formats, out)
    if formats == ["mermaid"] and notes and not files:
        raise UsageError(f"{notes[0]}; draw it as svg, png, dot or txt")
    _say(notes)
    return Exit.OK


def _file(out: str) -> Path | None:
    """The file that is meant, None for a folder or standard output."""
    path = Path(out)
    return path if out != "-" and not _is_folder(out) and format_of(path) else None


def _is_folder(out: str) -> bool:
    """Whether it can only be a folder, whatever its name ends in."""
    return out.endswith(("/", os.sep)) or Path(out).is_dir()


def _check_place(out: str) -> None:
    """Raise UsageError where `out` names a file that can't be written. A folder is made; one that a file should go to
    is not: then the path is mistyped.
    """
    file = _file(out)
    if file is not None and not file.parent.is_dir():
        raise UsageError(f"-o {out}: there is no folder {file.parent}; make it, or name a file in one that there is")
    suffix = Path(out).suffix.lstrip(".").lower()
    if suffix in FOREIGN and not _is_folder(out):
        raise UsageError(f"-o {out}: {suffix} is no format that is written; name a file {SUFFIXES}, or a folder")


def format_of(path: Path) -> str:
    """The format that a picture's suffix says; "" where it is none."""
    from shakeproof.diagrams.figure import FORMATS, SUFFIXES

    suffix = path.suffix.lstrip(".").lower()
    known = next((format for format, ending in SUFFIXES.items() if ending == suffix), suffix)
    return known if known in (*FORMATS, PCAPNG) else ""


def picture_file(option: str, out: str) -> Path:
    """The file of a picture that another command writes. Raises UsageError where it cannot be one."""
    from shakeproof.diagrams.figure import FORMATS

    path = Path(out)
    if _is_folder(out) or format_of(path) not in FORMATS:
        raise UsageError(f"{option} {out}: expected a file {PICTURES}")
    if not path.parent.is_dir():
        raise UsageError(
            f"{option} {out}: there is no folder {path.parent}; make it, or name a file in one that there is"
        )
    return path


def save_picture(figure: Figure, path: Path) -> None:
    """Write it there, and say so. Raises UsageError."""
    try:
        saved = figure.save(path)
    except OSError as error:
        raise UsageError(f"{path}: can't be written ({error.strerror}); name another file") from error
    console(stderr=True).print(f"{visible(str(saved.path))}{f'  ({saved.renderer})' if saved.renderer else ''}")
    _say([saved.note])


def _say(notes: list[str]) -> None:
    for note in dict.fromkeys(note for note in notes if note):
        console(stderr=True).print(f"note: {note}")


def _check_options(name: str, options: Options) -> None:
    """An option that a figure does not read would be silently ignored: UsageError."""
    from shakeproof import figures

    asked = {
        "key_exchange": options.key_exchange != "rsa", "client_auth": options.client_auth, "resume": options.resume,
        "coverage": bool(options.coverage),
    }  # fmt: skip
    for option, given in asked.items():
        if given and option not in figures.FIGURES[name].reads:
            readers = [other for other, drawing in figures.FIGURES.items() if option in drawing.reads]
            raise UsageError(f"draw {name}: --{option.replace('_', '-')} is for {', '.join(readers)}")


def _all(options: Options, formats: list[str], out: str) -> None:
    """Every figure, and a page that shows them where they were written as pictures."""
    from shakeproof import figures
    from shakeproof.gallery import Shown, index_page

    notes: list[str] = []
    shown: list[Shown] = []
    for name, arguments in figures.everything():
        mine = [one for one in formats if one != PCAPNG or name in figures.captures()]
        drawing = figures.FIGURES[name]
        kept = {key: getattr(options, key) for key in drawing.reads if key != "coverage"}
        files, said = _write(figures, name, arguments, figures.Options(theme=options.theme, **kept), mine, out)
        notes += said
        shown.append(Shown(" ".join([name, *arguments]), drawing.sentence, tuple(files)))
    path = Path(out or ".") / "index.html"
    if any(file.endswith((".svg", ".png")) for each in shown for file in each.files):
        try:
            path.write_text(index_page(shown), encoding="utf-8")
        except OSError as error:
            raise _unwritable(out, error) from error
        console().print(visible(str(path)))
    _say(notes)


def _stem(name: str, arguments: tuple[str, ...], options: Options) -> str:
    parts = [name, *(Path(argument).name.removesuffix(".json") for argument in arguments)]
    if options.key_exchange != "rsa":
        parts.append(options.key_exchange)
    parts += ["client-auth"] * options.client_auth + ["resume"] * options.resume
    parts += ["coverage"] if options.coverage else []
    return "-".join(re.sub(r"[^\w.-]+", "-", part) for part in parts)


def _write(
    figures: ModuleType, name: str, arguments: tuple[str, ...], options: Options, formats: list[str], out: str
) -> tuple[list[str], list[str]]:
    """The names of the files that were written, and what there is to note."""
    from shakeproof.diagrams.figure import SUFFIXES
    from shakeproof.diagrams.render import RendererMissingError

    stem = _stem(name, arguments, options)
    files: list[str] = []
    notes: list[str] = []
    figure: Figure | None = None
    for format in formats:
        if format == PCAPNG:
            _capture(_captured(figures, name, arguments, options), out, stem)
            continue
        figure = figure or figures.draw(name, arguments, options)
        if format == "mermaid" and not figure.mermaid:
            notes.append(f"{stem}: Mermaid has no such picture")
            continue
        if out == "-" or (format == "txt" and not out):
            try:
                data = figure.render(format)
            except RendererMissingError as missing:
                raise UsageError(f"{missing}. Or draw with -f dot, -f mermaid or -f txt, which need none") from missing
            sys.stdout.flush()
            sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
            continue
        try:
            saved = figure.save(_file(out) or Path(out or ".") / f"{stem}.{SUFFIXES.get(format, format)}")
        except OSError as error:
            raise _unwritable(out, error) from error
        console().print(f"{visible(str(saved.path))}{f'  ({saved.renderer})' if saved.renderer else ''}")
        files.append(saved.path.name)
        notes.append(saved.note)
    return files, notes


def _captured(figures: ModuleType, name: str, arguments: tuple[str, ...], options: Options) -> bytes:
    """The run behind the figure, with the numbers of the picture, where that leaves steps of the run out."""
    from shakeproof.reports.pcapng import capture
    from shakeproof.scenes import hostile_trace, https_trace

    if name not in ("full", "hostile"):
        whole: bytes = figures.captured(name, arguments, options)
        return whole
    picture = hostile_trace() if name == "hostile" else https_trace(options.key_exchange, options.setup)
    return capture(figures.FIGURES[name].trace(arguments, options), picture)


def _capture(data: bytes, out: str, stem: str) -> None:
    """Write a capture; to standard output as it is, for `wireshark -k -i -`."""
    if out == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        return
    path = _file(out) or Path(out or ".") / f"{stem}.{PCAPNG}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise _unwritable(out, error) from error
    console().print(visible(str(path)))


def _unwritable(out: str, error: OSError) -> UsageError:
    return UsageError(f"{out or '.'}: can't be written to ({error.strerror}); name another with -o")
