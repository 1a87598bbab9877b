"""Learning: a conforming target gives the table's machine; each difference is named, drawn and bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from shakeproof.diagrams.compare import compare, from_json
from shakeproof.diagrams.picture import Difference
from shakeproof.learned import difference, machine_text, summary_of, write
from shakeproof.model.machine import Role
from shakeproof.model.messages import Certificate, expired
from shakeproof.model.roles import ROLES
from shakeproof.properties.complete import INCOMPLETE, reference
from shakeproof.properties.conformance import Runner
from shakeproof.properties.learning import CLOSED, END, WORDS_MOST, CutError, Learned, alphabet_of, learn
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.scripted import ScriptedEndpoint, ScriptedTarget
from shakeproof.properties.task_run import run_task
from shakeproof.properties.tasks import Task
from tests.properties.planted import with_hidden_state, with_second_key_exchange

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
MAIN = Setup("rsa", "rsa", "cbc")
FOREVER_S = 600.0


def learned(target: Target, role: Role = SERVER, *, words_most: int = WORDS_MOST, extra: int = 0) -> Learned:
    runner = Runner(target, role, MAIN, 0)
    result = learn(runner, time_s=FOREVER_S, words_most=words_most, extra=extra)
    return result


@pytest.fixture(scope="module")
def second_key_exchange() -> Learned:
    return learned(ScriptedTarget(table=with_second_key_exchange()))


@pytest.mark.parametrize("role", [CLIENT, SERVER], ids=lambda role: role.name)
def test_our_implementation_has_the_machine_of_the_table(role: Role) -> None:
    result = learned(OurTarget(), role)
    assert result.cut == ""
    assert result.extra == result.missing == ()
    assert set(result.machine.edges) == set(result.reference.edges)
    assert result.machine.states[0] == result.reference.states[0]
    assert {"CONNECTED", "WAIT_FINISHED", END} < set(result.machine.states)
    assert "no transition differs" in summary_of(result)[-1]


def test_a_planted_transition_is_exactly_the_extra_one(second_key_exchange: Learned) -> None:
    (edge,) = second_key_exchange.extra
    assert (edge.source, edge.letter, edge.target) == (
        "WAIT_CHANGE_CIPHER_SPEC", "ClientKeyExchange[WRAPPED]", "WAIT_CHANGE_CIPHER_SPEC"
    )  # fmt: skip
    assert second_key_exchange.missing == ()
    assert second_key_exchange.cut == ""


def test_the_difference_is_drawn_with_that_edge_alone(second_key_exchange: Learned, tmp_path: Path) -> None:
    files = write(second_key_exchange, tmp_path)
    assert [name.rpartition(".")[2] for name in files] == ["json", "json", "svg"]
    other, one = (from_json((tmp_path / name).read_text(encoding="utf-8")) for name in files[:2])
    moves = compare(one, other).all_moves
    (move,) = [move for move in moves if move.difference is not Difference.SAME]
    assert move.difference is Difference.EXTRA
    assert move.trigger == "ClientKeyExchange[WRAPPED]"
    assert "[EXTRA]" in difference(second_key_exchange).text() or "EXTRA" in (tmp_path / files[2]).read_text("utf-8")


def test_a_saved_machine_says_what_it_rests_on(second_key_exchange: Learned) -> None:
    data = json.loads(machine_text(second_key_exchange, second_key_exchange.machine))
    assert data["role"] == "tls12.server"
    assert data["words"] == second_key_exchange.words > 0
    assert data["alphabet"] == list(second_key_exchange.machine.alphabet)
    edges = second_key_exchange.machine.edges
    assert sum(data["ending"].values()) == sum(edge.output == CLOSED for edge in edges)
    assert len(data["transitions"]) < len(edges)


def test_a_hidden_state_is_learned_as_a_state_of_its_own() -> None:
    result = learned(ScriptedTarget(table=with_hidden_state()))
    assert [name for name in result.machine.states if name not in result.reference.states] == ["EXTRA 1"]
    assert ("EXTRA 1", "ApplicationData", "data", "EXTRA 1") in [
        (edge.source, edge.letter, edge.output, edge.target) for edge in result.extra
    ]


def test_an_input_that_is_no_letter_by_itself_can_be_one() -> None:
    symbol = Certificate.symbol(expired)
    there = reference(CLIENT, MAIN)
    assert symbol not in alphabet_of(there)
    assert alphabet_of(there, [symbol]) == (*alphabet_of(there), symbol)
    result = learn(Runner(OurTarget("expired-certificate"), CLIENT, MAIN, 0), [symbol], time_s=FOREVER_S, extra=0)
    assert {edge.letter for edge in result.extra} == {symbol.text}
    assert {edge.source for edge in result.extra} == {"WAIT_CERTIFICATE"}


def test_a_bound_of_words_cuts_and_says_so() -> None:
    result = learned(OurTarget(), words_most=900, extra=2)
    assert "900 words were used up; up to" in result.cut
    assert result.words == 900
    assert result.extra == result.missing == ()
    assert "cut short" in summary_of(result)[0]
    with pytest.raises(CutError, match="100 words were used up, before a machine passed"):
        learned(OurTarget(), words_most=100)
    with pytest.raises(CutError, match="time was used up"):
        learn(Runner(OurTarget(), SERVER, MAIN, 0), time_s=0.0)


class Moody(ScriptedEndpoint):
    """Closes every twentieth connection at its first input."""

    def __init__(self, number: int) -> None:
        super().__init__(SERVER, MAIN)
        self._angry = number % 20 == 0

    def feed(self, data: bytes) -> Reaction:
        return replace(super().feed(data), closed=True) if self._angry else super().feed(data)


class MoodyTarget(ScriptedTarget):
    def __init__(self) -> None:
        super().__init__()
        self._numbers: Iterator[int] = iter(range(1, 10**6))

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Moody(next(self._numbers))


def test_a_target_that_does_not_repeat_itself_cuts_and_says_so() -> None:
    try:
        cut = learn(Runner(MoodyTarget(), SERVER, MAIN, 0), time_s=FOREVER_S).cut
    except CutError as error:  # before there was a first guess
        cut = str(error)
    assert "does not repeat itself" in cut
    assert "closed" in cut


@pytest.mark.slow
def test_a_full_audit_learns_where_the_target_deviates_and_only_there() -> None:
    import time

    for rogue, found in (("early-ccs", True), ("", False)):
        task = Task("shakeproof", rogue, "tls12.server", MAIN, 0, suite="full", extra=0)
        partial = run_task(task, time.monotonic() + FOREVER_S, lambda _: None)
        assert (partial.learned is not None) is found
        assert (INCOMPLETE in partial.complete) is found
        if found:
            assert any(edge.letter == "ChangeCipherSpec[ONE]" for edge in partial.learned.extra)
