"""Counterexamples performed with our client and server: with the matching rogue they happen, the clean ones refuse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest

from shakeproof.impl.tls.messages import ClientHello
from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.model.composition import Composition
from shakeproof.model.messages import DESCRIPTION
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tls12_setting import Setting
from shakeproof.model.trace import Step, Trace
from shakeproof.properties.adversary import SIDES
from shakeproof.properties.explore import Broken, Exploration, View, explore, way_to
from shakeproof.properties.explored import trace_of
from shakeproof.properties.performance import EndedError, Performance, states_of
from shakeproof.properties.realised import APART, BROKEN, MATCHING, planted, realise, replayed
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.tls12_models import composed
from shakeproof.properties.tls12_sessions_models import renegotiation_models

Model = Callable[[tuple[str, ...]], Composition]


def of(setting: Setting) -> Model:
    """The model of one connection, without protections."""
    return lambda removed: composed(replace(setting, removed=removed))


RSA, RESUMED, ECDHE = of(Setting("rsa")), of(Setting("rsa", resume=True)), of(Setting("ecdhe"))
PROVED = of(Setting("rsa", client_auth=True))

ATTACKS: dict[str, tuple[Model, str, str, str]] = {
    "certificate-validation": (RSA, "server-authenticated", "Certificate[UNTRUSTED]", "unknown_ca"),
    "name-check": (RSA, "server-authenticated", "Certificate[WRONG_NAME]", "certificate_unknown"),
    "key-exchange-signature": (
        ECDHE, "server-authenticated", "ServerKeyExchange[FORGED_SIGNATURE]", "decrypt_error",
    ),
    "finished-check": (RESUMED, "client-agrees", "Finished[MISMATCH]", "decrypt_error"),
    "ccs-after-keys": (RSA, "data-authentic", "ChangeCipherSpec[ONE]", "unexpected_message"),
    "message-order": (RSA, "server-authenticated", "Finished[MATCH]", "unexpected_message"),
    "certificate-verify": (
        PROVED, "client-authenticated", "CertificateVerify[UNPROVEN]", "decrypt_error",
    ),
    "record-mac": (RESUMED, "data-authentic", "Record[BAD_MAC]", "bad_record_mac"),
    "renegotiation-binding": (
        lambda removed: next(renegotiation_models(1, removed)), "one-peer",
        "ClientHello[RENEGOTIATION_CLAIMED, OFFERS_SEVERAL, EXTENDED, ANEW]", "handshake_failure",
    ),
}  # fmt: skip
"""By protection: where its attack is looked for, what breaks first, what is refused, and with which alert."""

DEFAULT = "message-order"
"""The one that the default run looks at: its attack is the shortest."""

WIDER = {"name-check": {"certificate-unchecked"}}
"""Rogues that lack more than the protection: who validates no chain looks at no name either."""

EACH = [name if name == DEFAULT else pytest.param(name, marks=pytest.mark.slow) for name in ATTACKS]


@cache
def attacked(name: str) -> Exploration:
    return explore(ATTACKS[name][0]((name,)), stop_at_first=True)


@pytest.mark.parametrize("name", EACH)
def test_counterexample_with_the_matching_rogue_happens(name: str) -> None:
    exploration = attacked(name)
    first = exploration.broken[0]
    assert first.safety.name == ATTACKS[name][1]
    result = realise(exploration, first, ROGUES[MATCHING[name]])
    assert result.done, result.why
    told = trace_of(exploration, first)
    assert [(s.sender, s.receiver, s.message) for s in result.trace] == [
        (s.sender, s.receiver, s.message) for s in told
    ]
    assert result.step == len(told.steps)
    assert all(step.data for step in result.trace.messages())
    assert Trace.from_json(result.trace.to_json()) == result.trace


@pytest.mark.parametrize("name", EACH)
def test_counterexample_with_the_clean_implementation_ends_where_the_protection_stands(name: str) -> None:
    _, _, refused, alert = ATTACKS[name]
    exploration = attacked(name)
    first = exploration.broken[0]
    result = realise(exploration, first)
    assert not result.done
    assert result.answer is not None
    assert result.answer.has(DESCRIPTION[alert])
    assert result.clause.startswith("RFC ")
    assert "not what the table demands" not in result.why
    step = trace_of(exploration, first).steps[result.step - 1]
    told = f"{step.message}[{', '.join(step.facts)}]"
    assert told == refused
    assert result.trace.steps[-1].message == "Alert"
    assert result.trace.title.endswith(f": ended at step {result.step}")
    assert result.trace.phases[0].aside == "performed with the clean implementation"


@pytest.mark.parametrize("name", EACH)
def test_counterexample_with_another_rogue_ends_as_with_the_clean_implementation(name: str) -> None:
    exploration = attacked(name)
    first = exploration.broken[0]
    clean = realise(exploration, first)
    others = set(MATCHING.values()) - {MATCHING[name]} - WIDER.get(name, set())
    for other in sorted(others):
        result = realise(exploration, first, ROGUES[other])
        assert not result.done, other
        assert (result.step, result.why) == (clean.step, clean.why), other


def made_by(sender: str, step: Step) -> bytes:
    """What of a message nobody but its sender can have made: a hello's random, or all of a record that is sealed."""
    if step.sender != sender or step.message == "Alert":
        return b""
    if step.protection:
        return step.data
    return step.data[RANDOM] if step.message in ("ClientHello", "ServerHello") else b""


