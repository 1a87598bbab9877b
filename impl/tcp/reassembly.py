"""Data that came too early: held, without overlap and within bounds, until the hole before it is filled.

Source: RFC 9293 section 3.10.7.4 (SHLD-31). Of data that came twice the first copy counts: "we reconstruct the segment
to contain just the new data" (section 3.10).
"""

from __future__ import annotations

from shakeproof.impl.tcp.sequence import advance, distance

MAX_PIECES = 128
"""Holes that are remembered. A window of 64 KiB in whole segments is 45 pieces; single octets, every other one, would
cost a hundred times their size. What is dropped for it was not acknowledged, and comes again."""


class Reassembly:
    """Pieces in order of their sequence numbers, none of which touches another."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, bytearray]] = []
        self.fin_seq: int | None = None
        """Where the stream ends, if a FIN came early; the first one counts."""

    def __bool__(self) -> bool:
        return bool(self.pieces) or self.fin_seq is not None

    @property
    def held(self) -> int:
        """Bytes in all pieces."""
        return sum([len(data) for _, data in self.pieces])

    def clear(self) -> None:
        """Forgets everything."""
        self.pieces.clear()
        self.fin_seq = None

    def add(self, seq: int, data: bytes) -> None:
        """Holds what is new in the data. It lies within the receive window, which the caller has seen to."""
        end = advance(seq, len(data))
        if self.fin_seq is not None and distance(end, self.fin_seq) < 0:
            data = data[: max(0, distance(seq, self.fin_seq))]
            end = advance(seq, len(data))
        if not data:
            return
        if len(self.pieces) >= MAX_PIECES and distance(_end(self.pieces[-1]), seq) > 0:
            return  # it would be the last, and dropped
        first = last = self._first_from(seq)
        while last < len(self.pieces) and distance(self.pieces[last][0], end) >= 0:
            last += 1
        self.pieces[first:last] = [_merge(seq, data, self.pieces[first:last])]
        if len(self.pieces) > MAX_PIECES:
            self.pieces.pop()  # the last: the one that is needed latest

    def _first_from(self, seq: int) -> int:
        """The place of the first piece that ends at seq or later: by halves, for an attacker makes as many as there
        may be, and lets each segment look for its place among them."""
        low, high = 0, len(self.pieces)
        while low < high:
            middle = (low + high) // 2
            if distance(_end(self.pieces[middle]), seq) > 0:
                low = middle + 1
            else:
                high = middle
        return low

    def add_fin(self, seq: int) -> None:
        """Remembers where the stream ends; one that contradicts what is held is not believed."""
        beyond = bool(self.pieces) and distance(seq, _end(self.pieces[-1])) > 0
        if self.fin_seq is None and not beyond:
            self.fin_seq = seq

    def take(self, seq: int) -> bytes:
        """What continues the stream at seq, where nothing held begins earlier."""
        if self.pieces and self.pieces[0][0] == seq:
            return bytes(self.pieces.pop(0)[1])
        return b""


def _end(piece: tuple[int, bytearray]) -> int:
    return advance(piece[0], len(piece[1]))


def _merge(seq: int, data: bytes, old: list[tuple[int, bytearray]]) -> tuple[int, bytearray]:
    """One piece of data and the pieces that it overlaps or touches; octets of the old pieces win."""
    if not old:
        return seq, bytearray(data)
    start, merged = old[0]
    if distance(seq, start) > 0:
        merged = bytearray(data[: distance(seq, start)]) + merged
        start = seq
    position = distance(seq, start) + len(merged)  # where in data the merged piece ends
    for later_start, later in old[1:]:
        merged += data[position : distance(seq, later_start)]
        merged += later
        position = distance(seq, later_start) + len(later)
    merged += data[position:] if position < len(data) else b""
    return start, merged
