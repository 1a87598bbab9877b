"""What a machine with one endpoint can draw from: setups, manners, words, forgeries, what came before."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any
from zlib import crc32

from hypothesis import strategies as st

from shakeproof.impl.tls.records import MAX_PLAINTEXT
from shakeproof.impl.tls.suites import Authentication, CipherSuite, KeyExchange
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    ASKS,
    GRANTS,
    Alert,
    Certificate,
    Finished,
    HelloRequest,
    Record,
    ServerKeyExchange,
    anew,
    bad_mac,
    bad_padding,
    expired,
    forged_signature,
    full,
    long_bad_mac,
    mismatch,
    replayed,
    stale,
    ticketed,
)
from shakeproof.model.notation import Alike, Symbol
from shakeproof.properties.courses import concerns
from shakeproof.properties.mapper.context import BULKS, KeyExchangeName, suite_of
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.suites import Word, floods, fragments, honest_prefixes, quick, whole
from shakeproof.properties.targets.base import Setup

LONGEST_HANDSHAKE = 8
"""Honest messages of one side from the beginning to application data: TLS 1.2 has at most eight."""

SUITE_NAMES = [
    "TLS_RSA_WITH_AES_128_CBC_SHA",
    "TLS_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
]
"""The cipher suites that a run can be about, plainest first: those that differ in mechanism, and not in key length."""

MANNERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "encrypt-then-mac": {"encrypt_then_mac": True},
    "client certificate": {"client_auth": True},
    "renegotiation": {"renegotiation": True},
    "session by id": {"session": "id"},
    "session by ticket": {"session": "ticket"},
}
"""What a connection can have beside its suite, plainest first, with what it is in a setup."""

manners = st.sampled_from(["plain"] * 3 + [name for name in MANNERS if name != "plain"])
"""A good third of all runs are plain ones, which have most of what can go wrong."""

HARMLESS = (HelloRequest, Alert, Record)
"""Messages that leave nothing to remember, so that a replayed one that is legal can be followed."""


def setup_of(suite: CipherSuite, manner: str = "plain") -> Setup:
    """The setup that leads to that suite, in that manner."""
    exchange: KeyExchangeName = "ecdhe"
    if suite.key_exchange is not KeyExchange.ECDHE:
        exchange = "rsa" if suite.key_exchange is KeyExchange.RSA else "dhe"
    key: KeyKind = "ecdsa" if suite.authentication is Authentication.ECDSA else "rsa"
    bulk = next(name for name in BULKS if suite_of(suite.key_exchange, key, name) is suite)
    return replace(Setup(exchange, key, bulk), **MANNERS[manner])


@lru_cache(maxsize=128)
def honest_messages(role: Role, setup: Setup) -> tuple[Word, ...]:
    """The messages of an honest handshake, as words."""
    return tuple(fragments(role, whole(role, setup)))


@lru_cache(maxsize=128)
def fruitless_messages(role: Role, setup: Setup) -> tuple[Word, ...]:
    """What some row lets pass without an answer or a change, as words."""
    return tuple(floods(role, whole(role, setup)))


FORGERIES = (Finished.symbol(mismatch), ServerKeyExchange.symbol(forged_signature), Record.symbol(bad_mac),
             Record.symbol(bad_padding))  # fmt: skip
"""What can be made without the keys."""


REPEATS = (Record.symbol(replayed), Record.symbol(stale))
"""What came before, once more."""


def name_of(word: Word) -> str:
    """A word as code says it: its inputs."""
    return " -> ".join(word.text)


@lru_cache(maxsize=128)
def words_by_name(role: Role, setup: Setup) -> dict[str, Word]:
    """The words of a setup by name; of a special one, those that its plain setup does not have; and what is cut up."""
    words = quick(role, setup, () if setup == setup.plain else (setup.plain,))
    return {name_of(word): word for word in (*honest_messages(role, setup), *words)}


def identity(word: Word, setup: Setup) -> object:
    """What a word is the same as in another setup: its cell, with the same kind of key; nothing, where the setup is
    about just that.
    """
    cell = (word.configuration, word.symbol)
    own = word.fragment or concerns(setup, *cell)
    return (cell, word.fragment, setup if own else setup.certificate_key)


def untried(role: Role, setup: Setup, tried: Set[object], share: tuple[int, int] = (0, 1)) -> list[Word]:
    """The words of a setup that have not been tried in it or in one that they are the same in.

    share: only those of this part of so many. A cell is of the same part in every setup.
    """
    return [word for word, same_as in _words_of(role, setup, share) if same_as not in tried]


@lru_cache(maxsize=128)
def _words_of(role: Role, setup: Setup, share: tuple[int, int]) -> tuple[tuple[Word, object], ...]:
    """A part's words, each with what it is the same as: worked out once, for what is left is asked for in every run."""
    part, parts = share
    return tuple(
        (word, identity(word, setup))
        for word in words_by_name(role, setup).values()
        if part_of(word.configuration, word.symbol, parts) == part
    )


@lru_cache(maxsize=2**14)
def part_of(here: Configuration, symbol: Symbol, parts: int) -> int:
    """Which of so many parts a cell belongs to: the same in every process."""
    return crc32(f"{here.state.name} {here.memory} {symbol.text}".encode()) % parts


def kind_of(role: Role, word: Word) -> str:
    """What kind of event a word's last message is, for the statistics."""
    symbol = word.symbol
    if symbol in FORGERIES:
        return "forged"
    if symbol in REPEATS:
        return "replayed"
    if symbol.message is Certificate and symbol.has(expired):
        return "expired certificate"
    if symbol.message is Alert:
        return "alert"
    rows = role.enabled(word.configuration, symbol)
    if symbol.is_sound:
        return "reordered" if rows and all(row.is_violation for row in rows) else "unusual"
    return "defective"


@lru_cache(maxsize=128)
def places_of(role: Role, chosen: tuple[Value, ...], alike: Alike) -> tuple[tuple[Symbol, ...], ...]:
    """The honest prefixes to where rows read inputs that must be answered alike."""
    return tuple(
        prefix
        for here, prefix in honest_prefixes(role, chosen).items()
        if all(any(not row.is_rest for row in role.enabled(here, symbol)) for symbol in alike.symbols)
    )


@dataclass(frozen=True)
class Past:
    """Bytes that went to an endpoint. connection: which one, counted from 1; protected: under the session keys."""

    symbol: Symbol
    data: bytes
    connection: int
    protected: bool
    suite: CipherSuite

    @property
    def about_session(self) -> bool:
        """Whether it names a session, or says something of one."""
        values = self.symbol.named
        return any(value.fact in (ASKS, GRANTS) and value not in (anew, ticketed, full) for value in values)


def unreadable(data: bytes) -> Symbol:
    """What a record is to an endpoint that reads under other keys."""
    long = int.from_bytes(data[3:5], "big") >= MAX_PLAINTEXT
    return Record.symbol(long_bad_mac if long else bad_mac)
