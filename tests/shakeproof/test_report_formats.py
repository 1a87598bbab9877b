"""Reports for programs: our own JSON, JUnit XML, SARIF."""

from __future__ import annotations

import datetime as dt
import json
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from shakeproof.config import Accepted
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding, FindingConfirmed, Grade, Run
from shakeproof.reports.anchor import Anchor, anchor_of, line_of
from shakeproof.reports.baseline import Baseline, Known
from shakeproof.reports.folder import FolderReport
from shakeproof.reports.formats import FORMATS
from shakeproof.reports.json import run_to_json
from shakeproof.reports.junit import junit_xml
from shakeproof.reports.sarif import Where, fingerprint, sarif_text
from shakeproof.reports.summary import Judgement, judge_run
from tests.shakeproof.made_findings import made_finding, made_run
from tests.shakeproof.schemas import check_run, check_sarif

TODAY = dt.date(2026, 6, 1)
ROW = ROLES["tls12.client"].rows[3]
HOSTILE = "\x1b]0;owned\x07 <script>&amp;\ud800\ufffe]]>"


def judged(
    *findings: Finding, accept: tuple[Accepted, ...] = (), fail_on: str = "must", baseline: Baseline | None = None
) -> Judgement:
    run = made_run(*findings)
    run.roles[0].exercised = Counter({ROW.id: 3})
    return judge_run(run, accept, fail_on, TODAY, baseline)


def cases(judgement: Judgement) -> dict[str, ET.Element]:
    root = ET.fromstring(junit_xml(judgement))
    return {case.get("name", ""): case for case in root.iter("testcase")}


def outcome(case: ET.Element) -> str:
    tags = [child.tag for child in case if child.tag != "system-out"]
    return tags[0] if tags else "passed"


# ----------------------------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("grade", Grade)
def test_json_of_any_grade_is_described_by_the_schema(grade: Grade) -> None:
    entry = Accepted("CHECK-*", "ticket 7", TODAY)
    before = Baseline((Known("openssl", "tls12.client", "CHECK-OLD", "CRASH", "it died"),))
    late = replace(entry, until=TODAY - dt.timedelta(days=1))
    for accept, baseline in (
        ((), None),
        ((entry,), None),
        ((late,), None),
        ((), before),
        ((replace(entry, rule="NO-*"),), before),
    ):
        judgement = judged(made_finding(grade), accept=accept, baseline=baseline)
        check_run(json.loads(run_to_json(judgement, version="0", files=["run.json"])))


@pytest.mark.parametrize(
    "change", [{"seed": -1}, {"exit_code": 2}, {"findings": [{}]}, {"roles": [{"target": ""}]}, {"surplus": 1}]
)
def test_json_that_is_no_run_is_refused_by_the_schema(change: dict[str, object]) -> None:
    data = json.loads(run_to_json(judged(made_finding()), version="0"))
    check_run(data)
    with pytest.raises(jsonschema.ValidationError):
        check_run(data | change)


def test_json_of_a_finding_that_is_no_longer_accepted_says_since_when() -> None:
    entry = Accepted("CHECK-ONE", "ticket 7", TODAY - dt.timedelta(days=1))
    data = json.loads(run_to_json(judged(made_finding(Grade.DEVIATION), accept=(entry,)), version="0"))
    assert data["exit_code"] == 1
    assert data["findings"][0]["accepted"] is None
    assert data["findings"][0]["no_longer_accepted"] == {"reason": "ticket 7", "until": "2026-05-31"}


def test_json_of_a_finding_says_under_which_readings_it_was_judged() -> None:
    data = json.loads(run_to_json(judged(replace(made_finding(), readings=("legacy",))), version="0"))
    check_run(data)
    assert data["findings"][0].pop("readings") == ["legacy"]
    check_run(data)  # as a former version wrote it
    data["findings"][0]["readings"] = "legacy"
    with pytest.raises(jsonschema.ValidationError):
        check_run(data)


# ---------------------------------------------------------------------------------------------------------------- JUnit


@pytest.mark.parametrize(
    ("grade", "fail_on", "expected"),
    [
        (Grade.WENT_ON, "must", "failure"),
        (Grade.HANG, "never", "failure"),
        (Grade.DEVIATION, "must", "passed"),
        (Grade.DEVIATION, "deviation", "failure"),
        (Grade.WARNING, "deviation", "passed"),
        (Grade.INCONCLUSIVE, "deviation", "skipped"),
    ],
)
def test_junit_case_of_a_finding_follows_fail_on(grade: Grade, fail_on: str, expected: str) -> None:
    case = cases(judged(made_finding(grade), fail_on=fail_on))["CHECK-ONE"]
    assert outcome(case) == expected
    if expected != "failure":
        assert "Finished[MISMATCH]" in (case.findtext("system-out") or "")


