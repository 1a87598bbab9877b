"""What the Linux kernel tells of a TCP connection's other end and of the processes behind it.

A local connection has two sockets on this machine, so that of the target's own one can be asked how much it has not
read and how much of what it wrote is not acknowledged. The answer takes some 10 microseconds, where a timer takes 50
milliseconds and tells less.

Source: sock_diag(7), proc(5).
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Address: TypeAlias = tuple[str, int]

ESTABLISHED, LISTEN = 1, 10
"""States of a TCP socket, as the kernel numbers them."""

_SOCK_DIAG_BY_FAMILY = 20
_NETLINK_SOCK_DIAG = 4
_REQUEST = 1
_INFO = 2
"""INET_DIAG_INFO: the attribute that carries struct tcp_info."""
_BYTES_RECEIVED = 128
"""Where tcpi_bytes_received stands in it."""
_HEADER = struct.Struct("=IHHII")
_WANTED = struct.Struct("=BBBxI")
_ANSWER = struct.Struct("=4B48xIIIII")
_ATTRIBUTE = struct.Struct("=HH")
_ANSWER_BYTES = 4096
_NO_COOKIE = b"\xff" * 8


@dataclass(frozen=True, slots=True)
class Queues:
    """A socket's state and its queues. unread, unacknowledged: bytes; received: bytes of its peer, so far, -1 where the
    kernel does not say; is_accepted: whether a process has it.
    """

    state: int
    unread: int
    unacknowledged: int
    received: int
    is_accepted: bool


class Diagnosis:
    """Questions to the kernel about sockets of this machine. Raises OSError where it can't be asked."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG)
        self._socket.settimeout(1.0)

    def queues(self, own: Address, peer: Address = ("", 0)) -> Queues | None:
        """The socket at `own` that is connected to `peer`, or listens where that is left out; None: there is none."""
        return self.ask(request_for(own, peer))

    def ask(self, request: bytes) -> Queues | None:
        """The answer to a request that was made before: the same is asked many times."""
        self._socket.send(request)
        answer = self._socket.recv(_ANSWER_BYTES)
        kind = int.from_bytes(answer[4:6], "little" if _LITTLE else "big")
        if kind != _SOCK_DIAG_BY_FAMILY:
            return None
        _, state, _, _, _, unread, unacknowledged, _, inode = _ANSWER.unpack_from(answer, _HEADER.size)
        return Queues(state, unread, unacknowledged, _received(answer), inode != 0)

    def close(self) -> None:
        """Ask no more."""
        self._socket.close()


_LITTLE = struct.pack("=H", 1) == b"\1\0"


def _received(answer: bytes) -> int:
    place = _HEADER.size + _ANSWER.size
    while place + _ATTRIBUTE.size <= len(answer):
        length, kind = _ATTRIBUTE.unpack_from(answer, place)
        if kind == _INFO and length >= _ATTRIBUTE.size + _BYTES_RECEIVED + 8:
            at = place + _ATTRIBUTE.size + _BYTES_RECEIVED
            return int.from_bytes(answer[at : at + 8], "little" if _LITTLE else "big")
        if length < _ATTRIBUTE.size:
            return -1
        place += (length + 3) & ~3
    return -1


def request_for(own: Address, peer: Address = ("", 0)) -> bytes:
    """The question for one socket. Raises OSError for what is no numeric address."""
    is_six = ":" in own[0]
    family = socket.AF_INET6 if is_six else socket.AF_INET
    places = b"".join((socket.inet_pton(family, host) if host else b"").ljust(16, b"\0") for host in (own[0], peer[0]))
    ports = own[1].to_bytes(2, "big") + peer[1].to_bytes(2, "big")
    body = (
        _WANTED.pack(family, socket.IPPROTO_TCP, 1 << (_INFO - 1), 0xFFFFFFFF) + ports + places + bytes(4) + _NO_COOKIE
    )
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 0, 0) + body


# ------------------------------------------------------------------------------------------------------------ processes

ASLEEP = frozenset("SITt")
"""States of a thread that will not run by itself: asleep, idle, stopped. A D is about to go on."""
DEAD = frozenset("ZXx")
_THREADS = 17
"""How many words stand between a thread's state and the number of threads, in its stat."""


class Processes:
    """Some processes with all their children, as /proc shows them."""

    def __init__(self, roots: Iterable[int]) -> None:
        self.roots = tuple(roots)

    @property
    def can_be_seen(self) -> bool:
        """Whether all of them live and their threads can be looked at."""
        return bool(self.roots) and all(_threads(root) for root in self.roots)

    def are_asleep(self) -> bool:
        """Whether no thread of them runs or is about to. Of processes that are gone, none does."""
        seen: set[int] = set()
        left = list(self.roots)
        while left:
            process = left.pop()
            if process in seen:
                continue
            seen.add(process)
            for thread, state in _states(process):
                if state and state not in ASLEEP and state not in DEAD:
                    return False
                left += _children(process, thread)
        return True


def _threads(process: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{process}/task")  # iterdir takes twice as long, and this is counted
    except OSError:
        return []


def _read(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(file, 4096)
    except OSError:
        return b""
    finally:
        os.close(file)


def _states(process: int) -> Iterator[tuple[str, str]]:
    """Each thread with its state. One that is alone says so itself, and nobody needs to look for others."""
    first = str(process)
    state, count = _state(process, first)
    if count == 1:
        yield first, state
        return
    for thread in _threads(process):
        yield thread, _state(process, thread)[0]


def _state(process: int, thread: str) -> tuple[str, int]:
    """The state of a thread, "" where it is gone, and how many its process has, 0 where that is not said."""
    stat = _read(f"/proc/{process}/task/{thread}/stat")
    place = stat.rfind(b")")
    if place <= 0 or len(stat) <= place + 2:
        return "", 0
    told = stat[place + 2 :].split(None, _THREADS + 1)
    return chr(stat[place + 2]), int(told[_THREADS]) if len(told) > _THREADS else 0


def _children(process: int, thread: str) -> Iterator[int]:
    return map(int, _read(f"/proc/{process}/task/{thread}/children").split())


def listeners_at(port: int, among: Iterable[int] = ()) -> tuple[int, ...]:
    """The processes that have the socket that listens there, as far as we may look. among: only of these, if any."""
    inodes = _listening(port)
    found = []
    for entry in [Path(f"/proc/{process}") for process in among] or Path("/proc").iterdir():
        if entry.name.isdecimal() and inodes & _sockets_of(entry):
            found.append(int(entry.name))
    return tuple(found)


def _listening(port: int) -> set[str]:
    found: set[str] = set()
    for name in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(name).read_text(encoding="ascii").splitlines()[1:]:
                parts = line.split()
                if int(parts[1].rpartition(":")[2], 16) == port and int(parts[3], 16) == LISTEN:
                    found.add(f"socket:[{parts[9]}]")
    return found


def _sockets_of(process: Path) -> set[str]:
    found: set[str] = set()
    with contextlib.suppress(OSError):
        for file in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                found.add(str(file.readlink()))
    return found
