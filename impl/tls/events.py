"""What a connection reports."""

from __future__ import annotations

from dataclasses import dataclass, field

from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.config import ValidationOutcome
from shakeproof.impl.tls.suites import CipherSuite


@dataclass
class Negotiated:
    """What the two sides agreed on, as far as the handshake has come.

    group and signature_algorithm: of the server's key exchange, None without. server_name: what the client asked for.
    peer_certificates: the chain that the peer showed, or had shown when the session that is resumed began; on a server
    empty where the client is not authenticated. client_certificates: on either side, the client's chain.
    """

    version: int | None = None
    suite: CipherSuite | None = None
    group: int | None = None
    signature_algorithm: int | None = None
    alpn: str | None = None
    server_name: str | None = None
    extended_master_secret: bool = False
    secure_renegotiation: bool = False
    encrypt_then_mac: bool = False
    resumed: bool = False
    peer_certificates: tuple[bytes, ...] = field(default=(), repr=False)
    client_certificates: tuple[bytes, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class Event:
    """Anything that a connection reports."""


@dataclass(frozen=True)
class HandshakeCompleted(Event):
    """Both Finished messages are verified: application data may flow. Comes again after each renegotiation."""

    negotiated: Negotiated


@dataclass(frozen=True)
class ApplicationDataReceived(Event):
    """Data of one record, never empty."""

    data: bytes


@dataclass(frozen=True)
class CloseNotifyReceived(Event):
    """The peer sends no more. The answering close_notify is queued, the connection closed."""


@dataclass(frozen=True)
class AlertReceived(Event):
    """Any alert but close_notify. After a fatal one the connection is closed. state: the one in which it came."""

    level: AlertLevel
    description: AlertDescription | int
    state: str = field(default="", compare=False)


@dataclass(frozen=True)
class CertificateValidated(Event):
    """The validator has spoken; see `outcome.accepted`. Where it refused, a RemoteProtocolError follows."""

    outcome: ValidationOutcome


@dataclass(frozen=True)
class RenegotiationRefused(Event):
    """The peer asked to negotiate anew, and got no_renegotiation."""


@dataclass(frozen=True)
class RenegotiationStarted(Event):
    """The peer asked to negotiate anew, and we do; HandshakeCompleted follows when it is done."""


@dataclass(frozen=True)
class HelloRequestIgnored(Event):
    """A HelloRequest came while negotiating, where it means nothing."""
