"""HTTPS: how roles, layers and network compose.

Four machines run on the client's side and three on the server's, one above the other. None looks into another: what
happens below is told upwards, and what is wanted is asked downwards, through the ports that `PORTS` names.

    http.client          http.server        requests and responses
    tls12.client         tls12.server       records and handshake messages      certificate: is the chain accepted?
    tcp                  tcp                segments
    the network: delivers, loses, delays, repeats, and lets an attacker read and write

Upwards: a connection that is open below is the call by which the layer above begins, data that arrives below is what
the layer above reads, and an end below is an end above. Downwards: what a layer sends is a SEND of the layer below, and
when it has nothing more to say it calls CLOSE there. TCP preserves order and content but protects neither against an
attacker; TLS detects every change, and what it can't protect is the end: a TCP connection that ends without
close_notify is reported upwards as cut off, never as an end in order.

Certificates: while the TLS client waits for the server's chain, the certificate machine runs from START to its
verdict. The verdict is not a message on the wire: it is what the `chain` fact says of the Certificate message that
the TLS client reads, and `chain_fact` maps the defects that this fact tells apart. Which alert follows is the TLS
client's table to say; the certificate table names the same ones, and a test holds the two together.

The layers are tested and explored apart, each over an abstract layer below: TLS over a pipe that keeps order, TCP over
a network that does not. What such a pipe stands for is exactly the ports below it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from shakeproof.model import certificate_checks as checks
from shakeproof.model import tcp as tcp_table
from shakeproof.model import tcp_segments
from shakeproof.model.facts import ModelError, Value
from shakeproof.model.messages import (
    bad_signature,
    broken_chain,
    expired,
    issuer_not_ca,
    missing_intermediate,
    name_excluded,
    no_san,
    not_yet_valid,
    pathlen_exceeded,
    self_signed_leaf,
    trusted,
    unknown_critical,
    untrusted,
    weak_hash,
    wrong_eku,
    wrong_name,
    wrong_usage,
)
from shakeproof.model.trace import Lane, Phase, Step, Trace
from shakeproof.model.walk import Event, start, walk


@dataclass(frozen=True)
class Layer:
    """A layer. below: the layer that carries it, "" for the network; client, server: names of roles, "" for none."""

    name: str
    title: str
    client: str
    server: str
    below: str


LAYERS = (
    Layer("http", "HTTP/1.1", "http.client", "http.server", "tls12"),
    Layer("tls12", "TLS 1.2", "tls12.client", "tls12.server", "tcp"),
    Layer("certificate", "Certificate validation", "certificate", "", "tls12"),
    Layer("tcp", "TCP", "tcp", "tcp", ""),
)


@dataclass(frozen=True)
class Port:
    """Where one machine's doing is another's input.

    name: stable; source, target: layers, or "application" above all; side: "client", "server" or "both"; when: what
    happens in the source, and does: what that is in the target, each a kind ("state" entered, "call", "sends" or
    "reads" a message, the "fact" that a message says) with a name of that table, "" for any; sentence: in words.
    """

    name: str
    source: str
    target: str
    side: str
    when: tuple[str, str]
    does: tuple[str, str]
    sentence: str


# fmt: off
PORTS = (
    Port("open", "application", "tcp", "client", ("call", "connect"), ("call", "active OPEN"),
         "to reach a server, the client opens a TCP connection"),
    Port("listen", "application", "tcp", "server", ("call", "listen"), ("call", "passive OPEN"),
         "a server listens for TCP connections"),
    Port("connect", "tcp", "tls12", "client", ("state", "ESTABLISHED"), ("call", "connect"),
         "once TCP is ESTABLISHED, the TLS client sends its ClientHello"),
    Port("transmit", "tls12", "tcp", "both", ("sends", ""), ("call", "SEND"),
         "records go out as TCP data; where one segment ends means nothing to TLS"),
    Port("deliver", "tcp", "tls12", "both", ("reads", "Segment"), ("reads", ""),
         "TCP delivers data in order, and the record layer cuts records, and messages, out of it"),
    Port("judge", "tls12", "certificate", "client", ("reads", "Certificate"), ("call", "validate"),
         "the server's chain is validated when it arrives"),
    Port("accept", "certificate", "tls12", "client", ("state", "ACCEPTED"), ("fact", "chain"),
         "a chain that is accepted is a `trusted` one"),
    Port("reject", "certificate", "tls12", "client", ("state", "REJECTED"), ("fact", "chain"),
         "the defects for which a chain is rejected are those of the Certificate message"),
    Port("ready", "tls12", "http", "client", ("state", "CONNECTED"), ("call", "request"),
         "requests are sent once TLS is CONNECTED, and not before"),
    Port("protect", "http", "tls12", "both", ("sends", ""), ("call", "write"),
         "what HTTP sends is application data of TLS"),
    Port("unprotect", "tls12", "http", "both", ("reads", "ApplicationData"), ("reads", ""),
         "application data that TLS has verified is what HTTP reads"),
    Port("finish", "http", "tls12", "both", ("sends", "Closed"), ("call", "close"),
         "to end its side, HTTP has TLS send close_notify"),
    Port("finished", "tls12", "http", "both", ("reads", "Alert"), ("reads", "Closed"),
         "close_notify is an end in order; an end of TCP without it is an end that is cut off"),
    Port("hang_up", "tls12", "tcp", "both", ("state", "CLOSED"), ("call", "CLOSE"),
         "when TLS is closed, nothing more is sent, and TCP is closed"),
    Port("break_off", "tls12", "tcp", "both", ("state", "ABORTED"), ("call", "CLOSE"),
         "after a fatal alert nothing more is sent, and TCP is closed"),
)
# fmt: on

_TOLD_AS: dict[Value, tuple[Value, ...]] = {
    broken_chain: (checks.malformed,),
    untrusted: (checks.untrusted_root,),
    self_signed_leaf: (checks.self_signed_leaf,),
    missing_intermediate: (checks.missing_intermediate,),
    bad_signature: (checks.bad_signature,),
    expired: (checks.expired,),
    not_yet_valid: (checks.not_yet_valid,),
    issuer_not_ca: (checks.issuer_not_ca, checks.issuer_key_usage),
    pathlen_exceeded: (checks.pathlen_exceeded,),
    wrong_usage: (checks.leaf_key_usage,),
    wrong_eku: (checks.wrong_eku,),
    name_excluded: (checks.name_excluded,),
    unknown_critical: (checks.unknown_critical,),
    wrong_name: (checks.wrong_name, checks.bad_wildcard),
    no_san: (checks.no_san,),
    weak_hash: (checks.weak_hash,),
}
"""What TLS is told of: each value of the `chain` fact with the defects of the certificate table that it stands for.

