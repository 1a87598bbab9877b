"""What does not count: accepted findings, and those of a baseline."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.config import Accepted
from shakeproof.exits import Exit, UsageError
from shakeproof.properties import task_run, tasks
from shakeproof.properties.findings import Finding, Grade, Run
from shakeproof.properties.suites import quick
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.reports.baseline import load_baseline
from shakeproof.reports.html import audit_html
from shakeproof.reports.json import run_to_json
from shakeproof.reports.summary import Judgement, judge_run
from shakeproof.reports.terminal import verdict_lines
from tests.shakeproof.made_findings import made_finding, made_run

TODAY = dt.date(2026, 6, 1)


def said(judgement: Judgement) -> str:
    return "\n".join(line.plain for line in verdict_lines(judgement))


def compared(tmp_path: Path, before: Run, now: Run, fail_on: str = "must") -> Judgement:
    file = tmp_path / "run.json"
    file.write_text(run_to_json(judge_run(before, (), "must", TODAY), version="0"), encoding="utf-8")
    return judge_run(now, (), fail_on, TODAY, load_baseline(file))


# ------------------------------------------------------------------------------------------------------------- accepted


@pytest.mark.parametrize(
    ("grade", "fail_on", "code"),
    [
        (Grade.DEVIATION, "must", Exit.FINDINGS),
        (Grade.WENT_ON, "must", Exit.FINDINGS),
        (Grade.WENT_ON, "never", Exit.OK),
    ],
)
def test_expired_acceptance_fails_as_long_as_its_finding_is_there(grade: Grade, fail_on: str, code: Exit) -> None:
    entry = Accepted("CHECK-ONE", "ticket 7", TODAY - dt.timedelta(days=1))
    judgement = judge_run(made_run(made_finding(grade)), (entry,), fail_on, TODAY)
    assert judgement.exit_code is code
    assert "no longer accepted, since 2026-05-31" in said(judgement)


def test_expired_acceptance_without_its_finding_is_told_and_fails_nothing() -> None:
    entry = Accepted("CHECK-ONE", "ticket 7", TODAY - dt.timedelta(days=1))
    judgement = judge_run(made_run(), (entry,), "must", TODAY)
    assert judgement.exit_code is Exit.OK
    assert "accepts nothing, take it out of the configuration: CHECK-ONE: ticket 7" in said(judgement)


@pytest.mark.parametrize(
    ("rule", "target", "run", "told"),
    [
        ("CHECK-TWO", "", made_run(made_finding()), True),
        ("CHECK-ONE", "", made_run(made_finding()), False),
        ("CHECK-TWO", "gnutls", made_run(), False),
        ("TLS12-SERVER-*", "", made_run(), False),
        ("TLS12-CLIENT-*", "", made_run(), True),
        ("*", "openssl", made_run(), True),
        ("CHECK-TWO", "", made_run(cells_run=2), False),
        ("CHECK-TWO", "", made_run(left=1), False),
    ],
)
def test_acceptance_of_nothing_is_told_where_all_that_it_speaks_of_was_tested(
    rule: str, target: str, run: Run, told: bool
) -> None:
    judgement = judge_run(run, (Accepted(rule, "ticket 7", TODAY, target),), "must", TODAY)
    assert ("accepts nothing" in said(judgement)) is told


# ------------------------------------------------------------------------------------------------------------- baseline


def test_baseline_finding_that_is_known_does_not_fail_but_is_told(tmp_path: Path) -> None:
    run = made_run(made_finding())
    judgement = compared(tmp_path, run, run)
    assert (judgement.exit_code, judgement.verdict) == (Exit.OK, "NOTHING NEW")
    assert "known: FAIL went-on CHECK-ONE of openssl" in said(judgement)
    assert "0 FAIL · 0 DEVIATION · 1 known · 0 fixed" in said(judgement)


@pytest.mark.parametrize(
    "finding",
    [made_finding(check="CHECK-TWO"), made_finding(Grade.CRASH), made_finding(target="gnutls")],
)
def test_baseline_finding_that_is_new_or_worse_counts(tmp_path: Path, finding: Finding) -> None:
    judgement = compared(tmp_path, made_run(made_finding()), made_run(finding))
    assert judgement.exit_code is Exit.FINDINGS
    assert judgement.open == (finding,)


def test_baseline_tells_what_is_fixed(tmp_path: Path) -> None:
    judgement = compared(tmp_path, made_run(made_finding()), made_run())
    assert (judgement.exit_code, judgement.verdict) == (Exit.OK, "CONFORMING")
    assert "fixed: FAIL went-on CHECK-ONE of openssl tls12.client" in said(judgement)


def test_page_lists_what_is_known_apart_and_does_not_call_it_conforming(tmp_path: Path) -> None:
    known = made_finding(title="the old fault")
    new = made_finding(Grade.DEVIATION, check="CHECK-TWO", title="the new difference")
    page = audit_html(compared(tmp_path, made_run(known), made_run(known, new)), version="0")
    assert "1 known failure (in the baseline), no new failure. 1 new smaller difference from" in page
    assert "was broken in a way that matters" not in page
    first, _, rest = page.partition("Known from the baseline")
    assert "the new difference" in first
    assert "the old fault" not in first
    assert "the old fault" in rest
    same = audit_html(compared(tmp_path, made_run(known), made_run(known)), version="0")
    assert "1 known failure (in the baseline), nothing new." in same
    assert "Nothing new was found." in same
    assert "1 FAIL (1 known)" in same


@pytest.mark.parametrize("now", [made_run(left=3), made_run(cells_run=1), made_run(error="refused")])
def test_baseline_tells_nothing_of_what_was_not_tested(tmp_path: Path, now: Run) -> None:
    assert not compared(tmp_path, made_run(made_finding()), now).fixed


@pytest.mark.parametrize(
    "text",
    ["", "[]", "3", "{", "[" * 100_000, '{"format": "other/1", "findings": []}',
     '{"format": "shakeproof.run/1"}', '{"format": "shakeproof.run/1", "findings": [{"target": 1}]}',
     '{"format": "shakeproof.run/1", "findings": [1]}', "\ud800"],
)  # fmt: skip
def test_baseline_that_is_none_is_one_clear_line(tmp_path: Path, text: str) -> None:
    file = tmp_path / "before.json"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(UsageError, match=r"before\.json") as caught:
        load_baseline(file)
    assert "\n" not in str(caught.value)


def test_baseline_that_is_missing_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be read"):
        load_baseline(tmp_path / "none.json")


def test_json_tells_what_is_known_and_fixed(tmp_path: Path) -> None:
    before = made_run(made_finding(), made_finding(Grade.CRASH, check="CHECK-OLD"))
    data = json.loads(run_to_json(compared(tmp_path, before, made_run(made_finding())), version="0"))
    assert [finding["known"] for finding in data["findings"]] == [True]
    assert [item["check"] for item in data["fixed"]] == ["CHECK-OLD"]


@pytest.mark.slow
def test_audit_compares_with_the_report_that_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(OurTarget, "setups", lambda target, role: (Setup("rsa", "rsa", "cbc"),))
    monkeypatch.setattr(tasks, "quick", lambda *asked: quick(*asked)[:110])
    monkeypatch.setattr(task_run, "floods", lambda role, words: [])
    monkeypatch.chdir(tmp_path)
    asked = ["--role", "client", "--seed", "3", "-j", "1", "--time", "5m", "--format", "json"]
    again = ["--baseline", "shakeproof-report/run.json"]
    rogue = ["--rogue", "expired-certificate"]
    assert main(["audit", *asked, *rogue]) == 1
    assert main(["audit", *asked, *rogue, *again]) == 0
    assert "NOTHING NEW   0 FAIL · 0 DEVIATION · 1 known · 0 fixed" in capsys.readouterr().out
    assert main(["audit", "shakeproof", *asked, *again]) == 0
    assert "fixed: FAIL went-on" in capsys.readouterr().out
