"""A way of the model, followed with our real client and server, and the attacker between them.

What an honest side sends must be what our implementation sends then, and what arrives must be, to whom it reaches, what
the model says: both are classified by the mapper, which has each side's own keys. What the attacker forges is made of
what it has seen (`forger`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import ClientConnection, ServerConfig, ServerConnection
from shakeproof.impl.tls.suites import SUITES_BY_NAME, CipherSuite
from shakeproof.model.composition import Composition, Transition
from shakeproof.model.messages import (
    KEY_EXCHANGE,
    Alert,
    CertificateRequest,
    ClientHello,
    ServerHello,
    ServerHelloDone,
    by_id,
    connect,
    fatal,
    offers_several,
    renegotiation_claimed,
)
from shakeproof.model.notation import Symbol
from shakeproof.model.roles import ROLES
from shakeproof.properties.adversary import SIDES, Side
from shakeproof.properties.explore import Exploration
from shakeproof.properties.forger import CannotForgeError, Forger
from shakeproof.properties.mapper.context import KeyExchangeName
from shakeproof.properties.mapper.hypotheses import Keys
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.party import Application, Party, Turn, planted_in
from shakeproof.properties.rogues import Rogue
from shakeproof.properties.targets.base import Setup

SUITES: dict[KeyExchangeName, CipherSuite] = {
    "rsa": SUITES_BY_NAME["TLS_RSA_WITH_AES_128_CBC_SHA"],
    "ecdhe": SUITES_BY_NAME["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"],
}
"""What each key exchange is performed with: CBC, because of its records alone something can be made without the key."""

DATA: dict[Side, bytes] = {"client": b"user=alice&password=correct+horse", "server": b"<p>Welcome back, Alice.</p>"}
"""What each side's application writes."""


class EndedError(Exception):
    """The way can't be followed any further."""

    def __init__(self, why: str, answer: Symbol | None = None, clause: str = "") -> None:
        super().__init__(why)
        self.why, self.answer, self.clause = why, answer, clause


class End(Party):
    """One end, whose application takes whatever comes, and speaks when it is told to."""

    def __init__(self, side: Side, application: Application, rogue: Rogue | None, seed: bytes) -> None:
        super().__init__(side, application, rogue, seed)
        if planted_in(rogue, side) is not None:
            self.observer.may_open(Keys.EMPTY_MASTER)

    def _read(self, data: bytes) -> None:
        try:
            self.take(data)
        except RemoteProtocolError:
            return  # it ended, and its alert is in what it sends

    def take(self, data: bytes) -> None:
        """Bytes reach it, whatever they are to its application. Raises RemoteProtocolError."""
        self.tls.receive_data(data)

    def begin(self) -> Turn:
        """The client begins."""
        return self.do(self.tls.start if isinstance(self.tls, ClientConnection) else lambda: None)

    def write(self) -> Turn:
        """Its application writes."""
        return self.do(lambda: self.tls.send_application_data(DATA[self.side]))


class _Application(Application):
    """What both ends have in common. offered: the client's suites."""

    def __init__(self, suite: CipherSuite, offered: tuple[CipherSuite, ...], setup: Setup, rogue: Rogue | None) -> None:
        self.offered = offered
        super().__init__(suite, setup, rogue)

    def client(self, rogue: Rogue | None, seed: bytes) -> ClientConnection:
        made = super().client(rogue, seed)
        made.config = replace(made.config, suites=self.offered, coalesce=False)
        return made

    def server(self, rogue: Rogue | None, seed: bytes) -> ServerConnection:
        made = super().server(rogue, seed)
        made.config = replace(made.config, suites=(self.suite,), coalesce=False)
        return made


@dataclass(frozen=True)
class _Sent:
    """A record that an end sent."""

    data: bytes
    seen: tuple[Observation, ...]

    @property
    def is_sealed(self) -> bool:
        return any(item.keys is not Keys.NONE for item in self.seen)

    @property
    def detail(self) -> str:
        return ", ".join(item.detail for item in self.seen if item.detail)


