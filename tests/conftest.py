"""What all tests share: tools that may be missing, and the rule that none may be missing in CI."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Generator
from importlib import util

import pytest

MISSING = "missing tool"
"""How the reason of a skip begins where something that CI must have is not installed."""

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
