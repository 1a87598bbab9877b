"""Conformance: words are run against a target, and every answer is graded.

A target that stays silent after something forbidden has not answered yet: the run goes on under shadow hypotheses, *it
was ignored*, *it was taken as valid* and *it is part of what Finished covers, and else was ignored*, and under every
key that the tester might then share with the target. They only grade what follows (`verdicts` says how a single step
is graded).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from shakeproof.model.clauses import Clause
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    TLS12_MESSAGES,
    Alert,
    ApplicationData,
    ChangeCipherSpec,
    HelloRequest,
    Record,
    ServerHello,
    full,
    resumed,
)
from shakeproof.model.notation import Alike, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.properties.conversation import Conversation, Exchange
from shakeproof.properties.courses import chosen_values, is_older, is_reached
from shakeproof.properties.findings import Grade
from shakeproof.properties.mapper.hypotheses import HONEST_KEYS, KeyHypothesis
from shakeproof.properties.reasons import choice_text, way_text
from shakeproof.properties.suites import CLOSE_NOTIFY, Word, flights, honest_path, is_repeated, passes
from shakeproof.properties.targets.base import Reaction, Setup, Target
from shakeproof.properties.verdicts import Problem, afterwards, alerts_of, by_level, is_about_certificate, judge

DELIVERED = "delivered"
"""What checks are named by in which only the way of travelling makes a difference."""
TRUNCATED = "truncated"
"""What checks of the end of the transport are named by."""
REQUIRED = {
    True: "the application is told that all data has come",
    False: "the application is told that data may be missing",
}
"""What had to come when the transport ended, by whether a close_notify had."""
IGNORED = "ignored"
TAKEN = "taken as valid"
COVERED = "made part of what Finished covers, and else ignored"
"""What a silent target may have made of a forbidden input. Where Finished covers it, it was read as a message of the
handshake, so that it was not ignored."""
BY_FINISHED = frozenset(TLS12_MESSAGES) - {HelloRequest, ChangeCipherSpec, Alert, ApplicationData, Record}
"""The messages that Finished covers (RFC 5246 section 7.4.9)."""
UNTOLD = "what its application is told of the end of the data can't be seen"
"""Why the end of the transport shows nothing."""


@dataclass(frozen=True)
class Outcome:
    """What came of a word.

    unreached: why the cell was not reached, "" where it was; meaningless: why the symbol says nothing there, "" where
    it does; untold: why nothing can be said of what was seen, "" where it can; observed: what came out, step by step
    from the cell on; places: where the target may be after the word's own inputs, () where the connection is over.
    """

    problem: Problem | None = None
    unreached: str = ""
    meaningless: str = ""
    exercised: tuple[str, ...] = ()
    conversation: Conversation | None = None
    observed: tuple[str, ...] = ()
    exchange: Exchange | None = None
    untold: str = ""
    places: tuple[Configuration, ...] = ()

    @property
    def judged(self) -> tuple[str, ...]:
        """The row that the last input was judged by: exercised, whatever came of it. () where several fit as well."""
        if self.unreached or self.meaningless or self.untold:
            return ()
        if self.problem is not None:
            return (self.problem.row.id,) if self.problem.row else ()
        rows = self.exchange.rows if self.exchange else ()
        return tuple(row.id for row in rows) if len(rows) == 1 else ()


class Runner:
    """Runs words of one role and setup against one target."""

    def __init__(self, target: Target, role: Role, setup: Setup, seed: int) -> None:
        self.target, self.role, self.setup, self.seed = target, role, setup, seed
        self.chosen: tuple[Value, ...] = chosen_values(setup, role.name)

    def open(self, record: bool = False) -> Conversation:
        """A fresh connection."""
        return Conversation(self.target, self.role, self.setup, self.seed.to_bytes(8, "big"), record)

    def run(self, word: Word, *, record: bool = False) -> Outcome:
        """Run a word and grade it."""
        talk = self.open(record)
        try:
            outcome = self._deliver(word, talk) if word.deliveries else self._run(word, talk, record)
        finally:
            talk.dispose()
        if word.fragment and outcome.problem is None and not (outcome.unreached or outcome.meaningless):
            outcome = self._held_against_whole(word, outcome)
        return replace(outcome, exercised=tuple(dict.fromkeys((*outcome.exercised, *outcome.judged))))

    def _held_against_whole(self, word: Word, cut: Outcome) -> Outcome:
        """The answer to a message that was cut up must be the one to the whole message (RFC 5246 section 6.2.1)."""
        whole = self.run(replace(word, fragment=0))
        if cut.observed == whole.observed or cut.exchange is None:
            return cut
        why = f"answered otherwise than in one record, which gave {'; '.join(whole.observed)}"
        # To resume or not is the server's own choice, so that a session which is not found breaks nothing.
        grade = Grade.DEVIATION if _only_resumes_less(cut.exchange, whole.exchange) else Grade.DISTINGUISHES
        return replace(cut, problem=Problem(grade, cut.exchange, why, reading="fragmented"))

    def _run(self, word: Word, talk: Conversation, record: bool) -> Outcome:
        refused = self.prefix_fails(word, talk)
        if refused is not None:
            own = refused.exchange.symbol is None and not word.prefix and refused.grade is not Grade.NOTE
            return Outcome(refused if own else None, way_text(refused), conversation=talk)
        meaningless = talk.peer.applicable(word.symbol)
        if meaningless:
            return Outcome(meaningless=meaningless, conversation=talk)
        if word.times > 1:
            return self._flood(word, talk)
        if word.ends:
            return self._end(word, talk)
        before = talk.oracle.fork()
        exchange = talk.send(word.symbol, fragment=word.fragment)
        problem = judge(exchange, before)
        followed = [exchange.got]
        before.release()
        sent, left = (*word.prefix, word.symbol), list(word.suffix)
        while problem is None and left:
            symbol, over = left.pop(0), exchange.stopped or talk.oracle.is_over
            meaningless = talk.peer.applicable(symbol)
            if meaningless:
                return Outcome(meaningless=meaningless, conversation=talk)
            before = talk.oracle.fork()
            word = replace(word, prefix=sent, configuration=before.configurations[0], symbol=symbol, suffix=())
            ended, exchange = exchange, talk.send(symbol)
            problem = afterwards(ended, exchange) if over else judge(exchange, before)
            followed.append(exchange.got)
            before.release()
            sent = (*sent, symbol)
            if over:
                exchange = replace(exchange, rows=ended.rows, reaction=replace(exchange.reaction, closed=True))
        places: tuple[Configuration, ...] = ()
        if problem is not None and problem.pending:
            talk.dispose()  # a server may take one connection at a time
            graded, talk = self._probe(word, problem, record)
            problem = by_level(graded) if graded is not None else None
        elif problem is None and not exchange.forbidden and not talk.oracle.is_over:
            places = tuple(one for one in talk.oracle.configurations if not self.role.is_final(one.state))
            problem = self.go_on(talk, followed, word.chosen or self.chosen)
            if problem is not None and problem.grade is Grade.REFUSED_VALID and exchange.refusable:
                later = problem.exchange
                why = f"refused it, as it may, but only later: to {later.symbol_text}, {later.got}"
                problem = by_level(Problem(Grade.DEVIATION, exchange, why))
        return Outcome(problem, "", "", tuple(talk.oracle.exercised), talk, tuple(followed), exchange, places=places)

    def _deliver(self, word: Word, talk: Conversation) -> Outcome:
        """All inputs, as they are to travel. What is only silence here is held against the answer to the usual way."""
        if talk.unprepared:
            return Outcome(unreached=talk.unprepared, conversation=talk)
        opened = judge(talk.begin(), talk.oracle)
        if opened is not None:
            return Outcome(unreached=way_text(opened), conversation=talk)
        followed: list[str] = []
        exchange: Exchange | None = None
        may_refuse = False
        for flight in flights(word):
            step = talk.deliver(flight)
            if isinstance(step, str):
                return Outcome(meaningless=step, conversation=talk)
            exchange, before = step
            problem = judge(exchange, before)
            before.release()
            may_refuse = may_refuse or exchange.refusable
            if problem is not None and problem.grade is Grade.REFUSED_VALID and may_refuse:
                problem = None  # it refuses what came before, as it may, only later: the suite says that
            followed.append(exchange.got)
            if problem is not None and problem.pending:
                return self._held_against_usual(word, Outcome(conversation=talk, observed=tuple(followed)), problem)
            if problem is not None or exchange.forbidden or exchange.stopped or talk.oracle.is_over:
                return Outcome(problem, conversation=talk, observed=tuple(followed), exchange=exchange)
        return Outcome(conversation=talk, observed=tuple(followed), exchange=exchange)

    def _held_against_usual(self, word: Word, silent: Outcome, problem: Problem) -> Outcome:
        """What must be refused was not answered: a fault of the delivery where it is refused when it comes as usual."""
        usual = self.run(replace(word, deliveries=()))
        silent_too = usual.exchange is not None and not usual.exchange.stopped and not usual.exchange.seen
        if usual.problem is not None or usual.unreached or usual.meaningless or silent_too:
            return replace(silent, unreached=usual.unreached or "so it is when it comes as usual")
        why = f"{problem.why}, but not when it came in records and writes of its own"
        return replace(
            silent, problem=Problem(Grade.DISTINGUISHES, problem.exchange, why, reading=DELIVERED), unreached=""
        )

    def _flood(self, word: Word, talk: Conversation) -> Outcome:
        exchange = talk.flood(word.symbol, word.times)
        problem = None
        if exchange.reaction.crashed:
            problem = Problem(Grade.CRASH, exchange, "it died")
        elif exchange.reaction.hung:
            problem = Problem(Grade.HANG, exchange, exchange.reaction.hung)
        elif not exchange.stopped and not exchange.seen:
            passing = tuple(row for row in exchange.rows if passes(row))
            why = f"{word.times} of them in a row meet no limit; no RFC gives one, it is our reading that there is one"
            problem = Problem(Grade.WARNING, replace(exchange, rows=passing), why, reading="bounded")
        return Outcome(problem, conversation=talk, exchange=exchange)

    def _end(self, word: Word, talk: Conversation) -> Outcome:
        """The word's symbol, and then the end of the transport: only close_notify makes that the end of the data."""
        exchange = self.send_last(word, talk)
        if isinstance(exchange, Outcome):
            return exchange
        end = talk.end()
        ordered = word.symbol == CLOSE_NOTIFY
        told = end.reaction.end
        end = replace(end, rows=tuple(self.role.enabled(word.configuration, CLOSE_NOTIFY)))
        problem = None
        if end.reaction.crashed:
            problem = Problem(Grade.CRASH, end, "it died")
        elif end.reaction.hung:
            problem = Problem(Grade.HANG, end, end.reaction.hung)
        elif not told:
            return Outcome(untold=UNTOLD, conversation=talk, exchange=end)
        elif ordered and told == "truncated":
            problem = Problem(
                Grade.REFUSED_VALID, end, "told its application that data is missing, after a close_notify"
            )
        elif not ordered and told == "orderly":
            problem = Problem(Grade.WENT_ON, end, "took the end of the transport for the end of the data")
        if problem is not None:
            problem = replace(problem, reading=TRUNCATED, authority=self.truncation, required=REQUIRED[ordered])
        return Outcome(problem, conversation=talk, exchange=end)

    def send_last(self, word: Word, talk: Conversation) -> Exchange | Outcome:
        """The word's symbol is sent; where it is not taken, the outcome that says so."""
        before = talk.oracle.fork()
        exchange = talk.send(word.symbol)
        refused = judge(exchange, before)
        before.release()
        if refused is None:
            return exchange
        return Outcome(unreached=f"{word.symbol.text} is not taken: {refused.why}", conversation=talk)

    @property
    def truncation(self) -> Clause | None:
        """The clause that an end of the transport without close_notify is about."""
        authority = self.role.truncation
        return self.role.quotes.resolve(authority, self.role.name)[0] if authority is not None else None

    def prefix_fails(self, word: Word, talk: Conversation) -> Problem | None:
        """Open the connection and send the word's honest prefix; what went wrong, None where nothing did."""
        if talk.unprepared:
            nothing = Exchange(None, talk.oracle.state_text, (), (), Reaction(), (), (), True, True)
            return Problem(Grade.NOTE, nothing, talk.unprepared)
        exchange = talk.begin()
        problem = judge(exchange, talk.oracle)
        if problem is not None:
            return problem
        # Data that ends a request or a response ends many a connection: a record can't come again after that.
        talk.peer.context.keeps_open = is_repeated(word.symbol)
        for symbol in word.prefix:
            before = talk.oracle.fork()
            exchange = talk.send(symbol)
            problem = judge(exchange, before)
            before.release()
            if problem is not None:
                return problem
        talk.peer.context.keeps_open = False
        if not is_reached(self.role, word.configuration, talk.oracle.configurations, self.setup):
            chose = choice_text(self.role, exchange, word.configuration, talk.oracle.configurations)
            return Problem(Grade.NOTE, exchange, f"on the honest way there {chose}")
        return None

    def takes(self, talk: Conversation, symbol: Symbol | None) -> bool:
        """Send the symbol, or open the connection; whether it is legal there, and the target takes it."""
        if symbol is not None and (talk.oracle.is_over or talk.peer.applicable(symbol)):
            return False
        before = talk.oracle.fork()
        exchange = talk.send(symbol) if symbol is not None else talk.begin()
        problem = judge(exchange, before)
        before.release()
        return problem is None and not (exchange.forbidden or exchange.stopped)

    def go_on(self, talk: Conversation, followed: list[str], chosen: tuple[Value, ...]) -> Problem | None:
        """After a legal input: honestly on to the end, and data both ways."""
        there = [c for c in talk.oracle.configurations if not self.role.is_final(c.state)]
        open_ones = [c for c in there if not is_older(self.role, c)]
        path = honest_path(self.role, open_ones[0], chosen) if open_ones else None
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

    def shown(self, prefix: tuple[Symbol, ...], symbols: tuple[Symbol, ...]) -> Conversation:
        """A recorded conversation in which the symbols follow the prefix."""
        talk = self.open(True)
        try:
            talk.begin()
            for symbol in (*prefix, *symbols):
                if not talk.oracle.is_over:
                    talk.send(symbol)
        finally:
            talk.dispose()
        return talk

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
        if not first.exchange.reaction.exact:
            why = "stayed silent, and stayed so, as far as a timer tells"
            return replace(first, grade=Grade.INCONCLUSIVE, why=why, pending=False), ignored.talk
        return replace(first, why="stayed silent, and stayed so", pending=False), ignored.talk

    def _hypotheses(self, word: Word) -> Iterator[tuple[str, int, KeyHypothesis]]:
        talk = self.open()
        try:
            self.prefix_fails(word, talk)
            ways = talk.oracle.as_valid(word.symbol)
            keys = talk.peer.hypotheses(word.symbol)
            likely = self._likely([way.configurations[0] for way in ways], word)
            for way in ways:
                way.release()
        finally:
            talk.dispose()
        for key in keys:
            yield IGNORED, 0, key
            for index in likely:
                yield TAKEN, index, key
            if word.symbol.message in BY_FINISHED:
                yield COVERED, 0, key

    def _likely(self, ways: list[Configuration], word: Word) -> list[int]:
        """Of the ways to take a message as valid, those into each state in which the target chooses as elsewhere."""
        likely: list[int] = []
        for state in dict.fromkeys(way.state for way in ways):
            left = [index for index, way in enumerate(ways) if way.state is state]
            for value in word.chosen or self.chosen:
                if value.fact in self.role.memory:
                    place = self.role.memory_facts.index(value.fact)
                    left = [index for index in left if ways[index].memory[place] & value.bit] or left
            likely += left
        return likely

    def _trial(self, word: Word, hypothesis: tuple[str, int, KeyHypothesis], record: bool) -> Trial:
        talk = self.open(record)
        try:
            return self._tried(word, hypothesis, talk)
        finally:
            talk.dispose()

    def _tried(self, word: Word, hypothesis: tuple[str, int, KeyHypothesis], talk: Conversation) -> Trial:
        name, index, keys = hypothesis
        refused = self.prefix_fails(word, talk)
        ways = talk.oracle.as_valid(word.symbol) if name == TAKEN else [talk.oracle.fork()]
        if refused is not None or index >= len(ways):
            return Trial(name, keys, talk)  # this time it did not come as far: nothing is shown
        shadow = ways[index]
        exchange = talk.send(word.symbol, counts=name != IGNORED, fragment=word.fragment)
        talk.assume(shadow, keys)
        trial = Trial(name, keys, talk)
        if not all(shadow.send(item.symbol) for item in exchange.seen if item.symbol.message is not Alert):
            return trial
        shadow.quiet()
        here = self._somewhere(shadow)
        path = honest_path(self.role, here, word.chosen or self.chosen) if here else None
        for symbol in (*(path or ()), ApplicationData.symbol()):
            exchange = talk.send(symbol)
            if exchange.progress:
                break
            if exchange.carries_data:
                trial.reach = 2
                break
            explained = [o for o in exchange.seen if o not in exchange.unexplained and o.symbol.message is not Alert]
            # What goes out in one flight with the alert commits to nothing: the fault was noticed one message later.
            if explained and not exchange.stopped:
                trial.reach = 1
            if exchange.stopped:
                trial.closed = exchange.reaction.closed
                trial.alert = next((o.symbol for o in exchange.seen if o.symbol.message is Alert), None)
                break
            if not exchange.settled:
                break
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
        return self.name == IGNORED

    @property
    def text(self) -> str:
        """For people."""
        return self.name if self.keys == HONEST_KEYS else f"{self.name}, under {self.keys.text}"


def _only_resumes_less(cut: Exchange, whole: Exchange | None) -> bool:
    """Whether a server made a full handshake of what it resumes when it comes in one record."""
    return (
        whole is not None
        and any(item.symbol.message is ServerHello and item.symbol.has(full) for item in cut.seen)
        and any(item.symbol.message is ServerHello and item.symbol.has(resumed) for item in whole.seen)
    )
