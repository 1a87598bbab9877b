"""Rogues: our own implementation with one planted, documented fault each, switched on by name.

A fault is planted on one endpoint object (a connection, or the validator that it asks), never in shared code: so the
scripted tester, which uses the same codec and key schedule, stays sound. Each rogue re-creates what a real stack did;
detection of all of them, and silence on the clean implementation, is the measure of every engine here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.x509 import Validator
from shakeproof.properties.rogues import certificates, checks, order

Connection = ClientConnection | ServerConnection


@dataclass(frozen=True)
class Rogue:
    """One planted fault.

    fault: what it does, in one sentence; roles: whom it concerns; history: what it re-creates, checked against an
    advisory, or ""; clause: what it breaks; connection, validator: how it is planted.
    """

    name: str
    fault: str
    roles: tuple[str, ...]
    clause: str
    history: str = ""
    connection: Callable[[Connection], None] | None = None
    validator: Callable[[Validator], None] | None = None


CLIENT, SERVER = "tls12.client", "tls12.server"
BOTH = (CLIENT, SERVER)

_LISTED = (
    Rogue(
        "early-ccs",
        "accepts ChangeCipherSpec before the keys are agreed upon, and protects records with keys of an empty secret",
        BOTH,
        "RFC 5246 section 7.1",
        connection=order.early_ccs,
    ),
    Rogue(
        "skip-to-finished",
        "accepts an unprotected Finished right after the certificate, and goes on in the clear",
        (CLIENT,),
        "RFC 5246 section 7.4.9",
        connection=order.skip_to_finished,
    ),
    Rogue(
        "missing-ske",
        "takes the key of an ECDSA certificate where ServerKeyExchange is missing",
        (CLIENT,),
        "RFC 5246 section 7.4.3",
        "NSS before 3.19 (MFSA 2015-71)",
        connection=order.missing_ske,
    ),
    Rogue(
        "ske-under-rsa",
        "accepts a temporary RSA key in ServerKeyExchange although RSA key transport forbids the message",
        (CLIENT,),
        "RFC 5246 section 7.4.3",
        connection=order.ske_under_rsa,
    ),
    Rogue(
        "goto-fail",
        "never verifies the signature of ServerKeyExchange",
        (CLIENT,),
        "RFC 5246 section 7.4.3",
        connection=checks.goto_fail,
    ),
    Rogue(
        "finished-unchecked",
        "never compares verify_data",
        BOTH,
        "RFC 5246 section 7.4.9",
        connection=checks.finished_unchecked,
    ),
    Rogue(
        "mac-unchecked",
        "never verifies the MAC of a CBC record",
        BOTH,
        "RFC 5246 section 6.2.3.2",
        "tlslite-ng up to 0.7.3 (CVE-2018-1000159)",
        connection=checks.mac_unchecked,
    ),
    Rogue(
        "padding-unchecked",
        "never verifies the padding bytes of a CBC record",
        BOTH,
        "RFC 5246 section 6.2.3.2",
        connection=checks.padding_unchecked,
    ),
    Rogue(
        "expired-certificate",
        "accepts certificates that have expired",
        (CLIENT,),
        "RFC 5280 section 6.1.3",
        validator=certificates.expired_certificate,
    ),
    Rogue(
        "wrong-name",
        "never compares the certificate's names with the server's",
        (CLIENT,),
        "RFC 9525 section 6",
        validator=certificates.wrong_name,
    ),
    Rogue(
        "certificate-unchecked",
        "skips certificate validation, so that a man in the middle is not noticed",
        (CLIENT,),
        "RFC 5280 section 6",
        connection=checks.certificate_unchecked,
    ),
)

ROGUES: dict[str, Rogue] = {rogue.name: rogue for rogue in _LISTED}
"""All rogues by name."""
