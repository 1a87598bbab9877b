"""An audit: suites run against targets within a budget of time; findings confirmed, shrunk and told to a listener.

One task is one role of one target in one setup, so that tasks can run in processes of their own. Words run shortest
first, and a check that has already been found to fail is not reported twice: so the first report is the minimal one.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.notation import Alike, Kind
from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import UNTOLD, Difference, Outcome, Problem, Runner, judge
from shakeproof.properties.conversation import calls_of
from shakeproof.properties.findings import (
    OUT_OF_TIME,
    CellDone,
    Finding,
    FindingConfirmed,
    Grade,
    Listener,
    NotTested,
    RoleDone,
    RoleRun,
    RoleStarted,
    Run,
    ignore,
)
from shakeproof.properties.suites import Word, floods, fragments, quick, truncations, whole
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import Setup, TargetError
from shakeproof.properties.workers import run_in_processes, share_of

CONFIRMATIONS = 3
"""How often a finding is repeated before it is reported."""

PROGRESS_EVERY = 20
"""Words between two progress events: enough for a bar, cheap for a queue."""

DEFAULT_TIME_S = 60.0

OVERHEAD = 100
"""What a task costs beside its words, in words: a worker that reads the tables first, floods, fragments and calls."""


@dataclass(frozen=True)
class Task:
    """One role of one target in one setup. target, rogue: as on the command line, so that a process can find it."""

    target: str
    rogue: str
    role: str
    setup: Setup
    seed: int


@dataclass
class Partial:
    """What a task found."""

    task: Task
    cells: int = 0
    cells_run: int = 0
    words: int = 0
    seconds: float = 0.0
    exercised: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    not_tested: dict[str, list[str]] = field(default_factory=dict)
    error: str = ""


def audit(
    targets: Sequence[str],
    *,
    roles: Iterable[str] = (),
    rogue: str = "",
    suite: str = "quick",
    time_s: float = DEFAULT_TIME_S,
    seed: int = 0,
    jobs: int = 0,
    listener: Listener = ignore,
    command: str = "",
) -> Run:
    """Audit targets, by name. roles: empty for all that a target can take; jobs: processes, 0 for one per core.

    Raises TargetError for a name that is no target, ValueError for a suite that does not exist.
    """
    if suite != "quick":
        raise ValueError(f"there is no suite {suite!r}; there is quick")
    began = time.monotonic()
    run = Run(command, seed, time_s)
    tasks: list[Task] = []
    for name in targets:
        target = find_target(name, rogue=rogue)
        wanted = [role for role in target.roles if not roles or role in set(roles)]
        for role in wanted:
            run.roles.append(RoleRun(name, target.description, role, rows=len(ROLES[role].rows)))
            if ROLES[role].without:
                run.roles[-1].not_tested.append(NotTested(f"{', '.join(ROLES[role].without)} (no rows yet)", 0))
            tasks += [Task(name, rogue, role, setup, seed) for setup in target.setups(role)]
        if not wanted:
            run.roles.append(
                RoleRun(name, target.description, ", ".join(roles), error="the target does not take this role")
            )
    sizes = {
        (r.target, r.role): sum(len(words_of(t)) for t in tasks if (t.target, t.role) == (r.target, r.role))
        for r in run.roles
    }
    for item in run.roles:
        listener(RoleStarted(item.target, item.description, item.role, sizes[item.target, item.role]))
    board = Board(run, sizes, listener, tasks)
    deadline = began + time_s
    # A server at an address may take one connection at a time: its tasks come one after the other.
    alone = [task for task in tasks if not find_target(task.target, rogue=task.rogue).takes_many]
    together = [task for task in tasks if task not in alone]
    workers = min(jobs or os.cpu_count() or 1, len(together))
    weights = {task: (OVERHEAD + len(words_of(task))) * cost_of(task.setup) for task in tasks}
    try:
        if workers > 1:
            run_in_processes(run_task, together, weights, deadline, workers, board.hear)
        for task in alone if workers > 1 else tasks:
            share = share_of(task, weights, board.unfinished, deadline, 1)
            board.hear(run_task(task, time.monotonic() + share, board.hear))
    except KeyboardInterrupt:
        run.interrupted = True
    run.seconds = time.monotonic() - began
    return run


def words_of(task: Task) -> tuple[Word, ...]:
    """The words of a task, shortest first."""
    setups = find_target(task.target, rogue=task.rogue).setups(task.role)
    before = setups[: setups.index(task.setup)] if task.setup in setups else ()
    return quick(ROLES[task.role], task.setup, before)


def cost_of(setup: Setup) -> int:
    """What a word costs, roughly: a session needs a first connection, a renegotiation goes on, DHE takes long."""
    return (2 if setup.session or setup.renegotiation else 1) * (2 if setup.key_exchange == "dhe" else 1)


def _same(result: RoleRun, task: Task) -> bool:
    return (result.target, result.role) == (task.target, task.role)


@dataclass(frozen=True)
class Progress:
    """Words that a task has run so far."""

    task: Task
    done: int


@dataclass(frozen=True)
class Found:
    """A finding that a task has just confirmed."""

    task: Task
    finding: Finding


Said: TypeAlias = Progress | Found | Partial


class Board:
    """Where everything that tasks say comes together: keeps the run up to date and tells the listener."""

    def __init__(
        self, run: Run, sizes: Mapping[tuple[str, str], int], listener: Listener, tasks: Sequence[Task]
    ) -> None:
        self.run, self.sizes, self.listener = run, sizes, listener
        self.unfinished = list(tasks)
        self._tasks = tuple(tasks)
        self._done: dict[Task, int] = {}
        self._failed: dict[Task, str] = {}

    def hear(self, said: Said) -> None:
        """One thing that a task says."""
        if isinstance(said, Progress):
            self._done[said.task] = said.done
            key = (said.task.target, said.task.role)
            total = sum(n for task, n in self._done.items() if (task.target, task.role) == key)
            self.listener(CellDone(*key, total, self.sizes[key]))
        elif isinstance(said, Found):
            self._finding(said.task, said.finding)
        else:
            self._finish(said)

    def _result(self, task: Task) -> RoleRun:
        return next(result for result in self.run.roles if _same(result, task))

    def _finding(self, task: Task, finding: Finding) -> None:
        result = self._result(task)
        if (finding.check, finding.grade) not in {(known.check, known.grade) for known in result.findings}:
            result.findings.append(finding)
            self.listener(FindingConfirmed(finding))

    def _finish(self, partial: Partial) -> None:
        task = partial.task
        result = self._result(task)
        for finding in partial.findings:
            self._finding(task, finding)
        result.cells_run += partial.cells_run
        result.words += partial.words
        result.seconds += partial.seconds
        result.exercised.update(partial.exercised)
        if partial.error:
            self._failed[task] = partial.error
        else:
            result.cells += partial.cells
            result.setups += (task.setup.text,)
            result.not_tested += [
                NotTested(why, len(cells), tuple(cells[:5])) for why, cells in partial.not_tested.items()
            ]
        rows = ROLES[task.role].by_id
        for row_id in result.exercised:
            row = rows.get(row_id)
            if row is not None and row.level is Level.MAY and row.kind in (Kind.RECV, Kind.SEND):
                result.notes[row_id] = row.title
        self.unfinished.remove(task)
        if not any(_same(result, other) for other in self.unfinished):
            self._conclude(result)

    def _conclude(self, result: RoleRun) -> None:
        """A role in which no setup works is not tested; where one does, the others are only not tested."""
        own = [task for task in self._tasks if _same(result, task)]
        failed = {task: self._failed[task] for task in own if task in self._failed}
        if len(failed) == len(own):
            result.error = next(iter(failed.values()))
        else:
            result.not_tested += [NotTested(f"{task.setup.text}: {why}", 0) for task, why in failed.items()]
        self.listener(RoleDone(result))


# ----------------------------------------------------------------------------------------------------------- one task


def run_task(task: Task, deadline: float, say: Callable[[Said], None]) -> Partial:
    """Run one role of one target in one setup until the deadline (of time.monotonic)."""
    began = time.monotonic()
    partial = Partial(task)
    role = ROLES[task.role]
    target = find_target(task.target, rogue=task.rogue)
    runner = Runner(target, role, task.setup, task.seed)
    words = words_of(task)
    partial.cells = len(words)
    try:
        _run_words(runner, words, deadline, partial, say)
        _run_manners(runner, words, deadline, partial, say)
        _run_calls(runner, words, partial)
        _compare(runner, words, partial)
    except TargetError as error:
        partial.error = str(error)
    finally:
        target.close()
    partial.seconds = time.monotonic() - began
    return partial


def _run_words(
    runner: Runner, words: Sequence[Word], deadline: float, partial: Partial, say: Callable[[Said], None]
) -> None:
    found: set[tuple[str, Grade]] = set()
    for index, word in enumerate(words):
        if time.monotonic() > deadline:
            partial.not_tested[OUT_OF_TIME] = [left.cell for left in words[index:]]
            return
        if index % PROGRESS_EVERY == 0:
            say(Progress(partial.task, index))
        outcome = runner.run(word)
        partial.words += 1
        for row in outcome.exercised:
            partial.exercised[row] = partial.exercised.get(row, 0) + 1
        if outcome.meaningless:
            partial.cells -= 1
            continue
        if outcome.unreached:
            partial.not_tested.setdefault(outcome.unreached, []).append(word.cell)
            if outcome.problem is not None and not word.prefix:
                partial.error = f"no honest handshake: {outcome.problem.why}"
        else:
            partial.cells_run += 1
        problem = outcome.problem
        if problem is not None and (problem.check, problem.grade) not in found:
            found.add((problem.check, problem.grade))
            finding = confirm(runner, word, problem)
            partial.findings.append(finding)
            say(Found(partial.task, finding))
    say(Progress(partial.task, len(words)))


def _run_manners(
    runner: Runner, words: Sequence[Word], deadline: float, partial: Partial, say: Callable[[Said], None]
) -> None:
    """Words that are about no cell: what leads nowhere, repeated; messages that are cut up; and the transport's end."""
    first = runner.setup == runner.target.setups(runner.role.name)[0]
    repeated = floods(runner.role, words) if first else []
    found = {(finding.check, finding.grade) for finding in partial.findings}
    every = whole(runner.role, runner.setup)
    ended = truncations(runner.role, every)
    if not runner.target.tells_end:
        partial.not_tested[UNTOLD] = [word.cell for word in ended]
        ended = []
    # What is cut up is tried in every setup: what a server is under a name shows only where it asks for something.
    for word in (*repeated, *fragments(runner.role, every), *ended):
        if time.monotonic() > deadline:
            partial.not_tested.setdefault(OUT_OF_TIME, []).append(word.cell)
            continue
        outcome = runner.run(word)
        problem = outcome.problem
        partial.words += not (outcome.unreached or outcome.meaningless)
        if outcome.untold:
            partial.not_tested.setdefault(outcome.untold, []).append(word.cell)
        if problem is not None and (problem.check, problem.grade) not in found:
            found.add((problem.check, problem.grade))
            finding = confirm(runner, word, problem)
            partial.findings.append(finding)
            say(Found(partial.task, finding))


