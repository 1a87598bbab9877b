"""Reports: verdict and counts, the terminal, JSON, the folder."""

from __future__ import annotations

import datetime as dt
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from shakeproof.config import Accepted
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, worst
from shakeproof.model.trace import Step, Trace, number_steps
from shakeproof.properties.findings import CellDone, FindingConfirmed, Grade, RoleDone, RoleStarted
from shakeproof.reports.chart import chart_lines
from shakeproof.reports.folder import FolderReport
from shakeproof.reports.json import run_to_json
from shakeproof.reports.names import file_name
from shakeproof.reports.summary import judge_run
from shakeproof.reports.terminal import TerminalReport, listing, verdict_lines
from tests.shakeproof.made_findings import LANES, made_finding, made_run, made_trace

TODAY = dt.date(2026, 6, 1)
ESC = "\x1b"


def printed(write: object) -> str:
    file = io.StringIO()
    out = console(file)
    assert callable(write)
    write(out)
    return file.getvalue()


# ---------------------------------------------------------------------------------------------------------- the verdict


@pytest.mark.parametrize(
    ("grade", "fail_on", "verdict", "code"),
    [
        (None, "must", "CONFORMING", Exit.OK),
        (Grade.WENT_ON, "must", "NOT CONFORMING", Exit.FINDINGS),
        (Grade.CRASH, "must", "NOT CONFORMING", Exit.FINDINGS),
        (Grade.HANG, "must", "NOT CONFORMING", Exit.FINDINGS),
        (Grade.DEVIATION, "must", "CONFORMING", Exit.OK),
        (Grade.DEVIATION, "deviation", "CONFORMING", Exit.FINDINGS),
        (Grade.WARNING, "deviation", "CONFORMING", Exit.OK),
        (Grade.WENT_ON, "never", "NOT CONFORMING", Exit.OK),
    ],
)
def test_judge_run_grades_by_fail_on(grade: Grade | None, fail_on: str, verdict: str, code: Exit) -> None:
    run = made_run(*([made_finding(grade)] if grade else []))
    judged = judge_run(run, (), fail_on, today=TODAY)
    assert (judged.verdict, judged.exit_code) == (verdict, code)


@pytest.mark.parametrize(
    ("fail_on", "run", "begins", "code"),
    [
        ("must", {}, "CONFORMING   0 FAIL · 1 DEVIATION · 1 no longer accepted, which fails · left", Exit.FINDINGS),
        (
            "must",
            {"cells_run": 1},
            "NOT TESTED   0 FAIL · 1 DEVIATION · 1 no longer accepted, which fails",
            Exit.FINDINGS,
        ),
        ("never", {}, "CONFORMING   0 FAIL · 1 DEVIATION · left out: nothing", Exit.OK),
    ],
)
def test_verdict_line_says_that_an_acceptance_is_over(
    fail_on: str, run: dict[str, int], begins: str, code: Exit
) -> None:
    entry = Accepted("CHECK-*", "ticket 7", TODAY - dt.timedelta(days=1))
    judged = judge_run(made_run(made_finding(Grade.DEVIATION), **run), (entry,), fail_on, today=TODAY)  # type: ignore[arg-type]
    assert verdict_lines(judged)[-1].plain.startswith(begins)
    assert judged.exit_code is code
    assert [judged.fails(finding) for finding in judged.open] == [fail_on != "never"]


def test_judge_run_too_little_tested_is_never_success() -> None:
    judged = judge_run(made_run(cells=10, cells_run=4), (), "must", today=TODAY)
    assert (judged.verdict, judged.exit_code) == ("NOT TESTED", Exit.NOT_TESTED)


def test_judge_run_accepted_finding_does_not_fail() -> None:
    entry = Accepted("CHECK-*", "ticket 7", TODAY, "openssl")
    judged = judge_run(made_run(made_finding()), (entry,), "must", today=TODAY)
    assert judged.exit_code is Exit.OK
    assert not judged.open
    assert [finding.check for finding, _ in judged.accepted] == ["CHECK-ONE"]


def test_judge_run_expired_acceptance_fails_and_says_so() -> None:
    entry = Accepted("CHECK-ONE", "ticket 7", TODAY - dt.timedelta(days=1))
    judged = judge_run(made_run(made_finding()), (entry,), "must", today=TODAY)
    assert judged.exit_code is Exit.FINDINGS
    assert "no longer accepted, since 2026-05-31" in "\n".join(line.plain for line in verdict_lines(judged))


def test_worst_follows_the_precedence() -> None:
    codes = [0, 3, 1, 2, 4, 130]
    assert [int(worst(codes[: n + 1])) for n in range(len(codes))] == [0, 3, 1, 2, 4, 130]
    assert worst([]) is Exit.OK


