"""Rogues: our own implementation with one planted, documented fault each, switched on by name.

A fault is planted on one endpoint object (a connection, a host, or the validator that it asks), never in shared code:
so the scripted tester, which uses the same codec and key schedule, stays sound. Each rogue re-creates what a real stack
did; detection of all of them, and silence on the clean implementation, is the measure of every engine here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shakeproof.impl.tcp import Host, TcpConnection
from shakeproof.impl.tls import ClientConnection, ServerConnection
from shakeproof.impl.x509 import Validator
from shakeproof.properties.rogues import (
    certificates,
    checks,
    clients,
    layers,
    negotiation,
    order,
    records,
    secrets,
    stale,
    tcp,
)

Connection = ClientConnection | ServerConnection


@dataclass(frozen=True)
class Rogue:
    """One planted fault.

    fault: what it does, in one sentence; roles: whom it concerns; history: what it re-creates, checked against an
    advisory, or ""; clause: what it breaks; connection, validator: how it is planted; tcp, host: likewise, on a TCP
    connection before it is opened, or on a host before it has any, which gives it to all that it makes; chains_only:
    only chains show it that no message of the suites has, so that it is for Hypothesis alone.
    """

    name: str
    fault: str
    roles: tuple[str, ...]
    clause: str
    history: str = ""
    connection: Callable[[Connection], None] | None = None
    validator: Callable[[Validator], None] | None = None
    tcp: Callable[[TcpConnection], None] | None = None
    host: Callable[[Host], None] | None = None
    chains_only: bool = False

    @property
    def is_in_suites(self) -> bool:
        """Whether the words of a suite can show it."""
        return self.is_of_tls and not self.chains_only

    @property
    def is_of_tls(self) -> bool:
        """Whether a TLS endpoint can have it."""
        return self.roles != (TCP,)

    @property
    def elsewhere(self) -> str:
        """What to say where a TLS endpoint was to have it, and can't."""
        return (
            f"the rogue {self.name!r} is a fault of TCP, and what is asked for here does not run over our TCP; "
            f"plant it with: shakeproof test --rogue {self.name}"
        )


def _of_chains(
    name: str,
    fault: str,
    clause: str,
    plant: Callable[[Validator], None],
    history: str = "",
    *,
    in_suites: bool = False,
) -> Rogue:
    """A fault of a client's certificate validation."""
    return Rogue(name, fault, (CLIENT,), clause, history, validator=plant, chains_only=not in_suites)


def _of_tcp(
    name: str,
    fault: str,
    clause: str,
    plant: Callable[[TcpConnection], None],
    host: Callable[[Host], None] | None = None,
) -> Rogue:
    """A fault of TCP. host: how it is planted on a host, where that is more than on each of its connections."""
    return Rogue(name, fault, (TCP,), clause, tcp=plant, host=host or tcp.on_every_connection(plant))


CLIENT, SERVER = "tls12.client", "tls12.server"
BOTH = (CLIENT, SERVER)
TCP = "tcp"

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
        "certificate-unchecked",
        "skips certificate validation, so that a man in the middle is not noticed",
        (CLIENT,),
        "RFC 5280 section 6",
        connection=checks.certificate_unchecked,
    ),
    Rogue(
        "truncation-unnoticed",
        "takes the end of the transport for the orderly end of the data, although no close_notify came",
        BOTH,
        "RFC 5246 section 7.2.1",
        connection=layers.truncation_unnoticed,
    ),
    Rogue(
        "replayed-record",
        "takes the last record once more, because it tries the sequence number of that one too",
        BOTH,
        "RFC 5246 appendix F.2",
        connection=layers.replayed_record,
    ),
    Rogue(
        "any-earlier-sequence",
        "takes records of any age once more, because it tries every sequence number before the next one too",
        BOTH,
        "RFC 5246 appendix F.2",
        connection=layers.any_earlier_sequence,
    ),
)

