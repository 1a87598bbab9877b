"""The stacks that we start ourselves: their commands, what they need, and how their drivers are compiled."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from shakeproof.cli import app
from shakeproof.properties.targets import bundled, compiled
from shakeproof.properties.targets.base import Setup, TargetError
from shakeproof.properties.targets.bundled import PROGRAMS
from shakeproof.properties.targets.process import make_files
from shakeproof.properties.targets.program import Files

INSTALL = Path(__file__).parents[2] / "docs" / "stacks" / "install"
PORT = 40404
FAKE_COMPILER = """#!/bin/sh
echo ran >>"$COUNT"
[ -z "$FAILS" ] || { echo "no such thing" >&2; exit 3; }
touch "$1/made"
"""


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return make_files(tmp_path, "tls12.server", "rsa")


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiler that counts its runs; the file with the count."""
    program = tmp_path / "bin" / "compiler"
    program.parent.mkdir()
    program.write_text(FAKE_COMPILER, encoding="ascii")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COUNT", str(tmp_path / "count"))
    monkeypatch.setenv("FAILS", "")
    return tmp_path / "count"


def made() -> Path:
    return compiled.built("driver.go", "compiler", lambda source, to: ["compiler", str(to)])


def test_every_stack_of_the_table_is_installed_by_the_script() -> None:
    listed = subprocess.run([INSTALL, "--list"], capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(PROGRAMS)


def test_the_script_refuses_a_stack_that_it_does_not_know() -> None:
    done = subprocess.run([INSTALL, "--only", "gnutsl"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no stack is called gnutsl; known are openssl-cli gnutls" in done.stderr


def test_a_command_names_the_port_and_the_files_in_every_setup(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundled, "built", lambda source, compiler, argv: Path("built"))
    for program in PROGRAMS.values():
        sides = ((program.server, program.server_setups), (program.client, program.client_setups))
        for start, setups in sides:
            for setup in setups if start else ():
                assert start is not None
                words = " ".join(start(files, PORT, setup))
                assert str(PORT) in words
                assert str(files.folder) in words


def test_a_session_that_is_kept_is_offered_again(files: Files) -> None:
    client = PROGRAMS["openssl-cli"].client
    assert client is not None
    setup = Setup("rsa", "rsa", "cbc", session="id")
    assert "-sess_in" not in client(files, PORT, setup)
    (files.folder / "session.pem").touch()
    assert "-sess_in" in client(files, PORT, setup)
    assert "-sess_in" not in client(files, PORT, setup.plain)


def test_setups_that_botan_is_prepared_for_otherwise_are_started_by_another_command(files: Files) -> None:
    botan = PROGRAMS["botan"]
    assert botan.server is not None
    assert botan.prepare is not None
    policies: dict[tuple[str, ...], str] = {}  # a process runs on for every setup that has its command
    for setup in botan.server_setups:
        botan.prepare(files, setup)
        command = tuple(botan.server(files, PORT, setup))
        policy = Path(command[-1].removeprefix("--policy=")).read_text(encoding="ascii")
        assert policies.setdefault(command, policy) == policy
        assert ("allow_client_initiated_renegotiation = true" in policy) is setup.renegotiation


def test_a_driver_is_compiled_once(compiler: Path) -> None:
    first = made()
    assert (first / "made").exists()
    assert made() == first
    assert compiler.read_text(encoding="ascii").count("ran") == 1


def test_a_driver_that_does_not_compile_is_told_in_one_line(compiler: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAILS", "yes")
    with pytest.raises(TargetError, match="failed with 3: no such thing"):
        made()
    monkeypatch.setenv("FAILS", "")
    assert (made() / "made").exists()


def test_a_compiler_that_is_not_there_is_told() -> None:
    with pytest.raises(TargetError, match="there is no no-such-compiler to compile it with"):
        compiled.built("driver.go", "no-such-compiler", lambda source, to: [])


def test_list_targets_tells_what_is_installed_and_how_to_get_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shakeproof.properties.targets.program.is_installed", lambda need: need == "openssl")
    result = CliRunner().invoke(app, ["list", "targets"])
    assert result.exit_code == 0
    lines = {line.split()[0]: line for line in result.output.splitlines() if line[:1].strip()}
    assert "OpenSSL" in lines["openssl-cli"]
    assert "not installed" not in lines["openssl-cli"]
    assert "not installed · Debian: gnutls-bin" in lines["gnutls"]
    assert "--only gnutls" in lines["gnutls"]
