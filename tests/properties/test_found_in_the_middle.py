"""The man in the middle that the model finds: a way of the model, the shortest, and what an executed attack sends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.model.composition import Composition, Transition, slot
from shakeproof.model.messages import Certificate, untrusted
from shakeproof.model.tls12_setting import Setting
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.explore import explore
from shakeproof.properties.explored import trace_of
from shakeproof.properties.found_in_the_middle import PROTECTION, between, found_in_the_middle_run, narrowed, way
from shakeproof.properties.in_the_middle import in_the_middle_run
from shakeproof.properties.performance import EndedError
from shakeproof.properties.realised import MATCHING
from shakeproof.properties.tls12_models import composed
from shakeproof.scenes import SUITES

ROGUE = MATCHING[PROTECTION]
KINDS = ["rsa", pytest.param("ecdhe", marks=pytest.mark.slow)]

Said = list[tuple[str, str, str]]


def suite(kind: str) -> CipherSuite:
    return SUITES["rsa"] if kind == "rsa" else SUITES["ecdhe"]


def with_side(trace: Trace, side: str) -> Said:
    """The messages of the connection between the attacker and that side, in order."""
    return [(s.sender, s.receiver, s.message) for s in trace.messages() if side in (s.sender, s.receiver)]


def counterexample(kind: str) -> Trace:
    the_way = way(kind)
    return trace_of(the_way.found, the_way.broken)


@pytest.mark.parametrize("kind", KINDS)
def test_counterexample_has_the_messages_of_the_executed_attack_on_the_rogue(kind: str) -> None:
    executed, found = in_the_middle_run(suite(kind), ROGUE), counterexample(kind)
    for side in ("client", "server"):
        assert with_side(found, side) == with_side(executed, side)
    assert len(found.messages()) == len(executed.messages())


@pytest.mark.parametrize("kind", KINDS)
def test_figure_has_the_messages_of_the_counterexample_in_its_order(kind: str) -> None:
    drawn, found = found_in_the_middle_run(suite(kind), ROGUE), counterexample(kind)
    assert [(s.sender, s.receiver, s.message) for s in drawn.messages()] == [
        (s.sender, s.receiver, s.message) for s in found.messages()
    ]
    assert [bool(s.protection) for s in drawn.messages()] == [bool(s.protection) for s in found.messages()]
    assert all(step.data for step in drawn.messages())
    forged = [step.message for step in drawn.messages() if step.fate is Fate.FORGED]
    assert forged[0] == Certificate.name


@pytest.mark.parametrize("rogue", ["", "wrong-name"])
def test_mirror_is_the_same_way_until_the_client_refuses(rogue: str) -> None:
    mirror, drawn = found_in_the_middle_run(suite("rsa"), rogue), found_in_the_middle_run(suite("rsa"), ROGUE)
    *same, last = mirror.messages()
    assert [s.data for s in same] == [s.data for s in drawn.messages()[: len(same)]]
    assert same[-1].defect == ("UNTRUSTED",)
    assert (last.sender, last.label) == ("client", "unknown_ca")
    executed = in_the_middle_run(suite("rsa"), rogue)
    assert with_side(mirror, "client") == with_side(executed, "client")


def test_way_that_a_side_does_not_go_is_an_error() -> None:
    with pytest.raises(EndedError, match=r"the client sends .*; the model has ClientHello"):
        found_in_the_middle_run(replace(suite("rsa"), name="another", code=0xC013), ROGUE)


# ---------------------------------------------------------------------------------------------------- of the model


def enabled(one: Transition, values: Mapping[str, int], bound: int) -> bool:
    """Whether the transition is enabled, read on plain values."""
    network = [values[slot(n)] for n in range(bound)]
    room = not one.puts or 0 in network or one.takes in network
    there = not one.takes or one.takes in network
    placed = all(values[name] == mask for name, mask in one.where)
    return room and there and placed and all(guard is None or guard.holds(values) for guard in (one.own, one.guard))


def goes(model: Composition, path: tuple[Transition, ...]) -> Iterator[tuple[Transition, dict[str, int]]]:
    """The path on that model, as far as it has each transition, and it is enabled: each with the values before it."""
    values = {**model.initial[0], **{slot(n): 0 for n in range(model.bound)}}
    for wanted in path:
        own = next((one for one in model.transitions if _same(one, wanted) and enabled(one, values, model.bound)), None)
        if own is None:
            return
        yield own, dict(values)
        values |= dict(own.assign)
        packets = [values[slot(n)] for n in range(model.bound)]
        if own.takes:
            packets[packets.index(own.takes)] = 0
        if own.puts:
            packets[packets.index(0)] = own.puts
        values |= {slot(n): code for n, code in enumerate(sorted(packets, reverse=True))}


def _same(one: Transition, other: Transition) -> bool:
    return replace(one, guard=None, own=None) == replace(other, guard=None, own=None)


def path_of(kind: str) -> tuple[Transition, ...]:
    return tuple(transition for transition, _ in way(kind).broken.path)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rsa", "ecdhe"])
def test_way_is_one_of_the_whole_model_and_no_other_is_shorter(kind: str) -> None:
    model = composed(Setting(kind, removed=(PROTECTION,)))
    path = path_of(kind)
    assert len(list(goes(model, path))) == len(path)
    found = explore(replace(model, safety=(between(model),)), stop_at_first=True)
    assert found.broken[0].depth == len(path)


@pytest.mark.slow
def test_way_with_every_protection_ends_where_the_client_refuses_the_certificate() -> None:
    model = composed(Setting("rsa"))
    path = path_of("rsa")
    gone = list(goes(model, path))
    stops = path[len(gone)]
    assert stops.kind == "forges"
    assert stops.symbol == Certificate.symbol(untrusted)
    assert not explore(narrowed(model), stop_at_first=True).broken
