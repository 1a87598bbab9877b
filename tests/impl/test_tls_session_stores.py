"""A server's cache of sessions and its ticket keys, by themselves."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shakeproof.impl.tls import Session, SessionCache, TicketKeys
from shakeproof.impl.tls.suites import TLS_RSA_WITH_AES_128_CBC_SHA
from tests.impl.tls_material import NAME, NOW, entropy

Changes = dict[str, Any]


def a_session(number: int = 0, **changes: Any) -> Session:
    """A session that was made up."""
    values: Changes = {
        "suite": TLS_RSA_WITH_AES_128_CBC_SHA,
        "master_secret": bytes(48),
        "extended_master_secret": True,
        "encrypt_then_mac": False,
        "server_name": None,
        "alpn": None,
        "session_id": number.to_bytes(4, "big"),
        "created": NOW,
    }
    return Session(**(values | changes))


def test_a_cache_is_bounded_and_drops_the_oldest() -> None:
    cache = SessionCache(capacity=3)
    for number in range(5):
        cache.put(a_session(number))
    assert len(cache) == 3
    assert [cache.get(number.to_bytes(4, "big"), NOW) is not None for number in range(5)] == [False, False] + [True] * 3
    cache.put(a_session(2))
    cache.put(a_session(9))
    assert cache.get((2).to_bytes(4, "big"), NOW) is not None
    assert cache.get((3).to_bytes(4, "big"), NOW) is None
    cache.forget(b"unknown")
    with pytest.raises(ValueError, match="capacity"):
        SessionCache(capacity=0)
    with pytest.raises(ValueError, match="session_id"):
        cache.put(a_session(session_id=b""))


def test_a_cache_forgets_what_is_too_old() -> None:
    cache = SessionCache()
    cache.put(a_session(1, lifetime_s=10))
    assert cache.get((1).to_bytes(4, "big"), NOW + timedelta(seconds=9)) is not None
    assert cache.get((1).to_bytes(4, "big"), NOW + timedelta(seconds=10)) is None
    assert len(cache) == 0


@pytest.mark.parametrize(
    "session",
    [
        a_session(session_id=b""),
        a_session(session_id=b"", server_name="", alpn=""),
        a_session(session_id=b"", server_name=NAME, alpn="h2", peer_certificates=(b"one", b"two" * 500)),
        a_session(session_id=b"", extended_master_secret=False, encrypt_then_mac=True, lifetime_s=5),
    ],
)
def test_a_ticket_gives_back_the_session(session: Session) -> None:
    keys = TicketKeys(entropy(1))
    ticket = keys.seal(session, NOW)
    assert keys.open(ticket, NOW) == session
    assert session.master_secret not in ticket
    assert keys.is_current(ticket, NOW)
    assert TicketKeys(entropy(2)).open(ticket, NOW) is None
    assert keys.open(b"", NOW) is None


def test_ticket_keys_are_rotated_and_the_older_ones_still_open() -> None:
    keys = TicketKeys(entropy(1), lifetime_s=100)
    long = a_session(session_id=b"", lifetime_s=1000)
    ticket = keys.seal(long, NOW)
    later = NOW + timedelta(seconds=100)
    assert not keys.is_current(ticket, later)
    assert keys.seal(long, later)[:16] != ticket[:16]
    assert keys.open(ticket, later) is not None
    much_later = NOW + timedelta(seconds=300)
    keys.seal(long, NOW + timedelta(seconds=200))
    keys.seal(long, much_later)
    assert keys.open(ticket, much_later) is None


def test_a_sealed_state_that_we_no_longer_read_does_not_open() -> None:
    keys = TicketKeys(entropy(1))
    unknown = replace(TLS_RSA_WITH_AES_128_CBC_SHA, code=0x1234)
    assert keys.open(keys.seal(a_session(suite=unknown), NOW), NOW) is None
    assert keys.open(keys.seal(a_session(master_secret=bytes(3)), NOW), NOW) is None
