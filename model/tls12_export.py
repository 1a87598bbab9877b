"""TLS 1.2 composed with a server that still has suites of export, as many had when FREAK was found.

Under such a suite of older versions the server makes a temporary RSA key, short enough for what laws once allowed, signs
it with the key of its certificate and sends it as a ServerKeyExchange; the client encrypts its secret to that. In TLS
1.2 there is none: under RSA key transport the message is not legal (RFC 5246 section 7.4.3). A client that offers no
such suite never asks for it. But the attacker can ask in its name; then a client that takes the message wherever it
comes encrypts its secret to a key that the attacker breaks, as it has had time to do, where a server keeps its key.

The signature covers the randoms of both hellos (section 7.4.3), so that what the server signed in another connection is
of no use: it must sign in this one, after the client has chosen its random, and the attacker hands that on. Therefore a
ClientHello of the attacker's may ask for a suite of export. The server takes it by the same row as any, and its flight
then has a ServerHello that chooses what the client has not offered, and the short key. The attacker must change the
one and can deliver the other. The server has the short key too, and reads what is encrypted to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from shakeproof.model.composition import Is, Packet, Transition
from shakeproof.model.facts import Fact
from shakeproof.model.messages import (
    SERVER_PARAMS,
    Certificate,
    ClientKeyExchange,
    ServerHello,
    ServerHelloDone,
    ServerKeyExchange,
    alien_suite,
    forged_signature,
    signed,
    wrapped,
)
from shakeproof.model.notation import Message, Symbol
from shakeproof.model.steps import LocalStep
from shakeproof.model.tls12_composed import Composer
from shakeproof.model.tls12_meanings import Conditions, Meanings
from shakeproof.model.tls12_setting import (
    CLIENT,
    SERVER,
    TO_BOTH,
    Assign,
    Setting,
    Side,
    altered,
    bits,
    breakable,
    exposed,
    peer,
)

# fmt: off
SUITES = Fact("suites", {"offered": "offers what the client offers"}, {
    "rsa_export": "offers suites of export, and no others",
})
LENGTH = Fact("length", {"long_key": "nobody breaks the key"}, {"short_key": "the attacker breaks the key"})
# fmt: on
_, rsa_export = SUITES.values
_, short_key = LENGTH.values

EXPORT_HELLO = Message("ClientHello", "a client's offer of suites of export", SUITES).symbol(rsa_export)
"""A ClientHello of the attacker's alone: the tables have no such offer, since in TLS 1.2 there is none."""

SHORT_KEY = Message("ServerKeyExchange", "a temporary RSA key, signed", SERVER_PARAMS, LENGTH).symbol(signed, short_key)
"""For people: to the client of the tables it is signed parameters, and it looks no further."""


def _exported(step: LocalStep) -> LocalStep | None:
    """The step by which a hello is taken that asks for a suite of export, with the flight that answers it."""
    if [symbol.message for symbol in step.flight] != [ServerHello, Certificate, ServerHelloDone]:
        return None
    hello, key = ServerHello.symbol(alien_suite), ServerKeyExchange.symbol(signed)
    return replace(step, symbol=EXPORT_HELLO, flight=(hello, step.flight[1], key, step.flight[2]))


def _told(one: Transition) -> Transition:
    """As people are told of it."""
    is_key = one.symbol.message is ServerKeyExchange and one.symbol.has(signed)
    return replace(one, symbol=SHORT_KEY) if is_key else one


class ExportMeanings(Meanings):
    """What messages are, where the server has a key that the attacker breaks."""

    def judged(self, side: Side, packet: Packet) -> Iterator[tuple[Conditions, Symbol, Assign]]:
        message, own = packet.symbol.message, f"{side.name}.owner"
        if message is ServerKeyExchange:
            yield (Is(own, peer.bit),), ServerKeyExchange.symbol(signed), bits({own: breakable})
            yield (~Is(own, peer.bit),), ServerKeyExchange.symbol(forged_signature), bits({own: breakable})
        elif message is ClientKeyExchange and packet.about == TO_BOTH:
            yield (), ClientKeyExchange.symbol(wrapped), bits({f"{side.name}.keys": exposed})
        else:
            yield from super().judged(side, packet)


class ExportComposer(Composer):
    """Makes the transitions of a setting in which the server has suites of export."""

    ACCEPTED = (*Composer.ACCEPTED, (breakable, exposed, TO_BOTH))
    MEANINGS = ExportMeanings

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting)
        self.steps[SERVER] += [made for step in self.steps[SERVER] if (made := _exported(step)) is not None]

    def compose(self) -> tuple[list[Transition], tuple[Packet, ...]]:
        """The transitions, and the packets that they speak of."""
        transitions, packets = super().compose()
        return [_told(one) for one in transitions], packets

    def _forges(self, side: Side, step: LocalStep) -> Iterator[Transition]:
        if step.symbol != EXPORT_HELLO:
            yield from super()._forges(side, step)
            return
        client = self.sides[CLIENT]
        chosen = ~Is(f"{CLIENT}.state", client.at(client.role.initial))  # the random that the signature must cover
        for one in super()._forges(side, step):
            assign = dict(one.assign) | bits({"network.transcript": altered})
            yield replace(one, guard=chosen if one.guard is None else one.guard & chosen, assign=tuple(assign.items()))
