"""The name check: does a certificate speak for the server that the client meant?

The reference identity is a host name or an IP address; only subjectAltName answers, never the common name.
Source: RFC 9525 section 6; RFC 5280 section 4.2.1.6.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from cryptography import x509

from shakeproof.impl.x509.certificate import printable
from shakeproof.impl.x509.result import Defect, Reading

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

MAX_NAME_LENGTH = 253  # RFC 1035 section 2.3.4, as text
MAX_LABEL_LENGTH = 63
# The underscore is no letter of a host name; but names with one are in use, and certified.
_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference identity (RFC 9525 section 6.1): an address, or a host name in lower case; neither if invalid."""

    text: str
    address: IPAddress | None
    host: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """The presented identifier that matches, or why none does."""

    presented: str | None
    failures: tuple[tuple[Defect, str], ...]


def read_reference(text: str) -> Reference:
    """The reference identity in a host name or an IP address as text ("::1" and "[::1]" alike)."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return Reference(text, ipaddress.ip_address(bare), None)
    except ValueError:
        host = text.lower().removesuffix(".")
        return Reference(text, None, host if is_host_name(host) else None)


def is_host_name(name: str) -> bool:
    """Whether a name in lower case is a sequence of labels of ASCII letters, digits, hyphens and underscores."""
    return 0 < len(name) <= MAX_NAME_LENGTH and all(
        0 < len(label) <= MAX_LABEL_LENGTH
        and label[0] != "-"
        and label[-1] != "-"
        and _LABEL_CHARACTERS.issuperset(label)
        for label in name.split(".")
    )


def match(reference: Reference, names: x509.SubjectAlternativeName | None, reading: Reading) -> Match:
    """Compares the reference identity with every presented identifier of its own type."""
    presented = [] if names is None else list(names)
    if not any(isinstance(item, x509.DNSName | x509.IPAddress) for item in presented):
        return Match(None, ((Defect.NO_SAN, "the subjectAltName holds neither a dNSName nor an iPAddress"),))
    if reference.address is not None:
        return _match_address(reference.address, presented)
    if reference.host is None:
        text = f"{printable(reference.text)!r} is no host name and no IP address: nothing can match it"
        return Match(None, ((Defect.WRONG_NAME, text),))
    return _match_host(reference.host, presented, reading)


def _match_address(wanted: IPAddress, presented: list[x509.GeneralName]) -> Match:
    """Addresses are compared as octets, and never with a dNSName that spells one. RFC 9525 section 6.4."""
    addresses = [item.value for item in presented if isinstance(item, x509.IPAddress)]
    if wanted in addresses:
        return Match(str(wanted), ())
    return Match(None, ((Defect.WRONG_NAME, f"expected the address {wanted}, got {_listing(presented)}"),))


def _match_host(wanted: str, presented: list[x509.GeneralName], reading: Reading) -> Match:
    failures: list[tuple[Defect, str]] = []
    for item in presented:
        if not isinstance(item, x509.DNSName):
            continue
        name = item.value.lower()
        if "*" in name:
            if not is_wildcard(name, reading):
                failures.append((Defect.BAD_WILDCARD, f"{printable(item.value)!r} is no acceptable wildcard name"))
            elif wanted.partition(".")[2] == name[2:]:
                return Match(item.value, ())
        elif name == wanted:
            return Match(item.value, ())
    failures.insert(0, (Defect.WRONG_NAME, f"expected {wanted!r}, got {_listing(presented)}"))
    return Match(None, tuple(failures))


def is_wildcard(name: str, reading: Reading) -> bool:
    """Whether the wildcard is the whole leftmost label of a host name.

    The web reading also refuses a wildcard directly below a top level domain.
    """
    label, _, parent = name.partition(".")
    return label == "*" and is_host_name(parent) and (reading is not Reading.WEBPKI or "." in parent)


def odd_names(names: x509.SubjectAlternativeName | None) -> list[tuple[Defect, str]]:
    """The dNSNames that are no host name even as a pattern: NUL as in CVE-2009-2408, spaces, empty labels."""
    found: list[tuple[Defect, str]] = []
    for item in names or ():
        if isinstance(item, x509.DNSName):
            name = item.value
            if "\0" in name:
                found.append((Defect.NUL_IN_NAME, f"the dNSName {printable(name)!r} holds a NUL"))
            elif not name.isascii() or any(char <= " " or char == "\x7f" for char in name):
                found.append((Defect.BAD_NAME_ENCODING, f"the dNSName {printable(name)!r} holds odd characters"))
    return found


def _listing(presented: list[x509.GeneralName]) -> str:
    names = [printable(str(item.value)) for item in presented if isinstance(item, x509.DNSName | x509.IPAddress)]
    shown = ", ".join(names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


_LISTED = 5  # enough to recognise a certificate by; a peer may send thousands
