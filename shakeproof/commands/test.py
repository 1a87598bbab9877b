"""`shakeproof test`: Hypothesis stateful tests of our implementation."""

from __future__ import annotations

from shakeproof.exits import Exit


def known_properties() -> dict[str, str]:
    """Name and sentence of every property."""
    return {}


def test() -> None:
    """(to come)"""
    raise SystemExit(Exit.USAGE)
