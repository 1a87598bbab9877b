"""An executed run: our HTTPS client and server over our TCP and a network in memory, all of it written into a trace.

Nothing is made up: a step of TCP is a segment that was sent (see `tap`), a step of TLS a record that one end wrote and
the other opened, an action a method that ran; and both ends have an oracle that must allow the step. Time is virtual:
each way takes LATENCY_S.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.http import Https, HttpsClient, HttpsServer, Request, Response
from shakeproof.impl.network import Link, Stream
from shakeproof.impl.tcp import Endpoint, TcpConfig
from shakeproof.impl.tcp.tcb import ESTABLISHED
from shakeproof.impl.tls import ClientConfig, ClientConnection, ServerConnection, Session
from shakeproof.impl.tls import messages as codec
from shakeproof.impl.tls.config import ValidationOutcome, Verifier
from shakeproof.impl.tls.records import HEADER_LENGTH, Record, split_records
from shakeproof.impl.tls.suites import CipherSuite, ContentType, KeyExchange
from shakeproof.impl.x509 import Result
from shakeproof.model.facts import Value
from shakeproof.model.machine import Role
from shakeproof.model.messages import DESCRIPTION, KEY_EXCHANGE, OFFER, Alert, ApplicationData, ServerHello, bad_mac
from shakeproof.model.notation import Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Kind, Lane, Line, Phase, Step, Trace, number_steps
from shakeproof.properties.mapper import certificates, classify, readings
from shakeproof.properties.mapper.context import Context, Options
from shakeproof.properties.mapper.sessions import Session as Resumable
from shakeproof.properties.rogues import ROGUES, Rogue
from shakeproof.properties.tap import TCP, NotAllowedError, Tap
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import PLAIN, Shared, make_client, make_server
from shakeproof.properties.validated import lines_of

LATENCY_S = 0.02
"""One way through the network, in virtual seconds: a fifth of the way around the world, so that times are readable."""

LIMIT_S = 600.0
"""Virtual seconds for one exchange, and again for its end: 2 MSL are 240."""

CLIENT_IP, SERVER_IP, PORT = "192.0.2.1", "192.0.2.2", 443
"""Addresses for documentation (RFC 5737)."""

OPENING = Phase("tcp", "TCP handshake", "tcp", "RFC 9293")
CLOSING = Phase("close", "Teardown", "close", "RFC 9293")
"""TCP's own phases, around those of TLS."""

CLIENT, SERVER = "client", "server"
SESSION_KEYS = "the session keys"
PAGE = b"<!doctype html><title>shakeproof</title><p>It holds.</p>\n"


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
    (CLIENT, KeyExchange.DHE): Action(
        "send_client_key_exchange", "Generate an ephemeral key", ("agree on the pre-master secret with the server's",)),
    (SERVER, KeyExchange.DHE): Action(
        "agree", "Agree on the pre-master secret", ("with the client's ephemeral key",)),
    (CLIENT, KeyExchange.ECDHE): Action(
        "send_client_key_exchange", "Generate an ephemeral key", ("agree on the pre-master secret with the server's",)),
    (SERVER, KeyExchange.ECDHE): Action(
        "agree", "Agree on the pre-master secret", ("with the client's ephemeral key",)),
}
"""The methods that make the pre-master secret, at each end."""
# fmt: on


@dataclass
class End:
    """One end of the connection."""

    name: str
    https: Https
    role: Role
    key_log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.role)

    @property
    def tls(self) -> ClientConnection | ServerConnection:
        """Its TLS connection."""
        connection = self.https.tls
        if not isinstance(connection, ClientConnection | ServerConnection):
            raise TypeError(f"{type(connection).__name__} is no end of a connection")
        return connection


