"""TLS 1.2 (RFC 5246, with 5077, 5746, 6066, 7366, 7507, 7627, 7919 and 8422): the client and the server, a table each.

One connection has one of each. Both read the same alphabet, since a peer, or whoever sits between, can send anything.
The record layer is part of each role: a `Record` is remarkable as a record, whatever else comes was decrypted and
reassembled. Certificates arrive judged: the certificate machine gives the defects of a chain, and what follows from them
is decided here. What a role chooses is a fact that it remembers from then on until no row looks at it any more.

A second handshake uses the states of the first, with `again` remembered: then every record is protected, and data may
flow between its messages until the peer's ChangeCipherSpec. Whether there is one is the choice of both. Section 6.2.1
says that the data must be taken, 7.4.9 that it may begin to flow after Finished: after the ServerHello the table allows
both, and `interleaved` holds to the former.

A spoiled secret. After a ClientKeyExchange whose RSA block is wrong, the server goes on with another secret than the
one that it was sent (7.4.7.1), and must not show it. Then it can read nothing that the peer protects with keys of the
one that was sent: it is in WAIT_IN_VAIN, which from outside is WAIT_FINISHED.

Defects. Each alert that a row allows is one that a clause names or whose definition in 7.2.2 fits; where several fit,
each is allowed. For faults of a certificate for which 7.2.2 names no alert this project tolerates any of the six about
certificates. Several defects at once allow the union of their alerts. A message that is out of place and malformed too
may be answered either way: no text says which is looked at first.

Readings. That a chain must lead to a trust anchor, be current and name the server is what `https` demands, not TLS:
most alerts about certificates have no level in 7.2.2, which leaves it to the client whether such an error is fatal. What
is unparsable or of the wrong kind ends any handshake. A client may put its judgement off until ServerHelloDone (7.4.5);
the table wants it at Certificate. For a server's 7.4.6 names no moment: a chain that it let pass is `doubtful`, and may
be refused up to Finished. Under `legacy`, older versions are enabled, and which one is chosen is remembered.

Closing. Either side may close or warn of its own accord wherever the connection is open. Who closes first need not wait
for the other's close_notify (7.2.1), so CLOSED reads nothing more. That the transport just ends is no event of these
tables: it calls for no answer on the wire, and what an application is told then rests on `truncation`.

Left out: CertificateStatus (nobody here asks for one); that a second handshake may not give up encrypt-then-MAC, and a
fatal alert ends the session (the alphabet shows neither); that an unanswered HelloRequest may end the connection.

Presumed of the tests: TLS 1.3 is not offered; neither side has sent the heartbeat extension; an `acceptable` ClientHello
shares a suite with the server as that is configured, and offers that of the session that it names; a second one has the
renegotiation_info that belongs there, and who did not signal secure renegotiation at first (`bare`) sends none; at the
server's table by_id comes without the session_ticket extension, by_unknown and by_other_name with it; by_other_name is
asked of servers that go by names; a client that shows a ticket names a session id with it, so that ServerHello says
whether it is resumed (RFC 5077 3.4); the client implements RFC 7627; a `proper` ServerHello answers renegotiation_info
and extended_master_secret; a server lets in whom it trusts; the groups of the server's DHE are those of RFC 7919.
"""

from __future__ import annotations

from shakeproof.model.clauses import MAY, MUST
from shakeproof.model.facts import Fact, Value
from shakeproof.model.messages import (
    FATAL_ALERTS,
    Alert,
    ApplicationData,
    ChangeCipherSpec,
    Finished,
    Record,
    UnknownHandshake,
    alien_type,
    bad_certificate,
    bad_mac,
    bad_padding,
    bad_record_mac,
    broken_alert,
    broken_finished,
    certificate_expired,
    certificate_revoked,
    certificate_unknown,
    close,
    closure,
    decode_error,
    decrypt_error,
    empty_message,
    fatal,
    handshake_failure,
    heartbeat,
    illegal_parameter,
    long_bad_mac,
    match,
    mismatch,
    not_one,
    one,
    record_overflow,
    replayed,
    stale,
    too_long,
    unexpected_message,
    unrecognized_name,
    unsupported_certificate,
    user_canceled,
    warning,
    write,
    zero_length,
)
from shakeproof.model.notation import (
    STAY,
    Alike,
    Message,
    Row,
    State,
    States,
    TableLine,
    abort,
    call,
    maybe,
    recv,
    rest,
    send,
    sends,
    void,
)
from shakeproof.model.trace import Phase

