"""The sentences on which the rows of the TLS 1.2 client rest; those that the server's rows cite too are shared."""

from __future__ import annotations

from shakeproof.model.tls12_quotes import shared_quotes

client_quotes = shared_quotes()

client_quotes.quote(
    "7.4 ignored",
    "The one message that is not bound by these ordering rules is the HelloRequest message, which can be sent at any "
    "time, but which SHOULD be ignored by the client if it arrives in the middle of a handshake.",
)
client_quotes.quote(
    "7.4 omitted",
    "Unneeded handshake messages can be omitted, however.",
    implied="that a promised ticket has to be sent binds the server; no sentence has the client insist on it",
)
client_quotes.quote(
    "7.4.1.1",
    "This message MAY be ignored by the client if it does not wish to renegotiate a session, or the client may, if it "
    "wishes, respond with a no_renegotiation alert.",
)
client_quotes.quote(
    "7.4.1.1 response",
    "In response, the client should send a ClientHello message when convenient.",
    implied="should and when convenient: the client is free to do so, now or later",
)
client_quotes.quote(
    "7.2.2 proceed",
    "At that point, the original requester can decide whether to proceed with the connection.",
    implied="the client that asked for a second handshake and is refused may go on with what it has",
)
client_quotes.quote(
    "7.4.1.2",
    "When a client first connects to a server, it is required to send the ClientHello as its first message.",
    binds="sender",
    implied="is required to",
)
client_quotes.quote(
    "7.3 hello",
    "The client sends a ClientHello message to which the server must respond with a ServerHello message, or else a fatal "
    "error will occur and the connection will fail.",
    binds="both",
    implied="what the server must send, the client waits for and accepts",
)
client_quotes.quote(
    "7.4.1.3 suite",
    "The single cipher suite selected by the server from the list in ClientHello.cipher_suites.",
    binds="sender",
    implied="a suite that is not in the list is inconsistent with the ClientHello",
)
client_quotes.quote(
    "7.4.1.3 method",
    "The single compression algorithm selected by the server from the list in ClientHello.compression_methods.",
    binds="sender",
    implied="a method that is not in the list is inconsistent with the ClientHello",
)
client_quotes.quote(
    "7.4.1.4",
    "If a client receives an extension type in ServerHello that it did not request in the associated ClientHello, it "
    "MUST abort the handshake with an unsupported_extension fatal alert.",
)
client_quotes.quote(
    "E.1",
    "If the version chosen by the server is not supported by the client (or not acceptable), the client MUST send a "
    '"protocol_version" alert message and close the connection.',
)
client_quotes.quote(
    "RFC 5288 4",
    'Clients MUST check the TLS version and generate a fatal "illegal_parameter" alert if they detect an incorrect '
    "version.",
)
client_quotes.quote(
    "RFC 5746 3.4",
    'The client MUST then verify that the length of the "renegotiated_connection" field is zero, and if it is not, '
    "MUST abort the handshake (by sending a fatal handshake_failure alert).",
)
client_quotes.quote(
    "7.4.2 next",
    "This message will always immediately follow the ServerHello message.",
    binds="sender",
    implied="always immediately: nothing else is expected after the ServerHello of a full handshake",
)
client_quotes.quote(
    "7.4.2",
    "The server MUST send a Certificate message whenever the agreed-upon key exchange method uses certificates for "
    "authentication (this includes all key exchange methods defined in this document except DH_anon).",
    binds="sender",
    implied="so the client waits for it, and goes on when it has come",
)
client_quotes.quote(
    "7.4.2 first",
    "The sender's certificate MUST come first in the list.",
    binds="sender",
    implied="an empty list has no certificate of the sender, and so no key to go on with",
)
client_quotes.quote(
    "7.4.2 compatible",
    "The end entity certificate's public key (and associated restrictions) MUST be compatible with the selected key "
    "exchange algorithm.",
    binds="sender",
    implied="a key of another kind can't carry the key exchange, so the client can't go on",
)
client_quotes.quote(
    "7.4.2 encipher",
    "(the keyEncipherment bit MUST be set if the key usage extension is present)",
    binds="sender",
    implied="a key for RSA key transport that forbids it is refused by whoever checks what a certificate is for",
)
client_quotes.quote(
    "7.4.2 sign",
    "(the digitalSignature bit MUST be set if the key usage extension is present)",
    binds="sender",
    implied="a key for ECDHE or DHE that forbids signing is refused by whoever checks what a certificate is for",
)
client_quotes.quote(
    "7.2.2 discretion",
    "For all errors where an alert level is not explicitly specified, the sending party MAY determine at its discretion "
    "whether to treat this as a fatal error or not.",
    binds="both",
)
client_quotes.quote(
    "7.2.2 corrupt",
    "A certificate was corrupt, contained signatures that did not verify correctly, etc.",
    implied="it defines when the alert is the appropriate one",
)
client_quotes.quote(
    "7.2.2 expired",
    "A certificate has expired or is not currently valid.",
    implied="it defines when the alert is the appropriate one",
)
client_quotes.quote(
    "7.2.2 unknown",
    "Some other (unspecified) issue arose in processing the certificate, rendering it unacceptable.",
    implied="it defines when the alert is the appropriate one, and leaves the choice open",
)
client_quotes.quote(
    "7.2.2 anchor",
    "A valid certificate chain or partial chain was received, but the certificate was not accepted because the CA "
    "certificate could not be located or couldn't be matched with a known, trusted CA.",
    implied="it defines when the alert is the appropriate one",
)
client_quotes.cite(
    "RFC 9110 4.3.4",
    why="a client of an https URI verifies the certificate and the server's name, and does not go on without the user's "
    "consent where that fails",
)
client_quotes.quote(
    "RFC 6125 6.6.4",
    "Otherwise, if the client is an automated application not directly controlled by a human user, then it SHOULD "
    "terminate the communication attempt with a bad certificate error and log the error appropriately. An automated "
    "application MAY provide a configuration setting that disables this behavior, but MUST enable the behavior by "
    "default.",
)
client_quotes.quote(
    "RFC 6125 6.4.4",
    "Therefore, if and only if the presented identifiers do not include a DNS-ID, SRV-ID, URI-ID, or any "
    "application-specific identifier types supported by the client, then the client MAY as a last resort check for a "
    "string whose form matches that of a fully qualified DNS domain name in a Common Name field of the subject field "
    "(i.e., a CN-ID).",
)
client_quotes.quote(
    "RFC 5280 6.1.3 time",
    "(2) The certificate validity period includes the current time.",
    implied="it is one of those that the certificate MUST satisfy, says the sentence that opens the list",
)
client_quotes.quote(
    "RFC 5280 6.1.3 signature",
    "The certificate MUST satisfy each of the following: (1) The signature on the certificate can be verified using "
    "working_public_key_algorithm, the working_public_key, and the working_public_key_parameters.",
)
client_quotes.quote(
    "RFC 5280 6.1 anchor",
    "certificate 1 is issued by the trust anchor;",
    implied="one of the conditions that a valid path satisfies",
)
client_quotes.quote(
    "RFC 5280 6.1.4",
    "If certificate i is a version 3 certificate, verify that the basicConstraints extension is present and that cA is "
    "set to TRUE.",
    implied="one of the checks whose failure ends path validation",
)
client_quotes.quote(
    "RFC 5280 6.1.4 length",
    "If the certificate was not self-issued, verify that max_path_length is greater than zero and decrement "
    "max_path_length by 1.",
    implied="one of the checks whose failure ends path validation",
)
client_quotes.quote(
    "RFC 5280 6.1.3 excluded",
    "Otherwise, verify that the subject name is not within any of the excluded_subtrees for X.500 distinguished names, and verify "
    "that each of the alternative names in the subjectAltName extension (critical or non-critical) is not within any of "
    "the excluded_subtrees for that name type.",
    implied="one of the checks whose failure ends path validation",
)
client_quotes.quote(
    "RFC 5280 4.2 critical",
    "A certificate-using system MUST reject the certificate if it encounters a critical extension it does not recognize "
    "or a critical extension that contains information that it cannot process.",
)
client_quotes.quote(
    "RFC 5280 4.2.1.12",
    "If the extension is present, then the certificate MUST only be used for one of the purposes indicated.",
)
client_quotes.quote(
    "RFC 8446 4.4.2 extraneous",
    "For maximum compatibility, all implementations SHOULD be prepared to handle potentially extraneous certificates and "
    "arbitrary orderings from any TLS version, with the exception of the end-entity certificate which MUST be first.",
)
client_quotes.quote(
    "RFC 8446 4.4.2.4",
    "SHA-1 is deprecated, and it is RECOMMENDED that any endpoint receiving any certificate which it would need to "
    'validate using any signature algorithm using a SHA-1 hash abort the handshake with a "bad_certificate" alert.',
)
client_quotes.quote(
    "7.4.3",
    "This message will be sent immediately after the server Certificate message (or the ServerHello message, if this is "
    "an anonymous negotiation).",
    binds="sender",
    implied="so nothing else is expected there",
)
client_quotes.quote(
    "7.4.3 omitted",
    "It is not legal to send the ServerKeyExchange message for the following key exchange methods: RSA DH_DSS DH_RSA",
    binds="sender",
    implied="a message that is not legal is an inappropriate one",
)
client_quotes.quote(
    "7.4.3 pair",
    'If the client has offered the "signature_algorithms" extension, the signature algorithm and hash algorithm MUST be '
    "a pair listed in that extension.",
    binds="sender",
    implied="a pair that is not listed is inconsistent with the ClientHello",
)
client_quotes.quote(
    "RFC 8422 4",
    "Servers implementing ECC cipher suites MUST support these extensions, and when a client uses these extensions, "
    "servers MUST NOT negotiate the use of an ECC cipher suite unless they can complete the handshake while respecting "
    "the choice of curves specified by the client.",
    binds="sender",
    implied="a curve that was not offered is inconsistent with the ClientHello",
)
client_quotes.quote(
    "RFC 8422 5.4 when",
    "This message is sent when using the ECDHE_ECDSA, ECDHE_RSA, and ECDH_anon key exchange algorithms.",
    binds="sender",
    implied="without it there are no parameters, and what comes instead is an inappropriate message",
)
client_quotes.quote(
    "RFC 8422 5.4",
    "The client verifies the signature (when present) and retrieves the server's elliptic curve domain parameters and "
    "ephemeral ECDH public key from the ServerKeyExchange message.",
    implied="actions of the receiver",
)
client_quotes.quote(
    "RFC 8422 5.4 capabilities",
    "(A possible reason for a fatal handshake failure is that the client's capabilities for handling elliptic curves "
    "and point formats are exceeded; cf. Section 5.1.)",
    implied="it names the alert that may be sent",
)
client_quotes.quote(
    "RFC 8422 5.3",
    "The client validates the certificate chain, extracts the server's public key, and checks that the key type is "
    "appropriate for the negotiated key exchange algorithm.",
    implied="actions of the receiver",
)
client_quotes.quote(
    "7.4.5",
    "This message means that the server is done sending messages to support the key exchange, and the client can "
    "proceed with its phase of the key exchange.",
    implied="section 7.3 lists what the client then sends",
)
client_quotes.quote(
    "7.4.5 valid",
    "Upon receipt of the ServerHelloDone message, the client SHOULD verify that the server provided a valid certificate, "
    "if required, and check that the server hello parameters are acceptable.",
)
client_quotes.quote(
    "7.4.6",
    "If no suitable certificate is available, the client MUST send a certificate message containing no certificates.",
    binds="sender",
)
client_quotes.quote(
    "7.3 finish",
    "At this point, a ChangeCipherSpec message is sent by the client, and the client copies the pending Cipher Spec into "
    "the current Cipher Spec. The client then immediately sends the Finished message under the new algorithms, keys, and "
    "secrets.",
    binds="sender",
    implied="it states what the client does",
)
client_quotes.quote(
    "7.4.1.2 session",
    "If not empty, the value identifies a session between the same client and server whose security parameters the client "
    "wishes to reuse.",
    binds="sender",
    implied="it states what the client asks for with it",
)
client_quotes.quote(
    "7.4.1.3 prepared",
    "Clients MUST be prepared to do a full negotiation -- including negotiating new cipher suites -- during any handshake.",
)
client_quotes.quote(
    "7.4.1.3 resumed",
    "This indicates a resumed session and dictates that the parties must proceed directly to the Finished messages.",
    binds="both",
    implied="must is in lower case, and dictates",
)
client_quotes.quote(
    "7.4.1.3 same",
    "If a session is resumed, it must be resumed using the same cipher suite it was originally negotiated with.",
    binds="sender",
    implied="must is in lower case; another suite is inconsistent with the session that the message resumes",
)
client_quotes.quote(
    "RFC 5077 3.2",
    "If the client possesses a ticket that it wants to use to resume a session, then it includes the ticket in the "
    "SessionTicket extension in the ClientHello. If the client does not have a ticket and is prepared to receive one in the "
    "NewSessionTicket handshake message, then it MUST include a zero-length ticket in the SessionTicket extension.",
    binds="sender",
)
client_quotes.quote(
    "RFC 5077 3.2 announce",
    "The server uses a zero-length SessionTicket extension to indicate to the client that it will send a new session ticket "
    "using the NewSessionTicket handshake message described in Section 3.3.",
    binds="sender",
    implied="it says what the client has to expect",
)
client_quotes.quote(
    "RFC 5077 3.3 before",
    "This message is sent by the server during the TLS handshake before the ChangeCipherSpec message.",
    binds="sender",
    implied="it says where the client has to expect the message",
)
client_quotes.quote(
    "RFC 5077 3.3 withdrawn",
    "If the server determines that it does not want to include a ticket after it has included the SessionTicket extension in "
    "the ServerHello, then it sends a zero-length ticket in the NewSessionTicket handshake message.",
    binds="sender",
    implied="what the server may do, the client has to accept",
)
client_quotes.quote(
    "RFC 7627 5.3 added",
    'If the original session did not use the "extended_master_secret" extension but the new ServerHello contains the '
    "extension, the client MUST abort the handshake.",
)
client_quotes.quote(
    "RFC 7627 5.3 dropped",
    "If the original session used the extension but the new ServerHello does not contain the extension, the client MUST "
    "abort the handshake.",
)
client_quotes.quote(
    "RFC 5746 3.5 include",
    'The client MUST include the "renegotiation_info" extension in the ClientHello, containing the saved '
    "client_verify_data. The SCSV MUST NOT be included.",
    binds="sender",
)
client_quotes.quote(
    "RFC 5746 3.5 present",
    'When a ServerHello is received, the client MUST verify that the "renegotiation_info" extension is present; if it is '
    "not, the client MUST abort the handshake.",
)
client_quotes.quote(
    "RFC 5746 3.5 equal",
    'The client MUST then verify that the first half of the "renegotiated_connection" field is equal to the saved '
    "client_verify_data value, and the second half is equal to the saved server_verify_data value. If they are not, the "
    "client MUST abort the handshake.",
)
client_quotes.quote(
    "7.4.3 signed",
    "For non-anonymous key exchanges, a signature over the server's key exchange parameters.",
    binds="sender",
    implied="one that does not verify is no such signature",
)
client_quotes.quote(
    "F.1.1.3 verify",
    "In either case, the client can verify the certificate or signature to ensure that the parameters belong to the server.",
    implied="it says what the signature is for: parameters without a valid one belong to nobody known",
)
client_quotes.quote(
    "F.1.1.3 size",
    "Because TLS allows the server to provide arbitrary DH groups, the client should verify that the DH group is of suitable "
    "size as defined by local policy.",
    implied="should is in lower case, and what is suitable is the client's to say: it recommends the check",
)
client_quotes.quote(
    "F.1.1.3 adequate",
    "The client SHOULD also verify that the DH public exponent appears to be of adequate size.",
)
client_quotes.cite(
    "RFC 7919 3",
    why="the client checks that dh_Ys lies between 1 and p - 1, and ends the handshake where it does not; it may refuse a "
    "group that it does not accept with insufficient_security",
)
client_quotes.quote(
    "E.1 agree",
    "If the client agrees to use this version, the negotiation will proceed as appropriate for the negotiated protocol.",
    binds="both",
    implied="if it agrees: a client may enable older versions",
)
client_quotes.cite(
    "RFC 7507 4",
    why="a client that offers a lower version than its highest because an attempt has failed includes TLS_FALLBACK_SCSV",
    binds="sender",
)
