"""States that both roles have, and bounds on what a peer may send that leads nowhere."""

from __future__ import annotations

START = "START"
WAIT_CHANGE_CIPHER_SPEC = "WAIT_CHANGE_CIPHER_SPEC"
WAIT_FINISHED = "WAIT_FINISHED"
CONNECTED = "CONNECTED"
CLOSING = "CLOSING"
"""Our close_notify is sent, the peer's is awaited."""
CLOSED = "CLOSED"

# How much a peer may send that leads nowhere, before it is refused with unexpected_message. The RFC sets no bound;
# without one a peer keeps us busy for ever. OpenSSL allows fewer (5 warning alerts, 32 empty records in a row).
# Each is counted anew after a handshake message or application data that got somewhere.
MAX_WARNING_ALERTS = 64
MAX_EMPTY_RECORDS = 64
MAX_HELLO_REQUESTS = 64
MAX_REFUSED_RENEGOTIATIONS = 64

MAX_RENEGOTIATIONS = 16
"""Renegotiations of one connection, whoever asked; further ones are refused. A handshake costs the server ten times
what it costs a client, so that Node allows three in ten minutes, and nginx none that a client asks for."""
