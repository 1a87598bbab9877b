"""Two scripted peers that face each other, or a real stack: what the mapper's tests share."""

from __future__ import annotations

from dataclasses import dataclass, field

from shakeproof.model import messages as m
from shakeproof.model.facts import Fact
from shakeproof.model.notation import Message, Symbol
from shakeproof.properties.mapper.context import BulkName, KeyExchangeName
from shakeproof.properties.mapper.keys import KeyKind
from shakeproof.properties.mapper.tls12 import Observation, Peer


@dataclass(frozen=True)
class Setup:
    """What both sides agree upon."""

    key_exchange: KeyExchangeName
    certificate_key: KeyKind
    bulk: BulkName


SETUPS = (
    Setup("ecdhe", "rsa", "gcm"),
    Setup("ecdhe", "rsa", "cbc"),
    Setup("ecdhe", "ecdsa", "gcm"),
    Setup("rsa", "rsa", "gcm"),
    Setup("rsa", "rsa", "cbc"),
)


def handshake_of(setup: Setup) -> list[tuple[str, Symbol]]:
    """An honest connection: who says what, in order."""
    uses_rsa = setup.key_exchange == "rsa"
    exchange = [] if uses_rsa else [("server", m.ServerKeyExchange.symbol())]
    return [
        ("client", m.ClientHello.symbol(m.offers_rsa if uses_rsa else m.offers_ecdhe)),
        ("server", m.ServerHello.symbol(m.rsa if uses_rsa else m.ecdhe)),
        ("server", m.Certificate.symbol()),
        *exchange,
        ("server", m.ServerHelloDone.symbol()),
        ("client", m.ClientKeyExchange.symbol()),
        ("client", m.ChangeCipherSpec.symbol()),
        ("client", m.Finished.symbol()),
        ("server", m.ChangeCipherSpec.symbol()),
        ("server", m.Finished.symbol()),
        ("client", m.ApplicationData.symbol()),
        ("server", m.ApplicationData.symbol()),
        ("client", m.Alert.symbol(m.closure, m.close_notify)),
        ("server", m.Alert.symbol(m.closure, m.close_notify)),
    ]


@dataclass
class Pair:
    """A client and a server, both scripted."""

    setup: Setup
    peers: dict[str, Peer] = field(init=False)

    def __post_init__(self) -> None:
        s = self.setup
        self.peers = {
            "client": Peer(
                "client", key_exchange=s.key_exchange, certificate_key=s.certificate_key, bulk=s.bulk, seed=b"c"
            ),
            "server": Peer(
                "server", key_exchange=s.key_exchange, certificate_key=s.certificate_key, bulk=s.bulk, seed=b"s"
            ),
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
