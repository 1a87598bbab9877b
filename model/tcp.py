"""TCP: the eleven states of RFC 9293, from opening a connection to TIME-WAIT.

One role serves both ends: whoever calls active OPEN is the client, whoever calls passive OPEN the server. A segment is
described as its receiver sees it, by three facts: which control bit decides its handling (RST before SYN before FIN,
as section 3.10.7 checks them), where its sequence number lies in the receive window, and what its acknowledgment
covers. Numbers themselves are the mapper's.

The rows of a state follow the order in which section 3.10.7 checks an arriving segment: sequence number, RST, SYN, ACK,
text, FIN. A check that ends the handling of a segment appears as the classes that later rows no longer name.

CLOSED is both the beginning and the end. There is no alert: what is answered with a reset is answered with a segment,
and so every combination is written out and `rest` is not used. The application's calls are OPEN, SEND, CLOSE and ABORT;
RECEIVE and STATUS change no state and send nothing.

Two readings are legal. RFC 9293 permits RFC 5961's protections and describes TCP without them too: `rfc5961` chooses.

What stands in `partial` is left out until the whole of RFC 9293 is modelled. Rows will be added, none changes.
"""

from __future__ import annotations

from shakeproof.model.clauses import MAY, MUST, Authority, Quotes
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
    "earlier": "acknowledges nothing new: SEG.ACK =< SND.UNA, and not all that was sent",
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

RECEIVING = ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2
CLOSING_DOWN = CLOSING | LAST_ACK | TIME_WAIT
SYNCHRONIZED = ESTABLISHED | FIN_WAIT_1 | FIN_WAIT_2 | CLOSE_WAIT | CLOSING | LAST_ACK | TIME_WAIT

PHASES = (
    Phase("setup", "Connection setup", "tcp"),
    Phase("open", "Open", "data"),
    Phase("active_close", "Active close", "key"),
    Phase("passive_close", "Passive close", "cert"),
)

# ------------------------------------------------------------------------------------------------------- quotes
quotes = Quotes(9293)

EVENTS = (
    "section 3.10 says what an endpoint does on each event, without keywords: other implementations should differ "
    "from it only in detail, not in substance"
)


def _event(key: str, sentence: str) -> None:
    quotes.quote(key, sentence, implied=EVENTS)


_event("3.10.1 passive", "If passive, enter the LISTEN state and return.")
_event("3.10.1 active", "A SYN segment of the form <SEQ=ISS><CTL=SYN> is sent.")
_event(
    "3.10.1 listen",
    "If the OPEN call is active and the remote socket is specified, then change the connection from passive to active,"
    " select an ISS. Send a SYN segment, set SND.UNA to ISS, SND.NXT to ISS+1. Enter SYN-SENT state.",
)
_event("3.10.1 exists", 'Return "error: connection already exists".')
_event("3.10.2 closed", 'Otherwise, return "error: connection does not exist".')
_event(
    "3.10.2 listen",
    "If the remote socket is specified, then change the connection from passive to active, select an ISS. Send a SYN"
    " segment, set SND.UNA to ISS, SND.NXT to ISS+1. Enter SYN-SENT state.",
)
_event("3.10.2 queue", "Queue the data for transmission after entering ESTABLISHED state.")
_event("3.10.2 send", "Segmentize the buffer and send it with a piggybacked acknowledgment")
_event("3.10.2 closing", 'Return "error: connection closing" and do not service request.')
_event("3.10.4 closed", 'Otherwise, return "error: connection does not exist".')
_event("3.10.4 listen", "Delete TCB, enter CLOSED state, and return.")
_event("3.10.4 syn-sent", 'Delete the TCB and return "error: closing" responses to any queued SENDs, or RECEIVEs.')
_event(
    "3.10.4 syn-received",
    "If no SENDs have been issued and there is no pending data to send, then form a FIN segment and send it, and enter"
    " FIN-WAIT-1 state",
)
_event(
    "3.10.4 established",
    "Queue this until all preceding SENDs have been segmentized, then form a FIN segment and send it. In any case,"
    " enter FIN-WAIT-1 state.",
)
_event("3.10.4 twice", "as long as a second FIN is not emitted (the first FIN may be retransmitted, though)")
_event(
    "3.10.4 close-wait",
    "Queue this request until all preceding SENDs have been segmentized; then send a FIN segment, enter LAST-ACK"
    " state.",
)
_event("3.10.4 closing", 'Respond with "error: connection closing".')
_event("3.10.5 closed", 'Otherwise, return "error: connection does not exist".')
_event("3.10.5 listen", "Delete TCB, enter CLOSED state, and return.")
_event(
    "3.10.5 syn-sent",
    'All queued SENDs and RECEIVEs should be given "connection reset" notification. Delete the TCB, enter CLOSED'
    " state, and return.",
)
_event("3.10.5 reset", "Send a reset segment: <SEQ=SND.NXT><CTL=RST>")
_event("3.10.5 closing", 'Respond with "ok" and delete the TCB, enter CLOSED state, and return.')

