"""What `cryptography` cannot read and RFC 5280 lets stand: the certificate is judged by the rest of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from shakeproof.impl.x509 import Defect, PolicyInputs, Result, validate
from shakeproof.properties.chains import der
from shakeproof.properties.chains import draft as d
from shakeproof.properties.targets.ours import NOW

HOST = "www.example.test"
POLICIES = "2.5.29.32"
POLICY = "1.2.3.1"
TIMESTAMPS = "1.3.6.1.4.1.11129.2.4.2"
TLS_FEATURE = "1.3.6.1.5.5.7.1.24"
NULL = der.element(0x05)
X400_ADDRESS = der.element(0xA3, der.sequence())
EDI_PARTY = der.element(0xA5, der.element(0xA1, der.element(0x0C, b"somebody")))
CPS = der.sequence(der.oid("1.3.6.1.5.5.7.2.1"), der.element(0x16, b"http://example.test"))
BAD_CPS = der.sequence(der.oid("1.3.6.1.5.5.7.2.1"), NULL)
PRIVATE = der.sequence(der.oid("1.2.3.4.5"), NULL)

Change = Callable[[d.Template], None]


def policy(*qualifiers: bytes) -> bytes:
    """certificatePolicies of one policy with these qualifiers."""
    return der.sequence(der.sequence(der.oid(POLICY), der.sequence(*qualifiers) if qualifiers else b""))


def carrying(oid: str, value: bytes, *, critical: bool = False) -> Change:
    """An extension, set."""

    def change(template: d.Template) -> None:
        template.extensions[oid] = value, critical

    return change


def named(*names: bytes) -> Change:
    """More names in the subjectAltName."""
    return lambda template: template.names.extend(names)


def constraining(*, permitted: bytes = b"", excluded: bytes = b"") -> Change:
    """Name constraints of one subtree each."""
    lists = [der.element(tag, der.sequence(name)) for tag, name in ((0xA0, permitted), (0xA1, excluded)) if name]
    return carrying(d.NAME_CONSTRAINTS, der.sequence(*lists), critical=True)


def judge(leaf: Change | None = None, ca: Change | None = None, **options: object) -> Result:
    """The verdict on a leaf under one CA, each with its change."""
    draft = d.sound(NOW, HOST, 1)
    for change, template in ((leaf, draft.certificates[0]), (ca, draft.certificates[1])):
        if change is not None:
            change(template)
    path = [draft.write(place) for place in range(3)]
    return validate(path[:2], path[2:], NOW, HOST, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [X400_ADDRESS, EDI_PARTY], ids=["x400Address", "ediPartyName"])
def test_a_name_of_a_rare_form_does_no_harm_until_its_form_is_constrained(name: bytes) -> None:
    host = der.general_name(der.DNS_NAME, HOST)
    assert judge(named(name)).accepted
    assert judge(None, constraining(permitted=name)).accepted
    assert judge(None, constraining(excluded=name)).accepted
    assert judge(named(name), constraining(permitted=host)).accepted
    assert judge(named(name), constraining(permitted=name)).kinds == {Defect.NAME_NOT_PERMITTED}
    assert judge(named(name), constraining(excluded=name)).kinds == {Defect.NAME_EXCLUDED}
    assert judge(named(name), constraining(excluded=host)).kinds == {Defect.NAME_EXCLUDED}


@pytest.mark.parametrize("at", ["leaf", "ca"])
def test_an_unknown_qualifier_counts_only_in_critical_policies(at: str) -> None:
    for qualifiers in ((PRIVATE,), (CPS, PRIVATE)):
        assert judge(**{at: carrying(POLICIES, policy(*qualifiers))}).accepted
        assert judge(**{at: carrying(POLICIES, policy(*qualifiers), critical=True)}).kinds == {Defect.MALFORMED}


def test_a_policy_with_an_unknown_qualifier_is_still_a_policy() -> None:
    wanted = PolicyInputs(frozenset({POLICY}), initial_explicit_policy=True)
    stated = carrying(POLICIES, policy(PRIVATE))
    assert judge(stated, stated, policies=wanted).accepted
    assert judge(stated, None, policies=wanted).kinds == {Defect.POLICY_VIOLATION}


@pytest.mark.parametrize("oid", [TIMESTAMPS, TLS_FEATURE])
def test_an_extension_outside_the_profile_may_hold_anything_unless_it_is_critical(oid: str) -> None:
    assert judge(carrying(oid, NULL)).accepted
    assert Defect.UNKNOWN_CRITICAL in judge(carrying(oid, NULL, critical=True)).kinds


@pytest.mark.parametrize(
    ("oid", "value"),
    [
        (POLICIES, NULL),
        (POLICIES, policy(BAD_CPS)),
        (POLICIES, policy(CPS) + b"\0"),
        (POLICIES, der.sequence(der.sequence())),
        ("1.3.6.1.5.5.7.1.1", NULL),
        ("2.5.29.31", NULL),
        ("2.5.29.46", NULL),
        ("2.5.29.18", NULL),
    ],
)
def test_an_extension_of_the_profile_must_hold_what_the_profile_says(oid: str, value: bytes) -> None:
    assert judge(carrying(oid, value)).kinds == {Defect.MALFORMED}


def test_names_and_constraints_beside_a_rare_form_must_still_be_readable() -> None:
    broken = der.general_name(der.IP_ADDRESS, b"12345")
    assert judge(named(X400_ADDRESS, broken)).kinds == {Defect.MALFORMED}
    assert judge(None, constraining(permitted=X400_ADDRESS, excluded=broken)).kinds == {Defect.MALFORMED}
