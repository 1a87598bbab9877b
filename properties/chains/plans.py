"""A plan names a chain and its faults in plain text; from it come the octets, and what a validator has to find in them.

    Plan(depth=2, faults=("expired@1", "wildcard"))

is a leaf under two intermediate CAs, of which the lower one has expired. `expected` is worked out from what faults.py
says of each fault and from nothing that validates, so that it can be held against a validator.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from shakeproof.properties.chains.draft import CLIENT_AUTH, SERVER_AUTH, STRANGER, Draft, authority, sound
from shakeproof.properties.chains.faults import APART, AT, BELOW, FAULTS, ONE_ABOVE, Fault, Reads, Where
from shakeproof.properties.mapper.keys import KeyKind

HOST = "www.example.test"
MAX_DEPTH = 3
"""Intermediate CAs of the longest chain: every fault finds its place in it, and chains of the web are no longer."""

Placed = tuple[Fault, int]


class NoSuchPlanError(LookupError):
    """A fault that does not exist, that finds no place in the chain, or that cannot stand beside another one."""


@dataclass(frozen=True)
class Plan:
    """A chain to be. depth: intermediate CAs; faults: each by name, with "@" and its place where it has a choice: 0 is
    the leaf; kind: of all its keys; client: the leaf is a client's.
    """

    depth: int = 1
    faults: tuple[str, ...] = ()
    kind: KeyKind = "ecdsa"
    client: bool = False

    @property
    def placed(self) -> tuple[Placed, ...]:
        """The faults with their places. Raises NoSuchPlanError."""
        if not 0 <= self.depth <= MAX_DEPTH:
            raise NoSuchPlanError(f"expected 0 to {MAX_DEPTH} intermediate CAs, got {self.depth}")
        found = tuple(placed(text, self.depth) for text in self.faults)
        for fault, _ in found:
            if self.kind == "rsa" and not fault.rsa:
                raise NoSuchPlanError(f"no RSA key can have the fault {fault.name!r}")
        for one, other in itertools.combinations(found, 2):
            why = clash(one, other, self.depth)
            if why:
                raise NoSuchPlanError(f"{one[0].name}@{one[1]} and {other[0].name}@{other[1]}: {why}")
        return found


def placed(text: str, depth: int) -> Placed:
    """A fault and its place from its text. Raises NoSuchPlanError."""
    name, _, place = text.partition("@")
    if name not in FAULTS:
        raise NoSuchPlanError(f"no such fault: {name!r}; see FAULTS in properties/chains/faults.py")
    fault = FAULTS[name]
    places = fault.places(depth)
    if place and (not place.isdigit() or int(place) not in places):
        raise NoSuchPlanError(f"{text!r} finds no place in a chain of {depth} intermediate CAs")
    if not place and not places:
        raise NoSuchPlanError(f"{text!r} finds no place in a chain of {depth} intermediate CAs")
    return fault, int(place) if place else places[0]


def texts(depth: int, kind: KeyKind = "ecdsa") -> list[str]:
    """Every fault at each of its places in a chain of that depth."""
    return [
        fault.name if fault.where in (Where.LEAF, Where.ROOT) else f"{fault.name}@{place}"
        for fault in FAULTS.values()
        if kind == "ecdsa" or fault.rsa
        for place in fault.places(depth)
    ]


def clash(one: Placed, other: Placed, depth: int) -> str:
    """Why the two cannot stand together; "" if they can."""
    (fault, place), (second, place2) = one, other
    if place == place2 and fault is second:
        return "one is enough"
    for (lower, at), (upper, above) in (((fault, place), (second, place2)), ((second, place2), (fault, place))):
        known = APART if at == above else ONE_ABOVE if above == at + 1 else {}
        if (lower.name, upper.name) in known:
            return known[lower.name, upper.name]
    shared = _fields(one, depth) & _fields(other, depth)
    return f"both set {', '.join(sorted(field for _, field in shared))}" if shared else ""


def _fields(one: Placed, depth: int) -> frozenset[tuple[int, str]]:
    fault, place = one
    fields = set()
    for field in fault.writes:
        above, colon, inner = field.partition(":")
        fields.add((place + 1, inner) if colon else (place, above))
    if any(at == depth + 1 for at, _ in fields):
        fields.add((depth + 1, "root"))
    return frozenset(fields)


# ----------------------------------------------------------------------------------------------------- what is expected


@lru_cache(maxsize=8192)
def expected(plan: Plan) -> frozenset[str]:
    """The defects that a validator must find in the chain as it is sent; empty for a chain to be accepted."""
    return _expected(plan.placed, plan.depth) - (OF_A_HOST if plan.client else frozenset())


OF_A_HOST = frozenset({"WRONG_NAME", "NO_SAN", "BAD_WILDCARD"})
"""What is wrong with a server's name only: nobody in particular is expected as a client (RFC 5246 section 7.4.6)."""


