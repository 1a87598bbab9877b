"""Segments on the wire: header, options, checksum."""

from __future__ import annotations

import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shakeproof.impl.tcp import BadChecksum, BadSegment, Flags, Option, Segment
from shakeproof.impl.tcp.options import NOP, decode_options, encode_options, find_mss, maximum_segment_size, timestamps
from shakeproof.impl.tcp.segment import checksum, reset_for
from shakeproof.impl.tcp.sequence import advance, distance

V4 = ("192.0.2.1", "192.0.2.2")
V6 = ("2001:db8::1", "2001:db8::2")
deterministic = settings(derandomize=True, deadline=None)

option = st.one_of(
    st.just(NOP), st.builds(Option, st.integers(2, 255), st.binary(max_size=6)), st.just(maximum_segment_size(1460))
)
segments = st.builds(
    Segment,
    st.integers(0, 65_535),
    st.integers(0, 65_535),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255).map(Flags),
    st.integers(0, 65_535),
    st.integers(0, 65_535),
    st.lists(option, max_size=4).map(tuple),
    st.binary(max_size=50),
)


def naive_checksum(data: bytes, source: bytes, destination: bytes) -> int:
    """The sum as RFC 1071 section 4.1 adds it, over the pseudo-header and the segment."""
    length = struct.pack(">I", len(data)) if len(source) == 16 else struct.pack(">H", len(data))
    protocol = b"\0\0\0\6" if len(source) == 16 else b"\0\6"
    message = source + destination + length + protocol + data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(message) // 2}H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_checksum_is_the_sum_of_rfc_1071_over_both_pseudo_headers() -> None:
    generator = random.Random(1)
    for length in (20, 21, 33, 1460, 1461):
        data = generator.randbytes(length)
        assert checksum(data, *V4) == naive_checksum(data, bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2)))
        prefix = bytes.fromhex("20010db8") + bytes(11)
        assert checksum(data, *V6) == naive_checksum(data, prefix + b"\1", prefix + b"\2")


def test_checksum_of_all_ones_is_sent_as_zero() -> None:
    """The words add up to 0xffff: its complement is 0, never 0xffff."""
    data = bytearray(20)
    rest = checksum(bytes(data), *V4)
    data[0:2] = rest.to_bytes(2, "big")
    assert checksum(bytes(data), *V4) == 0 == naive_checksum(bytes(data), bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2)))


def test_addresses_of_different_versions_are_refused() -> None:
    with pytest.raises(ValueError, match="different IP versions"):
        checksum(bytes(20), V4[0], V6[0])


@deterministic
@given(segments, st.sampled_from((V4, V6)))
def test_what_is_encoded_is_decoded(segment: Segment, addresses: tuple[str, str]) -> None:
    encoded = segment.encode(*addresses)
    assert Segment.decode(encoded, *addresses) == segment
    assert Segment.decode(encoded, *addresses).encode(*addresses) == encoded


@deterministic
@given(segments, st.data())
def test_one_flipped_bit_is_a_bad_segment(segment: Segment, data: st.DataObject) -> None:
    encoded = bytearray(segment.encode(*V4))
    bit = data.draw(st.integers(0, 8 * len(encoded) - 1))
    encoded[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadSegment):
        Segment.decode(bytes(encoded), *V4)


def test_another_address_is_a_bad_checksum() -> None:
    encoded = Segment(1, 2, 3).encode(*V4)
    with pytest.raises(BadChecksum):
        Segment.decode(encoded, V4[0], "192.0.2.3")


@pytest.mark.parametrize("offset", [0, 4, 6, 15])
def test_data_offset_that_does_not_fit_is_a_bad_segment(offset: int) -> None:
    data = bytearray(20)
    data[12] = offset << 4
    data[16:18] = checksum(bytes(data), *V4).to_bytes(2, "big")
    with pytest.raises(BadSegment):
        Segment.decode(bytes(data), *V4)


@deterministic
@given(st.binary(max_size=80))
def test_random_bytes_are_a_bad_segment_or_a_segment(data: bytes) -> None:
    if len(data) >= 20:
        whole = bytearray(data)
        whole[16:18] = b"\0\0"
        whole[16:18] = checksum(bytes(whole), *V4).to_bytes(2, "big")
        data = bytes(whole)
    try:
        segment = Segment.decode(data, *V4)
    except BadSegment:
        return
    assert segment.length <= len(data)


def test_options_are_padded_with_zeros_to_whole_words() -> None:
    encoded = encode_options((maximum_segment_size(1460), Option(3, b"\7")))
    assert encoded == bytes.fromhex("020405b4 030307 00")
    with pytest.raises(ValueError, match="at most 40"):
        encode_options((Option(200, bytes(39)),))


def test_options_begin_at_any_octet_and_padding_is_not_looked_at() -> None:
    assert find_mss(decode_options(bytes.fromhex("01 020405b4 00 ffff"))) == 1460


@pytest.mark.parametrize("malformed", ["02", "0200", "0201", "0205", "fe00", "fe01", "feff", "08"], ids=str)
def test_illegal_option_length_ends_the_list_and_is_survived(malformed: str) -> None:
    options = decode_options(bytes.fromhex("020405b4") + bytes.fromhex(malformed))
    assert options == (maximum_segment_size(1460),)


def test_option_of_a_wrong_length_for_its_kind_is_not_understood() -> None:
    assert find_mss(decode_options(bytes.fromhex("0203 05 00"))) is None


def test_timestamps_lie_as_rfc_7323_shows() -> None:
    assert encode_options((NOP, NOP, timestamps(1, 2))) == bytes.fromhex("0101080a 00000001 00000002")


def test_length_counts_syn_and_fin() -> None:
    assert Segment(1, 2, 3, data=b"abc").length == 3
    assert Segment(1, 2, 3, flags=Flags.SYN | Flags.FIN, data=b"abc").length == 5
    assert Segment(1, 2, 3, flags=Flags.RST | Flags.ACK).length == 0


def test_reset_takes_its_numbers_from_what_it_answers() -> None:
    assert reset_for(Segment(1, 2, 100, 200, Flags.ACK)) == Segment(2, 1, 200, 0, Flags.RST)
    answer = reset_for(Segment(1, 2, 2**32 - 1, flags=Flags.SYN, data=b"ab"))
    assert answer == Segment(2, 1, 0, 2, Flags.RST | Flags.ACK)
    assert reset_for(Segment(1, 2, 100, flags=Flags.RST)) is None


def test_sequence_numbers_wrap() -> None:
    assert advance(2**32 - 1, 2) == 1
    assert advance(1, -2) == 2**32 - 1
    assert distance(2**32 - 1, 1) == 2
    assert distance(1, 2**32 - 1) == -2
    assert distance(0, 2**31 - 1) == distance(2**31 + 1, 0) == 2**31 - 1
    assert distance(0, 2**31) == distance(2**31, 0) == -(2**31), "half of the circle is behind"
