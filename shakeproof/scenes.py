"""Executed runs of our own client and server, as traces for pictures.

Both ends run in memory, over a network whose clock moves only with what crosses it. Every message is noted by the end
that sends it; the other end's table must read it, and names its clause. TCP stands around it as its table says, and
says so, until there is a TCP to execute.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from cryptography import x509
from cryptography.x509.oid import NameOID

from shakeproof.impl.tls import CertificateValidated, ClientConnection, ServerConnection
from shakeproof.impl.tls.alerts import AlertDescription, AlertLevel
from shakeproof.impl.tls.events import Event
from shakeproof.impl.tls.messages import (
    Certificate,
    ClientHello,
    EcdheServerKeyExchange,
    Finished,
    HandshakeType,
    Message,
    ServerHello,
    message_name,
)
from shakeproof.impl.tls.protection import NullProtection
from shakeproof.impl.tls.suites import SUITES, KeyExchange, NamedGroup
from shakeproof.impl.x509.result import Result
from shakeproof.model.facts import Value
from shakeproof.model.https import CLOSE_PHASE, TCP_PHASE, tcp_steps
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import Kind as RowKind
from shakeproof.model.notation import Row
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Check, Kind, Lane, Line, Phase, Step, Trace, number_steps
from shakeproof.properties.mapper.certificates import SERVER_NAME
from shakeproof.properties.mapper.limits import chosen_values
from shakeproof.properties.suites import honest_prefixes, honest_steps
from shakeproof.properties.targets.ours import REQUEST, RESPONSE, make_client, make_server

CLIENT, SERVER = "client", "server"
DELAY_S = 0.010
"""One way across the network: what makes the order of events visible in the times."""

SESSION_KEYS = "the session keys"
DELIVERIES_LIMIT = 100
"""Deliveries before a run counts as endless; an honest one has about 20."""

KeyExchangeName = Literal["rsa", "ecdhe"]
KEY_EXCHANGES: dict[KeyExchangeName, KeyExchange] = {"rsa": KeyExchange.RSA, "ecdhe": KeyExchange.ECDHE}

TITLES = {
    "hello": "TLS 1.2 handshake",
    "certificate": "Certificate validation",
    "keys": "Session key exchange",
    "data": "Encrypted data exchange",
}
"""What the phases of the TLS tables are called where they stand beside those of TCP."""


class SceneError(RuntimeError):
    """Our client and server did not do what the scene shows, or the tables do not read what they said."""


class Reader:
    """One role's table, followed along honest messages."""

    def __init__(self, role: Role, chosen: tuple[Value, ...]) -> None:
        self.role, self.chosen = role, chosen
        self.here: Configuration = next(iter(honest_prefixes(role, chosen)))
        self.last: Row | None = None

    def read(self, message: str) -> Row | None:
        """The row that reads the message; None where the role reads nothing more. Raises SceneError."""
        if self.role.is_final(self.here.state):
            return None
        for symbol, there in honest_steps(self.role, self.here, self.chosen):
            if symbol.message.name == message:
                self.last = self.role.enabled(self.here, symbol)[0]
                self.here = there
                return self.last
        raise SceneError(f"{self.role.name} reads no {message} in {self.here.state.name}; mend the table or the stack")

    def call(self, name: str) -> None:
        """The application's call. Raises SceneError where no row has it."""
        for row in self.role.rows:
            if row.kind is RowKind.CALL and row.pattern.message.name == name and self.here.state in row.states.members:
                self.here = self.role.apply(row, self.here, row.pattern.message.symbol())[0]
                self.last = row
                return
        raise SceneError(f"{self.role.name} has no call {name!r} in {self.here.state.name}")

    @property
    def phase(self) -> str:
        """The key of the phase that the role is in."""
        phase = self.role.phase_of(self.here.state)
        return phase.key if phase else ""


@dataclass
class End:
    """One end of the connection."""

    lane: str
    connection: ClientConnection | ServerConnection
    reader: Reader


