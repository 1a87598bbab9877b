"""The tables of TLS 1.2, walked by hand: honest runs, and the answer that each violation earns."""

from __future__ import annotations

import itertools

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
    Record,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    UnknownHandshake,
)
from shakeproof.model.notation import Message, Symbol
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_server import server
from tests.model.tls12_walks import (
    CCS,
    CLIENT_DHE,
    CLIENT_ECDHE,
    CLIENT_RSA,
    DONE,
    FINISHED,
    HELLO_DHE,
    HELLO_ECDHE,
    HELLO_RSA,
    KEYS,
    PARAMS,
    SERVER_DHE,
    SERVER_ECDHE,
    SERVER_RSA,
    alerts,
    everywhere,
    only,
    outcomes,
    walk,
)

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
        (
            client,
            CLIENT_DHE,
            "WAIT_SERVER_HELLO WAIT_CERTIFICATE WAIT_SERVER_KEY_EXCHANGE WAIT_SERVER_HELLO_DONE "
            "WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED",
        ),
        (server, SERVER_RSA, "WAIT_CLIENT_KEY_EXCHANGE WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED"),
        (server, SERVER_ECDHE, "WAIT_CLIENT_KEY_EXCHANGE WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED"),
        (server, SERVER_DHE, "WAIT_CLIENT_KEY_EXCHANGE WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED"),
    ],
    ids=["client-rsa", "client-ecdhe", "client-dhe", "server-rsa", "server-ecdhe", "server-dhe"],
)
def test_an_honest_handshake_passes_through_the_rfcs_states(role: Role, symbols: list[Symbol], states: str) -> None:
    passed = [walk(role, symbols[: n + 1]).state.name for n in range(len(symbols))]
    assert passed == states.split()


SIGNED = ("ServerHello", "Certificate", "ServerKeyExchange", "ServerHelloDone")
PLAIN = ("ServerHello", "Certificate", "ServerHelloDone")


@pytest.mark.parametrize(
    ("offer", "flights"),
    [
        (m.offers_rsa, {PLAIN}),
        (m.offers_ecdhe, {SIGNED}),
        (m.offers_dhe, {SIGNED}),
        (m.offers_several, {PLAIN, SIGNED}),
    ],
)
def test_the_servers_flight_has_a_key_exchange_exactly_where_it_is_ephemeral(
    offer: Value, flights: set[tuple[str, ...]]
) -> None:
    ways = outcomes(server, server.start, ClientHello.symbol(offer))
    asking = {(*flight[:-1], "CertificateRequest", flight[-1]) for flight in flights}
    assert {way.flight for way in ways} == flights | asking
    for way in ways:
        asked = server.remembered(way.after)["requested"] == tls12.asked.bit
        assert ("CertificateRequest" in way.flight) is asked
        assert way.after.state is (tls12.WAIT_CERTIFICATE if asked else tls12.WAIT_CLIENT_KEY_EXCHANGE)


def test_the_servers_choice_of_key_exchange_is_in_its_server_hello() -> None:
    hello = ClientHello.symbol(m.offers_several)
    for way in outcomes(server, server.start, hello):
        output = server.flight(way.row, way.after)[0]
        chosen = [v for v in m.KEY_EXCHANGE.values if server.allows(output, way.after, ServerHello.symbol(v))]
        assert [value.bit for value in chosen] == [server.remembered(way.after)["key_exchange"]]


def test_a_hello_without_extensions_may_be_accepted_or_declined() -> None:
    ways = outcomes(server, server.start, ClientHello.symbol(m.bare))
    assert {way.after.state.name for way in ways} == {"WAIT_CLIENT_KEY_EXCHANGE", "WAIT_CERTIFICATE", "ABORTED"}
    assert {way.row.level for way in ways} == {Level.MAY}


def test_the_server_finishes_after_the_client() -> None:
    assert only(server, walk(server, SERVER_RSA[:3]), FINISHED).flight == ("ChangeCipherSpec", "Finished")
    assert only(client, walk(client, CLIENT_RSA[:5]), FINISHED).flight == ()


@pytest.mark.parametrize(
    ("offer", "chosen"),
    [(m.offers_rsa, HELLO_RSA), (m.offers_ecdhe, HELLO_ECDHE), (m.offers_dhe, HELLO_DHE)],
    ids=["rsa", "ecdhe", "dhe"],
)
def test_a_client_that_offers_one_key_exchange_is_never_answered_with_another(offer: Value, chosen: Symbol) -> None:
    here = walk(client, [m.connect.symbol()], offer)
    assert outcomes(client, here, chosen)
    for other in {HELLO_RSA, HELLO_ECDHE, HELLO_DHE} - {chosen}:
        assert not outcomes(client, here, other)
        assert client.is_void(here, other)


