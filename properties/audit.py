"""An audit: suites run against targets within a budget of time; findings confirmed, shrunk and told to a listener.

One task is one role of one target in one setup, so that tasks can run in processes of their own. Words run shortest
first, and a check that has already been found to fail is not reported twice: so the first report is the minimal one.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.messages import ClientHello, old_version
from shakeproof.model.notation import Alike, Kind, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.properties.complete import EXTRA_MOST, Pruning, complete, reference, statement
from shakeproof.properties.conformance import UNTOLD, Difference, Outcome, Problem, Runner, judge
from shakeproof.properties.conversation import calls_of
from shakeproof.properties.executors import run_in_executor
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
from shakeproof.properties.marking import cited
from shakeproof.properties.named import NamedTarget, name_target, named_target
from shakeproof.properties.probe import TIME_SHARE, probe
from shakeproof.properties.suites import Word, floods, fragments, quick, truncations, whole
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import OutOfTimeError, Setup, Target, TargetError
from shakeproof.properties.workers import run_in_processes, share_of

CONFIRMATIONS = 3
"""How often a finding is repeated before it is reported."""

PROGRESS_EVERY = 20
"""Words between two progress events: enough for a bar, cheap for a queue."""

DEFAULT_TIME_S = 60.0
SCHEDULES_FOUND_MOST = 3
"""Findings by schedules in one setup: a fault in how records are read shows at every input, each time as another."""
SCHEDULES_SHARE = 0.5
"""Of what is left of a task's time when its suite is done: schedules are few, and calls and comparisons come after."""
LEARNING_TIME_S = 30.0
"""For the machine of a target that deviates: its words are few, as long as its states are."""
DEVIATING_MOST = 20
"""Symbols beside the sound ones over which a machine is learned: each makes some hundred words more."""
SUITES = ("quick", "full")

FAILURES_LIMIT = 3
"""So often a prefix leads nowhere, and it is not tried again: each time may cost the longest wait."""

LAST_S = 0.5
"""For the conversation, or the confirmation, that is under way when the time is over."""
AGAIN_S = 1.0
"""Less than this is not enough for a task to go on with."""

OLDER = "the target speaks a version before TLS 1.2 too, which is another protocol"

BESIDE = f"{OUT_OF_TIME} for all that comes beside the cells"
OVERHEAD = 100
"""What a task costs beside its words, in words: a worker that reads the tables first, floods, fragments and calls."""


@dataclass(frozen=True)
class Task:
    """One role of one target in one setup. target, rogue: as on the command line, so that a process can find it.

    begun: what an earlier run of the same task found, to go on from.
    before: setups that are tried too, None for all that the target has before this one; named: what the target's name
    stands for in the user's file; hopeless: why no honest handshake completes, so that only the first words tell
    anything; speaks_older: whether the target takes a version before TLS 1.2; extra: states beyond the table's that a
    complete suite looks for.
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


@dataclass
class Partial:
    """What a task found. done: words of the suite that it has behind it; ended: whether it did all that it could.

    cells: those that apply, which are `cells_run` and those in `not_tested`, once it is over; beside: words that are
    about no cell of their own and were not run, by reason; kept: of a complete suite's pruning (`Pruning.kept`).
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
    learned: Any = None
    kept: dict[str, list[int]] = field(default_factory=dict)
    failed: dict[tuple[Symbol, ...], tuple[int, str]] = field(default_factory=dict)
    """Prefixes that lead nowhere: how often, and why."""

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
        """Whether the target would answer the word by another protocol."""
        hellos = (symbol for symbol in word.inputs if symbol.message is ClientHello)
        return self.task.speaks_older and any(symbol.has(old_version) for symbol in hellos)

    def has_failed(self, prefix: tuple[Symbol, ...]) -> bool:
        """Whether a prefix has led nowhere so often that it is not tried again."""
        return self.failed.get(prefix, (0, ""))[0] >= FAILURES_LIMIT