RANDOM = slice(11, 43)
"""In a record with a hello alone: behind the headers of both, and the version."""

ORDERED = [DEFAULT, "renegotiation-binding"]
"""Those that the default run looks at: in the second the attacker speaks to the server before the client does."""


@pytest.mark.parametrize(
    "name", [name if name in ORDERED else pytest.param(name, marks=pytest.mark.slow) for name in ATTACKS]
)
def test_counterexample_no_byte_of_a_message_stands_before_its_sender_has_made_it(name: str) -> None:
    exploration = attacked(name)
    for rogue in (ROGUES[MATCHING[name]], None):
        steps = realise(exploration, exploration.broken[0], rogue).trace.messages()
        for number, step in enumerate(steps):
            for party in SIDES:
                own = made_by(party, step)
                earlier = [one.number for one in steps[:number] if own and own in one.data]
                assert not earlier, f"the {party} made this in step {step.number}, and it stands in {earlier}"
        assert any(made_by(party, step) for party in SIDES for step in steps)


def test_renegotiation_attack_begins_with_a_hello_of_the_attackers_own() -> None:
    exploration = attacked("renegotiation-binding")
    steps = realise(exploration, exploration.broken[0], ROGUES["renegotiation-info-unread"]).trace.messages()
    own = ClientHello.parse(steps[0].data[HEADER_LENGTH + 4 :])
    theirs = next(ClientHello.parse(s.data[HEADER_LENGTH + 4 :]) for s in steps if s.sender == "client")
    assert (steps[0].sender, steps[0].receiver) == ("attacker", "server")
    assert own.random != theirs.random
    assert own.cipher_suites != theirs.cipher_suites
    assert not own.session_id


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "removed", "name"),
    [
        (RSA, "finished-check", "server-agrees"),
        (RSA, "finished-check", "client-agrees"),
        (RESUMED, "finished-check", "server-agrees"),
        (RSA, "message-order", "records-protected"),
    ],
)
def test_counterexample_of_another_property_happens_too_with_the_matching_rogue(
    model: Model, removed: str, name: str
) -> None:
    exploration = explore(model((removed,)))
    one = next(each for each in exploration.broken if each.safety.name == name)
    result = realise(exploration, one, ROGUES[MATCHING[removed]])
    assert result.done, result.why
    assert realise(exploration, one).answer is not None


@cache
def sound_way(resume: bool) -> tuple[Exploration, Broken]:
    """A shortest way on which both sides finish and exchange data, as if it broke a property."""
    exploration = explore(of(Setting("rsa", resume=resume))(()))
    done = exploration.model.done
    assert done is not None
    for depth, level in enumerate(exploration.levels):
        there = level[done.columns(View(exploration.expander.packing, level))]
        if len(there):
            start, path = way_to(exploration, int(there[0]), depth)
            return exploration, Broken(exploration.model.safety[0], depth, path, start)
    raise AssertionError("nobody finishes")


@pytest.mark.slow
@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", BROKEN)
def test_property_is_not_seen_broken_where_two_honest_sides_finish(name: str, resume: bool) -> None:
    exploration, way = sound_way(resume)
    result = realise(exploration, replace(way, safety=replace(way.safety, name=name)))
    assert not result.done
    assert result.why == f"all of it happens, and yet {name} holds"


