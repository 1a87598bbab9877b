"""Client authentication in the tables of TLS 1.2, at both ends."""

from __future__ import annotations

import pytest

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Value
from shakeproof.model.machine import Configuration
from shakeproof.model.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    ClientKeyExchange,
)
from shakeproof.model.notation import Message, Symbol
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_server import server
from tests.model.tls12_walks import (
    CCS,
    CHAIN,
    CLIENT_ECDHE,
    CLIENT_RSA,
    DONE,
    FINISHED,
    KEYS,
    PROOF,
    SERVER_RSA,
    alerts,
    id_of,
    only,
    outcomes,
    walk,
)


@pytest.mark.parametrize(
    ("wanted", "flight"),
    [
        (tls12.unasked, ("ClientKeyExchange", "ChangeCipherSpec", "Finished")),
        (tls12.anonymous, ("Certificate[empty_chain]", "ClientKeyExchange", "ChangeCipherSpec", "Finished")),
        (
            tls12.identified,
            ("Certificate", "ClientKeyExchange", "CertificateVerify", "ChangeCipherSpec", "Finished"),
        ),
    ],
)
def test_the_clients_flight_has_a_certificate_exactly_when_asked(wanted: Value, flight: tuple[str, ...]) -> None:
    asking = [] if wanted is tls12.unasked else [CertificateRequest.symbol()]
    here = walk(client, [*CLIENT_ECDHE[:4], *asking], wanted)
    assert only(client, here, DONE).flight == flight


def test_a_second_certificate_request_is_unexpected() -> None:
    here = walk(client, [*CLIENT_ECDHE[:4], CertificateRequest.symbol()], tls12.anonymous)
    assert alerts(client, here, CertificateRequest.symbol()) == {"unexpected_message"}
    assert alerts(client, here, CertificateRequest.symbol(m.broken_request)) == {"unexpected_message", "decode_error"}


# --------------------------------------------------------------------------------------------------------- the server

EMPTY = Certificate.symbol(m.empty_chain)


def asked(*symbols: Symbol, hello: Symbol = SERVER_RSA[0]) -> Configuration:
    """The server that has asked for a certificate, after these symbols of the client."""
    here = next(w for w in outcomes(server, server.start, hello) if w.after.state is tls12.WAIT_CERTIFICATE).after
    return walk(server, list(symbols), begin=here)


def test_a_client_that_is_asked_shows_its_chain_its_keys_and_its_proof() -> None:
    flight = [CHAIN, KEYS, PROOF, CCS, FINISHED]
    assert [asked(*flight[:n]).state for n in range(len(flight) + 1)] == [
        tls12.WAIT_CERTIFICATE,
        tls12.WAIT_CLIENT_KEY_EXCHANGE,
        tls12.WAIT_CERTIFICATE_VERIFY,
        tls12.WAIT_CHANGE_CIPHER_SPEC,
        tls12.WAIT_FINISHED,
        tls12.CONNECTED,
    ]


def test_a_client_without_a_certificate_may_be_let_in_and_has_nothing_to_prove() -> None:
    ways = outcomes(server, asked(), EMPTY)
    assert {(way.after.state.name, way.alerts) for way in ways} == {
        ("WAIT_CLIENT_KEY_EXCHANGE", frozenset()),
        ("ABORTED", frozenset({"handshake_failure"})),
    }
    assert {way.row.level for way in ways} == {Level.MAY}
    assert asked(EMPTY, KEYS, CCS, FINISHED).state is tls12.CONNECTED
    assert alerts(server, asked(EMPTY, KEYS), PROOF) == {"unexpected_message"}


UNACCEPTABLE = [v for v in m.CHAIN.defects if v not in (m.empty_chain, m.broken_chain, m.wrong_name, m.no_san)]


@pytest.mark.parametrize("value", UNACCEPTABLE, ids=repr)
def test_an_unacceptable_chain_may_be_let_in_as_nobodys_and_is_proven_all_the_same(value: Value) -> None:
    chain = Certificate.symbol(value)
    ways = outcomes(server, asked(), chain)
    assert {way.after.state.name for way in ways} == {"WAIT_CLIENT_KEY_EXCHANGE", "ABORTED"}
    assert {way.row.level for way in ways} == {Level.MAY}
    refused = next(way.alerts for way in ways if way.alerts)
    assert refused >= {alert.name for alert in m.CERTIFICATE_ALERTS} | {"access_denied"}
    assert alerts(server, asked(chain, KEYS), CCS) == {"unexpected_message"}
    assert asked(chain, KEYS, PROOF).state is tls12.WAIT_CHANGE_CIPHER_SPEC


