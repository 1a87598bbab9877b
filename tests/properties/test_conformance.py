"""Verdicts: no false alarm on whatever a table allows, each rogue found, each grade earned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import pytest

from shakeproof.diagrams import draw_trace
from shakeproof.impl.errors import RemoteProtocolError
from shakeproof.impl.tls.alerts import AlertDescription
from shakeproof.impl.tls.protection import CbcHmacProtection, Protection
from shakeproof.model.clauses import Level
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.messages import (
    ApplicationData,
    ClientKeyExchange,
    Finished,
    NewSessionTicket,
    ServerHelloDone,
    bad_block,
    forged_signature,
    granted,
    mismatch,
)
from shakeproof.model.notation import Kind, Row, State, Symbol, TableLine
from shakeproof.model.roles import ROLES
from shakeproof.model.tls12 import REQUESTED, doubtful, identified
from shakeproof.properties.audit import audit
from shakeproof.properties.confirmation import confirm, finding_of
from shakeproof.properties.conformance import Outcome, Runner
from shakeproof.properties.conversation import Exchange
from shakeproof.properties.courses import courses
from shakeproof.properties.findings import Finding, Grade, Run
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.suites import Word, honest_prefixes
from shakeproof.properties.targets.base import Endpoint, Reaction, Setup, Target
from shakeproof.properties.targets.ours import OurEndpoint, OurTarget, make_server
from shakeproof.properties.targets.scripted import ScriptedEndpoint, ScriptedTarget
from shakeproof.properties.tasks import Task, words_of
from shakeproof.properties.verdicts import Problem, judge
from tests.properties.planted import with_ticket_transcribed

TLS_ROLES = ("tls12.client", "tls12.server")
CBC = Setup("rsa", "rsa", "cbc")
TIME_S = 300.0
"""Some fifteen times what it takes."""


def words(role: str, setup: Setup) -> Sequence[Word]:
    return words_of(Task("shakeproof", "", role, setup, 0))


def run_all(target: Target, role: str, setup: Setup) -> tuple[Counter[str], list[Outcome]]:
    runner = Runner(target, ROLES[role], setup, 0)
    outcomes = [runner.run(word) for word in words(role, setup)]
    exercised: Counter[str] = Counter()
    for outcome in outcomes:
        exercised.update(outcome.exercised)
    return exercised, outcomes


@pytest.fixture(scope="module")
def clean() -> Run:
    return audit(["shakeproof"], jobs=2, time_s=TIME_S)


@pytest.mark.slow
def test_the_clean_implementation_has_no_finding_and_nothing_is_left_out(clean: Run) -> None:
    assert clean.findings == []
    assert clean.exit_code("deviation") == 0
    for result in clean.roles:
        assert result.cells_run == result.cells > 400
        assert all(item.cells == 0 for item in result.not_tested)
        assert result.left_out == 0


@pytest.mark.slow
def test_every_row_is_exercised_by_us_or_is_a_may_that_a_scripted_endpoint_takes(clean: Run) -> None:
    for result in clean.roles:
        role = ROLES[result.role]
        left = [row for row in role.rows if row.id not in result.exercised]
        assert all(row.level is Level.MAY for row in left), [row.id for row in left if row.level is not Level.MAY]
        for row in left:
            assert row.id in UNTOLD or takes(role, row), f"no scripted endpoint takes {row.id}"
        assert {row_id for row_id in UNTOLD if row_id.startswith(role.name)} <= {row.id for row in left}


BOTH = Setup("rsa", "rsa", "cbc", session="ticket", client_auth=True)
"""Tickets and a client certificate, which no audit needs together."""

UNTOLD = {
    "tls12.client:WAIT_SERVER_HELLO:Alert[warning, no_renegotiation]": "nothing is sent, and so nothing tells it from "
    "the row that lets any warning pass, until later",
}
"""Rows that are taken and that no observer can be certain of, with the reason."""


def takes(role: Role, row: Row) -> bool:
    """Whether an endpoint that prefers the row exercises it, and is judged conforming while it does."""
    for setup in (*OurTarget().setups(role.name), BOTH):
        for led, word in led_words(role, setup, row):
            runner = Runner(ScriptedTarget([row.id, *led]), role, setup, 0)
            if row.kind is Kind.CALL:
                exercised = called(runner, word, row)
            else:
                outcome = runner.run(word)
                assert outcome.problem is None, (row.id, word.text, outcome.problem)
                exercised = outcome.exercised
            if row.id in exercised:
                return True
    return False


def led_words(role: Role, setup: Setup, row: Row) -> Iterator[tuple[list[str], Word]]:
    """Words that may lead to the row, and the rows that lead there where only the target's own choice does."""
    own = [
        (other.id, other.states, other.next)
        for other in role.rows
        if other.kind is Kind.SEND and other.next in row.states.members
    ]
    chosen = [other for other in role.rows if other.kind is Kind.RECV and other.next in row.states.members]
    if setup.client_auth and doubtful in [value for guard in row.guards for value in guard.values()]:
        yield from late_words(role, setup, row)
    for word in words(role.name, setup):
        if row.kind is Kind.CALL:
            for other in chosen:
                if other in role.enabled(word.configuration, word.symbol):
                    there = role.apply(other, word.configuration, word.symbol)[0]
                    yield [other.id], Word((*word.prefix, word.symbol), there, row.pattern.message.symbol())
        if row.kind is not Kind.SEND and word.symbol.message is not row.pattern.message and row.kind is not Kind.CALL:
            continue
        if word.configuration.state in row.states.members or row.kind is Kind.SEND:
            yield [], word
        for row_id, sources, sent_to in own:
            if isinstance(sent_to, State) and word.configuration.state in sources.members:
                # Sending it again shows that the row led back to where it can be sent.
                again = [row_id] if row.next in sources.members else []
                yield [row_id, *again], replace(word, configuration=Configuration(sent_to, word.configuration.memory))


