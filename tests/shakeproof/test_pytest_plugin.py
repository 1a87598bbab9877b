"""The pytest plugin, in a user's repository that has packages `model` and `tests` of its own."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from shakeproof import pytest_plugin
from shakeproof.exits import UsageError

PROJECT = """
[tool.pytest.ini_options]
addopts = ["--strict-markers", "--strict-config"]
filterwarnings = ["error"]
xfail_strict = true

[tool.shakeproof]
time = "60s"

[tool.shakeproof.targets.stage-1]
connect = "127.0.0.1:9"
"""

# Some words in one setup: what is tested here is the plugin.
CONFTEST = """
from shakeproof.properties import task_run, tasks
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import OurTarget

every_word = tasks.quick
tasks.quick = lambda *asked: every_word(*asked)[:120]
task_run._run_manners = lambda *_: None
OurTarget.setups = lambda target, role: (Setup("ecdhe", "rsa", "gcm"),)
"""

TESTS = """
import pytest
from model import ANSWER
from tests.support import HERE

@pytest.mark.shakeproof(target="shakeproof", role="client", rogue="expired-certificate")
def test_rogue():
    raise AssertionError("the audit comes first, and fails the test")

@pytest.mark.shakeproof("shakeproof", role="client")
def test_clean():
    assert (ANSWER, HERE) == (42, "tests")

def test_called(shakeproof_audit):
    audited = shakeproof_audit("shakeproof", role="client", rogue="expired-certificate")
    assert (audited.verdict, audited.exit_code) == ("NOT CONFORMING", 1)
    assert audited.findings[0].grade.value == "FAIL went-on"
    assert (audited.folder / f"{audited.findings[0].id}.pcapng").exists()

def test_named(shakeproof_stage_1):
    assert shakeproof_stage_1.verdict == "NOT TESTED"
"""

WRONG = """
import pytest

@pytest.mark.shakeproof(role="client")
def test_no_target():
    pass

@pytest.mark.shakeproof(target="opensl")
def test_no_such_target():
    pass

@pytest.mark.shakeproof(target="openssl", rol="client")
def test_no_such_argument():
    pass

@pytest.mark.shakeproof(target="openssl", role="clint")
def test_no_such_role():
    pass

@pytest.mark.shakeproof(target="shakeproof", rogue="early-css")
def test_no_such_rogue():
    pass

@pytest.mark.shakeproof(target="openssl", seed="x")
def test_no_seed():
    pass

