"""Walking the tables of TLS 1.2 by hand: what its tests share."""

from __future__ import annotations

from dataclasses import dataclass

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    Certificate,
    CertificateVerify,
    ChangeCipherSpec,
    ClientHello,
    ClientKeyExchange,
    Finished,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from shakeproof.model.notation import Abort, Kind, Row, State, Symbol
from shakeproof.model.tls12_server import server


@dataclass(frozen=True)
class Outcome:
    """One way on: the next configuration, the alerts allowed (for an abort), and the flight as the table spells it."""

    row: Row
    after: Configuration
    alerts: frozenset[str]
    flight: tuple[str, ...]


def id_of(value: object) -> str | None:
    """For the id of a test: a value's name; nothing of a set, whose order is another in each process."""
    return repr(value) if isinstance(value, Value) else None


def outcomes(role: Role, here: Configuration, symbol: Symbol) -> list[Outcome]:
    """Every way on that the table allows."""
    found = []
    for row in role.enabled(here, symbol):
        alerts = frozenset(a.name for a in row.next.alerts) if isinstance(row.next, Abort) else frozenset()
        for there in role.apply(row, here, symbol):
            sent = () if alerts else tuple(o.pattern.text for o in role.flight(row, there) if not o.optional)
            found.append(Outcome(row, there, alerts, sent))
    return found


def walk(role: Role, symbols: list[Symbol], *remembered: Value, begin: Configuration | None = None) -> Configuration:
    """Where the symbols lead; where the role picks, to what is remembered.

    A message of the role's own is sent as its rows say, where nothing of the peer's is meant.
    """
    here = begin or role.start
    for symbol in symbols:
        ways = [way for way in outcomes(role, here, symbol) if not way.alerts] or sent(role, here, symbol)
        assert ways, f"{role.name}: nothing goes on from {here} with {symbol}"
        agreeing = [w for w in ways if all(v.holds(role.remembered(w.after)) for v in remembered if _picked(w, v))]
        assert agreeing, f"{role.name}: {here} with {symbol} leads to none of {remembered}"
        here = agreeing[0].after
    return here


def sent(role: Role, here: Configuration, symbol: Symbol) -> list[Outcome]:
    """Where sending the symbol of its own accord leads the role."""
    rows = [row for row in role.rows if row.kind is Kind.SEND and here.state in row.states.members]
    return [
        Outcome(row, there, frozenset(), ())
        for row in rows
        if row.pattern.matches(symbol)
        for there in role.apply(row, here, symbol)
    ]


def _picked(way: Outcome, value: Value) -> bool:
    return any(effect.fact is value.fact and not effect.forgets for effect in way.row.effects)


def only(role: Role, here: Configuration, symbol: Symbol) -> Outcome:
    """The one way on."""
    (way,) = outcomes(role, here, symbol)
    return way


def alerts(role: Role, here: Configuration, symbol: Symbol) -> set[str]:
    """The alerts with which the role may refuse. Fails where it may do anything else."""
    ways = outcomes(role, here, symbol)
    assert ways, f"{role.name}: {symbol} is not answered in {here}"
    assert all(way.alerts for way in ways), f"{role.name}: {symbol} may be taken in {here}"
    return {name for way in ways for name in way.alerts}


HELLO_RSA = ServerHello.symbol(m.rsa)
HELLO_ECDHE = ServerHello.symbol(m.ecdhe)
HELLO_DHE = ServerHello.symbol(m.dhe)
PROOF, TICKET = CertificateVerify.symbol(), NewSessionTicket.symbol()
CHAIN, PARAMS, DONE = Certificate.symbol(), ServerKeyExchange.symbol(), ServerHelloDone.symbol()
CCS, FINISHED, KEYS = ChangeCipherSpec.symbol(), Finished.symbol(), ClientKeyExchange.symbol()

CLIENT_RSA = [m.connect.symbol(), HELLO_RSA, CHAIN, DONE, CCS, FINISHED]
CLIENT_ECDHE = [m.connect.symbol(), HELLO_ECDHE, CHAIN, PARAMS, DONE, CCS, FINISHED]
CLIENT_DHE = [m.connect.symbol(), HELLO_DHE, CHAIN, PARAMS, DONE, CCS, FINISHED]
SERVER_RSA = [ClientHello.symbol(m.offers_rsa), KEYS, CCS, FINISHED]
SERVER_ECDHE = [ClientHello.symbol(m.offers_ecdhe), KEYS, CCS, FINISHED]
SERVER_DHE = [ClientHello.symbol(m.offers_dhe), KEYS, CCS, FINISHED]


def everywhere(role: Role, *left_out: State) -> list[Configuration]:
    """Every reachable configuration that still reads, but for START and the states left out."""
    return [c for c in role.reachable if not role.is_final(c.state) and c.state not in (tls12.START, *left_out)]


def full(role: Role, *remembered: Value) -> Configuration:
    """The role CONNECTED after a full handshake in which no certificate was asked of the client."""
    if role is server:
        return walk(role, SERVER_ECDHE, tls12.unasked, m.unpromised, *remembered)
    return walk(role, CLIENT_ECDHE, m.offers_several, m.anew, *remembered)
