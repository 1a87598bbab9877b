"""A second handshake on one connection in the tables of TLS 1.2."""

from __future__ import annotations

import itertools

import pytest

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    Alert,
    ApplicationData,
    ClientHello,
    HelloRequest,
    Record,
    ServerHello,
)
from shakeproof.model.notation import Kind, Symbol
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_server import server
from tests.model.tls12_walks import (
    CCS,
    CLIENT_DHE,
    CLIENT_RSA,
    FINISHED,
    SERVER_DHE,
    SERVER_RSA,
    alerts,
    everywhere,
    full,
    only,
    outcomes,
    sent,
    walk,
)

both = pytest.mark.parametrize("role", [client, server], ids=["client", "server"])


def renegotiating(role: Role) -> list[Configuration]:
    """Every configuration in which a second handshake runs."""
    return [
        here
        for here in everywhere(role, tls12.CONNECTED, tls12.WAIT_IN_VAIN)
        if tls12.again.holds(role.remembered(here))
    ]


# ------------------------------------------------------------------------------------------------ how it is asked for


def test_a_hello_request_in_the_middle_of_a_handshake_should_be_ignored() -> None:
    for here in everywhere(client, tls12.CONNECTED):
        way = only(client, here, HelloRequest.symbol())
        assert (way.after, way.flight, way.row.level) == (here, (), Level.SHOULD)


def test_a_connected_client_may_ignore_refuse_or_follow_a_hello_request() -> None:
    here = walk(client, CLIENT_RSA)
    ways = outcomes(client, here, HelloRequest.symbol())
    assert {way.flight for way in ways} == {(), ("Alert[warning, no_renegotiation]",)}
    followed = {there.state for row, _, there in client.reachable[here] if row.pattern.message is ClientHello}
    assert followed == {tls12.WAIT_SERVER_HELLO}


def test_a_server_may_ask_at_any_time() -> None:
    for here in everywhere(server, tls12.WAIT_IN_VAIN):
        assert [
            there
            for row, symbol, there in server.reachable[here]
            if symbol == HelloRequest.symbol() and row.kind is Kind.SEND
        ] == [here]


def test_a_client_hello_to_a_client_is_unexpected_although_it_may_send_one() -> None:
    assert alerts(client, walk(client, CLIENT_RSA), ClientHello.symbol()) == {"unexpected_message"}
    assert alerts(server, walk(server, SERVER_RSA), HelloRequest.symbol()) == {"unexpected_message"}


def test_what_the_client_asks_for_in_its_second_hello_is_remembered_and_always_has_extensions() -> None:
    here = full(client)
    for offer, asks in itertools.product(m.OFFER.values, m.ASKS.values):
        ways = sent(client, here, ClientHello.symbol(offer, asks))
        assert bool(ways) is (asks is not m.by_other_name)
        for way in ways:
            memory = client.remembered(way.after)
            assert offer.holds(memory)
            assert asks.holds(memory)
            assert memory["round"] == tls12.again.bit
    assert not sent(client, here, ClientHello.symbol(m.bare))
    for defect in m.CLIENT_HELLO.defects:
        assert not sent(client, here, ClientHello.symbol(defect))


# --------------------------------------------------------------------------------------------------- how it is refused


def test_a_connected_server_may_refuse_or_accept_a_second_hello() -> None:
    ways = outcomes(server, full(server), ClientHello.symbol())
    assert {way.after.state.name for way in ways} == {
        "CONNECTED",
        "ABORTED",
        "WAIT_CLIENT_KEY_EXCHANGE",
        "WAIT_CERTIFICATE",
    }
    assert {way.row.level for way in ways} == {Level.MAY}
    for refused in (m.bare, *m.CLIENT_HELLO.defects):
        if refused is not m.bond_dropped:  # which is only the session's
            ways = outcomes(server, full(server), ClientHello.symbol(refused))
            assert {way.after.state.name for way in ways} == {"CONNECTED", "ABORTED"}, refused


def test_a_client_that_is_refused_goes_on_with_what_it_has_waits_or_leaves() -> None:
    asking = walk(client, [ClientHello.symbol()], begin=full(client))
    refusal = Alert.symbol(m.warning, m.no_renegotiation)
    assert {way.after.state.name for way in outcomes(client, asking, refusal)} == {
        "CONNECTED",
        "WAIT_SERVER_HELLO",
        "ABORTED",
    }
    back = next(way.after for way in outcomes(client, asking, refusal) if way.after.state is tls12.CONNECTED)
    assert only(client, back, ApplicationData.symbol()).after == back
    first = walk(client, CLIENT_RSA[:1])
    assert {way.after.state.name for way in outcomes(client, first, refusal)} == {"WAIT_SERVER_HELLO", "ABORTED"}


# ------------------------------------------------------------------------------------------- how the two are bound


@pytest.mark.parametrize(
    ("symbol", "reference"),
    [
        (ClientHello.symbol(m.renegotiation_claimed), "RFC 5746 section 3.7"),
        (ClientHello.symbol(m.signalled_again), "RFC 5746 section 3.7"),
        (ClientHello.symbol(m.bare), "RFC 5746 section 3.7"),
    ],
    ids=["claimed", "signalled", "missing"],
)
def test_a_second_hello_that_does_not_belong_to_the_first_is_refused_and_cites_why(
    symbol: Symbol, reference: str
) -> None:
    ways = outcomes(server, full(server), symbol)
    assert {way.after.state.name for way in ways} == {"CONNECTED", "ABORTED"}
    assert reference in {way.row.clauses[0].reference for way in ways if way.alerts == {"handshake_failure"}}


