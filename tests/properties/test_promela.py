"""The second engine: SPIN counts the same states and transitions, and breaks the same properties in as many steps."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from shakeproof.model.alphabet import Message
from shakeproof.model.composition import Column, Composition, Is, Of, Packet, Safety, Transition
from shakeproof.model.facts import Assignment, Columns, Fact, Guard, ModelError
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tls12_setting import Setting
from shakeproof.properties import promela, spin
from shakeproof.properties.explore import explore
from shakeproof.properties.explore_plainly import Counts
from shakeproof.properties.explored import trace_of
from shakeproof.properties.models import models
from shakeproof.properties.promela import promela_of
from shakeproof.properties.spin import DEFINES, PLAIN, PROGRAMS, SpinError, built, checked_by_spin, followed
from shakeproof.properties.tls12_models import composed

DOCUMENT = Path(__file__).parents[2] / "docs" / "exploring.md"

LAMP = Fact("lamp", {"off": "it is dark", "on": "it is light", "broken": "it is dark for ever"})
off, on, broken = LAMP.values
SEEN = Fact("seen", {"never": "nobody has seen it light", "once": "somebody has"})
never, once = SEEN.values
PUSH = Message("push", "a button is pushed").symbol()
PACKETS = tuple(Packet("room", "room", PUSH, rank) for rank in range(3))
UNBROKEN = Safety("unbroken", "the lamp never breaks", "", ~Of("room", broken))
DARK = Safety("dark", "the lamp is never on", "", ~Of("room", on))


def step(before: int, then: int, **more: object) -> Transition:
    made = Transition("", "calls", "room", PUSH, (("room.lamp", before),), None, None, (("room.lamp", then),))
    return replace(made, **more)  # type: ignore[arg-type]


def lamp(*steps: Transition, **more: object) -> Composition:
    columns = (
        Column("room.lamp", LAMP, (off.bit, on.bit, broken.bit)),
        Column("room.seen", SEEN, (never.bit, once.bit)),
    )
    model = Composition("lamp", "A lamp", columns, ({"room.lamp": off.bit, "room.seen": never.bit},), steps)
    return replace(model, **more)  # type: ignore[arg-type]


SWITCH = (step(off.bit, on.bit), step(on.bit, off.bit))
SEES = step(on.bit, on.bit, assign=(("room.seen", once.bit),))
SENDS = tuple(step(off.bit, off.bit, puts=code) for code in (1, 2, 3))
TAKES = (step(off.bit, on.bit, takes=2), step(on.bit, on.bit, takes=1, puts=3))
POST = lamp(*SWITCH, *SENDS, *TAKES, SEES, packets=PACKETS, bound=3)
"""A lamp and a network of three places: what is sent, taken, and changed for another packet in one step."""


@pytest.fixture
def counts(require_tool: Callable[[str], str]) -> Callable[[Composition], Counts]:
    """What SPIN counts, of a model whose properties hold or that has none."""
    for name in PROGRAMS:
        require_tool(name)

    def count(model: Composition) -> Counts:
        with built(promela_of(model)) as program:
            run = program.explore()
        assert not run.broken
        assert not run.stopped
        return Counts(run.states, run.transitions, run.depth)

    return count


def ours(model: Composition) -> Counts:
    found = explore(model)
    return Counts(found.states, found.transitions, found.depth)


# ---------------------------------------------------------------------------------------------------- equal counts


@pytest.mark.parametrize(
    "model",
    [
        pytest.param(POST, id="network of three places"),
        pytest.param(
            lamp(*SWITCH, SEES, initial=tuple({"room.lamp": off.bit, "room.seen": b} for b in (never.bit, once.bit))),
            id="two initial states",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_spin_counts_what_we_count(counts: Callable[[Composition], Counts], model: Composition) -> None:
    assert counts(model) == ours(model)


@pytest.mark.slow
def test_spin_several_processes_count_as_one(
    counts: Callable[[Composition], Counts], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promela, "OPTIONS_MOST", 2)
    assert promela_of(POST).text.count("active proctype model_") > 1
    assert re.search(r"proctype model_\d+\(\) provided \(+room_lamp == ", promela_of(POST).text)
    assert counts(POST) == ours(POST)


@pytest.mark.slow
def test_spin_counts_the_same_whichever_compiler_there_is(
    counts: Callable[[Composition], Counts], monkeypatch: pytest.MonkeyPatch, require_tool: Callable[[str], str]
) -> None:
    require_tool(spin.QUICK[0])
    model = composed(Setting(attacked=False, bound=2))
    quickly = counts(model)
    monkeypatch.setattr(spin, "QUICK", ("shakeproof-has-no-such-compiler",))
    assert counts(model) == quickly


def test_spin_what_no_property_reads_is_part_of_a_state(counts: Callable[[Composition], Counts]) -> None:
    """SPIN would leave a variable out that is only written."""
    model = lamp(*SWITCH, SEES)
    assert "room_seen" not in re.sub(r"room_seen = ", "", promela_of(model).text)
    assert counts(model) == ours(model) == Counts(4, 6, 3)


@pytest.mark.parametrize("number", [5, *(pytest.param(each, marks=pytest.mark.slow) for each in (0, 2, 6))])
def test_spin_altered_transition_is_counted_otherwise(counts: Callable[[Composition], Counts], number: int) -> None:
    """The comparison has teeth: whichever transition leads elsewhere, the counts tell."""
    steps = list(POST.transitions)
    steps[number] = replace(steps[number], assign=(("room.lamp", broken.bit),))
    assert counts(replace(POST, transitions=tuple(steps))) != ours(POST)


@pytest.mark.slow
def test_spin_altered_model_of_tls_is_counted_otherwise(counts: Callable[[Composition], Counts]) -> None:
    model = composed(Setting(attacked=False, bound=2))
    assert counts(model) == ours(model)
    steps = list(model.transitions)
    taken = int(explore(model).fired.argmax())
    steps[taken] = replace(steps[taken], assign=())
    assert counts(replace(model, transitions=tuple(steps))) != ours(model)


@pytest.mark.slow
def test_spin_counts_what_we_count_in_every_model_that_is_checked(counts: Callable[[Composition], Counts]) -> None:
    differ = {}
    for model in models(1):
        pair = counts(model), ours(model)
        if pair[0] != pair[1]:
            differ[model.name] = pair
    assert not differ


@pytest.mark.slow
@pytest.mark.parametrize("name", PROTECTIONS)
def test_spin_counts_what_we_count_without_a_protection(name: str, counts: Callable[[Composition], Counts]) -> None:
    """The first model that has use of it; a property that is broken would end SPIN's search."""
    needs = PROTECTIONS[name].needs
    model = next(model for model in models(1, (name,)) if needs in model.name)
    assert counts(replace(model, safety=())) == ours(model)


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        Setting("ecdhe", bound=2),
        Setting("ecdhe", resume=True, bound=2),
        Setting(client_auth=True, resume=True, bound=2, attacked=False),
    ],
    ids=lambda setting: setting.name,
)
def test_spin_counts_what_we_count_with_two_messages_in_the_network(
    counts: Callable[[Composition], Counts], setting: Setting
) -> None:
    model = composed(setting)
    assert counts(model) == ours(model)


