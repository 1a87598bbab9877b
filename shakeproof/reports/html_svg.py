"""Pictures made fit for a page that holds many: small, without ids and styles of their own, and with nothing that runs.

A picture that stands alone carries its themes and its text; on a page the themes are the page's, and the text stands
beside the picture. What is taken over is listed element by element, so that nothing else can come in.
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from markupsafe import Markup

_SVG = "{http://www.w3.org/2000/svg}"
_KEPT = frozenset(
    {"svg", "g", "path", "polygon", "polyline", "ellipse", "circle", "rect", "line", "text", "tspan", "title", "a"}
)
"""Elements of a picture that come onto the page. No style and no script: the page's policy forbids both."""
_ATTRIBUTES = frozenset(
    {
        "d", "points", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "rx", "ry", "width", "height", "fill",
        "stroke", "stroke-width", "stroke-dasharray", "text-anchor", "text-decoration", "font-family", "font-size",
        "font-weight", "font-style", "class", "viewBox",
    }
)  # fmt: skip
CHART_LABEL = "Sequence chart. The table after it has every step in words."
TITLE_MOST = 300
"""Characters of a text on hovering; the whole stands in the table of steps."""

_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_TRANSFORM = re.compile(r"translate\(\s*(-?[\d.]+)[ ,]+(-?[\d.]+)\s*\)")
_STEP = re.compile(r"(?:^| )(step_\d+)(?: |$)")
_HEAD_ROOM = 6.0
"""Points above and below the heads of lanes, so that they don't touch what is scrolled under them."""
_SHEET = 1.2
"""Height over width of the part of a chart that a sheet of paper takes, A4 or letter, below the heads of its lanes."""
_SHEET_SHRUNK = 1.5
"""The same of a whole chart that is made a little smaller, to fit: it is not cut."""
_LINE_ABOVE, _LINE_BELOW = 11.0, 4.0
"""Points that a line of text reaches from its base line."""
_STRAIGHT = 0.06
"""Points that a curve may leave its chord and still be drawn as a line."""


@dataclass(frozen=True)
class Chart:
    """A sequence chart in two parts of the same width, so that the heads of its lanes can stay in sight.

    heads: None where there are none to be found, and all is in `body`; width: in CSS pixels; parts: of a chart that is
    longer than a sheet of paper, windows on it from top to bottom.
    """

    heads: Markup | None
    body: Markup
    width: int
    parts: tuple[Markup, ...] = ()


@dataclass(frozen=True)
class Mark:
    """What is wrong with a row. css: "broken", or "differs" where it does not matter as much; text: on hovering."""

    css: str
    text: str


@dataclass(frozen=True)
class MachineSvg:
    """A state machine. edges: row code in lower case -> the class of the arrow that shows it; width: CSS pixels."""

    svg: Markup
    edges: Mapping[str, str]
    width: int


def chart_svg(text: str, key: str = "") -> Chart:
    """The chart in an SVG file that `diagrams` wrote. key: names it on its page; without one it has no parts."""
    root, left, top, width, height = _open(text)
    groups = list(_groups(root))
    heads = [group for group in groups if "lane" in _classes(group)]
    first = min((box.top for group in heads for box in [_box(group)] if box), default=None)
    if first is None:
        body = _svg(_merged(groups), (left, top, width, height), "chart", CHART_LABEL)
        return Chart(None, body, round(width * 4 / 3))
    tops = [group for group in heads if (box := _box(group)) and box.top < first + 1]
    bottom = max(box.bottom for group in tops if (box := _box(group)))
    in_heads = [group for group in heads if _middle(group) < bottom]
    rest = [
        group
        for group in groups
        if group not in in_heads and not (_box(group) is None and _middle(group) < bottom) and not _is_ground(group)
    ]
    cut = bottom + _HEAD_ROOM
    end = top + height
    cuts = _cuts(rest, cut, end, width * _SHEET) if key and end - cut > width * _SHEET_SHRUNK else [cut, end]
    name = f"chart-{key}" if len(cuts) > 2 else ""
    parts = tuple(_part(name, (left, upper, width, lower - upper)) for upper, lower in pairwise(cuts) if name)
    return Chart(
        _svg(_merged(in_heads), (left, first - _HEAD_ROOM, width, cut - first + _HEAD_ROOM), "heads"),
        _svg(_merged(rest), (left, cut, width, top + height - cut), "chart", CHART_LABEL, name),
        round(width * 4 / 3),
        parts,
    )


def _cuts(groups: Sequence[ET.Element], start: float, end: float, most: float) -> list[float]:
    """Where a chart is cut for paper: as seldom as can be, between its rows."""
    taken: list[tuple[float, float]] = []
    for group in groups:
        if _STEP.search(" ".join(_classes(group))) or "band" in _classes(group):
            ys = [float(text.attrib["y"]) for text in group.iter("text") if "y" in text.attrib]
            taken += [(y - _LINE_ABOVE, y + _LINE_BELOW) for y in ys]
            box = _box(group)
            if box is not None and _STEP.search(" ".join(_classes(group))):
                taken.append((box.top - 2, box.bottom + 2))
    taken.sort()
    free: list[float] = []
    reach = start
    for top, bottom in taken:
        if top > reach:
            free.append((top + reach) / 2)
        reach = max(reach, bottom)
    cuts = [start]
    while end - cuts[-1] > most:
        # Of equal height: no sheet for the last rows alone.
        aim = cuts[-1] + (end - cuts[-1]) / math.ceil((end - cuts[-1]) / most)
        fitting = [y for y in free if cuts[-1] + most / 2 < y <= cuts[-1] + most]
        cuts.append(min(fitting, key=lambda y: abs(y - aim)) if fitting else cuts[-1] + most)
    return [*cuts, end]


