"""Verdicts: what a step says about a target.

A step that the oracle allows is fine. Otherwise the grade depends on what the input was and what came of it (the table
of grades is in ARCHITECTURE.md). A target that stays silent after something forbidden has not answered yet: the run
goes on under two shadow hypotheses, *it was ignored* and *it was taken as valid*, and under every key that the tester
might then share with the target. They only grade what follows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shakeproof.model.clauses import Clause, Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import Alert, ApplicationData, Certificate
from shakeproof.model.notation import Abort, Alike, Row, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.properties.conversation import Conversation, Exchange, chosen_values
from shakeproof.properties.findings import Grade
from shakeproof.properties.mapper.hypotheses import HONEST_KEYS, KeyHypothesis
from shakeproof.properties.suites import Word, honest_path
from shakeproof.properties.targets.base import Setup, Target

ALERTS = "7.2"
"""RFC 5246's section on alerts: it says how a fault is answered, and is named only where no other clause is."""


@dataclass(frozen=True)
class Problem:
    """What is wrong with a step, before it is confirmed.

    pending: only what follows can grade it. how: the hypothesis that fits what followed, for the title.
    """

    grade: Grade
    exchange: Exchange
    why: str
    how: str = ""
    pending: bool = False

    @property
    def row(self) -> Row | None:
        """The row that was broken."""
        return self.exchange.rows[0] if self.exchange.rows else None

    @property
    def check(self) -> str:
        """The stable id: the row's code; for `rest` with the message that it was about."""
        row = self.row
        if row is None:
            return "HONEST-HANDSHAKE"
        symbol = self.exchange.symbol
        return f"{row.code}-{symbol.message.name.upper()}" if row.is_rest and symbol else row.code

    @property
    def clause(self) -> Clause | None:
        """The clause that was broken; where only the alert is another one, the clause that names the alert."""
        clauses = self.row.clauses if self.row else ()
        if self.grade is Grade.DEVIATION and self.exchange.stopped and self.row is not None:
            alerts = [alert.name for alert in alerts_of((self.row,))]
            naming = [clause for clause in clauses if any(alert in clause.sentence for alert in alerts)]
            if naming:
                return naming[0]
            clauses = tuple(sorted(clauses, key=lambda clause: not clause.section.startswith(ALERTS)))
            return next((clause for clause in clauses if clause.sentence), clauses[0] if clauses else None)
        quoted = (clause for clause in clauses if clause.sentence and not clause.section.startswith(ALERTS))
        return next(quoted, clauses[0] if clauses else None)


def judge(exchange: Exchange, before: Oracle) -> Problem | None:
    """What is wrong with the step; None where nothing is. before: the oracle as it was before the input."""
    problem = _judge(exchange, before)
    if problem and exchange.rows and all(row.level is Level.SHOULD for row in exchange.rows) and not problem.pending:
        return replace(problem, grade=Grade.WARNING)
    return problem


def _judge(exchange: Exchange, before: Oracle) -> Problem | None:
    if exchange.reaction.crashed:
        return Problem(Grade.CRASH, exchange, "it died")
    if exchange.symbol is not None and not exchange.rows:
        return None
    if exchange.forbidden:
        return _judge_forbidden(exchange, before)
    if exchange.progress:
        return Problem(
            Grade.WRONG_OUTPUT, exchange, f"sent {exchange.progress[0].symbol.text}, which is not allowed here"
        )
    if exchange.unexplained or not exchange.closes_rightly:
        if exchange.ends:
            return Problem(Grade.DEVIATION, exchange, f"ended the connection, but with {exchange.got}")
        return Problem(Grade.REFUSED_VALID, exchange, "refused a legal input")
    if not exchange.settled:
        if exchange.reaction.exact:
            return Problem(Grade.HANG, exchange, "owes an answer and gives none")
        return Problem(Grade.INCONCLUSIVE, exchange, "no answer in time; silence that only a timer tells from slowness")
    return None


def _judge_forbidden(exchange: Exchange, before: Oracle) -> Problem | None:
    if exchange.reaction.delivered:
        return Problem(Grade.WENT_ON, exchange, "accepted application data")
    if exchange.progress:
        if explains(before, exchange):
            return Problem(Grade.DEVIATION, exchange, "ignored it", pending=not exchange.stopped)
        if is_about_certificate(exchange) and not exchange.carries_data:
            return Problem(
                Grade.DEVIATION, exchange, "went on, short of application data", pending=not exchange.stopped
            )
        return Problem(Grade.WENT_ON, exchange, f"answered with {exchange.progress[0].symbol.text}")
    if not exchange.unexplained and exchange.settled:
        return None
    if exchange.stopped:
        alerts = [item.symbol for item in exchange.seen if item.symbol.message is Alert]
        why = f"stopped with {alerts[0].text}" if alerts else "closed without an alert"
        return Problem(Grade.DEVIATION, exchange, why)
    return Problem(Grade.DEVIATION, exchange, "stayed silent", pending=True)


