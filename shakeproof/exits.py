"""How a command ends: exit codes, and the two errors that are the user's to mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from enum import IntEnum


class Exit(IntEnum):
    """Exit codes."""

    OK = 0
    FINDINGS = 1
    USAGE = 2
    NOT_TESTED = 3
    OURS = 4
    INTERRUPTED = 130


PRECEDENCE = (Exit.INTERRUPTED, Exit.OURS, Exit.USAGE, Exit.FINDINGS, Exit.NOT_TESTED, Exit.OK)
"""Which code wins where several apply."""

SUGGESTIONS = 3
LISTED_MOST = 30
"""More candidates than this don't help on one screen. All cipher suites and all rogues are fewer."""


def worst(codes: Iterable[int]) -> Exit:
    """The code that wins; OK where there is none."""
    given = {Exit(code) for code in codes}
    return next((code for code in PRECEDENCE if code in given), Exit.OK)


class UsageError(Exception):
    """What was asked for can't be done: says what came, what was expected and what to do. Ends with exit code 2."""

    code = Exit.USAGE


class MissingExtraError(UsageError):
    """Something that is not installed is needed: says how to install it."""


def unknown(kind: str, given: str, known: Iterable[str], *, hint: str = "") -> UsageError:
    """The error for a name that does not exist, with the names that look like it, or all of them.

    kind: "target", "figure" ...; hint: what else could be given.
    """
    names = list(dict.fromkeys(known))
    folded = {name.lower(): name for name in names}
    near = difflib.get_close_matches(given.lower(), list(folded), n=SUGGESTIONS, cutoff=0.5)
    near += [low for low in folded if low not in near and given and (given.lower() in low)][: SUGGESTIONS - len(near)]
    text = f"there is no {kind} {given!r}."
    if near:
        text += f" Did you mean {' or '.join(repr(folded[name]) for name in near)}?"
    if names:
        shown = ", ".join(names[:LISTED_MOST])
        more = f" and {len(names) - LISTED_MOST} more" if len(names) > LISTED_MOST else ""
        text += f" There {'is' if len(names) == 1 else 'are'}: {shown}{more}."
    return UsageError(f"{text} {hint}".rstrip())


def choose(kind: str, given: str, known: Iterable[str], *, hint: str = "") -> str:
    """`given`, where it is known; raises UsageError with suggestions where not."""
    names = list(known)
    if given not in names:
        raise unknown(kind, given, names, hint=hint)
    return given
