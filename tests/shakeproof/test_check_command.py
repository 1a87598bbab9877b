"""`shakeproof check`: what it prints and writes, how it ends, and what it says to bad input."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.model.composition import Composition, Is
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tls12_setting import Setting
from shakeproof.properties import explored, models
from shakeproof.properties.explore import Exploration, explore
from shakeproof.properties.tls12_models import composed, settings


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(monkeypatch: pytest.MonkeyPatch, setting: Setting) -> None:
    """Explore this setting alone: each takes a second."""
    monkeypatch.setattr(models, "models", lambda bound, removed: [replace(composed(setting), removed=setting.removed)])


def test_check_that_holds_says_so_with_what_it_presumes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only(monkeypatch, Setting(attacked=False))
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    assert "29 states           30 transitions  depth 22  6/6 properties  14/32 rows" in out
    assert "presumed: cryptography is perfect" in out
    assert "presumed: at most 1 message in the network at once" in out
    assert out.splitlines()[-1] == "HOLDS   every property in every one of 29 states of 1 models"


def test_check_names_a_property_that_no_state_puts_to_the_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = composed(Setting(attacked=False))
    idle = replace(model.safety[0], name="idle", premise=Is("client.state", 0))
    monkeypatch.setattr(models, "models", lambda bound, removed: [replace(model, safety=(*model.safety, idle))])
    assert main(["check"]) == 0
    assert "depth 22  7/7 properties, 1 never put to the test: idle  14/32 rows" in capsys.readouterr().out


@pytest.mark.slow
def test_check_without_a_protection_tells_and_saves_the_attack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], somewhere: Path
) -> None:
    only(monkeypatch, Setting(removed=("message-order",)))
    assert main(["check", "--without", "message-order", "-o", "out"]) == 1
    out = capsys.readouterr().out
    assert "✗ server-authenticated: a client that has finished shares its keys" in out
    assert "Attacker sends Finished[MATCH] to Client: forged; Client is now CONNECTED." in out
    assert "DOES NOT HOLD   server-authenticated" in out.splitlines()[-1]
    saved = "out/message-order-server-authenticated.json"
    executed = "out/message-order-server-authenticated-executed.json"
    assert f"picture: shakeproof draw trace {saved} · shakeproof draw trace {executed}" in out
    assert "with the rogue skip-to-finished it happens" in out
    assert "the clean implementation ends it at step 4: the client answers Finished[MATCH]" in out
    for name in (saved, executed):
        assert main(["draw", "trace", name, "-f", "txt"]) == 0
        assert "server-authenticated does not hold" in capsys.readouterr().out


def test_check_that_was_stopped_is_not_decided(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only(monkeypatch, Setting(attacked=False))

    def with_little_memory(model: Composition, progress: object) -> Exploration:
        return explore(model, memory=1)

    monkeypatch.setattr(explored, "checked", with_little_memory)
    assert main(["check"]) == 3
    out = capsys.readouterr().out
    assert "stopped: out of memory: level 1 needs" in out
    assert out.splitlines()[-1] == "NOT DECIDED   1 of 1 models were not explored to their end"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bound", "0"], "--bound came as 0; expected 1 to 4 messages"),
        (["--bound", "5"], "--bound came as 5; expected 1 to 4 messages"),
        (["--without", "name-chek"], "no protection 'name-chek'. Did you mean 'name-check'"),
        (["--without", ""], "--without came with an empty value"),
        (["--engine", "spinn"], "no engine 'spinn'. Did you mean 'spin'"),
    ],
)
def test_check_bad_input_is_one_line_and_code_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1


def test_check_folder_that_is_a_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], somewhere: Path
) -> None:
    only(monkeypatch, Setting(removed=("message-order",)))
    (somewhere / "out").write_text("", encoding="utf-8")
    assert main(["check", "--without", "message-order", "-o", "out"]) == 2
    assert "out: can't be written to" in capsys.readouterr().err


@pytest.mark.slow
def test_check_by_spin_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], require_tool: Callable[[str], str]
) -> None:
    for name in ("spin", "gcc"):
        require_tool(name)
    only(monkeypatch, Setting(attacked=False))
    assert main(["check", "--engine", "spin"]) == 0
    out = capsys.readouterr().out
    assert "29 states           30 transitions  depth 22  6/6 properties" in out
    assert "rows  " not in out
    assert "not asked of SPIN: which rows are taken, and whether completion stays reachable" in out
    assert out.splitlines()[-1] == "HOLDS   every property in every one of 29 states of 1 models"


@pytest.mark.slow
def test_check_by_spin_without_a_protection_tells_and_saves_the_attack(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], require_tool: Callable[[str], str]
) -> None:
    for name in ("spin", "gcc"):
        require_tool(name)
    only(monkeypatch, Setting(removed=("message-order",)))
    assert main(["check", "--engine", "spin", "--without", "message-order", "-o", "out"]) == 1
    out = capsys.readouterr().out
    assert "shortest counterexample, 4 steps:" in out
    assert "Attacker sends Finished[MATCH] to Client: forged; Client is now CONNECTED." in out
    assert main(["draw", "trace", "out/message-order-server-authenticated.json", "-f", "txt"]) == 0


def test_check_by_spin_that_is_not_installed_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["check", "--engine", "spin"]) == 2
    err = capsys.readouterr().err
    assert err == "shakeproof: SPIN is not installed (spin and gcc missing). To have it: apt install spin gcc\n"


def test_check_writes_the_models_for_spin_and_explores_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], somewhere: Path
) -> None:
    only(monkeypatch, Setting(attacked=False))
    monkeypatch.setenv("PATH", "/nowhere")
    assert main(["check", "--promela", "written"]) == 0
    out = capsys.readouterr().out
    assert "written/tls12-rsa-honest-bound-1.pml" in out
    assert "HOLDS" not in out
    assert "spin -o1 -o2 -o3 -a FILE && gcc -O2 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m10000000" in out
    text = (somewhere / "written/tls12-rsa-honest-bound-1.pml").read_text(encoding="utf-8")
    assert "active proctype model_1()" in text
    (somewhere / "file").write_text("", encoding="utf-8")
    assert main(["check", "--promela", "file"]) == 2
    assert "file: can't be written to" in capsys.readouterr().err


def test_list_protections_has_each_with_its_attack(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "protections"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(PROTECTIONS)
    assert "without it: goto fail (CVE-2014-1266)" in lines[2]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("challenge-ack", "Attacker sends RST[AHEAD, NO_ACK] to Client"),
        ("unpredictable-isn", "Attacker sends data[CURRENT] to Server"),
    ],
)
def test_check_without_a_protection_of_tcp_tells_and_saves_the_attack(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--without", name, "-o", "out"]) == 1
    assert said in capsys.readouterr().out
    assert main(["draw", "trace", f"out/{name}-stream-intact.json", "-f", "txt"]) == 0
    assert "stream-intact does not hold" in capsys.readouterr().out


@pytest.mark.slow
def test_check_with_every_protection_holds_in_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    told = [line for line in out.splitlines() if " transitions  depth " in line]
    assert all(any(line.startswith(f"  {setting.name}  ") for line in told) for setting in settings(1, ()))
    assert any(line.startswith("  tls12 rsa fallback  ") for line in told)
    last = out.splitlines()[-1]
    assert re.fullmatch(rf"HOLDS   every property in every one of [\d,]+ states of {len(told)} models", last)
