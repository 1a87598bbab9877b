"""Labels of machines: what is too long is counted, never cut."""

from __future__ import annotations

import re

import pytest

from shakeproof.diagrams.briefly import brief, guard_of
from shakeproof.diagrams.labels import Usual
from shakeproof.diagrams.machine import draw_machine
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.picture import LINES_MOST, Arrow, Label, Move, Way, fewer
from shakeproof.model.roles import ROLES

DEFECTS = [f"defect_{number}" for number in range(30)]


def test_alternatives_beyond_the_room_are_counted_and_none_is_cut() -> None:
    lines = fewer(f"recv Certificate[{' | '.join(DEFECTS)} ~(bare | broken)], unasked", 300)
    text = " ".join(lines)
    named = [defect for defect in DEFECTS if f"{defect} |" in text]
    assert len(lines) <= LINES_MOST
    assert text.startswith("recv Certificate[defect_0 | ")
    assert text.endswith(f" | {len(DEFECTS) - len(named)} more ~(bare | broken)], unasked")
    assert named == DEFECTS[: len(named)]


def test_label_without_alternatives_is_left_to_others() -> None:
    assert fewer("recv Certificate", 20) == []
    assert fewer("recv X[a | b]", 20) == []


def label(*triggers: str, most: float = 150) -> Label:
    return brief(Arrow("A", "B", Way.OTHER, tuple(Move("A", "B", trigger) for trigger in triggers)), most)


def words(*triggers: str, most: float = 150) -> list[str]:
    return [line.text for line in label(*triggers, most=most).lines]


def test_guards_stand_below_their_message_in_words() -> None:
    assert words("recv Hello[by_id], ~first") == ["recv Hello", "[by id; not first]"]
    assert words("recv Hello[by_id]", "recv Hello[by_ticket]") == ["recv Hello", "[by id or by ticket]"]
    assert words("recv Data", "recv Record") == ["recv Data, Record"]


def test_rows_whose_guards_do_not_fit_are_counted_and_what_all_of_them_say_is_told() -> None:
    rows = [f"recv Hello[resumed, suite_number_{number}], offers_{number}, by_id" for number in range(7)]
    assert words(*rows) == ["recv Hello", "[resumed; by id] 7 ways"]
    assert guard_of(rows, Usual(), 40) == ("7 ways", True)


def test_alternatives_of_one_row_that_do_not_fit_are_counted() -> None:
    guard = guard_of([f"recv X[{' | '.join(DEFECTS)}]"], Usual(), 100)
    assert guard == (f"[defect 0 or {len(DEFECTS) - 1} more]", False)


def test_label_counts_where_rows_are_counted_whatever_its_words_are() -> None:
    rows = [f"recv Hello[resumed, suite_number_{number}], offers_{number}, by_id" for number in range(7)]
    assert label(*rows).counts
    assert brief(Arrow("A", "B", Way.OTHER, tuple(Move("A", "B", "recv X", f"send {n}") for n in range(5))), 150).counts
    assert not label("recv and [no way]", "recv Data[in_7 ways]").counts
    assert not label("recv Hello[by_id]", "recv Hello[by_ticket]").counts


@pytest.mark.parametrize("name", ["tls12.client", "tls12.server"])
def test_machine_of_many_rows_is_a_page_and_says_how_many_each_arrow_stands_for(name: str) -> None:
    text = draw_machine(picture_of(ROLES[name])).dot_source
    box = re.search(r'bb="0.0,0.0,([0-9.]+),([0-9.]+)"', text)
    assert box is not None
    width, height = float(box[1]), float(box[2])
    assert width <= 1300
    assert width <= 1.1 * height
    assert re.search(r"\d+ transitions are drawn as \d+ arrows", text)
    assert "~(" not in text.split("LISTED")[0].replace("tooltip", "")
