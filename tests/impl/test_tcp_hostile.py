"""Hostile peers: whatever arrives, nothing is raised, invariants hold, and memory stays below the stated bound."""

from __future__ import annotations

import contextlib
import gc
import random
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shakeproof.impl.errors import LocalProtocolError
from shakeproof.impl.tcp import Event, Flags, Host, Packet, Segment, TcpConnection, memory_bound, reassembly
from shakeproof.impl.tcp.options import MAX_OPTIONS_LENGTH, decode_options
from shakeproof.impl.tcp.reassembly import MAX_PIECES
from shakeproof.impl.tcp.segment import checksum
from shakeproof.impl.tcp.sequence import advance, distance
from shakeproof.impl.tcp.tcb import MAX_REPLIES
from tests.impl.tcp_material import LOCAL, REMOTE, STATES, Lab, config, connected, lab_in

BUFFER = 3000
common = settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

near = st.one_of(
    st.integers(-5, 5), st.integers(BUFFER - 3, BUFFER + 3), st.integers(0, BUFFER), st.integers(-(2**31), 2**31 - 1)
)
"""Offsets from RCV.NXT or SND.UNA: at the edges of the window, in it, anywhere."""
forged = st.fixed_dictionaries(
    {
        "seq": near,
        "ack": near,
        "flags": st.one_of(st.sampled_from((16, 16, 16, 24, 17, 2, 18, 4, 20, 48)), st.integers(0, 255)),
        "window": st.sampled_from((0, 1, 500, 65_535)),
        "urgent": st.sampled_from((0, 1, 65_535)),
        "options": st.one_of(st.just(b""), st.binary(max_size=MAX_OPTIONS_LENGTH)),
        "data": st.one_of(st.just(b""), st.binary(max_size=8), st.just(bytes(1500)), st.just(bytes(BUFFER + 10))),
    }
)
user = st.sampled_from(("send", "send more", "receive", "receive one", "close", "shutdown", "abort"))
steps = st.lists(st.one_of(forged, forged, forged, user, st.floats(0, 300)), max_size=30)


def forge(connection: TcpConnection, fields: dict[str, Any]) -> Segment:
    return Segment(
        REMOTE.port,
        LOCAL.port,
        advance(connection.rcv_nxt, fields["seq"]),
        advance(connection.snd_una, fields["ack"]),
        Flags(fields["flags"]),
        fields["window"],
        fields["urgent"],
        decode_options(fields["options"]),
        fields["data"],
    )


def use(lab: Lab, call: str) -> None:
    with contextlib.suppress(LocalProtocolError):
        if call.startswith("send"):
            lab.connection.send(bytes(5000 if "more" in call else 10), lab.now_s)
        elif call.startswith("receive"):
            lab.connection.receive(1 if "one" in call else None)
        else:
            getattr(lab.connection, call)(lab.now_s)


def check_invariants(connection: TcpConnection) -> None:
    assert len(connection.receive_buffer) + connection.rcv_wnd <= connection.receive_limit
    assert connection.reassembly.held <= connection.rcv_wnd
    assert len(connection.reassembly.pieces) <= MAX_PIECES
    assert 0 <= distance(connection.snd_una, connection.snd_next) <= connection.flight_size
    assert len(connection.send_buffer) <= connection.config.send_buffer
    assert connection.rto_s <= connection.config.max_rto_s
    if connection.state == "CLOSED":
        assert connection.next_timeout() is None


@pytest.mark.parametrize("state", STATES)
@common
@given(steps=steps, seed=st.integers(0, 7))
def test_nothing_is_raised_and_invariants_hold(state: str, steps: list[Any], seed: int) -> None:
    lab = lab_in(state, receive_buffer=BUFFER, rfc5961=bool(seed & 1), keepalive=bool(seed & 2), nagle=bool(seed & 4))
    for step in steps:
        if isinstance(step, str):
            use(lab, step)
        elif isinstance(step, float):
            lab.elapse(step)
        else:
            lab.connection.receive_segment(forge(lab.connection, step), lab.now_s, REMOTE.ip)
        check_invariants(lab.connection)
        for segment in lab.out():
            segment.encode(LOCAL.ip, REMOTE.ip)
            assert len(segment.data) <= lab.connection.config.mss
        check_invariants(lab.connection)


@common
@given(st.lists(forged, max_size=20))
def test_blind_segments_neither_close_nor_alter_the_connection(fields: list[dict[str, Any]]) -> None:
    """An attacker who does not know the numbers: what is said of RCV.NXT and SND.UNA is off by 2**30 at least."""
    lab = connected()
    lab.give("PA", data=b"before")
    for one in fields:
        off = one | {"seq": (one["seq"] % 2**30) + 2**30, "ack": (one["ack"] % 2**30) + 2**30}
        lab.connection.receive_segment(forge(lab.connection, off), lab.now_s)
        lab.out()
    lab.give("PA", data=b" after")
    assert lab.connection.receive() == b"before after"
    assert lab.connection.state == "ESTABLISHED"