@pytest.mark.slow
def test_performance_side_that_goes_on_where_the_model_has_ended_is_told() -> None:
    exploration = attacked("finished-check")
    path = exploration.broken[0].path
    run = Performance(exploration.model, [transition for transition, _ in path], ROGUES["finished-unchecked"])
    try:
        for transition, state in path[:-1]:
            run.perform(transition, states_of(exploration, state))
        transition, state = path[-1]
        ended = {**states_of(exploration, state), "client": "ABORTED"}
        with pytest.raises(EndedError, match="the client goes on; in the model it is ABORTED"):
            run.perform(transition, ended)
    finally:
        run.dispose()


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting", [Setting("rsa"), Setting("ecdhe"), Setting("rsa", client_auth=True)], ids=lambda setting: setting.name
)
def test_counterexample_of_early_ccs_reads_what_the_client_sends_after_a_sound_handshake(setting: Setting) -> None:
    exploration = explore(of(setting)(("ccs-after-keys",)))
    secret = next(one for one in exploration.broken if one.safety.name == "session-secret")
    result = realise(exploration, secret, ROGUES["early-ccs"])
    assert result.done, result.why
    assert result.why == "the attacker has read what the client's application sent, 33 bytes"
    assert realise(exploration, secret).answer is not None


@pytest.mark.slow
def test_counterexample_with_unguarded_ccs_goes_past_the_protection_and_no_further() -> None:
    # The model stays where it was, and so does the matching rogue; unguarded-ccs takes it for the one before Finished.
    exploration = attacked("ccs-after-keys")
    first = exploration.broken[0]
    clean, rogue = realise(exploration, first), realise(exploration, first, ROGUES["unguarded-ccs"])
    assert "ChangeCipherSpec[ONE] with Alert[FATAL, UNEXPECTED_MESSAGE]" in clean.why
    assert not rogue.done
    assert rogue.step == clean.step + 1
    assert "ServerHelloDone[EMPTY]" in rogue.why


@pytest.mark.slow
def test_counterexample_with_two_messages_on_the_way_changes_a_hello_that_was_sent() -> None:
    exploration = explore(of(Setting("rsa", resume=True, bound=2))(("finished-check",)), stop_at_first=True)
    first = exploration.broken[0]
    kinds = [one.kind for one, _ in first.path]
    assert kinds.index("calls") < kinds.index("forges")
    assert realise(exploration, first, ROGUES["finished-unchecked"]).done
    assert realise(exploration, first).answer is not None


@pytest.mark.slow
def test_counterexample_of_two_protections_has_both_faults() -> None:
    removed = ("name-check", "record-mac")
    exploration = explore(RSA(removed), stop_at_first=True)
    rogue = planted(removed)
    assert rogue is not None
    assert all(realise(exploration, one, rogue).done for one in exploration.broken)


def test_replayed_says_with_the_rogue_and_without() -> None:
    exploration = attacked(DEFAULT)
    replay = replayed(exploration, exploration.broken[0], [DEFAULT])
    assert (replay.is_missing, replay.is_ours_too) == (False, False)
    assert replay.text == (
        "replayed against the implementation: with the rogue skip-to-finished it happens: the client has finished, and "
        "no secret was agreed upon; the clean implementation ends it at step 4: the client answers Finished[MATCH] "
        "with Alert[FATAL, UNEXPECTED_MESSAGE] (RFC 5246 section 7.4.9, RFC 5246 section 7.2.2)"
    )


def test_replayed_of_what_is_no_connection_of_ours_says_why_not() -> None:
    exploration = attacked(DEFAULT)
    first = exploration.broken[0]
    elsewhere = replace(exploration, model=replace(exploration.model, machines={"client": "tcp", "server": "tcp"}))
    replay = replayed(elsewhere, first, [DEFAULT])
    assert replay.with_fault is None
    assert replay.clean is None
    assert (replay.is_missing, replay.is_ours_too) == (False, False)
    assert replay.text.endswith("tls12 rsa is not a model of our TLS client and our TLS server")
    unknown = replace(first, safety=replace(first.safety, name="something-else"))
    assert "nothing says how something-else is seen" in replayed(exploration, unknown, [DEFAULT]).text
    said = "nothing to perform it with for extended-master-secret (two more guards"
    assert said in replayed(exploration, first, ["extended-master-secret"]).text
    assert replayed(exploration, first, ["no-such"]).text.endswith("nothing to perform it with for no-such")


def test_matching_rogue_each_protection_names_is_one_of_ours() -> None:
    assert set(ATTACKS) == set(MATCHING)
    assert set(PROTECTIONS) >= {*MATCHING, *APART}
    assert not set(APART) & set(MATCHING)
    assert set(MATCHING.values()) <= set(ROGUES)