def audit(
    targets: Sequence[str],
    *,
    roles: Iterable[str] = (),
    rogue: str = "",
    suite: str = "quick",
    extra_states: int = 1,
    time_s: float = DEFAULT_TIME_S,
    seed: int = 0,
    jobs: int = 0,
    listener: Listener = ignore,
    command: str = "",
    begun: Callable[[Task], Partial | None] = lambda _: None,
    overhear: Callable[[Said], None] = lambda _: None,
    executor: Executor | None = None,
) -> Run:
    """Audit targets, by name. roles: empty for all that a target can take; jobs: processes, 0 for one per core.

    begun: what an earlier run found of a task; overhear: is told all that tasks say; executor: does the tasks instead
    of processes of this machine, `jobs` at a time.

    Raises TargetError for a name that is no target, ValueError for a suite that does not exist.
    """
    if suite not in SUITES:
        raise ValueError(f"there is no suite {suite!r}; there are {', '.join(SUITES)}")
    if not 0 <= extra_states <= EXTRA_MOST:
        raise ValueError(f"{extra_states} extra states: a complete suite looks for 0 to {EXTRA_MOST}")
    began = time.monotonic()
    run = Run(command, seed, time_s)
    plan = Plan(run, seed, rogue, suite, extra_states, began + time_s, begun)
    try:
        for name in targets:
            plan.add(name, tuple(roles), began + time_s * TIME_SHARE)
        _execute(plan, began + time_s, jobs, listener, overhear, executor)
    except KeyboardInterrupt:
        run.interrupted = True
    finally:
        close_targets()
    run.seconds = time.monotonic() - began
    return run


class Plan:
    """What is to be done: the tasks of each role of each target. alone: tasks that come one after the other."""

    def __init__(
        self,
        run: Run,
        seed: int,
        rogue: str,
        suite: str,
        extra: int,
        until: float,
        begun: Callable[[Task], Partial | None],
    ) -> None:
        self.run, self.seed, self.rogue, self.suite, self.extra = run, seed, rogue, suite, extra
        self.until, self.begun = until, begun
        self.tasks: list[Task] = []
        self.alone: list[Task] = []

    def add(self, name: str, roles: tuple[str, ...], deadline: float) -> None:
        """Plan a target in these roles, or in all. What it takes part in is found out until the deadline."""
        target = open_target(name, self.rogue)
        target.start_s = patience(self.until)
        try:
            wanted = [role for role in target.roles if not roles or role in roles]
            if target.takes_one_role and len(wanted) > 1:
                raise TargetError(
                    f"{name!r} may be a server or a client; say which with --role server or --role client"
                )
            for role in wanted:
                self._add_role(target, name, role, deadline)
            if not wanted:
                error = "the target does not take this role"
                self.run.roles.append(RoleRun(name, target.description, ", ".join(roles), error=error))
        finally:
            if not target.is_probed:
                target.close()

    def _add_role(self, target: Target, name: str, role: str, deadline: float) -> None:
        result = RoleRun(name, target.description, role, rows=len(ROLES[role].rows))
        self.run.roles.append(result)
        if ROLES[role].without:
            result.not_tested.append(NotTested(f"{', '.join(ROLES[role].without)} (no rows yet)", 0))
        named = named_target(name)
        if named is not None and named.suites and self.suite not in named.suites:
            result.error = f"the settings want only {' and '.join(named.suites)} for it, not {self.suite}"
            return
        try:
            probed = probe(target, ROLES[role], self.seed, deadline)
        except TargetError as error:
            result.error = str(error)
            return
        if target.is_probed:
            self.run.facts = {**self.run.facts, f"{name} as {role}": probed.text}
        result.error = f"no honest handshake completed: {probed.hopeless}" if probed.hopeless else ""
        result.not_tested += [NotTested(f"{setup.text}: {why}", 0) for setup, why in probed.declined]
        for index, setup in enumerate(probed.setups):
            before = probed.setups[:index]
            hopeless = probed.hopeless
            older = probed.speaks_older
            task = Task(
                name, self.rogue, role, setup, self.seed, before, named, hopeless, older, self.suite, self.extra
            )
            task = replace(task, begun=self.begun(task))
            self.tasks.append(task)
            if not probed.takes_many:
                self.alone.append(task)


