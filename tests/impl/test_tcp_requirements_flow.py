"""Requirements of RFC 9293, appendix B, each seen on the wire: windows, timers, congestion, urgent data, push.

The names are those of the checklist, `shakeproof list clauses --role tcp`. That each of these tests can fail is shown
in test_tcp_requirements_faults.
"""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from shakeproof.impl.network import Link
from shakeproof.impl.tcp import Packet, Segment, TcpConnection, TimedOut, UrgentReceived
from shakeproof.impl.tcp.options import maximum_segment_size, window_scale
from shakeproof.impl.tcp.sequence import advance, distance
from tests.impl.tcp_material import (
    LOCAL,
    PEER_ISS,
    PEER_MSS,
    REMOTE,
    START_S,
    Lab,
    config,
    connected,
    lab_in,
    letters,
    opening_lab,
)
from tests.impl.tcp_transfer import CLIENT, SERVER, Transfer

MSS = PEER_MSS


# --- the receive window -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize(("buffer", "shift"), [(3000, 0), (40_000, 0), (65_535, None), (100_001, 3), (300_000, 7)])
def test_right_edge_of_window_never_moves_left(buffer: int, shift: int | None, seed: int) -> None:
    """SEG.ACK + SEG.WND of all that is sent, while text comes in any order, also too much of it, and is read slowly.

    A scaled window tells whole units only, and a unit less where the buffer is full: RFC 7323 section 2.4.
    """
    generator = random.Random(seed)
    options = (maximum_segment_size(MSS),) if shift is None else (maximum_segment_size(MSS), window_scale(0))
    lab = connected(receive_buffer=buffer, window_scale=shift, options=options)
    unit = 1 << (shift or 0)
    edge, moves = lab.connection.advertised_edge, 0
    for _ in range(400):
        offset = generator.choice((0, 0, 0, 0, 500, generator.randrange(2 * buffer), -generator.randrange(2000)))
        sent = lab.give("A", seq=lab.connection.rcv_nxt + offset, data=bytes(generator.choice((1, 7, 536, MSS))))
        if generator.random() < 0.5:
            lab.connection.receive(generator.choice((1, 77, 900, buffer)))
            sent += lab.out()
        if generator.random() < 0.3:
            sent += [segment for _, segment in lab.elapse(0.3)]
        for segment in sent:
            new = advance(segment.ack, segment.window * unit)
            assert distance(edge, new) > -unit, "the farthest edge that there was"
            moves += distance(edge, new) > 0
            edge = new if distance(edge, new) > 0 else edge
    assert moves > 5


# --- a window that shrinks --------------------------------------------------------------------------------------------


def test_shrunk_window_does_not_time_out() -> None:
    """Four segments are out; the window shrinks behind the first octets of them, then to nothing, for 20 minutes."""
    lab = connected(window=4 * MSS)
    assert len(lab.send(bytes(6 * MSS))) == 4
    first = lab.connection.snd_una
    lab.give("A", ack=first, window=300)
    retransmitted = [segment for _, segment in lab.elapse(1)]
    assert [(s.seq, len(s.data)) for s in retransmitted] == [(first, 300)]
    lab.give("A", ack=first + 300, window=0)
    for _ in range(40):
        for _, probe in lab.elapse(30):
            assert (probe.seq, len(probe.data)) == (first + 300, 1)
        lab.give("A", ack=first + 300, window=0)
    assert lab.connection.state == "ESTABLISHED"
    assert not [event for event in lab.events if isinstance(event, TimedOut)]
    sent = lab.give("A", ack=first + 300, window=65_535)
    while lab.connection.flight_size:
        sent += lab.give("A")
    assert max(segment.seq + len(segment.data) for segment in sent) == first + 6 * MSS


# --- retransmission ---------------------------------------------------------------------------------------------------


class Rfc6298:
    """RTO from the samples, computed anew: sections 2 and 5 of the RFC, for a clock without granularity to speak of."""

    def __init__(self) -> None:
        self.srtt = self.rttvar = 0.0
        self.rto = 1.0

    def sample(self, rtt: float) -> None:
        if not self.srtt:
            self.srtt, self.rttvar = rtt, rtt / 2
        else:
            self.rttvar = 0.75 * self.rttvar + 0.25 * abs(self.srtt - rtt)
            self.srtt = 0.875 * self.srtt + 0.125 * rtt
        self.rto = min(max(self.srtt + 4 * self.rttvar, 1.0), 60.0)


def round_trip(lab: Lab, rtt: float) -> None:
    """One octet, acknowledged after that time."""
    (segment,) = lab.send(b"x")
    assert lab.elapse(rtt) == []
    lab.give("A", ack=segment.seq + 1)


