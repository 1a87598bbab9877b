"""Sequence numbers: arithmetic modulo 2**32.

Source: RFC 9293 section 3.4 ("all arithmetic dealing with sequence numbers must be performed modulo 2^32").
"""

from __future__ import annotations

MASK = 0xFFFF_FFFF
_HALF = 0x8000_0000


def advance(seq: int, count: int) -> int:
    """The sequence number `count` octets after seq, or before it where count is negative."""
    after = seq + count
    return after if 0 <= after <= MASK else after & MASK


def distance(start: int, end: int) -> int:
    """How many octets `end` lies after `start`, -2**31 to 2**31 - 1; negative where it lies before."""
    apart = end - start
    if -_HALF <= apart < _HALF:  # most often, and then it is said at once: nothing else of TCP is called so often
        return apart
    return ((apart + _HALF) & MASK) - _HALF
