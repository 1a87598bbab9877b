"""Our client and our server with the attacker between them, under Hypothesis: HTTP over TLS over TCP, in memory.

Each rule is one verb of the attacker or of the network, or something that an application does. After each step the
tables of each end judge what reached it and what it answered, and the safety properties are checked over the ledgers of
both. A connection that is over is followed by a fresh one at the next step; the attacker remembers all of them.

The rules here act on records, where the attacker ends TCP on both sides; those on segments are in
`interaction_segments`, and work whatever its place.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from shakeproof.model.trace import Fate
from shakeproof.properties import adversary_records as records
from shakeproof.properties.adversary import RECORD, SIDES, Side
from shakeproof.properties.adversary_records import FORGERIES
from shakeproof.properties.endpoint_machine import CHAIN_DEFECTS, SMALLEST
from shakeproof.properties.endpoint_words import SUITE_NAMES, manners
from shakeproof.properties.interaction_base import FIRST, OFF_PATH, ON_PATH, SMALL_PAGE, SPLICED
from shakeproof.properties.interaction_segments import SegmentRules
from shakeproof.properties.recorded import beginning, step

LONGEST = 16
"""Records of a whole exchange, both ways: a handshake has nine, a page and its request two, and the closure two."""

PAGES = (0, 1, 300, 20_000)
"""Sizes of pages: none, one byte, one record, more than one record."""

AFTER = st.integers(0, 11)
"""Records that are let through before a verb acts: so each by itself reaches every place of the exchange."""

PROOFS: dict[Side, tuple[str, ...]] = {
    "client": ("Finished", "ServerKeyExchange", "Record"),
    "server": ("Finished", "CertificateVerify", "Record"),
}
"""What only the holder of a key can make right: what an attacker has most to gain from."""

forgeries = st.one_of(
    st.sampled_from([(side, name) for side in SIDES for name in PROOFS[side]]),
    st.sampled_from([(side, message.name) for side in SIDES for message in FORGERIES[side]]),
)
"""To whom, and what."""

paths = st.sampled_from((SPLICED, SPLICED, SPLICED, ON_PATH, OFF_PATH))
"""More than half of the runs are about records."""

holds_records = precondition(lambda self: self.is_spliced)
"""The attacker ends TCP on both sides."""


class InteractionMachine(SegmentRules):
    """Our client, our server, and the attacker."""

    # ------------------------------------------------------------------------------------------- what can be acted on

    def _after_some(self, count: int) -> Side | None:
        """Let some records through; the side to which something is under way then, None where nothing is.

        On an idle connection the client asks for a page, so that there is something to act on.
        """
        self.ready()
        self.let_through(FIRST, count)
        if not self.receivers() and self.is_open and self.client.tls.is_connected:
            self.said("client", self.client.request(SMALL_PAGE))
        return next(iter(self.receivers()), None)

    def let_through(self, to: str, count: int) -> None:
        """Let records through, where they are in the attacker's hands, else packets."""
        self.settle_records()
        for _ in range(count):
            if not self.is_spliced:
                if not self.pass_packet(to):
                    return
                continue
            sides = [side for side in self.receivers() if to in (FIRST, side)]
            if not sides:
                return
            self.hand_over(records.deliver(self.wire, sides[0]))

    # --------------------------------------------------------------------------------------------------------- rules

    @beginning(suite=st.sampled_from(SUITE_NAMES), manner=manners, path=paths)
    def configure(self, *, suite: str, manner: str = "plain", path: str = SPLICED) -> None:
        """The cipher suite that the client offers, what else there is, and where the attacker stands."""
        self.begin_run(suite, manner, path)

    @step(to=st.sampled_from((FIRST, *SIDES)), count=st.integers(1, LONGEST))
    def deliver(self, *, to: str, count: int) -> None:
        """Let records through, or packets where there are no records to be had, to one side or to both."""
        self.ready()
        self.let_through(to, count)

    @holds_records
    @step(after=AFTER, piece=SMALLEST)
    def fragment(self, *, after: int, piece: int) -> None:
        """Hand a record over in pieces."""
        to = self._after_some(after)
        if to is not None:
            self.remark(self.wire.queues[to][0].name)
            self.hand_over(records.fragment(self.wire, to, piece))

    @holds_records
    @step(after=AFTER, unit=st.integers(0, 3))
    def drop(self, *, after: int, unit: int) -> None:
        """Lose a record. unit: which of those under way (modulo their number)."""
        to = self._after_some(after)
        if to is not None:
            self.do("drop", RECORD)
            lost = unit % len(self.wire.queues[to])
            self.remark(self.wire.queues[to][lost].name)
            self.chronicle.note(replace(self.wire.queues[to][lost], fate=Fate.LOST), self.states(), arrives=False)
            records.drop(self.wire, to, lost)

    @holds_records
    @step(after=AFTER)
    def duplicate(self, *, after: int) -> None:
        """Deliver a record twice."""
        to = self._after_some(after)
        if to is not None:
            self.do("duplicate", RECORD)
            self.remark(self.wire.queues[to][0].name)
            self.hand_over(records.duplicate(self.wire, to))

    @holds_records
    @step(after=AFTER, unit=st.integers(1, 4))
    def reorder(self, *, after: int, unit: int) -> None:
        """Let a record overtake those before it. unit: which of those under way (modulo their number)."""
        to = self._after_some(after)
        while to is not None and len(self.wire.queues[to]) < 2:
            self.let_through(FIRST, 1)
            to = next(iter(self.receivers()), None)
        if to is not None:
            self.do("reorder", RECORD)
            late = 1 + (unit - 1) % (len(self.wire.queues[to]) - 1)
            self.remark(self.wire.queues[to][late].name)
            self.hand_over(records.reorder(self.wire, to, late))

    @holds_records
    @precondition(lambda self: self.wire.history)
    @step(
        after=AFTER,
        to=st.sampled_from(SIDES),
        record=st.runner().flatmap(lambda machine: st.integers(0, len(machine.wire.history) - 1)),
    )
    def replay(self, *, after: int, to: Side, record: int) -> None:
        """Send a record of this or an earlier connection again. record: which, from the first of all."""
        self.ready()
        self.let_through(FIRST, after)
        self.do("replay", RECORD)
        self.remark(self.wire.history[record].name)
        self.hand_over(records.replay(self.wire, to, record))

    @precondition(lambda self: self.knowledge.place)
    @step(after=AFTER, which=forgeries)
    def forge(self, *, after: int, which: tuple[Side, str]) -> None:
        """Make a message without the key it needs; on the path it goes into a segment with the right numbers."""
        self.ready()
        self.let_through(FIRST, after)
        units = records.forge(self.wire, which[0], which[1])
        if self.is_spliced:
            self.do("forge", RECORD)
            self.hand_over(units)
        else:
            self.insert(units)

    @holds_records
    @step(after=AFTER, place=st.integers(0, 511), bit=st.integers(0, 7))
    def tamper(self, *, after: int, place: int, bit: int) -> None:
        """Flip a bit of a record."""
        to = self._after_some(after)
        if to is not None:
            self.do("tamper", RECORD)
            units = records.tamper(self.wire, to, place, bit)
            self.remark(units[0].note)
            self.hand_over(units)

    @holds_records
    @step(after=AFTER, to=st.sampled_from(SIDES), keep=st.integers(0, 511))
    def truncate(self, *, after: int, to: Side, keep: int) -> None:
        """Cut the transport."""
        self.ready()
        self.let_through(FIRST, after)
        self.do("truncate", RECORD)
        units = records.truncate(self.wire, to, keep)
        self.remark(units[0].note)
        self.hand_over(units)

    @holds_records
    @step(defects=st.lists(st.sampled_from(CHAIN_DEFECTS), min_size=1, max_size=3, unique=True).map(tuple))
    def certificate_defect(self, *, defects: tuple[str, ...]) -> None:
        """On to the server's Certificate, and another in its place; then play the server."""
        self.ready()
        if self.client.ledger.heard or self.wire.impersonator is not None or not self.is_open:
            self.is_checked = True  # it is given up half-way
            self.connect()
        self.settle_records()
        while "server" in self.receivers():
            self.hand_over(records.deliver(self.wire, "server"))
        if records.certificate_is_due(self.wire):
            self.do("certificate_defect", RECORD)
            self.hand_over(records.certificate_defect(self.wire, defects))

    @step(size=st.sampled_from(PAGES))
    def request(self, *, size: int) -> None:
        """The client asks for another page."""
        self.ready()
        if self.client.tls.is_connected:
            self.said("client", self.client.request(size))

    @precondition(lambda self: self.setup.renegotiation)
    @step(side=st.sampled_from(SIDES), count=st.integers(0, LONGEST))
    def renegotiate(self, *, side: Side, count: int) -> None:
        """An application begins another handshake once connected, and some records of it are let through."""
        self.ready()
        self.run_out()
        if self.is_open and self.parties[side].tls.is_connected:
            self.reach("renegotiation")
            self.said(side, self.parties[side].renegotiate())
            self.let_through(FIRST, count)

    @step(after=AFTER, side=st.sampled_from(SIDES))
    def close(self, *, after: int, side: Side) -> None:
        """An application closes."""
        self.ready()
        self.let_through(FIRST, after)
        self.shut(side)

    @step()
    def finish(self) -> None:
        """Let everything through; where nobody attacked, the page must have come. Then the client closes."""
        self.ready()
        self.run_out()
        self.check_end()
        self.shut("client")
        self.run_out()
        self.check_closed()
