"""`shakeproof rogues`: the table, its exit codes, and what it says of bad input."""

from __future__ import annotations

import pytest

from shakeproof.cli import main
from shakeproof.exits import Exit
from shakeproof.properties import detection
from shakeproof.properties.detection import CLEAN, Detection, Job


def test_table_has_the_clean_implementation_first_and_each_rogue(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = detection.detect

    def detect(job: Job) -> Detection:  # the clean suite whole is a slow test of its own
        return sound(job) if job.rogue else Detection(job, False, steps=1)

    monkeypatch.setattr(detection, "detect", detect)
    assert main(["rogues", "--engine", "suite", "--rogue", "wrong-name", "-j", "1"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("rogue "))
    assert lines[head + 1].startswith("(none: clean)")
    assert "silent" in lines[head + 1]
    assert lines[head + 2].startswith("wrong-name")
    assert "FAIL went-on" in lines[head + 2]
    assert "ALL FOUND   1 of 1" in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rogue", "wrong-nam"], "Did you mean 'wrong-name'"),
        (["--engine", "suit"], "Did you mean 'suite'"),
        (["--engine", "suite", "--rogue", "syn-resets"], "only hypothesis looks for"),
        (["--seeds", "0"], "--seeds 0 is out of range; it must be from 1 to 1000"),
    ],
)
def test_bad_input_says_what_to_do(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rogues", *arguments]) == Exit.USAGE
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("finds", "said"),
    [
        ({CLEAN: False, "early-ccs": False}, "MISSED   early-ccs by suite: 0 of 1 seeds"),
        ({CLEAN: True, "early-ccs": True}, "ALARM    on the clean implementation by suite: a check"),
    ],
)
def test_a_missed_rogue_and_a_false_alarm_are_failures(
    finds: dict[str, bool], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def detect(job: Job) -> Detection:
        return Detection(job, finds[job.rogue], what="a check")

    monkeypatch.setattr(detection, "detect", detect)
    assert main(["rogues", "--engine", "suite", "--rogue", "early-ccs", "-j", "1"]) == Exit.FINDINGS
    assert said in capsys.readouterr().out
