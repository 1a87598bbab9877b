"""Who uses the sockets of the interaction: the honest stacks above TCP, and the attacker who ends it on both sides."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from shakeproof.impl.tcp import Event
from shakeproof.model.trace import Fate
from shakeproof.properties.adversary import Side
from shakeproof.properties.adversary_records import Unit
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.party import Party
from shakeproof.properties.transport import PREMATURE, Socket

if TYPE_CHECKING:
    from shakeproof.properties.interaction_base import InteractionBase

AS_SERVER, AS_CLIENT = "attacker as server", "attacker as client"
FACING: dict[Side, str] = {"client": AS_SERVER, "server": AS_CLIENT}
"""The attacker's sockets, by the side that each faces."""


@dataclass
class Share:
    """A part of the stream that reaches an end: what it belongs to, and what is left of it to come."""

    unit: Unit
    left: int


class Station:
    """An honest end's stack above TCP: it cuts what comes into what was sent, so that each is judged by itself."""

    def __init__(self, machine: InteractionBase, party: Party, socket: Socket) -> None:
        self.machine, self.party, self.socket = machine, party, socket
        self.shares: deque[Share] = deque()

    def expect(self, unit: Unit) -> None:
        """This comes next in the stream."""
        if unit.data:
            self.shares.append(Share(unit, len(unit.data)))

    def connected(self) -> None:
        """Begin TLS."""
        if self.party.side == "client":
            self.machine.after("client", self.party.start())

    def received(self, data: bytes) -> None:
        """Bytes of the stream, piece by piece of what they belong to."""
        at = 0
        while at < len(data):
            share = self.shares[0] if self.shares else Share(Unit(0, self.party.side, b"", verb="forge"), len(data))
            piece = data[at : at + share.left]
            begins = len(share.unit.data) - share.left
            share.left -= len(piece)
            if self.shares and not share.left:
                self.shares.popleft()
            at += len(piece)
            unit = share.unit
            if unit.data[begins : begins + len(piece)] != piece:
                unit = replace(unit, seen=(), verb="tamper", fate=Fate.TAMPERED, note=f"altered {unit.name}")
            self.machine.take_piece(replace(unit, data=piece), is_last=not share.left)

    def ended(self, event: Event) -> None:
        """The transport is over."""
        if isinstance(event, PREMATURE):
            self.machine.note_premature_end(self.party.side, event)
        self.machine.end(self.party.side)


class Relay:
    """The attacker's user of the socket that faces one side: it hands records to the wire."""

    def __init__(self, machine: InteractionBase, side: Side, socket: Socket) -> None:
        self.machine, self.side, self.socket = machine, side, socket
        self.sent: deque[tuple[bytes, tuple[Observation, ...]]] = deque()
        self.buffer = bytearray()
        self.has_ended = False

    def connected(self) -> None:
        """Whom it faces is there: go on to the other."""
        if self.side == "client":
            self.machine.network.sockets[AS_CLIENT].open()

    def received(self, data: bytes) -> None:
        """Whole records go on to the wire."""
        self.buffer += data
        while self.sent and len(self.buffer) >= len(self.sent[0][0]):
            record, seen = self.sent.popleft()
            del self.buffer[: len(record)]
            self.machine.wire.put(self.side, record, seen)

    def ended(self, event: Event) -> None:
        """What it faces is gone."""
        self.has_ended = True
