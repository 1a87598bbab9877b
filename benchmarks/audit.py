"""Words per second of an audit on one core: our implementation and OpenSSL, client and server.

    python benchmarks/audit.py

    python benchmarks/audit.py --sockets [TARGET]

A word is one input sequence on a fresh connection, from the first byte of the handshake to the verdict, with every
repetition under a hypothesis and every confirmation of a finding in its time. Processes are not used. A real audit
uses one for each core.

With --sockets, words of `openssl s_server` over TCP on loopback, by the clock, in which the server and all waiting
count too: first one worker with one server, in each basic setup; then the audit as a user runs it, every setup and as
many workers as cores, from its first look at the server to its last verdict. The processor time beside it tells more on
a machine that does other things too. What tlsfuzzer reached with the same server on a quiet machine of two cores, all
its scripts together, stands above, as measured before this project began. It counts conversations, of which a word has
one, or more where it is repeated.

The server runs as the target `openssl-cli` starts it. With `-rev` it sleeps for a second where it is given a record
that brings no data: a word with data after a second handshake then takes that second, and words of all kinds together
some 70 a second.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import ssl
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import metadata

from shakeproof.properties.audit import audit
from shakeproof.properties.courses import is_basic
from shakeproof.properties.findings import OUT_OF_TIME
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import Setup, TargetError
from shakeproof.properties.task_run import close_targets, run_task
from shakeproof.properties.tasks import Task

TARGETS = ("openssl", "shakeproof")
SERVER_ROLE = "tls12.server"
GOAL = 200
"""Words a second, for OpenSSL."""
SERVER = "openssl-cli"
"""The target over sockets."""
TLSFUZZER = 42
"""Conversations a second of tlsfuzzer with `openssl s_server`: 75 scripts, 2,333 conversations."""
TIMES = 3
"""How much faster than that it is meant to be."""
TIME_S = 600.0
"""Budget of an audit: far more than it takes, so that nothing is left out."""


@dataclass(frozen=True)
class Measured:
    """One audit of one role. seconds: processor time."""

    words: int
    cells: int
    findings: int
    seconds: float

    @property
    def rate(self) -> float:
        """Words per second."""
        return self.words / self.seconds


def measure(target: str, role: str) -> Measured:
    """Audit one role, in this process. Raises RuntimeError where it was not tested, or not wholly."""
    began = time.process_time()
    run = audit([target], roles=[role], time_s=TIME_S, jobs=1)
    seconds = time.process_time() - began
    (result,) = run.roles
    if not result.is_tested or result.left_out:
        why = result.error or f"{result.left_out} cells were left out"
        raise RuntimeError(f"{target} as {role} was not wholly tested, so that there is no rate: {why}")
    return Measured(result.words, result.cells_run, len(result.findings), seconds)


def measure_one_worker(target: str, setup: Setup) -> Measured:
    """Audit a server over sockets in one setup, in this process; seconds by the clock. Raises RuntimeError."""
    began = time.monotonic()
    done = run_task(Task(target, "", SERVER_ROLE, setup, 0, ()), began + TIME_S, lambda _: None)
    seconds = time.monotonic() - began
    if done.error or OUT_OF_TIME in done.not_tested:
        raise RuntimeError(f"{target} was not wholly tested: {done.error or OUT_OF_TIME}")
    return Measured(done.words, done.cells_run, len(done.findings), seconds)


def measure_as_run(target: str) -> Measured:
    """Audit a server over sockets in every setup, a worker for each core; seconds by the clock. Raises RuntimeError."""
    run = audit([target], roles=[SERVER_ROLE], time_s=TIME_S)
    (result,) = run.roles
    if not result.is_tested or result.left_out:
        raise RuntimeError(
            f"{target} was not wholly tested: {result.error or f'{result.left_out} cells were left out'}"
        )
    return Measured(result.words, result.cells_run, len(result.findings), run.seconds)


def busy_s() -> float:
    """Processor time of this process and of all its children that have ended: workers and servers."""
    used = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def report(name: str, rounds: int, measure: Callable[[], Measured]) -> None:
    """Measure so many times, and print the median round."""
    before = busy_s()
    measured = []
    for _ in range(rounds):
        measured.append(measure())
        close_targets()
    busy = busy_s() - before
    rate = statistics.median(one.rate for one in measured)
    last = measured[-1]
    print(
        f"{name:<45}{rate:7.0f} words/s  ({rate / TLSFUZZER:.1f} times)  {last.words} words, {last.cells} cells, "
        f"{last.findings} findings, {last.seconds:.2f} s; {sum(one.words for one in measured) / busy:.0f} words/s of "
        f"the processor time of all processes"
    )


def main_sockets(target: str, rounds: int) -> int:
    """Measure and print, over sockets."""
    try:
        found = find_target(target)
    except TargetError as error:
        print(error, file=sys.stderr)
        return 2
    print(
        f"{found.description} over sockets, {rounds} rounds, by the clock; {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    print(f"tlsfuzzer: {TLSFUZZER} conversations/s; goal {TIMES} times that\n")
    try:
        for setup in (setup for setup in found.setups(SERVER_ROLE) if is_basic(setup)):
            report(setup.text, rounds, partial(measure_one_worker, target, setup))
        report(f"every setup, {os.cpu_count()} workers", rounds, partial(measure_as_run, target))
    finally:
        close_targets()
    return 0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="words per second of an audit, on one core")
    parser.add_argument("targets", nargs="*", help="openssl, shakeproof (both); with --sockets a server")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    parser.add_argument("--sockets", action="store_true", help="over TCP instead: openssl-cli")
    options = parser.parse_args()
    if options.sockets:
        return main_sockets(options.targets[0] if options.targets else SERVER, options.rounds)
    targets = options.targets or TARGETS
    try:
        pairs = [(name, role) for name in targets for role in find_target(name).roles]
    except TargetError as error:
        parser.error(str(error))
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("shakeproof", "transitions", "cryptography"))
    print(
        f"Python {platform.python_version()}, {versions}, {ssl.OPENSSL_VERSION}; {os.cpu_count()} cores, one used; "
        f"suite quick, every setup"
    )
    print(f"{options.rounds} rounds in turn; words per second of processor time, the median round (all); goal {GOAL}\n")
    measured: dict[tuple[str, str], list[Measured]] = {pair: [] for pair in pairs}
    for _ in range(options.rounds):
        for pair in pairs:
            measured[pair].append(measure(*pair))
    for (name, role), rounds in measured.items():
        rates = [one.rate for one in rounds]
        last = rounds[-1]
        print(
            f"{name:<11}{role:<14}{statistics.median(rates):7.0f} words/s  ({min(rates):.0f} to {max(rates):.0f})  "
            f"{last.words} words, {last.cells} cells, {last.findings} findings, {last.seconds:.2f} s"
        )
    for name in targets:
        words = sum(rounds[-1].words for (target, _), rounds in measured.items() if target == name)
        seconds = sum(
            statistics.median(one.seconds for one in rounds)
            for (target, _), rounds in measured.items()
            if target == name
        )
        print(f"{name:<11}{'both roles':<14}{words / seconds:7.0f} words/s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
