"""A finding: what is wrong with a step, repeated before it is reported, with a recorded run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from shakeproof.model.machine import Role
from shakeproof.model.notation import Alike
from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import Difference, Outcome, Runner
from shakeproof.properties.conversation import Conversation
from shakeproof.properties.decisive import Decisive, decisive, explained
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.marking import cited
from shakeproof.properties.suites import Word
from shakeproof.properties.verdicts import Problem

CONFIRMATIONS = 3
"""How often a finding is repeated before it is reported."""


def alike_check(role: Role, alike: Alike) -> str:
    """The stable id of the check that these inputs are answered alike."""
    check = f"{role.name}-ALIKE-{'-'.join(value.name for s in alike.symbols for value in s.defects)}"
    return "".join(c if c.isalnum() else "-" for c in check.upper())


def distinguished(runner: Runner, word: Word, alike: Alike, seen: Sequence[Difference]) -> Finding:
    """The finding that inputs which must be answered alike are not; INCONCLUSIVE where it does not repeat."""
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
    talk = recorded.conversation or _begun(runner)
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
        readings=_readings(runner.role),
    )


def _begun(runner: Runner) -> Conversation:
    """A conversation of which nothing was recorded, already over."""
    talk = runner.open(True)
    talk.dispose()
    return talk


def _readings(role: Role) -> tuple[str, ...]:
    """The readings of its table that are in force beside the usual ones."""
    usual = ROLES[role.name].default_readings if role.name in ROLES else role.default_readings
    return tuple(sorted(role.default_readings - usual))


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
    talk = outcome.conversation
    after = decisive(runner, word, problem, talk) if talk is not None else None
    return finding_of(runner, word, problem, (again, CONFIRMATIONS), outcome, after)


def finding_of(
    runner: Runner,
    word: Word,
    problem: Problem,
    seen: tuple[int, int],
    outcome: Outcome | None = None,
    after: Decisive | None = None,
) -> Finding:
    """The finding. seen: how often it was seen, and tried; outcome: of the run to show, None for none; after: the input
    before the refused one that makes the difference.
    """
    clause = next(iter(after.clauses), problem.clause) if after else problem.clause
    exchange = problem.exchange
    role: Role = runner.role
    symbol = exchange.symbol
    what = f"{symbol.text} in {exchange.state}" if symbol else f"in {exchange.state}"
    under = problem.how.partition(", under ")[2]  # the rest of it says again what `why` says
    title = (
        f"{what}: {problem.why}" + (f" (under {under})" if under else "") + (f", after {after.text}" if after else "")
    )
    talk = outcome.conversation if outcome else None
    told = f"{title}. {clause.reference}." if clause else f"{title}."
    trace = (talk or _begun(runner)).trace(f"{problem.grade.value}: {symbol.text if symbol else problem.why}", told)
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
        trace=explained(trace, after) if after else cited(trace, clause, exchange.state, symbol),
        level=problem.row.level.value if problem.row else "MUST",
        readings=_readings(role),
    )
