"""An endpoint that a table drives: it plays a role as the rows say, taking the branches that it is told to take.

It shows that the engine has no false alarm: whatever a row allows, a target that does it must be judged conforming. And
with a changed table it does what no real stack does, so that every verdict can be earned on purpose.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import ApplicationData, ClientHello, HelloRequest
from shakeproof.model.notation import Kind, Output, Row, Symbol
from shakeproof.model.roles import ROLES
from shakeproof.model.walk import symbol_of
from shakeproof.properties.courses import courses, first_course
from shakeproof.properties.mapper.sessions import Session
from shakeproof.properties.mapper.tls12 import Peer
from shakeproof.properties.suites import agrees, expected
from shakeproof.properties.targets.base import SETUPS, Endpoint, Reaction, Setup, Target


class ScriptedEndpoint(Endpoint):
    """A role, played by the mapper as the table says.

    take: ids of the rows to prefer where several are enabled; a send row among them is taken as soon as it can be, as
    often as it is named.
    """

    def __init__(self, role: Role, setup: Setup, take: Iterable[str] = (), session: Session | None = None) -> None:
        self._role = role
        self._setup = setup
        self._take = Counter(take)
        first = bool(setup.session) and session is None
        self._courses = (first_course(setup, role.name),) if first else courses(setup, role.name)
        side: Literal["client", "server"] = "client" if role.name.endswith(".client") else "server"
        self._peer = Peer(
            side,
            key_exchange=setup.key_exchange,
            certificate_key=setup.certificate_key,
            bulk=setup.bulk,
            seed=b"scripted at first" if first else b"scripted",
            gives=setup.session,
            session=session,
            encrypt_then_mac=setup.encrypt_then_mac,
            extended_master_secret=setup.extended_master_secret,
        )
        self._here: Configuration = role.start
        self._asked = False
        self._sent_rows: Counter[str] = Counter()

    def start(self) -> Reaction:
        out = b""
        openings = [row for row in self._role.rows if row.kind is Kind.CALL and self._here.state in row.states.members]
        if openings and not any(
            row.kind is Kind.RECV and self._here.state in row.states.members for row in self._role.rows
        ):
            out = self._follow(openings[0], openings[0].pattern.message.symbol())
        return Reaction(out)

    def feed(self, data: bytes) -> Reaction:
        out, delivered = b"", b""
        for item in self._peer.classify(data):
            if self._role.is_final(self._here.state):
                break
            rows = self._role.enabled(self._here, item.symbol)
            if not rows:
                continue
            row = self._choice(rows, item.symbol)
            if item.symbol.message is ApplicationData and not row.is_violation:
                delivered += item.raw
            out += self._follow(row, item.symbol)
            out += self._of_its_own_accord(asked=item.symbol.message is HelloRequest)
        return Reaction(out + self._application(delivered), self._role.is_final(self._here.state), delivered)

    def end(self) -> Reaction:
        return Reaction(closed=True, end="orderly" if self._here.state is self._role.final else "truncated")

    def _choice(self, rows: Sequence[Row], symbol: Symbol) -> Row:
        """The row to take: one that it was told to take, else what a course of the setup expects."""
        ways = [(row, there) for row in rows for there in self._role.apply(row, self._here, symbol)]
        likely = [expected(self._role, ways, course)[0][0] for course in self._courses if agrees(symbol, course)]
        likely += [expected(self._role, ways, self._courses[0])[0][0]]
        legal = [row for row in likely if not row.is_violation]
        return next((row for row in rows if row.id in self._take), (legal or likely)[0])

    def _destination(self, row: Row, symbol: Symbol) -> Configuration:
        ways = [(row, there) for there in self._role.apply(row, self._here, symbol)]
        course = next((course for course in self._courses if agrees(symbol, course)), self._courses[0])
        return expected(self._role, ways, course)[0][1]

    def again(self) -> Endpoint | None:
        session = self._peer.session
        return ScriptedEndpoint(self._role, self._setup, self._take.elements(), session) if session else None

    def call(self, name: str) -> Reaction | None:
        rows = [
            row
            for row in self._role.rows
            if row.kind is Kind.CALL and row.pattern.message.name == name and self._here.state in row.states.members
        ]
        if not rows:
            return None
        row = next((row for row in rows if row.id in self._take), rows[0])
        out = self._follow(row, row.pattern.message.symbol())
        return Reaction(out, self._role.is_final(self._here.state))

    def _application(self, delivered: bytes) -> bytes:
        """A server answers data, a client asks as soon as it is connected: as every target's application does."""
        if self._here.state is not self._role.accepting:
            return b""
        asks = self._role.name.endswith(".client") and not self._asked
        self._asked = self._asked or asks
        return self._peer.concretise(ApplicationData.symbol()) if asks or (delivered and not asks) else b""

    def _of_its_own_accord(self, *, asked: bool) -> bytes:
        for row in self._role.rows:
            wanted = row.kind is Kind.SEND and self._sent_rows[row.id] < self._take[row.id]
            if asked and self._setup.renegotiation and row.kind is Kind.SEND:
                wanted = wanted or row.pattern.message is ClientHello
            if wanted and self._here.state in row.states.members:
                self._sent_rows[row.id] += 1
                symbol = symbol_of(self._role, Output(row.pattern), self._here)
                out = self._peer.concretise(symbol)
                self._here = self._role.apply(row, self._here, symbol)[0]
                return out
        return b""

    def _follow(self, row: Row, symbol: Symbol) -> bytes:
        self._here = self._destination(row, symbol)
        out = b""
        for output in self._role.flight(row, self._here):
            if not output.optional:
                out += self._peer.concretise(symbol_of(self._role, output, self._here))
        return out


class ScriptedTarget(Target):
    """A target that does what a table says. table: instead of the role's own, to do something wrong on purpose."""

    name = "scripted"
    roles = ("tls12.client", "tls12.server")

    def __init__(self, take: Iterable[str] = (), table: Role | None = None) -> None:
        self.take = tuple(take)
        self.table = table

    @property
    def description(self) -> str:
        return "an endpoint that the table drives"

    @property
    def tells_end(self) -> bool:
        return True

    def setups(self, role: str) -> tuple[Setup, ...]:
        return SETUPS

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return ScriptedEndpoint(self.table or ROLES[role], setup, self.take)
