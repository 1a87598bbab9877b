"""Traces that show everything a sequence chart can show. Made up for drawing: no source of facts."""

from __future__ import annotations

from dataclasses import replace

from shakeproof.model.trace import Check, Fate, Kind, Lane, Line, Phase, Step, Trace

C, S, A = "client", "server", "mallory"
CLIENT = Lane(C, "Client", "browser", "client")
SERVER = Lane(S, "Server", "example.com:443", "server")
MALLORY = Lane(A, "Mallory", "on the path", "attacker")
KEYS = "the session keys"


def message(
    sender: str, receiver: str, name: str, detail: str = "", time: float | None = None, **fields: object
) -> Step:
    step = Step(0, Kind.MESSAGE, sender, receiver, message=name, detail=detail, time_s=time)
    return replace(step, **fields)  # type: ignore[arg-type]


def action(lane: str, title: str, phase: str, *lines: Line, detail: str = "", clause: str = "") -> Step:
    return Step(0, Kind.ACTION, lane, title=title, phase=phase, lines=lines, detail=detail, clause=clause)


def _numbered(steps: list[Step]) -> tuple[Step, ...]:
    """Messages numbered from 1, other steps not at all."""
    out, count = [], 0
    for step in steps:
        if step.kind is Kind.MESSAGE:
            count += 1
            step = replace(step, number=count)
        out.append(step)
    return tuple(out)


FULL_PHASES = (
    Phase("tcp", "TCP handshake", "tcp", "RFC 9293"),
    Phase("tls", "TLS 1.2 handshake", "tls", "RFC 5246"),
    Phase("cert", "Certificate validation", "cert", "RFC 5280, RFC 9525"),
    Phase("key", "Session key exchange", "key", "RSA key transport"),
    Phase("data", "Encrypted data exchange", "data", "HTTP over TLS"),
    Phase("close", "Teardown", "close", "close_notify, then FIN"),
)


def full() -> Trace:
    """18 messages, three cards, tunnels, states and a stretch of time."""
    tcp: dict[str, object] = {"phase": "tcp", "clause": "RFC 9293 section 3.5"}
    end: dict[str, object] = {"phase": "close", "clause": "RFC 9293 section 3.6"}

    def tls(phase: str, section: str, **more: object) -> dict[str, object]:
        return {"phase": phase, "clause": f"RFC 5246 section {section}", **more}

    steps = [
        message(C, S, "SYN", "seq=1000", 0.0, **tcp, before={C: "CLOSED", S: "LISTEN"},
                after={C: "SYN-SENT", S: "SYN-RECEIVED"}),
        message(S, C, "SYN-ACK", "seq=5000  ack=1001", 0.021, **tcp),
        message(C, S, "ACK", "ack=5001", 0.022, **tcp, after={C: "ESTABLISHED", S: "ESTABLISHED"}),
        message(C, S, "ClientHello", "TLS 1.2, client_random, 2 cipher suites", 0.022, **tls("tls", "7.4.1.2")),
        message(S, C, "ServerHello", "server_random, TLS_RSA_WITH_AES_128_GCM_SHA256", 0.043, **tls("tls", "7.4.1.3")),
        message(S, C, "Certificate", "example.com, issued by Example CA", 0.043, **tls("cert", "7.4.2")),
        message(S, C, "ServerHelloDone", "", 0.043, **tls("cert", "7.4.5")),
        action(C, "Validate certificate", "cert", Line("chain leads to a trusted CA", Check.PASSED),
               Line("not expired: 2026-01-01 to 2026-12-31", Check.PASSED),
               Line("name matches example.com", Check.PASSED), clause="RFC 5280 section 6.1"),
        action(C, "Generate pre-master secret", "key", detail="encrypt it with the server's public key"),
        message(C, S, "ClientKeyExchange", "RSA-encrypted pre-master secret", 0.047, **tls("key", "7.4.7.1")),
        action(S, "Decrypt with the private key", "key", detail="both sides derive the same session keys"),
        message(C, S, "ChangeCipherSpec", "", 0.047, **tls("key", "7.1")),
        message(C, S, "Finished", "verify_data over the handshake", 0.047, **tls("key", "7.4.9", protection=KEYS)),
        message(S, C, "ChangeCipherSpec", "", 0.069, **tls("key", "7.1")),
        message(S, C, "Finished", "verify_data over the handshake", 0.069, **tls("key", "7.4.9", protection=KEYS)),
        message(C, S, "GET / HTTP/1.1", "application_data, 117 bytes", 0.070, phase="data", protection=KEYS,
                clause="RFC 9112 section 3"),
        message(S, C, "200 OK", "application_data, 1 304 bytes", 0.094, phase="data", protection=KEYS,
                clause="RFC 9112 section 4"),
        message(C, S, "close_notify", "Alert, level warning", 0.095, **tls("close", "7.2.1", protection=KEYS)),
        message(C, S, "FIN-ACK", "", 0.095, **end, after={C: "FIN-WAIT-1", S: "CLOSE-WAIT"}),
        message(S, C, "FIN-ACK", "", 0.117, **end),
        message(C, S, "ACK", "", 0.117, **end, after={C: "TIME-WAIT", S: "CLOSED"}),
        Step(0, Kind.TIME, title="2 MSL pass", phase="close"),
    ]  # fmt: skip
    return Trace(
        "HTTPS: the full interaction", (CLIENT, SERVER), _numbered(steps), FULL_PHASES, "TCP + TLS 1.2 + HTTP/1.1"
    )


