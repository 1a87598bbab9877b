"""A target's own state machine, learned from its answers, and the table's in the same terms.

One input with all output up to quiet is one letter of a Mealy machine. AALpy's KV algorithm makes a hypothesis; a
complete suite made of the hypothesis looks for a word on which the target and it differ, and both are repeated until
there is none, or words or time are used up. Random words would not do: most end the connection at once.

What is learned is held against the reference, the table's machine resolved: where the table leaves a choice, it is
taken as the target was seen to take it. Outputs are abstract, so that legal ways to say the same are one: which alert
ends a connection is a matter of words (`verdicts` grades it), that it ends is behaviour.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aalpy import MealyMachine, Oracle, run_KV

from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import Alert, ApplicationData
from shakeproof.model.notation import STAY, Row, Symbol
from shakeproof.properties.asking import (
    CLOSED,
    MEANINGLESS,
    NOTHING,
    ORDERLY,
    CorrectedError,
    CutError,
    Letters,
    System,
    as_output,
    ends,
)
from shakeproof.properties.complete import Reference, reference
from shakeproof.properties.conformance import Runner
from shakeproof.properties.suites import expected, own_accord

WORDS_MOST = 6000
"""Words for one machine: ten times what our own implementation takes."""
EXTRA = 1
"""States beyond the hypothesis that its suite looks for."""

END = "CLOSED"
"""The state in which nothing is answered any more."""


@dataclass(frozen=True, slots=True)
class Edge:
    """One transition: states, input and abstract output, as text."""

    source: str
    letter: str
    output: str
    target: str


@dataclass(frozen=True)
class Machine:
    """A Mealy machine as plain data. states: the first is where it begins; alphabet: all that was tried in each."""

    title: str
    states: Letters
    alphabet: Letters
    edges: tuple[Edge, ...]

    @property
    def telling(self) -> tuple[Edge, ...]:
        """The edges but those that only end the connection, which most do, and what says nothing."""
        return tuple(
            edge for edge in self.edges if edge.output not in (CLOSED, ORDERLY, MEANINGLESS) and edge.source != END
        )


@dataclass(frozen=True)
class Learned:
    """What was learned of a target in one role and setup, with the table's machine in the same alphabet.

    cut: why it is not all, "" where the suite made of the machine found nothing more; rounds: hypotheses that there
    were; words: connections that it took; timed: answers of which only a timer tells that they are whole.
    """

    target: str
    role: str
    setup: str
    machine: Machine
    reference: Machine
    words: int
    rounds: int
    seconds: float
    cut: str = ""
    timed: int = 0

    @property
    def extra(self) -> tuple[Edge, ...]:
        """The transitions that the reference has not; a changed answer is one."""
        return tuple(edge for edge in self.machine.telling if edge not in self.reference.edges)

    @property
    def missing(self) -> tuple[Edge, ...]:
        """The transitions of the reference that the target has not, in the states that both have."""
        both = set(self.machine.states)
        return tuple(e for e in self.reference.telling if e.source in both and e not in self.machine.edges)


def alphabet_of(there: Reference, besides: Iterable[Symbol] = ()) -> tuple[Symbol, ...]:
    """The letters: of the sound symbols one for all that the same rows read everywhere, and the symbols besides.

    Where one of them is on the usual way of the setup it is that one, so that what is learned is of that setup: a
    ClientHello with several suites is for the target to choose from.
    """
    usual = {symbol for here in there.places for symbol in there.onward(here)}
    found: dict[object, Symbol] = {}
    for symbol in there.alphabet:
        if symbol.is_sound:
            rows = tuple(frozenset(row.id for row in there.role.enabled(here, symbol)) for here in there.places)
            if found.setdefault((symbol.message, rows), symbol) not in usual and symbol in usual:
                found[symbol.message, rows] = symbol
    return tuple(dict.fromkeys((*found.values(), *besides)))


class Suite(Oracle):  # type: ignore[misc]
    """The equivalence oracle: a complete suite made of the hypothesis, and the continuations of the table's own."""

    def __init__(self, letters: Letters, system: System, continuations: Iterable[Letters], extra: int) -> None:
        super().__init__(list(letters), system)
        self.system, self.letters, self.extra = system, letters, extra
        self.continuations = tuple(continuations)
        self.guess: Guess | None = None
        self.passed = 0
        """Depths of the suite in which the guess had no word against it: 0 for a guess that is one only."""
        self.rounds = 0

    def find_cex(self, hypothesis: MealyMachine) -> list[str] | None:
        """A word that the target answers otherwise than the hypothesis; None where the suite has none."""
        self.guess, self.passed = guess_of(hypothesis), 0
        self.rounds += 1
        for word in self.suite(hypothesis):
            got, wanted = self.system.query(word), _run(hypothesis, word)
            for at, (one, other) in enumerate(zip(got, wanted, strict=True), 1):
                if one != other:
                    return list(word[:at])
        return None

    def suite(self, hypothesis: MealyMachine) -> Iterator[Letters]:
        """Access, a letter, up to `extra` more, and what tells states apart; cut where it ends.

        What looks for fewer states comes first whole, so that a run which is cut has looked for those.
        """
        # In an order of its own, so that the same seed asks the same words.
        telling = sorted({*self.continuations, *map(tuple, hypothesis.compute_characterization_set())})
        level: list[Letters] = [tuple(state.prefix) for state in hypothesis.states]
        for _ in range(self.extra + 1):
            open_ = [word for word in level if not self._is_over(hypothesis, word)]
            level = [(*word, letter) for word in open_ for letter in self.letters]
            yield from level
            for word in level:
                if not self._is_over(hypothesis, word):
                    yield from ((*word, *behind) for behind in telling)
            self.passed += 1

    def _is_over(self, hypothesis: MealyMachine, word: Letters) -> bool:
        return ends(_run(hypothesis, word)) or ends(self.system.query(word))


