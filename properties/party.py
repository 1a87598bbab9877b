"""One end of a connection between our client and our server: the endpoint, its application, and who watches it.

An oracle judges what reached the end and what it sent in answer. What reached it is classified by an observer that has
the end's keys, never by what an attacker meant. After a plaintext message was tampered with, what the end may do
depends on the bit, so that the oracle steps aside and the safety properties alone hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from shakeproof.impl.errors import LocalProtocolError, RemoteProtocolError
from shakeproof.impl.http import Https, HttpsClient, HttpsServer, Request, Response
from shakeproof.impl.tls import ClientConnection, ServerConnection, Session
from shakeproof.impl.tls.events import ApplicationDataReceived, CloseNotifyReceived, HandshakeCompleted
from shakeproof.impl.tls.records import HEADER_LENGTH
from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.model.messages import Alert, ApplicationData
from shakeproof.model.notation import Row, State
from shakeproof.model.oracle import Oracle
from shakeproof.model.roles import ROLES
from shakeproof.properties.adversary import Side
from shakeproof.properties.conversation import Exchange
from shakeproof.properties.findings import Grade
from shakeproof.properties.mapper.certificates import SERVER_NAME
from shakeproof.properties.mapper.receive import Observation
from shakeproof.properties.mapper.sessions import Session as Resumable
from shakeproof.properties.observer import Observer
from shakeproof.properties.rogues import Rogue
from shakeproof.properties.safety import Ledger
from shakeproof.properties.targets.base import Reaction, Setup
from shakeproof.properties.targets.ours import NOW, Shared, make_client, make_server
from shakeproof.properties.verdicts import Problem, is_about_certificate, judge


class Application:
    """What the connections of a run have in common: the suite, and sessions where some are resumed.

    The session comes from a first connection on which nobody is.
    """

    def __init__(self, suite: CipherSuite, setup: Setup, rogue: Rogue | None) -> None:
        self.suite, self.setup = suite, setup
        self.shared = Shared(setup)
        self.session: Session | None = None
        if setup.session:
            self._make_session(rogue)

    def client(self, rogue: Rogue | None, seed: bytes) -> ClientConnection:
        """The next client."""
        client = make_client(rogue, seed=seed, suites=(self.suite,), setup=self.setup, session=self.session)
        client.config = replace(client.config, encrypt_then_mac=self.setup.encrypt_then_mac)
        return client

    def server(self, rogue: Rogue | None, seed: bytes) -> ServerConnection:
        """The next server."""
        return make_server(rogue, seed=seed, setup=self.setup, shared=self.shared)

    def _make_session(self, rogue: Rogue | None) -> None:
        client = self.client(planted_in(rogue, "client"), b"first client")
        server = self.server(planted_in(rogue, "server"), b"first server")
        client.start()
        try:
            for _ in range(ROUNDS_LIMIT):
                server.receive_data(client.data_to_send())
                client.receive_data(server.data_to_send())
        except RemoteProtocolError:
            return  # the fault that is planted shows without anybody's doing: later connections find it out
        self.session = client.session

    def session_of(self, side: Side) -> Resumable | None:
        """The session, as far as that side can resume it: a server may have forgotten it."""
        session = self.session
        if session is None:
            return None
        sessions = self.shared.sessions
        if side == "server" and sessions is not None and sessions.get(session.session_id, NOW) is None:
            return None
        return Resumable.of(session)


def planted_in(rogue: Rogue | None, side: Side) -> Rogue | None:
    """The rogue, where its fault is one of that side."""
    return rogue if rogue is not None and f"tls12.{side}" in rogue.roles else None


ROUNDS_LIMIT = 4
"""Flights each way: a full handshake has two."""


@dataclass(frozen=True)
class Turn:
    """What an end did with something that happened: the records that it sent, and what is wrong with them."""

    records: tuple[tuple[bytes, tuple[Observation, ...]], ...]
    problem: Problem | None = None
    crashed: str = ""

    @property
    def said(self) -> tuple[Observation, ...]:
        """What it said, in order."""
        return tuple(item for _, seen in self.records for item in seen)


class Party:
    """One end. role_name: whose table it follows; ledger: for the safety properties. application: what the connections
    of its side have in common.
    """

    def __init__(self, side: Side, application: Application, rogue: Rogue | None, seed: bytes) -> None:
        self.side = side
        self.role = ROLES[f"tls12.{side}"]
        planted = planted_in(rogue, side)
        session = application.session_of(side)
        self.ledger = Ledger(side, knows=session is not None)
        self.observer = Observer(side, session)
        self.oracle = Oracle(self.role)
        self.tls: ClientConnection | ServerConnection
        if side == "client":
            self.tls = application.client(planted, seed + b" client")
            self.https: Https = HttpsClient(self.tls, SERVER_NAME)
        else:
            self.tls = application.server(planted, seed + b" server")
            self.https = HttpsServer(self.tls, answer)
        self.tls.config = replace(self.tls.config, key_log=self._log)
        self.responses = 0
        self.requests = 0
        self.is_judged = True
        self.latest: tuple[Observation, ...] = ()
        """What the bytes that reached it last said to it."""
        self.swallowed: tuple[Problem, Oracle] | None = None
        self._listen()

    # ----------------------------------------------------------------------------------------------------- listening

    def _log(self, line: str) -> None:
        self.ledger.key_log.append(line)
        self.observer.tell(line)

    def _listen(self) -> None:
        """Write down what passes between TLS and the application, on this end's connection object."""
        write, read = self.tls.send_application_data, self.tls.receive_data

        def send_application_data(data: bytes) -> None:
            write(data)
            self.ledger.written += data

        def receive_data(data: bytes) -> object:
            try:
                events = read(data)
            except RemoteProtocolError as error:
                self._note(error.events)
                raise
            self._note(events)
            return events

        for name, method in (("send_application_data", send_application_data), ("receive_data", receive_data)):
            setattr(self.tls, name, method)

    def _note(self, events: Sequence[object]) -> None:
        for event in events:
            if isinstance(event, ApplicationDataReceived):
                self.ledger.accepted += event.data
            elif isinstance(event, HandshakeCompleted):
                self.ledger.finished, self.ledger.transcript = True, ()
                self.ledger.rounds += 1
                self.ledger.suite = event.negotiated.suite
            elif isinstance(event, CloseNotifyReceived):
                self.ledger.ended = True

    # ------------------------------------------------------------------------------------------------------- turns

    @property
    def is_open(self) -> bool:
        """Whether bytes that reach it still matter."""
        return self.tls.is_open

    @property
    def is_protected(self) -> bool:
        """Whether it reads protected records."""
        return self.observer.is_protected

    def start(self) -> Turn:
        """The client opens the connection and asks for a page."""
        if isinstance(self.https, HttpsClient):
            self.https.start()
            self.ask(16)
        return self._turn(lambda: None, ())

    def ask(self, size: int) -> None:
        """The client's application asks for a page of that size, where it can."""
        if isinstance(self.https, HttpsClient):
            try:
                self.https.request("GET", f"/{size}")
            except LocalProtocolError:
                return
            self.requests += 1

    def request(self, size: int) -> Turn:
        """As `ask`, with what it sends."""
        return self._turn(lambda: self.ask(size), ())

    def close(self) -> Turn:
        """Its application closes, where anything is open."""

        def closing() -> None:
            if self.tls.is_connected:
                self.https.close()

        return self._turn(closing, ())

    def renegotiate(self) -> Turn:
        """Its application begins another handshake, where it can."""

        def beginning() -> None:
            try:
                self.tls.renegotiate()
            except LocalProtocolError:
                return

        return self._turn(beginning, ())

    def end(self) -> tuple[Turn, bool]:
        """The transport ends; and whether the end was taken for an orderly one although no side had closed."""
        closing = not self.is_open or not (self.tls.is_connected or self.tls.state.startswith("WAIT_"))
        complained = False

        def ending() -> None:
            nonlocal complained
            try:
                self.https.receive_eof()
            except RemoteProtocolError:
                complained = True

        self.is_judged, self.swallowed = False, None  # the end of the transport is no event of the table
        turn = self._turn(ending, ())
        return turn, not (complained or closing)

    def do(self, call: Callable[[], None]) -> Turn:
        """Its application makes a call that nothing else here makes."""
        return self._turn(call, ())

    def receive(self, data: bytes) -> Turn:
        """Bytes reach it."""
        heard = self.observer.heard(data)
        self.latest = tuple(heard)
        self.ledger.heard += [item.symbol for item in heard]
        return self._turn(lambda: self._read(data), tuple(heard), unfinished=not heard or self.observer.pending > 0)

    def _read(self, data: bytes) -> None:
        events: Sequence[object]
        try:
            events = self.https.receive_data(data)
        except RemoteProtocolError as error:
            events = error.events
        self.responses += sum(isinstance(event, Response) for event in events)

    def _turn(self, call: Callable[[], None], heard: tuple[Observation, ...], *, unfinished: bool = False) -> Turn:
        before = self.oracle.fork()
        symbol, state, rows = None, self.oracle.state_text, tuple[Row, ...]()
        for number, item in enumerate(heard):
            if number:
                before.release()
                before = self.oracle.fork()
            symbol, state = item.symbol, self.oracle.state_text
            rows = self.oracle.receive(symbol)
            if rows and all(row.is_violation for row in rows):
                break  # nothing behind it is read
        accepted = len(self.ledger.accepted)
        crashed = ""
        try:
            call()
        except Exception as error:  # noqa: BLE001  # whatever else it raises is what clean-failure forbids
            crashed = f"{type(error).__name__}: {error}"
        records = tuple((record, tuple(self.observer.said(record))) for record in split(self.tls.data_to_send()))
        self.ledger.transcript = self.ledger.transcript or (self.observer.transcript if self.ledger.finished else ())
        turn = Turn(records, None, crashed)
        delivered = bytes(self.ledger.accepted[accepted:])
        reaction = Reaction(b"", not self.is_open, delivered, crashed=crashed)
        expected = self.oracle.expected()
        unexplained = tuple(item for item in turn.said if not self.oracle.send(item.symbol))
        settled = self.oracle.quiet()
        rightly = not reaction.closed or self.oracle.may_close()
        ends = bool(rows) and all(isinstance(row.next, State) and self.role.is_final(row.next) for row in rows)
        exchange = Exchange(symbol, state, rows, expected, reaction, turn.said, unexplained, settled, rightly, ends)
        problem = self._judge(exchange, before, unfinished=unfinished)
        before.release()
        return replace(turn, problem=problem)

    def _judge(self, exchange: Exchange, before: Oracle, *, unfinished: bool) -> Problem | None:
        if unfinished and exchange.stopped and not exchange.forbidden:
            self.is_judged = False  # refused by what had come of a message: which one it was to be can't be told
        if self.swallowed is not None:
            return self._after_swallowing(self.swallowed, exchange)
        if not self.is_judged:
            return None
        problem = judge(exchange, before)
        if problem is not None and problem.pending:
            self.swallowed = (replace(problem, pending=False), before.fork())
            return None
        return problem

    def _after_swallowing(self, swallowed: tuple[Problem, Oracle], exchange: Exchange) -> Problem | None:
        """Something forbidden was met with silence: what follows says what became of it."""
        problem, ignored = swallowed
        if exchange.symbol is not None:
            ignored.receive(exchange.symbol)
        said = [item for item in exchange.seen if item.symbol.message is not Alert]
        if exchange.stopped and not said:
            self.swallowed, self.is_judged = None, False
            return replace(problem, why=f"it stayed silent, and stopped later with {exchange.got}")
        fits = all(ignored.send(item.symbol) for item in said)
        ignored.quiet()
        data = bool(exchange.reaction.delivered) or any(item.symbol.message is ApplicationData for item in said)
        late = data if is_about_certificate(problem.exchange) else bool(said) or data
        if not late:
            return None
        self.swallowed, self.is_judged = None, False
        if fits:
            return replace(problem, why="it ignored that and went on")
        return replace(problem, grade=Grade.WENT_ON, why=f"it stayed silent, and went on later with {exchange.got}")

    def dispose(self) -> None:
        """Free what it holds."""
        self.oracle.release()
        if self.swallowed is not None:
            self.swallowed[1].release()


def answer(request: Request) -> Response:
    """A page of the length that the request names."""
    text = request.target.lstrip("/")
    size = int(text) if text.isdigit() else 0
    return Response(200, (), bytes(number % 251 for number in range(size)))


def split(data: bytes) -> Iterator[bytes]:
    """The whole records of what an honest end sends."""
    at = 0
    while at < len(data):
        length = HEADER_LENGTH + int.from_bytes(data[at + 3 : at + 5], "big")
        yield data[at : at + length]
        at += length
