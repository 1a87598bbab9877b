"""How a finding is seen again: a command that works as it is printed."""

from __future__ import annotations

import shlex

from shakeproof.properties.findings import Finding
from shakeproof.properties.named import named_target

STARTED = ("exec:", "python:")
"""How the name of a target begins that is code of somebody's: no file of data decides that it is run."""


def again(finding: Finding) -> str:
    """The command that replays the finding, as a shell takes it.

    It names the target where the finding's file must not, and says again that its user may, where the target is
    elsewhere.
    """
    words = ["shakeproof", "replay", finding.id]
    if finding.target.startswith(STARTED):
        words += ["--on", finding.target]
    elif _is_elsewhere(finding.target):
        words += ["--i-am-authorized"]
    return shlex.join(words)


def _is_elsewhere(target: str) -> bool:
    """Whether the target is on another machine: an address, or a name of the user's file that stands for one."""
    from shakeproof.properties.targets import find_target
    from shakeproof.properties.targets.base import TargetError

    if ":" not in target and named_target(target) is None:
        return False
    try:
        return not find_target(target).is_local
    except TargetError:  # it is not there any more: replay says so
        return False
