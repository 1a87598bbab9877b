"""SARIF 2.1.0, for code scanning: one result for each finding, at the line of the user's file that names its target.

A fingerprint is made of rule, target and shrunk word: no seed and no bytes, so that a result stays itself from run to
run. Written by hand: the one library of the format's own makers is from 2019.

Source: OASIS, Static Analysis Results Interchange Format (SARIF) Version 2.1.0.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shakeproof.console import visible
from shakeproof.exits import Exit
from shakeproof.properties.findings import Finding, Grade
from shakeproof.reports.again import again
from shakeproof.reports.anchor import Anchor, anchor_of
from shakeproof.reports.baseline import Known
from shakeproof.reports.chart import chart_lines
from shakeproof.reports.junit import sentence
from shakeproof.reports.summary import Judgement

NAME = "run.sarif"
SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "shakeproof/1"
ROOT = "%SRCROOT%"
"""How a service names the root of the repository."""

LEVELS = {Grade.DEVIATION: "warning", Grade.WARNING: "warning", Grade.NOTE: "note", Grade.INCONCLUSIVE: "note"}
"""Any other grade is an error."""


@dataclass(frozen=True)
class Where:
    """Where findings may stand. settings: the configuration file in use; folder: the working folder; report: a file of
    the run's report, for a project without a file of its own.
    """

    settings: Path | None
    folder: Path
    report: Path | None = None

    def of(self, target: str) -> Anchor:
        """The place of the target's findings."""
        return anchor_of(target, self.settings, self.folder, self.report)


def sarif_text(judgement: Judgement, *, version: str, where: Where) -> str:
    """The run as SARIF."""
    return json.dumps(_log(judgement, version, where), indent=1, ensure_ascii=False) + "\n"


def fingerprint(finding: Finding) -> str:
    """What makes the finding the same from run to run."""
    key = json.dumps([finding.check, finding.target, *finding.word])
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _log(judgement: Judgement, version: str, where: Where) -> dict[str, Any]:
    run = judgement.run
    rules: dict[str, dict[str, Any]] = {}
    for finding in run.findings:
        rules.setdefault(finding.check, _rule(finding))
    for known in judgement.fixed:
        rules.setdefault(known.check, {"id": visible(known.check)})
    order = list(rules)
    results = [_result(judgement, finding, order.index(finding.check), where) for finding in run.findings]
    results += [_absent(known, order.index(known.check), where) for known in judgement.fixed]
    tool = {
        "driver": {
            "name": "shakeproof",
            "semanticVersion": version,
            "version": version,
            "fullName": f"shakeproof {version}",
            "shortDescription": {"text": "Audits TLS stacks against a model of the standards."},
            "rules": list(rules.values()),
        }
    }
    told = [
        {"level": "warning", "message": {"text": visible(f"{_whole(why)} ({cells} cells)" if cells else _whole(why))}}
        for why, cells in judgement.not_tested
    ]
    invocation = {
        "executionSuccessful": judgement.exit_code in (Exit.OK, Exit.FINDINGS),
        "exitCode": int(judgement.exit_code),
        "exitCodeDescription": judgement.verdict,
        "commandLine": visible(judgement.command),
        "toolExecutionNotifications": told,
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": tool,
                "columnKind": "unicodeCodePoints",
                "invocations": [invocation],
                "automationDetails": {"id": f"shakeproof/{'+'.join(dict.fromkeys(r.target for r in run.roles))}/"},
                "results": results,
                "properties": {"seed": run.seed, "verdict": judgement.verdict, "leftOut": judgement.left_out},
            }
        ],
    }


def _whole(why: str) -> str:
    return f"Not tested: {why}"


def _rule(finding: Finding) -> dict[str, Any]:
    rule: dict[str, Any] = {
        "id": finding.check,
        "name": finding.check,
        "shortDescription": {"text": visible(finding.clause or finding.check)},
        "fullDescription": {"text": visible(finding.sentence or finding.expected or finding.check)},
        "help": {"text": f"`shakeproof explain {finding.check}` says what the rule rests on."},
        "defaultConfiguration": {"level": LEVELS.get(finding.grade, "error")},
        "properties": {"tags": ["conformance", "tls", finding.level]},
    }
    return rule


def _result(judgement: Judgement, finding: Finding, index: int, where: Where) -> dict[str, Any]:
    accepted = {id(one): entry for one, entry in judgement.accepted}
    known = {id(one) for one in judgement.known}
    said = [visible(sentence(finding)), visible(f"Again: {again(finding)}"), *chart_lines(finding.trace)]
    result: dict[str, Any] = {
        "ruleId": finding.check,
        "ruleIndex": index,
        "kind": "open" if finding.grade is Grade.INCONCLUSIVE else "fail",
        "level": LEVELS.get(finding.grade, "error"),
        "message": {"text": "\n".join(said)},
        "locations": [_location(finding.target, where, finding.role)],
        "partialFingerprints": {FINGERPRINT: fingerprint(finding)},
        "properties": {
            "id": finding.id,
            "verdict": finding.grade.value,
            "configuration": visible(finding.setup),
            "word": [visible(text) for text in finding.word],
            "expected": visible(finding.expected),
            "got": visible(finding.got),
            "confirmed": f"{finding.seen[0]} of {finding.seen[1]}",
        },
    }
    if result["kind"] != "fail":
        result["level"] = "none"  # the format allows no other where a result is no failure
    if judgement.compared:
        result["baselineState"] = "unchanged" if id(finding) in known else "new"
    entry = accepted.get(id(finding))
    if entry is not None:
        why = f"{entry.reason} (until {entry.until})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": visible(why)}]
    return result


def _absent(known: Known, index: int, where: Where) -> dict[str, Any]:
    return {
        "ruleId": visible(known.check),
        "ruleIndex": index,
        "kind": "fail",
        "level": "note",
        "baselineState": "absent",
        "message": {"text": visible(f"Fixed: {known.title or known.check}")},
        "locations": [_location(known.target, where, known.role)],
    }


def _location(target: str, where: Where, role: str) -> dict[str, Any]:
    place = where.of(target)
    location: dict[str, Any] = {
        "physicalLocation": {
            "artifactLocation": {"uri": place.uri, "uriBaseId": ROOT},
            "region": {"startLine": place.line},
        },
        "logicalLocations": [{"fullyQualifiedName": visible(f"{target} {role}"), "kind": "module"}],
    }
    if place.why:
        location["message"] = {"text": visible(place.why)}
    return location