# fmt: off

# ------------------------------------------------------------------------------------------------ what a role remembers
ROUND = Fact("round", {
    "first": "this is the first handshake of the connection",
    "again": "a handshake has been completed before this one",
})
first, again = ROUND.values

REQUESTED = Fact("requested", {
    "unasked":    "the server has not asked for a certificate, or what it was shown matters no more",
    "asked":      "the server has asked for a certificate, and does not know yet whether the client has one",
    "anonymous":  "the server has asked for a certificate, and the client has none for it",
    "identified": "the server has asked for a certificate, and the client has one for it",
    "doubtful":   "the client has shown a certificate that the server may yet refuse",
})
unasked, asked, anonymous, identified, doubtful = REQUESTED.values

SECRET = Fact("secret", {
    "shared":  "both sides can derive the same keys",
    "spoiled": "the server goes on with another secret than it was sent, because that was no good",
})
shared, spoiled = SECRET.values

VERSION = Fact("version", {
    "current": "TLS 1.2",
    "older":   "an older version than TLS 1.2",
})
current, older = VERSION.values

READINGS = {
    "legacy":      "versions older than TLS 1.2 are enabled, and may be chosen",
    "interleaved": "data must be taken between all messages of a second handshake, to the letter of section 6.2.1",
}

# ------------------------------------------------------------------------------------------------------------- phases
HELLO       = Phase("hello",       "Hello",        "tls",   "RFC 5246 §7.4.1")
CERTIFICATE = Phase("certificate", "Certificate",  "cert",  "RFC 5246 §7.4.2")
KEYS        = Phase("keys",        "Key exchange", "key",   "RFC 5246 §7.4.3 to §7.4.9")
DATA        = Phase("data",        "Data",         "data",  "RFC 5246 §10")
CLOSE       = Phase("closed",      "Closed",       "close", "RFC 5246 §7.2")
PHASES      = (HELLO, CERTIFICATE, KEYS, DATA, CLOSE)

# ------------------------------------------------------------------------------------------------------------- states
START                    = State("START", "nothing has been sent yet", "hello")
WAIT_SERVER_HELLO        = State("WAIT_SERVER_HELLO", "the ClientHello is sent; the ServerHello is awaited", "hello")
WAIT_CERTIFICATE         = State("WAIT_CERTIFICATE", "the peer's certificate is awaited", "certificate")
WAIT_SERVER_KEY_EXCHANGE = State("WAIT_SERVER_KEY_EXCHANGE", "the server's signed parameters are awaited", "keys")
WAIT_SERVER_HELLO_DONE   = State("WAIT_SERVER_HELLO_DONE", "the end of the server's flight is awaited", "keys")

WAIT_CLIENT_HELLO        = State("WAIT_CLIENT_HELLO", "the ClientHello is awaited", "hello")
WAIT_CLIENT_KEY_EXCHANGE = State("WAIT_CLIENT_KEY_EXCHANGE", "the client's part of the key exchange is awaited", "keys")
WAIT_CERTIFICATE_VERIFY  = State("WAIT_CERTIFICATE_VERIFY", "the proof that the client holds its certificate's key is awaited", "keys")
WAIT_IN_VAIN             = State("WAIT_IN_VAIN", "as WAIT_FINISHED, but under keys with which nothing can be read", "keys")

WAIT_CHANGE_CIPHER_SPEC  = State("WAIT_CHANGE_CIPHER_SPEC", "keys are agreed; the peer's switch to them is awaited", "keys")
WAIT_FINISHED            = State("WAIT_FINISHED", "the peer has switched to the new keys; its Finished is awaited", "keys")
CONNECTED                = State("CONNECTED", "both have finished; application data may flow", "data")
CLOSED                   = State("CLOSED", "the connection is over, in order or by the peer's fatal alert", "closed")
ABORTED                  = State("ABORTED", "a fatal alert was sent, and the connection is over", "closed")

SWITCHED = States((WAIT_FINISHED, CONNECTED), "SWITCHED")

