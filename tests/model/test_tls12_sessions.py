"""Resumption by id and by ticket, and tickets, in the tables of TLS 1.2."""

from __future__ import annotations

import itertools

import pytest

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration
from shakeproof.model.messages import (
    Certificate,
    CertificateRequest,
    ClientHello,
    NewSessionTicket,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
)
from shakeproof.model.notation import Message, Output, Symbol
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_server import server
from tests.model.tls12_walks import (
    CCS,
    CHAIN,
    CLIENT_RSA,
    DONE,
    FINISHED,
    HELLO_RSA,
    KEYS,
    TICKET,
    Outcome,
    alerts,
    everywhere,
    full,
    id_of,
    only,
    outcomes,
    walk,
)

ABBREVIATED = [m.connect.symbol(), ServerHello.symbol(m.resumed), CCS, FINISHED]
PROMISED = ServerHello.symbol(m.promised)
RESUMED_PROMISED = ServerHello.symbol(m.resumed, m.promised)
by = pytest.mark.parametrize("asks", [m.by_id, m.by_ticket], ids=lambda value: value.name)


# --------------------------------------------------------------------------------------------------------- the client


@by
def test_a_client_that_is_resumed_finishes_after_the_server(asks: Value) -> None:
    states = [walk(client, ABBREVIATED[: n + 1], asks).state for n in range(len(ABBREVIATED))]
    assert states == [
        tls12.WAIT_SERVER_HELLO,
        tls12.WAIT_CHANGE_CIPHER_SPEC,
        tls12.WAIT_FINISHED,
        tls12.CONNECTED,
    ]
    assert only(client, walk(client, ABBREVIATED[:3], asks), FINISHED).flight == ("ChangeCipherSpec", "Finished")


@pytest.mark.parametrize("asks", [value for value in m.ASKS.values if value is not m.by_other_name], ids=repr)
def test_a_client_takes_a_full_handshake_whatever_it_asked_for(asks: Value) -> None:
    here = walk(client, [m.connect.symbol()], asks)
    assert only(client, here, HELLO_RSA).after.state is tls12.WAIT_CERTIFICATE


@pytest.mark.parametrize("asks", [m.anew, m.ticketed, m.by_unknown], ids=repr)
def test_nobody_resumes_what_only_one_of_the_two_knows(asks: Value) -> None:
    here = walk(client, [m.connect.symbol()], asks)
    for symbol in (s for s in client.symbols if s.message is ServerHello and s.has(m.resumed)):
        assert client.is_void(here, symbol), symbol


@by
def test_a_session_is_resumed_under_its_own_suite_and_with_its_own_bond(asks: Value) -> None:
    here = walk(client, [m.connect.symbol()], asks)
    assert alerts(client, here, ServerHello.symbol(m.changed_suite, m.resumed)) == {
        "illegal_parameter",
        "handshake_failure",
    }
    assert alerts(client, here, ServerHello.symbol(m.bond_changed, m.resumed)) == {"handshake_failure"}


@pytest.mark.parametrize("message", [Certificate, ServerKeyExchange, ServerHelloDone, CertificateRequest])
def test_a_resumed_server_sends_nothing_of_a_full_handshake(message: Message) -> None:
    assert alerts(client, walk(client, ABBREVIATED[:2], m.by_id), message.symbol()) == {"unexpected_message"}


def promised(*symbols: Symbol) -> Configuration:
    """A client to which a ticket was promised in a full handshake, after its own flight and these symbols."""
    return walk(client, [m.connect.symbol(), PROMISED, CHAIN, DONE, *symbols], m.ticketed)


@pytest.mark.parametrize("value", [m.granted, m.withdrawn], ids=repr)
def test_a_promised_ticket_comes_before_change_cipher_spec_and_once(value: Value) -> None:
    ticket = NewSessionTicket.symbol(value)
    assert only(client, promised(), ticket).row.level is Level.MUST
    assert alerts(client, promised(ticket), ticket) == {"unexpected_message"}
    assert only(client, promised(ticket), CCS).after.state is tls12.WAIT_FINISHED


