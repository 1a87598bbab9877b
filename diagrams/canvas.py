"""Shapes at fixed places, written as DOT text that Graphviz draws exactly as given.

The layout is ours, Graphviz only renders (`neato -n2`): a cluster with an explicit `bb` is drawn as given where one
invisible point lies inside, an edge with an explicit `pos` is drawn as given, and `outputorder=edgesfirst` puts
clusters below edges below nodes. So whatever a line must cross (a band, a tunnel, a card) is a cluster, and whatever
must cover a line (a lane head, a tag) is a node. Units: points, y downwards; DOT counts y upwards.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

import graphviz

from shakeproof.diagrams.palette import BG, Colour
from shakeproof.diagrams.text_width import clean, text_width

Point = tuple[float, float]

CORNER = 14.0  # radius of a rounded corner of a route
_CONTROL = 0.55  # how far along the way to the corner the control points of its curve lie
_ARROW = 10.0  # Graphviz draws an arrow head this long at arrowsize 1
_OVERLAP = 0.5  # the line reaches this far into its head, or a gap shows
_TAIL = {"dot": 0.8, "odot": 0.8, "diamond": 1.2, "normal": 1.0}  # length of a tail shape, relative to _ARROW
_SINK = 0.04  # of the font size; Graphviz sets the line of a label a little above its middle
_SINK_MARKED = 1.0  # points; it sets bold text that much higher
_SLACK, _SLACK_SHARE = 10.0, 0.04  # room in a one-cell table for fonts that run wider than Arial: points, of the width


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a text stands: x of its anchor ("start", "middle", "end"), y of its middle, font size."""

    x: float
    y: float
    anchor: str
    size: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """DOT text of a finished canvas, its size in points, and where its texts stand by node name."""

    source: str
    width: float
    height: float
    texts: dict[str, Placed]


def number(value: float) -> str:
    """A coordinate with one decimal, never "-0.0"."""
    rounded = f"{value:.1f}"
    return "0.0" if rounded == "-0.0" else rounded


def rounded_route(points: Sequence[Point], radius: float = CORNER) -> list[Point]:
    """Control points of cubic curves along the legs of `points`, each corner rounded; 3n + 1 of them."""
    out = [points[0]]

    def leg(end: Point) -> None:
        x0, y0 = out[-1]
        out.append((x0 + (end[0] - x0) / 3, y0 + (end[1] - y0) / 3))
        out.append((x0 + (end[0] - x0) * 2 / 3, y0 + (end[1] - y0) * 2 / 3))
        out.append(end)

    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        near = min(radius, _distance(before, corner) / 2, _distance(corner, after) / 2)
        start, end = _towards(corner, before, near), _towards(corner, after, near)
        leg(start)
        out.append(_between(start, corner, _CONTROL))
        out.append(_between(end, corner, _CONTROL))
        out.append(end)
    leg(points[-1])
    return out


def _distance(one: Point, other: Point) -> float:
    return float(((one[0] - other[0]) ** 2 + (one[1] - other[1]) ** 2) ** 0.5)


def _between(one: Point, other: Point, share: float) -> Point:
    return one[0] + (other[0] - one[0]) * share, one[1] + (other[1] - one[1]) * share


def _towards(one: Point, other: Point, length: float) -> Point:
    distance = _distance(one, other)
    return _between(one, other, length / distance) if distance else one


@dataclass(frozen=True, slots=True)
class _Cluster:
    box: tuple[float, float, float, float]
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Node:
    name: str
    x: float
    y: float
    attributes: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Edge:
    tail: str
    head: str
    curve: list[Point]
    start: Point | None
    end: Point | None
    attributes: dict[str, str]


