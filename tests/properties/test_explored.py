"""TLS 1.2 with an attacker: what holds, what is found once a protection is gone, and how that is told."""

from __future__ import annotations

import html
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from shakeproof.diagrams.sequence import draw_trace
from shakeproof.model import tls12_composed
from shakeproof.model.composition import KNOWN, PRIVATE, Of, Safety
from shakeproof.model.facts import Value
from shakeproof.model.messages import (
    ApplicationData,
    ClientKeyExchange,
    Record,
    bad_padding,
    bad_public,
    connect,
    off_curve,
    replayed,
    stale,
    wrapped,
)
from shakeproof.model.notation import Pattern
from shakeproof.model.protections import PROTECTIONS, Change, Protection
from shakeproof.model.tls12 import CONNECTED, older
from shakeproof.model.tls12_composed import Composer
from shakeproof.model.tls12_setting import Setting, apart, common, exposed, lost, read_by_all
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.explore import Exploration, View, explore
from shakeproof.properties.explored import checked, trace_of
from shakeproof.properties.tls12_models import composed
from tests.properties.halves import dead, narrowed
from tests.properties.planted_tls12 import FAULTS, Planted, explored, lacking

ATTACKS = {
    "certificate-validation": (Setting("rsa"), "server-authenticated", 12, "Certificate[UNTRUSTED] to Client: forged"),
    "name-check": (Setting("rsa"), "server-authenticated", 12, "Certificate[WRONG_NAME] to Client: forged"),
    "key-exchange-signature": (
        Setting("ecdhe"), "server-authenticated", 13, "ServerKeyExchange[FORGED_SIGNATURE] to Client: forged",
    ),
    "finished-check": (Setting("rsa"), "server-agrees", 15, "Finished[MISMATCH] to Server"),
    "ccs-after-keys": (Setting("rsa"), "data-authentic", 20, "ChangeCipherSpec[ONE] to Client: forged"),
    "message-order": (Setting("rsa"), "server-authenticated", 4, "Finished[MATCH] to Client: forged"),
    "client-certificate-validation": (
        Setting("rsa", client_auth=True), "client-authenticated", 13, "Certificate[UNTRUSTED] to Server: forged",
    ),
    "certificate-verify": (
        Setting("rsa", client_auth=True), "client-authenticated", 13, "CertificateVerify[UNPROVEN] to Server: forged",
    ),
    "record-mac": (Setting("rsa"), "data-authentic", 18, "Record[BAD_MAC] to Server: forged"),
    "no-export-keys": (
        Setting("rsa", export=True), "server-authenticated", 18, "ServerKeyExchange[SIGNED, SHORT_KEY] to Client.",
    ),
    "downgrade-signal": (Setting("rsa", fallback=True), "no-downgrade", 22, "Client: calls reconnect"),
}  # fmt: skip
"""For each protection: where its attack is looked for, what breaks, after how many steps, and what is part of it."""

ONE_SIDED = {
    "the server needs no ClientKeyExchange": {"key-agreed"},
    "the client needs no ServerKeyExchange": {"server-authenticated", "data-authentic", "session-secret"},
    "the client compares no verify_data": {"client-agrees"},
    "the server compares no verify_data": {"server-agrees"},
    "the server needs no ChangeCipherSpec": {"records-protected"},
    "the client looks at no MAC": {"data-authentic"},
    "the server looks at no MAC": {"data-authentic"},
    "the client goes on after its alert": {"alert-ends", "illegal-ends"},
    "the server goes on after its alert": {"alert-ends", "illegal-ends"},
    "the client passes over what it refuses": {"illegal-ends"},
    "the server passes over what it refuses": {"illegal-ends"},
    "the client writes before its ChangeCipherSpec": {"session-secret"},
}
"""All that some of the faults of one side break."""

DEFAULT = "message-order"
"""The one that the default run looks at: its attack is the shortest."""


@cache
def attacked(name: str) -> Exploration:
    return checked(composed(replace(ATTACKS[name][0], removed=(name,))))


