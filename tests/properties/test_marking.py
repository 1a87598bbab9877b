"""A failing run as a trace: the step that shows it is marked, and each step is in the band that it belongs to."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Lane, Step, Trace
from shakeproof.properties.conversation import weak_in
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.properties.marking import marked
from shakeproof.properties.safety import PROPERTIES, Crashed, PropertyViolation, WentOn
from shakeproof.properties.stateful import Failure, run_properties
from shakeproof.properties.tcp_machine import TcpMachine
from tests.properties.tcp_plays import machine, replacing

LANES = (Lane("a", "A"), Lane("b", "B", side="server"))
SAID = WentOn("it went on", property="agreement", clause="RFC 5246 section 7.4.9", sentence="It MUST stop.")


def steps(*verdicts: str) -> tuple[Step, ...]:
    return tuple(
        Step(number, sender="a", receiver="b", message="x", verdict=verdict)
        for number, verdict in enumerate(verdicts, 1)
    )


@pytest.mark.parametrize(
    ("verdicts", "at"), [(("", "", ""), 3), (("", "not allowed", ""), 2), (("not allowed", "not allowed", ""), 2)]
)
def test_step_that_shows_it_has_property_words_and_clause(verdicts: tuple[str, ...], at: int) -> None:
    trace = marked(Trace("t", LANES, steps(*verdicts)), SAID)
    (step,) = [step for step in trace if step.note]
    assert (step.number, step.verdict, step.clause) == (at, "agreement", "RFC 5246 section 7.4.9")
    assert step.note == f"Step {at}, x: it went on. RFC 5246 section 7.4.9: It MUST stop."


def test_input_that_the_violation_names_is_the_step_that_is_marked() -> None:
    first, second, third = steps("", "", "")
    forged = replace(second, fate=Fate.FORGED, before={"b": "WAIT"})
    said = WentOn("tls in WAIT got x[ONE], expected abort", property="agreement")
    said.judged = ("WAIT", "x")
    trace = marked(Trace("t", LANES, (first, forged, third)), said)
    assert [step.verdict for step in trace] == ["", "agreement", ""]
    assert trace.steps[1].note.startswith("Step 2, x: ")


def test_fault_that_shows_later_is_marked_where_the_judged_input_came() -> None:
    def input_in(number: int, state: str) -> Step:
        return Step(number, sender="a", receiver="b", message="x", before={"b": state}, after={"b": state})

    said = WentOn("it went on", property="agreement")
    said.judged = ("EARLY", "x")
    run = Trace("t", LANES, (input_in(1, "EARLY"), input_in(2, "LATE"), Step(3, sender="b", receiver="a", message="y")))
    first, second, last = marked(run, said).steps
    assert (first.verdict, second.verdict, last.verdict) == ("agreement", "", "")
    assert last.note == "this shows that step 1 was not refused"
    said.judged = ("NEVER", "x")
    assert marked(run, said).steps[-1].verdict == "agreement"


def test_trace_without_steps_stays_empty() -> None:
    assert marked(Trace("t", LANES, ()), SAID).steps == ()


@cache
def failure_of(rogue: str) -> Failure:
    (failure,) = run_properties(profile="ci", rogue=rogue).failures
    return failure


@pytest.mark.parametrize("rogue", ["finished-unchecked", "in-window-reset"])
def test_failure_is_marked_once_and_whole(rogue: str) -> None:
    failure = failure_of(rogue)
    (step,) = [step for step in failure.trace if step.verdict in PROPERTIES]
    assert step.verdict == failure.property
    assert failure.clause in step.note
    assert failure.sentence in step.note
    assert len(failure.trace.title) < 60


def test_message_that_arrives_is_in_the_band_of_the_state_that_it_arrives_in() -> None:
    failure = failure_of("finished-unchecked")
    role = ROLES["tls12.client"]
    phases = {state.name: state.phase for state in role.states}
    arrived = [step for step in failure.trace if step.receiver == "target"]
    assert [step.phase for step in arrived] == [phases[step.before["target"]] for step in arrived]
    certificate = next(step for step in arrived if step.message == "Certificate")
    assert phases[certificate.after["target"]] != certificate.phase, "it leads to another band"


def test_segments_are_in_the_band_that_they_belong_to() -> None:
    made = machine(record=True)
    made.deliver(count=5)
    made.close(by_peer=True)
    bands: dict[str, list[str]] = {}
    for step in made.trace("open, and closed by the peer"):
        bands.setdefault(step.phase, []).append(step.label)
    assert bands["setup"][:4] == ["active OPEN", "SYN", "SYN-ACK", "ACK"]
    assert bands["passive_close"][:2] == ["FIN-ACK", "ACK"]


def crash(*_: Any) -> None:
    raise IndexError("list index out of range")


def first_crash(made: TcpMachine) -> PropertyViolation | None:
    with contextlib.suppress(PropertyViolation):
        made.deliver(count=5)
    return made.violation


def test_segment_that_crashes_tcp_is_in_the_trace() -> None:
    made = machine(plant=replacing(receive_segment=crash), record=True)
    violation = first_crash(made)
    assert isinstance(violation, Crashed)
    last = marked(made.trace("a crash"), violation).steps[-1]
    assert (last.sender, last.title, last.verdict) == ("peer", "SYN-ACK", "clean-failure")
    assert "IndexError" in last.note


@pytest.mark.parametrize("path", ["on-path", "spliced"])
def test_states_of_tcp_follow_each_other_in_a_run_with_an_attacker(path: str) -> None:
    made = InteractionMachine(record=True)
    made.configure(manner="plain", path=path, suite="TLS_RSA_WITH_AES_128_CBC_SHA")
    made.finish()
    trace = made.trace("a whole run")
    last: dict[str, str] = {}
    for step in trace:
        if step.layer == "tcp":
            for lane, state in step.before.items():
                assert last.get(lane, state) == state, step
            last.update(step.after)
    assert last["client"] in {"TIME-WAIT", "CLOSED"}
    assert all(step.clause for step in trace if step.layer == "tls12" and step.fate is Fate.DELIVERED)


def test_keys_that_anybody_can_compute_are_told_with_the_trace() -> None:
    (one, other) = steps("", "")
    weak = replace(one, protection="keys of an empty master secret")
    assert weak_in([weak, replace(other, protection="the session keys")]) == {"weak": [weak.protection]}
    assert weak_in([one, replace(other, protection="the session keys")]) == {}
