"""What the tests of the TCP machine share: a machine with a fault planted, and one led into a configuration."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

from shakeproof.impl.tcp import TcpConnection
from shakeproof.properties.rogues import Rogue
from shakeproof.properties.tcp_machine import TcpMachine

Plant = Callable[[TcpConnection], None]


def machine(setup: str = "active", plant: Plant | None = None, *, record: bool = False) -> TcpMachine:
    """A machine in that setup; plant: the fault of each connection."""
    made = TcpMachine(record=record)
    if plant is not None:
        made.rogue = cast(Rogue, SimpleNamespace(tcp=plant, host=None))
    made.configure(setup=setup)
    return made


def replacing(**methods: Callable[..., Any]) -> Plant:
    """A fault: methods of the connection that are others. Each gets the connection and the sound method first."""

    def plant(connection: TcpConnection) -> None:
        for name, method in methods.items():
            sound = getattr(connection, name)
            setattr(connection, name, lambda *given, m=method, s=sound, **named: m(connection, s, *given, **named))

    return plant
