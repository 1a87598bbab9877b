"""The sentences on which the rows of the TLS 1.2 server rest; those that the client's rows cite too are shared."""

from __future__ import annotations

from shakeproof.model.tls12_quotes import shared_quotes

server_quotes = shared_quotes()

server_quotes.quote(
    "6 order",
    "Received data is decrypted, verified, decompressed, reassembled, and then delivered to higher-level clients.",
    implied="what can't be decrypted is never looked at by the handshake",
)
server_quotes.quote(
    "7.4.1.1",
    "The HelloRequest message MAY be sent by the server at any time.",
    binds="sender",
)
server_quotes.quote(
    "7.4.1.2 suites",
    "The server will select a cipher suite or, if no acceptable choices are presented, return a handshake failure alert "
    "and close the connection.",
    implied="it states what the server does",
)
server_quotes.quote(
    "7.4.1.2 null",
    "This vector MUST contain, and all implementations MUST support, CompressionMethod.null.",
    binds="both",
    implied="it binds who sends the vector; one without null is out of the range that is specified",
)
server_quotes.quote(
    "7.4.1.3",
    "The server will send this message in response to a ClientHello message when it was able to find an acceptable set "
    "of algorithms. If it cannot find such a match, it will respond with a handshake failure alert.",
    implied="it states what the server does",
)
server_quotes.quote(
    "7.4.1.4.1",
    "If the negotiated key exchange algorithm is one of (RSA, DHE_RSA, DH_RSA, RSA_PSK, ECDH_RSA, ECDHE_RSA), behave as "
    "if client had sent the value {sha1,rsa}.",
    implied="the list is introduced by: the server MUST do the following; a server that no longer signs with SHA-1 "
    "finds no acceptable set",
)
server_quotes.quote(
    "7.4.2",
    "The server MUST send a Certificate message whenever the agreed-upon key exchange method uses certificates for "
    "authentication (this includes all key exchange methods defined in this document except DH_anon).",
    binds="sender",
)
server_quotes.quote(
    "RFC 8422 5.4 when",
    "This message is sent when using the ECDHE_ECDSA, ECDHE_RSA, and ECDH_anon key exchange algorithms.",
    binds="sender",
    implied="it states what the server sends",
)
server_quotes.quote(
    "E.1",
    "If server supports (or is willing to use) only versions greater than client_version, it MUST send a "
    '"protocol_version" alert message and close the connection.',
)
server_quotes.quote(
    "RFC 5746 3.6",
    'The server MUST then verify that the length of the "renegotiated_connection" field is zero, and if it is not, MUST '
    "abort the handshake.",
)
server_quotes.quote(
    "RFC 5746 3.6 legacy",
    "In this case, some servers may want to terminate the handshake instead of continuing; see Section 4.3 for "
    "discussion.",
    implied="may want to: it permits refusing a client that offers no renegotiation_info",
)
server_quotes.quote(
    "RFC 5746 3.7",
    'The server MUST verify that the value of the "renegotiated_connection" field is equal to the saved '
    "client_verify_data value; if it is not, the server MUST abort the handshake.",
)
server_quotes.quote(
    "RFC 5746 3.7 present",
    'The server MUST verify that the "renegotiation_info" extension is present; if it is not, the server MUST abort the '
    "handshake.",
)
server_quotes.quote(
    "RFC 7627 5.2",
    "If the server receives a ClientHello without the extension, it SHOULD abort the handshake if it does not wish to "
    "interoperate with legacy clients.",
)
server_quotes.quote(
    "7.4.7",
    "With this message, the premaster secret is set, either by direct transmission of the RSA-encrypted secret or by "
    "the transmission of Diffie-Hellman parameters that will allow each side to agree upon the same premaster secret.",
    implied="it states what the message does at the server",
)
server_quotes.quote(
    "7.4.7.1",
    "In any case, a TLS server MUST NOT generate an alert if processing an RSA-encrypted premaster secret message fails, "
    "or the version number is not as expected. Instead, it MUST continue the handshake with a randomly generated "
    "premaster secret.",
)
server_quotes.quote(
    "7.3 reply",
    "In response, the server will send its own ChangeCipherSpec message, transfer the pending to the current Cipher "
    "Spec, and send its Finished message under the new Cipher Spec.",
    binds="sender",
    implied="it states what the server does",
)
server_quotes.quote(
    "7.3 match",
    "If a match is found, and the server is willing to re-establish the connection under the specified session state, it "
    "will send a ServerHello with the same Session ID value.",
    implied="it states what the server does",
)
server_quotes.quote(
    "7.3 unmatched",
    "If a Session ID match is not found, the server generates a new session ID, and the TLS client and server perform a full "
    "handshake.",
    binds="both",
    implied="it states what the server does",
)
server_quotes.quote(
    "7.4.1.3 unwilling",
    "Note that there is no requirement that the server resume any session even if it had formerly provided a session_id.",
    implied="it permits a full handshake instead",
)
server_quotes.quote(
    "RFC 5077 3.1 resume",
    "The server then decrypts the received ticket, verifies the ticket's validity, retrieves the session state from the "
    "contents of the ticket, and uses this state to resume the session.",
    implied="it states what the server does",
)
server_quotes.quote(
    "RFC 5077 3.1 unwilling",
    "If the server cannot or does not want to honor the ticket, then it can initiate a full handshake with the client.",
    implied="it permits a full handshake instead",
)
server_quotes.quote(
    "RFC 5077 3.2 fails",
    "If the server fails to verify the ticket, then it falls back to performing a full handshake.",
    implied="it states what the server does",
)
server_quotes.quote(
    "RFC 5077 3.2 promise",
    "The server MUST send this extension in the ServerHello if it wishes to issue a new ticket to the client using the "
    "NewSessionTicket handshake message. The server MUST NOT send this extension if it does not receive one in the "
    "ClientHello.",
    binds="sender",
)
server_quotes.quote(
    "RFC 5077 3.3 after",
    "In the case of a full handshake, the server MUST verify the client's Finished message before sending the ticket.",
    binds="sender",
)
server_quotes.quote(
    "RFC 5077 3.3 renew",
    "If the server successfully verifies the client's ticket, then it MAY renew the ticket by including a NewSessionTicket "
    "handshake message after the ServerHello in the abbreviated handshake.",
    binds="sender",
)
server_quotes.quote(
    "RFC 6066 3",
    "A server that implements this extension MUST NOT accept the request to resume the session if the server_name extension "
    "contains a different name. Instead, it proceeds with a full handshake to establish a new session.",
)
server_quotes.quote(
    "RFC 6066 3 unknown",
    "If the server understood the ClientHello extension but does not recognize the server name, the server SHOULD take one of "
    "two actions: either abort the handshake by sending a fatal-level unrecognized_name(112) alert or continue the handshake.",
    implied="the other name may be one that the server does not know",
)
server_quotes.quote(
    "RFC 7627 5.3",
    'If the original session used the "extended_master_secret" extension but the new ClientHello does not contain it, the '
    "server MUST abort the abbreviated handshake.",
    implied="the abbreviated one: a server that no longer has the session, or does not want it, begins a full handshake",
)
server_quotes.quote(
    "RFC 5746 3.7 signal",
    "When a ClientHello is received, the server MUST verify that it does not contain the TLS_EMPTY_RENEGOTIATION_INFO_SCSV "
    "SCSV. If the SCSV is present, the server MUST abort the handshake.",
)
server_quotes.quote(
    "7.4.6 none",
    "If the client does not send any certificates, the server MAY at its discretion either continue the handshake without "
    "client authentication, or respond with a fatal handshake_failure alert.",
)
server_quotes.quote(
    "7.4.6 unacceptable",
    "Also, if some aspect of the certificate chain was unacceptable (e.g., it was not signed by a known, trusted CA), the "
    "server MAY at its discretion either continue the handshake (considering the client unauthenticated) or send a fatal "
    "alert.",
)
server_quotes.quote(
    "7.4.6 conveys",
    "This message conveys the client's certificate chain to the server; the server will use it when verifying the "
    "CertificateVerify message (when the client authentication is based on signing) or calculating the premaster secret (for "
    "non-ephemeral Diffie- Hellman).",
    implied="it states what the server does with the message",
)
server_quotes.quote(
    "7.2.2 corrupt",
    "A certificate was corrupt, contained signatures that did not verify correctly, etc.",
    implied="it defines when the alert is the appropriate one",
)
server_quotes.quote(
    "7.4.8 explicit",
    "This message is used to provide explicit verification of a client certificate.",
    implied="what does not verify provides none",
)
server_quotes.quote(
    "7.4.8 pair",
    "The hash and signature algorithms used in the signature MUST be one of those present in the "
    "supported_signature_algorithms field of the CertificateRequest message.",
    binds="sender",
    implied="a pair that is not there is inconsistent with the CertificateRequest",
)
server_quotes.quote(
    "RFC 8422 5.7",
    "The server retrieves the client's ephemeral ECDH public key from the ClientKeyExchange message and checks that it is on "
    "the same elliptic curve as the server's ECDH key.",
    implied="actions of the receiver",
)
server_quotes.cite(
    "RFC 7919 4",
    why="the server checks that dh_Yc lies between 1 and p - 1, and ends the handshake where it does not",
)
server_quotes.quote(
    "E.1 old",
    "If the server wishes to negotiate with old clients, it will proceed as appropriate for the highest version supported by "
    "the server that is not greater than ClientHello.client_version.",
    implied="if it wishes: a server may enable older versions",
)
server_quotes.cite(
    "RFC 7507 3",
    why="a server that has a higher version than a ClientHello with TLS_FALLBACK_SCSV offers answers inappropriate_fallback, "
    "unless it answers protocol_version because it does not support the version offered",
)
