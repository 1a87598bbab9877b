"""The words of the TCP table: segments as their receiver sees them, calls, timers, memory, states, what users are told.

Numbers are the mapper's: where a segment lies in the receive window, and what its acknowledgment and its window field do
to the sender, are facts with few values. They are said of the receiver's variables as they are when the segment arrives.
"""

from __future__ import annotations

from shakeproof.model.facts import Fact
from shakeproof.model.notation import Message, Signal, State, States, Timer, call_message
from shakeproof.model.trace import Phase

# ------------------------------------------------------------------------------------------------------- segments
# fmt: off
CONTROL = Fact("control", {
    "bare": "none of SYN, FIN and RST, and no text",
    "rst":  "RST; it may carry text",
    "syn":  "SYN, and not RST",
    "fin":  "FIN, and neither SYN nor RST; it may end text",
    "data": "text, and none of SYN, FIN and RST",
})
bare, rst, syn, fin, data = CONTROL.values

SEQUENCE = Fact("sequence", {
    "expected":   "begins with the next sequence number expected, RCV.NXT, and fits the receive window; of the reset that "
                  "answers a segment: is the number that the segment acknowledged, or zero where it had no ACK",
    "straddling": "begins before RCV.NXT and ends after it: its first part is a duplicate",
    "filling":    "begins with RCV.NXT and fills the gap before a FIN that has arrived ahead of it",
    "ahead":      "begins after RCV.NXT, inside the receive window",
    "shut":       "begins with RCV.NXT while the receive window is zero",
    "repeated":   "is the SYN that was accepted once more: SEG.SEQ = IRS, before RCV.NXT",
    "old":        "lies wholly before RCV.NXT: a duplicate, or a keep-alive; of a SYN: SEG.SEQ is not IRS",
}, {
    "outside":    "lies beyond the receive window",
}, detail=True)
expected, straddling, filling, ahead, shut, repeated, old, outside = SEQUENCE.values

ACKNOWLEDGMENT = Fact("acknowledgment", {
    "current":   "acknowledges all that was sent, SEG.ACK = SND.NXT, and once the connection is open nothing waits to be "
                 "sent either",
    "partial":   "acknowledges something new, SEG.ACK > SND.UNA, but text or FIN is left, sent or waiting",
    "duplicate": "acknowledges nothing new while something is left, SEG.ACK =< SND.UNA; no older than MAX.SND.WND",
    "no_ack":    "the ACK bit is off",
}, {
    "ancient":   "acknowledges what was acknowledged long ago: SEG.ACK < SND.UNA - MAX.SND.WND",
    "beyond":    "acknowledges something not yet sent: SEG.ACK > SND.NXT",
})
current, partial, duplicate, no_ack, ancient, beyond = ACKNOWLEDGMENT.values

WINDOW = Fact("window", {
    "usable": "after it, as SND.WL1 and SND.WL2 have it, the send window has room for what may come next",
    "zero":   "after it the send window is zero",
    "shrunk": "after it the right edge of the send window lies before SND.NXT, and the window is not zero",
}, narrow=True)
usable, zero, shrunk = WINDOW.values

URGENCY = Fact("urgency", {
    "calm":   "no URG, or an urgent pointer that is not in advance of what was consumed",
    "urgent": "URG, and the urgent pointer is in advance of the data consumed",
}, narrow=True)
calm, urgent = URGENCY.values

STAMP = Fact("stamp", {
    "timely":    "its timestamp, if timestamps were agreed on, is not older than the last one",
}, {
    "outdated":  "its timestamp is older than the last one of the connection: SEG.TSval < TS.Recent",
    "unstamped": "it has no timestamp, although timestamps were agreed on",
}, detail=True)
timely, outdated, unstamped = STAMP.values

Segment = Message("Segment", "a TCP segment", CONTROL, SEQUENCE, ACKNOWLEDGMENT, WINDOW, URGENCY, STAMP, never=(
    ((bare | rst | syn) & straddling, "no text reaches across RCV.NXT; of a SYN before it, what is left is text"),
    (~data & filling,                 "what fills a gap is text"),
    ((bare | rst | syn) & shut,       "what has no length is acceptable in a window of zero"),
    (~syn & repeated,                 "what repeats the SYN is a SYN; anything else that begins with IRS is old"),
))

# What is sent, as its receiver sees it.
left         = partial | duplicate
SYN          = Segment[syn, no_ack]
SYN_ACK      = Segment[syn, current]
ACK          = Segment[bare, current | left]
DATA         = Segment[data, current | left]
FIN          = Segment[fin, current | left]
MORE         = Segment[data | fin, current | left]
ANSWER       = Segment[bare | data | fin, current | left]
RST          = Segment[rst, no_ack, expected]
RST_ACK      = Segment[rst, current, expected]
ANY_RST      = Segment[rst, current | left | no_ack]
WINDOW_PROBE = Segment[data | fin | bare & old, current | left]
ALIVE_PROBE  = Segment[bare | data, old, current | left]

