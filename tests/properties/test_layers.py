"""Across layers: records that come again, and the transport's end, as the audit and Hypothesis try them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.http import HttpsClient, Response
from shakeproof.model import messages as m
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.properties import safety
from shakeproof.properties.conformance import UNTOLD, Outcome, Runner
from shakeproof.properties.endpoint_words import REPEATS
from shakeproof.properties.findings import Grade
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.stateful import ClientMachine, ServerMachine
from shakeproof.properties.suites import DATA, Word, needed, quick, truncations
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.openssl import OpenSslTarget
from shakeproof.properties.targets.ours import OurTarget, make_client, make_server
from shakeproof.properties.targets.scripted import ScriptedEndpoint, ScriptedTarget
from shakeproof.properties.task_run import run_task
from shakeproof.properties.tasks import Partial, Task

PLAIN = Setup("rsa", "rsa", "cbc")
SETUPS = (PLAIN, Setup("ecdhe", "rsa", "gcm"), Setup("ecdhe", "rsa", "chacha"), replace(PLAIN, encrypt_then_mac=True))
CBC = "TLS_RSA_WITH_AES_128_CBC_SHA"
roles = pytest.mark.parametrize("role", [ROLES["tls12.client"], ROLES["tls12.server"]], ids=lambda role: role.name)
setups = pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.text)


def connected(role: Role, setup: Setup) -> dict[str, Word]:
    """The words of records that come again on a connection at rest."""
    return {
        word.symbol.text: word
        for word in quick(role, setup)
        if word.symbol in REPEATS and word.configuration.state is role.accepting
    }


def outcomes(target: Target, role: Role, setup: Setup = PLAIN) -> dict[str, Outcome]:
    runner = Runner(target, role, setup, 0)
    return {word.symbol.text: runner.run(word) for word in truncations(role, quick(role, setup))}


def grades(found: dict[str, Outcome]) -> dict[str, Grade]:
    return {name: outcome.problem.grade for name, outcome in found.items() if outcome.problem is not None}


# ------------------------------------------------------------------------------------------- records that come again


@roles
@setups
def test_what_comes_again_once_connected_is_data_and_the_shortest_way_is_taken_elsewhere(
    role: Role, setup: Setup
) -> None:
    for name, count in (("Record[REPLAYED]", 1), ("Record[STALE]", 2)):
        word = connected(role, setup)[name]
        assert [symbol for symbol in word.prefix if symbol == DATA] == [DATA] * count
        assert word.prefix[-count:] == needed(role, word.configuration, word.symbol)
    assert all(
        needed(role, word.configuration, word.symbol) == () for word in quick(role, setup) if word.symbol not in REPEATS
    )


@roles
@setups
@pytest.mark.parametrize("target", [OurTarget(), OpenSslTarget(), ScriptedTarget()], ids=lambda target: target.name)
def test_a_record_that_comes_again_is_refused_as_one_with_a_wrong_mac(target: Target, role: Role, setup: Setup) -> None:
    for word in connected(role, setup).values():
        outcome = Runner(target, role, setup, 0).run(word)
        assert (outcome.problem, outcome.unreached, outcome.meaningless) == (None, "", "")
        assert any("bad_record_mac" in text.lower() for text in outcome.observed)


@roles
@setups
@pytest.mark.parametrize(
    ("rogue", "taken"),
    [("replayed-record", {"Record[REPLAYED]"}), ("any-earlier-sequence", {"Record[REPLAYED]", "Record[STALE]"})],
)
def test_rogues_take_what_came_before_for_data(rogue: str, taken: set[str], role: Role, setup: Setup) -> None:
    found = {}
    for name, word in connected(role, setup).items():
        problem = Runner(OurTarget(rogue), role, setup, 0).run(word).problem
        if problem is not None:
            found[name] = (problem.grade, problem.clause.reference if problem.clause else "", problem.why)
    assert found == dict.fromkeys(taken, (Grade.WENT_ON, "RFC 5246 section F.2", "accepted application data"))


@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
@pytest.mark.parametrize(
    ("rogue", "age", "raises"),
    [
        ("", 1, False),
        ("", 2, False),
        ("replayed-record", 1, True),
        ("replayed-record", 2, False),
        ("any-earlier-sequence", 1, True),
        ("any-earlier-sequence", 2, True),
    ],
)
def test_the_machine_replays_records_of_this_connection(
    kind: type[ClientMachine | ServerMachine], rogue: str, age: int, raises: bool
) -> None:
    made = kind(rogue)
    made.configure(suite=CBC)
    made.go_on_until(m.ApplicationData)
    for _ in range(2):
        made.application_data(after=0, by_peer=True)
    call: Callable[[], None] = lambda: made.replay(after=0, message=len(made.past) - age)  # noqa: E731
    if raises:
        with pytest.raises(safety.WentOn, match=f"got Record.{'REPLAYED' if age == 1 else 'STALE'}"):
            call()
    else:
        call()
        assert made.violation is None
        assert made.tally.reached["replayed"] == 1


# --------------------------------------------------------------------------------------------- the transport's end


@roles
def test_the_transport_ends_behind_every_honest_message_data_and_close_notify(role: Role) -> None:
    found = truncations(role, quick(role, PLAIN))
    assert found[0].symbol == DATA
    assert {word.symbol.message for word in found} > {m.Finished, m.ChangeCipherSpec, m.ApplicationData, m.Alert}
    assert all(word.ends and word.text[-1].endswith("and the end of the transport") for word in found)


@roles
@pytest.mark.parametrize("target", [OurTarget(), OpenSslTarget(), ScriptedTarget()], ids=lambda target: target.name)
def test_an_end_of_the_transport_is_no_end_of_the_data_but_after_close_notify(target: Target, role: Role) -> None:
    for name, outcome in outcomes(target, role).items():
        assert (outcome.problem, outcome.unreached, outcome.untold) == (None, "", "")
        assert outcome.exchange is not None
        assert outcome.exchange.reaction.end == ("orderly" if name == "Alert[CLOSURE]" else "truncated")


@roles
def test_rogue_takes_the_end_of_the_transport_for_the_end_of_the_data(role: Role) -> None:
    found = outcomes(OurTarget("truncation-unnoticed"), role)
    assert grades(found) == {"ApplicationData": Grade.WENT_ON, "Finished[MATCH]": Grade.WENT_ON}
    problem = found["ApplicationData"].problem
    assert problem is not None
    assert problem.check.endswith("-ALERT-CLOSURE-TRUNCATED")
    assert problem.clause is not None
    assert problem.clause.reference == "RFC 5246 section 7.2.1"
    assert "truncation attack" in problem.clause.sentence
    assert problem.expected == "the application is told that data may be missing"


class Ending(ScriptedTarget):
    """Scripted, with an end of its own."""

    def __init__(self, end: Reaction) -> None:
        super().__init__()
        self.reaction = end

    def connect(self, role: str, setup: Setup) -> Endpoint:
        reaction = self.reaction

        class Ended(ScriptedEndpoint):
            def end(self) -> Reaction:
                return reaction

        return Ended(ROLES[role], setup)


@roles
def test_an_orderly_end_that_is_taken_for_a_truncation_is_refused_valid(role: Role) -> None:
    found = outcomes(Ending(Reaction(closed=True, end="truncated")), role)
    assert grades(found) == {"Alert[CLOSURE]": Grade.REFUSED_VALID}


@roles
def test_a_target_that_dies_of_the_end_of_the_transport_crashes(role: Role) -> None:
    assert set(grades(outcomes(Ending(Reaction(crashed="ValueError")), role)).values()) == {Grade.CRASH}


def partial_of(target: Target, monkeypatch: pytest.MonkeyPatch) -> Partial:
    monkeypatch.setattr("shakeproof.properties.task_run.find_target", lambda name, rogue="": target)
    monkeypatch.setattr("shakeproof.properties.tasks.find_target", lambda name, rogue="": target)
    monkeypatch.setattr("shakeproof.properties.tasks.quick", lambda role, setup, before: quick(role, setup)[:2])
    return run_task(Task("ending", "", "tls12.server", PLAIN, 0), float("inf"), lambda said: None)


def test_an_end_that_nobody_can_see_is_not_tested_and_never_a_success(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unseen(Ending):
        tells_end = False

    ends = len(truncations(ROLES["tls12.server"], quick(ROLES["tls12.server"], PLAIN)))
    for target in (Ending(Reaction(closed=True)), Unseen(Reaction(closed=True, end="orderly"))):
        partial = partial_of(target, monkeypatch)
        assert partial.findings == []
        assert len(partial.beside[UNTOLD]) == ends
        assert "ApplicationData and the end of the transport" in partial.beside[UNTOLD][0]
    seen = partial_of(Ending(Reaction(closed=True, end="orderly")), monkeypatch)
    assert UNTOLD not in seen.beside
    assert [finding.grade for finding in seen.findings] == [Grade.WENT_ON]
    assert seen.findings[0].word[-1] == "ApplicationData and the end of the transport"
    assert seen.findings[0].trace.steps[-1].message == "end of the transport"


@pytest.mark.parametrize("kind", [ClientMachine, ServerMachine])
def test_the_machine_objects_to_a_truncation_that_nobody_notices(kind: type[ClientMachine | ServerMachine]) -> None:
    made = kind("truncation-unnoticed")
    made.configure(suite=CBC)
    made.go_on_until(m.ApplicationData)
    with pytest.raises(safety.NotIntact) as caught:
        made.close(after=1, how="transport")
    assert caught.value.property == safety.DATA_INTACT


HEAD = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("rogue", ["", "truncation-unnoticed"])
def test_a_response_that_ends_with_the_connection_is_whole_only_after_close_notify(rogue: str) -> None:
    tls, server = make_client(ROGUES[rogue] if rogue else None), make_server()
    client = HttpsClient(tls, "server.shakeproof.test")
    client.start()
    client.request("GET")
    for _ in range(3):
        server.receive_data(client.data_to_send())
        client.receive_data(server.data_to_send())
    server.send_application_data(HEAD + b"half of")
    client.receive_data(server.data_to_send())
    if rogue:
        (response,) = [event for event in client.receive_eof() if isinstance(event, Response)]
        assert response.body == b"half of"  # what the fault costs: a part is given out as the whole
    else:
        with pytest.raises(RemoteProtocolError, match="close_notify"):
            client.receive_eof()