_event("3.10.7.1 rst", "An incoming segment containing a RST is discarded.")
_event("3.10.7.1 other", "An incoming segment not containing a RST causes a RST to be sent in response.")
_event(
    "3.10.7.1 no-ack", "If the ACK bit is off, sequence number zero is used, <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>"
)
_event("3.10.7.1 ack", "If the ACK bit is on, <SEQ=SEG.ACK><CTL=RST>")
_event("3.10.7.2 rst", "An incoming RST should be ignored.")
_event(
    "3.10.7.2 ack",
    "Any acknowledgment is bad if it arrives on a connection still in the LISTEN state. An acceptable reset segment"
    " should be formed for any arriving ACK-bearing segment.",
)
_event(
    "3.10.7.2 syn",
    "ISS should be selected and a SYN segment sent of the form: <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>",
)
_event("3.10.7.2 state", "The connection state should be changed to SYN-RECEIVED.")
_event("3.10.7.2 other", "This should not be reached. Drop the segment and return.")
_event(
    "3.10.7.3 ack",
    "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a reset (unless the RST bit is set, if so drop the segment and"
    " return)",
)
_event(
    "3.10.7.3 rst",
    'If the ACK was acceptable, then signal to the user "error: connection reset", drop the segment, enter CLOSED'
    " state, delete TCB, and return. Otherwise (no ACK), drop the segment and return.",
)
_event(
    "3.10.7.3 syn-ack",
    "If SND.UNA > ISS (our SYN has been ACKed), change the connection state to ESTABLISHED, form an ACK segment",
)
_event("3.10.7.3 syn", "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment")
quotes.quote("3.5 simultaneous", "A TCP implementation MUST support simultaneous open attempts (MUST-10).")
_event("3.10.7.3 other", "if neither of the SYN or RST bits is set, then drop the segment and return.")

