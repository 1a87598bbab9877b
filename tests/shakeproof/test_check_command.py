"""`shakeproof check`: what it prints and writes, how it ends, and what it says to bad input."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from shakeproof.cli import main
from shakeproof.commands.check import DEFAULT_MEMORY_GIB
from shakeproof.impl.tls import ClientConnection
from shakeproof.model.composition import Column, Is
from shakeproof.model.protections import PROTECTIONS
from shakeproof.model.tls12_fallback import ATTEMPT
from shakeproof.model.tls12_setting import Setting
from shakeproof.model.trace import Trace
from shakeproof.properties import explored, models, realised
from shakeproof.properties.explore import DEFAULT_MEMORY, Exploration, explore
from shakeproof.properties.realised import Replay
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.tls12_models import composed, settings
from shakeproof.properties.tls12_sessions_models import OF_TRIPLE
from shakeproof.reports.check import Checked, Counterexample

ORDER = "message-order"


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def only(monkeypatch: pytest.MonkeyPatch, setting: Setting) -> None:
    """Explore this setting alone: each takes a second."""
    monkeypatch.setattr(models, "models", lambda *_: [replace(composed(setting), removed=setting.removed)])


def test_check_that_holds_says_so_with_what_it_presumes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    only(monkeypatch, Setting(attacked=False))
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    count = len(composed(Setting(attacked=False)).safety)
    assert f"29 states           30 transitions  depth 22  {count}/{count} properties  14/32 rows" in out
    assert "presumed: cryptography is perfect" in out
    assert "presumed: at most 1 message in the network at once" in out
    assert out.splitlines()[-1] == "HOLDS   every property in every one of 29 states of 1 models"


def test_check_names_a_property_that_no_state_puts_to_the_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = composed(Setting(attacked=False))
    idle = replace(model.safety[0], name="idle", premise=Is("client.state", 0))
    monkeypatch.setattr(models, "models", lambda *_: [replace(model, safety=(*model.safety, idle))])
    assert main(["check"]) == 0
    out = capsys.readouterr().out
    count = len(model.safety) + 1
    assert f"depth 22  {count}/{count} properties, 1 never put to the test: idle  14/32 rows" in out
    held = (
        "HOLDS   every property in every one of 29 states of 1 models; never put to the test: idle in tls12 rsa honest"
    )
    assert out.splitlines()[-1] == held


def test_check_names_a_property_that_several_models_do_not_put_to_the_test_once() -> None:
    model = composed(Setting(attacked=False))
    found = explore(model)
    several = [replace(found, model=replace(model, name=f"model {n}"), untested=["idle"]) for n in range(5)]
    said = Checked(1, "numpy", models=several).conclusions[-1].text
    assert said.endswith("; never put to the test: idle in model 0, model 1, model 2 and 2 more")


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
    assert main(["check", "--memory", "0.001"]) == 3
    out = capsys.readouterr().out
    assert re.search(r"stopped: out of memory: level 1 needs \d+ MiB, 1 MiB are allowed", out)
    assert out.splitlines()[-1] == "NOT DECIDED   1 of 1 models were not explored to their end"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--bound", "0"], "--bound came as 0; expected 1 to 4 messages"),
        (["--bound", "5"], "--bound came as 5; expected 1 to 4 messages"),
        (["--without", "name-chek"], "no protection 'name-chek'. Did you mean 'name-check'"),
        (["--without", ""], "--without came with an empty value"),
        (["--engine", "spinn"], "no engine 'spinn'. Did you mean 'spin'"),
        (["--model", "tls12 rs"], "no model 'tls12 rs'. Did you mean 'tls12 rsa' or"),
        (["--model", "tls12 rs"], "There are: tls12 rsa honest, tls12 rsa, tls12 rsa client-auth honest"),
        (["--model", "tcp", "--without", "name-check"], "no model 'tcp'. There are: tls12 rsa, tls12 rsa client-auth,"),
        (["--model", "tls12 rsa honest", "--without", "name-check"], "Only those that an attacker is in and that have"),
        (["--memory", "0"], "--memory came as 0; expected GiB, more than 0"),
        (["--memory", "nan"], "--memory came as nan; expected GiB, more than 0"),
        (["--memory", "inf"], "--memory came as inf; expected GiB, more than 0"),
        (["--json", "no-such-folder/out.json"], "--json no-such-folder/out.json: can't be written (No such file"),
        (["--json", "-", "--promela", "models"], "--promela only writes, and --json tells what was explored"),
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


# ------------------------------------------------------------------------------------------- what the replay comes to


@cache
def skipped() -> Exploration:
    """The model without message-order, to the level of its first counterexample."""
    setting = Setting(removed=(ORDER,))
    return explore(replace(composed(setting), removed=setting.removed), stop_at_first=True)


@pytest.fixture
def without_order(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How the command is asked for it."""
    found = skipped()
    monkeypatch.setattr(models, "models", lambda *_: [found.model])
    monkeypatch.setattr(explored, "checked", lambda model, **_: found)
    return ["check", "--without", ORDER, "-o", "out", "--json", "out.json"]


