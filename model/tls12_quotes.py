"""The sentences on which the rows of TLS 1.2 rest: RFC 5246, and what RFC 5746, 8422, 5280 and 9110 add.

Sentences that both roles cite come first, then those of the client, then those of the server.
"""

from __future__ import annotations

from shakeproof.model.clauses import Quotes

client_quotes = Quotes(5246)
server_quotes = Quotes(5246)

# -------------------------------------------------------------------------------------------------------- both roles

for _quotes in (client_quotes, server_quotes):
    _quotes.quote(
        "6",
        "If a TLS implementation receives an unexpected record type, it MUST send an unexpected_message alert.",
    )
    _quotes.quote(
        "6.2.1 empty",
        "Implementations MUST NOT send zero-length fragments of Handshake, Alert, or ChangeCipherSpec content types.",
        binds="sender",
        implied="it says nothing to the receiver, which is therefore free to skip such a record or to refuse it",
    )
    _quotes.quote(
        "6.2.1 zero-length",
        "Zero-length fragments of Application data MAY be sent as they are potentially useful as a traffic analysis "
        "countermeasure.",
        binds="sender",
        implied="what one side may send, the other has to accept",
    )
    _quotes.quote(
        "6.2.1 interleaved",
        "Recipients MUST receive and process interleaved application layer traffic during handshakes subsequent to the "
        "first one on a connection.",
    )
    _quotes.quote(
        "6.2.3.2",
        "The receiver MUST check this padding and MUST use the bad_record_mac alert to indicate padding errors.",
    )
    _quotes.quote(
        "6.2.3.3",
        "If the decryption fails, a fatal bad_record_mac alert MUST be generated.",
    )
    _quotes.quote(
        "7.1",
        "Reception of this message causes the receiver to instruct the record layer to immediately copy the read "
        "pending state into the read current state.",
        implied="it defines what the receiver does",
    )
    _quotes.quote(
        "7.1 value",
        "The message consists of a single byte of value 1.",
        binds="both",
        implied="any other content is not this message",
    )
    _quotes.quote(
        "7.1 when",
        "The ChangeCipherSpec message is sent during the handshake after the security parameters have been agreed upon, "
        "but before the verifying Finished message is sent.",
        binds="sender",
        implied="at any other time it is an inappropriate message",
    )
    _quotes.quote(
        "7.2.1 initiate",
        "Either party may initiate a close by sending a close_notify alert.",
        binds="both",
        implied="may, and no word of when: at any time, during a handshake too",
    )
    _quotes.quote(
        "7.2.1 respond",
        "The other party MUST respond with a close_notify alert of its own and close down the connection immediately, "
        "discarding any pending writes.",
    )
    _quotes.quote(
        "7.2.1 required",
        "Unless some other fatal alert has been transmitted, each party is required to send a close_notify alert before "
        "closing the write side of the connection.",
        binds="sender",
        implied="is required to",
    )
    _quotes.quote(
        "7.2.1 wait",
        "It is not required for the initiator of the close to wait for the responding close_notify alert before closing "
        "the read side of the connection.",
        binds="sender",
        implied="so nothing more is demanded of who closed first",
    )
    _quotes.quote(
        "7.2.2 close",
        "Upon transmission or receipt of a fatal alert message, both parties immediately close the connection.",
        binds="both",
        implied="it states what both parties do",
    )
    _quotes.quote(
        "7.2.2 send",
        "Whenever an implementation encounters a condition which is defined as a fatal alert, it MUST send the "
        "appropriate alert prior to closing the connection.",
    )
    _quotes.quote(
        "7.2.2 warning",
        "If an alert with a level of warning is sent and received, generally the connection can continue normally.",
        implied="generally: going on is permitted, not demanded",
    )
    _quotes.quote(
        "7.2.2 decide",
        "If the receiving party decides not to proceed with the connection (e.g., after having received a "
        "no_renegotiation alert that it is not willing to accept), it SHOULD send a fatal alert to terminate the "
        "connection.",
    )
    _quotes.quote(
        "7.2.2 cancel",
        "This handshake is being canceled for some reason unrelated to a protocol failure. If the user cancels an "
        "operation after the handshake is complete, just closing the connection by sending a close_notify is more "
        "appropriate. This alert should be followed by a close_notify.",
        binds="sender",
        implied="should is in lower case: the warning may come before the close_notify, or be left out",
    )
    _quotes.quote(
        "7.2.2 unexpected",
        "An inappropriate message was received.",
        implied="it defines the condition whose alert must be sent",
    )
    _quotes.quote(
        "7.2.2 mac",
        "This alert is returned if a record is received with an incorrect MAC.",
        implied="it states what the receiver does",
    )
    _quotes.quote(
        "7.2.2 padding",
        "This alert also MUST be returned if an alert is sent because a TLSCiphertext decrypted in an invalid way: "
        "either it wasn't an even multiple of the block length, or its padding values, when checked, weren't correct.",
    )
    _quotes.quote(
        "7.2.2 overflow",
        "A TLSCiphertext record was received that had a length more than 2^14+2048 bytes, or a record decrypted to a "
        "TLSCompressed record with more than 2^14+1024 bytes.",
        implied="it defines the condition whose alert must be sent",
    )
    _quotes.quote(
        "7.2.2 failure",
        "Reception of a handshake_failure alert message indicates that the sender was unable to negotiate an acceptable "
        "set of security parameters given the options available.",
        implied="it defines when the alert is the appropriate one",
    )
    _quotes.quote(
        "7.2.2 illegal",
        "A field in the handshake was out of range or inconsistent with other fields.",
        implied="it defines the condition whose alert must be sent",
    )
    _quotes.quote(
        "7.2.2 decode",
        "A message could not be decoded because some field was out of the specified range or the length of the message "
        "was incorrect.",
        implied="it defines the condition whose alert must be sent",
    )
    _quotes.quote(
        "7.2.2 decrypt",
        "A handshake cryptographic operation failed, including being unable to correctly verify a signature or validate "
        "a Finished message.",
        implied="it defines the condition whose alert must be sent",
    )
    _quotes.quote(
        "7.2.2 refuse",
        "Either of these would normally lead to renegotiation; when that is not appropriate, the recipient should "
        "respond with this alert.",
        implied="should is in lower case: refusing in this way is permitted and advised, silence not forbidden",
    )
    _quotes.quote(
        "7.3 data",
        "Application data MUST NOT be sent prior to the completion of the first handshake (before a cipher suite other "
        "than TLS_NULL_WITH_NULL_NULL is established).",
        binds="sender",
        implied="before that it is an inappropriate message",
    )
    _quotes.quote(
        "7.4 order",
        "The handshake protocol messages are presented below in the order they MUST be sent; sending handshake messages "
        "in an unexpected order results in a fatal error.",
        binds="both",
    )
    _quotes.quote(
        "7.4.1.2 length",
        "A server MUST accept ClientHello messages both with and without the extensions field, and (as for all other "
        "messages) it MUST check that the amount of data in the message precisely matches one of these formats; if not, "
        'then it MUST send a fatal "decode_error" alert.',
        binds="both",
        implied="its subject is the server; 'as for all other messages' and decode_error's definition oblige a client too",
    )
    _quotes.quote(
        "7.4.1.2 renegotiate",
        "The client can also send a ClientHello in response to a HelloRequest or on its own initiative in order to "
        "renegotiate the security parameters in an existing connection.",
        binds="sender",
        implied="can: it permits a second handshake",
    )
    _quotes.quote(
        "7.4.9",
        "Recipients of Finished messages MUST verify that the contents are correct.",
    )
    _quotes.quote(
        "7.4.9 preceded",
        "It is a fatal error if a Finished message is not preceded by a ChangeCipherSpec message at the appropriate "
        "point in the handshake.",
        binds="both",
        implied="a fatal error is answered with the appropriate alert",
    )
    _quotes.quote(
        "7.4.9 data",
        "Once a side has sent its Finished message and received and validated the Finished message from its peer, it "
        "may begin to send and receive application data over the connection.",
        binds="both",
        implied="what one side may send, the other has to accept",
    )
    _quotes.quote(
        "10",
        "Application data messages are carried by the record layer and are fragmented, compressed, and encrypted based "
        "on the current connection state.",
        binds="both",
        implied="it states what becomes of the application's data",
    )
    _quotes.quote(
        "RFC 8422 5.11",
        "With the NIST curves, each party MUST validate the public key sent by its peer in the ClientKeyExchange and "
        "ServerKeyExchange messages.",
    )
    _quotes.quote(
        "RFC 8422 5.11 zero",
        "With X25519 and X448, a receiving party MUST check whether the computed premaster secret is the all-zero value "
        "and abort the handshake if so, as described in Section 6 of [RFC7748].",
    )

