"""TCP: the eleven states of RFC 9293, from opening a connection to TIME-WAIT.

One role serves both ends: whoever calls active OPEN is the client, whoever calls passive OPEN the server. A segment is
described as its receiver sees it, by three facts: which control bit decides its handling (RST before SYN before FIN,
as section 3.10.7 checks them), where its sequence number lies in the receive window, and what its acknowledgment
covers. Numbers themselves are the mapper's.

Section 3.10.7 checks an arriving segment in a fixed order: sequence number, RST, SYN, ACK, text, FIN. A check that ends
its handling appears here as classes that the rows of later checks no longer name. Each state has its calls first, then
the segments that move it on; the checks that all synchronized states share stand last.

CLOSED is both the beginning and the end. There is no alert: what is answered with a reset is answered with a segment,
and so every combination is written out and `rest` is not used. The application's calls are OPEN, SEND, CLOSE and ABORT;
RECEIVE and STATUS change no state and send nothing.

Presumed: a passive OPEN leaves the remote socket unspecified until a SEND or an active OPEN in LISTEN specifies it;
where it does not, both report an error and change nothing (sections 3.10.1 and 3.10.2).

Two readings are legal. RFC 9293 permits RFC 5961's protections and describes TCP without them too: `rfc5961` chooses.

What stands in `partial` is left out until the whole of RFC 9293 is modelled, and comes as further rows.
"""

from __future__ import annotations

from shakeproof.model.clauses import MAY, MUST, Authority
from shakeproof.model.facts import Fact, Guard
from shakeproof.model.lint import check
from shakeproof.model.machine import Role
from shakeproof.model.notation import (
    STAY,
    Kind,
    Message,
    Pattern,
    Row,
    State,
    States,
    Symbol,
    Timer,
    call,
    call_message,
    maybe,
    now,
    recv,
    sends,
    start,
    stop,
    tick,
)
from shakeproof.model.tcp_layout import LAYOUT
from shakeproof.model.tcp_quotes import quotes
from shakeproof.model.trace import Phase

# ------------------------------------------------------------------------------------------------------- segments
# fmt: off
CONTROL = Fact("control", {
    "bare": "none of SYN, FIN and RST, and no text",
    "data": "text, and none of SYN, FIN and RST",
    "syn":  "SYN, and not RST",
    "fin":  "FIN, and neither SYN nor RST",
    "rst":  "RST",
})
bare, data, syn, fin, rst = CONTROL.values

SEQUENCE = Fact("sequence", {
    "expected": "begins with the next sequence number expected, RCV.NXT",
    "ahead":    "begins after RCV.NXT, inside the receive window",
    "old":      "lies wholly before RCV.NXT: a duplicate",
}, {
    "outside":  "lies beyond the receive window",
}, detail=True)
expected, ahead, old, outside = SEQUENCE.values

ACKNOWLEDGMENT = Fact("acknowledgment", {
    "current": "acknowledges all that was sent: SEG.ACK = SND.NXT",
    "earlier": "acknowledges less than all that was sent: SEG.ACK < SND.NXT",
    "no_ack":  "the ACK bit is off",
}, {
    "beyond":  "acknowledges something not yet sent: SEG.ACK > SND.NXT",
})
current, earlier, no_ack, beyond = ACKNOWLEDGMENT.values

Segment = Message("Segment", "a TCP segment", CONTROL, SEQUENCE, ACKNOWLEDGMENT)

SYN     = Segment[syn, no_ack]
SYN_ACK = Segment[syn, current]
ACK     = Segment[bare, current | earlier]
DATA    = Segment[data, current | earlier]
FIN     = Segment[fin, current | earlier]
RST     = Segment[rst, no_ack]
RST_ACK = Segment[rst, current]
ANY_RST = Segment[rst, current | no_ack]

active_open  = call_message("active OPEN", "the application opens a connection to a remote socket")
passive_open = call_message("passive OPEN", "the application listens for a connection")
SEND         = call_message("SEND", "the application hands over data")
CLOSE        = call_message("CLOSE", "the application has no more data to send")
ABORT        = call_message("ABORT", "the application breaks the connection off")

TIME_WAIT_TIMER = Timer("time-wait", "twice the maximum segment lifetime have passed since TIME-WAIT was last entered")

# ------------------------------------------------------------------------------------------------------- memory
OPENED = Fact("opened", {
    "actively":  "by an active OPEN: SYN-RECEIVED was reached from SYN-SENT",
    "passively": "by a passive OPEN: SYN-RECEIVED was reached from LISTEN",
})
actively, passively = OPENED.values

