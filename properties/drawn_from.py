"""What Hypothesis draws from: the strategies that we give it, and nothing that it finds on the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from hypothesis.internal.conjecture import providers


@contextmanager
def without_constants_of_modules() -> Iterator[None]:
    """Keep Hypothesis from drawing constants that it reads in the modules of a project: which modules it takes for that
    depends on how we are installed and on what else is loaded, and a run must be its seed. It would also keep what it
    reads there, in a folder `.hypothesis` of the user's.
    """
    kind, cache = providers.HypothesisProvider, getattr(providers, "CONSTANTS_CACHE", None)
    constants = getattr(providers, "Constants", None)
    if cache is None or constants is None or not hasattr(kind, "_local_constants"):  # another version of Hypothesis
        yield
        return
    cache.cache.clear()
    try:
        with mock.patch.object(kind, "_local_constants", constants()):
            yield
    finally:
        cache.cache.clear()
