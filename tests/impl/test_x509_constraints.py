"""RFC 5280 section 4.2.1.10: names inside and outside the subtrees that CAs may certify."""

from __future__ import annotations

import ipaddress
import time

import pytest
from cryptography import x509

from shakeproof.impl.x509 import Defect, Reading, Result
from shakeproof.properties.mapper.keys import Owner
from tests.impl.x509_cases import HOST, ca, judge, leaf, name, places, root

Names = list[x509.GeneralName]


def constrained(
    permitted: Names | None = None, excluded: Names | None = None, *, critical: bool = True
) -> list[tuple[x509.ExtensionType, bool]]:
    return [(x509.NameConstraints(permitted, excluded), critical)]


def below(
    names: Names, *, permitted: Names | None = None, excluded: Names | None = None, common: str = "server"
) -> Result:
    """The verdict on a leaf with these names and the host's below a CA with these constraints."""
    middle = ca(extensions=constrained(permitted, excluded))
    return judge(root(), middle, leaf(common, names=[HOST, *names]))


def dns(*values: str) -> Names:
    return [x509.DNSName(value) for value in values]


def mail(*values: str) -> Names:
    return [x509.RFC822Name(value) for value in values]


def uri(*values: str) -> Names:
    return [x509.UniformResourceIdentifier(value) for value in values]


def network(*values: str) -> Names:
    return [x509.IPAddress(ipaddress.ip_network(value)) for value in values]


def address(*values: str) -> Names:
    return [x509.IPAddress(ipaddress.ip_address(value)) for value in values]


# Each: names of the leaf, a subtree, whether the names lie in it. Read once as permitted and once as excluded.
CASES: list[tuple[Names, Names, bool]] = [
    (dns("a.sub.test"), dns("sub.test"), True),
    (dns("SUB.test"), dns("sub.TEST"), True),
    (dns("asub.test"), dns("sub.test"), False),
    (dns("sub.test"), dns("a.sub.test"), False),
    (dns("*.sub.test"), dns("sub.test"), True),
    (dns("anything.test"), dns(""), True),
    (address("192.0.2.7"), network("192.0.2.0/24"), True),
    (address("192.0.3.7"), network("192.0.2.0/24"), False),
    (address("2001:db8::7"), network("2001:db8::/32"), True),
    (address("192.0.2.7"), network("::/0"), False),
    (mail("a@host.test"), mail("host.test"), True),
    (mail("a@HOST.test"), mail("a@host.test"), True),
    (mail("A@host.test"), mail("a@host.test"), False),
    (mail("a@sub.host.test"), mail("host.test"), False),
    (mail("a@sub.host.test"), mail(".host.test"), True),
    (mail("a@host.test"), mail(".host.test"), False),
    (uri("https://host.test/x"), uri("host.test"), True),
    (uri("https://sub.host.test/x"), uri("host.test"), False),
    (uri("https://sub.host.test/x"), uri(".host.test"), True),
    (uri("https://host.test/x"), uri(".host.test"), False),
]


@pytest.mark.parametrize(("names", "subtree", "inside"), CASES)
def test_a_name_lies_in_a_subtree_or_outside(names: Names, subtree: Names, inside: bool) -> None:
    also = dns(HOST) if isinstance(subtree[0], x509.DNSName) else []
    permitted = below(names, permitted=[*subtree, *also])
    assert permitted.kinds == (set() if inside else {Defect.NAME_NOT_PERMITTED})
    if subtree == dns(""):
        return  # excludes the host itself
    excluded = below(names, excluded=subtree)
    assert excluded.kinds == ({Defect.NAME_EXCLUDED} if inside else set())


def test_excluded_wins_over_permitted() -> None:
    result = below(dns("bad.example.test"), permitted=dns("example.test"), excluded=dns("bad.example.test"))
    assert places(result) == {(Defect.NAME_EXCLUDED, 0)}


def test_a_form_that_is_not_constrained_is_free() -> None:
    assert below(address("192.0.2.7"), permitted=dns("example.test")).accepted


def test_a_wildcard_that_may_stand_for_an_excluded_name_is_refused() -> None:
    """CVE-2025-61727."""
    assert below(dns("*.example.test"), excluded=dns("bar.example.test")).kinds == {Defect.NAME_EXCLUDED}
    assert below(dns("*.example.test"), excluded=dns("a.bar.example.test")).accepted


def test_a_uri_without_a_host_name_is_refused_once_uris_are_constrained() -> None:
    assert below(uri("https://192.0.2.1/"), permitted=uri("host.test")).kinds == {Defect.NAME_NOT_PERMITTED}
    assert below(uri("urn:x:y"), excluded=uri("host.test")).kinds == {Defect.NAME_EXCLUDED}


def test_directory_names_constrain_the_subject() -> None:
    tree: Names = [x509.DirectoryName(name("server"))]
    assert below([], permitted=tree).accepted
    assert below([], permitted=tree, common="SERVER ").accepted
    assert below([], permitted=tree, common="another").kinds == {Defect.NAME_NOT_PERMITTED}
    assert below([], excluded=tree).kinds == {Defect.NAME_EXCLUDED}


