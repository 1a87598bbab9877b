"""One task of an audit, run: its suite, then what is about no cell, schedules, comparisons and the application's calls.

Words run shortest first, and a check that has already been found to fail is not reported twice: so the first report is
the minimal one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from shakeproof.model.machine import Role
from shakeproof.properties.chain_audit import is_offered, offer_chains
from shakeproof.properties.complete import Pruning, reference, statement
from shakeproof.properties.confirmation import CONFIRMATIONS, confirm, distinguished, finding_of
from shakeproof.properties.conformance import UNTOLD, Outcome, Runner
from shakeproof.properties.conversation import calls_of
from shakeproof.properties.findings import OUT_OF_TIME, Grade
from shakeproof.properties.named import name_target
from shakeproof.properties.suites import Word, floods, fragments, truncations, whole
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import LateError, OutOfTimeError, Target, TargetError
from shakeproof.properties.tasks import (
    OLDER,
    Found,
    Partial,
    Progress,
    Said,
    Task,
    before_of,
    cells_of,
    is_complete,
    left_out,
    role_of,
    words_of,
)
from shakeproof.properties.truncation_audit import hear_status, is_heard, is_shown_by_status
from shakeproof.properties.verdicts import judge

PROGRESS_EVERY = 20
"""Words between two progress events: enough for a bar, cheap for a queue."""
SCHEDULES_FOUND_MOST = 3
"""Findings by schedules in one setup: a fault in how records are read shows at every input, each time as another."""
SCHEDULES_SHARE = 0.5
"""Of what is left of a task's time when its suite is done: schedules are few, and calls and comparisons come after."""
LEARNING_TIME_S = 30.0
"""For the machine of a target that deviates: its words are few, as long as its states are."""
DEVIATING_MOST = 20
"""Symbols beside the sound ones over which a machine is learned: each makes some hundred words more."""
UNDER_WAY = "what was under way, and what comes after it"
STARTS = 3
"""So many times the slowest start of a target that the probe saw is the least time of its tasks."""
LAST_S = 0.5
"""For the conversation, or the confirmation, that is under way when the time is over."""


def run_task(task: Task, deadline: float, say: Callable[[Said], None], *, until: float | None = None) -> Partial:
    """Run one role of one target in one setup until the deadline (of time.monotonic). until: the whole audit's."""
    role = role_of(task)
    if task.named is not None:
        name_target(task.named)
    target = open_target(task.target, task.rogue)
    end = deadline if until is None else until
    # Its share is enough for some starts, since one in which it can't even start is lost; and each is waited for.
    deadline = max(deadline, min(end, time.monotonic() + STARTS * task.start_s))
    target.start_by = end
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
        else:
            if is_heard(target, task.role, before_of(task)):
                # It may take what other tasks were to have: a program that starts slowly has no time for much else.
                longest = max(deadline, _half_way(end))
                target.until = longest + LAST_S
                hear_status(runner, longest, partial, say)
                target.until = deadline + LAST_S
            if is_offered(target, task.role, task.setup, before_of(task)):
                offer_chains(runner, deadline, partial, say)
        pruning = _run_words(runner, words, deadline, partial, say)
        if is_complete(task) and not task.hopeless:
            partial.kept = pruning.kept(words)
            partial.complete = statement(pruning, task.extra, words, left_out(words, partial), aside=OLDER)
            partial.learned = _learn(runner, pruning, deadline)
        if not task.hopeless:
            words = tuple(word for word in words if not word.suffix)
            _compare(runner, words, deadline, partial)
            _run_manners(runner, words, deadline, partial, say)
            _run_schedules(runner, deadline, partial, say)
        if target.offers_calls:
            _run_calls(runner, words, deadline, partial)
        partial.error = partial.error or (f"no honest handshake completed: {task.hopeless}" if task.hopeless else "")
        partial.ended = OUT_OF_TIME not in partial.not_tested and OUT_OF_TIME not in partial.beside
    except (OutOfTimeError, LateError):
        if OUT_OF_TIME not in partial.not_tested:
            for word in words[partial.done :]:
                partial.leave_out(word, OUT_OF_TIME)
        partial.leave_beside(UNDER_WAY)
    except TargetError as error:
        partial.error = str(error)
        if not task.hopeless:  # it worked when it was tried out: then this is no reason to forget its cells
            for word in words[partial.done :]:
                partial.leave_out(word, partial.error)
            partial.leave_beside(UNDER_WAY, partial.error)
    finally:
        target.until = math.inf
        if not target.is_probed:
            target.close()
    partial.seconds = time.monotonic() - began
    return partial


def _half_way(end: float) -> float:
    """When half of the time until then is over."""
    return (time.monotonic() + end) / 2


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
    from shakeproof.properties.asking import CutError  # AALpy only where it is needed
    from shakeproof.properties.learning import learn

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
        heard = is_heard(runner.target, runner.role.name, before_of(partial.task))
        partial.beside[UNTOLD] = [word.cell for word in ended if not (heard and is_shown_by_status(word))]
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
            try:
                if runner.prefix_fails(Word(prefix, configuration, symbol), talk) is None:
                    before = talk.oracle.fork()
                    exchange = talk.call(message)
                    problem = judge(exchange, before) if exchange is not None else None
                    before.release()
                    for row in talk.oracle.exercised:
                        partial.exercised[row] = partial.exercised.get(row, 0) + 1
                    known = {(finding.check, finding.grade) for finding in partial.findings}
                    if problem is not None and (problem.check, problem.grade) not in known:
                        partial.findings.append(
                            finding_of(runner, Word(prefix, configuration, symbol), problem, (1, 1))
                        )
            finally:
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
            partial.findings.append(distinguished(runner, Word(prefix, configuration, alike.symbols[0]), alike, seen))
            break


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
