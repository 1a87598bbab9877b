"""What a connection in some setup is meant to be like: what the tester says, and what it expects the target to choose.

A course is a tuple of values. Of a message's facts they are what the tester's honest messages say; of what the role
remembers, what the target is expected to choose where the table leaves it a choice. A prefix of a suite may rely on
them: where the target chooses otherwise, its cells are not tested, and that is the reason.

Most setups have one course; one in which a target may take several ways has one for each, so that there is a prefix for
whatever it chooses.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from shakeproof.model import messages as m
from shakeproof.model.facts import Fact, Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Symbol
from shakeproof.model.tls12 import (
    SWITCHED,
    VERSION,
    again,
    anonymous,
    asked,
    current,
    first,
    identified,
    older,
    unasked,
)
from shakeproof.properties.mapper.context import SessionName
from shakeproof.properties.targets.base import Setup

PROTECTED_MESSAGES = (m.Record, m.Finished, m.ApplicationData)
"""What a record protection shows itself in."""


Course: TypeAlias = tuple[Value, ...]
"""Values; several of a fact where each is fine."""


@lru_cache(maxsize=256)
def courses(setup: Setup, role: str) -> tuple[Course, ...]:
    """The courses of a setup in a role, the usual one first."""
    return _of_client(setup) if role.endswith(".client") else _of_server(setup)


def chosen_values(setup: Setup, role: str) -> Course:
    """The usual course."""
    return courses(setup, role)[0]


def _rounds(setup: Setup) -> tuple[Value, ...]:
    return (first, again) if setup.renegotiation else (first,)


def _of_client(setup: Setup) -> tuple[Course, ...]:
    exchange = m.KEY_EXCHANGE[setup.key_exchange]
    identity = identified if setup.client_auth else anonymous
    values = (*_rounds(setup), exchange, m.offers_several, unasked, identity, current)
    if setup.session == "id":  # whether a session is resumed is the tester's to say
        return ((*values, m.by_id, m.unpromised),)
    if setup.session == "ticket":  # and so is whether a ticket is promised
        return ((*values, m.by_ticket),)
    if setup.promises:
        return ((*values, m.ticketed, m.full),)
    return ((*values, m.anew, m.full, m.unpromised),)


def first_course(setup: Setup, role: str) -> Course:
    """The course of the connection that makes the session which a later one resumes."""
    plain = chosen_values(replace(setup, session=""), role)
    if setup.session != "ticket":
        return plain
    changed = {m.ASKS: m.ticketed, m.TICKET: m.promised}
    return tuple(changed.get(value.fact, value) for value in plain)


def _of_server(setup: Setup) -> tuple[Course, ...]:
    exchange, offer = m.KEY_EXCHANGE[setup.key_exchange], m.OFFER[f"offers_{setup.key_exchange}"]
    usual = (*_rounds(setup), offer, exchange, m.extended, current)
    shown = ((asked, identified), (asked, anonymous)) if setup.client_auth else ((unasked,),)
    return tuple(
        (*asks, *identity, *usual)
        for asks in _SESSIONS[setup.session]
        for identity in (((unasked,),) if m.resumed in asks else shown)  # nobody is asked again who was asked before
    )


_SESSIONS: dict[SessionName, tuple[Course, ...]] = {
    "": ((m.anew, m.full, m.unpromised),),
    "id": ((m.by_id, m.resumed, m.unpromised),),
    "ticket": ((m.by_ticket, m.resumed, m.unpromised), (m.ticketed, m.full, m.promised)),
}


def at_will(role: Role, here: Configuration, setup: Setup) -> Configuration:
    """The configuration without what is the target's own choice and no row reads there but the one that answers it.

    A client says in its ClientHello what it likes, in any handshake, and forgets that when it is answered: until then
    the cell is that of the state, whatever it was. Only that a session is resumed is the setup's to say. And a server
    that resumes has sent the new ticket, if it gives one, before it reads again.
    """
    own: tuple[Fact, ...] = (m.OFFER,) if setup.session else (m.OFFER, m.ASKS)
    if role.name.endswith(".server") and role.remembered(here)[m.GRANTS.name] == m.resumed.bit:
        own = (m.TICKET,)
    memory = zip(role.memory_facts, here.memory, strict=True)
    return here._replace(memory=tuple(fact.mask if fact in own else bits for fact, bits in memory))


def is_reached(role: Role, wanted: Configuration, found: Iterable[Configuration], setup: Setup) -> bool:
    """Whether a target that may be in these configurations is in the one that a cell is of."""
    place = at_will(role, wanted, setup)
    return any(at_will(role, one, setup) == place and (not setup.promises or _asks(role, one)) for one in found)


def is_older(role: Role, here: Configuration) -> bool:
    """Whether a version before TLS 1.2 has been chosen there, which the tester does not speak on."""
    return role.remembered(here)[VERSION.name] == older.bit


def _asks(role: Role, here: Configuration) -> bool:
    """Whether a client may be promised a ticket there, or has been answered."""
    return role.remembered(here)[m.ASKS.name] != m.anew.bit


# ------------------------------------------------------------------------------------------- what a setup is for


def is_basic(setup: Setup) -> bool:
    """Whether a setup is one in which everything is tried."""
    usual = setup.key_exchange != "dhe" and setup.certificate_key == "rsa" and setup.bulk in ("cbc", "gcm")
    return setup == setup.plain and usual


def mechanisms_of(setup: Setup) -> Setup:
    """What is special about a setup, apart from its suite."""
    return replace(setup, key_exchange="ecdhe", certificate_key="rsa", bulk="gcm")


def is_another(setup: Setup, before: Iterable[Setup]) -> bool:
    """Whether the mechanisms of a setup were tried before, with another suite."""
    mechanisms = mechanisms_of(setup)
    return mechanisms != mechanisms.plain and any(mechanisms_of(other) == mechanisms for other in before)


def is_for(setup: Setup, symbol: Symbol) -> bool:
    """Whether a setup is the one for a symbol: what concerns another key exchange is tried in a setup of its own."""
    if m.KEY_EXCHANGE in symbol.message.facts and not symbol.has(m.KEY_EXCHANGE[setup.key_exchange]):
        return False
    if m.OFFER in symbol.message.facts and not symbol.has(m.OFFER[f"offers_{setup.key_exchange}"]):
        return symbol.has(m.offers_several) and setup.certificate_key == "rsa"
    return True


_OF_CERTIFICATE = {
    "WAIT_CERTIFICATE": (m.Certificate, m.ServerKeyExchange),
    "WAIT_SERVER_KEY_EXCHANGE": (m.ServerKeyExchange, m.ServerHelloDone),
    "WAIT_SERVER_HELLO_DONE": (m.ServerHelloDone,),
    "WAIT_CLIENT_KEY_EXCHANGE": (m.ClientKeyExchange,),
}
"""Where the kind of the server's key shows: what carries it or is made with it, or comes where that is missing."""