def _execute(
    plan: Plan,
    deadline: float,
    jobs: int,
    listener: Listener,
    overhear: Callable[[Said], None],
    executor: Executor | None,
) -> None:
    """Run all tasks of the plan that an earlier run has not done."""
    run, tasks, alone = plan.run, plan.tasks, plan.alone
    sizes = {
        (r.target, r.role): sum(len(cells_of(t)) for t in tasks if (t.target, t.role) == (r.target, r.role))
        for r in run.roles
    }
    for item in run.roles:
        listener(RoleStarted(item.target, item.description, item.role, sizes[item.target, item.role]))
    board = Board(run, sizes, listener, tasks)
    for item in run.roles:
        if not sizes[item.target, item.role]:
            listener(RoleDone(item))

    def hear(said: Said) -> None:
        board.hear(said)
        overhear(said)

    def hear_whole(partial: Partial) -> None:
        hear(Progress(partial.task, partial.done))
        hear(partial)

    for task in tasks:
        if task.begun is not None and task.begun.ended:
            hear_whole(replace(task.begun, task=task))
    tasks = list(board.unfinished)
    # A server at an address may take one connection at a time: its tasks come one after the other.
    together = [task for task in tasks if task not in alone]
    workers = min(jobs or os.cpu_count() or 1, len(together))
    weights = {task: (OVERHEAD + len(words_of(task))) * cost_of(task.setup) for task in tasks}

    def again(partial: Partial) -> Task | None:
        """The task that goes on, where it was cut short to leave others their time and some is left now."""
        task = partial.task
        if partial.ended or partial.error or deadline - time.monotonic() < AGAIN_S:
            return None
        hear(Progress(task, partial.done, replace(partial.so_far, kept={})))
        weights[task] = (OVERHEAD + len(words_of(task)) - partial.done) * cost_of(task.setup)
        return replace(task, begun=partial)

    def lose(task: Task) -> None:
        """The time is over for a task that has not begun, or does not end."""
        hear(board.cut_short(task))

    try:
        if executor is not None:
            run_in_executor(executor, run_task, together, weights, deadline, jobs or 1, hear_whole)
        elif workers > 1:
            close_targets()
            run_in_processes(run_task, together, weights, deadline, workers, hear, again=again, lose=lose)
        waiting = [task for task in tasks if task in alone or (workers <= 1 and executor is None)]
        while waiting:
            share = share_of(waiting[0], weights, waiting, deadline, 1)
            task = waiting.pop(0)
            if share <= 0:
                lose(task)
                continue
            partial = run_task(task, time.monotonic() + share, hear)
            more = again(partial)
            if more is not None:
                waiting.append(more)
            else:
                hear(partial)
    except KeyboardInterrupt:
        board.break_off()
        raise


_open: dict[str, Target] = {}
"""Targets of this process that run on from one task to the next: starting one takes longer than many a task."""


def open_target(name: str, rogue: str = "") -> Target:
    """The target of that name, the one that this process has, if it is one that runs on."""
    if name in _open and not rogue:
        return _open[name]
    target = find_target(name, rogue=rogue)
    if target.is_probed:
        close_targets()
        _open[name] = target
    return target


def close_targets() -> None:
    """Stop what runs on."""
    while _open:
        _open.popitem()[1].close()


def patience(deadline: float) -> float:
    """Seconds for a target to start, where all is over at the deadline: half of what is left, and a second at least."""
    return max(1.0, (deadline - time.monotonic()) / 2)


def words_of(task: Task) -> tuple[Word, ...]:
    """The words of a task, shortest first."""
    role, before = ROLES[task.role], before_of(task)
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


def cost_of(setup: Setup) -> int:
    """What a word costs, roughly: a session needs a first connection, a renegotiation goes on, DHE takes long."""
    return (2 if setup.session or setup.renegotiation else 1) * (2 if setup.key_exchange == "dhe" else 1)


def _same(result: RoleRun, task: Task) -> bool:
    return (result.target, result.role) == (task.target, task.role)


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


