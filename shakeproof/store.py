"""`.shakeproof/`: the findings of past runs, by id, so that `replay` finds them again."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from shakeproof.exits import UsageError, unknown
from shakeproof.model.trace import Trace
from shakeproof.properties.findings import Finding, Grade

FOLDER = ".shakeproof"
FORMAT = "shakeproof.finding/1"
SIZE_MOST = 64 << 20
"""Bytes of a saved finding: some hundred times the largest seen; a file beyond it is none of ours."""

SEEDS = 2**63
"""Seeds are below this: they are written in eight bytes."""

_ID = re.compile(r"[0-9a-f]{4,64}")


@dataclass(frozen=True)
class SavedFinding:
    """A finding with what makes it repeatable. rogue: the fault that was planted in the target, "" for none."""

    finding: Finding
    seed: int = 0
    rogue: str = ""


def finding_to_json(saved: SavedFinding) -> str:
    """A finding as JSON text, readable by `finding_from_json`. Its trace is whole in it."""
    data: dict[str, Any] = {"format": FORMAT, "seed": saved.seed, "rogue": saved.rogue}
    for item in fields(saved.finding):
        value = getattr(saved.finding, item.name)
        if isinstance(value, Grade):
            value = value.value
        elif isinstance(value, Trace):
            value = json.loads(value.to_json())
        data[item.name] = value
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def finding_from_json(text: str) -> SavedFinding:
    """Read a saved finding. Raises ValueError that says what is wrong with the text."""
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"not a saved finding: line {error.lineno} is not JSON ({error.msg})") from error
    except RecursionError as error:
        raise ValueError("not a saved finding: nested too deeply") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise ValueError(f"not a saved finding: expected format {FORMAT!r}, found {found!r}")
    values = {item.name: _value(data, item.name) for item in fields(Finding) if item.name in data}
    missing = {item.name for item in fields(Finding)} - set(values) - {"level", "readings"}
    extra = set(data) - set(values) - {"format", "seed", "rogue"}
    if missing or extra:
        raise ValueError(f"not a saved finding: missing {sorted(missing)}, unknown {sorted(extra)}")
    seed, rogue = data.get("seed", 0), data.get("rogue", "")
    if not isinstance(seed, int) or not 0 <= seed < SEEDS or not isinstance(rogue, str):
        raise ValueError("not a saved finding: seed is a whole number below 2**63, rogue is text")
    return SavedFinding(Finding(**values), seed, rogue)


def _value(data: Mapping[str, Any], name: str) -> Any:
    value = data[name]
    if name == "grade":
        return Grade(value) if value in {grade.value for grade in Grade} else _wrong(name, value)
    if name == "trace":
        return Trace.from_json(json.dumps(value))
    if name in ("word", "readings"):
        return tuple(value) if _is_list(value, str) else _wrong(name, value)
    if name == "seen":
        return tuple(value) if _is_list(value, int) and len(value) == 2 else _wrong(name, value)
    wanted = int if name == "shrunk_from" else str
    if not isinstance(value, wanted) or isinstance(value, bool):
        return _wrong(name, value)
    if name == "id" and not _ID.fullmatch(str(value)):
        return _wrong(name, value)
    return value


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(item, kind) and not isinstance(item, bool) for item in value)


def _wrong(name: str, value: Any) -> Any:
    raise ValueError(f"not a saved finding: {name} = {value!r:.80}")


def write_whole(path: Path, text: str) -> Path:
    """Write a file, making its folder: whoever reads it meanwhile sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-", suffix=path.suffix)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return path


@dataclass(frozen=True)
class Store:
    """The findings in a folder."""

    folder: Path = Path(FOLDER)

    def save(self, saved: SavedFinding) -> Path:
        """Write a finding; a half-written file is never seen."""
        self.prepare()
        return write_whole(self.folder / "findings" / f"{saved.finding.id}.json", finding_to_json(saved))

    def prepare(self) -> None:
        """Make the folder, so that version control leaves it alone."""
        self.folder.mkdir(parents=True, exist_ok=True)
        ignore = self.folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n", encoding="utf-8")

    def ids(self) -> list[str]:
        """The ids of all findings, the newest first."""
        files = [path for path in (self.folder / "findings").glob("*.json") if _ID.fullmatch(path.stem)]
        return [path.stem for path in sorted(files, key=lambda path: (-path.stat().st_mtime, path.stem))]

    def load(self, name: str) -> SavedFinding:
        """The finding with that id, or in that file. Raises UsageError."""
        path = Path(name)
        if not path.is_file() and _ID.fullmatch(name):
            path = self.folder / "findings" / f"{name}.json"
        if not path.is_file():
            where = f"in {self.folder}; a file's name would do too, an audit prints ids"
            raise unknown("saved finding", name, self.ids(), hint=f"({where})")
        try:
            if path.stat().st_size > SIZE_MOST:
                raise UsageError(f"{path}: larger than any saved finding ({SIZE_MOST} bytes)")
            return finding_from_json(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError as error:
            raise UsageError(f"{path}: not a saved finding: not UTF-8 text") from error
        except ValueError as error:
            raise UsageError(f"{path}: {error}") from error
        except OSError as error:
            raise UsageError(f"{path}: can't be read: {error.strerror}") from error
