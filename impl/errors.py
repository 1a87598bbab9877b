"""Errors of the concrete implementation: a rule broken by the caller, or by the peer.

The two are never mixed: a `LocalProtocolError` is a bug in the program that drives us, a `RemoteProtocolError` is
something that came over the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shakeproof.impl.tls.alerts import AlertDescription


class ProtocolError(Exception):
    """A rule of a protocol was broken."""


class LocalProtocolError(ProtocolError):
    """The caller asked for something that the protocol does not allow now."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule; the connection is closed.

    alert: the fatal alert that answers it, None where there is none to send (a transport that ended, HTTP).
    state: the state in which it came, "" where raised by a codec that knows no connection.
    expected, got: in words. clause: the document and section that was broken.
    events: what was seen, in the same call, before the fault. details: free-form, such as a validator's outcome.
    """

    def __init__(
        self,
        alert: AlertDescription | None,
        *,
        expected: str,
        got: str,
        clause: str,
        state: str = "",
        details: object = None,
    ) -> None:
        super().__init__(alert, expected, got, clause)
        self.alert = alert
        self.expected = expected
        self.got = got
        self.clause = clause
        self.state = state
        self.details = details
        self.events: Sequence[object] = ()

    def __str__(self) -> str:
        where = f"in {self.state}: " if self.state else ""
        what = f"answer with a fatal {self.alert.label} alert and close" if self.alert is not None else "close"
        return f"{where}got {self.got}, expected {self.expected} ({self.clause}); {what}"
