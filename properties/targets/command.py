"""`exec:COMMAND`: a program of the user's, started as the command says."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from shakeproof.properties.targets.base import SETUPS, Setup, TargetError
from shakeproof.properties.targets.process import CHAIN, HOST, ProcessTarget
from shakeproof.properties.targets.program import Files, Program

PREFIX = "exec:"
PLACEHOLDERS = {
    "host": "where to listen, or to connect: 127.0.0.1",
    "port": "the port there, another one each time",
    "cert": "PEM file with the program's own certificate chain, the leaf first",
    "chain": "PEM file with that chain but the leaf, for programs that want it apart",
    "key": "PEM file with its private key (PKCS #8)",
    "ca": "PEM file with the trust anchors that the other side's certificate leads to",
    "name": "the server's name: what its certificate is for",
    "dh": "PEM file with DH parameters (ffdhe2048)",
}
"""What a command may say in braces."""
TITLE_LENGTH = 60
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]*)\}")
_UNCLOSED = re.compile(rf"\{{(?:{'|'.join(PLACEHOLDERS)})(?![A-Za-z_}}])")


def command_target(
    text: str, *, name: str = "", roles: tuple[str, ...] = (), ready: str = "", port: int = 0
) -> ProcessTarget:
    """The target that "exec:COMMAND" starts.

    roles: where the command does not show it; ready: what it says when it is; port: where a server listens that does
    not let us choose.

    A command that uses {cert} or {key} without {ca} is a server; one that uses {ca} without {cert} and {key} a client;
    of any other, the roles have to be given. Raises TargetError.
    """
    command = text.removeprefix(PREFIX)
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise TargetError(f"{text!r} can't be split into words ({error}); quote it as a shell would") from error
    if not words:
        raise TargetError(f"{text!r} names no command; write exec:COMMAND")
    used = set(_PLACEHOLDER.findall(command))
    if unknown := sorted(used - set(PLACEHOLDERS)):
        known = " ".join(f"{{{known}}}" for known in PLACEHOLDERS)
        raise TargetError(f"{text!r}: there is no {{{unknown[0]}}}; a command may use {known}")
    if unclosed := _UNCLOSED.search(command):
        raise TargetError(f"{text!r}: the brace of {unclosed[0]} is not closed; write {unclosed[0]}}}")
    if "port" not in used and not port:
        raise TargetError(f"{text!r} does not use {{port}}: it has to listen, or to connect, where we say")
    if shutil.which(words[0]) is None:
        raise TargetError(f"{text!r}: there is no program {words[0]!r} here")
    target = CommandTarget(_program(words, roles or roles_of(used)), name=name or text, ready=ready, port=port)
    target.place, target.used = Path.cwd(), frozenset(used)
    return target


def roles_of(used: set[str]) -> tuple[str, ...]:
    """The role of a command that uses these placeholders; both where they do not tell."""
    own = bool(used & {"cert", "chain", "key"})
    if own and "ca" not in used:
        return ("tls12.server",)
    if "ca" in used and not own:
        return ("tls12.client",)
    return ("tls12.client", "tls12.server")


class CommandTarget(ProcessTarget):
    """A command. It has one role: which of two, its user says where its words do not."""

    used: frozenset[str] = frozenset()
    """Which of `PLACEHOLDERS` it says."""

    @property
    def takes_one_role(self) -> bool:
        return True

    @property
    def has_factory_certificate(self) -> bool:
        return "cert" in self.used

    @property
    def lone_leaf(self) -> str:
        if "chain" in self.used:
            return ""
        return (
            "it sends its certificate without the intermediate one that {cert} has behind it, so that nobody can "
            "verify it; give the command the file {chain} too, or the option by which it takes a whole chain"
        )


def _program(words: list[str], roles: tuple[str, ...]) -> Program:
    start = _starter(words)
    return Program(
        name=words[0],
        title=_title(words),
        needs=(words[0],),
        install="",
        version=(),
        server=start if "tls12.server" in roles else None,
        client=start if "tls12.client" in roles else None,
        server_setups=SETUPS,
        client_setups=SETUPS,
    )


def _title(words: list[str]) -> str:
    """The command, short: its program without the folder, and as much of the rest as has room."""
    text = " ".join((Path(words[0]).name, *words[1:]))
    return text if len(text) <= TITLE_LENGTH else f"{text[: TITLE_LENGTH - 1]}…"


def _starter(words: list[str]) -> Callable[[Files, int, Setup], list[str]]:
    def start(files: Files, port: int, _: Setup) -> list[str]:
        values = {
            "host": HOST,
            "port": str(port),
            "cert": str(files.cert),
            "chain": str(files.folder / CHAIN),
            "key": str(files.key),
            "ca": str(files.ca),
            "name": files.name,
            "dh": str(files.dh),
        }
        return [_PLACEHOLDER.sub(lambda found: values[found[1]], word) for word in words]

    return start
