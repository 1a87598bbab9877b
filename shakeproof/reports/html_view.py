"""What the HTML report of an audit says, as plain values for its template: every text computed, nothing marked up."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from markupsafe import Markup

from shakeproof.diagrams.citations import citation
from shakeproof.explain import VERDICTS
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.conformance import UNTOLD
from shakeproof.properties.findings import OUT_OF_TIME, Finding, Grade, NotTested, RoleRun
from shakeproof.reports.html_chain import Chain, chain_of
from shakeproof.reports.html_clauses import Broken, Document, heat
from shakeproof.reports.html_steps import StepView, plain, states_of, steps_of
from shakeproof.reports.html_svg import Chart, MachineSvg, Mark, chart_svg, machine_svg
from shakeproof.reports.pcapng import capture
from shakeproof.reports.summary import Judgement, rows_text
from shakeproof.reports.timeline import Bar, role_key
from shakeproof.reports.wording import (
    came_sentence,
    case_of,
    percent,
    required_sentence,
    required_text,
    row_of,
    why_words,
)

CAPTURE_MOST = 24_000
"""Bytes of a Wireshark file that is put into the page: some thousand segments; a longer one stays beside the page."""
DECODED_MOST = 20
"""Chains that are shown; runs have two or three."""
EXAMPLES_MOST = 5
BESIDE = ("py", "json", "svg", "pcapng")
"""Kinds of files of a finding that are named: the test first."""

GLOSSARY = (
    ("target", "the stack under test"),
    ("tester", "plays its peer, and breaks one rule at a time"),
    ("state", "where a connection stands, such as waiting for a certificate"),
    ("cell", "one state with one message that could come then"),
    ("row", "one transition of a state machine, written from a sentence of an RFC"),
    ("clause", "that sentence, with document and section"),
    ("abort(x)", "end the connection with the fatal alert x"),
)
"""Words of the report that a reader may not know."""


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
class RoleReport:
    """One role of one target."""

    key: str
    target: str
    description: str
    role: str
    title: str
    line: str
    rows: str
    cells: int
    cells_run: int
    error: str
    tested: bool
    setups: tuple[str, ...]
    machine: MachineSvg | None
    text_machine: str
    broken: tuple[tuple[str, str], ...]
    never: tuple[str, ...]
    notes: tuple[str, ...]
    documents: tuple[Document, ...]

    @property
    def share(self) -> int:
        """Per cent of the cells that ran."""
        return percent(self.cells_run, self.cells)


@dataclass(frozen=True)
class Rule:
    """A rule and the findings that break it."""

    check: str
    clause: str
    url: str
    sentence: str
    findings: tuple[FindingView, ...]


@dataclass(frozen=True)
class Words:
    """What the sections are called; most: findings that are listed before the first section."""

    wrong: str = "What is wrong"
    findings: str = "Findings"
    most: int = 12


@dataclass(frozen=True)
class Page:
    """The whole report."""

    verdict: str
    mood: str
    lead: tuple[str, ...]
    counts: str
    command: str
    facts: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, int, tuple[str, ...]], ...]
    findings: tuple[FindingView, ...]
    rules: tuple[Rule, ...]
    roles: tuple[RoleReport, ...]
    chains: tuple[Chain, ...]
    timeline: tuple[Bar, ...] = ()
    meanings: tuple[tuple[str, str], ...] = ()
    tested: tuple[tuple[str, str], ...] = ()
    words: Words = field(default_factory=Words)
    headline: str = ""
    """What stands above all, where the verdict's own words would be misread."""

    @property
    def news(self) -> tuple[FindingView, ...]:
        """The findings that no baseline has."""
        return tuple(finding for finding in self.findings if not finding.known)

    @property
    def known(self) -> tuple[FindingView, ...]:
        """The findings that the baseline has too."""
        return tuple(finding for finding in self.findings if finding.known)

    @property
    def kinds(self) -> tuple[tuple[str, str], ...]:
        """The kinds of finding that there are, with their names."""
        names = {"fail": "FAIL, CRASH, HANG", "deviation": "DEVIATION", "warning": "WARNING", "note": "other"}
        return tuple((kind, said) for kind, said in names.items() if any(f.kind == kind for f in self.findings))

    @property
    def targets(self) -> tuple[str, ...]:
        """The targets that have findings."""
        return tuple(dict.fromkeys(finding.target for finding in self.findings))