class Recorder:
    """Two ends on two hosts, whose network has a tap.

    A record is judged when it is opened, for its sender too: a run in which an end reads what forbids what it sent
    before, and what is still on its way, is not for this recorder.
    """

    def __init__(
        self,
        suite: CipherSuite,
        rogue: Rogue | None = None,
        *,
        host: str = certificates.SERVER_NAME,
        page: bytes = PAGE,
        seed: int = 0,
        setup: Setup = PLAIN,
        shared: Shared | None = None,
        session: Session | None = None,
    ) -> None:
        self.suite, self.page = suite, page
        held = Resumable.of(session) if session is not None else None
        self.observer = Context("server", Options(server_name=host, session=held, watches=True))
        self.observer.suite = suite
        client = make_client(rogue, suites=(suite,), setup=setup, session=session)
        server = make_server(rogue, setup=setup, shared=shared)
        self.client = End(CLIENT, HttpsClient(client, host), ROLES["tls12.client"])
        self.server = End(SERVER, HttpsServer(server, self._serve), ROLES["tls12.server"])
        self.tap = Tap(seed, Link(delay_s=LATENCY_S))
        # Nagle's algorithm would hold back the end of each flight, as it does everywhere: HTTPS turns it off. Without
        # timestamps the table's own readings hold; others would have to be compiled first.
        hosts = [
            self.tap.make_host(name, ip, TcpConfig(secret=name.encode(), nagle=False, timestamps=False))
            for name, ip in ((CLIENT, CLIENT_IP), (SERVER, SERVER_IP))
        ]
        self.client_host, self.server_host = hosts
        self.tap.serve(self.server_host.listen(PORT), lambda: _Carried(self.server.https, self))
        self.phase = self.client.role.initial.phase
        for end in (self.client, self.server):
            self._watch(end)

    def run(self) -> None:
        """A request, its response, and the closure. Raises NotAllowedError where an oracle objects."""
        stream = self.open()
        self.request("/")
        self.until(lambda: any(isinstance(event, Response) for event in stream.events), "no response came")
        if self.client.https.is_open:
            self.client.https.close()
        self.finish()

    def open(self) -> Stream:
        """TCP's handshake; TLS's is under way then."""
        client = self._https_client
        connection = self.client_host.connect(Endpoint(SERVER_IP, PORT), self.tap.clock.now_s)
        # Once TCP is ESTABLISHED, and not before: the port `connect` of model/https.py.
        self.until(lambda: connection.state == ESTABLISHED, "TCP did not connect")
        client.start()
        return self.tap.join(connection, _Carried(client, self))

    def request(self, target: str) -> None:
        """A request, which waits for the handshake to be complete."""
        self._https_client.request("GET", target)

    @property
    def _https_client(self) -> HttpsClient:
        if not isinstance(self.client.https, HttpsClient):
            raise TypeError("the client's end has no HTTPS client")
        return self.client.https

    def finish(self) -> None:
        """Until both ends have forgotten the connection."""
        self.until(lambda: not any(host.connections for host in self.tap.hosts.values()), "TCP did not close")

    def until(self, condition: Callable[[], bool], otherwise: str) -> None:
        """Let things happen. Raises NotAllowedError, which says `otherwise`, where they do not."""
        if not self.tap.run_until(condition, LIMIT_S):
            raise NotAllowedError(f"{otherwise} within {LIMIT_S:g} s")

    def _serve(self, request: Request) -> Response:
        headers = (("Content-Type", "text/html"), ("Content-Length", str(len(self.page))))
        return Response(200, headers, self.page)

    # ------------------------------------------------------------------------------------------------------- watching

    def _watch(self, end: End) -> None:
        """Note what the end makes, validates, opens and refuses, and the master secret that it logs."""
        action = ACTIONS[end.name, self.suite.key_exchange]
        make = getattr(end.tls, action.method)

        def noted(*arguments: object) -> object:
            result = make(*arguments)
            self._act(end, action.title, tuple(Line(line) for line in action.lines))
            return result

        setattr(end.tls, action.method, noted)
        end.tls.config = replace(end.tls.config, key_log=end.key_log.append)
        if isinstance(end.tls.config, ClientConfig):
            end.tls.config = replace(end.tls.config, verify=self._watched_verifier(end, end.tls.config.verify))
        end.tls.reader.listener = lambda data, came: self._hear(end, data, came)

    def _watched_verifier(self, end: End, verify: Verifier) -> Verifier:
        def watched(*arguments: Any) -> ValidationOutcome:
            outcome = verify(*arguments)
            if isinstance(outcome, Result):
                # Before anything was sent there is no Certificate message: the chain is that of the session to resume.
                saved = end.oracle.states[0] is end.role.initial
                title = "Validate the saved certificate" if saved else "Validate the certificate"
                lines = (Line("it came in the first connection"),) if saved else ()
                self._act(end, title, (*lines, *lines_of(outcome)), "5280 \u00a76.1")
            return outcome

        return watched

    def _hear(self, end: End, data: bytes, came: Record | RemoteProtocolError) -> None:
        """A record has reached the end, or was refused."""
        sender, protected = self.server if end is self.client else self.client, end.tls.reader.is_protected
        if isinstance(came, RemoteProtocolError):
            self._reject(sender, end, data, came)
        else:
            self._note(sender, end, came, data, protected=protected)

    def _act(self, end: End, title: str, lines: tuple[Line, ...], clause: str = "") -> None:
        self.tap.note(
            end.name,
            Step(
                0,
                Kind.ACTION,
                sender=end.name,
                layer="tls",
                title=title,
                lines=lines,
                phase=self.phase,
                clause=clause,
            ),
        )

    # --------------------------------------------------------------------------------------------------------- noting

    def _note(self, sender: End, receiver: End, record: Record, raw: bytes, *, protected: bool) -> None:
        for symbol, detail in read_record(record, self.observer, self.suite):
            before = {end.name: end.oracle.state_text for end in (sender, receiver)}
            start = receiver.oracle.states[0]
            if not sender.oracle.send(symbol):
                raise NotAllowedError(
                    f"{sender.name} sent {symbol.text}; its table allows {', '.join(sender.oracle.expected())}"
                )
            rows = receiver.oracle.receive(symbol)
            for end in (sender, receiver):
                if not end.oracle.possible[0].must_send:
                    end.oracle.quiet()
            here = self.client.oracle
            phase = start.phase if receiver is self.client else sender.role.phase_of(sender.oracle.states[0])
            if receiver is self.server and sender.oracle.is_accepting and start is not receiver.role.accepting:
                phase = start.phase  # of two flights that end a resumption, the client's is the last
            self.phase = phase if isinstance(phase, str) else (phase.key if phase else "")
            if any(self.client.role.is_final(state) for state in here.states):
                self.phase = here.states[0].phase
            self.tap.note(
                receiver.name,
                Step(
                    0,
                    sender=sender.name,
                    receiver=receiver.name,
                    layer="tls",
                    message=symbol.message.name,
                    title=title_of(symbol),
                    detail=detail,
                    data=raw,
                    protection=SESSION_KEYS if protected else "",
                    phase=self.phase,
                    before=before,
                    after={end.name: end.oracle.state_text for end in (sender, receiver)},
                    row=rows[0].id if rows else "",
                    clause=symbol.message.source or (rows[0].clauses[0].short if rows else ""),
                ),
            )
            raw = b""  # what else the record holds came with it

    def _reject(self, sender: End, receiver: End, data: bytes, error: RemoteProtocolError) -> None:
        """The receiver refused a record of application data that was changed on its way."""
        reading = readings.record(bad_mac)
        before = {end.name: end.oracle.state_text for end in (sender, receiver)}
        if not sender.oracle.send(ApplicationData.symbol()):
            raise NotAllowedError(f"{sender.name} may not send application data in {before[sender.name]}")
        rows = receiver.oracle.receive(reading.symbol)
        (raw,), _ = split_records(data)
        self.tap.note(
            receiver.name,
            Step(
                0,
                sender=sender.name,
                receiver=receiver.name,
                layer="tls",
                message=reading.symbol.message.name,
                defect=tuple(value.name.upper() for value in reading.symbol.defects),
                fate=Fate.REJECTED,
                detail=f"{error.got}, {readings.bytes_text(len(raw.fragment))}",
                data=data[: HEADER_LENGTH + len(raw.fragment)],
                protection=SESSION_KEYS,
                phase=self.phase,
                before=before,
                after={end.name: end.oracle.state_text for end in (sender, receiver)},
                row=rows[0].id if rows else "",
                clause=rows[0].clauses[0].short if rows else "",
            ),
        )

    def entitle(self, event: Request | Response, known: int) -> None:
        """Give the record that completed an HTTP message the name of that message. known: entries before it came."""
        title = f"{event.method} {event.target} HTTP/1.1" if isinstance(event, Request) else f"HTTP/1.1 {event.status}"
        for entry in reversed(self.tap.entries[known:]):
            if entry.step.message == ApplicationData.name:
                detail = f"{entry.step.message}, {entry.step.detail}"
                entry.step = replace(entry.step, title=title, layer="http", detail=detail)
                return

    # ------------------------------------------------------------------------------------------------------ the trace

    def trace(self, title: str) -> Trace:
        """What happened so far."""
        return Trace(
            title=title,
            lanes=(Lane(CLIENT, "Client", "shakeproof"), Lane(SERVER, "Server", certificates.SERVER_NAME, "server")),
            steps=number_steps(_placed(self.tap.steps)),
            phases=(OPENING, *self.client.role.phases, CLOSING),
            subtitle=f"{self.suite.name}: {KEY_EXCHANGE[self.suite.key_exchange.name.lower()].sentence}.",
            secrets=tuple(self.client.key_log),
            meta={"suite": self.suite.name, "addresses": self.tap.addresses},
        )


