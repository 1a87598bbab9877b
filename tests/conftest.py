"""What all tests share: tools that may be missing, and the rule that none may be missing in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from importlib import import_module, util
from typing import Any

import pytest

MISSING = "missing tool"
"""How the reason of a skip begins where something that CI must have is not installed."""

TOGETHER = frozenset(
    f"tests/properties/test_{name}.py"
    for name in ("audit_openssl", "conformance", "explored", "explored_sessions", "explored_tcp",
                 "found_in_the_middle", "realised", "stateful")
)  # fmt: skip
"""Modules with slow tests of which one makes what others read: an audit, what was explored, the words of a setup."""

IN_CI = os.environ.get("SHAKEPROOF_CI") == "1"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """As many processes as there are cores, each with whole modules, so that what a module prepares is prepared once.
    What is named by file or by `-k` runs right here: it is sooner done than processes have begun.
    """
    if config.args_source is pytest.Config.ArgsSource.ARGS or config.option.keyword:
        return 0
    config.option.dist = "loadscope"
    return os.cpu_count() or 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """With `--dist=loadgroup`, one process for each of the modules above, and for the other tests whichever is free."""
    if config.option.dist != "loadgroup":
        return None
    scheduler: Any = import_module("xdist.scheduler").LoadScopeScheduling(config, log)
    scheduler._split_scope = scope_of
    return scheduler


def scope_of(nodeid: str) -> str:
    """What a test goes with into one process: its module, where that is one of those; else it goes alone."""
    module = nodeid.partition("::")[0]
    return module if module in TOGETHER else nodeid


@pytest.fixture
def require_tool() -> Callable[[str], str]:
    """`require_tool("dot")` gives the program's path, `require_tool("tlslite")` a module's name; else skips the test.

    In CI (SHAKEPROOF_CI=1) such a skip is a failure: .ci/run installs what tests need.
    """

    def find(name: str) -> str:
        program = shutil.which(name)
        if program is not None:
            return program
        if util.find_spec(name) is not None:
            return name
        pytest.skip(f"{MISSING}: {name}")

    return find


def _is_missing(report: pytest.TestReport | pytest.CollectReport) -> bool:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    return report.skipped and not hasattr(report, "wasxfail") and reason.removeprefix("Skipped: ").startswith(MISSING)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if IN_CI and _is_missing(report):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if IN_CI and _is_missing(report):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report
