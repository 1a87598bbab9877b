"""The input before a refused one that makes the difference: what a finding says of it, and what it rests on."""

from __future__ import annotations

import pytest

from shakeproof.model.messages import ApplicationData, Record, zero_length
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.properties.confirmation import confirm
from shakeproof.properties.conformance import Runner
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.suites import Delivery, Word, quick
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup
from shakeproof.properties.targets.ours import OurEndpoint, OurTarget, make_client
from shakeproof.reports.chart import chart_lines

CLIENT = ROLES["tls12.client"]
PLAIN = Setup("rsa", "rsa", "cbc")
AGAIN = Setup("rsa", "rsa", "cbc", renegotiation=True)
EMPTY = Record.symbol(zero_length)
HANDSHAKE, DATA = b"\x16", b"\x17"


class RefusesBehindData(OurEndpoint):
    """Takes application data before the ServerHello of a renegotiation, and refuses the ServerHello then."""

    _spoke, _poisoned, _keyed = False, False, False

    def feed(self, data: bytes) -> Reaction:
        if self._poisoned and data[:1] == HANDSHAKE:
            return Reaction(closed=True)
        self._poisoned = self._keyed and self._spoke and data[:1] == DATA
        self._keyed = self._keyed or data[:1] == b"\x14"
        reaction = super().feed(data)
        self._spoke = reaction.data[:1] == HANDSHAKE
        return reaction


class RefusesEvery(OurEndpoint):
    """Refuses the ServerHello of every renegotiation."""

    _renegotiates, _keyed = False, False

    def feed(self, data: bytes) -> Reaction:
        if self._renegotiates and data[:1] == HANDSHAKE:
            return Reaction(closed=True)
        self._keyed = self._keyed or data[:1] == b"\x14"
        reaction = super().feed(data)
        self._renegotiates = self._renegotiates or (self._keyed and reaction.data[:1] == HANDSHAKE)
        return reaction


class Made(OurTarget):
    def __init__(self, kind: type[OurEndpoint]) -> None:
        super().__init__()
        self._kind = kind

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return self._kind(make_client(setup=setup))


def word_with(symbol: Symbol) -> Word:
    """The shortest word in which the symbol comes before the ServerHello of a renegotiation."""
    return next(
        word
        for word in quick(CLIENT, AGAIN, (PLAIN,))
        if (word.configuration.state.name, word.symbol) == ("WAIT_SERVER_HELLO", symbol)
    )


def found(word: Word, kind: type[OurEndpoint]) -> Finding:
    runner = Runner(Made(kind), CLIENT, AGAIN, 1)
    problem = runner.run(word).problem
    assert problem is not None
    assert problem.grade is Grade.REFUSED_VALID
    finding = confirm(runner, word, problem)
    assert finding.title.startswith("ServerHello[")
    return finding


@pytest.mark.parametrize(
    ("symbol", "said"),
    [
        (EMPTY, "Record[ZERO_LENGTH] (an application data record with nothing in it)"),
        (ApplicationData.symbol(), "ApplicationData"),
    ],
    ids=["empty", "interleaved"],
)
@pytest.mark.parametrize("delivered", [False, True], ids=["of the suite", "drawn"])
def test_a_refusal_of_what_follows_a_legal_input_rests_on_the_clause_of_that_input(
    symbol: Symbol, said: str, delivered: bool
) -> None:
    word = word_with(symbol)
    if delivered:
        whole = found(word, RefusesBehindData)
        inputs = (*word.inputs, next(one for one in CLIENT.symbols if one.text == whole.input))
        word = Word((), word.configuration, inputs[0], suffix=inputs[1:], deliveries=(Delivery(),) * len(inputs))
    finding = found(word, RefusesBehindData)
    assert finding.title.endswith(f": refused a legal input, after {said} in a renegotiation")
    assert finding.clause == "RFC 5246 section 6.2.1"
    assert finding.sentence.startswith("Recipients MUST receive and process interleaved application layer traffic")
    assert finding.expected.startswith("WAIT_CERTIFICATE, ")
    step = next(step for step in finding.trace.steps if "without it, it is taken" in step.note)
    assert step.message == symbol.message.name
    assert ("Zero-length fragments" in step.note) == (symbol == EMPTY)
    assert "interleaved" in step.note


def test_a_record_that_is_remarkable_says_in_chart_and_step_what_it_is() -> None:
    finding = found(word_with(EMPTY), RefusesBehindData)
    assert any("Record[ZERO_LENGTH]" in line for line in chart_lines(finding.trace))
    step = next(step for step in finding.trace.steps if step.message == "Record")
    assert step.detail == "an application data record with nothing in it"


def test_a_refusal_that_comes_without_the_input_before_it_as_well_rests_on_its_own_clause() -> None:
    finding = found(word_with(EMPTY), RefusesEvery)
    assert finding.title.endswith(": refused a legal input")
    assert finding.clause == "RFC 5246 section 7.3"
