"""Schedules: what they are made of, no false alarm, and what only they show, found and shrunk."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import Phase, given, settings
from hypothesis.internal.conjecture import providers
from hypothesis.internal.constants_ast import Constants

from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.model.machine import Role
from shakeproof.model.messages import Certificate, expired, wrong_name
from shakeproof.model.roles import ROLES
from shakeproof.properties.complete import reference
from shakeproof.properties.confirmation import confirm
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.delivery import cut, merged, writes
from shakeproof.properties.findings import Grade
from shakeproof.properties.schedules import combined, schedules, search
from shakeproof.properties.suites import Delivery, Word, delivered, flights, quick
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.ours import OurEndpoint, OurTarget, make_client, make_server
from shakeproof.properties.targets.scripted import ScriptedTarget
from shakeproof.properties.task_run import run_task
from shakeproof.properties.tasks import Task
from shakeproof.properties.verdicts import Problem
from shakeproof.replaying import word_of

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
MAIN = Setup("rsa", "rsa", "cbc")
FOREVER_S = 600.0


def searched(target: Target, role: Role, most: int, seed: int = 1) -> tuple[tuple[Word, Problem] | None, list[Outcome]]:
    outcomes: list[Outcome] = []
    found = search(
        Runner(target, role, MAIN, seed), reference(role, MAIN), set(), most=most,
        deadline=time.monotonic() + FOREVER_S, heed=lambda _, outcome: outcomes.append(outcome),
    )  # fmt: skip
    return found, outcomes


@pytest.mark.parametrize("role", [CLIENT, SERVER], ids=lambda role: role.name)
@pytest.mark.parametrize("target", [OurTarget(), ScriptedTarget()], ids=lambda target: target.name)
def test_schedules_raise_no_false_alarm_and_get_as_far_as_data(target: Target, role: Role) -> None:
    found, outcomes = searched(target, role, 120)
    assert found is None
    ran = [one for one in outcomes if not (one.unreached or one.meaningless)]
    assert len(ran) > 60
    assert sum(one.exchange is not None and one.exchange.carries_data for one in ran) > 20


@pytest.mark.slow
@pytest.mark.parametrize("role", [CLIENT, SERVER], ids=lambda role: role.name)
@pytest.mark.parametrize("seed", range(2))
def test_many_schedules_raise_no_false_alarm(role: Role, seed: int) -> None:
    assert searched(OurTarget(), role, 400, seed)[0] is None


def test_the_same_seed_draws_the_same_schedules() -> None:
    def texts_of(seed: int) -> list[tuple[str, ...]]:
        words: list[Word] = []
        runner = Runner(OurTarget(), CLIENT, MAIN, seed)
        search(runner, reference(CLIENT, MAIN), set(), most=20, deadline=time.monotonic() + FOREVER_S,
               heed=lambda word, _: words.append(word))  # fmt: skip
        return [word.text for word in words]

    assert texts_of(7) == texts_of(7) != texts_of(8)
    assert len(texts_of(7)) > 10


class ForgetsTheRest(OurEndpoint):
    """Reads the first handshake message of a record in the clear, and not what else is in it."""

    def feed(self, data: bytes) -> Reaction:
        length = int.from_bytes(data[3:5], "big")
        if data[:1] == b"\x16" and len(data) >= HEADER_LENGTH + length and data[5] in (2, 11, 12, 14):
            message = data[HEADER_LENGTH : HEADER_LENGTH + 4 + int.from_bytes(data[6:9], "big")]
            if len(message) < length:
                data = data[:3] + len(message).to_bytes(2, "big") + message + data[HEADER_LENGTH + length :]
        return super().feed(data)


class NeedsWholeHeaders(OurEndpoint):
    """Takes a segment of less than a record's header for garbage."""

    def feed(self, data: bytes) -> Reaction:
        return Reaction(closed=True) if 0 < len(data) < HEADER_LENGTH else super().feed(data)


class RefusesOneStepLater(OurEndpoint):
    """Reads on before it says what was wrong, as Go's client does with certificates: that is late, and no failure."""

    _held: Reaction | None = None

    def feed(self, data: bytes) -> Reaction:
        if self._held is not None:
            return self._held
        reaction = super().feed(data)
        if (
            reaction.closed and reaction.data[:1] == b"\x15" and reaction.data[5:6] == b"\x02"
        ):  # a fatal alert, in the clear
            self._held = reaction
            return Reaction()
        return reaction


class Made(OurTarget):
    def __init__(self, kind: type[OurEndpoint]) -> None:
        super().__init__()
        self._kind = kind

    def connect(self, role: str, setup: Setup) -> Endpoint:
        make = make_client if role == "tls12.client" else make_server
        return self._kind(make(setup=setup))


