"""A server that listens at HOST:PORT.

One on this machine whose processes we may look at is known to be quiet as one that we start. Of any other, quiet is
guessed, so that a step is never exact, and silence where an answer is due is INCONCLUSIVE.
"""

from __future__ import annotations

import ipaddress
import socket
import time

from shakeproof.properties.targets.base import SETUPS, Endpoint, Setup, Target, TargetError
from shakeproof.properties.targets.kernel import Processes, listeners_at
from shakeproof.properties.targets.wire import SocketEndpoint, Watch, open_diagnosis

CONNECT_S = 3.0
"""A server on loopback accepts within milliseconds; three seconds allow for one that is far away or busy."""


class SocketTarget(Target):
    """A server at an address."""

    roles = ("tls12.server",)

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.name = self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._watch: Watch | None = None

    @property
    def description(self) -> str:
        return f"the server at {self.address}"

    @property
    def is_local(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def takes_many(self) -> bool:
        return False

    @property
    def has_factory_certificate(self) -> bool:
        return False

    @property
    def trusts_factory(self) -> bool:
        return False

    @property
    def secrets_seen(self) -> bool:
        return False

    @property
    def is_probed(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        return SETUPS

    def connect(self, role: str, setup: Setup) -> Endpoint:
        began = time.monotonic()
        try:
            connection = socket.create_connection((self.host, self.port), timeout=CONNECT_S)
        except OSError as error:
            raise TargetError(f"{self.address}: can't connect: {error.strerror or error}") from error
        if self._watch is None:
            self._watch = self._watched()
        self._watch.took(time.monotonic() - began)
        return SocketEndpoint(
            connection, self._watch, connection.getpeername()[:2], follow=lambda: self.connect(role, setup)
        )

    def _watched(self) -> Watch:
        """What the kernel shows of the server; of one elsewhere, or of another user, nothing."""
        processes = Processes(listeners_at(self.port)) if self.is_local else Processes(())
        diagnosis = open_diagnosis() if processes.can_be_seen else None
        return Watch(diagnosis, processes if processes.can_be_seen else None)

    def close(self) -> None:
        if self._watch is not None and self._watch.diagnosis is not None:
            self._watch.diagnosis.close()
        self._watch = None
