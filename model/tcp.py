"""TCP: the eleven states of RFC 9293, from opening a connection to TIME-WAIT.

One role serves both ends: whoever calls active OPEN is the client, whoever calls passive OPEN the server. What a
segment says to its receiver is in `tcp_segments`: which control bit decides, where its sequence number lies in the
receive window, what its acknowledgment covers, what its window field leaves.

Section 3.10.7 checks an arriving segment step by step, and so do `in_order` and its stages: a row is reached only by
what no earlier stage ended, in the state that earlier stages led to, and CONTINUE adds to what follows. Thus SEGMENTS
reads as section 3.10.7.4 does: sequence number, RST, SYN, ACK, URG, text, FIN. The application's calls of sections
3.10.1 to 3.10.5 are CALLS and ABORTS; TIMEOUTS has section 3.10.8 and the timers of 3.8. STATUS changes nothing.

Groups: RECEIVING is ESTABLISHED and FIN-WAIT-1 and -2; UP is those and CLOSE-WAIT; DOWN is CLOSING, LAST-ACK and
TIME-WAIT; LATE is CLOSE-WAIT and DOWN, where a FIN has come; SYNCHRONIZED is UP and DOWN, BUSY is it without TIME-WAIT,
ANY is it with SYN-RECEIVED; TALKING (ESTABLISHED, CLOSE-WAIT) and FINISHING (FIN-WAIT-1, CLOSING, LAST-ACK) are SENDING.

Timers. The retransmission and the user timer run while something is sent and not acknowledged and the send window has
room; when the window is zero the persist timer runs in their stead, for as long as anything waits. The threshold R2
counts as the user timeout. While the retransmission timer runs, text may go out at any time, new or again: when it does
is for congestion control, Nagle's algorithm and the pace of the sender to say, and none of these has a row.

What is handed over before the connection is open waits, CLOSE too. An acknowledgment of text may ride on text.

CLOSED is both the beginning and the end: entering CLOSED or LISTEN, nothing is remembered. There is no alert: what is
answered with a reset is answered with a segment, and so every combination is written out and `rest` is not used.

Presumed: a passive OPEN leaves the remote socket unspecified until a SEND or an active OPEN in LISTEN specifies it;
where it does not, both report an error and change nothing (sections 3.10.1 and 3.10.2).

Readings. RFC 9293 permits RFC 5961's protections and describes TCP without them too: `rfc5961`. Where timestamps were
agreed on in the SYNs, RFC 7323 checks them before the sequence number: `rfc7323`.
"""

from __future__ import annotations

from shakeproof.model.checks import in_order, stage
from shakeproof.model.clauses import MAY, MUST, SHOULD, Authority
from shakeproof.model.lint import check
from shakeproof.model.machine import Role
from shakeproof.model.notation import (
    CONTINUE,
    STAY,
    TableLine,
    call,
    forget,
    maybe,
    now,
    recv,
    send,
    sends,
    start,
    stop,
    tells,
    tick,
    void,
)
from shakeproof.model.tcp_layout import LAYOUT, said_of_resets
from shakeproof.model.tcp_names import label, symbol_name
from shakeproof.model.tcp_quotes import quotes
from shakeproof.model.tcp_segments import (
    ABORT,
    ACK,
    ALIVE_PROBE,
    ANSWER,
    ANY,
    ANY_RST,
    BUSY,
    CLOSE,
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    DATA,
    DELAYED_ACK,
    DOWN,
    ESTABLISHED,
    FIN,
    FIN_WAIT_1,
    FIN_WAIT_2,
    FINISHING,
    KEEP_ALIVE,
    KEEP_ALIVES,
    LAST_ACK,
    LATE,
    LISTEN,
    MORE,
    OPENED,
    ORDER,
    PERSIST,
    PHASES,
    RECEIVE,
    RECEIVING,
    RETRANSMISSION,
    RST,
    RST_ACK,
    SEND,
    SEND_WINDOW,
    SENDING,
    SYN,
    SYN_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    SYNCHRONIZED,
    TALKING,
    TIME_WAIT,
    TIME_WAIT_TIMER,
    UP,
    USER,
    WAITING,
    WINDOW_PROBE,
    Segment,
    active_open,
    actively,
    ahead,
    ancient,
    bare,
    beyond,
    close_waits,
    closing,
    current,
    data,
    delivered,
    duplicate,
    expected,
    filling,
    fin,
    left,
    no_ack,
    no_room,
    nothing_waits,
    off,
    old,
    on,
    opened,
    outdated,
    outside,
    partial,
    passive_open,
    passively,
    pressing,
    refused,
    reopened,
    repeated,
    reset,
    room,
    rst,
    shrunk,
    shut,
    straddling,
    syn,
    text_waits,
    timed_out,
    unread,
    unstamped,
    urgent,
    usable,
    zero,
)

