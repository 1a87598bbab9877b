"""Audits of real stacks: no failure that is not argued from its clause in docs/stacks/NAME.md.

Three stacks are audited as long as a user would; the others for some seconds, in which the basic setups are reached.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Run
from shakeproof.properties.targets.bundled import PROGRAMS

PAGES = Path(__file__).parents[2] / "docs" / "stacks"
IN_FULL = ("openssl-cli", "gnutls", "go")
FULL_S, SHORT_S = 60.0, 10.0
"""For the whole audit, and for each role of it."""
MACHINES = {"jsse": 25.0, "erlang": 25.0}
"""The same for those that run in a virtual machine: the probe starts it a dozen times, at up to a second each."""
SEED = 6
CELLS_IN_FULL, CELLS = 50, 5
"""Far fewer than a quiet machine runs in the time: fewer than that is no audit."""


def argued(page: str) -> frozenset[str]:
    """The checks that a page has a section for, by its headings."""
    headings = [line for line in page.splitlines() if line.startswith("### ")]
    return frozenset(check for line in headings for check in re.findall(r"`([A-Z0-9-]+)`", line))


def unargued(run: Run, page: str) -> list[str]:
    """The failures of a run that the page says nothing of."""
    known = argued(page)
    return [
        f"{finding.grade.value} {finding.check} ({finding.role}): {finding.title}"
        for finding in run.findings
        if finding.grade.is_failure and finding.check not in known
    ]


@pytest.mark.slow
@pytest.mark.audits
@pytest.mark.parametrize("name", [*IN_FULL, *(name for name in PROGRAMS if name not in IN_FULL)])
def test_every_failure_of_a_stack_is_argued_from_its_clause(name: str, require_tool: Callable[[str], str]) -> None:
    for need in PROGRAMS[name].needs:
        require_tool(need.removeprefix("python:"))
    full = name in IN_FULL
    share = FULL_S / len(PROGRAMS[name].roles) if full else MACHINES.get(name, SHORT_S)
    page = PAGES / f"{name}.md"
    # One role after the other: a probe that takes long in one leaves the other its time.
    for role in PROGRAMS[name].roles:
        run = audit([name], roles=[role], jobs=1, time_s=share, seed=SEED)
        assert unargued(run, page.read_text(encoding="utf-8")) == [], (
            f"argue these in {page.name}, or correct the table"
        )
        assert [result.role for result in run.roles] == [role]
        assert not run.roles[0].error
        assert run.roles[0].cells_run >= (CELLS_IN_FULL if full else CELLS)
        assert all(finding.clause.startswith("RFC ") for finding in run.findings)


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