# ---------------------------------------------------------------------------------------------------- counterexamples


def test_spin_property_broken_gives_the_shortest_way_and_the_others_too(require_tool: Callable[[str], str]) -> None:
    for name in PROGRAMS:
        require_tool(name)
    model = lamp(*SWITCH, SEES, step(on.bit, broken.bit), safety=(UNBROKEN, DARK))
    found = checked_by_spin(model)
    expected = explore(model)
    assert [(one.safety.name, one.depth) for one in found.broken] == [("dark", 1), ("unbroken", 2)]
    assert {(one.safety.name, one.path) for one in found.broken} == {(b.safety.name, b.path) for b in expected.broken}
    assert (found.states, found.transitions, found.depth) == (expected.states, expected.transitions, expected.depth)


@pytest.mark.slow
def test_spin_counterexample_begins_in_the_initial_state_that_was_chosen(require_tool: Callable[[str], str]) -> None:
    for name in PROGRAMS:
        require_tool(name)
    begins = tuple({"room.lamp": bit, "room.seen": never.bit} for bit in (off.bit, on.bit))
    found = checked_by_spin(lamp(step(on.bit, broken.bit), initial=begins, safety=(UNBROKEN,)))
    assert found.expander.packing.unpack(found.broken[0].start)["room.lamp"] == on.bit
    assert found.broken[0].depth == 1


@pytest.mark.slow
def test_spin_nothing_enabled_where_something_should_happen_is_stuck(require_tool: Callable[[str], str]) -> None:
    for name in PROGRAMS:
        require_tool(name)
    assert checked_by_spin(lamp(*SWITCH, over=Of("room", off))).stuck == 0
    assert checked_by_spin(lamp(*SWITCH, step(on.bit, broken.bit), over=Of("room", off))).stuck == 1


