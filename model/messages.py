"""The alphabet of TLS: what a record or a handshake message can say, sound and defective.

The two ends of a protocol share these objects. A role's rows look at some of the facts; a mapper turns each combination
into bytes and back. Facts of one message that describe several faults at once are `many`: their sound value is "none".
"""

from __future__ import annotations

from shakeproof.model.facts import Fact
from shakeproof.model.notation import Message, call_message

# fmt: off

# ------------------------------------------------------------------------------------------------- what is negotiated
KEY_EXCHANGE = Fact("key_exchange", {
    "rsa":   "RSA key transport: the client encrypts the pre-master secret with the certificate's key",
    "ecdhe": "ephemeral elliptic-curve Diffie-Hellman, signed with the certificate's key",
    "dhe":   "ephemeral Diffie-Hellman in a finite field, signed with the certificate's key",
})
rsa, ecdhe, dhe = KEY_EXCHANGE.values

OFFER = Fact("offer", {
    "offers_several": "offers suites of several key exchanges",
    "offers_rsa":     "offers RSA key transport only",
    "offers_ecdhe":   "offers ECDHE only",
    "offers_dhe":     "offers DHE only",
})
offers_several, offers_rsa, offers_ecdhe, offers_dhe = OFFER.values

EXTENSIONS = Fact("extensions", {
    "extended": "has the usual extensions",
    "bare":     "has no extensions at all, nor a signal in place of one, so that the defaults of the standard apply",
})
extended, bare = EXTENSIONS.values

ASKS = Fact("asks", {
    "anew":          "asks for a new session",
    "ticketed":      "asks for a new session, and would take a ticket",
    "by_id":         "names, by its id, a session that the server knows",
    "by_ticket":     "carries a ticket that the server gave out",
    "by_unknown":    "names a session, or carries a ticket, that the server does not know",
    "by_other_name": "asks to resume a session that was made under another server name",
})
anew, ticketed, by_id, by_ticket, by_unknown, by_other_name = ASKS.values

GRANTS = Fact("grants", {
    "full":    "begins a full handshake",
    "resumed": "resumes the session that the client asked for",
})
full, resumed = GRANTS.values

TICKET = Fact("ticket", {
    "unpromised": "no NewSessionTicket follows",
    "promised":   "a NewSessionTicket follows",
})
unpromised, promised = TICKET.values

CLIENT_HELLO = Fact("client_hello", {"acceptable": "can be accepted as it is"}, {
    "old_version":           "its highest version is below TLS 1.2",
    "no_common_suite":       "offers no cipher suite that the server knows",
    "no_null_compression":   "does not offer the null compression method",
    "renegotiation_claimed": "its renegotiation_info is not what the handshake before it makes it",
    "signalled_again":       "signals secure renegotiation by a cipher suite although it renegotiates",
    "fallback":              "says that it falls back to an older version although the server has a newer one",
    "bond_dropped":          "asks to resume a session with extended master secret, and does not offer that",
    "broken_hello":          "its lengths do not add up",
}, many=True)
(acceptable, old_version, no_common_suite, no_null_compression, renegotiation_claimed, signalled_again, fallback,
 bond_dropped, broken_hello) = CLIENT_HELLO.values

SERVER_HELLO = Fact("server_hello", {"proper": "chooses among what was offered"}, {
    "alien_suite":          "chooses a cipher suite that was not offered",
    "alien_version":        "chooses a version that was not offered",
    "alien_compression":    "chooses a compression method that was not offered",
    "alien_extension":      "answers an extension that was not offered",
    "renegotiation_forged":  "its renegotiation_info is not what the handshake before it makes it",
    "renegotiation_dropped": "has no renegotiation_info although the connection renegotiates securely",
    "changed_suite":         "resumes the session under another cipher suite",
    "bond_changed":          "resumes the session, and differs from it in having an extended master secret",
    "broken_answer":         "its lengths do not add up",
}, many=True)
(proper, alien_suite, alien_version, alien_compression, alien_extension, renegotiation_forged, renegotiation_dropped,
 changed_suite, bond_changed, broken_answer) = SERVER_HELLO.values

