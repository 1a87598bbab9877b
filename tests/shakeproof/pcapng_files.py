"""A reader of pcapng files, written from the format's text and not from our writer; it is strict."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

from shakeproof.impl.tcp import Segment

SECTION, INTERFACE, SECRETS, PACKET = 0x0A0D0D0A, 1, 10, 6


@dataclass
class Packet:
    """A packet, its headers taken apart and its checksums verified."""

    ticks: int
    source: str
    destination: str
    segment: Segment
    comment: str


@dataclass
class Capture:
    """What a file holds."""

    comment: str = ""
    application: str = ""
    keys: str = ""
    packets: list[Packet] = field(default_factory=list)


def parse(data: bytes) -> Capture:
    """The file. Raises AssertionError where it is not as the format wants it."""
    found, at, interfaces = Capture(), 0, 0
    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        assert length % 4 == 0, "a block is a multiple of 32 bits"
        assert 12 <= length <= len(data) - at
        assert struct.unpack_from("<I", data, at + length - 4) == (length,), "the length stands at both ends"
        body = data[at + 8 : at + length - 4]
        if at == 0:
            assert kind == SECTION
        if kind == SECTION:
            assert struct.unpack_from("<IHHq", body) == (0x1A2B3C4D, 1, 0, -1)
            options = options_of(body[16:])
            found.comment, found.application = options[1].decode(), options[4].decode()
        elif kind == INTERFACE:
            assert struct.unpack_from("<HHI", body) == (101, 0, 0)
            assert options_of(body[8:])[9] == b"\6", "times are microseconds"
            interfaces += 1
        elif kind == SECRETS:
            assert not found.packets, "secrets come before what they open"
            secrets, size = struct.unpack_from("<II", body)
            assert secrets == 0x544C534B
            assert len(body) == 8 + size + -size % 4
            found.keys = body[8 : 8 + size].decode()
        else:
            assert kind == PACKET
            found.packets.append(packet(body, interfaces))
        at += length
    return found


def options_of(data: bytes) -> dict[int, bytes]:
    """The options by their code, none twice, up to the end of options."""
    found: dict[int, bytes] = {}
    while True:
        code, size = struct.unpack_from("<HH", data)
        if code == 0:
            assert (size, len(data)) == (0, 4), "the end of options is the end of the block"
            return found
        assert code not in found
        found[code] = data[4 : 4 + size]
        assert not any(data[4 + size : 4 + size + -size % 4]), "padded with zeros"
        data = data[4 + size + -size % 4 :]


def packet(body: bytes, interfaces: int) -> Packet:
    """One packet."""
    interface, high, low, captured, original = struct.unpack_from("<IIIII", body)
    assert interface < interfaces
    assert captured == original
    raw, options = body[20 : 20 + captured], options_of(body[20 + captured + -captured % 4 :])
    if raw[0] >> 4 == 4:
        assert raw[0] == 0x45
        assert struct.unpack_from(">H", raw, 2) == (len(raw),)
        assert raw[9] == 6
        total = sum(struct.unpack(">10H", raw[:20]))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        assert total == 0xFFFF, "the header's checksum"
        ends = [".".join(map(str, raw[start : start + 4])) for start in (12, 16)]
        segment = raw[20:]
    else:
        assert raw[0] >> 4 == 6
        assert struct.unpack_from(">HB", raw, 4) == (len(raw) - 40, 6)
        ends = [":".join(f"{word:x}" for word in struct.unpack(">8H", raw[at : at + 16])) for at in (8, 24)]
        segment = raw[40:]
    source, destination = ends
    return Packet(
        high << 32 | low, source, destination, Segment.decode(segment, source, destination), options[1].decode()
    )
