"""Where labels stand among the lines of late messages: nothing strikes them through."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

import pytest

from shakeproof.diagrams import draw_trace
from shakeproof.diagrams.label_places import CLEAR, Place, free_place, struck
from shakeproof.diagrams.lanes import place_lanes
from shakeproof.diagrams.rows import RowKind, plan_rows
from shakeproof.diagrams.text_width import text_width
from shakeproof.model.trace import Fate, Trace
from tests.diagrams.sample_traces import CLIENT, MALLORY, SERVER, C, S, crossing, hostile, message

FREE: dict[bool, list[tuple[float, float]]] = {True: [], False: []}


def test_place_that_is_free_is_kept() -> None:
    assert free_place(Place(200.0, True), 80.0, (0.0, 400.0), FREE) == Place(200.0, True)


@pytest.mark.parametrize(
    ("taken", "place"),
    [
        ((210.0, 230.0), Place(170.0, True)),  # moved aside
        ((0.0, 400.0), Place(200.0, False)),  # to the other side
        ((100.0, 300.0), Place(200.0, False)),  # the other side is nearer
    ],
)
def test_place_that_is_struck_gives_way(taken: tuple[float, float], place: Place) -> None:
    assert free_place(Place(200.0, True), 80.0, (0.0, 400.0), {True: [taken], False: []}) == place


def test_place_where_nothing_is_free_is_none() -> None:
    everywhere = {True: [(0.0, 400.0)], False: [(0.0, 200.0), (190.0, 400.0)]}
    assert free_place(Place(200.0, True), 80.0, (0.0, 400.0), everywhere) is None


def test_label_stays_within_its_extent() -> None:
    place = free_place(Place(0.0, True), 80.0, (0.0, 400.0), FREE)
    assert place is not None
    assert place.centre == 40.0 + CLEAR


def test_late_line_takes_what_it_covers_at_the_height_of_the_label() -> None:
    trace = crossing()
    plan = plan_rows(trace, states=True, compact=None)
    lanes = place_lanes(trace, plan)
    row, late = plan.sent[3], plan.sent[1]
    taken = struck(plan, lanes, row, (-15.0, -4.0), (4.0, 15.0))
    (left, right), (left_below, right_below) = taken[True][0], taken[False][0]
    share = (row.line_y - late.line_y) / (plan.received[1].line_y - late.line_y)
    x = lanes.x[C] + (lanes.x[S] - lanes.x[C]) * share
    assert left < right <= x + CLEAR, "above its crossing the line comes from the left"
    assert x - CLEAR <= left_below < right_below


@pytest.mark.parametrize("sample", [hostile, crossing])
@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("between", [False, True])
def test_no_late_line_strikes_a_name_through(sample: object, compact: bool, between: bool) -> None:
    assert callable(sample)
    trace: Trace = sample()
    if between:
        trace = replace(trace, lanes=(CLIENT, MALLORY, SERVER))
    text = draw_trace(trace, compact=compact).dot_source
    lines = [late_line(text, step.number) for step in trace.messages() if step.fate is Fate.LATE]
    assert lines
    names = [(step.number, text_width(step.label, 10.5, bold=True)) for step in trace.messages()]
    for number, width in names:
        x, y = name_at(text, number)
        for (x0, y0), (x1, y1) in lines:
            for corner in (x - width / 2, x + width / 2):
                if min(y0, y1) + 4 < y < max(y0, y1) - 4 and min(x0, x1) < corner < max(x0, x1):
                    on_line = y0 + (y1 - y0) * (corner - x0) / (x1 - x0)
                    assert abs(on_line - y) > 4.0, (number, corner)
        sides = [(x - width / 2 - x0) / (x1 - x0) * (y1 - y0) + y0 > y for (x0, y0), (x1, y1) in lines if y1 < y < y0]
        other = [(x + width / 2 - x0) / (x1 - x0) * (y1 - y0) + y0 > y for (x0, y0), (x1, y1) in lines if y1 < y < y0]
        assert sides == other, f"a late line runs through the name of step {number}"


def late_line(text: str, number: int) -> tuple[tuple[float, float], tuple[float, float]]:
    (edge,) = [line for line in text.splitlines() if " -> " in line and f"id=m{number} " in line]
    values = [float(v) for v in re.findall(r"-?\d+\.\d", edge.split('pos="')[1].split('"')[0])]
    points = list(zip(values[::2], values[1::2], strict=True))
    tip, start = points[0], points[1]
    return start, tip


def name_at(text: str, number: int) -> tuple[float, float]:
    """The centre of the bold name of a step."""
    for line in text.splitlines():
        if f'"step_{number} name"' in line and "<B>" in line:
            x, y = (float(v) for v in re.findall(r"-?\d+\.\d", line.split('pos="')[1].split('"')[0]))
            return x, y
    raise AssertionError(f"no name of step {number}")


def test_cross_of_a_lost_message_is_not_covered_by_its_label() -> None:
    trace = replace(crossing(), lanes=(CLIENT, MALLORY, SERVER))
    text = draw_trace(trace).dot_source
    x, _ = name_at(text, 2)
    plan = plan_rows(trace, states=True, compact=None)
    lanes = place_lanes(trace, plan)
    cross = lanes.x[C] + (lanes.x[S] - lanes.x[C]) * 0.62
    assert abs(x - cross) > text_width("Data B", 11, bold=True) / 2


def test_label_of_a_message_that_passes_a_lane_keeps_off_its_lifeline() -> None:
    trace = Trace("t", (CLIENT, MALLORY, SERVER), (message(C, S, "ClientHello", "TLS 1.2", number=1),))
    plan = plan_rows(trace, states=True, compact=None)
    lanes = place_lanes(trace, plan)
    x, _ = name_at(draw_trace(trace).dot_source, 1)
    assert abs(x - lanes.x[MALLORY.name]) > text_width("ClientHello", 11, bold=True) / 2


def test_rows_under_a_late_line_leave_room_for_labels_on_both_sides() -> None:
    for compact in (False, True):
        plan = plan_rows(crossing(), states=True, compact=compact)
        rows = [row for row in plan.rows if row.kind is RowKind.OVERTAKEN]
        assert len(rows) == 6
        assert all(after.line_y - row.line_y >= 30 for row, after in pairwise(rows))
