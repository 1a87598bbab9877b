"""Drivers that are compiled once, into the user's cache; and how a tool is run that prepares something."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from shakeproof.properties.targets.base import TargetError

DRIVERS = Path(__file__).with_name("drivers")
COMPILE_S = 120.0
"""Go compiles its own standard library the first time; that takes half a minute on a slow machine."""
TOOL_S = 20.0
"""A tool that fills a database takes a tenth of a second."""


def _cache() -> Path:
    """Where compiled drivers are kept between runs."""
    root = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(root) / "shakeproof" / "drivers"


def built(source: str, compiler: str, argv: Callable[[Path, Path], list[str]]) -> Path:
    """The folder with what the compiler makes of a driver, compiled if it is not in the cache yet.

    argv: for the source and the folder to write to. Raises TargetError where the compiler fails.
    """
    program = shutil.which(compiler)
    if program is None:
        raise TargetError(f"{source}: there is no {compiler} to compile it with")
    found = Path(program).resolve()
    state = found.stat()
    identity = f"{found} {state.st_mtime_ns} {state.st_size} ".encode() + (DRIVERS / source).read_bytes()
    folder = _cache() / f"{compiler}-{hashlib.sha256(identity).hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside it and then renamed: several workers may compile at once, and none may see half of it.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        made.mkdir()
        run_tool([program, *argv(DRIVERS / source, made)[1:]], Path(scratch), COMPILE_S)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():
                raise
    return folder


def run_tool(argv: list[str], folder: Path, limit_s: float = TOOL_S) -> None:
    """Run a tool to its end. Raises TargetError where it fails, or takes longer."""
    try:
        done = subprocess.run(  # noqa: S603 argv of ours
            argv,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"{argv[0]} did not finish within {limit_s:g} s") from error
    except OSError as error:
        raise TargetError(f"{argv[0]}: {error.strerror or error}") from error
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())[-300:]
        raise TargetError(f"{argv[0]} failed with {done.returncode}: {said or 'it said nothing'}")
