"""Suites generated from the tables: which words to run, shortest first.

A cell is a reachable configuration with a symbol; `quick` covers each cell once in each setup, by its shortest honest
prefix. Honest means rows that are no violations, and sound symbols wherever they lead to the same place. Where the
table leaves the target a choice, a prefix relies on what the setup's course expects of it, so that one word always
leads to one configuration. A special setup repeats no cell of its base that it can't change.

Three kinds of words are about no cell. One repeats what a row lets pass without an answer, to see whether the target
ever has enough; one sends a message of the handshake in records of a few bytes, which must make no difference; and one
lets the transport end behind a message, which the application must not be told of as the end of the data.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import TypeAlias

from shakeproof.model.facts import Fact, Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import Alert, ApplicationData, ChangeCipherSpec, Record, closure, replayed, stale
from shakeproof.model.notation import STAY, Kind, Row, State, Symbol
from shakeproof.properties.courses import Course, at_will, concerns, courses, is_another, is_basic, is_for
from shakeproof.properties.targets.base import Setup

FLOOD = 1000
"""How often one message that leads nowhere is repeated. Limits of real stacks are far below: OpenSSL takes 5 warning
alerts in a row and 32 empty records, Go 16 of both; no honest peer comes near."""

FRAGMENT_BYTES = 5
"""Plaintext bytes of a record where a message is cut up: more than a message's header, fewer than any message has."""


ENDING = " and the end of the transport"
"""How a word says that nothing follows."""


@dataclass(frozen=True)
class Delivery:
    """How one input of a word travels, where that is not the usual way.

    fragment: bytes of plaintext in one of its records, 0 for as many as fit; joined: in one write with the input before
    it, whose answer nobody waits for; merged: in one record with it, too, as messages of a handshake may be; cuts:
    where the write that it begins is cut into segments, in bytes from its beginning.
    """

    fragment: int = 0
    joined: bool = False
    merged: bool = False
    cuts: tuple[int, ...] = ()

    @property
    def text(self) -> str:
        """For people and files; "" for the usual way."""
        parts = [
            ("in the record before it" if self.merged else "with the one before it") if self.joined else "",
            f"in records of {self.fragment} bytes" if self.fragment else "",
            f"cut at {', '.join(map(str, self.cuts))}" if self.cuts else "",
        ]
        said = "; ".join(filter(None, parts))
        return f" ({said})" if said else ""


USUAL = Delivery()


@dataclass(frozen=True)
class Word:
    """One input sequence on a fresh connection: an honest prefix, then the cell's symbol.

    chosen: the course that the prefix is on; times: how often the symbol is sent; fragment: bytes of plaintext in one
    of its records, 0 for as many as fit; ends: the transport ends behind it; suffix: further inputs behind it, also
    where it ended the connection; deliveries: how each input travels, () for the usual way.
    """

    prefix: tuple[Symbol, ...]
    configuration: Configuration
    symbol: Symbol
    chosen: tuple[Value, ...] = ()
    times: int = 1
    fragment: int = 0
    ends: bool = False
    suffix: tuple[Symbol, ...] = ()
    deliveries: tuple[Delivery, ...] = ()

    @property
    def inputs(self) -> tuple[Symbol, ...]:
        """All inputs."""
        return (*self.prefix, self.symbol, *self.suffix)

    @property
    def text(self) -> tuple[str, ...]:
        """The inputs, for people and files."""
        if self.deliveries:
            return tuple(one.text + way.text for one, way in zip(self.inputs, self.deliveries, strict=True))
        behind = (symbol.text for symbol in self.suffix)
        return (*(symbol.text for symbol in self.prefix), self.symbol.text + self.manner, *behind)

    @property
    def manner(self) -> str:
        """How the symbol is sent, where that is not the usual way."""
        if self.times > 1:
            return f" x {self.times}"
        if self.ends:
            return ENDING
        return f" in records of {self.fragment} bytes" if self.fragment else ""

    @property
    def cell(self) -> str:
        """The cell, for people."""
        behind = "".join(f", then {symbol.text}" for symbol in self.suffix)
        return f"{self.configuration.state.name} x {self.symbol.text}{self.manner}{behind}"


