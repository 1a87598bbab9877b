"""`shakeproof learn`: what it prints and writes, and what it says to bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from shakeproof.cli import main


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_learn_writes_both_machines_and_the_picture(somewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["learn", "shakeproof", "--role", "server", "--rogue", "early-ccs", "--time", "20s", "-o", "out"])
    assert code == 1
    out = capsys.readouterr().out
    assert "WAIT_CLIENT_KEY_EXCHANGE -- ChangeCipherSpec[ONE] / nothing" in out
    names = sorted(path.name for path in (somewhere / "out").iterdir())
    assert names == [
        "learned-tls12.server-shakeproof-by-the-table.json",
        "learned-tls12.server-shakeproof.json",
        "learned-tls12.server-shakeproof.svg",
    ]
    data = json.loads((somewhere / "out" / names[1]).read_text(encoding="utf-8"))
    assert data["format"] == "shakeproof.machine/1"
    assert data["setup"] == "rsa, rsa certificate, AES-128-CBC"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nosuch"], "no target 'nosuch'"),
        (["openssl", "--with", "Certificate[EXPIRD]"], "no input 'Certificate[EXPIRD]'. Did you mean"),
        (["openssl", "--role", "peer"], "no role 'peer'"),
        (["openssl", "--setup", "none"], "no setup 'none'"),
        (["openssl", "--time", "soon"], "soon"),
    ],
)
def test_learn_refuses_what_it_can_not_do_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["learn", *arguments]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert len(error.strip().splitlines()) == 1


def test_learn_that_has_no_time_says_that_nothing_was_learned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", "openssl", "--role", "server", "--time", "0.2s"]) == 3
    assert "nothing was learned: the time was used up" in capsys.readouterr().out
