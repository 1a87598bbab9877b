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
from shakeproof.properties.rogues import certificates, checks, clients, negotiation, order, records, secrets, stale

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
        "unprepared-ccs-crash",
        "dies of a ChangeCipherSpec that comes while no cipher is pending",
        BOTH,
        "RFC 5246 section 7.1",
        "OpenSSL 0.9.6c to 0.9.6l and 0.9.7a to 0.9.7c (CVE-2004-0079)",
        connection=negotiation.unprepared_ccs_crash,
    ),
    Rogue(
        "client-certificate-skipped",
        "lets a client pass that leaves out the certificate that the server requires, and the proof with it",
        (SERVER,),
        "RFC 5246 section 7.4.6",
        connection=clients.client_certificate_skipped,
    ),
    Rogue(
        "certificate-verify-skipped",
        "lets a client pass that shows a certificate and leaves out the proof that it holds the key",
        (SERVER,),
        "RFC 5246 section 7.4.8",
        connection=clients.certificate_verify_skipped,
    ),
    Rogue(
        "certificate-verify-unchecked",
        "never verifies the signature of CertificateVerify",
        (SERVER,),
        "RFC 5246 section 7.4.8",
        connection=clients.certificate_verify_unchecked,
    ),
    Rogue(
        "bare-renegotiation-crash",
        "dies of a second ClientHello that has no extensions",
        (SERVER,),
        "RFC 5246 section 7.4.1.4",
        connection=stale.bare_renegotiation_crash,
    ),
    Rogue(
        "default-site-for-fragments",
        "serves a ClientHello that comes in several records as if it asked for no name",
        (SERVER,),
        "RFC 5246 section 6.2.1",
        connection=stale.default_site_for_fragments,
    ),
    Rogue(
        "unoffered-suite",
        "takes a cipher suite from the server that it never offered",
        (CLIENT,),
        "RFC 5246 section 7.4.1.3",
        "wolfSSL before 5.7.2 (CVE-2024-5814)",
        connection=negotiation.unoffered_suite,
    ),
    Rogue(
        "weak-group",
        "takes a Diffie-Hellman group of any size",
        (CLIENT,),
        "RFC 5246 appendix F.1.1.3",
        connection=negotiation.weak_group,
    ),
    Rogue(
        "compression-unchecked",
        "never looks at the compression methods",
        BOTH,
        "RFC 5246 section 7.4.1.2",
        connection=negotiation.compression_unchecked,
    ),
    Rogue(
        "finished-prefix",
        "compares verify_data over as many bytes as came",
        BOTH,
        "RFC 5246 section 7.4.9",
        connection=negotiation.finished_prefix,
    ),
    Rogue(
        "padding-alert",
        "answers wrong CBC padding with another alert than a wrong MAC",
        BOTH,
        "RFC 5246 section 6.2.3.2",
        connection=records.padding_alert,
    ),
    Rogue(
        "robot",
        "shows in its alert whether an RSA block was padded rightly",
        (SERVER,),
        "RFC 5246 section 7.4.7.1",
        connection=secrets.robot,
    ),
    Rogue(
        "large-record-crash",
        "dies of a large record whose MAC or tag is wrong",
        BOTH,
        "RFC 5246 section 6.2.3",
        "OpenSSL 1.1.0 (CVE-2016-7054)",
        connection=records.large_record_crash,
    ),
    Rogue(
        "heartbleed",
        "answers a heartbeat request with as many bytes as it claims to have",
        BOTH,
        "RFC 5246 section 6",
        connection=records.heartbleed,
    ),
    Rogue(
        "unbound-renegotiation",
        "never compares a second handshake with the first",
        BOTH,
        "RFC 5746 section 3.7",
        connection=stale.unbound_renegotiation,
    ),
    Rogue(
        "bond-forgotten",
        "resumes a session without looking whether its extended master secret is kept",
        BOTH,
        "RFC 7627 section 5.3",
        connection=stale.bond_forgotten,
    ),
    Rogue(
        "resumed-under-other-name",
        "resumes a session under another server name than it was made for",
        (SERVER,),
        "RFC 6066 section 3",
        connection=stale.resumed_under_other_name,
    ),
    Rogue(
        "endless-warnings",
        "takes warning alerts without end",
        BOTH,
        "RFC 5246 section 7.2.2",
        connection=records.endless_warnings,
    ),
    Rogue(
        "endless-empty-records",
        "takes empty records without end",
        BOTH,
        "RFC 5246 section 6.2.1",
        connection=records.endless_empty_records,
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

UNSEEN: dict[str, str] = {
    "padding and MAC told apart by time (Lucky Thirteen, CVE-2013-0169)": "only a clock shows it",
    "RSA blocks told apart by time (CVE-2020-26263)": "only a clock shows it",
    "memory read or written beyond a message (CVE-2016-6309)": "only a look into the process's memory shows it",
}
"""Historical faults that no sequence of messages shows, with what would: none of them is planted."""
