"""The join gives what each transition gives by itself, on models made up at random; the bound on memory holds."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest

from shakeproof.model.alphabet import Message
from shakeproof.model.composition import Column, Composition, Is, Of, OnTheWay, Packet, Safety, Transition
from shakeproof.model.facts import Fact, Guard, ModelError
from shakeproof.model.tls12_setting import Setting
from shakeproof.properties import expansion
from shakeproof.properties.expansion import CHUNK_BYTES, Expander, conjuncts, key_of
from shakeproof.properties.explore import Exploration, expander_of, explore
from shakeproof.properties.explore_plainly import Counts, after, explore_plainly
from shakeproof.properties.tls12_models import composed

SEEDS = range(12)
PUSH = Message("push", "a button is pushed").symbol()
STATE = Fact("state", {"red": "stop", "amber": "wait", "green": "go"})
MEMORY = Fact("memory", {"fresh": "nothing was seen", "seen": "something was seen"})
FLAG = Fact("flag", {"down": "nobody waits", "up": "somebody waits"})
COLUMNS = {
    f"{owner}.{fact.name}": fact
    for owner, facts in (("one", (STATE, MEMORY)), ("other", (STATE, MEMORY)), ("between", (FLAG,)))
    for fact in facts
}


NEVER_GREEN = Safety(
    "never", "both are never green at once", "", ~(Of("one", STATE["green"]) & Of("other", STATE["green"]))
)


def made_up(seed: int) -> Composition:
    """A model with all that a model may have: two machines that also step together, guards, packets taken and put."""
    draw = Random(seed)
    bound, listed = draw.randrange(4), 1 + draw.randrange(4)
    packets = tuple(Packet("one", "other", PUSH, rank) for rank in range(listed))

    def bits(column: str) -> tuple[str, int]:
        return column, draw.choice(COLUMNS[column].values).bit

    def some(*columns: str) -> list[tuple[str, int]]:
        return [bits(column) for column in columns if draw.random() < 0.4]

    def guard(depth: int = 2) -> Guard:
        if depth and draw.random() < 0.6:
            left, right = guard(depth - 1), guard(depth - 1)
            return draw.choice((left & right, left | right, ~left))
        if bound and draw.random() < 0.4:
            return OnTheWay(tuple(draw.sample(range(1, listed + 1), draw.randint(1, listed))), bound)
        column = draw.choice(list(COLUMNS))
        value = draw.choice(COLUMNS[column].values)
        return draw.choice((Is(column, value.bit), Of(column.partition(".")[0], value)))

    def transition() -> Transition:
        name, peer = draw.sample(("one", "other"), 2)
        where = [bits(f"{name}.state"), *some(f"{name}.memory", "between.flag")]
        assign = [bits(f"{name}.state"), *some(f"{name}.memory", "between.flag")]
        if draw.random() < 0.2:
            where.append(bits(f"{peer}.state"))
            assign += some(f"{peer}.state", f"{peer}.memory")
        own = Of(name, draw.choice(MEMORY.values)) if draw.random() < 0.3 else None
        takes, puts = (draw.choice((0, 0, draw.randint(1, listed))) for _ in range(2))
        more = guard() if draw.random() < 0.5 else None
        return Transition("", "calls", name, PUSH, tuple(where), own, more, tuple(assign), takes, puts)

    columns = tuple(Column(name, fact, tuple(value.bit for value in fact.values)) for name, fact in COLUMNS.items())
    begin = {name: fact.default.bit for name, fact in COLUMNS.items()}
    transitions = tuple(transition() for _ in range(40))
    machines = {"one": "", "other": ""}
    return Composition(f"seed {seed}", "", columns, (begin,), transitions, packets, bound, machines=machines)


def joined(expander: Expander, found: Exploration) -> list[tuple[int, int, int]]:
    """Each state, what becomes of it and by which transition, of every state that was found."""
    return sorted(
        (int(chunk[whose]), int(there), int(number))
        for level in found.levels
        for chunk in expander.chunks(level)
        for pairs in expander.expand(chunk)
        for whose, there, entry in zip(*pairs, strict=True)
        for number in expander.numbers(entry)
    )


def singly(expander: Expander, found: Exploration) -> list[tuple[int, int, int]]:
    """The same, one transition after the other on plain values."""
    packing, model = expander.packing, expander.model
    out: list[tuple[int, int, int]] = []
    for state in map(int, np.concatenate(found.levels)):
        values = packing.unpack(state)
        for number, one in enumerate(model.transitions):
            for there in after(model, one, values):
                network = tuple(code for name, code in there.items() if name.startswith("packet."))
                out.append((state, packing.pack(there, network), number))
    return sorted(out)


@pytest.mark.parametrize("seed", SEEDS)
def test_expand_made_up_model_gives_every_transition_of_every_state_once(seed: int) -> None:
    model = made_up(seed)
    found = explore(model)
    edges = singly(found.expander, found)
    assert joined(found.expander, found) == edges
    assert Counts(found.states, found.transitions, found.depth) == explore_plainly(model)
    assert found.fired.tolist() == np.bincount([edge[2] for edge in edges], minlength=len(model.transitions)).tolist()


def test_made_up_models_have_what_a_model_may_have() -> None:
    found = [explore(made_up(seed)) for seed in SEEDS]
    transitions = [each.model.transitions[number] for each in found for number in np.flatnonzero(each.fired)]
    assert any(one.takes and one.takes == one.puts for one in transitions)
    assert any(one.guard is not None and one.own is not None for one in transitions)
    assert any(len({name.partition(".")[0] for name, _ in one.assign} - {"between"}) == 2 for one in transitions)
    assert {each.model.bound for each in found} == {0, 1, 2, 3}
    assert max(each.states for each in found) > 100


def test_expand_with_every_column_by_itself_gives_the_same() -> None:
    for seed in SEEDS[:4]:
        model = made_up(seed)
        found = explore(replace(model, machines={}))
        assert len(found.expander.packing.fields) == len(COLUMNS)
        assert joined(found.expander, found) == singly(found.expander, found)
        assert Counts(found.states, found.transitions, found.depth) == explore_plainly(model)


def test_expand_that_does_not_read_conditions_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = expansion._Conditions.truth
    monkeypatch.setattr(expansion._Conditions, "truth", lambda self, states: np.ones_like(whole(self, states)))
    found = explore(made_up(1))
    assert joined(found.expander, found) != singly(found.expander, found)


def test_explore_in_chunks_of_any_size_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = made_up(5)
    whole = explore(model)
    for wanted in (1, 3, 10):
        expander = expander_of(model)
        size = CHUNK_BYTES // expander.chunk
        monkeypatch.setattr(expansion, "CHUNK_BYTES", wanted * size)
        found = explore(model)
        monkeypatch.undo()
        assert found.expander.chunk < expander.chunk
        assert [level.tolist() for level in found.levels] == [level.tolist() for level in whole.levels]
        assert found.fired.tolist() == whole.fired.tolist()


def test_way_to_is_by_the_first_transition_in_the_order_of_the_model_from_the_least_state() -> None:
    seen = 0
    for seed in SEEDS:
        found = explore(replace(made_up(seed), safety=(NEVER_GREEN,)))
        edges = singly(found.expander, found) if found.broken else []
        for broken in found.broken:
            state = broken.start
            for (transition, there), level in zip(broken.path, found.levels, strict=False):
                ways = [(number, before) for before, to, number in edges if to == there and before in level]
                number, before = min(ways)
                assert (found.model.transitions[number], before) == (transition, state)
                state = there
                seen += len(ways) > 1
    assert seen


def test_packet_that_is_not_listed_is_refused() -> None:
    bare = made_up(1)
    astray = Transition("", "calls", "one", PUSH, (("one.state", 1),), takes=len(bare.packets) + 1)
    with pytest.raises(ModelError, match="takes or puts a packet that is not listed"):
        Expander(replace(bare, transitions=(astray,)))


def test_key_guards_that_say_the_same_are_one_and_others_are_not() -> None:
    green, seen = STATE["green"], MEMORY["seen"]
    assert key_of(Of("one", green) & ~Is("between.flag", 1)) == key_of(Of("one", green) & ~Is("between.flag", 1))
    different = [Of("one", green), Of("other", green), Of("one", seen), ~Of("one", green), Is("one.state", green.bit),
                 OnTheWay((1,), 2), OnTheWay((2,), 2), Of("one", green & seen), Of("one", green | seen)]  # fmt: skip
    assert len({key_of(guard) for guard in different}) == len(different)
    assert list(conjuncts(None)) == []


def traced(run: Callable[[], object]) -> int:
    """The most bytes that it had at once."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_expand_chunk_of_the_widest_states_keeps_within_its_bytes() -> None:
    packets = tuple(Packet("one", "other", PUSH, rank) for rank in range(3))
    base = (("one.state", 1),)
    takes = [Transition("", "calls", "one", PUSH, base, None, None, (("between.flag", 1 << n),), takes=code)
             for n in range(2) for code in (1, 2, 3)]  # fmt: skip
    calls = [replace(one, takes=0, guard=Is("other.state", 1), assign=(*one.assign, (f"other.{fact.name}", value.bit)))
             for one in takes[:2] for fact in (STATE, MEMORY) for value in fact.values]  # fmt: skip
    expander = Expander(replace(made_up(0), transitions=(*takes, *calls), packets=packets, bound=3))
    values = {name: fact.default.bit for name, fact in COLUMNS.items()}
    states = np.full(expander.chunk, expander.packing.pack(values, (1, 2, 3)))
    assert len(states) > 10_000
    peak = traced(lambda: [pairs.after for pairs in expander.expand(states)])
    assert CHUNK_BYTES / 4 < peak < CHUNK_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("more", [8 << 20, 40 << 20], ids=["too-little", "enough"])
def test_explore_takes_no_more_memory_than_is_allowed(more: int) -> None:
    model = composed(Setting("rsa", client_auth=True, bound=3))
    expander_of(model)  # what is imported and remembered on the way is not the exploration's
    found: list[Exploration] = []
    assert traced(lambda: found.append(explore(model, memory=CHUNK_BYTES + more))) < CHUNK_BYTES + more
    assert found[0].states > 300_000
    assert bool(found[0].stopped) == (more == 8 << 20)