# ------------------------------------------------------------------------------------------------------- states
CLOSED       = State("CLOSED", "no connection state at all")
LISTEN       = State("LISTEN", "waiting for a connection request from any remote TCP peer and port", "setup")
SYN_SENT     = State("SYN-SENT", "waiting for a matching connection request after having sent one", "setup")
SYN_RECEIVED = State("SYN-RECEIVED", "waiting for a confirming connection request acknowledgment", "setup")
ESTABLISHED  = State("ESTABLISHED", "an open connection: data can be delivered to the user", "open")
FIN_WAIT_1   = State("FIN-WAIT-1", "waiting for the remote FIN, or for the acknowledgment of one's own", "active_close")
FIN_WAIT_2   = State("FIN-WAIT-2", "waiting for the remote FIN; one's own is acknowledged", "active_close")
CLOSING      = State("CLOSING", "both have sent FIN; waiting for the acknowledgment of one's own", "active_close")
TIME_WAIT    = State("TIME-WAIT", "waiting until no segment of the connection can be on its way", "active_close")
CLOSE_WAIT   = State("CLOSE-WAIT", "the remote peer has sent FIN; waiting for the local user's CLOSE", "passive_close")
LAST_ACK     = State("LAST-ACK", "waiting for the acknowledgment of one's own FIN, the last one", "passive_close")
# fmt: on

# Groups, as section 3.10.7.4 forms them.
UP = States((ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSE_WAIT), "UP")
DOWN = States((CLOSING, LAST_ACK, TIME_WAIT), "DOWN")
SYNCHRONIZED = States((*UP.members, *DOWN.members), "SYNCHRONIZED")
BUSY = SYNCHRONIZED - TIME_WAIT

PHASES = (
    Phase("setup", "Connection setup", "tcp"),
    Phase("open", "Open", "data"),
    Phase("active_close", "Active close", "key"),
    Phase("passive_close", "Passive close", "cert"),
)

# ------------------------------------------------------------------------------------------------------- the table
PARTIAL = (
    "left out until the whole of RFC 9293 is modelled: segments ahead of the expected one that are held; windows, "
    "and data queued before ESTABLISHED; retransmission, user, persist and keep-alive "
    "timeouts; delayed acknowledgments; options; urgent data; a new SYN that reopens from TIME-WAIT"
)

text = bare | data
plain = bare | data | fin  # what is neither RST nor SYN: what the checks of ACK, text and FIN see
window = expected | ahead
unacceptable = old | outside
valid_ack = current | earlier
bad_ack = earlier | beyond

send_syn, send_syn_ack, send_fin, send_data = sends(SYN), sends(SYN_ACK), sends(FIN), sends(DATA)
send_ack, may_ack, send_rst, send_rst_ack = sends(ACK), sends(maybe(ACK)), sends(RST), sends(RST_ACK)
send_any_rst = sends(ANY_RST)
linger, forget = start(TIME_WAIT_TIMER), stop(TIME_WAIT_TIMER)


def _keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """A bare word is a quote of section 3.10.7.4, "Other States", on arriving segments."""
    return tuple(key if key[0].isdigit() else f"3.10.7.4 {key}" for key in keys)


def arrives(*keys: str) -> Authority:
    """MUST."""
    return MUST(*_keys(keys))


def protected(*keys: str) -> Authority:
    """MUST with RFC 5961's protections."""
    return MUST(*_keys(keys), reading="rfc5961")


def mitigated(*keys: str) -> Authority:
    """MAY with RFC 5961's protections; the keys are whole."""
    return MAY(*keys, reading="rfc5961")


def unprotected(*keys: str) -> Authority:
    """MUST without them."""
    return MUST(*_keys(keys), reading="~rfc5961")


