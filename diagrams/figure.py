"""A finished picture: DOT text, its text form, and how to get bytes of either."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from shakeproof.diagrams import render, svg
from shakeproof.diagrams.canvas import Placed

FORMATS = ("svg", "png", "pdf", "dot", "txt", "mermaid")
_ALIASES = {"gv": "dot", "text": "txt", "mmd": "mermaid"}
SUFFIXES = {"dot": "gv", "mermaid": "mmd"}
"""Formats whose files end otherwise."""
PNG_DPI = 144  # twice the size of a point: sharp on the screens that people have


@dataclass(frozen=True, slots=True)
class Saved:
    """What `Figure.save` wrote. note: what is missing and how to get it, "" where the wanted format was written."""

    path: Path
    format: str
    renderer: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture. Shows itself in a notebook; `render` gives bytes, `save` writes a file, `text` is for terminals.

    dot_source: what Graphviz draws; sentences: the same in words, for screen readers; pinned: every place is given,
    so that Graphviz only renders; theme: None (light, and dark where the reader prefers it), "light" or "dark";
    mermaid: as Mermaid text, "" where Mermaid has no such picture.
    """

    title: str
    dot_source: str
    plain: str
    sentences: tuple[str, ...] = ()
    theme: str | None = None
    pinned: bool = True
    places: Mapping[str, Placed] = field(default_factory=dict)
    mermaid: str = ""

    @property
    def identifier(self) -> str:
        """Name of the picture among others on one page; the same picture has the same name everywhere."""
        slug = re.sub(r"[^a-z0-9]+", "_", self.title.lower()).strip("_") or "figure"
        return f"{slug[:40]}_{hashlib.sha256(self.dot_source.encode()).hexdigest()[:6]}"

    def text(self) -> str:
        """The picture as plain text, for terminals."""
        return self.plain

    def render(self, format: str = "svg") -> bytes:
        """The picture in one of `FORMATS`.

        Raises ValueError for another format, RendererMissingError where no Graphviz that can write it is installed.
        """
        wanted = _ALIASES.get(format, format)
        if wanted == "dot":
            return self.dot_source.encode()
        if wanted == "txt":
            return self.plain.encode()
        if wanted == "mermaid":
            if not self.mermaid:
                raise ValueError(f"{self.title}: Mermaid has no picture of this kind; draw it as svg, png, dot or txt")
            return self.mermaid.encode()
        if wanted not in FORMATS:
            raise ValueError(f"cannot draw as {format!r}: choose one of {', '.join(FORMATS)}")
        if wanted == "svg":
            raw = render.run(self.dot_source, "svg", pinned=self.pinned).decode()
            finished = svg.finish(
                raw, self.identifier, self.title, self.sentences, places=self.places, themed=self.theme is None
            )
            return finished.encode()
        source = self.dot_source
        if wanted == "png":
            source = source.replace("{", f"{{\n\tdpi={PNG_DPI}", 1)
        return render.run(source, wanted, pinned=self.pinned)

    def save(self, path: Path | str) -> Saved:
        """Write the picture in the format of the suffix of `path`, making its folder.

        Without a Graphviz that can write it, the DOT text goes beside it as `.gv` and `note` says how to get one.
        Raises OSError, or ValueError for an unknown suffix.
        """
        path = Path(path)
        wanted = path.suffix.lstrip(".").lower() or "svg"
        wanted = _ALIASES.get(wanted, wanted)
        note = ""
        try:
            data = self.render(wanted)
        except render.RendererMissingError as missing:
            note = str(missing)
            wanted, path = "dot", path.with_suffix(".gv")
            data = self.render(wanted)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        renderer = "" if wanted in ("dot", "txt", "mermaid") else render.description()
        return Saved(path, wanted, renderer, note)

    def _repr_svg_(self) -> str | None:
        try:
            return self.render("svg").decode()
        except render.RendererMissingError:
            return None  # a notebook then shows the text form

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        """For notebooks: the picture, and always its text, which is all there is without a renderer."""
        bundle = {"text/plain": self.plain}
        drawn = self._repr_svg_()
        if drawn is not None:
            bundle["image/svg+xml"] = drawn
        return bundle

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        write = getattr(printer, "text", None)
        if write is not None:
            write(self.plain)

    def __str__(self) -> str:
        return self.plain
