"""Learning: a conforming target gives the table's machine; each difference is named, drawn and bounded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, cycle, product, repeat
from pathlib import Path

import pytest

from shakeproof.diagrams.compare import compare, from_json
from shakeproof.diagrams.picture import Difference
from shakeproof.learned import difference, machine_text, summary_of, write
from shakeproof.model.machine import Role
from shakeproof.model.messages import Certificate, expired
from shakeproof.model.roles import ROLES
from shakeproof.properties.asking import CLOSED, DATA, NOTHING, CorrectedError, CutError, System
from shakeproof.properties.complete import INCOMPLETE, reference
from shakeproof.properties.conformance import Runner
from shakeproof.properties.learning import END, WORDS_MOST, Learned, alphabet_of, learn
from shakeproof.properties.targets.base import SETUPS, Endpoint, Reaction, Setup, Target
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
    assert data["timed"] == 0


def test_a_picture_has_the_handshake_in_one_line(second_key_exchange: Learned) -> None:
    for machine in (second_key_exchange.machine, second_key_exchange.reference):
        path = from_json(machine_text(second_key_exchange, machine)).path
        assert path == (
            "WAIT_CLIENT_HELLO", "WAIT_CLIENT_KEY_EXCHANGE", "WAIT_CHANGE_CIPHER_SPEC", "WAIT_FINISHED", "CONNECTED"
        )  # fmt: skip
    assert difference(second_key_exchange).pinned


def test_a_hidden_state_is_learned_as_a_state_of_its_own() -> None:
    result = learned(ScriptedTarget(table=with_hidden_state()))
    assert [name for name in result.machine.states if name not in result.reference.states] == ["EXTRA 1"]
    assert ("EXTRA 1", "ApplicationData", "data", "EXTRA 1") in [
        (edge.source, edge.letter, edge.output, edge.target) for edge in result.extra
    ]
    picture = from_json(machine_text(result, result.machine))  # it is drawn where it is come to from
    assert picture.spot("EXTRA 1").region == picture.spot("WAIT_CHANGE_CIPHER_SPEC").region == "keys"


def test_an_input_that_is_no_letter_by_itself_can_be_one() -> None:
    symbol = Certificate.symbol(expired)
    there = reference(CLIENT, MAIN)
    assert symbol not in alphabet_of(there)
    assert alphabet_of(there, [symbol]) == (*alphabet_of(there), symbol)
    result = learn(Runner(OurTarget("expired-certificate"), CLIENT, MAIN, 0), [symbol], time_s=FOREVER_S, extra=0)
    assert {edge.letter for edge in result.extra} == {symbol.text}
    assert {edge.source for edge in result.extra} == {"WAIT_CERTIFICATE"}


def test_a_bound_of_words_cuts_and_says_so() -> None:
    result = learned(OurTarget(), words_most=400, extra=2)
    assert "400 words were used up; up to" in result.cut
    assert result.words == 400
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


class Sluggish(ScriptedEndpoint):
    """Quiet is guessed, or known; and at one input it is late: what it says there comes with the next."""

    def __init__(self, late_at: int, *, exact: bool) -> None:
        super().__init__(SERVER, MAIN)
        self._left, self._held, self._exact = late_at, b"", exact

    def feed(self, data: bytes) -> Reaction:
        whole = super().feed(data)
        self._left -= 1
        if not self._left and not whole.closed:
            self._held, self._exact = whole.data, False
            return Reaction(delivered=whole.delivered, exact=False)
        held, self._held = self._held, b""
        return replace(whole, data=held + whole.data, exact=self._exact or whole.closed)

    def wait(self) -> Reaction:
        return Reaction(exact=False)


class SluggishTarget(ScriptedTarget):
    """late: at which input each connection is late, 0 for none, in turn; exact: whether else quiet is known."""

    def __init__(self, late: Iterable[int], *, exact: bool) -> None:
        super().__init__()
        self._late, self.exact = iter(late), exact

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Sluggish(next(self._late), exact=self.exact)


HANDSHAKE = tuple(symbol.text for symbol in reference(SERVER, MAIN).onward(next(iter(reference(SERVER, MAIN).places))))


def asked(late: Iterable[int], *, exact: bool) -> System:
    target = SluggishTarget(late, exact=exact)
    return System(Runner(target, SERVER, MAIN, 0), alphabet_of(reference(SERVER, MAIN)), float("inf"), WORDS_MOST)


def test_an_answer_that_comes_too_late_is_asked_for_again() -> None:
    right = asked(repeat(0), exact=True).query(HANDSHAKE)
    assert right[-1] == DATA
    for exact, late, words in ((True, [4], 2), (False, [4, 1], 4)):
        system = asked(chain(late, repeat(0)), exact=exact)
        assert system.query(HANDSHAKE) == right
        assert system.words == words
        assert (system.timed > 0) is not exact


def test_an_answer_that_was_told_and_was_not_whole_is_corrected() -> None:
    system = asked(chain([1, 1], repeat(0)), exact=True)
    assert system.query(HANDSHAKE[:1]) == [NOTHING]
    with pytest.raises(CorrectedError, match="gave nothing, and now ServerHello"):
        system.query(HANDSHAKE[:2])
    assert system.query(HANDSHAKE) == asked(repeat(0), exact=True).query(HANDSHAKE)


def test_a_target_that_is_late_as_often_as_not_cuts_and_says_so() -> None:
    with pytest.raises(CutError, match=r"takes its time: .* was asked 6 times"):
        asked(cycle([0, 1]), exact=False).query(HANDSHAKE)


@pytest.mark.slow
@pytest.mark.parametrize("exact", [True, False])
def test_a_target_that_is_late_at_times_has_the_machine_of_the_table(exact: bool) -> None:
    result = learned(SluggishTarget(cycle([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]), exact=exact))
    assert result.cut == ""
    assert set(result.machine.edges) == set(result.reference.edges)
    assert (result.timed > 0) is not exact
    assert ("only a timer tells that" in summary_of(result)[0]) is not exact


def test_the_letters_are_those_of_the_usual_way() -> None:
    for role, setup in product((CLIENT, SERVER), (MAIN, SETUPS[1], SETUPS[6])):
        there = reference(role, setup)
        letters = alphabet_of(there)
        assert all(set(there.onward(here)) <= set(letters) for here in there.places)


ASKED = """
from tests.properties.test_learning import OurTarget, System, learned

asked = []
known = System._ask
System._ask = lambda system, letters: (asked.append(letters), known(system, letters))
learned(OurTarget())
print(asked)
"""


@pytest.mark.slow
def test_the_same_seed_asks_the_same_words_in_any_process() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", ASKED], env={**os.environ, "PYTHONHASHSEED": seed}, cwd=Path(__file__).parents[2],
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert said[0] == said[1] != ""


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
