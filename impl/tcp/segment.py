"""Segments, and how they lie on the wire.

Source: RFC 9293 section 3.1.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

from shakeproof.impl.errors import ProtocolError
from shakeproof.impl.tcp.options import Option, decode_options, encode_options
from shakeproof.impl.tcp.sequence import advance

HEADER_LENGTH = 20
PROTOCOL = 6
"""TCP's number in the IP header."""
MAX_URGENT = 65_535
"""Octets that the urgent field can point ahead."""
MAX_PSEUDO_HEADERS = 1024
"""Pairs of addresses whose part of the checksum is remembered; an attacker who invents addresses pushes others out."""

_HEADER = struct.Struct(">HHIIBBHHH")


class Endpoint(NamedTuple):
    """An IP address, as text, and a port: what the RFC calls a socket."""

    ip: str
    port: int


class BadSegment(ProtocolError):  # noqa: N818 - said of the segment; nothing failed
    """Bytes that are no segment. They are dropped silently."""


class BadChecksum(BadSegment):
    """The checksum does not fit: dropped silently too (MUST-3)."""


class Flags(IntFlag):
    """The control bits, CWR first on the wire."""

    FIN = 0x01
    SYN = 0x02
    RST = 0x04
    PSH = 0x08
    ACK = 0x10
    URG = 0x20
    ECE = 0x40
    CWR = 0x80


NO_FLAGS = Flags(0)
_FLAGS = tuple([Flags(bits) for bits in range(256)])

# Plain numbers for the paths that every segment takes: operators of IntFlag cost ten times as much.
FIN, SYN, RST, PSH, ACK, URG = (
    int(flag) for flag in (Flags.FIN, Flags.SYN, Flags.RST, Flags.PSH, Flags.ACK, Flags.URG)
)


def to_flags(bits: int) -> Flags:
    """The flags of a number of 8 bits, without the price of making an enum member."""
    return _FLAGS[bits]


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment. seq, ack: 0 to 2**32 - 1; window and urgent as on the wire, the window not yet scaled."""

    source_port: int
    destination_port: int
    seq: int
    ack: int = 0
    flags: Flags = NO_FLAGS
    window: int = 0
    urgent: int = 0
    options: tuple[Option, ...] = ()
    data: bytes = b""

    @property
    def length(self) -> int:
        """SEG.LEN: octets of sequence space, with SYN and FIN."""
        bits = int(self.flags)
        return len(self.data) + (bits & FIN) + (bits >> 1 & FIN)

    def encode(self, source_ip: str, destination_ip: str) -> bytes:
        """The segment on the wire, with its checksum (MUST-2)."""
        options = encode_options(self.options) if self.options else b""
        offset = (HEADER_LENGTH + len(options)) << 2  # words, in the upper half of the octet
        header = _HEADER.pack(
            self.source_port, self.destination_port, self.seq, self.ack, offset, self.flags, self.window, 0, self.urgent
        )
        segment = b"".join((header, options, self.data))
        total = checksum(segment, source_ip, destination_ip)
        return b"".join((header[:16], total.to_bytes(2, "big"), header[18:], options, self.data))

    @classmethod
    def decode(cls, data: bytes, source_ip: str, destination_ip: str) -> Segment:
        """Parses and checks a segment. Raises BadSegment, BadChecksum."""
        if len(data) < HEADER_LENGTH:
            raise BadSegment(f"{len(data)} bytes; a header has at least {HEADER_LENGTH}")
        source_port, destination_port, seq, ack, offset, bits, window, _, urgent = _HEADER.unpack_from(data)
        header_length = offset >> 4 << 2
        if not HEADER_LENGTH <= header_length <= len(data):
            raise BadSegment(f"a data offset of {header_length} bytes in a segment of {len(data)}")
        if checksum(data, source_ip, destination_ip):
            raise BadChecksum("the checksum does not fit the segment")
        options = decode_options(data[HEADER_LENGTH:header_length]) if header_length > HEADER_LENGTH else ()
        return cls(source_port, destination_port, seq, ack, _FLAGS[bits], window, urgent, options, data[header_length:])


@lru_cache(MAX_PSEUDO_HEADERS)
def _pseudo_header_sum(source_ip: str, destination_ip: str) -> int:
    """The addresses and the protocol, summed. The sum does not depend on the place of a 16-bit word, so that the
    pseudo-headers of IPv4 and IPv6, which differ in nothing else, need no code of their own."""
    source, destination = ip_address(source_ip), ip_address(destination_ip)
    if source.version != destination.version:
        raise ValueError(f"{source_ip} and {destination_ip} are of different IP versions")
    return (int.from_bytes(source.packed + destination.packed, "big") + PROTOCOL) % 0xFFFF


def checksum(segment: bytes, source_ip: str, destination_ip: str) -> int:
    """The checksum of a segment whose checksum field is zero; of one with its checksum: 0 where that is right.

    A one's complement sum of 16-bit words is a number modulo 65535, because 2**16 is 1 there: one division of a long
    integer, several times faster than a loop over the words.

    Source: RFC 9293 section 3.1; RFC 1071.
    """
    number = int.from_bytes(segment, "big")
    if len(segment) % 2:
        number <<= 8
    return -(number + len(segment) + _pseudo_header_sum(source_ip, destination_ip)) % 0xFFFF


def reset_for(segment: Segment) -> Segment | None:
    """The reset that answers a segment where there is no connection for it; None for a reset, which gets none.

    Source: RFC 9293 sections 3.5.2 and 3.10.7.1.
    """
    bits = int(segment.flags)
    if bits & RST:
        return None
    ports = (segment.destination_port, segment.source_port)
    if bits & ACK:
        return Segment(*ports, seq=segment.ack, flags=Flags.RST)
    return Segment(*ports, seq=0, ack=advance(segment.seq, segment.length), flags=Flags.RST | Flags.ACK)