class Scene:
    """A run of our client and server. steps: as they arrived; secrets: lines of a key log."""

    def __init__(self, key_exchange: KeyExchangeName = "rsa") -> None:
        wanted = KEY_EXCHANGES[key_exchange]
        chosen = chosen_values(key_exchange)
        self.steps: list[Step] = []
        self.secrets: list[str] = []
        self.clock_s = 0.0
        self._flying: deque[tuple[float, Step]] = deque()
        client, server = make_client(), make_server()
        suites = tuple(suite for suite in SUITES.values() if suite.key_exchange is wanted)
        client.config = replace(client.config, suites=suites, key_log=self.secrets.append)
        self.client = End(CLIENT, client, Reader(ROLES["tls12.client"], chosen))
        self.server = End(SERVER, server, Reader(ROLES["tls12.server"], chosen))
        for end in (self.client, self.server):
            self._listen(end)

    @property
    def suite(self) -> str:
        """The name of the suite that was negotiated."""
        return self.client.connection.chosen_suite.name

    # ------------------------------------------------------------------------------------------------------- the run

    def run(self) -> None:
        """Handshake, one request with its response, closure by the client. Raises SceneError."""
        client, server = self.client.connection, self.server.connection
        if isinstance(client, ClientConnection):
            client.start()
        self._deliver()
        if not (client.is_connected and server.is_connected):
            raise SceneError(f"no handshake: the client is in {client.state}, the server in {server.state}")
        client.send_application_data(REQUEST)
        self._deliver()
        server.send_application_data(RESPONSE)
        self._deliver()
        self.client.reader.call("close")
        client.close()
        self._deliver()
        if client.is_open or server.is_open:
            raise SceneError(f"no closure: the client is in {client.state}, the server in {server.state}")

    def _deliver(self) -> None:
        for _ in range(DELIVERIES_LIMIT):
            if not self._flying:
                return
            at_s, step = self._flying.popleft()
            self.clock_s = max(self.clock_s, at_s)
            sender, receiver = (self.client, self.server) if step.sender == CLIENT else (self.server, self.client)
            # The client's table says how far the connection is, before it reads a message and when it sends one.
            phase = step.phase or self.client.reader.phase
            row = receiver.reader.read(step.message) or sender.reader.last
            self.steps.append(
                replace(
                    step,
                    time_s=round(self.clock_s, 4),
                    phase=phase,
                    row=row.id if row else "",
                    clause=row.clauses[0].short if row else "",
                )
            )
            for event in receiver.connection.receive_data(step.data):
                self._happened(receiver, event)
        raise SceneError(f"the two ends did not fall silent within {DELIVERIES_LIMIT} messages")

    # ---------------------------------------------------------------------------------------------------- taking notes

    def _listen(self, end: End) -> None:
        """Note what the end sends, by the methods of this one object."""
        connection = end.connection
        handshake, switch, alert = connection.send_handshake, connection.send_change_cipher_spec, connection.send_alert
        data, secret = connection.send_application_data, connection.set_master_secret

        def send_handshake(message: Message) -> None:
            if message.handshake_type == HandshakeType.CLIENT_KEY_EXCHANGE:
                self._note_secret_made()
            handshake(message)
            self._sent(end, message_name(message.handshake_type), detail_of(message, connection))

        def send_change_cipher_spec() -> None:
            switch()
            # The message itself goes under the old keys.
            self._sent(end, "ChangeCipherSpec", protected=False)

        def send_alert(level: AlertLevel, description: AlertDescription) -> None:
            alert(level, description)
            self._sent(end, "Alert", f"Alert, level {level.name.lower()}", title=description.label)

        def send_application_data(payload: bytes) -> None:
            data(payload)
            self._sent(end, "ApplicationData", f"application_data, {len(payload)} bytes", title=http_title(payload))

        def set_master_secret(pre_master_secret: bytes) -> None:
            secret(pre_master_secret)
            if end.lane == SERVER:
                self._note_secret_shared()

        for name, method in (
            ("send_handshake", send_handshake),
            ("send_change_cipher_spec", send_change_cipher_spec),
            ("send_alert", send_alert),
            ("send_application_data", send_application_data),
            ("set_master_secret", set_master_secret),
        ):
            setattr(connection, name, method)

    def _sent(self, end: End, message: str, detail: str = "", *, title: str = "", protected: bool = True) -> None:
        connection = end.connection
        step = Step(
            0,
            sender=end.lane,
            receiver=SERVER if end.lane == CLIENT else CLIENT,
            layer="tls",
            message=message,
            title=title,
            detail=detail,
            data=connection.data_to_send(),
            protection=SESSION_KEYS if protected and not isinstance(connection.writer.protection, NullProtection) else "",
            phase=CLOSE_PHASE.key if message == "Alert" else self.client.reader.phase if end.lane == CLIENT else "",
        )
        self._flying.append((self.clock_s + DELAY_S, step))

    def _card(self, lane: str, title: str, lines: Iterable[Line], clause: str = "") -> None:
        self.steps.append(
            Step(
                0,
                Kind.ACTION,
                sender=lane,
                layer="tls",
                message=title,
                lines=tuple(lines),
                time_s=round(self.clock_s, 4),
                phase=self.steps[-1].phase,
                clause=clause,
            )
        )

    def _happened(self, end: End, event: Event) -> None:
        if isinstance(event, CertificateValidated) and isinstance(event.outcome, Result):
            checks = event.outcome.checks
            lines = [Line(check.text, Check.PASSED if check.passed else Check.FAILED) for check in checks]
            self._card(end.lane, "Validate certificate", lines, f"RFC {_RFC_OF_PATHS} section 6.1")

    def _note_secret_made(self) -> None:
        negotiated = self.client.connection.negotiated
        if negotiated.group is None:
            self._card(CLIENT, "Generate pre-master secret", [Line("encrypt it with the server's public key")])
        else:
            group = NamedGroup(negotiated.group).name.lower()
            self._card(CLIENT, "Generate an ephemeral key", [Line(f"{group}: agree on the pre-master secret")])

    def _note_secret_shared(self) -> None:
        if self.client.connection.master_secret != self.server.connection.master_secret:
            raise SceneError("client and server derived different master secrets")
        by_rsa = self.client.connection.negotiated.group is None
        title = "Decrypt with the private key" if by_rsa else "Agree on the pre-master secret"
        self._card(SERVER, title, [Line("both sides derive the same session keys")])


