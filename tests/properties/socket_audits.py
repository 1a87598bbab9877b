"""Our own implementation as separate programs, audited over sockets as an unknown stack."""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass

from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Event, Finding, FindingConfirmed, Grade, Run

SHAKEPROOF = (sys.executable, "-m", "shakeproof")
SERVER = ("serve", "--listen", "{host}:{port}", "--cert", "{cert}", "--key", "{key}", "--max-connections", "1000")
SITE = ("--site", "{name},cert={cert},key={key},client-ca={ca},client-auth=request")
NAMED_SITE = ("--site", "{name},cert={cert},key={key}")
CLIENT_ONCE = ("fetch", "https://{name}:{port}/", "--resolve", "{name}:{port}:{host}", "--ca", "{ca}")
CLIENT = (*CLIENT_ONCE, "--again")
CLIENT_CERTIFICATE = ("--cert", "{cert}", "--key", "{key}")
PROFILE = ("--profile",)
RENEGOTIATION = ("--renegotiation", "allow")


def target(*words: str) -> str:
    """The target that runs `shakeproof` with these words."""
    return f"exec:{shlex.join((*SHAKEPROOF, *words))}"


class _EnoughError(Exception):
    """What was looked for is found."""


@dataclass(frozen=True)
class Search:
    """What an audit found before it was ended: the first failure, if there was one."""

    finding: Finding | None
    run: Run | None


def first_failure(
    name: str, role: str, *, time_s: float, seed: int = 0, least: Grade | None = None, check: str = ""
) -> Search:
    """Audit until the first failure, or the first finding of the grade `least`, or whose check has `check` in it."""
    found: list[Finding] = []

    def listen(event: Event) -> None:
        if not isinstance(event, FindingConfirmed):
            return
        finding = event.finding
        if check in finding.check if check else finding.grade.is_failure or finding.grade is least:
            found.append(finding)
            raise _EnoughError

    try:
        run = audit([name], roles=[role], time_s=time_s, seed=seed, jobs=1, listener=listen)
    except _EnoughError:
        return Search(found[0], None)
    return Search(None, run)