def _run_calls(runner: Runner, words: Sequence[Word], partial: Partial) -> None:
    """The application's own calls, in each configuration, where the target offers a way to make them."""
    for configuration, prefix in dict.fromkeys((word.configuration, word.prefix) for word in words):
        for message in calls_of(runner.role):
            symbol = message.symbol()
            if not runner.role.enabled(configuration, symbol):
                continue
            talk = runner.open()
            if runner.prefix_fails(Word(prefix, configuration, symbol), talk) is None:
                before = talk.oracle.fork()
                exchange = talk.call(message)
                problem = judge(exchange, before) if exchange is not None else None
                before.release()
                for row in talk.oracle.exercised:
                    partial.exercised[row] = partial.exercised.get(row, 0) + 1
                known = {(finding.check, finding.grade) for finding in partial.findings}
                if problem is not None and (problem.check, problem.grade) not in known:
                    partial.findings.append(_finding(runner, Word(prefix, configuration, symbol), problem, (1, 1)))
            talk.dispose()


def _compare(runner: Runner, words: Sequence[Word], partial: Partial) -> None:
    """Inputs that must be answered alike, wherever a prefix leads to a row that reads them."""
    for alike in runner.role.alike:
        worse = {finding.input for finding in partial.findings if finding.grade in (Grade.CRASH, Grade.WENT_ON)}
        if worse & {symbol.text for symbol in alike.symbols}:
            continue  # one of them is let pass, which has been said; then it is no wonder that they differ
        for configuration, prefix in dict.fromkeys((word.configuration, word.prefix) for word in words):
            if runner.compare(prefix, alike) is None:
                continue
            again = [runner.compare(prefix, alike) for _ in range(CONFIRMATIONS)]
            seen = [difference for difference in again if difference is not None]
            partial.findings.append(_distinguished(runner, Word(prefix, configuration, alike.symbols[0]), alike, seen))
            break


