"""What a scripted peer is about to send: a handshake message, and what an honest sender remembers of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from shakeproof.properties.mapper.context import Context


def _nothing(context: Context) -> None:
    """Most messages leave nothing to remember."""


@dataclass(frozen=True)
class Draft:
    """A handshake message to send. sent: what an honest sender remembers, called once it is in the transcript."""

    handshake_type: int
    body: bytes
    detail: str = ""
    sent: Callable[[Context], None] = field(default=_nothing)

    def encode(self) -> bytes:
        """Type, length, body."""
        return bytes((self.handshake_type,)) + len(self.body).to_bytes(3, "big") + self.body
