"""Whatever is in a trace can be drawn: names are what peers sent, lanes and numbers what a truncated file left."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.diagrams import draw_trace, render
from shakeproof.model.trace import Check, Fate, Kind, Lane, Line, Phase, Step, Trace

TEXTS = st.text(max_size=20) | st.sampled_from(
    ["<B>x", "\\N", "&amp;", 'q"', "a\\", "<>", "}", "--", "\ud800", "漢字" * 30]
)
NAMES = st.sampled_from(["client", "server", "mallory", "nobody", "a b:c"])
STATES = st.dictionaries(NAMES, TEXTS, max_size=2)
STEPS = st.builds(
    Step,
    number=st.integers(0, 8),
    kind=st.sampled_from(Kind),
    sender=NAMES | st.just(""),
    receiver=NAMES | st.just(""),
    message=TEXTS,
    detail=TEXTS,
    fate=st.sampled_from(Fate),
    time_s=st.none() | st.floats(0, 1e6),
    protection=TEXTS,
    phase=st.sampled_from(["", "p", "q", "unknown"]),
    before=STATES,
    after=STATES,
    received_after=st.none() | st.integers(0, 9),
    lines=st.lists(st.builds(Line, TEXTS, st.sampled_from(Check)), max_size=2).map(tuple),
    defect=st.lists(TEXTS, max_size=2).map(tuple),
    clause=TEXTS,
    verdict=TEXTS,
    note=TEXTS,
)
LANES = (Lane("client", "Client"), Lane("mallory", "M", side="attacker"), Lane("server", "Server", side="server"))
TRACES = st.builds(
    Trace,
    title=TEXTS,
    lanes=st.sampled_from([LANES, LANES[::2], LANES[:1], ()]),
    steps=st.lists(STEPS, max_size=8).map(tuple),
    phases=st.just((Phase("p", "First", "tcp", "aside"), Phase("q", "<Second>", "no such tint"))),
    subtitle=TEXTS,
    origin=st.sampled_from(["executed", "table", "counterexample"]),
)


@given(TRACES)
@settings(max_examples=150, deadline=None)
def test_any_trace_has_a_chart_and_a_text(trace: Trace) -> None:
    figure = draw_trace(trace)
    assert figure.dot_source.startswith("digraph chart {")
    assert figure.dot_source == draw_trace(trace).dot_source
    assert all(c.isprintable() or c == "\n" for c in figure.text())


@given(TRACES)
@settings(max_examples=15, deadline=None)
def test_graphviz_draws_any_chart(trace: Trace) -> None:
    if render.find_renderer() is None:
        pytest.skip("no Graphviz is installed")
    assert ET.fromstring(draw_trace(trace).render("svg")).tag.endswith("svg")
