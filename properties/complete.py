"""Complete suites: a close-pruned Wp suite of one role in one setup, from its table.

The reference is what the table says of a setup: the configurations that its courses lead to, and how each answers each
symbol. A suite goes to every configuration (access sequence), takes every symbol there (transition cover), goes on with
up to `extra` further inputs, and then with characterising continuations, which tell the configuration that the target
should now be in from the others. A target with up to n + extra states, n being those of the reference, that passes all
of it behaves as the reference does (Wp method; Fujiwara et al., IEEE TSE 17(6), 1991).

Two things make it small. Most inputs end a connection, and nothing needs to be tried behind an end but that it is one:
words whose beginning ended the connection are not run, and a few go on behind an end, where nothing may be answered.
And the usual continuation needs no word of its own: after a legal input every word goes on honestly to its end, and
with data. Where the table leaves a choice, words are made for each way, and those of the ways that the target does not
take fall away when it has taken another: so the reference is resolved.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial

from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import ApplicationData
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.conformance import Outcome
from shakeproof.properties.courses import Course, courses, is_for
from shakeproof.properties.suites import DATA, Word, expected, honest_path, honest_prefixes, whole
from shakeproof.properties.targets.base import Setup

EXTRA_MOST = 2
"""States beyond the table's that can be asked for: a third makes a hundred thousand words."""
EVERY_SYMBOL = 1
"""Up to this many further inputs are of the whole alphabet; of those beyond, one of several that the same rows read."""

Answer = tuple[str, ...]
"""What comes of an input, as far as it tells configurations apart: messages sent, CLOSED, TAKEN."""
CLOSED, TAKEN = "closed", "taken"
INCOMPLETE = "complete: no:"
NOWHERE: frozenset[Configuration] = frozenset()