@dataclass
class Performance:
    """A path, performed. rogue: planted in both ends, as far as it is of their roles; suite: None for the usual one.

    waiting: what each side has sent and the model has not yet let it send; network: what is under way, by the codes of
    packets; seen: the bytes of the last transition, and a line about them; allowed: what the table lets a side answer
    to what it received last; number: of the transition, from 1.
    """

    model: Composition
    path: Sequence[Transition]
    rogue: Rogue | None
    suite: CipherSuite | None = None
    waiting: dict[Side, deque[_Sent]] = field(default_factory=lambda: {side: deque() for side in SIDES})
    network: dict[int, deque[_Sent]] = field(default_factory=dict)
    seen: tuple[bytes, str] = (b"", "")
    allowed: tuple[str, ...] = ()
    number: int = 0

    def __post_init__(self) -> None:
        kind = key_exchange_of(self.model)
        suite = self.suite or SUITES[kind]
        others = tuple(one for other_kind, one in SUITES.items() if other_kind != kind)
        asks = any(one.symbol.message is CertificateRequest for one in self.path if one.kind == "sends")
        sent = [self.model.packets[one.puts - 1].symbol for one in self.path if one.puts]
        hellos = [symbol for symbol in sent if symbol.message is ClientHello]
        several = not hellos or any(symbol.has(offers_several) for symbol in hellos)
        setup = Setup(
            kind, bulk="cbc", client_auth=asks, session="id" if any(s.has(by_id) for s in hellos) else "",
            renegotiation=any(one.symbol.has(renegotiation_claimed) for one in self.path),
        )  # fmt: skip
        application = _Application(suite, (suite, *others) if several else (suite,), setup, self.rogue)
        self.ends = {side: self.make_end(side, application, self.rogue, b"realised") for side in SIDES}
        self.forger = Forger(kind, (suite, *others))

    def make_end(self, side: Side, application: Application, rogue: Rogue | None, seed: bytes) -> End:
        """The end of that side."""
        return End(side, application, rogue, seed)

    def dispose(self) -> None:
        """Free what the ends hold."""
        for end in self.ends.values():
            end.dispose()

    # --------------------------------------------------------------------------------------------------- transitions

    def perform(self, transition: Transition, after: Mapping[Side, str]) -> None:
        """One transition; after: the states of the model then. Raises EndedError."""
        side = side_of(transition.machine)
        self.seen = b"", ""
        self.number += 1
        if transition.kind == "calls" and transition.symbol.message is connect:
            self._done(side, self.ends[side].begin(), after)
        elif transition.kind == "calls":
            self._done(side, self.ends[side].write(), after)
        if transition.kind in ("calls", "sends"):
            self._send(side, transition)
        elif transition.kind == "loses":
            self._take(transition)
        elif transition.kind == "receives":
            self._receive(side, self.forger.hand_on(side, self._take(transition).data), "", transition, after)
        else:
            try:
                data, made = self.forger.forge(side, transition.symbol)
            except CannotForgeError as error:
                raise EndedError(f"the attacker can't make it: {error}") from error
            self._receive(side, data, made, transition, after)

    def _send(self, side: Side, transition: Transition) -> None:
        """What the side sends next goes into the network, and must be what the model says."""
        if not transition.puts:
            return
        wanted = self.model.packets[transition.puts - 1].symbol
        if not self.waiting[side]:
            raise EndedError(f"the {side} sends nothing; the model has {wanted.text}")
        record = self.waiting[side].popleft()
        self.seen = record.data, record.detail
        if len(record.seen) != 1 or not fits(record.seen[0].symbol, wanted):
            raise EndedError(f"the {side} sends {_texts(record.seen)}; the model has {wanted.text}")
        self.forger.see(side, record.data, sealed=record.is_sealed)
        self.network.setdefault(transition.puts, deque()).append(record)

    def _take(self, transition: Transition) -> _Sent:
        return self.network[transition.takes].popleft()

    def _receive(self, side: Side, data: bytes, made: str, transition: Transition, after: Mapping[Side, str]) -> None:
        """It reaches the side: it must be to it what the model says, and it must take it as the model does."""
        end = self.ends[side]
        if side == "server" and transition.symbol.message is ClientHello:
            self._choose_asking(end)
        demanded = end.oracle.fork()
        turn = end.receive(data)
        heard = [item.symbol for item in end.latest]
        self.seen = data, ", ".join(text for text in (*(item.detail for item in end.latest), made) if text)
        rows = [row for symbol in heard[:1] for row in demanded.receive(symbol)]
        self.allowed = tuple(demanded.expected())
        demanded.release()
        if len(heard) != 1 or not fits(heard[0], transition.symbol):
            came = ", ".join(symbol.text for symbol in heard) or "nothing"
            raise EndedError(f"{came} reaches the {side}; the model has {transition.symbol.text}")
        self._done(side, turn, after, heard[0], rows[0].citation if rows else "")

    def _choose_asking(self, server: End) -> None:
        """Whether the server asks for a certificate in the handshake that begins, as its application may choose."""
        ahead = self.path[self.number :]
        sent = [one.symbol.message for one in ahead if one.kind == "sends" and one.machine == server.side]
        flight = sent[: sent.index(ServerHelloDone)] if ServerHelloDone in sent else sent
        config = server.tls.config
        assert isinstance(config, ServerConfig)
        wanted: Literal["request", "none"] = "request" if CertificateRequest in flight else "none"
        sites = {name: replace(site, client_authentication=wanted) for name, site in config.sites.items()}
        server.tls.config = replace(config, sites=sites)

    def _done(
        self, side: Side, turn: Turn, after: Mapping[Side, str], heard: Symbol | None = None, clause: str = ""
    ) -> None:
        """What the side did: it must still be there if it is in the model."""
        end = self.ends[side]
        if turn.crashed:
            raise EndedError(f"the {side} raised {turn.crashed}")
        self.waiting[side] += (_Sent(data, seen) for data, seen in turn.records)
        alert = next((item.symbol for item in turn.said if item.symbol.message is Alert), None)
        over = after[side] in _FINAL[side]
        if not end.is_open and not over:
            to = f" {heard.text}" if heard is not None else ""
            answered = f"with {alert.text}" if alert is not None else "by closing"
            beside = f", which is not what the table demands: {turn.problem.why}" if turn.problem is not None else ""
            raise EndedError(f"the {side} answers{to} {answered}{beside}", alert, clause)
        if end.is_open and over:
            raise EndedError(f"the {side} goes on; in the model it is {after[side]}")

    # ------------------------------------------------------------------------------------------------------ the end

    def is_connected(self, side: Side) -> bool:
        """Whether the side has finished."""
        return self.ends[side].tls.is_connected

    def master(self, side: Side) -> bytes:
        """The master secret of the side: an empty one where none was agreed."""
        return self.ends[side].tls.master_secret

    def shares(self, side: Side) -> bool:
        """Whether the attacker has the side's master secret."""
        return self.forger.master(side) == self.master(side)


