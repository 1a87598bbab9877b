"""Words per second of an audit on one core: our implementation and OpenSSL, client and server.

    python benchmarks/audit.py

A word is one input sequence on a fresh connection, from the first byte of the handshake to the verdict, with every
repetition under a hypothesis and every confirmation of a finding in its time. Processes are not used. A real audit
uses one for each core.
"""

from __future__ import annotations

import argparse
import os
import platform
import ssl
import statistics
import sys
import time
from dataclasses import dataclass
from importlib import metadata

from shakeproof.properties.audit import audit
from shakeproof.properties.targets import find_target
from shakeproof.properties.targets.base import TargetError

TARGETS = ("openssl", "shakeproof")
GOAL = 200
"""Words a second, for OpenSSL."""
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


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="words per second of an audit, on one core")
    parser.add_argument("targets", nargs="*", default=TARGETS, help="openssl, shakeproof (both)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median counts")
    options = parser.parse_args()
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
