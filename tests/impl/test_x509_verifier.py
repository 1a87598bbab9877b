"""RFC 5280 section 6.1, step by step: one deliberate flaw a test."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from shakeproof.impl.x509 import Defect, Reading, Usage, validate
from shakeproof.impl.x509.result import ALERT_PRIORITY
from shakeproof.properties.mapper.certificates import NOT_AFTER, NOT_BEFORE, flip_signature, issue, key_usage, resign
from shakeproof.properties.mapper.keys import Owner, private_key
from tests.impl.x509_cases import HOST, TIME, ca, judge, leaf, name, places, root, sans

UNKNOWN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.55738.666.1"), b"\x05\x00")


def test_root_intermediate_leaf_is_accepted_in_both_readings() -> None:
    for reading in Reading:
        assert judge(root(), ca(), leaf(), reading=reading).accepted


def test_root_leaf_is_accepted() -> None:
    assert judge(root(), leaf()).accepted


# ------------------------------------------------------------------------------------------------------- 6.1.3 (a)(1)


def test_signature_of_the_intermediate_is_checked_too() -> None:
    top, middle, end = root(), ca(), leaf()
    sent = [end.certificate(middle, ca=False), flip_signature(middle.certificate(top))]
    assert places(validate(sent, [top.certificate()], TIME, HOST)) == {(Defect.BAD_SIGNATURE, 1)}


def test_signature_of_the_trust_anchor_proves_nothing_and_is_not_checked() -> None:
    top, end = root(), leaf()
    assert validate([end.certificate(top, ca=False)], [flip_signature(top.certificate())], TIME, HOST).accepted


def test_a_ca_of_the_same_name_with_another_key_is_not_the_issuer() -> None:
    top, fake, end = root(), root(), leaf()
    fake.owner = Owner.ATTACKER_ROOT
    result = validate([end.certificate(fake, ca=False)], [top.certificate()], TIME, HOST)
    assert result.kinds == {Defect.MISSING_INTERMEDIATE}
    assert result.alert == "unknown_ca"


def test_the_signed_part_must_name_the_same_algorithm_as_the_outside() -> None:
    top, end = root(), leaf()
    der = end.certificate(top, ca=False)
    sha256, sha384 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040303")
    place = der.rindex(sha256)
    result = validate([der[:place] + sha384 + der[place + len(sha256) :]], [top.certificate()], TIME, HOST)
    assert Defect.SIGNATURE_ALGORITHM_MISMATCH in result.kinds


# ------------------------------------------------------------------------------------------------------- 6.1.3 (a)(2)


@pytest.mark.parametrize(
    ("offset", "defect"),
    [
        (timedelta(seconds=-1), Defect.NOT_YET_VALID),
        (timedelta(microseconds=-1), Defect.NOT_YET_VALID),
        (timedelta(0), None),
    ],
)
def test_not_before_is_included(offset: timedelta, defect: Defect | None) -> None:
    start = NOT_BEFORE + timedelta(days=365)
    assert judge(root(), leaf(not_before=start), time=start + offset).kinds == ({defect} if defect else set())


@pytest.mark.parametrize(
    ("offset", "defect"),
    [
        (timedelta(0), None),
        (timedelta(microseconds=999_999), None),
        (timedelta(seconds=1), Defect.EXPIRED),
    ],
)
def test_not_after_is_included_to_the_end_of_its_second(offset: timedelta, defect: Defect | None) -> None:
    end = NOT_AFTER - timedelta(days=365)
    assert judge(root(), leaf(not_after=end), time=end + offset).kinds == ({defect} if defect else set())


def test_validity_of_every_certificate_counts_that_of_the_trust_anchor_too() -> None:
    old, young = TIME - timedelta(days=1), TIME + timedelta(days=1)
    assert places(judge(root(not_after=old), ca(), leaf())) == {(Defect.ISSUER_EXPIRED, 2)}
    assert places(judge(root(), ca(not_before=young), leaf())) == {(Defect.ISSUER_NOT_YET_VALID, 1)}
    assert places(judge(root(not_before=young), ca(not_after=old), leaf(not_after=old))) == {
        (Defect.ISSUER_NOT_YET_VALID, 2),
        (Defect.ISSUER_EXPIRED, 1),
        (Defect.EXPIRED, 0),
    }


# -------------------------------------------------------------------------------------------------------- 6.1.4 (k)(n)


def test_an_issuer_without_basic_constraints_is_no_ca() -> None:
    middle = ca(drop=[x509.BasicConstraints], extensions=[(key_usage("digital_signature"), True)])
    assert places(judge(root(), middle, leaf())) == {(Defect.ISSUER_NOT_CA, 1), (Defect.ISSUER_KEY_USAGE, 1)}


def test_an_ordinary_leaf_cannot_issue() -> None:
    """CVE-2002-0862: any holder of a certificate was a CA."""
    middle = ca(
        extensions=[(x509.BasicConstraints(ca=False, path_length=None), True), (key_usage("digital_signature"), True)]
    )
    assert Defect.ISSUER_NOT_CA in judge(root(), middle, leaf()).kinds


def test_a_trust_anchor_that_is_no_ca_is_refused() -> None:
    top = root(extensions=[(x509.BasicConstraints(ca=False, path_length=None), True)], drop=[x509.KeyUsage])
    assert places(judge(top, leaf())) == {(Defect.ISSUER_NOT_CA, 1)}


def test_a_ca_without_key_cert_sign_cannot_issue() -> None:
    result = judge(root(), ca(extensions=[(key_usage("crl_sign"), True)]), leaf())
    assert places(result) == {(Defect.ISSUER_KEY_USAGE, 1)}
    assert result.alert == "unsupported_certificate"


def test_a_ca_may_be_a_leaf_but_not_on_the_web() -> None:
    """RFC 5280 section 4.2.1.9: "Usually, the last certificate is an end entity certificate, but it can be a CA"."""
    end = leaf(
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (key_usage("digital_signature", "key_cert_sign"), True),
        ]
    )
    assert judge(root(), end).accepted
    assert judge(root(), end, reading=Reading.WEBPKI).kinds == {Defect.LEAF_IS_CA}


# -------------------------------------------------------------------------------------------------------- 6.1.4 (l)(m)


@pytest.mark.parametrize(
    ("top", "middle", "defects"),
    [
        (None, None, set()),
        (2, None, set()),
        (1, None, {(Defect.PATHLEN_EXCEEDED, 1)}),
        (None, 1, set()),
        (None, 0, {(Defect.PATHLEN_EXCEEDED, 1)}),
        (0, None, {(Defect.PATHLEN_EXCEEDED, 1), (Defect.PATHLEN_EXCEEDED, 2)}),
        (1, 5, {(Defect.PATHLEN_EXCEEDED, 1)}),
    ],
)
def test_path_length_binds_all_below_it_and_nobody_can_raise_it(
    top: int | None, middle: int | None, defects: set[tuple[Defect, int]]
) -> None:
    second = ca("Second", Owner.ATTACKER_INTERMEDIATE)
    assert places(judge(root(path_length=top), ca(path_length=middle), second, leaf())) == defects


def test_path_length_zero_allows_a_leaf() -> None:
    assert judge(root(path_length=0), leaf()).accepted
    assert judge(root(), ca(path_length=0), leaf()).accepted


def test_self_issued_certificates_do_not_count_against_the_path_length() -> None:
    again = ca(owner=Owner.ATTACKER_INTERMEDIATE)
    assert judge(root(path_length=1), ca(path_length=0), again, leaf()).accepted


def test_the_caller_may_limit_the_intermediates() -> None:
    assert judge(root(), ca(), leaf(), max_intermediates=1).accepted
    assert places(judge(root(), ca(), leaf(), max_intermediates=0)) == {(Defect.PATHLEN_EXCEEDED, 1)}


# ------------------------------------------------------------------------------------------------------------ purposes


def purposes(*oids: x509.ObjectIdentifier) -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.ExtendedKeyUsage(oids), False)]


def test_a_clients_certificate_is_no_servers() -> None:
    result = judge(root(), leaf(extensions=purposes(ExtendedKeyUsageOID.CLIENT_AUTH)))
    assert places(result) == {(Defect.WRONG_EKU, 0)}
    assert result.alert == "unsupported_certificate"


def test_any_purpose_serves_but_not_on_the_web() -> None:
    end = leaf(extensions=purposes(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE))
    assert judge(root(), end).accepted
    assert judge(root(), end, reading=Reading.WEBPKI).kinds == {Defect.WRONG_EKU, Defect.PROFILE}


def test_without_extended_key_usage_every_purpose_is_allowed_but_not_on_the_web() -> None:
    end = leaf(drop=[x509.ExtendedKeyUsage])
    assert judge(root(), end).accepted
    assert not judge(root(), end, reading=Reading.WEBPKI).accepted


def test_the_purposes_of_a_ca_bind_what_it_issues() -> None:
    assert judge(root(), ca(extensions=purposes(ExtendedKeyUsageOID.SERVER_AUTH)), leaf()).accepted
    middle = ca(extensions=purposes(ExtendedKeyUsageOID.EMAIL_PROTECTION))
    assert places(judge(root(), middle, leaf())) == {(Defect.ISSUER_EKU, 1)}


def test_a_client_is_validated_for_its_own_purpose() -> None:
    end = leaf(extensions=purposes(ExtendedKeyUsageOID.CLIENT_AUTH))
    assert judge(root(), end, usage=Usage.CLIENT_AUTH).accepted


def test_key_agreement_alone_serves_static_key_exchanges() -> None:
    assert judge(root(), leaf(extensions=[(key_usage("key_agreement"), True)])).accepted
    assert judge(root(), leaf(extensions=[(key_usage("data_encipherment"), True)])).kinds == {Defect.LEAF_KEY_USAGE}


# ---------------------------------------------------------------------------------------------------------- extensions


@pytest.mark.parametrize("index", [0, 1, 2])
def test_an_unknown_critical_extension_refuses_the_path(index: int) -> None:
    parties = [leaf(), ca(), root()]
    parties[index].extensions = [(UNKNOWN, True)]
    assert places(judge(*reversed(parties))) == {(Defect.UNKNOWN_CRITICAL, index)}


def test_an_unknown_extension_that_is_not_critical_is_ignored() -> None:
    assert judge(root(extensions=[(UNKNOWN, False)]), leaf(extensions=[(UNKNOWN, False)])).accepted


def test_a_duplicate_extension_is_named() -> None:
    top, end = root(), leaf(extensions=[(UNKNOWN, False)])
    der = end.certificate(top, ca=False)
    # The subject key identifier becomes a second authority key identifier.
    twice = resign(der, top.key, (bytes.fromhex("0603551d0e"), bytes.fromhex("0603551d23")))
    result = validate([twice], [top.certificate()], TIME, HOST)
    assert result.kinds == {Defect.DUPLICATE_EXTENSION}
    assert "2.5.29.35 occurs twice" in result.defects[0].explanation


def test_an_extension_that_cannot_be_parsed_is_malformed() -> None:
    broken = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.37"), b"\x04\x02hi")
    result = judge(root(), leaf(drop=[x509.ExtendedKeyUsage], extensions=[(broken, False)]))
    assert result.kinds == {Defect.MALFORMED}
    assert result.alert == "bad_certificate"


def test_extensions_go_with_version_3_alone() -> None:
    top, end = root(), leaf()
    der = end.certificate(top, ca=False)
    for version in (b"", bytes.fromhex("a003020101"), bytes.fromhex("a003020103")):
        old = resign(der, top.key, (bytes.fromhex("a003020102"), version))
        assert validate([old], [top.certificate()], TIME, HOST).kinds == {Defect.BAD_VERSION}


# ------------------------------------------------------------------------------------------------------------ strength


def test_a_weak_key_is_refused() -> None:
    top = root()
    for key in (
        rsa.generate_private_key(65537, 1024),
        ec.generate_private_key(ec.SECP192R1()),
    ):
        der = issue(
            subject=name(HOST),
            issuer=name("Root"),
            key=key,
            issuer_key=top.key,
            serial=9,
            extensions=[(sans(HOST), False)],
        )
        assert validate([der], [top.certificate()], TIME, HOST).kinds == {Defect.WEAK_KEY}


def test_two_defects_of_different_certificates_are_both_reported_with_the_gravest_alert() -> None:
    result = judge(
        root(),
        ca(extensions=[(key_usage("crl_sign"), True)]),
        leaf(not_after=TIME - timedelta(days=1)),
        host="other.test",
    )
    assert places(result) == {(Defect.ISSUER_KEY_USAGE, 1), (Defect.EXPIRED, 0), (Defect.WRONG_NAME, 0)}
    assert result.alert == "certificate_expired"


def test_every_defect_has_an_alert_that_has_a_rank() -> None:
    assert {defect.alert for defect in Defect} == set(ALERT_PRIORITY)
    assert len({defect.value for defect in Defect}) == len(Defect)


# ------------------------------------------------------------------------------------------------------- trust anchors


def test_a_leaf_that_is_itself_a_trust_anchor_is_accepted() -> None:
    der = leaf().certificate(ca=False)
    assert validate([der], [der], TIME, HOST).accepted
    assert validate([der], [der], TIME, "other.test").kinds == {Defect.WRONG_NAME}


def test_a_self_signed_leaf_that_is_no_trust_anchor_is_refused() -> None:
    der = leaf().certificate(ca=False)
    result = validate([der], [root().certificate()], TIME, HOST)
    assert result.kinds == {Defect.SELF_SIGNED_LEAF}
    assert result.alert == "unknown_ca"


def test_a_root_that_was_sent_is_not_trusted_for_that() -> None:
    top, end = root(), leaf()
    stranger = ca("Stranger", Owner.ATTACKER_ROOT)
    sent = [end.certificate(stranger, ca=False), stranger.certificate()]
    assert validate(sent, [top.certificate()], TIME, HOST).kinds == {Defect.UNTRUSTED_ROOT}


def test_rsa_and_ecdsa_may_meet_in_one_chain() -> None:
    top = root()
    der = issue(
        subject=name(HOST),
        issuer=name("Root"),
        key=private_key("rsa", Owner.LEAF),
        issuer_key=top.key,
        serial=9,
        extensions=[(sans(HOST), False)],
    )
    assert validate([der], [top.certificate()], TIME, HOST).accepted


# --------------------------------------------------------------------------------------------------- keys and key usage


def test_a_key_that_brings_its_own_curve_is_refused_as_such() -> None:
    """CVE-2020-0601: parameters instead of the name of a curve. The numbers are P-256's own."""
    top, end = root(), leaf()
    der = end.certificate(top, ca=False)
    named = end.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point = named[-65:]
    prime, a, b, generator, order = (bytes.fromhex(number) for number in P256)

    def tlv(tag: int, *parts: bytes) -> bytes:
        body = b"".join(parts)
        size = len(body).to_bytes(1 if len(body) < 256 else 2, "big")
        return bytes([tag]) + (size if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body

    field = tlv(0x30, bytes.fromhex("06072a8648ce3d0101"), tlv(2, b"\0" + prime))
    curve = tlv(0x30, tlv(4, a), tlv(4, b))
    parameters = tlv(0x30, b"\x02\x01\x01", field, curve, tlv(4, generator), tlv(2, b"\0" + order), b"\x02\x01\x01")
    explicit = tlv(0x30, tlv(0x30, bytes.fromhex("06072a8648ce3d0201"), parameters), tlv(3, b"\0" + point))
    result = validate([resign(der, top.key, (named, explicit))], [top.certificate()], TIME, HOST)
    assert places(result) == {(Defect.EXPLICIT_CURVE, 0)}


P256 = (
    "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
    "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
    "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
    "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
)


@pytest.mark.parametrize(
    ("bits", "wanted", "fits"),
    [
        (("digital_signature",), {"digital_signature"}, True),
        (("digital_signature",), {"key_encipherment"}, False),
        (("digital_signature", "key_encipherment"), {"digital_signature", "key_encipherment"}, True),
        (("content_commitment",), set(), True),
    ],
)
def test_the_key_usage_that_is_asked_for_is_what_counts(bits: tuple[str, ...], wanted: set[str], fits: bool) -> None:
    result = judge(root(), leaf(extensions=[(key_usage(*bits), True)]), key_usage=frozenset(wanted))
    assert places(result) == (set() if fits else {(Defect.LEAF_KEY_USAGE, 0)})


def test_a_nul_in_the_subject_is_told() -> None:
    assert places(judge(root(), leaf("www.example.test\0.evil.test"))) == {(Defect.NUL_IN_NAME, 0)}


def test_a_name_of_a_client_is_a_mail_address() -> None:
    client = leaf(names=[x509.RFC822Name("Anna@example.test")])
    for name_, fits in (("Anna@EXAMPLE.test", True), ("anna@example.test", False), ("Anna@other.test", False)):
        result = judge(root(), client, host=name_)
        assert result.kinds == (frozenset() if fits else {Defect.WRONG_NAME})
    assert judge(root(), leaf(), host="Anna@example.test").kinds == {Defect.NO_SAN}