def retransmissions_in(lab: Lab, seconds: float) -> list[float]:
    """When an octet that nobody acknowledges is sent again; then it is acknowledged."""
    (segment,) = lab.send(b"x")
    times = [at_s for at_s, again in lab.elapse(seconds) if again.seq == segment.seq]
    lab.give("A", ack=segment.seq + 1)
    return times


@pytest.mark.parametrize("rtts", [(), (0.9,), (0.9, 0.1), (0.4, 1.2, 0.3, 0.8, 1.5), (0.5,) * 30, (0.01,) * 50])
def test_rto_follows_rfc_6298(rtts: tuple[float, ...]) -> None:
    """The first and the second timeout after these round trips, and Karn: what was sent twice is no sample."""
    lab, reference = opening_lab(), Rfc6298()
    assert [at_s for at_s, _ in opening_lab().elapse(8)] == [1, 3, 7]
    lab.elapse(0.6)
    lab.give("SA", seq=PEER_ISS)
    reference.sample(0.6)
    for rtt in rtts:
        round_trip(lab, rtt)
        reference.sample(rtt)
    rto = reference.rto
    assert retransmissions_in(lab, 3.5 * rto) == pytest.approx([rto, 3 * rto], abs=0.002)
    assert retransmissions_in(lab, 4.5 * rto) == pytest.approx([4 * rto], abs=0.004), "backed off still: no sample came"
    round_trip(lab, 0.2)
    reference.sample(0.2)
    assert retransmissions_in(lab, 1.5 * reference.rto) == pytest.approx([reference.rto], abs=0.002)


@pytest.mark.parametrize("passive", [False, True])
def test_syn_is_given_up_after_three_minutes_at_least(passive: bool) -> None:
    """Nobody answers: the last SYN (or SYN,ACK) is sent 180 s or more after the first, and only then is it given up."""
    lab = lab_in("SYN_RECEIVED") if passive else opening_lab()
    state, begin_s = lab.connection.state, lab.now_s
    sent, told_s = [0.0], None
    while lab.now_s < begin_s + 600 and told_s is None:
        assert lab.connection.state == state
        for _, segment in lab.elapse(1):
            assert letters(segment) == ("SA" if passive else "S")
            assert segment.seq == lab.connection.iss
            sent.append(lab.now_s - begin_s)
        told_s = lab.now_s - begin_s if TimedOut("R2") in lab.take_events() else None
    assert sent[-1] >= 180
    assert told_s is not None
    assert told_s >= 180
    assert lab.connection.state == "CLOSED"
    gaps = [b - a for a, b in itertools.pairwise(sent)]
    assert gaps == [1, 2, 4, 8, 16, 32, 60, 60]


# --- congestion -------------------------------------------------------------------------------------------------------