@pytest.mark.slow
def test_spin_attack_on_tls_is_as_short_as_ours(require_tool: Callable[[str], str]) -> None:
    for name in PROGRAMS:
        require_tool(name)
    model = composed(Setting(removed=("message-order",)))
    found, expected = checked_by_spin(model), explore(model)
    assert {(b.safety.name, b.depth) for b in found.broken} == {(b.safety.name, b.depth) for b in expected.broken}
    assert (found.states, found.transitions) == (expected.states, expected.transitions)
    told = "\n".join(trace_of(found, found.broken[0]).sentences())
    assert "Attacker sends Finished[MATCH] to Client: forged; Client is now CONNECTED." in told


def test_trail_that_a_state_does_not_enable_is_refused() -> None:
    model = lamp(*SWITCH)
    written = promela_of(model)
    line = next(line for line, numbers in written.options.items() if numbers == (1,))
    with pytest.raises(SpinError, match=f"line {line} of SPIN's trail stands for 0 transitions"):
        followed(model, written, [line])


# ---------------------------------------------------------------------------------------------------- what is written


def test_promela_transitions_that_differ_in_one_value_are_one_option() -> None:
    dims = [step(bit, off.bit, assign=(("room.seen", once.bit),)) for bit in (on.bit, broken.bit)]
    written = promela_of(lamp(*dims, *SWITCH))
    assert sorted(written.options.values()) == [(0, 1), (2,), (3,)]
    assert "d_step { (room_lamp != 0) -> room_seen = 1; }" in written.text


def test_promela_transitions_of_the_same_state_stay_apart() -> None:
    assert sorted(promela_of(lamp(SWITCH[0], SWITCH[0])).options.values()) == [(0,), (1,)]


def test_promela_value_that_is_forgotten_fits_every_guard() -> None:
    """A column with all bits of its fact: a guard of a value holds, and that it has exactly these bits does not."""
    columns = (Column("room.lamp", LAMP, (off.bit, LAMP.mask)), Column("room.seen", SEEN, (never.bit, once.bit)))
    guards = Of("room", off), Of("room", on), Is("room.lamp", off.bit), Is("room.lamp", on.bit)
    steps = [Transition("", "calls", "room", PUSH, (("room.seen", never.bit),), None, guard) for guard in guards]
    model = replace(lamp(*steps), columns=columns)
    texts = re.findall(r":: d_step \{ (.*) -> skip \}", promela_of(model).text)
    assert texts == [
        "(room_seen == 0)",
        "((room_seen == 0) && (room_lamp == 1))",
        "((room_seen == 0) && (room_lamp == 0))",
    ]


def test_promela_names_and_comments_are_made_harmless() -> None:
    column = Column("in", LAMP, (off.bit, on.bit))
    odd = step(0, 0, where=(("in", off.bit),), assign=(("in", on.bit),))
    text = promela_of(lamp(odd, columns=(column,), initial=({"in": off.bit},), title="A */ lamp\n#define x")).text
    assert text.startswith("/* A * / lamp #define x, at most 0 packets in the network. */\n")
    assert "bit the_in = 0;" in text


def test_promela_transition_out_of_its_columns_is_refused() -> None:
    with pytest.raises(ModelError, match=r"room\.lamp can't have the bits 0x7"):
        promela_of(lamp(step(off.bit, LAMP.mask)))


@dataclass(frozen=True, eq=False)
class Moon(Guard):
    """A guard that Promela has no word for."""

    def holds(self, values: Assignment) -> bool:
        raise NotImplementedError

    def columns(self, values: Columns) -> object:  # type: ignore[override]
        raise NotImplementedError

    def text(self) -> str:
        return "full moon"

    def values(self) -> tuple[()]:
        return ()


def test_promela_guard_that_is_not_known_is_refused() -> None:
    with pytest.raises(ModelError, match="a guard Moon can't be written in Promela"):
        promela_of(lamp(step(off.bit, on.bit, guard=Moon())))


# ---------------------------------------------------------------------------------------------------- SPIN itself


@pytest.mark.slow
def test_spin_out_of_memory_is_told(require_tool: Callable[[str], str]) -> None:
    for name in PROGRAMS:
        require_tool(name)
    with built(promela_of(POST), memory=1 << 20) as program:
        assert "out of memory: 1 MiB are allowed, and SPIN came to level" in program.explore().stopped


def test_spin_that_is_missing_or_refuses_the_model_is_one_line(
    require_tool: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in PROGRAMS:
        require_tool(name)
    bad = replace(promela_of(POST), text="active proctype x() { oh }\n")
    with pytest.raises(SpinError, match=r"spin made no pan\.c: spin: model\.pml:1, Error"), built(bad):
        pass
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(SpinError, match=r"SPIN is not installed.*apt install spin gcc"), built(promela_of(POST)):
        pass


def test_document_has_the_options_that_keep_the_counts_equal() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert f"spin {' '.join(PLAIN)} -a" in text
    assert " ".join(DEFINES) in text
