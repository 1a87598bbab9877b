"""Handshakes of other forms: abbreviated, renegotiated, with a client's certificate; and codecs held against ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import protection as ours
from shakeproof.impl.tls.finite_field import named_group
from shakeproof.model import messages as m
from shakeproof.model.facts import Value
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.mapper import finite_field
from shakeproof.properties.mapper.encrypt_then_mac import EncryptThenMac
from shakeproof.properties.mapper.hypotheses import HYPOTHESES
from shakeproof.properties.mapper.tls12 import Keys, Peer
from tests.properties.mapper_pairs import (
    BY_ID,
    BY_TICKET,
    DHE,
    ETM,
    IDENTIFIED,
    SPECIAL_SETUPS,
    Pair,
    Setup,
    abbreviated_handshake,
    full_handshake,
    handshake_of,
)

RECORD = (23, 0x0303, 5)
FULL = (DHE, ETM, IDENTIFIED)


def at(setup: Setup, message: Message) -> Pair:
    """A pair whose client is about to say that message."""
    pair = Pair(setup)
    pair.advance([(side, said.message) for side, said in full_handshake(setup)].index(("client", message)))
    return pair


@pytest.mark.parametrize("setup", SPECIAL_SETUPS, ids=str)
def test_handshakes_of_any_form_follow_one_another_under_the_keys_of_the_last(setup: Setup) -> None:
    pair = Pair(setup)
    forms = [full_handshake, abbreviated_handshake, full_handshake] if setup.session else [full_handshake] * 3
    for form in forms:
        for side, symbol in form(setup):
            assert [item.symbol for item in pair.say(side, symbol)] == [symbol]
        masters = {peer.context.master(Keys.HONEST) for peer in pair.peers.values()}
        assert len(masters) == 1
    data = m.ApplicationData.symbol()
    assert [item.symbol for item in pair.say("client", data)] == [data]


@pytest.mark.parametrize("setup", [BY_ID, BY_TICKET], ids=str)
def test_an_abbreviated_handshake_has_the_sessions_secret_and_keys_of_its_own(setup: Setup) -> None:
    pair = Pair(setup)
    pair.advance(len(abbreviated_handshake(setup)))
    client = pair.peers["client"].context
    assert pair.session is not None
    assert client.master(Keys.HONEST) == pair.session.master_secret
    assert pair.peers["client"].key_log


@pytest.mark.parametrize("setup", [BY_ID, BY_TICKET], ids=str)
def test_an_early_change_cipher_spec_is_in_doubt_only_before_a_session_is_resumed(setup: Setup) -> None:
    pair = Pair(setup)
    pair.advance(1)
    assert pair.peers["server"].hypotheses(m.ChangeCipherSpec.symbol()) == HYPOTHESES
    pair.say("server", handshake_of(setup)[1][1])
    assert len(pair.peers["server"].hypotheses(m.ChangeCipherSpec.symbol())) == 2


@pytest.mark.parametrize("setup", SPECIAL_SETUPS, ids=str)
@pytest.mark.parametrize("extra", [m.ClientHello.symbol(), m.ClientHello.symbol(m.renegotiation_claimed)], ids=str)
def test_a_second_hello_that_was_ignored_leaves_no_trace(setup: Setup, extra: Symbol) -> None:
    pair = Pair(setup)
    pair.advance(len(handshake_of(setup)) - 4)
    client = pair.peers["client"]
    before = dict(client.context.__dict__)
    pair.peers["server"].classify(client.concretise(extra, counts=False))
    after = dict(client.context.__dict__)
    assert {name for name in before if before[name] != after[name]} <= {"write", "hellos", "_ivs"}
    data = m.ApplicationData.symbol()
    assert [item.symbol for item in pair.say("client", data)] == [data]


def test_what_renegotiates_says_so_and_what_does_not_is_told() -> None:
    pair = Pair(ETM)
    steps = full_handshake(ETM)
    pair.advance(len(steps))
    defective = (
        m.ClientHello.symbol(m.renegotiation_claimed, m.offers_rsa),
        m.ClientHello.symbol(m.signalled_again, m.offers_rsa),
    )
    for symbol in defective:
        assert pair.peers["client"].applicable(symbol) == ""
        assert Peer("client", key_exchange="rsa").applicable(symbol) == (
            "in a first handshake the signal is right" if symbol.has(m.signalled_again) else ""
        )
        assert [item.symbol for item in pair.say("client", symbol)] == [symbol]
    dropped = m.ServerHello.symbol(m.renegotiation_dropped, m.rsa)
    assert [item.symbol for item in pair.say("server", dropped)] == [dropped]


def test_a_proof_is_over_everything_before_it_and_of_the_clients_own_key() -> None:
    for value in m.PROOF.values:
        pair = at(IDENTIFIED, m.CertificateVerify)
        symbol = m.CertificateVerify.symbol(value)
        if value is m.alien_proof:
            pair.peers["client"].context.request = None
            assert pair.peers["client"].applicable(symbol)
            continue
        assert [item.symbol for item in pair.say("client", symbol)] == [symbol]


@pytest.mark.parametrize("defect", [v for v in m.CHAIN.defects if v not in (m.wrong_name, m.no_san)], ids=str)
def test_each_defect_of_a_clients_chain_is_told(defect: Value) -> None:
    pair = at(IDENTIFIED, m.Certificate)
    symbol = m.Certificate.symbol(defect)
    if defect is m.wrong_key_type:
        assert "every kind of key" in pair.peers["client"].applicable(symbol)
        return
    assert [item.symbol for item in pair.say("client", symbol)] == [symbol]


def test_padding_means_nothing_under_encrypt_then_mac() -> None:
    pair = Pair(ETM)
    pair.advance(len(full_handshake(ETM)))
    assert "covered by the MAC" in pair.peers["client"].applicable(m.Record.symbol(m.bad_padding))


# ------------------------------------------------------------------------------------------------- codecs, twice


@given(plaintext=st.binary(max_size=100), sequence=st.integers(0, 2**40))
def test_encrypt_then_mac_opens_what_ours_seals_and_the_reverse(plaintext: bytes, sequence: int) -> None:
    keys = bytes(range(16)), bytes(range(32))
    one, other = EncryptThenMac(*keys, "sha256"), ours.EncryptThenMacProtection(*keys, "sha256")
    for sealing, opening in ((one, other), (other, one)):
        sealed = sealing.seal(23, 0x0303, sequence, plaintext)
        assert opening.open(23, 0x0303, sequence, sealed) == plaintext


@pytest.mark.parametrize("at", [0, 15, 16, 40, -1])
def test_encrypt_then_mac_refuses_what_was_altered(at: int) -> None:
    protection = EncryptThenMac(bytes(16), bytes(20))
    sealed = bytearray(protection.seal(*RECORD, b"data"))
    sealed[at] ^= 1
    for bad in (bytes(sealed), bytes(sealed[:20]), b""):
        with pytest.raises(RemoteProtocolError):
            protection.open(*RECORD, bad)


@pytest.mark.parametrize("code", list(finite_field.NAMES))
def test_the_groups_are_primes_and_both_sides_agree_in_them(code: int) -> None:
    prime = finite_field.prime_of(code)
    assert named_group(prime, finite_field.GENERATOR) == code
    shares = [finite_field.share_of(prime, 2, is_client) for is_client in (True, False)]
    assert finite_field.secret(prime, shares[1], True) == finite_field.secret(prime, shares[0], False)
    assert not finite_field.is_flawed(prime, shares[0])
    assert all(finite_field.is_flawed(prime, share) for share in (0, 1, prime - 1, prime))