_RFC_OF_PATHS = 5280


def detail_of(message: Message, connection: ClientConnection | ServerConnection) -> str:
    """One line about a handshake message of ours."""
    if isinstance(message, ClientHello):
        count = len(message.cipher_suites)
        name = connection.negotiated.server_name
        return f"TLS 1.2, client_random, {count} cipher suites{f', SNI {name}' if name else ''}"
    if isinstance(message, ServerHello):
        suite = SUITES.get(message.cipher_suite)
        return f"server_random, {suite.name if suite else f'suite 0x{message.cipher_suite:04X}'}"
    if isinstance(message, Certificate) and message.certificates:
        leaf = x509.load_der_x509_certificate(message.certificates[0])
        return f"{_common_name(leaf.subject)}, issued by {_common_name(leaf.issuer)}"
    if isinstance(message, EcdheServerKeyExchange):
        return f"ephemeral public key ({NamedGroup(message.group).name.lower()}), signed"
    if message.handshake_type == HandshakeType.CLIENT_KEY_EXCHANGE:
        return "RSA-encrypted pre-master secret" if connection.negotiated.group is None else "ephemeral public key"
    if isinstance(message, Finished):
        return "verify_data over the handshake"
    return ""


def _common_name(name: x509.Name) -> str:
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def http_title(payload: bytes) -> str:
    """The first line of an HTTP message; a response without its version."""
    return payload.split(b"\r\n", 1)[0].decode("ascii", "replace").removeprefix("HTTP/1.1 ")


# -------------------------------------------------------------------------------------------------------------- traces


def phases() -> tuple[Phase, ...]:
    """The bands of the whole interaction, from the tables; those that were not executed say so."""
    tls = [
        replace(phase, title=TITLES[phase.key]) for phase in ROLES["tls12.client"].phases if phase.key in TITLES
    ]
    return (
        replace(TCP_PHASE, aside=f"{TCP_PHASE.aside}, from the table"),
        *tls,
        replace(CLOSE_PHASE, aside=f"{CLOSE_PHASE.aside} from the table; close_notify executed"),
    )


def https_trace(key_exchange: KeyExchangeName = "rsa") -> Trace:
    """The whole interaction: TCP from its table, TLS 1.2 and HTTP executed."""
    scene = Scene(key_exchange)
    scene.run()
    around = tcp_steps(CLIENT, SERVER)
    opening = [step for step in around if step.phase == TCP_PHASE.key]
    closing = [step for step in around if step.phase != TCP_PHASE.key]
    way = "RSA key transport" if key_exchange == "rsa" else "ECDHE"
    return Trace(
        "HTTPS: the full interaction",
        (Lane(CLIENT, "Client", "shakeproof", "client"), Lane(SERVER, "Server", SERVER_NAME, "server")),
        number_steps([*opening, *scene.steps, *closing]),
        phases(),
        f"TCP + TLS 1.2 with {way} ({scene.suite}) + HTTP/1.1. TLS and HTTP were executed by our client and server over "
        f"a network that takes {DELAY_S * 1000:g} ms each way; TCP is from the table.",
        secrets=tuple(scene.secrets),
        meta={"key_exchange": key_exchange, "suite": scene.suite},
    )


def part(trace: Trace, title: str, keys: Iterable[str], subtitle: str = "") -> Trace:
    """The steps of some phases of a trace, numbered anew."""
    wanted = set(keys)
    steps = number_steps(step for step in trace.steps if step.phase in wanted)
    origin = "executed" if any(step.time_s is not None for step in steps) else "table"
    kept = tuple(phase for phase in trace.phases if phase.key in wanted)
    return replace(trace, title=title, subtitle=subtitle, steps=steps, phases=kept, origin=origin)