@pytest.mark.shakeproof(target="example.com:443")
def test_not_here():
    pass
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's repository."""
    for name, text in {
        "pyproject.toml": PROJECT,
        "conftest.py": CONFTEST,
        "model/__init__.py": "ANSWER = 42\n",
        "tests/__init__.py": "",
        "tests/support.py": 'HERE = "tests"\n',
        "tests/test_stacks.py": TESTS,
    }.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], dict[str, ET.Element]]:
    """pytest as a user starts it; the cases of its own JUnit report by name."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--junitxml=junit.xml", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8")
    root = ET.parse(folder / "junit.xml").getroot() if (folder / "junit.xml").exists() else ET.Element("none")
    return done, {case.get("name", ""): case for case in root.iter("testcase")}


def failure(case: ET.Element) -> str:
    found = case.find("failure")
    return "" if found is None else found.text or ""


@pytest.mark.slow
def test_plugin_fails_a_marked_test_with_chart_and_files(project: Path) -> None:
    done, cases = run(project)
    assert set(cases) == {"test_rogue", "test_clean", "test_called", "test_named"}, done.stdout + done.stderr
    assert [name for name, case in cases.items() if failure(case)] == ["test_rogue"], done.stdout
    text = failure(cases["test_rogue"])
    assert "✗ FAIL went-on   Certificate[EXPIRED] in WAIT_CERTIFICATE" in text
    assert "target ══ ApplicationData" in text
    assert 'RFC 5280 section 6.1.3: "' in text
    assert "the audit comes first" not in done.stdout
    listed = done.stdout.partition("the report's files:")[2].splitlines()
    files = [Path(line) for line in listed if line.endswith((".pcapng", ".svg", ".py", ".json", ".html"))]
    assert {".pcapng", ".py", ".json", ".html"} <= {path.suffix for path in files}
    assert all(path.is_file() and path.is_relative_to(project) for path in files)
    (attached,) = cases["test_rogue"].iter("property")
    assert attached.get("name") == "shakeproof_report"
    assert Path(attached.get("value", "")).is_file()


@pytest.mark.slow
def test_plugin_says_what_is_wrong_with_a_mark_in_one_line(project: Path) -> None:
    (project / "tests" / "test_stacks.py").write_text(WRONG, encoding="utf-8")
    _, cases = run(project)
    said = {name.removeprefix("test_"): failure(case) for name, case in cases.items()}
    for name, part in {
        "no_target": "needs a target",
        "no_such_target": "Did you mean 'openssl'",
        "no_such_argument": "Did you mean 'role'",
        "no_such_role": "Did you mean 'client'",
        "no_such_rogue": "Did you mean 'early-ccs'",
        "no_seed": "no whole number",
        "not_here": "not on this machine",
    }.items():
        assert part in said[name]
        assert said[name].startswith("shakeproof: ")
        assert len(said[name].splitlines()) == 1


@pytest.mark.slow
def test_plugin_leaves_other_tests_alone_where_the_configuration_is_wrong(project: Path) -> None:
    (project / "pyproject.toml").write_text(PROJECT.replace("time =", "tme ="), encoding="utf-8")
    tests = "def test_plain():\n    pass\n\ndef test_audit(shakeproof_openssl):\n    pass\n"
    (project / "tests" / "test_stacks.py").write_text(tests, encoding="utf-8")
    _, cases = run(project)
    assert not failure(cases["test_plain"])
    (error,) = [child for child in cases["test_audit"] if child.tag in ("error", "failure")]
    assert "Did you mean 'time'" in (error.text or "")


@pytest.mark.slow
def test_plugin_options_come_before_the_mark(project: Path) -> None:
    tests = '@pytest.mark.shakeproof("shakeproof", role="client")\ndef test_one():\n    pass\n'
    (project / "tests" / "test_stacks.py").write_text(f"import pytest\n\n{tests}", encoding="utf-8")
    _, cases = run(project, "--shakeproof-target", "127.0.0.1:9", "--shakeproof-report", "elsewhere")
    assert "does not take this role" in failure(cases["test_one"])
    assert list((project / "elsewhere").glob("127.0.0.1-9-client-*/run.json"))


@pytest.mark.parametrize(
    ("option", "says"),
    [("--shakeproof-time=banana", "'banana' is no time"), ("--shakeproof-fail-on=may", "there is no value of")],
)
def test_plugin_refuses_a_wrong_option_although_no_test_asks_for_an_audit(
    tmp_path: Path, option: str, says: str
) -> None:
    (tmp_path / "test_own.py").write_text("def test_own(): pass\n", encoding="utf-8")
    words = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", option, "test_own.py"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_plugin_collects_nothing_and_imports_nothing_heavy(tmp_path: Path) -> None:
    done, _ = run(tmp_path)
    assert done.returncode == 5, "no test, and none of ours"
    heavy = ("hypothesis", "cryptography", "numpy", "jinja2", "rich", "typer", "transitions", "shakeproof.model")
    program = f"import sys, shakeproof.pytest_plugin; print([name for name in {heavy!r} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.strip() == "[]", found.stderr


@pytest.mark.slow
def test_plugin_processes_of_xdist_do_not_meet(project: Path) -> None:
    one = (
        '@pytest.mark.shakeproof("shakeproof", role="client", rogue="expired-certificate")\ndef test_{0}():\n    pass\n'
    )
    tests = "import pytest\n\n" + "\n".join(one.format(number) for number in range(4))
    (project / "tests" / "test_stacks.py").write_text(tests, encoding="utf-8")
    done, cases = run(project, "-n2", "--dist=each")
    assert done.returncode == 1
    assert all("FAIL went-on" in failure(case) for case in cases.values())
    folders = {path.name[-3:] for path in (project / "shakeproof-report").iterdir()}
    assert folders == {"gw0", "gw1"}


def test_plugin_lists_every_argument_of_the_mark_where_one_is_misspelt(
    pytestconfig: pytest.Config,
) -> None:
    with pytest.raises(UsageError) as caught:
        pytest_plugin._Session(pytestconfig).asked("", {"tarrget": "openssl"})
    assert str(caught.value) == (
        "there is no argument of the shakeproof mark 'tarrget'. Did you mean 'target' or 'rogue'? "
        "There are: target, role, time, seed, rogue, fail_on."
    )
