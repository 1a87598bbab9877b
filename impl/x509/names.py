"""The name check: does a certificate speak for the server that the client meant?

The reference identity is a host name, an IP address or, of a client, a mail address; only subjectAltName answers, never
the common name. Source: RFC 9525 section 6; RFC 5280 sections 4.2.1.6 and 7.5.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from shakeproof.impl.x509.certificate import printable
from shakeproof.impl.x509.idna import MAX_LABEL_LENGTH, MAX_NAME_LENGTH, hostile_labels, to_ascii
from shakeproof.impl.x509.result import Defect, Reading

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# The underscore is no letter of a host name; but names with one are in use, and certified.
_LABEL_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")


@dataclass(frozen=True, slots=True)
class Reference:
    """A reference identity (RFC 9525 section 6.1): one of the three, or none of them if the text is invalid.

    host: in lower case, with A-labels; mailbox: its local part, and its host like host.
    """

    text: str
    address: IPAddress | None
    host: str | None
    mailbox: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """The presented identifier that matches, or why none does."""

    presented: str | None
    failures: tuple[tuple[Defect, str], ...]


def read_reference(text: str) -> Reference:
    """The reference identity in a host name, an IP address ("::1" and "[::1]" alike) or a mail address as text."""
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return Reference(text, ipaddress.ip_address(bare), None)
    except ValueError:
        pass
    local, at, host = text.rpartition("@")
    host = to_ascii(host.removesuffix(".")) or ""
    if not is_host_name(host) or (at and not local):
        return Reference(text, None, None)
    return Reference(text, None, None, (local, host)) if at else Reference(text, None, host)


def is_host_name(name: str) -> bool:
    """Whether a name in lower case is a sequence of labels of ASCII letters, digits, hyphens and underscores."""
    return 0 < len(name) <= MAX_NAME_LENGTH and all(
        0 < len(label) <= MAX_LABEL_LENGTH
        and label[0] != "-"
        and label[-1] != "-"
        and _LABEL_CHARACTERS.issuperset(label)
        for label in name.split(".")
    )


def is_mailbox(text: str) -> bool:
    """Whether a text is Local-part@Domain; only a quoted local part may hold another @. RFC 5280 section 4.2.1.6."""
    local, _, host = text.rpartition("@")
    quoted = len(local) > 2 and local[0] == local[-1] == '"'
    return bool(local) and ("@" not in local or quoted) and is_host_name(host.lower())


# RFC 3986 sections 2 and 3.1: a scheme, and behind it something of the characters that a URI may hold.
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:((?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)")

# Section 3.2: user information, an address in brackets or a name, and a port.
_AUTHORITY = re.compile(r"(?:[^@]*@)?(?:\[([^\]]*)\]|([^:\[\]@]*))(?::[0-9]*)?")


def is_absolute_uri(text: str) -> bool:
    """Whether a text is a URI with a scheme, and with a host where it has an authority. RFC 5280 section 4.2.1.6."""
    found = _URI.fullmatch(text)
    if found is None or not found[1].startswith("//"):
        return found is not None
    authority = _AUTHORITY.fullmatch(re.split("[/?#]", found[1][2:], maxsplit=1)[0])
    if authority is None:
        return False
    version, host = (6, authority[1]) if authority[1] is not None else (4, authority[2])
    try:
        return ipaddress.ip_address(host).version == version
    except ValueError:
        return version == 4 and is_host_name(host.lower())


def match(reference: Reference, names: x509.SubjectAlternativeName | None, reading: Reading) -> Match:
    """Compares the reference identity with every presented identifier of its own type."""
    presented = [] if names is None else list(names)
    if reference.mailbox is not None:
        return _match_mailbox(reference, presented)
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


def _match_mailbox(reference: Reference, presented: list[x509.GeneralName]) -> Match:
    """The local part exactly, the host without regard to case. RFC 5280 section 7.5."""
    mailboxes = [item.value for item in presented if isinstance(item, x509.RFC822Name)]
    if not mailboxes:
        return Match(None, ((Defect.NO_SAN, "the subjectAltName holds no rfc822Name"),))
    for item in mailboxes:
        local, _, host = item.rpartition("@")
        if (local, host.lower()) == reference.mailbox:
            return Match(item, ())
    text = f"expected {printable(reference.text)!r}, got {_shown(mailboxes)}"
    return Match(None, ((Defect.WRONG_NAME, text),))


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


def odd_names(names: Iterable[x509.GeneralName] | None) -> list[tuple[Defect, str]]:
    """Names that no host can have: with a NUL (CVE-2009-2408), with spaces, with an A-label that encodes nothing."""
    found: list[tuple[Defect, str]] = []
    for item in names or ():
        if isinstance(item, x509.DNSName | x509.RFC822Name | x509.UniformResourceIdentifier):
            found += odd_name(_FORMS[type(item)], item.value, host_only=isinstance(item, x509.DNSName))
    return found


_FORMS: dict[type[x509.GeneralName], str] = {
    x509.DNSName: "dNSName",
    x509.RFC822Name: "rfc822Name",
    x509.UniformResourceIdentifier: "uniformResourceIdentifier",
}


def odd_name(form: str, name: str, *, host_only: bool) -> list[tuple[Defect, str]]:
    """What is odd about one name. host_only: no more than a host name; else its host part comes after the last @."""
    if "\0" in name:
        return [(Defect.NUL_IN_NAME, f"the {form} {printable(name)!r} holds a NUL")]
    if not name.isascii() or any(char < " " or char == "\x7f" or (host_only and char == " ") for char in name):
        return [(Defect.BAD_NAME_ENCODING, f"the {form} {printable(name)!r} holds odd characters")]
    host = name.rpartition("@")[2] if form != _FORMS[x509.UniformResourceIdentifier] else ""
    return [
        (Defect.HOSTILE_PUNYCODE, f"the label {printable(label)!r} of the {form} {printable(name)!r} encodes no label")
        for label in hostile_labels(host.removeprefix("*."))
    ]


def _listing(presented: list[x509.GeneralName]) -> str:
    return _shown([str(item.value) for item in presented if isinstance(item, x509.DNSName | x509.IPAddress)])


def _shown(names: list[str]) -> str:
    shown = ", ".join(printable(name) for name in names[:_LISTED])
    return shown if len(names) <= _LISTED else f"{shown} and {len(names) - _LISTED} more"


_LISTED = 5  # enough to recognise a certificate by; a peer may send thousands
