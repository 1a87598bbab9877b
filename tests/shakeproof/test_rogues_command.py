"""`shakeproof rogues`: the table, its exit codes, and what it says of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.exits import Exit
from shakeproof.properties import detection
from shakeproof.properties.detection import CLEAN, HYPOTHESIS, SUITE, Detection, Job, rows_of
from shakeproof.reports.detection import Detections


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
        (["--format", "html"], "There are: text, markdown"),
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


def made(rogue: str, engine: str, verdict: str, section: str, *numbers: float, seed: int = 0) -> Detection:
    steps, shrunk, seconds = numbers
    clause = f"RFC 5246 section {section}" if section else ""
    return Detection(
        Job(rogue, engine, seed), bool(verdict), verdict, "a check", clause, int(steps), int(shrunk), seconds
    )


FOUND = (
    made(CLEAN, SUITE, "", "", 23282, 0, 45.97),
    made(CLEAN, HYPOTHESIS, "", "", 29762, 0, 307.84),
    made("goto-fail", SUITE, "FAIL went-on", "7.4.3", 2104, 3, 2.84),
    made("goto-fail", HYPOTHESIS, "FAIL went-on", "7.4.3", 32, 2, 3.09),
    made("mac-unchecked", SUITE, "FAIL went-on", "6.2.3.3", 1443, 5, 1.4),
    made("mac-unchecked", HYPOTHESIS, "FAIL went-on", "F.2", 2, 2, 0.45),
    made("syn-resets", HYPOTHESIS, "DEVIATION", "", 2, 2, 0.2),
)

MARKDOWN = """\
| rogue         | suite: steps | shrunk |     s | Hypothesis: steps | shrunk |      s | verdict      | clause        |
| ------------- | -----------: | -----: | ----: | ----------------: | -----: | -----: | ------------ | ------------- |
| (none: clean) |        23282 |        | 45.97 |             29762 |        | 307.84 | silent       |               |
| goto-fail     |         2104 |      3 |  2.84 |                32 |      2 |   3.09 | FAIL went-on | 5246 §7.4.3   |
| mac-unchecked |         1443 |      5 |  1.40 |                 2 |      2 |   0.45 | FAIL went-on | 5246 §6.2.3.3 |
| syn-resets    |            - |        |       |                 2 |      2 |   0.20 | DEVIATION    |               |

median 1.40 s · slowest 3.1 s (goto-fail by hypothesis) · clean implementation: silent

ALL FOUND   3 of 3

Where the engines differ: mac-unchecked: FAIL went-on 5246 §6.2.3.3 by suite, FAIL went-on 5246 §F.2 by Hypothesis."""


def test_markdown_has_the_engines_side_by_side() -> None:
    assert Detections(rows_of(FOUND)).as_markdown() == MARKDOWN


def test_readme_has_the_table_that_the_command_prints() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8").splitlines()
    columns = [[cell.strip() for cell in line.split("|")] for line in readme if line.startswith("|")]
    assert [cell.strip() for cell in MARKDOWN.splitlines()[0].split("|")] in columns
    assert any("`shakeproof rogues --format markdown`" in line for line in readme)


def test_markdown_says_what_was_missed_and_which_alarm_was_false() -> None:
    wrong = [made(CLEAN, SUITE, "CRASH", "7", 5, 1, 0.5), made("goto-fail", SUITE, "", "", 90, 0, 1.5)]
    text = Detections(rows_of(wrong)).as_markdown()
    assert text.splitlines()[0].count("steps") == 1, "an engine that did not run has no columns"
    for said in (
        "| FALSE ALARM | 5246 §7 |",
        "| MISSED ",
        "MISSED   goto-fail by suite: 0 of 1 seeds",
        "ALARM    on the",
    ):
        assert said in text
    assert "ALL FOUND" not in text


def test_table_of_several_seeds_says_with_how_many_it_was_found() -> None:
    seeds = [made("robot", SUITE, "CRASH" * (seed > 0), "7", 10 * seed, seed, seed, seed=seed) for seed in range(4)]
    (line,) = Detections(rows_of(seeds)).lines()
    assert line.cells == ("robot", "3/4", "20", "2", "2.00", "MISSED", "5246 §7")


def test_markdown_is_alone_on_standard_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(detection, "detect", lambda job: next(each for each in FOUND if each.job == job))
    assert main(["rogues", "--format", "markdown", "--rogue", "syn-resets", "-j", "1"]) == Exit.OK
    captured = capsys.readouterr()
    assert captured.out == Detections(rows_of([*FOUND[:2], FOUND[-1]])).as_markdown() + "\n"
    assert "3/3 syn-resets by hypothesis: DEVIATION" in captured.err
