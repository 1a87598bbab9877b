"""The TLS 1.2 server's table. How it works is said in `tls12`."""

from __future__ import annotations

from shakeproof.model import tls12
from shakeproof.model.clauses import MAY, MUST
from shakeproof.model.facts import Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    CERTIFICATE_ALERTS,
    GRANTS,
    KEY_EXCHANGE,
    TICKET,
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
    NewSessionTicket,
    Record,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    acceptable,
    access_denied,
    alien_proof,
    alien_type,
    anew,
    bad_block,
    bad_certificate,
    bad_public,
    bad_record_mac,
    bad_signature,
    bad_version,
    bare,
    bond_dropped,
    broken_chain,
    broken_hello,
    broken_proof,
    broken_secret,
    by_id,
    by_other_name,
    by_ticket,
    by_unknown,
    decode_error,
    decrypt_error,
    dhe,
    ecdhe,
    empty_chain,
    expired,
    extended,
    fallback,
    fatal,
    full,
    handshake_failure,
    heartbeat,
    illegal_parameter,
    inappropriate_fallback,
    insufficient_security,
    issuer_not_ca,
    match,
    missing_intermediate,
    name_excluded,
    no_common_suite,
    no_null_compression,
    no_renegotiation,
    no_san,
    not_one,
    not_yet_valid,
    off_curve,
    offers_dhe,
    offers_ecdhe,
    offers_rsa,
    offers_several,
    old_version,
    one,
    pathlen_exceeded,
    promised,
    protocol_version,
    proven,
    record_overflow,
    renegotiation_claimed,
    resumed,
    rsa,
    self_signed_leaf,
    signalled_again,
    ticketed,
    too_long,
    trusted,
    unexpected_message,
    unknown_critical,
    unpromised,
    unproven,
    unrecognized_name,
    untrusted,
    warning,
    weak_hash,
    wrapped,
    wrong_eku,
    wrong_key_type,
    wrong_name,
    wrong_usage,
    zero_length,
)
from shakeproof.model.notation import (
    STAY,
    Alike,
    State,
    States,
    TableLine,
    abort,
    forget,
    now,
    pick,
    pick_of,
    recv,
    rest,
    send,
    sends,
    void,
)
from shakeproof.model.tls12 import (
    ABORTED,
    CLOSED,
    CONNECTED,
    PHASES,
    READINGS,
    REQUESTED,
    ROUND,
    SECRET,
    VERSION,
    WAIT_CERTIFICATE,
    WAIT_CERTIFICATE_VERIFY,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_CLIENT_HELLO,
    WAIT_CLIENT_KEY_EXCHANGE,
    WAIT_FINISHED,
    WAIT_IN_VAIN,
    again,
    anonymous,
    asked,
    current,
    doubtful,
    either,
    first,
    identified,
    malformed,
    older,
    out_of_place,
    point,
    share,
    shared,
    spoiled,
    truncation,
    unasked,
    undone,
    unfit,
    unfitting,
    unseen_padding,
    wrong_spec,
)
from shakeproof.model.tls12_server_quotes import server_quotes

# fmt: off

EARLY = States((WAIT_CLIENT_HELLO, WAIT_CERTIFICATE, WAIT_CLIENT_KEY_EXCHANGE, WAIT_CERTIFICATE_VERIFY,
                WAIT_CHANGE_CIPHER_SPEC), "EARLY")
OPEN  = States((*EARLY.members, WAIT_FINISHED, CONNECTED), "OPEN")
ALIVE = States((*OPEN.members, WAIT_IN_VAIN), "ALIVE")

answer     = sends(ServerHello, Certificate, ServerKeyExchange.when(ecdhe | dhe), CertificateRequest.when(asked), ServerHelloDone)
resumption = sends(ServerHello, NewSessionTicket.when(promised), ChangeCipherSpec, Finished)
choice     = pick_of(KEY_EXCHANGE, {offers_several: rsa | ecdhe | dhe, offers_rsa: rsa, offers_ecdhe: ecdhe, offers_dhe: dhe})
proving    = identified | doubtful
agreed     = forget(KEY_EXCHANGE)
settled    = now(unasked)  # not forgotten, so that the rows up to Finished can tell a doubtful chain
done       = forget(GRANTS, TICKET, REQUESTED)

