"""A certificate chain that was validated, in a picture: what was checked, as lines of a card."""

from __future__ import annotations

from shakeproof.impl.x509 import Result
from shakeproof.model.trace import Check, Line

TELLING = frozenset({"anchor", "validity", "name"})
"""The checks of a certificate whose text names something of it; the others only say that they passed."""


def lines_of(outcome: Result) -> tuple[Line, ...]:
    """The checks as lines: those that failed or that say something about this chain, and how many others passed."""
    shown = [check for check in outcome.checks if not check.passed or check.name in TELLING]
    lines = [Line(check.text, Check.PASSED if check.passed else Check.FAILED) for check in shown]
    others = len(outcome.checks) - len(shown)
    return (*lines, Line(f"{others} more checks", Check.PASSED)) if others else tuple(lines)
