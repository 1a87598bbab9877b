"""Two scripted peers that face each other, or a real stack: what the mapper's tests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from shakeproof.impl.tls.suites import TLS_RSA_WITH_AES_128_CBC_SHA
from shakeproof.model import messages as m
from shakeproof.model.facts import Fact
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.mapper.context import BulkName, KeyExchangeName, Role, SessionName
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.mapper.sessions import Session
from shakeproof.properties.mapper.tls12 import Observation, Peer


@dataclass(frozen=True)
class Setup:
    """What both sides agree upon."""

    key_exchange: KeyExchangeName
    certificate_key: KeyKind
    bulk: BulkName
    session: SessionName = ""
    client_auth: bool = False
    encrypt_then_mac: bool = False
    extended_master_secret: bool = True


SETUPS = (
    Setup("ecdhe", "rsa", "gcm"),
    Setup("ecdhe", "rsa", "cbc"),
    Setup("ecdhe", "ecdsa", "gcm"),
    Setup("rsa", "rsa", "gcm"),
    Setup("rsa", "rsa", "cbc"),
)
"""Plain ones."""

DHE, ETM, BY_ID, BY_TICKET, UNBOUND, IDENTIFIED = SPECIAL_SETUPS = (
    Setup("dhe", "rsa", "gcm"),
    Setup("rsa", "rsa", "cbc", encrypt_then_mac=True),
    Setup("ecdhe", "rsa", "gcm", session="id"),
    Setup("rsa", "rsa", "cbc", session="ticket"),
    Setup("ecdhe", "ecdsa", "gcm", session="id", extended_master_secret=False),
    Setup("ecdhe", "rsa", "gcm", client_auth=True),
)
ALL_SETUPS = SETUPS + SPECIAL_SETUPS


def full_handshake(setup: Setup) -> list[tuple[str, Symbol]]:
    """An honest full handshake: who says what, in order."""
    exchange = m.KEY_EXCHANGE[setup.key_exchange]
    offer = m.OFFER[f"offers_{setup.key_exchange}"]
    tickets = setup.session == "ticket"
    params = [] if exchange is m.rsa else [("server", m.ServerKeyExchange.symbol())]
    request = [("server", m.CertificateRequest.symbol())] if setup.client_auth else []
    identity = [("client", m.Certificate.symbol())] if setup.client_auth else []
    proof = [("client", m.CertificateVerify.symbol())] if setup.client_auth else []
    return [
        ("client", m.ClientHello.symbol(offer, m.ticketed if tickets else m.anew)),
        ("server", m.ServerHello.symbol(exchange, m.promised if tickets else m.unpromised)),
        ("server", m.Certificate.symbol()),
        *params,
        *request,
        ("server", m.ServerHelloDone.symbol()),
        *identity,
        ("client", m.ClientKeyExchange.symbol()),
        *proof,
        ("client", m.ChangeCipherSpec.symbol()),
        ("client", m.Finished.symbol()),
        *([("server", m.NewSessionTicket.symbol())] if tickets else []),
        ("server", m.ChangeCipherSpec.symbol()),
        ("server", m.Finished.symbol()),
    ]


def abbreviated_handshake(setup: Setup) -> list[tuple[str, Symbol]]:
    """An honest abbreviated handshake."""
    exchange = m.KEY_EXCHANGE[setup.key_exchange]
    offer = m.OFFER[f"offers_{setup.key_exchange}"]
    return [
        ("client", m.ClientHello.symbol(offer, m.by_ticket if setup.session == "ticket" else m.by_id)),
        ("server", m.ServerHello.symbol(exchange, m.resumed)),
        ("server", m.ChangeCipherSpec.symbol()),
        ("server", m.Finished.symbol()),
        ("client", m.ChangeCipherSpec.symbol()),
        ("client", m.Finished.symbol()),
    ]


def handshake_of(setup: Setup) -> list[tuple[str, Symbol]]:
    """An honest connection: who says what, in order."""
    return [
        *(abbreviated_handshake(setup) if setup.session else full_handshake(setup)),
        ("client", m.ApplicationData.symbol()),
        ("server", m.ApplicationData.symbol()),
        ("client", m.Alert.symbol(m.closure, m.close_notify)),
        ("server", m.Alert.symbol(m.closure, m.close_notify)),
    ]


@dataclass
class Pair:
    """A client and a server, both scripted; where a session is resumed, one that an earlier pair has made."""

    setup: Setup
    peers: dict[str, Peer] = field(init=False)
    session: Session | None = None

    def __post_init__(self) -> None:
        s = self.setup
        if s.session and self.session is None:
            self.session = session_of(s)
        sides: tuple[Role, ...] = ("client", "server")
        self.peers = {
            side: Peer(
                side,
                key_exchange=s.key_exchange,
                certificate_key=s.certificate_key,
                bulk=s.bulk,
                gives=s.session,
                session=self.session,
                encrypt_then_mac=s.encrypt_then_mac,
                extended_master_secret=s.extended_master_secret,
                seed=f"{side} {self.session is UNUSED}".encode(),
            )
            for side in sides
        }

    def other(self, side: str) -> Peer:
        return self.peers["server" if side == "client" else "client"]

    def say(self, side: str, symbol: Symbol, fragment: int | None = None) -> list[Observation]:
        return self.other(side).classify(self.peers[side].concretise(symbol, fragment=fragment))

    def advance(self, steps: int) -> None:
        """The first steps of the honest connection."""
        for side, symbol in handshake_of(self.setup)[:steps]:
            seen = self.say(side, symbol)
            assert [item.symbol for item in seen] == [symbol]


@cache
def session_of(setup: Setup) -> Session:
    """A session that a first connection has made."""
    first = Pair(setup, session=UNUSED)
    for side, symbol in full_handshake(setup):
        assert [item.symbol for item in first.say(side, symbol)] == [symbol]
    made = [peer.session for peer in first.peers.values() if peer.session is not None]
    assert made[0] == made[1]
    return made[0]


UNUSED = Session(TLS_RSA_WITH_AES_128_CBC_SHA, bytes(48), False, False, "")
"""A session that nobody asks for."""


def masks(fact: Fact) -> list[int]:
    """Every value that a message can be made to have: for a fact of many defects, also each pair of them."""
    single = [value.bit for value in fact.values]
    if not fact.many:
        return single
    defects = [value.bit for value in fact.defects]
    return single + [one | other for one in defects for other in defects if one < other]


def symbols_of(message: Message) -> list[Symbol]:
    """Every symbol of a message that `masks` gives."""
    found = [Symbol(message)]
    for fact in message.facts:
        found = [Symbol(message, (*symbol.values, (fact.name, mask))) for symbol in found for mask in masks(fact)]
    return found


ALPHABET = [symbol for message in m.TLS12_MESSAGES for symbol in symbols_of(message)]
