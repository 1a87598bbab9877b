"""Tables with a planted fault that a single input does not show: for targets that follow them."""

from __future__ import annotations

from dataclasses import replace

from shakeproof.model.effects import now
from shakeproof.model.machine import Role
from shakeproof.model.messages import (
    TICKET,
    Alert,
    ApplicationData,
    ClientKeyExchange,
    NewSessionTicket,
    broken_ticket,
    by_ticket,
    granted,
    promised,
    resumed,
    unpromised,
    warning,
    wrapped,
)
from shakeproof.model.notation import STAY, Kind, Row, State, States, TableLine
from shakeproof.model.roles import ROLES

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
HIDDEN = State("HIDDEN", "as the state before it, but data is taken", "keys")


def with_hidden_state(role: Role = SERVER, at: str = "WAIT_CHANGE_CIPHER_SPEC") -> Role:
    """The role with a state that a warning alert leads to: everything is as before there, but data is let pass."""
    state = next(one for one in role.states if one.name == at)
    lines: list[TableLine] = []
    for line in role.lines:
        if not isinstance(line, Row) or state not in line.states.members:
            lines.append(line)
        elif line.pattern.message is Alert and warning in line.pattern.guards and line.next is STAY:
            lines += [line_in(line, (*others(line, state), HIDDEN)), replace(line_in(line, (state,)), next=HIDDEN)]
        elif line.pattern.message is ApplicationData:
            lines.append(line)
        else:
            lines.append(line_in(line, (*line.states.members, HIDDEN)))
    rows = [line for line in role.lines if isinstance(line, Row) and line.states.members == (role.accepting,)]
    data = next(row for row in rows if row.pattern.message is ApplicationData)
    lines.append(line_in(data, (HIDDEN,)))
    return replace(role, lines=lines)


def with_second_hello(role: Role = SERVER) -> Role:
    """The server with one transition more: a second ClientHello is answered anew where ClientKeyExchange is awaited."""
    first = next(one for one in role.states if one.name == "WAIT_CLIENT_HELLO")
    second = next(one for one in role.states if one.name == "WAIT_CLIENT_KEY_EXCHANGE")
    more = [
        line_in(line, (second,))
        for line in role.lines
        if isinstance(line, Row) and line.states.members == (first,) and line.next is second
    ]
    return replace(role, lines=[*role.lines, *more])


def with_broken_ticket_taken(role: Role = CLIENT) -> Role:
    """The client without a look at a ticket that was promised: a malformed one is kept as any."""
    here = next(one for one in role.states if one.name == "WAIT_CHANGE_CIPHER_SPEC")
    rows = [line for line in role.lines if isinstance(line, Row) and line.states.members == (here,)]
    kept = next(row for row in rows if granted in row.pattern.guards)
    lost = next(row for row in rows if broken_ticket in row.pattern.guards and promised in row.guards)
    taken = replace(kept, pattern=lost.pattern)
    return replace(role, lines=[taken if line is lost else line for line in role.lines])


def with_renewed_tickets(role: Role = SERVER) -> Role:
    """No fault, but one of the choices that the table leaves: a server that resumes gives a new ticket."""
    lines: list[TableLine] = []
    for line in role.lines:
        if isinstance(line, Row) and by_ticket in line.pattern.guards and now(resumed).items[0] in line.effects:
            kept = tuple(effect for effect in line.effects if effect.fact is not TICKET)
            line = replace(line, effects=(*kept, *now(promised).items))
        lines.append(line)
    return replace(role, lines=lines)


def others(line: Row, state: State) -> tuple[State, ...]:
    """The states of a row but this one."""
    return tuple(one for one in line.states.members if one is not state)


def line_in(line: Row, states: tuple[State, ...]) -> Row:
    """The row in these states."""
    return replace(line, states=States(states))


def with_second_key_exchange(role: Role = SERVER) -> Role:
    """The server with one transition more: a second ClientKeyExchange is let pass where ChangeCipherSpec is awaited."""
    here = next(one for one in role.states if one.name == "WAIT_CHANGE_CIPHER_SPEC")
    sound = next(
        line
        for line in role.lines
        if isinstance(line, Row) and line.pattern.message is ClientKeyExchange and wrapped in line.pattern.guards
    )
    more = replace(line_in(sound, (here,)), guards=(), effects=(), next=STAY)
    return replace(role, lines=[*role.lines, more])


def with_ticket_unpromised(role: Role = ROLES["tls12.client"]) -> Role:
    """The client with one transition more: a sound NewSessionTicket is let pass that no ServerHello promised."""
    lines = [
        replace(line, next=STAY, effects=())
        if isinstance(line, Row)
        and line.pattern.message is NewSessionTicket
        and line.is_violation
        and broken_ticket not in line.pattern.guards
        and unpromised in line.guards
        else line
        for line in role.lines
    ]
    return replace(role, lines=lines)


def with_ticket_transcribed(role: Role, at: str) -> Role:
    """The role with one transition more: a NewSessionTicket has no effect there, but Finished covers it (as it does any
    handshake message that the endpoint reads).
    """
    here = next(one for one in role.states if one.name == at)
    passing = next(row for row in role.rows if row.kind is Kind.RECV and row.next is STAY)
    pattern = next(row.pattern for row in CLIENT.rows if granted in row.pattern.guards)
    more = replace(line_in(passing, (here,)), pattern=pattern, guards=(), effects=())
    return replace(role, lines=[*role.lines, more])