# --------------------------------------------------------------------------------------------------------- the client

client_quotes.quote(
    "7.4 ignored",
    "The one message that is not bound by these ordering rules is the HelloRequest message, which can be sent at any "
    "time, but which SHOULD be ignored by the client if it arrives in the middle of a handshake.",
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
    implied="a key for ECDHE that forbids signing is refused by whoever checks what a certificate is for",
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
    "7.4.4",
    "A non-anonymous server can optionally request a certificate from the client, if appropriate for the selected "
    "cipher suite.",
    binds="sender",
    implied="what the server can do, the client has to accept",
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
    "7.4.7",
    "It MUST immediately follow the client certificate message, if it is sent. Otherwise, it MUST be the first message "
    "sent by the client after it receives the ServerHelloDone message.",
    binds="sender",
)
client_quotes.quote(
    "7.3 requested",
    "If the server has sent a CertificateRequest message, the client MUST send the Certificate message.",
    binds="sender",
)
client_quotes.quote(
    "7.4.8",
    "When sent, it MUST immediately follow the client key exchange message.",
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

# --------------------------------------------------------------------------------------------------------- the server

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
    "7.2.2 insufficient",
    "Returned instead of handshake_failure when a negotiation has failed specifically because the server requires "
    "ciphers more secure than those supported by the client.",
    implied="it defines when the alert is the appropriate one",
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
    "RFC 5746 3.4",
    'Note: later in Section 3, "abort the handshake" is used as shorthand for "send a fatal handshake_failure alert and '
    'terminate the connection".',
    binds="both",
    implied="it names the alert",
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
