"""What the HTML report of a run of property tests says: the properties that do not hold, each with its run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shakeproof.diagrams.citations import citation
from shakeproof.properties.machines import MACHINES
from shakeproof.properties.safety import PROPERTIES
from shakeproof.properties.stateful import Failure, TestRun
from shakeproof.reports.html_chain import Chain
from shakeproof.reports.html_steps import plain, states_of, steps_of
from shakeproof.reports.html_svg import chart_svg
from shakeproof.reports.html_view import (
    FindingView,
    Page,
    Words,
    capture_link,
    chains_in,
    counted,
    mood_of,
    rules_of,
    text_chart,
)

NAME = "tests.html"


def properties_page(run: TestRun, pictures: Mapping[int, str], *, command: str, facts: Mapping[str, str]) -> Page:
    """The page of a run. pictures: the failure's place in the run -> SVG text of its chart."""
    chains: dict[str, Chain] = {}
    findings = [_failure(failure, run, index, pictures, chains) for index, failure in enumerate(run.failures)]
    untested = [result for result in run.results if not result.is_tested]
    tally = run.tally
    verdict = "FAILED" if run.failures else "NOT TESTED" if untested else "HELD"
    return Page(
        verdict=verdict,
        mood=mood_of(verdict),
        lead=(
            f"Hypothesis drove our implementation{f' with the planted fault {run.rogue}' if run.rogue else ''} through "
            f"{counted(tally.examples, 'run')}, {counted(tally.steps, 'step')} in all; after each step the model said "
            f"what was allowed.",
            *(f"{failure.property} does not hold: {PROPERTIES[failure.property]}." for failure in run.failures),
        ),
        counts=f"{sum(result.passed for result in run.results)} of {len(run.results)} properties held",
        command=command,
        facts=(("profile", run.profile), ("seed", str(run.seed)), ("used", f"{run.seconds:.1f} s"), *facts.items()),
        left_out=(
            *((f"the {name} machine: {reason}", 0, ()) for name, reason in run.skipped.items()),
            *((f"{result.name}: {result.sentence}", 0, ()) for result in untested),
        ),
        findings=tuple(findings),
        rules=rules_of(findings),
        roles=(),
        chains=tuple(chains.values()),
        tested=tuple(
            (name, f"{counted(tally.examples, 'run')}, {counted(tally.steps, 'step')}")
            for name, tally in run.tallies.items()
        ),
        meanings=tuple(PROPERTIES.items()),
        words=Words(findings="Properties that do not hold"),
    )


def _failure(
    failure: Failure, run: TestRun, index: int, pictures: Mapping[int, str], chains: dict[str, Chain]
) -> FindingView:
    party = _party(failure)
    steps = steps_of(failure.trace, "", {}, party)
    first, *rest = failure.text.splitlines()
    svg = pictures.get(index, "")
    return FindingView(
        key=f"p-{index + 1}",
        id=failure.property,
        check=failure.property,
        grade="FAILED",
        kind="fail",
        title=plain(first),
        meaning="",
        level="demanded",
        target="shakeproof",
        role="",
        role_title=", ".join(MACHINES[failure.machine].roles),
        setup=f"found by the {failure.machine} machine",
        plain=tuple(plain(line) for line in rest if not failure.clause or failure.clause not in line),
        expected="",
        got="",
        clause=plain(failure.clause),
        url=citation(failure.clause)[1] if failure.clause else "",
        sentence=plain(failure.sentence),
        seen=f"shown by {counted(failure.calls, 'call')}, seed {run.seed}",
        again=_again(failure, run),
        accepted="",
        steps=steps,
        states=states_of(failure.trace, steps, party, ""),
        chart=chart_svg(svg) if svg else None,
        text_chart="" if svg else text_chart(failure.trace),
        capture=capture_link(failure.trace),
        capture_name=f"{failure.property}-{failure.machine}.pcapng",
        chains=tuple(chains_in(failure.trace, chains)),
        machine="",
        state="",
        code=plain_code(failure.code),
    )


def _party(failure: Failure) -> str:
    """The lane whose states are told: the first of which any are known."""
    known: Sequence[str] = [lane for step in failure.trace.steps for lane in step.after]
    return known[0] if known else ""


def _again(failure: Failure, run: TestRun) -> str:
    rogue = f" --rogue {run.rogue}" if run.rogue else ""
    return f"shakeproof test {failure.property} --profile {run.profile}{rogue} --seed {run.seed}"


def plain_code(code: str) -> str:
    """Code line by line as it can be shown."""
    return "\n".join(plain(line) for line in code.splitlines())