def test_junit_rule_gone_through_is_passed_and_others_are_skipped() -> None:
    by_name = cases(judged())
    assert outcome(by_name.pop(ROW.code)) == "passed"
    assert {outcome(case) for case in by_name.values()} == {"skipped"}


def test_junit_message_is_a_whole_sentence() -> None:
    (failure,) = cases(judged(made_finding()))["CHECK-ONE"].iter("failure")
    assert failure.get("message") == (
        "FAIL went-on: tls12.client of openssl got Finished[MISMATCH] in WAIT_FINISHED and had to end the "
        "connection with the fatal alert decrypt_error, but the answer was: ApplicationData (RFC 5246 section 7.4.9)."
    )
    assert "again: shakeproof replay abc123" in (failure.text or "")


def test_junit_finding_that_is_no_longer_accepted_is_a_failure_that_says_since_when() -> None:
    entry = Accepted("CHECK-ONE", "ticket 7", TODAY - dt.timedelta(days=1))
    case = cases(judged(made_finding(Grade.DEVIATION), accept=(entry,)))["CHECK-ONE"]
    (failure,) = case.iter("failure")
    assert failure.get("message", "").startswith(
        "No longer accepted, since 2026-05-31 (ticket 7). DEVIATION: tls12.client"
    )
    assert case.find("system-out") is None, "it is told once"


def test_junit_accepted_and_known_findings_are_skipped_with_the_reason() -> None:
    entry = Accepted("CHECK-ONE", "ticket 7", TODAY)
    (skipped,) = cases(judged(made_finding(), accept=(entry,)))["CHECK-ONE"].iter("skipped")
    assert skipped.get("message", "").startswith("Accepted until 2026-06-01: ticket 7.")
    known = Baseline((Known("openssl", "tls12.client", "CHECK-ONE", "FAIL went-on"),))
    (skipped,) = cases(judged(made_finding(), baseline=known))["CHECK-ONE"].iter("skipped")
    assert skipped.get("message", "").startswith("Known from the baseline.")


@pytest.mark.parametrize(
    ("run", "why"),
    [
        (made_run(error="can't connect: refused"), "The role can't be tested: can't connect: refused."),
        (made_run(cells=10, cells_run=3), "Only 3 of 10 cells ran, which is under half."),
        (replace(made_run(), interrupted=True), "The run was interrupted."),
    ],
)
def test_junit_what_is_not_tested_is_an_error(run: Run, why: str) -> None:
    (error,) = cases(judge_run(run, (), "must", TODAY))["role is tested"].iter("error")
    assert error.get("message") == why


def test_junit_counts_what_it_has() -> None:
    root = ET.fromstring(junit_xml(judged(made_finding(), made_finding(Grade.WARNING, check="CHECK-TWO"))))
    every = list(root.iter("testcase"))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(root.get(name, "")) == sum(case.find(tag) is not None for case in every)
    assert int(root.get("tests", "")) == len(every)


def test_junit_is_xml_whatever_a_peer_sends() -> None:
    finding = replace(made_finding(), got=HOSTILE, input=HOSTILE, target=HOSTILE)
    (failure,) = cases(judged(finding))["CHECK-ONE"].iter("failure")
    assert "<script>" in failure.get("message", "")
    assert "\x1b" not in failure.get("message", "") + (failure.text or "")


# ---------------------------------------------------------------------------------------------------------------- SARIF


def sarif(judgement: Judgement, folder: Path, settings: Path | None = None) -> Any:
    data = json.loads(sarif_text(judgement, version="0.1.0", where=Where(settings, folder)))
    check_sarif(data)
    return data["runs"][0]


@pytest.mark.parametrize("grade", Grade)
def test_sarif_of_any_grade_is_described_by_the_oasis_schema(grade: Grade, tmp_path: Path) -> None:
    (result,) = sarif(judged(made_finding(grade)), tmp_path)["results"]
    levels = {Grade.DEVIATION: "warning", Grade.WARNING: "warning", Grade.NOTE: "note", Grade.INCONCLUSIVE: "none"}
    assert result["level"] == levels.get(grade, "error")


