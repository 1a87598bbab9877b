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
_event("3.10.7.4 drop", "After sending the acknowledgment, drop the unacceptable segment and return.")
_event(
    "3.10.7.4 timestamps",
    "When the improved algorithm is implemented, the logic above is not applicable for incoming SYN segments with"
    " Timestamp Options, received on a connection in the TIME-WAIT state.",
)
_event("3.5 figure-7-irs", "3. SYN-RECEIVED <-- <SEQ=300><CTL=SYN> <-- SYN-SENT")
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

# ------------------------------------------------------------------------------------------------ what section 3.10 adds
_event("3.10.3 closed", 'Otherwise, return "error: connection does not exist".')
_event("3.10.3 queue", "Queue for processing after entering ESTABLISHED state.")
_event("3.10.3 reassemble", "Reassemble queued incoming segments into receive buffer and return to user.")
_event(
    "3.10.3 close-wait",
    "Since the remote side has already sent FIN, RECEIVEs must be satisfied by data already on hand, but not yet"
    " delivered to the user.",
)
_event("3.10.3 closing", 'Return "error: connection closing".')
_event("3.10.4 queue", "otherwise, queue for processing after entering ESTABLISHED state.")
_event(
    "3.10.7.3 acked",
    "SND.UNA should be advanced to equal SEG.ACK (if there is an ACK), and any segments on the retransmission queue that"
    " are thereby acknowledged should be removed.",
)
_event(
    "3.10.7.4 straddle",
    "If a segment's contents straddle the boundary between old and new, only the new parts are processed.",
)
quotes.quote(
    "3.10.7.4 aggregate",
    "In general, the processing of received segments MUST be implemented to aggregate ACK segments whenever possible"
    " (MUST-58). For example, if the TCP endpoint is processing a series of queued segments, it MUST process them all"
    " before sending any ACK segments (MUST-59).",
)
_event(
    "3.10.7.4 zero-window",
    "If the RCV.WND is zero, no segments will be acceptable, but special allowance should be made to accept valid ACKs,"
    " URGs, and RSTs.",
)
quotes.quote(
    "3.4 zero-window",
    "A TCP receiver MUST process the RST and URG fields of all incoming segments, even when the receive window is zero"
    " (MUST-66).",
)
quotes.quote(
    "3.10.7.4 hold",
    "Segments with higher beginning sequence numbers SHOULD be held for later processing (SHLD-31).",
)
quotes.quote(
    "3.10.7.4 ahead-ack",
    "A TCP implementation MAY send an ACK segment acknowledging RCV.NXT when a valid segment arrives that is in the"
    " window but not at the left window edge (MAY-13).",
)
_event("3.10.7.4 window", "If SND.UNA =< SEG.ACK =< SND.NXT, the send window should be updated.")
_event(
    "3.10.7.4 fin-wait-2-ack",
    "In addition to the processing for the ESTABLISHED state, if the retransmission queue is empty, the user's CLOSE can"
    ' be acknowledged ("ok") but do not delete the TCB.',
)
_event(
    "3.10.7.4 urg",
    "If the URG bit is set, RCV.UP <- max(RCV.UP,SEG.UP), and signal the user that the remote side has urgent data if"
    " the urgent pointer (RCV.UP) is in advance of the data consumed.",
)
_event(
    "3.10.7.4 late-urg",
    "This should not occur since a FIN has been received from the remote side. Ignore the URG.",
)
_event(
    "3.10.8 user",
    'For any state if the user timeout expires, flush all queues, signal the user "error: connection aborted due to user'
    ' timeout" in general and for any outstanding calls, delete the TCB, enter the CLOSED state, and return.',
)
quotes.quote("3.5.3 text", "TCP implementations SHOULD allow a received RST segment to include data (SHLD-2).")
_event("3.5.3 valid", "A reset is valid if its sequence number is in the window.")

# -------------------------------------------------------------------------------------------------- closing, section 3.6
_event("3.6 simplex", "We have chosen to treat CLOSE in a simplex fashion.")
quotes.quote(
    "3.6 informed",
    "If the local TCP connection is closed by the remote side due to a FIN or RST received from the remote side, then"
    " the local application MUST be informed whether it closed normally or was aborted (MUST-12).",
)
quotes.quote(
    "3.6.1 half-duplex",
    'A host MAY implement a "half-duplex" TCP close sequence, so that an application that has called CLOSE cannot'
    " continue to read data from the connection (MAY-1).",
)
quotes.quote(
    "3.6.1 lost",
    "If such a host issues a CLOSE call while received data is still pending in the TCP connection, or if new data is"
    " received after CLOSE is called, its TCP implementation SHOULD send a RST to show that data was lost (SHLD-3).",
)
_event("3.6.1 return", "returns to TIME-WAIT state if the SYN turns out to be an old duplicate.")
quotes.quote(
    "3.6.1 timestamps",
    "This algorithm for reducing TIME-WAIT is a Best Current Practice that SHOULD be implemented since Timestamp Options"
    " are commonly used, and using them to reduce TIME-WAIT provides benefits for busy Internet servers (SHLD-4).",
)