def test_replayed_of_models_whose_ways_are_not_performed_says_why_not() -> None:
    found = skipped()
    older = replace(found.model, columns=(*found.model.columns, Column("client.attempt", ATTEMPT, (1,))))
    elsewhere = replace(found.model, assumptions=OF_TRIPLE)
    for model, said in ((older, "speak TLS 1.2 alone"), (elsewhere, "the client is at the attacker's own server")):
        replay = realised.replayed(replace(found, model=model), found.broken[0], [ORDER])
        assert replay.text.endswith(said)
        assert replay.with_fault is None


def test_check_names_a_property_that_is_broken_in_two_families_once() -> None:
    found = skipped()
    example = Counterexample(found, found.broken[0], Replay("not replayed"))
    said = Checked(1, "numpy", models=[found, found], counterexamples=[example, example]).conclusions[-1].text
    assert said.startswith("server-authenticated · ")


def result() -> Any:
    return json.loads(Path("out.json").read_text(encoding="utf-8"))


def test_check_with_a_counterexample_that_replays_as_it_must_ends_with_what_does_not_hold(
    without_order: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(without_order) == 1
    said = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"DOES NOT HOLD   server-authenticated(, [a-z-]+)* · [\d,]+ states", said)
    told = result()
    assert (told["schema"], told["verdict"], told["exit_code"]) == ("shakeproof.check/1", "DOES NOT HOLD", 1)
    assert told["without"] == told["models"][0]["without"] == [ORDER]
    example = told["counterexamples"][0]
    assert (example["property"], example["model"], example["depth"]) == ("server-authenticated", "tls12 rsa", 4)
    assert example["replay"]["with_rogue"]["happens"] is True
    assert example["replay"]["clean"]["happens"] is False
    assert "RFC 5246 section 7.4.9" in example["replay"]["clean"]["clause"]
    for file in (example["trace"], example["executed"]):
        assert Trace.from_json(Path(file).read_text(encoding="utf-8")).title.startswith("server-authenticated does not")
    of = {one["name"]: one for one in told["models"][0]["properties"]}
    assert (of["server-authenticated"]["holds"], of["server-authenticated"]["put_to_the_test"]) == (False, True)
    assert of["data-authentic"]["holds"] is None  # it was not explored to its end


