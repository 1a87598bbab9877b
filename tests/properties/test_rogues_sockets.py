"""Every planted fault of TLS and of certificates, found over a socket in a program of its own; and no false alarm."""

from __future__ import annotations

import pytest

from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Grade
from shakeproof.properties.rogues import ROGUES
from tests.properties.socket_audits import (
    CLIENT,
    CLIENT_CERTIFICATE,
    RENEGOTIATION,
    SERVER,
    SITE,
    first_failure,
    target,
)

pytestmark = [pytest.mark.slow, pytest.mark.audits]

TIME_S = 60.0
UNSEEN = {
    "truncation-unnoticed": "what a program's application is told of the end of the data can't be seen from outside",
}
"""Rogues that no socket shows, and why."""
WARNED_OF = frozenset({"endless-warnings", "endless-empty-records"})
"""Rogues whose fault no MUST forbids: they earn a warning."""
OF_CLIENT_CERTIFICATES = frozenset(
    {
        "client-certificate-skipped",
        "certificate-verify-skipped",
        "certificate-verify-unchecked",
        "default-site-for-fragments",
    }
)
CONTAINED = frozenset({"unprepared-ccs-crash", "bare-renegotiation-crash", "large-record-crash"})
"""Rogues that crash a connection: our programs contain that, so that outside it shows as an end without an alert."""
WORD_MOST = 7
"""Inputs of the longest trace: two handshakes that share their first messages."""
PAIRS = [
    (name, role)
    for name, rogue in ROGUES.items()
    if rogue.is_of_tls and not rogue.chains_only
    for role in rogue.roles
    if role.startswith("tls") and name not in UNSEEN
]


def command(role: str, rogue: str) -> str:
    """The program with the fault, set up so that it can show."""
    planted = ("--rogue", rogue) if rogue else ()
    if role == "tls12.client":
        return target(*CLIENT, *CLIENT_CERTIFICATE, *RENEGOTIATION, *planted)
    site = SITE if rogue in OF_CLIENT_CERTIFICATES else ()
    return target(*SERVER, *site, *RENEGOTIATION, *planted)


@pytest.mark.parametrize(("rogue", "role"), [pair for pair in PAIRS if pair[0] not in WARNED_OF])
def test_rogue_over_a_socket_is_found_with_a_short_trace(rogue: str, role: str) -> None:
    least = Grade.DEVIATION if rogue in CONTAINED else None
    search = first_failure(command(role, rogue), role, time_s=TIME_S, least=least)
    assert search.finding is not None, search.run
    assert search.finding.seen == (3, 3)
    assert len(search.finding.word) <= WORD_MOST, search.finding.word
    assert search.finding.trace.steps


@pytest.mark.parametrize(("rogue", "role"), [pair for pair in PAIRS if pair[0] in WARNED_OF])
def test_rogue_that_sets_no_limit_over_a_socket_is_warned_of(rogue: str, role: str) -> None:
    run = audit([command(role, rogue)], roles=[role], time_s=TIME_S, jobs=2)
    assert any(finding.grade is Grade.WARNING and "BOUNDED" in finding.check for finding in run.findings), run.findings


def test_rogues_that_no_socket_shows_are_rogues() -> None:
    assert set(UNSEEN) <= set(ROGUES)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("role", ["tls12.server", "tls12.client"])
def test_clean_implementation_over_a_socket_gives_no_finding(role: str, seed: int) -> None:
    run = audit([command(role, "")], roles=[role], time_s=20.0, seed=seed, jobs=1)
    (result,) = run.roles
    assert not result.error
    assert result.words > 100
    assert [f"{finding.grade.value} {finding.title}" for finding in run.findings] == []
