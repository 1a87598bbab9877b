"""Older versions and fallback in the tables of TLS 1.2, and the readings that allow them."""

from __future__ import annotations

import itertools

import pytest

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.lint import lint
from shakeproof.model.machine import Role
from shakeproof.model.messages import ClientHello
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_server import server
from tests.model.tls12_walks import CCS, FINISHED, KEYS, alerts, only, outcomes, walk

old = ClientHello.symbol(m.old_version)
legacy_server = server.under({"legacy"})
legacy_client = client.under({"https", "legacy"})


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_the_tables_are_sound_under_every_reading(role: Role) -> None:
    for size in range(len(role.readings) + 1):
        for readings in itertools.combinations(role.readings, size):
            assert lint(role.under(readings)) == [], readings


def test_an_older_version_is_refused_with_protocol_version() -> None:
    way = only(server, server.start, old)
    assert way.alerts == {"protocol_version"}
    assert way.row.level is Level.MUST


def test_a_fallback_is_inappropriate_or_its_version_is_refused() -> None:
    way = only(server, server.start, ClientHello.symbol(m.fallback))
    assert way.alerts == {"inappropriate_fallback", "protocol_version"}
    assert way.row.clauses[0].reference == "RFC 7507 section 3"


def test_by_default_nobody_reaches_an_older_version() -> None:
    for role in (client, server):
        assert all(tls12.current.holds(role.remembered(here)) for here in role.reachable)


def test_under_legacy_a_server_may_take_an_older_version_and_remembers_it() -> None:
    ways = outcomes(legacy_server, legacy_server.start, old)
    assert {way.after.state.name for way in ways} == {"WAIT_CLIENT_KEY_EXCHANGE", "ABORTED"}
    here = walk(legacy_server, [old, KEYS, CCS, FINISHED])
    assert here.state is tls12.CONNECTED
    assert legacy_server.remembered(here)["version"] == tls12.older.bit


@pytest.mark.parametrize("other", [m.no_common_suite, m.fallback, m.broken_hello], ids=repr)
def test_under_legacy_an_older_version_with_another_defect_is_not_taken(other: Value) -> None:
    assert alerts(legacy_server, legacy_server.start, ClientHello.symbol(m.old_version, other))


def test_under_legacy_a_fallback_is_always_inappropriate() -> None:
    assert alerts(legacy_server, legacy_server.start, ClientHello.symbol(m.fallback)) == {"inappropriate_fallback"}


def test_under_legacy_a_client_that_falls_back_says_so() -> None:
    ways = outcomes(legacy_client, legacy_client.start, m.connect.symbol())
    falling = [way for way in ways if legacy_client.remembered(way.after)["version"] == tls12.older.bit]
    assert falling
    for way in falling:
        (output,) = legacy_client.flight(way.row, way.after)
        assert not legacy_client.allows(output, way.after, ClientHello.symbol())
        assert not legacy_client.allows(output, way.after, ClientHello.symbol(m.old_version))
        offer = next(v for v in m.OFFER.values if v.holds(legacy_client.remembered(way.after)))
        assert legacy_client.allows(output, way.after, ClientHello.symbol(m.old_version, m.fallback, offer))
