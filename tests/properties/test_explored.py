"""TLS 1.2 with an attacker: what holds, what is found once a protection is gone, and how that is told."""

from __future__ import annotations

from functools import cache

import pytest

from shakeproof.diagrams.sequence import draw_trace
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tls12_setting import Setting
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.explore import Exploration
from shakeproof.properties.explored import checked, trace_of
from shakeproof.properties.tls12_models import composed

ATTACKS = {
    "certificate-validation": (Setting("rsa"), "server-authenticated", 12, "Certificate[UNTRUSTED] to Client: forged"),
    "name-check": (Setting("rsa"), "server-authenticated", 12, "Certificate[WRONG_NAME] to Client: forged"),
    "key-exchange-signature": (
        Setting("ecdhe"), "server-authenticated", 13, "ServerKeyExchange[FORGED_SIGNATURE] to Client: forged",
    ),
    "finished-check": (Setting("rsa"), "handshake-agreed", 19, "Finished[MISMATCH] to Client"),
    "ccs-after-keys": (Setting("rsa"), "server-authenticated", 5, "ChangeCipherSpec[ONE] to Client: forged"),
    "message-order": (Setting("rsa"), "server-authenticated", 4, "Finished[MATCH] to Client: forged"),
    "certificate-verify": (
        Setting("rsa", client_auth=True), "client-authenticated", 13, "CertificateVerify[UNPROVEN] to Server: forged",
    ),
    "record-mac": (Setting("rsa"), "data-authentic", 18, "Record[BAD_MAC] to Server: forged"),
}  # fmt: skip
"""For each protection: where its attack is looked for, what breaks, after how many steps, and what is part of it."""

DEFAULT = "message-order"
"""The one that the default run looks at: its attack is the shortest."""


@cache
def attacked(name: str) -> Exploration:
    setting = ATTACKS[name][0]
    return checked(composed(Setting(setting.key_exchange, setting.client_auth, removed=(name,))))


@pytest.mark.parametrize(
    ("setting", "states", "transitions", "depth"),
    [
        (Setting("rsa", attacked=False), 29, 30, 22),
        pytest.param(Setting("rsa", client_auth=True, attacked=False), 73, 77, 28, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", resume=True, attacked=False), 55, 60, 22, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", attacked=False), 31, 32, 24, marks=pytest.mark.slow),
        pytest.param(Setting("rsa"), 6088, 99820, 29, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", client_auth=True), 11166, 236619, 34, marks=pytest.mark.slow),
        pytest.param(Setting("rsa", resume=True), 11203, 187336, 29, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe"), 5120, 83340, 31, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", client_auth=True), 9072, 186270, 36, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", resume=True), 8907, 146893, 31, marks=pytest.mark.slow),
        pytest.param(Setting("ecdhe", resume=True, bound=2), 69154, 1172431, 33, marks=pytest.mark.slow),
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
    assert list(ATTACKS) == [name for name, each in PROTECTIONS.items() if each.family == "tls12"]


@pytest.mark.slow
def test_properties_each_is_broken_without_some_protection() -> None:
    broken = {one.safety.name for name in ATTACKS for one in attacked(name).broken}
    assert broken == {safety.name for safety in attacked(DEFAULT).model.safety}


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