PARTIAL = (
    "bytes and numbers are for tests of an implementation to check (checksums, options, initial sequence numbers, lengths "
    "of timeouts, congestion control, Nagle's algorithm, ICMP); security compartments, and text or FIN on a SYN, are left out"
)

# ------------------------------------------------------------------------------------------------------- cells
text = bare | data
plain = bare | data | fin  # what neither RST nor SYN decides
due = expected | straddling
valid_ack = current | left
bad_ack = duplicate | ancient | beyond

quiet = RETRANSMISSION.idle & PERSIST.idle  # nothing is left to be acknowledged or sent
busy = RETRANSMISSION.running
probing = PERSIST.running
at_work = busy | probing
queued = text_waits | close_waits

run, rest = start(RETRANSMISSION, USER), stop(RETRANSMISSION, USER)
probe = (rest, start(PERSIST), now(no_room))  # the window is zero, and something is left
resume = (stop(PERSIST), run, now(room))
settled = stop(RETRANSMISSION, USER, PERSIST)  # all is acknowledged
finished = (settled, forget(SEND_WINDOW))  # and nothing more will be sent
linger = start(TIME_WAIT_TIMER)
established = (now(nothing_waits), forget(OPENED), tells(opened))

send_syn, send_syn_ack, send_rst, send_rst_ack = sends(SYN), sends(SYN_ACK), sends(RST), sends(RST_ACK)
send_any_rst, may_rst, may_ack = sends(ANY_RST), sends(maybe(ANY_RST)), sends(maybe(ACK))
send_ack = (stop(DELAYED_ACK), sends(ACK))
send_answer = (stop(DELAYED_ACK), sends(ANSWER))  # an acknowledgment that may ride on text
send_data, send_fin = (stop(DELAYED_ACK), sends(DATA)), (stop(DELAYED_ACK), sends(FIN))
return_to_time_wait = (finished, linger, now(nothing_waits), forget(OPENED))


def _keys(keys: tuple[str, ...]) -> tuple[str, ...]:
    """A bare word is a quote of section 3.10.7.4, "Other States", on arriving segments."""
    return tuple(key if key[0].isdigit() or key.startswith("RFC") else f"3.10.7.4 {key}" for key in keys)


def arrives(*keys: str) -> Authority:
    """MUST."""
    return MUST(*_keys(keys))


def may(*keys: str) -> Authority:
    """MAY."""
    return MAY(*_keys(keys))


def should(*keys: str) -> Authority:
    """SHOULD."""
    return SHOULD(*_keys(keys))


def protected(*keys: str) -> Authority:
    """MUST with RFC 5961's protections."""
    return MUST(*_keys(keys), reading="rfc5961")


def mitigated(*keys: str) -> Authority:
    """MAY with RFC 5961's protections."""
    return MAY(*_keys(keys), reading="rfc5961")


def unprotected(*keys: str) -> Authority:
    """MUST without them."""
    return MUST(*_keys(keys), reading="~rfc5961")