class Reference:
    """What the table says of one setup. places: each configuration with its access sequence and its course."""

    def __init__(self, role: Role, setup: Setup) -> None:
        self.role, self.setup = role, setup
        self.alphabet: tuple[Symbol, ...] = tuple(filter(partial(is_for, setup), role.symbols))
        self.places: dict[Configuration, tuple[tuple[Symbol, ...], Course]] = {}
        for course in courses(setup, role.name):
            for here, access in honest_prefixes(role, course).items():
                self.places.setdefault(here, (access, course))
        self._ends: dict[tuple[Configuration, Symbol], frozenset[Configuration]] = {}
        self._letters: dict[frozenset[Configuration], tuple[Symbol, ...]] = {}

    @property
    def characterising(self) -> tuple[tuple[Symbol, ...], ...]:
        """Sequences that tell all configurations apart that can be."""
        return self._characterised[0]

    @property
    def alike(self) -> tuple[tuple[Configuration, Configuration], ...]:
        """Configurations that nothing tells apart, each with the earlier one that it is like."""
        return self._characterised[1]

    @property
    def states(self) -> int:
        """How many configurations behave differently; the end is not counted."""
        return len(self.places) - len(self.alike)

    def onward(self, here: Configuration) -> tuple[Symbol, ...]:
        """The usual continuation: honestly on to the end, and data. () where there is none."""
        path = honest_path(self.role, here, self.places[here][1]) if here in self.places else None
        return (*path, DATA) if path is not None else ()

    def ends(self, places: Iterable[Configuration], symbol: Symbol) -> frozenset[Configuration]:
        """Where the symbol may lead from there, as long as the connection is open."""
        return frozenset(itertools.chain.from_iterable(self._ends_of(here, symbol) for here in places))

    def _ends_of(self, here: Configuration, symbol: Symbol) -> frozenset[Configuration]:
        if (here, symbol) not in self._ends:
            role = self.role
            after = [there for row in role.enabled(here, symbol) for there in role.apply(row, here, symbol)]
            self._ends[here, symbol] = frozenset(there for there in after if not role.is_final(there.state))
        return self._ends[here, symbol]

    def is_void(self, places: Iterable[Configuration], symbol: Symbol) -> bool:
        """Whether the symbol says nothing in any of them."""
        return all(self.role.is_void(here, symbol) for here in places)

    def letters(self, places: frozenset[Configuration]) -> tuple[Symbol, ...]:
        """One symbol of each message for each set of rows that read such a message there."""
        if places not in self._letters:
            ordered = sorted(places, key=repr)
            found: dict[tuple[Message, tuple[frozenset[str], ...]], Symbol] = {}
            for symbol in sorted(self.alphabet, key=lambda one: not one.is_sound):
                if not self.is_void(places, symbol):
                    rows = tuple(frozenset(row.id for row in self.role.enabled(one, symbol)) for one in ordered)
                    found.setdefault((symbol.message, rows), symbol)
            self._letters[places] = tuple(found.values())
        return self._letters[places]

    # ------------------------------------------------------------------------------------------- telling places apart

    def answers(self, here: Configuration, symbol: Symbol) -> dict[Answer, frozenset[Configuration]]:
        """What may be answered, by a target that chooses as the course expects, with where that leads."""
        role, course = self.role, self.places[here][1] if here in self.places else ()
        ways = [(row, there) for row in role.enabled(here, symbol) for there in role.apply(row, here, symbol)]
        out: dict[Answer, frozenset[Configuration]] = {}
        for row, there in expected(role, ways, course):
            over = role.is_final(there.state)
            said = tuple(one.pattern.text for one in role.flight(row, there) if not one.optional)
            if row.is_violation:
                answer: Answer = (CLOSED,)
            else:
                answer = (*said, *((TAKEN,) if symbol.message is ApplicationData else ()), *((CLOSED,) if over else ()))
            out[answer] = out.get(answer, NOWHERE) | (NOWHERE if over else {there})
        return out

    def traces(self, here: Configuration, symbols: Sequence[Symbol]) -> frozenset[tuple[Answer, ...]]:
        """What may be answered to a sequence, up to where the connection ends."""
        found: set[tuple[Answer, ...]] = set()
        open_: list[tuple[tuple[Answer, ...], frozenset[Configuration]]] = [((), frozenset({here}))]
        for symbol in symbols:
            after: dict[tuple[Answer, ...], frozenset[Configuration]] = {}
            for said, places in open_:
                for place in places:
                    for answer, there in self.answers(place, symbol).items():
                        if there:
                            after[*said, answer] = after.get((*said, answer), NOWHERE) | there
                        else:
                            found.add((*said, answer))
            open_ = list(after.items())
        return frozenset(found.union(said for said, _ in open_))

    def tells_apart(self, symbols: Sequence[Symbol], one: Configuration, other: Configuration) -> bool:
        """Whether a sequence is certainly answered differently in two configurations."""
        ones, others = self.traces(one, symbols), self.traces(other, symbols)
        return bool(ones and others) and not ones & others

    @cached_property
    def _characterised(self) -> tuple[tuple[tuple[Symbol, ...], ...], tuple[tuple[Configuration, Configuration], ...]]:
        """Both, once somebody asks: a suite that is not complete needs neither, and they take a second."""
        found: dict[tuple[Symbol, ...], None] = dict.fromkeys(filter(None, map(self.onward, self.places)))
        alike: dict[Configuration, Configuration] = {}
        for one, other in itertools.combinations(self.places, 2):
            if one in alike or other in alike or any(self.tells_apart(word, one, other) for word in found):
                continue
            word = next((word for word in self._tries(one) if self.tells_apart(word, one, other)), None)
            if word is None:
                alike[other] = one
            else:
                found[word] = None
        return tuple(found), tuple(alike.items())

    def _tries(self, here: Configuration) -> Iterator[tuple[Symbol, ...]]:
        """Sequences that may tell a configuration from others, shortest first."""
        for symbol in self.alphabet:
            yield (symbol,)
        for symbol in self.alphabet:
            for there in self._ends_of(here, symbol):
                yield (symbol, *self.onward(there))

    def identifying(self, here: Configuration) -> tuple[tuple[Symbol, ...], ...]:
        """The sequences, beside the usual continuation, that tell a configuration from all others."""
        usual = self.onward(here)
        left = [other for other in self.places if other != here and not self.tells_apart(usual, here, other)]
        found: dict[tuple[Symbol, ...], None] = {}
        for other in left:
            if not any(self.tells_apart(word, here, other) for word in found):
                word = next((word for word in self.characterising if self.tells_apart(word, here, other)), None)
                if word is not None:
                    found[word] = None
        return tuple(found)


