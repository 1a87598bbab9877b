"""Complete suites: what they are made of, that they find what single cells do not show, and what they say."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.audit import audit
from shakeproof.properties.complete import Pruning, complete, ended, reference, statement
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.suites import Word
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.ours import OurEndpoint, OurTarget, make_client
from shakeproof.properties.targets.scripted import ScriptedTarget
from shakeproof.properties.tasks import Task, words_of
from shakeproof.properties.verdicts import AFTERWARDS, Problem
from shakeproof.replaying import word_of
from tests.properties.planted import with_hidden_state

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
MAIN = Setup("rsa", "rsa", "cbc")
ECDHE = Setup("ecdhe", "rsa", "gcm")
ROLES_OF_TLS = pytest.mark.parametrize("role", [CLIENT, SERVER], ids=lambda role: role.name)
WORDS_MOST = 8000
"""For one role in all setups with one extra state: 40 s at 200 words/s, which is what sockets give."""
TIME_S = 300.0


def problems(target: Target, role: Role, words: Iterable[Word], setup: Setup = MAIN) -> list[tuple[Word, Problem]]:
    runner = Runner(target, role, setup, 0)
    pruning = Pruning(reference(role, setup))
    found: list[tuple[Word, Problem]] = []
    for word in words:
        if not pruning.skips(word):
            outcome = runner.run(word)
            pruning.heed(word, outcome)
            if outcome.problem is not None:
                found.append((word, outcome.problem))
    return found


@ROLES_OF_TLS
def test_all_configurations_are_told_apart_or_said_to_be_alike(role: Role) -> None:
    there = reference(role, MAIN)
    like = {other for other, _ in there.alike}
    assert there.states == len(there.places) - len(like) > 4
    for one, other in itertools.combinations(there.places, 2):
        apart = any(there.tells_apart(word, one, other) for word in there.characterising)
        assert apart or one in like or other in like
    for here in there.places:
        words = [there.onward(here), *there.identifying(here)]
        for other in there.places:
            if other != here and not {here, other} & like:
                assert any(there.tells_apart(word, here, other) for word in words), (here, other)


@ROLES_OF_TLS
def test_a_complete_suite_has_every_cell_and_every_further_input_where_the_connection_is_open(role: Role) -> None:
    there, words = reference(role, MAIN), complete(role, MAIN, 1)
    inputs = {(*word.prefix, word.symbol, *word.suffix) for word in words}
    assert len(inputs) == len(words)
    short = {(one.configuration, one.symbol) for one in ended(role, words) if len(one.suffix) == 1}
    for word in [word for word in words if not word.suffix]:
        ends = there.ends({word.configuration}, word.symbol)
        for symbol in there.alphabet:
            further = (*word.prefix, word.symbol, symbol) in inputs
            if ends and not there.is_void(ends, symbol):
                assert further
            elif not ends:
                assert not further or (word.configuration, word.symbol) in short


@ROLES_OF_TLS
def test_a_suite_grows_with_the_states_it_looks_for_and_stays_within_a_minute(role: Role) -> None:
    sizes = [len(complete(role, ECDHE, extra)) for extra in (0, 1)]
    assert sizes == sorted(set(sizes))
    setups = OurTarget().setups(role.name)
    words = [words_of(Task("shakeproof", "", role.name, setup, 0, suite="full", extra=1)) for setup in setups]
    assert words[0] == complete(role, setups[0], 1)
    assert sum(map(len, words)) < WORDS_MOST


@ROLES_OF_TLS
def test_a_suite_is_ordered_so_that_the_first_report_is_the_shortest(role: Role) -> None:
    lengths = [len(word.text) for word in complete(role, MAIN, 1)]
    assert lengths == sorted(lengths)


@ROLES_OF_TLS
def test_a_target_that_follows_the_table_passes_and_the_statement_says_so(role: Role) -> None:
    words = complete(role, ECDHE, 0)
    pruning = Pruning(reference(role, ECDHE))
    runner = Runner(ScriptedTarget(), role, ECDHE, 0)
    for word in words:
        if not pruning.skips(word):
            outcome = runner.run(word)
            pruning.heed(word, outcome)
            assert outcome.problem is None, word.text
    said = statement(pruning, 0, words, {})
    there = reference(role, ECDHE)
    assert (
        f"complete for up to {there.states}+0 states, relative to this alphabet ({len(there.alphabet)} symbols)" in said
    )
    assert "the resolved reference, closed being closed" in said
    left = statement(pruning, 0, words, {"out of time": ["a cell"]})
    assert left.endswith("complete: no: 1 words of the complete suite were left out")
    pruning.deviates.append(words[0])
    assert statement(pruning, 0, words, {}).endswith(
        "complete: no: the target behaves as the reference does not, in 1 words"
    )


def test_a_hidden_state_shows_with_one_extra_state_and_not_in_any_cell() -> None:
    target = ScriptedTarget(table=with_hidden_state())
    words = [word for word in complete(SERVER, MAIN, 1) if len(word.prefix) == 2]  # where the state is planted
    cells = [word for word in words if not word.suffix]
    assert problems(target, SERVER, cells) == []
    word, problem = problems(target, SERVER, words)[0]
    assert problem.grade is Grade.WENT_ON
    assert [text.partition("[")[0] for text in word.text[-2:]] == ["Alert", "ApplicationData"]
    assert problem.exchange.state == "WAIT_CHANGE_CIPHER_SPEC"
    assert problems(ScriptedTarget(), SERVER, [word]) == []


class Undead(OurEndpoint):
    """A client that begins anew when something comes after the end."""

    def __init__(self) -> None:
        super().__init__(make_client(setup=MAIN))
        self._over = False

    def feed(self, data: bytes) -> Reaction:
        if self._over:
            return OurEndpoint(make_client(setup=MAIN)).start()
        reaction = super().feed(data)
        self._over = reaction.closed
        return reaction


class UndeadTarget(OurTarget):
    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Undead()


def test_closed_is_closed_is_checked_behind_every_kind_of_end() -> None:
    cells = [word for word in complete(CLIENT, MAIN, 0) if not word.suffix]
    words = ended(CLIENT, cells)
    assert {word.configuration.state.name for word in words} >= {"WAIT_SERVER_HELLO", "WAIT_FINISHED", "CONNECTED"}
    assert problems(OurTarget(), CLIENT, words) == []
    found = problems(UndeadTarget(), CLIENT, words)
    assert len(found) > len(words) / 2
    for _, problem in found:
        assert problem.grade is Grade.WENT_ON
        assert problem.check.endswith(AFTERWARDS.upper())
        assert "after the end of the connection" in problem.why


def test_words_whose_beginning_ended_the_connection_are_not_run() -> None:
    words = complete(SERVER, ECDHE, 1)
    pruning = Pruning(reference(SERVER, ECDHE))
    ends = pruning.reference.ends
    first = next(word for word in words if word.suffix and ends({word.configuration}, word.symbol))
    assert not pruning.skips(first)
    cell = next(word for word in words if (*word.prefix, word.symbol) == (*first.prefix, first.symbol))
    pruning.heed(cell, Outcome())
    assert pruning.skips(first)
    assert pruning.skipped == 1
    behind = next(
        word for word in words if word.suffix and not pruning.reference.ends({word.configuration}, word.symbol)
    )
    assert not pruning.skips(behind)


@ROLES_OF_TLS
def test_the_words_of_a_suite_are_read_back_from_their_text(role: Role) -> None:
    runner = Runner(OurTarget(), role, MAIN, 0)
    for word in complete(role, MAIN, 1)[::50]:
        saved = Finding(
            id="", check="", grade=Grade.NOTE, title="", role=role.name, target="", setup="", state="", input="",
            expected="", got="", clause="", sentence="", word=word.text, shrunk_from=0, seen=(0, 0),
            trace=Trace("", (), ()),
        )  # fmt: skip
        again = word_of(saved, role, runner)
        assert isinstance(again, Word)
        assert again.text == word.text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["shakeproof", "openssl"])
def test_clean_targets_have_no_failure_in_full_and_completeness_is_stated(name: str) -> None:
    run = audit([name], suite="full", extra_states=1, jobs=2, time_s=TIME_S)
    assert [finding.title for finding in run.findings if finding.grade.is_failure] == []
    for role in run.roles:
        assert role.left_out == 0
        assert len(role.complete) == 1
        # OpenSSL's client takes SHA-1, as it may: it is not the reference, so nothing is claimed of it.
        otherwise = (name, role.role) == ("openssl", "tls12.client")
        assert ("the target behaves as the reference does not" if otherwise else "+1 states") in role.complete[0]
        assert not any(finding.check.endswith(AFTERWARDS.upper()) for finding in role.findings)
