"""An executed run: our HTTPS client and server over a pipe in memory, every record on its way written into a trace.

Nothing is made up: a step stands for a record that one end wrote and the other opened, an action for a method that ran,
and both ends have an oracle that must allow the step. Time is virtual: each crossing of the pipe takes LATENCY_S.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.http import Https, HttpsClient, HttpsServer, Request, Response
from shakeproof.impl.tls import ClientConfig, ClientConnection, ServerConfig, ServerConnection
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.events import CertificateValidated, Event
from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.records import HEADER_LENGTH, Record
from shakeproof.impl.tls.suites import CipherSuite, ContentType, KeyExchange
from shakeproof.impl.x509 import Result
from shakeproof.model.facts import Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import DESCRIPTION, KEY_EXCHANGE, OFFER, Alert, ServerHello
from shakeproof.model.notation import Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Kind, Lane, Line, Step, Trace, number_steps
from shakeproof.properties.mapper import certificates, classify, readings
from shakeproof.properties.mapper.context import Context, Options
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.targets.ours import make_client, make_server

LATENCY_S = 0.02
"""One crossing of the pipe, in virtual seconds: a fifth of the way around the world, so that the times are readable."""

ROUNDS_LIMIT = 64
"""Crossings of one run: an HTTPS exchange has eight."""

TELLING = frozenset({"anchor", "validity", "name"})
"""The checks of a certificate whose text names something of it; the others only say that they passed."""

CLIENT, SERVER = "client", "server"
SESSION_KEYS = "the session keys"
PAGE = b"<!doctype html><title>shakeproof</title><p>It holds.</p>\n"


class NotAllowedError(AssertionError):
    """An end did what its table does not allow: the run is no example of the model."""


@dataclass(frozen=True)
class Action:
    """What an end does by itself when one of its methods runs."""

    method: str
    title: str
    lines: tuple[str, ...]


# fmt: off
ACTIONS: dict[tuple[str, KeyExchange], Action] = {
    (CLIENT, KeyExchange.RSA): Action(
        "send_client_key_exchange", "Generate the pre-master secret", ("encrypt it with the certificate's key",)),
    (SERVER, KeyExchange.RSA): Action(
        "decrypt_pre_master_secret", "Decrypt the pre-master secret", ("with the certificate's private key",)),
    (CLIENT, KeyExchange.ECDHE): Action(
        "send_client_key_exchange", "Generate an ephemeral key", ("agree on the pre-master secret with the server's",)),
    (SERVER, KeyExchange.ECDHE): Action(
        "agree", "Agree on the pre-master secret", ("with the client's ephemeral key",)),
}
"""The methods that make the pre-master secret, at each end."""
# fmt: on


@dataclass
class End:
    """One end of the pipe."""

    name: str
    https: Https
    role: Role
    key_log: list[str] = field(default_factory=list)
    protected: bool = False

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.role)
        self.buffer = b""

    @property
    def tls(self) -> ClientConnection | ServerConnection:
        """Its TLS connection."""
        connection = self.https.tls
        if not isinstance(connection, ClientConnection | ServerConnection):
            raise TypeError(f"{type(connection).__name__} is no end of a connection")
        return connection


class Recorder:
    """Carries records between two ends and writes down what happens."""

    def __init__(self, suite: CipherSuite, rogue: Rogue | None = None, *, host: str = certificates.SERVER_NAME) -> None:
        self.suite = suite
        self.steps: list[Step] = []
        self.time_s = 0.0
        self.observer = Context("server", Options(server_name=host))
        client, server = make_client(rogue, suites=(suite,)), make_server(rogue)
        self.client = End(CLIENT, HttpsClient(client, host), ROLES["tls12.client"])
        self.server = End(SERVER, HttpsServer(server, _serve), ROLES["tls12.server"])
        for end in (self.client, self.server):
            self._watch(end)

    def run(self) -> None:
        """A request, its response, and the closure. Raises NotAllowedError where an oracle objects."""
        client = self.client.https
        if not isinstance(client, HttpsClient):
            raise TypeError("the client's end has no HTTPS client")
        client.start()
        client.request("GET", "/")
        answered = False
        for _ in range(ROUNDS_LIMIT):
            moved = self._carry(self.client, self.server) + self._carry(self.server, self.client)
            if not moved and not answered:
                if client.is_open:
                    client.close()
                answered = True
            elif not moved:
                return

    # ------------------------------------------------------------------------------------------------------- watching

    def _watch(self, end: End) -> None:
        """Note when the end makes the pre-master secret, and the master secret that it logs."""
        action = ACTIONS[end.name, self.suite.key_exchange]
        sound = getattr(end.tls, action.method)

        def noted(*arguments: object) -> object:
            result = sound(*arguments)
            self._act(end, action.title, tuple(Line(line) for line in action.lines))
            return result

        setattr(end.tls, action.method, noted)
        end.tls.config = _with_log(end.tls, end.key_log.append)

    def _act(self, end: End, title: str, lines: tuple[Line, ...], clause: str = "") -> None:
        messages = [step for step in self.steps if step.kind is Kind.MESSAGE]
        self.steps.append(
            Step(
                0,
                Kind.ACTION,
                sender=end.name,
                layer="tls",
                title=title,
                lines=lines,
                time_s=self.time_s,
                phase=messages[-1].phase if messages else self.client.role.initial.phase,
                clause=clause,
            )
        )

    # ------------------------------------------------------------------------------------------------------- carrying

    def _carry(self, sender: End, receiver: End) -> int:
        """Carry what the sender wrote, record by record; how many records there were."""
        sender.buffer += sender.https.data_to_send()
        if not sender.buffer:
            return 0
        self.time_s += LATENCY_S
        count = 0
        while len(sender.buffer) >= HEADER_LENGTH:
            length = HEADER_LENGTH + int.from_bytes(sender.buffer[3:5], "big")
            record, sender.buffer = sender.buffer[:length], sender.buffer[length:]
            self._deliver(sender, receiver, record)
            count += 1
        return count

    def _deliver(self, sender: End, receiver: End, record: bytes) -> None:
        opened: list[Record] = []
        sound = receiver.tls.receive_record
        at = len(self.steps)

        def receive_record(one: Record) -> None:
            opened.append(one)
            self._note(sender, receiver, one, record)
            sound(one)

        setattr(receiver.tls, "receive_record", receive_record)  # noqa: B010  # on this object, for this record
        try:
            events = receiver.https.receive_data(record)
        except RemoteProtocolError as error:
            events = [event for event in error.events if isinstance(event, Event)]
        finally:
            setattr(receiver.tls, "receive_record", sound)  # noqa: B010
        if not opened:
            raise NotAllowedError(f"{receiver.name} opened no record of {record[:HEADER_LENGTH].hex()}")
        self._after(receiver, events, at)

    def _note(self, sender: End, receiver: End, record: Record, raw: bytes) -> None:
        protected = not isinstance(receiver.tls.reader.protection, NullProtection)
        for symbol, detail in self._read(record):
            before = {end.name: end.oracle.state_text for end in (sender, receiver)}
            start = receiver.oracle.states[0]
            if not sender.oracle.send(symbol):
                raise NotAllowedError(
                    f"{sender.name} sent {symbol.text}; its table allows {', '.join(sender.oracle.expected())}"
                )
            rows = receiver.oracle.receive(symbol)
            if not sender.oracle.possible[0].must_send:
                sender.oracle.quiet()
            here = self.client.oracle
            phase = start.phase if receiver is self.client else sender.role.phase_of(sender.oracle.states[0])
            name = phase if isinstance(phase, str) else (phase.key if phase else "")
            if any(self.client.role.is_final(state) for state in here.states):
                name = here.states[0].phase
            self.steps.append(
                Step(
                    0,
                    sender=sender.name,
                    receiver=receiver.name,
                    layer="tls",
                    message=symbol.message.name,
                    title=_title(symbol),
                    detail=detail,
                    data=raw,
                    time_s=self.time_s,
                    protection=SESSION_KEYS if protected else "",
                    phase=name,
                    before=before,
                    after={end.name: end.oracle.state_text for end in (sender, receiver)},
                    row=rows[0].id if rows else "",
                    clause=symbol.message.source or (rows[0].clauses[0].short if rows else ""),
                )
            )

    def _read(self, record: Record) -> list[tuple[Symbol, str]]:
        """The symbols of an opened record, with a line for people."""
        if record.content_type == ContentType.HANDSHAKE:
            out: list[tuple[Symbol, str]] = []
            rest = record.fragment
            while rest:
                length = codec.HEADER_LENGTH + int.from_bytes(rest[1:4], "big")
                reading = classify.handshake(self.observer, rest[:length])
                out.append((self._agreed(reading.symbol), reading.detail))
                rest = rest[length:]
            return out
        if record.content_type == ContentType.CHANGE_CIPHER_SPEC:
            reading = readings.change_cipher_spec(record.fragment)
        elif record.content_type == ContentType.ALERT:
            reading = readings.alert(record.fragment)
        else:
            reading = readings.application_data(record.fragment)
        return [(self._agreed(reading.symbol), reading.detail)]

    def _agreed(self, symbol: Symbol) -> Symbol:
        """The symbol as the two ends see it: what the observer, who has no keys, can't tell, is sound."""
        kept: list[Value] = []
        for fact in symbol.message.facts:
            bits = symbol.assignment[fact.name]
            kept += [
                value
                for value in fact.named(bits)
                if fact in (KEY_EXCHANGE, OFFER) or fact.detail or bits & fact.sound_mask
            ]
        shown = [value for value in kept if value.is_sound]
        given = {value.fact: value for value in reversed(shown)}
        if symbol.message is ServerHello:
            given[KEY_EXCHANGE] = KEY_EXCHANGE[self.suite.key_exchange.name.lower()]
        return symbol.message.symbol(*given.values())

    def _after(self, receiver: End, events: list[Event], at: int) -> None:
        for event in events:
            if isinstance(event, CertificateValidated) and isinstance(event.outcome, Result):
                self._act(receiver, "Validate the certificate", _told(event.outcome), "5280 \u00a76.1")
            elif isinstance(event, Request | Response):
                self._entitle(event, at)
        if not receiver.oracle.possible[0].must_send:
            receiver.oracle.quiet()

    def _entitle(self, event: Request | Response, at: int) -> None:
        """Give the record that completed an HTTP message the name of that message."""
        title = f"{event.method} {event.target} HTTP/1.1" if isinstance(event, Request) else f"HTTP/1.1 {event.status}"
        for index in range(len(self.steps) - 1, at - 1, -1):
            if self.steps[index].kind is Kind.MESSAGE:
                step = self.steps[index]
                detail = f"{step.message}, {step.detail}"
                self.steps[index] = replace(step, title=title, layer="http", detail=detail)
                return


