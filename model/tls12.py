"""TLS 1.2 (RFC 5246): the client and the server, each as one table.

One connection has one of each. Both read the same alphabet, since a peer, or whoever sits between, can send anything;
what only the other side may say is an inappropriate message here. The record layer is part of each role: a `Record` is
remarkable as a record, whatever else comes has been decrypted and reassembled. Certificates arrive judged: the
certificate machine gives the defects of a chain, and what follows from them is decided here.

Key exchange is RSA key transport or ECDHE. The server chooses, the client follows what the ServerHello says.

A spoiled secret. After a ClientKeyExchange whose RSA block is wrong, the server goes on with another secret than the
one that it was sent (7.4.7.1), and must not show it. Then it can read nothing that the peer protects with keys of the
one that was sent: it is in WAIT_IN_VAIN, which from outside is WAIT_FINISHED.

Defects. Each alert that a row allows is one that a clause names or whose definition in 7.2.2 fits; where several fit,
each is allowed. For faults of a certificate for which 7.2.2 names no alert this project tolerates any of the six about
certificates, though the definitions of some do not fit. Several defects at once enable several rows, and the union of
their alerts is allowed. A message that is out of place and malformed too may be answered either way: no text says which
is looked at first.

Readings. That a chain must lead to a trust anchor, be current and name the server is what `https` demands, not TLS:
most alerts about certificates have no level in 7.2.2, which leaves it to the client whether such an error is fatal.
unknown_ca is always fatal where it is sent, but what is demanded is the alert and not the judgement. A chain that is
empty or unparsable, or a key of the wrong kind, ends any handshake. That the key's usage forbids the key exchange binds
the server; a client SHOULD notice (7.4.5). A client may put its judgement off until ServerHelloDone (7.4.5 recommends
it then); the table wants it at Certificate, and lateness short of application data is graded as a deviation only.

Closing. Either side may close or warn of its own accord wherever the connection is open, and so also after a warning. Who closes first need not wait
for the other's close_notify (7.2.1), so CLOSED reads nothing more.

Left out, to come as rows: resumption and tickets (nothing in this alphabet offers or grants them), client
authentication at the server (it never asks; the client answers when asked), and renegotiation. A second handshake may
be asked for, refused and begun; RENEGOTIATING is where it begins, data may still flow there, and the messages that
would carry it on are declared void until they have rows. Until then nothing is remembered of the first handshake's
renegotiation_info: a second ClientHello that is `bare`, or whose renegotiation_info is no good, is refused as if the
first was secure (RFC 5746 3.7, not 4.4), and one that is `acceptable` has the right one. Nor is it remembered that a
HelloRequest is unanswered, after which a server may close with a fatal alert (7.4.1.1): that has no row.

Presumed of the tests: no version below TLS 1.2 is enabled at the server; an `acceptable` ClientHello shares a suite
with the server as that is configured (one without RSA key transport is not sent `offers_rsa`); the usual extensions are
neither session_ticket nor status_request, so that no NewSessionTicket or CertificateStatus is due; a `proper`
ServerHello answers renegotiation_info and extended_master_secret; the server is configured to ask for no certificate of
the client in the first handshake.
"""

from __future__ import annotations

