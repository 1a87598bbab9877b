"""How our server answers each stack's client."""

from __future__ import annotations

from tests.interop.curl import PostEcho
from tests.interop.ours import Speaker


def speaker_for(name: str) -> Speaker:
    """HTTP for curl, an echo for all others."""
    return PostEcho if name == "curl" else lambda: bytes
