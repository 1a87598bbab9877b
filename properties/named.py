"""Targets that a user's file gives names. A process that works on one is told what its name stands for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NamedTarget:
    """An entry of `[tool.shakeproof.targets]`.

    connect: any target as on the command line, or HOST:PORT where `start` listens; start: a command, as after exec:;
    ready: what it says once it is ready, beside that it listens; roles: "server", "client", for a command that does not
    show it; suites: of words that it takes part in, empty for all.
    """

    name: str
    connect: str = ""
    start: str = ""
    ready: str = ""
    roles: tuple[str, ...] = ()
    suites: tuple[str, ...] = ()

    @property
    def roles_in_full(self) -> tuple[str, ...]:
        """The roles as tables name them."""
        return tuple(role if "." in role else f"tls12.{role}" for role in self.roles)


_named: dict[str, NamedTarget] = {}


def name_target(target: NamedTarget) -> None:
    """From now on, in this process, its name stands for it."""
    _named[target.name] = target


def named_target(name: str) -> NamedTarget | None:
    """What a name stands for; None for one that no file gave."""
    return _named.get(name)