def test_change_cipher_spec_in_place_of_a_promised_ticket_may_be_taken_or_refused() -> None:
    resumed = walk(client, [m.connect.symbol(), RESUMED_PROMISED], m.by_ticket)
    for here in (promised(), resumed):
        ways = outcomes(client, here, CCS)
        assert {(way.after.state, way.alerts, way.row.level) for way in ways} == {
            (tls12.WAIT_FINISHED, frozenset(), Level.MAY),
            (tls12.ABORTED, frozenset({"unexpected_message"}), Level.MAY),
        }
        refused = next(way for way in ways if way.alerts)
        assert refused.row.clauses[0].reference == "RFC 5077 section 3.3"


def test_a_ticket_that_was_not_promised_is_unexpected() -> None:
    way = only(client, walk(client, CLIENT_RSA[:4]), TICKET)
    assert way.alerts == {"unexpected_message"}
    assert way.row.clauses[0].reference == "RFC 5077 section 3.3"
    for here in everywhere(client, tls12.WAIT_CHANGE_CIPHER_SPEC):
        assert alerts(client, here, TICKET) == {"unexpected_message"}


def test_a_broken_ticket_is_undecodable_where_it_was_promised_and_out_of_place_elsewhere() -> None:
    broken = NewSessionTicket.symbol(m.broken_ticket)
    assert alerts(client, promised(), broken) == {"decode_error"}
    assert alerts(client, walk(client, CLIENT_RSA[:4]), broken) == {"decode_error", "unexpected_message"}


def test_a_ticket_is_not_promised_to_who_would_not_take_it() -> None:
    assert client.is_void(walk(client, [m.connect.symbol()], m.anew), PROMISED)


def test_a_renewed_ticket_comes_in_an_abbreviated_handshake_too() -> None:
    symbols = [m.connect.symbol(), RESUMED_PROMISED, TICKET, CCS, FINISHED]
    assert walk(client, symbols, m.by_ticket).state is tls12.CONNECTED


# --------------------------------------------------------------------------------------------------------- the server


def asking(asks: Value) -> Symbol:
    """A ClientHello that asks for this."""
    return ClientHello.symbol(m.offers_ecdhe, asks)


def flights(asks: Value) -> set[tuple[str, ...]]:
    """What the server may answer when this is asked, but for whether it asks for a certificate."""
    return {
        tuple(name for name in way.flight if name != "CertificateRequest")
        for way in outcomes(server, server.start, asking(asks))
        if not way.alerts
    }


FULL = ("ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone")
SHORT = ("ServerHello", "ChangeCipherSpec", "Finished")
RENEWING = ("ServerHello", "NewSessionTicket", "ChangeCipherSpec", "Finished")


@pytest.mark.parametrize(
    ("asks", "expected"),
    [
        (m.anew, {FULL}),
        (m.ticketed, {FULL}),
        (m.by_id, {FULL, SHORT}),
        (m.by_ticket, {FULL, SHORT, RENEWING}),
        (m.by_unknown, {FULL}),
        (m.by_other_name, {FULL}),
    ],
    ids=id_of,
)
def test_a_server_resumes_only_what_it_knows_under_the_same_name(asks: Value, expected: set[tuple[str, ...]]) -> None:
    assert flights(asks) == expected


def test_going_on_under_another_name_or_with_what_is_unknown_cites_why() -> None:
    reasons = {
        m.by_other_name: "RFC 6066 section 3",
        m.by_unknown: "RFC 5246 section 7.3",
        m.by_ticket: "RFC 5077 section 3.1",
    }
    for asks, reference in reasons.items():
        rows = {way.row for way in outcomes(server, server.start, asking(asks))}
        assert {row.clauses[0].reference for row in rows} == {reference}