def _told(outcome: Result) -> tuple[Line, ...]:
    """The checks as lines: those that failed or that say something about this chain, and how many others passed."""
    shown = [check for check in outcome.checks if not check.passed or check.name in TELLING]
    lines = [Line(check.text, Check.PASSED if check.passed else Check.FAILED) for check in shown]
    others = len(outcome.checks) - len(shown)
    return (*lines, Line(f"{others} more checks", Check.PASSED)) if others else tuple(lines)


def _with_log(
    connection: ClientConnection | ServerConnection, log: Callable[[str], None]
) -> ClientConfig | ServerConfig:
    return replace(connection.config, key_log=log)


def _title(symbol: Symbol) -> str:
    """An alert is known by its description."""
    if symbol.message is not Alert:
        return ""
    return DESCRIPTION.named(symbol.assignment[DESCRIPTION.name])[0].name


def _serve(request: Request) -> Response:
    return Response(200, (("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))), PAGE)


def https_run(suite: CipherSuite, rogue: str = "") -> Trace:
    """A whole HTTPS exchange of our client and our server, executed. rogue: with this fault planted.

    Raises NotAllowedError where an end did what its table does not allow.
    """
    recorder = Recorder(suite, ROGUES[rogue] if rogue else None)
    recorder.run()
    if not recorder.client.key_log or recorder.client.key_log != recorder.server.key_log:
        raise NotAllowedError("the two ends do not have the same master secret")
    return Trace(
        title="HTTPS over TLS 1.2",
        lanes=(Lane(CLIENT, "Client", "shakeproof"), Lane(SERVER, "Server", certificates.SERVER_NAME, "server")),
        steps=number_steps(recorder.steps),
        phases=recorder.client.role.phases,
        subtitle=f"{suite.name}: {KEY_EXCHANGE[suite.key_exchange.name.lower()].sentence}.",
        secrets=tuple(recorder.client.key_log),
        meta={"suite": suite.name, "rogue": rogue},
    )