_CERTIFICATES = (
    _of_chains(
        "expired-certificate",
        "accepts certificates that have expired",
        "RFC 5280 section 6.1.3",
        certificates.expired_certificate,
        in_suites=True,
    ),
    _of_chains(
        "wrong-name",
        "never compares the certificate's names with the server's",
        "RFC 9525 section 6",
        certificates.wrong_name,
        in_suites=True,
    ),
    _of_chains(
        "not-yet-valid-certificate",
        "accepts certificates that are not valid yet",
        "RFC 5280 section 6.1.3",
        certificates.not_yet_valid_certificate,
        in_suites=True,
    ),
    _of_chains(
        "expired-issuer",
        "looks at the validity of the leaf and of no issuer",
        "RFC 5280 section 6.1.3",
        certificates.expired_issuer,
    ),
    _of_chains(
        "error-for-success",
        "takes a signature that cannot be verified for one that verifies",
        "RFC 5280 section 6.1.3",
        certificates.error_for_success,
    ),
    _of_chains(
        "certificate-signature-unchecked",
        "never verifies the signature of a certificate",
        "RFC 5280 section 6.1.3",
        certificates.signature_unchecked,
        in_suites=True,
    ),
    _of_chains(
        "lenient-padding",
        "reads the padding of an RSA signature leniently, so that a cube root passes for one where the exponent is 3",
        "RFC 8017 section 8.2.2",
        certificates.lenient_padding,
    ),
    _of_chains(
        "any-digest",
        "verifies a signature over a digest that is too short, which anybody can make",
        "RFC 5280 section 6.1.3",
        certificates.any_digest,
        "wolfSSL before 5.9.1 (CVE-2026-5194)",
    ),
    _of_chains(
        "basic-constraints-ignored",
        "lets any certificate issue others",
        "RFC 5280 section 6.1.4",
        certificates.basic_constraints_ignored,
        in_suites=True,
    ),
    _of_chains(
        "alternatives-trusted",
        "does not look whether issuers are CAs once the first path has failed and another is tried",
        "RFC 5280 section 6.1.4",
        certificates.alternatives_trusted,
    ),
    _of_chains(
        "strictness-forgets-ca",
        "forgets, in its strict mode, that an issuer is no CA where the issuer's key is on a named curve",
        "RFC 5280 section 6.1.4",
        certificates.strictness_forgets_ca,
        in_suites=True,
    ),
    _of_chains(
        "path-length-ignored",
        "never counts the CAs below a pathLenConstraint",
        "RFC 5280 section 6.1.4",
        certificates.path_length_ignored,
        in_suites=True,
    ),
    _of_chains(
        "issuer-key-usage-ignored",
        "lets keys sign certificates that may not",
        "RFC 5280 section 6.1.4",
        certificates.issuer_key_usage_ignored,
    ),
    _of_chains(
        "issuer-name-ignored",
        "chains certificates by key identifier and signature, whatever their issuer's name",
        "RFC 5280 section 6.1.3",
        certificates.issuer_name_ignored,
    ),
    _of_chains(
        "purpose-ignored",
        "takes a certificate that is meant for something else",
        "RFC 5280 section 4.2.1.12",
        certificates.purpose_ignored,
        in_suites=True,
    ),
    Rogue(
        "client-use-ignored",
        "takes a client's certificate whose key usage and purpose are others",
        (SERVER,),
        "RFC 5280 section 4.2.1.12",
        "Mbed TLS 3.2 to 3.6.0 (CVE-2024-45159)",
        validator=certificates.client_use_ignored,
        chains_only=True,
    ),
    _of_chains(
        "critical-ignored",
        "passes over critical extensions that it does not know",
        "RFC 5280 section 6.1.5",
        certificates.critical_ignored,
        in_suites=True,
    ),
    _of_chains(
        "constraints-ignored",
        "never holds names against the subtrees that their issuers may certify",
        "RFC 5280 section 6.1.3",
        certificates.constraints_ignored,
        in_suites=True,
    ),
    _of_chains(
        "constraints-with-case",
        "compares names with name constraints as if capitals made a difference",
        "RFC 5280 section 7.2",
        certificates.constraints_with_case,
        "GnuTLS before 3.8.13 (CVE-2026-3833)",
    ),
    _of_chains(
        "common-name-fallback",
        "falls back on the common name where the subjectAltName holds no host",
        "RFC 9525 section 6.3",
        certificates.common_name_fallback,
        "GnuTLS (CVE-2026-42012)",
    ),
    _of_chains(
        "nul-ends-name",
        "reads a name up to its first NUL",
        "RFC 5280 section 4.2.1.6",
        certificates.nul_ends_name,
    ),
    _of_chains(
        "unreadable-name-passes",
        "compares no name where the one that is meant cannot be read",
        "RFC 9525 section 6",
        certificates.unreadable_name_passes,
        "Mbed TLS before 3.6.3, where no name was set (CVE-2025-27809)",
    ),
    _of_chains(
        "endless-search",
        "searches for a path without a budget",
        "RFC 5280 section 6.1",
        certificates.endless_search,
    ),
)

