"""Certificate validation: a chain of checks over a path, RFC 5280 section 6.1, then the name, RFC 9525.

The machine is driven by observations. Each state asks one question, which is its sentence; the next message is the
answer for the certificate at hand, sound or with a defect. The first defect ends validation, as section 6.1 says; what
else is wrong with a chain is for whoever validates to report.

The path has been put together before (section 6.1 leaves out how): certificate 1 is issued by the trust anchor,
certificate n is the target, the server's own. The answer about the signature also says whether the certificate at hand
is an issuer, one of 1 to n-1, or the leaf, n. Basic processing (6.1.3) is done for every certificate, preparation for
the next (6.1.4) for issuers, wrap-up (6.1.5) and the name for the leaf:

    START, anchor, { signature, validity, issuer: CA, issuer: may sign certificates }*, leaf: key usage, leaf: name

The rows of one check are its states and its answers: a further check is a further state between two of these.
Whether the loop ends is the validator's to see to, who bounds the length of a path.

What is rejected is answered with a TLS alert. RFC 5246 section 7.2.2 names one for some faults; for the others this
project tolerates any of the six alerts about certificates, and the first that a row names is this project's own. How
the outcome becomes the `chain` fact of the TLS client stands in `shakeproof.model.https`.

What stands in `partial` is left out until all checks are modelled.
"""

from __future__ import annotations

from shakeproof.model.clauses import MUST, SHOULD, Authority, Quotes
from shakeproof.model.facts import Fact, Value
from shakeproof.model.lint import check
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    CERTIFICATE_ALERTS,
    Alert,
    bad_certificate,
    certificate_expired,
    certificate_unknown,
    decrypt_error,
    fatal,
    handshake_failure,
    illegal_parameter,
    unknown_ca,
    unsupported_certificate,
)
from shakeproof.model.notation import (
    Abort,
    Message,
    Row,
    State,
    States,
    TableLine,
    Void,
    abort,
    call,
    call_message,
    keep,
    recv,
    void,
)
from shakeproof.model.trace import Phase

# fmt: off
# ------------------------------------------------------------------------------------------------------ observations
ANCHOR = Fact("anchor", {"anchored": "certificate 1 is issued by a trust anchor"}, {
    "untrusted": "the chain does not lead to a trust anchor",
})
anchored, untrusted = ANCHOR.values

POSITION = Fact("position", {
    "issuer": "the certificate issues the next one of the path",
    "leaf":   "the certificate is the last of the path, the server's own",
})
issuer, leaf = POSITION.values

SIGNATURE = Fact("signature", {"verified": "the issuer's key verifies the signature"}, {
    "bad_signature": "the issuer's key does not verify the signature",
})
verified, bad_signature = SIGNATURE.values

VALIDITY = Fact("validity", {"current": "the validity period includes the current time"}, {
    "expired":       "the validity period is over",
    "not_yet_valid": "the validity period has not begun",
})
current, expired, not_yet_valid = VALIDITY.values

BASIC_CONSTRAINTS = Fact("basic_constraints", {"ca": "basicConstraints is present and cA is TRUE"}, {
    "issuer_not_ca": "basicConstraints is absent, or cA is not TRUE",
})
ca, issuer_not_ca = BASIC_CONSTRAINTS.values

KEY_CERT_SIGN = Fact("key_cert_sign", {"may_sign": "keyUsage is absent, or its keyCertSign bit is set"}, {
    "may_not_sign": "keyUsage is present and its keyCertSign bit is not set",
})
may_sign, may_not_sign = KEY_CERT_SIGN.values

KEY_USAGE = Fact("key_usage", {"fitting": "keyUsage is absent, or allows the key exchange"}, {
    "wrong_usage": "keyUsage forbids the key exchange",
})
fitting, wrong_usage = KEY_USAGE.values

NAME = Fact("name", {"named": "a subject alternative name matches the server's name"}, {
    "wrong_name": "no subject alternative name matches the server's name",
})
named, wrong_name = NAME.values

Anchor           = Message("Anchor", "who issued the first certificate", ANCHOR)
Signature        = Message("Signature", "whether it verifies, and which certificate is at hand", SIGNATURE, POSITION)
Validity         = Message("Validity", "whether the certificate is valid now", VALIDITY)
BasicConstraints = Message("BasicConstraints", "whether an issuer is a certification authority", BASIC_CONSTRAINTS)
KeyCertSign      = Message("KeyCertSign", "whether an issuer's key may sign certificates", KEY_CERT_SIGN)
KeyUsage         = Message("KeyUsage", "whether the leaf's key may do what the key exchange asks of it", KEY_USAGE)
Name             = Message("Name", "whether the leaf names the server", NAME)