def test_the_constraints_of_two_cas_intersect() -> None:
    def under(first: Names, second: Names) -> set[Defect]:
        upper = ca(extensions=constrained(first))
        lower = ca("Second", Owner.ATTACKER_INTERMEDIATE, extensions=constrained(second))
        return set(judge(root(), upper, lower, leaf()).kinds)

    assert under(dns("test"), dns("example.test")) == set()
    assert under(dns("example.test"), dns("test")) == set()
    assert under(dns("example.test"), dns("other.test")) == {Defect.NAME_NOT_PERMITTED}
    assert under(dns("other.test"), dns("example.test")) == {Defect.NAME_NOT_PERMITTED}


def test_the_trust_anchors_constraints_count() -> None:
    assert judge(root(extensions=constrained(dns("other.test"))), leaf()).kinds == {Defect.NAME_NOT_PERMITTED}


def test_a_self_issued_ca_is_exempt_and_a_self_issued_leaf_is_not() -> None:
    top = root(extensions=constrained(dns("example.test")))
    strange = [(x509.SubjectAlternativeName([x509.DNSName("strange.test")]), False)]
    again = ca("Root", Owner.INTERMEDIATE, extensions=strange)
    assert judge(top, again, leaf()).accepted
    assert judge(top, leaf("Root", names=[HOST, "strange.test"])).kinds == {Defect.NAME_NOT_PERMITTED}


def test_an_intermediate_cas_own_names_are_constrained() -> None:
    top = root(extensions=constrained(dns("example.test")))
    strange = ca(extensions=[(x509.SubjectAlternativeName([x509.DNSName("strange.test")]), False)])
    assert places(judge(top, strange, leaf())) == {(Defect.NAME_NOT_PERMITTED, 1)}


# What cryptography lets through when it parses, and not when it builds.
TWO_ATS = x509.RFC822Name._init_without_validation("a@b@example.test")


@pytest.mark.parametrize("tree", [*dns(".example.test", "example..test", "exa mple.test"), TWO_ATS])
def test_a_subtree_that_is_no_name_is_refused(tree: x509.GeneralName) -> None:
    assert Defect.PROFILE in below([], excluded=[tree]).kinds


def test_constraints_that_are_not_critical_are_tolerated_on_the_web_alone() -> None:
    middle = ca(extensions=constrained(dns("example.test"), critical=False))
    assert judge(root(), middle, leaf()).kinds == {Defect.PROFILE}
    assert judge(root(), middle, leaf(), reading=Reading.WEBPKI).accepted


def test_constraints_in_a_leaf_are_refused() -> None:
    assert judge(root(), leaf(extensions=constrained(dns("example.test")))).kinds == {Defect.PROFILE}


def test_thousands_of_names_under_thousands_of_subtrees_end_early() -> None:
    names = [f"t{number}.test" for number in range(1_000)]
    middle = ca(extensions=constrained(dns(*names), dns(*(f"x{item}" for item in names))))
    started = time.perf_counter()
    result = judge(root(), middle, leaf(names=[HOST, *names]))
    assert Defect.PATH_BOMB in result.kinds
    assert time.perf_counter() - started < 5


def test_what_is_no_mail_address_lies_in_no_permitted_place_and_in_every_excluded_one() -> None:
    odd = x509.RFC822Name._init_without_validation("a@b@example.test")
    host = [x509.RFC822Name("example.test")]
    end = leaf(names=[HOST, odd])
    for constraint, defect in (
        (x509.NameConstraints(host, None), Defect.NAME_NOT_PERMITTED),
        (x509.NameConstraints(None, host), Defect.NAME_EXCLUDED),
    ):
        result = judge(root(), ca(extensions=[(constraint, True)]), end, with_profile=False)
        assert result.kinds == {defect}


@pytest.mark.parametrize("distance", [b"\x80\x01\x01", b"\x81\x01\x05"], ids=["minimum", "maximum"])
def test_a_subtree_with_a_distance_is_not_processed_and_so_refused(distance: bytes) -> None:
    base = b"\x82\x0cexample.test"
    tree = bytes([0x30, len(base + distance)]) + base + distance
    trees = bytes([0xA0, len(tree)]) + tree
    value = bytes([0x30, len(trees)]) + trees
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("2.5.29.30"), value)
    assert Defect.MALFORMED in judge(root(), ca(extensions=[(extension, True)]), leaf()).kinds


def test_a_host_of_a_uri_that_is_no_host_name_is_refused_where_uris_are_constrained() -> None:
    constraint = x509.NameConstraints([x509.UniformResourceIdentifier("example.test")], None)
    for uri, fits in (("https://example.test/a", True), ("https://192.0.2.1/", False), ("urn:x", False)):
        end = leaf(names=[HOST, x509.UniformResourceIdentifier(uri)])
        assert judge(root(), ca(extensions=[(constraint, True)]), end).accepted == fits
