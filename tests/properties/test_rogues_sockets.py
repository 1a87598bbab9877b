"""Every planted fault of TLS and of certificates, found over a socket in a program of its own; and no false alarm."""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from _pytest.mark.structures import ParameterSet

from shakeproof.model.roles import ROLES
from shakeproof.properties.audit import audit
from shakeproof.properties.findings import Grade
from shakeproof.properties.probe import probe
from shakeproof.properties.reasons import ANONYMOUS
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.task_run import close_targets, open_target
from tests.properties.socket_audits import (
    CLIENT,
    CLIENT_ONCE,
    NAMED_SITE,
    PROFILE,
    RENEGOTIATION,
    SERVER,
    SITE,
    first_failure,
    target,
)

pytestmark = pytest.mark.slow

TIME_S = 60.0
UNSEEN = {
    "unreadable-name-passes": "our programs refuse a name on the command line that their validator could not read, so "
    "that it never compares with one (`test_name_that_is_taken_can_be_read_by_the_validator`)",
}
"""Rogues that no socket shows, and why."""
UNSEEN_IN = {("truncation-unnoticed", "tls12.server"): "a server's application tells nobody how its data ended"}
"""Rogues that no socket shows in one of their roles, and why."""
WARNED_OF = {
    "endless-warnings": "BOUNDED",
    "endless-empty-records": "BOUNDED",
    "weak-group": "WEAK-GROUP",
    "common-name-fallback": "CHAIN-NAME-IN-URI",
    "endless-search": "CHAIN-NAMESAKES",
    "client-use-ignored": "CHAIN-WRONG-",
    "truncation-unnoticed": "-EXITED",
}
"""Rogues whose fault no MUST forbids: they earn a warning, by a check with this in its name."""
PORTION = frozenset(
    {
        ("early-ccs", "tls12.server"),
        ("ske-under-rsa", "tls12.client"),
        ("compression-unchecked", "tls12.server"),
        ("finished-unchecked", "tls12.server"),
        ("padding-unchecked", "tls12.server"),
        ("heartbleed", "tls12.server"),
        ("unbound-renegotiation", "tls12.server"),
        ("expired-issuer", "tls12.client"),
        ("wrong-name", "tls12.client"),
        ("basic-constraints-ignored", "tls12.client"),
        ("critical-ignored", "tls12.client"),
        ("constraints-ignored", "tls12.client"),
    }
)
"""Rogues of every section and both roles that are found in a few seconds each: these run with the other slow tests."""
OF_CLIENT_CERTIFICATES = frozenset(
    {
        "client-certificate-skipped",
        "certificate-verify-skipped",
        "certificate-verify-unchecked",
        "default-site-for-fragments",
        "client-use-ignored",
    }
)
WITHOUT_TICKETS = frozenset({"unbound-renegotiation"})
"""Rogues that a client shows which asks for no ticket: no prefix expects that it asks for one in a renegotiation."""
OF_ITS_STATUS = frozenset({"truncation-unnoticed"})
"""Rogues that a client shows which ends with its connection: its exit status tells."""
OF_THE_PROFILE = frozenset({"strictness-forgets-ca"})
"""Rogues that a client shows which also asks for what binds CAs."""
REPEATED = frozenset({"replayed-record", "any-earlier-sequence"})
"""Rogues that take a record again: as what comes after it may be said at any time, they seem to have ignored it."""
OF_NAMES = frozenset({"resumed-under-other-name"})
CONTAINED = frozenset({"unprepared-ccs-crash", "bare-renegotiation-crash", "large-record-crash", "unoffered-suite"})
"""Rogues that crash a connection: our programs contain that, so that outside it shows as an end without an alert."""
WORD_MOST = 7
"""Inputs of the longest trace: two handshakes that share their first messages."""
REPEATED_MOST = 9
"""Where a record comes again: a whole handshake, and the data behind which that shows."""
PAIRS = [
    (name, role)
    for name, rogue in ROGUES.items()
    if rogue.is_of_tls and name not in UNSEEN
    for role in rogue.roles
    if (name, role) not in UNSEEN_IN
]


