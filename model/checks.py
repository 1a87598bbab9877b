"""Checks in order: a standard that examines one input step by step, as rows.

    *in_order("3.10.7.4",
        stage("RST", recv(BUSY, Segment[rst],           CLOSED,             MUST("3.10.7.4 rst"))),
        stage("ACK", recv(BUSY, Segment[current],       FIN_WAIT_2, CONTINUE, MUST("3.10.7.4 fin-acked")),
                     recv(BUSY, Segment[beyond],        STAY, sends(ACK),   MUST("3.10.7.4 future-ack"))),
        stage("FIN", recv(FIN_WAIT_2, Segment[fin],     TIME_WAIT, sends(ACK), MUST("3.10.7.4 fin"))),
    )

Each stage sees only what the stages before it let pass, in the state that they led to. A stage none of whose rows fits
lets everything pass. A row that fits ends the handling, or, with CONTINUE, adds its effects and goes on with the next
stage. So no row has to say what earlier rows have already excluded, and the table reads as the standard does.

To everyone else a role shows whole transitions: `Ways` composes, for a state and the rows that fit, one row with the
effects, replies, signals and clauses of all its parts; equal replies are sent once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from shakeproof.model.clauses import Authority, Level
from shakeproof.model.facts import Fact, ModelError
from shakeproof.model.notation import (
    STAY,
    Abort,
    Effect,
    Message,
    Output,
    Pattern,
    Place,
    Row,
    State,
    States,
    Stay,
    Symbol,
)


@dataclass(frozen=True)
class Stage:
    """One check: its title, and its rows."""

    title: str
    rows: tuple[Row, ...]


def stage(title: str, *rows: Row) -> Stage:
    """One check."""
    return Stage(title, rows)


def in_order(name: str, *stages: Stage) -> tuple[Row, ...]:
    """The rows of checks, each of which sees only what those before it let pass. name: of the order in its table."""
    return tuple(
        replace(row, place=Place(name, number, one.title)) for number, one in enumerate(stages, 1) for row in one.rows
    )


Path: TypeAlias = tuple[tuple[int, Row], ...]
"""The rows that take an input, each with the number of its stage."""


def after(row: Row, state: State) -> State:
    """The state after a row of a check. Raises ModelError for an abort."""
    if isinstance(row.next, Abort):
        raise ModelError(f"{row.id}: a check does not abort")
    return state if isinstance(row.next, Stay) else row.next


class Ways:
    """The stages of one order, as a role reads them: identified rows, stage by stage.

    name: of the order; rows: those of it that are in force; blank: states in which nothing is remembered, so that
    effects on the way there mean nothing.
    """

    def __init__(self, name: str, rows: Iterable[Row], blank: Sequence[State] = ()) -> None:
        self.name = name
        self.blank = blank
        placed = [(row.place.stage, row) for row in rows if row.place is not None]
        numbers = sorted({number for number, _ in placed})
        self.stages = [[row for number, row in placed if number == wanted] for wanted in numbers]
        self.reads = {(state, row.pattern.message) for _, row in placed for state in row.states.members}
        self._refuse_late_looks()
        self._matching: dict[Symbol, tuple[tuple[int, tuple[Row, ...]], ...]] = {}
        self._composed: dict[tuple[State, tuple[str, ...]], Row] = {}

    def _refuse_late_looks(self) -> None:
        """What is remembered is looked at as it was before the first check, so no check may have changed it."""
        changed: set[Fact] = set()
        for rows in self.stages:
            for row in rows:
                for fact in (fact for guard in row.guards for fact in guard.facts() if fact in changed):
                    raise ModelError(f"{row.id}: looks at {fact.name}, which an earlier check may have changed")
            changed |= {effect.fact for row in rows if row.goes_on for effect in row.effects}

    def matching(self, symbol: Symbol) -> tuple[tuple[int, tuple[Row, ...]], ...]:
        """Stage by stage, the rows whose pattern the symbol is; stages without one are left out."""
        if symbol not in self._matching:
            found = (
                (number, tuple(row for row in rows if row.pattern.matches(symbol)))
                for number, rows in enumerate(self.stages)
            )
            self._matching[symbol] = tuple((number, rows) for number, rows in found if rows)
        return self._matching[symbol]

    def paths(self, state: State, memory: dict[str, int], symbol: Symbol) -> Iterator[Path]:
        """The ways through the stages, each with at least one row."""
        if (state, symbol.message) not in self.reads:
            return
        open_: list[tuple[State, Path]] = [(state, ())]
        for number, rows in self.matching(symbol):
            going: list[tuple[State, Path]] = []
            for here, path in open_:
                fitting = [row for row in rows if here in row.states.members and row.agrees_with(memory, symbol)]
                for row in fitting:
                    longer = (*path, (number, row))
                    if row.goes_on:
                        going.append((after(row, here), longer))
                    else:
                        yield longer
                if not fitting:
                    going.append((here, path))
            open_ = going
        yield from (path for _, path in open_ if path)

    def row(self, state: State, path: Path) -> Row:
        """The whole transition of a way, made once; its id is that of the parts until the role names it."""
        key = (state, tuple(row.id for _, row in path))
        if key not in self._composed:
            self._composed[key] = self._compose(state, path)
        return self._composed[key]

    def rename(self, named: Iterable[tuple[Row, Row]]) -> None:
        """Put named rows in the place of those that were composed: pairs of composed and named."""
        new = {id(old): new for old, new in named}
        self._composed = {key: new.get(id(row), row) for key, row in self._composed.items()}

    def _compose(self, state: State, path: Path) -> Row:
        rows = [row for _, row in path]
        effects: dict[Fact, Effect] = {}
        here = state
        for row in rows:
            effects |= {effect.fact: effect for effect in row.effects}
            here = after(row, here)
        # The part that changes the state speaks first: it is what a picture and a chart cite.
        ordered = sorted(rows, key=lambda row: isinstance(row.next, Stay))
        return Row(
            rows[0].kind,
            States((state,)),
            Pattern(rows[0].pattern.message, tuple(dict.fromkeys(g for row in rows for g in row.pattern.guards))),
            guards=tuple(dict.fromkeys(guard for row in rows for guard in row.guards)),
            agreements=tuple(dict.fromkeys(item for row in rows for item in row.agreements)),
            next=STAY if here is state else here,
            effects=() if here is not state and here in self.blank else tuple(effects.values()),
            outputs=_together([output for row in rows for output in row.outputs]),
            signals=tuple(dict.fromkeys(signal for row in rows for signal in row.signals)),
            authority=Authority(
                _level([row.level for row in rows]),
                tuple(dict.fromkeys(key for row in ordered if row.authority for key in row.authority.keys)),
            ),
            id=" + ".join(row.id for row in rows),
            role_name=rows[0].role_name,
            clauses=tuple(dict.fromkeys(clause for row in ordered for clause in row.clauses)),
            parts=tuple(row.id for row in rows),
            unless=self._passed(state, path),
        )

    def _passed(self, state: State, path: Path) -> tuple[Row, ...]:
        """The rows of the checks that let pass what the way is about."""
        taken = dict(path)
        out: list[Row] = []
        here = state
        for number, rows in enumerate(self.stages):
            if number in taken:
                here = after(taken[number], here)
                if not taken[number].goes_on:
                    break
            else:
                message: Message = path[0][1].pattern.message
                out += [row for row in rows if here in row.states.members and row.pattern.message is message]
        return tuple(out)


def _level(levels: Sequence[Level]) -> Level:
    return next((level for level in (Level.MAY, Level.SHOULD) if level in levels), Level.MUST)


def _together(outputs: Sequence[Output]) -> tuple[Output, ...]:
    """Replies of several checks as one flight: what several of them send is sent once, if any of them must."""
    out: dict[Pattern, Output] = {}
    for output in outputs:
        known = out.get(output.pattern)
        optional = output.optional and (known is None or known.optional)
        out[output.pattern] = replace(output, optional=optional)
    return tuple(out.values())


def joined(rows: Sequence[Row]) -> list[tuple[Row, list[Row]]]:
    """Composed rows of several states that are the same in all else, as one; each with the rows that it stands for."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in rows:
        key = (row.parts, row.next, row.outputs, row.effects, tuple(id(other) for other in row.unless))
        groups.setdefault(key, []).append(row)
    out: list[tuple[Row, list[Row]]] = []
    for same in groups.values():
        members = tuple(itertools.chain.from_iterable(row.states.members for row in same))
        out.append((replace(same[0], states=States(members)), same))
    return out