# --------------------------------------------------------------------------------------------------------- the terminal


def test_visible_removes_what_steers_a_terminal() -> None:
    text = visible(f"a{ESC}[31mred\r\nb\x07\x9b2J\u202ec\u2028d")
    assert text == "a\\x1b[31mred  b\\x07\\x9b2J\\u202ec\\u2028d"


def test_terminal_prints_no_control_characters_of_a_peer() -> None:
    finding = made_finding(title=f"{ESC}]0;owned\x07 [bold]x[/bold]")
    text = printed(lambda out: TerminalReport(out)(FindingConfirmed(finding)))
    assert ESC not in text
    assert "\x07" not in text
    assert "[bold]x[/bold]" in text, "what looks like markup is printed as it is"


def test_terminal_prints_a_finding_with_clause_chart_and_how_to_see_it_again(tmp_path: Path) -> None:
    for kind in ("svg", "py"):
        (tmp_path / f"abc123.{kind}").touch()
    text = printed(lambda out: TerminalReport(out, report=tmp_path)(FindingConfirmed(made_finding())))
    assert "✗ FAIL went-on   it went on" in text
    assert "seen 3/3" in text
    assert "required: end the connection with the fatal alert decrypt_error; came: ApplicationData" in text
    assert 'RFC 5246 section 7.4.9: "Recipients of Finished messages MUST verify' in text
    assert f"again: shakeproof replay abc123    picture, test: {tmp_path / 'abc123'}.{{svg,py}}" in text
    (tmp_path / "abc123.py").unlink()
    text = printed(lambda out: TerminalReport(out, report=tmp_path)(FindingConfirmed(made_finding())))
    assert f"again: shakeproof replay abc123    picture: {tmp_path / 'abc123'}.svg\n" in text


def test_terminal_prints_a_command_that_names_a_target_in_a_line_alone(tmp_path: Path) -> None:
    (tmp_path / "abc123.svg").touch()
    finding = made_finding(target="exec:./server -p {port}")
    text = printed(lambda out: TerminalReport(out, report=tmp_path)(FindingConfirmed(finding)))
    wanted = ["again: shakeproof replay abc123 --on 'exec:./server -p {port}'", f"picture: {tmp_path / 'abc123'}.svg"]
    assert [line.strip() for line in text.splitlines()][-2:] == wanted


def test_terminal_that_is_none_says_a_line_every_five_seconds() -> None:
    now = [0.0]
    file = io.StringIO()
    report = TerminalReport(console(file), clock=lambda: now[0])
    report(RoleStarted("openssl", "OpenSSL", "tls12.client", 100))
    for second in range(1, 13):
        now[0] = float(second)
        report(CellDone("openssl", "tls12.client", second, 100))
    lines = file.getvalue().splitlines()
    assert lines == ["  cells: openssl tls12.client 5/100", "  cells: openssl tls12.client 10/100"]


def test_terminal_ends_with_the_verdict() -> None:
    run = made_run(made_finding(), left=3)
    judged = judge_run(run, (), "must", today=TODAY)
    file = io.StringIO()
    with TerminalReport(console(file)) as report:
        report(RoleDone(run.roles[0]))
    report.finish(judged)
    *_, role, last = file.getvalue().splitlines()
    assert role.startswith("  openssl tls12.client  10/10 cells   1/2 rows   1 FAIL")
    assert last.startswith("NOT CONFORMING   1 FAIL · 0 DEVIATION · left out: 3 cells for lack of time")


def test_terminal_says_why_nothing_was_tested() -> None:
    judged = judge_run(made_run(cells_run=0, error="can't connect: refused"), (), "must", today=TODAY)
    why, last = [line.plain for line in verdict_lines(judged)]
    assert last.startswith("NOT TESTED")
    assert why == "not tested: 10 cells: openssl tls12.client: can't connect: refused"


def test_terminal_shows_bars_where_it_is_one() -> None:
    file = io.StringIO()
    out = Console(file=file, force_terminal=True, width=120, markup=False, highlight=False)
    run = made_run()
    with TerminalReport(out) as report:
        report(RoleStarted("openssl", "OpenSSL", "tls12.client", 10))
        report(CellDone("openssl", "tls12.client", 5, 10))
        report(RoleDone(run.roles[0]))
    assert "━" in file.getvalue()
    assert "10/10 cells" in file.getvalue()


