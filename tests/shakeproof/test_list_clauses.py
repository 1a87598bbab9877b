"""`shakeproof list clauses --role`: the clauses of one role, and for TCP what RFC 9293 requires on the wire."""

from __future__ import annotations

import pytest

from shakeproof.cli import main
from shakeproof.model.tcp_checklist import REQUIREMENTS, summary


def test_clauses_of_tcp_are_the_checklist_with_the_count_at_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "clauses", "--role", "tcp"]) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == [each.id for each in REQUIREMENTS]
    assert last.strip() == summary()


def test_clauses_of_another_role_are_those_that_its_rows_cite(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "clauses", "--role", "http.client"]) == 0
    out = capsys.readouterr().out
    assert "RFC 9112" in out
    assert "RFC 9293" not in out


def test_a_role_that_does_not_exist_is_named_with_one_that_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "clauses", "--role", "tpc"]) == 2
    assert "Did you mean 'tcp'" in capsys.readouterr().err


def test_role_goes_with_clauses_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "roles", "--role", "tcp"]) == 2
    assert "--role" in capsys.readouterr().err
