"""Name constraints: the permitted and the excluded subtrees that issuers lay upon the names below them.

Source: RFC 5280 section 4.2.1.10 and 6.1.3 (b)(c), 6.1.4 (g).
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from shakeproof.impl.x509.certificate import Certificate, name_key, printable
from shakeproof.impl.x509.names import is_host_name, is_mailbox
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


Form = type[x509.GeneralName]
Trees = dict[Form, list[tuple[x509.GeneralName, object]]]  # each with its key


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
                permitted[type(tree)].append((tree, self.key(tree)))
            self.permitted.append(permitted)
        for tree in constraints.excluded_subtrees or ():
            self.excluded[type(tree)].append((tree, self.key(tree)))

    def violations(self, certificate: Certificate) -> list[tuple[Defect, str]]:
        """Which names of the certificate break these constraints. Raises TooManyComparisons."""
        found: list[tuple[Defect, str]] = []
        for name in constrained_names(certificate):
            form, key = _form(name), self.key(name)
            excluded = self.excluded.get(form, ())
            self.comparisons.spend(len(excluded))
            for tree, tree_key in excluded:
                if self.within(form, key, tree_key, excluding=True):
                    found.append((Defect.NAME_EXCLUDED, f"{_show(name)} lies in the excluded subtree {_show(tree)}"))
                    break
            for trees in self.permitted:
                permitted = trees.get(form, ())
                self.comparisons.spend(len(permitted) + 1)
                if permitted and not any(self.within(form, key, item, excluding=False) for _, item in permitted):
                    shown = ", ".join(_show(tree) for tree, _ in permitted[:_LISTED])
                    found.append((Defect.NAME_NOT_PERMITTED, f"{_show(name)} lies outside the permitted {shown}"))
        return found

    def key(self, name: x509.GeneralName) -> object:
        """What is compared of a name or a subtree; override it to compare otherwise."""
        match name:
            case x509.DNSName():
                return name.value.lower()
            case x509.DirectoryName():
                return name_key(name.value)
        return name.value

    def within(self, form: Form, name: object, tree: object, *, excluding: bool) -> bool:
        """Whether a name lies in a subtree of its form, both as keys; override it to compare otherwise.

        excluding: the subtree is an excluded one. Where nothing can be decided, the answer is the one that refuses.
        """
        compare = _COMPARISONS.get(form)
        return excluding if compare is None else compare(name, tree, excluding)


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


def _host_within(name: Any, tree: Any, excluding: bool) -> bool:
    if not tree or name == tree or name.endswith("." + tree):
        return True
    # A wildcard may stand for the excluded name. RFC 5280 is silent; anything else is a bypass (CVE-2025-61727).
    return excluding and name.startswith("*.") and bool(tree.partition(".")[2] == name[2:])


def _address_within(name: Any, tree: Any, excluding: bool) -> bool:
    if isinstance(name, Network):
        return excluding  # a range is nobody's address
    return isinstance(tree, Network) and name in tree


def _name_within(name: Any, tree: Any, excluding: bool) -> bool:
    return bool(name[: len(tree)] == tree)


def _mailbox_within(name: Any, tree: Any, excluding: bool) -> bool:
    if not tree or not is_mailbox(name):
        return excluding  # what is no mail address lies in no place, and the RFC gives an empty subtree no meaning
    local, _, host = name.rpartition("@")
    host = host.lower()
    if "@" in tree:
        wanted_local, _, wanted_host = tree.rpartition("@")
        return bool(local == wanted_local and host == wanted_host.lower())
    tree = tree.lower()
    return bool(host.endswith(tree) if tree.startswith(".") else host == tree)


def _uri_within(name: Any, tree: Any, excluding: bool) -> bool:
    """A URI without a host name MUST be rejected once its form is constrained. RFC 5280 section 4.2.1.10."""
    try:
        host = (urlsplit(name).hostname or "").lower()
    except ValueError:
        return excluding
    if not is_host_name(host) or _is_address(host) or not tree:
        return excluding
    tree = tree.lower()
    return bool(host.endswith(tree) if tree.startswith(".") else host == tree)


_COMPARISONS: dict[Form, Callable[[Any, Any, bool], bool]] = {
    x509.DNSName: _host_within,
    x509.IPAddress: _address_within,
    x509.DirectoryName: _name_within,
    x509.RFC822Name: _mailbox_within,
    x509.UniformResourceIdentifier: _uri_within,
}


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _form(name: x509.GeneralName) -> Form:
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