def test_listing_counts_what_belongs_to_a_finding() -> None:
    names = ["abc123.json", "abc123.py", "abc123.svg", "def456.json", "def456.py", "def456.svg", "full.svg", "run.json"]
    assert listing(names) == "full.svg, run.json, {abc123,def456}.{json,py,svg}"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["abc123.json", "abc123.svg", "run.json"], "run.json, abc123.{json,svg}"),
        (["abc123.json", "def456.json", "run.json"], "run.json, {abc123,def456}.json"),
        (["abc123.json", "run.json"], "run.json, abc123.json"),
    ],
)
def test_listing_has_braces_only_where_there_are_several(names: list[str], said: str) -> None:
    assert listing(names) == said


# ------------------------------------------------------------------------------------------------------------ the chart


def test_chart_gives_one_arrow_for_each_flight() -> None:
    lines = chart_lines(made_trace(">ClientHello", "<ServerHello", "<Certificate", "=Finished", ">Alert"))
    assert [line.split()[:3] for line in lines] == [
        ["target", "──", "ClientHello"],
        ["target", "◀─", "ServerHello,"],
        ["target", "◀═", "Finished"],
        ["target", "──", "Alert"],
    ]
    assert len({line.rstrip().rindex("tester") for line in lines}) == 1, "the right lane is one column"


def test_chart_shows_defects_and_what_was_not_allowed() -> None:
    steps = [
        Step(0, sender="tester", receiver="target", message="Certificate", facts=("EXPIRED", "X"), defect=("EXPIRED",)),
        Step(0, sender="target", receiver="tester", message="Finished", verdict="not allowed"),
    ]
    first, second = chart_lines(Trace("t", LANES, number_steps(steps)))
    assert "Certificate[EXPIRED]" in first
    assert second.endswith("✗ not allowed")


def test_chart_of_a_long_run_is_cut_and_says_so() -> None:
    lines = chart_lines(made_trace(*([">ClientHello", "<ServerHello"] * 50)))
    assert len(lines) == 17
    assert lines[-1] == "… and 84 more flights, in the picture"


# ----------------------------------------------------------------------------------------------------------------- JSON


def test_json_says_everything_that_a_program_needs() -> None:
    judged = judge_run(made_run(made_finding(), left=2), (), "must", today=TODAY)
    data = json.loads(run_to_json(judged, version="0", files=["run.json"]))
    assert data["format"] == "shakeproof.run/1"
    assert (data["verdict"], data["exit_code"], data["seed"], data["left_out_cells"]) == ("NOT CONFORMING", 1, 7, 2)
    assert data["roles"][0]["exercised"] == {"tls12.client:a": 3}
    (finding,) = data["findings"]
    assert finding["verdict"] == "FAIL went-on"
    assert finding["word"] == ["ServerHello", "Finished[MISMATCH]"]
    assert finding["accepted"] is None
    assert Trace.from_json(json.dumps(finding["trace"])) == made_finding().trace


# ----------------------------------------------------------------------------------------------------------- the folder


@pytest.mark.parametrize(
    ("text", "name"), [("127.0.0.1:8443", "127.0.0.1-8443"), ("../../etc/passwd", "etc-passwd"), ("[::1]:4", "1-4")]
)
def test_file_name_stays_inside_the_folder(text: str, name: str) -> None:
    assert file_name(text) == name


def test_folder_writes_a_finding_as_soon_as_it_is_confirmed(tmp_path: Path) -> None:
    report = FolderReport(tmp_path / "out", seed=7, rogue="early-ccs")
    report(FindingConfirmed(made_finding()))
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"abc123.json", "abc123.py"} < names
    assert names & {"abc123.svg", "abc123.gv"}
    saved = json.loads((tmp_path / "out" / "abc123.json").read_text(encoding="utf-8"))
    assert (saved["seed"], saved["rogue"], saved["check"]) == (7, "early-ccs", "CHECK-ONE")


def test_folder_without_graphviz_writes_dot_text_and_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shakeproof.diagrams.render.find_renderer", lambda: None)
    report = FolderReport(tmp_path)
    report(FindingConfirmed(made_finding()))
    assert (tmp_path / "abc123.gv").read_text(encoding="utf-8").startswith("digraph")
    assert len(report.notes) == 1
    assert "shakeproof[dot]" in report.notes[0]


def test_folder_removes_what_an_earlier_run_wrote_and_nothing_else(tmp_path: Path) -> None:
    mine = tmp_path / "notes.txt"
    outside = tmp_path.parent / "outside.txt"
    for path in (mine, outside, tmp_path / "old.svg"):
        path.write_text("x", encoding="utf-8")
    listed = ["old.svg", "../outside.txt", "missing.svg"]
    (tmp_path / "run.json").write_text(json.dumps({"format": "shakeproof.run/1", "files": listed}), encoding="utf-8")
    FolderReport(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"notes.txt"}
    assert outside.exists()


def test_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="--report"):
        FolderReport(tmp_path / "out")
