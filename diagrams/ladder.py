"""A trace as plain text, for terminals: lanes as columns, one line for each step."""

from __future__ import annotations

from shakeproof.model.trace import Trace


def ladder(trace: Trace) -> str:
    return "\n".join(trace.sentences())
