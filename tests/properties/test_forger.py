"""The attacker of a performed counterexample: it has no key but its own, and says so."""

from __future__ import annotations

import pytest

from shakeproof.impl.tls import ClientConnection
from shakeproof.model.facts import Value
from shakeproof.model.messages import (
    ApplicationData,
    Certificate,
    Record,
    ServerHello,
    ServerKeyExchange,
    bad_mac,
    ecdhe,
    forged_signature,
    full,
    signed,
    trusted,
    wrong_name,
)
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.adversary import SIDES, Side, other
from shakeproof.properties.forger import CannotForgeError, Forger
from shakeproof.properties.mapper.context import KeyExchangeName
from shakeproof.properties.observer import Observer
from shakeproof.properties.party import Application
from shakeproof.properties.performance import DATA, SUITES, End
from shakeproof.properties.targets.base import Setup

ROUNDS = 8
"""Flights each way until both have finished: a handshake has two, whose records go one by one."""


def ends(kind: KeyExchangeName) -> dict[Side, End]:
    application = Application(SUITES[kind], Setup(kind, bulk="cbc"), None)
    return {side: End(side, application, None, b"forger") for side in SIDES}


def let_through(pair: dict[Side, End], forger: Forger) -> None:
    """Everything that the two send passes the attacker, who changes nothing."""
    client = pair["client"]
    under_way = [("client", record) for record, _ in client.begin().records]
    for _ in range(ROUNDS * ROUNDS):
        if not under_way:
            break
        sender, record = under_way.pop(0)
        side: Side = "client" if sender == "client" else "server"
        forger.see(side, record, sealed=record[0] == 23 or pair[side].tls.is_connected)
        turn = pair[other(side)].receive(forger.hand_on(other(side), record))
        under_way += [(other(side), data) for data, _ in turn.records]
    assert all(end.tls.is_connected for end in pair.values())


@pytest.mark.parametrize("kind", ["rsa", "ecdhe"])
def test_forger_between_two_honest_sides_learns_no_key_and_no_data(kind: KeyExchangeName) -> None:
    pair, forger = ends(kind), Forger(kind, (SUITES[kind],))
    let_through(pair, forger)
    for side in SIDES:
        assert pair[side].tls.master_secret
        assert forger.master(side) != pair[side].tls.master_secret
        for record, _ in pair[side].write().records:
            forger.see(side, record, sealed=True)
            pair[other(side)].receive(forger.hand_on(other(side), record))
    assert forger.read == dict.fromkeys(SIDES, b"")
    assert {side: bytes(pair[other(side)].ledger.accepted) for side in SIDES} == DATA


def heard_by_client(forger: Forger, *symbols: Symbol) -> list[Symbol]:
    """What the attacker's messages are to a client that has said hello."""
    client = ends("ecdhe")["client"]
    assert isinstance(client.tls, ClientConnection)
    observer = Observer("client")
    for record, _ in client.begin().records:
        forger.see("client", record, sealed=False)
        observer.said(record)
    return [item.symbol for symbol in symbols for item in observer.heard(forger.forge("client", symbol)[0])]


@pytest.mark.parametrize(("chain", "params"), [(trusted, forged_signature), (wrong_name, signed)])
def test_forger_signs_with_the_key_of_its_own_certificates_alone(chain: Value, params: Value) -> None:
    forger = Forger("ecdhe", (SUITES["ecdhe"],))
    symbols = ServerHello.symbol(ecdhe, full), Certificate.symbol(chain), ServerKeyExchange.symbol(signed)
    _, shown, made = heard_by_client(forger, *symbols)
    assert shown.has(chain)
    assert made.has(params)


def test_forger_says_what_it_can_not_make() -> None:
    forger = Forger("rsa", (SUITES["rsa"],))
    with pytest.raises(CannotForgeError, match="no protected record of the server has been seen"):
        forger.forge("client", Record.symbol(bad_mac))
    with pytest.raises(CannotForgeError, match="is a message of the model alone"):
        forger.forge("server", Message("ClientHello", "what only the model knows").symbol())
    assert forger.forge("client", ApplicationData.symbol())[0]
