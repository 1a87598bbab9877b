"""Findings as the HTML report shows them: what happened in sentences, the clause, the run, and its files."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from shakeproof.diagrams.citations import citation
from shakeproof.explain import VERDICTS
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.findings import Finding, Grade
from shakeproof.reports.again import again
from shakeproof.reports.html_chain import Chain, chain_of
from shakeproof.reports.html_steps import StepView, plain, states_of, steps_of
from shakeproof.reports.html_svg import Chart, MachineSvg, chart_svg
from shakeproof.reports.pcapng import capture
from shakeproof.reports.timeline import role_key
from shakeproof.reports.wording import (
    came_sentence,
    case_of,
    counted,
    required_sentence,
    required_text,
    role_title,
    why_words,
)

CAPTURE_MOST = 24_000
"""Bytes of a Wireshark file that is put into the page: some thousand segments; a longer one stays beside the page."""
DECODED_MOST = 20
"""Chains that are shown; runs have two or three."""
BESIDE = ("py", "json", "svg", "pcapng")
"""Kinds of files of a finding that are named: the test first."""


@dataclass(frozen=True)
class FindingView:
    """A finding. key: its anchor, unique on the page; plain: what happened, in sentences; states: those passed through,
    with whether it is where it went wrong; known: a baseline has it; why: how it follows from its
    clause; reading: ours, where the clause does not oblige in so many words; must, came: what was required and what
    came, as sentences.
    """

    key: str
    id: str
    check: str
    grade: str
    kind: str
    title: str
    meaning: str
    why: str
    reading: str
    target: str
    role: str
    role_title: str
    setup: str
    plain: tuple[str, ...]
    expected: str
    got: str
    clause: str
    url: str
    sentence: str
    seen: str
    again: str
    accepted: str
    steps: tuple[StepView, ...]
    states: tuple[tuple[str, bool], ...]
    chart: Chart | None
    text_chart: str
    capture: Markup | None
    capture_name: str
    chains: tuple[str, ...]
    machine: str
    state: str
    files: tuple[str, ...] = ()
    code: str = ""
    known: bool = False
    must: str = ""
    came: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule and the findings that break it."""

    check: str
    clause: str
    url: str
    sentence: str
    findings: tuple[FindingView, ...]


def rules_of(findings: Sequence[FindingView]) -> tuple[Rule, ...]:
    """The findings by the rule that they break."""
    grouped: dict[str, list[FindingView]] = {}
    for finding in findings:
        grouped.setdefault(finding.check, []).append(finding)
    return tuple(
        Rule(check, same[0].clause, same[0].url, same[0].sentence, tuple(same)) for check, same in grouped.items()
    )


def finding_view(
    finding: Finding,
    key: str,
    svg: str,
    machines: Mapping[str, MachineSvg | None],
    chains: dict[str, Chain],
    *,
    accepted: str,
    files: set[str],
    known: bool = False,
) -> FindingView:
    """A finding for the page; chains that its run shows are added to `chains`."""
    machine = role_key(finding.target, finding.role)
    drawn = machines.get(machine)
    why, reading = why_words(finding.level, finding.role, finding.check, finding.clause, finding.sentence)
    steps = steps_of(finding.trace, finding.role, drawn.edges if drawn else {}, "target")
    return FindingView(
        key=key,
        id=finding.id,
        check=finding.check,
        grade=finding.grade.value,
        kind=kind_of(finding.grade),
        title=plain(finding.title),
        meaning=plain(case_of(finding)) or VERDICTS.get(finding.grade.value, ""),
        why=why,
        reading=plain(reading),
        target=plain(finding.target),
        role=finding.role,
        role_title=role_title(finding.role),
        setup=plain(finding.setup),
        plain=plainly(finding.target, finding.role, finding.state, finding.input),
        expected=plain(required_text(finding.expected, finding.role, finding.check)),
        got=plain(finding.got),
        clause=plain(finding.clause),
        url=citation(finding.clause)[1] if finding.clause else "",
        sentence=plain(finding.sentence),
        seen=f"shown by {counted(len(finding.word), 'message')}, seen {finding.seen[0]} of {finding.seen[1]} times",
        again=plain(again(finding)),
        accepted=plain(accepted),
        steps=steps,
        states=states_of(finding.trace, steps, "target", plain(finding.state)),
        chart=chart_svg(svg, key) if svg else None,
        text_chart="" if svg else text_chart(finding.trace),
        capture=capture_link(finding.trace),
        capture_name=f"{finding.id}.pcapng",
        chains=tuple(chains_in(finding.trace, chains)),
        machine=machine if drawn else "",
        state=plain(finding.state),
        files=tuple(name for kind in BESIDE if (name := f"{finding.id}.{kind}") in files),
        known=known,
        must=plain(required_sentence(finding.expected, finding.role, finding.check)),
        came=plain(came_sentence(finding.got)),
    )  # fmt: skip


def kind_of(grade: Grade) -> str:
    """How the page colours a grade: fail, deviation, warning or note."""
    if grade.is_failure:
        return "fail"
    return {Grade.DEVIATION: "deviation", Grade.WARNING: "warning"}.get(grade, "note")


def plainly(target: str, name: str, stood: str, symbol: str) -> tuple[str, ...]:
    """Where a target stood and what it was sent, in sentences, with what the words of the table mean."""
    role = ROLES.get(name)
    state = next((state for state in role.states if state.name == stood), None) if role else None
    where = f"{target}, as {role_title(name)}, was in the state {stood}"
    out = [f"{where} ({state.sentence})." if state else f"{where}."]
    if symbol:
        said = _meaning(role, symbol) if role else ()
        out.append(f"It was sent {symbol}{': ' + '; '.join(said) if said else ''}.")
    return tuple(plain(text) for text in out)


def _meaning(role: Role, symbol: str) -> tuple[str, ...]:
    """What the defects of a symbol mean, or, where it has none, what the message is."""
    name, _, inside = symbol.partition("[")
    values = {part.strip().lower() for part in inside.rstrip("]").split(",")}
    for message in role.alphabet:
        if message.name == name:
            faults = [v.sentence for fact in message.facts for v in fact.defects if v.name in values]
            return tuple(faults) or (message.sentence,)
    return ()


def capture_link(trace: Trace) -> Markup | None:
    """The run's Wireshark file as an address that holds it; None where it has no bytes, or too many."""
    try:
        data = capture(trace)
    except ValueError:
        return None
    if len(data) > CAPTURE_MOST:
        return None
    return Markup("data:application/octet-stream;base64,") + base64.b64encode(data).decode("ascii")


def chains_in(trace: Trace, chains: dict[str, Chain]) -> list[str]:
    """Keys of the chains that the run shows."""
    shown = []
    for step in trace.messages():
        chain = chain_of(step, trace)
        if chain is None or (chain.key not in chains and len(chains) >= DECODED_MOST):
            continue
        chains.setdefault(chain.key, chain)
        shown.append(chain.key)
    return list(dict.fromkeys(shown))


def text_chart(trace: Trace) -> str:
    """The run as text, where no picture could be drawn."""
    from shakeproof.diagrams.ladder import ladder

    return ladder(trace)