class Board:
    """Where everything that tasks say comes together: keeps the run up to date and tells the listener."""

    def __init__(
        self, run: Run, sizes: Mapping[tuple[str, str], int], listener: Listener, tasks: Sequence[Task]
    ) -> None:
        self.run, self.sizes, self.listener = run, sizes, listener
        self.unfinished = list(tasks)
        self._tasks = tuple(tasks)
        self._so_far: dict[Task, Partial] = {}
        self._failed: dict[Task, str] = {}

    def hear(self, said: Said) -> None:
        """One thing that a task says."""
        if isinstance(said, Progress):
            if said.so_far is not None:
                self._so_far[said.task] = said.so_far
            self._tell(said.task.target, said.task.role)
        elif isinstance(said, Found):
            self._finding(said.task, said.finding)
        elif said.task in self.unfinished:
            self._so_far[said.task] = said
            self._tell(said.task.target, said.task.role)
            self._finish(said)

    def _tell(self, target: str, role: str) -> None:
        """How many cells have run, of those that apply as far as that is known."""
        known = [(t, p) for t, p in self._so_far.items() if (t.target, t.role) == (target, role)]
        fewer = sum(len(cells_of(task)) - (0 if partial.error else partial.cells) for task, partial in known)
        run = sum(partial.cells_run for _, partial in known if not partial.error)
        self.listener(CellDone(target, role, run, self.sizes[target, role] - fewer))

    def cut_short(self, task: Task) -> Partial:
        """What is known of a task that does not end in time, with all that it leaves out."""
        partial = self._so_far.get(task)
        partial = (
            replace(partial.so_far, task=task) if partial is not None else Partial(task, cells=len(cells_of(task)))
        )
        words = words_of(task)
        if OUT_OF_TIME not in partial.not_tested and OUT_OF_TIME not in partial.beside:
            for word in words[partial.done :]:
                partial.leave_out(word, OUT_OF_TIME)
            partial.leave_beside("what comes after the suite")
        if is_complete(task) and not task.hopeless:
            pruning = Pruning(reference(ROLES[task.role], task.setup))
            partial.complete = statement(pruning, task.extra, words, left_out(words, partial), aside=OLDER)
        return partial

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
        self._add(result, partial)
        if partial.error:
            self._failed[task] = partial.error
        self.unfinished.remove(task)
        if not any(_same(result, other) for other in self.unfinished):
            self._conclude(result)

    def break_off(self) -> None:
        """Count what tasks that did not end have done."""
        for task, partial in self._so_far.items():
            if task in self.unfinished:
                self._add(self._result(task), partial)

    def _add(self, result: RoleRun, partial: Partial) -> None:
        task = partial.task
        result.words += partial.words
        result.seconds += partial.seconds
        result.exercised.update(partial.exercised)
        if not partial.error:
            result.cells += partial.cells
            result.cells_run += partial.cells_run
            result.setups += (task.setup.text,)
            result.complete += (partial.complete,) if partial.complete else ()
            result.learned += (partial.learned,) if partial.learned is not None else ()
            result.not_tested += [
                NotTested(why, len(cells), tuple(cells[:5])) for why, cells in partial.not_tested.items()
            ]
            result.not_tested += [
                NotTested(BESIDE if why == OUT_OF_TIME else why, 0, tuple(words[:5]))
                for why, words in partial.beside.items()
            ]
        rows = ROLES[task.role].by_id
        for row_id in result.exercised:
            row = rows.get(row_id)
            objected = row is not None and any(finding.check.startswith(row.code) for finding in result.findings)
            if row is not None and row.level is Level.MAY and row.kind in (Kind.RECV, Kind.SEND) and not objected:
                result.notes[row_id] = row.title

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
    role = ROLES[task.role]
    if task.named is not None:
        name_target(task.named)
    target = open_target(task.target, task.rogue)
    target.start_s = patience(deadline)
    target.until = deadline + LAST_S
    runner = Runner(target, role, task.setup, task.seed)
    words = words_of(task)
    partial = Partial(task, cells=len(cells_of(task)))
    if task.begun is not None:
        partial = replace(task.begun.so_far, task=replace(task, begun=None), findings=list(task.begun.findings))
        partial.go_on()
    began = time.monotonic() - partial.seconds
    for finding in partial.findings:
        say(Found(partial.task, finding))
    try:
        if task.hopeless:
            words = first_words(role, words)
            if task.begun is None:
                partial.cells = sum(not word.suffix for word in words)
        pruning = _run_words(runner, words, deadline, partial, say)
        if is_complete(task) and not task.hopeless:
            partial.kept = pruning.kept(words)
            partial.complete = statement(pruning, task.extra, words, left_out(words, partial), aside=OLDER)
            partial.learned = _learn(runner, pruning, deadline)
        if not task.hopeless:
            words = tuple(word for word in words if not word.suffix)
            _run_manners(runner, words, deadline, partial, say)
            _run_schedules(runner, deadline, partial, say)
            _compare(runner, words, deadline, partial)
        if target.offers_calls:
            _run_calls(runner, words, deadline, partial)
        partial.error = partial.error or (f"no honest handshake completed: {task.hopeless}" if task.hopeless else "")
        partial.ended = OUT_OF_TIME not in partial.not_tested and OUT_OF_TIME not in partial.beside
    except OutOfTimeError:
        partial.leave_beside("what was under way, and what comes after it")
    except TargetError as error:
        partial.error = str(error)
    finally:
        target.until = math.inf
        if not target.is_probed:
            target.close()
    partial.seconds = time.monotonic() - began
    return partial