@lru_cache(maxsize=256)
def honest_prefixes(role: Role, chosen: tuple[Value, ...]) -> dict[Configuration, tuple[Symbol, ...]]:
    """Every configuration that honest inputs lead to on the course, with the shortest such inputs.

    chosen: values that the tester's honest messages have where they say anything about that fact, and that the target
    is expected to choose.
    """
    start = _opened(role, chosen)
    found: dict[Configuration, tuple[Symbol, ...]] = {start: ()}
    queue = [start]
    while queue:
        here = queue.pop(0)
        for symbol, there in tolerated_steps(role, here, chosen):
            if there not in found and not role.is_final(there.state):
                found[there] = (*found[here], symbol)
                queue.append(there)
    return found


def _opened(role: Role, chosen: tuple[Value, ...]) -> Configuration:
    """The configuration in which the role first reads: past the application's call that opens the connection."""
    here = role.start
    seen = {here}
    while not any(row.kind is Kind.RECV and here.state in row.states.members for row in role.rows):
        openings = [row for row in role.rows if row.kind is Kind.CALL and here.state in row.states.members]
        if not openings:
            break
        opened = role.apply(openings[0], here, openings[0].pattern.message.symbol())
        here = expected(role, [(openings[0], there) for there in opened], chosen)[0][1]
        if here in seen:
            break
        seen.add(here)
    return here


Outcome: TypeAlias = tuple[Row, Configuration]


def expected(role: Role, outcomes: Sequence[Outcome], chosen: Iterable[Value]) -> list[Outcome]:
    """Those of the outcomes in which the role chooses what is expected of it, as far as it chooses at all."""
    allowed: dict[Fact, int] = {}
    for value in chosen:
        if value.fact in role.memory:
            allowed[value.fact] = allowed.get(value.fact, 0) | value.bit
    left = list(outcomes)
    for fits in (_contradicts_nothing, _chooses_rightly):
        for fact, bits in allowed.items():
            place = role.memory_facts.index(fact)
            left = [one for one in left if fits(one, fact, one[1].memory[place], bits)] or left
    return left


def _contradicts_nothing(outcome: Outcome, fact: Fact, remembered: int, allowed: int) -> bool:
    return bool(remembered & allowed) or all(effect.fact is not fact for effect in outcome[0].effects)


def _chooses_rightly(outcome: Outcome, fact: Fact, remembered: int, allowed: int) -> bool:
    return not remembered & ~allowed and any(effect.fact is fact for effect in outcome[0].effects)


def honest_steps(role: Role, here: Configuration, chosen: Iterable[Value]) -> tuple[tuple[Symbol, Configuration], ...]:
    """The sound inputs that lead from here to one certain configuration without a violation."""
    return _steps(role, here, tuple(chosen), True)


def tolerated_steps(
    role: Role, here: Configuration, chosen: Iterable[Value]
) -> tuple[tuple[Symbol, Configuration], ...]:
    """The inputs, sound ones first, that lead from here to one certain state without a violation, on the course.

    A defect is among them where the standard forbids to show that it was noticed, or leaves it to the role. Where the
    role picks what it remembers and nothing is expected, its first choice stands for all: which it was shows later.
    """
    wanted = tuple(chosen)
    return (*_steps(role, here, wanted, True), *_steps(role, here, wanted, False))


@lru_cache(maxsize=4096)
def _steps(
    role: Role, here: Configuration, wanted: tuple[Value, ...], sound: bool
) -> tuple[tuple[Symbol, Configuration], ...]:
    """The steps by sound inputs, or those by others."""
    out: list[tuple[Symbol, Configuration]] = []
    for symbol in role.symbols:
        if symbol.is_sound is not sound or not agrees(symbol, wanted):
            continue
        outcomes = [(row, there) for row in role.enabled(here, symbol) for there in role.apply(row, here, symbol)]
        for ways in ([*outcomes, *own_accord(role, outcomes)], outcomes):
            left = expected(role, ways, wanted)
            if len({there.state for _, there in left}) == 1:
                if not any(row.is_violation for row, _ in left):
                    out.append((symbol, left[0][1]))
                break
    return tuple(out)


def own_accord(role: Role, outcomes: Sequence[Outcome]) -> Iterator[Outcome]:
    """Where the role may go on by itself once it has read something, as a client does that is asked to renegotiate."""
    for there in dict.fromkeys(there for row, there in outcomes if not row.is_violation and row.next is STAY):
        for row in role.rows:
            if row.kind is Kind.SEND and there.state in row.states.members and not role.is_final(_next(row, there)):
                for symbol in role.sent(row):
                    for after in role.apply(row, there, symbol):
                        if after != there:
                            yield row, after