# --------------------------------------------------------------------------------------------------------- violations

SERVER_HELLO_ALERTS: dict[Value, set[str]] = {
    m.alien_suite: {"illegal_parameter", "handshake_failure"},
    m.alien_version: {"protocol_version", "illegal_parameter"},
    m.alien_compression: {"illegal_parameter", "handshake_failure"},
    m.alien_extension: {"unsupported_extension"},
    m.renegotiation_forged: {"handshake_failure"},
    m.renegotiation_dropped: set(),
    m.changed_suite: {"illegal_parameter", "handshake_failure"},
    m.bond_changed: {"handshake_failure"},
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
    m.self_signed_leaf: {"unknown_ca"},
    m.missing_intermediate: {"unknown_ca"},
    m.pathlen_exceeded: SIX,
    m.wrong_eku: SIX | {"illegal_parameter", "handshake_failure"},
    m.name_excluded: SIX,
    m.unknown_critical: SIX,
    m.no_san: SIX,
    m.weak_hash: SIX | {"illegal_parameter", "handshake_failure", "decrypt_error"},
    m.wrong_key_type: SIX | {"illegal_parameter", "handshake_failure"},
    m.broken_chain: {"bad_certificate", "decode_error"},
}
EVERY_GROUP = {
    m.forged_signature: {"decrypt_error"},
    m.alien_scheme: {"illegal_parameter", "handshake_failure", "decrypt_error"},
    m.broken_params: {"decode_error"},
}
BAD_SHARE = {"illegal_parameter", "handshake_failure", "decode_error", "decrypt_error"}
CURVE_ALERTS = EVERY_GROUP | {
    m.alien_group: {"illegal_parameter", "handshake_failure", "decode_error"},
    m.bad_point: BAD_SHARE,
}
FIELD_ALERTS = EVERY_GROUP | {
    m.weak_group: {"insufficient_security", "illegal_parameter", "handshake_failure"},
    m.bad_share: BAD_SHARE,
}
CLIENT_HELLO_ALERTS: dict[Value, set[str]] = {
    m.old_version: {"protocol_version"},
    m.no_common_suite: {"handshake_failure", "insufficient_security"},
    m.no_null_compression: {"illegal_parameter", "handshake_failure", "decode_error"},
    m.renegotiation_claimed: {"handshake_failure"},
    m.signalled_again: set(),
    m.fallback: {"inappropriate_fallback", "protocol_version"},
    m.bond_dropped: set(),
    m.broken_hello: {"decode_error"},
}
ELSEWHERE = {m.renegotiation_dropped, m.changed_suite, m.bond_changed, m.signalled_again, m.bond_dropped}
"""Defects that only a resumed session or a second handshake can have: these have tests of their own."""
IN_FULL_HANDSHAKES = {
    fact: {value: named for value, named in table.items() if value not in ELSEWHERE}
    for fact, table in ((m.SERVER_HELLO, SERVER_HELLO_ALERTS), (m.CLIENT_HELLO, CLIENT_HELLO_ALERTS))
}
DEFECTS: list[tuple[Role, list[Symbol], Message, dict[Value, set[str]]]] = [
    (client, CLIENT_RSA[:1], ServerHello, IN_FULL_HANDSHAKES[m.SERVER_HELLO]),
    (client, CLIENT_RSA[:2], Certificate, CHAIN_ALERTS),
    (client, CLIENT_ECDHE[:2], Certificate, CHAIN_ALERTS),
    (client, CLIENT_ECDHE[:3], ServerKeyExchange, CURVE_ALERTS),
    (client, CLIENT_DHE[:3], ServerKeyExchange, FIELD_ALERTS),
    (client, CLIENT_RSA[:3], CertificateRequest, {m.broken_request: {"decode_error"}}),
    (client, CLIENT_RSA[:3], ServerHelloDone, {m.overfull: {"decode_error"}}),
    (server, [], ClientHello, IN_FULL_HANDSHAKES[m.CLIENT_HELLO]),
    (server, SERVER_ECDHE[:1], ClientKeyExchange, {m.broken_secret: {"decode_error"}}),
    (server, SERVER_ECDHE[:1], ClientKeyExchange, {m.off_curve: BAD_SHARE}),
    (server, SERVER_DHE[:1], ClientKeyExchange, {m.broken_secret: {"decode_error"}, m.bad_public: BAD_SHARE}),
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
        if value != m.no_san
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
        (m.SERVER_PARAMS, CURVE_ALERTS | FIELD_ALERTS),
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
        ApplicationData: [tls12.CONNECTED],
    }[message]
    refused = everywhere(role, *place, tls12.WAIT_IN_VAIN)
    if message is ApplicationData:
        refused = [here for here in refused if tls12.first.holds(role.remembered(here))]
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
        (client, CLIENT_DHE[:3], DONE, "RFC 5246 section 7.4.3"),
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
        "missing-ske-under-dhe",
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
        for here in everywhere(role, tls12.WAIT_IN_VAIN, tls12.CONNECTED):
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


