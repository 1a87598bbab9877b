"""The page that shows all figures: one file, no script, works from file://."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """One figure of the page. name: as `shakeproof draw` takes it; files: what was written, beside the page."""

    name: str
    sentence: str
    files: tuple[str, ...]


_STYLE = """
:root{color-scheme:light dark;--ink:#17202a;--muted:#55606e;--back:#fff;--line:#d5dbe1;--link:#1f5596}
@media(prefers-color-scheme:dark){:root{--ink:#e7ecf1;--muted:#a5b0bc;--back:#10151b;--line:#33424f;--link:#8abaf4}}
body{font:16px/1.5 Arial,Helvetica,sans-serif;color:var(--ink);background:var(--back);margin:2rem auto;max-width:80rem;
padding:0 1rem}
nav ul{columns:18rem;padding-left:1.2rem}a{color:var(--link)}
section{border-top:1px solid var(--line);padding:1.5rem 0}h2{margin:0;font-size:1.25rem}
p{color:var(--muted);margin:.3rem 0}
img{max-width:100%;height:auto;margin-top:1rem}
@media print{section{break-inside:avoid}}
"""


def index_page(shown: Sequence[Shown], title: str = "shakeproof: figures") -> str:
    """The page."""
    links, sections = [], []
    for each in shown:
        name = html.escape(each.name)
        anchor = html.escape(each.name.replace(" ", "-"), quote=True)
        picture = next((file for file in each.files if file.endswith((".svg", ".png"))), "")
        files = " · ".join(
            f'<a href="{html.escape(file)}">{html.escape(file.rpartition(".")[2])}</a>' for file in each.files
        )
        image = (
            f'<img src="{html.escape(picture)}" alt="{html.escape(each.sentence)}" loading="lazy">' if picture else ""
        )
        links.append(f'<li><a href="#{anchor}">{name}</a></li>')
        sections.append(
            f'<section id="{anchor}"><h2>{name}</h2><p>{html.escape(each.sentence)}</p>'
            f"<p><code>shakeproof draw {name}</code> {files}</p>{image}</section>"
        )
    body = f"<h1>{html.escape(title)}</h1><nav><ul>{''.join(links)}</ul></nav><main>{''.join(sections)}</main>"
    policy = "default-src 'none'; img-src 'self' file: data:; style-src 'unsafe-inline'"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )
