"""An audit: suites run against targets within a budget of time; findings confirmed, shrunk and told to a listener.

First the plan: what each target takes part in is found out, and gives its tasks. Then they run, in processes of their
own where the target allows that, and the board puts together what they say.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace

from shakeproof.model.clauses import Level
from shakeproof.model.notation import Kind
from shakeproof.model.roles import ROLES
from shakeproof.properties.complete import EXTRA_MOST, Pruning, reference, statement
from shakeproof.properties.executors import run_in_executor
from shakeproof.properties.findings import (
    BESIDE,
    OUT_OF_TIME,
    CellDone,
    Finding,
    FindingConfirmed,
    Listener,
    NotTested,
    RoleDone,
    RoleRun,
    RoleStarted,
    Run,
    ignore,
)
from shakeproof.properties.forked import EndedError, run_forked
from shakeproof.properties.named import named_target
from shakeproof.properties.probe import NO_TIME, TIME_SHARE, Probed, probe
from shakeproof.properties.targets.base import Setup, Target, TargetError
from shakeproof.properties.task_run import close_targets, open_target, run_task
from shakeproof.properties.tasks import (
    OLDER,
    Found,
    Partial,
    Progress,
    Said,
    Task,
    cells_of,
    is_complete,
    left_out,
    role_of,
    words_of,
)
from shakeproof.properties.workers import run_in_processes, share_of

DEFAULT_TIME_S = 60.0
SUITES = ("quick", "full")
AGAIN_S = 1.0
"""Less than this is not enough for a task to go on with."""
START_LEAST_S = 1.0
"""For a target to start, however little time there is."""
ENDED = "the process that tested it has ended ({}); a stack that ends its own process is contained as exec:COMMAND"
OVERHEAD = 100
"""What a task costs beside its words, in words: a worker that reads the tables first, floods, fragments and calls."""


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
    plan = Plan(run, seed, rogue, suite, extra_states, began + time_s, begun, jobs)
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
        jobs: int = 0,
    ) -> None:
        self.jobs = jobs
        self.run, self.seed, self.rogue, self.suite, self.extra = run, seed, rogue, suite, extra
        self.until, self.begun = until, begun
        self.tasks: list[Task] = []
        self.alone: list[Task] = []

    def add(self, name: str, roles: tuple[str, ...], deadline: float) -> None:
        """Plan a target in these roles, or in all. What it takes part in is found out until the deadline."""
        target = open_target(name, self.rogue)
        target.start_by = max(self.until, time.monotonic() + START_LEAST_S)
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
            if is_contained(target, self.jobs):
                probed = run_forked(lambda _: _probed_and_closed(target, role, self.seed, deadline))
            else:
                probed = probe(target, ROLES[role], self.seed, deadline)
        except EndedError as error:
            result.error = ENDED.format(error)
            return
        except TargetError as error:
            result.error = str(error)
            return
        if target.is_probed:
            self.run.facts = {**self.run.facts, f"{name} as {role}": probed.text}
        result.error = f"no honest handshake completed: {probed.hopeless}" if probed.hopeless else ""
        result.not_tested += [NotTested(f"{setup.text}: {why}", 0) for setup, why in probed.declined]
        if not probed.hopeless:
            self._leave_out(result, probed)
        for index, setup in enumerate(probed.setups):
            before = probed.setups[:index]
            hopeless = probed.hopeless
            older = probed.speaks_older
            task = Task(
                name, self.rogue, role, setup, self.seed, before, named, hopeless, older, self.suite, self.extra
            )
            task = replace(task, begun=self.begun(task), start_s=target.slowest_start_s)
            self.tasks.append(task)
            if target.is_single or not probed.takes_many:
                self.alone.append(task)

    def _leave_out(self, result: RoleRun, probed: Probed) -> None:
        """Count what there was no time to find out about: it may be something that the target takes part in."""
        for setup in (setup for setup, why in probed.declined if why == NO_TIME):
            cells = [
                word.cell
                for word in cells_of(Task(result.target, self.rogue, result.role, setup, self.seed, probed.setups))
            ]
            result.cells += len(cells)
            result.not_tested.append(NotTested(OUT_OF_TIME, len(cells), tuple(cells[:5])))


def is_contained(target: Target, jobs: int) -> bool:
    """Whether the target is kept from ending this process. Where all is to run in one, for a debugger, it is not."""
    return target.may_end_us and jobs != 1


def _probed_and_closed(target: Target, role: str, seed: int, deadline: float) -> Probed:
    try:
        return probe(target, ROLES[role], seed, deadline)
    finally:
        target.close()


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
    run.words_before = sum(task.begun.words for task in tasks if task.begun is not None)
    sizes = {
        (r.target, r.role): sum(len(cells_of(t)) for t in tasks if (t.target, t.role) == (r.target, r.role))
        for r in run.roles
    }
    for item in run.roles:
        listener(RoleStarted(item.target, item.description, item.role, sizes[item.target, item.role]))
    board = Board(run, sizes, listener, tasks, deadline - run.time_s)
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

    def broken(task: Task, how: str) -> None:
        """The task has ended the process that it ran in."""
        board.give_up(task, ENDED.format(how))

    run_one = functools.partial(run_task, until=deadline)
    try:
        if executor is not None:
            run_in_executor(executor, run_task, together, weights, deadline, jobs or 1, hear_whole)
        elif workers > 1:
            close_targets()
            run_in_processes(run_one, together, weights, deadline, workers, hear, again=again, lose=lose, broken=broken)
        waiting = [task for task in tasks if task in alone or (workers <= 1 and executor is None)]
        while waiting:
            share = share_of(waiting[0], weights, waiting, deadline, 1)
            task = waiting.pop(0)
            if share <= 0:
                lose(task)
                continue
            end = time.monotonic() + share
            try:
                if is_contained(open_target(task.target, task.rogue), jobs):
                    result = run_forked(functools.partial(_run_and_close, run_one, task, end), hear)
                else:
                    result = run_one(task, end, hear)
            except EndedError as error:
                broken(task, str(error))
                continue
            more = again(result)
            if more is not None:
                waiting.append(more)
            else:
                hear(result)
    except KeyboardInterrupt:
        board.break_off()
        raise


def _run_and_close(
    run: Callable[[Task, float, Callable[[Said], None]], Partial], task: Task, end: float, say: Callable[[Said], None]
) -> Partial:
    try:
        return run(task, end, say)
    finally:
        close_targets()


def cost_of(setup: Setup) -> int:
    """What a word costs, roughly: a session needs a first connection, a renegotiation goes on, DHE takes long."""
    return (2 if setup.session or setup.renegotiation else 1) * (2 if setup.key_exchange == "dhe" else 1)


def _same(result: RoleRun, task: Task) -> bool:
    return (result.target, result.role) == (task.target, task.role)


class Board:
    """Where everything that tasks say comes together: keeps the run up to date and tells the listener.

    began: when the audit did, of time.monotonic.
    """

    def __init__(
        self,
        run: Run,
        sizes: Mapping[tuple[str, str], int],
        listener: Listener,
        tasks: Sequence[Task],
        began: float,
    ) -> None:
        self.run, self.sizes, self.listener, self.began = run, sizes, listener, began
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
        fewer = sum(len(cells_of(task)) - (partial.cells if partial.counts else 0) for task, partial in known)
        run = sum(partial.cells_run for _, partial in known if partial.counts)
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
            pruning = Pruning(reference(role_of(task), task.setup))
            partial.complete = statement(pruning, task.extra, words, left_out(words, partial), aside=OLDER)
        return partial

    def give_up(self, task: Task, why: str) -> None:
        """The task will never end: its role is not tested, whatever else is known of it."""
        partial = self._so_far.get(task)
        partial = replace(partial.so_far, task=task) if partial is not None else Partial(task)
        self._result(task).error = why
        self.hear(replace(partial, error=why))

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
                result = self._result(task)
                result.wall_s = time.monotonic() - self.began
                self._add(result, partial)

    def _add(self, result: RoleRun, partial: Partial) -> None:
        task = partial.task
        result.words += partial.words
        result.seconds += partial.seconds
        rows = ROLES[task.role].by_id  # a row of another reading is none of those that are counted
        result.exercised.update({row_id: times for row_id, times in partial.exercised.items() if row_id in rows})
        if not partial.error:
            self._count(result, partial)
        for row_id in result.exercised:
            row = rows[row_id]
            objected = any(finding.check.startswith(row.code) for finding in result.findings)
            if row.level is Level.MAY and row.kind in (Kind.RECV, Kind.SEND) and not objected:
                result.notes[row_id] = row.title

    def _count(self, result: RoleRun, partial: Partial) -> None:
        """Add the cells of a task, run or not."""
        result.cells += partial.cells
        result.cells_run += partial.cells_run
        result.setups += (partial.task.setup.text,)
        result.complete += (partial.complete,) if partial.complete else ()
        result.learned += (partial.learned,) if partial.learned is not None else ()
        result.not_tested += [NotTested(why, len(cells), tuple(cells[:5])) for why, cells in partial.not_tested.items()]
        result.not_tested += [
            NotTested(BESIDE if why == OUT_OF_TIME else why, 0, tuple(words[:5]))
            for why, words in partial.beside.items()
        ]

    def _conclude(self, result: RoleRun) -> None:
        """A role in which no setup works is not tested; where one does, the others are only not tested."""
        result.wall_s = time.monotonic() - self.began
        own = [task for task in self._tasks if _same(result, task)]
        failed = {task: self._failed[task] for task in own if task in self._failed}
        if len(failed) == len(own):
            result.error = next(iter(failed.values()))
        else:
            result.not_tested += [NotTested(f"{task.setup.text}: {why}", 0) for task, why in failed.items()]
            for task in failed:
                if self._so_far[task].counts:
                    self._count(result, self._so_far[task])
        self.listener(RoleDone(result))