class Rfc5681:
    """How much may be in flight, computed anew from what a sender is seen to send and to receive.

    RFC 5681 sections 3.1 and 3.2, RFC 6582 for partial acknowledgments, RFC 3042 for the first two duplicates.
    """

    def __init__(self, mss: int, begin: int) -> None:
        self.mss = mss
        self.cwnd = 2 * mss if mss > 2190 else 3 * mss if mss > 1095 else 4 * mss
        self.ssthresh = float("inf")
        self.una = self.max = self.next = begin
        """Acknowledged, sent at all, and where a sender that began again after a timeout is."""
        self.recover = begin - 1
        self.duplicates = self.acked = 0
        self.owed = False
        """Whether one segment may go whatever the window."""
        self.phases: set[str] = set()
        self.in_recovery = False
        self.timeouts: list[tuple[int, float]] = []
        self.most = 0

    def receive(self, segment: Segment) -> None:
        """An acknowledgment; the peer sends no text, and its window is never the limit."""
        count = distance(self.una % 2**32, segment.ack)
        if count > 0:
            self._new(count)
        elif count == 0 and self.una < self.max and not segment.data:
            self.duplicates += 1
            if self.in_recovery:
                self.cwnd += self.mss
            elif self.duplicates == 3 and self.una > self.recover:
                self._halve()
                self.cwnd = int(self.ssthresh) + 3 * self.mss
                self.recover, self.owed = self.max, True
                self.in_recovery = True
                self.phases.add("recovery")

    def _new(self, count: int) -> None:
        self.una += count
        self.next = max(self.next, self.una)
        self.duplicates = 0
        if self.in_recovery:
            if self.una >= self.recover:
                flight = max(self.max - self.una, self.mss)
                self.in_recovery, self.cwnd = False, min(int(self.ssthresh), flight + self.mss)
            else:
                self.cwnd = max(self.cwnd - count + self.mss, self.mss)
                self.owed = True
                self.phases.add("partial")
        elif self.cwnd < self.ssthresh:
            self.cwnd += min(count, self.mss)
            self.phases.add("slow start")
        else:
            self.acked += count
            if self.acked >= self.cwnd:
                self.acked -= self.cwnd
                self.cwnd += self.mss
                self.phases.add("avoidance")

    def _halve(self) -> None:
        self.ssthresh = max((self.max - self.una) / 2, 2 * self.mss)

    def send(self, segment: Segment, now_s: float) -> None:
        """A segment with text: asserts that it may go."""
        seq = self.una + distance(self.una % 2**32, segment.seq)
        end = seq + len(segment.data)
        if seq == self.una < self.max and self.owed:
            self.owed = False
            return
        if seq == self.una < self.max and seq != self.next:
            self._timeout(now_s)
            self.next = seq
        limited = self.duplicates * self.mss if not self.in_recovery and self.duplicates < 3 else 0
        assert end - self.una <= self.cwnd + limited, f"{end - self.una} in flight of {self.cwnd}"
        self.most = max(self.most, end - self.una)
        self.next = max(self.next, end)
        self.max = max(self.max, end)

    def _timeout(self, now_s: float) -> None:
        if not self.timeouts or self.timeouts[-1][0] != self.una:
            self._halve()
        self.timeouts.append((self.una, now_s))
        self.cwnd, self.recover, self.in_recovery = self.mss, self.max, False
        self.duplicates = self.acked = 0
        self.owed = False
        self.phases.add("timeout")

    def check_backoff(self) -> int:
        """Each timeout of the same segment comes after twice the time; how many there were."""
        found = 0
        for (a, first), (b, second), (c, third) in zip(
            self.timeouts, self.timeouts[1:], self.timeouts[2:], strict=False
        ):
            if a == b == c:
                found += 1
                assert third - second >= min(2 * (second - first), 60.0) - 0.001
        return found


def watch(transfer: Transfer, reference: Rfc5681) -> None:
    """Shows the reference all that the client sends and receives."""
    host, clock = transfer.network.hosts[CLIENT], transfer.network.clock
    receive, send = host.receive_packet, host.packets_to_send

    def receive_packet(packet: Packet, now_s: float) -> object:
        segment = Segment.decode(packet.data, packet.source_ip, packet.destination_ip)
        if letters(segment) != "SA":
            reference.receive(segment)
        return receive(packet, now_s)

    def packets_to_send(now_s: float) -> list[Packet]:
        packets = send(now_s)
        for packet in packets:
            segment = Segment.decode(packet.data, packet.source_ip, packet.destination_ip)
            if segment.data:
                reference.send(segment, clock.now_s)
        return packets

    host.receive_packet = receive_packet  # type: ignore[method-assign, assignment]
    host.packets_to_send = packets_to_send  # type: ignore[method-assign]


def watched(seed: int, loss: float, size: int = 400_000) -> Rfc5681:
    """A client that sends so much over a network that loses so much, and whose window is limited by nothing else."""
    large: dict[str, Any] = {"receive_buffer": 1 << 20, "send_buffer": 1 << 20, "window_scale": 5}
    transfer = Transfer.begin(seed, size, Link(), timestamps=False, r2_s=1e9, **large)
    transfer.server.size = transfer.server._left = 0
    reference = Rfc5681(1460, transfer.connection.iss + 1)
    watch(transfer, reference)
    assert transfer.network.run_until(lambda: transfer.connection.state == "ESTABLISHED", 10)
    transfer.network.links[CLIENT, SERVER] = Link(loss=loss)
    transfer.network.links[SERVER, CLIENT] = Link(loss=loss / 2)
    assert transfer.network.run_until(lambda: transfer.server.ended, 100_000)
    return reference


def test_congestion_window_follows_rfc_5681() -> None:
    """Whatever is lost, no more is in flight than slow start, congestion avoidance and fast recovery allow, and the
    timeout of one segment doubles; all of that came up, and so much was in flight that it was near the limit."""
    references = [watched(seed, loss) for seed in range(4) for loss in (0.0, 0.01, 0.05, 0.3 if seed < 2 else 0.1)]
    assert set.union(*(reference.phases for reference in references)) == {
        "slow start", "avoidance", "recovery", "partial", "timeout",
    }  # fmt: skip
    assert sum([reference.check_backoff() for reference in references]) > 3
    assert max(reference.most for reference in references) > 100 * 1460


# --- urgent data ------------------------------------------------------------------------------------------------------


