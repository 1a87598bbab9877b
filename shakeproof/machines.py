"""Machines that can be drawn beside a role's own: with what a run found changed, with a rogue's fault, or from a file.

What a stack does otherwise than the table is known from findings: each names the row that was broken and what came
instead. So the table with these rows changed is the machine as far as it was seen.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shakeproof.diagrams.compare import FORMAT, from_json
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.picture import MachinePicture, Move, Way
from shakeproof.exits import UsageError, choose
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, State
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Trace
from shakeproof.reports.wording import row_of

if TYPE_CHECKING:
    from shakeproof.properties.findings import Finding

RUN = "shakeproof.run/1"
COVERAGE = "coverage.json"
"""The file in which a run of property tests keeps what it exercised; an audit has that in its run.json."""
RUN_MOST = 200 << 20
"""Bytes: a report holds every finding's run."""
ROGUE_TIME_S = 20.0
"""For the audit of a rogue: its fault shows within seconds."""
AS_VALID = "took it as valid"
"""How a finding says that the fault was not noticed."""
ENDED = re.compile(r"\bclosed\b|\bdied\b|Alert\[FATAL|Alert\[CLOSURE")
"""What a finding's answer has where the target ended the connection."""


@dataclass(frozen=True)
class Broken:
    """A row that was broken: its code, the state and the input that showed it, and what came instead.

    reached: the state in which the run went on, "" where it did not.
    """

    role: str
    check: str
    got: str
    state: str = ""
    input: str = ""
    reached: str = ""

    @staticmethod
    def of(role: str, check: str, got: str, state: str, said: str, trace: Trace | None) -> Broken:
        """What a finding says, with the state that its run reached."""
        ended = ENDED.search(got) is not None
        return Broken(role, check, got, state, said, "" if ended else _reached(trace, said) or state)


def _reached(trace: Trace | None, said: str) -> str:
    """Where the input led by what the run showed; "" where the run only has what the table demands."""
    for step in reversed(trace.steps if trace else ()):
        if step.fate is Fate.FORGED and step.message == said.partition("[")[0]:
            state = next(iter(step.after.values()), "")
            failed = {role.aborted.name for role in ROLES.values() if role.aborted}
            return "" if state in failed or " or " in state else state
    return ""


def read_run(path: Path) -> Mapping[str, Any]:
    """A run's data: from its report folder, or the file in it. Raises UsageError."""
    if path.is_dir():
        names = [name for name in ("run.json", COVERAGE) if (path / name).exists()]
        path = path / (names[0] if names else "run.json")
    try:
        if path.stat().st_size > RUN_MOST:
            raise UsageError(f"{path}: larger than any report ({RUN_MOST} bytes)")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: can't be read: {error.strerror}; `shakeproof audit --report DIR` or "
            f"`shakeproof test --report DIR` writes one"
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not a saved run: {error}") from error
    if not isinstance(data, dict) or data.get("format") != RUN:
        raise UsageError(f"{path}: not a saved run: expected format {RUN!r}")
    return data


def coverage_of(run: Mapping[str, Any], role: str) -> dict[str, int]:
    """How often a run executed each row of a role, over all targets. Raises UsageError where it has nothing of it."""
    counts: dict[str, int] = {}
    found = False
    for each in _listed(run, "roles"):
        if each.get("role") == role:
            found = True
            for row, count in dict(each.get("exercised") or {}).items():
                counts[str(row)] = counts.get(str(row), 0) + int(count)
    if not found:
        known = sorted({str(each.get("role")) for each in _listed(run, "roles")})
        raise UsageError(f"the run has nothing of {role}; it has {', '.join(known) or 'no role'}")
    return counts


