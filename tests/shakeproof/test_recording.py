"""A connection's trace: its states are the table's, where the oracle has them, and what is done stands in its place."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls import ClientConfig, ClientConnection, ServerConnection, Session, SessionCache, TicketKeys
from shakeproof.impl.x509 import verifier_for_tls
from shakeproof.material import client_validator, server_validator
from shakeproof.model.facts import Value
from shakeproof.model.messages import (
    ASKS,
    CertificateVerify,
    ClientHello,
    Finished,
    ServerHello,
    acceptable,
    extended,
    match,
    proper,
    proven,
)
from shakeproof.model.notation import Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.roles import ROLES
from shakeproof.model.trace import Kind, Trace
from shakeproof.properties.mapper.certificates import CertificateDefect, anchors
from shakeproof.properties.mapper.readings import Reading
from shakeproof.recording import CLIENT, Recorder
from shakeproof.refusals import IN_THE_TABLE, table_state
from tests.shakeproof.sockets import credential_for, defective, server_config

TABLE = ROLES["tls12.client"]
NAME = "localhost"


class Listener(Recorder):
    """Also keeps the symbols, in the order of the trace's messages."""

    def __init__(self, tls: ClientConnection) -> None:
        self.symbols: list[Symbol] = []
        super().__init__(tls, tls.config.server_name)

    def _read(self, sender: str, content_type: int, fragment: bytes) -> list[Reading]:
        readings = super()._read(sender, content_type, fragment)
        self.symbols += [reading.symbol for reading in readings]
        return readings


def client_config(**changes: Any) -> ClientConfig:
    given: dict[str, Any] = {"server_name": NAME, "verify": verifier_for_tls(server_validator(anchors()))} | changes
    return ClientConfig(**given)


def talk(listener: Listener, server: ServerConnection, *, renegotiates: bool = False) -> None:
    """A handshake, a word each way, and the end."""
    client = listener.tls
    client.start()
    carry(client, server)
    if renegotiates:
        client.renegotiate()
        carry(client, server)
    if client.is_connected:
        client.send_application_data(b"one")
        server.send_application_data(b"two")
        carry(client, server)
        client.close()
        carry(client, server)


def carry(client: ClientConnection, server: ServerConnection) -> None:
    """Bytes both ways until there are none."""
    while data := client.data_to_send():
        for end, given in ((server, data), (client, None)):
            try:
                end.receive_data(given if given is not None else server.data_to_send())
            except RemoteProtocolError:
                continue


def states(trace: Trace) -> list[str]:
    """The client's, one after the other."""
    found: list[str] = []
    for step in trace.steps:
        for at in (step.before, step.after):
            if CLIENT in at and found[-1:] != [at[CLIENT]]:
                found.append(at[CLIENT])
    return found


UNSEEN: dict[Any, tuple[Value, ...]] = {
    ClientHello: (acceptable, extended),
    ServerHello: (proper,),
    CertificateVerify: (proven,),
    Finished: (match,),
}
"""What the recorder, who has no keys and keeps no session, can't tell: here both ends accepted it."""


def accepted(symbol: Symbol, asks: str) -> Symbol:
    """The symbol as the two ends saw it. asks: what the first ClientHello asks for."""
    values = UNSEEN.get(symbol.message, ())
    if symbol.message is ClientHello and symbol.has(ASKS["by_unknown"]):
        values = (*values, ASKS[asks])
    return symbol.with_values(*values)


def kept_session(**options: Any) -> Session:
    """What an honest connection leaves."""
    client, server = ClientConnection(client_config()), ServerConnection(server_config(**options))
    client.start()
    carry(client, server)
    assert client.session is not None
    return client.session


@cache
def cases() -> dict[str, tuple[dict[str, Any], dict[str, Any], bool]]:
    """Options of the client, of the server, and whether they negotiate anew."""
    tickets, ids = {"ticket_keys": TicketKeys()}, {"sessions": SessionCache()}
    asking = {
        "client_authentication": "request",
        "verify_client": verifier_for_tls(client_validator(anchors())),
    }
    allow = {"renegotiation": "allow"}
    return {
        "full": ({}, {}, False),
        "ticket": ({}, tickets, False),
        "resumed-by-ticket": ({"session": kept_session(**tickets)}, tickets, False),
        "resumed-by-id": ({"session": kept_session(**ids)}, ids, False),
        "client-certificate": ({"credentials": [credential_for("me", client=True)]}, asking, False),
        "no-client-certificate": ({}, asking, False),
        "one-record-for-all": ({}, {"coalesce": True, **tickets}, False),
        "renegotiation": (allow, allow, True),
        "refused-certificate": (
            {"server_name": "server.shakeproof.test"},
            {"credentials": (defective(CertificateDefect.EXPIRED),)},
            False,
        ),
        "refused-offer": ({"alpn": ("one",)}, {"alpn": ("two",)}, False),
    }


@pytest.mark.parametrize("case", list(cases()))
def test_states_of_a_trace_are_where_the_tables_oracle_is(case: str) -> None:
    client, server, renegotiates = cases()[case]
    listener = Listener(ClientConnection(client_config(**client)))
    talk(listener, ServerConnection(server_config(**server)), renegotiates=renegotiates)
    trace = listener.trace("", "")
    oracle = Oracle(TABLE)
    asks = case.removeprefix("resumed-") if case.startswith("resumed-") else "by_unknown"
    asks = asks.replace("-", "_")
    symbols = iter(listener.symbols)
    seen = 0
    for step in trace.steps:
        if step.kind is Kind.MESSAGE:
            symbol = accepted(next(symbols), asks)
            if step.sender == CLIENT:
                assert oracle.send(symbol), symbol
            else:
                assert oracle.receive(symbol) or oracle.is_over, symbol
        if CLIENT in step.after:
            assert step.after[CLIENT] in {state.name for state in oracle.states}, (symbol, oracle.state_text)
            seen += 1
    assert seen >= 1
    assert states(trace)[-1] in ("CLOSED", "ABORTED")


def test_every_state_of_our_client_is_one_of_the_table() -> None:
    ours = {*ClientConnection.admitted, "START", "CLOSING", "CLOSED"}
    table = {state.name for state in TABLE.states}
    assert {table_state(state) for state in ours} <= table
    assert set(IN_THE_TABLE) == ours - table


def test_every_state_of_our_server_that_is_reported_is_one_of_the_table() -> None:
    assert set(ServerConnection.admitted) <= {state.name for state in ROLES["tls12.server"].states}


@pytest.mark.parametrize("coalesce", [False, True])
def test_certificate_is_validated_before_the_next_state_is_reached(coalesce: bool) -> None:
    listener = Listener(ClientConnection(client_config()))
    talk(listener, ServerConnection(server_config(coalesce=coalesce)))
    titles = [step.label for step in listener.steps]
    at = titles.index("Certificate")
    assert titles[at + 1 : at + 3] == ["Validate the certificate", "ServerKeyExchange"]
    assert not listener.steps[at].after
    assert listener.steps[at + 1].after == {CLIENT: "WAIT_SERVER_KEY_EXCHANGE"}


def test_saved_certificate_is_told_from_one_that_is_shown() -> None:
    tickets = {"ticket_keys": TicketKeys()}
    listener = Listener(ClientConnection(client_config(session=kept_session(**tickets))))
    talk(listener, ServerConnection(server_config(**tickets)))
    judged, hello = listener.steps[:2]
    assert (judged.title, hello.message) == ("Validate the saved certificate", "ClientHello")
    assert judged.lines[0].text == "of the session that is to be resumed"
    assert "Validate the certificate" not in [step.title for step in listener.steps]
