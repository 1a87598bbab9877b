"""Where the picture of TCP's states puts things: RFC 9293 figure 5, with a second CLOSED at the bottom.

Units and meaning: `shakeproof.model.layout`.
"""

from __future__ import annotations

from collections.abc import Callable

from shakeproof.model.layout import Layout, Place, Region, Route, changes
from shakeproof.model.machine import Role
from shakeproof.model.notation import Kind, Row, State

LEFT, MIDDLE, RIGHT = 210.0, 440.0, 702.0
ROWS = (0.0, 78.0, 166.0, 254.0, 346.0, 434.0, 522.0)
NODE_WIDTH, NODE_HEIGHT = 112.0, 30.0
_W, _H = NODE_WIDTH / 2, NODE_HEIGHT / 2

RESET = "the connection is broken off: a reset, an abort or a timeout"
THROUGH = "a segment with FIN that acknowledges the SYN leads on at once, through ESTABLISHED or FIN-WAIT-1"
REOPENED = "a SYN may open a connection in TIME-WAIT anew, and one that was an old duplicate leads back"

# fmt: off
PLACES = (
    Place("CLOSED",       "CLOSED",       MIDDLE, ROWS[0]),
    Place("LISTEN",       "LISTEN",       MIDDLE, ROWS[1]),
    Place("SYN-RECEIVED", "SYN-RECEIVED", LEFT,   ROWS[2]),
    Place("SYN-SENT",     "SYN-SENT",     RIGHT,  ROWS[2]),
    Place("ESTABLISHED",  "ESTABLISHED",  MIDDLE, ROWS[3]),
    Place("FIN-WAIT-1",   "FIN-WAIT-1",   LEFT,   ROWS[4]),
    Place("CLOSE-WAIT",   "CLOSE-WAIT",   RIGHT,  ROWS[4]),
    Place("FIN-WAIT-2",   "FIN-WAIT-2",   LEFT,   ROWS[5]),
    Place("CLOSING",      "CLOSING",      MIDDLE, ROWS[5]),
    Place("LAST-ACK",     "LAST-ACK",     RIGHT,  ROWS[5]),
    Place("TIME-WAIT",    "TIME-WAIT",    LEFT,   ROWS[6]),
    Place("end",          "CLOSED",       RIGHT,  ROWS[6]),
)

ROUTES = (
    Route("CLOSED", "LISTEN", ((MIDDLE, ROWS[0] + _H), (MIDDLE, ROWS[1] - _H)), (MIDDLE + 7, 39), "left", "server"),
    Route("LISTEN", "CLOSED", ((MIDDLE - 34, ROWS[1] - _H), (MIDDLE - 34, ROWS[0] + _H)), (MIDDLE - 41, 39), "right"),
    Route("CLOSED", "SYN-SENT", ((MIDDLE + _W, ROWS[0] + 6), (RIGHT + 14, ROWS[0] + 6), (RIGHT + 14, ROWS[2] - _H)),
          (RIGHT + 21, 45), "left", "client"),
    Route("SYN-SENT", "CLOSED", ((RIGHT + _W, ROWS[2]), (RIGHT + 104, ROWS[2]), (RIGHT + 104, ROWS[0] - 8),
                                 (MIDDLE + _W, ROWS[0] - 8)), (RIGHT + 97, 118), "right"),
    Route("LISTEN", "SYN-RECEIVED", ((MIDDLE - _W, ROWS[1] + 6), (LEFT + 14, ROWS[1] + 6), (LEFT + 14, ROWS[2] - _H)),
          (LEFT + 21, 124), "left", "server"),
    Route("SYN-RECEIVED", "LISTEN", ((LEFT - 24, ROWS[2] - _H), (LEFT - 24, ROWS[1] - 8), (MIDDLE - _W, ROWS[1] - 8)),
          (LEFT - 31, 124), "right"),
    Route("LISTEN", "SYN-SENT", ((MIDDLE + _W, ROWS[1]), (RIGHT - 28, ROWS[1]), (RIGHT - 28, ROWS[2] - _H)),
          (RIGHT - 35, 121), "right"),
    Route("SYN-SENT", "SYN-RECEIVED", ((RIGHT - _W, ROWS[2]), (LEFT + _W, ROWS[2])), (MIDDLE, ROWS[2] - 15), "middle"),
    Route("SYN-SENT", "ESTABLISHED", ((RIGHT, ROWS[2] + _H), (RIGHT, ROWS[3]), (MIDDLE + _W, ROWS[3])),
          (RIGHT - 103, ROWS[3] - 15), "middle", "client"),
    Route("SYN-RECEIVED", "ESTABLISHED", ((LEFT + 28, ROWS[2] + _H), (LEFT + 28, ROWS[3]), (MIDDLE - _W, ROWS[3])),
          (LEFT + 101, ROWS[3] - 11), "middle", "server"),
    Route("SYN-RECEIVED", "FIN-WAIT-1", ((LEFT - 28, ROWS[2] + _H), (LEFT - 28, ROWS[4] - _H)),
          (LEFT - 35, ROWS[3]), "right"),
    Route("ESTABLISHED", "FIN-WAIT-1", ((MIDDLE - 26, ROWS[3] + _H), (MIDDLE - 26, ROWS[4]), (LEFT + _W, ROWS[4])),
          (MIDDLE - 100, ROWS[4] - 15), "middle", "client"),
    Route("ESTABLISHED", "CLOSE-WAIT", ((MIDDLE + 26, ROWS[3] + _H), (MIDDLE + 26, ROWS[4]), (RIGHT - _W, ROWS[4])),
          (RIGHT - 138, ROWS[4] - 15), "middle", "server"),
    Route("FIN-WAIT-1", "FIN-WAIT-2", ((LEFT, ROWS[4] + _H), (LEFT, ROWS[5] - _H)),
          (LEFT - 8, ROWS[4] + 42), "right", "client"),
    Route("FIN-WAIT-1", "CLOSING", ((LEFT + 34, ROWS[4] + _H), (LEFT + 34, ROWS[4] + 44), (MIDDLE, ROWS[4] + 44),
                                    (MIDDLE, ROWS[5] - _H)), (LEFT + 131, ROWS[4] + 29), "middle"),
    Route("FIN-WAIT-1", "TIME-WAIT", ((LEFT - _W, ROWS[4]), (LEFT - 92, ROWS[4]), (LEFT - 92, ROWS[6] + 2),
                                      (LEFT - _W, ROWS[6] + 2)), (LEFT - 85, ROWS[5] + 30), "left"),
    Route("FIN-WAIT-2", "TIME-WAIT", ((LEFT, ROWS[5] + _H), (LEFT, ROWS[6] - _H)),
          (LEFT + 7, ROWS[5] + 45), "left", "client"),
    Route("CLOSING", "TIME-WAIT", ((MIDDLE, ROWS[5] + _H), (MIDDLE, ROWS[6] - 5), (LEFT + _W, ROWS[6] - 5)),
          (LEFT + 149, ROWS[6] - 16), "middle"),
    Route("CLOSE-WAIT", "LAST-ACK", ((RIGHT, ROWS[4] + _H), (RIGHT, ROWS[5] - _H)),
          (RIGHT + 7, ROWS[4] + 45), "left", "server"),
    Route("LAST-ACK", "end", ((RIGHT, ROWS[5] + _H), (RIGHT, ROWS[6] - _H)),
          (RIGHT - 8, ROWS[5] + 45), "right", "server"),
    Route("TIME-WAIT", "end", ((LEFT + _W, ROWS[6] + 9), (RIGHT - _W, ROWS[6] + 9)),
          (RIGHT - 138, ROWS[6] - 6), "middle", "client"),
)