def _next(row: Row, here: Configuration) -> State:
    return row.next if isinstance(row.next, State) else here.state


def agrees(symbol: Symbol, chosen: Iterable[Value]) -> bool:
    """Whether the symbol says nothing else about a fact than one of the values that were chosen for it."""
    facts = symbol.message.facts
    said = {value.fact: False for value in chosen if value.fact in facts}
    for value in chosen:
        if value.fact in facts and symbol.has(value):
            said[value.fact] = True
    return all(said.values())


@lru_cache(maxsize=4096)
def honest_path(role: Role, here: Configuration, chosen: tuple[Value, ...]) -> tuple[Symbol, ...] | None:
    """The shortest sound inputs from here to the accepting state; None where there are none."""
    found: dict[Configuration, tuple[Symbol, ...]] = {here: ()}
    queue = [here]
    while queue:
        place = queue.pop(0)
        if place.state is role.accepting:
            return found[place]
        for symbol, there in honest_steps(role, place, chosen):
            if there not in found:
                found[there] = (*found[place], symbol)
                queue.append(there)
    return None


def every_cell(
    role: Role, ways: Iterable[Course], may_say: Callable[[Symbol], bool] = lambda _: True
) -> Iterator[Word]:
    """The words of some courses, each cell once. may_say: whether a symbol belongs to the setup."""
    known: set[Configuration] = set()
    for course in ways:
        for configuration, prefix in honest_prefixes(role, course).items():
            if configuration in known:
                continue
            known.add(configuration)
            for symbol in role.symbols:
                if may_say(symbol) and not role.is_void(configuration, symbol):
                    yield Word((*prefix, *needed(role, configuration, symbol)), configuration, symbol, course)


DATA = ApplicationData.symbol()


def is_repeated(symbol: Symbol) -> bool:
    """Whether it is a record that went out before."""
    return symbol.message is Record and (symbol.has(replayed) or symbol.has(stale))


def needed(role: Role, here: Configuration, symbol: Symbol) -> tuple[Symbol, ...]:
    """What goes before a record that comes again: data, which shows whether it is taken, where data leads nowhere."""
    if not is_repeated(symbol):
        return ()
    rows = role.enabled(here, DATA)
    if not rows or any(row.is_violation or role.apply(row, here, DATA) != [here] for row in rows):
        return ()
    return (DATA,) if symbol.has(replayed) else (DATA, DATA)


@lru_cache(maxsize=64)
def whole(role: Role, setup: Setup) -> tuple[Word, ...]:
    """The words of one setup, also those whose cells other setups have, shortest first."""
    words = every_cell(role, courses(setup, role.name), partial(is_for, setup))
    return tuple(sorted(words, key=lambda word: len(word.prefix)))


@lru_cache(maxsize=64)
def quick(role: Role, setup: Setup, before: tuple[Setup, ...] = ()) -> tuple[Word, ...]:
    """The words of one setup, shortest first.

    before: setups that are tried too; a special setup repeats no cell of theirs that it can't change, and where its
    mechanisms were tried with another suite, none that no new row reads.
    """
    words = whole(role, setup)
    if is_basic(setup):
        return words
    known, read = cells_of(role, before), rows_of(role, before)
    again = is_another(setup, before)
    return tuple(
        word
        for word in words
        if concerns(setup, word.configuration, word.symbol)
        or (
            (at_will(role, word.configuration, setup), word.symbol) not in known
            and not (again and rows_at(role, word) <= read)
        )
    )


@lru_cache(maxsize=64)
def cells_of(role: Role, setups: tuple[Setup, ...]) -> frozenset[tuple[Configuration, Symbol]]:
    """The cells of some setups, by what is not a client's own choice."""
    return frozenset(
        (at_will(role, word.configuration, setup), word.symbol) for setup in setups for word in whole(role, setup)
    )


def rows_at(role: Role, word: Word) -> frozenset[str]:
    """The rows that read the word's symbol."""
    return frozenset(row.id for row in role.enabled(word.configuration, word.symbol))


