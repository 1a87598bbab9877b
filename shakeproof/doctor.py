"""What is installed, what is missing, and what it costs to be without it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

from shakeproof import __version__

REQUIRED = ("hypothesis", "cryptography", "transitions", "graphviz", "numpy", "h11", "typer", "rich", "jinja2")


@dataclass(frozen=True)
class Item:
    """One thing that was looked for. found: version or place, "" where it is missing; cost: what is lost without it."""

    name: str
    found: str
    cost: str = ""
    how: str = ""
    required: bool = False

    @property
    def is_there(self) -> bool:
        """Whether it was found."""
        return bool(self.found)


def version_of(package: str) -> str:
    """The installed version; "" where there is none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def facts() -> dict[str, str]:
    """What a report says about the machine."""
    return {
        "shakeproof": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "openssl": ssl.OPENSSL_VERSION,
        "cryptography": version_of("cryptography"),
        "hypothesis": version_of("hypothesis"),
    }


def examine() -> list[Item]:
    """Everything that shakeproof uses or could use."""
    from shakeproof.diagrams.render import HOW, HOW_SYSTEM, find_renderer

    items = [
        Item("shakeproof", __version__, required=True),
        Item("Python", platform.python_version(), required=True),
        Item("OpenSSL in this Python", ssl.OPENSSL_VERSION, "nothing to audit as `openssl`"),
    ]
    items += [
        Item(name, version_of(name), "shakeproof does not work", f"pip install {name}", required=True)
        for name in REQUIRED
    ]
    renderer = find_renderer()
    drawn = "pictures are written as .gv text, not drawn"
    items.append(Item("Graphviz, to draw SVG and PNG", renderer.program if renderer else "", drawn, HOW))
    dot = shutil.which("dot") or ""
    items.append(Item("dot, to draw PDF", dot, "no PDF", HOW_SYSTEM))
    items.append(_rfc_texts())
    tlslite = version_of("tlslite-ng")
    items.append(Item("tlslite-ng", tlslite, "its tests and benchmark are skipped", "pip install 'shakeproof[dev]'"))
    return items


def _rfc_texts() -> Item:
    folder = os.environ.get("SHAKEPROOF_RFC_DIR", "")
    files = sorted(Path(folder).glob("rfc*.txt")) if folder else []
    return Item(
        "RFC texts (SHAKEPROOF_RFC_DIR)",
        f"{len(files)} in {folder}" if files else "",
        "the test that checks every quote against its RFC is skipped",
        "set SHAKEPROOF_RFC_DIR to a folder with rfc5246.txt and its like",
    )