def _distinguished(runner: Runner, word: Word, alike: Alike, seen: Sequence[Difference]) -> Finding:
    confirmed = len(seen) == CONFIRMATIONS
    clause = runner.role.quotes.resolve(alike.authority, runner.role.name)[0]
    names = " and ".join(symbol.text for symbol in alike.symbols)
    title = f"{names} in {word.configuration.state.name}: answered differently"
    got = (
        f"to {seen[0].one.text}: {'; '.join(seen[0].to_one)}. To {seen[0].other.text}: {'; '.join(seen[0].to_other)}"
        if seen
        else "the same answers when it was repeated"
    )
    check = f"{runner.role.name}-ALIKE-{'-'.join(value.name for s in alike.symbols for value in s.defects)}"
    grade = Grade.DISTINGUISHES if confirmed else Grade.INCONCLUSIVE
    recorded = runner.run(replace(word, symbol=seen[-1].other if seen else word.symbol), record=True)
    talk = recorded.conversation or runner.open(True)
    return Finding(
        id=_id(runner, check, grade, word),
        check="".join(c if c.isalnum() else "-" for c in check.upper()),
        grade=grade,
        title=title,
        role=runner.role.name,
        target=runner.target.name,
        setup=runner.setup.text,
        state=word.configuration.state.name,
        input=names,
        expected="the same answers",
        got=got,
        clause=clause.reference,
        sentence=clause.sentence,
        word=word.text,
        shrunk_from=len(word.text),
        seen=(len(seen), CONFIRMATIONS),
        trace=talk.trace(f"{grade.value}: {title}", clause.reference),
    )


