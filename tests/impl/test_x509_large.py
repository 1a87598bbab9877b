"""What a peer may send in any length: it costs what it is long, and what is said of it is short."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from shakeproof.impl.x509 import Defect, Result, validate
from shakeproof.impl.x509.certificate import IDENTIFIER_OCTETS, SHOWN_CHARACTERS, dotted, printable
from shakeproof.impl.x509.der import DERError
from shakeproof.impl.x509.idna import MAX_NAME_LENGTH, hostile_labels
from shakeproof.properties.chains import der
from shakeproof.properties.chains import draft as d
from shakeproof.properties.mapper.keys import Owner, private_key
from shakeproof.properties.targets.ours import NOW

HOST = "www.example.test"
SAID_MOST = 5 * SHOWN_CHARACTERS
LABELS = 2_000
"""Enough that a name, let alone what was once said of each label, is longer than what may be said."""


def judge(draft: d.Draft) -> Result:
    path = [draft.write(place) for place in range(draft.top + 1)]
    return validate(path[:-1], path[-1:], NOW, HOST)


@pytest.mark.parametrize(
    ("tag", "name", "defect"),
    [
        (der.DNS_NAME, "xn--a." * LABELS + "test", Defect.HOSTILE_PUNYCODE),
        (der.DNS_NAME, "a." * LABELS + "test", Defect.BAD_NAME_ENCODING),
        (der.DNS_NAME, "a\0" * LABELS, Defect.NUL_IN_NAME),
        (der.RFC822_NAME, "a@" * LABELS + "xn--a." * LABELS + "test", Defect.HOSTILE_PUNYCODE),
        (der.URI, "a" * LABELS, Defect.BAD_NAME_ENCODING),
    ],
    ids=["A-labels", "labels", "NULs", "mail", "URI"],
)
def test_a_long_name_is_told_once_and_in_short(tag: int, name: str, defect: Defect) -> None:
    """Each label was told with the whole name: of a name of a megabyte, more text than there is memory."""
    draft = d.sound(NOW, HOST, 1)
    draft.certificates[0].names.append(der.general_name(tag, name))
    result = judge(draft)
    assert [found.defect for found in result.defects] == [defect]
    assert len(result.explanation) < SAID_MOST


def test_a_name_that_is_too_long_is_not_decoded() -> None:
    name = "xn--bcher-kva." * 20
    assert len(name) > MAX_NAME_LENGTH
    assert hostile_labels(name) == [name]
    assert hostile_labels(name[:126]) == []


def test_text_of_a_peer_is_abridged() -> None:
    assert printable("a" * SHOWN_CHARACTERS) == "a" * SHOWN_CHARACTERS
    assert printable("\0" * (SHOWN_CHARACTERS + 1)).endswith(f"... ({SHOWN_CHARACTERS + 1} characters)")


def test_a_policy_mapping_to_an_endless_identifier_is_malformed() -> None:
    """Converting it cost the square of its length, and nothing had read it before."""
    draft = d.sound(NOW, HOST, 1)
    endless = der.element(0x06, b"\x2a" + b"\xff" * IDENTIFIER_OCTETS + b"\x01")
    mapping = der.sequence(der.sequence(der.oid("1.2.3"), endless))
    draft.certificates[1].extensions["2.5.29.33"] = mapping, True
    assert judge(draft).kinds == {Defect.MALFORMED}
    assert dotted(b"\x2a" + b"\x03" * (IDENTIFIER_OCTETS - 1)).startswith("1.2.3.3")
    with pytest.raises(DERError, match="at most 63 octets"):
        dotted(b"\x2a" + b"\x03" * IDENTIFIER_OCTETS)


@pytest.mark.parametrize("even", [True, False])
def test_an_even_modulus_is_no_rsa_key(even: bool) -> None:
    public = private_key("rsa", Owner.NOBODY).public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    draft = d.sound(NOW, HOST, 1)
    key = rsa.RSAPublicNumbers(65537, public.public_numbers().n - even).public_key()
    draft.certificates[0].info = d.key_info(key)
    result = judge(draft)
    assert result.kinds == ({Defect.WEAK_KEY} if even else set())
    assert ("even" in result.explanation) == even
