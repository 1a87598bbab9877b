"""Our client and our server with the attacker between them, under Hypothesis: HTTP over TLS over a pipe in memory.

Each rule is one verb of the attacker, or something that an application does. After each step the table of each end
judges what reached it and what it answered, and the safety properties are checked over the ledgers of both. A
connection that is over is followed by a fresh one at the next step; the attacker remembers the records of all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from shakeproof.impl.tls.suites import SUITES_BY_NAME, CipherSuite
from shakeproof.model.messages import Certificate, ChangeCipherSpec, Record, expired
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Lane, Step, Trace, number_steps
from shakeproof.properties import adversary
from shakeproof.properties.adversary import ATTACKER, FORGERIES, SIDES, VERBS, Side, Unit, Wire
from shakeproof.properties.endpoint_base import SUITE_NAMES, manners, setup_of
from shakeproof.properties.endpoint_machine import CHAIN_DEFECTS, SMALLEST
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.party import Application, Party, Turn
from shakeproof.properties.recorded import RecordedMachine, Tally, beginning, step
from shakeproof.properties.safety import (
    CLEAN_FAILURE,
    COMPLETION,
    DATA_INTACT,
    Crashed,
    Incomplete,
    NotIntact,
    PropertyViolation,
    check_agreement,
    check_authenticated,
    check_completion,
    check_intact,
    check_nothing_in_the_clear,
    violation_of,
)

LONGEST = 16
"""Records of a whole exchange, both ways: a handshake has nine, a page and its request two, and the closure two."""

ROUNDS_LIMIT = 200
"""Records let through until nothing moves: an exchange of the largest page has about thirty."""

PAGES = (0, 1, 300, 20_000)
"""Sizes of pages: none, one byte, one record, more than one record."""

SMALL_PAGE = 16

AFTER = st.integers(0, 11)
"""Records that are let through before a verb acts: so each by itself reaches every place of the exchange."""

FIRST = "first"
"""To whichever side something is under way; the client first."""


class InteractionMachine(RecordedMachine):
    """Our client, our server, and the attacker."""

    summary = "our client and our server, with an attacker between them"

    def __init__(
        self,
        rogue: str = "",
        *,
        tally: Tally | None = None,
        watched: frozenset[str] = frozenset(),
        record: bool = False,
    ) -> None:
        super().__init__(rogue, tally=tally, watched=watched, record=record)
        self.suite: CipherSuite = SUITES_BY_NAME[SUITE_NAMES[0]]
        self.setup = setup_of(self.suite)
        self.application = Application(self.suite, self.setup, None)
        self.wire = Wire()
        self.wire.connection = 0
        self.parties: dict[Side, Party] = {}
        self.attacked = False
        self.steps: list[Step] = []

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

    def ready(self) -> None:
        """Open a fresh connection where the last is over: one end is closed, and nothing is under way."""
        if not self.is_open and not self.receivers():
            self._connect()

    def _connect(self) -> None:
        for party in self.parties.values():
            party.dispose()
        self.wire.connect()
        if self.wire.connection > 1:
            self.remark("on a new connection")
        seed = b"connection %d" % self.wire.connection
        self.parties = {side: Party(side, self.application, self.rogue, seed) for side in SIDES}
        self.attacked = False
        self.steps = []
        self._after("client", self.client.start())

    def _attack(self, name: str) -> None:
        self.attacked = self.attacked or VERBS[name].attacks

    def hand_over(self, units: Sequence[Unit]) -> None:
        """What the verb lets through reaches its receiver."""
        for unit in units:
            receiver = self.parties[unit.to]
            if not receiver.is_open:
                continue
            self.meet()
            if unit.verb != "deliver" and (unit.seen or unit.verb != "fragment"):
                self.reach(VERBS[unit.verb].kind)
            if unit.verb == "tamper" and not receiver.is_protected:
                receiver.is_judged = False
            before = self._states()
            known = len(receiver.ledger.heard)
            turn = receiver.receive(unit.data)
            if any(s.message is Certificate and s.has(expired) for s in receiver.ledger.heard[known:]):
                self.reach("expired certificate")
            self._note(unit, before, receiver.ledger.heard[known:])
            self._after(unit.to, turn)
            if unit.ends:
                self._end(unit.to)

    def _end(self, side: Side) -> None:
        turn, unnoticed = self.parties[side].end()
        self._after(side, turn)
        if unnoticed:
            self.object_to(
                NotIntact(
                    f"the transport ended without close_notify, and the {side} took that for an orderly end; "
                    "expected an error, since data may have been cut off",
                    property=DATA_INTACT,
                    clause="RFC 5246 section 7.2.1",
                )
            )

    def _after(self, side: Side, turn: Turn) -> None:
        """Put what the end sent on the wire, and check everything."""
        party = self.parties[side]
        for data, seen in turn.records:
            if self.wire.impersonator is not None and side == "client":
                self._note_taken(data, seen)
            self.wire.put(side, data, seen)
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
                    check_intact(self.parties[one].ledger, self.parties[adversary.other(one)].ledger)
            check_agreement(self.client.ledger, self.server.ledger)
        except PropertyViolation as violation:
            self.object_to(violation)
        if turn.problem is not None:
            self.object_to(violation_of(turn.problem, party.role.name))

    def teardown(self) -> None:
        for party in self.parties.values():
            party.dispose()

    # ------------------------------------------------------------------------------------------------------ the trace

    def _states(self) -> dict[str, str]:
        return {side: party.tls.state for side, party in self.parties.items()}

    @staticmethod
    def _phase(states: Mapping[str, str]) -> str:
        """The band of a picture: where the client stands."""
        return next((one.phase for one in ROLES["tls12.client"].states if one.name == states["client"]), "closed")

    def _note(
        self, unit: Unit, before: dict[str, str], heard: Sequence[Symbol] = (), *, receiver: str = "", note: str = ""
    ) -> None:
        """Write a step down. heard: what it was to the receiver, where that is not what its sender said."""
        if not self.record:
            return
        shown: list[tuple[Symbol | None, str, str]]
        if unit.seen and unit.sender != ATTACKER:
            shown = [(item.symbol, item.detail, item.protection) for item in unit.seen]
        else:
            remark = unit.note if unit.verb in ("tamper", "truncate", "fragment") else ""
            keys = Keys.HONEST if self.parties[unit.to].is_protected else Keys.NONE
            shown = [(one, remark, "" if one.message in (ChangeCipherSpec, Record) else keys.label) for one in heard]
            shown = shown or [(None, remark, "")]
        for symbol, detail, protection in shown:
            defects = [
                value for one in heard if symbol is not None and one.message is symbol.message for value in one.defects
            ]
            self.steps.append(
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
                    phase=self._phase(before),
                    before=before,
                    after=self._states(),
                )
            )

    def _note_taken(self, data: bytes, seen: tuple[Observation, ...]) -> None:
        """What the client sends to the attacker who plays the server."""
        unit = Unit(self.wire.connection, "server", data, seen, "client")
        self._note(unit, self._states(), receiver=ATTACKER)

    def _under_way(self) -> list[Step]:
        """What was sent and has not arrived: the last thing that an end did may be among it."""
        known = len(self.steps)
        for side in SIDES:
            for unit in self.wire.queues[side]:
                if unit.sender != ATTACKER:
                    self._note(unit, self._states(), note="still under way")
        added, self.steps = self.steps[known:], self.steps[:known]
        return added

    def _subtitle(self, side: Side) -> str:
        planted = self.rogue is not None and f"tls12.{side}" in self.rogue.roles
        return f"ours with the rogue {self.rogue.name}" if self.rogue is not None and planted else "ours"

    def trace(self, title: str) -> Trace:
        lanes = [Lane(side, side.capitalize(), self._subtitle(side), side) for side in SIDES]
        steps = [*self.steps, *self._under_way()]
        if any(ATTACKER in (one.sender, one.receiver) for one in steps):
            lanes.insert(1, Lane(ATTACKER, "Attacker", "on the network", "attacker"))
        return Trace(
            title,
            tuple(lanes),
            number_steps(steps),
            ROLES["tls12.client"].phases,
            self.suite.name,
            secrets=tuple(dict.fromkeys(line for party in self.parties.values() for line in party.ledger.key_log)),
            meta={"suite": self.suite.name, "rogue": self.rogue.name if self.rogue is not None else ""},
        )

    # ------------------------------------------------------------------------------------------- what can be acted on

    def receivers(self) -> list[Side]:
        """The open sides to which something is under way."""
        return [side for side in self.wire.waiting if self.parties[side].is_open] if self.parties else []

    def _after_some(self, count: int) -> Side | None:
        """Let some records through; the side to which something is under way then, None where nothing is.

        On an idle connection the client asks for a page, so that there is something to act on.
        """
        self.ready()
        self._let_through(FIRST, count)
        if not self.receivers() and self.is_open and self.client.tls.is_connected:
            self._after("client", self.client.request(SMALL_PAGE))
        return next(iter(self.receivers()), None)

    def _let_through(self, to: str, count: int) -> None:
        for _ in range(count):
            sides = [side for side in self.receivers() if to in (FIRST, side)]
            if not sides:
                return
            self.hand_over(adversary.deliver(self.wire, sides[0]))

    # --------------------------------------------------------------------------------------------------------- rules

    @beginning(suite=st.sampled_from(SUITE_NAMES), manner=manners)
    def configure(self, *, suite: str, manner: str = "plain") -> None:
        """The cipher suite that the client offers, and what else there is; a connection is opened."""
        self.suite = SUITES_BY_NAME[suite]
        self.setup = setup_of(self.suite, manner)
        self.application = Application(self.suite, self.setup, self.rogue)
        self._connect()

    @step(to=st.sampled_from((FIRST, *SIDES)), count=st.integers(1, LONGEST))
    def deliver(self, *, to: str, count: int) -> None:
        """Let records through, to one side or to both."""
        self.ready()
        self._let_through(to, count)

    @step(after=AFTER, piece=SMALLEST)
    def fragment(self, *, after: int, piece: int) -> None:
        """Hand a record over in pieces."""
        to = self._after_some(after)
        if to is not None:
            self.remark(self.wire.queues[to][0].name)
            self.hand_over(adversary.fragment(self.wire, to, piece))

    @step(after=AFTER, unit=st.integers(0, 3))
    def drop(self, *, after: int, unit: int) -> None:
        """Lose a record. unit: which of those under way (modulo their number)."""
        to = self._after_some(after)
        if to is not None:
            self._attack("drop")
            lost = unit % len(self.wire.queues[to])
            self.remark(self.wire.queues[to][lost].name)
            self._note(replace(self.wire.queues[to][lost], fate=Fate.LOST), self._states())
            adversary.drop(self.wire, to, lost)

    @step(after=AFTER)
    def duplicate(self, *, after: int) -> None:
        """Deliver a record twice."""
        to = self._after_some(after)
        if to is not None:
            self._attack("duplicate")
            self.remark(self.wire.queues[to][0].name)
            self.hand_over(adversary.duplicate(self.wire, to))

    @step(after=AFTER, unit=st.integers(1, 4))
    def reorder(self, *, after: int, unit: int) -> None:
        """Let a record overtake those before it. unit: which of those under way (modulo their number)."""
        to = self._after_some(after)
        while to is not None and len(self.wire.queues[to]) < 2:
            self._let_through(FIRST, 1)
            to = next(iter(self.receivers()), None)
        if to is not None:
            self._attack("reorder")
            late = 1 + (unit - 1) % (len(self.wire.queues[to]) - 1)
            self.remark(self.wire.queues[to][late].name)
            self.hand_over(adversary.reorder(self.wire, to, late))

    @precondition(lambda self: self.wire.history)
    @step(
        after=AFTER,
        to=st.sampled_from(SIDES),
        record=st.runner().flatmap(lambda machine: st.integers(0, len(machine.wire.history) - 1)),
    )
    def replay(self, *, after: int, to: Side, record: int) -> None:
        """Send a record of this or an earlier connection again. record: which, from the first of all."""
        self.ready()
        self._let_through(FIRST, after)
        self._attack("replay")
        self.remark(self.wire.history[record].name)
        self.hand_over(adversary.replay(self.wire, to, record))

    @step(after=AFTER, which=st.sampled_from([(side, message.name) for side in SIDES for message in FORGERIES[side]]))
    def forge(self, *, after: int, which: tuple[Side, str]) -> None:
        """Make a message without the key it needs."""
        self.ready()
        self._let_through(FIRST, after)
        self._attack("forge")
        self.hand_over(adversary.forge(self.wire, *which))

    @step(after=AFTER, place=st.integers(0, 511), bit=st.integers(0, 7))
    def tamper(self, *, after: int, place: int, bit: int) -> None:
        """Flip a bit of a record."""
        to = self._after_some(after)
        if to is not None:
            self._attack("tamper")
            units = adversary.tamper(self.wire, to, place, bit)
            self.remark(units[0].note)
            self.hand_over(units)

    @step(after=AFTER, to=st.sampled_from(SIDES), keep=st.integers(0, 511))
    def truncate(self, *, after: int, to: Side, keep: int) -> None:
        """Cut the transport."""
        self.ready()
        self._let_through(FIRST, after)
        self._attack("truncate")
        units = adversary.truncate(self.wire, to, keep)
        self.remark(units[0].note)
        self.hand_over(units)

    @step(defects=st.lists(st.sampled_from(CHAIN_DEFECTS), min_size=1, max_size=3, unique=True).map(tuple))
    def certificate_defect(self, *, defects: tuple[str, ...]) -> None:
        """On to the server's Certificate, and another in its place; then play the server."""
        self.ready()
        if self.client.ledger.heard or self.wire.impersonator is not None or not self.is_open:
            self._connect()
        while "server" in self.receivers():
            self.hand_over(adversary.deliver(self.wire, "server"))
        if adversary.certificate_is_due(self.wire):
            self._attack("certificate_defect")
            self.hand_over(adversary.certificate_defect(self.wire, defects))

    @step(size=st.sampled_from(PAGES))
    def request(self, *, size: int) -> None:
        """The client asks for another page."""
        self.ready()
        if self.client.tls.is_connected:
            self._after("client", self.client.request(size))

    @precondition(lambda self: self.setup.renegotiation)
    @step(side=st.sampled_from(SIDES), count=st.integers(0, LONGEST))
    def renegotiate(self, *, side: Side, count: int) -> None:
        """An application begins another handshake once connected, and some records of it are let through."""
        self.ready()
        self._let_through(FIRST, ROUNDS_LIMIT)
        if self.is_open and self.parties[side].tls.is_connected:
            self.reach("renegotiation")
            self._after(side, self.parties[side].renegotiate())
            self._let_through(FIRST, count)

    @step(after=AFTER, side=st.sampled_from(SIDES))
    def close(self, *, after: int, side: Side) -> None:
        """An application closes."""
        self.ready()
        self._let_through(FIRST, after)
        self._after(side, self.parties[side].close())

    @step()
    def finish(self) -> None:
        """Let everything through; where nobody attacked, the page must have come. Then the client closes."""
        self.ready()
        closed = not self.is_open or any(party.tls.state == "CLOSING" for party in self.parties.values())
        self._let_through(FIRST, ROUNDS_LIMIT)
        if not self.attacked and not closed:
            self._check_completion()
        self._after("client", self.client.close())
        self._let_through(FIRST, ROUNDS_LIMIT)

    def _check_completion(self) -> None:
        try:
            check_completion(self.client.ledger, self.server.ledger)
        except PropertyViolation as violation:
            self.object_to(violation)
        if self.client.responses != self.client.requests:
            self.object_to(
                Incomplete(
                    f"nobody attacked, and the client has {self.client.responses} responses to {self.client.requests} "
                    "requests; expected one to each",
                    property=COMPLETION,
                    clause="RFC 9112 section 9.3",
                )
            )