@lru_cache(maxsize=64)
def reference(role: Role, setup: Setup) -> Reference:
    """The reference of a role in a setup."""
    return Reference(role, setup)


# ------------------------------------------------------------------------------------------------------------ the suite


@lru_cache(maxsize=16)
def complete(role: Role, setup: Setup, extra: int) -> tuple[Word, ...]:
    """The words of the suite, shortest first: cells, what goes on behind them, and behind what ends a connection."""
    there = reference(role, setup)
    cells = sorted(whole(role, setup), key=lambda word: len(word.prefix))
    found: dict[tuple[Symbol, ...], Word] = {(*word.prefix, word.symbol): word for word in cells}

    def add(word: Word) -> None:
        found.setdefault((*word.prefix, word.symbol, *word.suffix), word)

    for here, (access, course) in there.places.items():
        for symbols in there.characterising:
            first, *rest = _cut(there, frozenset({here}), symbols)
            add(Word(access, here, first, course, suffix=tuple(rest)))
    level = [(word, there.ends({word.configuration}, word.symbol)) for word in cells]
    level = [(word, ends) for word, ends in level if ends]
    for step in range(1, extra + 1):
        further: list[tuple[Word, frozenset[Configuration]]] = []
        for word, ends in level:
            for symbol in there.alphabet if step <= EVERY_SYMBOL else there.letters(ends):
                if not there.is_void(ends, symbol):
                    longer = replace(word, suffix=(*word.suffix, symbol))
                    add(longer)
                    further.append((longer, there.ends(ends, symbol)))
            for symbols in there.characterising:
                add(replace(word, suffix=(*word.suffix, *_cut(there, ends, symbols))))
        level = [(word, ends) for word, ends in further if ends]
    for word, ends in level:
        for here in ends & there.places.keys():
            for symbols in there.identifying(here):
                add(replace(word, suffix=(*word.suffix, *_cut(there, ends, symbols))))
    for word in ended(role, cells):
        add(word)
    return tuple(sorted(found.values(), key=lambda word: (len(word.prefix) + len(word.suffix), bool(word.suffix))))


def _cut(there: Reference, places: frozenset[Configuration], symbols: Sequence[Symbol]) -> tuple[Symbol, ...]:
    """As much of a sequence as comes before the connection is certainly over, with what ends it."""
    for index, symbol in enumerate(symbols):
        places = there.ends(places, symbol)
        if not places:
            return tuple(symbols[: index + 1])
    return tuple(symbols)


def ended(role: Role, cells: Iterable[Word]) -> list[Word]:
    """For each configuration, and each row that ends the connection there, a word that goes on honestly behind it."""
    found: dict[tuple[Configuration, frozenset[str]], Word] = {}
    for word in cells:
        rows = role.enabled(word.configuration, word.symbol)
        after = [there for row in rows for there in role.apply(row, word.configuration, word.symbol)]
        if after and all(role.is_final(there.state) for there in after):
            path = honest_path(role, word.configuration, word.chosen) or ()
            key = (word.configuration, frozenset(row.id for row in rows))
            found.setdefault(key, replace(word, suffix=(*path, DATA)))
    return list(found.values())


# ---------------------------------------------------------------------------------------------------------- as it runs


