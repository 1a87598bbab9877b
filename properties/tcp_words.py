"""Cells of the table `tcp` as words: the way into a configuration, and the segment that comes there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from shakeproof.model import tcp_segments as t
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Kind, State, Symbol

HONEST = tuple(
    t.Segment.symbol(*values)
    for values in (
        (t.syn, t.no_ack),
        (t.syn, t.current),
        (t.syn, t.outside, t.no_ack),
        *((control, acknowledgment, window)
          for control in (t.bare, t.data, t.fin)
          for acknowledgment in (t.current, t.duplicate)
          for window in (t.usable, t.zero)),
    )
)  # fmt: skip
"""What a peer says on the way to a configuration."""

CALLS = (
    t.active_open.symbol(),
    t.passive_open.symbol(),
    t.SEND.symbol(),
    t.CLOSE.symbol(t.all_read),
    t.KEEP_ALIVES.symbol(t.on),
)
EVENTS = (
    *CALLS,
    t.CLOSE.symbol(t.unread),
    t.RECEIVE.symbol(),
    t.ABORT.symbol(),
    t.KEEP_ALIVES.symbol(t.off),
    t.RETRANSMISSION.symbol(),
)
"""What is tried in a configuration beside segments: every call, and that time passes, of which this timer stands."""

UNCONNECTED = (t.CLOSED, t.LISTEN)


@dataclass(frozen=True)
class TcpWord:
    """A cell: the configuration, and the segment or the call that comes there; route: what leads there."""

    configuration: Configuration
    symbol: Symbol
    route: tuple[Symbol, ...]


@lru_cache(maxsize=16)
def routes(role: Role, listening: bool) -> dict[Configuration, tuple[Symbol, ...]]:
    """For each configuration, the shortest way there of calls and honest segments. listening: from a listener, which
    calls nothing before there is a connection.
    """
    start = Configuration(t.LISTEN, role.start.memory) if listening else role.start
    out: dict[Configuration, tuple[Symbol, ...]] = {start: ()}
    for shortcuts in (False, True):
        queue = list(out)
        while queue:
            here = queue.pop(0)
            for symbol, there in _ways(role, here, listening, shortcuts):
                if there not in out:
                    out[there] = (*out[here], symbol)
                    queue.append(there)
    return out


def _ways(role: Role, here: Configuration, listening: bool, shortcuts: bool) -> Iterator[tuple[Symbol, Configuration]]:
    for symbol in (*CALLS, *HONEST):
        if not _is_said(here, symbol, listening):
            continue
        # Where the table leaves a choice, what it recommends.
        rows = role.enabled(here, symbol)
        for row in [row for row in rows if row.level is not Level.MAY] or rows:
            for there in role.apply(row, here, symbol):
                # Past ESTABLISHED with nothing else going on.
                short = here.state is t.SYN_RECEIVED and there.state is not here.state and not symbol.has(t.bare)
                if shortcuts or not short:
                    yield symbol, there


def _is_said(here: Configuration, symbol: Symbol, listening: bool) -> bool:
    if symbol.message.kind is Kind.CALL:
        return not (listening and here.state in UNCONNECTED)
    if symbol.has(t.syn) and (symbol.has(t.outside) or here.state is t.TIME_WAIT):
        return symbol.has(t.outside) and here.state is t.TIME_WAIT and listening  # a listener opens it anew
    return True


@lru_cache(maxsize=1024)
def names(role: Role, here: Configuration) -> dict[Symbol, str]:
    """What the cells of a configuration are called."""
    memory = role.remembered_text(here)
    place = f"{here.state.name} ({memory})" if memory else here.state.name
    return {symbol: f"{place} <- {symbol.text}" for symbol in (*role.symbols, *EVENTS)}


@lru_cache(maxsize=16)
def words(role: Role, listening: bool) -> dict[str, TcpWord]:
    """Every cell to whose configuration a way leads, by name."""
    return {
        name: TcpWord(here, symbol, route)
        for here, route in routes(role, listening).items()
        for symbol, name in names(role, here).items()
    }


def in_vain(role: Role, listening: bool, what: object) -> object:
    """The mark of a cell, or of a configuration, that need not be tried again from there: it cannot be, or was."""
    return (role.default_readings, listening, what)


def untried(role: Role, listening: bool, tried: Set[object], share: tuple[int, int] = (0, 1)) -> list[str]:
    """The names of cells that have not been tried. share: only those of this part of so many."""
    key = role.default_readings
    return [
        name
        for name in _names_of(role, listening, share)
        if (key, name) not in tried and (key, listening, name) not in tried
    ]


@lru_cache(maxsize=64)
def _names_of(role: Role, listening: bool, share: tuple[int, int]) -> tuple[str, ...]:
    """The names of a part's cells, worked out once: what is left of them is asked for in every run."""
    part, parts = share
    return tuple(name for name in words(role, listening) if crc32(name.encode()) % parts == part)


def by_turns(listed: Sequence[str], known: Mapping[str, TcpWord]) -> list[str]:
    """Names of cells such that each state has its turn: some states have many configurations, others one."""
    turns: Counter[State] = Counter()
    order: dict[str, int] = {}
    for name in listed:
        state = known[name].configuration.state
        order[name] = turns[state]
        turns[state] += 1
    return sorted(listed, key=order.__getitem__)


KINDS: dict[Value, str] = {
    t.outdated: "old timestamp",
    t.unstamped: "no timestamp",
    t.rst: "reset",
    t.syn: "SYN",
    t.beyond: "acknowledgment of the unsent",
    t.ancient: "ancient acknowledgment",
    t.outside: "out of window",
    t.old: "old duplicate",
    t.ahead: "early",
    t.shut: "into a closed window",
    t.straddling: "overlapping",
    t.filling: "filling a gap",
    t.no_ack: "no acknowledgment",
    t.zero: "window closes",
    t.shrunk: "window shrinks",
    t.urgent: "urgent",
    t.fin: "FIN",
    t.data: "text",
    t.bare: "acknowledgment",
}
"""What kind of event a segment is, for the statistics: the first that it has."""


def kind_of(symbol: Symbol) -> str:
    """What kind of event a segment is, for the statistics."""
    return next(kind for value, kind in KINDS.items() if symbol.has(value))


def is_synchronized(state: State) -> bool:
    """Whether an old segment is answered with an acknowledgment there."""
    return state in t.SYNCHRONIZED.members
