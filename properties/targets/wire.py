"""One end of a TCP connection on this machine or elsewhere, and how it is known that the other end is quiet.

Where the kernel shows the target's own socket and its processes, quiet is known: it has read all that was sent, all
that it wrote has come, and every thread of it sleeps, seen twice. Else it is guessed: nothing came for some times as
long as the target ever took. A target that answers after it was thought quiet waits for something that the kernel does
not show (a timer, another machine), so that from then on it is a matter of time for it too.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shakeproof.properties.targets.base import Endpoint, Reaction
from shakeproof.properties.targets.kernel import Address, Diagnosis, Processes, request_for

READ_BYTES = 65536
STEP_BYTES = 1 << 20
"""The most that is read in one step: a flight has some kilobytes. Who sends more is cut off."""
STEP_S = 2.0
"""The longest that one step may last: bounds a target that never stops talking."""
BUSY_S = 0.5
"""Whose threads run for so long without a word is taken for one that spins: then time counts. A DHE handshake takes a
few milliseconds."""
SPINS = 3
"""So often in a row, and it is no hiccup."""
SLEEP_S = 1.5
"""Who sleeps while there is something to read is waited for so long: programs sleep for a second where they see nothing
better to do."""
LOOK_S = 0.0001
"""Between two looks, if nothing comes; what comes is seen at once."""
LOOK_SHARE, LOOK_MOST_S = 0.1, 0.002
"""Later this part of the time that it has taken so far, at most: whoever takes long needs the processor itself."""
LOOKS_IN_A_ROW = 8
"""Looks that are only a yield apart, before there is a wait between them."""
GONE_S = 0.3
"""For the processes of a target that closed the connection to come to rest or to an end."""

QUIET_LEAST_S, QUIET_MOST_S = 0.02, 0.5
"""Bounds of the time after which silence counts as quiet. Ours acknowledges at once, so that nothing of a target on
this machine waits for TCP."""
QUIET_FIRST_S = 0.08
"""The same before anything was measured: more than the 40 ms that a delayed acknowledgement takes."""
QUIET_FACTOR = 5
"""Times the longest that the target took for anything so far."""
FORGETTING = 0.95
"""What is left of the longest time with each that follows: one hiccup of the machine does not count for ever."""
OWED_S = 0.5
"""How long an answer that is due is waited for, where it is thought that none comes."""
OWED_LEAST_S = 0.1
"""The same of a target that has let us wait in vain again and again."""


class Crash(Protocol):
    """Tells how the target died, "" where it lives."""

    def __call__(self) -> str: ...


def alive() -> str:
    """Of a target that nobody can see die."""
    return ""


@dataclass
class Watch:
    """What is known of a target's quiet, over all of its connections.

    processes: that are behind it, None where they can't be seen; crash: how it died. slowest_s: the longest wait for
    something that came. is_timed: whether time is all that tells.
    """

    diagnosis: Diagnosis | None = None
    processes: Processes | None = None
    crash: Crash = alive
    slowest_s: float = 0.0
    is_timed: bool = False
    spun: int = 0
    late: int = 0
    vain: int = 0

    @property
    def is_exact(self) -> bool:
        """Whether quiet can be known."""
        return not self.is_timed and self.diagnosis is not None and self.processes is not None

    @property
    def owed_s(self) -> float:
        """How long an answer that is due is waited for: less, the more often that was in vain."""
        return max(OWED_LEAST_S, OWED_S / (1 + self.vain))

    @property
    def quiet_s(self) -> float:
        """How long silence lasts that counts as quiet, where time has to tell."""
        if not self.slowest_s:
            return QUIET_FIRST_S
        return min(QUIET_MOST_S, max(QUIET_LEAST_S, QUIET_FACTOR * self.slowest_s))

    def took(self, seconds: float) -> None:
        """Something came after so long."""
        self.slowest_s = max(seconds, self.slowest_s * FORGETTING)

    def note_spinning(self) -> None:
        """Its threads run without end."""
        self.spun += 1
        self.is_timed = self.is_timed or self.spun >= SPINS

    def note_late(self, seconds: float) -> None:
        """It spoke after it was thought quiet."""
        self.took(seconds)
        self.vain = 0
        self.late += 1
        self.is_timed = True


def open_diagnosis() -> Diagnosis | None:
    """Questions to the kernel; None where it takes none (another system than Linux, a sandbox)."""
    try:
        return Diagnosis()
    except (OSError, AttributeError):
        return None


class SocketEndpoint(Endpoint):
    """One connection. own: address of the target's socket; follow: how to have a further one of the same application;
    done: told when this one is over; status: the exit status of a program that ends with it.
    """

    def __init__(
        self,
        connection: socket.socket,
        watch: Watch,
        own: Address,
        *,
        speaks_first: bool = False,
        follow: Callable[[], Endpoint | None] | None = None,
        done: Callable[[], None] | None = None,
        status: Callable[[], int | None] | None = None,
    ) -> None:
        self._socket = connection
        self._watch = watch
        self._speaks_first = speaks_first
        self._follow, self._done, self._status = follow, done, status
        self._closed = False
        self._sent = 0
        connection.setblocking(False)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request_for(own, connection.getsockname()[:2]) if watch.is_exact else b""
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)

    def start(self) -> Reaction:
        return self._until_quiet() if self._speaks_first else Reaction(exact=True)

    def feed(self, data: bytes) -> Reaction:
        if self._closed:
            return Reaction(closed=True, crashed=self._watch.crash())
        return self._until_quiet(data)

    def wait(self) -> Reaction:
        """More that comes, though the target is thought quiet: for an answer that is due."""
        if self._closed:
            return Reaction(closed=True, crashed=self._watch.crash())
        began = time.monotonic()
        if not self._poll.poll(self._watch.owed_s * 1000):
            self._watch.vain += 1
            return Reaction(exact=self._watch.is_exact, crashed=self._watch.crash())
        self._watch.note_late(time.monotonic() - began)
        return self._until_quiet()

    def end(self) -> Reaction:
        if not self._closed:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)
                self._sent += 1
        return self._until_quiet()

    def again(self) -> Endpoint | None:
        return self._follow() if self._follow is not None else None

    def exit_status(self) -> int | None:
        return self._status() if self._status is not None else None

    def dispose(self) -> None:
        self._socket.close()
        if self._done is not None:
            done, self._done = self._done, None
            done()

    # ----------------------------------------------------------------------------------------------------------- quiet

    def _until_quiet(self, data: bytes = b"") -> Reaction:
        """Write, and read until the target is quiet; one step never lasts long."""
        watch = self._watch
        received = bytearray()
        note = ""
        left = memoryview(data)
        began = last = awake = time.monotonic()
        looks = 0
        exact = watch.is_exact
        while not self._closed:
            if left:
                left, note = self._write(left, note)
            try:
                piece = self._socket.recv(READ_BYTES)
            except BlockingIOError:
                pass
            except OSError as error:
                note, self._closed = note or (error.strerror or str(error)), True
                break
            else:
                now = time.monotonic()
                if not piece:
                    self._closed = True
                    break
                watch.took(now - last)
                last, awake, looks = now, now, 0
                received += piece
                self._acknowledge()
                if len(received) > STEP_BYTES or now - began > STEP_S:
                    note, exact = f"it does not stop: {len(received)} bytes in {now - began:.1f} s", False
                    break
                continue
            now = time.monotonic()
            if left:
                if now - last > STEP_S:
                    note, exact = note or f"it reads nothing: {len(left)} bytes could not be sent", False
                    break
                self._poll_for(LOOK_S * 10)
                continue
            if exact:
                if self._is_quiet():
                    watch.spun = 0
                    break
                looks += 1
                if looks <= LOOKS_IN_A_ROW:
                    os.sched_yield()
                    continue
                if self._sleeps():
                    awake = now
                if now - awake < BUSY_S and now - last < SLEEP_S:
                    self._poll_for(min(LOOK_MOST_S, max(LOOK_S, LOOK_SHARE * (now - last))))
                    continue
                exact = False
                if now - awake >= BUSY_S:
                    watch.note_spinning()
                break
            if not self._poll.poll(max(0.0, watch.quiet_s - (now - last)) * 1000):
                break
        return Reaction(bytes(received), self._closed, exact=exact or self._closed, crashed=self._death(), note=note)

    def _write(self, left: memoryview, note: str) -> tuple[memoryview, str]:
        try:
            count = self._socket.send(left)
        except BlockingIOError:
            return left, note
        except OSError as error:
            # What it said before it closed is still to be read.
            return left[:0], error.strerror or str(error)
        self._sent += count
        return left[count:], note

    def _acknowledge(self) -> None:
        """At once, or a second small write of a target without TCP_NODELAY waits for 40 ms."""
        with contextlib.suppress(OSError, AttributeError):
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _poll_for(self, seconds: float) -> None:
        select.select([self._socket], [], [], seconds)

    def _is_quiet(self) -> bool:
        """Whether the kernel says so, twice, and nothing has come meanwhile."""
        return self._rests() and self._rests() and not self._poll.poll(0)

    def _rests(self) -> bool:
        watch = self._watch
        assert watch.diagnosis is not None
        assert watch.processes is not None
        try:
            queues = watch.diagnosis.ask(self._request)
        except OSError:
            watch.is_timed = True
            return False
        if queues is None:
            return False  # its socket is gone: the end of the connection is on its way to us
        if queues.unread or queues.unacknowledged or 0 <= queues.received < self._sent:
            return False
        return watch.processes.are_asleep()

    def _sleeps(self) -> bool:
        return self._watch.processes is not None and self._watch.processes.are_asleep()

    def _death(self) -> str:
        """How the target died, once it had the time to; "" where it lives."""
        watch = self._watch
        if not self._closed:
            return watch.crash()
        until = time.monotonic() + GONE_S
        while watch.processes is not None and not self._sleeps() and time.monotonic() < until:
            time.sleep(LOOK_S)
        return watch.crash()
