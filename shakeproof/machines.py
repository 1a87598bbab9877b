"""Machines that can be drawn beside a role's own: with what a run found changed, with a rogue's fault, or from a file.

What a stack does otherwise than the table is known from findings: each names the row that was broken and what came
instead. So the table with these rows changed is the machine as far as it was seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from shakeproof.diagrams.compare import FORMAT, from_json
from shakeproof.diagrams.machines import picture_of
from shakeproof.diagrams.picture import MachinePicture, Move, Way
from shakeproof.exits import UsageError, choose
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, State
from shakeproof.model.roles import ROLES

RUN = "shakeproof.run/1"
RUN_MOST = 200 << 20
"""Bytes: a report holds every finding's run."""
ROGUE_TIME_S = 20.0
"""For the audit of a rogue: its fault shows within seconds."""
AS_VALID = "took it as valid"
"""How a finding says that the fault was not noticed."""


@dataclass(frozen=True)
class Broken:
    """A row that was broken: its code, and what came instead."""

    role: str
    check: str
    got: str


def read_run(path: Path) -> Mapping[str, Any]:
    """A run's data: from its report folder, or the run.json in it. Raises UsageError."""
    path = path / "run.json" if path.is_dir() else path
    try:
        if path.stat().st_size > RUN_MOST:
            raise UsageError(f"{path}: larger than any report ({RUN_MOST} bytes)")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"{path}: can't be read: {error.strerror}; `shakeproof audit --report DIR` writes one"
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
        return changed(ROLES[role], _rogues(role, rogue), f"rogue {rogue}")
    path = Path(name)
    if path.is_dir() or path.name == "run.json":
        run = read_run(path)
        role = beside.partition(":")[0]
        if role not in ROLES:
            raise UsageError(f"{name}: of which role? Name it as the other machine, for example {next(iter(ROLES))}")
        coverage_of(run, role)
        found = [Broken(str(f.get("role")), str(f.get("check")), str(f.get("got"))) for f in _listed(run, "findings")]
        targets = sorted({str(each.get("target")) for each in _listed(run, "roles") if each.get("role") == role})
        return changed(ROLES[role], found, f"{', '.join(targets)}, as far as the run saw it")
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
    return changed(ROLES[finding.role], [Broken(finding.role, finding.check, finding.got)], name)


def _rogues(role: str, rogue: str) -> list[Broken]:
    """What an audit finds of our implementation with that fault."""
    from shakeproof.properties.audit import audit
    from shakeproof.properties.rogues import ROGUES

    known = {name: each for name, each in ROGUES.items() if role in each.roles}
    choose("rogue", rogue, known)
    run = audit(["shakeproof"], roles=[role], rogue=rogue, time_s=ROGUE_TIME_S, jobs=1)
    if not run.findings:
        raise UsageError(
            f"{rogue}: an audit of {ROGUE_TIME_S:g} s did not find it; audit it with --report and name that"
        )
    return [Broken(finding.role, finding.check, finding.got) for finding in run.findings]


def changed(role: Role, found: Iterable[Broken], name: str) -> MachinePicture:
    """The table's picture with the broken rows as they were seen."""
    picture = picture_of(role)
    got = {broken.check.lower(): broken.got for broken in found if broken.role == role.name}
    following = _following(role)

    def seen(move: Move) -> Move:
        text = next((got[css] for css in move.css.split() if css in got), None)
        if text is None:
            return move
        target = following.get((move.source, _message(role, move)), "") if AS_VALID in text else ""
        if target:
            return replace(move, target=target, action="", way=Way.OTHER, sentence=f"{move.trigger}: {text}")
        return replace(move, action=text, sentence=f"{move.trigger}: {text}")

    return replace(
        picture,
        title=f"{role.title}: {name}",
        moves=tuple(map(seen, picture.moves)),
        elsewhere=tuple(map(seen, picture.elsewhere)),
    )


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
