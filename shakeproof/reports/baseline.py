"""A baseline: a former run, whose findings are no news.

Two findings are the same where target, role, rule and verdict are: the seed, the word and the bytes may differ. A
finding that got worse (a deviation that became a FAIL) is new.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shakeproof.exits import UsageError
from shakeproof.properties.findings import Finding, Run

SIZE_MOST = 256 << 20
"""Bytes of a former run: a hundred times the largest seen."""


@dataclass(frozen=True)
class Known:
    """What a baseline has of a finding. grade: as it is printed, such as "FAIL went-on"."""

    target: str
    role: str
    check: str
    grade: str
    title: str = ""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What makes it the same as another."""
        return self.target, self.role, self.check, self.grade


@dataclass(frozen=True)
class Baseline:
    """A former run's findings."""

    findings: tuple[Known, ...]

    def has(self, finding: Finding) -> bool:
        """Whether the former run had it."""
        return _key(finding) in {known.key for known in self.findings}

    def fixed(self, run: Run) -> tuple[Known, ...]:
        """What the former run had and this one has not, of the roles that were tested to the end."""
        there = {_key(finding) for finding in run.findings}
        whole = {
            (role.target, role.role)
            for role in run.roles
            if role.is_tested and not role.left_out and not run.interrupted
        }
        return tuple(known for known in self.findings if (known.target, known.role) in whole and known.key not in there)


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return finding.target, finding.role, finding.check, finding.grade.value


def load_baseline(path: Path) -> Baseline:
    """The baseline in a run.json. Raises UsageError that says what is wrong with the file."""
    from shakeproof.reports.json import FORMAT

    wanted = f"--baseline wants a former report's run.json (format {FORMAT})"
    try:
        if path.stat().st_size > SIZE_MOST:
            raise UsageError(f"{path}: larger than any run ({SIZE_MOST} bytes); {wanted}")
        data = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: can't be read ({error.strerror}); {wanted}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON; {wanted}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT or not isinstance(data.get("findings"), list):
        raise UsageError(f"{path}: no run; {wanted}")
    return Baseline(tuple(_known(path, data["findings"])))


NAMES = ("target", "role", "check", "verdict", "title")
"""What is read of each finding of a run.json, in the order of `Known`."""


def _known(path: Path, entries: Iterable[Any]) -> Iterator[Known]:
    for number, entry in enumerate(entries):
        given = entry if isinstance(entry, dict) else {}
        values = [given[name] for name in NAMES if isinstance(given.get(name), str)]
        if len(values) < len(NAMES):
            raise UsageError(f"{path}: findings[{number}] needs {', '.join(NAMES)} as text")
        yield Known(*values)
