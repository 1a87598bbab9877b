"""TLS 1.2, client and server, without I/O.

Independent of the tables in `shakeproof.model`: a reading of the RFC texts of its own.
"""

from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.client import ClientConnection
from shakeproof.impl.tls.config import ClientConfig, Credential, ServerConfig, Site, ValidationOutcome
from shakeproof.impl.tls.connection import Connection
from shakeproof.impl.tls.events import (
    AlertReceived,
    ApplicationDataReceived,
    CertificateValidated,
    CloseNotifyReceived,
    Event,
    HandshakeCompleted,
    HelloRequestIgnored,
    Negotiated,
    RenegotiationRefused,
    RenegotiationStarted,
)
from shakeproof.impl.tls.server import ServerConnection
from shakeproof.impl.tls.sessions import Session, SessionCache
from shakeproof.impl.tls.signatures import SignatureScheme
from shakeproof.impl.tls.suites import NamedGroup
from shakeproof.impl.tls.tickets import TicketKeys

__all__ = [
    "AlertDescription",
    "AlertLevel",
    "AlertReceived",
    "ApplicationDataReceived",
    "CertificateValidated",
    "ClientConfig",
    "ClientConnection",
    "CloseNotifyReceived",
    "Connection",
    "Credential",
    "Event",
    "HandshakeCompleted",
    "HelloRequestIgnored",
    "NamedGroup",
    "Negotiated",
    "RenegotiationRefused",
    "RenegotiationStarted",
    "ServerConfig",
    "ServerConnection",
    "Session",
    "SessionCache",
    "SignatureScheme",
    "Site",
    "TicketKeys",
    "ValidationOutcome",
]
