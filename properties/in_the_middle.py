"""The man in the middle, executed: our client, our server, and between them an attacker that is an end of two
connections. It shows the client a certificate of its own for the server's name, and is the server's client itself.

The attacker has no key of the server's and breaks no cryptography: it runs our own TLS, once as a server and once as a
client. Whether it reads anything depends on the client alone. Beside the client runs its table, which is told what the
attacker's chain is; where the client goes on although the table does not allow it, the property that broke is noted.
The connections are pipes in memory, each way taking LATENCY_S.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.http import HttpsClient, HttpsServer, Request, Response
from shakeproof.impl.tls import ClientConnection, Credential, ServerConfig, ServerConnection
from shakeproof.impl.tls.config import ValidationOutcome
from shakeproof.impl.tls.events import ApplicationDataReceived
from shakeproof.impl.tls.records import Record
from shakeproof.impl.tls.suites import CipherSuite
from shakeproof.impl.x509 import Result, Validator, verifier_for_tls
from shakeproof.model.messages import CHAIN, KEY_EXCHANGE, Alert, ApplicationData, Certificate
from shakeproof.model.notation import Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Fate, Kind, Lane, Line, Phase, Step, Trace, number_steps
from shakeproof.properties.adversary import ATTACKER
from shakeproof.properties.executed import CLIENT, LATENCY_S, PAGE, SERVER, read_record, title_of
from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import CertificateDefect
from shakeproof.properties.mapper.context import Context, Options
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.safety import PROPERTIES, SERVER_AUTHENTICATED
from shakeproof.properties.targets.ours import NOW, make_client, make_server, seeded
from shakeproof.properties.validated import lines_of

HELLO, KEYS, DATA, CLOSE = "hello", "keys", "data", "close"

FORM = "user=alice&password=correct+horse"
"""What the client tells the server it believes in."""

KEYS_OF = {CLIENT: "session keys K1", SERVER: "session keys K2"}
"""What protects the connection between the attacker and each of them."""

STEPS_MOST = 1000
"""Deliveries of one run: it takes some thirty; a loop would not end."""


@dataclass(eq=False)
class _End:
    """One end of one connection.

    receive: takes bytes; keys: what protects its records is called; waiting: data until it is connected.
    """

    lane: str
    tls: ClientConnection | ServerConnection
    receive: Callable[[bytes], object]
    send: Callable[[], bytes]
    keys: str
    peer: _End | None = None
    waiting: bytes = b""


@dataclass
class InTheMiddle:
    """A run of the attack. rogue: of the client; suite: what all three speak."""

    suite: CipherSuite
    rogue: str = ""
    steps: list[Step] = field(default_factory=list)
    now_s: float = 0.0
    phase: str = HELLO

    def __post_init__(self) -> None:
        name = certificates.SERVER_NAME
        forged = certificates.chain("rsa", frozenset({CertificateDefect.UNTRUSTED}), name)
        client = make_client(ROGUES[self.rogue] if self.rogue else None, suites=(self.suite,))
        front = ServerConnection(
            ServerConfig(
                credentials=(Credential(forged.der, forged.private_key),),
                entropy=seeded(b"attacker, as a server"),
                clock=lambda: NOW,
            )
        )
        back = make_client(seed=b"attacker, as a client", suites=(self.suite,))
        server = make_server()
        self.client = HttpsClient(client, name)
        self.server = HttpsServer(server, serve)
        # Certificates are judged as the client would: that is what an observer with its trust anchors sees.
        self.observer = Context("server", Options(server_name=name, watches=True))
        self.observer.suite = self.suite
        self.oracle = Oracle(ROLES["tls12.client"])
        self.objection = ""
        """What the client's table allowed, where the client did something else."""
        self._queue: list[tuple[float, int, _End, bytes]] = []
        self._serial = itertools.count()
        self._validated = False
        ends = (
            _End(CLIENT, client, self.client.receive_data, self.client.data_to_send, KEYS_OF[CLIENT]),
            _End(ATTACKER, front, self._front_receives, front.data_to_send, KEYS_OF[CLIENT]),
            _End(ATTACKER, back, self._back_receives, back.data_to_send, KEYS_OF[SERVER]),
            _End(SERVER, server, self.server.receive_data, self.server.data_to_send, KEYS_OF[SERVER]),
        )
        self.at_client, self.front, self.back, self.at_server = ends
        for one, other in ((self.at_client, self.front), (self.back, self.at_server)):
            one.peer, other.peer = other, one
        for end in ends:
            self._watch(end)
        watch_validation(client, lambda title, lines: self._act(CLIENT, title, lines))

    # ------------------------------------------------------------------------------------------------------- running

    def run(self) -> None:
        """The attack, until nothing is under way any more."""
        self.client.start()
        self.client.request("POST", "/login", body=FORM.encode())
        self._flush()
        for _ in range(STEPS_MOST):
            if not self._queue:
                return
            self.now_s, _, end, data = heapq.heappop(self._queue)
            with contextlib.suppress(RemoteProtocolError):  # it ended, and its alert is in what it sends
                end.receive(data)
            self._flush()
        raise AssertionError("the run does not end")

    def _flush(self) -> None:
        for end in (self.at_server, self.back, self.front, self.at_client):
            if self._is_held_back(end):
                continue
            data = end.send()
            if data and end.peer is not None:
                heapq.heappush(self._queue, (self.now_s + LATENCY_S, next(self._serial), end.peer, data))

    def _is_held_back(self, end: _End) -> bool:
        """The attacker answers the client once it has the server's flight, and the server once the client is fooled."""
        if end is self.front:
            return not self.back.tls.negotiated.peer_certificates
        return end is self.back and bool(end.tls.negotiated.peer_certificates) and not self.front.tls.is_connected

    def _front_receives(self, data: bytes) -> None:
        events = self.front.tls.receive_data(data)
        if not self.back.tls.negotiated.peer_certificates and isinstance(self.back.tls, ClientConnection):
            self.back.tls.start()
        self._pass_on(events, self.back)

    def _back_receives(self, data: bytes) -> None:
        self._pass_on(self.back.tls.receive_data(data), self.front)

    def _pass_on(self, events: object, onward: _End) -> None:
        """Application data goes on to the other side; the attacker has read it then."""
        assert isinstance(events, list)
        data = b"".join(event.data for event in events if isinstance(event, ApplicationDataReceived))
        if data:
            self._act(ATTACKER, "Read, and send on", readable(data))
            onward.waiting += data
        for end in (self.front, self.back):
            if end.waiting and end.tls.is_connected:
                end.tls.send_application_data(end.waiting)
                end.waiting = b""

    # ------------------------------------------------------------------------------------------------------ watching

    def _watch(self, end: _End) -> None:
        """Note what the end opens."""

        def hear(data: bytes, came: Record | RemoteProtocolError) -> None:
            if isinstance(came, Record) and end.peer is not None:
                self._note(end.peer, end, came, data, protected=end.tls.reader.is_protected)

        end.tls.reader.listener = hear

    # -------------------------------------------------------------------------------------------------------- noting

    def _note(self, sender: _End, receiver: _End, record: Record, raw: bytes, *, protected: bool) -> None:
        for symbol, detail in read_record(record, self.observer, self.suite):
            ours = self.at_client in (sender, receiver)
            forged = sender is self.front
            defect: tuple[str, ...] = ()
            if symbol.message is Certificate and forged:
                symbol = Certificate.symbol(CHAIN["untrusted"])
                defect = tuple(value.name.upper() for value in symbol.defects)
            title = http_title(record.fragment) if symbol.message is ApplicationData else title_of(symbol)
            before = self.oracle.state_text
            judged = ours and not self.objection
            if judged:
                self._judge(symbol, sent=sender is self.at_client)
            if symbol.message is ApplicationData:
                self.phase = DATA
                detail = f"{symbol.message.name}, {detail}"
            elif symbol.message is Alert and self.phase == DATA:
                self.phase = CLOSE
            elif self._validated and symbol.message is not Alert and self.phase == HELLO:
                self.phase = KEYS
            self.steps.append(
                Step(
                    len(self.steps) + 1,
                    sender=sender.lane,
                    receiver=receiver.lane,
                    layer="tls",
                    message=symbol.message.name,
                    title=title,
                    defect=defect,
                    fate=Fate.FORGED if forged and not protected else Fate.DELIVERED,
                    detail=detail,
                    data=raw,
                    time_s=round(self.now_s - LATENCY_S, 6),
                    received_s=round(self.now_s, 6),
                    protection=receiver.keys if protected else "",
                    phase=self.phase,
                    before={CLIENT: before} if judged else {},
                    after={CLIENT: self.oracle.state_text} if judged else {},
                    clause=symbol.message.source,
                )
            )
            raw = b""

    def _judge(self, symbol: Symbol, *, sent: bool) -> None:
        allowed = self.oracle.expected()
        if sent and not self.oracle.send(symbol):
            self.objection = ", ".join(allowed)
        elif not sent:
            self.oracle.receive(symbol)
        if not self.objection and not self.oracle.possible[0].must_send:
            self.oracle.quiet()

    def _act(self, lane: str, title: str, lines: tuple[Line, ...]) -> None:
        self._validated = self._validated or lane == CLIENT
        time_s = round(self.now_s - LATENCY_S, 6)
        clause = "5280 §6.1" if lane == CLIENT else ""
        self.steps.append(
            Step(
                len(self.steps) + 1, Kind.ACTION, lane, layer="tls", title=title, lines=lines, phase=self.phase,
                time_s=time_s, clause=clause,
            )
        )  # fmt: skip

    # ----------------------------------------------------------------------------------------------------- the trace

    def trace(self) -> Trace:
        """What happened, with what it means at the step where it shows."""
        return picture_of(self.steps, self.objection, self.suite, self.rogue)


