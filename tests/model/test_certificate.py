"""The certificate table: the checks in the order of RFC 5280 section 6.1, and what each defect leads to."""

from __future__ import annotations

from itertools import pairwise

import pytest

from shakeproof.model import certificate as c
from shakeproof.model import messages as m
from shakeproof.model.certificate import certificate
from shakeproof.model.condensed import condensed
from shakeproof.model.facts import Value
from shakeproof.model.https import DEFECTS as TO_CHAIN
from shakeproof.model.lint import lint, uncovered
from shakeproof.model.notation import Abort, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.tls12 import WAIT_CERTIFICATE
from shakeproof.model.tls12_client import client as tls12_client
from tests.model.goldens import same_as_golden

ANCHORED = (c.Anchor.symbol(),)
ISSUER = (
    c.Signature.symbol(c.verified, c.issuer),
    c.Validity.symbol(),
    c.BasicConstraints.symbol(),
    c.KeyCertSign.symbol(),
)
LEAF = (c.Signature.symbol(c.verified, c.leaf), c.Validity.symbol(), c.KeyUsage.symbol(), c.Name.symbol())

DEFECTS = [defect for message in c.OBSERVATIONS for fact in message.facts for defect in fact.defects]


def validated(*answers: Symbol) -> str:
    """The state after these answers; each must be one that the table asks for."""
    oracle = Oracle(certificate)
    oracle.call(c.validate)
    for answer in answers:
        assert oracle.receive(answer), f"{oracle.state_text} does not ask for {answer}"
    state = oracle.state_text
    oracle.release()
    return state


def test_lint_is_silent_and_no_cell_is_left_open() -> None:
    assert lint(certificate) == []
    assert list(uncovered(certificate)) == []


def test_matrix_is_the_reviewed_one() -> None:
    assert same_as_golden("certificate.txt", condensed(certificate))


@pytest.mark.parametrize("issuers", [0, 1, 2, 5])
def test_sound_path_of_any_length_is_accepted(issuers: int) -> None:
    assert validated(*ANCHORED, *ISSUER * issuers, *LEAF) == "ACCEPTED"


@pytest.mark.parametrize("defect", DEFECTS, ids=repr)
def test_one_defect_anywhere_rejects(defect: Value) -> None:
    path = [*ANCHORED, *ISSUER, *LEAF]
    places = [index for index, answer in enumerate(path) if defect.fact in answer.message.facts]
    assert places
    for index in places:
        assert validated(*path[:index], path[index].with_values(defect)) == "REJECTED", path[index]


def test_checks_follow_each_other_in_the_order_of_section_6_1() -> None:
    path = [*ANCHORED, *ISSUER, *LEAF]
    asked = []
    oracle = Oracle(certificate)
    oracle.call(c.validate)
    for answer in path:
        asked.append(oracle.state_text)
        oracle.receive(answer)
    oracle.release()
    assert asked == [
        "CHECK_ANCHOR",
        "CHECK_SIGNATURE", "CHECK_VALIDITY", "CHECK_BASIC_CONSTRAINTS", "CHECK_KEY_CERT_SIGN",
        "CHECK_SIGNATURE", "CHECK_VALIDITY", "CHECK_KEY_USAGE", "CHECK_NAME",
    ]  # fmt: skip


def test_issuers_are_not_asked_for_the_name_and_the_leaf_not_for_basic_constraints() -> None:
    for first, second in pairwise((*ISSUER, *ISSUER)):
        assert c.Name not in (first.message, second.message)
    leaf = Oracle(certificate)
    leaf.call(c.validate)
    for answer in (*ANCHORED, *LEAF[:2]):
        leaf.receive(answer)
    assert leaf.receive(c.BasicConstraints.symbol(c.issuer_not_ca)) == ()
    assert leaf.state_text == "CHECK_KEY_USAGE"
    leaf.release()


@pytest.mark.parametrize(
    ("defect", "alert"),
    [
        (c.untrusted, m.unknown_ca),
        (c.bad_signature, m.bad_certificate),
        (c.expired, m.certificate_expired),
        (c.not_yet_valid, m.certificate_expired),
        (c.issuer_not_ca, m.certificate_unknown),
        (c.may_not_sign, m.certificate_unknown),
        (c.wrong_usage, m.unsupported_certificate),
        (c.wrong_name, m.certificate_unknown),
    ],
    ids=repr,
)
def test_our_own_alert_is_the_first_that_the_row_names(defect: Value, alert: Value) -> None:
    rows = [row for row in certificate.rows if any(guard is defect for guard in row.pattern.guards)]
    assert rows
    for row in rows:
        assert isinstance(row.next, Abort)
        assert row.next.alerts[0] is alert


def test_alerts_are_those_that_the_tls_client_allows_for_the_same_defect() -> None:
    waiting = next(here for here in tls12_client.reachable if here.state is WAIT_CERTIFICATE)
    rejecting = [row for row in certificate.rows if isinstance(row.next, Abort)]
    assert len(rejecting) == len(DEFECTS)
    for row in rejecting:
        (defect,) = (guard for guard in row.pattern.guards if isinstance(guard, Value) and not guard.is_sound)
        answers = tls12_client.enabled(waiting, m.Certificate.symbol(TO_CHAIN[defect]))
        assert answers, f"the TLS client has no row for {TO_CHAIN[defect]}"
        allowed = {alert for answer in answers if isinstance(answer.next, Abort) for alert in answer.next.alerts}
        assert isinstance(row.next, Abort)
        assert set(row.next.alerts) <= allowed, defect


def test_every_state_that_asks_is_a_question_and_the_states_are_the_checks() -> None:
    assert all(state.sentence.endswith("?") for state in c.ASKS)
    assert set(c.ASKS) | {c.START, c.ACCEPTED, c.REJECTED} == set(certificate.states)