OBSERVATIONS = (Anchor, Signature, Validity, BasicConstraints, KeyCertSign, KeyUsage, Name)

validate = call_message("validate", "chain, trust anchors, time, key exchange and the server's name are given")

# ------------------------------------------------------------------------------------------------------ states
START                   = State("START", "nothing is known yet", "cert")
CHECK_ANCHOR            = State("CHECK_ANCHOR", "Does the chain lead to a trust anchor?", "cert")
CHECK_SIGNATURE         = State("CHECK_SIGNATURE", "Does the issuer's key verify the signature?", "cert")
CHECK_VALIDITY          = State("CHECK_VALIDITY", "Is the certificate within its validity period?", "cert")
CHECK_BASIC_CONSTRAINTS = State("CHECK_BASIC_CONSTRAINTS", "Is the issuer a certification authority?", "cert")
CHECK_KEY_CERT_SIGN     = State("CHECK_KEY_CERT_SIGN", "May the issuer's key sign certificates?", "cert")
CHECK_KEY_USAGE         = State("CHECK_KEY_USAGE", "Does the leaf's key usage allow the key exchange?", "cert")
CHECK_NAME              = State("CHECK_NAME", "Does the leaf name the server?", "cert")
ACCEPTED                = State("ACCEPTED", "the server's key belongs to the server", "cert")
REJECTED                = State("REJECTED", "the chain is not accepted", "cert")

ASKS = {
    CHECK_ANCHOR: Anchor, CHECK_SIGNATURE: Signature, CHECK_VALIDITY: Validity,
    CHECK_BASIC_CONSTRAINTS: BasicConstraints, CHECK_KEY_CERT_SIGN: KeyCertSign,
    CHECK_KEY_USAGE: KeyUsage, CHECK_NAME: Name,
}
"""What each state asks for, in order."""

PHASES = (Phase("cert", "Certificate validation", "cert", "RFC 5280, RFC 9525"),)
# fmt: on

# ------------------------------------------------------------------------------------------------------ quotes
quotes = Quotes(5280)

CHECKED = "one of the checks that a valid path passes; section 6.1 says that an implementation MUST do them in effect"
ALERTS = "the definition of the alert, and so which fault it is for"

