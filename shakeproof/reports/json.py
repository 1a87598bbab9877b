"""A run as JSON: format `shakeproof.run/1`, described by schemas/run.schema.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from shakeproof.properties.findings import Finding, RoleRun
from shakeproof.reports.summary import Judgement
from shakeproof.reports.wording import came_sentence, required_sentence

FORMAT = "shakeproof.run/1"
SCHEMA = Path(__file__).parent / "schemas" / "run.schema.json"
"""What every run.json is valid against."""


def run_to_json(judgement: Judgement, *, version: str, files: Iterable[str] = ()) -> str:
    """The run as JSON text. files: what was written beside it."""
    return json.dumps(as_data(judgement, version=version, files=files), indent=1, ensure_ascii=False) + "\n"


def as_data(judgement: Judgement, *, version: str, files: Iterable[str] = ()) -> dict[str, Any]:
    """The run as plain values."""
    run = judgement.run
    accepted = {id(finding): entry for finding, entry in judgement.accepted}
    expired = {id(finding): entry for finding, entry in judgement.expired}
    known = {id(finding) for finding in judgement.known}
    return {
        "format": FORMAT,
        "shakeproof": version,
        "command": judgement.command,
        "seed": run.seed,
        "budget_s": run.time_s,
        "seconds": round(run.seconds, 3),
        "facts": dict(run.facts),
        "verdict": judgement.verdict,
        "exit_code": int(judgement.exit_code),
        "interrupted": run.interrupted,
        "counts": {grade.value: judgement.count(grade) for grade in dict.fromkeys(f.grade for f in judgement.open)},
        "left_out_cells": sum(role.left_out for role in run.roles),
        "roles": [_role(role) for role in run.roles],
        "findings": [
            _finding(finding)
            | {
                "accepted": _accepted(accepted.get(id(finding))),
                "no_longer_accepted": _accepted(expired.get(id(finding))),
                "known": id(finding) in known,
            }
            for finding in run.findings
        ],
        "fixed": [
            {"target": item.target, "role": item.role, "check": item.check, "verdict": item.grade, "title": item.title}
            for item in judgement.fixed
        ],
        "accept_nothing": [{"rule": entry.rule, "target": entry.target} for entry in judgement.idle],
        "files": list(files),
    }


def _accepted(entry: Any) -> dict[str, str] | None:
    return None if entry is None else {"reason": entry.reason, "until": entry.until.isoformat()}


def _role(role: RoleRun) -> dict[str, Any]:
    return {
        "target": role.target,
        "description": role.description,
        "role": role.role,
        "tested": role.is_tested,
        "error": role.error,
        "setups": list(role.setups),
        "cells": role.cells,
        "cells_run": role.cells_run,
        "complete": list(role.complete),
        "words": role.words,
        "seconds": round(role.seconds, 3),
        "rows": role.rows,
        "exercised": {row: count for row, count in sorted(role.exercised.items()) if count},
        "notes": dict(role.notes),
        "not_tested": [
            {"reason": item.reason, "cells": item.cells, "examples": list(item.examples)} for item in role.not_tested
        ],
    }


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "check": finding.check,
        "verdict": finding.grade.value,
        "level": finding.level,
        "title": finding.title,
        "target": finding.target,
        "role": finding.role,
        "setup": finding.setup,
        "state": finding.state,
        "input": finding.input,
        "expected": finding.expected,
        "got": finding.got,
        "required": required_sentence(finding.expected, finding.role, finding.check),
        "came": came_sentence(finding.got),
        "clause": finding.clause,
        "sentence": finding.sentence,
        "word": list(finding.word),
        "shrunk_from": finding.shrunk_from,
        "confirmed": finding.seen[0],
        "tried": finding.seen[1],
        "readings": list(finding.readings),
        "trace": json.loads(finding.trace.to_json()),
    }
