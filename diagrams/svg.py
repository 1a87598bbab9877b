"""The finishing of an SVG: one that works inside a page, for every reader, in light and dark.

Graphviz names what it draws after the nodes of the text, states its version, and places centred text by the fonts of
the machine that draws. Here names become titles in words, the version goes, and every text is anchored where the layout
meant it to be, so that the picture is right in any reader's font.
"""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence

from shakeproof.diagrams.canvas import Placed, number
from shakeproof.diagrams.palette import dark_style

_SVG = "http://www.w3.org/2000/svg"
_XLINK = "http://www.w3.org/1999/xlink"
_OWN_NAME = re.compile(r"(chart_|a_)?(graph|node|edge|clust|chart)\d*$")
_BASELINE = 0.31  # of the font size below the middle of the text: between the middle of x and of X
_SANS = "Arial, Helvetica, 'Liberation Sans', sans-serif"
_MONO = "'Courier New', 'Liberation Mono', monospace"
_DASHES = "6,4"  # the gaps that Graphviz leaves look closed under a thick line
_PX = 4 / 3  # CSS pixels in a point

ET.register_namespace("", _SVG)
ET.register_namespace("xlink", _XLINK)


def _tag(name: str) -> str:
    return f"{{{_SVG}}}{name}"


def finish(
    raw: str,
    identifier: str,
    title: str,
    sentences: Sequence[str],
    *,
    places: Mapping[str, Placed] | None = None,
    themed: bool = True,
) -> str:
    """`raw`, as Graphviz wrote it, with title, description, themes and fonts; without prolog, comments and node names.

    places: where texts stand, by node name; themed: add the dark theme for readers who prefer it.
    """
    root = ET.fromstring(raw)  # noqa: S314  # text that Graphviz has just written
    places = places or {}
    origin = _origin(root)
    for group in list(root.iter(_tag("g"))):
        _finish_group(group, places, origin, identifier)
    for shape in root.iter():
        if shape.get("stroke-dasharray") == "5,2":
            shape.set("stroke-dasharray", _DASHES)
    for text in root.iter(_tag("text")):
        mono = "Courier" in text.attrib.pop("font-family", "")
        if mono:
            text.set("font-family", _MONO)
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    root.set("id", identifier)
    root.set("role", "img")
    root.set("aria-labelledby", f"{identifier}_title {identifier}_desc")
    root.set("width", f"{number(width * _PX)}px")
    root.set("height", f"{number(height * _PX)}px")
    root.set("style", "max-width:100%;height:auto")
    root.set("font-family", _SANS)
    heading = ET.Element(_tag("title"), {"id": f"{identifier}_title"})
    heading.text = title
    description = ET.Element(_tag("desc"), {"id": f"{identifier}_desc"})
    description.text = "\n".join(f"{index}. {sentence}" for index, sentence in enumerate(sentences, 1))
    root[:0] = [heading, description]
    body = ET.tostring(root, encoding="unicode")
    if themed:
        at = body.index("<g ")
        style = html.escape(dark_style(f"#{identifier}", body), quote=False)
        body = f"{body[:at]}<style>{style}</style>{body[at:]}"
    return body + "\n"


def _origin(root: ET.Element) -> tuple[float, float]:
    """Where our (0, 0), the top left corner of the background, lies in Graphviz's coordinates."""
    for group in list(root.iter(_tag("g"))):
        if "cluster" in group.get("class", ""):
            polygon = next(group.iter(_tag("polygon")), None)
            if polygon is not None:
                pairs = [pair.split(",") for pair in polygon.attrib["points"].split()]
                return min(float(x) for x, _ in pairs), min(float(y) for _, y in pairs)
    return 0.0, 0.0


def _finish_group(
    group: ET.Element, places: Mapping[str, Placed], origin: tuple[float, float], identifier: str
) -> None:
    name = ""
    for child in list(group):
        if child.tag == _tag("title"):
            name = child.text or ""
            group.remove(child)
    given = group.get("id", "")
    if _OWN_NAME.match(given) or given.startswith("a_"):
        del group.attrib["id"]
    elif given:
        group.set("id", f"{identifier}_{given}")
    for inner in list(group):
        if inner.tag == _tag("g") and len(inner) == 1 and inner[0].tag == _tag("a"):
            _unwrap(group, inner, inner[0])
    if name in places:
        _anchor(group, places[name], origin)


def _unwrap(group: ET.Element, inner: ET.Element, anchor: ET.Element) -> None:
    """A tooltip becomes the group's title; a link stays a link, with the tooltip as its title."""
    tooltip = anchor.attrib.pop(f"{{{_XLINK}}}title", "")
    title = ET.Element(_tag("title"))
    title.text = tooltip
    at = list(group).index(inner)
    group.remove(inner)
    if f"{{{_XLINK}}}href" in anchor.attrib:
        anchor.set("rel", "noopener")
        if tooltip:
            anchor.insert(0, title)
        group.insert(at, anchor)
        return
    parts = list(anchor)
    group[at:at] = [title, *parts] if tooltip else parts


def _anchor(group: ET.Element, place: Placed, origin: tuple[float, float]) -> None:
    for text in group.iter(_tag("text")):
        text.set("text-anchor", place.anchor)
        text.set("x", f"{place.x + origin[0]:.2f}")
        text.set("y", f"{place.y + origin[1] + _BASELINE * place.size:.2f}")
