"""Our client and our server with the attacker between them: honest runs end well, and attacks are judged."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.tls.suites import SUITES_BY_NAME
from shakeproof.model import messages as m
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties import safety
from shakeproof.properties.adversary import SIDES
from shakeproof.properties.endpoint_words import MANNERS, SUITE_NAMES
from shakeproof.properties.interaction import PAGES, InteractionMachine
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.observer import HANDSHAKE

CBC = "TLS_RSA_WITH_AES_128_CBC_SHA"
GCM = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


def machine(suite: str = CBC, rogue: str = "", *, record: bool = False, manner: str = "plain") -> InteractionMachine:
    made = InteractionMachine(rogue, record=record)
    made.configure(suite=suite, manner=manner)
    return made


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("size", PAGES)
def test_without_attack_every_page_arrives_and_both_agree(suite: str, size: int) -> None:
    made = machine(suite)
    made.deliver(to="first", count=16)
    made.request(size=size)
    made.finish()
    client, server = made.client, made.server
    assert (client.responses, client.requests) == (2, 2)
    assert client.ledger.key_log == server.ledger.key_log
    assert client.ledger.transcript == server.ledger.transcript != ()
    assert client.ledger.suite is server.ledger.suite is SUITES_BY_NAME[suite]
    assert bytes(client.ledger.accepted) == bytes(server.ledger.written)
    assert not client.is_open
    assert not server.is_open
    assert not made.attacked


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("manner", MANNERS)
def test_in_each_manner_the_page_arrives_and_both_agree_as_often_as_they_negotiate(suite: str, manner: str) -> None:
    made = machine(suite, manner=manner)
    if manner == "renegotiation":
        for side in SIDES:
            made.renegotiate(side=side, count=16)
    made.finish()
    client, server = made.client.ledger, made.server.ledger
    assert client.rounds == server.rounds == (3 if manner == "renegotiation" else 1)
    assert client.masters == server.masters != []
    assert client.transcript == server.transcript != ()
    heard = server.heard + client.heard
    assert all(symbol.is_sound for symbol in heard)
    said = {symbol.text for symbol in heard}
    assert any("RESUMED" in text for text in said) is manner.startswith("session")
    assert ("CertificateVerify[PROVEN]" in said) is (manner == "client certificate")
    protection = server.suite is not None and server.suite.mac_hash is not None and manner == "encrypt-then-mac"
    assert made.server.observer.encrypts_then_macs is protection


def test_a_session_is_resumed_until_an_attack_makes_the_server_forget_it() -> None:
    made = machine(manner="session by id")
    assert made.client.ledger.knows
    for _ in range(2):
        made.finish()
        assert any(symbol.has(m.resumed) for symbol in made.client.ledger.heard if symbol.message is m.ServerHello)
    made.tamper(after=6, place=3, bit=0)
    made.finish()
    made.finish()
    assert made.server.ledger.finished
    assert m.ClientHello.symbol(m.offers_rsa, m.by_unknown) in made.server.ledger.heard


@pytest.mark.parametrize("suite", SUITE_NAMES)
def test_observer_finds_everything_sound_in_an_honest_run(suite: str) -> None:
    made = machine(suite)
    made.finish()
    for party in made.parties.values():
        assert all(symbol.is_sound for symbol in party.ledger.heard)
        assert party.observer.pending == 0
    protected = [item for unit in made.wire.history for item in unit.seen if item.keys is Keys.HONEST]
    plain = [item for unit in made.wire.history for item in unit.seen if item.keys is Keys.NONE]
    assert len(protected) + len(plain) == sum(len(unit.seen) for unit in made.wire.history)
    assert {item.symbol.message for item in protected} == {m.Finished, m.ApplicationData, m.Alert}
    assert {item.symbol.message for item in plain} <= HANDSHAKE | {m.ChangeCipherSpec}


ATTACKS: list[tuple[str, dict[str, Any]]] = [
    *[("drop", {"after": after, "unit": after % 2}) for after in range(11)],
    *[("duplicate", {"after": after}) for after in range(0, 12, 2)],
    *[("reorder", {"after": after, "unit": 1 + after % 2}) for after in range(8)],
    *[("tamper", {"after": after, "place": place, "bit": 0}) for after in range(0, 12, 2) for place in (0, 20)],
    *[("truncate", {"after": after, "to": "client", "keep": 9}) for after in range(0, 12, 2)],
    *[("certificate_defect", {"defects": (defect,)}) for defect in ("expired", "wrong_name", "untrusted")],
]


@pytest.mark.parametrize("suite", [CBC, GCM])
def test_clean_ends_withstand_each_verb_at_each_place(suite: str) -> None:
    for name, arguments in ATTACKS:
        made = machine(suite)
        getattr(made, name)(**arguments)
        made.finish()
        assert made.violation is None


@pytest.mark.parametrize("suite", [CBC, GCM])
def test_replaying_each_record_of_an_earlier_connection_to_each_side_is_withstood(suite: str) -> None:
    for after in range(0, 12, 3):
        made = machine(suite)
        made.finish()
        for record in range(len(made.wire.history)):
            for side in ("client", "server"):
                made.replay(after=after, to=side, record=record)


@pytest.mark.parametrize(
    ("rogue", "calls", "kind"),
    [
        ("expired-certificate", [("certificate_defect", {"defects": ("expired",)})], safety.NotAuthenticated),
        ("wrong-name", [("certificate_defect", {"defects": ("wrong_name",)})], safety.NotAuthenticated),
        ("certificate-unchecked", [("certificate_defect", {"defects": ("untrusted",)})], safety.NotAuthenticated),
        ("skip-to-finished", [("forge", {"after": 3, "which": ("client", "Finished")})], safety.NotAuthenticated),
        ("mac-unchecked", [("duplicate", {"after": 9})], safety.NotIntact),
        ("missing-ske", [("drop", {"after": 1, "unit": 2})], safety.WentOn),
        ("early-ccs", [("drop", {"after": 4, "unit": 0})], safety.Deviated),
    ],
)
def test_rogue_is_objected_to_and_the_clean_pair_is_not(
    rogue: str, calls: list[tuple[str, dict[str, Any]]], kind: type[safety.PropertyViolation]
) -> None:
    suite = GCM if rogue == "missing-ske" else CBC

    def run(planted: str) -> None:
        made = machine(suite, planted)
        for name, arguments in calls:
            getattr(made, name)(**arguments)
        made.finish()

    run("")
    with pytest.raises(kind):
        run(rogue)


def test_crash_of_an_endpoint_is_a_violation() -> None:
    made = machine()
    made.server.tls.receive_data = lambda data: [][1]  # type: ignore[method-assign]
    with pytest.raises(safety.Crashed, match="IndexError") as caught:
        made.deliver(to="server", count=1)
    assert caught.value.property == safety.CLEAN_FAILURE


def test_response_that_never_comes_is_a_violation() -> None:
    made = machine()
    made.deliver(to="first", count=9)
    made.server.https.receive_data = lambda data: []  # type: ignore[method-assign]
    with pytest.raises(safety.Incomplete):
        made.finish()


def test_recorded_run_is_a_trace_with_the_attacker_in_it() -> None:
    made = machine(rogue="certificate-unchecked", record=True)
    made.certificate_defect(defects=("untrusted",))
    with pytest.raises(safety.NotAuthenticated):
        made.deliver(to="client", count=8)
    trace = made.trace("a man in the middle")
    assert [lane.name for lane in trace.lanes] == ["client", "attacker", "server"]
    forged = [step for step in trace if step.fate is Fate.FORGED]
    assert [step.message for step in forged][:2] == ["Certificate", "ServerHelloDone"]
    assert forged[0].defect == ("UNTRUSTED",)
    assert trace.steps[-1].message == "ApplicationData"
    assert trace.steps[-1].receiver == "attacker"
    assert Trace.from_json(trace.to_json()) == trace


def test_lost_record_is_in_the_trace() -> None:
    made = machine(record=True)
    made.drop(after=1, unit=1)
    made.finish()
    trace = made.trace("a lost certificate")
    assert [step.message for step in trace if step.fate is Fate.LOST] == ["Certificate"]


def test_what_was_written_before_a_close_in_a_renegotiation_arrives() -> None:
    # Found with seed 1: what was held for the new keys was dropped, and close_notify followed all the same.
    state = InteractionMachine()
    state.configure(path="spliced", suite="TLS_RSA_WITH_AES_128_CBC_SHA", manner="renegotiation")
    state.renegotiate(count=5, side="server")
    state.request(size=0)
    written = len(state.client.ledger.written)
    state.close(after=2, side="client")
    state.deliver(to="first", count=16)
    assert len(state.server.ledger.accepted) == written
    assert state.server.ledger.ended
    state.teardown()
