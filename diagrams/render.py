"""Finding a Graphviz and running it.

`dot` on PATH, else the `graphviz-pure` program of the wheel with that name; where there is neither,
`RendererMissingError` says how to get one.
"""

from __future__ import annotations

import shutil
import signal
import sys
import sysconfig
import threading
from dataclasses import dataclass
from pathlib import Path

import graphviz
from graphviz.backend import dot_command

HOW = 'install Graphviz (https://graphviz.org/download) or `pip install "shakeproof[dot]"`'
HOW_SYSTEM = "install Graphviz (https://graphviz.org/download)"
PURE_FORMATS = ("svg", "png")

_swap = threading.Lock()  # the graphviz package keeps the program's name in a module variable


class RendererMissingError(RuntimeError):
    """No installed program can write the format. The text says which one to install."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """A program that speaks dot's command line."""

    program: str
    pure: bool


def find_renderer() -> Renderer | None:
    """The program that will draw, or None."""
    system = shutil.which("dot")
    if system:
        return Renderer(system, pure=False)
    return find_pure()


def find_pure() -> Renderer | None:
    """The program of the graphviz-pure wheel, on PATH or beside this Python, or None."""
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    for folder in [None, *folders]:
        pure = shutil.which("graphviz-pure", path=folder)
        if pure:
            return Renderer(pure, pure=True)
    return None


def description() -> str:
    """The renderer for people: "dot", "graphviz-pure", or "none"."""
    renderer = find_renderer()
    return "none" if renderer is None else "graphviz-pure" if renderer.pure else "dot"


def run(source: str, format: str, *, pinned: bool) -> bytes:
    """`source` drawn as `format`. pinned: take every place as given; else lay out with `dot`.

    Raises RendererMissingError; RuntimeError with Graphviz's own words where it refuses the text.
    """
    renderer = find_renderer()
    if renderer is None:
        raise RendererMissingError(f"no Graphviz found to draw {format}: {HOW}")
    if renderer.pure and format not in PURE_FORMATS:
        raise RendererMissingError(f"graphviz-pure writes no {format}: {HOW_SYSTEM}")
    text = graphviz.Source(source, engine="neato" if pinned else "dot")
    with _swap:
        before = dot_command.DOT_BINARY
        dot_command.DOT_BINARY = renderer.program

        def draw() -> bytes:
            return bytes(text.pipe(format=format, neato_no_op=2 if pinned else None, quiet=True))

        try:
            return draw()
        except graphviz.CalledProcessError as error:
            if error.returncode == -signal.SIGINT:
                return draw()  # a terminal sends Ctrl-C to all that runs in it; whether that ends us, we know ourselves
            said = error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else str(error.stderr)
            raise RuntimeError(f"{renderer.program} refused the picture: {said.strip()}") from error
        finally:
            dot_command.DOT_BINARY = before