def _expected(faults: tuple[Placed, ...], depth: int) -> frozenset[str]:
    for fault, place in faults:
        if place == 0 and fault.ends == BELOW:
            return frozenset(fault.gives)  # what cannot be read hides everything else
    if any(fault.name == "self-signed" for fault, _ in faults):
        faults = tuple((fault, place) for fault, place in faults if place == 0)  # nothing else is sent
    last = depth + 1  # the place of the last certificate of the path
    lost = ""
    found: set[str] = set()
    for fault, place in sorted(faults, key=lambda one: one[1]):
        if fault.ends and place - (fault.ends != AT) < last:
            last = place - (fault.ends != AT)
            lost = fault.name if fault.ends == AT else ""
        elif fault.ends == AT and place == last:
            lost = fault.name
        if fault.ends == BELOW:
            found.update(fault.gives)  # wherever it was to stand in the path
    anchored = not any(fault.ends for fault, _ in faults)
    if not anchored and not lost:
        found.add("UNTRUSTED_ROOT" if last else "MISSING_INTERMEDIATE")
    unreadable = {place for fault, place in faults if fault.unreadable}
    bare = unreadable | {place for fault, place in faults if fault.bare}
    nameless = any(not place and {"names", "names+"} <= fault.writes for fault, place in faults)
    for fault, place in faults:
        if fault.ends == AT and fault.name != lost:
            continue
        if place > last or (fault.below and place == last) or fault.ends == BELOW:
            continue
        blind = {
            Reads.OWN: place in unreadable,
            Reads.ISSUER: place + 1 in bare,
            Reads.LEAF: 0 in unreadable,
            Reads.NAMES: 0 in unreadable or nameless,
        }
        if not any(blind[what] for what in fault.reads):
            found.update(fault.defects(place))
    return frozenset(found)


@lru_cache(maxsize=8192)
def cured(plan: Plan, place: int) -> bool:
    """Whether the chain is to be accepted once a sound twin of the issuer at that place is sent besides: a CA of the
    same name and key.
    """
    if not 1 <= place <= plan.depth:
        raise NoSuchPlanError(f"no issuer at place {place} of a chain of {plan.depth} intermediate CAs")
    # The twin of the uppermost CA was issued by the root that is trusted, and not by whoever goes by its name.
    bypassed = {"impostor-root"} if place == plan.depth else set()
    others = tuple((fault, at) for fault, at in plan.placed if at != place and fault.name not in bypassed)
    if not expected(plan):
        return True
    # The twin has the name and the key that the issuer had before it was spoilt, and the same lists are about it.
    spoilt_here = [fault for fault, at in plan.placed if at == place]
    rekeyed = any(fault.rekeys and fault.ends != BELOW for fault in spoilt_here)
    left = _expected(others, plan.depth) - (OF_A_HOST if plan.client else frozenset())
    return not (rekeyed or any(fault.lasting for fault in spoilt_here) or left)


# ------------------------------------------------------------------------------------------------------------- building


@dataclass(frozen=True)
class Built:
    """A chain as it is sent, the leaf first, and what whoever validates it knows besides.

    path: every certificate of the chain, also what is not sent.
    """

    plan: Plan
    chain: tuple[bytes, ...]
    anchors: tuple[bytes, ...]
    crls: tuple[bytes, ...]
    host: str
    path: tuple[bytes, ...]


@lru_cache(maxsize=4096)
def build(plan: Plan, now: datetime, host: str = HOST) -> Built:
    """The chain. Raises NoSuchPlanError for faults that cannot stand in it."""
    draft = spoilt(plan, now, host)
    path = tuple(draft.write(place) for place in range(draft.top + 1))
    inside = path if draft.root_sent else path[:-1]
    chain = inside[:1] if draft.self_signed else inside
    chain = tuple(item for place, item in enumerate(chain) if place not in draft.missing)
    # Where an impostor has taken the root's place, the one that is trusted is among the draft's anchors.
    anchors = tuple(draft.anchors or (path[-1:] if draft.trusted else ()))
    crls = tuple(crl.write(draft) for crl in draft.crls)
    return Built(plan, chain, (*anchors, strangers(now)[0]), crls, host, path)


def spoilt(plan: Plan, now: datetime, host: str = HOST) -> Draft:
    """The chain with its faults, before it is signed."""
    draft = sound(now, host, plan.depth, plan.kind, CLIENT_AUTH if plan.client else SERVER_AUTH)
    for fault, place in plan.placed:
        fault.make(draft, place)
    return draft


@lru_cache(maxsize=16)
def strangers(now: datetime) -> tuple[bytes, bytes, bytes]:
    """Three certificates that have nothing to do with any chain: a root that is trusted, a CA below it and a leaf."""
    root = authority(now, "ecdsa", STRANGER, "a stranger")
    below = authority(now, "ecdsa", STRANGER + 2, "another stranger", root.subject)
    chain = sound(now, "stranger.example.test", 0)
    leaf = chain.certificates[0]
    leaf.issuer = below.subject
    return root.write(root), below.write(root), leaf.write(below)


def pairs(depth: int, kind: KeyKind = "ecdsa") -> Iterator[tuple[str, str]]:
    """Every two faults that can stand together in a chain of that depth."""
    for one, other in itertools.combinations(texts(depth, kind), 2):
        if not clash(placed(one, depth), placed(other, depth), depth):
            yield one, other
