"""Repeats are told once, and nothing that has something of its own to tell is left out."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from shakeproof.diagrams.folding import fold
from shakeproof.diagrams.rows import COMPACT_FROM
from shakeproof.diagrams.sequence import draw_trace
from shakeproof.model.trace import Fate, Kind, Lane, Step, Trace

LANES = (Lane("c", "Client"), Lane("s", "Server", side="server"))
COUNT = 120


def repeated(count: int = COUNT) -> Trace:
    steps = [
        Step(n, sender="c" if n % 2 else "s", receiver="s" if n % 2 else "c", message="Data" if n % 2 else "ACK")
        for n in range(1, count + 1)
    ]
    return Trace("Repeats", LANES, tuple(steps))


def test_pairs_that_repeat_are_drawn_once_and_counted() -> None:
    folded = fold(repeated())
    assert [step.label for step in folded.steps[:2]] == ["Data", "ACK"]
    (rest,) = folded.steps[2:]
    assert rest.kind is Kind.TIME
    assert rest.title == "the same 2 messages 59 times more, steps 3 to 120"


def test_two_times_are_no_pattern() -> None:
    assert fold(repeated(4)).steps == repeated(4).steps


@pytest.mark.parametrize(
    "special",
    [{"fate": Fate.LOST}, {"defect": ("BAD_MAC",)}, {"verdict": "it broke"}, {"note": "look"}, {"title": "Other"},
     {"before": {"s": "A"}, "after": {"s": "B"}}, {"protection": "keys"}, {"received_after": 70}],
)  # fmt: skip
def test_step_with_something_to_tell_is_never_folded(special: dict[str, object]) -> None:
    whole = repeated()
    steps = list(whole.steps)
    steps[60] = replace(steps[60], **special)  # type: ignore[arg-type]  # one field each
    folded = fold(replace(whole, steps=tuple(steps)))
    assert steps[60] in folded.steps
    if "received_after" in special:
        assert steps[69] in folded.steps


def test_long_chart_folds_and_still_says_every_step_in_words() -> None:
    figure = draw_trace(repeated())
    assert len(figure.sentences) == COUNT
    assert f"{COUNT} messages" in figure.plain
    assert "59 times more" in figure.dot_source
    assert "59 times more" not in draw_trace(repeated(COMPACT_FROM)).dot_source


SECONDS_MOST = 3.0
"""Of processor time, for a chart of a thousand messages, none of which repeats."""


def test_chart_of_a_thousand_messages_is_quick() -> None:
    whole = repeated(1000)
    steps = tuple(replace(step, title=f"Message {step.number}") for step in whole.steps)
    start = time.process_time()
    figure = draw_trace(replace(whole, steps=steps))
    assert time.process_time() - start < SECONDS_MOST
    assert figure.dot_source.count("id=m") == 1000
