"""Targets by name: commands, stacks in Python, entries of the user's file; and what is said of those that are wrong."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from shakeproof.config import load
from shakeproof.exits import UsageError
from shakeproof.model.roles import ROLES
from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Grade
from shakeproof.properties.probe import probe
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import SETUPS, TargetError

STACK = """
from pathlib import Path
from shakeproof.properties.targets.ours import make_client, make_server
from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.events import ApplicationDataReceived, HandshakeCompleted

class Ours:
    def __init__(self, side, files):
        assert files.cert.is_file() and files.key.is_file() and files.ca.is_file()
        self.side = side
        self.made = make_client() if side == "client" else make_server()

    def start(self):
        if self.side == "client":
            self.made.start()
        return self.made.data_to_send()

    def receive(self, data):
        try:
            events = self.made.receive_data(data)
        except RemoteProtocolError:
            return self.made.data_to_send()
        for event in events:
            if isinstance(event, ApplicationDataReceived) and self.side == "server":
                self.made.send_application_data(b"answer")
            if isinstance(event, HandshakeCompleted) and self.side == "client":
                self.made.send_application_data(b"request")
        return self.made.data_to_send()

    def end(self):
        return b""

    def is_closed(self):
        return not self.made.is_open

class Dies(Ours):
    def receive(self, data):
        raise ZeroDivisionError("no such record")

class Late(Ours):
    def receive(self, data):
        while True:
            pass

class Poor:
    def __init__(self, side, files):
        pass

    def start(self):
        return b""

def fails(side, files):
    raise OSError("no licence")
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"stack_of_{tmp_path.name}".replace("-", "_")
    (tmp_path / f"{name}.py").write_text(STACK, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return f"python:{name}"


@pytest.mark.parametrize("role", ["tls12.server", "tls12.client"])
def test_stack_in_python_takes_part_in_the_basic_setups(stack: str, role: str) -> None:
    target = find_target(f"{stack}:Ours")
    probed = probe(target, ROLES[role], 0, float("inf"))
    target.close()
    assert not probed.hopeless
    assert set(SETUPS[:2]) <= set(probed.setups)
    # It gives no tickets and refuses a second handshake: said, not tried again and again.
    assert all(why for _, why in probed.declined)
    assert {"ticket"} <= {setup.session for setup, _ in probed.declined}
    assert any(setup.renegotiation for setup, _ in probed.declined)
    assert not set(probed.setups) & {setup for setup, _ in probed.declined}


@pytest.mark.slow
@pytest.mark.parametrize("role", ["tls12.server", "tls12.client"])
def test_stack_in_python_is_audited_without_a_failure(stack: str, role: str) -> None:
    run = audit([f"{stack}:Ours"], roles=[role], time_s=20.0, jobs=1)
    assert [f"{finding.grade.value} {finding.title}" for finding in run.findings if finding.grade.is_failure] == []
    assert run.roles[0].cells_run > 10
    assert not run.roles[0].error


def test_stack_in_python_that_raises_has_crashed(stack: str) -> None:
    run = audit([f"{stack}:Dies"], roles=["tls12.server"], time_s=3.0, jobs=1)
    assert {finding.grade for finding in run.findings} == {Grade.CRASH}
    assert "ZeroDivisionError: no such record" in run.findings[0].got


@pytest.mark.slow
def test_stack_in_python_that_does_not_return_hangs(stack: str) -> None:
    run = audit([f"{stack}:Late"], roles=["tls12.server"], time_s=20.0, jobs=1)
    assert {finding.grade for finding in run.findings} == {Grade.HANG}


@pytest.mark.parametrize(
    ("factory", "says"),
    [
        ("Poor", "has no method receive(); it needs start(), receive(), end(), is_closed()"),
        ("fails", "makes no server: OSError: no licence"),
    ],
)
def test_factory_that_makes_no_stack_is_not_tested_with_the_reason(stack: str, factory: str, says: str) -> None:
    run = audit([f"{stack}:{factory}"], roles=["tls12.server"], time_s=3.0, jobs=1)
    assert says in run.roles[0].error
    assert run.exit_code() == 3


def test_factory_that_is_not_there_is_told(stack: str) -> None:
    with pytest.raises(TargetError, match="there is no such function"):
        find_target(f"{stack}:nothing")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("python:json", "write python:MODULE:FACTORY"),
        ("python:no_such_module:make", "there is no module 'no_such_module'"),
        ("exec:", "names no command"),
        ("exec:server 'unclosed {port}", "can't be split into words"),
        (f"exec:{sys.executable} -p {{prot}}", "there is no {prot}; a command may use {host} {port} {cert}"),
        (f"exec:{sys.executable} --cert {{cert}}", "does not use {port}"),
        ("exec:no-such-program-anywhere {port}", "there is no program 'no-such-program-anywhere' here"),
    ],
)
def test_target_that_is_wrong_is_refused_in_one_line(name: str, says: str) -> None:
    with pytest.raises(TargetError) as caught:
        find_target(name)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "roles"),
    [
        ("--cert {cert} --key {key}", ("tls12.server",)),
        ("--trust {ca}", ("tls12.client",)),
        ("--trust {ca} --cert {cert}", ("tls12.client", "tls12.server")),
        ("", ("tls12.client", "tls12.server")),
    ],
)
def test_role_of_a_command_is_seen_from_its_files(words: str, roles: tuple[str, ...]) -> None:
    assert find_target(f"exec:{sys.executable} -p {{port}} {words}").roles == roles


def test_command_that_may_be_either_wants_a_role() -> None:
    with pytest.raises(TargetError, match="--role server or --role client"):
        audit([f"exec:{sys.executable} -p {{port}}"])


def test_entry_of_the_file_with_a_command_keeps_its_name(tmp_path: Path) -> None:
    text = f"""
[targets.mine]
start = "{sys.executable} -m http.server"
connect = "127.0.0.1:18443"
ready = "listening"
roles = ["server"]
suites = ["full"]
"""
    (tmp_path / "shakeproof.toml").write_text(text, encoding="utf-8")
    name = load(tmp_path).connect("mine")
    assert name == "mine"
    target = find_target(name)
    assert (target.name, target.roles) == ("mine", ("tls12.server",))
    run = audit([name], time_s=3.0, jobs=1)
    assert run.roles[0].error == "the settings want only full for it, not quick"


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ("ready = 'x'", "needs connect (a target, such as HOST:PORT) or start (a command)"),
        ("start = 'x {port}'\nroles = ['servre']", "Did you mean 'server'?"),
        ("start = 'x {port}'\nroles = 3", "expected a list of server or client"),
        ("start = 3", "expected text"),
        ("begin = 'x'", "There are: connect, start, ready, roles, suites"),
    ],
)
def test_entry_of_the_file_that_is_wrong_names_its_key(tmp_path: Path, entry: str, says: str) -> None:
    (tmp_path / "shakeproof.toml").write_text(f"[targets.mine]\n{entry}\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        load(tmp_path)
    assert "targets.mine" in str(caught.value)
    assert says in str(caught.value)