# ------------------------------------------------------------------------- alerts and citations that rows share
any_alert    = abort(*FATAL_ALERTS, name="any fatal alert")
a_warning    = (user_canceled | unrecognized_name | bad_certificate | unsupported_certificate | certificate_revoked
                | certificate_expired | certificate_unknown)  # the others are always fatal, or answer something
out_of_place = (unexpected_message, decode_error)  # and malformed: no text says which is looked at first
unfit        = (illegal_parameter, handshake_failure)
unfitting    = ("7.2.2 illegal", "7.2.2 failure")
undone       = (decode_error, decrypt_error)
point        = ("RFC 8422 5.11", "RFC 8422 5.11 zero", "7.2.2 illegal", "7.2.2 decode", "7.2.2 decrypt")
share        = ("RFC 7919 5.1", "7.2.2 illegal", "7.2.2 decode", "7.2.2 decrypt")
tampered     = ("7.2.2 mac", "6.2.3.3", "RFC 7366 3")
repeated     = ("F.2 replay", "F.2 order", "6.1 incremented", "7.2.2 mac", "6.2.3.3", "RFC 7366 3")
cancelling   = sends(maybe(Alert[warning, user_canceled]), Alert[closure])
wrong_spec   = (*out_of_place, illegal_parameter)

unseen_padding = Alike((Record.symbol(bad_mac), Record.symbol(bad_padding)), (), MUST("6.2.3.2"))
"""A long record is longer for everyone to see, and so is not among them."""

truncation = MUST("7.2.1 knowledge")
"""What forbids to take the end of the transport for the end of the data."""


def malformed(states: States, message: Message, defect: Value) -> Row:
    """Out of place, and malformed too."""
    return recv(states, message[defect], abort(*out_of_place), MUST("7.4 order", "7.4.1.2 length"))


