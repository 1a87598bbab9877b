"""What can be audited, by the name that a user gives."""

from __future__ import annotations

import re

from shakeproof.properties.named import NamedTarget, named_target
from shakeproof.properties.targets.base import Target, TargetError

NAMES = {
    "shakeproof": "our own implementation, in process",
    "openssl": "the OpenSSL that this Python is linked with, in process",
    "HOST:PORT": "a server that listens there",
    "exec:COMMAND": "a server or a client that we start, with {host} {port} {cert} {key} {ca} {name} filled in",
    "python:MODULE:FACTORY": "a stack of your own that does no I/O, in process",
}
"""Names on the command line, with what they stand for."""

ADDRESS_HINT = "An address is written HOST:PORT, with a port from 1 to 65535"
_ADDRESS = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s\[\]]+)):(\d{1,5})")


class UnknownTargetError(TargetError):
    """There is no such target."""


def names_known() -> list[str]:
    """All names that can be given, but those of the user's file."""
    from shakeproof.properties.targets.bundled import PROGRAMS

    return [*NAMES, *PROGRAMS]


def find_target(name: str, *, rogue: str = "") -> Target:
    """The target of that name. rogue: plant a fault (our own implementation only). Raises TargetError."""
    named = named_target(name)
    if rogue and name != "shakeproof":
        raise TargetError(f"a rogue is a fault planted in our own implementation; {name} can't have one")
    if named is not None:
        return _of_file(named)
    if name == "shakeproof":
        from shakeproof.properties.targets.ours import OurTarget

        return OurTarget(rogue)
    if name == "openssl":
        from shakeproof.properties.targets.openssl import OpenSslTarget

        return OpenSslTarget()
    if name.startswith("exec:"):
        from shakeproof.properties.targets.command import command_target

        return command_target(name)
    if name.startswith("python:"):
        from shakeproof.properties.targets.inprocess import python_target

        return python_target(name)
    found = _bundled(name) or _at_address(name)
    if found is not None:
        return found
    text = f"{name!r} is no target; targets are {', '.join(names_known())}"
    raise UnknownTargetError(f"{text}. {ADDRESS_HINT}" if _is_like_address(name) else text)


def _is_like_address(name: str) -> bool:
    return ":" in name or name == "localhost" or bool(re.fullmatch(r"[^\s/]+\.[^\s/.]+", name))


def _bundled(name: str) -> Target | None:
    from shakeproof.properties.targets.bundled import PROGRAMS

    if name not in PROGRAMS:
        return None
    from shakeproof.properties.targets.process import ProcessTarget

    program = PROGRAMS[name]
    if program.missing:
        missing = " and ".join(need.removeprefix("python:") for need in program.missing)
        raise TargetError(
            f"{name} is not installed ({program.title}): {missing} is missing. To have it: {program.install}"
        )
    return ProcessTarget(program, loops=program.loops)


def _at_address(name: str) -> Target | None:
    address = _ADDRESS.fullmatch(name)
    if not address or not 0 < int(address[3]) < 65536:
        return None
    from shakeproof.properties.targets.network import SocketTarget

    return SocketTarget(address[1] or address[2], int(address[3]))


def _of_file(named: NamedTarget) -> Target:
    """What an entry of the user's file stands for, under its own name."""
    if named.start or named.connect.startswith("exec:"):
        from shakeproof.properties.targets.command import PREFIX, command_target

        at = _ADDRESS.fullmatch(named.connect)
        return command_target(
            PREFIX + named.start if named.start else named.connect,
            name=named.name,
            roles=named.roles_in_full,
            ready=named.ready,
            port=int(at[3]) if at else 0,
        )
    if named.connect == named.name:
        raise TargetError(f"the settings say that {named.name} is {named.connect}; name another target there")
    target = find_target(named.connect)
    target.name = named.name
    if named.roles:
        target.roles = tuple(role for role in target.roles if role in named.roles_in_full)
    return target