def marked(pairs: Iterable[tuple[str, str]]) -> list[ParameterSet]:
    """The pairs, of which those in the portion are no matter of a quiet machine."""
    return [
        pytest.param(*pair, id="-".join(pair), marks=() if pair in PORTION else (pytest.mark.audits,)) for pair in pairs
    ]


def command(role: str, rogue: str) -> str:
    """The program with the fault, set up so that it can show."""
    planted = ("--rogue", rogue) if rogue else ()
    if role == "tls12.client":
        tickets = ("--no-tickets",) if rogue in WITHOUT_TICKETS else ()
        profile = PROFILE if rogue in OF_THE_PROFILE else ()
        client = CLIENT_ONCE if rogue in OF_ITS_STATUS else CLIENT
        return target(*client, *tickets, *profile, *RENEGOTIATION, *planted)
    site = SITE if rogue in OF_CLIENT_CERTIFICATES else NAMED_SITE if rogue in OF_NAMES else ()
    return target(*SERVER, *site, *RENEGOTIATION, *planted)


@pytest.mark.parametrize(("rogue", "role"), marked(pair for pair in PAIRS if pair[0] not in WARNED_OF))
def test_rogue_over_a_socket_is_found_with_a_short_trace(rogue: str, role: str) -> None:
    least = Grade.DEVIATION if rogue in CONTAINED | REPEATED else None
    search = first_failure(command(role, rogue), role, time_s=TIME_S, least=least)
    assert search.finding is not None, search.run
    assert search.finding.seen == (3, 3)
    assert len(search.finding.word) <= (REPEATED_MOST if rogue in REPEATED else WORD_MOST), search.finding.word
    assert search.finding.trace.steps


@pytest.mark.parametrize(("rogue", "role"), marked(pair for pair in PAIRS if pair[0] in WARNED_OF))
def test_rogue_that_no_must_forbids_over_a_socket_is_warned_of(rogue: str, role: str) -> None:
    search = first_failure(command(role, rogue), role, time_s=TIME_S, check=WARNED_OF[rogue])
    assert search.finding is not None, search.run
    assert search.finding.grade is Grade.WARNING
    assert search.finding.seen in ((1, 1), (3, 3))


def test_rogues_that_no_socket_shows_are_rogues() -> None:
    assert set(UNSEEN) | {name for name, _ in UNSEEN_IN} | set(WARNED_OF) <= set(ROGUES)
    assert set(PAIRS) >= PORTION


@pytest.mark.audits
def test_client_without_a_certificate_is_not_tested_with_one() -> None:
    named = open_target(command("tls12.client", ""))
    try:
        found = probe(named, ROLES["tls12.client"], 0, time.monotonic() + TIME_S)
    finally:
        close_targets()
    why = {why for setup, why in found.declined if setup.client_auth}
    assert why == {ANONYMOUS}
    assert not any(setup.client_auth for setup in found.setups)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.audits) for seed in range(1, 10))])
@pytest.mark.parametrize("role", ["tls12.server", "tls12.client"])
def test_clean_implementation_over_a_socket_gives_no_finding(role: str, seed: int) -> None:
    run = audit([command(role, "")], roles=[role], time_s=20.0, seed=seed, jobs=1)
    (result,) = run.roles
    assert not result.error
    assert result.words > 100
    assert [f"{finding.grade.value} {finding.title}" for finding in run.findings] == []


@pytest.mark.audits
@pytest.mark.parametrize("words", [(*CLIENT, *PROFILE), CLIENT_ONCE], ids=["profile", "once"])
def test_clean_client_with_other_options_gives_no_finding(words: tuple[str, ...]) -> None:
    run = audit([target(*words)], roles=["tls12.client"], time_s=20.0, jobs=1)
    assert not run.roles[0].error
    assert run.findings == []