def test_a_first_hello_that_signals_by_suite_is_no_fault_and_one_with_contents_is() -> None:
    assert server.is_void(server.start, ClientHello.symbol(m.signalled_again))
    assert alerts(server, server.start, ClientHello.symbol(m.renegotiation_claimed)) == {"handshake_failure"}


@pytest.mark.parametrize("value", [m.renegotiation_forged, m.renegotiation_dropped], ids=repr)
def test_a_second_server_hello_has_to_prove_that_it_belongs_to_the_first(value: Value) -> None:
    asking = walk(client, [ClientHello.symbol()], begin=full(client))
    way = only(client, asking, ServerHello.symbol(value))
    assert way.alerts == {"handshake_failure"}
    assert way.row.clauses[0].reference == "RFC 5746 section 3.5"


def test_in_the_first_handshake_there_is_nothing_to_drop_and_nothing_to_fill_in() -> None:
    here = walk(client, CLIENT_RSA[:1])
    assert client.is_void(here, ServerHello.symbol(m.renegotiation_dropped))
    way = only(client, here, ServerHello.symbol(m.renegotiation_forged))
    assert way.row.clauses[0].reference == "RFC 5746 section 3.4"


# ------------------------------------------------------------------------------------------------------- how it runs


@pytest.mark.parametrize(
    ("role", "symbols"),
    [
        (client, [ClientHello.symbol(), *CLIENT_RSA[1:]]),
        (client, [ClientHello.symbol(m.offers_dhe), *CLIENT_DHE[1:]]),
        (client, [ClientHello.symbol(m.by_id), ServerHello.symbol(m.resumed), CCS, FINISHED]),
        (server, SERVER_RSA),
        (server, SERVER_DHE),
    ],
    ids=["client-rsa", "client-dhe", "client-resumed", "server-rsa", "server-dhe"],
)
def test_a_second_handshake_runs_as_the_first_and_leads_back(role: Role, symbols: list[Symbol]) -> None:
    here = walk(role, symbols, begin=full(role))
    assert here.state is tls12.CONNECTED
    assert tls12.again.holds(role.remembered(here))
    assert walk(role, symbols, begin=here) == here


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [
        (m.offers_rsa, {m.rsa}),
        (m.offers_ecdhe, {m.ecdhe}),
        (m.offers_dhe, {m.dhe}),
        (m.offers_several, {m.rsa, m.ecdhe, m.dhe}),
    ],
)
def test_a_second_hello_is_answered_with_what_it_offers(offer: Value, chosen: set[Value]) -> None:
    ways = outcomes(server, full(server), ClientHello.symbol(offer))
    begun = [way for way in ways if way.after.state in (tls12.WAIT_CLIENT_KEY_EXCHANGE, tls12.WAIT_CERTIFICATE)]
    answers = {
        value
        for way in begun
        for value in m.KEY_EXCHANGE.values
        if server.allows(server.flight(way.row, way.after)[0], way.after, ServerHello.symbol(value))
    }
    assert answers == chosen
    for way in begun:
        is_rsa = server.remembered(way.after)["key_exchange"] == m.rsa.bit
        assert ("ServerKeyExchange" in way.flight) is not is_rsa


DATA = (ApplicationData.symbol(), Record.symbol(m.zero_length))


@both
def test_data_may_flow_in_a_second_handshake_until_the_peer_switches(role: Role) -> None:
    for here, symbol in itertools.product(renegotiating(role), DATA):
        if here.state is tls12.WAIT_SERVER_HELLO:
            way = only(role, here, symbol)
            assert way.after == here
            assert way.row.level is Level.MUST
        else:
            ways = outcomes(role, here, symbol)
            assert {way.row.level for way in ways} == {Level.MAY}
            assert {way.after.state for way in ways} == {here.state, tls12.ABORTED}


@both
def test_under_interleaved_data_must_be_taken_until_the_peer_switches(role: Role) -> None:
    strict = role.under({*role.default_readings, "interleaved"})
    for here, symbol in itertools.product(renegotiating(strict), DATA):
        if here.state is not tls12.WAIT_FINISHED:
            way = only(strict, here, symbol)
            assert way.after == here
            assert way.row.level is Level.MUST


@both
def test_every_record_of_a_second_handshake_is_protected(role: Role) -> None:
    assert renegotiating(role)
    for here, value in itertools.product(renegotiating(role), (m.bad_mac, m.bad_padding, m.long_bad_mac, m.replayed)):
        assert alerts(role, here, Record.symbol(value)) == {"bad_record_mac"}


@both
def test_the_application_may_go_on_writing_in_a_second_handshake_or_wait(role: Role) -> None:
    for here in renegotiating(role):
        rows = role.enabled(here, m.write.symbol())
        assert {tuple(output.pattern.text for output in row.outputs) for row in rows} == {(), ("ApplicationData",)}
    for here in everywhere(role, tls12.CONNECTED):
        if tls12.first.holds(role.remembered(here)):
            assert not role.enabled(here, m.write.symbol())
