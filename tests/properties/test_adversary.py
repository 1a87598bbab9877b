"""The attacker's verbs, one by one, on the wire between our client and our server."""

from __future__ import annotations

import pytest

from shakeproof.model import messages as m
from shakeproof.model.trace import Fate
from shakeproof.properties import adversary, adversary_records
from shakeproof.properties.adversary import RECORD, SEGMENT, VERBS, Side
from shakeproof.properties.adversary_records import FORGERIES, Unit, Wire
from shakeproof.properties.endpoint_words import SUITE_NAMES
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
    assert names(adversary_records.deliver(wire, "client")) == FLIGHT[:1]
    assert names(wire.queues["client"]) == FLIGHT[1:]
    assert not wire.is_quiet
    assert wire.waiting == ["client"]


def test_drop_loses_one_record() -> None:
    wire = opened().wire
    assert adversary_records.drop(wire, "client", 2) == []
    assert names(wire.queues["client"]) == ["ServerHello", "Certificate", "ServerHelloDone"]


def test_duplicate_delivers_twice_the_same_bytes() -> None:
    wire = opened().wire
    first, second = adversary_records.duplicate(wire, "client")
    assert first.data == second.data
    assert (first.fate, second.fate) == (Fate.DELIVERED, Fate.REPLAYED)


def test_reorder_lets_a_later_record_overtake() -> None:
    wire = opened().wire
    assert names(adversary_records.reorder(wire, "client", 3)) == ["ServerHelloDone"]
    assert names(wire.queues["client"]) == FLIGHT[:3]


def test_replay_takes_any_record_of_any_connection_to_either_side() -> None:
    machine = opened()
    machine.truncate(after=0, to="client", keep=0)
    machine.deliver(to="first", count=1)
    assert machine.wire.connection == 2
    for side in adversary.SIDES:
        (unit,) = adversary_records.replay(machine.wire, side, 0)
        assert (unit.to, unit.data, unit.connection) == (side, machine.wire.history[0].data, 2)


def test_fragment_gives_the_same_bytes_in_pieces() -> None:
    wire = opened().wire
    whole = wire.queues["client"][0].data
    units = adversary_records.fragment(wire, "client", 10)
    assert b"".join(unit.data for unit in units) == whole
    assert max(len(unit.data) for unit in units) == 10
    assert [bool(unit.seen) for unit in units] == [False] * (len(units) - 1) + [True]


def test_tamper_flips_one_bit_of_the_contents() -> None:
    wire = opened().wire
    whole = wire.queues["client"][0].data
    (unit,) = adversary_records.tamper(wire, "client", 1000, 3)
    different = [index for index, (a, b) in enumerate(zip(whole, unit.data, strict=True)) if a != b]
    assert len(different) == 1
    assert different[0] >= 5
    assert whole[different[0]] ^ unit.data[different[0]] == 1 << 3


def test_truncate_keeps_a_beginning_and_ends_the_transport() -> None:
    wire = opened().wire
    whole = wire.queues["client"][0].data
    (unit,) = adversary_records.truncate(wire, "client", 7)
    assert unit.data == whole[:7]
    assert unit.ends
    assert not wire.queues["client"]


@pytest.mark.parametrize("suite", [RSA, ECDHE])
@pytest.mark.parametrize("side", adversary.SIDES)
def test_nothing_that_is_forged_is_what_an_honest_key_makes(side: Side, suite: str) -> None:
    for message in FORGERIES[side]:
        machine = opened(suite, records=20)
        (unit,) = adversary_records.forge(machine.wire, side, message.name)
        heard = machine.parties[side].observer.heard(unit.data)
        assert [item.symbol.text for item in heard] == ["Record[BAD_MAC]"], message.name


def test_forged_server_key_exchange_is_not_signed_by_the_server() -> None:
    machine = opened(ECDHE, records=3)
    (unit,) = adversary_records.forge(machine.wire, "client", "ServerKeyExchange")
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
    assert adversary_records.certificate_is_due(machine.wire)
    machine.deliver(to="client", count=2)
    assert not adversary_records.certificate_is_due(machine.wire)
    assert not adversary_records.certificate_is_due(Wire())


def test_every_verb_is_listed_with_its_levels() -> None:
    both = ("segment", "record")
    levels = {name: tuple(sorted(verb.levels, reverse=True)) for name, verb in VERBS.items()}
    assert levels == {
        **dict.fromkeys(
            ("deliver", "fragment", "drop", "duplicate", "reorder", "replay", "forge", "tamper", "truncate"), both
        ),
        "delay": ("segment",),
        "garble": ("segment",),
        "certificate_defect": ("record",),
    }
    deeds = [deed for verb in VERBS.values() for deed in verb.deeds.values()]
    assert all(deed.sentence and deed.kind for deed in deeds)
    assert len({deed.kind for deed in deeds}) == len(deeds)
    assert {d.kind for d in deeds if d.level == RECORD and not d.attacks} == {"delivered", "fragmented"}
    mishaps = {name for name, verb in VERBS.items() if SEGMENT in verb.deeds and not verb.deeds[SEGMENT].attacks}
    assert set(VERBS) - mishaps == {"tamper", "truncate", "forge", "certificate_defect"}