def test_check_with_a_rogue_that_does_not_match_says_that_it_is_not_replayed(
    without_order: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(cast("dict[str, str]", realised.MATCHING), ORDER, "mac-unchecked")
    assert main(without_order) == 4
    out = capsys.readouterr().out
    assert "with the rogue mac-unchecked it does not happen: at step 4" in out
    before, last = out.splitlines()[-2:]
    assert before.startswith("DOES NOT HOLD   server-authenticated")
    assert last.startswith("NOT REPLAYED   server-authenticated")
    assert "does not happen with the matching rogue" in last
    assert (result()["verdict"], result()["exit_code"]) == ("NOT REPLAYED", 4)
    assert [one["code"] for one in result()["conclusions"]] == [1, 4]


def test_check_with_an_implementation_that_has_the_fault_says_that_it_is_a_finding(
    without_order: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made, fault = ClientConnection.__init__, ROGUES[realised.MATCHING[ORDER]].connection
    assert fault is not None

    def faulty(self: ClientConnection, *args: Any, **kwargs: Any) -> None:
        made(self, *args, **kwargs)
        fault(self)

    monkeypatch.setattr(ClientConnection, "__init__", faulty)
    assert main(without_order) == 4
    out = capsys.readouterr().out
    assert "with the clean implementation too: the client has finished, and no secret was agreed upon" in out
    last = out.splitlines()[-1]
    assert last.startswith("THE IMPLEMENTATION TOO   server-authenticated")
    assert "a finding in impl" in last
    assert result()["counterexamples"][0]["replay"]["clean"]["happens"] is True
    assert (result()["verdict"], result()["exit_code"]) == ("THE IMPLEMENTATION TOO", 4)


# ------------------------------------------------------------------------------------------------ what is explored


def test_check_of_a_model_explores_that_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--model", "tls12 rsa honest", "--model", "tls12 ecdhe honest"]) == 0
    out = capsys.readouterr().out
    told = [line.split("  ")[1] for line in out.splitlines() if " transitions  depth " in line]
    assert told == ["tls12 rsa honest", "tls12 ecdhe honest"]
    assert "states of 2 models" in out.splitlines()[-1]


def test_check_without_several_takes_all_of_them_out_of_a_model_that_has_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    both = ["--without", "finished-check", "--without", "downgrade-signal", "--without", "certificate-verify"]
    assert main(["check", *both, "--model", "tls12 rsa fallback", "-o", "out"]) == 1
    out = capsys.readouterr().out
    said = "models of fallback: without finished-check and downgrade-signal; certificate-verify does not concern them"
    assert said in out
    assert "✗ no-downgrade: a client and a server that both have a newer version do not finish in an older one" in out
    assert Path("out/finished-check-downgrade-signal-no-downgrade.json").exists()


def test_check_as_json_on_standard_output_is_alone_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--model", "tls12 rsa honest", "--json", "-"]) == 0
    written = capsys.readouterr()
    told = json.loads(written.out)
    assert written.err.splitlines()[-1].startswith("HOLDS   every property")
    assert (told["verdict"], told["bound"], told["engine"], told["states"]) == ("HOLDS", 1, "numpy", 29)
    assert "at most 1 message in the network at once" in told["assumptions"]
    (model,) = told["models"]
    assert (model["name"], model["states"], model["transitions"], model["depth"]) == ("tls12 rsa honest", 29, 30, 22)
    assert len(model["rows"]["reached"]) == 14
    assert len(model["rows"]["not_reached"]) == 18
    assert set(model["assumptions"]) < set(told["assumptions"])
    assert all(one["holds"] and one["put_to_the_test"] and one["premise"] for one in model["properties"])
    assert told["counterexamples"] == []


def test_check_memory_is_what_the_explorer_takes_unless_told_otherwise() -> None:
    assert DEFAULT_MEMORY_GIB * 2**30 == DEFAULT_MEMORY


@pytest.mark.slow
def test_check_by_spin_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], require_tool: Callable[[str], str]
) -> None:
    for name in ("spin", "gcc"):
        require_tool(name)
    only(monkeypatch, Setting(attacked=False))
    assert main(["check", "--engine", "spin", "--json", "out.json"]) == 0
    (model,) = result()["models"]
    assert (result()["engine"], model["states"], model["rows"]) == ("spin", 29, None)
    assert {(one["holds"], one["put_to_the_test"]) for one in model["properties"]} == {(True, None)}
    out = capsys.readouterr().out
    assert re.search(r"29 states           30 transitions  depth 22  (\d+)/\1 properties", out)
    assert "rows  " not in out
    assert (
        "not asked of SPIN: which rows are taken, which properties are put to the test, and whether completion stays"
        in out
    )
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
    idle = "data-of-the-client in triple-handshake client-auth"
    held = rf"HOLDS   every property in every one of [\d,]+ states of {len(told)} models; never put to the test: {idle}"
    assert re.fullmatch(held, last)