@dataclass(slots=True)
class Canvas:
    """Collects shapes; `finish` gives the DOT text. theme: "dark" draws dark values, anything else light ones."""

    theme: str | None = None
    _clusters: list[_Cluster] = field(default_factory=list)
    _nodes: list[_Node] = field(default_factory=list)
    _edges: list[_Edge] = field(default_factory=list)
    _texts: dict[str, Placed] = field(default_factory=dict)

    def colour(self, colour: Colour) -> str:
        return colour.value(self.theme or "light")

    def panel(
        self,
        x: float, y: float, width: float, height: float,
        fill: Colour, edge: Colour | None = None,
        *, pen: float = 0.0, rounded: bool = True, dashed: bool = False, css: str = "",
    ) -> None:  # fmt: skip
        """A rectangle below all lines; x, y are its top left corner."""
        style = "filled" + (",rounded" if rounded else "") + (",dashed" if dashed else "")
        attributes = {
            "style": style,
            "fillcolor": self.colour(fill),
            "color": self.colour(edge or fill),
            "penwidth": f"{pen:g}",
        }
        self._clusters.append(_Cluster((x, y, width, height), attributes | _class(css)))

    def box(
        self,
        x: float, y: float, width: float, height: float,
        fill: Colour | None, edge: Colour | None = None,
        *, pen: float = 0.0, rounded: bool = False, shape: str = "box",
        css: str = "", name: str = "", tooltip: str = "",
    ) -> str:  # fmt: skip
        """A shape above all lines; x, y are its top left corner. Gives its node name."""
        drawn = edge or fill
        assert drawn is not None, "a box has a fill or an edge"
        style = ",".join(part for part, wanted in (("filled", fill is not None), ("rounded", rounded)) if wanted)
        attributes = {
            "shape": shape,
            "style": style or "solid",
            "color": self.colour(drawn),
            "penwidth": f"{pen:g}",
            "width": f"{width / 72:.4f}",
            "height": f"{height / 72:.4f}",
        }
        if fill is not None:
            attributes["fillcolor"] = self.colour(fill)
        return self._node(name, x + width / 2, y + height / 2, attributes, css, tooltip)

    def text(
        self,
        x: float, y: float, text: str, size: float, colour: Colour,
        *, bold: bool = False, italic: bool = False, struck: bool = False, mono: bool = False, anchor: str = "middle",
        css: str = "", tooltip: str = "", url: str = "",
    ) -> None:  # fmt: skip
        """One line of text above all lines; x is where its `anchor` stands, y its middle. Empty text draws nothing."""
        text = clean(text).strip()
        if not text:
            return
        marked = bold or italic or struck
        centre, sink = x, _SINK * size + (_SINK_MARKED if marked else 0.0)
        attributes = {"fontsize": f"{size:g}", "fontcolor": self.colour(colour)}
        if marked:
            # Graphviz 2.42 takes a lone closing bracket for the end of a section.
            label = "&#93;" if text == "]" else html.escape(text, quote=False)
            for tag, wanted in (("B", bold), ("I", italic), ("S", struck)):
                if wanted:
                    label = f"<{tag}>{label}</{tag}>"
        else:
            label = _escaped(text)
        if anchor != "middle":
            own = text_width(text, size, bold=bold)
            width = int(own + max(_SLACK, _SLACK_SHARE * own))
            if marked:
                side = "LEFT" if anchor == "start" else "RIGHT"
                label = (
                    '<TABLE BORDER="0" CELLBORDER="0" CELLPADDING="0" CELLSPACING="0"><TR>'
                    f'<TD WIDTH="{width}" ALIGN="{side}">{label}</TD></TR></TABLE>'
                )
            else:
                label += "\\l" if anchor == "start" else "\\r"
                attributes["width"] = f"{width / 72:.4f}"
            centre = x + width / 2 if anchor == "start" else x - width / 2
        attributes["label"] = f"<{label}>" if marked else graphviz.nohtml(label)
        if mono:
            attributes["fontname"] = "Courier New"
        if url:
            attributes["URL"] = graphviz.nohtml(url)
            attributes["target"] = "_top"
        name = self._node("", centre, y + sink, attributes, css, tooltip or (text if url else ""))
        self._texts[name] = Placed(x, y, anchor, size)

    def line(
        self,
        points: Sequence[Point], colour: Colour, pen: float,
        *, style: str = "solid", head: str = "", tail: str = "", size: float = 0.8, radius: float = CORNER,
        css: str = "", name: str = "", tooltip: str = "", ends: tuple[str, str] = ("under", "under"),
    ) -> None:  # fmt: skip
        """A line along `points`, corners rounded. ends: the nodes that it joins in the DOT text.

        head, tail: arrow shapes of Graphviz, whose tips stand on the last and first point.
        """
        route = list(points)
        start: Point | None = None
        end: Point | None = None
        if tail:
            start = route[0]
            route[0] = _towards(start, route[1], _TAIL[tail] * _ARROW * size - _OVERLAP)
        if head:
            end = route[-1]
            route[-1] = _towards(end, route[-2], _TAIL[head] * _ARROW * size - _OVERLAP)
        direction = {(False, False): "none", (True, False): "forward", (False, True): "back", (True, True): "both"}
        attributes = {
            "color": self.colour(colour),
            "penwidth": f"{pen:g}",
            "dir": direction[bool(head), bool(tail)],
        }
        if head or tail:
            attributes["arrowsize"] = f"{size:g}"
        if head and head != "normal":
            attributes["arrowhead"] = head
        if tail:
            attributes["arrowtail"] = tail
        if style != "solid":
            attributes["style"] = style
        if name:
            attributes["id"] = name
        attributes |= _class(css) | _tooltip(tooltip)
        self._edges.append(_Edge(*ends, rounded_route(route, radius), start, end, attributes))

    def tick(self, x: float, y: float, colour: Colour, *, css: str = "", scale: float = 1.0) -> None:
        """A tick around (x, y): no font in reach has one."""
        shape = ((-3.4, 0.2), (-1.0, 2.8), (3.6, -3.0))
        points = [(x + dx * scale, y + dy * scale) for dx, dy in shape]
        self.line(points[:2], colour, 1.9, css=css)
        self.line(points[1:], colour, 1.9, css=css)

    def cross(self, x: float, y: float, colour: Colour, *, css: str = "", reach: float = 3.0, pen: float = 1.9) -> None:
        """A cross around (x, y)."""
        self.line([(x - reach, y - reach), (x + reach, y + reach)], colour, pen, css=css)
        self.line([(x - reach, y + reach), (x + reach, y - reach)], colour, pen, css=css)

    def padlock(self, x: float, y: float, colour: Colour, *, css: str = "") -> None:
        """A closed padlock, 8 wide, around (x, y)."""
        self.box(x - 2.7, y - 5.6, 5.4, 5.4, None, colour, pen=1.3, shape="circle", css=css)
        self.box(x - 4, y - 2.4, 8, 6.2, colour, rounded=True, css=css)

    def _node(self, name: str, x: float, y: float, attributes: dict[str, str], css: str, tooltip: str) -> str:
        name = name or f"n{len(self._nodes)}"
        self._nodes.append(_Node(name, x, y, attributes | _class(css) | _tooltip(tooltip)))
        return name

    def anchor(self, name: str, x: float, y: float) -> None:
        """An invisible node that lines can name as their end."""
        self._nodes.append(_Node(name, x, y, {"style": "invis"}))

    def finish(self, width: float, height: float, name: str) -> Drawing:
        """The drawing, on a background of `width` times `height` points."""
        graph = graphviz.Digraph(
            name,
            engine="neato",
            graph_attr={
                "bgcolor": self.colour(BG),
                "pad": "0",
                "margin": "0",
                "outputorder": "edgesfirst",
                "splines": "true",
                "fontname": "Arial",
            },
            node_attr={
                "shape": "none",
                "fontname": "Arial",
                "fixedsize": "shape",
                "margin": "0",
                "width": "0.0100",
                "height": "0.0100",
                "label": "",
            },
            edge_attr={"fontname": "Arial"},
        )
        background = _Cluster(
            (0.0, 0.0, width, height),
            {"style": "filled", "fillcolor": self.colour(BG), "color": self.colour(BG), "penwidth": "0"},
        )
        for index, cluster in enumerate([background, *self._clusters]):
            x, y, w, h = cluster.box
            sub = graphviz.Digraph(f"cluster_{index}")
            bottom, top = height - y - h, height - y
            sub.attr(bb=f"{number(x)},{number(bottom)},{number(x + w)},{number(top)}", **cluster.attributes)
            # Its first point ties what lies below all other lines; every cluster needs a point inside to be drawn.
            point = "under" if index == 0 else f"c{index}"
            sub.node(point, pos=f"{number(x + w / 2)},{number(height - y - h / 2)}!", style="invis")
            graph.subgraph(sub)
        for node in self._nodes:
            graph.node(node.name, pos=f"{number(node.x)},{number(height - node.y)}!", **node.attributes)
        for edge in self._edges:
            place = [f"s,{_pair(edge.start, height)}"] if edge.start else []
            place += [f"e,{_pair(edge.end, height)}"] if edge.end else []
            place += [_pair(point, height) for point in edge.curve]
            graph.edge(edge.tail, edge.head, pos=" ".join(place), **edge.attributes)
        return Drawing(graph.source, width, height, dict(self._texts))


def _pair(point: Point, height: float) -> str:
    return f"{number(point[0])},{number(height - point[1])}"


def _class(css: str) -> dict[str, str]:
    return {"class": css} if css else {}


def _escaped(text: str) -> str:
    """`text` so that Graphviz shows it as it is: neither \\N and its like nor entities are replaced."""
    return text.replace("\\", "\\\\").replace("&", "&amp;")


def _tooltip(text: str) -> dict[str, str]:
    return {"tooltip": graphviz.nohtml(_escaped(clean(text)))} if text else {}
