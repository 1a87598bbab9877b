"""Sessions that mingle: what holds, the attacks that are found once a protection is gone, and what each needs."""

from __future__ import annotations

import html
import itertools
from dataclasses import replace
from functools import cache

import pytest

from shakeproof.diagrams.sequence import draw_trace
from shakeproof.model.composition import PRIVATE
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tls12_sessions_setting import BINDING, SESSION_HASH, Setting
from shakeproof.model.trace import Fate, Trace
from shakeproof.properties.explore import Exploration, explore
from shakeproof.properties.explore_plainly import Counts, explore_plainly
from shakeproof.properties.explored import checked, trace_of
from shakeproof.properties.models import FAMILIES
from shakeproof.properties.tls12_sessions_models import RENEGOTIATION, TRIPLE, composed

HONEST = Setting(RENEGOTIATION, attacked=False)
ATTACKED = Setting(RENEGOTIATION)
CERTIFIED = Setting(RENEGOTIATION, client_auth=True)
TRIPLY = Setting(TRIPLE, wants_attacker=True, client_auth=True, resume=True)

ATTACKS = {
    BINDING: (
        CERTIFIED,
        "one-peer",
        35,
        "ClientHello[RENEGOTIATION_CLAIMED, OFFERS_SEVERAL, EXTENDED, ANEW] to Server",
    ),
    SESSION_HASH: (TRIPLY, "data-of-the-client", 57, "ClientKeyExchange[WRAPPED] to Server: tampered"),
}
"""For each protection: where its attack is looked for, what breaks, after how many steps, and what is part of it."""


@cache
def attacked(name: str) -> Exploration:
    """Without the protection, up to the level where a property breaks."""
    return explore(composed(replace(ATTACKS[name][0], removed=(name,))), stop_at_first=True)


def told(name: str) -> Trace:
    found = attacked(name)
    return trace_of(found, found.broken[0])


@pytest.mark.parametrize(
    ("setting", "states", "transitions", "depth"),
    [
        (HONEST, 74, 82, 42),
        pytest.param(replace(HONEST, client_auth=True), 200, 228, 48, marks=pytest.mark.slow),
        pytest.param(Setting(TRIPLE, False, True, True, attacked=False), 243, 292, 48, marks=pytest.mark.slow),
        pytest.param(ATTACKED, 4275, 123756, 42, marks=pytest.mark.slow),
        pytest.param(replace(ATTACKED, bound=2), 6301, 191954, 42, marks=pytest.mark.slow),
        pytest.param(CERTIFIED, 10231, 298669, 48, marks=pytest.mark.slow),
        pytest.param(TRIPLY, 70024, 2415762, 51, marks=pytest.mark.slow),
        pytest.param(replace(TRIPLY, wants_attacker=False), 25186, 788853, 72, marks=pytest.mark.slow),
    ],
    ids=lambda value: f"{value.name}, bound {value.bound}" if isinstance(value, Setting) else None,
)
def test_check_with_every_protection_holds_in_this_many_states(
    setting: Setting, states: int, transitions: int, depth: int
) -> None:
    found = checked(composed(setting))
    assert (found.states, found.transitions, found.depth) == (states, transitions, depth)
    assert found.holds
    assert found.attacked == setting.attacked


@pytest.mark.parametrize(
    "setting",
    [
        HONEST,
        pytest.param(ATTACKED, marks=pytest.mark.slow),
        pytest.param(Setting(TRIPLE, False, True, True, attacked=False), marks=pytest.mark.slow),
        pytest.param(replace(ATTACKED, removed=(BINDING,), bound=2), marks=pytest.mark.slow),
    ],
    ids=lambda setting: f"{setting.name}, bound {setting.bound}",
)
def test_explore_sessions_counts_what_a_plain_search_counts(setting: Setting) -> None:
    model = composed(setting)
    found = explore(model)
    assert Counts(found.states, found.transitions, found.depth) == explore_plainly(model)


@pytest.mark.slow
@pytest.mark.parametrize("family", [RENEGOTIATION, TRIPLE])
def test_properties_each_is_put_to_the_test_with_every_protection(family: str) -> None:
    found = [explore(model) for model in FAMILIES[family](1, ()) if "honest" not in model.name]
    named = {safety.name for each in found for safety in each.model.safety}
    assert named == {safety.name for each in found for safety in each.model.safety if safety.name not in untested(each)}


def untested(found: Exploration) -> list[str]:
    assert found.untested is not None
    return found.untested


# ---------------------------------------------------------------------------------------------------- attacks


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_check_without_a_protection_finds_its_attack(name: str) -> None:
    _, broken, depth, step = ATTACKS[name]
    first = attacked(name).broken[0]
    assert (first.safety.name, first.depth) == (broken, depth)
    trace = told(name)
    assert any(step in sentence for sentence in trace.sentences())
    assert Trace.from_json(trace.to_json()) == trace


def test_attacks_every_protection_of_these_families_has_one() -> None:
    families = (RENEGOTIATION, TRIPLE)
    assert [name for name, each in PROTECTIONS.items() if each.family in families] == list(ATTACKS)
    assert set(families) <= set(FAMILIES)


@pytest.mark.slow
@pytest.mark.parametrize("name", ATTACKS)
def test_properties_each_is_broken_without_the_protection_of_its_family(name: str) -> None:
    found = attacked(name)
    assert {one.safety.name for one in found.broken} == {safety.name for safety in found.model.safety}


