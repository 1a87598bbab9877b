"""Verdicts, findings and the result of a run: what conformance testing has to say.

The engine emits events while it works; reporters listen. Check ids are the rows' own codes, so that they are stable
from run to run and across targets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeAlias

from shakeproof.model.trace import Trace


class Grade(Enum):
    """How bad it is; in the order of weight."""

    CRASH = "CRASH"
    HANG = "HANG"
    WENT_ON = "FAIL went-on"
    REFUSED_VALID = "FAIL refused-valid"
    WRONG_OUTPUT = "FAIL wrong-output"
    DISTINGUISHES = "FAIL distinguishes"
    DEVIATION = "DEVIATION"
    WARNING = "WARNING"
    NOTE = "NOTE"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def is_failure(self) -> bool:
        """Whether a MUST is broken in a way that matters."""
        return self in FAILURES

    @property
    def weight(self) -> int:
        """0 is worst."""
        return list(Grade).index(self)


FAILURES = frozenset(
    {Grade.CRASH, Grade.HANG, Grade.WENT_ON, Grade.REFUSED_VALID, Grade.WRONG_OUTPUT, Grade.DISTINGUISHES}
)


@dataclass(frozen=True)
class Finding:
    """Something that a target does and should not, or should and does not.

    id: short, stable for the same target, check and shrunk word; check: the row's code; grade, title: the verdict and
    one line for people; role, target, setup: where; state, input: the cell; expected, got: in words; clause, sentence:
    the authority; word: the shrunk inputs as text; shrunk_from: its length before shrinking; seen: confirmations, times
    tried; trace: the run; readings: those of the table under which it was judged, beside the usual ones.
    """

    id: str
    check: str
    grade: Grade
    title: str
    role: str
    target: str
    setup: str
    state: str
    input: str
    expected: str
    got: str
    clause: str
    sentence: str
    word: tuple[str, ...]
    shrunk_from: int
    seen: tuple[int, int]
    trace: Trace
    level: str = "MUST"
    readings: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotTested:
    """Cells that were not tested, and why."""

    reason: str
    cells: int
    examples: tuple[str, ...] = ()


@dataclass
class RoleRun:
    """One role of one target, tested.

    cells: state x input, as far as they apply to the target in its setups: those of `cells_run`, and those that
    `not_tested` counts, whatever the reason. words: conversations, of which a cell needs one; a complete suite, floods
    and schedules have words beside. seconds: summed over the processes that worked; wall_s: from the beginning of the
    audit until the role was done, as a clock on the wall shows it.
    """

    target: str
    description: str
    role: str
    cells: int = 0
    cells_run: int = 0
    words: int = 0
    seconds: float = 0.0
    wall_s: float = 0.0
    setups: tuple[str, ...] = ()
    exercised: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    not_tested: list[NotTested] = field(default_factory=list)
    error: str = ""
    complete: tuple[str, ...] = ()
    """What a complete suite that ran to its end says, a sentence for each setup."""
    learned: tuple[Any, ...] = ()
    """The machines that were learned where it deviated (`shakeproof.properties.learning.Learned`)."""

    @property
    def is_tested(self) -> bool:
        """Whether enough ran to say something: an honest handshake completed and half of the cells ran."""
        return not self.error and self.cells > 0 and 2 * self.cells_run >= self.cells

    @property
    def left_out(self) -> int:
        """Cells for which the time did not suffice."""
        return sum(item.cells for item in self.not_tested if item.reason == OUT_OF_TIME)


OUT_OF_TIME = "out of time"
BESIDE = f"{OUT_OF_TIME} for all that comes beside the cells"


@dataclass
class Run:
    """A whole run: what was asked, what came of it."""

    command: str
    seed: int
    time_s: float
    roles: list[RoleRun] = field(default_factory=list)
    seconds: float = 0.0
    facts: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    words_before: int = 0
    """Those of an earlier run that this one went on from."""

    @property
    def words_per_s(self) -> float:
        """Conversations in a second of the run, all processes together; 0 where there was none."""
        words = sum(role.words for role in self.roles) - self.words_before
        return max(0, words) / self.seconds if self.seconds else 0.0

    @property
    def findings(self) -> list[Finding]:
        """All findings, worst first."""
        return sorted(
            (f for r in self.roles for f in r.findings), key=lambda f: (f.grade.weight, f.role, f.check, f.id)
        )

    def exit_code(self, fail_on: str = "must") -> int:
        """0 conforming, 1 findings at or above fail_on (must, deviation, never), 3 not tested, 130 interrupted."""
        if self.interrupted:
            return 130
        bad = any(f.grade.is_failure or (fail_on == "deviation" and f.grade is Grade.DEVIATION) for f in self.findings)
        if bad and fail_on != "never":
            return 1
        if not self.roles or any(not role.is_tested for role in self.roles):
            return 3
        return 0


# -------------------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True)
class RoleStarted:
    """A role of a target is about to be tested: `cells` in all."""

    target: str
    description: str
    role: str
    cells: int


@dataclass(frozen=True)
class CellDone:
    """One more cell was run: `done` of those that apply, as far as that is known."""

    target: str
    role: str
    done: int
    cells: int


@dataclass(frozen=True)
class FindingConfirmed:
    """A finding was repeated and shrunk."""

    finding: Finding


@dataclass(frozen=True)
class RoleDone:
    """A role of a target is done."""

    result: RoleRun


Event: TypeAlias = RoleStarted | CellDone | FindingConfirmed | RoleDone
Listener: TypeAlias = Callable[[Event], None]


def ignore(_: Event) -> None:
    """A listener that does nothing."""
