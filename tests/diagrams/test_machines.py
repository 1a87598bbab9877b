"""The pictures of the real roles, held against their tables."""

from __future__ import annotations

import itertools

import pytest

from shakeproof.diagrams import draw_machine, picture_of
from shakeproof.diagrams.machines import DRAWN_STATES, usual_path
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Stay
from shakeproof.model.roles import ROLES


@pytest.fixture(params=sorted(ROLES))
def role(request: pytest.FixtureRequest) -> Role:
    return ROLES[request.param]


def target(role: Role, row: object, state: object) -> str:
    following = row.next  # type: ignore[attr-defined]
    if isinstance(following, Abort):
        assert role.aborted is not None
        return role.aborted.name
    return state.name if isinstance(following, Stay) else following.name  # type: ignore[attr-defined, no-any-return]


def test_every_row_is_in_the_picture_or_in_its_words(role: Role) -> None:
    picture = picture_of(role)
    told = "\n".join(move.sentence for move in picture.all_moves)
    missing = [row.id for row in role.rows if not row.is_rest and row.title not in told]
    assert missing == []


def test_every_move_is_a_row(role: Role) -> None:
    titles = {row.title for row in role.rows}
    for move in picture_of(role).all_moves:
        for part in move.sentence.split("); "):
            assert any(part.startswith(title) for title in titles), part


def test_every_state_has_a_place(role: Role) -> None:
    picture = picture_of(role)
    assert {state.name for state in role.states} <= {spot.title for spot in picture.spots}
    text = draw_machine(picture).dot_source
    assert all(state.name in text for state in role.states)


def test_count_of_rest_is_that_of_the_table(role: Role) -> None:
    answered = {
        (configuration.state, symbol, row.id)
        for configuration, steps in role.reachable.items()
        for row, symbol, _ in steps
        if row.is_rest
    }
    told = " ".join(picture_of(role).subtitle)
    for row in (row for row in role.rows if row.is_rest):
        count = sum(row_id == row.id for _, _, row_id in answered)
        assert f"({count} combination" in told


def test_usual_path_goes_from_beginning_to_end_by_rows(role: Role) -> None:
    path = usual_path(role)
    assert path[0] == role.initial.name
    assert role.accepting.name in path
    assert len(set(path)) == len(path)
    steps = {(state.name, target(role, row, state)) for row in role.rows for state in row.states.members}
    assert all(step in steps for step in itertools.pairwise(path))


def test_coverage_counts_every_row(role: Role) -> None:
    executed = {row.id: 3 for row in role.rows[::2]}
    picture = picture_of(role, executed)
    assert any(f"{len(executed)} of {len(role.rows)} rows executed." in line for line in picture.subtitle)
    assert all(move.count is not None for move in picture.all_moves)
    assert "executed" in draw_machine(picture).text()


def test_rows_for_many_states_are_listed_once(role: Role) -> None:
    if role.hints.get("layout"):
        pytest.skip("drawn by its own layout, which lists nothing")
    many = [row for row in role.rows if len(row.states.members) > DRAWN_STATES and not row.is_rest]
    assert len(picture_of(role).elsewhere) == len(many)


def test_partial_table_says_so(role: Role) -> None:
    assert any(line.startswith("Partial: ") for line in picture_of(role).subtitle) is bool(role.partial)
