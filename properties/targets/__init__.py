"""What can be audited, by the name that a user gives."""

from __future__ import annotations

import re

from shakeproof.properties.targets.base import Target, TargetError

NAMES = {
    "shakeproof": "our own implementation, in process",
    "openssl": "the OpenSSL that this Python is linked with, in process",
    "HOST:PORT": "a server that listens there",
}
"""Names on the command line, with what they stand for."""


def find_target(name: str, *, rogue: str = "") -> Target:
    """The target of that name. rogue: plant a fault (our own implementation only). Raises TargetError."""
    if rogue and name != "shakeproof":
        raise TargetError(f"a rogue is a fault planted in our own implementation; {name} can't have one")
    if name == "shakeproof":
        from shakeproof.properties.targets.ours import OurTarget

        return OurTarget(rogue)
    if name == "openssl":
        from shakeproof.properties.targets.openssl import OpenSslTarget

        return OpenSslTarget()
    address = re.fullmatch(r"(?:\[([0-9a-fA-F:.]+)\]|([^:\s\[\]]+)):(\d{1,5})", name)
    if address and 0 < int(address[3]) < 65536:
        from shakeproof.properties.targets.network import SocketTarget

        return SocketTarget(address[1] or address[2], int(address[3]))
    known = ", ".join(NAMES)
    raise TargetError(f"{name!r} is no target; targets are {known}")