_event(
    "3.10.7.4 seq",
    "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST bit is set,"
    " if so drop the segment and return): <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>",
)
_event(
    "3.5 figure-7",
    "6. ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED",
)
quotes.quote(
    "3.5 remember",
    "Note that a TCP implementation MUST keep track of whether a connection has reached SYN-RECEIVED state as the"
    " result of a passive OPEN or an active OPEN (MUST-11).",
)
quotes.quote(
    "3.10.7.4 exact-rst",
    "If the RST bit is set and the sequence number exactly matches the next expected sequence number (RCV.NXT), then"
    " TCP endpoints MUST reset the connection in the manner prescribed below according to the connection state.",
)
quotes.quote(
    "3.10.7.4 challenge-rst",
    "If the RST bit is set and the sequence number does not exactly match the next expected sequence value, yet is"
    " within the current receive window, TCP endpoints MUST send an acknowledgment (challenge ACK):",
)
_event(
    "3.10.7.4 rst-passive",
    "If this connection was initiated with a passive OPEN (i.e., came from the LISTEN state), then return this"
    " connection to LISTEN state and return.",
)
_event(
    "3.10.7.4 rst-active",
    "And in the active OPEN case, enter the CLOSED state and delete the TCB, and return.",
)
_event(
    "3.10.7.4 rst-open",
    'Users should also receive an unsolicited general "connection reset" signal. Enter the CLOSED state, delete the'
    " TCB, and return.",
)
_event("3.10.7.4 rst-closing", "If the RST bit is set, then enter the CLOSED state, delete the TCB, and return.")
_event(
    "3.10.7.4 syn-passive",
    "If the connection was initiated with a passive OPEN, then return this connection to the LISTEN state and return.",
)
quotes.quote(
    "3.10.7.4 challenge-syn",
    "RFC 5961 recommends that in these synchronized states, if the SYN bit is set, irrespective of the sequence"
    ' number, TCP endpoints MUST send a "challenge ACK" to the remote peer:',
)
_event(
    "3.10.7.4 syn-reset",
    "If the SYN is in the window it is an error: send a reset, any outstanding RECEIVEs and SEND should receive"
    ' "reset" responses',
)
_event("3.10.7.4 no-ack", "if the ACK bit is off, drop the segment and return")
_event("3.10.7.4 ack-of-syn", "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state and continue processing")
_event("3.10.7.4 bad-ack", "If the segment acknowledgment is not acceptable, form a reset segment")
_event("3.10.7.4 duplicate", "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored.")
_event(
    "3.10.7.4 future-ack",
    "If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop the segment, and return.",
)
_event(
    "3.5.2 bad-ack",
    "any unacceptable segment (out-of-window sequence number or unacceptable acknowledgment number) must be responded"
    " to with an empty acknowledgment segment",
)
_event(
    "3.10.7.4 fin-wait-1-ack",
    "if the FIN segment is now acknowledged, then enter FIN-WAIT-2 and continue processing in that state.",
)
_event(
    "3.10.7.4 closing-ack",
    "if the ACK acknowledges our FIN, then enter the TIME-WAIT state; otherwise, ignore the segment.",
)
_event(
    "3.10.7.4 last-ack",
    "If our FIN is now acknowledged, delete the TCB, enter the CLOSED state, and return.",
)
_event(
    "3.10.7.4 time-wait-ack",
    "The only thing that can arrive in this state is a retransmission of the remote FIN. Acknowledge it, and restart"
    " the 2 MSL timeout.",
)
_event(
    "3.10.7.4 text",
    "When the TCP endpoint takes responsibility for delivering the data to the user, it must also acknowledge the"
    " receipt of the data.",
)
_event(
    "3.10.7.4 late-text",
    "This should not occur since a FIN has been received from the remote side. Ignore the segment text.",
)
_event(
    "3.10.7.4 fin",
    'If the FIN bit is set, signal the user "connection closing" and return any pending RECEIVEs with same message,'
    " advance RCV.NXT over the FIN, and send an acknowledgment for the FIN.",
)
_event("3.10.7.4 fin-open", "Enter the CLOSE-WAIT state.")
_event(
    "3.10.7.4 fin-wait-1-fin",
    "If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT, start the time-wait timer, turn off the"
    " other timers; otherwise, enter the CLOSING state.",
)
_event(
    "3.10.7.4 fin-wait-2-fin",
    "Enter the TIME-WAIT state. Start the time-wait timer, turn off the other timers.",
)
_event("3.10.7.4 close-wait-fin", "Remain in the CLOSE-WAIT state.")
_event("3.10.7.4 closing-fin", "Remain in the CLOSING state.")
_event("3.10.7.4 last-ack-fin", "Remain in the LAST-ACK state.")
_event("3.10.7.4 time-wait-fin", "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout.")
quotes.quote(
    "3.6.1 linger",
    "When a connection is closed actively, it MUST linger in the TIME-WAIT state for a time 2xMSL (Maximum Segment"
    " Lifetime) (MUST-13).",
)
quotes.quote(
    "3.6.1 reopen",
    "However, it MAY accept a new SYN from the remote TCP endpoint to reopen the connection directly from TIME-WAIT"
    " state (MAY-2)",
)
_event(
    "3.10.8 time-wait",
    "If the time-wait timeout expires on a connection, delete the TCB, enter the CLOSED state, and return.",
)

