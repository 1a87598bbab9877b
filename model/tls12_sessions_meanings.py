"""What a message is to whom it reaches, where sessions mingle: computed when it arrives, or when the attacker makes it.

A message of an honest side is sound where what it vouches for holds: verify_data that matches, a proof that verifies,
renegotiation_info that is what the handshake before makes it. What an attacker makes is limited by `attributes`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from shakeproof.model.attributes import HASHED, How, voucher
from shakeproof.model.composition import Is, Of, Packet
from shakeproof.model.facts import Guard, Value
from shakeproof.model.messages import (
    Certificate,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    Finished,
    ServerHello,
    bad_block,
    by_id,
    by_unknown,
    empty_chain,
    full,
    match,
    mismatch,
    proven,
    renegotiation_claimed,
    renegotiation_forged,
    unproven,
    wrapped,
    wrong_name,
)
from shakeproof.model.notation import Symbol
from shakeproof.model.steps import LocalStep
from shakeproof.model.tls12 import (
    ROUND,
    WAIT_CHANGE_CIPHER_SPEC,
    WAIT_CLIENT_HELLO,
    WAIT_FINISHED,
    WAIT_SERVER_HELLO,
    again,
    first,
)
from shakeproof.model.tls12_sessions_setting import (
    SESSION_HASH,
    Setting,
    alike,
    apart,
    exposed,
    mirrored,
    no_keys,
    private,
    same,
    strange,
    twinned,
)
from shakeproof.model.tls12_setting import CLIENT, SERVER, TO_SERVER, Assign, Side, attacker, bits, nobody, peer


@dataclass(frozen=True)
class Way:
    """One way in which something may be: columns that must have bits, what must hold besides, and bits given then."""

    where: Assign = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()
    assign: Assign = field(default_factory=dict)


Ways = Sequence[Way]
ALWAYS: Ways = (Way(),)
"""The one way of what needs and brings nothing."""


def together(*aspects: Ways) -> Iterator[Way]:
    """Every combination of one way of each that does not contradict itself; what comes later is given last."""
    for ways in itertools.product(*aspects):
        where: Assign = {}
        if all(where.setdefault(name, mask) == mask for way in ways for name, mask in way.where.items()):
            assign: Assign = {}
            for way in ways:
                assign |= way.assign
            yield Way(where, tuple(guard for way in ways for guard in way.guards), assign)


class Meanings:
    """What messages are, and what they bring, in a setting."""

    def __init__(self, setting: Setting, sides: dict[str, Side]) -> None:
        self.setting = setting
        self.sides = sides

    def arrives(self, side: Side, packet: Packet) -> Iterator[tuple[Way, Symbol]]:
        """What a packet is when it arrives: under which conditions, what it says then, and what that brings."""
        symbol, own = packet.symbol, side.column("owner")
        if symbol.message is ClientHello:
            yield from self._hello_arrives(symbol)
        elif symbol.message is ServerHello:
            begun = Is("client.round", first.bit) & Is("server.round", first.bit)
            right = begun | (Is("client.round", again.bit) & Is("server.round", again.bit) & Of("network", alike))
            yield Way({}, (right,)), symbol
            yield Way({}, (~right,)), ServerHello.symbol(renegotiation_forged)
        elif symbol.message is Certificate and side.name == CLIENT and self.setting.wants_attacker:
            yield Way(bits({side.column(ROUND.name): first})), Certificate.symbol(wrong_name)
            yield Way(bits({side.column(ROUND.name): again}), (), bits({own: peer})), symbol
        elif symbol.message is Certificate:
            yield Way({}, (), bits({own: nobody if symbol.has(empty_chain) else peer})), symbol
        elif symbol.message is ClientKeyExchange and packet.about == TO_SERVER:
            for guards, value in self._master(intact=True):
                made = bits({side.column("keys"): private, "network.master": value})
                yield Way({}, guards, made), ClientKeyExchange.symbol(wrapped)
        elif symbol.message is ClientKeyExchange:
            made = bits({side.column("keys"): private, "network.master": apart})
            yield Way({}, (), made), ClientKeyExchange.symbol(bad_block)
        elif symbol.message is CertificateVerify:
            good = Of("network", same) & Is(own, peer.bit)
            yield Way({}, (good,)), CertificateVerify.symbol(proven)
            yield Way({}, (~good,)), CertificateVerify.symbol(unproven)
        elif symbol.message is Finished:  # the first that is protected with the new keys: who has others can't read it
            readable = (Of("network", mirrored),) if packet.sealed else ()
            right = Of("network", same) & Of("network", mirrored)
            yield Way({}, (*readable, right)), Finished.symbol(match)
            yield Way({}, (*readable, ~right)), Finished.symbol(mismatch)
        else:
            yield Way(), symbol

    def _hello_arrives(self, symbol: Symbol) -> Iterator[tuple[Way, Symbol]]:
        """The client's hello: is its renegotiation_info right, and is there a session as it asks for?"""
        fresh = Is("server.state", self.sides[SERVER].at(WAIT_CLIENT_HELLO))
        initial = Is("client.round", first.bit)
        right = (fresh & initial) | (~fresh & ~initial & Of("network", alike))
        unknown = Is("server.keys", no_keys.bit)
        waiting = Is("client.state", self.sides[CLIENT].at(WAIT_SERVER_HELLO))
        for waits, pair in ((waiting, same), (~waiting, strange)):  # else it has had an answer, of the attacker's
            met = bits({"network.pair": pair})
            if symbol.has(by_id):
                yield Way({}, (waits, right, ~unknown), met), symbol
                yield Way({}, (waits, right, unknown), met), symbol.with_values(by_unknown)
            else:
                yield Way({}, (waits, right), met), symbol
            yield Way({}, (waits, ~right), met), ClientHello.symbol(renegotiation_claimed)

    def _master(self, *, intact: bool) -> Sequence[tuple[tuple[Guard, ...], Value]]:
        """When a pre-master secret that both sides have makes the same master secret.

        With `extended-master-secret` it is made of the whole handshake up to there, else of the two randoms alone.
        intact: the ClientKeyExchange is the client's own.
        """
        hashed = SESSION_HASH not in self.setting.removed
        if hashed and not intact:
            return (((), apart),)
        equal: Guard = Of("network", same) if hashed else Of("network", same | twinned)
        return ((equal,), mirrored), ((~equal,), apart)

    # ---------------------------------------------------------------------------------- what the attacker makes

    def needs(self, side: Side, symbol: Symbol) -> tuple[Guard, ...]:
        """What the attacker needs to forge the symbol, by its attributes."""
        attribute = voucher(symbol.named)
        if symbol.message is ClientHello and symbol.has(by_id):
            return (~Is(side.column("keys"), no_keys.bit),)  # there is a session, and its id is no secret
        if attribute is None or attribute.how in (How.CERTIFIED, How.ENCRYPTED):
            return ()  # a certificate is public, and anybody can encrypt
        if attribute.how is How.SIGNED:
            return (Is(side.column("owner"), attacker.bit),)
        return (~Is(side.column("keys"), private.bit),)

    def made(self, side: Side, step: LocalStep) -> tuple[Ways, Ways]:
        """What it brings that the attacker makes the symbol: other transcripts, and other keys."""
        symbol, keys = step.symbol, side.column("keys")
        tampers: Ways = (
            Way(bits({"network.pair": same}), (), bits({"network.pair": twinned})),
            Way({}, (~Of("network", same),)),
        )
        brings: Ways = ALWAYS
        if symbol.message is ClientHello:
            waiting = Is("client.state", self.sides[CLIENT].at(WAIT_SERVER_HELLO))
            tampers = (
                Way({}, (waiting,), bits({"network.pair": twinned})),
                Way({}, (~waiting,), bits({"network.pair": strange})),
            )
        elif symbol.message is Certificate:
            brings = self._shown(side, symbol)
        elif symbol.message is ClientKeyExchange and symbol.has(wrapped):
            brings = (Way({}, (), bits({keys: exposed, "network.master": apart})), *self._encrypted_again(keys))
        elif symbol.message is ClientKeyExchange:
            brings = [Way({}, (), bits({keys: private, "network.master": apart}))]
        return (tampers if symbol.message in HASHED else ALWAYS), brings

    def _encrypted_again(self, keys: str) -> Iterator[Way]:
        """The pre-master secret that the client has just encrypted to the attacker, encrypted to the server."""
        client = self.sides[CLIENT]
        sent: Guard = Is("client.grants", full.bit) & Is("client.keys", exposed.bit)
        sent &= Is("client.state", client.at(WAIT_CHANGE_CIPHER_SPEC)) | Is("client.state", client.at(WAIT_FINISHED))
        for flight in client.flights:
            if any(parcel.symbol.message is ClientKeyExchange for parcel in flight):
                sent &= ~Is("client.owes", client.owes(flight))
        for guards, value in self._master(intact=False):
            if value is mirrored:
                yield Way({}, (sent, *guards), bits({keys: exposed, "network.master": value}))

    def _shown(self, side: Side, symbol: Symbol) -> Ways:
        """Whose certificate the attacker shows; as a client it has none that anybody trusts."""
        own = side.column("owner")
        vouched = voucher(symbol.named) is not None
        if symbol.has(empty_chain):
            return (Way({}, (), bits({own: nobody})),)
        if side.name == CLIENT and vouched and self.setting.wants_attacker:
            changes = Way(bits({side.column(ROUND.name): again}), (), bits({own: peer}))
            return (Way({}, (), bits({own: attacker})), changes)
        return (Way({}, (), bits({own: peer if vouched else attacker})),)
