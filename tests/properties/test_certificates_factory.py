"""The certificate factory: chains with chosen defects, the classifier that reads them back, and what OpenSSL says."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.properties.mapper import certificates
from shakeproof.properties.mapper.certificates import CertificateDefect, Chain, chain, observable
from shakeproof.properties.mapper.keys import KeyKind, Owner, private_key
from shakeproof.properties.mapper.read_certificates import classify

TIME = datetime(2026, 6, 1, tzinfo=UTC)
KINDS: tuple[KeyKind, ...] = ("rsa", "ecdsa")
HIDING = {CertificateDefect.EMPTY, CertificateDefect.MALFORMED}
kinds = st.sampled_from(KINDS)
defect_sets = st.frozensets(st.sampled_from(CertificateDefect))
# Sampled apart: an empty or malformed chain hides everything else and would leave few sets with something to tell.
readable_defect_sets = st.frozensets(st.sampled_from(sorted(set(CertificateDefect) - HIDING, key=lambda d: d.name)))


def seen(made: Chain) -> frozenset[CertificateDefect]:
    return classify(made.der, TIME, made.name, made.anchors)


@given(kinds, defect_sets | readable_defect_sets)
def test_classify_gives_back_every_set_of_defects_that_can_be_observed(
    kind: KeyKind, defects: frozenset[CertificateDefect]
) -> None:
    assert seen(chain(kind, defects)) == observable(defects)


@pytest.mark.parametrize("kind", KINDS)
def test_every_single_defect_is_seen_alone(kind: KeyKind) -> None:
    for defect in CertificateDefect:
        assert seen(chain(kind, frozenset({defect}))) == {defect}
    assert seen(chain(kind)) == frozenset()


@given(kinds, st.sampled_from(["localhost", "a.b.example", "192.0.2.1", "192.0.2.66", "::1"]))
def test_a_chain_is_for_its_name_and_for_no_other(kind: KeyKind, name: str) -> None:
    assert seen(chain(kind, name=name)) == frozenset()
    assert seen(chain(kind, frozenset({CertificateDefect.WRONG_NAME}), name)) == {CertificateDefect.WRONG_NAME}
    made = chain(kind, name=name)
    assert classify(made.der, TIME, certificates.SERVER_NAME, made.anchors) == {CertificateDefect.WRONG_NAME}


@given(st.data(), kinds)
def test_classify_of_damaged_bytes_never_raises(data: st.DataObject, kind: KeyKind) -> None:
    made = chain(kind)
    damaged = bytearray(made.der[0])
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    verdict = classify([bytes(damaged), made.der[1]], TIME, made.name, made.anchors)
    if bytes(damaged) != made.der[0]:
        assert verdict, "a damaged certificate has at least a bad signature"


def test_time_decides_between_valid_and_expired() -> None:
    made = chain("rsa")
    last = certificates.NOT_AFTER
    assert classify(made.der, last, made.name, made.anchors) == frozenset()
    assert classify(made.der, last.replace(second=1), made.name, made.anchors) == {
        CertificateDefect.EXPIRED,
        CertificateDefect.ISSUER_EXPIRED,
    }


def test_a_chain_with_its_trust_anchor_appended_is_still_sound() -> None:
    made = chain("rsa")
    assert classify([*made.der, made.anchors[0]], TIME, made.name, made.anchors) == frozenset()


def test_a_chain_under_strange_anchors_is_untrusted() -> None:
    made = chain("rsa")
    assert classify(made.der, TIME, made.name, [made.anchors[1]]) == {CertificateDefect.UNTRUSTED}


def test_both_ends_of_an_inverted_validity_are_seen() -> None:
    both = frozenset({CertificateDefect.EXPIRED, CertificateDefect.NOT_YET_VALID})
    assert seen(chain("ecdsa", both)) == both


# What every machine must make of the fixed keys, serial numbers, dates and nonces. A change here changes the bytes of
# every saved finding.
GOLDEN = {
    "rsa": "9dae269c1c0afeae1c43d530f067e90f417fa7cb2ec3780b23515d926807af79",
    "ecdsa": "ec1eeffe841d85440e043740edf3f433ff998e3cb8dfdc71cf6b5621cc610d9e",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_of_a_chain_are_fixed(kind: KeyKind) -> None:
    chain.cache_clear()
    assert hashlib.sha256(b"".join(chain(kind).der)).hexdigest() == GOLDEN[kind]


def test_every_owner_has_keys_of_its_own() -> None:
    numbers = {private_key(kind, owner).public_key().public_numbers() for kind in KINDS for owner in Owner}
    assert len(numbers) == len(KINDS) * len(Owner)


@pytest.mark.parametrize("kind", KINDS)
def test_the_private_key_belongs_to_the_leaf(kind: KeyKind) -> None:
    for defects in (frozenset[CertificateDefect](), frozenset({CertificateDefect.UNTRUSTED})):
        made = chain(kind, defects)
        leaf = ssl.DER_cert_to_PEM_cert(made.der[0])
        assert made.pem.startswith(leaf[:60])
        assert made.private_key.public_key() == x509.load_der_x509_certificate(made.der[0]).public_key()


def test_resign_refuses_what_is_not_there_once() -> None:
    made = chain("rsa")
    key = private_key("rsa", Owner.INTERMEDIATE)
    with pytest.raises(ValueError, match="once in the signed part, got it 2 times"):
        certificates.resign(made.der[0], key, (b"shakeproof test", b"shakeproof rest"))


def test_key_usage_refuses_an_unknown_bit_and_says_which_exist() -> None:
    with pytest.raises(ValueError, match="no such key usage: keyCertSign; expected among digital_signature"):
        certificates.key_usage("keyCertSign")


# ----------------------------------------------------------------------------------------------------- OpenSSL's answer


def openssl_client_says(made: Chain, folder: Path) -> str:
    """ "accepted", or OpenSSL's reason, from a TLS 1.2 handshake of Python's ssl module in memory."""
    (folder / "chain.pem").write_text(made.pem)
    (folder / "key.pem").write_text(made.private_key_pem)
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(folder / "chain.pem", folder / "key.pem")
    client_context = ssl.create_default_context(cadata=certificates.anchors_pem())
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    client_context.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    client = client_context.wrap_bio(to_client, to_server, server_hostname=made.name)
    finished = set()
    for _ in range(10):
        for end in (client, server):
            try:
                end.do_handshake()
                finished.add(end)
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLCertVerificationError as error:
                return error.verify_message
            except ssl.SSLError as error:
                return error.reason
        if len(finished) == 2:
            return "accepted"
    raise AssertionError("the handshake neither finished nor failed within ten turns")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", [certificates.SERVER_NAME, "127.0.0.1"])
def test_openssl_in_strict_mode_accepts_a_sound_chain(kind: KeyKind, name: str, tmp_path: Path) -> None:
    assert openssl_client_says(chain(kind, name=name), tmp_path) == "accepted"


OPENSSL_REASONS = {
    CertificateDefect.EXPIRED: "certificate has expired",
    CertificateDefect.NOT_YET_VALID: "certificate is not yet valid",
    CertificateDefect.WRONG_NAME: "Hostname mismatch",
    CertificateDefect.UNTRUSTED: "unable to get local issuer certificate",
    CertificateDefect.BAD_SIGNATURE: "certificate signature failure",
    CertificateDefect.ISSUER_NOT_CA: "invalid CA certificate",
    CertificateDefect.ISSUER_EXPIRED: "certificate has expired",
    CertificateDefect.WRONG_KEY_USAGE: "certificate purpose",  # unsuitable or, by version, unsupported
    CertificateDefect.SELF_SIGNED_LEAF: "self",  # self-signed or, by version, self signed certificate
    CertificateDefect.MISSING_INTERMEDIATE: "unable to get local issuer certificate",
    CertificateDefect.PATHLEN_EXCEEDED: "path length constraint exceeded",
    CertificateDefect.WRONG_PURPOSE: "certificate purpose",
    CertificateDefect.NAME_EXCLUDED: "excluded subtree violation",
    CertificateDefect.UNKNOWN_CRITICAL: "unhandled critical extension",
}


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_reads_the_common_name_as_a_last_resort(kind: KeyKind, tmp_path: Path) -> None:
    assert openssl_client_says(chain(kind, frozenset({CertificateDefect.NO_SAN})), tmp_path) == "accepted"


@pytest.mark.parametrize("kind", KINDS)
def test_openssl_does_not_even_load_a_certificate_signed_with_sha1(kind: KeyKind, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)ca.md.too.weak"):
        openssl_client_says(chain(kind, frozenset({CertificateDefect.WEAK_HASH})), tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("defect", OPENSSL_REASONS)
def test_openssl_refuses_every_defect_for_its_own_reason(
    defect: CertificateDefect, kind: KeyKind, tmp_path: Path
) -> None:
    reason = openssl_client_says(chain(kind, frozenset({defect})), tmp_path)
    if defect is CertificateDefect.WRONG_KEY_USAGE and kind == "ecdsa":
        # OpenSSL's server does not even offer the key for signing, so its client never sees the certificate.
        assert reason == "NO_SHARED_CIPHER"
    else:
        assert OPENSSL_REASONS[defect] in reason
