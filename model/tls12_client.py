"""The TLS 1.2 client's table. How it works is said in `tls12`."""

from __future__ import annotations

from shakeproof.model import tls12
from shakeproof.model.clauses import MAY, MUST, SHOULD, Authority
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    ASKS,
    CERTIFICATE_ALERTS,
    GRANTS,
    KEY_EXCHANGE,
    OFFER,
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
    accompanied,
    alien_compression,
    alien_extension,
    alien_group,
    alien_scheme,
    alien_suite,
    alien_version,
    alone,
    anew,
    bad_certificate,
    bad_point,
    bad_share,
    bad_signature,
    bond_changed,
    broken_answer,
    broken_chain,
    broken_params,
    broken_request,
    broken_ticket,
    by_id,
    by_ticket,
    by_unknown,
    certificate_expired,
    changed_suite,
    connect,
    decode_error,
    decrypt_error,
    dhe,
    ecdhe,
    empty,
    empty_chain,
    expired,
    extended,
    fallback,
    fatal,
    forged_signature,
    full,
    granted,
    handshake_failure,
    illegal_parameter,
    insufficient_security,
    issuer_not_ca,
    match,
    missing_intermediate,
    name_excluded,
    no_renegotiation,
    no_san,
    not_yet_valid,
    offers_dhe,
    offers_ecdhe,
    offers_rsa,
    offers_several,
    old_version,
    one,
    overfull,
    pathlen_exceeded,
    promised,
    proper,
    protocol_version,
    renegotiation_dropped,
    renegotiation_forged,
    resumed,
    rsa,
    self_signed_leaf,
    signed,
    ticketed,
    trusted,
    unexpected_message,
    unknown_ca,
    unknown_critical,
    unpromised,
    unsupported_extension,
    untrusted,
    warning,
    weak_group,
    weak_hash,
    well_formed,
    withdrawn,
    wrong_eku,
    wrong_key_type,
    wrong_name,
    wrong_usage,
    zero_length,
)
from shakeproof.model.notation import (
    ANYTHING,
    STAY,
    States,
    abort,
    call,
    forget,
    keep,
    now,
    pick,
    recv,
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
    START,
    VERSION,
    WAIT_CERTIFICATE,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_FINISHED,
    WAIT_SERVER_HELLO,
    WAIT_SERVER_HELLO_DONE,
    WAIT_SERVER_KEY_EXCHANGE,
    again,
    anonymous,
    current,
    either,
    first,
    identified,
    malformed,
    older,
    out_of_place,
    point,
    share,
    truncation,
    unasked,
    undone,
    unfit,
    unfitting,
    unseen_padding,
)
from shakeproof.model.tls12_client_quotes import client_quotes

# fmt: off

EARLY = States((WAIT_SERVER_HELLO, WAIT_CERTIFICATE, WAIT_SERVER_KEY_EXCHANGE, WAIT_SERVER_HELLO_DONE,
                WAIT_CHANGE_CIPHER_SPEC), "EARLY")
OPEN  = States((*EARLY.members, WAIT_FINISHED, CONNECTED), "OPEN")

client_flight = sends(Certificate[empty_chain].when(anonymous), Certificate.when(identified), ClientKeyExchange,
                      CertificateVerify.when(identified), ChangeCipherSpec, Finished)
finishing     = ("7.4.6", "7.4.7 follow", "7.4.8 follow", "7.3 finish")

any_offer  = offers_several | offers_rsa | offers_ecdhe | offers_dhe
any_asking = anew | ticketed | by_id | by_ticket | by_unknown
resumable  = by_id | by_ticket
offered    = ((rsa, offers_several | offers_rsa), (ecdhe, offers_several | offers_ecdhe), (dhe, offers_several | offers_dhe))
asking     = ("7.4.1.2", "7.4.1.2 session", "RFC 5077 3.2")
begun      = ("7.3 hello", "7.4.2 next", "7.4.1.3 prepared")
bond       = ("RFC 7627 5.3 added", "RFC 7627 5.3 dropped", "RFC 7627 5.2 abort")

unanchored = untrusted | self_signed_leaf | missing_intermediate
unfounded  = (expired | not_yet_valid | wrong_name | unanchored | bad_signature | issuer_not_ca | wrong_usage
              | pathlen_exceeded | wrong_eku | name_excluded | unknown_critical | weak_hash)