REGIONS = (
    Region("setup",         60, -32, 826, ROWS[2] + 30),
    Region("active_close",  60, ROWS[4] - 36, 516, ROWS[6] + 40),
    Region("passive_close", 612, ROWS[4] - 36, 826, ROWS[6] + 40),
)
# fmt: on

RESETTABLE = ("SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT", "CLOSING")

LAYOUT = Layout(
    NODE_WIDTH,
    NODE_HEIGHT,
    PLACES,
    ROUTES,
    REGIONS,
    {
        **{(state, "CLOSED"): RESET for state in RESETTABLE},
        ("SYN-RECEIVED", "CLOSE-WAIT"): THROUGH,
        ("SYN-RECEIVED", "CLOSING"): THROUGH,
        ("TIME-WAIT", "SYN-RECEIVED"): REOPENED,
        ("SYN-RECEIVED", "TIME-WAIT"): REOPENED,
    },
)


def said_of_resets(role: Role, event_of: Callable[[Row], str]) -> str:
    """What has no line since it breaks a connection off, and where a RST leads elsewhere: from the table."""
    found: dict[str, list[str]] = {}
    for pair, rows in changes(role).items():
        if LAYOUT.undrawn.get(pair) == RESET:
            for event in dict.fromkeys(event_of(row).removeprefix("recv ") for row in rows):
                found.setdefault(event, []).append(pair[0])
    events: dict[tuple[str, ...], list[str]] = {}
    for event, states in found.items():
        events.setdefault(tuple(states), []).append(event)
    said = [f"{' or '.join(words)} in {', '.join(states)}" for states, words in events.items()]
    resets = [row for row in role.rows if row.kind is Kind.RECV and event_of(row).endswith("RST")]
    others: dict[str, list[str]] = {}
    for row in resets:
        if isinstance(row.next, State) and row.next.name != "CLOSED":
            for state in row.states.members:
                others.setdefault(state.name, []).append(row.next.name)
    leads = {state.name for row in resets if isinstance(row.next, State) for state in row.states.members}
    blank = [state.name for state in role.states if state.name not in leads]
    text = f"Not drawn, to CLOSED: {'; '.join(said)}."
    text += "".join(
        f" A RST may lead {state} to {' or '.join(dict.fromkeys(goals))}." for state, goals in others.items()
    )
    return text + (f" It changes nothing in {' and '.join(blank)}." if blank else "")
