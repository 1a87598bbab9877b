"""The rules that bind CAs: each broken alone is refused in the readings that hold it, and nowhere else."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from shakeproof.impl.x509 import Defect, Reading, validate
from shakeproof.impl.x509.der import children, encode, signed_parts
from shakeproof.properties.chains import draft
from shakeproof.properties.mapper.certificates import key_usage, resign
from shakeproof.properties.mapper.keys import Owner
from tests.impl.x509_cases import HOST, TIME, Party, ca, judge, key_of, leaf, places, root, sans

BOTH = set(Reading)
WEB = {Reading.WEBPKI}
PLAIN = {Reading.RFC5280}
SERVER = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
SOMEWHERE = x509.AuthorityInformationAccess(
    [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://o.test"))]
)
ROOT_KEY_ID = x509.SubjectKeyIdentifier.from_public_key(key_of(Owner.ROOT).public_key())


def authority(**fields: object) -> x509.AuthorityKeyIdentifier:
    """An authorityKeyIdentifier of a root, right unless a field is given."""
    values: dict[str, object] = {
        "key_identifier": ROOT_KEY_ID.digest,
        "authority_cert_issuer": None,
        "authority_cert_serial_number": None,
    }
    return x509.AuthorityKeyIdentifier(**{**values, **fields})  # type: ignore[arg-type]


def bare_root(extension: x509.AuthorityKeyIdentifier) -> Party:
    """A root with this authorityKeyIdentifier and a matching subjectKeyIdentifier."""
    return root(identifiers=False, extensions=[(ROOT_KEY_ID, False), (extension, False)])


# Each: what is wrong, the parties from the trust anchor down, and the readings that refuse it.
CASES: list[tuple[str, list[Party], set[Reading]]] = [
    ("nothing", [root(), ca(), leaf()], set()),
    ("leaf without key identifiers", [root(), leaf(identifiers=False)], BOTH),
    ("CA without key identifiers", [root(), ca(identifiers=False), leaf()], BOTH),
    ("root without subjectKeyIdentifier", [root(identifiers=False), leaf()], BOTH),
    ("CA without keyUsage", [root(), ca(drop=[x509.KeyUsage]), leaf()], BOTH),
    (
        "basicConstraints of a CA not critical",
        [root(), ca(extensions=[(x509.BasicConstraints(ca=True, path_length=None), False)]), leaf()],
        BOTH,
    ),
    (
        "keyCertSign without cA",
        [root(), leaf(extensions=[(key_usage("digital_signature", "key_cert_sign"), True)])],
        BOTH,
    ),
    ("critical authorityInfoAccess", [root(), leaf(extensions=[(SOMEWHERE, True)])], BOTH),
    ("authorityInfoAccess", [root(), leaf(extensions=[(SOMEWHERE, False)])], set()),
    ("empty subject, critical subjectAltName", [root(), leaf("")], set()),
    ("empty subject", [root(), leaf("", extensions=[(sans(HOST), False)])], BOTH),
    ("CA with an empty subject", [root(), ca(""), leaf()], BOTH),
    (
        "policyConstraints not critical",
        [
            root(),
            ca(extensions=[(x509.PolicyConstraints(require_explicit_policy=None, inhibit_policy_mapping=1), False)]),
            leaf(),
        ],
        BOTH,
    ),
    ("inhibitAnyPolicy not critical", [root(), ca(extensions=[(x509.InhibitAnyPolicy(1), False)]), leaf()], BOTH),
    ("leaf without extendedKeyUsage", [root(), leaf(drop=[x509.ExtendedKeyUsage])], WEB),
    ("critical extendedKeyUsage", [root(), leaf(extensions=[(SERVER, True)])], WEB),
    ("root with extendedKeyUsage", [root(extensions=[(SERVER, False)]), leaf()], WEB),
    ("critical subjectAltName beside a subject", [root(), leaf(extensions=[(sans(HOST), True)])], WEB),
    ("common name in another case", [root(), leaf("WWW.Example.test")], WEB),
    ("common name in another alphabet", [root(), leaf("bücher.test", names=[HOST, "xn--bcher-kva.test"])], WEB),
    ("common name that is none of the names", [root(), leaf("somewhere.else.test")], set()),
    ("root that names its own key", [bare_root(authority()), leaf()], set()),
    ("root that names another key", [bare_root(authority(key_identifier=b"other")), leaf()], WEB),
    (
        "root that names an issuer and serial number",
        [
            bare_root(
                authority(
                    authority_cert_issuer=[x509.DNSName("issuer.test")],
                    authority_cert_serial_number=1,
                )
            ),
            leaf(),
        ],
        WEB,
    ),
    ("wildcard below a top level domain", [root(), leaf("*.test", names=[HOST, "*.test"])], set()),
]


@pytest.mark.parametrize("reading", Reading)
@pytest.mark.parametrize(("parties", "refused_by"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_rule_is_held_in_its_readings(parties: list[Party], refused_by: set[Reading], reading: Reading) -> None:
    result = judge(*parties, reading=reading)
    assert result.kinds <= {Defect.PROFILE, Defect.AKI_MISMATCH}
    assert result.accepted == (reading not in refused_by)


@pytest.mark.parametrize("parties", [case[1] for case in CASES if case[2] == BOTH])
def test_without_the_profile_only_path_validation_counts(parties: list[Party]) -> None:
    assert judge(*parties, with_profile=False).accepted


@pytest.mark.parametrize(
    ("octets", "refused"), [(b"\x00", True), (b"\x80", True), (b"\x7f" * 21, True), (b"\x7f" * 20, False)]
)
def test_a_serial_number_is_positive_and_has_at_most_20_octets(octets: bytes, refused: bool) -> None:
    top, end = root(), leaf(serial=0x1234)
    der = end.certificate(top, ca=False)
    changed = resign(der, top.key, (b"\x02\x02\x12\x34", b"\x02" + bytes([len(octets)]) + octets))
    result = validate([changed], [top.certificate()], TIME, HOST)
    assert result.kinds == ({Defect.BAD_SERIAL} if refused else set())


@pytest.mark.parametrize("common", ["0xC0000201", "192.000.002.001", "3221225985", "0xc0.0.2.1"])
def test_another_spelling_of_an_address_is_no_copy_of_it(common: str) -> None:
    end = leaf(common, names=[x509.IPAddress(ipaddress.ip_address("192.0.2.1"))])
    assert judge(root(), end, host="192.0.2.1").accepted
    assert judge(root(), end, host="192.0.2.1", reading=Reading.WEBPKI).kinds == {Defect.PROFILE}


# ------------------------------------------------------------------------------------------------ names and encodings


@pytest.mark.parametrize("presented", ["", "a..test", ".example.test", "exa mple.test", "example.test.", "-a.test"])
def test_a_dns_name_that_is_no_host_name_is_told(presented: str) -> None:
    assert places(judge(root(), leaf(names=[HOST, presented]))) == {(Defect.BAD_NAME_ENCODING, 0)}


@pytest.mark.parametrize("presented", ["nobody", "@example.test", "a@b@example.test", "a@exa mple.test"])
def test_a_mail_address_that_is_none_is_told(presented: str) -> None:
    end = leaf(names=[HOST, x509.RFC822Name._init_without_validation(presented)])
    assert (Defect.BAD_NAME_ENCODING, 0) in places(judge(root(), end))


@pytest.mark.parametrize(
    "presented",
    ["/path", "//host.test/", "http:", "http:///path", "http://exa mple.test/", "http://-a.test/", "http://h.test:x/",
     "http://[::1/", "http://192.0.2.1]/", "http://%68.test/", "1http://h.test/", "http://h.test/%zz"],
)  # fmt: skip
def test_a_uri_that_is_relative_or_has_no_host_is_told(presented: str) -> None:
    end = leaf(names=[HOST, x509.UniformResourceIdentifier(presented)])
    assert places(judge(root(), end)) == {(Defect.BAD_NAME_ENCODING, 0)}
    assert judge(root(), end, with_profile=False).accepted


@pytest.mark.parametrize(
    "presented",
    ["urn:example:a", "HTTP://h.test", "spiffe://domain/way", "ldap://[2001:db8::7]:389/c=GB?objectClass?one",
     "ftp://me@192.0.2.1/%7E", "sip:somebody@h.test"],
)  # fmt: skip
def test_a_uri_with_a_scheme_and_a_host_if_it_names_an_authority_is_accepted(presented: str) -> None:
    assert judge(root(), leaf(names=[HOST, x509.UniformResourceIdentifier(presented)])).accepted


@pytest.mark.parametrize("presented", ["192.0.2.0/24", "2001:db8::/32"])
def test_a_range_is_the_address_of_nobody(presented: str) -> None:
    place = x509.IPAddress(ipaddress.ip_network(presented))
    assert places(judge(root(), leaf(names=[HOST, place]))) == {(Defect.BAD_NAME_ENCODING, 0)}
    for permitted, excluded, defect in (
        ([place], None, Defect.NAME_NOT_PERMITTED),
        (None, [place], Defect.NAME_EXCLUDED),
    ):
        constrained = ca(extensions=[(x509.NameConstraints(permitted, excluded), True)])
        assert judge(root(), constrained, leaf(names=[HOST, place]), with_profile=False).kinds == {defect}


def test_names_that_are_unusual_and_right_are_accepted() -> None:
    names = [HOST, "under_score.test", "*.example.test", "xn--bcher-kva.test", x509.RFC822Name("a.b@example.test")]
    assert judge(root(), leaf(names=names)).accepted


def test_a_trust_anchor_may_have_the_serial_number_0() -> None:
    """Roots of the web do; as a trust anchor one is a name and a key."""
    top, end = root(), leaf()
    certificate = resign(top.certificate(), top.key, (bytes.fromhex("020107"), bytes.fromhex("020100")))
    assert validate([end.certificate(top, ca=False)], [certificate], TIME, HOST).accepted


def test_a_year_before_2050_is_encoded_as_utc_time() -> None:
    top, end = root(), leaf()
    der = end.certificate(top, ca=False)
    start = der.index(b"\x17\x0d20") - 2  # notBefore, behind the SEQUENCE and its length
    old = der[start : start + 32]
    new = b"\x30\x20" + old[2:17] + b"\x18\x0f20" + old[19:]
    result = validate([resign(der, top.key, (old, new))], [top.certificate()], TIME, HOST)
    assert places(result) == {(Defect.PROFILE, 0)}
    assert "4.1.2.5" in result.explanation


def test_another_key_identifier_than_the_issuers_is_told_in_the_reading_of_the_rfc() -> None:
    other = x509.AuthorityKeyIdentifier.from_issuer_public_key(key_of(Owner.NOBODY).public_key())
    own = x509.SubjectKeyIdentifier.from_public_key(key_of(Owner.LEAF).public_key())
    end = leaf(identifiers=False, extensions=[(other, False), (own, False)])
    assert places(judge(root(), end)) == {(Defect.AKI_MISMATCH, 0)}
    assert judge(root(), end, reading=Reading.WEBPKI).accepted
    assert judge(root(), end, with_profile=False).accepted


def test_a_certificate_policy_that_occurs_twice_is_told() -> None:
    policy = x509.PolicyInformation(x509.ObjectIdentifier("1.2.3"), None)
    end = leaf(extensions=[(x509.CertificatePolicies([policy, policy]), False)])
    assert places(judge(root(), end)) == {(Defect.PROFILE, 0)}


@pytest.mark.parametrize("oid", ["2.5.29.32", "2.5.29.31", "1.3.6.1.5.5.7.1.1", "1.3.6.1.5.5.7.1.11"])
def test_a_list_that_must_hold_something_and_is_empty_is_told(oid: str) -> None:
    empty = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), b"\x30\x00")
    for parties in ([root(), leaf(extensions=[(empty, False)])], [root(), ca(extensions=[(empty, False)]), leaf()]):
        result = judge(*parties)
        assert result.kinds == {Defect.PROFILE}
        assert "is empty" in result.explanation
        assert judge(*parties, with_profile=False).accepted


def test_a_path_length_needs_a_key_that_signs_certificates() -> None:
    """Of an issuer ISSUER_KEY_USAGE says so; a CA in the leaf's place issued nothing."""
    basic = (x509.BasicConstraints(ca=True, path_length=0), True)
    for bits, refused in ((("digital_signature",), True), (("digital_signature", "key_cert_sign"), False)):
        result = judge(root(), leaf(extensions=[basic, (key_usage(*bits), True)]))
        assert result.kinds == ({Defect.PROFILE} if refused else set())


