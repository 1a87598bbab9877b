"""Each named property: what trips it, and what does not."""

from __future__ import annotations

import pytest

from shakeproof.impl.tls.suites import TLS_RSA_WITH_AES_128_CBC_SHA, TLS_RSA_WITH_AES_128_GCM_SHA256
from shakeproof.model.messages import (
    ApplicationData,
    Certificate,
    ChangeCipherSpec,
    Finished,
    ServerKeyExchange,
    expired,
    forged_signature,
    mismatch,
)
from shakeproof.model.notation import Symbol
from shakeproof.properties import safety
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.safety import Ledger, PropertyViolation


def saw(symbol: Symbol, keys: Keys = Keys.HONEST) -> Observation:
    return Observation(symbol, b"", b"", keys=keys)


def pair(**both: object) -> tuple[Ledger, Ledger]:
    ledgers = Ledger("client"), Ledger("server")
    for ledger in ledgers:
        for name, value in both.items():
            setattr(ledger, name, value)
    return ledgers


def agreeing() -> tuple[Ledger, Ledger]:
    return pair(
        finished=True,
        key_log=["CLIENT_RANDOM 00 11"],
        suite=TLS_RSA_WITH_AES_128_CBC_SHA,
        transcript=(b"hello", b"finished"),
    )


@pytest.mark.parametrize(
    ("got", "ended", "holds"),
    [
        (b"", False, True),
        (b"abc", False, True),
        (b"abcdef", True, True),
        (b"abcabc", False, False),
        (b"abd", False, False),
        (b"abcdefg", False, False),
        (b"abc", True, False),
    ],
)
def test_data_is_intact_only_as_a_beginning_and_whole_after_close_notify(got: bytes, ended: bool, holds: bool) -> None:
    sender, receiver = Ledger("client", written=bytearray(b"abcdef")), Ledger("server", ended=ended)
    receiver.accepted += got
    if holds:
        safety.check_intact(receiver, sender)
        return
    with pytest.raises(safety.NotIntact) as caught:
        safety.check_intact(receiver, sender)
    assert caught.value.property == safety.DATA_INTACT


@pytest.mark.parametrize(
    ("heard", "holds"),
    [
        ([Certificate.symbol(), ServerKeyExchange.symbol(), Finished.symbol()], True),
        ([Certificate.symbol(), Finished.symbol()], True),
        ([], False),
        ([Certificate.symbol()], False),
        ([Certificate.symbol(expired), Finished.symbol()], False),
        ([Certificate.symbol(), ServerKeyExchange.symbol(forged_signature), Finished.symbol()], False),
        ([Certificate.symbol(), Finished.symbol(mismatch)], False),
    ],
)
def test_application_data_needs_an_authenticated_server(heard: list[Symbol], holds: bool) -> None:
    client = Ledger("client", heard=heard)
    safety.check_authenticated(client, [saw(ChangeCipherSpec.symbol())])
    if holds:
        safety.check_authenticated(client, [saw(ApplicationData.symbol())])
        return
    with pytest.raises(safety.NotAuthenticated):
        safety.check_authenticated(client, [saw(ApplicationData.symbol())])


def test_plaintext_after_change_cipher_spec_is_found() -> None:
    ledger = Ledger("server")
    safety.check_nothing_in_the_clear(ledger, [saw(Certificate.symbol(), Keys.NONE)])
    safety.check_nothing_in_the_clear(ledger, [saw(ChangeCipherSpec.symbol(), Keys.NONE), saw(Finished.symbol())])
    with pytest.raises(safety.InTheClear):
        safety.check_nothing_in_the_clear(ledger, [saw(ApplicationData.symbol(), Keys.NONE)])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key_log", ["CLIENT_RANDOM 00 22"]),
        ("suite", TLS_RSA_WITH_AES_128_GCM_SHA256),
        ("transcript", (b"hello", b"another")),
    ],
)
def test_two_finished_sides_that_differ_do_not_agree(name: str, value: object) -> None:
    client, server = agreeing()
    safety.check_agreement(client, server)
    setattr(server, name, value)
    with pytest.raises(safety.Disagreed):
        safety.check_agreement(client, server)
    client.finished = False
    safety.check_agreement(client, server)


def test_completion_needs_both_handshakes_and_all_data() -> None:
    client, server = agreeing()
    safety.check_completion(client, server)
    client.written += b"a request"
    with pytest.raises(safety.Incomplete, match="the server got 0 of 9 bytes"):
        safety.check_completion(client, server)
    server.accepted += b"a request"
    safety.check_completion(client, server)
    server.finished = False
    with pytest.raises(safety.Incomplete, match="did not finish"):
        safety.check_completion(client, server)


def test_violation_says_property_text_clause_and_sentence() -> None:
    violation = PropertyViolation("what came", property="agreement", clause="RFC 5246 section 1", sentence="It holds.")
    assert str(violation) == "agreement: what came\nRFC 5246 section 1: It holds."
    assert isinstance(violation, AssertionError)


def test_every_property_has_a_sentence() -> None:
    assert len(safety.PROPERTIES) == 16
    assert all(sentence and sentence[0].islower() for sentence in safety.PROPERTIES.values())
