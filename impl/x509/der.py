"""As much DER as is needed to reach the raw fields of a certificate, which `cryptography` does not hand out.

Source: X.690; RFC 5280 section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass

SEQUENCE = 0x30
BOOLEAN = 0x01
BIT_STRING = 0x03
OBJECT_IDENTIFIER = 0x06
OCTET_STRING = 0x04
UTC_TIME = 0x17
VERSION = 0xA0  # [0] EXPLICIT
UNIQUE_IDENTIFIERS = (0x81, 0x82)  # [1] and [2] IMPLICIT BIT STRING
EXTENSIONS = 0xA3  # [3] EXPLICIT


class DERError(ValueError):
    """The bytes are not the DER that was expected."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag octet, its contents, and all of its octets."""

    tag: int
    value: bytes
    raw: bytes


def read(data: bytes, start: int = 0) -> tuple[Element, int]:
    """The element at `start`, and where the next one starts. Raises DERError."""
    if start + 2 > len(data):
        raise DERError(f"expected an element at octet {start}, got the end of {len(data)} octets")
    tag, length, body = data[start], data[start + 1], start + 2
    if length & 0x80:
        size = length & 0x7F
        if not 1 <= size <= 4 or body + size > len(data):
            raise DERError(f"expected a definite length of 1 to 4 octets at octet {start + 1}, got {length:#04x}")
        length = int.from_bytes(data[body : body + size], "big")
        body += size
    end = body + length
    if end > len(data):
        raise DERError(f"expected {length} octets at octet {body}, got {len(data) - body}")
    return Element(tag, data[body:end], data[start:end]), end


def children(value: bytes) -> list[Element]:
    """The elements of a constructed value. Raises DERError."""
    elements, position = [], 0
    while position < len(value):
        element, position = read(value, position)
        elements.append(element)
    return elements


def encode(tag: int, *contents: bytes) -> bytes:
    """One element in DER."""
    value = b"".join(contents)
    size = len(value)
    octets = b"" if size < 0x80 else size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets), *octets] if octets else [tag, size]) + value


def signed_parts(der: bytes) -> list[Element]:
    """What is signed, the algorithm and the signature of a certificate or of a CRL. Raises DERError.

    A signature is whole octets: a BIT STRING with unused bits would verify all the same, in a second encoding.
    """
    outermost, end = read(der)
    if outermost.tag != SEQUENCE or end != len(der):
        raise DERError("expected one SEQUENCE and nothing behind it")
    parts = children(outermost.value)
    if len(parts) != 3:
        raise DERError(f"expected what is signed, its algorithm and its signature, got {len(parts)} elements")
    if parts[2].tag != BIT_STRING or parts[2].value[:1] != b"\0":
        raise DERError("expected a signature of whole octets")
    return parts


@dataclass(frozen=True, slots=True)
class RawExtension:
    """An extension as it stands in the certificate; oid: the encoded contents of its OBJECT IDENTIFIER."""

    oid: bytes
    critical: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class RawCertificate:
    """Fields of a certificate in their own octets.

    version: 1 to 3; inner, outer: the two AlgorithmIdentifiers, in the signed part and beside it; validity_tags: how
    notBefore and notAfter are encoded.
    """

    version: int
    inner: bytes
    outer: bytes
    serial: bytes
    issuer: bytes
    validity_tags: tuple[int, ...]
    subject: bytes
    key_info: bytes
    extensions: tuple[RawExtension, ...]
    unique_identifiers: bool = False


def raw_certificate(der: bytes) -> RawCertificate:
    """The raw fields of a certificate. Raises DERError."""
    parts = signed_parts(der)
    fields = children(parts[0].value)
    version = 1
    if fields and fields[0].tag == VERSION:
        version = int.from_bytes(read(fields[0].value)[0].value, "big") + 1
        fields = fields[1:]
    if len(fields) < 6:
        raise DERError(f"expected at least six fields in tbsCertificate, got {len(fields)}")
    serial, inner, issuer, validity, subject, key_info = fields[:6]
    extensions: list[RawExtension] = []
    for field in fields[6:]:
        if field.tag == EXTENSIONS:
            extensions.extend(_extension(item) for item in children(read(field.value)[0].value))
    return RawCertificate(
        version,
        inner.raw,
        parts[1].raw,
        serial.value,
        issuer.raw,
        tuple(item.tag for item in children(validity.value)),
        subject.raw,
        key_info.raw,
        tuple(extensions),
        any(field.tag in UNIQUE_IDENTIFIERS for field in fields[6:]),
    )


def _extension(element: Element) -> RawExtension:
    parts = children(element.value)
    if not 2 <= len(parts) <= 3 or parts[0].tag != OBJECT_IDENTIFIER or parts[-1].tag != OCTET_STRING:
        raise DERError("expected an extension of identifier, optional criticality and value")
    critical = len(parts) == 3 and parts[1].value != b"\x00"
    return RawExtension(parts[0].value, critical, parts[-1].value)