# ------------------------------------------------------------------------------------------------------- the table
# Columns: states, input, (what is remembered,) next state, effects, reply, what the user is told, authority.
# fmt: off
CALLS: list[TableLine] = [
    # ---- OPEN, 3.10.1
    call(CLOSED, passive_open, LISTEN,                        MUST("3.10.1 passive")),
    call(CLOSED, active_open,  SYN_SENT, run, send_syn,       MUST("3.10.1 active", "RFC 6298 5")),
    call(SYN_SENT | ANY, active_open,  STAY,                  MUST("3.10.1 exists")),
    call(SYN_SENT | ANY, passive_open, STAY,                  MUST("3.10.1 exists")),
    # ---- SEND, 3.10.2
    call(CLOSED, SEND,                   STAY,                MUST("3.10.2 closed")),
    call(LISTEN, SEND,                   SYN_SENT, now(text_waits), run, send_syn, MUST("3.10.2 listen")),
    call(LISTEN, active_open,            SYN_SENT, run, send_syn, MUST("3.10.1 listen")),
    call(SYN_SENT | SYN_RECEIVED, SEND, nothing_waits, STAY, now(text_waits), MUST("3.10.2 queue")),
    call(SYN_SENT | SYN_RECEIVED, SEND, queued,        STAY,  MUST("3.10.2 queue")),
    call(TALKING, SEND, quiet & room,    STAY, run, send_data, MUST("3.10.2 send", "RFC 6298 5")),
    call(TALKING, SEND, quiet & no_room, STAY, start(PERSIST), MUST("3.8.6.1 probe")),
    call(TALKING, SEND, at_work,         STAY,                MUST("3.10.2 send")),
    call(FIN_WAIT_1 | FIN_WAIT_2 | DOWN, SEND, STAY,          MUST("3.10.2 closing")),
    # ---- RECEIVE, 3.10.3
    call(CLOSED, RECEIVE,                           STAY,     MUST("3.10.3 closed")),
    call(LISTEN | SYN_SENT | SYN_RECEIVED, RECEIVE, STAY,     MUST("3.10.3 queue")),
    call(RECEIVING,  RECEIVE, STAY,                           MAY("3.10.3 reassemble")),
    call(RECEIVING,  RECEIVE, STAY, send_ack,                 MAY("3.8.6.2.2 update")),
    call(CLOSE_WAIT, RECEIVE, STAY,                           MUST("3.10.3 close-wait")),
    call(DOWN,       RECEIVE, STAY,                           MUST("3.10.3 closing")),
    # ---- CLOSE, 3.10.4
    call(CLOSED,   CLOSE, STAY,                               MUST("3.10.4 closed")),
    call(LISTEN,   CLOSE, CLOSED,                             MUST("3.10.4 listen")),
    call(SYN_SENT, CLOSE, CLOSED,                             MUST("3.10.4 syn-sent")),
    call(SYN_RECEIVED, CLOSE, nothing_waits, FIN_WAIT_1, forget(OPENED), send_fin, MUST("3.10.4 syn-received")),
    call(SYN_RECEIVED, CLOSE, text_waits,  STAY, now(close_waits), MUST("3.10.4 queue")),
    call(SYN_RECEIVED, CLOSE, close_waits, STAY,              MUST("3.10.4 queue")),
    *in_order("CLOSE, 3.10.4",
        stage("unread text",
            call(TALKING, CLOSE[unread], CLOSED, send_any_rst, should("3.6.1 half-duplex", "3.6.1 lost")),
            call(TALKING, CLOSE[unread], STAY, CONTINUE,      may("3.6 simplex")),
        ),
        stage("CLOSE",
            call(ESTABLISHED, CLOSE, quiet & room,    FIN_WAIT_1, run, send_fin, stop(KEEP_ALIVE), MUST("3.10.4 established")),
            call(ESTABLISHED, CLOSE, quiet & no_room, FIN_WAIT_1, start(PERSIST), stop(KEEP_ALIVE), MUST("3.10.4 established")),
            call(ESTABLISHED, CLOSE, at_work,         FIN_WAIT_1, stop(KEEP_ALIVE), MUST("3.10.4 established")),
            call(CLOSE_WAIT,  CLOSE, quiet & room,    LAST_ACK, run, send_fin, stop(KEEP_ALIVE), MUST("3.10.4 close-wait")),
            call(CLOSE_WAIT,  CLOSE, quiet & no_room, LAST_ACK, start(PERSIST), stop(KEEP_ALIVE), MUST("3.10.4 close-wait")),
            call(CLOSE_WAIT,  CLOSE, at_work,         LAST_ACK, stop(KEEP_ALIVE), MUST("3.10.4 close-wait")),
        ),
    ),
    call(FIN_WAIT_1 | FIN_WAIT_2, CLOSE, STAY,                MUST("3.10.4 twice")),
    call(DOWN,                    CLOSE, STAY,                MUST("3.10.4 closing")),
]

END: list[TableLine] = [
    # ---- TIME-WAIT TIMEOUT, 3.10.8
    tick(TIME_WAIT, TIME_WAIT_TIMER, CLOSED,                  MUST("3.10.8 tw", "3.6.1 linger")),
]

