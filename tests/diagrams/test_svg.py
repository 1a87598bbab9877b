"""The finished SVG, drawn by every Graphviz at hand."""

from __future__ import annotations

import re
import shutil
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest

from shakeproof.diagrams import Figure, draw_machine, draw_trace, render
from shakeproof.diagrams.palette import COLOURS, INK
from tests.diagrams.sample_machines import compared, connection, handshake, learned, measured
from tests.diagrams.sample_traces import full, hostile, mitm

SVG = "{http://www.w3.org/2000/svg}"
FIGURES: dict[str, Callable[[], Figure]] = {
    **{f.__name__: (lambda f=f: draw_trace(f())) for f in (full, hostile, mitm)},  # type: ignore[misc]
    **{f.__name__: (lambda f=f: draw_machine(f())) for f in (handshake, compared, measured, connection, learned)},  # type: ignore[misc]
}


def installed() -> list[render.Renderer]:
    found = []
    system = shutil.which("dot")
    if system:
        found.append(render.Renderer(system, pure=False))
    pure = render.find_pure()
    if pure:
        found.append(pure)
    return found


@pytest.fixture(params=[False, True], ids=["dot", "graphviz-pure"])
def renderer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> render.Renderer:
    found = next((each for each in installed() if each.pure is request.param), None)
    if found is None:
        pytest.skip("this Graphviz is not installed")
    monkeypatch.setattr(render, "find_renderer", lambda: found)
    return found


@pytest.fixture(params=FIGURES)
def figure(request: pytest.FixtureRequest) -> Figure:
    return FIGURES[request.param]()


def test_svg_is_well_formed_and_needs_nothing_from_outside(renderer: render.Renderer, figure: Figure) -> None:
    text = figure.render("svg").decode()
    root = ET.fromstring(text)
    assert root.tag == f"{SVG}svg"
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert tags <= {"svg", "g", "a", "title", "desc", "style", "path", "polygon", "polyline", "ellipse", "text"}
    links = [value for element in root.iter() for name, value in element.attrib.items() if name.endswith("href")]
    assert all(link.startswith("https://www.rfc-editor.org/rfc/rfc") for link in links)
    assert "url(" not in text
    assert "@import" not in text
    assert "graphviz" not in text.lower()
    assert "<!--" not in text


def test_svg_tells_screen_readers_everything(renderer: render.Renderer, figure: Figure) -> None:
    root = ET.fromstring(figure.render("svg"))
    assert root.get("role") == "img"
    by_id = {element.get("id"): element for element in root.iter() if element.get("id")}
    title, description = (by_id[name] for name in root.attrib["aria-labelledby"].split())
    assert title.text == figure.title
    for sentence in figure.sentences:
        assert sentence in (description.text or "")


def test_ids_are_unique_on_a_page_of_several_pictures(renderer: render.Renderer) -> None:
    ids: list[str] = []
    for make in FIGURES.values():
        ids += re.findall(r'\bid="([^"]*)"', make().render("svg").decode())
    assert len(ids) == len(set(ids))


def test_every_colour_has_a_dark_value(renderer: render.Renderer, figure: Figure) -> None:
    text = figure.render("svg").decode()
    style = text[text.index("<style>") : text.index("</style>")]
    body = text[text.index("</style>") :]
    used = set(re.findall(r'(fill|stroke)="(#[0-9a-f]{6})"', body))
    assert ("fill", INK.light) in used
    assert {value for _, value in used} <= {colour.light for colour in COLOURS}
    for attribute, value in used:
        assert f'[{attribute}="{value}"]{{{attribute}:' in style


def test_no_text_escapes_the_themes(renderer: render.Renderer, figure: Figure) -> None:
    root = ET.fromstring(figure.render("svg"))
    texts = list(root.iter(f"{SVG}text"))
    assert texts
    assert all(text.get("fill", "").startswith("#") for text in texts)


def test_placed_text_is_anchored_where_the_layout_meant_it(renderer: render.Renderer) -> None:
    figure = FIGURES["full"]()
    root = ET.fromstring(figure.render("svg"))
    anchors = {text.text: text.get("text-anchor") for text in root.iter(f"{SVG}text")}
    assert anchors["ClientHello"] == "middle"
    assert anchors["HTTPS: the full interaction"] == "start"
    assert anchors["9293 §3.5"] == "end"


def test_theme_forces_one_set_of_colours(renderer: render.Renderer) -> None:
    text = draw_trace(full(), theme="dark").render("svg").decode()
    assert "prefers-color-scheme" not in text
    assert INK.dark in text
    assert INK.light not in text


def test_steps_can_be_shown_one_by_one(renderer: render.Renderer) -> None:
    root = ET.fromstring(FIGURES["full"]().render("svg"))
    shapes = [element for element in root.iter() if "step_10" in element.get("class", "").split()]
    drawn = {child.tag.removeprefix(SVG) for shape in shapes for child in shape.iter()}
    assert {"path", "polygon", "ellipse", "text"} <= drawn


def test_png_is_one(renderer: render.Renderer) -> None:
    assert FIGURES["handshake"]().render("png").startswith(b"\x89PNG")


def test_pdf_is_one_or_says_what_to_install(renderer: render.Renderer, tmp_path: Path) -> None:
    saved = FIGURES["hostile"]().save(tmp_path / "x.pdf")
    if renderer.pure:
        assert saved.path.suffix == ".gv"
        assert "graphviz-pure writes no pdf: install Graphviz" in saved.note
    else:
        assert saved.path.read_bytes().startswith(b"%PDF")


def test_notebook_gets_the_svg(renderer: render.Renderer) -> None:
    figure = FIGURES["hostile"]()
    assert (figure._repr_svg_() or "").encode() == figure.render("svg")


def test_refused_text_is_an_error_with_the_words_of_graphviz(renderer: render.Renderer) -> None:
    with pytest.raises(RuntimeError, match="refused the picture"):
        render.run("digraph {", "svg", pinned=True)


def test_without_a_renderer_the_text_is_written_with_advice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(render, "find_renderer", lambda: None)
    figure = FIGURES["hostile"]()
    saved = figure.save(tmp_path / "deep" / "x.svg")
    assert saved.path == tmp_path / "deep" / "x.gv"
    assert saved.path.read_text() == figure.dot_source
    assert "no Graphviz found" in saved.note
    assert 'pip install "shakeproof[dot]"' in saved.note
    assert figure._repr_svg_() is None
    with pytest.raises(render.RendererMissingError, match="no Graphviz found to draw svg"):
        figure.render("svg")


def test_dot_and_text_need_no_renderer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(render, "find_renderer", lambda: None)
    figure = FIGURES["handshake"]()
    assert figure.save(tmp_path / "x.dot").note == ""
    assert figure.save(tmp_path / "x.txt").path.read_text() == figure.text()


def test_unknown_format_names_the_known_ones() -> None:
    with pytest.raises(ValueError, match="choose one of svg, png, pdf, dot, txt"):
        FIGURES["full"]().render("bmp")