def _id(runner: Runner, check: str, grade: Grade, word: Word) -> str:
    key = "|".join((runner.role.name, runner.target.name, check, grade.value, *word.text))
    return hashlib.sha256(key.encode()).hexdigest()[:6]


def confirm(runner: Runner, word: Word, problem: Problem) -> Finding:
    """Repeat the word; give the finding with a recorded run, INCONCLUSIVE where it does not repeat."""
    again = 0
    outcome = Outcome()
    for _ in range(CONFIRMATIONS):
        outcome = runner.run(word, record=True)
        other = outcome.problem
        again += other is not None and (other.check, other.grade) == (problem.check, problem.grade)
    if again < CONFIRMATIONS:
        problem = Problem(Grade.INCONCLUSIVE, problem.exchange, f"{problem.why}, {again} of {CONFIRMATIONS} times")
    return _finding(runner, word, problem, (again, CONFIRMATIONS), outcome)


def _finding(
    runner: Runner, word: Word, problem: Problem, seen: tuple[int, int], outcome: Outcome | None = None
) -> Finding:
    clause = problem.clause
    exchange = problem.exchange
    role: Role = runner.role
    symbol = exchange.symbol
    what = f"{symbol.text} in {exchange.state}" if symbol else f"in {exchange.state}"
    title = f"{what}: {problem.why}" + (f" ({problem.how})" if problem.how else "")
    talk = outcome.conversation if outcome else None
    told = f"{title}. {clause.reference}." if clause else f"{title}."
    expected = problem.expected or "an honest handshake"
    return Finding(
        id=_id(runner, problem.check, problem.grade, word),
        check=problem.check,
        grade=problem.grade,
        title=title,
        role=role.name,
        target=runner.target.name,
        setup=runner.setup.text,
        state=exchange.state,
        input=symbol.text if symbol else "",
        expected=expected,
        got=exchange.got if not problem.how else f"{exchange.got}; afterwards: {problem.why}",
        clause=clause.reference if clause else "",
        sentence=clause.sentence if clause else "",
        word=word.text,
        shrunk_from=len(talk.steps) if talk else len(word.text),
        seen=seen,
        trace=(talk or runner.open(True)).trace(
            f"{problem.grade.value}: {symbol.text if symbol else problem.why}",
            told,
        ),
        level=problem.row.level.value if problem.row else "MUST",
    )
