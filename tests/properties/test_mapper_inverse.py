"""classify is the inverse of concretise, on what the receiving side can tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.model import messages as m
from shakeproof.model.facts import Fact, Value
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.mapper import limits
from shakeproof.properties.mapper.hypotheses import HYPOTHESES, KeyHypothesis
from tests.properties.mapper_pairs import ALL_SETUPS, ALPHABET, SETUPS, SPECIAL_SETUPS, Pair, Setup, handshake_of

STAGES = 16


@st.composite
def bits(draw: st.DrawFn, fact: Fact) -> int:
    """One value, or any set of defects of a fact that has many."""
    if not fact.many:
        return draw(st.sampled_from(fact.values)).bit
    return sum(value.bit for value in draw(st.sets(st.sampled_from(fact.defects)))) or fact.default.bit


@st.composite
def symbols(draw: st.DrawFn) -> Symbol:
    message: Message = draw(st.sampled_from(m.TLS12_MESSAGES))
    return Symbol(message, tuple((fact.name, draw(bits(fact))) for fact in message.facts))


@given(
    setup=st.sampled_from(ALL_SETUPS),
    stage=st.integers(0, STAGES),
    side=st.sampled_from(("client", "server")),
    symbol=symbols(),
    fragment=st.none() | st.integers(1, 300),
    cut=st.floats(0, 1),
)
def test_any_symbol_in_any_state_reads_back_as_far_as_it_can_be_told(
    setup: Setup, stage: int, side: str, symbol: Symbol, fragment: int | None, cut: float
) -> None:
    pair = Pair(setup)
    pair.advance(stage)
    sender, receiver = pair.peers[side], pair.other(side)
    meaningless = sender.applicable(symbol)
    expected = limits.observable(receiver.context, symbol)
    data = sender.concretise(symbol, fragment=fragment)
    where = int(cut * len(data))
    seen = receiver.classify(data[:where]) + receiver.classify(data[where:])
    assert receiver.pending == 0
    assert b"".join(item.data for item in seen) == data
    if meaningless:
        return
    if fragment is not None and symbol.message in (m.Alert, m.ApplicationData):
        return  # these are not reassembled: each record is one
    assert [item.symbol for item in seen] == [expected]


def test_a_key_of_another_kind_is_not_taken_for_a_wrong_usage_before_there_is_a_suite() -> None:
    pair = Pair(Setup("rsa", "rsa", "gcm"))
    (seen,) = pair.peers["client"].classify(pair.peers["server"].concretise(m.Certificate.symbol(m.wrong_key_type)))
    assert seen.symbol == m.Certificate.symbol()


@pytest.mark.parametrize(
    "setup", [*SETUPS, *(pytest.param(setup, marks=pytest.mark.slow) for setup in SPECIAL_SETUPS)], ids=str
)
def test_every_symbol_reads_back_where_its_sender_may_say_it(setup: Setup) -> None:
    told: set[Symbol] = set()
    for symbol in ALPHABET:
        for stage, (side, honest) in enumerate(handshake_of(setup)):
            if honest.message is not symbol.message:
                continue
            pair = Pair(setup)
            pair.advance(stage)
            if pair.peers[side].applicable(symbol):
                continue
            expected = limits.observable(pair.other(side).context, symbol)
            assert [item.symbol for item in pair.say(side, symbol)] == [expected]
            told.add(symbol)
    assert len(told) > 200


@pytest.mark.parametrize("setup", ALL_SETUPS, ids=str)
@pytest.mark.parametrize("side", ["client", "server"])
@pytest.mark.parametrize("value", m.RECORD.values, ids=lambda value: value.name)
def test_every_remarkable_record_reads_back_in_every_state(setup: Setup, side: str, value: Value) -> None:
    told = 0
    for stage in range(STAGES + 1):
        pair = Pair(setup)
        pair.advance(stage)
        symbol = m.Record.symbol(value)
        if pair.peers[side].applicable(symbol):
            continue
        assert [item.symbol for item in pair.say(side, symbol)] == [symbol]
        told += 1
    padded = setup.bulk == "cbc" and not setup.encrypt_then_mac
    assert told or (value is m.bad_padding and not padded)


@pytest.mark.parametrize("setup", ALL_SETUPS, ids=str)
@pytest.mark.parametrize("side", ["client", "server"])
def test_a_record_that_comes_again_is_told_from_a_forged_one_and_takes_no_number(setup: Setup, side: str) -> None:
    pair = Pair(setup)
    pair.advance(len(handshake_of(setup)) - 2)
    sender, receiver = pair.peers[side], pair.other(side)
    data, again, older = m.ApplicationData.symbol(), m.Record.symbol(m.replayed), m.Record.symbol(m.stale)
    first, last = sender.concretise(data), sender.concretise(data)
    assert [item.symbol for item in receiver.classify(first + last)] == [data, data]
    assert sender.concretise(again) == last
    assert sender.concretise(older) == first
    assert [item.symbol for item in receiver.classify(last + first)] == [again, older]
    assert (sender.repeats(last), sender.repeats(first + last), sender.repeats(b"\x17\x03\x03\0\1x")) == (
        again,
        older,
        None,
    )
    assert [item.symbol for item in pair.say(side, data)] == [data]
    for record in (last, first):
        (seen,) = receiver.classify(record[:-1] + bytes((record[-1] ^ 1,)))
        assert not {m.replayed, m.stale} & set(seen.symbol.defects)


@given(
    setup=st.sampled_from(ALL_SETUPS),
    side=st.sampled_from(("client", "server")),
    word=st.lists(st.sampled_from(ALPHABET), max_size=8),
    hypotheses=st.lists(st.none() | st.sampled_from(HYPOTHESES), min_size=8, max_size=8),
    assumed=st.sampled_from(HYPOTHESES),
)
def test_nothing_that_is_asked_for_in_any_order_is_too_much(
    setup: Setup, side: str, word: list[Symbol], hypotheses: list[KeyHypothesis | None], assumed: KeyHypothesis
) -> None:
    pair = Pair(setup)
    receiver = pair.other(side)
    pair.peers[side].assume(assumed)
    for symbol, keys in zip(word, hypotheses, strict=False):
        data = pair.peers[side].concretise(symbol, keys=keys)
        assert receiver.classify(data)
        if len(word) > 3:
            pair.peers[side].retract()


@given(st.data())
def test_any_bytes_in_any_state_are_classified(data: st.DataObject) -> None:
    pair = Pair(data.draw(st.sampled_from(ALL_SETUPS)))
    pair.advance(data.draw(st.integers(0, STAGES)))
    for peer in pair.peers.values():
        for chunk in data.draw(st.lists(st.binary(max_size=80), max_size=4)):
            for item in peer.classify(chunk):
                assert item.symbol.message in m.TLS12_MESSAGES
                assert item.detail.isprintable()


@given(
    setup=st.sampled_from(ALL_SETUPS),
    stage=st.integers(0, STAGES - 2),
    position=st.integers(0, 2000),
    flip=st.integers(1, 255),
)
def test_an_altered_flight_is_classified(setup: Setup, stage: int, position: int, flip: int) -> None:
    steps = handshake_of(setup)
    stage = min(stage, len(steps) - 1)
    pair = Pair(setup)
    pair.advance(stage)
    side, symbol = steps[stage]
    data = bytearray(pair.peers[side].concretise(symbol))
    data[position % len(data)] ^= flip
    for item in pair.other(side).classify(bytes(data)):
        assert item.symbol.message in m.TLS12_MESSAGES