def audit_page(
    judgement: Judgement, *, version: str, pictures: Mapping[str, str], files: Iterable[str], timeline: Sequence[Bar]
) -> Page:
    """The page of an audit. pictures: stem -> SVG text, as the folder report drew them; files: beside the page."""
    run = judgement.run
    accepted = {id(finding): f"accepted until {entry.until}: {entry.reason}" for finding, entry in judgement.accepted}
    old = {id(finding) for finding in judgement.known}
    chains: dict[str, Chain] = {}
    listed = set(files)
    machines: dict[str, MachineSvg | None] = {}
    keys = _unique(f"f-{finding.id}" for finding in run.findings)
    broken = [(finding, key) for finding, key in zip(run.findings, keys, strict=True)]
    roles: list[RoleReport] = []
    for result in run.roles:
        view = _role(result, pictures, broken, old)
        machines[view.key] = view.machine
        roles.append(view)
    findings = []
    for finding, key in broken:
        findings.append(
            finding_view(
                finding, key, pictures.get(finding.id, ""), machines, chains,
                accepted=accepted.get(id(finding), ""), files=listed, known=id(finding) in old,
            )
        )  # fmt: skip
    return Page(
        verdict=judgement.verdict,
        mood=mood_of(judgement.verdict),
        lead=_lead(judgement),
        counts=judgement.counts,
        command=judgement.command,
        facts=(
            ("command", judgement.command), ("seed", str(run.seed)),
            ("budget, used", f"{run.time_s:g} s, {run.seconds:.1f} s"), ("exit code", str(int(judgement.exit_code))),
            *((name, str(value)) for name, value in {"shakeproof": version, **run.facts}.items()),
        ),
        left_out=_left_out(judgement),
        findings=tuple(findings),
        rules=rules_of(findings),
        roles=tuple(roles),
        chains=tuple(chains.values()),
        timeline=tuple(timeline),
        words=_words(judgement),
        meanings=(*GLOSSARY, *VERDICTS.items()),
        headline=_headline(judgement),
    )  # fmt: skip


def mood_of(verdict: str) -> str:
    """How the page shows a verdict: good, bad or unsure."""
    return {"CONFORMING": "good", "HELD": "good", "NOT CONFORMING": "bad", "FAILED": "bad"}.get(verdict, "unsure")


def _unique(names: Iterable[str]) -> list[str]:
    out: list[str] = []
    for name in names:
        count = sum(other == name or other.startswith(f"{name}.") for other in out)
        out.append(name if not count else f"{name}.{count + 1}")
    return out


def _words(judgement: Judgement) -> Words:
    if judgement.failures or not judgement.run.findings:
        return Words()
    if any(finding.grade.is_failure for finding, _ in judgement.accepted):
        return Words(wrong="What was found")
    return Words(wrong="New smaller differences" if judgement.compared else "Smaller differences")


def _headline(judgement: Judgement) -> str:
    """Of a run that tested too little: how much of what ran; "" for any other."""
    halves = [role for role in judgement.run.roles if not role.is_tested]
    if judgement.verdict != "NOT TESTED" or not halves or any(role.error for role in halves):
        return ""
    said = [f"{percent(r.cells_run, r.cells)} % of the cells of {r.target} as {_title(r.role)}" for r in halves]
    return plain(f"Not enough was tested: {_and(said)} ran within its {judgement.run.time_s:g} s")