@pytest.mark.parametrize("tag", [0x81, 0x82])
@pytest.mark.parametrize("version", [1, 3])
def test_unique_identifiers_are_told_and_have_no_place_in_version_1(tag: int, version: int) -> None:
    """RFC 5280 sections 4.1.2.8 and 4.1.2.1."""

    def add(octets: bytes) -> bytes:
        signed, algorithm, _ = signed_parts(octets)
        fields = [field.raw for field in children(signed.value) if field.tag < 0xA0]
        numbered = [encode(0xA0, encode(0x02, bytes([version - 1])))] if version > 1 else []
        extensions = [field.raw for field in children(signed.value) if field.tag == 0xA3 and version == 3]
        changed = encode(0x30, *numbered, *fields, encode(tag, b"\0\1"), *extensions)
        signature = draft.signature_of(key_of(Owner.ROOT), changed, "sha256")
        return encode(0x30, changed, algorithm.raw, encode(0x03, b"\0", signature))

    result = validate([add(leaf().certificate(root(), ca=False))], [root().certificate()], TIME, HOST)
    expected = {1: {Defect.BAD_VERSION, Defect.NO_SAN}, 3: set()}[version]
    assert result.kinds == {Defect.PROFILE, *expected}
    assert any("4.1.2.8" in found.clause for found in result.defects)