@dataclass
class Pruning:
    """What a running suite has learned of its target: after which inputs the connection was over.

    skipped: words that were not run, since their beginning ended the connection; elsewhere: words after which the
    target was where the reference does not lead; deviates: words after which it behaved as the reference does not.
    """

    reference: Reference
    skipped: int = 0
    elsewhere: list[Word] = field(default_factory=list)
    deviates: list[Word] = field(default_factory=list)
    _over: set[tuple[Symbol, ...]] = field(default_factory=set)

    def kept(self, words: Sequence[Word]) -> dict[str, list[int]]:
        """All of it as positions in the suite, which mean the same in another process."""
        at = {word.inputs: index for index, word in enumerate(words)}
        return {
            "skipped": [self.skipped],
            "over": [at[inputs] for inputs in self._over],
            "elsewhere": [at[word.inputs] for word in self.elsewhere],
            "deviates": [at[word.inputs] for word in self.deviates],
        }

    def restore(self, kept: Mapping[str, Sequence[int]], words: Sequence[Word]) -> None:
        """Go on with what `kept` gave."""
        if kept:
            self.skipped = kept["skipped"][0]
            self._over = {words[index].inputs for index in kept["over"]}
            self.elsewhere = [words[index] for index in kept["elsewhere"]]
            self.deviates = [words[index] for index in kept["deviates"]]

    def skips(self, word: Word) -> bool:
        """Whether a beginning of the word has ended the connection already; never what is about such an end."""
        skips = self.has_over(word)
        self.skipped += skips
        return skips

    def has_over(self, word: Word) -> bool:
        """The same, without counting it."""
        if not word.suffix or not self.reference.ends({word.configuration}, word.symbol):
            return False
        inputs = word.inputs
        return any(inputs[:length] in self._over for length in range(len(word.prefix) + 1, len(inputs)))

    def heed(self, word: Word, outcome: Outcome) -> None:
        """A word was run. Another alert than required is no other behaviour: the connection is over all the same."""
        if not outcome.places:
            self._over.add((*word.prefix, word.symbol, *word.suffix))
        elif not any(here in self.reference.places for here in outcome.places):
            self.elsewhere.append(word)
        problem = outcome.problem
        if problem is not None and (problem.grade.is_failure or not problem.exchange.stopped):
            self.deviates.append(word)


def statement(
    pruning: Pruning, extra: int, words: Sequence[Word], not_tested: Mapping[str, Sequence[str]], *, aside: str = ""
) -> str:
    """What a suite that has run says: for what it is complete, or why it is not.

    not_tested: why words were left out, with their cells; aside: a reason that takes symbols out of the alphabet.
    """
    there = pruning.reference
    left = sum(len(cells) for why, cells in not_tested.items() if why != aside)
    why = []
    if left:
        why.append(f"{left:,} words of the complete suite were left out")
    if pruning.deviates:
        why.append(f"the target behaves as the reference does not, in {len(pruning.deviates):,} words")
    if why:
        return f"{there.setup.text}: {INCOMPLETE} {' and '.join(why)}"
    cells = {cell.partition(" x ")[2] for cell in not_tested.get(aside, ())}
    out = [symbol for symbol in there.alphabet if symbol.text in cells]
    alphabet = f"{len(there.alphabet) - len(out)} symbols"
    if out:
        alphabet += f", without {len(out)}, since {aside}"
    if extra > EVERY_SYMBOL:
        alphabet += f"; from the further input {EVERY_SYMBOL + 1} on one of a kind for all that the same rows read"
    open_ = ""
    if pruning.elsewhere:
        one = min(pruning.elsewhere, key=lambda word: len(word.text))
        open_ = (
            f"; where the target chooses to leave this configuration, as after {one.cell}, what follows is tried "
            f"{extra} inputs far"
        )
    ran = len(words) - pruning.skipped - len(not_tested.get(aside, ()))
    return (
        f"{there.setup.text}: complete for up to {there.states}+{extra} states, relative to this alphabet "
        f"({alphabet}), this configuration and the resolved reference, closed being closed "
        f"({ran} words; {pruning.skipped} more begin with what ended the connection){open_}"
    )
