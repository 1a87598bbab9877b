"""`.shakeproof/unfinished/`: what a run that was interrupted has behind it, so that the same run can go on from there.

It is kept while a run goes on and removed when it ends, so that it is also there after a crash. A run is the same where
it asks for the same, of the same targets in the same versions, with the same seed and version of shakeproof: an outcome
of another is never mixed in. What the files hold is data, and is checked as it is read.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from shakeproof.console import visible
from shakeproof.properties.findings import Finding
from shakeproof.properties.tasks import Found, Partial, Progress, Said, Task
from shakeproof.store import SEEDS, SIZE_MOST, SavedFinding, Store, finding_from_json, finding_to_json, write_whole

FORMAT = "shakeproof.unfinished/1"
RUN = "run.json"
QUICK = "quick"
WRITE_EVERY_S = 1.0
"""A task is written this often: what a crash can cost."""


@dataclass(frozen=True)
class Asked:
    """What makes two runs the same. question: targets, roles, suite, planted fault; identities: target -> version."""

    question: Mapping[str, Any]
    version: str
    seed: int
    identities: Mapping[str, str]

    @property
    def name(self) -> str:
        """Of the folder: runs that ask for the same have the same, whatever their seeds and versions."""
        return _digest(json.dumps(self.question, sort_keys=True))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass
class Unfinished:
    """What is known of one run's tasks. Listens to what they say, and writes it down.

    notes: what the user should know of it: what is taken up, or why it is not.
    """

    folder: Path
    notes: list[str] = field(default_factory=list)
    partials: dict[str, Partial] = field(default_factory=dict)
    _findings: dict[str, list[Finding]] = field(default_factory=dict)
    _taken: dict[str, dict[str, Any]] = field(default_factory=dict)
    _written: dict[str, float] = field(default_factory=dict)
    _head: dict[str, Any] = field(default_factory=dict)
    _broken: bool = False
    clock: Callable[[], float] = time.monotonic

    def begun(self, task: Task) -> Partial | None:
        """What is behind the task, from an earlier run."""
        data = self._taken.get(_key(task))
        partial = None if data is None else _partial(data, task)
        if partial is not None and not partial.ended and getattr(task, "suite", QUICK) != QUICK:
            return None  # which words of a complete suite are needed depends on what came of those before
        return partial

    def overhear(self, said: Said) -> None:
        """Keep what a task says."""
        key = _key(said.task)
        if isinstance(said, Found):
            self._findings.setdefault(key, []).append(said.finding)
            return
        if isinstance(said, Progress):
            if said.so_far is None:
                return
            self.partials[key] = said.so_far
        elif said.ended and said.learned is None:  # a learned machine is not kept: its task is done again
            self.partials[key] = said
        else:
            return  # out of time, or it failed: the last that it said of its progress is where to go on from
        if isinstance(said, Partial) or self.clock() - self._written.get(key, -WRITE_EVERY_S) >= WRITE_EVERY_S:
            self._write(key)

    def flush(self) -> None:
        """Write all that is not yet written: the run was interrupted."""
        for key in self.partials:
            self._write(key)
        self._head["process"] = 0
        self._save(self.folder / RUN, self._head)

    def _save(self, path: Path, data: Mapping[str, Any]) -> None:
        if self._broken:
            return
        try:
            write_whole(path, json.dumps(data))
        except OSError as error:
            self._broken = True
            self.notes.append(f"{self.folder} can't be written to ({error.strerror}): an interrupted run starts over")

    def _write(self, key: str) -> None:
        self._written[key] = self.clock()
        partial = self.partials[key]
        data: dict[str, Any] = {"format": FORMAT}
        for name in KEPT:
            data[name] = getattr(partial, name)
        findings = partial.findings if partial.ended else self._findings.get(key, [])
        data["findings"] = [json.loads(finding_to_json(SavedFinding(finding))) for finding in findings]
        self._save(self.folder / f"{key}.json", data)

    def _load(self, began: str) -> None:
        for path in sorted(self.folder.glob("[!.]*.json")):
            data = _read(path) if path.name != RUN else {}
            if data:
                self._taken[path.stem] = data
        words = sum(data["words"] for data in self._taken.values() if isinstance(data.get("words"), int))
        if self._taken:
            told = f"begun {visible(began)}, {words} words done"
            self.notes.append(f"taken up: a run that was interrupted, {told}; --fresh starts over")

    def remove(self) -> None:
        """The run is over: nothing is left to go on with."""
        if not self._broken:
            shutil.rmtree(self.folder, ignore_errors=True)


def seed_of(store: Store, question: Mapping[str, Any]) -> int | None:
    """The seed of the unfinished run that asks for the same, where there is one."""
    folder = store.folder / "unfinished" / Asked(question, "", 0, {}).name
    data = _read(folder / RUN)
    if not any(path.name != RUN for path in folder.glob("[!.]*.json")):
        return None  # nothing was done, so there is nothing to go on with
    seed = data.get("seed")
    sound = isinstance(seed, int) and not isinstance(seed, bool) and 0 <= seed < SEEDS
    return seed if sound and not _is_running(data) else None


def take_up(store: Store, asked: Asked, *, fresh: bool = False) -> Unfinished:
    """The unfinished run that asks for the same, or an empty one. fresh: forget it."""
    run = Unfinished(store.folder / "unfinished" / asked.name)
    before = _read(run.folder / RUN)
    if _is_running(before):
        run._broken = True
        run.notes.append(f"process {before['process']} audits the same: if interrupted, this run starts over")
        return run
    if before and not fresh:
        why = _differs(before, asked)
        if why:
            run.notes.append(f"an interrupted run is not taken up: {why}")
        else:
            run._load(str(before.get("began", "")))
    if not run._taken:
        run.remove()
    run._head = {
        "format": FORMAT,
        "began": str(before.get("began", ""))
        if run._taken
        else dt.datetime.now(tz=dt.UTC).isoformat(timespec="seconds"),
        "process": os.getpid(),
        "question": dict(asked.question),
        "version": asked.version,
        "seed": asked.seed,
        "identities": dict(asked.identities),
    }
    with contextlib.suppress(OSError):  # where the store can't be made, the next line says so
        store.prepare()
    run._save(run.folder / RUN, run._head)
    return run


def _is_running(before: Mapping[str, Any]) -> bool:
    """Whether the process that wrote this is still at it."""
    process = before.get("process")
    if not isinstance(process, int) or isinstance(process, bool) or process <= 0 or process == os.getpid():
        return False
    if os.name != "posix":
        return False  # there is no way to ask without a signal that ends it
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def _differs(before: Mapping[str, Any], asked: Asked) -> str:
    """Why the run is another one; "" where it is the same."""
    if before.get("version") != asked.version:
        return f"it was made by shakeproof {before.get('version')}, this is {asked.version}"
    if before.get("seed") != asked.seed:
        return f"its seed is {before.get('seed')}, this one's is {asked.seed}"
    old = before.get("identities")
    for name, identity in asked.identities.items():
        there = old.get(name) if isinstance(old, dict) else None
        if there != identity:
            return f"{name} was {there!r}, and is {identity!r}"
    return ""


def _read(path: Path) -> dict[str, Any]:
    """The file's data; empty where it is none of ours."""
    try:
        if path.stat().st_size > SIZE_MOST:
            return {}
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) and data.get("format") == FORMAT else {}


