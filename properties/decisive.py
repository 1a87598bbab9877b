"""Which input before a refused one makes the difference: one that is legal, and after which what is due is refused.

A finding is named by the step that went wrong. Where a target takes an input, and refuses the honest ones behind it,
the standard's sentence on the refused one says nothing of the fault; that on the input before it does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from shakeproof.model.clauses import Clause, Level
from shakeproof.model.machine import Configuration
from shakeproof.model.notation import STAY, Row, Symbol
from shakeproof.model.tls12 import ROUND, again
from shakeproof.model.trace import Step, Trace
from shakeproof.properties.conformance import Runner
from shakeproof.properties.conversation import TESTER, Conversation
from shakeproof.properties.demands import binding_first, meaning_of
from shakeproof.properties.findings import Grade
from shakeproof.properties.suites import USUAL, Word
from shakeproof.properties.targets.base import TargetError
from shakeproof.properties.verdicts import Problem, telling


@dataclass(frozen=True)
class Decisive:
    """An input without which the refused one is taken.

    at: its place among the inputs, from 0; row: that it was read by; way: how it travelled, "" for the usual way;
    renegotiates: whether a later handshake was under way.
    """

    at: int
    symbol: Symbol
    row: Row
    way: str = ""
    renegotiates: bool = False

    @property
    def text(self) -> str:
        """The input in words."""
        meaning = meaning_of(self.symbol)
        where = " in a renegotiation" if self.renegotiates else ""
        return f"{self.symbol.text}{f' ({meaning})' if meaning else ''}{self.way}{where}"

    @property
    def clauses(self) -> tuple[Clause, ...]:
        """What makes it legal, the clause that binds the target first.

        () where something else may be to blame: it leads elsewhere, it was cut up on its way, or that it is taken is no
        MUST.
        """
        leads_nowhere = self.row.next is STAY and not self.row.outputs
        return (
            telling(binding_first(self.row.clauses))
            if leads_nowhere and not self.way and self.row.level is Level.MUST
            else ()
        )


def decisive(runner: Runner, word: Word, problem: Problem, talk: Conversation) -> Decisive | None:
    """The input of the word that makes the difference; None where the refused one alone does, or none of them is it.

    talk: the recorded run that ended with the problem.
    """
    if problem.grade is not Grade.REFUSED_VALID or problem.exchange.symbol is None or word.fragment:
        return None
    inputs = [step for step in talk.steps if step.sender == TESTER]
    before = min(len(word.inputs), len(inputs) - 1)
    begin = 0 if word.deliveries else len(word.prefix)
    ways = word.deliveries or (USUAL,) * len(word.inputs)
    try:
        for at in reversed(range(begin, before)):
            row = next((row for row in runner.role.rows if row.id == inputs[at].row), None)
            if row is None:
                continue
            where = _taken_without(runner, word, at, problem, inputs, is_usual=ways[at] == USUAL)
            if where is not None:
                renegotiates = any(
                    here.state is not runner.role.accepting
                    and runner.role.remembered(here).get(ROUND.name) == again.bit
                    for here in where
                )
                return Decisive(at, word.inputs[at], row, ways[at].text, renegotiates)
    except TargetError:  # no time, or no such target any more: the finding stands without it
        return None
    return None


def _taken_without(
    runner: Runner, word: Word, at: int, problem: Problem, inputs: Sequence[Step], *, is_usual: bool
) -> tuple[Configuration, ...] | None:
    """Where the target may be at that input, if without it all is taken to the end, what was refused too; else None.

    An input that travelled in another way than usual is not taken away, but sent in the usual way.
    """
    refused = inputs[-1]
    talk = runner.open(True)
    where: tuple[Configuration, ...] = ()
    try:
        if talk.unprepared or not runner.takes(talk, None):
            return None
        for index, symbol in enumerate(word.inputs[: len(inputs)]):
            if index == at:
                where = talk.oracle.configurations
            if (index != at or not is_usual) and not runner.takes(talk, symbol):
                return None
        if runner.go_on(talk, [], word.chosen or runner.chosen) is not None:
            return None
        return where if _count(talk.steps, refused) >= _count(inputs, refused) else None
    finally:
        talk.dispose()


def _count(steps: Sequence[Step], like: Step) -> int:
    """How often such a message was sent in such a state."""
    return sum(step.sender == TESTER and (step.message, step.before) == (like.message, like.before) for step in steps)


def explained(trace: Trace, found: Decisive) -> Trace:
    """The trace, in which the decisive input says what it is and what makes it legal."""
    return replace(trace, steps=tuple(_explained(trace.steps, found)))


def _explained(steps: Sequence[Step], found: Decisive) -> Iterator[Step]:
    sent = -1
    for step in steps:
        sent += step.sender == TESTER
        if step.sender == TESTER and sent == found.at:
            said = [f"{clause.reference}: {clause.sentence}" for clause in found.clauses]
            note = " ".join(["what comes behind this is refused; without it, it is taken.", *said])
            clause = found.clauses[0].short if found.clauses else step.clause
            yield replace(step, note=note, clause=clause)
        else:
            yield step
