"""The attacker's verbs, one by one, on the wire between our client and our server."""

from __future__ import annotations

import pytest

from shakeproof.model import messages as m
from shakeproof.model.trace import Fate
from shakeproof.properties import adversary
from shakeproof.properties.adversary import FORGERIES, VERBS, Side, Unit, Wire
from shakeproof.properties.endpoint_base import SUITE_NAMES
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.properties.party import Party

ECDHE = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
RSA = "TLS_RSA_WITH_AES_128_CBC_SHA"


def opened(suite: str = ECDHE, records: int = 1, rogue: str = "") -> InteractionMachine:
    """A connection on which some records went through: after one, the server's flight is under way."""
    machine = InteractionMachine(rogue)
    machine.configure(suite=suite)
    machine.deliver(to="first", count=records)
    return machine


def names(units: list[Unit]) -> list[str]:
    return [item.symbol.message.name for unit in units for item in unit.seen]


FLIGHT = ["ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"]


def test_wire_carries_records_in_order() -> None:
    wire = opened().wire
    assert names(wire.queues["client"]) == FLIGHT
    assert names(adversary.deliver(wire, "client")) == FLIGHT[:1]
    assert names(wire.queues["client"]) == FLIGHT[1:]
    assert not wire.is_quiet
    assert wire.waiting == ["client"]


def test_drop_loses_one_record() -> None:
    wire = opened().wire
    assert adversary.drop(wire, "client", 2) == []
    assert names(wire.queues["client"]) == ["ServerHello", "Certificate", "ServerHelloDone"]


def test_duplicate_delivers_twice_the_same_bytes() -> None:
    wire = opened().wire
    first, second = adversary.duplicate(wire, "client")
    assert first.data == second.data
    assert (first.fate, second.fate) == (Fate.DELIVERED, Fate.REPLAYED)


def test_reorder_lets_a_later_record_overtake() -> None:
    wire = opened().wire
    assert names(adversary.reorder(wire, "client", 3)) == ["ServerHelloDone"]
    assert names(wire.queues["client"]) == FLIGHT[:3]


def test_replay_takes_any_record_of_any_connection_to_either_side() -> None:
    machine = opened()
    machine.truncate(after=0, to="client", keep=0)
    machine.deliver(to="first", count=1)
    assert machine.wire.connection == 2
    for side in adversary.SIDES:
        (unit,) = adversary.replay(machine.wire, side, 0)
        assert (unit.to, unit.data, unit.connection) == (side, machine.wire.history[0].data, 2)


def test_fragment_gives_the_same_bytes_in_pieces() -> None:
    wire = opened().wire
    whole = wire.queues["client"][0].data
    units = adversary.fragment(wire, "client", 10)
    assert b"".join(unit.data for unit in units) == whole
    assert max(len(unit.data) for unit in units) == 10
    assert [bool(unit.seen) for unit in units] == [False] * (len(units) - 1) + [True]


def test_tamper_flips_one_bit_of_the_contents() -> None:
    wire = opened().wire
    whole = wire.queues["client"][0].data
    (unit,) = adversary.tamper(wire, "client", 1000, 3)
    different = [index for index, (a, b) in enumerate(zip(whole, unit.data, strict=True)) if a != b]
    assert len(different) == 1
    assert different[0] >= 5
    assert whole[different[0]] ^ unit.data[different[0]] == 1 << 3


def test_truncate_keeps_a_beginning_and_ends_the_transport() -> None:
    wire = opened().wire
    whole = wire.queues["client"][0].data
    (unit,) = adversary.truncate(wire, "client", 7)
    assert unit.data == whole[:7]
    assert unit.ends
    assert not wire.queues["client"]


@pytest.mark.parametrize("suite", [RSA, ECDHE])
@pytest.mark.parametrize("side", adversary.SIDES)
def test_nothing_that_is_forged_is_what_an_honest_key_makes(side: Side, suite: str) -> None:
    for message in FORGERIES[side]:
        machine = opened(suite, records=20)
        (unit,) = adversary.forge(machine.wire, side, message.name)
        heard = machine.parties[side].observer.heard(unit.data)
        assert [item.symbol.text for item in heard] == ["Record[BAD_MAC]"], message.name


def test_forged_server_key_exchange_is_not_signed_by_the_server() -> None:
    machine = opened(ECDHE, records=3)
    (unit,) = adversary.forge(machine.wire, "client", "ServerKeyExchange")
    (heard,) = machine.client.observer.heard(unit.data)
    assert heard.symbol == m.ServerKeyExchange.symbol(m.forged_signature)


@pytest.mark.parametrize("suite", SUITE_NAMES)
def test_certificate_defect_puts_the_attacker_in_the_middle(suite: str) -> None:
    machine = InteractionMachine("certificate-unchecked", watched=frozenset({"completion"}))
    machine.configure(suite=suite)
    machine.certificate_defect(defects=("untrusted",))
    machine.deliver(to="client", count=16)
    client: Party = machine.client
    assert client.ledger.finished
    assert m.Certificate.symbol(m.untrusted) in client.ledger.heard
    assert bytes(client.ledger.written).startswith(b"GET ")
    assert not machine.server.ledger.accepted
    assert not machine.server.ledger.finished


def test_certificate_is_due_only_before_the_client_has_it() -> None:
    machine = opened()
    assert adversary.certificate_is_due(machine.wire)
    machine.deliver(to="client", count=2)
    assert not adversary.certificate_is_due(machine.wire)
    assert not adversary.certificate_is_due(Wire())


def test_every_verb_is_listed_with_a_sentence_and_a_kind() -> None:
    assert set(VERBS) == {
        "deliver",
        "fragment",
        "drop",
        "duplicate",
        "reorder",
        "replay",
        "forge",
        "tamper",
        "truncate",
        "certificate_defect",
    }
    assert [verb.name for verb in VERBS.values() if not verb.attacks] == ["deliver", "fragment"]
    assert all(verb.sentence and verb.kind for verb in VERBS.values())
