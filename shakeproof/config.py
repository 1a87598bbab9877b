"""Settings: command line over environment (SHAKEPROOF_*) over file over default.

The file is `shakeproof.toml`, or `[tool.shakeproof]` in `pyproject.toml`, of the working folder or the nearest folder
above it that has either. What stands there is checked: an unknown key is an error with a suggestion, never ignored.
"""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from shakeproof.exits import UsageError, unknown
from shakeproof.properties.named import NamedTarget, name_target

FILE = "shakeproof.toml"
PYPROJECT = "pyproject.toml"
ENVIRONMENT = "SHAKEPROOF_"

_UNITS_S = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
TIME_MOST_S = 7 * 24 * 3600.0
"""A week: more is a slip of the unit."""


def seconds(text: str) -> float:
    """A time such as "60s", "1.5m" or "90"; seconds. Raises UsageError."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", text)
    if not match or match[2] not in _UNITS_S:
        raise UsageError(f"{text!r} is no time; write 60s, 2m or 1h")
    value = float(match[1]) * _UNITS_S[match[2]]
    if not 0 < value <= TIME_MOST_S:
        raise UsageError(f"a time of {text!r} is out of range; it must be above zero and at most a week")
    return value


@dataclass(frozen=True)
class Accepted:
    """A finding that the user knows and accepts.

    rule: a check's id, `*` for any part of it; target: as on the command line, "" for all; until: last day on which it
    holds; after it the finding counts again.
    """

    rule: str
    reason: str
    until: dt.date
    target: str = ""

    def is_expired(self, today: dt.date) -> bool:
        """Whether its time is over."""
        return today > self.until

    def covers(self, check: str, target: str) -> bool:
        """Whether it speaks of that check of that target."""
        pattern = ".*".join(re.escape(part) for part in self.rule.split("*"))
        return (not self.target or self.target == target) and re.fullmatch(pattern, check, re.IGNORECASE) is not None


@dataclass(frozen=True)
class Settings:
    """What the file says. options: defaults of command-line options, by their long names."""

    path: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, NamedTarget] = field(default_factory=dict)
    accept: tuple[Accepted, ...] = ()

    def connect(self, name: str) -> str:
        """What finds the target that `name` stands for, and is its name in reports: itself.

        A name of the file is made known to this process.
        """
        target = self.targets.get(name)
        if target is not None and target != NamedTarget(name, name):
            name_target(target)
        return name

    def accepting(self, names: Sequence[str]) -> tuple[Accepted, ...]:
        """The accepted findings, those of a target under the name of these that it is audited by."""
        audited = {self._stands_for(name): name for name in reversed(names)}
        return tuple(
            entry if entry.target in names else replace(entry, target=audited.get(there, entry.target))
            for entry in self.accept
            for there in [self._stands_for(entry.target)]
        )

    def _stands_for(self, name: str) -> str:
        """The address, or the name of ours, that a name of the file is another one for; else itself."""
        target = self.targets.get(name)
        return target.connect if target is not None and target.connect and not target.start else name


OPTIONS: dict[str, tuple[type, ...]] = {
    "role": (str,),
    "time": (str, int, float),
    "seed": (int,),
    "suite": (str,),
    "report": (str,),
    "format": (str,),
    "fail-on": (str,),
    "jobs": (int,),
    "profile": (str,),
}
"""Keys of the file that are defaults of options, with the types that they may have."""


TARGET_TEXTS = ("connect", "start", "ready")
TARGET_LISTS = {"roles": ("server", "client"), "suites": ("quick", "full")}
"""Keys of a target, with what those may hold that hold lists."""


def load(folder: Path) -> Settings:
    """The settings that hold in `folder`. Raises UsageError that names the file and the key."""
    found = _find(folder)
    if found is None:
        return Settings()
    path, table = found
    return _settings(path, table)


def _find(folder: Path) -> tuple[Path, Mapping[str, Any]] | None:
    for place in (folder, *folder.parents):
        own = place / FILE
        if own.is_file():
            return own, _read(own)
        project = place / PYPROJECT
        if project.is_file():
            tool = _read(project).get("tool", {})
            if isinstance(tool, Mapping) and "shakeproof" in tool:
                return project, _table(tool["shakeproof"], project, "tool.shakeproof")
    return None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text; a TOML file must be") from error
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error


def _settings(path: Path, table: Mapping[str, Any]) -> Settings:
    options: dict[str, str] = {}
    for key, value in table.items():
        if key in ("targets", "accept"):
            continue
        name = key.replace("_", "-")
        if name not in OPTIONS:
            raise _in(path, unknown("setting", key, [*OPTIONS, "targets", "accept"]))
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            value = ",".join(value)
        if isinstance(value, bool) or not isinstance(value, OPTIONS[name]):
            wanted = " or ".join(kind.__name__ for kind in OPTIONS[name])
            raise UsageError(f"{path}: {key} = {value!r}: expected {wanted}, found {type(value).__name__}")
        if value == "":
            raise UsageError(f"{path}: {key} is empty; give it a value, or leave it out")
        options[name] = str(value)
    named = _table(table.get("targets", {}), path, "targets")
    targets = {name: _target(path, name, entry) for name, entry in named.items()}
    for target in targets.values():
        if target.connect in targets and target.connect != target.name:
            raise UsageError(
                f"{path}: targets.{target.name}.connect = {target.connect!r}: that is a name of this file too; "
                f"say here what it stands for"
            )
    entries = table.get("accept", [])
    if not isinstance(entries, list):
        raise UsageError(f"{path}: accept is a list; write [[tool.shakeproof.accept]] for each entry")
    accept = tuple(_record(path, f"accept[{index}]", entry, Accepted, {}) for index, entry in enumerate(entries))
    return Settings(path, options, targets, accept)


def _target(path: Path, name: str, entry: Any) -> NamedTarget:
    """An entry of `targets`: `connect` (a target, or where `start` listens), `start` (a command), or both."""
    where = f"targets.{name}"
    table = dict(_table(entry, path, where))
    for key in ("roles", "suites"):
        if key in table:
            table[key] = _texts(path, f"{where}.{key}", table[key], TARGET_LISTS[key])
    lists = {key: table.pop(key) for key in TARGET_LISTS if key in table}
    for key, value in table.items():
        if key not in TARGET_TEXTS:
            raise _in(path, unknown(f"key of {where}", key, [*TARGET_TEXTS, *TARGET_LISTS]))
        if not isinstance(value, str):
            raise UsageError(f"{path}: {where}.{key} = {value!r}: expected text")
        if not value:
            raise UsageError(f"{path}: {where}.{key} is empty")
    if not {"connect", "start"} & set(table):
        raise UsageError(f"{path}: {where} needs connect (a target, such as HOST:PORT) or start (a command)")
    return NamedTarget(name, **table, **lists)


def _texts(path: Path, where: str, value: Any, known: Sequence[str]) -> tuple[str, ...]:
    """A text or a list of texts, each of which is known."""
    items = [value] if isinstance(value, str) else value
    if not isinstance(items, list) or not items or not all(isinstance(item, str) for item in items):
        raise UsageError(f"{path}: {where} = {value!r}: expected a list of {' or '.join(known)}")
    for item in items:
        if item not in known:
            raise _in(path, unknown(f"value of {where}", item, known))
    return tuple(items)


def _record(path: Path, where: str, entry: Any, kind: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    table = dict(_table(entry, path, where))
    known = {item.name: item for item in fields(kind) if item.name not in given}  # type: ignore[arg-type]
    for key, value in table.items():
        if key not in known:
            raise _in(path, unknown(f"key of {where}", key, known))
        wanted = dt.date if key == "until" else str
        if not isinstance(value, wanted) or isinstance(value, dt.datetime):
            example = "a date such as 2030-01-31, without quotes" if wanted is dt.date else "text"
            raise UsageError(f"{path}: {where}.{key} = {value!r}: expected {example}")
        if value == "":
            raise UsageError(f"{path}: {where}.{key} is empty")
    missing = [name for name in known if name not in table and name != "target"]
    if missing:
        raise UsageError(f"{path}: {where} needs {' and '.join(missing)}")
    return kind(**given, **table)


def _table(value: Any, path: Path, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(f"{path}: {where} is a table, found {type(value).__name__}")
    return value


def _in(path: Path, error: UsageError) -> UsageError:
    return UsageError(f"{path}: {error}")
