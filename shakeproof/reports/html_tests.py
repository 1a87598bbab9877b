"""What the HTML report of a run of property tests says: the properties that do not hold, each with its run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from shakeproof.diagrams.citations import citation
from shakeproof.diagrams.render import RendererMissingError
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Step, Trace
from shakeproof.properties.machines import MACHINES
from shakeproof.properties.recorded import Tally
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.safety import PROPERTIES
from shakeproof.properties.stateful import Failure, TestRun
from shakeproof.reports.html_chain import Chain
from shakeproof.reports.html_clauses import Broken, heat
from shakeproof.reports.html_findings import FindingView, capture_link, chains_in, plainly, rules_of, text_chart
from shakeproof.reports.html_steps import plain, states_of, steps_of
from shakeproof.reports.html_svg import MachineSvg, Mark, chart_svg, machine_svg
from shakeproof.reports.html_view import Page, RoleReport, Words, machine_label, mood_of
from shakeproof.reports.timeline import role_key
from shakeproof.reports.wording import came_sentence, counted, required_sentence, required_text, why_words

NAME = "tests.html"
TARGET = "shakeproof"


@dataclass(frozen=True)
class Culprit:
    """Who went wrong in a failure. party, layer: whose states are told, and of which layer; role: whose table they are
    of; step: the one that is marked; state: where the party stood when what it answers came.
    """

    party: str
    layer: str
    role: str
    step: Step | None
    state: str

    @property
    def row(self) -> str:
        """The code of the row that was broken, in lower case; "" for a row that no arrow shows."""
        row = ROLES[self.role].by_id.get(self.step.row) if self.step else None
        return "" if row is None or row.is_rest else row.code.lower()


CHAINS = "certificate"
"""The role whose table says what a chain of certificates is judged by: no machine drives that table row by row."""


def properties_page(run: TestRun, pictures: Mapping[int, str], *, command: str, facts: Mapping[str, str]) -> Page:
    """The page of a run. pictures: the failure's place in the run -> SVG text of its chart."""
    chains: dict[str, Chain] = {}
    culprits = [culprit_of(failure) for failure in run.failures]
    roles = _roles(run, culprits)
    machines = {role.role: role.machine for role in roles}
    findings = [
        _failure(failure, run, index, pictures, chains, culprit, machines.get(culprit.role))
        for index, (failure, culprit) in enumerate(zip(run.failures, culprits, strict=True))
    ]
    untested = [result for result in run.results if not result.is_tested]
    tally = run.tally
    verdict = "FAILED" if run.failures else "NOT TESTED" if untested else "HELD"
    return Page(
        verdict=verdict,
        mood=mood_of(verdict),
        lead=(*_planted(run.rogue), _drove(tally), *(_broke(failure.property) for failure in run.failures)),
        counts=f"{sum(result.passed for result in run.results)} of {len(run.results)} properties held",
        command=command,
        facts=(("profile", run.profile), ("seed", str(run.seed)), ("used", f"{run.seconds:.1f} s"), *facts.items()),
        left_out=(
            *((f"the {name} machine: {reason}", 0, ()) for name, reason in run.skipped.items()),
            *((f"{result.name}: {result.sentence}", 0, ()) for result in untested),
        ),
        findings=tuple(findings),
        rules=rules_of(findings),
        roles=roles,
        chains=tuple(chains.values()),
        tested=tuple(
            (name, f"{counted(tally.examples, 'run')}, {counted(tally.steps, 'step')}{_words(tally)}")
            for name, tally in run.tallies.items()
        ),
        meanings=tuple(PROPERTIES.items()),
        words=Words(findings="Properties that do not hold"),
    )