TIMEOUTS: list[TableLine] = [
    # ---- RETRANSMISSION TIMEOUT and USER TIMEOUT, 3.10.8
    tick(SYN_SENT,     RETRANSMISSION, STAY, start(RETRANSMISSION), send_syn,     MUST("3.10.8 retransmit", "3.8.3 syn")),
    tick(SYN_RECEIVED, RETRANSMISSION, STAY, start(RETRANSMISSION), send_syn_ack, MUST("3.10.8 retransmit", "3.8.3 syn")),
    tick(TALKING,      RETRANSMISSION, STAY, start(RETRANSMISSION), send_data,    MUST("3.10.8 retransmit", "3.8.1 rto")),
    tick(LAST_ACK,     RETRANSMISSION, STAY, start(RETRANSMISSION), stop(DELAYED_ACK), sends(MORE),
                                                              MUST("3.10.8 retransmit", "3.8.1 rto")),
    # Closed in SYN-RECEIVED, the front of the retransmission queue is the SYN.
    tick(FIN_WAIT_1 | CLOSING, RETRANSMISSION, STAY, start(RETRANSMISSION), stop(DELAYED_ACK), sends(MORE),
                                                              MAY("3.10.8 retransmit", "3.8.1 rto")),
    tick(FIN_WAIT_1 | CLOSING, RETRANSMISSION, STAY, start(RETRANSMISSION), stop(DELAYED_ACK), send_syn_ack,
                                                              MAY("3.10.8 retransmit", "3.10.4 syn-received")),
    tick(SYN_SENT | SYN_RECEIVED, USER, ~reopened, CLOSED, may_rst, tells(timed_out), MUST("3.10.8 user", "3.8.3 syn-r2")),
    # A SYN whose answer nobody wanted may have been an old duplicate.
    tick(SYN_RECEIVED, USER, reopened, CLOSED, may_rst, tells(timed_out), MAY("3.10.8 user", "3.8.3 syn-r2")),
    tick(SYN_RECEIVED, USER, reopened, TIME_WAIT, return_to_time_wait, may_rst, tells(timed_out), MAY("3.6.1 return")),
    tick(SENDING,      USER, CLOSED, may_rst, tells(timed_out), MUST("3.10.8 user", "3.8.3 procedure", "3.8.3 r2")),
    send(TALKING,      DATA, busy, STAY, stop(DELAYED_ACK),   MAY("3.8.6 window", "3.8 lost")),
    send(FINISHING,    MORE, busy, STAY, stop(DELAYED_ACK),   MAY("3.8.6 window", "3.8 lost")),
    # ---- what section 3.8 has timers for
    tick(SENDING,   PERSIST, STAY, start(PERSIST), stop(DELAYED_ACK), sends(WINDOW_PROBE),
                                                              MUST("3.8.6.1 probe", "3.8.6.1 first", "3.8.6.1 octet")),
    tick(RECEIVING, DELAYED_ACK, STAY, sends(ACK),            MUST("3.8.6.3 delay")),
    call(TALKING, KEEP_ALIVES[on],  STAY, start(KEEP_ALIVE),  MUST("3.8.4 switch")),
    call(TALKING, KEEP_ALIVES[off], STAY, stop(KEEP_ALIVE),   MUST("3.8.4 switch")),
    tick(TALKING, KEEP_ALIVE, quiet,   STAY, start(KEEP_ALIVE), stop(DELAYED_ACK), sends(ALIVE_PROBE),
                                                              MUST("3.8.4 idle", "3.8.4 probe", "3.8.4 empty", "3.8.4 dead")),
    tick(TALKING, KEEP_ALIVE, at_work, STAY, start(KEEP_ALIVE), MUST("3.8.4 idle")),
]