from shakeproof.model.clauses import MAY, MUST, SHOULD, Authority
from shakeproof.model.facts import Fact, Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    CERTIFICATE_ALERTS,
    FATAL_ALERTS,
    KEY_EXCHANGE,
    OFFER,
    TLS12_MESSAGES,
    Alert,
    ApplicationData,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ChangeCipherSpec,
    ClientHello,
    ClientKeyExchange,
    Finished,
    HelloRequest,
    Record,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    UnknownHandshake,
    acceptable,
    alien_compression,
    alien_extension,
    alien_group,
    alien_scheme,
    alien_suite,
    alien_type,
    alien_version,
    bad_block,
    bad_certificate,
    bad_mac,
    bad_padding,
    bad_point,
    bad_record_mac,
    bad_signature,
    bad_version,
    bare,
    broken_alert,
    broken_answer,
    broken_chain,
    broken_finished,
    broken_hello,
    broken_params,
    broken_request,
    broken_secret,
    certificate_expired,
    certificate_revoked,
    certificate_unknown,
    close,
    closure,
    connect,
    decode_error,
    decrypt_error,
    ecdhe,
    empty,
    empty_chain,
    empty_message,
    expired,
    extended,
    fatal,
    forged_signature,
    handshake_failure,
    illegal_parameter,
    insufficient_security,
    issuer_not_ca,
    match,
    mismatch,
    no_common_suite,
    no_null_compression,
    no_renegotiation,
    not_one,
    not_yet_valid,
    off_curve,
    offers_both,
    offers_ecdhe,
    offers_rsa,
    old_version,
    one,
    overfull,
    proper,
    protocol_version,
    record_overflow,
    renegotiation_claimed,
    renegotiation_forged,
    rsa,
    signed,
    too_long,
    trusted,
    unexpected_message,
    unknown_ca,
    unrecognized_name,
    unsupported_certificate,
    unsupported_extension,
    untrusted,
    user_canceled,
    warning,
    well_formed,
    wrapped,
    write,
    wrong_key_type,
    wrong_name,
    wrong_usage,
    zero_length,
)
from shakeproof.model.notation import (
    ANYTHING,
    STAY,
    Alike,
    Message,
    Row,
    State,
    States,
    TableLine,
    abort,
    call,
    keep,
    maybe,
    now,
    pick,
    recv,
    rest,
    send,
    sends,
    void,
)
from shakeproof.model.tls12_quotes import client_quotes, server_quotes
from shakeproof.model.trace import Phase

# fmt: off

# ------------------------------------------------------------------------------------------------ what a role remembers
REQUESTED = Fact("requested", {
    "unasked":    "the server has not asked for a certificate",
    "anonymous":  "the server has asked for a certificate, and the client has none for it",
    "identified": "the server has asked for a certificate, and the client has one for it",
})
unasked, anonymous, identified = REQUESTED.values

SECRET = Fact("secret", {
    "shared":  "both sides can derive the same keys",
    "spoiled": "the server goes on with another secret than it was sent, because that was no good",
})
shared, spoiled = SECRET.values

# ------------------------------------------------------------------------------------------------------------- phases
HELLO       = Phase("hello",       "Hello",        "tls",   "RFC 5246 §7.4.1")
CERTIFICATE = Phase("certificate", "Certificate",  "cert",  "RFC 5246 §7.4.2")
KEYS        = Phase("keys",        "Key exchange", "key",   "RFC 5246 §7.4.3 to §7.4.9")
DATA        = Phase("data",        "Data",         "data",  "RFC 5246 §10")
CLOSE       = Phase("closed",      "Closed",       "close", "RFC 5246 §7.2")

# ------------------------------------------------------------------------------------------------------------- states
START                    = State("START", "nothing has been sent yet", "hello")
WAIT_SERVER_HELLO        = State("WAIT_SERVER_HELLO", "the ClientHello is sent; the ServerHello is awaited", "hello")
WAIT_CERTIFICATE         = State("WAIT_CERTIFICATE", "the server's certificate is awaited", "certificate")
WAIT_SERVER_KEY_EXCHANGE = State("WAIT_SERVER_KEY_EXCHANGE", "the server's signed parameters are awaited", "keys")
WAIT_SERVER_HELLO_DONE   = State("WAIT_SERVER_HELLO_DONE", "the end of the server's flight is awaited", "keys")

WAIT_CLIENT_HELLO        = State("WAIT_CLIENT_HELLO", "the ClientHello is awaited", "hello")
WAIT_CLIENT_KEY_EXCHANGE = State("WAIT_CLIENT_KEY_EXCHANGE", "the client's part of the key exchange is awaited", "keys")
WAIT_IN_VAIN             = State("WAIT_IN_VAIN", "as WAIT_FINISHED, but under keys with which nothing can be read", "keys")

