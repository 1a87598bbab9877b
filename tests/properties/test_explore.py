"""The engine, on machines of a few states; that it finds what a plain search finds, on the model of TLS."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from shakeproof.model.alphabet import Message
from shakeproof.model.composition import Column, Composition, Of, Packet, Safety, Transition
from shakeproof.model.facts import Fact, Guard, ModelError
from shakeproof.model.tls12_setting import Setting
from shakeproof.properties.explore import Expander, TooWideError, View, check_completion, expander_of, explore
from shakeproof.properties.explore_plainly import Counts, explore_plainly
from shakeproof.properties.tls12_models import composed

LAMP = Fact("lamp", {"off": "it is dark", "on": "it is light", "broken": "it is dark for ever"})
off, on, broken = LAMP.values
PUSH = Message("push", "a button is pushed").symbol()


def step(before: int, after: int, guard: Guard | None = None) -> Transition:
    return Transition("", "calls", "room", PUSH, (("room.lamp", before),), None, guard, (("room.lamp", after),))


def lamp(*steps: Transition, **more: object) -> Composition:
    column = Column("room.lamp", LAMP, (off.bit, on.bit, broken.bit))
    model = Composition("lamp", "A lamp", (column,), ({"room.lamp": off.bit},), steps)
    return replace(model, **more)  # type: ignore[arg-type]


@cache
def honest() -> Composition:
    return composed(Setting(attacked=False, bound=2))


SWITCH = (step(off.bit, on.bit), step(on.bit, off.bit))
NEVER_BROKEN = Safety("unbroken", "the lamp never breaks", "", ~Of("room", broken))


def test_explore_two_states_visits_both_once() -> None:
    found = explore(lamp(*SWITCH, safety=(NEVER_BROKEN,)))
    assert (found.states, found.transitions, found.depth) == (2, 2, 1)
    assert found.holds


def test_explore_property_broken_gives_the_shortest_way() -> None:
    found = explore(lamp(*SWITCH, step(on.bit, broken.bit), safety=(NEVER_BROKEN,)))
    assert [one.safety.name for one in found.broken] == ["unbroken"]
    path = [found.expander.packing.unpack(state)["room.lamp"] for _, state in found.broken[0].path]
    assert path == [on.bit, broken.bit]
    assert not found.holds


def test_explore_nothing_enabled_where_something_should_happen_is_stuck() -> None:
    over = Of("room", off)
    assert explore(lamp(*SWITCH, over=over)).stuck == 0
    assert explore(lamp(*SWITCH, step(on.bit, broken.bit), over=over)).stuck == 1


def test_completion_unreachable_from_one_state_is_counted() -> None:
    assert check_completion(explore(lamp(*SWITCH, done=Of("room", off)))) == 0
    assert check_completion(explore(lamp(*SWITCH, step(on.bit, broken.bit), done=Of("room", off)))) == 1


def test_completion_without_a_goal_or_unfinished_is_refused() -> None:
    with pytest.raises(ModelError, match="says no state"):
        check_completion(explore(lamp(*SWITCH)))
    with pytest.raises(ModelError, match="not every state was visited"):
        check_completion(explore(lamp(*SWITCH, done=Of("room", off)), levels_most=0))


def test_explore_out_of_memory_stops_and_says_how_far_it_got() -> None:
    found = explore(honest(), memory=1 << 9)
    assert "out of memory: level" in found.stopped
    assert f"every state up to level {found.depth} was visited" in found.stopped
    assert not found.holds


def test_state_wider_than_an_integer_is_refused_with_the_number_of_bits() -> None:
    packets = tuple(Packet("room", "room", PUSH, rank) for rank in range(7))
    with pytest.raises(TooWideError, match="needs 68 bits, and 63 are there"):
        Expander(lamp(*SWITCH, packets=packets, bound=22))


def test_transition_out_of_its_columns_is_refused() -> None:
    with pytest.raises(ModelError, match="leads where"):
        Expander(lamp(step(off.bit, LAMP.mask)))


def test_network_full_makes_the_sender_wait_and_order_does_not_count() -> None:
    packets = tuple(Packet("room", "room", PUSH, rank) for rank in range(2))
    sends = [replace(step(off.bit, off.bit), puts=code) for code in (1, 2)]
    model = lamp(*sends, packets=packets, bound=2)
    found = explore(model)
    assert found.states == 6  # the empty network, one of two packets, and three pairs
    assert Counts(found.states, found.transitions, found.depth) == explore_plainly(model)


@pytest.mark.parametrize(
    "setting",
    [
        Setting(attacked=False, bound=2),
        pytest.param(Setting("rsa"), marks=pytest.mark.slow),
        pytest.param(Setting(client_auth=True, resume=True, bound=2, attacked=False), marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", resume=True), marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", client_auth=True), marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", removed=("ccs-after-keys",)), marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", bound=2), marks=pytest.mark.slow),
        pytest.param(Setting(fallback=True, attacked=False), marks=pytest.mark.slow),
        pytest.param(Setting(fallback=True, removed=("downgrade-signal",)), marks=pytest.mark.slow),
        pytest.param(Setting(export=True, removed=("no-export-keys",)), marks=pytest.mark.slow),
    ],
    ids=lambda setting: f"{setting.name}, bound {setting.bound}",
)
def test_explore_tls_counts_what_a_plain_search_counts(setting: Setting) -> None:
    model = honest() if setting == Setting(attacked=False, bound=2) else composed(setting)
    found = explore(model)
    assert Counts(found.states, found.transitions, found.depth) == explore_plainly(model)


def test_packing_any_state_unpacks_to_itself() -> None:
    found = explore(honest())
    packing = found.expander.packing
    for state in np.concatenate(found.levels):
        values = packing.unpack(int(state))
        places = tuple(code for name, code in values.items() if name.startswith("packet."))
        assert packing.pack(values, places) == state


def test_expander_of_a_model_packs_narrower_than_its_columns() -> None:
    model = honest()
    together = expander_of(model)
    assert together.packing.bits < Expander(model).packing.bits
    assert len(View(together.packing, together.initial)) == len(model.columns) + model.bound
