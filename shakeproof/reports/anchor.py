"""Where in the user's repository a finding belongs: the line that names its target, or the project's own file.

A code scanning service shows a result at a file and a line, and refuses one that has none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

PROJECT_FILES = (
    "shakeproof.toml", "pyproject.toml", "setup.cfg", "setup.py", "package.json", "go.mod", "Cargo.toml", "pom.xml",
    "build.gradle", "meson.build", "CMakeLists.txt", "configure.ac", "Makefile", "README.md", "README.rst", "README",
)  # fmt: skip
"""What stands for a project, the first that is there. Where none is, the run's own report does."""

_HEADER = re.compile(r"^\s*\[([^\[\]]+)\]\s*(?:#.*)?$")


@dataclass(frozen=True)
class Anchor:
    """A line of a file. uri: relative to the repository's root, percent-encoded; line: from 1; why: it is no file of
    the project.
    """

    uri: str
    line: int
    why: str = ""


def anchor_of(target: str, settings: Path | None, folder: Path, report: Path | None = None) -> Anchor:
    """Where findings of the target belong. settings: the configuration file in use; folder: the working folder.

    report: a file of the run's report, for a folder without any file that stands for a project.
    """
    root = next((place for place in (folder, *folder.parents) if (place / ".git").exists()), folder)
    if settings is not None:
        line = line_of(target, settings.read_text(encoding="utf-8", errors="replace"))
        return Anchor(_uri(settings, root), line)
    place = next((folder / name for name in PROJECT_FILES if (folder / name).is_file()), None)
    place = place or next((root / name for name in PROJECT_FILES if (root / name).is_file()), None)
    if place is not None:
        return Anchor(_uri(place, root), 1)
    why = "there is no file here that stands for a project"
    if report is not None and report.resolve().is_relative_to(root.resolve()):
        return Anchor(_uri(report, root), 1, f"{why}: this is the run's report")
    name = PROJECT_FILES[0]
    return Anchor(_uri(folder / name, root), 1, f"{why}, and the report is elsewhere: {name} would name the target")


def line_of(target: str, text: str) -> int:
    """The line of a configuration file that names the target, or says where it is; that of our own part; or 1."""
    own, named, inside = 0, 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        header = _HEADER.match(line)
        if header:
            inside = header[1].strip()
            parts = [part.strip().strip("\"'") for part in re.findall(r"\"[^\"]*\"|'[^']*'|[^.]+", inside)]
            if parts[-2:-1] == ["targets"]:
                named = number
                if parts[-1] == target:
                    return number
            if not own and parts[:2] == ["tool", "shakeproof"]:
                own = number
        elif "targets" in inside.split(".") and named:
            value = re.match(r"^\s*[\w-]+\s*=\s*(\"[^\"]*\"|'[^']*')", line)
            if value and value[1][1:-1] == target:
                return number
    return own or 1


def _uri(path: Path, root: Path) -> str:
    path = path.resolve()
    root = root.resolve()
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return quote(inside.as_posix())
