"""The verbs on segments, one by one, on packets under way; and what an attacker can do with what it knows."""

from __future__ import annotations

import pytest

from shakeproof.impl.tcp import BadChecksum, Flags, Packet, Segment
from shakeproof.model.trace import Fate
from shakeproof.properties import adversary_segments as segments
from shakeproof.properties.adversary import PIECES_LIMIT, Knowledge
from shakeproof.properties.adversary_segments import Flight, Transit, decoded, title_of

A, B = "192.0.2.1", "192.0.2.2"
TEXT = bytes(range(100))


def packet(seq: int, data: bytes = TEXT, flags: Flags = Flags.ACK | Flags.PSH) -> Packet:
    return Packet(A, B, Segment(50_000, 443, seq, 7, flags, 65_535, 0, (), data).encode(A, B))


def flight(*numbers: int) -> tuple[Flight, list[Transit]]:
    made = Flight(latency_s=0.02)
    return made, [made.put("client", "server", packet(seq)) for seq in numbers]


def text_of(transits: list[Transit]) -> bytes:
    return b"".join(one.segment.data for one in transits if one.segment is not None)


def test_packets_arrive_in_the_order_in_which_they_set_out() -> None:
    made, (first, second) = flight(0, 100)
    assert segments.deliver(made) == [first]
    assert segments.deliver(made) == [second]
    assert segments.deliver(made) == []


def test_dropped_one_never_arrives_and_delayed_one_arrives_last() -> None:
    made, (first, second, third) = flight(0, 100, 200)
    assert segments.drop(made, second) == []
    assert second.fate is Fate.LOST
    assert segments.delay(made, first, by_s=0.5) == []
    assert segments.deliver(made) == [third]
    assert segments.deliver(made) == [first]
    assert first.arrives_s == pytest.approx(0.52)


def test_duplicate_arrives_twice_with_the_same_bytes() -> None:
    made, (first, _) = flight(0, 100)
    one, again = segments.duplicate(made, first)
    assert one.packet == again.packet
    assert (one.fate, again.fate) == (Fate.DELIVERED, Fate.REPLAYED)
    assert first not in made.under_way


def test_reordered_one_overtakes_those_before_it() -> None:
    made, (first, second) = flight(0, 100)
    assert segments.reorder(made, made.rank(1)) == [second]
    assert segments.deliver(made) == [first]


def test_replay_takes_any_packet_of_any_connection() -> None:
    made, (first, _) = flight(0, 100)
    made.clear()
    (again,) = segments.replay(made, 0)
    assert again.packet == first.packet
    assert again.to == "server"
    assert not made.under_way


@pytest.mark.parametrize("piece", [1, 3, 99, 100, 1000])
def test_split_segment_has_the_same_octets_at_the_same_numbers(piece: int) -> None:
    made, (first,) = flight(1000)
    pieces = segments.fragment(made, first, piece)
    assert text_of(pieces) == TEXT
    assert len(pieces) <= PIECES_LIMIT
    at = 1000
    for one in pieces:
        assert one.segment is not None
        assert one.segment.seq == at
        at += len(one.segment.data)
    pushed = [bool(one.segment and one.segment.flags & Flags.PSH) for one in pieces]
    assert pushed == [False] * (len(pieces) - 1) + [True]


def test_garbled_one_is_dropped_by_its_receiver_whatever_bit_is_flipped() -> None:
    length = len(packet(0).data)
    for place in range(length):
        made, (first,) = flight(0)
        (garbled,) = segments.garble(made, first, place, place % 8)
        assert decoded(garbled.packet) is None, place


def test_tampered_one_has_a_checksum_that_fits() -> None:
    made, (first,) = flight(0)
    (tampered,) = segments.tamper(made, first, 5, 0)
    assert tampered.segment is not None
    assert tampered.segment.seq == 1 << 16
    assert tampered.fate is Fate.TAMPERED
    with pytest.raises(BadChecksum):
        Segment.decode(first.packet.data[:-1] + b"\xff", A, B)


def test_truncated_one_ends_the_stream_early() -> None:
    made, (first,) = flight(0)
    (cut,) = segments.truncate(made, first, 30)
    assert cut.segment is not None
    assert cut.segment.data == TEXT[:30]
    assert cut.segment.flags & Flags.FIN


def test_titles_are_those_of_pictures() -> None:
    assert title_of(Segment(1, 2, 0, flags=Flags.SYN | Flags.ACK)) == "SYN-ACK"
    assert title_of(Segment(1, 2, 0, flags=Flags.FIN | Flags.ACK)) == "FIN-ACK"
    assert title_of(Segment(1, 2, 0, flags=Flags.PSH | Flags.ACK, data=b"ab")) == "PSH-ACK (2 bytes)"


# -------------------------------------------------------------------------------------------------- what can be guessed

WINDOW, EXACT, HALF = 65_535, 1, 1 << 31


@pytest.mark.parametrize(
    ("ranges", "blind"),
    [
        ((WINDOW,), True),
        ((EXACT,), False),
        ((WINDOW, HALF, HALF), True),
        ((WINDOW, WINDOW), False),
        ((1 << 32,), True),
    ],
)
def test_blind_attacker_guesses_one_number_to_within_a_window_and_no_more(ranges: tuple[int, ...], blind: bool) -> None:
    knowledge = Knowledge()
    assert knowledge.affords(*ranges) is blind
    knowledge.learn(numbers=True)
    assert knowledge.affords(*ranges)


def test_knowledge_only_grows() -> None:
    knowledge = Knowledge()
    knowledge.learn(numbers=True, keys=frozenset({"a"}))
    knowledge.learn(numbers=False, place=True)
    assert knowledge.numbers
    assert knowledge.place
    assert "a" in knowledge.keys
