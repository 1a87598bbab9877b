"""The Hypothesis machine of our certificate validation: clean over thousands of chains, and what it finds where not."""

from __future__ import annotations

import pytest

from shakeproof.properties.chain_machine import ChainMachine
from shakeproof.properties.chains.faults import FAULTS
from shakeproof.properties.failures import repeat
from shakeproof.properties.machines import MACHINES, PROFILES, Profile
from shakeproof.properties.recorded import Tally
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.safety import RefusedValid, WentOn
from shakeproof.properties.stateful import TestRun, run_properties

PROPERTIES = tuple(name for name in MACHINES["chain"].properties if name.startswith("chain-"))
ROGUES_OF_CHAINS = tuple(name for name, rogue in ROGUES.items() if rogue.validator is not None)
QUICKLY_FOUND = ("lenient-padding", "any-digest", "constraints-with-case", "issuer-key-usage-ignored", "wrong-name")
"""Rogues that every run of the tests looks for."""

# What is left of each: a chain as short as can be, with one fault.
SHORTEST = {
    "expired-issuer": ("judge", {"faults": ("expired@1",)}),
    "lenient-padding": ("judge", {"faults": ("cube-root@0",)}),
    "any-digest": ("judge", {"faults": ("no-digest@0",)}),
    "basic-constraints-ignored": ("judge", {"faults": ("not-a-ca@1",)}),
    "path-length-ignored": ("judge", {"faults": ("path-length@2",)}),
    "issuer-key-usage-ignored": ("judge", {"faults": ("no-cert-sign@1",)}),
    "issuer-name-ignored": ("judge", {"faults": ("other-issuer-name@0",)}),
    "critical-ignored": ("judge", {"faults": ("unknown-critical@0",)}),
    "constraints-with-case": ("judge", {"faults": ("excluded-in-capitals@1",)}),
    "nul-ends-name": ("judge", {"faults": ("name-before-nul",)}),
}


def run(rogue: str, profile: str = "ci") -> TestRun:
    return run_properties(PROPERTIES, profile=profile, rogue=rogue)


def chains(done: TestRun) -> int:
    return sum(done.tally.reached.values())


def test_a_thousand_chains_of_the_clean_validator_keep_every_property(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        PROFILES, "thousand", Profile("thousand", "a thousand chains", 150, 14, derandomized=True, whole=False)
    )
    done = run("", "thousand")
    assert done.passed, done.failures[0].code
    assert chains(done) >= 1_000
    assert done.tally.reached["defective chains"] > 300
    assert not done.idle_rules()


def test_every_fault_that_no_run_came_to_is_tried_in_the_end() -> None:
    tried = [
        arguments["faults"] for index in range(4) for _, (_, arguments) in ChainMachine.rest(Tally(share=(index, 4)))
    ]
    assert {text.partition("@")[0] for (text,) in tried} == set(FAULTS)


@pytest.mark.slow
def test_ten_thousand_chains_of_the_clean_validator_keep_every_property(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROFILES, "myriad", Profile("myriad", "ten thousand chains", 1_600, 20, derandomized=True))
    done = run("", "myriad")
    assert done.passed, done.failures[0].code
    assert chains(done) >= 10_000


@pytest.mark.parametrize(
    "rogue",
    [pytest.param(name, marks=[] if name in QUICKLY_FOUND else [pytest.mark.slow]) for name in ROGUES_OF_CHAINS],
)
def test_every_rogue_of_certificates_is_found_and_made_as_short_as_can_be(rogue: str) -> None:
    done = run(rogue)
    assert len(done.failures) == 1, f"{rogue} was not found in {chains(done)} chains"
    failure = done.failures[0]
    assert failure.calls == 2
    assert failure.machine == "chain"
    assert failure.found_as in ("WentOn", "Unadvised"), failure.text
    _, (name, arguments) = failure.run
    assert len(arguments.get("faults", ())) <= 1
    if rogue in SHORTEST:
        assert (name, arguments) == SHORTEST[rogue]
    places = [int(text.partition("@")[2] or 0) for text in arguments.get("faults", ())]
    assert failure.run[0][1]["depth"] <= max(places, default=0)
    assert repeat(ChainMachine, "", failure.run).violation is None, "the clean validator fails too"
    assert failure.trace.steps


def test_a_failure_is_code_that_fails_again() -> None:
    failure = run("issuer-key-usage-ignored").failures[0]
    scope: dict[str, object] = {"__name__": "pasted"}
    exec(failure.code, scope)
    with pytest.raises(WentOn, match="ISSUER_KEY_USAGE"):
        scope["test_chain_judged"]()  # type: ignore[operator]


def test_a_validator_that_refuses_too_much_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other direction: no rogue refuses what is sound, and a check that cannot fail proves nothing."""
    machine = ChainMachine()
    machine.configure(depth=1)
    monkeypatch.setattr("shakeproof.properties.chain_machine.expected", lambda plan: frozenset())
    with pytest.raises(RefusedValid, match="expected it to be accepted"):
        machine.judge(faults=("expired@0",))
