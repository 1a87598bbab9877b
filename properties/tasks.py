"""What an audit consists of: tasks, which are one role of one target in one setup each; what they find, and say of it.

They are data, so that they can run in processes of their own, or elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, TypeAlias

from shakeproof.model.machine import Role
from shakeproof.model.messages import ClientHello, old_version
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.properties.complete import complete
from shakeproof.properties.findings import OUT_OF_TIME, Finding
from shakeproof.properties.named import NamedTarget
from shakeproof.properties.suites import Word, quick
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import Setup

FAILURES_LIMIT = 3
"""So often a prefix leads nowhere, and it is not tried again: each time may cost the longest wait."""

OLDER = "the target speaks a version before TLS 1.2 too, which is another protocol"
LEGACY = "legacy"
"""The reading of a table under which such a version may be chosen."""


@dataclass(frozen=True)
class Task:
    """One role of one target in one setup. target, rogue: as on the command line, so that a process can find it.

    begun: what an earlier run of the same task found, to go on from.
    before: setups that are tried too, None for all that the target has before this one; named: what the target's name
    stands for in the user's file; hopeless: why no honest handshake completes, so that only the first words tell
    anything; speaks_older: whether the target takes a version before TLS 1.2; extra: states beyond the table's that a
    complete suite looks for; start_s: the longest that the target took to start when it was tried out.
    """

    target: str
    rogue: str
    role: str
    setup: Setup
    seed: int
    before: tuple[Setup, ...] | None = None
    named: NamedTarget | None = None
    hopeless: str = ""
    speaks_older: bool = False
    suite: str = "quick"
    extra: int = 1
    begun: Partial | None = field(default=None, compare=False, repr=False)
    start_s: float = field(default=0.0, compare=False, repr=False)


@dataclass
class Partial:
    """What a task found. done: words of the suite that it has behind it; ended: whether it did all that it could.

    cells: those that apply, which are `cells_run` and those in `not_tested`, once it is over; beside: words that are
    about no cell of their own and were not run, by reason; offered: how many chains were (`chain_audit`); heard:
    whether the exit status was listened to (`truncation_audit`), and unheard: why that was in vain; kept: of a complete
    suite's pruning (`Pruning.kept`).
    """

    task: Task
    cells: int = 0
    cells_run: int = 0
    words: int = 0
    seconds: float = 0.0
    exercised: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    not_tested: dict[str, list[str]] = field(default_factory=dict)
    beside: dict[str, list[str]] = field(default_factory=dict)
    error: str = ""
    done: int = 0
    ended: bool = False
    complete: str = ""
    offered: int = 0
    heard: bool = False
    unheard: str = ""
    learned: Any = None
    kept: dict[str, list[int]] = field(default_factory=dict)
    failed: dict[tuple[Symbol, ...], tuple[int, str]] = field(default_factory=dict)
    """Prefixes that lead nowhere: how often, and why."""

    @property
    def counts(self) -> bool:
        """Whether its cells are some that apply: not where the setup never worked."""
        return not self.error or self.error in self.beside

    @property
    def so_far(self) -> Partial:
        """A copy that stays as it is. Without findings: each is told of when it is confirmed, and is large."""
        left_out = {why: list(cells) for why, cells in self.not_tested.items()}
        beside = {why: list(words) for why, words in self.beside.items()}
        return replace(
            self, exercised=dict(self.exercised), findings=[], not_tested=left_out, beside=beside, learned=None
        )

    def leave_out(self, word: Word, why: str) -> None:
        """A word of the suite is not tested: a cell, or what is tried behind one."""
        (self.beside if word.suffix else self.not_tested).setdefault(why, []).append(word.cell)

    def leave_beside(self, what: str, why: str = OUT_OF_TIME) -> None:
        """What is no word of the suite is not tested."""
        self.beside.setdefault(why, []).append(what)

    def drop(self, word: Word) -> None:
        """A word of the suite says nothing of this target: if it is a cell, there is one less."""
        self.cells -= not word.suffix

    def go_on(self) -> None:
        """There is time again."""
        self.not_tested.pop(OUT_OF_TIME, None)
        self.beside.clear()

    def fails(self, prefix: tuple[Symbol, ...], why: str) -> None:
        """A prefix led nowhere."""
        self.failed[prefix] = (self.failed.get(prefix, (0, ""))[0] + 1, why)

    def known_of(self, word: Word) -> str:
        """Why it is known that a word's cell can't be reached; "" where it may be, or it is one that tells something
        of a version that is another protocol.
        """
        if self.is_of_another_version(word):
            return OLDER
        return self.failed[word.prefix][1] if self.has_failed(word.prefix) else ""

    def is_of_another_version(self, word: Word) -> bool:
        """Whether the target might go on by another protocol, which neither the table nor the tester speaks.

        How it answers an older ClientHello at first, the table says; and where none is due, it refuses any.
        """
        older = [index for index, one in enumerate(word.inputs) if one.message is ClientHello and one.has(old_version)]
        if not older or not self.task.speaks_older:
            return False
        return older != [len(word.inputs) - 1] or word.configuration.state is ROLES[self.task.role].accepting

    def has_failed(self, prefix: tuple[Symbol, ...]) -> bool:
        """Whether a prefix has led nowhere so often that it is not tried again."""
        return self.failed.get(prefix, (0, ""))[0] >= FAILURES_LIMIT


@dataclass(frozen=True)
class Progress:
    """Words that a task has run so far, and what came of them."""

    task: Task
    done: int
    so_far: Partial | None = None


@dataclass(frozen=True)
class Found:
    """A finding that a task has just confirmed."""

    task: Task
    finding: Finding


Said: TypeAlias = Progress | Found | Partial


def role_of(task: Task) -> Role:
    """The role that a task is held to."""
    return _legacy(task.role) if task.speaks_older else ROLES[task.role]


@cache
def _legacy(name: str) -> Role:
    role = ROLES[name]
    return role.under(role.default_readings | {LEGACY})


def words_of(task: Task) -> tuple[Word, ...]:
    """The words of a task, shortest first."""
    role, before = role_of(task), before_of(task)
    # Complete in the main configuration: in the others, what only they can show.
    return complete(role, task.setup, task.extra) if is_complete(task) else quick(role, task.setup, before)


def cells_of(task: Task) -> list[Word]:
    """The words of a task that are a cell each; a complete suite has others, which go on behind one."""
    return [word for word in words_of(task) if not word.suffix]


def before_of(task: Task) -> tuple[Setup, ...]:
    """The setups that are tried before the task's."""
    if task.before is not None:
        return task.before
    setups = find_target(task.target, rogue=task.rogue).setups(task.role)
    return setups[: setups.index(task.setup)] if task.setup in setups else ()


def is_complete(task: Task) -> bool:
    """Whether the task is one whose suite is complete: of the main configuration, which is the first that works."""
    return task.suite == "full" and not before_of(task)


def left_out(words: Sequence[Word], partial: Partial) -> dict[str, list[str]]:
    """The words of the suite that were not tested, by reason."""
    own = {word.cell for word in words}
    found = {why: list(cells) for why, cells in partial.not_tested.items()}
    for why, cells in partial.beside.items():
        mine = [cell for cell in cells if cell in own]
        if mine:
            found.setdefault(why, []).extend(mine)
    return found
