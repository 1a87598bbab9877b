"""The house: what is packaged, and which folder may import which."""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("model", "impl", "properties", "diagrams")
FRONT_DOOR = "shakeproof"
ALLOWED = {
    "model": {"model"},
    "impl": {"impl"},
    "diagrams": {"diagrams", "model"},
    "properties": {"properties", "model", "impl"},
    FRONT_DOOR: {FRONT_DOOR, *FOLDERS},
}
"""Folder -> the folders that it may import from."""

BANNED_NAMES = {"utils", "helpers", "common"}


def settings() -> dict[str, object]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        found: dict[str, object] = tomllib.load(file)["tool"]["setuptools"]
    return found


PROGRAMS = ROOT / "properties" / "targets" / "drivers"
"""Programs around foreign libraries, started as processes: data of the package, and no modules of it."""


def files(folder: str) -> list[Path]:
    """The modules of a folder; links to the other folders are not followed."""
    return sorted(
        path
        for path in (ROOT / folder).rglob("*.py")
        if path.parent != PROGRAMS and (folder != FRONT_DOOR or path.relative_to(ROOT / folder).parts[0] not in FOLDERS)
    )


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return ".".join(parts if parts[0] == FRONT_DOOR else (FRONT_DOOR, *parts))


def imported(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything that a module imports, at any depth of it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            for name in node.names:
                yield node.lineno, f"{base}.{name.name}"


def folder_of(name: str) -> str:
    """Which of our folders an imported name belongs to; "" for none."""
    parts = name.split(".")
    if parts[0] != FRONT_DOOR:
        return ""
    return parts[1] if len(parts) > 1 and parts[1] in FOLDERS else FRONT_DOOR


def test_packages_listed_are_those_found() -> None:
    listed = settings()["packages"]
    found = {package_of(path.parent) for folder in (FRONT_DOOR, *FOLDERS) for path in files(folder)}
    with_init = {
        package_of(path.parent)
        for folder in (FRONT_DOOR, *FOLDERS)
        for path in files(folder)
        if path.name == "__init__.py"
    }
    assert found == with_init, "a folder with modules has no __init__.py"
    assert isinstance(listed, list)
    assert sorted(listed) == sorted(found), "pyproject.toml: [tool.setuptools] packages"


def test_packages_lie_where_pyproject_says() -> None:
    where = settings()["package-dir"]
    assert isinstance(where, dict)
    for name, place in where.items():
        assert package_of(ROOT / place) == name
        assert (ROOT / place / "__init__.py").is_file()


def test_links_lead_to_the_folders() -> None:
    for folder in FOLDERS:
        link = ROOT / FRONT_DOOR / folder
        if not link.is_symlink():
            pytest.skip(f"{link.name} is no link here: a clone without links still installs and runs")
        assert link.resolve() == (ROOT / folder).resolve()
        assert not link.readlink().is_absolute()


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_follow_the_arrows(folder: str) -> None:
    wrong = []
    for path in files(folder):
        for line, name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            where = f"{path.relative_to(ROOT)}:{line}: imports {name}"
            if name.startswith("."):
                wrong.append(f"{where}: relative imports are not used")
            elif name.split(".")[0] in (*FOLDERS, "tests"):
                wrong.append(f"{where}: not a top-level package; write shakeproof.{name}")
            elif folder_of(name) and folder_of(name) not in ALLOWED[folder]:
                wrong.append(f"{where}: {folder} may import {', '.join(sorted(ALLOWED[folder]))}")
    assert not wrong, "\n".join(wrong)


def test_transitions_is_used_by_the_oracle_only() -> None:
    users = {
        path.relative_to(ROOT).as_posix()
        for folder in (FRONT_DOOR, *FOLDERS)
        for path in files(folder)
        if any(name.split(".")[0] == "transitions" for _, name in imported(ast.parse(path.read_text(encoding="utf-8"))))
    }
    assert users == {"model/oracle.py"}


def test_no_module_is_a_drawer_for_everything() -> None:
    named = [
        path for folder in (FRONT_DOOR, *FOLDERS) for path in files(folder) if {path.stem, *path.parts} & BANNED_NAMES
    ]
    assert not named


def test_requirements_are_those_imported() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    required = {line.split(">")[0].split("[")[0].strip().lower() for line in project["dependencies"]}
    # An extra that users can ask for may be imported where it is used; what tests and benchmarks need is none.
    extras = {name: lines for name, lines in project["optional-dependencies"].items() if name not in ("dev", "bench")}
    optional = {line.split(">")[0].strip().lower() for lines in extras.values() for line in lines}
    used = {
        name.split(".")[0]
        for folder in (FRONT_DOOR, *FOLDERS)
        for path in files(folder)
        for _, name in imported(ast.parse(path.read_text(encoding="utf-8")))
    }
    foreign = used - set(sys.stdlib_module_names) - {FRONT_DOOR}
    assert foreign <= required | optional, "imported, but not in [project] dependencies"


def test_readme_commands_are_one_line_each() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    audit = "python3 -m venv .venv && .venv/bin/pip install '.[dot]' && .venv/bin/shakeproof audit"
    test = "python3 -m venv .venv && .venv/bin/pip install -e '.[dev,dot]' && .venv/bin/pytest"
    assert audit in text.splitlines()
    assert test in text.splitlines()
    assert "README.md" in (ROOT / ".ci" / "run").read_text(encoding="utf-8"), "CI runs README's own command"