SEGMENTS: list[TableLine] = [
    # ---- CLOSED, 3.10.7.1
    recv(CLOSED, Segment[rst],           STAY,               MUST("3.10.7.1 rst")),
    recv(CLOSED, Segment[~rst, no_ack],  STAY, send_rst_ack, MUST("3.10.7.1 other", "3.10.7.1 no-ack")),
    recv(CLOSED, Segment[~rst, ~no_ack], STAY, send_rst,     MUST("3.10.7.1 other", "3.10.7.1 ack")),
    # ---- LISTEN, 3.10.7.2
    *in_order("LISTEN, 3.10.7.2",
        stage("RST",   recv(LISTEN, Segment[rst],     STAY,            MUST("3.10.7.2 rst"))),
        stage("ACK",   recv(LISTEN, Segment[~no_ack], STAY, send_rst,  MUST("3.10.7.2 ack"))),
        stage("SYN",   recv(LISTEN, Segment[syn],     SYN_RECEIVED, now(passively), run, send_syn_ack,
                                                                       MUST("3.10.7.2 syn", "3.10.7.2 state"))),
        stage("other", recv(LISTEN, Segment[plain],   STAY,            MUST("3.10.7.2 other"))),
    ),
    # ---- SYN-SENT, 3.10.7.3
    *in_order("SYN-SENT, 3.10.7.3",
        stage("ACK",
            recv(SYN_SENT, Segment[~rst, bad_ack], STAY, send_rst,     MUST("3.10.7.3 ack")),
            recv(SYN_SENT, Segment[rst, bad_ack],  STAY,               MUST("3.10.7.3 ack")),
        ),
        stage("RST",
            recv(SYN_SENT, Segment[rst, expected, current],  CLOSED, tells(refused), MUST("3.10.7.3 rst")),
            recv(SYN_SENT, Segment[rst, ~expected, current], CLOSED, tells(refused), MAY("3.10.7.3 rst")),
            recv(SYN_SENT, Segment[rst, ~expected, current], STAY,     mitigated("3.10.7.3 exact")),
            recv(SYN_SENT, Segment[rst, no_ack],             STAY,     MUST("3.10.7.3 rst")),
        ),
        stage("SYN: what waits",
            recv(SYN_SENT, Segment[syn, current, ~zero], nothing_waits, STAY, CONTINUE, rest,       MUST("3.10.7.3 acked", "RFC 6298 5")),
            recv(SYN_SENT, Segment[syn, current, zero],  nothing_waits, STAY, CONTINUE, rest, now(no_room), MUST("3.10.7.3 acked")),
            recv(SYN_SENT, Segment[syn, current, zero],  text_waits,    STAY, CONTINUE, probe,      MUST("3.10.7.3 acked", "3.8.6.1 probe")),
        ),
        stage("SYN",
            recv(SYN_SENT, Segment[syn, current], ESTABLISHED, established, send_answer,   MUST("3.10.7.3 syn-ack")),
            recv(SYN_SENT, Segment[syn, no_ack],  SYN_RECEIVED, now(actively), run, send_syn_ack, MUST("3.10.7.3 syn", "3.5 both")),
        ),
        stage("other", recv(SYN_SENT, Segment[plain, current | no_ack], STAY, MUST("3.10.7.3 other"))),
    ),
    # ---- other states, 3.10.7.4
    *in_order("other states, 3.10.7.4",
        stage("timestamp",
            recv(ANY, Segment[~rst, outdated],  STAY, send_ack,      MUST("RFC 7323 5.3", reading="rfc7323")),
            recv(ANY, Segment[~rst, unstamped], STAY,                SHOULD("RFC 7323 3.2", reading="rfc7323")),
            recv(ANY, Segment[~rst, unstamped], STAY, CONTINUE,      MAY("RFC 7323 3.2", reading="rfc7323")),
        ),
        stage("sequence number",
            recv(ANY, Segment[rst, old | outside],                   STAY,               arrives("seq")),
            recv(SYN_RECEIVED | BUSY, Segment[plain, old | outside], STAY, send_ack,     arrives("seq", "3.5.2 bad-ack")),
            recv(BUSY, Segment[syn, repeated | old | outside],       STAY, send_ack,     arrives("seq", "3.5.2 bad-ack")),
            recv(SYN_RECEIVED, Segment[syn, old | outside],          STAY, send_ack,     arrives("seq", "drop")),
            # Figure 7 draws the SYN that was accepted, and no other: in line 6 SEG.SEQ is what it was in line 3.
            recv(SYN_RECEIVED, Segment[syn, repeated], ~actively,    STAY, send_ack,     may("seq")),
            recv(SYN_RECEIVED, Segment[syn, repeated], ~actively,    STAY, send_syn_ack, may("3.10.8 retransmit")),
            recv(SYN_RECEIVED, Segment[syn, repeated, ~current], actively, STAY, send_ack, arrives("seq", "drop")),
            recv(SYN_RECEIVED, Segment[syn, repeated, current],  actively, STAY, send_ack, may("seq")),
            recv(SYN_RECEIVED, Segment[syn, repeated, current],  actively, nothing_waits, ESTABLISHED, rest, established, may_ack, may("3.5 figure-7-irs", "3.5 figure-7")),
            recv(SYN_RECEIVED, Segment[syn, repeated, current],  actively, text_waits,    ESTABLISHED, established, may_ack, may("3.5 figure-7-irs", "3.5 figure-7")),
            recv(SYN_RECEIVED, Segment[syn, repeated, current],  actively, close_waits,   FIN_WAIT_1, established, may_ack, may("3.5 figure-7-irs", "3.5 figure-7")),
            recv(TIME_WAIT, Segment[fin, old],                       STAY, linger, send_ack, arrives("tw-ack", "seq")),
            recv(TIME_WAIT, Segment[fin, outside],                   STAY, send_ack,     arrives("seq", "3.5.2 bad-ack")),
            recv(TIME_WAIT, Segment[text, old | outside],            STAY, send_ack,     arrives("seq", "3.5.2 bad-ack")),
            recv(TIME_WAIT, Segment[syn, repeated | old | outside],  STAY, send_ack,     may("seq", "timestamps")),
            recv(TIME_WAIT, Segment[syn, outside, no_ack], SYN_RECEIVED, stop(TIME_WAIT_TIMER), now(reopened, room), run, send_syn_ack,
                                                                                         may("3.6.1 reopen")),
            recv(TIME_WAIT, Segment[syn, repeated | old, no_ack], SYN_RECEIVED, stop(TIME_WAIT_TIMER), now(reopened, room), run, send_syn_ack,
                                                          MAY("3.10.7.4 timestamps", "3.6.1 timestamps", "RFC 6191 2", reading="rfc7323")),
            recv(ANY, Segment[plain, ahead],                         STAY,               may("hold")),
            recv(ANY, Segment[plain, ahead],                         STAY, send_ack,     may("hold", "ahead-ack")),
            recv(ANY, Segment[plain, ahead],                         STAY, CONTINUE,     may("hold")),
            recv(ANY, Segment[plain, shut],                          STAY, send_ack,     may("seq", "3.8.6.1 closed")),
            recv(ANY, Segment[plain, shut],                          STAY, CONTINUE,     should("zero-window", "3.4 zero-window")),
        ),
        stage("RST",
            recv(SYN_RECEIVED, Segment[rst, expected], passively, LISTEN,                           arrives("rst-passive", "3.5 origin")),
            recv(SYN_RECEIVED, Segment[rst, expected], reopened,  TIME_WAIT, return_to_time_wait,   arrives("rst-passive", "3.6.1 return")),
            recv(SYN_RECEIVED, Segment[rst, expected], actively,  CLOSED, tells(refused),           arrives("rst-active", "3.5 origin")),
            recv(UP,           Segment[rst, expected], CLOSED, tells(reset),                        arrives("exact", "rst-open", "3.6 informed", "3.5.3 text")),
            recv(DOWN,         Segment[rst, expected], CLOSED,                                      arrives("exact", "rst-closing")),
            recv(ANY,          Segment[rst, ahead],    STAY, send_ack,                              protected("challenge-rst")),
            recv(SYN_RECEIVED, Segment[rst, ahead],    passively, LISTEN,                           unprotected("rst-passive", "3.5 origin")),
            recv(SYN_RECEIVED, Segment[rst, ahead],    reopened,  TIME_WAIT, return_to_time_wait,   unprotected("rst-passive", "3.6.1 return")),
            recv(SYN_RECEIVED, Segment[rst, ahead],    actively,  CLOSED, tells(refused),           unprotected("rst-active", "3.5 origin")),
            recv(UP,           Segment[rst, ahead],    CLOSED, tells(reset),                        unprotected("rst-open", "3.5.3 valid")),
            recv(DOWN,         Segment[rst, ahead],    CLOSED,                                      unprotected("rst-closing", "3.5.3 valid")),
        ),
        stage("SYN",
            recv(SYN_RECEIVED, Segment[syn], passively, LISTEN,                            arrives("syn-passive", "3.5 origin")),
            recv(SYN_RECEIVED, Segment[syn], reopened,  TIME_WAIT, return_to_time_wait,    arrives("syn-passive", "3.6.1 return")),
            recv(SYN_RECEIVED, Segment[syn], actively,  STAY, send_ack,                    protected("challenge")),
            recv(SYN_RECEIVED, Segment[syn], actively,  CLOSED, send_any_rst, tells(reset), unprotected("syn-reset")),
            recv(BUSY,         Segment[syn],            STAY, send_ack,                    protected("challenge")),
            recv(BUSY,         Segment[syn],            CLOSED, send_any_rst, tells(reset), unprotected("syn-reset")),
            recv(TIME_WAIT,    Segment[syn],            STAY, send_ack,                    mitigated("challenge")),
            recv(TIME_WAIT,    Segment[syn],            CLOSED, send_any_rst,              MAY("3.10.7.4 syn-reset", reading="~rfc5961")),
            recv(TIME_WAIT,    Segment[syn, no_ack],    SYN_RECEIVED, stop(TIME_WAIT_TIMER), now(reopened, room), run, send_syn_ack,
                                                                                           may("3.6.1 reopen")),
        ),
        stage("ACK",
            recv(ANY,          Segment[plain, no_ack],           STAY,                     arrives("no-ack")),
            recv(SYNCHRONIZED, Segment[plain, beyond],           STAY, send_ack,           arrives("future-ack", "3.5.2 bad-ack")),
            recv(SYNCHRONIZED, Segment[plain, ancient],          STAY, send_ack,           protected("range")),
            recv(SYNCHRONIZED, Segment[plain, ancient],          STAY, CONTINUE,           unprotected("duplicate")),
            recv(SYN_RECEIVED, Segment[plain, duplicate],        STAY, send_rst,           arrives("bad-ack")),
            recv(SYN_RECEIVED, Segment[plain, ancient | beyond], STAY, send_rst,           may("bad-ack")),
            recv(SYN_RECEIVED, Segment[plain, ancient | beyond], STAY, send_ack,           mitigated("range")),
            recv(SYN_RECEIVED, Segment[plain, current, ~zero], nothing_waits, STAY, CONTINUE, rest,               arrives("syn-acked")),
            recv(SYN_RECEIVED, Segment[plain, current, zero],  nothing_waits, STAY, CONTINUE, rest, now(no_room), arrives("syn-acked")),
            recv(SYN_RECEIVED, Segment[plain, current, zero],  queued,        STAY, CONTINUE, probe,              arrives("syn-acked", "3.8.6.1 probe")),

            recv(TALKING, Segment[plain, current, ~zero],                STAY, CONTINUE, settled, now(room),    arrives("new-ack", "window")),
            recv(TALKING, Segment[plain, current, zero],                 STAY, CONTINUE, settled, now(no_room), arrives("new-ack", "window")),
            recv(TALKING, Segment[plain, left, ~zero],          quiet,   STAY, CONTINUE, now(room),             arrives("duplicate", "window")),
            recv(TALKING, Segment[plain, left, zero],           quiet,   STAY, CONTINUE, now(no_room),          arrives("duplicate", "window")),
            recv(SENDING, Segment[plain, left, usable],         busy,    STAY, CONTINUE,                        arrives("new-ack", "duplicate", "window")),
            recv(SENDING, Segment[plain, left, shrunk],         busy,    STAY, CONTINUE,                        arrives("3.8.6 robust", "3.8.6 shrunk", "3.8.6 patient")),
            recv(SENDING, Segment[plain, left, zero],           busy,    STAY, CONTINUE, probe,                 arrives("window", "3.8.6 probe")),
            recv(SENDING, Segment[plain, left, ~zero],          probing, STAY, CONTINUE, resume,                arrives("window")),
            recv(SENDING, Segment[plain, left, zero],           probing, STAY, CONTINUE,                        arrives("3.8.6.1 stay")),
            recv(FIN_WAIT_1, Segment[plain, current],           FIN_WAIT_2, CONTINUE, finished,                 arrives("fin-wait-1-ack")),
            recv(FIN_WAIT_2, Segment[plain, valid_ack],         STAY, CONTINUE,                                 arrives("fin-wait-2-ack")),
            recv(CLOSING,    Segment[plain, current],           TIME_WAIT, CONTINUE, finished, linger,          arrives("closing-ack")),
            recv(LAST_ACK,   Segment[plain, current],           CLOSED,                                         arrives("last-ack")),
            recv(TIME_WAIT,  Segment[bare, valid_ack],          STAY, may_ack,                                  arrives("tw-ack")),
        ),
        stage("ACK of SYN",
            recv(SYN_RECEIVED, Segment[plain, current], ~close_waits, ESTABLISHED, CONTINUE, established, arrives("syn-acked")),
            recv(SYN_RECEIVED, Segment[plain, current], close_waits,  FIN_WAIT_1,  CONTINUE, established, arrives("syn-acked", "3.10.4 queue")),
        ),
        stage("URG",
            recv(RECEIVING, Segment[data, due | filling | shut, urgent], STAY, CONTINUE, tells(pressing), arrives("urg", "3.8.5 inform", "3.8.5 support")),
            recv(LATE,      Segment[data, due | filling | shut, urgent], STAY, CONTINUE,                  arrives("late-urg")),
        ),
        stage("text",
            recv(SYNCHRONIZED, Segment[data | fin, ahead], STAY,                                      should("hold")),
            recv(SYNCHRONIZED, Segment[data | fin, ahead], STAY, send_ack,                            should("hold", "ahead-ack")),
            recv(SYNCHRONIZED, Segment[data | fin, shut],  STAY, send_answer,                         arrives("seq", "3.8.6.1 closed")),
            recv(RECEIVING, Segment[data, due], DELAYED_ACK.idle,    STAY, send_answer, tells(delivered), may("text", "straddle", "aggregate")),
            recv(RECEIVING, Segment[data, due], DELAYED_ACK.idle,    STAY, start(DELAYED_ACK), tells(delivered), should("3.8.6.3 delay")),
            recv(RECEIVING, Segment[data, due], DELAYED_ACK.running, STAY, send_answer, tells(delivered), should("3.8.6.3 second")),
            recv(RECEIVING, Segment[data, due], DELAYED_ACK.running, STAY, tells(delivered),          may("3.8.6.3 delay")),
            recv(FIN_WAIT_1 | FIN_WAIT_2, Segment[data, due], CLOSED, send_any_rst,                   may("3.6.1 half-duplex", "3.6.1 lost")),
            recv(RECEIVING, Segment[data, filling], STAY, send_answer, tells(delivered),              may("text")),
            recv(RECEIVING, Segment[data, filling], STAY, CONTINUE, tells(delivered),                 should("hold")),
            recv(LATE,      Segment[data, due | filling], STAY, may_ack,                              arrives("late-text")),
        ),
        stage("FIN",
            recv(ESTABLISHED, Segment[fin | filling], CLOSE_WAIT, send_answer, tells(closing),        arrives("fin", "fin-open")),
            recv(FIN_WAIT_1,  Segment[fin | filling], CLOSING, send_answer, tells(closing),           arrives("fin", "fin-wait-1-fin")),
            recv(FIN_WAIT_2,  Segment[fin | filling], TIME_WAIT, linger, send_ack, tells(closing),    arrives("fin", "fin-wait-2-fin")),
            recv(CLOSE_WAIT,  Segment[fin],           STAY, send_answer,                              arrives("fin", "close-wait-fin")),
            recv(CLOSING,     Segment[fin],           STAY, may_ack,                                  arrives("closing-ack", "closing-fin")),
            recv(LAST_ACK,    Segment[fin],           STAY, send_answer,                              arrives("fin", "last-ack-fin")),
            recv(TIME_WAIT,   Segment[fin],           STAY, linger, send_ack,                         arrives("tw-ack", "tw-fin")),
        ),
    ),
    void(SYN_SENT | SYN_RECEIVED, Segment[partial], why="only a SYN was sent, and it is acknowledged or not"),
]