def _lead(judgement: Judgement) -> tuple[str, ...]:
    """The verdict in sentences for somebody who has never seen the tool."""
    run = judgement.run
    targets = list(dict.fromkeys(role.target for role in run.roles))
    titles = list(dict.fromkeys(_title(role.role) for role in run.roles))
    described = {role.target: role.description for role in run.roles}
    named = [name if described[name] in ("", name) else f"{name} ({described[name]})" for name in targets]
    part = "in part " if any(not role.is_tested for role in run.roles) else ""
    what = f"{_and(named)} {'was' if len(targets) == 1 else 'were'} tested {part}".rstrip()
    words = sum(role.words for role in run.roles)
    first = (
        f"{what} as {_and(titles)}: {_thousands(words)} conversations, most with one message that a standard forbids, "
        f"and every answer was held against the standards' text."
    )
    must = judgement.failures
    other = judgement.count(Grade.DEVIATION) + judgement.count(Grade.WARNING)
    known = sum(finding.grade.is_failure for finding in judgement.known)
    excused = sum(finding.grade.is_failure for finding, _ in judgement.accepted)
    if must:
        new = " (new)" if judgement.compared else ""
        second = f"{counted(must, 'rule')} that the standards oblige to{new} {'is' if must == 1 else 'are'} broken."
        second += f" {counted(known, 'known failure')} (in the baseline) beside." if known else ""
    elif known:
        nothing = "no new failure" if other else "nothing new"
        second = f"{counted(known, 'known failure')} (in the baseline), {nothing}."
    elif excused:
        second = "No failure but what your file accepts."
    else:
        second = "No rule that the standards oblige to was broken in a way that matters."
    if excused:
        second += f" Your file accepts {counted(excused, 'failure')}."
    if other:
        new = "new " if judgement.compared else ""
        second += (
            f" {counted(other, f'{new}smaller difference')} from the standards {'is' if other == 1 else 'are'} listed."
        )
    out = [first, second]
    halves = [role for role in run.roles if not role.is_tested]
    if halves:
        names = _and([f"{role.target} as {_title(role.role)}" for role in halves])
        out.append(f"Too little of {names} was tested to call it conforming: at least half of the cells have to run.")
    if run.interrupted:
        out.append("The run was interrupted; what it had found until then stands here.")
    return tuple(plain(text) for text in out)


def _without_extra(role: RoleRun) -> Iterator[NotTested]:
    """What was not tested; what the time did not suffice for in two parts, so that the cells add up to the role's."""
    named = sum(item.cells for item in role.not_tested if item.reason not in (OUT_OF_TIME, UNTOLD))
    rest = max(0, role.cells - role.cells_run - named)
    for item in role.not_tested:
        if item.reason != OUT_OF_TIME:
            yield item
            continue
        inside = min(item.cells, rest)
        rest -= inside
        if inside:
            yield replace(item, cells=inside)
        if item.cells > inside:
            yield NotTested(f"{OUT_OF_TIME}: conversations about no cell, such as messages cut up or repeated", 0)


def _left_out(judgement: Judgement) -> tuple[tuple[str, int, tuple[str, ...]], ...]:
    out: list[tuple[str, int, tuple[str, ...]]] = []
    for role in judgement.run.roles:
        grouped: dict[str, tuple[int, tuple[str, ...]]] = {}
        if role.error:
            grouped[role.error] = (max(0, role.cells - role.cells_run), ())
        for item in _without_extra(role):
            cells, examples = grouped.get(item.reason, (0, ()))
            grouped[item.reason] = (cells + item.cells, (*examples, *item.examples)[:EXAMPLES_MOST])
        for reason, (cells, examples) in grouped.items():
            whose = f"{role.target} {_title(role.role)}: {reason}"
            out.append((plain(whose), cells, tuple(map(plain, examples))))
    return tuple(sorted(out, key=lambda item: -item[1]))


