"""How a stack's command-line program is started, and what it finds on disk."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from shakeproof.properties.targets.base import PROMISING, SETUPS, Setup

VERSION_S = 10.0
"""A program prints its version at once; a virtual machine takes a second to start."""


@dataclass(frozen=True)
class Files:
    """What a program finds on disk.

    cert, key: PEM chain (leaf first) and PKCS #8 key of its own identity; ca: PEM trust anchors of the tester's
    certificate factory; dh: PEM parameters (ffdhe2048); folder: scratch, of this process alone; name: the server's DNS
    name.
    """

    cert: Path
    key: Path
    ca: Path
    dh: Path
    folder: Path
    name: str


@dataclass(frozen=True)
class Program:
    """How a stack's command-line program is started, as a server or as a client.

    needs: executables (or "python:MODULE") that must be there; install: one line, how to get them; version: argv whose
    output's first line with a number is the version; server, client: argv for files, port on 127.0.0.1 and setup;
    loops: the client connects once more for each line "go" on its standard input; server_setups, client_setups: what
    can be worth trying, of which the probe finds out what works; prepare: done once before a process is started (a
    database, a keystore); typed: what a client finds on its standard input, which does not end.
    """

    name: str
    title: str
    needs: tuple[str, ...]
    install: str
    version: tuple[str, ...]
    server: Callable[[Files, int, Setup], list[str]] | None = None
    client: Callable[[Files, int, Setup], list[str]] | None = None
    loops: bool = False
    server_setups: tuple[Setup, ...] = SETUPS
    client_setups: tuple[Setup, ...] = (*SETUPS, *PROMISING)
    prepare: Callable[[Files, Setup], None] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    typed: Callable[[Files], bytes] | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """What it needs and this machine does not have."""
        return tuple(need for need in self.needs if not is_installed(need))

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that it can take."""
        sides = (("tls12.client", self.client), ("tls12.server", self.server))
        return tuple(role for role, start in sides if start is not None)


REQUEST = "GET / HTTP/1.1\r\nHost: {}\r\n\r\n"


def request(files: Files) -> bytes:
    """What a client asks that sends what it reads from standard input."""
    return REQUEST.format(files.name).encode()


def is_installed(need: str) -> bool:
    """Whether an executable, or "python:MODULE", is there."""
    if need.startswith("python:"):
        try:
            return importlib.util.find_spec(need.removeprefix("python:")) is not None
        except (ImportError, ValueError):
            return False
    return shutil.which(need) is not None


def version_of(program: Program) -> str:
    """The first line with a number of what the program says of its version; "" where it says none."""
    if not program.version or shutil.which(program.version[0]) is None:
        return ""
    try:
        done = subprocess.run(  # noqa: S603  # a program that the user wants audited
            program.version,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = (done.stdout + "\n" + done.stderr).splitlines()
    return next((line.strip() for line in lines if re.search(r"\d", line)), "")
