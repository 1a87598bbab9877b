"""Suites: courses and what they expect of a target, special setups that repeat nothing, words about no cell."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shakeproof.model import messages as m
from shakeproof.model.machine import Role
from shakeproof.model.roles import ROLES
from shakeproof.properties.conformance import Runner
from shakeproof.properties.courses import chosen_values, concerns, courses, first_course, is_basic
from shakeproof.properties.findings import Grade
from shakeproof.properties.suites import (
    FLOOD,
    FRAGMENT_BYTES,
    agrees,
    floods,
    fragments,
    honest_path,
    honest_prefixes,
    plainly,
    quick,
    truncations,
)
from shakeproof.properties.targets.base import SETUPS, Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.ours import OurTarget
from shakeproof.properties.targets.scripted import ScriptedEndpoint, ScriptedTarget
from shakeproof.properties.tasks import Task, words_of
from tests.properties.planted import with_ticket_transcribed, with_ticket_unpromised

CLIENT, SERVER = ROLES["tls12.client"], ROLES["tls12.server"]
PLAIN = Setup("rsa", "rsa", "cbc")
BY_ID = Setup("rsa", "rsa", "cbc", session="id")
AGAIN = Setup("rsa", "rsa", "cbc", renegotiation=True)


def places(role: Role, setup: Setup) -> set[str]:
    return {
        f"{here.state.name} {role.remembered_text(here)}".strip()
        for course in courses(setup, role.name)
        for here in honest_prefixes(role, course)
    }


@pytest.mark.parametrize("role", [CLIENT, SERVER], ids=lambda role: role.name)
@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.text)
def test_each_course_leads_to_application_data(role: Role, setup: Setup) -> None:
    for course in (*courses(setup, role.name), first_course(setup, role.name)):
        ends = [here for here in honest_prefixes(role, course) if here.state is role.accepting]
        assert ends
        start = next(iter(honest_prefixes(role, course)))
        assert honest_path(role, start, course)


def test_a_prefix_goes_where_the_target_is_expected_to_go() -> None:
    assert "WAIT_CHANGE_CIPHER_SPEC resumed" in places(SERVER, BY_ID)
    assert not any("resumed" in place for place in places(SERVER, PLAIN))
    assert any("again" in place for place in places(SERVER, AGAIN))
    assert any("again" in place for place in places(CLIENT, AGAIN))
    assert not any("again" in place for setup in (PLAIN, BY_ID) for place in places(SERVER, setup))
    asked = places(SERVER, Setup("rsa", "rsa", "cbc", client_auth=True))
    assert any("WAIT_CERTIFICATE_VERIFY" in place for place in asked)
    assert any("anonymous" in place for place in asked)


def test_a_special_setup_repeats_no_cell_that_it_can_not_change() -> None:
    for role in (CLIENT, SERVER):
        known: set[object] = set()
        for setup in OurTarget().setups(role.name):
            words = words_of(Task("shakeproof", "", role.name, setup, 0))
            assert words
            cells = {(word.configuration, word.symbol) for word in words}
            assert len(cells) == len(words)
            if not is_basic(setup):
                repeated = {cell for cell in cells & known if not concerns(setup, *cell)}
                assert repeated == set()
            known |= cells


class Prepared(ScriptedTarget):
    """A client that follows the table only where it did not ask for a ticket."""

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return ScriptedEndpoint(self.table if self.table and setup.session == "ticket" else CLIENT, setup)


@pytest.mark.parametrize(
    ("at", "table", "found"),
    [
        ("WAIT_CHANGE_CIPHER_SPEC", with_ticket_unpromised(), {"", "resumed", "anonymous"}),
        ("WAIT_FINISHED", with_ticket_transcribed(CLIENT, "WAIT_FINISHED"), {"", "resumed"}),
    ],
)
def test_a_ticket_that_is_not_due_is_tried_on_a_client_that_asked_for_one(
    at: str, table: Role, found: set[str]
) -> None:
    setup = next(setup for setup in SETUPS if setup.session == "ticket")
    words = words_of(Task("shakeproof", "", "tls12.client", setup, 0))
    tickets = [
        word for word in words if word.symbol.message is m.NewSessionTicket and word.configuration.state.name == at
    ]
    for target, expected in ((ScriptedTarget(), set()), (Prepared(table=table), found)):
        runner = Runner(target, CLIENT, setup, 0)
        failed = [word for word in tickets if (problem := runner.run(word).problem) and problem.grade.is_failure]
        assert {CLIENT.remembered_text(word.configuration) for word in failed} == expected


def test_agrees_takes_any_of_the_values_that_were_chosen_for_a_fact() -> None:
    chosen = (m.by_id, m.anew, m.extended)
    assert agrees(m.ClientHello.symbol(m.by_id), chosen)
    assert agrees(m.ClientHello.symbol(), chosen)
    assert not agrees(m.ClientHello.symbol(m.ticketed), chosen)
    assert not agrees(m.ClientHello.symbol(m.bare), chosen)


# -------------------------------------------------------------------------------------- what the target does instead


class Choosing(OurTarget):
    """Our server, set up as another setup says."""

    def __init__(self, instead: Setup) -> None:
        super().__init__()
        self.instead = instead

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return super().connect(role, self.instead)


@pytest.mark.parametrize(
    ("setup", "reason"),
    [
        (
            BY_ID,
            "an honest first connection gave no session by id, so that none can be resumed; the last that the target "
            "sent was Finished[MATCH]",
        ),
        (
            AGAIN,
            "on the honest way there "
            "the target answered the ClientHello with Alert[WARNING, NO_RENEGOTIATION], as it may; this is tested only "
            "where it then is in WAIT_CLIENT_KEY_EXCHANGE (a handshake has been completed before this one)",
        ),
        (
            Setup("rsa", "rsa", "cbc", client_auth=True),
            "on the honest way there "
            "the target answered the ClientHello with ServerHello, Certificate and ServerHelloDone, as it may; this is "
            "tested only where it then is in WAIT_CERTIFICATE (the server has asked for a certificate, "
            "and does not know yet whether the client has one)",
        ),
    ],
    ids=lambda value: value.text if isinstance(value, Setup) else "",
)
def test_a_target_that_chooses_otherwise_is_not_tested_there_and_that_is_the_reason(setup: Setup, reason: str) -> None:
    runner = Runner(Choosing(PLAIN), SERVER, setup, 0)
    outcomes = [runner.run(word) for word in quick(SERVER, setup, (PLAIN,))]
    assert [outcome.problem for outcome in outcomes if outcome.problem is not None] == []
    assert any(reason in outcome.unreached for outcome in outcomes)


def test_a_target_that_can_not_be_connected_again_gives_the_reason() -> None:
    class Once(ScriptedEndpoint):
        def again(self) -> Endpoint | None:
            return None

    class OnceTarget(ScriptedTarget):
        def connect(self, role: str, setup: Setup) -> Endpoint:
            return Once(ROLES[role], setup)

    runner = Runner(OnceTarget(), SERVER, BY_ID, 0)
    assert "no way to have the same application connect again" in runner.run(quick(SERVER, BY_ID)[0]).unreached


# --------------------------------------------------------------------------------------------------------- floods


def test_floods_are_of_what_a_row_lets_pass_and_is_no_data() -> None:
    for role in (CLIENT, SERVER):
        words = floods(role, quick(role, PLAIN))
        assert {word.times for word in words} == {FLOOD}
        said = {word.symbol.text for word in words}
        assert {"Record[ZERO_LENGTH]", "Record[EMPTY_MESSAGE]"} <= said
        assert any(text.startswith("Alert[WARNING") for text in said)
        assert "ApplicationData" not in said
    assert any(word.symbol.message is m.HelloRequest for word in floods(CLIENT, quick(CLIENT, PLAIN)))


def test_our_own_endpoints_have_enough_of_every_flood() -> None:
    for role in (CLIENT, SERVER):
        runner = Runner(OurTarget(), role, PLAIN, 0)
        for word in floods(role, quick(role, PLAIN)):
            outcome = runner.run(word)
            assert outcome.problem is None, word.text
            assert outcome.unreached == ""


def test_an_endpoint_without_limits_gets_a_warning_that_says_whose_reading_it_is() -> None:
    passing = [row.id for row in SERVER.rows if "Record[empty_message]:STAY" in row.id]
    runner = Runner(ScriptedTarget(passing), SERVER, PLAIN, 0)
    word = next(one for one in floods(SERVER, quick(SERVER, PLAIN)) if one.symbol.has(m.empty_message))
    problem = runner.run(word).problem
    assert problem is not None
    assert problem.grade is Grade.WARNING
    assert problem.check.endswith("-BOUNDED")
    assert "our reading" in problem.why
    assert problem.clause is not None


# ------------------------------------------------------------------------------------------------------- fragments


class Bent(ScriptedTarget):
    """Scripted, with what goes in looked at before: what `bend` gives in its place."""

    def __init__(self, bend: Callable[[ScriptedEndpoint, bytes], Reaction]) -> None:
        super().__init__()
        self.bend = bend

    def connect(self, role: str, setup: Setup) -> Endpoint:
        bend = self.bend

        class Bending(ScriptedEndpoint):
            def feed(self, data: bytes) -> Reaction:
                return bend(self, data)

        return Bending(ROLES[role], setup)


def is_cut(data: bytes) -> bool:
    """Whether the first record holds no more than a fragment of a handshake message."""
    return data[0] == 22 and int.from_bytes(data[3:5], "big") == FRAGMENT_BYTES


def grades(target: Target, role: Role) -> set[Grade]:
    runner = Runner(target, role, PLAIN, 0)
    problems = [runner.run(word).problem for word in fragments(role, quick(role, PLAIN))]
    return {problem.grade for problem in problems if problem is not None}


def test_every_message_of_the_handshake_is_cut_up_once() -> None:
    said = {word.symbol.message for word in fragments(CLIENT, quick(CLIENT, PLAIN))}
    assert said == {m.ServerHello, m.Certificate, m.ServerHelloDone, m.Finished}
    said = {word.symbol.message for word in fragments(SERVER, quick(SERVER, PLAIN))}
    assert said == {m.ClientHello, m.ClientKeyExchange, m.Finished}


def test_messages_that_are_cut_up_are_answered_as_whole_ones() -> None:
    for role in (CLIENT, SERVER):
        assert grades(OurTarget(), role) == set()
        assert grades(ScriptedTarget(), role) == set()


def test_a_target_that_refuses_fragments_refuses_what_is_legal() -> None:
    def refuse(endpoint: ScriptedEndpoint, data: bytes) -> Reaction:
        return Reaction(b"", True) if is_cut(data) else ScriptedEndpoint.feed(endpoint, data)

    assert grades(Bent(refuse), SERVER) == {Grade.REFUSED_VALID}


def test_a_target_that_answers_fragments_otherwise_can_be_told_by_it() -> None:
    def warn(endpoint: ScriptedEndpoint, data: bytes) -> Reaction:
        reaction = ScriptedEndpoint.feed(endpoint, data)
        warning = bytes.fromhex("1503030002015a")
        return Reaction(reaction.data + warning, reaction.closed) if is_cut(data) and data[5] == 1 else reaction

    assert Grade.DISTINGUISHES in grades(Bent(warn), SERVER)


@pytest.mark.parametrize(
    ("text", "inputs", "manner"),
    [
        (("A", "B"), ("A", "B"), (1, 0, False)),
        (("A", "Alert[WARNING, USER_CANCELED] x 1000"), ("A", "Alert[WARNING, USER_CANCELED]"), (1000, 0, False)),
        (("ClientHello[EXTENDED] in records of 5 bytes",), ("ClientHello[EXTENDED]",), (1, 5, False)),
        (("A", "ApplicationData and the end of the transport"), ("A", "ApplicationData"), (1, 0, True)),
        ((), (), (1, 0, False)),
    ],
)
def test_the_manner_of_a_word_is_read_from_its_text(
    text: tuple[str, ...], inputs: tuple[str, ...], manner: tuple[int, int, bool]
) -> None:
    assert plainly(text) == (inputs, manner)


def test_the_text_of_a_word_says_its_manner() -> None:
    words = quick(SERVER, PLAIN)
    for word in (*floods(SERVER, words), *fragments(SERVER, words), *truncations(SERVER, words)):
        inputs, (times, fragment, ends) = plainly(word.text)
        assert inputs == (*(symbol.text for symbol in word.prefix), word.symbol.text)
        assert (times, fragment, ends) == (word.times, word.fragment, word.ends)
        assert word.chosen == chosen_values(PLAIN, SERVER.name)
