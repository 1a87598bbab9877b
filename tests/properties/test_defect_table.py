"""What stacks make of each defect of a certificate in a handshake: the table of `shakeproof list defects`."""

from __future__ import annotations

import pytest
from rich.console import Console

from shakeproof.cli import main
from shakeproof.properties.defect_table import Answer, answers
from shakeproof.properties.targets import find_target
from shakeproof.reports.defects import has_table, print_defects

CLIENT, SERVER = "tls12.client", "tls12.server"
FIRST_WAVE = {
    "EXPIRED", "NOT_YET_VALID", "WRONG_NAME", "UNTRUSTED", "SELF_SIGNED_LEAF", "MISSING_INTERMEDIATE", "BAD_SIGNATURE",
    "ISSUER_NOT_CA", "PATHLEN_EXCEEDED", "WRONG_EKU", "WRONG_USAGE", "NAME_EXCLUDED", "UNKNOWN_CRITICAL", "NO_SAN",
    "WEAK_HASH", "ServerKeyExchange FORGED_SIGNATURE",
}  # fmt: skip
OF_SERVERS_ALONE = {"WRONG_NAME", "NO_SAN", "ServerKeyExchange FORGED_SIGNATURE"}
CONTROLS = {"(none: sound)", "(none: sound, and accompanied)"}


def table(target: str, role: str, rogue: str = "") -> dict[str, Answer]:
    return {answer.defect: answer for answer in answers(find_target(target, rogue=rogue), role)}


@pytest.mark.parametrize("target", ["shakeproof", "openssl"])
def test_a_client_is_shown_every_defect_of_the_first_wave_and_what_it_must_accept(target: str) -> None:
    found = table(target, CLIENT)
    assert set(found) == FIRST_WAVE | CONTROLS
    assert {name for name, answer in found.items() if answer.accepted} >= CONTROLS
    assert not any(answer.grade.startswith("FAIL") for answer in found.values())


@pytest.mark.parametrize("target", ["shakeproof", "openssl"])
def test_a_server_is_shown_every_defect_that_a_client_can_have(target: str) -> None:
    found = table(target, SERVER)
    assert set(found) == FIRST_WAVE - OF_SERVERS_ALONE | {"(none: sound)", "CertificateVerify UNPROVEN"}
    assert not any(answer.grade for answer in found.values())


def test_our_client_refuses_all_with_the_alerts_of_the_table() -> None:
    for name, answer in table("shakeproof", CLIENT).items():
        assert (name in CONTROLS) == answer.accepted
        assert answer.accepted or answer.alert
        assert not answer.grade


def test_differences_of_openssl_that_are_a_matter_of_reading_are_told_as_such() -> None:
    found = table("openssl", CLIENT)
    assert found["NO_SAN"].accepted
    assert "left to the client" in found["NO_SAN"].sentence
    assert found["WEAK_HASH"].grade in ("", "WARNING")
    assert found["WEAK_HASH"].level == "SHOULD"


def test_a_planted_fault_shows_in_its_line_and_in_no_other() -> None:
    found = table("shakeproof", CLIENT, "path-length-ignored")
    assert {name for name, answer in found.items() if answer.grade} == {"PATHLEN_EXCEEDED"}
    assert found["PATHLEN_EXCEEDED"].grade == "FAIL went-on"


def test_the_table_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "defects"]) == 0
    out = capsys.readouterr().out
    for name in FIRST_WAVE:
        assert f"openssl tls12.client {name} " in out
    assert "refused with unknown_ca · as it must" in out


def test_an_audit_of_one_role_of_one_stack_in_process_tells_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_defects(Console(width=200), "openssl", CLIENT, 0)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "what openssl tls12.client makes of each defect of a certificate"
    assert {line[2:].partition("  ")[0] for line in lines} == FIRST_WAVE | CONTROLS
    assert any("NO_SAN" in line and "left to the client" in line for line in lines), "a matter of reading is no finding"
    assert not any("FAIL" in line for line in lines)


@pytest.mark.parametrize(
    ("names", "roles", "told"),
    [
        (["openssl"], (CLIENT,), True),
        (["shakeproof"], (SERVER,), True),
        (["openssl"], (CLIENT, SERVER), False),
        (["openssl"], ("tcp",), False),
        (["gnutls"], (CLIENT,), False),
        (["openssl", "shakeproof"], (CLIENT,), False),
    ],
)
def test_the_table_is_told_where_it_costs_no_connection(names: list[str], roles: tuple[str, ...], told: bool) -> None:
    assert has_table(names, roles) is told
