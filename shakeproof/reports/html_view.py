"""What the HTML report of an audit says, as plain values for its template: every text computed, nothing marked up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from shakeproof.explain import VERDICTS
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import UNTOLD
from shakeproof.properties.findings import OUT_OF_TIME, Finding, Grade, NotTested, RoleRun
from shakeproof.reports.html_chain import Chain
from shakeproof.reports.html_clauses import Broken, Document, heat
from shakeproof.reports.html_findings import FindingView, Rule, finding_view, rules_of
from shakeproof.reports.html_steps import plain
from shakeproof.reports.html_svg import MachineSvg, Mark, machine_svg
from shakeproof.reports.summary import Judgement, rows_text
from shakeproof.reports.timeline import Bar, role_key
from shakeproof.reports.wording import counted, percent, role_title, row_of

EXAMPLES_MOST = 5

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
    accepted |= {
        id(one): f"no longer accepted, since {entry.until}: {entry.reason}" for one, entry in judgement.expired
    }
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
    said = [f"{percent(r.cells_run, r.cells)} % of the cells of {r.target} as {role_title(r.role)}" for r in halves]
    return plain(f"Not enough was tested: {_and(said)} ran within its {judgement.run.time_s:g} s")


def _lead(judgement: Judgement) -> tuple[str, ...]:
    """The verdict in sentences for somebody who has never seen the tool."""
    run = judgement.run
    targets = list(dict.fromkeys(role.target for role in run.roles))
    titles = list(dict.fromkeys(role_title(role.role) for role in run.roles))
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
        names = _and([f"{role.target} as {role_title(role.role)}" for role in halves])
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
            whose = f"{role.target} {role_title(role.role)}: {reason}"
            out.append((plain(whose), cells, tuple(map(plain, examples))))
    return tuple(sorted(out, key=lambda item: -item[1]))


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
        title=role_title(result.role),
        line=f"{failed}, {result.words} conversations, {result.wall_s:.1f} s",
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


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")


def _and(names: Sequence[str]) -> str:
    """A list in words."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else "nothing"
