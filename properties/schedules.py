"""Data and schedules by Hypothesis: what a suite sends plainly, sent otherwise, on any target.

A schedule is a word with the way that each input travels: fragmented, several messages in one record, several records
in one write, one write in several segments; with up to two inputs beside the honest ones, sound or not, and with
defects combined. It is drawn whole, from the table alone, and only then executed, so that nothing drawn depends on a
target's bytes; it is judged by the same oracle, step by step. What fails is shrunk by Hypothesis to the simplest such
word: a delivery that makes no difference falls away, and so does an input.
"""

from __future__ import annotations

import hashlib
import itertools
import time
from collections.abc import Callable, Container
from dataclasses import replace
from functools import lru_cache

from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st

from shakeproof.model.machine import Configuration
from shakeproof.model.notation import Symbol
from shakeproof.properties.complete import TAKEN, Reference
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.courses import is_basic
from shakeproof.properties.drawn_from import without_constants_of_modules
from shakeproof.properties.findings import Grade
from shakeproof.properties.suites import USUAL, Delivery, Word
from shakeproof.properties.targets.base import OutOfTimeError
from shakeproof.properties.verdicts import Problem

SCHEDULES = 40
"""For one role in a basic setup: a tenth of its words, or less."""
SPECIAL_SCHEDULES = 10
"""The same in a setup for one mechanism: what carries messages is the same in all."""
SHRINKS = 150
"""Words more for a schedule that fails, until it is as simple as Hypothesis gets it."""
BESIDES_MOST = 2
"""Inputs beside the honest ones: one that changes something, and one that shows it."""
FRAGMENTS = (1, 2, 3, 4, 5, 16, 100, 1000)
"""Bytes of plaintext in a record: within a message's header, just behind it, and in its body."""
CUTS = st.lists(st.one_of(st.integers(1, 9), st.integers(1, 300)), min_size=1, max_size=3, unique=True)
"""Bytes from the beginning of a write: within the headers of record and message, and anywhere."""


@lru_cache(maxsize=64)
def combined(there: Reference) -> tuple[Symbol, ...]:
    """Symbols with two defects at once, where a message can have them."""
    found: dict[Symbol, None] = {}
    single = [symbol for symbol in there.alphabet if len(symbol.defects) == 1 and symbol.defects[0].fact.many]
    for one, other in itertools.combinations(single, 2):
        if one.message is other.message and one.defects != other.defects:
            symbol = one.message.symbol(*one.defects, *other.defects)
            if len(symbol.defects) == 2 and not any(
                guard.holds(symbol.assignment) for guard, _ in symbol.message.never
            ):
                found[symbol] = None
    return tuple(found)


@lru_cache(maxsize=64)
def _beside(there: Reference) -> tuple[Symbol, ...]:
    """What may come beside the honest inputs, simplest first: Hypothesis shrinks towards the beginning."""
    return (*sorted(there.alphabet, key=lambda symbol: not symbol.is_sound), *combined(there))


@st.composite
def schedules(draw: st.DrawFn, there: Reference) -> Word:
    """A word of the reference's configuration, with the way that each input travels."""
    start = next(iter(there.places))
    here = draw(st.sampled_from(list(there.places)))
    access, course = there.places[here]
    besides = draw(st.lists(st.sampled_from(_beside(there)), max_size=BESIDES_MOST))
    places = frozenset({start})
    inputs: list[Symbol] = []
    ways: list[Delivery] = []
    waits = True
    for symbol in (*access, *besides, *there.onward(here)):
        if there.is_void(places, symbol):
            continue
        joined = not waits and draw(st.booleans())
        merged = joined and draw(st.booleans())
        fragment = 0 if merged or draw(st.booleans()) else draw(st.sampled_from(FRAGMENTS))
        cuts = tuple(draw(CUTS)) if not joined and draw(st.booleans()) else ()
        ways.append(Delivery(fragment, joined, merged, cuts))
        inputs.append(symbol)
        waits = _is_answered(there, places, symbol)
        places = there.ends(places, symbol)
        if not places:
            break
    return Word((), start, inputs[0], course, suffix=tuple(inputs[1:]), deliveries=tuple(ways))


def _is_answered(there: Reference, places: frozenset[Configuration], symbol: Symbol) -> bool:
    """Whether the tester has to wait for an answer, without which it can't say what comes next."""
    answers = itertools.chain.from_iterable(there.answers(here, symbol) for here in places)
    return any(answer not in ((), (TAKEN,)) for answer in answers)


def _seed(runner: Runner) -> int:
    """Another one for each role and setup, so that setups that are alike try different schedules."""
    text = f"{runner.seed} {runner.role.name} {runner.setup.text}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class _FailedError(Exception):
    """A schedule that fails, for Hypothesis to shrink."""


def search(
    runner: Runner,
    there: Reference,
    known: Container[tuple[str, Grade]],
    *,
    most: int | None = None,
    deadline: float,
    heed: Callable[[Word, Outcome], None] = lambda *_: None,
    avoid: Callable[[Word], bool] = lambda _: False,
) -> tuple[Word, Problem] | None:
    """A schedule that fails by another check than the known ones, shrunk; None where none of `most` does.

    most: how many are drawn, None for what suits the setup.
    Another alert than required is no failure: a suite says that, and with two defects it would be said twice.
    deadline: of time.monotonic; heed: is told of each word that ran; avoid: words that mean nothing to this target.
    """
    most = most or (SCHEDULES if is_basic(runner.setup) else SPECIAL_SCHEDULES)
    ran: dict[Word, Problem | None] = {}
    worst: list[tuple[Word, Problem]] = []

    def problem_of(word: Word) -> Problem | None:
        if word not in ran:
            if avoid(word) or time.monotonic() > deadline or len(ran) >= most + (SHRINKS if worst else 0):
                return None
            try:
                outcome = runner.run(word)
            except OutOfTimeError:
                return None
            heed(word, outcome)
            problem = outcome.problem
            fails = problem is not None and problem.grade.is_failure and (problem.check, problem.grade) not in known
            ran[word] = problem if fails else None
        return ran[word]

    @seed(_seed(runner))
    @settings(
        max_examples=most,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(schedules(there))
    def all_pass(word: Word) -> None:
        problem = problem_of(word)
        if problem is not None and (not worst or problem.check == worst[0][1].check):
            worst.append((word, problem))
            raise _FailedError

    try:
        with without_constants_of_modules():
            all_pass()
    except _FailedError:
        word, problem = worst[-1]
        return _shortest(word, problem, lambda other: runner.run(other).problem), problem
    return None


def _shortest(word: Word, problem: Problem, problem_of: Callable[[Word], Problem | None]) -> Word:
    """The word without what comes behind the fault, and each input as usual where that makes no difference.

    Hypothesis takes away what was drawn; the honest way on to the end was not.
    """

    def is_same(other: Word) -> bool:
        try:
            found = problem_of(other)
        except OutOfTimeError:
            return False
        return found is not None and (found.check, found.grade) == (problem.check, problem.grade)

    for length in range(1, len(word.inputs)):
        shorter = replace(word, suffix=word.suffix[: length - 1], deliveries=word.deliveries[:length])
        if is_same(shorter):
            word = shorter
            break
    for at, way in enumerate(word.deliveries):
        for simpler in (USUAL, replace(way, fragment=0), replace(way, cuts=()), replace(way, merged=False)):
            ways = (*word.deliveries[:at], simpler, *word.deliveries[at + 1 :])
            if ways != word.deliveries and is_same(replace(word, deliveries=ways)):
                word = replace(word, deliveries=ways)
                break
    return word