WAIT_CHANGE_CIPHER_SPEC  = State("WAIT_CHANGE_CIPHER_SPEC", "keys are agreed; the peer's switch to them is awaited", "keys")
WAIT_FINISHED            = State("WAIT_FINISHED", "the peer has switched to the new keys; its Finished is awaited", "keys")
CONNECTED                = State("CONNECTED", "both have finished; application data may flow", "data")
RENEGOTIATING            = State("RENEGOTIATING", "a second handshake has begun", "data")
CLOSED                   = State("CLOSED", "the connection is over, in order or by the peer's fatal alert", "closed")
ABORTED                  = State("ABORTED", "a fatal alert was sent, and the connection is over", "closed")

ESTABLISHED = States((CONNECTED, RENEGOTIATING), "ESTABLISHED")
PROTECTED   = States((WAIT_FINISHED, CONNECTED, RENEGOTIATING), "PROTECTED")

# ------------------------------------------------------------------------- alerts and citations that rows share
any_alert    = abort(*FATAL_ALERTS, name="any fatal alert")
a_warning    = (user_canceled | unrecognized_name | bad_certificate | unsupported_certificate | certificate_revoked
                | certificate_expired | certificate_unknown)  # the others are always fatal, or answer something
out_of_place = (unexpected_message, decode_error)  # and malformed: no text says which is looked at first
unfit        = (illegal_parameter, handshake_failure)
unfitting    = ("7.2.2 illegal", "7.2.2 failure")
undone       = (decode_error, decrypt_error)
point        = ("RFC 8422 5.11", "RFC 8422 5.11 zero", "7.2.2 illegal", "7.2.2 decode", "7.2.2 decrypt")
cancelling   = sends(maybe(Alert[warning, user_canceled]), Alert[closure])
again        = ("7.4.1.2 renegotiate",)
NOT_YET      = "a second handshake has no rows yet: who plays the peer does not carry it on"


def _malformed(states: States, message: Message, defect: Value) -> Row:
    """Out of place, and malformed too."""
    return recv(states, message[defect], abort(*out_of_place), MUST("7.4 order", "7.4.1.2 length"))


def _either(open_: States, handshake: States, alive: States) -> list[TableLine]:
    """What both roles do alike.

    open_: where a peer's message can be read; handshake: those before CONNECTED; alive: where the connection is open.
    """
    unswitched = open_ - WAIT_CHANGE_CIPHER_SPEC
    return [
        send(alive, Alert[closure],            CLOSED, MAY("7.2.1 initiate")),
        send(alive, Alert[warning, a_warning], STAY,   MAY("7.2.2 warning")),

        call(CONNECTED,     write, STAY, sends(ApplicationData),         MUST("10")),
        call(RENEGOTIATING, write, STAY, sends(ApplicationData),         MAY("10", "6.2.1 interleaved")),
        call(RENEGOTIATING, write, STAY,                                 MAY("6.2.1 interleaved")),
        call(ESTABLISHED,   close, CLOSED, sends(Alert[closure]),        MUST("7.2.1 required", "7.2.1 wait")),
        call(alive - CONNECTED - RENEGOTIATING, close, CLOSED, cancelling, MUST("7.2.1 required", "7.2.1 wait", "7.2.2 cancel")),

        recv(ESTABLISHED, ApplicationData,     STAY,                          MUST("7.4.9 data", "6.2.1 interleaved")),
        recv(ESTABLISHED, Record[zero_length], STAY,                          MUST("6.2.1 zero-length")),
        recv(handshake,   ApplicationData,     abort(unexpected_message),     MUST("7.3 data", "7.2.2 unexpected")),
        recv(handshake,   Record[zero_length], STAY,                          MAY("6.2.1 zero-length")),
        recv(handshake,   Record[zero_length], abort(unexpected_message),     MAY("7.3 data", "7.2.2 unexpected")),

        recv(open_, Alert[closure],      CLOSED, sends(Alert[closure]),          MUST("7.2.1 respond")),
        recv(open_, Alert[fatal],        CLOSED,                                 MUST("7.2.2 close")),
        recv(open_, Alert[warning],      STAY,                                   MAY("7.2.2 warning")),
        recv(open_, Alert[warning],      any_alert,                              MAY("7.2.2 decide")),
        recv(open_, Alert[broken_alert], abort(*out_of_place, illegal_parameter), MUST("7.2.2 decode", "7.2.2 illegal", "7.2.2 unexpected")),

        recv(open_,             Record[too_long],              abort(record_overflow),                  MUST("7.2.2 overflow", "7.2.2 send")),
        recv(open_,             Record[alien_type],            abort(unexpected_message),               MUST("6")),
        recv(PROTECTED,         Record[bad_mac],               abort(bad_record_mac),                   MUST("7.2.2 mac", "6.2.3.3")),
        recv(PROTECTED,         Record[bad_padding],           abort(bad_record_mac),                   MUST("6.2.3.2", "7.2.2 padding")),
        void(open_ - PROTECTED, Record[bad_mac | bad_padding], why="there are no keys yet"),
        recv(open_,             Record[empty_message],         STAY,                                    MAY("6.2.1 empty")),
        recv(open_,             Record[empty_message],         abort(*out_of_place, illegal_parameter), MAY("6.2.1 empty")),

        recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[not_one], abort(*out_of_place, illegal_parameter), MUST("7.1 value", "7.2.2 decode")),
        recv(unswitched,              ChangeCipherSpec[not_one], abort(*out_of_place, illegal_parameter), MUST("7.1 when", "7.1 value")),
        recv(unswitched,              ChangeCipherSpec[one],     abort(unexpected_message),               MUST("7.1 when", "7.2.2 unexpected")),

        recv(WAIT_FINISHED,         Finished[mismatch],         abort(decrypt_error),               MUST("7.4.9", "7.2.2 decrypt")),
        recv(WAIT_FINISHED,         Finished[broken_finished],  abort(decode_error, decrypt_error), MUST("7.4.1.2 length", "7.2.2 decrypt")),
        recv(open_ - WAIT_FINISHED, Finished[match | mismatch], abort(unexpected_message),          MUST("7.4.9 preceded", "7.2.2 unexpected")),
        recv(open_ - WAIT_FINISHED, Finished[broken_finished],  abort(*out_of_place),               MUST("7.4.9 preceded", "7.4.1.2 length")),

        recv(open_, UnknownHandshake, abort(*out_of_place, illegal_parameter), MUST("7.2.2 unexpected", "7.2.2 decode", "7.2.2 illegal")),
        rest(open_,                   abort(unexpected_message),               MUST("7.4 order", "7.2.2 unexpected", "7.2.2 send")),
    ]


