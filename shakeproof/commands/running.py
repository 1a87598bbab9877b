"""Running a command: errors become one line and an exit code; never a traceback for bad input."""

from __future__ import annotations

import errno
import functools
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import typer

from shakeproof.console import console, visible
from shakeproof.exits import Exit, UsageError

P = ParamSpec("P")

BROKEN_PIPE = 141
"""What a shell reports for a program that SIGPIPE ended: the reader of our output went away."""


def say_error(text: str) -> None:
    """One message on standard error."""
    console(stderr=True).print(f"shakeproof: {text}", style="red")


def warn(text: str) -> None:
    """One warning on standard error: nothing is wrong, but it may not be meant."""
    console(stderr=True).print(f"shakeproof: warning: {visible(text)}", style="yellow")


def running(command: Callable[P, int]) -> Callable[P, None]:
    """The command with its result as the exit code of the process."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        raise typer.Exit(int(code_of(lambda: command(*args, **kwargs))))

    return run


def code_of(command: Callable[[], int]) -> int:
    """Run `command`; its exit code, or that of the error that ended it."""
    try:
        code = command()
        sys.stdout.flush()
        return code
    except typer.Exit as stop:
        return stop.exit_code
    except UsageError as error:
        say_error(visible_lines(str(error)))
        return Exit.USAGE
    except KeyboardInterrupt:
        say_error("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        close_stdout()
        return BROKEN_PIPE
    except OSError as error:
        if error.errno != errno.ENOSPC:
            return report_bug(error)
        close_stdout()
        say_error(f"{visible(str(error.filename or 'standard output'))}: can't be written to ({error.strerror})")
        return Exit.USAGE
    except Exception as error:  # noqa: BLE001  the last line of defence: an error of ours, saved and reported
        return report_bug(error)


def visible_lines(text: str) -> str:
    """`text` made harmless, its line breaks kept."""
    return "\n".join(visible(line) for line in text.split("\n"))


def report_bug(error: Exception) -> int:
    """Save the traceback, say where it is; exit code 4."""
    trace = "".join(traceback.format_exception(error))
    said = f"{type(error).__name__}: {visible(str(error))}"
    where = _save_traceback(trace)
    say_error(f"an error of ours, please report it: {said}\n  traceback: {where}")
    return Exit.OURS


def _save_traceback(trace: str) -> str:
    from shakeproof import __version__

    head = f"shakeproof {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
    head += f"command: {' '.join(sys.argv)}\n\n"
    try:
        handle, name = tempfile.mkstemp(prefix="shakeproof-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(head + trace)
    except OSError as error:
        return f"could not be saved ({error}):\n{trace}"
    return str(Path(name))


def close_stdout() -> None:
    """Whoever read our output went away: the rest goes nowhere."""
    # Python flushes standard output once more at exit, which would complain again.
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, sys.stdout.fileno())