@pytest.mark.parametrize(
    ("setting", "states", "transitions", "depth"),
    [
        (Setting("rsa", attacked=False), 29, 30, 22),
        pytest.param(Setting("rsa", client_auth=True, attacked=False), 73, 77, 28, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", resume=True, attacked=False), 55, 60, 22, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", attacked=False), 31, 32, 24, marks=pytest.mark.slow),
        pytest.param(Setting("rsa"), 5798, 88837, 29, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", client_auth=True), 9114, 168221, 31, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", resume=True), 10227, 155206, 29, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe"), 4944, 76315, 31, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", client_auth=True), 7460, 135509, 33, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", resume=True), 8219, 124589, 31, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", True, True, attacked=False), 103, 113, 28, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", True, True), 14348, 255240, 31, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", True, True), 11052, 193584, 33, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", export=True), 6017, 91308, 29, marks=pytest.mark.slow),
        pytest.param(Setting(fallback=True, attacked=False), 37, 39, 27, marks=pytest.mark.slow),
        pytest.param(Setting(fallback=True), 14095, 256337, 34, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", resume=True, bound=2), 66682, 1078730, 33, marks=pytest.mark.slow),
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else None,
)
def test_check_with_every_protection_holds_in_this_many_states(
    setting: Setting, states: int, transitions: int, depth: int
) -> None:
    found = checked(composed(setting))
    assert (found.states, found.transitions, found.depth) == (states, transitions, depth)
    assert found.holds


@pytest.mark.parametrize(
    "name", [name if name == DEFAULT else pytest.param(name, marks=pytest.mark.slow) for name in ATTACKS]
)
def test_check_without_a_protection_finds_its_attack(name: str) -> None:
    _, broken, depth, step = ATTACKS[name]
    found = attacked(name)
    first = found.broken[0]
    assert (first.safety.name, first.depth) == (broken, depth)
    trace = trace_of(found, first)
    assert any(step in sentence for sentence in trace.sentences())
    assert Trace.from_json(trace.to_json()) == trace
    assert "Attacker" in draw_trace(trace).text()


def test_attacks_every_protection_has_one() -> None:
    assert list(ATTACKS) == [name for name, each in PROTECTIONS.items() if each.family in ("tls12", "fallback")]


@pytest.mark.slow
def test_properties_each_part_of_each_has_a_fault_that_only_it_finds() -> None:
    found = [explored(fault) for fault in FAULTS]
    names = dict.fromkeys(safety.name for each in found for safety in each.model.safety)
    assert [line for name in names for line in dead(name, found)] == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", ONE_SIDED)
def test_properties_fault_of_one_side_breaks(fault: str) -> None:
    assert {one.safety.name for one in explored(fault).broken} == ONE_SIDED[fault]


@pytest.mark.slow
def test_properties_part_that_finds_nothing_is_told() -> None:
    found = [explored(fault) for fault in ("the client looks at no MAC", "the server compares no verify_data")]
    more = [replace(each, model=replace(each.model, safety=(with_idle_part(each),))) for each in found]
    assert dead("server-agrees", more) == [
        "server-agrees without a part: ~(server[connected] & server[common] & server[apart])"
    ]
    assert dead("no-downgrade", more) == ["nothing breaks no-downgrade"]


