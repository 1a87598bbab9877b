"""What happened between two whole stacks, as a trace: TCP's segments and TLS' messages in one row of steps.

A segment stands where it was sent, with when it was; one that came later than it should, or was sent again, says
after which step it arrived. A message of TLS stands where it reached its receiver.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shakeproof.impl.tcp import Flags
from shakeproof.impl.tcp.sequence import distance
from shakeproof.model.messages import ChangeCipherSpec, Record
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Lane, Phase, Step, Trace, number_steps
from shakeproof.properties.adversary import ATTACKER, SIDES, Side
from shakeproof.properties.adversary_records import Unit
from shakeproof.properties.adversary_segments import Transit, decoded, title_of
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.tap import shown
from shakeproof.properties.transport import SYNCHRONIZED

if TYPE_CHECKING:
    from shakeproof.properties.interaction_base import InteractionBase

PHASES = (
    Phase("tcp", "TCP handshake", "tcp", "RFC 9293"),
    *(replace(phase, title=phase.title) for phase in ROLES["tls12.client"].phases),
    Phase("close", "Teardown", "close", "RFC 9293"),
)
"""The bands of a trace with both layers."""


class Chronicle:
    """Writes the steps of the connection down, where the run is recorded."""

    def __init__(self, machine: InteractionBase) -> None:
        self.machine = machine
        self.steps: list[Step] = []
        self._count = 0
        self._bringing: dict[str, int] = {}
        """By socket, the step of the last packet that arrived."""
        self._told: dict[str, str] = {}
        """By side, the state of TCP that was told last."""
        self._taking: dict[str, int] = {}
        """By side, the step of a packet that is arriving there, until something is sent in answer."""
        self._initial: dict[str, int] = {}
        """By socket, its initial sequence number."""

    def begin(self) -> None:
        """A new connection: what was before is left out."""
        self.steps = []
        self._bringing, self._initial, self._taking = {}, {}, {}
        self._told = {"client": "CLOSED", "server": "LISTEN"}

    def _add(self, step: Step) -> int:
        self._count += 1
        self.steps.append(replace(step, number=self._count, time_s=self.machine.network.now_s))
        return len(self.steps) - 1

    # ------------------------------------------------------------------------------------------------------ segments

    def note_segment(self, transit: Transit) -> None:
        """A packet sets out, or the attacker makes one."""
        segment = decoded(transit.packet)
        before, after = self._changes(transit.sender)
        transit.step = self._add(
            Step(
                0,
                sender=self._lane(transit.sender),
                receiver=self._lane(transit.to),
                layer="tcp",
                message="Segment",
                title=title_of(segment) if segment is not None else "Segment",
                fate=transit.fate,
                detail=self._numbers(transit),
                data=transit.packet.data,
                phase=self._tcp_phase(),
                before=before,
                after=after,
            )
        )

    def note_arrival(self, transit: Transit) -> None:
        """A packet is about to arrive."""
        if transit.step < 0:
            self.note_segment(transit)
        self._bringing[transit.to] = self.steps[transit.step].number
        self.steps[transit.step] = replace(self.steps[transit.step], received_s=self.machine.network.now_s)
        if transit.fate is Fate.LATE or self._is_overtaken(transit):
            step = self.steps[transit.step]
            fate = Fate.LATE if transit.fate is Fate.DELIVERED else transit.fate
            after = self.steps[-1].number if transit.step < len(self.steps) - 1 else None
            self.steps[transit.step] = replace(step, fate=fate, received_after=after)
        self._taking[transit.to] = transit.step

    def note_reached(self, transit: Transit) -> None:
        """A packet has arrived, and all that follows at once is done."""
        self._taking.setdefault(transit.to, transit.step)
        self._changes(transit.to)

    def _last_of(self, name: str) -> int:
        """The last packet that the side has sent; -1 for none."""
        steps = enumerate(self.steps)
        return max((index for index, step in steps if (step.layer, step.sender) == ("tcp", name)), default=-1)

    def _changes(self, name: str) -> tuple[dict[str, str], dict[str, str]]:
        """The state of an end of TCP when it was last told, and now; nothing of the attacker's."""
        if name not in SIDES:
            return {}, {}
        now = shown(self.machine.network.sockets[name].state)
        before, self._told[name] = self._told.get(name, now), now
        if name in self._taking:
            # The packet stands where it was sent; what the side has done since then comes before its new state.
            at = max(self._taking.pop(name), self._last_of(name))
            step = self.steps[at]
            self.steps[at] = replace(step, before={name: before, **step.before}, after={**step.after, name: now})
            before = now  # what is sent in answer is sent in the new state
        return {name: before}, {name: now}

    def note_replaced(self, transit: Transit, arriving: Sequence[Transit]) -> None:
        """Something else arrives in the place of a packet: the step says what."""
        if not self.machine.record or transit in arriving or not arriving or transit.step < 0:
            return
        if len(arriving) == 1:
            arriving[0].step = transit.step
            step = self.steps[transit.step]
            self.steps[transit.step] = replace(
                step, fate=arriving[0].fate, detail=self._numbers(arriving[0]), data=arriving[0].packet.data
            )

    def note_lost(self, transit: Transit) -> None:
        """A packet never arrives."""
        if 0 <= transit.step < len(self.steps):
            self.steps[transit.step] = replace(self.steps[transit.step], fate=Fate.LOST)

    def _is_overtaken(self, transit: Transit) -> bool:
        """Whether a packet to the same receiver that set out later has arrived."""
        return any(
            step.layer == "tcp" and step.received_s is not None and step.receiver == self._lane(transit.to)
            for step in self.steps[transit.step + 1 :]
            if step.sender == self.steps[transit.step].sender
        )

    def _lane(self, name: str) -> str:
        return name if name in SIDES else ATTACKER

    def _tcp_states(self) -> dict[str, str]:
        sockets = self.machine.network.sockets
        return {name: sockets[name].state for name in SIDES if name in sockets}

    def _tcp_phase(self) -> str:
        states = list(self._tcp_states().values())
        if any(state not in SYNCHRONIZED for state in states) and not self._is_over():
            return "tcp"
        if self._is_over() or any(state != "ESTABLISHED" for state in states):
            return "close"
        return self._phase(self.machine.states())

    def _is_over(self) -> bool:
        return any(socket.was_open and socket.state == "CLOSED" for socket in self.machine.network.sockets.values())

    def _numbers(self, transit: Transit) -> str:
        """Sequence and acknowledgment number, from the initial ones on; or what was done with it."""
        if transit.verb in ("tamper", "garble", "truncate"):
            return transit.note
        segment = decoded(transit.packet)
        if segment is None:
            return ""
        sockets = self.machine.network.sockets
        sender = transit.sender if transit.sender in sockets else sockets[transit.to].peer
        if segment.flags & Flags.SYN and transit.sender != ATTACKER:
            self._initial.setdefault(sender, segment.seq)
        text = f"seq {distance(self._initial.get(sender, 0), segment.seq)}"
        if segment.flags & Flags.ACK:
            text += f", ack {distance(self._initial.get(transit.to, 0), segment.ack)}"
        return text

    # ------------------------------------------------------------------------------------------------------ messages

    @staticmethod
    def _phase(states: Mapping[str, str]) -> str:
        """Where the client stands."""
        return next((one.phase for one in ROLES["tls12.client"].states if one.name == states["client"]), "close")

    def note(
        self,
        unit: Unit,
        before: dict[str, str],
        heard: Sequence[Symbol] = (),
        *,
        receiver: str = "",
        note: str = "",
        arrives: bool = True,
    ) -> None:
        """Write a message down. heard: what it was to the receiver, where that is not what its sender said."""
        if not self.machine.record:
            return
        told: list[tuple[Symbol | None, str, str]]
        if unit.seen and unit.sender != ATTACKER:
            told = [(item.symbol, item.detail, item.protection) for item in unit.seen]
        else:
            remark = unit.note if unit.verb in ("tamper", "truncate", "fragment") else ""
            keys = Keys.HONEST if self.machine.parties[unit.to].is_protected else Keys.NONE
            told = [(one, remark, "" if one.message in (ChangeCipherSpec, Record) else keys.label) for one in heard]
            told = told or [(None, remark, "")]
        for symbol, detail, protection in told:
            defects = [
                value for one in heard if symbol is not None and one.message is symbol.message for value in one.defects
            ]
            self._add(
                Step(
                    0,
                    sender=unit.sender or ATTACKER,
                    receiver=receiver or unit.to,
                    layer="tls12",
                    message=symbol.message.name if symbol is not None else "part of a record",
                    facts=symbol.shown if symbol is not None else (),
                    defect=tuple(value.name.upper() for value in defects),
                    fate=unit.fate,
                    detail=", ".join(part for part in (detail, note) if part),
                    data=unit.data,
                    protection=protection,
                    clause=symbol.message.source if symbol is not None else "",
                    phase=self._phase(before),
                    before=before,
                    after=self.machine.states(),
                    carrier=self._bringing.get(unit.to) if arrives and not receiver else None,
                )
            )

    def note_taken(self, data: bytes, seen: tuple[Observation, ...]) -> None:
        """What the client sends to the attacker who plays the server."""
        unit = Unit(self.machine.wire.connection, "server", data, seen, "client")
        self.note(unit, self.machine.states(), receiver=ATTACKER)

    def _under_way(self) -> list[Step]:
        """What was sent and has not arrived: the last thing that an end did may be among it."""
        known = len(self.steps)
        machine = self.machine
        waiting = [unit for side in SIDES for unit in machine.wire.queues[side]]
        waiting += [share.unit for station in machine.stations.values() for share in station.shares]
        for unit in waiting:
            if unit.sender != ATTACKER:
                self.note(unit, machine.states(), note="still under way", arrives=False)
        if machine.is_spliced:
            taken = "client" if machine.wire.impersonator is not None else ""
            for relay in (one for one in machine.relays.values() if one.side != taken):
                for data, seen in relay.sent:
                    unit = Unit(
                        machine.wire.connection,
                        "server" if relay.side == "client" else "client",
                        data,
                        seen,
                        relay.side,
                    )
                    self.note(unit, machine.states(), note="still under way", arrives=False)
        added, self.steps = self.steps[known:], self.steps[:known]
        return added

    # -------------------------------------------------------------------------------------------------- the whole trace

    def _subtitle(self, side: Side) -> str:
        rogue = self.machine.rogue
        planted = rogue is not None and (f"tls12.{side}" in rogue.roles or "tcp" in rogue.roles)
        return f"ours with the rogue {rogue.name}" if rogue is not None and planted else "ours"

    def trace(self, title: str) -> Trace:
        """All of the connection."""
        machine = self.machine
        lanes = [Lane(side, side.capitalize(), self._subtitle(side), side) for side in SIDES]
        steps = [*self.steps, *self._under_way()]
        if any(ATTACKER in (one.sender, one.receiver) for one in steps):
            lanes.insert(1, Lane(ATTACKER, "Attacker", "on the network", "attacker"))
        return Trace(
            title,
            tuple(lanes),
            number_steps(steps),
            PHASES,
            machine.suite.name,
            secrets=tuple(dict.fromkeys(line for party in machine.parties.values() for line in party.ledger.key_log)),
            meta=machine.meta(),
        )