flight     = ("7.4.1.3", "7.4.2", "RFC 8422 5.4 when", "7.4.3 needed")
declining  = ("RFC 7627 5.2", "RFC 5746 3.6 legacy", "7.4.1.3", "7.4.1.4.1")
refusing   = ("7.2.2 failure", "7.2.2 unexpected")
aborting   = "RFC 5746 3.4 abort"
no_match   = (handshake_failure, insufficient_security)
vain       = ("6.2.3.3", "7.2.2 mac")
unread     = (unexpected_message, bad_record_mac)
fatal_flaw = no_common_suite | no_null_compression | renegotiation_claimed | signalled_again | fallback | broken_hello
worse      = fatal_flaw | bond_dropped
distrusted = (expired | not_yet_valid | untrusted | bad_signature | issuer_not_ca | wrong_usage | wrong_key_type
              | self_signed_leaf | missing_intermediate | pathlen_exceeded | wrong_eku | name_excluded | unknown_critical
              | weak_hash)
refusal    = (*CERTIFICATE_ALERTS, *unfit, decrypt_error, access_denied)
refusable  = "7.4.6 unacceptable"
trusts     = ((~doubtful, MUST), (doubtful, MAY))  # a doubtful chain may also be refused
unbound    = ("RFC 7627 5.3", "RFC 7627 5.2 abort", *unfitting)

unseen_block = Alike((ClientKeyExchange.symbol(bad_block), ClientKeyExchange.symbol(bad_version)),
                     (ChangeCipherSpec.symbol(one), Finished.symbol(match)), MUST("7.4.7.1"))

FULL = (  # what the client asks for; whether a ticket may be promised; why the answer is a full handshake
  (anew,          now(unpromised), ()),
  (ticketed,      pick(TICKET),    ("RFC 5077 3.2 promise",)),
  (by_id,         now(unpromised), ("7.4.1.3 unwilling",)),
  (by_ticket,     pick(TICKET),    ("RFC 5077 3.1 unwilling", "RFC 5077 3.2 promise")),
  (by_unknown,    pick(TICKET),    ("7.3 unmatched", "RFC 5077 3.2 fails", "RFC 5077 3.2 promise")),
  (by_other_name, pick(TICKET),    ("RFC 6066 3", "RFC 5077 3.2 promise")),
)


def _accepted(state: State, round_: Value, *keys: str) -> list[TableLine]:
    """Every way to accept a ClientHello with extensions in this state, or to refuse to resume what it asks for."""
    lines: list[TableLine] = []
    for asks, ticket, why in FULL:
        hellos = [(ClientHello[acceptable, extended, asks], why)]
        if asks in (by_id, by_ticket):
            hellos.append((ClientHello[bond_dropped, ~(fatal_flaw | old_version), asks], ("RFC 7627 5.3", *why)))
        for hello, reasons in hellos:
            lines += [
              recv(state, hello, WAIT_CLIENT_KEY_EXCHANGE, now(round_, full, unasked), choice, ticket, answer, MAY(*reasons, *flight, *keys)),
              recv(state, hello, WAIT_CERTIFICATE,         now(round_, full, asked),   choice, ticket, answer, MAY(*reasons, *flight, "7.4.4", *keys)),
            ]
    return [
      *lines,
      recv(state, ClientHello[bond_dropped, by_id | by_ticket],     abort(*unfit),            MAY(*unbound)),
      recv(state, ClientHello[acceptable, extended, by_other_name], abort(unrecognized_name), MAY("RFC 6066 3 unknown")),
      recv(state, ClientHello[acceptable, extended, by_id],     WAIT_CHANGE_CIPHER_SPEC, now(round_, resumed, unasked, unpromised),    agreed, resumption, MAY("7.3 match", "7.3 resumed", *keys)),
      recv(state, ClientHello[acceptable, extended, by_ticket], WAIT_CHANGE_CIPHER_SPEC, now(round_, resumed, unasked), pick(TICKET), agreed, resumption, MAY("RFC 5077 3.1 resume", "RFC 5077 3.3 renew", "7.3 resumed", *keys)),
    ]