_IDENTIFYING = (
    ("WAIT_CERTIFICATE_VERIFY", m.CertificateVerify),
    ("WAIT_SERVER_HELLO_DONE", m.CertificateRequest),
    ("WAIT_SERVER_HELLO_DONE", m.ServerHelloDone),
)
"""Where the kind of a client's key shows."""


def concerns(setup: Setup, configuration: Configuration, symbol: Symbol) -> bool:
    """Whether a cell that the base has too may end otherwise in a special setup."""
    message, place = symbol.message, configuration.state
    if setup.session and message is m.ClientHello and not symbol.has(m.anew):
        return True
    if setup.session and message is m.ServerHello and symbol.has(m.resumed) and place.name == "WAIT_SERVER_HELLO":
        return True
    # A client that asked for a ticket may be ready for one although none was promised, and also when it is too late;
    # which the table can't remember.
    if setup.tickets and message is m.NewSessionTicket and place.name in ("WAIT_CHANGE_CIPHER_SPEC", "WAIT_FINISHED"):
        return True
    if setup.client_auth and (place.name, message) in _IDENTIFYING:
        return True
    if setup.renegotiation and message in (m.ClientHello, m.HelloRequest) and place.name == "CONNECTED":
        return True
    if setup == setup.plain and setup.certificate_key != "rsa" and place.name in _OF_CERTIFICATE:
        return message in _OF_CERTIFICATE[place.name]
    protects = setup.encrypt_then_mac or setup.bulk not in ("cbc", "gcm")
    return protects and message in PROTECTED_MESSAGES and place in SWITCHED.members
