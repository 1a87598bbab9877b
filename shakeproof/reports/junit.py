"""JUnit XML: one suite for each role of a target, one case for each rule.

A rule is passed where it was gone through and nothing was found; skipped where the run did not reach it, or where what
was found is accepted, known or inconclusive; failed where a finding counts. A role that could not be tested is an
error, never a success. What does not count for --fail-on (a deviation, a warning) is told in its case's output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree as ET

from shakeproof.console import visible
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding, Grade, RoleRun
from shakeproof.reports.again import again
from shakeproof.reports.chart import chart_lines
from shakeproof.reports.summary import Judgement
from shakeproof.reports.wording import required_text

NAME = "junit.xml"

NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write."""

NOT_REACHED = "The rule was not reached: nothing that ran led to it."


def junit_xml(judgement: Judgement) -> str:
    """The run as JUnit XML."""
    root = ET.Element("testsuites", name="shakeproof", time=f"{judgement.run.seconds:.3f}")
    for role in judgement.run.roles:
        root.append(_suite(judgement, role))
    for name in ("tests", "failures", "errors", "skipped"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root, " ")
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _suite(judgement: Judgement, role: RoleRun) -> ET.Element:
    name = f"{role.role} of {role.target}"
    suite = ET.Element("testsuite", name=_text(name), time=f"{role.seconds:.3f}")
    properties = ET.SubElement(suite, "properties")
    said = {
        "command": judgement.command,
        "seed": str(judgement.run.seed),
        "target": role.description,
        "cells": f"{role.cells_run} of {role.cells}",
        "verdict": judgement.verdict,
    }
    for key, value in said.items():
        ET.SubElement(properties, "property", name=key, value=_text(value))
    cases = [_case(judgement, role, check, found) for check, found in _rules(role).items()]
    if not role.is_tested or judgement.run.interrupted:
        cases.insert(0, _untested(judgement, role))
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for counted, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(counted, str(sum(case.find(tag) is not None for case in cases)))
    return suite


def _rules(role: RoleRun) -> dict[str, list[Finding]]:
    """Every rule of the role's table, and those of findings that no row names, each with what was found."""
    table = ROLES.get(role.role)
    rules: dict[str, list[Finding]] = {row.code: [] for row in table.rows} if table else {}
    for finding in role.findings:
        rules.setdefault(finding.check, []).append(finding)
    return rules


def _case(judgement: Judgement, role: RoleRun, check: str, found: list[Finding]) -> ET.Element:
    case = ET.Element("testcase", classname=_text(f"{role.target}.{role.role}"), name=_text(check), time="0")
    accepted = {id(finding): entry for finding, entry in judgement.accepted}
    known = {id(finding) for finding in judgement.known}
    failing = [finding for finding in found if judgement.fails(finding) or _is_hidden(judgement, finding)]
    if failing:
        over = {id(finding): entry for finding, entry in judgement.expired}
        for finding in failing:
            entry = over.get(id(finding))
            why = f"No longer accepted, since {entry.until} ({entry.reason}). " if entry else ""
            message = _text(f"{why}{sentence(finding)}")
            failure = ET.SubElement(case, "failure", type=finding.grade.value, message=message)
            failure.text = _text("\n".join(details(finding)))
    elif not found:
        table = ROLES.get(role.role)
        rows = [row.id for row in table.rows if row.code == check] if table else []
        if not any(role.exercised.get(row) for row in rows):
            ET.SubElement(case, "skipped", message=(role.error and f"Not tested: {_text(role.error)}.") or NOT_REACHED)
    else:
        excused = [finding for finding in found if id(finding) in accepted or id(finding) in known]
        unsure = [finding for finding in found if finding.grade is Grade.INCONCLUSIVE]
        if excused:
            entry = accepted.get(id(excused[0]))
            why = f"Accepted until {entry.until}: {entry.reason}." if entry else "Known from the baseline."
            ET.SubElement(case, "skipped", message=_text(f"{why} {sentence(excused[0])}"))
        elif unsure:
            ET.SubElement(case, "skipped", message=_text(sentence(unsure[0])))
    told = [line for finding in found if finding not in failing for line in (sentence(finding), *details(finding))]
    if told:
        ET.SubElement(case, "system-out").text = _text("\n".join(told))
    return case


def _is_hidden(judgement: Judgement, finding: Finding) -> bool:
    """With --fail-on never the exit code is 0 whatever was found; a failure is one all the same."""
    return judgement.fail_on == "never" and finding.grade.is_failure and any(finding is one for one in judgement.open)


def _untested(judgement: Judgement, role: RoleRun) -> ET.Element:
    case = ET.Element("testcase", classname=_text(f"{role.target}.{role.role}"), name="role is tested", time="0")
    if role.is_tested:
        why = "The run was interrupted"
    elif role.error:
        why = f"The role can't be tested: {role.error}"
    else:
        why = f"Only {role.cells_run} of {role.cells} cells ran, which is under half"
    ET.SubElement(case, "error", type="NOT TESTED", message=_text(f"{why.rstrip('.')}."))
    return case


def sentence(finding: Finding) -> str:
    """The finding as one whole sentence, with its authority."""
    where = f"got {finding.input} in {finding.state}" if finding.input else f"was in {finding.state}"
    said = required_text(finding.expected, finding.role, finding.check)
    demand = (f"answer with {said}" if said == finding.expected else said) if said else "go on as the table says"
    clause = f" ({finding.clause})" if finding.clause else ""
    return (
        f"{finding.grade.value}: {finding.role} of {finding.target} {where} and had to {demand}, "
        f"but the answer was: {finding.got or 'none'}{clause}."
    )


def details(finding: Finding) -> Iterable[str]:
    """What a person wants to see below the sentence."""
    yield f"required: {required_text(finding.expected, finding.role, finding.check)}; came: {finding.got}"
    if finding.sentence:
        yield f'{finding.clause}: "{finding.sentence}"'
    yield f"configuration: {finding.setup}; seen {finding.seen[0]} of {finding.seen[1]} times"
    yield from chart_lines(finding.trace)
    yield f"again: {again(finding)}"


def _text(text: str) -> str:
    """`text` as XML can hold it; whatever a peer sent is made visible."""
    return NOT_IN_XML.sub("?", "\n".join(visible(line) for line in text.split("\n")))
