"""What a rogue is: a planted fault with its roles, its clause and its history."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shakeproof.impl.tcp import Host, TcpConnection
from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.x509 import Validator

Connection = ClientConnection | ServerConnection

CLIENT, SERVER = "tls12.client", "tls12.server"
BOTH = (CLIENT, SERVER)
TCP = "tcp"


@dataclass(frozen=True)
class Rogue:
    """One planted fault.

    fault: what it does, in one sentence; roles: whom it concerns; history: what it re-creates, checked against an
    advisory, or ""; clause: what it breaks; connection, validator: how it is planted; tcp, host: likewise, on a TCP
    connection before it is opened, or on a host before it has any, which gives it to all that it makes; chains_only:
    only chains show it that no message of the suites has, so that it is for Hypothesis alone.
    """

    name: str
    fault: str
    roles: tuple[str, ...]
    clause: str
    history: str = ""
    connection: Callable[[Connection], None] | None = None
    validator: Callable[[Validator], None] | None = None
    tcp: Callable[[TcpConnection], None] | None = None
    host: Callable[[Host], None] | None = None
    chains_only: bool = False

    @property
    def is_in_suites(self) -> bool:
        """Whether the words of a suite can show it."""
        return self.is_of_tls and not self.chains_only

    @property
    def is_of_tls(self) -> bool:
        """Whether a TLS endpoint can have it."""
        return self.roles != (TCP,)

    @property
    def elsewhere(self) -> str:
        """What to say where a TLS endpoint was to have it, and can't."""
        return (
            f"the rogue {self.name!r} is a fault of TCP, and what is asked for here does not run over our TCP; "
            f"plant it with: shakeproof test --rogue {self.name}"
        )
