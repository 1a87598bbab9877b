"""Executed runs of our own client and server, as traces for pictures.

Both ends run in memory, over a network whose clock moves only with what crosses it. Every message is noted by the end
that sends it; the tables judge it at the other end, and name its clause. TCP stands around it as its table says, and
says so, until there is a TCP to execute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from shakeproof.impl.tls import (
    ApplicationDataReceived,
    CertificateValidated,
    ClientConnection,
    HandshakeCompleted,
    ServerConnection,
)
from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.events import Event
from shakeproof.impl.tls.messages import Certificate, ClientHello, Message, ServerHello, message_name
from shakeproof.impl.tls.suites import SUITES, KeyExchange
from shakeproof.impl.x509.result import Result
from shakeproof.model.https import CLOSE_PHASE, TCP_PHASE, tcp_steps
from shakeproof.model.machine import Role
from shakeproof.model.oracle import Oracle
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Kind, Lane, Line, Phase, Step, Trace, number_steps
from shakeproof.properties.mapper.certificates import SERVER_NAME
from shakeproof.properties.mapper.tls12 import Peer
from shakeproof.properties.targets.ours import REQUEST, RESPONSE, make_client, make_server

CLIENT, SERVER = "client", "server"
DELAY_S = 0.010
"""One way across the network: what makes the order of events visible in the times."""

SESSION_KEYS = "the session keys"
ROUNDS_LIMIT = 200
"""Deliveries before a run counts as endless; an honest one has about 20."""

KEY_EXCHANGES = {"rsa": KeyExchange.RSA, "ecdhe": KeyExchange.ECDHE}


class SceneError(RuntimeError):
    """Our client and server did not do what the scene shows."""
