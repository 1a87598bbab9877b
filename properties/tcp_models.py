"""What must hold in every state of TCP with an attacker beside the path, and the settings in which it is explored.

Each property is an expression over the columns of `model.tcp_composed`; `tests/properties/test_explored_tcp.py` breaks
each of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce

from shakeproof.model.composition import Composition, Of, Safety
from shakeproof.model.facts import Guard, Value
from shakeproof.model.machine import Role
from shakeproof.model.tcp_composed import compose
from shakeproof.model.tcp_setting import PEER, Setting, cut_off, in_order

ASSUMPTIONS = (
    "TCP: the attacker is beside the path: it sees nothing, knows addresses and ports, and guesses one number within a "
    "window, but neither an exact one nor two at once",
    "TCP: initial sequence numbers follow a clock, so that those of an earlier incarnation are lower; who has "
    "to answer one SYN a third time takes the number of the second",
    "TCP: the server listens before the client connects; each side sends its text and closes; nobody aborts, no user "
    "timeout, no zero window, no timestamps, no delayed acknowledgments",
)  # fmt: skip


def _joined(guards: Sequence[Guard], *, any_of: bool = False) -> Guard:
    return reduce(lambda one, other: one | other if any_of else one & other, guards)


def safety(composition: Composition, setting: Setting) -> tuple[Safety, ...]:
    """The properties, for a composition of TCP."""
    got = {side: composition.column(f"{side}.got").fact.values for side in PEER}
    wrote = {side: composition.column(f"{side}.wrote").fact.values for side in PEER}

    def some(side: str, values: tuple[Value, ...]) -> Guard:
        return _joined([Of(side, value) for value in values], any_of=True)

    def prefix(side: str) -> Guard:
        """What a side accepted is a prefix of what the other wrote."""
        peer = PEER[side]
        more = [~Of(side, got[side][n]) | some(peer, wrote[peer][n:]) for n in range(1, setting.texts + 1)]
        whole = ~Of(side, got[side][setting.end]) | Of(peer, wrote[peer][setting.texts])
        return _joined([~Of(side, got[side][setting.wrong]), whole, *more])

    def acknowledged(side: str) -> Guard:
        """Who closed in good order has had its text accepted."""
        peer = PEER[side]
        return ~Of(side, in_order) | some(peer, got[peer][setting.texts : setting.end + 1])

    return (
        Safety(
            "stream-intact",
            "what a side accepts is what the other has sent, in order, each octet once, and nothing else",
            "RFC 9293 3.4",
            _joined([prefix(side) for side in PEER]),
            _joined([some(side, got[side][1:]) for side in PEER], any_of=True),
        ),
        Safety(
            "no-off-path-reset",
            "an open connection is reset only by a segment that its peer has sent",
            "RFC 5961 3",
            _joined([~Of(side, cut_off) for side in PEER]),
            _joined([Of(side, composition.column(f"{side}.state").fact["established"]) for side in PEER], any_of=True),
        ),
        Safety(
            "close-delivers",
            "where a connection ends in good order, all that was sent has been accepted",
            "RFC 9293 3.6",
            _joined([acknowledged(side) for side in PEER]),
            _joined([Of(side, in_order) for side in PEER], any_of=True),
        ),
    )  # fmt: skip


def composed(setting: Setting, role: Role | None = None) -> Composition:
    """The model of the setting with its properties and what it presumes. role: another table, for tests."""
    bare = compose(setting, role)
    return replace(bare, safety=safety(bare, setting), assumptions=ASSUMPTIONS)


def settings(bound: int, removed: tuple[str, ...]) -> Iterator[Setting]:
    """Everything that is explored: where protections are taken out, with an attacker only."""
    if not removed:
        yield Setting(bound=bound, attacked=False)
        yield Setting(bound=bound, attacked=False, simultaneous=True, old_syns=False)
    yield Setting(bound=bound, removed=removed)
