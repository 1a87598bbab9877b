"""What segments and transitions of TCP are called in pictures and charts."""

from __future__ import annotations

import itertools
from functools import lru_cache

from shakeproof.model.facts import Value
from shakeproof.model.notation import Kind, Message, Pattern, Row, State, Symbol
from shakeproof.model.tcp_segments import (
    ACK,
    ALIVE_PROBE,
    ANSWER,
    ANY_RST,
    CLOSED,
    CLOSING,
    CONTROL,
    DATA,
    FIN,
    FIN_WAIT_1,
    LAST_ACK,
    LISTEN,
    MORE,
    RST,
    RST_ACK,
    SYN,
    SYN_ACK,
    SYN_RECEIVED,
    TIME_WAIT_TIMER,
    USER,
    WINDOW_PROBE,
    bare,
    current,
    data,
    duplicate,
    fin,
    no_ack,
    rst,
    syn,
)

SEGMENT_NAMES = {
    SYN: "SYN",
    SYN_ACK: "SYN-ACK",
    ACK: "ACK",
    ANSWER: "ACK",
    DATA: "data",
    FIN: "FIN",
    MORE: "data or FIN",
    RST: "RST",
    RST_ACK: "RST",
    ANY_RST: "RST",
    WINDOW_PROBE: "window probe",
    ALIVE_PROBE: "keep-alive",
}
"""What the replies of the table are called in pictures."""

AWAITED = {SYN_RECEIVED: "SYN", FIN_WAIT_1: "FIN", CLOSING: "FIN", LAST_ACK: "FIN"}
"""What one's own control bit is whose acknowledgment the state waits for."""

TIMEOUTS: dict[Message, str] = {TIME_WAIT_TIMER: "2 MSL timeout", USER: "user timeout"}
"""What timers that change the state are called."""


def segment_name(pattern: Pattern, state: State | None = None) -> str:
    """What a segment is called: "SYN-ACK", or, where the state waits for one, "ACK of FIN"."""
    if pattern in SEGMENT_NAMES:
        return SEGMENT_NAMES[pattern]
    control = _possible(pattern, CONTROL.values)
    acknowledges_all = not _possible(pattern, (no_ack, duplicate)) and bool(_possible(pattern, (current,)))
    if control[:1] == (rst,):
        return "RST"
    if control[:1] == (syn,):
        return "SYN-ACK" if acknowledges_all else "SYN"
    if bare in control:
        return f"ACK of {AWAITED[state]}" if acknowledges_all and state in AWAITED else "ACK"
    if fin in control:
        return "FIN-ACK" if acknowledges_all and state in AWAITED else "FIN"
    return "data"


@lru_cache(maxsize=4096)
def _possible(pattern: Pattern, values: tuple[Value, ...]) -> tuple[Value, ...]:
    """Those of one fact's values that a segment of this kind may have."""
    others = [fact.values for fact in pattern.named_facts() if fact is not values[0].fact]
    return tuple(
        value
        for value in values
        if any(pattern.admits(pattern.message.symbol(value, *rest)) for rest in itertools.product(*others))
    )


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
        event = TIMEOUTS.get(row.pattern.message, f"{row.pattern.message.name} timeout")
    elif row.kind is Kind.SEND:
        event = f"send {segment_name(row.pattern)}"
    else:
        event = row.pattern.message.name
    if row.outputs:
        return event, f"send {', '.join(segment_name(output.pattern) for output in row.outputs)}"
    if row.next is CLOSED:
        return event, "delete TCB"
    return event, "create TCB" if row.states.members[0] is CLOSED and row.next is LISTEN else ""
