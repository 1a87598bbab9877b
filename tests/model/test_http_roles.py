"""The tables of HTTP/1.1: persistence, closing, and messages that end too early."""

from __future__ import annotations

import pytest

from shakeproof.model import http as h
from shakeproof.model.condensed import condensed
from shakeproof.model.facts import Value
from shakeproof.model.lint import lint, uncovered
from shakeproof.model.machine import Role
from shakeproof.model.notation import Message, Symbol
from shakeproof.model.oracle import Oracle
from tests.model.goldens import same_as_golden

MEASURED = h.Response.symbol(h.final, h.measured, h.persistent)
LAST = h.Response.symbol(h.final, h.measured, h.last)
LONG = h.Response.symbol(h.final, h.until_close, h.persistent)
CONTENT, END = h.Content.symbol(), h.End.symbol()
IN_ORDER, CUT_OFF = h.Closed.symbol(h.in_order), h.Closed.symbol(h.cut_off)
GET = h.Request.symbol(h.bare_request, h.persistent)
POST = h.Request.symbol(h.with_content, h.persistent)
LAST_GET = h.Request.symbol(h.bare_request, h.last)

both = pytest.mark.parametrize("role", [h.client, h.server], ids=repr)


def run(role: Role, *events: Message | Symbol) -> str:
    """The states possible after calls and messages, the role's own messages sent in between."""
    oracle = Oracle(role, closed_calls=False)
    for event in events:
        rows = oracle.call(event) if isinstance(event, Message) else oracle.receive(event)
        assert rows, f"{oracle.state_text} does not read {event}"
    state = oracle.state_text
    oracle.release()
    return state


@both
def test_lint_is_silent(role: Role) -> None:
    assert lint(role) == []


@both
def test_matrix_is_the_reviewed_one(role: Role) -> None:
    assert same_as_golden(f"{role.name}.txt", condensed(role))


def test_only_pipelined_requests_are_uncovered() -> None:
    assert list(uncovered(h.client)) == []
    cells = list(uncovered(h.server))
    assert cells
    assert {(cell.configuration.state, cell.symbol.message) for cell in cells} == {(h.RESPONDING, h.Request)}


def test_connection_persists_after_a_measured_response() -> None:
    assert run(h.client, h.request, MEASURED, CONTENT, END) == "IDLE"
    assert run(h.client, h.request, MEASURED, END, h.request, MEASURED, END) == "IDLE"


def test_close_said_by_either_side_ends_the_connection_after_the_response() -> None:
    assert run(h.client, h.request, LAST, CONTENT, END) == "CLOSED"
    assert run(h.client, h.last_request, MEASURED, CONTENT, END) == "CLOSED"
    assert run(h.server, LAST_GET, h.respond) == "CLOSED"
    assert run(h.server, GET, h.respond) == "IDLE or CLOSED"


def test_interim_responses_come_before_the_final_one() -> None:
    interim = h.Response.symbol(h.interim, h.measured)
    assert run(h.client, h.request, interim, interim, MEASURED, END) == "IDLE"


@pytest.mark.parametrize("ending", [IN_ORDER, CUT_OFF], ids=repr)
def test_measured_content_that_ends_with_the_connection_is_truncated(ending: Symbol) -> None:
    assert run(h.client, h.request, MEASURED, CONTENT, ending) == "FAILED"
    assert run(h.client, h.request, ending) == "FAILED"
    assert run(h.server, POST, CONTENT, ending) == "FAILED"


def test_content_until_close_is_complete_in_order_and_incomplete_where_tls_was_cut_off() -> None:
    assert run(h.client, h.request, LONG, CONTENT, IN_ORDER) == "CLOSED"
    assert run(h.client, h.request, LONG, CONTENT, CUT_OFF) == "FAILED"


@pytest.mark.parametrize("ending", [IN_ORDER, CUT_OFF], ids=repr)
def test_idle_connection_may_end(ending: Symbol) -> None:
    assert run(h.client, ending) == "CLOSED"
    assert run(h.server, ending) == "CLOSED"


def test_response_without_a_request_is_not_one() -> None:
    assert run(h.client, MEASURED) == "FAILED"


@pytest.mark.parametrize("defect", h.LENGTH.defects, ids=repr)
def test_client_fails_on_a_head_that_it_cannot_read(defect: Value) -> None:
    assert run(h.client, h.request, MEASURED.with_values(defect)) == "FAILED"


@pytest.mark.parametrize("defect", [h.ambiguous_request, h.broken_request], ids=repr)
def test_server_answers_400_and_closes_where_it_cannot_tell_the_length(defect: Value) -> None:
    oracle = Oracle(h.server)
    oracle.receive(GET.with_values(defect))
    assert not oracle.quiet(), "an answer is owed"
    assert not oracle.send(MEASURED)
    assert oracle.send(h.Response.symbol(h.bad_request, h.measured, h.last))
    assert oracle.send(END)
    assert oracle.send(IN_ORDER)
    assert oracle.quiet()
    assert oracle.is_over
    oracle.release()


@pytest.mark.parametrize("defect", [h.no_host, h.ambiguous_request, h.broken_request], ids=repr)
def test_a_400_may_last_until_the_connection_closes(defect: Value) -> None:
    oracle = Oracle(h.server)
    oracle.receive(GET.with_values(defect))
    assert oracle.send(h.Response.symbol(h.bad_request, h.until_close, h.last))
    assert oracle.send(CONTENT)
    assert not oracle.send(END)
    assert oracle.send(IN_ORDER)
    assert oracle.quiet()
    assert oracle.is_over
    oracle.release()


def test_request_without_host_is_answered_with_400_whether_or_not_the_connection_stays() -> None:
    assert run(h.server, GET.with_values(h.no_host)) == "IDLE or FAILED"


def test_server_answers_a_request_only_when_it_is_complete() -> None:
    oracle = Oracle(h.server)
    oracle.receive(POST)
    assert not oracle.send(MEASURED)
    oracle.receive(CONTENT)
    oracle.receive(END)
    assert oracle.send(MEASURED)
    oracle.release()
