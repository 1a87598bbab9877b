"""The presentation language on the wire: integers and vectors, read strictly.

Everything that does not fit is a RemoteProtocolError with decode_error (RFC 5246 sections 4 and 7.2.2).
"""

from __future__ import annotations

from collections.abc import Iterable

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription


def decode_error(what: str, expected: str, got: str, clause: str) -> RemoteProtocolError:
    """The error of a structure that cannot be decoded."""
    return RemoteProtocolError(
        AlertDescription.DECODE_ERROR, expected=f"{what} with {expected}", got=f"{what} with {got}", clause=clause
    )


class Reader:
    """Reads one structure from bytes.

    what: its name for error messages; clause: where it is defined.
    """

    __slots__ = ("clause", "data", "end", "position", "what")

    def __init__(self, data: bytes, what: str, clause: str) -> None:
        self.data = data
        self.position = 0
        self.end = len(data)
        self.what = what
        self.clause = clause

    def fault(self, expected: str, got: str) -> RemoteProtocolError:
        """A decode_error of this structure."""
        return decode_error(self.what, expected, got, self.clause)

    def take(self, length: int) -> bytes:
        """The next `length` bytes."""
        start = self.position
        stop = start + length
        if stop > self.end:
            raise self.fault(f"{length} more bytes at offset {start}", f"{self.end - start}")
        self.position = stop
        return self.data[start:stop]

    def uint(self, length: int) -> int:
        """An unsigned integer of `length` bytes."""
        return int.from_bytes(self.take(length), "big")

    def vector(self, length_bytes: int, minimum: int = 0, maximum: int | None = None) -> bytes:
        """A vector<minimum..maximum>; maximum None is what its length field can say."""
        length = int.from_bytes(self.take(length_bytes), "big")
        if length < minimum or (maximum is not None and length > maximum):
            limit = maximum if maximum is not None else (1 << 8 * length_bytes) - 1
            raise self.fault(f"a vector of {minimum} to {limit} bytes", f"one of {length} bytes")
        return self.take(length)

    def uints(self, width: int, length_bytes: int, minimum: int = 0) -> tuple[int, ...]:
        """A vector of integers of `width` bytes each; minimum in bytes."""
        data = self.vector(length_bytes, minimum)
        if width == 1:
            return tuple(data)
        if len(data) % width:
            raise self.fault(f"a vector of a multiple of {width} bytes", f"one of {len(data)} bytes")
        return tuple([int.from_bytes(data[i : i + width], "big") for i in range(0, len(data), width)])

    def rest(self) -> bytes:
        """Everything that is left."""
        data = self.data[self.position :]
        self.position = self.end
        return data

    @property
    def remaining(self) -> int:
        """Bytes that are left."""
        return self.end - self.position

    def finish(self) -> None:
        """Nothing may be left."""
        if self.position != self.end:
            raise self.fault("no byte after its last field", f"{self.end - self.position} trailing bytes")


def vector(data: bytes, length_bytes: int) -> bytes:
    """A vector with its length. Raises OverflowError where the length does not fit its field."""
    return len(data).to_bytes(length_bytes, "big") + data


def uints(values: Iterable[int], width: int, length_bytes: int) -> bytes:
    """A vector of integers of `width` bytes each. Raises OverflowError where something does not fit."""
    return vector(b"".join([value.to_bytes(width, "big") for value in values]), length_bytes)