# ======================================================================================================== the client

_HANDSHAKE = States((WAIT_SERVER_HELLO, WAIT_CERTIFICATE, WAIT_SERVER_KEY_EXCHANGE, WAIT_SERVER_HELLO_DONE,
                     WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED), "HANDSHAKE")
_OPEN      = States((*_HANDSHAKE.members, *ESTABLISHED.members), "OPEN")

client_flight = sends(Certificate[empty_chain].when(anonymous), Certificate.when(identified), ClientKeyExchange,
                      CertificateVerify.when(identified), ChangeCipherSpec, Finished)
finishing     = ("7.4.6", "7.4.7", "7.4.8", "7.3 finish")
any_offer     = offers_both | offers_rsa | offers_ecdhe

distrusted = expired | not_yet_valid | wrong_name | untrusted | bad_signature | issuer_not_ca | wrong_usage
useless    = empty_chain | wrong_key_type | broken_chain
unsound    = CERTIFICATE_ALERTS
unusable   = (*CERTIFICATE_ALERTS, illegal_parameter, handshake_failure)
period     = ("RFC 5280 6.1.3 time", "7.2.2 expired")
signature  = ("RFC 5280 6.1.3 signature", "7.2.2 corrupt", "7.2.2 decrypt", "7.2.2 anchor")
purpose    = ("7.4.5 valid", "7.4.2 encipher", "7.4.2 sign", "7.2.2 unknown", *unfitting)
kind       = ("7.4.2 compatible", "RFC 8422 5.3", "7.2.2 unknown", *unfitting)
curve      = ("RFC 8422 4", "RFC 8422 5.4 capabilities", "7.2.2 illegal", "7.2.2 decode")
discretion = MAY("7.2.2 discretion", reading="~https")


def https(*keys: str) -> Authority:
    """A demand of https on the server's chain."""
    return MUST("RFC 9110 4.3.4", *keys, reading="https")