def rules_of(findings: Sequence[FindingView]) -> tuple[Rule, ...]:
    """The findings by the rule that they break."""
    grouped: dict[str, list[FindingView]] = {}
    for finding in findings:
        grouped.setdefault(finding.check, []).append(finding)
    return tuple(
        Rule(check, same[0].clause, same[0].url, same[0].sentence, tuple(same)) for check, same in grouped.items()
    )


# ---------------------------------------------------------------------------------------------------------------- roles


def _role(
    result: RoleRun, pictures: Mapping[str, str], found: Sequence[tuple[Finding, str]], old: set[int]
) -> RoleReport:
    from shakeproof.reports.folder import machine_stem

    role = ROLES.get(result.role)
    own = [(finding, key) for finding, key in found if (finding.target, finding.role) == (result.target, result.role)]
    svg = pictures.get(machine_stem(result), "")
    machine = _machine(svg, role, own) if role and svg else None
    rows = role.rows if role else ()
    failures = [finding for finding in result.findings if finding.grade.is_failure]
    known = sum(id(finding) in old for finding in failures)
    failed = f"{len(failures)} FAIL{f' ({known} known)' if known else ''}"
    return RoleReport(
        key=role_key(result.target, result.role),
        target=plain(result.target),
        description=plain(result.description),
        role=result.role,
        title=_title(result.role),
        line=f"{failed}, {result.words} conversations, {result.seconds:.1f} s",
        rows=rows_text(result),
        cells=result.cells,
        cells_run=result.cells_run,
        error=plain(result.error),
        tested=result.is_tested,
        setups=tuple(map(plain, result.setups)),
        machine=machine,
        text_machine="",
        broken=tuple((key, f"{finding.grade.value}: {finding.title}") for finding, key in own),
        never=tuple(row.title for row in rows if not result.exercised.get(row.id)),
        notes=tuple(map(plain, result.notes.values())),
        documents=heat(
            rows,
            result.exercised,
            [Broken(f.clause, f.id, f.grade.is_failure) for f, _ in own if f.grade is not Grade.NOTE],
        ),
    )


def _machine(svg: str, role: Role, own: Sequence[tuple[Finding, str]]) -> MachineSvg:
    broken: dict[str, Mark] = {}
    states: dict[str, Mark] = {}
    for finding, _ in own:
        row = row_of(role, finding.check)
        css = "broken" if finding.grade.is_failure else "differs"
        mark = Mark(css, plain(f"{finding.grade.value}: finding {finding.id}"))
        # Worst findings come first, and their mark stays.
        if row is not None and not row.is_rest:
            broken.setdefault(row.code.lower(), mark)
        else:
            states.setdefault(plain(finding.state), mark)
    return machine_svg(svg, broken, states, machine_label(role))


def machine_label(role: Role) -> str:
    """What the picture of a machine is, for those who don't see it."""
    return (
        f"State machine of a {role.title}: which of its rows ran, and how often. A list of those that did not follows."
    )


def _title(role: str) -> str:
    return ROLES[role].title if role in ROLES else role


# ------------------------------------------------------------------------------------------------------------- findings


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
        role_title=_title(finding.role),
        setup=plain(finding.setup),
        plain=plainly(finding.target, finding.role, finding.state, finding.input),
        expected=plain(required_text(finding.expected, finding.role, finding.check)),
        got=plain(finding.got),
        clause=plain(finding.clause),
        url=citation(finding.clause)[1] if finding.clause else "",
        sentence=plain(finding.sentence),
        seen=f"shown by {counted(len(finding.word), 'message')}, seen {finding.seen[0]} of {finding.seen[1]} times",
        again=f"shakeproof replay {finding.id}",
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
    where = f"{target}, as {_title(name)}, was in the state {stood}"
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


# ---------------------------------------------------------------------------------------------------------------- words


def counted(count: int, word: str, plural: str = "s") -> str:
    """A count with its noun."""
    return f"{count} {word}{'' if count == 1 else plural}"


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _and(names: Sequence[str]) -> str:
    """A list in words."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"
