"""How fast the model is explored: states/s and transitions/s of the numpy engine, beside a search with a dictionary.

    python benchmarks/explore.py [--bound N]

Both explore TLS 1.2 with client, server, network and attacker, in one run on one machine: the engine all of it, the
plain search as many states as it is given. SPIN is not compared yet: there is no export to it.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Sequence

import numpy as np

from shakeproof.model.tls12_setting import Setting
from shakeproof.properties.explore import explore
from shakeproof.properties.explore_plainly import explore_plainly
from shakeproof.properties.tls12_models import composed

DEFAULT_BOUND = 3
PLAIN_STATES = 20_000
"""States that the plain search is given: some seconds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--bound", type=int, default=DEFAULT_BOUND, help="messages in the network at once")
    bound = parser.parse_args(arguments).bound
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}; bound {bound}")
    for key_exchange, client_auth in (("rsa", False), ("ecdhe", False), ("rsa", True), ("ecdhe", True)):
        model = composed(Setting(key_exchange, client_auth, bound=bound))
        began = time.perf_counter()
        found = explore(model)
        fast_s = time.perf_counter() - began
        began = time.perf_counter()
        plain = explore_plainly(model, states_most=PLAIN_STATES)
        plain_s = time.perf_counter() - began
        ratio = (found.transitions / fast_s) / (plain.transitions / plain_s)
        print(
            f"{model.name:<24}{found.states:>10,} states {found.transitions:>12,} transitions in {fast_s:6.2f} s: "
            f"{found.states / fast_s:>10,.0f} states/s {found.transitions / fast_s:>12,.0f} transitions/s; "
            f"dictionary {plain.transitions / plain_s:>9,.0f} transitions/s: {ratio:.1f}x"
        )


if __name__ == "__main__":
    main()