# ----------------------------------------------------------------------------------------------------- certificates
CHAIN = Fact("chain", {"trusted": "leads to a trust anchor, is current, and names the server"}, {
    "empty_chain":    "has no certificate in it",
    "expired":        "the server's certificate has expired",
    "not_yet_valid":  "the server's certificate is not valid yet",
    "wrong_name":     "the certificate does not name the server that the client wanted",
    "untrusted":      "the chain does not lead to a trust anchor",
    "bad_signature":  "a signature in the chain does not verify",
    "issuer_not_ca":  "an issuer in the chain is not a certification authority",
    "wrong_usage":    "the certificate's key usage forbids this key exchange",
    "self_signed_leaf":     "the certificate is signed with its own key, and no trust anchor",
    "missing_intermediate": "the certificate's issuer is neither in the chain nor a trust anchor",
    "pathlen_exceeded":     "there is one intermediate authority more in the chain than an issuer allows",
    "wrong_eku":            "the certificate is meant for another purpose",
    "name_excluded":        "a name lies in a subtree that an issuer in the chain may not certify",
    "unknown_critical":     "the certificate has a critical extension that nobody knows",
    "no_san":               "the certificate names the server in its common name alone",
    "weak_hash":            "the certificate is signed with SHA-1",
    "wrong_key_type": "the certificate's key is of another kind than the cipher suite needs",
    "broken_chain":   "the message or a certificate in it can't be parsed",
}, many=True)
(trusted, empty_chain, expired, not_yet_valid, wrong_name, untrusted, bad_signature, issuer_not_ca, wrong_usage,
 self_signed_leaf, missing_intermediate, pathlen_exceeded, wrong_eku, name_excluded, unknown_critical, no_san, weak_hash,
 wrong_key_type, broken_chain) = CHAIN.values

COMPANY = Fact("company", {
    "alone":       "every certificate is on the path",
    "accompanied": "an expired certificate of an issuer, which is on no path that holds, comes before the one that is",
}, narrow=True)
alone, accompanied = COMPANY.values

# ----------------------------------------------------------------------------------------------------- key exchange
SERVER_PARAMS = Fact("server_params", {"signed": "fresh parameters, signed with the certificate's key"}, {
    "forged_signature": "the signature does not verify",
    "alien_group":      "the named curve was not offered",
    "alien_scheme":     "the signature algorithm was not offered",
    "bad_point":        "the public point is not on the curve",
    "weak_group":       "the Diffie-Hellman group is too small to be of any use",
    "bad_share":        "the Diffie-Hellman public value is one that gives the secret away",
    "broken_params":    "its lengths do not add up",
}, many=True)
(signed, forged_signature, alien_group, alien_scheme, bad_point, weak_group, bad_share,
 broken_params) = SERVER_PARAMS.values

CLIENT_PARAMS = Fact("client_params", {"wrapped": "carries a secret that both sides can derive keys from"}, {
    "bad_block":     "the decrypted block is not padded as PKCS #1 demands",
    "bad_version":   "the pre-master secret does not begin with the version of the ClientHello",
    "off_curve":     "the public point is not on the curve",
    "bad_public":    "the Diffie-Hellman public value is one that gives the secret away",
    "broken_secret": "its lengths do not add up",
})
wrapped, bad_block, bad_version, off_curve, bad_public, broken_secret = CLIENT_PARAMS.values

VERIFY_DATA = Fact("verify_data", {"match": "verify_data is right for this handshake"}, {
    "mismatch":        "verify_data is wrong",
    "broken_finished": "verify_data has a wrong length",
})
match, mismatch, broken_finished = VERIFY_DATA.values

PROOF = Fact("proof", {"proven": "signed with the key of the client's certificate"}, {
    "unproven":     "the signature does not verify",
    "alien_proof":  "the signature algorithm was not asked for",
    "broken_proof": "its lengths do not add up",
})
proven, unproven, alien_proof, broken_proof = PROOF.values

# ------------------------------------------------------------------------------------------------ small messages
TICKET_BODY = Fact("ticket_body", {
    "granted":   "carries a ticket",
    "withdrawn": "carries none after all",
}, {
    "broken_ticket": "its lengths do not add up",
})
granted, withdrawn, broken_ticket = TICKET_BODY.values

DONE = Fact("done", {"empty": "has no content"}, {"overfull": "has content although it must be empty"})
empty, overfull = DONE.values

