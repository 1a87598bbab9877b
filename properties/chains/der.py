"""DER, written octet by octet: what `cryptography` refuses to build has to come from somewhere.

Nothing here knows what is legal. Source: X.690; RFC 5280 section 4.1.
"""

from __future__ import annotations

import ipaddress
from datetime import datetime

LAST_YEAR_OF_UTC_TIME = 2049  # RFC 5280 section 4.1.2.5

COMMON_NAME = "2.5.4.3"
ORGANIZATION = "2.5.4.10"

RFC822_NAME, DNS_NAME, DIRECTORY_NAME, URI, IP_ADDRESS = 0x81, 0x82, 0xA4, 0x86, 0x87
"""Tags of GeneralName."""


def length(size: int) -> bytes:
    """A length in the definite form."""
    if size < 0x80:
        return bytes([size])
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def element(tag: int, *contents: bytes) -> bytes:
    """One element."""
    content = b"".join(contents)
    return bytes([tag]) + length(len(content)) + content


def sequence(*contents: bytes) -> bytes:
    """A SEQUENCE."""
    return element(0x30, *contents)


def bit_string(content: bytes, unused: int = 0) -> bytes:
    """A BIT STRING."""
    return element(0x03, bytes([unused]), content)


def octet_string(content: bytes) -> bytes:
    """An OCTET STRING."""
    return element(0x04, content)


def integer(value: int) -> bytes:
    """An INTEGER in the fewest octets."""
    return element(0x02, value.to_bytes(value.bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool) -> bytes:
    """A BOOLEAN."""
    return element(0x01, b"\xff" if value else b"\x00")


def oid(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER."""
    first, second, *arcs = (int(arc) for arc in dotted.split("."))
    content = b""
    for arc in (40 * first + second, *arcs):
        octets = [arc & 0x7F]
        while arc := arc >> 7:
            octets.append(0x80 | arc & 0x7F)
        content += bytes(reversed(octets))
    return element(0x06, content)


def utc_time(moment: datetime) -> bytes:
    """A UTCTime, whatever the year."""
    return element(0x17, moment.strftime("%y%m%d%H%M%SZ").encode())


def time(moment: datetime) -> bytes:
    """A Time in the form that its year demands."""
    if moment.year <= LAST_YEAR_OF_UTC_TIME:
        return utc_time(moment)
    return element(0x18, moment.strftime("%Y%m%d%H%M%SZ").encode())


def name(organization: str, common: str) -> bytes:
    """A distinguished name of two parts; empty where both are."""
    parts = [(kind, value) for kind, value in ((ORGANIZATION, organization), (COMMON_NAME, common)) if value]
    return sequence(*(element(0x31, sequence(oid(kind), element(0x0C, text.encode()))) for kind, text in parts))


def general_name(tag: int, value: bytes | str) -> bytes:
    """A GeneralName; a text is an IA5String, whatever stands in it."""
    return element(tag, value.encode("latin-1") if isinstance(value, str) else value)


def host(text: str) -> bytes:
    """A host name or an IP address as a GeneralName of its own form."""
    try:
        return general_name(IP_ADDRESS, ipaddress.ip_address(text).packed)
    except ValueError:
        return general_name(DNS_NAME, text)


def key_usage(*bits: int) -> bytes:
    """A KeyUsage with these bits, by their numbers in RFC 5280 section 4.2.1.3."""
    octets = bytearray(max(bits, default=0) // 8 + 1)
    for bit in bits:
        octets[bit // 8] |= 0x80 >> bit % 8
    return bit_string(bytes(octets), 7 - max(bits, default=0) % 8)
