"""What vouches for a message: signed by, encrypted to, MACed with. What an attacker can forge follows from it.

A message that is not listed here can be made by anybody. A defect of a listed message is what it is without that which
vouches for it, and can be made by anybody too. A certificate is public: who shows another's has not its key.
Everything that arrives after the receiver was told to open records (ChangeCipherSpec) needs the keys as well, whatever
it says; `KEYLESS` are the records that anybody can spoil.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from shakeproof.model.alphabet import Message
from shakeproof.model.facts import Value
from shakeproof.model.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    Finished,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    alien_type,
    bad_mac,
    bad_padding,
    heartbeat,
    long_bad_mac,
    match,
    no_san,
    proven,
    replayed,
    signed,
    stale,
    too_long,
    trusted,
    wrapped,
)


class How(Enum):
    """What is done to a message with a key."""

    CERTIFIED = "certified by an authority that the receiver trusts"
    SIGNED = "signed by"
    ENCRYPTED = "encrypted to"
    MACED = "MACed with"


@dataclass(frozen=True)
class Attribute:
    """What vouches for a message that has the value.

    how: what is done; key: whose key, or which; transcript: whether it covers all messages of the handshake so far.
    """

    how: How
    key: str
    transcript: bool = False


ATTRIBUTES: dict[Value, Attribute] = {
    trusted: Attribute(How.CERTIFIED, "the name that the receiver wanted"),
    no_san: Attribute(How.CERTIFIED, "the name that the receiver wanted, in the older of two places"),
    signed: Attribute(How.SIGNED, "the key of the certificate that the receiver has accepted"),
    wrapped: Attribute(How.ENCRYPTED, "the key that the sender has accepted"),
    proven: Attribute(How.SIGNED, "the key of the certificate that the receiver has accepted", transcript=True),
    match: Attribute(How.MACED, "the master secret of the receiver", transcript=True),
}
"""By value: what vouches for it. `no_san` is a defect of form: an authority has seen to whose name it is."""

HASHED: frozenset[Message] = frozenset(
    {
        ClientHello,
        ServerHello,
        Certificate,
        ServerKeyExchange,
        CertificateRequest,
        ServerHelloDone,
        ClientKeyExchange,
        CertificateVerify,
        NewSessionTicket,
        Finished,
    }
)
"""The messages that the transcript has: RFC 5246 section 7.4.9 leaves out ChangeCipherSpec, alerts and HelloRequest."""

KEYLESS: frozenset[Value] = frozenset(
    {bad_mac, long_bad_mac, bad_padding, too_long, alien_type, heartbeat, replayed, stale}
)
"""What a record can be although its maker has no keys, where the receiver opens records."""


def voucher(values: tuple[Value, ...]) -> Attribute | None:
    """What vouches for a message with these values; None where anybody can make it."""
    return next((ATTRIBUTES[value] for value in values if value in ATTRIBUTES), None)
