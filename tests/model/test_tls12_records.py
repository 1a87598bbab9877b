"""Alerts, closure and the record layer in the tables of TLS 1.2."""

from __future__ import annotations

import itertools

import pytest

from shakeproof.model import messages as m
from shakeproof.model import tls12
from shakeproof.model.clauses import Level
from shakeproof.model.machine import Role
from shakeproof.model.messages import Alert, ApplicationData, Record
from shakeproof.model.notation import Kind, Stay
from shakeproof.model.tls12_client import client
from shakeproof.model.tls12_server import server
from tests.model.tls12_walks import CLIENT_RSA, SERVER_RSA, alerts, everywhere, only, outcomes, walk

HEARTBEAT = Record.symbol(m.heartbeat)
UNREADABLE = (m.bad_mac, m.bad_padding, m.long_bad_mac, m.replayed, m.stale)
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
    protected = {tls12.WAIT_FINISHED, tls12.CONNECTED, tls12.WAIT_IN_VAIN}
    for here, value in itertools.product(everywhere(role), UNREADABLE):
        if here.state in protected or tls12.again.holds(role.remembered(here)):
            assert alerts(role, here, Record.symbol(value)) == {"bad_record_mac"}
        else:
            assert role.is_void(here, Record.symbol(value))


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_a_record_that_comes_again_rests_on_what_sequence_numbers_are_for(role: Role) -> None:
    (here,) = {
        here for here in everywhere(role) if here.state is tls12.CONNECTED and tls12.first.holds(role.remembered(here))
    }
    for value in (m.replayed, m.stale):
        way = only(role, here, Record.symbol(value))
        assert way.alerts == {"bad_record_mac"}
        assert way.row.level is Level.MUST
        assert way.row.clauses[0].reference == "RFC 5246 section F.2"


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
        if tls12.again.holds(role.remembered(here)) and here.state is not tls12.CONNECTED:
            continue
        if here.state is tls12.CONNECTED:
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
    for here in everywhere(role, tls12.CONNECTED):
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


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_a_heartbeat_that_was_not_agreed_upon_is_refused_as_an_unexpected_record_type(role: Role) -> None:
    for here in everywhere(role, tls12.WAIT_IN_VAIN):
        way = only(role, here, HEARTBEAT)
        assert way.alerts == {"unexpected_message"}
        assert way.row.level is Level.MUST
        assert way.row.clauses[0].reference == "RFC 5246 section 6"


@pytest.mark.parametrize("role", [client, server], ids=["client", "server"])
def test_what_must_be_answered_alike_has_one_answer_wherever_it_is_read(role: Role) -> None:
    for alike in role.alike:
        for here in everywhere(role):
            answers = {
                tuple((way.after.state, way.alerts, way.flight) for way in outcomes(role, here, symbol))
                for symbol in alike.symbols
            }
            assert len(answers) == 1, (here, alike.symbols)


def test_a_no_renegotiation_that_is_no_warning_is_never_tried() -> None:
    tried = {s.text for s in client.symbols if s.message is Alert}
    assert tried == {
        "Alert[WARNING]",
        "Alert[WARNING, NO_RENEGOTIATION]",
        "Alert[FATAL]",
        "Alert[CLOSURE]",
        "Alert[BROKEN_ALERT]",
    }
