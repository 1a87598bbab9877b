"""How inputs travel: records that are joined or cut, and the segments of a write.

A handshake message may come in any number of records, and a record may hold several messages; a transport has no
bounds at all. None of it may make a difference (RFC 5246 section 6.2.1).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.impl.tls.suites import ContentType
from shakeproof.properties.suites import Delivery

RECORD_MOST = 2**14
"""Bytes of plaintext in a record (RFC 5246 section 6.2.1)."""


def writes(pieces: Sequence[bytes], ways: Sequence[Delivery]) -> list[bytes]:
    """The writes, one for each segment. pieces: the records of each input."""
    flights: list[list[bytes]] = []
    cuts: list[tuple[int, ...]] = []
    for piece, way in zip(pieces, ways, strict=True):
        if not flights or not way.joined:
            flights.append([piece])
            cuts.append(way.cuts)
        elif way.merged:
            flights[-1][-1:] = merged(flights[-1][-1], piece)
        else:
            flights[-1].append(piece)
    return [part for flight, at in zip(flights, cuts, strict=True) for part in cut(b"".join(flight), at)]


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """The data in pieces; a cut beyond its end is none."""
    bounds = [0, *sorted({place for place in at if 0 < place < len(data)}), len(data)]
    return [data[one:other] for one, other in itertools.pairwise(bounds)]


def merged(one: bytes, other: bytes) -> tuple[bytes, ...]:
    """Two inputs in one record, where both are handshake records in the clear that fit; else side by side."""
    first, second = _whole(one), _whole(other)
    if first is None or second is None or first[0] != second[0] or len(first[1] + second[1]) > RECORD_MOST:
        return one, other
    content = first[1] + second[1]
    return (first[0] + len(content).to_bytes(2, "big") + content,)


def _whole(data: bytes) -> tuple[bytes, bytes] | None:
    """Type and version, and the content, where the data are one handshake record whose messages are whole."""
    if len(data) < HEADER_LENGTH or data[0] != ContentType.HANDSHAKE:
        return None
    content = data[HEADER_LENGTH:]
    if int.from_bytes(data[3:5], "big") != len(content) or not _are_messages(content):
        return None
    return data[:3], content


def _are_messages(content: bytes) -> bool:
    """Whether the content is whole messages: in a record that is protected it is not, but for a chance of 2**-24."""
    while len(content) >= 4:
        content = content[4 + int.from_bytes(content[1:4], "big") :] if _fits(content) else b"?"
    return not content


def _fits(content: bytes) -> bool:
    return 4 + int.from_bytes(content[1:4], "big") <= len(content)
