"""Rules by stacks, drawn and as text."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from shakeproof.diagrams import palette
from shakeproof.diagrams.matrix import (
    LEGEND,
    ROWS_MOST,
    Cell,
    Group,
    Mark,
    Matrix,
    Rule,
    draw_matrix,
    matrix_text,
    together,
)
from shakeproof.diagrams.text_width import text_width

MARKS = tuple(Mark)


def made(*rules: Rule, stacks: tuple[str, ...] = ("one", "two")) -> Matrix:
    group = Group("tls12.server", tuple("9/9 cells" for _ in stacks), rules)
    return Matrix("Rules and stacks", stacks, (group,), "a subtitle", ("one: version 1",))


def rule(*marks: Mark, text: str = "Certificate[EXPIRED] in WAIT_CERTIFICATE", excused: bool = False) -> Rule:
    return Rule(text, "RFC 5280 §6.1.3", tuple(Cell(mark, excused) for mark in marks))


def test_matrix_text_has_a_line_for_each_rule_and_a_column_for_each_stack() -> None:
    text = matrix_text(made(rule(Mark.FAIL, Mark.GOOD)))
    (head,) = [line for line in text.splitlines() if "one" in line and "two" in line]
    (line,) = [line for line in text.splitlines() if "EXPIRED" in line]
    assert line.index("✗ FAIL") == head.index("one")
    assert line.index("✓") == head.index("two")


def test_matrix_marks_are_told_apart_without_colour() -> None:
    assert len({mark.value for mark in Mark}) == len(Mark)
    told = {mark.value for mark, _ in LEGEND}
    assert {mark.value for mark in Mark} - told == {"✗ CRASH", "✗ HANG"}, "words that say it themselves"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("mark", Mark)
def test_matrix_words_stand_out_from_their_cell(mark: Mark, theme: str) -> None:
    back = (mark.fill or palette.BG).value(theme)
    assert palette.contrast(mark.ink.value(theme), back) >= 4.5


def test_matrix_is_drawn_with_every_mark() -> None:
    stacks = tuple(f"stack{number}" for number in range(len(MARKS)))
    figure = draw_matrix(made(rule(*MARKS), rule(*MARKS, excused=True), stacks=stacks))
    for word in ("CRASH", "HANG", "FAIL", "dev", "warn", "unsure", "(FAIL)", "(dev)"):
        assert f'"{word}"' in figure.dot_source or f">{word}<" in figure.dot_source, word
    assert figure.dot_source != draw_matrix(made(), theme="dark").dot_source


def test_matrix_in_words_names_what_is_broken_by_whom() -> None:
    matrix = made(rule(Mark.FAIL, Mark.GOOD))
    assert any(line.endswith("(RFC 5280 §6.1.3): one ✗ FAIL.") for line in matrix.sentences())
    assert any("nothing was found" in line for line in made().sentences())


def test_matrix_of_many_rules_counts_what_is_not_drawn() -> None:
    rules = [rule(Mark.FAIL, Mark.GOOD, text=f"rule {number}") for number in range(ROWS_MOST + 3)]
    figure = draw_matrix(made(*rules))
    assert "and 3 more rules" in figure.dot_source
    assert f"rule {ROWS_MOST + 2}" not in figure.dot_source
    assert f"rule {ROWS_MOST + 2}" in figure.text()


def test_matrix_shows_hostile_names_as_they_are() -> None:
    figure = draw_matrix(made(rule(Mark.FAIL, Mark.GOOD), stacks=("exec:\x1b[2J<b>&{}" + "x" * 300, "two")))
    assert "\x1b" not in figure.dot_source + figure.text()


def test_matrix_draws_rules_in_which_no_stack_differs_as_one_row_and_failures_first() -> None:
    rules = [rule(Mark.DEVIATION, Mark.GOOD, text=f"Input{n} in WAIT") for n in range(7)]
    rules += [rule(Mark.FAIL, Mark.FAIL, text="Bad1"), rule(Mark.FAIL, Mark.FAIL, text="Bad2")]
    rules.append(rule(Mark.GOOD, Mark.WARNING, text="alone"))
    drawn = together(rules)
    assert [one.text.partition(":")[0] for one in drawn] == ["Bad1", "Bad2", "7 rules alike", "alone"]
    assert all(f"Input{n}" in drawn[2].text for n in range(7))
    text = matrix_text(made(*rules))
    assert all(f"Input{n} in WAIT" in text for n in range(7)), "the table has each"


def test_matrix_of_many_stacks_is_narrow_enough_to_be_read_and_no_names_meet() -> None:
    stacks = tuple(f"stack-number-{number}" for number in range(11))
    long = "ServerKeyExchange[FORGED_SIGNATURE] in WAIT_SERVER_KEY_EXCHANGE, after something else"
    matrix = made(rule(*[Mark.CRASH] * 11, text=long), stacks=stacks)
    figure = draw_matrix(matrix)
    places = [(place.x, place.y) for place in figure.places.values()]
    assert max(x for x, _ in places) < 1000
    heads: dict[float, list[tuple[float, float]]] = {}
    wide = text_width(stacks[-1], 9.5, bold=True)
    for place in figure.places.values():
        if place.size == 9.5:
            heads.setdefault(place.y, []).append((place.x - wide / 2, place.x + wide / 2))
    assert sum(map(len, heads.values())) == 11
    for line in heads.values():
        assert all(one[1] < other[0] for one, other in itertools.pairwise(sorted(line)))


def test_matrix_picture_says_how_much_of_a_role_ran() -> None:
    matrix = made(rule(Mark.FAIL, Mark.GOOD))
    group = replace(matrix.groups[0], shares=(99, 12))
    source = draw_matrix(replace(matrix, groups=(group,))).dot_source
    assert "99 %" in source
    assert "12 % <½" in source or "12 % &lt;½" in source
    assert "counts as not tested" in source
    assert "counts as not tested" in matrix_text(matrix)