def machine_svg(text: str, broken: Mapping[str, Mark], states: Mapping[str, Mark], label: str) -> MachineSvg:
    """The state machine in an SVG file that `diagrams` wrote.

    broken: row code in lower case -> what broke it, for the arrow's title; states: the same for the states of rows that
    are not drawn; label: for those who don't see it.
    """
    root, left, top, width, height = _open(text)
    groups = [group for group in _groups(root) if not _is_ground(group)]
    edges: dict[str, str] = {}
    names: dict[tuple[str, ...], str] = {}
    for group in groups:
        classes = _classes(group)
        if "move" not in classes:
            continue
        codes = tuple(name for name in classes if "-" in name)
        name = names.setdefault(codes, f"e{len(names)}")
        edges.update((code, name) for code in codes)
        marks = list(dict.fromkeys(broken[code] for code in codes if code in broken))
        css = [min(marks, key=lambda mark: mark.css != "broken").css] if marks else []
        kept = [part for part in classes if part not in codes and part not in ("edge", "node")]
        group.set("class", " ".join([*kept, name, *css]))
        for title in group.iter("title"):
            title.text = ". ".join([*(mark.text for mark in marks), title.text or ""])
    merged = _merged(groups)
    for group in merged:
        if "state" in _classes(group):
            label = next((item.text or "" for item in group.iter("text")), "")
            group.set("data-state", label)
            if label in states:
                group.set("class", f"{group.get('class', '')} {states[label].css}")
    return MachineSvg(_svg(merged, (left, top, width, height), "machine", label), edges, round(width * 4 / 3))


# ------------------------------------------------------------------------------------------------------------- reading


def _open(text: str) -> tuple[ET.Element, float, float, float, float]:
    """The picture's content in its own coordinates, and its view box in them."""
    root = ET.fromstring(text)  # noqa: S314  # a file that we have just written
    _, _, width, height = (float(part) for part in root.attrib["viewBox"].split())
    outer = next((child for child in root if child.tag == f"{_SVG}g"), root)
    moved = _TRANSFORM.search(outer.get("transform", ""))
    left, top = (-float(moved[1]), -float(moved[2])) if moved else (0.0, 0.0)
    return outer, left, top, width, height


def _groups(outer: ET.Element) -> Iterator[ET.Element]:
    """Every group of the picture, cleaned, in the order in which it is painted."""
    for child in outer:
        if child.tag == f"{_SVG}g":
            clean = _clean(child)
            if clean is not None and len(clean):
                yield clean
        elif child.tag.removeprefix(_SVG) not in ("title", "desc", "style"):
            clean = _clean(child)
            if clean is not None:
                group = ET.Element("g", {"class": "ground"})
                group.append(clean)
                yield group


def _clean(element: ET.Element) -> ET.Element | None:
    """The element with what is known to be harmless, in fewer characters; None where it is none of ours."""
    tag = element.tag.removeprefix(_SVG) if isinstance(element.tag, str) else ""
    if tag not in _KEPT:
        return None
    attributes = {name: _short(name, value) for name, value in element.attrib.items() if name in _ATTRIBUTES}
    if tag == "a":  # what it leads to, the table of steps links to; an image has nothing in it to be focused
        tag, attributes = "g", {}
    if tag == "text" and attributes.get("text-anchor") == "start":
        del attributes["text-anchor"]
    if "Courier" in attributes.pop("font-family", ""):
        attributes["class"] = "mono"
    if attributes.get("stroke-width") == "0":
        del attributes["stroke-width"]
        attributes.pop("stroke", None)
    if attributes.get("stroke") in ("transparent", "none"):
        del attributes["stroke"]
    if tag == "path":
        tag, attributes = _path(attributes)
    new = ET.Element(tag, attributes)
    text = element.text if tag in ("text", "tspan", "title") else None
    new.text = text if text is None or len(text) <= TITLE_MOST or tag != "title" else f"{text[: TITLE_MOST - 1]}…"
    for child in element:
        clean = _clean(child)
        if clean is None:
            continue
        clean.tail = child.tail if tag in ("text", "tspan") else None
        if clean.tag == "g" and not clean.attrib and clean.tail is None:
            new.extend(list(clean))
        else:
            new.append(clean)
    return new


def _short(name: str, value: str) -> str:
    if name in ("class", "fill", "stroke", "font-family", "text-anchor", "font-weight", "font-style"):
        return value
    return _NUMBER.sub(lambda found: _number(float(found[0])), value)


