"""The language of the tables, on a small role made for it: a door that can be opened, shut and locked."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from shakeproof.model.clauses import MAY, MUST, SHOULD, Quotes
from shakeproof.model.facts import Columns, Fact, ModelError, Value
from shakeproof.model.lint import check, lint
from shakeproof.model.literate import matrix, page
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import (
    ANYTHING,
    STAY,
    Kind,
    Message,
    Pattern,
    Row,
    State,
    TableLine,
    abort,
    agrees,
    call,
    call_message,
    differs,
    forget,
    keep,
    maybe,
    now,
    pick,
    pick_of,
    recv,
    rest,
    send,
    sends,
    void,
)
from shakeproof.model.oracle import Oracle
from shakeproof.model.trace import Phase

COLOUR = Fact("colour", {"red": "it is red", "blue": "it is blue"})
red, blue = COLOUR.values
FORM = Fact("form", {"whole": "nothing is wrong"}, {"bent": "it is bent", "burnt": "it is burnt"}, many=True)
whole, bent, burnt = FORM.values
LOCK = Fact("lock", {"unlocked": "the lock is open", "locked": "the lock is shut"})
unlocked, locked = LOCK.values
FAULT = Fact("fault", {"jammed": "it is stuck", "smoke": "it burns", "other": "something else"}, detail=True)
jammed, smoke, other = FAULT.values
GRAVITY = Fact("gravity", {"mild": "a remark", "grave": "the end"})
mild, grave = GRAVITY.values

Knock = Message("Knock", "someone knocks", FORM, COLOUR)
Key = Message("Key", "someone shows a key", COLOUR)
Answer = Message("Answer", "the door answers", COLOUR)
Cry = Message("Cry", "the door cries out", GRAVITY, FAULT)
Draught = Message("Draught", "a draught of air")
ring = call_message("ring", "the host rings")

SHUT = State("SHUT", "the door is shut", "house")
OPEN = State("OPEN", "the door is open", "house")
GONE = State("GONE", "the door is gone", "ruin")
BROKEN = State("BROKEN", "the door is broken", "ruin")


def quotes() -> Quotes:
    out = Quotes(9999)
    for key in ("1", "2", "3", "4"):
        out.quote(key, f"A door MUST do {key}.")
    return out


def door(*more: TableLine, without: int = 0) -> Role:
    # fmt: off
    lines: list[TableLine] = [
        recv(SHUT, Knock[whole],  unlocked, OPEN, keep(COLOUR), sends(Answer, maybe(Draught)), MUST("1")),
        recv(SHUT, Knock[whole],  locked,   STAY,                                             MUST("1")),
        recv(SHUT, Knock[bent],             abort(jammed),                                    MUST("2")),
        recv(SHUT, Knock[burnt],            abort(smoke),                                     MUST("2")),
        recv(SHUT, Key,                     STAY, pick(LOCK),                                 MAY("3")),
        recv(OPEN, Key, agrees(COLOUR),     GONE,                                             MUST("4")),
        recv(OPEN, Key, differs(COLOUR),    STAY,                                             MUST("4")),
        call(OPEN, ring,                    STAY, now(locked), sends(Answer),                 MUST("3")),
        send(OPEN, Draught,                 STAY,                                             MAY("3")),
        rest(SHUT | OPEN,                   abort(other),                                     MUST("2")),
    ]
    # fmt: on
    return Role(
        "door",
        "A door",
        9999,
        SHUT,
        OPEN,
        GONE,
        (Knock, Key, Draught),
        lines[without:] + list(more),
        quotes(),
        (Phase("house", "House", "tls"), Phase("ruin", "Ruin", "close")),
        memory={COLOUR: red, LOCK: unlocked},
        aborted=BROKEN,
        alert=Cry,
        fatal=grave,
    )


@pytest.fixture
def oracle() -> Oracle:
    return Oracle(check(door()))


def test_a_sound_table_has_a_silent_lint() -> None:
    assert lint(door()) == []


def test_knock_opens_and_the_answer_is_owed_in_the_colour_that_was_kept(oracle: Oracle) -> None:
    oracle.receive(Knock.symbol(blue))
    assert not oracle.fork().quiet()
    assert not oracle.fork().send(Answer.symbol(red))
    assert oracle.send(Answer.symbol(blue))
    assert oracle.quiet()
    assert [state.name for state in oracle.states] == ["OPEN"]
    assert oracle.exercised == {"door:SHUT:Knock[whole]:unlocked": 1}


def test_an_optional_output_may_come_or_not(oracle: Oracle) -> None:
    oracle.receive(Knock.symbol(red))
    assert oracle.send(Answer.symbol(red))
    assert oracle.fork().quiet()
    assert oracle.send(Draught.symbol())


def test_several_defects_at_once_allow_the_alert_of_each(oracle: Oracle) -> None:
    rows = oracle.receive(Knock.symbol(bent, burnt))
    assert {row.id for row in rows} == {"door:SHUT:Knock[bent]", "door:SHUT:Knock[burnt]"}
    assert oracle.fork().send(Cry.symbol(grave, jammed))
    assert oracle.fork().send(Cry.symbol(grave, smoke))
    assert not oracle.send(Cry.symbol(grave, other))
    assert not oracle.send(Cry.symbol(mild, jammed))


def test_pick_keeps_every_choice_possible_until_an_output_decides(oracle: Oracle) -> None:
    oracle.receive(Key.symbol(red))
    assert oracle.quiet()
    assert len(oracle.possible) == 2
    oracle.receive(Knock.symbol(red))
    assert oracle.send(Answer.symbol(red))
    assert [state.name for state in oracle.states] == ["OPEN"]


def test_agreement_compares_what_is_said_with_what_is_remembered(oracle: Oracle) -> None:
    oracle.receive(Knock.symbol(blue))
    oracle.send(Answer.symbol(blue))
    other_key, own_key = oracle.fork(), oracle.fork()
    other_key.receive(Key.symbol(red))
    own_key.receive(Key.symbol(blue))
    assert [state.name for state in other_key.states] == ["OPEN"]
    assert [state.name for state in own_key.states] == ["GONE"]


def test_a_call_that_cannot_be_seen_explains_an_output(oracle: Oracle) -> None:
    oracle.receive(Knock.symbol(red))
    oracle.send(Answer.symbol(red))
    oracle.quiet()
    assert oracle.send(Answer.symbol(red))
    oracle.quiet()
    assert oracle.exercised["door:OPEN:call ring"] == 1


def test_rest_answers_what_no_row_names_and_final_states_read_nothing(oracle: Oracle) -> None:
    rows = oracle.receive(Draught.symbol())
    assert [row.is_rest for row in rows] == [True]
    assert oracle.send(Cry.symbol(grave, other))
    assert oracle.is_over
    assert oracle.may_close()
    assert oracle.receive(Knock.symbol()) == ()


def test_taken_as_valid_is_the_sound_version_in_the_same_state_or_the_row_elsewhere(oracle: Oracle) -> None:
    ways = oracle.as_valid(Knock.symbol(bent))
    assert [way.states[0].name for way in ways] == ["OPEN"] * len(ways)
    assert ways


def test_table_transitions_and_columns_give_the_same_successors() -> None:
    role = door()
    agree_everywhere(role)


def holds_in_columns(row: Row, count: int, memory: Columns, said: Columns) -> NDArray[np.bool_]:
    """Where the row's guards hold, its state aside."""
    holds = np.full(count, True)
    for guard in row.guards:
        holds &= guard.columns(memory)
    for guard in row.pattern.guards:
        holds &= guard.columns(said)
    return holds


