"""A saved finding again: the same word on a fresh connection, graded by today's tables."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from shakeproof.config import load
from shakeproof.console import visible
from shakeproof.exits import Exit, UsageError
from shakeproof.model.machine import Role
from shakeproof.model.notation import Alike, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.chain_audit import ChainRunner, Offer, plain_word
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.conversation import Conversation, calls_of
from shakeproof.properties.courses import courses
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.suites import Word, delivered, honest_prefixes, needed, plainly
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import Setup, Target, TargetError
from shakeproof.properties.truncation_audit import StatusRunner, is_of_status
from shakeproof.properties.verdicts import Problem, judge
from shakeproof.reports.again import STARTED
from shakeproof.store import SavedFinding

if TYPE_CHECKING:
    from collections.abc import Mapping

TRIES = 3
"""A finding is fixed where it is absent this often: as often as it was seen before it was reported."""

FIXED, FAILED, ERROR = "FIXED", "FAILED", "ERROR"


@dataclass(frozen=True)
class Replayed:
    """What came of a replay. status: FIXED, FAILED or ERROR; text: why; trace: the run, where there is one."""

    status: str
    text: str
    finding: Finding
    trace: Trace | None = None

    @property
    def exit_code(self) -> Exit:
        """0, 1 or 4."""
        return {FIXED: Exit.OK, FAILED: Exit.FINDINGS}.get(self.status, Exit.OURS)


def own_target(saved: SavedFinding) -> str:
    """The target that the finding was made on, where its file may decide that.

    A saved file is data only, and may come from anybody: raises UsageError where it names code that would be run.
    """
    name = saved.finding.target
    if name.startswith(STARTED):
        kind = "command" if name.startswith("exec:") else "Python module"
        raise UsageError(
            f"{saved.finding.id} was found on a {kind} ({visible(name)}), and none that stands in a file is run: "
            f"name it with --on (in Python with target=, for its test in SHAKEPROOF_ON), if it is yours"
        )
    return name


def replay(saved: SavedFinding, *, target: str = "", rogue: str | None = None) -> Replayed:
    """Run the finding's word again. target: another one than its own; rogue: another one than its own.

    The finding's own target is looked up by name, in the user's configuration too. Raises UsageError where that would
    be code named in the file.
    """
    finding = saved.finding
    name = load(Path.cwd()).connect(target or own_target(saved))
    # A rogue belongs to our implementation: on another target the finding's own does not apply.
    planted = rogue if rogue is not None else saved.rogue if name == "shakeproof" else ""
    try:
        there = find_target(name, rogue=planted)
    except TargetError as error:
        return Replayed(ERROR, str(error), finding)
    try:
        if not target and not there.is_local:
            raise UsageError(
                f"{finding.id} was found on {visible(name)}, which is not on this machine: name it yourself, "
                f"with --on (in Python with target=, for its test in SHAKEPROOF_ON)"
            )
        return _replay(saved, there)
    except TargetError as error:
        return Replayed(ERROR, f"the target can't be tested: {error}", finding)
    finally:
        there.close()


def _replay(saved: SavedFinding, target: Target) -> Replayed:
    finding = saved.finding
    table = ROLES.get(finding.role)
    if table is None or finding.role not in target.roles:
        return Replayed(ERROR, f"{target.name} does not take the role {finding.role!r}", finding)
    strange = [name for name in finding.readings if name not in table.readings]
    if strange:
        return Replayed(ERROR, f"the table of {table.name} has no reading {strange[0]!r} any more", finding)
    role = table.under(table.default_readings | set(finding.readings))
    setup = next((item for item in target.setups(finding.role) if item.text == finding.setup), None)
    if setup is None:
        known = "; ".join(item.text for item in target.setups(finding.role))
        return Replayed(ERROR, f"{target.name} can't be set up with {finding.setup!r}; it can with {known}", finding)
    inputs, offer = plain_word(finding)
    runner = _runner(finding, target, role, setup, saved.seed, offer)
    word = word_of(replace(finding, word=inputs), role, runner)
    if isinstance(word, str):
        return Replayed(ERROR, word, finding)
    alike = next((one for one in role.alike if _names(one) == finding.input and "-ALIKE-" in finding.check), None)
    if alike is not None:
        return _compare(finding, runner, word, alike)
    for _ in range(TRIES):
        problem, unreached, talk = _run(runner, word, finding.check)
        trace = talk.trace(f"replay of {finding.id}", finding.clause) if talk else None
        if problem is not None and problem.check == finding.check:
            same = "" if problem.grade is finding.grade else f" (it was {finding.grade.value})"
            return Replayed(FAILED, f"{problem.grade.value}{same}: {problem.why}", finding, trace)
        if problem is not None and (problem.grade.is_failure or not unreached):
            text = f"another problem at the same place: {problem.grade.value} {problem.check}: {problem.why}"
            return Replayed(FAILED, text, finding, trace)
        if unreached:
            return Replayed(ERROR, f"the place of the finding is not reached: {unreached}", finding, trace)
    return Replayed(FIXED, f"not seen in {TRIES} runs", finding, trace)


def _runner(finding: Finding, target: Target, role: Role, setup: Setup, seed: int, offer: Offer | None) -> Runner:
    """What runs words as they were run when the finding was made."""
    if offer is not None:
        return ChainRunner(target, role, setup, seed, offer)
    return (StatusRunner if is_of_status(finding) else Runner)(target, role, setup, seed)


def _names(alike: Alike) -> str:
    return " and ".join(symbol.text for symbol in alike.symbols)


def _compare(finding: Finding, runner: Runner, word: Word, alike: Alike) -> Replayed:
    """A finding about inputs that must be answered alike: only several runs together show it."""
    outcome = runner.run(word, record=True)
    if outcome.unreached:
        return Replayed(ERROR, f"the place of the finding is not reached: {outcome.unreached}", finding)
    for _ in range(TRIES):
        seen = runner.compare(word.prefix, alike)
        if seen is not None:
            trace = runner.shown(word.prefix, (seen.other, *alike.follow)).trace(
                f"replay of {finding.id}", finding.clause
            )
            told = f"to {seen.one.text}: {'; '.join(seen.to_one)}. To {seen.other.text}: {'; '.join(seen.to_other)}"
            return Replayed(FAILED, f"{Grade.DISTINGUISHES.value}: answered differently. {told}", finding, trace)
    return Replayed(FIXED, f"answered alike in {TRIES} runs", finding)


def word_of(finding: Finding, role: Role, runner: Runner) -> Word | str:
    """The finding's inputs as a word of today's table; why there is none, where the table has changed."""
    symbols: Mapping[str, Symbol] = {
        symbol.text: symbol for symbol in (*role.symbols, *(message.symbol() for message in calls_of(role)))
    }
    inputs, ways_to_travel = delivered(finding.word)
    inputs, manner = plainly(inputs)
    unknown = [text for text in inputs if text not in symbols]
    if unknown or not inputs:
        return f"its inputs are not in the alphabet of {role.name} any more: {', '.join(unknown) or 'it has none'}"
    sent = tuple(symbols[text] for text in inputs)
    ways = [(c, *one) for c in courses(runner.setup, role.name) for one in honest_prefixes(role, c).items()]
    for at in reversed(range(len(sent))):  # what a complete suite has behind the cell is its suffix
        prefix, last, suffix = sent[:at], sent[at], sent[at + 1 :]
        for course, configuration, way in ways:
            if (*way, *needed(role, configuration, last)) == prefix:
                return Word(prefix, configuration, last, course, *manner, suffix, ways_to_travel)
    return f"its first {len(sent) - 1} inputs are no honest way through {role.name} any more"


def _declined(outcome: Outcome, check: str) -> str:
    """Why the target never looked at what was wrong with the message; "" where it may have.

    So it is where the row that the finding is about reads something of the message, and the target took a row that
    reads nothing of it: a server that refuses to renegotiate says so whatever the ClientHello asks.
    """
    rows = outcome.exchange.rows if outcome.exchange is not None else ()
    own = [row for row in rows if check == row.code or check.startswith(f"{row.code}-")]
    taken = [row for row in rows if row.id in outcome.exercised]
    if not (own and all(row.pattern.guards for row in own) and taken) or any(row.pattern.guards for row in taken):
        return ""
    said = "; ".join(outcome.observed[:1]) or "nothing"
    return f"the target declines every {taken[0].pattern.message.name} there, whatever is wrong with it: it said {said}"


def _run(runner: Runner, word: Word, check: str) -> tuple[Problem | None, str, Conversation | None]:
    if word.symbol.message not in calls_of(runner.role):
        outcome = runner.run(word, record=True)
        why = outcome.unreached or outcome.meaningless or outcome.untold
        if not why and outcome.problem is None:
            why = _declined(outcome, check)
        return outcome.problem, why, outcome.conversation
    talk = runner.open(record=True)
    try:
        refused = runner.prefix_fails(word, talk)
        if refused is not None:
            return None, refused.why, talk
        before = talk.oracle.fork()
        exchange = talk.call(word.symbol.message)
        problem = judge(exchange, before) if exchange is not None else None
        before.release()
        return problem, "" if exchange is not None else "the target does not make this call", talk
    finally:
        talk.dispose()
