"""What a connection is told from outside, time and randomness included.

With `entropy` from a seed and a fixed `clock` a run can be repeated byte for byte.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal, Protocol

from shakeproof.impl.tls.records import MAX_PLAINTEXT
from shakeproof.impl.tls.sessions import Session, SessionCache
from shakeproof.impl.tls.signatures import SIGNING_SCHEMES, VERIFYING_SCHEMES, PrivateKey
from shakeproof.impl.tls.suites import DEFAULT_GROUPS, DEFAULT_SUITES, CipherSuite, NamedGroup
from shakeproof.impl.tls.tickets import TicketKeys

Renegotiation = Literal["refuse", "allow"]
ClientAuthentication = Literal["none", "request", "require"]


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
"""(chain in DER, leaf first; reference name, "" for a client's chain; aware time) -> outcome."""


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
    may be refused, RFC 7627 section 5.2 and RFC 5746 sections 3.4 and 3.6, and still exist). renegotiation: whether the
    peer, or `renegotiate`, may begin another handshake; "refuse" answers with no_renegotiation.
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
    extended_master_secret: bool = True
    encrypt_then_mac: bool = True
    renegotiation: Renegotiation = "refuse"

    def __post_init__(self) -> None:
        if not self.suites:
            raise ValueError("suites is empty; name at least one cipher suite")
        if not 1 <= self.max_fragment <= MAX_PLAINTEXT:
            raise ValueError(f"max_fragment is {self.max_fragment}; it must be 1 to {MAX_PLAINTEXT}")
        if self.renegotiation not in ("refuse", "allow"):
            raise ValueError(f"renegotiation is {self.renegotiation!r}; it must be refuse or allow")


@dataclass(frozen=True, kw_only=True)
class ClientConfig(Config):
    """A client's. server_name: the reference name for `verify`, and sent as SNI unless it is an IP address.

    credentials: for client authentication; the first that fits the server's request is shown, else an empty chain.
    signing_algorithms: what we sign with then, in order of preference. session: one to resume, from `session` of an
    earlier connection. tickets: ask for one. fallback: this attempt follows one that failed with a higher version
    (RFC 7507 section 4).
    """

    server_name: str
    verify: Verifier
    signature_algorithms: tuple[int, ...] = VERIFYING_SCHEMES
    send_server_name: bool = True
    credentials: Sequence[Credential] = ()
    signing_algorithms: tuple[int, ...] = VERIFYING_SCHEMES
    session: Session | None = field(default=None, repr=False)
    tickets: bool = True
    fallback: bool = False


@dataclass(frozen=True, kw_only=True)
class Site:
    """What a server is under one name.

    credentials: the first that fits the suite is used. client_authentication: "request" goes on without a certificate,
    "require" does not; verify_client judges what the client shows, and is needed for both. client_authorities:
    distinguished names in DER that are told to the client, none for any.
    """

    credentials: Sequence[Credential]
    alpn: tuple[str, ...] = ()
    client_authentication: ClientAuthentication = "none"
    verify_client: Verifier | None = None
    client_authorities: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        _check_client_authentication(self.client_authentication, self.verify_client)


@dataclass(frozen=True, kw_only=True)
class ServerConfig(Config):
    """A server's. credentials, alpn, client_...: the default site (see Site), for clients without or with another name.

    server_names: the names that are served besides those of `sites`, None for any; another one gets unrecognized_name.
    sites: by server name, in lower case. client_signature_algorithms: what a client may sign CertificateVerify with.
    sign_sha1_by_default: a ClientHello without signature_algorithms stands for SHA-1 (RFC 5246 section 7.4.1.4.1);
    False refuses ECDHE to such clients. sessions: makes sessions resumable by session id; ticket_keys: by ticket.
    """

    credentials: Sequence[Credential]
    signature_algorithms: tuple[int, ...] = SIGNING_SCHEMES
    server_names: frozenset[str] | None = None
    sign_sha1_by_default: bool = True
    client_authentication: ClientAuthentication = "none"
    verify_client: Verifier | None = None
    client_authorities: tuple[bytes, ...] = ()
    client_signature_algorithms: tuple[int, ...] = VERIFYING_SCHEMES
    sessions: SessionCache | None = None
    ticket_keys: TicketKeys | None = None
    sites: Mapping[str, Site] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_client_authentication(self.client_authentication, self.verify_client)
        for name in self.sites:
            if name != name.lower():
                raise ValueError(f"the site {name!r} is not in lower case; names are compared in lower case")

    @property
    def default_site(self) -> Site:
        """The site of clients that ask for none of `sites`."""
        return Site(
            credentials=self.credentials,
            alpn=self.alpn,
            client_authentication=self.client_authentication,
            verify_client=self.verify_client,
            client_authorities=self.client_authorities,
        )


def _check_client_authentication(wanted: ClientAuthentication, verify_client: Verifier | None) -> None:
    if wanted not in ("none", "request", "require"):
        raise ValueError(f"client_authentication is {wanted!r}; it must be none, request or require")
    if wanted != "none" and verify_client is None:
        raise ValueError(f"client_authentication is {wanted!r} without verify_client; name who judges the certificates")
