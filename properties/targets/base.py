"""What can be audited: a target makes endpoints, one for each word; a word is one input sequence on a fresh connection.

An endpoint is stepped: bytes in, then everything that comes out until it is quiet. How quiet is known is the target's
own business: in process it is exact.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from shakeproof.properties.mapper.context import BulkName, KeyExchangeName, SessionName
from shakeproof.properties.mapper.keys import KeyKind


class OutOfTimeError(Exception):
    """There is no time for the rest of a conversation: it says nothing."""


class TargetError(Exception):
    """The target can't be tested: says what was tried, what happened and what to do."""


class LateError(TargetError):
    """The target has not started in the time that there was, which is less than a start may take."""


End: TypeAlias = Literal["", "orderly", "truncated"]
"""The end of the data, as an application is told of it: that all has come, or that some may be missing."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What an endpoint did in one step.

    data: bytes that it sent; closed: it closed the connection, or will read nothing more; delivered: application data
    that it accepted, as far as that can be seen; exact: quiet is known, not guessed from a timeout; crashed: how it
    died, "" where it lives; note: what it said about itself (an error text), for people; end: what it told its
    application of the end of the data, "" where it told nothing, or that can't be seen; hung: how it was seen to hang,
    "" where it was not.
    """

    data: bytes = b""
    closed: bool = False
    delivered: bytes = b""
    exact: bool = True
    crashed: str = ""
    note: str = ""
    end: End = ""
    hung: str = ""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a word wants of its endpoint.

    certificate_key: of the server's certificate; session: by what a session is resumed that a first connection has
    made, "" for none; client_auth: the server asks for a certificate, and the client has one; renegotiation: the target
    takes part in a second handshake; encrypt_then_mac, extended_master_secret: whether the tester offers them, or
    grants them; promises: the tester promises a client a ticket, in the only connection that there is.
    """

    key_exchange: KeyExchangeName = "ecdhe"
    certificate_key: KeyKind = "rsa"
    bulk: BulkName = "gcm"
    session: SessionName = ""
    client_auth: bool = False
    renegotiation: bool = False
    encrypt_then_mac: bool = False
    extended_master_secret: bool = True
    promises: bool = False

    @property
    def tickets(self) -> bool:
        """Whether the target is to take part in tickets."""
        return self.promises or self.session == "ticket"

    @property
    def text(self) -> str:
        """For people: what is always said, and what differs from the plain setup."""
        parts = [self.key_exchange, f"{self.certificate_key} certificate", BULK_TEXTS[self.bulk]]
        if self.session:
            parts.append(f"a session by {self.session}")
        for wanted, text in (
            (self.client_auth, "a client certificate"),
            (self.renegotiation, "renegotiation"),
            (self.encrypt_then_mac, "encrypt-then-MAC"),
            (not self.extended_master_secret, "no extended master secret"),
            (self.promises, "a ticket that is not shown again"),
        ):
            if wanted:
                parts.append(text)
        return ", ".join(parts)

    @property
    def plain(self) -> Setup:
        """The setup without anything special."""
        return Setup(self.key_exchange, self.certificate_key, self.bulk)


BULK_TEXTS: dict[BulkName, str] = {
    "cbc": "AES-128-CBC",
    "gcm": "AES-128-GCM",
    "cbc256": "AES-256-CBC",
    "cbc-sha2": "AES-128-CBC with SHA-2",
    "cbc256-sha2": "AES-256-CBC with SHA-2",
    "gcm256": "AES-256-GCM",
    "chacha": "ChaCha20-Poly1305",
}


class Endpoint(ABC):
    """One end of a fresh connection. A server answers application data; a client asks as soon as it is connected."""

    @abstractmethod
    def start(self) -> Reaction:
        """Begin: a client sends its first flight, a server waits."""

    @abstractmethod
    def feed(self, data: bytes) -> Reaction:
        """The peer's bytes arrive. Never raises for what a peer can send."""

    def wait(self) -> Reaction:
        """More that it says without being fed, asked where an answer is due: nothing, where quiet was exact."""
        return Reaction()

    def end(self) -> Reaction:
        """The peer closes the transport."""
        return Reaction(closed=True)

    def exit_status(self) -> int | None:
        """Of a program that ends with its connection: its exit status, negative for a signal, once it has ended. None
        where it is no such program, or does not end.
        """
        return None

    def call(self, name: str) -> Reaction | None:
        """The application's call ("close"); None where the target offers no way to make it, or not now."""
        return None

    def again(self) -> Endpoint | None:
        """A further connection of the same application, once this one is over: of a server that knows the sessions of
        this one, of a client that resumes its session. None where there is no way to have one.
        """
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
    start_by: float = math.inf
    """When whoever audits it waits no more for it to start (of time.monotonic)."""
    until: float = math.inf
    """When whoever audits it stops in the midst of a conversation (of time.monotonic)."""

    def check_time(self) -> None:
        """Raise OutOfTimeError where it is too late to go on."""
        if time.monotonic() > self.until:
            raise OutOfTimeError("the time is over")

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
    def is_single(self) -> bool:
        """Whether there is room for one of it only on this machine, so that one process has to do all of its tasks."""
        return False

    @property
    def slowest_start_s(self) -> float:
        """The longest that it took to start so far; 0 where it is there already."""
        return 0.0

    @property
    def has_factory_certificate(self) -> bool:
        """Whether it shows a certificate of the tester's own factory, so that it can be judged."""
        return True

    @property
    def trusts_factory(self) -> bool:
        """Whether it may have been told to trust the certificates of the tester's own factory."""
        return True

    @property
    def lone_leaf(self) -> str:
        """Why a certificate that it sends without its issuer's is a matter of how it is started, and what to do; ""
        where that is its own fault.
        """
        return ""

    @property
    def secrets_seen(self) -> bool:
        """Whether application data that it accepts can be seen directly."""
        return True

    @property
    def offers_calls(self) -> bool:
        """Whether its endpoints can be told what an application would (`Endpoint.call`)."""
        return not self.is_probed

    @property
    def takes_one_role(self) -> bool:
        """Whether it has one of its roles only, and which of them is the user's to say."""
        return False

    @property
    def is_probed(self) -> bool:
        """Whether it is to be found out which setups it takes part in, before they are audited."""
        return False

    @property
    def may_end_us(self) -> bool:
        """Whether code of others runs in the process that audits it, which it may end."""
        return False

    @property
    def tells_end(self) -> bool:
        """Whether what it tells its application of the end of the data can be seen."""
        return False

    @property
    def has_exit_status(self) -> bool:
        """Whether it may be a program whose exit status can be seen (`Endpoint.exit_status`)."""
        return False

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


