"""How quiet is known over a socket: from the kernel where it tells, else by a timer; and what is said of each."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shakeproof.properties.targets.kernel import ESTABLISHED, LISTEN, Diagnosis, Processes, listeners_at
from shakeproof.properties.targets.wire import (
    OWED_LEAST_S,
    OWED_S,
    QUIET_FIRST_S,
    QUIET_LEAST_S,
    QUIET_MOST_S,
    SPINS,
    STEP_BYTES,
    SocketEndpoint,
    Watch,
)

Pair = tuple[socket.socket, socket.socket]


@contextmanager
def pair() -> Iterator[Pair]:
    """The tester's socket and the target's."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as ours,
        listener.accept()[0] as theirs,
    ):
        yield ours, theirs


class Asleep(Processes):
    """Processes of which a test says whether they sleep."""

    def __init__(self) -> None:
        super().__init__(())
        self.sleep = True

    def are_asleep(self) -> bool:
        return self.sleep


@pytest.fixture
def diagnosis() -> Iterator[Diagnosis]:
    made = Diagnosis()
    yield made
    made.close()


def test_queues_tell_what_is_unread_and_what_is_not_acknowledged(diagnosis: Diagnosis) -> None:
    with pair() as (ours, theirs):
        ends = theirs.getsockname(), ours.getsockname()
        ours.send(b"hello")
        queues = diagnosis.queues(*ends)
        assert queues is not None
        assert (queues.state, queues.unread, queues.received, queues.is_accepted) == (ESTABLISHED, 5, 5, True)
        theirs.recv(5)
        queues = diagnosis.queues(*ends)
        assert queues is not None
        assert (queues.unread, queues.unacknowledged) == (0, 0)


def test_socket_that_listens_is_found_and_one_that_is_not_there_is_none(diagnosis: Diagnosis) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        found = diagnosis.queues(("127.0.0.1", port))
        assert found is not None
        assert found.state == LISTEN
        assert os.getpid() in listeners_at(port)
        assert listeners_at(port, (os.getpid(),)) == (os.getpid(),)
        assert listeners_at(port, (os.getppid(),)) == ()
    assert diagnosis.queues(("127.0.0.1", port)) is None
    assert listeners_at(port) == ()


def test_process_that_runs_is_not_asleep() -> None:
    assert not Processes((os.getpid(),)).are_asleep()
    assert Processes((os.getpid(),)).can_be_seen
    assert not Processes((2**22 + 1,)).can_be_seen


@contextmanager
def program(text: str) -> Iterator[Processes]:
    """A program that says when it has come so far, and is ended."""
    command = [sys.executable, "-I", "-S", "-c", text]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            assert running.stdout.readline() == b"up\n"
            yield Processes((running.pid,))
        finally:
            running.kill()


SPINS_IN_A_THREAD = """
import sys, threading
def spin():
    print("up", flush=True)
    while True:
        pass
threading.Thread(target=spin, daemon=True).start()
sys.stdin.read()
"""
SPINS_IN_A_CHILD = """
import os, sys
parent = os.getpid()
if not os.fork():
    print("up", flush=True)
    while os.getppid() == parent:
        pass
    os._exit(0)
sys.stdin.read()
"""
LOOKS = 200


def test_program_that_waits_with_its_only_thread_is_asleep() -> None:
    with program("import sys; print('up', flush=True); sys.stdin.read()") as processes:
        until = time.monotonic() + 10
        while not processes.are_asleep() and time.monotonic() < until:
            os.sched_yield()
        assert all(processes.are_asleep() for _ in range(LOOKS))


@pytest.mark.parametrize("text", [SPINS_IN_A_THREAD, SPINS_IN_A_CHILD], ids=["thread", "child"])
def test_program_of_which_one_part_runs_is_not_asleep(text: str) -> None:
    with program(text) as processes:
        assert not any(processes.are_asleep() for _ in range(LOOKS))


def test_quiet_that_the_kernel_knows_is_exact_and_needs_no_time(diagnosis: Diagnosis) -> None:
    with pair() as (ours, theirs):
        endpoint = SocketEndpoint(ours, Watch(diagnosis, Asleep()), theirs.getsockname())
        threading.Thread(target=lambda: theirs.sendall(theirs.recv(9) * 2)).start()
        reaction = endpoint.feed(b"hello")
        assert (reaction.data, reaction.exact, reaction.closed) == (b"hellohello", True, False)


def test_target_that_has_not_read_is_not_quiet(diagnosis: Diagnosis) -> None:
    with pair() as (ours, theirs):
        watch = Watch(diagnosis, Asleep())
        reaction = SocketEndpoint(ours, watch, theirs.getsockname()).feed(b"hello")
        assert not reaction.exact
        assert not watch.is_timed


def test_target_that_spins_again_and_again_is_left_to_the_timer(diagnosis: Diagnosis) -> None:
    with pair() as (ours, theirs):
        processes = Asleep()
        processes.sleep = False
        watch = Watch(diagnosis, processes)
        endpoint = SocketEndpoint(ours, watch, theirs.getsockname())
        for number in range(SPINS):
            assert watch.is_exact, number
            assert not endpoint.feed(b"").exact
        assert not watch.is_exact


def test_target_that_speaks_after_it_was_thought_quiet_is_left_to_the_timer(diagnosis: Diagnosis) -> None:
    with pair() as (ours, theirs):
        watch = Watch(diagnosis, Asleep())
        endpoint = SocketEndpoint(ours, watch, theirs.getsockname())
        assert endpoint.feed(b"").exact
        theirs.sendall(b"late")
        assert endpoint.wait().data == b"late"
        assert not watch.is_exact


def test_wait_in_vain_gets_shorter() -> None:
    with pair() as (ours, theirs):
        watch = Watch()
        endpoint = SocketEndpoint(ours, watch, theirs.getsockname())
        assert watch.owed_s == OWED_S
        for _ in range(4):
            assert endpoint.wait().data == b""
        assert watch.owed_s == OWED_LEAST_S


def test_time_that_counts_as_quiet_follows_what_the_target_took() -> None:
    watch = Watch()
    assert watch.quiet_s == QUIET_FIRST_S
    watch.took(0.001)
    assert watch.quiet_s == QUIET_LEAST_S
    watch.took(10.0)
    assert watch.quiet_s == QUIET_MOST_S
    for _ in range(200):
        watch.took(0.001)
    assert watch.quiet_s == QUIET_LEAST_S


def test_flood_is_cut_off_and_told() -> None:
    with pair() as (ours, theirs):
        theirs.settimeout(5)

        def flood() -> None:
            try:
                while True:
                    theirs.sendall(bytes(1 << 16))
            except OSError:
                return

        thread = threading.Thread(target=flood)
        thread.start()
        endpoint = SocketEndpoint(ours, Watch(), theirs.getsockname())
        began = time.monotonic()
        reaction = endpoint.feed(b"go")
        endpoint.dispose()
        thread.join()
        assert STEP_BYTES < len(reaction.data) < 2 * STEP_BYTES
        assert "does not stop" in reaction.note
        assert time.monotonic() - began < 5


def test_what_was_said_before_a_reset_is_read() -> None:
    with pair() as (ours, theirs):
        ours.send(b"unread")
        theirs.sendall(b"last words")
        theirs.close()
        reaction = SocketEndpoint(ours, Watch(), ("127.0.0.1", 1)).feed(b"more")
        assert (reaction.data, reaction.closed) == (b"last words", True)
