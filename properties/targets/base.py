"""What can be audited: a target makes endpoints, one for each word; a word is one input sequence on a fresh connection.

An endpoint is stepped: bytes in, then everything that comes out until it is quiet. How quiet is known is the target's
own business: in process it is exact.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal


class TargetError(Exception):
    """The target can't be tested: says what was tried, what happened and what to do."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an endpoint did in one step.

    data: bytes that it sent; closed: it closed the connection, or will read nothing more; delivered: application data
    that it accepted, as far as that can be seen; exact: quiet is known, not guessed from a timeout; crashed: how it
    died, "" where it lives; note: what it said about itself (an error text), for people.
    """

    data: bytes = b""
    closed: bool = False
    delivered: bytes = b""
    exact: bool = True
    crashed: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a word wants of its endpoint.

    key_exchange: "rsa" or "ecdhe"; certificate_key: "rsa" or "ecdsa"; bulk: "cbc" or "gcm".
    """

    key_exchange: Literal["rsa", "ecdhe"] = "ecdhe"
    certificate_key: Literal["rsa", "ecdsa"] = "rsa"
    bulk: Literal["cbc", "gcm"] = "gcm"

    @property
    def text(self) -> str:
        """For people."""
        return f"{self.key_exchange}, {self.certificate_key} certificate, AES-128-{self.bulk.upper()}"


class Endpoint(ABC):
    """One end of a fresh connection. A server answers application data; a client asks as soon as it is connected."""

    @abstractmethod
    def start(self) -> Reaction:
        """Begin: a client sends its first flight, a server waits."""

    @abstractmethod
    def feed(self, data: bytes) -> Reaction:
        """The peer's bytes arrive. Never raises for what a peer can send."""

    def end(self) -> Reaction:
        """The peer closes the transport."""
        return Reaction(closed=True)

    def call(self, name: str) -> Reaction | None:
        """The application's call ("close"); None where the target offers no way to make it, or not now."""
        return None

    def dispose(self) -> None:
        """Free what the endpoint holds."""
        return


class Target(ABC):
    """Something that can be audited."""

    name: str = ""
    """As it is given on the command line."""
    roles: tuple[str, ...] = ()
    """The roles that it can take: "tls12.client", "tls12.server"."""

    @property
    @abstractmethod
    def description(self) -> str:
        """Name and version, for people."""

    @property
    def is_local(self) -> bool:
        """Whether it runs on this machine: others need consent."""
        return True

    @property
    def takes_many(self) -> bool:
        """Whether several connections at once do not disturb one another."""
        return True

    @property
    def has_factory_certificate(self) -> bool:
        """Whether a server shows a certificate of the tester's own factory, so that it can be judged."""
        return True

    @property
    def secrets_seen(self) -> bool:
        """Whether application data that it accepts can be seen directly."""
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        """The setups that can be tried in the role; empty where nothing is known to work."""
        return (
            Setup("rsa", "rsa", "cbc"),
            Setup("ecdhe", "rsa", "gcm"),
        )

    @abstractmethod
    def connect(self, role: str, setup: Setup) -> Endpoint:
        """A fresh endpoint. Raises TargetError where there is none to be had."""

    def close(self) -> None:
        """Stop whatever was started."""
        return


@dataclass
class Described:
    """What a report says about a target."""

    name: str
    description: str
    roles: tuple[str, ...] = field(default_factory=tuple)