PLAIN = (bool, int, float, str)
KEPT: Sequence[str] = (
    *(item.name for item in fields(Partial) if type(item.default) in PLAIN),
    "exercised",
    "not_tested",
    "beside",
)
"""What is kept of a task beside its findings: numbers, texts, and lists of names. The rest is found out again."""


def _key(task: Task) -> str:
    """The name of a task's file: all that makes it what it is."""
    return _digest(repr(task))


def _partial(data: Mapping[str, Any], task: Task) -> Partial | None:
    """What a file says of the task; None where it says nothing that holds."""
    values: dict[str, Any] = {}
    empty = Partial(task)
    for name in KEPT:
        value, sound = data.get(name), getattr(empty, name)
        if type(sound) is float and type(value) is int:
            value = float(value)
        if type(value) is not type(sound) or not _is_sound(name, value):
            return None
        values[name] = value
    entries = data.get("findings")
    if values["error"] or not isinstance(entries, list):
        return None
    try:
        findings = [finding_from_json(json.dumps(entry)).finding for entry in entries]
    except ValueError:
        return None
    return Partial(task, findings=findings, **values)


def _is_sound(name: str, value: Any) -> bool:
    if name == "exercised":
        return all(isinstance(count, int) for count in value.values())
    if name in ("not_tested", "beside"):
        return all(isinstance(cells, list) and all(isinstance(c, str) for c in cells) for cells in value.values())
    return not isinstance(value, (int, float)) or value >= 0