def coverage_json(run: TestRun) -> str:
    """What the run exercised of each role's table, and what it found, as `draw machine --coverage` reads it."""
    from shakeproof.machines import RUN

    roles = dict.fromkeys(role for name in run.tallies for role in MACHINES[name].roles)
    rows = run.tally.rows
    exercised = [
        {"target": TARGET, "role": name, "exercised": {r.id: rows[r.id] for r in ROLES[name].rows if rows[r.id]}}
        for name in roles
    ]
    culprits = [culprit_of(failure) for failure in run.failures]
    found = [{"role": culprit.role, "check": culprit.row.upper(), "got": ""} for culprit in culprits if culprit.row]
    return json.dumps({"format": RUN, "roles": exercised, "findings": found}, indent=1) + "\n"


def _planted(rogue: str) -> tuple[str, ...]:
    """What the fault is that was planted on purpose, and that is to be found."""
    if not rogue:
        return ()
    fault = ROGUES[rogue].fault.rstrip(".") if rogue in ROGUES else "a fault of its own"
    return (f"This is our own implementation with a fault planted on purpose ({rogue}: {fault}), to see it found.",)


def _drove(tally: Tally) -> str:
    """How much was tried."""
    return (
        f"Hypothesis drove it through {counted(tally.examples, 'run')} with {counted(tally.steps, 'step')}"
        f"{_words(tally)}; after each the model said what was allowed."
    )


def _words(tally: Tally) -> str:
    return f", and {counted(tally.words, 'short conversation')} of the suite in them" if tally.words else ""


def _broke(name: str) -> str:
    return f"Broken: that {PROPERTIES[name]} (the property {name})."


def culprit_of(failure: Failure) -> Culprit:
    """Who went wrong: of several, an end that has to do with the step that is marked."""
    step = next((step for step in reversed(failure.trace.steps) if step.verdict), None)
    roles = MACHINES[failure.machine].roles or (CHAINS,)
    known = list(dict.fromkeys(lane for step in failure.trace.steps for lane in step.after))
    if len(roles) == 1:
        party = known[0] if known else ""
        return Culprit(party, "", roles[0], step, _stood(failure.trace, step, party))
    ends = [lane for lane in (step.sender, step.receiver) if lane in known] if step else known
    party = ends[0] if ends else "client"
    layer = step.layer if step else ""
    role = next((role for role in roles if role in (layer, f"{layer}.{party}")), roles[0])
    return Culprit(party, layer, role, step, _stood(failure.trace, step, party))


def _stood(trace: Trace, step: Step | None, party: str) -> str:
    """Where the party stood before the step, or before the one that this only answers: the same row judged both."""
    if step is None:
        return ""
    same = [other for other in trace.steps if other.number <= step.number]
    while len(same) > 1 and step.row and same[-2].row == step.row:
        same.pop()
    return same[-1].before.get(party, "") if same else ""


def _roles(run: TestRun, culprits: Sequence[Culprit]) -> tuple[RoleReport, ...]:
    """The roles in which something went wrong, each with its machine."""
    rows = run.tally.rows
    out = []
    driven = {role for machine in run.tallies for role in MACHINES[machine].roles}
    for name in dict.fromkeys(culprit.role for culprit in culprits if culprit.role in driven):
        role = ROLES[name]
        own = [
            (index, failure, culprit)
            for index, (failure, culprit) in enumerate(zip(run.failures, culprits, strict=True), 1)
            if culprit.role == name
        ]
        ran = {row.id: rows[row.id] for row in role.rows if rows[row.id]}
        out.append(
            RoleReport(
                key=role_key(TARGET, name),
                target=TARGET,
                description=f"our own implementation{f' with the rogue {run.rogue}' if run.rogue else ''}",
                role=name,
                title=role.title,
                line=f"{counted(len(own), 'property', '')} does not hold"
                if len(own) == 1
                else f"{len(own)} properties do not hold",
                rows=f"{len(ran)}/{len(role.rows)} rows",
                cells=0,
                cells_run=0,
                error="",
                tested=True,
                setups=(),
                machine=_machine(name, ran, [culprit for _, _, culprit in own]),
                text_machine="",
                broken=tuple(
                    (f"p-{index}", failure.title or failure.text.splitlines()[0]) for index, failure, _ in own
                ),
                never=tuple(row.title for row in role.rows if row.id not in ran),
                notes=(),
                documents=heat(role.rows, ran, [Broken(failure.clause, f"p-{n}", True) for n, failure, _ in own]),
            )
        )
    return tuple(out)


