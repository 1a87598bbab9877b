"""What may be sent besides a chain and changes no verdict on it: strangers, copies, twins of its CAs, and bombs.

A twin is another certificate of one of the chain's CAs, of the same name and with the same key, such as each CA has
that is cross-certified or renewed. All twins but the sound one have a flaw of their own, so that no path through one
of them is sound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from random import Random

from shakeproof.properties.chains import der, spoiling
from shakeproof.properties.chains import draft as d
from shakeproof.properties.chains.draft import STRANGER, authority, sound
from shakeproof.properties.chains.plans import HOST, Built, NoSuchPlanError, Plan, strangers

PLAIN = ("stranger", "other-leaf", "anchor", "garbage", "copy-0", "copy-1", "copy-2")
"""What leaves the defects as they are, too. copy-N: the certificate that is sent at that place, once more."""

TWINS = ("expired-twin", "untrusted-twin", "not-a-ca-twin", "namesake", "circle")
"""What offers other paths, each with a defect, through another certificate of the issuer at a place."""


def besides(plan: Plan, built: Built, extra: str, now: datetime) -> bytes:
    """DER of what is sent besides. Raises NoSuchPlanError where the chain has nothing of the kind."""
    _, below, leaf = strangers(now)
    plainly = {"stranger": below, "other-leaf": leaf, "anchor": built.anchors[0], "garbage": b"no certificate"}
    if extra in plainly:
        return plainly[extra]
    name, _, place = extra.partition("@")
    if name.startswith("copy-"):
        number = int(name.removeprefix("copy-"))
        if number < len(built.chain):
            return built.chain[number]
    elif name in TWINS and place.isdigit() and 1 <= int(place) <= plan.depth:
        return twin(plan, int(place), name, now)
    raise NoSuchPlanError(f"nothing to send besides: {extra!r}")


@lru_cache(maxsize=512)
def twin(plan: Plan, place: int, name: str, now: datetime) -> bytes:
    """Another certificate of the issuer at that place; "sound-twin" is one without a flaw."""
    draft = sound(now, HOST, plan.depth, plan.kind)
    made, issuer = draft.certificates[place], draft.certificates[place + 1]
    made.serial = b"\x20" + bytes([place])
    match name:
        case "expired-twin":
            spoiling.expired(draft, place)
        case "not-a-ca-twin":
            spoiling.not_a_ca(draft, place)
        case "untrusted-twin":
            issuer = authority(now, "ecdsa", STRANGER + 3, "nobody's root")
            made.issuer = issuer.subject
        case "namesake":
            made.key = d.derived_key(STRANGER + 4)
            made.info = d.key_info(made.key.public_key())
        case "circle":
            issuer = authority(now, "ecdsa", STRANGER + 5, "the other half of a circle", made.subject)
            made.issuer = issuer.subject
    return made.write(issuer)


def in_order(chain: Sequence[bytes], order: int) -> tuple[bytes, ...]:
    """The leaf, and the rest in one of many orders; 0 leaves them as they are."""
    first, *rest = chain
    if order:
        Random(order).shuffle(rest)  # noqa: S311 - it has to repeat itself
    return (first, *rest)


# ---------------------------------------------------------------------------------------------------------------- bombs


@lru_cache(maxsize=64)
def bomb(name: str, size: int, now: datetime) -> Built:
    """A chain that costs a careless search much. size: how much, from 1 on."""
    return BOMBS[name](max(1, size), now)


def _namesakes(size: int, now: datetime) -> Built:
    """So many CAs with the name of the leaf's issuer and its key identifier, before the right one (CVE-2018-16875)."""
    draft = sound(now, HOST, 1)
    leaf, ca, root = draft.certificates
    others = []
    for number in range(size):
        other = authority(now, "ecdsa", STRANGER + 10 + number, "intermediate 1", root.subject)
        other.claimed_key_id = ca.key_id
        others.append(other.write(root))
    chain = (leaf.write(ca), *others, ca.write(root))
    return Built(Plan(1), chain, (root.write(root),), (), HOST, chain)


MESH = 15
"""CAs that certify one another: as many certificates as a chain may hold at most."""


def _mesh(size: int, now: datetime) -> Built:
    """CAs that all certify one another, and none of which an anchor certifies (CVE-2024-0567)."""
    names = [authority(now, "ecdsa", STRANGER + 10 + number, f"mesh {number}") for number in range(min(size, MESH) + 1)]
    draft = sound(now, HOST, 0)
    leaf, root = draft.certificates
    leaf.issuer = names[0].subject
    chain = [leaf.write(names[0])]
    for number, subject in enumerate(names):
        for issuer in names:
            if issuer is not subject:
                made = authority(now, "ecdsa", STRANGER + 10 + number, f"mesh {number}", issuer.subject)
                chain.append(made.write(issuer))
    return Built(Plan(0), tuple(chain), (root.write(root),), (), HOST, tuple(chain))


NAMES_EACH = 10
"""Names and subtrees that a constraints bomb has for each of its size."""


def _constraints(size: int, now: datetime) -> Built:
    """So many times ten names below a CA with as many subtrees."""
    draft = sound(now, HOST, 1)
    leaf, ca, root = draft.certificates
    count = NAMES_EACH * size
    leaf.names += [der.general_name(der.DNS_NAME, f"n{number}.example.test") for number in range(count)]
    trees = (der.sequence(der.general_name(der.DNS_NAME, f"t{number}.example.test")) for number in range(count))
    ca.extensions[d.NAME_CONSTRAINTS] = der.sequence(der.element(spoiling.EXCLUDED, *trees)), True
    chain = (leaf.write(ca), ca.write(root))
    return Built(Plan(1), chain, (root.write(root),), (), HOST, chain)


BOMBS: dict[str, Callable[[int, datetime], Built]] = {
    "namesakes": _namesakes,
    "mesh": _mesh,
    "constraints": _constraints,
}
"""Path bombs by name."""
