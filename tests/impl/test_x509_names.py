"""RFC 9525 section 6: which presented identifier speaks for which reference identity."""

from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.impl.x509 import Defect, Reading
from shakeproof.impl.x509.names import match, read_reference
from tests.impl.x509_cases import judge, leaf, root, sans


def failures(reference: str, *presented: str | x509.GeneralName, reading: Reading = Reading.RFC5280) -> set[Defect]:
    """Why nothing matches; empty where something does."""
    outcome = match(read_reference(reference), sans(*presented) if presented else None, reading)
    assert (outcome.presented is None) == bool(outcome.failures)
    return {defect for defect, _ in outcome.failures}


def address(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("reference", "presented"),
    [
        ("example.test", "example.test"),
        ("EXAMPLE.test", "example.TEST"),
        ("example.test.", "example.test"),
        ("a.example.test", "*.example.test"),
        ("A.EXAMPLE.TEST", "*.example.test"),
        ("xn--bcher-kva.example.test", "*.example.test"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER.test", "XN--BCHER-KVA.test"),
        ("under_score.example.test", "under_score.example.test"),
        ("localhost", "localhost"),
    ],
)
def test_names_that_match(reference: str, presented: str) -> None:
    assert failures(reference, presented) == set()
    assert failures(reference, "other.test", presented) == set()


@pytest.mark.parametrize(
    ("reference", "presented"),
    [
        ("example.test", "www.example.test"),
        ("www.example.test", "example.test"),
        ("example.test", "*.example.test"),
        ("a.b.example.test", "*.example.test"),
        ("example.test", "example.test.evil.test"),
        ("example.testevil", "example.test"),
        ("example.test", ".example.test"),
        ("", "example.test"),
        ("a..b", "a..b"),
        ("exa mple.test", "exa mple.test"),
        ("bücher.test", "bcher.test"),
        ("b\u2603cher.test", "xn--bcher-kva.test"),
    ],
)
def test_names_that_do_not_match(reference: str, presented: str) -> None:
    assert failures(reference, presented) == {Defect.WRONG_NAME}


@pytest.mark.parametrize(
    ("reference", "presented"),
    [
        ("foo.example.test", "f*.example.test"),
        ("foo.example.test", "*o.example.test"),
        ("foo.example.test", "f*o.example.test"),
        ("www.foo.example.test", "www.*.example.test"),
        ("a.b.example.test", "*.*.example.test"),
        ("localhost", "*"),
        ("xn--bliss-1b3c148a.example.test", "xn--*-1b3c148a.example.test"),
        ("a.test", "**.test"),
    ],
)
def test_a_wildcard_is_the_whole_leftmost_label_or_nothing(reference: str, presented: str) -> None:
    assert failures(reference, presented) == {Defect.WRONG_NAME, Defect.BAD_WILDCARD}


def test_a_wildcard_below_a_top_level_domain_is_refused_on_the_web_alone() -> None:
    assert failures("example.test", "*.test") == set()
    assert failures("example.test", "*.test", reading=Reading.WEBPKI) == {Defect.WRONG_NAME, Defect.BAD_WILDCARD}


def test_a_bad_wildcard_does_not_spoil_a_name_that_matches() -> None:
    assert failures("example.test", "f*.example.test", "example.test") == set()


@pytest.mark.parametrize("reference", ["192.0.2.1", "2001:db8::1", "[2001:db8::1]", "2001:0db8:0::0001"])
def test_addresses_match_as_octets(reference: str) -> None:
    assert failures(reference, address("192.0.2.1"), address("2001:db8::1")) == set()


@pytest.mark.parametrize("spelling", ["192.0.2.1", "*.0.2.1", "*"])
def test_an_address_never_matches_a_dns_name_that_spells_it(spelling: str) -> None:
    assert failures("192.0.2.1", spelling) == {Defect.WRONG_NAME}


def test_a_host_name_never_matches_an_address() -> None:
    assert failures("example.test", address("192.0.2.1")) == {Defect.WRONG_NAME}


def test_without_a_name_of_a_server_there_is_no_match_and_no_common_name_stands_in() -> None:
    assert failures("example.test") == {Defect.NO_SAN}
    assert failures("example.test", x509.RFC822Name("someone@example.test")) == {Defect.NO_SAN}
    end = leaf(drop=[x509.SubjectAlternativeName])
    assert judge(root(), end).kinds == {Defect.NO_SAN}


def test_the_refusal_names_a_few_of_many_names() -> None:
    (defect, text), *_ = match(
        read_reference("x.test"), sans(*(f"h{number}.test" for number in range(99))), Reading.RFC5280
    ).failures
    assert defect is Defect.WRONG_NAME
    assert text.endswith("h3.test, h4.test and 94 more")


def test_a_nul_in_a_name_is_a_defect_of_its_own() -> None:
    """CVE-2009-2408: what a C string sees of it is the name that was asked for."""
    result = judge(root(), leaf(names=["www.example.test", "www.example.test\0.evil.test"]))
    assert result.kinds == {Defect.NUL_IN_NAME}
    assert "\\x00" in result.defects[0].explanation


def test_odd_characters_in_a_name_are_a_defect() -> None:
    assert judge(root(), leaf(names=["www.example.test", "www example.test"])).kinds == {Defect.BAD_NAME_ENCODING}


labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)
hosts = st.lists(labels, min_size=2, max_size=4).map(".".join)


@given(hosts, hosts)
def test_a_wildcard_matches_exactly_the_names_one_label_below(parent: str, other: str) -> None:
    below = other.partition(".")[0] + "." + parent
    assert failures(below, f"*.{parent}") == set() or below.rpartition(".")[2].isdigit()
    assert failures("x." + below, f"*.{parent}") != set()
    assert failures(parent, f"*.{parent}") != set()


@given(st.text(max_size=40), st.text(max_size=40).filter(str.isascii))
def test_no_reference_and_no_name_raises(reference: str, presented: str) -> None:
    outcome = match(read_reference(reference), sans(presented), Reading.RFC5280)
    if outcome.presented is not None and "*" not in presented:
        assert reference.lower().removesuffix(".") == presented.lower()
