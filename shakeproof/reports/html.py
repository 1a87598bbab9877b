"""The HTML report: one file that holds everything, for a browser without network, without scripts, and for paper.

Everything that a peer sent goes through the template's escaping. Were an escape missing after all, the page's own
policy names by hash the one style and the one script that may be there, and lets nothing be loaded.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from shakeproof.diagrams import palette
from shakeproof.properties.findings import Run
from shakeproof.reports.html_view import Page, audit_page
from shakeproof.reports.summary import Judgement
from shakeproof.reports.timeline import Timeline

TEMPLATES = Path(__file__).parent / "templates"
NAME = "index.html"


def audit_html(
    judgement: Judgement,
    *,
    version: str,
    pictures: Mapping[str, str] | None = None,
    files: Iterable[str] = (),
    timeline: Timeline | None = None,
) -> str:
    """The report of an audit. pictures: stem -> SVG text of what was drawn; files: what stands beside the page."""
    bars = timeline.bars() if timeline else ()
    return render(audit_page(judgement, version=version, pictures=pictures or {}, files=files, timeline=bars))


def page_alone(judgement: Judgement, *, version: str) -> str:
    """The report of an audit without a folder beside it: its pictures are drawn for it; without a renderer, as text."""
    return audit_html(judgement, version=version, pictures=pictures_of(judgement.run))


def pictures_of(run: Run) -> dict[str, str]:
    """Each finding's chart and each role's machine, as SVG text by stem; nothing where there is no renderer."""
    from shakeproof.diagrams.render import RendererMissingError
    from shakeproof.diagrams.sequence import draw_trace
    from shakeproof.figures import draw_role
    from shakeproof.model.roles import ROLES
    from shakeproof.reports.folder import machine_stem

    try:
        charts = {finding.id: draw_trace(finding.trace).render("svg").decode() for finding in run.findings}
        machines = {
            machine_stem(role): draw_role(role.role, coverage=role.exercised).render("svg").decode()
            for role in run.roles
            if role.role in ROLES and role.exercised
        }
    except RendererMissingError:
        return {}
    return {**charts, **machines}


def render(page: Page) -> str:
    """The page as one HTML file."""
    style, script = _style(), (TEMPLATES / "report.js").read_text(encoding="utf-8")
    template = _environment().get_template("report.html")
    return template.render(page=page, style=Markup(style), script=Markup(script), policy=policy(style, script))  # noqa: S704  # ours


def policy(style: str, script: str) -> str:
    """What the page allows itself: this style and this script, pictures that it holds, and nothing else."""
    return (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        f"base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, keep_trailing_newline=True,
    )  # fmt: skip


@cache
def _style() -> str:
    """The style with the colours of the pictures, and their dark ones for pictures on the page."""
    colours = {
        "bg": palette.BG, "card": palette.CARD, "ink": palette.INK, "muted": palette.MUTED, "line": palette.LINE,
        "ok": palette.OK, "bad": palette.BAD, "late": palette.LATE, "replay": palette.REPLAY, "link": palette.CLIENT,
        "red": palette.RED, "green": palette.GREEN, "grey": palette.GREY, "note": palette.NOTE,
        "note-edge": palette.NOTE_EDGE, "on-fill": palette.ON_FILL,
    }  # fmt: skip
    light = "".join(f"--{name}:{colour.light};" for name, colour in colours.items())
    dark = "".join(f"--{name}:{colour.dark};" for name, colour in colours.items())
    pictures = "".join(
        f'svg [{attribute}="{colour.light}"]{{{attribute}:{colour.dark}}}'
        for colour in palette.COLOURS
        for attribute in ("fill", "stroke")
    )
    text = (TEMPLATES / "report.css").read_text(encoding="utf-8")
    return f":root{{{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}{pictures}}}\n{text}"
