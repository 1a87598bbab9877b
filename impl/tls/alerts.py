"""The alert protocol's values.

Source: RFC 5246 section 7.2; RFC 6066 section 9; RFC 7301 section 3.2; the others from IANA's TLS Alerts registry.
"""

from __future__ import annotations

from enum import IntEnum


class AlertLevel(IntEnum):
    """How an alert is meant."""

    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """What an alert says; `label` is the standard's own spelling."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    DECRYPTION_FAILED_RESERVED = 21
    RECORD_OVERFLOW = 22
    DECOMPRESSION_FAILURE = 30
    HANDSHAKE_FAILURE = 40
    NO_CERTIFICATE_RESERVED = 41
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    EXPORT_RESTRICTION_RESERVED = 60
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    CERTIFICATE_UNOBTAINABLE = 111
    UNRECOGNIZED_NAME = 112
    BAD_CERTIFICATE_STATUS_RESPONSE = 113
    BAD_CERTIFICATE_HASH_VALUE = 114
    UNKNOWN_PSK_IDENTITY = 115
    CERTIFICATE_REQUIRED = 116
    NO_APPLICATION_PROTOCOL = 120

    @property
    def label(self) -> str:
        """The name as the RFC prints it."""
        name = self.name.lower()
        return name.replace("_reserved", "_RESERVED")

    @classmethod
    def from_label(cls, label: str) -> AlertDescription:
        """The description of that name, in either spelling. Raises KeyError where there is none."""
        return cls[label.upper()]


ALERT_LENGTH = 2
"""Bytes of one alert message (RFC 5246 section 7.2)."""