quotes.quote(
    "6.1",
    "A conforming implementation MUST include an X.509 path processing procedure that is functionally equivalent to"
    " the external behavior of this algorithm.",
)
quotes.quote("6.1 anchor", "certificate 1 is issued by the trust anchor;", implied=CHECKED)
quotes.quote(
    "6.1 target",
    "certificate n is the certificate to be validated (i.e., the target certificate)",
    implied=CHECKED,
)
quotes.quote(
    "6.1.3 signature",
    "The certificate MUST satisfy each of the following: (1) The signature on the certificate can be verified using"
    " working_public_key_algorithm, the working_public_key, and the working_public_key_parameters.",
)
quotes.quote("6.1.3 time", "The certificate validity period includes the current time.", implied=CHECKED)
quotes.quote(
    "4.1.2.5",
    "The validity period for a certificate is the period of time from notBefore through notAfter, inclusive.",
    implied="what the validity period is of which 6.1.3 speaks",
)
quotes.quote(
    "6.1.3 prepare",
    "If i is not equal to n, continue by performing the preparatory steps listed in Section 6.1.4.",
    implied=CHECKED,
)
quotes.quote(
    "6.1.3 wrap-up",
    "If i is equal to n, perform the wrap-up steps listed in Section 6.1.5.",
    implied=CHECKED,
)
quotes.quote(
    "6.1.3 fails",
    "If any of steps (a), (b), (c), or (f) fails, the procedure terminates, returning a failure indication and an"
    " appropriate reason.",
    implied=CHECKED,
)
quotes.quote(
    "6.1.4 ca",
    "If certificate i is a version 3 certificate, verify that the basicConstraints extension is present and that cA is"
    " set to TRUE. (If certificate i is a version 1 or version 2 certificate, then the application MUST either verify"
    " that certificate i is a CA certificate through out-of-band means or reject the certificate.",
)
quotes.quote(
    "4.2.1.9",
    "If the basic constraints extension is not present in a version 3 certificate, or the extension is present but the"
    " cA boolean is not asserted, then the certified public key MUST NOT be used to verify certificate signatures.",
)
quotes.quote(
    "6.1.4 sign",
    "If a key usage extension is present, verify that the keyCertSign bit is set.",
    implied=CHECKED,
)
quotes.quote(
    "4.2.1.3",
    "If the keyUsage extension is present, then the subject public key MUST NOT be used to verify signatures on"
    " certificates or CRLs unless the corresponding keyCertSign or cRLSign bit is set.",
)
quotes.quote(
    "6.1.4 next",
    "increment i and perform the basic certificate processing specified in Section 6.1.3.",
    implied=CHECKED,
)
quotes.quote(
    "6.1.4 fails",
    "If check (a), (k), (l), (n), or (o) fails, the procedure terminates, returning a failure indication and an"
    " appropriate reason.",
    implied=CHECKED,
)
quotes.quote(
    "RFC 5246 7.4.2",
    "The end entity certificate's public key (and associated restrictions) MUST be compatible with the selected key"
    " exchange algorithm.",
    binds="sender",
    implied="it binds the server; a client that goes on with a fitting key does what is expected",
)
quotes.quote(
    "RFC 5246 7.4.5",
    "Upon receipt of the ServerHelloDone message, the client SHOULD verify that the server provided a valid"
    " certificate, if required, and check that the server hello parameters are acceptable.",
)
quotes.cite("RFC 9525 6", why="a client checks that a presented identifier matches the server's name, or fails")
quotes.quote(
    "RFC 6125 6.4.1",
    "Each label MUST match in order for the names to be considered to match, except as supplemented by the rule about"
    " checking of wildcard labels (Section 6.4.3).",
)
quotes.quote(
    "RFC 6125 6.6.1",
    "If the client has found a presented identifier that matches a reference identifier, then the service identity"
    " check has succeeded. In this case, the client MUST use the matched reference identifier as the validated"
    " identity of the application service.",
)
quotes.quote("RFC 5246 7.2.2 expired", "A certificate has expired or is not currently valid.", implied=ALERTS)
quotes.quote(
    "RFC 5246 7.2.2 unknown-ca",
    "the certificate was not accepted because the CA certificate could not be located or couldn't be matched with a"
    " known, trusted CA.",
    implied=ALERTS,
)
quotes.quote(
    "RFC 5246 7.2.2 bad",
    "A certificate was corrupt, contained signatures that did not verify correctly, etc.",
    implied=ALERTS,
)
quotes.quote(
    "RFC 5246 7.2.2 decrypt",
    "A handshake cryptographic operation failed, including being unable to correctly verify a signature or validate a"
    " Finished message.",
    implied=ALERTS,
)
quotes.quote(
    "RFC 5246 7.2.2 unknown",
    "Some other (unspecified) issue arose in processing the certificate, rendering it unacceptable.",
    implied=ALERTS,
)

# ------------------------------------------------------------------------------------------------------ the table
PARTIAL = (
    "left out until all checks are modelled: well-formedness, algorithms and key strength, names that chain, path "
    "length, name constraints, critical extensions, extended key usage, wildcards and hostile names, policies, "
    "revocation"
)


def any_alert(first: Value, *others: Value) -> Abort:
    """Any alert about certificates, since RFC 5246 names none for the fault; `first` is this project's own."""
    return abort(*dict.fromkeys((first, *CERTIFICATE_ALERTS, *others)))


def elsewhere() -> list[Void]:
    """Each observation can only be the answer to its own state's question."""
    asking = States((START, *ASKS), "ANY")
    return [void(asking - state, message, why=f"only {state.name} asks for it") for state, message in ASKS.items()]


def rejects(alert: str, *keys: str) -> Authority:
    """MUST; `alert` is the quote of RFC 5246 section 7.2.2 that names the alert."""
    return MUST(*keys, f"RFC 5246 7.2.2 {alert}")


signature_fails = rejects(
    "bad", "6.1.3 signature", "6.1.3 fails", "RFC 5246 7.2.2 decrypt", "RFC 5246 7.2.2 unknown-ca"
)
time_fails = rejects("expired", "6.1.3 time", "4.1.2.5", "6.1.3 fails")
ca_fails = rejects("unknown", "6.1.4 ca", "4.2.1.9", "6.1.4 fails")
sign_fails = rejects("unknown", "6.1.4 sign", "4.2.1.3", "6.1.4 fails")