def left_out(words: Sequence[Word], partial: Partial) -> dict[str, list[str]]:
    """The words of the suite that were not tested, by reason."""
    own = {word.cell for word in words}
    found = {why: list(cells) for why, cells in partial.not_tested.items()}
    for why, cells in partial.beside.items():
        mine = [cell for cell in cells if cell in own]
        if mine:
            found.setdefault(why, []).extend(mine)
    return found


def first_words(role: Role, words: Sequence[Word]) -> tuple[Word, ...]:
    """The words of a target with which no handshake completes: those that need none, legal ones first."""

    def is_forbidden(word: Word) -> bool:
        return all(row.is_violation for row in role.enabled(word.configuration, word.symbol))

    return tuple(sorted((word for word in words if not word.prefix), key=is_forbidden))


def _run_words(
    runner: Runner, words: Sequence[Word], deadline: float, partial: Partial, say: Callable[[Said], None]
) -> Pruning:
    found = {(finding.check, finding.grade) for finding in partial.findings}
    began = time.monotonic() - partial.seconds
    pruning = Pruning(reference(runner.role, runner.setup))
    pruning.restore(partial.kept, words)
    for index, word in enumerate(words):
        if index < partial.done:
            continue
        partial.done = index
        if time.monotonic() > deadline:
            return _cut_off(words[index:], pruning, partial)
        if pruning.skips(word):
            partial.drop(word)
            continue
        if index % PROGRESS_EVERY == 0:
            partial.seconds = time.monotonic() - began
            say(Progress(partial.task, index, partial.so_far))
        known = partial.known_of(word)
        if known:
            partial.leave_out(word, known)
            continue
        try:
            outcome = runner.run(word)
            problem = outcome.problem
            is_new = problem is not None and (problem.check, problem.grade) not in found and not outcome.meaningless
            finding = confirm(runner, word, problem) if is_new and problem is not None else None
        except OutOfTimeError:
            return _cut_off(words[index:], pruning, partial)
        partial.words += 1
        pruning.heed(word, outcome)
        for row in outcome.exercised:
            partial.exercised[row] = partial.exercised.get(row, 0) + 1
        if outcome.meaningless:
            partial.drop(word)
            continue
        if outcome.unreached:
            partial.leave_out(word, outcome.unreached)
            partial.fails(word.prefix, outcome.unreached)
            if outcome.problem is not None and not word.prefix:
                partial.error = f"no honest handshake: {outcome.problem.why}"
        else:
            partial.cells_run += not word.suffix
        if problem is not None and finding is not None:
            found.add((problem.check, problem.grade))
            partial.findings.append(finding)
            say(Found(partial.task, finding))
            if partial.task.hopeless and finding.grade.is_failure:
                # Why no handshake completes; whatever else follows from that says nothing new.
                for left in words[index + 1 :]:
                    partial.drop(left)
                break
    partial.done = len(words)
    say(Progress(partial.task, len(words), partial.so_far))
    return pruning


def _cut_off(left: Sequence[Word], pruning: Pruning, partial: Partial) -> Pruning:
    """The time is over with these words left. Those that nobody needs to run are not missed when it goes on either."""
    for word in left:
        if not pruning.has_over(word):
            partial.leave_out(word, OUT_OF_TIME)
    return pruning


def _learn(runner: Runner, pruning: Pruning, deadline: float) -> Any:
    """Where the target behaved otherwise: its own machine, over the inputs that showed it too; else None."""
    left = deadline - time.monotonic()
    if not pruning.deviates or left <= 0:
        return None
    from shakeproof.properties.learning import CutError, learn  # AALpy only where it is needed

    besides = dict.fromkeys(s for word in pruning.deviates for s in (*word.prefix, word.symbol, *word.suffix))
    try:
        return learn(runner, list(besides)[:DEVIATING_MOST], time_s=min(left / 2, LEARNING_TIME_S))
    except (CutError, OutOfTimeError):
        return None