REQUEST = Fact("request", {"well_formed": "can be parsed"}, {"broken_request": "its lengths do not add up"})
well_formed, broken_request = REQUEST.values

SPEC = Fact("spec", {"one": "its single byte is 1"}, {"not_one": "its single byte is not 1"})
one, not_one = SPEC.values

RECORD = Fact("record", {"zero_length": "an application data record with nothing in it"}, {
    "bad_mac":       "its MAC or authentication tag is wrong",
    "bad_padding":   "its CBC padding is wrong and its MAC right",
    "long_bad_mac":  "it is of the largest size, and its MAC or authentication tag is wrong",
    "heartbeat":     "a heartbeat request that claims to be longer than it is, though heartbeats were not agreed upon",
    "too_long":      "its TLSCiphertext is longer than 2^14+2048 bytes",
    "alien_type":    "its content type is unknown",
    "empty_message": "a handshake record with nothing in it",
    "replayed":      "the last record under these keys, once more",
    "stale":         "an older record under these keys than the last one, once more",
})
(zero_length, bad_mac, bad_padding, long_bad_mac, heartbeat, too_long, alien_type, empty_message, replayed,
 stale) = RECORD.values

# ------------------------------------------------------------------------------------------------------- alerts
SEVERITY = Fact("severity", {
    "warning":      "a warning",
    "fatal":        "a fatal alert: the connection is over",
    "closure":      "close_notify: nothing more will be sent",
}, {
    "broken_alert": "its level is neither warning nor fatal",
})
warning, fatal, closure, broken_alert = SEVERITY.values

DESCRIPTION = Fact("description", {
    "user_canceled":                   "cancelled for a reason that has nothing to do with the protocol",
    "close_notify":                    "the sender will not send any more messages on this connection",
    "unexpected_message":              "an inappropriate message was received",
    "bad_record_mac":                  "a record with an incorrect MAC was received",
    "decryption_failed_reserved":      "used in earlier versions, and must not be sent",
    "record_overflow":                 "a record was longer than the limit",
    "decompression_failure":           "the decompression function received improper input",
    "handshake_failure":               "no acceptable set of security parameters could be negotiated",
    "no_certificate_reserved":         "used in SSL 3, and must not be sent",
    "bad_certificate":                 "a certificate was corrupt or its signatures did not verify",
    "unsupported_certificate":         "a certificate was of an unsupported type",
    "certificate_revoked":             "a certificate was revoked by its signer",
    "certificate_expired":             "a certificate has expired or is not currently valid",
    "certificate_unknown":             "some other issue made the certificate unacceptable",
    "illegal_parameter":               "a field was out of range or inconsistent with other fields",
    "unknown_ca":                      "the CA certificate could not be located or matched with a known trust anchor",
    "access_denied":                   "access control refused to proceed",
    "decode_error":                    "a message could not be decoded",
    "decrypt_error":                   "a handshake cryptographic operation failed",
    "export_restriction_reserved":     "used in earlier versions, and must not be sent",
    "protocol_version":                "the protocol version is recognised but not supported",
    "insufficient_security":           "the server requires more secure ciphers than the client supports",
    "internal_error":                  "an internal error unrelated to the peer",
    "inappropriate_fallback":          "a fallback although the server supports a higher version",
    "no_renegotiation":                "renegotiation is refused",
    "unsupported_extension":           "an extension that was not offered was answered",
    "certificate_unobtainable":        "a certificate could not be retrieved",
    "unrecognized_name":               "the server name is not recognised",
    "bad_certificate_status_response": "the certificate status is not acceptable",
    "bad_certificate_hash_value":      "a certificate does not have the hash that was given",
    "unknown_psk_identity":            "the identity is not known",
    "certificate_required":            "a client certificate is required",
    "no_application_protocol":         "no application protocol in common",
}, detail=True)
# fmt: on

(
    user_canceled,
    close_notify,
    unexpected_message,
    bad_record_mac,
    _decryption_failed,
    record_overflow,
    decompression_failure,
    handshake_failure,
    _no_certificate,
    bad_certificate,
    unsupported_certificate,
    certificate_revoked,
    certificate_expired,
    certificate_unknown,
    illegal_parameter,
    unknown_ca,
    access_denied,
    decode_error,
    decrypt_error,
    _export_restriction,
    protocol_version,
    insufficient_security,
    internal_error,
    inappropriate_fallback,
    no_renegotiation,
    unsupported_extension,
    certificate_unobtainable,
    unrecognized_name,
    bad_certificate_status_response,
    bad_certificate_hash_value,
    unknown_psk_identity,
    certificate_required,
    no_application_protocol,
) = DESCRIPTION.values

