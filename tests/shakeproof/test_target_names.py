"""What is said of a target that can't be audited: what is wrong, and nothing that belongs to another kind of name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.properties.targets.bundled import PROGRAMS

ADDRESS = "An address is written HOST:PORT"


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["audit", *words, "--time", "1s"]) == 2
    said = capsys.readouterr()
    assert said.out == "", "nothing runs, so there is no header"
    return " ".join(said.err.split())


def test_bundled_name_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(PROGRAMS, "rustls", replace(PROGRAMS["rustls"], needs=("python:no_such_module",)))
    said = refused(capsys, "rustls")
    assert "rustls is not installed" in said
    assert "no_such_module is missing. To have it: PyPI: rtls" in said
    assert "there is no target" not in said


def test_misspelt_bundled_name_is_suggested_and_all_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "opensl-cli")
    assert "Did you mean 'openssl-cli'" in said
    assert all(f" {name}" in said.partition("There are:")[2] for name in PROGRAMS)


@pytest.mark.parametrize(
    ("name", "is_address"),
    [
        ("127.0.0.1", True), ("127.0.0.1:99999", True), ("localhost", True), ("example.com", True),
        ("exec:no-such-program {port}", False), ("python:no_such_module:make", False), ("nothing", False),
    ],
)  # fmt: skip
def test_form_of_an_address_is_told_of_addresses_only(
    name: str, is_address: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (ADDRESS in refused(capsys, name)) is is_address


def test_brace_that_is_not_closed_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "the brace of {port is not closed; write {port}" in refused(capsys, f"exec:{sys.executable} {{port")


def test_command_of_either_role_is_refused_before_the_run_begins(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, f"exec:{sys.executable} {{port}}")
    assert "say which with --role client or --role server" in said


def test_list_shows_the_command_of_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shakeproof.properties.targets.bundled.PROGRAMS", {})
    text = "[targets.mine]\nstart = 'my-server {port}'\nroles = ['server']\n"
    (tmp_path / "shakeproof.toml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["list", "targets"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mine")]
    assert "starts my-server {port} (from " in line