def _run_manners(
    runner: Runner, words: Sequence[Word], deadline: float, partial: Partial, say: Callable[[Said], None]
) -> None:
    """Words that are about no cell: what leads nowhere, repeated; messages that are cut up; and the transport's end."""
    before = partial.task.before
    first = runner.setup == runner.target.setups(runner.role.name)[0] if before is None else not before
    repeated = floods(runner.role, words) if first else []
    found = {(finding.check, finding.grade) for finding in partial.findings}
    every = whole(runner.role, runner.setup)
    ended = truncations(runner.role, every)
    if not runner.target.tells_end:
        partial.beside[UNTOLD] = [word.cell for word in ended]
        ended = []
    # What is cut up is tried in every setup: what a server is under a name shows only where it asks for something.
    for word in (*repeated, *fragments(runner.role, every), *ended):
        if time.monotonic() > deadline:
            partial.leave_beside(word.cell)
            continue
        outcome = runner.run(word)
        problem = outcome.problem
        partial.exercised.update({row: partial.exercised.get(row, 0) + 1 for row in outcome.exercised})
        partial.words += not (outcome.unreached or outcome.meaningless)
        if outcome.untold:
            partial.leave_beside(word.cell, outcome.untold)
        if problem is not None and (problem.check, problem.grade) not in found:
            found.add((problem.check, problem.grade))
            finding = confirm(runner, word, problem)
            partial.findings.append(finding)
            say(Found(partial.task, finding))


def _run_schedules(runner: Runner, deadline: float, partial: Partial, say: Callable[[Said], None]) -> None:
    """Words that travel otherwise, drawn by Hypothesis, until they show nothing new."""
    from shakeproof.properties.schedules import search  # Hypothesis only where it is needed

    def heed(_: Word, outcome: Outcome) -> None:
        partial.words += not (outcome.unreached or outcome.meaningless)

    left = deadline - time.monotonic()
    if left <= 0:
        partial.leave_beside("schedules")
        return
    end = time.monotonic() + left * SCHEDULES_SHARE
    known = {(finding.check, finding.grade) for finding in partial.findings}
    there = reference(runner.role, runner.setup)
    for _ in range(SCHEDULES_FOUND_MOST):
        found = search(runner, there, known, deadline=end, heed=heed, avoid=partial.is_of_another_version)
        if found is None:
            return
        word, problem = found
        known.add((problem.check, problem.grade))
        finding = confirm(runner, word, problem)
        partial.findings.append(finding)
        say(Found(partial.task, finding))


def _run_calls(runner: Runner, words: Sequence[Word], deadline: float, partial: Partial) -> None:
    """The application's own calls, in each configuration, where the target offers a way to make them."""
    for configuration, prefix in dict.fromkeys((word.configuration, word.prefix) for word in words):
        if time.monotonic() > deadline:
            partial.leave_beside(f"{configuration.state.name} x a call")
            continue
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


def _compare(runner: Runner, words: Sequence[Word], deadline: float, partial: Partial) -> None:
    """Inputs that must be answered alike, wherever a prefix leads to a row that reads them."""
    for alike in runner.role.alike:
        worse = {finding.input for finding in partial.findings if finding.grade in (Grade.CRASH, Grade.WENT_ON)}
        if worse & {symbol.text for symbol in alike.symbols}:
            continue  # one of them is let pass, which has been said; then it is no wonder that they differ
        for configuration, prefix in dict.fromkeys((word.configuration, word.prefix) for word in words):
            if time.monotonic() > deadline:
                names = " and ".join(symbol.text for symbol in alike.symbols)
                partial.leave_beside(f"{configuration.state.name} x {names}")
                break
            if partial.has_failed(prefix) or runner.compare(prefix, alike) is None:
                continue
            again = [runner.compare(prefix, alike) for _ in range(CONFIRMATIONS)]
            seen = [difference for difference in again if difference is not None]
            partial.findings.append(_distinguished(runner, Word(prefix, configuration, alike.symbols[0]), alike, seen))
            break


def alike_check(role: Role, alike: Alike) -> str:
    """The stable id of the check that these inputs are answered alike."""
    check = f"{role.name}-ALIKE-{'-'.join(value.name for s in alike.symbols for value in s.defects)}"
    return "".join(c if c.isalnum() else "-" for c in check.upper())


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
    check = alike_check(runner.role, alike)
    grade = Grade.DISTINGUISHES if confirmed else Grade.INCONCLUSIVE
    recorded = runner.run(replace(word, symbol=seen[-1].other if seen else word.symbol), record=True)
    talk = recorded.conversation or runner.open(True)
    return Finding(
        id=_id(runner, check, grade, word),
        check=check,
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
        trace=cited(
            (talk or runner.open(True)).trace(f"{problem.grade.value}: {symbol.text if symbol else problem.why}", told),
            clause,
            exchange.state,
            symbol,
        ),
        level=problem.row.level.value if problem.row else "MUST",
    )
