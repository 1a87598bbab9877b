"""Stepping the table of TCP in tests: where it stands, what may follow."""

from __future__ import annotations

from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Message, Row, State, Symbol
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_names import segment_name

UNPROTECTED = tcp.under(())
STAMPED = tcp.under(("rfc5961", "rfc7323"))
READINGS = {"rfc5961": tcp, "none": UNPROTECTED, "both": STAMPED, "rfc7323": tcp.under(("rfc7323",))}


def at(state: State, *remembered: Value, role: Role = tcp) -> Configuration:
    """The first reachable configuration of the state in which all this is remembered."""
    for configuration in role.reachable:
        memory = role.remembered(configuration)
        if configuration.state is state and all(value.holds(memory) for value in remembered):
            return configuration
    raise LookupError(f"{state.name} is not reached with {remembered}")


def rows(here: Configuration, event: Message | Symbol, role: Role = tcp) -> list[Row]:
    """The rows that the event enables."""
    return role.enabled(here, event.symbol() if isinstance(event, Message) else event)


def step(here: Configuration, event: Message | Symbol, role: Role = tcp) -> list[tuple[str, list[str]]]:
    """What may follow: state and reply, as names, each once."""
    symbol = event.symbol() if isinstance(event, Message) else event
    out: list[tuple[str, list[str]]] = []
    for row in rows(here, symbol, role):
        for there in role.apply(row, here, symbol):
            found = (there.state.name, [segment_name(o.pattern) for o in role.flight(row, there)])
            if found not in out:
                out.append(found)
    return out


def after(here: Configuration, *events: Message | Symbol, role: Role = tcp) -> Configuration:
    """Where the first way that is enabled leads, event after event."""
    for event in events:
        symbol = event.symbol() if isinstance(event, Message) else event
        (row, *_) = rows(here, symbol, role)
        here = role.apply(row, here, symbol)[0]
    return here


def runs(configuration: Configuration, role: Role = tcp) -> set[str]:
    """The timers that run."""
    memory = role.remembered(configuration)
    return {
        fact.name.removeprefix("timer_")
        for fact in role.memory_facts
        if fact.name.startswith("timer_") and fact.values[1].holds(memory)
    }