def picture_of(happened: Sequence[Step], allowed: str, suite: CipherSuite, rogue: str, found: str = "") -> Trace:
    """The run, with what it means at the step where it shows.

    allowed: what the client's table let it do where it did something else; found: how the way was found, a sentence.
    """
    steps = list(number_steps(happened))
    shown = next((step for step in steps if step.defect), None)
    told_to = next((s for s in steps if s.sender == CLIENT and s.message == ApplicationData.name), None)
    broken = bool(allowed and shown and told_to)
    if shown and told_to and broken:
        note = (
            f"application data went to a peer whose certificate is {', '.join(shown.defect).lower()} "
            f"(step {shown.number}); the table allows {allowed}"
        )
        steps[told_to.number - 1] = replace(told_to, verdict=SERVER_AUTHENTICATED, note=note)
    elif steps and not told_to:
        end = steps[-1]
        steps[-1] = replace(end, note="The client ends the handshake: no key is agreed upon, no data is sent.")
    names = {HELLO: "TLS 1.2 handshake", KEYS: "Session key exchange", DATA: "Encrypted data exchange"}
    names[CLOSE] = "Teardown"
    tints = {HELLO: "tls", KEYS: "key", DATA: "attack" if broken else "data", CLOSE: "close"}
    asides = {HELLO: "two connections", KEYS: "two key exchanges", DATA: f"{SERVER_AUTHENTICATED} broken"}
    kind = KEY_EXCHANGE[suite.key_exchange.name.lower()].sentence
    said = f"{suite.name}: {kind}. {'Broken' if broken else 'Held'}: {PROPERTIES[SERVER_AUTHENTICATED]}."
    return Trace(
        title="Man in the middle: the client skips certificate validation" if broken else
        "Man in the middle, defeated",
        lanes=(
            Lane(CLIENT, "Client", f"rogue {rogue}" if rogue else "shakeproof"),
            Lane(ATTACKER, "Mallory", "on the path", "attacker"),
            Lane(SERVER, "Server", certificates.SERVER_NAME, "server"),
        ),
        steps=tuple(steps),
        phases=tuple(
            Phase(key, title, tints[key], asides.get(key, "") if broken or key != DATA else "")
            for key, title in names.items()
        ),
        subtitle=f"{said} {found}".strip(),
        meta={"suite": suite.name, "rogue": rogue},
    )  # fmt: skip


