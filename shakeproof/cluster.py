"""`--executor dask://HOST:PORT`: an audit's work given to a cluster of machines.

A cluster runs code that is sent to it, and what it sends back is unpickled here: it has to be one that the user trusts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shakeproof import __version__
from shakeproof.exits import MissingExtraError, UsageError

if TYPE_CHECKING:
    from distributed import Client

CONNECT_S = 10.0
"""How long a scheduler may take to answer."""

PROCESSES = "processes"


@dataclass(frozen=True)
class Cluster:
    """An executor and how many pieces of work it does at a time."""

    executor: Executor
    workers: int


@contextmanager
def opened(where: str) -> Iterator[Cluster | None]:
    """The cluster at `where`; None for processes of this machine. Raises UsageError."""
    if where == PROCESSES:
        yield None
        return
    address = re.fullmatch(r"dask://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):(\d{1,5})", where)
    if address is None or not 0 < int(address[2]) < 65536:
        raise UsageError(f"--executor {where!r}: expected {PROCESSES}, or dask://HOST:PORT with a scheduler's address")
    try:
        from distributed import Client, KilledWorker
        from distributed.comm import CommClosedError
    except ImportError as error:
        raise MissingExtraError("--executor dask:// needs dask: pip install 'shakeproof[cluster]'") from error
    try:
        client = Client(f"tcp://{address[1]}:{address[2]}", timeout=CONNECT_S, set_as_default=False)
    except (OSError, TimeoutError) as error:
        place = f"{address[1]}:{address[2]} within {CONNECT_S:g} s"
        raise UsageError(f"no dask scheduler answers at {place}; start one with `dask scheduler`") from error
    try:
        _check(client)
        yield Cluster(client.get_executor(), sum(client.ncores().values()))
    except (KilledWorker, CommClosedError) as error:
        raise UsageError(f"the cluster at {where} did not do its work: {error}") from error
    finally:
        client.close()


def version_there() -> str:
    """The version of shakeproof, where this runs."""
    return __version__


def _check(client: Client) -> None:
    """Every worker has this version: another one has other tables. Raises UsageError."""
    try:
        versions = client.run(version_there)
    except ImportError as error:
        raise UsageError(f"a worker of the cluster has no shakeproof ({error}); install {__version__} there") from error
    if not versions:
        raise UsageError("the cluster has no workers; start one with `dask worker HOST:PORT`")
    other = {worker: version for worker, version in versions.items() if version != __version__}
    if other:
        worker, version = next(iter(other.items()))
        raise UsageError(f"worker {worker} has shakeproof {version}, this is {__version__}; they must be the same")