Guess = tuple[Mapping[str, tuple[str, int]], ...]
"""A hypothesis as plain data: for each state, the first being the initial one, letter -> output and next state.
AALpy goes on working in its own object, so that a cut may find that half done."""


def guess_of(hypothesis: MealyMachine) -> Guess:
    """The hypothesis as it is now."""
    numbers = {hypothesis.initial_state: 0}
    for state in hypothesis.states:
        numbers.setdefault(state, len(numbers))
    return tuple(
        {letter: (state.output_fun[letter], numbers[after]) for letter, after in state.transitions.items()}
        for state in numbers
    )


def _run(machine: MealyMachine, word: Iterable[str]) -> list[str]:
    machine.reset_to_initial()
    return [machine.step(letter) for letter in word]


# ------------------------------------------------------------------------------------------------------------- learning


def learn(
    runner: Runner,
    besides: Iterable[Symbol] = (),
    *,
    time_s: float = 60.0,
    words_most: int = WORDS_MOST,
    extra: int = EXTRA,
) -> Learned:
    """Learn the target's machine in the runner's role and setup. Raises CutError where it came to none
    that a suite made of it, for no states beyond its own, has nothing against.

    besides: symbols that belong into the alphabet beside the sound ones, such as those on which it deviates; extra:
    states beyond the hypothesis that its suite looks for.
    """
    began = time.monotonic()
    there = reference(runner.role, runner.setup)
    letters = alphabet_of(there, besides)
    texts = tuple(symbol.text for symbol in letters)
    system = System(runner, letters, began + time_s, words_most)
    onward = dict.fromkeys(tuple(symbol.text for symbol in there.onward(here)) for here in there.places)
    oracle = Suite(texts, system, (way for way in onward if way and set(way) <= set(texts)), extra)
    cut = ""
    try:
        _until_it_stands(texts, system, oracle)
    except CutError as error:
        cut = str(error)
        if oracle.guess is None or not oracle.passed:
            raise CutError(f"{cut}, before a machine passed a suite made of it") from error
        cut += f"; up to {oracle.passed - 1} states beyond it were looked for"
    assert oracle.guess is not None
    found = _Compared(there, letters, oracle.guess, sees_data=system.sees_data)
    return Learned(
        runner.target.name,
        runner.role.name,
        runner.setup.text,
        found.learned(f"{runner.target.name}{', as far as it was learned' if cut else ''}"),
        found.resolved(),
        system.words,
        oracle.rounds,
        time.monotonic() - began,
        cut,
        system.timed,
    )


