"""One audit of a rogue from end to end: what is printed, written, stored, replayed and drawn."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import jsonschema
import pytest

import shakeproof as sp
from shakeproof.cli import main
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Trace
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.store import Store, finding_from_json, finding_to_json
from tests.shakeproof.schemas import check_run, check_sarif

ROGUE = "expired-certificate"
FORMATS = "html,json,junit,sarif,pcapng,pytest,text"


@dataclass
class Audited:
    """What came of the audit."""

    folder: Path
    code: int
    out: str
    id: str


@pytest.fixture(scope="module", autouse=True)
def few_setups() -> Iterator[None]:
    """Audits in this process go through two setups only: a command does no other things with sixteen."""
    sound = OurTarget.setups
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OurTarget, "setups", lambda target, role: sound(target, role)[:2])
        yield


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Audited]:
    folder = tmp_path_factory.mktemp("audited")
    before = Path.cwd()
    os.chdir(folder)
    out = io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            asked = ["--role", "client", "--seed", "3", "-j", "1", "--time", "5m", "--matrix", "--format", FORMATS]
            code = main(["audit", "--rogue", ROGUE, *asked])
        run = json.loads((folder / "shakeproof-report" / "run.json").read_text(encoding="utf-8"))
        yield Audited(folder, code, out.getvalue(), run["findings"][0]["id"])
    finally:
        os.chdir(before)


def test_audit_of_a_rogue_finds_it(audited: Audited) -> None:
    assert audited.code == 1
    assert "✗ FAIL went-on" in audited.out
    assert "EXPIRED" in audited.out
    assert "RFC 5280 section 6.1.3" in audited.out
    assert f"again: shakeproof replay {audited.id}" in audited.out
    verdict = audited.out.splitlines()[-2]
    assert verdict.startswith("NOT CONFORMING")
    assert "left out: nothing" in verdict


def test_audit_writes_the_report(audited: Audited) -> None:
    report = audited.folder / "shakeproof-report"
    names = {path.name for path in report.iterdir()}
    drawn = {Path(name).stem for name in names if name.endswith((".svg", ".gv"))}
    assert {"full", "machine-tls12.client-shakeproof", audited.id} <= drawn
    assert {"run.json", "summary.txt", f"{audited.id}.json", f"{audited.id}.py"} <= names
    run = json.loads((report / "run.json").read_text(encoding="utf-8"))
    assert (run["verdict"], run["exit_code"], run["seed"]) == ("NOT CONFORMING", 1, 3)
    assert set(run["files"]) == names - {"run.json"}
    (role,) = run["roles"]
    assert role["cells"] == role["cells_run"] > 200
    assert audited.id in (report / "summary.txt").read_text(encoding="utf-8")


def test_audit_writes_json_that_its_schema_describes(audited: Audited) -> None:
    run = json.loads((audited.folder / "shakeproof-report" / "run.json").read_text(encoding="utf-8"))
    check_run(run)
    with pytest.raises(jsonschema.ValidationError):
        check_run(run | {"verdict": "FINE"})


def test_audit_writes_sarif_that_the_oasis_schema_describes(audited: Audited) -> None:
    log = json.loads((audited.folder / "shakeproof-report" / "run.sarif").read_text(encoding="utf-8"))
    check_sarif(log)
    results = log["runs"][0]["results"]
    assert [result["properties"]["id"] for result in results if result["level"] == "error"] == [audited.id]
    assert all(result["locations"][0]["physicalLocation"]["region"]["startLine"] >= 1 for result in results)


def test_audit_writes_junit_with_one_case_for_each_rule(audited: Audited) -> None:
    root = ET.parse(audited.folder / "shakeproof-report" / "junit.xml").getroot()
    names = [case.get("name", "") for case in root.iter("testcase")]
    assert len(names) == len(set(names))
    assert {row.code for row in ROLES["tls12.client"].rows} <= set(names)
    (failure,) = root.iter("failure")
    assert failure.get("type") == "FAIL went-on"
    message = failure.get("message", "")
    assert "Certificate[EXPIRED]" in message
    assert message.endswith("(RFC 5280 section 6.1.3).")
    passed = [case for case in root.iter("testcase") if not {child.tag for child in case} & {"failure", "skipped"}]
    assert len(passed) > 50


def test_audit_draws_and_prints_the_matrix(audited: Audited) -> None:
    drawn = {path.suffix for path in (audited.folder / "shakeproof-report").glob("matrix.*")}
    assert drawn in ({".svg", ".png"}, {".gv"}), "the latter where there is no Graphviz"
    (line,) = [line for line in audited.out.splitlines() if line.startswith("  Certificate[EXPIRED]")]
    assert line.endswith("✗ FAIL")


def test_replay_by_id_fails_with_the_rogue_and_is_fixed_without(audited: Audited) -> None:
    assert main(["replay", audited.id]) == 1
    assert main(["replay", audited.id, "--rogue", ""]) == 0
    assert main(["replay", audited.id, "--on", "openssl"]) == 0


def test_replay_with_a_rogue_of_tcp_says_where_it_belongs(audited: Audited, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", audited.id, "--rogue", "syn-resets"]) == 2
    assert "shakeproof test --rogue syn-resets" in capsys.readouterr().err


def test_audit_from_python_with_a_rogue_of_tcp_says_where_it_belongs() -> None:
    with pytest.raises(ValueError, match="shakeproof test --rogue syn-resets"):
        sp.audit(rogue="syn-resets")


def test_replay_prints_what_happens(audited: Audited, capsys: pytest.CaptureFixture[str]) -> None:
    main(["replay", f"shakeproof-report/{audited.id}.json"])
    out = capsys.readouterr().out
    assert "Certificate[EXPIRED]" in out
    assert out.splitlines()[-1].startswith("FAILED   FAIL went-on")


def test_replay_of_a_word_that_is_no_more_is_an_error(audited: Audited, tmp_path: Path) -> None:
    data = json.loads((audited.folder / "shakeproof-report" / f"{audited.id}.json").read_text(encoding="utf-8"))
    data["word"] = ["NoSuchMessage"]
    changed = tmp_path / "changed.json"
    changed.write_text(json.dumps(data), encoding="utf-8")
    assert main(["replay", str(changed)]) == 4


def test_replay_looks_a_target_up_by_name_and_runs_nothing(audited: Audited, tmp_path: Path) -> None:
    data = json.loads((audited.folder / "shakeproof-report" / f"{audited.id}.json").read_text(encoding="utf-8"))
    marker = tmp_path / "marker"
    for hostile in (f"exec:touch {marker}", f"python:os:system('touch {marker}')", "example.com:443"):
        data["target"] = hostile
        changed = tmp_path / "changed.json"
        changed.write_text(json.dumps(data), encoding="utf-8")
        assert main(["replay", str(changed)]) == 2
    assert not marker.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other/1"},
        {"id": "../../x"},
        {"id": 3},
        {"grade": "FAIL badly"},
        {"word": "ClientHello"},
        {"word": [1]},
        {"seen": [1]},
        {"seed": -1},
        {"seed": "x"},
        {"rogue": 3},
        {"shrunk_from": True},
        {"trace": {}},
        {"more": 1},
        {"title": None},
    ],
)
def test_saved_finding_that_is_none_is_refused(audited: Audited, change: dict[str, object]) -> None:
    text = (audited.folder / "shakeproof-report" / f"{audited.id}.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not a saved"):
        finding_from_json(json.dumps(json.loads(text) | change))


@pytest.mark.parametrize("text", ["", "[]", "{", "3", "null", "[" * 100_000])
def test_text_that_is_no_finding_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a saved finding"):
        finding_from_json(text)


def test_saved_finding_reads_back_as_it_was(audited: Audited) -> None:
    saved = Store(audited.folder / ".shakeproof").load(audited.id)
    assert finding_from_json(finding_to_json(saved)) == saved
    assert (saved.seed, saved.rogue) == (3, ROGUE)
    assert (audited.folder / ".shakeproof" / ".gitignore").read_text(encoding="utf-8") == "*\n"


def test_draw_trace_draws_the_finding(audited: Audited, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["draw", "trace", f"shakeproof-report/{audited.id}.json", "-f", "txt"]) == 0
    assert "EXPIRED" in capfdbinary.readouterr().out.decode()


@pytest.mark.slow
def test_generated_test_fails_while_the_finding_is_there(audited: Audited) -> None:
    def run(name: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null", name]
        return subprocess.run(command, cwd=audited.folder / "shakeproof-report", capture_output=True, text=True)

    failed = run(f"{audited.id}.py")
    assert failed.returncode == 1, failed.stdout + failed.stderr
    assert "FAIL went-on" in failed.stdout
    data = json.loads((audited.folder / "shakeproof-report" / f"{audited.id}.json").read_text(encoding="utf-8"))
    source = (audited.folder / "shakeproof-report" / f"{audited.id}.py").read_text(encoding="utf-8")
    (audited.folder / "shakeproof-report" / "fixed.json").write_text(json.dumps(data | {"rogue": ""}), encoding="utf-8")
    (audited.folder / "shakeproof-report" / "fixed.py").write_text(source, encoding="utf-8")
    assert run("fixed.py").returncode == 0


def test_audit_from_python_gives_findings_with_charts(tmp_path: Path) -> None:
    run = sp.audit("shakeproof", rogue=ROGUE, roles=["tls12.client"], seed=3)
    assert run.exit_code == 1
    assert run.verdict == "NOT CONFORMING"
    worst = run.findings[0]
    assert (worst.verdict, worst.clause) == ("FAIL went-on", "RFC 5280 section 6.1.3")
    assert "EXPIRED" in worst.chart.text()
    saved = run.save(tmp_path / "run.json")
    assert json.loads(saved.read_text(encoding="utf-8"))["findings"][0]["id"] == worst.id
    page = run.save(tmp_path / "made" / "run.html").read_text(encoding="utf-8")
    assert worst.id in page
    assert '<svg class="chart"' in page
    assert '<svg class="machine"' in page
    assert "index.html" in {path.name for path in run.save(tmp_path / "folder").iterdir()}
    with pytest.raises(ValueError, match="can't save a run as"):
        run.save(tmp_path / "run.pdf")


def test_audit_from_python_refuses_what_is_no_target() -> None:
    with pytest.raises(ValueError, match="no target"):
        sp.audit("opensl")
    with pytest.raises(ValueError, match="not on this machine"):
        sp.audit("example.com:443")


def test_role_from_python_shows_itself() -> None:
    client = sp.role("tls12.client")
    assert "WAIT_SERVER_HELLO" in str(client)
    assert "TLS 1.2" in client.figure.dot_source
    svg = client._repr_svg_()
    assert svg is None or svg.startswith("<svg")
    with pytest.raises(ValueError, match=r"Did you mean 'tls12\.client'"):
        sp.role("tls12.clent")


def test_clean_audit_of_ours_conforms(audited: Audited, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["audit", "shakeproof", "--role", "server", "-j", "1", "--time", "5m", "--fail-on", "deviation"]) == 0


@pytest.mark.slow
def test_accepted_finding_does_not_fail_the_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shakeproof.toml").write_text(
        '[targets.ours]\nconnect = "shakeproof"\n'
        '[[accept]]\nrule = "*"\ntarget = "ours"\nreason = "planted"\nuntil = 2999-12-31\n',
        encoding="utf-8",
    )
    assert main(["audit", "--rogue", ROGUE, "--role", "client", "-j", "1", "--time", "5m"]) == 0
    out = capsys.readouterr().out
    assert "accepted until 2999-12-31" in out
    assert "planted" in out


def test_trace_of_a_finding_is_a_saved_trace(audited: Audited) -> None:
    run = json.loads((audited.folder / "shakeproof-report" / "run.json").read_text(encoding="utf-8"))
    trace = Trace.from_json(json.dumps(run["findings"][0]["trace"]))
    assert trace.messages()