# Columns: states, input, (what is remembered,) next state, effects, reply, authority.
# fmt: off
rows = [
    # ---- CLOSED
    call(CLOSED, passive_open,           LISTEN, now(passively),            MUST("3.10.1 passive")),
    call(CLOSED, active_open,            SYN_SENT, now(actively), send_syn, MUST("3.10.1 active")),
    call(CLOSED, SEND,                   STAY,                              MUST("3.10.2 closed")),
    call(CLOSED, CLOSE,                  STAY,                              MUST("3.10.4 closed")),
    call(CLOSED, ABORT,                  STAY,                              MUST("3.10.5 closed")),
    recv(CLOSED, Segment[rst],           STAY,                              MUST("3.10.7.1 rst")),
    recv(CLOSED, Segment[~rst, no_ack],  STAY, send_rst_ack,                MUST("3.10.7.1 other", "3.10.7.1 no-ack")),
    recv(CLOSED, Segment[~rst, ~no_ack], STAY, send_rst,                    MUST("3.10.7.1 other", "3.10.7.1 ack")),
    # ---- LISTEN
    call(LISTEN, SEND,                   SYN_SENT, now(actively), send_syn, MUST("3.10.2 listen")),
    call(LISTEN, active_open,            SYN_SENT, now(actively), send_syn, MUST("3.10.1 listen")),
    call(LISTEN, CLOSE,                  CLOSED,                            MUST("3.10.4 listen")),
    call(LISTEN, ABORT,                  CLOSED,                            MUST("3.10.5 listen")),
    recv(LISTEN, Segment[rst],           STAY,                              MUST("3.10.7.2 rst")),
    recv(LISTEN, Segment[~rst, ~no_ack], STAY, send_rst,                    MUST("3.10.7.2 ack")),
    recv(LISTEN, Segment[syn, no_ack],   SYN_RECEIVED, send_syn_ack,        MUST("3.10.7.2 syn", "3.10.7.2 state")),
    recv(LISTEN, Segment[plain, no_ack], STAY,                              MUST("3.10.7.2 other")),
    # ---- SYN-SENT
    call(SYN_SENT, SEND,                             STAY,                       MUST("3.10.2 queue")),
    call(SYN_SENT, CLOSE,                            CLOSED,                     MUST("3.10.4 syn-sent")),
    call(SYN_SENT, ABORT,                            CLOSED,                     MUST("3.10.5 syn-sent")),
    recv(SYN_SENT, Segment[~rst, bad_ack],           STAY, send_rst,             MUST("3.10.7.3 ack")),
    recv(SYN_SENT, Segment[rst, bad_ack],            STAY,                       MUST("3.10.7.3 ack")),
    recv(SYN_SENT, Segment[rst, expected, current],  CLOSED,                     MUST("3.10.7.3 rst")),
    recv(SYN_SENT, Segment[rst, ~expected, current], CLOSED,                     MAY("3.10.7.3 rst")),
    recv(SYN_SENT, Segment[rst, ~expected, current], STAY,                       mitigated("3.10.7.3 exact")),
    recv(SYN_SENT, Segment[rst, no_ack],             STAY,                       MUST("3.10.7.3 rst")),
    recv(SYN_SENT, Segment[syn, current],            ESTABLISHED, send_ack,      MUST("3.10.7.3 syn-ack")),
    recv(SYN_SENT, Segment[syn, no_ack],             SYN_RECEIVED, send_syn_ack, MUST("3.10.7.3 syn", "3.5 both")),
    recv(SYN_SENT, Segment[plain, current | no_ack], STAY,                       MUST("3.10.7.3 other")),
    # ---- SYN-RECEIVED
    call(SYN_RECEIVED, SEND,                         STAY,                 MUST("3.10.2 queue")),
    call(SYN_RECEIVED, CLOSE,                        FIN_WAIT_1, send_fin, MUST("3.10.4 syn-received")),
    call(SYN_RECEIVED, ABORT,                        CLOSED, send_any_rst, MUST("3.10.5 reset", "3.1 always")),
    recv(SYN_RECEIVED, Segment[plain, unacceptable], STAY, send_ack,       arrives("seq")),

    recv(SYN_RECEIVED, Segment[rst, unacceptable],            STAY,           arrives("seq")),
    recv(SYN_RECEIVED, Segment[rst, expected],     passively, LISTEN,         arrives("rst-passive", "3.5 origin")),
    recv(SYN_RECEIVED, Segment[rst, expected],     actively,  CLOSED,         arrives("rst-active", "3.5 origin")),
    recv(SYN_RECEIVED, Segment[rst, ahead],                   STAY, send_ack, protected("challenge-rst")),
    recv(SYN_RECEIVED, Segment[rst, ahead],        passively, LISTEN,         unprotected("rst-passive", "3.5 origin")),
    recv(SYN_RECEIVED, Segment[rst, ahead],        actively,  CLOSED,         unprotected("rst-active", "3.5 origin")),

    recv(SYN_RECEIVED, Segment[syn, window],        passively, LISTEN,           arrives("syn-passive", "3.5 origin")),
    recv(SYN_RECEIVED, Segment[syn, outside],       passively, STAY, send_ack,   arrives("seq")),
    recv(SYN_RECEIVED, Segment[syn, old],           passively, STAY, send_ack,   MAY("3.10.7.4 seq")),
    recv(SYN_RECEIVED, Segment[syn, old],           passively, STAY, send_syn_ack, MAY("3.10.8 retransmit")),
    recv(SYN_RECEIVED, Segment[syn, window],        actively,  STAY, send_ack,   protected("challenge")),
    recv(SYN_RECEIVED, Segment[syn, window],        actively,  CLOSED, send_rst, unprotected("syn-reset")),
    recv(SYN_RECEIVED, Segment[syn, outside],       actively,  STAY, send_ack,   arrives("seq")),
    recv(SYN_RECEIVED, Segment[syn, old, ~current], actively,  STAY, send_ack,   arrives("seq")),
    recv(SYN_RECEIVED, Segment[syn, old, current],  actively,  STAY, send_ack,   MAY("3.10.7.4 seq")),

    recv(SYN_RECEIVED, Segment[plain, expected, no_ack],            STAY,                  arrives("no-ack")),
    recv(SYN_RECEIVED, Segment[plain, expected, earlier],           STAY, send_rst,        arrives("bad-ack")),
    recv(SYN_RECEIVED, Segment[plain, expected, beyond],            STAY, send_rst,        MAY("3.10.7.4 bad-ack")),
    recv(SYN_RECEIVED, Segment[plain, expected, beyond],            STAY, send_ack,        mitigated("3.10.7.4 range")),
    recv(SYN_RECEIVED, Segment[bare, expected, current],            ESTABLISHED,           arrives("syn-acked")),
    recv(SYN_RECEIVED, Segment[data, expected, current],            ESTABLISHED, send_ack, arrives("syn-acked")),
    recv(SYN_RECEIVED, Segment[fin, expected, current],             CLOSE_WAIT, send_ack,  arrives("fin", "fin-open")),
    recv(SYN_RECEIVED, Segment[syn, old, current],        actively, ESTABLISHED, may_ack,  MAY("3.5 figure-7")),
    # ---- ESTABLISHED
    call(ESTABLISHED, SEND,                               STAY, send_data,      MUST("3.10.2 send")),
    call(ESTABLISHED, CLOSE,                              FIN_WAIT_1, send_fin, MUST("3.10.4 established")),
    recv(ESTABLISHED, Segment[bare, expected, valid_ack], STAY,                 arrives("new-ack", "duplicate")),
    recv(ESTABLISHED, Segment[data, expected, valid_ack], STAY, send_ack,       arrives("text")),
    recv(ESTABLISHED, Segment[fin, expected, valid_ack],  CLOSE_WAIT, send_ack, arrives("fin", "fin-open")),
    # ---- FIN-WAIT-1
    call(FIN_WAIT_1, CLOSE,                            STAY,                        MUST("3.10.4 twice")),
    recv(FIN_WAIT_1, Segment[bare, expected, earlier], STAY,                        arrives("duplicate")),
    recv(FIN_WAIT_1, Segment[bare, expected, current], FIN_WAIT_2,                  arrives("fin-wait-1-ack")),
    recv(FIN_WAIT_1, Segment[data, expected, earlier], STAY, send_ack,              arrives("text")),
    recv(FIN_WAIT_1, Segment[data, expected, current], FIN_WAIT_2, send_ack,        arrives("fin-wait-1-ack", "text")),
    recv(FIN_WAIT_1, Segment[fin, expected, earlier],  CLOSING, send_ack,           arrives("fin", "fin-wait-1-fin")),
    recv(FIN_WAIT_1, Segment[fin, expected, current],  TIME_WAIT, linger, send_ack, arrives("fin", "fin-wait-1-fin")),
    # ---- FIN-WAIT-2
    call(FIN_WAIT_2, CLOSE,                              STAY,                        MUST("3.10.4 twice")),
    recv(FIN_WAIT_2, Segment[bare, expected, valid_ack], STAY,                        arrives("duplicate")),
    recv(FIN_WAIT_2, Segment[data, expected, valid_ack], STAY, send_ack,              arrives("text")),
    recv(FIN_WAIT_2, Segment[fin, expected, valid_ack],  TIME_WAIT, linger, send_ack, arrives("fin", "fin-wait-2-fin")),
    # ---- CLOSING
    call(CLOSING, CLOSE,                            STAY,                        MUST("3.10.4 closing")),
    recv(CLOSING, Segment[text, expected, current], TIME_WAIT, linger,           arrives("closing-ack")),
    recv(CLOSING, Segment[fin, expected, current],  TIME_WAIT, linger, send_ack, arrives("closing-ack", "tw-fin")),
    recv(CLOSING, Segment[text, expected, earlier], STAY,                        arrives("closing-ack")),
    recv(CLOSING, Segment[fin, expected, earlier],  STAY, may_ack,               arrives("closing-ack", "closing-fin")),
    # ---- TIME-WAIT
    tick(TIME_WAIT, TIME_WAIT_TIMER,                    CLOSED,                 MUST("3.10.8 tw", "3.6.1 linger")),
    call(TIME_WAIT, CLOSE,                              STAY,                   MUST("3.10.4 closing")),
    recv(TIME_WAIT, Segment[text, expected, valid_ack], STAY, may_ack,          arrives("tw-ack", "late-text")),
    recv(TIME_WAIT, Segment[fin, expected, valid_ack],  STAY, linger, send_ack, arrives("tw-ack", "tw-fin")),
    recv(TIME_WAIT, Segment[fin, old],                  STAY, linger, send_ack, arrives("tw-ack", "seq")),
    recv(TIME_WAIT, Segment[fin, outside],              STAY, send_ack,         arrives("seq", "3.5.2 bad-ack")),
    recv(TIME_WAIT, Segment[text, unacceptable],        STAY, send_ack,         arrives("seq", "3.5.2 bad-ack")),
    # ---- CLOSE-WAIT
    call(CLOSE_WAIT, SEND,                               STAY, send_data,    MUST("3.10.2 send")),
    call(CLOSE_WAIT, CLOSE,                              LAST_ACK, send_fin, MUST("3.10.4 close-wait")),
    recv(CLOSE_WAIT, Segment[bare, expected, valid_ack], STAY,               arrives("duplicate")),
    recv(CLOSE_WAIT, Segment[data, expected, valid_ack], STAY, may_ack,      arrives("duplicate", "late-text")),
    recv(CLOSE_WAIT, Segment[fin, expected, valid_ack],  STAY, send_ack,     arrives("fin", "close-wait-fin")),
    # ---- LAST-ACK
    call(LAST_ACK, CLOSE,                             STAY,           MUST("3.10.4 closing")),
    recv(LAST_ACK, Segment[plain, expected, current], CLOSED,         arrives("last-ack")),
    recv(LAST_ACK, Segment[bare, expected, earlier],  STAY,           arrives("last-ack")),
    recv(LAST_ACK, Segment[data, expected, earlier],  STAY, may_ack,  arrives("last-ack", "late-text")),
    recv(LAST_ACK, Segment[fin, expected, earlier],   STAY, send_ack, arrives("fin", "last-ack-fin")),
    # ---- every synchronized state
    recv(BUSY,         Segment[plain, unacceptable], STAY, send_ack, arrives("seq", "3.5.2 bad-ack")),
    recv(BUSY,         Segment[syn, unacceptable],   STAY, send_ack, arrives("seq", "3.5.2 bad-ack")),
    recv(TIME_WAIT,    Segment[syn, unacceptable],   STAY, send_ack, MAY("3.10.7.4 seq", "3.10.7.4 timestamps")),
    recv(SYNCHRONIZED, Segment[rst, unacceptable],   STAY,           arrives("seq")),

    recv(UP,           Segment[rst, expected], CLOSED,         arrives("exact", "rst-open")),
    recv(DOWN,         Segment[rst, expected], CLOSED, forget, arrives("exact", "rst-closing")),
    recv(SYNCHRONIZED, Segment[rst, ahead],    STAY, send_ack, protected("challenge-rst")),
    recv(UP,           Segment[rst, ahead],    CLOSED,         unprotected("rst-open")),
    recv(DOWN,         Segment[rst, ahead],    CLOSED, forget, unprotected("rst-closing")),

    recv(BUSY,      Segment[syn, window], STAY, send_ack,           protected("challenge")),
    recv(BUSY,      Segment[syn, window], CLOSED, send_rst,         unprotected("syn-reset")),
    recv(TIME_WAIT, Segment[syn, window], STAY, send_ack, MAY("3.10.7.4 challenge", "3.6.1 reopen", reading="rfc5961")),
    recv(TIME_WAIT, Segment[syn, window], CLOSED, forget, send_rst, MAY("3.10.7.4 syn-reset", reading="~rfc5961")),

    recv(SYNCHRONIZED, Segment[plain, expected, no_ack], STAY,           arrives("no-ack")),
    recv(SYNCHRONIZED, Segment[plain, expected, beyond], STAY, send_ack, arrives("future-ack", "3.5.2 bad-ack")),

    call(SYN_SENT | SYN_RECEIVED | SYNCHRONIZED, active_open,  STAY,             MUST("3.10.1 exists")),
    call(SYN_SENT | SYN_RECEIVED | SYNCHRONIZED, passive_open, STAY,             MUST("3.10.1 exists")),
    call(FIN_WAIT_1 | FIN_WAIT_2 | DOWN,         SEND,         STAY,             MUST("3.10.2 closing")),
    call(UP, ABORT, CLOSED, send_any_rst, MUST("3.10.5 reset", "3.1 always")),
    call(DOWN,                                   ABORT,        CLOSED, forget,   MUST("3.10.5 closing")),
]
# fmt: on