@lru_cache(maxsize=64)
def rows_of(role: Role, setups: tuple[Setup, ...]) -> frozenset[str]:
    """The rows that read something in some setups."""
    return frozenset(row for setup in setups for word in whole(role, setup) for row in rows_at(role, word))


# ------------------------------------------------------------------------------------------------ words of no cell


def floods(role: Role, words: Iterable[Word]) -> list[Word]:
    """For each row that lets something pass without an answer, two words that repeat it: early, and once connected."""
    found: dict[tuple[str, bool], Word] = {}
    for word in sorted(words, key=lambda word: not word.symbol.is_sound):
        connected = word.configuration.state is role.accepting
        for row in role.enabled(word.configuration, word.symbol):
            if passes(row):
                found.setdefault((row.id, connected), replace(word, times=FLOOD))
    return list(found.values())


def passes(row: Row) -> bool:
    """Whether a row lets a message pass that changes nothing and is not answered; data is something by itself."""
    return row.next is STAY and not row.outputs and not row.effects and row.pattern.message is not ApplicationData


def fragments(role: Role, words: Iterable[Word]) -> list[Word]:
    """The messages of an honest handshake, each in records of a few bytes once."""
    found: dict[Symbol, Word] = {}
    for word in words:
        if word.symbol.message in (Alert, ApplicationData, ChangeCipherSpec) or not agrees(word.symbol, word.chosen):
            continue
        path = honest_path(role, word.configuration, word.chosen)
        if path and path[0] is word.symbol:
            found.setdefault(word.symbol, replace(word, fragment=FRAGMENT_BYTES))
    return list(found.values())


def truncations(role: Role, words: Iterable[Word]) -> list[Word]:
    """The messages of an honest connection, data and close_notify too, each with the end of the transport behind it.

    Data first, which is what may be cut off.
    """
    found: dict[Symbol, Word] = {}
    for word in words:
        if not agrees(word.symbol, word.chosen):
            continue
        path = honest_path(role, word.configuration, word.chosen) if word.symbol.message is not Alert else None
        connected = word.configuration.state is role.accepting
        if (connected and word.symbol in (DATA, CLOSE_NOTIFY)) or (path and path[0] is word.symbol):
            found.setdefault(word.symbol, replace(word, ends=True))
    return sorted(found.values(), key=lambda word: word.symbol != DATA)


CLOSE_NOTIFY = Alert.symbol(closure)


def plainly(word: Sequence[str]) -> tuple[tuple[str, ...], tuple[int, int, bool]]:
    """The inputs of a word from its text; how often and in what fragments the last is sent, and whether that is all."""
    if not word:
        return (), (1, 0, False)
    last = re.fullmatch(rf"(.*?)(?: x (\d+)| in records of (\d+) bytes|({ENDING}))?", word[-1])
    assert last is not None
    return (*word[:-1], last[1]), (int(last[2] or 1), int(last[3] or 0), bool(last[4]))


def flights(word: Word) -> list[list[tuple[Symbol, Delivery]]]:
    """The inputs that travel together, with their ways."""
    out: list[list[tuple[Symbol, Delivery]]] = []
    for symbol, way in zip(word.inputs, word.deliveries, strict=True):
        if way.joined and out:
            out[-1].append((symbol, way))
        else:
            out.append([(symbol, way)])
    return out


_DELIVERED = re.compile(
    r"(?P<symbol>.*?\]?)(?: \((?:(?P<joined>with the one before it|in the record before it)(?:; )?)?"
    r"(?:in records of (?P<fragment>\d+) bytes(?:; )?)?(?:cut at (?P<cuts>\d+(?:, \d+)*))?\))?"
)


def delivered(word: Sequence[str]) -> tuple[tuple[str, ...], tuple[Delivery, ...]]:
    """The inputs of a word from its text, and how each travels; () where all do as usual."""
    found = [match for text in word if (match := _DELIVERED.fullmatch(text)) is not None]
    if len(found) != len(word):
        return tuple(word), ()
    ways = tuple(
        Delivery(
            int(match["fragment"] or 0),
            match["joined"] is not None,
            match["joined"] == "in the record before it",
            tuple(int(cut) for cut in (match["cuts"] or "").split(", ") if cut),
        )
        for match in found
    )
    return tuple(match["symbol"] for match in found), ways if any(way != USUAL for way in ways) else ()