unseen_padding = Alike((Record.symbol(bad_mac), Record.symbol(bad_padding)), (), MUST("6.2.3.2"))
unseen_block   = Alike((ClientKeyExchange.symbol(bad_block), ClientKeyExchange.symbol(bad_version)),
                       (ChangeCipherSpec.symbol(one), Finished.symbol(match)), MUST("7.4.7.1"))

client = Role(
  "tls12.client", "TLS 1.2 client", rfc=5246, initial=START, accepting=CONNECTED, final=CLOSED, aborted=ABORTED,
  alphabet=TLS12_MESSAGES, quotes=client_quotes, phases=(HELLO, CERTIFICATE, KEYS, DATA, CLOSE), peer="tls12.server",
  memory={OFFER: offers_both, KEY_EXCHANGE: rsa, REQUESTED: unasked}, alert=Alert, fatal=fatal, theory=__doc__ or "",
  readings={"https": "a chain must lead to a trust anchor, be current, be meant for this use, and name the server"},
  default_readings=frozenset({"https"}), alike=(unseen_padding,),
  without=("resumption", "session tickets", "renegotiation", "client certificates"), lines=[
  #    state, input, what must be remembered, next state and reply, authority
  call(START, connect,  WAIT_SERVER_HELLO, pick(OFFER), sends(ClientHello), MUST("7.4.1.2")),
  void(START, ANYTHING, why="there is no connection yet"),

  recv(WAIT_SERVER_HELLO, ServerHello[proper, rsa],          ~offers_ecdhe, WAIT_CERTIFICATE, keep(KEY_EXCHANGE), MUST("7.3 hello", "7.4.2 next")),
  recv(WAIT_SERVER_HELLO, ServerHello[proper, ecdhe],        ~offers_rsa,   WAIT_CERTIFICATE, keep(KEY_EXCHANGE), MUST("7.3 hello", "7.4.2 next")),
  void(WAIT_SERVER_HELLO, ServerHello[proper, rsa],          offers_ecdhe,  why="a suite that was not offered is alien"),
  void(WAIT_SERVER_HELLO, ServerHello[proper, ecdhe],        offers_rsa,    why="a suite that was not offered is alien"),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_suite],                         abort(*unfit),                        MUST("7.4.1.3 suite", *unfitting)),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_compression],                   abort(*unfit),                        MUST("7.4.1.3 method", *unfitting)),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_version],                       abort(protocol_version, illegal_parameter), MUST("E.1", "RFC 5288 4")),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_extension],                     abort(unsupported_extension),         MUST("7.4.1.4")),
  recv(WAIT_SERVER_HELLO, ServerHello[renegotiation_forged],                abort(handshake_failure),             MUST("RFC 5746 3.4")),
  recv(WAIT_SERVER_HELLO, ServerHello[broken_answer],                       abort(decode_error),                  MUST("7.4.1.2 length")),

  recv(WAIT_CERTIFICATE, Certificate[trusted], rsa,   WAIT_SERVER_HELLO_DONE,   MUST("7.4.2", "7.4.3 omitted")),
  recv(WAIT_CERTIFICATE, Certificate[trusted], ecdhe, WAIT_SERVER_KEY_EXCHANGE, MUST("7.4.2", "7.4.3")),

  recv(WAIT_CERTIFICATE, Certificate[expired | not_yet_valid], abort(certificate_expired),            https(*period)),
  recv(WAIT_CERTIFICATE, Certificate[untrusted],               abort(unknown_ca),                     https("RFC 5280 6.1 anchor", "7.2.2 anchor")),
  recv(WAIT_CERTIFICATE, Certificate[bad_signature],           abort(bad_certificate, decrypt_error, unknown_ca), https(*signature)),
  recv(WAIT_CERTIFICATE, Certificate[issuer_not_ca],           abort(*unsound),                       https("RFC 5280 6.1.4", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_usage],             abort(*unusable),                      SHOULD(*purpose, reading="https")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_name],              abort(*unsound),                       https("RFC 6125 6.6.4", "7.2.2 unknown")),

  recv(WAIT_CERTIFICATE, Certificate[distrusted, ~useless], rsa,   WAIT_SERVER_HELLO_DONE,               discretion),
  recv(WAIT_CERTIFICATE, Certificate[distrusted, ~useless], ecdhe, WAIT_SERVER_KEY_EXCHANGE,             discretion),
  recv(WAIT_CERTIFICATE, Certificate[distrusted],                  abort(*unusable, decrypt_error),      discretion),
  recv(WAIT_CERTIFICATE, Certificate[empty_chain],                 abort(*unusable, decode_error),       MUST("7.4.2 first", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_key_type],              abort(*unusable),                     MUST(*kind)),
  recv(WAIT_CERTIFICATE, Certificate[broken_chain],                abort(bad_certificate, decode_error), MUST("7.4.1.2 length", "7.2.2 corrupt")),

  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[signed],           WAIT_SERVER_HELLO_DONE,       MUST("RFC 8422 5.4")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[forged_signature], abort(decrypt_error),         MUST("RFC 8422 5.4", "7.2.2 decrypt")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[alien_group],      abort(*unfit, decode_error),  MUST(*curve)),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[alien_scheme],     abort(*unfit, decrypt_error), MUST("7.4.3 pair", "7.2.2 illegal")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[bad_point],        abort(*unfit, *undone),       MUST(*point)),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[broken_params],    abort(decode_error),          MUST("7.4.1.2 length")),

  recv(WAIT_SERVER_KEY_EXCHANGE, ServerHelloDone[empty],                 abort(unexpected_message), MUST("RFC 8422 5.4 when", "7.2.2 unexpected")),
  recv(WAIT_SERVER_HELLO_DONE,   ServerKeyExchange[~broken_params], rsa, abort(unexpected_message), MUST("7.4.3 omitted", "7.2.2 unexpected")),

  recv(WAIT_SERVER_HELLO_DONE,  CertificateRequest[well_formed],    unasked, STAY, pick(anonymous | identified),     MUST("7.4.4", "7.3 requested")),
  recv(WAIT_SERVER_HELLO_DONE,  CertificateRequest[broken_request], unasked, abort(decode_error),                    MUST("7.4.1.2 length")),
  recv(WAIT_SERVER_HELLO_DONE,  ServerHelloDone[empty],                      WAIT_CHANGE_CIPHER_SPEC, client_flight, MUST("7.4.5", *finishing)),
  recv(WAIT_SERVER_HELLO_DONE,  ServerHelloDone[overfull],                   abort(decode_error),                    MUST("7.4.1.2 length")),
  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one],                       WAIT_FINISHED,                          MUST("7.1")),
  recv(WAIT_FINISHED,           Finished[match],                             CONNECTED,                              MUST("7.4.9", "7.4.9 data")),

  recv(_OPEN - CONNECTED, HelloRequest[empty],    STAY,                                          SHOULD("7.4 ignored")),
  recv(CONNECTED,         HelloRequest[empty],    STAY,                                          MAY("7.4.1.1")),
  recv(CONNECTED,         HelloRequest[empty],    STAY, sends(Alert[warning, no_renegotiation]), MAY("7.4.1.1", "7.2.2 refuse")),
  send(CONNECTED,         ClientHello[any_offer], RENEGOTIATING,                                 MAY("7.4.1.1 response", *again)),
  recv(RENEGOTIATING,     Alert[warning],         CONNECTED,                                     MAY("7.2.2 proceed")),
  void(RENEGOTIATING,     ServerHello,            why=NOT_YET),
  recv(_OPEN,             HelloRequest[overfull], abort(*out_of_place),                          MUST("7.4.1.2 length", "7.2.2 unexpected")),

  _malformed(_OPEN - WAIT_SERVER_HELLO - RENEGOTIATING, ServerHello,        broken_answer),
  _malformed(_OPEN - WAIT_CERTIFICATE,                  Certificate,        broken_chain),
  _malformed(_OPEN - WAIT_SERVER_KEY_EXCHANGE,          ServerKeyExchange,  broken_params),
  _malformed(_OPEN - WAIT_SERVER_HELLO_DONE,            CertificateRequest, broken_request),
  _malformed(_OPEN - WAIT_SERVER_HELLO_DONE,            ServerHelloDone,    overfull),
  recv(WAIT_SERVER_HELLO_DONE, CertificateRequest[broken_request], ~unasked, abort(*out_of_place), MUST("7.4 order", "7.4.1.2 length")),

  *_either(_OPEN, _HANDSHAKE, _OPEN),
  ],
)