# ------------------------------------------------------------------------------------------------------- for people
SEGMENT_NAMES = {
    SYN: "SYN",
    SYN_ACK: "SYN-ACK",
    ACK: "ACK",
    DATA: "data",
    FIN: "FIN",
    RST: "RST",
    RST_ACK: "RST",
    ANY_RST: "RST",
}
"""What this module's replies are called in pictures."""

AWAITED = {SYN_RECEIVED: "SYN", FIN_WAIT_1: "FIN", CLOSING: "FIN", LAST_ACK: "FIN"}
"""What one's own control bit is whose acknowledgment the state waits for."""


def segment_name(pattern: Pattern, state: State | None = None) -> str:
    """What a segment is called: "SYN-ACK", or, where the state waits for one, "ACK of FIN"."""
    if pattern in SEGMENT_NAMES:
        return SEGMENT_NAMES[pattern]

    def has(*values: Guard) -> bool:
        return all(any(value in guard.values() for guard in pattern.guards) for value in values)

    acknowledges_all = has(current) and not has(earlier)
    if has(rst):
        return "RST"
    if has(syn):
        return "SYN-ACK" if acknowledges_all else "SYN"
    if has(bare):
        return f"ACK of {AWAITED[state]}" if acknowledges_all and state in AWAITED else "ACK"
    if has(data):
        return "data"
    return "FIN-ACK" if acknowledges_all and state in AWAITED else "FIN"


