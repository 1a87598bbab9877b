"""Name constraints: the permitted and the excluded subtrees that issuers lay upon the names below them.

Source: RFC 5280 section 4.2.1.10 and 6.1.3 (b)(c), 6.1.4 (g).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from shakeproof.impl.x509.certificate import Certificate, NameKey, name_key, printable
from shakeproof.impl.x509.names import is_host_name
from shakeproof.impl.x509.result import Defect

# Comparisons of one name with one subtree in one validation. CVE-2024-0567's kin: a few thousand names under a few
# thousand subtrees are millions of comparisons. Go stops at 250,000, webpki at 250,000, cryptography at about 10**6;
# Python is slower, and the largest constraints seen in the web's CAs need some ten thousand.
MAX_COMPARISONS = 100_000

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TooManyComparisons(Exception):  # noqa: N818 - a signal within this package, not an error of the caller
    """The names and subtrees of a chain cost more comparisons than MAX_COMPARISONS."""


@dataclass
class Comparisons:
    """Counts comparisons over all paths of one validation."""

    spent: int = 0

    def spend(self, count: int) -> None:
        """Raises TooManyComparisons."""
        self.spent += count
        if self.spent > MAX_COMPARISONS:
            raise TooManyComparisons


Trees = dict[type[x509.GeneralName], list[x509.GeneralName]]


@dataclass
class Subtrees:
    """The state variables permitted_subtrees and excluded_subtrees of RFC 5280 section 6.1.2 (b)(c).

    Permitted subtrees of several CAs intersect: a name must lie in one subtree of each CA that permits any of its form.
    """

    comparisons: Comparisons
    permitted: list[Trees] = field(default_factory=list)
    excluded: Trees = field(default_factory=lambda: defaultdict(list))

    def __bool__(self) -> bool:
        return bool(self.permitted or self.excluded)

    def narrow(self, constraints: x509.NameConstraints) -> None:
        """Takes in what one more CA certificate says. RFC 5280 section 6.1.4 (g)."""
        if constraints.permitted_subtrees:
            permitted: Trees = defaultdict(list)
            for tree in constraints.permitted_subtrees:
                permitted[type(tree)].append(tree)
            self.permitted.append(permitted)
        for tree in constraints.excluded_subtrees or ():
            self.excluded[type(tree)].append(tree)

    def violations(self, certificate: Certificate) -> list[tuple[Defect, str]]:
        """Which names of the certificate break these constraints. Raises TooManyComparisons."""
        found: list[tuple[Defect, str]] = []
        for name in constrained_names(certificate):
            form = _form(name)
            excluded = self.excluded.get(form, ())
            self.comparisons.spend(len(excluded))
            for tree in excluded:
                if _within(name, tree, excluding=True):
                    found.append((Defect.NAME_EXCLUDED, f"{_show(name)} lies in the excluded subtree {_show(tree)}"))
                    break
            for trees in self.permitted:
                permitted = trees.get(form, ())
                self.comparisons.spend(len(permitted) + 1)
                if permitted and not any(_within(name, tree, excluding=False) for tree in permitted):
                    shown = ", ".join(_show(tree) for tree in permitted[:_LISTED])
                    found.append((Defect.NAME_NOT_PERMITTED, f"{_show(name)} lies outside the permitted {shown}"))
        return found


def constrained_names(certificate: Certificate) -> Iterable[x509.GeneralName]:
    """Every name that name constraints apply to, the subject included."""
    if certificate.subject:
        yield x509.DirectoryName(certificate.x509.subject)
    if certificate.names is not None:
        yield from certificate.names
    else:
        for item in certificate.x509.subject.get_attributes_for_oid(NameOID.EMAIL_ADDRESS):
            yield _Mailbox(str(item.value))


def malformed(constraints: x509.NameConstraints) -> list[str]:
    """Subtrees that no name can be compared with, as sentences: wildcards, leading periods, two @."""
    found = []
    for tree in [*(constraints.permitted_subtrees or ()), *(constraints.excluded_subtrees or ())]:
        if isinstance(tree, x509.DNSName) and tree.value and not is_host_name(tree.value.lower()):
            found.append(f"the dNSName subtree {printable(tree.value)!r} is no host name")
        elif isinstance(tree, x509.RFC822Name) and tree.value.count("@") > 1:
            found.append(f"the rfc822Name subtree {printable(tree.value)!r} is no mail address, host or domain")
    return found


class _Mailbox(x509.RFC822Name):
    """An emailAddress of the subject, which may hold what an rfc822Name must not."""

    def __init__(self, value: str) -> None:
        self._text = value

    @property
    def value(self) -> str:
        return self._text


def _within(name: x509.GeneralName, tree: x509.GeneralName, *, excluding: bool) -> bool:
    """Whether the name lies in the subtree. Where that cannot be decided, the answer is the one that refuses."""
    match name, tree:
        case x509.DNSName(), x509.DNSName():
            return _host_within(name.value.lower(), tree.value.lower(), excluding=excluding)
        case x509.IPAddress(), x509.IPAddress():
            network = tree.value
            return isinstance(network, Network) and name.value in network
        case x509.DirectoryName(), x509.DirectoryName():
            return _name_within(name_key(name.value), name_key(tree.value))
        case x509.RFC822Name(), x509.RFC822Name():
            return _mailbox_within(name.value, tree.value)
        case x509.UniformResourceIdentifier(), x509.UniformResourceIdentifier():
            return _uri_within(name.value, tree.value.lower(), excluding=excluding)
    return excluding


def _host_within(name: str, tree: str, *, excluding: bool) -> bool:
    if not tree or name == tree or name.endswith("." + tree):
        return True
    # A wildcard may stand for the excluded name. RFC 5280 is silent; anything else is a bypass (CVE-2025-61727).
    return excluding and name.startswith("*.") and tree.partition(".")[2] == name[2:]


def _name_within(name: NameKey, tree: NameKey) -> bool:
    return name[: len(tree)] == tree


def _mailbox_within(name: str, tree: str) -> bool:
    local, _, host = name.rpartition("@")
    host = host.lower()
    if "@" in tree:
        wanted_local, _, wanted_host = tree.rpartition("@")
        return local == wanted_local and host == wanted_host.lower()
    tree = tree.lower()
    return host.endswith(tree) if tree.startswith(".") else host == tree


def _uri_within(name: str, tree: str, *, excluding: bool) -> bool:
    """A URI without a host name MUST be rejected once its form is constrained."""
    try:
        host = (urlsplit(name).hostname or "").lower()
    except ValueError:
        return excluding
    if not host or _is_address(host):
        return excluding
    return host.endswith(tree) if tree.startswith(".") else host == tree


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _form(name: x509.GeneralName) -> type[x509.GeneralName]:
    return x509.RFC822Name if isinstance(name, _Mailbox) else type(name)


def _show(name: x509.GeneralName) -> str:
    value = name.value
    return printable(value.rfc4514_string() if isinstance(value, x509.Name) else str(value)) or "(empty)"


_LISTED = 5


def is_empty(constraints: x509.NameConstraints) -> bool:
    """Whether neither list holds a subtree, which section 4.2.1.10 forbids."""
    lists: Sequence[Sequence[x509.GeneralName] | None] = (
        constraints.permitted_subtrees,
        constraints.excluded_subtrees,
    )
    return not any(lists)
