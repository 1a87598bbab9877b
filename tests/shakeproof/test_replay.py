"""A saved finding again: what is run, and what a file may not decide."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import shakeproof as sp
from shakeproof.cli import main
from shakeproof.exits import UsageError
from shakeproof.model.messages import signalled_again
from shakeproof.model.roles import ROLES
from shakeproof.properties.findings import Finding, Grade
from shakeproof.properties.suites import Word, whole
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.task_run import run_task
from shakeproof.properties.tasks import Task
from shakeproof.replaying import ERROR, FAILED, FIXED, own_target, replay
from shakeproof.store import SavedFinding, finding_to_json
from tests.shakeproof.made_findings import made_finding


@pytest.fixture(scope="module")
def distinguished() -> Finding:
    """What a server with Bleichenbacher's oracle gives away, found by comparing."""
    setup = Setup("rsa", "rsa", "cbc")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OurTarget, "setups", lambda target, role: (setup,))
        patch.setattr("shakeproof.properties.task_run._run_words", lambda *_: None)
        patch.setattr("shakeproof.properties.task_run._run_manners", lambda *_: None)
        patch.setattr("shakeproof.properties.task_run._run_calls", lambda *_: None)
        patch.setattr("shakeproof.properties.task_run._run_schedules", lambda *_: None)
        partial = run_task(Task("shakeproof", "robot", "tls12.server", setup, 3), float("inf"), lambda _: None)
    (finding,) = [one for one in partial.findings if one.grade is Grade.DISTINGUISHES]
    return finding


def test_replay_of_answers_that_differ_compares_again(distinguished: Finding) -> None:
    failed = replay(SavedFinding(distinguished, 3, "robot"))
    assert failed.status == FAILED
    assert failed.text.startswith("FAIL distinguishes: answered differently. to ClientKeyExchange[BAD_BLOCK]: ")
    assert failed.trace is not None
    assert replay(SavedFinding(distinguished, 3, "robot"), rogue="").status == FIXED
    assert replay(SavedFinding(distinguished, 3, "robot"), target="openssl").status == FIXED


def test_replay_of_a_place_that_is_not_reached_is_an_error(
    distinguished: Finding, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shakeproof.properties.conformance import Outcome, Runner

    def lost(_runner: Runner, _word: Word, *, record: bool = False) -> Outcome:
        return Outcome(unreached="refused before")

    monkeypatch.setattr(Runner, "run", lost)
    assert replay(SavedFinding(distinguished, 3, "robot")).status == ERROR


@pytest.mark.parametrize("name", ["exec:touch {marker}", "python:os:abort"])
def test_replay_never_runs_what_a_file_names(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    marker = tmp_path / "marker"
    file = tmp_path / "abc123.json"
    file.write_text(finding_to_json(SavedFinding(made_finding(target=name.format(marker=marker)))), encoding="utf-8")
    looked_up: list[str] = []
    monkeypatch.setattr("shakeproof.replaying.find_target", lambda name, **_: looked_up.append(name))
    assert main(["replay", str(file)]) == 2
    err = capsys.readouterr().err
    assert "name it with --on" in err
    assert len(err.splitlines()) == 1
    with pytest.raises(ValueError, match="--on"):
        sp.replay(file)
    assert not looked_up
    assert not marker.exists()


def test_replay_of_a_command_runs_on_what_the_user_names(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "abc123.json"
    finding = replace(made_finding(target="exec:false"), setup=OurTarget("").setups("tls12.client")[0].text)
    file.write_text(finding_to_json(SavedFinding(finding)), encoding="utf-8")
    assert main(["replay", str(file), "--on", "shakeproof"]) == 4
    assert "its inputs are not in the alphabet" in capsys.readouterr().out, "the made word was looked at"


def test_replay_does_not_go_to_another_machine_because_a_file_says_so() -> None:
    saved = SavedFinding(made_finding(target="example.com:443"))
    assert own_target(saved) == "example.com:443"
    with pytest.raises(UsageError, match="not on this machine"):
        replay(saved)


@pytest.mark.parametrize(("renegotiates", "status"), [(True, FIXED), (False, ERROR)])
def test_replay_on_a_server_that_declines_every_such_message_is_an_error(renegotiates: bool, status: str) -> None:
    setup = next(one for one in OurTarget("").setups("tls12.server") if one.renegotiation is renegotiates)
    role = ROLES["tls12.server"]
    check = "TLS12-SERVER-CONNECTED-CLIENTHELLO-SIGNALLED-AGAIN"
    word = next(
        word
        for word in whole(role, setup)
        if word.symbol.has(signalled_again) and word.configuration.state.name == "CONNECTED"
    )
    made = made_finding(target="shakeproof", check=check)
    finding = replace(made, role=role.name, setup=setup.text, word=word.text, input=word.symbol.text)
    replayed = replay(SavedFinding(finding, 1, ""))
    assert replayed.status == status
    assert ("declines every ClientHello there" in replayed.text) is not renegotiates
