"""Sequence charts as DOT text."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from shakeproof.diagrams import draw_trace
from shakeproof.diagrams.label_places import free_corner
from shakeproof.diagrams.lanes import place_lanes
from shakeproof.diagrams.palette import BAD, COLOURS, LATE, OK
from shakeproof.diagrams.rows import COMPACT_FROM, DETAIL, HEADS_EVERY, RowKind, plan_rows
from shakeproof.diagrams.text_width import TITLE_LINES_MOST, text_width
from shakeproof.model.trace import Fate, Kind, Lane, Phase, Step, Trace
from tests.diagrams.goldens import same_as_golden
from tests.diagrams.sample_traces import CLIENT, SERVER, C, S, crossing, full, hostile, long, message, mitm


def dot(trace: Trace, **options: object) -> str:
    return draw_trace(trace, **options).dot_source  # type: ignore[arg-type]


def edges(text: str, number: int) -> list[str]:
    return [line for line in text.splitlines() if " -> " in line and f"id=m{number} " in line]


@pytest.mark.parametrize("sample", [full, hostile, crossing, mitm])
def test_dot_text_is_the_golden_one(sample: Callable[[], Trace]) -> None:
    assert same_as_golden(f"{sample.__name__}.gv", dot(sample()))


@pytest.mark.parametrize("sample", [full, hostile, crossing, mitm])
def test_each_message_is_one_arrow_with_its_sentence(sample: Callable[[], Trace]) -> None:
    trace = sample()
    text = dot(trace)
    for step in trace.messages():
        (edge,) = edges(text, step.number)
        assert f"step_{step.number} msg {step.fate.value}" in edge
        assert step.label in edge


def test_arrow_joins_the_lanes_of_its_step() -> None:
    (edge,) = edges(dot(full()), 2)
    assert edge.strip().startswith("lane_1_server -> lane_0_client ")


@pytest.mark.parametrize(
    ("fate", "tag"),
    [(Fate.LOST, "LOST"), (Fate.LATE, "LATE"), (Fate.REPLAYED, "REPLAY"), (Fate.FORGED, "FORGED"),
     (Fate.TAMPERED, "MODIFIED"), (Fate.REJECTED, "REJECTED")],
)  # fmt: skip
def test_fate_shows_as_tag_and_not_by_colour_alone(fate: Fate, tag: str) -> None:
    step = message(C, S, "Data", number=1, fate=fate)
    text = dot(Trace("t", (CLIENT, SERVER), (step,)))
    assert f"<B>{tag}</B>" in text
    assert f"<B>{tag}</B>" not in dot(Trace("t", (CLIENT, SERVER), (replace(step, fate=Fate.DELIVERED),)))


def test_lost_message_has_no_head_and_stops_short() -> None:
    (lost,) = edges(dot(hostile()), 5)
    assert "dir=none" in lost
    assert "style=dashed" in lost


def test_late_message_descends_to_the_row_of_its_arrival() -> None:
    (late,) = edges(dot(hostile()), 1)
    numbers = [float(value) for value in re.findall(r"-?\d+\.\d", late.split("pos=")[1].split('"')[1])]
    tip, start = numbers[:2], numbers[2:4]
    assert tip[1] < start[1] - 60
    assert LATE.light in late


def test_late_message_whose_arrival_the_trace_lacks_arrives_at_its_end() -> None:
    step = message(C, S, "Data", number=1, fate=Fate.LATE, received_after=99)
    plan = plan_rows(Trace("t", (CLIENT, SERVER), (step,)), states=True, compact=None)
    assert [row.kind for row in plan.rows] == [RowKind.LATE, RowKind.RECEIVE]


def test_state_of_the_receiver_of_a_late_message_changes_when_it_arrives() -> None:
    late = message(C, S, "A", number=1, fate=Fate.LATE, received_after=2, after={C: "SENT", S: "GOT"})
    plan = plan_rows(Trace("t", (CLIENT, SERVER), (late, message(C, S, "B", number=2))), states=True, compact=None)
    shown = [(row.kind, row.states) for row in plan.rows]
    assert shown == [
        (RowKind.LATE, {}), (RowKind.PILLS, {C: "SENT"}), (RowKind.OVERTAKEN, {}), (RowKind.RECEIVE, {}),
        (RowKind.PILLS, {S: "GOT"}),
    ]  # fmt: skip


@pytest.mark.parametrize("way", [1.0, -1.0])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.6, 0.9])
def test_label_of_an_overtaken_message_keeps_clear_of_the_late_one(share: float, way: float) -> None:
    left, right, width, slope = 100.0, 500.0, 120.0, 0.3
    x = left + (right - left) * (share if way > 0 else 1 - share)
    centre, above = free_corner(left, right, [(x, way)], width)
    label_y = -9.5 if above else 9.5
    for dx in (-width / 2, width / 2):
        # The late message's line at the height of the label, seen from the crossing.
        line_x = x + way * label_y / slope
        inside = (centre + dx - line_x) * (1 if (way > 0) == above else -1)
        assert inside > 0


def test_state_pills_show_changes_only() -> None:
    steps = (
        message(C, S, "A", number=1, before={C: "ONE"}, after={C: "TWO"}),
        message(C, S, "B", number=2, before={C: "TWO"}, after={C: "TWO"}),
    )
    plan = plan_rows(Trace("t", (CLIENT, SERVER), steps), states=True, compact=None)
    assert [row.states for row in plan.rows if row.states] == [{C: "ONE"}, {C: "TWO"}]
    assert not [row for row in plan_rows(Trace("t", (), steps), states=False, compact=None).rows if row.states]


def test_change_cipher_spec_splits_the_tunnels() -> None:
    plan = plan_rows(full(), states=True, compact=None)
    assert [len(band.tunnels) for band in plan.bands] == [0, 0, 0, 2, 1, 1]


def test_parallel_tunnels_are_equally_high() -> None:
    plan = plan_rows(mitm(), states=True, compact=None)
    one, two = plan.bands[-1].tunnels
    assert (one.top, one.height) == (two.top, two.height)
    assert one.protection != two.protection


def test_tunnel_that_ends_at_the_attacker_says_who_knows_the_key() -> None:
    text = dot(mitm())
    assert "session key K1, known to Mallory" in text
    assert "<B>encrypted with" not in text


def test_tunnel_that_ends_at_the_attacker_who_has_not_its_key_is_a_sound_one() -> None:
    trace = replace(mitm(), meta={"kept": ["session key K1"]})
    text = dot(trace)
    assert "encrypted with session key K1" in text
    assert "session key K1, known to" not in text
    assert "session key K2, known to Mallory" in text
    sealed = next(step for step in trace.messages() if step.protection == "session key K1" and not step.verdict)
    assert any(OK.light in line for line in edges(text, sealed.number))


def test_card_beside_one_tunnel_splits_it() -> None:
    steps = (
        message(C, S, "GET", number=1, protection="K"),
        Step(2, Kind.ACTION, S, title="Process"),
        message(S, C, "200 OK", number=3, protection="K"),
    )
    (band,) = plan_rows(Trace("t", (CLIENT, SERVER), steps), states=True, compact=None).bands
    assert len(band.tunnels) == 2


def test_encrypted_message_is_green_and_carries_a_padlock() -> None:
    text = dot(full())
    (edge,) = edges(text, 10)
    assert OK.light in edge
    locks = [line for line in text.splitlines() if "shape=circle" in line and '"step_10 name"' in line]
    assert len(locks) == 1


def test_forged_message_without_attacker_starts_in_mid_air() -> None:
    (edge,) = edges(dot(hostile()), 7)
    assert "arrowtail=dot" in edge
    x = float(edge.split("s,")[1].split(",")[0])
    plain = float(edges(dot(hostile()), 2)[0].split('pos="')[1].split()[1].split(",")[0])
    assert x > plain + 40


def test_forged_message_with_attacker_starts_at_the_attacker() -> None:
    lanes = (CLIENT, Lane("mallory", "Mallory", side="attacker"), SERVER)
    text = dot(Trace("t", lanes, (message(C, S, "RST", number=1, fate=Fate.FORGED),)))
    (edge,) = edges(text, 1)
    assert "arrowtail=diamond" in edge
    start = float(edge.split("s,")[1].split(",")[0])
    (head,) = [line for line in text.splitlines() if line.strip().startswith("lane_1_mallory [")]
    assert start == pytest.approx(float(head.split('pos="')[1].split(",")[0]), abs=2)


def test_tampering_on_the_way_begins_at_the_attacker() -> None:
    lanes = (CLIENT, Lane("mallory", "Mallory", side="attacker"), SERVER)
    text = dot(Trace("t", lanes, (message(C, S, "Data", number=1, fate=Fate.TAMPERED),)))
    (edge,) = edges(text, 1)
    assert edge.strip().startswith("lane_1_mallory -> lane_2_server")
    assert BAD.light in edge
    assert "lane_0_client -> lane_1_mallory" in text


def test_step_of_an_unknown_party_gets_a_lane() -> None:
    text = dot(Trace("t", (CLIENT,), (message(C, "stranger", "Hi", number=1),)))
    assert "<B>stranger</B>" in text


def test_empty_trace_is_a_picture_too() -> None:
    assert "0 messages, executed." in dot(Trace("Nothing", (CLIENT, SERVER), ()))
    assert "digraph" in dot(Trace("Nothing", (), ()))


def test_rows_from_the_table_show_no_time() -> None:
    text = dot(replace(full(), origin="table"))
    assert "18 messages, from the table." in text
    assert "Courier New" not in text


def test_verdict_note_of_a_counterexample_says_so() -> None:
    text = dot(mitm())
    assert "Counterexample: server_authenticated" in text
    assert "Counterexample of 8 messages." not in text
    assert "Counterexample of 7 messages." in text


def test_same_trace_gives_the_same_text() -> None:
    assert dot(full()) == dot(full())


def test_coordinates_have_one_decimal() -> None:
    positions = re.findall(r'pos="([^"]*)"', dot(full()))
    values = [value for position in positions for value in re.findall(r"-?\d[\d.]*", position)]
    assert values
    assert all(re.fullmatch(r"-?\d+\.\d", value) for value in values)
    assert "-0.0" not in values


def test_long_trace_is_compact_and_repeats_its_heads() -> None:
    plan = plan_rows(long(COMPACT_FROM + 1), states=True, compact=None)
    assert plan.compact
    assert sum(row.kind is RowKind.HEADS for row in plan.rows) == (COMPACT_FROM + 1) // HEADS_EVERY
    assert not plan_rows(long(COMPACT_FROM), states=True, compact=None).compact


def test_only_palette_colours_are_used() -> None:
    for theme in ("light", "dark"):
        used = set(re.findall(r"#[0-9a-f]{6}", dot(hostile(), theme=theme)))
        assert used <= {colour.value(theme) for colour in COLOURS}


def test_text_of_a_peer_is_shown_and_never_interpreted() -> None:
    name, detail = '<B>x</B> & \\N "q"', "<TABLE>&lt;\\G</TABLE>"
    step = message(C, S, name, detail, number=1, note="<i>\x1b[2J</i>")
    text = dot(Trace("<t> & \\N", (Lane(C, "<c>"), SERVER), (step,)))
    assert '<B>&lt;B&gt;x&lt;/B&gt; &amp; \\N "q"</B>' in text.replace('\\"', '"')
    assert 'label="<TABLE>&amp;lt;\\\\G</TABLE>"' in text
    assert "\x1b" not in text


def test_trace_made_of_both_says_how_many_messages_were_executed() -> None:
    steps = tuple(replace(step, time_s=None) if step.phase == "tcp" else step for step in full().steps)
    assert "18 messages, 15 of them executed." in dot(replace(full(), steps=steps))


def test_long_title_is_broken_and_not_cut() -> None:
    title = "a property: " + "what came, what was expected and what that rests on, in words that take their room; " * 2
    trace = replace(full(), title=title)
    shown = draw_trace(trace)
    words = [html.unescape(re.sub(r"<[^<>]+>", "", found)) for found in re.findall(r"label=<(.*?)> ", shown.dot_source)]
    lines = [line for line in words if line and line in title]
    assert " ".join(lines) == title.strip()
    assert shown.dot_source.count("\u2026") == dot(full()).count("\u2026")
    endless = dot(replace(full(), title="word " * 100_000))
    assert endless.count("word word") <= TITLE_LINES_MOST * 30


def test_label_of_a_message_that_passes_a_lifeline_stands_beside_it() -> None:
    detail = "as much detail as would reach well beyond the lifeline that stands in its way"
    trace = Trace("t", mitm().lanes, (message(C, S, "Hello", detail, number=1),))
    plan = plan_rows(trace, states=True, compact=None)
    lanes = place_lanes(trace, plan)
    middle = lanes.x[lanes.order[1].name]
    place = next(place for place in draw_trace(trace).places.values() if place.size == DETAIL)
    half = text_width(detail, DETAIL) / 2
    assert not place.x - half < middle < place.x + half


def test_compact_chart_tells_once_in_a_band_what_its_tunnels_are() -> None:
    steps = []
    for number in range(1, 41, 2):
        phase = "one" if number < 20 else "two"
        steps += [
            message(C, S, "plain", number=number, phase=phase),
            message(C, S, "secret", number=number + 1, phase=phase, protection="the keys"),
        ]
    trace = Trace("t", (CLIENT, SERVER), tuple(steps), (Phase("one", "One", "tcp"), Phase("two", "Two", "data")))
    assert dot(trace, compact=True, folded=False).count("<B>encrypted with the keys") == 2
    assert dot(trace, compact=False, folded=False).count("<B>encrypted with the keys") == 20
    high = [plan_rows(trace, states=True, compact=compact) for compact in (True, False)]
    tunnels = [[tunnel for band in plan.bands for tunnel in band.tunnels] for plan in high]
    assert len(tunnels[0]) == len(tunnels[1]) == 20
    assert [tunnel.told for tunnel in tunnels[0]].count(False) == 2


def test_rows_are_numbered_without_gaps_and_the_subtitle_says_how_many_there_are() -> None:
    trace = full()
    steps = tuple(replace(step, number=number) for number, step in enumerate(trace.steps, 1))
    pause = Step(len(steps) + 1, Kind.TIME, title="a pause")
    end = replace(trace.messages()[0], number=len(steps) + 2)
    text = dot(replace(trace, steps=(*steps, pause, end)))
    shown = {int(number) for number in re.findall(r'label="(\d+)\\l"', text)}
    assert set(range(1, len(steps) + 3)) <= shown
    assert f"{len(trace.messages()) + 1} messages in {len(steps) + 2} steps" in html.unescape(text)