def is_about_certificate(exchange: Exchange) -> bool:
    """Whether the input's defect is one of a certificate: some stacks check it after Finished."""
    return exchange.symbol is not None and exchange.symbol.message is Certificate and bool(exchange.symbol.defects)


def explains(before: Oracle, exchange: Exchange) -> bool:
    """Whether all that came out fits what was allowed before the input."""
    other = before.fork()
    fits = all(other.send(item.symbol) for item in exchange.seen if item.symbol.message is not Alert)
    other.release()
    return fits


# ------------------------------------------------------------------------------------------------------- running words


@dataclass(frozen=True)
class Outcome:
    """What came of a word.

    unreached: why the cell was not reached, "" where it was; meaningless: why the symbol says nothing there, "" where
    it does; observed: what came out, step by step from the cell on.
    """

    problem: Problem | None = None
    unreached: str = ""
    meaningless: str = ""
    exercised: tuple[str, ...] = ()
    conversation: Conversation | None = None
    observed: tuple[str, ...] = ()


class Runner:
    """Runs words of one role and setup against one target."""

    def __init__(self, target: Target, role: Role, setup: Setup, seed: int) -> None:
        self.target, self.role, self.setup, self.seed = target, role, setup, seed
        self.chosen: tuple[Value, ...] = chosen_values(setup)

    def open(self, record: bool = False) -> Conversation:
        """A fresh connection."""
        return Conversation(self.target, self.role, self.setup, self.seed.to_bytes(8, "big"), record)

    def run(self, word: Word, *, record: bool = False) -> Outcome:
        """Run a word and grade it."""
        talk = self.open(record)
        try:
            return self._run(word, talk, record)
        finally:
            talk.dispose()

    def _run(self, word: Word, talk: Conversation, record: bool) -> Outcome:
        refused = self.prefix_fails(word, talk)
        if refused is not None:
            own = refused.exchange.symbol is None and not word.prefix
            return Outcome(refused if own else None, f"the honest prefix fails: {refused.why}", conversation=talk)
        meaningless = talk.peer.applicable(word.symbol)
        if meaningless:
            return Outcome(meaningless=meaningless, conversation=talk)
        before = talk.oracle.fork()
        exchange = talk.send(word.symbol)
        problem = judge(exchange, before)
        followed = [exchange.got]
        if problem is not None and problem.pending:
            problem, talk = self._probe(word, problem, record)
        elif problem is None and not exchange.forbidden and not talk.oracle.is_over:
            problem = self._go_on(talk, followed)
        before.release()
        return Outcome(problem, "", "", tuple(talk.oracle.exercised), talk, tuple(followed))

    def prefix_fails(self, word: Word, talk: Conversation) -> Problem | None:
        """Open the connection and send the word's honest prefix; what went wrong, None where nothing did."""
        problem = judge(talk.begin(), talk.oracle)
        if problem is not None:
            return problem
        for symbol in word.prefix:
            before = talk.oracle.fork()
            problem = judge(talk.send(symbol), before)
            before.release()
            if problem is not None:
                return problem
        here = talk.oracle.configurations
        if word.configuration not in here:
            where = ", ".join(c.state.name for c in here)
            return Problem(
                Grade.NOTE, talk.begin(), f"the target is in {where}, not in {word.configuration.state.name}"
            )
        return None

    def _go_on(self, talk: Conversation, followed: list[str]) -> Problem | None:
        """After a legal input: honestly on to the end, and data both ways."""
        open_ones = [c for c in talk.oracle.configurations if not self.role.is_final(c.state)]
        path = honest_path(self.role, open_ones[0], self.chosen) if open_ones else None
        if path is None:
            return None
        for symbol in (*path, ApplicationData.symbol()):
            before = talk.oracle.fork()
            exchange = talk.send(symbol)
            followed.append(exchange.got)
            problem = judge(exchange, before)
            before.release()
            if problem is not None:
                return None if problem.pending else problem
            if talk.oracle.is_over:
                return None
        return None

    # ------------------------------------------------------------------------------------------------- distinguishing

    def compare(self, prefix: tuple[Symbol, ...], alike: Alike) -> Difference | None:
        """How inputs that must be answered alike are told apart; None where they are not, or mean nothing here."""
        answers: dict[Symbol, tuple[str, ...]] = {}
        for symbol in alike.symbols:
            answer = self._answers(prefix, symbol, alike)
            if answer is not None:
                answers[symbol] = answer
        first = next(iter(answers), None)
        for symbol, answer in answers.items():
            if first is not None and answer != answers[first]:
                return Difference(alike, first, answers[first], symbol, answer)
        return None

    def _answers(self, prefix: tuple[Symbol, ...], symbol: Symbol, alike: Alike) -> tuple[str, ...] | None:
        talk = self.open()
        try:
            talk.begin()
            for before in prefix:
                talk.send(before)
            if talk.oracle.is_over or talk.peer.applicable(symbol) or not talk.role_reads(symbol):
                return None
            return tuple(talk.send(one).got for one in (symbol, *alike.follow))
        finally:
            talk.dispose()

    # ----------------------------------------------------------------------------------------------------- shadows

    def _probe(self, word: Word, first: Problem, record: bool) -> tuple[Problem | None, Conversation]:
        """Grade silence by what follows under each hypothesis."""
        trials = [self._trial(word, hypothesis, record) for hypothesis in self._hypotheses(word)]
        ignored = next(t for t in trials if t.is_ignored and t.keys == HONEST_KEYS)
        others = [t for t in trials if t is not ignored]
        certificate = is_about_certificate(first.exchange)
        taken = max(others, key=lambda t: t.reach, default=ignored)
        if ignored.reach == 2:
            return replace(first, why="ignored it and went on", how=ignored.text, pending=False), ignored.talk
        if taken.reach == 2:
            went_on = replace(first, grade=Grade.WENT_ON, why="took it as valid", how=taken.text, pending=False)
            return went_on, taken.talk
        if ignored.reach == 1:
            return replace(first, why="ignored it", how=ignored.text, pending=False), ignored.talk
        if taken.reach == 1:
            grade = Grade.DEVIATION if certificate else Grade.WENT_ON
            return replace(first, grade=grade, why="took it as valid", how=taken.text, pending=False), taken.talk
        stopped = [t for t in trials if t.alert is not None or t.closed]
        required = alerts_of(first.exchange.rows)
        late = next((t for t in stopped if t.alert is not None and any(t.alert.has(a) for a in required)), None)
        if late is not None:
            return None, late.talk
        if stopped:
            said = stopped[0].alert.text if stopped[0].alert else "a close without an alert"
            return replace(first, why=f"stayed silent, then stopped with {said}", pending=False), stopped[0].talk
        return replace(first, why="stayed silent, and stayed so", pending=False), ignored.talk

    def _hypotheses(self, word: Word) -> Iterator[tuple[str, int, KeyHypothesis]]:
        talk = self.open()
        self.prefix_fails(word, talk)
        ways = talk.oracle.as_valid(word.symbol)
        keys = talk.peer.hypotheses(word.symbol)
        for way in ways:
            way.release()
        talk.dispose()
        for key in keys:
            yield "ignored", 0, key
            for index in range(len(ways)):
                yield "taken as valid", index, key

    def _trial(self, word: Word, hypothesis: tuple[str, int, KeyHypothesis], record: bool) -> Trial:
        name, index, keys = hypothesis
        talk = self.open(record)
        self.prefix_fails(word, talk)
        shadow = talk.oracle.fork() if name == "ignored" else talk.oracle.as_valid(word.symbol)[index]
        exchange = talk.send(word.symbol, counts=name != "ignored")
        talk.assume(shadow, keys)
        trial = Trial(name, keys, talk)
        if not all(shadow.send(item.symbol) for item in exchange.seen if item.symbol.message is not Alert):
            return trial
        shadow.quiet()
        here = self._somewhere(shadow)
        path = honest_path(self.role, here, self.chosen) if here else None
        for symbol in (*(path or ()), ApplicationData.symbol()):
            exchange = talk.send(symbol)
            if exchange.progress:
                break
            if exchange.carries_data:
                trial.reach = 2
                break
            explained = [o for o in exchange.seen if o not in exchange.unexplained and o.symbol.message is not Alert]
            trial.reach = max(trial.reach, 1 if explained else 0)
            if exchange.stopped:
                trial.closed = exchange.reaction.closed
                trial.alert = next((o.symbol for o in exchange.seen if o.symbol.message is Alert), None)
                break
            if not exchange.settled:
                break
        talk.dispose()
        return trial

    def _somewhere(self, oracle: Oracle) -> Configuration | None:
        return next((c for c in oracle.configurations if not self.role.is_final(c.state)), None)


@dataclass(frozen=True)
class Difference:
    """Two inputs that must be answered alike, with the answers that they got."""

    alike: Alike
    one: Symbol
    to_one: tuple[str, ...]
    other: Symbol
    to_other: tuple[str, ...]


@dataclass
class Trial:
    """A run under one hypothesis. reach: 0 nothing followed, 1 messages that fit it, 2 application data."""

    name: str
    keys: KeyHypothesis
    talk: Conversation
    reach: int = 0
    alert: Symbol | None = None
    closed: bool = False

    @property
    def is_ignored(self) -> bool:
        """Whether the hypothesis is that the input had no effect."""
        return self.name == "ignored"

    @property
    def text(self) -> str:
        """For people."""
        return self.name if self.keys == HONEST_KEYS else f"{self.name}, under {self.keys.text}"


def alerts_of(rows: tuple[Row, ...]) -> tuple[Value, ...]:
    """The alerts that the rows allow."""
    return tuple(alert for row in rows if isinstance(row.next, Abort) for alert in row.next.alerts)
