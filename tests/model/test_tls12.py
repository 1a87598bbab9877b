"""The tables of TLS 1.2, walked by hand: honest runs, and the answer that each violation earns."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.clauses import Level
from shakeproof.model.facts import Fact, Value
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    Alert,
    ApplicationData,
    Certificate,
    CertificateRequest,
    ChangeCipherSpec,
    ClientHello,
    ClientKeyExchange,
    Finished,
    HelloRequest,
    Record,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    UnknownHandshake,
)
from shakeproof.model.notation import Abort, Kind, Message, Row, State, Stay, Symbol
from shakeproof.model.tls12 import client, server


@dataclass(frozen=True)
class Outcome:
    """One way on: the next configuration, the alerts allowed (for an abort), and the flight as the table spells it."""

    row: Row
    after: Configuration
    alerts: frozenset[str]
    flight: tuple[str, ...]


def outcomes(role: Role, here: Configuration, symbol: Symbol) -> list[Outcome]:
    """Every way on that the table allows."""
    found = []
    for row in role.enabled(here, symbol):
        alerts = frozenset(a.name for a in row.next.alerts) if isinstance(row.next, Abort) else frozenset()
        for there in role.apply(row, here, symbol):
            sent = () if alerts else tuple(o.pattern.text for o in role.flight(row, there) if not o.optional)
            found.append(Outcome(row, there, alerts, sent))
    return found


def walk(role: Role, symbols: list[Symbol], *remembered: Value) -> Configuration:
    """Where the symbols lead; where the role picks, to what is remembered."""
    here = role.start
    for symbol in symbols:
        ways = [way for way in outcomes(role, here, symbol) if not way.alerts]
        assert ways, f"{role.name}: nothing goes on from {here} with {symbol}"
        agreeing = [w for w in ways if all(v.holds(role.remembered(w.after)) for v in remembered if _picked(w, v))]
        assert agreeing, f"{role.name}: {here} with {symbol} leads to none of {remembered}"
        here = agreeing[0].after
    return here


def _picked(way: Outcome, value: Value) -> bool:
    return any(effect.fact is value.fact for effect in way.row.effects)


def only(role: Role, here: Configuration, symbol: Symbol) -> Outcome:
    """The one way on."""
    (way,) = outcomes(role, here, symbol)
    return way


def alerts(role: Role, here: Configuration, symbol: Symbol) -> set[str]:
    """The alerts with which the role may refuse. Fails where it may do anything else."""
    ways = outcomes(role, here, symbol)
    assert ways, f"{role.name}: {symbol} is not answered in {here}"
    assert all(way.alerts for way in ways), f"{role.name}: {symbol} may be taken in {here}"
    return {name for way in ways for name in way.alerts}


HELLO_RSA = ServerHello.symbol(m.rsa)
HELLO_ECDHE = ServerHello.symbol(m.ecdhe)
CHAIN, PARAMS, DONE = Certificate.symbol(), ServerKeyExchange.symbol(), ServerHelloDone.symbol()
CCS, FINISHED, KEYS = ChangeCipherSpec.symbol(), Finished.symbol(), ClientKeyExchange.symbol()

CLIENT_RSA = [m.connect.symbol(), HELLO_RSA, CHAIN, DONE, CCS, FINISHED]
CLIENT_ECDHE = [m.connect.symbol(), HELLO_ECDHE, CHAIN, PARAMS, DONE, CCS, FINISHED]
SERVER_RSA = [ClientHello.symbol(m.offers_rsa), KEYS, CCS, FINISHED]
SERVER_ECDHE = [ClientHello.symbol(m.offers_ecdhe), KEYS, CCS, FINISHED]


def everywhere(role: Role, *left_out: State) -> list[Configuration]:
    """Every reachable configuration that still reads, but for START and the states left out."""
    return [c for c in role.reachable if not role.is_final(c.state) and c.state not in (tls12.START, *left_out)]


# -------------------------------------------------------------------------------------------------------- honest runs


@pytest.mark.parametrize(
    ("role", "symbols", "states"),
    [
        (
            client,
            CLIENT_RSA,
            "WAIT_SERVER_HELLO WAIT_CERTIFICATE WAIT_SERVER_HELLO_DONE WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED",
        ),
        (
            client,
            CLIENT_ECDHE,
            "WAIT_SERVER_HELLO WAIT_CERTIFICATE WAIT_SERVER_KEY_EXCHANGE WAIT_SERVER_HELLO_DONE "
            "WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED",
        ),
        (server, SERVER_RSA, "WAIT_CLIENT_KEY_EXCHANGE WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED"),
        (server, SERVER_ECDHE, "WAIT_CLIENT_KEY_EXCHANGE WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED"),
    ],
    ids=["client-rsa", "client-ecdhe", "server-rsa", "server-ecdhe"],
)
def test_an_honest_handshake_passes_through_the_rfcs_states(role: Role, symbols: list[Symbol], states: str) -> None:
    passed = [walk(role, symbols[: n + 1]).state.name for n in range(len(symbols))]
    assert passed == states.split()


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


@pytest.mark.parametrize(
    ("offer", "flights"),
    [
        (m.offers_rsa, {("ServerHello", "Certificate", "ServerHelloDone")}),
        (m.offers_ecdhe, {("ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone")}),
        (
            m.offers_both,
            {
                ("ServerHello", "Certificate", "ServerHelloDone"),
                ("ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone"),
            },
        ),
    ],
)
def test_the_servers_flight_has_a_key_exchange_exactly_under_ecdhe(offer: Value, flights: set[tuple[str, ...]]) -> None:
    ways = outcomes(server, server.start, ClientHello.symbol(offer))
    assert {way.flight for way in ways} == flights
    assert {way.after.state for way in ways} == {tls12.WAIT_CLIENT_KEY_EXCHANGE}


def test_the_servers_choice_of_key_exchange_is_in_its_server_hello() -> None:
    hello = ClientHello.symbol(m.offers_both)
    for way in outcomes(server, server.start, hello):
        output = server.flight(way.row, way.after)[0]
        chosen = [v for v in m.KEY_EXCHANGE.values if server.allows(output, way.after, ServerHello.symbol(v))]
        assert [value.bit for value in chosen] == [server.remembered(way.after)["key_exchange"]]


def test_a_hello_without_extensions_may_be_accepted_or_declined() -> None:
    ways = outcomes(server, server.start, ClientHello.symbol(m.bare))
    assert {way.after.state.name for way in ways} == {"WAIT_CLIENT_KEY_EXCHANGE", "ABORTED"}
    assert {way.row.level for way in ways} == {Level.MAY}


def test_the_server_finishes_after_the_client() -> None:
    assert only(server, walk(server, SERVER_RSA[:3]), FINISHED).flight == ("ChangeCipherSpec", "Finished")
    assert only(client, walk(client, CLIENT_RSA[:5]), FINISHED).flight == ()


def test_a_client_that_offers_one_key_exchange_is_never_answered_with_the_other() -> None:
    here = walk(client, [m.connect.symbol()], m.offers_rsa)
    assert outcomes(client, here, HELLO_RSA)
    assert not outcomes(client, here, HELLO_ECDHE)
    assert client.is_void(here, HELLO_ECDHE)


# --------------------------------------------------------------------------------------------------------- violations

SERVER_HELLO_ALERTS = {
    m.alien_suite: {"illegal_parameter", "handshake_failure"},
    m.alien_version: {"protocol_version", "illegal_parameter"},
    m.alien_compression: {"illegal_parameter", "handshake_failure"},
    m.alien_extension: {"unsupported_extension"},
    m.renegotiation_forged: {"handshake_failure"},
    m.broken_answer: {"decode_error"},
}
SIX = {alert.name for alert in m.CERTIFICATE_ALERTS}
CHAIN_ALERTS = {
    m.empty_chain: SIX | {"illegal_parameter", "handshake_failure", "decode_error"},
    m.expired: {"certificate_expired"},
    m.not_yet_valid: {"certificate_expired"},
    m.wrong_name: SIX,
    m.untrusted: {"unknown_ca"},
    m.bad_signature: {"bad_certificate", "decrypt_error", "unknown_ca"},
    m.issuer_not_ca: SIX,
    m.wrong_usage: SIX | {"illegal_parameter", "handshake_failure"},
    m.wrong_key_type: SIX | {"illegal_parameter", "handshake_failure"},
    m.broken_chain: {"bad_certificate", "decode_error"},
}
PARAMS_ALERTS = {
    m.forged_signature: {"decrypt_error"},
    m.alien_group: {"illegal_parameter", "handshake_failure", "decode_error"},
    m.alien_scheme: {"illegal_parameter", "handshake_failure", "decrypt_error"},
    m.bad_point: {"illegal_parameter", "handshake_failure", "decode_error", "decrypt_error"},
    m.broken_params: {"decode_error"},
}
CLIENT_HELLO_ALERTS = {
    m.old_version: {"protocol_version"},
    m.no_common_suite: {"handshake_failure", "insufficient_security"},
    m.no_null_compression: {"illegal_parameter", "handshake_failure", "decode_error"},
    m.renegotiation_claimed: {"handshake_failure"},
    m.broken_hello: {"decode_error"},
}
DEFECTS: list[tuple[Role, list[Symbol], Message, dict[Value, set[str]]]] = [
    (client, CLIENT_RSA[:1], ServerHello, SERVER_HELLO_ALERTS),
    (client, CLIENT_RSA[:2], Certificate, CHAIN_ALERTS),
    (client, CLIENT_ECDHE[:2], Certificate, CHAIN_ALERTS),
    (client, CLIENT_ECDHE[:3], ServerKeyExchange, PARAMS_ALERTS),
    (client, CLIENT_RSA[:3], CertificateRequest, {m.broken_request: {"decode_error"}}),
    (client, CLIENT_RSA[:3], ServerHelloDone, {m.overfull: {"decode_error"}}),
    (server, [], ClientHello, CLIENT_HELLO_ALERTS),
    (server, SERVER_ECDHE[:1], ClientKeyExchange, {m.broken_secret: {"decode_error"}}),
    (server, SERVER_ECDHE[:1], ClientKeyExchange, {m.off_curve: PARAMS_ALERTS[m.bad_point]}),
]
DEFECTS += [
    (
        role,
        symbols[:-1],
        Finished,
        {m.mismatch: {"decrypt_error"}, m.broken_finished: {"decode_error", "decrypt_error"}},
    )
    for role, symbols in ((client, CLIENT_RSA), (server, SERVER_RSA))
]
DEFECTS += [
    (role, symbols[:-2], ChangeCipherSpec, {m.not_one: {"decode_error", "illegal_parameter", "unexpected_message"}})
    for role, symbols in ((client, CLIENT_RSA), (server, SERVER_RSA))
]


@pytest.mark.parametrize(
    ("role", "prefix", "symbol", "expected"),
    [
        pytest.param(role, prefix, message.symbol(value), named, id=f"{role.name}-{len(prefix)}-{value.name}")
        for role, prefix, message, table in DEFECTS
        for value, named in table.items()
    ],
)
def test_a_defect_where_the_message_is_expected_is_refused_with_the_alerts_that_the_text_allows(
    role: Role, prefix: list[Symbol], symbol: Symbol, expected: set[str]
) -> None:
    assert alerts(role, walk(role, prefix), symbol) == expected


@pytest.mark.parametrize(
    ("fact", "table"),
    [
        (m.SERVER_HELLO, SERVER_HELLO_ALERTS),
        (m.CHAIN, CHAIN_ALERTS),
        (m.SERVER_PARAMS, PARAMS_ALERTS),
        (m.CLIENT_HELLO, CLIENT_HELLO_ALERTS),
    ],
    ids=["server_hello", "chain", "server_params", "client_hello"],
)
def test_the_expectations_here_name_every_defect(fact: Fact, table: dict[Value, set[str]]) -> None:
    assert set(table) == set(fact.defects)


def test_two_defects_at_once_allow_the_alerts_of_both() -> None:
    here = walk(client, CLIENT_RSA[:2])
    both = Certificate.symbol(m.expired, m.untrusted)
    assert alerts(client, here, both) == {"certificate_expired", "unknown_ca"}


def test_without_the_reading_https_a_distrusted_chain_may_be_accepted() -> None:
    tls_only = client.under(())
    here = walk(tls_only, CLIENT_RSA[:2])
    unusable = (m.empty_chain, m.wrong_key_type, m.broken_chain)
    for value in set(m.CHAIN.defects) - set(unusable):
        ways = outcomes(tls_only, here, Certificate.symbol(value))
        assert {way.after.state.name for way in ways} == {"WAIT_SERVER_HELLO_DONE", "ABORTED"}
    for value in unusable:
        assert alerts(tls_only, here, Certificate.symbol(value)) == CHAIN_ALERTS[value]
    assert alerts(tls_only, here, Certificate.symbol(m.expired, m.broken_chain)) >= CHAIN_ALERTS[m.broken_chain]


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
@pytest.mark.parametrize("message", [ChangeCipherSpec, Finished, ApplicationData], ids=lambda item: item.name)
def test_out_of_place_is_unexpected_message_in_every_other_state(role: Role, message: Message) -> None:
    place = {
        ChangeCipherSpec: [tls12.WAIT_CHANGE_CIPHER_SPEC],
        Finished: [tls12.WAIT_FINISHED],
        ApplicationData: [tls12.CONNECTED, tls12.RENEGOTIATING],
    }[message]
    refused = everywhere(role, *place, tls12.WAIT_IN_VAIN)
    assert refused
    for here in refused:
        assert alerts(role, here, message.symbol()) == {"unexpected_message"}, here


@pytest.mark.parametrize(
    ("role", "prefix", "symbol", "clause"),
    [
        (server, SERVER_RSA[:1], CCS, "RFC 5246 section 7.1"),
        (client, CLIENT_RSA[:3], CCS, "RFC 5246 section 7.1"),
        (client, CLIENT_RSA[:3], FINISHED, "RFC 5246 section 7.4.9"),
        (client, CLIENT_RSA[:4], FINISHED, "RFC 5246 section 7.4.9"),
        (server, SERVER_RSA[:1], FINISHED, "RFC 5246 section 7.4.9"),
        (client, CLIENT_ECDHE[:3], DONE, "RFC 8422 section 5.4"),
        (client, CLIENT_RSA[:3], PARAMS, "RFC 5246 section 7.4.3"),
        (client, CLIENT_RSA[:3], ServerKeyExchange.symbol(m.forged_signature), "RFC 5246 section 7.4.3"),
        (server, SERVER_RSA[:2], ApplicationData.symbol(), "RFC 5246 section 7.3"),
    ],
    ids=[
        "early-ccs-server",
        "early-ccs-client",
        "skip-to-finished",
        "finished-before-ccs",
        "finished-instead-of-key-exchange",
        "missing-ske",
        "ske-under-rsa",
        "forged-ske-under-rsa",
        "early-data",
    ],
)
def test_the_classic_violations_have_rows_of_their_own(
    role: Role, prefix: list[Symbol], symbol: Symbol, clause: str
) -> None:
    way = only(role, walk(role, prefix), symbol)
    assert way.alerts == {"unexpected_message"}
    assert not way.row.is_rest
    assert way.row.clauses[0].reference == clause


def test_messages_of_the_own_side_are_unexpected_and_an_unknown_one_is_undecodable_as_well() -> None:
    for role in (client, server):
        for here in everywhere(role, tls12.WAIT_IN_VAIN, tls12.CONNECTED, tls12.RENEGOTIATING):
            own = ServerHello if role is server else ClientHello
            assert alerts(role, here, own.symbol()) == {"unexpected_message"}
            assert alerts(role, here, UnknownHandshake.symbol()) == {
                "unexpected_message",
                "decode_error",
                "illegal_parameter",
            }


# ---------------------------------------------------------------------------------------- a secret that must not show


def spoilt(value: Value, states: int) -> Configuration:
    """The RSA server after a ClientKeyExchange with the defect, and `states` - 1 messages more."""
    return walk(server, [SERVER_RSA[0], ClientKeyExchange.symbol(value), CCS][: 1 + states], tls12.spoiled)


@pytest.mark.parametrize("value", [m.bad_block, m.bad_version], ids=lambda value: value.name)
def test_a_wrong_rsa_block_is_answered_exactly_as_a_right_one_until_finished(value: Value) -> None:
    here = walk(server, SERVER_RSA[:1])
    right, wrong = (only(server, here, symbol) for symbol in (KEYS, ClientKeyExchange.symbol(value)))
    assert right.flight == wrong.flight == ()
    assert right.after.state is wrong.after.state is tls12.WAIT_CHANGE_CIPHER_SPEC
    symbols = [s for s in server.symbols if s != CCS]
    for symbol in symbols:
        assert [w.row for w in outcomes(server, right.after, symbol)] == [
            w.row for w in outcomes(server, spoilt(value, 1), symbol)
        ]


def test_under_a_spoiled_secret_nothing_can_be_read() -> None:
    here = spoilt(m.bad_block, 2)
    assert here.state is tls12.WAIT_IN_VAIN
    for symbol in server.symbols:
        assert "bad_record_mac" in alerts(server, here, symbol), symbol
    for symbol in (FINISHED, Finished.symbol(m.mismatch), Alert.symbol(m.fatal), Record.symbol(m.bad_mac)):
        assert alerts(server, here, symbol) == {"bad_record_mac"}


def test_a_secret_whose_lengths_do_not_add_up_may_be_spoiled_or_refused_under_rsa() -> None:
    ways = outcomes(server, walk(server, SERVER_RSA[:1]), ClientKeyExchange.symbol(m.broken_secret))
    assert {(way.after.state.name, way.alerts) for way in ways} == {
        ("ABORTED", frozenset({"decode_error"})),
        ("WAIT_CHANGE_CIPHER_SPEC", frozenset()),
    }


def test_defects_of_the_other_key_exchange_are_void() -> None:
    rsa, ecdhe = (walk(server, symbols[:1]) for symbols in (SERVER_RSA, SERVER_ECDHE))
    assert server.is_void(rsa, ClientKeyExchange.symbol(m.off_curve))
    assert server.is_void(ecdhe, ClientKeyExchange.symbol(m.bad_block))
    assert server.is_void(ecdhe, ClientKeyExchange.symbol(m.bad_version))


# ------------------------------------------------------------------------------------------- alerts, closure, records


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_close_notify_is_answered_with_close_notify_wherever_it_can_be_read(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        way = only(role, here, Alert.symbol(m.closure))
        assert (way.after.state, way.flight) == (tls12.CLOSED, ("Alert[closure]",))


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_a_fatal_alert_closes_silently_wherever_it_can_be_read(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        way = only(role, here, Alert.symbol(m.fatal))
        assert (way.after.state, way.flight) == (tls12.CLOSED, ())


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_a_warning_may_be_passed_over(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        ways = outcomes(role, here, Alert.symbol(m.warning))
        assert any(isinstance(way.row.next, Stay) for way in ways)
        assert {way.row.level for way in ways} == {Level.MAY}


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_the_application_closes_with_close_notify(role: Role) -> None:
    symbols = CLIENT_RSA if role is client else SERVER_RSA
    way = only(role, walk(role, symbols), m.close.symbol())
    assert (way.after.state, way.flight) == (tls12.CLOSED, ("Alert[closure]",))
    assert role.is_final(way.after.state)


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_padding_and_mac_are_answered_alike_and_only_where_there_are_keys(role: Role) -> None:
    protected = {tls12.WAIT_FINISHED, tls12.CONNECTED, tls12.RENEGOTIATING, tls12.WAIT_IN_VAIN}
    for here, value in itertools.product(everywhere(role), (m.bad_mac, m.bad_padding)):
        if here.state in protected:
            assert alerts(role, here, Record.symbol(value)) == {"bad_record_mac"}
        else:
            assert role.is_void(here, Record.symbol(value))


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_record_faults_have_the_record_layers_alerts(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        assert alerts(role, here, Record.symbol(m.too_long)) == {"record_overflow"}
        assert alerts(role, here, Record.symbol(m.alien_type)) == {"unexpected_message"}
        assert {way.row.level for way in outcomes(role, here, Record.symbol(m.empty_message))} == {Level.MAY}


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_empty_application_data_is_data_and_may_be_skipped_before_there_is_any(role: Role) -> None:
    data, empty = ApplicationData.symbol(), Record.symbol(m.zero_length)
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        if here.state in (tls12.CONNECTED, tls12.RENEGOTIATING):
            assert only(role, here, data).after == only(role, here, empty).after == here
            continue
        assert alerts(role, here, data) == {"unexpected_message"}
        ways = {(way.after.state, way.alerts, way.row.level) for way in outcomes(role, here, empty)}
        assert ways == {
            (here.state, frozenset(), Level.MAY),
            (tls12.ABORTED, frozenset({"unexpected_message"}), Level.MAY),
        }


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_either_side_may_close_or_warn_of_its_own_accord_wherever_the_connection_is_open(role: Role) -> None:
    for here in everywhere(role):
        own = {
            (row.pattern.guards[0], there.state)
            for row, symbol, there in role.reachable[here]
            if row.kind is Kind.SEND and symbol.message is Alert
        }
        assert own == {(m.closure, tls12.CLOSED), (m.warning, here.state)}


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_closing_in_a_handshake_is_a_close_notify_with_or_without_a_warning_before_it(role: Role) -> None:
    for here in everywhere(role, tls12.CONNECTED, tls12.RENEGOTIATING):
        (row,) = role.enabled(here, m.close.symbol())
        flight = role.flight(row, role.apply(row, here, m.close.symbol())[0])
        assert [(output.pattern.text, output.optional) for output in flight] == [
            ("Alert[warning, user_canceled]", True),
            ("Alert[closure]", False),
        ]


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_a_warning_may_be_answered_with_any_fatal_alert_that_may_be_sent(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        named = {name for way in outcomes(role, here, Alert.symbol(m.warning)) for name in way.alerts}
        assert named == {alert.name for alert in m.FATAL_ALERTS}
        assert not named & {"close_notify", "no_renegotiation", "decryption_failed_reserved"}


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_an_alert_of_no_level_is_undecodable_wherever_it_can_be_read(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        assert alerts(role, here, Alert.symbol(m.broken_alert)) == {
            "decode_error",
            "illegal_parameter",
            "unexpected_message",
        }


def test_a_wrong_key_usage_should_be_refused_and_other_faults_of_a_chain_must() -> None:
    here = walk(client, CLIENT_RSA[:2])
    levels = {value: only(client, here, Certificate.symbol(value)).row.level for value in m.CHAIN.defects}
    assert {value for value, level in levels.items() if level is Level.SHOULD} == {m.wrong_usage}
    assert set(levels.values()) == {Level.SHOULD, Level.MUST}


# ------------------------------------------------------------------------------------------------------ renegotiation


def test_a_hello_request_in_the_middle_of_a_handshake_should_be_ignored() -> None:
    for here in everywhere(client, tls12.CONNECTED):
        way = only(client, here, HelloRequest.symbol())
        assert (way.after, way.flight, way.row.level) == (here, (), Level.SHOULD)


def test_a_connected_client_may_ignore_refuse_or_follow_a_hello_request() -> None:
    here = walk(client, CLIENT_RSA)
    ways = outcomes(client, here, HelloRequest.symbol())
    assert {way.flight for way in ways} == {(), ("Alert[warning, no_renegotiation]",)}
    followed = {there.state for row, _, there in client.reachable[here] if row.pattern.message is ClientHello}
    assert tls12.RENEGOTIATING in followed


def test_a_client_hello_to_a_client_is_unexpected_although_it_may_send_one() -> None:
    assert alerts(client, walk(client, CLIENT_RSA), ClientHello.symbol()) == {"unexpected_message"}
    assert alerts(server, walk(server, SERVER_RSA), HelloRequest.symbol()) == {"unexpected_message"}


def test_a_connected_server_may_refuse_or_accept_a_second_hello() -> None:
    ways = outcomes(server, walk(server, SERVER_RSA), ClientHello.symbol())
    assert {way.after.state.name for way in ways} == {"CONNECTED", "ABORTED", "RENEGOTIATING"}
    assert {way.row.level for way in ways} == {Level.MAY}
    for refused in (m.bare, *m.CLIENT_HELLO.defects):
        ways = outcomes(server, walk(server, SERVER_RSA), ClientHello.symbol(refused))
        assert {way.after.state.name for way in ways} == {"CONNECTED", "ABORTED"}, refused


@pytest.mark.parametrize(
    ("offer", "chosen"), [(m.offers_rsa, {m.rsa}), (m.offers_ecdhe, {m.ecdhe}), (m.offers_both, {m.rsa, m.ecdhe})]
)
def test_a_second_hello_is_answered_with_what_it_offers(offer: Value, chosen: set[Value]) -> None:
    begun = [
        way
        for way in outcomes(server, walk(server, SERVER_RSA), ClientHello.symbol(offer))
        if way.after.state is tls12.RENEGOTIATING
    ]
    answers = {
        value
        for way in begun
        for value in m.KEY_EXCHANGE.values
        if server.allows(server.flight(way.row, way.after)[0], way.after, ServerHello.symbol(value))
    }
    assert answers == chosen
    for way in begun:
        uses_ecdhe = server.remembered(way.after)["key_exchange"] == m.ecdhe.bit
        assert ("ServerKeyExchange" in way.flight) is uses_ecdhe


def test_what_would_carry_a_second_handshake_on_is_void_and_says_so() -> None:
    for role, carrying in ((client, [ServerHello]), (server, [ClientKeyExchange, Certificate])):
        begun = [c for c in role.reachable if c.state is tls12.RENEGOTIATING]
        assert begun
        for here, message in itertools.product(begun, carrying):
            assert role.is_void(here, message.symbol()) == tls12.NOT_YET


# ----------------------------------------------------------------------------------------------------- the whole table


@pytest.mark.parametrize(
    ("role", "states"),
    [
        (
            client,
            "START WAIT_SERVER_HELLO WAIT_CERTIFICATE WAIT_SERVER_KEY_EXCHANGE WAIT_SERVER_HELLO_DONE "
            "WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED RENEGOTIATING CLOSED ABORTED",
        ),
        (
            server,
            "WAIT_CLIENT_HELLO WAIT_CLIENT_KEY_EXCHANGE WAIT_CHANGE_CIPHER_SPEC WAIT_IN_VAIN WAIT_FINISHED CONNECTED "
            "RENEGOTIATING CLOSED ABORTED",
        ),
    ],
    ids=["client", "server"],
)
def test_exactly_these_states_are_reachable(role: Role, states: str) -> None:
    assert {c.state.name for c in role.reachable} == set(states.split())
    assert {state.name for state in role.states} == set(states.split())


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_only_these_leave_a_state_towards_the_connection(role: Role) -> None:
    """No cell goes on that the RFC does not know: each step forward is one of these messages."""
    forward = {
        (here.state.name, symbol.message.name, there.state.name)
        for here, steps in role.reachable.items()
        for row, symbol, there in steps
        if there.state not in (here.state, tls12.CLOSED, tls12.ABORTED)
    }
    handshake = {
        ("START", "connect", "WAIT_SERVER_HELLO"),
        ("WAIT_SERVER_HELLO", "ServerHello", "WAIT_CERTIFICATE"),
        ("WAIT_CERTIFICATE", "Certificate", "WAIT_SERVER_HELLO_DONE"),
        ("WAIT_CERTIFICATE", "Certificate", "WAIT_SERVER_KEY_EXCHANGE"),
        ("WAIT_SERVER_KEY_EXCHANGE", "ServerKeyExchange", "WAIT_SERVER_HELLO_DONE"),
        ("WAIT_SERVER_HELLO_DONE", "ServerHelloDone", "WAIT_CHANGE_CIPHER_SPEC"),
    }
    if role is server:
        handshake = {
            ("WAIT_CLIENT_HELLO", "ClientHello", "WAIT_CLIENT_KEY_EXCHANGE"),
            ("WAIT_CLIENT_KEY_EXCHANGE", "ClientKeyExchange", "WAIT_CHANGE_CIPHER_SPEC"),
            ("WAIT_CHANGE_CIPHER_SPEC", "ChangeCipherSpec", "WAIT_IN_VAIN"),
        }
    assert forward == handshake | {
        ("WAIT_CHANGE_CIPHER_SPEC", "ChangeCipherSpec", "WAIT_FINISHED"),
        ("WAIT_FINISHED", "Finished", "CONNECTED"),
        ("CONNECTED", "ClientHello", "RENEGOTIATING"),
        *([("RENEGOTIATING", "Alert", "CONNECTED")] if role is client else []),
    }


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_only_these_are_read_without_a_step(role: Role) -> None:
    """What a state takes and stays: anything else that it does not refuse would be a forgotten check."""
    stays = {
        (here.state.name, symbol.text)
        for here, steps in role.reachable.items()
        for row, symbol, there in steps
        if there.state is here.state and row.kind.value == "recv"
    }
    open_ = {c.state.name for c in everywhere(role, tls12.WAIT_IN_VAIN)}
    data = {"CONNECTED", "RENEGOTIATING"}
    expected = set(itertools.product(open_, {"Alert[WARNING]", "Record[EMPTY_MESSAGE]", "Record[ZERO_LENGTH]"}))
    expected |= set(itertools.product(data, {"ApplicationData"}))
    if role is client:
        expected |= {(name, "HelloRequest[EMPTY]") for name in open_}
        expected |= {("WAIT_SERVER_HELLO_DONE", "CertificateRequest[WELL_FORMED]")}
    else:
        expected |= {("CONNECTED", s.text) for s in role.symbols if s.message is ClientHello}
    assert stays == expected


def test_a_defect_is_tried_with_the_usual_values_of_what_no_row_looks_at_with_it() -> None:
    defective = [s for s in server.symbols if s.message is ClientHello and not s.is_sound]
    assert {s.text for s in defective} == {
        f"ClientHello[{value.name.upper()}, OFFERS_BOTH, EXTENDED]" for value in m.CLIENT_HELLO.defects
    }
