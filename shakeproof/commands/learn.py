"""`shakeproof learn`: a target's own state machine, drawn as a difference from the table's."""

from __future__ import annotations

from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import typer

from shakeproof.commands.audit import check_target, roles_of
from shakeproof.commands.running import running
from shakeproof.config import Settings, seconds
from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError, choose, unknown

DEFAULT_FOLDER = "shakeproof-report"


def _option(metavar: str, help: str, *names: str) -> Any:
    return typer.Option(*names, metavar=metavar, help=help)


Target = Annotated[str, typer.Argument(metavar="TARGET", help="As for audit.")]
Role = Annotated[str, _option("SIDE", "client or server, where the target takes both.")]
SetupText = Annotated[str, _option("TEXT", "Another setup than the first, as findings name it.")]
Inputs = Annotated[
    list[str] | None, _option("INPUT", "One more input, such as Certificate[EXPIRED]; repeatable.", "--with")
]
Time = Annotated[str, _option("TIME", "Budget: 20s, 2m.")]
Seed = Annotated[int, _option("N", "As of an audit.")]
Rogue = Annotated[str, _option("NAME", "Plant this fault in our own implementation.")]
Out = Annotated[Path, _option("DIR", "Folder for the machines and the picture.", "-o", "--out")]
Authorized = Annotated[bool, typer.Option("--i-am-authorized", help="Allow targets that are not on this machine.")]


def learn(
    context: typer.Context,
    target: Target,
    role: Role = "both",
    setup: SetupText = "",
    inputs: Inputs = None,
    time: Time = "60s",
    seed: Seed = 0,
    rogue: Rogue = "",
    out: Out = Path(DEFAULT_FOLDER),
    i_am_authorized: Authorized = False,
) -> None:
    """A stack's own state machine, learned, and how it differs from the table's."""
    settings = context.obj if isinstance(context.obj, Settings) else Settings()
    running(_learn)(settings, target, role, setup, inputs or [], time, seed, rogue, out, i_am_authorized)


def _learn(
    settings: Settings, name: str, side: str, setup: str, inputs: list[str], time: str, seed: int, rogue: str,
    folder: Path, authorized: bool,
) -> int:  # fmt: skip
    from shakeproof.learned import summary_of, write
    from shakeproof.model.roles import ROLES
    from shakeproof.properties.asking import CutError
    from shakeproof.properties.conformance import Runner
    from shakeproof.properties.learning import learn as engine
    from shakeproof.properties.probe import probe
    from shakeproof.properties.rogues import ROGUES
    from shakeproof.properties.targets import find_target
    from shakeproof.properties.targets.base import TargetError

    budget_s = seconds(time)
    if rogue:
        choose("rogue", rogue, ROGUES)
    name = settings.connect(name)
    check_target(settings, name, authorized=authorized)
    out = console()
    code = Exit.OK
    try:
        target = find_target(name, rogue=rogue)
        wanted = [one for one in target.roles if not roles_of(side) or one in roles_of(side)]
        if not wanted:
            raise UsageError(f"{visible(name)} does not take the role {side!r}; it takes {', '.join(target.roles)}")
        try:
            for role_name in wanted:
                role = ROLES[role_name]
                probed = probe(target, role, seed, monotonic() + budget_s / len(wanted) / 4)
                if probed.hopeless:
                    out.print(f"{visible(name)} {role_name}: no honest handshake completed: {visible(probed.hopeless)}")
                    code = Exit.NOT_TESTED if code is Exit.OK else code
                    continue
                setups = {one.text: one for one in probed.setups}
                chosen = setups[choose("setup", setup, setups)] if setup else next(iter(setups.values()))
                symbols = {symbol.text: symbol for symbol in role.symbols}
                for text in inputs:
                    if text not in symbols:
                        raise unknown("input", text, list(symbols))
                besides = [symbols[text] for text in inputs]
                try:
                    learned = engine(Runner(target, role, chosen, seed), besides, time_s=budget_s / len(wanted))
                except CutError as error:
                    out.print(f"{visible(name)} {role_name}: nothing was learned: {visible(str(error))}")
                    code = Exit.NOT_TESTED if code is Exit.OK else code
                    continue
                for line in summary_of(learned):
                    out.print(visible(line))
                files = write(learned, folder)
                out.print(f"written to {visible(str(folder))}: {visible(', '.join(files))}")
                if learned.extra or learned.missing:
                    code = Exit.FINDINGS
        finally:
            target.close()
    except TargetError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{folder}: can't be written to ({error.strerror}); name another with -o") from error
    return code