_FINAL = {side: {state.name for state in role.states if role.is_final(state)} for side in SIDES
          for role in (ROLES[f"tls12.{side}"],)}  # fmt: skip


def states_of(found: Exploration, state: int) -> dict[Side, str]:
    """Where each side stands in the model."""
    values = found.expander.packing.unpack(state)
    return {side: found.model.column(f"{side}.state").text(values[f"{side}.state"]).upper() for side in SIDES}


def key_exchange_of(model: Composition) -> KeyExchangeName:
    """The key exchange of the model, as its hellos have it."""
    hello = next(packet.symbol for packet in model.packets if packet.symbol.message is ServerHello)
    return next(kind for kind in SUITES if hello.has(KEY_EXCHANGE[kind]))


def fits(seen: Symbol, wanted: Symbol) -> bool:
    """Whether what was seen is what was wanted. Any fatal alert stands for any other."""
    if seen.message is not wanted.message:
        return False
    if seen.message is Alert:
        return seen.has(fatal) == wanted.has(fatal)
    return all(mask & ~wanted.assignment.get(name, 0) == 0 for name, mask in seen.values)


def _texts(seen: Sequence[Observation]) -> str:
    return ", ".join(item.symbol.text for item in seen) or "part of a message"


def side_of(machine: str) -> Side:
    return "client" if machine == "client" else "server"