def agree_everywhere(role: Role) -> None:
    """Plain reading, `transitions` machine and numpy columns enable the same rows in every reachable cell."""
    configurations = [c for c in role.reachable if not role.is_final(c.state)]
    memory = {
        fact.name: np.array([c.memory[i] for c in configurations], dtype=np.int64)
        for i, fact in enumerate(role.memory_facts)
    }
    for symbol in role.symbols:
        said = {name: np.full(len(configurations), bits, dtype=np.int64) for name, bits in symbol.values}
        by_columns: list[set[str]] = [set() for _ in configurations]
        for row in role.rows:
            if row.is_rest or row.kind is not Kind.RECV or row.pattern.message is not symbol.message:
                continue
            holds = np.array([c.state in row.states.members for c in configurations])
            holds &= holds_in_columns(row, len(holds), memory, said)
            for passed in row.unless:
                holds &= ~holds_in_columns(passed, len(holds), memory, said)
            for item in row.agreements:
                same = (said[item.fact.name] & memory[item.fact.name]) != 0
                holds &= same if item.same else ~same
            for index in np.flatnonzero(holds):
                by_columns[index].add(row.id)
        for configuration, column in zip(configurations, by_columns, strict=True):
            plain = {row.id for row in role.enabled(configuration, symbol)}
            assert {name for name in plain if not role.by_id[name].is_rest} == column, (configuration, symbol)
            successors = {there for name in plain for there in role.apply(role.by_id[name], configuration, symbol)}
            oracle = Oracle(role)
            oracle._become([oracle.machine.take(configuration, (), ())])
            oracle.receive(symbol)
            expected = successors or {configuration}
            assert set(oracle.configurations) == expected, (configuration, symbol)
            oracle.release()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (recv(SHUT, Knock[whole], unlocked, STAY, MUST("1")), "not both MAY"),
        (recv(GONE, Key, unlocked & locked, STAY, MUST("1")), "never enabled"),
        (recv(SHUT, Answer, STAY, MUST("1")), "not in the role's alphabet"),
        (void(SHUT, Knock[whole], why="it never is"), "voids nothing"),
        (recv(State("NOWHERE", "unreachable"), Key, STAY, MUST("1")), "never"),
    ],
)
def test_lint_names_the_line_at_fault(line: TableLine, said: str) -> None:
    problems = lint(door(line))
    assert problems
    assert any(word in problem for problem in problems for word in said.split("|"))


