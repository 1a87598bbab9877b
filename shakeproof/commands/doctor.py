"""`shakeproof doctor`: what is installed, what is missing, what it costs to be without."""

from __future__ import annotations

from rich.text import Text

from shakeproof.commands.running import running
from shakeproof.console import console
from shakeproof.exits import Exit


def doctor() -> None:
    """What is installed, and what a missing tool costs."""
    running(_doctor)()


def _doctor() -> int:
    from shakeproof.doctor import examine

    out = console()
    items = examine()
    width = max(len(item.name) for item in items)
    for item in items:
        if item.is_there:
            out.print(Text("✓ ", style="green").append(f"{item.name:<{width}}  {item.found}", style="default"))
            continue
        mark = Text("✗ " if item.required else "– ", style="red" if item.required else "yellow")
        out.print(mark.append(f"{item.name:<{width}}  missing: {item.cost}. To have it: {item.how}", style="default"))
    lost = [item for item in items if item.required and not item.is_there]
    out.print(f"{len(lost)} required things are missing" if lost else "everything that is required is there")
    return Exit.USAGE if lost else Exit.OK