def test_sarif_stands_at_the_line_that_names_the_target(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text(
        '[project]\nname = "x"\n\n[tool.shakeproof.targets.openssl]\nconnect = "h:1"\n', encoding="utf-8"
    )
    (result,) = sarif(judged(made_finding()), tmp_path, project)["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("pyproject.toml", 4)


def test_sarif_suppresses_what_is_accepted_and_tells_new_from_known(tmp_path: Path) -> None:
    accept = (Accepted("CHECK-ONE", "ticket 7", TODAY),)
    before = Baseline(
        (
            Known("openssl", "tls12.client", "CHECK-TWO", "DEVIATION", "known"),
            Known("openssl", "tls12.client", "CHECK-OLD", "CRASH", "it died"),
        )
    )
    found = (
        made_finding(),
        made_finding(Grade.DEVIATION, check="CHECK-TWO"),
        made_finding(Grade.DEVIATION, check="CHECK-NEW"),
    )
    results = sarif(judged(*found, accept=accept, baseline=before), tmp_path)["results"]
    states = {result["ruleId"]: result["baselineState"] for result in results}
    assert states == {"CHECK-ONE": "new", "CHECK-TWO": "unchanged", "CHECK-NEW": "new", "CHECK-OLD": "absent"}
    suppressed = [result["ruleId"] for result in results if "suppressions" in result]
    assert suppressed == ["CHECK-ONE"]


def test_sarif_of_a_run_that_tested_nothing_is_no_success(tmp_path: Path) -> None:
    run = judge_run(made_run(error="can't connect: refused"), (), "must", TODAY)
    (invocation,) = sarif(run, tmp_path)["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "refused" in invocation["toolExecutionNotifications"][0]["message"]["text"]


def test_sarif_holds_what_a_peer_sends_as_text(tmp_path: Path) -> None:
    finding = replace(made_finding(), got=HOSTILE, target=HOSTILE)
    assert "\x1b" not in json.dumps(sarif(judged(finding), tmp_path), ensure_ascii=False)


def test_fingerprint_is_rule_target_and_word_alone() -> None:
    one = made_finding()
    same = replace(one, id="fff000", seen=(2, 3), got="x", trace=replace(one.trace, title="other"))
    assert fingerprint(one) == fingerprint(same)
    for other in (replace(one, check="CHECK-TWO"), replace(one, target="x"), replace(one, word=("ServerHello",))):
        assert fingerprint(other) != fingerprint(one)


# ----------------------------------------------------------------------------------------------------------- the folder


@pytest.mark.parametrize("formats", [(), ("junit", "sarif"), FORMATS])
def test_folder_holds_the_formats_that_were_asked_for(formats: tuple[str, ...], tmp_path: Path) -> None:
    report = FolderReport(tmp_path, formats=formats)
    report(FindingConfirmed(made_finding()))
    report.finish(judged(made_finding()), version="0")
    names = {path.name for path in tmp_path.iterdir()}
    of = {
        "html": "index.html", "junit": "junit.xml", "sarif": "run.sarif", "text": "summary.txt", "pytest": "abc123.py",
        "pcapng": "abc123.pcapng",
    }  # fmt: skip
    assert {"run.json", "abc123.json"} <= names, "always there: replay and the next run read them"
    assert not {name for format, name in of.items() if format not in formats} & names
    # A made trace has no bytes, and so no capture.
    assert {name for format, name in of.items() if format in formats and format != "pcapng"} <= names


def test_generated_test_holds_nothing_of_a_peer(tmp_path: Path) -> None:
    hostile = '""" + __import__("os").abort() + """'
    finding = replace(made_finding(), title=hostile, got=hostile, target=hostile, word=(hostile,))
    FolderReport(tmp_path, formats=("pytest",))(FindingConfirmed(finding))
    text = (tmp_path / "abc123.py").read_text(encoding="utf-8")
    assert "abort" not in text
    compile(text, "abc123.py", "exec")
    assert "abort" in (tmp_path / "abc123.json").read_text(encoding="utf-8")


# -------------------------------------------------------------------------------------------------------------- anchors


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('[targets.a]\nconnect = "h:1"\n[targets.mine]\nconnect = "h:2"\n', 3),
        ('[targets."mine"]\nconnect = "h:2"\n', 1),
        ('x = 1\n[targets.other]\nconnect = "mine"\n', 3),
        ("[project]\n\n[tool.shakeproof]\ntime = 1\n", 3),
        ('[project]\nname = "mine"\n', 1),
        ("", 1),
    ],
)
def test_line_of_a_target_is_where_the_file_names_it(text: str, line: int) -> None:
    assert line_of("mine", text) == line


def test_anchor_is_relative_to_the_repository_and_encoded(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    inside = tmp_path / "a folder"
    inside.mkdir()
    (inside / "pyproject.toml").touch()
    assert anchor_of("x", None, inside) == Anchor("a%20folder/pyproject.toml", 1)
    assert anchor_of("x", inside / "pyproject.toml", tmp_path) == Anchor("a%20folder/pyproject.toml", 1)


def test_anchor_without_any_project_file_is_the_report_or_says_why_not(tmp_path: Path) -> None:
    report = tmp_path / "shakeproof-report" / "run.json"
    place = anchor_of("x", None, tmp_path, report)
    assert (place.uri, place.line) == ("shakeproof-report/run.json", 1)
    assert "the run's report" in place.why
    elsewhere = anchor_of("x", None, tmp_path, Path("/elsewhere/run.json"))
    assert elsewhere.uri == "shakeproof.toml"
    assert "the report is elsewhere" in elsewhere.why
    (tmp_path / "Makefile").touch()
    assert anchor_of("x", None, tmp_path) == Anchor("Makefile", 1)