server = Role(
  "tls12.server", "TLS 1.2 server", rfc=5246, initial=WAIT_CLIENT_HELLO, accepting=CONNECTED, final=CLOSED,
  aborted=ABORTED, alphabet=TLS12_MESSAGES, quotes=server_quotes, phases=PHASES, peer="tls12.client",
  memory={KEY_EXCHANGE: rsa, GRANTS: full, TICKET: unpromised, REQUESTED: unasked, SECRET: shared, ROUND: first, VERSION: current},
  alert=Alert, fatal=fatal, theory=tls12.__doc__ or "", readings=READINGS, alike=(unseen_padding, unseen_block),
  truncation=truncation,
  order=(WAIT_CLIENT_HELLO, WAIT_CERTIFICATE, WAIT_CLIENT_KEY_EXCHANGE, WAIT_CERTIFICATE_VERIFY, WAIT_CHANGE_CIPHER_SPEC,
         WAIT_FINISHED, WAIT_IN_VAIN, CONNECTED), lines=[
  #    state, input, what must be remembered, next state and reply, authority
  *_accepted(WAIT_CLIENT_HELLO, first),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare], WAIT_CLIENT_KEY_EXCHANGE, now(full, unasked, unpromised), choice, answer, MAY("7.4.1.2 length", *flight)),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare], WAIT_CERTIFICATE,         now(full, asked, unpromised),   choice, answer, MAY("7.4.1.2 length", *flight, "7.4.4")),
  recv(WAIT_CLIENT_HELLO, ClientHello[acceptable, bare], abort(*no_match),                                                       MAY(*declining)),

  recv(WAIT_CLIENT_HELLO, ClientHello[old_version],           abort(protocol_version),                         MUST("E.1", reading="~legacy")),
  recv(WAIT_CLIENT_HELLO, ClientHello[fallback],              abort(inappropriate_fallback, protocol_version), MUST("RFC 7507 3", "E.1", reading="~legacy")),
  recv(WAIT_CLIENT_HELLO, ClientHello[old_version],           abort(protocol_version),                         MAY("E.1", reading="legacy")),
  recv(WAIT_CLIENT_HELLO, ClientHello[old_version, ~worse],   WAIT_CLIENT_KEY_EXCHANGE, now(older, full, unasked, unpromised), choice, answer, MAY("E.1 old", *flight, reading="legacy")),
  recv(WAIT_CLIENT_HELLO, ClientHello[fallback],              abort(inappropriate_fallback),                   MUST("RFC 7507 3", reading="legacy")),
  recv(WAIT_CLIENT_HELLO, ClientHello[no_common_suite],       abort(*no_match),            MUST("7.4.1.2 suites", "7.2.2 insufficient")),
  recv(WAIT_CLIENT_HELLO, ClientHello[no_null_compression],   abort(*unfit, decode_error), MUST("7.4.1.2 null", *unfitting)),
  recv(WAIT_CLIENT_HELLO, ClientHello[renegotiation_claimed], abort(handshake_failure),    MUST("RFC 5746 3.6", aborting)),
  void(WAIT_CLIENT_HELLO, ClientHello[signalled_again],       why="in the first handshake it is one of the two ways to signal"),
  recv(WAIT_CLIENT_HELLO, ClientHello[broken_hello],          abort(decode_error),         MUST("7.4.1.2 length")),

  recv(WAIT_CERTIFICATE, Certificate[trusted],      WAIT_CLIENT_KEY_EXCHANGE, now(identified), MUST("7.4.6 conveys", "7.3 requested")),
  recv(WAIT_CERTIFICATE, Certificate[empty_chain],  WAIT_CLIENT_KEY_EXCHANGE, now(anonymous),  MAY("7.4.6 none")),
  recv(WAIT_CERTIFICATE, Certificate[empty_chain],  abort(handshake_failure),                  MAY("7.4.6 none")),
  recv(WAIT_CERTIFICATE, Certificate[distrusted, ~(empty_chain | broken_chain)], WAIT_CLIENT_KEY_EXCHANGE, now(doubtful), MAY(refusable)),
  recv(WAIT_CERTIFICATE, Certificate[distrusted],   abort(*refusal),                           MAY(refusable)),
  recv(WAIT_CERTIFICATE, Certificate[broken_chain], abort(bad_certificate, decode_error),      MUST("7.4.1.2 length", "7.2.2 corrupt")),
  void(WAIT_CERTIFICATE, Certificate[wrong_name | no_san], why="a client's certificate names no server that anybody wanted"),
  recv(WAIT_CERTIFICATE, ClientKeyExchange[~broken_secret], abort(unexpected_message, handshake_failure), MUST("7.3 requested", "7.4.7 follow", "7.2.2 unexpected", "7.4.6 none")),
  recv(WAIT_CERTIFICATE, ClientKeyExchange[broken_secret],  abort(*out_of_place, handshake_failure),      MUST("7.3 requested", "7.4.1.2 length", "7.4.6 none")),

  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[wrapped], ~proving,   WAIT_CHANGE_CIPHER_SPEC, agreed, settled, MUST("7.4.7")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[wrapped], identified, WAIT_CERTIFICATE_VERIFY, agreed, MUST("7.4.7", "7.3 verify")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[wrapped], doubtful,   WAIT_CERTIFICATE_VERIFY, agreed, MAY("7.4.7", "7.3 verify")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[wrapped], doubtful,   abort(*refusal),                 MAY(refusable)),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version], rsa, ~proving,   WAIT_CHANGE_CIPHER_SPEC, now(spoiled), agreed, settled, MUST("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version], rsa, identified, WAIT_CERTIFICATE_VERIFY, now(spoiled), agreed, MUST("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version], rsa, doubtful,   WAIT_CERTIFICATE_VERIFY, now(spoiled), agreed, MAY("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret], rsa, ~proving,  WAIT_CHANGE_CIPHER_SPEC, now(spoiled), agreed, settled, MAY("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret], rsa, proving,   WAIT_CERTIFICATE_VERIFY, now(spoiled), agreed, MAY("7.4.7.1")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version | broken_secret], rsa, doubtful, abort(*refusal), MAY(refusable)),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret], rsa,              abort(decode_error),                 MAY("7.4.1.2 length")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[broken_secret], ecdhe | dhe,      abort(decode_error),                 MUST("7.4.1.2 length")),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[off_curve],     ecdhe,            abort(*unfit, *undone),              MUST("RFC 8422 5.7", *point)),
  recv(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_public],    dhe,              abort(*unfit, *undone),              MUST("RFC 7919 4", *share)),
  void(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_block | bad_version], ecdhe | dhe, why="there is no encrypted block"),
  void(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[off_curve],               rsa | dhe,   why="there is no curve"),
  void(WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange[bad_public],              rsa | ecdhe, why="there is no group of a finite field"),

  recv(WAIT_CERTIFICATE_VERIFY, CertificateVerify[proven], identified, WAIT_CHANGE_CIPHER_SPEC, settled, MUST("7.4.8 explicit", "7.4.8 follow")),
  recv(WAIT_CERTIFICATE_VERIFY, CertificateVerify[proven], doubtful,   WAIT_CHANGE_CIPHER_SPEC, MAY("7.4.8 explicit", "7.4.8 follow")),
  recv(WAIT_CERTIFICATE_VERIFY, CertificateVerify[proven], doubtful,   abort(*refusal),         MAY(refusable, "7.4.6 conveys")),
  recv(WAIT_CERTIFICATE_VERIFY, CertificateVerify[unproven],     abort(decrypt_error),         MUST("7.4.8 explicit", "7.2.2 decrypt")),
  recv(WAIT_CERTIFICATE_VERIFY, CertificateVerify[alien_proof],  abort(*unfit, decrypt_error), MUST("7.4.8 pair", *unfitting, "7.2.2 decrypt")),
  recv(WAIT_CERTIFICATE_VERIFY, CertificateVerify[broken_proof], abort(*undone),               MUST("7.4.1.2 length", "7.2.2 decrypt")),
  recv(WAIT_CERTIFICATE_VERIFY, ChangeCipherSpec[one],           abort(unexpected_message),    MUST("7.3 verify", "7.1 when", "7.2.2 unexpected")),
  recv(WAIT_CERTIFICATE_VERIFY, ChangeCipherSpec[not_one],       abort(*wrong_spec),           MUST("7.3 verify", "7.1 when", "7.1 value")),

  *(recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one], shared,  trust, WAIT_FINISHED,      level("7.1")) for trust, level in trusts),
  *(recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one], spoiled, trust, WAIT_IN_VAIN, done, level("7.1", "7.4.7.1")) for trust, level in trusts),
  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one], doubtful, abort(*refusal),            MAY(refusable)),
  *(recv(WAIT_FINISHED, Finished[match], full, unpromised, trust, CONNECTED, done, sends(ChangeCipherSpec, Finished), level("7.4.9", "7.3 reply")) for trust, level in trusts),
  *(recv(WAIT_FINISHED, Finished[match], full, promised, trust, CONNECTED, done, sends(NewSessionTicket, ChangeCipherSpec, Finished), level("7.4.9", "RFC 5077 3.3", "RFC 5077 3.3 after", "7.3 reply")) for trust, level in trusts),
  recv(WAIT_FINISHED,           Finished[match], doubtful,       abort(*refusal),            MAY(refusable)),
  recv(WAIT_FINISHED,           Finished[match], resumed,        CONNECTED, done,            MUST("7.4.9", "7.4.9 data")),

  recv(WAIT_IN_VAIN, Record[too_long],    abort(record_overflow, bad_record_mac), MUST("7.2.2 overflow", *vain)),
  recv(WAIT_IN_VAIN, Record[alien_type | heartbeat], abort(*unread),              MUST("6", *vain)),
  recv(WAIT_IN_VAIN, Record[zero_length], abort(*unread),                         MUST("7.3 data", *vain)),
  recv(WAIT_IN_VAIN, ApplicationData,     abort(*unread),                         MUST("7.3 data", *vain)),
  recv(WAIT_IN_VAIN, ChangeCipherSpec,    abort(*unread),                         MUST("7.1 when", *vain)),
  rest(WAIT_IN_VAIN,                      abort(bad_record_mac),                  MUST("6 order", *vain)),

  send(OPEN, HelloRequest, STAY, MAY("7.4.1.1")),

  *_accepted(CONNECTED, again, "7.4.1.2 renegotiate"),
  recv(CONNECTED, ClientHello[old_version],                       abort(protocol_version),                         MAY("E.1")),
  recv(CONNECTED, ClientHello[fallback],                          abort(inappropriate_fallback, protocol_version), MAY("RFC 7507 3", "E.1")),
  recv(CONNECTED, ClientHello[no_common_suite],                   abort(insufficient_security),                    MAY("7.2.2 insufficient")),
  recv(CONNECTED, ClientHello[no_null_compression],               abort(illegal_parameter, decode_error),          MAY("7.4.1.2 null", "7.2.2 illegal", "7.2.2 decode")),
  recv(CONNECTED, ClientHello[renegotiation_claimed],             abort(handshake_failure),                        MAY("RFC 5746 3.7", aborting)),
  recv(CONNECTED, ClientHello[signalled_again],                   abort(handshake_failure),                        MAY("RFC 5746 3.7 signal", aborting)),
  recv(CONNECTED, ClientHello[broken_hello],                      abort(decode_error),                             MAY("7.4.1.2 length")),
  recv(CONNECTED, ClientHello[acceptable, bare],                  abort(handshake_failure),                        MAY("RFC 5746 3.7 present", aborting)),
  recv(CONNECTED, ClientHello,                                    abort(handshake_failure, unexpected_message),    MAY(*refusing)),
  recv(CONNECTED, ClientHello,                                    STAY, sends(Alert[warning, no_renegotiation]),   MAY("7.2.2 refuse")),
  recv(CONNECTED, ClientHello,                                    STAY,                                            MAY("7.2.2 refuse")),

  malformed(OPEN - WAIT_CLIENT_HELLO - CONNECTED, ClientHello,       broken_hello),
  malformed(OPEN - WAIT_CERTIFICATE,              Certificate,       broken_chain),
  malformed(OPEN - WAIT_CERTIFICATE - WAIT_CLIENT_KEY_EXCHANGE, ClientKeyExchange, broken_secret),
  malformed(OPEN - WAIT_CERTIFICATE_VERIFY,       CertificateVerify, broken_proof),

  *either(OPEN, EARLY, ALIVE),
  ],
)
# fmt: on