READ = Fact("read", {
    "all_read": "the application has read all text that arrived",
    "unread":   "text that arrived has not been read",
})
all_read, unread = READ.values
SWITCH = Fact("switch", {"on": "keep-alives are to be sent", "off": "no keep-alives are to be sent"})
on, off = SWITCH.values

active_open  = call_message("active OPEN", "the application opens a connection to a remote socket")
passive_open = call_message("passive OPEN", "the application listens for a connection")
SEND         = call_message("SEND", "the application hands over text that is to be sent at once")
RECEIVE      = call_message("RECEIVE", "the application reads text that arrived")
CLOSE        = call_message("CLOSE", "the application has no more text to send", READ)
ABORT        = call_message("ABORT", "the application breaks the connection off")
KEEP_ALIVES  = call_message("KEEP-ALIVES", "the application turns keep-alives of the connection on or off", SWITCH)

RETRANSMISSION = Timer("retransmission", "the retransmission timeout has passed for what was sent and not acknowledged")
USER           = Timer("user", "the user timeout, or the threshold R2 of retransmissions, is reached")
PERSIST        = Timer("persist", "the send window has been zero long enough that it is to be probed")
DELAYED_ACK    = Timer("delayed ACK", "an acknowledgment has been held back for as long as it may")
KEEP_ALIVE     = Timer("keep-alive", "the connection has been idle for the interval of keep-alives")
TIME_WAIT_TIMER = Timer("time-wait", "twice the maximum segment lifetime have passed since TIME-WAIT was last entered")

# ------------------------------------------------------------------------------------------------------- memory
OPENED = Fact("opened", {
    "actively":  "by an active OPEN: SYN-RECEIVED was reached from SYN-SENT",
    "passively": "by a passive OPEN: SYN-RECEIVED was reached from LISTEN",
    "reopened":  "by a SYN in TIME-WAIT: SYN-RECEIVED was reached from there",
})
actively, passively, reopened = OPENED.values

WAITING = Fact("waiting", {
    "nothing_waits": "the application has handed over nothing before the connection was open",
    "text_waits":    "text waits until the connection is open",
    "close_waits":   "text and a CLOSE wait until the connection is open",
})
nothing_waits, text_waits, close_waits = WAITING.values

SEND_WINDOW = Fact("send_window", {
    "room":    "the send window has room",
    "no_room": "the send window is zero",
})
room, no_room = SEND_WINDOW.values

# --------------------------------------------------------------------------------------------- what users are told
opened    = Signal("connected", "the connection is open")
delivered = Signal("delivered", "text is there to be read")
pressing  = Signal("urgent", "urgent data is there or coming")
closing   = Signal("connection closing", "the peer will send no more text")
refused   = Signal("connection refused", "the peer reset the connection before it was open")
reset     = Signal("connection reset", "the peer reset the connection")
timed_out = Signal("aborted due to user timeout", "the peer has not acknowledged for too long")

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

ORDER = (
    CLOSED, LISTEN, SYN_SENT, SYN_RECEIVED, ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2, CLOSING, TIME_WAIT, CLOSE_WAIT, LAST_ACK,
)  # fmt: skip

# Groups, as section 3.10.7.4 forms them.
RECEIVING = States((ESTABLISHED, FIN_WAIT_1, FIN_WAIT_2), "RECEIVING")
UP = States((*RECEIVING.members, CLOSE_WAIT), "UP")
DOWN = States((CLOSING, LAST_ACK, TIME_WAIT), "DOWN")
LATE = States((CLOSE_WAIT, *DOWN.members), "LATE")
SYNCHRONIZED = States((*UP.members, *DOWN.members), "SYNCHRONIZED")
BUSY = SYNCHRONIZED - TIME_WAIT
ANY = States((SYN_RECEIVED, *SYNCHRONIZED.members), "ANY")
TALKING = States((ESTABLISHED, CLOSE_WAIT), "TALKING")  # what is handed over is still sent
FINISHING = States((FIN_WAIT_1, CLOSING, LAST_ACK), "FINISHING")  # FIN waits or is sent, and is not acknowledged
SENDING = States((*TALKING.members, *FINISHING.members), "SENDING")

PHASES = (
    Phase("setup", "Connection setup", "tcp"),
    Phase("open", "Open", "data"),
    Phase("active_close", "Active close", "key"),
    Phase("passive_close", "Passive close", "cert"),
)
