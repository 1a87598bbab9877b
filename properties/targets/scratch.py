"""The one folder in which an audit's processes keep what programs find on disk, so that nothing of it stays behind.

A worker may end without a word, and then it removes nothing: so its parent makes the folder and removes it, and where
nobody is left to do so, the warden of `running` does.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from shakeproof.properties.targets.running import watch_folder

PREFIX = "shakeproof-"

_base: Path | None = None
_owner = 0


def make_folder() -> Path:
    """A fresh folder, in the one of this process tree."""
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=_shared()))


def _shared() -> Path:
    """The folder of this process tree; made where there is none."""
    global _base, _owner
    if _base is None or not _base.is_dir():
        _base, _owner = Path(tempfile.mkdtemp(prefix=PREFIX)), os.getpid()
        watch_folder(_base)
    return _base


def adopt_folder(base: Path) -> None:
    """Use the folder of the parent, which removes it: for all that this process keeps for a while."""
    global _base, _owner
    _base, _owner = base, 0
    tempfile.tempdir = str(base)


def remove_folder(folder: Path) -> None:
    """Remove one of the folders, and that of the process tree where nothing else is in it."""
    global _base
    shutil.rmtree(folder, ignore_errors=True)
    if _base is not None and _owner == os.getpid():
        with contextlib.suppress(OSError):
            _base.rmdir()
            _base = None


def _remove_all() -> None:
    if _base is not None and _owner == os.getpid():
        shutil.rmtree(_base, ignore_errors=True)


atexit.register(_remove_all)