@pytest.mark.parametrize(
    ("symbols", "own"),
    [
        (SERVER_RSA, {m.bad_block, m.bad_version}),
        (SERVER_ECDHE, {m.off_curve}),
        (SERVER_DHE, {m.bad_public}),
    ],
    ids=["rsa", "ecdhe", "dhe"],
)
def test_defects_of_another_key_exchange_are_void(symbols: list[Symbol], own: set[Value]) -> None:
    here = walk(server, symbols[:1])
    for value in set(m.CLIENT_PARAMS.defects) - {m.broken_secret}:
        assert bool(server.is_void(here, ClientKeyExchange.symbol(value))) is (value not in own), value


def test_a_weak_group_should_be_refused_and_a_share_that_gives_the_secret_away_must() -> None:
    here = walk(client, CLIENT_DHE[:3])
    assert only(client, here, ServerKeyExchange.symbol(m.weak_group)).row.level is Level.SHOULD
    assert only(client, here, ServerKeyExchange.symbol(m.bad_share)).row.level is Level.MUST


def test_what_concerns_curves_is_void_in_a_finite_field_and_the_other_way_round() -> None:
    curve, field = walk(client, CLIENT_ECDHE[:3]), walk(client, CLIENT_DHE[:3])
    for value in (m.alien_group, m.bad_point):
        assert client.is_void(field, ServerKeyExchange.symbol(value))
    for value in (m.weak_group, m.bad_share):
        assert client.is_void(curve, ServerKeyExchange.symbol(value))


def test_a_server_that_only_the_common_name_names_may_be_accepted_and_may_be_refused() -> None:
    """RFC 6125 section 6.4.4 allows the last resort, and only where nothing else is wrong."""
    for prefix, after in ((CLIENT_RSA[:2], "WAIT_SERVER_HELLO_DONE"), (CLIENT_ECDHE[:2], "WAIT_SERVER_KEY_EXCHANGE")):
        here = walk(client, prefix)
        ways = outcomes(client, here, Certificate.symbol(m.no_san))
        assert {way.row.level for way in ways} == {Level.MAY}
        assert {way.after.state.name for way in ways} == {after, "ABORTED"}
        assert {name for way in ways for name in way.alerts} == CHAIN_ALERTS[m.no_san]
        assert alerts(client, here, Certificate.symbol(m.no_san, m.wrong_eku)) >= SIX


def test_a_wrong_key_usage_and_sha1_should_be_refused_and_other_faults_of_a_chain_must() -> None:
    here = walk(client, CLIENT_RSA[:2])
    levels = {
        value: only(client, here, Certificate.symbol(value)).row.level for value in m.CHAIN.defects if value != m.no_san
    }
    assert {value for value, level in levels.items() if level is Level.SHOULD} == {m.wrong_usage, m.weak_hash}
    assert set(levels.values()) == {Level.SHOULD, Level.MUST}


# ----------------------------------------------------------------------------------------------------- the whole table


