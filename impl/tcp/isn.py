"""Initial sequence numbers, and the offset of timestamps: keyed hashes of the four-tuple.

Source: RFC 9293 section 3.4.1 (MUST-8, SHLD-1, MUST-9); RFC 7323 section 5.4 and its section 7 on random offsets.
"""

from __future__ import annotations

import hashlib

from shakeproof.impl.tcp.segment import Endpoint
from shakeproof.impl.tcp.sequence import MASK

TICKS_PER_S = 250_000
"""M ticks every 4 microseconds."""


def initial_sequence_number(secret: bytes, local: Endpoint, remote: Endpoint, now_s: float) -> int:
    """ISN = M + F(localip, localport, remoteip, remoteport, secretkey)."""
    return (int(now_s * TICKS_PER_S) + keyed_hash(secret, "isn", local, remote)) & MASK


def timestamp_offset(secret: bytes, local: Endpoint, remote: Endpoint) -> int:
    """Where the timestamps of this pair of sockets begin, so that they do not tell how long we have been up."""
    return keyed_hash(secret, "timestamp", local, remote)


def keyed_hash(secret: bytes, purpose: str, local: Endpoint, remote: Endpoint) -> int:
    """F: 32 bits that cannot be computed without the secret. What goes in is unambiguous: no field has a space."""
    text = f"{purpose} {local.ip} {local.port} {remote.ip} {remote.port}".encode()
    key = hashlib.blake2s(secret).digest()
    return int.from_bytes(hashlib.blake2s(text, key=key, digest_size=4).digest(), "big")
