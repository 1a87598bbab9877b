"""The sentences of RFC 9293 that the rows of `shakeproof.model.tcp` cite."""

from __future__ import annotations

from shakeproof.model.clauses import Quotes

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
_event("3.1 always", "Once a connection is established, this is always sent.")
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
quotes.quote(
    "3.10.7.3 exact",
    "A TCP implementation that supports the mitigation described in RFC 5961 SHOULD first check that the sequence"
    " number exactly matches RCV.NXT prior to executing the action in the next paragraph.",
)
_event("3.10.7.3 syn", "Otherwise, enter SYN-RECEIVED, form a SYN,ACK segment")
quotes.quote("3.5 both", "A TCP implementation MUST support simultaneous open attempts (MUST-10).")
_event("3.10.7.3 other", "if neither of the SYN or RST bits is set, then drop the segment and return.")

_event(
    "3.10.7.4 seq",
    "If an incoming segment is not acceptable, an acknowledgment should be sent in reply (unless the RST bit is set,"
    " if so drop the segment and return): <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>",
)
_event(
    "3.10.7.4 timestamps",
    "When the improved algorithm is implemented, the logic above is not applicable for incoming SYN segments with"
    " Timestamp Options, received on a connection in the TIME-WAIT state.",
)
_event(
    "3.5 figure-7",
    "6. ESTABLISHED <-- <SEQ=300><ACK=101><CTL=SYN,ACK> <-- SYN-RECEIVED",
)
quotes.quote(
    "3.5 origin",
    "Note that a TCP implementation MUST keep track of whether a connection has reached SYN-RECEIVED state as the"
    " result of a passive OPEN or an active OPEN (MUST-11).",
)
quotes.quote(
    "3.10.7.4 exact",
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
    "3.10.7.4 challenge",
    "RFC 5961 recommends that in these synchronized states, if the SYN bit is set, irrespective of the sequence"
    ' number, TCP endpoints MUST send a "challenge ACK" to the remote peer:',
)
_event(
    "3.10.7.4 syn-reset",
    "If the SYN is in the window it is an error: send a reset, any outstanding RECEIVEs and SEND should receive"
    ' "reset" responses',
)
_event("3.10.7.4 no-ack", "if the ACK bit is off, drop the segment and return")
_event("3.10.7.4 syn-acked", "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state and continue processing")
_event("3.10.7.4 bad-ack", "If the segment acknowledgment is not acceptable, form a reset segment")
_event("3.10.7.4 new-ack", "If SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA <- SEG.ACK.")
_event("3.10.7.4 duplicate", "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored.")
_event(
    "3.10.7.4 future-ack",
    "If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK, drop the segment, and return.",
)
quotes.quote(
    "3.10.7.4 range",
    "TCP stacks that implement RFC 5961 MUST add an input check that the ACK value is acceptable only if it is in the"
    " range of ((SND.UNA - MAX.SND.WND) =< SEG.ACK =< SND.NXT). All incoming segments whose ACK value doesn't satisfy"
    " the above condition MUST be discarded and an ACK sent back.",
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
    "3.10.7.4 tw-ack",
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
_event("3.10.7.4 tw-fin", "Remain in the TIME-WAIT state. Restart the 2 MSL time-wait timeout.")
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
    "3.10.8 tw",
    "If the time-wait timeout expires on a connection, delete the TCB, enter the CLOSED state, and return.",
)
_event(
    "3.10.8 retransmit",
    "For any state if the retransmission timeout expires on a segment in the retransmission queue, send the segment at"
    " the front of the retransmission queue again",
)
