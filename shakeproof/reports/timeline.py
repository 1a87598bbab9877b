"""When things happened in a run: which role was tested when, and when each finding came."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from shakeproof.console import visible
from shakeproof.properties.findings import CellDone, Event, FindingConfirmed, Grade, RoleDone, RoleStarted


def role_key(target: str, role: str) -> str:
    """The anchor of a role of a target."""
    return "r-" + re.sub(r"[^a-z0-9]+", "-", f"{target}-{role}".lower()).strip("-")


@dataclass(frozen=True)
class Bar:
    """When a role was tested, in per mille of the run; moments: its findings, in per mille, with anchor and kind."""

    label: str
    key: str
    start: int
    length: int
    said: str
    marks: tuple[tuple[int, str, str], ...]


class Timeline:
    """Listens to a run and keeps when things happened. clock: seconds, monotonic."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock, self.began = clock, clock()
        self.first: dict[tuple[str, str], float] = {}
        self.last: dict[tuple[str, str], float] = {}
        self.found: list[tuple[float, str, str, str, str]] = []

    def __call__(self, event: Event) -> None:
        now = self.clock() - self.began
        if isinstance(event, RoleStarted):
            self.last[event.target, event.role] = now
        elif isinstance(event, CellDone):
            if event.done:
                self.first.setdefault((event.target, event.role), now)
            self.last[event.target, event.role] = now
        elif isinstance(event, RoleDone):
            key = (event.result.target, event.result.role)
            self.first.setdefault(key, 0.0)
            self.last[key] = now
        elif isinstance(event, FindingConfirmed):
            finding = event.finding
            self.first.setdefault((finding.target, finding.role), now)
            self.found.append((now, finding.target, finding.role, finding.id, finding.grade.value))

    def bars(self) -> tuple[Bar, ...]:
        """One bar for each role that was begun."""
        whole = max([*self.last.values(), *(at for at, *_ in self.found), 0.001])
        out = []
        for (target, role), end in self.last.items():
            start = self.first.get((target, role), end)
            marks = tuple(
                (round(1000 * at / whole), f"f-{name}", "fail" if Grade(grade).is_failure else "other")
                for at, one, other, name, grade in self.found
                if (one, other) == (target, role)
            )
            said = f"from {start:.1f} s to {end:.1f} s"
            if marks:
                said += ", found " + ", ".join(
                    f"{name} at {at:.1f} s" for at, one, other, name, _ in self.found if (one, other) == (target, role)
                )
            out.append(
                Bar(
                    visible(f"{target} {role}"), role_key(target, role), round(1000 * start / whole),
                    max(4, round(1000 * (end - start) / whole)), said, marks,
                )
            )  # fmt: skip
        return tuple(out)