def symbol_name(symbol: Symbol) -> str:
    """What a segment with all its facts is called where it crosses the network: "SYN-ACK", "FIN-ACK"."""
    acknowledging = "" if symbol.has(no_ack) else "-ACK"
    if symbol.has(bare):
        return "ACK" if acknowledging else "empty segment"
    if symbol.has(data):
        return "data"
    return next(value.name.upper() for value in (rst, syn, fin) if symbol.has(value)) + acknowledging


def label(row: Row) -> tuple[str, str]:
    """The event and the action of a row, as figure 5 names them; the action may be ""."""
    if row.kind is Kind.RECV:
        event = f"recv {segment_name(row.pattern, row.states.members[0])}"
    elif row.kind is Kind.TICK:
        event = "2 MSL timeout"
    else:
        event = row.pattern.message.name
    if row.outputs:
        return event, f"send {', '.join(segment_name(output.pattern) for output in row.outputs)}"
    if row.next is CLOSED:
        return event, "delete TCB"
    return event, "create TCB" if row.states.members[0] is CLOSED and row.next is LISTEN else ""


tcp = check(
    Role(
        name="tcp",
        title="TCP connection",
        rfc=9293,
        initial=CLOSED,
        accepting=ESTABLISHED,
        final=CLOSED,
        alphabet=(Segment,),
        lines=rows,
        quotes=quotes,
        phases=PHASES,
        memory={OPENED: actively},
        peer="tcp",
        readings={
            "rfc5961": "RFC 5961's protections against blind attacks are implemented, which RFC 9293 leaves open: "
            "a SYN, and a RST inside the window that is not exactly the expected one, are answered with a challenge ACK"
        },
        default_readings=frozenset({"rfc5961"}),
        partial=PARTIAL,
        hints={"layout": LAYOUT, "label": label, "name": symbol_name},
        theory=__doc__ or "",
    )
)