def with_idle_part(found: Exploration) -> Safety:
    """server-agrees of this model, with a part that speaks of a secret that nobody else has."""
    model = found.model
    connected = Of("server", model.column("server.state").fact[CONNECTED.name])
    there = connected & (Of("server", common) | Of("server", lost))
    own = next(one for one in model.safety if one.name == "server-agrees")
    return replace(own, holds=~(there & Of("server", apart)))


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(list(narrowed(read_by_all("client"))))))
def test_read_by_all_each_part_has_a_fault_that_only_it_finds(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whom the attacker can read, in four ways: what session-secret finds is found by one of them alone."""
    faults = [fault for fault in FAULTS if "session-secret" in {one.safety.name for one in explored(fault).broken}]
    assert faults
    monkeypatch.setattr(tls12_composed, "read_by_all", lambda side: list(narrowed(read_by_all(side)))[number])
    missed = [
        fault for fault in faults
        if "session-secret" not in {one.safety.name for one in explore(FAULTS[fault].model()).broken}
    ]  # fmt: skip
    assert missed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("side", "setting", "broken"),
    [
        ("client", Setting("rsa", resume=True), [("client-agrees", 9)]),
        ("client", Setting("ecdhe", resume=True), [("client-agrees", 9)]),
        ("server", Setting("rsa"), [("server-agrees", 15)]),
        ("server", Setting("ecdhe"), [("server-agrees", 17)]),
        ("server", Setting("rsa", resume=True), [("server-agrees", 15)]),
        ("server", Setting(fallback=True), [("server-agrees", 15)]),
        ("client", Setting("rsa"), []),  # the server has verified all of it before it sends its Finished
    ],
    ids=lambda value: value.name if isinstance(value, Setting) else None,
)
def test_finished_check_of_one_side_alone_is_missed_by_that_side(
    side: str, setting: Setting, broken: list[tuple[str, int]]
) -> None:
    found = explore(Planted(setting, lacking("finished-check", side)).model())
    assert [(one.safety.name, one.depth) for one in found.broken] == broken


@pytest.mark.slow
def test_client_without_finished_check_talks_in_a_resumed_session_under_a_hello_that_was_changed() -> None:
    found = explored("the client compares no verify_data")
    told = trace_of(found, found.broken[0])
    assert [(step.message, step.fate) for step in told if step.receiver == "server"] == [("ClientHello", Fate.TAMPERED)]
    assert told.sentences()[-1].startswith("Attacker sends Finished[MISMATCH] to Client")
    assert told.sentences()[-1].endswith("Client is now CONNECTED.")


@pytest.mark.slow
def test_client_certificate_attack_is_told_until_the_server_has_finished() -> None:
    found = attacked("client-certificate-validation")
    assert trace_of(found, found.broken[0]).sentences()[-1].endswith("Server is now CONNECTED.")


@pytest.mark.slow
@pytest.mark.parametrize(
    "side", [pytest.param("client", id="straight after Certificate"), pytest.param("server", id="no ChangeCipherSpec")]
)
def test_message_order_of_each_side_a_finished_is_read_where_nothing_is_protected(side: str) -> None:
    found = explore(Planted(Setting("rsa"), lacking("message-order", side)).model())
    told = next(trace_of(found, one) for one in found.broken if one.safety.name == "records-protected")
    heard = [step.message for step in told if step.receiver == side]
    assert heard[-1] == "Finished"
    assert "ChangeCipherSpec" not in heard


@pytest.mark.slow
@pytest.mark.parametrize("setting", [Setting("rsa", client_auth=True), Setting(fallback=True)], ids=lambda s: s.name)
def test_properties_each_is_put_to_the_test_with_every_protection(setting: Setting) -> None:
    found = explore(composed(setting))
    assert all(safety.premise is not None for safety in found.model.safety)
    assert found.untested == []


@pytest.mark.slow
@pytest.mark.parametrize("bound", [1, 2])
def test_client_has_a_random_wherever_a_hello_of_the_attackers_may_keep_it(bound: int) -> None:
    model = composed(Setting("rsa", bound=bound))
    found = explore(model)
    view = View(found.expander.packing, np.concatenate(found.levels))
    states = {side: model.column(f"{side}.state").fact for side in model.machines}
    idle = sum(states["server"][name].bit for name in ("WAIT_CLIENT_HELLO", "CLOSED", "ABORTED"))
    begins = [one for one in model.transitions if one.symbol.message is connect]
    assert begins
    alone = (view["client.state"] == states["client"]["START"].bit) & (view["server.state"] & idle == 0)
    assert alone.any()  # the attacker by itself
    for one in begins:
        assert one.guard is not None
        assert not (alone & one.guard.columns(view)).any()


@pytest.mark.parametrize("value", [wrapped, off_curve, bad_public], ids=lambda value: value.name)
def test_key_exchange_of_the_attackers_that_gives_the_secret_away_gives_it_to_the_attacker(value: Value) -> None:
    made = Composer(Setting("ecdhe"))
    assert made.meanings.made(made.sides["server"], ClientKeyExchange.symbol(value)) == {"server.keys": exposed.bit}


def test_properties_who_has_ended_accepts_nothing() -> None:
    model = composed(Setting("rsa"))
    for side in model.machines:
        states = model.column(f"{side}.state").fact
        over = {(f"{side}.state", states[name].bit) for name in ("CLOSED", "ABORTED")}
        assert not [one.title for one in model.transitions if one.machine == side and one.row and over & set(one.where)]


@pytest.mark.slow
@pytest.mark.parametrize("value", [replayed, stale, bad_padding], ids=lambda value: value.name)
def test_data_of_a_record_that_is_not_the_next_sound_one_is_not_authentic(
    value: Value, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = tuple(
        Change(role, Record, (value,), (CONNECTED,), CONNECTED, Pattern(ApplicationData))
        for role in ("tls12.client", "tls12.server")
    )
    monkeypatch.setitem(PROTECTIONS, "planted", Protection("planted", "", "", changes))
    found = explore(composed(Setting("rsa", removed=("planted",))))
    assert [(one.safety.name, one.depth) for one in found.broken] == [("data-authentic", 18)]


def test_trace_public_certificate_is_replayed_and_not_forged() -> None:
    found = attacked(DEFAULT)
    fates = {step.message: step.fate for step in trace_of(found, found.broken[0])}
    assert fates["Certificate"] is Fate.REPLAYED
    assert fates["Finished"] is Fate.FORGED


@pytest.mark.slow
def test_trace_hello_that_was_held_back_and_comes_otherwise_is_tampered() -> None:
    found = attacked("finished-check")
    hellos = [step for step in trace_of(found, found.broken[0]) if step.message == "ClientHello"]
    assert [step.fate for step in hellos] == [Fate.DELIVERED, Fate.TAMPERED]
    assert [step.remarks for step in hellos] == [(), ("changed in what the tables do not read",)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "message", "remarks"),
    [
        ("no-export-keys", "ClientHello", ("instead of ACCEPTABLE, OFFERS_SEVERAL, EXTENDED, ANEW",)),
        ("no-export-keys", "ServerHello", ("PROPER instead of ALIEN_SUITE",)),
        ("certificate-validation", "Certificate", ("the attacker's certificate",)),
        ("key-exchange-signature", "ServerKeyExchange", ("with the attacker's key",)),
    ],
)
def test_trace_message_of_the_attackers_says_what_it_has_changed_and_whose_it_is(
    name: str, message: str, remarks: tuple[str, ...]
) -> None:
    found = attacked(name)
    trace = trace_of(found, found.broken[0])
    made = next(step for step in trace if step.message == message and step.fate in (Fate.TAMPERED, Fate.FORGED))
    assert made.remarks == remarks
    drawn = html.unescape(draw_trace(trace).dot_source)
    assert all(remark in drawn and remark in made.sentence({}) for remark in remarks)


def test_trace_of_one_handshake_has_one_phase() -> None:
    found = attacked(DEFAULT)
    assert [phase.title for phase in trace_of(found, found.broken[0]).phases] == ["Counterexample"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [Setting("rsa"), Setting("ecdhe"), Setting("ecdhe", client_auth=True, resume=True)], ids=lambda s: s.name
)
def test_early_ccs_handshake_is_sound_on_both_sides_and_its_records_are_everybodys(setting: Setting) -> None:
    found = checked(composed(replace(setting, removed=("ccs-after-keys",))))
    assert [one.safety.name for one in found.broken] == ["data-authentic", "session-secret"]
    secret = found.broken[1]
    told = [(step.sender, step.receiver, step.message, step.fate) for step in trace_of(found, secret)]
    early = [("attacker", side, "ChangeCipherSpec", Fate.FORGED) for side in ("client", "server")]
    assert [one for one in told if one[3] is Fate.FORGED] == early
    assert told.index(early[1]) < told.index(("attacker", "server", "ClientKeyExchange", Fate.DELIVERED))
    assert told[-1][:3] == ("client", "attacker", "ApplicationData")
    facts = [step.facts for step in trace_of(found, secret) if step.message == "Finished"]
    assert facts == [("MATCH",)] * 4
    model, values = found.model, found.expander.packing.unpack(secret.path[-1][1])
    end = {name: model.column(name).text(values[name]) for name in values if "." in name and "packet" not in name}
    for side in ("client", "server"):
        assert (end[f"{side}.state"], end[f"{side}.keys"]) == ("connected", "common")
        assert (end[f"{side}.seals"], end[f"{side}.opens"]) == ("sealing_empty", "opening_empty")
    assert end["network.transcript"] == "same"
    steps = [step for step in trace_of(found, secret) if step.message in ("Finished", "ApplicationData")]
    assert {step.protection for step in steps} == {KNOWN}


@pytest.mark.slow
def test_early_ccs_of_one_side_alone_leads_nowhere() -> None:
    """Records of the other side are then protected with keys that the attacker has not."""
    model = composed(Setting("rsa", removed=("ccs-after-keys",)))
    for spared in ("client", "server"):
        bare = model.column(f"{spared}.opens").fact["opening_empty"].bit
        kept = [one for one in model.transitions if (f"{spared}.opens", bare) not in one.assign]
        assert len(kept) < len(model.transitions)
        assert explore(replace(model, transitions=tuple(kept))).holds


@pytest.mark.slow
def test_freak_key_is_signed_in_this_connection_and_gives_the_secret_away() -> None:
    found = attacked("no-export-keys")
    assert "session-secret" in {one.safety.name for one in found.broken}
    told = trace_of(found, found.broken[0]).sentences()
    asked = next(n for n, text in enumerate(told) if "ClientHello[RSA_EXPORT] to Server: tampered" in text)
    assert any("Client sends ClientHello" in text for text in told[:asked])
    assert any("Server sends ServerKeyExchange[SIGNED, SHORT_KEY]" in text for text in told[asked:])
    drawn = draw_trace(trace_of(found, found.broken[0])).dot_source
    assert {step.protection for step in trace_of(found, found.broken[0]) if step.message == "Finished"} == {KNOWN}
    assert "compromised keys, known to Attacker" in drawn
    assert "sender" not in drawn
    without_export = checked(composed(Setting("rsa", removed=("no-export-keys",))))
    assert without_export.holds


@pytest.mark.slow
def test_fallback_first_attempt_is_broken_by_the_attacker_and_the_second_says_what_it_is() -> None:
    found = attacked("downgrade-signal")
    told = trace_of(found, found.broken[0]).sentences()
    assert "Attacker sends Alert[FATAL] to Client: forged" in told[1]
    taken = next(step for step in trace_of(found, found.broken[0]) if step.receiver == "server")
    assert taken.defect == ("OLD_VERSION", "FALLBACK")
    assert taken.fate is Fate.DELIVERED
    assert taken.clause == "not refused"
    protections = {step.protection for step in trace_of(found, found.broken[0]) if step.message == "Finished"}
    assert protections == {PRIVATE}


@pytest.mark.slow
def test_fallback_hello_changed_in_flight_is_for_finished_to_find() -> None:
    found = checked(composed(Setting(fallback=True, removed=("finished-check",))))
    broken = {one.safety.name: one.depth for one in found.broken}
    assert broken == {"server-agrees": 15, "client-agrees": 19, "no-downgrade": 19}


def test_fallback_from_a_buggy_old_server_still_comes_to_an_end_in_the_older_version() -> None:
    found = checked(composed(Setting(fallback=True, attacked=False)))
    assert found.holds
    view = View(found.expander.packing, np.concatenate(found.levels))
    done = found.model.done
    assert done is not None
    assert set(view["server.version"][done.columns(view)].tolist()) == {older.bit}
