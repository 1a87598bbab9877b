"""The sentences on which the rows of TLS 1.2 rest that both roles cite: RFC 5246, and what later documents add.

Those of one side only are in `tls12_client_quotes` and `tls12_server_quotes`.
"""

from __future__ import annotations

from shakeproof.model.clauses import Quotes


def shared_quotes() -> Quotes:
    """A table's quotes, begun with the sentences that both roles cite."""
    quotes = Quotes(5246)
    quotes.quote(
        "6",
        "If a TLS implementation receives an unexpected record type, it MUST send an unexpected_message alert.",
    )
    quotes.quote(
        "6.1 incremented",
        "A sequence number is incremented after each record: specifically, the first record transmitted under a particular "
        "connection state MUST use sequence number 0.",
        binds="both",
    )
    quotes.quote(
        "6.2.1 empty",
        "Implementations MUST NOT send zero-length fragments of Handshake, Alert, or ChangeCipherSpec content types.",
        binds="sender",
        implied="it says nothing to the receiver, which is therefore free to skip such a record or to refuse it",
    )
    quotes.quote(
        "6.2.1 zero-length",
        "Zero-length fragments of Application data MAY be sent as they are potentially useful as a traffic analysis "
        "countermeasure.",
        binds="sender",
        implied="what one side may send, the other has to accept",
    )
    quotes.quote(
        "6.2.1 interleaved",
        "Recipients MUST receive and process interleaved application layer traffic during handshakes subsequent to the "
        "first one on a connection.",
    )
    quotes.quote(
        "6.2.3.2",
        "The receiver MUST check this padding and MUST use the bad_record_mac alert to indicate padding errors.",
    )
    quotes.quote(
        "6.2.3.3",
        "If the decryption fails, a fatal bad_record_mac alert MUST be generated.",
    )
    quotes.quote(
        "7.1",
        "Reception of this message causes the receiver to instruct the record layer to immediately copy the read "
        "pending state into the read current state.",
        implied="it defines what the receiver does",
    )
    quotes.quote(
        "7.1 value",
        "The message consists of a single byte of value 1.",
        binds="both",
        implied="any other content is not this message",
    )
    quotes.quote(
        "7.1 when",
        "The ChangeCipherSpec message is sent during the handshake after the security parameters have been agreed upon, "
        "but before the verifying Finished message is sent.",
        binds="sender",
        implied="at any other time it is an inappropriate message",
    )
    quotes.quote(
        "7.2.1 initiate",
        "Either party may initiate a close by sending a close_notify alert.",
        binds="both",
        implied="may, and no word of when: at any time, during a handshake too",
    )
    quotes.quote(
        "7.2.1 respond",
        "The other party MUST respond with a close_notify alert of its own and close down the connection immediately, "
        "discarding any pending writes.",
    )
    quotes.quote(
        "7.2.1 knowledge",
        "The client and the server must share knowledge that the connection is ending in order to avoid a truncation attack.",
        binds="both",
        implied="must is in lower case: it says what close_notify is for; who has seen none has no such knowledge to give "
        "to its application",
    )
    quotes.quote(
        "7.2.1 required",
        "Unless some other fatal alert has been transmitted, each party is required to send a close_notify alert before "
        "closing the write side of the connection.",
        binds="sender",
        implied="is required to",
    )
    quotes.quote(
        "7.2.1 wait",
        "It is not required for the initiator of the close to wait for the responding close_notify alert before closing "
        "the read side of the connection.",
        binds="sender",
        implied="so nothing more is demanded of who closed first",
    )
    quotes.quote(
        "7.2.2 close",
        "Upon transmission or receipt of a fatal alert message, both parties immediately close the connection.",
        binds="both",
        implied="it states what both parties do",
    )
    quotes.quote(
        "7.2.2 send",
        "Whenever an implementation encounters a condition which is defined as a fatal alert, it MUST send the "
        "appropriate alert prior to closing the connection.",
    )
    quotes.quote(
        "7.2.2 warning",
        "If an alert with a level of warning is sent and received, generally the connection can continue normally.",
        implied="generally: going on is permitted, not demanded",
    )
    quotes.quote(
        "7.2.2 decide",
        "If the receiving party decides not to proceed with the connection (e.g., after having received a "
        "no_renegotiation alert that it is not willing to accept), it SHOULD send a fatal alert to terminate the "
        "connection.",
    )
    quotes.quote(
        "7.2.2 cancel",
        "This handshake is being canceled for some reason unrelated to a protocol failure. If the user cancels an "
        "operation after the handshake is complete, just closing the connection by sending a close_notify is more "
        "appropriate. This alert should be followed by a close_notify.",
        binds="sender",
        implied="should is in lower case: the warning may come before the close_notify, or be left out",
    )
    quotes.quote(
        "7.2.2 unexpected",
        "An inappropriate message was received.",
        implied="it defines the condition whose alert must be sent",
    )
    quotes.quote(
        "7.2.2 mac",
        "This alert is returned if a record is received with an incorrect MAC.",
        implied="it states what the receiver does",
    )
    quotes.quote(
        "7.2.2 padding",
        "This alert also MUST be returned if an alert is sent because a TLSCiphertext decrypted in an invalid way: "
        "either it wasn't an even multiple of the block length, or its padding values, when checked, weren't correct.",
    )
    quotes.quote(
        "7.2.2 overflow",
        "A TLSCiphertext record was received that had a length more than 2^14+2048 bytes, or a record decrypted to a "
        "TLSCompressed record with more than 2^14+1024 bytes.",
        implied="it defines the condition whose alert must be sent",
    )
    quotes.quote(
        "7.2.2 failure",
        "Reception of a handshake_failure alert message indicates that the sender was unable to negotiate an acceptable "
        "set of security parameters given the options available.",
        implied="it defines when the alert is the appropriate one",
    )
    quotes.quote(
        "7.2.2 illegal",
        "A field in the handshake was out of range or inconsistent with other fields.",
        implied="it defines the condition whose alert must be sent",
    )
    quotes.quote(
        "7.2.2 decode",
        "A message could not be decoded because some field was out of the specified range or the length of the message "
        "was incorrect.",
        implied="it defines the condition whose alert must be sent",
    )
    quotes.quote(
        "7.2.2 decrypt",
        "A handshake cryptographic operation failed, including being unable to correctly verify a signature or validate "
        "a Finished message.",
        implied="it defines the condition whose alert must be sent",
    )
    quotes.quote(
        "7.2.2 refuse",
        "Either of these would normally lead to renegotiation; when that is not appropriate, the recipient should "
        "respond with this alert.",
        implied="should is in lower case: refusing in this way is permitted and advised, silence not forbidden",
    )
    quotes.quote(
        "7.3 data",
        "Application data MUST NOT be sent prior to the completion of the first handshake (before a cipher suite other "
        "than TLS_NULL_WITH_NULL_NULL is established).",
        binds="sender",
        implied="before that it is an inappropriate message",
    )
    quotes.quote(
        "7.4 order",
        "The handshake protocol messages are presented below in the order they MUST be sent; sending handshake messages "
        "in an unexpected order results in a fatal error.",
        binds="both",
    )
    quotes.quote(
        "7.4.1.2 length",
        "A server MUST accept ClientHello messages both with and without the extensions field, and (as for all other "
        "messages) it MUST check that the amount of data in the message precisely matches one of these formats; if not, "
        'then it MUST send a fatal "decode_error" alert.',
        binds="both",
        implied="its subject is the server; 'as for all other messages' and decode_error's definition oblige a client too",
    )
    quotes.quote(
        "7.4.1.2 renegotiate",
        "The client can also send a ClientHello in response to a HelloRequest or on its own initiative in order to "
        "renegotiate the security parameters in an existing connection.",
        binds="sender",
        implied="can: it permits a second handshake",
    )
    quotes.quote(
        "7.4.9",
        "Recipients of Finished messages MUST verify that the contents are correct.",
    )
    quotes.quote(
        "7.4.9 preceded",
        "It is a fatal error if a Finished message is not preceded by a ChangeCipherSpec message at the appropriate "
        "point in the handshake.",
        binds="both",
        implied="a fatal error is answered with the appropriate alert",
    )
    quotes.quote(
        "7.4.9 data",
        "Once a side has sent its Finished message and received and validated the Finished message from its peer, it "
        "may begin to send and receive application data over the connection.",
        binds="both",
        implied="what one side may send, the other has to accept",
    )
    quotes.quote(
        "10",
        "Application data messages are carried by the record layer and are fragmented, compressed, and encrypted based "
        "on the current connection state.",
        binds="both",
        implied="it states what becomes of the application's data",
    )
    quotes.quote(
        "F.2 replay",
        "To prevent message replay or modification attacks, the MAC is computed from the MAC key, the sequence number, the "
        "message length, the message contents, and two fixed character strings.",
        binds="both",
        implied="a record that comes again has the MAC of another sequence number, which is an incorrect one",
    )
    quotes.quote(
        "F.2 order",
        "The sequence number ensures that attempts to delete or reorder messages will be detected.",
        binds="both",
        implied="who takes a record under any other number than the next one detects nothing",
    )
    quotes.quote(
        "RFC 8422 5.11",
        "With the NIST curves, each party MUST validate the public key sent by its peer in the ClientKeyExchange and "
        "ServerKeyExchange messages.",
    )
    quotes.quote(
        "RFC 8422 5.11 zero",
        "With X25519 and X448, a receiving party MUST check whether the computed premaster secret is the all-zero value "
        "and abort the handshake if so, as described in Section 6 of [RFC7748].",
    )
    quotes.quote(
        "RFC 7366 3",
        "The MAC SHALL be evaluated before any further processing such as decryption is performed, and if the MAC "
        "verification fails, then processing SHALL terminate immediately. For TLS, a fatal bad_record_mac MUST be generated "
        "[2].",
    )
    quotes.quote(
        "7.4.9 immediately",
        "A Finished message is always sent immediately after a change cipher spec message to verify that the key exchange "
        "and authentication processes were successful.",
        binds="sender",
        implied="always immediately: nothing else is expected between the two",
    )
    quotes.quote(
        "7.3 resumed",
        "At this point, both client and server MUST send ChangeCipherSpec messages and proceed directly to Finished "
        "messages.",
        binds="both",
    )
    quotes.quote(
        "7.2.2 insufficient",
        "Returned instead of handshake_failure when a negotiation has failed specifically because the server requires "
        "ciphers more secure than those supported by the client.",
        implied="it defines when the alert is the appropriate one, for a server; RFC 7919 lends it to clients",
    )
    quotes.cite("RFC 7919 5.1", why="each peer validates that the other's public value lies between 1 and p - 1")
    quotes.quote(
        "RFC 7627 5.2 abort",
        'In the following, we use the phrase "abort the handshake" as shorthand for terminating the handshake by sending a '
        'fatal "handshake_failure" alert.',
        binds="both",
        implied="it names the alert",
    )
    quotes.quote(
        "RFC 5746 3.4 abort",
        'Note: later in Section 3, "abort the handshake" is used as shorthand for "send a fatal handshake_failure alert and '
        'terminate the connection".',
        binds="both",
        implied="it names the alert",
    )
    quotes.quote(
        "7.3 requested",
        "If the server has sent a CertificateRequest message, the client MUST send the Certificate message.",
        binds="sender",
    )
    quotes.quote(
        "7.4.3 needed",
        "The ServerKeyExchange message is sent by the server only when the server Certificate message (if sent) does not "
        "contain enough data to allow the client to exchange a premaster secret. This is true for the following key "
        "exchange methods: DHE_DSS DHE_RSA DH_anon",
        binds="sender",
        implied="it states when the message is sent; without it there are no parameters",
    )
    quotes.quote(
        "7.4.4",
        "A non-anonymous server can optionally request a certificate from the client, if appropriate for the selected "
        "cipher suite.",
        binds="sender",
        implied="what the server can do, the client has to accept",
    )
    quotes.quote(
        "7.4.7 follow",
        "It MUST immediately follow the client certificate message, if it is sent. Otherwise, it MUST be the first message "
        "sent by the client after it receives the ServerHelloDone message.",
        binds="sender",
    )
    quotes.quote(
        "7.4.8 follow",
        "When sent, it MUST immediately follow the client key exchange message.",
        binds="sender",
    )
    quotes.quote(
        "7.3 verify",
        "If the client has sent a certificate with signing ability, a digitally-signed CertificateVerify message is sent to "
        "explicitly verify possession of the private key in the certificate.",
        binds="sender",
        implied="is sent: without it the handshake does not go on",
    )
    quotes.quote(
        "RFC 5077 3.3",
        "This message MUST be sent if the server included a SessionTicket extension in the ServerHello. This message MUST "
        "NOT be sent if the server did not include a SessionTicket extension in the ServerHello.",
        binds="sender",
    )
    return quotes
