"""Pictures of state machines as DOT text, and in words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from shakeproof.diagrams import draw_machine
from shakeproof.diagrams.canvas import Canvas, rounded_route
from shakeproof.diagrams.grid import _Grid
from shakeproof.diagrams.machine_parts import node_name
from shakeproof.diagrams.palette import BAD, COLOURS, LATE, LINE, OK, REPLAY
from shakeproof.diagrams.picture import Arrow, Difference, MachinePicture, Move, Spot, Way, arrows, times
from shakeproof.diagrams.routes import Box, RouteError, Router, leg_box, legs, parse_route
from shakeproof.diagrams.spine import _Spine, order_of, sides_of
from tests.diagrams.goldens import same_as_golden
from tests.diagrams.sample_machines import FAILURE, compared, connection, handshake, learned, measured

SAMPLES = [handshake, compared, measured, connection, learned]


@pytest.mark.parametrize("sample", SAMPLES)
def test_dot_text_is_the_golden_one(sample: Callable[[], MachinePicture]) -> None:
    assert same_as_golden(f"{sample.__name__}.gv", draw_machine(sample()).dot_source)


@pytest.mark.parametrize("sample", SAMPLES)
def test_text_form_is_the_golden_one(sample: Callable[[], MachinePicture]) -> None:
    assert same_as_golden(f"{sample.__name__}.txt", draw_machine(sample()).text())


@pytest.mark.parametrize("sample", [handshake, compared, measured, connection])
def test_every_move_is_in_an_arrow_between_its_states(sample: Callable[[], MachinePicture]) -> None:
    picture = sample()
    text = draw_machine(picture).dot_source
    for move in picture.moves:
        ends = f"{node_name(move.source)} -> {node_name(move.target)} "
        (arrow,) = [line for line in text.splitlines() if line.strip().startswith(ends)]
        assert move.trigger in arrow


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_only_palette_colours_are_used(sample: Callable[[], MachinePicture], theme: str) -> None:
    used = set(re.findall(r"#[0-9a-f]{6}", draw_machine(sample(), theme=theme).dot_source))
    assert used <= {colour.value(theme) for colour in COLOURS}


def test_sentences_tell_every_move() -> None:
    told = "\n".join(draw_machine(handshake()).sentences)
    assert "CONNECTED: call close / send Alert[close_notify]; then CLOSED." in told
    assert "OPEN: recv Alert[fatal]; then CLOSED." in told


# ---------------------------------------------------------------------------------------------------------- one line


def test_states_of_the_path_stand_on_one_line_in_its_order() -> None:
    text = draw_machine(handshake()).dot_source
    places = []
    for key in handshake().path:
        (node,) = [line for line in text.splitlines() if line.strip().startswith(f"{node_name(key)} [")]
        x, y = node.split('pos="')[1].split("!")[0].split(",")
        places.append((float(x), float(y)))
    assert len({x for x, _ in places}) == 1
    assert [y for _, y in places] == sorted((y for _, y in places), reverse=True)


def test_failures_share_one_bus() -> None:
    text = draw_machine(handshake()).dot_source
    assert text.count("class=bus") == 1
    stubs = [line for line in text.splitlines() if "-> s_ABORTED" in line]
    assert len(stubs) == 2
    assert all("dir=none" in stub for stub in stubs)


def test_the_end_stands_clear_of_what_the_last_state_says() -> None:
    picture = handshake()
    more = (
        Move("CLOSED", "ABORTED", "recv ApplicationData", "data, and closed in good order", FAILURE),
        Move("CLOSED", "CLOSED", "recv Alert[warning]", "nothing at all comes of it"),
    )
    for moves in (more[:1], more[1:], more):
        spine = _Spine(replace(picture, moves=(*picture.moves, *moves)), Canvas())
        spine.draw()
        row = spine.rows[-1]
        said = [words.width for words in spine._summaries.get(len(spine.rows) - 1, ())]
        said += [row.loop_label.width] if row.loop else []
        assert spine.right + spine._stub_label(row) + max(said) < spine.bus - spine.sink_width / 2


def test_no_word_of_what_differs_is_cut() -> None:
    word = "recv Certificate" + "AndWhatBelongsToIt" * 8
    move = Move("WAIT_HELLO", "CONNECTED", word, difference=Difference.EXTRA)
    lines = Arrow("WAIT_HELLO", "CONNECTED", Way.OTHER, (move,)).label(100.0).lines
    assert [line.text for line in lines] == word.split()
    same = replace(move, difference=Difference.SAME)
    assert "…" in Arrow("WAIT_HELLO", "CONNECTED", Way.OTHER, (same,)).label(100.0).lines[-1].text


def test_failures_of_one_state_are_one_stub_that_names_them() -> None:
    text = draw_machine(handshake()).dot_source
    assert "recv Certificate[expired | untrusted]" in text
    assert "alert certificate_expired, unknown_ca" in text


def test_tracks_keep_clear_of_each_other_and_of_labels() -> None:
    picture = handshake()
    more = tuple(
        Move(one, other, f"recv Skip{number}", "does something")
        for number, (one, other) in enumerate(itertools.permutations(picture.path, 2))
        if abs(picture.path.index(one) - picture.path.index(other)) > 1
    )
    spine = _Spine(replace(picture, moves=picture.moves + more), Canvas())
    spine._place_rows(0.0)
    spine._place_tracks()
    assert len(spine.tracks) == len(more)
    for one, other in itertools.permutations(spine.tracks, 2):
        low, high = sorted((one.y0, one.y1))
        other_low, other_high = sorted((other.y0, other.y1))
        if low < other_high and other_low < high:
            assert abs(one.x - other.x) >= 10
        label_left = other.x + 8 if other.inside else other.x - 8 - other.label.width
        label_right = label_left + other.label.width
        assert label_right <= 0
        if low < other.label_top + other.label.height and other.label_top < high:
            assert not label_left < one.x < label_right


# -------------------------------------------------------------------------------------------------------------- grid


def test_lines_on_the_grid_run_through_no_state() -> None:
    grid = _Grid(connection(), Canvas())
    for arrow, points in grid.routes:
        for key, box in grid.boxes.items():
            clear = -1.0 if key in (arrow.source, arrow.target) else 0.0
            assert not any(leg_box(leg).meets(box, clear) for leg in legs(points)), (arrow.source, arrow.target, key)


def test_lines_on_the_grid_lie_on_no_other_line() -> None:
    grid = _Grid(connection(), Canvas())
    for (_, one), (_, other) in itertools.combinations(grid.routes, 2):
        for a, b in itertools.product(legs(one), legs(other)):
            vertical = [abs(leg[0][0] - leg[1][0]) < 0.1 for leg in (a, b)]
            if vertical[0] == vertical[1]:
                assert not leg_box(a).meets(leg_box(b), 1.0)


def test_labels_on_the_grid_are_free_of_lines_states_and_each_other() -> None:
    grid = _Grid(connection(), Canvas())
    boxes = []
    for arrow, label, x, top, anchor in grid.labels:
        left = x if anchor == "start" else x - label.width if anchor == "end" else x - label.width / 2
        boxes.append((arrow, Box(left + label.width / 2, top + label.height / 2, label.width, label.height)))
    for arrow, box in boxes:
        assert not any(box.meets(state) for state in grid.boxes.values()), arrow.moves[0].trigger
        for other, points in grid.routes:
            assert not any(box.meets(leg_box(leg)) for leg in legs(points)), (arrow.moves[0], other.moves[0])
    for (_, one), (_, two) in itertools.combinations(boxes, 2):
        assert not one.meets(two)


def test_state_without_a_place_still_stands_somewhere() -> None:
    picture = connection()
    picture = replace(picture, spots=(*picture.spots, Spot("LOST", "LOST"), Spot("LOST2", "LOST2")))
    grid = _Grid(picture, Canvas())
    assert not grid.boxes["LOST"].meets(grid.boxes["LOST2"])
    assert grid.boxes["LOST"].y > max(box.y for key, box in grid.boxes.items() if not key.startswith("LOST"))


A, B = Box(0, 0, 100, 30), Box(200, 100, 100, 30)


@pytest.mark.parametrize(
    ("text", "points"),
    [
        ("S N", [(0, 15), (0, 50), (200, 50), (200, 85)]),
        ("S+10 N 0.2", [(10, 15), (10, 29), (200, 29), (200, 85)]),
        ("E N-20", [(50, 0), (180, 0), (180, 85)]),
        ("S W", [(0, 15), (0, 100), (150, 100)]),
        ("W W 36", [(-50, 0), (-86, 0), (-86, 100), (150, 100)]),
        ("E E", [(50, 0), (280, 0), (280, 100), (250, 100)]),
        ("N N 20", [(0, -15), (0, -35), (200, -35), (200, 85)]),
        ("E W", [(50, 0), (100, 0), (100, 100), (150, 100)]),
    ],
)
def test_route_text_means_these_points(text: str, points: list[tuple[float, float]]) -> None:
    assert parse_route(text, A, B) == [pytest.approx(point) for point in points]


@pytest.mark.parametrize("text", ["", "S", "X N", "S N N", "S+ N", "north south"])
def test_route_text_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(RouteError, match="no route: expected for example"):
        parse_route(text, A, B)


def test_given_route_is_taken() -> None:
    router = Router({"a": A, "b": B})
    assert router.lay("a", "b", "E E 40") == parse_route("E E 40", A, B)


def test_rounded_route_keeps_its_ends_and_stays_orthogonal_between_corners() -> None:
    curve = rounded_route([(0, 0), (100, 0), (100, 80)])
    assert curve[0] == (0, 0)
    assert curve[-1] == (100, 80)
    assert len(curve) % 3 == 1
    assert (86.0, 0.0) in [pytest.approx(point) for point in curve]
    assert (100.0, 14.0) in [pytest.approx(point) for point in curve]


# ------------------------------------------------------------------------------------------------ looks and what for


def look(**fields: object) -> tuple[str, float, str]:
    move = replace(Move("a", "b", "x"), **fields)  # type: ignore[arg-type]
    found = Arrow("a", "b", move.way, (move,)).look
    return found.line.light, found.pen, found.style


def test_coverage_shows_as_colour_width_dashes_and_words() -> None:
    assert look(count=0) == (LATE.light, 1.6, "dashed")
    assert look(count=1) == (OK.light, 1.2, "solid")
    assert look(count=1000) == (OK.light, 2.85, "solid")
    assert [times(count) for count in (0, 1, 1200)] == ["never executed", "1 time", "1 200 times"]


def test_difference_shows_as_colour_style_and_tag() -> None:
    assert look(difference=Difference.SAME) == (LINE.light, 1.2, "solid")
    assert look(difference=Difference.MISSING) == (BAD.light, 2.0, "dashed")
    assert look(difference=Difference.EXTRA) == (LATE.light, 2.6, "solid")
    assert look(difference=Difference.CHANGED) == (REPLAY.light, 2.0, "solid")
    text = draw_machine(compared()).dot_source
    assert all(f"<B>{tag}</B>" in text for tag in ("MISSING", "EXTRA", "CHANGED"))
    assert "<S>alert decrypt_error</S>" in text


def test_moves_between_the_same_states_are_one_arrow_but_failures_apart() -> None:
    moves = [Move("a", "b", "x"), Move("a", "b", "y", way=Way.HAPPY), Move("a", "b", "z", way=Way.FAILURE)]
    found = arrows(moves)
    assert [(arrow.way, len(arrow.moves)) for arrow in found] == [(Way.HAPPY, 2), (Way.FAILURE, 1)]


def test_label_counts_what_it_does_not_name() -> None:
    moves = tuple(Move("a", "b", f"recv M{number}", count=number) for number in range(6))
    label = Arrow("a", "b", Way.OTHER, moves).label()
    assert label.lines[-1].text == "and 4 more: 14 times"
    assert [line.text for line in label.lines if line.bold] == ["recv M0", "recv M1"]


def test_counted_failures_say_how_many_were_never_executed() -> None:
    moves = tuple(Move("a", "b", f"recv C[{number}]", way=Way.FAILURE, count=number) for number in range(3))
    above, below = Arrow("a", "b", Way.FAILURE, moves).summary(200)
    assert above.text == "recv C[0 | 1 | 2]"
    assert below.text == "3 times, 1 of 3 never executed"


def test_learned_machine_folds_moves_into_the_sink() -> None:
    figure = draw_machine(learned())
    assert not figure.pinned
    assert "else: 1 x Alert unexpected_message" in figure.dot_source
    assert "s_s0 -> s_end" not in figure.dot_source
    assert "Alert unexpected_message" in figure.text()


def with_side_state(*more: Move) -> MachinePicture:
    picture = handshake()
    return replace(
        picture,
        spots=(*picture.spots, Spot("SIDE", "SIDE", "key", "key")),
        moves=(*picture.moves, Move("WAIT_CERTIFICATE", "SIDE", "recv Odd"), *more),
    )


def test_state_off_the_path_stands_beside_the_state_that_leads_to_it() -> None:
    more = (Move("SIDE", "CLOSED", "call close"), Move("SIDE", "SIDE", "recv X"))
    text = draw_machine(with_side_state(*more)).dot_source

    def place(key: str) -> tuple[float, float]:
        (node,) = [line for line in text.splitlines() if line.strip().startswith(f"{node_name(key)} [")]
        x, y = node.split('pos="')[1].split("!")[0].split(",")
        return float(x), float(y)

    assert place("SIDE")[1] == place("WAIT_CERTIFICATE")[1]
    assert place("SIDE")[0] < place("WAIT_CERTIFICATE")[0] - 200
    assert text.count("s_SIDE -> s_CLOSED ") == text.count("s_SIDE -> s_SIDE ") == 1


def test_failures_of_a_state_at_the_side_are_listed() -> None:
    text = draw_machine(with_side_state(Move("SIDE", "ABORTED", "recv Bad", "alert x", FAILURE))).dot_source
    assert "s_SIDE -> s_ABORTED" not in text
    assert "recv Bad, alert x" in text


def test_state_that_leads_both_ways_stands_on_the_line() -> None:
    picture = with_side_state(Move("SIDE", "WAIT_CERTIFICATE", "recv Back"))
    assert sides_of(picture) == {}
    assert order_of(picture).index("SIDE") == order_of(picture).index("WAIT_CERTIFICATE") + 1
