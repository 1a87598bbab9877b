"""Why a server may have refused us: what our client saw and said until then.

An alert has a name and no reason (RFC 5246 section 7.2.2). The next best is what the server asked for and what it got.
"""

from __future__ import annotations

from cryptography import x509

from shakeproof.impl.tls import ClientConnection, Credential
from shakeproof.impl.tls.certificates import issuers
from shakeproof.impl.tls.client import WAIT_NEW_SESSION_TICKET, WAIT_SERVER_HELLO
from shakeproof.impl.tls.connection import CLOSED, CLOSING, CONNECTED, WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED
from shakeproof.impl.tls.messages import CertificateRequest
from shakeproof.page import subject_of

IN_THE_TABLE = {WAIT_NEW_SESSION_TICKET: WAIT_CHANGE_CIPHER_SPEC, CLOSING: CLOSED}
"""States that the implementation keeps apart and the table does not: that a ticket was promised, the table remembers,
and once close_notify is sent nothing more can be done."""
ANSWERED = frozenset({WAIT_NEW_SESSION_TICKET, WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED, CONNECTED})
"""States in which our flight has been sent."""
AUTHORITIES_MOST = 3
"""Names of CAs that are told; a server may name all that a system trusts."""

_SHA256_WITH_RSA = bytes.fromhex("300d06092a864886f70d01010b0500")
_TIME = bytes.fromhex("170d3236303130313030303030305a")
_NO_SIGNATURE = bytes.fromhex("030100")


def table_state(state: str) -> str:
    """The table's state for one of the implementation's."""
    return IN_THE_TABLE.get(state, state)


def circumstances(tls: ClientConnection, state: str) -> str:
    """What came before the server refused us in that state of our client, in words; "" where that says nothing."""
    if state == WAIT_SERVER_HELLO:
        return f"to our ClientHello, which offered {_offer(tls)}"
    if state not in ANSWERED:
        return ""
    if tls.negotiated.resumed:
        return "the session was resumed, so that it asked for nothing"
    request = tls.certificate_request
    if request is None:
        return "it had asked for no client certificate, and our Finished was sent"
    return f"the server asked for a client certificate ({_authorities(request)}); {_shown(tls, request)}"


def _offer(tls: ClientConnection) -> str:
    config = tls.config
    suites = f"{len(config.suites)} cipher suites" if len(config.suites) > 1 else config.suites[0].name
    protocols = f"the protocols {', '.join(config.alpn)}" if config.alpn else "no ALPN"
    return f"TLS 1.2, {suites} and {protocols}, for the name {config.server_name!r}"


def _authorities(request: CertificateRequest) -> str:
    names = [name_of(der) for der in request.authorities[:AUTHORITIES_MOST]]
    if not names:
        return "of any CA"
    more = len(request.authorities) - len(names)
    return f"CAs: {'; '.join(names)}{f' and {more} more' if more else ''}"


def _shown(tls: ClientConnection, request: CertificateRequest) -> str:
    shown = tls.negotiated.client_certificates
    if shown:
        return f"we sent {subject_of(shown[0])}, issued by {', '.join(map(name_of, issuers(shown[:1])))}"
    if not tls.config.credentials:
        return "we sent none, having none"
    return f"we sent none: {'; '.join(_misfit(tls, each, request) for each in tls.config.credentials)}"


def _misfit(tls: ClientConnection, credential: Credential, request: CertificateRequest) -> str:
    subject = subject_of(credential.chain[0])
    if tls.choose_signing_algorithm(credential, request) is None:
        return f"{subject} has a key of a type, or for signatures, that it does not take"
    issued_by = ", ".join(name_of(issuer) for issuer in issuers(credential.chain)[-1:])
    return f"{subject} is not of one of these CAs but of {issued_by}"


def name_of(der: bytes) -> str:
    """A distinguished name in DER as text; "(unreadable)" where it is none."""
    # cryptography reads names only as a part of something: here, of an empty list of revoked certificates.
    inside = _SHA256_WITH_RSA + der + _TIME
    crl = _sequence(_sequence(inside) + _SHA256_WITH_RSA + _NO_SIGNATURE)
    try:
        return x509.load_der_x509_crl(crl).issuer.rfc4514_string() or "(no name)"
    except ValueError:
        return "(unreadable)"


def _sequence(inside: bytes) -> bytes:
    length = len(inside)
    size = b"" if length < 0x80 else length.to_bytes((length.bit_length() + 7) // 8, "big")
    return b"\x30" + (bytes([0x80 | len(size)]) + size if size else bytes([length])) + inside
