"""What stands below an arrow: broken into lines rather than cut, and what differs is never what is lost."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest

from shakeproof.diagrams import draw_trace
from shakeproof.diagrams.lanes import place_lanes
from shakeproof.diagrams.rows import (
    DETAIL,
    DETAIL_LINES_MOST,
    DETAIL_PITCH,
    WIDEST,
    detail_lines,
    detail_of,
    plan_rows,
    shortened,
)
from shakeproof.diagrams.text_width import text_width
from shakeproof.model.trace import Phase, Step, Trace
from tests.diagrams.sample_traces import CLIENT, SERVER, C, S, message

SUITES = "TLS 1.2, TLS_RSA_WITH_AES_128_CBC_SHA, TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, server.shakeproof.test"
CLAIMED = "RENEGOTIATION_CLAIMED"


def hello(detail: str, **fields: object) -> Step:
    return replace(message(C, S, "ClientHello", detail, number=1), **fields)  # type: ignore[arg-type]


def chart(*steps: Step, lanes: int = 2) -> Trace:
    return Trace("t", (CLIENT, SERVER)[:lanes], steps)


def shown(trace: Trace, *, compact: bool | None = None) -> str:
    """The picture without its hover texts, which have all in full."""
    return html.unescape(re.sub(r'tooltip="[^"]*"', "", draw_trace(trace, compact=compact).dot_source))


@pytest.mark.parametrize(
    ("step", "end"),
    [
        (hello(f"{SUITES}, without ec_point_formats"), "without ec_point_formats"),
        (hello(SUITES, defect=(CLAIMED,)), f"[{CLAIMED}]"),
        (hello(SUITES, remarks=("BY_ID", "the attacker's certificate")), "[BY_ID] the attacker's certificate"),
    ],
)
def test_detail_that_is_wider_than_its_place_goes_on_in_a_second_line(step: Step, end: str) -> None:
    lines = detail_lines(step, DETAIL, WIDEST)
    assert len(lines) == 2
    assert " ".join(lines).split() == detail_of(step).split()
    assert end in " ".join(lines)
    text = shown(chart(step))
    assert all(line in text for line in lines)
    assert "\u2026" not in text


def test_detail_in_more_lines_makes_its_row_higher_and_stays_between_its_lanes() -> None:
    short, wide = hello("short"), hello(SUITES, defect=(CLAIMED,))
    trace = chart(wide)
    plan = plan_rows(trace, states=True, compact=None)
    lanes = place_lanes(trace, plan)
    row = plan.rows[0]
    assert row.height == plan_rows(chart(short), states=True, compact=None).rows[0].height + DETAIL_PITCH
    assert max(text_width(line, DETAIL) for line in row.details) <= abs(lanes.x[C] - lanes.x[S])


@pytest.mark.parametrize("compact", [True, False])
def test_detail_that_is_too_long_for_any_place_keeps_what_differs(compact: bool) -> None:
    step = hello(" ".join(f"suite_{number}" for number in range(500)), defect=(CLAIMED,), remarks=("BY_ID",))
    lines = detail_lines(step, DETAIL, 300)
    assert len(lines) == DETAIL_LINES_MOST
    assert lines[-1] == f"[{CLAIMED}, BY_ID]"
    assert lines[-2].endswith("\u2026")
    assert all(text_width(line, DETAIL) <= 300 for line in lines)
    assert f"[{CLAIMED}, BY_ID]" in shown(chart(step), compact=compact)


@pytest.mark.parametrize("width", [0.0, 5.0, 60.0, 150.0, 400.0])
def test_detail_in_one_line_is_never_wider_than_its_place(width: float) -> None:
    step = hello(SUITES, defect=(CLAIMED,))
    line = shortened(step, DETAIL, width)
    assert text_width(line, DETAIL) <= max(width, text_width("\u2026", DETAIL))
    whole = f"[{CLAIMED}]"
    assert (whole in line) == (text_width(whole, DETAIL) <= width)


def test_detail_of_a_message_with_remarks_has_values_in_brackets_and_words_behind() -> None:
    step = hello("", defect=(CLAIMED,), remarks=("BY_ID", "the attacker's certificate"))
    assert detail_of(step) == f"[{CLAIMED}, BY_ID]  the attacker's certificate"
    assert step.sentence({}).endswith("to server: BY_ID, the attacker's certificate.")
    assert Trace.from_json(chart(step).to_json()) == chart(step)


def test_title_of_a_phase_that_fits_beside_no_lifeline_makes_no_more_room() -> None:
    trace = replace(chart(hello("", phase="p")), phases=(Phase("p", "word " * 20, "tls"),))
    bare = chart(hello(""))
    left = [place_lanes(each, plan_rows(each, states=True, compact=None)).x[C] for each in (trace, bare)]
    assert left[0] == left[1]