def _machine(name: str, ran: Mapping[str, int], culprits: Sequence[Culprit]) -> MachineSvg | None:
    """The machine of a role, with what ran and what was broken; None where nothing can draw it."""
    from shakeproof.figures import draw_role

    try:
        svg = draw_role(name, coverage=ran).render("svg").decode()
    except RendererMissingError:
        return None
    label, mark = machine_label(ROLES[name]), Mark("broken", "FAILED")
    drawn = machine_svg(svg, {}, {}, label).edges
    broken = {culprit.row: mark for culprit in culprits if culprit.row in drawn}
    # Of a row that no arrow shows, such as one that stays in its state, the state is marked.
    states = {plain(culprit.state): mark for culprit in culprits if culprit.row not in drawn and culprit.state}
    return machine_svg(svg, broken, states, label)


def _failure(
    failure: Failure,
    run: TestRun,
    index: int,
    pictures: Mapping[int, str],
    chains: dict[str, Chain],
    culprit: Culprit,
    drawn: MachineSvg | None,
) -> FindingView:
    steps = steps_of(failure.trace, culprit.role, drawn.edges if drawn else {}, culprit.party, culprit.layer)
    first, *rest = failure.text.splitlines()
    why, reading = why_words("demanded", culprit.role, "", failure.clause, failure.sentence)
    at = culprit.step.number if culprit.step else 0
    svg = pictures.get(index, "")
    whose = f"{TARGET}{f' with the rogue {run.rogue}' if run.rogue else ''}"
    return FindingView(
        key=f"p-{index + 1}",
        id=failure.property,
        check=failure.property,
        grade="FAILED",
        kind="fail",
        title=plain(failure.title or first),
        meaning=plain(f"the property {failure.property} says that {PROPERTIES.get(failure.property, '')}"),
        why=why,
        reading=plain(reading),
        target=TARGET,
        role=culprit.role,
        role_title=ROLES[culprit.role].title,
        setup=f"found by the {failure.machine} machine",
        plain=plainly(whose, culprit.role, failure.state, failure.input)
        if failure.title
        else tuple(plain(line) for line in rest if not failure.clause or failure.clause not in line),
        expected=plain(required_text(failure.expected, culprit.role)),
        got=plain(failure.got),
        clause=plain(failure.clause),
        url=citation(failure.clause)[1] if failure.clause else "",
        sentence=plain(failure.sentence),
        seen=f"shown by {counted(failure.calls, 'call')}, seed {run.seed}",
        again=_again(failure, run),
        accepted="",
        steps=steps,
        states=states_of(failure.trace, steps, culprit.party, plain(culprit.state), culprit.layer, at),
        chart=chart_svg(svg, f"p-{index + 1}") if svg else None,
        text_chart="" if svg else text_chart(failure.trace),
        capture=capture_link(failure.trace),
        capture_name=f"{failure.property}-{failure.machine}.pcapng",
        chains=tuple(chains_in(failure.trace, chains)),
        machine=role_key(TARGET, culprit.role) if drawn else "",
        state=plain(culprit.state),
        code=plain_code(failure.code),
        must=plain(required_sentence(failure.expected, culprit.role)),
        came=plain(came_sentence(failure.got)),
    )


def _again(failure: Failure, run: TestRun) -> str:
    rogue = f" --rogue {run.rogue}" if run.rogue else ""
    return f"shakeproof test {failure.property} --profile {run.profile}{rogue} --seed {run.seed}"


def plain_code(code: str) -> str:
    """Code line by line as it can be shown."""
    return "\n".join(plain(line) for line in code.splitlines())