To TLS, an issuer whose key may not sign is no certification authority for what it issued.
"""

DEFECTS: dict[Value, Value] = {defect: told for told, defects in _TOLD_AS.items() for defect in defects}
"""Each defect of which TLS is told -> the value of the `chain` fact that the TLS client sees."""

UNTOLD: tuple[Value, ...] = tuple(defect for defect in checks.DEFECTS.values() if defect not in DEFECTS)
"""Defects that end a handshake as well, but for which the `chain` fact has no value: suites of TLS don't try them."""


def chain_fact(defects: Iterable[Value]) -> tuple[Value, ...]:
    """The values of the `chain` fact for these defects of the certificate table; trusted where there is none."""
    found = list(defects)
    unknown = [defect.name for defect in found if defect not in DEFECTS]
    if unknown:
        raise ModelError(f"the chain fact has no value for {unknown}; it has values for {[d.name for d in DEFECTS]}")
    return tuple(dict.fromkeys(DEFECTS[defect] for defect in found)) or (trusted,)


def layer(name: str) -> Layer:
    """The layer of that name."""
    found = next((each for each in LAYERS if each.name == name), None)
    if found is None:
        raise ModelError(f"there is no layer {name!r}; layers are {', '.join(each.name for each in LAYERS)}")
    return found


# ------------------------------------------------------------------------------------------------- TCP from the table
TCP_PHASE = Phase("tcp", "TCP handshake", "tcp", "RFC 9293, from the table")
CLOSE_PHASE = Phase("close", "Teardown", "close", "RFC 9293, from the table")


def tcp_steps(client: str = "client", server: str = "server") -> tuple[Step, ...]:
    """An honest TCP connection from the table: three-way handshake, then close, client first, and TIME-WAIT.

    client, server: lanes. Phases are those of TCP_PHASE and CLOSE_PHASE; what runs over TCP belongs between them.
    """
    tcp = tcp_table.tcp
    parties = (start(client, tcp), start(server, tcp, tcp_segments.passive_open))
    return walk(
        parties,
        (
            Event(client, tcp_segments.active_open, TCP_PHASE.key),
            Event(client, tcp_segments.CLOSE, CLOSE_PHASE.key),
            Event(server, tcp_segments.CLOSE, CLOSE_PHASE.key),
            Event(client, tcp_segments.TIME_WAIT_TIMER, CLOSE_PHASE.key, "2 MSL pass"),
        ),
        layer="tcp",
    )


def tcp_handshake(client: str = "client", server: str = "server") -> tuple[Step, ...]:
    """The steps of `tcp_steps` that open the connection."""
    return tuple(step for step in tcp_steps(client, server) if step.phase == TCP_PHASE.key)


def tcp_teardown(client: str = "client", server: str = "server") -> tuple[Step, ...]:
    """The steps of `tcp_steps` that close it; they keep their numbers."""
    return tuple(step for step in tcp_steps(client, server) if step.phase == CLOSE_PHASE.key)


def tcp_trace() -> Trace:
    """The whole honest TCP connection as a trace of its own."""
    return Trace(
        title=f"{tcp_table.tcp.title}: handshake and close",
        subtitle="No times and no sequence numbers.",
        lanes=(Lane("client", "Client", side="client"), Lane("server", "Server", side="server")),
        steps=tcp_steps(),
        phases=(TCP_PHASE, CLOSE_PHASE),
        origin="table",
    )