_TCP = (
    _of_tcp(
        "in-window-reset",
        "lets a reset with any sequence number in the window close the connection (reading rfc5961)",
        "RFC 9293 section 3.10.7.4",
        tcp.in_window_reset,
    ),
    _of_tcp(
        "syn-resets",
        "resets a synchronized connection for a SYN in its window (reading rfc5961)",
        "RFC 9293 section 3.10.7.4",
        tcp.syn_resets,
    ),
    _of_tcp(
        "unsent-acknowledged",
        "takes an acknowledgment of octets that it never sent, and forgets those that it had still to send",
        "RFC 9293 section 3.10.7.4",
        tcp.unsent_acknowledged,
    ),
    _of_tcp(
        "old-syn-opens",
        "takes the answer to an old duplicate of its SYN for the answer to its SYN, and opens the connection",
        "RFC 9293 section 3.10.7.3",
        tcp.old_syn_opens,
    ),
    _of_tcp(
        "beyond-window-accepted",
        "takes data that lies beyond the receive window",
        "RFC 9293 section 3.10.7.4",
        tcp.beyond_window_accepted,
    ),
    _of_tcp(
        "overlap-taken-twice",
        "delivers octets once more that come again in front of new ones",
        "RFC 9293 section 3.10.7.4",
        tcp.overlap_taken_twice,
    ),
    _of_tcp(
        "early-fin-closes",
        "takes a FIN that comes out of order for the end of the stream, and acknowledges the data that is missing",
        "RFC 9293 section 3.10.7.4",
        tcp.early_fin_closes,
    ),
    _of_tcp(
        "time-wait-skipped",
        "forgets a connection that it closed actively at once, without TIME-WAIT",
        "RFC 9293 section 3.6.1",
        tcp.time_wait_skipped,
    ),
    _of_tcp(
        "reset-for-reset",
        "answers a reset that belongs to no connection, or that a handshake has no use for, with a reset",
        "RFC 9293 section 3.5.2",
        tcp.reset_for_reset,
        tcp.reset_for_reset_of_nobody,
    ),
    _of_tcp(
        "paws-ignored",
        "takes segments whose timestamp is from the past, although timestamps are agreed on",
        "RFC 7323 section 5.3",
        tcp.paws_ignored,
    ),
    _of_tcp(
        "no-retransmission",
        "never sends again what was lost",
        "RFC 9293 section 3.8",
        tcp.no_retransmission,
    ),
    _of_tcp(
        "predictable-isn",
        "takes its initial sequence numbers from the clock alone, the same for every pair of sockets",
        "RFC 9293 section 3.4.1",
        tcp.predictable_isn,
    ),
    _of_tcp(
        "no-slow-start",
        "sends at once as much as the peer's window takes, whatever the network does",
        "RFC 9293 section 3.8.2",
        tcp.no_slow_start,
    ),
)

ROGUES: dict[str, Rogue] = {rogue.name: rogue for rogue in (*_LISTED, *_CERTIFICATES, *_TCP)}
"""All rogues by name."""

UNSEEN: dict[str, str] = {
    "padding and MAC told apart by time (Lucky Thirteen, CVE-2013-0169)": "only a clock shows it",
    "RSA blocks told apart by time (CVE-2020-26263)": "only a clock shows it",
    "memory read or written beyond a message (CVE-2016-6309)": "only a look into the process's memory shows it",
}
"""Historical faults that no sequence of messages shows, with what would: none of them is planted."""
