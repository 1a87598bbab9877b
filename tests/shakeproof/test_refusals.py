"""Names of authorities as text, whatever a server sends for one."""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from shakeproof.refusals import name_of


@pytest.mark.parametrize("length", [1, 40, 60])
def test_name_of_any_length_is_read(length: int) -> None:
    attributes = [
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ü" * length),
        x509.NameAttribute(NameOID.COMMON_NAME, "c" * length),
    ]
    name = x509.Name([x509.RelativeDistinguishedName([each]) for each in attributes] * 3)
    assert name_of(name.public_bytes()) == name.rfc4514_string()


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x02\x05\x00", b"\x31\x00", bytes(200)])
def test_what_is_no_name_is_said_to_be_unreadable(data: bytes) -> None:
    assert name_of(data) == "(unreadable)"


def test_empty_name_is_said_to_be_none() -> None:
    assert name_of(b"\x30\x00") == "(no name)"