# ---------------------------------------------------------------------------------------- data and timers, section 3.8
_event(
    "3.8 lost",
    "Because segments may be lost due to errors (checksum test failure) or network congestion, TCP uses retransmission to"
    " ensure delivery of every segment.",
)
quotes.quote(
    "3.8.1 rto",
    "The RTO MUST be computed according to the algorithm in [10], including Karn's algorithm for taking RTT samples"
    " (MUST-18).",
)
quotes.quote(
    "3.8.3 procedure",
    "The following procedure MUST be used to handle excessive retransmissions of data segments (MUST-20):",
)
_event(
    "3.8.3 r2",
    "When the number of transmissions of the same segment reaches a threshold R2 greater than R1, close the connection.",
)
quotes.quote(
    "3.8.3 syn",
    "SYN retransmissions MUST be handled in the general way just described for data retransmissions, including"
    " notification of the application layer.",
)
quotes.quote(
    "3.8.3 syn-r2",
    "In particular, R2 for a SYN segment MUST be set large enough to provide retransmission of the segment for at least"
    " 3 minutes (MUST-23).",
)
quotes.quote(
    "3.8.4 switch",
    "If keep-alives are included, the application MUST be able to turn them on or off for each TCP connection (MUST-24),"
    " and they MUST default to off (MUST-25).",
)
quotes.quote(
    "3.8.4 idle",
    "Keep-alive packets MUST only be sent when no sent data is outstanding, and no data or acknowledgment packets have"
    " been received for the connection within an interval (MUST-26).",
)
_event(
    "3.8.4 probe",
    "Such a segment generally contains SEG.SEQ = SND.NXT-1 and may or may not contain one garbage octet of data.",
)
quotes.quote(
    "3.8.4 empty",
    "An implementation SHOULD send a keep-alive segment with no data (SHLD-12); however, it MAY be configurable to send a"
    " keep-alive segment containing one garbage octet (MAY-6), for compatibility with erroneous TCP implementations.",
)
quotes.quote(
    "3.8.4 dead",
    "Consequently, if a keep-alive mechanism is implemented it MUST NOT interpret failure to respond to any specific"
    " probe as a dead connection (MUST-29).",
)
quotes.quote(
    "3.8.5 support",
    "However, TCP implementations MUST still include support for the urgent mechanism (MUST-30).",
)
quotes.quote(
    "3.8.5 inform",
    "A TCP implementation MUST (MUST-32) inform the application layer asynchronously whenever it receives an urgent"
    " pointer and there was previously no pending urgent data, or whenever the urgent pointer advances in the data"
    " stream.",
)
_event(
    "3.8.6 window",
    "The sending TCP endpoint packages the data to be transmitted into segments that fit the current window, and may"
    " repackage segments on the retransmission queue.",
)
quotes.quote(
    "3.8.6 robust",
    'However, a sending TCP peer MUST be robust against window shrinking, which may cause the "usable window" (see'
    " Section 3.8.6.2.1) to become negative (MUST-34).",
)
quotes.quote(
    "3.8.6 shrunk",
    "If this happens, the sender SHOULD NOT send new data (SHLD-15), but SHOULD retransmit normally the old"
    " unacknowledged data between SND.UNA and SND.UNA+SND.WND (SHLD-16).",
)
quotes.quote(
    "3.8.6 patient",
    "The sender MAY also retransmit old data beyond SND.UNA+SND.WND (MAY-7), but SHOULD NOT time out the connection if"
    " data beyond the right window edge is not acknowledged (SHLD-17).",
)
quotes.quote(
    "3.8.6 probe",
    "If the window shrinks to zero, the TCP implementation MUST probe it in the standard way (described below)"
    " (MUST-35).",
)
quotes.quote("3.8.6.1 probe", "Probing of zero (offered) windows MUST be supported (MUST-36).")
_event(
    "3.8.6.1 octet",
    "The sending TCP peer must regularly transmit at least one octet of new data (if available), or retransmit to the"
    ' receiving TCP peer even if the send window is zero, in order to "probe" the window.',
)
quotes.quote(
    "3.8.6.1 first",
    "The transmitting host SHOULD send the first zero-window probe when a zero window has existed for the retransmission"
    " timeout period (SHLD-29) (Section 3.8.1), and SHOULD increase exponentially the interval between successive probes"
    " (SHLD-30).",
)
quotes.quote(
    "3.8.6.1 stay",
    "As long as the receiving TCP peer continues to send acknowledgments in response to the probe segments, the sending"
    " TCP peer MUST allow the connection to stay open (MUST-37).",
)
_event(
    "3.8.6.1 closed",
    "When the receiving TCP peer has a zero window and a segment arrives, it must still send an acknowledgment showing"
    " its next expected sequence number and current window (zero).",
)
_event(
    "3.8.6.2.2 update",
    "This algorithm combines with the delayed ACK algorithm (Section 3.8.6.3) to determine when an ACK segment"
    " containing the current window will really be sent to the receiver.",
)
quotes.quote(
    "3.8.6.3 delay",
    "A TCP endpoint SHOULD implement a delayed ACK (SHLD-18), but an ACK should not be excessively delayed; in"
    " particular, the delay MUST be less than 0.5 seconds (MUST-40).",
)
quotes.quote(
    "3.8.6.3 second",
    "An ACK SHOULD be generated for at least every second full-sized segment or 2*RMSS bytes of new data (where RMSS is"
    " the MSS specified by the TCP endpoint receiving the segments to be acknowledged, or the default value if not"
    " specified) (SHLD-19).",
)

# -------------------------------------------------------------------------------------------- documents without text
quotes.cite("RFC 6298 5", why="starts, stops and backs off the retransmission timer; RFC 9293 section 3.8.1 demands it")
quotes.cite("RFC 7323 3.2", why="once agreed on, timestamps stand in every segment but a RST; others SHOULD be dropped")
quotes.cite("RFC 7323 5.3", why="PAWS: a segment that is older than the last one is answered with an ACK and dropped")
quotes.cite("RFC 6191 2", why="a SYN in TIME-WAIT whose timestamp is newer may open the connection anew")
