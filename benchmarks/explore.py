"""How fast the model is explored: states/s and transitions/s of the numpy engine, of SPIN, and of a dictionary.

    python benchmarks/explore.py [--bound N]

All three explore TLS 1.2 with client, server, network and attacker, in one run on one machine: the engine and SPIN all
of it, with its properties, the plain search as many states as it is given. Of SPIN it is the time that its own program
says it explored, in depth, which is its fastest; what compiling that program took is told beside it. Ours includes
everything. The goals: at least 0.7 of SPIN's states/s, at least 7 times the dictionary's.

The model is written for SPIN so that it compiles soon. Half of its time goes into trying each option in each state:
with a loop for each state of a machine it was 1.9 times as fast, and compiled six times as long (RSA at bound 3).
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Sequence

import numpy as np

from shakeproof.model.composition import Composition
from shakeproof.model.tls12_setting import Setting
from shakeproof.properties.explore import explore
from shakeproof.properties.explore_plainly import explore_plainly
from shakeproof.properties.promela import promela_of
from shakeproof.properties.spin import Run, built, missing
from shakeproof.properties.tls12_models import composed

DEFAULT_BOUND = 3
"""Where SPIN needs some seconds, so that they can be measured."""
PLAIN_STATES = 20_000
"""States that the plain search is given: some seconds."""
GOAL_SPIN, GOAL_PLAIN = 0.7, 7.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Print all three."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bound", type=int, default=DEFAULT_BOUND, help="messages in the network at once")
    bound = parser.parse_args(arguments).bound
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}; bound {bound}")
    if missing():
        print(f"without SPIN: {missing()}")
    for key_exchange, client_auth in (("rsa", False), ("ecdhe", False), ("rsa", True), ("ecdhe", True)):
        compare(composed(Setting(key_exchange, client_auth, bound=bound)))


def compare(model: Composition) -> None:
    """Explore the model three times. Exits where the counts differ: a speed of something else is none."""
    began = time.perf_counter()
    found = explore(model)
    seconds = time.perf_counter() - began
    print(f"{model.name}: {found.states:,} states, {found.transitions:,} transitions")
    _tell("numpy", found.states, found.transitions, seconds, "")
    run = None if missing() else by_spin(model)
    if run is not None:
        if (run.states, run.transitions) != (found.states, found.transitions):
            raise SystemExit(f"SPIN counts {run.states:,} states and {run.transitions:,} transitions")
        ratio = run.explore_s / seconds
        more = f"ours is {ratio:.2f}x SPIN (goal {GOAL_SPIN}x); compiled in {run.build_s:.1f} s"
        _tell("SPIN", run.states, run.transitions, run.explore_s, more)
    began = time.perf_counter()
    plain = explore_plainly(model, states_most=PLAIN_STATES)
    plain_s = time.perf_counter() - began
    ratio = (found.transitions / seconds) / (plain.transitions / plain_s)
    more = f"ours is {ratio:.1f}x the dictionary (goal {GOAL_PLAIN:.0f}x), by transitions"
    _tell("dictionary", plain.states, plain.transitions, plain_s, more)


def by_spin(model: Composition) -> Run:
    """SPIN's run, in depth, compiled as it recommends for speed."""
    with built(promela_of(model), optimised=True, in_depth=True) as program:
        return program.explore()


def _tell(name: str, states: int, transitions: int, seconds: float, more: str) -> None:
    speeds = f"{states / seconds:>11,.0f} states/s {transitions / seconds:>12,.0f} transitions/s"
    print(f"  {name:<11}{seconds:8.2f} s {speeds}  {more}".rstrip(), flush=True)


if __name__ == "__main__":
    main()
