"""What a connection reports to its user."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """Anything that a connection reports."""


@dataclass(frozen=True)
class Connected(Event):
    """The handshake is complete."""


@dataclass(frozen=True)
class DataReceived(Event):
    """Data can be read. ready: bytes, in all; pushed: the segment carried PSH."""

    ready: int
    pushed: bool = False


@dataclass(frozen=True)
class UrgentReceived(Event):
    """The peer's urgent pointer is ahead of what was read, or moved on (MUST-32). remaining: bytes up to it."""

    remaining: int


@dataclass(frozen=True)
class PeerClosed(Event):
    """The peer sends no more: the normal end of its stream (MUST-12)."""


@dataclass(frozen=True)
class Closed(Event):
    """The connection ended in good order; from TIME-WAIT after 2 MSL."""


@dataclass(frozen=True)
class ResetReceived(Event):
    """The peer, or whoever passed for it, aborted the connection (MUST-12)."""


@dataclass(frozen=True)
class Refused(Event):
    """A reset answered our SYN."""


@dataclass(frozen=True)
class DeliveryProblem(Event):
    """R1 was reached: the same segment was sent often, and is still not acknowledged (SHLD-9)."""

    retransmissions: int


@dataclass(frozen=True)
class TimedOut(Event):
    """The connection was given up. reason: R2, "user timeout" or "keep-alive"."""

    reason: str


@dataclass(frozen=True)
class SoftError(Event):
    """An ICMP error that may pass (SHLD-25): what it said."""

    what: str


@dataclass(frozen=True)
class HardError(Event):
    """An ICMP error that ended the connection (SHLD-26): what it said."""

    what: str
