"""Internationalised labels: what a user types becomes an A-label, and a certificate's A-label must encode something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shakeproof.impl.x509 import Defect
from shakeproof.impl.x509.idna import hostile_labels, to_ascii
from tests.impl.x509_cases import judge, leaf, places, root


@pytest.mark.parametrize(
    ("host", "ascii_form"),
    [
        ("bücher.example", "xn--bcher-kva.example"),
        ("Bu\u0308cher.example", "xn--bcher-kva.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("日本語.example", "xn--wgv71a119e.example"),
        ("www.EXAMPLE.test", "www.example.test"),
        ("\u2764.example", None),
        ("a\u3002example", None),
        ("\u0301a.example", None),
        ("\uff41.example", None),
        ("ü" * 60 + ".example", None),
    ],
)
def test_a_name_that_is_typed_becomes_a_name_of_the_dns(host: str, ascii_form: str | None) -> None:
    assert to_ascii(host) == ascii_form


@pytest.mark.parametrize("label", ["xn--bcher-kva", "XN--BCHER-KVA", "xn--wgv71a119e", "xn--fiqs8s", "xn--i-7iq"])
def test_an_a_label_that_encodes_a_label_is_fine(label: str) -> None:
    assert hostile_labels(f"www.{label}.example") == []


@pytest.mark.parametrize(
    "label",
    ["xn--", "xn--a", "xn--abc-", "xn--99999999999", "xn--0", "xn--" + "a" * 60, "xn--www-bz3b", "xn--a-qgn"],
    ids=["empty", "undecodable", "ascii", "overflow", "cut off", "too long", "dot", "hidden"],
)
def test_a_label_that_only_claims_to_be_an_a_label_is_told(label: str) -> None:
    assert hostile_labels(f"www.{label}.example") == [label]
    assert (Defect.HOSTILE_PUNYCODE, 0) in places(judge(root(), leaf(names=["www.example.test", f"{label}.test"])))


@given(st.text(max_size=80).map(lambda text: f"xn--{text}.example"))
def test_any_text_behind_the_prefix_is_decided_without_an_exception(name: str) -> None:
    hostile_labels(name)
    to_ascii(name)
