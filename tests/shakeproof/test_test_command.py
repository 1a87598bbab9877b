"""`shakeproof test`: what it prints, and how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.recorded import Tally
from shakeproof.properties.stateful import MACHINES, PropertyResult, TestRun
from shakeproof.reports.properties import exercised


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test runs in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("test agreemnt", "Did you mean 'agreement'"),
        ("test --profile cii", "Did you mean 'ci'"),
        ("test --rogue wrong-nam", "Did you mean 'wrong-name'"),
        ("test --seed -3", "out of range"),
    ],
)
def test_bad_input_is_usage_with_a_suggestion(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    assert said in capsys.readouterr().err


def test_clean_implementation_holds_and_statistics_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "server-authenticated", "--seed", "5", "-j", "1"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[-1].startswith("HELD   1 of 1 properties held")
    assert "seed 5" in out[-1]
    kinds = ("  reordered  ", "  replayed  ", "  forged  ")
    counts = {line.split()[0]: int(line.split()[-1]) for line in out if line.startswith(kinds)}
    assert set(counts) == {"reordered", "replayed", "forged"}
    assert all(count > 0 for count in counts.values())
    (client,) = (line.split() for line in out if line.startswith("  tls12.client"))
    exercised, reachable = int(client[1]), int(client[3])
    assert 0 < exercised < reachable  # a few seconds do not reach every row,
    assert any(line.startswith("    never: tls12.client:") for line in out)  # and it says so


def test_rogue_is_found_with_a_run_to_paste(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--rogue", "certificate-unchecked"]) == 1
    out = capsys.readouterr().out
    assert "✗ client-follows-table" in out
    assert "Certificate[SELF_SIGNED_LEAF]" in out
    assert "RFC 5280 section 6.1" in out
    begins = out.index("from shakeproof.properties.endpoint_machine import")
    code = out[begins : out.index("    test_client_follows_table()\n")]
    assert "state.words(" in code
    assert out.splitlines()[-1].startswith("FAILED   client-follows-table")

    (pasted,) = (elsewhere / "shakeproof-report").glob("*.py")
    again = subprocess.run([sys.executable, str(pasted)], capture_output=True, text=True)
    assert again.returncode == 1
    assert "WentOn" in again.stderr
    clean = elsewhere / "clean.py"
    clean.write_text(pasted.read_text(encoding="utf-8").replace("'certificate-unchecked'", "''"), encoding="utf-8")
    assert subprocess.run([sys.executable, str(clean)], capture_output=True).returncode == 0
    assert Trace.load(pasted.with_suffix(".json")).messages()
    assert any(pasted.with_suffix(suffix).exists() for suffix in (".svg", ".gv"))


def test_nothing_tested_is_never_success(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    untested = TestRun("dev", "", 1, [PropertyResult("agreement", "they agree", ("interaction",))])
    monkeypatch.setattr("shakeproof.properties.stateful.run_properties", lambda *_, **__: untested)
    assert main(["test", "agreement"]) == 3
    assert capsys.readouterr().out.splitlines()[-1].startswith("NOT TESTED   0 of 1 properties held")


def test_interrupted_run_ends_with_its_own_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> TestRun:
        raise KeyboardInterrupt

    monkeypatch.setattr("shakeproof.properties.stateful.run_properties", interrupted)
    assert main(["test"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_idle_rules_and_rows_are_named() -> None:
    run = TestRun("dev", "", 1)
    run.tallies["client"] = Tally(1, 1, 1)
    lines = list(exercised(run))
    assert any(line.startswith("rules of the client machine that never ran: alert, ") for line in lines)
    role = ROLES["tls12.client"]
    run.tallies["client"].rows.update(row.id for row in role.rows[1:])
    run.tallies["client"].rules.update(MACHINES["client"].kind.rule_names())
    first, *rest = exercised(run)
    assert first.startswith("rows exercised")
    assert rest == [f"  tls12.client  {len(role.rows) - 1} of {len(role.rows)}", f"    never: {role.rows[0].id}"]


def test_rogue_of_certificates_is_found_with_the_shortest_chain(
    elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "--rogue", "constraints-with-case"]) == 1
    out = capsys.readouterr().out
    assert "✗ chain-judged" in out
    assert "tester ── Certificate[excluded-in-capitals@1] ─▶ validator" in out
    assert "state.judge(faults=('excluded-in-capitals@1',))" in out
    assert "tcp          left out: the rogue constraints-with-case is a fault of another role" in out