def late_words(role: Role, setup: Setup, row: Row) -> Iterator[tuple[list[str], Word]]:
    """Words on which the server lets a bad chain of the client pass, and may refuse it yet."""
    place = role.memory_facts.index(REQUESTED)
    led = [one.id for one in role.rows if any(e.fact is REQUESTED and e.mask == doubtful.bit for e in one.effects)]
    usual = next(course for course in reversed(courses(setup, role.name)) if identified in course)
    course = tuple(doubtful if value is identified else value for value in usual)
    known = {
        here: (prefix, led)
        for here, prefix in honest_prefixes(role, course).items()
        if here.memory[place] == doubtful.bit
    }
    queue = list(known)
    while queue:
        here = queue.pop(0)
        prefix, taken = known[here]
        if here.state in row.states.members:
            yield from ((taken, Word(prefix, here, one, course)) for one in role.symbols if row.pattern.matches(one))
        for symbol in role.symbols:
            spoils = symbol == ClientKeyExchange.symbol(bad_block)
            for way in role.enabled(here, symbol) if symbol.is_sound or spoils else []:
                there = role.apply(way, here, symbol)[0]
                if not way.is_violation and there not in known and not role.is_final(there.state):
                    known[there] = (*prefix, symbol), [*taken, way.id]
                    queue.append(there)


def called(runner: Runner, word: Word, row: Row) -> tuple[str, ...]:
    """The rows exercised by the application's call where the word's prefix leads."""
    talk = runner.open()
    if runner.prefix_fails(word, talk) is not None:
        return ()
    before = talk.oracle.fork()
    exchange = talk.call(row.pattern.message)
    assert exchange is not None
    assert judge(exchange, before) is None, (row.id, exchange.got)
    return tuple(talk.oracle.exercised)


@pytest.mark.slow
@pytest.mark.parametrize("name", TLS_ROLES)
def test_an_endpoint_that_follows_the_table_is_judged_conforming_in_every_cell(name: str) -> None:
    for setup in ScriptedTarget().setups(name):
        _, outcomes = run_all(ScriptedTarget(), name, setup)
        assert [o.problem for o in outcomes if o.problem is not None] == []
        assert [o.unreached for o in outcomes if o.unreached] == []
        assert all(not o.unreached for o in outcomes)
        assert [o for o in outcomes if not o.meaningless]


EXPECTED = {
    "early-ccs": ("ChangeCipherSpec", "RFC 5246 section 7.1"),
    "unguarded-ccs": ("ChangeCipherSpec", "RFC 5246 section 7.1"),
    "skip-to-finished": ("Finished", "RFC 5246 section 7.4.9"),
    "missing-ske": ("ServerHelloDone", "RFC 8422 section 5.4"),
    "ske-under-rsa": ("ServerKeyExchange", "RFC 5246 section 7.4.3"),
    "goto-fail": ("ServerKeyExchange", "RFC 8422 section 5.4"),
    "finished-unchecked": ("Finished", "RFC 5246 section 7.4.9"),
    "mac-unchecked": ("Record", "RFC 5246 section 6.2.3.3"),
    "padding-unchecked": ("Record", "RFC 5246 section 6.2.3.2"),
    "expired-certificate": ("Certificate", "RFC 5280 section 6.1.3"),
    "wrong-name": ("Certificate", "RFC 6125 section 6.6.4"),
    "certificate-unchecked": ("Certificate", "RFC 5280 section 6.1.3"),
}