class _Carried:
    """The HTTPS of an end as TCP carries it: the records that complete an HTTP message get the name of that message."""

    def __init__(self, https: Https, recorder: Recorder) -> None:
        self.https, self.recorder = https, recorder

    @property
    def is_open(self) -> bool:
        return self.https.is_open

    def receive_data(self, data: bytes) -> Sequence[object]:
        known = len(self.recorder.tap.entries)
        events = self.https.receive_data(data)
        for event in events:
            if isinstance(event, Request | Response):
                self.recorder.entitle(event, known)
        return events

    def receive_eof(self) -> Sequence[object]:
        return self.https.receive_eof()

    def data_to_send(self) -> bytes:
        return self.https.data_to_send()


def read_record(record: Record, observer: Context, suite: CipherSuite) -> list[tuple[Symbol, str]]:
    """The symbols of an opened record as the two ends see them, each with a line for people."""
    if record.content_type == ContentType.HANDSHAKE:
        out: list[tuple[Symbol, str]] = []
        rest = record.fragment
        while rest:
            length = codec.HEADER_LENGTH + int.from_bytes(rest[1:4], "big")
            reading = classify.handshake(observer, rest[:length])
            out.append((_agreed(reading.symbol, suite), reading.detail))
            rest = rest[length:]
        return out
    if record.content_type == ContentType.CHANGE_CIPHER_SPEC:
        reading = readings.change_cipher_spec(record.fragment)
    elif record.content_type == ContentType.ALERT:
        reading = readings.alert(record.fragment)
    else:
        reading = readings.application_data(record.fragment)
    return [(_agreed(reading.symbol, suite), reading.detail)]


