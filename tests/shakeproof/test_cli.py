"""The command line: exit codes, suggestions, and that bad input never gives a traceback."""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shakeproof import __version__
from shakeproof.cli import app, main
from shakeproof.commands.parsing import MAY_BE_EMPTY
from shakeproof.commands.running import BROKEN_PIPE
from shakeproof.exits import unknown
from shakeproof.properties.findings import CellDone, Listener, RoleStarted, Run


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Each test runs in an empty folder, without settings of the user."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SHAKEPROOF_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def closed_port() -> int:
    """A port on loopback where nothing listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def test_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"shakeproof {__version__}\n"


@pytest.mark.parametrize("command", ["audit", "test", "draw", "replay", "serve", "fetch", "list", "explain", "doctor"])
def test_help_of_every_command_works(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    assert f"\n  {command} " in capsys.readouterr().out
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out


def test_no_command_is_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "Commands:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audti", "Did you mean 'audit'"),
        ("audit opensl", "Did you mean 'openssl'"),
        ("audit --rol client", "--role"),
        ("audit --role clinet", "Did you mean 'client'"),
        ("audit --suite ful", "no suite 'ful'"),
        ("audit --fail-on mist", "Did you mean 'must'"),
        ("audit --format jsn", "Did you mean 'json'"),
        ("audit --time soon", "no time"),
        ("audit --seed -1", "out of range"),
        ("audit --rogue early-css", "Did you mean 'early-ccs'"),
        ("audit openssl --rogue early-ccs", "can't have one"),
        ("audit --rogue no-slow-start", "fault of TCP"),
        ("audit --rogue no-slow-start", "shakeproof test --rogue no-slow-start"),
        ("audit localhost:0", "from 1 to 65535"),
        ("audit localhost:99999", "from 1 to 65535"),
        ("audit example.com:443", "--i-am-authorized"),
        ("draw ful", "Did you mean 'full'"),
        ("draw machine", "takes 1 argument, none came"),
        ("draw full x", "takes no argument"),
        ("draw machine tls12.clent", "Did you mean 'tls12.client'"),
        ("draw full -f svgg", "Did you mean 'svg'"),
        ("draw full --key-exchange rsaa", "Did you mean 'rsa'"),
        ("draw trace missing.json", "can't be read"),
        ("draw all -o -", "name a folder"),
        ("draw all -o all.svg", "name a folder"),
        ("draw full -f png -o full.svg", "-o full.svg is a file of another format than -f png"),
        ("replay 0123", "no saved finding"),
        ("list rols", "Did you mean 'roles'"),
        ("explain TLS12-NOTHING-AT-ALL", "no check or clause"),
        ("explain 99.99", "no check or clause"),
    ],
)
def test_bad_input_is_usage_with_a_suggestion(line: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert not captured.out


def options(command: str) -> list[tuple[str, str, bool]]:
    """Name, parameter and whether it is repeatable, of each option of a command that takes a value."""
    import typer.main

    group: Any = typer.main.get_command(app)
    return [
        (max(each.opts, key=len), each.name, each.multiple)
        for each in group.commands[command].params
        if each.param_type_name == "option" and not each.is_flag
    ]


COMMANDS = ("audit", "test", "draw", "replay", "serve", "fetch", "list", "rogues", "verify")


@pytest.mark.parametrize("command", COMMANDS)
def test_option_that_is_empty_is_usage_and_not_as_if_it_were_absent(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, parameter, _ in options(command):
        if parameter not in MAY_BE_EMPTY.get(command, ()):
            assert main([command, name, ""]) == 2, name
            said = capsys.readouterr().err
            assert said.startswith(f"shakeproof: {name} came with an empty value; expected "), name
            assert "None" not in said
            assert len(said.splitlines()) == 1


@pytest.mark.parametrize("command", COMMANDS)
def test_option_that_is_given_twice_is_usage_unless_it_is_repeatable(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, _, repeatable in options(command):
        if not repeatable:
            assert main([command, name, "1", name, "2"]) == 2, name
            assert capsys.readouterr().err == f"shakeproof: {name} was given twice; it is expected once\n"


def test_empty_value_that_means_something_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    assert {(command, each) for command, names in MAY_BE_EMPTY.items() for each in names} <= {
        (command, parameter) for command in COMMANDS for _, parameter, _ in options(command)
    }
    assert main(["replay", "0123", "--rogue", ""]) == 2
    assert "no saved finding" in capsys.readouterr().err


def test_switch_may_come_twice_but_not_with_its_opposite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fetch", "--trace", "--trace", "http://x"]) == 2
    assert "given" not in capsys.readouterr().err
    assert main(["fetch", "--tickets", "--no-tickets", "https://x"]) == 2
    assert "--tickets/--no-tickets was given twice" in capsys.readouterr().err


def test_unknown_names_all_candidates() -> None:
    assert "There are: alpha, beta." in str(unknown("letter", "zzz", ["alpha", "beta"]))
    assert "Did you mean 'alpha'?" in str(unknown("letter", "alpah", ["alpha", "beta"]))


def test_bad_settings_are_usage(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (elsewhere / "shakeproof.toml").write_text("tiem = '20s'\n", encoding="utf-8")
    assert main(["doctor"]) == 2
    assert "Did you mean 'time'" in capsys.readouterr().err


def test_audit_where_nothing_listens_is_not_tested(closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", f"127.0.0.1:{closed_port}", "-j", "1"]) == 3
    *_, why, verdict, _ = capsys.readouterr().out.splitlines()
    assert verdict.startswith("NOT TESTED")
    assert why.startswith("not tested: ")
    assert "refused" in why


def test_audit_named_target_of_the_settings(
    elsewhere: Path, closed_port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "shakeproof.toml").write_text(
        f'[targets.mine]\nconnect = "127.0.0.1:{closed_port}"\n', encoding="utf-8"
    )
    assert main(["audit", "mine", "-j", "1"]) == 3
    assert f"127.0.0.1:{closed_port}" in capsys.readouterr().out


def test_settings_give_way_to_environment_and_command_line(
    elsewhere: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = f"127.0.0.1:{closed_port}"
    (elsewhere / "shakeproof.toml").write_text('time = "20s"\nseed = 5\njobs = 1\n', encoding="utf-8")
    main(["audit", target])
    assert "seed 5 · budget 20 s" in capsys.readouterr().out
    monkeypatch.setenv("SHAKEPROOF_TIME", "30s")
    main(["audit", target])
    assert "seed 5 · budget 30 s" in capsys.readouterr().out
    main(["audit", target, "--time", "40s"])
    assert "seed 5 · budget 40 s" in capsys.readouterr().out


def test_audit_json_to_standard_output_is_json_alone(closed_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", f"127.0.0.1:{closed_port}", "-j", "1", "--json", "-", "--seed", "9"]) == 3
    captured = capsys.readouterr()
    data = json.loads(captured.out)
    assert (data["format"], data["exit_code"], data["seed"]) == ("shakeproof.run/1", 3, 9)
    assert "NOT TESTED" in captured.err


def test_audit_without_a_time_budget_left_says_what_was_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "shakeproof", "--role", "client", "--time", "1ms", "-j", "1"]) == 3
    assert "for lack of time" in capsys.readouterr().out


def test_audit_interrupted_still_writes_its_reports(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, listener: Listener, **__: object) -> Run:
        listener(RoleStarted("shakeproof", "ours", "tls12.client", 100))
        listener(CellDone("shakeproof", "tls12.client", 30, 100))
        raise KeyboardInterrupt

    monkeypatch.setattr("shakeproof.properties.audit.audit", interrupted)
    assert main(["audit", "shakeproof"]) == 130
    out = capsys.readouterr().out
    assert "INTERRUPTED   0 FAIL · 0 DEVIATION · left out: 70 cells by the interruption" in out
    assert json.loads((elsewhere / "shakeproof-report" / "run.json").read_text())["interrupted"] is True


def test_audit_whose_picture_fails_still_gives_its_verdict(
    elsewhere: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("no picture")

    monkeypatch.setattr("shakeproof.figures.draw_full", broken)
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    assert main(["audit", f"127.0.0.1:{closed_port}", "-j", "1"]) == 4
    captured = capsys.readouterr()
    assert "NOT TESTED" in captured.out
    assert "please report it: RuntimeError: no picture" in captured.err
    assert (elsewhere / "shakeproof-report" / "run.json").exists()


def test_error_of_ours_is_saved_and_reported(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken() -> None:
        raise RuntimeError("a \x1b[31mbug")

    monkeypatch.setattr("shakeproof.doctor.examine", broken)
    monkeypatch.setattr("tempfile.tempdir", str(elsewhere))
    assert main(["doctor"]) == 4
    said = capsys.readouterr().err
    assert "please report it: RuntimeError: a \\x1b[31mbug" in said
    (saved,) = elsewhere.glob("shakeproof-error-*.txt")
    assert "Traceback" in saved.read_text(encoding="utf-8")
    assert str(saved) in said


@pytest.mark.parametrize("command", ["list rogues", "--help"])
def test_closed_pipe_ends_quietly(command: str) -> None:
    run = subprocess.run(
        ["bash", "-c", f'{sys.executable} -m shakeproof {command} | head -1; echo "${{PIPESTATUS[0]}}" >&2'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert len(run.stdout.splitlines()) == 1
    assert run.stderr in (f"{BROKEN_PIPE}\n", "0\n"), "0: head was slow enough for all of it to fit into the pipe"


@pytest.mark.parametrize(
    "line",
    [
        "--help",
        "--version",
        "audit --help",
        "audit shakeproof -j 1",
        "test -j 1",
        "rogues -j 1",
        "draw tcp-handshake -f txt",
        "draw key-exchange -f dot -o -",
        "draw full -f pcapng -o -",
        "list rogues",
        "explain 7.4.9",
        "doctor",
        "verify chain.pem --anchors chain.pem",
    ],
)
def test_output_that_nobody_reads_ends_every_command_quietly(
    line: str, elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from shakeproof.material import factory_anchors_pem

    (elsewhere / "chain.pem").write_text(factory_anchors_pem(), encoding="ascii")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        assert main(line.split()) == BROKEN_PIPE
        assert sys.stdout is stdout
        print("what still comes goes nowhere", file=stdout, flush=True)
    assert not capsys.readouterr().err


@pytest.mark.slow
def test_output_that_is_closed_or_full_is_no_error_of_ours() -> None:
    def run(redirection: str) -> subprocess.CompletedProcess[str]:
        line = f"{sys.executable} -m shakeproof list roles {redirection}"
        return subprocess.run(["bash", "-c", line], capture_output=True, text=True)

    closed = run(">&-")
    assert (closed.returncode, closed.stderr) == (0, "")
    full = run("> /dev/full")
    assert full.returncode == 2
    assert full.stderr == "shakeproof: standard output: can't be written to (No space left on device)\n"


@pytest.mark.parametrize("what", ["roles", "properties", "targets", "figures", "rogues", "clauses"])
def test_list_names_something(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 2
    assert all(len(line.split()) >= 2 for line in lines), "each name has a sentence"


def test_doctor_knows_what_is_installed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "cryptography" in out
    assert "everything that is required is there" in out


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("RFC 5246 7.4.9", "Recipients of Finished messages MUST verify"),
        ("5246 §7.4.9", "Recipients of Finished messages MUST verify"),
        ("7.4.9", "Recipients of Finished messages MUST verify"),
        ("RFC 5246 section 7.4.9 preceded", "not preceded by a ChangeCipherSpec"),
        ("TLS12-CLIENT-WAIT-FINISHED-FINISHED-MISMATCH", "abort(decrypt_error)"),
        ("tls12-client-wait-finished-finished-mismatch", "abort(decrypt_error)"),
        ("TLS12-CLIENT-OPEN-ALERT-CLOSURE-TRUNCATED", "in order to avoid a truncation attack"),
        ("TLS12-CLIENT-OPEN-ALERT-CLOSURE-TRUNCATED", "here      the transport ended right behind it"),
        ("TLS12-CLIENT-OPEN-ALERT-CLOSURE-EXITED", "the program's exit status was 0"),
        ("TLS12-CLIENT-WAIT-FINISHED-FINISHED-MISMATCH-FRAGMENTED", "here      cut up into several records"),
        ("tls12-client-open-alert-warning-stay-bounded", "no RFC gives one, it is our reading"),
        ("TLS12-SERVER-ALIKE-BAD-BLOCK-BAD-VERSION", "answered in the same way, whichever came"),
        ("HONEST-HANDSHAKE", "an honest peer's connection must open"),
        ("deviation", "another alert than required"),
        ("FAIL", "after an event that forbids it"),
    ],
)
def test_explain_gives_the_sentence(question: str, answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *question.split()]) == 0
    assert answer in capsys.readouterr().out


def test_draw_writes_what_it_says(elsewhere: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "key-exchange", "-f", "dot", "-o", "pictures"]) == 0
    assert capsys.readouterr().out.strip() == str(Path("pictures") / "key-exchange.gv")
    assert (elsewhere / "pictures" / "key-exchange.gv").read_text(encoding="utf-8").startswith("digraph")


@pytest.mark.parametrize(
    ("file", "start"),
    [
        ("client.svg", b"<svg "),
        ("b.PNG", b"\x89PNG"),
        ("client.gv", b"digraph"),
        ("x.dot", b"digraph"),
        ("x.txt", b"TCP three-way handshake"),
        ("there/x.svg", b"<svg "),
        ("x.pcapng", b"\x0a\x0d\x0d\x0a"),
    ],
)
def test_draw_writes_the_file_that_it_is_told(
    file: str, start: bytes, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "there").mkdir()
    name = "full" if file.endswith(".pcapng") else "tcp-handshake"
    assert main(["draw", name, "-o", file]) == 0
    assert capsys.readouterr().out.split("  (")[0].strip() == file
    data = (elsewhere / file).read_bytes()
    assert data.startswith(start)


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("nonexistent/x.png", "-o nonexistent/x.png: there is no folder nonexistent; make it"),
        ("nonexistent/x.pcapng", "there is no folder nonexistent"),
        ("file/x.svg", "there is no folder file"),
        ("x.jpg", "-o x.jpg: jpg is no format that is written; name a file that ends in .svg"),
    ],
)
def test_draw_to_a_file_that_is_mistyped_makes_no_folder(
    out: str, said: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "file").touch()
    assert main(["draw", "full", "-o", out]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in elsewhere.iterdir()] == ["file"]


def test_draw_into_a_folder_that_is_called_like_a_file(elsewhere: Path) -> None:
    (elsewhere / "old.svg").mkdir()
    assert main(["draw", "tcp-handshake", "-f", "txt", "-o", "old.svg"]) == 0
    assert main(["draw", "tcp-handshake", "-f", "txt", "-o", "v1.2"]) == 0
    assert main(["draw", "tcp-handshake", "-f", "txt", "-o", "new.svg/"]) == 0
    assert (elsewhere / "new.svg" / "tcp-handshake.txt").is_file()
    assert (elsewhere / "old.svg" / "tcp-handshake.txt").is_file()
    assert (elsewhere / "v1.2" / "tcp-handshake.txt").is_file()


def test_draw_as_text_goes_to_the_terminal(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["draw", "full", "-f", "txt"]) == 0
    out = capfdbinary.readouterr().out.decode()
    for word in ("SYN", "ClientHello", "ClientKeyExchange", "Finished", "GET / HTTP/1.1", "close_notify", "TIME-WAIT"):
        assert word in out


def test_draw_without_graphviz_writes_dot_text_and_says_how_to_get_it(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shakeproof.diagrams.render.find_renderer", lambda: None)
    assert main(["draw", "tcp-handshake"]) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == "tcp-handshake.gv"
    assert "shakeproof[dot]" in captured.err
    assert (elsewhere / "tcp-handshake.gv").exists()


@pytest.mark.parametrize("name", ["some folder/abc123.json", "saved"])
def test_draw_of_a_file_says_how_a_file_is_drawn(
    name: str, elsewhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (elsewhere / "saved").touch()
    assert main(["draw", name]) == 2
    err = capsys.readouterr().err.strip()
    assert err.endswith(f"For a file: shakeproof draw trace {shlex.quote(name)}")
    assert main(["draw", "sved"]) == 2
    assert "For a file" not in capsys.readouterr().err
