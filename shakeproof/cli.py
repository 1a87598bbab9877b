"""The command line: `shakeproof COMMAND`. Each command is a module of `shakeproof.commands`."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from shakeproof import __version__
from shakeproof.commands import (
    audit,
    check,
    doctor,
    draw,
    explain,
    fetch,
    learn,
    listing,
    replay,
    rogues,
    serve,
    test,
    verify,
)
from shakeproof.commands.parsing import StrictCommand
from shakeproof.commands.running import BROKEN_PIPE, close_stdout, code_of
from shakeproof.config import Settings, load
from shakeproof.exits import Exit

EXIT_CODES = (
    "Exit codes: 0 tested and conforming · 1 findings · 2 usage or configuration · 3 not tested · "
    "4 an error of ours · 130 interrupted"
)

COLLECT_EVERY = 50_000
"""New objects between two looks of the garbage collector."""

app = typer.Typer(
    name="shakeproof",
    help="One state-machine model of HTTPS that tests, audits and draws protocol stacks.",
    epilog=EXIT_CODES,
    no_args_is_help=False,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)

app.command("audit", cls=StrictCommand)(audit.audit)
app.command("test", cls=StrictCommand)(test.run_tests)
app.command("check", cls=StrictCommand)(check.check)
app.command("learn", cls=StrictCommand)(learn.learn)
app.command("draw", cls=StrictCommand)(draw.draw)
app.command("replay", cls=StrictCommand)(replay.replay)
app.command("serve", cls=StrictCommand)(serve.serve)
app.command("fetch", cls=StrictCommand)(fetch.fetch)
app.command("list", cls=StrictCommand)(listing.list_names)
app.command("explain", cls=StrictCommand)(explain.explain)
app.command("rogues", cls=StrictCommand)(rogues.rogues)
app.command("verify", cls=StrictCommand)(verify.verify)
app.command("doctor", cls=StrictCommand)(doctor.doctor)

FILE_OPTIONS: dict[str, dict[str, str]] = {
    "audit": {
        "role": "role",
        "time": "time",
        "seed": "seed",
        "suite": "suite",
        "report": "report",
        "format": "formats",
        "fail-on": "fail_on",
        "jobs": "jobs",
    },
    "test": {"profile": "profile", "seed": "seed"},
}
"""For each command: a key of the configuration file, and the parameter that it is the default of."""


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"shakeproof {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """One state-machine model of HTTPS that tests, audits and draws protocol stacks."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(Exit.USAGE)
    code = code_of(lambda: _configure(context))
    if code:
        raise typer.Exit(code)


def _configure(context: typer.Context) -> int:
    settings = load(Path.cwd())
    context.obj = settings
    context.default_map = {command: _defaults(settings, names) for command, names in FILE_OPTIONS.items()}
    return Exit.OK


def _defaults(settings: Settings, names: dict[str, str]) -> dict[str, str]:
    return {parameter: settings.options[key] for key, parameter in names.items() if key in settings.options}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code."""
    if arguments is None:  # a process of our own
        # Tables are many small objects that stay; to look through them at every 700 more was a sixth of `draw`.
        gc.set_threshold(COLLECT_EVERY)
    # A variable that is set but empty counts as not set: NO_COLOR's own rule, and what `VAR= command` means.
    if os.environ.get("NO_COLOR") == "":
        del os.environ["NO_COLOR"]
    # `>&-`: Python has no stream at all then, and whoever closed it wants to see nothing.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115  as long as the process lasts
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    stdout = sys.stdout
    try:
        app(args=None if arguments is None else list(arguments), prog_name="shakeproof")
    except SystemExit as end:
        if sys.stdout is not stdout:
            # Whoever read our output went away: typer has put something silent in its place, and says 1, "findings".
            sys.stdout = stdout
            close_stdout()
            return BROKEN_PIPE
        return end.code if isinstance(end.code, int) else Exit.OK if end.code is None else Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.OK