def either(open_: States, early: States, alive: States) -> list[TableLine]:
    """What both roles do alike.

    open_: where a peer's message can be read; early: those in which the peer has yet to switch to the keys of this
    handshake; alive: where the connection is open.
    """
    answered = early - WAIT_SERVER_HELLO - WAIT_CLIENT_HELLO
    unswitched = open_ - WAIT_CHANGE_CIPHER_SPEC - WAIT_CERTIFICATE_VERIFY
    handshake = alive - CONNECTED
    return [
        send(alive, Alert[closure],            CLOSED, MAY("7.2.1 initiate")),
        send(alive, Alert[warning, a_warning], STAY,   MAY("7.2.2 warning")),

        call(CONNECTED, write,        STAY, sends(ApplicationData),      MUST("10")),
        call(handshake, write, again, STAY, sends(ApplicationData),      MAY("10", "6.2.1 interleaved")),
        call(handshake, write, again, STAY,                              MAY("6.2.1 interleaved")),
        call(CONNECTED, close,        CLOSED, sends(Alert[closure]),     MUST("7.2.1 required", "7.2.1 wait")),
        call(handshake, close,        CLOSED, cancelling,                MUST("7.2.1 required", "7.2.1 wait", "7.2.2 cancel")),

        recv(CONNECTED,     ApplicationData,            STAY,                      MUST("7.4.9 data")),
        recv(CONNECTED,     Record[zero_length],        STAY,                      MUST("6.2.1 zero-length")),
        recv(answered,      ApplicationData,     again, STAY,                      MUST("6.2.1 interleaved", reading="interleaved")),
        recv(answered,      ApplicationData,     again, STAY,                      MAY("6.2.1 interleaved", reading="~interleaved")),
        recv(answered,      ApplicationData,     again, abort(unexpected_message), MAY("7.4.9 data", "7.2.2 unexpected", reading="~interleaved")),
        recv(answered,      Record[zero_length], again, STAY,                      MUST("6.2.1 zero-length", "6.2.1 interleaved", reading="interleaved")),
        recv(answered,      Record[zero_length], again, STAY,                      MAY("6.2.1 zero-length", "6.2.1 interleaved", reading="~interleaved")),
        recv(answered,      Record[zero_length], again, abort(unexpected_message), MAY("7.4.9 data", "7.2.2 unexpected", reading="~interleaved")),
        recv(WAIT_FINISHED, ApplicationData,     again, STAY,                      MAY("6.2.1 interleaved")),
        recv(WAIT_FINISHED, ApplicationData,     again, abort(unexpected_message), MAY("7.4.9 immediately", "7.4.9 data")),
        recv(WAIT_FINISHED, Record[zero_length], again, STAY,                      MAY("6.2.1 zero-length", "6.2.1 interleaved")),
        recv(WAIT_FINISHED, Record[zero_length], again, abort(unexpected_message), MAY("7.4.9 immediately", "7.4.9 data")),
        recv(open_ - CONNECTED, ApplicationData,     first, abort(unexpected_message), MUST("7.3 data", "7.2.2 unexpected")),
        recv(open_ - CONNECTED, Record[zero_length], first, STAY,                      MAY("6.2.1 zero-length")),
        recv(open_ - CONNECTED, Record[zero_length], first, abort(unexpected_message), MAY("7.3 data", "7.2.2 unexpected")),

        recv(open_, Alert[closure],      CLOSED, sends(Alert[closure]),          MUST("7.2.1 respond", "7.2.1 knowledge")),
        recv(open_, Alert[fatal],        CLOSED,                                 MUST("7.2.2 close")),
        recv(open_, Alert[warning],      STAY,                                   MAY("7.2.2 warning")),
        recv(open_, Alert[warning],      any_alert,                              MAY("7.2.2 decide")),
        recv(open_, Alert[broken_alert], abort(*out_of_place, illegal_parameter), MUST("7.2.2 decode", "7.2.2 illegal", "7.2.2 unexpected")),

        recv(open_,    Record[too_long],                    abort(record_overflow),    MUST("7.2.2 overflow", "7.2.2 send")),
        recv(open_,    Record[alien_type | heartbeat],      abort(unexpected_message), MUST("6")),
        recv(SWITCHED, Record[bad_mac | long_bad_mac],      abort(bad_record_mac),     MUST(*tampered)),
        recv(early,    Record[bad_mac | long_bad_mac], again, abort(bad_record_mac),   MUST(*tampered)),
        recv(SWITCHED, Record[bad_padding],                 abort(bad_record_mac),     MUST("6.2.3.2", "7.2.2 padding")),
        recv(early,    Record[bad_padding], again,          abort(bad_record_mac),     MUST("6.2.3.2", "7.2.2 padding")),
        recv(SWITCHED, Record[replayed | stale],            abort(bad_record_mac),     MUST(*repeated)),
        recv(early,    Record[replayed | stale], again,     abort(bad_record_mac),     MUST(*repeated)),
        void(early,    Record[bad_mac | bad_padding | long_bad_mac | replayed | stale], first, why="there are no keys yet"),
        recv(open_,    Record[empty_message],               STAY,                      MAY("6.2.1 empty")),
        recv(open_,    Record[empty_message],               abort(*out_of_place, illegal_parameter), MAY("6.2.1 empty")),

        recv(WAIT_CHANGE_CIPHER_SPEC, ChangeCipherSpec[not_one], abort(*wrong_spec),        MUST("7.1 value", "7.2.2 decode")),
        recv(unswitched,              ChangeCipherSpec[not_one], abort(*wrong_spec),        MUST("7.1 when", "7.1 value")),
        recv(unswitched,              ChangeCipherSpec[one],     abort(unexpected_message), MUST("7.1 when", "7.2.2 unexpected")),

        recv(WAIT_FINISHED,         Finished[mismatch],         abort(decrypt_error),               MUST("7.4.9", "7.2.2 decrypt")),
        recv(WAIT_FINISHED,         Finished[broken_finished],  abort(decode_error, decrypt_error), MUST("7.4.1.2 length", "7.2.2 decrypt")),
        recv(open_ - WAIT_FINISHED, Finished[match | mismatch], abort(unexpected_message),          MUST("7.4.9 preceded", "7.2.2 unexpected")),
        recv(open_ - WAIT_FINISHED, Finished[broken_finished],  abort(*out_of_place),               MUST("7.4.9 preceded", "7.4.1.2 length")),

        recv(open_, UnknownHandshake, abort(*out_of_place, illegal_parameter), MUST("7.2.2 unexpected", "7.2.2 decode", "7.2.2 illegal")),
        rest(open_,                   abort(unexpected_message),               MUST("7.4 order", "7.2.2 unexpected", "7.2.2 send")),
    ]
# fmt: on
