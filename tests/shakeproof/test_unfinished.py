"""A run that was interrupted goes on where it stopped."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shakeproof.cli import main
from shakeproof.properties import audit as engine
from shakeproof.properties import task_run, tasks
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.suites import Word, quick
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.tasks import Partial, Progress, Said, Task
from shakeproof.unfinished import Unfinished
from tests.properties.test_scratch import heed_signals

ROGUE = "expired-certificate"
AUDIT = ["audit", "--rogue", ROGUE, "--role", "client", "-j", "1", "--time", "5m", "--format", "json,text"]
WORDS = 110
"""Of each of two tasks: the rogue shows itself in the hundredth of the first."""
STOP_AFTER = 150
"""Words: in the second task."""


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some words in two setups, in a folder of its own."""
    setups = OurTarget.setups
    monkeypatch.setattr(OurTarget, "setups", lambda target, role: setups(target, role)[:2])
    monkeypatch.setattr(tasks, "quick", lambda *asked: quick(*asked)[:WORDS])
    monkeypatch.setattr(task_run, "floods", lambda role, words: [])
    monkeypatch.chdir(tmp_path)


@contextlib.contextmanager
def interrupted(after: int) -> Iterator[None]:
    """Ctrl-C after that many words, as near as a task tells how far it is."""
    sound = engine.Board.hear

    def hear(board: engine.Board, said: Said) -> None:
        sound(board, said)
        if isinstance(said, Progress) and sum(partial.done for partial in board._so_far.values()) >= after:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.Board, "hear", hear)
        yield


def audit(*more: str) -> tuple[int, str, dict[str, Any]]:
    """Exit code, output and run.json."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = main([*AUDIT, *more])
    return code, out.getvalue(), json.loads(Path("shakeproof-report/run.json").read_text(encoding="utf-8"))


def essence(run: dict[str, Any]) -> Any:
    """What does not depend on the clock."""
    (role,) = run["roles"]
    findings = [{key: value for key, value in finding.items() if key != "trace"} for finding in run["findings"]]
    return [role[key] for key in ("cells", "cells_run", "words", "exercised", "not_tested", "setups")], findings


def left() -> list[Path]:
    return sorted(Path(".shakeproof/unfinished").glob("*/*.json"))


def words_run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where each word that is run will be listed."""
    ran: list[str] = []
    sound = Runner.run

    def run(runner: Runner, word: Word, *, record: bool = False) -> Outcome:
        ran.append(f"{runner.setup.text}: {word.cell}")
        return sound(runner, word, record=record)

    monkeypatch.setattr(Runner, "run", run)
    return ran


@pytest.mark.slow
def test_interrupted_audit_goes_on_and_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    # What Hypothesis draws depends on the modules that are loaded by then, so that two runs of one process may differ.
    monkeypatch.setattr(task_run, "_run_schedules", lambda *_: None)
    *_, whole = audit("--seed", "3")
    assert not left(), "what has ended leaves nothing to go on with"
    with interrupted(STOP_AFTER):
        code, out, broken = audit("--seed", "3")
    assert (code, broken["verdict"], broken["exit_code"]) == (130, "INTERRUPTED", 130)
    assert "the same command goes on from here" in out
    assert broken["roles"][0]["exercised"], "what the unfinished task did is counted"
    assert {path.name for path in Path("shakeproof-report").iterdir()} >= {"summary.txt", "full.svg", "run.json"}
    ran = words_run(monkeypatch)
    code, out, rest = audit()
    assert code == 1
    assert rest["seed"] == 3, "without --seed, that of the run that was interrupted"
    assert "taken up: a run that was interrupted" in out
    assert essence(rest) == essence(whole)
    assert len(ran) < whole["roles"][0]["words"] - STOP_AFTER + 2 * task_run.PROGRESS_EVERY
    assert not left()


def test_seed_of_a_run_that_did_nothing_is_not_used_again() -> None:
    with interrupted(40):
        audit("--seed", "3")
    for path in left():
        if path.name != "run.json":
            path.unlink()
    with pytest.MonkeyPatch.context() as patch, interrupted(20):
        patch.setattr("secrets.randbelow", lambda most: 77)
        _, _, run = audit()
    assert run["seed"] == 77


