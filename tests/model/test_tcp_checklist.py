"""The checklist of RFC 9293: complete, its rows there, its properties named truly."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from shakeproof.model.clauses import plain_text
from shakeproof.model.tcp import tcp
from shakeproof.model.tcp_checklist import MUSTS, REQUIREMENTS, SHOULDS, Requirement, summary
from tests.model.test_clauses import rfc_folder

ALL = pytest.mark.parametrize("requirement", REQUIREMENTS, ids=lambda each: each.id)
TESTS = Path(__file__).parents[1]


@cache
def written() -> set[str]:
    """The names of all test functions."""
    names: set[str] = set()
    for path in TESTS.rglob("test_*.py"):
        names |= set(re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.M))
    return names


@cache
def row_ids() -> frozenset[str]:
    """Of every row, under both readings."""
    return frozenset(row.id for row in tcp.under(tcp.readings).table)


def test_there_are_51_musts_and_24_shoulds_each_once() -> None:
    ids = [each.id for each in REQUIREMENTS]
    assert len(set(ids)) == len(ids)
    assert sum(each.is_must for each in REQUIREMENTS) == MUSTS == 51
    assert sum(not each.is_must for each in REQUIREMENTS) == SHOULDS == 24


def test_every_requirement_is_one_of_appendix_b() -> None:
    text = plain_text((rfc_folder() / "rfc9293.txt").read_text(encoding="utf-8"))
    appendix = text[text.rindex("Appendix B.  TCP Requirement Summary") :]
    printed = set(re.findall(r"\b(?:MUST|SHLD)-\d+\b", appendix))
    assert len(printed) == 69 + 31
    assert {each.id for each in REQUIREMENTS} <= printed


@ALL
def test_it_is_covered_in_exactly_one_way(requirement: Requirement) -> None:
    assert sum(map(bool, (requirement.cites, requirement.prop, requirement.missing))) == 1
    assert bool(requirement.prop) is bool(requirement.checks)
    assert requirement.prop or not requirement.written


@ALL
def test_its_rows_exist_and_cite_a_sentence_that_names_it(requirement: Requirement) -> None:
    if not requirement.cites:
        return
    known = row_ids()
    assert requirement.rows
    assert {row.id for row in requirement.rows} <= known
    cited = [clause for row in requirement.rows for clause in row.clauses]
    # MUST-22 is in the appendix only; the sentence that it is about has lost its label.
    assert requirement.id == "MUST-22" or any(requirement.id in clause.sentence for clause in cited)


@ALL
def test_its_property_is_said_to_be_written_when_a_test_of_that_name_exists(requirement: Requirement) -> None:
    if requirement.prop:
        assert requirement.written is (requirement.prop in written())


def test_the_summary_counts_what_is_modelled_or_tested() -> None:
    done = sum(each.is_covered for each in REQUIREMENTS if each.is_must)
    assert summary().startswith(f"{done} of 51 MUSTs modelled or tested")
    assert done >= sum(bool(each.cites) for each in REQUIREMENTS if each.is_must)