# ------------------------------------------------------------------------------------------------------- the table
PARTIAL = (
    "left out until the whole of RFC 9293 is modelled: segments ahead of the expected one that are held; windows, "
    "partial acknowledgments and data queued before ESTABLISHED; retransmission, user, persist and keep-alive "
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
linger, forget = start(TIME_WAIT_TIMER), stop(TIME_WAIT_TIMER)


def arrives(*keys: str, reading: str = "") -> Authority:
    """MUST; a bare word is a quote of section 3.10.7.4, "Other States", on arriving segments."""
    return MUST(*(key if key[0].isdigit() else f"3.10.7.4 {key}" for key in keys), reading=reading)


ARRIVES = arrives

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
    recv(SYN_SENT, Segment[rst, current],            CLOSED,                     MUST("3.10.7.3 rst")),
    recv(SYN_SENT, Segment[rst, no_ack],             STAY,                       MUST("3.10.7.3 rst")),
    recv(SYN_SENT, Segment[syn, current],            ESTABLISHED, send_ack,      MUST("3.10.7.3 syn-ack")),
    recv(SYN_SENT, Segment[syn, no_ack],             SYN_RECEIVED, send_syn_ack, MUST("3.10.7.3 syn", "3.5 simultaneous")),
    recv(SYN_SENT, Segment[plain, current | no_ack], STAY,                       MUST("3.10.7.3 other")),
    # ---- SYN-RECEIVED
    call(SYN_RECEIVED, SEND,                                         STAY,                  MUST("3.10.2 queue")),
    call(SYN_RECEIVED, CLOSE,                                        FIN_WAIT_1, send_fin,  MUST("3.10.4 syn-received")),
    call(SYN_RECEIVED, ABORT,                                        CLOSED, send_rst,      MUST("3.10.5 reset")),
    recv(SYN_RECEIVED, Segment[plain, unacceptable],                 STAY, send_ack,        ARRIVES("seq")),
    recv(SYN_RECEIVED, Segment[rst, unacceptable],                   STAY,                  ARRIVES("seq")),
    recv(SYN_RECEIVED, Segment[rst, expected],            passively, LISTEN,                ARRIVES("exact-rst", "rst-passive", "3.5 remember")),
    recv(SYN_RECEIVED, Segment[rst, expected],            actively,  CLOSED,                ARRIVES("exact-rst", "rst-active", "3.5 remember")),
    recv(SYN_RECEIVED, Segment[rst, ahead],                          STAY, send_ack,        ARRIVES("challenge-rst", reading="rfc5961")),
    recv(SYN_RECEIVED, Segment[rst, ahead],               passively, LISTEN,                ARRIVES("rst-passive", "3.5 remember", reading="~rfc5961")),
    recv(SYN_RECEIVED, Segment[rst, ahead],               actively,  CLOSED,                ARRIVES("rst-active", "3.5 remember", reading="~rfc5961")),
    recv(SYN_RECEIVED, Segment[syn, window],              passively, LISTEN,                ARRIVES("syn-passive", "3.5 remember")),
    recv(SYN_RECEIVED, Segment[syn, unacceptable],        passively, STAY, send_ack,        ARRIVES("seq")),
    recv(SYN_RECEIVED, Segment[syn, window],              actively,  STAY, send_ack,        ARRIVES("challenge-syn", reading="rfc5961")),
    recv(SYN_RECEIVED, Segment[syn, window],              actively,  CLOSED, send_rst,      ARRIVES("syn-reset", reading="~rfc5961")),
    recv(SYN_RECEIVED, Segment[syn, outside],             actively,  STAY, send_ack,        ARRIVES("seq")),
    recv(SYN_RECEIVED, Segment[syn, old, ~current],       actively,  STAY, send_ack,        ARRIVES("seq")),
    recv(SYN_RECEIVED, Segment[syn, old, current],        actively,  STAY, send_ack,        MAY("3.10.7.4 seq")),
    recv(SYN_RECEIVED, Segment[plain, expected, no_ack],             STAY,                  ARRIVES("no-ack")),
    recv(SYN_RECEIVED, Segment[plain, expected, bad_ack],            STAY, send_rst,        ARRIVES("bad-ack")),
    recv(SYN_RECEIVED, Segment[bare, expected, current],             ESTABLISHED,           ARRIVES("ack-of-syn")),
    recv(SYN_RECEIVED, Segment[data, expected, current],             ESTABLISHED, send_ack, ARRIVES("ack-of-syn", "text")),
    recv(SYN_RECEIVED, Segment[syn, old, current],        actively,  ESTABLISHED, may_ack,  MAY("3.5 figure-7")),
    recv(SYN_RECEIVED, Segment[fin, expected, current],              CLOSE_WAIT, send_ack,  ARRIVES("ack-of-syn", "fin", "fin-open")),
    # ---- ESTABLISHED
    call(ESTABLISHED, SEND,                               STAY, send_data,      MUST("3.10.2 send")),
    call(ESTABLISHED, CLOSE,                              FIN_WAIT_1, send_fin, MUST("3.10.4 established")),
    recv(ESTABLISHED, Segment[bare, expected, valid_ack], STAY,                 ARRIVES("duplicate")),
    recv(ESTABLISHED, Segment[data, expected, valid_ack], STAY, send_ack,       ARRIVES("text")),
    recv(ESTABLISHED, Segment[fin, expected, valid_ack],  CLOSE_WAIT, send_ack, ARRIVES("fin", "fin-open")),
    # ---- FIN-WAIT-1
    call(FIN_WAIT_1, CLOSE,                            STAY,                        MUST("3.10.4 twice")),
    recv(FIN_WAIT_1, Segment[bare, expected, earlier], STAY,                        ARRIVES("duplicate")),
    recv(FIN_WAIT_1, Segment[bare, expected, current], FIN_WAIT_2,                  ARRIVES("fin-wait-1-ack")),
    recv(FIN_WAIT_1, Segment[data, expected, earlier], STAY, send_ack,              ARRIVES("text")),
    recv(FIN_WAIT_1, Segment[data, expected, current], FIN_WAIT_2, send_ack,        ARRIVES("fin-wait-1-ack", "text")),
    recv(FIN_WAIT_1, Segment[fin, expected, earlier],  CLOSING, send_ack,           ARRIVES("fin", "fin-wait-1-fin")),
    recv(FIN_WAIT_1, Segment[fin, expected, current],  TIME_WAIT, linger, send_ack, ARRIVES("fin", "fin-wait-1-fin")),
    # ---- FIN-WAIT-2
    call(FIN_WAIT_2, CLOSE,                              STAY,                        MUST("3.10.4 twice")),
    recv(FIN_WAIT_2, Segment[bare, expected, valid_ack], STAY,                        ARRIVES("duplicate")),
    recv(FIN_WAIT_2, Segment[data, expected, valid_ack], STAY, send_ack,              ARRIVES("text")),
    recv(FIN_WAIT_2, Segment[fin, expected, valid_ack],  TIME_WAIT, linger, send_ack, ARRIVES("fin", "fin-wait-2-fin")),
    # ---- CLOSING
    call(CLOSING, CLOSE,                            STAY,                        MUST("3.10.4 closing")),
    recv(CLOSING, Segment[text, expected, current], TIME_WAIT, linger,           ARRIVES("closing-ack")),
    recv(CLOSING, Segment[fin, expected, current],  TIME_WAIT, linger, send_ack, ARRIVES("closing-ack", "time-wait-fin")),
    recv(CLOSING, Segment[text, expected, earlier], STAY,                        ARRIVES("closing-ack")),
    recv(CLOSING, Segment[fin, expected, earlier],  STAY, may_ack,               ARRIVES("closing-ack", "closing-fin")),
    # ---- TIME-WAIT
    tick(TIME_WAIT, TIME_WAIT_TIMER,                    CLOSED,                 MUST("3.10.8 time-wait", "3.6.1 linger")),
    call(TIME_WAIT, CLOSE,                              STAY,                   MUST("3.10.4 closing")),
    recv(TIME_WAIT, Segment[text, expected, valid_ack], STAY,                   ARRIVES("late-text")),
    recv(TIME_WAIT, Segment[fin, expected, valid_ack],  STAY, linger, send_ack, ARRIVES("time-wait-ack", "time-wait-fin")),
    recv(TIME_WAIT, Segment[fin, old],                  STAY, linger, send_ack, ARRIVES("time-wait-ack", "seq")),
    recv(TIME_WAIT, Segment[fin, outside],              STAY, send_ack,         ARRIVES("seq", "3.5.2 bad-ack")),
    recv(TIME_WAIT, Segment[text, unacceptable],        STAY, send_ack,         ARRIVES("seq", "3.5.2 bad-ack")),
    # ---- CLOSE-WAIT
    call(CLOSE_WAIT, SEND,                               STAY, send_data,    MUST("3.10.2 send")),
    call(CLOSE_WAIT, CLOSE,                              LAST_ACK, send_fin, MUST("3.10.4 close-wait")),
    recv(CLOSE_WAIT, Segment[text, expected, valid_ack], STAY,               ARRIVES("duplicate", "late-text")),
    recv(CLOSE_WAIT, Segment[fin, expected, valid_ack],  STAY, send_ack,     ARRIVES("fin", "close-wait-fin")),
    # ---- LAST-ACK
    call(LAST_ACK, CLOSE,                             STAY,           MUST("3.10.4 closing")),
    recv(LAST_ACK, Segment[plain, expected, current], CLOSED,         ARRIVES("last-ack")),
    recv(LAST_ACK, Segment[text, expected, earlier],  STAY,           ARRIVES("last-ack", "late-text")),
    recv(LAST_ACK, Segment[fin, expected, earlier],   STAY, send_ack, ARRIVES("fin", "last-ack-fin")),
    # ---- every synchronized state
    recv(SYNCHRONIZED - TIME_WAIT,               Segment[plain, unacceptable],     STAY, send_ack,           ARRIVES("seq", "3.5.2 bad-ack")),
    recv(SYNCHRONIZED,                           Segment[syn, unacceptable],       STAY, send_ack,           ARRIVES("seq", "3.5.2 bad-ack")),
    recv(SYNCHRONIZED,                           Segment[rst, unacceptable],       STAY,                     ARRIVES("seq")),
    recv(SYNCHRONIZED - CLOSING_DOWN,            Segment[rst, expected],           CLOSED,                   ARRIVES("exact-rst", "rst-open")),
    recv(CLOSING_DOWN,                           Segment[rst, expected],           CLOSED, forget,           ARRIVES("exact-rst", "rst-closing")),
    recv(SYNCHRONIZED,                           Segment[rst, ahead],              STAY, send_ack,           ARRIVES("challenge-rst", reading="rfc5961")),
    recv(SYNCHRONIZED - CLOSING_DOWN,            Segment[rst, ahead],              CLOSED,                   ARRIVES("rst-open", reading="~rfc5961")),
    recv(CLOSING_DOWN,                           Segment[rst, ahead],              CLOSED, forget,           ARRIVES("rst-closing", reading="~rfc5961")),
    recv(SYNCHRONIZED - TIME_WAIT,               Segment[syn, window],             STAY, send_ack,           ARRIVES("challenge-syn", reading="rfc5961")),
    recv(SYNCHRONIZED - TIME_WAIT,               Segment[syn, window],             CLOSED, send_rst,         ARRIVES("syn-reset", reading="~rfc5961")),
    recv(TIME_WAIT,                              Segment[syn, window],             STAY, send_ack,           MAY("3.10.7.4 challenge-syn", "3.6.1 reopen", reading="rfc5961")),
    recv(TIME_WAIT,                              Segment[syn, window],             CLOSED, forget, send_rst, MAY("3.10.7.4 syn-reset", "3.6.1 reopen", reading="~rfc5961")),
    recv(SYNCHRONIZED,                           Segment[plain, expected, no_ack], STAY,                     ARRIVES("no-ack")),
    recv(SYNCHRONIZED,                           Segment[plain, expected, beyond], STAY, send_ack,           ARRIVES("future-ack", "3.5.2 bad-ack")),
    call(SYN_SENT | SYN_RECEIVED | SYNCHRONIZED, active_open,                      STAY,                     MUST("3.10.1 exists")),
    call(SYN_SENT | SYN_RECEIVED | SYNCHRONIZED, passive_open,                     STAY,                     MUST("3.10.1 exists")),
    call(FIN_WAIT_1 | FIN_WAIT_2 | CLOSING_DOWN, SEND,                             STAY,                     MUST("3.10.2 closing")),
    call(RECEIVING | CLOSE_WAIT,                 ABORT,                            CLOSED, send_rst,         MUST("3.10.5 reset")),
    call(CLOSING_DOWN,                           ABORT,                            CLOSED, forget,           MUST("3.10.5 closing")),
]
# fmt: on

# ------------------------------------------------------------------------------------------------------- for people
SEGMENT_NAMES = {SYN: "SYN", SYN_ACK: "SYN-ACK", ACK: "ACK", DATA: "data", FIN: "FIN", RST: "RST", RST_ACK: "RST"}
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
            "a RST or a SYN inside the window that is not exactly the expected one is answered with a challenge ACK"
        },
        default_readings=frozenset({"rfc5961"}),
        partial=PARTIAL,
        hints={"layout": LAYOUT, "label": label},
        theory=__doc__ or "",
    )
)
