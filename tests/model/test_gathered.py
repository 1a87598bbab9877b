"""Moves of one machine, gathered: each happens where it did, and nowhere else."""

from __future__ import annotations

import random

from shakeproof.model.gathered import Gatherer, Line

COLUMNS = ("state", "count", "flag")


def replayed(known: list[Line], moves: dict[Line, Line]) -> dict[Line, list[Line]]:
    out: dict[Line, list[Line]] = {}
    for where, assign in Gatherer(known, COLUMNS).gather(moves):
        assert "state" in where
        for line in known:
            values = dict(zip(COLUMNS, line, strict=True))
            if all(values[name] == value for name, value in where.items()):
                after = tuple((values | assign)[name] for name in COLUMNS)
                out.setdefault(line, []).append(after)
    return out


def test_gathered_moves_of_any_machine_are_the_same_moves_each_once() -> None:
    drawn = random.Random(7)
    for _ in range(50):
        known: list[Line] = list({(drawn.randrange(3), drawn.randrange(4), drawn.randrange(2)) for _ in range(12)})
        moves = {line: drawn.choice(known) for line in known if drawn.random() < 0.6}
        assert replayed(known, moves) == {before: [after] for before, after in moves.items()}


def test_gathered_move_that_does_not_look_at_a_column_leaves_it_out() -> None:
    known: list[Line] = [(1, count, flag) for count in range(3) for flag in range(2)]
    moves: dict[Line, Line] = {line: (2, *line[1:]) for line in known}
    assert list(Gatherer(known, COLUMNS).gather(moves)) == [({"state": 1}, {"state": 2})]


def test_gathered_move_that_happens_once_looks_at_what_tells_it_apart() -> None:
    known: list[Line] = [(1, 0, 0), (1, 1, 0), (1, 1, 1)]
    assert list(Gatherer(known, COLUMNS).gather({(1, 1, 1): (1, 0, 1)})) == [({"state": 1, "flag": 1}, {"count": 0})]