def _until_it_stands(texts: Letters, system: System, oracle: Suite) -> None:
    """Learn until the suite has no word against the hypothesis; from the beginning where an answer was corrected.

    Each correction takes a word, of which there are so many only, and what is known is not asked again.
    """
    while True:
        try:
            run_KV(list(texts), system, oracle, automaton_type="mealy", cache_and_non_det_check=False, print_level=0)
        except CorrectedError:
            oracle.guess, oracle.passed = None, 0
        else:
            return


@dataclass(frozen=True)
class _Place:
    """Where the table's machine and the learned one are at once. other: its state, None where that went astray."""

    here: Configuration
    other: int | None = None


@dataclass
class _Compared:
    """The table's machine, resolved along a learned one, and the learned one's states by the table's names."""

    there: Reference
    letters: Sequence[Symbol]
    guess: Guess
    sees_data: bool
    steps: dict[_Place, dict[str, tuple[str, _Place | None]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.role: Role = self.there.role
        queue = [_Place(next(iter(self.there.places)), 0)]
        while queue:
            place = queue.pop(0)
            if place not in self.steps:
                self.steps[place] = {symbol.text: self._step(place, symbol) for symbol in self.letters}
                queue += [after for _, after in self.steps[place].values() if after is not None]
        self.classes = self._classes()
        self.names = self._names()

    def _step(self, place: _Place, symbol: Symbol) -> tuple[str, _Place | None]:
        """What the table says, as the learned machine chooses where it leaves a choice."""
        came, other = (None, None) if place.other is None else self.guess[place.other][symbol.text]
        if came == MEANINGLESS or self.role.is_void(place.here, symbol):
            return MEANINGLESS, place
        allowed = self._allowed(place.here, symbol)
        if came in allowed:
            there = allowed[came]
            return came, None if there is None else _Place(there, other)
        answer, there = next(iter(allowed.items()))
        return answer, None if there is None else _Place(there)

    def _allowed(self, here: Configuration, symbol: Symbol) -> dict[str, Configuration | None]:
        """Each output that the table allows, the expected one first, with where it leads; None: to the end."""
        role = self.role
        course = self.there.places[here][1] if here in self.there.places else ()
        ways = [(row, there) for row in role.enabled(here, symbol) for there in role.apply(row, here, symbol)]
        likely = expected(role, ways, course)
        out: dict[str, Configuration | None] = {}
        for row, there in sorted((*likely, *ways), key=lambda way: (way not in likely, way[0].is_violation)):
            for output in self._outputs(row, there, symbol):
                out.setdefault(output, None if role.is_final(there.state) else there)
        if not out:  # no row reads it: nothing comes of it
            out[NOTHING] = here
        if CLOSED in out:  # that it says so with the wrong alert is for `verdicts` to grade
            out.setdefault(ORDERLY, None)
        for output, after in list(out.items()):
            if after is not None and self._may_close(after):
                out.setdefault(f"{output}, {ORDERLY}" if output != NOTHING else ORDERLY, None)
        for row, there in own_accord(role, [way for way in ways if not way[0].is_violation]):
            out.setdefault(row.pattern.message.name, there)
        return out

    def _may_close(self, here: Configuration) -> bool:
        """Whether the role may close in order there, of its own accord."""
        own = self.role.of_its_own_accord(here.state)
        return any(row.pattern.message is Alert and row.next is self.role.final for row in own)

    def _outputs(self, row: Row, there: Configuration, symbol: Symbol) -> Iterator[str]:
        takes = symbol.message is ApplicationData and not row.is_violation and self.sees_data
        over = self.role.is_final(there.state)
        owed = [one for one in self.role.flight(row, there) if not (over and one.pattern.message is Alert)]
        names = [(one.pattern.message.name, one.optional) for one in owed]
        end = CLOSED if over else ""
        yield as_output([name for name, optional in names if not optional], takes=takes, end=end)
        if any(optional for _, optional in names):
            yield as_output([name for name, _ in names], takes=takes, end=end)
        if row.next is STAY and takes:  # data that a server does not answer
            yield as_output([], takes=False, end=end)

    def _classes(self) -> dict[_Place, int]:
        """Places that behave alike are one state: numbered in the order in which they are come to."""
        group = dict.fromkeys(self.steps, 0)
        while True:
            signs: dict[object, int] = {}
            after: dict[_Place, int] = {}
            for place, steps in self.steps.items():
                sign = (
                    group[place],
                    *((output, -1 if there is None else group[there]) for output, there in steps.values()),
                )
                after[place] = signs.setdefault(sign, len(signs))
            if len(signs) == len(set(group.values())):
                return after
            group = after

    def _names(self) -> dict[int, str]:
        names: dict[int, str] = {}
        for place, number in self.classes.items():
            if number not in names:
                name = place.here.state.name
                memory = self.role.remembered_text(place.here)
                taken = name in names.values()
                names[number] = f"{name} ({memory or len(names)})" if taken else name
                if list(names.values()).count(names[number]) > 1:
                    names[number] = f"{names[number]} {number}"
        return names

    def resolved(self) -> Machine:
        """The reference as a machine."""
        edges: dict[Edge, None] = {}
        for place, steps in self.steps.items():
            name = self.names[self.classes[place]]
            if place.other is None:  # where the target does not come to there is nothing to compare
                continue
            for letter, (output, there) in steps.items():
                edges[Edge(name, letter, output, END if there is None else self.names[self.classes[there]])] = None
        ends_of = {name: None for edge in edges for name in (edge.source, edge.target) if name != END}
        return Machine(f"{self.role.title}, by the table", (*ends_of, END), self._texts, tuple(edges))

    def learned(self, target: str) -> Machine:
        """What was learned, with the names of the reference's states where they are the same."""
        names: dict[int, str] = {}
        for place, number in self.classes.items():
            if place.other is not None and self.names[number] not in names.values():
                names.setdefault(place.other, self.names[number])
        queue, seen = [0], {0}
        edges: list[Edge] = []
        while queue:
            state = queue.pop(0)
            for letter, (output, after) in self.guess[state].items():
                over = ends([output])
                if not over and after not in names:
                    names[after] = f"EXTRA {1 + sum(name.startswith('EXTRA ') for name in names.values())}"
                edges.append(Edge(names[state], letter, output, END if over else names[after]))
                if not over and after not in seen:
                    seen.add(after)
                    queue.append(after)
        states = (*(names[state] for state in names if state in seen), END)
        return Machine(f"{self.role.title}: {target}", states, self._texts, tuple(edges))

    @property
    def _texts(self) -> Letters:
        return tuple(symbol.text for symbol in self.letters)


def as_file(machine: Machine, *, role: Role, about: Mapping[str, Any]) -> dict[str, Any]:
    """The machine as data of a saved machine, which `draw machine FILE` and `draw diff A B` read.

    about: what else is to be said. Edges that only end the connection are counted, not listed: most letters have one.
    """
    phases = {state.name: state.phase for state in role.states}
    shown = {end for edge in machine.telling for end in (edge.source, edge.target)} | {machine.states[0]}
    known = {name: phases.get(name.split(" ")[0], "") for name in machine.states if name in shown or name != END}
    # A state that the table has not belongs where it is come to from: from one of the table's, if there is such a way.
    own = {name for name, phase in known.items() if phase}
    for edge in sorted(machine.telling, key=lambda edge: edge.source not in own):
        known[edge.target] = known[edge.target] or known[edge.source]
    tints = {phase.key: phase.tint for phase in role.phases}
    return {
        "format": "shakeproof.machine/1",
        "title": machine.title,
        "sink": END if END in shown else "",
        "path": _path(machine, role.accepting.name),
        "phases": [{"key": phase.key, "title": phase.title, "tint": phase.tint} for phase in role.phases],
        "states": [{"name": name, "phase": phase, "tint": tints.get(phase, "")} for name, phase in known.items()],
        "transitions": [
            {"source": edge.source, "target": edge.target, "trigger": edge.letter, "action": edge.output}
            for edge in machine.telling
        ],
        "alphabet": list(machine.alphabet),
        "ending": {
            name: sum(edge.source == name and edge.output in (CLOSED, ORDERLY) for edge in machine.edges)
            for name in machine.states
        },
        **about,
    }


def _path(machine: Machine, accepting: str) -> list[str]:
    """The states of the shortest way to where data is exchanged: a picture has them in one line; [] for none."""
    ways = {machine.states[0]: [machine.states[0]]}
    queue = [machine.states[0]]
    for here in queue:
        for edge in machine.telling:
            if edge.source == here and edge.target not in ways and edge.target != END:
                ways[edge.target] = [*ways[here], edge.target]
                queue.append(edge.target)
    return ways.get(accepting, [])