def covered(role: Role, run: Mapping[str, Any]) -> MachinePicture:
    """The machine of a role with how often the run executed each row, and those that its findings are about apart."""
    picture = picture_of(role, coverage=coverage_of(run, role.name))
    checks = [str(finding.get("check")) for finding in _listed(run, "findings") if finding.get("role") == role.name]
    rows = [row_of(role, check) for check in checks]
    codes = {row.code.lower() for row in rows if row is not None and not row.is_rest}

    def marked(moves: Iterable[Move]) -> tuple[Move, ...]:
        return tuple(replace(move, broken=not codes.isdisjoint(move.css.split())) for move in moves)

    if not codes:
        return picture
    return replace(
        picture, moves=marked(picture.moves), elsewhere=marked(picture.elsewhere), unseen=marked(picture.unseen),
        subtitle=(*picture.subtitle, "Red and thick: a finding is about it."),
    )  # fmt: skip


def _listed(run: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    return [each for each in run.get(key) or () if isinstance(each, dict)]


def machine(name: str, *, beside: str = "") -> MachinePicture:
    """A machine by what was asked for: ROLE, ROLE:ROGUE, a saved machine, a finding, or a run. Raises UsageError.

    beside: the other machine's name, which says of which role a run is wanted.
    """
    role, _, rogue = name.partition(":")
    if role in ROLES:
        if not rogue:
            return picture_of(ROLES[role])
        found, coverage = _rogues(role, rogue)
        return changed(ROLES[role], found, f"rogue {rogue}", coverage)
    path = Path(name)
    if path.is_dir() or path.name == "run.json":
        run = read_run(path)
        role = beside.partition(":")[0]
        if role not in ROLES:
            raise UsageError(f"{name}: of which role? Name it as the other machine, for example {next(iter(ROLES))}")
        coverage = coverage_of(run, role)
        found = [_from_run(each) for each in _listed(run, "findings")]
        targets = sorted({str(each.get("target")) for each in _listed(run, "roles") if each.get("role") == role})
        return changed(ROLES[role], found, f"{', '.join(targets)}, as far as the run saw it", coverage)
    if path.is_file():
        return _saved(path)
    raise UsageError(f"{name}: neither a role nor a file. Roles: {', '.join(ROLES)}; with a rogue: ROLE:ROGUE")


def _saved(path: Path) -> MachinePicture:
    from shakeproof.store import SIZE_MOST, finding_from_json

    try:
        if path.stat().st_size > SIZE_MOST:
            raise UsageError(f"{path}: larger than any saved machine ({SIZE_MOST} bytes)")
        text = path.read_text(encoding="utf-8")
        if f'"format": "{FORMAT}"' in text[:200]:
            return from_json(text)
        saved = finding_from_json(text)
    except OSError as error:
        raise UsageError(f"{path}: can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: neither a saved machine nor a finding: {error}") from error
    finding = saved.finding
    if finding.role not in ROLES:
        raise UsageError(f"{path}: a finding of {finding.role}, which is no role here")
    name = f"{finding.target}{f' with the rogue {saved.rogue}' if saved.rogue else ''}"
    return changed(ROLES[finding.role], [_broken(finding)], name)


def _broken(finding: Finding) -> Broken:
    return Broken.of(finding.role, finding.check, finding.got, finding.state, finding.input, finding.trace)


def _from_run(data: Mapping[str, Any]) -> Broken:
    role, check, got, state, said = (str(data.get(key, "")) for key in ("role", "check", "got", "state", "input"))
    try:
        trace = Trace.from_json(json.dumps(data.get("trace")))
    except ValueError:
        trace = None  # without its run, a finding still says what came
    return Broken.of(role, check, got, state, said, trace)


def _rogues(role: str, rogue: str) -> tuple[list[Broken], dict[str, int]]:
    """What an audit finds of our implementation with that fault, and how often it ran each row."""
    from shakeproof.properties.audit import audit
    from shakeproof.properties.rogues import ROGUES

    known = {name: each for name, each in ROGUES.items() if role in each.roles}
    choose("rogue", rogue, known)
    run = audit(["shakeproof"], roles=[role], rogue=rogue, time_s=ROGUE_TIME_S, jobs=1)
    if not run.findings:
        raise UsageError(
            f"{rogue}: an audit of {ROGUE_TIME_S:g} s did not find it; audit it with --report and name that"
        )
    coverage: dict[str, int] = {}
    for each in run.roles:
        coverage |= dict(each.exercised) if each.role == role else {}
    return [_broken(finding) for finding in run.findings], coverage


def changed(
    role: Role, found: Iterable[Broken], name: str, coverage: Mapping[str, int] | None = None
) -> MachinePicture:
    """The table's picture with the broken rows as they were seen. coverage: row id -> how often the run executed it.

    An input that went on is drawn from its state to the one that the run reached. Where it is only one of those that
    a row names, or only one of its states, the row stands for the others, and what differs beside it.
    """
    picture = picture_of(role, coverage)
    broken: dict[str, list[Broken]] = {}
    for each in found:
        if each.role == role.name:
            broken.setdefault(each.check.lower(), []).append(each)
    following = _following(role)
    states = {spot.key for spot in picture.spots}
    extra: list[Move] = []

    def seen(move: Move) -> list[Move]:
        mine = [each for css in move.css.split() for each in broken.get(css, ())]
        kept = move
        for each in mine:
            if move.source in states and each.state not in ("", move.source):
                continue  # a row for two states is drawn at each of them
            whole = each.state in ("", move.source) and not _is_part(role, move, each)
            text = each.got if whole or not each.input else f"{_shown(each.input)}: {each.got}"
            target = each.reached
            if AS_VALID in each.got and target in ("", each.state):
                # The run took it, and the table says where it leads where it is sound; else it was as if it never came.
                target = following.get((each.state or move.source, _message(role, move)), target)
            trigger = move.trigger if whole else f"{move.trigger.partition(' ')[0]} {_shown(each.input)}"
            source = each.state or move.source
            if target in states and source in states and target != picture.sink:
                gone = replace(
                    move, source=source, target=target, trigger=trigger, way=Way.OTHER, points=(), label_at=None,
                    action="" if whole else f"instead of {move.action or 'nothing'}", count=None,
                    sentence=f"{trigger}: {each.got}",
                )  # fmt: skip
                if whole:
                    kept = gone
                elif gone not in extra:
                    extra.append(gone)
            else:
                kept = replace(move, action=text, sentence=f"{move.trigger}: {text}", count=None)
        return [kept]

    moves = [each for move in picture.moves for each in seen(move)]
    elsewhere = [each for move in picture.elsewhere for each in seen(move)]
    return replace(
        picture,
        title=f"{role.title}: {name}",
        moves=(*moves, *extra),
        elsewhere=tuple(elsewhere),
        partial=True,
    )


def _shown(said: str) -> str:
    """An input as a finding writes it, in the words of the table."""
    message, bracket, facts = said.partition("[")
    return message + bracket + facts.lower()


def _is_part(role: Role, move: Move, each: Broken) -> bool:
    """Whether the input is only one of those that the row names: the defects differ."""
    row = next((row for row in role.rows if row.code.lower() in move.css.split()), None)
    if row is None or not each.input:
        return False
    named = set(re.findall(r"[\w~]+", row.pattern.text.partition("[")[2].lower()))
    given = set(re.findall(r"\w+", each.input.partition("[")[2].lower()))
    return "|" in row.pattern.text and len(named - given) > 0 and bool(named & given)


def _message(role: Role, move: Move) -> str:
    row = next((row for row in role.rows if row.code.lower() in move.css.split()), None)
    return row.pattern.message.name if row else ""


def _following(role: Role) -> dict[tuple[str, str], str]:
    """State and message -> the state to which it leads where it is sound; the first in the order of the table."""
    out: dict[tuple[str, str], str] = {}
    rows: Sequence[Any] = [row for row in role.rows if not row.is_rest and not isinstance(row.next, Abort)]
    for row in rows:
        for state in row.states.members:
            target = row.next.name if isinstance(row.next, State) else state.name
            out.setdefault((state.name, row.pattern.message.name), target)
    return out
