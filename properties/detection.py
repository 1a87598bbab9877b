"""How the planted faults are found: each rogue by each engine, until its first failure; and the clean implementation.

A job is one rogue (or none), one engine and one seed, so that jobs can run in processes of their own. The suite stops
at its first failing finding; where there is none, the first of a lower grade counts. Hypothesis stops by itself.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context

from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.safety import grade_of
from shakeproof.properties.targets import find_target
from shakeproof.properties.task_run import run_task
from shakeproof.properties.tasks import Found, Said, Task, words_of

SUITE, HYPOTHESIS = "suite", "hypothesis"
ENGINES: dict[str, str] = {
    SUITE: "the suite that an audit runs, shortest words first",
    HYPOTHESIS: "the Hypothesis machines of `shakeproof test`, profile ci",
}
"""Every engine by name, with what it is."""

CLEAN = ""
"""The name of the implementation without any planted fault."""

TARGET = "shakeproof"
TIME_LIMIT_S = 600.0
"""For one job of the suite: far more than a whole suite takes, so that it only ends a hang."""

SILENT = frozenset({Grade.NOTE, Grade.INCONCLUSIVE})
"""Grades that accuse nobody."""


@dataclass(frozen=True)
class Job:
    """One rogue (CLEAN for none) before one engine, with one seed."""

    rogue: str
    engine: str
    seed: int


@dataclass(frozen=True)
class Detection:
    """What came of a job.

    found: whether anything was objected to; verdict: the grade; what: the check or the property; clause: what it rests
    on; steps: messages (of the suite) or rules (of Hypothesis) until then, shrunk: how many are left of them; seconds:
    until then, or in all where nothing was found.
    """

    job: Job
    found: bool
    verdict: str = ""
    what: str = ""
    clause: str = ""
    steps: int = 0
    shrunk: int = 0
    seconds: float = 0.0


class _EnoughError(Exception):
    """A failing finding was told: the rest of the suite need not run."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.id)
        self.finding = finding


def detect(job: Job) -> Detection:
    """Run one job. Raises KeyError for an engine or a rogue that does not exist."""
    if job.rogue and job.rogue not in ROGUES:
        raise KeyError(job.rogue)
    return {SUITE: _by_suite, HYPOTHESIS: _by_hypothesis}[job.engine](job)


def _by_suite(job: Job) -> Detection:
    began = time.monotonic()
    target = find_target(TARGET, rogue=job.rogue)
    roles = ROGUES[job.rogue].roles if job.rogue else target.roles
    steps = 0
    lower: tuple[Finding, int, float] | None = None

    def hear(said: Said) -> None:
        if isinstance(said, Found) and said.finding.grade.is_failure:
            raise _EnoughError(said.finding)

    for task in (Task(TARGET, job.rogue, role, setup, job.seed) for role in roles for setup in target.setups(role)):
        try:
            findings: Sequence[Finding] = run_task(task, time.monotonic() + TIME_LIMIT_S, hear).findings
        except _EnoughError as enough:
            findings = (enough.finding,)
        accusing = sorted((f for f in findings if f.grade not in SILENT), key=lambda f: f.grade.weight)
        if accusing:
            sent = steps + _steps_until(task, accusing[0])
            if accusing[0].grade.is_failure:
                return _of_finding(job, accusing[0], sent, time.monotonic() - began)
            lower = lower or (accusing[0], sent, time.monotonic() - began)
        steps += sum(len(word.text) for word in words_of(task))
    if lower is not None:
        return _of_finding(job, *lower)
    return Detection(job, False, steps=steps, seconds=time.monotonic() - began)


def _steps_until(task: Task, finding: Finding) -> int:
    """Messages sent until the finding's word had been run; the task's comparisons come after all words."""
    total = 0
    for word in words_of(task):
        total += len(word.text)
        if word.text == finding.word and finding.grade is not Grade.DISTINGUISHES:
            break
    return total


def _of_finding(job: Job, finding: Finding, steps: int, seconds: float) -> Detection:
    return Detection(
        job, True, finding.grade.value, finding.check, finding.clause, steps, len(finding.word), round(seconds, 3)
    )


def _by_hypothesis(job: Job) -> Detection:
    from shakeproof.properties.stateful import run_properties

    began = time.monotonic()
    run = run_properties(profile="ci", rogue=job.rogue, seed=job.seed, jobs=1)
    seconds = time.monotonic() - began
    if not run.failures:
        return Detection(job, False, steps=run.tally.steps, seconds=seconds)
    failure = run.failures[0]
    verdict = grade_of(failure.found_as)
    return Detection(
        job, True, verdict, failure.property, failure.clause, run.tally.steps, failure.calls, round(seconds, 3)
    )


def jobs_for(rogues: Iterable[str], engines: Iterable[str], seeds: Iterable[int]) -> Iterator[Job]:
    """Every rogue before every engine with every seed; those that no suite shows before Hypothesis alone."""
    engines, seeds = tuple(engines), tuple(seeds)
    for rogue in rogues:
        for seed in seeds:
            for engine in engines:
                if engine != SUITE or rogue == CLEAN or ROGUES[rogue].is_in_suites:
                    yield Job(rogue, engine, seed)


def detect_all(jobs: Sequence[Job], workers: int, tell: Callable[[Detection], object]) -> list[Detection]:
    """Run the jobs in so many processes; each result is told as it comes, and all are given in the jobs' order."""
    if workers <= 1:
        done = []
        for job in jobs:
            done.append(detect(job))
            tell(done[-1])
        return done
    results: dict[Job, Detection] = {}
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(detect, job) for job in jobs]
        try:
            for future in as_completed(futures):
                detection = future.result()
                results[detection.job] = detection
                tell(detection)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return [results[job] for job in jobs]


@dataclass(frozen=True)
class Row:
    """One line of the table: a rogue before one engine, over all seeds. Steps and seconds are medians."""

    rogue: str
    engine: str
    found: int
    seeds: int
    first: Detection
    steps: int
    shrunk: int
    seconds: float
    slowest_s: float

    @property
    def is_right(self) -> bool:
        """Found with every seed; the clean implementation with none."""
        return self.found == (self.seeds if self.rogue else 0)


def rows_of(detections: Sequence[Detection]) -> list[Row]:
    """The table's lines, in the order in which the detections name them."""
    groups: dict[tuple[str, str], list[Detection]] = {}
    for detection in detections:
        groups.setdefault((detection.job.rogue, detection.job.engine), []).append(detection)
    rows = []
    for (rogue, engine), group in groups.items():
        hits = [detection for detection in group if detection.found]
        counted = hits or group
        rows.append(
            Row(
                rogue,
                engine,
                len(hits),
                len(group),
                counted[0],
                round(statistics.median(d.steps for d in counted)),
                round(statistics.median(d.shrunk for d in counted)),
                statistics.median(d.seconds for d in counted),
                max(d.seconds for d in counted),
            )
        )
    return rows