@pytest.mark.parametrize("name", list(EXPECTED))
def test_each_rogue_is_found_as_went_on_with_its_clause_in_its_shortest_form(name: str) -> None:
    message, clause = EXPECTED[name]
    found: list[Finding] = []
    for role in ROGUES[name].roles:
        target = OurTarget(name)
        for setup in target.setups(role):
            runner = Runner(target, ROLES[role], setup, 0)
            for word in words(role, setup):
                problem = runner.run(word).problem if word.symbol.message.name == message else None
                if problem is not None and problem.grade is Grade.WENT_ON:
                    found.append(confirm(runner, word, problem))
                    break
    finding = next(finding for finding in found if finding.clause == clause)
    assert finding.seen == (3, 3)
    assert finding.input.startswith(message)
    assert finding.trace.meta["target"] == "shakeproof"
    assert draw_trace(finding.trace).dot_source
    assert {finding.role for finding in found} == set(ROGUES[name].roles)


@pytest.mark.slow
def test_an_audit_of_a_rogue_fails_and_concerns_its_roles_only() -> None:
    run = audit(["shakeproof"], rogue="resumed-under-other-name", jobs=1)
    assert run.exit_code() == 1
    assert {finding.role for finding in run.findings if finding.grade.is_failure} == {"tls12.server"}


# ------------------------------------------------------------------------------------------------------ every grade


class Broken(ScriptedEndpoint):
    """A scripted endpoint whose reactions are bent on the way out."""

    def __init__(self, role: Role, setup: Setup, bend: Callable[[Reaction, int], Reaction]) -> None:
        super().__init__(role, setup)
        self._bend, self._count = bend, 0

    def feed(self, data: bytes) -> Reaction:
        self._count += 1
        return self._bend(super().feed(data), self._count)


class BrokenTarget(ScriptedTarget):
    def __init__(self, bend: Callable[[Reaction, int], Reaction], table: Role | None = None) -> None:
        super().__init__((), table)
        self._bend = bend

    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Broken(self.table or ROLES[role], setup, self._bend)


def grades(target: Target, role: str = "tls12.client") -> set[Grade]:
    _, outcomes = run_all(target, role, CBC)
    return {outcome.problem.grade for outcome in outcomes if outcome.problem is not None}


def test_crash_is_a_target_that_dies() -> None:
    assert Grade.CRASH in grades(BrokenTarget(lambda r, n: replace(r, crashed="segfault") if n == 3 else r))


def test_hang_is_a_target_that_owes_an_answer_and_gives_none() -> None:
    assert Grade.HANG in grades(BrokenTarget(lambda r, n: Reaction() if n == 3 else r))


def test_inconclusive_is_silence_that_only_a_timer_tells_from_slowness() -> None:
    assert Grade.INCONCLUSIVE in grades(BrokenTarget(lambda r, n: Reaction(exact=False) if n == 3 else r))


@pytest.mark.parametrize(
    ("exact", "graded"),
    [(True, {Grade.DEVIATION, Grade.WARNING}), (False, {Grade.INCONCLUSIVE})],
    ids=["known", "timed"],
)
@pytest.mark.slow
def test_silence_to_a_forbidden_input_is_held_against_a_target_only_where_it_is_known(
    exact: bool, graded: set[Grade]
) -> None:
    mute = BrokenTarget(lambda r, n: Reaction(exact=exact))
    _, outcomes = run_all(mute, "tls12.client", CBC)
    problems = [outcome.problem for outcome in outcomes if outcome.problem is not None]
    assert {problem.grade for problem in problems if "stayed silent, and stayed so" in problem.why} == graded


class CountedTarget(ScriptedTarget):
    """A scripted target that knows its connections that are not over."""

    def __init__(self) -> None:
        super().__init__()
        self.connections: set[int] = set()

    def connect(self, role: str, setup: Setup) -> Endpoint:
        endpoint = super().connect(role, setup)
        number = len(self.connections) + 1
        self.connections.add(number)
        sound = endpoint.dispose

        def dispose() -> None:
            self.connections.discard(number)
            sound()

        setattr(endpoint, "dispose", dispose)  # noqa: B010  # on this object alone
        return endpoint


