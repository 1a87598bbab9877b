"""The interaction's rules on TCP segments: the network's mishaps, and what somebody does on the path or off it.

Where the attacker ends TCP on both sides these disturb each half of the connection beneath its records.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition

from shakeproof.properties import adversary_segments as segments
from shakeproof.properties.adversary import SEGMENT, SIDES, Side
from shakeproof.properties.adversary_segments import Transit
from shakeproof.properties.interaction_base import OFF_PATH, ON_PATH, SMALL_PAGE, InteractionBase
from shakeproof.properties.recorded import step

AFTER_SEGMENTS = st.integers(0, 15)
"""Segments that arrive before a verb acts: the handshake of TCP has three, that of TLS about ten, a page about four."""

FLAGS = (
    "RST",
    "SYN",
    "ACK",
    "PSH-ACK",
    "FIN-ACK",
    "RST-ACK",
    "SYN-ACK",
    "RST",
    "SYN",
    "PSH-ACK",
    "PSH",
    "FIN",
    "URG-ACK",
)
"""Control bits of forged segments; those that do most harm come more often."""

OFFSETS = st.one_of(
    st.sampled_from((0, 1, -1, 65_534, 65_535, 65_536, -65_536, 1 << 30, (1 << 31) - 1)),
    st.integers(1, 65_535),
    st.integers(-2_000, -1),
)
"""How far from what is expected next a guess of the sequence number lies."""

ACKS = st.sampled_from((0, -1, 1, 1_000, 70_000, -70_000, 1 << 30))
"""How far from what was sent last a guess of the acknowledgment number lies."""

STAMPS = st.sampled_from((0, 1, -1, 1_000_000, -1_000_000, (1 << 31) - 1))
"""How far from the last timestamp a guess of it lies."""

PLACES = st.one_of(st.integers(0, 19), st.integers(0, 511))
"""A byte: of the header, where the fields are, or of all."""

on_path = precondition(lambda self: self.path == ON_PATH)
end_to_end = precondition(lambda self: not self.is_spliced)
"""The two ends speak TCP with each other; else only some mishaps are tried, so that most rules act on records."""


class SegmentRules(InteractionBase):
    """What happens to packets."""

    def next_segment(self, after: int) -> Transit | None:
        """Let some packets through; the one that arrives next then, None where nothing will.

        On an idle connection the client asks for a page, so that there is something to act on.
        """
        self.ready()
        for _ in range(after):
            if not self.advance():
                break
        if self.network.flight.first() is None and self.is_spliced and self.receivers():
            self.advance()
        if self.network.flight.first() is None and self.is_open and self.client.tls.is_connected:
            self.after("client", self.client.request(SMALL_PAGE))
        return self.network.await_packet(patiently=True)

    def act(self, name: str, transit: Transit, **arguments: Any) -> None:
        """Do a verb to a packet, and what it lets arrive arrives."""
        deed = getattr(segments, name)
        self.do(name, SEGMENT)
        arriving = deed(self.network.flight, transit, **arguments)
        self.remark(arriving[0].note or transit.name if arriving else transit.name)
        if name in ("tamper", "truncate") and not (arriving and arriving[0] is transit):
            self.network.sockets[transit.to].spoilt = True
        self.chronicle.note_replaced(transit, arriving)
        self.land(arriving)

    # ------------------------------------------------------------------------------------------------------- mishaps

    @step(after=AFTER_SEGMENTS, unit=st.integers(0, 3))
    def drop_segment(self, *, after: int, unit: int) -> None:
        """Lose a segment. unit: which of those under way (modulo their number)."""
        if self.next_segment(after) is not None:
            self.starve(losses=1)
            transit = self.network.flight.rank(unit)
            self.reach("lost segment")
            self.act("drop", transit)
            self.chronicle.note_lost(transit)

    @end_to_end
    @step(after=AFTER_SEGMENTS, unit=st.integers(0, 3), by_s=st.sampled_from((0.05, 0.5, 3.0)))
    def delay_segment(self, *, after: int, unit: int, by_s: float) -> None:
        """Let a segment arrive late, by so many seconds."""
        if self.next_segment(after) is not None:
            self.starve(losses=by_s > 1, held_s=by_s)
            self.act("delay", self.network.flight.rank(unit), by_s=by_s)

    @step(after=AFTER_SEGMENTS)
    def duplicate_segment(self, *, after: int) -> None:
        """Deliver a segment twice."""
        transit = self.next_segment(after)
        if transit is not None:
            self.act("duplicate", transit)

    @end_to_end
    @step(after=AFTER_SEGMENTS, unit=st.integers(1, 4))
    def reorder_segment(self, *, after: int, unit: int) -> None:
        """Let a segment overtake those before it. unit: which of those under way (modulo their number)."""
        if self.next_segment(after) is not None:
            self.act("reorder", self.network.flight.rank(unit))

    @end_to_end
    @step(after=AFTER_SEGMENTS, piece=st.integers(1, 600))
    def fragment_segment(self, *, after: int, piece: int) -> None:
        """Split a segment."""
        transit = self.next_segment(after)
        if transit is not None:
            self.act("fragment", transit, piece=piece)

    @end_to_end
    @step(after=AFTER_SEGMENTS, place=PLACES, bit=st.integers(0, 7))
    def garble_segment(self, *, after: int, place: int, bit: int) -> None:
        """Flip a bit of a segment, so that the checksum shows it."""
        transit = self.next_segment(after)
        if transit is not None:
            self.starve(losses=1)
            self.act("garble", transit, place=place, bit=bit)

    @end_to_end
    @precondition(lambda self: self.network.flight.history)
    @step(
        after=AFTER_SEGMENTS,
        segment=st.runner().flatmap(lambda machine: st.integers(0, len(machine.network.flight.history) - 1)),
    )
    def replay_segment(self, *, after: int, segment: int) -> None:
        """An old segment of this or an earlier connection arrives. segment: which, from the first of all."""
        self.next_segment(after)
        (transit,) = segments.replay(self.network.flight, segment)
        if transit.to in self.network.sockets:
            self.remark(transit.note)
            self.land([transit])

    @step(seconds=st.sampled_from((0.1, 0.6, 2.0, 10.0)))
    def wait(self, *, seconds: float) -> None:
        """Everything under way is held back for a time."""
        self.ready()
        self.starve(losses=1 if seconds > 1 else 0, held_s=seconds)
        self.network.wait(seconds)

    # ------------------------------------------------------------------------------------------------------- attacks

    @on_path
    @step(after=AFTER_SEGMENTS, place=PLACES, bit=st.integers(0, 7))
    def tamper_segment(self, *, after: int, place: int, bit: int) -> None:
        """Flip a bit of a field or of the data, and make the checksum fit."""
        transit = self.next_segment(after)
        if transit is not None:
            self.act("tamper", transit, place=place, bit=bit)

    @on_path
    @step(after=AFTER_SEGMENTS, keep=st.integers(0, 511))
    def truncate_segment(self, *, after: int, keep: int) -> None:
        """Cut a segment short, and end the stream there."""
        transit = self.next_segment(after)
        if transit is not None:
            self.act("truncate", transit, keep=keep)

    @end_to_end
    @step(
        after=AFTER_SEGMENTS,
        to=st.sampled_from(SIDES),
        flags=st.sampled_from(FLAGS),
        offset=OFFSETS,
        ack=ACKS,
        stamp=STAMPS,
        size=st.sampled_from((0, 1, 1_000)),
    )
    def forge_segment(self, *, after: int, to: Side, flags: str, offset: int, ack: int, stamp: int, size: int) -> None:
        """A segment that claims to come from the other side. offset, ack, stamp: from what would be expected.

        Off the path only what can be guessed is sent, and only once the ends know each other's numbers: before that
        nothing protects a connection.
        """
        self.next_segment(after)
        while self.path == OFF_PATH and not all(one.is_synchronized for one in self.network.sockets.values()):
            if not self.advance():
                return
        socket = self.network.sockets[to]
        connection = socket.connection
        if connection is None:
            return
        segment = segments.guessed(connection, flags, offset, ack, stamp, size)
        if not self.knowledge.affords(*segments.ranges_of(connection, segment)):
            return
        (transit,) = segments.forge(self.network.flight, to, segment, (socket.remote.ip, socket.local.ip))
        if self.knowledge.numbers:
            self.do("forge", SEGMENT)
            socket.spoilt = True
        else:
            self.guessed = True
        self.remark(transit.note)
        self.land([transit])
