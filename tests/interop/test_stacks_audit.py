"""Audits of real stacks: no failure that is not argued from its clause in docs/stacks/NAME.md.

In CI (`-m stacks`): three stacks as long as a user would, the others for ten seconds in each role. By hand
(`-m audits`): those for a minute too.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from shakeproof.properties.audit import DEFAULT_TIME_S, audit
from shakeproof.properties.findings import Run
from shakeproof.properties.targets.bundled import PROGRAMS
from shakeproof.properties.targets.scratch import make_folder, remove_folder

PAGES = Path(__file__).parents[2] / "docs" / "stacks"
IN_FULL = ("openssl-cli", "gnutls", "go")
SHORT = tuple((name, role) for name in PROGRAMS if name not in IN_FULL for role in PROGRAMS[name].roles)
SHORT_S = 10.0
OVER_S = 20.0
"""For the end of an audit whose time is over, on a busy machine."""
NO_TIME = "there was no time to find out whether it takes part"
PATIENCE = 3
"""So many times the seconds, where they did not do for the start alone."""
SEED = 6
CELLS_IN_FULL, CELLS = 50, 1
"""Far fewer than a quiet machine runs in the time, where a virtual machine starts first; fewer is no audit."""
MARK = "SHAKEPROOF_TEST_OF_AUDITS"
GONE_S = 2.0


def argued(page: str) -> frozenset[str]:
    """The checks that a page has a section for, by its headings."""
    headings = [line for line in page.splitlines() if line.startswith("### ")]
    return frozenset(check for line in headings for check in re.findall(r"`([A-Z0-9-]+)`", line))


def argued_sizes(page: str) -> tuple[str, ...]:
    """What a finding's word says where messages are cut so that the page has a section for it, whatever the message."""
    heading = re.search(r"^### Any message in records of ([\d or]+) bytes$", page, re.MULTILINE)
    return (
        tuple(f"in records of {size} bytes{end}" for size in heading[1].split(" or ") for end in ("", ")"))
        if heading
        else ()
    )


def unargued(run: Run, page: str) -> list[str]:
    """The failures of a run that the page says nothing of."""
    known = argued(page)
    cuts = argued_sizes(page)
    return [
        f"{finding.grade.value} {finding.check} ({finding.role}): {finding.title}"
        for finding in run.findings
        if finding.grade.is_failure
        and finding.check not in known
        and not any(symbol.endswith(cuts) for symbol in finding.word if cuts)
    ]


@pytest.fixture
def no_process_stays(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever is started meanwhile inherits a mark; at the end nobody may have it."""
    remove_folder(make_folder())  # the warden, who stays as long as this process, is started before
    mark = f"{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv(MARK, mark)
    yield
    wanted = f"{MARK}={mark}".encode()
    until = time.monotonic() + GONE_S
    while (left := list(processes_with(wanted))) and time.monotonic() < until:
        os.sched_yield()
    assert left == []


def processes_with(setting: bytes) -> Iterator[str]:
    """The commands of the processes that were started with this in their environment."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if setting in (process / "environ").read_bytes().split(b"\0"):
                yield (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue  # gone, or somebody else's


def check_audit(name: str, roles: tuple[str, ...], time_s: float, cells: int) -> None:
    """Audit a stack. What fails has its section, the audit ends in time, and some cells were run in each role."""
    page = PAGES / f"{name}.md"
    run = audit([name], roles=roles, jobs=1, time_s=time_s, seed=SEED)
    if any(NO_TIME in result.error for result in run.roles):  # a virtual machine that starts on a busy machine
        time_s *= PATIENCE
        run = audit([name], roles=roles, jobs=1, time_s=time_s, seed=SEED)
    assert unargued(run, page.read_text(encoding="utf-8")) == [], f"argue these in {page.name}, or correct the table"
    assert run.seconds < time_s + OVER_S
    assert sorted(result.role for result in run.roles) == sorted(roles)
    assert {result.role: result.error for result in run.roles if result.error} == {}
    assert all(result.cells_run >= cells for result in run.roles), {r.role: r.cells_run for r in run.roles}
    assert all(finding.clause.startswith("RFC ") for finding in run.findings)


def require_stack(name: str, require_tool: Callable[[str], str]) -> None:
    """Skip the test where the stack is not installed."""
    for need in PROGRAMS[name].needs:
        require_tool(need.removeprefix("python:"))


@pytest.mark.slow
@pytest.mark.stacks
@pytest.mark.usefixtures("no_process_stays")
@pytest.mark.parametrize("name", IN_FULL)
def test_audit_in_full_fails_only_where_it_is_argued(name: str, require_tool: Callable[[str], str]) -> None:
    require_stack(name, require_tool)
    check_audit(name, PROGRAMS[name].roles, DEFAULT_TIME_S, CELLS_IN_FULL)


@pytest.mark.slow
@pytest.mark.stacks
@pytest.mark.usefixtures("no_process_stays")
@pytest.mark.parametrize(("name", "role"), SHORT)
def test_audit_of_ten_seconds_fails_only_where_it_is_argued(
    name: str, role: str, require_tool: Callable[[str], str]
) -> None:
    require_stack(name, require_tool)
    check_audit(name, (role,), SHORT_S, CELLS)


@pytest.mark.slow
@pytest.mark.audits
@pytest.mark.usefixtures("no_process_stays")
@pytest.mark.parametrize(("name", "role"), SHORT)
def test_audit_of_a_minute_fails_only_where_it_is_argued(
    name: str, role: str, require_tool: Callable[[str], str]
) -> None:
    require_stack(name, require_tool)
    check_audit(name, (role,), DEFAULT_TIME_S, CELLS_IN_FULL)


def test_every_stack_has_a_page() -> None:
    assert {path.stem for path in PAGES.glob("*.md")} >= set(PROGRAMS)


@pytest.mark.slow
def test_a_failure_without_a_section_is_told() -> None:
    run = audit(["shakeproof"], roles=["tls12.server"], jobs=1, time_s=20.0, seed=1, rogue="finished-unchecked")
    assert run.findings
    failing = {finding.check for finding in run.findings if finding.grade.is_failure}
    assert len(unargued(run, "# Ours\n\nNo section.\n")) == len([f for f in run.findings if f.grade.is_failure]) > 0
    headings = "\n".join(f"### `{check}`" for check in failing)
    assert unargued(run, headings) == []
