"""What a connection is told from outside, time and randomness included.

With `entropy` from a seed and a fixed `clock` a run can be repeated byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from shakeproof.impl.tls.records import MAX_PLAINTEXT
from shakeproof.impl.tls.signatures import SIGNING_SCHEMES, VERIFYING_SCHEMES, PrivateKey
from shakeproof.impl.tls.suites import DEFAULT_GROUPS, DEFAULT_SUITES, CipherSuite, NamedGroup


class ValidationOutcome(Protocol):
    """What a validator returns, at least. alert: the RFC's name of an alert, such as "certificate_expired"."""

    @property
    def accepted(self) -> bool:
        """Whether the chain is trusted for that name at that time."""
        ...

    @property
    def alert(self) -> str | None:
        """The alert that says why not."""
        ...


Verifier = Callable[[Sequence[bytes], str, datetime], ValidationOutcome]
"""(chain in DER, leaf first; reference name; aware time) -> outcome."""


def utc_now() -> datetime:
    """The time, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Credential:
    """A certificate chain in DER, leaf first, with the leaf's private key."""

    chain: tuple[bytes, ...]
    private_key: PrivateKey


@dataclass(frozen=True, kw_only=True)
class Config:
    """What both roles have in common.

    suites, groups, signature_algorithms and alpn are in order of preference. key_log takes lines of an NSS key log.
    max_fragment: bytes of plaintext in a record that we send; coalesce: several handshake messages of a flight
    in one record. require_extended_master_secret, require_secure_renegotiation: refuse peers without (both SHOULD or
    may be refused, RFC 7627 section 5.2 and RFC 5746 sections 3.4 and 3.6, and still exist).
    """

    entropy: Callable[[int], bytes] = os.urandom
    clock: Callable[[], datetime] = utc_now
    suites: tuple[CipherSuite, ...] = DEFAULT_SUITES
    groups: tuple[NamedGroup, ...] = DEFAULT_GROUPS
    signature_algorithms: tuple[int, ...]
    alpn: tuple[str, ...] = ()
    key_log: Callable[[str], None] | None = None
    max_fragment: int = MAX_PLAINTEXT
    coalesce: bool = False
    require_extended_master_secret: bool = False
    require_secure_renegotiation: bool = False

    def __post_init__(self) -> None:
        if not self.suites:
            raise ValueError("suites is empty; name at least one cipher suite")
        if not 1 <= self.max_fragment <= MAX_PLAINTEXT:
            raise ValueError(f"max_fragment is {self.max_fragment}; it must be 1 to {MAX_PLAINTEXT}")


@dataclass(frozen=True, kw_only=True)
class ClientConfig(Config):
    """A client's. server_name: the reference name for `verify`, and sent as SNI unless it is an IP address."""

    server_name: str
    verify: Verifier
    signature_algorithms: tuple[int, ...] = VERIFYING_SCHEMES
    send_server_name: bool = True
    extended_master_secret: bool = True


@dataclass(frozen=True, kw_only=True)
class ServerConfig(Config):
    """A server's. credentials: the first that fits the suite is used.

    server_names: the names that are served, None for any; another one gets unrecognized_name.
    sign_sha1_by_default: a ClientHello without signature_algorithms stands for SHA-1 (RFC 5246 section 7.4.1.4.1);
    False refuses ECDHE to such clients.
    """

    credentials: Sequence[Credential]
    signature_algorithms: tuple[int, ...] = SIGNING_SCHEMES
    server_names: frozenset[str] | None = None
    sign_sha1_by_default: bool = True
    extended_master_secret: bool = True
