"""`shakeproof replay`: a saved finding again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.text import Text

from shakeproof.commands.audit import check_target
from shakeproof.commands.running import running
from shakeproof.config import Settings
from shakeproof.console import console, visible
from shakeproof.exits import UsageError, choose

Name = Annotated[str, typer.Argument(metavar="ID|FILE", help="As an audit prints it, or its file in a report folder.")]
On = Annotated[str, typer.Option(metavar="TARGET", help="On this target instead of the one it was found on.")]
Rogue = Annotated[str | None, typer.Option(metavar="NAME", help="Plant this fault in our implementation; '' for none.")]
Authorized = Annotated[bool, typer.Option("--i-am-authorized", help="Allow a target that is not on this machine.")]


def replay(
    context: typer.Context, name: Name, on: On = "", rogue: Rogue = None, i_am_authorized: Authorized = False
) -> None:
    """A saved finding again: FIXED, FAILED or ERROR."""
    settings = context.obj if isinstance(context.obj, Settings) else Settings()
    running(_replay)(settings, name, on, rogue, i_am_authorized)


def _replay(settings: Settings, name: str, on: str, rogue: str | None, authorized: bool) -> int:
    from shakeproof.properties.rogues import ROGUES
    from shakeproof.replaying import FAILED, FIXED, own_target
    from shakeproof.replaying import replay as run
    from shakeproof.reports.chart import chart_lines
    from shakeproof.store import Store

    saved = Store().load(name)
    target = settings.connect(on or own_target(saved))
    check_target(settings, target, authorized=authorized)
    if rogue:
        planted = ROGUES[choose("rogue", rogue, ROGUES)]
        if not planted.is_of_tls:
            raise UsageError(planted.elsewhere)
        if target != "shakeproof":
            raise UsageError(f"--rogue plants a fault in our own implementation; {visible(target)!r} can't have one")
    result = run(saved, target=target, rogue=rogue)
    out = console()
    finding = saved.finding
    out.print(f"{finding.id}  {finding.check} · {finding.role} of {visible(target)} · {visible(finding.title)}")
    if result.trace is not None and result.status != FIXED:
        for line in chart_lines(result.trace):
            out.print(f"   {line}")
    style = {FIXED: "bold green", FAILED: "bold red"}.get(result.status, "bold yellow")
    out.print(Text(result.status, style=style).append(f"   {visible(result.text)}", style="not bold"))
    return result.exit_code