def _agreed(symbol: Symbol, suite: CipherSuite) -> Symbol:
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
        given[KEY_EXCHANGE] = KEY_EXCHANGE[suite.key_exchange.name.lower()]
    return symbol.message.symbol(*given.values())


def _placed(steps: Sequence[Step]) -> list[Step]:
    """The steps, each segment in a phase: that of what it carries, else of what was before; at the ends, TCP's own."""
    carried: dict[int, str] = {}
    for step in steps:
        if step.carrier is not None and step.layer != TCP and step.kind is not Kind.ACTION:
            carried.setdefault(step.carrier, step.phase)
    out: list[Step] = []
    waiting: list[Step] = []  # what an end does by itself while TCP connects belongs to the record that follows
    phase = OPENING.key
    for step in steps:
        if step.layer != TCP and step.kind is Kind.ACTION and phase == OPENING.key:
            waiting.append(step if step.received_s is None else replace(step, time_s=step.received_s))
            continue
        if step.layer != TCP:
            phase = step.phase
            out += waiting
            waiting = []
        elif phase != CLOSING.key:
            phase = CLOSING.key if step.title.startswith("FIN") else carried.get(step.number, phase)
        out.append(replace(step, phase=phase) if step.layer == TCP else step)
    return out


def title_of(symbol: Symbol) -> str:
    """An alert is known by its description."""
    if symbol.message is not Alert:
        return ""
    return DESCRIPTION.named(symbol.assignment[DESCRIPTION.name])[0].name


def https_run(suite: CipherSuite, rogue: str = "", *, setup: Setup = PLAIN) -> Trace:
    """A whole HTTPS exchange of our client and our server, executed. rogue: with this fault planted.

    setup: whether the client is authenticated; with a session, the run is that of a second connection, which resumes
    what a first one made. Raises NotAllowedError where an end did what its table does not allow.
    """
    planted = ROGUES[rogue] if rogue else None
    shared = Shared(setup)
    recorder = Recorder(suite, planted, setup=setup, shared=shared)
    recorder.run()
    if setup.session:
        session = recorder.client.tls.session
        if session is None:
            raise NotAllowedError("the first connection made no session to resume")
        recorder = Recorder(suite, planted, setup=setup, shared=shared, session=session)
        recorder.run()
    if not recorder.client.key_log or recorder.client.key_log != recorder.server.key_log:
        raise NotAllowedError("the two ends do not have the same master secret")
    trace = recorder.trace("HTTPS over TLS 1.2 over TCP")
    subtitle = trace.subtitle
    if setup.session:
        subtitle = (
            f"{suite.name}. A session by {setup.session} is resumed: no certificate and no key exchange, "
            "new session keys from the master secret of the first connection."
        )
    if setup.client_auth:
        subtitle += " The server asks for a certificate of the client."
    return replace(trace, subtitle=subtitle, meta={**trace.meta, "rogue": rogue})
