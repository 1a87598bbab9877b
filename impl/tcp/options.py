"""TCP options: one form for all kinds, known or not.

What cannot be parsed ends the list, and what came before it counts: an illegal length must be survived (MUST-7), and
to reset the connection for it, which the RFC suggests, would be a gift to whoever can forge one segment.

Source: RFC 9293 sections 3.1 and 3.2; RFC 7323 sections 2.2 and 3.2.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

END_OF_LIST = 0
NO_OPERATION = 1
MAXIMUM_SEGMENT_SIZE = 2
WINDOW_SCALE = 3
TIMESTAMPS = 8

MAX_OPTIONS_LENGTH = 40
"""Bytes: the data offset counts at most 15 words, 5 of them fixed."""

_TIMESTAMPS = struct.Struct(">II")
_MSS = struct.Struct(">H")


class Option(NamedTuple):
    """An option. data: without kind and length; empty for END_OF_LIST and NO_OPERATION, which are a single octet."""

    kind: int
    data: bytes = b""


NOP = Option(NO_OPERATION)


def maximum_segment_size(mss: int) -> Option:
    """The Maximum Segment Size option, 0 to 65535. Source: RFC 9293 section 3.2."""
    return Option(MAXIMUM_SEGMENT_SIZE, _MSS.pack(mss))


def window_scale(shift: int) -> Option:
    """The Window Scale option. Source: RFC 7323 section 2.2."""
    return Option(WINDOW_SCALE, bytes((shift,)))


def timestamps(value: int, echo_reply: int) -> Option:
    """The Timestamps option: TSval and TSecr. Source: RFC 7323 section 3.2."""
    return Option(TIMESTAMPS, _TIMESTAMPS.pack(value, echo_reply))


def find_mss(options: Iterable[Option]) -> int | None:
    """The value of the first well-formed Maximum Segment Size option."""
    data = _find(options, MAXIMUM_SEGMENT_SIZE, _MSS.size)
    return None if data is None else int(_MSS.unpack(data)[0])


def find_window_scale(options: Iterable[Option]) -> int | None:
    """The shift count of the first well-formed Window Scale option."""
    data = _find(options, WINDOW_SCALE, 1)
    return None if data is None else data[0]


def find_timestamps(options: Iterable[Option]) -> tuple[int, int] | None:
    """TSval and TSecr of the first well-formed Timestamps option."""
    data = _find(options, TIMESTAMPS, _TIMESTAMPS.size)
    if data is None:
        return None
    value, echo_reply = _TIMESTAMPS.unpack(data)
    return value, echo_reply


def _find(options: Iterable[Option], kind: int, length: int) -> bytes | None:
    for option in options:
        if option.kind == kind and len(option.data) == length:
            return option.data
    return None


def encode_options(options: Iterable[Option]) -> bytes:
    """The options, padded with zeros to whole words (MUST-69).

    Raises ValueError where they do not fit.
    """
    parts = []
    for kind, data in options:
        if kind in (END_OF_LIST, NO_OPERATION):
            parts.append(bytes((kind,)))
        else:
            parts.append(bytes((kind, 2 + len(data))))
            parts.append(data)
    encoded = b"".join(parts)
    encoded += bytes(-len(encoded) % 4)
    if len(encoded) > MAX_OPTIONS_LENGTH:
        raise ValueError(f"options of {len(encoded)} bytes; at most {MAX_OPTIONS_LENGTH} fit in a header")
    return encoded


def decode_options(data: bytes) -> tuple[Option, ...]:
    """The options up to the end of the list, or to the first that is malformed. Those of unknown kind are kept.

    Padding after the End of Option List is not looked at; options begin at any octet (MUST-64).
    """
    found = []
    position = 0
    while position < len(data):
        kind = data[position]
        if kind == END_OF_LIST:
            break
        if kind == NO_OPERATION:
            found.append(NOP)
            position += 1
            continue
        length = data[position + 1] if position + 1 < len(data) else 0
        if length < 2 or position + length > len(data):
            break
        found.append(Option(kind, data[position + 2 : position + length]))
        position += length
    return tuple(found)