def test_lint_finds_a_defect_that_rest_swallows() -> None:
    role = door()
    lines = [line for line in role.lines if line.pattern.text != "Knock[burnt]"]
    problems = lint(replace(role, lines=lines))
    assert any("swallows a defect" in problem and "BURNT" in problem for problem in problems)


def test_lint_finds_an_uncovered_cell_where_there_is_no_rest() -> None:
    role = door()
    lines = [line for line in role.lines if line.pattern.message is not ANYTHING]
    problems = lint(replace(role, lines=lines))
    assert any("no row covers OPEN" in problem for problem in problems)


def test_a_row_that_cites_what_is_not_quoted_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelError, match=r"door:SHUT:Draught: cites \['9'\]"):
        door(recv(SHUT, Draught, STAY, MUST("9")))


def test_a_row_without_next_state_is_an_error_that_names_it() -> None:
    with pytest.raises(ModelError, match=r"recv\(SHUT, Draught"):
        recv(SHUT, Draught, SHOULD("1"))


def test_a_pattern_with_a_fact_of_another_message_is_an_error() -> None:
    with pytest.raises(ModelError, match="lock is not a fact of Key"):
        Key[locked]


def test_pattern_of_two_defects_of_one_fact_has_a_symbol_and_of_two_colours_none() -> None:
    assert Knock[bent & burnt].symbol() == Knock.symbol(bent, burnt)
    with pytest.raises(ModelError, match="nothing is so"):
        Knock[red & blue].symbol()


def test_symbols_are_every_message_times_the_facts_that_rows_look_at() -> None:
    texts = {symbol.text for symbol in door().symbols}
    assert texts == {
        "Knock[WHOLE, RED]", "Knock[WHOLE, BLUE]", "Knock[BENT, RED]", "Knock[BURNT, RED]", "Key[RED]", "Key[BLUE]",
        "Draught",
    }  # fmt: skip


def test_the_matrix_says_each_cell_and_the_page_quotes_each_clause() -> None:
    role = door()
    text = matrix(role)
    assert "Knock[BENT, RED]" in text
    assert "abort jammed" in text
    assert "A door MUST do 4." in page(role)


