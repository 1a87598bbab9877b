"""Checks in order, on a small role made for them: a gate that looks at a ticket, a bag and a hat, in this order."""

from __future__ import annotations

import pytest

from shakeproof.model.checks import in_order, stage
from shakeproof.model.clauses import MAY, MUST, Level, Quotes
from shakeproof.model.facts import Fact, ModelError
from shakeproof.model.lint import check, lint
from shakeproof.model.literate import page
from shakeproof.model.machine import Configuration, Role
from shakeproof.model.notation import (
    CONTINUE,
    STAY,
    Message,
    Row,
    Signal,
    State,
    TableLine,
    Timer,
    call,
    call_message,
    now,
    recv,
    sends,
    start,
    stop,
    tells,
    tick,
)
from shakeproof.model.oracle import Oracle
from shakeproof.model.trace import Phase
from tests.model.test_machine import agree_everywhere

TICKET = Fact("ticket", {"day": "for a day", "year": "for a year"}, {"torn": "it is torn"})
day, year, torn = TICKET.values
BAG = Fact("bag", {"none": "there is none", "small": "it is small", "large": "it is large"})
none, small, large = BAG.values
HAT = Fact("hat", {"off": "it is off", "on": "it is on"}, narrow=True)
off, on = HAT.values
KNOWN = Fact("known", {"stranger": "not seen before", "regular": "has a ticket for a year"})
stranger, regular = KNOWN.values

Visitor = Message("Visitor", "somebody comes", TICKET, BAG, HAT)
Bow = Message("Bow", "the gate bows")
Stop = Message("Stop", "the gate holds its hand up")
leave = call_message("leave", "the visitor is sent out")
TIRED = Timer("nap time", "the gate has stood long enough")
bell = Signal("bell", "somebody is inside")

OUT = State("OUT", "nobody is inside", "gate")
HALL = State("HALL", "somebody is in the hall", "gate")
ROOM = State("ROOM", "somebody is in the room", "gate")

CHECKS = in_order(
    "gate",
    stage(
        "ticket",
        recv(OUT, Visitor[torn], STAY, sends(Stop), MUST("1")),
        recv(OUT, Visitor[day], HALL, CONTINUE, start(TIRED), sends(Bow), MUST("1")),
        recv(OUT, Visitor[year], HALL, CONTINUE, now(regular), start(TIRED), sends(Bow), MUST("1")),
    ),
    stage(
        "bag",
        recv(HALL, Visitor[large], OUT, sends(Stop), MUST("2")),
        recv(HALL, Visitor[small], STAY, CONTINUE, sends(Bow), MAY("2")),
    ),
    stage(
        "hat",
        recv(HALL, Visitor[off], ROOM, tells(bell), MUST("3")),
        recv(HALL, Visitor[on], STAY, MUST("3")),
    ),
)


def quotes() -> Quotes:
    quoted = Quotes(9999)
    for section in ("1", "2", "3"):
        quoted.quote(section, f"The gate MUST look at {section}.")
    return quoted


def gate(*checks: TableLine) -> Role:
    return Role(
        name="gate",
        title="A gate",
        rfc=9999,
        initial=OUT,
        accepting=ROOM,
        final=OUT,
        alphabet=(Visitor,),
        lines=[
            *(checks or CHECKS),
            recv(ROOM, Visitor, STAY, MUST("1")),
            call(HALL | ROOM, leave, OUT, MUST("1")),
            tick(HALL | ROOM, TIRED, OUT, MUST("1")),
        ],
        quotes=quotes(),
        phases=(Phase("gate", "Gate", "tcp"),),
        memory={KNOWN: stranger},
        blank=(OUT,),
    )


def only(role: Role, here: Configuration, *said: object) -> Row:
    symbol = Visitor.symbol(*said)  # type: ignore[arg-type]
    (row,) = role.enabled(here, symbol)
    return row


def test_a_table_with_checks_has_a_silent_lint_and_agrees_in_every_reading() -> None:
    role = check(gate())
    assert lint(role) == []
    agree_everywhere(role)


def test_a_row_that_continues_adds_to_the_row_of_the_next_check() -> None:
    role = gate()
    row = only(role, role.start, year, small)
    assert row.next is ROOM
    assert [output.text for output in row.outputs] == ["Bow"]  # both checks bow: once is enough
    assert row.signals == (bell,)
    assert [clause.section for clause in row.clauses] == ["1", "3", "2"]  # those that change the state come first
    assert len(row.parts) == 3
    (there,) = role.apply(row, role.start, Visitor.symbol(year, small))
    assert role.remembered_text(there) == "regular, nap_time_running"


