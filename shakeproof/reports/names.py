"""What a target is called where room is short: a command by its program, anything else as the user gave it.

The whole command stands once in the header of a run, and in its JSON.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from shakeproof.console import visible

COMMAND = "exec:"
LENGTH_MOST = 40
"""Characters of a short name: it stands before the counts on a terminal of 100 columns."""
STEM_MOST = 60
"""Characters of a target in a file's name."""


def short_name(target: str) -> str:
    """A command as its program and what it is told to be, without folders; any other name as it is."""
    if not target.startswith(COMMAND):
        return visible(target)
    try:
        words = shlex.split(target.removeprefix(COMMAND))
    except ValueError:
        words = []
    if not words:
        return visible(target)
    shown = [Path(words[0]).name]
    # "openssl s_server", "python3 server.py": what comes first is the part of it that runs.
    if len(words) > 1 and re.fullmatch(r"[^-{}][^{}]*", words[1]) and "\n" not in words[1]:
        shown.append(Path(words[1]).name)
    text = COMMAND + " ".join(shown)
    if len(text) > LENGTH_MOST:
        text = text[: LENGTH_MOST - 1]
    return visible(text) + ("…" if len(words) > len(shown) or len(text) == LENGTH_MOST - 1 else "")


def short_names(targets: Iterable[str]) -> dict[str, str]:
    """The short name of each target, no two alike: the second of two is numbered."""
    names: dict[str, str] = {}
    for target in dict.fromkeys(targets):
        first = short_name(target)
        number, name = 1, first
        while name in names.values():
            number += 1
            name = f"{first} #{number}"
        names[target] = name
    return names


def named(names: Mapping[str, str], target: str) -> str:
    """The target's name of these, or its short one."""
    return names.get(target) or short_name(target)


def shortened(text: str, names: Mapping[str, str]) -> str:
    """`text` made harmless, with the short names of the targets that it speaks of."""
    for target in sorted(names, key=len, reverse=True):
        if target.startswith(COMMAND):
            text = text.replace(target, names[target])
    return visible(text)


def file_name(text: str) -> str:
    """`text` as part of a file's name, on any system."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.") or "unnamed"


def target_stem(target: str) -> str:
    """A target as part of a file's name: a command is told from others of the same program by a digest."""
    whole = file_name(target)
    if not target.startswith(COMMAND) and len(whole) <= STEM_MOST:
        return whole
    digest = hashlib.sha256(target.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{file_name(short_name(target))[:STEM_MOST]}-{digest}"
