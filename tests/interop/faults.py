"""The list of faults that a scripted client commits; each is a function with one deliberate flaw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.interop.scripted import RSA_CBC, Script


@dataclass(frozen=True)
class Fault:
    """run: does everything up to and including the flaw. alert: the fatal one that has to follow. clause: why.

    private: under a name for which client certificates are required. renegotiates: with a server that allows it.
    """

    run: Callable[[Script], None]
    alert: str
    clause: str
    suite: int
    private: bool
    renegotiates: bool

    @property
    def name(self) -> str:
        """For the list of tests."""
        return self.run.__name__


FAULTS: list[Fault] = []


def fault(
    alert: str, clause: str, *, suite: int = RSA_CBC, private: bool = False, renegotiates: bool = False
) -> Callable[[Callable[[Script], None]], Callable[[Script], None]]:
    """Puts a function into the list; see Fault."""

    def add(run: Callable[[Script], None]) -> Callable[[Script], None]:
        FAULTS.append(Fault(run, alert, clause, suite, private, renegotiates))
        return run

    return add