def test_fresh_starts_over() -> None:
    with interrupted(40):
        audit("--seed", "3")
    with interrupted(40):
        _, out, run = audit("--seed", "3", "--fresh")
    assert "taken up" not in out
    assert run["interrupted"]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"version": "0.0.1"}, "made by shakeproof 0.0.1"),
        ({"seed": 4}, "its seed is 4"),
        ({"identities": {"shakeproof": "another one"}}, "'another one'"),
        ({"identities": None}, "None"),
    ],
)
def test_run_of_another_version_seed_or_target_is_not_taken_up(change: dict[str, object], why: str) -> None:
    with interrupted(40):
        audit("--seed", "3")
    (head,) = [path for path in left() if path.name == "run.json"]
    head.write_text(json.dumps(json.loads(head.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with interrupted(20):
        _, out, _ = audit("--seed", "3")
    assert "not taken up" in out
    assert why in out


@pytest.mark.parametrize(
    "change",
    [{"cells_run": "many"}, {"exercised": {"row": "x"}}, {"findings": [{}]}, {"not_tested": [1]}, {"done": -1}, None],
)
def test_task_that_is_damaged_is_done_again(change: dict[str, object] | None, monkeypatch: pytest.MonkeyPatch) -> None:
    with interrupted(40):
        audit("--seed", "3")
    (path,) = [path for path in left() if path.name != "run.json"]
    data = json.loads(path.read_text(encoding="utf-8"))
    assert data["done"] == 20, "what it had told of when it was interrupted"
    path.write_text("{" if change is None else json.dumps(data | change), encoding="utf-8")
    ran = words_run(monkeypatch)
    with interrupted(20):
        audit("--seed", "3")
    assert len(ran) >= 20, "from its beginning"


def test_run_that_another_process_is_at_is_left_alone() -> None:
    with interrupted(40):
        audit("--seed", "3")
    (head,) = [path for path in left() if path.name == "run.json"]
    data = json.loads(head.read_text(encoding="utf-8"))
    assert data["process"] == 0
    head.write_text(json.dumps(data | {"process": os.getppid()}), encoding="utf-8")
    before = [path.read_text(encoding="utf-8") for path in left()]
    with interrupted(60):
        _, out, _ = audit("--seed", "3")
    assert f"process {os.getppid()} audits the same" in out
    assert [path.read_text(encoding="utf-8") for path in left()] == before


def test_store_that_cannot_be_written_costs_resumption_alone(tmp_path: Path) -> None:
    (tmp_path / ".shakeproof").write_text("a file", encoding="utf-8")
    with interrupted(40):
        code, out, _ = audit("--seed", "3")
    assert code == 130
    assert "an interrupted run starts over" in out


def test_progress_is_written_once_a_second_and_whole_when_interrupted(tmp_path: Path) -> None:
    now = [0.0]
    task = Task("shakeproof", "", "tls12.client", OurTarget("").setups("tls12.client")[0], 3)
    run = Unfinished(tmp_path / "run", clock=lambda: now[0])

    def done() -> int:
        (path,) = [path for path in (tmp_path / "run").iterdir() if path.name != "run.json"]
        return int(json.loads(path.read_text(encoding="utf-8"))["done"])

    for second, words, written in ((0.0, 20, 20), (0.5, 40, 20), (1.0, 60, 60), (1.5, 80, 60)):
        now[0] = second
        run.overhear(Progress(task, words, Partial(task, done=words)))
        assert done() == written
    run.flush()
    assert done() == 80


@pytest.mark.slow
def test_ctrl_c_leaves_complete_reports_and_the_next_run_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "shakeproof", "audit", "--rogue", "early-ccs", "--role", "client", "--seed", "3"]
    formats = ["--format", "html,json,junit,sarif,pcapng,pytest,text", "--matrix"]
    with subprocess.Popen(
        [*command, *formats], stdout=subprocess.PIPE, text=True, encoding="utf-8", preexec_fn=heed_signals
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "again: shakeproof replay" in line:
                process.send_signal(signal.SIGINT)
                break
        rest = process.stdout.read()
        assert process.wait() == 130
    assert "INTERRUPTED" in rest
    names = {path.name for path in (tmp_path / "shakeproof-report").iterdir()}
    assert {"index.html", "run.json", "junit.xml", "run.sarif", "summary.txt", "full.svg", "matrix.svg"} <= names
    assert {".pcapng", ".py", ".json"} <= {Path(name).suffix for name in names}
    again = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
    assert "taken up: a run that was interrupted" in again.stdout
    assert again.returncode == 1
