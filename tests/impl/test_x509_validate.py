"""Whole validations: chains with every combination of defects, in any order, damaged, and judged by a planted fault."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509 import verification
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.impl.x509 import (
    Defect,
    Reading,
    Usage,
    Validator,
    Verifier,
    leaf_usage_fits,
    validate,
    verifier_for_tls,
)
from shakeproof.impl.x509.certificate import Certificate
from shakeproof.impl.x509.result import ALERT_PRIORITY
from shakeproof.properties.mapper.certificates import CertificateDefect, anchors, chain, observable
from shakeproof.properties.mapper.keys import KeyKind

TIME = datetime(2026, 6, 1, tzinfo=UTC)
NAME = "server.shakeproof.test"
KINDS: tuple[KeyKind, ...] = ("rsa", "ecdsa")
kinds = st.sampled_from(KINDS)
defect_sets = st.frozensets(st.sampled_from(CertificateDefect))

# What the validator must say of each defect of the factory, and with which alert (certificates.md, "Alerts").
EXPECTED = {
    CertificateDefect.EMPTY: (Defect.EMPTY, "bad_certificate"),
    CertificateDefect.MALFORMED: (Defect.MALFORMED, "bad_certificate"),
    CertificateDefect.EXPIRED: (Defect.EXPIRED, "certificate_expired"),
    CertificateDefect.NOT_YET_VALID: (Defect.NOT_YET_VALID, "certificate_expired"),
    CertificateDefect.WRONG_NAME: (Defect.WRONG_NAME, "certificate_unknown"),
    CertificateDefect.UNTRUSTED: (Defect.UNTRUSTED_ROOT, "unknown_ca"),
    CertificateDefect.BAD_SIGNATURE: (Defect.BAD_SIGNATURE, "bad_certificate"),
    CertificateDefect.ISSUER_NOT_CA: (Defect.ISSUER_NOT_CA, "certificate_unknown"),
    CertificateDefect.ISSUER_EXPIRED: (Defect.ISSUER_EXPIRED, "certificate_expired"),
    CertificateDefect.WRONG_KEY_USAGE: (Defect.LEAF_KEY_USAGE, "unsupported_certificate"),
    CertificateDefect.SELF_SIGNED_LEAF: (Defect.SELF_SIGNED_LEAF, "unknown_ca"),
    CertificateDefect.MISSING_INTERMEDIATE: (Defect.MISSING_INTERMEDIATE, "unknown_ca"),
    CertificateDefect.PATHLEN_EXCEEDED: (Defect.PATHLEN_EXCEEDED, "certificate_unknown"),
    CertificateDefect.WRONG_PURPOSE: (Defect.WRONG_EKU, "unsupported_certificate"),
    CertificateDefect.NAME_EXCLUDED: (Defect.NAME_EXCLUDED, "certificate_unknown"),
    CertificateDefect.UNKNOWN_CRITICAL: (Defect.UNKNOWN_CRITICAL, "certificate_unknown"),
    CertificateDefect.NO_SAN: (Defect.NO_SAN, "certificate_unknown"),
    CertificateDefect.WEAK_HASH: (Defect.WEAK_HASH, "certificate_unknown"),
}


def test_every_defect_of_the_factory_has_an_expectation() -> None:
    assert set(EXPECTED) == set(CertificateDefect)


@given(kinds, defect_sets, st.sampled_from(Reading))
def test_every_combination_of_defects_is_found_whole(
    kind: KeyKind, defects: frozenset[CertificateDefect], reading: Reading
) -> None:
    made = chain(kind, defects)
    result = validate(made.der, made.anchors, TIME, made.name, reading=reading)
    wanted = {EXPECTED[defect][0] for defect in observable(defects)}
    assert result.kinds == wanted
    assert result.accepted == (not wanted)
    alerts = {EXPECTED[defect][1] for defect in observable(defects)}
    assert result.alert == next((alert for alert in ALERT_PRIORITY if alert in alerts), "")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("defect", CertificateDefect)
def test_a_single_defect_names_its_certificate_and_clause(defect: CertificateDefect, kind: KeyKind) -> None:
    made = chain(kind, frozenset({defect}))
    (found,) = validate(made.der, made.anchors, TIME, made.name).defects
    assert found.defect is EXPECTED[defect][0]
    issuer = defect in (
        CertificateDefect.UNTRUSTED,
        CertificateDefect.ISSUER_NOT_CA,
        CertificateDefect.ISSUER_EXPIRED,
        CertificateDefect.PATHLEN_EXCEEDED,
    )
    assert found.certificate_index == (None if defect is CertificateDefect.EMPTY else int(issuer))
    assert found.clause.startswith("RFC ")
    assert found.explanation


def test_an_accepted_chain_tells_its_path_and_its_checks_in_order() -> None:
    made = chain("rsa")
    result = validate(made.der, made.anchors, TIME, made.name)
    assert result.accepted
    assert result.alert == ""
    assert result.path == (*made.der, made.anchors[0])
    assert all(check.passed for check in result.checks)
    texts = [check.text for check in result.checks]
    assert texts[0] == "chain leads to a trust anchor: root RSA"
    assert texts[-1] == f"name matches {NAME}"
    assert "not expired: 2020-01-01 to 2049-12-31" in texts


def test_a_failed_check_carries_its_reason() -> None:
    made = chain("rsa", frozenset({CertificateDefect.EXPIRED}))
    checks = {check.name: check for check in validate(made.der, made.anchors, TIME, made.name).checks}
    assert not checks["validity"].passed
    assert checks["validity"].text == f"{NAME} expired on 2021-01-01 00:00:00 UTC"
    assert checks["name"].passed


# ------------------------------------------------------------------------------------------- what must not matter


def strangers() -> list[bytes]:
    """Certificates that have nothing to do with the RSA chain, one that looks as if, and what is none at all."""
    others = [
        *chain("ecdsa").der,
        *chain("rsa", frozenset({CertificateDefect.UNTRUSTED})).der,
        chain("rsa", frozenset({CertificateDefect.ISSUER_EXPIRED})).der[1],
        chain("rsa", frozenset({CertificateDefect.ISSUER_NOT_CA})).der[1],
        *anchors(),
    ]
    return [*others, b"", b"\x30\x00", b"no certificate"]


@given(
    defects=st.frozensets(st.sampled_from([CertificateDefect.EXPIRED, CertificateDefect.WRONG_NAME])),
    extra=st.lists(st.sampled_from(strangers())),
    data=st.data(),
)
def test_order_duplicates_and_strangers_never_change_the_verdict(
    defects: frozenset[CertificateDefect], extra: list[bytes], data: st.DataObject
) -> None:
    made = chain("rsa", defects)
    rest = data.draw(st.permutations([*made.der[1:], *made.der[1:], *extra]))
    plain = validate(made.der, made.anchors, TIME, made.name)
    mixed = validate([made.der[0], *rest], made.anchors, TIME, made.name)
    assert mixed.accepted == plain.accepted
    assert {(item.defect, item.certificate_index) for item in mixed.defects if item.certificate_index is not None} == {
        (item.defect, item.certificate_index) for item in plain.defects
    }


@given(data=st.data(), kind=kinds, place=st.sampled_from([0, 1]))
def test_damaged_bytes_are_refused_and_never_raise(data: st.DataObject, kind: KeyKind, place: int) -> None:
    made = chain(kind)
    damaged = bytearray(made.der[place])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    sent = list(made.der)
    sent[place] = bytes(damaged)
    result = validate(sent, made.anchors, TIME, made.name)
    assert result.accepted == (tuple(sent) == made.der)
    assert result.accepted or result.alert in ALERT_PRIORITY


@given(st.lists(st.binary(max_size=64), max_size=4))
def test_bytes_that_are_no_certificates_are_refused_and_never_raise(sent: list[bytes]) -> None:
    result = validate(sent, anchors(), TIME, NAME)
    assert result.kinds == {Defect.MALFORMED if sent else Defect.EMPTY}


def test_truncation_at_every_octet_is_refused() -> None:
    made = chain("ecdsa")
    for length in range(len(made.der[0])):
        result = validate([made.der[0][:length], made.der[1]], made.anchors, TIME, NAME)
        assert result.kinds == {Defect.MALFORMED}


def test_an_unreadable_anchor_is_ignored() -> None:
    made = chain("rsa")
    assert validate(made.der, [b"garbage", *made.anchors], TIME, NAME).accepted
    assert validate(made.der, [b"garbage"], TIME, NAME).kinds == {Defect.UNTRUSTED_ROOT}


def test_without_anchors_nothing_is_accepted() -> None:
    assert not validate(chain("rsa").der, [], TIME, NAME).accepted


def test_a_leaf_without_its_intermediate_is_told_apart_from_an_unknown_root() -> None:
    made = chain("rsa")
    result = validate(made.der[:1], made.anchors, TIME, NAME)
    assert result.kinds == {Defect.MISSING_INTERMEDIATE}
    assert result.alert == "unknown_ca"


def test_a_naive_time_is_the_callers_error() -> None:
    made = chain("rsa")
    with pytest.raises(ValueError, match="expected an aware time"):
        validate(made.der, made.anchors, datetime(2026, 6, 1), NAME)


# -------------------------------------------------------------------------------------------------- an outside opinion


@given(kinds, defect_sets.map(lambda defects: defects - {CertificateDefect.WRONG_KEY_USAGE}))
def test_the_verdict_is_that_of_cryptography(kind: KeyKind, defects: frozenset[CertificateDefect]) -> None:
    """Without WRONG_KEY_USAGE, which cryptography does not look at."""
    made = chain(kind, defects)
    ours = validate(made.der, made.anchors, TIME, made.name).accepted
    assert ours == accepted_by_cryptography(made.der, made.anchors, made.name)


def accepted_by_cryptography(der: tuple[bytes, ...], roots: tuple[bytes, ...], name: str) -> bool:
    store = verification.Store([x509.load_der_x509_certificate(item) for item in roots])
    verifier = verification.PolicyBuilder().store(store).time(TIME).build_server_verifier(x509.DNSName(name))
    try:
        leaf, *rest = [x509.load_der_x509_certificate(item) for item in der]
        verifier.verify(leaf, rest)
    except (ValueError, verification.VerificationError):
        return False
    return True


# ------------------------------------------------------------------------------------------------- validator instances


class NoClock(Verifier):
    """The planted fault of the rogue `expired-certificate`."""

    def check_validity(self, certificate: Certificate, index: int) -> None:
        """Looks at no clock."""


def test_a_fault_planted_on_one_validator_stays_there() -> None:
    made = chain("rsa", frozenset({CertificateDefect.EXPIRED}))
    faulty, sound = Validator(made.anchors), Validator(made.anchors)
    faulty.verifier_class = NoClock
    assert faulty.validate(made.der, TIME, NAME).accepted
    assert sound.validate(made.der, TIME, NAME).kinds == {Defect.EXPIRED}
    assert "validity" not in {check.name for check in faulty.validate(made.der, TIME, NAME).checks}


@pytest.mark.parametrize(
    ("method", "defect"),
    [
        ("check_anchor", CertificateDefect.UNTRUSTED),
        ("check_signature", CertificateDefect.BAD_SIGNATURE),
        ("check_validity", CertificateDefect.NOT_YET_VALID),
        ("check_validity", CertificateDefect.ISSUER_EXPIRED),
        ("check_basic_constraints", CertificateDefect.ISSUER_NOT_CA),
        ("check_leaf_key_usage", CertificateDefect.WRONG_KEY_USAGE),
        ("check_name", CertificateDefect.WRONG_NAME),
    ],
)
def test_each_check_is_the_only_one_that_finds_its_defect(method: str, defect: CertificateDefect) -> None:
    """So that a rogue that overrides it has exactly that fault."""
    faulty_class = type("Faulty", (Verifier,), {method: lambda self, *args, **kwargs: None})
    made = chain("rsa", frozenset({defect}))
    validator = Validator(made.anchors)
    assert not validator.validate(made.der, TIME, NAME).accepted
    validator.verifier_class = faulty_class
    assert validator.validate(made.der, TIME, NAME).accepted


def test_no_verdict_is_remembered() -> None:
    made = chain("rsa")
    validator = Validator(made.anchors)
    assert validator.validate(made.der, TIME, NAME).accepted
    assert not validator.validate(made.der, TIME + timedelta(days=365 * 40), NAME).accepted
    assert not validator.validate(made.der, TIME, "other.test").accepted
    assert validator.validate(made.der, TIME, NAME).accepted


def test_verifier_for_tls_takes_what_a_client_gives() -> None:
    made = chain("ecdsa")
    verify = verifier_for_tls(Validator(made.anchors))
    assert verify(made.der, NAME, TIME).accepted
    assert verify(made.der, "other.test", TIME).alert == "certificate_unknown"


def test_the_purpose_that_is_asked_for_decides() -> None:
    made = chain("rsa")
    assert validate(made.der, made.anchors, TIME, NAME, usage=None).accepted
    refused = validate(made.der, made.anchors, TIME, NAME, usage=Usage.CLIENT_AUTH)
    assert refused.kinds == {Defect.WRONG_EKU}
    assert refused.alert == "unsupported_certificate"


@pytest.mark.parametrize(
    ("kind", "defects", "rsa", "ecdhe"),
    [
        ("rsa", frozenset[CertificateDefect](), True, True),
        ("ecdsa", frozenset[CertificateDefect](), False, True),
        ("rsa", frozenset({CertificateDefect.WRONG_KEY_USAGE}), False, False),
        ("rsa", frozenset({CertificateDefect.MALFORMED}), False, False),
    ],
)
def test_leaf_usage_fits_the_key_exchange_that_its_bits_allow(
    kind: KeyKind, defects: frozenset[CertificateDefect], rsa: bool, ecdhe: bool
) -> None:
    leaf = chain(kind, defects).der[0]
    assert leaf_usage_fits(leaf, "rsa") is rsa
    assert leaf_usage_fits(leaf, "ecdhe") is ecdhe


def test_any_flipped_bit_of_the_only_path_is_a_defect() -> None:
    """Each octet of both certificates, one bit of each; the encodings that decoders forgive are among them."""
    made = chain("ecdsa")
    accepted = []
    for place, der in enumerate(made.der):
        for index in range(len(der)):
            damaged = list(made.der)
            damaged[place] = der[:index] + bytes([der[index] ^ (1 << index % 8)]) + der[index + 1 :]
            if validate(damaged, made.anchors, TIME, made.name).accepted:
                accepted.append((place, index))
    assert accepted == []


@pytest.mark.parametrize("unused", range(1, 8))
def test_a_signature_has_no_unused_bits(unused: int) -> None:
    """The signature is the same with them, where its last bits are zero; the certificate is another (X.690 8.6.2)."""
    made = chain("ecdsa")
    leaf_der = made.der[0]
    place = next(index for index in range(len(leaf_der) - 60, 0, -1) if leaf_der[index : index + 2] == b"\x00\x30")
    assert leaf_der[place - 2] == 0x03
    damaged = leaf_der[:place] + bytes([unused]) + leaf_der[place + 1 :]
    result = validate([damaged, *made.der[1:]], made.anchors, TIME, made.name)
    assert result.kinds == {Defect.MALFORMED}