@pytest.mark.parametrize("value", UNACCEPTABLE, ids=repr)
def test_a_chain_that_was_let_pass_may_yet_be_refused_until_finished(value: Value) -> None:
    flight = [Certificate.symbol(value), KEYS, PROOF, CCS, FINISHED]
    refusal = {alert.name for alert in m.CERTIFICATE_ALERTS} | {"access_denied"}
    for n, symbol in enumerate(flight):
        ways = outcomes(server, asked(*flight[:n]), symbol)
        assert {way.row.level for way in ways} == {Level.MAY}
        assert {bool(way.alerts) for way in ways} == {True, False}
        assert all(way.alerts >= refusal for way in ways if way.alerts)
    assert asked(*flight).state is tls12.CONNECTED
    assert alerts(server, asked(*flight), CCS) == {"unexpected_message"}


@pytest.mark.parametrize("chain", [CHAIN, EMPTY], ids=["trusted", "empty"])
def test_what_was_accepted_is_not_refused_later(chain: Symbol) -> None:
    flight = [chain, KEYS, *([PROOF] if chain is CHAIN else []), CCS, FINISHED]
    for n, symbol in enumerate(flight[1:], start=1):
        assert only(server, asked(*flight[:n]), symbol).row.level is Level.MUST


def test_a_spoiled_secret_is_not_shown_by_how_a_doubtful_chain_is_refused() -> None:
    untrusted, wrong = Certificate.symbol(m.untrusted), ClientKeyExchange.symbol(m.bad_block)
    for n in range(3):
        answers = [
            {
                (way.alerts, way.flight, way.row.level)
                for way in outcomes(server, asked(untrusted, *flight[:n]), flight[n])
            }
            for flight in ([KEYS, PROOF, CCS], [wrong, PROOF, CCS])
        ]
        assert answers[0] == answers[1]


def test_an_unparsable_chain_is_refused_and_a_clients_chain_names_no_server() -> None:
    assert alerts(server, asked(), Certificate.symbol(m.broken_chain)) == {"bad_certificate", "decode_error"}
    for value in (m.wrong_name, m.no_san):
        assert server.is_void(asked(), Certificate.symbol(value))


def test_keys_without_the_certificate_that_was_asked_for_are_unexpected_or_fail_the_handshake() -> None:
    way = only(server, asked(), KEYS)
    assert way.alerts == {"unexpected_message", "handshake_failure"}
    assert way.row.clauses[0].reference == "RFC 5246 section 7.3"
    broken = ClientKeyExchange.symbol(m.broken_secret)
    assert alerts(server, asked(), broken) == way.alerts | {"decode_error"}


def test_a_switch_without_the_proof_is_unexpected() -> None:
    way = only(server, asked(CHAIN, KEYS), CCS)
    assert way.alerts == {"unexpected_message"}
    assert way.row.clauses[0].reference == "RFC 5246 section 7.3"
    assert alerts(server, asked(CHAIN, KEYS), FINISHED) == {"unexpected_message"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (m.unproven, {"decrypt_error"}),
        (m.alien_proof, {"illegal_parameter", "handshake_failure", "decrypt_error"}),
        (m.broken_proof, {"decode_error", "decrypt_error"}),
    ],
    ids=id_of,
)
def test_a_proof_that_proves_nothing_ends_the_handshake(value: Value, expected: set[str]) -> None:
    assert alerts(server, asked(CHAIN, KEYS), CertificateVerify.symbol(value)) == expected
    assert alerts(server, asked(Certificate.symbol(m.untrusted), KEYS), CertificateVerify.symbol(value)) == expected


@pytest.mark.parametrize("message", [Certificate, CertificateVerify], ids=repr)
def test_a_client_that_was_not_asked_says_nothing_of_itself(message: Message) -> None:
    here = walk(server, SERVER_RSA[:1], tls12.unasked)
    assert alerts(server, here, message.symbol()) == {"unexpected_message"}
    assert alerts(server, walk(server, [KEYS], begin=here), message.symbol()) == {"unexpected_message"}


def test_a_spoiled_secret_is_not_shown_before_the_proof_either() -> None:
    spoiled = asked(CHAIN, ClientKeyExchange.symbol(m.bad_block))
    assert spoiled.state is asked(CHAIN, KEYS).state is tls12.WAIT_CERTIFICATE_VERIFY
    for symbol in server.symbols:
        assert [w.row for w in outcomes(server, spoiled, symbol)] == [
            w.row for w in outcomes(server, asked(CHAIN, KEYS), symbol)
        ]
    assert walk(server, [PROOF, CCS], begin=spoiled).state is tls12.WAIT_IN_VAIN


def test_the_clients_own_proof_is_proven() -> None:
    here = walk(client, [*CLIENT_RSA[:3], CertificateRequest.symbol()], tls12.identified)
    way = only(client, here, DONE)
    output = next(o for o in client.flight(way.row, way.after) if o.pattern.message is CertificateVerify)
    for value in m.PROOF.values:
        assert client.allows(output, way.after, CertificateVerify.symbol(value)) is (value is m.proven)
