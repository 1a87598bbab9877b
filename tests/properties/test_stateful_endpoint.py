"""The machine of one endpoint: what it says, what it makes of the answers, and that it can be played again."""

from __future__ import annotations

from typing import Any

import pytest

from shakeproof.impl.tls.suites import SUITES_BY_NAME
from shakeproof.model.messages import ApplicationData, ServerHello, ecdhe, resumed, rsa
from shakeproof.model.roles import ROLES
from shakeproof.properties import safety
from shakeproof.properties.courses import chosen_values
from shakeproof.properties.endpoint_machine import ClientMachine, EndpointMachine, ServerMachine
from shakeproof.properties.endpoint_words import MANNERS, SUITE_NAMES, setup_of
from shakeproof.properties.play import belonging, choices, next_honest
from shakeproof.properties.recorded import RecordedMachine
from shakeproof.properties.stateful import repeat

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
CBC = "TLS_RSA_WITH_AES_128_CBC_SHA"
ECDHE = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"
ECDSA = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"


def machine(
    kind: type[EndpointMachine], suite: str = CBC, rogue: str = "", *, manner: str = "plain"
) -> EndpointMachine:
    made = kind(rogue)
    made.configure(suite=suite, manner=manner)
    return made


@pytest.mark.parametrize("suite", SUITE_NAMES)
@pytest.mark.parametrize("manner", MANNERS)
@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
def test_honest_messages_lead_to_application_data(kind: type[EndpointMachine], suite: str, manner: str) -> None:
    made = machine(kind, suite, manner=manner)
    made.deliver(count=8)
    assert made.is_open
    assert made.honest() == ApplicationData.symbol()
    assert made.play is not None
    assert made.play.oracle.is_accepting
    assert made.play.peer.context.suite.name == suite


@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
def test_another_handshake_goes_on_to_the_end_under_the_keys_of_the_first(kind: type[EndpointMachine]) -> None:
    made = machine(kind, ECDHE, manner="renegotiation")
    for _ in range(2):
        made.renegotiate(count=6)
        assert made.honest() == ApplicationData.symbol()
    assert made.tally.reached["renegotiation"] == 2
    assert made.connections == 1
    assert made.play is not None
    assert "again" in made.role.remembered_text(made.play.oracle.configurations[0])


@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
@pytest.mark.parametrize("manner", ["session by id", "session by ticket"])
def test_each_connection_resumes_a_session_that_one_before_it_made(kind: type[EndpointMachine], manner: str) -> None:
    made = machine(kind, manner=manner)
    for connection in (1, 2):
        made.deliver(count=8)
        assert made.connections == connection
        assert made.play is not None
        assert made.play.peer.context.resumption is not None
        made.close(after=0, how="close_notify")


def test_what_was_said_of_a_session_is_not_replayed_where_it_means_something_else() -> None:
    made = machine(ClientMachine, manner="session by id")
    made.deliver(count=1)
    past = made.past[0]
    assert past.symbol == ServerHello.symbol(rsa, resumed)
    made.close(after=0, how="transport")
    assert made.again(past) is None


@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
@pytest.mark.parametrize("piece", [1, 7, 64])
def test_verdict_does_not_depend_on_how_messages_are_cut(kind: type[EndpointMachine], piece: int) -> None:
    made = machine(kind)
    for _ in range(8):
        made.coalesce(count=8, piece=piece)
    assert made.play is not None
    assert made.play.oracle.is_accepting


def test_next_honest_follows_the_chosen_key_exchange() -> None:
    here = next(c for c in CLIENT.reachable if c.state.name == "WAIT_SERVER_HELLO")
    for suite, value in ((CBC, rsa), (ECDHE, ecdhe)):
        chosen = chosen_values(setup_of(SUITES_BY_NAME[suite]), CLIENT.name)
        assert next_honest(CLIENT, here, chosen) == ServerHello.symbol(value)


def test_choices_cover_the_alphabet_but_for_what_means_nothing() -> None:
    for role in (CLIENT, SERVER):
        for configuration in role.reachable:
            if role.is_final(configuration.state):
                continue
            now = choices(role, (configuration,))
            known = {*now.legal, *now.disputed, *now.forbidden}
            meaningless = {symbol for symbol in role.symbols if not role.enabled(configuration, symbol)}
            assert known | meaningless == set(role.symbols)
            assert not known & meaningless


def test_belonging_messages_are_those_of_the_peers_handshake() -> None:
    assert {message.name for message in belonging(CLIENT)} >= {"ServerHello", "Certificate", "Finished"}
    assert "ClientKeyExchange" not in {message.name for message in belonging(CLIENT)}
    assert {message.name for message in belonging(SERVER)} >= {"ClientHello", "ClientKeyExchange", "Finished"}