def _number(value: float) -> str:
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _path(attributes: dict[str, str]) -> tuple[str, dict[str, str]]:
    """A curve as what it is: a rounded box, lines, or itself."""
    shape = attributes.get("d", "")
    numbers = [float(found) for found in _NUMBER.findall(shape)]
    points = list(zip(numbers[::2], numbers[1::2], strict=False))
    if not shape.startswith("M") or shape.count("M") != 1 or set(re.sub(r"[-\d., \n]", "", shape)) - set("MC"):
        return "path", attributes
    if len(points) == 25 and points[0] == points[-1] and attributes.get("fill", "none") != "none":
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        radius = points[0][0] - left if points[0][1] in (top, bottom) else points[0][1] - top
        rest = {name: value for name, value in attributes.items() if name != "d"}
        size = {"x": left, "y": top, "width": right - left, "height": bottom - top, "rx": min(abs(radius), 8.0)}
        return "rect", {**{name: _number(value) for name, value in size.items()}, **rest}
    parts = [f"M{_number(points[0][0])},{_number(points[0][1])}"]
    for start in range(0, len(points) - 3, 3):
        one, two, three, four = points[start : start + 4]
        if _is_straight(one, two, three, four):
            parts.append(f"L{_number(four[0])},{_number(four[1])}")
        else:
            parts.append("C" + " ".join(f"{_number(x)},{_number(y)}" for x, y in (two, three, four)))
    return "path", {**attributes, "d": "".join(parts)}


def _is_straight(*points: tuple[float, float]) -> bool:
    (x1, y1), *between, (x2, y2) = points
    length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
    if not length:
        return all(point == points[0] for point in between)
    return all(abs((x2 - x1) * (y - y1) - (y2 - y1) * (x - x1)) / length < _STRAIGHT for x, y in between)


# ------------------------------------------------------------------------------------------------------------ grouping


@dataclass(frozen=True)
class _Box:
    top: float
    bottom: float


def _classes(group: ET.Element) -> list[str]:
    return group.get("class", "").split()


def _is_ground(group: ET.Element) -> bool:
    """Whether it is the background, which the page has already."""
    return _classes(group) in (["ground"], ["cluster"])


def _box(group: ET.Element) -> _Box | None:
    """The extent of the first box of the group."""
    for item in group:
        if item.tag == "rect":
            top = float(item.attrib["y"])
            return _Box(top, top + float(item.attrib["height"]))
        if item.tag in ("path", "polygon", "polyline"):
            numbers = [float(found) for found in _NUMBER.findall(item.get("d") or item.get("points") or "")]
            if len(numbers) > 1:
                return _Box(min(numbers[1::2]), max(numbers[1::2]))
        if item.tag in ("ellipse", "circle"):
            middle = float(item.attrib["cy"])
            return _Box(middle, middle)
    return None


def _middle(group: ET.Element) -> float:
    """Where it stands from the top."""
    box = _box(group)
    if box is not None:
        return (box.top + box.bottom) / 2
    return min((float(text.attrib["y"]) for text in group.iter("text") if "y" in text.attrib), default=float("inf"))


def _merged(groups: Iterable[ET.Element]) -> list[ET.Element]:
    """Neighbours of the same class in one group; what hovering says, once for each step or arrow."""
    merged: list[ET.Element] = []
    told: set[str] = set()
    for group in groups:
        classes = [name for name in _classes(group) if name not in ("edge", "node", "cluster")]
        joined = " ".join(classes)
        step = _STEP.search(joined)
        key = step[1] if step else next((name for name in classes if re.fullmatch(r"e\d+", name)), "")
        titles = [item for item in group if item.tag == "title"]
        for title in titles:
            if not title.text or (key and key in told):
                group.remove(title)
            told.add(key)
        last = merged[-1] if merged else None
        mixes = any(item.tag == "title" for item in group) or (
            "state" in classes and any(i.tag == "rect" for i in group)
        )
        if last is not None and last.get("class", "") == joined and not mixes:
            last.extend(list(group))
            continue
        new = ET.Element("g", {"class": joined} if joined else {})
        new.extend(list(group))
        merged.append(new)
    return merged


def _part(name: str, view: tuple[float, float, float, float]) -> Markup:
    """A window on the chart of that name."""
    root = ET.Element("svg", {"class": "part", "viewBox": " ".join(map(_number, view)), "aria-hidden": "true"})
    ET.SubElement(root, "use", {"href": f"#{name}"})
    return Markup(ET.tostring(root, encoding="unicode"))  # noqa: S704  # serialised: escaped


def _svg(
    groups: Iterable[ET.Element], view: tuple[float, float, float, float], css: str, label: str = "", name: str = ""
) -> Markup:
    """A picture. name: of all that is in it, for windows on it."""
    said = {"role": "img", "aria-label": label} if label else {"aria-hidden": "true"}
    root = ET.Element("svg", {"class": css, "viewBox": " ".join(map(_number, view)), **said})
    (ET.SubElement(root, "g", {"id": name}) if name else root).extend(groups)
    return Markup(ET.tostring(root, encoding="unicode", short_empty_elements=True))  # noqa: S704  # serialised: escaped
