"""The scripted peer itself: keys that are shared by accident, what it takes back, what it offers and says."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from shakeproof.impl.tls import keys as schedule
from shakeproof.impl.tls.messages import ServerHello
from shakeproof.impl.tls.suites import (
    SUITES,
    TLS_RSA_WITH_AES_128_CBC_SHA,
    TLS_RSA_WITH_AES_128_GCM_SHA256,
    KeyExchange,
)
from shakeproof.model import messages as m
from shakeproof.model.notation import Symbol
from shakeproof.properties.mapper import registry, stock
from shakeproof.properties.mapper.certificates import chain
from shakeproof.properties.mapper.hypotheses import HYPOTHESES, WEAK_KEYS
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.properties.mapper.limits import chosen_values
from shakeproof.properties.mapper.tls12 import HONEST_KEYS, KeyHypothesis, Keys, Peer
from tests.properties.mapper_pairs import SETUPS, Pair, Setup, handshake_of

ECDHE, ECDHE_CBC, ECDSA, RSA, RSA_CBC = SETUPS


def stage_of(setup: Setup, side: str, message: object) -> int:
    """The step at which that side says that message."""
    return next(i for i, (who, said) in enumerate(handshake_of(setup)) if who == side and said.message is message)


# ----------------------------------------------------------------------------------------------- keys by accident


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_records_after_an_early_change_cipher_spec_are_under_an_empty_master_secret(setup: Setup) -> None:
    pair = Pair(setup)
    pair.advance(stage_of(setup, "client", m.ClientKeyExchange))
    pair.say("client", m.ChangeCipherSpec.symbol())
    seen = pair.say("client", m.ClientKeyExchange.symbol())
    assert [(item.symbol, item.keys) for item in seen] == [(m.ClientKeyExchange.symbol(), Keys.EMPTY_MASTER)]
    # Finished is of the real secret meanwhile, and its record still of the empty one: what that stack did.
    seen = pair.say("client", m.Finished.symbol())
    assert seen[0].symbol == m.Finished.symbol()
    assert (seen[0].keys, seen[0].finished) == (Keys.EMPTY_MASTER, Keys.HONEST)


@pytest.mark.parametrize("keys", [*WEAK_KEYS, Keys.NONE])
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_target_under_weak_record_keys_is_read_and_its_keys_named(setup: Setup, keys: Keys) -> None:
    pair = Pair(setup)
    pair.advance(stage_of(setup, "server", m.ChangeCipherSpec))
    pair.peers["server"].assume(KeyHypothesis(keys, Keys.HONEST))
    pair.say("server", m.ChangeCipherSpec.symbol())
    (seen,) = pair.say("server", m.Finished.symbol())
    assert (seen.symbol, seen.keys, seen.finished) == (m.Finished.symbol(), keys, Keys.HONEST)
    assert seen.protection == keys.label


@pytest.mark.parametrize("keys", WEAK_KEYS)
def test_finished_of_a_weak_secret_is_a_mismatch_unless_that_is_assumed(keys: Keys) -> None:
    weak = KeyHypothesis(Keys.HONEST, keys)
    for assumed, value in ((HONEST_KEYS, m.mismatch), (weak, m.match)):
        pair = Pair(ECDHE)
        pair.advance(stage_of(ECDHE, "server", m.Finished))
        pair.peers["client"].assume(assumed)
        data = pair.peers["server"].concretise(m.Finished.symbol(), keys=weak)
        (seen,) = pair.peers["client"].classify(data)
        assert (seen.symbol, seen.finished) == (m.Finished.symbol(value), keys)


@pytest.mark.parametrize("hypothesis", HYPOTHESES, ids=lambda h: h.text)
def test_what_both_sides_assume_they_share(hypothesis: KeyHypothesis) -> None:
    pair = Pair(RSA)
    for peer in pair.peers.values():
        peer.assume(hypothesis)
    pair.advance(len(handshake_of(RSA)))


def test_assume_after_the_change_switches_the_keys_and_keeps_the_sequence_number() -> None:
    pair = Pair(ECDHE)
    stage = stage_of(ECDHE, "client", m.Finished)
    pair.advance(stage)
    client = pair.peers["client"]
    pair.say("client", m.Alert.symbol(m.warning))
    client.assume(KeyHypothesis(Keys.EMPTY_PRE_MASTER, Keys.HONEST))
    assert client.context.write.sequence == 1
    (seen,) = pair.say("client", m.Finished.symbol())
    assert (seen.symbol, seen.keys) == (m.Finished.symbol(), Keys.EMPTY_PRE_MASTER)


def test_a_repeated_change_cipher_spec_that_was_ignored_leaves_keys_and_sequence_number() -> None:
    pair = Pair(ECDHE)
    pair.advance(stage_of(ECDHE, "client", m.Finished))
    client, server = pair.peers["client"], pair.peers["server"]
    ignored = client.concretise(m.ChangeCipherSpec.symbol())
    client.assume(KeyHypothesis(Keys.UNCHANGED, Keys.HONEST))
    server.classify(ignored)
    (seen,) = pair.say("client", m.Finished.symbol())
    assert (seen.symbol, seen.keys) == (m.Finished.symbol(), Keys.HONEST)
    assert client.context.write.sequence == 2


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_secret_of_zero_bytes_gives_the_keys_of_an_empty_one(setup: Setup) -> None:
    pair = Pair(setup)
    pair.advance(8)
    context = pair.peers["client"].context
    randoms = context.client_random, context.server_random
    zeros = bytes(schedule.MASTER_SECRET_LENGTH)
    assert schedule.key_block(zeros, *randoms, context.suite) == schedule.key_block(b"", *randoms, context.suite)
    assert schedule.master_secret(zeros, *randoms) == schedule.master_secret(b"", *randoms)
    assert context.master(Keys.EMPTY_MASTER) == b""


def test_hypotheses_are_honest_first_and_many_only_where_keys_are_in_doubt() -> None:
    pair = Pair(RSA)
    pair.advance(4)
    client = pair.peers["client"]
    for symbol in (m.ChangeCipherSpec.symbol(), m.Finished.symbol(), m.ClientKeyExchange.symbol(m.broken_secret)):
        found = client.hypotheses(symbol)
        assert found[0] == HONEST_KEYS
        assert len(found) > 2
    assert client.hypotheses(m.ApplicationData.symbol()) == (HONEST_KEYS,)
    assert client.hypotheses(m.ClientKeyExchange.symbol()) == (HONEST_KEYS,)


# ---------------------------------------------------------------------------------------------------- taking back


@pytest.mark.parametrize("setup", SETUPS, ids=str)
@pytest.mark.parametrize(
    ("side", "before", "ignored"),
    [
        ("client", m.ClientKeyExchange, m.ChangeCipherSpec.symbol()),
        ("client", m.ClientKeyExchange, m.Finished.symbol()),
        ("client", m.ClientKeyExchange, m.ClientHello.symbol()),
        ("client", m.ChangeCipherSpec, m.ClientKeyExchange.symbol(m.broken_secret)),
        ("server", m.ServerHelloDone, m.UnknownHandshake.symbol()),
        ("server", m.ServerHelloDone, m.Certificate.symbol(m.untrusted)),
        ("server", m.ServerHelloDone, m.ServerHello.symbol(m.alien_suite)),
        ("server", m.ChangeCipherSpec, m.ChangeCipherSpec.symbol(m.not_one)),
    ],
)
def test_a_message_that_was_ignored_leaves_no_trace(setup: Setup, side: str, before: object, ignored: Symbol) -> None:
    steps = handshake_of(setup)
    for take_back in ("retract", "counts"):
        pair = Pair(setup)
        stage = stage_of(setup, side, before)
        pair.advance(stage)
        peer = pair.peers[side]
        if take_back == "retract":
            peer.concretise(ignored)
            peer.retract()
        else:
            peer.concretise(ignored, counts=False)
        for who, symbol in steps[stage:]:
            if (who, symbol.message) == (side, m.ApplicationData):
                break
            assert [item.symbol for item in pair.say(who, symbol)] == [symbol]


def test_an_ignored_record_still_counts_in_the_sequence() -> None:
    pair = Pair(ECDHE)
    pair.advance(stage_of(ECDHE, "client", m.ApplicationData))
    client, server = pair.peers["client"], pair.peers["server"]
    server.classify(client.concretise(m.UnknownHandshake.symbol(), counts=False))
    (seen,) = pair.say("client", m.ApplicationData.symbol())
    assert (seen.symbol, seen.keys) == (m.ApplicationData.symbol(), Keys.HONEST)


def test_keys_that_changed_although_the_message_was_ignored() -> None:
    pair = Pair(RSA)
    pair.advance(stage_of(RSA, "client", m.ClientKeyExchange))
    client, server = pair.peers["client"], pair.peers["server"]
    server.classify(client.concretise(m.ChangeCipherSpec.symbol(), counts=False))
    client.assume(KeyHypothesis(Keys.EMPTY_MASTER, Keys.HONEST))
    for symbol in (m.ClientKeyExchange.symbol(), m.ChangeCipherSpec.symbol(), m.Finished.symbol()):
        (seen,) = pair.say("client", symbol)
        assert (seen.symbol, seen.keys) == (symbol, Keys.EMPTY_MASTER)


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_second_handshake_runs_on_the_first_ones_keys(setup: Setup) -> None:
    pair = Pair(setup)
    steps = handshake_of(setup)[:-4]
    for _ in range(3):
        for side, symbol in steps:
            assert [item.symbol for item in pair.say(side, symbol)] == [symbol]
    client = pair.peers["client"].context
    assert client.client_hello is not None
    assert client.client_hello.extension(0xFF01) is not None
    assert len(client.client_verify_data) == 12


# ------------------------------------------------------------------------------------------- stand-ins and defects


def test_an_rsa_server_key_exchange_carries_a_key_that_the_tester_holds() -> None:
    pair = Pair(RSA)
    pair.advance(3)
    (seen,) = pair.say("server", m.ServerKeyExchange.symbol())
    assert seen.symbol == m.ServerKeyExchange.symbol()
    assert seen.detail.startswith("RSA parameters")
    server = pair.peers["server"]
    secret = b"\3\3" + bytes(46)
    body = stock.encrypt_block(stock.temporary_rsa_key().public_key(), secret, 2)
    message = b"\x10" + (len(body) + 2).to_bytes(3, "big") + len(body).to_bytes(2, "big") + body
    (answer,) = server.classify(b"\x16\3\3" + len(message).to_bytes(2, "big") + message)
    assert answer.symbol == m.ClientKeyExchange.symbol()
    assert server.context.pre_master == secret


def test_a_client_that_misses_server_key_exchange_may_use_the_certificates_key() -> None:
    pair = Pair(ECDSA)
    pair.advance(3)
    pair.say("server", m.ServerHelloDone.symbol())
    (seen,) = pair.say("client", m.ClientKeyExchange.symbol())
    assert seen.symbol == m.ClientKeyExchange.symbol()
    assert pair.peers["client"].context.pre_master == pair.peers["server"].context.pre_master is not None


def test_a_forged_signature_is_well_formed_and_of_the_right_key() -> None:
    pair = Pair(ECDSA)
    pair.advance(3)
    server = pair.peers["server"]
    body = server.concretise(m.ServerKeyExchange.symbol(m.forged_signature))
    key = chain("ecdsa").private_key
    assert stock.sign(key, 0x0403, b"another handshake") in body
    assert key is private_key("ecdsa", Owner.LEAF)


def test_defects_are_computed_from_what_this_client_offers() -> None:
    def answer(**options: object) -> ServerHello:
        client, server = Peer("client", **options), Peer("server")  # type: ignore[arg-type]
        server.classify(client.concretise(m.ClientHello.symbol()))
        server.concretise(m.ServerHello.symbol(m.alien_suite, m.rsa))
        hello = server.context.server_hello
        assert hello is not None
        return hello

    sound = [suite.code for suite in SUITES.values() if suite.key_exchange is KeyExchange.RSA]
    assert answer().cipher_suite in set(sound) - {TLS_RSA_WITH_AES_128_GCM_SHA256.code}
    offered = (TLS_RSA_WITH_AES_128_CBC_SHA,)
    assert answer(suites=offered).cipher_suite != TLS_RSA_WITH_AES_128_CBC_SHA.code


@pytest.mark.parametrize("groups", [(23,), (29,), (23, 29), (23, 29, 24), (23, 29, 24, 25, 26)])
def test_an_alien_group_is_one_in_which_the_tester_can_go_on(groups: tuple[int, ...]) -> None:
    pair = Pair(ECDHE)
    pair.peers["client"] = Peer("client", groups=groups)
    pair.advance(3)
    alien = m.ServerKeyExchange.symbol(m.alien_group)
    assert [item.symbol for item in pair.say("server", alien)] == [alien]
    for side, symbol in handshake_of(ECDHE)[4:]:
        assert [item.symbol for item in pair.say(side, symbol)] == [symbol]
    assert pair.peers["server"].context.group not in groups


@pytest.mark.parametrize("setup", [ECDHE, ECDSA], ids=str)
@pytest.mark.parametrize("left_out", [0x0200, 0x0600, 0x0300, 0x0100])
def test_an_alien_scheme_is_the_one_that_this_client_leaves_out_and_its_signature_is_good(
    setup: Setup, left_out: int
) -> None:
    schemes = tuple(code for code in registry.SCHEME_NAMES if code & 0xFF00 != left_out)
    pair = Pair(setup)
    pair.peers["client"] = Peer("client", certificate_key=setup.certificate_key, schemes=schemes)
    pair.advance(3)
    for alien in (
        m.ServerKeyExchange.symbol(m.alien_scheme),
        m.ServerKeyExchange.symbol(m.alien_scheme, m.forged_signature),
    ):
        assert [item.symbol for item in pair.say("server", alien)] == [alien]


def test_a_client_that_offers_everything_leaves_nothing_to_be_alien() -> None:
    pair = Pair(ECDHE)
    pair.peers["client"] = Peer("client", groups=stock.GROUPS, schemes=tuple(registry.SCHEME_NAMES))
    pair.advance(3)
    server = pair.peers["server"]
    assert "every group" in server.applicable(m.ServerKeyExchange.symbol(m.alien_group))
    assert "every signature algorithm" in server.applicable(m.ServerKeyExchange.symbol(m.alien_scheme))


def test_a_client_without_extensions_leaves_every_group_open_and_gets_sha1() -> None:
    pair = Pair(ECDHE)
    pair.say("client", m.ClientHello.symbol(m.offers_ecdhe, m.bare))
    for _, symbol in handshake_of(ECDHE)[1:3]:
        pair.say("server", symbol)
    server = pair.peers["server"]
    assert "leaves every group open" in server.applicable(m.ServerKeyExchange.symbol(m.alien_group))
    (seen,) = pair.say("server", m.ServerKeyExchange.symbol())
    assert seen.symbol == m.ServerKeyExchange.symbol()
    assert "rsa_pkcs1_sha1" in seen.detail


def test_bad_padding_means_nothing_without_padding() -> None:
    pair = Pair(ECDHE)
    pair.advance(len(handshake_of(ECDHE)))
    assert pair.peers["client"].applicable(m.Record.symbol(m.bad_padding)) == "AES-GCM has no padding"
    assert pair.peers["client"].applicable(m.Record.symbol(m.bad_mac)) == ""
    assert Peer("client").applicable(m.Record.symbol(m.bad_mac)) == "there are no keys yet"


@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_tampered_record_holds_what_would_have_been_right(setup: Setup) -> None:
    pair = Pair(setup)
    pair.advance(stage_of(setup, "client", m.Finished))
    client, server = pair.peers["client"], pair.peers["server"]
    right = server.context.verify_data(Keys.HONEST, True)
    data = client.concretise(m.Record.symbol(m.bad_mac))
    assert client.sent is not None
    assert client.sent.raw[4:] == right
    (seen,) = server.classify(data)
    assert seen.symbol == m.Record.symbol(m.bad_mac)


def test_a_certificate_is_not_judged_without_anchors() -> None:
    pair = Pair(ECDHE)
    pair.advance(2)
    data = pair.peers["server"].concretise(m.Certificate.symbol(m.expired))
    client = Peer("client", anchors=())
    (seen,) = client.classify(data)
    assert seen.symbol.assignment[m.CHAIN.name] == m.CHAIN.mask


def test_the_same_seed_gives_the_same_bytes() -> None:
    def sent(seed: bytes) -> bytes:
        client = Peer("client", bulk="cbc", seed=seed)
        word = (m.ClientHello, m.ClientKeyExchange, m.ChangeCipherSpec, m.Finished, m.ApplicationData)
        return b"".join(client.concretise(message.symbol()) for message in word)

    assert sent(b"1") == sent(b"1")
    assert sent(b"1") != sent(b"2")


def test_chosen_values_are_what_the_honest_hellos_say() -> None:
    assert m.ClientHello.symbol(*(v for v in chosen_values("rsa") if v.fact in m.ClientHello.facts)).has(m.offers_rsa)
    assert m.ecdhe in chosen_values("ecdhe")


def test_an_unknown_role_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'client' or 'server'"):
        Peer("attacker")  # type: ignore[arg-type]


# -------------------------------------------------------------------------------------------------------- the cost


@pytest.mark.slow
@pytest.mark.parametrize("setup", SETUPS, ids=str)
def test_a_handshake_of_one_peer_costs_less_than_its_budget(setup: Setup) -> None:
    """Budget: 1.5 ms of one core, so that an audit of 200 words a second has room for the target."""
    budget_s = 1.5e-3
    steps = handshake_of(setup)

    Pair(setup).advance(len(steps))  # fill the caches
    best = min(_time(lambda: Pair(setup).advance(len(steps))) for _ in range(20))
    assert best / 2 < budget_s  # a pair is two peers


def _time(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