@pytest.mark.slow
def test_renegotiation_attack_what_the_client_says_is_handed_through_as_it_is() -> None:
    steps = [step for step in told(BINDING).steps if step.receiver == "server"]
    forged = [step.message for step in steps if step.fate is Fate.FORGED]
    assert forged == ["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished", "ApplicationData"]
    handed = [step.message for step in steps if step.fate is not Fate.FORGED]
    assert handed == ["ClientHello", "ClientKeyExchange", "ChangeCipherSpec", "Finished", "ApplicationData"]


@pytest.mark.slow
def test_triple_handshake_is_a_full_one_a_resumed_one_and_one_that_proves_the_client() -> None:
    trace = told(SESSION_HASH)
    hellos = [step.facts for step in trace.steps if step.message == "ServerHello" and step.receiver == "client"]
    assert ["RESUMED" in facts for facts in hellos] == [False, True, False]
    tampered = [step.message for step in trace.steps if step.fate is Fate.TAMPERED]
    assert tampered == ["Certificate", "ClientKeyExchange", "Finished", "Finished"]
    proof = [step for step in trace.steps if step.message == "CertificateVerify"]
    assert [step.fate for step in proof] == [Fate.DELIVERED, Fate.DELIVERED]


PHASES = {
    BINDING: [
        ("Handshake 1: Attacker\u2013Server", "ClientHello"),
        ("Handshake 2: Client\u2013Attacker; Renegotiation: Attacker\u2013Server", "ClientHello"),
    ],
    SESSION_HASH: [
        ("Handshake: Client\u2013Attacker, Attacker\u2013Server", "ClientHello"),
        ("Resumption: Client\u2013Attacker, Attacker\u2013Server", "accept"),
        ("Renegotiation: Client\u2013Attacker, Attacker\u2013Server", "ClientHello"),
    ],
}
"""By protection: the phases of its attack, and with what each begins."""


@pytest.mark.parametrize("name", [BINDING, pytest.param(SESSION_HASH, marks=pytest.mark.slow)])
def test_trace_has_a_phase_for_each_handshake_that_is_named_by_its_events(name: str) -> None:
    trace = told(name)
    firsts = {phase.key: next(step.message for step in trace if step.phase == phase.key) for phase in trace.phases}
    assert [(phase.title, firsts[phase.key]) for phase in trace.phases] == PHASES[name]
    order = list(dict.fromkeys(step.phase for step in trace))
    assert order == [phase.key for phase in trace.phases]
    changes = sum(one.phase != other.phase for one, other in itertools.pairwise(trace.steps))
    assert changes == len(order) - 1
    drawn = draw_trace(trace).dot_source
    assert all(html.escape(phase.title.upper()) in drawn for phase in trace.phases)


@pytest.mark.slow
def test_trace_of_the_triple_handshake_says_what_is_resumed_and_whose_the_certificate_is() -> None:
    trace = told(SESSION_HASH)
    drawn = html.unescape(draw_trace(trace).dot_source)
    assert {"[BY_ID]", "[RESUMED]"} <= {f"[{remark}]" for step in trace for remark in step.remarks}
    assert all(text in drawn for text in ("[BY_ID]", "[RESUMED]", "the attacker's certificate"))
    remarked = [(step.message, step.remarks) for step in trace if step.fate is Fate.TAMPERED]
    assert remarked == [
        ("Certificate", ("the attacker's certificate",)),
        ("ClientKeyExchange", ("the secret that the client sent, encrypted again",)),
        ("Finished", ("made anew, of what this side has seen",)),
        ("Finished", ("made anew, of what this side has seen",)),
    ]


@pytest.mark.slow
def test_trace_records_whose_keys_the_attacker_has_not_are_not_drawn_as_known_to_it() -> None:
    drawn = draw_trace(told(BINDING)).dot_source
    assert f"encrypted with {PRIVATE}" in drawn
    assert f"{PRIVATE}, known to" not in drawn
    assert "compromised keys, known to Attacker" in drawn


# ---------------------------------------------------------------------------------------------------- what they need


@pytest.mark.slow
@pytest.mark.parametrize("role", ["tls12.client", "tls12.server"])
def test_renegotiation_binding_of_one_side_alone_is_enough(role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = PROTECTIONS[BINDING]
    lacks = tuple(change for change in whole.changes if change.role == role)
    assert lacks
    monkeypatch.setitem(PROTECTIONS, BINDING, replace(whole, changes=lacks))
    assert explore(composed(replace(ATTACKED, removed=(BINDING,)))).holds


@pytest.mark.slow
def test_triple_handshake_without_resumption_is_stopped_by_renegotiation_binding() -> None:
    """RFC 7627 section 6.1: only an abbreviated handshake makes verify_data the same."""
    assert explore(composed(replace(TRIPLY, resume=False, removed=(SESSION_HASH,)))).holds


@pytest.mark.slow
def test_triple_handshake_with_a_client_that_wants_the_server_finds_nothing() -> None:
    """RFC 7627 section 6.1: the client must be willing to connect to a malicious server."""
    assert explore(composed(replace(TRIPLY, wants_attacker=False, removed=(SESSION_HASH,)))).holds
