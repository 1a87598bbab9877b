"""Traces as text."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shakeproof.diagrams import draw_trace, ladder
from shakeproof.model.trace import Fate, Trace
from tests.diagrams.goldens import same_as_golden
from tests.diagrams.sample_traces import CLIENT, SERVER, C, S, crossing, full, hostile, long, message, mitm


@pytest.mark.parametrize("sample", [full, hostile, crossing, mitm])
def test_text_is_the_golden_one(sample: Callable[[], Trace]) -> None:
    assert same_as_golden(f"{sample.__name__}.txt", ladder(sample()))


def test_figure_of_a_trace_carries_the_ladder() -> None:
    assert draw_trace(full()).text() == ladder(full())


@pytest.mark.parametrize("sample", [full, hostile, crossing, mitm])
def test_every_message_has_a_line_with_its_name(sample: Callable[[], Trace]) -> None:
    lines = ladder(sample()).splitlines()
    for step in sample().messages():
        assert any(line.startswith(str(step.number).rjust(4)) and step.label in line for line in lines)


def test_ascii_has_no_other_character() -> None:
    text = ladder(hostile(), ascii_only=True)
    assert text.isascii()
    assert "> " in text or ">|" in text


def test_name_that_does_not_fit_is_cut() -> None:
    text = ladder(Trace("t", (CLIENT, SERVER), (message(C, S, "N" * 500, number=1),)))
    assert "…" in text
    assert max(len(line) for line in text.splitlines()) < 120


def test_lost_message_does_not_reach_the_other_side() -> None:
    text = ladder(Trace("t", (CLIENT, SERVER), (message(C, S, "Data", number=1, fate=Fate.LOST),)))
    (line,) = [line for line in text.splitlines() if "Data" in line]
    assert "✗ " in line
    assert "▶" not in line
    assert "[LOST]" in line


def test_control_characters_of_a_peer_do_not_reach_the_terminal() -> None:
    text = ladder(Trace("t\x1b]0;x\x07", (CLIENT, SERVER), (message(C, S, "a\x1b[2J", "d\x9b", number=1),)))
    assert all(character.isprintable() or character == "\n" for character in text)


def test_long_trace_has_a_line_for_each_message() -> None:
    assert ladder(long(300)).count("Segment") == 300
