"""The certificate table, held against RFC 5280 section 6.1 and the list of checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from shakeproof.model import certificate_checks as c
from shakeproof.model import messages as m
from shakeproof.model.certificate import EITHER, RFC5280, WEBPKI, certificate, label
from shakeproof.model.clauses import Level
from shakeproof.model.condensed import condensed, differences
from shakeproof.model.facts import Value
from shakeproof.model.https import DEFECTS as TO_CHAIN
from shakeproof.model.lint import lint, uncovered
from shakeproof.model.machine import Role
from shakeproof.model.notation import Abort, Row, State, Symbol
from shakeproof.model.oracle import Oracle
from shakeproof.model.tls12 import WAIT_CERTIFICATE
from shakeproof.model.tls12_client import client as tls12_client
from tests.model.goldens import same_as_golden

WEB = certificate.under([WEBPKI])

PATH = (c.Search.symbol(), c.Candidates.symbol(), c.Anchor.symbol())
FORM = (c.Encoding, c.ExtensionCount, c.Algorithms, c.Identifiers, c.NameForm, c.Labels)
BASIC = tuple(message.symbol() for message in (*FORM, c.Signature, c.Strength, c.Validity))
CHECKED = (*BASIC, c.Status.symbol())
ISSUER = (
    c.IssuerName.symbol(c.issuer, c.by_another), c.Subtrees.symbol(), c.Policies.symbol(), c.PolicyMappings.symbol(),
    c.BasicConstraints.symbol(), c.PathLength.symbol(), c.KeyCertSign.symbol(), c.CriticalExtensions.symbol(),
    c.IssuerPurpose.symbol(),
)  # fmt: skip
SELF_ISSUED = (
    c.IssuerName.symbol(c.issuer, c.self_issued), *(s for s in ISSUER[2:] if s.message is not c.PathLength),
)  # fmt: skip
LEAF = (
    c.IssuerName.symbol(c.leaf, c.by_another), c.Subtrees.symbol(), c.Policies.symbol(), c.CriticalExtensions.symbol(),
    c.PolicyResult.symbol(), c.KeyUsage.symbol(), c.Purpose.symbol(), c.Alternatives.symbol(), c.Name.symbol(),
    c.Wildcard.symbol(),
)  # fmt: skip
SOUND = (*PATH, *BASIC, *ISSUER, *BASIC, *LEAF)

LEFT_OPEN = {
    c.bad_serial, c.aki_mismatch, c.nul_in_name, c.hostile_punycode, c.weak_key, c.weak_hash, c.explicit_curve,
    c.issuer_eku,
}  # fmt: skip
"""Defects for which RFC 5280 leaves the choice; and that of policy mappings, which it need not process at all."""


def states_after(*answers: Symbol, role: Role = certificate, call: Value = c.unasked) -> set[str]:
    """The states in which validation may be after these answers; each must be one that the table asks for."""
    oracle = Oracle(role)
    oracle.call(c.validate.symbol(call))
    for answer in answers:
        assert oracle.receive(answer), f"{oracle.state_text} does not ask for {answer}"
    states = {one.configuration.state.name for one in oracle.possible}
    oracle.release()
    return states


def with_defect(path: tuple[Symbol, ...], index: int, value: Value) -> tuple[Symbol, ...]:
    return (*path[:index], path[index].with_values(value))


def places(path: tuple[Symbol, ...], value: Value) -> list[int]:
    return [index for index, answer in enumerate(path) if value.fact in answer.message.facts]


# ------------------------------------------------------------------------------------------------------ the table


@pytest.mark.parametrize("readings", EITHER, ids=["-".join(sorted(one)) for one in EITHER])
def test_lint_is_silent_and_no_cell_is_left_open(readings: frozenset[str]) -> None:
    role = certificate.under(readings)
    assert lint(role) == []
    assert list(uncovered(role)) == []


def test_matrix_is_the_reviewed_one() -> None:
    assert same_as_golden("certificate.txt", condensed(certificate))
    assert same_as_golden("certificate.webpki.txt", differences(certificate, WEB))


def test_table_is_complete() -> None:
    assert not certificate.partial
    assert certificate.readings.keys() == {RFC5280, WEBPKI}


def test_every_state_that_asks_is_a_question_and_the_states_are_the_checks() -> None:
    assert all(state.sentence.endswith("?") for state in c.ASKS)
    assert set(c.ASKS) | {c.START, c.ACCEPTED, c.REJECTED} == set(certificate.states)
    assert set(c.OBSERVATIONS) == set(c.ASKS.values())


# ------------------------------------------------------------------------------------------------------ the checks

CERTIFICATES_MD = {
    1: "MALFORMED BAD_VERSION", 2: "BAD_SIGNATURE", 3: "SIGNATURE_ALGORITHM_MISMATCH",
    4: "WEAK_KEY WEAK_HASH EXPLICIT_CURVE", 5: "EXPIRED NOT_YET_VALID", 6: "NAME_CHAIN_BROKEN",
    7: "UNTRUSTED_ROOT SELF_SIGNED_LEAF MISSING_INTERMEDIATE", 8: "ISSUER_NOT_CA", 9: "PATHLEN_EXCEEDED",
    10: "ISSUER_KEY_USAGE", 11: "LEAF_KEY_USAGE", 12: "WRONG_EKU ISSUER_EKU", 13: "NAME_NOT_PERMITTED NAME_EXCLUDED",
    14: "UNKNOWN_CRITICAL", 15: "DUPLICATE_EXTENSION", 16: "WRONG_NAME NO_SAN", 17: "BAD_WILDCARD",
    18: "NUL_IN_NAME BAD_NAME_ENCODING", 19: "HOSTILE_PUNYCODE", 20: "PATH_CYCLE PATH_BOMB", 21: "",
    22: "BAD_SERIAL AKI_MISMATCH", 23: "POLICY_VIOLATION", 24: "REVOKED STATUS_UNKNOWN",
}  # fmt: skip
"""The list that this project agreed upon, number by number."""


def test_checks_have_the_numbers_and_the_defects_of_the_list() -> None:
    assert {check.number: {d.name.upper() for d in check.defects} for check in c.CHECKS} == {
        number: set(names.split()) for number, names in CERTIFICATES_MD.items()
    }


def test_every_state_and_every_defect_belongs_to_one_check() -> None:
    assert set(c.CHECK_OF) == set(c.ASKS)
    assert sum(len(check.states) for check in c.CHECKS) == len(c.CHECK_OF)
    defects = {defect for message in c.OBSERVATIONS for fact in message.facts for defect in fact.defects}
    assert set(c.DEFECTS.values()) == defects
    assert sum(len(check.defects) for check in c.CHECKS) == len(defects)


def test_groups_are_the_phases_and_are_at_most_nine_and_follow_each_other() -> None:
    assert list(c.GROUPS) == [phase.key for phase in c.PHASES]
    assert len(c.GROUPS) <= 9
    order = [state.phase for state in c.ASKS]
    assert sorted(order, key=list(c.GROUPS).index) == order


def test_row_that_refuses_names_the_defect_or_is_a_choice_of_the_web() -> None:
    for row in (*certificate.rows, *WEB.rows):
        if isinstance(row.next, Abort):
            (value,) = (guard for guard in row.pattern.guards if isinstance(guard, Value))
            assert not value.is_sound or value in (c.any_purpose, c.no_purpose), row.id


# ------------------------------------------------------------------------------------------------------ the verdict


@pytest.mark.parametrize("role", [certificate, WEB], ids=[RFC5280, WEBPKI])
@pytest.mark.parametrize("issuers", [0, 1, 2, 5])
def test_sound_path_of_any_length_is_accepted(role: Role, issuers: int) -> None:
    path = (*PATH, *(*BASIC, *ISSUER) * issuers, *BASIC, *LEAF)
    assert states_after(*path, role=role) == {"ACCEPTED"}


def test_sound_path_is_accepted_where_revocation_is_asked_about() -> None:
    assert states_after(*PATH, *CHECKED, *ISSUER, *CHECKED, *LEAF, call=c.asked) == {"ACCEPTED"}


@pytest.mark.parametrize("defect", [d for d in c.DEFECTS.values() if d not in LEFT_OPEN], ids=repr)
def test_one_defect_anywhere_rejects_under_both_readings(defect: Value) -> None:
    call = c.asked if defect.fact is c.STATUS else c.unasked
    basic = CHECKED if call is c.asked else BASIC
    path = (*PATH, *basic, *ISSUER, *basic, *LEAF)
    assert places(path, defect)
    for index in places(path, defect):
        for role in (certificate, WEB):
            if path[index].message is c.PolicyMappings and role is certificate:
                continue
            assert states_after(*with_defect(path, index, defect), role=role, call=call) == {"REJECTED"}, path[index]


@pytest.mark.parametrize("defect", sorted(LEFT_OPEN, key=repr), ids=repr)
def test_defect_that_is_left_open_may_pass_and_the_web_rejects_it(defect: Value) -> None:
    assert places(SOUND, defect)
    for index in places(SOUND, defect):
        prefix = with_defect(SOUND, index, defect)
        assert states_after(*prefix) > {"REJECTED"}, SOUND[index]
        assert len(states_after(*prefix)) == 2
        assert states_after(*prefix, role=WEB) == {"REJECTED"}


def test_mapped_any_policy_may_pass_since_policy_mappings_need_not_be_processed() -> None:
    index = next(i for i, answer in enumerate(SOUND) if answer.message is c.PolicyMappings)
    prefix = with_defect(SOUND, index, c.policy_violation)
    assert states_after(*prefix) == {"CHECK_BASIC_CONSTRAINTS", "REJECTED"}
    assert states_after(*prefix, role=WEB) == {"REJECTED"}


def test_extra_bad_intermediate_must_still_be_accepted() -> None:
    path = list(SOUND)
    path[1] = c.Candidates.symbol(c.extra_bad_intermediate)
    for role in (certificate, WEB):
        assert states_after(*path, role=role) == {"ACCEPTED"}


@pytest.mark.parametrize(
    ("value", "under_rfc5280", "on_the_web"),
    [
        (c.for_servers, {"CHECK_ALTERNATIVES"}, {"CHECK_ALTERNATIVES"}),
        (c.any_purpose, {"CHECK_ALTERNATIVES", "REJECTED"}, {"REJECTED"}),
        (c.no_purpose, {"CHECK_ALTERNATIVES", "REJECTED"}, {"REJECTED"}),
        (c.wrong_eku, {"REJECTED"}, {"REJECTED"}),
    ],
    ids=["for_servers", "any_purpose", "no_purpose", "wrong_eku"],
)
def test_purpose_of_the_leaf(value: Value, under_rfc5280: set[str], on_the_web: set[str]) -> None:
    (index,) = places(SOUND, value)
    prefix = with_defect(SOUND, index, value)
    assert states_after(*prefix) == under_rfc5280
    assert states_after(*prefix, role=WEB) == on_the_web


# ------------------------------------------------------------------------------------------ the order of section 6.1


def asked_for(*answers: Symbol, call: Value = c.unasked) -> list[str]:
    """The states in which the answers were asked for."""
    oracle = Oracle(certificate)
    oracle.call(c.validate.symbol(call))
    asked = []
    for answer in answers:
        asked.append(oracle.state_text)
        oracle.receive(answer)
    oracle.release()
    return asked


def test_checks_follow_each_other_in_the_order_of_section_6_1() -> None:
    path = ["CHECK_SEARCH", "CHECK_CANDIDATES", "CHECK_ANCHOR"]
    basic = [
        "CHECK_ENCODING", "CHECK_EXTENSION_COUNT", "CHECK_ALGORITHMS", "CHECK_IDENTIFIERS", "CHECK_NAME_FORM",
        "CHECK_LABELS", "CHECK_SIGNATURE", "CHECK_STRENGTH", "CHECK_VALIDITY",
    ]  # fmt: skip
    names = ["CHECK_ISSUER_NAME", "CHECK_SUBTREES", "CHECK_POLICIES"]
    issuer = [
        "CHECK_POLICY_MAPPINGS", "CHECK_BASIC_CONSTRAINTS", "CHECK_PATH_LENGTH", "CHECK_KEY_CERT_SIGN",
        "CHECK_ISSUER_EXTENSIONS", "CHECK_ISSUER_PURPOSE",
    ]  # fmt: skip
    leaf = [
        "CHECK_LEAF_EXTENSIONS", "CHECK_POLICY_RESULT", "CHECK_KEY_USAGE", "CHECK_PURPOSE", "CHECK_ALTERNATIVES",
        "CHECK_NAME", "CHECK_WILDCARD",
    ]  # fmt: skip
    assert asked_for(*SOUND) == [*path, *basic, *names, *issuer, *basic, *names, *leaf]


def test_revocation_is_asked_about_between_time_and_issuer_name_of_every_certificate() -> None:
    asked = asked_for(*PATH, *CHECKED, *ISSUER, *CHECKED, *LEAF, call=c.asked)
    around = [asked[index - 1 : index + 2] for index, state in enumerate(asked) if state == "CHECK_STATUS"]
    assert around == [["CHECK_VALIDITY", "CHECK_STATUS", "CHECK_ISSUER_NAME"]] * 2


def test_issuer_that_issued_itself_skips_name_constraints_and_path_length() -> None:
    path = (*PATH, *BASIC, *SELF_ISSUED, *BASIC, *ISSUER, *BASIC, *LEAF)
    assert states_after(*path) == {"ACCEPTED"}
    asked = asked_for(*path)
    assert asked.count("CHECK_SUBTREES") == 2
    assert asked.count("CHECK_PATH_LENGTH") == 1


def test_leaf_that_issued_itself_does_not_skip_name_constraints() -> None:
    itself = (c.IssuerName.symbol(c.leaf, c.self_issued), *LEAF[1:])
    assert "CHECK_SUBTREES" in asked_for(*PATH, *BASIC, *itself)
    assert states_after(*PATH, *BASIC, *itself) == {"ACCEPTED"}


def test_issuers_are_not_asked_for_the_name_and_the_leaf_not_for_basic_constraints() -> None:
    oracle = Oracle(certificate)
    oracle.call(c.validate)
    for answer in (*PATH, *BASIC, *LEAF[:3]):
        oracle.receive(answer)
    assert oracle.receive(c.BasicConstraints.symbol(c.issuer_not_ca)) == ()
    assert oracle.state_text == "CHECK_LEAF_EXTENSIONS"
    oracle.release()


# ------------------------------------------------------------------------------------------------------ the alerts

CERTIFICATE_EXPIRED = {c.expired, c.not_yet_valid}
UNKNOWN_CA = {c.untrusted_root, c.self_signed_leaf, c.missing_intermediate}
UNSUPPORTED = {c.leaf_key_usage, c.wrong_eku, c.issuer_eku, c.issuer_key_usage, c.any_purpose, c.no_purpose}
BAD = {c.bad_signature, c.malformed}


def own_alert(value: Value) -> Value:
    """The alert that the list of checks gives to a fault."""
    if value in CERTIFICATE_EXPIRED:
        return m.certificate_expired
    if value is c.revoked:
        return m.certificate_revoked
    if value in UNKNOWN_CA:
        return m.unknown_ca
    if value in UNSUPPORTED:
        return m.unsupported_certificate
    return m.bad_certificate if value in BAD else m.certificate_unknown


def refusals(role: Role) -> list[tuple[Row, Value, Abort]]:
    return [
        (row, guard, row.next)
        for row in role.rows
        if isinstance(row.next, Abort)
        for guard in row.pattern.guards
        if isinstance(guard, Value)
    ]


@pytest.mark.parametrize("role", [certificate, WEB], ids=[RFC5280, WEBPKI])
def test_our_own_alert_is_the_first_that_the_row_names(role: Role) -> None:
    assert {value for _, value, _ in refusals(role)} >= set(c.DEFECTS.values())
    for row, value, refusal in refusals(role):
        assert refusal.alerts[0] is own_alert(value), row.id


def test_any_of_the_six_alerts_is_right_where_rfc_5246_names_none() -> None:
    named = {*CERTIFICATE_EXPIRED, *UNKNOWN_CA, *BAD, c.revoked}
    for row, value, refusal in refusals(WEB):
        assert (set(refusal.alerts) >= set(m.CERTIFICATE_ALERTS)) is (value not in named), row.id


def test_alerts_are_those_that_the_tls_client_allows_for_the_same_defect() -> None:
    waiting = next(here for here in tls12_client.reachable if here.state is WAIT_CERTIFICATE)
    told = [(value, refusal) for _, value, refusal in refusals(certificate) if value in TO_CHAIN]
    assert {value for value, _ in told} == set(TO_CHAIN)
    for defect, refusal in told:
        answers = tls12_client.enabled(waiting, m.Certificate.symbol(TO_CHAIN[defect]))
        assert answers, f"the TLS client has no row for {TO_CHAIN[defect]}"
        allowed = {alert for answer in answers if isinstance(answer.next, Abort) for alert in answer.next.alerts}
        assert set(refusal.alerts) <= allowed, defect


def test_alert_that_a_row_demands_has_its_definition_among_the_clauses() -> None:
    for row, _, refusal in refusals(certificate):
        if row.level is Level.MUST and refusal.alerts[0] is not m.certificate_unknown:
            assert any(clause.rfc == 5246 and clause.section == "7.2.2" for clause in row.clauses), row.id


# ------------------------------------------------------------------------------------------------------ the readings


def test_readings_differ_in_what_the_rfc_leaves_open_and_in_nothing_else() -> None:
    """A row of one reading only is a choice under the RFC's: no MUST that the texts do not have is hidden there."""
    for row in certificate.sources:
        assert row.authority is not None
        if row.authority.reading == RFC5280:
            assert row.authority.level in (Level.MAY, Level.SHOULD), row.title
        elif row.authority.reading == WEBPKI:
            assert row.is_violation, row.title
    open_ = {
        guard
        for row in certificate.sources
        if row.authority and row.authority.reading
        for guard in row.pattern.guards
        if isinstance(guard, Value)
    }
    assert open_ == LEFT_OPEN | {c.any_purpose, c.no_purpose, c.policy_violation}


# ------------------------------------------------------------------------------------------------------ pictures


def test_label_of_a_row_is_the_answer() -> None:
    for row in certificate.rows:
        answer, then = label(row)
        start = row.states.members[0] is c.START
        assert answer.startswith("validate" if start else "no" if isinstance(row.next, Abort) else "yes")
        assert bool(then) is isinstance(row.next, Abort)
        assert isinstance(row.next, State | Abort)


def test_theory_of_operation_is_short() -> None:
    source = Path(c.__file__).with_name("certificate.py").read_text(encoding="utf-8")
    assert len(source.split('"""')[1].splitlines()) <= 40
