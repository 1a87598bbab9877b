"""The table of an audit of one role: each defect of a certificate in a handshake, the verdict on it and the alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from shakeproof.console import visible
from shakeproof.properties.defect_table import IN_PROCESS, answers
from shakeproof.properties.targets import find_target

if TYPE_CHECKING:
    from rich.console import Console


def has_table(names: list[str], roles: tuple[str, ...]) -> bool:
    """Whether the table is told: of one role of one stack in process, where it costs no connection and no screen."""
    return len(names) == 1 and names[0] in IN_PROCESS and len(roles) == 1 and roles[0].startswith("tls12.")


def print_defects(out: Console, name: str, role: str, seed: int) -> None:
    """What the stack made of each defect. What the standards leave to the role is told as that, and is no finding."""
    found = [(each.defect, each.sentence) for each in answers(find_target(name), role, seed)]
    width = max((len(defect) for defect, _ in found), default=0)
    out.print(Text(f"what {visible(name)} {role} makes of each defect of a certificate", style="bold"))
    for defect, sentence in found:
        out.print(f"  {defect:<{width}}  {visible(sentence)}", markup=False, highlight=False)
