"""The whole stack on both sides, and the attacker between: what carries the interaction's rules.

Each end is HTTP over TLS over TCP, all ours. Where the attacker stands is chosen with each run. `spliced`: it ends
TCP on both sides, as a transparent proxy does, and holds the records in its hands. `on path`: the two ends speak
TCP with each other, and it sees and handles their packets. `off path`: it sees nothing, knows between which sockets
they speak, and can only send; the network has mishaps of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shakeproof.impl.tcp import Endpoint, Event, TcpConfig
from shakeproof.impl.tls.suites import SUITES_BY_NAME, CipherSuite
from shakeproof.model.messages import Certificate, expired
from shakeproof.model.trace import Trace
from shakeproof.properties import adversary_segments as segments
from shakeproof.properties.adversary import ATTACKER, RECORD, SEGMENT, SIDES, VERBS, Knowledge, Level, Side, other
from shakeproof.properties.adversary_records import Unit, Wire
from shakeproof.properties.adversary_segments import Transit
from shakeproof.properties.endpoint_words import SUITE_NAMES, setup_of
from shakeproof.properties.interaction_ends import AS_SERVER, FACING, Relay, Station
from shakeproof.properties.interaction_trace import Chronicle
from shakeproof.properties.party import Application, Party, Turn
from shakeproof.properties.recorded import RecordedMachine, Tally
from shakeproof.properties.safety import (
    CLEAN_FAILURE,
    COMPLETION,
    DATA_INTACT,
    OFF_PATH_HARMLESS,
    Crashed,
    Incomplete,
    NotIntact,
    PropertyViolation,
    Swayed,
    check_agreement,
    check_authenticated,
    check_completion,
    check_intact,
    check_nothing_in_the_clear,
    violation_of,
)
from shakeproof.properties.tcp_watch import TcpWatch
from shakeproof.properties.transport import STEPS_LIMIT, Network

SPLICED, ON_PATH, OFF_PATH = "spliced", "on path", "off path"
PATHS: dict[str, str] = {
    SPLICED: "the attacker ends TCP on both sides, and handles records",
    ON_PATH: "the attacker sees and handles the packets",
    OFF_PATH: "the attacker knows the sockets, sees nothing, and can only send",
}
"""Where the attacker stands, with what that means."""

CLIENT_SOCKET = Endpoint("192.0.2.1", 50_000)
"""The same port for each connection: so old duplicates are duplicates of this one (RFC 9293 section 3.4.2)."""
SERVER_SOCKET = Endpoint("192.0.2.2", 443)
SMALL_PAGE = 16

LOSSES_LIMIT = 5
"""Segments lost or held back in one connection that TCP must survive: six of the same take it to 63 seconds, and R2,
after which it gives up, is 100 seconds at least (RFC 9293 section 3.8.3)."""

HELD_LIMIT_S = 30.0
"""Seconds for which everything may be held back in one connection, likewise."""

READINGS = frozenset({"rfc5961", "rfc7323"})
"""Both ends protect themselves against blind attackers, and offer timestamps."""

OVER = frozenset({"CLOSED", "TIME_WAIT", "LISTEN"})
"""States of TCP in which nothing is left to do but to wait."""

FIRST = "first"
"""To whichever side something is under way; the client first."""


class InteractionBase(RecordedMachine):
    """Both stacks, the attacker, and what is judged after each step."""

    summary = "our client and our server, HTTP over TLS over TCP, with an attacker between them"

    def __init__(
        self,
        rogue: str = "",
        *,
        tally: Tally | None = None,
        watched: frozenset[str] = frozenset(),
        record: bool = False,
    ) -> None:
        super().__init__(rogue, tally=tally, watched=watched, record=record)
        self.path = SPLICED
        self.suite: CipherSuite = SUITES_BY_NAME[SUITE_NAMES[0]]
        self.setup = setup_of(self.suite)
        self.application = Application(self.suite, self.setup, None)
        self.wire = Wire()
        self.wire.connection = 0
        self.network = Network(self.object_to)
        self.knowledge = Knowledge()
        self.parties: dict[Side, Party] = {}
        self.stations: dict[Side, Station] = {}
        self.relays: dict[Side, Relay] = {}
        self.forget()
        self.chronicle = Chronicle(self)
        if record:
            self.network.noted = self.chronicle.note_segment
            self.network.arriving = self.chronicle.note_arrival
            self.network.arrived = self.chronicle.note_reached

    def forget(self) -> None:
        """What was done in this connection: attacked: more than TCP and TLS must repair; guessed: somebody off the path
        sent something; closing: an application closed.
        """
        self.attacked = self.guessed = self.closing = self.is_checked = False
        self.losses, self.held_s = 0, 0.0

    # ------------------------------------------------------------------------------------------------ the connection

    @property
    def client(self) -> Party:
        """The client's end."""
        return self.parties["client"]

    @property
    def server(self) -> Party:
        """The server's end."""
        return self.parties["server"]

    @property
    def is_open(self) -> bool:
        return bool(self.parties) and all(party.is_open for party in self.parties.values())

    @property
    def is_spliced(self) -> bool:
        """Whether the attacker ends TCP on both sides."""
        return self.path == SPLICED

    def begin_run(self, suite: str, manner: str, path: str) -> None:
        """Settle what the connections of the run have in common, and open the first."""
        self.suite = SUITES_BY_NAME[suite]
        self.setup = setup_of(self.suite, manner)
        self.application = Application(self.suite, self.setup, self.rogue)
        self.path = path
        self.knowledge.learn(numbers=path != OFF_PATH, place=path != OFF_PATH)
        self.connect()

    def ready(self) -> None:
        """Open a fresh connection where the last is over: one end is closed, and nothing is under way."""
        if not self.is_open:
            self.settle_records()
        if not self.is_open and not self.receivers() and self.network.flight.first() is None:
            self.connect()

    def connect(self) -> None:
        """A fresh connection, after the last is checked."""
        self.check_end()
        self.teardown()
        self.wire.connect()
        if self.wire.connection > 1:
            self.remark("on a new connection")
        self.forget()
        self.chronicle.begin()
        seed = b"connection %d" % self.wire.connection
        self.parties = {side: Party(side, self.application, self.rogue, seed) for side in SIDES}
        self._make_sockets()
        for side in SIDES:
            station = Station(self, self.parties[side], self.network.sockets[side])
            self.stations[side] = self.network.sockets[side].user = station
        self.network.sockets["server"].listen()
        self.network.sockets["client"].open()

    def _make_sockets(self) -> None:
        add, rogue = self.network.add, self.rogue
        far: dict[Side, str] = FACING if self.is_spliced else {"client": "server", "server": "client"}
        ends = {"client": (CLIENT_SOCKET, SERVER_SOCKET), "server": (SERVER_SOCKET, CLIENT_SOCKET)}
        for side in SIDES:
            socket = add(side, far[side], *ends[side], TcpConfig(secret=side.encode()), rogue)
            socket.watch = TcpWatch(side, *ends[side], readings=READINGS, listening=side == "server")
        self.relays = {}
        for side in SIDES if self.is_spliced else ():
            socket = add(FACING[side], side, *ends[other(side)], TcpConfig(secret=b"attacker", nagle=False))
            self.relays[side] = socket.user = Relay(self, side, socket)
        if self.is_spliced:
            self.network.sockets[AS_SERVER].listen()

    def teardown(self) -> None:
        for party in self.parties.values():
            self.exercise(party.oracle.exercised.elements())
            party.dispose()
        for socket in self.network.sockets.values():
            if socket.watch is not None:
                self.exercise(socket.watch.oracle.exercised.elements())
                socket.watch.dispose()
        self.network.begin()

    # -------------------------------------------------------------------------------------------- what an end does

    def take_piece(self, unit: Unit, *, is_last: bool) -> None:
        """A unit, or a piece of it, reaches its receiver."""
        receiver = self.parties[unit.to]
        if not receiver.is_open:
            return
        self.meet()
        altered = unit.verb == "tamper" and unit.sender != ATTACKER
        if unit.verb != "deliver" and (unit.seen or unit.verb != "fragment") and is_last:
            self.reach(VERBS[unit.verb].deeds[RECORD].kind)
        if (altered and not receiver.is_protected) or (self.network.sockets[unit.to].spoilt and not self.is_spliced):
            receiver.is_judged = False
        before = self.states()
        known = len(receiver.ledger.heard)
        turn = receiver.receive(unit.data)
        heard = receiver.ledger.heard[known:]
        if any(s.message is Certificate and s.has(expired) for s in heard):
            self.reach("expired certificate")
        if is_last or heard:
            self.chronicle.note(unit, before, heard)
        self.after(unit.to, turn)

    def end(self, side: Side) -> None:
        """The transport ends at a side."""
        turn, unnoticed = self.parties[side].end()
        self.after(side, turn)
        self.stations[side].socket.close()
        if unnoticed:
            self.object_to(
                NotIntact(
                    f"the transport ended without close_notify, and the {side} took that for an orderly end; "
                    "expected an error, since data may have been cut off",
                    property=DATA_INTACT,
                    clause="RFC 5246 section 7.2.1",
                )
            )

    def after(self, side: Side, turn: Turn) -> None:
        """Send what the end has to say, and check everything."""
        party, socket = self.parties[side], self.stations[side].socket
        for data, seen in turn.records:
            if self.is_spliced:
                if self.wire.impersonator is not None and side == "client":
                    self.chronicle.note_taken(data, seen)
                self.relays[side].sent.append((data, seen))
            else:
                unit = self.wire.see(side, data, seen, learns=self.knowledge.numbers)
                self.stations[other(side)].expect(unit)
        self.check_turn(side, turn)
        if turn.records:
            socket.write(b"".join(data for data, _ in turn.records))
        if not party.is_open:
            socket.close()

    def check_turn(self, side: Side, turn: Turn) -> None:
        """The safety properties over both ledgers, and what the table says."""
        party = self.parties[side]
        if turn.crashed:
            self.object_to(
                Crashed(
                    f"the {side} raised {turn.crashed}; expected nothing but RemoteProtocolError",
                    property=CLEAN_FAILURE,
                    clause="RFC 5246 section 7.2.2",
                )
            )
        try:
            if side == "client":
                check_authenticated(party.ledger, turn.said)
            check_nothing_in_the_clear(party.ledger, turn.said)
            if self.wire.impersonator is None:
                for one in SIDES:
                    check_intact(self.parties[one].ledger, self.parties[other(one)].ledger)
            check_agreement(self.client.ledger, self.server.ledger)
        except PropertyViolation as violation:
            self.object_to(violation)
        if turn.problem is not None:
            self.object_to(violation_of(turn.problem, party.role.name))

    # ------------------------------------------------------------------------------------------------- what moves

    def receivers(self) -> list[Side]:
        """The open sides to which a record is under way."""
        return [side for side in self.wire.waiting if self.parties[side].is_open] if self.parties else []

    def settle_records(self) -> None:
        """Where records are in the attacker's hands: let all that are beneath them come up."""
        if self.is_spliced:
            self.settle()

    def settle(self) -> None:
        """Let the packets of each half of a spliced connection through, and what timers have to send."""
        for _ in range(STEPS_LIMIT):
            transit = self.network.await_packet(patiently=True)
            if transit is not None:
                self.network.flight.under_way.remove(transit)
                self.network.arrive(transit)
                continue
            if not self._hand_on_ends():
                return
        self._never_quiet()

    def _hand_on_ends(self) -> bool:
        """Whether the attacker, at the end of one half, had the other to end."""
        moved = False
        for side, relay in self.relays.items():
            far = self.relays[other(side)].socket
            if relay.has_ended and not self.wire.queues[other(side)] and not far.wants_to_close:
                far.close()
                moved = True
        return moved

    def advance(self) -> bool:
        """One packet arrives, or, where none is under way, the next record sets out; whether anything did."""
        transit = self.network.await_packet(patiently=False)
        if transit is None and self.is_spliced and self.receivers():
            self.hand_over([self.wire.queues[self.receivers()[0]].pop(0)], settle=False)
            return True
        if transit is None:
            transit = self.network.await_packet(patiently=True)
        if transit is None:
            return self.is_spliced and self._hand_on_ends()
        self.network.flight.under_way.remove(transit)
        self.land([transit])
        return True

    def pass_packet(self, to: str) -> bool:
        """One packet arrives, to one side or to any; whether there was one."""
        if to == FIRST:
            return self.advance()
        waiting = [one for one in self.network.flight.under_way if one.to == to]
        if not waiting:
            return False
        transit = min(waiting, key=lambda one: (one.arrives_s, one.number))
        self.network.flight.under_way.remove(transit)
        self.land([transit])
        return True

    def run_out(self) -> None:
        """Everything goes through until nothing moves."""
        for _ in range(STEPS_LIMIT):
            if not self.advance():
                return
        self._never_quiet()

    def _never_quiet(self) -> None:
        self.object_to(
            Incomplete(
                f"after {STEPS_LIMIT} packets something still moves; expected an end",
                property=COMPLETION,
                clause="RFC 9293 section 3.5.2",
            )
        )

    def land(self, transits: Sequence[Transit]) -> None:
        """Packets arrive now, in order."""
        for transit in transits:
            if transit.to in self.parties:
                self.meet()
                if transit.verb != "deliver":
                    self.reach(VERBS[transit.verb].deeds[SEGMENT].kind)
            self.network.arrive(transit)

    def hand_over(self, units: Sequence[Unit], *, settle: bool = True) -> None:
        """What the verb lets through sets out for its receiver, and arrives."""
        for unit in units:
            socket = self.relays[unit.to].socket
            if not self.parties[unit.to].is_open or socket.wants_to_close:
                continue
            self.stations[unit.to].expect(unit)
            socket.write(unit.data)
            if unit.ends:
                socket.close()
            if settle:
                self.settle()

    # ------------------------------------------------------------------------------------------------- what was done

    def do(self, name: str, level: Level) -> None:
        """Account for a verb."""
        self.attacked = self.attacked or VERBS[name].deeds[level].attacks

    def insert(self, units: Sequence[Unit]) -> None:
        """A record of the attacker's own, in a segment that fits the stream."""
        for unit in units:
            socket = self.network.sockets[unit.to]
            connection = socket.connection
            if connection is None or not socket.is_synchronized:
                return
            segment = segments.fitting(connection, unit.data)
            transits = segments.forge(self.network.flight, unit.to, segment, (socket.remote.ip, socket.local.ip))
            self.do("forge", SEGMENT)
            socket.spoilt = True
            self.remark(unit.note)
            self.land(transits)

    def starve(self, losses: int = 0, held_s: float = 0.0) -> None:
        """Account for what never arrives, or late: beyond some limit it is an attack."""
        self.losses += losses
        self.held_s += held_s
        if self.losses > LOSSES_LIMIT or self.held_s > HELD_LIMIT_S:
            self.attacked = True

    def said(self, side: Side, turn: Turn) -> None:
        """What an application's call has led to."""
        self.after(side, turn)
        self.settle_records()

    def shut(self, side: Side) -> None:
        """An application closes, where anything is open."""
        self.closing = self.closing or self.parties[side].tls.is_connected
        self.said(side, self.parties[side].close())

    def check_closed(self) -> None:
        """Where nobody attacked and an application closed, TCP is closed at both ends."""
        states = {side: self.network.sockets[side].state for side in SIDES}
        if not self.attacked and self.closing and any(state not in OVER for state in states.values()):
            self.object_to(
                Incomplete(
                    f"nobody attacked, both sides have closed, and TCP is in {states['client']} at the client and in "
                    f"{states['server']} at the server; expected it to close",
                    property=COMPLETION,
                    clause="RFC 9293 section 3.6",
                )
            )

    def note_premature_end(self, side: Side, event: Event) -> None:
        """TCP broke off."""
        if self.guessed and not self.attacked and not self.closing:
            self.object_to(
                Swayed(
                    f"{event} at the {side} after segments of somebody who does not see the connection; expected it to "
                    "go on",
                    property=OFF_PATH_HARMLESS,
                    clause="RFC 5961 section 1",
                )
            )

    def check_end(self) -> None:
        """Where nobody attacked, what was asked for has come."""
        if not self.parties or self.attacked or self.closing or self.is_checked:
            return
        self.is_checked = True
        try:
            check_completion(self.client.ledger, self.server.ledger)
            if self.client.responses != self.client.requests:
                raise Incomplete(
                    f"nobody attacked, and the client has {self.client.responses} responses to {self.client.requests} "
                    "requests; expected one to each",
                    property=COMPLETION,
                    clause="RFC 9112 section 9.3",
                )
        except PropertyViolation as violation:
            if self.guessed:
                violation = Swayed(
                    f"after segments of somebody who does not see the connection: {violation.text}",
                    property=OFF_PATH_HARMLESS,
                    clause="RFC 5961 section 1",
                )
            self.object_to(violation)

    # ------------------------------------------------------------------------------------------------------ the trace

    def states(self) -> dict[str, str]:
        """Where each end of TLS stands."""
        return {side: party.tls.state for side, party in self.parties.items()}

    def trace(self, title: str) -> Trace:
        return self.chronicle.trace(title)

    def meta(self) -> Mapping[str, Any]:
        """What the trace is about."""
        return {
            "suite": self.suite.name,
            "path": self.path,
            "rogue": self.rogue.name if self.rogue is not None else "",
            "addresses": {"client": CLIENT_SOCKET.ip, "server": SERVER_SOCKET.ip},
        }
