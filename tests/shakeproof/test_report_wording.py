"""What reports say is short, is said once, and is said in words."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from shakeproof.console import console
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import FindingConfirmed, Grade, NotTested, RoleDone, RoleStarted
from shakeproof.reports.folder import FolderReport
from shakeproof.reports.json import run_to_json
from shakeproof.reports.names import file_name, short_names, target_stem
from shakeproof.reports.summary import break_off, judge_run
from shakeproof.reports.terminal import REASON_LENGTH, TerminalReport, verdict_lines
from shakeproof.reports.wording import required_text
from tests.shakeproof.made_findings import made_finding, made_run

TODAY = dt.date(2026, 6, 1)
LONG = "exec:/usr/bin/openssl s_server -accept {port} -cert {cert} -key {key} -quiet -tls1_2 -cipher ALL:@SECLEVEL=0"


def printed(write: Callable[[Console], None]) -> str:
    file = io.StringIO()
    write(console(file))
    return file.getvalue()


def test_command_is_named_by_its_program_and_no_two_alike() -> None:
    other = LONG.replace("-quiet", "-rev")
    names = short_names([LONG, other, "openssl", "exec:my-server {port}", "exec:python3 ./dir/server.py {port}"])
    assert list(names.values()) == [
        "exec:openssl s_server…", "exec:openssl s_server… #2", "openssl", "exec:my-server…", "exec:python3 server.py…",
    ]  # fmt: skip
    assert len(target_stem(LONG)) < 40
    assert target_stem(LONG) != target_stem(other)
    assert target_stem("127.0.0.1:4433") == file_name("127.0.0.1:4433")


def test_terminal_and_summary_name_a_command_shortly(tmp_path: Path) -> None:
    finding = made_finding(target=LONG)
    run = made_run(finding, error=f"{LONG}: does not listen")
    run.roles[0].target = LONG
    run.command = "shakeproof audit"
    judged = judge_run(run, (), "must", today=TODAY)
    report = FolderReport(tmp_path, formats=["text"], seed=1)
    report.finish(judged, version="0")

    def write(out: Console) -> None:
        terminal = TerminalReport(out, names=judged.names)
        terminal(RoleStarted(LONG, "OpenSSL", "tls12.client", 10))
        terminal(FindingConfirmed(finding))
        terminal(RoleDone(run.roles[0]))
        terminal.finish(judged)

    for text in (printed(write), (tmp_path / "summary.txt").read_text(encoding="utf-8")):
        named, again = [[line for line in text.splitlines() if ("--on" in line) == wanted] for wanted in (False, True)]
        assert "-accept" not in "".join(named)
        assert LONG in shlex.split("".join(again)), "what runs it again is whole"
        assert "tls12.client of exec:openssl s_server…" in text
        assert "exec:openssl s_server…: does not listen" in text
    assert all(len(path.name) < 70 for path in tmp_path.iterdir())
    assert LONG in (tmp_path / "run.json").read_text(encoding="utf-8")


def test_reasons_for_not_testing_stand_one_in_a_line_and_the_rest_is_counted() -> None:
    run = made_run()
    run.roles[0].not_tested = [NotTested(f"reason {n}, with a comma", n) for n in (9, 8, 7, 6, 2, 1)]
    run.roles[0].not_tested.append(NotTested("no cells at all", 0))
    *lines, last = [line.plain for line in verdict_lines(judge_run(run, (), "must", today=TODAY))]
    assert lines == [f"not tested: {n} cells: reason {n}, with a comma" for n in (9, 8, 7, 6)] + [
        "not tested: and 3 more reasons, 3 cells"
    ]
    assert "reason" not in last
    run.roles[0].not_tested = [NotTested("x" * 1000, 1)]
    (line, _) = [line.plain for line in verdict_lines(judge_run(run, (), "must", today=TODAY))]
    assert line.startswith("not tested: 1 cell: xxx")
    assert len(line) == len("not tested: 1 cell: ") + REASON_LENGTH


def test_deviations_that_are_answered_alike_are_one_entry_on_a_terminal() -> None:
    alike = [
        replace(made_finding(Grade.DEVIATION, check=f"CHECK-{n}"), id=f"id{n}", input=f"Input{n}", got="closed")
        for n in range(10)
    ]
    apart = replace(made_finding(Grade.DEVIATION, title="another answer"), id="apart", got="Alert")
    judged = judge_run(made_run(*alike, apart), (), "must", today=TODAY)

    def write(out: Console) -> None:
        terminal = TerminalReport(out)
        for finding in alike[:5]:
            terminal(FindingConfirmed(finding))
        terminal(FindingConfirmed(made_finding(title="the failure")))
        for finding in (*alike[5:], apart):
            terminal(FindingConfirmed(finding))
        terminal.finish(judged)

    text = printed(write)
    assert text.count("~ DEVIATION") == 2
    assert "answered alike, 9 more DEVIATION: Input1 (id id1), " in text
    assert "Input9 (id id9)" in " ".join(text.split())
    assert text.index("the failure") < text.index("~ DEVIATION")
    assert len(json.loads(run_to_json(judged, version="0"))["findings"]) == 11


def test_known_failures_are_marked_and_counted_apart() -> None:
    def write(out: Console) -> None:
        terminal = TerminalReport(out, is_known=lambda finding: finding.title == "old")
        run = made_run(made_finding(title="old"), made_finding(title="new"))
        for finding in run.findings:
            terminal(FindingConfirmed(finding))
        terminal(RoleDone(run.roles[0]))

    text = printed(write)
    (old,) = [line for line in text.splitlines() if "known from the baseline" in line]
    assert "old" in old
    assert "2 FAIL (1 known)" in text


def test_interrupted_run_prints_the_cells_of_each_role_and_one_reason() -> None:
    run = made_run(cells=100, cells_run=10, left=4)
    run.interrupted = True
    break_off(run, {}, {})
    judged = judge_run(run, (), "must", today=TODAY)
    text = printed(lambda out: TerminalReport(out).finish(judged))
    assert "  openssl tls12.client  10/100 cells" in text
    assert "left out: 90 cells by the interruption" in text
    assert "lack of time" not in text


@pytest.mark.slow
def test_required_is_a_sentence_not_the_notation_of_a_table() -> None:
    for role in ROLES.values():
        for row in role.rows:
            text = required_text(row.outcome, role.name, row.code)
            assert text
            assert not re.search(r"\b(now|pick|keep|forget|sends|maybe|tells|abort)\(", text), (row.code, text)
    hello = next(row for row in ROLES["tls12.server"].rows if len(row.outputs) > 2)
    assert required_text(hello.outcome, "tls12.server", hello.code).startswith("answer with ServerHello")
    assert required_text("nothing: it is over", "tls12.server", hello.code) == "nothing: it is over"


def test_command_of_a_report_has_the_seed_once() -> None:
    run = made_run()
    assert judge_run(run, (), "must", today=TODAY).command == "shakeproof audit openssl --seed 7"
    data = json.loads(run_to_json(judge_run(run, (), "must", today=TODAY), version="0"))
    assert data["command"] == "shakeproof audit openssl --seed 7"
    run.command = "shakeproof.audit('openssl')"
    assert judge_run(run, (), "must", today=TODAY).command == "shakeproof.audit('openssl', seed=7)"
    run.command = "shakeproof audit openssl --seed 7"
    assert judge_run(run, (), "must", today=TODAY).command == run.command
