"""A state machine as a picture: the choice among the layouts, and the same picture in words."""

from __future__ import annotations

from shakeproof.diagrams.canvas import Canvas, Drawing
from shakeproof.diagrams.fallback import fallback_source
from shakeproof.diagrams.figure import Figure
from shakeproof.diagrams.grid import draw_grid
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.mermaid import machine_mermaid
from shakeproof.diagrams.picture import MachinePicture, describe
from shakeproof.diagrams.spine import draw_spine
from shakeproof.diagrams.text_width import clean

__all__ = ["draw_machine", "machine_text", "picture_of", "sentences"]


def draw_machine(picture: MachinePicture, *, theme: str | None = None) -> Figure:
    """The picture of a state machine. theme: None (one SVG for both), "light" or "dark"."""
    drawing: Drawing | None = None
    if any(spot.column is not None or spot.place for spot in picture.spots):
        drawing = draw_grid(picture, Canvas(theme))
    elif picture.path:
        drawing = draw_spine(picture, Canvas(theme))
    return Figure(
        title=clean(picture.title),
        dot_source=drawing.source if drawing else fallback_source(picture, theme),
        plain=machine_text(picture),
        sentences=tuple(sentences(picture)),
        theme=theme,
        pinned=drawing is not None,
        places=drawing.texts if drawing else {},
        mermaid=machine_mermaid(picture),
    )


def sentences(picture: MachinePicture) -> list[str]:
    """The picture in words."""
    titles = {spot.key: spot.title for spot in picture.spots}
    lines = [*picture.subtitle]
    for move in picture.all_moves:
        source, target = titles.get(move.source, move.source), titles.get(move.target, move.target)
        lines.append(f"{source}: {describe(move)}; then {target}.")
    return [clean(line) for line in lines]


def machine_text(picture: MachinePicture) -> str:
    """The picture as a table of transitions, for terminals."""
    titles = {spot.key: spot.title for spot in picture.spots}
    measured = any(move.count is not None for move in picture.all_moves)
    compared = any(move.difference is not None for move in picture.all_moves)
    head = ["state", "on", "does", "next"] + ["executed"] * measured + ["compared"] * compared
    rows = []
    for move in picture.all_moves:
        does = f"{move.action}, instead of {move.replaced}" if move.replaced else move.action
        cells = [titles.get(move.source, move.source), move.trigger, does, titles.get(move.target, move.target)]
        if measured:
            cells.append("" if move.count is None else str(move.count))
        if compared:
            cells.append("" if move.difference is None else move.difference.value + ", never ran" * move.unrun)
        rows.append([clean(cell) for cell in cells])
    order = {spot.title: index for index, spot in enumerate(picture.spots)}
    rows.sort(key=lambda cells: order.get(cells[0], len(order)))
    widths = [min(max(len(row[index]) for row in [head, *rows]), 48) for index in range(len(head))]
    lines = [clean(picture.title), *(clean(line) for line in picture.subtitle), ""]
    before = ""
    for number, row in enumerate([head, ["─" * width for width in widths], *rows]):
        cells = list(row)
        if number > 1 and cells[0] == before:
            cells[0] = ""
        before = row[0]
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
    return "\n".join(lines) + "\n"