distrusted = unfounded | no_san
useless    = empty_chain | wrong_key_type | broken_chain
unsound    = CERTIFICATE_ALERTS
unusable   = (*CERTIFICATE_ALERTS, *unfit)
period     = ("RFC 5280 6.1.3 time", "7.2.2 expired")
signature  = ("RFC 5280 6.1.3 signature", "7.2.2 corrupt", "7.2.2 decrypt", "7.2.2 anchor")
purpose    = ("7.4.5 valid", "7.4.2 encipher", "7.4.2 sign", "7.2.2 unknown", *unfitting)
kind       = ("7.4.2 compatible", "RFC 8422 5.3", "7.2.2 unknown", *unfitting)
curve      = ("RFC 8422 4", "RFC 8422 5.4 capabilities", "7.2.2 illegal", "7.2.2 decode")
last_resort = MAY("RFC 6125 6.4.4", "7.2.2 unknown", reading="https")
discretion = MAY("7.2.2 discretion", reading="~https")


def https(*keys: str) -> Authority:
    """A demand of https on the server's chain."""
    return MUST("RFC 9110 4.3.4", *keys, reading="https")


client = Role(
  "tls12.client", "TLS 1.2 client", rfc=5246, initial=START, accepting=CONNECTED, final=CLOSED, aborted=ABORTED,
  alphabet=TLS12_MESSAGES, quotes=client_quotes, phases=PHASES, peer="tls12.server",
  memory={OFFER: offers_several, ASKS: anew, KEY_EXCHANGE: rsa, GRANTS: full, TICKET: unpromised, REQUESTED: unasked,
          ROUND: first, VERSION: current},
  alert=Alert, fatal=fatal, theory=tls12.__doc__ or "",
  readings={"https": "a chain must lead to a trust anchor, be current, be meant for this use, and name the server", **READINGS},
  default_readings=frozenset({"https"}), alike=(unseen_padding,),
  truncation=truncation,
  order=(START, WAIT_SERVER_HELLO, WAIT_CERTIFICATE, WAIT_SERVER_KEY_EXCHANGE, WAIT_SERVER_HELLO_DONE,
         WAIT_CHANGE_CIPHER_SPEC, WAIT_FINISHED, CONNECTED), lines=[
  #    state, input, what must be remembered, next state and reply, authority
  call(START, connect,  WAIT_SERVER_HELLO, pick(OFFER, any_asking), sends(ClientHello), MUST(*asking, reading="~legacy")),
  call(START, connect,  WAIT_SERVER_HELLO, pick(OFFER, any_asking), sends(ClientHello), MAY(*asking, reading="legacy")),
  call(START, connect,  WAIT_SERVER_HELLO, pick(OFFER), now(older), sends(ClientHello[old_version & fallback]), MAY("E.1 agree", "RFC 7507 4", reading="legacy")),
  void(START, ANYTHING, why="there is no connection yet"),

  *(recv(WAIT_SERVER_HELLO, ServerHello[proper, full, key, unpromised], offers,            WAIT_CERTIFICATE, keep(KEY_EXCHANGE, GRANTS, TICKET), forget(OFFER, ASKS), MUST(*begun)) for key, offers in offered),
  *(recv(WAIT_SERVER_HELLO, ServerHello[proper, full, key, promised],   offers, ~anew,     WAIT_CERTIFICATE, keep(KEY_EXCHANGE, GRANTS, TICKET), forget(OFFER, ASKS), MUST(*begun, "RFC 5077 3.2 announce")) for key, offers in offered),
  *(recv(WAIT_SERVER_HELLO, ServerHello[proper, resumed, key],          offers, resumable, WAIT_CHANGE_CIPHER_SPEC, keep(GRANTS, TICKET), forget(OFFER, ASKS, KEY_EXCHANGE), MUST("7.4.1.3 resumed", "7.3 resumed")) for key, offers in offered),
  void(WAIT_SERVER_HELLO, ServerHello[proper, rsa],              offers_ecdhe | offers_dhe, why="a suite that was not offered is alien"),
  void(WAIT_SERVER_HELLO, ServerHello[proper, ecdhe],            offers_rsa | offers_dhe,   why="a suite that was not offered is alien"),
  void(WAIT_SERVER_HELLO, ServerHello[proper, dhe],              offers_rsa | offers_ecdhe, why="a suite that was not offered is alien"),
  void(WAIT_SERVER_HELLO, ServerHello[proper, promised],         anew,                      why="an extension that was not offered is alien"),
  void(WAIT_SERVER_HELLO, ServerHello[resumed],                  ~resumable,                why="there is no session that both know"),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_suite],                       abort(*unfit),                             MUST("7.4.1.3 suite", *unfitting)),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_compression],                 abort(*unfit),                             MUST("7.4.1.3 method", *unfitting)),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_version],                     abort(protocol_version, illegal_parameter), MUST("E.1", "RFC 5288 4")),
  recv(WAIT_SERVER_HELLO, ServerHello[alien_extension],                   abort(unsupported_extension),              MUST("7.4.1.4")),
  recv(WAIT_SERVER_HELLO, ServerHello[changed_suite, resumed], resumable, abort(*unfit),                             MUST("7.4.1.3 same", *unfitting)),
  recv(WAIT_SERVER_HELLO, ServerHello[bond_changed, resumed],  resumable, abort(handshake_failure),                  MUST(*bond)),
  recv(WAIT_SERVER_HELLO, ServerHello[renegotiation_forged],   first,     abort(handshake_failure),                  MUST("RFC 5746 3.4")),
  recv(WAIT_SERVER_HELLO, ServerHello[renegotiation_forged],   again,     abort(handshake_failure),                  MUST("RFC 5746 3.5 equal", "RFC 5746 3.4 abort")),
  recv(WAIT_SERVER_HELLO, ServerHello[renegotiation_dropped],  again,     abort(handshake_failure),                  MUST("RFC 5746 3.5 present", "RFC 5746 3.4 abort")),
  void(WAIT_SERVER_HELLO, ServerHello[renegotiation_dropped],  first,     why="nothing renegotiates yet"),
  recv(WAIT_SERVER_HELLO, ServerHello[broken_answer],                     abort(decode_error),                       MUST("7.4.1.2 length")),

  recv(WAIT_CERTIFICATE, Certificate[trusted, alone],       rsa,         WAIT_SERVER_HELLO_DONE,   MUST("7.4.2", "7.4.3 omitted")),
  recv(WAIT_CERTIFICATE, Certificate[trusted, alone],       ecdhe | dhe, WAIT_SERVER_KEY_EXCHANGE, MUST("7.4.2", "7.4.3")),
  recv(WAIT_CERTIFICATE, Certificate[trusted, accompanied], rsa,         WAIT_SERVER_HELLO_DONE,   SHOULD("RFC 8446 4.4.2 extraneous")),
  recv(WAIT_CERTIFICATE, Certificate[trusted, accompanied], ecdhe | dhe, WAIT_SERVER_KEY_EXCHANGE, SHOULD("RFC 8446 4.4.2 extraneous")),

  recv(WAIT_CERTIFICATE, Certificate[expired | not_yet_valid], abort(certificate_expired),            https(*period)),
  recv(WAIT_CERTIFICATE, Certificate[unanchored],              abort(unknown_ca),                     https("RFC 5280 6.1 anchor", "7.2.2 anchor")),
  recv(WAIT_CERTIFICATE, Certificate[bad_signature],           abort(bad_certificate, decrypt_error, unknown_ca), https(*signature)),
  recv(WAIT_CERTIFICATE, Certificate[issuer_not_ca],           abort(*unsound),                       https("RFC 5280 6.1.4", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[pathlen_exceeded],        abort(*unsound),                       https("RFC 5280 6.1.4 length", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[name_excluded],           abort(*unsound),                       https("RFC 5280 6.1.3 excluded", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[unknown_critical],        abort(*unsound),                       https("RFC 5280 4.2 critical", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_eku],               abort(*unusable),                      https("RFC 5280 4.2.1.12", "7.2.2 unknown", *unfitting)),
  recv(WAIT_CERTIFICATE, Certificate[no_san],                  abort(*unsound),                       last_resort),
  recv(WAIT_CERTIFICATE, Certificate[no_san, ~(unfounded | useless)], rsa,         WAIT_SERVER_HELLO_DONE,   last_resort),
  recv(WAIT_CERTIFICATE, Certificate[no_san, ~(unfounded | useless)], ecdhe | dhe, WAIT_SERVER_KEY_EXCHANGE, last_resort),
  recv(WAIT_CERTIFICATE, Certificate[weak_hash],               abort(*unusable, decrypt_error),       SHOULD("RFC 8446 4.4.2.4", "7.2.2 unknown", *unfitting, reading="https")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_usage],             abort(*unusable),                      SHOULD(*purpose, reading="https")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_name],              abort(*unsound),                       https("RFC 6125 6.6.4", "7.2.2 unknown")),

  recv(WAIT_CERTIFICATE, Certificate[distrusted, ~useless], rsa,         WAIT_SERVER_HELLO_DONE,         discretion),
  recv(WAIT_CERTIFICATE, Certificate[distrusted, ~useless], ecdhe | dhe, WAIT_SERVER_KEY_EXCHANGE,       discretion),
  recv(WAIT_CERTIFICATE, Certificate[distrusted],                        abort(*unusable, decrypt_error), discretion),
  recv(WAIT_CERTIFICATE, Certificate[empty_chain],                       abort(*unusable, decode_error), MUST("7.4.2 first", "7.2.2 unknown")),
  recv(WAIT_CERTIFICATE, Certificate[wrong_key_type],                    abort(*unusable),               MUST(*kind)),
  recv(WAIT_CERTIFICATE, Certificate[broken_chain],                      abort(bad_certificate, decode_error), MUST("7.4.1.2 length", "7.2.2 corrupt")),

  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[signed],           ecdhe, WAIT_SERVER_HELLO_DONE,       MUST("RFC 8422 5.4")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[signed],           dhe,   WAIT_SERVER_HELLO_DONE,       MUST("F.1.1.3 verify", "7.4.3 needed")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[forged_signature], ecdhe, abort(decrypt_error),         MUST("RFC 8422 5.4", "7.2.2 decrypt")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[forged_signature], dhe,   abort(decrypt_error),         MUST("7.4.3 signed", "F.1.1.3 verify", "7.2.2 decrypt")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[alien_scheme],            abort(*unfit, decrypt_error), MUST("7.4.3 pair", "7.2.2 illegal")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[alien_group],      ecdhe, abort(*unfit, decode_error),  MUST(*curve)),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[bad_point],        ecdhe, abort(*unfit, *undone),       MUST(*point)),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[weak_group],       dhe,   abort(insufficient_security, *unfit), SHOULD("F.1.1.3 size", "RFC 7919 3", "7.2.2 insufficient", *unfitting)),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[bad_share],        dhe,   abort(*unfit, *undone),       MUST("RFC 7919 3", *share, "F.1.1.3 adequate")),
  void(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[weak_group | bad_share],  ecdhe, why="there is no group of a finite field"),
  void(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[alien_group | bad_point], dhe,   why="there is no curve"),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange[broken_params],           abort(decode_error),          MUST("7.4.1.2 length")),

  recv(WAIT_SERVER_KEY_EXCHANGE, ServerHelloDone[empty], ecdhe,          abort(unexpected_message), MUST("RFC 8422 5.4 when", "7.2.2 unexpected")),
  recv(WAIT_SERVER_KEY_EXCHANGE, ServerHelloDone[empty], dhe,            abort(unexpected_message), MUST("7.4.3 needed", "7.2.2 unexpected")),
  recv(WAIT_SERVER_HELLO_DONE,   ServerKeyExchange[~broken_params], rsa, abort(unexpected_message), MUST("7.4.3 omitted", "7.2.2 unexpected")),

  recv(WAIT_SERVER_HELLO_DONE,  CertificateRequest[well_formed],    unasked, STAY, pick(anonymous | identified),     MUST("7.4.4", "7.3 requested")),
  recv(WAIT_SERVER_HELLO_DONE,  CertificateRequest[broken_request], unasked, abort(decode_error),                    MUST("7.4.1.2 length")),
  recv(WAIT_SERVER_HELLO_DONE,  ServerHelloDone[empty],                      WAIT_CHANGE_CIPHER_SPEC, forget(KEY_EXCHANGE), client_flight, MUST("7.4.5", *finishing, "7.3 verify")),
  recv(WAIT_SERVER_HELLO_DONE,  ServerHelloDone[overfull],                   abort(decode_error),                    MUST("7.4.1.2 length")),

  recv(WAIT_CHANGE_CIPHER_SPEC, NewSessionTicket[granted],       promised,   STAY, now(unpromised),                  MUST("RFC 5077 3.3", "RFC 5077 3.3 before")),
  recv(WAIT_CHANGE_CIPHER_SPEC, NewSessionTicket[withdrawn],     promised,   STAY, now(unpromised),                  MUST("RFC 5077 3.3 withdrawn")),
  recv(WAIT_CHANGE_CIPHER_SPEC, NewSessionTicket[broken_ticket], promised,   abort(decode_error),                    MUST("7.4.1.2 length")),
  recv(WAIT_CHANGE_CIPHER_SPEC, NewSessionTicket[~broken_ticket], unpromised, abort(unexpected_message),             MUST("RFC 5077 3.3", "7.2.2 unexpected")),
  recv(WAIT_CHANGE_CIPHER_SPEC, NewSessionTicket[broken_ticket], unpromised, abort(*out_of_place),                   MUST("RFC 5077 3.3", "7.4.1.2 length")),
  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one],           promised,   abort(unexpected_message),              MAY("RFC 5077 3.3", "RFC 5077 3.3 before", "7.4 order")),
  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one],           promised,   WAIT_FINISHED, forget(REQUESTED, TICKET), MAY("7.1", "7.4 omitted")),
  recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[one],           unpromised, WAIT_FINISHED, forget(REQUESTED, TICKET), MUST("7.1")),
  recv(WAIT_FINISHED,           Finished[match],                 full,       CONNECTED, forget(GRANTS),              MUST("7.4.9", "7.4.9 data")),
  recv(WAIT_FINISHED,           Finished[match],                 resumed,    CONNECTED, forget(GRANTS), sends(ChangeCipherSpec, Finished), MUST("7.4.9", "7.3 resumed")),

  recv(OPEN - CONNECTED,  HelloRequest[empty],    STAY,                                                SHOULD("7.4 ignored")),
  recv(CONNECTED,         HelloRequest[empty],    STAY,                                                MAY("7.4.1.1")),
  recv(CONNECTED,         HelloRequest[empty],    STAY, sends(Alert[warning, no_renegotiation]),       MAY("7.4.1.1", "7.2.2 refuse")),
  send(CONNECTED,         ClientHello[acceptable, any_offer, extended, any_asking], WAIT_SERVER_HELLO, keep(OFFER, ASKS), now(again, unasked), MAY("7.4.1.1 response", "7.4.1.2 renegotiate", "RFC 5746 3.5 include")),
  recv(WAIT_SERVER_HELLO, Alert[warning, no_renegotiation], again, CONNECTED, forget(OFFER, ASKS, REQUESTED), MAY("7.2.2 proceed")),
  recv(OPEN,              HelloRequest[overfull], abort(*out_of_place),                                MUST("7.4.1.2 length", "7.2.2 unexpected")),

  malformed(OPEN - WAIT_SERVER_HELLO,        ServerHello,        broken_answer),
  malformed(OPEN - WAIT_CERTIFICATE,         Certificate,        broken_chain),
  malformed(OPEN - WAIT_SERVER_KEY_EXCHANGE, ServerKeyExchange,  broken_params),
  malformed(OPEN - WAIT_SERVER_HELLO_DONE,   CertificateRequest, broken_request),
  malformed(OPEN - WAIT_SERVER_HELLO_DONE,   ServerHelloDone,    overfull),
  malformed(OPEN - WAIT_CHANGE_CIPHER_SPEC,  NewSessionTicket,   broken_ticket),
  recv(WAIT_SERVER_HELLO_DONE, CertificateRequest[broken_request], ~unasked, abort(*out_of_place), MUST("7.4 order", "7.4.1.2 length")),

  recv(WAIT_SERVER_HELLO, ApplicationData,     again, STAY, MUST("6.2.1 interleaved")),
  recv(WAIT_SERVER_HELLO, Record[zero_length], again, STAY, MUST("6.2.1 zero-length", "6.2.1 interleaved")),
  *either(OPEN, EARLY, OPEN),
  ],
)
# fmt: on