@pytest.mark.parametrize(
    ("rogue", "suite", "method", "arguments", "kind"),
    [
        ("early-ccs", CBC, "reorder", {"after": 1, "symbol": "ChangeCipherSpec[ONE]"}, safety.WentOn),
        ("skip-to-finished", CBC, "forge_early", {}, safety.WentOn),
        ("missing-ske", ECDSA, "drop", {"after": 2, "count": 1}, safety.WentOn),
        ("ske-under-rsa", CBC, "reorder", {"after": 2, "symbol": "ServerKeyExchange[SIGNED]"}, safety.WentOn),
        ("goto-fail", ECDHE, "forge", {"symbol": "ServerKeyExchange[FORGED_SIGNATURE]", "after": 0}, safety.WentOn),
        ("finished-unchecked", CBC, "forge", {"symbol": "Finished[MISMATCH]", "after": 0}, safety.WentOn),
        ("mac-unchecked", CBC, "forge", {"symbol": "Record[BAD_MAC]", "after": 1}, safety.WentOn),
        ("padding-unchecked", CBC, "forge", {"symbol": "Record[BAD_PADDING]", "after": 1}, safety.WentOn),
        ("expired-certificate", CBC, "certificate_defect", {"defects": ("expired",)}, safety.WentOn),
        ("wrong-name", ECDHE, "certificate_defect", {"defects": ("wrong_name",)}, safety.WentOn),
        ("certificate-unchecked", CBC, "certificate_defect", {"defects": ("untrusted",)}, safety.WentOn),
    ],
)
def test_rogue_client_is_objected_to_and_the_clean_one_is_not(
    rogue: str, suite: str, method: str, arguments: dict[str, object], kind: type[safety.PropertyViolation]
) -> None:
    if method == "forge_early":
        method, arguments = "reorder", {"after": 2, "symbol": "Finished[MATCH]"}
    clean, faulty = machine(ClientMachine, suite), machine(ClientMachine, suite, rogue)
    getattr(clean, method)(**arguments)
    with pytest.raises(kind) as caught:
        getattr(faulty, method)(**arguments)
    assert caught.value.property == safety.CLIENT_FOLLOWS_TABLE
    assert caught.value.clause.startswith("RFC ")
    assert "expected" in str(caught.value)


def test_tampered_hello_never_leads_to_application_data() -> None:
    for place in range(0, 80, 3):
        machine(ClientMachine, ECDHE).tamper(after=0, place=place, bit=place % 8)
        machine(ServerMachine, ECDHE).tamper(after=0, place=place, bit=place % 8)


def test_replayed_record_of_an_earlier_connection_is_refused() -> None:
    made = machine(ServerMachine)
    made.deliver(count=5)
    last = len(made.past) - 1
    made.close(after=0, how="transport")
    made.deliver(count=4)
    made.replay(after=0, message=last)
    assert made.tally.reached["replayed"] == 1
    assert made.connections == 3


def test_end_of_transport_that_nobody_notices_is_a_violation() -> None:
    made = machine(ClientMachine)
    made.deliver(count=6)
    assert made.play is not None
    connection = made.play.endpoint._connection  # type: ignore[attr-defined]
    connection.receive_eof = lambda: []
    with pytest.raises(safety.NotIntact):
        made.close(after=0, how="transport")


def test_steps_print_as_code_that_repeats_them() -> None:
    made: RecordedMachine = machine(ServerMachine, ECDHE)
    made.deliver(count=2)  # type: ignore[attr-defined]
    made.alert(after=1, symbol="Alert[FATAL]")  # type: ignore[attr-defined]
    state = ServerMachine()
    exec(made.code(), {"state": state})
    assert state.code() == made.code()
    assert state.tally == made.tally


def test_watching_one_property_leaves_others_alone() -> None:
    faulty = ClientMachine("expired-certificate", watched=frozenset({safety.DATA_INTACT}))
    faulty.configure(suite=CBC)
    faulty.certificate_defect(defects=("expired",))
    assert faulty.violation is None


@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
@pytest.mark.parametrize(
    "garbage", [b"", b"\0", b"\xff" * 20, b"\x16\x03\x03\xff\xff", b"\x80\x2e\x01\x03\x03", b"GET /"]
)
def test_bytes_that_are_no_message_are_refused_in_good_order(kind: type[EndpointMachine], garbage: bytes) -> None:
    reached = 0
    for after in range(7):
        for keep in (0, 1, 4, 5, 9, 30):
            made = machine(kind, ECDHE)
            made.garble(after=after, keep=keep, garbage=garbage)
            assert made.violation is None
            reached += made.tally.reached["garbled"]
    assert reached >= 7 * 4  # all but those that happen to be no garbage


def test_crash_on_garbage_is_a_violation() -> None:
    made = machine(ServerMachine)
    play = made.ready()
    play.endpoint._connection.receive_data = lambda data: [][1]  # type: ignore[attr-defined]
    with pytest.raises(safety.Crashed, match="IndexError"):
        made.garble(after=0, keep=3, garbage=b"")


def test_a_renegotiation_after_one_that_was_refused_is_followed() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("configure", {"suite": "TLS_RSA_WITH_AES_128_CBC_SHA", "manner": "renegotiation"}),
        ("renegotiate", {"count": 0}),
        ("unusual", {"symbol": "Alert[WARNING, NO_RENEGOTIATION]"}),
        ("renegotiate", {"count": 3}),
    ]
    assert repeat(ClientMachine, "", calls).violation is None
