"""A chain of checks in few boxes: everything but the questions is the table's."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import pytest

from shakeproof.diagrams.flow import CHECKS_MOST, Flow
from shakeproof.diagrams.flow_chart import draw_flow
from shakeproof.diagrams.flow_groups import grouped_flow
from shakeproof.model.certificate import certificate
from shakeproof.model.certificate_checks import CHECK_OF, GROUPS
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Row

NUMBERS = {state: check.number for state, check in CHECK_OF.items()}


def flow_of_table(role: Role = certificate, questions: Mapping[str, str] = GROUPS) -> Flow:
    return grouped_flow(role, questions, NUMBERS, title="T", start="S", end="E")


def test_boxes_are_the_phases_in_order_with_the_numbers_of_their_checks() -> None:
    flow = flow_of_table()
    assert {check.key: check.question for check in flow.checks} == GROUPS
    assert flow.checks[0].remark == "checks 7, 20 and 21"
    assert flow.checks[5].remark == "check 23"


def test_ways_are_the_loop_over_issuers_and_the_way_of_the_leaf() -> None:
    flow = flow_of_table()
    assert {(jump.source, jump.target, jump.label) for jump in flow.jumps} == {
        ("policies", "leaf", "yes, leaf"),
        ("issuer", "form", "yes"),
    }
    onward = {check.key: check.yes for check in flow.checks}
    assert onward["policies"] == "yes, issuer"
    assert onward["issuer"] == ""
    assert onward["name"] == "yes"


def test_alert_of_a_box_is_the_one_that_most_of_its_obliging_rows_name() -> None:
    alerts = {check.key: check.alert for check in flow_of_table().checks}
    assert alerts["path"] == "unknown_ca"
    assert alerts["signature"] == "bad_certificate"
    assert alerts["time"] == "certificate_expired"
    assert alerts["leaf"] == "unsupported_certificate"


def ways(flow: Flow) -> set[tuple[str, str]]:
    """Every way from box to box, "" for the end."""
    following = [check.key for check in flow.checks[1:]] + [""]
    straight = {(check.key, onto) for check, onto in zip(flow.checks, following, strict=True) if check.yes}
    return straight | {(jump.source, jump.target) for jump in flow.jumps}


def leads(row: Row, way: tuple[str, str]) -> bool:
    goal = row.next.phase if row.next in NUMBERS else ""
    return not isinstance(row.next, Abort) and (row.states.members[0].phase, goal) == way


@pytest.mark.parametrize("way", sorted(ways(flow_of_table())), ids="-".join)
def test_way_is_drawn_because_rows_lead_there(way: tuple[str, str]) -> None:
    less = copy.copy(certificate)
    less.rows = tuple(row for row in certificate.rows if not leads(row, way))
    assert len(less.rows) < len(certificate.rows)
    assert ways(flow_of_table(less)) == ways(flow_of_table()) - {way}
    if way[1]:  # the last box is always drawn with a way on
        assert draw_flow(flow_of_table(less)).dot_source != draw_flow(flow_of_table()).dot_source


def test_state_without_a_box_is_refused_by_name() -> None:
    fewer = {key: question for key, question in GROUPS.items() if key != "time"}
    with pytest.raises(ValueError, match="CHECK_VALIDITY, CHECK_STATUS belong to no box; boxes are path, form"):
        flow_of_table(questions=fewer)


def test_more_boxes_than_a_picture_holds_are_refused() -> None:
    more = {**GROUPS, **{f"more{n}": "More?" for n in range(CHECKS_MOST)}}
    with pytest.raises(ValueError, match=f"18 boxes, and a picture holds {CHECKS_MOST}"):
        flow_of_table(questions=more)