def hostile() -> Trace:
    """Every fate of a message; the first one is overtaken by two others."""
    phase: dict[str, object] = {"phase": "open"}
    steps = [
        message(C, S, "Data A", "seq=1001 len=500", 0.1, **phase, fate=Fate.LATE, received_after=3),
        message(C, S, "Data B", "seq=1501 len=500", 0.101, **phase),
        message(S, C, "ACK", "ack=1001 duplicate", 0.122, **phase),
        message(S, C, "ACK", "ack=2001", 0.14, **phase),
        message(C, S, "Data C", "seq=2001 len=300", 0.15, **phase, fate=Fate.LOST),
        Step(0, Kind.TIME, title="retransmission timeout, 1 s", phase="open"),
        message(C, S, "Data A", "seq=1001 len=500, outside the window", 1.3, **phase, fate=Fate.REPLAYED),
        message(C, S, "RST", "seq=9999, not at RCV.NXT", 1.4, **phase, fate=Fate.FORGED),
        message(C, S, "Record", "bad MAC", 1.5, **phase, fate=Fate.REJECTED, defect=("BAD_MAC",)),
        message(C, S, "Record", "bit 3 flipped", 1.6, **phase, fate=Fate.TAMPERED, after={S: "CLOSED"}),
    ]
    phases = (Phase("open", "Established", "tcp", "reordering, loss, replay and forgery"),)
    return Trace("TCP on a hostile network", (CLIENT, SERVER), _numbered(steps), phases)


def crossing() -> Trace:
    """Two late messages that cross each other, and every other fate of what overtakes them."""
    phase: dict[str, object] = {"phase": "open"}
    steps = [
        message(C, S, "Data A", "seq=1001 len=500", 0.1, **phase, fate=Fate.LATE, received_after=6),
        message(C, S, "Data B", "seq=1501 len=500, ahead", 0.101, **phase, fate=Fate.LOST),
        message(C, S, "Data C", "seq=2001 len=500, ahead", 0.102, **phase),
        message(S, C, "ACK", "ack=1001, duplicate", 0.122, **phase, fate=Fate.LATE, received_after=8),
        message(S, C, "RST", "seq=9999", 0.14, **phase, fate=Fate.FORGED),
        message(C, S, "Data Z", "seq=1 len=500, old", 0.15, **phase, fate=Fate.REPLAYED),
        message(S, C, "ACK", "ack=2001", 0.16, **phase, fate=Fate.TAMPERED),
        message(S, C, "ACK", "ack=2002, the checksum does not fit", 0.17, **phase, fate=Fate.REJECTED),
        message(C, S, "Data D", "seq=2501", 0.2, **phase),
    ]
    return Trace("Crossing", (CLIENT, SERVER), _numbered(steps), (Phase("open", "Open", "tcp"),))


def mitm() -> Trace:
    """Three lanes, two tunnels side by side whose keys the attacker knows, a failed card and a verdict."""
    phases = (Phase("tls", "TLS 1.2 handshake", "tls"), Phase("data", "Encrypted data exchange", "attack"))
    one, two = "session key K1", "session key K2"
    steps = [
        message(C, A, "ClientHello", "SNI example.com", phase="tls"),
        message(A, S, "ClientHello", "SNI example.com", phase="tls", fate=Fate.TAMPERED),
        message(A, C, "Certificate", "self-signed by Mallory", phase="tls", fate=Fate.FORGED),
        action(C, "Accept without validation", "tls", Line("chain leads to a trusted CA", Check.FAILED),
               Line("name matches example.com", Check.PASSED)),
        message(C, A, "POST /login", "alice / secret", phase="data", protection=one),
        action(A, "Read and change", "data", detail="decrypt with K1, re-encrypt with K2"),
        message(A, S, "POST /login", "alice / secret", phase="data", protection=two, fate=Fate.TAMPERED),
        message(S, A, "200 OK", phase="data", protection=two),
        message(A, C, "200 OK", phase="data", protection=one, verdict="server_authenticated",
                note="the client sent application data to a peer whose certificate no trusted CA signed"),
    ]  # fmt: skip
    lanes = (CLIENT, MALLORY, SERVER)
    return Trace("Man in the middle", lanes, _numbered(steps), phases, origin="counterexample")


def long(count: int) -> Trace:
    """Plain messages, forwards and backwards."""
    steps = tuple(
        message(*((C, S) if number % 3 else (S, C)), f"Segment {number}", f"seq={number}", number / 100, number=number)
        for number in range(1, count + 1)
    )
    return Trace("Long", (CLIENT, SERVER), steps)