@pytest.mark.parametrize(
    ("role", "states"),
    [
        (
            client,
            "START WAIT_SERVER_HELLO WAIT_CERTIFICATE WAIT_SERVER_KEY_EXCHANGE WAIT_SERVER_HELLO_DONE "
            "WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED CONNECTED CLOSED ABORTED",
        ),
        (
            server,
            "WAIT_CLIENT_HELLO WAIT_CERTIFICATE WAIT_CLIENT_KEY_EXCHANGE WAIT_CERTIFICATE_VERIFY "
            "WAIT_CHANGE_CIPHER_SPEC WAIT_FINISHED WAIT_IN_VAIN CONNECTED CLOSED ABORTED",
        ),
    ],
    ids=["client", "server"],
)
def test_exactly_these_states_are_reachable(role: Role, states: str) -> None:
    assert {c.state.name for c in role.reachable} == set(states.split())
    assert [state.name for state in role.states] == states.split()


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
        ("WAIT_SERVER_HELLO", "ServerHello", "WAIT_CHANGE_CIPHER_SPEC"),
        ("WAIT_CERTIFICATE", "Certificate", "WAIT_SERVER_HELLO_DONE"),
        ("WAIT_CERTIFICATE", "Certificate", "WAIT_SERVER_KEY_EXCHANGE"),
        ("WAIT_SERVER_KEY_EXCHANGE", "ServerKeyExchange", "WAIT_SERVER_HELLO_DONE"),
        ("WAIT_SERVER_HELLO_DONE", "ServerHelloDone", "WAIT_CHANGE_CIPHER_SPEC"),
        ("CONNECTED", "ClientHello", "WAIT_SERVER_HELLO"),
        ("WAIT_SERVER_HELLO", "Alert", "CONNECTED"),
    }
    if role is server:
        handshake = {
            *(
                (state, "ClientHello", there)
                for state in ("WAIT_CLIENT_HELLO", "CONNECTED")
                for there in ("WAIT_CLIENT_KEY_EXCHANGE", "WAIT_CERTIFICATE", "WAIT_CHANGE_CIPHER_SPEC")
            ),
            ("WAIT_CERTIFICATE", "Certificate", "WAIT_CLIENT_KEY_EXCHANGE"),
            ("WAIT_CLIENT_KEY_EXCHANGE", "ClientKeyExchange", "WAIT_CHANGE_CIPHER_SPEC"),
            ("WAIT_CLIENT_KEY_EXCHANGE", "ClientKeyExchange", "WAIT_CERTIFICATE_VERIFY"),
            ("WAIT_CERTIFICATE_VERIFY", "CertificateVerify", "WAIT_CHANGE_CIPHER_SPEC"),
            ("WAIT_CHANGE_CIPHER_SPEC", "ChangeCipherSpec", "WAIT_IN_VAIN"),
        }
    assert forward == handshake | {
        ("WAIT_CHANGE_CIPHER_SPEC", "ChangeCipherSpec", "WAIT_FINISHED"),
        ("WAIT_FINISHED", "Finished", "CONNECTED"),
    }


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_only_these_are_read_without_a_step(role: Role) -> None:
    """What a state takes and stays: anything else that it does not refuse would be a forgotten check."""
    stays = {
        (here.state.name, symbol.text)
        for here, steps in role.reachable.items()
        for row, symbol, there in steps
        if there.state is here.state and row.kind.value == "recv" and tls12.first.holds(role.remembered(here))
    }
    open_ = {c.state.name for c in everywhere(role, tls12.WAIT_IN_VAIN)}
    anywhere = {"Alert[WARNING]", "Record[EMPTY_MESSAGE]", "Record[ZERO_LENGTH]"}
    expected = set(itertools.product(open_, anywhere)) | {("CONNECTED", "ApplicationData")}
    if role is client:
        expected |= set(itertools.product(open_, {"HelloRequest[EMPTY]", "Alert[WARNING, NO_RENEGOTIATION]"}))
        expected |= {("WAIT_SERVER_HELLO_DONE", "CertificateRequest[WELL_FORMED]")}
        expected |= {("WAIT_CHANGE_CIPHER_SPEC", f"NewSessionTicket[{value}]") for value in ("GRANTED", "WITHDRAWN")}
    else:
        expected |= {("CONNECTED", s.text) for s in role.symbols if s.message is ClientHello}
    assert stays == expected


def test_a_defect_is_tried_with_the_usual_values_of_what_no_row_looks_at_with_it() -> None:
    defective = [s for s in server.symbols if s.message is ClientHello and not s.is_sound]
    asks = dict.fromkeys(m.CLIENT_HELLO.defects, ("ANEW",)) | {m.bond_dropped: ("BY_ID", "BY_TICKET")}
    assert {s.text for s in defective} == {
        f"ClientHello[{value.name.upper()}, OFFERS_SEVERAL, EXTENDED, {said}]"
        for value, every in asks.items()
        for said in every
    }


def test_a_hello_without_extensions_is_tried_with_every_offer_and_asks_for_nothing_else() -> None:
    tried = {s.text for s in server.symbols if s.message is ClientHello and s.has(m.bare)}
    assert tried == {f"ClientHello[ACCEPTABLE, {offer.name.upper()}, BARE, ANEW]" for offer in m.OFFER.values}


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_nothing_of_the_standard_is_said_to_be_without_rows(role: Role) -> None:
    assert role.without == ()