def joined() -> tuple[Lab, Lab]:
    """Two connections, ours both, ESTABLISHED with each other."""
    large: dict[str, Any] = {"send_buffer": 400_000, "mss": 1000}
    one = Lab(TcpConnection(config(**large), LOCAL, REMOTE, START_S))
    two = Lab(TcpConnection(config(**large), REMOTE, LOCAL, START_S))
    two.connection.open_passive()
    one.connection.open_active(START_S)
    carry(one, two)
    assert one.connection.state == two.connection.state == "ESTABLISHED"
    return one, two


def carry(one: Lab, two: Lab) -> list[Segment]:
    """Carries segments until there are none; what the first sent."""
    sent: list[Segment] = []
    while True:
        there, back = one.out(), two.out()
        if not there and not back:
            return sent
        sent += there
        for segment in there:
            two.events += two.connection.receive_segment(segment, two.now_s)
        for segment in back:
            one.events += one.connection.receive_segment(segment, one.now_s)


URGENT, NORMAL = 200_000, 3000


def test_urgent_mode_of_more_than_65535_octets_ends_at_the_pointer() -> None:
    """Three times what the field can point ahead: all of it arrives in urgent mode, which ends with its last octet."""
    one, two = joined()
    start = one.connection.snd_nxt
    end = advance(start, URGENT)
    data = random.Random(1).randbytes(URGENT + NORMAL)
    assert one.connection.send(data[:URGENT], one.now_s, urgent=True) == URGENT
    assert one.connection.send(data[URGENT:], one.now_s) == NORMAL
    read = b""
    pointer = start
    for _ in range(1000):
        for segment in carry(one, two):
            urgent = "U" in letters(segment)
            assert urgent is (distance(segment.seq, end) > 0)
            if urgent:
                new = advance(segment.seq, segment.urgent)
                assert distance(pointer, new) >= 0, "it cannot recede"
                assert distance(new, end) >= 0
                pointer = new
        wanted = min(777, URGENT - len(read)) if len(read) < URGENT else 777
        read += two.connection.receive(wanted)
        one.now_s = two.now_s = one.now_s + 0.01
        assert (two.connection.urgent_remaining > 0) is (len(read) < URGENT)
    assert read == data
    assert pointer == end
    assert [event for event in two.events if isinstance(event, UrgentReceived)]


def test_urgent_pointer_points_after_the_data() -> None:
    """Sent: SEG.SEQ + the field is the sequence number behind the last urgent octet, in each segment before it.
    Received: urgent mode lasts exactly so long."""
    lab = connected()
    start = lab.connection.snd_nxt
    (small,) = lab.send(b"abc", urgent=True)
    assert ("U" in letters(small), small.seq + small.urgent) == (True, start + 3)
    lab.give("A")
    (normal,) = lab.send(b"d")
    assert ("U" in letters(normal), normal.urgent) == (False, 0)
    lab.give("A")
    sent = lab.send(bytes(4 * MSS), urgent=True)
    while lab.connection.flight_size:
        sent += lab.give("A")
    assert {segment.seq + segment.urgent for segment in sent} == {start + 4 + 4 * MSS}
    lab.give("UA", data=b"urgent, not", urgent=6)
    for octet in (b"u", b"r", b"g", b"e", b"n"):
        assert lab.connection.receive(1) == octet
        assert lab.connection.urgent_remaining
    assert lab.connection.receive(1) == b"t"
    assert not lab.connection.urgent_remaining


# --- push, large segments ---------------------------------------------------------------------------------------------


def test_psh_bits_are_collapsed() -> None:
    """Thirty pushed SENDs while data is outstanding: segments as large as can be, and PSH where the last one ends."""
    lab = connected()
    lab.send(b"first")
    sent = [segment for _ in range(30) for segment in lab.send(bytes(95), push=True)]
    sent += lab.give("A")
    assert [len(segment.data) for segment in sent] == [MSS, MSS, 30 * 95 - 2 * MSS]
    assert "P" in letters(sent[-1])
    lab = connected()
    lab.send(b"first")
    for _ in range(5):
        assert lab.send(bytes(95), push=True) == []
    (one,) = lab.give("A")
    assert (letters(one), len(one.data)) == ("PA", 5 * 95), "five pushes, one bit"


@pytest.mark.parametrize("nagle", [True, False])
def test_bulk_text_leaves_in_full_segments(nagle: bool) -> None:
    lab = connected(nagle=nagle, window=65_535)
    size = 50 * MSS + 123
    sent = lab.send(bytes(size))
    for _ in range(100):
        sent += lab.give("A")
    assert [len(segment.data) for segment in sent] == [MSS] * 50 + [123]
