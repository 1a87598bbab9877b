"""A finding again as its report says: the command as it is printed, and the test as it stands."""

from __future__ import annotations

import re
import runpy
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shakeproof.cli import main
from shakeproof.properties.named import NamedTarget, name_target
from shakeproof.reports.again import again
from tests.shakeproof.made_findings import made_finding

STACK = """
from pathlib import Path
from shakeproof.properties.targets.ours import make_server
from shakeproof.impl.errors import RemoteProtocolError

class Dies:
    '''A server that dies of its first bytes, until there is a file that says it is mended.'''

    def __init__(self, side, files):
        self.made = make_server()

    def start(self):
        return b""

    def receive(self, data):
        if not Path("mended").exists():
            raise ZeroDivisionError("no such record")
        try:
            self.made.receive_data(data)
        except RemoteProtocolError:
            pass
        return self.made.data_to_send()

    def end(self):
        return b""

    def is_closed(self):
        return not self.made.is_open
"""


@dataclass
class Audited:
    """An audit of `target` that ran in `folder`."""

    target: str
    folder: Path
    out: str

    @property
    def command(self) -> list[str]:
        """The words of the first command that it printed to see a finding again."""
        (first, *_) = re.findall(r"^ *again: shakeproof (.*?)(?: {4}.*)?$", self.out, re.MULTILINE)
        return shlex.split(first)

    @property
    def report(self) -> Path:
        return self.folder / "shakeproof-report"

    def run_test(self) -> None:
        """The finding's test, as pytest would run it."""
        identity = self.command[1]
        made = runpy.run_path(str(self.report / f"{identity}.py"))
        made[f"test_finding_{identity}_is_fixed"]()


@pytest.fixture(params=["mine", "python"])
def audited(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Audited:
    """An audit of a stack in Python: by its whole name, or by that of the user's file."""
    module = f"dies_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{module}.py").write_text(STACK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("SHAKEPROOF_ON", raising=False)
    whole = f"python:{module}:Dies"
    if request.param == "mine":
        text = f'[tool.shakeproof.targets.mine]\nconnect = "{whole}"\n'
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    target = "mine" if request.param == "mine" else whole
    words = ["--role", "server", "-j", "1", "--time", "20s", "--format", "json,pytest,junit,sarif", "--seed", "1"]
    assert main(["audit", target, *words]) == 1
    return Audited(target, tmp_path, capsys.readouterr().out)


def test_printed_command_and_test_of_a_finding_work_as_they_stand(
    audited: Audited, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(audited.command) == 1
    assert f"tls12.server of {audited.target} " in capsys.readouterr().out
    with pytest.raises(AssertionError, match="FAILED: CRASH"):
        audited.run_test()
    (audited.folder / "mended").touch()
    assert main(audited.command) == 0
    audited.run_test()
    monkeypatch.setenv("SHAKEPROOF_ON", "python:no_such_module:make")
    with pytest.raises(AssertionError, match="there is no module 'no_such_module'"):
        audited.run_test()


def test_reports_have_the_target_under_the_name_that_the_user_gave(audited: Audited) -> None:
    suites = ET.parse(audited.report / "junit.xml").getroot()
    assert {suite.get("name") for suite in suites} == {f"tls12.server of {audited.target}"}
    assert f'"fullyQualifiedName": "{audited.target} tls12.server"' in (audited.report / "run.sarif").read_text()
    described = f'"description": "dies_of_{audited.folder.name}:Dies, in process"'.replace("-", "_")
    assert described in (audited.report / "run.json").read_text(), "what the name stands for is said too"


# --------------------------------------------------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("openssl", []),
        ("openssl-cli", []),
        ("127.0.0.1:8443", []),
        ("example.com:443", ["--i-am-authorized"]),
        ("exec:./server -p {port} --name 'my stack' \"$HOME\"", None),
        ("python:my_stack:make", None),
    ],
)
def test_command_names_the_target_where_no_file_may(target: str, words: list[str] | None) -> None:
    wanted = ["shakeproof", "replay", "abc123", *(["--on", target] if words is None else words)]
    assert shlex.split(again(made_finding(target=target))) == wanted


def test_command_of_a_name_that_stands_for_a_server_elsewhere_says_that_its_user_may() -> None:
    name_target(NamedTarget("again-elsewhere", "example.com:443"))
    name_target(NamedTarget("again-here", "127.0.0.1:8443"))
    assert again(made_finding(target="again-elsewhere")) == "shakeproof replay abc123 --i-am-authorized"
    assert again(made_finding(target="again-here")) == "shakeproof replay abc123"


@pytest.mark.parametrize("target", ["exec:./server -p {port}\n'''\"\"\"\\", "python:my_stack:make", "openssl", "mine"])
def test_test_of_a_finding_has_what_was_run_as_a_constant(
    target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shakeproof.properties.findings import FindingConfirmed
    from shakeproof.reports.folder import FolderReport

    FolderReport(tmp_path, formats=["pytest"])(FindingConfirmed(made_finding(target=target)))
    made = runpy.run_path(str(tmp_path / "abc123.py"))
    assert made["ON"] == (target if ":" in target else "")
    looked_up: list[str] = []

    def find(name: str, **_: object) -> None:
        looked_up.append(name)
        raise RuntimeError

    monkeypatch.setattr("shakeproof.replaying.find_target", find)
    monkeypatch.delenv("SHAKEPROOF_ON", raising=False)
    run: Callable[[], None] = made["test_finding_abc123_is_fixed"]
    with pytest.raises(RuntimeError):
        run()
    monkeypatch.setenv("SHAKEPROOF_ON", "shakeproof")
    with pytest.raises(RuntimeError):
        run()
    assert looked_up == [target, "shakeproof"]
