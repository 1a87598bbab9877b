"""Findings in plain sentences."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shakeproof.model.roles import ROLES
from shakeproof.properties.demands import demanded
from shakeproof.properties.findings import Grade
from shakeproof.reports.html_findings import finding_view
from shakeproof.reports.json import as_data
from shakeproof.reports.summary import judge_run
from shakeproof.reports.wording import came_sentence, case_of, percent, required_sentence, row_of, why_words
from tests.shakeproof.made_findings import made_finding, made_run

CLIENT = "tls12.client"


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("abort(decrypt_error)", "It had to end the connection with the fatal alert decrypt_error."),
        ("abort(a, b)", "It had to end the connection with the fatal alert a or b."),
        ("CLOSED, sends(Alert[closure])", "It had to answer with Alert[closure], then end the connection."),
        ("CLOSED", "It had to end the connection."),
        ("the same answers", "Required: the same answers."),
        ("", ""),
    ],
)
def test_required_is_a_sentence(expected: str, said: str) -> None:
    assert required_sentence(expected, CLIENT) == said


@pytest.mark.parametrize(
    ("got", "said"),
    [
        ("closed", "It closed the connection without an alert."),
        ("nothing", "It sent nothing."),
        ("Alert[FATAL, X], closed", "It sent Alert[FATAL, X] and closed the connection."),
        ("nothing; afterwards: ignored it", "It sent nothing. Afterwards: ignored it."),
    ],
)
def test_what_came_is_a_sentence(got: str, said: str) -> None:
    assert came_sentence(got) == said


@pytest.mark.parametrize(
    ("title", "expected", "got", "case"),
    [
        ("x: stopped with y", "abort(a)", "Alert[FATAL, B], closed", "with another alert"),
        ("x: closed without an alert", "abort(a)", "closed", "without the fatal alert"),
        ("x: ignored it", "abort(a)", "nothing", "ignored"),
        ("x: stayed silent, then stopped with y", "abort(a)", "nothing", "late"),
        ("x: ended the connection, but with closed", "CLOSED, sends(Alert)", "closed", "the answer that is due"),
        ("x: ended the connection, but with y", "CLOSED", "Alert[FATAL, B], closed", "does not belong there"),
    ],
)  # fmt: skip
def test_deviation_says_which_case_applied(title: str, expected: str, got: str, case: str) -> None:
    finding = replace(made_finding(Grade.DEVIATION, title=title), expected=expected, got=got)
    assert case in case_of(finding)
    assert case_of(replace(finding, grade=Grade.WENT_ON)) == ""


def test_sentence_without_keyword_obliges_by_our_reading_only() -> None:
    role = ROLES[CLIENT]
    row, clause = next(
        (row, clause)
        for row in role.rows
        for clause in row.clauses
        if clause.sentence and not clause.has_keyword() and clause.implied
    )
    assert why_words("MUST", CLIENT, row.code, clause.reference, clause.sentence) == ("rests on", clause.implied)
    assert why_words("MUST", CLIENT, row.code, clause.reference, "It MUST stop.") == ("MUST by", "")
    assert row_of(role, row.code) is row


@pytest.mark.parametrize(
    ("part", "whole", "said"), [(0, 5, 0), (1, 1000, 1), (375, 1000, 38), (999, 1000, 99), (5, 5, 100)]
)
def test_percent_is_rounded_and_whole_only_where_nothing_is_left(part: int, whole: int, said: int) -> None:
    assert percent(part, whole) == said


def test_html_and_json_say_in_words_what_was_required() -> None:
    finding = replace(made_finding(), expected="abort(decrypt_error)", got="closed")
    view = finding_view(finding, "key", "", {}, {}, accepted="", files=set(), known=False)
    assert view.expected == "end the connection with the fatal alert decrypt_error"
    (data,) = as_data(judge_run(made_run(finding), (), "must"), version="0")["findings"]
    assert data["required"] == "It had to end the connection with the fatal alert decrypt_error."
    assert data["came"] == "It closed the connection without an alert."


def test_note_of_a_chart_says_in_words_what_is_required() -> None:
    rows = [row for row in ROLES[CLIENT].rows if row.outcome == "abort(decrypt_error)"]
    assert demanded(rows, CLIENT) == "end the connection with the fatal alert decrypt_error"
