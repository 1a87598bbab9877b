"""Chains that an audit offers to programs: what our own validator, which they are not made with, says of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from shakeproof.impl.x509 import Usage, Validator
from shakeproof.model.roles import ROLES
from shakeproof.properties.chain_audit import OFFERS, ChainRunner, Offer, chain_of, is_offered, plain_word, shown, today
from shakeproof.properties.mapper.certificates import SERVER_NAME, Chain, anchors
from shakeproof.properties.rogues import ROGUES
from shakeproof.properties.targets.base import Setup
from shakeproof.properties.targets.ours import OurTarget
from tests.shakeproof.made_findings import made_finding

Kind = Literal["rsa", "ecdsa"]
OFFERED = [
    pytest.param(offer, kind, id=f"{offer.name}-{kind}")
    for offer in OFFERS.values()
    for kind in ("rsa", "ecdsa")
    if offer.fits(kind)
]
SHOWN_BY = {
    "expired-issuer": "expired-issuer",
    "unknown-signature": "error-for-success",
    "cube-root": "lenient-padding",
    "no-digest": "any-digest",
    "second-path": "alternatives-trusted",
    "issuer-may-not-sign": "issuer-key-usage-ignored",
    "other-issuer": "issuer-name-ignored",
    "excluded-in-capitals": "constraints-with-case",
    "name-in-uri": "common-name-fallback",
    "name-before-nul": "nul-ends-name",
    "namesakes": "endless-search",
    "wrong-purpose": "client-use-ignored",
}
"""Offers, and the rogue of which each is a detector."""


def accepts(chain: Chain, *, client: bool, rogue: str = "") -> bool:
    """Whether our validator takes the chain. rogue: with this fault."""
    usage = Usage.CLIENT_AUTH if client else Usage.SERVER_AUTH
    validator = Validator(anchors(), usage=usage, with_profile=False)
    if rogue:
        plant = ROGUES[rogue].validator
        assert plant is not None
        plant(validator)
    return validator.validate(chain.der, today(), None if client else SERVER_NAME).accepted


def made(offer: Offer, kind: Kind) -> Chain:
    """The chain of the offer."""
    return chain_of(offer.faults, offer.depth, offer.twin, offer.namesakes, kind, offer.client, today())


@pytest.mark.parametrize("client", [False, True])
@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_sound_chain_of_the_factory_leads_to_the_anchor_of_every_target(kind: Kind, client: bool) -> None:
    assert accepts(chain_of((), 1, "", 0, kind, client, today()), client=client)


@pytest.mark.parametrize(("offer", "kind"), OFFERED)
def test_offered_chain_is_refused_by_a_validator_without_a_fault(offer: Offer, kind: Kind) -> None:
    assert not accepts(made(offer, kind), client=offer.client)


@pytest.mark.parametrize("name", SHOWN_BY)
def test_offered_chain_is_taken_by_the_rogue_that_it_shows(name: str) -> None:
    (offer,) = [offer for offer in OFFERS.values() if offer.name == name]
    assert accepts(made(offer, "ecdsa"), client=offer.client, rogue=SHOWN_BY[name])


def test_finding_about_a_chain_names_it_and_can_be_told_apart_again() -> None:
    (offer,) = [offer for offer in OFFERS.values() if offer.name == "expired-issuer"]
    word = ("ServerHello[PROPER, RSA, FULL, UNPROMISED]", "Certificate[EXPIRED]")
    finding = shown(replace(made_finding(check=offer.check), word=word), offer)
    assert finding.word == (word[0], "Certificate, with the chain expired-issuer")
    assert finding.title.startswith("a chain whose intermediate CA has expired: ")
    assert plain_word(finding) == (word, offer)
    assert plain_word(replace(made_finding(), word=word)) == (word, None)


def test_chains_are_offered_to_programs_only() -> None:
    setup = Setup("rsa", "rsa", "cbc")
    ours = OurTarget("")
    assert not is_offered(ours, "tls12.client", setup, ())
    (offer,) = [offer for offer in OFFERS.values() if offer.name == "expired-issuer"]
    assert ChainRunner(ours, ROLES["tls12.client"], setup, 0, offer).chain == made(offer, "rsa")
