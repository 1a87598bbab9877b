"""Words per second of an audit on one core: our implementation and OpenSSL, client and server.

    python benchmarks/audit.py

    python benchmarks/audit.py --sockets

A word is one input sequence on a fresh connection, from the first byte of the handshake to the verdict, with every
repetition under a hypothesis and every confirmation of a finding in its time. Processes are not used. A real audit
uses one for each core.

With --sockets, words of `openssl s_server` in its basic setups, over TCP on loopback: by the clock, in which the server
and all waiting count too, and of our processor time. What tlsfuzzer reached with the same server on a quiet machine of
two cores stands beside it, as measured before this project began. A machine that does other things too gives a rate by
the clock that says little.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import ssl
import statistics
import sys
import time
from dataclasses import dataclass
from importlib import metadata

from shakeproof.properties.audit import audit
from shakeproof.properties.courses import is_basic
from shakeproof.properties.findings import OUT_OF_TIME
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import SETUPS, Setup, TargetError
from shakeproof.properties.task_run import close_targets, run_task
from shakeproof.properties.tasks import Task

TARGETS = ("openssl", "shakeproof")
GOAL = 200
"""Words a second, for OpenSSL."""
S_SERVER = (
    "exec:openssl s_server -accept {host}:{port} -cert {cert} -cert_chain {chain} -key {key} -quiet -rev "
    "-client_renegotiation -cipher ALL:@SECLEVEL=0 -dhparam {dh}"
)
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


def measure_sockets(setup: Setup) -> Measured:
    """Audit `openssl s_server` in one setup, in this process; seconds by the clock. Raises RuntimeError."""
    began = time.monotonic()
    done = run_task(Task(S_SERVER, "", "tls12.server", setup, 0, ()), began + TIME_S, lambda _: None)
    seconds = time.monotonic() - began
    if done.error or OUT_OF_TIME in done.not_tested:
        raise RuntimeError(f"openssl s_server was not wholly tested: {done.error or OUT_OF_TIME}")
    return Measured(done.words, done.cells_run, len(done.findings), seconds)


def main_sockets(rounds: int) -> int:
    """Measure and print, over sockets."""
    if shutil.which("openssl") is None:
        print("openssl is not installed: apt install openssl", file=sys.stderr)
        return 2
    print(f"openssl s_server over sockets, {rounds} rounds, by the clock; load {os.getloadavg()[0]:.1f}")
    print(f"tlsfuzzer: {TLSFUZZER} conversations/s; goal {TIMES} times that\n")
    try:
        for setup in (setup for setup in SETUPS if is_basic(setup)):
            busy = time.process_time()
            measured = [measure_sockets(setup) for _ in range(rounds)]
            busy = time.process_time() - busy
            rate = statistics.median(one.rate for one in measured)
            last = measured[-1]
            print(
                f"{setup.text:<45}{rate:7.0f} words/s  ({rate / TLSFUZZER:.1f} times)  {last.words} words, "
                f"{last.cells} cells, {last.findings} findings, {last.seconds:.2f} s; "
                f"{sum(one.words for one in measured) / busy:.0f} words/s of our processor time"
            )
    finally:
        close_targets()
    return 0


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="words per second of an audit, on one core")
    parser.add_argument("targets", nargs="*", default=TARGETS, help="openssl, shakeproof (both)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    parser.add_argument("--sockets", action="store_true", help="openssl s_server over TCP instead")
    options = parser.parse_args()
    if options.sockets:
        return main_sockets(options.rounds)
    try:
        pairs = [(name, role) for name in options.targets for role in find_target(name).roles]
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
    for name in options.targets:
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