SETUPS: tuple[Setup, ...] = (
    Setup("rsa", "rsa", "cbc"),
    Setup("ecdhe", "rsa", "gcm"),
    Setup("ecdhe", "ecdsa", "gcm"),
    Setup("dhe", "rsa", "gcm"),
    Setup("rsa", "rsa", "cbc", client_auth=True),
    Setup("ecdhe", "ecdsa", "gcm", client_auth=True),
    Setup("rsa", "rsa", "cbc", session="id"),
    Setup("rsa", "rsa", "cbc", session="id", extended_master_secret=False),
    Setup("rsa", "rsa", "cbc", session="ticket"),
    Setup("ecdhe", "rsa", "gcm256", session="ticket"),
    Setup("dhe", "rsa", "gcm", session="ticket"),
    Setup("rsa", "rsa", "cbc", renegotiation=True),
    Setup("ecdhe", "rsa", "gcm", renegotiation=True),
    Setup("rsa", "rsa", "cbc", encrypt_then_mac=True),
    Setup("rsa", "rsa", "cbc256-sha2"),
    Setup("ecdhe", "rsa", "gcm256"),
    Setup("ecdhe", "rsa", "chacha"),
)
"""What a whole stack can do: the basic setups first, in which everything is tried, then those for one mechanism each,
in which only what is new is tried.
"""

PROMISING: tuple[Setup, ...] = (
    Setup("rsa", "rsa", "cbc", promises=True),
    Setup("ecdhe", "rsa", "gcm", promises=True),
    Setup("dhe", "rsa", "gcm", promises=True),
)
"""For a client that may not come again with the ticket that it is given; for one that does, little is left here."""