@common
@given(
    st.lists(st.tuples(st.binary(max_size=60), st.sampled_from(("192.0.2.2", "192.0.2.9", "224.0.0.1"))), max_size=20)
)
def test_host_survives_random_packets(packets: list[tuple[bytes, str]]) -> None:
    host = Host(LOCAL.ip, config())
    host.listen(0, backlog=2)
    for data, source in packets:
        whole = bytearray(data)
        if len(whole) >= 20:
            whole[2:4] = b"\0\0"
            whole[12] = whole[12] & 0x0F | 0x50
            whole[16:18] = b"\0\0"
            whole[16:18] = checksum(bytes(whole), source, LOCAL.ip).to_bytes(2, "big")
        host.receive_packet(Packet(source, LOCAL.ip, bytes(whole)), 0.0)
    host.packets_to_send(0.0)
    assert len(host.connections) <= 2


def test_replies_that_nobody_takes_are_bounded() -> None:
    lab = lab_in("CLOSED")
    for _ in range(100):
        lab.connection.receive_segment(Segment(1, 2, 3, flags=Flags.SYN), 0.0)
    assert len(lab.out()) == MAX_REPLIES


CYCLE = {"tiny": 4000, "overlapping": 1000, "outside": 1000, "anything": 1000}
"""Segments of each kind in a round of the flood."""
ROUND = sum(CYCLE.values())
PAYLOAD = bytes(9000)


def flood(lab: Lab, count: int, seed: int) -> None:
    """Segments that an attacker with a view of the connection would send to fill our memory, in rounds: single octets
    with a hole before each, all over the window; pieces that overlap; such as lie outside; all of these mixed, with bad
    acknowledgments, SYNs and resets. After a round the user reads, so that the window opens for the next."""
    generator = random.Random(seed)
    connection, now_s = lab.connection, lab.now_s
    plan = [kind for kind, share in CYCLE.items() for _ in range(share)]
    for number in range(count):
        kind = plan[number % ROUND]
        dice = generator.getrandbits(32)
        flags, size, ack = Flags.ACK, (1, 2, 100, 1460)[dice & 3], connection.snd_una
        offset = 1 + (dice >> 3) % 65_000
        if kind == "tiny":
            offset, size = offset | 1, 1
        elif kind == "outside":
            offset = offset + 65_535 if dice & 4 else -offset
        elif kind == "anything":
            offset, size = (dice >> 3) % 80_000 - 5000, (0, 1, 100, 9000)[dice & 3]
            flags = (Flags.ACK | Flags.PSH, Flags.ACK | Flags.URG, Flags.SYN, Flags.RST)[(dice >> 8) & 3]
            if flags is Flags.RST:
                offset = offset or 1
            if dice % 89 == 0:
                ack += (dice >> 20) - 2000
        seq = advance(connection.rcv_nxt, offset)
        segment = Segment(443, 40_000, seq, ack % 2**32, flags, 65_535, dice & 0xFFFF, (), PAYLOAD[:size])
        connection.receive_segment(segment, now_s)
        if number % 64 == 0:
            connection.segments_to_send(now_s)
        if number % ROUND == ROUND - 1 and number < count - 1:
            drain(lab)


def drain(lab: Lab) -> None:
    """The rest of the window comes in order, and the user reads all of it."""
    connection, now_s = lab.connection, lab.now_s
    while connection.rcv_wnd:
        data = PAYLOAD[: min(len(PAYLOAD), connection.rcv_wnd)]
        whole = Segment(443, 40_000, connection.rcv_nxt, connection.snd_una, Flags.ACK, 65_535, data=data)
        connection.receive_segment(whole, now_s)
    connection.receive()
    connection.segments_to_send(now_s)


def measure(count: int) -> tuple[int, Lab]:
    """Bytes that a connection takes at most in a flood of segments, everything that it is made of counted."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        lab = connected()
        lab.connection.send(bytes(lab.connection.config.send_buffer), lab.now_s)
        flood(lab, count, seed=1)
        return tracemalloc.get_traced_memory()[1] - before, lab
    finally:
        tracemalloc.stop()


def check_memory(count: int) -> None:
    """It stays below the bound that is stated, and the connection is sound afterwards."""
    peak, lab = measure(count)
    assert peak <= memory_bound(lab.connection.config)
    assert lab.connection.state == "ESTABLISHED"
    assert lab.connection.reassembly.pieces or not lab.connection.rcv_wnd, "the flood did what it should"
    check_invariants(lab.connection)


def test_memory_stays_below_the_bound_in_7_000_hostile_segments() -> None:
    check_memory(ROUND)


@pytest.mark.slow
def test_memory_stays_below_the_bound_in_a_million_hostile_segments() -> None:
    check_memory(1_000_000)


def unbounded_pieces(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reassembly, "MAX_PIECES", 1 << 40)


def unbounded_window(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(TcpConnection, "check_sequence_number", lambda *_: True)
    patch.setattr(TcpConnection, "trim_to_window", lambda _, __, data, *, fin: (data, fin))


def kept_segments(patch: pytest.MonkeyPatch) -> None:
    """Every segment is remembered, for whatever reason."""
    sound = TcpConnection.receive_segment

    def receive_segment(self: TcpConnection, segment: Segment, now_s: float) -> list[Event]:
        self.__dict__.setdefault("history", []).append(segment)
        return sound(self, segment, now_s)

    patch.setattr(TcpConnection, "receive_segment", receive_segment)


@pytest.mark.parametrize("plant", [unbounded_pieces, unbounded_window, kept_segments])
def test_queue_without_a_bound_exceeds_the_stated_one(
    plant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    peak, lab = measure(ROUND)
    assert peak > memory_bound(lab.connection.config)
