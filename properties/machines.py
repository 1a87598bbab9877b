"""Every Hypothesis machine of ours with what it checks, and the profiles that say how much is tried."""

from __future__ import annotations

from dataclasses import dataclass

from shakeproof.properties.chain_machine import ChainMachine
from shakeproof.properties.endpoint_machine import ClientMachine, ServerMachine
from shakeproof.properties.interaction import InteractionMachine
from shakeproof.properties.recorded import RecordedMachine
from shakeproof.properties.rogues import Rogue
from shakeproof.properties.safety import (
    AGREEMENT,
    CHAIN_AGREED,
    CHAIN_BUDGET,
    CHAIN_CLOCK,
    CHAIN_DAMAGE,
    CHAIN_JUDGED,
    CHAIN_UNMOVED,
    CLEAN_FAILURE,
    CLIENT_FOLLOWS_TABLE,
    COMPLETION,
    DATA_INTACT,
    NOTHING_IN_THE_CLEAR,
    OFF_PATH_HARMLESS,
    SERVER_AUTHENTICATED,
    SERVER_FOLLOWS_TABLE,
    TCP_FOLLOWS_TABLE,
)
from shakeproof.properties.tcp_machine import TcpMachine


@dataclass(frozen=True)
class Machine:
    """A machine. properties: those that it checks; roles: the roles that it tests; weight: its share of examples;
    plants: how a rogue has to be planted to concern it, by the name of a field, if that is not any way.
    """

    name: str
    kind: type[RecordedMachine]
    properties: tuple[str, ...]
    roles: tuple[str, ...]
    weight: float
    plants: str = ""

    def concerns(self, rogue: Rogue) -> bool:
        """Whether it can come upon the rogue."""
        if self.plants:
            return getattr(rogue, self.plants) is not None
        return bool(set(self.roles) & set(rogue.roles))


_LISTED = (
    Machine(
        "chain",
        ChainMachine,
        (CHAIN_JUDGED, CHAIN_UNMOVED, CHAIN_CLOCK, CHAIN_DAMAGE, CHAIN_BUDGET, CHAIN_AGREED, CLEAN_FAILURE),
        (),
        0.5,
        plants="validator",
    ),
    Machine("client", ClientMachine, (CLIENT_FOLLOWS_TABLE, DATA_INTACT, CLEAN_FAILURE), ("tls12.client",), 1.0),
    Machine("server", ServerMachine, (SERVER_FOLLOWS_TABLE, DATA_INTACT, CLEAN_FAILURE), ("tls12.server",), 0.8),
    Machine("tcp", TcpMachine, (TCP_FOLLOWS_TABLE, DATA_INTACT, CLEAN_FAILURE), ("tcp",), 0.7),
    Machine(
        "interaction",
        InteractionMachine,
        (
            SERVER_AUTHENTICATED,
            DATA_INTACT,
            NOTHING_IN_THE_CLEAR,
            AGREEMENT,
            COMPLETION,
            CLEAN_FAILURE,
            CLIENT_FOLLOWS_TABLE,
            SERVER_FOLLOWS_TABLE,
            TCP_FOLLOWS_TABLE,
            OFF_PATH_HARMLESS,
        ),
        ("tls12.client", "tls12.server", "tcp"),
        0.6,
    ),
)
MACHINES: dict[str, Machine] = {machine.name: machine for machine in _LISTED}
"""The machines by name, in the order in which they run."""


@dataclass(frozen=True)
class Profile:
    """How much is tried. examples: runs of a machine of weight 1; steps: rules of one run; whole: whatever of a suite
    no run came to is tried in the end.
    """

    name: str
    sentence: str
    examples: int
    steps: int
    derandomized: bool = False
    whole: bool = True


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("dev", "a few seconds, other runs each time", 60, 12, whole=False),
        Profile("ci", "about two minutes on two cores, the same runs each time", 720, 14, derandomized=True),
        Profile("deep", "as long as a coffee break, other runs each time", 12_000, 25),
    )
}
"""The profiles by name."""