def test_a_check_none_of_whose_rows_fits_lets_pass() -> None:
    role = gate()
    assert only(role, role.start, day, none).next is ROOM
    assert only(role, role.start, day, none, on).next is HALL


def test_a_row_that_does_not_continue_ends_the_handling() -> None:
    role = gate()
    row = only(role, role.start, torn, large)
    assert [output.text for output in row.outputs] == ["Stop"]
    assert row.next is STAY


def test_what_a_later_check_sends_back_where_it_began_has_not_moved() -> None:
    role = gate()
    row = only(role, role.start, day, large)
    assert row.next is STAY
    assert [output.text for output in row.outputs] == ["Bow", "Stop"]


def test_one_may_makes_the_whole_transition_a_may() -> None:
    role = gate()
    assert only(role, role.start, day, small).level is Level.MAY
    assert only(role, role.start, day, none).level is Level.MUST


def test_entering_a_blank_state_forgets_everything() -> None:
    role = gate()
    inside = role.apply(only(role, role.start, year, none), role.start, Visitor.symbol(year))[0]
    (row,) = role.enabled(inside, leave.symbol())
    assert role.apply(row, inside, leave.symbol()) == [role.start]


def test_transitions_of_checks_have_ids_of_their_own_and_name_their_parts() -> None:
    role = gate()
    composed = [row for row in role.rows if row.parts]
    assert len({row.id for row in role.rows}) == len(role.rows)
    known = {row.id for row in role.table}
    assert composed
    assert all(part in known for row in composed for part in row.parts)


def test_the_oracle_takes_a_symbol_outside_the_alphabet_through_the_checks() -> None:
    role = gate()
    symbol = Visitor.symbol(torn, small, on)
    assert symbol not in role.symbols
    oracle = Oracle(role)
    assert oracle.receive(symbol)
    assert oracle.send(Stop.symbol())
    oracle.receive(Visitor.symbol(day, small, on))
    assert oracle.send(Bow.symbol())
    assert oracle.states == (HALL,)


def test_a_narrow_value_is_tried_only_with_what_a_row_that_names_it_names_too() -> None:
    narrow = [
        stage("hat", recv(OUT, Visitor[year, on], STAY, MUST("3"))),
        stage("other", recv(OUT, Visitor[small], HALL, MUST("1")), recv(OUT, Visitor, ROOM, MUST("2"))),
    ]
    role = gate(*in_order("gate", *narrow))
    assert [symbol.text for symbol in role.symbols if symbol.has(on)] == ["Visitor[YEAR, NONE, ON]"]
    assert len(role.symbols) == 2 * 3 + 1 + 1  # tickets and bags, the torn ticket, the hat


def test_a_guard_over_what_an_earlier_check_changes_is_an_error() -> None:
    looking = in_order(
        "gate",
        stage("ticket", recv(OUT, Visitor, HALL, CONTINUE, now(regular), MUST("1"))),
        stage("bag", recv(HALL, Visitor, regular, ROOM, MUST("2"))),
        stage("hat", recv(HALL, Visitor, ROOM, MUST("3"))),
    )
    with pytest.raises(ModelError, match="an earlier check may have changed"):
        gate(*looking)


def test_a_row_that_an_earlier_check_always_hides_is_found() -> None:
    hidden = in_order(
        "gate",
        stage("ticket", recv(OUT, Visitor, HALL, MUST("1"))),
        stage("bag", recv(OUT, Visitor[large], ROOM, MUST("2")), recv(HALL, Visitor, ROOM, MUST("3"))),
    )
    assert any("Visitor[large]: is never enabled" in problem for problem in lint(gate(*hidden)))


def test_the_page_lists_the_checks_in_order() -> None:
    text = page(gate())
    places = [text.index(f"#### {title}") for title in ("ticket", "bag", "hat")]
    assert places == sorted(places)
    assert "start(nap-time)" in text


def test_timers_start_and_stop_by_name() -> None:
    assert [effect.text for effect in (*start(TIRED).items, *stop(TIRED).items)] == [
        "start(nap-time)",
        "stop(nap-time)",
    ]
