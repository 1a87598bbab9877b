"""What a run comes to: verdict, counts, what was left out. The same for every report."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shakeproof.config import Accepted
from shakeproof.exits import Exit
from shakeproof.properties.findings import OUT_OF_TIME, Finding, Grade, NotTested, RoleRun, Run

BROKEN_OFF = "interrupted"
"""The reason of cells that were not run because the user interrupted."""


@dataclass(frozen=True)
class Judgement:
    """A run after the accepted findings were taken out.

    open: findings that count, worst first; accepted: those that the user's file accepts, each with its entry; expired:
    entries whose time is over although their finding is still there.
    """

    run: Run
    open: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    expired: tuple[tuple[Finding, Accepted], ...]
    exit_code: Exit

    @property
    def verdict(self) -> str:
        """In capitals."""
        if self.exit_code is Exit.INTERRUPTED:
            return "INTERRUPTED"
        if any(finding.grade.is_failure for finding in self.open):
            return "NOT CONFORMING"
        if any(not role.is_tested for role in self.run.roles) or not self.run.roles:
            return "NOT TESTED"
        return "CONFORMING"

    def count(self, grade: Grade) -> int:
        """Open findings of the grade."""
        return sum(finding.grade is grade for finding in self.open)

    @property
    def failures(self) -> int:
        """Open findings that break a MUST in a way that matters."""
        return sum(finding.grade.is_failure for finding in self.open)

    @property
    def left_out(self) -> str:
        """For what the time did not suffice, or what an interruption cut off, in words."""
        late = sum(role.left_out for role in self.run.roles)
        broken = sum(item.cells for role in self.run.roles for item in role.not_tested if item.reason == BROKEN_OFF)
        parts = [f"{late} cells for lack of time"] if late else []
        parts += [f"{broken} cells by the interruption"] if broken else []
        return " and ".join(parts) or "nothing"

    @property
    def not_tested(self) -> list[tuple[str, int]]:
        """Reason and number of cells, the largest first; what the time did not suffice for stands in `left_out`."""
        reasons: Counter[str] = Counter()
        for role in self.run.roles:
            if role.error:
                whose = "" if role.error.startswith(role.target) else f"{role.target} {role.role}: "
                reasons[whose + role.error] += max(0, role.cells - role.cells_run)
            for item in role.not_tested:
                if item.reason not in (OUT_OF_TIME, BROKEN_OFF):
                    reasons[item.reason] += item.cells
        return reasons.most_common()

    @property
    def counts(self) -> str:
        """How many findings of each grade, in words."""
        parts = [f"{self.failures} FAIL", f"{self.count(Grade.DEVIATION)} DEVIATION"]
        for grade in (Grade.WARNING, Grade.INCONCLUSIVE):
            if self.count(grade):
                parts.append(f"{self.count(grade)} {grade.value}")
        if self.accepted:
            parts.append(f"{len(self.accepted)} accepted")
        return " · ".join(parts)


def judge_run(run: Run, accept: tuple[Accepted, ...], fail_on: str, today: dt.date | None = None) -> Judgement:
    """The run with accepted findings taken out. today: None for the machine's date."""
    day = today or dt.datetime.now(tz=dt.UTC).date()
    opened: list[Finding] = []
    accepted: list[tuple[Finding, Accepted]] = []
    expired: list[tuple[Finding, Accepted]] = []
    for finding in run.findings:
        entries = [entry for entry in accept if entry.covers(finding.check, finding.target)]
        valid = next((entry for entry in entries if not entry.is_expired(day)), None)
        if valid is not None:
            accepted.append((finding, valid))
            continue
        opened.append(finding)
        expired += [(finding, entry) for entry in entries[:1]]
    kept = {id(finding) for finding in opened}
    roles = [replace(role, findings=[f for f in role.findings if id(f) in kept]) for role in run.roles]
    code = replace(run, roles=roles).exit_code(fail_on)
    return Judgement(run, tuple(opened), tuple(accepted), tuple(expired), Exit(code))


def break_off(run: Run, sizes: Mapping[tuple[str, str], int], done: Mapping[tuple[str, str], int]) -> None:
    """Put what an interruption cut off into the run. sizes, done: cells in all, and cells run, by target and role.

    What ran in a task that did not end is counted, although its result is lost.
    """
    for role in run.roles:
        key = (role.target, role.role)
        cells = max(role.cells, sizes.get(key, 0))
        role.cells_run = max(role.cells_run, min(cells, done.get(key, 0)))
        named = sum(item.cells for item in role.not_tested)
        rest = cells - role.cells_run - named
        role.cells = cells
        if rest > 0:
            role.not_tested.append(NotTested(BROKEN_OFF, rest))


def rows_text(role: RoleRun) -> str:
    """How many rows of the table were exercised."""
    return f"{sum(1 for count in role.exercised.values() if count)}/{role.rows} rows"