CERTIFICATE_ALERTS = (
    bad_certificate,
    unsupported_certificate,
    certificate_revoked,
    certificate_expired,
    certificate_unknown,
    unknown_ca,
)
"""Where RFC 5246 section 7.2.2 names no alert for a fault of a certificate, this project tolerates any of these."""

FATAL_ALERTS = tuple(
    alert
    for alert in DESCRIPTION.values
    if alert not in (close_notify, no_renegotiation, _decryption_failed, _no_certificate, _export_restriction)
)
"""What a fatal alert may say: all but a close, what is always a warning, and what must not be sent (section 7.2.2)."""

# ------------------------------------------------------------------------------------------------------ messages
# fmt: off
HelloRequest       = Message("HelloRequest",       "the server asks for a new handshake", DONE, source="5246 §7.4.1.1")
ClientHello        = Message("ClientHello",        "the client's offer", CLIENT_HELLO, OFFER, EXTENSIONS, ASKS, source="5246 §7.4.1.2", never=(
    (bare & ~anew, "tickets and server names are extensions; a session id without any is not tried"),
    (bond_dropped & ~(by_id | by_ticket), "there is no session from which it could differ"),
))
ServerHello        = Message("ServerHello",        "the server's choice", SERVER_HELLO, KEY_EXCHANGE, GRANTS, TICKET, source="5246 §7.4.1.3", never=(
    ((changed_suite | bond_changed) & full, "there is no session from which it could differ"),
))
NewSessionTicket   = Message("NewSessionTicket",   "a session ticket for later resumption", TICKET_BODY, source="5077 §3.3")
Certificate        = Message("Certificate",        "a certificate chain", CHAIN, COMPANY, source="5246 §7.4.2", never=(
    (accompanied & ~trusted, "where nothing holds, nothing can be told of what is besides"),
))
ServerKeyExchange  = Message("ServerKeyExchange",  "the server's signed key exchange parameters", SERVER_PARAMS, source="5246 §7.4.3")
CertificateRequest = Message("CertificateRequest", "the server asks for the client's certificate", REQUEST, source="5246 §7.4.4")
ServerHelloDone    = Message("ServerHelloDone",    "the server's part of the hello phase ends", DONE, source="5246 §7.4.5")
CertificateVerify  = Message("CertificateVerify",  "the client proves that it holds its certificate's key", PROOF, source="5246 §7.4.8")
ClientKeyExchange  = Message("ClientKeyExchange",  "the client's part of the key exchange", CLIENT_PARAMS, source="5246 §7.4.7")
Finished           = Message("Finished",           "a hash over the whole handshake under the new keys", VERIFY_DATA, source="5246 §7.4.9")
UnknownHandshake   = Message("UnknownHandshake",   "a handshake message of a type that is not defined")
ChangeCipherSpec   = Message("ChangeCipherSpec",   "what follows is protected with the new keys", SPEC, source="5246 §7.1")
Alert              = Message("Alert",              "an alert", SEVERITY, DESCRIPTION, source="5246 §7.2", never=(
    (no_renegotiation & ~warning, "it is always a warning"),
))
ApplicationData    = Message("ApplicationData",    "data of the application", source="5246 §10")
Record             = Message("Record",             "a record that is remarkable as a record", RECORD, source="5246 §6.2")

TLS12_MESSAGES = (
    HelloRequest, ClientHello, ServerHello, NewSessionTicket, Certificate, ServerKeyExchange, CertificateRequest,
    ServerHelloDone, CertificateVerify, ClientKeyExchange, Finished, UnknownHandshake, ChangeCipherSpec, Alert,
    ApplicationData, Record,
)
"""Everything that can come in over a TLS 1.2 connection, whoever sends it."""

connect = call_message("connect", "the application opens the connection")
write   = call_message("write", "the application sends data")
close   = call_message("close", "the application closes the connection")
# fmt: on
