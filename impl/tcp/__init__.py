"""TCP, without I/O and without a clock.

Independent of the tables in `shakeproof.model`: a reading of the RFC texts of its own.
"""

from shakeproof.impl.tcp.config import TcpConfig
from shakeproof.impl.tcp.connection import TcpConnection, memory_bound
from shakeproof.impl.tcp.events import (
    Closed,
    Connected,
    DataReceived,
    DeliveryProblem,
    Event,
    HardError,
    PeerClosed,
    Refused,
    ResetReceived,
    SoftError,
    TimedOut,
    UrgentReceived,
)
from shakeproof.impl.tcp.host import Host, Listener, Packet
from shakeproof.impl.tcp.icmp import IcmpError
from shakeproof.impl.tcp.options import Option
from shakeproof.impl.tcp.segment import BadChecksum, BadSegment, Endpoint, Flags, Segment

__all__ = [
    "BadChecksum",
    "BadSegment",
    "Closed",
    "Connected",
    "DataReceived",
    "DeliveryProblem",
    "Endpoint",
    "Event",
    "Flags",
    "HardError",
    "Host",
    "IcmpError",
    "Listener",
    "Option",
    "Packet",
    "PeerClosed",
    "Refused",
    "ResetReceived",
    "Segment",
    "SoftError",
    "TcpConfig",
    "TcpConnection",
    "TimedOut",
    "UrgentReceived",
    "memory_bound",
]