@pytest.mark.slow
def test_what_does_not_repeat_is_inconclusive_and_leaves_no_connection() -> None:
    _, outcomes = run_all(BrokenTarget(lambda r, n: Reaction() if n == 3 else r), "tls12.client", CBC)
    word, problem = next(
        (word, outcome.problem)
        for word, outcome in zip(words("tls12.client", CBC), outcomes, strict=True)
        if outcome.problem is not None and outcome.problem.grade is Grade.HANG
    )
    target = CountedTarget()
    finding = confirm(Runner(target, ROLES["tls12.client"], CBC, 1), word, problem)
    assert (finding.grade, finding.seen) == (Grade.INCONCLUSIVE, (0, 3))
    assert "0 of 3 times" in finding.title
    assert finding_of(Runner(target, ROLES["tls12.client"], CBC, 1), word, problem, (1, 1)).grade is Grade.HANG
    assert not target.connections


def test_refused_valid_is_a_target_that_closes_on_a_legal_input() -> None:
    assert Grade.REFUSED_VALID in grades(BrokenTarget(lambda r, n: Reaction(b"", True) if n == 2 else r))


def table_without(name: str, keep: Callable[[Row], bool], change: Callable[[Row], Row]) -> Role:
    role = ROLES[name]
    lines: list[TableLine] = [change(line) if isinstance(line, Row) and not keep(line) else line for line in role.lines]
    return replace(role, lines=lines)


def test_wrong_output_is_a_message_that_no_possible_state_allows() -> None:
    def twice(row: Row) -> Row:
        return replace(row, outputs=row.outputs + row.outputs[-1:])

    table = table_without(
        "tls12.client", lambda row: row.pattern.message is not ServerHelloDone or not row.outputs, twice
    )
    assert Grade.WRONG_OUTPUT in grades(ScriptedTarget(table=table))


def test_went_on_is_a_table_that_takes_a_wrong_finished() -> None:
    role = ROLES["tls12.client"]
    sound = next(r for r in role.rows if r.id.endswith("WAIT_FINISHED:Finished[match]:full"))

    def takes_it(row: Row) -> Row:
        return replace(row, next=sound.next, effects=sound.effects, outputs=sound.outputs)

    table = table_without(
        "tls12.client",
        lambda row: row.pattern.message is not Finished or row.pattern.guards != (mismatch,),
        takes_it,
    )
    assert Grade.WENT_ON in grades(ScriptedTarget(table=table))


def test_deviation_is_another_alert_or_none() -> None:
    def silent(reaction: Reaction, count: int) -> Reaction:
        return Reaction(b"", True) if reaction.closed else reaction

    found = grades(BrokenTarget(silent))
    assert Grade.DEVIATION in found
    assert not any(grade.is_failure for grade in found - {Grade.REFUSED_VALID})


def test_row_that_is_reported_counts_as_exercised_whatever_came_of_it() -> None:
    def silent(reaction: Reaction, count: int) -> Reaction:
        return Reaction(b"", True) if reaction.closed else reaction

    _, outcomes = run_all(BrokenTarget(silent), "tls12.client", CBC)
    reported = {
        outcome.problem.row.id: outcome.exercised
        for outcome in outcomes
        if outcome.problem is not None and outcome.problem.row is not None and not outcome.unreached
    }
    assert len(reported) > 10
    assert [row for row, exercised in reported.items() if row not in exercised] == []
    unreached = replace(outcomes[0], unreached="the honest prefix fails")
    assert unreached.judged == ()


def test_ignoring_what_is_forbidden_is_a_deviation_and_no_failure() -> None:
    class Ignoring(ScriptedEndpoint):
        def feed(self, data: bytes) -> Reaction:
            here, there = self._here, super().feed(data)
            if self._here.state is not self._role.aborted:
                return there
            self._here = here
            return Reaction()

    class IgnoringTarget(ScriptedTarget):
        def connect(self, role: str, setup: Setup) -> Endpoint:
            return Ignoring(ROLES[role], setup)

    runner = Runner(IgnoringTarget(), ROLES["tls12.client"], CBC, 0)
    some = [w for w in words("tls12.client", CBC) if w.symbol.message is ApplicationData][:3]
    problems = [runner.run(word).problem for word in some]
    assert problems
    assert all(p is not None and p.grade is Grade.DEVIATION for p in problems), problems


PASSING = (("tls12.server", "WAIT_CHANGE_CIPHER_SPEC"), ("tls12.client", "WAIT_FINISHED"))
"""Where a stack was seen to let a NewSessionTicket pass that the table forbids: tlslite-ng and JSSE."""


