"""How the layers compose, and the honest runs that the tables give by being stepped against each other."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shakeproof.model import certificate_checks as checks
from shakeproof.model import http, tls12_client, tls12_server
from shakeproof.model import messages as m
from shakeproof.model import tcp_segments as t
from shakeproof.model.clauses import MUST
from shakeproof.model.facts import ModelError, Value
from shakeproof.model.https import (
    CLOSE_PHASE,
    DEFECTS,
    LAYERS,
    PORTS,
    TCP_PHASE,
    UNTOLD,
    Port,
    chain_fact,
    layer,
    tcp_handshake,
    tcp_steps,
    tcp_teardown,
    tcp_trace,
)
from shakeproof.model.machine import Role
from shakeproof.model.notation import STAY, Kind, Message, recv, sends
from shakeproof.model.roles import ROLES
from shakeproof.model.tcp import tcp
from shakeproof.model.trace import Kind as StepKind
from shakeproof.model.trace import Trace
from shakeproof.model.walk import DELIVERIES_LIMIT, Event, Party, start, walk

# ------------------------------------------------------------------------------------------------------- the layers


def roles_of(name: str, side: str) -> list[Role]:
    found = layer(name)
    wanted = {"client": [found.client], "server": [found.server], "both": [found.client, found.server]}[side]
    return [ROLES[role] for role in wanted if role]


def test_layers_name_roles_and_stand_on_each_other() -> None:
    names = {each.name for each in LAYERS}
    assert {role for each in LAYERS for role in (each.client, each.server) if role} == set(ROLES)
    assert all(each.below in names or not each.below for each in LAYERS)


def test_unknown_layer_is_named_with_the_known_ones() -> None:
    with pytest.raises(ModelError, match="layers are http, tls12"):
        layer("tsl12")


def spoken(role: Role, kind: str) -> set[str]:
    """The names of a table that a port may use for this kind of event."""
    if kind == "state":
        return {state.name for state in role.states}
    if kind == "call":
        return {row.pattern.message.name for row in role.rows if row.kind is Kind.CALL}
    if kind == "reads":
        return {message.name for message in role.alphabet}
    if kind == "fact":
        return {fact.name for message in role.alphabet for fact in message.facts}
    assert kind == "sends"
    sent = {output.pattern.message.name for row in role.rows for output in row.outputs}
    return sent | {row.pattern.message.name for row in role.rows if row.kind is Kind.SEND}


@pytest.mark.parametrize("port", PORTS, ids=[port.name for port in PORTS])
def test_port_joins_things_that_the_tables_have(port: Port) -> None:
    for name, (kind, what) in ((port.source, port.when), (port.target, port.does)):
        if name == "application":
            continue
        roles = roles_of(name, port.side)
        assert roles, f"{name} has no role on that side"
        known = set().union(*(spoken(role, kind) for role in roles))
        assert known, f"{name} has nothing of kind {kind}"
        assert not what or what in known, f"{name} has no {kind} {what}"


def test_ports_have_different_names() -> None:
    assert len({port.name for port in PORTS}) == len(PORTS)


# ------------------------------------------------------------------------------------------------------ the verdict


def test_every_defect_of_the_certificate_table_is_a_value_of_the_chain_fact_or_untold() -> None:
    defects = {d for message in checks.OBSERVATIONS for fact in message.facts for d in fact.defects}
    assert set(DEFECTS) | set(UNTOLD) == defects
    assert not set(DEFECTS) & set(UNTOLD)
    assert {value.fact for value in DEFECTS.values()} == {m.CHAIN}
    assert not any(value.is_sound for value in DEFECTS.values())


def test_what_the_chain_fact_has_a_value_for_is_told() -> None:
    """Those of one name are told by that name; what it has besides is no defect of a chain that could be validated."""
    names = {value.name for value in m.CHAIN.defects}
    assert not names & {defect.name for defect in UNTOLD}
    assert all(told.name == defect.name for defect, told in DEFECTS.items() if defect.name in names)
    assert names - {told.name for told in DEFECTS.values()} == {"empty_chain", "wrong_key_type"}


def test_verdict_without_defect_is_trusted_and_several_defects_are_joined() -> None:
    assert chain_fact([]) == (m.trusted,)
    several: list[Value] = [checks.expired, checks.issuer_key_usage, checks.issuer_not_ca]
    assert chain_fact(several) == (m.expired, m.issuer_not_ca)


def test_defect_that_is_untold_is_refused_with_what_is_told() -> None:
    with pytest.raises(ModelError, match=r"no value for .'weak_key'.; it has values for .*expired"):
        chain_fact([checks.expired, checks.weak_key])


def test_what_is_no_defect_of_the_certificate_table_is_refused() -> None:
    with pytest.raises(ModelError, match="mismatch"):
        chain_fact([m.mismatch])


# ------------------------------------------------------------------------------------------- honest runs of the tables


def test_handshake_is_figure_6_of_rfc_9293() -> None:
    steps = tcp_handshake()
    assert [(step.sender, step.label) for step in steps] == [
        ("client", "SYN"),
        ("server", "SYN-ACK"),
        ("client", "ACK"),
    ]
    assert [(step.after["client"], step.after["server"]) for step in steps] == [
        ("SYN-SENT", "SYN-RECEIVED"),
        ("ESTABLISHED", "SYN-RECEIVED"),
        ("ESTABLISHED", "ESTABLISHED"),
    ]
    assert steps[0].before == {"client": "CLOSED", "server": "LISTEN"}


def test_teardown_is_figure_12_of_rfc_9293() -> None:
    steps = tcp_teardown()
    assert [(step.sender, step.label, dict(step.after)) for step in steps] == [
        ("client", "FIN-ACK", {"client": "FIN-WAIT-1", "server": "CLOSE-WAIT"}),
        ("server", "ACK", {"client": "FIN-WAIT-2", "server": "CLOSE-WAIT"}),
        ("server", "FIN-ACK", {"client": "TIME-WAIT", "server": "LAST-ACK"}),
        ("client", "ACK", {"client": "TIME-WAIT", "server": "CLOSED"}),
        ("client", "2 MSL pass", {"client": "CLOSED"}),
    ]
    assert steps[-1].kind is StepKind.TIME


def test_simultaneous_close_is_figure_13_of_rfc_9293() -> None:
    parties = established()
    # Both call CLOSE before anything is delivered: the FIN of each crosses that of the other.
    for party in parties:
        party.take(t.CLOSE.symbol())
    steps = walk(parties, (Event("client", t.CLOSE),))
    assert [party.state for party in parties] == ["TIME-WAIT", "TIME-WAIT"]
    assert {step.after["client"] for step in steps} >= {"FIN-WAIT-1", "TIME-WAIT"}


def established() -> tuple[Party, Party]:
    parties = (start("client", tcp), start("server", tcp, t.passive_open))
    walk(parties, (Event("client", t.active_open),))
    return parties


def test_every_step_is_taken_from_rows_and_says_so() -> None:
    trace = tcp_trace()
    assert trace.origin == "table"
    for step in trace:
        row = tcp.by_id[step.row]
        assert step.clause in {clause.reference for clause in row.clauses}
        assert step.time_s is None
        assert step.layer == "tcp"
        assert step.phase in (TCP_PHASE.key, CLOSE_PHASE.key)
    assert [step.number for step in trace] == list(range(1, len(trace.steps) + 1))


def test_states_before_are_the_states_after_the_step_before() -> None:
    last: dict[str, str] = {}
    for step in tcp_steps():
        for lane, state in step.before.items():
            assert last.get(lane, state) == state, step
        last.update(step.after)


def test_lanes_are_named_by_the_caller() -> None:
    steps = tcp_steps("alice", "bob")
    assert {step.sender for step in steps} == {"alice", "bob"}


def test_trace_survives_being_saved() -> None:
    trace = tcp_trace()
    assert Trace.from_json(trace.to_json()) == trace


def test_tls_tables_stepped_against_each_other_complete_and_close() -> None:
    parties = (start("client", tls12_client.client), start("server", tls12_server.server))
    steps = walk(parties, (Event("client", m.connect), Event("client", m.write), Event("client", m.close)))
    names = [step.message for step in steps]
    assert names[0] == "ClientHello"
    assert names.count("Finished") == 2
    assert "ApplicationData" in names
    assert [party.state for party in parties] == ["CLOSED", "CLOSED"]


def test_http_tables_stepped_against_each_other_keep_the_connection_then_close_it() -> None:
    parties = (start("client", http.client), start("server", http.server))
    exchange = (Event("client", http.request), Event("server", http.respond))
    walk(parties, exchange)
    assert [party.state for party in parties] == ["IDLE", "IDLE"]
    walk(parties, (Event("client", http.last_request), Event("server", http.respond)))
    assert [party.state for party in parties] == ["CLOSED", "CLOSED"]


def test_walk_says_which_row_is_missing() -> None:
    parties = (start("client", tcp), start("server", tcp))
    with pytest.raises(ModelError, match="no row reads time-wait in CLOSED"):
        walk(parties, (Event("client", t.TIME_WAIT_TIMER),))


def test_walk_refuses_an_unknown_lane_and_a_third_party() -> None:
    parties = (start("client", tcp), start("server", tcp))
    with pytest.raises(ModelError, match="no lane 'proxy'"):
        walk(parties, (Event("proxy", t.active_open),))
    with pytest.raises(ModelError, match="between two parties, not 1"):
        walk(parties[:1], ())


def test_start_refuses_a_call_that_sends() -> None:
    with pytest.raises(ModelError, match="make it an event"):
        start("client", tcp, t.active_open)


def test_walk_of_tables_that_never_fall_silent_is_stopped() -> None:
    ping = Message("Ping", "a message that is answered with itself")
    answering = replace(
        tcp,
        hints={},
        alphabet=(*tcp.alphabet, ping),
        lines=[
            *(line for line in tcp.lines),
            recv(t.CLOSED, ping, STAY, sends(ping), MUST("3.10.1 active")),
        ],
    )
    parties = (start("client", answering), start("server", answering))
    parties[0].take(ping.symbol())
    with pytest.raises(ModelError, match=f"{DELIVERIES_LIMIT} messages after"):
        walk(parties, (Event("client", t.SEND),))
