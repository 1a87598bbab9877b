"""HTTPS: how roles, layers and network compose. (ports follow below)"""

from __future__ import annotations

from shakeproof.model import tcp as tcp_table
from shakeproof.model.trace import Lane, Phase, Step, Trace
from shakeproof.model.walk import Event, start, walk

TCP_PHASE = Phase("tcp", "TCP handshake", "tcp", "RFC 9293")
CLOSE_PHASE = Phase("close", "Teardown", "close", "RFC 9293")


def tcp_steps(client: str = "client", server: str = "server") -> tuple[Step, ...]:
    """An honest TCP connection from the table: three-way handshake, then close, client first, and TIME-WAIT.

    client, server: lanes. Phases are those of TCP_PHASE and CLOSE_PHASE; what runs over TCP belongs between them.
    """
    tcp = tcp_table.tcp
    parties = (start(client, tcp), start(server, tcp, tcp_table.passive_open))
    return walk(
        parties,
        (
            Event(client, tcp_table.active_open, TCP_PHASE.key),
            Event(client, tcp_table.CLOSE, CLOSE_PHASE.key),
            Event(server, tcp_table.CLOSE, CLOSE_PHASE.key),
            Event(client, tcp_table.TIME_WAIT_TIMER, CLOSE_PHASE.key, "2 MSL pass"),
        ),
        layer="tcp",
    )
