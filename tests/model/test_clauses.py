"""Every citation of every table, held against the texts of the RFCs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shakeproof.model.clauses import WITHOUT_TEXT, Clause, Quotes, fold, plain_text, problem, sections, texts
from shakeproof.model.facts import ModelError
from shakeproof.model.roles import ROLES


def rfc_folder() -> Path:
    """The folder with the texts. Skips where there is none; under SHAKEPROOF_CI=1 that is a failure."""
    named = os.environ.get("SHAKEPROOF_RFC_DIR", "")
    if named and any(Path(named).glob("rfc*.txt")):
        return Path(named)
    missing = f"SHAKEPROOF_RFC_DIR is {named!r}: set it to a folder with rfc5246.txt and others, and quotes are checked"
    if os.environ.get("SHAKEPROOF_CI") == "1":
        pytest.fail(missing)
    pytest.skip(missing)


def cited() -> dict[str, set[Clause]]:
    """Role name -> the clauses of its table, under any reading."""
    return {name: set(role.quotes.clauses.values()) for name, role in ROLES.items()}


def test_every_quote_stands_in_its_section_word_for_word(capsys: pytest.CaptureFixture[str]) -> None:
    known = texts(rfc_folder())
    clauses = set().union(*cited().values())
    problems = sorted(filter(None, (problem(clause, known) for clause in clauses)))
    quoted = sum(1 for clause in clauses if clause.sentence)
    without = sorted(clause.reference for clause in clauses if not clause.sentence)
    with capsys.disabled():
        print(f"\n{quoted} quotes of {len(cited())} roles resolved; {len(without)} cited without text: {without}")
    assert quoted, "no role quotes anything"
    assert not problems, "\n".join(problems)


def test_every_section_cited_without_text_is_of_a_listed_document_and_says_why() -> None:
    for name, clauses in cited().items():
        for clause in clauses:
            if not clause.sentence:
                assert clause.rfc in WITHOUT_TEXT, f"{name}: {clause.reference}"
                assert clause.implied, f"{name}: {clause.reference}"


def test_a_quote_without_a_keyword_says_why_it_obliges() -> None:
    for name, clauses in cited().items():
        for clause in clauses:
            assert clause.has_keyword() or clause.implied, f"{name}: {clause.reference} {clause.word}"


PAGES = """
1.  First

   A message is se-
   cond to none, and
   the sender MUST wait.

Author                     Standards Track                      [Page 1]
\f
RFC 1                       Title                          January 2000

   The receiver
   may leave.

1.1.  Inner

   It ends well-
   known.
"""


def test_a_sentence_across_a_page_break_resolves_in_its_section() -> None:
    known = {1: sections(plain_text(PAGES))}
    assert problem(Clause(1, "1", sentence="the sender MUST wait. The receiver may leave."), known) == ""
    assert problem(Clause(1, "1.1", sentence="It ends well-known."), known) == ""


def test_a_sentence_of_another_section_names_the_section_it_stands_in() -> None:
    known = {1: sections(plain_text(PAGES))}
    assert "it stands in 1" in problem(Clause(1, "1.1", sentence="the sender MUST wait."), known)
    assert "does not say" in problem(Clause(1, "1", sentence="the sender MUST NOT wait."), known)
    assert "no such section" in problem(Clause(1, "9", sentence="anything"), known)
    assert "no text of RFC 2" in problem(Clause(2, "1", sentence="anything"), known)


def test_fold_joins_words_that_a_line_break_split() -> None:
    assert fold("a  b\n c agreed-\n  upon") == "a b c agreed-upon"


def test_a_quote_without_keyword_and_reason_is_refused() -> None:
    quotes = Quotes(5246)
    with pytest.raises(ModelError, match="no keyword of RFC 2119"):
        quotes.quote("7.1", "The message consists of a single byte of value 1.")


def test_a_quote_of_a_document_without_text_is_refused() -> None:
    document = min(WITHOUT_TEXT)
    with pytest.raises(ModelError, match="use cite"):
        Quotes(5246).quote(f"RFC {document} 1", "It MUST be so.")
    with pytest.raises(ModelError, match="has a text"):
        Quotes(5246).cite("7.1", why="none")


def test_one_key_twice_is_refused() -> None:
    quotes = Quotes(5246)
    quotes.quote("7.1", "It MUST be so.")
    with pytest.raises(ModelError, match="quoted twice"):
        quotes.quote("7.1", "It MUST NOT be so.")
