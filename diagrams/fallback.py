"""A state machine that nobody gave a layout, such as a learned one: Graphviz's `dot` chooses the places.

Moves into the sink would be most of the arrows; they are folded into a second line of their state.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import graphviz

from shakeproof.diagrams.machine_parts import NAME, elsewhere_text, node_name, spot_colour
from shakeproof.diagrams.palette import BG, CARD, INK, LATE, MUTED, RED, Colour
from shakeproof.diagrams.picture import Arrow, MachinePicture, Move, Spot, Way, arrows
from shakeproof.diagrams.text_width import clean, elide, text_width, wrap

Shade: TypeAlias = Callable[[Colour], str]

SUBTITLE_WIDTH = 520.0
LABEL = 260.0


def fallback_source(picture: MachinePicture, theme: str | None) -> str:
    """DOT text for `picture`, to be laid out by `dot`."""

    def shade(colour: Colour) -> str:
        return colour.value(theme or "light")

    graph = graphviz.Digraph(
        "machine",
        graph_attr={
            "rankdir": "TB",
            "splines": "spline",
            "nodesep": "0.6",
            "ranksep": "0.55",
            "bgcolor": shade(BG),
            "pad": "0.28",
            "fontname": "Arial",
            "labelloc": "t",
            "labeljust": "l",
            "label": _heading(picture, shade(INK), shade(MUTED)),
        },
        node_attr={"shape": "box", "style": "filled,rounded", "fontname": "Arial", "penwidth": "1.4", "margin": "0.15"},
        edge_attr={"fontname": "Arial", "arrowsize": "0.75"},
    )
    folded: dict[str, Counter[str]] = {}
    drawn: list[Move] = []
    for move in picture.moves:
        if move.target == picture.sink and move.source != picture.sink and _foldable(move):
            folded.setdefault(move.source, Counter())[move.action or "silence"] += 1
        else:
            drawn.append(move)
    usual = {key for move in drawn if move.way is Way.HAPPY for key in (move.source, move.target)}
    for spot in picture.spots:
        second = spot.second or _else(folded.get(spot.key, Counter()))
        graph.node(node_name(spot.key), **_node(picture, spot, second, spot.key in usual, shade))
    for arrow in arrows(drawn):
        _edge(graph, picture, arrow, shade)
    return str(graph.source)


def _foldable(move: Move) -> bool:
    """Whether nothing is known about the move that only its own arrow could show."""
    return move.count is None and move.difference is None and move.way is not Way.HAPPY


def _else(actions: Counter[str]) -> str:
    if not actions:
        return ""
    return (
        "else: "
        + ", ".join(f"{count} x {clean(action)}" for action, count in actions.most_common(2))
        + (", ..." if len(actions) > 2 else "")
    )


def _node(picture: MachinePicture, spot: Spot, second: str, usual: bool, shade: Shade) -> dict[str, str]:
    colour = shade(spot_colour(spot, picture.sink))
    label = f'<FONT POINT-SIZE="{NAME:g}" COLOR="{colour}"><B>{_safe(spot.title)}</B></FONT>'
    width = text_width(clean(spot.title), NAME, bold=True)
    if second:
        second = elide(clean(second), 8.5, LABEL)
        label += f'<BR/><FONT POINT-SIZE="8.5" COLOR="{shade(MUTED)}">{_safe(second)}</FONT>'
        width = max(width, text_width(second, 8.5))
    attributes = {
        "label": f"<{label}>",
        "color": colour,
        "fillcolor": shade(RED if spot.key == picture.sink else CARD),
        "width": f"{(width + 26) / 72:.4f}",
        "class": "state",
    }
    if usual:
        attributes["group"] = "happy"
    return attributes


def _edge(graph: graphviz.Digraph, picture: MachinePicture, arrow: Arrow, shade: Shade) -> None:
    happy = arrow.way is Way.HAPPY
    look = arrow.look
    line, pen = look.line, look.pen
    text = look.text
    spots = {spot.key: spot for spot in picture.spots}
    if any(spots[key].extra for key in (arrow.source, arrow.target) if key in spots) and not arrow.measured:
        line, text = LATE, LATE
    lines = []
    for words in arrow.label(LABEL).lines:
        shown = _safe(words.text)
        if words.bold:
            shown = f"<B>{shown}</B>"
        if words.struck:
            shown = f"<S>{_safe(words.struck)}</S> {shown}"
        if words.tag:
            shown += f" [{words.tag}]"
        colour = shade(text if words.bold else words.colour)
        lines.append(
            f'<TR><TD WIDTH="7"></TD><TD ALIGN="LEFT"><FONT POINT-SIZE="{words.size:g}" COLOR="{colour}">'
            f"{shown}</FONT></TD></TR>"
        )
    attributes = {
        "label": '<<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0">' + "".join(lines) + "</TABLE>>",
        "color": shade(line),
        "penwidth": f"{pen:g}",
        "class": arrow.css,
        "weight": "100" if happy else "1",
    }
    if look.style != "solid":
        attributes["style"] = look.style
    graph.edge(node_name(arrow.source), node_name(arrow.target), **attributes)


def _heading(picture: MachinePicture, ink: str, muted: str) -> str:
    rows = [f'<FONT POINT-SIZE="16" COLOR="{ink}"><B>{_safe(picture.title)}</B></FONT>']
    lines = [line for sentence in picture.subtitle for line in wrap(clean(sentence), 10, SUBTITLE_WIDTH)]
    lines += [clean(f"{move.source}: {elsewhere_text(move)}") for move in picture.elsewhere]
    rows += [f'<FONT POINT-SIZE="10" COLOR="{muted}">{_safe(line)}</FONT>' for line in lines if line]
    cells = "".join(f'<TR><TD ALIGN="LEFT">{row}</TD></TR>' for row in rows)
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="2" CELLSPACING="0">{cells}</TABLE>>'


def _safe(text: str) -> str:
    # An empty FONT is a syntax error to Graphviz.
    return html.escape(clean(text), quote=False) or " "
