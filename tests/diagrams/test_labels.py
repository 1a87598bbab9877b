"""Labels in few words: alternatives share a text, what most say stands once, what differs differs visibly."""

from __future__ import annotations

from itertools import combinations

import pytest

from shakeproof.diagrams.labels import Usual, joined, parse, usual_of
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.picture import LABEL_MOST, Way, arrows
from shakeproof.model.roles import ROLES


@pytest.mark.parametrize(
    ("trigger", "head", "facts", "conditions"),
    [
        ("recv Hello", "recv Hello", (), ()),
        ("recv Hello[a, b | c], first", "recv Hello", ("a", "b | c"), ("first",)),
        ("recv Hello[a, ~(b | c)], ~(d | e), f", "recv Hello", ("a", "~(b | c)"), ("~(d | e)", "f")),
        ("yes, leaf", "yes", (), ("leaf",)),
        ("recv Broken[a", "recv Broken[a", (), ()),
    ],
)
def test_trigger_is_taken_apart(trigger: str, head: str, facts: tuple[str, ...], conditions: tuple[str, ...]) -> None:
    found = parse(trigger)
    assert (found.head, found.facts, found.conditions) == (head, facts, conditions)


def test_usual_facts_stand_in_the_legend_and_nowhere_else() -> None:
    triggers = ["recv H[fine, x]", "recv H[fine, y]", "recv H[odd]"]
    usual = usual_of(triggers)
    assert usual.legend == "Unless said otherwise: H[fine]."
    assert joined(triggers, usual) == ["recv H[x | y | odd]"]


def test_condition_that_does_not_matter_falls_away() -> None:
    assert joined(["recv C[one], s, ~d", "recv C[one], s, d"], Usual()) == ["recv C[one], s"]


def test_alternatives_of_one_condition_share_a_text() -> None:
    assert joined(["recv C, a", "recv C, b"], Usual()) == ["recv C, a | b"]


def test_message_that_says_only_the_usual_is_told_apart_from_others() -> None:
    usual = Usual({"recv H": ("fine",)})
    assert joined(["recv H[fine]", "recv H[odd]"], usual) == ["recv H[usual | odd]"]


@pytest.mark.parametrize("name", ROLES)
def test_labels_of_arrows_with_other_triggers_differ_where_they_are_read(name: str) -> None:
    """Two arrows that leave one state tell what decides between them, unless the table has the same triggers."""
    picture = picture_of(ROLES[name])
    drawn = [arrow for arrow in arrows(picture.moves, picture.usual) if arrow.way is not Way.FAILURE]
    for one, other in combinations(drawn, 2):
        if one.source != other.source or {m.trigger for m in one.moves} == {m.trigger for m in other.moves}:
            continue
        texts = [" ".join(line.text for line in arrow.label(LABEL_MOST).lines) for arrow in (one, other)]
        assert texts[0] != texts[1], (one.source, one.target, other.target)


@pytest.mark.parametrize("name", ROLES)
def test_words_for_several_states_are_explained(name: str) -> None:
    picture = picture_of(ROLES[name])
    explained = {words for words, _ in picture.groups}
    states = {state.name for state in ROLES[name].states}
    assert {move.source for move in picture.elsewhere} <= explained | states
