"""What a run comes to: verdict, counts, what was left out. The same for every report."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

from shakeproof.config import Accepted
from shakeproof.exits import Exit
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import BESIDE, OUT_OF_TIME, Finding, Grade, NotTested, RoleRun, Run
from shakeproof.reports.baseline import Baseline, Known
from shakeproof.reports.names import short_names

BROKEN_OFF = "interrupted"
"""The reason of cells that were not run because the user interrupted."""


@dataclass(frozen=True)
class Judgement:
    """A run after the accepted findings were taken out, and those that a baseline has.

    open: findings that count, worst first; accepted: those that the user's file accepts, each with its entry; expired:
    entries whose time is over although their finding is still there; idle: entries that accept nothing, although what
    they speak of was tested; known: findings that the baseline has too; fixed: what it has and this run has not;
    compared: whether there was a baseline; fail_on: what makes the run fail.
    """

    run: Run
    open: tuple[Finding, ...]
    accepted: tuple[tuple[Finding, Accepted], ...]
    expired: tuple[tuple[Finding, Accepted], ...]
    exit_code: Exit
    idle: tuple[Accepted, ...] = ()
    known: tuple[Finding, ...] = ()
    fixed: tuple[Known, ...] = ()
    compared: bool = False
    fail_on: str = "must"

    @property
    def verdict(self) -> str:
        """In capitals. What is known from a baseline is no news, but not conforming either."""
        if self.exit_code is Exit.INTERRUPTED:
            return "INTERRUPTED"
        if any(finding.grade.is_failure for finding in self.open):
            return "NOT CONFORMING"
        if any(not role.is_tested for role in self.run.roles) or not self.run.roles:
            return "NOT TESTED"
        return "NOTHING NEW" if any(finding.grade.is_failure for finding in self.known) else "CONFORMING"

    def fails(self, finding: Finding) -> bool:
        """Whether the finding alone makes the run fail: it is open and at or above `fail_on`, or no longer accepted."""
        if any(finding is other for other, _ in self.expired):
            return self.fail_on != "never"
        return any(finding is other for other in self.open) and is_counted(finding.grade, self.fail_on)

    @property
    def lapsed(self) -> str:
        """How many findings fail the run because their acceptance is over, in words; "" for none."""
        return (
            f"{len(self.expired)} no longer accepted, which fails" if self.expired and self.fail_on != "never" else ""
        )

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
        if broken or (late and self.run.interrupted):
            # What a task had no more time for, after the run was told to end, is the interruption's as well.
            return f"{cells_text(late + broken)} by the interruption"
        if late:
            return f"{cells_text(late)} for lack of time"
        beside = any(item.reason == BESIDE for role in self.run.roles for item in role.not_tested)
        return f"{'no cell' if beside else 'nothing'} for lack of time"

    @property
    def not_reached(self) -> str:
        """What did not run for other reasons than time, in words; "" where all did. `not_tested` has the reasons."""
        timed = (OUT_OF_TIME, BROKEN_OFF)
        cells = sum(
            max(0, role.cells - role.cells_run - sum(item.cells for item in role.not_tested if item.reason in timed))
            for role in self.run.roles
        )
        parts = [cells_text(cells)] if cells else []
        parts += [f"all of {self.names[role.target]} {role.role}" for role in self.run.roles if not role.cells]
        return ", ".join(parts)

    @property
    def command(self) -> str:
        """What repeats the run: the command with its seed."""
        command, seed = self.run.command, self.run.seed
        if "--seed" in command or "seed=" in command:
            return command
        return f"{command[:-1]}, seed={seed})" if command.endswith(")") else f"{command} --seed {seed}"

    @property
    def names(self) -> dict[str, str]:
        """The short name of each target."""
        return short_names(role.target for role in self.run.roles)

    @property
    def not_tested(self) -> list[tuple[str, int]]:
        """Reason and number of cells, the largest first; what the time did not suffice for stands in `left_out`.

        A reason that is not one of all roles says of which: a client's is a riddle to who looks at a server.
        """
        reasons: Counter[str] = Counter()
        whose: dict[str, dict[str, None]] = {}
        for role in self.run.roles:
            name = f"{role.target} {role.role}"
            if role.error:
                reasons[role.error] += max(0, role.cells - role.cells_run)
                named = role.error.startswith(role.target)
                whose.setdefault(role.error, {}).update({} if named else {name: None})
            for item in role.not_tested:
                if item.reason not in (OUT_OF_TIME, BROKEN_OFF):
                    reasons[item.reason] += item.cells
                    whose.setdefault(item.reason, {})[name] = None
        errors = {role.error for role in self.run.roles}
        every = len({f"{role.target} {role.role}" for role in self.run.roles})

        def told(reason: str) -> str:
            names = whose[reason]
            tells = names and (reason in errors or len(names) < every)
            return f"{', '.join(names)}: {reason}" if tells else reason

        return [(told(reason), cells) for reason, cells in reasons.most_common()]

    @property
    def counts(self) -> str:
        """How many findings of each grade, in words."""
        parts = [f"{self.failures} FAIL", f"{self.count(Grade.DEVIATION)} DEVIATION"]
        for grade in (Grade.WARNING, Grade.INCONCLUSIVE):
            if self.count(grade):
                parts.append(f"{self.count(grade)} {grade.value}")
        if self.accepted:
            parts.append(f"{len(self.accepted)} accepted")
        if self.lapsed:
            parts.append(self.lapsed)
        if self.compared:
            parts.append(f"{len(self.known)} known · {len(self.fixed)} fixed")
        return " · ".join(parts)


def is_counted(grade: Grade, fail_on: str) -> bool:
    """Whether a finding of the grade makes a run fail."""
    return fail_on != "never" and (grade.is_failure or (fail_on == "deviation" and grade is Grade.DEVIATION))


def judge_run(
    run: Run,
    accept: tuple[Accepted, ...],
    fail_on: str,
    today: dt.date | None = None,
    baseline: Baseline | None = None,
) -> Judgement:
    """The run with accepted findings taken out, and what the baseline has too. today: None for the machine's date.

    An entry whose time is over fails the run as long as its finding is there, whatever its grade: that is what the date
    is for.
    """
    day = today or dt.datetime.now(tz=dt.UTC).date()
    opened: list[Finding] = []
    accepted: list[tuple[Finding, Accepted]] = []
    expired: list[tuple[Finding, Accepted]] = []
    known: list[Finding] = []
    for finding in run.findings:
        entries = [entry for entry in accept if entry.covers(finding.check, finding.target)]
        valid = next((entry for entry in entries if not entry.is_expired(day)), None)
        if valid is not None:
            accepted.append((finding, valid))
            continue
        expired += [(finding, entry) for entry in entries[:1]]
        if baseline is not None and not entries and baseline.has(finding):
            known.append(finding)
        else:
            opened.append(finding)
    kept = {id(finding) for finding in opened}
    roles = [replace(role, findings=[f for f in role.findings if id(f) in kept]) for role in run.roles]
    code = replace(run, roles=roles).exit_code(fail_on)
    if expired and fail_on != "never" and code != Exit.INTERRUPTED:
        code = Exit.FINDINGS
    idle = tuple(entry for entry in accept if _is_idle(entry, run))
    fixed = baseline.fixed(run) if baseline is not None else ()
    return Judgement(
        run, tuple(opened), tuple(accepted), tuple(expired), Exit(code), idle, tuple(known), fixed,
        baseline is not None, fail_on,
    )  # fmt: skip


def _is_idle(entry: Accepted, run: Run) -> bool:
    """Whether the entry accepts nothing, although all that it could speak of was tested to the end."""
    if any(entry.covers(finding.check, finding.target) for finding in run.findings):
        return False
    spoken_of = [role for role in run.roles if entry.target in ("", role.target) and _can_speak_of(entry, role.role)]
    tested = all(role.is_tested and not role.left_out for role in spoken_of)
    return bool(spoken_of) and tested and not run.interrupted


def _can_speak_of(entry: Accepted, role: str) -> bool:
    """Whether the entry's rule can be one of the role: a rule begins with its role's name."""
    begin = entry.rule.split("*")[0].upper()
    names = {name: f"{name.upper().replace('.', '-')}-" for name in ROLES}
    others = [name for name in names if name != role and begin.startswith(names[name])]
    return not others


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


def cells_text(count: int) -> str:
    """So many cells."""
    return f"{count} cell{'' if count == 1 else 's'}"


def rows_text(role: RoleRun) -> str:
    """How many rows of the table were exercised."""
    return f"{sum(1 for count in role.exercised.values() if count)}/{role.rows} rows"