def test_a_server_may_refuse_a_name_that_it_does_not_know_and_nothing_else_that_is_asked_for() -> None:
    for here, asks in itertools.product((server.start, full(server)), m.ASKS.values):
        refused = {name for way in outcomes(server, here, asking(asks)) for name in way.alerts}
        assert ("unrecognized_name" in refused) is (asks is m.by_other_name)


@pytest.mark.parametrize("asks", m.ASKS.values, ids=repr)
def test_a_ticket_is_promised_only_to_who_would_take_it(asks: Value) -> None:
    ways = [way for way in outcomes(server, server.start, asking(asks)) if not way.alerts]
    promising = [way for way in ways if server.remembered(way.after)["ticket"] == m.promised.bit]
    assert bool(promising) is (asks not in (m.anew, m.by_id))


def test_what_the_server_grants_and_promises_is_in_its_server_hello() -> None:
    for way in outcomes(server, server.start, asking(m.by_ticket)):
        memory = server.remembered(way.after)
        output = server.flight(way.row, way.after)[0]
        for grants, ticket in itertools.product(m.GRANTS.values, m.TICKET.values):
            said = ServerHello.symbol(m.ecdhe, grants, ticket)
            agreed = grants.holds(memory) and ticket.holds(memory)
            assert server.allows(output, way.after, said) is agreed


@by
def test_a_resumed_server_waits_for_the_clients_finished_and_sends_nothing_more(asks: Value) -> None:
    way = only(server, walk(server, [asking(asks), CCS], m.resumed), FINISHED)
    assert (way.after.state, way.flight) == (tls12.CONNECTED, ())


@by
def test_a_session_with_extended_master_secret_is_not_resumed_without_but_refused_or_left_for_a_new_one(
    asks: Value,
) -> None:
    hello = ClientHello.symbol(m.bond_dropped, asks)
    ways = outcomes(server, server.start, hello)
    assert {(way.after.state.name, way.alerts, way.row.level) for way in ways} == {
        ("ABORTED", frozenset({"handshake_failure", "illegal_parameter"}), Level.MAY),
        ("WAIT_CLIENT_KEY_EXCHANGE", frozenset(), Level.MAY),
        ("WAIT_CERTIFICATE", frozenset(), Level.MAY),
    }
    assert {way.row.clauses[0].reference for way in ways} == {"RFC 7627 section 5.3"}
    for here in (server.start, full(server)):
        begun = [way for way in outcomes(server, here, hello) if way.flight[:1] == ("ServerHello",)]
        assert begun
        for way in begun:
            output = server.flight(way.row, way.after)[0]
            grants = [v for v in m.GRANTS.values if _says(way, output, v)]
            assert grants == [m.full]


def _says(way: Outcome, output: Output, grants: Value) -> bool:
    """Whether the server's answer may be one that grants this."""
    return any(
        server.allows(output, way.after, ServerHello.symbol(key, grants, ticket))
        for key, ticket in itertools.product(m.KEY_EXCHANGE.values, m.TICKET.values)
    )


@pytest.mark.parametrize("other", [m.no_common_suite, m.old_version, m.broken_hello], ids=repr)
def test_a_hello_that_drops_the_bond_and_has_another_defect_is_not_accepted(other: Value) -> None:
    assert alerts(server, server.start, ClientHello.symbol(m.bond_dropped, other, m.by_id))


def test_a_full_handshake_gives_the_ticket_after_the_clients_finished() -> None:
    here = walk(server, [asking(m.ticketed), KEYS, CCS], m.promised, tls12.unasked)
    assert only(server, here, FINISHED).flight == ("NewSessionTicket", "ChangeCipherSpec", "Finished")
    here = walk(server, [asking(m.ticketed), KEYS, CCS], m.unpromised, tls12.unasked)
    assert only(server, here, FINISHED).flight == ("ChangeCipherSpec", "Finished")