def test_guard_texts_read_as_the_table_spells_them() -> None:
    assert (red & ~locked).text() == "red & ~locked"
    assert ((red | blue) & locked).text() == "(red | blue) & locked"
    assert (~(red | blue)).text() == "~(red | blue)"
    assert Pattern(Knock, (bent | burnt,)).text == "Knock[bent | burnt]"


# -------------------------------------------------------------------- what depends on what is said, and forgetting


@pytest.mark.parametrize(("said", "left"), [(red, {unlocked}), (blue, {unlocked, locked})], ids=["one", "both"])
def test_a_pick_may_depend_on_what_the_message_says(said: Value, left: set[Value]) -> None:
    line = recv(GONE, Key, STAY, pick_of(LOCK, {red: unlocked, blue: unlocked | locked}), MAY("3"))
    role = replace(door(line, rest(GONE, abort(other), MUST("2"))), final=BROKEN)
    assert lint(role) == []
    gone = Configuration(GONE, role.start.memory)
    (row,) = role.enabled(gone, Key.symbol(said))
    assert row.outcome == "STAY, pick(lock of colour)"
    assert {value for c in role.apply(row, gone, Key.symbol(said)) for value in LOCK.named(c.memory[1])} == left


def test_a_pick_that_depends_on_two_facts_is_an_error() -> None:
    with pytest.raises(ModelError, match="values of one fact"):
        pick_of(LOCK, {red: unlocked, jammed: locked})
    with pytest.raises(ModelError, match="which values of lock"):
        pick_of(LOCK, {red: blue})


def test_what_is_forgotten_is_not_mentioned_and_joins_configurations() -> None:
    role = replace(door(recv(GONE, Draught, STAY, forget(COLOUR, LOCK), MUST("4"))), final=BROKEN)
    (row,) = [row for row in role.rows if row.states.text == "GONE"]
    assert row.outcome == "STAY, forget(colour), forget(lock)"
    after = {there for here, steps in role.reachable.items() for fired, _, there in steps if fired is row}
    assert len(after) == 1
    assert role.remembered_text(after.pop()) == ""


def test_lint_finds_a_row_that_looks_at_what_was_forgotten() -> None:
    lines = (
        recv(GONE, Draught, STAY, forget(LOCK), MUST("4")),
        recv(GONE, Key, locked, STAY, MUST("4")),
        recv(GONE, Knock, STAY, MUST("4")),
        void(GONE, Key, unlocked, why="an open lock needs no key"),
    )
    assert any("looks at lock, which is forgotten in GONE" in problem for problem in lint(door(*lines)))


def test_what_contradicts_itself_is_no_symbol() -> None:
    never = Message("Never", "a blue thing is never bent", FORM, COLOUR, never=((bent & blue, "paint would crack"),))
    role = replace(
        door(recv(OPEN, never[whole | bent | burnt, red | blue], STAY, MUST("1"))),
        alphabet=(Knock, Key, Draught, never),
    )
    texts = {symbol.text for symbol in role.symbols if symbol.message is never}
    assert texts == {
        "Never[WHOLE, RED]",
        "Never[WHOLE, BLUE]",
        "Never[BENT, RED]",
        "Never[BURNT, RED]",
        "Never[BURNT, BLUE]",
    }


def test_a_send_row_reaches_whatever_it_may_keep_of_its_message() -> None:
    role = door(send(OPEN, Answer[red | blue], STAY, keep(COLOUR), MAY("3")))
    row = role.by_id["door:OPEN:send Answer[red | blue]"]
    reached = {there for steps in role.reachable.values() for fired, _, there in steps if fired is row}
    assert {value for there in reached for value in COLOUR.named(there.memory[0])} == {red, blue}


def test_states_come_in_the_order_that_is_given_with_the_ends_last() -> None:
    hall = State("HALL", "behind the door", "house")
    role = door(recv(OPEN, Draught, hall, MUST("4")), rest(hall, abort(other), MUST("2")))
    assert role.states == (SHUT, OPEN, hall, GONE, BROKEN)
    assert replace(role, order=(SHUT, hall, OPEN)).states == (SHUT, hall, OPEN, GONE, BROKEN)
