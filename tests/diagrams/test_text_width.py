"""Widths of text, computed alike everywhere, and text made safe to show."""

from __future__ import annotations

import pytest

from shakeproof.diagrams import text_width as module
from shakeproof.diagrams.text_width import clean, elide, text_width, wrap


def test_tables_hold_the_95_printable_characters() -> None:
    assert len(module._REGULAR) == len(module._BOLD) == 95


@pytest.mark.parametrize(
    ("text", "bold", "width"),
    [("A", False, 6.67), ("i", False, 2.22), ("AB", True, 14.44), (" ", False, 2.78), ("", True, 0)],
)
def test_width_at_10_points_is_that_of_helvetica(text: str, bold: bool, width: float) -> None:
    assert text_width(text, 10, bold=bold) == pytest.approx(width)


def test_width_of_wide_characters_is_an_em() -> None:
    assert text_width("漢", 10) == pytest.approx(10.0)
    assert text_width("é", 10) == pytest.approx(6.0)


def test_elide_keeps_what_fits_and_marks_the_cut() -> None:
    assert elide("short", 9, 100) == "short"
    cut = elide("a rather long text", 9, 40)
    assert cut.endswith("…")
    assert text_width(cut, 9) <= 40


def test_elide_of_a_huge_text_reads_only_what_can_fit() -> None:
    assert len(elide("x" * 50_000_000, 9, 100)) < 60


def test_wrap_breaks_between_words_and_loses_none() -> None:
    text = "one two three four five six seven"
    lines = wrap(text, 9, 60)
    assert " ".join(lines) == text
    assert all(text_width(line, 9) <= 60 for line in lines)


def test_clean_takes_away_what_steers_a_terminal() -> None:
    assert clean("a\x1b[31mb\u202ec\ud800\td\n") == "a\ufffd[31mb\ufffdc\ufffd d "
    assert clean("Ünïcode → fine") == "Ünïcode → fine"