ABORTS: list[TableLine] = [
    # ---- ABORT, 3.10.5
    call(CLOSED,       ABORT, STAY,                          MUST("3.10.5 closed")),
    call(LISTEN,       ABORT, CLOSED,                        MUST("3.10.5 listen")),
    call(SYN_SENT,     ABORT, CLOSED,                        MUST("3.10.5 syn-sent")),
    call(SYN_RECEIVED, ABORT, CLOSED, send_any_rst,          MUST("3.10.5 reset", "3.1 always")),
    call(UP,           ABORT, CLOSED, send_any_rst,          MUST("3.10.5 reset", "3.1 always")),
    call(CLOSING | TIME_WAIT, ABORT, CLOSED,                 MUST("3.10.5 closing")),
    # In CLOSE-WAIT a CLOSE waits until all text is segmentized, and with it LAST-ACK, which here begins at once.
    call(LAST_ACK,     ABORT, CLOSED, may_rst,               MUST("3.10.5 closing", "3.10.4 close-wait")),
]
# fmt: on

tcp = check(
    Role(
        name="tcp",
        title="TCP connection",
        rfc=9293,
        initial=CLOSED,
        accepting=ESTABLISHED,
        final=CLOSED,
        alphabet=(Segment,),
        lines=[*CALLS, *END, *SEGMENTS, *TIMEOUTS, *ABORTS],
        quotes=quotes,
        phases=PHASES,
        memory={OPENED: actively, WAITING: nothing_waits, SEND_WINDOW: room},
        peer="tcp",
        readings={
            "rfc5961": "RFC 5961's protections against blind attacks are implemented, which RFC 9293 leaves open: "
            "a SYN, and a RST inside the window that is not exactly the expected one, are answered with a challenge ACK",
            "rfc7323": "the peers agreed on timestamps: a segment whose timestamp is older than the last one is answered "
            "with an ACK and dropped",
        },
        default_readings=frozenset({"rfc5961"}),
        partial=PARTIAL,
        hints={
            "layout": LAYOUT,
            "label": label,
            "name": symbol_name,
            "remark": lambda role: said_of_resets(role, lambda row: label(row)[0]),
        },
        theory=__doc__ or "",
        order=ORDER,
        blank=(CLOSED, LISTEN),
    )
)