# ======================================================================================================== the server

_WAITING  = States((WAIT_CLIENT_HELLO, WAIT_CLIENT_KEY_EXCHANGE, WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED), "HANDSHAKE")
_READABLE = States((*_WAITING.members, *ESTABLISHED.members), "OPEN")
_ALIVE    = States((*_READABLE.members, WAIT_IN_VAIN), "ALIVE")

answer         = sends(ServerHello, Certificate, ServerKeyExchange.when(ecdhe), ServerHelloDone)
another_answer = sends(ServerHello, Certificate, ServerKeyExchange.when(ecdhe), maybe(CertificateRequest),
                       ServerHelloDone)
answering      = ("7.4.1.3", "7.4.2", "RFC 8422 5.4 when")
default        = ("7.4.1.2 length", *answering)
declining      = ("RFC 7627 5.2", "RFC 5746 3.6 legacy", "7.4.1.3", "7.4.1.4.1")
refusing       = ("7.2.2 failure", "7.2.2 unexpected")
no_match       = (handshake_failure, insufficient_security)
vain           = ("6.2.3.3", "7.2.2 mac")

server = Role(
  "tls12.server", "TLS 1.2 server", rfc=5246, initial=WAIT_CLIENT_HELLO, accepting=CONNECTED, final=CLOSED,
  aborted=ABORTED, alphabet=TLS12_MESSAGES, quotes=server_quotes, phases=(HELLO, KEYS, DATA, CLOSE), peer="tls12.client",
  memory={KEY_EXCHANGE: rsa, SECRET: shared}, alert=Alert, fatal=fatal, theory=__doc__ or "",
  alike=(unseen_padding, unseen_block),
  without=("resumption", "session tickets", "renegotiation", "client certificates"), lines=[
  #    state, input, what must be remembered, next state and reply, authority
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, extended, offers_both],  WAIT_CLIENT_KEY_EXCHANGE, pick(KEY_EXCHANGE), answer, MUST(*answering)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, extended, offers_rsa],   WAIT_CLIENT_KEY_EXCHANGE, now(rsa), answer,           MUST(*answering)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, extended, offers_ecdhe], WAIT_CLIENT_KEY_EXCHANGE, now(ecdhe), answer,         MUST(*answering)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare, offers_both],      WAIT_CLIENT_KEY_EXCHANGE, pick(KEY_EXCHANGE), answer, MAY(*default)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare, offers_rsa],       WAIT_CLIENT_KEY_EXCHANGE, now(rsa), answer,           MAY(*default)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare, offers_ecdhe],     WAIT_CLIENT_KEY_EXCHANGE, now(ecdhe), answer,         MAY(*default)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare],                   abort(*no_match),                                     MAY(*declining)),

  recv(WAIT_CLIENT_HELLO, ClientHello[old_version],           abort(protocol_version),     MUST("E.1")),
  recv(WAIT_CLIENT_HELLO, ClientHello[no_common_suite],       abort(*no_match),            MUST("7.4.1.2 suites", "7.2.2 insufficient")),
  recv(WAIT_CLIENT_HELLO, ClientHello[no_null_compression],   abort(*unfit, decode_error), MUST("7.4.1.2 null", *unfitting)),
  recv(WAIT_CLIENT_HELLO, ClientHello[renegotiation_claimed], abort(handshake_failure),    MUST("RFC 5746 3.6", "RFC 5746 3.4")),
  recv(WAIT_CLIENT_HELLO, ClientHello[broken_hello],          abort(decode_error),         MUST("7.4.1.2 length")),

  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[wrapped],                        WAIT_CHANGE_CIPHER_SPEC,               MUST("7.4.7")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version], rsa,   WAIT_CHANGE_CIPHER_SPEC, now(spoiled), MUST("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret],           rsa,   WAIT_CHANGE_CIPHER_SPEC, now(spoiled), MAY("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret],           rsa,   abort(decode_error),                   MAY("7.4.1.2 length")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret],           ecdhe, abort(decode_error),                   MUST("7.4.1.2 length")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[off_curve],               ecdhe, abort(*unfit, *undone),                MUST(*point)),
  void(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version], ecdhe, why="there is no encrypted block"),
  void(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[off_curve],               rsa,   why="there is no curve"),

  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one], shared,  WAIT_FINISHED,                                MUST("7.1")),
  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one], spoiled, WAIT_IN_VAIN,                                 MUST("7.1", "7.4.7.1")),
  recv(WAIT_FINISHED,           Finished[match],                CONNECTED, sends(ChangeCipherSpec, Finished), MUST("7.4.9", "7.3 reply")),

  recv(WAIT_IN_VAIN, Record[too_long],    abort(record_overflow, bad_record_mac),    MUST("7.2.2 overflow", *vain)),
  recv(WAIT_IN_VAIN, Record[alien_type],  abort(unexpected_message, bad_record_mac), MUST("6", *vain)),
  recv(WAIT_IN_VAIN, Record[zero_length], abort(unexpected_message, bad_record_mac), MUST("7.3 data", *vain)),
  recv(WAIT_IN_VAIN, ApplicationData,     abort(unexpected_message, bad_record_mac), MUST("7.3 data", *vain)),
  recv(WAIT_IN_VAIN, ChangeCipherSpec,    abort(unexpected_message, bad_record_mac), MUST("7.1 when", *vain)),
  rest(WAIT_IN_VAIN,                      abort(bad_record_mac),                     MUST("6 order", *vain)),

  send(_READABLE, HelloRequest, STAY, MAY("7.4.1.1")),

  recv(CONNECTED, ClientHello[old_version],                        abort(protocol_version),                           MAY("E.1")),
  recv(CONNECTED, ClientHello[no_common_suite],                    abort(insufficient_security),                      MAY("7.2.2 insufficient")),
  recv(CONNECTED, ClientHello[no_null_compression],                abort(illegal_parameter, decode_error),            MAY("7.4.1.2 null", "7.2.2 illegal", "7.2.2 decode")),
  recv(CONNECTED, ClientHello[renegotiation_claimed],              abort(handshake_failure),                          MAY("RFC 5746 3.7", "RFC 5746 3.4")),
  recv(CONNECTED, ClientHello[broken_hello],                       abort(decode_error),                               MAY("7.4.1.2 length")),
  recv(CONNECTED, ClientHello[acceptable, bare],                   abort(handshake_failure),                          MAY("RFC 5746 3.7 present", "RFC 5746 3.4")),
  recv(CONNECTED, ClientHello,                                     abort(handshake_failure, unexpected_message),      MAY(*refusing)),
  recv(CONNECTED, ClientHello,                                     STAY, sends(Alert[warning, no_renegotiation]),     MAY("7.2.2 refuse")),
  recv(CONNECTED, ClientHello,                                     STAY,                                              MAY("7.2.2 refuse")),
  recv(CONNECTED, ClientHello[acceptable, extended, offers_both],  RENEGOTIATING, pick(KEY_EXCHANGE), another_answer, MAY(*again)),
  recv(CONNECTED, ClientHello[acceptable, extended, offers_rsa],   RENEGOTIATING, now(rsa), another_answer,           MAY(*again)),
  recv(CONNECTED, ClientHello[acceptable, extended, offers_ecdhe], RENEGOTIATING, now(ecdhe), another_answer,         MAY(*again)),
  void(RENEGOTIATING, Certificate,       why=NOT_YET),
  void(RENEGOTIATING, ClientKeyExchange, why=NOT_YET),

  _malformed(_READABLE - WAIT_CLIENT_HELLO - CONNECTED,            ClientHello,       broken_hello),
  _malformed(_READABLE - WAIT_CLIENT_KEY_EXCHANGE - RENEGOTIATING, ClientKeyExchange, broken_secret),

  *_either(_READABLE, _WAITING, _ALIVE),
  ],
)
# fmt: on