@pytest.mark.parametrize(
    ("kind", "role", "way"),
    [
        (ForgetsTheRest, CLIENT, Delivery(joined=True, merged=True)),
        (NeedsWholeHeaders, CLIENT, Delivery(cuts=(1,))),
        (NeedsWholeHeaders, SERVER, Delivery(cuts=(1,))),
    ],
)  # fmt: skip
def test_a_fault_that_only_the_way_of_travelling_shows_is_found_shrunk_and_replayed(
    kind: type[OurEndpoint], role: Role, way: Delivery
) -> None:
    target = Made(kind)
    runner = Runner(target, role, MAIN, 0)
    for word in [word for word in quick(role, MAIN) if word.symbol.is_sound][:40]:
        assert runner.run(word).problem is None
    found, _ = searched(target, role, 200)
    assert found is not None
    word, problem = found
    assert problem.grade.is_failure
    assert [one for one in word.deliveries if one != Delivery()] == [way]
    assert all(symbol.is_sound for symbol in word.inputs)
    assert len(word.inputs) <= 3
    finding = confirm(Runner(target, role, MAIN, 1), word, problem)
    assert finding.seen == (3, 3)
    assert finding.word == word.text
    again = word_of(finding, role, runner)
    assert isinstance(again, Word)
    assert (again.inputs, again.deliveries) == (word.inputs, word.deliveries)
    repeated = runner.run(again).problem
    assert repeated is not None
    assert (repeated.check, repeated.grade) == (problem.check, problem.grade)


def test_a_target_that_refuses_one_step_later_however_it_comes_is_no_failure() -> None:
    assert searched(Made(RefusesOneStepLater), CLIENT, 60)[0] is None


def test_an_audit_runs_schedules_in_each_setup_and_reports_what_they_find(monkeypatch: pytest.MonkeyPatch) -> None:
    from shakeproof.properties import task_run, tasks

    monkeypatch.setattr(task_run, "find_target", lambda *_, **__: Made(NeedsWholeHeaders))
    monkeypatch.setattr(tasks, "quick", lambda *_: ())
    task = Task("shakeproof", "", "tls12.server", Setup("ecdhe", "rsa", "gcm"), 0)
    partial = run_task(task, time.monotonic() + FOREVER_S, lambda _: None)
    grades = {finding.grade for finding in partial.findings}
    assert grades
    assert grades <= {Grade.REFUSED_VALID, Grade.HANG}
    assert 0 < len(partial.findings) <= task_run.SCHEDULES_FOUND_MOST
    assert all(any("cut at" in text for text in finding.word) for finding in partial.findings)
    assert partial.words > 20


def test_drawn_schedules_have_every_way_to_travel_and_combined_defects() -> None:
    there = reference(CLIENT, MAIN)
    words: list[Word] = []

    @settings(max_examples=300, phases=(Phase.generate,), database=None, derandomize=True, deadline=None)
    @given(schedules(there))
    def draw(word: Word) -> None:
        words.append(word)

    draw()
    assert Certificate.symbol(expired, wrong_name) in combined(there)
    wanted: dict[str, Callable[[Word], bool]] = {
        "merged": lambda word: any(way.merged for way in word.deliveries),
        "joined": lambda word: any(way.joined and not way.merged for way in word.deliveries),
        "fragmented": lambda word: any(way.fragment for way in word.deliveries),
        "cut": lambda word: any(way.cuts for way in word.deliveries),
        "combined": lambda word: any(len(symbol.defects) == 2 for symbol in word.inputs),
        "a defect in pieces": lambda word: any(
            way.fragment and one.defects for one, way in zip(word.inputs, word.deliveries, strict=True)
        ),
    }
    for name, holds in wanted.items():
        assert any(map(holds, words)), name
    for word in words:
        assert len(word.inputs) == len(word.deliveries)
        assert not word.deliveries[0].joined


def test_the_text_of_a_word_says_how_it_travels_and_is_read_back() -> None:
    ways = (Delivery(fragment=3, cuts=(1, 7)), Delivery(joined=True), Delivery(5, True, True), Delivery())
    symbols = reference(CLIENT, MAIN).alphabet[:4]
    here = next(iter(reference(CLIENT, MAIN).places))
    word = Word((), here, symbols[0], suffix=symbols[1:], deliveries=ways)
    assert delivered(word.text) == (tuple(symbol.text for symbol in symbols), ways)
    assert [len(flight) for flight in flights(word)] == [3, 1]
    plain = tuple(symbol.text for symbol in symbols)
    assert delivered(plain) == (plain, ())


def test_records_are_merged_only_where_both_are_handshake_messages_in_the_clear() -> None:
    one, other = (bytes.fromhex(text) for text in ("16030300040e000000", "16030300051400000161"))
    (both,) = merged(one, other)
    assert both == bytes.fromhex("16030300090e0000001400000161")
    alert, sealed = bytes.fromhex("15030300020250"), bytes.fromhex("1603030006ffffffffffff")
    for second in (alert, sealed, one + other):
        assert merged(one, second) == (one, second)
    assert cut(b"abcdef", (2, 9, 2, 4)) == [b"ab", b"cd", b"ef"]
    ways = [Delivery(cuts=(6,)), Delivery(joined=True, merged=True), Delivery(joined=True), Delivery()]
    assert writes([one, other, alert, alert], ways) == [both[:6], both[6:] + alert, alert]
    assert Counter(map(len, writes([one], [Delivery()]))) == {len(one): 1}


def test_search_reads_no_constants_of_modules_and_so_leaves_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def constants() -> Constants:
        read.append("modules")  # what Hypothesis finds there, it keeps in a folder of the user's
        return Constants()

    monkeypatch.setattr(providers, "_get_local_constants", constants)
    found, outcomes = searched(OurTarget(), SERVER, 40)
    assert found is None
    assert outcomes
    assert not read
    assert providers.HypothesisProvider(None)._local_constants is not None
    assert read, "elsewhere it reads them"
