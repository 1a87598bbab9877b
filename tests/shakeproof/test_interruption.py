"""Ctrl-C in an audit: the reports are written, and what is written is whole."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import graphviz
import pytest

from shakeproof.cli import main
from shakeproof.commands.interruption import FIRST, SECOND, Interruption, interruptible
from shakeproof.diagrams.figure import Figure
from shakeproof.properties.findings import CellDone, Listener, RoleStarted, Run
from shakeproof.properties.signals import Interrupted
from shakeproof.reports.folder import FolderReport

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def in_the_foreground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of a shell, which ignores no signals for us; in an empty folder."""
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def runs(*, interrupted: bool) -> Callable[..., Run]:
    """An engine that does nothing, or is interrupted in the midst of it."""

    def engine(*_: object, listener: Listener, command: str, seed: int, time_s: float, **__: object) -> Run:
        listener(RoleStarted("shakeproof", "ours", "tls12.client", 100))
        listener(CellDone("shakeproof", "tls12.client", 30, 100))
        if interrupted:
            signal.raise_signal(signal.SIGINT)
        return Run(command, seed, time_s)

    return engine


def report() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(Path("shakeproof-report/run.json").read_text(encoding="utf-8"))
    return data


def pressing(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed so often while a picture of the reports is made."""

    def draw() -> Figure:
        for _ in range(times):
            signal.raise_signal(signal.SIGINT)
        return Figure("a picture", "digraph {}", "")

    monkeypatch.setattr("shakeproof.figures.draw_full", draw)


def test_first_ctrl_c_says_at_once_that_reports_are_written(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shakeproof.properties.audit.audit", runs(interrupted=True))
    assert main(["audit", "shakeproof"]) == 130
    captured = capfd.readouterr()
    assert captured.err == f"shakeproof: {FIRST}\n"
    assert "INTERRUPTED" in captured.out
    assert report()["interrupted"] is True
    assert Path("shakeproof-report/index.html").is_file()


def test_second_ctrl_c_while_reports_are_written_is_answered_and_costs_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shakeproof.properties.audit.audit", runs(interrupted=True))
    pressing(1, monkeypatch)
    assert main(["audit", "shakeproof"]) == 130
    assert capfd.readouterr().err == f"shakeproof: {FIRST}\nshakeproof: {SECOND}\n"
    assert {"index.html", "full.svg"} <= set(report()["files"])


def test_third_ctrl_c_ends_at_once_and_leaves_a_whole_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shakeproof.properties.audit.audit", runs(interrupted=True))
    pressing(2, monkeypatch)
    assert main(["audit", "shakeproof"]) == 130
    assert capfd.readouterr().err == f"shakeproof: {FIRST}\nshakeproof: {SECOND}\nshakeproof: interrupted\n"
    assert report()["interrupted"] is True
    names = {path.name for path in Path("shakeproof-report").iterdir()}
    assert names == {*report()["files"], "run.json"}


def test_ctrl_c_after_a_run_does_not_take_its_reports(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shakeproof.properties.audit.audit", runs(interrupted=False))
    pressing(1, monkeypatch)
    assert main(["audit", "shakeproof"]) == 3, "nothing ran, but nothing was interrupted either"
    assert capfd.readouterr().err == f"shakeproof: {SECOND}\n"
    assert report()["interrupted"] is False
    assert "index.html" in report()["files"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_end_a_run_once_and_no_reports(number: signal.Signals) -> None:
    with interruptible() as interruption:
        interruption.run()
        with pytest.raises(Interrupted):
            signal.raise_signal(number)
        for _ in range(3):
            signal.raise_signal(number)
    assert signal.getsignal(number) is signal.SIG_DFL


def test_ctrl_c_before_a_run_speaks_of_no_reports(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Interrupted):
        Interruption().come(signal.SIGINT)
    assert capfd.readouterr().err == ""


def test_file_of_a_report_that_is_not_written_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = FolderReport(tmp_path / "report", formats=["text"], seed=1)
    folder._write("a.txt", "whole")

    def interrupted(*_: object) -> str:
        raise Interrupted

    monkeypatch.setattr("shakeproof.reports.folder.SUMMARY", "a.txt")
    monkeypatch.setattr("shakeproof.reports.terminal.verdict_lines", interrupted)
    from shakeproof.reports.summary import judge_run

    with pytest.raises(Interrupted):
        folder._summary(judge_run(Run("shakeproof audit", 1, 1.0), (), "must"))
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["a.txt"]
    assert (tmp_path / "report" / "a.txt").read_text(encoding="utf-8") == "whole"


def test_picture_whose_renderer_a_ctrl_c_ended_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = [b"", b"<svg/>"]

    def pipe(*_: object, **__: object) -> bytes:
        data = drawn.pop(0)
        if not data:
            raise graphviz.CalledProcessError(-signal.SIGINT, ["dot"], b"", b"")
        return data

    monkeypatch.setattr(graphviz.Source, "pipe", pipe)
    from shakeproof.diagrams import render

    assert render.run("digraph {}", "svg", pinned=False) == b"<svg/>"