def watch_validation(client: ClientConnection, act: Callable[[str, tuple[Line, ...]], None]) -> None:
    """Note what the client makes of the chain; where it asks no validator, what a validator would have said."""
    verify, check = client.config.verify, client.check_certificate_chain
    asked: list[object] = []

    def watched_verify(*arguments: Any) -> ValidationOutcome:
        outcome = verify(*arguments)
        asked.append(outcome)
        act("Validate the certificate", lines_of(outcome) if isinstance(outcome, Result) else ())
        return outcome

    def watched_check(chain: tuple[bytes, ...]) -> None:
        try:
            check(chain)
        finally:
            if not asked:
                would = verifier_for_tls(Validator(certificates.anchors()))(chain, certificates.SERVER_NAME, NOW)
                act("Accept without validation", lines_of(would) if isinstance(would, Result) else ())

    client.config = replace(client.config, verify=watched_verify)
    setattr(client, "check_certificate_chain", watched_check)  # noqa: B010  # of this object alone


def serve(request: Request) -> Response:
    """The server's page, whoever asks."""
    return Response(200, (("Content-Type", "text/html"), ("Content-Length", str(len(PAGE)))), PAGE)


def readable(data: bytes) -> tuple[Line, ...]:
    """What an attacker sees first: the first line, and the content."""
    head, _, content = data.decode("latin-1").partition("\r\n\r\n")
    return tuple(Line(text) for text in (head.split("\r\n", 1)[0], *content.split("\n")[:1]))


def http_title(data: bytes) -> str:
    """The first line of an HTTP message; "" for other data."""
    head = data.split(b"\r\n", 1)[0].decode("ascii", "replace")
    return " ".join(head.split()[:2]) if head.startswith("HTTP/") else head if " HTTP/" in head else ""


def in_the_middle_run(suite: CipherSuite, rogue: str = "") -> Trace:
    """The attack on our client, clean or with a fault planted, executed."""
    run = InTheMiddle(suite, rogue)
    run.run()
    return run.trace()