usage_fails = SHOULD("RFC 5246 7.4.5", "RFC 5246 7.4.2", "RFC 5246 7.2.2 unknown")

refuse = any_alert(certificate_unknown)
refuse_usage = any_alert(unsupported_certificate, illegal_parameter, handshake_failure)
refuse_signature = abort(bad_certificate, decrypt_error, unknown_ca)
refuse_time = abort(certificate_expired)

# fmt: off
# Columns: state, answer, (what is remembered,) next state, authority. Figures in brackets: the steps of section 6.1.
rows: list[TableLine] = [
    call(START, validate, CHECK_ANCHOR, MUST("6.1")),
    # ---- 6.1 (b)
    recv(CHECK_ANCHOR, Anchor[anchored],  CHECK_SIGNATURE,   MUST("6.1", "6.1 anchor")),
    recv(CHECK_ANCHOR, Anchor[untrusted], abort(unknown_ca), rejects("unknown-ca", "6.1 anchor")),
    # ---- 6.1.3 (a)(1)
    recv(CHECK_SIGNATURE, Signature[verified],      CHECK_VALIDITY, keep(POSITION), MUST("6.1.3 signature")),
    recv(CHECK_SIGNATURE, Signature[bad_signature], refuse_signature,               signature_fails),
    # ---- 6.1.3 (a)(2)
    recv(CHECK_VALIDITY, Validity[current],  issuer, CHECK_BASIC_CONSTRAINTS, MUST("6.1.3 time", "6.1.3 prepare")),
    recv(CHECK_VALIDITY, Validity[current],  leaf,   CHECK_KEY_USAGE,         MUST("6.1.3 time", "6.1.3 wrap-up")),
    recv(CHECK_VALIDITY, Validity[expired],          refuse_time,             time_fails),
    recv(CHECK_VALIDITY, Validity[not_yet_valid],    refuse_time,             time_fails),
    # ---- 6.1.4 (k)
    recv(CHECK_BASIC_CONSTRAINTS, BasicConstraints[ca],            CHECK_KEY_CERT_SIGN, MUST("6.1.4 ca")),
    recv(CHECK_BASIC_CONSTRAINTS, BasicConstraints[issuer_not_ca], refuse,              ca_fails),
    # ---- 6.1.4 (n)
    recv(CHECK_KEY_CERT_SIGN, KeyCertSign[may_sign],     CHECK_SIGNATURE, MUST("6.1.4 sign", "6.1.4 next")),
    recv(CHECK_KEY_CERT_SIGN, KeyCertSign[may_not_sign], refuse,          sign_fails),
    # ---- the leaf
    recv(CHECK_KEY_USAGE, KeyUsage[fitting],     CHECK_NAME,   MUST("RFC 5246 7.4.2", "6.1 target")),
    recv(CHECK_KEY_USAGE, KeyUsage[wrong_usage], refuse_usage, usage_fails),
    recv(CHECK_NAME,      Name[named],           ACCEPTED,     MUST("RFC 9525 6", "RFC 6125 6.4.1", "RFC 6125 6.6.1")),
    recv(CHECK_NAME,      Name[wrong_name],      refuse,       rejects("unknown", "RFC 9525 6", "RFC 6125 6.4.1")),
    *elsewhere(),
]
# fmt: on


def label(row: Row) -> tuple[str, str]:
    """The answer and what follows, for pictures: "no", and the alert that this project sends."""
    if isinstance(row.next, Abort):
        return "no", row.next.alerts[0].name
    if row.states.members[0] is START:
        return row.pattern.message.name, ""
    return ", ".join(part for part in ("yes", row.condition) if part), ""


certificate = check(
    Role(
        name="certificate",
        title="Certificate validation",
        rfc=5280,
        initial=START,
        accepting=ACCEPTED,
        final=ACCEPTED,
        aborted=REJECTED,
        alert=Alert,
        fatal=fatal,
        alphabet=OBSERVATIONS,
        lines=rows,
        quotes=quotes,
        phases=PHASES,
        memory={POSITION: issuer},
        partial=PARTIAL,
        hints={"label": label},
        theory=__doc__ or "",
    )
)