class Forgetful(ScriptedEndpoint):
    """A scripted endpoint whose Finished does not cover any NewSessionTicket."""

    def _follow(self, row: Row, symbol: Symbol) -> bytes:
        if symbol.message is NewSessionTicket:
            self._peer.context.transcript.pop()
        return super()._follow(row, symbol)


class ForgetfulTarget(ScriptedTarget):
    def connect(self, role: str, setup: Setup) -> Endpoint:
        return Forgetful(self.table or ROLES[role], setup)


@pytest.mark.parametrize(("role", "at"), PASSING)
def test_forbidden_message_without_effect_is_went_on_where_finished_covers_it_and_else_ignored(
    role: str, at: str
) -> None:
    table = with_ticket_transcribed(ROLES[role], at)
    cells = [w for w in words(role, CBC) if w.symbol.has(granted) and w.configuration.state.name == at]
    tried = [word for word in cells if all(symbol.is_sound for symbol in word.prefix)]
    assert tried
    for target, grade in (
        (ScriptedTarget(table=table), Grade.WENT_ON),
        (ForgetfulTarget(table=table), Grade.DEVIATION),
    ):
        problems = [Runner(target, ROLES[role], CBC, 0).run(word).problem for word in tried]
        assert [problem and problem.grade for problem in problems] == [grade] * len(tried)


class TellingTarget(OurTarget):
    """Our server, with another alert for bad padding than for a bad MAC: what lets an attacker decrypt."""

    def connect(self, role: str, setup: Setup) -> Endpoint:
        server = make_server()
        sound = server.make_protection

        def make_protection(*, by_client: bool) -> Protection:
            protection = sound(by_client=by_client)
            if isinstance(protection, CbcHmacProtection):
                good = protection.check_padding

                def check_padding(block: bytes) -> bool:
                    if not good(block):
                        raise RemoteProtocolError(
                            AlertDescription.DECRYPT_ERROR, expected="padding", got="none", clause="none"
                        )
                    return True

                setattr(protection, "check_padding", check_padding)  # noqa: B010
            return protection

        setattr(server, "make_protection", make_protection)  # noqa: B010
        return OurEndpoint(server)


def test_distinguishes_is_another_answer_to_bad_padding_than_to_a_bad_mac() -> None:
    runner = Runner(TellingTarget(), ROLES["tls12.server"], CBC, 0)
    alike = ROLES["tls12.server"].alike[0]
    prefix = next(w.prefix for w in words("tls12.server", CBC) if w.configuration.state.name == "CONNECTED")
    difference = runner.compare(prefix, alike)
    assert difference is not None
    assert difference.to_one != difference.to_other
    assert Runner(OurTarget(), ROLES["tls12.server"], CBC, 0).compare(prefix, alike) is None


def forged_signature_finding() -> Finding:
    setup = Setup("ecdhe", "rsa", "gcm")
    runner = Runner(OurTarget("goto-fail"), ROLES["tls12.client"], setup, 0)
    word = next(w for w in words("tls12.client", setup) if w.symbol.has(forged_signature) and len(w.prefix) == 2)
    problem = runner.run(word).problem
    assert problem is not None
    return confirm(runner, word, problem)


def test_a_finding_tells_what_where_why_and_how_to_see_it_again() -> None:
    finding = forged_signature_finding()
    assert finding.word == (
        "ServerHello[PROPER, ECDHE, FULL, UNPROMISED]",
        "Certificate[TRUSTED]",
        "ServerKeyExchange[FORGED_SIGNATURE]",
    )
    assert "decrypt_error" in finding.expected
    assert "signature" in finding.sentence
    again = forged_signature_finding()
    assert again.id == finding.id
    assert [s.message for s in again.trace.steps] == [s.message for s in finding.trace.steps]


def test_finding_shows_the_clause_that_binds_the_target_where_the_first_one_binds_its_peer() -> None:
    role = ROLES["tls12.client"]
    row = next(row for row in role.rows if row.code.endswith("FORGED-SIGNATURE-DHE"))
    assert row.clauses[0].binds == "sender"
    exchange = Exchange(None, "", (row,), (), Reaction(), (), (), True, True)
    clause = Problem(Grade.WENT_ON, exchange, "went on").clause
    assert clause is not None
    assert clause.binds == "receiver"
    assert clause.section == "F.1.1.3"
    assert Problem(Grade.WRONG_OUTPUT, exchange, "sent it").clause == row.clauses[0]
